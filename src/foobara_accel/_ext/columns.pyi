from collections.abc import Sequence
from typing import Any

import numpy as np

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

_Array = np.ndarray[Any, np.dtype[Any]]
_Brands = tuple[_Array, _Array, _Array, _Array]
_Phones = tuple[bytes, int, bool]
_Given = _Brands | _Phones | None

CARDS: int
IBANS: int
BRANDS: int
COUNTRIES: int
PHONES: int
NULL_ROW: int
BAD_VIEW: int
OTHER_ROW: int

def kernel() -> str: ...
def fixed(kind: int, rows: _Array, out: _Array, lenient: bool, given: _Given) -> None: ...
def wide(kind: int, rows: _Array, swapped: bool, out: _Array, lenient: bool, given: _Given) -> None: ...
def offsets(kind: int, ends: _Array, text: _Array, out: _Array, lenient: bool, given: _Given) -> int: ...
def views(
    kind: int, rows: _Array, buffers: Sequence[_Array], out: _Array, lenient: bool, given: _Given
) -> None: ...
def objects(kind: int, values: tuple[Any, ...], out: _Array, lenient: bool, given: _Given) -> int: ...
def export(
    format: bytes,
    length: int,
    null_count: int,
    buffers: tuple[bytes | None, ...],
    dictionary: tuple[bytes, int, int, tuple[bytes | None, ...]] | None,
) -> tuple[object, object]: ...
