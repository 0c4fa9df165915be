"""HashedPassword: argon2id in PHC form, also as the type of a Pydantic field (extra ``passwords``)."""

from __future__ import annotations

import os
import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from threading import BoundedSemaphore
from typing import Any, ClassVar, LiteralString, Self, cast

from pydantic import Secret, SecretBytes, SecretStr

from .._masked import HIDDEN, Masked, in_place_of_str, no_string, refusal
from ..sensitive import REDACTED, Sensitive

__all__ = ["HashedPassword", "PasswordRules"]

_MAX_LENGTH = 1024
# What a stored hash may ask of this machine: one that asks for more was not made by it.
_MOST_MEMORY, _MOST_TIME, _MOST_LANES = 2**20, 64, 64

_phc = re.compile(
    r"\$argon2id\$v=19\$m=(0|[1-9][0-9]{0,6}),t=(0|[1-9][0-9]?),p=(0|[1-9][0-9]?)"
    r"\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})"
).fullmatch

_surrogate = re.compile("[\ud800-\udfff]").search

# Each hash takes memory_cost; more at once than there are processors only takes more memory.
_running = BoundedSemaphore(os.cpu_count() or 1)


def _start_anew() -> None:
    # A thread that held it while another forked is not there to give it back.
    global _running
    _running = BoundedSemaphore(os.cpu_count() or 1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_anew)


@dataclass(frozen=True)
class PasswordRules:
    """What a hash costs, and how long a password is at least; the costs are RFC 9106's for 64 MiB."""

    time_cost: int = 3
    memory_cost: int = 65_536
    parallelism: int = 4
    min_length: int = 1

    def __post_init__(self) -> None:
        limits = {
            "time_cost": (1, _MOST_TIME),
            "memory_cost": (8 * self.parallelism if type(self.parallelism) is int else 8, _MOST_MEMORY),
            "parallelism": (1, _MOST_LANES),
            "min_length": (1, _MAX_LENGTH),
        }
        for name, (least, most) in limits.items():
            value = getattr(self, name)
            if type(value) is not int:
                raise TypeError(f"{name} is an int, not {type(value).__name__}")
            if not least <= value <= most:
                raise ValueError(f"{name} is {least} to {most}, not {value}")

    def hasher(self) -> Any:
        """Return argon2-cffi's hasher of these costs. Raises ImportError that names the extra."""
        return _hasher(self.time_cost, self.memory_cost, self.parallelism)

    def hash(self, password: Any) -> str:
        """Return the PHC string of *password*. Raises ValueError or TypeError, without the password."""
        text = _text(password)
        if not text and self.min_length == 1:
            raise ValueError("password is empty (rule: empty)")
        if text in (HIDDEN, REDACTED):  # a client that sends back what it was shown
            raise ValueError("password is the mask that is shown in the place of one (rule: masked)")
        if len(text) < self.min_length:
            raise ValueError(f"password has fewer than {self.min_length} characters (rule: length)")
        with _running:
            return str(self.hasher().hash(text.encode()))

    def outdated(self, phc: str) -> bool:
        """Return True when the hash has other costs than these."""
        return bool(self.hasher().check_needs_rehash(phc))


def revealed(value: Any) -> Any:
    """Return what a Sensitive value or a secret of Pydantic's holds; any other value as it is."""
    if isinstance(value, Sensitive):
        return value.get()
    return value.get_secret_value() if isinstance(value, (Secret, SecretStr, SecretBytes)) else value


def _text(password: Any) -> str:
    """Return the password as it is hashed and counted."""
    password = revealed(password)
    if not issubclass(type(password), str):
        raise TypeError(f"password is a str, not {type(password).__name__}")
    text = str.__str__(password)
    if len(text) <= 4 * _MAX_LENGTH:  # of more not even NFC, in which four characters may be one, is short
        if has_surrogate(text):
            raise ValueError("password has a lone surrogate (U+D800 to U+DFFF) (rule: character)")
        # RFC 8265, 4.2.2: keyboards write the same letter in more than one way.
        text = unicodedata.normalize("NFC", text)
    if len(text) > _MAX_LENGTH:
        raise ValueError(f"password has more than {_MAX_LENGTH} characters (rule: length)")
    return text


