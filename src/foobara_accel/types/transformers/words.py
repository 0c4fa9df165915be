"""CapitalizeTransformer: the first letter of each word."""

from __future__ import annotations

from dataclasses import dataclass

from ..._backend import checks
from ..._pure._texts import capitalized
from ..processors import Transformer

__all__ = ["CapitalizeTransformer"]


@dataclass(frozen=True)
class CapitalizeTransformer(Transformer[str]):
    """Capitalizes each word as ``str.capitalize`` does, and leaves what is between words as it is.

    A word is what white space ends: "they're" becomes "They're", "o'neill-smith" "O'neill-smith".
    """

    def process(self, value: str) -> str:
        """Return *value* with its words capitalized. Raises TypeError for anything but a str."""
        found: str | None = checks.capitalized_ascii(value)
        if found is not None:
            return found
        if not isinstance(value, str):
            raise TypeError(f"text to capitalize is a str, not {type(value).__name__}")
        return capitalized(str.__str__(value))  # a subclass may have a split of its own
