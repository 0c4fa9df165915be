"""HashTransformer: a hash is made for a purpose, and each purpose has another right algorithm."""

from __future__ import annotations

import hashlib
import hmac
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, InitVar, dataclass, field
from typing import Any, ClassVar, Literal, LiteralString, Protocol, cast

from pydantic import Secret, SecretBytes, SecretStr
from pydantic_core import core_schema

from .._masked import (
    WRITTEN,
    Masked,
    described_str,
    in_place_of_str,
    no_string,
    of_str,
    refusal,
    tagged,
)
from ..processors import Transformer, is_secret_field
from ..validators.numbers import NumberValidator
from .passwords import HashedPassword, PasswordRules, has_surrogate, revealed

__all__ = ["FINGERPRINTS", "HashTransformer", "Purpose"]

Purpose = Literal["password", "lookup", "fingerprint"]

#: The algorithms of a fingerprint; blake3 needs the extra ``blake3``.
FINGERPRINTS: tuple[str, ...] = (
    "sha256",
    "sha384",
    "sha512",
    "sha3_256",
    "sha3_512",
    "blake2b",
    "blake2s",
    "blake3",
)
_BROKEN = ("md5", "sha1")
_SECRETS = (Secret, SecretStr, SecretBytes)
_KEY_BYTES = 32  # RFC 2104, section 3: no key shorter than the hash; NIST SP 800-107r1, 5.3.4
_version = re.compile(r"[A-Za-z0-9._-]{1,32}").fullmatch
_is_hex = re.compile(r"[0-9a-f]+").fullmatch
_token = re.compile(r"hmac-sha256\$([A-Za-z0-9._-]{1,32})\$[0-9a-f]{64}").fullmatch

_TEACHES = (
    "HashTransformer() without a purpose makes a fingerprint, which protects nothing: say purpose='password' "
    "(argon2id) for passwords, purpose='lookup' (HMAC with a pepper) to find card numbers, IBANs or e-mails "
    "again, purpose='fingerprint' for data that is no secret"
)


_GUESSED = (
    "a fingerprint of a {} is found out by trying: use purpose='lookup' with a pepper, or purpose='password'"
)


class _Way(Protocol):
    def make(self, value: Any) -> str: ...
    def verify(self, value: Any, made: str) -> bool: ...
    def needs_rehash(self, made: str) -> bool: ...


