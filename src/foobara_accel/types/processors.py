"""What every processor is: a callable that returns the value or raises ValueError or TypeError."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Generic, TypeVar

__all__ = ["Caster", "Transformer", "TypeProcessor", "Validator"]

T = TypeVar("T")


class TypeProcessor(ABC, Generic[T]):
    """Looks at one value: ``process`` returns it, or another in its place, or raises."""

    @abstractmethod
    def process(self, value: Any) -> Any:
        """Return the value. Raises ValueError or TypeError, with a message, for one that it refuses."""

    def __call__(self, value: Any) -> Any:
        """Return what ``process`` does."""
        return self.process(value)


class Caster(TypeProcessor[T]):
    """A processor that makes a value of another type of what it is given."""


class Validator(TypeProcessor[T]):
    """A processor that refuses what breaks a rule."""


class Transformer(TypeProcessor[T]):
    """A processor that changes a value."""
