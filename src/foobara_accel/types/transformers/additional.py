"""The transformers under the name that foobara_py's roadmap gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..._lazy import lazily

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

__getattr__, __dir__ = lazily(globals(), _EXPORTS)
