"""Validators: each returns the value that it is given, or raises; imported at first use (PEP 562)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..._lazy import exported

if TYPE_CHECKING:
    from ..processors import Validator
    from .cards import CardVerdict, CreditCardValidator
    from .ibans import IBANValidator, IBANVerdict
    from .numbers import NumberValidator, Verdict
    from .phone import PhoneNumberValidator, PhoneVerdict
    from .stock import (
        ContainsValidator,
        EmailValidator,
        MaxLengthValidator,
        MaxValueValidator,
        MinLengthValidator,
        MinValueValidator,
        NotEmptyValidator,
        OneOfValidator,
        PatternValidator,
        RangeValidator,
        RequiredValidator,
        UniqueItemsValidator,
        URLValidator,
    )

__all__ = [
    "CardVerdict",
    "ContainsValidator",
    "CreditCardValidator",
    "EmailValidator",
    "IBANValidator",
    "IBANVerdict",
    "MaxLengthValidator",
    "MaxValueValidator",
    "MinLengthValidator",
    "MinValueValidator",
    "NotEmptyValidator",
    "NumberValidator",
    "OneOfValidator",
    "PatternValidator",
    "PhoneNumberValidator",
    "PhoneVerdict",
    "RangeValidator",
    "RequiredValidator",
    "URLValidator",
    "UniqueItemsValidator",
    "Validator",
    "Verdict",
]

_EXPORTS = {
    "CardVerdict": ".cards",
    "ContainsValidator": ".stock",
    "CreditCardValidator": ".cards",
    "EmailValidator": ".stock",
    "IBANValidator": ".ibans",
    "IBANVerdict": ".ibans",
    "MaxLengthValidator": ".stock",
    "MaxValueValidator": ".stock",
    "MinLengthValidator": ".stock",
    "MinValueValidator": ".stock",
    "NotEmptyValidator": ".stock",
    "NumberValidator": ".numbers",
    "OneOfValidator": ".stock",
    "PatternValidator": ".stock",
    "PhoneNumberValidator": ".phone",
    "PhoneVerdict": ".phone",
    "RangeValidator": ".stock",
    "RequiredValidator": ".stock",
    "URLValidator": ".stock",
    "UniqueItemsValidator": ".stock",
    "Validator": "..processors",
    "Verdict": ".numbers",
}


def __getattr__(name: str) -> Any:
    return exported(name, globals(), _EXPORTS)


def __dir__() -> list[str]:
    return sorted(__all__)
