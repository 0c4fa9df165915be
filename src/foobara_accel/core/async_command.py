"""AsyncCommand: the same phases, states, callbacks and transactions as Command, with awaits in between."""

from __future__ import annotations

import asyncio
import sys
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextvars import ContextVar
from inspect import isawaitable
from math import inf
from typing import TYPE_CHECKING, Any, Generic, TypeAlias

from pydantic import ValidationError

from .._backend import errors as _errors, executor
from .._reports import exception_text, kind_of, named
from .._vocabulary import CommandState, ErrorSeverity, Halt
from .attributes import pass_by
from .callbacks import CallbackDSL
from .command import CommandInfo, InputT, OtherT, ResultT
from .naming import class_of
from .outcome import CommandOutcome
from .plan import HOOKS, Services, refuse_both_kinds, refuse_no_method, remember_stock
from .state import CommandStateMachine

if TYPE_CHECKING:
    from .command import AnyCommand as SyncCommand
    from .simple import AsyncSimpleCommand

    AnyCommand: TypeAlias = (
        "SyncCommand[OtherT] | type[AsyncCommand[Any, OtherT]] | AsyncSimpleCommand[..., OtherT]"
    )

__all__ = ["AsyncCommand"]

_NO_CHAINS: tuple[Any, ...] = (None,) * 8 + ({}, {})
_EXECUTE, _COMMIT = 5, 6


class _Runs:
    # As in command.py.
    _library_runs = True
    if not TYPE_CHECKING:
        run = run_async = executor.AsyncRunner()


