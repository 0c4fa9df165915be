"""The JSON writers: what each value becomes, and that compiled and pure write the same bytes."""

from __future__ import annotations

import copy
import dataclasses
import json
import math
import sys
import threading
from collections import OrderedDict, deque, namedtuple
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import PurePosixPath
from types import MappingProxyType, ModuleType
from typing import Annotated, Any
from uuid import UUID

import pytest
from hypothesis import given, settings, strategies as st
from pydantic import BaseModel, Field, SecretStr

import foobara_accel
from foobara_accel.testing import load_twin


@pytest.fixture
def F(sub):
    return sub("core.errors").FoobaraError


def value(F, thing: Any) -> bytes:
    written = F(context={"v": thing}).to_json_bytes()
    head, tail = b'"context":{"v":', b'},"is_fatal"'
    return written[written.index(head) + len(head) : written.rindex(tail)]


class Color(Enum):
    RED = "red"
    RAW = b"{}"


class Level(IntEnum):
    LOW = 1


@dataclasses.dataclass
class Point:
    x: int
    y: Any


class Card(BaseModel):
    name: str
    pin: SecretStr = SecretStr("1234")
    hidden: Any = Field(default=None, exclude=True)


class Plain:
    pass


class Rude:
    def __str__(self) -> str:
        raise RuntimeError("no")


class Secret:
    __foobara_sensitive__ = True

    def __str__(self) -> str:
        return "hunter2"


Pair = namedtuple("Pair", "a b")

VALUES = [
    (None, b"null"),
    (True, b"true"),
    (False, b"false"),
    (0, b"0"),
    (-1, b"-1"),
    (2**63 - 1, b"9223372036854775807"),
    (-(2**63), b"-9223372036854775808"),
    (2**70, b"1180591620717411303424"),
    (1.5, b"1.5"),
    (1e300, b"1e+300"),
    (-0.0, b"-0.0"),
    (math.nan, b"null"),
    (math.inf, b"null"),
    (-math.inf, b"null"),
    ("", b'""'),
    ('a"b\\c\n\r\t\b\f\x00\x1f\x7f', b'"a\\"b\\\\c\\n\\r\\t\\b\\f\\u0000\\u001f\x7f"'),
    ("héé€😀\u2028", '"héé€😀\u2028"'.encode()),
    ("\ud800x\udfff", b'"\\ud800x\\udfff"'),
    ([1, [2, ()]], b"[1,[2,[]]]"),
    ({}, b"{}"),
    ({"a": {"b": None}}, b'{"a":{"b":null}}'),
    (
        {1: 4, 1.5: 2, None: 3, Color.RED: 5, b"k": 6, ("t",): 7},
        b'{"1":4,"1.5":2,"null":3,"red":5,"k":6,"(\'t\',)":7}',
    ),
    (OrderedDict(a=1), b'{"a":1}'),
    (MappingProxyType({"a": 1}), b'{"a":1}'),
    ({1}, b"[1]"),
    (frozenset(), b"[]"),
    (Pair(1, 2), b"[1,2]"),
    (deque([1]), b'"deque([1])"'),
    (Color.RED, b'"red"'),
    (Color.RAW, b'"{}"'),
    (Level.LOW, b"1"),
    (b"ab\xff", b'"ab\\\\xff"'),
    (bytearray(b"x"), b'"x"'),
    (memoryview(b"x"), b'"x"'),
    (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), b'"2026-01-02T03:04:05+00:00"'),
    (date(2026, 1, 2), b'"2026-01-02"'),
    (time(1, 2), b'"01:02:00"'),
    (timedelta(seconds=1.5), b"1.5"),
    (UUID(int=5), b'"00000000-0000-0000-0000-000000000005"'),
    (Decimal("1.10"), b'"1.10"'),
    (Decimal("NaN"), b'"NaN"'),
    (PurePosixPath("/a"), b'"/a"'),
    (Point(1, [2.5]), b'{"x":1,"y":[2.5]}'),
    (Card(name="n", hidden="h"), b'{"name":"n","pin":"**********"}'),
    (Card(name="\ud800", hidden="h"), b'{"name":"\\ud800","pin":"**********"}'),
    (SecretStr("x"), b'"**********"'),
    (Secret(), b'"**********"'),
    (ValueError("v"), b'"v"'),
    (Plain(), b'"<Plain>"'),
    (Rude(), b'"<Rude>"'),
    (int, b"\"<class 'int'>\""),
    (1j, b'"1j"'),
]