@dataclass(frozen=True, eq=False)
class HashTransformer(Transformer[str]):
    """Hashes a value for a *purpose*.

    ``"password"``: argon2id (RFC 9106) in PHC form with a salt of its own, so that each call answers anew:
    ``verify`` compares, ``needs_rehash`` says when the costs have risen (*time_cost*, *memory_cost* in KiB,
    *parallelism*); *min_length* is counted in characters, after NFC. Extra ``passwords``.

    ``"lookup"``: HMAC-SHA256 under the *current* of the *peppers* (version to at least 32 secret bytes; the
    last one where *current* is not given), over the canonical form: that of a parsed number, or what *of*
    makes of a str, for instance ``CreditCardValidator(lenient=True)``. ``tokens`` has those of every version.

    ``"fingerprint"``: a plain digest (FINGERPRINTS) in hexadecimal digits, of a str or bytes that are no
    secret; values of sensitive types are refused. Without a purpose it is this one, with a warning.

    Raises ValueError or TypeError for options that do not go with the purpose, md5 and sha1 among them, and
    ImportError that names the extra.
    """

    algorithm: str = "sha256"
    _: KW_ONLY
    purpose: Purpose | None = None
    # No field: what writes a dataclass field by field would write the keys.
    peppers: InitVar[Mapping[str, bytes | SecretBytes] | None] = None
    current: str | None = None
    of: Callable[[str], str | Masked] | NumberValidator[Any] | None = None
    time_cost: int = field(default=3, repr=False)
    memory_cost: int = field(default=65_536, repr=False)
    parallelism: int = field(default=4, repr=False)
    min_length: int = field(default=1, repr=False)

    #: The purposes that there are.
    purposes: ClassVar[tuple[Purpose, ...]] = ("password", "lookup", "fingerprint")

    def __post_init__(self, peppers: Mapping[str, bytes | SecretBytes] | None) -> None:
        if self.algorithm in _BROKEN:
            raise ValueError(f"{self.algorithm} is broken: equal hashes can be made for different values")
        if self.purpose is not None and self.purpose not in self.purposes:
            raise ValueError(f"purpose is one of {', '.join(self.purposes)}, not {self.purpose!r}")
        if self.purpose != "lookup" and (peppers, self.current, self.of) != (None, None, None):
            raise ValueError("peppers, current and of belong to purpose='lookup'")
        if self.purpose != "password" and self._costs() != PasswordRules():
            raise ValueError(
                "time_cost, memory_cost, parallelism and min_length belong to purpose='password'"
            )
        object.__setattr__(self, "_way", self._made(peppers))
        if self.purpose is None:
            warnings.warn(_TEACHES, stacklevel=3)

    def _costs(self) -> PasswordRules:
        return PasswordRules(self.time_cost, self.memory_cost, self.parallelism, self.min_length)

    def _made(self, peppers: object) -> _Way:
        if self.purpose == "password":
            if self.algorithm not in ("sha256", "argon2id"):
                raise ValueError(f"a password is hashed by argon2id, not {self.algorithm}")
            object.__setattr__(self, "algorithm", "argon2id")
            return _Passwords(self._costs())
        if self.purpose == "lookup":
            if self.algorithm not in ("sha256", "hmac-sha256"):
                raise ValueError(f"a value to look up is hashed by HMAC-SHA256, not {self.algorithm}")
            object.__setattr__(self, "algorithm", "hmac-sha256")
            return _Tokens(peppers, self.current, self.of)
        return _Fingerprints(self.algorithm)

    @property
    def __foobara_sensitive__(self) -> bool:
        """True where what is hashed is a secret: errors and outcomes hide the fields that it stands at."""
        return self.purpose in ("password", "lookup")

    @property
    def _guessable(self) -> bool:
        return not self.__foobara_sensitive__

    def process(self, value: Any) -> str:
        """Return the hash of *value*: a PHC string, a token, or hexadecimal digits.

        Raises TypeError or ValueError, which never hold the value.
        """
        return self._way.make(value)  # type: ignore[attr-defined, no-any-return]

    def verify(self, value: Any, made: str) -> bool:
        """Return True when *made* is a hash of *value*, in a time that does not tell how much of it is.

        Raises ValueError when *made* is no hash of this purpose.
        """
        return self._way.verify(value, made)  # type: ignore[attr-defined, no-any-return]

    def needs_rehash(self, made: str) -> bool:
        """Return True when *made* has other costs, or is of another pepper than the current one.

        Raises ValueError when *made* is no hash of this purpose, TypeError for a fingerprint, which does not
        say how it was made.
        """
        return self._way.needs_rehash(made)  # type: ignore[attr-defined, no-any-return]

    def tokens(self, value: Any) -> tuple[str, ...]:
        """Return the token of *value* under each pepper, the current one first: ``WHERE token IN (...)``.

        Raises TypeError where the purpose is not lookup.
        """
        way = self._way  # type: ignore[attr-defined]
        if not isinstance(way, _Tokens):
            raise TypeError("tokens() belongs to purpose='lookup'")
        return way.all(value)

    def __copy__(self) -> HashTransformer:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> HashTransformer:
        return self

    def __reduce__(self) -> Any:
        if self.purpose == "lookup":
            raise TypeError("a HashTransformer with peppers does not pickle: its keys would be in the pickle")
        return super().__reduce__()

    def _core_schema(self, source: Any, handler: Any) -> Any:
        inner = handler(source)
        if source is str:
            if not self.__foobara_sensitive__ and is_secret_field(self, source, inner):
                raise TypeError(_GUESSED.format("value that is sensitive by what stands before it"))
            return of_str(inner, self._of_str, "HashTransformer")
        # In the place of the type's own check: what stood between them would be dropped.
        own = source is HashedPassword and inner.get("function", {}).get("function") == source._of_field
        if own and self.purpose == "password":
            return in_place_of_str(self._password_of_field, "HashedPassword", inner["serialization"])
        if isinstance(source, type) and issubclass(source, Masked) and self.purpose == "lookup":
            written = inner.get("serialization", WRITTEN)
            schema = core_schema.no_info_after_validator_function(
                self._of_field,
                inner,
                # A token may be shown; a serializer of the field's own stays.
                serialization=core_schema.simple_ser_schema("str") if written == WRITTEN else written,
            )
            return tagged(schema, "HashTransformer")
        raise TypeError(
            "HashTransformer stands directly at str, HashedPassword (purpose='password') or a number's type "
            "(purpose='lookup'), as in Annotated[str, HashTransformer(...)] | None"
        )

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> Any:
        own, ours = schema, (self._of_str, self._of_field, self._password_of_field)
        while (called := own.get("function", {}).get("function")) not in ours and "schema" in own:
            own = own["schema"]  # from a validator after this one, or a bound
        if called == self._password_of_field:
            return HashedPassword._described({**HashedPassword._TAKEN, "minLength": self.min_length}, handler)
        if handler.mode == "serialization":
            return {"type": "string"}
        if called == self._of_field:
            return handler(own)
        described = described_str(schema, handler)
        if self.purpose != "password":
            return described
        return {"minLength": self.min_length, **described, "format": "password", "writeOnly": True}

    def _of_field(self, value: Any) -> str:
        try:
            return self.process(value)
        except ValueError as error:
            symbol: LiteralString = self.purpose or "hash"
            raise refusal("HashTransformer", symbol, "{told}", told=str(error)) from None

    def _as_text(self, value: Any) -> Any:
        return revealed(value) if self.__foobara_sensitive__ else value

    def _of_str(self, value: Any) -> str:
        value = self._as_text(value)
        if not issubclass(type(value), str):
            raise no_string("HashTransformer")
        return self._of_field(value)

    def _password_of_field(self, value: Any, handler: Any = None) -> HashedPassword:
        if issubclass(type(value), HashedPassword):
            return cast(HashedPassword, value)
        return HashedPassword._made(self._of_str(value))


