"""Registries: names, look-ups that are never stale, schemas, threads."""

from __future__ import annotations

import gc
import threading
import types
import weakref
from typing import Any

import pytest
from pydantic import BaseModel


class Pair(BaseModel):
    a: int
    b: int = 2


class Other(BaseModel):
    text: str


@pytest.fixture
def registries(sub):
    return sub("core.registry")


@pytest.fixture
def registry(registries):
    return registries.CommandRegistry("shop")


@pytest.fixture
def make(sub):
    command = sub("core.command").Command

    def build(name: str = "Add", **body: Any) -> Any:
        def execute(self: Any) -> int:
            return self.inputs.a + self.inputs.b

        members = {"execute": execute, "__module__": __name__, "__qualname__": f"made.{name}", **body}
        return types.new_class(name, (command[Pair, int],), {}, lambda space: space.update(members))

    return build


def test_register_returns_the_class_and_finds_it_by_full_and_by_short_name(registry, make):
    add = registry.register(make(_domain="Math", _organization="Acme"))
    assert registry.get("Acme::Math::Add") is add
    assert registry.find_command("Add") is registry.find_command("Math::Add") is add
    assert registry.get("Add") is None
    assert add in registry
    assert "Acme::Math::Add" in registry
    assert list(registry) == registry.list_commands() == [add]
    assert len(registry) == 1
    assert registry.name == "shop"
    assert repr(registry) == "CommandRegistry('shop', commands=1)"
    assert registry.find_command(None) is registry.find_command(["Add"]) is None


def test_find_command_does_not_guess_between_two_domains(registry, make):
    registry.register(make(_domain="Math"))
    registry.register(make(_domain="Shop"))
    assert registry.find_command("Add") is None
    with pytest.raises(KeyError, match=r"several commands.*Math::Add.*Shop::Add"):
        registry.execute("Add", {"a": 1})


def test_an_empty_registry_is_true(registry, registries):
    assert registry
    assert len(registry) == 0
    assert registries.TypeRegistry()
    assert registries.DomainRegistry("Math")


def test_a_miss_is_not_remembered(registry, make):
    assert registry.find_command("Add") is None
    add = registry.register(make())
    assert registry.find_command("Add") is add


def test_a_look_up_sees_an_edit_of_the_table_itself(registry, make):
    first, second = make(_domain="Math"), make(_domain="Math")
    registry.register(first)
    assert registry.find_command("Add") is first
    registry._commands["Math::Add"] = second
    assert registry.find_command("Add") is second
    del registry._commands["Math::Add"]
    assert registry.find_command("Add") is None
    registry._commands.update({"Math::Add": first})
    assert registry.find_command("Add") is first
    registry._commands |= {"Math::Add": second}
    assert registry.find_command("Add") is second
    assert registry._commands.pop("Math::Add") is second
    assert registry.find_command("Add") is None
    registry._commands.setdefault("Math::Add", first)
    assert registry.find_command("Add") is first
    registry._commands.popitem()
    assert registry.find_command("Add") is None
    registry._commands["Math::Add"] = first
    registry._commands.clear()
    assert registry.find_command("Add") is None


def test_a_domain_set_after_registration_renames_the_entry_in_place(registry, make):
    add, sub_ = make("Add"), make("Sub")
    registry.register(add)
    registry.register(sub_)
    add._domain = "Math"
    assert registry.get("Math::Add") is add
    assert registry.get("Add") is None
    assert registry.list_names() == ["Math::Add", "Sub"]
    assert registry.get_domain("Math").list_commands() == [add]
    add._domain = "Shop"
    assert [tool["name"] for tool in registry.list_tools()] == ["Shop::Add", "Sub"]
    assert sorted(registry.get_manifest()["domains"]) == ["Shop"]


def test_a_rename_does_not_take_the_name_of_another_command(registry, make):
    first, second = make(_domain="Math"), make()
    registry.register(first)
    registry.register(second)
    second._domain = "Math"
    assert registry.get("Math::Add") is first
    assert second in registry


def test_registering_again_keeps_one_entry(registry, make):
    add = make(_domain="Math")
    for _ in range(3):
        registry.register(add)
    add._domain = "Shop"
    registry.register(add)
    assert registry.list_names() == ["Shop::Add"]
    assert registry.get_domain("Math") is None


def test_a_new_definition_of_the_same_class_replaces_it(registry, make):
    registry.register(make(_domain="Math"))
    again = registry.register(make(_domain="Math"))
    assert registry.list_commands() == [again]
    assert registry.get_domain("Math").list_commands() == [again]


