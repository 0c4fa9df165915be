"""Sensitive values: whole only where somebody asks by ``get()``, hidden in every text, dump and error."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Annotated, Any, ClassVar, Generic, NoReturn, Self, TypeVar, cast, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import SchemaSerializer, ValidationError, core_schema

from .._reports import holds_plain, is_secret
from ._masked import public_class, refusal

__all__ = [
    "APIKey",
    "BearerToken",
    "Password",
    "SecretToken",
    "Sensitive",
    "SensitiveModel",
    "SensitiveStr",
    "get_sensitive_fields",
    "is_sensitive",
    "redact_dict",
]

T = TypeVar("T")

REDACTED = "[REDACTED]"

_KEYS = (
    "password",
    "passphrase",
    "token",
    "secret",
    "api_key",
    "private_key",
    "credential",
)


class Sensitive(Generic[T]):
    """A value that no text shows: ``str``, ``repr``, formatting and JSON say ``[REDACTED]``, `get` gives it.

    Equal to, and with the hash and the truth of, the value. As the type of a Pydantic field it takes what its
    argument takes (``Sensitive[int]``; a str without one) and Sensitive values. No error repeats what was
    given for it, Pydantic's own neither.
    """

    __slots__ = ("_value",)
    __match_args__ = ()

    # Errors hide values of such a type, and do not echo the input of a field of it.
    __foobara_sensitive__: ClassVar[bool] = True
    # What Pydantic writes such a value with where no type is declared: Any, a default, ``to_json``.
    __pydantic_serializer__: ClassVar[SchemaSerializer] = SchemaSerializer(
        core_schema.any_schema(
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda value: REDACTED, when_used="json"
            )
        )
    )

    _value: T

    def __init__(self, value: T) -> None:
        object.__setattr__(self, "_value", value)

    def get(self) -> T:
        """Return the value itself."""
        return self._value

    def __repr__(self) -> str:
        return REDACTED

    def __str__(self) -> str:
        return REDACTED

    def __format__(self, spec: str) -> str:
        return format(REDACTED, spec)

    def __eq__(self, other: object) -> bool:
        return bool(self._value == (other._value if isinstance(other, Sensitive) else other))

    def __hash__(self) -> int:
        return hash(self._value)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a sensitive value is immutable: {name} cannot be set")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a sensitive value is immutable: {name} cannot be deleted")

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return type(self)(copy.deepcopy(self._value, memo))

    def __reduce__(self) -> tuple[Any, ...]:
        return public_class(type(self)), (self._value,)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        inner = handler.generate_schema(_argument(source))

        def taken(value: Any, validate: Callable[[Any], Any]) -> Any:
            # A Sensitive value may hold anything: what is in it is looked at too.
            return _taken(cls, value, validate)

        schema = core_schema.no_info_wrap_validator_function(
            taken,
            inner,
            # Of a default that was not validated too.
            serialization=core_schema.plain_serializer_function_ser_schema(cls._written, info_arg=True),
        )
        return cast(Any, schema)

    @classmethod
    def _written(cls, value: Any, info: Any) -> Any:
        if info.mode == "json":
            return REDACTED
        return value if isinstance(value, Sensitive) else cls(value)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> Any:
        found = handler(schema["schema"])
        return {
            **found,
            "writeOnly": True,
            **({"format": "password"} if found.get("type") == "string" else {}),
        }


def _argument(source: Any) -> Any:
    """Return what a Sensitive type is of; str, where nothing says it."""
    if found := get_args(source):
        return found[0]
    for base in getattr(source, "__orig_bases__", ()):
        origin = get_origin(base)
        if isinstance(origin, type) and issubclass(origin, Sensitive):
            found = get_args(base)[0]
            return str if isinstance(found, TypeVar) else found
    return str


def _taken(cls: Any, value: Any, validate: Callable[[Any], Any]) -> Any:
    """Validate; an error says what is wrong, and nothing of the value."""
    given = isinstance(value, cls)
    try:
        found = validate(value._value if given else value)
    except ValidationError as error:
        rows = error.errors(include_url=False, include_context=False, include_input=False)
        raise refusal("Sensitive", "sensitive", "{told}", told=rows[-1]["msg"]) from None
    return value if given and found is value._value else cls(found)


#: Sensitive texts.
SensitiveStr = Sensitive[str]
Password = Annotated[Sensitive[str], Field(description="Password; shown nowhere")]
APIKey = Annotated[Sensitive[str], Field(description="API key; shown nowhere")]
SecretToken = Annotated[Sensitive[str], Field(description="Secret token; shown nowhere")]
BearerToken = Annotated[Sensitive[str], Field(description="Bearer token; shown nowhere")]


class SensitiveModel(BaseModel):
    """A model whose dumps redact its sensitive values, at every depth, unless they are asked for.

    The texts of its validation errors do not repeat what was given.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(hide_input_in_errors=True)

    def model_dump(self, *, include_sensitive: bool = False, **kwargs: Any) -> dict[str, Any]:
        """Return the fields; with *include_sensitive* the values themselves. *kwargs*: as of Pydantic."""
        return cast("dict[str, Any]", _shown(super().model_dump(**kwargs), include_sensitive))

    def model_dump_json(self, *, include_sensitive: bool = False, **kwargs: Any) -> str:
        """Return the fields as JSON; with *include_sensitive* the values themselves. *kwargs*: as of
        Pydantic.
        """
        if not include_sensitive:
            return super().model_dump_json(**kwargs)
        from pydantic_core import to_json

        written = {name: kwargs.pop(name) for name in ("indent", "ensure_ascii") if name in kwargs}
        return to_json(self.model_dump(include_sensitive=True, **kwargs), **written).decode()

    def __repr_args__(self) -> Any:
        fields = type(self).model_fields
        for name, value in super().__repr_args__():
            # A default that was not validated is no Sensitive value, and has none in it.
            if name in fields and is_secret(fields[name]) and holds_plain(value):
                value = Sensitive(value)
            yield name, value

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> Any:
        found = handler(schema)
        shown = handler.resolve_ref_schema(found).get("properties", {})
        for name, field in cls.model_fields.items():
            if is_secret(field):
                for each in (name, field.alias, field.validation_alias, field.serialization_alias):
                    if isinstance(each, str) and each in shown:
                        shown[each].pop("default", None)
        return found

    def model_dump_sensitive(self, **kwargs: Any) -> dict[str, Any]:
        """Return the fields with the values themselves, to store or send them where they are safe."""
        return self.model_dump(include_sensitive=True, **kwargs)


