"""What a command class cannot use is refused with the name of the class, the setting and the rule."""

from __future__ import annotations

import asyncio
import re
import types
from types import ModuleType
from typing import Any, TypedDict

import pytest
from pydantic import BaseModel

HOOKS = (
    "open_transaction",
    "cast_and_validate_inputs",
    "load_records",
    "validate_records",
    "validate",
    "before_execute",
    "execute",
    "after_execute",
    "commit_transaction",
    "rollback_transaction",
)


class Inputs(BaseModel):
    """The inputs of every command here."""

    a: int = 1


def make(base: Any, **body: Any) -> Any:
    """A command class with *body*."""
    return types.new_class("Made", (base[Inputs, Any],), {}, lambda space: space.update(body))


async def later(*given: Any) -> None:
    """What a sync command would never await."""


class Callable:
    """A callback whose call is a coroutine."""

    async def __call__(self, *given: Any) -> None: ...


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_of_a_sync_command_is_no_coroutine_function(fa: ModuleType, hook: str) -> None:
    expected = re.escape(
        f"Made.{hook} is a coroutine function, and Made is a sync command, which awaits nothing: "
        "derive it from AsyncCommand"
    )
    cls = make(fa.Command, **{hook: later})
    for run in (cls.run, cls.run, lambda: cls.run_json("{}"), lambda: cls(a=1).run_instance()):
        with pytest.raises(TypeError, match=f"^{expected}$"):
            run()
    assert fa.Command.run_subcommand is not None
    outer = make(fa.Command, execute=lambda self: self.run_subcommand(cls))
    assert "derive it from AsyncCommand" in outer.run().errors[0].message


@pytest.mark.parametrize("callback", [later, Callable()])
@pytest.mark.parametrize("kind", ["before", "after", "around", "error"])
def test_a_callback_of_a_sync_command_is_no_coroutine_function(
    fa: ModuleType, kind: str, callback: Any
) -> None:
    cls = make(fa.Command, execute=lambda self: 1)
    rule = f"^the {kind} callback .* is a coroutine function, and Made is a sync command"
    for target in (cls, cls(a=1)):
        for name in ("execute_transition", "any_transition", "transition"):
            with pytest.raises(TypeError, match=rule):
                getattr(target, f"{kind}_{name}")(callback)
        with pytest.raises(TypeError, match=rule):
            getattr(target, f"{kind}_transition_to")(fa.CommandState.EXECUTING, callback)
    assert cls.run().result == 1
    # Through the registry itself, the class is known when it is run.
    cls._ensure_callback_registry().register(kind, callback)
    with pytest.raises(TypeError, match=rule):
        cls.run()
    getattr(make(fa.AsyncCommand, execute=later), f"{kind}_execute_transition")(callback)


@pytest.mark.parametrize("wrong", [None, 5, "on"])
def test_a_transaction_config_is_one(fa: ModuleType, wrong: Any) -> None:
    kind = type(wrong).__name__
    with pytest.raises(TypeError, match=f"^Made._transaction_config is a TransactionConfig, not {kind}: "):
        make(fa.Command, _transaction_config=wrong).run()


@pytest.mark.parametrize("kind", ["Command", "AsyncCommand"])
@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("wrong", [None, 5])
def test_a_hook_is_a_method(fa: ModuleType, kind: str, hook: str, wrong: Any) -> None:
    cls = make(
        getattr(fa, kind), **{"execute": later if kind == "AsyncCommand" else lambda self: 1, hook: wrong}
    )
    run = cls.run if kind == "Command" else lambda: asyncio.run(cls.run())
    with pytest.raises(TypeError, match=rf"^Made\.{hook} is a method, not {type(wrong).__name__}$"):
        run()


