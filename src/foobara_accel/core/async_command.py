"""AsyncCommand: the same phases, states, callbacks and transactions as Command, with awaits in between."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeAlias

from pydantic import ValidationError

from .._backend import errors as _errors, executor
from .._vocabulary import CommandState, ErrorSeverity, Halt
from .callbacks import CallbackDSL
from .command import CommandInfo, InputT, OtherT, ResultT
from .outcome import CommandOutcome
from .plan import HOOKS, Services, remember_stock
from .state import CommandStateMachine

if TYPE_CHECKING:
    from .command import Command

    AnyCommand: TypeAlias = "type[Command[Any, OtherT]] | type[AsyncCommand[Any, OtherT]]"

__all__ = ["AsyncCommand"]

# The time (on the event loop's clock) by which the innermost command with a timeout must be done, and the
# task it runs in: a task that it starts has the same context but is not ended with it.
_deadline: ContextVar[tuple[float, Any] | None] = ContextVar("foobara_accel_deadline", default=None)
_NO_CHAINS: tuple[Any, ...] = (None,) * 8 + ({}, {})
_EXECUTE, _COMMIT = 5, 6


class AsyncCommand(executor.Core, CallbackDSL, CommandInfo, Generic[InputT, ResultT]):
    """A business operation whose ``execute`` is a coroutine; hooks and callbacks may be coroutines or not.

    ``timeout`` (seconds, None for no limit) bounds a run together with its subcommands: past it the
    command fails with the symbol ``timeout``.
    """

    _library_base = True
    if TYPE_CHECKING:

        @property
        def inputs(self) -> InputT:
            """The validated inputs. Raises ValueError before they are."""
            raise NotImplementedError

        @classmethod
        def inputs_type(cls) -> type[InputT]:
            """Return the Pydantic model of the inputs. Raises TypeError when the class names none."""
            raise NotImplementedError

    _is_async = True
    timeout: ClassVar[float | None] = None

    async def execute(self) -> Any:
        """Phase 6: the work; what it returns is the outcome's result."""
        return None

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

    else:
        run = run_async = executor.AsyncRunner()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        executor.install_async_runner(cls)

    @classmethod
    async def run_or_raise(cls, /, **inputs: Any) -> ResultT:
        """Run and return the result. Raises ValueError with the messages when the command fails."""
        return (await cls.run(**inputs)).unwrap()

    @classmethod
    async def run_with(cls, inputs: InputT) -> CommandOutcome[ResultT]:
        """Run on a valid instance of the inputs type without validating it again."""
        model = cls.inputs_type()
        if not isinstance(inputs, model):
            raise TypeError(
                f"{cls.__name__}.run_with() takes an instance of {model.__name__}, "
                f"not {type(inputs).__name__}"
            )
        return await executor.prepare(cls, {}, None, inputs)  # type: ignore[no-any-return]

    @classmethod
    async def run_json(cls, data: bytes | bytearray | str) -> CommandOutcome[ResultT]:
        """Run on the JSON object in *data*; JSON that cannot be read is a failed outcome."""
        try:
            model = executor.plan_for(cls).builder.build_json(data)
        except ValidationError as error:
            command = cls()
            command._json_error = error
            return await command.run_instance()
        return await executor.prepare(cls, {}, None, model)  # type: ignore[no-any-return]

    async def run_instance(self) -> CommandOutcome[ResultT]:
        """Run this instance, once, and return its outcome. Raises RuntimeError the second time."""
        if self._state != 0:
            raise RuntimeError(
                f"this {type(self).__name__} has already run (state {self.state_name}): make a new instance"
            )
        limit = type(self).timeout
        if limit is None:
            return await _finish(self, await _phases(self, 0))
        return await _within(self, limit)

    async def run_subcommand(self, command_class: AnyCommand[OtherT], /, **inputs: Any) -> OtherT | None:
        """Run *command_class*, sync or async, inside this run and return its result.

        None when the subcommand failed: its errors are errors of this run, which fails at its next check.
        A sync command runs here, in this thread, so that it can join this run's transaction.
        """
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


async def _whole(cls: Any, inputs: dict[str, Any], parent: Any, model: Any) -> Any:
    command = cls(**inputs)
    if parent is not None:
        command._parent = parent
    if model is not None:
        command._inputs = model
    return await command.run_instance()


def _now() -> float:
    return asyncio.get_running_loop().time()


async def _within(command: Any, limit: float) -> CommandOutcome[Any]:
    if not limit > 0:
        raise ValueError(f"{type(command).__name__}.timeout is a number of seconds above 0, not {limit!r}")
    if "trio" in sys.modules and _library() == "trio":
        return await _within_trio(command, limit)
    outer = _deadline.get()
    end = _now() + limit
    task = asyncio.current_task()
    if outer is not None and outer[1] is task and outer[0] < end:
        # The command around this one runs out first: its own timeout ends both.
        return await _finish(command, await _phases(command, 0))
    scope = asyncio.timeout_at(end)
    token = _deadline.set((end, task))
    try:
        async with scope:
            return await _finish(command, await _phases(command, 0))
    except TimeoutError:
        if not scope.expired():
            raise
        return await _timed_out(command, limit)
    finally:
        _deadline.reset(token)


