"""foobara_py's commands with their hot methods replaced answer as before, and what the repairs change."""

from __future__ import annotations

import asyncio
import functools
import gc
import inspect
import pickle
import subprocess
import sys
import weakref
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from pydantic import BaseModel

import swap_target
from foobara_accel import backend

pytestmark = pytest.mark.skipif(
    not swap_target.reachable(), reason="foobara_py cannot be imported: install it, or set FOOBARA_PY_PATH"
)
BACKENDS = ("c", "py") if backend().compiled else ("py",)
REPAIRS = ("rollback-on-escape", "close-failed-open")


class Pair(BaseModel):
    a: int
    b: int = 2


@pytest.fixture(scope="module")
def classes() -> Any:
    return swap_target.target()


@pytest.fixture(params=[(name, repairs) for name in BACKENDS for repairs in (REPAIRS, ())], ids=str)
def fp(request: pytest.FixtureRequest, classes: Any) -> Any:
    """Return foobara_py's classes with replacements in place; ``repaired`` says which kind."""
    name, repairs = request.param
    table = swap_target.twin(name).replacements(classes, frozenset(repairs))
    classes.TransactionRegistry.clear()
    with swap_target.Installed(classes, table) as installed:
        classes.repaired, classes.table, classes.name = bool(repairs), table, name
        classes.before = installed.before
        yield classes


def adder(fp: Any, **body: Any) -> Any:
    class Add(fp.Command[Pair, int]):  # type: ignore[name-defined, misc]
        def execute(self) -> Any:
            return self.inputs.a + self.inputs.b

    for name, value in body.items():
        setattr(Add, name, value)
    return Add


class Recorder:
    def __init__(self) -> None:
        self.calls: list[str] = []

    def begin(self) -> None:
        self.calls.append("begin")

    def commit(self) -> None:
        self.calls.append("commit")

    def rollback(self) -> None:
        self.calls.append("rollback")


def recorded(fp: Any, **body: Any) -> tuple[Any, list[str]]:
    handler = Recorder()
    config = fp.TransactionConfig.with_handler(lambda: handler)
    return adder(fp, _transaction_config=config, **body), handler.calls


def test_a_success_has_a_real_outcome_and_its_history(fp):
    """Nobody can tell the outcome and the instance from foobara_py's own."""
    seen = []
    Add = adder(fp)
    run = Add.execute
    Add.execute = lambda self: seen.append(self) or run(self)
    outcome = Add.run(a=1)
    (command,) = seen
    assert (outcome.result, outcome.errors, outcome.metadata) == (3, [], {})
    assert outcome == fp.CommandOutcome(result=3, errors=[], metadata={})
    assert outcome.model_fields_set == {"result", "errors", "metadata"}
    assert pickle.loads(pickle.dumps(outcome)) == outcome
    states = list(fp.CommandState)
    assert command._state_machine._transition_history == list(pairwise(states[:9]))
    assert command.state is fp.CommandState.SUCCEEDED
    assert command._raw_inputs == {"a": 1}
    assert command._enhanced_callback_executor is None


@pytest.mark.parametrize("mistake", [ValueError("v"), KeyError("k")])
def test_an_exception_that_escapes_commits_or_is_rolled_back(fp, mistake):
    """foobara_py commits what was done before validate() raised; the repair rolls it back, once."""

    def validate(self: Any) -> None:
        raise mistake

    Add, calls = recorded(fp, validate=validate)
    with pytest.raises(type(mistake)) as caught:
        Add.run(a=1)
    assert caught.value is mistake
    assert mistake.__context__ is None
    assert calls == ["begin", "rollback" if fp.repaired else "commit"]


@pytest.mark.parametrize("mistake", [KeyboardInterrupt(), SystemExit(), asyncio.CancelledError()])
@pytest.mark.parametrize("place", ["validate", "execute", "commit_transaction"])
def test_an_interrupt_is_rolled_back_by_the_repair(fp, mistake, place):
    def method(self: Any) -> None:
        raise mistake

    Add, calls = recorded(fp, **{place: method})
    with pytest.raises(type(mistake)):
        Add.run(a=1)
    assert calls == ["begin", "rollback" if fp.repaired else "commit"]


