"""What parsed numbers share: only ``canonical`` is whole, every other way to look at one is masked."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from operator import attrgetter
from types import MappingProxyType
from typing import Any, ClassVar, LiteralString, NoReturn, Self, cast

from pydantic_core import (
    InitErrorDetails,
    PydanticCustomError,
    PydanticSerializationUnexpectedValue,
    SchemaSerializer,
    ValidationError,
    core_schema,
)

from ._known import Known, function_of, is_plain_str

__all__ = [
    "HIDDEN",
    "UNMASKED",
    "WRITTEN",
    "Masked",
    "described_str",
    "hidden",
    "in_place_of_str",
    "no_string",
    "of_str",
    "refusal",
    "tagged",
]

HIDDEN = "**********"  # what Pydantic shows of its own secrets

#: Context of a dump that shall hold whole values: ``model.model_dump_json(context=UNMASKED)``.
UNMASKED: Mapping[str, bool] = MappingProxyType({"foobara_unmasked": True})


def refusal(title: str, kind: LiteralString, template: LiteralString, **told: str) -> ValidationError:
    """Return what a validator raises where Pydantic shall not show the input: in the error's place is HIDDEN.

    pydantic-core takes the lines of such an error over as they are, under the place of the field.
    """
    reason = PydanticCustomError(kind, template, told or None)
    return ValidationError.from_exception_data(title, [{"type": reason, "loc": (), "input": HIDDEN}])


def no_string(title: str) -> ValidationError:
    """Return Pydantic's own error for what is no string, without the input."""
    return ValidationError.from_exception_data(title, [{"type": "string_type", "loc": (), "input": HIDDEN}])


def public_class(cls: type[Any]) -> Any:
    """Return the class of the public path of *cls*, so that a pickle of one backend loads in the other."""
    try:
        return attrgetter(cls.__qualname__)(importlib.import_module(cls.__module__))
    except (AttributeError, ImportError):  # one of a function: pickle says so
        return cls


def hidden(error: ValidationError, title: str) -> ValidationError:
    """Return an error that says what *error* says; in the place of each input is HIDDEN."""
    lines: list[InitErrorDetails] = [
        {
            "type": PydanticCustomError(cast(Any, line["type"]), "{told}", {"told": line["msg"]}),
            "loc": line["loc"],
            "input": HIDDEN,
        }
        for line in error.errors(include_url=False, include_context=False)
    ]
    return ValidationError.from_exception_data(title, lines)


def of_str(inner: Any, function: Callable[[Any], Any], title: str) -> Any:
    """Return the schema of *function* at ``str``, after *inner*: what stands between them in ``Annotated``.

    Its errors hide the input too. The owner of *function* may have ``_as_text``, which makes the text of what
    is taken besides, and ``_known``, which tells the guard of it where nothing stands between them.
    """
    # It is written as *inner* is: by a serializer that stands before it, or as the str that it is.
    schema = core_schema.no_info_wrap_validator_function(_OfStr(inner, function, title).validate, inner)
    return tagged(schema, title)


class _OfStr:
    """A function at a str: whatever the model's config and other metadata make of a str comes first."""

    __slots__ = ("_as_texts", "_function", "_title")

    def __init__(self, inner: Any, function: Callable[[Any], Any], title: str) -> None:
        self._function = function
        self._title = title
        as_text = getattr(self._owner, "_as_text", None)
        before = getattr(inner.get("function", {}).get("function"), "__self__", None)
        more = before._as_texts if isinstance(before, _OfStr) else ()
        self._as_texts: tuple[Callable[[Any], Any], ...] = (*more, *([] if as_text is None else [as_text]))

    @property
    def _owner(self) -> Any:
        return getattr(self._function, "__self__", None)

    @property
    def __foobara_sensitive__(self) -> bool:
        """What stands after it sees this, and hides its input too."""
        return bool(getattr(self._owner, "__foobara_sensitive__", False))

    def validate(self, value: Any, handler: Callable[[Any], Any]) -> Any:
        if type(value) is not str:
            for as_text in self._as_texts:
                value = as_text(value)
            if not issubclass(type(value), str):  # Pydantic takes bytes too
                raise no_string(self._title)
        try:
            text = handler(value)
        except ValidationError as error:
            refused = hidden(error, self._title)
        else:
            return self._function(text)
        raise refused

    def __foobara_guard__(self, schema: Mapping[str, Any]) -> Known | None:
        ours = function_of(schema, "function-wrap") == self.validate and is_plain_str(schema["schema"])
        known = getattr(self._owner, "_known", None)
        return known(None) if ours and known is not None else None


