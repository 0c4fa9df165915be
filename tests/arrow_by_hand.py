"""Arrow arrays made by hand through ctypes, right ones and wrong ones, for what reads them.

A release in Python cannot run while an exception is on its way: nothing made here may be dropped then.
"""

from __future__ import annotations

import ctypes
from typing import Any

from foobara_accel._arrow import ArrowArray, ArrowSchema, _release_array, _release_schema

__all__ = ["export"]

# What is exported lives until its consumer releases it, wherever the consumer has moved the struct to.
_exported: dict[int, Any] = {}
_numbers = iter(range(1, 1 << 62))


def _forget(pointer: Any) -> None:
    struct = pointer.contents
    if struct.dictionary and struct.dictionary.contents.release:
        struct.dictionary.contents.release(struct.dictionary)
    key = struct.private_data
    struct.release = type(struct.release)()
    _exported.pop(key, None)


_forget_schema, _forget_array = _release_schema(_forget), _release_array(_forget)


def _keep(struct: Any, *owned: Any) -> None:
    struct.private_data = key = next(_numbers)
    _exported[key] = owned


def _schema(format: bytes, dictionary: Any = None) -> ArrowSchema:
    schema = ArrowSchema(format=format, name=b"", flags=2, release=_forget_schema)
    if dictionary is not None:
        schema.dictionary = ctypes.pointer(dictionary)
    _keep(schema, format, dictionary)
    return schema


def _array(
    length: int, null_count: int, buffers: tuple[bytes | None, ...], dictionary: Any = None
) -> ArrowArray:
    # One byte more: an address is needed for nothing, too.
    parts = [each if each is None else ctypes.create_string_buffer(each, len(each) + 1) for each in buffers]
    places = [None if each is None else ctypes.addressof(each) for each in parts]
    table = (ctypes.c_void_p * len(parts))(*places)
    array = ArrowArray(length=length, null_count=null_count, n_buffers=len(parts), release=_forget_array)
    array.buffers = ctypes.cast(table, ctypes.POINTER(ctypes.c_void_p))
    if dictionary is not None:
        array.dictionary = ctypes.pointer(dictionary)
    _keep(array, parts, table, dictionary)
    return array


_Drop = ctypes.PYFUNCTYPE(None, ctypes.c_void_p)
_capsules: dict[int, Any] = {}


def _capsule(struct: Any, name: bytes) -> object:
    new = ctypes.pythonapi.PyCapsule_New
    new.restype, new.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, _Drop]
    capsule = new(ctypes.addressof(struct), name, _drop)
    _capsules[id(capsule)] = (struct, name)
    return capsule


def _dropped(capsule: int) -> None:
    struct, _ = _capsules.pop(capsule)
    if struct.release:
        struct.release(ctypes.pointer(struct))


_drop = _Drop(_dropped)


def export(
    format: bytes,
    length: int,
    null_count: int,
    buffers: tuple[bytes | None, ...],
    dictionary: tuple[bytes, int, int, tuple[bytes | None, ...]] | None,
) -> tuple[object, object]:
    """Return an Arrow array as its two capsules; *buffers* are bytes or None, *dictionary* None or the
    (format, length, null count, buffers) of one."""
    schema = array = None
    if dictionary is not None:
        schema, array = _schema(dictionary[0]), _array(*dictionary[1:])
    return (
        _capsule(_schema(format, schema), b"arrow_schema"),
        _capsule(_array(length, null_count, buffers, array), b"arrow_array"),
    )
