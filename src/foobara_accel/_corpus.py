"""The cases of ``foobara-accel check``: each asks one package (real or twin) and returns plain values.

A case takes ``sub``, which imports a submodule of the package under test, so that the same lines run on
either backend. What it returns is compared by value and recorded in check.json. A case in NEEDS is left out
where a package that it takes is not installed.
"""

from __future__ import annotations

import json
import math
import pickle
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum
from itertools import islice
from types import ModuleType
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

__all__ = ["CASES", "MODELS", "NEEDS", "Case", "Sub", "plain"]

Sub = Callable[[str], ModuleType]
Case = Callable[[Sub], Any]


class Pair(BaseModel):
    a: int
    b: int


class Scalars(BaseModel):
    i: int
    f: float
    s: str
    flag: bool
    maybe: int | None = None
    name: str = Field(default="x", min_length=1, max_length=8)
    low: int = Field(default=0, ge=-5, le=5)
    ratio: float = Field(default=0.5, gt=0, lt=1)


class Bounds(BaseModel):
    above: int = Field(default=1, gt=0)
    below: int = Field(default=1, lt=9)
    least: int = Field(default=1, ge=0)
    most: int = Field(default=1, le=9)
    real_above: float = Field(default=0.5, gt=0)
    real_below: float = Field(default=0.5, lt=1)
    real_least: float = Field(default=0.5, ge=0)
    real_most: float = Field(default=0.5, le=1)
    finite: float = Field(default=0.5, allow_inf_nan=False)
    long: str = Field(default="ab", min_length=2)
    short: str = Field(default="ab", max_length=3)
    both: int | None = Field(default=None, gt=-3, le=3)


class Loose(BaseModel):
    i: int
    tags: list[str] = []
    kind: Literal["a", "b"] = "a"


class Forbidding(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)
    s: str = Field(alias="text")


class Account(BaseModel):
    owner: str = Field(min_length=2, pattern=r"^[A-Z]")
    balance: int = Field(ge=0)
    lines: list[Pair] = []

    @field_validator("balance")
    @classmethod
    def _no_odd(cls, value: int) -> int:
        if value % 2:
            raise ValueError("odd balance")
        return value


class NoInputs(BaseModel):
    pass


# Those whose guard is to be compared.
MODELS: tuple[type[BaseModel], ...] = (Pair, Scalars, Bounds, Loose, Forbidding, Account, NoInputs)


def plain(value: Any) -> Any:
    """Return *value* as JSON types that keep apart what ``==`` would confuse (1, 1.0 and True; nan)."""
    match value:
        case None | bool():
            return value
        case Enum():
            return plain(value.value)
        case int():
            return value if abs(value) < 2**53 else f"int:{value}"
        case float():
            return value if math.isfinite(value) and not value.is_integer() else f"float:{value!r}"
        case str():
            return value.encode("utf-8", "backslashreplace").decode("utf-8")
        case bytes():
            return f"bytes:{value!r}"
        case BaseModel():
            return {type(value).__name__: plain(value.model_dump()), "set": sorted(value.model_fields_set)}
        case BaseException():
            return {"raises": type(value).__name__, "text": plain(str(value))}
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
        case Iterable():
            return [plain(item) for item in value]
        case _ if hasattr(value, "to_dict"):
            return plain(value.to_dict())
        case _:
            return f"{type(value).__name__}:{value!r}"


