"""The validators of numbers under the name that foobara_py's roadmap gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..._lazy import lazily

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

__getattr__, __dir__ = lazily(globals(), _EXPORTS)
