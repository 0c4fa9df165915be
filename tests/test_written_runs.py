"""Runs written for a class: one code per shape, never a stale one, the same as the general loop."""

from __future__ import annotations

import importlib
import itertools
import traceback
import types
from types import ModuleType
from typing import Any

import pytest
from pydantic import BaseModel, create_model

TRANSITIONS = (
    "open_transaction",
    "cast_and_validate_inputs",
    "load_records",
    "validate_records",
    "validate",
    "execute",
    "commit_transaction",
    "transition_to_succeeded",
)
HOOKS = ("load_records", "validate_records", "validate", "after_execute", "commit_transaction")


class Pair(BaseModel):
    a: int
    b: int = 0


def adder(fa: ModuleType, **members: Any) -> Any:
    members.setdefault("execute", lambda self: self.inputs.a + self.inputs.b)
    return types.new_class("Adder", (fa.Command[Pair, int],), {}, lambda space: space.update(members))


def pure(fa: ModuleType) -> None:
    if str(fa.backend()) != "py":
        pytest.skip("the compiled backend writes no text")


def test_classes_of_one_shape_share_their_text_and_adapt_code_of_their_own(fa: ModuleType) -> None:
    pure(fa)
    one, two, other = adder(fa), adder(fa), adder(fa, validate=lambda self: None)
    assert [cls.run(a=1, b=2).result for cls in (one, two, other)] == [3, 3, 3]
    codes = [cls.__dict__["run"].__func__.__code__ for cls in (one, two, other)]
    assert codes[0].co_filename == codes[1].co_filename
    assert codes[0] == codes[1]
    assert codes[0] is not codes[1]
    assert codes[0].co_filename != codes[2].co_filename


def test_a_traceback_shows_the_text(fa: ModuleType) -> None:
    pure(fa)

    def interrupt(self: Any) -> None:
        raise KeyboardInterrupt

    cls = adder(fa)
    assert cls.run(a=1).is_success()
    cls.execute = interrupt
    with pytest.raises(KeyboardInterrupt) as raised:
        cls.run(a=1)
    lines = [frame.line for frame in traceback.extract_tb(raised.value.__traceback__)]
    assert "result = command._result = command.execute()" in lines


@pytest.mark.parametrize("shape", ["execute only", "with a callback", "subcommand"])
def test_a_callback_that_execute_registers_on_its_instance_runs(fa: ModuleType, shape: str) -> None:
    seen: list[int] = []

    def execute(self: Any) -> int:
        self.before_commit_transaction(lambda command: seen.append(command.inputs.a))
        return int(self.inputs.a)

    cls = adder(fa, execute=execute)
    if shape == "with a callback":
        cls.before_execute_transition(lambda command: None)
    if shape == "subcommand":
        inner = cls
        cls = adder(fa, execute=lambda self: self.run_subcommand(inner, a=self.inputs.a))
    for number in range(3):
        outcome = cls.run(a=number)
        assert outcome.result == number and not outcome.errors
    assert seen == [0, 1, 2]


@pytest.mark.parametrize("count", [1, 2, 14, 15, 16, 17, 40])
def test_an_error_that_a_command_adds_twice_counts_once(fa: ModuleType, count: int) -> None:
    made = [fa.FoobaraError(category="data", symbol=f"s{i}", path=(), message="m") for i in range(count)]

    def execute(self: Any) -> None:
        for error in made + made[::-1]:
            self.add_error(error)

    symbols = [error.symbol for error in adder(fa, execute=execute).run(a=1).errors]
    assert symbols == [error.symbol for error in made]


def test_a_hook_that_takes_the_place_of_a_deleted_name_is_seen(fa: ModuleType) -> None:
    """The class has as many names as before: their number alone would not tell."""
    cls = adder(fa, helper=1)
    assert cls.run(a=1).is_success()
    del cls.helper
    cls.validate = lambda self: self.add_runtime_error("late", "validate")
    assert [error.symbol for error in cls.run(a=1).errors] == ["late"]
    assert [error.symbol for error in cls.run_json(b'{"a":1}').errors] == ["late"]
    del cls.validate
    cls.helper = 1
    assert cls.run(a=1).is_success()


def test_a_value_that_the_class_sets_itself_is_compared(fa: ModuleType) -> None:
    cls = adder(fa, echo_inputs=True)
    assert cls.run(a="x").errors[0].context == {"input": "x"}
    cls.echo_inputs = False
    assert cls.run(a="x").errors[0].context == {}


