"""The hot methods of foobara_py, written anew to take the place of its own (pure twin of ``ext/swap.pyx``).

`replacements` gives them by the name of what they replace. Each answers as foobara_py does, quirks included:
same values, errors, states, exceptions and pickles. A run takes the short way where nothing of the class is
overridden, patched or set on the instance; at the first thing that is not so the rest of it goes the way of
`_foreign.Whole`, which looks every step up.

Given up by name: ``_enhanced_callback_executor`` stays None (it is a reference cycle), a registry's counters
of hits and misses do not move during a run, and ``TransactionRegistry.detect`` is not called while no
detector is registered. For want of an executor, a second run of an instance within its first, begun after the
class's registry was set to None, does not end the callbacks of the first.
"""

from __future__ import annotations

from itertools import pairwise
from operator import attrgetter
from typing import Any

from pydantic import BaseModel, ValidationError

from .._foreign import PHASES, REPAIRS, STANDS_FOR, Whole, async_ways, dress, keep, stock

__all__ = ["REPAIRS", "STANDS_FOR", "replacements"]

# What a phase does is known where these of its class are foobara_py's own, and the instance has none of them.
_TO_OPEN = attrgetter("__getattribute__", "__setattr__", "_execute_phase", "open_transaction")
_TO_EXECUTE = attrgetter("_execute_phase", "load_records", "validate_records", "validate")
_TO_SUCCEED = attrgetter("_execute_phase", "commit_transaction")
_OF_INSTANCES = frozenset((*PHASES, "_execute_phase", "_transaction_config"))
_RESERVED = frozenset(("category", "is_fatal", "path", "severity", "suggestion"))


def replacements(target: Any, repairs: frozenset[str]) -> dict[str, object]:
    """Return what takes the place of foobara_py's methods, by "Class.attribute".

    *target* has its classes under their names; *repairs* names the repairs of `_foreign` that are wanted.
    Class methods are ``classmethod`` objects, all else is called with the instance first.
    """
    whole = Whole(target, repairs)
    table = {
        **_outcomes(target),
        **_errors(target),
        **_collected(target),
        **_inputs(target),
        **_runs(target, whole),
        **_subcommands(target),
        **_callbacks(target, whole),
        **async_ways(target),
    }
    return dress(table, target)


def _of_class(function: Any) -> classmethod[Any, ..., Any]:
    return classmethod(function)


# -- outcomes --------------------------------------------------------------------------------------


def _outcomes(target: Any) -> dict[str, object]:
    outcome = target.CommandOutcome
    live, base = vars(outcome), vars(BaseModel)
    validator, init = live["__pydantic_validator__"], base["__init__"]
    fill = object.__setattr__
    names = frozenset(("result", "errors", "metadata"))

    def make(cls: Any, result: Any, errors: list[Any], metadata: dict[str, Any]) -> Any:
        if (
            cls is not outcome
            or live["__pydantic_validator__"] is not validator
            or "__init__" in live
            or "__new__" in live
            or base["__init__"] is not init
        ):
            return cls(result=result, errors=errors, metadata=metadata)
        made = object.__new__(outcome)
        fill(made, "__dict__", {"result": result, "errors": errors, "metadata": metadata})
        fill(made, "__pydantic_fields_set__", set(names))
        fill(made, "__pydantic_extra__", None)
        fill(made, "__pydantic_private__", None)
        return made

    def from_result(cls: Any, result: Any, **metadata: Any) -> Any:
        """Return the outcome of a success."""
        return make(cls, result, [], metadata)

    def from_errors(cls: Any, *errors: Any, **metadata: Any) -> Any:
        """Return the outcome of a failure; of a success where there are no errors."""
        return make(cls, None, list(errors), metadata)

    return {
        "CommandOutcome.from_result": _of_class(from_result),
        "CommandOutcome.from_errors": _of_class(from_errors),
    }


# -- errors ----------------------------------------------------------------------------------------


