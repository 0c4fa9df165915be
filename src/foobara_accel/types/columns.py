"""Card numbers and IBANs of a whole column: NumPy arrays, sequences of str, and anything that speaks Arrow.

Each row gets the verdict of :func:`is_valid_card` or :func:`is_valid_iban` on its text. Nothing is copied
where the rows lie in one buffer: NumPy ``S`` and ``U``, Arrow ``utf8``, ``large_utf8``, ``utf8_view`` and
dictionaries of these. Needs NumPy: ``pip install 'foobara-accel[columns]'``.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, overload

try:
    import numpy as np
except ModuleNotFoundError as _missing:
    if _missing.name != "numpy":
        raise
    raise ImportError("columns need NumPy: pip install 'foobara-accel[columns]'", name="numpy") from _missing

from .. import _arrow, _backend
from .._arrow import Chunk
from .._pure import _iban_table as table
from .._reports import kind_of
from . import cards

if TYPE_CHECKING:
    from .._pure import columns as twin
else:
    twin = _backend.columns

__all__ = [
    "CARD_BRANDS",
    "IBAN_COUNTRIES",
    "ArrowResult",
    "card_brand",
    "iban_country",
    "iban_valid",
    "luhn_valid",
]

Array = np.ndarray[Any, np.dtype[Any]]
Result = Literal["numpy", "arrow"]

#: What the codes of :func:`card_brand` stand for.
CARD_BRANDS: tuple[str, ...] = tuple(cards._BRANDS)
#: What the codes of :func:`iban_country` stand for: every prefix that an IBAN may have.
IBAN_COUNTRIES: tuple[str, ...] = tuple(sorted([*table.COUNTRIES, *table.TERRITORIES]))

# Fewer rows are judged before another thread has begun (benchmarks/columns.py, threads).
_PER_THREAD = 32_768


class ArrowResult:
    """A column of results with the Arrow PyCapsule interface: ``pyarrow.array`` and ``polars.Series`` take
    it."""

    __slots__ = ("_export", "_length")

    def __init__(self, length: int, export: Callable[[], tuple[object, object]]) -> None:
        self._length = length
        self._export = export

    def __len__(self) -> int:
        return self._length

    def __repr__(self) -> str:
        return f"<ArrowResult of {self._length} rows>"

    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[object, object]:
        """Return the schema and the array as capsules; no other schema can be requested."""
        return self._export()

    def __arrow_c_schema__(self) -> object:
        """Return the schema as a capsule."""
        return self._export()[0]


@overload
def luhn_valid(
    values: object,
    *,
    lenient: bool = False,
    out: Array | None = None,
    threads: int = 1,
    result: Literal["numpy"] = "numpy",
) -> Array: ...
@overload
def luhn_valid(
    values: object, *, lenient: bool = False, out: None = None, threads: int = 1, result: Literal["arrow"]
) -> ArrowResult: ...
def luhn_valid(
    values: object,
    *,
    lenient: bool = False,
    out: Array | None = None,
    threads: int = 1,
    result: Result = "numpy",
) -> Array | ArrowResult:
    """Return for each row whether it is 12 to 19 digits with a right Luhn sum (ISO/IEC 7812-1).

    *values*: a one-dimensional NumPy array of text (``S``, ``U``, StringDType, object), a sequence of str and
    None, or an object with ``__arrow_c_array__`` or ``__arrow_c_stream__``. ``lenient=True`` takes the
    display form too. *out*: a contiguous bool array for the answers. *threads*: how many may judge the rows
    of one buffer. *result*: ``numpy``, where a null is False, or ``arrow``, where it is null. Raises
    TypeError for rows that are no text, ValueError for an array whose buffers contradict each other; neither
    holds a value of the column.
    """
    return _booleans("luhn_valid", twin.CARDS, values, lenient, out, threads, result)


@overload
def iban_valid(
    values: object,
    *,
    lenient: bool = False,
    out: Array | None = None,
    threads: int = 1,
    result: Literal["numpy"] = "numpy",
) -> Array: ...
@overload
def iban_valid(
    values: object, *, lenient: bool = False, out: None = None, threads: int = 1, result: Literal["arrow"]
) -> ArrowResult: ...
def iban_valid(
    values: object,
    *,
    lenient: bool = False,
    out: Array | None = None,
    threads: int = 1,
    result: Result = "numpy",
) -> Array | ArrowResult:
    """Return for each row whether it is an IBAN: structure of its country, check digits 02-98, ISO 7064 sum.

    Arguments and errors are those of :func:`luhn_valid`.
    """
    return _booleans("iban_valid", twin.IBANS, values, lenient, out, threads, result)


@overload
def card_brand(
    values: object,
    *,
    lenient: bool = False,
    codes: bool = False,
    out: Array | None = None,
    threads: int = 1,
    result: Literal["numpy"] = "numpy",
) -> Array: ...
@overload
def card_brand(
    values: object,
    *,
    lenient: bool = False,
    codes: bool = False,
    out: None = None,
    threads: int = 1,
    result: Literal["arrow"],
) -> ArrowResult: ...
def card_brand(
    values: object,
    *,
    lenient: bool = False,
    codes: bool = False,
    out: Array | None = None,
    threads: int = 1,
    result: Result = "numpy",
) -> Array | ArrowResult:
    """Return for each row the brand of the card number; none where it is not valid, or its brand not known.

    The result is an array of str, empty for none; with ``codes=True`` of int8, places in :data:`CARD_BRANDS`
    and -1 for none, as ``pandas.Categorical.from_codes`` takes them; as Arrow a dictionary array, null for
    none. *out* is of int8 or of str, whichever is asked for. The other arguments and errors are those of
    :func:`luhn_valid`.
    """
    return _names("card_brand", twin.BRANDS, CARD_BRANDS, values, lenient, codes, out, threads, result)


@overload
def iban_country(
    values: object,
    *,
    lenient: bool = False,
    codes: bool = False,
    out: Array | None = None,
    threads: int = 1,
    result: Literal["numpy"] = "numpy",
) -> Array: ...
@overload
def iban_country(
    values: object,
    *,
    lenient: bool = False,
    codes: bool = False,
    out: None = None,
    threads: int = 1,
    result: Literal["arrow"],
) -> ArrowResult: ...
def iban_country(
    values: object,
    *,
    lenient: bool = False,
    codes: bool = False,
    out: Array | None = None,
    threads: int = 1,
    result: Result = "numpy",
) -> Array | ArrowResult:
    """Return for each row the two letters the IBAN begins with; none where it is not valid.

    Results are those of :func:`card_brand`, codes are places in :data:`IBAN_COUNTRIES`.
    """
    return _names(
        "iban_country", twin.COUNTRIES, IBAN_COUNTRIES, values, lenient, codes, out, threads, result
    )


def _booleans(
    name: str, kind: int, values: object, lenient: bool, out: Array | None, threads: int, result: Result
) -> Array | ArrowResult:
    _check(name, threads, result, out)
    if out is not None:
        _fits(name, out, np.dtype(np.bool_))
    bytes_of = None if out is None else out.view(np.int8)
    try:
        answers, nulls = _judge(name, kind, values, bool(lenient), bytes_of, threads)
    except BaseException:
        if bytes_of is not None:
            bytes_of[:] = 0  # a mark of the twin's is no bool
        raise
    if nulls is not None:
        answers[nulls] = 0
    if result == "numpy":
        return answers.view(np.bool_) if out is None else out
    data = np.packbits(answers.view(np.bool_), bitorder="little").tobytes()
    valid, missing = _validity(nulls)
    return ArrowResult(len(answers), lambda: twin.export(b"b", len(answers), missing, (valid, data), None))


def _names(
    name: str,
    kind: int,
    known: tuple[str, ...],
    values: object,
    lenient: bool,
    codes: bool,
    out: Array | None,
    threads: int,
    result: Result,
) -> Array | ArrowResult:
    _check(name, threads, result, out)
    texts = np.array([*known, ""])
    if out is not None:
        _fits(name, out, np.dtype(np.int8) if codes else texts.dtype)
    answers, nulls = _judge(name, kind, values, bool(lenient), out if codes else None, threads)
    if nulls is not None:
        answers[nulls] = -1
    if result == "arrow":
        words = [word.encode() for word in known]
        ends = np.cumsum([0, *map(len, words)], dtype=np.int32).tobytes()
        valid, missing = _validity(answers < 0)
        data = np.maximum(answers, 0).tobytes()
        dictionary = (b"u", len(words), 0, (None, ends, b"".join(words)))
        return ArrowResult(
            len(answers), lambda: twin.export(b"c", len(answers), missing, (valid, data), dictionary)
        )
    if codes:
        return answers if out is None else out
    # -1 is the last, the empty one.
    found = texts[answers]
    if out is None:
        return found
    if len(out) != len(found):
        raise ValueError(f"{name}(): out has {len(out)} rows, the column {len(found)}")
    out[:] = found
    return out


def _validity(nulls: Array | None) -> tuple[bytes | None, int]:
    missing = 0 if nulls is None else int(np.count_nonzero(nulls))
    if nulls is None or not missing:
        return None, 0
    return np.packbits(~nulls, bitorder="little").tobytes(), missing


def _check(name: str, threads: object, result: object, out: object) -> None:
    if type(threads) is not int or threads < 1:
        shown = threads if type(threads) is int else f"a {type(threads).__name__}"
        raise ValueError(f"{name}(): threads is a number from 1 up, not {shown}")
    if result not in ("numpy", "arrow"):
        raise ValueError(f"{name}(): result is 'numpy' or 'arrow', not {result!r}")
    if out is not None and result == "arrow":
        raise ValueError(f"{name}(): out takes answers as NumPy has them: leave it out with result='arrow'")


def _fits(name: str, out: object, dtype: np.dtype[Any]) -> None:
    if not isinstance(out, np.ndarray):
        raise TypeError(f"{name}(): out is a NumPy array, not a {type(out).__name__}")
    if out.dtype != dtype or out.ndim != 1 or not out.flags.c_contiguous or not out.flags.writeable:
        raise ValueError(f"{name}(): out is a one-dimensional, contiguous, writable array of {dtype}")


def _judge(
    name: str, kind: int, values: object, lenient: bool, out: Array | None, threads: int
) -> tuple[Array, Array | None]:
    """Return an int8 per row, and which are null (None: none of them); writes to *out* if given."""
    answers: list[Array] = []
    nulls: list[Array | None] = []
    done = 0
    for chunk in _chunks(values, name):
        whole = out is not None and not done and chunk.rows == len(out)
        part = out if whole and out is not None else np.empty(chunk.rows, np.int8)
        null = _answer(name, kind, chunk, lenient, part, threads, done)
        answers.append(part)
        nulls.append(null)
        done += chunk.rows
    if out is not None and done != len(out):
        raise ValueError(f"{name}(): out has {len(out)} rows, the column {done}")
    absent = None
    if any(each is not None for each in nulls):
        filled = (
            np.zeros(len(part), np.bool_) if each is None else each
            for part, each in zip(answers, nulls, strict=True)
        )
        absent = np.concatenate(list(filled))
    if len(answers) == 1:
        return answers[0], absent
    if out is None:
        return np.concatenate(answers) if answers else np.empty(0, np.int8), absent
    # A chunk of all rows is in it already, beside empty ones.
    if answers and all(part is not out for part in answers):
        np.concatenate(answers, out=out)
    return out, absent


def _answer(
    name: str, kind: int, chunk: Chunk, lenient: bool, out: Array, threads: int, done: int, row: str = "row"
) -> Array | None:
    """Write the answers of *chunk* to *out*; returns which rows are null, if any are."""
    brands = _brand_table() if kind == twin.BRANDS else None
    none = 0 if kind in (twin.CARDS, twin.IBANS) else -1
    nulls = chunk.nulls
    if chunk.layout == "nothing":
        out[:] = none
    elif chunk.layout == "objects":
        (values,) = chunk.parts
        at = twin.objects(kind, values, out, lenient, brands)
        if at >= 0:
            raise TypeError(
                f"{name}(): {row} {done + at} is {kind_of(values[at])}; rows are str, or None where missing"
            )
        absent = out == twin.NULL_ROW
        if absent.any():
            nulls = absent if nulls is None else nulls | absent
    elif chunk.layout == "dictionary":
        _gather(name, kind, chunk, lenient, out, threads, done, none)
    else:
        judge = functools.partial(_piece, kind, chunk.layout, chunk.parts, out, lenient, brands)
        bad = min((at for at in _spread(judge, chunk.rows, threads) if at >= 0), default=-1)
        if bad >= 0:
            raise ValueError(
                f"{name}(): {row} {done + bad}: its offsets are negative, decreasing or beyond the last one"
            )
        if chunk.layout == "views":
            wrong = out == twin.BAD_VIEW
            if wrong.any():
                if nulls is not None:
                    wrong &= ~nulls
                if wrong.any():
                    at = done + int(np.argmax(wrong))
                    raise ValueError(f"{name}(): {row} {at}: its view points outside of the text buffers")
                out[out == twin.BAD_VIEW] = none
    return nulls


def _piece(
    kind: int,
    layout: str,
    parts: tuple[Any, ...],
    out: Array,
    lenient: bool,
    brands: Any,
    start: int,
    stop: int,
) -> int:
    """Judge rows from *start* to *stop*; returns the first whose offsets are wrong, -1 for none."""
    answers = out[start:stop]
    if layout == "fixed":
        twin.fixed(kind, parts[0][start:stop], answers, lenient, brands)
    elif layout == "wide":
        twin.wide(kind, parts[0][start:stop], parts[1], answers, lenient, brands)
    elif layout == "views":
        twin.views(kind, parts[0][16 * start : 16 * stop], parts[1], answers, lenient, brands)
    else:
        bad = twin.offsets(kind, parts[0][start : stop + 1], parts[1], answers, lenient, brands)
        return start + bad if bad >= 0 else -1
    return -1


def _spread(judge: Callable[[int, int], int], count: int, threads: int) -> list[int]:
    pieces = max(1, min(threads, count // _PER_THREAD))
    bounds = [count * piece // pieces for piece in range(pieces + 1)]
    if pieces == 1:
        return [judge(0, count)]
    others = [_pool().submit(judge, *pair) for pair in pairwise(bounds[1:])]
    try:
        return [judge(0, bounds[1]), *(each.result() for each in others)]
    finally:
        # The buffers are the caller's again when this returns, also by an exception.
        for each in others:
            if not each.cancel():
                each.exception()


@functools.cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max(1, (os.cpu_count() or 2) - 1), thread_name_prefix="foobara-accel-columns")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)  # its threads stay in the parent


def _gather(
    name: str, kind: int, chunk: Chunk, lenient: bool, out: Array, threads: int, done: int, none: int
) -> None:
    """Judge each text of a dictionary once."""
    indices, texts = chunk.parts
    answers = np.empty(texts.rows + 1, np.int8)
    nulls = _answer(name, kind, texts, lenient, answers[:-1], threads, 0, "dictionary row")
    answers[-1] = none
    if nulls is not None:
        answers[:-1][nulls] = none
    wrong = (indices < 0) | (indices >= texts.rows)
    if wrong.any():
        bad = wrong if chunk.nulls is None else wrong & ~chunk.nulls
        if bad.any():
            raise ValueError(
                f"{name}(): row {done + int(np.argmax(bad))}: its index is outside of the dictionary"
            )
        indices = np.where(wrong, texts.rows, indices)
    np.take(answers, indices.astype(np.intp, copy=False), out=out)


def _chunks(values: Any, name: str) -> Iterator[Chunk]:
    if isinstance(values, np.ndarray):
        yield _of_array(values, name)
        return
    # pandas: a column of Python objects is looked at here, as its conversion to Arrow tells values in errors.
    if callable(getattr(values, "isna", None)) and getattr(values, "shape", ())[1:] == (1,):
        values = values.iloc[:, 0]
    missing = getattr(values, "isna", None)
    opaque = callable(missing) and getattr(values, "dtype", None) == np.dtype(object)
    speaks = any(hasattr(type(values), each) for each in ("__arrow_c_array__", "__arrow_c_stream__"))
    if speaks and not opaque:
        try:
            yield from _arrow.read(values, name)
            return
        except ImportError:
            if not callable(missing):
                raise
    if callable(missing) and hasattr(values, "__array__"):
        array = np.array(values, dtype=object)
        if array.ndim == 1:
            array[np.asarray(missing(), dtype=np.bool_)] = None
        yield _of_array(array, name)
    elif isinstance(values, Sequence) and not isinstance(values, str | bytes | bytearray | memoryview):
        yield Chunk("objects", (tuple(values),), len(values), None)
    elif hasattr(values, "__array__") and not isinstance(values, type):
        yield _of_array(np.asarray(values), name)
    else:
        raise TypeError(
            f"{name}(): takes an array, a sequence of str or an Arrow column, not {kind_of(values)}"
        )


def _of_array(array: Array, name: str) -> Chunk:
    if array.ndim != 1:
        raise ValueError(f"{name}(): takes a one-dimensional array, not one of {array.ndim} dimensions")
    nulls = None
    if isinstance(array, np.ma.MaskedArray):
        nulls = np.ma.getmaskarray(array)
        array = array.data
    array = array.view(np.ndarray)
    count = len(array)
    if array.dtype.kind == "S":
        return Chunk("fixed", (array,), count, nulls)
    if array.dtype.kind == "U":
        return Chunk("wide", (array, not array.dtype.isnative), count, nulls)
    if array.dtype.kind == "T":
        missing = getattr(array.dtype, "na_object", None)
        values = tuple(array.tolist())
        if missing is not None and any(value is missing for value in values):
            values = tuple(None if value is missing else value for value in values)
        return Chunk("objects", (values,), count, nulls)
    if array.dtype.kind == "O":
        values = tuple(array.tolist())
        if nulls is not None:
            values = tuple(None if null else value for value, null in zip(values, nulls, strict=True))
        return Chunk("objects", (values,), count, nulls)
    why = (
        ""
        if array.dtype.kind not in "iufc"
        else ": numbers have lost their leading zeros, read the column as text"
    )
    raise TypeError(
        f"{name}(): takes an array of text (S, U, StringDType or object), not of {array.dtype}{why}"
    )


@functools.cache
def _brand_table() -> tuple[Array, Array, Array, Array]:
    """The brands by four digits or, where those do not decide, by the ranges of eight; the lengths that each
    has."""
    prefixes = cards._prefixes()
    places = {brand: place for place, brand in enumerate(CARD_BRANDS)}
    size = cards._IIN_DIGITS
    cuts = {0}
    for prefix in prefixes:
        unit = 10 ** (size - len(prefix))
        cuts |= {int(prefix) * unit, (int(prefix) + 1) * unit}
    starts: list[int] = []
    codes: list[int] = []
    for cut in sorted(cuts - {10**size}):
        digits = f"{cut:0{size}}"
        found = next((prefixes[digits[:n]] for n in range(size, 0, -1) if digits[:n] in prefixes), None)
        code = places.get(found, -1) if found else -1
        if not codes or codes[-1] != code:
            starts.append(cut)
            codes.append(code)
    bounds, kinds = np.array(starts, np.uint32), np.array(codes, np.int8)
    first = np.arange(10_000, dtype=np.uint32) * 10_000
    at, last = (np.searchsorted(bounds, each, "right") - 1 for each in (first, first + 9_999))
    four = np.where(at == last, kinds[at], np.int8(twin.NULL_ROW)).astype(np.int8)
    lengths = np.array([sum(1 << n for n in cards._BRANDS[brand][0]) for brand in CARD_BRANDS], np.uint32)
    return four, bounds, kinds, lengths


for _function in (luhn_valid, iban_valid, card_brand, iban_country):
    _function.__module__ = "foobara_accel.types"
ArrowResult.__module__ = "foobara_accel.types"
del _function