class AsyncCommand(executor.Core, CallbackDSL, _Runs, CommandInfo, Generic[InputT, ResultT]):
    """A business operation whose ``execute`` is a coroutine; hooks and callbacks may be coroutines or not.

    ``timeout`` (seconds, None for no limit; of the class or of an instance) bounds a run together with its
    subcommands up to the commit: past it the command fails with the symbol ``timeout``.
    """

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

        # Each may be a coroutine function in a subclass.
        def open_transaction(self) -> Awaitable[None] | None:
            """Phase 1: begin the transaction that the class's configuration names, if any."""

        def cast_and_validate_inputs(self) -> Awaitable[None] | None:
            """Phase 2: make ``inputs`` of the raw inputs, or add a data error for each that is wrong."""

        def load_records(self) -> Awaitable[None] | None:
            """Phase 3: fetch what the command works on; does nothing unless overridden."""

        def validate_records(self) -> Awaitable[None] | None:
            """Phase 4: check what was loaded; does nothing unless overridden."""

        def validate(self) -> Awaitable[None] | None:
            """Phase 5: check the inputs against each other; does nothing unless overridden."""

        def before_execute(self) -> Awaitable[None] | None:
            """Run right before ``execute``; does nothing unless overridden."""

        def commit_transaction(self) -> Awaitable[None] | None:
            """Phase 7: called before the transaction is committed; does nothing unless overridden."""

        def rollback_transaction(self) -> Awaitable[None] | None:
            """Undo the open transaction; called once by a run that does not succeed."""

    _is_async = True
    timeout: float | None = None

    @abstractmethod
    async def execute(self) -> Any:
        """Phase 6: the work; what it returns is the outcome's result. Without it a class has no instances."""

    @property
    def state_machine(self) -> CommandStateMachine:
        """The state and the transitions of this run, as a view."""
        return CommandStateMachine.of(self)

    if TYPE_CHECKING:

        @classmethod
        async def run(cls, /, **inputs: Any) -> CommandOutcome[ResultT]:
            """Run and return the outcome; nothing happens before the await."""
            raise NotImplementedError

        @classmethod
        async def run_async(cls, /, **inputs: Any) -> CommandOutcome[ResultT]:
            """As ``run``."""
            raise NotImplementedError

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        refuse_both_kinds(cls)
        pass_by(cls)
        refuse_no_method(cls)
        # What ABCMeta does for its classes: the interpreter makes no instance of one that has any.
        abstract = getattr(cls.execute, "__isabstractmethod__", False)
        _set_abstract(cls, ("execute",) if abstract else ())
        own: Any = cls.validate_inputs
        if not callable(own):
            raise TypeError(f"{cls.__name__}.validate_inputs is a method, not {type(own).__name__}")
        executor.install_async_runner(cls)

    @classmethod
    async def run_or_raise(cls, /, **inputs: Any) -> ResultT:
        """Run and return the result. Raises ValueError with the messages when the command fails."""
        return (await cls.run(**inputs)).unwrap()

    @classmethod
    async def run_many(
        cls, rows: Iterable[Mapping[str, Any]] | Mapping[str, Iterable[Any]], /, *, concurrency: int = 1
    ) -> list[CommandOutcome[ResultT]]:
        """Run on each of *rows* and return their outcomes, in the order of the rows: those of ``run(**row)``.

        *rows* are as for ``Command.run_many``. *concurrency*: how many of them may be under way at a time;
        more than one needs asyncio. Cancelled, those under way are cancelled and roll back, and no other
        begins; so too where a run raises, whose exception is then raised with a note of the row. Raises
        TypeError or ValueError, before anything is run, for rows that are none and for a *concurrency* that
        is no int above 0.
        """
        from .rows import note_row, rows_of

        if not isinstance(concurrency, int) or isinstance(concurrency, bool):
            raise TypeError(f"{cls.__name__}.run_many(): concurrency is an int, not {kind_of(concurrency)}")
        if concurrency < 1:
            raise ValueError(f"{cls.__name__}.run_many(): concurrency is 1 or more, not {concurrency}")
        given = rows_of(rows, cls.__name__)
        found: list[Any] = [None] * len(given)
        left, cancelled = enumerate(given), list[Any]()

        async def each_left() -> None:
            for at, row in left:
                try:
                    found[at] = await cls.run(**row)
                except (asyncio.CancelledError, GeneratorExit):
                    raise
                except BaseException as error:
                    note_row(error, cls.__name__, at)
                    raise

        if concurrency == 1:
            await each_left()
            return found

        async def lane() -> None:
            try:
                await each_left()
            except asyncio.CancelledError:
                # A group takes a task that cancelled itself for one that ended.
                cancelled.append(list(left))
                raise

        raised: BaseException | None = None
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(concurrency, len(given))):
                    group.create_task(lane())
        except BaseExceptionGroup as several:
            raised = several.exceptions[0]
        if raised is not None:
            raise raised
        if cancelled:
            raise asyncio.CancelledError
        return found

    @classmethod
    async def run_with(cls, inputs: InputT) -> CommandOutcome[ResultT]:
        """Run on a valid instance of the inputs type without validating it again."""
        plan = executor.plan_for(cls)
        model = plan.builder.model
        if not isinstance(inputs, model):
            raise TypeError(
                f"{cls.__name__}.run_with() takes an instance of {model.__name__}, "
                f"not {type(inputs).__name__}"
            )
        if plan.generic or plan.mask & 2:
            return await _given(cls, Services.values(inputs), inputs, None).run_instance()  # type: ignore[no-any-return]
        return await executor.prepare(cls, {}, None, inputs)  # type: ignore[no-any-return]

    @classmethod
    async def run_json(cls, data: bytes | bytearray | str) -> CommandOutcome[ResultT]:
        """Run on the JSON object in *data*; JSON that cannot be read is a failed outcome."""
        plan = executor.plan_for(cls)
        model = unread = None
        try:
            model = plan.builder.build_json(data)
        except ValidationError as error:
            unread = error
        # Outside the block: the error holds the input and is no context for what the run raises.
        if plan.generic or plan.mask & 2:
            command = _given(cls, Services.parsed(data), model, unread)
        elif unread is None:
            return await executor.prepare(cls, {}, None, model)  # type: ignore[no-any-return]
        else:
            command = cls()
            command._json_error = unread
        return await command.run_instance()  # type: ignore[no-any-return]

    async def run_instance(self) -> CommandOutcome[ResultT]:
        """Run this instance, once, and return its outcome. Raises RuntimeError the second time."""
        if self._state != 0:
            raise RuntimeError(
                f"this {type(self).__name__} has already run (state {self.state_name}): make a new instance"
            )
        limit = self.timeout
        if limit is None:
            return await _finish(self, await _phases(self, 0, _Run()))
        return await _within(self, _seconds(self, limit))

    if not TYPE_CHECKING:

        def cast_and_validate_inputs(self):
            """Phase 2: make ``inputs`` of the raw inputs, or add a data error for each that is wrong."""
            own = self.validate_inputs
            if getattr(own, "__func__", None) is _validate_inputs:
                return own()
            return _accepted(self, own())

    def validate_inputs(self) -> bool:
        """Make ``inputs`` of the raw inputs and return True, or add a data error for each that is wrong.

        A class that defines its own has it called in phase 2: False ends the run.
        """
        values, unread = self.__dict__.get(_GIVEN, (None, None))
        if values is not None and _same(values, self._raw_inputs):
            if unread is None:
                return True
            self._json_error = unread
        super().cast_and_validate_inputs()
        return not self._errors

    async def run_subcommand(self, command_class: AnyCommand[OtherT], /, **inputs: Any) -> OtherT | None:
        """Run *command_class*, sync or async, inside this run and return its result.

        None when the subcommand failed: its errors are errors of this run, which fails at its next check.
        A sync command runs here, in this thread, so that it can join this run's transaction.
        """
        if not getattr(command_class, "_is_async", False):
            command_class = class_of(command_class)
            if not getattr(command_class, "_is_async", False):
                return _run_here(self, command_class, **inputs)  # type: ignore[no-any-return]
        executor.judge(type(self), command_class)
        outcome = await executor.prepare(command_class, inputs, self)
        if outcome.is_success():
            return outcome.result  # type: ignore[no-any-return]
        # Of the outcome, not of the child: a run_instance of its own may make it of anything.
        for error in outcome.errors:
            error.context["subcommand"] = command_class.__name__
            self.errors.add(error)
        return None

    async def run_subcommand_bang(self, command_class: AnyCommand[OtherT], /, **inputs: Any) -> OtherT:
        """Run *command_class* inside this run and return its result; halt this run when there is none
        and this run has errors."""
        result: Any = await self.run_subcommand(command_class, **inputs)
        if result is None and self._errors:
            raise Halt
        return result  # type: ignore[no-any-return]

    run_subcommand_ = run_subcommand_bang

    async def run_mapped_subcommand(
        self,
        command_class: Any,
        unmapped_inputs: Any = None,
        to: Any = None,
        **extra_inputs: Any,
    ) -> Any:
        """Run a subcommand on inputs that domain mappers convert, and map its result to *to*."""
        from ..domain.mappers import run_mapped_async

        return await run_mapped_async(self, command_class, unmapped_inputs, to, extra_inputs)


