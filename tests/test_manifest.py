"""Manifests, reflection and schemas of commands."""

from __future__ import annotations

import functools
import gc
import json
import types
import typing
import weakref
from typing import Any

import pytest
from pydantic import BaseModel, Field


class Inputs(BaseModel):
    amount: int = Field(ge=1)
    note: str = ""


class Result(BaseModel):
    total: int


@pytest.fixture
def manifests(sub):
    return sub("core.manifest")


@pytest.fixture
def pay(sub):
    class Pay(sub("core.command").Command[Inputs, Result]):
        """Pay an amount.

        In cents.
        """

        _domain = "Billing"
        _organization = "Acme"
        _depends_on = ("Ledger",)
        _tags = ("money",)

        def execute(self) -> Any:
            return Result(total=self.inputs.amount)

    Pay.possible_error("too_much", "The amount is too high", {"limit": 5})
    return Pay


def test_manifest(pay, manifests):
    assert pay.manifest() == manifests.command_manifest(pay)
    assert manifests.command_manifest(pay) == {
        "name": "Acme::Billing::Pay",
        "description": "Pay an amount.\n\nIn cents.",
        "organization": "Acme",
        "domain": "Billing",
        "depends_on": ["Ledger"],
        "inputs_type": {"type": "attributes", "schema": Inputs.model_json_schema()},
        "result_type": {"type": str(Result)},
        "possible_errors": {
            "too_much": {
                "symbol": "too_much",
                "message": "The amount is too high",
                "context": {"limit": 5},
            }
        },
    }


def test_reflect_works_with_possible_errors(pay, manifests):
    reflection = pay.reflect()
    assert isinstance(reflection, manifests.CommandManifest)
    assert reflection == manifests.reflect(pay)
    assert reflection.to_dict() == {
        "name": "Pay",
        "full_name": "Acme::Billing::Pay",
        "description": "Pay an amount.\n\nIn cents.",
        "inputs_schema": Inputs.model_json_schema(),
        "result_schema": Result.model_json_schema(),
        "domain": "Billing",
        "organization": "Acme",
        "possible_errors": [
            {"symbol": "too_much", "message": "The amount is too high", "context": {"limit": 5}}
        ],
        "is_async": False,
        "tags": ["money"],
    }


def test_an_async_command_says_so(sub, manifests):
    class Later(sub("core.async_command").AsyncCommand[Inputs, int]):
        async def execute(self) -> int:
            return 1

    assert Later.manifest()["async"] is True
    assert Later.reflect().is_async is True
    assert "async" in json.loads(manifests.manifest_bytes(Later))


def test_an_undocumented_command_does_not_borrow_a_docstring(sub, pay):
    class Bare(sub("core.command").Command[Inputs, int]):
        pass

    class Child(pay):
        pass

    assert Bare.manifest()["description"] == ""
    assert Bare.reflect().description == ""
    assert Child.reflect().description == ""


def test_describe_prefers_what_the_class_itself_says(sub, manifests):
    class Base(sub("core.command").Command[Inputs, int]):
        """The base."""

        _description = "Declared."

    class Silent(Base):
        pass

    class Told(Base):
        """Its own."""

    assert manifests.describe(Base) == "Declared."
    assert manifests.describe(Silent) == "Declared."
    assert manifests.describe(Told) == "Its own."


def test_a_result_that_is_no_model_has_no_schema(sub):
    class Count(sub("core.command").Command[Inputs, int]):
        pass

    assert Count.reflect().result_schema is None
    assert Count.manifest()["result_type"] == {"type": "<class 'int'>"}


def test_a_domain_object_brings_its_organization(sub, manifests):
    domain = sub("domain").Domain("Lab", organization="Uni")

    class Probe(sub("core.command").Command[Inputs, int]):
        _domain = domain

    sub("domain").Domain.clear_registry()
    assert (Probe.manifest()["domain"], Probe.manifest()["organization"]) == ("Lab", "Uni")
    assert Probe.manifest()["name"] == "Uni::Lab::Probe"
    assert manifests.owners_of(Probe) == ("Lab", "Uni")


def test_possible_errors_are_those_of_the_bases_and_the_class(pay, manifests):
    class Refund(pay):
        _possible_errors = (("gone", "It is gone"), ("too_much", "Own words"))

    class Plain(pay):
        pass

    assert list(manifests.possible_errors_of(Refund)) == ["too_much", "gone"]
    assert manifests.possible_errors_of(Refund)["too_much"]["message"] == "Own words"
    assert list(manifests.possible_errors_of(pay)) == ["too_much"]
    assert list(manifests.possible_errors_of(Plain)) == ["too_much"]


def test_what_a_caller_gets_is_its_own(pay, manifests):
    pay.inputs_schema()["properties"].clear()
    pay.manifest()["possible_errors"]["too_much"]["context"].clear()
    pay.reflect().inputs_schema.clear()
    assert pay.inputs_schema() == Inputs.model_json_schema()
    assert pay.manifest()["possible_errors"]["too_much"]["context"] == {"limit": 5}


