"""FoobaraError and ErrorCollection: fields, factories, derived values, queries and protocols."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import json
import os
import pickle
import subprocess
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable
from types import MappingProxyType
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field, SecretStr, TypeAdapter, ValidationError, field_validator


@pytest.fixture
def errors(sub):
    return sub("core.errors")


@pytest.fixture
def F(errors):
    return errors.FoobaraError


@pytest.fixture
def C(errors):
    return errors.ErrorCollection


@pytest.fixture
def twin(sub):
    return sub("_backend").errors


# FoobaraError


def test_defaults(F, errors):
    error = F()
    assert (error.category, error.symbol, error.path, error.message) == ("data", "", (), "")
    assert (error.context, error.runtime_path, error.is_fatal) == ({}, (), False)
    assert error.severity is errors.ErrorSeverity.ERROR
    assert error.suggestion is error.help_url is error.cause is error.stack_trace is None


def test_positional_order(F, errors):
    cause = F()
    error = F("a", "b", ["c"], "d", {"e": 1}, ["f"], True, errors.ErrorSeverity.INFO, "g", "h", cause, "i")
    assert (error.category, error.symbol, error.path, error.message, error.context) == (
        *("a", "b", ("c",), "d"),
        {"e": 1},
    )
    assert (error.runtime_path, error.is_fatal, error.suggestion, error.help_url) == (("f",), True, "g", "h")
    assert error.severity is errors.ErrorSeverity.INFO and error.cause is cause and error.stack_trace == "i"


@pytest.mark.parametrize("value", [[], (), "", 0, False, {1}, [("a", 1)]])
def test_a_context_is_a_mapping_or_none(F, value):
    error = F(symbol="s", context={"a": 1})
    told = f"context must be a dict or another mapping, not {type(value).__name__}"
    with pytest.raises(TypeError, match=told):
        F(symbol="s", context=value)
    with pytest.raises(TypeError, match=told):
        error.context = value
    with pytest.raises(TypeError, match=told):
        F.from_dict({"symbol": "s", "context": value})
    assert error.context == {"a": 1}


def test_a_dict_as_context_is_kept_and_another_mapping_copied(F):
    for given in ({"a": 1}, OrderedDict(a=1)):
        error = F(symbol="s", context=given)
        assert error.context is given
        error.context = None
        assert error.context == {}
        error.context = given
        assert error.context is given
    error = F(symbol="s", context=MappingProxyType({"a": 1}))
    assert type(error.context) is dict and error.context == {"a": 1}
    error.context = MappingProxyType({"b": 1})
    assert error.context == {"b": 1} and b'"context":{"b":1}' in error.to_json_bytes()


@pytest.mark.parametrize("value", [None, [], "s", 1])
def test_from_dict_takes_a_mapping(F, value):
    with pytest.raises(TypeError, match=f"not {type(value).__name__}"):
        F.from_dict(value)
    assert F.from_dict(MappingProxyType(F(symbol="s").to_dict())) == F(symbol="s")


def odd_classes(F, severities):
    class Severe(F):
        is_fatal = True
        severity = severities.WARNING
        suggestion = help_url = "h"

    class Translated(F):
        @property
        def message(self):
            return f"<{self.__dict__['raw']}>"

        @message.setter
        def message(self, value):
            self.__dict__["raw"] = value

    class Keyed(F):
        category = symbol = "c"

        def key(self):
            return 'K"'

    class Placed(F):
        @property
        def context(self):
            return {"own": 1}

        @context.setter
        def context(self, value):
            pass

        @property
        def path(self):
            return ("own",)

        @path.setter
        def path(self, value):
            pass

    class Caused(F):
        @property
        def cause(self):
            return F(symbol="behind")

        @cause.setter
        def cause(self, value):
            pass

    return [Severe, Translated, Keyed, Placed, Caused]


def test_what_a_subclass_overrides_counts_everywhere(F, C, errors, twin, sub):
    for kind in odd_classes(F, errors.ErrorSeverity):
        error = kind(symbol="s", path=("a",), message="m", context={"x": 1})
        held = C().add(error)
        made = error.to_dict()
        wanted = json.dumps(made, separators=(",", ":")).encode()
        assert error.to_json_bytes() == wanted and held.to_json_bytes() == b"[" + wanted + b"]", kind
        assert made["key"] == error.key() == held.keys()[0]
        for name in ("category", "symbol", "message", "is_fatal", "suggestion", "context"):
            assert made.get(name) == getattr(error, name), (kind, name)
        assert made["severity"] == error.severity.value
        assert held.messages() == [error.message]
        assert held.has_fatal() is error.is_fatal and held.fatal_errors() == [error] * error.is_fatal
        assert held.by_severity(error.severity) == held.by_category(error.category) == [error]
        assert held.with_symbol(error.symbol) == [error]
        assert len(held.with_suggestions()) == (error.suggestion is not None)
        assert error.get_root_cause().symbol == (error.cause or error).symbol
        assert f"message={error.message!r}" in repr(error) and f"is_fatal={error.is_fatal}" in repr(error)
        with pytest.raises(ValueError, match=f"Command failed: {error.message}"):
            sub("core.outcome").CommandOutcome.from_errors(error).unwrap()
        arguments = error.__reduce_ex__(4)[1]
        assert twin._restore_error(*arguments).to_dict() == made
        assert copy.copy(error) == error.with_runtime_path_prefix() == copy.deepcopy(error) == error
        assert error.with_cause(None).cause == error.cause or kind.__name__ == "Caused"


class Link:
    """Mixed into an error class: its dict says more."""

    def to_dict(self):
        return {**super().to_dict(), "hint": self.symbol.upper()}


def test_the_dict_of_a_subclass_is_what_outcomes_collections_and_causes_show(F, C, sub):
    class Hinted(Link, F):
        pass

    class Worded(F):
        def to_dict(self):
            return "in a word"

    first = Hinted(symbol="first")
    chain = F(symbol="last", cause=Hinted(symbol="middle", cause=F(symbol="plain", cause=first)))
    for error in (first, chain, Worded(), F(cause=Worded())):
        outcome, held = sub("core.outcome").CommandOutcome.from_errors(error), C().add(error)
        made = error.to_dict()
        assert outcome.to_dict()["errors"] == held.to_list() == [*held.to_dict().values()] == [made]
        assert json.loads(error.to_json_bytes()) == made and json.loads(held.to_json_bytes()) == [made]
        assert json.loads(outcome.to_json_bytes()) == outcome.to_dict()
        assert json.loads(F(context={"e": error}).to_json_bytes())["context"] == {"e": made}
    assert first.to_dict()["hint"] == "FIRST"
    assert chain.to_dict()["cause"]["hint"] == "MIDDLE"
    assert chain.to_dict()["cause"]["cause"]["cause"]["hint"] == "FIRST"


def test_a_closed_chain_of_errors_with_dicts_of_their_own_ends(F):
    class Hinted(Link, F):
        pass

    one, other = Hinted(symbol="one"), F(symbol="other")
    one.cause, other.cause = other, one
    for error in (one, other):
        assert json.loads(error.to_json_bytes())["symbol"] == error.to_dict()["symbol"] == error.symbol
        assert str(error.to_dict()).count("'hint'") == 1

    class Broken(F):
        def to_dict(self):
            raise ValueError("no dict")

    for _ in range(2):  # the second finds nothing left of the first
        with pytest.raises(ValueError, match="no dict"):
            Broken().to_json_bytes()
        with pytest.raises(ValueError, match="no dict"):
            F(cause=Broken()).to_dict()


def test_a_subclass_with_a_read_only_field_refuses_to_be_made(F):
    class Fixed(F):
        @property
        def message(self):
            return "fixed"

    with pytest.raises(AttributeError, match="message"):
        Fixed(message="m")


def test_the_signature_names_the_fields(F, errors):
    found = inspect.signature(F).parameters
    assert list(found) == [*FIELDS] and found["severity"].default is errors.ErrorSeverity.ERROR
    assert [found[name].default for name in FIELDS] == [*FIELDS.values()]

    class Own(F):
        def __init__(self, code):
            super().__init__(symbol=code)

    assert list(inspect.signature(Own).parameters) == ["code"]
    assert F.__doc__.startswith("One error of a command")


def test_data_error_is_an_alias(errors):
    assert errors.DataError is errors.FoobaraError


FIELDS = {
    "category": "data",
    "symbol": "",
    "path": (),
    "message": "",
    "context": None,
    "runtime_path": (),
    "is_fatal": False,
    "severity": "error",
    "suggestion": None,
    "help_url": None,
    "cause": None,
    "stack_trace": None,
}
RARE = {
    "is_fatal": True,
    "severity": "custom",
    "suggestion": "s",
    "help_url": "u",
    "cause": "c",
    "stack_trace": "t",
}


@pytest.mark.parametrize("name", RARE)
def test_a_field_set_later_is_a_field_given(F, errors, name):
    error, given = F(symbol="s"), F(symbol="s", **{name: RARE[name]})
    assert error != given
    usual = getattr(error, name)
    setattr(error, name, usual)
    assert error == F(symbol="s")
    setattr(error, name, RARE[name])
    assert getattr(error, name) == RARE[name] and error == given
    for other in RARE:
        assert other == name or getattr(error, other) == getattr(F(), other)
    for same in (copy.copy(error), copy.deepcopy(error), pickle.loads(pickle.dumps(error))):
        assert same.to_dict() == given.to_dict() and getattr(same, name) == RARE[name]
    setattr(error, name, usual)
    assert error == F(symbol="s") and error.to_json_bytes() == F(symbol="s").to_json_bytes()


def test_a_copy_has_its_own_fields(F):
    error = F(suggestion="s")
    twin = copy.copy(error)
    twin.suggestion, twin.is_fatal = "t", True
    assert error.suggestion == "s" and error.is_fatal is False


def test_context_dict_is_created_once_per_error(F):
    one, two = F(), F()
    one.context["x"] = 1
    assert one.context == {"x": 1} and two.context == {}


@pytest.mark.parametrize("path", [5, b"ab", object(), 1.5, True])
def test_a_path_that_is_no_path_is_a_type_error(F, path):
    with pytest.raises(TypeError, match="path must be a tuple or list of names"):
        F(path=path)
    error = F()
    with pytest.raises(TypeError, match="runtime_path must be a tuple or list of names"):
        error.runtime_path = path


def test_paths_become_tuples(F):
    assert F(path=["a", 0]).path == ("a", 0)
    assert F(path=None).path == ()
    assert F(path=iter("ab")).path == ("a", "b")
    assert F(path="abc").path == "abc" and F(path="abc", symbol="s").key() == "data.a.b.c.s"


def test_key(F):
    assert F("data", "required", ("user", "email")).key() == "data.user.email.required"
    assert F("runtime", "timeout").key() == "runtime.root.timeout"
    assert F("data", "x", ("a", 0), runtime_path=("outer", "inner")).key() == "outer>inner>data.a.0.x"


def test_key_follows_mutation(F):
    error = F("data", "a", ("p",))
    assert error.key() == "data.p.a"
    error.symbol, error.path, error.category = "b", ["q"], "runtime"
    assert error.key() == "runtime.q.b" == error.to_dict()["key"] == json.loads(error.to_json_bytes())["key"]


def test_key_of_enum_category_is_its_value(F, errors):
    assert F(errors.ErrorCategory.AUTH, "s").key() == "auth.root.s"
    assert F(errors.ErrorCategory.AUTH, "s").error_code == "auth.s"


def test_error_code(F):
    assert F("data", "invalid_format", ("user", "email")).error_code == "data.user.email.invalid_format"
    assert F("runtime", "timeout").error_code == "runtime.timeout"


FACTORIES = [
    ("data_error", ("s", ["a"], "m"), "data", "error", False),
    ("validation_error", ("s", ["a"], "m"), "data", "error", False),
    ("runtime_error", ("s", "m"), "runtime", "error", False),
    ("domain_error", ("s", "m"), "domain", "error", False),
    ("system_error", ("s", "m"), "system", "fatal", True),
    ("auth_error", ("s", "m"), "auth", "error", False),
    ("external_error", ("s", "m"), "external", "warning", False),
]


@pytest.mark.parametrize(("name", "args", "category", "severity", "fatal"), FACTORIES)
def test_factories(F, name, args, category, severity, fatal):
    class Mine(F):
        pass

    for cls in (F, Mine):
        error = getattr(cls, name)(*args, suggestion="do", extra=1)
        assert type(error) is cls
        assert (error.category, error.symbol, error.message) == (category, "s", "m")
        assert (error.severity.value, error.is_fatal) == (severity, fatal)
        assert error.suggestion == "do" and error.context == {"extra": 1}
        with pytest.raises(TypeError):
            getattr(cls, name)(*args, category="x")


def test_factory_severities(F, errors):
    S = errors.ErrorSeverity
    assert F.data_error("s", (), "m", is_fatal=True).severity is S.FATAL
    assert F.data_error("s", (), "m", severity=S.INFO).severity is S.INFO
    assert F.runtime_error("s", "m", is_fatal=True).severity is S.CRITICAL
    assert F.system_error("s", "m", is_fatal=False).severity is S.CRITICAL
    assert F.external_error("s", "m", is_fatal=True).severity is S.WARNING
    assert F.runtime_error("s", "m", path=["a"]).path == ("a",)
    for name in ("runtime_error", "system_error", "external_error"):
        with pytest.raises(TypeError, match="severity"):
            getattr(F, name)("s", "m", severity=S.INFO)


def test_external_error_names_the_service(F):
    assert F.external_error("s", "m", service="bank", a=1).context == {"a": 1, "service": "bank"}


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


def test_from_exception(F):
    error = F.from_exception(KeyError("k"), symbol="lost")
    assert (error.symbol, error.message, error.category) == ("lost", "'k'", "runtime")
    assert error.context == {"exception_type": "KeyError", "exception_module": "builtins"}
    assert F.from_exception(Unprintable()).message == "<Unprintable>"


def test_from_exception_repeats_no_input_of_pydantic(F):
    told = "1 validation error for int: Input should be a valid integer, unable to parse string as an integer"

    def failing(chain: str) -> Exception:
        try:
            try:
                TypeAdapter(int).validate_python("hunter2")
            except ValidationError as error:
                if chain == "itself":
                    raise
                if chain == "args":
                    raise RuntimeError(error) from None
                raise ValueError(f"no: {error}") from (error if chain == "cause" else None)
        except Exception as error:
            return error
        raise AssertionError

    assert F.from_exception(failing("itself")).message == told
    assert F.from_exception(failing("itself")).context["exception_type"] == "ValidationError"
    assert F.from_exception(failing("args")).message == told
    assert F.from_exception(failing("cause")).message == f"no: {told}"
    assert F.from_exception(failing("context")).message == f"no: {told}"

    looped = failing("cause")
    looped.__context__ = RuntimeError(looped)
    assert F.from_exception(looped).message == f"no: {told}"


def test_from_exception_takes_exceptions_without_ordinary_args(F):
    class Odd(Exception):
        args = None  # type: ignore[assignment]

        def __str__(self) -> str:
            return "odd"

    assert F.from_exception(Odd()).message == "odd"


def test_with_methods_copy_keep_the_class_and_share_the_context(F):
    class Mine(F):
        pass

    error = Mine("data", "s", ("a",), "m")
    error.note = "kept"
    for changed in (
        error.with_path_prefix("x", "y"),
        error.with_runtime_path_prefix("r"),
        error.with_cause(F()),
        error.with_suggestion("do"),
        error.with_help_url("http://h"),
    ):
        assert type(changed) is Mine and changed is not error and changed.note == "kept"
        assert changed.context is error.context
    assert error.with_path_prefix("x", "y").path == ("x", "y", "a")
    assert error.with_runtime_path_prefix("r").key() == "r>data.a.s"
    assert error.path == ("a",) and error.suggestion is None


def test_cause_chain(F):
    root = F(symbol="root")
    middle = F(symbol="middle", cause=root)
    top = F(symbol="top", cause=middle)
    assert [e.symbol for e in top.get_error_chain()] == ["top", "middle", "root"]
    assert top.get_root_cause() is root
    assert top.to_dict()["cause"]["cause"]["symbol"] == "root"


def test_a_closed_chain_ends(F):
    a, b = F(symbol="a"), F(symbol="b")
    a.cause, b.cause = b, a
    assert a.get_error_chain() == [a, b] and a.get_root_cause() is b
    assert "cause" not in a.to_dict()["cause"]
    assert json.loads(a.to_json_bytes())["cause"]["symbol"] == "b"
    assert "..." in repr(a)
    c, d = F(symbol="a"), F(symbol="b")
    c.cause, d.cause = d, c
    assert a == c


def test_a_long_chain(F):
    error = F(symbol="root")
    for _ in range(100_000):
        error = F(cause=error)
    other = copy.copy(error)
    assert len(error.get_error_chain()) == 100_001
    assert error.get_root_cause().symbol == "root"
    assert error.to_json_bytes().count(b'"cause"') == 100_000
    assert error == other
    del error, other


def test_equality_by_fields(F):
    one, two = F("data", "s", ("a",), "m", {"x": 1}), F("data", "s", ["a"], "m", {"x": 1})
    assert one == two and (one != two) is False
    one.key()
    assert one == two
    two.context["x"] = 2
    assert one != two
    assert F() == F(context={})
    assert F() != "error" and F() != None  # noqa: E711

    class Mine(F):
        pass

    assert F() != Mine() and Mine() == Mine()


def test_unhashable(F):
    with pytest.raises(TypeError, match="unhashable"):
        hash(F())


def test_repr_lists_the_fields(F):
    assert repr(F("data", "s", ("a",), "m", {"x": 1})) == (
        "FoobaraError(category='data', symbol='s', path=('a',), message='m', context={'x': 1}, "
        "runtime_path=(), is_fatal=False, severity=<ErrorSeverity.ERROR: 'error'>, suggestion=None, "
        "help_url=None, cause=None, stack_trace=None)"
    )
    assert str(F()) == repr(F())


def test_no_foreign_attributes(F):
    with pytest.raises(AttributeError):
        F().nonsense = 1


def test_to_dict(F):
    error = F("data", "s", ("a", 0), "m", runtime_path=("r",), suggestion="do", help_url="u", stack_trace="t")
    assert list(error.to_dict()) == (
        ["key", "category", "symbol", "path", "runtime_path", "message", "context", "is_fatal", "severity"]
        + ["suggestion", "help_url"]
    )
    assert error.to_dict()["context"] is error.context
    assert F.from_dict(error.to_dict()) == F(
        "data", "s", ("a", 0), "m", runtime_path=("r",), suggestion="do", help_url="u"
    )


def test_to_problem(F):
    error = F.data_error("invalid_format", ["user", "a/b", "c~d", 0], "not an address")
    assert error.to_problem() == {
        "type": "about:blank",
        "title": "Unprocessable Content",
        "status": 422,
        "detail": "not an address",
        "errors": [
            {"pointer": "/user/a~1b/c~0d/0", "symbol": "invalid_format", "detail": "not an address"},
        ],
    }
    assert F(help_url="https://example.org/e").to_problem()["type"] == "https://example.org/e"


@pytest.mark.parametrize(
    ("category", "symbol", "status"),
    [
        ("data", "not_found", 422),
        ("auth", "not_authenticated", 401),
        ("auth", "other", 403),
        ("runtime", "record_not_found", 404),
        ("domain", "already_exists", 409),
        ("runtime", "card_declined", 422),
        ("runtime", "execution_error", 500),
        ("system", "x", 500),
        ("external", "x", 502),
        ("runtime", "timeout", 504),
        ("runtime", "rate_limit_exceeded", 429),
    ],
)
def test_problem_status(F, category, symbol, status):
    assert F(category, symbol).to_problem()["status"] == status


class Slotted:
    pass


def test_copies(F):
    error = F("data", "s", ("a",), "m", {"x": [1]}, cause=F(symbol="c"))
    shallow, deep = copy.copy(error), copy.deepcopy(error)
    assert shallow == deep == error
    assert shallow.context is error.context and shallow.cause is error.cause
    assert deep.context is not error.context and deep.context["x"] is not error.context["x"]
    assert deep.cause is not error.cause


def test_deepcopy_of_a_cycle(F):
    error = F()
    error.cause = error
    error.context["self"] = error
    twin = copy.deepcopy(error)
    assert twin.cause is twin and twin.context["self"] is twin


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickle(errors, protocol):
    error = errors.FoobaraError("data", "s", ("a",), "m", {"x": [1]}, ("r",), cause=errors.FoobaraError())
    restored = pickle.loads(pickle.dumps(error, protocol))
    assert restored.to_dict() == error.to_dict()
    assert restored.severity is type(restored.severity)("error")
    collection = errors.ErrorCollection().add(error)
    again = pickle.loads(pickle.dumps(collection, protocol))
    assert again.to_list() == collection.to_list()
    again.add(again.first())
    assert again.count() == 1


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_cause_that_leads_back_is_pickled(F, C, protocol):
    first, second = F(symbol="a"), F(symbol="b")
    first.cause, second.cause = second, first
    restored = pickle.loads(pickle.dumps(first, protocol))
    assert restored.cause.cause is restored and restored.cause.symbol == "b"
    alone = F(symbol="c")
    alone.cause = alone
    found = pickle.loads(pickle.dumps(C().add(alone), protocol)).first()
    assert found.cause is found


def test_a_cause_among_the_arguments_of_a_pickle_is_restored(errors):
    cause = errors.FoobaraError(symbol="c")
    fields = ("data", "s", (), "", None, (), False, ("error",), None, None, cause, None)
    assert errors._restore_error(None, fields, {}) == errors.FoobaraError(symbol="s", cause=cause)


def test_an_error_is_a_dataclass(F, C):
    error = F("data", "s", ("a",), "m", {"x": 1}, cause=F(symbol="c"))
    assert [field.name for field in dataclasses.fields(F)] == list(F.__match_args__)
    assert list(inspect.signature(F).parameters) == list(F.__match_args__)
    defaults = F()
    for field in dataclasses.fields(error):
        made = field.default_factory() if field.default is dataclasses.MISSING else field.default
        assert made == getattr(defaults, field.name)
    written = dataclasses.asdict(error)
    assert written["context"] == {"x": 1} and written["cause"]["symbol"] == "c"
    match error:
        case F("data", symbol, path):
            assert (symbol, path) == ("s", ("a",))
        case _:
            raise AssertionError
    assert (
        repr(error).startswith("FoobaraError(category='data'") and error.to_dict()["cause"]["symbol"] == "c"
    )


def test_an_error_is_replaced_by_one_with_other_fields(F):
    class Coded(F):
        code = 5

    error = Coded("data", "s", ("a",), "m", {"x": 1}, suggestion="do")
    error.code = 7
    replaces = [dataclasses.replace, lambda given, **changes: given.__replace__(**changes)]
    if sys.version_info >= (3, 13):
        replaces.append(copy.replace)
    for replace in replaces:
        other = replace(error, message="n", path=["b"], context=None, is_fatal=True)
        assert (other.symbol, other.message, other.path, other.is_fatal) == ("s", "n", ("b",), True)
        assert (other.context, other.suggestion, type(other)) == ({}, "do", Coded)
        assert (error.message, error.path, error.context, error.is_fatal) == ("m", ("a",), {"x": 1}, False)
        assert replace(error).context is error.context
        with pytest.raises(TypeError, match="wrong"):
            replace(error, wrong=1)
    assert error.__replace__(symbol="t").code == 7


def test_a_dataclass_may_derive_from_an_error(F):
    @dataclasses.dataclass
    class Coded(F):
        code: int = 5

    error = Coded("data", "s", ["a"], code=7)
    assert (error.path, error.code, error.key()) == (("a",), 7, "data.a.s")
    assert error.to_dict() == F("data", "s", ["a"]).to_dict()
    same, other = Coded("data", "s", ["a"], code=7), Coded("data", "s", ["a"], code=8)
    assert error == same and error != other
    assert not error != same and not error == other  # noqa: SIM201, SIM202
    assert error != F("data", "s", ["a"]) != 5
    assert dataclasses.replace(error, code=8).code == 8 and "code=7" in repr(error)


def test_a_name_of_a_parameter_is_a_name_in_a_context_too(F, sub):
    given = {"cls": "Gold", "self": 1}
    for factory in (F.data_error, F.validation_error):
        assert factory("s", (), "m", **given).context == given
    for factory in (F.runtime_error, F.domain_error, F.system_error, F.auth_error, F.external_error):
        assert factory("s", "m", **given).context == given
    outcome = sub("core.outcome").CommandOutcome
    assert outcome.from_result(1, **given).metadata == outcome.from_errors(**given).metadata == given
    assert outcome[int].from_result(1, **given).metadata == given
    assert outcome(1, **given).result == outcome[int](1, **given).result == 1


@pytest.mark.parametrize("wrong", [{"a": 1}, {"a"}, frozenset("a"), {"a": 1}.keys(), b"a"])
def test_a_path_has_an_order_and_no_values(F, wrong):
    for name in ("path", "runtime_path"):
        refusal = f"^{name} must be a tuple or list of names, not {type(wrong).__name__}$"
        with pytest.raises(TypeError, match=refusal):
            F(**{name: wrong})
        with pytest.raises(TypeError, match=refusal):
            setattr(F(), name, wrong)


def test_pickles_of_one_backend_load_in_the_other(errors, sub):
    outcome = sub("core.outcome").CommandOutcome
    error = errors.FoobaraError("data", "s", ("a",), "m", {"x": [1]}, severity=errors.ErrorSeverity.INFO)
    error.cause = errors.FoobaraError(symbol="c", cause=error)
    things = [error, errors.ErrorCollection().add(error), outcome(5), outcome.from_errors(error, trace="t")]
    code = (
        "import pickle, sys, foobara_accel; assert str(foobara_accel.backend()) == 'py'\n"
        "for x in pickle.loads(sys.stdin.buffer.read()):\n"
        "    print(type(x).__module__, x.to_json_bytes().decode())\n"
        "sys.stdout.flush(); sys.stdout.buffer.write(pickle.dumps(x))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=pickle.dumps(things),
        capture_output=True,
        env={**os.environ, "FOOBARA_ACCEL_BACKEND": "py"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *lines, back = done.stdout.split(b"\n", len(things))
    assert [line.split(b" ", 1)[1] for line in lines] == [x.to_json_bytes() for x in things]
    assert pickle.loads(back).to_json_bytes() == things[-1].to_json_bytes()


def test_subclasses_with_slots_and_dict_survive_pickle_and_copy(F, request):
    backend = request.node.callspec.params["fa"]
    cls = PICKLED.setdefault(backend, type("Picked", (F,), {"__module__": __name__}))
    globals()["Picked"] = cls
    error = cls("data", "s")
    error.extra = [1]
    assert copy.copy(error).extra is error.extra
    assert copy.deepcopy(error).extra == [1]
    restored = pickle.loads(pickle.dumps(error))
    assert type(restored) is cls and restored.extra == [1] and restored == error


PICKLED: dict[str, type] = {}


def test_public_module(errors):
    assert errors.FoobaraError.__module__ == errors.ErrorCollection.__module__ == "foobara_accel.core.errors"


# Pydantic


def test_as_a_pydantic_field(F, C):
    class Report(BaseModel):
        error: F
        all: C

    error = F.data_error("s", ["a"], "m", x=1)
    report = Report(error=error, all=C().add(error))
    assert report.error is error
    dumped = report.model_dump_json()
    assert json.loads(dumped)["error"] == error.to_dict()
    assert report.model_dump()["all"] == [error.to_dict()]
    again = Report.model_validate_json(dumped)
    assert again.error == error and again.all.to_list() == [error.to_dict()]
    schema = Report.model_json_schema()
    assert Report.model_json_schema(mode="serialization")
    assert set(schema["properties"]) == {"error", "all"}
    with pytest.raises(ValidationError):
        Report(error={"category": 1}, all=[])
    with pytest.raises(ValidationError):
        Report(error=error, all=["no"])


def test_a_context_json_lacks_does_not_break_a_dump(F):
    adapter = TypeAdapter(F)
    assert json.loads(adapter.dump_json(F(context={"x": Slotted()})))["context"] == {"x": "<Slotted>"}


def test_a_broken_cause_is_a_validation_error(F):
    data = {"category": "data", "symbol": "s", "message": "m"}
    assert TypeAdapter(F).validate_python({**data, "cause": data}).cause.symbol == "s"
    with pytest.raises(ValidationError):
        TypeAdapter(F).validate_python({**data, "cause": {"severity": "nonsense"}})


# ErrorCollection


@pytest.fixture
def three(F, C):
    return C().add_all(
        F.data_error("required", ["user", "email"], "email is required", suggestion="give one"),
        F.runtime_error("declined", "card declined", is_fatal=True, attempt=2),
        F.data_error("too_long", ["user", "name"], "name is too long", severity="warning"),
    )


def test_empty(C):
    errors = C()
    assert not errors and errors.is_empty() and errors.count() == len(errors) == 0
    assert not errors.has_errors() and not errors.has_fatal()
    assert errors.first() is errors.most_severe() is errors.get("x") is errors.to_problem() is None
    assert errors.all() == errors.keys() == errors.to_list() == list(errors) == []
    assert errors.to_dict() == {} and errors.to_json_bytes() == b"[]" and errors.to_sentence() == ""
    assert errors.to_human_readable() == "No errors"
    assert errors.summary() == {"total": 0, "fatal": 0, "by_category": {}}


def test_identity_decides_what_is_a_duplicate(F, C):
    one, two = F(symbol="s"), F(symbol="s")
    errors = C().add(one).add(one).add(two).add(one)
    assert [e is x for e, x in zip(errors.all(), [one, two], strict=True)] == [True, True]
    assert errors.keys() == ["data.root.s"] and errors.get("data.root.s") is two
    assert list(errors.to_dict()) == ["data.root.s"] and len(errors.to_list()) == 2


def test_many_errors_are_still_deduplicated(F, C):
    made = [F(symbol=str(i)) for i in range(500)]
    errors = C().merge(made).merge(made)
    errors.merge(errors)
    assert errors.count() == 500
    errors.clear()
    assert errors.is_empty() and errors.merge(made).count() == 500


@pytest.mark.parametrize("wrong", ["text", None, ValueError("x"), {"symbol": "s"}])
def test_only_errors_can_be_added(C, wrong):
    for act in (lambda c: c.add(wrong), lambda c: c.add_all(wrong), lambda c: c.merge([wrong])):
        with pytest.raises(TypeError, match="an ErrorCollection holds FoobaraError objects, not"):
            act(C())


def test_iteration_is_over_a_snapshot(F, C):
    errors = C().add(F())
    for _ in errors:
        errors.add(F())
    assert errors.count() == 2


def test_contains(three, F):
    assert "data.user.email.required" in three and "x" not in three and 5 not in three
    assert three.first() in three and F() not in three


def test_queries(three, errors):
    a, b, c = three.all()
    assert three.at_path("user", "email") == three.at_path(["user", "email"]) == [a]
    assert three.at_path("user") == []
    assert three.with_symbol("declined") == three.fatal_errors() == three.runtime_errors() == [b]
    assert three.by_category("data") == three.data_errors() == [a, c]
    assert three.system_errors() == three.domain_errors() == three.auth_errors() == []
    assert three.by_severity(errors.ErrorSeverity.CRITICAL) == three.by_severity("critical") == [b]
    assert three.critical_errors() == [b] and three.with_suggestions() == [a]
    assert three.sort_by_severity() == [b, a, c] and three.most_severe() is b
    assert three.group_by_path() == {("user", "email"): [a], (): [b], ("user", "name"): [c]}
    assert three.group_by_category() == {"data": [a, c], "runtime": [b]}
    assert three.has_fatal()


def test_in_runtime_path(F, C):
    a, b = F(runtime_path=("x", "y")), F(runtime_path=("x",))
    errors = C().add_all(a, b)
    assert errors.in_runtime_path("x") == [a, b]
    assert errors.in_runtime_path("x", "y") == errors.in_runtime_path(["x", "y"]) == [a]
    assert errors.in_runtime_path("y") == []


def test_outputs(three):
    assert three.messages() == ["email is required", "card declined", "name is too long"]
    assert three.to_sentence() == "email is required, card declined and name is too long"
    assert three.summary() == {"total": 3, "fatal": 1, "by_category": {"data": 2, "runtime": 1}}
    assert three.to_human_readable() == (
        "Errors:\n\n1. [user.email] email is required\n   Suggestion: give one\n\n"
        "2. [general] card declined\n   Context: {'attempt': 2}\n\n3. [user.name] name is too long"
    )
    assert json.loads(three.to_json_bytes()) == three.to_list()
    problem = three.to_problem()
    assert problem["detail"] == "email is required (and 2 more)" and problem["status"] == 422
    assert [e["pointer"] for e in problem["errors"]] == ["/user/email", "", "/user/name"]


def test_copies_of_a_collection(three):
    for same in (three.copy(), copy.copy(three)):
        assert same is not three and all(x is y for x, y in zip(same, three, strict=True))
    deep = copy.deepcopy(three)
    assert deep.to_list() == three.to_list() and deep.first() is not three.first()


def test_collections_compare_by_identity(C):
    one = C()
    assert one == one and one != C() and {one: 1}


# Validation errors


class Sensitive(str):
    __foobara_sensitive__ = True

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        return handler(str)


class Mark:
    __foobara_sensitive__ = True


class Inner(BaseModel):
    pin: SecretStr


class Login(BaseModel):
    name: str
    age: int
    password: SecretStr = Field(min_length=8)
    card: Sensitive
    token: Annotated[int, Mark()]
    inner: Inner | None = None
    free: Any = None

    @field_validator("free")
    @classmethod
    def _free(cls, value: Any) -> Any:
        raise ValueError("not free")


def login_error(**values: Any) -> ValidationError:
    with pytest.raises(ValidationError) as caught:
        Login(**values)
    return caught.value


BAD = {
    "name": 5,
    "age": "x",
    "password": "hunter2",
    "card": 411111,
    "token": "secret!",
    "inner": {"pin": 12345},
}


def test_mapping_of_validation_errors(errors):
    exc = login_error(**BAD)
    made = errors.errors_from_validation(exc, ("outer",))
    rows = exc.errors()
    assert [e.symbol for e in made] == [r["type"] for r in rows]
    assert [e.message for e in made] == [r["msg"] for r in rows]
    assert [e.path for e in made] == [tuple(map(str, r["loc"])) for r in rows]
    assert {(e.category, e.runtime_path, e.severity.value, e.is_fatal) for e in made} == {
        ("data", ("outer",), "error", False)
    }
    assert all(e.context == {} for e in made)
    for secret in ("hunter2", "secret!", "411111", "12345"):
        assert secret not in repr(made)


def test_echo_inputs_leaves_sensitive_fields_out(errors):
    made = errors.errors_from_validation(
        login_error(**BAD, free=[SecretStr("deep")]), echo_inputs=True, model=Login
    )
    echoed = {e.path[0]: e.context for e in made}
    assert echoed["name"] == {"input": 5} and echoed["age"] == {"input": "x"}
    for field in ("password", "card", "token", "inner", "free"):
        assert echoed[field] == {}


def test_missing_fields_echo_nothing(errors):
    made = errors.errors_from_validation(login_error(), echo_inputs=True, model=Login)
    assert {e.symbol for e in made} == {"missing"} and all(e.context == {} for e in made)


def test_nothing_is_echoed_without_the_model(errors):
    made = errors.errors_from_validation(login_error(**BAD), echo_inputs=True)
    assert all(e.context == {} for e in made)


def test_only_validation_errors_are_mapped(errors):
    with pytest.raises(TypeError, match="expects a pydantic ValidationError, not ValueError"):
        errors.errors_from_validation(ValueError("x"))


def test_a_deferred_collection_converts_when_looked_at(twin, F):
    exc = login_error(name="n", age="x", password="long enough", card="c", token=1)
    for look in (list, lambda c: c.count(), lambda c: c.to_json_bytes(), lambda c: c.first(), repr):
        collection = twin.deferred_collection(exc, ("r",))
        assert collection and collection.has_errors() and not collection.has_fatal()
        look(collection)
        assert collection.keys() == ["r>data.age.int_parsing"]
    late = twin.deferred_collection(exc, ())
    late.add(F(symbol="later"))
    assert [e.symbol for e in late] == ["int_parsing", "later"]
    assert pickle.loads(pickle.dumps(late)).keys() == late.keys()
    outcome = twin.fail(None, twin.deferred_collection(exc, (), True, Login))
    assert outcome.is_failure() and outcome.errors[0].context == {"input": "x"}


ROWS = (
    (("count",), "greater_than_equal", "Input should be greater than or equal to 1", None),
    (("label", "0"), "string_too_short", "String should have at least 3 characters", {"n": 3}),
)


def test_rows_become_data_errors_when_looked_at(twin, F):
    for look in (list, lambda c: c.count(), lambda c: c.to_json_bytes(), lambda c: c.first(), repr):
        collection = twin.deferred_collection(ROWS, ("r",))
        assert collection and collection.has_errors() and not collection.has_fatal()
        look(collection)
        assert collection.all() == [
            F("data", symbol, path, message, context, ("r",)) for path, symbol, message, context in ROWS
        ]
    late = twin.deferred_collection(ROWS)
    late.add(F(symbol="later"))
    assert [e.symbol for e in late] == ["greater_than_equal", "string_too_short", "later"]
    assert pickle.loads(pickle.dumps(late)).to_list() == late.to_list() == copy.deepcopy(late).to_list()


def test_rows_equal_the_errors_of_the_validation_they_stand_for(twin, errors):
    exc = login_error(**BAD)
    rows = tuple((e.path, e.symbol, e.message, None) for e in errors.errors_from_validation(exc))
    made, wanted = twin.deferred_collection(rows, ("o",)), twin.deferred_collection(exc, ("o",))
    assert made.all() == wanted.all() and made.to_json_bytes() == wanted.to_json_bytes()


def test_the_context_of_a_row_is_not_shared(twin):
    one, two = twin.deferred_collection(ROWS), twin.deferred_collection(ROWS)
    one.all()[1].context["seen"] = True
    assert two.all()[1].context == ROWS[1][3] == {"n": 3}


class Meeting(dict[str, Any]):
    """A row's context that is copied only once two threads are copying it."""

    def __init__(self) -> None:
        super().__init__(n=1)
        self.barrier = threading.Barrier(2, timeout=60)

    def keys(self) -> Any:
        self.barrier.wait()
        return super().keys()

    def __iter__(self) -> Any:  # without it the copy asks nobody
        return super().__iter__()


