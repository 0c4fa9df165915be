"""What foobara_py's own methods do, kept for both twins of ``swap``: the way a run goes that is not fast.

`keep` gives a function as it was when it was replaced. `Whole` is a run phase by phase in which each step is
looked up where foobara_py looks it up, so that whatever a user overrides, patches or sets on an instance is
called; it can begin in the middle of a run that began the fast way. It knows three repairs:

- ``rollback-on-escape``: an exception that escapes after the transaction was entered rolls it back.
- ``close-failed-open``: an error added while opening closes the transaction, by rollback.
- ``call-hooks``: a hook that a sync command overrides is called, unless its class has a flag that is False.

Nothing here knows foobara_py by import: its classes come with the *target*.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any, cast

__all__ = [
    "CALL_HOOKS",
    "CLOSE_FAILED_OPEN",
    "PHASES",
    "REPAIRS",
    "ROLLBACK_ON_ESCAPE",
    "STANDS_FOR",
    "Whole",
    "dress",
    "keep",
    "stock",
    "unpacked",
]

Chain = Sequence[Callable[..., Any]]

ROLLBACK_ON_ESCAPE = "rollback-on-escape"
CLOSE_FAILED_OPEN = "close-failed-open"
CALL_HOOKS = "call-hooks"
REPAIRS = frozenset((ROLLBACK_ON_ESCAPE, CLOSE_FAILED_OPEN, CALL_HOOKS))

HOOK_FLAGS = ("_has_before_execute", "_has_after_execute")

# the methods of the seven phases, which are also the names of their transitions
PHASES = (
    "open_transaction",
    "cast_and_validate_inputs",
    "load_records",
    "validate_records",
    "validate",
    "execute",
    "commit_transaction",
)
EXECUTE = 5
COMMIT = 6
_KINDS = ("before", "after", "around", "error")

# What the twins do themselves without calling it, beside what they replace: each of these has to be of the
# known shape where the replacements are put in place.
STANDS_FOR = (
    "Command.__init__",
    "StateConcern._execute_phase",
    "StateConcern._fail",
    "TransactionConcern.open_transaction",
    "TransactionConcern.commit_transaction",
    "TransactionConcern.rollback_transaction",
    "ValidationConcern.load_records",
    "ValidationConcern.validate_records",
    "ValidationConcern.validate",
    "TypesConcern.inputs_type",
    "NamingConcern.full_command_symbol",
    "SubcommandConcern._validate_cross_domain_call",
    "CommandStateMachine.__init__",
    "CommandStateMachine.state",
    "CommandStateMachine.error",
    "CommandStateMachine.fail",
    "CommandStateMachine.transition_to",
    "ErrorCollection.__init__",
    "ErrorCollection.has_errors",
    "EnhancedCallbackRegistry.has_callbacks",
    "EnhancedCallbackRegistry.get_callbacks",
    "EnhancedCallbackExecutor.__init__",
    "CallbackCondition.matches",
    "FoobaraError.__init__",
    "FoobaraError.__post_init__",
    "FoobaraError._create_categorized_error",
    "TransactionRegistry.detect",
)


def keep(function: Any) -> Any:
    """Return *function* as it was when it was first kept, also where its code was exchanged since."""
    if type(function) is not FunctionType:
        return function
    kept = _kept.get(function)
    if kept is None:
        kept = FunctionType(
            function.__code__,
            function.__globals__,
            function.__name__,
            function.__defaults__,
            function.__closure__,
        )
        kept.__kwdefaults__ = function.__kwdefaults__
        kept.__qualname__ = function.__qualname__
        _kept[function] = kept
    return kept


_kept: dict[FunctionType, FunctionType] = {}


def stock(cls: type, name: str) -> Any:
    """Return what the bases of *cls* hold under *name*, unbound; None where none of them has it."""
    for base in cls.__mro__:
        if name in base.__dict__:
            return base.__dict__[name]
    return None


class Callbacks:
    """Runs one transition with its callbacks, all of them picked before the first is called."""

    def __init__(self, target: Any) -> None:
        self._registry, self._condition = target.EnhancedCallbackRegistry, target.CallbackCondition
        self._registries, self._conditions = vars(self._registry), vars(self._condition)
        self._has, self._get = self._registries["has_callbacks"], self._registries["get_callbacks"]
        self._matches = self._conditions["matches"]

    def run(self, registry: Any, command: Any, before: Any, after: Any, name: str, action: Any) -> Any:
        """Do *action*, the transition *name* from state *before* to *after*, with its callbacks around it."""
        if (
            type(registry) is not self._registry
            or self._registries["has_callbacks"] is not self._has
            or self._registries["get_callbacks"] is not self._get
            or self._conditions["matches"] is not self._matches
            or registry._compiled_chains
        ):
            if not registry.has_callbacks():
                return action()
            picked = [registry.get_callbacks(kind, before, after, name) for kind in _KINDS]
            return self._call(command, action, *picked)
        chains: dict[Any, list[Any]] = {}
        for item in registry._callbacks:
            condition = item.condition
            if type(condition) is self._condition:
                # what its `matches` comes to: bench case "one callback before, one after"
                wanted = condition.transition
                if wanted is not None and wanted != name:
                    continue
                wanted = condition.from_state
                if wanted is not None and wanted != before:
                    continue
                wanted = condition.to_state
                if wanted is not None and wanted != after:
                    continue
            elif not condition.matches(before, after, name):
                continue
            if item.callback_type in _KINDS:
                chains.setdefault(item.callback_type, []).append(item.callback)
        if not chains:
            return action()
        return self._call(command, action, *[chains.get(kind, ()) for kind in _KINDS])

    def _call(
        self, command: Any, action: Any, first: Chain, last: Chain, around: Chain, failing: Chain
    ) -> Any:
        try:
            for callback in first:
                callback(command)
            result = _surrounded(command, around, 0, action)() if around else action()
            for callback in last:
                callback(command)
            return result
        except Exception as error:
            for callback in failing:
                callback(command, error)
            raise


def _surrounded(command: Any, around: Chain, depth: int, action: Any) -> Any:
    if depth == len(around):
        return action

    def proceed() -> Any:
        return around[depth](command, _surrounded(command, around, depth + 1, action))

    return proceed


class Whole:
    """Runs a command, or the rest of one, with every step looked up."""

    def __init__(self, target: Any, repairs: frozenset[str]) -> None:
        self._states = tuple(target.CommandState)
        self._halt = target.Halt
        self._error = target.FoobaraError
        self._executor = self.executor = target.EnhancedCallbackExecutor
        self._executors = vars(target.EnhancedCallbackExecutor)
        self._transition = stock(target.EnhancedCallbackExecutor, "execute_transition")
        self._init = stock(target.EnhancedCallbackExecutor, "__init__")
        self._phase = stock(target.StateConcern, "_execute_phase")
        self._outcomes = sys.modules[target.CommandOutcome.__module__]
        self._undo = ROLLBACK_ON_ESCAPE in repairs
        self._close = CLOSE_FAILED_OPEN in repairs
        # The hooks that do nothing, if those that do something are to be called.
        self.hooks = (
            tuple(stock(target.ExecutionConcern, name) for name in ("before_execute", "after_execute"))
            if CALL_HOOKS in repairs
            else None
        )
        self._untouched = keep(stock(target.StateConcern, "run_instance"))
        self.callbacks = Callbacks(target)
        self.transition: Any = self._transition  # what may stand in its place

    def run(self, command: Any) -> Any:
        """Return the outcome of a run from its beginning."""
        registry = command.__class__._enhanced_callback_registry
        # A second run has a real executor: where it is one within the first, that goes on with it.
        direct = command._state_machine.state is self._states[0] and self._is_stock(command)
        if not direct and not self._undo and not self._close and self.hooks is None:
            return self._untouched(command)
        executor = self._executor(registry, command) if registry and not direct else None
        command._enhanced_callback_executor = executor
        return self.resume(command, 0, registry)

    def resume(
        self, command: Any, done: int, registry: Any, raised: list[BaseException] | None = None
    ) -> Any:
        """Return the outcome of a run of which the first *done* phases are over, their error checks excepted.

        *registry* is the one that the class had when the run began. The last of these phases has raised the
        one exception in *raised*, which is taken out of it: no frame of ours refers to it.
        """
        opening = True
        try:
            if done == 0:
                self._step(command, 0, registry)
            if done == 1 and raised:
                _raise_again(raised)
            if done <= 1 and command._errors.has_errors():
                outcome = command._fail()
                if self._close and _is_open(command._transaction):
                    command._transaction.__exit__(None, None, None)
                return outcome
            opening = False
            return self._inside(command, done, registry, raised)
        except Exception as error:
            command._state_machine.error()
            command.rollback_transaction()
            if command._transaction:
                command._transaction.__exit__(type(error), error, error.__traceback__)
            raise
        except BaseException as error:
            if opening and self._undo and _is_open(command._transaction):
                command._transaction.__exit__(type(error), error, error.__traceback__)
            raise

    def _inside(self, command: Any, done: int, registry: Any, raised: list[BaseException] | None) -> Any:
        # the phases in which the transaction is open
        try:
            try:
                return self._phases(command, done, registry, raised)
            except self._halt:
                return command._fail()
        except BaseException:
            if self._undo and hasattr(command._transaction, "mark_failed"):
                command._transaction.mark_failed()
            raise
        finally:
            if command._transaction:
                command._transaction.__exit__(None, None, None)

    def _phases(self, command: Any, done: int, registry: Any, raised: list[BaseException] | None) -> Any:
        if raised and done != EXECUTE + 1:
            _raise_again(raised)
        if 1 < done <= EXECUTE and command._errors.has_errors():
            return command._fail()
        for number in range(max(done, 1), EXECUTE):
            self._step(command, number, registry)
            if command._errors.has_errors():
                return command._fail()
        if done <= COMMIT:
            try:
                if raised:
                    _raise_again(raised)
                if done <= EXECUTE:
                    if self.calls(command.__class__, 0):
                        command.before_execute()
                        if command._errors.has_errors():
                            return command._fail()
                    command._result = self._step(command, EXECUTE, registry)
                if self.calls(command.__class__, 1):
                    command._result = command.after_execute(command._result)
            except self._halt:
                return command._fail()
            except Exception as error:
                command.add_error(
                    self._error.runtime_error(
                        "execution_error", str(error), exception_type=type(error).__name__
                    )
                )
                return command._fail()
            if command._errors.has_errors():
                return command._fail()
            self._step(command, COMMIT, registry)
        command._state_machine.transition_to(self._states[8])
        return self._outcomes.CommandOutcome.from_result(command._result)

    def calls(self, cls: Any, number: int) -> Any:
        """Return whether ``before_execute`` (0) or ``after_execute`` (1) of the class is called."""
        flag = getattr(cls, HOOK_FLAGS[number], None)
        if flag is not None or self.hooks is None:
            return flag
        hook = self.hooks[number]
        return getattr(cls, hook.__name__, hook) is not hook

    def _step(self, command: Any, number: int, registry: Any) -> Any:
        # the method is looked up before the state changes and before any callback
        name, state = PHASES[number], self._states[number + 1]
        action = getattr(command, name)
        if command._enhanced_callback_executor is not None or not self._is_stock(command):
            if registry and command._enhanced_callback_executor is None:
                executor = self._executor(registry, command)
                # past a __setattr__ of the user's, which has seen None set already
                object.__setattr__(command, "_enhanced_callback_executor", executor)
            return command._execute_phase(state, action, transition_name=name)
        machine = command._state_machine
        before = machine.state
        machine.transition_to(state)
        if not registry:
            return action()
        return self.callbacks.run(registry, command, before, state, name, action)

    def _is_stock(self, command: Any) -> bool:
        # whether an executor would be asked for nothing but the callbacks: it refers to the command, and so
        # keeps each one alive until the collector comes
        transition = self._executors["execute_transition"]
        return (
            type(command)._execute_phase is self._phase
            and "_execute_phase" not in vars(command)
            and (transition is self.transition or transition is self._transition)
            and self._executors["__init__"] is self._init
        )


def _is_open(transaction: Any) -> bool:
    return bool(transaction) and getattr(transaction, "is_active", True)


def dress(table: dict[str, object], target: Any) -> dict[str, object]:
    """Give each replacement the name, module and text of what it replaces, and return them."""
    for key, value in table.items():
        owner, name = key.split(".")
        before = stock(getattr(target, owner), name)
        before, now = getattr(before, "__func__", before), getattr(value, "__func__", value)
        if type(before) is not FunctionType:
            continue  # somebody has patched it or taken it away: what it belongs to is not replaced
        for attribute in ("__name__", "__qualname__", "__module__", "__doc__"):
            setattr(now, attribute, getattr(before, attribute))
    return table


def unpacked(packed: Callable[..., Any], before: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function with the signature of *before* that hands its arguments to *packed*, one by one.

    The rest of them is one tuple, and the keywords are one dict. For who sets it on a class: an exchanged
    code calls *packed* itself.
    """
    signature = inspect.signature(before)

    def call(*given: Any, **named: Any) -> Any:
        bound = signature.bind(*given, **named)
        bound.apply_defaults()
        return packed(*bound.arguments.values())

    return call