class _Passwords:
    def __init__(self, rules: PasswordRules) -> None:
        rules.hasher()  # now, so that a missing package or a wrong cost is told where it is asked for
        self._rules = rules

    def make(self, value: Any) -> str:
        return self._rules.hash(value)

    def verify(self, value: Any, made: str) -> bool:
        return HashedPassword(made).verify(value)

    def needs_rehash(self, made: str) -> bool:
        return self._rules.outdated(HashedPassword(made).canonical)


class _Tokens:
    def __init__(self, peppers: Any, current: Any, of: Any) -> None:
        if not isinstance(peppers, Mapping) or not peppers:
            raise TypeError(
                "purpose='lookup' takes peppers, as in {'2026-11': secrets.token_bytes(32)}: version to key"
            )
        pairs = enumerate(peppers.items(), 1)
        self._keys = {version: _key(place, version, key) for place, (version, key) in pairs}
        self._current = next(reversed(self._keys)) if current is None else current
        if self._current not in self._keys:
            raise ValueError(f"current is one of {', '.join(self._keys)}, or None for the last of them")
        if of is not None and not callable(of):
            raise TypeError(f"of is a validator or a function, not {type(of).__name__}")
        self._of = of

    def make(self, value: Any) -> str:
        return self._token(self._current, self._data(value))

    def all(self, value: Any) -> tuple[str, ...]:
        data = self._data(value)
        others = (version for version in self._keys if version != self._current)
        return tuple(self._token(version, data) for version in (self._current, *others))

    def verify(self, value: Any, made: str) -> bool:
        version = self._version_of(made)
        if version not in self._keys:
            raise ValueError("the token is of a pepper that is not among the peppers")
        return hmac.compare_digest(self._token(version, self._data(value)), made)

    def needs_rehash(self, made: str) -> bool:
        return bool(self._version_of(made) != self._current)

    def _token(self, version: str, data: bytes) -> str:
        return f"hmac-sha256${version}${hmac.digest(self._keys[version], data, 'sha256').hex()}"

    def _version_of(self, made: Any) -> str:
        found = _token(made) if isinstance(made, str) else None
        if found is None:
            raise ValueError("a token is hmac-sha256$<version>$<64 hexadecimal digits>")
        return found[1]

    def _data(self, value: Any) -> bytes:
        value = revealed(value)
        if not issubclass(type(value), (Masked, str)):
            raise TypeError(f"what is looked up is a str or a parsed number, not {type(value).__name__}")
        if isinstance(value, str) and isinstance(self._of, NumberValidator):
            verdict = self._of.validate(value)
            if not verdict.valid:
                raise ValueError(self._of.told(verdict))
            value = verdict.canonical
        elif isinstance(value, str) and self._of is not None:
            value = self._made_of(self._of, value)
        # Not str(): the text of a parsed number is its mask, which other numbers have too.
        if isinstance(value, Masked):
            value = value.canonical
        if not issubclass(type(value), str):
            raise TypeError(f"of makes a str or a parsed number, not {type(value).__name__}")
        return _encoded(str.__str__(value), "what is looked up")

    @staticmethod
    def _made_of(of: Callable[[str], Any], value: str) -> Any:
        try:
            return of(value)
        except Exception as error:
            kind, told = type(error), str(error)
        # Errors of others may hold the value, in whatever form; no error that holds it is handed on.
        if not _is_ours(of):
            told = f"of refuses what is looked up ({kind.__name__})"
        raise (TypeError if issubclass(kind, TypeError) else ValueError)(told)


