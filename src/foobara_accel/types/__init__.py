"""Validators, transformers, types of fields, the validator table; each is imported at first use (PEP 562)."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._masked import UNMASKED
    from .cache import (
        CacheStatistics,
        TypeExpressionError,
        ValidationCache,
        ValidatorBuildError,
        compile_validator,
        register_type_name,
        registered_type_names,
        unregister_type_name,
    )
    from .cards import CardNumber, is_valid_card, parse_card
    from .columns import (
        CARD_BRANDS as CARD_BRANDS,
        IBAN_COUNTRIES as IBAN_COUNTRIES,
        ArrowResult as ArrowResult,
        card_brand as card_brand,
        iban_country as iban_country,
        iban_valid as iban_valid,
        luhn_valid as luhn_valid,
    )
    from .ibans import IBAN, REGISTRY_RELEASE, is_valid_iban, parse_iban
    from .phones import PhoneNumber, forget_phones, is_valid_phone, parse_phone, phone_metadata
    from .transformers import (
        CapitalizeTransformer,
        HashedPassword,
        HashTransformer,
        SanitizedHTML,
        SanitizeHTMLTransformer,
    )
    from .validators import CreditCardValidator, IBANValidator, PhoneNumberValidator

__all__ = [
    "IBAN",
    "REGISTRY_RELEASE",
    "UNMASKED",
    "CacheStatistics",
    "CapitalizeTransformer",
    "CardNumber",
    "CreditCardValidator",
    "HashTransformer",
    "HashedPassword",
    "IBANValidator",
    "PhoneNumber",
    "PhoneNumberValidator",
    "SanitizeHTMLTransformer",
    "SanitizedHTML",
    "TypeExpressionError",
    "ValidationCache",
    "ValidatorBuildError",
    "compile_validator",
    "forget_phones",
    "is_valid_card",
    "is_valid_iban",
    "is_valid_phone",
    "parse_card",
    "parse_iban",
    "parse_phone",
    "phone_metadata",
    "register_type_name",
    "registered_type_names",
    "unregister_type_name",
]

_EXPORTS = {
    "CacheStatistics": ".cache",
    "CapitalizeTransformer": ".transformers",
    "CardNumber": ".cards",
    "CreditCardValidator": ".validators",
    "HashTransformer": ".transformers",
    "HashedPassword": ".transformers",
    "IBAN": ".ibans",
    "IBANValidator": ".validators",
    "PhoneNumber": ".phones",
    "PhoneNumberValidator": ".validators",
    "REGISTRY_RELEASE": ".ibans",
    "SanitizeHTMLTransformer": ".transformers",
    "SanitizedHTML": ".transformers",
    "TypeExpressionError": ".cache",
    "UNMASKED": "._masked",
    "ValidationCache": ".cache",
    "ValidatorBuildError": ".cache",
    "compile_validator": ".cache",
    "forget_phones": ".phones",
    "is_valid_card": ".cards",
    "is_valid_iban": ".ibans",
    "is_valid_phone": ".phones",
    "parse_card": ".cards",
    "parse_iban": ".ibans",
    "parse_phone": ".phones",
    "phone_metadata": ".phones",
    "register_type_name": ".cache",
    "registered_type_names": ".cache",
    "unregister_type_name": ".cache",
}

# Not in __all__: a star import shall not need NumPy.
_EXPORTS |= dict.fromkeys(
    (
        "CARD_BRANDS",
        "IBAN_COUNTRIES",
        "ArrowResult",
        "card_brand",
        "iban_country",
        "iban_valid",
        "luhn_valid",
    ),
    ".columns",
)


def __getattr__(name: str) -> Any:
    module = _EXPORTS.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(module, __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
