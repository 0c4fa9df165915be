"""Sensitive values: whole by get() alone; and the annotations of types.base."""

from __future__ import annotations

import copy
import datetime
import pickle
import warnings
import zoneinfo
from collections import ChainMap, UserDict, deque
from collections.abc import Callable
from types import MappingProxyType, ModuleType, new_class
from typing import Annotated, Any, Literal, NamedTuple

import pytest
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ByteSize,
    ConfigDict,
    Field,
    ImportString,
    TypeAdapter,
    ValidationError,
    create_model,
    field_serializer,
)
from pydantic_core import PydanticSerializationError, to_json

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


@pytest.mark.parametrize(
    ("inner", "other", "value"),
    [
        (str, int, 5),
        (str, list[int], [1, 2]),
        (int, str, "hello"),
        (datetime.date, str, "hello"),
        (list[int], str, "hello"),
        (dict[str, int], int, 5),
        (str | None, int, 5),
        (Annotated[str, Field(min_length=3)], int, 5),
        (Annotated[int, AfterValidator(abs)], str, "hello"),
    ],
)
def test_a_union_writes_what_is_of_its_other_types(
    sensitive: ModuleType, inner: Any, other: Any, value: Any
) -> None:
    kind = sensitive.Sensitive[inner]
    for union in (kind | other, other | kind):
        adapter: Any = TypeAdapter(union)
        taken = adapter.validate_python(value)
        assert taken == value and not sensitive.is_sensitive(taken)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert adapter.dump_python(taken) == adapter.dump_python(taken, mode="json") == value
            assert adapter.dump_json(taken) == to_json(value)
        assert adapter.dump_json(sensitive.Sensitive(value)) == b'"[REDACTED]"'
        made: Any = create_model("Made", __base__=sensitive.SensitiveModel, pin=(union, ...))(pin=value)
        assert made.model_dump() == made.model_dump_sensitive() == {"pin": value}


def test_a_default_that_may_be_of_the_type_inside_stays_hidden(sensitive: ModuleType) -> None:
    of = sensitive.Sensitive
    for kind, value in (
        (of[str] | int, SECRET),
        (of[int] | str, "1111"),  # a default that was meant as an int, perhaps
        (of[Annotated[str, Field(min_length=99)]] | int, SECRET),
        (of[Annotated[str, BeforeValidator(str)]] | int, 1111),  # whatever the function makes of it
        (of[Any] | int, 1111),
        (of[list[int]] | str, (1, 1)),
        (of[str], None),
    ):
        adapter: Any = TypeAdapter(kind)
        assert adapter.dump_json(value) == b'"[REDACTED]"'
        assert sensitive.is_sensitive(adapter.dump_python(value))
    # What cannot be one is shown nowhere, as there is no other type that it may be of.
    for kind in (of[str], of[str] | None):
        for mode in ("python", "json"):
            with warnings.catch_warnings(), pytest.raises(PydanticSerializationError) as caught:
                warnings.simplefilter("error")
                TypeAdapter(kind).dump_python(1111, mode=mode)
            assert "write a default as Sensitive(...)" in str(caught.value) and "1111" not in str(
                caught.value
            )


def test_a_dump_with_the_values_is_a_dump_of_pydantic(sensitive: ModuleType) -> None:
    asked: list[Any] = []

    class Told(sensitive.SensitiveModel):  # type: ignore[name-defined, misc]
        model_config = ConfigDict(ser_json_timedelta="float", ser_json_bytes="base64")
        name: str = "n"
        word: sensitive.Sensitive[str]  # type: ignore[name-defined]
        data: sensitive.Sensitive[bytes] = sensitive.Sensitive(b"\xff\xfe")  # type: ignore[name-defined]
        took: datetime.timedelta = datetime.timedelta(seconds=90)
        many: deque[sensitive.Sensitive[str]] = Field(default_factory=deque)  # type: ignore[name-defined]
        keys: dict[sensitive.Sensitive[str], int] = Field(default_factory=dict)  # type: ignore[name-defined]
        some: Any = None
        inner: Told | None = None

        @field_serializer("name", when_used="json")
        def written(self, value: str, info: Any) -> str:
            asked.append(info.context)
            return "J" + value

    Told.model_rebuild(_types_namespace={"sensitive": sensitive, "Told": Told, "deque": deque})
    some = [sensitive.Sensitive(SECRET)]
    made = Told(word=SECRET, many=[SECRET], keys={SECRET: 1}, some=some, inner={"word": "w"})
    whole = made.model_dump(mode="json", include_sensitive=True)
    assert whole == made.model_dump_sensitive(mode="json")
    assert whole["inner"]["word"] == "w" and whole["inner"].pop("name") == "Jn"
    assert whole == {
        "name": "Jn",
        "word": SECRET,
        "data": "__4=",
        "took": 90.0,
        "many": [SECRET],
        "keys": {SECRET: 1},
        "some": [SECRET],
        "inner": whole["inner"],
    }
    assert Told.model_validate_json(made.model_dump_json(include_sensitive=True)).word == SECRET
    python = made.model_dump_sensitive()
    assert (python["many"], python["keys"], python["some"]) == (deque([SECRET]), {SECRET: 1}, [SECRET])
    assert python["data"] == b"\xff\xfe" and python["inner"]["word"] == "w"
    hidden = made.model_dump()
    assert hidden["many"] == deque(["[REDACTED]"]) and SECRET not in f"{hidden} {made.model_dump_json()}"

    mine = {"mine": 1}
    made.model_dump_json(include_sensitive=True, context=mine)
    assert asked[-1]["mine"] == 1 and mine == {"mine": 1}
    # The mark is of that dump alone: whoever has its context for another one is shown as much, no other.
    assert SECRET not in made.model_dump_json(context=mine) and asked[-1] == mine
    with pytest.raises(TypeError, match="is a mapping, not object"):
        made.model_dump(include_sensitive=True, context=object())


