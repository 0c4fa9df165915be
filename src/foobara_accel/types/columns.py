"""Cards, IBANs, phone numbers of a whole column: NumPy arrays, sequences of str, all that speaks Arrow.

Each row gets the verdict of :func:`is_valid_card`, :func:`is_valid_iban` or :func:`is_valid_phone` on its
text. Nothing is copied where the rows lie in one buffer: NumPy ``S`` and ``U``, Arrow ``utf8``,
``large_utf8``, ``utf8_view`` and dictionaries of these.
Needs NumPy: ``pip install 'foobara-accel[columns]'``.
"""

from __future__ import annotations

import functools
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import pairwise
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, overload

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
from ._elements import is_shown

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
    "phone_valid",
]

Array = np.ndarray[Any, np.dtype[Any]]
Result = Literal["numpy", "arrow"]

#: What the codes of :func:`card_brand` stand for.
CARD_BRANDS: tuple[str, ...] = tuple(cards._BRANDS)
#: What the codes of :func:`iban_country` stand for: every prefix that an IBAN may have.
IBAN_COUNTRIES: tuple[str, ...] = tuple(sorted([*table.COUNTRIES, *table.TERRITORIES]))

# Fewer rows are judged before another thread has begun (benchmarks/columns.py, threads).
_PER_THREAD = 32_768


class _Asked(NamedTuple):
    """What is asked of a column: *given* is what the twin needs to answer, *region* what the judge does."""

    name: str
    kind: int
    lenient: bool
    threads: int
    given: Any = None
    region: str | None = None

    @property
    def none(self) -> int:
        """The answer that says there is nothing."""
        return -1 if self.kind in (twin.BRANDS, twin.COUNTRIES) else 0


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
    return _booleans(_Asked("luhn_valid", twin.CARDS, bool(lenient), threads), values, out, result)


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
    return _booleans(_Asked("iban_valid", twin.IBANS, bool(lenient), threads), values, out, result)


@overload
def phone_valid(
    values: object,
    *,
    region: str | None = None,
    out: Array | None = None,
    threads: int = 1,
    result: Literal["numpy"] = "numpy",
) -> Array: ...
@overload
def phone_valid(
    values: object,
    *,
    region: str | None = None,
    out: None = None,
    threads: int = 1,
    result: Literal["arrow"],
) -> ArrowResult: ...
def phone_valid(
    values: object,
    *,
    region: str | None = None,
    out: Array | None = None,
    threads: int = 1,
    result: Result = "numpy",
) -> Array | ArrowResult:
    """Return for each row whether it is a valid phone number, as libphonenumber says of every form it reads.

    *region* (ISO 3166-1 alpha-2, such as "US") is where numbers without "+" are dialled from. Rows that are
    "+" and digits are judged as the other columns are; any other form one after the other, with the GIL, by
    phonenumbers. ValueError for an unknown region, ImportError where phonenumbers is needed and missing; the
    other arguments and errors are those of :func:`luhn_valid`.
    """
    from . import _numbering

    dialled = _backend.phone.known_region(region, "phone_valid")
    verdicts, valid, _ = _numbering.table_in_use()
    given = verdicts, valid, dialled is not None
    return _booleans(_Asked("phone_valid", twin.PHONES, False, threads, given, dialled), values, out, result)


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
    asked = _Asked("card_brand", twin.BRANDS, bool(lenient), threads, _brand_table())
    return _names(asked, CARD_BRANDS, values, codes, out, result)


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
    asked = _Asked("iban_country", twin.COUNTRIES, bool(lenient), threads)
    return _names(asked, IBAN_COUNTRIES, values, codes, out, result)


def _booleans(asked: _Asked, values: object, out: Array | None, result: Result) -> Array | ArrowResult:
    _check(asked, result, out)
    if out is not None:
        _fits(asked.name, out, np.dtype(np.bool_))
    answers, nulls = _judge(asked, values, None if out is None else out.view(np.int8))
    if result == "numpy":
        return answers.view(np.bool_) if out is None else out
    data = np.packbits(answers.view(np.bool_), bitorder="little").tobytes()
    valid, missing = _validity(nulls)
    return ArrowResult(len(answers), lambda: twin.export(b"b", len(answers), missing, (valid, data), None))


