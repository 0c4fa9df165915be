"""Outcomes: CommandOutcome, which commands return, and the plain pair Success and Failure."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar

from .._backend import errors as _twin
from .._reports import shown

if TYPE_CHECKING:
    from .._pure.errors import CommandOutcome
else:
    CommandOutcome = _twin.CommandOutcome

__all__ = ["CommandOutcome", "Failure", "Outcome", "OutcomeBase", "Success"]

T = TypeVar("T")
U = TypeVar("U")


class OutcomeBase(ABC, Generic[T]):
    """What an outcome of one's own is to have; those of this module do not derive from it."""

    @abstractmethod
    def is_success(self) -> bool:
        """Tell whether there is a result."""

    @abstractmethod
    def is_failure(self) -> bool:
        """Tell whether there are errors."""

    @abstractmethod
    def unwrap(self) -> T:
        """Return the result, or raise."""

    @abstractmethod
    def unwrap_or(self, default: T) -> T:
        """Return the result, or *default*."""


@dataclass(repr=False)
class Success(Generic[T]):
    """A result."""

    result: T

    def __repr__(self) -> str:
        return f"{type(self).__qualname__}(result={shown(self.result)})"

    def is_success(self) -> bool:
        """Return True."""
        return True

    def is_failure(self) -> bool:
        """Return False."""
        return False

    def unwrap(self) -> T:
        """Return the result."""
        return self.result

    def unwrap_or(self, default: object) -> T:
        """Return the result."""
        return self.result

    def map(self, fn: Callable[[T], U]) -> Success[U]:
        """Return a Success with ``fn(result)``."""
        return Success(fn(self.result))


@dataclass
class Failure:
    """Errors; a Failure with none is still a failure."""

    errors: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.errors = CommandOutcome(errors=self.errors).errors  # a list of its own, of errors

    def is_success(self) -> bool:
        """Return False."""
        return False

    def is_failure(self) -> bool:
        """Return True."""
        return True

    def unwrap(self) -> NoReturn:
        """Raise ValueError with the messages."""
        raise ValueError(f"Called unwrap on failure: {self.error_messages()}")

    def unwrap_or(self, default: U) -> U:
        """Return *default*."""
        return default

    def map(self, fn: Callable[[Any], Any]) -> Failure:
        """Return this failure."""
        return self

    def error_messages(self) -> list[str]:
        """Return the messages."""
        return [error.message for error in self.errors]

    def first_error(self) -> Any:
        """Return the first error, or None."""
        return self.errors[0] if self.errors else None


Outcome = Success[T] | Failure

# What pickles of both backends name; it calls the active twin.


def _restore_outcome(*fields: Any) -> Any:
    return _twin._restore_outcome(*fields)