def together(*works: Callable[[], Any]) -> list[Any]:
    """What each of *works* returned, each in a thread of its own."""
    found: list[Any] = [None] * len(works)

    def keep(i: int) -> None:
        found[i] = works[i]()

    threads = [threading.Thread(target=keep, args=(i,)) for i in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_threads_that_convert_at_the_same_time_see_the_same_errors(twin):
    rows = ((("a",), "s", "m", Meeting()), (("b",), "t", "n", None))
    collection = twin.deferred_collection(rows, ("r",))
    one, two = together(collection.all, collection.all)
    assert [error.symbol for error in one] == ["s", "t"] and one[0].context == {"n": 1}
    assert list(map(id, one)) == list(map(id, two)) == list(map(id, collection.all()))


def test_threads_that_convert_a_validation_error_see_the_same_errors(twin, sub, monkeypatch):
    reports = sub("_reports")
    barrier, rows_of = threading.Barrier(2, timeout=60), reports.validation_rows

    def slow(*args: Any) -> Any:
        barrier.wait()
        found = rows_of(*args)
        barrier.wait()
        return found

    monkeypatch.setattr(reports, "validation_rows", slow)
    exc = login_error(**BAD)
    collection = twin.deferred_collection(exc)
    one, two = together(collection.all, collection.all)
    assert len(one) == exc.error_count()
    assert list(map(id, one)) == list(map(id, two)) == list(map(id, collection.all()))


def test_what_one_thread_adds_while_another_converts_comes_after(twin, F):
    late = F("runtime", "late", (), "l")
    collection = twin.deferred_collection(((("a",), "s", "m", Meeting()),))
    together(lambda: collection.add(late), collection.all)
    assert [error.symbol for error in collection] == ["s", "late"]


def test_a_collection_cleared_while_it_converts_is_empty(twin):
    class Clearing(dict[str, Any]):
        def keys(self) -> Any:
            collection.clear()
            return super().keys()

        def __iter__(self) -> Any:
            return super().__iter__()

    collection = twin.deferred_collection(((("a",), "s", "m", Clearing(n=1)),))
    assert collection.all() == [] and collection.is_empty()


def test_threads_share_what_a_first_look_makes(F, C):
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(200):
            error, collection = F(), C()
            one, two = together(lambda error=error: error.context, lambda error=error: error.context)
            assert one is two is error.context
            works = [lambda n=n, collection=collection: collection.add(F(symbol=str(n))) for n in range(3)]
            together(*works)
            assert sorted(error.symbol for error in collection) == ["0", "1", "2"]
    finally:
        sys.setswitchinterval(before)


@pytest.mark.parametrize("rows", [(), None, [], ROWS])
def test_rows_are_no_validation_error(errors, rows):
    with pytest.raises(TypeError, match="expects a pydantic ValidationError, not"):
        errors.errors_from_validation(rows)


# What executors add


def test_append_new_starts_a_collection(twin, F):
    collection = twin.append_new(None, "runtime", "s", (), "m", None)
    assert type(collection) is twin.ErrorCollection
    assert collection.all() == [F("runtime", "s", (), "m")]
    assert collection.first().context == {} and collection.first().runtime_path == ()


def test_append_new_appends(twin, F):
    context = {"n": 1}
    collection = twin.new_collection()
    for number in range(40):
        assert twin.append_new(collection, "data", str(number), ("p",), "m", context) is collection
    assert collection.all() == [F("data", str(n), ("p",), "m", {"n": 1}) for n in range(40)]
    assert collection.first().context is context
    collection.merge(collection.all()).add(F())
    assert collection.count() == 41


def test_append_new_comes_after_what_is_pending(twin):
    collection = twin.deferred_collection(ROWS)
    twin.append_new(collection, "runtime", "later", (), "m", None)
    assert [e.symbol for e in collection] == ["greater_than_equal", "string_too_short", "later"]


@pytest.mark.parametrize("size", [13, 14, 15, 16, 17])
def test_what_append_new_added_is_not_added_twice(twin, F, size):
    collection = None
    for number in range(size):
        collection = twin.append_new(collection, "data", str(number), (), "m", None)
    collection.merge(collection.all()).add(collection.first())
    assert collection.count() == size
    collection.clear()
    assert twin.append_new(collection, "data", "s", (), "m", None).count() == 1


# Symbols


def test_symbols(errors):
    names = [name for name in vars(errors.Symbols) if name.isupper()]
    assert len(names) == 70 and errors.ErrorSymbols is errors.Symbols
    assert all(getattr(errors.Symbols, name) == name.lower() for name in names)


def test_suggestions_belong_to_symbols(errors):
    assert len(errors.ERROR_SUGGESTIONS) == 11
    assert all(hasattr(errors.Symbols, symbol.upper()) for symbol in errors.ERROR_SUGGESTIONS)


def test_a_dataclass_may_put_fields_of_its_own_in_place_of_an_errors(F, C):
    @dataclasses.dataclass(slots=True)
    class Slotted(F):
        extra: int = 0

    @dataclasses.dataclass
    class Redeclared(F):
        path: tuple[str, ...] = ("x",)
        runtime_path: tuple[str, ...] = ("o",)
        context: dict[str, Any] = dataclasses.field(default_factory=lambda: {"n": 1})

    for kind in (Slotted, Redeclared):
        error = kind("data", "s", ("q", "r"), "m", {"k": 1}, ("up",), suggestion="try", cause=F(symbol="c"))
        plain = F("data", "s", ("q", "r"), "m", {"k": 1}, ("up",), suggestion="try", cause=F(symbol="c"))
        found = C().add(error)
        assert error.key() == plain.key() and error.error_code == plain.error_code
        assert error.to_dict() == plain.to_dict() and error.to_json_bytes() == plain.to_json_bytes()
        assert found.at_path("q", "r") == found.in_runtime_path("up") == [error]
        assert found.group_by_path() == {("q", "r"): [error]}
        longer = error.with_path_prefix("a").with_runtime_path_prefix("b")
        assert (longer.path, longer.runtime_path) == (("a", "q", "r"), ("b", "up"))
        assert (error.path, error.runtime_path) == (("q", "r"), ("up",))
        for made in (copy.copy(error), copy.deepcopy(error), dataclasses.replace(error)):
            assert made == error and made.to_dict() == error.to_dict() and made is not error
    assert Redeclared(symbol="s").key() == "o>data.x.s" and Redeclared().to_dict()["context"] == {"n": 1}
    assert Slotted(symbol="s").key() == "data.root.s" and Slotted(extra=4).extra == 4


def test_a_subclass_that_sets_nothing_has_the_defaults(F):
    class Bare(F):
        def __init__(self, code=0):
            self.code = code

    class Named(F):
        symbol = property(lambda self: "named")

        def __init__(self):
            pass

    for error in (Bare(1), Bare.__new__(Bare)):
        assert {name: getattr(error, name) for name in F.__match_args__} == {
            name: getattr(F(), name) for name in F.__match_args__
        }
        assert error.to_dict() == F().to_dict() and error.to_json_bytes() == F().to_json_bytes()
        assert repr(error).endswith(repr(F()).removeprefix("FoobaraError"))
        assert copy.copy(error).to_dict() == copy.deepcopy(error).to_dict() == F().to_dict()
        with pytest.raises(AttributeError, match=r"'Bare' object has no attribute 'other'"):
            error.other  # noqa: B018
    assert Named().key() == "data.root.named"


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_cause_is_not_given_to_a_setstate_of_somebodys_own(F, protocol, monkeypatch):
    class Stateful(F):
        def __setstate__(self, state):
            raise AssertionError("it is given no state")

    Stateful.__qualname__ = "Stateful"
    monkeypatch.setitem(globals(), "Stateful", Stateful)
    error = Stateful(symbol="s", cause=Stateful(symbol="c"))
    error.cause.cause = error
    back = pickle.loads(pickle.dumps(error, protocol))
    assert back.cause.symbol == "c" and back.cause.cause is back and type(back) is Stateful
