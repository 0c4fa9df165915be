"""The framework cases: what is timed, written once against the public Command API.

`build(package)` writes the same cases for foobara_accel, its pure twin and foobara_py. A case is a loop over
an iterable, so that no call but the one measured stands inside it; the floors are loops of the same form.
"""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from types import ModuleType
from typing import Any, Self

from pydantic import BaseModel, Field, create_model, field_validator, model_validator

__all__ = ["Case", "build", "floors", "shown"]

Loop = Callable[[Iterable[object]], None]

CARD = "4111111111111111"
IBAN = "DE89370400440532013000"
PHONE = "+12015550123"


class Pair(BaseModel):
    """The two ints of the simple cases; building it is the unit I."""

    a: int
    b: int


class Scalars(BaseModel):
    """Eight scalar fields without constraints."""

    name: str
    city: str
    age: int
    visits: int
    score: float
    rate: float
    active: bool
    vip: bool


class Order(BaseModel):
    """Five fields with constraints, one of them checked by a Python validator."""

    customer: str = Field(min_length=1, max_length=60)
    email: str = Field(pattern=r"^[^@\s]+@[^@\s]+\.[a-z]{2,}$")
    quantity: int = Field(ge=1, le=1000)
    price: float = Field(gt=0)
    tags: list[str] = Field(max_length=10)

    @field_validator("customer")
    @classmethod
    def customer_is_trimmed(cls, value: str) -> str:
        """Return the name without outer blanks."""
        return value.strip()


class Guest(BaseModel):
    """A model within a model."""

    name: str
    age: int


class Stay(BaseModel):
    """What no guard takes: a nested model, a union, a datetime given as text, and a custom validator."""

    guest: Guest
    starts: datetime
    room: int | str
    code: str

    @field_validator("code")
    @classmethod
    def code_is_upper_case(cls, value: str) -> str:
        """Return the code in capitals."""
        return value.upper()


class CheckedStay(Stay):
    """The same with a model validator, for which `Model(**raw)` is called as it stands."""

    @model_validator(mode="after")
    def has_a_guest(self) -> Self:
        """Refuse a stay without a guest's name."""
        if not self.guest.name:
            raise ValueError("a guest has a name")
        return self


class Limits(BaseModel):
    """Three bounded fields, all of them broken by the case of three validation errors."""

    count: int = Field(ge=1)
    label: str = Field(min_length=3)
    share: float = Field(le=1.0)


@dataclass(frozen=True)
class Case:
    """One measured piece of work.

    *once* does the work a single time and returns an answer that can be compared between backends;
    *floors* names the floors measured beside it, the first of which the ratio is formed with; *lines* those
    of a user's file that the parts of the answer belong to. Figures are those of one of the *values* that an
    iteration takes.
    """

    key: str
    title: str
    loop: Loop
    once: Callable[[], Any]
    floors: tuple[str, ...] = ("I",)
    own_floors: dict[str, Loop] = field(default_factory=dict)
    lines: tuple[int, ...] = ()
    values: int = 1


def floors() -> dict[str, Loop]:
    """Return the floors that no framework takes part in: I, V, the bare function and the bare await."""
    validate = Pair.__pydantic_validator__.validate_python

    def add(a: int, b: int) -> int:
        return a + b

    async def add_later(a: int, b: int) -> int:
        return a + b

    def inputs(times: Iterable[object]) -> None:
        for _ in times:
            Pair(a=1, b=2)

    def validated(times: Iterable[object]) -> None:
        for _ in times:
            validate({"a": 1, "b": 2})

    def function(times: Iterable[object]) -> None:
        for _ in times:
            add(a=1, b=2)

    async def awaiting(times: Iterable[object]) -> None:
        for _ in times:
            await add_later(a=1, b=2)

    return {"I": inputs, "V": validated, "function": function, "await": _driven(awaiting)}


def _driven(body: Callable[[Iterable[object]], Coroutine[Any, Any, None]]) -> Loop:
    """Return a loop that runs the coroutine to its end without an event loop."""

    def loop(times: Iterable[object]) -> None:
        coroutine = body(times)
        try:
            coroutine.send(None)
        except StopIteration:
            return
        coroutine.close()
        raise RuntimeError("a command of the benchmark suspended; nothing in it awaits anything pending")

    return loop


