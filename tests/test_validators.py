"""CreditCardValidator and IBANValidator: what they take, what they say, and that no word shows the number."""

from __future__ import annotations

import copy
import dataclasses
import functools
import importlib
import json
import pickle
import random
import re
import sys
import types
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import pytest
from hypothesis import given, strategies as st
from pydantic import AfterValidator, Field, TypeAdapter, ValidationError, create_model
from pydantic_core import to_json

import foobara_accel
from foobara_accel._pure import _iban_table as table
from foobara_accel.testing import load_twin

Sub = Callable[[str], ModuleType]

VISA, AMEX, MASTERCARD = "4111111111111111", "378282246310005", "5555555555554444"
GB, DE, BE = "GB82WEST12345698765432", "DE89370400440532013000", "BE68539007547034"
EXAMPLES = (Path(__file__).with_name("iban_examples.txt")).read_text(encoding="ascii").split()


@pytest.fixture(scope="session")
def validators(sub: Sub) -> ModuleType:
    return sub("types.validators")


class Text(str):
    """A str whose own methods must not be asked."""

    def __len__(self) -> int:
        return 3

    def __getitem__(self, key: object) -> str:
        return "9"


def with_check(code: str, bban: str) -> str:
    number = int("".join(str(int(char, 36)) for char in f"{bban}{code}00"))
    return f"{code}{98 - number % 97:02}{bban}"


def with_luhn(body: str) -> str:
    total = sum(
        sum(divmod(2 * int(char), 10)) if at % 2 == 0 else int(char) for at, char in enumerate(body[::-1])
    )
    return f"{body}{-total % 10}"


def test_the_roadmaps_names_lead_to_them(sub: Sub, validators: ModuleType) -> None:
    additional = sub("types.validators.additional")
    assert dir(additional) == sorted(additional.__all__) and dir(validators) == sorted(validators.__all__)
    for name in ("CreditCardValidator", "IBANValidator"):
        assert getattr(additional, name) is getattr(validators, name) is getattr(sub("types"), name)
        assert issubclass(getattr(validators, name), sub("types.processors").Validator)
    for module in (additional, validators):
        with pytest.raises(AttributeError, match="no attribute 'ISBNValidator'"):
            module.ISBNValidator  # noqa: B018


@pytest.mark.parametrize("number", [VISA, AMEX, MASTERCARD, "500000000009", "6212345678900000003"])
def test_a_card_number_is_returned_as_it_is(validators: ModuleType, number: str) -> None:
    validator = validators.CreditCardValidator()
    assert validator.process(number) is number and validator(number) is number
    verdict = validator.validate(number)
    assert verdict and verdict.valid and verdict.canonical == number and verdict.last4 == number[-4:]
    assert (verdict.rule, verdict.reason) == ("", "") and verdict.number.canonical == number


@pytest.mark.parametrize(
    ("options", "value", "rule", "told"),
    [
        ({}, "", "empty", "is empty"),
        ({}, "4111-1111", "character", "has a character that is not a digit 0-9"),
        ({}, VISA[:11], "length", "does not have 12 to 19 digits"),
        ({}, VISA[:-1] + "2", "checksum", "has a wrong check digit (Luhn)"),
        ({}, "4111 1111 1111 1111", "character", "lenient=True takes spaces and hyphens"),
        ({"lenient": True}, "4111 1111 1111 1112", "checksum", "has a wrong check digit (Luhn)"),
        ({"lenient": True}, "-4111111111111111", "character", "has a character that is not a digit 0-9"),
        ({"min_digits": 8}, VISA[:7], "length", "does not have 8 to 19 digits"),
        ({"min_digits": 16}, AMEX, "length", "does not have 16 to 19 digits"),
        ({"brands": ["amex", "visa"]}, MASTERCARD, "brand", "is none of amex, visa"),
        ({"brands": ["visa"]}, with_luhn("411111111111111"[:14]), "brand", "is none of visa"),
        ({}, "\u0664" * 16, "character", "has a character that is not a digit 0-9"),
        ({}, VISA[:-1] + "\ud800", "character", "has a character that is not a digit 0-9"),
        ({"lenient": True}, VISA + "\0", "character", "has a character that is not a digit 0-9"),
    ],
)
def test_a_card_number_is_refused_by_rule(
    validators: ModuleType, options: dict[str, Any], value: str, rule: str, told: str
) -> None:
    validator = validators.CreditCardValidator(**options)
    verdict = validator.validate(value)
    assert not verdict and verdict.rule == rule and told in verdict.reason
    assert verdict.canonical is verdict.masked is verdict.brand is verdict.number is verdict.last4 is None
    with pytest.raises(ValueError) as caught:
        validator.process(value)
    text = str(caught.value)
    assert text == f"card number {verdict.reason} (rule: {rule})"
    assert len(value) < 5 or value[-5:] not in text


