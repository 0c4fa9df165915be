"""One test for each numbered trap of a compiled command core."""

from __future__ import annotations

import asyncio
import copy
import gc
import inspect
import json
import os
import pickle
import subprocess
import sys
import types
import weakref
from collections.abc import Callable
from types import ModuleType
from typing import Any
from unittest import mock

import pytest
from pydantic import BaseModel, Field, model_serializer, model_validator

import foobara_accel
from foobara_accel.testing import load_twin


class Pair(BaseModel):
    a: int
    b: int = 2


def make(fa: ModuleType, execute: Callable[[Any], Any] | None = None, **body: Any) -> Any:
    if execute is not None:
        body["execute"] = execute
    return types.new_class("Made", (fa.Command[Pair, Any],), {}, lambda space: space.update(body))


def test_01_a_class_that_changes_at_every_run_is_not_analysed_anew(fa: ModuleType, sub: Any) -> None:
    services = sub("core.plan").Services

    class Counting(fa.Command[Pair, Any]):
        runs = 0

        def execute(self) -> Any:
            type(self).runs += 1
            return type(self).runs

    Counting.run(a=1)
    with mock.patch.object(services, "analyse", wraps=services.analyse) as analyse:
        for number in range(2, 3_000):
            assert Counting.run(a=1).result == number
    assert analyse.call_count == 0


def test_01_hooks_are_seen_after_the_version_tags_have_run_out(fa: ModuleType) -> None:
    cls = make(fa, lambda self: "first")
    for number in range(5_000):
        cls.counter = number
    assert cls.run(a=1).result == "first"
    cls.execute = lambda self: "second"
    assert cls.run(a=1).result == "second"
    cls.validate = lambda self: self.add_runtime_error("no", "n")
    assert cls.run(a=1).is_failure()
    del cls.validate
    assert cls.run(a=1).is_success()


CHANGED_AT_EVERY_BYTECODE = """
import sys
from foobara_accel import Command
from pydantic import BaseModel

class Pair(BaseModel):
    a: int

class Inner(Command[Pair, int]):
    def execute(self):
        return self.inputs.a + 1

class Outer(Command[Pair, int]):
    def execute(self):
        return self.run_subcommand_bang(Inner, a=self.inputs.a)

names = [f"name_{number}" for number in range(60)]

def change(cls, grow):
    # What another thread may do: the table of the namespace grows or shrinks, with as many names as before.
    if grow:
        for name in names:
            type.__setattr__(cls, name, name)
        for name in names:
            type.__delattr__(cls, name)
    else:
        for _ in range(200):
            type.__setattr__(cls, "load_records", lambda self: None)
            type.__delattr__(cls, "load_records")

grow = False

def trace(frame, event, argument):
    global grow
    if "foobara_accel" not in frame.f_globals.get("__name__", ""):
        return None
    frame.f_trace_opcodes = True
    if event == "opcode":
        sys.settrace(None)
        grow = not grow
        change(Inner, grow)
        change(Outer, grow)
        sys.settrace(trace)
    return trace

for cls, grow in ((Inner, False), (Outer, False), (Inner, True), (Outer, True)):
    for number in range(3):
        assert cls.run(a=number).result == number + 1
    sys.settrace(trace)
    try:
        answers = [cls.run(a=1).result, cls.run_json(b'{"a": 1}').result]
    finally:
        sys.settrace(None)
    assert answers == [2, 2], answers
"""


