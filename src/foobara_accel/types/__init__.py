"""Validators of single values and the validator table; each name is imported at first use (PEP 562)."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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
    from .ibans import IBAN, REGISTRY_RELEASE, is_valid_iban, parse_iban

__all__ = [
    "IBAN",
    "REGISTRY_RELEASE",
    "CacheStatistics",
    "CardNumber",
    "TypeExpressionError",
    "ValidationCache",
    "ValidatorBuildError",
    "compile_validator",
    "is_valid_card",
    "is_valid_iban",
    "parse_card",
    "parse_iban",
    "register_type_name",
    "registered_type_names",
    "unregister_type_name",
]

_EXPORTS = {
    "REGISTRY_RELEASE": ".ibans",
    "CacheStatistics": ".cache",
    "CardNumber": ".cards",
    "IBAN": ".ibans",
    "TypeExpressionError": ".cache",
    "ValidationCache": ".cache",
    "ValidatorBuildError": ".cache",
    "compile_validator": ".cache",
    "is_valid_card": ".cards",
    "is_valid_iban": ".ibans",
    "parse_card": ".cards",
    "parse_iban": ".ibans",
    "register_type_name": ".cache",
    "registered_type_names": ".cache",
    "unregister_type_name": ".cache",
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
