"""Verdicts of whole columns with NumPy. Twin of foobara_accel._ext.columns.

Each function judges rows of one memory layout and writes one int8 per row to *out*: 1 or 0 for the kinds
CARDS and IBANS, a code or -1 for BRANDS and COUNTRIES, NULL_ROW for None. What the buffers hold is not
believed: a row that is out of bounds is BAD_VIEW or the number that the function returns.

Every layout comes down to the same thing: one flat array of bytes, where each row starts in it, how long it
is. The rows of a length that can be right are gathered to a matrix, one line per place, and judged a line at
a time.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from .._arrow import export
from . import checks
from ._iban_table import COUNTRIES as STRUCTURES, LISTED_ONLY, TERRITORIES

__all__ = [
    "BAD_VIEW",
    "BRANDS",
    "CARDS",
    "COUNTRIES",
    "IBANS",
    "NULL_ROW",
    "export",
    "fixed",
    "kernel",
    "objects",
    "offsets",
    "views",
    "wide",
]

CARDS, IBANS, BRANDS, COUNTRIES = range(4)
NULL_ROW, BAD_VIEW = -2, -3

_BLOCK = 8192  # rows whose matrix the second cache holds
_CARD_MIN, _CARD_MAX, _IBAN_MAX = 12, 19, 34
_BEYOND = 0x80  # stands for any character that is no ASCII

Array = np.ndarray[Any, np.dtype[Any]]
#: By four digits a brand or NULL_ROW, where eight begin, what they are, the lengths of a brand as bits.
Brands = tuple[Array, Array, Array, Array]

# What a digit adds to the Luhn sum when it is doubled.
_DOUBLED = np.array([0, 2, 4, 6, 8, 1, 3, 5, 7, 9], np.uint8)


def kernel() -> str:
    """Return what judges the rows: numpy."""
    return "numpy"


def fixed(kind: int, rows: Array, out: Array, lenient: bool, brands: Brands | None) -> None:
    """Judge a one-dimensional array of a fixed number of bytes per row, NUL after the last."""
    width = rows.dtype.itemsize
    for start in range(0, len(rows), _BLOCK):
        block = np.ascontiguousarray(rows[start : start + _BLOCK])
        flat = block.view(np.uint8) if width else np.zeros(0, np.uint8)
        _judge_padded(kind, flat, len(block), width, out[start : start + _BLOCK], lenient, brands)


def wide(kind: int, rows: Array, swapped: bool, out: Array, lenient: bool, brands: Brands | None) -> None:
    """Judge a one-dimensional array of a fixed number of UCS-4 characters per row, NUL after the last."""
    width = rows.dtype.itemsize // 4
    for start in range(0, len(rows), _BLOCK):
        block = np.ascontiguousarray(rows[start : start + _BLOCK])
        codes = block.view(np.uint32) if width else np.zeros(0, np.uint32)
        if swapped:
            codes = codes.byteswap()
        flat = np.minimum(codes, _BEYOND).astype(np.uint8)
        _judge_padded(kind, flat, len(block), width, out[start : start + _BLOCK], lenient, brands)


def offsets(kind: int, ends: Array, text: Array, out: Array, lenient: bool, brands: Brands | None) -> int:
    """Judge rows of *text* between each two of *ends*, int32 or int64; returns the first row whose offsets
    are negative, decreasing or beyond the text, -1 for none."""
    starts, ends = ends[:-1], ends[1:]
    wrong = (starts < 0) | (ends < starts) | (ends > len(text))
    if wrong.any():
        return int(np.argmax(wrong))
    _judge(kind, text, starts, ends - starts, out, lenient, brands)
    return -1


def views(
    kind: int, rows: Array, buffers: Sequence[Array], out: Array, lenient: bool, brands: Brands | None
) -> None:
    """Judge Arrow views: 16 bytes each, the text in them or in one of *buffers*."""
    flat = np.ascontiguousarray(rows).view(np.uint8)
    words = flat.view(np.int32).reshape(-1, 4)
    lengths, which, starts = words[:, 0], words[:, 2], words[:, 3].astype(np.int64)
    inside = (lengths >= 0) & (lengths <= 12)
    at = np.flatnonzero(inside)
    _judge_some(kind, flat, at, 16 * at + 4, lengths, out, lenient, brands)
    out[~inside] = BAD_VIEW
    for number, text in enumerate(buffers):
        mine = (lengths > 12) & (which == number) & (starts >= 0) & (starts + lengths <= len(text))
        at = np.flatnonzero(mine)
        _judge_some(kind, text, at, starts[at], lengths, out, lenient, brands)


def objects(kind: int, values: tuple[Any, ...], out: Array, lenient: bool, brands: Brands | None) -> int:
    """Judge a tuple of str and None; returns the first row that is neither, -1 for none."""
    for start in range(0, len(values), _BLOCK):
        block = values[start : start + _BLOCK]
        nulls = []
        if {*map(type, block)} != {str}:
            texts = []
            for at, value in enumerate(block):
                if value is None:
                    nulls.append(at)
                elif not issubclass(type(value), str):
                    return start + at
                texts.append("" if value is None else str.__str__(value))
        else:
            texts = list(block)
        lengths = np.fromiter(map(len, texts), np.int64, len(texts))
        # "replace" writes one character for one, and it is in no card and no IBAN.
        text = np.frombuffer("".join(texts).encode("ascii", "replace"), np.uint8)
        part = out[start : start + _BLOCK]
        _judge(kind, text, np.cumsum(lengths) - lengths, lengths, part, lenient, brands)
        part[nulls] = NULL_ROW
    return -1


def _judge_padded(
    kind: int, flat: Array, count: int, width: int, out: Array, lenient: bool, brands: Brands | None
) -> None:
    lengths = np.zeros(count, np.int64)
    if width:
        filled = flat.reshape(count, width)[:, ::-1] != 0
        lengths = np.where(filled.any(axis=1), width - filled.argmax(axis=1), 0)
    _judge(kind, flat, np.arange(count) * width, lengths, out, lenient, brands)


def _judge_some(
    kind: int,
    flat: Array,
    at: Array,
    starts: Array,
    lengths: Array,
    out: Array,
    lenient: bool,
    brands: Brands | None,
) -> None:
    # The rows `at` alone, of which `starts` are.
    if len(at):
        answers = np.empty(len(at), np.int8)
        _judge(kind, flat, starts, lengths[at], answers, lenient, brands)
        out[at] = answers


def _judge(
    kind: int, flat: Array, starts: Array, lengths: Array, out: Array, lenient: bool, brands: Brands | None
) -> None:
    for first in range(0, len(starts), _BLOCK):
        part = slice(first, first + _BLOCK)
        begin, size = starts[part].astype(np.int64), lengths[part].astype(np.int64)
        judge = _cards if kind in (CARDS, BRANDS) else _ibans
        answers = judge(kind, flat, begin, size, brands)
        if lenient:
            for row in np.flatnonzero(answers == (0 if kind in (CARDS, IBANS) else -1)):
                text = flat[begin[row] : begin[row] + size[row]].tobytes()
                if text.isascii():
                    answers[row] = _shown(kind, text.decode(), brands)
        out[part] = answers


def _shown(kind: int, text: str, brands: Brands | None) -> int:
    # The answer for the display form.
    card = kind in (CARDS, BRANDS)
    canonical, rule = (checks.parse_card if card else checks.parse_iban)(text, lenient=True)
    if kind in (CARDS, IBANS):
        return int(not rule)
    if rule:
        return -1
    if kind == COUNTRIES:
        return int(_prefixes()[ord(canonical[0]) << 8 | ord(canonical[1])])
    assert brands is not None
    return int(_brand(brands, np.array([int(canonical[:8])]), np.array([len(canonical)]))[0])


def _lines(flat: Array, at: Array, places: Array, within: Array) -> Array:
    """The characters at *places* from *at*, a line per place; 0 where not *within*."""
    where = np.where(within, at + places[:, None], 0)
    return np.where(within, flat.take(where), 0).astype(np.uint8)


def _cards(kind: int, flat: Array, starts: Array, lengths: Array, brands: Brands | None) -> Array:
    answers = np.full(len(starts), -1 if kind == BRANDS else 0, np.int8)
    rows = np.flatnonzero((lengths >= _CARD_MIN) & (lengths <= _CARD_MAX))
    if not len(rows):
        return answers
    size = lengths[rows]
    places = np.arange(_CARD_MAX)
    # Aligned to the right: the last digit stands in the last line, so doubled lines are always the same.
    within = places[:, None] >= _CARD_MAX - size
    values = _lines(flat, starts[rows] + size - _CARD_MAX, places, within)
    values = np.where(within, values - np.uint8(48), 0).astype(np.uint8)
    digits = (values <= 9).all(axis=0)
    values = np.minimum(values, 9)
    total = values[::2].sum(axis=0, dtype=np.uint16) + _DOUBLED[values[1::2]].sum(axis=0, dtype=np.uint16)
    right = digits & (total % 10 == 0)
    if kind == CARDS:
        answers[rows] = right
        return answers
    assert brands is not None
    rows, size, values = rows[right], size[right], values[:, right]
    number = np.zeros(len(rows), np.int64)
    for place in range(8):
        number = number * 10 + values[_CARD_MAX - size + place, np.arange(len(rows))]
    answers[rows] = _brand(brands, number, size)
    return answers


def _brand(brands: Brands, number: Array, lengths: Array) -> Array:
    four, starts, codes, allowed = brands
    found = four[number // 10_000]
    found = np.where(found == NULL_ROW, codes[np.searchsorted(starts, number, "right") - 1], found)
    fits = allowed[found] >> lengths.astype(np.uint32) & 1
    return np.where((found >= 0) & (fits != 0), found, -1)


@functools.cache
def _prefixes() -> Array:
    """Rank of each prefix among all, -1 for none, by both letters."""
    found = np.full(1 << 16, -1, np.int8)
    for rank, code in enumerate(sorted([*STRUCTURES, *TERRITORIES])):
        found[ord(code[0]) << 8 | ord(code[1])] = rank
    return found


@functools.cache
def _structures() -> tuple[Array, Array, Array]:
    """By rank: the length (0: of the display form alone), and by place and rank the class and the two digits
    of the prefix."""
    codes = sorted([*STRUCTURES, *TERRITORIES])
    lengths = np.zeros(len(codes) + 1, np.int64)
    classes = np.zeros((_IBAN_MAX, len(codes) + 1), np.uint8)
    heads = np.zeros(len(codes) + 1, np.int64)
    for rank, code in enumerate(codes):
        if code in LISTED_ONLY:
            continue
        text = "nn" + checks._classes(code)
        lengths[rank] = len(text) + 2
        heads[rank] = int(code[0], 36) * 100 + int(code[1], 36)
        for place, kind in enumerate(text, 2):
            classes[place, rank] = {"n": 1, "a": 2, "c": 4}[kind]
    return lengths, classes, heads


@functools.cache
def _characters() -> tuple[Array, Array, Array]:
    """Of each byte: the classes that it is of as bits, its number, what it multiplies the rest by."""
    classes, numbers, factors = np.zeros(256, np.uint8), np.zeros(256, np.int64), np.ones(256, np.int64)
    for char in "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ":
        classes[ord(char)] = 1 | 4 if char.isdigit() else 2 | 4 if char.isupper() else 4
        numbers[ord(char)] = int(char, 36)
        factors[ord(char)] = 10 if char.isdigit() else 100
    return classes, numbers, factors


def _ibans(kind: int, flat: Array, starts: Array, lengths: Array, brands: Brands | None) -> Array:
    answers = np.full(len(starts), -1 if kind == COUNTRIES else 0, np.int8)
    sizes, structures, heads = _structures()
    rows = np.flatnonzero((lengths >= 15) & (lengths <= _IBAN_MAX))
    at = starts[rows]
    ranks = _prefixes()[flat.take(at).astype(np.int64) << 8 | flat.take(at + 1)]
    fits = (ranks >= 0) & (sizes[ranks] == lengths[rows])
    rows, ranks = rows[fits], ranks[fits]
    if not len(rows):
        return answers
    places = np.arange(_IBAN_MAX)
    within = places[:, None] < lengths[rows]
    text = _lines(flat, starts[rows], places, within)
    classes, numbers, factors = _characters()
    needed = structures[:, ranks]
    right = ((classes[text] & needed) == needed).all(axis=0)
    rows, ranks, text = rows[right], ranks[right], text[:, right]
    check = (text[2].astype(np.int64) - 48) * 10 + text[3] - 48
    rest = np.zeros(len(rows), np.int64)
    for place in range(4, int(lengths[rows].max(initial=4))):
        rest = rest * factors[text[place]] + numbers[text[place]]
        if place % 7 == 0:  # seven letters more: still below 2 ** 63
            rest %= 97
    right = ((rest % 97 * 1_000_000 + heads[ranks] * 100 + check) % 97 == 1) & (check >= 2) & (check <= 98)
    answers[rows[right]] = ranks[right] if kind == COUNTRIES else 1
    return answers
