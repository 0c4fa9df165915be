"""Command: a business operation with typed inputs, eight phases and one outcome."""

from __future__ import annotations

import typing
from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeAlias, TypeVar, get_args

import pydantic  # BaseModel is looked up when used: it costs as much to import as the rest of pydantic

from .._backend import errors as _twin, executor
from .._vocabulary import CommandState, Halt
from . import naming
from .attributes import pass_by
from .callbacks import CallbackDSL
from .declared import errors_of, own_errors
from .plan import refuse_both_kinds, refuse_no_method, remember_stock
from .state import CommandStateMachine
from .transactions import TransactionConfig

if TYPE_CHECKING:
    from pydantic import BaseModel

    from .outcome import CommandOutcome
    from .simple import SimpleCommand

    AnyCommand: TypeAlias = "type[Command[Any, OtherT]] | SimpleCommand[..., OtherT]"
else:
    CommandOutcome = _twin.CommandOutcome

__all__ = ["Command", "CommandState", "Halt"]

InputT = TypeVar("InputT", bound="BaseModel")
ResultT = TypeVar("ResultT", covariant=True)  # commands and outcomes hand it out alone
OtherT = TypeVar("OtherT")


class _NameDescriptor:
    """``Cls.name`` and ``command.name``: the full name, unless a class defines its own."""

    def __get__(self, instance: Any, owner: Any) -> str:
        return owner.full_name()  # type: ignore[no-any-return]


class CommandInfo:
    """The cold half of a command class: what it is called, takes, returns and may answer with."""

    _domain: ClassVar[Any] = None
    _organization: ClassVar[Any] = None
    _description: ClassVar[str | None] = None
    _depends_on: ClassVar[tuple[str, ...] | list[str]] = ()
    _possible_errors: ClassVar[Any] = ()
    _tags: ClassVar[tuple[str, ...] | list[str]] = ()
    _loads: ClassVar[Any] = ()
    _log_failures: ClassVar[bool] = False
    _is_async: ClassVar[bool] = False
    _transaction_config: ClassVar[TransactionConfig] = TransactionConfig()
    _cached_inputs_type: ClassVar[Any] = None
    echo_inputs: ClassVar[bool] = False
    name: ClassVar[str] = _NameDescriptor()  # type: ignore[assignment]

    @classmethod
    def full_name(cls) -> str:
        """Return ``Organization::Domain::Class`` without the parts that the class has not."""
        return naming.full_name(cls)

    @classmethod
    def full_command_symbol(cls) -> str:
        """Return the name as runtime paths show it: lower case, joined by ``_``."""
        return naming.symbol(cls)

    @classmethod
    def inputs_type(cls) -> type[Any]:
        """Return the Pydantic model of the inputs. Raises TypeError when the class names none."""
        own = cls.__dict__.get("_cached_inputs_type")
        if own is not None:
            return own  # type: ignore[no-any-return]
        found = _type_argument(cls, 0)
        base = pydantic.BaseModel
        if not (isinstance(found, type) and issubclass(found, base)) or found is base:
            named = "names none" if found is None else f"has {_shown(found)}, which is no Pydantic model"
            raise TypeError(
                f"Could not determine inputs type for {cls.__name__}: it {named}. Derive it from "
                f"{_base_name(cls)}[SomeModel, SomeResult]; for a command without inputs, with an empty model"
            )
        return found

    @classmethod
    def result_type(cls) -> Any:
        """Return the declared type of the result, or Any."""
        found = _type_argument(cls, 1)
        return Any if found is None else found

    @classmethod
    def description(cls) -> str:
        """Return the description that the class gives, else its own docstring, else an empty string."""
        return cls._description or cls.__dict__.get("__doc__") or ""

    @classmethod
    def inputs_schema(cls) -> dict[str, Any]:
        """Return the JSON schema of the inputs; cached per class."""
        from .manifest import inputs_schema

        return inputs_schema(cls)

    @classmethod
    def manifest(cls) -> dict[str, Any]:
        """Return what connectors need to know of the command, as plain data."""
        from .manifest import command_manifest

        return command_manifest(cls)

    @classmethod
    def reflect(cls) -> Any:
        """Return the command's CommandManifest."""
        from .manifest import CommandManifest

        return CommandManifest.from_command(cls)

    @classmethod
    def depends_on(cls, *domains: Any) -> None:
        """Declare the domains, by name or as objects, that the class's manifest says it depends on."""
        for domain in domains:
            if not (domain if isinstance(domain, str) else hasattr(domain, "name")):
                given = "an empty one" if domain == "" else type(domain).__name__
                raise TypeError(f"depends_on() takes names of domains, or domains, not {given}")
        cls._depends_on = domains

    @classmethod
    def possible_error(
        cls, symbol: str, message: str | None = None, context: dict[str, Any] | None = None
    ) -> None:
        """Declare an error that this class, and no other, may answer with."""
        if not isinstance(symbol, str) or not symbol:
            raise TypeError("possible_error() takes the symbol as a non-empty string")
        if message is not None and not isinstance(message, str):
            raise TypeError(f"possible_error() takes the message as a str, not {type(message).__name__}")
        if context is not None and not isinstance(context, dict):
            raise TypeError(f"possible_error() takes the context as a dict, not {type(context).__name__}")
        own = own_errors(cls)
        own[symbol] = {"symbol": symbol, "message": message or symbol, "context": dict(context or {})}
        cls._possible_errors = own

    @classmethod
    def possible_errors(cls) -> list[dict[str, Any]]:
        """Return ``{symbol, message}`` of each declared error, those of the base classes first."""
        return [{"symbol": each["symbol"], "message": each["message"]} for each in errors_of(cls).values()]