@pytest.mark.parametrize("value", [None, 4111111111111111, 4.1, VISA.encode(), [VISA], object()])
def test_anything_but_text_is_a_type_error(validators: ModuleType, value: Any) -> None:
    for validator, what in (
        (validators.CreditCardValidator(), "card number"),
        (validators.IBANValidator(), "IBAN"),
    ):
        told = f"{what} is a str, not {type(value).__name__}"
        with pytest.raises(TypeError, match=f"^{re.escape(told)}$"):
            validator.process(value)
        assert validator.validate(value).rule == "type"


def test_an_object_that_claims_to_be_a_str_is_none(validators: ModuleType) -> None:
    class Disguised:
        __class__ = str  # type: ignore[assignment]

    for validator in (validators.CreditCardValidator(), validators.IBANValidator()):
        assert validator.validate(Disguised()).rule == "type"
        with pytest.raises(TypeError, match="is a str, not Disguised"):
            validator.process(Disguised())


def test_a_str_subclass_counts_with_its_characters(validators: ModuleType) -> None:
    assert validators.CreditCardValidator().validate(Text(VISA)).canonical == VISA
    assert type(validators.CreditCardValidator(canonical=True).process(Text(VISA))) is str
    assert validators.IBANValidator().process(Text(GB)) == GB
    with pytest.raises(ValueError, match="rule: length"):
        validators.CreditCardValidator().process(Text(VISA[:5]))


def test_the_canonical_form_is_returned_where_it_is_asked_for(validators: ModuleType) -> None:
    printed = " 4111-1111 1111 1111\t"
    assert validators.CreditCardValidator(lenient=True).process(printed) is printed
    assert validators.CreditCardValidator(lenient=True, canonical=True).process(printed) == VISA
    written = "gb82 west 1234 5698 7654 32"
    assert validators.IBANValidator(lenient=True).process(written) is written
    assert validators.IBANValidator(lenient=True, canonical=True).process(written) == GB
    assert validators.IBANValidator(canonical=True).process("FR1420041010050500013m02606")[-6:] == "M02606"


def test_a_parsed_number_is_valid_already(validators: ModuleType, fa: ModuleType) -> None:
    card, iban = fa.parse_card(VISA), fa.parse_iban(GB)
    assert validators.CreditCardValidator().process(card) is card
    assert validators.CreditCardValidator(canonical=True).process(card) == VISA
    assert validators.CreditCardValidator(brands=["amex"]).validate(card).rule == "brand"
    assert validators.IBANValidator().process(iban) is iban
    assert validators.IBANValidator(countries=["DE"]).validate(iban).rule == "country_not_allowed"


@pytest.mark.parametrize("length", range(8, 20))
def test_min_digits_takes_shorter_numbers_from_eight_on(validators: ModuleType, length: int) -> None:
    rng = random.Random(length)
    for _ in range(50):
        number = with_luhn("".join(rng.choices("0123456789", k=length - 1)))
        verdict = validators.CreditCardValidator(min_digits=8).validate(number)
        assert verdict.canonical == number and verdict.masked.count("*") >= min(6, length - 4)
        assert (verdict.number is None) is (length < 12)
        wrong = number[:-1] + str((int(number[-1]) + 1) % 10)
        assert validators.CreditCardValidator(min_digits=8).validate(wrong).rule == "checksum"
        assert validators.CreditCardValidator(min_digits=length).validate(number)
        if length < 19:
            assert validators.CreditCardValidator(min_digits=length + 1).validate(number).rule == "length"


