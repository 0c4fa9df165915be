"""The validator table: right validator, never an old one, bounded, weak, safe between threads."""

from __future__ import annotations

import dataclasses
import enum
import gc
import pickle
import threading
import typing
import weakref
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple, NewType, Optional, TypeVar, Union

import pytest
from annotated_types import Gt
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    create_model,
)
from pydantic.dataclasses import dataclass as pydantic_dataclass
from typing_extensions import TypedDict


@pytest.fixture
def cache(sub):
    return sub("types.cache")


@pytest.fixture
def table(cache):
    return cache.ValidationCache()


@pytest.fixture
def name(cache):
    """Register names that are forgotten after the test."""
    given: list[str] = []

    def register(text: str, type_: Any) -> None:
        given.append(text)
        cache.register_type_name(text, type_)

    yield register
    for text in given:
        cache.unregister_type_name(text)


class Money(BaseModel):
    amount: Decimal


@dataclasses.dataclass
class Point:
    x: int
    owner: Money | None = None


@pydantic_dataclass
class Checked:
    x: int


class Row(TypedDict):
    x: int


class Pair(NamedTuple):
    x: int
    y: str


class Colour(enum.Enum):
    RED = "red"


CLASSES = [
    (Money, {"amount": "1"}, Money(amount=Decimal(1))),
    (Point, {"x": "1"}, Point(1)),
    (Checked, {"x": "1"}, Checked(1)),
    (Row, {"x": "1"}, {"x": 1}),
    (Pair, ("1", "a"), Pair(1, "a")),
    (Colour, "red", Colour.RED),
    (int, "1", 1),
    (Decimal, "1.5", Decimal("1.5")),
]


@pytest.mark.parametrize(
    ("cls", "given", "wanted"), CLASSES, ids=lambda value: getattr(value, "__name__", "")
)
def test_a_class_is_validated_and_found_again(table, cls, given, wanted):
    first = table.get_validator(cls)
    assert first.validate_python(given) == wanted
    assert table.get_validator(cls) is first
    found = table.statistics()
    assert (found.hits, found.misses, found.size) == (1, 1, 1)


def test_a_model_is_served_its_own_validator(table, cache):
    assert table.get_validator(Money) is Money.__pydantic_validator__
    assert cache.compile_validator(Money) is Money.__pydantic_validator__


def test_class_and_instance_keep_apart(cache):
    class Own(cache.ValidationCache):
        pass

    Own.get_validator(Money)
    assert Own.statistics().misses == 1
    Own.get_validator(Money)
    assert Own.statistics().hits == 1
    assert Own(5).statistics().misses == 0
    assert Own.shared() is Own.shared() is not cache.ValidationCache.shared()
    assert Own.get_validator.__doc__ == cache.ValidationCache.get_validator.__doc__


EXPRESSIONS = [
    ("int", "1", 1),
    ("list[int]", ["1"], [1]),
    ("typing.List[int]", ["1"], [1]),
    ("dict[str, list[int]]", {"a": ["1"]}, {"a": [1]}),
    ("tuple[int, ...]", ["1", "2"], (1, 2)),
    ("int | None", None, None),
    ("Optional[int]", "1", 1),
    ("Union[int, None]", "1", 1),
    ("Literal['a', -1, None, True]", -1, -1),
    ("Annotated[int, Gt(0), Field(le=5)]", "5", 5),
    ("Annotated[str, StringConstraints(to_lower=True)]", "A", "a"),
    ("list['dict[str, int]']", [{"a": "1"}], [{"a": 1}]),
    ("  datetime.timedelta  ", 0, __import__("datetime").timedelta(0)),
    ("Decimal", "1.5", Decimal("1.5")),
    ("PositiveInt", 1, 1),
    ("None", None, None),
    ("Any", 3, 3),
    (" | ".join(["int"] * 600), "1", 1),
]


