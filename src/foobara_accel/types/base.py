"""Types for the fields of Pydantic models: bounded numbers, texts in a normal form."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from ._known import Known, function_of, is_plain_str
from .validators.stock import EmailValidator

__all__ = [
    "EmailAddress",
    "LongStr",
    "LowercaseStr",
    "MediumStr",
    "NonEmptyStr",
    "NonNegativeFloat",
    "NonNegativeInt",
    "Percentage",
    "PhoneNumber",
    "PositiveFloat",
    "PositiveInt",
    "ShortStr",
    "TitleCaseStr",
    "Username",
    "string_length",
]

_is_username = re.compile(r"[a-zA-Z0-9_]{3,30}").fullmatch
_is_phone = re.compile(r"\+?[0-9]{10,15}").fullmatch
_email = EmailValidator()


def _as_email(value: str) -> str:
    return _email.process(value).lower()


def _as_username(value: str) -> str:
    if not _is_username(value):
        raise ValueError("a user name is 3 to 30 letters a-z, digits or underscores")
    return value


def _as_phone(value: str) -> str:
    digits = re.sub(r"[\s().-]", "", value)
    if not _is_phone(digits):
        raise ValueError("a phone number is 10 to 15 digits, after a + or not")
    return digits


class _Trim:
    """What stands before the check of a text whose outer blanks do not count."""

    @classmethod
    def of_field(cls, value: Any) -> Any:
        return value.strip() if isinstance(value, str) else value

    @classmethod
    def __foobara_guard__(cls, schema: Mapping[str, Any]) -> Known | None:
        check, before = function_of(schema, "function-after"), schema.get("schema", {})
        if function_of(before, "function-before") != cls.of_field or not is_plain_str(before["schema"]):
            return None
        after = check if any(check is known for known in _CHECKS) else _at_least(check)
        return None if after is None else Known("call", call=lambda text: after(text.strip()))


_CHECKS: tuple[Any, ...] = (_as_email, _as_username, _as_phone, str.title, str.lower)


def _at_least(check: Any) -> Callable[[str], str] | None:
    """What Pydantic makes of Field(min_length=...) behind a function, if that is *check*."""
    if type(check) is not partial or check.args or check.keywords.keys() != {"min_length"}:
        return None
    made = check.func
    if (made.__module__, made.__name__) != ("pydantic._internal._validators", "min_length_validator"):
        return None
    least: int = check.keywords["min_length"]

    def long_enough(text: str) -> str:
        if len(text) < least:
            raise ValueError("too short")  # Pydantic then says so
        return text

    return long_enough


_Stripped = BeforeValidator(_Trim.of_field)

PositiveInt = Annotated[int, Field(gt=0)]
NonNegativeInt = Annotated[int, Field(ge=0)]
PositiveFloat = Annotated[float, Field(gt=0)]
NonNegativeFloat = Annotated[float, Field(ge=0)]
Percentage = Annotated[float, Field(ge=0, le=100)]

EmailAddress = Annotated[str, _Stripped, AfterValidator(_as_email)]
Username = Annotated[str, _Stripped, AfterValidator(_as_username)]
#: Any text of 10 to 15 digits, which come out; whether there is such a number is not asked.
PhoneNumber = Annotated[str, _Stripped, AfterValidator(_as_phone)]
NonEmptyStr = Annotated[str, _Stripped, Field(min_length=1)]
TitleCaseStr = Annotated[str, _Stripped, AfterValidator(str.title)]
LowercaseStr = Annotated[str, _Stripped, AfterValidator(str.lower)]


def string_length(min_len: int | None = None, max_len: int | None = None) -> Any:
    """Return the type of texts of at least *min_len* and at most *max_len* characters.

    Raises ValueError where no length is both.
    """
    if min_len is not None and max_len is not None and min_len > max_len:
        raise ValueError(f"min_len={min_len} must not be above max_len={max_len}")
    return Annotated[str, Field(min_length=min_len, max_length=max_len)]


ShortStr = Annotated[str, Field(max_length=50)]
MediumStr = Annotated[str, Field(max_length=255)]
LongStr = Annotated[str, Field(max_length=1000)]