def _names(
    asked: _Asked, known: tuple[str, ...], values: object, codes: bool, out: Array | None, result: Result
) -> Array | ArrowResult:
    _check(asked, result, out)
    texts = np.array([*known, ""])
    if out is not None:
        _fits(asked.name, out, np.dtype(np.int8) if codes else texts.dtype)
    answers, _ = _judge(asked, values, out if codes else None)
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
        raise ValueError(f"{asked.name}(): out has {len(out)} rows, the column {len(found)}")
    out[:] = found
    return out


def _validity(nulls: Array | None) -> tuple[bytes | None, int]:
    missing = 0 if nulls is None else int(np.count_nonzero(nulls))
    if nulls is None or not missing:
        return None, 0
    return np.packbits(~nulls, bitorder="little").tobytes(), missing


def _check(asked: _Asked, result: object, out: object) -> None:
    name, threads = asked.name, asked.threads
    if type(threads) is not int or threads < 1:
        shown = threads if type(threads) is int else f"a {type(threads).__name__}"
        raise ValueError(f"{name}(): threads is a number from 1 up, not {shown}")
    if not isinstance(result, str) or result not in ("numpy", "arrow"):
        # It may be a value that went astray.
        shown = repr(result) if isinstance(result, str) and is_shown(result) else kind_of(result)
        raise ValueError(f"{name}(): result is 'numpy' or 'arrow', not {shown}")
    if out is not None and result == "arrow":
        raise ValueError(f"{name}(): out takes answers as NumPy has them: leave it out with result='arrow'")
    if result == "arrow" and twin.export is _arrow.export:
        _arrow.library(name)  # now, not when it is read


def _fits(name: str, out: object, dtype: np.dtype[Any]) -> None:
    if type(out) is not np.ndarray:  # a masked array, for one, would keep its mask
        raise TypeError(f"{name}(): out is a NumPy array, not {kind_of(out)}")
    if out.dtype != dtype or out.ndim != 1 or not out.flags.c_contiguous or not out.flags.writeable:
        raise ValueError(f"{name}(): out is a one-dimensional, contiguous, writable array of {dtype}")


def _judge(asked: _Asked, values: object, out: Array | None) -> tuple[Array, Array | None]:
    """Return an int8 per row, and which are null (None: none of them); writes to *out* if given."""
    answers: list[Array] = []
    nulls: list[Array | None] = []
    done = 0
    try:
        for chunk in _chunks(values, asked.name):
            whole = out is not None and not done and chunk.rows == len(out)
            part = out if whole and out is not None else np.empty(chunk.rows, np.int8)
            answers.append(part)
            null = _answer(asked, chunk, part, done)
            if null is not None:
                part[null] = asked.none
            nulls.append(null)
            done += chunk.rows
            del chunk  # before the next is fetched
        if out is not None and done != len(out):
            raise ValueError(f"{asked.name}(): out has {len(out)} rows, the column {done}")
        return (answers[0], nulls[0]) if len(answers) == 1 else _joined(answers, nulls, out)
    except BaseException:
        if out is not None and any(part is out for part in answers):
            out[:] = asked.none  # a mark of the twin's is no bool
        raise


def _joined(answers: list[Array], nulls: list[Array | None], out: Array | None) -> tuple[Array, Array | None]:
    absent = None
    if any(each is not None for each in nulls):
        filled = (
            np.zeros(len(part), np.bool_) if each is None else each
            for part, each in zip(answers, nulls, strict=True)
        )
        absent = np.concatenate(list(filled))
    if out is None:
        return np.concatenate(answers) if answers else np.empty(0, np.int8), absent
    # A chunk of all rows is in it already, beside empty ones.
    if answers and all(part is not out for part in answers):
        np.concatenate(answers, out=out)
    return out, absent