def _library() -> str:
    sniffio = sys.modules.get("sniffio")
    if sniffio is None:
        return "asyncio"
    try:
        return str(sniffio.current_async_library())
    except sniffio.AsyncLibraryNotFoundError:
        return "asyncio"


async def _within_trio(command: Any, limit: float) -> CommandOutcome[Any]:
    trio = sys.modules["trio"]
    with trio.move_on_after(limit) as scope:
        return await _finish(command, await _phases(command, 0))
    assert scope.cancelled_caught
    return await _timed_out(command, limit)


async def _timed_out(command: Any, limit: float) -> CommandOutcome[Any]:
    command.add_error(_runtime("timeout", f"{type(command).__name__} took longer than {limit:g} s"))
    # The cancellation has rolled back and left ERRORED; the run as a whole has failed.
    command._state = command._entered
    plan = executor.plan_for(type(command))
    return await _finish(command, await _fail(command, plan, _chains(command, plan)))


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
    try:
        if isinstance(error, Halt):
            return await _finish(command, await _halted(command, plan, chains))
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
            return await _finish(command, await _fail(command, plan, chains))
    except Halt:
        return await _finish(command, await _halted(command, plan, chains))
    except BaseException as last:
        await _abort(command, plan, chains, last)
        raise
    return await _finish(command, await _phases(command, _COMMIT))


async def _halted(command: Any, plan: Any, chains: tuple[Any, ...]) -> bool:
    if not command._errors:
        command.add_error(_runtime("halted", f"{type(command).__name__} halted without an error"))
    try:
        return await _fail(command, plan, chains)
    except BaseException as error:
        await _abort(command, plan, _NO_CHAINS, error)
        raise


async def _phases(command: Any, first: int) -> bool:
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
                    return await _fail(command, plan, chains)
            command._state = command._entered = phase + 1
            chain = chains[phase]
            try:
                if chain is None:
                    result = await _act(command, plan, phase)
                    if phase == _EXECUTE:
                        command._result = result
                else:
                    await _transition(command, plan, chain, phase)
            except Halt:
                raise
            except Exception as error:
                if phase != _EXECUTE:
                    raise
                _add_execution_error(command, error)
            if command._errors:
                return await _fail(command, plan, chains)
            plan = executor.plan_for(type(command))
            chains = _chains(command, plan)
        if chains[7] is not None:
            await _transition(command, plan, chains[7], 7)
            if command._errors:
                return await _fail(command, plan, chains)
        command._state = CommandState.SUCCEEDED
        return True
    except Halt:
        return await _halted(command, plan, _chains(command, plan))
    except BaseException as error:
        await _abort(command, plan, _chains(command, plan), error)
        raise


async def _act(command: Any, plan: Any, phase: int) -> Any:
    if phase == 1:
        if command._inputs is None or _has(command, plan, 1):
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
        transaction = command._transaction
        if transaction is not None and not command._errors and transaction.is_active:
            transaction.commit()
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


async def _transition(command: Any, plan: Any, chain: Any, phase: int) -> None:
    before, around, after, failed = chain
    try:
        for callback in before:
            await _settle(callback(command))
        result = await _surround(command, around, 0, lambda: _act(command, plan, phase))
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


async def _fail(command: Any, plan: Any, chains: tuple[Any, ...]) -> bool:
    if command._state == CommandState.SUCCEEDED:
        command._state = CommandState.COMMITTING_TRANSACTION
    came_from = command._state
    await _rollback(command, plan)
    chain = chains[8].get(came_from)
    command._state = CommandState.FAILED
    if chain is not None:
        await _terminal(command, chain)
    if command._log_failures:
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


async def _abort(command: Any, plan: Any, chains: tuple[Any, ...], error: BaseException) -> None:
    came_from = command._state
    try:
        await _rollback(command, plan)
    except Exception as second:
        if second is not error:
            error.add_note(f"rolling back failed too: {type(second).__name__}")
    finally:
        command._state = CommandState.ERRORED
    if isinstance(error, Exception):
        chain = chains[9].get(came_from)
        if chain is not None:
            await _terminal(command, chain)


def _add_execution_error(command: Any, error: Exception) -> None:
    try:
        message = str(error)
    except Exception:
        message = f"{type(error).__name__} (its text cannot be read)"
    command.add_error(_runtime("execution_error", message, {"exception_type": type(error).__name__}))


executor.configure_async(_whole, _after, _settle)
remember_stock(AsyncCommand)