@pytest.mark.parametrize(
    ("text", "given", "wanted"), EXPRESSIONS, ids=[text[:40] for text, _, _ in EXPRESSIONS]
)
def test_text_is_read_as_a_type(table, text, given, wanted):
    assert table.get_validator(text).validate_python(given) == wanted
    assert table.get_validator(text) is table.get_validator(text)


def test_a_constraint_in_text_holds(table):
    with pytest.raises(ValidationError):
        table.get_validator("Annotated[int, Gt(0)]").validate_python(0)


REFUSED = [
    ("", "empty"),
    ("   ", "empty"),
    ("list[", "not a type expression"),
    ("int int", "not a type expression"),
    ("1", "'1' is not a type"),
    ("__import__('os').system('true')", "is not a type"),
    ("(lambda: 1)()", "is not a type"),
    ("[x for x in y]", "is not a type"),
    ("Annotated[int, eval('1')]", "unknown name 'eval'"),
    ("Annotated[int, Gt(**{})]", "no place in a constraint"),
    ("Annotated[int, Gt(open('x'))]", "is not a constant"),
    ("Annotated[int, 5]", "not a constraint"),
    ("Annotated[int]", "at least one constraint"),
    ("Annotated[int, Field(nonsense=1, default_factory=list)]", "is not a constant"),
    ("Annotated[str, Len('a', 'b', 'c', 'd')]", "does not take these arguments"),
    ("Literal[int]", "is not a constant"),
    ("os.system", "unknown name 'os.system'"),
    ("int.__class__", "unknown name 'int.__class__'"),
    ("typing.__builtins__", "unknown name"),
    ("a.b().c", "is not a name"),
    ("list[Foo | Bar]", "unknown names 'Foo', 'Bar'"),
    ("list['Foo']", "unknown name 'Foo'"),
    ("Org::Domain::Thing", "not a registered name"),
    ("int[str]", "does not take these arguments"),
    ("list[int, str]", "list takes 1 argument, not 2"),
    ("dict[str]", "dict takes 2 arguments, not 1"),
    ("list[...]", "no place in list"),
    ("list[1:2]", "slices"),
    ("Any[int]", "Any takes no arguments"),
    ("Optional[int, str]", "one type"),
    ("int | [str]", "no place in a union"),
    ("a\0b", "type expression"),
    ("\ud800", "type expression"),
    ("(" * 1000, "type expression"),
    ("list[" * 90 + "int" + "]" * 90, "nested deeper"),
    ("x" * 10_000_000, "10000000 characters"),
]


@pytest.mark.parametrize(("text", "says"), REFUSED, ids=[text[:30] for text, _ in REFUSED])
def test_text_that_is_no_known_type_is_refused(table, cache, text, says):
    with pytest.raises(cache.TypeExpressionError) as caught:
        table.get_validator(text)
    assert says in str(caught.value)
    assert len(str(caught.value)) < 500
    assert len(table) == 0, "a failure leaves no entry"
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (str(copy), copy.unknown) == (str(caught.value), caught.value.unknown)


def test_unknown_names_are_listed(table, cache):
    with pytest.raises(cache.TypeExpressionError) as caught:
        table.get_validator("dict[Foo, list[Bar] | Foo]")
    assert caught.value.unknown == ("Foo", "Bar")


@pytest.mark.parametrize(
    "target",
    [5, 1.5, b"int", [], {}, (), object(), lambda: 1, typing, print, ..., True],
    ids=lambda t: repr(t)[:20],
)
def test_what_is_no_type_is_refused(table, cache, target):
    with pytest.raises(TypeError, match="a class, a type name or a type expression"):
        table.get_validator(target)
    with pytest.raises(TypeError, match="a class, a type name or a type expression"):
        cache.compile_validator(target)


