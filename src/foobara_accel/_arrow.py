"""Arrow's C data interface through ctypes: text columns of any library without importing one.

The layouts are those of arrow.apache.org/docs/format/CDataInterface.html and Columnar.html. What a producer
hands over is read in place and belongs to it; a struct that is only lent is never released, one that was
fetched when the last view of its memory is gone: whoever keeps one, a traceback for instance, may read it.
"""

from __future__ import annotations

import ctypes
import importlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

__all__ = ["Chunk", "export", "library", "read"]

Array = np.ndarray[Any, np.dtype[Any]]


class ArrowSchema(ctypes.Structure):
    """How an Arrow array is to be read."""


class ArrowArray(ctypes.Structure):
    """The memory of an Arrow array."""


class ArrowStream(ctypes.Structure):
    """Arrays of one schema, one after the other."""


_release_schema = ctypes.CFUNCTYPE(None, ctypes.POINTER(ArrowSchema))
_release_array = ctypes.CFUNCTYPE(None, ctypes.POINTER(ArrowArray))

ArrowSchema._fields_ = [
    ("format", ctypes.c_char_p),
    ("name", ctypes.c_char_p),
    ("metadata", ctypes.c_void_p),
    ("flags", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("children", ctypes.POINTER(ctypes.POINTER(ArrowSchema))),
    ("dictionary", ctypes.POINTER(ArrowSchema)),
    ("release", _release_schema),
    ("private_data", ctypes.c_void_p),
]
ArrowArray._fields_ = [
    ("length", ctypes.c_int64),
    ("null_count", ctypes.c_int64),
    ("offset", ctypes.c_int64),
    ("n_buffers", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("buffers", ctypes.POINTER(ctypes.c_void_p)),
    ("children", ctypes.POINTER(ctypes.POINTER(ArrowArray))),
    ("dictionary", ctypes.POINTER(ArrowArray)),
    ("release", _release_array),
    ("private_data", ctypes.c_void_p),
]
ArrowStream._fields_ = [
    ("get_schema", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ArrowStream), ctypes.POINTER(ArrowSchema))),
    ("get_next", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ArrowStream), ctypes.POINTER(ArrowArray))),
    ("get_last_error", ctypes.CFUNCTYPE(ctypes.c_char_p, ctypes.POINTER(ArrowStream))),
    ("release", ctypes.CFUNCTYPE(None, ctypes.POINTER(ArrowStream))),
    ("private_data", ctypes.c_void_p),
]

_TEXTS = (b"u", b"U", b"vu")
_INDICES = {
    b"c": np.int8,
    b"C": np.uint8,
    b"s": np.int16,
    b"S": np.uint16,
    b"i": np.int32,
    b"I": np.uint32,
    b"l": np.int64,
    b"L": np.uint64,
}
# Formats by what they begin with, the longest first, as an error tells them.
_KINDS = {
    b"vz": "binary views: cast them to text",
    b"z": "binary: cast it to text",
    b"Z": "binary: cast it to text",
    b"w:": "fixed-size binary: cast it to text",
    b"d:": "decimals: numbers have lost their leading zeros, read the column as text",
    b"b": "booleans",
    b"t": "dates or times",
    b"+r": "run-end encoded: decode it first",
    b"+s": "structs",
    b"+": "nested",
    **dict.fromkeys(
        (*_INDICES, b"e", b"f", b"g"), "numbers, which have lost their leading zeros: read the column as text"
    ),
}


class Chunk(NamedTuple):
    """Rows of one layout: what the twin's function of that name takes, how many there are, which are null."""

    layout: str
    parts: tuple[Any, ...]
    rows: int
    nulls: Array | None


def read(values: Any, name: str) -> Iterator[Chunk]:
    """Yield the chunks of a text column that has ``__arrow_c_array__`` or ``__arrow_c_stream__``.

    *name* is the function that errors speak of. Raises TypeError for a column that is no text, ValueError for
    one whose structs contradict the specification, or whose library does not give its rows.
    """
    if hasattr(type(values), "__arrow_c_array__"):
        given = _asked(values, "__arrow_c_array__", name)
        if not (isinstance(given, tuple) and len(given) == 2):
            raise TypeError(
                f"{name}(): __arrow_c_array__() of {_called(values)} returned no pair of capsules"
            )
        schema = _taken(given[0], ArrowSchema, b"arrow_schema", name)
        array = _taken(given[1], ArrowArray, b"arrow_array", name)
        yield _column(schema, array, given, name)
    else:
        capsule = _asked(values, "__arrow_c_stream__", name)
        stream = _taken(capsule, ArrowStream, b"arrow_array_stream", name)
        yield from _chunks(stream, values, name)
        del capsule  # which owns the stream