def _errors(target: Any) -> dict[str, object]:
    error_class = target.FoobaraError
    error_init, error_after = stock(error_class, "__init__"), stock(error_class, "__post_init__")
    builder = stock(error_class, "_create_categorized_error")
    severity = error_class.__dataclass_fields__["severity"].default
    severities = type(severity)
    live = vars(error_class)

    def key(self: Any) -> str:
        """Return the key of an error, which is made once."""
        if self._cached_key is not None:
            return self._cached_key  # type: ignore[no-any-return]
        runtime_path = self.runtime_path
        above = [">".join(runtime_path) + ">"] if runtime_path else []
        category, path = self.category, self.path
        where = [".", ".".join(path)] if path else [".root"]
        made = "".join([*above, category, *where, ".", self.symbol])
        object.__setattr__(self, "_cached_key", made)
        return made

    def plain(cls: Any, context: dict[str, Any]) -> bool:
        return (
            cls is error_class
            and live["_create_categorized_error"] is builder
            and live["__init__"] is error_init
            and live["__post_init__"] is error_after
            and (not context or _RESERVED.isdisjoint(context))
        )

    factories = {
        name: keep(getattr(stock(error_class, name), "__func__", None))
        for name in ("data_error", "validation_error", "runtime_error")
    }

    def data_error(
        cls: Any, symbol: Any, path: Any, message: Any, suggestion: Any = None, **context: Any
    ) -> Any:
        """Return an error about data."""
        if not plain(cls, context):
            return factories["data_error"](cls, symbol, path, message, suggestion, **context)
        return cls("data", symbol, path, message, context, (), False, severity, suggestion)

    def validation_error(
        cls: Any, symbol: Any, path: Any, message: Any, suggestion: Any = None, **context: Any
    ) -> Any:
        """Return an error about data."""
        if not plain(cls, context):
            return factories["validation_error"](cls, symbol, path, message, suggestion, **context)
        return cls("data", symbol, path, message, context, (), False, severity, suggestion)

    def runtime_error(
        cls: Any, symbol: Any, message: Any, is_fatal: Any = False, suggestion: Any = None, **context: Any
    ) -> Any:
        """Return an error of a run, critical where it is fatal."""
        if not plain(cls, context):
            return factories["runtime_error"](cls, symbol, message, is_fatal, suggestion, **context)
        how = severities.CRITICAL if is_fatal else severity
        return cls("runtime", symbol, (), message, context, (), is_fatal, how, suggestion)

    return {
        "FoobaraError.key": key,
        "FoobaraError.data_error": _of_class(data_error),
        "FoobaraError.validation_error": _of_class(validation_error),
        "FoobaraError.runtime_error": _of_class(runtime_error),
    }


def _collected(target: Any) -> dict[str, object]:
    error_class, halted = target.FoobaraError, target.Halt

    def add_input_error(self: Any, path: Any, symbol: Any, message: Any, **context: Any) -> None:
        """Add an error about an input."""
        self.add_error(error_class.data_error(symbol, path, message, **context))

    def add_runtime_error(self: Any, symbol: Any, message: Any, halt: Any = True, **context: Any) -> None:
        """Add an error of the run, and end it unless *halt* is false."""
        self.add_error(error_class.runtime_error(symbol, message, **context))
        if halt:
            raise halted()

    return {
        "ErrorsConcern.add_input_error": add_input_error,
        "ErrorsConcern.add_runtime_error": add_runtime_error,
    }


# -- inputs ----------------------------------------------------------------------------------------


def _inputs(target: Any) -> dict[str, object]:
    error_class = target.FoobaraError

    def refuse(self: Any, error: ValidationError) -> None:
        # Neither the address of pydantic's page nor the context of its message is asked for.
        for row in error.errors(include_url=False, include_context=False):
            self.add_error(
                error_class(
                    category="data",
                    symbol=row["type"],
                    path=tuple([str(part) for part in row["loc"]]),
                    message=row["msg"],
                    context={"input": row.get("input")},
                )
            )

    def cast_and_validate_inputs(self: Any) -> None:
        """Make the inputs from what was given; each mistake becomes an error."""
        try:
            self._inputs = self.inputs_type()(**self._raw_inputs)
        except ValidationError as error:
            refuse(self, error)

    def validate_inputs(self: Any) -> bool:
        """Make the inputs from what was given; return whether there was no mistake."""
        try:
            self._inputs = self.inputs_type()(**self._raw_inputs)
            return True
        except ValidationError as error:
            refuse(self, error)
            return False

    return {
        "InputsConcern.cast_and_validate_inputs": cast_and_validate_inputs,
        "AsyncCommand.validate_inputs": validate_inputs,
    }


# -- runs ------------------------------------------------------------------------------------------