def test_another_class_of_the_same_full_name_is_an_error(registry, make):
    first = registry.register(make())
    second = make(__qualname__="elsewhere.Add")
    with pytest.raises(
        ValueError, match=r"'Add' is already the name of .*made\.Add.*registry 'shop'.*replace=True"
    ):
        registry.register(second)
    assert registry.list_commands() == [first]
    assert registry.register(second, replace=True) is second
    assert registry.list_commands() == [second]


def test_unregister_and_clear(registry, make):
    add, other = registry.register(make(_domain="Math")), registry.register(make("Sub"))
    assert registry.unregister(add) is True
    assert registry.unregister(add) is False
    assert registry.get_domain("Math") is None
    assert registry.unregister("Sub") is True
    registry.register(other)
    registry.clear()
    assert registry.list_commands() == []


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (42, "command_class must be a command class, not an instance of int; derive a class from Command"),
        (None, "not an instance of NoneType"),
        (dict, r"command_class=dict is not a command: it has no full_name\(\) and run\(\)"),
        (Pair, "command_class=Pair is not a command"),
        ("Add", "not an instance of str"),
        (len, "make a command of it with @command"),
    ],
)
def test_what_is_not_a_command_is_refused(registry, registries, value, message):
    with pytest.raises(TypeError, match=message):
        registry.register(value)
    with pytest.raises(TypeError, match=message):
        registries.DomainRegistry("Math").register(value)


def test_the_base_classes_are_no_commands_to_register(registry, fa):
    for base in (fa.Command, fa.AsyncCommand):
        with pytest.raises(TypeError, match=rf"derive a class from {base.__name__}\[Inputs, Result\]"):
            registry.register(base)
    assert registry.get_manifest()["commands"] == {}


def test_an_instance_of_a_command_is_refused_with_its_class_named(registry, make):
    with pytest.raises(TypeError, match="pass the class Add"):
        registry.register(make()(a=1))


@pytest.mark.parametrize("name", ["A::B::C", "::A", "A::"])
def test_a_domain_with_separators_in_its_name_is_refused(registry, make, name):
    with pytest.raises(ValueError, match="without '::'"):
        registry.register(make(_domain=name))
    assert len(registry) == 0


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        (None, TypeError, "name must be a string, not NoneType"),
        (3, TypeError, "name must be a string, not int"),
        ("", ValueError, "name must not be empty"),
        ("  ", ValueError, "name must not be empty"),
        ("A::B", ValueError, "name='A::B' must not contain '::'.*pass 'B'"),
    ],
)
def test_names_of_registries_and_types_are_checked(registries, name, error, message):
    with pytest.raises(error, match=message):
        registries.CommandRegistry(name)
    with pytest.raises(error, match=message):
        registries.DomainRegistry(name)
    with pytest.raises(error, match=message):
        registries.TypeRegistry().register(name, Pair)


def test_execute_runs_the_command(registry, make):
    registry.register(make(_domain="Math"))
    assert registry.execute("Math::Add", {"a": 1, "b": 3}).result == 4
    assert registry.execute("Add", {"a": 1}).unwrap() == 3
    assert registry.execute("Add").is_failure()


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("Math::Ad", "Math::Add"),
        ("add", "Math::Add"),
        ("MATH::ADD", "Math::Add"),
        ("Other::Add", "Math::Add"),
    ],
)
def test_an_unknown_command_names_the_near_misses(registry, make, name, near):
    registry.register(make(_domain="Math"))
    registry.register(make("Refund", _domain="Math"))
    with pytest.raises(KeyError, match=f"no command '{name}' in registry 'shop'; did you mean '{near}'"):
        registry.execute(name, {})


def test_an_unknown_command_without_near_misses(registry, make):
    with pytest.raises(KeyError, match="it has no commands; register them first"):
        registry.execute("Add")
    registry.register(make())
    with pytest.raises(KeyError, match=r"list_names\(\) shows the 1"):
        registry.execute("Zebra")
    with pytest.raises(KeyError, match="a command name must be a string, not int"):
        registry.execute(3)


@pytest.mark.parametrize("inputs", [[1], "a", 3, {1: 2}])
def test_inputs_that_are_no_mapping_are_refused(registry, make, inputs):
    registry.register(make())
    with pytest.raises(TypeError, match=r"inputs of 'Add' must be a mapping with string keys"):
        registry.execute("Add", inputs)


def test_list_tools(registry, make):
    registry.register(make(__doc__="Adds."))
    (tool,) = registry.list_tools()
    assert tool == {"name": "Add", "description": "Adds.", "inputSchema": Pair.model_json_schema()}


