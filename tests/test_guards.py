"""What the guard takes, what it refuses, and that nothing shows which way an instance was built."""

from __future__ import annotations

import copy
import gc
import importlib
import json
import math
import pickle
import subprocess
import sys
import threading
import types
import weakref
from abc import ABC, abstractmethod
from enum import IntEnum
from typing import Annotated, Any, Generic, Literal, TypeVar

import pydantic
import pytest
from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    computed_field,
    create_model,
    field_serializer,
    field_validator,
    model_validator,
)
from tests import fuzz_guards


class Add(BaseModel):
    a: int
    b: int


class Wide(BaseModel):
    i: int = Field(3, ge=-5, lt=10)
    f: float = Field(0.5, gt=0, le=10)
    s: str = Field("d", min_length=1, max_length=3)
    b: bool = False
    n: None = None
    o: int | None = None
    x: Any = None
    t: str = "t"


@pytest.fixture
def inputs(sub):
    return sub("core.inputs")


def level(inputs, model):
    return inputs.analyze(model).level


def same(inputs, model, *arguments):
    builder = inputs.builder_for(model)
    for raw in arguments:
        assert fuzz_guards.differences(builder, raw) == []


# -- what is known -----------------------------------------------------------------------------


def test_the_guard_is_on_and_says_what_it_was_tested_with(inputs):
    on, reason = inputs.guard_status()
    assert on
    assert pydantic.VERSION in reason


def test_a_model_of_scalars_is_guarded(inputs):
    builder = inputs.builder_for(Wide)
    assert (builder.level, builder.guarded, builder.reason) == (1, True, "")
    assert builder.names == ("i", "f", "s", "b", "n", "o", "x", "t")
    assert builder.model is Wide
    assert builder.validator is Wide.__pydantic_validator__


def test_bounds_are_written_down_as_inclusive_ranges(inputs):
    whole, real, text = inputs.analyze(Wide).fields[:3]
    assert (whole.lo, whole.hi) == (-5, 9)
    assert (real.flo, real.fhi) == (math.nextafter(0.0, math.inf), 10.0)
    assert (text.min_length, text.max_length) == (1, 3)


@pytest.mark.parametrize(
    "settings",
    [{"strict": True}, {"frozen": True}, {"title": "T"}, {"extra": "ignore"}, {"hide_input_in_errors": True}],
    ids=str,
)
def test_harmless_settings_keep_the_guard(inputs, settings):
    model = create_model("M", __config__=ConfigDict(**settings), a=(int, ...), s=(str, "x"))
    assert level(inputs, model) == 1
    same(inputs, model, {"a": 1}, {"a": "1", "s": 2}, {"a": 2, "s": "y", "z": 3}, {})


def test_what_only_serialisation_reads_keeps_the_guard(inputs):
    class Shown(BaseModel):
        a: int = Field(1, exclude=True, repr=False, frozen=True, description="d", serialization_alias="A")

        @field_serializer("a")
        def show(self, value: int) -> str:
            return f"<{value}>"

        @computed_field  # type: ignore[prop-decorator]
        @property
        def twice(self) -> int:
            return self.a * 2

    assert level(inputs, Shown) == 1
    same(inputs, Shown, {"a": 4}, {}, {"a": "4"})


def test_inherited_and_generic_models_are_guarded(inputs):
    T = TypeVar("T")

    class Box(BaseModel, Generic[T]):
        a: T

    class More(Add):
        c: str = "c"

    assert [level(inputs, m) for m in (Box[int], Box, More)] == [1, 1, 1]
    same(inputs, Box[int], {"a": 1}, {"a": "?"})
    same(inputs, More, {"a": 1, "b": 2}, {"c": "x", "b": 2, "a": 1})


# -- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"extra": "forbid"}, "extra_fields_behavior"),
        ({"extra": "allow"}, "extra_fields_behavior"),
        ({"validate_default": True}, "validate_default"),
        ({"str_strip_whitespace": True}, "str_strip_whitespace"),
        ({"str_to_lower": True}, "str_to_lower"),
        ({"str_to_upper": True}, "str_to_upper"),
        ({"str_min_length": 1}, "str_min_length"),
        ({"str_max_length": 1}, "str_max_length"),
        ({"coerce_numbers_to_str": True}, "coerce_numbers_to_str"),
        ({"allow_inf_nan": False}, "allow_inf_nan"),
        ({"populate_by_name": True}, "_by_"),
        ({"regex_engine": "python-re"}, "regex_engine"),
    ],
    ids=str,
)
def test_settings_that_change_validation_are_refused(inputs, settings, named):
    model = create_model("M", __config__=ConfigDict(**settings), a=(int, 1), s=(str, " Xy "))
    spec = inputs.analyze(model)
    assert spec.level == 2
    assert named in spec.reason
    same(inputs, model, {}, {"a": 2, "s": " A "}, {"a": "x"}, {"s": "abc", "other": 1})