def test_a_class_pydantic_cannot_validate_is_refused_by_name(table, cache):
    class Opaque:
        pass

    with pytest.raises(cache.ValidatorBuildError, match="Opaque"):
        table.get_validator(Opaque)
    with pytest.raises(cache.ValidatorBuildError, match="BaseModel"):
        table.get_validator(BaseModel)


def test_an_expression_nested_a_thousand_deep_is_refused(table, cache):
    deep: Any = int
    for _ in range(5000):
        deep = list[deep]
    with pytest.raises(cache.ValidatorBuildError):
        table.get_validator(deep)


# -- never an old validator --


def define(kind: type) -> type:
    class User(BaseModel):
        field: kind  # type: ignore[valid-type]

    return User


def test_a_class_defined_again_under_its_name_has_its_own(table, name):
    old, new = define(int), define(str)
    assert table.get_validator(old) is not table.get_validator(new)
    name("User", old)
    assert table.get_validator("list[User]").validate_python([{"field": "1"}])[0].field == 1
    name("User", new)
    assert table.get_validator("list[User]").validate_python([{"field": "1"}])[0].field == "1"
    assert table.get_validator("User") is new.__pydantic_validator__


def test_a_rebuilt_model_is_noticed_wherever_it_is_used(table):
    class Item(BaseModel):
        x: int

    Holder = dataclasses.make_dataclass("Holder", [("item", Item)])

    targets: list[Any] = [Item, list[Item], "list[Money]", Holder, dict[str, Item | None]]
    before = [table.get_validator(target) for target in targets]
    Item.model_rebuild(force=True)
    Money.model_rebuild(force=True)
    after = [table.get_validator(target) for target in targets[:2]]
    assert after[0] is Item.__pydantic_validator__ is not before[0]
    assert after[1] is not before[1]
    assert table.get_validator(Holder) is not before[3]
    assert table.get_validator(targets[4]) is not before[4]
    assert [table.get_validator(target) for target in targets[:2]] == after


@pytest.fixture(autouse=True)
def money(name):
    name("Money", Money)


def test_a_replaced_validator_attribute_is_noticed(table):
    class Item(BaseModel):
        x: int

    table.get_validator(Item)
    Item.__pydantic_validator__ = define(str).__pydantic_validator__
    assert table.get_validator(Item) is Item.__pydantic_validator__


def test_a_subclass_is_not_served_the_validator_of_its_base(table):
    @dataclasses.dataclass
    class Wide(Point):
        y: int = 0

    class Plain(Checked):
        pass

    table.get_validator(Point)
    assert table.get_validator(Wide).validate_python({"x": 1, "y": "2"}) == Wide(1, None, 2)
    assert table.get_validator(Plain) is not table.get_validator(Checked)


EQUAL_BUT_DIFFERENT = [
    (list[int | str], list[str | int]),
    (Literal[1], Literal[True]),
    (list[Literal[0]], list[Literal[False]]),
    (Annotated[int, Gt(1)], Annotated[int, Gt(2)]),
    (Annotated[int, Field(gt=1)], Annotated[int, Field(gt=2)]),
    (Annotated[str, Field(pattern="a")], Annotated[str, Field(pattern="b")]),
    (Annotated[str, StringConstraints(min_length=1)], Annotated[str, StringConstraints(min_length=2)]),
    (tuple[int, str], tuple[str, int]),
    (list[int], set[int]),
    (Callable[[int], str], Callable[[str], str]),
]


@pytest.mark.parametrize(("one", "other"), EQUAL_BUT_DIFFERENT, ids=lambda value: str(value)[-40:])
def test_expressions_that_differ_have_different_validators(table, one, other):
    assert table.get_validator(one) is not table.get_validator(other)


def test_text_that_differs_in_the_order_of_a_union_alone(table):
    for template in (
        "list[{}]",
        "Annotated[list[{}], MinLen(1)]",
        "Optional[Annotated[list[{}], MinLen(1)]]",
    ):
        one, other = (table.get_validator(template.format(union)) for union in ("bool | int", "int | bool"))
        assert one.validate_python(["1"]) == [True]
        assert other.validate_python(["1"]) == [1] and type(other.validate_python(["1"])[0]) is int


