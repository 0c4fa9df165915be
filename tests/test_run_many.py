"""run_many: the outcomes of single runs, row by row, and rows that are none."""

from __future__ import annotations

import collections
import types
from types import ModuleType
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from pydantic import BaseModel, Field


class Pair(BaseModel):
    a: int
    b: int = Field(1, ge=0)


def commands(fa: ModuleType) -> dict[str, Any]:
    class Plain(fa.Command[Pair, int]):
        def execute(self) -> int:
            return self.inputs.a + self.inputs.b

    class Failing(fa.Command[Pair, int]):
        def execute(self) -> int:
            if self.inputs.a % 3 == 0:
                self.add_runtime_error("third", "a is a multiple of three", halt=False)
            if self.inputs.a % 5 == 0:
                raise ArithmeticError("five")
            return self.inputs.a

    class Watched(Plain):
        seen: ClassVar[list[str]] = []

    Watched.before_execute_transition(lambda command: Watched.seen.append(f"before {command.inputs.a}"))
    Watched.after_execute_transition(lambda command: Watched.seen.append("after"))
    return {"Plain": Plain, "Failing": Failing, "Watched": Watched}


def told(outcome: Any) -> Any:
    return outcome.is_success(), outcome.to_dict()


VALUES = st.one_of(
    st.integers(-9, 99), st.none(), st.text(max_size=3), st.booleans(), st.floats(allow_nan=False)
)
ROWS = st.lists(st.dictionaries(st.sampled_from(["a", "b", "c", "cls", "self", "rows"]), VALUES), max_size=12)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS)
def test_each_outcome_is_that_of_a_single_run(fa: ModuleType, rows: list[dict[str, Any]]) -> None:
    for command in commands(fa).values():
        want = [told(command.run(**row)) for row in rows]
        assert [told(each) for each in command.run_many(rows)] == want
        assert [told(each) for each in command.run_many(iter(rows))] == want
        assert [told(each) for each in command.run_many(map(types.MappingProxyType, rows))] == want


def test_callbacks_and_subclasses_are_those_of_single_runs(fa: ModuleType) -> None:
    watched = commands(fa)["Watched"]
    outcomes = watched.run_many([{"a": 1}, {"a": "x"}, {"a": 3}])
    assert [each.is_success() for each in outcomes] == [True, False, True]
    assert watched.seen == ["before 1", "after", "before 3", "after"]

    class Own(watched):
        @classmethod
        def run(cls, **inputs: Any) -> Any:
            return super().run(**{**inputs, "b": 40})

    assert Own.run_many([{"a": 2}])[0].result == 42


def test_a_change_of_the_class_counts_from_the_next_row(fa: ModuleType) -> None:
    class Changing(fa.Command[Pair, int]):
        def execute(self) -> int:
            if self.inputs.a == 2:
                type(self).execute = lambda self: -self.inputs.a
            return self.inputs.a

    assert [each.result for each in Changing.run_many([{"a": 1}, {"a": 2}, {"a": 3}])] == [1, 2, -3]


def test_each_row_has_a_transaction_of_its_own(fa: ModuleType, sub: Any) -> None:
    import sqlite3

    tx = sub("core.transactions")
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("create table kept (a)")

    class Write(fa.Command[Pair, None]):
        _transaction_config = tx.TransactionConfig.with_handler(
            lambda: tx.Sqlite3TransactionHandler(connection)
        )

        def execute(self) -> None:
            connection.execute("insert into kept values (?)", (self.inputs.a,))
            if self.inputs.a == 2:
                self.add_runtime_error("two", "not this one")

    outcomes = Write.run_many([{"a": 1}, {"a": 2}, {"a": 3}])
    assert [each.is_success() for each in outcomes] == [True, False, True]
    assert connection.execute("select a from kept").fetchall() == [(1,), (3,)]


def test_columns_and_tables_are_rows_too(fa: ModuleType) -> None:
    plain = commands(fa)["Plain"]
    want = [11, 22, 33]

    def results(rows: Any) -> list[Any]:
        return [each.result for each in plain.run_many(rows)]

    assert results({"a": [1, 2, 3], "b": (10, 20, 30)}) == want
    assert results({"a": range(3)}) == [1, 2, 3]
    assert results({"a": iter([1, 2])}) == [2, 3]
    assert results({}) == [] == results([]) == results({"a": []})
    np = pytest.importorskip("numpy")
    assert results({"a": np.arange(1, 4), "b": np.array([10, 20, 30])}) == want
    pa = pytest.importorskip("pyarrow")
    assert results(pa.table({"a": [1, 2, 3], "b": [10, 20, 30]})) == want
    pl = pytest.importorskip("polars")
    assert results(pl.DataFrame({"a": [1, 2, 3], "b": [10, 20, 30]})) == want