@pytest.mark.parametrize(
    ("thing", "written"), VALUES, ids=lambda v: repr(v)[:40] if isinstance(v, str) else None
)
def test_values(F, thing, written):
    assert value(F, thing) == written


def test_an_int_beyond_the_digit_limit_is_hexadecimal(F):
    assert value(F, 10**5000) == b'"' + hex(10**5000).encode() + b'"'


def test_self_reference_becomes_a_placeholder(F):
    loop: list[Any] = [1]
    loop.append(loop)
    knot: dict[str, Any] = {}
    knot["k"] = [knot]
    assert value(F, loop) == b'[1,"<circular>"]'
    assert value(F, knot) == b'{"k":["<circular>"]}'
    error = F(symbol="s")
    error.context["me"] = error
    assert json.loads(error.to_json_bytes())["context"] == {"me": "<circular>"}


def test_the_same_object_twice_is_not_a_cycle(F):
    shared = [1]
    assert value(F, [shared, shared]) == b"[[1],[1]]"


@pytest.mark.parametrize("kind", [list, dict])
def test_depth_is_limited(F, kind):
    thing: Any = 1
    for _ in range(100_000):
        thing = [thing] if kind is list else {"k": thing}
    written = value(F, thing)
    assert b'"<too deep>"' in written and json.loads(written)
    while thing != 1:
        thing = thing[0] if kind is list else thing["k"]


def test_errors_collections_and_outcomes_nest(F, sub):
    inner = F(symbol="inner")
    collection = sub("core.errors").ErrorCollection().add(inner)
    outcome = sub("core.outcome").CommandOutcome.from_errors(inner)
    written = json.loads(F(context={"e": inner, "c": collection, "o": outcome}).to_json_bytes())["context"]
    assert written["e"] == inner.to_dict() and written["c"] == [inner.to_dict()]
    assert written["o"] == outcome.to_dict()


def test_a_serializer_may_serialise_another_error(F):
    class Nosy:
        def __str__(self) -> str:
            return F(context={"deep": "x" * 5000}).to_json_bytes().decode()

    assert json.loads(value(F, ["a" * 3000, Nosy(), "b"]))[1].startswith('{"key"')


def test_a_serializer_may_change_what_is_being_written(F):
    things: list[Any] = []
    table: dict[str, Any] = {}

    class Meddler:
        def __str__(self) -> str:
            things.clear()
            table.clear()
            return "m"

    things += [Meddler(), 1, 2]
    assert value(F, things) == b'["m",1,2]'
    table.update(a=Meddler(), b=2)
    assert value(F, table) == b'{"a":"m","b":2}'


def test_interrupts_are_not_swallowed(F):
    class Impatient:
        def __str__(self) -> str:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        value(F, Impatient())
    assert value(F, 1) == b"1"


def test_a_large_text(F):
    text = "ab\n" * 3_000_000
    assert json.loads(value(F, text)) == text


def test_threads_have_their_own_buffers(F):
    errors = [F("data", str(i), context={"n": [i] * 50}) for i in range(8)]
    wanted = [error.to_json_bytes() for error in errors]
    wrong: list[int] = []

    def work(i: int) -> None:
        wrong.extend(i for _ in range(300) if errors[i].to_json_bytes() != wanted[i])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_bytes_equal_json_of_the_dict(F, sub):
    errors = sub("core.errors").ErrorCollection()
    errors.add(
        F.data_error("invalid", ["user", 0, "e-mail"], 'not "good"', suggestion="s", n=1, f=1.5, b=None)
    )
    errors.add(F.runtime_error("x", "é", is_fatal=True).with_runtime_path_prefix("a", "b").with_help_url("u"))
    errors.add(F(cause=F(symbol="root", cause=F())))
    assert (
        errors.to_json_bytes()
        == json.dumps(errors.to_list(), ensure_ascii=False, separators=(",", ":")).encode()
    )