def _asked(values: Any, method: str, name: str) -> Any:
    try:
        return getattr(values, method)()
    except ImportError:  # it says what to install
        raise
    except Exception as error:
        # The producer's own words may hold a value of the column: they are not repeated.
        failed = type(error).__name__
    raise ValueError(
        f"{name}(): {_called(values)} failed to give its rows as Arrow ({failed}): read it alone"
    )


class _Fetched:
    """Releases an array that was fetched, when nothing refers to its memory any more."""

    __slots__ = ("_array",)

    def __init__(self, array: ArrowArray) -> None:
        self._array = array

    def __del__(self) -> None:
        if self._array.release:
            self._array.release(ctypes.byref(self._array))


def _chunks(stream: ArrowStream, values: Any, name: str) -> Iterator[Chunk]:
    # The producer's own words may hold a value of the column: they are not repeated.
    failed = f"{name}(): {_called(values)} failed to give its rows as Arrow (error {{}}): read it alone"
    schema = ArrowSchema()
    status = stream.get_schema(ctypes.byref(stream), ctypes.byref(schema))
    if status:
        raise ValueError(failed.format(status))
    try:
        _kind(schema, name)
        while True:
            array = ArrowArray()
            status = stream.get_next(ctypes.byref(stream), ctypes.byref(array))
            if status:
                raise ValueError(failed.format(status))
            if not array.release:
                return
            owner = _Fetched(array)
            yield _column(schema, array, owner, name)
            del array, owner  # before the next is fetched
    finally:
        if schema.release:
            schema.release(ctypes.byref(schema))


def _called(values: Any) -> str:
    return f"the {type(values).__module__.partition('.')[0]} {type(values).__name__}"


# Functions of our own: those of ctypes.pythonapi are everybody's.
_pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
    ("PyCapsule_GetPointer", ctypes.pythonapi)
)


def _taken(capsule: Any, struct: Any, kind: bytes, name: str) -> Any:
    try:
        address = _pointer(capsule, kind)
    except ValueError:
        raise TypeError(f"{name}(): a {type(capsule).__name__} is no capsule named {kind.decode()}") from None
    found = struct.from_address(address)
    if not found.release:
        raise ValueError(f"{name}(): the {kind.decode()} was released or moved before")
    return found


def _child(parent: Any, name: str) -> Any:
    """The only child of a schema or an array."""
    if not parent.children or not parent.children[0] or not parent.children[0].contents.release:
        raise ValueError(
            f"{name}(): the column of the Arrow struct is missing, or was released or moved before"
        )
    return parent.children[0].contents


def _kind(schema: ArrowSchema, name: str) -> bytes:
    """The format of the text in *schema*, or of its only column; raises TypeError for anything else."""
    given = schema.format or b""
    if given == b"+s" and not schema.dictionary:
        if schema.n_children != 1:
            raise TypeError(f"{name}(): the table has {schema.n_children} columns: pass one of them")
        schema = _child(schema, name)
        given = schema.format or b""
    text = given
    if schema.dictionary:
        if given not in _INDICES:
            raise TypeError(f"{name}(): a dictionary's indices of format {_format(given)}")
        text = schema.dictionary.contents.format or b""
        if schema.dictionary.contents.dictionary:
            raise TypeError(f"{name}(): a dictionary of dictionaries: decode it first")
    if text not in _TEXTS and text != b"n":
        kind = next((kind for start, kind in _KINDS.items() if text.startswith(start)), "an unknown type")
        raise TypeError(
            f"{name}(): takes a column of text, this one is {kind} (Arrow format {_format(text)})"
        )
    return given


def _format(format: bytes) -> str:
    return ascii(format.decode("utf-8", "replace")[:20])


def _column(schema: ArrowSchema, array: ArrowArray, owner: object, name: str) -> Chunk:
    _kind(schema, name)
    if schema.format != b"+s":
        return _rows(schema, array, 0, array.length, owner, name)
    _wants(array, 1, name)
    if array.n_children != 1:
        raise ValueError(f"{name}(): the Arrow struct has {array.n_children} children, its schema 1")
    child = _rows(_child(schema, name), _child(array, name), array.offset, array.length, owner, name)
    nulls = _nulls(array, array.offset, array.length, owner, name)
    if nulls is not None and child.nulls is not None:
        nulls |= child.nulls
    return child._replace(nulls=child.nulls if nulls is None else nulls)


# Views are the widest rows, and only they have more than three buffers: no memory holds more of either.
_MOST_ROWS = 1 << 58
_MOST_BUFFERS = 1 << 31


def _wants(array: ArrowArray, buffers: int, name: str) -> None:
    if array.length < 0 or array.offset < 0 or array.length + array.offset > _MOST_ROWS:
        raise ValueError(f"{name}(): an Arrow array of length {array.length} and offset {array.offset}")
    if not buffers <= array.n_buffers <= _MOST_BUFFERS or (buffers and not array.buffers):
        raise ValueError(f"{name}(): the Arrow array has {array.n_buffers} buffers, not {buffers}")