def test_an_interrupt_while_opening_is_rolled_back_by_the_repair(fp):
    def open_transaction(self: Any) -> None:
        super(Add, self).open_transaction()
        raise KeyboardInterrupt

    Add, calls = recorded(fp)
    Add.open_transaction = open_transaction
    with pytest.raises(KeyboardInterrupt):
        Add.run(a=1)
    assert calls == (["begin", "rollback"] if fp.repaired else ["begin"])


def test_an_error_added_while_opening_closes_the_transaction_by_the_repair(fp):
    def open_transaction(self: Any) -> None:
        super(Add, self).open_transaction()
        self.add_runtime_error("closed", "not today", halt=False)

    Add, calls = recorded(fp)
    Add.open_transaction = open_transaction
    assert Add.run(a=1).errors[0].symbol == "closed"
    assert calls == (["begin", "rollback"] if fp.repaired else ["begin"])


def test_the_context_of_an_exception_is_the_one_it_was_raised_with(fp):
    """A run inside a handler hands an exception on; the handled one does not become its context."""
    inner = ValueError("inner")

    def validate(self: Any) -> None:
        try:
            raise inner
        except ValueError:
            raise KeyError("outer")  # noqa: B904

    Add = adder(fp, validate=validate)
    try:
        raise TypeError("handled")
    except TypeError:
        with pytest.raises(KeyError) as caught:
            Add.run(a=1)
    assert caught.value.__context__ is inner


PATCHED = (
    *(
        "open_transaction",
        "cast_and_validate_inputs",
        "load_records",
        "validate_records",
        "validate",
        "execute",
    ),
    *("commit_transaction", "_execute_phase", "run_instance"),
)


@pytest.mark.parametrize("name", PATCHED)
@pytest.mark.parametrize("where", ["class", "base", "instance"])
def test_what_is_patched_is_called_from_the_next_run_on(fp, name, where):
    """Nothing that was found out about a class before outlives a patch of it."""
    Add = adder(fp)
    assert Add.run(a=1).result == 3
    calls: list[str] = []
    owner = Add if where == "class" else next(cls for cls in Add.__mro__[1:] if name in vars(cls))
    before = getattr(Add, name)

    def patched(self: Any, *args: Any, **kwargs: Any) -> Any:
        calls.append(name)
        return before(self, *args, **kwargs)

    if where == "instance":
        command = Add(a=1)
        setattr(command, name, functools.partial(patched, command))
        assert command.run_instance().result == 3
    elif name == "execute" and where == "base":
        return
    else:
        with mock.patch.object(owner, name, patched):
            assert Add.run(a=1).result == 3
        assert calls
        del calls[:]
        assert Add.run(a=1).result == 3
        assert not calls
        return
    assert calls


PARTS = (
    *(("CommandStateMachine", "transition_to"), ("ErrorCollection", "has_errors")),
    *(("CommandOutcome", "__init__"), ("EnhancedCallbackRegistry", "has_callbacks")),
    *(
        ("TransactionRegistry", "detect"),
        ("ErrorCollection", "__init__"),
        ("CommandStateMachine", "__init__"),
    ),
)


@pytest.mark.parametrize(("owner", "name"), PARTS)
def test_a_patch_of_foobara_pys_other_classes_is_called(fp, owner, name):
    Add = adder(fp)
    assert Add.run(a=1).result == 3
    cls = getattr(fp, owner)
    with mock.patch.object(cls, name, autospec=True, side_effect=getattr(cls, name)) as patched:
        outcome = Add.run(a=1)
    assert patched.called
    assert outcome.result == 3 or name == "__init__"
    assert Add.run(a=1).result == 3


def test_a_patch_of_how_models_are_called_is_called(fp):
    """Of Pydantic's metaclass, as a tracer may set it after the first runs."""
    Add = adder(fp)
    meta: Any = type(BaseModel)
    assert [Add.run(a=1).result for _ in range(3)] == [3, 3, 3]
    called = []

    def call(cls: Any, *given: Any, **named: Any) -> Any:
        called.append(cls)
        return type.__call__(cls, *given, **named)

    with mock.patch.object(meta, "__call__", call):
        assert Add.run(a=1).result == Add(a=1).run_instance().result == 3
    assert called.count(Pair) == 2
    called.clear()
    assert Add.run(a=1).result == 3 and not called