@pytest.mark.parametrize(
    ("options", "error", "told"),
    [
        ({"brands": ["visas"]}, ValueError, "brands knows no visas: the brands are amex, "),
        ({"brands": []}, ValueError, "brands is empty: the brands are amex, "),
        ({"brands": "visa"}, TypeError, r"as in \('visa',\), not str"),
        ({"brands": 5}, TypeError, "not int"),
        ({"min_digits": 7}, ValueError, "min_digits is 8 to 19, not 7"),
        ({"min_digits": 20}, ValueError, "min_digits is 8 to 19, not 20"),
        ({"min_digits": True}, TypeError, "min_digits is an int, not bool"),
        ({"min_digits": "12"}, TypeError, "min_digits is an int, not str"),
        ({"countries": ["DE", "US"]}, ValueError, "countries has US, not in the registry"),
        ({"countries": ["de"]}, ValueError, "countries has de, not in the registry"),
        ({"countries": []}, ValueError, "countries is empty"),
        ({"countries": "DE"}, TypeError, r"as in \('DE',\), not str"),
    ],
)
def test_options_that_mean_nothing_are_refused(
    validators: ModuleType, options: dict[str, Any], error: type[Exception], told: str
) -> None:
    cls = validators.IBANValidator if "countries" in options else validators.CreditCardValidator
    with pytest.raises(error, match=told):
        cls(**options)


def test_parse_card_of_the_twins_refuses_a_wrong_min_digits(sub: Sub) -> None:
    parse = sub("_backend").checks.parse_card
    for wrong in (7, 20, -1, 10**30):
        with pytest.raises(ValueError, match=f"^min_digits is 8 to 19, not {wrong}$"):
            parse(VISA, min_digits=wrong)
    for strange in (8.5, "8", None):
        with pytest.raises(TypeError, match="cannot be interpreted as an integer"):
            parse(VISA, min_digits=strange)
    assert parse("18", min_digits=8) == ("", "length") and parse("", min_digits=8) == ("", "empty")


def test_every_brand_can_be_asked_for(validators: ModuleType, sub: Sub) -> None:
    cards = sub("types.cards")
    for brand in cards.BRANDS:
        lengths, ranges = cards._BRANDS[brand]
        prefix = ranges.split()[0].split("-")[0]
        numbers = [with_luhn(prefix.ljust(length - 1, "0")) for length in lengths]
        for number in numbers:
            verdict = validators.CreditCardValidator().validate(number)
            assert verdict.brand == cards.parse_card(number).brand == brand
            assert validators.CreditCardValidator(brands={brand}).process(number) == number
        others = set(cards.BRANDS) - {brand}
        assert validators.CreditCardValidator(brands=others).validate(numbers[0]).rule == "brand"


def test_the_examples_of_the_registry_are_right(validators: ModuleType) -> None:
    assert len(EXAMPLES) == 89 and {example[:2] for example in EXAMPLES} == set(table.COUNTRIES)
    validator = validators.IBANValidator()
    for example in EXAMPLES:
        verdict = validator.validate(example)
        assert validator.process(example) is example and verdict.country == example[:2], example
        assert verdict.bank_code and verdict.bank_code in example and verdict.listed_under is None
        assert validators.IBANValidator(countries=[example[:2]]).process(example) == example
    assert validator.registry_release == "101+BR103"


def test_an_iban_says_its_parts(validators: ModuleType) -> None:
    verdict = validators.IBANValidator().validate(GB)
    assert (verdict.country, verdict.bank_code, verdict.branch_code) == ("GB", "WEST", "123456")
    assert verdict.iban.print_format() == "GB82 WEST 1234 5698 7654 32" and verdict.masked == "GB82 **** 5432"
    refused = validators.IBANValidator().validate("GB")
    assert refused.iban is refused.country is refused.bank_code is refused.branch_code is None
    assert refused.listed_under is None and refused.masked is None
    guernsey = with_check("GG", GB[4:])
    assert validators.IBANValidator().validate(guernsey).listed_under == "GB"