# As a sync command does it: all that is wrong with the class it is given is wrong there too.
_run_here = executor.Core.run_subcommand


_validate_inputs: Any = AsyncCommand.validate_inputs


def _accepted(command: Any, answer: Any) -> Any:
    if isawaitable(answer):
        return _accepted_later(command, answer)
    if not answer and not command._errors:
        raise Halt
    return None


async def _accepted_later(command: Any, answer: Awaitable[Any]) -> None:
    _accepted(command, await answer)


# The key, in a command's own namespace, of the values that it was given and of what was wrong with them.
_GIVEN = "_foobara_given"


def _given(cls: Any, values: dict[str, Any] | None, model: Any, unread: ValidationError | None) -> Any:
    """Return an instance of a class that may change *values*, those of a *model* or of JSON.

    They are validated again only where it does: Pydantic takes from JSON what it does not take from Python.
    """
    if values is None:
        try:
            command = cls()
        except TypeError:  # its constructor asks for some
            command = cls.__new__(cls)
        if unread is not None:
            command._json_error = unread
        else:
            command._inputs = model
        return command
    command = cls(**values)
    if _same(values, command._raw_inputs):
        command.__dict__[_GIVEN] = values, unread
        command._inputs = model
    return command


def _same(values: dict[str, Any], raw: dict[str, Any]) -> bool:
    return len(raw) == len(values) and all(name in raw and raw[name] is values[name] for name in values)


def _set_abstract(cls: Any, names: tuple[str, ...]) -> None:
    cls.__abstractmethods__ = frozenset(names)


