"""The validators of numbers under the name that foobara_py's roadmap gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..._lazy import exported

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
    return exported(name, globals(), _EXPORTS)


def __dir__() -> list[str]:
    return sorted(__all__)
