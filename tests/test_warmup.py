"""warm_up: what it builds is what the first run would have built, and nothing stops it half-way."""

from __future__ import annotations

import gc
import json
import pickle
import threading
import weakref
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, create_model

KINDS = ["inputs_type", "validator", "guard", "result", "callbacks", "plan", "schema", "manifest"]


class Numbers(BaseModel):
    a: int
    b: int


@pytest.fixture
def warmup(sub):
    return sub("core.warmup")


@pytest.fixture
def registry(sub):
    return sub("core.registry").CommandRegistry("here")


@pytest.fixture
def make(sub):
    """Make a command class: ``make("Add", domain="Math")``."""
    command = sub("core.command").Command

    def build(name: str, inputs: type = Numbers, result: Any = int, **body: Any) -> Any:
        def execute(self: Any) -> Any:
            return self.inputs.a + self.inputs.b

        def fill(namespace: dict[str, Any]) -> None:
            domain = body.pop("domain", None)
            namespace.update({"execute": execute, "_domain": domain, "__module__": __name__, **body})

        import types

        return types.new_class(name, (command[inputs, result],), exec_body=fill)

    return build


def late_model(name: str = "Late") -> Any:
    return create_model(name, __config__=ConfigDict(defer_build=True), a=(int, ...), b=(int, ...))


def test_a_command_of_no_module_is_warmed_as_any_other(sub):
    def nowhere(x: int) -> int:
        return x

    nowhere.__module__ = None  # type: ignore[assignment]
    made = sub("core.simple").command(nowhere)
    assert made.command_class.__module__ is None
    report = sub("core.warmup").warm_up(all=True)
    assert any(item.what.endswith("nowhere") and item.ok for item in report.items)


def test_each_kind_is_built_once_per_command(warmup, make):
    report = warmup.warm_up([make("Add"), make("Sub")])
    assert report.ok and report.commands == 2
    assert [item.kind for item in report.items] == KINDS * 2
    assert {item.what for item in report.items} == {"Add", "Sub"}
    assert all(item.seconds >= 0 for item in report.items)
    assert report.totals["plan"]["built"] == 2
    assert report.seconds >= sum(row["seconds"] for row in report.totals.values())


def test_a_warm_command_runs_as_a_cold_one(warmup, make):
    cold, warm = make("Add"), make("Add")
    warmup.warm_up(warm)
    assert warm.run(a=1, b="2").result == cold.run(a=1, b="2").result == 3
    assert [e.message for e in warm.run(a="x").errors] == [e.message for e in cold.run(a="x").errors]


def test_deferred_models_are_built(warmup, make):
    inputs, result = late_model("In"), late_model("Out")
    assert not inputs.__pydantic_complete__ and not result.__pydantic_complete__
    assert warmup.warm_up(make("Late", inputs, result)).ok
    assert inputs.__pydantic_complete__ and result.__pydantic_complete__


def test_the_plan_that_is_built_is_the_one_a_run_uses(warmup, make, sub, monkeypatch):
    add = make("Add")
    warmup.warm_up(add)
    services = sub("core.plan").Services
    analysed: list[type] = []
    original = services.analyse
    monkeypatch.setattr(services, "analyse", staticmethod(lambda cls: analysed.append(cls) or original(cls)))
    assert add.run(a=1, b=2).result == 3
    assert analysed == []


def test_a_callback_registered_after_the_warm_up_runs(warmup, make):
    add, seen = make("Add"), []
    warmup.warm_up(add)
    add.before_execute_transition(lambda command: seen.append("before"))
    add.run(a=1, b=2)
    assert seen == ["before"]


# -- what to warm --


def test_the_registry_method_means_its_own_commands(make, registry, sub):
    other = sub("core.registry").CommandRegistry("there")
    registry.register(make("Add"))
    other.register(make("Sub"))
    assert {item.what for item in registry.warm_up().items} == {"Add"}


def test_the_class_level_method_means_the_default_registry(make, sub, warmup):
    module = sub("core.registry")
    add = module.register(make("WarmedByDefault"))
    try:
        for report in (
            module.CommandRegistry.warm_up(),
            warmup.warm_up(),
            warmup.warm_up(module.CommandRegistry),
        ):
            assert "WarmedByDefault" in {item.what for item in report.items}
    finally:
        module.get_default_registry().unregister(add)