async def _whole(cls: Any, inputs: dict[str, Any], parent: Any, model: Any) -> Any:
    command = cls(**inputs)
    if parent is not None:
        command._parent = parent
    if model is not None:
        command._inputs = model
    return await command.run_instance()


class _Late(BaseException):
    """Ends a run that its deadline was to end, and that comes to its commit or its failure past it."""


class _Run:
    """What a run has besides its command: whether it has committed, and until then its deadline."""

    __slots__ = ("committed", "end", "outer", "scope", "task")

    def __init__(self) -> None:
        self.committed = False
        # An asyncio.Timeout or a trio.CancelScope; None without a deadline, and once it has been lifted.
        self.scope: Any = None
        self.end = inf
        self.task: Any = None
        self.outer: _Run | None = None

    def lift(self) -> bool:
        """Let the deadline end nothing any more; false when it has passed."""
        scope, self.scope = self.scope, None
        if scope is None:
            return True
        if self.task is None:  # trio
            if scope.cancel_called:
                return False
            scope.deadline = inf
            return True
        if scope.expired():
            return False
        scope.reschedule(None)
        return asyncio.get_running_loop().time() < self.end


# The innermost run with a deadline; only its own task is ended with it, not one that it has started.
_deadline: ContextVar[_Run | None] = ContextVar("foobara_accel_deadline", default=None)


def _seconds(command: Any, limit: Any) -> float:
    rule = f"{type(command).__name__}.timeout is a number of seconds above 0, or None"
    if isinstance(limit, bool) or not isinstance(limit, (int, float)):
        raise TypeError(f"{rule}, not {named(limit)}")
    try:
        seconds = float(limit)
    except OverflowError:
        raise ValueError(f"{rule}, and of at most 308 digits") from None
    if not seconds > 0:
        raise ValueError(f"{rule}, not {limit!r}")
    return seconds


async def _within(command: Any, limit: float) -> CommandOutcome[Any]:
    run = _Run()
    try:
        if "trio" in sys.modules and _library() == "trio":
            with sys.modules["trio"].move_on_after(limit) as run.scope:
                return await _finish(command, await _phases(command, 0, run))
        else:
            run.end = asyncio.get_running_loop().time() + limit
            run.task = asyncio.current_task()
            outer = _deadline.get()
            while outer is not None and outer.scope is None:
                outer = outer.outer
            if outer is not None and outer.task is run.task:
                if outer.end < run.end:
                    # The command around this one runs out first: its own timeout ends both.
                    return await _finish(command, await _phases(command, 0, _Run()))
                run.outer = outer
            run.scope = scope = asyncio.timeout_at(run.end)
            token = _deadline.set(run)
            try:
                async with scope:
                    return await _finish(command, await _phases(command, 0, run))
            except TimeoutError:
                if not scope.expired():
                    raise
            finally:
                _deadline.reset(token)
    except _Late:
        pass
    return await _timed_out(command, limit, run)


def _library() -> str:
    sniffio = sys.modules.get("sniffio")
    if sniffio is None:
        return "asyncio"
    try:
        return str(sniffio.current_async_library())
    except sniffio.AsyncLibraryNotFoundError:
        return "asyncio"


async def _timed_out(command: Any, limit: float, run: _Run) -> CommandOutcome[Any]:
    run.scope = None
    command.add_error(_runtime("timeout", f"{type(command).__name__} took longer than {limit:g} s"))
    # The cancellation has rolled back and left ERRORED; the run as a whole has failed.
    command._state = command._entered
    plan = executor.plan_for(type(command))
    return await _finish(command, await _halted(command, plan, _chains(command, plan), run))


def _runtime(symbol: str, message: str, context: dict[str, Any] | None = None) -> Any:
    return _errors.make_error("runtime", symbol, (), message, context, (), False, ErrorSeverity.ERROR)


async def _settle(value: Any) -> Any:
    return await value if isawaitable(value) else value


async def _finish(command: Any, succeeded: bool) -> CommandOutcome[Any]:
    return executor.finish(command, succeeded)


