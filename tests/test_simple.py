"""Commands made of functions, and the decorators that place a command class."""

from __future__ import annotations

import asyncio
import copy
import functools
import inspect
import pickle
from types import ModuleType
from typing import Any
from unittest import mock

import pytest
from pydantic import BaseModel


class Item(BaseModel):
    name: str


class Number(BaseModel):
    a: int


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
        with pytest.raises(TypeError, match="a command is made of a function, not "):
            fa.simple_command(wrong)
    for wrong in (5, None, lambda: 1):
        with pytest.raises(TypeError, match="takes a coroutine function"):
            fa.async_simple_command(wrong)


def test_names_that_models_have_are_refused_as_inputs(fa: ModuleType) -> None:
    for name in ("model_config", "model_fields", "model_dump"):
        function = eval(f"lambda {name}: 1")
        with pytest.raises(TypeError, match=f"the parameter {name} cannot be an input.*rename it"):
            fa.simple_command(function)

    @fa.simple_command
    def predict(model_name: str) -> str:
        return model_name

    assert predict(model_name="x") == "x"


def test_what_no_command_can_be_made_of(fa: ModuleType) -> None:
    async def later(a: int) -> int:
        return a

    with pytest.raises(TypeError, match=r"cannot await .*later\(\): use async_simple_command"):
        fa.simple_command(later)
    with pytest.raises(TypeError, match="a partial has none: wrap it in a function"):
        fa.simple_command(functools.partial(pow, 2))
    with (
        mock.patch.object(inspect, "signature", side_effect=ValueError("as for some builtins")),
        pytest.raises(TypeError, match=r"len shows no parameters .* wrap it in a function"),
    ):
        fa.simple_command(len)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_function_command_pickles_by_its_name(
    fa: ModuleType, monkeypatch: pytest.MonkeyPatch, protocol: int
) -> None:
    async def later(a: int) -> int:
        return a

    def soon(a: int) -> int:
        return a

    for function, make in ((soon, fa.simple_command), (later, fa.async_simple_command)):
        local = make(function)
        with pytest.raises((AttributeError, pickle.PicklingError)):
            pickle.dumps(local, protocol)
        function.__qualname__ = function.__name__
        made = make(function)
        monkeypatch.setitem(globals(), function.__name__, made)
        assert pickle.loads(pickle.dumps(made, protocol)) is made
        assert pickle.loads(pickle.dumps(made.command_class, protocol)) is made.command_class
        assert copy.copy(made) is made is copy.deepcopy(made)
        one = made.command_class(a=1)
        if protocol >= 2:
            assert type(pickle.loads(pickle.dumps(one, protocol))) is made.command_class


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


def test_the_decorator_refuses_what_can_be_no_command(fa: ModuleType) -> None:
    for refused in (fa.command, fa.command(domain="Shop"), fa.async_command(domain="Shop")):
        with pytest.raises(TypeError, match="Item is no command class: derive it from Command"):
            refused(Item)
    assert not hasattr(Item, "_domain")
    with pytest.raises(TypeError, match="for a domain, write domain="):
        fa.command("Shop")
    with pytest.raises(TypeError, match="a command is made of a function, not int"):
        fa.command(5)


def test_async_command_works_bare(fa: ModuleType) -> None:
    @fa.async_command
    class Later(fa.AsyncCommand[Item, str]):
        async def execute(self) -> str:
            return self.inputs.name

    @fa.async_command
    async def later(a: int) -> int:
        return a

    assert asyncio.run(Later.run(name="x")).result == "x" and Later.full_name() == "Later"
    assert asyncio.run(later(a=1)) == 1
    assert fa.async_command("Shop")(Later)._domain == "Shop"


def function_commands(fa: ModuleType) -> tuple[Any, Any]:
    """A function command of each kind; both refuse zero."""

    @fa.simple_command
    def double(a: int) -> int:
        return 2 * a if a else 1 // a

    @fa.async_simple_command
    async def later(a: int) -> int:
        return 2 * a if a else 1 // a

    return double, later


