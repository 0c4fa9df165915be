"""Types with processors: the order, the stock processors, elements, changes that are seen, the registry."""

from __future__ import annotations

import copy
import gc
import linecache
import math
import pickle
import re
import sys
import sysconfig
import threading
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from types import ModuleType, new_class
from typing import Annotated, Any
from unittest import mock
from uuid import UUID

import pytest
from pydantic import BaseModel, Field, TypeAdapter, ValidationError, create_model

Sub = Callable[[str], ModuleType]


@pytest.fixture(scope="session")
def types(sub: Sub) -> ModuleType:
    return sub("types.type_declarations")


@pytest.fixture
def registry(types: ModuleType) -> Any:
    """The registry, given back as it was."""
    registry = types.TypeRegistry
    kept = dict(registry._types), {name: list(names) for name, names in registry._categories.items()}
    yield registry
    registry._types.clear(), registry._categories.clear()
    registry._types.update(kept[0]), registry._categories.update(kept[1])


class Text(str):
    """A str whose own methods must be asked."""

    def strip(self, *args: Any) -> Any:
        return "own"


def label(types: ModuleType) -> Any:
    return types.FoobaraType(
        "label",
        str,
        casters=[types.StringCaster()],
        transformers=[
            types.StripWhitespaceTransformer(),
            types.NormalizeWhitespaceTransformer(),
            types.LowercaseTransformer(),
            types.TitleCaseTransformer(),
            types.TruncateTransformer(20),
        ],
        validators=[
            types.NotEmptyValidator(),
            types.MinLengthValidator(2),
            types.MaxLengthValidator(20),
            types.PatternValidator(r"^[A-Z]"),
        ],
    )


def test_ten_steps(types: ModuleType) -> None:
    made = label(types)
    assert made.process("  ada   lovelace ") == "Ada Lovelace"
    assert made(" ada\tÖSTERREICH ") == "Ada Österreich"
    assert made.process("x" * 30) == "X" + "x" * 16 + "..."
    assert made.validate(" \n") == (False, "the value must not be empty")
    assert made.validate("a") == (False, "the length must be at least 2, and is 1")
    assert made.validate("1 a") == (False, "the text must match the pattern ^[A-Z]")
    assert made.is_valid("ab") and not made.is_valid("1")


def test_casters_then_transformers_then_elements_then_validators(types: ModuleType) -> None:
    seen: list[tuple[str, Any]] = []

    def noting(name: str) -> Any:
        class Noting:
            def process(self, value: Any) -> Any:
                seen.append((name, value))
                return value

        return Noting()

    inner = types.FoobaraType("inner", int, casters=[noting("element"), types.IntegerCaster()])
    made = types.FoobaraType(
        "made",
        list,
        casters=[noting("caster"), types.ListCaster()],
        transformers=[noting("transformer")],
        validators=[noting("validator")],
        element_type=inner,
    )
    assert made.process("1,2") == [1, 2]
    assert seen == [
        ("caster", "1,2"),
        ("transformer", ["1", "2"]),
        ("element", "1"),
        ("element", "2"),
        ("validator", [1, 2]),
    ]


GOOD: list[tuple[str, tuple[Any, ...], Any, Any]] = [
    ("StringCaster", (), 5, "5"),
    ("StringCaster", (), "s", "s"),
    ("IntegerCaster", (), "0042", 42),
    ("IntegerCaster", (), " -7 ", -7),
    ("IntegerCaster", (), "9" * 30, int("9" * 30)),
    ("IntegerCaster", (), "1_000", 1000),
    ("IntegerCaster", (), True, 1),
    ("IntegerCaster", (), 3.9, 3),
    ("IntegerCaster", (), Decimal("8"), 8),
    ("FloatCaster", (), "1.5", 1.5),
    ("FloatCaster", (), 2, 2.0),
    ("BooleanCaster", (), " Yes ", True),
    ("BooleanCaster", (), "off", False),
    ("BooleanCaster", (), 0, False),
    ("DateCaster", (), "2026-01-31", date(2026, 1, 31)),
    ("DateCaster", (), "31/01/2026", date(2026, 1, 31)),
    ("DateCaster", (), datetime(2026, 1, 31, 5), date(2026, 1, 31)),
    ("DateTimeCaster", (), date(2026, 1, 31), datetime(2026, 1, 31)),
    ("DateTimeCaster", (), "01/31/2026 12:30:00", datetime(2026, 1, 31, 12, 30)),
    ("UUIDCaster", (), b"\0" * 15 + b"\7", UUID(int=7)),
    ("UUIDCaster", (), f" {UUID(int=7)} ", UUID(int=7)),
    ("ListCaster", (), "a, b", ["a", "b"]),
    ("ListCaster", (), (1, 2), [1, 2]),
    ("ListCaster", (), 7, [7]),
    ("DictCaster", (), {"a": 1}, {"a": 1}),
    ("RequiredValidator", (), 0, 0),
    ("MinLengthValidator", (2,), [1, 2], [1, 2]),
    ("MaxLengthValidator", (2,), {"a": 1}, {"a": 1}),
    ("MinValueValidator", (2,), 2, 2),
    ("MinValueValidator", (2, True), 2.5, 2.5),
    ("MinValueValidator", (date(2026, 1, 1),), date(2026, 1, 2), date(2026, 1, 2)),
    ("MaxValueValidator", (2**70,), 2**69, 2**69),
    ("RangeValidator", (0, 1.5), 1, 1),
    ("PatternValidator", (r"\d+",), "12a", "12a"),
    ("OneOfValidator", (["a", 1],), 1, 1),
    ("EmailValidator", (), "Ada.L+x@mail.example.co", "Ada.L+x@mail.example.co"),
    ("URLValidator", (), "https://example.technology:8080/a?b#c", "https://example.technology:8080/a?b#c"),
    ("URLValidator", (), "http://[::1]/", "http://[::1]/"),
    ("URLValidator", (), "HTTPS://LocalHost:65535?\u212a", "HTTPS://LocalHost:65535?\u212a"),
    ("URLValidator", (), "http://a.com#x", "http://a.com#x"),
    ("URLValidator", (), "http://a.xn--p1ai/\xe9", "http://a.xn--p1ai/\xe9"),
    ("EmailValidator", (), "o'x%y@a.xn--p1ai", "o'x%y@a.xn--p1ai"),
    ("NotEmptyValidator", (), [0], [0]),
    ("UniqueItemsValidator", (), [[1], [2]], [[1], [2]]),
    ("ContainsValidator", ("@",), "a@b", "a@b"),
    ("ContainsValidator", ("A", False), "bab", "bab"),
    ("StripWhitespaceTransformer", (), "\x1c a\x85", "a"),
    ("UppercaseTransformer", (), "straße", "STRASSE"),
    ("TitleCaseTransformer", (), "they're o'neil x2y", "They'Re O'Neil X2Y"),
    ("RoundTransformer", (), 2.345, 2.35),
    ("RoundTransformer", (0,), 2.5, 2.0),
    ("ClampTransformer", (0, 9), 12, 9),
    ("ClampTransformer", (0, 9), -0.5, 0),
    ("DefaultTransformer", ("d",), "", "d"),
    ("DefaultTransformer", ("d", False), "", ""),
    ("TruncateTransformer", (5,), "abcdefg", "ab..."),
    ("TruncateTransformer", (2,), "abcdefg", ".."),
    ("SlugifyTransformer", (), "  Hello,  World -- 2 ", "hello-world-2"),
    ("NormalizeWhitespaceTransformer", (), " a\x1d\n b ", "a b"),
    ("NormalizeWhitespaceTransformer", (), " x ", "x"),
]