@pytest.mark.parametrize(
    ("options", "value", "rule", "told"),
    [
        ({}, "", "empty", "is empty"),
        ({}, "US" + GB[2:], "country", "does not begin with a registered country code"),
        ({}, GB[:-1], "length", "does not have the length of its country"),
        ({}, "GB82WES112345698765432", "structure", "does not have the structure of its country"),
        ({}, "GB83" + GB[4:], "checksum", "has a wrong checksum (ISO 7064 MOD 97-10)"),
        ({}, GB.lower(), "country", "lenient=True takes spaces, lower case and AX"),
        ({"lenient": True}, "GB82-WEST-1234", "character", "has a character that is neither"),
        ({"countries": ["FR", "DE"]}, GB, "country_not_allowed", "is of none of DE, FR"),
        ({}, "GB\u0668\u0662" + GB[4:], "character", "has a character that is neither"),
    ],
)
def test_an_iban_is_refused_by_rule(
    validators: ModuleType, options: dict[str, Any], value: str, rule: str, told: str
) -> None:
    validator = validators.IBANValidator(**options)
    verdict = validator.validate(value)
    assert not verdict and verdict.rule == rule and told in verdict.reason
    with pytest.raises(ValueError) as caught:
        validator.process(value)
    assert str(caught.value) == f"IBAN {verdict.reason} (rule: {rule})"
    assert GB[4:] not in str(caught.value)


def test_aland_is_for_lenient_alone(validators: ModuleType) -> None:
    value = with_check("AX", "12345600000785")
    assert validators.IBANValidator().validate(value).rule == "country"
    verdict = validators.IBANValidator(lenient=True, countries=["AX"]).validate(value)
    assert verdict.valid and verdict.listed_under == "FI"
    assert (
        validators.IBANValidator(lenient=True, countries=["FI"]).validate(value).rule == "country_not_allowed"
    )


def test_a_country_allows_its_prefix_alone(validators: ModuleType) -> None:
    reunion = with_check("RE", "20041010050500013M02606")
    assert validators.IBANValidator().process(reunion) == reunion
    assert validators.IBANValidator(countries=["FR"]).validate(reunion).rule == "country_not_allowed"


def test_national_check_digits_take_every_example_and_refuse_wrong_ones(validators: ModuleType) -> None:
    pytest.importorskip("stdnum")
    national = importlib.import_module(f"{validators.__name__}.national")
    judging, plain = validators.IBANValidator(national=True), validators.IBANValidator()
    refused = set()
    for example in EXAMPLES:
        assert judging.process(example) == example
        for step in range(1, 10):
            for at in (-1, 6, 10):
                number = example[4:]
                if not number[at].isdigit():
                    continue
                changed = list(number)
                changed[at] = str((int(number[at]) + step) % 10)
                value = with_check(example[:2], "".join(changed))
                assert plain.validate(value)
                verdict = judging.validate(value)
                if not verdict:
                    refused.add(example[:2])
                    assert verdict.rule == "national_check_digits"
                    assert verdict.reason == f"has wrong national check digits ({example[:2]})"
    assert refused == national.COUNTRIES


def test_a_bank_that_a_list_lacks_is_no_matter_of_check_digits(validators: ModuleType) -> None:
    iban = pytest.importorskip("stdnum.iban")
    assert not iban.is_valid(BE)  # python-stdnum's list of Belgian banks lacks the registry's example
    assert validators.IBANValidator(national=True).process(BE) == BE
    assert validators.IBANValidator(national=True).validate(with_check("BE", "539007547035")).rule


def test_what_needs_a_package_names_the_extra(sub: Sub, monkeypatch: pytest.MonkeyPatch) -> None:
    validators = sub("types.validators")
    monkeypatch.setitem(sys.modules, "stdnum", None)
    monkeypatch.setitem(sys.modules, "stdnum.exceptions", None)
    monkeypatch.delitem(sys.modules, f"{validators.__name__}.national", raising=False)
    with pytest.raises(ImportError, match=r"pip install 'foobara-accel\[national\]'"):
        validators.IBANValidator(national=True)
    assert validators.IBANValidator().process(GB) == GB