def attempt(function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """Return what *function* returns, or the Exception that it raises, as plain values."""
    try:
        return plain(function(*arguments, **named))
    except Exception as error:
        return plain(error)


def divide(a: int, b: int) -> int:
    """Return the quotient; a text of our own, because Python's differs between versions."""
    if not b:
        raise ZeroDivisionError("no quotient")
    return a // b


def told(outcome: Any) -> Any:
    """Return everything an outcome says."""
    return {
        "success": outcome.is_success(),
        "result": plain(outcome.result),
        "errors": [plain(error.to_dict()) for error in outcome.errors],
    }


# What a caller may pass for one field; the guard must hand each on exactly as Pydantic would take it.
AWKWARD: tuple[Any, ...] = (
    0, -1, 7, True, False, None, 1.0, 1.5, -0.0, float("inf"), float("nan"), 2**31, 2**63, 2**70,
    -(2**70), "", "x", "12", " 12 ", "1_0", "\uff11\uff12", "\ud800", "y" * 9, b"12",
    [], [1], {}, {"a": 1}, (1,), object,
)  # fmt: skip


def _commands(sub: Sub) -> ModuleType:
    return sub("core.command")


def _echo(sub: Sub, model: type[BaseModel]) -> Any:
    command = _commands(sub).Command

    class Echo(command[model, Any]):  # type: ignore[misc,valid-type]
        def execute(self) -> Any:
            return self.inputs

    return Echo


def simple_run(sub: Sub) -> Any:
    class Add(_commands(sub).Command[Pair, int]):  # type: ignore[misc]
        def execute(self) -> int:
            return int(self.inputs.a + self.inputs.b)

    runs = [told(Add.run(a=1, b=2)), told(Add.run(a="3", b=4.0)), told(Add.run(a=1)), told(Add.run())]
    return [*runs, attempt(Add.run_or_raise, a=1, b=2), attempt(Add.run_or_raise, a=1), Add.full_name()]


def guard_scalars(sub: Sub) -> Any:
    echo = _echo(sub, Scalars)
    good: dict[str, Any] = {"i": 1, "f": 2.5, "s": "s", "flag": True}
    runs = [told(echo.run(**good))]
    for name in Scalars.model_fields:
        runs += [told(echo.run(**{**good, name: value})) for value in AWKWARD]
    return runs


def guard_bounds(sub: Sub) -> Any:
    echo = _echo(sub, Bounds)
    numbers = [-4, -3, -2, -1, 0, 1, 3, 4, 8, 9, 10, 11, 2**63]
    reals = [-1.5, -0.5, -0.0, 0.0, 5e-324, 0.5, math.nextafter(1.0, 0.0), 1.0, 1.5, 2.5, math.inf, math.nan]
    texts = ["", "a", "ab", "abc", "abcd", "abcde", "\u20ac" * 4]
    answers = []
    for name, info in Bounds.model_fields.items():
        values: list[Any] = (
            reals if info.annotation is float else texts if info.annotation is str else numbers
        )
        # One after the other: what is refused for the same reason is a verdict from the second on.
        runs = [echo.run(**{name: value}) for value in values]
        runs += [echo.run_json(json.dumps({name: value})) for value in values if _in_json(value)]
        answers += [
            [name, plain(getattr(outcome.result, name, None)), *(e.message for e in outcome.errors)]
            for outcome in runs
        ]
    return answers


def _in_json(value: Any) -> bool:
    return not isinstance(value, float) or math.isfinite(value)


def guard_shapes(sub: Sub) -> Any:
    loose, strict = _echo(sub, Loose), _echo(sub, Forbidding)
    return [
        told(loose.run(i=1, tags=["a"], kind="b")),
        told(loose.run(i=1, tags="a")),
        told(loose.run(i=1, tags=["a", 2, None], kind="c")),
        told(loose.run(i=1, unknown=2)),
        told(strict.run(text="  padded ")),
        told(strict.run(text="x", other=1)),
        told(strict.run(s="x")),
        told(_echo(sub, NoInputs).run()),
        told(_echo(sub, NoInputs).run(extra=1)),
    ]


def constraints(sub: Sub) -> Any:
    echo = _echo(sub, Account)
    return [
        told(echo.run(owner="Ann", balance=10, lines=[{"a": 1, "b": 2}])),
        told(echo.run(owner="a", balance=-1, lines=[{"a": "x"}])),
        told(echo.run(owner="Ann", balance=3, lines=3)),
        told(echo.run(owner="Ann", balance=2, lines=[{"a": 1, "b": 2}, {"a": 1}])),
    ]


def entry_points(sub: Sub) -> Any:
    echo = _echo(sub, Pair)
    return [
        told(echo.run_with(Pair(a=1, b=2))),
        told(echo.run_json(b'{"a": 1, "b": "2"}')),
        told(echo.run_json(b'{"a": 1')),
        told(echo.run_json("[1, 2]")),
        attempt(echo.run, 1),
        attempt(_commands(sub).Command.run),
    ]


def runtime_errors(sub: Sub) -> Any:
    class Two(_commands(sub).Command[Pair, int]):  # type: ignore[misc]
        def execute(self) -> int:
            self.add_input_error("a", "odd", "a is odd", got=self.inputs.a)
            self.add_runtime_error("broken", "it broke", halt=self.inputs.b > 0)
            self.add_input_error(["lines", 0, "b"], "late", "not reached when halted")
            return 1

    class Raises(_commands(sub).Command[Pair, int]):  # type: ignore[misc]
        def execute(self) -> int:
            return divide(self.inputs.a, self.inputs.b)

    class Halts(_commands(sub).Command[Pair, int]):  # type: ignore[misc]
        def execute(self) -> int:
            return self.halt()  # type: ignore[no-any-return]

    class Breaks(_commands(sub).Command[Pair, int]):  # type: ignore[misc]
        def validate(self) -> None:
            raise KeyError("validate")

        def execute(self) -> int:
            return 1

    return [
        told(Two.run(a=1, b=0)),
        told(Two.run(a=1, b=1)),
        told(Raises.run(a=1, b=0)),
        told(Halts.run(a=1, b=0)),
        attempt(Breaks.run, a=1, b=0),
    ]


def phases_and_states(sub: Sub) -> Any:
    class Phased(_commands(sub).Command[Pair, list[str]]):  # type: ignore[misc]
        def __init__(self, **inputs: Any) -> None:
            super().__init__(**inputs)
            self.seen: list[str] = []

        def load_records(self) -> None:
            self.seen.append(f"load {self.state_name}")

        def validate_records(self) -> None:
            self.seen.append(f"records {self.state_name}")

        def validate(self) -> None:
            self.seen.append(f"validate {self.state_name}")
            if self.inputs.a < 0:
                self.add_input_error("a", "negative", "a is negative")

        def before_execute(self) -> None:
            self.seen.append("before")

        def execute(self) -> list[str]:
            self.seen.append(f"execute {self.state_name}")
            return list(self.seen)

        def after_execute(self, result: list[str]) -> list[str]:
            return [*result, "after"]

    answers = []
    for a in (1, -1):
        command = Phased(a=a, b=2)
        answers.append([told(command.run_instance()), command.seen, command.state_name, int(command.state)])
        answers.append(attempt(command.run_instance))
    return answers


def callbacks(sub: Sub) -> Any:
    log: list[str] = []

    class Called(_commands(sub).Command[Pair, int]):  # type: ignore[misc]
        def execute(self) -> int:
            log.append("execute")
            return divide(self.inputs.a, self.inputs.b)

    def around(command: Any, proceed: Callable[[], Any]) -> Any:
        log.append("in")
        result = proceed()
        log.append("out")
        return result + 100

    Called.before_execute_transition(lambda command: log.append("before 5"), priority=5)
    Called.before_execute_transition(lambda command: log.append("before 1"), priority=1)
    Called.after_execute_transition(lambda command: log.append("after"))
    Called.around_execute_transition(around)
    Called.after_transition_to_succeeded(lambda command: log.append("succeeded"))
    Called.before_transition_to_failed(lambda command: log.append("failed"))
    return [told(Called.run(a=6, b=3)), told(Called.run(a=6, b=0)), told(Called.run(a="x", b=0)), log]


def subcommands(sub: Sub) -> Any:
    class Inner(_commands(sub).Command[Pair, int]):  # type: ignore[misc]
        def execute(self) -> int:
            if self.inputs.a == 13:
                self.add_runtime_error("unlucky", "thirteen", number=13)
            return int(self.inputs.a * self.inputs.b)

    class Middle(_commands(sub).Command[Pair, int]):  # type: ignore[misc]
        def execute(self) -> Any:
            return self.run_subcommand_bang(Inner, a=self.inputs.a, b=self.inputs.b)

    class Outer(_commands(sub).Command[Pair, int]):  # type: ignore[misc]
        def execute(self) -> Any:
            return [self.run_subcommand(Middle, a=self.inputs.a, b=self.inputs.b), self.inputs.b]

    return [told(Outer.run(a=2, b=3)), told(Outer.run(a=13, b=3)), told(Outer.run(a=1, b=2**70))]


def transactions(sub: Sub) -> Any:
    log: list[str] = []

    class Handler:
        def begin(self) -> None:
            log.append("begin")

        def commit(self) -> None:
            log.append("commit")

        def rollback(self) -> None:
            log.append("rollback")

    handler = Handler()
    config = sub("core.transactions").TransactionConfig

    class Nested(_commands(sub).Command[Pair, int]):  # type: ignore[misc]
        _transaction_config = config.with_handler(lambda: handler)

        def execute(self) -> int:
            return divide(self.inputs.a, self.inputs.b)

    class Stored(_commands(sub).Command[Pair, int]):  # type: ignore[misc]
        _transaction_config = config.with_handler(lambda: handler)

        def execute(self) -> Any:
            return self.run_subcommand(Nested, a=self.inputs.a, b=self.inputs.b)

        def validate(self) -> None:
            if self.inputs.a == 99:
                raise RuntimeError("validate")

    answers = []
    for a, b in ((1, 1), (1, 0), (99, 1)):
        answers.append(attempt(lambda a=a, b=b: told(Stored.run(a=a, b=b))))
        log.append("|")
    return [*answers, log]


def errors(sub: Sub) -> Any:
    error = sub("core.errors").FoobaraError
    made = [
        error(),
        error.data_error("too_short", ["user", "name"], "Name is too short", minimum=2),
        error.validation_error("bad", (), "bad", suggestion="do better"),
        error.runtime_error("boom", 'it "blew" up\n\u2028\U0001f4a5', is_fatal=True),
        error.domain_error("rule", "broken rule", path=("a", "0")),
        error.system_error("disk", "full"),
        error.auth_error("forbidden", "no"),
        error.external_error("api", "down", service="bank", code=503),
        error.from_exception(ZeroDivisionError("by zero")),
    ]
    made.append(made[1].with_path_prefix("body").with_runtime_path_prefix("outer", "inner"))
    made.append(made[3].with_cause(made[8]).with_help_url("https://example.org/help"))
    return [[each.key(), plain(each.to_dict()), repr(each), str(each)] for each in made]


def error_collections(sub: Sub) -> Any:
    module = sub("core.errors")
    error = module.FoobaraError
    made = [
        error.data_error("a", ("x",), "first"),
        error.runtime_error("b", "second", is_fatal=True),
        error.data_error("a", ("x",), "same key"),
        error.auth_error("c", "third"),
    ]
    full = module.ErrorCollection().add_all(*made).add(made[0])
    empty = module.ErrorCollection()
    return [
        [
            len(each), bool(each), each.has_fatal(), each.count(), plain(each.keys()), plain(each.messages()),
            each.to_sentence(), plain(each.to_dict()), plain(each.to_list()), each.to_human_readable(),
            plain(each.summary()), [e.message for e in each.sort_by_severity()],
            [e.message for e in each.by_category("data")], [e.message for e in each.at_path("x")],
        ]
        for each in (full, empty)
    ]  # fmt: skip


def error_json(sub: Sub) -> Any:
    module = sub("core.errors")
    collection = module.ErrorCollection()
    for value in (1, 1.5, float("nan"), None, 'é\x00"\\', [1, {"k": (2, 3)}], {"deep": {"er": b"x"}}, 2**70):
        collection.add(module.FoobaraError.data_error("symbol", ("p", "0"), "message", value=value))
    collection.add(module.FoobaraError.runtime_error("late", "later"))
    failed = sub("core.outcome").CommandOutcome.from_errors(*collection.all())
    succeeded = sub("core.outcome").CommandOutcome.from_result({"a": [1, 2.5, None]})
    each = [collection, module.ErrorCollection(), collection.first(), failed, succeeded]
    return [[attempt(answer.to_json_bytes), attempt(answer.to_problem)] for answer in each]


def pickles(sub: Sub) -> Any:
    error = sub("core.errors").FoobaraError.data_error("a", ("x",), "first", value=[1])
    failed = sub("core.outcome").CommandOutcome.from_errors(error)
    succeeded = sub("core.outcome").CommandOutcome.from_result({"a": (1, 2)}, took=1)
    answers = []
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        for value in (error, failed, succeeded):
            again = pickle.loads(pickle.dumps(value, protocol))
            answers.append([type(again).__name__, plain(again.to_dict())])
    return answers


def outcomes(sub: Sub) -> Any:
    module = sub("core.outcome")
    good = module.CommandOutcome.from_result(2, took=1)
    bad = module.CommandOutcome.from_errors(sub("core.errors").FoobaraError.data_error("a", ("x",), "first"))
    return [
        plain(good.to_dict()), plain(bad.to_dict()), good.unwrap(), attempt(bad.unwrap), bad.unwrap_or(7),
        good.map(lambda value: value + 1).result, bad.map(lambda value: value).is_failure(),
        good == module.CommandOutcome.from_result(2, took=1), good == bad, repr(good),
    ]  # fmt: skip


def _numbers() -> Iterator[tuple[str, str]]:
    cards = ["4111111111111111", "378282246310005", "6011111111111117", "5555555555554444", "30569309025904"]
    ibans = ["DE89370400440532013000", "GB29NWBK60161331926819", "FR1420041010050500013M02606"]
    for kind, good in (("card", cards), ("iban", ibans)):
        for number in good:
            yield kind, number
            yield kind, number.lower()
            yield kind, number[:4] + " " + number[4:]
            yield kind, number[:-1]
            yield kind, number + "0"
            for position in range(len(number)):
                digit = number[position]
                if digit.isdigit():
                    yield kind, number[:position] + str((int(digit) + 1) % 10) + number[position + 1 :]
        for odd in ("", " ", "0" * 16, "\uff14\uff11", "\x00" * 16, "1" * 400, "A" * 22, "-", "4111-1111"):
            yield kind, odd


def numbers(sub: Sub) -> Any:
    types = sub("types")
    verdicts = {"card": types.is_valid_card, "iban": types.is_valid_iban}
    return [[kind, plain(text), attempt(verdicts[kind], text)] for kind, text in _numbers()]


def validators(sub: Sub) -> Any:
    module = sub("types.validators")
    judges: dict[str, list[Any]] = {
        "card": [
            module.CreditCardValidator(lenient=True, canonical=True, min_digits=8),
            module.CreditCardValidator(brands=("visa", "amex")),
        ],
        "iban": [module.IBANValidator(lenient=True, canonical=True), module.IBANValidator(countries=("DE",))],
    }
    return [
        [kind, plain(text), attempt(judge.process, text), repr(judge.validate(text))]
        for kind, text in islice(_numbers(), 0, None, 7)
        for judge in judges[kind]
    ]


def plain_html(sub: Sub) -> Any:
    plain = sub("_backend").checks.is_plain_html
    odd = ("", "&", "<", ">", "\0", "\r", "\xa0", "\ufeff", "\ud800", "\udfff", "\n", "\u2028")
    return [
        [plain(filler * size + char + filler), plain(char + filler * size)]
        for filler in ("a", "\xe9", "\u043f", "\U0001f600")
        for size in (0, 1, 7, 15, 16, 17, 40)
        for char in odd
    ]


# Valid or not in every release of the numbering plans: area codes do not begin with 0, lengths do not change.
_PHONES = (
    "+12015550123", "+442079460018", "+33612345678", "+390612345678", "+80012345678", "+10015550123",
    "+1201555", "+120155501234", "+3361234567", "+999123", "+0", "+1", "+" + "1" * 249,
)  # fmt: skip
_DIALLED = (
    "(201) 555-0123", "201.555.0123", "+1 201 555 0123", "1-201-555-0123", "+44 (0)20 7946 0018",
    "+1 201 555 0123 ext. 7", "tel:+12015550123",
    "\uff0b\uff11\uff12\uff10\uff11\uff15\uff15\uff15\uff10\uff11\uff12\uff13",
    "", " ", "+", "0", "no number", "+1 201", "9" * 300, "\ud800", "12015550123x", "+12015550123\0",
)  # fmt: skip


def phones(sub: Sub) -> Any:
    types = sub("types")
    judge = sub("types.validators").PhoneNumberValidator(region=None)
    return [
        [
            plain(text),
            attempt(types.is_valid_phone, text),
            attempt(judge.process, text),
            attempt(lambda text=text: repr(types.parse_phone(text))),
        ]
        for text in _PHONES
    ]


def dialled_phones(sub: Sub) -> Any:
    types, module = sub("types"), sub("types.validators")
    judges = [
        module.PhoneNumberValidator(),
        module.PhoneNumberValidator(output="e164"),
        module.PhoneNumberValidator(region=None, output="rfc3966"),
    ]
    return [
        [plain(text), *(attempt(types.is_valid_phone, text, region) for region in (None, "US", "GB"))]
        + [attempt(judge.process, text) for judge in judges]
        for text in _DIALLED
    ] + [attempt(types.is_valid_phone, "+12015550123", "XX")]


_WORDS = (
    "", " ", "ada", "ADA lovelace", "they're  HERE\tnow\n", "3rd time", "\u00e9lan", "\u00dfta\u00dfe",
    "\u01c6ungla", "\u01c4UNGLA \u01c5", "\u039f\u0394\u039f\u03a3 \u03c3\u03a3", "\u0130stanbul \u0131",
    "\ufb01nish \ufb03x", "a\u00a0b\u2003c\u3000d\x1ce\x85f", "x\0y", "\ud800abc",
    "\U00010428\U00010400", "o'neill-SMITH",
)  # fmt: skip


def capitalized(sub: Sub) -> Any:
    capitalize = sub("types.transformers").CapitalizeTransformer()
    return [[plain(text), attempt(capitalize.process, text)] for text in (*_WORDS, None, 7, b"ada")]


def hashed(sub: Sub) -> Any:
    types = sub("types")
    hashes = [types.HashTransformer(name, purpose="fingerprint") for name in ("sha256", "blake2b")]
    hashes.append(types.HashTransformer(purpose="lookup", peppers={"1": bytes(range(32))}))
    values = ("a document", "", "\u00e9", b"a document", types.parse_card("4111111111111111"), None, 7)
    return [[attempt(each.process, value) for each in hashes] for value in values]


def sanitized(sub: Sub) -> Any:
    sanitize = sub("types").SanitizeHTMLTransformer()
    same = [sanitize.process(text) is text for text in ("", "no markup", "caf\u00e9", "\u043f" * 40)]
    odd = ("a & b", "<b>hi</b>", "a\r\nb", "\xa0", "x\0", "\ud800", "<script>x</script>y", None, 7)
    return [same, [attempt(sanitize.process, value) for value in odd]]


class Even:
    """A processor of a user's own."""

    def process(self, value: int) -> int:
        """Return the number, if it is even."""
        if value % 2:
            raise ValueError("the number must be even")
        return value


def processed(sub: Sub) -> Any:
    types = sub("types")
    name = types.FoobaraType(
        "name",
        str,
        casters=[types.StringCaster()],
        transformers=[
            types.StripWhitespaceTransformer(),
            types.NormalizeWhitespaceTransformer(),
            types.LowercaseTransformer(),
            types.TruncateTransformer(9),
        ],
        validators=[
            types.NotEmptyValidator(),
            types.MinLengthValidator(2),
            types.MaxLengthValidator(9),
            types.PatternValidator(r"^[a-z0-9 .]+$"),
            types.OneOfValidator(("ada", "b b", "long te...", "1.5", "true")),
        ],
    )
    bounded = types.IntegerType.with_validators(
        types.RangeValidator(-2, 40), types.MinValueValidator(-2, exclusive=True), Even()
    )
    table = types.FoobaraType("table", dict, key_type=name, value_type=bounded.array())
    values: dict[Any, tuple[Any, ...]] = {
        name: (" Ada ", "B  b", "x", "", None, 1.5, True, "long text is cut", "!!", ["ada"], "\u0130"),
        name.optional(): (None, "ada", ""),
        bounded: (4, "4", 3, "x", None, -2, 41, 4.9, True, "\u0664", "1" * 30, [4]),
        bounded.array(): ([], ["4", 2], "4, 2", [4, "x"], [4, 3], None, 4, ({"a": 1},)),
        table: ({"ada": [2]}, {"Ada ": "2, 4"}, {"x": [2]}, {"ada": [2, 3]}, {1.5: ["x"]}, None, [1]),
        types.BooleanType: ("yes", "NO", 1, 2, "maybe", None),
        types.FloatType: ("1.5", 2, "x", None, True),
    }
    return [
        [attempt(each.process, value), attempt(each.validate, value), attempt(each.is_valid, value)]
        for each, asked in values.items()
        for value in asked
    ]


def columns(sub: Sub) -> Any:
    import numpy as np

    module = sub("types.columns")
    texts: dict[str, list[str]] = {"card": [], "iban": []}
    for kind, text in islice(_numbers(), 0, None, 5):
        texts[kind].append(text)
    judges = {
        "card": (module.luhn_valid, module.card_brand),
        "iban": (module.iban_valid, module.iban_country),
    }
    answers: list[Any] = []
    for kind, functions in judges.items():
        # NumPy's own arrays know nothing of a text that ends with NUL or is no ASCII.
        short = [text for text in texts[kind] if text.isascii() and len(text) < 40 and "\0" not in text]
        forms = [
            texts[kind],
            [*texts[kind], None],
            np.array(short, "S"),
            np.array(short, "U"),
            np.array(short, "O"),
        ]
        answers += [
            [judge(form, lenient=lenient).tolist() for lenient in (False, True)]
            for judge in functions
            for form in forms
        ]
        answers += [attempt(functions[0], odd) for odd in ([7], np.array([1]), "4111111111111111", None)]
    return answers


# What a case takes beside the package itself.
NEEDS: dict[str, str] = {"dialled_phones": "phonenumbers", "sanitized": "nh3", "columns": "numpy"}

CASES: dict[str, Case] = {
    case.__name__: case
    for case in (
        simple_run, guard_scalars, guard_bounds, guard_shapes, constraints, entry_points, runtime_errors,
        phases_and_states, callbacks, subcommands, transactions, errors, error_collections, error_json,
        pickles, outcomes, numbers, validators, plain_html, phones, dialled_phones, capitalized, hashed,
        sanitized, processed, columns,
    )
}  # fmt: skip
