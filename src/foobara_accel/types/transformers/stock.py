"""The stock transformers: values brought into their normal form."""

from __future__ import annotations

import re
from typing import Any, TypeVar

from ..processors import Transformer

__all__ = [
    "ClampTransformer",
    "DefaultTransformer",
    "LowercaseTransformer",
    "NormalizeWhitespaceTransformer",
    "RoundTransformer",
    "SlugifyTransformer",
    "StripWhitespaceTransformer",
    "TitleCaseTransformer",
    "Transformer",
    "TruncateTransformer",
    "UppercaseTransformer",
]

T = TypeVar("T")


def _no_text(processor: Transformer[Any], value: Any) -> TypeError:
    return TypeError(f"{type(processor).__name__} takes a str, not {type(value).__name__}")


class StripWhitespaceTransformer(Transformer[str]):
    """Takes the white space off both ends of a text."""

    __slots__ = ()

    def process(self, value: str) -> str:
        """Return the text without it."""
        try:
            return value.strip()
        except AttributeError:
            raise _no_text(self, value) from None


class LowercaseTransformer(Transformer[str]):
    """Writes a text in small letters."""

    __slots__ = ()

    def process(self, value: str) -> str:
        """Return the text in small letters."""
        try:
            return value.lower()
        except AttributeError:
            raise _no_text(self, value) from None


class UppercaseTransformer(Transformer[str]):
    """Writes a text in capitals."""

    __slots__ = ()

    def process(self, value: str) -> str:
        """Return the text in capitals."""
        try:
            return value.upper()
        except AttributeError:
            raise _no_text(self, value) from None


class TitleCaseTransformer(Transformer[str]):
    """Writes each word with a capital, as ``str.title`` does: a letter after anything but a letter."""

    __slots__ = ()

    def process(self, value: str) -> str:
        """Return the text with capitals."""
        try:
            return value.title()
        except AttributeError:
            raise _no_text(self, value) from None


class RoundTransformer(Transformer[Any]):
    """Rounds a number to *decimal_places*, half to even."""

    __slots__ = ("decimal_places",)

    decimal_places: int

    def __init__(self, decimal_places: int = 2) -> None:
        if not isinstance(decimal_places, int) or isinstance(decimal_places, bool):
            raise TypeError(f"decimal_places must be an int, not {type(decimal_places).__name__}")
        self.decimal_places = decimal_places

    def process(self, value: Any) -> Any:
        """Return the rounded number; ValueError where there is none, as of a Decimal of too many digits."""
        try:
            return round(value, self.decimal_places)
        except ArithmeticError:  # a Decimal with more digits than its context has, a float beyond its range
            raise ValueError(f"the number cannot be rounded to {self.decimal_places} places") from None


class ClampTransformer(Transformer[Any]):
    """Moves a number that is below *min_value* or above *max_value* to that bound."""

    __slots__ = ("max_value", "min_value")

    min_value: Any
    max_value: Any

    def __init__(self, min_value: Any, max_value: Any) -> None:
        if min_value > max_value:
            raise ValueError(f"min_value={min_value!r} must not be above max_value={max_value!r}")
        self.min_value = min_value
        self.max_value = max_value

    def process(self, value: Any) -> Any:
        """Return the number, or the bound that is nearest to it; ValueError for NaN."""
        try:
            number = bool(value == value)
        except ArithmeticError:  # a Decimal that is a signalling NaN
            number = False
        if not number:
            raise ValueError("the value is not a number (NaN)")
        return max(self.min_value, min(value, self.max_value))


class DefaultTransformer(Transformer[T]):
    """Puts *default* in the place of None and, with *replace_empty*, of anything that is false."""

    __slots__ = ("default", "replace_empty")

    default: T
    replace_empty: bool

    def __init__(self, default: T, replace_empty: bool = True) -> None:
        self.default = default
        self.replace_empty = replace_empty

    def process(self, value: T | None) -> T:
        """Return the value, or the default."""
        if value is None or (self.replace_empty and not value):
            return self.default
        return value


class TruncateTransformer(Transformer[str]):
    """Cuts a text to *max_length* characters, the last of which are *suffix*."""

    __slots__ = ("max_length", "suffix")

    max_length: int
    suffix: str

    def __init__(self, max_length: int, suffix: str = "...") -> None:
        if not isinstance(max_length, int) or isinstance(max_length, bool):
            raise TypeError(f"max_length must be an int, not {type(max_length).__name__}")
        if max_length < 0:
            raise ValueError(f"max_length must not be below 0, and is {max_length}")
        self.max_length = max_length
        self.suffix = suffix

    def process(self, value: str) -> str:
        """Return the text, cut where it is too long; never longer than *max_length*."""
        if len(value) <= self.max_length:
            return value
        kept = self.max_length - len(self.suffix)
        return value[:kept] + self.suffix if kept >= 0 else self.suffix[: self.max_length]


class SlugifyTransformer(Transformer[str]):
    """Writes a text as a part of a URL: small letters, digits and underscores, and hyphens between them."""

    __slots__ = ()

    def process(self, value: str) -> str:
        """Return the slug; empty where the text has none of these."""
        try:
            words = re.sub(r"[^\w\s-]", "", value.strip().lower())
        except AttributeError:
            raise _no_text(self, value) from None
        return re.sub(r"[-\s]+", "-", words).strip("-")


class NormalizeWhitespaceTransformer(Transformer[str]):
    """Writes every run of white space as one space, and none at the ends."""

    __slots__ = ()

    def process(self, value: str) -> str:
        """Return the text so written."""
        try:
            return " ".join(value.split())
        except AttributeError:
            raise _no_text(self, value) from None
