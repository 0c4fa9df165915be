"""Numbers are planted wherever something takes them, and looked for in all that anybody may read."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
import json
import logging
import pprint
import traceback
import types
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import pydantic_core
import pytest
from pydantic import BaseModel, TypeAdapter, create_model

import foobara_accel
from foobara_accel.bench import main as bench

Sub = Callable[[str], ModuleType]

CARD, WRONG_CARD, SHORT_CARD = "4539578763621486", "4539578763621487", "45395787636"
IBAN, WRONG_IBAN = "DE75512108001245126199", "DE76512108001245126199"
PRINTED = (
    "4539 5787 6362 1486",
    "4539-5787-6362-1487",
    "DE75 5121 0800 1245 1261 99",
    "de76 5121 0800 1245 1261 99",
)
PHONE, WRONG_PHONE, NATIONAL = "+14155552671", "+1415555267", "(415) 555-2671"
PASSWORD = "opensesame-planted"
PEPPER = b"pepper-planted-pepper-planted-pe"
# Whole, and what a mask must hide of them.
PLANTED = (
    *(CARD, WRONG_CARD, SHORT_CARD, IBAN, WRONG_IBAN, *PRINTED, PASSWORD, PEPPER.decode()),
    *(PHONE, WRONG_PHONE, NATIONAL, "4155552", "555-26"),
    *("578763", "5787 6362", "5787-6362", "51210800124512", "5121 0800 1245"),
)


def found(text: object) -> list[str]:
    shown = text if isinstance(text, str) else str(text)
    return [number for number in PLANTED if number in shown]


class Read:
    """All that was shown, each under the name of where it stood."""

    def __init__(self) -> None:
        self.texts: dict[str, list[str]] = {}

    def add(self, where: str, *shown: Any) -> None:
        for each in shown:
            self.texts.setdefault(where, []).append(each if isinstance(each, str) else repr(each))

    def value(self, where: str, value: Any) -> None:
        """Add what a value says of itself and what writes it."""
        self.add(
            f"{where} text",
            str(value),
            repr(value),
            f"{value}",
            f"{value!r:>60}",
            repr([value]),
            str([value]),
        )
        self.add(f"{where} pprint", pprint.pformat({"a": [value]}))
        self.add(
            f"{where} json", json.dumps({"a": value}, default=str), pydantic_core.to_json([value]).decode()
        )

    def error(self, where: str, error: BaseException) -> None:
        """Add the error, what it came of, and its traceback."""
        self.add(f"{where} traceback", "".join(traceback.format_exception(error)))
        seen: BaseException | None = error
        while seen is not None:
            self.add(
                f"{where} error", str(seen), repr(seen), repr(seen.args), repr(getattr(seen, "__notes__", ""))
            )
            self.add(f"{where} error", repr(getattr(seen, "object", "")))
            seen = seen.__cause__ or seen.__context__

    def outcome(self, where: str, outcome: Any) -> None:
        """Add what an outcome says and what its errors do."""
        self.add(f"{where} repr", repr(outcome), str(outcome))
        self.add(f"{where} json", outcome.to_json_bytes().decode())
        if outcome.is_failure():
            self.add(f"{where} dict", outcome.to_dict())
            self.add(f"{where} problem", outcome.to_problem(), json.dumps(outcome.to_problem(), default=str))
            for error in outcome.errors:
                self.add(
                    f"{where} errors", repr(error), str(error), error.to_dict(), error.key(), error.message
                )
            with pytest.raises(ValueError) as caught:
                outcome.unwrap()
            self.error(where, caught.value)

    def calls(self, where: str, function: Any, *arguments: Any, **named: Any) -> None:
        """Add what a call answers or raises."""
        try:
            self.value(where, function(*arguments, **named))
        except (TypeError, ValueError) as error:
            self.error(where, error)


WRONG: tuple[Any, ...] = (
    *(WRONG_CARD, SHORT_CARD, CARD + "\u0664", CARD + "\ud800", "x" + CARD, PRINTED[1], int(WRONG_CARD)),
    *(WRONG_IBAN, IBAN[:-1], IBAN + "-", "\u0661" + IBAN, PRINTED[3], IBAN.encode(), [CARD], {"x": IBAN}),
)


@pytest.fixture
def read(caplog: pytest.LogCaptureFixture) -> Iterator[Read]:
    caplog.set_level(logging.DEBUG)
    made = Read()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield made
    made.add("warnings", *[str(each.message) for each in caught])
    made.add("log", caplog.text, *[repr(record.__dict__) for record in caplog.records])
    leaks = {where: sorted(set(found("\n".join(texts)))) for where, texts in made.texts.items()}
    assert {where: what for where, what in leaks.items() if what} == {}
    if made.texts.keys() - {"warnings", "log"}:  # not of a test that was skipped
        assert sum(map(len, made.texts.values())) > 10


def test_the_search_finds_what_is_planted() -> None:
    assert all(found(f"x{number}y") for number in PLANTED)
    assert not found("453957******1486 DE75 **** 6199")


def test_parsers_and_validators(fa: ModuleType, sub: Sub, read: Read) -> None:
    types_of, validators = sub("types"), sub("types.validators")
    made = [
        validators.CreditCardValidator(),
        validators.CreditCardValidator(lenient=True, min_digits=8, brands=["amex"]),
        validators.IBANValidator(),
        validators.IBANValidator(lenient=True, countries=["FR"]),
    ]
    read.value("options", made)
    for value in (CARD, IBAN, *PRINTED[::2], *WRONG):
        for validator in made:
            read.value("verdict", validator.validate(value))
            try:
                validator.process(value)
            except (TypeError, ValueError) as error:
                read.error("process", error)
        for lenient in (False, True):
            read.calls("parse_card", types_of.parse_card, value, lenient=lenient)
            read.calls("parse_iban", types_of.parse_iban, value, lenient=lenient)
        read.calls("CardNumber()", fa.CardNumber, value)
        read.calls("IBAN()", fa.IBAN, value)


def test_columns(sub: Sub, read: Read) -> None:
    np = pytest.importorskip("numpy")
    columns = sub("types.columns")
    texts = [CARD, IBAN, PHONE, WRONG_CARD, WRONG_IBAN, WRONG_PHONE, *PRINTED]
    given: list[Any] = [
        *(
            texts,
            [*texts, None],
            [*texts, int(CARD)],
            [*texts, [PHONE]],
            [*texts, IBAN.encode()],
            texts[0],
            {CARD: 1},
        ),
        *(
            np.array(texts),
            np.array(texts, "S"),
            np.array(texts, object),
            np.array([[PHONE]]),
            np.array(int(CARD)),
        ),
        *(
            np.array([int(CARD), int(PHONE)]),
            np.array([*texts, 4.5], object),
            np.array([NATIONAL.encode() + b"\xff"]),
        ),
    ]
    if importlib.util.find_spec("phonenumbers") is not None:
        given.append([NATIONAL, PHONE])
    if importlib.util.find_spec("pyarrow") is not None:
        pa = importlib.import_module("pyarrow")
        arrow = pa.array(texts)
        ends = np.array([0, 16, 8], np.int32)
        wrong = pa.Array.from_buffers(
            pa.utf8(), 2, [None, pa.py_buffer(ends), pa.py_buffer("".join(texts).encode())]
        )
        given += [arrow, arrow.dictionary_encode(), arrow.cast(pa.large_utf8()), wrong]
        given += [pa.array([int(CARD)]), pa.table({CARD: arrow, IBAN: arrow})]
    functions: list[tuple[str, dict[str, Any]]] = [
        *(
            ("luhn_valid", {}),
            ("iban_valid", {"lenient": True}),
            ("phone_valid", {}),
            ("phone_valid", {"region": "US"}),
        ),
        *(("card_brand", {}), ("iban_country", {})),
    ]
    for name, options in functions:
        for column in given:
            for more in ({}, {"result": "arrow"}):
                try:
                    answer = getattr(columns, name)(column, **options, **more)
                except (TypeError, ValueError, ImportError) as error:
                    read.error(name, error)
                else:
                    read.add(name, repr(answer), str(answer))
    assert columns.phone_valid([PHONE, WRONG_PHONE]).tolist() == [True, False]


def test_hashes(fa: ModuleType, sub: Sub, read: Read) -> None:
    pytest.importorskip("argon2")
    transformers, validators = sub("types.transformers"), sub("types.validators")
    lookup = transformers.HashTransformer(
        purpose="lookup", peppers={"a": PEPPER}, of=validators.CreditCardValidator(lenient=True)
    )
    password = transformers.HashTransformer(
        purpose="password", time_cost=1, memory_cost=64, parallelism=1, min_length=90
    )
    fingerprint = transformers.HashTransformer()
    read.value("transformers", [lookup, password, fingerprint])
    card, iban = fa.parse_card(CARD), fa.parse_iban(IBAN)
    for value in (CARD, card, iban, PRINTED[0], *WRONG):
        read.calls("lookup", lookup.process, value)
        read.calls("lookup", lookup.tokens, value)
    for value in (PASSWORD, PASSWORD + "\ud800", PASSWORD * 80, PASSWORD.encode(), [PASSWORD], card):
        read.calls("password", password.process, value)
        read.calls("stored", transformers.HashedPassword, value)
        read.calls("verify", password.verify, value, PASSWORD)
    for value in (card, iban, PASSWORD + "\ud800", [PASSWORD]):
        read.calls("fingerprint", fingerprint.process, value)
    read.calls("token", lookup.verify, CARD, IBAN)
    read.calls("pepper", transformers.HashTransformer, purpose="lookup", peppers={"a": PEPPER[:8]})
    read.calls("pepper", transformers.HashTransformer, purpose="lookup", peppers={"a": PEPPER.decode()})


def payment(fa: ModuleType, sub: Sub) -> type[BaseModel]:
    validators = sub("types.validators")
    return create_model(
        "Payment",
        card=(fa.CardNumber, ...),
        iban=(fa.IBAN | None, None),
        written=(Annotated[str, validators.CreditCardValidator(lenient=True)], "0000 0000 0000 0000"),
        printed=(Annotated[fa.IBAN, validators.IBANValidator(lenient=True)] | None, None),
        cards=(list[fa.CardNumber], []),
        limits=(dict[fa.CardNumber, int], {}),
        by_iban=(dict[Annotated[str, validators.IBANValidator()], fa.CardNumber], {}),
    )


GIVEN: list[dict[str, Any]] = [
    {
        "card": CARD,
        "iban": IBAN,
        "written": PRINTED[0],
        "printed": PRINTED[2],
        "cards": [CARD],
        "limits": {CARD: 1},
    },
    {"card": CARD, "by_iban": {IBAN: CARD}},
    {
        "card": WRONG_CARD,
        "iban": WRONG_IBAN,
        "written": PRINTED[1],
        "printed": PRINTED[3],
        "cards": [CARD, WRONG_CARD],
    },
    {"card": CARD, "limits": {WRONG_CARD: 1}},
    {"card": CARD, "limits": {CARD: "x"}},
    {"card": CARD, "by_iban": {IBAN: WRONG_CARD}},
    {"card": CARD, "by_iban": {WRONG_IBAN: CARD}},
    {"card": [CARD], "iban": {"canonical": IBAN}, "written": 5, "cards": CARD},
    {"card": int(CARD), "iban": int(SHORT_CARD)},
    {"iban": IBAN, "written": PRINTED[0]},
]


@pytest.mark.parametrize("echo", [False, True], ids=["quiet", "echoing"])
def test_commands(fa: ModuleType, sub: Sub, read: Read, echo: bool) -> None:
    model = payment(fa, sub)

    def made(name: str, inputs: Any, execute: Any, **more: Any) -> Any:
        body = {"execute": execute, "echo_inputs": echo, "_log_failures": True, **more}
        return types.new_class(name, (fa.Command[inputs, Any],), {}, lambda space: space.update(body))

    pay = made("Pay", model, lambda self: self.inputs)
    anything = create_model("Anything", x=(Any, None))

    def refuse(self: Any) -> None:
        parsed = {"card": fa.parse_card(CARD), "ibans": [fa.parse_iban(IBAN)]}
        self.add_runtime_error("refused", f"refused {parsed['card']}", **parsed)
        self.add_input_error(("x",), "wrong", "wrong", **parsed)

    def escape(self: Any) -> Any:
        return TypeAdapter(model).validate_python(self.inputs.x)

    refusing, escaping = made("Refuse", anything, refuse), made("Escape", anything, escape)
    outer = made("Outer", anything, lambda self: self.run_subcommand_bang(pay, **self.inputs.x))
    for raw in GIVEN:
        text = json.dumps(raw).encode()
        runs = [pay.run(**raw), pay(**raw).run_instance(), pay.run_json(text), pay.run_json(text[:-1])]
        runs += [outer.run(x=raw), escaping.run(x={**raw, "cards": [WRONG_CARD]}), refusing.run(x=raw)]
        for outcome in runs * 2:
            read.outcome("outcome", outcome)
        collected = fa.ErrorCollection()
        for error in runs[-1].errors:
            collected.add(error)
        read.add("collection", repr(collected), collected.to_human_readable(), collected.to_sentence())
        read.add("instance", repr(pay(**raw)), str(pay(**raw)))
    assert pay.run(**GIVEN[0]).result.card.canonical == CARD
    read.add("manifest", pay.manifest(), pay.reflect().to_dict(), pay.inputs_schema())


def test_schemas_with_defaults(fa: ModuleType, sub: Sub, read: Read) -> None:
    validators = sub("types.validators")
    card, iban = fa.parse_card(CARD), fa.parse_iban(IBAN)
    model = create_model(
        "Defaulted",
        card=(fa.CardNumber, card),
        cards=(list[fa.CardNumber], [card]),
        iban=(Annotated[fa.IBAN, validators.IBANValidator(countries=["DE"])], iban),
        raw=(Annotated[str, validators.CreditCardValidator()], CARD),
        loose=(Any, {"a": [iban]}),
    )
    cls = types.new_class(
        "Defaults", (fa.Command[model, Any],), {}, lambda space: space.update(execute=lambda self: 1)
    )
    registry = fa.CommandRegistry()
    registry.register(cls)
    read.add("schema", cls.inputs_schema(), cls.manifest(), registry.get_manifest())
    read.add("manifest", sub("core.manifest").manifest_bytes(cls).decode())
    for hint in (fa.CardNumber, fa.IBAN, payment(fa, sub)):
        for mode in ("validation", "serialization"):
            read.add("json schema", TypeAdapter(hint).json_schema(mode=mode))


def test_models(fa: ModuleType, sub: Sub, read: Read) -> None:
    model = payment(fa, sub)
    made: Any = model(card=CARD, iban=IBAN, printed=PRINTED[2], cards=[CARD], limits={CARD: 1})
    read.value("model", made)
    read.add("dump", made.model_dump(), made.model_dump(mode="json"), made.model_dump_json())
    assert found(made.model_dump_json(context=sub("types").UNMASKED)) and found(made.card.canonical)
    for raw in GIVEN[2:9]:
        # Keys of mappings stand in Pydantic's own paths, and a list shows what was given in its place.
        if {"limits", "by_iban"}.isdisjoint(raw) and not isinstance(raw.get("cards"), str):
            read.calls("field", model, **raw)


MODULE = """
from typing import Annotated
from pydantic import BaseModel
from foobara_accel import CardNumber, Command, IBAN