def one_step(types: ModuleType, name: str, arguments: tuple[Any, ...]) -> tuple[Any, Any]:
    processor = getattr(types, name)(*arguments)
    where = {"r": "casters" if name.endswith("Caster") else "transformers", "V": "validators"}
    kind = "validators" if name.endswith("Validator") else where["r"]
    return processor, types.FoobaraType("one", object, **{kind: [processor]})


@pytest.mark.parametrize(("name", "arguments", "value", "result"), GOOD)
def test_what_a_stock_processor_makes(
    types: ModuleType, name: str, arguments: tuple[Any, ...], value: Any, result: Any
) -> None:
    processor, made = one_step(types, name, arguments)
    for way in (processor.process, processor, made.process):
        assert way(value) == result
        assert type(way(value)) is type(result)


BAD: list[tuple[str, tuple[Any, ...], Any, type[Exception], str]] = [
    ("IntegerCaster", (), "12secret", ValueError, "digits"),
    ("IntegerCaster", (), math.inf, ValueError, "digits"),
    ("IntegerCaster", (), b"1", TypeError, "type bytes"),
    ("FloatCaster", (), "secret", ValueError, "1.5"),
    ("FloatCaster", (), 10**400, ValueError, "1.5"),
    ("BooleanCaster", (), "secret", ValueError, "true or false"),
    ("BooleanCaster", (), 1.0, TypeError, "type float"),
    ("DateCaster", (), "secret", ValueError, "2026-01-31"),
    ("DateTimeCaster", (), 1e300, ValueError, "Unix timestamp"),
    ("UUIDCaster", (), "secret", ValueError, "hexadecimal"),
    ("DictCaster", (), 5, TypeError, "type int"),
    ("MinLengthValidator", (7,), "secret", ValueError, "at least 7"),
    ("MinLengthValidator", (7,), 5, TypeError, "len"),
    ("MaxLengthValidator", (2,), "secret", ValueError, "at most 2"),
    ("MinValueValidator", (2,), 1, ValueError, "at least 2"),
    ("MinValueValidator", (2, True), 2, ValueError, "greater than 2"),
    ("MinValueValidator", (0,), math.nan, ValueError, "at least 0"),
    ("MaxValueValidator", (2,), 3, ValueError, "at most 2"),
    ("MaxValueValidator", (math.nan,), 3, ValueError, "at most nan"),
    ("MaxValueValidator", (2, True), 2.0, ValueError, "less than 2"),
    ("RangeValidator", (0, 9), math.nan, ValueError, "from 0 to 9"),
    ("RangeValidator", (0, 9), "secret", TypeError, "not supported"),
    ("PatternValidator", ("x",), "secret", ValueError, "pattern x"),
    ("PatternValidator", ("x", "no"), "secret", ValueError, "no"),
    ("OneOfValidator", (["a", 1],), "secret", ValueError, "one of 'a', 1"),
    ("OneOfValidator", (["a"],), ["secret"], ValueError, "one of 'a'"),
    ("EmailValidator", (), "secret@example.com\n", ValueError, "e-mail"),
    ("EmailValidator", (), "se..cret@example.com", ValueError, "e-mail"),
    *[
        ("EmailValidator", (), address, ValueError, "e-mail")
        for address in (".secret@b.co", "secret.@b.co", "secret@b-.co", "secret@-b.co")
    ],
    ("URLValidator", (), "ftp://secret", ValueError, "URL"),
    *[
        ("URLValidator", (), url, ValueError, "URL")
        for url in (
            "http\u017f://secret.com",
            "http://secret.\u017fom",
            "http://secret\u212a.com",
            "http://localho\u017ft/secret",
            "http://secret.com:123456",
            "http://secret.com/\xa0",
        )
    ],
    ("NotEmptyValidator", (), {}, ValueError, "empty"),
    ("UniqueItemsValidator", (), ["secret", "secret"], ValueError, "two are equal"),
    ("UniqueItemsValidator", (), [["secret"], ["secret"]], ValueError, "two are equal"),
    ("ContainsValidator", ("@",), "secret", ValueError, "'@'"),
    ("ContainsValidator", ("@", False), 5, TypeError, "ContainsValidator takes a str, not int"),
    *[
        (f"{name}Transformer", (), 5, TypeError, f"{name}Transformer takes a str, not int")
        for name in (
            "StripWhitespace",
            "NormalizeWhitespace",
            "Lowercase",
            "Uppercase",
            "TitleCase",
            "Slugify",
        )
    ],
    *[
        (name, arguments, Decimal(number), ValueError, said)
        for number in ("NaN", "sNaN")
        for name, arguments, said in (
            ("MinValueValidator", (1,), "at least 1"),
            ("MinValueValidator", (1, True), "greater than 1"),
            ("MaxValueValidator", (1,), "at most 1"),
            ("MaxValueValidator", (1, True), "less than 1"),
            ("RangeValidator", (1, 2), "from 1 to 2"),
            ("ClampTransformer", (1, 2), "not a number"),
        )
    ],
    ("MinValueValidator", (Decimal(1),), math.nan, ValueError, "at least 1"),
    ("RangeValidator", (Decimal(1), Decimal(2)), math.nan, ValueError, "from 1 to 2"),
    ("ClampTransformer", (1, 2), math.nan, ValueError, "not a number"),
    ("RoundTransformer", (2,), Decimal("1e30"), ValueError, "cannot be rounded to 2 places"),
    ("RoundTransformer", (-308,), 1.7e308, ValueError, "cannot be rounded to -308 places"),
]


