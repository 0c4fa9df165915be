"""CommandOutcome, Success and Failure."""

from __future__ import annotations

import copy
import gc
import json
import pickle
import re
import sys
import sysconfig
import threading
import typing
import weakref
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

import foobara_accel

T = typing.TypeVar("T")


@pytest.fixture
def outcomes(sub):
    return sub("core.outcome")


@pytest.fixture
def Result(outcomes):
    return outcomes.CommandOutcome


@pytest.fixture
def F(sub):
    return sub("core.errors").FoobaraError


@pytest.fixture
def twin(sub):
    return sub("_backend").errors


def test_success(Result):
    outcome = Result.from_result(5, trace="t")
    assert outcome.is_success() and outcome.success() and not outcome.is_failure() and not outcome.failure()
    assert outcome.result == 5 and outcome.errors == [] and outcome.metadata == {"trace": "t"}
    assert outcome.unwrap() == outcome.unwrap_or(7) == 5
    assert outcome.to_dict() == {"success": True, "result": 5, "metadata": {"trace": "t"}}
    assert outcome.to_json_bytes() == b'{"success":true,"result":5,"metadata":{"trace":"t"}}'
    assert outcome.to_problem() is None
    assert bool(outcome)


def test_failure(Result, F):
    one, two = F(symbol="s", message="m1"), F(message="m2")
    outcome = Result.from_errors(one, two, trace="t")
    assert outcome.is_failure() and outcome.failure() and not outcome.is_success() and not outcome.success()
    assert outcome.result is None and outcome.errors[0] is one and outcome.metadata == {"trace": "t"}
    with pytest.raises(ValueError, match=r"^Command failed: m1, m2$"):
        outcome.unwrap()
    assert outcome.unwrap_or(7) == 7
    assert outcome.to_dict() == {
        "success": False,
        "errors": [one.to_dict(), two.to_dict()],
        "metadata": {"trace": "t"},
    }
    assert json.loads(outcome.to_json_bytes()) == outcome.to_dict()
    assert outcome.to_problem()["detail"] == "m1 (and 1 more)"
    assert bool(outcome)


def test_constructor(Result, F):
    error = F()
    given = [error]
    outcome = Result(result=1, errors=given, metadata={"a": 1})
    assert outcome.errors == given and outcome.errors is not given and outcome.errors[0] is error
    assert Result(errors=iter(given)).errors == given
    assert Result().is_success() and Result().result is None and Result().metadata == {}


@pytest.mark.parametrize("wrong", [None, 5, "text", {"a": 1}, [1], ["text"], b"x"])
def test_wrong_errors_are_a_type_error(Result, F, wrong):
    with pytest.raises(TypeError, match="FoobaraError objects, not"):
        Result(errors=wrong)
    with pytest.raises(TypeError):
        Result(errors=F())
    with pytest.raises(TypeError, match="an outcome holds FoobaraError objects, not str"):
        Result().add_error("text")


@pytest.mark.parametrize("wrong", [5, [1], [("a", 1)], "ab"])
def test_wrong_metadata_is_a_type_error(Result, wrong):
    refusal = f"^metadata must be a dict or another mapping, not {type(wrong).__name__}$"
    with pytest.raises(TypeError, match=refusal):
        Result(metadata=wrong)
    with pytest.raises(TypeError, match=refusal):
        Result().metadata = wrong


def test_a_typed_outcome_names_itself_where_it_refuses_a_result(Result):
    for given, name in ((int, "int"), (list[int], "list[int]")):
        with pytest.raises(ValidationError, match=re.escape(f"for CommandOutcome[{name}]\n")):
            Result[given](result="x")


def test_no_errors_from_errors_is_a_success(Result):
    assert Result.from_errors().is_success()


def test_map_and_flat_map(Result, F):
    outcome = Result.from_result(2, a=1)
    doubled = outcome.map(lambda x: x * 2)
    assert doubled.result == 4 and doubled.metadata == {"a": 1} and doubled is not outcome
    doubled.metadata["b"] = 2
    assert outcome.metadata == {"a": 1}
    assert outcome.flat_map(lambda x: Result.from_result(x + 1)).result == 3
    failed = Result.from_errors(F())
    assert failed.map(str) is failed and failed.flat_map(str) is failed
    with pytest.raises(ZeroDivisionError):
        outcome.map(lambda x: x / 0)