def test_a_caller_who_changes_a_tool_changes_nothing_else(registry, make):
    registry.register(make())
    first = registry.list_tools()
    first[0]["inputSchema"]["properties"]["a"]["title"] = "spoilt"
    first.clear()
    assert registry.list_tools()[0]["inputSchema"] == Pair.model_json_schema()


def test_list_tools_follows_a_changed_description_and_domain(registry, make):
    add = registry.register(make())
    registry.list_tools()
    add._description = "Sums."
    add._domain = "Math"
    (tool,) = registry.list_tools()
    assert (tool["name"], tool["description"]) == ("Math::Add", "Sums.")


def test_the_schema_of_tools_is_computed_once(registry, make, monkeypatch):
    class Counted(BaseModel):
        calls: int = 0

        @classmethod
        def model_json_schema(cls, *args: Any, **options: Any) -> dict[str, Any]:
            seen.append(cls)
            return super().model_json_schema(*args, **options)

    seen: list[Any] = []
    registry.register(make(inputs_type=classmethod(lambda cls: Counted)))
    for _ in range(5):
        registry.list_tools()
    assert seen == [Counted]
    registry.invalidate_cache()
    assert registry.find_command("Add") is not None


def test_a_command_without_inputs_type_is_named(registry, sub):
    command = sub("core.command").Command
    nothing = type("Nothing", (command,), {})
    registry.register(nothing)
    with pytest.raises(TypeError, match="Nothing has no JSON schema for its inputs"):
        registry.list_tools()


def test_get_manifest(registry, make):
    add = registry.register(make(_domain="Math"))
    registry.register(make("Sub"))
    manifest = registry.get_manifest()
    assert manifest["registry"] == "shop"
    assert list(manifest["commands"]) == ["Math::Add", "Sub"]
    assert manifest["commands"]["Math::Add"] == add.manifest()
    assert manifest["domains"]["Math"] == {
        "name": "Math",
        "organization": None,
        "commands": {"Add": add.manifest()},
        "types": {},
    }


def test_domain_registry(registries, make):
    domain = registries.DomainRegistry("Math", "Acme")
    add = domain.register(make())
    domain.register_type("Pair", Pair)
    assert domain.get_command("Add") is add
    assert domain.get_command("Sub") is None
    assert domain.get_type("Pair") is Pair
    assert domain.list_types() == ["Pair"]
    assert domain.get_manifest()["types"] == {"Pair": Pair.model_json_schema()}
    assert (domain.name, domain.organization, len(domain)) == ("Math", "Acme", 1)
    assert "Math" in repr(domain)
    with pytest.raises(ValueError, match="in domain 'Math'"):
        domain.register(make(__qualname__="elsewhere.Add"))


def test_type_registry(registries):
    named = registries.TypeRegistry()
    assert named.register("Pair", Pair) is Pair
    named.register("Numbers", list[int])
    named.register("Numbers", list[int])
    assert named.get("Pair") is Pair
    assert named.get("Nothing") is None
    assert named.get_schema("Pair") == Pair.model_json_schema()
    assert named.get_schema("Nothing") is None
    assert named.list_types() == ["Pair", "Numbers"]
    assert named.get_all_schemas()["Numbers"] == {"items": {"type": "integer"}, "type": "array"}
    assert "Pair" in named
    assert len(named) == 2


@pytest.mark.parametrize("model", [None, 3, "Pair", [int], object(), Other(text="hunter2")])
def test_a_type_that_pydantic_cannot_validate_is_refused(registries, model):
    with pytest.raises(TypeError, match=r"the model of 'Thing' is an instance of \w+, not a type") as caught:
        registries.TypeRegistry().register("Thing", model)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_class_that_pydantic_cannot_validate_is_refused_with_the_cause(registries):
    class Opaque:
        pass

    with pytest.raises(TypeError, match=r"Opaque, not a type that Pydantic can validate") as caught:
        registries.TypeRegistry().register("Thing", Opaque)
    assert caught.value.__cause__ is not None


def test_a_type_name_belongs_to_one_type(registries):
    named = registries.TypeRegistry()
    named.register("Pair", Pair)
    with pytest.raises(
        ValueError, match=r"'Pair' is already the name of .*Pair in the type registry.*replace=True"
    ):
        named.register("Pair", Other)
    named.register("Pair", Other, replace=True)
    assert named.get("Pair") is Other


def test_the_default_registry(registries, make):
    default = registries.get_default_registry()
    assert default is registries.get_default_registry()
    assert default.name == "global"
    add, other = make("AddToDefault"), make()
    try:
        assert registries.register(add) is add
        assert add in default
    finally:
        default.unregister(add)
    own = registries.CommandRegistry()
    assert own.name == "default"
    assert registries.register(registry=own)(other) is other
    with pytest.raises(TypeError, match=r"^registry must be a CommandRegistry, not int$"):
        registries.register(other, registry=5)
    assert own.list_commands() == [other]


