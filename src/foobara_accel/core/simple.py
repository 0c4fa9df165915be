"""Commands made of a function, and the decorators that give a command class its place."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, get_type_hints, overload

from pydantic import BaseModel, create_model

from .async_command import AsyncCommand
from .callbacks import refuse_unrun
from .command import Command, CommandInfo
from .declared import names
from .outcome import CommandOutcome

__all__ = [
    "AsyncSimpleCommand",
    "SimpleCommand",
    "async_command",
    "async_simple_command",
    "command",
    "simple_command",
]

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C", bound=type)


def _inputs_model(func: Callable[..., Any]) -> type[BaseModel]:
    """Return a model with a field for each parameter of *func*; one without annotation takes anything."""
    hints = get_type_hints(func, include_extras=True)
    fields: dict[str, Any] = {}
    for parameter in _parameters(func):
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise TypeError(
                f"{func.__qualname__}: a command's inputs are named, so *{parameter.name} cannot be one; "
                "list the parameters"
            )
        if parameter.name.startswith("_"):
            raise TypeError(
                f"{func.__qualname__}: the parameter {parameter.name} cannot be an input, "
                "because Pydantic keeps names with a leading underscore private; rename it"
            )
        if parameter.name.startswith("model_") and hasattr(BaseModel, parameter.name):
            raise TypeError(
                f"{func.__qualname__}: the parameter {parameter.name} cannot be an input, "
                "because Pydantic's models have a member of that name; rename it"
            )
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[parameter.name] = (hints.get(parameter.name, Any), default)
    name = "".join(part.title() for part in func.__name__.split("_")) or "Function"
    return create_model(f"{name}Inputs", __module__=func.__module__, **fields)


def _parameters(func: Callable[..., Any]) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(func).parameters.values())
    except ValueError:
        raise TypeError(
            f"{func.__qualname__} shows no parameters to make inputs of: wrap it in a function"
        ) from None


def _checked_name(func: Callable[..., Any]) -> str:
    if not hasattr(func, "__qualname__"):
        kind = type(func).__name__
        raise TypeError(
            f"a command has the name of its function, and a {kind} has none: wrap it in a function"
        )
    return func.__qualname__


class _FunctionCommand(Generic[P, R]):
    """What both kinds share: the function, its inputs model and the command class made of them."""

    func: Callable[P, Any]
    command_class: Any

    def __init__(self, func: Callable[P, Any]) -> None:
        self.__qualname__ = _checked_name(func)
        self.func = func
        self.name: str = func.__name__
        self.__name__: str = func.__name__
        self.__module__ = func.__module__
        self.__doc__ = func.__doc__
        self.__wrapped__ = func
        self._hints = get_type_hints(func, include_extras=True)
        self._return_type = self._hints.get("return", Any)
        self._inputs_model = _inputs_model(func)
        parameters = _parameters(func)
        self._positional = tuple(p.name for p in parameters if p.kind is not p.KEYWORD_ONLY)
        self._first = tuple(p.name for p in parameters if p.kind is p.POSITIONAL_ONLY)

    def inputs_schema(self) -> dict[str, Any]:
        """Return the JSON schema of the function's parameters."""
        return self.command_class.inputs_schema()  # type: ignore[no-any-return]

    def before_execute(self, inputs: Any) -> None:
        """Run before the function, on the validated inputs; does nothing unless overridden."""

    def after_execute(self, result: Any) -> Any:
        """Run after the function; what it returns is the result."""
        return result

    def on_error(self, error: Exception) -> None:
        """Run when the function raises; does nothing unless overridden."""

    def _hookless(self) -> bool:
        # Asked at each run: hooks may be set on the object, or patched on the class, at any time.
        cls = type(self)
        return (
            not self._first
            and (cls.before_execute, cls.after_execute, cls.on_error) == _STOCK_HOOKS
            and _HOOK_NAMES.isdisjoint(self.__dict__)
        )

    def _members(self) -> dict[str, Any]:
        return {
            "__doc__": self.__doc__,
            "__module__": self.func.__module__,
            # Where it is found: the function's name now means this object.
            "__qualname__": f"{self.__qualname__}.command_class",
            "_cached_inputs_type": self._inputs_model,
        }

    def _named(self, given: tuple[Any, ...], inputs: dict[str, Any]) -> dict[str, Any]:
        if len(given) > len(self._positional):
            taken = len(self._positional)
            raise TypeError(f"{self.name}() takes {taken} positional inputs, not {len(given)}")
        for name, value in zip(self._positional, given, strict=False):
            if name in inputs:
                raise TypeError(f"{self.name}() got the input {name!r} twice")
            inputs[name] = value
        return inputs

    def _arguments(self, inputs: Any) -> tuple[list[Any], dict[str, Any]]:
        values = dict(inputs.__dict__)
        return [values.pop(name) for name in self._first], values

    def __reduce__(self) -> str:
        return self.__qualname__

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.__module__}.{self.__qualname__}>"


