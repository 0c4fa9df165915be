"""Types with processors: FoobaraType, the registry of types by name, the stock types, `type_declaration`."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterable
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Generic, Self, TypeVar
from uuid import UUID

from .._backend import pipeline
from .._reports import HIDDEN
from . import casters as _casters
from ._elements import ElementError, ElementTypeError, ElementValueError, locate
from .casters import (
    BooleanCaster,
    DateCaster,
    DateTimeCaster,
    DictCaster,
    FloatCaster,
    IntegerCaster,
    ListCaster,
    StringCaster,
    UUIDCaster,
)
from .processors import Caster, ProcessorProtocol, Transformer, TypeProcessor, Validator, refused, schema_of
from .transformers import stock as _transformers
from .transformers.stock import (
    ClampTransformer,
    DefaultTransformer,
    LowercaseTransformer,
    NormalizeWhitespaceTransformer,
    RoundTransformer,
    SlugifyTransformer,
    StripWhitespaceTransformer,
    TitleCaseTransformer,
    TruncateTransformer,
    UppercaseTransformer,
)
from .validators import stock as _validators
from .validators.stock import (
    ContainsValidator,
    EmailValidator,
    MaxLengthValidator,
    MaxValueValidator,
    MinLengthValidator,
    MinValueValidator,
    NotEmptyValidator,
    OneOfValidator,
    PatternValidator,
    RangeValidator,
    RequiredValidator,
    UniqueItemsValidator,
    URLValidator,
)

if TYPE_CHECKING:
    from pydantic import BaseModel, ConfigDict

__all__ = [
    "ArrayType",
    "BooleanCaster",
    "BooleanType",
    "Caster",
    "ClampTransformer",
    "ContainsValidator",
    "DateCaster",
    "DateTimeCaster",
    "DateTimeType",
    "DateType",
    "DefaultTransformer",
    "DictCaster",
    "ElementError",
    "ElementTypeError",
    "ElementValueError",
    "EmailType",
    "EmailValidator",
    "FloatCaster",
    "FloatType",
    "FoobaraType",
    "HashType",
    "IntegerCaster",
    "IntegerType",
    "ListCaster",
    "LowercaseTransformer",
    "MaxLengthValidator",
    "MaxValueValidator",
    "MinLengthValidator",
    "MinValueValidator",
    "NonNegativeIntegerType",
    "NormalizeWhitespaceTransformer",
    "NotEmptyValidator",
    "OneOfValidator",
    "PatternValidator",
    "PercentageType",
    "PositiveIntegerType",
    "ProcessorProtocol",
    "RangeValidator",
    "RequiredValidator",
    "RoundTransformer",
    "SlugifyTransformer",
    "StringCaster",
    "StringType",
    "StripWhitespaceTransformer",
    "TitleCaseTransformer",
    "Transformer",
    "TruncateTransformer",
    "TypeProcessor",
    "TypeRegistry",
    "URLType",
    "URLValidator",
    "UUIDCaster",
    "UUIDType",
    "UniqueItemsValidator",
    "UppercaseTransformer",
    "Validator",
    "define_type",
    "type_declaration",
]

T = TypeVar("T")
F = TypeVar("F", bound="FoobaraType[Any]")


def _processors(argument: str, given: Any) -> list[Any]:
    """Return a list of *given*; TypeError names what in it is no processor."""
    if given is None:
        return []
    if isinstance(given, (str, bytes)) or not isinstance(given, Iterable):
        raise TypeError(f"{argument} must be a list of processors, not {type(given).__name__}")
    found = list(given)
    for index, each in enumerate(found):
        if isinstance(each, type) or not callable(getattr(each, "process", None)):
            hint = f"; write {each.__name__}()" if isinstance(each, type) else ""
            raise TypeError(
                f"{argument}[{index}] must be an object with process(value), not {each!r}{hint}"
                if isinstance(each, type)
                else f"{argument}[{index}] must be an object with process(value), not {type(each).__name__}"
            )
    return found


def _inner(argument: str, given: Any) -> Any:
    if given is not None and (isinstance(given, type) or not callable(getattr(given, "process", None))):
        raise TypeError(
            f"{argument} must be a FoobaraType, not {getattr(given, '__name__', type(given).__name__)}"
        )
    return given


class _Secrecy:
    """The mark that errors and outcomes look for, of a type that has to do with secrets; not of the class."""

    def __get__(self, instance: Any, owner: Any = None) -> bool:
        waiting, seen = [instance], set()
        while waiting:
            found = waiting.pop()
            if not isinstance(found, FoobaraType):
                if getattr(found, "__foobara_sensitive__", False):
                    return True
            elif id(found) not in seen:  # a type may be that of its own elements
                seen.add(id(found))
                waiting += [found.python_type, found.element_type, found.key_type, found.value_type]
                waiting += [*found.casters, *found.transformers, *found.validators]
        return False


class _Hidden:
    """Marks a field as sensitive, which core looks for, and keeps its value out of Pydantic's own errors."""

    __foobara_sensitive__: ClassVar[bool] = True

    def __init__(self, title: str) -> None:
        self.title = title

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        return schema_of(lambda value: value, handler(source), self.title, first=False, hides=True)


