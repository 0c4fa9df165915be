"""What a command class declares in its body: the errors it may answer with, and its lists of names."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

__all__ = ["errors_of", "names", "names_of", "own_errors"]


def own_errors(cls: type[Any]) -> dict[str, dict[str, Any]]:
    """Return symbol -> {symbol, message, context} of each error that *cls* itself declares.

    The message is the symbol where none is given. Raises TypeError for what declares none.
    """
    value = cls.__dict__.get("_possible_errors") or ()
    entries = value.values() if isinstance(value, Mapping) else value
    if isinstance(value, str) or not isinstance(entries, Collection):
        raise _no_error(cls, value)
    declared: dict[str, dict[str, Any]] = {}
    for each in entries:
        symbol, message, context = _entry(each, isinstance(value, Mapping))
        if not isinstance(symbol, str) or not isinstance(message, (str, type(None))):
            raise _no_error(cls, each)
        if not isinstance(context, (Mapping, type(None))):
            raise _no_error(cls, each)
        declared[symbol] = {"symbol": symbol, "message": message or symbol, "context": dict(context or {})}
    return declared


def _entry(each: Any, mapped: bool) -> tuple[Any, Any, Any]:
    if mapped and isinstance(each, Mapping) and {"symbol", "message"} <= each.keys():
        return each["symbol"], each["message"], each.get("context")
    if not mapped and isinstance(each, tuple) and len(each) >= 2:
        return each[0], each[1], None
    return None, None, None


def errors_of(cls: type[Any]) -> dict[str, dict[str, Any]]:
    """Return what ``own_errors`` does, of *cls* and its bases; the most derived one of a symbol wins."""
    found: dict[str, dict[str, Any]] = {}
    for base in reversed(cls.__mro__):
        found.update(own_errors(base))
    return found


def names_of(cls: type[Any], attribute: str) -> list[Any]:
    """Return the items of a class attribute that is a tuple of names, or another collection, or None."""
    return names(getattr(cls, attribute, None), f"{cls.__name__}.{attribute}")


def names(value: Any, what: str) -> list[Any]:
    """Return the items of *value*. Raises TypeError for a name that is in no tuple, and for no collection."""
    if value is None:
        return []
    if isinstance(value, str):
        # A string is a collection too, of its letters.
        raise TypeError(f"{what} is a tuple of names, not {value!r}: write ({value!r},)")
    if isinstance(value, (bytes, bytearray, Mapping)) or not isinstance(value, Collection):
        raise TypeError(f"{what} is a tuple of names, not {type(value).__name__}")
    return list(value)


def _no_error(cls: type[Any], value: object) -> TypeError:
    return TypeError(
        f"{cls.__name__}._possible_errors holds tuples (symbol, message), not {value!r}: "
        "possible_error(symbol, message) adds one"
    )
