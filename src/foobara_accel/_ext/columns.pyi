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

Array = np.ndarray[Any, np.dtype[Any]]
Brands = tuple[Array, Array, Array, Array]

CARDS: int
IBANS: int
BRANDS: int
COUNTRIES: int
NULL_ROW: int
BAD_VIEW: int

def kernel() -> str: ...
def fixed(kind: int, rows: Array, out: Array, lenient: bool, brands: Brands | None) -> None: ...
def wide(kind: int, rows: Array, swapped: bool, out: Array, lenient: bool, brands: Brands | None) -> None: ...
def offsets(kind: int, ends: Array, text: Array, out: Array, lenient: bool, brands: Brands | None) -> int: ...
def views(
    kind: int, rows: Array, buffers: Sequence[Array], out: Array, lenient: bool, brands: Brands | None
) -> None: ...
def objects(kind: int, values: tuple[Any, ...], out: Array, lenient: bool, brands: Brands | None) -> int: ...
def export(
    format: bytes,
    length: int,
    null_count: int,
    buffers: tuple[bytes | None, ...],
    dictionary: tuple[bytes, int, int, tuple[bytes | None, ...]] | None,
) -> tuple[object, object]: ...
