"""Overrides of the calls that the library makes itself, and the raw inputs in every kind of run."""

from __future__ import annotations

import asyncio
import types
from types import ModuleType
from typing import Any

import pytest
from pydantic import BaseModel


class Inputs(BaseModel):
    """The inputs of every command here."""

    a: int
    b: int = 0


def make(fa: ModuleType, base: Any = None, **body: Any) -> Any:
    """A command class with *body*."""
    bases = (base or fa.Command[Inputs, Any],)
    return types.new_class("Made", bases, {}, lambda space: space.update(body))


def drop(self: Any, error: Any) -> None:
    """An ``add_error`` that takes nothing."""


def test_run_subcommand_bang_goes_through_an_overridden_run_subcommand(fa: ModuleType) -> None:
    child = make(fa, execute=lambda self: self.inputs.a)
    calls: list[Any] = []

    class Parent(fa.Command[Inputs, Any]):
        def run_subcommand(self, command_class: Any, /, **inputs: Any) -> Any:
            calls.append(inputs)
            return super().run_subcommand(command_class, **inputs)

        def execute(self) -> Any:
            self.run_subcommand_(child, a=1)
            return self.run_subcommand_bang(child, a=self.inputs.a)

    for _ in range(3):
        assert Parent.run(a=2).result == 2
    assert calls == [{"a": 1}, {"a": 2}] * 3
    calls.clear()
    failing = make(fa, Parent, execute=lambda self: self.run_subcommand_bang(child, a="x") or 5)
    assert [error.path for error in failing.run(a=2).errors] == [("a",)] and calls == [{"a": "x"}]


def test_run_subcommand_overridden_between_runs(fa: ModuleType) -> None:
    child = make(fa, execute=lambda self: self.inputs.a)
    parent = make(fa, execute=lambda self: self.run_subcommand_bang(child, a=self.inputs.a))
    assert [parent.run(a=2).result for _ in range(3)] == [2] * 3
    parent.run_subcommand = lambda self, command_class, **inputs: 7
    assert [parent.run(a=2).result for _ in range(3)] == [7] * 3
    del parent.run_subcommand
    assert parent.run(a=2).result == 2


def test_add_error_is_called_for_wrong_inputs(fa: ModuleType) -> None:
    seen: list[Any] = []

    def add(self: Any, error: Any) -> None:
        seen.append(error.path)
        fa.Command.add_error(self, error)

    cls = make(fa, execute=lambda self: 1, add_error=add)
    runs: list[Any] = [
        lambda: cls.run(a="x"),
        lambda: cls.run_json(b'{"a": "x"}'),
        lambda: cls(a="x").run_instance(),
    ]
    for run in runs * 2:
        assert [error.path for error in run().errors] == [("a",)]
    assert seen == [("a",)] * 6
    assert cls.run_json(b"{").errors[0].category == "data" and len(seen) == 7
    outer = make(fa, execute=lambda self: self.run_subcommand(cls, a="x"))
    (error,) = outer.run(a=1).errors
    assert error.runtime_path == (outer.full_command_symbol(),) and len(seen) == 8


def test_an_add_error_that_drops_the_errors_has_the_run_go_on(fa: ModuleType) -> None:
    cls = make(fa, execute=lambda self: 1, add_error=drop)
    for _ in range(2):
        assert cls.run(a="x").result == 1 and cls.run(a=1).result == 1
    changed = make(fa, execute=lambda self: 1)
    assert changed.run(a="x").is_failure()
    changed.add_error = drop
    assert changed.run(a="x").result == 1
    del changed.add_error
    assert changed.run(a="x").is_failure()
    one = changed(a="x")
    one.add_error = types.MethodType(drop, one)
    assert one.run_instance().result == 1


def test_add_error_of_an_async_command(fa: ModuleType) -> None:
    async def execute(self: Any) -> int:
        return 1

    cls = make(fa, fa.AsyncCommand[Inputs, Any], execute=execute, add_error=drop)
    for _ in range(2):
        assert asyncio.run(cls.run(a="x")).result == 1
        assert asyncio.run(cls.run(a=1)).result == 1
    plain = make(fa, fa.AsyncCommand[Inputs, Any], execute=execute)
    assert asyncio.run(plain.run(a="x")).is_failure()


@pytest.mark.parametrize("hooked", [False, True])
def test_raw_inputs_are_what_was_given(fa: ModuleType, hooked: bool) -> None:
    body = {"validate": lambda self: None} if hooked else {}
    cls = make(fa, execute=lambda self: dict(self._raw_inputs), **body)
    for _ in range(2):
        assert cls.run(a=1).result == {"a": 1}
        assert cls.run_with(Inputs(a=1)).result == {"a": 1}
        assert cls.run_json(b'{"a": 1}').result == {"a": 1}
        assert cls.run_json(b'{"b": 2, "a": 1}').result == {"a": 1, "b": 2}
    assert cls()._raw_inputs == {}


def test_the_dict_of_attributes_may_be_replaced_and_deleted(fa: ModuleType) -> None:
    def replace(self: Any) -> Any:
        self.__dict__ = {"k": 1}
        return self.k

    def delete(self: Any) -> Any:
        self.x = 1
        del self.__dict__
        return self.__dict__, hasattr(self, "x")

    for execute, result in ((replace, 1), (delete, ({}, False))):
        cls = make(fa, execute=execute)
        for _ in range(3):
            assert cls.run(a=1).result == result
    one = make(fa)(a=1)
    with pytest.raises(TypeError, match="__dict__ must be set to a dictionary, not a 'int'"):
        one.__dict__ = 5


@pytest.mark.parametrize("derived", [False, True])
def test_what_an_error_or_an_outcome_has_is_not_deleted(fa: ModuleType, derived: bool) -> None:
    kind = type("Mine", (fa.FoobaraError,), {}) if derived else fa.FoobaraError
    error = kind("data", "s", ("a",), "m", cause=ValueError("v"), suggestion="try")
    names = ["path", "context", "runtime_path", "is_fatal", "severity", "suggestion", "help_url", "cause"]
    outcome = make(fa, execute=lambda self: 1).run(a=1)
    things = [(error, name) for name in [*names, "stack_trace"]]
    things += [(outcome, name) for name in ("result", "errors", "metadata")]
    for thing, name in things:
        before = getattr(thing, name)
        with pytest.raises(
            AttributeError, match=f"^property '{name}' of '{type(thing).__name__}' object has no"
        ):
            delattr(thing, name)
        assert getattr(thing, name) == before
    for name in ("suggestion", "help_url"):
        setattr(error, name, "other")
        assert getattr(error, name) == "other"
    error.path = ["b"]
    assert error.path == ("b",) and error.to_dict()["suggestion"] == "other"
