"""Results kept for the same inputs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pydantic import BaseModel

Sub = Callable[[str], ModuleType]


class Inputs(BaseModel):
    n: Any = 0


@pytest.fixture
def caching(sub: Sub) -> ModuleType:
    return sub("caching")


def counting(fa: ModuleType, result: Callable[[int], Any] = lambda n: n * 2) -> tuple[Any, list[Any]]:
    ran: list[Any] = []

    class Counting(fa.Command[Inputs, Any]):  # type: ignore[name-defined, misc]
        def execute(self) -> Any:
            ran.append(self.inputs.n)
            if self.inputs.n == "fail":
                self.add_runtime_error("failed", "no")
            return result(self.inputs.n)

    return Counting, ran


def test_a_result_is_kept_per_inputs(fa: ModuleType, caching: ModuleType) -> None:
    made, ran = counting(fa)
    command = caching.cached(cache=caching.InMemoryCache())(made)
    assert command is made
    assert [command.run(n=n).result for n in (1, 1, 2, 1)] == [2, 2, 4, 2]
    assert ran == [1, 2]
    assert command.run(n=1).is_success() and command.run(n="1").result == "11"
    assert ran == [1, 2, "1"]
    assert (command.cache_stats.hits, command.cache_stats.misses) == (3, 3)
    assert repr(command.cache_stats) == "CacheStats(hits=3, misses=3, sets=3, hit_rate=50.00%)"
    command.clear_cache()
    command.run(n=1)
    assert ran == [1, 2, "1", 1]
    assert command(n=5).run_instance().result == command(n=5).run_instance().result == 10
    assert ran[-2:] == [5, 5]


def test_none_is_a_result(fa: ModuleType, caching: ModuleType) -> None:
    made, ran = counting(fa, lambda n: None)
    command = caching.cached(cache=caching.InMemoryCache())(made)
    assert command.run(n=1).result is None and command.run(n=1).is_success()
    assert ran == [1]


def test_failures_run_again_unless_they_are_wanted(fa: ModuleType, caching: ModuleType) -> None:
    made, ran = counting(fa)
    command = caching.cached(cache=caching.InMemoryCache())(made)
    assert command.run(n="fail").is_failure() and command.run(n="fail").is_failure()
    assert ran == ["fail", "fail"]
    made, ran = counting(fa)
    command = caching.cached(cache=caching.InMemoryCache(), cache_failures=True)(made)
    first = command.run(n="fail")
    assert command.run(n="fail") is first and first.errors[0].symbol == "failed"
    assert ran == ["fail"]


def test_a_subclass_runs_itself_and_shares_nothing(fa: ModuleType, caching: ModuleType) -> None:
    made, ran = counting(fa)
    command = caching.cached(cache=caching.InMemoryCache())(made)

    class Child(command):
        def execute(self) -> Any:
            return "child"

    assert command.run(n=1).result == 2
    assert Child.run(n=1).result == Child.run(n=1).result == "child"
    assert command.run(n=1).result == 2 and ran == [1]


def test_commands_of_one_name_and_one_cache_do_not_meet(fa: ModuleType, caching: ModuleType) -> None:
    cache = caching.InMemoryCache()
    one, other = counting(fa)[0], counting(fa, lambda n: "other")[0]
    one._domain, other._domain = "One", "Other"
    one, other = caching.cached(cache=cache)(one), caching.cached(cache=cache)(other)
    assert one.run(n=1).result == 2 and other.run(n=1).result == "other"
    one.clear_cache()
    assert cache.size() == 1


def test_async(fa: ModuleType, caching: ModuleType) -> None:
    ran: list[Any] = []

    @caching.cached(cache=caching.InMemoryCache())
    class Later(fa.AsyncCommand[Inputs, Any]):  # type: ignore[name-defined, misc]
        async def execute(self) -> Any:
            ran.append(self.inputs.n)
            return self.inputs.n

    async def twice() -> list[Any]:
        return [(await Later.run(n=3)).result, (await Later.run(n=3)).result]

    assert asyncio.run(twice()) == [3, 3] and ran == [3]


def test_keys(fa: ModuleType, caching: ModuleType) -> None:
    made = counting(fa)[0]
    values = [
        1,
        1.0,
        True,
        "1",
        [1],
        (1,),
        {1},
        {"a": 1},
        None,
        b"1",
        date(2026, 1, 1),
        "2026-01-01",
        Inputs(n=1),
    ]
    assert len({caching.generate_cache_key(made, {"n": each}) for each in values}) == len(values)
    assert caching.generate_cache_key(made, {"a": 1, "b": 2}) == caching.generate_cache_key(
        made, {"b": 2, "a": 1}
    )
    with pytest.raises(TypeError, match=r"the inputs\['n'\] hold a object, of which no key can be made"):
        caching.generate_cache_key(made, {"n": object()})
    by_n = caching.cache_key("n")
    assert by_n(made, {"n": 1, "other": object()}) == by_n(made, {"n": 1})


def test_any_name_of_an_input_and_paths_are_taken(fa: ModuleType, caching: ModuleType) -> None:
    class Named(BaseModel):
        cls: int = 0
        path: Path | None = None

    class Takes(fa.Command[Named, Any]):  # type: ignore[name-defined, misc]
        def execute(self) -> Any:
            return object()

    command = caching.cached(cache=caching.InMemoryCache())(Takes)
    assert command.run(cls=1, path=Path("a")).result is command.run(cls=1, path=Path("a")).result
    assert command.run(cls=1, path=Path("b")).result is not command.run(cls=1, path=Path("a")).result


def test_memory(caching: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    cache = caching.InMemoryCache(max_entries=2)
    cache.set("a", 1, ttl=10)
    cache.set("b", 2)
    assert cache.get("a") == 1
    cache.set("c", 3)
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (1, None, 3)
    now[0] = 110.0
    assert cache.size() == 2 and cache.cleanup_expired() == 1 and cache.get("a") is None
    cache.delete("c")
    cache.delete("c")
    assert cache.size() == 0


def test_the_default_cache(caching: ModuleType) -> None:
    before = caching.get_default_cache()
    assert caching.get_default_cache() is before
    other = caching.InMemoryCache()
    caching.set_default_cache(other)
    assert caching.get_default_cache() is other
    caching.set_default_cache(before)


def test_what_is_refused(fa: ModuleType, caching: ModuleType) -> None:
    for refused in (
        lambda: caching.cached(counting(fa)[0]),
        lambda: caching.cached()(5),
        lambda: caching.cache_key(),
        lambda: caching.set_default_cache({}),
    ):
        with pytest.raises(TypeError):
            refused()
    with pytest.raises(ValueError, match="ttl must be more than 0"):
        caching.cached(ttl=0)
    with pytest.raises(ValueError, match="max_entries"):
        caching.InMemoryCache(0)