def _shown(found: Any) -> str:
    # What was given instead of a model may be an instance of one, with values in it.
    if isinstance(found, type):
        return f"the class {found.__name__}"
    return f"an instance of {type(found).__name__}" if typing.get_origin(found) is None else str(found)


def _base_name(cls: type) -> str:
    return next((base.__name__ for base in cls.__mro__ if base.__dict__.get("_library_base")), "Command")


def _type_argument(cls: Any, index: int) -> Any:
    """Return type argument *index* of the library base of *cls*, through generic bases too."""
    found = _written_argument(cls, index)
    if isinstance(found, TypeVar):
        return None if index == 0 else found.__bound__
    return found


def _written_argument(cls: Any, index: int) -> Any:
    # As the bases have it: a TypeVar where a base between leaves the argument to its subclasses.
    for base in cls.__dict__.get("__orig_bases__", ()):
        origin = typing.get_origin(base)
        if isinstance(origin, type) and issubclass(origin, CommandInfo):
            arguments = get_args(base)
            if origin.__dict__.get("_library_base"):
                return arguments[index] if index < len(arguments) else None
            found = _written_argument(origin, index)
            parameters = getattr(origin, "__parameters__", ())
            if isinstance(found, TypeVar) and found in parameters:
                found = arguments[parameters.index(found)]
            return found
    for base in cls.__bases__:
        if issubclass(base, CommandInfo) and not base.__dict__.get("_library_base"):
            found = _written_argument(base, index)
            if found is not None:
                return found
    return None


class _Runs:
    # Not in Command's own namespace: what is set there instead makes that one larger, which runs that the
    # fallback has written notice.
    _library_runs = True
    if not TYPE_CHECKING:
        run = executor.Runner()

        @classmethod
        def run_json(cls, data):
            """Run on the JSON object in *data*; JSON that cannot be read is a failed outcome."""
            return executor.run_json(cls, data)

        run_json.__func__.__qualname__ = "Command.run_json"