def described_str(schema: Any, handler: Any) -> Any:
    """Return the JSON schema of what the ``str`` of a schema of :func:`of_str` is, before any function."""
    while schema["type"].startswith("function-"):
        schema = schema.get("schema") or core_schema.str_schema()
    return handler(schema)


class _Foreign:
    """What stands for a value that no masked type made: in a union, another member writes it."""

    __slots__ = ()
    __pydantic_serializer__: ClassVar[SchemaSerializer] = SchemaSerializer(
        core_schema.any_schema(
            serialization=core_schema.plain_serializer_function_ser_schema(lambda _: HIDDEN)
        )
    )


def _written(value: Any, info: core_schema.SerializationInfo) -> Any:
    kind = type(value)
    masked = getattr(kind, "__foobara_masked__", False)
    context = info.context
    # A default that was not validated has neither canonical nor masked.
    if isinstance(context, Mapping) and context.get("foobara_unmasked") is True:
        if masked:
            return value.canonical
    elif info.mode != "python":
        if masked:
            return value.masked
        # Of a str nothing tells whether it is another member's, or a number that was not validated.
        if value is not None:
            return HIDDEN if issubclass(kind, str) else _Foreign()
    if value is None or masked or issubclass(kind, str):
        return value
    # Outside of a union, Pydantic then writes it as what it is.
    raise PydanticSerializationUnexpectedValue(_UNEXPECTED)


def _decline(value: Any) -> Any:
    if type(value) is _Foreign:
        raise PydanticSerializationUnexpectedValue(_UNEXPECTED)
    return value


_UNEXPECTED = "a value that the type of the field did not make"

# The second function declines what the first hid: a member of a union is asked no further, and elsewhere
# Pydantic writes what stands for the value instead of the value.
WRITTEN = core_schema.plain_serializer_function_ser_schema(
    _written,
    info_arg=True,
    return_schema=core_schema.any_schema(
        serialization=core_schema.plain_serializer_function_ser_schema(_decline)
    ),
)


def in_place_of_str(function: Callable[..., Any], name: str, written: Any = None) -> Any:
    """Return the schema of a masked type whose *function* makes the value, without calling its handler.

    It is laid around str so that ``strict``, which means nothing to a type of one form, has a place. *name*
    is what the path of an error calls it where it is a member of a union, *written* how it is serialized
    where that is not by WRITTEN.
    """
    schema = core_schema.no_info_wrap_validator_function(
        function, core_schema.str_schema(), serialization=written or WRITTEN
    )
    return tagged(schema, name)


def tagged(schema: Any, name: str) -> Any:
    """Return *schema* as the member *name* of a union; without it Pydantic names the function that checks."""
    from pydantic import Tag

    return Tag(name).__get_pydantic_core_schema__(None, cast(Any, lambda _: schema))


