"""Verdicts of whole columns with NumPy. Twin of foobara_accel._ext.columns.

Each function judges rows of one memory layout and writes one int8 per row to *out*: 1 or 0 for the kinds
CARDS, IBANS and PHONES, a code or -1 for BRANDS and COUNTRIES, NULL_ROW for None, OTHER_ROW for a phone
number that the table does not decide. What the buffers hold is not
believed: a row that is out of bounds is BAD_VIEW or the number that the function returns.

Every layout comes down to the same thing: one flat array of bytes, where each row starts in it, how long it
is. The rows of a length that can be right are gathered as rows of one width, and judged eight characters to
a 64-bit word or by tables of all characters.
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
    "OTHER_ROW",
    "PHONES",
    "export",
    "fixed",
    "kernel",
    "objects",
    "offsets",
    "views",
    "wide",
]

CARDS, IBANS, BRANDS, COUNTRIES, PHONES = range(5)
NULL_ROW, BAD_VIEW, OTHER_ROW = -2, -3, -4

_BLOCK = 8192  # rows whose matrix the second cache holds
_CARD_MIN, _CARD_MAX, _IBAN_MAX = 12, 19, 34
_BEYOND = 0x80  # stands for any character that is no ASCII
_WIDTH = 40  # an IBAN in whole words
_AROUND = np.zeros(_WIDTH, np.uint8)

Array = np.ndarray[Any, np.dtype[Any]]
#: By four digits a brand or NULL_ROW, where eight begin, what they are, the lengths of a brand as bits.
Brands = tuple[Array, Array, Array, Array]
#: Verdicts of the phone table as bytes, before which row a number may end, whether a region is dialled from.
Phones = tuple[bytes, int, bool]
Given = Brands | Phones | None


def kernel() -> str:
    """Return what judges the rows: numpy."""
    return "numpy"


def fixed(kind: int, rows: Array, out: Array, lenient: bool, given: Given) -> None:
    """Judge a one-dimensional array of a fixed number of bytes per row, NUL after the last."""
    width = rows.dtype.itemsize
    for start in range(0, len(rows), _BLOCK):
        block = np.ascontiguousarray(rows[start : start + _BLOCK])
        flat = block.view(np.uint8) if width else np.zeros(0, np.uint8)
        _judge_padded(kind, flat, len(block), width, out[start : start + _BLOCK], lenient, given)


def wide(kind: int, rows: Array, swapped: bool, out: Array, lenient: bool, given: Given) -> None:
    """Judge a one-dimensional array of a fixed number of UCS-4 characters per row, NUL after the last."""
    width = rows.dtype.itemsize // 4
    for start in range(0, len(rows), _BLOCK):
        block = np.ascontiguousarray(rows[start : start + _BLOCK])
        codes = block.view(np.uint32) if width else np.zeros(0, np.uint32)
        if swapped:
            codes = codes.byteswap()
        flat = np.minimum(codes, _BEYOND).astype(np.uint8)
        _judge_padded(kind, flat, len(block), width, out[start : start + _BLOCK], lenient, given)


def offsets(kind: int, ends: Array, text: Array, out: Array, lenient: bool, given: Given) -> int:
    """Judge rows of *text* between each two of *ends*, int32 or int64; returns the first row whose offsets
    are negative, decreasing or beyond the text, -1 for none."""
    starts, ends = ends[:-1], ends[1:]
    wrong = (starts < 0) | (ends < starts) | (ends > len(text))
    if wrong.any():
        return int(np.argmax(wrong))
    for first in range(0, len(starts), _BLOCK):
        begin = starts[first : first + _BLOCK].astype(np.int64)
        end = ends[first : first + _BLOCK].astype(np.int64)
        part = text[begin[0] : end[-1]]
        _judge(kind, part, begin - begin[0], end - begin, out[first : first + _BLOCK], lenient, given)
    return -1


def views(kind: int, rows: Array, buffers: Sequence[Array], out: Array, lenient: bool, given: Given) -> None:
    """Judge Arrow views: 16 bytes each, the text in them or in one of *buffers*."""
    flat = np.ascontiguousarray(rows).view(np.uint8)
    words = flat.view(np.int32).reshape(-1, 4)
    lengths, which, starts = words[:, 0], words[:, 2], words[:, 3].astype(np.int64)
    inside = (lengths >= 0) & (lengths <= 12)
    at = np.flatnonzero(inside)
    _judge_some(kind, flat, at, 16 * at + 4, lengths, out, lenient, given)
    out[~inside] = BAD_VIEW
    # In the order of their buffers, of which there may be one for every few thousand rows.
    far = np.flatnonzero(lengths > 12)
    far = far[np.argsort(which[far], kind="stable")]
    ends = np.searchsorted(which[far], np.arange(len(buffers) + 1))
    for number, text in enumerate(buffers):
        at = far[ends[number] : ends[number + 1]]
        at = at[(starts[at] >= 0) & (starts[at] + lengths[at] <= len(text))]
        _judge_some(kind, text, at, starts[at], lengths, out, lenient, given)


def objects(kind: int, values: tuple[Any, ...], out: Array, lenient: bool, given: Given) -> int:
    """Judge a tuple of str and None; returns the first row that is neither, -1 for none."""
    for start in range(0, len(values), _BLOCK):
        block: Sequence[Any] = values[start : start + _BLOCK]
        nulls: Any = []
        # The pieces are found by what joins them: no Python is run per value (benchmarks/columns.py).
        try:
            joined = "\0".join(block)
        except TypeError:
            wrong = (
                at for at, value in enumerate(block) if not (value is None or issubclass(type(value), str))
            )
            bad = next(wrong, -1)
            if bad >= 0:
                return start + bad
            nulls = np.flatnonzero([value is None for value in block])
            block = ["" if value is None else value for value in block]
            joined = "\0".join(block)
        # "replace" writes one character for one, and it is in no card, no IBAN, no phone number.
        text = np.frombuffer(f"{joined}\0".encode("ascii", "replace"), np.uint8)
        ends = np.flatnonzero(text == 0)
        if len(ends) != len(block):  # a value has a NUL
            ends = np.cumsum(np.fromiter(map(str.__len__, block), np.int64, len(block)) + 1) - 1
        starts = np.concatenate([[0], ends[:-1] + 1])
        part = out[start : start + _BLOCK]
        _judge(kind, text, starts, ends - starts, part, lenient, given)
        part[nulls] = NULL_ROW
    return -1


def _judge_padded(
    kind: int, flat: Array, count: int, width: int, out: Array, lenient: bool, given: Given
) -> None:
    lengths = np.zeros(count, np.int64)
    if width:
        lengths = np.strings.str_len(flat.view(f"S{width}"))
    _judge(kind, flat, np.arange(count) * width, lengths, out, lenient, given)


def _judge_some(
    kind: int,
    flat: Array,
    at: Array,
    starts: Array,
    lengths: Array,
    out: Array,
    lenient: bool,
    given: Given,
) -> None:
    # The rows `at` alone, of which `starts` are.
    if len(at):
        answers = np.empty(len(at), np.int8)
        _judge(kind, flat, starts, lengths[at], answers, lenient, given)
        out[at] = answers


def _judge(
    kind: int, flat: Array, starts: Array, lengths: Array, out: Array, lenient: bool, given: Given
) -> None:
    # So that a row may be read with what stands before and after it.
    flat = np.concatenate([_AROUND, flat, _AROUND])
    judge = _phones if kind == PHONES else _cards if kind in (CARDS, BRANDS) else _ibans
    for first in range(0, len(starts), _BLOCK):
        part = slice(first, first + _BLOCK)
        begin, size = starts[part].astype(np.int64) + len(_AROUND), lengths[part].astype(np.int64)
        answers = judge(kind, flat, begin, size, given)
        if lenient:
            for row in np.flatnonzero(answers == (0 if kind in (CARDS, IBANS) else -1)):
                text = flat[begin[row] : begin[row] + size[row]].tobytes()
                if text.isascii():
                    answers[row] = _shown(kind, text.decode(), given)
        out[part] = answers


def _shown(kind: int, text: str, given: Given) -> int:
    # The answer for the display form.
    card = kind in (CARDS, BRANDS)
    canonical, rule = (checks.parse_card if card else checks.parse_iban)(text, lenient=True)
    if kind in (CARDS, IBANS):
        return int(not rule)
    if rule:
        return -1
    if kind == COUNTRIES:
        return int(_prefixes()[ord(canonical[0]) << 8 | ord(canonical[1])])
    return int(_brand(given, np.array([int(canonical[:8])]), np.array([len(canonical)]))[0])


def _gathered(flat: Array, at: Array, width: int) -> Array:
    """*width* characters from each of *at* on."""
    windows = np.ndarray((len(flat) - width + 1,), f"V{width}", flat, 0, (1,))
    return windows[at].view(np.uint8).reshape(-1, width)


def _rows_of(matrix: Array, at: Array) -> Array:
    """The rows *at* of a contiguous matrix; faster than matrix[at]."""
    return matrix.take(at, 0)


def _each(byte: int) -> Any:
    return np.uint64(0x0101010101010101 * byte)


_EVEN = np.uint64(0x00FF00FF00FF00FF)
_ALL = 2**64 - 1
# Of 24 characters in three words the last n, at n.
_LAST = np.array(
    [[_ALL << max(0, min(64, 8 * (8 * (3 - at) - n))) & _ALL for at in range(3)] for n in range(20)],
    np.uint64,
)


def _cards(kind: int, flat: Array, starts: Array, lengths: Array, given: Given) -> Array:
    # As in kernels/checks.h: words are aligned to the end, so the doubled digits are always the even bytes.
    answers = np.full(len(starts), -1 if kind == BRANDS else 0, np.int8)
    rows = np.flatnonzero((lengths >= _CARD_MIN) & (lengths <= _CARD_MAX))
    size = lengths[rows]
    words = _gathered(flat, starts[rows] + size - 24, 24).view("<u8")
    values = (words ^ _each(0x30)) & _LAST.take(size, 0)
    wrong = ((values + _each(0x76)) | values) & _each(0x80)
    above_four = ((values + _each(0x7B)) >> np.uint64(7)) & _each(1)
    total = values + ((values + above_four) & _EVEN)
    total = total[:, 0] + total[:, 1] + total[:, 2]
    total = (total & _EVEN) + ((total >> np.uint64(8)) & _EVEN)
    total = (total * np.uint64(0x0001000100010001)) >> np.uint64(48)
    right = ((wrong[:, 0] | wrong[:, 1] | wrong[:, 2]) == 0) & (total % np.uint64(10) == 0)
    if kind == CARDS:
        answers[rows] = right
        return answers
    rows, size = rows[right], size[right]
    digits = _gathered(flat, starts[rows], 8).astype(np.int64) - 48
    answers[rows] = _brand(given, digits @ 10 ** np.arange(7, -1, -1), size)
    return answers


def _brand(given: Any, number: Array, lengths: Array) -> Array:
    four, starts, codes, allowed = given
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


# The code of a character: its number, and 64 for a letter of lower case; 128 for what is neither letter nor
# digit. Of each class of the registry the least code and how much a code may be above it.
_CODES = bytearray(b"\x80" * 256)
for _char in "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ":
    _CODES[ord(_char)] = int(_char, 36) + 64 * _char.islower()
_CLASSES = {"n": (0, 9), "a": (10, 25), "c": (0, 127)}


@functools.cache
def _structures() -> tuple[Array, Array, Array, Array, Array, Array]:
    """By rank: the length (0: of the display form alone), what the prefix writes before the check digits; by
    rank and place the least code, the span of codes, what a digit weighs, 1 where a letter may be as well."""
    # The matrices of a block are freed with it. glibc gives each above 128 kB back to the system at once, to
    # ask for it again in the next block, until more than that was freed in one piece: then the process keeps
    # up to twice as much, 8 MB. Done for the first column of IBANs, which takes three times as long without
    # it, and twice as long in blocks that stay below 128 kB (benchmarks/columns.py, pure iban).
    np.empty(4 << 20, np.uint8)
    codes = sorted([*STRUCTURES, *TERRITORIES])
    lengths, heads = np.zeros(len(codes) + 1, np.int64), np.zeros(len(codes) + 1, np.int64)
    least, spans, either = (np.zeros((len(codes) + 1, _WIDTH), np.uint8) for _ in range(3))
    spans[:] = 255
    weights = np.zeros((len(codes) + 1, _WIDTH), np.float32)
    for rank, code in enumerate(codes):
        if code in LISTED_ONLY:
            continue
        text = "nn" + checks._classes(code)
        lengths[rank] = len(text) + 2
        heads[rank] = (int(code[0], 36) * 100 + int(code[1], 36)) * 100
        power = 6
        for place in range(len(text) + 1, 3, -1):
            weights[rank, place] = pow(10, power, 97)
            power += 2 if text[place - 2] == "a" else 1
        weights[rank, 2:4] = 10, 1
        for place, kind in enumerate(text, 2):
            least[rank, place], spans[rank, place] = _CLASSES[kind]
            either[rank, place] = kind == "c"
    return lengths, heads, least, spans, weights, either


def _any(places: Array) -> Array:
    """Of each row of bytes whether one is not 0."""
    words = places.view(np.uint64)
    found: Array = functools.reduce(np.bitwise_or, (words[:, at] for at in range(words.shape[1]))) != 0
    return found


def _ibans(kind: int, flat: Array, starts: Array, lengths: Array, given: Given) -> Array:
    answers = np.full(len(starts), -1 if kind == COUNTRIES else 0, np.int8)
    sizes, heads, least, spans, weights, either = _structures()
    ranks = _prefixes()[flat[starts].astype(np.int64) << 8 | flat[starts + 1]]
    rows = np.flatnonzero((lengths >= 15) & (ranks >= 0) & (sizes[ranks] == lengths))
    ranks = ranks[rows].astype(np.int64)
    text = _gathered(flat, starts[rows], _WIDTH).tobytes()
    codes = np.frombuffer(text.translate(_CODES), np.uint8).reshape(-1, _WIDTH)
    above = codes - _rows_of(least, ranks)
    wrong = _any((above > _rows_of(spans, ranks)).view(np.uint8))
    values = codes & 63
    # Exact: below 97 * 63 * 34, and a float32 has all whole numbers up to 2 ** 24.
    rest = np.einsum("ij,ij->i", values.astype(np.float32), _rows_of(weights, ranks)).astype(np.int64)
    check = values[:, 2].astype(np.int64) * 10 + values[:, 3]
    # A letter where a digit may be counts as two: those rows are added up one place after the other.
    other = np.flatnonzero(_any((values > 9) & _rows_of(either, ranks)) & ~wrong)
    if len(other):
        within = spans[ranks[other]] != 255
        lines = np.where(within, values[other], 0).T.astype(np.int64)
        factors = np.where(within, np.where(values[other] > 9, 100, 10), 1).T.astype(np.int64)
        total = np.zeros(len(other), np.int64)
        for place in range(4, _IBAN_MAX):
            total = total * factors[place] + lines[place]
            if place % 7 == 0:  # seven letters more stay below 2 ** 63
                total %= 97
        rest[other] = total % 97 * 1_000_000 + check[other]
    # 97 divides what times its inverse modulo 2 ** 32 is no more than the greatest quotient.
    rest = ((rest + heads.take(ranks) - 1) * 1_594_008_481).astype(np.uint32)
    right = ~wrong & (rest <= 44_278_013) & (check >= 2) & (check <= 98)
    answers[rows[right]] = ranks[right] if kind == COUNTRIES else 1
    return answers


_PHONE_MIN, _PHONE_MAX, _PHONE_BYTES = 4, 17, 1000  # of more digits than E.164 has the scalar walk decides
_TERMINAL, _JUDGE = 0x8000, 0xFFFF
_END, _SYMBOLS = 10, 11  # after the digits: the end of the row
# Of 24 characters in three words those from the nth on, at n; the first alone.
_AFTER = np.array(
    [[_ALL << max(0, min(64, 8 * (n - 8 * at))) & _ALL for at in range(3)] for n in range(_PHONE_MAX + 1)],
    np.uint64,
)
_PLUS = np.array([0xFF, 0, 0], np.uint64)


@functools.lru_cache(4)
def _automaton(verdicts: bytes, valid: int) -> tuple[Array, Array]:
    """The table of kernels/phone.h with a step for every symbol from every row, also after a walk has ended.

    A step is the place of a row; by row the answer for a text that ends there.
    """
    rows = np.frombuffer(verdicts, np.uint16).reshape(-1, 10).astype(np.intp)
    masks = {int(entry) - _TERMINAL for entry in np.unique(rows[(rows >= _TERMINAL) & (rows != _JUDGE)])}
    masks = {mask >> digits for mask in masks for digits in range(16)} | {0}
    count = len(rows)
    place = {mask: count + at for at, mask in enumerate(sorted(masks))}
    judge = count + len(place)
    row_of = np.arange(2 * _TERMINAL)
    row_of[_JUDGE] = judge
    steps = np.empty((judge + 1, _SYMBOLS), np.intp)
    answers = np.zeros(judge + 1, np.int8)
    answers[2:valid], answers[judge] = 1, OTHER_ROW
    for mask, at in place.items():
        row_of[_TERMINAL + mask] = at
        steps[at], answers[at] = place[mask >> 1], mask & 1
    steps[:count, :_END] = row_of[rows]
    steps[judge] = judge
    steps[:, _END] = np.arange(judge + 1)
    return steps.ravel() * _SYMBOLS, answers


def _phones(kind: int, flat: Array, starts: Array, lengths: Array, given: Given) -> Array:
    assert given is not None and len(given) == 3
    verdicts, valid, dialled = given
    answers = np.where((lengths > 0) & (lengths <= _PHONE_BYTES), np.int8(OTHER_ROW), np.int8(0))
    rows = np.flatnonzero((lengths > 1) & (lengths <= _PHONE_MAX) & (flat[starts] == ord("+")))
    if not verdicts or not len(rows):
        return answers
    size = lengths[rows]
    after = _AFTER.take(size, 0)
    values = (_gathered(flat, starts[rows], 24).view("<u8") ^ _each(0x30)) & ~(after | _PLUS)
    other = _any((((values + _each(0x76)) | values) & _each(0x80)).view(np.uint8))
    values = (values | after & _each(_END)).astype("<u8", copy=False)
    values[other] = 0
    steps, ends = _automaton(verdicts, valid)
    at = np.full(len(rows), _SYMBOLS, np.intp)
    for column in values.view(np.uint8)[:, 1 : size.max()].T:
        at = steps.take(at + column)
    at //= _SYMBOLS
    found = ends.take(at)
    if dialled:
        found[at == 0] = OTHER_ROW
    found[size < _PHONE_MIN] = 0
    found[other] = OTHER_ROW
    answers[rows] = found
    return answers
