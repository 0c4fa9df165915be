"""Random types and values: compiled, in Python, and step by step, all is the same."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from types import ModuleType
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

import foobara_accel
from foobara_accel.testing import load_twin
from foobara_accel.types import type_declarations as here

pytestmark = pytest.mark.skipif(str(foobara_accel.backend()) != "c", reason="not compiled")
there = importlib.import_module(f"{load_twin('py').__name__}.types.type_declarations")

Making = Callable[[ModuleType], Any]


class Odd(str):
    """A str with ways of its own."""

    def strip(self, *args: Any) -> Any:
        return "stripped"

    def __len__(self) -> int:
        return 4


class Whole(int):
    def __ge__(self, other: Any) -> bool:
        return True


class Raising:
    """Somebody else's processor."""

    def process(self, value: Any) -> Any:
        if isinstance(value, int):
            raise LookupError("an int")
        if value == "type":
            raise TypeError("a type")
        return value


def stock(name: str, *arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Making]:
    def made(given: tuple[Any, ...]) -> Making:
        return lambda types: getattr(types, name)(*given)

    return st.tuples(*arguments).map(made)


sizes = st.integers(0, 6)
bounds = st.sampled_from((0, 1, -3, 2**70, 0.0, 2.5, math.nan, math.inf, True, Decimal(1)))
processors = st.one_of(
    *[
        stock(name)
        for name in here.__all__
        if name.endswith(("Caster", "Transformer", "Validator"))
        and name not in ("Caster", "Transformer", "Validator")
        and not getattr(here, name).__slots__
    ],
    stock("ListCaster"),
    stock("MinLengthValidator", sizes),
    stock("MaxLengthValidator", sizes),
    stock("MinValueValidator", bounds, st.booleans()),
    stock("MaxValueValidator", bounds, st.booleans()),
    stock("RangeValidator", bounds, bounds),
    stock("PatternValidator", st.sampled_from((r"^[A-Z]", r"\s", "a$", ""))),
    stock("OneOfValidator", st.sampled_from((["a", 1], [], [2.5, "A"]))),
    stock("ContainsValidator", st.sampled_from("aA "), st.booleans()),
    stock("RoundTransformer", st.integers(-2, 3)),
    stock("ClampTransformer", st.sampled_from((0, -1.5)), st.sampled_from((3, 2.5, math.inf))),
    stock("DefaultTransformer", st.sampled_from(("d", 0)), st.booleans()),
    stock("TruncateTransformer", sizes),
    st.just(lambda types: Raising()),
)


@st.composite
def declared(draw: Any, depth: int = 0) -> Making:
    lists = {
        name: draw(st.lists(processors, max_size=4)) for name in ("casters", "transformers", "validators")
    }
    inner: dict[str, Any] = {}
    if depth < 2:
        for name in ("element_type", "key_type", "value_type"):
            inner[name] = draw(st.one_of(st.none(), declared(depth + 1)))
    nullable = draw(st.booleans())

    def made(types: ModuleType) -> Any:
        return types.FoobaraType(
            "x",
            object,
            nullable=nullable,
            **{name: [make(types) for make in each] for name, each in lists.items()},
            **{name: each and each(types) for name, each in inner.items()},
        )

    return made


texts = st.one_of(
    st.text(max_size=12),
    st.text(" \t\n\x1c\x1faAbZz'0-", max_size=12),
    st.text("0123456789_ -+", max_size=20),
    st.text("ßÄéǆİıſΣﬁ a\x85\u2003", max_size=8),
    st.sampled_from(
        ("a@b.example", "https://example.com/x", "yes", "type", "2026-01-31", "x" * 600, " A" * 300)
    ),
)
scalars = st.one_of(
    texts,
    st.integers(-5, 5),
    st.integers(),
    st.booleans(),
    st.floats(),
    st.none(),
    st.binary(max_size=3),
    st.decimals(allow_nan=True, places=2, min_value=-9, max_value=9),
    st.sampled_from((Odd(" odd "), Whole(1), date(2026, 1, 31), datetime(2026, 1, 31), UUID(int=7))),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.tuples(inner, inner),
        st.dictionaries(st.one_of(texts, st.integers(0, 9), st.none()), inner, max_size=3),
    ),
    max_leaves=8,
)


def shown(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return type(value).__name__, [shown(each) for each in value]
    if isinstance(value, dict):
        return "dict", [(shown(key), shown(each)) for key, each in value.items()]
    return type(value).__name__, repr(value)


def told(process: Any, value: Any) -> Any:
    try:
        return shown(process(value))
    except Exception as error:
        cause = error.__cause__
        return (
            type(error).__name__,
            str(error),
            getattr(error, "path", None),
            type(cause).__name__,
            str(cause),
        )


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(declared(), st.lists(values, min_size=1, max_size=4))
def test_both_backends_and_the_plain_steps_say_the_same(make: Making, given_: list[Any]) -> None:
    compiled, pure = make(here), make(there)
    for value in given_:
        wanted = told(lambda each: here._whole(compiled, each), value)
        assert told(compiled.process, value) == wanted
        assert told(pure.process, value) == wanted


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=40) | st.text(" \t\n\x0b\x0c\r\x1c\x1d\x1e\x1f!aAzZ@[`{0", max_size=700))
def test_texts_are_as_the_methods_of_str_make_them(text: str) -> None:
    for name, wanted in {
        "StripWhitespaceTransformer": text.strip(),
        "LowercaseTransformer": text.lower(),
        "UppercaseTransformer": text.upper(),
        "TitleCaseTransformer": text.title(),
        "NormalizeWhitespaceTransformer": " ".join(text.split()),
    }.items():
        made: Any = here.FoobaraType("x", str, transformers=[getattr(here, name)()])
        assert made.process(text) == wanted
        assert hash(made.process(text)) == hash(wanted)
