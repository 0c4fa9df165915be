"""Fields of this package's own types: what the guard takes by itself, as Pydantic would."""

from __future__ import annotations

import gc
import pickle
import subprocess
import sys
import types
from typing import Annotated, Any

import pytest
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    create_model,
    field_validator,
)
from tests import fuzz_guards

CARD, AMEX, SHORT = "4111111111111111", "378282246310005", "12345674"
IBAN, OTHER_IBAN, SMALL = (
    "DE89370400440532013000",
    "GB82WEST12345698765432",
    "MT84MALT011000012345mtlcast001s",
)
PHONE, BRITISH = "+12015550123", "+442079460018"


@pytest.fixture
def inputs(sub):
    return sub("core.inputs")


@pytest.fixture
def compiled(inputs):
    if "pure" in inputs.guards.__name__:
        pytest.skip("the pure backend has no guard of its own")


def model(annotation: Any, **more: Any) -> Any:
    return create_model("Held", x=(annotation, ...), **more)


# Name -> (what makes the annotation of fa.types, what the guard takes, what it leaves to Pydantic).
FIELDS: dict[str, tuple[Any, tuple[Any, ...], tuple[Any, ...]]] = {
    "card": (
        lambda t: t.CardNumber,
        (CARD, AMEX),
        (
            SHORT,
            "4111 1111 1111 1111",
            CARD[:-1] + "2",
            "",
            CARD + "\x00",
            "٤" + CARD[1:],
            CARD.encode(),
            int(CARD),
        ),
    ),
    "optional card": (lambda t: t.CardNumber | None, (CARD, None), ("", False)),
    "card of a brand": (
        lambda t: Annotated[t.CardNumber, t.CreditCardValidator(brands=["visa"])],
        (CARD,),
        (AMEX, CARD[:-1] + "2"),
    ),
    "card of sixteen digits": (
        lambda t: Annotated[t.CardNumber, t.CreditCardValidator(min_digits=16)],
        (CARD,),
        (AMEX, SHORT),
    ),
    "short card": (
        lambda t: Annotated[t.CardNumber, t.CreditCardValidator(min_digits=8)],
        (CARD, SHORT),
        (SHORT[:-1], "", "0"),
    ),
    "lenient card": (
        lambda t: Annotated[t.CardNumber, t.CreditCardValidator(lenient=True)],
        (CARD, " 4111 1111-1111 1111\t"),
        ("4111 1111 1111 1112", "-" + CARD, "4 1" * 200, "\xa0" + CARD),
    ),
    "text of a card": (
        lambda t: Annotated[str, t.CreditCardValidator(lenient=True)],
        (CARD, "4111 1111 1111 1111"),
        (SHORT, 1),
    ),
    "canonical text of a card": (
        lambda t: Annotated[str, t.CreditCardValidator(lenient=True, canonical=True)],
        (CARD, "4111-1111-1111-1111"),
        (SHORT, None),
    ),
    "IBAN": (
        lambda t: t.IBAN,
        (IBAN, OTHER_IBAN, SMALL),
        (IBAN.lower(), "DE89 3704 0044 0532 0130 00", "AX2112345600000785", IBAN[:-1], "X" * 40, "", "D"),
    ),
    "IBAN of a country": (
        lambda t: Annotated[t.IBAN, t.IBANValidator(countries=["DE"])],
        (IBAN,),
        (OTHER_IBAN,),
    ),
    "lenient IBAN": (
        lambda t: Annotated[t.IBAN, t.IBANValidator(lenient=True)],
        (IBAN, " de89 3704 0044 0532 0130 00 ", SMALL.lower(), "AX2112345600000785"),
        ("de89 3704 0044 0532 0130 01", " " * 100, "A" * 300),
    ),
    "text of an IBAN": (
        lambda t: Annotated[str, t.IBANValidator(canonical=True)],
        (IBAN, SMALL),
        (SMALL.lower(),),
    ),
    "phone": (lambda t: t.PhoneNumber, (PHONE, BRITISH), ("2015550123", "+", "+999", "+1 201 555 0123", "")),
    "phone from a region": (
        lambda t: t.PhoneNumber["US"],
        (PHONE, BRITISH),
        ("2015550123", "(201) 555-0123", "+9", "5550123", PHONE + ";ext=5"),
    ),
    "phone of a region": (
        lambda t: Annotated[t.PhoneNumber, t.PhoneNumberValidator(regions=["GB"], types=["fixed_line"])],
        (BRITISH,),
        (PHONE, "+447400123456"),
    ),
    "text of a phone": (
        lambda t: Annotated[str, t.PhoneNumberValidator(output="e164")],
        (PHONE,),
        ("201 555 0123",),
    ),
    "HTML": (
        lambda t: t.SanitizedHTML,
        ("plain", "", "é", "中", "\U0001f600", "a\ufeff"),
        ("<b>x</b>", "a & b", "\ufeffa", "\ufeff中", "\xa0", "\ud800", "\ud800\U0001f600", b"x", None),
    ),
    "text of HTML": (
        lambda t: Annotated[str, t.SanitizeHTMLTransformer(tags=[])],
        ("plain", "中"),
        ("<b>x</b>", "\ud800"),
    ),
    "e-mail": (lambda t: t.EmailAddress, ("a@b.co", " Ann@Example.com "), ("a@b", "\ud800", b"a@b.co", None)),
    "user name": (lambda t: t.Username, ("ann_1", " ann\n"), ("an", 1)),
    "digits": (lambda t: base(t).PhoneNumber, ("+1 (201) 555-0123",), ("123",)),
    "text that is not empty": (lambda t: t.NonEmptyStr, ("a", " a "), ("", " \u3000", None)),
    "title": (lambda t: t.TitleCaseStr, ("hello wOrld", ""), (1,)),
    "lower case": (lambda t: t.LowercaseStr, ("ABC", " É "), (1,)),
    "positive": (lambda t: t.PositiveInt, (1, 2**62), (0, "1", True, 1.0)),
    "not negative": (lambda t: t.NonNegativeFloat, (0.0, 1.5), (-1.0, 1)),
    "share": (lambda t: t.Percentage, (0.0, 100.0), (100.5, 1)),
    "short text": (lambda t: t.ShortStr, ("a" * 50,), ("a" * 51,)),
}