class FoobaraType(Generic[T]):
    """A named type: casters, transformers and validators that a value goes through, in this order.

    *nullable* lets None through; *default*, where *has_default*, stands in for None, as it is. *element_type*
    is for the elements of lists, *key_type* and *value_type* for dicts. What bounds, *pattern* and *examples*
    say is for Pydantic fields (`to_pydantic_field`). The lists of processors may be changed later on.
    Raises TypeError for what is no processor or no type.
    """

    # The pure twin keeps what it made of the lists in _plan, which is no part of the type.
    __slots__ = ("__dict__", "__weakref__", "_plan")

    # Errors and outcomes hide the fields that a type with a check of numbers or a hash of secrets stands at.
    __foobara_sensitive__: ClassVar[Any] = _Secrecy()

    name: str
    python_type: Any
    casters: list[Any]
    validators: list[Any]
    transformers: list[Any]
    description: str | None
    default: Any
    has_default: bool
    nullable: bool
    element_type: Any
    key_type: Any
    value_type: Any
    gt: Any
    ge: Any
    lt: Any
    le: Any
    min_length: int | None
    max_length: int | None
    pattern: str | None
    examples: list[Any]

    def __init__(
        self,
        name: str,
        python_type: type[T],
        *,
        casters: Iterable[Any] | None = None,
        validators: Iterable[Any] | None = None,
        transformers: Iterable[Any] | None = None,
        description: str | None = None,
        default: Any = None,
        has_default: bool = False,
        nullable: bool = False,
        element_type: FoobaraType[Any] | None = None,
        key_type: FoobaraType[Any] | None = None,
        value_type: FoobaraType[Any] | None = None,
        gt: Any = None,
        ge: Any = None,
        lt: Any = None,
        le: Any = None,
        min_length: int | None = None,
        max_length: int | None = None,
        pattern: str | None = None,
        examples: Iterable[Any] | None = None,
    ) -> None:
        if not isinstance(name, str) or not name:
            raise TypeError(f"name must be a string such as 'email', not {name!r}")
        self.name = name
        self.python_type = python_type
        self.casters = _processors("casters", casters)
        self.validators = _processors("validators", validators)
        self.transformers = _processors("transformers", transformers)
        self.description = description
        self.default = default
        self.has_default = has_default
        self.nullable = nullable
        self.element_type = _inner("element_type", element_type)
        self.key_type = _inner("key_type", key_type)
        self.value_type = _inner("value_type", value_type)
        self.gt = gt
        self.ge = ge
        self.lt = lt
        self.le = le
        self.min_length = min_length
        self.max_length = max_length
        self.pattern = pattern
        self.examples = list(examples or ())
        self._refuse_guessable()

    def _refuse_guessable(self) -> None:
        before = [self.python_type, *self.casters]
        for each in self.transformers:
            if getattr(each, "_guessable", False) is True and any(
                getattr(other, "__foobara_sensitive__", False) for other in before
            ):
                raise TypeError(
                    f"type {self.name}: a fingerprint of a sensitive value is found out by trying: "
                    "use purpose='lookup' with a pepper, or purpose='password'"
                )
            before.append(each)

    def process(self, value: Any) -> T:
        """Return *value* after all processors.

        Raises what a processor raises: ValueError or TypeError; of an element, a key or a value of a dict
        ElementValueError or ElementTypeError, which say which one. ValueError for None, unless the type is
        nullable or has a default.
        """
        if value is None:
            if self.has_default:
                return self.default  # type: ignore[no-any-return]
            if self.nullable:
                return None  # type: ignore[return-value]
            stand_in = next(
                (each for each in self.transformers if isinstance(each, DefaultTransformer)), None
            )
            value = None if stand_in is None else stand_in.process(None)
            if value is None:
                raise ValueError(f"the type {self.name} takes no None: make it nullable or give it a default")
        for caster in self.casters:
            value = caster.process(value)
        for transformer in self.transformers:
            value = transformer.process(value)
        if self.element_type and isinstance(value, list):
            value = self._elements(value)
        if isinstance(value, dict) and (self.key_type or self.value_type):
            value = self._items(value)
        for validator in self.validators:
            value = validator.process(value)
        return value  # type: ignore[no-any-return]

    def _elements(self, value: list[Any]) -> list[Any]:
        made: list[Any] = []
        try:
            for element in value:
                made.append(self.element_type.process(element))
        except Exception as error:
            raise locate(error, "element", len(made), None, self)  # noqa: B904 (it has its cause)
        return made

    def _items(self, value: dict[Any, Any]) -> dict[Any, Any]:
        made: dict[Any, Any] = {}
        position, what, key = 0, "key", None
        try:
            for key, item in value.items():
                what = "key"
                new = self.key_type.process(key) if self.key_type else key
                what = "value"
                made[new] = self.value_type.process(item) if self.value_type else item
                position += 1
        except Exception as error:
            raise locate(error, what, position, key, self)  # noqa: B904 (it has its cause)
        return made

    def __call__(self, value: Any) -> T:
        return self.process(value)

    def validate(self, value: Any) -> tuple[bool, str | None]:
        """Return ``(True, None)``, or False and the text of the ValueError or TypeError."""
        try:
            self.process(value)
        except (TypeError, ValueError) as error:
            return False, str(error)
        return True, None

    def is_valid(self, value: Any) -> bool:
        """Return whether no processor refuses *value*."""
        return self.validate(value)[0]

    def with_validators(self, *validators: Any) -> Self:
        """Return a type like this one with more validators after its own."""
        return self._like(validators=[*self.validators, *_processors("validators", validators)])

    def with_transformers(self, *transformers: Any) -> Self:
        """Return a type like this one with more transformers after its own."""
        return self._like(transformers=[*self.transformers, *_processors("transformers", transformers)])

    def optional(self, default: Any = None) -> FoobaraType[T | None]:
        """Return a type like this one, named ``optional_...``, that makes *default* of None."""
        return self._like(name=f"optional_{self.name}", default=default, has_default=True, nullable=True)  # type: ignore[return-value]

    def array(self) -> FoobaraType[list[T]]:
        """Return the type of lists of this type, named ``array_of_...``."""
        return FoobaraType(f"array_of_{self.name}", list, casters=[ListCaster()], element_type=self)

    def _like(self, **changes: Any) -> Self:
        made = copy.copy(self)
        for name in ("casters", "transformers", "validators", "examples"):
            setattr(made, name, list(getattr(self, name)))
        for name, value in changes.items():
            setattr(made, name, value)
        made._refuse_guessable()
        return made

    def __getstate__(self) -> dict[str, Any]:
        return dict(self.__dict__)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    def to_pydantic_field(self) -> tuple[Any, Any]:
        """Return annotation and ``Field(...)`` for a Pydantic model: bounds, lengths, pattern, default.

        Those of a type that is sensitive keep what is refused out of the error, and its default and examples
        out of the schema.
        """
        from pydantic import Field

        optional = self.nullable or self.has_default
        annotation: Any = self.python_type | None if optional else self.python_type
        said: dict[str, Any] = {
            name: value
            for name in ("gt", "ge", "lt", "le", "min_length", "max_length", "pattern")
            if (value := getattr(self, name)) is not None
        }
        hides = self.__foobara_sensitive__
        if hides:
            # What bounds it stands inside of what hides it: Pydantic applies a field's own bounds last.
            annotation = Annotated[annotation, Field(**said), _Hidden(self.name)]
            said = {}
        if self.description:
            said["description"] = self.description
        if self.examples and not hides:
            said["examples"] = list(self.examples)
        if self.has_default and hides:
            said["default_factory"] = lambda default=self.default: default
        elif self.has_default:
            said["default"] = self.default
        elif self.nullable:
            said["default"] = None
        return annotation, Field(**said)

    def to_pydantic_validator(self) -> Callable[[Any], Any] | None:
        """Return `process` as a function for ``field_validator``; None where there are no processors.

        It raises ValueError for a TypeError, which Pydantic would let pass; of a type that is sensitive, an
        error without the input.
        """
        if not (self.casters or self.validators or self.transformers):
            return None

        def validator(value: Any) -> Any:
            return self._of_field(value)

        return validator

    def _of_field(self, value: Any) -> Any:
        try:
            return self.process(value)
        except (TypeError, ValueError, AssertionError) as error:
            if not self.__foobara_sensitive__:
                if not isinstance(error, TypeError):
                    raise
                raise ValueError(str(error)) from error
            found = error
        raise refused(found, self.name)

    def create_pydantic_model(
        self, model_name: str, fields: dict[str, FoobaraType[Any]], *, config: ConfigDict | None = None
    ) -> type[BaseModel]:
        """Return a new model with a field per type; the processors run before Pydantic looks at a value."""
        from pydantic import create_model, field_validator

        definitions: dict[str, Any] = {}
        validators: dict[str, Any] = {}
        for name, each in fields.items():
            definitions[name] = each.to_pydantic_field()
            validator = each.to_pydantic_validator()
            if validator is not None:
                validators[f"validate_{name}"] = field_validator(name, mode="before")(validator)
        return create_model(model_name, __config__=config, __validators__=validators, **definitions)

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        # As a type of its own, or in Annotated beside one.
        inner = handler.generate_schema(self.python_type) if source is self else handler(source)
        hides = self.__foobara_sensitive__
        return schema_of(self._of_field, inner, self.name, first=True, hides=hides)

    def to_manifest(self) -> dict[str, Any]:
        """Return name, type, nullable, and what else the type says, as plain data; no default of a secret."""
        said: dict[str, Any] = {
            "name": self.name,
            "type": getattr(self.python_type, "__name__", None) or str(self.python_type),
            "nullable": self.nullable,
        }
        if self.description:
            said["description"] = self.description
        if self.has_default:
            said["default"] = HIDDEN if self.__foobara_sensitive__ else self.default
        if self.element_type:
            said["element_type"] = self.element_type.to_manifest()
        if self.key_type:
            said["key_type"] = self.key_type.to_manifest()
        if self.value_type:
            said["value_type"] = self.value_type.to_manifest()
        return said


