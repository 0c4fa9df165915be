"""The transformers under the name that foobara_py's roadmap gives them."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .hashing import HashTransformer
    from .html import SanitizeHTMLTransformer
    from .words import CapitalizeTransformer

__all__ = ["CapitalizeTransformer", "HashTransformer", "SanitizeHTMLTransformer"]

_EXPORTS = {
    "CapitalizeTransformer": ".words",
    "HashTransformer": ".hashing",
    "SanitizeHTMLTransformer": ".html",
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