def test_a_class_that_counts_its_runs_keeps_running(fp):
    Add = adder(fp)
    run = Add.execute

    def execute(self: Any) -> Any:
        type(self).runs = getattr(type(self), "runs", 0) + 1
        return run(self)

    Add.execute = execute
    for _ in range(1500):  # past the number of version tags that a class of 3.13 has
        assert Add.run(a=1).result == 3
    assert Add.runs == 1500
    Add.validate = lambda self: self.add_runtime_error("late", "now")
    assert Add.run(a=1).errors[0].symbol == "late"


def test_an_instance_that_somebody_kept_is_not_used_again(fp):
    kept = []
    Add = adder(fp)
    run = Add.execute
    Add.execute = lambda self: kept.append(self) or run(self)
    for number in range(5):
        Add.run(a=number)
    assert [command._raw_inputs for command in kept] == [{"a": number} for number in range(5)]
    assert (
        len({id(part) for command in kept for part in (command, command._errors, command._state_machine)})
        == 15
    )


@pytest.mark.parametrize("part", ["_state_machine", "_errors", "_loaded_records", "_raw_inputs", "_inputs"])
def test_a_part_that_somebody_kept_is_not_used_again(fp, part):
    kept = []
    Add = adder(fp)
    run = Add.execute
    Add.execute = lambda self: kept.append(getattr(self, part)) or run(self)
    for number in range(5):
        Add.run(a=number)
    assert len({id(value) for value in kept}) == 5
    if part == "_state_machine":
        assert all(value.state is fp.CommandState.SUCCEEDED for value in kept)


def test_nothing_is_kept_of_what_was_given(fp):
    class Value:
        pass

    class Given(BaseModel):
        a: Any

    class Keep(fp.Command[Given, Any]):
        def execute(self) -> Any:
            self.note = self.inputs.a
            return self.inputs.a

    value = Value()
    found = weakref.ref(value)
    Keep.run(a=value)
    del value
    assert found() is None


def test_weak_references_and_finalisers_see_each_instance_end(fp):
    ended = []
    Add = adder(fp)
    run = Add.execute
    Add.execute = lambda self: weakref.finalize(self, ended.append, 1) and run(self)
    Add.run(a=1)
    Add.run(a=1)
    assert ended == [1, 1]
    Add.execute = run
    Add.run(a=1)
    Add.__del__ = lambda self: ended.append(2)
    Add.run(a=1)
    Add.run(a=1)
    assert ended == [1, 1, 2, 2]


def test_runs_leave_nothing_to_the_collector(fp):
    Add = adder(fp)
    Add.before_execute_transition(lambda command: None)
    for _ in range(50):
        Add.run(a=1)
    gc.collect()
    gc.disable()
    try:
        for _ in range(200):
            Add.run(a=1)
            Add.run(a="x")
        assert gc.collect() == 0
    finally:
        gc.enable()


@pytest.mark.mortal_classes
def test_classes_are_freed(fp):
    classes = []
    for _ in range(20):
        Add = adder(fp)
        Add.run(a=1)
        classes.append(weakref.ref(Add))
    del Add
    gc.collect()
    assert not any(found() for found in classes)


def test_inputs_with_names_of_the_constructor_take_its_way(fp):
    assert adder(fp).run(a=1, _runtime_path=("top",)).result == 3
    with pytest.raises(TypeError):
        adder(fp).run(a=1, self=1)


def test_subcommands_carry_path_and_name(fp):
    class Inner(fp.Command[Pair, int]):
        def execute(self) -> Any:
            self.add_runtime_error("deep", "down", halt=False, n=1)

    class Outer(fp.Command[Pair, int]):
        def execute(self) -> Any:
            return self.run_subcommand_bang(Inner, a=1)

    class Top(fp.Command[Pair, int]):
        def execute(self) -> Any:
            return self.run_subcommand(Outer, a=1)

    (error,) = Top.run(a=1).errors
    assert error.runtime_path == ("top", "outer")
    assert error.context == {"n": 1, "subcommand": "Outer"}
    assert error.to_dict()["key"] == "top>outer>runtime.root.deep"