@pytest.mark.parametrize("kind", ["Command", "AsyncCommand"])
@pytest.mark.parametrize("wrong", [None, 5])
def test_the_inputs_type_is_a_method(fa: ModuleType, sub: Any, kind: str, wrong: Any) -> None:
    refusal = rf"Made\.inputs_type is {type(wrong).__name__} where a method belongs"
    with pytest.raises(TypeError, match=refusal):
        make(getattr(fa, kind), inputs_type=wrong)
    cls = make(getattr(fa, kind))
    cls.inputs_type = wrong
    for use in (cls.inputs_schema, cls.manifest, cls.reflect):
        with pytest.raises(TypeError, match=refusal):
            use()


@pytest.mark.parametrize(
    ("attribute", "kind"), [("_domain", "a Domain"), ("_organization", "an Organization")]
)
def test_a_domain_is_a_name_or_a_domain(fa: ModuleType, attribute: str, kind: str) -> None:
    cls = make(fa.Command, **{attribute: 5})
    registry = fa.CommandRegistry()
    for use in (cls.run, cls.full_name, cls.manifest, cls.reflect, lambda: registry.register(cls)):
        with pytest.raises(
            TypeError, match=rf"^Made\.{attribute} is {kind}, the name of one or None, not int$"
        ):
            use()
    made = make(fa.Command, _organization=fa.Organization("Acme"), execute=lambda self: 1)
    assert made.run().result == 1 and made.full_name() == "Acme::Made"
    assert make(fa.Command, _domain="Math", execute=lambda self: 1).run().result == 1
    assert make(fa.Command, _domain=fa.Domain("Sums"), execute=lambda self: 1).run().result == 1


@pytest.mark.parametrize("wrong", [{"a": "b"}, 5, [("a",)], "ab", [5], [(1, "m")]])
def test_possible_errors_are_pairs(fa: ModuleType, wrong: Any) -> None:
    cls = make(fa.Command, _possible_errors=wrong)
    for use in (cls.possible_errors, lambda: cls.possible_error("s")):
        with pytest.raises(
            TypeError, match=r"^Made\._possible_errors holds tuples \(symbol, message\), not "
        ):
            use()


def test_what_possible_error_takes(fa: ModuleType) -> None:
    cls = make(fa.Command, _possible_errors=[("first", "one")])
    with pytest.raises(TypeError, match="takes the message as a str, not int"):
        cls.possible_error("a", 5)
    with pytest.raises(TypeError, match="takes the context as a dict, not int"):
        cls.possible_error("a", "b", 5)
    cls.possible_error("second", "two", {"n": 1})
    assert [each["symbol"] for each in cls.possible_errors()] == ["first", "second"]


def test_a_message_of_a_declared_error_is_the_symbol_where_none_is_given(fa: ModuleType, sub: Any) -> None:
    cls = make(fa.Command, _possible_errors=[("a", None), ("b", "bee", "ignored"), ("c", "")])
    cls.possible_error("d")
    assert [each["message"] for each in cls.possible_errors()] == ["a", "bee", "c", "d"]
    assert [each["message"] for each in cls.manifest()["possible_errors"].values()] == ["a", "bee", "c", "d"]
    assert [each["message"] for each in cls.reflect().possible_errors] == ["a", "bee", "c", "d"]


@pytest.mark.parametrize(
    "wrong", [3, [("a", "m"), 3], {"a": "m"}, [("a", 3)], {"a": {"symbol": "a"}}, (each for each in ())]
)
def test_whatever_reads_possible_errors_refuses_the_same(fa: ModuleType, sub: Any, wrong: Any) -> None:
    cls = make(fa.Command, _possible_errors=wrong)
    manifests = sub("core.manifest")
    for use in (
        cls.possible_errors,
        cls.manifest,
        cls.reflect,
        lambda: cls.possible_error("s"),
        lambda: manifests.possible_errors_of(cls),
        lambda: manifests.manifest_bytes(cls),
        types.new_class("Other", (cls,)).manifest,
        lambda: sub("core.warmup").warm_up(cls, strict=True),
    ):
        with pytest.raises((TypeError, RuntimeError), match=r"Made\._possible_errors holds tuples"):
            use()