def _memory(address: int | None, size: int, owner: object, dtype: Any = np.uint8) -> Array:
    if not size:
        return np.empty(0, dtype)
    held: Any = (ctypes.c_ubyte * size).from_address(address or 0)
    held.owner = owner  # which lives as long as a view does
    found = np.frombuffer(held, dtype)
    found.flags.writeable = False
    return found


def _buffer(array: ArrowArray, which: int, size: int, dtype: Any, owner: object, name: str) -> Array:
    address = array.buffers[which]
    if not address and size:
        raise ValueError(f"{name}(): buffer {which} of the Arrow array is missing")
    return _memory(address, size, owner, dtype)


def _nulls(array: ArrowArray, start: int, count: int, owner: object, name: str) -> Array | None:
    if not array.null_count or not count or not array.n_buffers:
        return None
    address = array.buffers[0]
    if not address:
        if array.null_count > 0:
            raise ValueError(f"{name}(): the Arrow array has nulls and no validity bitmap")
        return None
    first = start >> 3
    bits = _memory(address, (start + count + 7) >> 3, owner)[first:]
    valid = np.unpackbits(bits, count=(start & 7) + count, bitorder="little")[start & 7 :]
    nulls: Array = valid == 0
    return nulls


def _rows(schema: ArrowSchema, array: ArrowArray, first: int, count: int, owner: object, name: str) -> Chunk:
    kind = schema.format
    if first < 0 or count < 0 or array.length - first < count:
        raise ValueError(f"{name}(): the Arrow struct is longer than its column")
    if kind == b"n":
        return Chunk("nothing", (), count, np.ones(count, np.bool_))
    _wants(array, 2 if schema.dictionary else 3, name)
    start = array.offset + first
    nulls = _nulls(array, start, count, owner, name)
    if schema.dictionary:
        if not array.dictionary:
            raise ValueError(f"{name}(): the Arrow array lacks its dictionary")
        dtype = np.dtype(_INDICES[kind])
        indices = _buffer(array, 1, dtype.itemsize * (start + count), dtype, owner, name)[start:]
        values = array.dictionary.contents
        texts = _rows(schema.dictionary.contents, values, 0, values.length, owner, name)
        return Chunk("dictionary", (indices, texts), count, nulls)
    if kind == b"vu":
        views = _buffer(array, 1, 16 * (start + count), np.uint8, owner, name)[16 * start :]
        sizes = _buffer(array, int(array.n_buffers) - 1, 8 * (array.n_buffers - 3), np.int64, owner, name)
        if len(sizes) and sizes.min() < 0:
            raise ValueError(f"{name}(): a text buffer of the Arrow array has a negative size")
        buffers = [_buffer(array, 2 + at, int(size), np.uint8, owner, name) for at, size in enumerate(sizes)]
        return Chunk("views", (views, buffers), count, nulls)
    dtype = np.dtype(np.int32 if kind == b"u" else np.int64)
    if not count:  # no offsets are needed
        return Chunk("offsets", (np.zeros(1, dtype), np.empty(0, np.uint8)), 0, nulls)
    ends = _buffer(array, 1, dtype.itemsize * (start + count + 1), dtype, owner, name)[start:]
    last = int(ends[-1])
    if last < 0 or last > 1 << 62:
        what = "negative" if last < 0 else "absurd"
        raise ValueError(f"{name}(): the last offset of the Arrow array is {what}")
    return Chunk("offsets", (ends, _buffer(array, 2, last, np.uint8, owner, name)), count, nulls)


def library(name: str) -> Any:
    """Return pyarrow, which writes Arrow for the pure backend; raises ImportError that names the ways out.

    A release function in Python cannot run while an exception is on its way, and what calls it crashes.
    """
    try:
        return importlib.import_module("pyarrow")
    except ImportError:
        raise ImportError(
            f"{name}(): without the compiled extension result='arrow' needs pyarrow: pip install pyarrow, "
            "or take result='numpy'"
        ) from None


def export(
    format: bytes,
    length: int,
    null_count: int,
    buffers: tuple[bytes | None, ...],
    dictionary: tuple[bytes, int, int, tuple[bytes | None, ...]] | None,
) -> tuple[object, object]:
    """Return an Arrow array as its two capsules; *buffers* are bytes or None, *dictionary* None or the
    (format, length, null count, buffers) of one."""
    arrow = library("export")
    types = {b"b": arrow.bool_(), b"c": arrow.int8(), b"u": arrow.utf8()}

    def made(format: bytes, length: int, null_count: int, parts: tuple[bytes | None, ...]) -> Any:
        held = [None if each is None else arrow.py_buffer(each) for each in parts]
        return arrow.Array.from_buffers(types[format], length, held, null_count)

    array = made(format, length, null_count, buffers)
    if dictionary is not None:
        array = arrow.DictionaryArray.from_arrays(array, made(*dictionary))
    pair: tuple[object, object] = array.__arrow_c_array__()
    return pair