@pytest.mark.parametrize(
    ("rows", "error", "text"),
    [
        (None, TypeError, "takes an iterable of mappings or a mapping of columns, not a NoneType"),
        (7, TypeError, "takes .* or a mapping of columns, not an int"),
        ("rows", TypeError, "takes .* or a mapping of columns, not a str"),
        ([{"a": 1}, None], TypeError, "row 1 is a NoneType; a row is a mapping from the names of inputs"),
        ([{"a": 1}, [("a", 1)]], TypeError, "row 1 is a list; a row is a mapping"),
        ([Pair(a=1)], TypeError, "row 0 is a Pair; a row is a mapping"),
        ([{"a": 1}, {7: 1}], TypeError, "row 1 has an int as a key; inputs are named by str"),
        ([collections.UserDict({b"a": 1})], TypeError, "row 0 has a bytes as a key"),
        ({"a": 1}, TypeError, "column 'a' is an int; a mapping is one of columns, a single row goes to run"),
        ({"a": "secret"}, TypeError, "column 'a' is a str; a mapping is one of columns"),
        ({7: [1]}, TypeError, "a column is named by an int; inputs are named by str"),
        ({"a": [1, 2], "b": [1]}, ValueError, "columns of different lengths: 'a' has 2, 'b' has 1"),
    ],
)
def test_rows_that_are_none_are_named_before_any_is_run(
    fa: ModuleType, rows: Any, error: type[Exception], text: str
) -> None:
    watched = commands(fa)["Watched"]
    with pytest.raises(error, match=rf"^Watched\.run_many\(\):? ?{text}") as caught:
        watched.run_many(rows)
    assert watched.seen == [] and "secret" not in str(caught.value)


def test_an_array_without_a_dimension_is_no_column_and_no_rows(fa: ModuleType) -> None:
    np = pytest.importorskip("numpy")
    plain = commands(fa)["Plain"]
    with pytest.raises(
        TypeError, match=r"^Plain\.run_many\(\): column 'a' is a ndarray; a mapping is one of"
    ):
        plain.run_many({"b": [1], "a": np.array(5)})
    with pytest.raises(TypeError, match=r"^Plain\.run_many\(\) takes an iterable of .*, not a ndarray$"):
        plain.run_many(np.array(5))


def test_what_ends_all_runs_has_a_note_of_the_row(fa: ModuleType) -> None:
    class Stops(fa.Command[Pair, int]):  # type: ignore[name-defined, misc]
        def execute(self) -> int:
            if self.inputs.a == 2:
                raise KeyboardInterrupt
            return self.inputs.a

    with pytest.raises(KeyboardInterrupt) as caught:
        Stops.run_many([{"a": 0}, {"a": "x"}, {"a": 2}, {"a": 3}])
    assert caught.value.__notes__ == ["Stops.run_many(): raised in row 2"]


def test_times_of_numpy_keep_their_length(fa: ModuleType) -> None:
    np = pytest.importorskip("numpy")
    import datetime

    class Any_(BaseModel):
        at: Any

    class Tells(fa.Command[Any_, Any]):
        def execute(self) -> Any:
            return self.inputs.at

    def told(values: Any, kind: str) -> list[Any]:
        return [outcome.result for outcome in Tells.run_many({"at": np.array(values, kind)})]

    second = datetime.timedelta(seconds=1)
    assert told([10**9, "NaT"], "m8[ns]") == told([1, "NaT"], "m8[s]") == [second, None]
    assert told(["1970-01-01T00:00:01"], "M8[ns]") == [datetime.datetime(1970, 1, 1, 0, 0, 1)]
    assert told(["2026-11-28"], "M8[D]") == [datetime.date(2026, 11, 28)]
    for values, kind, error, said in (
        ([1], "m8[ns]", ValueError, r"column 'at' has times that Python has none for.*astype\('m8\[us\]'\)"),
        (["12000"], "M8[s]", ValueError, "too far away"),
        ([2**62], "M8[s]", ValueError, "too far away"),
        ([3], "m8[M]", TypeError, r"is of timedelta64\[M\]: how long that is"),
    ):
        with pytest.raises(error, match=said):
            told(values, kind)


def test_tables_that_give_no_rows_are_refused(fa: ModuleType) -> None:
    plain = commands(fa)["Plain"]
    pa, pd = pytest.importorskip("pyarrow"), pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": [1], "b": [2]})
    for rows, error, said in (
        (pa.table([[1], [2]], names=["a", "a"]), ValueError, "two columns 'a'"),
        (pa.Table, TypeError, "takes rows, not the class Table"),
        (frame, TypeError, r"takes no DataFrame of pandas: its to_dict\('records'\) gives rows"),
        ({"a": frame}, TypeError, "column 'a' is a DataFrame"),
    ):
        with pytest.raises(error, match=said):
            plain.run_many(rows)
    assert [each.result for each in plain.run_many(frame.to_dict("records"))] == [3]