def test_add_error(Result, F):
    outcome = Result.from_result(1)
    assert outcome.add_error(F(message="m")) is outcome
    assert outcome.is_failure() and outcome.unwrap_or(None) is None
    outcome.errors = []
    assert outcome.is_success()
    outcome.errors.append(F())
    assert outcome.is_failure()


def test_fields_can_be_assigned(Result):
    outcome = Result()
    outcome.result, outcome.metadata = [1], {"a": 1}
    assert outcome.to_dict() == {"success": True, "result": [1], "metadata": {"a": 1}}
    with pytest.raises(AttributeError):
        outcome.nonsense = 1


def test_the_commands_collection_is_copied_at_the_first_look(twin, F):
    collection = twin.new_collection().add(F(symbol="a"))
    outcome = twin.fail(None, collection)
    assert outcome.is_failure()
    seen = outcome.errors
    collection.add(F(symbol="b"))
    assert outcome.errors is seen and len(seen) == 1
    collection.clear()
    assert outcome.is_failure()


def test_equality(Result, F):
    assert Result.from_result([1]) == Result.from_result([1]) and Result.from_result(1) != Result.from_result(
        2
    )
    assert Result.from_result(1, a=1) != Result.from_result(1)
    assert Result.from_errors(F(symbol="s")) == Result.from_errors(F(symbol="s")) != Result.from_errors(F())
    assert Result() != 1 and Result[int](result=1) == Result(result=1)
    with pytest.raises(TypeError, match="unhashable"):
        hash(Result())


def test_repr(Result, F):
    assert repr(Result.from_result("x", a=1)) == "CommandOutcome(result='x', errors=[], metadata={'a': 1})"
    outcome = Result()
    outcome.result = outcome
    assert repr(outcome) == "CommandOutcome(result=..., errors=[], metadata={})"
    assert repr(Result.from_errors(F())).startswith("CommandOutcome(result=None, errors=[FoobaraError(")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickle_and_copy(Result, F, protocol):
    for outcome in (Result.from_result([1], a=1), Result.from_errors(F(symbol="s"))):
        assert pickle.loads(pickle.dumps(outcome, protocol)).to_dict() == outcome.to_dict()
        for same in (copy.copy(outcome), copy.deepcopy(outcome)):
            assert same == outcome and same is not outcome and same.errors is not outcome.errors
    outcome = Result.from_result([1])
    assert copy.copy(outcome).result is outcome.result
    assert copy.deepcopy(outcome).result is not outcome.result


def test_generic_alias(Result):
    assert typing.get_origin(Result[int]) is Result and typing.get_args(Result[int]) == (int,)
    assert Result[int](result=1).unwrap() == 1
    assert isinstance(Result[int].from_result(1), Result)


def test_a_typed_outcome_validates_its_result(Result, F):
    class Point(BaseModel):
        x: int

    class Opaque:
        pass

    for made in (Result[int](result="5"), Result[int].from_result("5"), Result[T][int]("5")):
        assert made.result == 5 and type(made) is Result and made == Result(result=5)
        assert pickle.loads(pickle.dumps(made)).result == 5
    assert Result[int](result="5", metadata={"a": 1}).metadata == {"a": 1}
    assert Result[int].from_result("5", a=1).metadata == {"a": 1}
    assert Result[Point](result={"x": "1"}).result == Point(x=1)
    marker = Opaque()
    assert Result[Opaque](result=marker).result is marker
    for result in (Point(x=1), [1]):
        assert Result[Any](result=result).result is result
    assert Result[int]().result is None and Result[int].from_errors(F()).is_failure()
    assert Result[int](result="zz", errors=[F()]).is_failure(), "a failure has no result to look at"
    for wrong in (lambda: Result[int](result="zz"), lambda: Result[Opaque].from_result(1)):
        with pytest.raises(ValidationError):
            wrong()
    assert Result[typing.Literal["a", "b"]](result="a").result == "a"
    assert Result[typing.Annotated[int, []]](result="3").result == 3, "an argument without a hash"


