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
    SchemaSerializer,
    ValidationError,
    core_schema,
)

from ._known import Known, function_of

__all__ = [
    "HIDDEN",
    "UNMASKED",
    "WRITTEN",
    "Masked",
    "described_str",
    "hidden",
    "no_string",
    "of_str",
    "refusal",
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

    Its errors hide the input too. Without any, *function* is called at once.
    """
    written = core_schema.to_string_ser_schema()
    if inner == core_schema.str_schema():
        return core_schema.no_info_plain_validator_function(function, serialization=written)

    def after(value: Any, handler: Callable[[Any], Any]) -> Any:
        if isinstance(value, Masked):
            value = value.canonical
        if not issubclass(type(value), str):  # Pydantic takes bytes too
            raise no_string(title)
        try:
            return function(handler(value))
        except ValidationError as error:
            refused = hidden(error, title)
        raise refused

    # What stands after it sees this function, and hides its input too.
    after.__foobara_sensitive__ = getattr(  # type: ignore[attr-defined]
        getattr(function, "__self__", None), "__foobara_sensitive__", False
    )
    return core_schema.no_info_wrap_validator_function(after, inner, serialization=written)


def described_str(schema: Any, handler: Any) -> Any:
    """Return the JSON schema of what the ``str`` of a schema of :func:`of_str` is, before any function."""
    while schema["type"].startswith("function-"):
        schema = schema.get("schema") or core_schema.str_schema()
    return handler(schema)


def _written(value: Any, info: core_schema.SerializationInfo) -> Any:
    context = info.context
    # A default that was not validated has neither canonical nor masked.
    if isinstance(context, Mapping) and context.get("foobara_unmasked") is True:
        return getattr(value, "canonical", value)
    if info.mode == "python" or value is None:
        return value
    return getattr(value, "masked", HIDDEN)


WRITTEN = core_schema.plain_serializer_function_ser_schema(_written, info_arg=True)


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
    def _of_field(cls, value: Any) -> Self:
        if isinstance(value, cls):
            return value
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
        return core_schema.no_info_plain_validator_function(cls._of_field, serialization=WRITTEN)

    @classmethod
    def __foobara_guard__(cls, schema: Mapping[str, Any]) -> Known | None:
        return cls._known() if function_of(schema, "function-plain") == cls._of_field else None

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