def test_warm_up_of_the_class_is_about_the_default_registry_and_of_an_instance_about_itself(
    registries, registry, sub, make, monkeypatch
):
    calls: list[tuple[Any, dict[str, Any]]] = []
    monkeypatch.setattr(
        sub("core.warmup"), "warm_up", lambda commands=None, **kw: calls.append((commands, kw))
    )
    add = registry.register(make(_domain="Math"))
    registries.CommandRegistry.warm_up()
    registry.warm_up(strict=True)
    assert [kw["registry"] for _, kw in calls] == [registries.get_default_registry(), registry]
    assert calls[1][1]["strict"] is True
    calls.clear()
    registry.warm_up([add, "Math::Add", "Unknown"], freeze=True)
    registry.warm_up("Add")
    registry.warm_up(add)
    registry.warm_up(domain="Math")
    registry.warm_up(domain="Unknown")
    registries.CommandRegistry.warm_up(all=True)
    assert {kw["registry"] for _, kw in calls} == {None}
    assert calls[0][1]["freeze"] is True
    assert [commands for commands, _ in calls] == [[add, add, "Unknown"], [add], add, None, None, None]
    assert calls[3][1]["domain"] is registry.get_domain("Math")
    assert calls[4][1]["domain"] == "Unknown"
    assert calls[5][1]["all"] is True


def test_warm_up_runs(registry, make):
    registry.register(make(_domain="Math"))
    assert registry.warm_up(strict=True) is not None
    assert registry.execute("Add", {"a": 1}).result == 3


@pytest.mark.mortal_classes
def test_a_command_that_left_the_registry_is_freed(registry, make):
    add = registry.register(make(_domain="Math"))
    registry.list_tools()
    registry.get_manifest()
    registry.find_command("Add")
    registry.unregister(add)
    ref = weakref.ref(add)
    del add
    gc.collect()
    assert ref() is None


def test_threads_register_rename_and_look_up_at_once(registry, make):
    commands = [make(f"Job{number}", _domain="Work") for number in range(200)]
    failures: list[BaseException] = []
    start = threading.Barrier(6)

    def write(part: list[Any]) -> None:
        start.wait()
        for command in part:
            registry.register(command)
            command._domain = "Later"
            if registry.get(f"Later::{command.__name__}") is not command:
                failures.append(AssertionError(command.__name__))

    def read() -> None:
        start.wait()
        for number in range(200):
            found = registry.find_command(f"Job{number}")
            if found is not None and found.__name__ != f"Job{number}":
                failures.append(AssertionError(number))
            registry.list_tools()

    def guarded(work: Any, *arguments: Any) -> None:
        try:
            work(*arguments)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(write, commands[part::4])) for part in range(4)]
    threads += [threading.Thread(target=guarded, args=(read,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sorted(registry.list_names()) == sorted(f"Later::Job{number}" for number in range(200))
    assert len(registry.get_domain("Later")) == 200


def test_a_function_command_is_registered_as_its_class(registry, registries, sub):
    simple = sub("core.simple")

    @registry.register
    @simple.simple_command
    def add(a: int, b: int) -> int:
        return a + b

    assert isinstance(add, simple.SimpleCommand) and add(1, 2) == 3
    assert registry.list_commands() == [add.command_class] and add in registry and "add" in registry
    assert registry.register(add) is add and len(registry) == 1
    assert registry.execute("add", {"a": 1, "b": 2}).unwrap() == 3
    assert registry.list_tools()[0]["inputSchema"] == add.inputs_schema()

    other = registries.CommandRegistry("other")

    @registries.register(registry=other)
    @simple.command(domain="Sums")
    async def later(a: int) -> int:
        return a

    assert isinstance(later, simple.AsyncSimpleCommand)
    assert other.list_names() == ["Sums::later"] and other.get_domain("Sums").get_command("later") is not None
    assert registry.unregister(add) and not registry.unregister(add) and add not in registry
    with pytest.raises(TypeError, match="command_class must be a command class"):
        registry.register(lambda: None)


def test_what_is_no_name_is_found_nowhere(registry, registries):
    types_, domain = registries.TypeRegistry(), registries.DomainRegistry("Shop")
    for wrong in ([], {}, 5, None):
        assert registry.get(wrong) is registry.find_command(wrong) is registry.get_domain(wrong) is None
        assert domain.get_command(wrong) is domain.get_type(wrong) is None
        assert types_.get(wrong) is types_.get_schema(wrong) is None and wrong not in types_
        assert wrong not in registry and not registry.unregister(wrong)