@pytest.mark.parametrize(("name", "arguments", "value", "kind", "said"), BAD)
def test_what_a_stock_processor_refuses(
    types: ModuleType, name: str, arguments: tuple[Any, ...], value: Any, kind: type[Exception], said: str
) -> None:
    processor, made = one_step(types, name, arguments)
    texts = set()
    for way in (processor.process, made.process):
        with pytest.raises(kind) as raised:
            way(value)
        assert type(raised.value) is kind
        texts.add(str(raised.value))
    assert len(texts) == 1
    assert said in texts.pop()
    assert "secret" not in str(raised.value)


def test_dates_need_no_leading_zeros(types: ModuleType) -> None:
    assert types.DateCaster().process("2026-1-5") == types.DateType.process("2026-1-5") == date(2026, 1, 5)
    assert types.DateTimeCaster().process(" 2026-1-5 ") == datetime(2026, 1, 5)


def test_errors_name_the_element(types: ModuleType) -> None:
    numbers = types.IntegerType.array()
    assert numbers.validate([1, "2", "x", "y"])[1] == (
        "element 2: this cannot be made an integer; give digits such as '42'"
    )
    nested = types.FoobaraType("table", dict, key_type=types.StringType, value_type=numbers)
    with pytest.raises(types.ElementValueError) as raised:
        nested.process({"a": [1], "b": [1, "x"]})
    error = raised.value
    assert str(error).startswith("the value of 'b', element 1: this cannot")
    assert error.path == ("b", 1)
    assert error.reason == "this cannot be made an integer; give digits such as '42'"
    assert type(error.__cause__) is ValueError
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.path, again.reason) == (str(error), error.path, error.reason)
    with pytest.raises(types.ElementTypeError, match=r"^element 1: a value of type bytes"):
        numbers.process([1, b"2"])
    with pytest.raises(types.ElementValueError, match=r"^key 1: the type string takes no None"):
        nested.process({"a": [], None: []})
    with pytest.raises(types.ElementValueError, match=r"^element 1: this cannot"):
        types.ListCaster(types.IntegerCaster()).process(["1", "x"])


@pytest.mark.parametrize(
    "key", ["4111111111111111", "DE89370400440532013000", "+442079460958", 4111111111111111]
)
def test_a_key_that_may_be_a_number_of_somebody_is_not_told(types: ModuleType, key: Any) -> None:
    made = types.FoobaraType("x", dict, key_type=types.StringType, value_type=types.IntegerType)
    told = made.validate({"fine": 1, key: "x"})[1]
    assert told.startswith("value 1: ")
    assert str(key) not in told


def test_a_key_of_a_sensitive_type_is_not_told(types: ModuleType, sub: Sub) -> None:
    hashes = sub("types.transformers").HashTransformer(purpose="lookup", peppers={"1": b"x" * 32})
    token = types.FoobaraType("token", str, transformers=[hashes])
    made = types.FoobaraType("x", dict, key_type=token, value_type=types.IntegerType.array())
    with pytest.raises(types.ElementValueError) as raised:
        made.process({"s3cret": [1, "x"]})
    assert str(raised.value).startswith("value 0, element 1: ") and raised.value.path == (0, 1)
    assert "s3cret" not in str(TypeAdapter(Annotated[dict[str, Any], made]).json_schema())
    with pytest.raises(ValidationError) as refused:
        TypeAdapter(Annotated[dict[str, Any], made]).validate_python({"s3cret": ["x"]})
    assert "s3cret" not in str(refused.value)


