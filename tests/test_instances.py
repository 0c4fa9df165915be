"""A command instance: it runs once, whoever starts it, and pickles with every protocol."""

from __future__ import annotations

import gc
import pickle
import sys
import threading
import types
import weakref
from types import ModuleType
from typing import Any

import pytest
from pydantic import BaseModel, create_model


class Inputs(BaseModel):
    """The inputs of every command here."""

    a: int


def make(fa: ModuleType, **body: Any) -> Any:
    """A command class with *body*."""
    return types.new_class("Made", (fa.Command[Inputs, Any],), {}, lambda space: space.update(body))


def test_two_threads_cannot_both_run_an_instance(fa: ModuleType) -> None:
    inside, go_on = threading.Event(), threading.Event()
    ran: list[int] = []

    class Slow(fa.Command[Inputs, Any]):
        @classmethod
        def inputs_type(cls) -> Any:
            if threading.current_thread() is not threading.main_thread():
                inside.set()
                assert go_on.wait(10)
            return Inputs

        def execute(self) -> None:
            ran.append(self.inputs.a)

    one = Slow(a=1)
    first = threading.Thread(target=one.run_instance)
    first.start()
    assert inside.wait(10)
    with pytest.raises(RuntimeError, match="already run"):
        one.run_instance()
    go_on.set()
    first.join()
    assert ran == [1] and one.state is fa.CommandState.SUCCEEDED


def test_an_instance_whose_class_cannot_run_may_run_later(fa: ModuleType) -> None:
    cls = make(fa, execute=lambda self: 1, _cached_inputs_type=5)
    one = cls(a=1)
    cls.inputs_type = classmethod(lambda cls: 1 / 0)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            one.run_instance()
    cls.inputs_type = classmethod(lambda cls: Inputs)
    assert one.run_instance().result == 1


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_an_instance_pickles(fa: ModuleType, protocol: int, monkeypatch: pytest.MonkeyPatch) -> None:
    cls = make(fa, execute=lambda self: self.inputs.a + 1)
    cls.__module__, cls.__qualname__ = __name__, "Pickled"
    monkeypatch.setattr(sys.modules[__name__], "Pickled", cls, raising=False)
    one = pickle.loads(pickle.dumps(cls(a=1), protocol))
    assert type(one) is cls and one.run_instance().result == 2


def test_the_state_of_what_has_succeeded_is_the_same_however_it_ran(fa: ModuleType) -> None:
    kept: list[Any] = []
    plain = make(fa, execute=lambda self: kept.append(self))
    hooked = make(fa, execute=lambda self: kept.append(self), validate=lambda self: None)
    for cls in (plain, hooked):
        cls(a=1).run_instance()
        cls.run(a=1)
    whole = make(fa, execute=lambda self: self.run_subcommand(plain, a=1))
    whole.run(a=1)
    for one in kept:
        state = one.__getstate__()[1]
        assert (state["_state"], state["_entered"], state["_closed"]) == (8, 7, 2)
    assert plain(a=1).__getstate__()[1]["_closed"] == 0


def test_a_method_that_is_called_on_what_is_no_command_says_so(fa: ModuleType, sub: Any) -> None:
    cls = make(fa, execute=lambda self: 1)
    with pytest.raises(
        TypeError, match=r"int.*is not a Command class|Core' objects doesn't apply to a 'int'"
    ):
        cls.cast_and_validate_inputs(3)
    for wrong in (int, type("Mine", (), {})):
        with pytest.raises(TypeError, match=f"{wrong.__name__}'> is not a Command class"):
            sub("core.plan").Services.analyse(wrong)


@pytest.mark.parametrize("name", ["_state", "_entered", "_json_error"])
def test_what_a_run_computes_is_not_deleted(fa: ModuleType, name: str) -> None:
    one = make(fa, execute=lambda self: 1)(a=1)
    with pytest.raises(AttributeError, match=f"property '{name}' of 'Made' object has no deleter"):
        delattr(one, name)
    assert one.run_instance().result == 1


def test_a_commit_that_a_callback_around_it_leaves_out_is_no_success(fa: ModuleType) -> None:
    calls: list[str] = []

    class Handler:
        def begin(self) -> None:
            calls.append("begin")

        def commit(self) -> None:
            calls.append("commit")

        def rollback(self) -> None:
            calls.append("rollback")

    cls = make(fa, execute=lambda self: 1, _transaction_config=fa.TransactionConfig.with_handler(Handler))
    cls.around_commit_transaction(lambda command, proceed: None)
    assert [error.symbol for error in cls.run(a=1).errors] == ["halted"]
    assert calls == ["begin", "rollback"]