def has_surrogate(text: str) -> bool:
    """Return True for text that has no UTF-8, as a character of it is half of another."""
    return not text.isascii() and bool(_surrogate(text))


@cache
def _hasher(time_cost: int, memory_cost: int, parallelism: int) -> Any:
    try:
        from argon2 import PasswordHasher
    except ImportError as error:
        raise ImportError(
            "hashing passwords needs argon2-cffi: pip install 'foobara-accel[passwords]'"
        ) from error
    return PasswordHasher(time_cost=time_cost, memory_cost=memory_cost, parallelism=parallelism)


def _verified(hasher: Any, phc: str, data: bytes) -> bool:
    from argon2.exceptions import VerificationError, VerifyMismatchError

    try:
        return bool(hasher.verify(phc, data))
    except VerifyMismatchError:
        return False
    except VerificationError as error:
        raise ValueError(f"the hash of a password cannot be read: {error}") from None


def _checked(value: Any, lenient: object = False) -> tuple[str, str]:
    if not isinstance(value, str):
        raise TypeError(f"a hash of a password is a str, not {type(value).__name__}")
    text = str.__str__(value)
    found = _phc(text)
    if found is None or any(len(part) % 4 == 1 for part in found.groups()[3:]):
        return "", "format" if text else "empty"
    memory, time, lanes = map(int, found.groups()[:3])
    if not (8 * lanes <= memory <= _MOST_MEMORY and 1 <= time <= _MOST_TIME and 1 <= lanes <= _MOST_LANES):
        return "", "costs"
    return text, ""


class HashedPassword(Masked):
    """A password's argon2id hash: ``HashedPassword(stored)`` takes a stored PHC string, ``of`` makes one.

    As the type of a Pydantic field it takes the password itself and hashes it, whatever it looks like; what
    is a HashedPassword already stays. ``str()``, ``repr()`` and JSON show nothing of it; ``canonical`` is
    the PHC string to store.
    """

    __slots__ = ()

    _SYMBOL: ClassVar[LiteralString] = "password"
    _WHAT: ClassVar[str] = "hash of a password"
    _RULES: ClassVar[dict[str, str]] = {
        "empty": "is empty",
        "format": "is not $argon2id$v=19$m=...,t=...,p=...$salt$hash",
        "costs": f"asks for other than 8 (per lane) to {_MOST_MEMORY} KiB, 1 to {_MOST_TIME} passes and 1 to "
        f"{_MOST_LANES} lanes",
    }
    _check: ClassVar[Any] = staticmethod(_checked)
    _TAKEN: ClassVar[dict[str, Any]] = {
        "format": "password",
        "writeOnly": True,
        "minLength": 1,
        "maxLength": _MAX_LENGTH,
    }
    _SHOWN: ClassVar[dict[str, Any]] = {"examples": [HIDDEN]}

    @classmethod
    def of(cls, password: str | SecretStr | Sensitive[str], rules: PasswordRules | None = None) -> Self:
        """Return the hash of *password*. Raises ValueError or TypeError, without the password."""
        return cls._made((rules or PasswordRules()).hash(password))

    @property
    def masked(self) -> str:
        """What may be shown: nothing."""
        return HIDDEN

    def verify(self, password: str | SecretStr | Sensitive[str]) -> bool:
        """Return True when this is the hash of *password*. Raises TypeError for anything but a str."""
        hasher = PasswordRules().hasher()
        try:
            data = _text(password).encode()
        except ValueError:  # no such password has a hash
            return False
        with _running:
            return _verified(hasher, self.canonical, data)

    def needs_rehash(self, rules: PasswordRules | None = None) -> bool:
        """Return True when it has other costs than *rules*, or than the present default."""
        return (rules or PasswordRules()).outdated(self.canonical)

    @classmethod
    def _of_field(cls, value: Any, handler: Any = None) -> Self:
        if issubclass(type(value), cls):
            return cast(Self, value)
        value = revealed(value)
        if not issubclass(type(value), str):
            raise no_string(cls.__name__)
        try:
            return cls.of(value)
        except ValueError as error:
            told = str(error)
        raise refusal(cls.__name__, cls._SYMBOL, "{told}", told=told)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        PasswordRules().hasher()
        return in_place_of_str(cls._of_field, cls.__name__)


HashedPassword.__module__ = "foobara_accel.types.transformers.passwords"