def test_a_subcommand_that_changes_between_two_calls_is_run_as_it_is(fa: ModuleType) -> None:
    child = adder(fa)

    def execute(self: Any) -> Any:
        first = [self.run_subcommand(child, a=1) for _ in range(3)]
        child.after_execute = lambda command, result: result * 10
        return [*first, self.run_subcommand_bang(child, a=1)]

    assert adder(fa, execute=execute).run(a=1).result == [1, 1, 1, 10]


def test_a_parent_that_changes_asks_again_whether_it_may_call(fa: ModuleType) -> None:
    asked: list[Any] = []
    child = adder(fa)

    def execute(self: Any) -> Any:
        for _ in range(3):
            self.run_subcommand(child, a=1)
        cls._domain = "Other"
        return self.run_subcommand(child, a=1)

    cls = adder(fa, execute=execute)
    plan = __import__(f"{fa.__name__}.core.plan", fromlist=["_"])
    policy = plan._domain_policy
    plan.set_domain_policy(lambda source, target: asked.append(source._domain))
    try:
        cls.run(a=1)
    finally:
        plan.set_domain_policy(policy)
    assert asked == [None, "Other"]


def test_a_tracker_is_called_at_each_run_of_a_subcommand(fa: ModuleType) -> None:
    tracked: list[int] = []
    child = adder(fa)
    cls = adder(fa, execute=lambda self: [self.run_subcommand(child, a=i) for i in range(4)])
    plan = __import__(f"{fa.__name__}.core.plan", fromlist=["_"])
    policy = plan._domain_policy
    plan.set_domain_policy(lambda source, target: lambda: tracked.append(1))
    try:
        assert cls.run(a=1).result == [0, 1, 2, 3]
        assert len(tracked) == 4
    finally:
        plan.set_domain_policy(policy)


def test_run_json_of_a_user_is_kept(fa: ModuleType) -> None:
    mine = adder(fa, run_json=classmethod(lambda cls, data: "mine"))
    assert mine.run(a=1).is_success()
    assert mine.run_json(b"{}") == "mine"
    assert adder(fa).run_json(data=b'{"a":1,"b":2}').result == 3


def test_a_model_that_is_rebuilt_is_used_as_it_is(fa: ModuleType) -> None:
    model = create_model("Rebuilt", a=(int, ...))
    body = {"execute": lambda self: self.inputs.a}
    cls = types.new_class("Reader", (fa.Command[model, Any],), {}, lambda space: space.update(body))
    assert cls.run(a="1").result == cls.run_json(b'{"a":"1"}').result == 1
    model.model_fields["a"].annotation = str
    model.model_rebuild(force=True)
    assert cls.run(a="1").result == cls.run_json(b'{"a":"1"}').result == "1"


def watched(fa: ModuleType, log: list[Any], hooks: tuple[str, ...], chains: Any, bad: Any) -> Any:
    """A class that logs each hook and callback with the state; the one numbered *bad* goes wrong."""
    count = itertools.count()

    def note(name: str, command: Any) -> None:
        log.append((name, command.state_name))
        if bad is not None and next(count) == bad[0]:
            bad[1](command)

    def hook(name: str) -> Any:
        if name == "after_execute":
            return lambda self, result: (note(name, self), result)[1]
        return lambda self: note(name, self)

    members = {name: hook(name) for name in hooks}
    members["execute"] = lambda self: (note("execute", self), self.inputs.a)[1]
    cls = adder(fa, **members)
    for kind, transition in chains:
        name = f"{kind}_{transition}"
        if kind == "error":
            called = lambda command, error, name=name: log.append((name, type(error).__name__))  # noqa: E731
        else:
            called = lambda command, name=name: note(name, command)  # noqa: E731
        where = f"{transition}_transition" if transition in ("execute", "validate") else transition
        getattr(cls, f"{kind}_{where}")(called)
    return cls


def halting(command: Any) -> None:
    command.halt()


def failing(command: Any) -> None:
    raise LookupError("bad")


def adding(command: Any) -> None:
    command.add_runtime_error("added", "bad", halt=False)


def hanging(command: Any) -> None:
    command.after_execute = lambda result: result + 100
    command.validate = lambda: command.add_input_error("a", "hung", "bad")


def registering(command: Any) -> None:
    type(command).before_commit_transaction(lambda c: c.add_input_error("a", "new", "bad"))


def registering_on_itself(command: Any) -> None:
    command.before_commit_transaction(lambda c: c.add_input_error("a", "own", "bad"))


def refusing_to_commit(command: Any) -> None:
    command.commit_transaction = lambda: command.add_input_error("a", "hung", "bad")