def shown(value: object) -> str:
    """Return the repr without the addresses of objects, which no two processes share."""
    return re.sub(r"\b0x[0-9A-Fa-f]+", "0x", repr(value))


def _answer(outcome: Any) -> Any:
    """Return what both frameworks must agree on: the result, or each error's symbol, path and place."""
    if outcome.is_success():
        return outcome.result
    return [[error.symbol, list(error.path), list(error.runtime_path)] for error in outcome.errors]


def build(package: str) -> dict[str, Case]:
    """Return the cases of *package* (a module name) by key; cases it has no API for are left out."""
    from . import checks  # its cases are of the class here

    api = importlib.import_module(package)
    made: list[Case] = [
        *_runs(api),
        _unguarded(api, Stay, "unguarded", "nested model, union, datetime, validator"),
        _unguarded(api, CheckedStay, "model_validator", "the same and a model validator"),
        *_nested(api),
        _callbacks(api),
        *_failures(api),
        *_json(api),
        _awaited(api),
        _function_command(api),
        *_validator_table(package),
        *_type_pipeline(package),
        *checks.build(package),
        *_payment(api, package),
    ]
    return {case.key: case for case in made}


def _runs(api: ModuleType) -> list[Case]:
    class Add(api.Command[Pair, int]):  # type: ignore[misc, name-defined]
        def execute(self) -> int:
            inputs = self.inputs
            return inputs.a + inputs.b  # type: ignore[no-any-return]

    class Describe(api.Command[Scalars, int]):  # type: ignore[misc, name-defined]
        def execute(self) -> int:
            return self.inputs.age  # type: ignore[no-any-return]

    class PlaceOrder(api.Command[Order, float]):  # type: ignore[misc, name-defined]
        def execute(self) -> float:
            inputs = self.inputs
            return inputs.quantity * inputs.price  # type: ignore[no-any-return]

    def simple(times: Iterable[object]) -> None:
        for _ in times:
            Add.run(a=1, b=2)

    def scalars(times: Iterable[object]) -> None:
        for _ in times:
            Describe.run(
                name="Ada", city="London", age=36, visits=7, score=1.5, rate=0.25, active=True, vip=False
            )

    validate_scalars = Scalars.__pydantic_validator__.validate_python

    def scalars_floor(times: Iterable[object]) -> None:
        for _ in times:
            validate_scalars(
                {
                    "name": "Ada",
                    "city": "London",
                    "age": 36,
                    "visits": 7,
                    "score": 1.5,
                    "rate": 0.25,
                    "active": True,
                    "vip": False,
                }
            )

    def order(times: Iterable[object]) -> None:
        for _ in times:
            PlaceOrder.run(
                customer="Ada", email="ada@example.com", quantity=3, price=2.5, tags=["new", "web"]
            )

    validate_order = Order.__pydantic_validator__.validate_python

    def order_floor(times: Iterable[object]) -> None:
        for _ in times:
            validate_order(
                {
                    "customer": "Ada",
                    "email": "ada@example.com",
                    "quantity": 3,
                    "price": 2.5,
                    "tags": ["new", "web"],
                }
            )

    return [
        Case("simple", "simple run, two ints", simple, lambda: _answer(Add.run(a=1, b=2)), ("I", "V")),
        Case(
            "scalars",
            "eight scalar fields",
            scalars,
            lambda: _answer(
                Describe.run(
                    name="Ada", city="London", age=36, visits=7, score=1.5, rate=0.25, active=True, vip=False
                )
            ),
            ("V",),
            {"V": scalars_floor},
        ),
        Case(
            "constrained",
            "five fields, constraints and a validator",
            order,
            lambda: _answer(
                PlaceOrder.run(
                    customer=" Ada ", email="ada@example.com", quantity=3, price=2.5, tags=["new", "web"]
                )
            ),
            ("V",),
            {"V": order_floor},
        ),
    ]


