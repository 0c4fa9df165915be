"""A ``run`` that somebody sets on a base class after its subclasses exist is what those inherit."""

from __future__ import annotations

import asyncio
from types import ModuleType
from typing import Any
from unittest import mock

import pytest
from pydantic import BaseModel


class Inputs(BaseModel):
    """The inputs of every command here."""

    a: int


def family(fa: ModuleType) -> tuple[Any, Any, Any]:
    """A command class, its subclass and the subclass of that."""

    class Base(fa.Command[Inputs, int]):
        def execute(self) -> int:
            return self.inputs.a

    class Middle(Base):
        pass

    class Last(Middle):
        pass

    return Base, Middle, Last


def later_family(fa: ModuleType) -> tuple[Any, Any, Any]:
    """The same of async commands."""

    class Base(fa.AsyncCommand[Inputs, int]):
        async def execute(self) -> int:
            return self.inputs.a

    class Middle(Base):
        pass

    class Last(Middle):
        pass

    return Base, Middle, Last


@pytest.mark.parametrize("ran", [False, True])
def test_a_run_that_is_patched_on_a_base_is_what_subclasses_run(fa: ModuleType, ran: bool) -> None:
    classes = family(fa)
    if ran:
        assert [cls.run(a=1).result for cls in classes * 2] == [1] * 6
    base, middle, last = classes
    held = last.run
    with mock.patch.object(base, "run", classmethod(lambda cls, **inputs: (cls, inputs))):
        assert [cls.run(a=1) for cls in classes] == [(cls, {"a": 1}) for cls in classes]
        assert last(a=1).run(a=2) == (last, {"a": 2})
        assert held(a=3).result == 3
    assert [cls.run(a=1).result for cls in classes * 2] == [1] * 6
    with mock.patch.object(middle, "run") as mocked:
        last.run.return_value = 5
        assert (base.run(a=1).result, middle.run(a=1), last.run(a=1)) == (1, 5, 5)
        assert mocked.call_count == 2
    assert [cls.run(a=1).result for cls in classes * 2] == [1] * 6


@pytest.mark.parametrize("ran", [False, True])
def test_a_run_that_is_patched_on_the_library_class_is_what_every_class_runs(
    fa: ModuleType, ran: bool
) -> None:
    classes = family(fa)
    for _ in range(2):
        if ran:
            assert [cls.run(a=1).result for cls in classes * 2] == [1] * 6
        for name in ("first", "second"):
            with mock.patch.object(fa.Command, "run", classmethod(lambda cls, *, a: (name, cls, a))):  # noqa: B023
                assert [cls.run(a=1) for cls in classes * 2] == [(name, cls, 1) for cls in classes * 2]
                assert [cls.run_or_raise.__func__.__name__ for cls in classes] == ["run_or_raise"] * 3


def test_a_run_that_is_set_twice_in_a_row_on_the_library_class(
    fa: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    classes = family(fa)
    assert [cls.run(a=1).result for cls in classes * 2] == [1] * 6
    monkeypatch.setattr(fa.Command, "run", lambda **inputs: "first")
    assert [cls.run(a=1) for cls in classes] == ["first"] * 3
    monkeypatch.setattr(fa.Command, "run", lambda **inputs: "second")
    assert [cls.run(a=1) for cls in classes] == ["second"] * 3
    monkeypatch.undo()
    assert [cls.run(a=1).result for cls in classes * 2] == [1] * 6


def test_a_run_between_is_what_super_calls(fa: ModuleType) -> None:
    base, middle, last = family(fa)
    calls: list[str] = []

    def own(name: str, owner: Any) -> Any:
        def run(cls: Any, /, **inputs: Any) -> Any:
            calls.append(name)
            return super(owner, cls).run(**inputs)

        return classmethod(run)

    last.run = own("last", last)
    base.run = own("base", base)
    assert last.run(a=1).result == middle.run(a=1).result == 1
    assert calls == ["last", "base", "base"]


def test_run_json_that_is_patched_on_a_base(fa: ModuleType) -> None:
    classes = family(fa)
    data = b'{"a": 1}'
    for owner in (fa.Command, classes[0]):
        assert [cls.run_json(data).result for cls in classes * 2] == [1] * 6
        with mock.patch.object(owner, "run_json", classmethod(lambda cls, data: (cls, data))):
            assert [cls.run_json(data) for cls in classes] == [(cls, data) for cls in classes]
    assert [cls.run_json(data).result for cls in classes * 2] == [1] * 6


@pytest.mark.parametrize("name", ["run", "run_async"])
@pytest.mark.parametrize("ran", [False, True])
def test_an_async_run_that_is_patched_on_a_base(fa: ModuleType, name: str, ran: bool) -> None:
    classes = later_family(fa)
    other = "run" if name == "run_async" else "run_async"

    async def results(which: str) -> list[Any]:
        return [(await getattr(cls, which)(a=1)).result for cls in classes * 2]

    async def foreign(cls: Any, **inputs: Any) -> Any:
        return mock.Mock(result=(cls, inputs))

    expected = [(cls, {"a": 1}) for cls in classes * 2]
    for owner in (classes[0], fa.AsyncCommand):
        if ran:
            assert asyncio.run(results(name)) == [1] * 6
        with mock.patch.object(owner, name, classmethod(foreign)):
            assert asyncio.run(results(name)) == expected
            assert asyncio.run(results(other)) == [1] * 6
        assert asyncio.run(results(name)) == [1] * 6
    with mock.patch.object(classes[0], name, mock.Mock(return_value="plain")) as mocked:
        assert getattr(classes[2], name)(a=1) == "plain"
        mocked.assert_called_once_with(a=1)


def test_an_async_run_between_is_what_super_calls(fa: ModuleType) -> None:
    base, middle, last = later_family(fa)
    calls: list[str] = []

    def own(name: str, owner: Any) -> Any:
        async def run(cls: Any, /, **inputs: Any) -> Any:
            calls.append(name)
            return await super(owner, cls).run(**inputs)

        return classmethod(run)

    last.run = own("last", last)
    base.run = own("base", base)
    assert asyncio.run(last.run(a=1)).result == asyncio.run(middle.run(a=1)).result == 1
    assert calls == ["last", "base", "base"]


def test_what_takes_the_place_of_a_hook_on_the_library_class_is_noticed(
    fa: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    base, _, _ = family(fa)
    for name, value in (
        ("load_records", lambda self: None),
        ("after_execute", lambda self, result: result + 1),
        ("run", lambda **inputs: "mine"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(fa.Command, name, value)
            found = [base.run(a=1) for _ in range(2)]
        expected = {"run": "mine", "after_execute": 2}.get(name, 1)
        assert [each if each == "mine" else each.result for each in found] == [expected] * 2
    assert base.run(a=1).result == 1