@pytest.mark.parametrize("name", ["run_subcommand", "run_subcommand_bang", "run_subcommand_"])
def test_a_function_command_is_run_as_its_class(fa: ModuleType, name: str) -> None:
    double, later = function_commands(fa)

    class Sync(fa.Command[Number, Any]):
        def execute(self) -> Any:
            return getattr(self, name)(double, a=self.inputs.a)

    class Later(fa.AsyncCommand[Number, Any]):
        async def execute(self) -> Any:
            return [await getattr(self, name)(each, a=self.inputs.a) for each in (double, later)]

    for _ in range(3):
        assert Sync.run(a=2).result == 4
        assert asyncio.run(Later.run(a=2)).result == [4, 4]
        (error,) = Sync.run(a=0).errors
        assert error.symbol == "execution_error"
        assert error.context["subcommand"] == "double"
        assert error.runtime_path == ("sync",)
        names = [error.context["subcommand"] for error in asyncio.run(Later.run(a=0)).errors]
        assert names == ["double"] if name != "run_subcommand" else ["double", "later"]


def test_a_function_command_is_run_on_mapped_inputs(fa: ModuleType, sub: Any) -> None:
    double, later = function_commands(fa)
    mappers = sub("domain.mappers")

    class ToInputs(mappers.DomainMapper[str, double.command_class.inputs_type()]):
        def map(self, value: str) -> Any:
            return double.command_class.inputs_type()(a=int(value))

    class ToLater(mappers.DomainMapper[str, later.command_class.inputs_type()]):
        def map(self, value: str) -> Any:
            return later.command_class.inputs_type()(a=int(value))

    class Sync(fa.Command[Item, Any]):
        def execute(self) -> Any:
            return self.run_mapped_subcommand(double, self.inputs.name)

    class Later(fa.AsyncCommand[Item, Any]):
        async def execute(self) -> Any:
            return [
                await self.run_mapped_subcommand(each, self.inputs.name, **extra)
                for each, extra in ((double, {}), (later, {"a": 4}))
            ]

    for made in (ToInputs, ToLater):
        mappers.DomainMapperRegistry.register(made)
    try:
        assert Sync.run(name="3").result == 6
        assert asyncio.run(Later.run(name="3")).result == [6, 8]
    finally:
        for made in (ToInputs, ToLater):
            mappers.DomainMapperRegistry.unregister(made)


def test_what_a_function_command_was_made_into_may_be_replaced(fa: ModuleType) -> None:
    double, _ = function_commands(fa)

    class Triple(fa.Command[Number, int]):
        def execute(self) -> int:
            return 3 * self.inputs.a

    class Sync(fa.Command[Number, Any]):
        def execute(self) -> Any:
            return self.run_subcommand(double, a=self.inputs.a)

    assert [Sync.run(a=2).result for _ in range(3)] == [4, 4, 4]
    double.command_class = Triple
    assert [Sync.run(a=2).result for _ in range(3)] == [6, 6, 6]


def test_an_async_function_command_is_nothing_for_a_sync_command(fa: ModuleType) -> None:
    _, later = function_commands(fa)

    class Sync(fa.Command[Number, Any]):
        def execute(self) -> Any:
            return self.run_subcommand(later, a=1)

    (error,) = Sync.run(a=1).errors
    assert error.message == "Sync is a sync command and cannot await later: derive it from AsyncCommand"


def test_a_function_is_no_function_command(fa: ModuleType) -> None:
    class Sync(fa.Command[Number, Any]):
        def execute(self) -> Any:
            return self.run_subcommand(len)

    class Later(fa.AsyncCommand[Number, Any]):
        async def execute(self) -> Any:
            return await self.run_subcommand(len)

    for outcome in (Sync.run(a=1), asyncio.run(Later.run(a=1))):
        (error,) = outcome.errors
        assert error.message == "run_subcommand() takes a Command class, not len"


def test_a_function_command_has_a_manifest(fa: ModuleType, sub: Any) -> None:
    @fa.simple_command
    def double(a: int) -> int:
        return 2 * a

    manifests = sub("core.manifest")
    assert manifests.command_manifest(double) == double.command_class.manifest()
    assert manifests.manifest_bytes(double) == manifests.manifest_bytes(double.command_class)
    assert manifests.reflect(double) == double.command_class.reflect()
    assert manifests.inputs_schema(double) == double.inputs_schema()


def test_what_has_no_name_is_no_command(fa: ModuleType) -> None:
    async def later(a: int) -> int:
        return a

    for make, function in (
        (fa.simple_command, max),
        (fa.simple_command, later),
        (fa.async_simple_command, later),
    ):
        with pytest.raises(TypeError, match="a partial has none: wrap it in a function"):
            make(functools.partial(function, 1))
