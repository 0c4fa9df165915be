"""Errors, collections, state machines and registries of foobara_py answer with the drop-in as without."""

from __future__ import annotations

import gc
from collections.abc import Callable
from functools import partial
from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

import swap_target
from foobara_accel import backend

pytestmark = pytest.mark.skipif(
    not swap_target.reachable(), reason="foobara_py cannot be imported: install it, or set FOOBARA_PY_PATH"
)
BACKENDS = ("c", "py") if backend().compiled else ("py",)


@pytest.fixture(scope="module")
def classes() -> Any:
    return swap_target.target()


@pytest.fixture(scope="module", params=BACKENDS)
def put(request: pytest.FixtureRequest, classes: Any) -> Callable[[], Any]:
    """Return what puts the replacements of one backend in place, for a while."""
    table = swap_target.twin(request.param).replacements(classes, frozenset())
    return lambda: swap_target.Exchanged(classes, table)


class Word(str):
    __slots__ = ()


class Odd:
    """Compares to nothing, and says so."""

    def __eq__(self, other: object) -> bool:
        raise LookupError("compared")

    __hash__ = None  # type: ignore[assignment]


texts = st.sampled_from(["", "a", "b", "data", "runtime", "too_short", Word("a"), "\ud800", "ü"])
whatever = st.one_of(texts, st.sampled_from([None, 3, 2.5, True, b"a", Odd(), [], ("a",)]))
paths = st.one_of(
    st.lists(texts, max_size=3).map(tuple),
    st.lists(texts, max_size=2),
    st.sampled_from([(), "ab", ("a", 1), 7]),
)
specs = st.fixed_dictionaries(
    {},
    optional={
        "category": whatever,
        "symbol": whatever,
        "path": paths,
        "message": whatever,
        "context": st.dictionaries(texts, whatever, max_size=2),
        "runtime_path": paths,
        "is_fatal": st.booleans(),
        "severity": st.sampled_from(["level 0", "level 3", "text", None]),
        "suggestion": whatever,
        "help_url": texts,
        "stack_trace": st.sampled_from([None, ["line"]]),
    },
)
kinds = st.sampled_from(["own", "own", "own", "own", "own", "sub", "other", "keyed", "torn", "caused"])

QUERIES: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys(("first", "all", "keys", "data_errors", "fatal_errors", "group_by_path", "copy"), ()),
    **dict.fromkeys(("group_by_category", "messages", "to_sentence", "to_dict", "to_list", "summary"), ()),
    **dict.fromkeys(("_rebuild_key_index", "count", "has_fatal", "to_human_readable"), ()),
    **dict.fromkeys(("with_symbol", "by_category", "get", "at_path", "in_runtime_path"), (whatever,)),
}


def made(classes: Any, spec: dict[str, Any], kind: str) -> Any:
    """Return an error as *spec* says, or what stands in its place."""
    error_class = classes.FoobaraError
    severities = list(type(error_class().severity))
    wanted = dict(spec)
    level = wanted.get("severity")
    if level in ("level 0", "level 3"):
        wanted["severity"] = severities[int(level[-1])]
    if kind == "other":

        class Other:
            def __init__(self) -> None:
                self.is_fatal = wanted.get("is_fatal", False)
                self.symbol, self.path, self.message = "a", ("a",), "b"

        return Other()
    if kind == "sub":

        class Sub(error_class):  # type: ignore[misc, valid-type]
            pass

        return Sub(**wanted)
    error = error_class(**wanted)
    if kind == "keyed":
        error._cached_key = "known"
    if kind == "torn":
        del error.symbol
    if kind == "caused":
        error.cause = error_class(symbol="cause", cause=error_class(symbol="root"))
    return error


class Seen:
    """Shows an answer without addresses: errors that were given by their number, new ones by their fields."""

    def __init__(self, given: list[Any]) -> None:
        self.given = given

    def __call__(self, value: Any) -> Any:
        for number, error in enumerate(self.given):
            if value is error:
                return f"error {number}"
            if value is getattr(error, "context", self):
                return f"context {number}"
        kind = type(value).__name__
        if isinstance(value, list | tuple):
            return [kind, *map(self, value)]
        if isinstance(value, dict):
            return [kind, *[[self(key), self(each)] for key, each in value.items()]]
        if kind in ("FoobaraError", "Sub"):
            return [kind, *[self(getattr(value, name, "unset")) for name in value.__dataclass_fields__]]
        if kind == "ErrorCollection":
            by_key = value._errors_by_key
            return [kind, self(list(value._errors_by_id.values())), self(by_key), value._has_fatal]
        return [kind, str(value)] if isinstance(value, str | int | float | bytes | None) else kind

    def of(self, call: Callable[[], Any]) -> Any:
        try:
            return self(call())
        except Exception as error:
            return ["raised", type(error).__name__, str(error)]