def _answer(asked: _Asked, chunk: Chunk, out: Array, done: int, row: str = "row") -> Array | None:
    """Write the answers of *chunk* to *out*; returns which rows are null, if any are."""
    nulls = chunk.nulls
    if chunk.layout == "nothing":
        out[:] = asked.none
    elif chunk.layout == "objects":
        (values,) = chunk.parts
        at = twin.objects(asked.kind, values, out, asked.lenient, asked.given)
        if at >= 0:
            kind = kind_of(values[at])
            told = f"{asked.name}(): {row} {done + at} is {kind}; rows are str, or None where missing"
            if isinstance(values[at], float) and values[at] != values[at]:
                told += " (NaN is missing in a pandas object alone: pass that instead of its values)"
            raise TypeError(told)
        absent = out == twin.NULL_ROW
        if absent.any():
            nulls = absent if nulls is None else nulls | absent
    elif chunk.layout == "dictionary":
        nulls = _gather(asked, chunk, out, done)
    else:
        judge = functools.partial(_piece, asked, chunk.layout, chunk.parts, out)
        bad = min((at for at in _spread(judge, chunk.rows, asked.threads) if at >= 0), default=-1)
        if bad >= 0:
            what = "its offsets are negative, decreasing or beyond the last one"
            raise ValueError(f"{asked.name}(): {row} {done + bad}: {what}")
        if chunk.layout == "views":
            wrong = out == twin.BAD_VIEW
            if wrong.any():
                if nulls is not None:
                    wrong &= ~nulls
                if wrong.any():
                    at = done + int(np.argmax(wrong))
                    raise ValueError(
                        f"{asked.name}(): {row} {at}: its view points outside of the text buffers"
                    )
                out[out == twin.BAD_VIEW] = asked.none
    if asked.kind == twin.PHONES:
        _decide(asked, chunk, out, nulls)
    return nulls


def _decide(asked: _Asked, chunk: Chunk, out: Array, nulls: Array | None) -> None:
    """Answer the rows that the twin left to libphonenumber, each text once."""
    left = out == twin.OTHER_ROW
    if nulls is not None:
        left &= ~nulls
    judge = _backend.phone.is_valid_phone
    verdicts: dict[str | None, bool] = {None: False}
    for at in np.flatnonzero(left).tolist():
        text = _text_of(chunk, at)
        if text not in verdicts:
            assert text is not None
            verdicts[text] = judge(text, asked.region)
        out[at] = verdicts[text]


def _text_of(chunk: Chunk, at: int) -> str | None:
    """Return the text of a row; None where its bytes are no UTF-8, or its characters none of Unicode."""
    rows, *more = chunk.parts
    try:
        if chunk.layout == "objects":
            return str.__str__(rows[at])
        if chunk.layout == "wide":
            little = (sys.byteorder == "little") != more[0]
            text: str = (
                rows[at : at + 1].tobytes().decode("utf-32-le" if little else "utf-32-be", "surrogatepass")
            )
            return text.rstrip("\0")
        if chunk.layout == "fixed":
            return bytes(rows[at]).decode()
        if chunk.layout == "offsets":
            return bytes(more[0][rows[at] : rows[at + 1]]).decode()
        size, _, which, start = rows[16 * at : 16 * at + 16].view(np.int32).tolist()
        found = rows[16 * at + 4 : 16 * at + 16] if size <= 12 else more[0][which][start:]
        return bytes(found[:size]).decode()
    except ValueError:
        return None


def _piece(asked: _Asked, layout: str, parts: tuple[Any, ...], out: Array, start: int, stop: int) -> int:
    """Judge rows from *start* to *stop*; returns the first whose offsets are wrong, -1 for none."""
    answers = out[start:stop]
    kind, lenient, given = asked.kind, asked.lenient, asked.given
    if layout == "fixed":
        twin.fixed(kind, parts[0][start:stop], answers, lenient, given)
    elif layout == "wide":
        twin.wide(kind, parts[0][start:stop], parts[1], answers, lenient, given)
    elif layout == "views":
        twin.views(kind, parts[0][16 * start : 16 * stop], parts[1], answers, lenient, given)
    else:
        bad = twin.offsets(kind, parts[0][start : stop + 1], parts[1], answers, lenient, given)
        return start + bad if bad >= 0 else -1
    return -1