def _has(command: Any, plan: Any, hook: int) -> bool:
    return bool(plan.mask >> hook & 1) or HOOKS[hook] in command.__dict__


def _chains(command: Any, plan: Any) -> tuple[Any, ...]:
    own = command._own_callbacks
    chains = plan.chains if own is None else Services.chains(type(command), own)
    return _NO_CHAINS if chains is None else chains


async def _after(command: Any, error: BaseException | None) -> CommandOutcome[Any]:
    """What is left of a run on the hot path when execute raised *error*, or returned but changed something.

    It may have registered a callback or hung a hook on its instance, and those may be coroutines.
    """
    plan = executor.plan_for(type(command))
    chains = _chains(command, plan)
    run = _Run()
    try:
        if isinstance(error, Halt):
            return await _finish(command, await _halted(command, plan, chains, run))
        if isinstance(error, Exception):
            _add_execution_error(command, error)
        elif error is not None:
            raise error
        elif _has(command, plan, 8) and not command._errors:
            try:
                command._result = await _settle(command.after_execute(command._result))
            except Halt:
                raise
            except Exception as second:
                _add_execution_error(command, second)
        if command._errors:
            return await _finish(command, await _fail(command, plan, chains, run))
    except Halt:
        return await _finish(command, await _halted(command, plan, chains, run))
    except BaseException as last:
        await _abort(command, plan, chains, run, last)
        raise
    return await _finish(command, await _phases(command, _COMMIT, run))


async def _halted(command: Any, plan: Any, chains: tuple[Any, ...], run: _Run) -> bool:
    if not command._errors:
        command.add_error(_runtime("halted", f"{type(command).__name__} halted without an error"))
    try:
        return await _fail(command, plan, chains, run)
    except BaseException as error:
        await _abort(command, plan, _NO_CHAINS, run, error)
        raise


async def _phases(command: Any, first: int, run: _Run) -> bool:
    """Run the phases from *first* to the end, as the twins' function of that name does for sync commands."""
    plan = executor.plan_for(type(command))
    chains = _chains(command, plan)
    try:
        for phase in range(first, 7):
            if phase == _EXECUTE and _has(command, plan, 7):
                try:
                    await _settle(command.before_execute())
                except Halt:
                    raise
                except Exception as error:
                    _add_execution_error(command, error)
                if command._errors:
                    return await _fail_since(command, run)
            command._state = command._entered = phase + 1
            chain = chains[phase]
            try:
                if chain is None:
                    result = await _act(command, plan, phase, run)
                    if phase == _EXECUTE:
                        command._result = result
                else:
                    await _transition(command, plan, chain, phase, run)
            except Halt:
                raise
            except Exception as error:
                if phase != _EXECUTE:
                    raise
                _add_execution_error(command, error)
                if command._errors:
                    # Inside the block: for what a callback raises now, *error* is the context.
                    return await _fail_since(command, run)
            if command._errors and not run.committed:
                return await _fail_since(command, run)
            plan = executor.plan_for(type(command))
            chains = _chains(command, plan)
        transaction = command._transaction
        if not run.committed and transaction is not None and transaction.is_active:
            raise Halt  # a callback around the commit has not gone on
        if chains[7] is not None:
            # Its first part, the callbacks before it, has run before the commit.
            await _transition(command, plan, ((), *chains[7][1:]), 7, run)
            if command._errors and not run.committed:
                return await _fail_since(command, run)
        command._state = CommandState.SUCCEEDED
        return True
    except Halt:
        if run.committed:
            command._state = CommandState.SUCCEEDED
            return True
        return await _halted(command, plan, _chains(command, plan), run)
    except BaseException as error:
        await _abort(command, plan, _chains(command, plan), run, error)
        raise


async def _act(command: Any, plan: Any, phase: int, run: _Run) -> Any:
    if phase == 1:
        if command._inputs is None or _has(command, plan, 1) or "validate_inputs" in command.__dict__:
            await _settle(command.cast_and_validate_inputs())
        return None
    if phase == _EXECUTE:
        result = await _settle(command.execute())
        if _has(command, plan, 8) and not command._errors:
            result = await _settle(command.after_execute(result))
        return result
    if phase == _COMMIT:
        if _has(command, plan, _COMMIT):
            await _settle(command.commit_transaction())
        await _commit(command, run)
        return None
    if phase == 7:
        command._state = CommandState.SUCCEEDED
        return None
    if phase == 0:
        if plan.opens or _has(command, plan, 0):
            await _settle(command.open_transaction())
        return None
    if _has(command, plan, phase):
        await _settle(getattr(command, HOOKS[phase])())
    return None