_STOCK: dict[str, Any] = {
    name: getattr(module, name)
    for module in (_casters, _transformers, _validators)
    for name in module.__all__
    if name in pipeline.PROCESSORS
}
_whole = FoobaraType.process
_process: Any = pipeline.processing(FoobaraType, _whole, _STOCK, locate)
_process.__name__, _process.__qualname__ = _whole.__name__, _whole.__qualname__
_process.__module__, _process.__doc__ = _whole.__module__, _whole.__doc__
_process.__annotations__ = _whole.__annotations__
FoobaraType.process = _process  # type: ignore[method-assign]


class TypeRegistry:
    """The types of the process by name, and their names by category; all methods are of the class."""

    _types: ClassVar[dict[str, FoobaraType[Any]]] = {}
    _categories: ClassVar[dict[str, list[str]]] = {}
    _lock: ClassVar[threading.Lock] = threading.Lock()

    @classmethod
    def register(cls, type_def: F, category: str | None = None) -> F:
        """Add a type under its name, in place of another one of that name, and return it.

        Raises TypeError for anything else.
        """
        if not isinstance(type_def, FoobaraType):
            raise TypeError(f"type_def must be a FoobaraType, not {type(type_def).__name__}")
        with cls._lock:
            cls._types[type_def.name] = type_def
            if category:
                names = cls._categories.setdefault(category, [])
                if type_def.name not in names:
                    names.append(type_def.name)
        return type_def

    @classmethod
    def get(cls, name: str) -> FoobaraType[Any] | None:
        """Return the type of that name, or None."""
        return cls._types.get(name)

    @classmethod
    def get_or_raise(cls, name: str) -> FoobaraType[Any]:
        """Return the type of that name; KeyError says which names are close."""
        found = cls._types.get(name)
        if found is None:
            import difflib

            close = difflib.get_close_matches(str(name), list(cls._types))
            hint = f"; did you mean {' or '.join(close)}?" if close else ""
            raise KeyError(f"no type is registered as {name!r}{hint}")
        return found

    @classmethod
    def by_category(cls, category: str) -> list[FoobaraType[Any]]:
        """Return the types of a category in the order of their registration."""
        with cls._lock:
            return [cls._types[name] for name in cls._categories.get(category, ()) if name in cls._types]

    @classmethod
    def list_all(cls) -> dict[str, FoobaraType[Any]]:
        """Return all types by name."""
        with cls._lock:
            return dict(cls._types)

    @classmethod
    def list_categories(cls) -> list[str]:
        """Return the names of the categories."""
        with cls._lock:
            return list(cls._categories)

    @classmethod
    def unregister(cls, name: str) -> None:
        """Take out the type of that name, if there is one."""
        with cls._lock:
            cls._types.pop(name, None)
            for names in cls._categories.values():
                if name in names:
                    names.remove(name)

    @classmethod
    def clear(cls) -> None:
        """Take out all types, the stock ones too."""
        with cls._lock:
            cls._types.clear()
            cls._categories.clear()