def _shown(data: Any, whole: bool) -> Any:
    if isinstance(data, Sensitive):
        return _shown(data.get(), True) if whole else REDACTED
    if isinstance(data, dict):
        return {_shown(key, whole): _shown(value, whole) for key, value in data.items()}
    if type(data) in (list, tuple, set, frozenset):
        return type(data)(_shown(item, whole) for item in data)
    return data


def is_sensitive(value: Any) -> bool:
    """Return whether *value* is a Sensitive one."""
    return isinstance(value, Sensitive)


def get_sensitive_fields(model_class: type[BaseModel]) -> list[str]:
    """Return the names of the fields of a model whose type is, or has in it, a Sensitive one.

    Raises TypeError for what is no model.
    """
    if not (isinstance(model_class, type) and issubclass(model_class, BaseModel)):
        raise TypeError("model_class must be a Pydantic model class")
    return [name for name, field in model_class.model_fields.items() if _holds_sensitive(field.annotation)]


def _holds_sensitive(annotation: Any) -> bool:
    origin = get_origin(annotation)
    found = origin or annotation
    if isinstance(found, type) and issubclass(found, Sensitive):
        return True
    return any(_holds_sensitive(part) for part in get_args(annotation))


def redact_dict(data: dict[str, Any], sensitive_keys: Iterable[str] | None = None) -> dict[str, Any]:
    """Return a copy of *data*, at every depth, in which the values of keys with a sensitive word are
    redacted.

    *sensitive_keys* are these words, in either case; without them the usual ones: password, passphrase,
    token, secret, api_key, private_key, credential. Sensitive values are redacted wherever they are.
    """
    if isinstance(sensitive_keys, str):
        raise TypeError(f"sensitive_keys must be a list of words: write [{sensitive_keys!r}]")
    words = tuple(word.lower() for word in (_KEYS if sensitive_keys is None else sensitive_keys))
    return cast("dict[str, Any]", _redacted(data, words))


def _redacted(data: Any, words: tuple[str, ...]) -> Any:
    if isinstance(data, Sensitive):
        return REDACTED
    if isinstance(data, dict):
        return {
            key: REDACTED if any(word in str(key).lower() for word in words) else _redacted(value, words)
            for key, value in data.items()
        }
    if isinstance(data, (list, tuple)):
        made = [_redacted(item, words) for item in data]
        return made if isinstance(data, list) else tuple(made)
    return data