def _runs(target: Any, whole: Whole) -> dict[str, object]:
    meta: Any = type(target.Command)
    machine_class, errors_class = target.CommandStateMachine, target.ErrorCollection
    registry_class, config_class = target.EnhancedCallbackRegistry, target.TransactionConfig
    detection = target.TransactionRegistry
    live_machine, live_errors, live_detection = vars(machine_class), vars(errors_class), vars(detection)
    live_registry = vars(registry_class)
    has_callbacks = live_registry["has_callbacks"]
    transition_to, has_errors = live_machine["transition_to"], live_errors["has_errors"]
    detect = live_detection["detect"]
    states = tuple(target.CommandState)
    moves = tuple(pairwise(states[:9]))
    to_inputs, to_execute, to_success = moves[:2], moves[2:6], moves[6:]
    initialized, casting, executing, succeeded = states[0], states[2], states[6], states[8]
    outcomes = target.CommandOutcome
    hooks, calls = whole.hooks, whole.calls
    opening, checking, closing = (find(target.Command) for find in (_TO_OPEN, _TO_EXECUTE, _TO_SUCCEED))

    def calm(command: Any, cls: Any, registry: Any, machine: Any, state: Any) -> bool:
        """Whether no error, callback, transaction or attribute of the instance's own is in the way."""
        attributes = vars(command)
        return (
            (not attributes or _OF_INSTANCES.isdisjoint(attributes))
            and command.__class__ is cls
            and not registry._callbacks
            and command._transaction is None
            and (state is initialized or command._enhanced_callback_executor is None)
            and type(command._errors) is errors_class
            and not command._errors._errors_by_id
            and command._state_machine is machine
            and machine._state is state
            and live_machine["transition_to"] is transition_to
            and live_errors["has_errors"] is has_errors
            and live_registry["has_callbacks"] is has_callbacks
        )

    def opens(cls: Any) -> bool:
        config = cls._transaction_config
        if type(config) is not config_class:
            return True
        if not config.enabled:
            return False
        return bool(
            config.handler_factory
            or (config.auto_detect and (detection._handlers or live_detection["detect"] is not detect))
        )

    def run_instance(self: Any) -> Any:
        """Run this command and return its outcome."""
        cls = type(self)
        registry = self.__class__._enhanced_callback_registry
        machine = self._state_machine
        if (
            type(cls) is not meta
            or type(registry) is not registry_class
            or type(machine) is not machine_class
            or _TO_OPEN(cls) != opening
            or not calm(self, cls, registry, machine, initialized)
            or type(machine._transition_history) is not list
            or opens(cls)
        ):
            return whole.run(self)
        self._enhanced_callback_executor = None
        machine._transition_history += to_inputs
        machine._state = casting
        done = 2
        result: Any = None
        raised: list[BaseException] | None = None
        try:
            self.cast_and_validate_inputs()
            if (
                calm(self, cls, registry, machine, casting)
                and _TO_EXECUTE(cls) == checking
                and not getattr(cls, "_loads", None)
                and not getattr(cls, "_has_before_execute", False)
                and (hooks is None or not calls(cls, 0))
            ):
                action = self.execute
                done = 6
                machine._transition_history += to_execute
                machine._state = executing
                self._result = result = action()
                if (
                    calm(self, cls, registry, machine, executing)
                    and _TO_SUCCEED(cls) == closing
                    and not getattr(cls, "_has_after_execute", False)
                    and (hooks is None or not calls(cls, 1))
                ):
                    machine._transition_history += to_success
                    machine._state = succeeded
                    done = 8
        except BaseException as error:
            raised = [error]
        return outcomes.from_result(result) if done == 8 else whole.resume(self, done, registry, raised)

    return {"StateConcern.run_instance": run_instance}


# -- subcommands -----------------------------------------------------------------------------------


def _subcommands(target: Any) -> dict[str, object]:
    halted = target.Halt

    def run_subcommand_bang(self: Any, command_class: Any, **inputs: Any) -> Any:
        """Run a subcommand and return its result; a failure ends this command."""
        result = self.run_subcommand(command_class, **inputs)
        if result is None and self._errors.has_errors():
            raise halted()
        return result

    return {
        "SubcommandConcern.run_subcommand_bang": run_subcommand_bang,
        "SubcommandConcern.run_subcommand_": run_subcommand_bang,
    }


# -- callbacks -------------------------------------------------------------------------------------


def _callbacks(target: Any, whole: Whole) -> dict[str, object]:
    callbacks = whole.callbacks

    def execute_transition(self: Any, from_state: Any, to_state: Any, transition: Any, action: Any) -> Any:
        """Do *action* with the callbacks of this transition around it."""
        return callbacks.run(self._registry, self._command, from_state, to_state, transition, action)

    whole.transition = execute_transition
    return {"EnhancedCallbackExecutor.execute_transition": execute_transition}