StringType: FoobaraType[str] = FoobaraType(
    "string", str, casters=[StringCaster()], transformers=[StripWhitespaceTransformer()]
)
IntegerType: FoobaraType[int] = FoobaraType("integer", int, casters=[IntegerCaster()])
FloatType: FoobaraType[float] = FoobaraType("float", float, casters=[FloatCaster()])
BooleanType: FoobaraType[bool] = FoobaraType("boolean", bool, casters=[BooleanCaster()])
DateType: FoobaraType[date] = FoobaraType("date", date, casters=[DateCaster()])
DateTimeType: FoobaraType[datetime] = FoobaraType("datetime", datetime, casters=[DateTimeCaster()])
UUIDType: FoobaraType[UUID] = FoobaraType("uuid", UUID, casters=[UUIDCaster()])
EmailType: FoobaraType[str] = FoobaraType(
    "email",
    str,
    casters=[StringCaster()],
    transformers=[StripWhitespaceTransformer(), LowercaseTransformer()],
    validators=[EmailValidator()],
    description="E-mail address",
)
URLType: FoobaraType[str] = FoobaraType(
    "url",
    str,
    casters=[StringCaster()],
    transformers=[StripWhitespaceTransformer()],
    validators=[URLValidator()],
    description="Web address",
)
PositiveIntegerType: FoobaraType[int] = FoobaraType(
    "positive_integer",
    int,
    casters=[IntegerCaster()],
    validators=[MinValueValidator(1)],
    description="Integer of 1 or more",
)
NonNegativeIntegerType: FoobaraType[int] = FoobaraType(
    "non_negative_integer",
    int,
    casters=[IntegerCaster()],
    validators=[MinValueValidator(0)],
    description="Integer of 0 or more",
)
PercentageType: FoobaraType[float] = FoobaraType(
    "percentage",
    float,
    casters=[FloatCaster()],
    validators=[MinValueValidator(0.0), MaxValueValidator(100.0)],
    description="Number from 0 to 100",
)
ArrayType: FoobaraType[list[Any]] = FoobaraType("array", list, casters=[ListCaster()])
HashType: FoobaraType[dict[Any, Any]] = FoobaraType(
    "hash", dict, casters=[DictCaster()], description="Values by key"
)