def test_metadata_that_claims_to_equal_everything_does_not_mislead(table):
    class Any_(AfterValidator):
        def __eq__(self, other: object) -> bool:
            return True

        # typing's own cache would take the second for the first.
        __hash__ = None  # type: ignore[assignment]

    one = table.get_validator(Annotated[int, Any_(lambda value: value + 1)])
    other = table.get_validator(Annotated[int, Any_(lambda value: value + 2)])
    assert (one.validate_python(1), other.validate_python(1)) == (2, 3)


SAME = [
    lambda: list[int],
    lambda: dict[str, list[int | None]],
    lambda: Optional[int],  # noqa: UP045
    lambda: Union[int, str],  # noqa: UP007
    lambda: Literal["a", 1],
    lambda: Annotated[int, Gt(1)],
    lambda: Annotated[int, Field(gt=0, le=9)],
    lambda: Annotated[str, Field(pattern="a+", max_length=4)],
    lambda: Annotated[str, StringConstraints(min_length=1)],
    lambda: list[Money],
]


@pytest.mark.parametrize("make", SAME, ids=lambda make: str(make())[-40:])
def test_an_expression_written_again_is_a_hit(table, make):
    kept = [make()]
    first = table.get_validator(kept[0])
    assert table.get_validator(kept[0]) is first, "the same object"
    kept.append(make())
    assert table.get_validator(kept[1]) is first, "an equal one"
    assert (table.statistics().misses, table.statistics().hits, len(table)) == (1, 2, 1)


def test_unhashable_metadata_is_no_obstacle(table):
    class Note:
        __hash__ = None  # type: ignore[assignment]

    noted = Annotated[int, Note(), ["a", {"b": 1}]]
    assert table.get_validator(noted) is table.get_validator(noted)


def test_text_inside_an_expression_is_read_by_the_table(table, cache, name):
    assert table.get_validator(list["Money"]).validate_python([{"amount": 1}])[0].amount == 1
    assert table.get_validator(dict[str, Annotated["int", Gt(0)]]).validate_python({"a": "1"}) == {"a": 1}
    assert table.get_validator(typing.ForwardRef("Money")) is Money.__pydantic_validator__
    assert table.get_validator(typing.List["Money"]).validate_python([]) == []  # noqa: UP006
    with pytest.raises(cache.TypeExpressionError, match="is not a type"):
        table.get_validator(list["__import__('os').system('true')"])
    name("Thing", int)
    assert table.get_validator(list["Thing"]).validate_python(["1"]) == [1]  # noqa: F821
    name("Thing", str)
    assert table.get_validator(list["Thing"]).validate_python(["1"]) == ["1"]  # noqa: F821


# -- deferred builds --


def test_a_deferred_model_is_built(table, cache):
    class Late(BaseModel):
        model_config = ConfigDict(defer_build=True)
        x: int

    mock = Late.__pydantic_validator__
    assert type(mock).__name__ == "MockValSer"
    assert table.get_validator(Late).validate_python({"x": "1"}).x == 1
    assert type(Late.__pydantic_validator__).__name__ == "SchemaValidator"
    assert cache.force_build(Late) is False


def test_force_build_says_whether_it_built(cache):
    @pydantic_dataclass(config=ConfigDict(defer_build=True))
    class Late:
        x: int

    assert cache.force_build(Late) is True
    assert cache.force_build(Late) is False
    assert cache.force_build(int) is False
    with pytest.raises(TypeError, match="takes a class"):
        cache.force_build("Late")


