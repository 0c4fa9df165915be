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

CARDS: int
IBANS: int
BRANDS: int
COUNTRIES: int
NULL_ROW: int
BAD_VIEW: int

def kernel() -> str: ...
def fixed(kind: int, rows: _Array, out: _Array, lenient: bool, brands: _Brands | None) -> None: ...
def wide(
    kind: int, rows: _Array, swapped: bool, out: _Array, lenient: bool, brands: _Brands | None
) -> None: ...
def offsets(
    kind: int, ends: _Array, text: _Array, out: _Array, lenient: bool, brands: _Brands | None
) -> int: ...
def views(
    kind: int, rows: _Array, buffers: Sequence[_Array], out: _Array, lenient: bool, brands: _Brands | None
) -> None: ...
def objects(
    kind: int, values: tuple[Any, ...], out: _Array, lenient: bool, brands: _Brands | None
) -> int: ...
def export(
    format: bytes,
    length: int,
    null_count: int,
    buffers: tuple[bytes | None, ...],
    dictionary: tuple[bytes, int, int, tuple[bytes | None, ...]] | None,
) -> tuple[object, object]: ...
