"""Validators: each returns the value that it is given, or raises; imported at first use (PEP 562)."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .cards import CardVerdict, CreditCardValidator
    from .ibans import IBANValidator, IBANVerdict
    from .numbers import NumberValidator, Verdict
    from .phone import PhoneNumberValidator, PhoneVerdict

__all__ = [
    "CardVerdict",
    "CreditCardValidator",
    "IBANValidator",
    "IBANVerdict",
    "NumberValidator",
    "PhoneNumberValidator",
    "PhoneVerdict",
    "Verdict",
]

_EXPORTS = {
    "CardVerdict": ".cards",
    "CreditCardValidator": ".cards",
    "IBANValidator": ".ibans",
    "IBANVerdict": ".ibans",
    "NumberValidator": ".numbers",
    "PhoneNumberValidator": ".phone",
    "PhoneVerdict": ".phone",
    "Verdict": ".numbers",
}


def __getattr__(name: str) -> Any:
    module = _EXPORTS.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(module, __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
