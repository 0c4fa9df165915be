"""Instances die with their last reference, and classes that nobody uses are freed."""

from __future__ import annotations

import asyncio
import gc
import os
import types
import weakref
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from pydantic import BaseModel

CLASSES = 10_000 if os.environ.get("FOOBARA_ACCEL_SLOW") else 500


class Pair(BaseModel):
    a: int
    b: int = 2


def make(fa: ModuleType, execute: Callable[[Any], Any] | None = None, **body: Any) -> Any:
    if execute is not None:
        body["execute"] = execute
    return types.new_class("Made", (fa.Command[Pair, Any],), {}, lambda space: space.update(body))


@pytest.mark.mortal_classes
def test_dynamic_classes_are_freed(fa: ModuleType) -> None:
    inner = make(fa, lambda self: self.inputs.a)
    references: list[weakref.ref[type]] = []
    for number in range(CLASSES):
        cls = make(fa, lambda self: self.run_subcommand(inner, a=self.inputs.a))
        assert cls.run(a=number).result == number
        if number % 2:
            cls.before_execute_transition(lambda command: None)
            cls.run(a="x")
        outer = make(fa, lambda self, cls=cls: self.run_subcommand(cls, a=1))
        outer.run(a=1)
        references += [weakref.ref(cls), weakref.ref(outer)]
        del cls, outer
    gc.collect()
    gc.collect()
    alive = sum(reference() is not None for reference in references)
    assert alive <= 4, f"{alive} of {len(references)} classes are alive"


def test_a_kept_run_outlives_the_name_of_its_class(fa: ModuleType) -> None:
    def kept() -> Any:
        return make(fa, lambda self: self.inputs.a).run

    run = kept()
    gc.collect()
    assert run(a=5).result == 5


@pytest.mark.parametrize("case", ["success", "invalid", "errors", "halt", "raises", "subcommand", "around"])
def test_an_instance_dies_with_its_last_reference(fa: ModuleType, case: str) -> None:
    seen: list[weakref.ref[Any]] = []

    def execute(self: Any) -> Any:
        seen.append(weakref.ref(self))
        if case == "errors":
            self.add_runtime_error("odd", "o")
        elif case == "halt":
            self.halt()
        elif case == "raises":
            raise ValueError("no")
        elif case == "subcommand":
            self.run_subcommand(inner, a="x")
        return 1

    inner = make(fa)
    cls = make(fa, execute)
    if case == "around":
        cls.around_execute_transition(lambda command, proceed: proceed())
    gc.collect()
    gc.disable()
    try:
        cls.run(a="x" if case == "invalid" else 1)
        command = cls(a="x" if case == "invalid" else 1)
        command.run_instance()
        seen.append(weakref.ref(command))
        del command
        assert not [reference for reference in seen if reference() is not None]
    finally:
        gc.enable()


def test_asynchronous_instances_die_too(fa: ModuleType) -> None:
    seen: list[weakref.ref[Any]] = []

    async def execute(self: Any) -> None:
        seen.append(weakref.ref(self))
        if self.inputs.a > 1:
            self.halt()

    cls = types.new_class(
        "Made", (fa.AsyncCommand[Pair, Any],), {}, lambda space: space.update(execute=execute)
    )

    async def main() -> None:
        await cls.run(a=1)
        await cls.run(a=2)

    gc.collect()
    gc.disable()
    try:
        asyncio.run(main())
        assert len(seen) == 2 and not [reference for reference in seen if reference() is not None]
    finally:
        gc.enable()


def test_results_and_inputs_are_not_kept_by_the_class(fa: ModuleType) -> None:
    class Big:
        pass

    class Holding(BaseModel):
        model_config = {"arbitrary_types_allowed": True}
        big: Big

    class Use(fa.Command[Holding, Any]):
        def execute(self) -> Any:
            return self.inputs.big

    big = Big()
    reference = weakref.ref(big)
    outcome = Use.run(big=big)
    assert outcome.result is big
    del big, outcome
    gc.collect()
    assert reference() is None