class Cat(BaseModel):
    kind: Literal["cat"]


class Dog(BaseModel):
    kind: Literal["dog"]


@pytest.mark.parametrize(
    ("inner", "given", "told"),
    [
        (zoneinfo.ZoneInfo, SECRET, "invalid timezone"),
        (ImportString, f"{SECRET}.x", "Invalid python path"),
        (ByteSize, "3hunter2", "could not interpret byte unit"),
        (Annotated[Cat | Dog, Field(discriminator="kind")], {"kind": SECRET}, "Input tag found using 'kind'"),
        (Annotated[str, Field(min_length=99)], SECRET, "String should have at least 99 characters"),
    ],
)
def test_no_message_of_pydantic_is_told_with_the_value(
    sensitive: ModuleType, inner: Any, given: Any, told: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(sensitive.Sensitive[inner]).validate_python(given)
    text = f"{caught.value} {caught.value.errors()} {caught.value.json()}"
    assert caught.value.errors()[0]["msg"].startswith(told) and "hunter2" not in text
    assert caught.value.__context__ is None


def test_a_model_that_holds_itself_has_a_schema(fa: ModuleType, sensitive: ModuleType) -> None:
    class Node(BaseModel):
        v: int
        kids: list[sensitive.Sensitive[Node]] = []  # type: ignore[name-defined]

    Node.model_rebuild(_types_namespace={"sensitive": sensitive, "Node": Node})
    for mode in ("validation", "serialization"):
        kids = Node.model_json_schema(mode=mode)["$defs"]["Node"]["properties"]["kids"]  # type: ignore[arg-type]
        assert kids["items"] == {"allOf": [{"$ref": "#/$defs/Node"}], "writeOnly": True}
    command: Any = new_class("Grow", (fa.Command[Node, Any],), {}, lambda space: None)
    assert "Node" in command.manifest()["inputs_type"]["schema"]["$defs"]
    made: Any = TypeAdapter(Node).validate_python({"v": 1, "kids": [{"v": 2, "kids": [{"v": 3}]}]})
    assert (
        made.kids[0].get().kids[0].get().v == 3 and made.model_dump_json() == '{"v":1,"kids":["[REDACTED]"]}'
    )


class Pair(NamedTuple):
    first: Any
    second: Any


def test_redacting_looks_into_every_usual_container(sensitive: ModuleType) -> None:
    inside = {"password": SECRET}
    data = {
        "deque": deque([inside], 3),
        "proxy": MappingProxyType(inside),
        "user": UserDict(inside),
        "chain": ChainMap(inside),
        "pair": Pair(inside, 1),
        "set": {sensitive.Sensitive(SECRET)},
        "keys": {sensitive.Sensitive(SECRET): 1},
    }
    shown = {"password": "[REDACTED]"}
    found = sensitive.redact_dict(data)
    assert found == {
        "deque": deque([shown]),
        "proxy": shown,
        "user": shown,
        "chain": shown,
        "pair": Pair(shown, 1),
        "set": {"[REDACTED]"},
        "keys": {"[REDACTED]": 1},
    }
    assert found["deque"].maxlen == 3 and type(found["pair"]) is Pair and inside == {"password": SECRET}


def test_a_value_is_made_once(sensitive: ModuleType) -> None:
    value = sensitive.Sensitive("a")
    with pytest.raises(AttributeError, match="immutable"):
        value.__init__("b")
    assert value.get() == "a"


def test_a_bound_beside_a_sensitive_value_shows_nothing(sensitive: ModuleType) -> None:
    beside = TypeAdapter(Annotated[sensitive.Sensitive[str], Field(min_length=8)])
    with pytest.raises(TypeError, match="min_length") as caught:
        beside.validate_python("s3cret")
    assert "s3cret" not in str(caught.value)
    inside = TypeAdapter(sensitive.Sensitive[Annotated[str, Field(min_length=8)]])
    with pytest.raises(ValidationError, match="at least 8") as refused:
        inside.validate_python("s3cret")
    assert "s3cret" not in str(refused.value)