def test_unusual_errors_among_usual_ones(F, sub):
    class Mine(F):
        pass

    made = [
        F("data", "a", ("p", "q"), "m", {"n": 1, "s": "t", "b": True, "z": None, "f": 1.5}),
        F("data", "a", (), "m", {"list": [1, {"k": ()}]}),
        F("runtime", "b", (), "m", None, ("outer",)),
        F("runtime", "b", ("p",), "m", {"huge": 2**70}, ("outer",)),
        F("data", "a", ("p", 0), "m"),
        F("data", "a", ["p"], 'a "quoted" message'),
        Mine("data", "a", ("p",), "m"),
        F("data", 5, ("p",), None),
        F("data", "a", ("p",), "m", {1: 2}),
        F("data", "a", ("back\\slash",), "m", is_fatal=True),
        F("data", "a", ("p",), "tab\t"),
        F("runtime", "a", "path", "m", suggestion="s"),
    ]
    made[7].message = "text"
    alone = [[error] for error in made]
    for errors in (made, made[::-1], made * 20, [error for error in made for _ in range(4)], *alone):
        collection = sub("core.errors").ErrorCollection().merge(map(copy.copy, errors))
        wanted = json.dumps(collection.to_list(), ensure_ascii=False, separators=(",", ":"))
        assert collection.to_json_bytes() == wanted.encode()


@pytest.mark.parametrize("name", ["category", "symbol", "message"])
def test_a_text_of_a_marked_type_is_hidden_among_plain_ones(F, sub, name):
    class Marked(str):
        __foobara_sensitive__ = True

    plain = F("data", "secret", ("p",), "secret")
    marked = F("data", "secret", ("p",), "secret")
    setattr(marked, name, Marked("secret"))
    written = json.loads(sub("core.errors").ErrorCollection().add_all(plain, marked, plain).to_json_bytes())
    assert written[1][name] == "**********"


def test_names_of_a_marked_type_are_hidden(F, sub):
    class Marked(str):
        __foobara_sensitive__ = True

    errors = sub("core.errors").ErrorCollection()
    errors.add_all(F(path=("a",)), F(path=(Marked("b"),)), F(runtime_path=(Marked("c"),)), F(path=("d",)))
    written = json.loads(errors.to_json_bytes())
    assert [e["path"] for e in written] == [["a"], ["**********"], [], ["d"]]
    assert written[2]["runtime_path"] == ["**********"]


def test_a_type_that_does_not_answer_is_hidden(F, sub):
    class Odd(type):
        def __getattribute__(cls, name: str) -> Any:
            if name == "__foobara_sensitive__":
                raise RuntimeError("no")
            return super().__getattribute__(name)

    class Pin(str, metaclass=Odd):
        pass

    assert value(F, Pin("1234")) == value(F, [Pin("1234")])[1:-1] == b'"**********"'
    errors = sub("core.errors").ErrorCollection().add_all(*[F(path=(Pin("1234"),)) for _ in range(6)])
    assert [e["path"] for e in json.loads(errors.to_json_bytes())] == [["**********"]] * 6


def test_a_marked_value_that_fails_to_be_written_is_hidden(F):
    class Broken(str):
        __foobara_sensitive__ = True

        @property
        def __class__(self) -> Any:
            raise RuntimeError("no")

    assert value(F, Broken("1234")) == b'"**********"'


def test_marked_fields_of_a_model_that_is_no_json_are_hidden(F):
    class Mark:
        __foobara_sensitive__ = True

    class Login(BaseModel):
        name: str
        pin: Annotated[str, Mark()]
        pins: list[Annotated[str, Mark()]]

    written = json.loads(value(F, Login(name="\ud800", pin="1234", pins=["1234"])))
    assert written == {"name": "\ud800", "pin": "**********", "pins": "**********"}


def test_new_types_are_judged_by_themselves(F):
    for number in range(300):  # where one was freed the next may lie
        marked = type("T", (str,), {"__foobara_sensitive__": True} if number % 2 else {})
        assert value(F, marked("b")) == (b'"**********"' if number % 2 else b'"b"')
        del marked


@pytest.mark.parametrize("count", [1, 6])
@pytest.mark.parametrize(
    ("context", "written"),
    [(None, b"{}"), ({}, b"{}"), (OrderedDict(), b"{}"), (MappingProxyType({}), b"{}")],
)
def test_a_context_that_is_false_is_written_as_a_dict(F, sub, count, context, written):
    made = [F("data", "s", ("p",) * (number % 2), "m", context) for number in range(count)]
    document = sub("core.errors").ErrorCollection().add_all(*made).to_json_bytes()
    assert document.count(b'"context":' + written + b",") == count