@pytest.mark.mortal_classes
def test_names_domains_and_everything_alive(warmup, make, registry, sub):
    add, sub_, mul = make("Add", domain="Math"), make("Sub", domain="Math"), make("Mul", domain="Other")
    for command in (add, sub_, mul):
        registry.register(command)

    def warmed(*arguments: Any, **options: Any) -> set[str]:
        report = warmup.warm_up(*arguments, **options)
        assert report.ok, str(report)
        return {item.what for item in report.items if item.kind == "plan"}

    assert warmed("Math::Add", registry=registry) == {"Math::Add", "Math::Sub", "Other::Mul"}
    assert warmed(registry) == {"Math::Add", "Math::Sub", "Other::Mul"}
    assert warmed(["Other::Mul", add]) == {"Other::Mul", "Math::Add"}
    assert warmed(domain=registry.get_domain("Math")) == {"Math::Add", "Math::Sub"}
    assert warmed({"x": mul}) == {"Other::Mul"}
    assert warmed([add, add, add]) == {"Math::Add"}
    report = warmup.warm_up(domain="Other")
    assert [item.what for item in report.items if item.kind == "plan"] == ["Other::Mul"]
    living = warmup.warm_up(all=True)
    assert {"Math::Add", "Math::Sub", "Other::Mul"} <= {item.what for item in living.items}


def test_a_domain_object_brings_its_commands_and_types(warmup, make, sub):
    domain = sub("domain.domain").Domain("WarmDomain")
    try:
        domain.register_command(make("Add"))
        domain.register_type("Late", model := late_model())
        report = warmup.warm_up(domain)
        assert report.ok and report.commands == 1
        assert model.__pydantic_complete__
        for given in ({"domain": domain}, {"domain": "WarmDomain"}):
            again = warmup.warm_up(**given)
            assert [(item.what, item.kind) for item in again.items] == [
                (item.what, item.kind) for item in report.items
            ], given
        bare = sub("domain.domain").Domain("Bare", "WarmOrg")
        assert warmup.warm_up(domain="WarmOrg::Bare").failed, bare
        by_name = make("Sub", domain="Bare", _organization="WarmOrg")
        assert warmup.warm_up(domain="WarmOrg::Bare").commands == 1, by_name
    finally:
        sub("domain.domain").Domain.clear_registry()


def test_an_organization_brings_its_domains(warmup, make, sub):
    organization = sub("domain.organization").Organization("WarmOrg")
    try:
        organization.domain("Inner").register_command(make("Add"))
        report = warmup.warm_up(organization)
        assert [item.what for item in report.items if item.kind == "plan"] == ["WarmOrg::Inner::Add"]
    finally:
        sub("domain.domain").Domain.clear_registry()
        sub("domain.organization").Organization.clear_registry()


def test_a_name_is_looked_up_in_the_registry_given(warmup, make, registry):
    mine = make("OnlyHere", domain="Mine")
    registry.register(mine)
    report = warmup.warm_up(["Mine::OnlyHere"], registry=registry)
    assert report.commands == 1 and report.ok
    twice = [make("Twice"), make("Twice")]
    failed = warmup.warm_up("Twice").failed
    assert [item.error for item in failed] == ["LookupError: 2 commands have that name"], twice


def test_types_are_warmed_too(warmup, sub):
    report = warmup.warm_up(types=["list[int]", Numbers, dict[str, Numbers], "Nowhere"])
    assert [item.ok for item in report.items] == [True, True, True, False]
    assert "unknown name 'Nowhere'" in report.failed[0].error
    assert report.commands == 0
    assert warmup.warm_up(types="int").ok


def test_nothing_to_do_is_an_empty_report(warmup, registry):
    for report in (warmup.warm_up([]), warmup.warm_up(registry), registry.warm_up()):
        assert report.ok and report.items == () and report.commands == 0
        assert "0 commands" in str(report)


@pytest.mark.mortal_classes
def test_a_base_class_without_inputs_is_skipped_when_everything_is_warmed(warmup, sub):
    command = sub("core.command").Command

    class Typeless(command):  # type: ignore[misc, valid-type]
        pass

    class Leaf(Typeless):  # type: ignore[misc, valid-type]
        @classmethod
        def inputs_type(cls) -> type:
            return Numbers

        def execute(self) -> int:
            return 1

    report = warmup.warm_up(all=True)
    assert [(item.kind, item.ok, item.error) for item in report.items if item.what == "Typeless"] == [
        ("inputs_type", False, None)
    ]
    assert all(item.ok for item in report.items if item.what == "Leaf")
    assert warmup.warm_up(Typeless).failed, "asked for by name it is a failure"


