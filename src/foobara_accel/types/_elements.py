"""Errors of elements: where in a list or dict a value was refused."""

from __future__ import annotations

from typing import Any

__all__ = ["ElementError", "ElementTypeError", "ElementValueError", "locate"]

# What is shown of a key: nothing that may be a number of a card, an account or a phone.
_KEY_SIZE, _KEY_DIGITS = 64, 6


class ElementError(Exception):
    """What both errors of elements are: *path* leads to the value, *reason* says why it was refused.

    An entry of the path is the index of an element or the key of a value; of a key that was refused or is
    sensitive it is its position in the dict. The text shows keys that are short and have few digits.
    """

    path: tuple[Any, ...]
    reason: str
    where: str

    def __init__(self, path: tuple[Any, ...], reason: str, where: str) -> None:
        super().__init__(f"{where}: {reason}")
        self.path = path
        self.reason = reason
        self.where = where

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.path, self.reason, self.where)


class ElementValueError(ElementError, ValueError):
    """An element, a key or a value was refused with a ValueError, which is the cause."""


class ElementTypeError(ElementError, TypeError):
    """An element, a key or a value was refused with a TypeError, which is the cause."""


def locate(error: BaseException, what: str, position: int, key: Any, of: Any = None) -> BaseException:
    """Return the exception to raise for *error* of an element, a key or a value of what the type *of* takes.

    Anything but a ValueError and a TypeError is returned as it is. A key that is sensitive is told by its
    position.
    """
    if not isinstance(error, (ValueError, TypeError)):
        return error
    if what == "value" and not getattr(of.key_type, "__foobara_sensitive__", False):
        entry, where = key, f"the value of {key!r}" if is_shown(key) else f"value {position}"
    else:
        entry, where = position, f"{what} {position}"
    if isinstance(error, ElementError):
        outer = type(error)((entry, *error.path), error.reason, f"{where}, {error.where}")
        outer.__cause__ = error.__cause__
        return outer
    kind = ElementValueError if isinstance(error, ValueError) else ElementTypeError
    made = kind((entry,), str(error), where)
    made.__cause__ = error
    return made


def is_shown(key: object) -> bool:
    if type(key) is int:
        return abs(key) < int(10**_KEY_DIGITS)
    return (
        type(key) is str
        and len(key) <= _KEY_SIZE
        and sum(character.isdigit() for character in key) <= _KEY_DIGITS
    )
