"""Transformers: each returns a changed value, or raises; imported at first use (PEP 562)."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .hashing import HashTransformer
    from .html import SanitizedHTML, SanitizeHTMLTransformer
    from .passwords import HashedPassword, PasswordRules
    from .words import CapitalizeTransformer

__all__ = [
    "CapitalizeTransformer",
    "HashTransformer",
    "HashedPassword",
    "PasswordRules",
    "SanitizeHTMLTransformer",
    "SanitizedHTML",
]

_EXPORTS = {
    "CapitalizeTransformer": ".words",
    "HashTransformer": ".hashing",
    "HashedPassword": ".passwords",
    "PasswordRules": ".passwords",
    "SanitizeHTMLTransformer": ".html",
    "SanitizedHTML": ".html",
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