def _unguarded(api: ModuleType, model: type[Stay], key: str, title: str) -> Case:
    class Book(api.Command[model, str]):  # type: ignore[misc, name-defined]
        def execute(self) -> str:
            inputs = self.inputs
            return f"{inputs.guest.name} {inputs.room} {inputs.code} {inputs.starts:%d.%m.}"

    class Reserve(api.Command[model, str]):  # type: ignore[misc, name-defined]
        def execute(self) -> str:
            return self.inputs.code  # type: ignore[no-any-return]

    def reserve(times: Iterable[object]) -> None:
        for _ in times:
            Reserve.run(
                guest={"name": "Ada", "age": 36}, starts="2026-11-27T10:00:00", room="12a", code="winter"
            )

    validate = model.__pydantic_validator__.validate_python

    def floor(times: Iterable[object]) -> None:
        for _ in times:
            validate(
                {
                    "guest": {"name": "Ada", "age": 36},
                    "starts": "2026-11-27T10:00:00",
                    "room": "12a",
                    "code": "winter",
                }
            )

    def once() -> Any:
        given: dict[str, Any] = {"guest": {"name": "Ada", "age": 36}, "starts": "2026-11-27T10:00:00"}
        return [
            _answer(Book.run(**given, room=room, code="winter", **more))
            for room, more in (("12a", {}), (12, {}), (2.5, {}), ("1", {"other": 1}))
        ]

    return Case(key, title, reserve, once, ("V",), {"V": floor})


def _nested(api: ModuleType) -> list[Case]:
    class Leaf(api.Command[Pair, int]):  # type: ignore[misc, name-defined]
        def execute(self) -> int:
            return self.inputs.a + self.inputs.b  # type: ignore[no-any-return]

    def around(inner: Any) -> Any:
        class Level(api.Command[Pair, int]):  # type: ignore[misc, name-defined]
            def execute(self) -> int:
                return self.run_subcommand(inner, a=self.inputs.a, b=self.inputs.b)  # type: ignore[no-any-return]

        return Level

    Parent = around(Leaf)
    towers: list[Any] = [Leaf]
    for _ in range(20):
        towers.append(around(towers[-1]))
    Tower, Twice = towers[10], towers[20]

    def parent(times: Iterable[object]) -> None:
        for _ in times:
            Parent.run(a=1, b=2)

    def tower(times: Iterable[object]) -> None:
        for _ in times:
            Tower.run(a=1, b=2)

    def twice(times: Iterable[object]) -> None:
        for _ in times:
            Twice.run(a=1, b=2)

    return [
        Case("subcommand", "parent and one subcommand", parent, lambda: _answer(Parent.run(a=1, b=2))),
        Case("nested", "ten nested subcommands", tower, lambda: _answer(Tower.run(a=1, b=2))),
        Case("nested_20", "twenty nested subcommands", twice, lambda: _answer(Twice.run(a=1, b=2))),
    ]


def _callbacks(api: ModuleType) -> Case:
    class Watched(api.Command[Pair, int]):  # type: ignore[misc, name-defined]
        def execute(self) -> int:
            return self.inputs.a + self.inputs.b  # type: ignore[no-any-return]

    def before(command: Any) -> None:
        return None

    def after(command: Any) -> None:
        return None

    def watched(times: Iterable[object]) -> None:
        for _ in times:
            Watched.run(a=1, b=2)

    Watched.before_execute_transition(before)
    Watched.after_execute_transition(after)
    return Case(
        "callbacks", "one callback before, one after", watched, lambda: _answer(Watched.run(a=1, b=2))
    )