@pytest.mark.parametrize("name", ["_tags", "_depends_on"])
def test_a_list_of_names_is_no_string(fa: ModuleType, name: str) -> None:
    cls = make(fa.Command, **{name: "pay"})
    use = cls.reflect if name == "_tags" else cls.manifest
    with pytest.raises(TypeError, match=rf"^Made\.{name} is a tuple of names, not 'pay': write \('pay',\)$"):
        use()
    for wrong in (5, b"pay", {"a": 1}, (each for each in "a")):
        setattr(cls, name, wrong)
        kind = type(wrong).__name__
        with pytest.raises(TypeError, match=rf"^Made\.{name} is a tuple of names, not {kind}$"):
            use()
    for right in (("a", "b"), ["a", "b"], dict.fromkeys(("a", "b")).keys()):
        setattr(cls, name, right)
        assert cls.reflect().tags == (["a", "b"] if name == "_tags" else [])
        assert cls.manifest()["depends_on"] == ([] if name == "_tags" else ["a", "b"])
    setattr(cls, name, None)
    assert cls.reflect().tags == cls.manifest()["depends_on"] == []


def test_depends_on_of_the_decorators_is_no_string(fa: ModuleType) -> None:
    for decorate in (fa.command, fa.async_command):
        with pytest.raises(TypeError, match=r"^depends_on is a tuple of names, not 'Billing': write"):
            decorate(depends_on="Billing")(make(fa.Command))
        cls = make(fa.Command)
        decorate(depends_on=["Billing"])(cls)
        assert cls._depends_on == ("Billing",)


def test_a_command_is_sync_or_async(fa: ModuleType) -> None:
    sync, later_ = fa.Command[Inputs, Any], fa.AsyncCommand[Inputs, Any]

    class Hides:
        """A mixin that keeps the bases from hearing of a new class."""

        def __init_subclass__(cls) -> None: ...

    rule = r"^Made derives from (Async)?Command and from (Async)?Command, and a command is of one kind"
    for bases in ((sync, later_), (later_, sync), (make(fa.Command), make(fa.AsyncCommand))):
        with pytest.raises(TypeError, match=rule):
            types.new_class("Made", bases, {})
    hidden: Any = types.new_class(
        "Made", (Hides, later_, sync), {}, lambda space: space.update(execute=later)
    )
    for run in (lambda: hidden.run(a=1).send(None), lambda: hidden(a=1).run_instance().send(None)):
        with pytest.raises(TypeError, match=rule):
            run()


class Fields(TypedDict):
    """No model."""

    a: int


class Secretive(BaseModel):
    """An instance of this is no inputs type, and its repr no part of a message."""

    pin: str = "1234"


@pytest.mark.parametrize(
    ("wrong", "shown"),
    [
        (dict, "<class 'dict'>"),
        (int, "<class 'int'>"),
        (Fields, "<class '.*Fields'>"),
        (Inputs | None, r".*Inputs.*"),
        (dict[str, int], r"dict\[str, int\]"),
        (None, "None"),
        (Secretive(), "an instance of Secretive"),
        ("Inputs", "an instance of str"),
        (BaseModel, "<class 'pydantic.main.BaseModel'>"),
    ],
)
@pytest.mark.parametrize("how", ["method", "attribute"])
@pytest.mark.parametrize("kind", ["Command", "AsyncCommand"])
def test_inputs_are_a_model(fa: ModuleType, sub: Any, wrong: Any, shown: str, how: str, kind: str) -> None:
    if how == "attribute" and wrong is None:
        pytest.skip("None there means that the class says nothing")
    body: dict[str, Any] = {"_cached_inputs_type": wrong, "execute": later}
    if how == "method":
        body["inputs_type"] = classmethod(lambda cls: wrong)
    if kind == "Command":
        body["execute"] = lambda self: 1
    cls = make(getattr(fa, kind), **body)
    uses = [lambda: sub("core.manifest").manifest_bytes(cls), cls.manifest, cls.reflect, cls.inputs_schema]
    if kind == "AsyncCommand":
        uses += [lambda: cls.run().send(None), lambda: cls().run_instance().send(None)]
    else:
        uses += [
            cls.run,
            cls.run,
            lambda: cls.run_json("{}"),
            lambda: cls.run_with(Inputs()),
            lambda: cls().run_instance(),
            lambda: make(fa.Command)().run_mapped_subcommand(cls, {}),
        ]
    for use in uses:
        rule = rf"Made\.inputs_type\(\) returned {shown}: inputs must be a Pydantic model"
        with pytest.raises(TypeError, match=rule) as caught:
            use()
        assert "1234" not in str(caught.value)
    assert not sub("core.warmup").warm_up(cls).ok