def test_01_a_class_may_change_between_any_two_bytecodes(fa: ModuleType) -> None:
    # In a process of its own: a run that holds a place in a namespace reads what is no longer there.
    done = subprocess.run(
        [sys.executable, "-c", CHANGED_AT_EVERY_BYTECODE],
        env={**os.environ, "FOOBARA_ACCEL_BACKEND": str(fa.backend())},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_02_what_the_tag_misses_is_seen(fa: ModuleType) -> None:
    calls: list[str] = []

    class Handler:
        def begin(self) -> None:
            calls.append("begin")

        def commit(self) -> None:
            calls.append("commit")

        def rollback(self) -> None:
            calls.append("rollback")

    cls = make(fa, lambda self: 1)
    cls.run(a=1)
    with mock.patch.object(fa.TransactionRegistry, "detect", return_value=Handler()):
        cls.run(a=1)
    assert calls == ["begin", "commit"]
    cls._transaction_config.handler_factory = Handler
    try:
        cls.run(a=1)
    finally:
        cls._transaction_config.handler_factory = None
    assert calls == ["begin", "commit"] * 2
    cls.run(a=1)
    assert len(calls) == 4
    registry = cls._ensure_callback_registry()
    registry.register("before", lambda command: calls.append("callback"), transition="execute")
    cls.run(a=1)
    assert calls[4:] == ["callback"]
    command = cls(a=1)
    command.execute = lambda: "shadow"
    assert command.run_instance().result == "shadow"


def test_02_what_a_metaclass_answers_is_asked_at_every_run(fa: ModuleType) -> None:
    class Meta(type(fa.Command)):  # type: ignore[misc]
        loud = False

        @property
        def echo_inputs(cls) -> bool:
            return Meta.loud

    class Use(fa.Command[Pair, Any], metaclass=Meta):
        pass

    contexts = []
    for Meta.loud in (False, True, False):
        contexts.append(Use.run(a="x").errors[0].context)
    assert contexts == [{}, {"input": "x"}, {}]


def test_02_a_domain_that_changes_in_place_is_asked_again(fa: ModuleType) -> None:
    fa.Domain.clear_registry()
    try:
        left, right = fa.Domain("PitfallLeft"), fa.Domain("PitfallRight")
        inner = right.command(make(fa, lambda self: 5))
        outer = left.command(make(fa, lambda self: self.run_subcommand_bang(inner, a=1)))
        assert outer.run(a=1).is_failure()
        left.depends_on("PitfallRight")
        assert outer.run(a=1).result == 5
        inner._domain = "Elsewhere"
        assert outer.run(a=1).is_failure()
        inner._domain = None
        assert outer.run(a=1).result == 5
    finally:
        fa.Domain.clear_registry()


def test_02_the_library_base_may_be_patched(fa: ModuleType) -> None:
    cls = make(fa, lambda self: 1)
    cls.run(a=1)
    for hook in ("validate", "before_execute", "load_records", "commit_transaction"):
        refuse = mock.patch.object(fa.Command, hook, lambda self: self.add_runtime_error("no", "n"))
        with refuse:
            assert cls.run(a=1).is_failure(), hook
        assert cls.run(a=1).result == 1, hook


def test_03_the_runner_runs_the_class_it_is_asked_of(fa: ModuleType) -> None:
    class Deaf:
        def __init_subclass__(cls, **options: Any) -> None:
            pass

    class Parent(fa.Command[Pair, Any]):
        def execute(self) -> Any:
            return type(self).__name__

    class Child(Deaf, Parent):
        @classmethod
        def twice(cls) -> Any:
            return super().run(a=1)

    assert Child.run(a=1).result == Child.twice().result == Child(a=1).run(a=1).result == "Child"
    assert Parent.run(a=1).result == "Parent"
    with mock.patch.object(Parent, "execute", lambda self: "patched"):
        assert Child.run(a=1).result == "patched"
    assert Child.run(a=1).result == "Child"


@pytest.mark.mortal_classes
def test_04_plans_keep_no_class_alive_and_a_run_keeps_its_class(fa: ModuleType) -> None:
    references = []
    for _ in range(50):
        cls = make(fa, lambda self: self.inputs.a)
        cls.run(a=1)
        references.append(weakref.ref(cls))
    run = cls.run
    del cls
    gc.collect()
    assert sum(reference() is not None for reference in references) == 1
    assert run(a=7).result == 7


def test_05_both_backends_live_in_one_process() -> None:
    twin = load_twin("py")
    assert twin is not foobara_accel and twin.Command is not foobara_accel.Command
    assert not issubclass(twin.Command, foobara_accel.Command) or twin.backend() == foobara_accel.backend()
    ours, theirs = make(foobara_accel, lambda self: 3).run(a=1), make(twin, lambda self: 3).run(a=1)
    assert ours.to_dict() == theirs.to_dict()


def test_05_pickles_name_the_public_path(fa: ModuleType) -> None:
    outcome = make(fa).run(a="x")
    for thing in (outcome.errors[0], outcome):
        data = pickle.dumps(thing)
        assert b"_ext" not in data and b"_pure" not in data and b"foobara_accel.core." in data
        assert pickle.loads(data).to_dict() == thing.to_dict()


def test_06_both_twins_get_one_analysis(sub: Any) -> None:
    plan = sub("core.plan")
    assert plan.plan_for is plan.executor.plan_for
    names = [name for name in vars(plan.Services) if not name.startswith("_")]
    assert {"analyse", "chains", "verdict", "path"} <= set(names)


def test_07_outcomes_and_errors_are_the_twins_own_classes(fa: ModuleType, sub: Any) -> None:
    twin = sub("_backend").errors
    outcome = make(fa).run(a="x")
    assert type(outcome) is twin.CommandOutcome is fa.CommandOutcome
    assert type(outcome.errors[0]) is twin.FoobaraError is fa.FoobaraError
    assert copy.copy(outcome.errors[0]).to_dict() == outcome.errors[0].to_dict()
    with pytest.raises(TypeError):
        type("Clash", (fa.Command, int), {})
    command = make(fa)(a=1)
    command.mark = 1
    assert weakref.ref(command)() is command


def test_08_models_the_guard_does_not_know_go_to_pydantic(fa: ModuleType) -> None:
    class Private(BaseModel):
        a: int
        _hidden: int = 7

    class Extra(BaseModel, extra="allow"):
        a: int

    class Aliased(BaseModel):
        a: int = Field(alias="A")

    class Fresh(BaseModel):
        a: list[int] = Field(default_factory=list)

    class Node(BaseModel):
        a: int
        child: Node | None = None

    Node.model_rebuild(_types_namespace={"Node": Node})
    cases: list[tuple[type[BaseModel], dict[str, Any]]] = [
        (Private, {"a": 1}),
        (Extra, {"a": 1, "more": 2}),
        (Aliased, {"A": 1}),
        (Fresh, {}),
        (Node, {"a": 1, "child": {"a": 2}}),
    ]
    for model, raw in cases:
        cls = types.new_class(
            "Use", (fa.Command[model, Any],), {}, lambda space: space.update(execute=lambda self: self.inputs)
        )
        for _ in range(2):
            made = cls.run(**raw).result
            assert made == model(**raw) and made.__pydantic_extra__ == model(**raw).__pydantic_extra__
            assert made.__pydantic_fields_set__ == model(**raw).__pydantic_fields_set__
            assert made.__pydantic_private__ == model(**raw).__pydantic_private__
    assert Fresh() is not None and cls.run(a=1).result is not cls.run(a=1).result


def test_08_a_model_that_is_completed_later_is_used_once_it_is(fa: ModuleType) -> None:
    class Later(BaseModel):
        a: "Missing"  # type: ignore[name-defined]  # noqa: F821, UP037

    class Use(fa.Command[Later, Any]):
        def execute(self) -> Any:
            return self.inputs.a

    with pytest.raises(Exception, match="Later"):
        Use.run(a=1)
    Later.model_rebuild(_types_namespace={"Missing": int})
    assert Use.run(a="1").result == 1


def test_09_instances_built_by_the_guard_are_ordinary(fa: ModuleType) -> None:
    cls = make(fa, lambda self: self.inputs)
    made = cls.run(a=1).result
    made.a = 5
    assert made.model_dump() == {"a": 5, "b": 2} and made.model_fields_set == {"a"}
    assert made.__dict__ == {"a": 5, "b": 2} and list(made.__dict__) == ["a", "b"]
    assert made.model_copy(update={"b": 9}).b == 9 and pickle.loads(pickle.dumps(Pair(a=1))) == Pair(a=1)


def test_10_an_error_of_one_run_holds_nothing_of_another(fa: ModuleType) -> None:
    cls = make(fa, echo_inputs=True)
    first, second = cls.run(a="first"), cls.run(a="second")
    assert [first.errors[0].context, second.errors[0].context] == [{"input": "first"}, {"input": "second"}]
    quiet = make(fa).run(a="first")
    assert quiet.errors[0].context == {} and "first" not in repr(quiet)


def test_11_model_validators_that_return_another_object_are_honoured(fa: ModuleType) -> None:
    class Swapped(BaseModel):
        a: int

        @model_validator(mode="after")
        def swap(self) -> Any:
            return self if self.a == 99 else type(self)(a=99)

    class Use(fa.Command[Swapped, Any]):
        def execute(self) -> Any:
            return self.inputs.a

    # validate_python gives what the validator returns; Model(**raw) would give 1 and a warning.
    assert Use.run(a=1).result == 99


def test_12_a_constructor_is_bypassed_only_where_it_is_the_librarys(fa: ModuleType) -> None:
    made: list[Any] = []

    class Own(fa.Command[Pair, Any]):
        def __init__(self, **inputs: Any) -> None:
            super().__init__(**inputs)
            made.append(self)

    class New(fa.Command[Pair, Any]):
        def __new__(cls, **inputs: Any) -> Any:
            self = super().__new__(cls)
            made.append(self)
            return self

    for cls in (Own, New):
        made.clear()
        assert cls.run(a=1).is_success()
        outer = make(fa, lambda self, cls=cls: self.run_subcommand(cls, a=1))
        assert outer.run(a=1).is_success() and len(made) == 2
    late = make(fa)
    late.run(a=1)
    made.clear()
    with mock.patch.object(late, "__init__", lambda self, **inputs: made.append(self), create=True):
        late.run(a=1)
    assert len(made) == 1
    assert late.run(a=1).is_success() and len(made) == 1


def test_13_a_command_with_callbacks_is_no_reference_cycle(fa: ModuleType) -> None:
    seen: list[weakref.ref[Any]] = []
    cls = make(fa, lambda self: seen.append(weakref.ref(self)))
    for kind in ("before", "after"):
        getattr(cls, f"{kind}_any_transition")(lambda command: None)
    cls.around_any_transition(lambda command, proceed: proceed())
    gc.collect()
    gc.disable()
    try:
        cls.run(a=1)
        assert seen[0]() is None
    finally:
        gc.enable()


def test_14_switching_a_hook_on_and_off_again_and_again_stays_right(fa: ModuleType) -> None:
    cls = make(fa, lambda self: 1)
    for _ in range(600):
        with mock.patch.object(cls, "execute", lambda self: 2):
            assert cls.run(a=1).result == 2
        assert cls.run(a=1).result == 1


def test_15_an_async_run_is_a_coroutine_function_and_lazy(fa: ModuleType) -> None:
    ran: list[int] = []

    class Use(fa.AsyncCommand[Pair, Any]):
        async def execute(self) -> Any:
            ran.append(self.inputs.a)

    assert inspect.iscoroutinefunction(Use.run)
    waiting = Use.run(a=1)
    assert ran == [] and inspect.isawaitable(waiting)
    asyncio.run(_await(waiting))
    assert ran == [1]


async def _await(waiting: Any) -> Any:
    return await waiting


def test_16_importing_a_command_imports_no_optional_package() -> None:
    optional = ("numpy", "sqlalchemy", "fastapi", "typer", "prometheus_client", "opentelemetry", "nh3")
    code = (
        f"import sys; from foobara_accel import Command; print([n for n in {optional} if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_17_a_pooled_instance_carries_nothing_over(fa: ModuleType) -> None:
    kept: list[Any] = []

    def execute(self: Any) -> Any:
        assert self._errors is None and self._result is None and self._transaction is None
        assert not vars(self) and self.state_name == "execute"
        if self.inputs.a % 4 == 0:
            self.add_runtime_error("fourth", "f", halt=False)
        if self.inputs.a % 5 == 0:
            self.mark = 1
        if self.inputs.a % 7 == 0:
            kept.append(self)
        if self.inputs.a % 11 == 0:
            self.before_commit_transaction(lambda command: None)
        return self.inputs.a

    cls = make(fa, execute)
    for number in range(500):
        outcome = cls.run(a=number)
        assert outcome.is_failure() if number % 4 == 0 else outcome.result == number, number
    assert [command.inputs.a for command in kept] == list(range(0, 500, 7))


def test_17_a_run_inside_a_run_of_the_same_class(fa: ModuleType) -> None:
    def execute(self: Any) -> Any:
        if self.inputs.a == 0:
            return [0]
        inner = cls.run(a=self.inputs.a - 1).result
        nested = self.run_subcommand(cls, a=0)
        return [*inner, *nested, self.inputs.a]

    cls = make(fa, execute)
    for _ in range(3):
        assert cls.run(a=4).result == [0, 0, 1, 0, 2, 0, 3, 0, 4]


# The list that is the result stands among the defaults of the class's own execute.
@pytest.mark.parametrize(
    "how", ["metadata", pytest.param("result", marks=pytest.mark.mortal_classes), "errors"]
)
def test_17_an_outcome_in_a_cycle_is_collected(fa: ModuleType, how: str) -> None:
    class Mark:
        pass

    mark, held = Mark(), []
    outcome = make(fa, lambda self, held=held: self.halt() if how == "errors" else held).run(a=1)
    place: Any = {"metadata": outcome.metadata, "result": held}.get(how)
    if place is None:
        place = outcome.errors[0].context
    if isinstance(place, dict):
        place.update(outcome=outcome, mark=mark)
    else:
        place += [outcome, mark]
    reference = weakref.ref(mark)
    del mark, held, outcome, place
    gc.collect()
    assert reference() is None


def test_17_a_value_may_write_json_while_json_is_written(fa: ModuleType) -> None:
    class Inner(BaseModel):
        a: int

        @model_serializer
        def write(self) -> Any:
            inner = fa.FoobaraError(symbol="inner", context={"deep": ["x" * 5_000]})
            return {"size": len(inner.to_json_bytes()), "again": len(make(fa).run(a="x").to_json_bytes())}

    context = {"before": "b" * 3_000, "model": Inner(a=1), "after": "c" * 3_000}
    written = json.loads(fa.FoobaraError(symbol="outer", context=context).to_json_bytes())["context"]
    assert written["before"] == "b" * 3_000 and written["after"] == "c" * 3_000
    assert written["model"]["size"] > 5_000 and written["model"]["again"] > 100


def test_18_the_interpreter_is_named_with_every_figure() -> None:
    from foobara_accel.bench import report

    assert "python" in inspect.getsource(report).lower()