def _failures(api: ModuleType) -> list[Case]:
    class Refuse(api.Command[Pair, int]):  # type: ignore[misc, name-defined]
        def execute(self) -> int:
            self.add_runtime_error("first", "the first reason", halt=False)
            self.add_runtime_error("second", "the second reason", halt=False)
            return 0

    class Limited(api.Command[Limits, int]):  # type: ignore[misc, name-defined]
        def execute(self) -> int:
            return self.inputs.count  # type: ignore[no-any-return]

    def refuse(times: Iterable[object]) -> None:
        for _ in times:
            Refuse.run(a=1, b=2)

    def limited(times: Iterable[object]) -> None:
        for _ in times:
            Limited.run(count=0, label="ab", share=2.0)

    if hasattr(api.CommandOutcome, "to_json_bytes"):

        def refuse_json(times: Iterable[object]) -> None:
            for _ in times:
                Refuse.run(a=1, b=2).to_json_bytes()

    else:

        def refuse_json(times: Iterable[object]) -> None:
            for _ in times:
                json.dumps([error.to_dict() for error in Refuse.run(a=1, b=2).errors]).encode()

    return [
        Case("errors", "two runtime errors", refuse, lambda: _answer(Refuse.run(a=1, b=2))),
        Case("errors_json", "two errors to JSON bytes", refuse_json, lambda: None),
        Case(
            "invalid",
            "three validation errors",
            limited,
            lambda: _answer(Limited.run(count=0, label="ab", share=2.0)),
        ),
    ]


def _json(api: ModuleType) -> list[Case]:
    class AddJson(api.Command[Pair, int]):  # type: ignore[misc, name-defined]
        def execute(self) -> int:
            return self.inputs.a + self.inputs.b  # type: ignore[no-any-return]

    collection = api.ErrorCollection()
    for number in range(50):
        collection.add(
            api.FoobaraError(
                category="data",
                symbol="too_short",
                path=("orders", str(number), "name"),
                message=f"String {number} should have at least 3 characters",
                context={"min_length": 3},
            )
        )
    errors = collection.all()

    ready = [error.to_dict() for error in errors]

    def fifty_floor(times: Iterable[object]) -> None:
        for _ in times:
            json.dumps(ready).encode()

    if hasattr(collection, "to_json_bytes"):

        def fifty(times: Iterable[object]) -> None:
            for _ in times:
                collection.to_json_bytes()

    else:

        def fifty(times: Iterable[object]) -> None:
            for _ in times:
                json.dumps([error.to_dict() for error in errors]).encode()

    body = b'{"a": 1, "b": 2}'
    validate = Pair.__pydantic_validator__.validate_python
    loads = json_loads()

    def body_floor(times: Iterable[object]) -> None:
        for _ in times:
            validate(loads(body))

    if hasattr(AddJson, "run_json"):

        def from_json(times: Iterable[object]) -> None:
            for _ in times:
                AddJson.run_json(body)

        def once() -> Any:
            return _answer(AddJson.run_json(body))

    else:

        def from_json(times: Iterable[object]) -> None:
            for _ in times:
                AddJson.run(**loads(body))

        def once() -> Any:
            return _answer(AddJson.run(**loads(body)))

    return [
        Case(
            "fifty_json",
            "fifty errors to JSON bytes",
            fifty,
            lambda: len(errors),
            ("json",),
            {"json": fifty_floor},
        ),
        Case("run_json", "run from JSON bytes", from_json, once, ("json",), {"json": body_floor}),
    ]


def json_loads() -> Callable[[bytes], Any]:
    """Return orjson's reader, the floor the budget names, or the standard library's without orjson."""
    try:
        return importlib.import_module("orjson").loads  # type: ignore[no-any-return]
    except ImportError:
        return json.loads


def _awaited(api: ModuleType) -> Case:
    class AddLater(api.AsyncCommand[Pair, int]):  # type: ignore[misc, name-defined]
        async def execute(self) -> int:
            return self.inputs.a + self.inputs.b  # type: ignore[no-any-return]

    async def awaiting(times: Iterable[object]) -> None:
        for _ in times:
            await AddLater.run(a=1, b=2)

    def once() -> Any:
        answers: list[Any] = []

        async def body(times: Iterable[object]) -> None:
            answers.append(_answer(await AddLater.run(a=1, b=2)))

        _driven(body)(())
        return answers

    return Case("async", "async run, immediate result", _driven(awaiting), once, ("await", "I"))


def _function_command(api: ModuleType) -> Case:
    def add(a: int, b: int) -> int:
        return a + b

    add.__annotations__ = {"a": int, "b": int, "return": int}
    # foobara_py exports the decorator one level down.
    place = api if hasattr(api, "simple_command") else importlib.import_module(f"{api.__name__}.core.command")
    command = place.simple_command(add)

    def loop(times: Iterable[object]) -> None:
        for _ in times:
            command.run(a=1, b=2)

    return Case(
        "function", "function as a command", loop, lambda: _answer(command.run(a=1, b=2)), ("I", "function")
    )


