"""Phone numbers as "+" and digits, in Python. Twin of foobara_accel._ext.phone.

The verdict of such a text is a walk through a table of the numbering plans (_phone_table.py); any other text
goes to the judge, which is phonenumbers. Table and judge are given by types.phones at the first call.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection
from operator import length_hint
from typing import Any

from ._texts import text_of

__all__ = ["bind", "examine", "is_valid_phone", "known_region", "use"]

# What examine answers when there is no number; 2 and more say which kind of number it is.
UNASSIGNED, NO_CODE, VALID, OTHER, TOO_SHORT, TOO_LONG = 0, 1, 2, -1, -2, -3

_LONGEST = 250  # phonenumbers parses nothing longer
_TERMINAL, _JUDGE = 0x8000, 0xFFFF

_prepare: Callable[[], None] | None = None
_judge: Callable[[str, str | None], bool] | None = None
_regions: Collection[str] | None = None
# Verdicts (None: the judge decides), before which row a number may end, details.
_table: tuple[array[int] | None, int, array[int]] = (None, 0, array("H"))


def bind(prepare: Callable[[], None], judge: Callable[[str, str | None], bool]) -> None:
    """Set what is called before the first verdict, to call :func:`use`, and what judges any other text."""
    global _prepare, _judge
    _prepare, _judge = prepare, judge


def use(regions: Collection[str], verdicts: bytes, valid: int, details: bytes) -> None:
    """Set the known regions and the tables, in native byte order; without rows, the judge decides."""
    global _regions, _table
    # Entries stand 48 places on, so that the code of a digit finds them.
    rows = array("H", bytes(96) + verdicts) if verdicts else None
    _table = rows, valid, array("H", details)
    _regions = frozenset(regions)


def is_valid_phone(value: str, /, region: str | None = None) -> bool:
    """Return what libphonenumber says: a valid number of its region, in any form that parse reads.

    *region* (ISO 3166-1 alpha-2, such as "US") is where a number without "+" is dialled from. Raises
    TypeError for anything but a str, ValueError for an unknown region, ImportError where phonenumbers is
    needed and missing: for any other form than "+" and digits.
    """
    if type(value) is not str:
        value = text_of(value, "is_valid_phone")
    if region is not None or _regions is None:
        region = known_region(region, "is_valid_phone")
    verdict = _walk(_table, value)
    if verdict == OTHER or (verdict == NO_CODE and region is not None):
        if len(value) > _LONGEST:
            return False
        assert _judge is not None
        return _judge(value, region)
    return verdict > NO_CODE


def examine(text: str, /) -> int:
    """Return the kind of a valid number (2 and more), or why there is none.

    0: no number begins so; 1: no such calling code; -1: not "+" and 1 to 249 digits, or without a table;
    -2: too short; -3: too long.
    """
    if type(text) is not str:
        text = text_of(text, "examine")
    if _regions is None:
        known_region(None, "examine")
    table = _table
    verdict = _walk(table, text)
    if verdict <= NO_CODE:
        return verdict
    rows = table[2]
    at = 0
    for code in text.encode()[1:]:
        at = rows[11 * at + code - 48]
        if at & _TERMINAL:
            return at & ~_TERMINAL
    return rows[11 * at + 10]


def known_region(region: Any, name: str, /) -> str | None:
    """Return *region* as a plain str, or None; TypeError or ValueError that names *name* for any other.

    Errors never show it: swapped arguments would put a number there.
    """
    if _regions is None:
        if _prepare is None:
            raise RuntimeError("import foobara_accel.types.phones first")
        _prepare()
        assert _regions is not None
    if region is None:
        return None
    if not issubclass(type(region), str):
        raise TypeError(f"{name}() takes a region as str or None, not {type(region).__name__}")
    plain = str.__str__(region)
    if plain not in _regions:
        raise ValueError(
            f"{name}() does not know this region: give two capital letters (ISO 3166-1 alpha-2), such as 'US'"
        )
    return plain


def _walk(table: tuple[array[int] | None, int, array[int]], text: str) -> int:
    """What :func:`examine` answers; 2 for any valid number."""
    rows, valid, _ = table
    size = len(text)
    if rows is None or size > _LONGEST or text[:1] != "+" or not (text.isascii() and text[1:].isdigit()):
        return OTHER
    if size < 4:
        return TOO_SHORT
    at = 1
    digits = iter(text.encode())
    next(digits)
    for code in digits:
        at = rows[10 * at + code]
        if at >= _TERMINAL:
            left = length_hint(digits)
            # Bit n: n more digits make a valid number.
            return (
                VALID if at != _JUDGE and at & ~_TERMINAL & 1 << left else _why(rows, valid, text, at, left)
            )
    return VALID if 1 < at < valid else TOO_SHORT if at else NO_CODE


def _why(rows: array[int], valid: int, text: str, at: int, left: int) -> int:
    """What is wrong with a text whose walk ends before it."""
    mask = at & ~_TERMINAL
    if at == _JUDGE:
        return OTHER
    if mask >> left:
        return TOO_SHORT
    if mask:
        return TOO_LONG
    at = 1
    for code in text[1 : len(text) - left - 1].encode():
        at = rows[10 * at + code]
        if 1 < at < valid:
            return TOO_LONG
    return UNASSIGNED


is_valid_phone.__module__ = "foobara_accel.types"