@pytest.mark.parametrize(
    ("field", "named"),
    [
        ((list[int], ...), "list"),
        ((dict[str, int], ...), "dict"),
        ((int | str, ...), "union"),
        ((Literal[1], ...), "literal"),
        ((Add, ...), "model"),
        ((bytes, ...), "bytes"),
        ((Annotated[int, Field(multiple_of=2)], ...), "multiple_of"),
        ((Annotated[str, Field(pattern="a")], ...), "pattern"),
        ((Annotated[int, AfterValidator(abs)], ...), "function-after"),
        ((Annotated[int, Field(ge=2**63)], ...), "ge"),
        ((Annotated[int, Field(le=-(2**63) - 1)], ...), "le"),
        ((Annotated[int, Field(gt=2**63 - 1)], ...), "C long"),
        pytest.param(
            (Annotated[float, Field(ge=2**53 + 1)], ...),
            "ge",
            marks=pytest.mark.skipif(pydantic.VERSION < "2.11", reason="2.10 makes the bound a float itself"),
        ),
        ((Annotated[float, Field(le=math.inf)], ...), "le"),
        ((int, Field(alias="z")), "validation_alias"),
        ((int, Field(validation_alias=AliasChoices("q", "r"))), "validation_alias"),
        ((int, Field(1, validate_default=True)), "validate_default"),
        ((int, Field(default_factory=int)), "default_factory"),
        ((Any, []), "scalar"),
        ((Any, (1,)), "scalar"),
        ((str, fuzz_guards.Text("x")), "scalar"),
        ((int, fuzz_guards.Number.ONE), "scalar"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_fields_that_need_pydantic_are_refused(inputs, field, named):
    model = create_model("M", f=field, a=(int, 0))
    spec = inputs.analyze(model)
    assert spec.level == 2
    assert named in spec.reason
    same(inputs, model, {}, {"f": 1}, {"f": "a"}, {"f": [1]}, {"f": {"a": 1, "b": 2}}, {"z": 1, "q": 2})


def test_more_fields_than_the_limit_are_refused(inputs, sub):
    limit = inputs.guards.FIELD_LIMIT
    for count, expected in ((limit, 1), (limit + 1, 2)):
        model = create_model("M", **{f"f{i}": (int, i) for i in range(count)})
        assert level(inputs, model) == expected
        same(inputs, model, {}, {f"f{i}": -i for i in range(count)}, {"f3": 1})


def test_a_model_without_fields(inputs):
    class Empty(BaseModel):
        pass

    assert level(inputs, Empty) == 1
    same(inputs, Empty, {}, {"a": 1})


def test_models_that_are_not_built_the_plain_way_go_to_their_own_validator(inputs):
    class Before(Add):
        @model_validator(mode="before")
        @classmethod
        def change(cls, data: Any) -> Any:
            data["a"] = 9
            return data

    class After(Add):
        @model_validator(mode="after")
        def check(self):
            assert self.a < self.b
            return self

    class Private(Add):
        _p: int = PrivateAttr(5)

    class PostInit(Add):
        def model_post_init(self, context: Any) -> None:
            self.a += 1

    class Init(Add):
        def __init__(self, **data: Any) -> None:
            super().__init__(**{**data, "b": 8})

    class New(Add):
        def __new__(cls, *args: Any, **kwargs: Any):
            made = super().__new__(cls)
            return made

    class Meta(type(BaseModel)):
        def __call__(cls, *args: Any, **kwargs: Any):
            return super().__call__(*args, **kwargs)

    class Called(Add, metaclass=Meta):
        pass

    class Recursive(BaseModel):
        a: int
        inner: Recursive | None = None

    Recursive.model_rebuild(_types_namespace={"Recursive": Recursive})
    for model in (Before, After, Private, PostInit, Init, New, Called, Recursive):
        assert level(inputs, model) == 3, model
        builder = inputs.builder_for(model)
        raw = {"a": 1, "b": 2}
        assert builder.build_dict(raw) == model.__pydantic_validator__.validate_python({"a": 1, "b": 2})
        assert raw == {"a": 1, "b": 2}
        assert builder.build(**raw) == builder.build_args(("a", "b"), (1, 2))
        with pytest.raises(ValidationError, match=f"validation error.* for {model.__name__}"):
            builder.build(a="?", b="?")


def test_an_abstract_model_is_refused_as_pydantic_refuses_it(inputs):
    class Shape(BaseModel, ABC):
        a: int

        @abstractmethod
        def area(self) -> float: ...

    assert level(inputs, Shape) == 3
    with pytest.raises(TypeError, match="abstract"):
        inputs.builder_for(Shape).build(a=1)


def test_models_that_share_a_model_use_the_inner_validator(inputs):
    class Leaf(BaseModel):
        n: int

    class Pair(BaseModel):
        x: Leaf
        y: Leaf

    assert level(inputs, Pair) == 2
    same(inputs, Pair, {"x": {"n": 1}, "y": Leaf(n=2)}, {"x": {"n": "?"}}, {"x": 1, "y": {"n": None}})


def test_extra_values_are_kept_by_models_that_allow_them(inputs):
    class Open(BaseModel):
        model_config = ConfigDict(extra="allow")
        a: int

    made = inputs.builder_for(Open).build(a=1, z=2)
    assert made.model_extra == {"z": 2}
    assert inputs.builder_for(Open).build(a=1).model_extra == {}


# -- values -------------------------------------------------------------------------------------


class Colour(IntEnum):
    RED = 1


@pytest.mark.parametrize(
    "raw",
    [
        {"i": True},
        {"i": 9},
        {"i": 10},
        {"i": -6},
        {"i": 2**70},
        {"i": -(2**63) - 1},
        {"i": Colour.RED},
        {"i": fuzz_guards.Whole(4)},
        {"i": 4.0},
        {"i": "4"},
        {"o": 2**70},
        {"o": 2**63},
        {"o": None},
        {"f": 1},
        {"f": 0.0},
        {"f": -0.0},
        {"f": 5e-324},
        {"f": 10.0},
        {"f": math.nan},
        {"f": math.inf},
        {"f": fuzz_guards.Real(1.5)},
        {"f": True},
        {"s": ""},
        {"s": "abc"},
        {"s": "abcd"},
        {"s": "\U0001f600\U0001f600\U0001f600"},
        {"s": "e\u0301e\u0301"},
        {"s": "\ud800"},
        {"t": "\ud800"},
        {"t": "x\udfff中"},
        {"t": "\U0001f600\ud800"},
        {"t": "ü" * 300},
        {"t": fuzz_guards.Text("t")},
        {"t": b"bytes"},
        {"b": 1},
        {"b": "yes"},
        {"b": None},
        {"n": 0},
        {"n": None},
        {"x": [1]},
        {"x": "\ud800"},
        {"unknown": 1},
        {"t": "z", "i": 1, "unknown": 1},
        {"x": 1, "t": "z", "o": 5, "n": None, "b": True, "s": "s", "f": 2.5, "i": 1},
        {},
    ],
    ids=ascii,
)
def test_every_value_gives_what_pydantic_gives(inputs, raw):
    same(inputs, Wide, raw)


def test_unbounded_floats_and_ints_pass_as_they_are(inputs):
    model = create_model("M", f=(float, ...), i=(int, ...))
    same(inputs, model, *({"f": v, "i": w} for v in (math.nan, -0.0, math.inf) for w in (2**70, -(2**64), 0)))
    assert math.copysign(1, inputs.builder_for(model).build(f=-0.0, i=1).f) == -1


def test_a_name_that_is_a_str_subclass_goes_to_pydantic(inputs):
    same(inputs, Add, {fuzz_guards.Text("a"): 1, "b": 2}, {fuzz_guards.Text("z"): 1, "a": 1, "b": 2})


def test_names_that_are_not_interned_match(inputs):
    name = "".join(["so", "me_name"])
    model = create_model("M", some_name=(int, ...), b=(int, 0))
    built = "".join(["some", "_name"])
    assert built is not sys.intern(name)
    same(inputs, model, {built: 1}, {"b": 2, built: 1})


def test_names_and_values_have_to_pair(inputs):
    with pytest.raises(ValueError, match="2 names for 1 values"):
        inputs.builder_for(Add).build_args(("a", "b"), (1,))


@pytest.mark.parametrize("wrong", [None, [("a", 1)], "a"])
def test_build_dict_takes_a_dict(inputs, wrong):
    shown = type(wrong).__name__
    with pytest.raises(TypeError, match=rf"Argument 'raw' has incorrect type \(expected dict, got {shown}\)"):
        inputs.builder_for(Add).build_dict(wrong)


def test_the_callers_dict_is_left_alone(inputs):
    class Greedy(Add):
        @model_validator(mode="before")
        @classmethod
        def take(cls, data: Any) -> Any:
            return {"a": data.pop("a"), "b": data.pop("b")}

    raw = {"a": 1, "b": 2}
    for model in (Add, Greedy):
        assert inputs.builder_for(model).build_dict(raw) is not None
        assert raw == {"a": 1, "b": 2}


def test_an_error_carries_the_models_title_and_the_values(inputs):
    class Titled(Add):
        model_config = ConfigDict(title="A title")

    value = ["v"]
    for model, title in ((Add, "Add"), (Titled, "A title")):
        with pytest.raises(ValidationError) as caught:
            inputs.builder_for(model).build(a=value)
        assert caught.value.title == title
        first, second = caught.value.errors()
        assert first["input"] is value
        assert (second["type"], second["loc"], second["input"]) == ("missing", ("b",), {"a": value})


def test_an_exception_of_a_validator_is_passed_on(inputs):
    class Strange(BaseModel):
        a: int

        @field_validator("a")
        @classmethod
        def check(cls, value: int) -> int:
            raise KeyError(value)

    with pytest.raises(KeyError):
        inputs.builder_for(Strange).build(a=1)


# -- verdicts -----------------------------------------------------------------------------------

EDGES = (
    *(None, True, False, 0, 1, 2, -1, 5, 6, 7, 9, 10, 11, 10**6, 2**31, 2**63, -(2**63), 2**64, 10**40),
    *(0.0, 0.5, -0.5, 1.0, 6.5, 10.5, 5e-324, 2**52 + 0.5, 1e16, math.nan, math.inf, -math.inf),
    *([], [1], {}, {"a": 1}, (), set(), b"", b"1", b"x", bytearray(b"x"), object(), 1j),
    *(fuzz_guards.Whole(30), fuzz_guards.Text("w"), fuzz_guards.Real(0.5), fuzz_guards.Number.TWO),
    *fuzz_guards.WORDS,
)


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize(
    "kind",
    [
        int,
        Annotated[int, Field(ge=6)],
        Annotated[int, Field(gt=5, le=9)],
        Annotated[int, Field(ge=1, gt=5, lt=10, le=8)],
        Annotated[int, Field(ge=8, le=2)],
        float,
        Annotated[float, Field(gt=0.5, le=10)],
        Annotated[float, Field(ge=0, gt=0.5, lt=10, le=6)],
        Annotated[float, Field(allow_inf_nan=False, ge=6)],
        str,
        Annotated[str, Field(min_length=2, max_length=4)],
        Annotated[str, Field(min_length=4, max_length=2)],
        bool,
        type(None),
        Any,
        int | None,
        Annotated[str, Field(max_length=1)] | None,
    ],
    ids=str,
)
def test_a_verdict_on_any_value_is_pydantics_own(inputs, kind, strict):
    model = create_model("M", __config__=ConfigDict(strict=strict), v=(kind, ...), w=(int, 0))
    same(inputs, model, {}, {"w": "x"}, *({"v": edge} for edge in EDGES))


def verdict(builder, **raw):
    """What the builder says of arguments that pydantic has refused before."""
    names, values = tuple(raw), tuple(raw.values())
    with pytest.raises(ValidationError):
        builder.judge_args(names, values)
    try:
        return builder.judge_args(names, values)
    except ValidationError:
        return None, None


@pytest.fixture
def judges(inputs):
    if "pure" in inputs.guards.__name__:
        pytest.skip("the pure guard leaves every refusal to pydantic")


def test_a_second_refusal_of_the_same_kind_is_a_verdict(inputs, judges):
    builder = inputs.builder_for(create_model("M", a=(int, ...), s=(str, Field(max_length=3)), c=(bool, ...)))
    made, rows = verdict(builder, a="x", s="long")
    assert made is None
    assert rows == (
        (
            ("a",),
            "int_parsing",
            "Input should be a valid integer, unable to parse string as an integer",
            None,
        ),
        (("s",), "string_too_long", "String should have at most 3 characters", None),
        (("c",), "missing", "Field required", None),
    )
    assert builder.judge_args(("c", "a", "s"), (True, "y", "s"))[1] == rows[:1]
    assert builder.judge_args(("a", "s", "c"), (1, "s", False))[0].a == 1


def test_arguments_with_one_value_in_doubt_go_to_pydantic(inputs, judges):
    builder = inputs.builder_for(create_model("M", a=(int, ...), b=(int, ...)))
    assert verdict(builder, a="x", b="y")[1] is not None
    for doubtful in ("1", b"x", "é", "", 1.0, fuzz_guards.Text("x"), "x" * 65):
        assert verdict(builder, a="x", b=doubtful) == (None, None)
    assert verdict(builder, a="x", b="y", extra=1) == (None, None)


def test_a_builder_judges_no_more_once_a_row_is_not_what_it_expected(inputs, judges, monkeypatch):
    reports = sys.modules["foobara_accel._reports"]
    builder = inputs.builder_for(create_model("M", a=(int, ...)))
    rows = reports.validation_rows
    monkeypatch.setattr(reports, "validation_rows", lambda *given: [("odd", *r[1:]) for r in rows(*given)])
    assert verdict(builder, a="x") == (None, None)
    monkeypatch.undo()
    assert verdict(builder, a="y") == (None, None)
    assert builder.build(a=1).a == 1


def test_a_rebuilt_model_is_judged_anew(inputs, judges):
    class Later(BaseModel):
        a: int

    builder = inputs.builder_for(Later)
    assert verdict(builder, a="x")[1][0][1] == "int_parsing"
    Later.__annotations__["a"] = float
    Later.model_fields["a"].annotation = float
    Later.model_rebuild(force=True)
    assert verdict(builder, a="x") == (None, None)  # an old builder passes on what it is asked
    assert verdict(inputs.builder_for(Later), a="x")[1][0][1] == "float_parsing"


def test_a_verdict_holds_nothing_of_the_input(inputs, judges):
    builder = inputs.builder_for(Add)
    kept = [[], {}]
    before = [sys.getrefcount(item) for item in kept]
    with pytest.raises(ValidationError):
        builder.judge_args(("a", "b"), tuple(kept))
    rows = [builder.judge_args(("a", "b"), tuple(kept))[1] for _ in range(50)]
    assert set(rows) == {rows[0]}
    assert not gc.is_tracked(rows[0])
    gc.collect()
    assert [sys.getrefcount(item) for item in kept] == before


def test_threads_learn_the_same_rows(inputs, judges):
    builder = inputs.builder_for(create_model("M", a=(int, ...), b=(bool, ...)))
    seen = set()

    def work() -> None:
        for word in ("x", "z", "word", None, 1.5) * 40:
            try:
                seen.add(builder.judge_args(("a", "b"), (word, word))[1])
            except ValidationError:
                continue

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 2  # the float is in doubt for the bool


# -- JSON ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b'{"a": 1, "b": 2}',
        '{"b": 2, "a": 1, "z": 3}',
        bytearray(b'{"a": "1", "b": 2.0}'),
        b'{"a": 1}',
        b"[]",
        b"null",
        b"1",
        b"{",
        b"",
        b'{"a": 1, "a": 3, "b": 2}',
    ],
    ids=repr,
)
def test_json_gives_what_pydantic_gives(inputs, data):
    class Checked(Add):
        @model_validator(mode="after")
        def check(self):
            return self

    class Listed(Add):
        c: list[int] = Field([], max_length=2)

    for model in (Add, Checked, Listed):
        builder = inputs.builder_for(model)
        ours = fuzz_guards.seen(lambda b=builder: b.build_json(data), {})
        theirs = fuzz_guards.seen(lambda m=model: m.__pydantic_validator__.validate_json(data), {})
        assert ours == theirs


@pytest.mark.parametrize(
    "kind", [int, float, str, bool, type(None), Any, int | None, Annotated[int, Field(ge=1)]], ids=str
)
def test_a_json_value_of_any_spelling_gives_what_pydantic_gives(inputs, kind):
    builder = inputs.builder_for(create_model("M", v=(kind, ...), größe=(int, 1)))
    for text in ('{"v":%s}', ' {"größe":2 ,\n"v" : %s } ', '{"v":1,"v":%s}', '{"v":%s,}', '{"v":%s}x'):
        for token in fuzz_guards.TOKENS:
            for data in ((text % token).encode(), text % token):
                assert fuzz_guards.json_differences(builder, data) == [], data


def test_json_instances_share_nothing_with_the_document(inputs):
    builder = inputs.builder_for(Wide)
    data = b'{"i": 7, "t": "some text", "o": 300, "x": 2.5}'
    first, second = builder.build_json(data), builder.build_json(data)
    assert first == second == Wide.model_validate_json(data)
    assert first.model_fields_set == {"i", "t", "o", "x"}
    first.i = 8
    assert second.i == 7


# -- the instance --------------------------------------------------------------------------------


def test_the_instance_is_like_pydantics_in_every_use(inputs):
    raw = {"i": 1, "t": "z"}
    ours, theirs = inputs.builder_for(Wide).build(**raw), Wide(**raw)
    assert ours == theirs
    assert repr(ours) == repr(theirs)
    assert list(ours.__dict__) == list(theirs.__dict__)
    assert ours.model_fields_set == theirs.model_fields_set == {"i", "t"}
    assert ours.model_dump(exclude_unset=True) == raw
    assert ours.model_dump_json() == theirs.model_dump_json()
    assert ours.model_copy(update={"i": 2}) == theirs.model_copy(update={"i": 2})
    assert copy.deepcopy(ours) == theirs
    assert pickle.loads(pickle.dumps(ours)) == theirs
    assert json.loads(ours.model_dump_json())["s"] == "d"
    assert (ours.__pydantic_extra__, ours.__pydantic_private__) == (None, None)
    assert gc.is_tracked(ours) == gc.is_tracked(theirs)
    assert gc.is_tracked(ours.__dict__) == gc.is_tracked(theirs.__dict__)
    assert type(ours.__pydantic_fields_set__) is set
    ours.i = 7
    assert ours.model_dump()["i"] == 7
    assert "i" in ours.model_fields_set


def test_instances_share_nothing_that_changes(inputs):
    builder = inputs.builder_for(Wide)
    for raw in ({}, {"i": 1}, {name: getattr(Wide(), name) for name in builder.names}):
        first, second = builder.build(**raw), builder.build(**raw)
        first.i = 8
        first.model_fields_set.add("other")
        assert second.i == raw.get("i", 3)
        assert second.model_fields_set == set(raw)
        assert builder.build(**raw).model_fields_set == set(raw)


@pytest.mark.parametrize("count", [1, 2, 4, 5, 6, 11, 30, 31, 64])
def test_instances_of_any_width_hold_what_was_given_and_nothing_else(inputs, count):
    # Where tables of dicts and sets get larger, they are laid out otherwise.
    default, value = "default" + str(count), "value" + str(count)
    model = create_model("M", **{f"f{number}": (str | None, default) for number in range(count)})
    builder = inputs.builder_for(model)
    gc.collect()  # Pydantic 2.10 leaves what it made the model with in cycles
    counts = sys.getrefcount(default), sys.getrefcount(value)
    for given in (range(count), reversed(range(count)), range(0, count, 2), range(count - 1), ()):
        raw = {f"f{number}": value for number in given}
        made, again, expected = builder.build(**raw), builder.build(**raw), model(**raw)
        assert list(made.__dict__.items()) == list(expected.__dict__.items())
        assert made.model_fields_set == expected.model_fields_set and made == expected
        del made.__dict__["f0"]
        made.__dict__["other"] = made
        made.model_fields_set.clear()
        assert again == expected and again.model_fields_set == set(raw)
        del made, again, expected, raw
    gc.collect()
    assert (sys.getrefcount(default), sys.getrefcount(value)) == counts


def test_a_frozen_model_stays_frozen(inputs):
    model = create_model("M", __config__=ConfigDict(frozen=True), a=(int, ...))
    made = inputs.builder_for(model).build(a=1)
    with pytest.raises(ValidationError):
        made.a = 2
    assert hash(made) == hash(model(a=1))


def test_many_instances_cost_no_memory_that_stays(inputs):
    builder = inputs.builder_for(Wide)
    marker = [object()]
    gc.collect()  # what earlier tests left holds None too
    before = sys.getrefcount(marker)
    none = sys.getrefcount(None)
    for _ in range(2000):
        builder.build(x=marker, i=1, t="t")
        builder.build_args(("x", "i"), (marker, 5))
        builder.build_dict({"x": marker})
        builder.build(x=marker, i="3")
        with pytest.raises(ValidationError):
            builder.build(x=marker, i="?")
    gc.collect()
    assert sys.getrefcount(marker) == before
    assert abs(sys.getrefcount(None) - none) < 500


# -- the builder ---------------------------------------------------------------------------------


def test_a_builder_is_kept_while_somebody_holds_it(inputs):
    builder = inputs.builder_for(Add)
    assert inputs.builder_for(Add) is builder
    assert "Add" in repr(builder)
    with pytest.raises(TypeError):
        pickle.dumps(builder)


def test_a_rebuilt_model_gets_a_new_builder_and_old_ones_follow(inputs):
    class Later(BaseModel):
        a: int

    old = inputs.builder_for(Later)
    assert old.build(a=1).a == 1
    assert old.current() is old
    Later.__annotations__["a"] = str
    Later.model_fields["a"].annotation = str
    Later.model_rebuild(force=True)
    new = inputs.builder_for(Later)
    assert new is not old
    assert old.current() is new
    assert old.build(a="x").a == old.build_dict({"a": "x"}).a == old.build_args(("a",), ("x",)).a == "x"
    assert old.build_json(b'{"a": "y"}').a == "y"
    with pytest.raises(ValidationError):
        old.build(a=1)


def test_a_class_that_changes_at_every_call_keeps_its_guard(inputs):
    class Counter(BaseModel):
        a: int

    builder = inputs.builder_for(Counter)
    for count in range(3000):
        Counter.seen = count
        assert builder.build(a=count).a == count
    assert builder.current() is builder


def test_a_deferred_model_is_built_first(inputs):
    class Deferred(BaseModel):
        model_config = ConfigDict(defer_build=True)
        a: int

    assert level(inputs, Deferred) == 1
    same(inputs, Deferred, {"a": 1}, {"a": "?"})


def test_a_model_with_a_name_that_is_not_known_yet(inputs):
    Waiting = create_model("Waiting", a=("NotYet", ...))
    builder = inputs.builder_for(Waiting)
    assert builder.level == 3
    assert "Mock" in builder.reason
    with pytest.raises(pydantic.PydanticUserError, match="not fully defined"):
        builder.build(a=1)
    Waiting.model_rebuild(_types_namespace={"NotYet": int})
    assert builder.build(a="1").a == 1
    assert inputs.builder_for(Waiting).level == 1


def test_a_validator_behind_a_plugin_is_used_as_it_is(inputs):
    class Watched(BaseModel):
        a: int

    class Plugged:
        def __init__(self, inner: Any) -> None:
            self.inner = inner
            self.calls = 0

        def validate_python(self, *args: Any, **kwargs: Any) -> Any:
            self.calls += 1
            return self.inner.validate_python(*args, **kwargs)

    plugged = Watched.__pydantic_validator__ = Plugged(Watched.__pydantic_validator__)
    builder = inputs.builder_for(Watched)
    assert builder.level == 3
    assert "Plugged" in builder.reason
    assert builder.build(a=1).a == 1
    assert builder.build_dict({"a": 1}).a == 1
    assert plugged.calls == 2


@pytest.mark.mortal_classes
def test_dynamic_models_are_freed(inputs):
    seen = []
    for _ in range(200):
        model = create_model("M", a=(int, ...), b=(str, "x"))
        builder = inputs.builder_for(model)
        builder.build(a=1)
        builder.build(a="1")
        model.holder = builder  # a cycle through the class
        seen += [weakref.ref(model), weakref.ref(builder)]
    del model, builder
    gc.collect()
    assert [ref for ref in seen if ref() is not None] == []


def test_threads_share_a_builder(inputs):
    builder = inputs.builder_for(Wide)
    wrong = []

    def work(number: int) -> None:
        for count in range(300):
            made = builder.build(i=count % 10, t=str(number))
            if (made.i, made.t) != (count % 10, str(number)):
                wrong.append(made)
            Wide.note = number

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    del Wide.note
    assert wrong == []


# -- the guard can be off ------------------------------------------------------------------------


def test_an_unknown_pydantic_runs_without_the_guard_until_it_is_approved(inputs, monkeypatch):
    monkeypatch.setattr(inputs._guard, "on", True)
    monkeypatch.setattr(inputs._guard, "reason", inputs._guard.reason)
    monkeypatch.setattr(inputs.pydantic, "VERSION", "2.99.0")
    inputs._decide()
    assert inputs.guard_status()[0] is False
    assert "2.99.0" in inputs.guard_status()[1]

    class Plain(BaseModel):
        a: int

    builder = inputs.builder_for(Plain)
    assert (builder.level, builder.reason) == (3, inputs.guard_status()[1])
    same(inputs, Plain, {"a": 1}, {"a": "x"})
    inputs.approve_guard()
    assert inputs.guard_status() == (True, "approved by check")
    assert inputs.builder_for(Plain).level == 1


def test_an_approval_reaches_commands_that_have_run(fa, inputs, monkeypatch):
    monkeypatch.setattr(inputs, "_guard", inputs._Guard(False, "not tested"))
    inputs._builders.clear()
    plan_for = importlib.import_module(f"{fa.__name__}.core.plan").plan_for

    class Plain(BaseModel):
        a: int

    class Inner(fa.Command[Plain, int]):
        def execute(self):
            return self.inputs.a

    class Outer(fa.Command[Plain, int]):
        def execute(self):
            return self.run_subcommand_bang(Inner, a=self.inputs.a)

    def built():
        assert Outer.run(a=1).result == 1
        return [plan_for(command).builder.level for command in (Inner, Outer)]

    assert built() == [3, 3]
    inputs.approve_guard()
    assert built() == [1, 1]


def test_a_builder_made_during_the_approval_is_not_kept(inputs, monkeypatch):
    monkeypatch.setattr(inputs, "_guard", inputs._Guard(False, "not tested"))

    class Plain(BaseModel):
        a: int

    analyze = inputs.analyze

    def approved_meanwhile(model):
        found = analyze(model)
        inputs.approve_guard()
        return found

    monkeypatch.setattr(inputs, "analyze", approved_meanwhile)
    early = inputs.builder_for(Plain)
    monkeypatch.setattr(inputs, "analyze", analyze)
    assert (early.level, inputs.builder_for(Plain).level) == (3, 1)


_BOUNDS = [
    *(("INT", bound) for bound in ("ge", "gt", "le", "lt")),
    *(("FLOAT", bound) for bound in ("ge", "gt", "le", "lt", "allow_inf_nan")),
    *(("STR", bound) for bound in ("min_length", "max_length")),
]


@pytest.mark.parametrize(("kind", "bound"), _BOUNDS)
def test_the_self_test_catches_a_guard_that_ignores_one_kind_of_bound(inputs, monkeypatch, kind, bound):
    assert inputs.self_test() == ""
    ignore_bound(inputs, monkeypatch, kind, bound)
    # The guard of the fallback is Pydantic.
    assert inputs.self_test().startswith("level 1 differs") == inputs.guards.__name__.endswith("_ext.guards")


@pytest.mark.parametrize(("kind", "bound"), _BOUNDS)
def test_check_compares_a_guard_that_is_off_for_an_unknown_pydantic(monkeypatch, kind, bound):
    from foobara_accel import check
    from foobara_accel.core import inputs

    monkeypatch.setattr(inputs, "_guard", inputs._Guard(False, "pydantic 2.99.0 is not one of those"))
    compiled = inputs.guards.__name__.endswith("_ext.guards")
    report = check.run()
    assert report.agrees, check.render(report)
    if compiled:
        assert report.note == (
            "the guard is off (pydantic 2.99.0 is not one of those); it was on for what is compared here"
        )
    ignore_bound(inputs, monkeypatch, kind, bound)
    report = check.run()
    # Then the self-test knows already, and nobody can approve it.
    assert report.agrees
    assert ("cannot be approved" in report.note) == compiled
    monkeypatch.setattr(inputs, "self_test", lambda: "")
    report = check.run()
    assert report.agrees != compiled
    if compiled:
        assert "guard_bounds" in [mismatch.case for mismatch in report.mismatches]
    assert inputs.guard_status() == (False, "pydantic 2.99.0 is not one of those")


def ignore_bound(inputs, monkeypatch, kind, bound):
    """Let the guard's table be made as if fields of *kind* had no such bound."""
    limits = inputs._limits

    def without(code, schema):
        left = {key: value for key, value in schema.items() if key != bound}
        return limits(code, left if code == getattr(inputs, kind) else schema)

    monkeypatch.setattr(inputs, "_limits", without)


def test_a_self_test_that_differs_turns_the_guard_off(inputs, monkeypatch):
    monkeypatch.setattr(inputs._guard, "on", True)
    monkeypatch.setattr(inputs._guard, "reason", inputs._guard.reason)
    monkeypatch.setattr(inputs, "_seen", lambda build, raw: (object(),))
    inputs._decide()
    on, reason = inputs.guard_status()
    assert not on
    assert "differs from pydantic" in reason


def test_a_base_model_without_the_known_slots_turns_the_guard_off(inputs, monkeypatch):
    def refuse(spec, renew):
        raise ImportError("BaseModel.__pydantic_extra__ is not a slot")

    monkeypatch.setattr(inputs._guard, "on", True)
    monkeypatch.setattr(inputs._guard, "reason", inputs._guard.reason)
    monkeypatch.setattr(inputs, "guards", types.SimpleNamespace(InputsBuilder=refuse, FIELD_LIMIT=64))
    inputs._decide()
    assert inputs.guard_status() == (False, "BaseModel.__pydantic_extra__ is not a slot")


def test_importing_the_analysis_builds_no_model():
    program = (
        "import foobara_accel.core.inputs as i; assert not i._guard.decided;"
        "assert i.guard_status()[0]; assert i._guard.decided"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_threads_that_ask_first_wait_for_the_same_answer(inputs, monkeypatch):
    monkeypatch.setattr(inputs, "_guard", inputs._Guard(False, "not decided", decided=False))
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(inputs.guard_status())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 8
    assert set(answers) == {(True, f"pydantic {pydantic.VERSION}, self-test passed")}


def test_a_field_schema_with_an_unknown_key_is_refused(inputs, monkeypatch):
    class Future(BaseModel):
        a: int

    field = Future.__pydantic_core_schema__["schema"]["fields"]["a"]
    field["schema"] = {**field["schema"], "novelty": True}
    spec = inputs.analyze(Future)
    assert spec.level == 2
    assert "novelty" in spec.reason