def _raise_again(raised: list[BaseException]) -> None:
    """Raise what is taken out of *raised*, with the context it has and not what is handled here."""
    error = raised.pop()
    context = error.__context__
    try:
        raise error
    finally:
        error.__context__ = context
        del error, context


def async_ways(target: Any, begin: Any = None, end: Any = None) -> dict[str, object]:
    """Return the replacements for async commands.

    The compiled twin gives *begin* and *end*. The first makes a command and validates its inputs. It returns
    the command, its registry, and True where execute is next, False where the inputs were refused, None where
    more may be to do first; where it returns the command for the registry, nothing is done yet. The second
    returns the outcome of a result, or None where something is left to do. Bench case "async run".
    """
    base, halted, error_class = target.AsyncCommand, target.Halt, target.FoobaraError
    outcomes, states = target.CommandOutcome, tuple(target.CommandState)
    casting, executing = states[2], states[6]

    def has(command: Any, name: str) -> bool:
        hook = getattr(command.__class__, name, None)
        return hook is not None and hook is not getattr(base, name) and callable(getattr(command, name, None))

    def failed(command: Any) -> Any:
        command._state_machine.fail()
        return outcomes.from_errors(*command._errors.all())

    def failed_by(command: Any, error: Exception) -> Any:
        command.add_error(
            error_class.runtime_error("execution_error", str(error), exception_type=type(error).__name__)
        )
        return failed(command)

    async def run_instance(self: Any) -> Any:
        registry = self.__class__._enhanced_callback_registry
        self._enhanced_callback_executor = None
        self._state_machine.transition_to(casting)
        if not self.validate_inputs():
            return failed(self)
        self._state_machine.transition_to(executing)
        return await validated(self, registry)

    async def validated(self: Any, registry: Any) -> Any:
        try:
            if registry:
                for callback in registry.get_callbacks("before", casting, executing, "execute"):
                    answer = callback(self)
                    if hasattr(answer, "__await__"):
                        await answer
                if self._errors.has_errors():
                    return failed(self)
            if has(self, "before_execute"):
                await self.before_execute()
                if self._errors.has_errors():
                    return failed(self)
            self._result = await self.execute()
        except halted:
            return failed(self)
        except Exception as error:
            return failed_by(self, error)
        return await executed(self, registry)

    async def executed(self: Any, registry: Any) -> Any:
        try:
            if has(self, "after_execute"):
                self._result = await self.after_execute(self._result)
            if registry:
                for callback in registry.get_callbacks("after", casting, executing, "execute"):
                    answer = callback(self)
                    if hasattr(answer, "__await__"):
                        await answer
        except halted:
            return failed(self)
        except Exception as error:
            return failed_by(self, error)
        if self._errors.has_errors():
            return failed(self)
        self._state_machine.succeed()
        return outcomes.from_result(self._result)

    async def run_packed(cls: Any, inputs: Any) -> Any:
        self, registry, ready = begin(cls, inputs)
        if ready is None:
            return await (self.run_instance() if registry is self else validated(self, registry))
        if not ready:
            return failed(self)
        try:
            self._result = await self.execute()
        except halted:
            return failed(self)
        except Exception as error:
            return failed_by(self, error)
        outcome = end(self)
        return await executed(self, registry) if outcome is None else outcome

    async def run(cls: Any, **inputs: Any) -> Any:
        return await run_packed(cls, inputs)

    ways: dict[str, object] = {"AsyncCommand.run_instance": run_instance}
    if begin is not None:
        of_class: Any = run
        of_class.exchanged = packed = cast(Any, run_packed)
        packed.packed = True
        ways["AsyncCommand.run"] = classmethod(of_class)
    return ways