def interrupting(command: Any) -> None:
    def roll_back() -> None:
        raise ValueError(command.state_name)  # becomes a note of what is raised

    command.rollback_transaction = roll_back
    raise KeyboardInterrupt


BAD = (
    None,
    halting,
    failing,
    adding,
    hanging,
    registering,
    registering_on_itself,
    refusing_to_commit,
    interrupting,
)


@pytest.mark.parametrize("wrong", BAD, ids=lambda bad: bad.__name__ if bad else "well")
@pytest.mark.parametrize(
    ("hooks", "chains"),
    [
        ((), ()),
        (("validate",), ()),
        (HOOKS, ()),
        ((), (("before", "execute"), ("after", "execute"))),
        (("after_execute",), (("before", "open_transaction"), ("error", "execute"), ("after", "validate"))),
        (HOOKS[:2], tuple(itertools.product(("before", "after", "error"), TRANSITIONS))),
    ],
)
def test_a_run_goes_as_an_instance_does(fa: ModuleType, wrong: Any, hooks: Any, chains: Any) -> None:
    """run_instance takes the general loop, so what the written runs do is held against it."""
    for at in range(24):
        seen = []
        for way in ("run", "run_instance", "run_json", "run_with"):
            log: list[Any] = []
            cls = watched(fa, log, hooks, chains, wrong and (at, wrong))
            start = {
                "run": lambda cls=cls: cls.run(a=3),
                "run_instance": lambda cls=cls: cls(a=3).run_instance(),
                "run_json": lambda cls=cls: cls.run_json(b'{"a":3}'),
                "run_with": lambda cls=cls: cls.run_with(Pair(a=3)),
            }[way]
            try:
                outcome = start()
                found: Any = outcome.to_dict()
            except (LookupError, KeyboardInterrupt) as error:
                found = repr(error), getattr(error, "__notes__", None)
            seen.append((log, found))
        assert seen[1:] == seen[:1] * 3, at
        if wrong is None or len(seen[0][0]) <= at:
            break


def test_a_subcommand_goes_as_a_run_does(fa: ModuleType) -> None:
    for wrong in BAD[1:-1]:
        for at in range(3):
            logs: list[Any] = []
            for nested in (False, True):
                log: list[Any] = []
                chains = (("before", "execute"), ("after", "execute"))
                cls = watched(fa, log, (), chains, (at, wrong))
                if nested:
                    parent = adder(fa, execute=lambda self, cls=cls: self.run_subcommand(cls, a=3))
                    outcome = parent.run(a=1)
                else:
                    outcome = cls.run(a=3)
                logs.append((log, outcome.is_success(), [error.symbol for error in outcome.errors]))
            assert logs[0] == logs[1], (wrong, at)


def test_what_the_fallback_keeps_does_not_meet_what_a_user_keeps(fa: ModuleType) -> None:
    child = adder(fa)

    def execute(self: Any) -> Any:
        self._plan = self._raw = self._closed = self._left = self.links = "mine"
        self.run_subcommand(child, a=1)
        assert vars(self) == dict.fromkeys(("_plan", "_raw", "_closed", "_left", "links"), "mine")
        assert self._raw_inputs == {"a": 1}
        self.add_runtime_error("wrong", "bad")

    cls = adder(fa, execute=execute, _plan="gold")
    kept = cls(a=1)
    assert [error.symbol for error in kept.run_instance().errors] == ["wrong"]
    assert [error.symbol for error in cls.run(a=1).errors] == ["wrong"]
    assert len(kept.state_machine.history) == 7
    assert cls._plan == "gold"


def test_callbacks_that_come_and_go_write_no_text_for_each_count(fa: ModuleType) -> None:
    if str(fa.backend()) != "py":
        pytest.skip("the compiled backend writes no text")
    codegen = importlib.import_module(f"{fa.__name__}._pure._codegen")

    class Model(BaseModel):
        a: int

    class Watched(fa.Command[Model, int]):
        def execute(self) -> int:
            return int(self.inputs.a)

    seen: list[int] = []
    for count in range(1, 41):
        Watched.before_execute_transition(lambda command, count=count: seen.append(count))
        seen.clear()
        assert Watched.run(a=count).result == count
        assert seen == list(range(1, count + 1))
    texts = {max(max(chain or (0,)) for chain in shape.chains) for shape in codegen._factories}
    assert max(texts) <= codegen.MOST_CALLBACKS
    assert len(codegen._factories) <= codegen.MOST_SHAPES
