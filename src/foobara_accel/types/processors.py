"""What a type is made of: casters, transformers and validators, each an object with a ``process``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Protocol, Self, TypeVar, get_origin, runtime_checkable

__all__ = ["Caster", "ProcessorProtocol", "Transformer", "TypeProcessor", "Validator"]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@runtime_checkable
class ProcessorProtocol(Protocol[T_co]):
    """Anything that can stand in a type's lists: ``process`` is what a FoobaraType calls."""

    def process(self, value: Any) -> T_co:
        """Return what becomes of *value*; ValueError or TypeError where it is refused."""
        ...

    def __call__(self, value: Any) -> T_co:
        """Do the same."""
        ...


class TypeProcessor(Generic[T]):
    """Base of all processors: a subclass writes `process`, and is callable with it.

    In the ``Annotated`` of a Pydantic field a caster runs before Pydantic looks at the value, any other
    processor after it, in the order in which they stand there.

    TypeError: an instance of a class without a `process` of its own is asked for.
    """

    # No ABC: what a class of that kind holds is looked up slowly, and the pure twin of `pipeline` looks at
    # each call whether the stock ones are as they came (bench case "FoobaraType.process, ten steps").
    __slots__ = ()

    # True of one whose result may be found out by trying, so that nothing sensitive may come before it.
    _guessable: Any = False

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        if cls.process is TypeProcessor.process:
            raise TypeError(f"{cls.__name__} has no process(self, value) of its own: a processor needs one")
        return super().__new__(cls)

    def process(self, value: Any) -> T:
        """Return what becomes of *value*; raise ValueError or TypeError, without the value, to refuse it."""
        raise NotImplementedError

    def __call__(self, value: Any) -> T:
        return self.process(value)

    def __get_pydantic_core_schema__(self, source: Any, handler: Any = None) -> Any:
        if handler is None:  # of the class: a processor is the value of a field, not what looks at it
            from pydantic_core import core_schema

            kind = get_origin(self) or self
            # In Annotated a class is called with what it stands at in the place of itself.
            if not (isinstance(kind, type) and issubclass(kind, TypeProcessor)):
                raise TypeError(
                    "what stands in Annotated is a processor, made with parentheses, as in "
                    f"Annotated[str, EmailValidator()]: at {self!r} its class stands"
                )
            return core_schema.is_instance_schema(kind)
        return self._core_schema(source, handler)

    def _core_schema(self, source: Any, handler: Any) -> Any:
        inner = handler(source)
        return schema_of(
            lambda value: self.process(value),  # of a class that may be patched later
            inner,
            type(self).__name__,
            first=isinstance(self, Caster),
            hides=is_secret_field(self, source, inner),
        )

    def __repr__(self) -> str:
        names = [name for cls in type(self).__mro__ for name in getattr(cls, "__slots__", ())]
        names = [name for name in names if not name.startswith("_")]
        set_ = ", ".join(f"{name}={getattr(self, name)!r}" for name in names if hasattr(self, name))
        return f"{type(self).__name__}({set_})"


def schema_of(process: Callable[[Any], Any], inner: Any, title: str, *, first: bool, hides: bool) -> Any:
    """Return the schema of *process* before (*first*) or after *inner*.

    A TypeError of it, which Pydantic would let pass, is an error of the field. Where it *hides*, no error
    holds the input, one of *inner* neither. *title* names it in the paths of errors of a union.
    """
    from pydantic_core import core_schema

    from ._masked import tagged

    def processed(value: Any) -> Any:
        try:
            return process(value)
        except TypeError as error:
            raise ValueError(str(error)) from error

    def hidden(value: Any, validate: Callable[[Any], Any]) -> Any:
        try:
            return validate(process(value)) if first else process(validate(value))
        except (
            TypeError,
            ValueError,
            AssertionError,
        ) as error:  # what Pydantic takes for a refusal, and ours
            found = error
        raise refused(found, title)

    if hides:
        hidden.__foobara_sensitive__ = True  # type: ignore[attr-defined] # what stands after it hides too
        return tagged(core_schema.no_info_wrap_validator_function(hidden, inner), title)
    if first:
        return tagged(core_schema.no_info_before_validator_function(processed, inner), title)
    return tagged(core_schema.no_info_after_validator_function(processed, inner), title)


def refused(error: Exception, title: str) -> Exception:
    """Return what Pydantic is told of *error*, without the input."""
    from pydantic_core import ValidationError

    from ._masked import hidden, refusal

    if isinstance(error, ValidationError):
        return hidden(error, title)
    if isinstance(error, AssertionError):
        return refusal(title, "assertion_error", "Assertion failed, {told}", told=str(error))
    return refusal(title, "value_error", "Value error, {told}", told=str(error))


def is_secret_field(processor: Any, source: Any, schema: Any) -> bool:
    """Return whether a field is sensitive: by the processor, its type, or what stands between them."""
    from .._reports import is_secret_type

    found = [processor, source]
    while isinstance(schema, dict):
        function = schema.get("function")
        if isinstance(function, dict):
            called = function.get("function")
            found += called, getattr(called, "__self__", None)
        schema = schema.get("schema")
    return any(map(is_secret_type, found))


class Caster(TypeProcessor[T]):
    """A processor that makes a value of the type out of something else; casters run first."""

    __slots__ = ()


class Validator(TypeProcessor[T]):
    """A processor that refuses values and returns the others; validators run last."""

    __slots__ = ()


class Transformer(TypeProcessor[T]):
    """A processor that returns a value in its normal form; transformers run after the casters."""

    __slots__ = ()