def _validator_table(package: str) -> list[Case]:
    try:
        cache = importlib.import_module(f"{package}.types.cache").ValidationCache()
    except (ImportError, AttributeError):
        return []
    get = cache.get_validator
    get(Pair)
    outer: dict[type, type] = {Pair: Pair}
    inner: dict[type, object] = {Pair: Pair.__pydantic_validator__}

    def hit(times: Iterable[object]) -> None:
        for _ in times:
            get(Pair)

    def look_up(kind: type) -> object:
        return inner[outer[kind]]

    def lookups(times: Iterable[object]) -> None:
        for _ in times:
            look_up(Pair)

    return [
        Case(
            "table",
            "get_validator, a hit",
            hit,
            lambda: get(Pair).validate_python({"a": 1, "b": 2}).a,
            ("lookups",),
            {"lookups": lookups},
        )
    ]


def _type_pipeline(package: str) -> list[Case]:
    """Return the case of a type of ten processors."""
    try:
        types = importlib.import_module(f"{package}.types")
        label = types.FoobaraType(
            name="label",
            python_type=str,
            casters=[types.StringCaster()],
            transformers=[
                types.StripWhitespaceTransformer(),
                types.NormalizeWhitespaceTransformer(),
                types.LowercaseTransformer(),
                types.TitleCaseTransformer(),
                types.TruncateTransformer(60),
            ],
            validators=[
                types.NotEmptyValidator(),
                types.MinLengthValidator(1),
                types.MaxLengthValidator(60),
                types.PatternValidator(r"^[A-Z]"),
            ],
        )
    except (ImportError, AttributeError):
        return []
    process = label.process

    def processed(times: Iterable[object]) -> None:
        for _ in times:
            process("  ada   lovelace ")

    return [
        Case("process", "FoobaraType.process, ten steps", processed, lambda: process("  ada   lovelace "))
    ]


def _payment(api: ModuleType, package: str) -> list[Case]:
    try:
        types = importlib.import_module(f"{package}.types")
        numbers: dict[str, Any] = {
            "card": (types.CardNumber, ...),
            "to": (types.IBAN, ...),
            "phone": (types.PhoneNumber["US"], ...),
        }
    except (ImportError, AttributeError):
        return []
    model: Any = create_model(
        "Transfer",
        **numbers,
        cents=(int, Field(gt=0)),
        currency=(str, Field(min_length=3, max_length=3)),
    )

    class Pay(api.Command[model, list[str]]):  # type: ignore[misc, name-defined]
        def execute(self) -> list[str]:
            inputs = self.inputs
            return [inputs.card.masked, inputs.card.brand, inputs.to.masked, inputs.phone.masked]

    class Charge(api.Command[model, int]):  # type: ignore[misc, name-defined]
        def execute(self) -> int:
            return self.inputs.cents  # type: ignore[no-any-return]

    def charge(times: Iterable[object]) -> None:
        for _ in times:
            Charge.run(
                card="4111111111111111",
                to="DE89370400440532013000",
                phone="+12015550123",
                cents=1250,
                currency="EUR",
            )

    validate = model.__pydantic_validator__.validate_python

    def floor(times: Iterable[object]) -> None:
        for _ in times:
            validate(
                {
                    "card": "4111111111111111",
                    "to": "DE89370400440532013000",
                    "phone": "+12015550123",
                    "cents": 1250,
                    "currency": "EUR",
                }
            )

    def once() -> Any:
        right: dict[str, Any] = {"card": CARD, "to": IBAN, "phone": PHONE, "cents": 1, "currency": "EUR"}
        return [
            _answer(Pay.run(**{**right, **other}))
            for other in ({}, {"card": CARD[:-1]}, {"to": IBAN.lower()})
        ]

    return [Case("payment", "payment: card, IBAN, phone", charge, once, ("V",), {"V": floor})]