def test_validators_are_values(validators: ModuleType) -> None:
    pytest.importorskip("stdnum")
    one = validators.CreditCardValidator(brands=["visa", "amex"], lenient=True)
    assert one == validators.CreditCardValidator(brands=("amex", "visa"), lenient=True)
    assert one != validators.CreditCardValidator(brands=["visa"], lenient=True)
    assert len({one, copy.deepcopy(one), pickle.loads(pickle.dumps(one))}) == 1
    assert "lenient=True" in repr(one)
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.lenient = False
    with pytest.raises(TypeError):
        validators.CreditCardValidator(["visa"])
    iban = validators.IBANValidator(countries=["DE"], national=True)
    assert pickle.loads(pickle.dumps(iban)) == iban and iban.process(DE) == DE


def test_verdicts_are_values_that_show_no_number(validators: ModuleType) -> None:
    for validator, number, masked in (
        (validators.CreditCardValidator(), VISA, "411111******1111"),
        (validators.IBANValidator(), GB, "GB82 **** 5432"),
    ):
        verdict = validator.validate(number)
        assert verdict.masked == masked and masked in repr(verdict)
        texts = [repr(verdict), str(verdict), f"{verdict}", repr([verdict]), to_json(verdict).decode()]
        texts += [to_json({"a": [verdict]}).decode(), json.dumps(verdict, default=str)]
        assert not [text for text in texts if number in text or number[6:-4] in text]
        again = pickle.loads(pickle.dumps(verdict))
        assert again == verdict == copy.copy(verdict) == copy.deepcopy(verdict) and hash(again) == hash(
            verdict
        )
        assert again.masked == masked and verdict != validator.validate("") and verdict != masked
        assert validator.validate("") == validator.validate("") and "rule='empty'" in repr(
            validator.validate("")
        )
        for change in (lambda each: setattr(each, "rule", ""), lambda each: delattr(each, "rule")):
            with pytest.raises(AttributeError, match="is immutable"):
                change(verdict)


def field(hint: Any, validators: ModuleType, fa: ModuleType, **options: Any) -> Any:
    validator = validators.IBANValidator if hint is fa.IBAN else validators.CreditCardValidator
    return Annotated[hint, validator(**options)]


def test_a_field_takes_what_its_validator_takes(validators: ModuleType, fa: ModuleType) -> None:
    card = TypeAdapter(field(fa.CardNumber, validators, fa, lenient=True, brands=["visa"]))
    assert card.validate_python("4111 1111 1111 1111") == fa.parse_card(VISA)
    made = fa.parse_card(VISA)
    assert card.validate_python(made) is made and card.validate_json(f'"{VISA}"') == made
    text = TypeAdapter(field(str, validators, fa, lenient=True))
    assert text.validate_python("4111 1111 1111 1111") == "4111 1111 1111 1111"
    assert text.validate_python(made) == VISA
    bare = TypeAdapter(field(str, validators, fa, lenient=True, canonical=True))
    assert (
        bare.validate_python("4111 1111 1111 1111") == VISA and bare.dump_json(VISA) == f'"{VISA}"'.encode()
    )
    iban = TypeAdapter(field(fa.IBAN, validators, fa, lenient=True) | None)
    assert iban.validate_python("gb82 west 1234 5698 7654 32") == fa.parse_iban(GB)
    assert iban.validate_python(None) is None
    for adapter, wrong, symbol in (
        (card, MASTERCARD, "card_number"),
        (text, "4111 1111 1111 1112", "card_number"),
        (iban, "GB83" + GB[4:], "iban"),
        (card, 4111111111111111, "string_type"),
        (text, [VISA], "string_type"),
    ):
        with pytest.raises(ValidationError) as caught:
            adapter.validate_python(wrong)
        (error,) = caught.value.errors()
        assert error["type"] == symbol and error["input"] == "**********"
        shown = f"{caught.value} {caught.value!r} {caught.value.errors()} {caught.value.json()}"
        assert not [part for part in (VISA, MASTERCARD, "1111 1111", GB[4:]) if part in shown]


