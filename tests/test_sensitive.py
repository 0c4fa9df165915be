"""Sensitive values: whole by get() alone; and the annotations of types.base."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from types import ModuleType, new_class
from typing import Any

import pytest
from pydantic import BaseModel, Field, TypeAdapter, ValidationError, create_model
from pydantic_core import to_json

Sub = Callable[[str], ModuleType]
SECRET = "hunter2-secret"


@pytest.fixture(scope="session")
def sensitive(sub: Sub) -> ModuleType:
    return sub("types.sensitive")


def test_no_text_shows_it(sensitive: ModuleType) -> None:
    value = sensitive.Sensitive(SECRET)
    texts = [
        str(value),
        repr(value),
        f"{value}",
        f"{value:>20}",
        repr([value]),
        repr({"a": value}),
    ]
    assert all(SECRET not in text and "[REDACTED]" in text for text in texts)
    assert value.get() == SECRET


def test_it_is_compared_by_value_and_immutable(sensitive: ModuleType) -> None:
    value = sensitive.Sensitive(SECRET)
    assert value == sensitive.Sensitive(SECRET) == SECRET and value != "other"
    assert hash(value) == hash(SECRET) and value and not sensitive.Sensitive("")
    for change in (lambda: setattr(value, "_value", "x"), lambda: delattr(value, "_value")):
        with pytest.raises(AttributeError, match="immutable"):
            change()
    assert copy.copy(value).get() == copy.deepcopy(value).get() == SECRET
    assert copy.deepcopy(sensitive.Sensitive([1])).get() == [1]


def test_pickles_load_in_the_real_package(fa: ModuleType, sensitive: ModuleType) -> None:
    assert pickle.loads(pickle.dumps(sensitive.Sensitive(SECRET))).get() == SECRET


def model(sensitive: ModuleType) -> Any:
    class Account(sensitive.SensitiveModel):  # type: ignore[name-defined, misc]
        name: str
        password: sensitive.Password  # type: ignore[name-defined]
        pins: list[sensitive.Sensitive[int]] = Field(default_factory=list)  # type: ignore[name-defined]
        token: sensitive.SensitiveStr | None = None  # type: ignore[name-defined]

    Account.model_rebuild(_types_namespace={"sensitive": sensitive})
    return Account


def test_models(sensitive: ModuleType) -> None:
    account = model(sensitive)(name="ada", password=SECRET, pins=["1", 2])
    assert account.password.get() == SECRET and [pin.get() for pin in account.pins] == [1, 2]
    redacted = {"name": "ada", "password": "[REDACTED]", "pins": ["[REDACTED]"] * 2, "token": None}
    assert account.model_dump() == redacted
    assert SECRET not in account.model_dump_json() and SECRET not in repr(account) + str(account)
    assert account.model_dump(exclude={"pins", "token", "name"}) == {"password": "[REDACTED]"}
    assert account.model_dump_sensitive(include={"password", "pins"}) == {"password": SECRET, "pins": [1, 2]}
    assert account.model_dump_json(include_sensitive=True, include={"pins"}) == '{"pins":[1,2]}'
    again = model(sensitive)(name="b", password=account.password)
    assert again.password.get() == SECRET
    assert type(account).model_validate_json(f'{{"name": "a", "password": "{SECRET}"}}').password == SECRET


def test_errors_do_not_repeat_what_was_given(fa: ModuleType, sensitive: ModuleType) -> None:
    account = model(sensitive)
    with pytest.raises(ValidationError) as raised:
        account(name="ada", password=SECRET, pins=[SECRET], token=7)
    assert SECRET not in str(raised.value)
    assert [row["loc"] for row in raised.value.errors()] == [("pins", 0), ("token",)]

    class Plain(BaseModel):
        pin: sensitive.Sensitive[int]  # type: ignore[name-defined]

    Plain.model_rebuild(_types_namespace={"sensitive": sensitive})
    for build in (lambda: Plain(pin=SECRET), lambda: Plain.model_validate_json(f'{{"pin": "{SECRET}"}}')):
        with pytest.raises(ValidationError) as raised:
            build()
        assert SECRET not in str(raised.value) + repr(raised.value.errors()) + raised.value.json()

    class Enter(fa.Command[Plain, Any]):  # type: ignore[name-defined, misc]
        echo_inputs = True

        def execute(self) -> Any:
            return self.inputs.pin

    assert Enter.run(pin="7").result.get() == 7
    outcome = Enter.run(pin=SECRET)
    assert outcome.is_failure() and outcome.errors[0].path == ("pin",)
    assert SECRET not in str(outcome.to_dict()) + repr(outcome) + outcome.to_json_bytes().decode()
    shown = fa.FoobaraError(symbol="s", context={"password": sensitive.Sensitive(SECRET)})
    assert SECRET not in repr(shown) + str(shown.to_dict()) + shown.to_json_bytes().decode()


class Place:
    """A class that has classes."""


def test_a_field_looks_at_what_is_in_a_sensitive_value(sensitive: ModuleType) -> None:
    number = TypeAdapter(sensitive.Sensitive[int])
    given = sensitive.Sensitive(7)
    assert (
        number.validate_python(given) is given and number.validate_python(sensitive.Sensitive("7")).get() == 7
    )
    for wrong in (SECRET, sensitive.Sensitive(SECRET)):
        with pytest.raises(ValidationError) as caught:
            number.validate_python(wrong)
        assert [line["type"] for line in caught.value.errors()] == ["sensitive"]
        assert SECRET not in f"{caught.value} {caught.value.errors()} {caught.value.json()}"


def test_a_subclass_is_of_what_it_says(sensitive: ModuleType) -> None:
    class Pin(sensitive.Sensitive[int]):  # type: ignore[name-defined, misc]
        pass

    class Plain(sensitive.Sensitive):  # type: ignore[name-defined, misc]
        pass

    class Kept(sensitive.Sensitive[sensitive.T]):  # type: ignore[name-defined, misc]
        pass

    for kind, taken, held in ((Pin, "7", 7), (Plain, "7", "7"), (Kept, "7", "7"), (Kept[int], "7", 7)):
        made: Any = TypeAdapter(kind).validate_python(taken)
        assert (type(made).__name__, made.get()) == (getattr(kind, "__name__", "Kept"), held)
        assert TypeAdapter(kind).json_schema()["type"] == ("integer" if held == 7 else "string")
    model = create_model("Held", pin=(Pin, ...), kept=(list[Kept[int]], []), name=(str, ""))
    assert sensitive.get_sensitive_fields(model) == ["pin", "kept"]
    Pin.__qualname__ = "Place.Pin"
    Place.Pin = Pin  # type: ignore[attr-defined]
    assert pickle.loads(pickle.dumps(Pin(7))).get() == copy.deepcopy(Pin(7)).get() == 7
    assert type(copy.deepcopy(Kept([1]))) is Kept


def test_schema_and_defaults(sensitive: ModuleType) -> None:
    adapter = TypeAdapter(sensitive.Sensitive[str])
    assert adapter.json_schema() == {"type": "string", "writeOnly": True, "format": "password"}
    assert adapter.dump_json("never validated") == b'"[REDACTED]"'
    assert adapter.dump_python("never validated").get() == "never validated"
    assert TypeAdapter(sensitive.Sensitive).validate_python(SECRET).get() == SECRET


def test_finding_and_redacting(sensitive: ModuleType) -> None:
    account = model(sensitive)
    assert sensitive.get_sensitive_fields(account) == ["password", "pins", "token"]
    assert sensitive.is_sensitive(sensitive.Sensitive(1)) and not sensitive.is_sensitive(1)
    with pytest.raises(TypeError, match="Pydantic model class"):
        sensitive.get_sensitive_fields(dict)
    data = {
        "User_Password": SECRET,
        "list": [{"api_key": SECRET}, sensitive.Sensitive(SECRET), ({"token": SECRET},)],
        "fine": 1,
    }
    assert sensitive.redact_dict(data) == {
        "User_Password": "[REDACTED]",
        "list": [{"api_key": "[REDACTED]"}, "[REDACTED]", ({"token": "[REDACTED]"},)],
        "fine": 1,
    }
    assert sensitive.redact_dict({"Pin": 1, "password": 2}, ["pin"]) == {"Pin": "[REDACTED]", "password": 2}
    with pytest.raises(TypeError, match="list of words"):
        sensitive.redact_dict({}, "pin")


@pytest.mark.parametrize(
    ("name", "value", "result"),
    [
        ("PositiveInt", "1", 1),
        ("NonNegativeFloat", 0, 0.0),
        ("Percentage", 100, 100.0),
        ("EmailAddress", " Ada@Example.COM ", "ada@example.com"),
        ("Username", " ada_1 ", "ada_1"),
        ("PhoneNumber", "+44 (20) 7946-0958", "+442079460958"),
        ("NonEmptyStr", " a ", "a"),
        ("TitleCaseStr", " ada l ", "Ada L"),
        ("LowercaseStr", " A ", "a"),
        ("ShortStr", "x" * 50, "x" * 50),
    ],
)
def test_annotations(sub: Sub, name: str, value: Any, result: Any) -> None:
    assert TypeAdapter(getattr(sub("types.base"), name)).validate_python(value) == result


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PositiveInt", 0),
        ("PositiveFloat", 0.0),
        ("NonNegativeInt", -1),
        ("Percentage", 100.1),
        ("EmailAddress", "ada"),
        ("Username", "a b"),
        ("Username", "abc\n1"),
        ("PhoneNumber", "12345"),
        ("NonEmptyStr", "  "),
        ("MediumStr", "x" * 256),
        ("LongStr", "x" * 1001),
    ],
)
def test_annotations_refuse(sub: Sub, name: str, value: Any) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(getattr(sub("types.base"), name)).validate_python(value)


def test_string_length(sub: Sub) -> None:
    base = sub("types.base")
    adapter = TypeAdapter(base.string_length(2, 3))
    assert adapter.validate_python("ab") == "ab"
    for wrong in ("a", "abcd"):
        with pytest.raises(ValidationError):
            adapter.validate_python(wrong)
    with pytest.raises(ValueError, match="min_len=3 must not be above max_len=2"):
        base.string_length(3, 2)


def test_json_hides_it_where_no_type_is_declared(sensitive: ModuleType) -> None:
    class Anything(BaseModel):
        some: Any = None
        held: dict[str, object] = {}

    value = sensitive.Sensitive(SECRET)
    made = Anything(some=value, held={"a": [value, sensitive.Sensitive(1)]})
    expected = '{"some":"[REDACTED]","held":{"a":["[REDACTED]","[REDACTED]"]}}'
    assert made.model_dump_json() == made.model_dump_json(serialize_as_any=True) == expected
    assert made.model_dump()["some"] is value
    assert to_json({"a": value}) == b'{"a":"[REDACTED]"}' and to_json({value: 1}) == b'{"[REDACTED]":1}'
    made = create_model("Typed", it=(sensitive.Sensitive[str], ...))(it=SECRET)
    assert made.model_dump_json(serialize_as_any=True) == '{"it":"[REDACTED]"}'


def test_a_sensitive_model_hides_defaults_that_were_not_validated(sub: Sub, sensitive: ModuleType) -> None:
    fields = {
        "word": (sensitive.Sensitive[str], SECRET),
        "words": (list[sensitive.Sensitive[str]], Field(default=[SECRET], alias="Words")),
        "of": (dict[str, sensitive.Sensitive[str]], {"a": SECRET}),
        "card": (sub("types").CardNumber, "4111111111111111"),
        "plain": (int, 4),
    }
    made = create_model("Defaults", __base__=sensitive.SensitiveModel, **fields)
    outer = create_model("Outer", one=(made, made()), many=(list[made], ...))
    for mode in ("validation", "serialization"):
        schemas = [made.model_json_schema(mode=mode), made.model_json_schema(mode=mode, by_alias=False)]
        told = str(schemas)
        assert SECRET not in told and "4111" not in told
        assert schemas[0]["properties"]["plain"]["default"] == 4
        assert SECRET not in str(outer.model_json_schema(mode=mode)["$defs"])
    assert SECRET not in repr(made()) and "4111" not in str(made()) and "plain=4" in repr(made())
    assert made(word="x").word.get() == "x" and "word=[REDACTED]" in repr(made(word="x"))


def test_a_manifest_shows_no_default_that_was_not_validated(
    fa: ModuleType, sub: Sub, sensitive: ModuleType
) -> None:
    types = sub("types")
    card = "4111111111111111"
    inputs = create_model(
        "Inputs",
        word=(sensitive.Sensitive[str], SECRET),
        card=(types.CardNumber, card),
        maybe=(types.CardNumber | None, card),
        cards=(list[types.CardNumber], [card]),
        none=(types.CardNumber | None, None),
        plain=(str, "plain"),
    )
    command: Any = new_class("Pays", (fa.Command[inputs, Any],), {}, lambda space: None)
    told = command.manifest()
    assert card not in str(told) and SECRET not in str(told)
    shown = told["inputs_type"]["schema"]["properties"]
    assert (shown["none"]["default"], shown["plain"]["default"]) == (None, "plain")


def test_whole_json_takes_what_pydantic_takes(sensitive: ModuleType) -> None:
    made = model(sensitive)(name="\xe9", password=SECRET)
    try:
        hidden = made.model_dump_json(ensure_ascii=True, indent=1)
    except TypeError:
        pytest.skip("this Pydantic has no ensure_ascii")
    whole = made.model_dump_json(include_sensitive=True, ensure_ascii=True, indent=1)
    assert whole == hidden.replace("[REDACTED]", SECRET, 1) and "\\u00e9" in whole