def test_a_model_that_cannot_be_built_says_what_is_missing(cache, table):
    class Broken(BaseModel):
        x: "Nowhere"  # type: ignore[name-defined]  # noqa: F821, UP037

    with pytest.raises(cache.ValidatorBuildError, match="Nowhere"):
        table.get_validator(Broken)
    with pytest.raises(cache.ValidatorBuildError):
        table.get_validator(list[Broken])
    assert len(table) == 0


def test_the_names_of_the_table_itself_do_not_leak_into_a_model(cache):
    class Leaky(BaseModel):
        x: "cls | own | target"  # type: ignore[name-defined]  # noqa: F821, UP037

    with pytest.raises(cache.ValidatorBuildError):
        cache.force_build(Leaky)


# -- bounded and weak --


def test_the_least_recently_used_entry_leaves_first(cache):
    table = cache.ValidationCache(max_entries=3)
    types: list[Any] = [list[int], list[str], list[float], list[bool]]
    for type_ in types[:3]:
        table.get_validator(type_)
    kept = table.get_validator(types[0])
    table.get_validator(types[3])
    assert table.get_validator(types[0]) is kept
    found = table.statistics()
    assert (found.size, found.evictions, found.misses, found.hits) == (3, 1, 4, 2)
    table.get_validator(types[1])
    assert table.statistics().misses == 5, "list[str] was the oldest"


def test_a_class_that_left_the_table_is_missed_however_often_it_was_hit(cache):
    table = cache.ValidationCache(max_entries=1)

    def left(leave):
        for _ in range(3):
            assert table.get_validator(Money) is Money.__pydantic_validator__
        leave()
        misses = table.statistics().misses
        assert table.get_validator(Money) is Money.__pydantic_validator__
        return len(table) == 1 and table.statistics().misses == misses + 1

    assert left(lambda: table.get_validator(int))
    assert left(lambda: table.invalidate(Money))
    assert left(table.clear)


@pytest.mark.parametrize("make", [lambda i: NewType(f"N{i}", int), lambda i: TypeVar(f"T{i}", bound=int)])
def test_types_that_are_found_by_identity_are_counted(cache, make):
    table = cache.ValidationCache(max_entries=3)
    kept = [make(i) for i in range(10)]
    for each in kept:
        assert table.get_validator(each).validate_python("5") == 5
    assert (len(table), table.statistics().evictions, len(table._entries)) == (3, 7, 3)


