"""Command: phases, states, hooks, halting, exceptions, plans, names and subcommands, on both backends."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import logging
import pickle
import sqlite3
import sys
import threading
import types
from collections.abc import Callable
from itertools import pairwise
from types import ModuleType
from typing import Any, Generic, TypeVar
from unittest import mock

import pytest
from pydantic import BaseModel, Field, SecretStr, field_validator

PHASES = (
    "open_transaction",
    "cast_and_validate_inputs",
    "load_records",
    "validate_records",
    "validate",
    "execute",
    "commit_transaction",
)
HOOKS = (*PHASES[:5], "before_execute", "execute", "after_execute", "commit_transaction")
STATES = (
    "INITIALIZED",
    "OPENING_TRANSACTION",
    "CASTING_AND_VALIDATING_INPUTS",
    "LOADING_RECORDS",
    "VALIDATING_RECORDS",
    "VALIDATING",
    "EXECUTING",
    "COMMITTING_TRANSACTION",
    "SUCCEEDED",
)


class Pair(BaseModel):
    a: int
    b: int = 2


class Nothing(BaseModel):
    pass


class Handler:
    """Logs its calls; *fails* names the one that raises."""

    def __init__(self, calls: list[str] | None = None, fails: str = "") -> None:
        self.calls = [] if calls is None else calls
        self.fails = fails

    def _call(self, what: str) -> None:
        self.calls.append(what)
        if what == self.fails:
            raise OSError(what)

    def begin(self) -> None:
        self._call("begin")

    def commit(self) -> None:
        self._call("commit")

    def rollback(self) -> None:
        self._call("rollback")


class Unprintable(Exception):
    def __str__(self) -> str:
        raise ValueError("no text")


def make(fa: ModuleType, execute: Callable[[Any], Any] | None = None, name: str = "Made", **body: Any) -> Any:
    """Return a command class on Pair with the members given."""
    if execute is not None:
        body["execute"] = execute
    return types.new_class(name, (fa.Command[Pair, Any],), {}, lambda space: space.update(body))


def with_handler(fa: ModuleType, handler: Handler) -> Any:
    return fa.TransactionConfig.with_handler(lambda: handler)


def symbols(outcome: Any) -> list[str]:
    return [error.symbol for error in outcome.errors]


def moves(command: Any) -> list[tuple[str, str]]:
    return [(before.name, after.name) for before, after in command.state_machine.history]


# -- a run -----------------------------------------------------------------------------------------


def test_a_run_returns_the_result(fa: ModuleType) -> None:
    class Add(fa.Command[Pair, int]):
        def execute(self) -> int:
            return self.inputs.a + self.inputs.b

    outcome = Add.run(a=1)
    assert outcome.is_success() and outcome.result == 3 and outcome.errors == []
    assert type(outcome) is fa.CommandOutcome
    assert Add.run_or_raise(a=2, b=5) == 7


def test_run_or_raise_raises_the_messages(fa: ModuleType) -> None:
    cls = make(fa, lambda self: self.add_runtime_error("full", "no room"))
    with pytest.raises(ValueError, match="no room"):
        cls.run_or_raise(a=1)


@pytest.mark.parametrize("how", ["run", "run_instance", "run_with", "run_json"])
def test_every_entrance_runs_every_phase_in_order(fa: ModuleType, how: str) -> None:
    seen: list[tuple[str, int]] = []

    def hook(name: str) -> Callable[..., Any]:
        def call(self: Any, *given: Any) -> Any:
            seen.append((name, int(self.state)))
            return getattr(super(cls, self), name)(*given)

        return call

    cls = make(fa, **{name: hook(name) for name in HOOKS})
    if how == "run_with":
        outcome = cls.run_with(Pair(a=1))
    elif how == "run_json":
        outcome = cls.run_json(b'{"a": 1}')
    else:
        outcome = cls.run(a=1) if how == "run" else cls(a=1).run_instance()
    assert outcome.is_success()
    assert seen == [
        ("open_transaction", 1),
        ("cast_and_validate_inputs", 2),
        ("load_records", 3),
        ("validate_records", 4),
        ("validate", 5),
        ("before_execute", 5),
        ("execute", 6),
        ("after_execute", 6),
        ("commit_transaction", 7),
    ]


def test_the_state_machine_of_a_success_has_eight_moves(fa: ModuleType) -> None:
    command = make(fa)(a=1)
    assert command.state_name == "initialized" and moves(command) == []
    command.run_instance()
    assert command.state is fa.CommandState.SUCCEEDED
    assert moves(command) == list(pairwise(STATES))


@pytest.mark.parametrize("phase", range(7))
def test_an_error_added_in_a_phase_fails_the_run_there(fa: ModuleType, phase: int) -> None:
    handler = Handler()
    ran: list[int] = []

    def hook(number: int) -> Callable[..., Any]:
        def call(self: Any) -> None:
            ran.append(number)
            if number in (0, 1):
                getattr(super(cls, self), PHASES[number])()
            if number == phase:
                self.add_runtime_error("wrong", "w", halt=False)

        return call

    cls = make(
        fa,
        _transaction_config=with_handler(fa, handler),
        **{name: hook(number) for number, name in enumerate(PHASES)},
    )
    command = cls(a=1)
    outcome = command.run_instance()
    assert outcome.is_failure() and symbols(outcome) == ["wrong"]
    assert ran == list(range(phase + 1))
    assert command.state is fa.CommandState.FAILED
    assert moves(command)[-1] == (STATES[phase + 1], "FAILED")
    assert handler.calls == ["begin", "rollback"]


@pytest.mark.parametrize("phase", range(7))
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit, asyncio.CancelledError])
def test_every_exception_rolls_back_exactly_once(
    fa: ModuleType, phase: int, error: type[BaseException]
) -> None:
    handler = Handler()
    raised = error("out")

    def hook(number: int) -> Callable[..., Any]:
        def call(self: Any) -> None:
            if number in (0, 1):
                getattr(super(cls, self), PHASES[number])()
            if number == phase:
                raise raised

        return call

    cls = make(
        fa,
        _transaction_config=with_handler(fa, handler),
        **{name: hook(number) for number, name in enumerate(PHASES)},
    )
    command = cls(a=1)
    if phase == 5 and error is RuntimeError:
        outcome = command.run_instance()
        assert outcome.is_failure() and symbols(outcome) == ["execution_error"]
        assert outcome.errors[0].message == "out"
        assert outcome.errors[0].context == {"exception_type": "RuntimeError"}
        assert outcome.errors[0].category == "runtime"
        assert command.state is fa.CommandState.FAILED
    else:
        with pytest.raises(error) as caught:
            command.run_instance()
        assert caught.value is raised
        assert command.state is fa.CommandState.ERRORED
        assert moves(command)[-1] == (STATES[phase + 1], "ERRORED")
    assert handler.calls == ["begin", "rollback"]
    assert not command._transaction.is_active


@pytest.mark.parametrize("error", [KeyboardInterrupt, asyncio.CancelledError])
def test_a_base_exception_leaves_the_shortest_run(fa: ModuleType, error: type[BaseException]) -> None:
    raised = error()
    kept: list[Any] = []

    def execute(self: Any) -> None:
        kept.append(self)
        raise raised

    with pytest.raises(error) as caught:
        make(fa, execute).run(a=1)
    assert caught.value is raised and kept[0].state is fa.CommandState.ERRORED


@pytest.mark.parametrize("hook", ["before_execute", "after_execute"])
def test_an_exception_in_the_hooks_around_execute_is_an_execution_error(fa: ModuleType, hook: str) -> None:
    def wrong(self: Any, *_: Any) -> None:
        raise LookupError("lost")

    command = make(fa, **{hook: wrong})(a=1)
    outcome = command.run_instance()
    assert symbols(outcome) == ["execution_error"] and outcome.errors[0].message == "lost"
    came_from = "VALIDATING" if hook == "before_execute" else "EXECUTING"
    assert moves(command)[-1] == (came_from, "FAILED")


def test_an_exception_whose_text_cannot_be_read_is_an_execution_error(fa: ModuleType) -> None:
    def execute(self: Any) -> None:
        raise Unprintable

    outcome = make(fa, execute).run(a=1)
    assert symbols(outcome) == ["execution_error"] and "Unprintable" in outcome.errors[0].message


def test_before_and_after_execute_run_when_overridden(fa: ModuleType) -> None:
    seen: list[str] = []
    cls = make(
        fa,
        lambda self: 1,
        before_execute=lambda self: seen.append("before"),
        after_execute=lambda self, result: (seen.append("after"), result + 1)[1],
    )
    assert cls.run(a=1).result == 2 and seen == ["before", "after"]


def test_an_error_in_before_execute_keeps_execute_from_running(fa: ModuleType) -> None:
    ran: list[int] = []
    cls = make(
        fa,
        lambda self: ran.append(1),
        before_execute=lambda self: self.add_runtime_error("early", "e", halt=False),
    )
    assert symbols(cls.run(a=1)) == ["early"] and ran == []


def test_after_execute_is_left_out_when_execute_added_an_error(fa: ModuleType) -> None:
    ran: list[int] = []
    cls = make(
        fa,
        lambda self: self.add_runtime_error("wrong", "w", halt=False),
        after_execute=lambda self, result: ran.append(1),
    )
    assert symbols(cls.run(a=1)) == ["wrong"] and ran == []


# -- halting ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", HOOKS)
def test_halting_without_an_error_is_a_failure(fa: ModuleType, phase: str) -> None:
    handler = Handler()

    def halting(self: Any, *_: Any) -> None:
        if phase == "open_transaction":
            super(cls, self).open_transaction()
        self.halt()

    cls = make(fa, _transaction_config=with_handler(fa, handler), **{phase: halting})
    command = cls(a=1)
    outcome = command.run_instance()
    assert outcome.is_failure() and symbols(outcome) == ["halted"] and outcome.errors[0].category == "runtime"
    assert "Made" in outcome.errors[0].message
    assert command.state is fa.CommandState.FAILED and handler.calls == ["begin", "rollback"]


def test_halting_with_an_error_keeps_only_that(fa: ModuleType) -> None:
    def execute(self: Any) -> None:
        self.add_runtime_error("full", "no room", left=0)

    outcome = make(fa, execute).run(a=1)
    assert symbols(outcome) == ["full"] and outcome.errors[0].context == {"left": 0}


def test_a_halt_raised_by_hand_is_the_same(fa: ModuleType) -> None:
    def execute(self: Any) -> None:
        raise fa.Halt

    assert symbols(make(fa, execute).run(a=1)) == ["halted"]


def test_halting_at_commit_keeps_the_result_from_the_outcome(fa: ModuleType) -> None:
    command = make(fa, lambda self: 5, commit_transaction=lambda self: self.halt())(a=1)
    outcome = command.run_instance()
    assert outcome.result is None and command._result == 5 and outcome.is_failure()


# -- errors ----------------------------------------------------------------------------------------


def test_missing_and_wrong_inputs_are_data_errors(fa: ModuleType) -> None:
    outcome = make(fa).run(b="x")
    assert [(e.category, e.symbol, e.path) for e in outcome.errors] == [
        ("data", "missing", ("a",)),
        ("data", "int_parsing", ("b",)),
    ]
    assert [e.context for e in outcome.errors] == [{}, {}]


def test_echo_inputs_puts_the_value_into_the_context(fa: ModuleType) -> None:
    outcome = make(fa, echo_inputs=True).run(a="x")
    assert outcome.errors[0].context == {"input": "x"}


def test_echo_inputs_set_later_holds_from_the_next_run(fa: ModuleType) -> None:
    cls = make(fa)
    assert cls.run(a="x").errors[0].context == {}
    cls.echo_inputs = True
    assert cls.run(a="x").errors[0].context == {"input": "x"}


def test_echo_inputs_never_shows_a_secret(fa: ModuleType) -> None:
    class Login(BaseModel):
        password: SecretStr = Field(min_length=20)

    class Enter(fa.Command[Login, Any]):
        echo_inputs = True

    outcome = Enter.run(password="hunter2")
    assert outcome.is_failure()
    assert "hunter2" not in str([error.to_dict() for error in outcome.errors])


def test_the_outcome_as_a_dict_holds_error_dicts(fa: ModuleType) -> None:
    held = make(fa).run(a="x").to_dict()
    assert held["errors"][0]["symbol"] == "int_parsing" and held["errors"][0]["path"] == ["a"]


def test_an_exception_in_a_validator_escapes(fa: ModuleType) -> None:
    class Odd(BaseModel):
        a: int

        @field_validator("a")
        @classmethod
        def look(cls, value: int) -> int:
            raise KeyError("look")

    handler = Handler()

    class Use(fa.Command[Odd, Any]):
        pass

    class Transacted(fa.Command[Odd, Any]):
        _transaction_config = with_handler(fa, handler)

    for cls in (Use, Transacted):
        with pytest.raises(KeyError):
            cls.run(a=1)
        command = cls(a=1)
        with pytest.raises(KeyError):
            command.run_instance()
        assert command.state is fa.CommandState.ERRORED
    assert handler.calls == ["begin", "rollback"] * 2


def test_an_error_present_before_the_run_fails_it_after_phase_one(fa: ModuleType) -> None:
    ran: list[int] = []
    command = make(fa, lambda self: ran.append(1))(a=1)
    command.add_runtime_error("early", "e", halt=False)
    outcome = command.run_instance()
    assert symbols(outcome) == ["early"] and ran == []
    assert moves(command)[-1] == ("OPENING_TRANSACTION", "FAILED")


def test_inputs_before_validation_is_an_error(fa: ModuleType) -> None:
    with pytest.raises(ValueError, match="Inputs not yet validated"):
        _ = make(fa)(a=1).inputs


@pytest.mark.parametrize("wrong", [None, "text", ValueError("x"), {"symbol": "x"}])
def test_add_error_takes_errors_only(fa: ModuleType, wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"add_error\(\) takes a FoobaraError"):
        make(fa)(a=1).add_error(wrong)


@pytest.mark.parametrize("wrong", [None, 5, 1.5, object()])
def test_a_path_is_a_name_or_names(fa: ModuleType, wrong: Any) -> None:
    with pytest.raises(TypeError, match="path is a name or a sequence of names"):
        make(fa)(a=1).add_input_error(wrong, "x", "m")


@pytest.mark.parametrize("wrong", [b"a", {"a": 1}, {"a"}])
def test_a_path_is_no_bytes_mapping_or_set(fa: ModuleType, wrong: Any) -> None:
    with pytest.raises(TypeError, match="path is a name or a sequence of names"):
        make(fa)(a=1).add_input_error(wrong, "x", "m")


def test_add_input_error_never_halts(fa: ModuleType) -> None:
    def execute(self: Any) -> None:
        self.add_input_error("a", "odd", "is odd", seen=self.inputs.a)
        self.add_input_error(("b", 0, "c"), "deep", "m")
        self.add_input_error([], "all", "m")

    outcome = make(fa, execute).run(a=1)
    assert [(e.path, e.symbol, e.context) for e in outcome.errors] == [
        (("a",), "odd", {"seen": 1}),
        (("b", "0", "c"), "deep", {}),
        ((), "all", {}),
    ]
    assert outcome.errors[0].key() == "data.a.odd"


def test_possible_errors_belong_to_the_class_that_declares_them(fa: ModuleType) -> None:
    class Base(fa.Command[Pair, Any]):
        _possible_errors = (("listed", "Listed"),)

    class One(Base):
        pass

    class Two(Base):
        pass

    One.possible_error("only_one", "Only one", {"x": 1})
    One.possible_error("bare")
    assert Base.possible_errors() == Two.possible_errors() == [{"symbol": "listed", "message": "Listed"}]
    assert [e["symbol"] for e in One.possible_errors()] == ["listed", "only_one", "bare"]
    assert One.possible_errors()[2]["message"] == "bare"
    assert fa.Command.possible_errors() == []
    for wrong in ("", None, 5):
        with pytest.raises(TypeError, match="symbol"):
            One.possible_error(wrong)


# -- how it is called ------------------------------------------------------------------------------


def test_positional_inputs_are_refused(fa: ModuleType) -> None:
    with pytest.raises(TypeError, match="keywords only, not 2 positional arguments"):
        make(fa).run(1, 2)
    with pytest.raises(TypeError):
        make(fa)(1)


def test_inputs_may_be_called_self_and_cls(fa: ModuleType) -> None:
    class Odd(BaseModel):
        cls: int
        command_class: int = 0

    class Use(fa.Command[Odd, Any]):
        def execute(self) -> Any:
            return self.inputs.cls, self.inputs.command_class

    class Outer(fa.Command[Nothing, Any]):
        def execute(self) -> Any:
            return self.run_subcommand(Use, cls=3, command_class=4)

    assert Use.run(cls=1, command_class=2).result == (1, 2)
    assert Use(cls=1).run_instance().result == (1, 0)
    assert Outer.run().result == (3, 4)
    assert Use.run(cls=1, self=2).is_success()


def test_a_method_looked_up_on_the_class_refuses_what_is_no_instance(fa: ModuleType) -> None:
    class Use(fa.Command[Pair, Any]):
        pass

    # The hooks that do nothing would swallow a callback that was meant to be registered.
    for name in (
        "load_records",
        "validate_records",
        "validate",
        "before_execute",
        "execute",
        "commit_transaction",
    ):
        with pytest.raises(TypeError, match=name):
            getattr(Use, name)(lambda command: None)
    # The others have a use of what they are called on, which must not be memory that is not there.
    for cls in (Use, fa.FoobaraError, fa.ErrorCollection, fa.CommandOutcome):
        for name in dir(cls):
            found = getattr(cls, name, None)
            if name.startswith("__") or not callable(found) or getattr(found, "__self__", None) is cls:
                continue
            for arguments in ((5,), (5, 5)):
                with contextlib.suppress(Exception):  # the interpreter goes on: that is all
                    found(*arguments)


def test_a_class_without_inputs_type_says_so(fa: ModuleType) -> None:
    class Bare(fa.Command):
        pass

    for cls in (Bare, fa.Command):
        with pytest.raises(TypeError, match=f"Could not determine inputs type for {cls.__name__}"):
            cls.run()
    with pytest.raises(TypeError, match="Could not determine inputs type"):
        fa.Command[Pair, Any].run(a=1)

    class Instead(fa.Command[Pair(a=1), int]):  # type: ignore[valid-type]
        pass

    with pytest.raises(TypeError, match="it has an instance of Pair, which is no Pydantic model"):
        Instead.run(a=1)
    with pytest.raises(TypeError, match=r"it names none.*for a command without inputs, with an empty model"):
        Bare.run()

    class Wrong(fa.Command[int, int]):
        pass

    with pytest.raises(TypeError, match="inputs type"):
        Wrong.run()


def test_types_come_through_mixins_and_generic_bases(fa: ModuleType) -> None:
    T = TypeVar("T", bound=BaseModel)

    class Labelled(Generic[T]):
        pass

    class Base(Labelled[T], fa.Command[T, str], Generic[T]):
        pass

    class Leaf(Base[Pair]):
        pass

    class Below(Leaf):
        pass

    assert Leaf.inputs_type() is Below.inputs_type() is Pair
    assert Leaf.result_type() is str
    assert make(fa).result_type() is Any


def test_inputs_type_may_be_overridden(fa: ModuleType) -> None:
    class Use(fa.Command[Nothing, Any]):
        @classmethod
        def inputs_type(cls) -> Any:
            return Pair

        def execute(self) -> Any:
            return self.inputs.a

    assert Use.run(a=4).result == 4


def test_a_cached_inputs_type_set_later_is_used(fa: ModuleType) -> None:
    cls = make(fa, lambda self: type(self.inputs).__name__)
    assert cls.run(a=1).result == "Pair"
    cls._cached_inputs_type = Nothing
    assert cls.run().result == "Nothing"


def test_run_with_validates_no_second_time(fa: ModuleType) -> None:
    calls: list[int] = []

    class Counted(BaseModel):
        a: int

        @field_validator("a")
        @classmethod
        def look(cls, value: int) -> int:
            calls.append(value)
            return value

    class Use(fa.Command[Counted, Any]):
        def execute(self) -> Any:
            return self.inputs

    model = Counted(a=1)
    assert Use.run_with(model).result is model and calls == [1]
    with pytest.raises(TypeError, match="takes an instance of Counted, not Pair"):
        Use.run_with(Pair(a=1))


def test_run_json_reads_an_object(fa: ModuleType) -> None:
    cls = make(fa, lambda self: self.inputs.a + self.inputs.b)
    assert cls.run_json(b'{"a": 1}').result == 3
    assert cls.run_json('{"a": 1, "b": 5}').result == 6
    assert symbols(cls.run_json(b'{"b": 1}')) == ["missing"]
    assert symbols(cls.run_json(b"{")) == ["json_invalid"]
    assert cls.run_json(b"[]").is_failure()


def test_an_instance_runs_once(fa: ModuleType) -> None:
    for execute in (lambda self: 1, lambda self: self.halt()):
        command = make(fa, execute)(a=1)
        command.run_instance()
        with pytest.raises(RuntimeError, match="has already run"):
            command.run_instance()


def test_raw_inputs_are_what_was_given(fa: ModuleType) -> None:
    cls = make(fa, lambda self: dict(self._raw_inputs))
    assert cls.run(a=1, b=3).result == {"a": 1, "b": 3}
    assert cls(a="1", other=2)._raw_inputs == {"a": "1", "other": 2}
    failed = cls(a="x")
    failed.run_instance()
    assert failed._raw_inputs == {"a": "x"}


def test_raw_inputs_of_coerced_values_are_what_was_given(fa: ModuleType) -> None:
    cls = make(fa, lambda self: dict(self._raw_inputs))
    assert cls.run(a="1", other=2).result == {"a": "1", "other": 2}


def test_run_async_copies_the_context_into_a_thread(fa: ModuleType) -> None:
    variable: contextvars.ContextVar[int] = contextvars.ContextVar("variable", default=0)
    cls = make(fa, lambda self: (variable.get(), threading.current_thread() is threading.main_thread()))

    async def main() -> Any:
        variable.set(5)
        return await cls.run_async(a=1)

    assert asyncio.run(main()).result == (5, False)


def test_the_runner_looks_like_a_function(fa: ModuleType) -> None:
    cls = make(fa)
    assert callable(cls.run) and cls.run == cls.run and cls(a=1).run == cls.run
    assert hash(cls.run) == hash(cls.run) and cls.run.__self__ is cls
    assert cls.run != make(fa).run
    assert "Made" in repr(cls.run)
    for _ in range(2):  # before the first run and after it
        assert (cls.run.__name__, cls.run.__qualname__) == ("run", f"{cls.__qualname__}.run")
        assert cls.run.__module__ == cls.__module__
        assert cls.run.__doc__ == "Run on *inputs* and return the outcome."
        cls.run(a=1, b=2)
    parameters = list(inspect.signature(cls.run).parameters.values())
    assert parameters[-1].kind is inspect.Parameter.VAR_KEYWORD
    assert not inspect.iscoroutinefunction(cls.run)


def test_a_runner_can_be_pickled(fa: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    cls = make(fa, lambda self: 9)
    holder = types.ModuleType("held_command_classes")
    monkeypatch.setitem(sys.modules, holder.__name__, holder)
    cls.__module__, cls.__qualname__, cls.__name__ = holder.__name__, "Kept", "Kept"
    holder.Kept = cls  # type: ignore[attr-defined]
    run = pickle.loads(pickle.dumps(cls.run))
    assert run(a=1).result == 9 and run.__self__ is cls


# -- overriding and patching -----------------------------------------------------------------------


def test_run_may_be_overridden_and_super_run_runs_the_subclass(fa: ModuleType) -> None:
    class Base(fa.Command[Pair, Any]):
        def execute(self) -> Any:
            return type(self).__name__

    class Loud(Base):
        @classmethod
        def run(cls, **inputs: Any) -> Any:
            return "loud", super().run(**inputs).result

    class Below(Loud):
        pass

    assert Base.run(a=1).result == "Base"
    assert Loud.run(a=1) == ("loud", "Loud") and Below.run(a=1) == ("loud", "Below")


def test_run_instance_may_be_overridden(fa: ModuleType) -> None:
    class Loud(fa.Command[Pair, Any]):
        def run_instance(self) -> Any:
            return "loud", super().run_instance().result

        def execute(self) -> Any:
            return self.inputs.a

    assert Loud.run(a=1) == ("loud", 1)
    assert Loud.run_with(Pair(a=2)) == ("loud", 2) and Loud.run_json(b'{"a": 3}') == ("loud", 3)


def test_a_run_instance_of_its_own_fails_its_parent(fa: ModuleType) -> None:
    class Own(fa.Command[Pair, Any]):
        def run_instance(self) -> Any:
            return fa.CommandOutcome.from_errors(fa.FoobaraError.runtime_error("own", "m"))

    cls = make(fa, lambda self: self.run_subcommand(Own, a=1))
    assert symbols(cls.run(a=1)) == ["own"]


def test_a_constructor_of_its_own_is_called(fa: ModuleType) -> None:
    class Own(fa.Command[Pair, Any]):
        def __init__(self, **inputs: Any) -> None:
            super().__init__(**inputs)
            self.extra = 10

        def execute(self) -> Any:
            return self.inputs.a + self.extra

    class Outer(fa.Command[Nothing, Any]):
        def execute(self) -> Any:
            return self.run_subcommand(Own, a=2)

    assert Own.run(a=1).result == 11 and Outer.run().result == 12
    assert Own.run_with(Pair(a=3)).result == 13 and Own.run_json('{"a": 4}').result == 14
    assert symbols(Own.run(a="x")) == symbols(Own.run_json('{"a": "x"}')) == ["int_parsing"]


def test_a_constructor_that_forgets_super_runs_without_inputs(fa: ModuleType) -> None:
    class Forgets(fa.Command[Nothing, Any]):
        def __init__(self, **inputs: Any) -> None:
            pass

        def execute(self) -> Any:
            return "ran"

    assert Forgets.run().result == "ran"


@pytest.mark.parametrize("hook", [*HOOKS, "rollback_transaction"])
def test_every_hook_can_be_patched_and_unpatched(fa: ModuleType, hook: str) -> None:
    cls = make(fa, lambda self: self.halt() if hook == "rollback_transaction" else 1, _log_failures=False)
    handler = Handler()
    cls._transaction_config = with_handler(fa, handler)
    cls.run(a=1)
    with mock.patch.object(cls, hook, autospec=True) as patched:
        cls.run(a=1)
    assert patched.call_count == 1
    before = list(handler.calls)
    cls.run(a=1)
    assert patched.call_count == 1 and len(handler.calls) == len(before) + 2


@pytest.mark.parametrize("hook", [*HOOKS, "rollback_transaction"])
def test_a_hook_patched_on_a_base_class_reaches_its_subclasses(fa: ModuleType, hook: str) -> None:
    base = make(fa, lambda self: self.halt() if hook == "rollback_transaction" else 1)
    below = types.new_class("Below", (base,))
    below.run(a=1)
    with mock.patch.object(base, hook, autospec=True) as patched:
        below.run(a=1)
    assert patched.call_count == 1
    below.run(a=1)
    assert patched.call_count == 1


@pytest.mark.parametrize("hook", [*HOOKS, "rollback_transaction"])
def test_an_instance_may_shadow_every_hook(fa: ModuleType, hook: str) -> None:
    ran: list[str] = []
    command = make(fa, lambda self: self.halt() if hook == "rollback_transaction" else 1)(a=1)
    setattr(command, hook, lambda *given: ran.append(hook))
    command.run_instance()
    assert ran == [hook]


@pytest.mark.parametrize(
    "hook",
    [
        "after_execute",
        "commit_transaction",
    ],
)
def test_a_hook_hung_on_the_instance_by_execute_runs(fa: ModuleType, hook: str) -> None:
    ran: list[str] = []

    def execute(self: Any) -> int:
        setattr(self, hook, lambda *given: ran.append(hook))
        return 1

    assert make(fa, execute).run(a=1).is_success()
    assert ran == [hook]


def test_run_can_be_patched_and_unpatched(fa: ModuleType) -> None:
    cls = make(fa, lambda self: 1)
    with mock.patch.object(cls, "run", return_value="patched"):
        assert cls.run(a=1) == "patched"
    assert cls.run(a=1).result == 1


def test_a_mixin_whose_init_subclass_calls_no_super(fa: ModuleType) -> None:
    class Deaf:
        def __init_subclass__(cls, **options: Any) -> None:
            pass

    class Parent(fa.Command[Pair, Any]):
        def execute(self) -> Any:
            return "Parent"

    class Child(Deaf, Parent):
        def execute(self) -> Any:
            return "Child"

    assert (Parent.run(a=1).result, Child.run(a=1).result) == ("Parent", "Child")
    assert Child(a=1).run(a=1).result == "Child"


def test_a_class_counter_in_execute_counts(fa: ModuleType) -> None:
    class Counting(fa.Command[Pair, Any]):
        runs = 0

        def execute(self) -> Any:
            type(self).runs += 1
            return type(self).runs

    for number in range(1, 300):
        assert Counting.run(a=1).result == number


def test_five_thousand_changes_of_a_class_are_all_seen(fa: ModuleType) -> None:
    cls = make(fa)
    for number in range(5_000):
        cls.execute = lambda self, number=number: number
        if number % 50 == 0 or number > 4_900:
            assert cls.run(a=1).result == number
    cls.validate = lambda self: self.halt()
    assert cls.run(a=1).is_failure()


def test_the_class_of_an_instance_may_change(fa: ModuleType) -> None:
    class One(fa.Command[Pair, Any]):
        def execute(self) -> Any:
            return "one"

    class Two(One):
        def execute(self) -> Any:
            return "two"

        def commit_transaction(self) -> None:
            self.add_runtime_error("two", "committing", halt=False)

    command = One(a=1)
    command.__class__ = Two
    assert symbols(command.run_instance()) == ["two"]

    class Switching(fa.Command[Pair, Any]):
        def execute(self) -> Any:
            self.__class__ = Two

    assert symbols(Switching.run(a=1)) == ["two"]
    assert symbols(Switching.run(a=1)) == ["two"]


def test_instances_take_attributes_and_weak_references(fa: ModuleType) -> None:
    import weakref

    seen: list[Any] = []

    def execute(self: Any) -> int:
        assert not hasattr(self, "mark")
        self.mark = len(seen)
        seen.append(weakref.ref(self))
        return self.mark

    cls = make(fa, execute)
    assert [cls.run(a=1).result for _ in range(20)] == list(range(20))
    assert not any(reference() for reference in seen)


def test_a_command_kept_by_its_execute_stays_as_it_was(fa: ModuleType) -> None:
    kept: list[Any] = []
    cls = make(fa, lambda self: kept.append(self) or self.inputs.a)
    for number in range(20):
        cls.run(a=number)
    assert [command.inputs.a for command in kept] == list(range(20))
    assert len({id(command) for command in kept}) == 20
    assert all(command._result == number for number, command in enumerate(kept))


# -- callbacks -------------------------------------------------------------------------------------


def test_a_callback_is_inherited_once(fa: ModuleType) -> None:
    seen: list[str] = []
    base = make(fa)
    base.before_execute_transition(lambda command: seen.append("base"))
    child = types.new_class("Child", (base,))
    grandchild = types.new_class("Grandchild", (child,))
    grandchild.run(a=1)
    assert seen == ["base"]
    base.before_execute_transition(lambda command: seen.append("late"))
    grandchild.run(a=1)
    assert seen == ["base", "base", "late"]


def test_callbacks_of_an_instance_are_its_own(fa: ModuleType) -> None:
    seen: list[int] = []
    cls = make(fa)
    command = cls(a=1)
    command.before_execute_transition(lambda command: seen.append(1))
    command.run_instance()
    cls.run(a=1)
    assert seen == [1]


def test_callbacks_on_reaching_the_ends_fire(fa: ModuleType) -> None:
    seen: list[str] = []
    wanted = ""

    def execute(self: Any) -> None:
        if wanted == "failed":
            self.halt()

    def validate(self: Any) -> None:
        if wanted == "errored":
            raise OSError

    cls = make(fa, execute, validate=validate)
    for end in ("succeeded", "failed", "errored"):
        for kind in ("before", "after"):
            getattr(cls, f"{kind}_transition_to_{end}")(
                lambda command, kind=kind, end=end: seen.append(f"{kind} {end}")
            )
    cls.run(a=1)
    wanted = "failed"
    cls.run(a=1)
    wanted = "errored"
    with pytest.raises(OSError):
        cls.run(a=1)
    ends = ("succeeded", "failed", "errored")
    assert seen == [f"{kind} {end}" for end in ends for kind in ("before", "after")]


def test_what_proceed_returns_at_the_end_is_none(fa: ModuleType) -> None:
    seen: list[Any] = []
    cls = make(fa, lambda self: self.halt())
    cls.around_transition_to_failed(lambda command, proceed: seen.append(proceed()))
    cls.run(a=1)
    assert seen == [None]


def test_a_callback_registered_during_a_run_holds_from_the_next_transition(fa: ModuleType) -> None:
    seen: list[str] = []

    def execute(self: Any) -> None:
        self.before_commit_transaction(lambda command: seen.append("own"))
        if not seen:
            type(self).before_commit_transaction(lambda command: seen.append("class"))

    cls = make(fa, execute)
    cls.run(a=1)
    assert sorted(seen) == ["class", "own"]


def test_callback_kinds_wrap_execute_in_order(fa: ModuleType) -> None:
    seen: list[str] = []
    cls = make(fa, lambda self: (seen.append("execute"), 1)[1])
    cls.before_execute_transition(lambda command: seen.append("before"))
    cls.after_execute_transition(lambda command: seen.append(f"after {command._result}"))

    def around(command: Any, proceed: Callable[[], Any]) -> Any:
        seen.append("in")
        result = proceed()
        seen.append("out")
        return result + 1

    cls.around_execute_transition(around)
    assert cls.run(a=1).result == 2
    assert seen == ["before", "in", "execute", "out", "after 2"]


def test_an_error_callback_sees_the_exception(fa: ModuleType) -> None:
    seen: list[str] = []

    def execute(self: Any) -> None:
        raise OSError("gone")

    cls = make(fa, execute)
    cls.error_execute_transition(lambda command, error: seen.append(str(error)))
    assert symbols(cls.run(a=1)) == ["execution_error"] and seen == ["gone"]


def test_callbacks_of_the_class_registered_before_a_halt_see_it(fa: ModuleType) -> None:
    seen: list[str] = []

    def execute(self: Any) -> None:
        type(self).after_transition_to_failed(lambda command: seen.append("failed"))
        self.halt()

    make(fa, execute).run(a=1)
    assert seen == ["failed"]


@pytest.mark.parametrize("how", ["halt", "raise", "add"])
def test_a_rollback_hung_on_the_instance_that_raises_ends_in_errored(fa: ModuleType, how: str) -> None:
    kept: list[Any] = []

    def rolling_back() -> None:
        raise OSError("rollback")

    def execute(self: Any) -> None:
        kept.append(self)
        self.rollback_transaction = rolling_back
        if how == "raise":
            raise LookupError("lost")
        self.add_runtime_error("odd", "o", halt=how == "halt")

    with pytest.raises(OSError, match="rollback"):
        make(fa, execute).run(a=1)
    assert kept[0].state is fa.CommandState.ERRORED


# -- transactions ----------------------------------------------------------------------------------


def test_a_success_begins_and_commits_once(fa: ModuleType) -> None:
    handler = Handler()
    assert make(fa, _transaction_config=with_handler(fa, handler)).run(a=1).is_success()
    assert handler.calls == ["begin", "commit"]


@pytest.mark.parametrize("fails", ["begin", "commit", "rollback"])
def test_an_exception_of_the_handler_escapes(fa: ModuleType, fails: str) -> None:
    handler = Handler(fails=fails)
    cls = make(fa, lambda self: self.halt() if fails == "rollback" else 1)
    cls._transaction_config = with_handler(fa, handler)
    command = cls(a=1)
    with pytest.raises(OSError, match=fails):
        command.run_instance()
    assert command.state is fa.CommandState.ERRORED
    assert (
        handler.calls
        == {
            "begin": ["begin"],
            "commit": ["begin", "commit", "rollback"],
            "rollback": ["begin", "rollback"],
        }[fails]
    )


def test_a_failing_rollback_does_not_hide_the_exception(fa: ModuleType) -> None:
    def validate(self: Any) -> None:
        raise LookupError("first")

    handler = Handler(fails="rollback")
    cls = make(fa, validate=validate, _transaction_config=with_handler(fa, handler))
    with pytest.raises(LookupError, match="first") as caught:
        cls.run(a=1)
    assert any("OSError" in note for note in caught.value.__notes__)
    assert handler.calls == ["begin", "rollback"]


def test_an_error_added_while_committing_rolls_back(fa: ModuleType) -> None:
    handler = Handler()
    cls = make(
        fa,
        lambda self: 1,
        commit_transaction=lambda self: self.add_runtime_error("late", "l", halt=False),
        _transaction_config=with_handler(fa, handler),
    )
    outcome = cls.run(a=1)
    assert symbols(outcome) == ["late"] and outcome.result is None and handler.calls == ["begin", "rollback"]


def test_a_configuration_changed_in_place_holds_from_the_next_run(fa: ModuleType) -> None:
    handler = Handler()
    config = fa.TransactionConfig.disabled()
    cls = make(fa, _transaction_config=config)
    cls.run(a=1)
    config.enabled = True
    config.handler_factory = lambda: handler
    cls.run(a=1)
    assert handler.calls == ["begin", "commit"]


@pytest.fixture
def database() -> Any:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("create table t (x)")
    yield connection
    connection.close()


def writer(fa: ModuleType, connection: Any, value: int, then: Callable[[Any], Any], **body: Any) -> Any:
    def execute(self: Any) -> Any:
        connection.execute("insert into t values (?)", (value,))
        return then(self)

    config = fa.TransactionConfig(handler_factory=lambda: fa.Sqlite3TransactionHandler(connection))
    return make(fa, execute, _transaction_config=config, **body)


def rows(connection: Any) -> list[int]:
    return [row[0] for row in connection.execute("select x from t order by x")]


def test_a_parent_that_fails_undoes_its_subcommands(fa: ModuleType, database: Any) -> None:
    child = writer(fa, database, 1, lambda self: None)
    parent = writer(fa, database, 2, lambda self: (self.run_subcommand(child, a=1), self.halt()))
    assert parent.run(a=1).is_failure()
    assert rows(database) == []
    assert not database.in_transaction


def test_a_parent_that_succeeds_keeps_its_subcommands(fa: ModuleType, database: Any) -> None:
    child = writer(fa, database, 1, lambda self: None)
    parent = writer(fa, database, 2, lambda self: self.run_subcommand(child, a=1))
    assert parent.run(a=1).is_success()
    assert rows(database) == [1, 2]


def test_an_interrupt_in_a_subcommand_undoes_everything(fa: ModuleType, database: Any) -> None:
    def interrupted(self: Any) -> None:
        raise KeyboardInterrupt

    child = writer(fa, database, 1, interrupted)
    parent = writer(fa, database, 2, lambda self: self.run_subcommand(child, a=1))
    with pytest.raises(KeyboardInterrupt):
        parent.run(a=1)
    assert rows(database) == [] and not database.in_transaction


def test_a_failed_subcommand_is_undone_to_its_savepoint(fa: ModuleType, database: Any) -> None:
    child = writer(fa, database, 1, lambda self: self.halt())

    def survive(self: Any) -> None:
        self.run_subcommand(child, a=1)
        self.errors.clear()

    assert writer(fa, database, 2, survive).run(a=1).is_success()
    assert rows(database) == [2]


def test_requires_new_stays_out_of_the_parents_transaction(fa: ModuleType) -> None:
    class Equal(Handler):
        def __eq__(self, other: object) -> bool:
            return isinstance(other, Equal)

        def __hash__(self) -> int:
            return 1

    calls: list[str] = []
    joined = fa.TransactionConfig(handler_factory=lambda: Equal(calls))
    apart = fa.TransactionConfig(handler_factory=lambda: Equal(calls), requires_new=True)
    ends = ((joined, ["begin", "rollback"]), (apart, ["begin", "begin", "commit", "rollback"]))
    for config, expected in ends:
        calls.clear()
        child = make(fa, lambda self: 1, _transaction_config=config)

        def execute(self: Any, child: Any = child) -> None:
            self.run_subcommand(child, a=1)
            self.halt()

        make(fa, execute, _transaction_config=joined).run(a=1)
        assert calls == expected


# -- subcommands -----------------------------------------------------------------------------------


def test_a_subcommand_returns_its_result(fa: ModuleType) -> None:
    inner = make(fa, lambda self: self.inputs.a * 2)
    outer = make(fa, lambda self: self.run_subcommand(inner, a=self.inputs.a) + 1)
    assert outer.run(a=5).result == 11


def test_a_failed_subcommand_fails_its_parent_at_the_next_check(fa: ModuleType) -> None:
    seen: list[Any] = []
    inner = make(fa, lambda self: self.add_runtime_error("deep", "d"), name="InnerCmd")
    middle = make(fa, lambda self: seen.append(self.run_subcommand(inner, a=1)), name="Middle")
    top = make(fa, lambda self: self.run_subcommand(middle, a=1), name="Top")
    outcome = top.run(a=1)
    assert seen == [None]
    (error,) = outcome.errors
    assert error.runtime_path == ("top", "middle") and error.context["subcommand"] == "Middle"
    assert error.key() == "top>middle>runtime.root.deep"


def test_validation_errors_of_a_subcommand_have_its_path(fa: ModuleType) -> None:
    inner = make(fa, name="Inner")
    top = make(fa, lambda self: self.run_subcommand(inner, a="x"), name="Top")
    (error,) = top.run(a=1).errors
    assert (error.runtime_path, error.path, error.symbol) == (("top",), ("a",), "int_parsing")
    assert error.context == {"subcommand": "Inner"}


def test_bang_halts_and_the_alias_is_the_same(fa: ModuleType) -> None:
    inner = make(fa, lambda self: self.halt())
    for name in ("run_subcommand_bang", "run_subcommand_"):
        ran: list[int] = []

        def execute(self: Any, name: str = name, ran: list[int] = ran) -> None:
            getattr(self, name)(inner, a=1)
            ran.append(1)

        assert symbols(make(fa, execute).run(a=1)) == ["halted"] and ran == []
    fine = make(fa, lambda self: None)
    assert make(fa, lambda self: self.run_subcommand_bang(fine, a=1)).run(a=1).is_success()


@pytest.mark.parametrize("wrong", [None, 5, "Name", int, object()])
def test_a_subcommand_is_a_command_class(fa: ModuleType, wrong: Any) -> None:
    outcome = make(fa, lambda self: self.run_subcommand(wrong, a=1)).run(a=1)
    assert symbols(outcome) == ["execution_error"]
    assert "takes a Command class" in outcome.errors[0].message


def test_an_async_subcommand_of_a_sync_command_says_what_to_do(fa: ModuleType) -> None:
    class Slow(fa.AsyncCommand[Pair, Any]):
        pass

    outcome = make(fa, lambda self: self.run_subcommand(Slow, a=1)).run(a=1)
    assert "AsyncCommand" in outcome.errors[0].message and symbols(outcome) == ["execution_error"]


def test_a_subcommand_changed_between_runs_is_seen(fa: ModuleType) -> None:
    inner = make(fa, lambda self: 1)
    other = make(fa, lambda self: 10)
    chosen = [inner]
    outer = make(fa, lambda self: self.run_subcommand(chosen[0], a=1))
    assert outer.run(a=1).result == 1
    inner.execute = lambda self: 2
    assert outer.run(a=1).result == 2
    chosen[0] = other
    assert outer.run(a=1).result == 10
    inner.before_execute_transition(lambda command: command.halt())
    chosen[0] = inner
    assert symbols(outer.run(a=1)) == ["halted"]


def test_recursion_without_end_is_a_failure(fa: ModuleType) -> None:
    def execute(self: Any) -> Any:
        return self.run_subcommand(cls, a=1)

    cls = make(fa, execute)
    outcome = cls.run(a=1)
    assert outcome.is_failure() and "execution_error" in symbols(outcome)
    assert "recursion" in outcome.errors[0].message
    assert make(fa, lambda self: 1).run(a=1).result == 1


def test_an_exception_that_escapes_a_subcommand_is_an_error_of_its_parent(fa: ModuleType) -> None:
    def validate(self: Any) -> None:
        raise OSError("inner")

    inner = make(fa, validate=validate)
    outcome = make(fa, lambda self: self.run_subcommand(inner, a=1)).run(a=1)
    assert symbols(outcome) == ["execution_error"] and outcome.errors[0].message == "inner"


def test_domain_dependencies_are_enforced_inside_organizations(fa: ModuleType) -> None:
    organization = fa.Organization("Org1")
    one, two = organization.domain("One"), organization.domain("Two")
    inner = make(fa, lambda self: 1, _domain=two, name="Inner")
    outer = make(fa, lambda self: self.run_subcommand(inner, a=1), _domain=one, name="Outer")
    try:
        assert symbols(outer.run(a=1)) == ["execution_error"]
        one.depends_on("Two")
        assert outer.run(a=1).result == 1
    finally:
        clear = getattr(fa.Domain, "clear_registry", None) or getattr(fa.Domain, "clear", None)
        if clear is not None:
            clear()


# -- names, logs -----------------------------------------------------------------------------------


def test_a_full_name_of_its_own_is_the_name_everywhere(fa: ModuleType) -> None:
    class Pay(fa.Command[Pair, Any]):
        _domain = "Shop"
        _log_failures = True

        @classmethod
        def full_name(cls) -> str:
            return "Acme::Billing"

        def execute(self) -> Any:
            return self.run_subcommand(make(fa, lambda self: self.halt(), name="Inner"), a=1)

    assert Pay.name == Pay(a=1).name == Pay.manifest()["name"] == "Acme::Billing"
    assert Pay.full_command_symbol() == "acme_billing"
    assert Pay.run(a=1).errors[0].runtime_path == ("acme_billing",)
    registry = fa.CommandRegistry()
    registry.register(Pay)
    assert registry.find_command(Pay.name) is Pay and registry.list_names() == [Pay.name]


def test_names_are_computed_per_class(fa: ModuleType) -> None:
    class Pay(fa.Command[Pair, Any]):
        _domain, _organization = "Shop", "Acme"

    assert Pay.full_command_symbol() == "acme_shop_pay"

    class Refund(Pay):
        _domain = "Back"

    assert Pay.full_name() == Pay.name == "Acme::Shop::Pay" and Pay(a=1).name == Pay.name
    assert Refund.full_name() == "Acme::Back::Refund" and Refund.full_command_symbol() == "acme_back_refund"
    Refund._domain = None
    assert Refund.name == "Acme::Refund"


def test_description_is_given_or_the_docstring(fa: ModuleType) -> None:
    class Pay(fa.Command[Pair, Any]):
        """Pay it."""

    class Told(Pay):
        _description = "Told"

    class Silent(Pay):
        pass

    assert (Pay.description(), Told.description(), Silent.description()) == ("Pay it.", "Told", "")


def test_a_failure_is_logged_only_when_asked_and_never_with_inputs(
    fa: ModuleType, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    cls = make(fa)
    cls.run(a="secret-value")
    assert caplog.records == []
    cls._log_failures = True
    cls.run(a="secret-value")
    (record,) = caplog.records
    assert "int_parsing" in record.getMessage() and "secret-value" not in str(vars(record))
    cls.run(a=1)
    assert len(caplog.records) == 1