_STOCK_HOOKS = (_FunctionCommand.before_execute, _FunctionCommand.after_execute, _FunctionCommand.on_error)
_HOOK_NAMES = frozenset(("before_execute", "after_execute", "on_error"))


class SimpleCommand(_FunctionCommand[P, R]):
    """A function as a command: typed inputs from its signature, an outcome instead of exceptions."""

    def __init__(self, func: Callable[P, R]) -> None:
        name = _checked_name(func)
        if inspect.iscoroutinefunction(func):
            raise TypeError(f"simple_command() cannot await {name}(): use async_simple_command()")
        refuse_unrun(Command, func, f"{name}()")
        super().__init__(func)
        members = self._members()
        members["execute"] = self._execute()
        self.command_class: Any = type(func.__name__, (Command,), members)

    def _execute(self) -> Callable[[Any], Any]:
        func: Callable[..., Any] = self.func

        def execute(command: Any) -> Any:
            if self._hookless():
                return func(**command.inputs.__dict__)
            first, values = self._arguments(command.inputs)
            self.before_execute(command.inputs)
            try:
                return self.after_execute(func(*first, **values))
            except Exception as error:
                self.on_error(error)
                raise

        return execute

    def run(self, /, *args: P.args, **inputs: P.kwargs) -> CommandOutcome[R]:
        """Run on *inputs* and return the outcome."""
        return self.command_class.run(**self._named(args, inputs))  # type: ignore[no-any-return]

    def __call__(self, /, *args: P.args, **inputs: P.kwargs) -> R:
        """Run and return the result. Raises ValueError with the messages when the command fails."""
        return self.run(*args, **inputs).unwrap()


class AsyncSimpleCommand(_FunctionCommand[P, R]):
    """A coroutine function as a command."""

    def __init__(self, func: Callable[P, Awaitable[R]]) -> None:
        if not inspect.iscoroutinefunction(func):
            refuse_unrun(AsyncCommand, func, f"{getattr(func, '__qualname__', func)}()")
            raise TypeError(f"async_simple_command() takes a coroutine function, not {func!r}: use async def")
        super().__init__(func)
        members = self._members()
        members["execute"] = self._execute()
        self.command_class: Any = type(func.__name__, (AsyncCommand,), members)

    def _execute(self) -> Callable[[Any], Awaitable[Any]]:
        func: Callable[..., Awaitable[Any]] = self.func

        async def execute(command: Any) -> Any:
            first, values = self._arguments(command.inputs)
            self.before_execute(command.inputs)
            try:
                return self.after_execute(await func(*first, **values))
            except Exception as error:
                self.on_error(error)
                raise

        return execute

    async def run(self, /, *args: P.args, **inputs: P.kwargs) -> CommandOutcome[R]:
        """Run on *inputs* and return the outcome."""
        return await self.command_class.run(**self._named(args, inputs))  # type: ignore[no-any-return]

    async def __call__(self, /, *args: P.args, **inputs: P.kwargs) -> R:
        """Run and return the result. Raises ValueError with the messages when the command fails."""
        return (await self.run(*args, **inputs)).unwrap()


