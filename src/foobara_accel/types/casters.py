"""The stock casters: other values made into values of a type. No error repeats the value."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from pydantic import BaseModel

from ._elements import locate
from .processors import Caster

__all__ = [
    "BooleanCaster",
    "DateCaster",
    "DateTimeCaster",
    "DictCaster",
    "FloatCaster",
    "IntegerCaster",
    "ListCaster",
    "StringCaster",
    "UUIDCaster",
]


def _refused(value: Any, wanted: str, takes: str) -> TypeError:
    return TypeError(f"a value of type {type(value).__name__} cannot be made {wanted}; give {takes}")


class StringCaster(Caster[str]):
    """Casts anything but None by ``str()``."""

    __slots__ = ()

    def process(self, value: Any) -> str:
        """Return the text; TypeError for None."""
        if value is None:
            raise _refused(value, "a string", "any other value")
        return str(value)


class IntegerCaster(Caster[int]):
    """Casts bools, numbers (what is after the point is cut off) and texts that ``int()`` takes."""

    __slots__ = ()

    def process(self, value: Any) -> int:
        """Return the int; ValueError for a text or a number that is none, TypeError for other types."""
        if isinstance(value, bool):
            return int(value)
        if isinstance(value, int):
            return value
        if isinstance(value, (str, float, Decimal)):
            try:
                return int(value.strip() if isinstance(value, str) else value)
            except (ValueError, OverflowError):
                told = "this cannot be made an integer; give digits such as '42'"
            raise ValueError(told)  # not above: the error that has the text in it would be its context
        raise _refused(value, "an integer", "an int, a float, a Decimal or a text of digits")


class FloatCaster(Caster[float]):
    """Casts ints, Decimals and texts that ``float()`` takes."""

    __slots__ = ()

    def process(self, value: Any) -> float:
        """Return the float; ValueError for a text or a number that is none, TypeError for other types."""
        if isinstance(value, float):
            return value
        if isinstance(value, (str, int, Decimal)):
            try:
                return float(value.strip() if isinstance(value, str) else value)
            except (ValueError, OverflowError):
                told = "this cannot be made a float; give a number such as '1.5'"
            raise ValueError(told)
        raise _refused(value, "a float", "an int, a float, a Decimal or a text such as '1.5'")


class BooleanCaster(Caster[bool]):
    """Casts ints (0 is false) and words in either case: true/false, yes/no, on/off, t/f, y/n, 1/0."""

    __slots__ = ()

    TRUE_VALUES: ClassVar[frozenset[str]] = frozenset(("true", "yes", "1", "on", "t", "y"))
    FALSE_VALUES: ClassVar[frozenset[str]] = frozenset(("false", "no", "0", "off", "f", "n"))

    def process(self, value: Any) -> bool:
        """Return the bool; ValueError for another word, TypeError for another type."""
        if isinstance(value, bool):
            return value
        if isinstance(value, int):
            return value != 0
        if isinstance(value, str):
            word = value.strip().lower()
            if word in self.TRUE_VALUES:
                return True
            if word in self.FALSE_VALUES:
                return False
            raise ValueError("this word is no boolean; give true or false, yes or no, on or off, 1 or 0")
        raise _refused(value, "a boolean", "a bool, an int or a word such as 'yes'")


class DateCaster(Caster[date]):
    """Casts datetimes and texts: ISO 8601, then month/day/year, day/month/year, year/month/day."""

    __slots__ = ()

    FORMATS: ClassVar[tuple[str, ...]] = ("%Y-%m-%d", "%m/%d/%Y", "%d/%m/%Y", "%Y/%m/%d")

    def process(self, value: Any) -> date:
        """Return the date; ValueError for a text that is none, TypeError for another type."""
        if isinstance(value, datetime):
            return value.date()
        if isinstance(value, date):
            return value
        if isinstance(value, str):
            found = _parsed(value.strip(), date.fromisoformat, self.FORMATS)
            if found is None:
                raise ValueError("this text is no date; give one such as '2026-01-31'")
            return found.date() if isinstance(found, datetime) else found
        raise _refused(value, "a date", "a date, a datetime or a text such as '2026-01-31'")


class DateTimeCaster(Caster[datetime]):
    """Casts dates (midnight), Unix timestamps (local time) and texts: ISO 8601, or month/day/year h:m:s."""

    __slots__ = ()

    FORMATS: ClassVar[tuple[str, ...]] = (
        "%Y-%m-%dT%H:%M:%S",
        "%Y-%m-%d %H:%M:%S",
        "%Y-%m-%d",
        "%m/%d/%Y %H:%M:%S",
    )

    def process(self, value: Any) -> datetime:
        """Return the datetime; ValueError for what is none, TypeError for another type."""
        if isinstance(value, datetime):
            return value
        if isinstance(value, date):
            return datetime.combine(value, time.min)
        if isinstance(value, str):
            found = _parsed(value.strip(), datetime.fromisoformat, self.FORMATS)
            if found is None:
                raise ValueError("this text is no date and time; give one such as '2026-01-31T12:00:00'")
            return found  # type: ignore[no-any-return]
        if isinstance(value, (int, float)):
            try:
                return datetime.fromtimestamp(value)
            except (ValueError, OverflowError, OSError):
                raise ValueError("this number is no Unix timestamp; give seconds since 1970") from None
        raise _refused(value, "a datetime", "a datetime, a date, a number or a text in ISO 8601")


def _parsed(text: str, iso: Any, formats: tuple[str, ...]) -> Any:
    try:
        return iso(text)
    except ValueError:
        pass
    for each in formats:
        try:
            return datetime.strptime(text, each)
        except ValueError:
            continue
    return None


class UUIDCaster(Caster[UUID]):
    """Casts texts of 32 hexadecimal digits, with or without hyphens, and sixteen bytes."""

    __slots__ = ()

    def process(self, value: Any) -> UUID:
        """Return the UUID; ValueError for a text or bytes that are none, TypeError for another type."""
        if isinstance(value, UUID):
            return value
        if isinstance(value, (str, bytes)):
            try:
                return UUID(value.strip()) if isinstance(value, str) else UUID(bytes=value)
            except ValueError:
                raise ValueError("this is no UUID; give 32 hexadecimal digits or 16 bytes") from None
        raise _refused(value, "a UUID", "a UUID, a text or 16 bytes")


class ListCaster(Caster[list[Any]]):
    """Casts tuples and sets, splits a text at its commas, and puts any other value into a list of its own.

    With *element_caster* each element goes through that; an error names the element.
    """

    __slots__ = ("element_caster",)

    element_caster: Any

    def __init__(self, element_caster: Any = None) -> None:
        if element_caster is not None and not callable(getattr(element_caster, "process", None)):
            raise TypeError(f"element_caster must have a process(value), not {type(element_caster).__name__}")
        self.element_caster = element_caster

    def process(self, value: Any) -> list[Any]:
        """Return the list: the same one, where a list is given and no caster for its elements."""
        if isinstance(value, str):
            found = [part.strip() for part in value.split(",")]
        elif isinstance(value, (list, tuple, set, frozenset)):
            found = value if isinstance(value, list) else list(value)
        else:
            found = [value]
        caster = self.element_caster
        if caster is None:
            return found
        made: list[Any] = []
        try:
            for element in found:
                made.append(caster.process(element))
        except Exception as error:
            raise locate(error, "element", len(made), None)  # noqa: B904 (it has its cause)
        return made


class DictCaster(Caster[dict[Any, Any]]):
    """Casts Pydantic models and objects with attributes."""

    __slots__ = ()

    def process(self, value: Any) -> dict[Any, Any]:
        """Return the dict: the same one, where a dict is given; TypeError for what has no attributes."""
        if isinstance(value, dict):
            return value
        if isinstance(value, BaseModel):
            return value.model_dump()
        if hasattr(value, "__dict__"):
            return dict(vars(value))
        raise _refused(value, "a dict", "a dict, a model or an object with attributes")
