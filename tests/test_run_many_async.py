"""run_many of async commands: outcomes in the order of the rows, bounded concurrency, cancellation."""

from __future__ import annotations

import asyncio
from types import ModuleType
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel, Field


class Pair(BaseModel):
    a: int
    b: int = Field(1, ge=0)


def watched(fa: ModuleType) -> Any:
    class Watched(fa.AsyncCommand[Pair, int]):
        began: ClassVar[list[int]] = []
        ended: ClassVar[list[str]] = []
        under_way: ClassVar[int] = 0
        most: ClassVar[int] = 0

        async def execute(self) -> int:
            cls = type(self)
            cls.began.append(self.inputs.a)
            cls.under_way += 1
            cls.most = max(cls.most, cls.under_way)
            try:
                for _ in range(9 - self.inputs.a % 9):  # the first rows end last
                    await asyncio.sleep(0)
                if self.inputs.a == 13:
                    self.add_runtime_error("unlucky", "thirteen")
                if self.inputs.a == 99:
                    await asyncio.sleep(60)
            except asyncio.CancelledError:
                cls.ended.append(f"cancelled {self.inputs.a}")
                raise
            finally:
                cls.under_way -= 1
            return self.inputs.a + self.inputs.b

        async def validate(self) -> None:
            if self.inputs.a == 77:
                raise KeyError("validate")

    return Watched


def told(outcome: Any) -> Any:
    return outcome.is_success(), outcome.to_dict()


@pytest.mark.parametrize("concurrency", [1, 2, 3, 50])
def test_outcomes_stand_in_the_order_of_the_rows(fa: ModuleType, concurrency: int) -> None:
    command = watched(fa)
    rows = [{"a": 1}, {"a": "x"}, {"a": 13}, {"b": 1}, {"a": 4, "b": 40}, {"a": 5}, {"a": 6}]

    async def both() -> tuple[Any, Any]:
        many = await command.run_many(rows, concurrency=concurrency)
        most = command.most
        assert most == min(concurrency, most) and (concurrency == 1) == (most == 1)
        return many, [await command.run(**row) for row in rows]

    many, single = asyncio.run(both())
    assert [told(each) for each in many] == [told(each) for each in single]
    assert [each.is_success() for each in many] == [True, False, False, False, True, True, True]


def test_columns_are_rows_and_nothing_begins_before_the_await(fa: ModuleType) -> None:
    command = watched(fa)
    waiting = command.run_many({"a": [1, 2], "b": [10, 20]}, concurrency=2)
    assert command.began == []
    assert [each.result for each in asyncio.run(waiting)] == [11, 22]
    assert asyncio.run(command.run_many([], concurrency=2)) == []


@pytest.mark.parametrize("concurrency", [1, 2])
def test_cancelled_rows_roll_back_and_no_other_begins(fa: ModuleType, sub: Any, concurrency: int) -> None:
    log: list[str] = []

    class Handler:
        def begin(self) -> None:
            log.append("begin")

        def commit(self) -> None:
            log.append("commit")

        def rollback(self) -> None:
            log.append("rollback")

    command = watched(fa)
    command._transaction_config = sub("core.transactions").TransactionConfig.with_handler(Handler)

    async def body() -> None:
        task = asyncio.create_task(
            command.run_many([{"a": 1}, {"a": 99}, {"a": 99}, {"a": 3}], concurrency=concurrency)
        )
        while command.began.count(99) < concurrency:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(body())
    assert command.began == [1] + [99] * concurrency
    assert command.ended == ["cancelled 99"] * concurrency
    assert log.count("begin") == 1 + concurrency
    assert (log.count("commit"), log.count("rollback")) == (1, concurrency)


@pytest.mark.parametrize(
    ("concurrency", "first", "began", "ended"), [(1, 5, [5], []), (2, 99, [99], ["cancelled 99"])]
)
def test_what_a_run_raises_is_raised_as_it_is(
    fa: ModuleType, concurrency: int, first: int, began: list[int], ended: list[str]
) -> None:
    command = watched(fa)
    with pytest.raises(KeyError, match="validate") as caught:
        asyncio.run(command.run_many([{"a": first}, {"a": 77}, {"a": 1}], concurrency=concurrency))
    assert (command.began, command.ended, command.under_way) == (began, ended, 0)
    assert caught.value.__notes__ == ["Watched.run_many(): raised in row 1"]


@pytest.mark.parametrize("concurrency", [1, 2])
def test_a_run_that_cancels_itself_leaves_no_hole_in_the_outcomes(fa: ModuleType, concurrency: int) -> None:
    class Stops(fa.AsyncCommand[Pair, int]):
        async def execute(self) -> int:
            await asyncio.sleep(0)
            if self.inputs.a == 2:
                raise asyncio.CancelledError
            return self.inputs.a

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(Stops.run_many([{"a": 1}, {"a": 2}, {"a": 3}], concurrency=concurrency))


@pytest.mark.parametrize(
    ("rows", "concurrency", "error", "text"),
    [
        ([{"a": 1}], 0, ValueError, "concurrency is 1 or more, not 0"),
        ([{"a": 1}], True, TypeError, "concurrency is an int, not a bool"),
        ([{"a": 1}], 2.0, TypeError, "concurrency is an int, not a float"),
        ([{"a": 1}, None], 2, TypeError, "row 1 is a NoneType; a row is a mapping"),
    ],
)
def test_what_cannot_be_run_is_named_before_anything_is(
    fa: ModuleType, rows: Any, concurrency: Any, error: type[Exception], text: str
) -> None:
    command = watched(fa)
    with pytest.raises(error, match=rf"^Watched\.run_many\(\): {text}"):
        asyncio.run(command.run_many(rows, concurrency=concurrency))
    assert command.began == []
