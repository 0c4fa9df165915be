"""Commands made of functions, and the decorators that place a command class."""

from __future__ import annotations

import asyncio
import inspect
from types import ModuleType
from typing import Any
from unittest import mock

import pytest
from pydantic import BaseModel


class Item(BaseModel):
    name: str


def symbols(outcome: Any) -> list[str]:
    return [error.symbol for error in outcome.errors]


def test_a_function_becomes_a_command(fa: ModuleType) -> None:
    @fa.simple_command
    def add(a: int, b: int = 2) -> int:
        """Add them."""
        return a + b

    assert add.run(a=1).result == 3 and add.run(1, b=5).result == 6
    assert add(a=2) == 4 and add(3, 4) == 7
    assert add.name == add.__name__ == "add" and add.__doc__ == "Add them."
    assert add._return_type is int and add._hints["a"] is int
    assert set(add.inputs_schema()["properties"]) == {"a", "b"}
    assert issubclass(add.command_class, fa.Command) and "add" in repr(add)


def test_wrong_inputs_and_exceptions_are_failures(fa: ModuleType) -> None:
    @fa.simple_command
    def divide(a: int, b: int) -> float:
        return a / b

    assert symbols(divide.run(a="x")) == ["int_parsing", "missing"]
    assert symbols(divide.run(a=1, b=0)) == ["execution_error"]
    with pytest.raises(ValueError, match="division by zero"):
        divide(a=1, b=0)


def test_models_arrive_as_models_and_anything_without_annotation(fa: ModuleType) -> None:
    @fa.simple_command
    def show(item: Item, other) -> Any:  # type: ignore[no-untyped-def]
        return item.name, other

    marker = object()
    assert show.run(item={"name": "x"}, other=marker).result == ("x", marker)


def test_parameters_of_every_kind(fa: ModuleType) -> None:
    @fa.simple_command
    def mixed(a: int, /, b: int, *, c: int = 3) -> tuple[int, int, int]:
        return a, b, c

    assert mixed(1, 2) == (1, 2, 3) and mixed(a=1, b=2, c=4) == (1, 2, 4)
    with pytest.raises(TypeError, match="2 positional inputs, not 3"):
        mixed(1, 2, 3)
    with pytest.raises(TypeError, match="'b' twice"):
        mixed(1, 2, b=3)


def test_parameters_that_cannot_be_inputs_are_refused(fa: ModuleType) -> None:
    for function in (lambda *args: 1, lambda **kwargs: 1):
        with pytest.raises(TypeError, match="inputs are named"):
            fa.simple_command(function)
    with pytest.raises(TypeError, match="leading underscore"):
        fa.simple_command(lambda _a: 1)
    for wrong in (5, None, "name"):
        with pytest.raises(TypeError, match="takes a function"):
            fa.simple_command(wrong)
    for wrong in (5, None, lambda: 1):
        with pytest.raises(TypeError, match="takes a coroutine function"):
            fa.async_simple_command(wrong)


def test_a_parameter_may_be_called_self(fa: ModuleType) -> None:
    @fa.simple_command
    def odd(self: int, cls: int) -> int:
        return self + cls

    assert odd(self=1, cls=2) == 3 and odd.run(1, 2).result == 3


@pytest.mark.parametrize("kind", ["subclass", "instance", "patch"])
def test_hooks_can_be_overridden(fa: ModuleType, kind: str) -> None:
    seen: list[str] = []

    def function(a: int) -> int:
        if a < 0:
            raise ValueError("negative")
        return a

    class Loud(fa.SimpleCommand):  # type: ignore[misc]
        def before_execute(self, inputs: Any) -> None:
            seen.append(f"before {inputs.a}")

        def after_execute(self, result: Any) -> Any:
            return result + 1

        def on_error(self, error: Exception) -> None:
            seen.append(str(error))

    if kind == "subclass":
        made = Loud(function)
    else:
        made = fa.SimpleCommand(function)
        if kind == "instance":
            made.before_execute = lambda inputs: seen.append(f"before {inputs.a}")
            made.after_execute = lambda result: result + 1
            made.on_error = lambda error: seen.append(str(error))
    if kind == "patch":
        with mock.patch.multiple(
            fa.SimpleCommand,
            before_execute=Loud.before_execute,
            after_execute=Loud.after_execute,
            on_error=Loud.on_error,
        ):
            results = made.run(a=1), made.run(a=-1)
        assert made.run(a=5).result == 5
    else:
        results = made.run(a=1), made.run(a=-1)
    assert results[0].result == 2 and symbols(results[1]) == ["execution_error"]
    assert seen == ["before 1", "before -1", "negative"]


def test_a_coroutine_function_becomes_a_command(fa: ModuleType) -> None:
    @fa.async_simple_command
    async def add(a: int, b: int = 2) -> int:
        await asyncio.sleep(0)
        return a + b

    async def main() -> None:
        assert (await add.run(a=1)).result == 3 and await add(1, 1) == 2
        assert symbols(await add.run(a="x")) == ["int_parsing"]

    asyncio.run(main())
    assert inspect.iscoroutinefunction(add.run) and issubclass(add.command_class, fa.AsyncCommand)


def test_a_simple_command_is_a_subcommand_by_its_class(fa: ModuleType) -> None:
    @fa.simple_command
    def double(a: int) -> int:
        return a * 2

    class Outer(fa.Command[Item, int]):
        def execute(self) -> int:
            return self.run_subcommand(double.command_class, a=4)

    assert Outer.run(name="x").result == 8


def test_the_decorator_places_a_class_or_makes_a_command(fa: ModuleType) -> None:
    @fa.command(domain="Shop", organization="Acme", description="Pay", depends_on=("Bank",))
    class Pay(fa.Command[Item, Any]):
        pass

    assert Pay.full_name() == "Acme::Shop::Pay" and Pay.description() == "Pay"
    assert Pay._depends_on == ("Bank",)

    @fa.command
    class Bare(Pay):
        pass

    assert Bare.full_name() == "Acme::Shop::Bare"

    @fa.command(domain="Shop")
    def pay(a: int) -> int:
        return a

    @fa.async_command(domain="Shop")
    async def later(a: int) -> int:
        return a

    assert pay.command_class.full_name() == "Shop::pay" and pay(a=1) == 1
    assert later.command_class.full_name() == "Shop::later" and asyncio.run(later(a=1)) == 1
