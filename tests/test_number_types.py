"""CardNumber and IBAN as types of fields: schemas, what errors and JSON show, and commands that take them."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
import re
import types
from collections.abc import Callable
from types import ModuleType
from typing import Annotated, Any, Literal, Union

import pydantic_core
import pytest
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, create_model

Sub = Callable[[str], ModuleType]

CARD, WRONG_CARD = "4111111111111111", "4111111111111112"
IBAN, WRONG_IBAN = "GB82WEST12345698765432", "GB83WEST12345698765432"
PLANTED = (CARD, WRONG_CARD, IBAN, WRONG_IBAN, CARD[6:-4], IBAN[4:-4])
NUMBERS: list[tuple[str, str, str, str, Literal["card_number", "iban"]]] = [
    ("CardNumber", CARD, WRONG_CARD, "411111******1111", "card_number"),
    ("IBAN", IBAN, WRONG_IBAN, "GB82 **** 5432", "iban"),
]


def planted(text: object) -> list[str]:
    return [number for number in PLANTED if number in str(text)]


def payment(fa: ModuleType, **more: Any) -> Any:
    return create_model(
        "Payment",
        __config__=more.pop("config", None),
        card=(fa.CardNumber, ...),
        iban=(fa.IBAN | None, None),
        others=(list[fa.CardNumber], []),
        by_card=(dict[fa.CardNumber, int], {}),
        **more,
    )


def command(fa: ModuleType, model: Any, **body: Any) -> Any:
    body.setdefault("execute", lambda self: self.inputs)
    return types.new_class("Pay", (fa.Command[model, Any],), {}, lambda space: space.update(body))


@pytest.mark.parametrize(("name", "right", "wrong", "masked", "symbol"), NUMBERS)
def test_pydantics_error_does_not_hold_the_number(
    fa: ModuleType, name: str, right: str, wrong: str, masked: str, symbol: str
) -> None:
    kind = getattr(fa, name)
    model = create_model(
        "Held", one=(kind, ...), many=(list[kind], []), maybe=(kind | None, None), other=(kind | int, 1)
    )
    for raw in (
        {"one": wrong},
        {"one": wrong, "many": [right, wrong], "maybe": wrong, "other": wrong},
        {"one": [right]},
        {"one": right.encode()},
        {"one": int(CARD)},
        {"one": {"canonical": right}},
    ):
        for look in (
            model.model_validate,
            lambda raw: model.model_validate_json(json.dumps(raw, default=str)),
        ):
            with pytest.raises(ValidationError) as caught:
                look(raw)
            found = [error for error in caught.value.errors() if error["loc"] != ("other", "int")]
            assert {error["type"] for error in found} <= {symbol, "string_type"}
            assert {error["input"] for error in found} == {"**********"}
            shown: list[Any] = [found, caught.value.title]
            if (
                "other" not in raw
            ):  # of a union each type has an error of its own: int shows what it was given
                shown += [str(caught.value), repr(caught.value), caught.value.errors(), caught.value.json()]
            assert not planted(shown)
            assert found[0]["loc"] == ("one",)


def test_what_a_model_must_set_itself(fa: ModuleType) -> None:
    # A field that is missing has the input of the whole model for its input.
    loose, tight = (
        payment(fa, n=(int, ...)),
        payment(fa, n=(int, ...), config=ConfigDict(hide_input_in_errors=True)),
    )
    with pytest.raises(ValidationError) as caught:
        loose(card=CARD, iban=IBAN)
    assert planted(caught.value.errors())
    with pytest.raises(ValidationError) as caught:
        tight(card=CARD, iban=IBAN)
    assert not planted([str(caught.value), repr(caught.value), caught.value.errors(include_input=False)])
    assert not planted(caught.value.json(include_input=False))
    assert not planted(command(fa, loose, echo_inputs=True).run(card=CARD, iban=IBAN).to_json_bytes())


@pytest.mark.parametrize(("name", "right", "wrong", "masked", "symbol"), NUMBERS)
def test_a_parsed_number_is_a_value(
    fa: ModuleType, name: str, right: str, wrong: str, masked: str, symbol: str
) -> None:
    kind = getattr(fa, name)
    adapter = TypeAdapter(kind)
    made = adapter.validate_python(right)
    assert type(made) is kind and made == kind(right) and made != right and hash(made) == hash(kind(right))
    assert copy.copy(made) is made is copy.deepcopy(made) and {made: 1}[kind(right)] == 1
    assert pickle.loads(pickle.dumps(made)).canonical == right == made.canonical
    assert made.masked == str(made) == f"{made}" == masked and repr(made) == f"{name}('{masked}')"
    held = create_model("Held", x=(kind, ...))(x=right)
    assert held == held.model_copy(deep=True) and not planted(
        [held, held.model_dump(), held.model_dump_json()]
    )
    assert held.model_dump()["x"] == made and type(held.model_dump()["x"]) is kind


def test_json_shows_the_mask_and_the_number_only_with_the_context(fa: ModuleType, sub: Sub) -> None:
    unmasked = sub("types").UNMASKED
    made = payment(fa)(card=CARD, iban=IBAN, others=[CARD], by_card={CARD: 1})
    plain = {"card": "411111******1111", "iban": "GB82 **** 5432", "others": ["411111******1111"]}
    plain["by_card"] = {"411111******1111": 1}  # type: ignore[assignment]
    assert json.loads(made.model_dump_json()) == made.model_dump(mode="json") == plain
    whole = {"card": CARD, "iban": IBAN, "others": [CARD], "by_card": {CARD: 1}}
    assert json.loads(made.model_dump_json(context=unmasked)) == whole
    assert (
        made.model_dump(context=unmasked)
        == made.model_dump(mode="json", context={**unmasked, "a": 1})
        == whole
    )
    for context in ({}, {"foobara_unmasked": 1}, {"foobara_unmasked": "yes"}, "foobara_unmasked", 5):
        assert json.loads(made.model_dump_json(context=context)) == plain
    assert (
        type(made)(**whole) == made == type(made).model_validate_json(made.model_dump_json(context=unmasked))
    )
    loose = create_model("Loose", x=(Any, ...))(x=[made.card])
    assert loose.model_dump_json(context=unmasked) == f'{{"x":["{CARD}"]}}'
    assert pydantic_core.to_json([made.iban], context=unmasked) == f'["{IBAN}"]'.encode()
    with pytest.raises(TypeError):
        unmasked["foobara_unmasked"] = False


def test_what_json_shows_is_not_taken_back(fa: ModuleType) -> None:
    made = payment(fa)(card=CARD, iban=IBAN)
    with pytest.raises(ValidationError) as caught:
        type(made).model_validate_json(made.model_dump_json())
    assert [error["type"] for error in caught.value.errors()] == ["card_number", "iban"]


@pytest.mark.parametrize(("name", "right", "wrong", "masked", "symbol"), NUMBERS)
def test_the_schema_says_what_is_taken_and_what_is_shown(
    fa: ModuleType, name: str, right: str, wrong: str, masked: str, symbol: str
) -> None:
    adapter = TypeAdapter(getattr(fa, name))
    taken, shown = adapter.json_schema(), adapter.json_schema(mode="serialization")
    assert taken["type"] == shown["type"] == "string"
    assert (taken["format"], shown["format"]) == {
        "card_number": ("card-number", "masked-card-number"),
        "iban": ("iban", "masked-iban"),
    }[symbol]
    assert re.search(taken["pattern"], right) and not re.search(taken["pattern"], masked)
    assert re.search(shown["pattern"], masked) and not re.search(shown["pattern"], right)
    for example in taken["examples"]:
        made = adapter.validate_python(example)
        assert taken["minLength"] <= len(example) <= taken["maxLength"] and made.masked in shown["examples"]
    assert not planted([taken, shown])


def test_every_mask_has_the_form_that_the_schema_says(fa: ModuleType) -> None:
    pattern = TypeAdapter(fa.CardNumber).json_schema(mode="serialization")["pattern"]
    for length in range(12, 20):
        assert re.search(pattern, fa.parse_card("0" * length).masked)


def test_a_field_keeps_what_is_said_of_it(fa: ModuleType) -> None:
    model = create_model(
        "Described",
        card=(
            Annotated[fa.CardNumber, Field(title="The card", description="of the payer", examples=["x"])],
            ...,
        ),
        account=(fa.IBAN | None, Field(None, alias="to")),
    )
    schema = model.model_json_schema()["properties"]
    assert schema["card"]["title"] == "The card" and schema["card"]["description"] == "of the payer"
    assert schema["card"]["examples"] == ["x"] and schema["card"]["format"] == "card-number"
    assert schema["to"]["anyOf"][0]["format"] == "iban"


async def posted(app: Any, path: str, body: Any) -> tuple[int, str]:
    """Return the status and the text that an ASGI application answers a JSON body with."""
    scope = {"type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b""}
    scope |= {"headers": [(b"content-type", b"application/json")], "http_version": "1.1", "scheme": "http"}
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await app({**scope, "server": ("test", 80), "client": ("test", 1), "root_path": ""}, receive, send)
    return sent[0]["status"], b"".join(each.get("body", b"") for each in sent[1:]).decode()


def test_openapi_shows_both_forms(fa: ModuleType) -> None:
    fastapi = pytest.importorskip("fastapi")
    model = payment(fa)
    app = fastapi.FastAPI()

    def pay(body: Any) -> Any:
        return body

    pay.__annotations__ = {"body": model, "return": model}
    app.post("/pay")(pay)
    document = app.openapi()
    assert not planted(document)
    formats = {
        name: (each["properties"]["card"]["format"], each["properties"]["card"]["examples"])
        for name, each in document["components"]["schemas"].items()
        if "card" in each.get("properties", {})
    }
    assert formats == {
        "Payment-Input": ("card-number", ["5555555555554444"]),
        "Payment-Output": ("masked-card-number", ["555555******4444"]),
    }
    status, text = asyncio.run(posted(app, "/pay", {"card": CARD, "iban": IBAN}))
    assert status == 200 and json.loads(text)["card"] == "411111******1111" and not planted(text)
    status, text = asyncio.run(posted(app, "/pay", {"card": WRONG_CARD, "iban": WRONG_IBAN}))
    assert status == 422 and not planted(text)
    assert [each["type"] for each in json.loads(text)["detail"]] == ["card_number", "iban"]


def test_a_command_takes_them_at_every_way_in(fa: ModuleType) -> None:
    model = payment(fa, cents=(int, 1))
    cls = command(fa, model)
    raw = {"card": CARD, "iban": IBAN, "others": [CARD]}
    expected = model(**raw)
    for outcome in (
        cls.run(**raw),
        cls.run_json(json.dumps(raw)),
        cls(**raw).run_instance(),
        cls.run_with(expected),
    ):
        assert outcome.result == expected and type(outcome.result.card) is fa.CardNumber
        assert not planted([outcome, outcome.to_json_bytes()])
    parsed = cls.run(card=fa.parse_card(CARD), iban=fa.parse_iban(IBAN))
    assert parsed.result.card.canonical == CARD


@pytest.mark.parametrize("echo", [False, True], ids=["quiet", "echoing"])
def test_a_commands_errors_are_pydantics_without_the_number(fa: ModuleType, echo: bool) -> None:
    model = payment(fa, cents=(int, 1))
    cls = command(fa, model, echo_inputs=echo)
    for raw in (
        {"card": WRONG_CARD},
        {"card": CARD, "iban": WRONG_IBAN, "others": [CARD, WRONG_CARD]},
        {"card": int(CARD), "cents": "x"},
        {"card": CARD[:11], "iban": IBAN.lower()},
        {"iban": IBAN},
        {"card": CARD, "by_card": {WRONG_CARD: 1}},
    ):
        with pytest.raises(ValidationError) as caught:
            model(**raw)
        expected = [(error["type"], error["msg"]) for error in caught.value.errors()]
        runs = [cls.run(**raw), cls(**raw).run_instance()]
        if "by_card" not in raw:
            runs.append(cls.run_json(json.dumps(raw)))
        for outcome in runs * 2:
            assert [(error.symbol, error.message) for error in outcome.errors] == expected
            assert not planted([outcome, outcome.to_dict(), outcome.to_json_bytes(), outcome.to_problem()])


def test_the_guard_leaves_lists_and_mappings_of_them_to_pydantic(fa: ModuleType, sub: Sub) -> None:
    inputs = sub("core.inputs")
    plain, numbers = create_model("Plain", card=(fa.CardNumber, ...)), payment(fa, n=(int, 1))
    assert inputs.analyze(plain).level == 1
    assert inputs.analyze(numbers).level == 2 and "list" in inputs.analyze(numbers).reason


def test_the_manifest_describes_them(fa: ModuleType) -> None:
    cls = command(fa, payment(fa))
    schema = cls.inputs_schema()["properties"]
    assert schema["card"]["format"] == "card-number" and schema["iban"]["anyOf"][0]["format"] == "iban"
    assert not planted(cls.manifest())


def test_json_hides_a_default_that_was_not_validated(fa: ModuleType, sub: Sub) -> None:
    numbers = (fa.CardNumber, CARD), (fa.CardNumber, None), (fa.IBAN, 5)
    made = create_model("Defaults", **dict(zip("abc", numbers, strict=True)))()
    assert made.model_dump_json() == '{"a":"**********","b":null,"c":"**********"}'
    assert made.model_dump(mode="json")["a"] == "**********"
    assert made.model_dump() == {"a": CARD, "b": None, "c": 5}
    unmasked = sub("types").UNMASKED
    assert made.model_dump_json(context=unmasked) == f'{{"a":"{CARD}","b":null,"c":5}}'


def test_what_the_docs_say_of_fastapi(fa: ModuleType, sub: Sub) -> None:
    encoders = pytest.importorskip("fastapi.encoders")
    found = {"card": fa.CardNumber(CARD), "of": create_model("Held", to=(fa.IBAN, ...))(to=IBAN)}
    with pytest.raises(ValueError):
        encoders.jsonable_encoder(found)
    shown = {"card": "411111******1111", "of": {"to": "GB82 **** 5432"}}
    assert encoders.jsonable_encoder(found, custom_encoder={fa.CardNumber: str}) == shown
    assert pydantic_core.to_jsonable_python(found) == shown


def test_a_union_writes_what_another_member_took(fa: ModuleType, sub: Sub) -> None:
    types_, validators = sub("types"), sub("types.validators")
    text = Annotated[str, validators.CreditCardValidator()]
    for kind in (fa.CardNumber, fa.IBAN, types_.PhoneNumber, text):
        adapter = TypeAdapter(kind | dict | list | int if kind is not text else text | dict | list | int)
        for value in (5, {"a": 1}, [1]):
            assert json.loads(adapter.dump_json(value)) == adapter.dump_python(value) == value
    # Nothing tells whether a str was meant for the other member.
    assert TypeAdapter(types_.PhoneNumber | str).dump_json("a@b.co") == b'"**********"'


def test_an_error_of_a_union_names_the_type(fa: ModuleType, sub: Sub) -> None:
    types_, validators, declarations = sub("types"), sub("types.validators"), sub("types.type_declarations")
    code = declarations.FoobaraType(
        name="code", python_type=str, validators=[validators.MinLengthValidator(3)]
    )
    named = {
        "CardNumber": fa.CardNumber,
        "IBAN": Annotated[str, validators.IBANValidator()],
        "PhoneNumber": Annotated[types_.PhoneNumber, validators.PhoneNumberValidator(region="US")],
        "MinLengthValidator": Annotated[str, validators.MinLengthValidator(3)],
        "code": code,
    }
    union = Union[(*named.values(), int)]  # type: ignore[valid-type]
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(union).validate_python("x")
    assert [line["loc"] for line in caught.value.errors()] == [(name,) for name in (*named, "int")]
    for name, needed in {"SanitizedHTML": "nh3", "HashedPassword": "argon2"}.items():
        pytest.importorskip(needed)
        with pytest.raises(ValidationError) as caught:
            TypeAdapter(getattr(types_, name) | int).validate_python(None)
        assert [line["loc"] for line in caught.value.errors()] == [(name,), ("int",)]


def test_the_config_of_str_comes_before_a_validator_at_a_str(fa: ModuleType, sub: Sub) -> None:
    validator = sub("types.validators").IBANValidator()
    config = ConfigDict(str_strip_whitespace=True)
    stripped = create_model("S", __config__=config, x=(Annotated[str, validator], ...))
    assert stripped(x=f" {IBAN} ").x == IBAN
    short = create_model("L", __config__=ConfigDict(str_max_length=10), x=(Annotated[str, validator], ...))
    with pytest.raises(ValidationError) as caught:
        short(x=IBAN)
    assert caught.value.errors()[0]["type"] == "string_too_long" and not planted(caught.value.errors())


def test_a_field_may_be_strict_by_itself(fa: ModuleType, sub: Sub) -> None:
    types_, validators = sub("types"), sub("types.validators")
    card = validators.CreditCardValidator()
    for kind in (fa.CardNumber, Annotated[fa.CardNumber, card], Annotated[str, card]):
        made = create_model("Strict", x=(kind, Field(strict=True)))(x=CARD)
        assert getattr(made.x, "canonical", made.x) == CARD
    phone = create_model("Phone", x=(types_.PhoneNumber["US"], Field(strict=True)))
    assert phone(x="2015550123").x.canonical == "+12015550123"


def test_a_validator_at_a_derived_type_and_behind_a_bound(fa: ModuleType, sub: Sub) -> None:
    phone = sub("types").PhoneNumber
    mine = type("Mine", (phone,), {"__slots__": ()})
    assert type(TypeAdapter(mine["US"]).validate_python("2015550123")) is mine
    with pytest.raises(TypeError, match=r"leave such bounds out"):
        create_model("Bound", x=(phone["US"], Field(max_length=20)))


def test_a_parsed_iban_is_judged_by_the_validators_own_rules(fa: ModuleType, sub: Sub) -> None:
    validator = sub("types.validators").IBANValidator
    value = sub("types").parse_iban("DZ580002100001113000000570", aspirational=True)
    assert validator().validate(value).rule == "country"
    assert validator(aspirational=True).validate(value)


def test_what_only_claims_to_be_a_number_is_none(fa: ModuleType, sub: Sub) -> None:
    from unittest.mock import Mock

    validators = sub("types.validators")
    for validator in (validators.IBANValidator(), validators.CreditCardValidator()):
        assert validator.validate(Mock(spec=validator._TYPE)).rule == "type"


def test_aland_has_the_national_check_digits_of_finland(sub: Sub) -> None:
    pytest.importorskip("stdnum")
    wrong = sub("types.validators.national").wrong_check_digits
    assert wrong("FI0012345600000784") and wrong("AX0012345600000784")


def test_a_short_card_number_pickles_and_hides_six_digits(fa: ModuleType, sub: Sub) -> None:
    kind = Annotated[fa.CardNumber, sub("types.validators").CreditCardValidator(min_digits=8)]
    adapter = TypeAdapter(kind)
    card = adapter.validate_python("12345674")
    assert pickle.loads(pickle.dumps(card)).canonical == "12345674"
    assert card.masked == "******74"
    assert re.search(adapter.json_schema(mode="serialization")["pattern"], card.masked)


def test_a_number_is_made_once(fa: ModuleType) -> None:
    card = fa.CardNumber(CARD)
    with pytest.raises(AttributeError, match="made once"):
        card.__init__("5555555555554444")
    assert card.canonical == CARD


def test_options_that_are_no_names_are_refused_without_a_number(sub: Sub) -> None:
    made = sub("types.validators")
    for cls, option in (
        (made.IBANValidator, "countries"),
        (made.CreditCardValidator, "brands"),
        (made.PhoneNumberValidator, "regions"),
        (made.PhoneNumberValidator, "types"),
    ):
        with pytest.raises(TypeError, match=f"{option} holds something that is no str"):
            cls(**{option: [["DE"]]})
    for cls, option, number in (
        (made.IBANValidator, "countries", IBAN),
        (made.CreditCardValidator, "brands", CARD),
    ):
        with pytest.raises(ValueError, match=option) as caught:
            cls(**{option: [number]})
        assert not planted(caught.value)


def test_a_command_judges_a_parsed_number_by_the_field_s_own_options(fa: ModuleType, sub: Sub) -> None:
    own = sub("types")
    kind = Annotated[own.IBAN, own.IBANValidator()]
    model = create_model("Inputs", iban=(kind, ...))
    command: Any = types.new_class(
        "Pays", (fa.Command[model, Any],), {}, lambda space: space.update(execute=lambda self: 1)
    )
    right = own.parse_iban("GB82WEST12345698765432")
    assert command.run(iban=right).is_success()
    for wrong in (
        own.parse_iban("DZ580002100001113000000570", aspirational=True),
        own.parse_iban("AX2112345600000785", lenient=True),
    ):
        (error,) = command.run(iban=wrong).errors
        assert (error.symbol, error.path) == ("iban", ("iban",))