# -- what is broken --


def broken_commands(make: Any, sub: Any) -> dict[str, Any]:
    class Undefined(BaseModel):
        a: "Nowhere"  # type: ignore[name-defined]  # noqa: F821, UP037

    class Base:
        pass

    def explode(cls: type) -> Any:
        raise ZeroDivisionError("on purpose")

    no_inputs = type("NoInputs", (sub("core.command").Command,), {"__module__": __name__})
    return {
        "Undefined": make("Undefined", Undefined),
        "NoInputs": no_inputs,
        "NotAModel": make("NotAModel", inputs_type=classmethod(lambda cls: int)),
        "Explodes": make("Explodes", inputs_type=classmethod(explode)),
        "NoName": make("NoName", full_name=classmethod(explode)),
        "NoSchema": make("NoSchema", inputs_schema=classmethod(explode)),
        "NoResult": make("NoResult", result_type=classmethod(explode)),
    }


def test_one_broken_command_does_not_stop_the_rest(warmup, make, sub):
    broken = broken_commands(make, sub)
    first, last = make("First"), make("Last")
    report = warmup.warm_up([first, *broken.values(), last])
    by_name: dict[str, list[Any]] = {}
    for item in report.items:
        by_name.setdefault(item.what, []).append(item)
    assert all(item.ok for item in by_name["First"] + by_name["Last"])
    failed = {(item.what.split(" ")[0].rpartition(".")[2], item.kind) for item in report.failed}
    assert {
        ("Undefined", "validator"),
        ("NoInputs", "inputs_type"),
        ("NotAModel", "validator"),
        ("Explodes", "inputs_type"),
        ("NoSchema", "schema"),
        ("NoResult", "result"),
    } <= failed
    assert any(what.startswith("NoName") for what, _ in failed)
    errors = {item.what: item.error for item in report.failed}
    assert "Nowhere" in errors["Undefined"]
    assert "Could not determine inputs type" in errors["NoInputs"]
    assert errors["Explodes"] == "ZeroDivisionError: on purpose"
    assert {item.kind for item in by_name["Explodes"] if item.skipped} == {
        "guard",
        "plan",
        "schema",
        "manifest",
    }


def test_a_failed_warm_up_leaves_the_command_as_it_was(warmup, make):
    bad = make("Add", result_type=classmethod(lambda cls: 1 / 0))
    assert not warmup.warm_up(bad).ok
    assert bad.run(a=1, b=2).result == 3


def test_strict_raises_after_everything_was_tried(warmup, make, sub):
    broken, last = broken_commands(make, sub), make("Last", late := late_model())
    with pytest.raises(warmup.WarmUpError) as caught:
        warmup.warm_up([*broken.values(), last], strict=True)
    report = caught.value.report
    assert len(report.failed) >= 6 and "and " in str(caught.value)
    assert late.__pydantic_complete__, "the last command was warmed before the error"
    assert isinstance(caught.value.__cause__, Exception)
    copy = pickle.loads(pickle.dumps(caught.value))
    assert str(copy) == str(caught.value) and copy.report == report
    assert warmup.warm_up(last, strict=True).ok


def test_names_nobody_knows_are_failures(warmup, make):
    report = warmup.warm_up(["Nope", make("Add")])
    assert [(item.what, item.kind, item.error) for item in report.failed] == [
        ("Nope", "command", "LookupError: no command has that name")
    ]
    assert report.commands == 1
    assert "belongs to it" in warmup.warm_up(domain="Nope").failed[0].error
    with pytest.raises(warmup.WarmUpError, match="Nope"):
        warmup.warm_up("Nope", strict=True)


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ((5,), {}),
        ((int,), {}),
        ((b"Add",), {}),
        (([[Numbers]],), {}),
        (([5],), {}),
        ((object(),), {}),
        ((), {"registry": 5}),
        ((), {"domain": 5}),
        ((), {"strict": 1}),
        ((), {"all": "yes"}),
        ((), {"freeze": None}),
        ((), {"types": 5}),
    ],
)
def test_wrong_arguments_are_refused(warmup, arguments, options):
    with pytest.raises(TypeError):
        warmup.warm_up(*arguments, **options)


def test_a_list_that_holds_itself_is_refused(warmup):
    knot: list[Any] = []
    knot.append(knot)
    with pytest.raises(TypeError, match="not list"):
        warmup.warm_up(knot)


def test_an_interrupt_is_not_swallowed(warmup, make):
    def interrupt(cls: type) -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        warmup.warm_up(make("Add", inputs_type=classmethod(interrupt)))