def test_a_validator_stands_at_the_type_alone(validators: ModuleType, fa: ModuleType) -> None:
    for hint in (int, fa.IBAN, fa.CardNumber | None):
        with pytest.raises(
            TypeError, match=r"stands directly at CardNumber or str, as in Annotated\[CardNumber"
        ):
            TypeAdapter(Annotated[hint, validators.CreditCardValidator()])


def test_nothing_that_stands_before_it_is_dropped(validators: ModuleType, fa: ModuleType) -> None:
    def never(value: Any) -> Any:
        raise ValueError("never")

    check = validators.CreditCardValidator(lenient=True)
    for between in (AfterValidator(never), validators.CreditCardValidator(brands=["amex"])):
        with pytest.raises(TypeError, match="stands directly at CardNumber or str"):
            TypeAdapter(Annotated[fa.CardNumber, between, check])
    text: TypeAdapter[Any] = TypeAdapter(Annotated[str, Field(max_length=16), check])
    assert text.validate_python(VISA) == VISA and text.json_schema()["maxLength"] == 16
    for wrong, kind in (("4111 1111 1111 1111", "string_too_long"), (VISA.encode(), "string_type")):
        with pytest.raises(ValidationError) as caught:
            text.validate_python(wrong)
        assert [(line["type"], line["input"]) for line in caught.value.errors()] == [(kind, "**********")]
    with pytest.raises(ValidationError, match="never"):
        TypeAdapter(Annotated[str, AfterValidator(never), check]).validate_python(VISA)
    for hint, mode, form in (
        (str, "serialization", "card-number"),
        (fa.CardNumber, "validation", "card-number"),
    ):
        after: TypeAdapter[Any] = TypeAdapter(Annotated[hint, check, AfterValidator(never)])
        assert after.json_schema(mode=mode)["format"] == form


def test_text_that_a_validator_looks_at_is_hidden(validators: ModuleType, fa: ModuleType) -> None:
    hint = Annotated[str, validators.CreditCardValidator(lenient=True)]
    number = Annotated[fa.CardNumber, validators.CreditCardValidator(lenient=True)]
    model = create_model("Pay", raw=(hint, ...), card=(number, ...), more=(list[number], []))
    body = {"execute": lambda self: self.inputs, "echo_inputs": True}
    cls: Any = types.new_class("Charge", (fa.Command[model, Any],), {}, lambda space: space.update(body))
    done = cls.run(raw=VISA, card="4111 1111 1111 1111", more=[VISA])
    written = json.loads(done.to_json_bytes())["result"]
    assert written == {"raw": "**********", "card": "411111******1111", "more": ["411111******1111"]}
    assert VISA not in repr(done)
    for raw in ({"raw": VISA[:-1] + "2", "card": VISA}, {"raw": VISA, "card": MASTERCARD[:-1] + "5"}):
        outcome = cls.run(**raw)
        text = f"{outcome!r}{outcome.to_dict()}{outcome.to_json_bytes()}{outcome.to_problem()}"
        assert outcome.errors[0].symbol == "card_number" and "1111111" not in text and "555555" not in text


PATTERNS: list[tuple[str, dict[str, Any], list[str], list[str]]] = [
    ("card", {}, [VISA, "500000000009", "6212345678900000003"], ["4111 1111 1111 1111", VISA * 2, ""]),
    (
        "card",
        {"lenient": True},
        [VISA, " 4111-1111 1111 1111\t", "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1"],
        ["-" + VISA],
    ),
    ("card", {"min_digits": 8}, [with_luhn("1234567")], [with_luhn("123456")]),
    ("iban", {}, EXAMPLES, [GB.lower(), GB[:14]]),
    (
        "iban",
        {"lenient": True},
        [*EXAMPLES, "gb82 west 1234 5698 7654 32", " G B82WEST12345698765432"],
        ["GB82-WEST"],
    ),
    ("iban", {"countries": ["GB", "DE"]}, [GB, DE], [BE]),
]


