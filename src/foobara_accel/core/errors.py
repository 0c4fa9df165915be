"""Errors: FoobaraError, its collection, and the words they use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._backend import errors as _twin
from .._reports import ERROR_SUGGESTIONS
from .._vocabulary import ErrorCategory, ErrorSeverity
from .symbols import ErrorSymbols, Symbols

if TYPE_CHECKING:
    from .._pure.errors import ErrorCollection, FoobaraError, errors_from_validation
else:
    FoobaraError = _twin.FoobaraError
    ErrorCollection = _twin.ErrorCollection
    errors_from_validation = _twin.errors_from_validation

__all__ = [
    "ERROR_SUGGESTIONS",
    "DataError",
    "ErrorCategory",
    "ErrorCollection",
    "ErrorSeverity",
    "ErrorSymbols",
    "FoobaraError",
    "Symbols",
    "errors_from_validation",
]

DataError = FoobaraError

# What pickles of both backends name; defined here so that the name they carry is this module's, and
# loads where only the other backend is installed.


def _restore_cause(error: Any, cause: Any) -> None:
    error.cause = cause


def _restore_error(*fields: Any) -> Any:
    return _twin._restore_error(*fields)


def _restore_collection(*errors: Any) -> Any:
    return _twin.collection_of(*errors)