def test_the_base_of_all_models_is_no_inputs_type(fa: ModuleType) -> None:
    bare: Any = types.new_class("Made", (fa.Command[BaseModel, int],), {})
    for use in (bare.run, bare.manifest, bare.inputs_type, lambda: bare.run_json("{}")):
        with pytest.raises(TypeError, match="Could not determine inputs type for Made"):
            use()
    classy = make(fa.Command, inputs_type=Inputs)
    for use in (classy.run, classy.manifest, lambda: classy.run_json("{}")):
        with pytest.raises(TypeError, match=r"Made\.inputs_type is a class where a method belongs"):
            use()


def yields(*given: Any) -> Any:
    """What a call runs nothing of."""
    yield 1


async def yields_later(*given: Any) -> Any:
    """The same, async."""
    yield 1


class Yields:
    """A callback whose call is a generator."""

    def __call__(self, *given: Any) -> Any:
        yield 1


@pytest.mark.parametrize("generator", [yields, yields_later])
@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_is_no_generator_function(fa: ModuleType, hook: str, generator: Any) -> None:
    rule = rf"^Made\.{hook} is a generator function, and a call of one runs nothing"
    cls = make(fa.Command, **{hook: generator})
    for run in (cls.run, cls.run, lambda: cls.run_json("{}"), lambda: cls(a=1).run_instance()):
        with pytest.raises(TypeError, match=rule):
            run()
    body = {"execute": later, hook: generator}
    asynchronous = make(fa.AsyncCommand, **body)
    for start in (asynchronous.run, asynchronous.run_async, lambda: asynchronous(a=1).run_instance()):
        with pytest.raises(TypeError, match=rule):
            start().send(None)


def test_what_execute_of_an_async_command_gives_may_be_an_old_coroutine(fa: ModuleType) -> None:
    @types.coroutine
    def old(self: Any) -> Any:
        return self.inputs.a
        yield

    with pytest.raises(StopIteration) as done:
        make(fa.AsyncCommand, execute=old).run(a=4).send(None)
    assert done.value.value.result == 4
    with pytest.raises(TypeError, match="is a generator function"):
        make(fa.Command, execute=old).run()


@pytest.mark.parametrize("callback", [yields, yields_later, Yields()])
@pytest.mark.parametrize("kind", ["before", "after", "around", "error"])
def test_a_callback_is_no_generator_function(fa: ModuleType, kind: str, callback: Any) -> None:
    for base in (fa.Command, fa.AsyncCommand):
        cls = make(base, execute=later if base is fa.AsyncCommand else lambda self: 1)
        for target in (cls, cls(a=1)):
            with pytest.raises(TypeError, match=f"^the {kind} callback .* is a generator function"):
                getattr(target, f"{kind}_execute_transition")(callback)
        cls._ensure_callback_registry().register(kind, callback)
        with pytest.raises(TypeError, match=f"^the {kind} callback .* is a generator function"):
            cls.run() if base is fa.Command else cls.run().send(None)


def test_a_generator_function_is_no_command(fa: ModuleType) -> None:
    for make_one in (fa.simple_command, fa.async_simple_command, fa.command, fa.async_command()):
        for function in (yields, yields_later):
            with pytest.raises(TypeError, match=rf"^{function.__name__}\(\) is a generator function"):
                make_one(function)
