"""Sensitive values: whole only where somebody asks by ``get()``, hidden in every text, dump and error."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, ClassVar, Generic, NoReturn, Self, TypeVar, cast, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import SchemaSerializer, SchemaValidator, ValidationError, core_schema

from .._reports import holds_plain, is_secret, validation_rows
from ._masked import HIDDEN, public_class, refusal, tagged

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

# In the context of a dump that shall hold the values themselves; no key that a caller's context can have.
_REVEALED = object()

_KEYS = (
    "password",
    "passphrase",
    "token",
    "secret",
    "api_key",
    "private_key",
    "credential",
)


def _is_revealed(info: Any) -> bool:
    return isinstance(info.context, Mapping) and info.context.get(_REVEALED) is True


def _written(value: Any, info: Any) -> Any:
    if _is_revealed(info):
        return value.get()
    return REDACTED if info.mode == "json" else value


class Sensitive(Generic[T]):
    """A value that no text shows: ``str``, ``repr``, formatting and JSON say ``[REDACTED]``, `get` gives it.

    Equal to, and with the hash and the truth of, the value. As the type of a Pydantic field it takes what its
    argument takes (``Sensitive[int]``; a str without one) and Sensitive values, but not the mask that is
    shown in the place of one. No error of it repeats what was given for it, Pydantic's own neither.
    It has no length: bounds belong inside, ``Sensitive[Annotated[str, Field(min_length=8)]]``, where they
    hide what they refuse.
    """

    __slots__ = ("_value",)
    __match_args__ = ()

    # Errors hide values of such a type, and do not echo the input of a field of it.
    __foobara_sensitive__: ClassVar[bool] = True
    # What Pydantic writes such a value with where no type is declared: Any, a default, ``to_json``.
    __pydantic_serializer__: ClassVar[SchemaSerializer] = SchemaSerializer(
        core_schema.any_schema(
            serialization=core_schema.plain_serializer_function_ser_schema(_written, info_arg=True)
        )
    )

    _value: T

    def __init__(self, value: T) -> None:
        if hasattr(self, "_value"):
            raise AttributeError("a sensitive value is immutable: it cannot be made anew")
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

        may_be = _judge_of(inner)

        def written(value: Any, info: Any) -> Any:
            if not isinstance(value, Sensitive):  # a default that was not validated, or not ours at all
                if not may_be(value):
                    # In a union the next type is asked; alone, no other way of writing it is tried.
                    raise TypeError(
                        f"a {type(value).__name__} in the place of a Sensitive value was not validated: "
                        "write a default as Sensitive(...)"
                    )
                value = cls(value)
            return _written(value, info)

        schema = core_schema.no_info_wrap_validator_function(
            taken,
            inner,
            serialization=core_schema.plain_serializer_function_ser_schema(written, info_arg=True),
        )
        return tagged(schema, cls.__name__)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> Any:
        found = handler(schema["schema"])
        if "$ref" in found:  # of a model: it is described once, for other fields too
            return {"allOf": [found], "writeOnly": True}
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
    if issubclass(type(value), str) and str.__str__(value) in (REDACTED, HIDDEN):
        told = "Input should be the value, not the mask that is shown in its place"
        raise refusal("Sensitive", "sensitive", "{told}", told=told)
    try:
        found = validate(value._value if given else value)
    except ValidationError as error:
        *_, (_, _, told, _) = validation_rows(error, False, None)
    else:
        return value if given and found is value._value else cls(found)
    raise refusal("Sensitive", "sensitive", "{told}", told=told)


# What one Python type makes up, whatever its bounds are.
_SCALARS = {
    *("str", "bytes", "int", "float", "bool", "decimal"),
    *("date", "time", "datetime", "timedelta", "uuid", "url", "multi-host-url"),
}
_CONTAINERS = {"list", "tuple", "set", "frozenset", "dict", "typed-dict", "model-fields", "dataclass-args"}


def _judge_of(schema: Any) -> Callable[[Any], bool]:
    """Return what says of a value that is no Sensitive one whether it may be one of the type in it.

    No function is called for that. True where there is a doubt: what is not ours is written by the next type
    of a union, and so in full.
    """
    while schema["type"] in ("function-after", "nullable"):
        schema = schema["schema"]
    kind = schema["type"]
    if kind in _SCALARS:
        judge = SchemaValidator(cast(Any, {"type": kind}))
        return lambda value: value is None or judge.isinstance_python(value)
    if kind in _CONTAINERS:
        return lambda value: not isinstance(value, (str, bytes, int, float))
    return lambda value: True


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
        """Return the fields; with *include_sensitive* the values themselves. *kwargs*: as of Pydantic.

        A *context* is a mapping then, TypeError for another one: serializers are given a copy of it.
        """
        if include_sensitive:
            return super().model_dump(**_revealing(kwargs))
        return cast("dict[str, Any]", _redacted(super().model_dump(**kwargs), ()))

    def model_dump_json(self, *, include_sensitive: bool = False, **kwargs: Any) -> str:
        """Return the fields as JSON; with *include_sensitive* the values themselves. *kwargs*: as of
        Pydantic, and `model_dump`.
        """
        return super().model_dump_json(**(_revealing(kwargs) if include_sensitive else kwargs))

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


def _revealing(kwargs: dict[str, Any]) -> dict[str, Any]:
    context = kwargs.get("context")
    if context is not None and not isinstance(context, Mapping):
        raise TypeError(
            f"the context of a dump with its sensitive values is a mapping, not {type(context).__name__}"
        )
    return {**kwargs, "context": {**(context or {}), _REVEALED: True}}


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


_LISTS = (list, tuple, set, frozenset, deque)


def _redacted(data: Any, words: tuple[str, ...]) -> Any:
    if isinstance(data, Sensitive):
        return REDACTED
    if isinstance(data, Mapping):
        return {
            _redacted(key, words): (
                REDACTED if any(word in str(key).lower() for word in words) else _redacted(value, words)
            )
            for key, value in data.items()
        }
    if not isinstance(data, _LISTS):
        return data
    made = [_redacted(item, words) for item in data]
    if isinstance(data, deque):
        return deque(made, data.maxlen)
    if hasattr(data, "_fields"):
        return type(data)(*made)
    return next(kind for kind in _LISTS if isinstance(data, kind))(made)