def base(t: Any) -> Any:
    return sys.modules[f"{t.__name__}.base"]


@pytest.fixture(params=FIELDS)
def field(request, sub):
    make, right, other = FIELDS[request.param]
    if "HTML" in request.param:
        pytest.importorskip("nh3")
    return make(sub("types")), right, other


def test_the_guard_knows_such_a_field(inputs, field):
    spec = inputs.analyze(model(field[0]))
    assert (spec.level, spec.reason) == (1, "")


def test_every_value_gives_what_pydantic_gives(inputs, field):
    annotation, right, other = field
    for settings in ({}, {"strict": True}):
        cls = create_model(
            "Held", __config__=ConfigDict(**settings), x=(annotation, ...), n=(int, 1), any=(Any, 2)
        )
        builder = inputs.builder_for(cls)
        for value in (*right, *other, *(fuzz_guards.Text(each) for each in right if isinstance(each, str))):
            for more in ({}, {"n": 3}, {"n": "3"}, {"n": "x"}, {"any": [1], "n": 4}):
                assert fuzz_guards.differences(builder, {"x": value, **more}) == []
                assert fuzz_guards.differences(builder, {**more, "x": value}) == []
        assert fuzz_guards.differences(builder, {"n": 1}) == []


def test_the_guard_takes_what_is_right_and_only_that(inputs, compiled, field):
    annotation, right, other = field
    alone = fuzz_guards.guard_alone(inputs, model(annotation, n=(int, 1)))
    for value in right:
        assert fuzz_guards.takes(alone, {"x": value})
        assert fuzz_guards.takes(alone, {"n": 2, "x": value})
        made = alone.build(x=value).x
        assert type(made) is type(alone.build_args(("n", "x"), (5, value)).x)
        if not isinstance(made, (str, float, int, type(None))):
            assert fuzz_guards.takes(alone, {"x": made}) and alone.build(x=made).x is made
        if isinstance(value, str):
            with pytest.raises(fuzz_guards.Asked):
                alone.build(x=fuzz_guards.Text(value))
            if value.isprintable():  # what JSON writes without escapes
                assert type(alone.build_json(f'{{"x": "{value}"}}'.encode()).x) is type(made)
    for value in other:
        assert not fuzz_guards.takes(alone, {"x": value})
    assert not fuzz_guards.takes(alone, {"x": right[0], "n": "2"})