@pytest.mark.parametrize("method", ["run_subcommand", "run_subcommand_bang"])
def test_what_is_no_class_is_no_subcommand(fa: ModuleType, method: str) -> None:
    cls = make(fa, execute=lambda self: getattr(self, method)([]))
    for _ in range(2):
        assert cls.run(a=1).errors[0].message == "run_subcommand() takes a Command class, not a list"


@pytest.mark.parametrize("name", ["run_subcommand_bang", "run_subcommand_"])
def test_a_run_subcommand_of_an_instance_is_called(fa: ModuleType, name: str) -> None:
    inner = make(fa, execute=lambda self: 1)
    asked: list[Any] = []

    def execute(self: Any) -> Any:
        found = [getattr(self, name)(inner, a=1)]
        self.run_subcommand = lambda cls, **inputs: asked.append((cls, inputs)) or 5
        found.append(getattr(self, name)(inner, a=2))
        self.run_subcommand = lambda cls, **inputs: self.add_runtime_error("none", "none", halt=False)
        if self.inputs.a:
            getattr(self, name)(inner, a=3)
        del self.run_subcommand
        return [*found, getattr(self, name)(inner, a=4)]

    cls = make(fa, execute=execute)
    for _ in range(2):
        assert cls.run(a=0).result == [1, 5, 1]
        assert [error.symbol for error in cls.run(a=1).errors] == ["none"]
    assert asked == [(inner, {"a": 2})] * 4


def test_run_json_without_data_says_the_same_before_and_after_a_run(fa: ModuleType) -> None:
    cls = make(fa, execute=lambda self: 1)
    for _ in range(2):
        with pytest.raises(
            TypeError, match=r"^Command\.run_json\(\) missing 1 required positional argument: 'data'$"
        ):
            cls.run_json()
        assert cls.run(a=1).result == 1


def keeper(fa: ModuleType, model: Any, keep: Any) -> Any:
    """A command that gives its inputs to *keep* and returns which fields are set."""

    def execute(self: Any) -> list[str]:
        names = sorted(self.inputs.model_fields_set)
        keep(self.inputs)
        return names

    return types.new_class(
        "Keeper", (fa.Command[model, Any],), {}, lambda space: space.update(execute=execute)
    )


KEEPING: list[Any] = [
    lambda inputs, kept: kept.append(inputs),
    lambda inputs, kept: kept.append(inputs.model_fields_set),
    lambda inputs, kept: kept.append(iter(inputs.model_fields_set)),
    lambda inputs, kept: inputs.model_fields_set.discard("a"),
    lambda inputs, kept: inputs.model_fields_set.add("mine"),
    lambda inputs, kept: inputs.model_fields_set.clear(),
    lambda inputs, kept: (inputs.model_fields_set.remove("a"), inputs.model_fields_set.add("a")),
    lambda inputs, kept: setattr(inputs, "__pydantic_fields_set__", {"b"}),
    lambda inputs, kept: delattr(inputs, "__pydantic_fields_set__"),
    lambda inputs, kept: kept.append(weakref.ref(inputs.model_fields_set)),
]


@pytest.mark.parametrize("keep", KEEPING)
@pytest.mark.parametrize("fields", [2, 8])
def test_the_set_of_fields_belongs_to_one_instance(fa: ModuleType, keep: Any, fields: int) -> None:
    """What was done to it, and what is held of it, in one run does not show in the next ones."""
    given = dict.fromkeys("abcdefgh"[:fields], 1)
    model = create_model("Given", **dict.fromkeys(given, (int, ...)))
    kept: list[Any] = []
    plain = keeper(fa, model, lambda inputs: None)
    cls = keeper(fa, model, lambda inputs: keep(inputs, kept))
    for _ in range(3):
        assert plain.run(**given).result == list(given)
        assert cls.run(**given).result == list(given)
    for each in kept:
        if isinstance(each, weakref.ref):
            assert each() is None
        elif isinstance(each, BaseModel):
            assert each.model_fields_set == set(given)
            assert [each.model_fields_set is other.model_fields_set for other in kept].count(True) == 1
        else:
            assert sorted(each) == list(given)


def test_a_model_with_a_finaliser_sees_all_of_itself_there(fa: ModuleType) -> None:
    seen = []

    class Final(BaseModel):
        a: int

        def __del__(self) -> None:
            seen.append(self.model_fields_set)

    cls = keeper(fa, Final, lambda inputs: None)
    assert [cls.run(a=1).result for _ in range(3)] == [["a"]] * 3
    gc.collect()
    assert seen == [{"a"}] * 3