def call(collection: Any, name: str, words: tuple[Any, ...]) -> Any:
    return getattr(collection, name)(*words)


def answers(classes: Any, rows: list[tuple[dict[str, Any], str]], calls: list[Any]) -> list[Any]:
    """Return what a collection of these errors says, and in which state that leaves it and them."""
    given = [made(classes, spec, kind) for spec, kind in rows]
    seen = Seen(given)
    collection = classes.ErrorCollection()
    told = [seen.of(lambda: collection.add_all(*given[:2])), seen.of(lambda: collection.merge(given[1:]))]
    for name, words in calls:
        told.append([name, seen.of(partial(call, collection, name, words))])
    told += [[seen.of(error.key), seen.of(error.to_dict)] for error in given if hasattr(error, "key")]
    return [*told, seen(collection), [getattr(error, "_cached_key", None) for error in given]]


calls = st.lists(
    st.sampled_from(sorted(QUERIES)).flatmap(
        lambda name: st.tuples(st.just(name), st.tuples(*QUERIES[name]))
    ),
    max_size=5,
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=st.lists(st.tuples(specs, kinds), max_size=5), asked=calls)
def test_a_collection_answers_as_foobara_pys_own(classes, put, rows, asked):
    plain = answers(classes, rows, asked)
    with put():
        assert answers(classes, rows, asked) == plain


FACTORIES: dict[str, tuple[Any, ...]] = {
    "data_error": (whatever, paths, whatever),
    "validation_error": (whatever, paths, whatever),
    "runtime_error": (whatever, whatever),
    "domain_error": (whatever, whatever),
    "system_error": (whatever, whatever),
    "auth_error": (whatever, whatever),
    "external_error": (whatever, whatever),
    "from_exception": (st.sampled_from([ValueError("v"), KeyError("k")]),),
}
keywords = st.dictionaries(
    st.sampled_from(
        ["seen", "cls_", "path", "is_fatal", "severity", "suggestion", "service", "category", "symbol"]
    ),
    st.one_of(paths, st.booleans(), st.none()),
    max_size=2,
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), name=st.sampled_from(sorted(FACTORIES)), more=keywords, derived=st.booleans())
def test_factories_make_the_same_errors(classes, put, data, name, more, derived):
    words = data.draw(st.tuples(*FACTORIES[name]))

    def told() -> Any:
        cls = classes.FoobaraError
        if derived:
            cls = type("Sub", (cls,), {})
        return Seen([]).of(lambda: getattr(cls, name)(*words, **more))

    plain = told()
    with put():
        assert told() == plain


