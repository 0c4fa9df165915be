"""Transformers: each returns a changed value, or raises; imported at first use (PEP 562)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..._lazy import exported

if TYPE_CHECKING:
    from ..processors import Transformer
    from .hashing import HashTransformer
    from .html import SanitizedHTML, SanitizeHTMLTransformer
    from .passwords import HashedPassword, PasswordRules
    from .stock import (
        ClampTransformer,
        DefaultTransformer,
        LowercaseTransformer,
        NormalizeWhitespaceTransformer,
        RoundTransformer,
        SlugifyTransformer,
        StripWhitespaceTransformer,
        TitleCaseTransformer,
        TruncateTransformer,
        UppercaseTransformer,
    )
    from .words import CapitalizeTransformer

__all__ = [
    "CapitalizeTransformer",
    "ClampTransformer",
    "DefaultTransformer",
    "HashTransformer",
    "HashedPassword",
    "LowercaseTransformer",
    "NormalizeWhitespaceTransformer",
    "PasswordRules",
    "RoundTransformer",
    "SanitizeHTMLTransformer",
    "SanitizedHTML",
    "SlugifyTransformer",
    "StripWhitespaceTransformer",
    "TitleCaseTransformer",
    "Transformer",
    "TruncateTransformer",
    "UppercaseTransformer",
]

_EXPORTS = {
    "CapitalizeTransformer": ".words",
    "ClampTransformer": ".stock",
    "DefaultTransformer": ".stock",
    "HashTransformer": ".hashing",
    "HashedPassword": ".passwords",
    "LowercaseTransformer": ".stock",
    "NormalizeWhitespaceTransformer": ".stock",
    "PasswordRules": ".passwords",
    "RoundTransformer": ".stock",
    "SanitizeHTMLTransformer": ".html",
    "SanitizedHTML": ".html",
    "SlugifyTransformer": ".stock",
    "StripWhitespaceTransformer": ".stock",
    "TitleCaseTransformer": ".stock",
    "Transformer": "..processors",
    "TruncateTransformer": ".stock",
    "UppercaseTransformer": ".stock",
}


def __getattr__(name: str) -> Any:
    return exported(name, globals(), _EXPORTS)


def __dir__() -> list[str]:
    return sorted(__all__)