def test_keys_or_values_may_have_a_type_alone(types: ModuleType) -> None:
    number = types.IntegerType
    values = types.FoobaraType("v", dict, value_type=number)
    keys = types.FoobaraType("k", dict, key_type=number)
    assert values.process({"1": "2"}) == {"1": 2} and keys.process({"1": "2"}) == {1: "2"}
    assert values.validate({"a": "x"})[1].startswith("the value of 'a': this cannot")
    assert keys.validate({"x": "a"})[1].startswith("key 0: this cannot")
    assert set(values.to_manifest()) == {"name", "type", "nullable", "value_type"}
    assert set(keys.to_manifest()) == {"name", "type", "nullable", "key_type"}
    # What was written for a type without them sees them when they come.
    later = types.FoobaraType("l", dict)
    assert later.process({"1": "2"}) == {"1": "2"}
    later.value_type = number
    assert later.process({"1": "2"}) == {"1": 2}


def test_what_interrupts_a_stock_processor_is_not_lost(types: ModuleType) -> None:
    class Alarm(Exception):
        """As a signal handler raises it."""

    for kind in (Alarm, KeyboardInterrupt):

        class Item:
            def __hash__(self, kind: Any = kind, told: list[Any] = []) -> int:  # noqa: B006
                if not told:
                    told.append(kind)
                    raise kind
                return 1

        with pytest.raises(kind):
            types.FoobaraType("x", list, validators=[types.UniqueItemsValidator()]).process([Item()])


def test_messages_follow_what_was_changed(types: ModuleType) -> None:
    one_of, pattern = types.OneOfValidator(["b", "a"]), types.PatternValidator("a")
    made = types.FoobaraType("x", str, validators=[one_of])
    assert made.validate("q")[1] == "the value must be one of 'b', 'a'"
    one_of.allowed_values = frozenset(["z"])
    assert made.validate("a")[1] == "the value must be one of 'z'"
    pattern.pattern = re.compile("b")
    assert types.FoobaraType("x", str, validators=[pattern]).validate("a")[1].endswith("the pattern b")
    pattern.message = "no"
    assert types.FoobaraType("x", str, validators=[pattern]).validate("a")[1] == "no"
    assert repr(one_of) == "OneOfValidator(allowed_values=frozenset({'z'}))"


def test_what_is_written_for_types_is_dropped_with_them(types: ModuleType, sub: Sub) -> None:
    maker = getattr(sub("_backend").pipeline, "_maker", None)
    if maker is None:
        pytest.skip("the compiled backend writes nothing")
    if sysconfig.get_config_var("Py_GIL_DISABLED") and sys.version_info < (3, 14):
        pytest.skip("3.13 without a GIL keeps code for good once it had a second thread")
    maker.cache_clear()
    gc.collect()
    before = {name for name in linecache.cache if name.startswith("<foobara_accel process ")}
    types.FoobaraType("x", str, validators=[types.RequiredValidator()] * 7).process("a")
    gc.collect()
    (name,) = {name for name in linecache.cache if name.startswith("<foobara_accel process ")} - before
    maker.cache_clear()
    gc.collect()
    assert name not in linecache.cache


def test_other_exceptions_of_elements_pass_as_they_are(types: ModuleType) -> None:
    error = KeyError("mine")

    class Raising:
        def process(self, value: Any) -> Any:
            raise error

    inner = types.FoobaraType("inner", int, casters=[Raising()])
    with pytest.raises(KeyError) as raised:
        inner.array().process([1])
    assert raised.value is error
    assert error.__cause__ is None


def test_none(types: ModuleType) -> None:
    made = types.FoobaraType("x", str, casters=[types.StringCaster()])
    assert made.validate(None) == (
        False,
        "the type x takes no None: make it nullable or give it a default",
    )
    default: list[int] = []
    assert made.optional().process(None) is None
    assert made.optional(default).process(None) is default
    assert types.FoobaraType("x", str, nullable=True).process(None) is None
    standing_in = types.FoobaraType(
        "x", int, transformers=[types.DefaultTransformer("7"), types.StripWhitespaceTransformer()]
    )
    assert standing_in.process(None) == "7"
    assert types.FoobaraType("x", str, nullable=True).array().process([None]) == [None]


def test_a_change_of_a_type_is_seen(types: ModuleType) -> None:
    made = types.FoobaraType("x", str, casters=[types.StringCaster()])
    outer = made.array()
    assert made.process(" a ") == " a " and outer.process([" a "]) == [" a "]
    made.transformers.append(types.StripWhitespaceTransformer())
    assert made.process(" a ") == "a" and outer.process([" a "]) == ["a"]
    made.transformers[0] = types.UppercaseTransformer()
    assert made.process(" a ") == " A " and outer.process([" a "]) == [" A "]
    made.transformers = (types.LowercaseTransformer(),)
    assert made.process("A") == "a"
    made.transformers = []
    limit = types.MaxLengthValidator(5)
    made.validators.append(limit)
    assert made.is_valid("abc") and outer.is_valid(["abc"])
    limit.max_length = 2
    assert not made.is_valid("abc") and not outer.is_valid(["abc"])
    made.validators.clear()
    made.element_type = types.IntegerType
    made.casters.clear()
    assert made.process(["1"]) == [1]
    made.element_type = None
    made.key_type = made.value_type = types.StringType
    assert made.process({"a": " b "}) == {"a": "b"}