class Masked:
    """A parsed value: text and JSON show ``masked``; as a Pydantic field it takes what its parser takes.

    No dataclass: those are written field by field wherever no type is declared. No str: what joins, slices or
    writes a str reads its characters, whatever its ``__str__`` says.
    """

    __slots__ = ("canonical",)
    __match_args__ = ("canonical",)

    # Errors hide values of such a type, and do not echo the input of a field of it.
    __foobara_sensitive__: ClassVar[bool] = True
    # Its own text and JSON may be shown.
    __foobara_masked__: ClassVar[bool] = True
    # What Pydantic writes such a value with where no type is declared: Any, a default, ``to_json``.
    __pydantic_serializer__: ClassVar[SchemaSerializer] = SchemaSerializer(
        core_schema.any_schema(serialization=WRITTEN)
    )

    _SYMBOL: ClassVar[LiteralString]
    _WHAT: ClassVar[str]
    _RULES: ClassVar[dict[str, str]]
    _LENIENCE: ClassVar[str]  # what ``lenient=True`` takes besides
    _LENIENT: ClassVar[bool] = False
    _check: ClassVar[Any]
    # JSON schema of what a field takes and of what JSON shows.
    _TAKEN: ClassVar[dict[str, Any]]
    _SHOWN: ClassVar[dict[str, Any]]

    canonical: str

    def __init__(self, canonical: str) -> None:
        if hasattr(self, "canonical"):
            raise AttributeError(f"{type(self).__name__} is immutable: it is made once")
        object.__setattr__(self, "canonical", self._checked(canonical, lenient=self._LENIENT))

    @property
    def masked(self) -> str:
        """What may be shown."""
        raise NotImplementedError

    @classmethod
    def _made(cls, canonical: str) -> Self:
        """Return the value of what was checked already."""
        made = object.__new__(cls)
        object.__setattr__(made, "canonical", canonical)
        return made

    @classmethod
    def _checked(cls, value: str, lenient: bool = False) -> str:
        canonical, rule = cls._check(value, lenient=lenient)
        if rule:
            raise ValueError(cls._told(value, rule, lenient))
        return str(canonical)

    @classmethod
    def _told(cls, value: str, rule: str, lenient: bool) -> str:
        told = f"{cls._WHAT} {cls._RULES[rule]} (rule: {rule})"
        if not lenient and not cls._check(value, lenient=True)[1]:
            told += f"; lenient=True takes {cls._LENIENCE}"
        return told

    @classmethod
    def _of_field(cls, value: Any, handler: Any = None) -> Self:
        if issubclass(type(value), cls):  # not isinstance: an object may claim another __class__
            return cast(Self, value)
        if not issubclass(type(value), str):  # what only claims to be one has no characters
            raise no_string(cls.__name__)
        canonical, rule = cls._check(value)
        if rule:
            raise refusal(
                cls.__name__, cls._SYMBOL, "{what} {told}", what=cls._WHAT, told=cls._RULES[rule], rule=rule
            )
        return cls._made(canonical)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        return in_place_of_str(cls._of_field, cls.__name__)

    @classmethod
    def __foobara_guard__(cls, schema: Mapping[str, Any]) -> Known | None:
        ours = function_of(schema, "function-wrap") == cls._of_field and is_plain_str(schema["schema"])
        return cls._known() if ours else None

    @classmethod
    def _known(cls) -> Known | None:
        """How the guard takes a field of this class; one that is derived from it may do anything."""
        return None

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> Any:
        return cls._described(cls._TAKEN, handler)

    @classmethod
    def _described(cls, taken: dict[str, Any], handler: Any) -> Any:
        # Pydantic 2.10.0 has no json_schema_input_schema.
        shown = cls._SHOWN if handler.mode == "serialization" else taken
        return {**handler(core_schema.str_schema()), **shown}

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is immutable: {name} cannot be set")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is immutable: {name} cannot be deleted")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self.canonical == other.canonical

    def __hash__(self) -> int:
        return hash((self.canonical,))

    def __str__(self) -> str:
        return self.masked

    def __repr__(self) -> str:
        return f"{type(self).__name__}('{self.masked}')"

    def __format__(self, spec: str) -> str:
        return format(self.masked, spec)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return public_class(type(self)), (self.canonical,)