def test_a_domain_that_a_descriptor_gives_is_asked_of_each_class(fp):
    class ByName:
        def __get__(self, instance: Any, owner: Any) -> str:
            return owner.__name__.removesuffix("Command")

    class Base(fp.Command[Pair, int]):  # type: ignore[name-defined, misc]
        _domain = ByName()

    class ShopCommand(Base):
        def execute(self) -> Any:
            return self.inputs.a

    class BankCommand(Base):
        def execute(self) -> Any:
            return self.run_subcommand(ShopCommand, a=self.inputs.a)

    domain = fp.Domain("Bank")
    try:
        for _ in range(2):
            [error] = BankCommand.run(a=1).errors
            assert error.message.startswith("Domain 'Bank' cannot call commands from 'Shop'.")
        domain.depends_on("Shop")
        assert BankCommand.run(a=1).result == 1
    finally:
        fp.Domain.clear_registry()


def test_async_commands_stay_coroutine_functions(fp):
    class Later(fp.AsyncCommand[Pair, int]):
        async def execute(self) -> Any:
            await asyncio.sleep(0)
            return self.inputs.a + self.inputs.b

    assert inspect.iscoroutinefunction(Later.run)
    assert inspect.iscoroutinefunction(Later(a=1).run_instance)

    async def both() -> Any:
        return [(await Later.run(a=1)).result, (await Later.run(a="x")).errors[0].symbol]

    assert asyncio.run(both()) == [3, "int_parsing"]
    coroutine = Later.run(a=1)
    coroutine.close()


def test_replacements_are_called_like_what_they_replace(fp):
    for key, value in fp.table.items():
        function = getattr(value, "__func__", value)
        owner, name = key.split(".")
        assert function.__name__ == name.removesuffix("_") or function.__name__ == "run_subcommand_bang"
        assert function.__module__.startswith("foobara_py.")
        assert callable(function)
        before = next(place[2] for place in fp.before if place[:2] == (getattr(fp, owner), name))
        assert isinstance(value, classmethod) == isinstance(before, classmethod), key


def test_run_without_its_class_asks_what_it_is_given_for_an_instance(fp):
    """Of a wrapper that takes the function out of ``run`` and hands it anything with an instance to run."""
    run, run_later = (fp.Command.run.__func__, fp.AsyncCommand.run.__func__)
    Add = adder(fp)
    assert run(lambda **inputs: Add(**inputs), a=1).result == 3
    for given in (Add(a=1), 5, None):
        with pytest.raises(TypeError, match="object is not callable"):
            run(given, a=1)
        with pytest.raises(TypeError, match="object is not callable"):
            asyncio.run(run_later(given, a=1))


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize(
    ("fixes", "form"),
    [
        ("none", "set"),
        ("all", "set"),
        ("rollback-on-escape", "set"),
        ("close-failed-open", "set"),
        ("all", "exchange"),
        ("none", "install"),
        ("all", "install"),
    ],
)
def test_random_programs_are_the_same_in_everything_seen(name, fixes, form):
    script = Path(__file__).with_name("differential_swap.py")
    command = [sys.executable, str(script), "--cases", "150", "--each", "80", "--seed", "7"]
    command += ["--backend", name, "--fixes", fixes, "--form", form]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "150 programs" in done.stdout and "0 differences" in done.stdout


def test_a_difference_between_the_two_processes_is_told(tmp_path):
    """The harness compares what it says it compares: here the replaced side answers another key."""
    script = Path(__file__).with_name("differential_swap.py")
    code = f"""
import runpy, sys
sys.path.insert(0, {str(script.parent)!r})
import swap_target
def replacements(classes, fixes):
    return {{"FoobaraError.key": lambda self: "another"}}
swap_target.twin = lambda side: type("Twin", (), {{"replacements": staticmethod(replacements)}})
sys.argv[0] = __file__
import differential_swap
differential_swap.__file__ = __file__
sys.exit(differential_swap.main())
"""
    wrong = tmp_path / "wrong.py"
    wrong.write_text(code, encoding="utf-8")
    command = [sys.executable, str(wrong), "--cases", "30", "--backend", "py", "--show", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "30 programs" in done.stdout and " 0 differences" not in done.stdout
    assert "'another'" in done.stdout