def test_a_processor_that_equals_the_last_one_is_another(types: ModuleType) -> None:
    class Above(types.Validator):  # type: ignore[name-defined, misc]
        def __init__(self, least: int) -> None:
            self.least = least

        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = None  # type: ignore[assignment]

        def process(self, value: Any) -> Any:
            if value < self.least:
                raise ValueError(f"below {self.least}")
            return value

    class Never(Above):
        def __eq__(self, other: object) -> bool:
            raise AssertionError

    for first, second in ((Above(1), Above(9)), (Never(1), Never(9))):
        number = types.FoobaraType("number", int, validators=[first])
        listed = number.array()
        assert (number.process(5), listed.process([5])) == (5, [5])
        number.validators = [second]
        for refusing, value in ((number, 5), (listed, [5])):
            with pytest.raises(ValueError, match="below 9"):
                refusing.process(value)
        number.validators = [types.RequiredValidator(), first, second]
        with pytest.raises(ValueError, match="below 9"):
            number.process(5)
        number.validators[2] = first
        assert number.process(5) == 5


def test_a_change_within_a_run_is_seen(types: ModuleType) -> None:
    class Adding:
        def process(self, value: Any) -> Any:
            made.transformers.append(types.UppercaseTransformer())
            made.casters.append(types.StripWhitespaceTransformer())
            made.element_type = types.IntegerType
            return value

    made = types.FoobaraType("x", str, casters=[Adding(), types.StringCaster()])
    assert made.process(" a ") == "A"
    assert [type(each).__name__ for each in made.casters][-1] == "StripWhitespaceTransformer"


def test_a_patched_class_is_seen(types: ModuleType) -> None:
    made = label(types)
    outer = made.array()
    assert made.process("ada") == "Ada"
    with mock.patch.object(types.TitleCaseTransformer, "process", lambda self, value: "Patched"):
        assert made.process("ada") == "Patched"
        assert outer.process(["ada"]) == ["Patched"]
    assert made.process("ada") == "Ada"
    assert outer.process(["ada"]) == ["Ada"]
    with mock.patch.object(types.FoobaraType, "process", lambda self, value: "Whole"):
        assert made("ada") == "Whole"
    assert made("ada") == "Ada"


def test_processors_and_types_of_ones_own(types: ModuleType) -> None:
    class Loud(types.UppercaseTransformer):  # type: ignore[name-defined, misc]
        def process(self, value: str) -> str:
            return super().process(value) + "!"

    class Checked(types.FoobaraType):  # type: ignore[name-defined, misc]
        def process(self, value: Any) -> Any:
            return f"<{super().process(value)}>"

    class Fixed(types.FoobaraType):  # type: ignore[name-defined, misc]
        @property
        def casters(self) -> Any:
            return [types.StringCaster(), types.LowercaseTransformer()]

        @casters.setter
        def casters(self, value: Any) -> None:
            pass

    assert types.FoobaraType("x", str, transformers=[Loud()]).process("a") == "A!"
    checked = Checked("x", str, transformers=[Loud()])
    assert checked.process("a") == "<A!>"
    assert checked.array().process(["a", "b"]) == ["<A!>", "<B!>"]
    assert Fixed("x", str).process("ABC") == "abc"
    assert type(checked.with_validators()) is Checked
    assert (
        types.FoobaraType("x", str, transformers=[types.StripWhitespaceTransformer()]).process(Text("a"))
        == "own"
    )


def test_a_type_can_be_its_own_element_type(types: ModuleType) -> None:
    tree = types.FoobaraType("tree", list, validators=[types.RequiredValidator()])
    tree.element_type = tree
    assert tree.process([[], [[1]]]) == [[], [[1]]]
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(RecursionError):
        tree.process(endless)


def test_a_list_that_changes_while_it_is_processed(types: ModuleType) -> None:
    values = [1, 2, 3]

    class Shortening:
        def process(self, value: Any) -> Any:
            del values[2:]
            return value

    made = types.FoobaraType("x", int, casters=[Shortening()]).array()
    assert made.process(values) == [1, 2]