class Account(BaseModel):
    card: CardNumber
    iban: IBAN | None = None

class Charge(Command[Account, Account]):
    echo_inputs = True

    def execute(self):
        return self.inputs

class Fail(Command[Account, int]):
    def execute(self):
        raise KeyError(f"card {self.inputs.card.canonical}")

registry = [Charge, Fail]
"""


def test_the_report_of_a_benchmark(read: Read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bench_planted.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    rows = [
        {"command": "Charge", "inputs": {"card": CARD, "iban": IBAN}},
        {"command": "Charge", "inputs": {"card": WRONG_CARD, "iban": WRONG_IBAN}},
        {"command": "Fail", "inputs": {"card": CARD}},
        {"command": "Charge", "inputs": {"iban": IBAN, "card": [CARD]}},
    ]
    (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    backends = "c,py" if foobara_accel.backend().compiled else "py"
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = bench(
            ["--app", "bench_planted:registry", "--inputs", "in.jsonl", "--quick", "--rounds", "1"]
            + ["--output", "out", "--backends", backends]
        )
    assert code == 0, out.getvalue() + err.getvalue()
    written = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert len(written) >= 2
    read.add("bench", out.getvalue(), err.getvalue(), *[path.read_text(encoding="utf-8") for path in written])
    read.add("bench files", *[path.name for path in tmp_path.rglob("*")], "", "", "", "", "")
