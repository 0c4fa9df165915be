"""The validators of numbers under the name that foobara_py's roadmap gives them."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .cards import CreditCardValidator
    from .ibans import IBANValidator
    from .phone import PhoneNumberValidator

__all__ = ["CreditCardValidator", "IBANValidator", "PhoneNumberValidator"]

_EXPORTS = {
    "CreditCardValidator": ".cards",
    "IBANValidator": ".ibans",
    "PhoneNumberValidator": ".phone",
}


def __getattr__(name: str) -> Any:
    module = _EXPORTS.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(module, __package__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
