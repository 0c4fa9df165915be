"""Registries of callbacks that are set by hand on a base of a command class, the library's included."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic import BaseModel


class Inputs(BaseModel):
    n: int


@pytest.mark.parametrize("kind", ["Command", "AsyncCommand"])
@pytest.mark.parametrize("place", ["library", "between", "mixin"])
@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("name", ["_callback_registry", "_enhanced_callback_registry"])
def test_a_registry_set_on_a_base_is_seen(fa: Any, kind: str, place: str, own: bool, name: str) -> None:
    """One that comes, one in the place of another, None and none: also behind a registry of the class."""
    library = getattr(fa, kind)
    is_async = kind == "AsyncCommand"

    class Mixin:
        pass

    class Between(Mixin, library):
        pass

    async def later() -> None:
        pass

    class Made({"library": library}.get(place, Between)):
        _cached_inputs_type = Inputs

        def execute(self) -> Any:
            return later() if is_async else None

    seen: list[str] = []

    def registry(word: str) -> Any:
        made = type(word, (library,), {})
        made.before_execute_transition(lambda command: seen.append(word))
        return made._callback_registry

    def ran() -> list[list[str]]:
        found = []
        for _ in range(3):
            seen.clear()
            outcome = asyncio.run(Made.run(n=1)) if is_async else Made.run(n=1)
            assert outcome.is_success()
            found.append(list(seen))
        return found

    if own:
        Made.before_execute_transition(lambda command: seen.append("own"))
    mine = ["own"] if own else []
    target = {"library": library, "between": Between, "mixin": Mixin}[place]
    assert ran() == [mine] * 3
    try:
        for word in ("one", "two", "", "three", ""):
            setattr(target, name, registry(word) if word else None)
            assert ran() == [[word, *mine] if word else mine] * 3
    finally:
        delattr(target, name)
    assert ran() == [mine] * 3


def test_a_parent_sees_it_of_its_child(fa: Any) -> None:
    """Where a subcommand is called without the look-up of a first call."""
    seen: list[str] = []

    class Child(fa.Command[Inputs, int]):
        def execute(self) -> int:
            return self.inputs.n

    class Parent(fa.Command[Inputs, int]):
        def execute(self) -> int:
            return self.run_subcommand_bang(Child, n=self.inputs.n)

    def registry(word: str) -> Any:
        made = type(word, (fa.Command,), {})
        made.before_execute_transition(lambda command: seen.append(f"{word} {type(command).__name__}"))
        return made._callback_registry

    Child.before_execute_transition(lambda command: seen.append("own"))
    assert Parent.run(n=1).result == 1
    try:
        for word in ("one", "two"):
            fa.Command._callback_registry = registry(word)
            for _ in range(3):
                seen.clear()
                assert Parent.run(n=1).result == 1
                assert seen == [f"{word} Parent", f"{word} Child", "own"]
    finally:
        del fa.Command._callback_registry
    seen.clear()
    assert Parent.run(n=1).result == 1
    assert seen == ["own"]
