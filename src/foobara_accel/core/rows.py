"""The rows of `Command.run_many`: mappings of inputs, a mapping of columns, or a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .._reports import kind_of

__all__ = ["note_row", "rows_of"]

# What pyarrow and polars call the list of their rows as dicts.
_LISTS = ("to_pylist", "to_dicts")
_PER_MICROSECOND = {"ns": 10**3, "ps": 10**6, "fs": 10**9, "as": 10**12}


def rows_of(given: Any, name: str) -> list[Mapping[str, Any]]:
    """Return *given* as a list of mappings from names to inputs; *name* is the command that errors speak of.

    Raises TypeError for a row that is no mapping or has a key that is no str, ValueError for columns of
    different lengths. Neither holds a value.
    """
    if isinstance(given, Mapping):
        return _of_columns(given, name)
    if isinstance(given, type):
        raise TypeError(f"{name}.run_many() takes rows, not the class {given.__name__}")
    named = getattr(given, "column_names", ())
    if isinstance(named, list) and len(set(named)) < len(named):
        twice = next(each for each in named if named.count(each) > 1)
        raise ValueError(f"{name}.run_many(): the table has two columns {twice!r}; rows have one of a name")
    for method in _LISTS:
        if callable(getattr(given, method, None)):
            given = getattr(given, method)()
            break
    if isinstance(given, str | bytes | bytearray) or not isinstance(given, Iterable) or _scalar(given):
        raise TypeError(
            f"{name}.run_many() takes an iterable of mappings or a mapping of columns, not {kind_of(given)}"
        )
    if _is_frame(given):
        raise TypeError(
            f"{name}.run_many() takes no {type(given).__name__} of pandas: its to_dict('records') gives rows"
        )
    rows = list(given)
    for at, row in enumerate(rows):
        if type(row) is not dict and not isinstance(row, Mapping):
            raise TypeError(
                f"{name}.run_many(): row {at} is {kind_of(row)}; a row is a mapping from the names of inputs"
            )
        for key in row:
            if type(key) is not str and not issubclass(type(key), str):
                raise TypeError(
                    f"{name}.run_many(): row {at} has {kind_of(key)} as a key; inputs are named by str"
                )
    return rows


def _of_columns(given: Mapping[Any, Any], name: str) -> list[Mapping[str, Any]]:
    columns: dict[str, list[Any]] = {}
    for key, column in given.items():
        if not issubclass(type(key), str):
            raise TypeError(
                f"{name}.run_many(): a column is named by {kind_of(key)}; inputs are named by str"
            )
        if (
            isinstance(column, str | bytes | bytearray | Mapping)
            or not isinstance(column, Iterable)
            or _scalar(column)
            or _is_frame(column)
        ):
            raise TypeError(
                f"{name}.run_many(): column {key!r} is {kind_of(column)}; "
                "a mapping is one of columns, a single row goes to run()"
            )
        # NumPy and pandas: values of Python's own types, as a model takes them.
        plain = next(
            (getattr(column, each) for each in ("tolist", "to_pylist") if hasattr(column, each)), None
        )
        values = list(column) if plain is None else plain()
        if getattr(getattr(column, "dtype", None), "kind", "") in ("m", "M"):
            values = _times(column, values, f"{name}.run_many(): column {key!r}")
        columns[key] = values
    lengths = {len(column) for column in columns.values()}
    if len(lengths) > 1:
        shown = ", ".join(f"{key!r} has {len(column)}" for key, column in columns.items())
        raise ValueError(f"{name}.run_many(): columns of different lengths: {shown}")
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _times(column: Any, values: list[Any], which: str) -> list[Any]:
    """Return the times of NumPy's *column*, which gives bare numbers for what is finer than a microsecond."""
    if not any(type(each) is int for each in values):
        return values
    import numpy as np

    kind = column.dtype.kind
    unit, count = np.datetime_data(column.dtype)
    if kind == "m" and unit in ("Y", "M", "generic"):
        raise TypeError(
            f"{which} is of {column.dtype}: how long that is, nothing tells; give a unit up to weeks"
        )
    # By whole numbers: what is too far away wraps around where NumPy converts it.
    step, rest = divmod(_PER_MICROSECOND.get(unit, 0), count)
    if step and not rest:
        raw = column.astype(column.dtype.newbyteorder("=")).view(np.int64)
        missing = np.isnat(column)
        if (missing | (raw % step == 0)).all():
            values = np.where(missing, raw, raw // step).view(f"{kind}8[us]").tolist()
    if any(type(each) is int for each in values):
        raise ValueError(
            f"{which} has times that Python has none for, finer than microseconds or too far away: "
            f"round them, as in .astype('{kind}8[us]')"
        )
    return values


def _scalar(given: Any) -> bool:
    # An array of NumPy without a dimension says that it can be iterated over.
    return getattr(given, "shape", None) == ()


def _is_frame(given: Any) -> bool:
    # What pandas has, which gives the names of its columns when it is iterated over.
    return hasattr(given, "columns") and hasattr(given, "to_dict")


def note_row(error: BaseException, name: str, at: int) -> None:
    """Add to what ends the runs of many rows in which of them it was raised."""
    error.add_note(f"{name}.run_many(): raised in row {at}")