@pytest.mark.parametrize("wrong", [{}, {1: 2}])
def test_what_is_no_type_of_a_result_is_named(Result, wrong):
    for make in (Result[wrong], Result[wrong].from_result):
        with pytest.raises(TypeError, match=r"takes the type of a result, given a dict"):
            make(1)
    assert Result[wrong]().result is None


def test_a_typed_outcome_as_an_annotation(Result):
    alias = Result[int]
    assert alias == Result[int] and hash(alias) == hash(Result[int]) and alias != Result[str]
    assert repr(alias).endswith("CommandOutcome[int]")
    pickled = []
    if Result is foobara_accel.CommandOutcome:
        pickled = [pickle.loads(pickle.dumps(alias))]
    for again in (*pickled, copy.copy(alias), copy.deepcopy(alias)):
        assert again == alias and again(result="5").result == 5
    assert typing.get_args(alias | None) == (alias, type(None))
    assert Result[T].__parameters__ == (T,)

    class Mine(alias):
        pass

    assert Mine.__bases__ == (Result,) and Mine.__orig_bases__ == (alias,)


def test_keywords_that_the_constructor_does_not_know_are_ignored(Result):
    assert Result(result=1, success=True).result == 1
    assert Result(success=False, unknown=object()).result is None
    assert Result[int](result="1", unknown=2).result == 1


def test_subclass(Result, F):
    class Mine(Result):
        extra = 1

    outcome = Mine.from_result(1)
    outcome.note = "n"
    assert type(outcome) is Mine and type(outcome.map(str)) is Mine
    assert copy.copy(outcome).note == "n" and copy.deepcopy(outcome).note == "n"
    assert outcome != Result.from_result(1)


def test_module(Result):
    assert Result.__module__ == "foobara_accel.core.outcome"


# Garbage


def test_a_cycle_through_an_outcome_is_freed(Result, F, twin):
    class Box:
        pass

    def in_result(box, outcome):
        outcome.result = box

    def in_metadata(box, outcome):
        outcome.metadata["box"] = box

    def in_errors(box, outcome):
        outcome.errors.append(F(context={"box": box}))

    for tie in (in_result, in_metadata, in_errors):
        for make in (lambda: twin.succeed(1), lambda: twin.fail(None, twin.new_collection()), Result):
            box = Box()
            box.outcome = make()
            tie(box, box.outcome)
            gone = weakref.ref(box)
            del box
            gc.collect()
            assert gone() is None


def test_a_cycle_through_a_dict_result_is_freed(twin):
    class Box:
        pass

    result: dict = {}
    outcome = twin.succeed(result)
    result["outcome"], result["box"] = outcome, Box()
    gone = weakref.ref(result["box"])
    del outcome, result
    gc.collect()
    assert gone() is None


def test_a_successful_scalar_is_not_tracked(twin, request):
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        pytest.skip("a free-threaded collector keeps no list of tracked objects to leave")
    if request.node.callspec.params["fa"] != "c":
        pytest.skip("the collector decides for Python objects")
    outcome = twin.succeed(5)
    assert not gc.is_tracked(outcome)
    outcome.metadata["a"] = 1
    assert gc.is_tracked(outcome)
    assert gc.is_tracked(twin.succeed([]))


# Pydantic


def test_as_a_pydantic_field(Result, F):
    class Report(BaseModel):
        any: Result
        number: Result[int]

    outcome = Result.from_result(5, a=1)
    report = Report(any=outcome, number=outcome)
    assert report.any is outcome and report.number is outcome
    assert Report(any=outcome, number=Result.from_result("5")).number.result == 5
    failure = Result.from_errors(F(symbol="s", context={"x": {1}}))
    assert Report(any=failure, number=failure).number is failure
    with pytest.raises(ValidationError):
        Report(any=outcome, number=Result.from_result("zz"))
    dumped = Report(any=failure, number=outcome).model_dump_json()
    again = Report.model_validate_json(dumped)
    assert again.number == outcome and again.any.errors[0].symbol == "s"
    assert report.model_dump()["number"] == {"success": True, "result": 5, "metadata": {"a": 1}}
    assert set(Report.model_json_schema()["properties"]) == {"any", "number"}
    assert Report.model_json_schema(mode="serialization")