def test_eviction_follows_use_exactly(cache):
    table = cache.ValidationCache(max_entries=8)
    types: list[Any] = [list[Literal[number]] for number in range(40)]
    order: list[int] = []
    for step in range(2000):
        index = (step * step * 7 + step // 3) % 40
        misses = table.statistics().misses
        table.get_validator(types[index])
        assert (table.statistics().misses == misses) == (index in order)
        order = [each for each in order if each != index][-7:] + [index]


def test_a_thousand_entries_by_default(cache):
    table = cache.ValidationCache()
    kept = [list[Literal[number]] for number in range(1010)]
    for type_ in kept:
        table.get_validator(type_)
    found = table.statistics()
    assert (found.size, found.max_entries, found.evictions) == (1000, 1000, 10)


def test_a_smaller_limit_takes_effect_at_once(table):
    for number in range(20):
        table.get_validator(list[Literal[number]])
    table.configure(max_entries=5)
    assert len(table) == 5
    assert repr(table) == "<ValidationCache 5 of 5 entries>"


@pytest.mark.parametrize(
    ("limit", "error"), [(0, ValueError), (-1, ValueError), ("9", TypeError), (True, TypeError)]
)
def test_a_limit_that_is_none_is_refused(cache, table, limit, error):
    with pytest.raises(error, match="max_entries"):
        cache.ValidationCache(max_entries=limit)
    with pytest.raises(error, match="max_entries"):
        table.configure(max_entries=limit)


def make_data(x: Any = int) -> Any:
    model = create_model("Model", x=(x, ...))
    return dataclasses.make_dataclass("Data", [("x", x), ("model", model)])


MAKERS: dict[str, Callable[[], Any]] = {
    "model": lambda: create_model("Model", x=(int, ...)),
    "dataclass": make_data,
    "enum": lambda: enum.Enum("Kind", ["A"]),
}


def collectable_on_its_own(make: Callable[[], Any]) -> bool:
    """Whether the collector sees through the validator of such a class (enums: not in pydantic 2.10)."""
    cls = make()
    cls.validator = TypeAdapter(cls).validator
    ref = weakref.ref(cls)
    del cls
    gc.collect()
    return ref() is None


@pytest.mark.mortal_classes
@pytest.mark.parametrize("kind", MAKERS)
def test_dynamic_classes_are_freed(table, kind):
    make = MAKERS[kind]

    def used() -> weakref.ref[Any]:
        cls = make()
        assert table.get_validator(cls) is table.get_validator(cls)
        return weakref.ref(cls)

    refs = [used() for _ in range(300)]
    if not collectable_on_its_own(make):
        table.clear()
    gc.collect()
    assert not [ref for ref in refs if ref() is not None]
    assert len(table) == 0


@pytest.mark.mortal_classes
def test_an_expression_keeps_its_classes_only_until_it_leaves(cache):
    table = cache.ValidationCache(max_entries=1)
    cls = define(int)
    ref = weakref.ref(cls)
    table.get_validator(list[cls])  # type: ignore[valid-type]
    del cls
    table.get_validator(int)
    gc.collect()
    assert ref() is None


def test_eviction_and_clear_release_what_was_stored_on_a_class(cache):
    class Row(TypedDict):
        x: int

    table = cache.ValidationCache(max_entries=1)

    def stored():
        return {name for name in vars(Row) if name.endswith("_validator__")}

    table.get_validator(Row)
    assert stored()
    table.get_validator(int)
    assert not stored()
    table.get_validator(Row)
    table.clear()
    assert not stored()
    assert table.statistics() == cache.CacheStatistics(0, 0, 0, 0, 1)


def test_invalidate_drops_one_entry(table):
    targets: list[Any] = [Point, Money, list[int], "dict[str, int]", int]
    for target in targets:
        table.get_validator(target)
    for target in targets:
        assert table.invalidate(target) is True
        assert table.invalidate(target) is False
    assert table.invalidate(Colour) is False
    misses = table.statistics().misses
    table.get_validator(list[int])
    assert table.statistics().misses == misses + 1


def test_statistics_add_up(table):
    for _ in range(5):
        table.get_validator(int)
    found = table.statistics()
    assert found == table.statistics(), "looking changes nothing"
    assert found.hit_rate == 0.8
    assert found.to_dict() == {
        "hits": 4,
        "misses": 1,
        "evictions": 0,
        "size": 1,
        "max_entries": 1000,
        "hit_rate": 0.8,
    }
    assert type(table)().statistics().hit_rate == 0.0


def test_a_class_with_a_stored_validator_still_pickles_by_value(table, cache):
    table.get_validator(Point)
    (stored,) = (value for key, value in vars(Point).items() if type(value) is cache._Compiled)
    assert pickle.loads(pickle.dumps(stored)) is None
    setattr(Point, cache._SLOT, None)
    assert table.get_validator(Point).validate_python({"x": 1}) == Point(1)


# -- look-ups --


class Counted(dict):  # type: ignore[type-arg]
    looked = 0

    def get(self, *arguments: Any) -> Any:
        self.looked += 1
        return super().get(*arguments)

    def __getitem__(self, key: Any) -> Any:
        self.looked += 1
        return super().__getitem__(key)


def test_a_hit_takes_at_most_two_look_ups(table):
    wanted = list[int]
    targets: list[Any] = [Money, Point, int, "list[int]", "Money", wanted]
    for target in targets:
        table.get_validator(target)
    table._entries = Counted(table._entries)
    for target in targets:
        table._entries.looked = 0
        table._look_up(target)  # get_validator itself answers for models, from the dict it was made with
        # The second is that in the class's own __dict__.
        assert table._entries.looked == (2 if target is wanted else 1)
    table._entries.looked = 0
    table._look_up(list[int])
    assert table._entries.looked == 2, "an expression written anew: by identity, then by structure"


# -- names --


def test_names_are_registered_and_forgotten(cache, table, name):
    name("Org::Billing::Invoice", Money)
    name("amount", Annotated[int, Gt(0)])
    assert table.get_validator("Org::Billing::Invoice") is Money.__pydantic_validator__
    assert table.get_validator("list[amount]").validate_python(["1"]) == [1]
    assert cache.registered_type_names()["amount"] == Annotated[int, Gt(0)]
    assert cache.unregister_type_name("amount") is True
    assert cache.unregister_type_name("amount") is False
    with pytest.raises(cache.TypeExpressionError, match="unknown name 'amount'"):
        table.get_validator("list[amount]")


@pytest.mark.parametrize(
    ("text", "type_", "error"),
    [
        ("", int, ValueError),
        (" ", int, ValueError),
        (3, int, TypeError),
        ("x", 3, TypeError),
        ("x", "int", TypeError),
    ],
)
def test_a_name_or_type_that_is_none_is_refused(cache, text, type_, error):
    with pytest.raises(error):
        cache.register_type_name(text, type_)


# -- threads --


def test_threads_share_a_table_without_losing_a_hit(cache):
    table = cache.ValidationCache(max_entries=16)
    expressions: list[Any] = [list[Literal[number]] for number in range(24)]
    targets = [*expressions, Money, Point, "dict[str, int]", "list[Money]"]
    failures: list[BaseException] = []
    start = threading.Barrier(8)

    def work(seed: int) -> None:
        try:
            start.wait()
            for step in range(1500):
                index = (seed * 31 + step * step) % len(targets)
                validator = table.get_validator(targets[index])
                if index < 24:
                    assert validator.validate_python([index]) == [index]
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    found = table.statistics()
    assert found.hits + found.misses == 8 * 1500
    assert found.size <= 16


def test_deferred_builds_from_many_threads(cache):
    class Late(BaseModel):
        model_config = ConfigDict(defer_build=True)
        x: int

    found: list[Any] = []
    start = threading.Barrier(8)

    def work() -> None:
        start.wait()
        found.append(cache.ValidationCache.get_validator(Late).validate_python({"x": 1}).x)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [1] * 8


# -- corners --


def test_text_of_a_string_subclass_and_forward_references(table, cache):
    class Text(str):
        def __str__(self) -> str:
            return "str"

    assert table.get_validator(Text("list[int]")).validate_python(["1"]) == [1]
    assert cache.compile_validator(typing.ForwardRef("list[int]")).validate_python(["1"]) == [1]
    assert cache.compile_validator("list[int]").validate_python(["1"]) == [1]
    assert table.compile_validator(list["int"]).validate_python(["1"]) == [1]
    assert table.invalidate(Text("list[int]"))


def test_a_value_is_named_by_its_class(table, cache):
    class Mute:
        def __repr__(self) -> str:
            raise ZeroDivisionError

    with pytest.raises(TypeError, match="a type name or a type expression, not a Mute"):
        table.get_validator(Mute())


def test_members_of_a_union_without_an_operator(table, name):
    assert table.get_validator("None | None").validate_python(None) is None
    name("Note", Annotated[int, Gt(0)])
    assert table.get_validator("Note | None").validate_python("1") == 1
    assert table.get_validator(Union["int", None]).validate_python("1") == 1


def test_a_union_that_contains_nothing_but_text_inside_a_callable(table):
    assert table.get_validator(Callable[["int"], "str"]).validate_python(len) is len


def test_registering_the_same_again_keeps_what_was_read(table, name):
    name("Kept", int)
    first = table.get_validator("list[Kept]")
    name("Kept", int)
    assert table.get_validator("list[Kept]") is first


def test_a_free_threaded_build_counts_under_a_lock(cache, monkeypatch):
    monkeypatch.setattr(cache, "_FREE_THREADED", True)
    table = cache.ValidationCache()
    for _ in range(4):
        table.get_validator(int)
    assert (table.statistics().hits, table.statistics().misses) == (3, 1)


def test_numbers_are_constants_in_literals_and_constraints_alone(table, cache):
    assert table.get_validator("Annotated[float, Interval(ge=-1.5, le=2)]").validate_python(-1.5) == -1.5
    with pytest.raises(cache.TypeExpressionError, match="not a constant"):
        table.get_validator("Literal[-'a']")
    with pytest.raises(cache.TypeExpressionError, match="unknown name 'Nope'"):
        table.get_validator("Nope[int]")
    with pytest.raises(cache.TypeExpressionError, match="constraint"):
        table.get_validator("Annotated[int, [1]]")


def test_a_pydantic_class_that_stays_undefined_is_refused(cache, monkeypatch):
    class Late(BaseModel):
        model_config = ConfigDict(defer_build=True)
        x: int

    monkeypatch.setattr(Late, "model_rebuild", classmethod(lambda cls, **_: False))
    with pytest.raises(cache.ValidatorBuildError, match="not fully defined"):
        cache.force_build(Late)


def test_a_look_up_that_finds_what_another_thread_has_just_stored_is_a_hit(table):
    table.get_validator(int)
    table._find(int)
    assert (table.statistics().hits, table.statistics().misses) == (1, 1)


def test_two_tables_share_a_class(cache):
    one, other = cache.ValidationCache(), cache.ValidationCache()
    assert one.get_validator(Pair).validate_python((1, "a")) == other.get_validator(Pair).validate_python(
        (1, "a")
    )
    one.clear()
    other.clear()
    assert one.get_validator(Pair).validate_python(("1", "a")) == Pair(1, "a")


def test_the_entry_of_a_class_that_has_gone_is_not_served_to_another(table):
    old, new = define(int), define(str)
    table.get_validator(old)
    # as after the end of old, if new were made where old was
    table._entries[id(new)] = table._entries.pop(id(old))
    assert table.get_validator(new) is new.__pydantic_validator__
    table.get_validator(list[int])
    fixed = table._entries[table._aliases.popitem()[0]]
    table._entries[id(old)] = fixed
    assert table.get_validator(old) is old.__pydantic_validator__


def test_a_validator_behind_a_plugin_is_served(table):
    class Item(BaseModel):
        x: int

    class Plugged:
        def validate_python(self, value: Any) -> str:
            return "plugged"

    table.get_validator(Item)
    Item.__pydantic_validator__ = Plugged()  # type: ignore[assignment]
    assert table.get_validator(Item).validate_python({}) == "plugged"
    assert (table.statistics().hits, table.statistics().misses) == (1, 1)


def test_get_validator_takes_its_argument_by_name_and_can_be_overridden(cache, monkeypatch):
    class Own(cache.ValidationCache):
        def get_validator(self, type_name: Any) -> Any:
            return "own", super().get_validator(type_name)

    table = cache.ValidationCache()
    assert table.get_validator(type_name=Money) is Money.__pydantic_validator__
    assert cache.ValidationCache.get_validator(type_name=Money) is Money.__pydantic_validator__
    assert Own().get_validator(Money) == ("own", Money.__pydantic_validator__)
    monkeypatch.setattr(cache.ValidationCache, "get_validator", lambda self, target: "patched")
    assert table.get_validator(Money) == "patched"


def test_an_entry_refers_to_its_class_weakly(cache):
    with pytest.raises(TypeError, match="weak reference, not int"):
        cache.guards.ClassEntry(3, True)