def _register_stock() -> None:
    for category, types in (
        ("primitive", (StringType, IntegerType, FloatType, BooleanType, DateType, DateTimeType, UUIDType)),
        ("string", (EmailType, URLType)),
        ("numeric", (PositiveIntegerType, NonNegativeIntegerType, PercentageType)),
        ("container", (ArrayType, HashType)),
    ):
        for each in types:
            TypeRegistry.register(each, category)


_register_stock()


def type_declaration(
    name: str,
    python_type: Any = str,
    *,
    cast: Iterable[Any] | None = None,
    validate: Iterable[Any] | None = None,
    transform: Iterable[Any] | None = None,
    description: str | None = None,
    default: Any = None,
    nullable: bool = False,
    element_of: FoobaraType[Any] | None = None,
    register: bool = True,
    category: str | None = None,
) -> FoobaraType[Any]:
    """Return a new type, registered under *name* unless *register* is false.

    *cast*, *transform* and *validate* are lists of processors, *element_of* the type of the elements of a
    list. A *default* other than None is one. Raises TypeError as `FoobaraType` does.
    """
    made: FoobaraType[Any] = FoobaraType(
        name,
        python_type,
        casters=cast,
        validators=validate,
        transformers=transform,
        description=description,
        default=default,
        has_default=default is not None,
        nullable=nullable,
        element_type=element_of,
    )
    return made if not register else TypeRegistry.register(made, category)


def define_type(name: str, **kwargs: Any) -> FoobaraType[Any]:
    """Return what `type_declaration` makes of the same arguments."""
    return type_declaration(name, **kwargs)
