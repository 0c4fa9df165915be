"""The stock validators: values refused or returned. No error repeats the value."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, TypeVar

from ..processors import Validator

__all__ = [
    "ContainsValidator",
    "EmailValidator",
    "MaxLengthValidator",
    "MaxValueValidator",
    "MinLengthValidator",
    "MinValueValidator",
    "NotEmptyValidator",
    "OneOfValidator",
    "PatternValidator",
    "RangeValidator",
    "RequiredValidator",
    "URLValidator",
    "UniqueItemsValidator",
    "Validator",
]

T = TypeVar("T")


def _size(argument: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{argument} must be an int, not {type(value).__name__}")
    if value < 0:
        raise ValueError(f"{argument} must not be below 0, and is {value}")
    return value


def _holds(comparison: Callable[[Any, Any], Any], value: Any, bound: Any) -> bool:
    """Return what *comparison* says; False for a Decimal that is NaN, which raises where a float does not."""
    try:
        return bool(comparison(value, bound))
    except ArithmeticError:
        return False


class RequiredValidator(Validator[T]):
    """Refuses None."""

    __slots__ = ()

    def process(self, value: T) -> T:
        """Return *value*; ValueError for None."""
        if value is None:
            raise ValueError("a value is required, and there is none")
        return value


class MinLengthValidator(Validator[Any]):
    """Refuses texts and containers that have less than *min_length* characters or items."""

    __slots__ = ("min_length",)

    min_length: int

    def __init__(self, min_length: int) -> None:
        self.min_length = _size("min_length", min_length)

    def process(self, value: Any) -> Any:
        """Return *value*; ValueError where it is too short."""
        if len(value) < self.min_length:
            raise ValueError(f"the length must be at least {self.min_length}, and is {len(value)}")
        return value


class MaxLengthValidator(Validator[Any]):
    """Refuses texts and containers that have more than *max_length* characters or items."""

    __slots__ = ("max_length",)

    max_length: int

    def __init__(self, max_length: int) -> None:
        self.max_length = _size("max_length", max_length)

    def process(self, value: Any) -> Any:
        """Return *value*; ValueError where it is too long."""
        if len(value) > self.max_length:
            raise ValueError(f"the length must be at most {self.max_length}, and is {len(value)}")
        return value


class MinValueValidator(Validator[T]):
    """Refuses values below *min_value*, or, where that is *exclusive*, equal to it."""

    __slots__ = ("exclusive", "min_value")

    min_value: T
    exclusive: bool

    def __init__(self, min_value: T, exclusive: bool = False) -> None:
        self.min_value = min_value
        self.exclusive = exclusive

    def process(self, value: Any) -> T:
        """Return *value*; ValueError where it is too small, or is not a number (NaN)."""
        if self.exclusive:
            if not _holds(operator.gt, value, self.min_value):
                raise ValueError(f"the value must be greater than {self.min_value}")
        elif not _holds(operator.ge, value, self.min_value):
            raise ValueError(f"the value must be at least {self.min_value}")
        return value  # type: ignore[no-any-return]


class MaxValueValidator(Validator[T]):
    """Refuses values above *max_value*, or, where that is *exclusive*, equal to it."""

    __slots__ = ("exclusive", "max_value")

    max_value: T
    exclusive: bool

    def __init__(self, max_value: T, exclusive: bool = False) -> None:
        self.max_value = max_value
        self.exclusive = exclusive

    def process(self, value: Any) -> T:
        """Return *value*; ValueError where it is too large, or is not a number (NaN)."""
        if self.exclusive:
            if not _holds(operator.lt, value, self.max_value):
                raise ValueError(f"the value must be less than {self.max_value}")
        elif not _holds(operator.le, value, self.max_value):
            raise ValueError(f"the value must be at most {self.max_value}")
        return value  # type: ignore[no-any-return]


class RangeValidator(Validator[T]):
    """Refuses values outside of *min_value* to *max_value*, both of which are inside."""

    __slots__ = ("max_value", "min_value")

    min_value: T
    max_value: T

    def __init__(self, min_value: T, max_value: T) -> None:
        self.min_value = min_value
        self.max_value = max_value

    def process(self, value: Any) -> T:
        """Return *value*; ValueError where it is outside, or is not a number (NaN)."""
        inside = _holds(operator.ge, value, self.min_value) and _holds(operator.le, value, self.max_value)
        if not inside:
            raise ValueError(f"the value must be from {self.min_value} to {self.max_value}")
        return value  # type: ignore[no-any-return]


class PatternValidator(Validator[str]):
    """Refuses texts whose beginning does not match *pattern*; *message* is then what the error says."""

    __slots__ = ("_told", "message", "pattern")

    pattern: re.Pattern[str]
    message: str

    def __init__(self, pattern: str | re.Pattern[str], message: str | None = None) -> None:
        try:
            self.pattern = re.compile(pattern)
        except re.error as error:
            raise ValueError(f"pattern={pattern!r} is no regular expression: {error}") from None
        self._told = self._of_pattern()
        self.message = message or self._told

    def _of_pattern(self) -> str:
        return f"the text must match the pattern {self.pattern.pattern}"

    def process(self, value: str) -> str:
        """Return *value*; ValueError where it does not match."""
        if not self.pattern.match(value):
            # The pattern may be another one by now, and so may a message that somebody wrote.
            raise ValueError(self._of_pattern() if self.message == self._told else self.message)
        return value


class OneOfValidator(Validator[T]):
    """Refuses what is not one of *allowed_values*."""

    __slots__ = ("_given", "allowed_values")

    allowed_values: frozenset[T]

    def __init__(self, allowed_values: Iterable[T]) -> None:
        if isinstance(allowed_values, str):
            raise TypeError(f"allowed_values must be a list of values: write [{allowed_values!r}]")
        self._given = tuple(dict.fromkeys(allowed_values))
        self.allowed_values = frozenset(self._given)

    def process(self, value: T) -> T:
        """Return *value*; ValueError where it is not allowed."""
        try:
            found = value in self.allowed_values
        except TypeError:  # unhashable: equal to none of them
            found = False
        if not found:
            # In the order in which they were given, unless they are others by now.
            values = self._given if frozenset(self._given) == self.allowed_values else self.allowed_values
            raise ValueError(f"the value must be one of {', '.join(map(repr, values))}")
        return value


class EmailValidator(Validator[str]):
    """Refuses what is not written as an address: a name, @, and a host of two labels or more."""

    __slots__ = ()

    EMAIL_PATTERN: ClassVar[re.Pattern[str]] = re.compile(
        r"[\w+%'-]+(?:\.[\w+%'-]+)*@(?:\w(?:[\w-]*\w)?\.)+[a-zA-Z](?:[a-zA-Z0-9-]*[a-zA-Z0-9])\Z"
    )

    def process(self, value: str) -> str:
        """Return *value*; ValueError where it is no address."""
        if not self.EMAIL_PATTERN.match(value):
            raise ValueError("this is no e-mail address; give one such as name@example.com")
        return value


class URLValidator(Validator[str]):
    """Refuses what is not written as an http or https URL with a host name, localhost or an IP address."""

    __slots__ = ()

    URL_PATTERN: ClassVar[re.Pattern[str]] = re.compile(
        # "a": some letters outside of ASCII, such as U+212A, are [a-z] where case is ignored.
        r"(?ai:https?://"
        r"(?:(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])\.?"
        r"|localhost|(?:[0-9]{1,3}\.){3}[0-9]{1,3}|\[[0-9a-f:.]{2,45}\]))"
        r"(?::[0-9]{1,5})?(?:[/?#]\S*)?\Z"
    )

    def process(self, value: str) -> str:
        """Return *value*; ValueError where it is no URL."""
        if not self.URL_PATTERN.match(value):
            raise ValueError("this is no URL; give one such as https://example.com/")
        return value


class NotEmptyValidator(Validator[T]):
    """Refuses what is false: an empty text or container, and 0."""

    __slots__ = ()

    def process(self, value: T) -> T:
        """Return *value*; ValueError where it is empty."""
        if not value:
            raise ValueError("the value must not be empty")
        return value


class UniqueItemsValidator(Validator[Any]):
    """Refuses containers in which two items are equal.

    Items without a hash, such as lists, are compared each with each: bound the length before.
    """

    __slots__ = ()

    def process(self, value: Any) -> Any:
        """Return *value*; ValueError where an item is there twice."""
        try:
            unique = len(set(value)) == len(value)
        except TypeError:  # an item without a hash
            seen: list[Any] = []
            for item in value:
                if item in seen:
                    break
                seen.append(item)
            unique = len(seen) == len(value)
        if not unique:
            raise ValueError("the items must differ, and two are equal")
        return value


class ContainsValidator(Validator[str]):
    """Refuses texts without *substring*; in either case, unless that is *case_sensitive*."""

    __slots__ = ("case_sensitive", "substring")

    substring: str
    case_sensitive: bool

    def __init__(self, substring: str, case_sensitive: bool = True) -> None:
        if not isinstance(substring, str):
            raise TypeError(f"substring must be a string, not {type(substring).__name__}")
        self.substring = substring
        self.case_sensitive = case_sensitive

    def process(self, value: str) -> str:
        """Return *value*; ValueError where the text is not in it."""
        if self.case_sensitive:
            found = self.substring in value
        else:
            try:
                found = self.substring.lower() in value.lower()
            except AttributeError:
                raise TypeError(f"ContainsValidator takes a str, not {type(value).__name__}") from None
        if not found:
            raise ValueError(f"the text must contain {self.substring!r}")
        return value