def _spread(judge: Callable[[int, int], int], count: int, threads: int) -> list[int]:
    pieces = max(1, min(threads, count // _PER_THREAD))
    bounds = [count * piece // pieces for piece in range(pieces + 1)]
    if pieces == 1:
        return [judge(0, count)]
    return _Shared(functools.partial(judge, *each) for each in pairwise(bounds)).done(pieces - 1)


class _Shared:
    """Pieces of work that the caller and threads of the pool take one after another.

    Nothing here depends on what the pool says of its threads: one that it could not start may do its part
    nevertheless, in another thread and late. Who takes no piece any more is told by ``_working`` alone.
    """

    def __init__(self, pieces: Iterable[Callable[[], int]]) -> None:
        self._left = deque(pieces)
        self._found: list[int] = []
        self._failed: list[BaseException] = []
        self._working: list[object] = []
        self._finished: SimpleQueue[None] = SimpleQueue()  # of C, so that an interrupt leaves no lock behind

    def done(self, helpers: int) -> list[int]:
        """Return what all pieces answered, once no thread has a buffer, which then is the caller's again."""
        try:
            with suppress(RuntimeError):  # no thread starts, as at the interpreter's end: all is done here
                for _ in range(helpers):
                    _pool().submit(self._help)
            self._take()
        finally:
            self._left.clear()
            self._wait()
        if self._failed:
            raise self._failed.pop()
        return self._found

    def _take(self) -> None:
        while True:
            try:
                piece = self._left.popleft()
            except IndexError:
                return
            self._found.append(piece())

    def _help(self) -> None:
        worker = object()
        self._working.append(worker)  # before a piece is taken: who clears the pieces sees it then
        try:
            self._take()
        except BaseException as error:
            self._failed.append(error)
        finally:
            self._working.remove(worker)
            self._finished.put(None)

    def _wait(self) -> None:
        """Wait for the other threads; what interrupts is raised afterwards."""
        interrupted: BaseException | None = None
        while self._working:
            try:
                self._finished.get()
            except BaseException as error:
                interrupted = error
        if interrupted is not None:
            raise interrupted


@functools.cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max(1, (os.cpu_count() or 2) - 1), thread_name_prefix="foobara-accel-columns")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)  # its threads stay in the parent


def _gather(asked: _Asked, chunk: Chunk, out: Array, done: int) -> Array | None:
    """Judge each text of a dictionary once; returns which rows are null, if any are."""
    indices, texts = chunk.parts
    answers = np.empty(texts.rows + 1, np.int8)
    wrong = (indices < 0) | (indices >= texts.rows)
    indices = indices.astype(np.intp)  # of int8, the place behind the last of 128 texts is none
    if wrong.any():
        bad = wrong if chunk.nulls is None else wrong & ~chunk.nulls
        if bad.any():
            at = done + int(np.argmax(bad))
            raise ValueError(f"{asked.name}(): row {at}: its index is outside of the dictionary")
        indices[wrong] = texts.rows
    absent = texts.nulls
    if asked.kind == twin.PHONES:
        # phonenumbers takes long, and may be missing: it is not asked about what no row has.
        unused = np.ones(texts.rows + 1, np.bool_)
        unused[indices if chunk.nulls is None else indices[~chunk.nulls]] = False
        texts = texts._replace(nulls=unused[:-1] if absent is None else unused[:-1] | absent)
    nulls = _answer(asked, texts, answers[:-1], 0, "dictionary row")
    answers[-1] = asked.none
    if nulls is not None:
        answers[:-1][nulls] = asked.none
    np.take(answers, indices, out=out)
    if absent is None:
        return chunk.nulls
    found: Array = np.append(absent, False)[indices]
    return found if chunk.nulls is None else found | chunk.nulls


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
        array = _given(values, name, lambda: np.array(values, object))
        if array.ndim == 1:
            array[_given(values, name, lambda: np.asarray(missing(), np.bool_))] = None
        yield _of_array(array, name)
    elif isinstance(values, Sequence) and not isinstance(values, str | bytes | bytearray | memoryview):
        rows = tuple(values)
        yield Chunk("objects", (rows,), len(rows), None)
    elif hasattr(values, "__array__") and not isinstance(values, type):
        yield _of_array(_given(values, name, lambda: np.asarray(values)), name)
    else:
        raise TypeError(
            f"{name}(): takes an array, a sequence of str or an Arrow column, not {kind_of(values)}"
        )


def _given(values: Any, name: str, ask: Callable[[], Array]) -> Array:
    try:
        return ask()
    except Exception as error:
        failed = type(error).__name__  # its own words may hold a value
    raise ValueError(f"{name}(): {kind_of(values)} failed to give its rows as an array ({failed})")


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


for _function in (luhn_valid, iban_valid, phone_valid, card_brand, iban_country):
    _function.__module__ = "foobara_accel.types"
ArrowResult.__module__ = "foobara_accel.types"
del _function