def test_what_is_made_is_what_the_parser_makes(inputs, sub):
    t = sub("types")
    cls = create_model("Paid", card=(t.CardNumber, ...), to=(t.IBAN, ...), phone=(t.PhoneNumber["US"], ...))
    made = inputs.builder_for(cls).build(card=AMEX, to=SMALL, phone=BRITISH)
    assert (made.card, made.to, made.phone) == (
        t.parse_card(AMEX),
        t.parse_iban(SMALL),
        t.parse_phone(BRITISH),
    )
    assert (made.card.brand, made.card.masked) == ("amex", "37828******0005")
    assert made.to.canonical == SMALL.upper() and made.to.country == "MT" and made.to.bank_code == "MALT"
    assert (made.phone.region, made.phone.type, made.phone.masked) == ("GB", "fixed_line", "+44 **** 18")
    theirs = cls(card=AMEX, to=SMALL, phone=BRITISH)
    assert made == theirs and made.model_fields_set == theirs.model_fields_set
    assert made.model_dump_json() == theirs.model_dump_json()
    assert made.model_dump_json(context=t.UNMASKED) == theirs.model_dump_json(context=t.UNMASKED)
    assert [pickle.dumps(a) for a in vars(made).values()] == [pickle.dumps(a) for a in vars(theirs).values()]
    assert gc.is_tracked(vars(made)) == gc.is_tracked(vars(theirs))
    assert gc.is_tracked(made.card) == gc.is_tracked(theirs.card)
    with pytest.raises(AttributeError, match="immutable"):
        made.card.canonical = CARD


# -- what is not known ---------------------------------------------------------------------------


def derived(cls: Any, **body: Any) -> Any:
    return types.new_class("Derived", (cls,), {}, lambda space: space.update({"__slots__": (), **body}))


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda t: derived(t.CardNumber), "function-wrap"),
        (lambda t: derived(t.CardNumber, _of_field=classmethod(lambda cls, *given: 1)), "function-wrap"),
        (lambda t: Annotated[t.IBAN, derived(t.IBANValidator)()], "function-wrap"),
        (lambda t: Annotated[t.PhoneNumber, derived(t.PhoneNumberValidator)()], "function-wrap"),
        (lambda t: t.CardNumber | int, "union"),
        (lambda t: t.CardNumber | t.IBAN | None, "union"),
        (lambda t: list[t.CardNumber], "list"),
        (lambda t: Annotated[t.CardNumber, AfterValidator(lambda value: value)], "function-after"),
        (lambda t: Annotated[t.CardNumber, BeforeValidator(lambda value: CARD)], "function-before"),
        (lambda t: Annotated[t.IBAN, Field(max_length=30)], "function-after"),
        (lambda t: Annotated[t.EmailAddress, AfterValidator(str.upper)], "function-after"),
        (lambda t: Annotated[t.EmailAddress, Field(max_length=30)], "function-after"),
        (lambda t: Annotated[t.NonEmptyStr, Field(max_length=3)], "function-after"),
        (lambda t: Annotated[str, t.PhoneNumberValidator(output="national")], "function-wrap"),
        (lambda t: Annotated[str, AfterValidator(str.title)], "function-after"),
    ],
)
def test_what_is_laid_around_or_derived_is_refused(inputs, sub, make, kind):
    cls = model(make(sub("types")))
    spec = inputs.analyze(cls)
    assert spec.level == 2 and f"type '{kind}'" in spec.reason
    raws = ({"x": value} for value in (CARD, IBAN, PHONE, "a@b.co", "abcd", 1))
    builder = inputs.builder_for(cls)
    for raw in raws:
        try:
            cls.__pydantic_validator__.validate_python(raw)
        except TypeError:  # a number has no length
            continue
        except ValueError:
            pass
        assert fuzz_guards.differences(builder, raw) == []