class Command(executor.Core, CallbackDSL, _Runs, CommandInfo, Generic[InputT, ResultT]):
    """A business operation: derive from ``Command[Inputs, Result]`` and write ``execute``."""

    _library_base: Any = True
    if TYPE_CHECKING:

        @property
        def inputs(self) -> InputT:
            """The validated inputs. Raises ValueError before they are."""
            raise NotImplementedError

        @classmethod
        def inputs_type(cls) -> type[InputT]:
            """Return the Pydantic model of the inputs. Raises TypeError when the class names none."""
            raise NotImplementedError

        def open_transaction(self) -> None:
            """Phase 1: begin the transaction that the class's configuration names, if any."""

        def cast_and_validate_inputs(self) -> None:
            """Phase 2: make ``inputs`` of the raw inputs, or add a data error for each that is wrong."""

        def load_records(self) -> None:
            """Phase 3: fetch what the command works on; does nothing unless overridden."""

        def validate_records(self) -> None:
            """Phase 4: check what was loaded; does nothing unless overridden."""

        def validate(self) -> None:
            """Phase 5: check the inputs against each other; does nothing unless overridden."""

        def before_execute(self) -> None:
            """Run right before ``execute``; does nothing unless overridden."""

        def commit_transaction(self) -> None:
            """Phase 7: called before the transaction is committed; does nothing unless overridden."""

        def rollback_transaction(self) -> None:
            """Undo the open transaction; called once by a run that does not succeed."""

        def execute(self) -> ResultT:
            """Phase 6: the work; what it returns is the outcome's result."""
            raise NotImplementedError

        def run_instance(self) -> CommandOutcome[ResultT]:
            """Run this instance, once, and return its outcome. Raises RuntimeError the second time."""
            raise NotImplementedError

        def run_subcommand(self, command_class: AnyCommand[OtherT], /, **inputs: Any) -> OtherT | None:
            """Run *command_class* inside this run and return its result, None when it failed."""
            raise NotImplementedError

        def run_subcommand_bang(self, command_class: AnyCommand[OtherT], /, **inputs: Any) -> OtherT:
            """Run *command_class* inside this run and return its result; halt this run when it failed."""
            raise NotImplementedError

        run_subcommand_ = run_subcommand_bang

    if TYPE_CHECKING:

        @classmethod
        def run(cls, /, **inputs: Any) -> CommandOutcome[ResultT]:
            """Run on *inputs* and return the outcome."""
            raise NotImplementedError

        @classmethod
        def run_json(cls, data: bytes | bytearray | str) -> CommandOutcome[ResultT]:
            """Run on the JSON object in *data*; JSON that cannot be read is a failed outcome."""
            raise NotImplementedError

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        refuse_both_kinds(cls)
        pass_by(cls)
        refuse_no_method(cls)
        executor.install_runner(cls)

    @property
    def state_machine(self) -> CommandStateMachine:
        """The state and the transitions of this run, as a view."""
        return CommandStateMachine.of(self)

    @classmethod
    async def run_async(cls, /, **inputs: Any) -> CommandOutcome[ResultT]:
        """Run in a worker thread with the context variables copied, and return the outcome."""
        import asyncio

        # Bound here: to_thread() has a parameter of its own that an input may be named like.
        return await asyncio.to_thread(partial(cls.run, **inputs))

    @classmethod
    def run_or_raise(cls, /, **inputs: Any) -> ResultT:
        """Run and return the result. Raises ValueError with the messages when the command fails."""
        return cls.run(**inputs).unwrap()

    @classmethod
    def run_many(
        cls, rows: Iterable[Mapping[str, Any]] | Mapping[str, Iterable[Any]], /
    ) -> list[CommandOutcome[ResultT]]:
        """Run on each of *rows* in turn and return their outcomes: those of ``run(**row)``.

        *rows*: mappings from the names of inputs, a mapping from these to columns of one length, or a table
        of pyarrow or polars. Each row is a run of its own, with its own transaction and callbacks; one that
        fails is a failed outcome; what ends a run, such as KeyboardInterrupt, ends all, with a note of the
        row. Raises TypeError or ValueError, before anything is run, for rows that are none.
        """
        from .rows import note_row, rows_of

        given = rows_of(rows, cls.__name__)
        run = cls.run
        found: list[CommandOutcome[ResultT]] = []
        try:
            for row in given:
                found.append(run(**row))
        except BaseException as error:
            note_row(error, cls.__name__, len(found))
            raise
        return found

    @classmethod
    def run_with(cls, inputs: InputT) -> CommandOutcome[ResultT]:
        """Run on a valid instance of the inputs type without validating it again."""
        return executor.run_model(cls, inputs)

    def run_mapped_subcommand(
        self,
        command_class: Any,
        unmapped_inputs: Any = None,
        to: Any = None,
        **extra_inputs: Any,
    ) -> Any:
        """Run a subcommand on inputs that domain mappers convert, and map its result to *to*."""
        from ..domain.mappers import run_mapped

        return run_mapped(self, command_class, unmapped_inputs, to, extra_inputs)


remember_stock(Command)

_OTHERS = {
    "AsyncSimpleCommand",
    "SimpleCommand",
    "async_command",
    "async_simple_command",
    "command",
    "simple_command",
}


def __getattr__(name: str) -> Any:
    # foobara_py has its other kinds of commands, and their decorators, under this name too.
    if name == "AsyncCommand":
        from . import async_command as found
    elif name in _OTHERS:
        from . import simple as found  # type: ignore[no-redef]
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(found, name)