class _Fingerprints:
    def __init__(self, algorithm: str) -> None:
        if algorithm not in FINGERPRINTS:
            told = " (say purpose='password')" if algorithm == "argon2id" else ""
            raise ValueError(f"a fingerprint is one of {', '.join(FINGERPRINTS)}, not {algorithm!r}{told}")
        self._new = _blake3() if algorithm == "blake3" else getattr(hashlib, algorithm)

    def make(self, value: Any) -> str:
        kind = type(value)
        if isinstance(value, _SECRETS) or getattr(kind, "__foobara_sensitive__", False):
            raise ValueError(_GUESSED.format(kind.__name__))
        if issubclass(kind, str):
            value = _encoded(str.__str__(value), "what is hashed")
        elif not isinstance(value, (bytes, bytearray, memoryview)):
            raise TypeError(f"what is hashed is a str or bytes, not {kind.__name__}")
        elif isinstance(value, memoryview) and not (value.contiguous and value.ndim == 1):
            value = value.tobytes()
        return str(self._new(value).hexdigest())

    def verify(self, value: Any, made: str) -> bool:
        digest = self.make(value)
        if not isinstance(made, str) or len(made) != len(digest) or not _is_hex(made):
            raise ValueError(f"a fingerprint of this kind is {len(digest)} hexadecimal digits 0-9 a-f")
        return hmac.compare_digest(digest, made)

    def needs_rehash(self, made: str) -> bool:
        raise TypeError("a fingerprint does not say how it was made")


def _is_ours(function: Any) -> bool:
    """Return whether a function is of this package, whose errors hold no value."""
    home = getattr(function, "__module__", None)
    return isinstance(home, str) and home.startswith(__name__.partition(".types.")[0] + ".")


def _key(place: int, version: Any, key: Any) -> bytes:
    # No version is repeated: in peppers that are the wrong way round it is the key.
    if not isinstance(version, str) or not _version(version):
        told = f"not {type(version).__name__}" if not isinstance(version, str) else "and one is not"
        raise ValueError(
            f"a version of a pepper is 1 to 32 of A-Z a-z 0-9 . _ -, {told}: peppers map version to key"
        )
    key = revealed(key)
    if not isinstance(key, (bytes, bytearray)):
        raise TypeError(f"pepper {place} is bytes, not {type(key).__name__}")
    if len(key) < _KEY_BYTES:
        raise ValueError(
            f"pepper {place} has {len(key)} bytes: at least {_KEY_BYTES}, as of secrets.token_bytes(32)"
        )
    return bytes(key)


def _encoded(text: str, what: str) -> bytes:
    # Asked first: a UnicodeEncodeError holds the text.
    if has_surrogate(text):
        raise ValueError(f"{what} has a lone surrogate (U+D800 to U+DFFF)")
    return text.encode()


def _blake3() -> Any:
    try:
        from blake3 import blake3
    except ImportError as error:
        raise ImportError("blake3 fingerprints need blake3: pip install 'foobara-accel[blake3]'") from error
    return blake3