def test_equal_values_of_different_types_in_a_row(F, sub):
    values = [1, True, 1.0, "1", 1, 1.0, True, None, 0, False, 0.0, -0.0, 2**63, "a\nb", "a\nb"]
    made = [F("data", "s", ("p",), "m", {"n": value}) for value in values]
    made += [F("data", "s", (), "m", {"n": value, "m": value}) for value in values]
    made += [F("data", "s", (), "m", {None: None}), F("data", "s", (), "m", {"n": None})]
    errors = sub("core.errors").ErrorCollection().add_all(*made)
    wanted = json.dumps(errors.to_list(), ensure_ascii=False, separators=(",", ":"))
    assert errors.to_json_bytes() == wanted.encode()


@pytest.mark.parametrize("name", ["category", "symbol", "message", "path", "runtime_path", "context"])
def test_fields_without_a_value_come_first(F, sub, name):
    made = [F("data", "s", ("p",), "m", {"k": 1}) for _ in range(5)]
    setattr(made[0], name, None)
    errors = sub("core.errors").ErrorCollection().add_all(*made)
    wanted = json.dumps(errors.to_list(), ensure_ascii=False, separators=(",", ":"))
    assert errors.to_json_bytes() == wanted.encode()


@pytest.mark.parametrize("name", ["category", "symbol", "message", "path", "runtime_path"])
@pytest.mark.parametrize("odd", ['"', "\\", "\n", "\x00", "é", "\ud800", "\U0001f600", "\x7f"])
def test_one_character_among_many_errors(F, sub, name, odd):
    for size in (1, 2, 20, 90):  # few, and more than is searched at once
        made = [F("data", "s", ("p", str(n)), f"message {n}", {"k": n}, ("outer",)) for n in range(size)]
        text = f"a{odd}b"
        setattr(made[-1], name, (text,) if "path" in name else text)
        errors = sub("core.errors").ErrorCollection().add_all(*made)
        wanted = json.dumps(errors.to_list(), ensure_ascii=False, separators=(",", ":"))
        assert errors.to_json_bytes() == wanted.encode("utf-8", "backslashreplace")


def test_a_value_whose_type_has_no_hash(F, sub):
    class Meta(type):
        def __eq__(cls, other: object) -> bool:
            return True

        __hash__ = None  # type: ignore[assignment]

    class Thing(metaclass=Meta):
        def __str__(self) -> str:
            return "thing"

    # Such a type answers yes to whether it is a secret one: its values are hidden, not an error.
    for count in (1, 6):
        made = [F("data", "s", ("p",), "m", {"k": Thing()}) for _ in range(count)]
        errors = sub("core.errors").ErrorCollection().add_all(*made)
        assert [e["context"] for e in json.loads(errors.to_json_bytes())] == [{"k": "**********"}] * count


@pytest.mark.parametrize("change", ["add", "clear"])
def test_a_context_that_changes_while_it_is_written(F, sub, change):
    # what another thread may do between two lines of the fallback
    made = [F("data", "s", ("p",), "m", {"a": n, "b": n}) for n in range(6)]
    errors = sub("core.errors").ErrorCollection().add_all(*made)
    pending = [made[3].context]

    def trace(frame: Any, event: str, argument: Any) -> Any:
        seen = frame.f_locals
        if pending and event == "line" and seen.get("context") is pending[0] and seen.get("value") == 3:
            context = pending.pop()
            context.clear() if change == "clear" else context.update(c=3)
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        written = json.loads(errors.to_json_bytes())
    finally:
        sys.settrace(before)
    assert [e["context"] for e in written if e["context"].get("a") != 3] == [
        {"a": n, "b": n} for n in (0, 1, 2, 4, 5)
    ] or written == errors.to_list()
    assert len(written) == 6


def test_symbols_that_a_command_makes_up_are_not_all_kept(F, sub):
    module = sub("core.errors")
    for number in range(3000):
        few = module.ErrorCollection().add(F("data", f"s{number}", (), "m"))
        many = module.ErrorCollection().add_all(*[F("data", f"t{number}", ("p",), "m") for _ in range(5)])
        assert json.loads(few.to_json_bytes()) == few.to_list()
        assert json.loads(many.to_json_bytes()) == many.to_list()
    kept = getattr(F.__init__, "__globals__", None)  # of the fallback
    if kept is not None:
        assert len(kept["heads"]) <= kept["MOST_HEADS"] and len(kept["places"]) <= kept["MOST_HEADS"]


# Compiled against pure

