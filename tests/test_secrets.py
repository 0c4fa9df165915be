"""Secrets, card numbers and IBANs stay out of errors, outcomes, logs, pickles and manifests."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import datetime
import gc
import json
import logging
import pickle
import pprint
import types
import typing
import uuid
import warnings
import weakref
import zoneinfo
from types import ModuleType
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, TypeVar

import pydantic
import pydantic_core
import pytest
import typing_extensions
from pydantic import (
    AfterValidator,
    AliasChoices,
    AliasPath,
    Base64Str,
    BaseModel,
    ByteSize,
    ConfigDict,
    Field,
    ImportString,
    Json,
    PlainSerializer,
    RootModel,
    Secret,
    SecretBytes,
    SecretStr,
    SerializeAsAny,
    TypeAdapter,
    computed_field,
    create_model,
    field_serializer,
    model_serializer,
    model_validator,
)
from pydantic_core import PydanticCustomError

SECRET = "hunter2-the-secret"
CARD, WRONG_CARD = "4111111111111111", "4111111111111112"
IBAN, WRONG_IBAN = "GB82WEST12345698765432", "GB83WEST12345698765432"


class Inner(BaseModel):
    pin: SecretStr
    n: int


class Nothing(BaseModel):
    pass


class Plain(BaseModel):
    user: int
    password: SecretStr


class Nested(BaseModel):
    inner: Inner
    inners: list[Inner] = []
    named: dict[str, Inner] = {}
    maybe: Inner | None = None
    n: int = 0


class Containers(BaseModel):
    many: list[SecretStr] = []
    named: dict[str, SecretStr] = {}
    pair: tuple[int, SecretBytes] = (1, SecretBytes(b""))
    either: int | SecretStr = 1
    text: Json[Inner] | None = None
    n: int = 0


class Code(Secret[int]):
    """Secret as a base."""


S = TypeVar("S")


class Boxed(Secret[S], Generic[S]):
    """Secret as a base that stays generic."""


class Generics(BaseModel):
    number: Secret[int] = Secret[int](0)
    code: Code = Code(0)
    boxed: Boxed[int] = Boxed[int](0)
    many: list[Secret[int] | None] = []
    n: int = 0


class Cat(BaseModel):
    kind: Literal["cat"]


class Dog(BaseModel):
    kind: Literal["dog"]


class Owner(BaseModel):
    pet: Annotated[Cat | Dog, Field(discriminator="kind")]
    pin: SecretStr = SecretStr("")


class Safe(BaseModel):
    owners: list[Owner]


class Closed(BaseModel):
    model_config = ConfigDict(extra="forbid")
    password: Annotated[SecretStr, Field(min_length=100)]
    n: int = 0

    @model_validator(mode="after")
    def refuse(self) -> Any:
        raise ValueError("refused")


CASES: list[tuple[type[BaseModel], dict[str, Any]]] = [
    (Plain, {"password": SECRET}),
    (Plain, {"user": "x", "password": SECRET}),
    (Plain, {"user": 1, "password": [SECRET]}),
    (Nested, {"inner": {"pin": SECRET}}),
    (Nested, {"inner": [SECRET]}),
    (Nested, {"inner": {"pin": SECRET, "n": "x"}, "n": "y"}),
    (Nested, {"inner": {"pin": SECRET, "n": 1}, "inners": [{"pin": SECRET}]}),
    (Nested, {"inner": {"pin": SECRET, "n": 1}, "named": {"k": {"pin": SECRET}}, "maybe": [SECRET]}),
    (Containers, {"many": [SECRET, 1]}),
    (Containers, {"many": SECRET, "named": [SECRET]}),
    (Containers, {"named": {"a": 1, "b": SECRET}}),
    (Containers, {"pair": ["x", SECRET]}),
    (Containers, {"pair": [SECRET], "either": [SECRET]}),
    (Containers, {"text": json.dumps({"pin": SECRET})}),
    (Containers, {"text": '{"pin": "' + SECRET}),
    (Generics, {"number": SECRET}),
    (Generics, {"code": SECRET, "n": "x"}),
    (Generics, {"boxed": SECRET}),
    (Generics, {"many": [SECRET]}),
    (Safe, {"owners": [{"pet": {"kind": SECRET}}, {"pet": {"kind": SECRET * 3, "n": "x"}}]}),
    (Closed, {"password": SECRET}),
    (Closed, {"password": SECRET * 20}),
    (Closed, {"passwrod": SECRET}),
]


def command(fa: ModuleType, model: type[BaseModel], **body: Any) -> Any:
    return types.new_class("Guarded", (fa.Command[model, Any],), {}, lambda space: space.update(body))


def shown(outcome: Any) -> str:
    """Everything that somebody may look at, write down or send."""
    parts: list[Any] = [
        repr(outcome),
        outcome.to_dict(),
        outcome.to_json_bytes().decode(),
        outcome.to_problem(),
        pickle.dumps(outcome).decode("latin1"),
        copy.deepcopy(outcome),
    ]
    for error in outcome.errors:
        parts += [repr(error), str(error), error.to_dict(), error.key(), error.message]
        parts.append(pickle.dumps(error).decode("latin1"))
    try:
        outcome.unwrap()
    except ValueError as error:
        parts += [str(error), repr(error), getattr(error, "__notes__", "")]
    return "\n".join(str(part) for part in parts)


@pytest.mark.parametrize("echo", [False, True], ids=["quiet", "echoing"])
def test_failing_inputs_show_no_secret(fa: ModuleType, echo: bool, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for model, raw in CASES:
        cls = command(fa, model, echo_inputs=echo, _log_failures=True)
        outer = command(
            fa,
            Plain,
            execute=lambda self, cls=cls, raw=raw: self.run_subcommand_bang(cls, **raw),
            _log_failures=True,
        )
        text = json.dumps(raw).encode()
        for outcome in (
            cls.run(**raw),
            cls(**raw).run_instance(),
            cls.run_json(text),
            cls.run_json(text[:-1]),
            outer.run(user=1, password=SECRET),
        ):
            assert outcome.is_failure() and SECRET not in shown(outcome), (model, raw)
    assert caplog.records and SECRET not in caplog.text


def test_a_missing_field_does_not_echo_what_surrounds_it(fa: ModuleType) -> None:
    class Open(BaseModel):
        password: str
        user: int

    outcome = command(fa, Open, echo_inputs=True).run(password=SECRET)
    assert outcome.errors[0].context == {} and SECRET not in shown(outcome)


class InDict(typing_extensions.TypedDict):
    password: SecretStr


@dataclasses.dataclass
class InData:
    password: SecretStr


class InTuple(NamedTuple):
    password: SecretStr


@dataclasses.dataclass
class NotKnown:
    password: Nowhere  # type: ignore[name-defined]  # noqa: F821


Password = NewType("Password", SecretStr)
AnyPassword = TypeVar("AnyPassword", bound=SecretStr)


class InGeneric(BaseModel, Generic[AnyPassword]):
    password: AnyPassword


@pytest.mark.parametrize("hint", [InDict, InData, InTuple, Password, InGeneric, InDict | None], ids=str)
def test_a_secret_is_found_wherever_pydantic_looks(fa: ModuleType, hint: Any) -> None:
    model = create_model("Home", home=(hint, ...))
    for raw in ({"password": [SECRET]}, [[SECRET]], SECRET, 1):
        outcome = command(fa, model, echo_inputs=True).run(home=raw)
        assert outcome.is_success() or (outcome.errors[0].context == {} and SECRET not in shown(outcome))


def test_a_class_whose_annotations_cannot_be_read_may_hold_a_secret(sub: Any) -> None:
    reports = sub("_reports")
    assert reports._sensitive_type(NotKnown, {}) and not reports._sensitive_type(typing.Union, {})


def test_the_tag_of_a_union_is_input_too(fa: ModuleType) -> None:
    class Home(BaseModel):
        n: int
        pet: Annotated[Cat | Dog, Field(discriminator="kind")]

    raw: dict[str, Any] = {"n": "x", "pet": {"kind": CARD}}
    rest = "found using 'kind' does not match any of the expected tags: 'cat', 'dog'"
    for run in (lambda c: c.run(**raw), lambda c: c.run_json(json.dumps(raw))):
        quiet = run(command(fa, Home))
        assert [error.symbol for error in quiet.errors] == ["int_parsing", "union_tag_invalid"]
        assert quiet.errors[1].message == f"Input tag {rest}" and CARD not in shown(quiet)
        echoed = run(command(fa, Home, echo_inputs=True)).errors[1]
        assert echoed.message == f"Input tag '{CARD}' {rest}" and echoed.context == {"input": raw["pet"]}


def test_a_message_of_ones_own_under_that_symbol_stays(fa: ModuleType) -> None:
    class Own(BaseModel):
        n: int

        @model_validator(mode="before")
        @classmethod
        def refuse(cls, data: Any) -> Any:
            raise PydanticCustomError("union_tag_invalid", "Input tag 'x' found, of mine")

    assert command(fa, Own).run(n=1).errors[0].message == "Input tag 'x' found, of mine"


def test_a_rollback_that_fails_is_noted_without_its_text(fa: ModuleType) -> None:
    class Handler:
        def begin(self) -> None: ...

        def commit(self) -> None: ...

        def rollback(self) -> None:
            raise RuntimeError(SECRET)

    def validate(self: Any) -> None:
        raise LookupError("first")

    config = fa.TransactionConfig.with_handler(Handler)
    with pytest.raises(LookupError) as caught:
        command(fa, Plain, validate=validate, _transaction_config=config).run(user=1, password="x")
    assert SECRET not in "".join(caught.value.__notes__)


def test_secrets_in_a_context_are_hidden_when_it_is_written(fa: ModuleType) -> None:
    context = {
        "pin": SecretStr(SECRET),
        "deep": [{"pins": (SecretBytes(SECRET.encode()),)}],
        "m": Inner(pin=SECRET, n=1),
    }
    error = fa.FoobaraError(symbol="s", context=context)
    assert SECRET not in repr(error) and SECRET not in error.to_json_bytes().decode()
    problem = fa.CommandOutcome.from_errors(error).to_problem()
    assert SECRET not in json.dumps(problem, default=str)


@pytest.mark.parametrize("depth", ["error", "cause", "context"])
def test_an_error_in_a_result_writes_itself(fa: ModuleType, depth: str) -> None:
    class Mark:
        __foobara_sensitive__ = True

    class Account(BaseModel):
        pin: Annotated[str, Mark()]

    class Coded(fa.FoobaraError):
        def to_dict(self) -> dict[str, Any]:
            return {**super().to_dict(), "status": 404}

    class Anything(BaseModel):
        held: Any

    class Extra(BaseModel, extra="allow"):
        pass

    class Wrapped(Anything):
        @model_serializer(mode="wrap")
        def write(self, handler: Any) -> Any:
            return handler(self)

    class Written(Anything):
        @field_serializer("held")
        def write(self, value: Any) -> str:
            return "mine"

    error = Coded(symbol="s", context={"account": Account(pin=SECRET)})
    if depth == "cause":
        error = fa.FoobaraError(symbol="o", cause=error)
    elif depth == "context":
        error = fa.FoobaraError(symbol="o", context={"inner": [error]})
    wanted = json.loads(error.to_json_bytes())
    assert SECRET not in json.dumps(wanted) and "404" in json.dumps(wanted)
    for given in (Anything(held=error), Extra(held=error)):
        assert json.loads(fa.CommandOutcome(given).to_json_bytes())["result"] == {"held": wanted}
    for nested in (Anything(held=[error]), Anything(held={"a": Anything(held=error)})):
        written = fa.CommandOutcome(nested).to_json_bytes()
        assert SECRET.encode() not in written and b'"status":404' in written
    assert json.loads(fa.CommandOutcome(Wrapped(held=error)).to_json_bytes())["result"] == "**********"
    plain = fa.FoobaraError(symbol="s", context={"n": 1})
    assert b'"symbol":"s"' in fa.CommandOutcome(Wrapped(held=plain)).to_json_bytes()
    assert json.loads(fa.CommandOutcome(Written(held=error)).to_json_bytes())["result"] == {"held": "mine"}
    for holder in (Anything(held=error), [error], {"a": error}):
        assert SECRET not in repr(fa.CommandOutcome(holder))


def test_defaults_that_are_secret_stay_out_of_the_manifest(fa: ModuleType, sub: Any) -> None:
    class Defaulted(BaseModel):
        password: SecretStr = SecretStr(SECRET)

    cls = command(fa, Defaulted)
    for view in (cls.manifest(), cls.reflect().to_dict(), cls.inputs_schema()):
        assert SECRET not in str(view)
    assert SECRET.encode() not in sub("core.manifest").manifest_bytes(cls)


@pytest.mark.parametrize("echo", [False, True], ids=["quiet", "echoing"])
def test_card_numbers_and_ibans_as_inputs(fa: ModuleType, echo: bool) -> None:
    class Pay(BaseModel):
        card: fa.CardNumber
        iban: fa.IBAN
        n: int
        more: list[fa.CardNumber] = []

    cls = command(fa, Pay, execute=lambda self: self.inputs, echo_inputs=echo)
    done = cls.run(card=CARD, iban=IBAN, n=1, more=[CARD])
    assert done.result.card.canonical == CARD and done.result.iban.canonical == IBAN
    assert CARD not in repr(done) and CARD not in done.to_json_bytes().decode()
    assert IBAN not in repr(done) and IBAN not in done.to_json_bytes().decode()
    for raw in (
        {"card": CARD, "iban": IBAN, "n": "x"},
        {"card": CARD, "iban": IBAN},
        {"card": WRONG_CARD, "iban": WRONG_IBAN, "n": 1},
        {"card": [CARD], "iban": {"canonical": IBAN}, "n": 1},
        {"card": CARD, "iban": IBAN, "n": 1, "more": [WRONG_CARD]},
    ):
        for outcome in (cls.run(**raw), cls.run_json(json.dumps(raw))):
            assert outcome.is_failure()
            assert not [number for number in (CARD, WRONG_CARD, IBAN, WRONG_IBAN) if number in shown(outcome)]
    wrong = cls.run(card=WRONG_CARD, iban=WRONG_IBAN, n=1).errors
    assert [(error.symbol, error.path) for error in wrong] == [
        ("card_number", ("card",)),
        ("iban", ("iban",)),
    ]
    assert wrong[0].message == "card number has a wrong check digit (Luhn)"


def test_card_numbers_and_ibans_in_a_context(fa: ModuleType) -> None:
    parsed = {"card": fa.parse_card(CARD), "ibans": [fa.parse_iban(IBAN)]}
    error = fa.FoobaraError(symbol="s", context=parsed)
    for text in (
        repr(error),
        str(error),
        error.to_json_bytes().decode(),
        f"{parsed['card']}",
        str(parsed["ibans"]),
    ):
        assert CARD not in text and IBAN not in text
    found = fa.ErrorCollection()
    found.add(error)
    assert CARD not in found.to_human_readable() and IBAN not in found.to_human_readable()


def test_card_numbers_and_ibans_are_pydantic_types(fa: ModuleType) -> None:
    card, iban = TypeAdapter(fa.CardNumber), TypeAdapter(fa.IBAN)
    made = card.validate_python(CARD)
    assert made == fa.parse_card(CARD) and card.validate_python(made) is made
    assert card.validate_json(f'"{CARD}"') == made and iban.validate_python(IBAN) == fa.parse_iban(IBAN)
    assert card.dump_python(made) is made and card.dump_json(made) == b'"411111******1111"'
    assert card.json_schema()["type"] == iban.json_schema()["type"] == "string"
    for adapter, wrong in (
        (card, WRONG_CARD),
        (iban, WRONG_IBAN),
        (card, ""),
        (iban, {"canonical": IBAN}),
        (card, 5),
    ):
        with pytest.raises(ValueError):
            adapter.validate_python(wrong)


class Holder(BaseModel):
    x: Any


@dataclasses.dataclass
class HeldBy:
    x: Any


def test_parsed_numbers_are_masked_by_every_writer(fa: ModuleType) -> None:
    card, iban = fa.parse_card(CARD), fa.parse_iban(IBAN)
    both = {"card": card, "ibans": [iban]}

    class Kept(BaseModel):
        error: fa.FoobaraError
        outcome: fa.CommandOutcome

    cls = command(fa, Holder, execute=lambda self: self.inputs, echo_inputs=True)
    error = fa.FoobaraError(symbol="x", context={"m": Holder(x=both), "d": HeldBy(both), **both})
    done = fa.CommandOutcome(result=both, metadata=both)
    kept, held = Kept(error=error, outcome=done), TypeAdapter(dict[str, Any])
    written = {
        "run": cls.run(x=both).to_json_bytes(),
        "error": error.to_json_bytes(),
        "outcome": done.to_json_bytes(),
        "to_json": pydantic_core.to_json(both),
        "to_jsonable_python": pydantic_core.to_jsonable_python(both),
        "model_dump": Holder(x=both).model_dump(),
        "model_dump json": Holder(x=both).model_dump(mode="json"),
        "model_dump_json": Holder(x=both).model_dump_json(),
        "kept": kept.model_dump(),
        "kept json": kept.model_dump_json(),
        "adapter": held.dump_json(both),
        "adapter python": held.dump_python(both),
        "asdict": dataclasses.asdict(HeldBy(both)),
        "json": json.dumps(both, default=str),
        "pprint": pprint.pformat([both, error, done]),
    }
    assert [name for name, text in written.items() if CARD in str(text) or IBAN in str(text)] == []
    assert pydantic_core.to_json(both) == b'{"card":"411111******1111","ibans":["GB82 **** 5432"]}'
    assert Holder(x=card).model_dump()["x"] is card


@pytest.mark.parametrize(
    "write", [json.dumps, dataclasses.asdict, vars, dict], ids=lambda each: each.__name__
)
def test_what_writes_objects_field_by_field_finds_none(fa: ModuleType, write: Any) -> None:
    for parsed in (fa.parse_card(CARD), fa.parse_iban(IBAN)):
        with pytest.raises(TypeError):
            write(parsed)
        assert not dataclasses.is_dataclass(parsed)


def test_orjson_refuses_parsed_numbers(fa: ModuleType) -> None:
    orjson = pytest.importorskip("orjson")
    for parsed in (fa.parse_card(CARD), fa.parse_iban(IBAN)):
        with pytest.raises(TypeError):
            orjson.dumps(parsed)
    assert orjson.dumps(fa.parse_card(CARD), default=str) == b'"411111******1111"'


def test_defaults_that_are_parsed_numbers_are_masked_in_schema_and_manifest(fa: ModuleType, sub: Any) -> None:
    class Inside(BaseModel):
        iban: fa.IBAN = fa.parse_iban(IBAN)

    class Defaulted(BaseModel):
        card: fa.CardNumber = fa.parse_card(CARD)
        cards: list[fa.CardNumber] = [fa.parse_card(CARD)]
        inside: Inside = Inside()
        either: Any = fa.parse_card(CARD)

    cls = command(fa, Defaulted)
    views = [cls.manifest(), cls.reflect().to_dict(), cls.inputs_schema(), Defaulted.model_json_schema()]
    views.append(sub("core.manifest").manifest_bytes(cls))
    assert [view for view in views if CARD in str(view) or IBAN in str(view)] == []
    assert cls.inputs_schema()["properties"]["card"]["default"] == "411111******1111"


def test_parsed_numbers_cannot_be_changed(fa: ModuleType) -> None:
    for parsed in (fa.parse_card(CARD), fa.parse_iban(IBAN)):
        before = hash(parsed)
        for change in (
            lambda each: setattr(each, "canonical", "x"),
            lambda each: setattr(each, "other", "x"),
            lambda each: delattr(each, "canonical"),
        ):
            with pytest.raises(AttributeError, match="is immutable"):
                change(parsed)
        assert hash(parsed) == before and parsed == copy.copy(parsed) != object()


class Mark:
    __foobara_sensitive__ = True


Pin = Annotated[str, Mark()]
AliasedPin = typing_extensions.TypeAliasType("AliasedPin", Pin)
PIN = "1234-pin"


class Acc(BaseModel):
    owner: str = "Ada"
    pin: Pin = PIN
    left: int = 0


class Later(Acc):
    """A subclass where its base is declared."""


class Marked:
    __foobara_sensitive__ = True

    def __repr__(self) -> str:
        return PIN


class MarkedText(str):
    __foobara_sensitive__ = True


@dataclasses.dataclass
class AccData:
    pin: Pin = PIN
    n: int = 1


@pydantic.dataclasses.dataclass
class AccPydantic:
    pin: Pin = PIN
    n: int = 1


class AccTuple(NamedTuple):
    pin: Pin = PIN
    n: int = 1


class AccDict(typing_extensions.TypedDict):
    pin: Pin
    n: int


class Typed(BaseModel):
    pin: AliasedPin = PIN
    pins: list[Pin] = [PIN]
    either: int | Pin = PIN
    named: AccDict = {"pin": PIN, "n": 1}
    text: MarkedText = MarkedText(PIN)
    n: int = 1
    model_config = ConfigDict(arbitrary_types_allowed=True)


class Around(BaseModel):
    acc: Acc = Acc()
    accs: list[Acc] = [Acc()]
    named: dict[str, Acc | None] = {"a": Acc(), "b": None}
    data: AccData = AccData()
    pair: AccTuple = AccTuple()
    more: Around | None = None
    at: datetime.date = datetime.date(2026, 1, 2)


class Open(BaseModel):
    x: Any = Acc()
    y: dict = {"deep": [(AccPydantic(), Later())]}  # type: ignore[type-arg]
    z: SerializeAsAny[BaseModel] = Acc()
    n: int = 1


class Extra(BaseModel):
    model_config = ConfigDict(extra="allow")
    n: int = 1


class Written(BaseModel):
    first: Annotated[Acc, PlainSerializer(lambda acc: acc.model_dump())] = Acc()
    second: Acc = Acc()
    at: Annotated[int, PlainSerializer(lambda n: f"n={n}")] = 1

    @field_serializer("second")
    def _second(self, acc: Acc) -> Any:
        return acc.model_dump()


class WrittenWhole(BaseModel):
    pin: Pin = PIN

    @model_serializer
    def _whole(self) -> Any:
        return {"pin": self.pin}


class Named(BaseModel):
    model_config = ConfigDict(serialize_by_alias=True)
    pin: Pin = Field(PIN, serialization_alias="thePin")
    gone: Pin = Field(PIN, exclude=True)
    n: int = Field(1, serialization_alias="theN")


class Root(RootModel[Pin]):
    root: Pin = PIN


class RootAround(RootModel[list[Acc]]):
    root: list[Acc] = [Acc()]


B = TypeVar("B")


class Box(BaseModel, Generic[B]):
    inside: B


HID = "**********"
ACC = {"owner": "Ada", "pin": HID, "left": 0}
HOLDERS: list[tuple[Any, Any]] = [
    (Acc(), ACC),
    (Typed(), {"pin": HID, "pins": HID, "either": HID, "named": HID, "text": HID, "n": 1}),
    (
        Around(more=Around()),
        (
            around := {
                "acc": ACC,
                "accs": [ACC],
                "named": {"a": ACC, "b": None},
                "data": {"pin": HID, "n": 1},
                "pair": [HID, 1],
                "more": None,
                "at": "2026-01-02",
            }
        )
        | {"more": around},
    ),
    (Open(), {"x": ACC, "y": {"deep": [[{"pin": HID, "n": 1}, ACC]]}, "z": ACC, "n": 1}),
    (Extra(pin=Acc(), m=2), {"n": 1, "m": 2, "pin": ACC}),
    (Written(), {"first": HID, "second": HID, "at": "n=1"}),
    (WrittenWhole(), HID),
    (Root(), HID),
    (RootAround(), [ACC]),
    (Box[Pin](inside=PIN), {"inside": HID}),
    (Box[Any](inside={"a": Acc()}), {"inside": {"a": ACC}}),
    (AccData(), {"pin": HID, "n": 1}),
    (AccPydantic(), {"pin": HID, "n": 1}),
    (AccTuple(), [HID, 1]),
    (HeldBy([Acc()]), {"x": [ACC]}),
    (Marked(), HID),
    ({Marked(): 1}, {HID: 1}),
    ({MarkedText(PIN): 1}, {HID: 1}),
    (Holder(x=Marked()), {"x": HID}),
    ([{"a": (Acc(), {"b"})}], [{"a": [ACC, ["b"]]}]),
]


@pytest.mark.parametrize(("held", "written"), HOLDERS, ids=lambda each: type(each).__name__)
def test_a_marked_field_is_hidden_when_its_holder_is_the_value(
    fa: ModuleType, held: Any, written: Any
) -> None:
    error = fa.FoobaraError(symbol="s", context={"acc": held})
    done, failed = fa.CommandOutcome(result=held, metadata={"m": held}), fa.CommandOutcome.from_errors(error)
    assert json.loads(error.to_json_bytes())["context"] == {"acc": written}
    assert json.loads(done.to_json_bytes())["result"] == written
    assert json.loads(done.to_json_bytes())["metadata"] == {"m": written}
    found = fa.ErrorCollection()
    found.add(error)

    class Kept(BaseModel):
        error: fa.FoobaraError
        outcome: fa.CommandOutcome

    looks = [
        repr(error),
        str(error),
        repr(done),
        repr(failed),
        repr(found),
        found.to_human_readable(),
        json.dumps(failed.to_problem()),
        Kept(error=error, outcome=done).model_dump_json(),
        Kept(error=error, outcome=failed).model_dump_json(),
    ]
    assert [look for look in looks if PIN in look] == [] and HID in looks[0] and HID in looks[2]


@pytest.mark.skipif("serialize_by_alias" not in ConfigDict.__annotations__, reason="new in Pydantic 2.11")
def test_the_alias_of_a_hidden_field_stays(fa: ModuleType) -> None:
    context = json.loads(fa.FoobaraError(symbol="s", context={"x": Named()}).to_json_bytes())["context"]
    assert context == {"x": {"thePin": HID, "theN": 1}}


@pytest.mark.parametrize(("held", "written"), HOLDERS, ids=lambda each: type(each).__name__)
def test_a_holder_of_a_marked_field_is_not_echoed(fa: ModuleType, held: Any, written: Any) -> None:
    class Takes(BaseModel):
        acc: list[int]
        n: int

    for value in (held, [held], {"k": held}):
        outcome = command(fa, Takes, echo_inputs=True).run(acc=value, n="x")
        assert outcome.errors[0].context == {} and outcome.errors[-1].context == {"input": "x"}
        assert PIN not in repr(outcome) and PIN not in outcome.to_json_bytes().decode()


def test_what_is_taken_out_of_a_holder_is_not_echoed_either(fa: ModuleType) -> None:
    class Reads(BaseModel):
        model_config = ConfigDict(from_attributes=True)
        pin: int
        owner: int

    class Canonical(BaseModel):
        model_config = ConfigDict(from_attributes=True)
        canonical: bool

    class Takes(BaseModel):
        acc: Reads = Field(validation_alias=AliasChoices("account", AliasPath("accs", 0)))
        plain: Reads

    class TakesCard(BaseModel):
        card: Canonical

    outcome = command(fa, TakesCard, echo_inputs=True).run(card=fa.parse_card(CARD))
    assert outcome.errors[0].context == {} and CARD not in shown(outcome)
    raw = {"owner": "Bob", "pin": "5x"}
    echoing = command(fa, Takes, echo_inputs=True)
    for given in ({"account": Acc()}, {"accs": [Acc()]}):
        for outcome in (echoing.run(**given, plain=raw), echoing(**given, plain=raw).run_instance()):
            contexts = [error.context for error in outcome.errors]
            assert contexts == [{}, {}, {"input": "5x"}, {"input": "Bob"}]


class BeforeIt(BaseModel):
    pin: Annotated[Pin, pydantic.BeforeValidator(str), Field(alias="thePin")] = PIN


@pytest.mark.parametrize(
    "model",
    [
        *(Acc, Around, Open, Written, WrittenWhole, Named, Root, RootAround, BeforeIt),
        create_model("Typed", pin=(AliasedPin, PIN), pins=(list[Pin], [PIN]), either=(int | Pin, PIN)),
        create_model("OfDict", named=(AccDict, {"pin": PIN, "n": 1})),
        create_model("Deep", inside=(list[Acc | None], [Acc(), None])),
        create_model("OfData", data=(AccData, AccData()), more=(AccPydantic, AccPydantic()), n=(int, 5)),
        create_model("OfTuple", pair=(AccTuple, AccTuple())),
        create_model("OfAny", anything=(Any, Marked())),
    ],
    ids=lambda model: model.__name__,
)
def test_a_default_of_a_marked_field_is_in_no_schema(fa: ModuleType, sub: Any, model: Any) -> None:
    cls = command(fa, model)
    types_of = sub("core.registry").TypeRegistry()
    types_of.register("Held", model)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # Pydantic's own would name a default that JSON has no form for
        views = [cls.manifest(), cls.reflect().to_dict(), cls.inputs_schema(), types_of.get_all_schemas()]
    assert [view for view in views if PIN in json.dumps(view, default=str)] == []
    assert "required" not in cls.inputs_schema()


def test_defaults_beside_a_marked_one_stay(fa: ModuleType) -> None:
    found = command(fa, Acc).inputs_schema()["properties"]
    assert {name: field.get("default") for name, field in found.items()} == {
        "owner": "Ada",
        "pin": None,
        "left": 0,
    }


@pytest.mark.parametrize("call", ["run_subcommand", "run_subcommand_bang", "map"])
@pytest.mark.parametrize("how", ["model", "text"])
def test_a_value_in_the_place_of_a_class_is_not_repeated(
    fa: ModuleType, sub: Any, how: str, call: str
) -> None:
    class Takes(BaseModel):
        pin: str = SECRET

    class Sub(fa.Command[Takes, str]):
        pass

    class Outer(fa.Command[Takes, Any]):
        def execute(self) -> Any:
            given = {"model": self.inputs, "text": SECRET}[how]
            if call == "map":
                return self.run_mapped_subcommand(Sub, {}, to=given)
            return getattr(self, call)(given)

    outcome = Outer.run()
    assert SECRET not in shown(outcome)
    assert {"model": "Takes", "text": "str"}[how] in outcome.errors[0].message

    class Later(fa.AsyncCommand[Takes, Any]):
        async def execute(self) -> Any:
            return await self.run_subcommand(self.inputs)

    assert SECRET not in shown(asyncio.run(Later.run()))
    Later.timeout = SECRET
    with pytest.raises(TypeError, match="not a str"):
        asyncio.run(Later.run())
    with pytest.raises(TypeError, match="not a Takes"):
        sub("types.cache").ValidationCache.get_validator(Takes())


def test_the_text_of_every_field_and_of_a_success_hides_what_is_marked(fa: ModuleType, sub: Any) -> None:
    text = MarkedText(PIN)
    for fields in (
        {"message": text},
        {"suggestion": text},
        {"path": (text,)},
        {"stack_trace": [text]},
        {"cause": Marked()},
        {"cause": fa.FoobaraError(message=text)},
    ):
        error = fa.FoobaraError(**{"symbol": "s", **fields})
        assert PIN not in repr(error) and HID in repr(error), fields
    outcomes = sub("core.outcome")
    assert repr(outcomes.Success(Acc())) == f"Success(result=Acc({HID}))"
    assert repr(outcomes.Success([1, "a"])) == "Success(result=[1, 'a'])"


def test_the_parameters_of_a_statement_are_in_no_message(fa: ModuleType) -> None:
    sqlalchemy = pytest.importorskip("sqlalchemy")
    engine = sqlalchemy.create_engine("sqlite://")

    class Stores(fa.Command[Nothing, Any]):
        def execute(self) -> Any:
            with engine.connect() as connection:
                connection.execute(sqlalchemy.text("INSERT INTO gone VALUES (:card)"), {"card": CARD})

    class Repeats(Stores):
        def execute(self) -> Any:
            try:
                super().execute()
            except sqlalchemy.exc.SQLAlchemyError as error:
                raise KeyError(str(error)) from error

    class Lines:
        def __repr__(self) -> str:
            return f"Lines(\n  number={CARD}\n)"

    class Long(Stores):
        def execute(self) -> Any:
            raise sqlalchemy.exc.StatementError("gone", "no such table: gone", [Lines()], ValueError())

    for cls in (Stores, Repeats, Long):
        (error,) = cls.run().errors
        assert "no such table: gone" in error.message and "[parameters: hidden]" in error.message
        assert "CARD" not in error.message and CARD not in shown(cls.run())


def test_what_has_no_mark_is_written_by_pydantic_as_before(fa: ModuleType) -> None:
    class Free(BaseModel):
        at: datetime.datetime = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)
        x: Any = datetime.timedelta(seconds=1)
        data: dict[str, Any] = {"deep": [[[[[[[[[[[[1]]]]]]]]]]]]}
        secret: SecretStr = SecretStr("s")
        inner: Inner = Inner(pin=SECRET, n=1)

        @computed_field  # type: ignore[prop-decorator]
        @property
        def twice(self) -> int:
            return 2

    free = Free()
    for value in (free, Holder(x=[free]), Extra(a=free)):
        assert json.loads(fa.CommandOutcome(result=value).to_json_bytes())["result"] == json.loads(
            value.model_dump_json()
        )
        assert repr(value) in repr(fa.FoobaraError(symbol="s", context={"v": value}))


def test_computed_fields_and_serializers_beside_a_hidden_field_stay(fa: ModuleType) -> None:
    class Both(Acc):
        at: Annotated[int, PlainSerializer(lambda n: f"n={n}")] = 1

        @computed_field  # type: ignore[prop-decorator]
        @property
        def twice(self) -> int:
            return 2

    written = json.loads(fa.CommandOutcome(result=Both()).to_json_bytes())["result"]
    assert written == {**ACC, "at": "n=1", "twice": 2}


def test_a_hidden_field_stays_hidden_where_pydantic_cannot_write_its_model(fa: ModuleType) -> None:
    class Odd(Acc):
        model_config = ConfigDict(arbitrary_types_allowed=True)
        other: Any = object()
        accs: Any = [Acc()]

    written = json.loads(fa.CommandOutcome(result=Odd()).to_json_bytes())["result"]
    assert written == {**ACC, "other": "<object>", "accs": [ACC]}


def test_a_name_that_only_type_checkers_know_hides_nothing(fa: ModuleType) -> None:
    @dataclasses.dataclass
    class Half:
        known: int = 1
        other: OnlyForCheckers = 2  # type: ignore[name-defined]  # noqa: F821
        pin: Annotated[OnlyForCheckers, 1] = PIN  # type: ignore[name-defined]  # noqa: F821

    written = json.loads(fa.CommandOutcome(result=Half()).to_json_bytes())["result"]
    assert written == {"known": 1, "other": 2, "pin": HID}


def test_a_value_that_holds_itself_and_a_secret_can_be_looked_at(fa: ModuleType) -> None:
    context: dict[str, Any] = {"acc": Acc(), "n": 1}
    context["self"] = [context, (Acc(),)]
    text = repr(fa.FoobaraError(symbol="s", context=context))
    assert PIN not in text and "'n': 1" in text and "Acc(**********)" in text


@pytest.mark.mortal_classes
def test_looking_for_marks_keeps_no_class(fa: ModuleType) -> None:
    made = create_model("Gone", pin=(Pin, PIN), x=(Any, 1))
    fa.CommandOutcome(result=made()).to_json_bytes()
    ref = weakref.ref(made)
    del made
    gc.collect()
    assert ref() is None


class Raises:
    """An object whose every look raises with a secret."""

    def __iter__(self) -> Any:
        raise ValueError(SECRET)

    @property
    def n(self) -> int:
        raise LookupError(SECRET)


class RaisingMap(typing.Mapping[str, int]):
    def __getitem__(self, key: str) -> int:
        raise KeyError(SECRET)

    def __iter__(self) -> Any:
        return iter(())

    def __len__(self) -> int:
        return 0

    def items(self) -> Any:
        raise ValueError(SECRET)


class RaisingZone(datetime.tzinfo):
    def utcoffset(self, at: Any) -> Any:
        raise ValueError(SECRET)


class FromAttributes(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    n: int


def raising() -> Any:
    yield 1
    raise ValueError(SECRET)


def core(schema: Any) -> Any:
    class Core:
        @classmethod
        def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
            return schema

    return Core


def refusing(kind: Any, template: Any, context: dict[str, Any] | None = None) -> Any:
    def refuse(value: Any) -> Any:
        raise PydanticCustomError(kind, template, context)

    return Annotated[str, AfterValidator(refuse)]


EMAIL = "value is not a valid email address: {reason}"
OF_AN_HOUR = pydantic_core.core_schema.datetime_schema(tz_constraint=3600)
REPEATS: list[tuple[Any, Any, str]] = [
    (zoneinfo.ZoneInfo, SECRET, "invalid timezone"),
    (ImportString, SECRET, "Invalid python path"),
    (ImportString, f"os:{SECRET}", "Invalid python path"),
    (ByteSize, "12 hunter", "could not interpret byte unit"),
    (uuid.UUID, SECRET, "Input should be a valid UUID, invalid character"),
    (core(OF_AN_HOUR), "2026-01-01T00:00:00+05:00", "Timezone offset of 3600 required"),
    (
        core(OF_AN_HOUR),
        datetime.datetime(2026, 1, 1, tzinfo=RaisingZone()),
        "Invalid datetime object, got ValueError",
    ),
    (list[int], raising(), "Error iterating over object, error: ValueError"),
    (FromAttributes, Raises(), "Error extracting attribute: LookupError"),
    (dict[str, int], RaisingMap(), "Input should be a valid mapping, error: ValueError"),
    (Base64Str, "hunté", "Value error, text that cannot be decoded"),
    (
        refusing("value_error", EMAIL, {"reason": "It has characters: h, u"}),
        "x",
        EMAIL[:-8] + "It has characters",
    ),
    (refusing("value_error", EMAIL, {"reason": "Not valid (of 'h')"}), "x", EMAIL[:-8] + "Not valid"),
    (refusing("value_error", EMAIL, {"reason": "There is no @"}), "x", EMAIL[:-8] + "There is no @"),
    (refusing("zoneinfo_str", "mine"), "x", "mine"),
    (refusing("zoneinfo_str", "mine: {value}", {"value": 1}), "x", "mine: 1"),
    (
        refusing("uuid_parsing", "Input should be a valid UUID, {error}", {"error": 1}),
        "x",
        "Input should be a valid UUID, 1",
    ),
]


# Some builds of pydantic-core say more.
EXPECTED = ": expected an optional prefix of `urn:uuid:` followed by [0-9a-fA-F-]"


@pytest.mark.parametrize(("hint", "value", "told"), REPEATS)
def test_no_message_of_pydantic_repeats_the_input(fa: ModuleType, hint: Any, value: Any, told: str) -> None:
    model = create_model("Takes", a=(int, 1), x=(hint, ...), b=(int, 1))
    given = raising() if isinstance(value, types.GeneratorType) else value
    outcome = command(fa, model).run(a="x", x=given, b="x")
    assert [error.path[0] for error in outcome.errors] == ["a", "x", "b"]
    assert outcome.errors[1].message.replace(EXPECTED, "") == told and SECRET not in shown(outcome)

    def execute(self: Any) -> None:
        TypeAdapter(model).validate_python({"x": raising() if given is not value else given})

    inside = command(fa, Holder, execute=execute).run(x=1)
    path = ".".join(outcome.errors[1].path)
    message = inside.errors[0].message.replace(EXPECTED, "")
    assert message == f"1 validation error for Takes: {path}: {told}"


@pytest.mark.parametrize(("encoding", "text"), [("base64", "hun!"), ("hex", "hunter")])
def test_bytes_that_cannot_be_decoded_show_no_character(fa: ModuleType, encoding: Any, text: str) -> None:
    class Takes(BaseModel):
        model_config = ConfigDict(val_json_bytes=encoding)
        data: bytes

    (error,) = command(fa, Takes).run_json(json.dumps({"data": text})).errors
    assert error.message == f"Data should be valid {encoding}"


def test_an_echoed_input_is_in_the_message_too(fa: ModuleType) -> None:
    class Takes(BaseModel):
        zone: zoneinfo.ZoneInfo

    (error,) = command(fa, Takes, echo_inputs=True).run(zone="Nowhere").errors
    assert (error.message, error.context) == ("invalid timezone: Nowhere", {"input": "Nowhere"})


# What a template may name without repeating a value: the declared type, a count, a position, fixed words.
NAMES_NO_VALUE = """
    assertion_error bytes_too_long bytes_too_short dataclass_exact_type dataclass_type
    date_from_datetime_parsing date_parsing datetime_from_date_parsing datetime_parsing
    decimal_max_digits decimal_max_places decimal_whole_digits enum greater_than greater_than_equal
    is_instance_of is_subclass_of json_invalid less_than less_than_equal literal_error model_type
    multiple_of named_tuple_type needs_python_object no_such_attribute string_pattern_mismatch
    string_too_long string_too_short time_delta_parsing time_parsing too_long too_short
    union_tag_not_found url_parsing url_scheme url_syntax_violation url_too_long uuid_version