# -- the report --


def test_the_report_is_plain_data_and_a_table(warmup, make, sub):
    report = warmup.warm_up([make("Add"), broken_commands(make, sub)["Explodes"]])
    assert json.loads(json.dumps(report.to_dict()))["totals"]["plan"]["built"] == 1
    text = str(report)
    assert "failed: Explodes (inputs_type): ZeroDivisionError: on purpose" in text
    assert "2 commands in" in text and "1 failed" in text
    assert len(report.built) + len(report.failed) + len(report.skipped) == len(report.items)
    with pytest.raises(AttributeError):
        report.commands = 5


def test_an_error_without_a_message_or_with_a_broken_one_is_still_reported(warmup, make):
    class Mute(Exception):
        def __str__(self) -> str:
            raise ValueError

    def mute(cls: type) -> Any:
        raise Mute

    def bare(cls: type) -> Any:
        raise ValueError

    report = warmup.warm_up(
        [make("A", inputs_type=classmethod(mute)), make("B", inputs_type=classmethod(bare))]
    )
    assert [item.error for item in report.failed] == ["Mute: <its message raises ValueError>", "ValueError"]


# -- freeze --


def test_freeze_applies_the_serve_profile_and_can_be_undone(warmup, make):
    before = gc.get_threshold()
    try:
        report = warmup.warm_up(make("Add"), freeze=True)
        assert report.frozen > 0 and gc.get_freeze_count() > 0
        assert warmup.active_profile().profile == "serve"
        assert "objects frozen" in str(report)
        assert gc.get_threshold() == before
        assert warmup.warm_up(make("Sub"), freeze=True).ok, "a second time is no error"
    finally:
        warmup.restore()
    assert gc.get_freeze_count() == 0


# -- many --


def test_a_thousand_commands(warmup, make, registry):
    classes = [make(f"Cmd{n}", create_model(f"In{n}", a=(int, ...), b=(int, n))) for n in range(1000)]
    for cls in classes:
        registry.register(cls)
    report = registry.warm_up(strict=True)
    assert report.commands == 1000 and len(report.items) == 8000
    assert classes[500].run(a=1).result == 501
    # Not a timing test: a minute would mean that something is quadratic.
    assert report.seconds < 60


@pytest.mark.mortal_classes
def test_warmed_classes_are_freed(warmup, make):
    def one() -> weakref.ref[Any]:
        cls = make("Passing", late_model())
        assert warmup.warm_up(cls).ok
        return weakref.ref(cls)

    refs = [one() for _ in range(50)]
    gc.collect()
    assert not [ref for ref in refs if ref() is not None]


def test_warm_up_beside_runs_and_registrations(warmup, make):
    commands = [make(f"Busy{n}", late_model()) for n in range(4)]
    failures: list[BaseException] = []
    calls = [0] * 8
    start = threading.Barrier(8)

    def work(number: int) -> None:
        try:
            start.wait()
            for step in range(100):
                if number == 0:
                    assert warmup.warm_up(commands).ok
                elif number == 1:
                    commands[step % 4].before_execute_transition(lambda command: None)
                else:
                    assert commands[step % 4].run(a=step, b=number).result == step + number
                    calls[number] += 1
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert calls == [0, 0] + [100] * 6


def test_simple_commands_are_warmed(warmup, sub):
    simple_command = sub("core.simple").simple_command

    @simple_command
    def double(x: int) -> int:
        return 2 * x

    report = warmup.warm_up(double)
    assert report.ok, str(report)
    assert [item.kind for item in report.items] == KINDS
    assert double.run(x=2).result == 4


def test_async_commands_are_warmed(warmup, sub):
    base = sub("core.async_command").AsyncCommand

    class Slow(base[Numbers, int]):  # type: ignore[misc, valid-type]
        async def execute(self) -> int:
            return 1

    report = warmup.warm_up(Slow)
    assert report.ok, str(report)
    assert [item.kind for item in report.items] == KINDS


def test_types_are_an_iterable_one_type_or_none(warmup, registry):
    assert warmup.warm_up(registry, types=None).ok
    assert [item.what for item in warmup.warm_up(registry, types=list[int]).items] == ["list[int]"]
    assert len(warmup.warm_up(registry, types=Numbers | None).items) == 1
    for wrong in (5, warmup):
        with pytest.raises(TypeError, match=r"^types are what Pydantic can validate, in an iterable, not "):
            warmup.warm_up(registry, types=wrong)
