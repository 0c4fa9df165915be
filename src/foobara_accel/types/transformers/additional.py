"""The transformers under the name that foobara_py's roadmap gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..._lazy import exported

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
    return exported(name, globals(), _EXPORTS)


def __dir__() -> list[str]:
    return sorted(__all__)