def test_a_validator_of_the_model_is_noticed(inputs, sub):
    t = sub("types")

    class Checked(BaseModel):
        card: t.CardNumber

        @field_validator("card")
        @classmethod
        def not_that_one(cls, value: Any) -> Any:
            assert value.last4 != "1111"
            return value

    assert inputs.analyze(Checked).level == 2
    assert fuzz_guards.differences(inputs.builder_for(Checked), {"card": CARD}) == []


def test_a_password_stays_with_pydantic(inputs, sub):
    pytest.importorskip("argon2")
    assert inputs.analyze(model(sub("types").HashedPassword)).level == 2


def test_html_without_nh3_is_pydantics_to_refuse(inputs, sub, monkeypatch):
    pytest.importorskip("nh3")
    html = sub("types.transformers.html")
    cls = model(html.SanitizedHTML)
    html._default.cache_clear()
    html._nh3.cache_clear()
    monkeypatch.setitem(sys.modules, "nh3", None)
    assert inputs.analyze(cls).level == 2
    with pytest.raises(ImportError, match="html"):
        inputs.builder_for(cls).build(x="plain")


def test_anothers_answer_is_not_believed(inputs):
    class Odd:
        def __foobara_guard__(self, schema: Any) -> Any:
            return {"kind": "card"}

        def check(self, value: Any) -> Any:
            return value

    assert inputs.analyze(model(Annotated[str, AfterValidator(Odd().check)])).level == 2


# -- instances and defaults ------------------------------------------------------------------------


def test_an_instance_is_judged_where_pydantic_judges_it(inputs, sub):
    t = sub("types")
    odd = [
        t.CardNumber(CARD),
        t.CardNumber(AMEX),
        t.CardNumber._made(SHORT),
        t.CardNumber._made("x"),
        derived(t.CardNumber)(CARD),
    ]
    for validator in (None, t.CreditCardValidator(brands=["visa"]), t.CreditCardValidator(min_digits=8)):
        cls = model(t.CardNumber if validator is None else Annotated[t.CardNumber, validator])
        for value in odd:
            theirs = outcome(lambda c=cls, v=value: c.__pydantic_validator__.validate_python({"x": v}).x)
            assert outcome(lambda c=cls, v=value: inputs.builder_for(c).build(x=v).x) == theirs
            assert theirs == value or isinstance(theirs, str)


def test_an_instance_that_holds_nothing_is_pydantics_to_refuse(inputs, sub):
    t = sub("types")
    for cls, validator in (
        (t.CardNumber, t.CreditCardValidator()),
        (t.IBAN, t.IBANValidator()),
        (t.IBAN, t.IBANValidator(countries=["DE"])),
        (t.PhoneNumber, t.PhoneNumberValidator()),
    ):
        empty, number = object.__new__(cls), cls._made(1)
        held = model(Annotated[cls, validator])
        for value in (empty, number):
            theirs = outcome(
                lambda h=held, v=value: h.__pydantic_validator__.validate_python({"x": v}).x is v
            )
            assert outcome(lambda h=held, v=value: inputs.builder_for(h).build(x=v).x is v) == theirs
        assert inputs.builder_for(model(cls)).build(x=empty).x is empty


def outcome(call: Any) -> Any:
    try:
        return call()
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def test_defaults_are_what_pydantic_puts_there(inputs, sub, compiled):
    t = sub("types")
    cls = create_model(
        "Defaults",
        card=(t.CardNumber, t.CardNumber(CARD)),
        to=(t.IBAN | None, None),
        raw=(t.CardNumber, "text"),
    )
    assert inputs.analyze(cls).level == 1
    alone = fuzz_guards.guard_alone(inputs, cls)
    made, theirs = alone.build(), cls()
    assert vars(made) == vars(theirs) and made.card is theirs.card and made.model_fields_set == set()
    assert alone.build(to=IBAN).to == t.parse_iban(IBAN)
    assert inputs.analyze(create_model("M", card=(t.CardNumber, t.IBAN(IBAN)))).level == 2
    assert (
        inputs.analyze(create_model("M", card=(t.CardNumber, Field(CARD, validate_default=True)))).level == 2
    )
    assert inputs.analyze(create_model("M", card=(t.CardNumber, Field(alias="number")))).level == 2