async def _commit(command: Any, run: _Run) -> None:
    """Pass the point of no return, unless a callback before success has an error; nothing fails after it."""
    chain = _chains(command, executor.plan_for(type(command)))[7]
    if chain is not None and not command._errors:
        try:
            for callback in chain[0]:
                await _settle(callback(command))
        except Exception as error:
            for callback in chain[3]:
                await _settle(callback(command, error))
            raise
    if command._errors:
        return
    if not run.lift():
        raise _Late
    transaction = command._transaction
    if transaction is not None and transaction.is_active:
        transaction.commit()
    executor.close(command)
    run.committed = True


async def _transition(command: Any, plan: Any, chain: Any, phase: int, run: _Run) -> None:
    before, around, after, failed = chain
    try:
        for callback in before:
            await _settle(callback(command))
        result = await _surround(command, around, 0, lambda: _act(command, plan, phase, run))
        if phase == _EXECUTE:
            command._result = result
        for callback in after:
            await _settle(callback(command))
    except Exception as error:
        for callback in failed:
            await _settle(callback(command, error))
        raise


async def _surround(
    command: Any, around: tuple[Any, ...], depth: int, action: Callable[[], Awaitable[Any]]
) -> Any:
    if depth == len(around):
        return await action()
    return await _settle(around[depth](command, lambda: _surround(command, around, depth + 1, action)))


async def _nothing() -> None:
    return None


async def _fail_since(command: Any, run: _Run) -> bool:
    # The phase that failed may have registered a callback for just that.
    plan = executor.plan_for(type(command))
    return await _fail(command, plan, _chains(command, plan), run)


async def _fail(command: Any, plan: Any, chains: tuple[Any, ...], run: _Run) -> bool:
    if command._state == CommandState.SUCCEEDED:
        # As in the twins: an error of a callback there, of a run that has not committed.
        command._state = CommandState.COMMITTING_TRANSACTION
    came_from = command._state
    await _rollback(command, plan)
    if not run.lift():
        raise _Late
    chain = chains[8].get(came_from)
    command._state = CommandState.FAILED
    if chain is not None:
        await _terminal(command, chain)
    if plan.logs or (command.__dict__ and command._log_failures):
        Services.failed(command)
    return False


async def _terminal(command: Any, chain: Any) -> None:
    before, around, after, failed = chain
    try:
        for callback in before:
            await _settle(callback(command))
        await _surround(command, around, 0, _nothing)
        for callback in after:
            await _settle(callback(command))
    except Exception as error:
        for callback in failed:
            await _settle(callback(command, error))
        raise


async def _rollback(command: Any, plan: Any) -> None:
    if not executor.close(command):
        return
    if command._transaction is None and not _has(command, plan, 9):
        return
    try:
        await _settle(command.rollback_transaction())
    finally:
        transaction = command._transaction
        if transaction is not None and transaction.is_active:
            transaction.rollback()


async def _abort(command: Any, plan: Any, chains: tuple[Any, ...], run: _Run, error: BaseException) -> None:
    came_from = command._state
    try:
        await _rollback(command, plan)
    except Exception as second:
        if second is not error:
            error.add_note(f"rolling back failed too: {type(second).__name__}")
    finally:
        command._state = CommandState.ERRORED
    if isinstance(error, Exception):
        run.lift()
        chain = chains[9].get(came_from)
        if chain is not None:
            await _terminal(command, chain)


def _add_execution_error(command: Any, error: Exception) -> None:
    context = {"exception_type": type(error).__name__}
    command.add_error(_runtime("execution_error", exception_text(error), context))


_set_abstract(AsyncCommand, ("execute",))
executor.configure_async(_whole, _after, _settle)
remember_stock(AsyncCommand)