def simple_command(func: Callable[P, R]) -> SimpleCommand[P, R]:
    """Make a command of a function."""
    if not callable(func):
        raise TypeError(f"a command is made of a function, not {type(func).__name__}")
    return SimpleCommand(func)


def async_simple_command(func: Callable[P, Awaitable[R]]) -> AsyncSimpleCommand[P, R]:
    """Make a command of a coroutine function. Raises TypeError for any other."""
    return AsyncSimpleCommand(func)


if TYPE_CHECKING:
    from typing import Protocol

    class _Place(Protocol):
        """What a decorator with arguments makes of a class (the class itself) and of a function."""

        @overload
        def __call__(self, target: C, /) -> C: ...  # type: ignore[overload-overlap]
        @overload
        def __call__(  # type: ignore[overload-overlap]  # pyright: ignore[reportOverlappingOverload]
            self, target: Callable[P, Coroutine[Any, Any, R]], /
        ) -> AsyncSimpleCommand[P, R]: ...
        @overload
        def __call__(self, target: Callable[P, R], /) -> SimpleCommand[P, R]: ...


# A class is callable too: the first overload that matches decides.
@overload
def command(target: C, /) -> C: ...  # type: ignore[overload-overlap]
@overload
def command(  # type: ignore[overload-overlap]  # pyright: ignore[reportOverlappingOverload]
    target: Callable[P, Coroutine[Any, Any, R]], /
) -> AsyncSimpleCommand[P, R]: ...
@overload
def command(target: Callable[P, R], /) -> SimpleCommand[P, R]: ...
@overload
def command(
    *,
    domain: Any = None,
    organization: Any = None,
    description: str | None = None,
    depends_on: tuple[str, ...] | list[str] = (),
) -> _Place: ...
def command(
    target: Any = None,
    /,
    *,
    domain: Any = None,
    organization: Any = None,
    description: str | None = None,
    depends_on: tuple[str, ...] | list[str] = (),
) -> Any:
    """Give a command class its domain, organization, description, dependencies; make a function a command.

    Usable bare (``@command``) and with arguments; only arguments that are given change the class.
    """

    def place(found: Any) -> Any:
        made = found
        if isinstance(found, str):
            raise TypeError("command() takes a class or a function; for a domain, write domain=...")
        if isinstance(found, type):
            if not issubclass(found, CommandInfo):
                raise TypeError(
                    f"{found.__name__} is no command class: derive it from Command or AsyncCommand, or have "
                    "@command make a command of a function"
                )
        else:
            make = async_simple_command if inspect.iscoroutinefunction(found) else simple_command
            made = make(found)
        cls: Any = found if made is found else made.command_class
        if domain:
            cls._domain = domain
        if organization:
            cls._organization = organization
        if description:
            cls._description = description
        if depends_on:
            cls._depends_on = tuple(names(depends_on, "depends_on"))
        return made

    return place if target is None else place(target)


@overload
def async_command(domain: C) -> C: ...
@overload
def async_command(  # pyright: ignore[reportOverlappingOverload]
    domain: Callable[P, Coroutine[Any, Any, R]],
) -> AsyncSimpleCommand[P, R]: ...
@overload
def async_command(
    domain: Any = None,
    organization: Any = None,
    description: str | None = None,
    depends_on: tuple[str, ...] | list[str] = (),
) -> _Place: ...
def async_command(
    domain: Any = None,
    organization: Any = None,
    description: str | None = None,
    depends_on: tuple[str, ...] | list[str] = (),
) -> Any:
    """The same as ``command(...)`` for an AsyncCommand class or a coroutine function; usable bare, too."""
    if inspect.isroutine(domain) or (isinstance(domain, type) and issubclass(domain, CommandInfo)):
        return command(domain)
    return command(domain=domain, organization=organization, description=description, depends_on=depends_on)