# -- what is called --------------------------------------------------------------------------------


@pytest.fixture
def branded(sub):
    t = sub("types")
    return model(Annotated[t.CardNumber, t.CreditCardValidator(brands=["visa"])], n=(int, 1))


def doors(builder: Any) -> tuple[Any, ...]:
    return (
        lambda: builder.build(x=CARD),
        lambda: builder.build_dict({"x": CARD, "n": 2}),
        lambda: builder.build_args(("x",), (CARD,)),
        lambda: builder.judge_args(("x",), (CARD,)),
        lambda: builder.judge_args(("x", "n"), (CARD, "x")),
        lambda: builder.build_json(f'{{"x":"{CARD}"}}'),
    )


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, RuntimeError, MemoryError])
def test_what_a_check_raises_is_raised(inputs, sub, branded, monkeypatch, kind):
    builder = inputs.builder_for(branded)

    def fail(number: str) -> Any:
        raise kind("stop")

    monkeypatch.setattr(sub("types.validators.cards"), "brand_of", fail)
    for door in doors(builder):
        with pytest.raises(kind, match="stop"):
            door()
    monkeypatch.undo()
    assert builder.build(x=CARD).x.canonical == CARD


def test_an_interrupted_run_ends_as_any_interrupted_run(fa, sub, branded, monkeypatch):
    seen: list[Any] = []

    def before(command: Any) -> None:
        return None

    body = {"execute": lambda self: seen.append(self)}
    plain, called = (
        types.new_class("Pay", (fa.Command[branded, Any],), {}, lambda space: space.update(body))
        for _ in "12"
    )
    called.before_execute_transition(before)
    for cls in (plain, called):
        assert cls.run(x=CARD).is_success()

    def fail(number: str) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(sub("types.validators.cards"), "brand_of", fail)
    for cls in (plain, called):
        with pytest.raises(KeyboardInterrupt):
            cls.run(x=CARD)
    assert len(seen) == 2
    monkeypatch.undo()
    assert all(cls.run(x=CARD).is_success() for cls in (plain, called))


def test_other_phone_metadata_is_noticed(inputs, sub, compiled):
    t, phone, numbering = sub("types"), sub("_backend").phone, sub("types._numbering")
    alone = fuzz_guards.guard_alone(inputs, model(t.PhoneNumber["US"]))
    assert fuzz_guards.takes(alone, {"x": PHONE})
    try:
        phone.use(["US"], b"", 0, b"")
        assert not fuzz_guards.takes(alone, {"x": PHONE})
    finally:
        numbering._prepare()
    assert fuzz_guards.takes(alone, {"x": PHONE})


def test_a_caller_that_changes_its_dict_meanwhile_harms_nothing(inputs, sub, branded, monkeypatch):
    builder = inputs.builder_for(branded)
    raw = {"x": CARD, "n": 10**6 + 7}

    def look(number: str) -> str:
        raw.clear()
        gc.collect()
        return "visa"

    monkeypatch.setattr(sub("types.validators.cards"), "brand_of", look)
    if "pure" not in inputs.guards.__name__:
        made = builder.build_dict(raw)
        assert (made.x.canonical, made.n, raw) == (CARD, 10**6 + 7, {})


def test_what_a_signal_handler_raises_meanwhile_is_not_lost(fa, sub, branded, monkeypatch):
    class Alarm(Exception):
        pass

    cls = types.new_class(
        "Pay", (fa.Command[branded, Any],), {}, lambda space: space.update(execute=lambda self: 1)
    )
    told: list[str] = []

    def look(number: str) -> str:
        told.append(number)
        if len(told) == 1:
            raise Alarm
        return "visa"

    monkeypatch.setattr(sub("types.validators.cards"), "brand_of", look)
    with pytest.raises(Alarm):
        cls.run(x=CARD)
    assert cls.run(x=CARD).is_success()