def test_a_schema_is_made_again_when_its_model_is_rebuilt(sub):
    class Local(BaseModel):
        value: int

    class Use(sub("core.command").Command[Local, int]):
        pass

    assert Use.inputs_schema()["properties"]["value"]["type"] == "integer"
    Local.model_fields["value"].annotation = str
    Local.model_rebuild(force=True)
    assert Use.inputs_schema()["properties"]["value"]["type"] == "string"


def test_a_subclass_of_a_model_has_its_own_schema(sub):
    class Wider(Inputs):
        more: int = 0

    class Narrow(sub("core.command").Command[Inputs, int]):
        pass

    class Wide(sub("core.command").Command[Wider, int]):
        pass

    Narrow.inputs_schema()
    assert "more" in Wide.inputs_schema()["properties"]
    assert "more" not in Narrow.inputs_schema()["properties"]


def test_inputs_that_are_no_model_are_a_clear_error(sub, manifests):
    class Odd(sub("core.command").Command[Inputs, int]):
        @classmethod
        def inputs_type(cls) -> Any:
            return int

    with pytest.raises(
        TypeError, match=r"Odd\.inputs_type\(\) returned <class 'int'>: inputs must be a Pydantic"
    ):
        manifests.inputs_schema(Odd)


def test_manifest_bytes_are_the_manifest_and_are_kept(pay, manifests):
    data = manifests.manifest_bytes(pay)
    assert json.loads(data) == pay.manifest()
    assert manifests.manifest_bytes(pay) is data


@pytest.mark.parametrize(
    "change",
    [
        lambda pay: setattr(pay, "_domain", "Other"),
        lambda pay: setattr(pay, "_description", "Changed"),
        lambda pay: pay.possible_error("another", "One more"),
        lambda pay: setattr(pay, "_depends_on", ("Stock",)),
        lambda pay: pay._possible_errors["too_much"]["context"].update(limit=6),
    ],
)
def test_manifest_bytes_follow_every_change(pay, manifests, change):
    before = manifests.manifest_bytes(pay)
    change(pay)
    after = manifests.manifest_bytes(pay)
    assert after != before
    assert json.loads(after) == pay.manifest()


def test_manifest_bytes_write_what_json_lacks_and_refuse_nan(pay, manifests):
    pay.possible_error("odd", "Odd", {"kind": Result, "text": "\ud800 ü"})
    assert json.loads(manifests.manifest_bytes(pay))["possible_errors"]["odd"]["context"]["kind"] == str(
        Result
    )
    pay.possible_error("nan", "Odd", {"limit": float("nan")})
    with pytest.raises(ValueError, match="JSON"):
        manifests.manifest_bytes(pay)


def test_command_classes_as_dependencies_are_named(sub, pay):
    class Top(sub("core.command").Command[Inputs, int]):
        _depends_on = (pay, "Ledger")

    assert Top.manifest()["depends_on"] == ["Acme::Billing::Pay", "Ledger"]


def test_a_command_that_is_awaited_is_async_whatever_its_execute_is(sub):
    def plain(self: Any) -> int:
        return 1

    async def coroutine(self: Any) -> int:
        return 1

    def made(base: Any, execute: Any) -> Any:
        return types.new_class("Made", (base[Inputs, int],), {}, lambda body: body.update(execute=execute))

    for execute in (plain, functools.partialmethod(coroutine), coroutine):
        later = made(sub("core.async_command").AsyncCommand, execute)
        assert later.manifest()["async"] is later.reflect().is_async is True
    sync = made(sub("core.command").Command, plain)
    assert "async" not in sync.manifest() and sync.reflect().is_async is False


def test_depends_on_declares_the_domains_of_one_class(sub, pay):
    class Child(pay):
        pass

    assert Child.depends_on("Stock", sub("domain").Domain("Users")) is None
    assert Child.manifest()["depends_on"] == ["Stock", "Users"]
    assert pay.manifest()["depends_on"] == ["Ledger"]
    for wrong in ("", ["Stock"], 5):
        with pytest.raises(TypeError, match="takes names of domains, or domains, not"):
            Child.depends_on("Stock", wrong)
    Child.depends_on()
    assert Child.manifest()["depends_on"] == []


@pytest.mark.mortal_classes
def test_a_described_class_and_its_model_are_freed(sub, manifests):
    def build() -> tuple[Any, Any]:
        class Local(BaseModel):
            value: int

            @classmethod
            def back(cls) -> Any:
                return Use

        class Use(sub("core.command").Command[Local, Local]):
            def execute(self) -> Any:
                return self.inputs

        Use.reflect()
        manifests.manifest_bytes(Use)
        return weakref.ref(Use), weakref.ref(Local)

    command, model = build()
    # typing remembers the arguments of Command[Local, Local], and so Local.
    for forget in typing._cleanups:
        forget()
    gc.collect()
    assert command() is None
    assert model() is None