def test_copies_and_pickles(types: ModuleType) -> None:
    made = label(types)
    made.process("ada")
    for other in (copy.copy(made), copy.deepcopy(made)):
        assert other.process(" ada ") == "Ada"
        assert "_plan" not in vars(other)
    assert copy.deepcopy(made).validators[1].min_length == 2
    more = made.with_validators(types.MinLengthValidator(5))
    assert more.validate("ada")[0] is False and made.validate("ada")[0] is True
    assert made.with_transformers(types.UppercaseTransformer()).validate("ada") == (True, None)
    assert repr(made) == "<FoobaraType label>"
    assert repr(types.MinLengthValidator(5)) == "MinLengthValidator(min_length=5)"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"name": ""}, "name must be"),
        ({"casters": "x"}, "casters must be a list of processors, not str"),
        ({"validators": [5]}, r"validators\[0\] must be an object with process\(value\), not int"),
        ({"element_type": int}, "element_type must be a FoobaraType, not int"),
    ],
)
def test_what_is_no_type_is_refused(types: ModuleType, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(TypeError, match=said):
        types.FoobaraType(**{"name": "x", "python_type": str, **arguments})


def test_a_class_in_the_place_of_a_processor_is_told(types: ModuleType) -> None:
    with pytest.raises(TypeError, match=r"write NotEmptyValidator\(\)"):
        types.FoobaraType("x", str, validators=[types.NotEmptyValidator])


@pytest.mark.parametrize("at", [str, str | None, list[str]])
def test_a_class_in_the_place_of_a_processor_in_annotated_is_told(types: ModuleType, at: Any) -> None:
    with pytest.raises(TypeError, match=r"made with parentheses, as in Annotated\[str, EmailValidator\(\)\]"):
        create_model("M", x=(Annotated[at, types.NotEmptyValidator], ...))


def test_a_failed_assertion_at_a_sensitive_field_shows_no_input(types: ModuleType) -> None:
    class Check(types.Validator):  # type: ignore[name-defined, misc]
        __foobara_sensitive__ = True

        def process(self, value: str) -> str:
            if len(value) != 16:
                raise AssertionError("length")
            return value

    whole = types.FoobaraType("card", str, validators=[Check()])
    for kind in (Annotated[str, Check()], Annotated[str, whole]):
        with pytest.raises(ValidationError) as raised:
            TypeAdapter(kind).validate_python("4111111111111")
        (line,) = raised.value.errors()
        assert (line["type"], line["msg"], line["input"]) == (
            "assertion_error",
            "Assertion failed, length",
            "**********",
        )
    with pytest.raises(ValidationError) as raised:
        whole.create_pydantic_model("M", {"card": whole})(card="4111111111111")
    assert "4111111111111" not in str(raised.value)


def test_a_processor_needs_a_process(types: ModuleType) -> None:
    class Nothing(types.Validator):  # type: ignore[name-defined, misc]
        pass

    with pytest.raises(TypeError, match="Nothing has no process"):
        Nothing()
    assert isinstance(types.NotEmptyValidator(), types.ProcessorProtocol)
    for refused in (
        lambda: types.MinLengthValidator("3"),
        lambda: types.OneOfValidator("abc"),
        lambda: types.ContainsValidator(1),
        lambda: types.RoundTransformer(1.5),
        lambda: types.TruncateTransformer(True),
        lambda: types.ListCaster(int),
    ):
        with pytest.raises(TypeError):
            refused()
    for wrong in (
        lambda: types.MaxLengthValidator(-1),
        lambda: types.PatternValidator("("),
        lambda: types.ClampTransformer(2, 1),
    ):
        with pytest.raises(ValueError, match=r"must not be|is no regular expression"):
            wrong()


def test_pydantic(types: ModuleType) -> None:
    age = types.FoobaraType(
        "age", int, casters=[types.IntegerCaster()], ge=0, description="Years", examples=[5]
    )
    made = age.create_pydantic_model("Person", {"age": age, "tags": types.StringType.array().optional()})
    assert made(age=" 7 ", tags="a, b").model_dump() == {"age": 7, "tags": ["a", "b"]}
    assert made(age=7).model_dump() == {"age": 7, "tags": None}
    with pytest.raises(ValidationError, match="greater than or equal to 0"):
        made(age="-1")
    assert made.model_json_schema()["properties"]["age"] == {
        "description": "Years",
        "examples": [5],
        "minimum": 0,
        "title": "Age",
        "type": "integer",
    }
    assert types.FoobaraType("x", str).to_pydantic_validator() is None

    class User(BaseModel):
        email: Annotated[str, types.EmailType]

    assert User(email=" Ada@Example.com ").email == "ada@example.com"
    assert TypeAdapter(types.IntegerType).validate_python(" 5 ") == 5
    with pytest.raises(ValidationError, match="no e-mail address"):
        User(email="x")


def test_pydantic_refuses_what_a_processor_calls_a_type_error(fa: ModuleType, types: ModuleType) -> None:
    made = types.IntegerType.create_pydantic_model("Made", {"n": types.IntegerType})
    model = create_model(
        "Held", n=(Annotated[int, types.IntegerType], 0), many=(types.IntegerType.array(), [])
    )
    for refused, said in (
        (lambda: made(n=[]), "a value of type list cannot be made an integer"),
        (lambda: model(n={}), "a value of type dict cannot be made an integer"),
        (lambda: model(many=[1, []]), "element 1: a value of type list cannot be made an integer"),
    ):
        with pytest.raises(ValidationError, match=said):
            refused()
    command: Any = new_class("Takes", (fa.Command[model, int],), {}, lambda space: None)
    assert [error.symbol for error in command.run(n=[]).errors] == ["value_error"]


def test_processors_in_annotated(fa: ModuleType, types: ModuleType, sub: Sub) -> None:
    class Even(types.Validator):  # type: ignore[name-defined, misc]
        def process(self, value: int) -> int:
            if value % 2:
                raise ValueError("the number must be even")
            return value

    class Never(types.TypeProcessor):  # type: ignore[name-defined, misc]
        def process(self, value: Any) -> Any:
            raise TypeError("this is taken by nobody")

    fields = {
        "name": (
            Annotated[str, types.StripWhitespaceTransformer(), sub("types").CapitalizeTransformer()],
            "",
        ),
        "least": (Annotated[int, types.MinValueValidator(5)], 5),
        "even": (Annotated[int, types.IntegerCaster(), Even()], 0),
        "many": (Annotated[list[int], types.ListCaster(), types.MaxLengthValidator(2)], []),
        "never": (Annotated[Any, Never()], None),
        "none": (Annotated[str | None, types.DefaultTransformer("x")], "y"),
    }
    model: Any = create_model("Held", **fields)
    made = model(name=" ada lovelace ", least="7", even=" 4 ", many="1, 2", none=None)
    assert (made.name, made.least, made.even, made.many) == ("Ada Lovelace", 7, 4, [1, 2])
    assert made.none == "x"
    command: Any = new_class(
        "Takes", (fa.Command[model, Any],), {}, lambda space: space.update(execute=lambda self: self.inputs)
    )
    assert sub("core.inputs").analyze(model).level == 2  # the guard leaves it to Pydantic
    assert command.run(name="ada", even="2").result == model(name="ada", even="2")
    for given, said in (
        ({"least": 4}, "the value must be at least 5"),
        ({"even": "3"}, "the number must be even"),
        ({"even": []}, "a value of type list cannot be made an integer"),
        ({"many": "1,2,3"}, "the length must be at most 2, and is 3"),
        ({"never": 1}, "this is taken by nobody"),
        ({"name": 5}, "Input should be a valid string"),
    ):
        with pytest.raises(ValidationError, match=said) as caught:
            model(**given)
        assert [line["input"] for line in caught.value.errors()] == list(given.values())
        (error,) = command.run(**given).errors
        assert error.path == tuple(given) and said in error.message
    Even.process = lambda self, value: -value  # type: ignore[method-assign]
    assert model(even=3).even == -3
    described = model.model_json_schema()["properties"]
    assert (described["least"]["type"], described["many"]["type"]) == ("integer", "array")


def test_the_guard_leaves_every_field_with_a_processor_to_pydantic(
    fa: ModuleType, types: ModuleType, sub: Sub
) -> None:
    own, analyze = sub("types"), sub("core.inputs").analyze
    calls: list[int] = []

    class Counts(types.Validator):  # type: ignore[name-defined, misc]
        def process(self, value: Any) -> Any:
            calls.append(value)
            if len(calls) % 2:
                raise ValueError(f"call {len(calls)}")
            return value

    card, strip = own.CreditCardValidator(), types.StripWhitespaceTransformer()
    whole = fa.CardNumber, fa.IBAN, own.PhoneNumber, int, Annotated[str, card], Annotated[fa.CardNumber, card]
    for annotation in (
        *(Annotated[each, Counts()] for each in whole),
        *(Annotated[each, types.StringCaster()] for each in whole),
        *(Annotated[each | None, Counts()] for each in whole),
        Annotated[str, strip, card],
        Annotated[str, types.StringCaster(), own.IBANValidator()],
        Annotated[str, strip, own.PhoneNumberValidator()],
    ):
        assert analyze(create_model("Held", it=(annotation, ...))).level == 2, annotation
    model = create_model("Held", it=(Annotated[int, Counts()], ...))
    command: Any = new_class(
        "Takes", (fa.Command[model, int],), {}, lambda space: space.update(execute=lambda self: 1)
    )
    # What is refused once is not refused for good.
    assert [command.run(it=5).is_success() for _ in range(6)] == [False, True] * 3
    assert command.run(it=5).errors[0].message == "Value error, call 7"


def test_a_processor_may_be_the_value_of_a_field(types: ModuleType, sub: Sub) -> None:
    for check in (types.MinLengthValidator(3), sub("types").CreditCardValidator()):
        held: Any = create_model("Held", check=(type(check), ...), any=(types.Validator[str] | None, None))
        assert held(check=check).check is check
        assert held(check=check, any=check).any is check
        with pytest.raises(ValidationError, match=f"instance of {type(check).__name__}"):
            held(check=5)
        with pytest.raises(ValidationError, match="instance of Validator"):
            held(check=check, any=5)


def test_a_processor_at_a_sensitive_field_hides_what_it_refuses(
    fa: ModuleType, types: ModuleType, sub: Sub
) -> None:
    own, card = sub("types"), "4111111111111111"

    class Own(types.Validator):  # type: ignore[name-defined, misc]
        __foobara_sensitive__ = True

        def process(self, value: Any) -> Any:
            raise ValueError("no")

    class Passes(Own):
        def process(self, value: Any) -> Any:
            return value

    long, number = types.MinLengthValidator(20), own.CreditCardValidator()
    for annotation in (
        Annotated[str, number, long],
        Annotated[str, long, number],
        Annotated[Annotated[str, number] | None, long],
        Annotated[own.Sensitive[str], long],
        own.Sensitive[Annotated[str, long]],
        Annotated[list[own.Sensitive[str]], long],
        Annotated[fa.CardNumber, long],
        Annotated[str, types.StringType.with_validators(number), long],
        Annotated[str, Own()],
        Annotated[str, types.StringCaster(), number, types.UppercaseTransformer(), long],
        Annotated[str, long, types.FoobaraType("card", str, validators=[number])],
        Annotated[str, Field(min_length=20), types.FoobaraType("card", str, validators=[number])],
        Annotated[str, long, Passes()],
        Annotated[str, Field(min_length=20), Passes()],
        Annotated[list[own.Sensitive[str]], Field(min_length=2), types.ListCaster()],
        types.FoobaraType("dict", dict, validators=[Passes()]),
    ):
        model = create_model("Held", it=(annotation, ...))
        given = [card] if "list" in str(annotation) else card
        with pytest.raises(ValidationError) as caught:
            model(it=given)
        assert card not in f"{caught.value} {caught.value.errors()} {caught.value.json()}", annotation
        error: BaseException | None = caught.value
        while error is not None:
            assert card not in repr(error)
            error = error.__context__


def test_a_type_that_checks_numbers_hides_them(fa: ModuleType, types: ModuleType, sub: Sub) -> None:
    right, wrong = "4111111111111111", "4111111111111112"
    card = types.FoobaraType("card", str, validators=[sub("types").CreditCardValidator()])
    for each in (
        card,
        card.array(),
        types.FoobaraType("c", dict, key_type=types.StringType, value_type=card),
    ):
        assert each.__foobara_sensitive__ is True
    assert types.StringType.__foobara_sensitive__ is types.FoobaraType.__foobara_sensitive__ is False
    body = {"execute": lambda self: self.inputs, "echo_inputs": True}
    fields = {
        "card": card,
        "cards": card.array().optional(),
        "own": types.FoobaraType("own", fa.CardNumber).optional(),
    }
    models = (
        create_model(
            "Held", card=(Annotated[str, card], ...), cards=(card.array(), []), own=(fields["own"], None)
        ),
        card.create_pydantic_model("Made", fields),
    )
    for model in models:
        command: Any = new_class("Pays", (fa.Command[model, Any],), {}, lambda space: space.update(body))
        for given in (
            {"card": wrong},
            {"card": right, "cards": [right, wrong]},
            {"card": right, "own": wrong},
        ):
            with pytest.raises(ValidationError) as caught:
                model(**given)
            outcome = command.run(**given)
            shown = f"{caught.value} {caught.value.errors()} {outcome.errors!r} {outcome.to_json_bytes()!r}"
            assert "11111111" not in shown, shown
        assert b"11111111" not in command.run(card=right, cards=[right]).to_json_bytes()


def test_the_bounds_of_a_sensitive_type_show_nothing_of_what_they_refuse(types: ModuleType, sub: Sub) -> None:
    class Secret(types.Validator):  # type: ignore[name-defined, misc]
        __foobara_sensitive__ = True

        def process(self, value: Any) -> Any:
            return value

    pin = types.FoobaraType("pin", str, validators=[Secret()], max_length=4, pattern="^[0-9]+$")
    many = types.FoobaraType(
        "many", int, transformers=[Secret()], le=9, has_default=True, default=7, examples=[7]
    )
    made: Any = pin.create_pydantic_model("Made", {"pin": pin, "many": many})
    assert made(pin="1234").model_dump() == {"pin": "1234", "many": 7}
    for given in ({"pin": "83475"}, {"pin": "83475x"}, {"pin": 83475}, {"pin": "1", "many": 83475}):
        with pytest.raises(ValidationError) as caught:
            made(**given)
        assert "83475" not in f"{caught.value} {caught.value.errors()} {caught.value.json()}"
    schema = made.model_json_schema()
    assert schema["required"] == ["pin"] and "7" not in str(schema) + str(many.to_manifest())
    assert schema["properties"]["pin"] == {
        "title": "Pin",
        "type": "string",
        "maxLength": 4,
        "pattern": "^[0-9]+$",
    }


def test_no_fingerprint_is_made_of_what_a_type_has_checked_to_be_a_secret(
    types: ModuleType, sub: Sub
) -> None:
    own = sub("types")
    card, print_ = own.CreditCardValidator(canonical=True), own.HashTransformer(purpose="fingerprint")
    said = r"^type card: a fingerprint of a sensitive value .* use purpose='lookup' with a pepper"
    with pytest.raises(TypeError, match=said):
        types.FoobaraType("card", str, casters=[card], transformers=[print_])
    with pytest.raises(TypeError, match=said):
        types.FoobaraType("card", str, casters=[card]).with_transformers(print_)
    assert types.FoobaraType("note", str, transformers=[print_]).process("x") == print_.process("x")
    lookup = own.HashTransformer(purpose="lookup", peppers={"1": b"k" * 32})
    kept = types.FoobaraType("card", str, casters=[card], transformers=[lookup])
    assert kept.process("4111111111111111") == lookup.process("4111111111111111")


def test_manifest(types: ModuleType) -> None:
    assert types.EmailType.array().to_manifest() == {
        "name": "array_of_email",
        "type": "list",
        "nullable": False,
        "element_type": {"name": "email", "type": "str", "nullable": False, "description": "E-mail address"},
    }
    assert types.IntegerType.optional(3).to_manifest()["default"] == 3


def test_registry(types: ModuleType, registry: Any) -> None:
    assert len(registry.list_all()) == 14
    assert registry.list_categories() == ["primitive", "string", "numeric", "container"]
    phone = types.type_declaration(
        "phone", validate=[types.PatternValidator(r"\+?[0-9]+")], category="string"
    )
    assert registry.get("phone") is phone is registry.get_or_raise("phone")
    registry.register(phone, "string")
    assert [each.name for each in registry.by_category("string")] == ["email", "url", "phone"]
    with pytest.raises(KeyError, match="did you mean phone"):
        registry.get_or_raise("phon")
    registry.unregister("phone")
    assert registry.get("phone") is None
    assert types.define_type("quiet", register=False, default="d").process(None) == "d"
    assert registry.get("quiet") is None
    with pytest.raises(TypeError, match="must be a FoobaraType, not str"):
        registry.register("x")
    registry.clear()
    assert registry.list_all() == {} and registry.list_categories() == []


def test_stock_types(types: ModuleType) -> None:
    assert types.URLType.process(" https://example.com ") == "https://example.com"
    assert types.PercentageType.validate("100.5") == (False, "the value must be at most 100.0")
    assert types.PositiveIntegerType.is_valid("1") and not types.PositiveIntegerType.is_valid(0)
    assert types.HashType.process(mock.sentinel.thing) == vars(mock.sentinel.thing)
    assert types.DateType.process("2026-01-31") == date(2026, 1, 31)


def test_from_many_threads_while_the_type_changes(types: ModuleType) -> None:
    made = types.FoobaraType(
        "x", str, casters=[types.StringCaster()], transformers=[types.UppercaseTransformer()]
    )
    outer = made.array()
    wrong: list[Any] = []

    def work() -> None:
        for _ in range(300):
            found = outer.process(["a", "b"])
            if [each.upper() for each in found] != ["A", "B"]:
                wrong.append(found)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(100):
        made.transformers.append(types.LowercaseTransformer())
        made.transformers.pop()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_no_error_of_a_caster_has_the_value_behind_it(types: ModuleType) -> None:
    for caster in (types.IntegerCaster(), types.FloatCaster()):
        with pytest.raises(ValueError, match="this cannot be made") as caught:
            caster.process("hunter2")
        assert caught.value.__context__ is None and caught.value.__cause__ is None