# -- commands --------------------------------------------------------------------------------------


def test_a_command_knows_its_inputs_as_they_came(fa, sub):
    t = sub("types")
    held = create_model("Held", card=(t.CardNumber, ...), cents=(int, 1))
    kept: list[Any] = []
    body = {"execute": lambda self: kept.append(self)}
    cls = types.new_class("Pay", (fa.Command[held, Any],), {}, lambda space: space.update(body))
    for card in (CARD, t.CardNumber(CARD)):
        assert cls.run(card=card, cents=5).is_success()
        command = kept.pop()
        assert command._raw_inputs == {"card": card, "cents": 5}
        assert type(command._raw_inputs["card"]) is type(card)
        assert command.inputs == held(card=card, cents=5)


def test_a_refusal_is_pydantics_with_the_number_hidden(fa, sub):
    t = sub("types")
    held = create_model("Held", card=(t.CardNumber, ...), to=(t.IBAN, ...), cents=(int, ...))
    body = {"execute": lambda self: None}
    cls = types.new_class("Pay", (fa.Command[held, Any],), {}, lambda space: space.update(body))
    wrong = CARD[:-1] + "2"
    for _ in range(3):
        outcome = cls.run(card=wrong, to=IBAN, cents="x")
        assert [error.symbol for error in outcome.errors] == ["card_number", "int_parsing"]
        assert wrong not in repr(outcome.to_dict()) and IBAN not in outcome.to_json_bytes().decode()
        outcome = cls.run(card=CARD, to=[IBAN], cents="x")
        assert [error.symbol for error in outcome.errors] == ["string_type", "int_parsing"]
        outcome = cls.run(card=CARD)
        assert [error.symbol for error in outcome.errors] == ["missing", "missing"]
        assert CARD not in repr(outcome.to_dict())


def test_many_instances_cost_no_memory_that_stays(inputs, sub):
    t = sub("types")
    cls = create_model(
        "Held",
        card=(Annotated[t.CardNumber, t.CreditCardValidator(lenient=True, brands=["visa"])], ...),
        to=(t.IBAN, ...),
        phone=(t.PhoneNumber, ...),
        mail=(t.EmailAddress, " A@B.co "),
        x=(Any, None),
    )
    builder = inputs.builder_for(cls)
    marker, card, iban, phone = [object()], f"{CARD[:8]} {CARD[8:]}", "".join([IBAN]), "".join([PHONE])
    raw = {"card": card, "to": iban, "phone": phone, "x": marker}
    builder.build(**raw)
    gc.collect()
    held = (marker, card, iban, phone, t.CardNumber, t.IBAN, t.PhoneNumber)
    counts = [sys.getrefcount(each) for each in held]
    for _ in range(500):
        builder.build(**raw)
        builder.build(**raw, mail="a@b.co")
        builder.build_dict(raw)
        builder.build_args(tuple(raw), tuple(raw.values()))
        builder.build_json(f'{{"card":"{CARD}","to":"{IBAN}","phone":"{PHONE}","x":1}}')
        for wrong in ({"card": AMEX}, {"to": "x"}, {"phone": 1}, {"mail": "x"}, {"x": marker, "other": 1}):
            outcome(lambda w=wrong: builder.build(**{**raw, **w}))
            outcome(lambda w=wrong: builder.judge_args(tuple({**raw, **w}), tuple({**raw, **w}.values())))
    del wrong
    gc.collect()
    assert [sys.getrefcount(each) for each in held] == counts


def test_a_model_without_such_a_field_loads_none_of_the_types():
    code = """
import sys
from pydantic import BaseModel, field_validator
from foobara_accel.core.inputs import analyze

class Plain(BaseModel):
    a: int

    @field_validator("a")
    @classmethod
    def check(cls, value):
        return value

assert analyze(Plain).level == 2
print([name for name in sys.modules if name.startswith("foobara_accel.types.")])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