def test_contradictions_are_validation_errors(Result, F):
    adapter = TypeAdapter(Result[int])
    assert adapter.validate_python({"success": True, "result": "3"}).result == 3
    for wrong in (
        {"success": False},
        {"success": True, "errors": [F()]},
        {"success": True, "result": "x"},
        {"result": 3},
        5,
    ):
        with pytest.raises(ValidationError):
            adapter.validate_python(wrong)


def test_a_typed_result_is_dumped_by_its_type(Result):
    class Point(BaseModel):
        x: int

    adapter = TypeAdapter(Result[Point])
    assert adapter.dump_python(Result.from_result(Point(x=1)))["result"] == {"x": 1}
    assert adapter.validate_json(adapter.dump_json(Result.from_result(Point(x=1)))).result == Point(x=1)


# Threads


def looks(count: int, look: Any) -> list[Any]:
    """What *look* returned to each of *count* threads that looked at once."""
    found: list[Any] = []
    barrier = threading.Barrier(count, timeout=60)

    def work() -> None:
        barrier.wait()
        found.append(look())

    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == count
    return found


def test_threads_that_look_first_get_the_same_list(twin):
    class Slow(dict[str, Any]):
        def keys(self) -> Any:
            barrier.wait()
            return super().keys()

        def __iter__(self) -> Any:  # without it the copy asks nobody
            return super().__iter__()

    barrier = threading.Barrier(2, timeout=60)
    outcome = twin.fail(None, twin.deferred_collection(((("a",), "s", "m", Slow(n=1)),)))
    one, two = looks(2, lambda: outcome.errors)
    assert one is two is outcome.errors and [error.symbol for error in one] == ["s"]


def test_threads_that_look_first_agree(twin):
    rows = ((("a",), "s", "m", None), (("b",), "t", "n", None))
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(200):
            failure, success = twin.fail(None, twin.deferred_collection(rows)), twin.succeed(1)
            for answers in looks(
                3, lambda a=failure, b=success: (a.is_failure(), a.errors, a.metadata, b.errors, b.metadata)
            ):
                assert answers[0] and answers[1] is failure.errors and answers[2] is failure.metadata
                assert answers[3] is success.errors and answers[4] is success.metadata
            assert len(failure.errors) == 2 and success.errors == []
    finally:
        sys.setswitchinterval(before)


# Success and Failure


def test_success_class(outcomes):
    ok = outcomes.Success(result=2)
    assert ok.is_success() and not ok.is_failure() and ok.unwrap() == ok.unwrap_or(9) == 2
    assert ok.map(str) == outcomes.Success("2") and not hasattr(ok, "errors")
    with pytest.raises(TypeError):
        outcomes.Success()


def test_an_outcome_of_ones_own_has_the_four_methods(outcomes):
    names = ("is_success", "is_failure", "unwrap", "unwrap_or")
    own = type("Own", (outcomes.OutcomeBase,), {name: lambda self, *default: 1 for name in names})
    assert own().unwrap_or(2) == 1
    with pytest.raises(TypeError, match="abstract"):
        type("Half", (outcomes.OutcomeBase,), {})()


def test_failure_class(outcomes, F):
    bad = outcomes.Failure(errors=(F(message="m"),))
    assert bad.is_failure() and not bad.is_success() and bad.unwrap_or(9) == 9 and bad.map(str) is bad
    assert bad.error_messages() == ["m"] and bad.first_error().message == "m" and not hasattr(bad, "result")
    with pytest.raises(ValueError, match=r"Called unwrap on failure: \['m'\]"):
        bad.unwrap()
    assert outcomes.Failure().is_failure() and outcomes.Failure().first_error() is None
    for wrong in ("abc", None, 5, {}, F()):
        with pytest.raises(TypeError, match=r"^errors must be an iterable of FoobaraError objects"):
            outcomes.Failure(errors=wrong)
    with pytest.raises(TypeError, match=r"^an outcome holds FoobaraError objects, not str$"):
        outcomes.Failure(errors=["abc"])
    assert typing.get_args(outcomes.Outcome)
