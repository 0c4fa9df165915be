"""What the twins, and the types beside them, do with a text first."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["capitalized", "text_of"]

_word = re.compile(r"\S+").sub


def text_of(value: Any, name: str) -> str:
    """Return *value* as a plain str. Raises TypeError that names the function *name* for anything else."""
    if type(value) is str:
        return value
    # Not isinstance: an object may claim another __class__.
    if not issubclass(type(value), str):
        raise TypeError(f"{name}() takes a str, not {type(value).__name__}")
    return str.__str__(value)


def capitalized(text: str) -> str:
    """Return *text*, a plain str, with each word as ``str.capitalize`` writes it; white space stays."""
    # Of white space only U+0020 is printable; splitting at it takes half of the time.
    if text.isprintable():
        return " ".join([word.capitalize() for word in text.split(" ")])
    return _word(_capital, text)


def _capital(found: re.Match[str]) -> str:
    return found[0].capitalize()