@pytest.mark.parametrize(("kind", "options", "right", "wrong"), PATTERNS)
def test_the_schema_describes_what_is_taken(
    validators: ModuleType,
    fa: ModuleType,
    kind: str,
    options: dict[str, Any],
    right: list[str],
    wrong: list[str],
) -> None:
    hint = fa.IBAN if kind == "iban" else fa.CardNumber
    adapter = TypeAdapter(field(hint, validators, fa, **options))
    schema = adapter.json_schema()
    for value in right:
        adapter.validate_python(value)
        assert re.search(schema["pattern"], value) and len(value) >= schema["minLength"]
        assert len(value) <= schema.get("maxLength", 100)
    for value in wrong:
        with pytest.raises(ValidationError):
            adapter.validate_python(value)
        assert not re.search(schema["pattern"], value)


CARDISH = st.one_of(
    st.text(alphabet="0123456789 -\t\u0664\uff11\0", max_size=24),
    st.text(alphabet="0123456789", min_size=7, max_size=19).map(with_luhn),
)
ASPIRATIONAL = ("DZ580002100001113000000570", "IR710570029971601460641001", "GW04GW1430010181800637601")
IBANISH = st.one_of(
    st.sampled_from(ASPIRATIONAL),
    st.builds(
        lambda text, at, char: text[:at] + char + text[at + 1 :],
        st.sampled_from(ASPIRATIONAL),
        st.integers(0, 26),
        st.sampled_from("0A z"),
    ),
    st.text(alphabet="GBDEFRX0123456789 wz\u0131", max_size=36),
    st.sampled_from(EXAMPLES),
    st.builds(
        lambda text, at, char: text[:at] + char + text[at + 1 :],
        st.sampled_from(EXAMPLES),
        st.integers(0, 33),
        st.sampled_from("0A z\u017f"),
    ),
)


@functools.cache
def both() -> tuple[ModuleType, ModuleType]:
    if not foobara_accel.backend().compiled:
        pytest.skip(f"no compiled backend: {foobara_accel.backend().reason}")
    twin = load_twin("py")
    return tuple(
        importlib.import_module(f"{each.__name__}.types.validators") for each in (foobara_accel, twin)
    )  # type: ignore[return-value]


def answers(validator: Any, value: Any) -> Any:
    verdict = validator.validate(value)
    try:
        processed = validator.process(value)
    except (TypeError, ValueError) as error:
        processed = (type(error).__name__, str(error))
    return verdict.canonical, verdict.rule, verdict.reason, verdict.masked, repr(verdict), processed


@given(value=CARDISH, lenient=st.booleans(), least=st.integers(8, 19), canonical=st.booleans())
def test_the_twins_judge_cards_alike(value: str, lenient: bool, least: int, canonical: bool) -> None:
    options = {"lenient": lenient, "min_digits": least, "canonical": canonical}
    first, second = (answers(each.CreditCardValidator(**options), value) for each in both())
    assert first == second


@given(
    value=IBANISH,
    lenient=st.booleans(),
    canonical=st.booleans(),
    countries=st.sampled_from([None, ["GB", "DE"]]),
    aspirational=st.booleans(),
)
def test_the_twins_judge_ibans_alike(
    value: str, lenient: bool, canonical: bool, countries: Any, aspirational: bool
) -> None:
    options = {
        "lenient": lenient,
        "canonical": canonical,
        "countries": countries,
        "aspirational": aspirational,
    }
    first, second = (answers(each.IBANValidator(**options), value) for each in both())
    assert first == second


def test_a_country_outside_of_the_registry_names_the_option(validators: ModuleType) -> None:
    refused = validators.IBANValidator().validate("DZ580002100001113000000570")
    assert refused.rule == "country" and "; aspirational=True takes it" in refused.reason
    assert validators.IBANValidator(aspirational=True).validate("DZ580002100001113000000570")
    assert "aspirational" not in validators.IBANValidator().validate("XX580002100001113000000570").reason