"""


def test_every_message_of_pydantic_core_with_a_part_is_known(sub: Any) -> None:
    repeats = sub("_reports")._REPEATS
    templates = {}
    for each in pydantic_core._pydantic_core.list_all_errors():
        if "{" in each["message_template_python"]:
            templates[each["type"]] = each["message_template_python"]
    assert templates.keys() - repeats.keys() - set(NAMES_NO_VALUE.split()) == set()
    for kind, repeat in repeats.items():
        if kind in templates and kind != "value_error":
            assert repeat.template == templates[kind]


def test_a_dataclass_of_an_error_shows_nothing_marked(fa: ModuleType) -> None:
    @dataclasses.dataclass
    class Coded(fa.FoobaraError):
        code: int = 1
        pin: Pin = PIN
        quiet: int = dataclasses.field(default=5, repr=False)
        held: Any = None

    class Further(Coded):
        pass

    @dataclasses.dataclass(slots=True)
    class Slotted(fa.FoobaraError):
        code: int = 1
        pin: Pin = PIN

    for kind in (Coded, Further, Slotted):
        error = kind(symbol="s", context={"a": Acc()})
        found = fa.ErrorCollection().add(error)
        holders = [found, fa.CommandOutcome.from_errors(error), fa.CommandOutcome(error), [error]]
        for text in (repr(error), str(error), *map(repr, holders)):
            assert PIN not in text and "symbol='s'" in text and "Acc(**********)" in text
            assert "code=1, pin=**********" in text and "quiet" not in text
    assert PIN not in repr(Coded(held=Acc())) and PIN not in repr(Coded(cause=Coded(context={"a": Acc()})))


def test_a_dataclass_of_an_error_that_shows_itself(fa: ModuleType) -> None:
    class Shows(fa.FoobaraError):
        def __repr__(self) -> str:
            return "mine"

    class Plain(fa.FoobaraError):
        pass

    class Both(Plain, Shows):
        pass

    @dataclasses.dataclass
    class Generated(Shows):
        code: int = 1

    @dataclasses.dataclass
    class Own(fa.FoobaraError):
        code: int = 1

        def __repr__(self) -> str:
            return f"own {self.code}"

    assert [repr(kind()) for kind in (Shows, Both, Own)] == ["mine", "mine", "own 1"]
    assert repr(Plain(symbol="s")) == repr(fa.FoobaraError(symbol="s")).replace(
        "FoobaraError", Plain.__qualname__, 1
    )
    assert PIN not in repr(Generated(context={"a": Acc()}))


def test_a_subclass_of_an_error_starts_like_any_other(fa: ModuleType) -> None:
    seen: list[Any] = []

    class Mixin:
        def __init_subclass__(cls, **given: Any) -> None:
            seen.append(given)

    class Mine(fa.FoobaraError, Mixin, tag=1):
        pass

    assert seen == [{"tag": 1}]
    with pytest.raises(TypeError):
        type("Wrong", (fa.FoobaraError,), {}, tag=1)


def test_a_marked_part_of_an_error_is_hidden_in_every_text(fa: ModuleType) -> None:
    pin = MarkedText(PIN)
    names = ["category", "symbol", "path", "message", "runtime_path", "suggestion", "help_url", "stack_trace"]
    derived = type("Derived", (fa.FoobaraError,), {})
    for kind in (fa.FoobaraError, derived):
        for name in names:
            error = kind("data", "s", ("p",), "m", {"n": 1}, ("r",), cause=kind(symbol="c"))
            setattr(error, name, (pin, "after") if name.endswith("path") else pin)
            found = fa.ErrorCollection().add(error)
            outcome = fa.CommandOutcome.from_errors(error)
            with pytest.raises(ValueError, match="Command failed") as caught:
                outcome.unwrap()
            texts: list[Any] = [repr(error), error.key(), error.error_code, error.to_dict()["key"]]
            texts += [error.to_json_bytes(), found.to_json_bytes(), outcome.to_json_bytes()]
            texts += [found.to_human_readable(), found.to_sentence(), outcome.to_problem(), caught.value]
            assert PIN not in "".join(map(str, texts)), name
            hides = name in ("category", "symbol", "path", "runtime_path")
            assert (HID in error.key()) is hides and json.loads(error.to_json_bytes())["key"] == error.key()
            assert found.get(error.key()) is error

    class Loud(str):
        pass

    assert fa.FoobaraError("data", Loud("s"), (Loud("p"), 1)).key() == "data.p.1.s"


def test_a_subscript_that_is_no_type_is_not_shown(fa: ModuleType) -> None:
    with pytest.raises(TypeError, match=r"given an AccData$"):
        fa.CommandOutcome[AccData()](result=1)