COPIES = ("with_runtime_path_prefix", "with_path_prefix", "with_cause", "with_suggestion", "with_help_url")


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(spec=specs, kind=kinds, name=st.sampled_from(COPIES), word=whatever, listed=st.booleans())
def test_copies_have_the_same_fields_and_share_the_context(classes, put, spec, kind, name, word, listed):
    def told() -> Any:
        error = made(classes, spec, kind)
        if listed and hasattr(error, "key"):
            error.path = ["a"]  # past the constructor, which makes a tuple of it
        return Seen([error]).of(lambda: getattr(error, name)(word))

    plain = told()
    with put():
        assert told() == plain


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    moves=st.lists(st.sampled_from([*range(11), "fail", "error", "succeed", "reset", "5", None]), max_size=8)
)
def test_a_state_machine_moves_as_far(classes, put, moves):
    states = list(classes.CommandState)

    def told() -> Any:
        machine, seen = classes.CommandStateMachine(), []
        for move in moves:
            if isinstance(move, str) and move != "5":
                seen.append(getattr(machine, move)())
            else:
                given = states[move] if isinstance(move, int) else move
                seen.append(machine.transition_to(given))
        history = [(int(a), int(b), type(a).__name__) for a, b in machine._transition_history]
        return seen, history, machine.state, type(machine.state).__name__

    plain = told()
    with put():
        assert told() == plain


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    registered=st.lists(
        st.tuples(
            st.sampled_from(["before", "after", "around", "error", Word("before"), "other"]),
            st.sampled_from([None, 4, 5]),
            st.sampled_from([None, 6]),
            st.sampled_from([None, "execute", "validate"]),
            st.integers(-1, 1),
        ),
        max_size=4,
    ),
    asked=st.lists(
        st.tuples(
            st.sampled_from(["before", "after", Word("before"), "other"]),
            st.sampled_from([4, 5, "plain 5", None, []]),
            st.sampled_from([6, "plain 6"]),
            st.sampled_from(["execute", "validate", None]),
        ),
        max_size=4,
    ),
    compiled=st.booleans(),
)
def test_a_registry_finds_the_same_callbacks_and_counts_them(classes, put, registered, asked, compiled):
    states = list(classes.CommandState)

    def state(given: Any) -> Any:
        if isinstance(given, str):
            return int(given[-1])
        return states[given] if isinstance(given, int) else given

    def told() -> Any:
        registry, seen = classes.EnhancedCallbackRegistry(), []
        for number, (kind, before, after, name, priority) in enumerate(registered):
            registry.register(kind, number, state(before), state(after), name, priority)
        if compiled and not any(kind == "other" for kind, *_ in registered):
            registry.compile_chain(states[5], states[6], "execute")
        for kind, before, after, name in asked:
            call = lambda: registry.get_callbacks(kind, state(before), state(after), name)  # noqa: B023, E731
            seen.append(Seen([]).of(call))
        return seen, registry.get_cache_stats()

    plain = told()
    with put():
        assert told() == plain


def test_an_error_written_as_a_dict_is_a_dict_like_any_other(classes, put):
    """It can grow, the collector knows it, and no other one has its lists."""
    with put():
        error = classes.FoobaraError(symbol="s", path=("a",), suggestion="do", help_url="url")
        error.cause = classes.FoobaraError(symbol="t")
        first, second = error.to_dict(), error.to_dict()
        assert first == second and first is not second
        assert first["path"] is not second["path"] and first["runtime_path"] is not second["runtime_path"]
        assert first["context"] is error.context
        assert list(first)[-3:] == ["suggestion", "help_url", "cause"]
        assert gc.is_tracked(first)
        first.update({str(number): number for number in range(50)})
        del first["key"]
        assert len(first) == 61 and second["key"] == "data.a.s"
        assert classes.FoobaraError(symbol="s").to_dict()["path"] == []


def test_a_patched_field_of_errors_is_seen(classes, put):
    """Nothing is read from a slot that no longer answers for its name."""
    with put():
        error = classes.FoobaraError(symbol="s", message="own")
        collection = classes.ErrorCollection().add(error)
        with mock.patch.object(classes.FoobaraError, "message", property(lambda self: "patched")):
            assert collection.messages() == ["patched"]
            assert error.to_dict()["message"] == "patched"
            assert collection.to_list()[0]["message"] == "patched"
        assert collection.messages() == ["own"]


def test_a_patched_or_overridden_method_is_called(classes, put):
    with put():
        collection = classes.ErrorCollection().add(classes.FoobaraError(symbol="s"))
        with mock.patch.object(classes.FoobaraError, "to_dict", lambda self: "patched"):
            assert collection.to_list() == ["patched"]
            assert collection.to_dict() == {"data.root.s": "patched"}

        class Own(classes.ErrorCollection):  # type: ignore[name-defined, misc]
            def by_category(self, category: str) -> Any:
                return category

        assert Own().data_errors() == "data"
        assert Own().add(classes.FoobaraError(symbol="s")).with_symbol("s")[0].symbol == "s"


def test_a_collection_that_changes_while_it_is_asked_says_so(classes, put):
    collection = classes.ErrorCollection()

    class Growing:
        def __eq__(self, other: object) -> bool:
            collection.add(classes.FoobaraError(symbol="more"))
            return True

        __hash__ = None  # type: ignore[assignment]

    collection.add_all(classes.FoobaraError(symbol="a"), classes.FoobaraError(symbol="b"))
    with put(), pytest.raises(RuntimeError, match="dictionary changed size during iteration"):
        collection.with_symbol(Growing())