texts = st.text(st.characters(codec=None, exclude_categories=()), max_size=20) | st.sampled_from(
    ["plain", "with space", "12345678", 'quote"inside', "back\\slash", "a" * 40, "a" * 7 + "\n", "é" * 9]
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | texts
    | st.binary(max_size=8)
    | st.decimals()
    | st.datetimes()
    | st.uuids()
    | st.sampled_from([Color.RED, Color.RAW, Level.LOW, Plain(), Rude(), Secret(), SecretStr("x"), 1j])
)
keys = texts | st.integers() | st.booleans() | st.none() | st.floats() | st.binary(max_size=4)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(keys, inner, max_size=4)
        | st.tuples(inner, inner)
        | st.builds(Point, st.integers(), inner)
        | st.builds(lambda name, hidden: Card(name=name, hidden=hidden), st.text(max_size=5), inner)
    ),
    max_leaves=8,
)
odd = st.integers() | st.none() | st.sampled_from([Color.RED, 1.5])
fields = st.fixed_dictionaries(
    {},
    optional={
        "category": texts | st.sampled_from(["data", "runtime"]) | odd,
        "symbol": texts | odd,
        "path": st.lists(texts | st.integers(), max_size=4) | texts,
        "message": texts | odd,
        "context": st.dictionaries(keys, values, max_size=4)
        | st.dictionaries(texts, st.text() | st.integers() | st.floats() | st.booleans(), max_size=3),
        "runtime_path": st.lists(texts, max_size=3),
        "is_fatal": st.booleans() | odd,
        "severity": st.sampled_from(["debug", "warning", "error", "fatal", "custom"]) | odd,
        "suggestion": st.none() | texts,
        "help_url": st.none() | texts,
    },
)


def build(package: Any, specs: list[dict[str, Any]], chain: bool) -> Any:
    from importlib import import_module

    errors = import_module(f"{package.__name__}.core.errors")
    collection = errors.ErrorCollection()
    cause = None
    for spec in specs:
        spec = dict(spec)
        try:
            spec["severity"] = errors.ErrorSeverity(spec["severity"])
        except (KeyError, ValueError):
            pass
        error = errors.FoobaraError(**spec)
        if chain:
            error.cause = cause
            cause = error
        collection.add(error)
    return import_module(f"{package.__name__}.core.outcome").CommandOutcome, collection


def look(package: Any, specs: list[dict[str, Any]], chain: bool) -> list[Any]:
    Outcome, collection = build(package, specs, chain)
    return [
        collection.to_json_bytes(),
        [error.to_json_bytes() for error in collection],
        [error.key() for error in collection],
        [error.error_code for error in collection],
        Outcome.from_errors(*collection).to_json_bytes(),
        Outcome.from_result({"all": collection, "list": collection.all()}, a=1).to_json_bytes(),
        collection.to_problem(),
        collection.to_human_readable(),
        repr(collection).replace("NaN", "nan"),
        [error.symbol for error in collection.sort_by_severity()],
        collection.to_sentence(),
    ]


@given(st.lists(fields, max_size=4), st.booleans())
@settings(max_examples=300, deadline=None)
def test_both_twins_write_the_same(specs, chain):
    if str(foobara_accel.backend()) != "c":
        pytest.skip("no compiled backend")
    c, py = look(foobara_accel, specs, chain), look(load_twin("py"), specs, chain)
    assert c == py
    json.loads(c[0])


def test_a_pydantic_field_keeps_what_an_error_writes_of_itself(fa: ModuleType) -> None:
    class Coded(fa.FoobaraError):
        def to_dict(self) -> dict[str, Any]:
            return {"mine": self.symbol, "path": "x"}

    class Holds(BaseModel):
        errors: list[fa.FoobaraError]
        outcome: fa.CommandOutcome
        found: fa.ErrorCollection

    coded, usual = Coded(symbol="s"), fa.FoobaraError("data", "u", context={"n": None})
    found = fa.ErrorCollection().add(coded)
    held = Holds(errors=[coded, usual], outcome=fa.CommandOutcome.from_errors(coded), found=found)
    mine = {"mine": "s", "path": "x"}
    wanted = {
        "errors": [mine, usual.to_dict()],
        "outcome": {"success": False, "errors": [mine], "metadata": {}},
        "found": [mine],
    }
    assert held.model_dump() == wanted == json.loads(held.model_dump_json())
    assert Holds.model_json_schema(mode="serialization") == Holds.model_json_schema()
    assert "symbol" in str(Holds.model_json_schema())
