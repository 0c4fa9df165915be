"""Results kept for the same inputs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import pytest
from pydantic import BaseModel, PydanticUserError, SecretStr, create_model

if TYPE_CHECKING:
    Later = Any

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


def test_clear_cache_drops_what_is_of_the_class_it_is_called_on(fa: ModuleType, caching: ModuleType) -> None:
    made, ran = counting(fa)
    command = caching.cached(cache=caching.InMemoryCache())(made)

    class Child(command):
        pass

    command.run(n=1), Child.run(n=1)
    Child.clear_cache()
    command.run(n=1)
    assert ran == [1, 1]
    Child.run(n=1)
    command.clear_cache()
    Child.run(n=1)
    assert ran == [1, 1, 1]
    command.run(n=1)
    assert ran == [1, 1, 1, 1]


def test_keys_that_the_cache_has_dropped_are_forgotten(fa: ModuleType, caching: ModuleType) -> None:
    class Watched(caching.InMemoryCache):  # type: ignore[name-defined, misc]
        deleted: ClassVar[list[str]] = []

        def delete(self, key: str) -> None:
            self.deleted.append(key)
            super().delete(key)

    cache = Watched(max_entries=10)
    made, ran = counting(fa)
    command = caching.cached(cache=cache)(made)
    for n in range(2000):
        command.run(n=n)
    command.run(n=1990)
    command.run(n=2000)
    before = len(ran)
    command.run(n=1990)  # as used as it was: nobody looked at it for the keys' sake
    assert len(ran) == before
    command.clear_cache()
    assert 10 <= len(cache.deleted) <= 65 and cache.size() == 0


def test_asking_whether_a_cache_holds_a_key_is_no_use_of_it(
    caching: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    cache = caching.InMemoryCache(max_entries=2)
    cache.set("a", 1)
    cache.set("b", 2, ttl=5)
    assert cache.holds("a") and cache.holds("b") and not cache.holds("c")
    cache.set("c", 3)
    assert not cache.holds("a") and cache.holds("b")
    now[0] = 5.0
    assert not cache.holds("b")


def test_sensitive_inputs_need_a_key_func_in_a_shared_cache(
    fa: ModuleType, sub: Sub, caching: ModuleType
) -> None:
    types = sub("types")

    class Shared(caching.CacheBackend):  # type: ignore[name-defined, misc]
        def __init__(self) -> None:
            self.kept: dict[str, Any] = {}

        def get(self, key: str) -> Any:
            return self.kept.get(key)

        def set(self, key: str, value: Any, ttl: float | None = None) -> None:
            self.kept[key] = value

        def delete(self, key: str) -> None:
            self.kept.pop(key, None)

        def clear(self) -> None:
            self.kept.clear()

    for annotation in (
        types.CardNumber,
        list[types.Sensitive[str]],
        SecretStr | None,
        Annotated[str, types.CreditCardValidator()],
    ):
        model = create_model("Secret", user=(int, ...), secret=(annotation, None))

        class Pay(fa.Command[model, Any]):  # type: ignore[name-defined, misc, valid-type]
            def execute(self) -> Any:
                return self.inputs.user

        with pytest.raises(TypeError, match=r"Pay has sensitive inputs \(secret\).*key_func") as caught:
            caching.cached(cache=Shared())(Pay)
        assert "4111" not in str(caught.value)
        by_user = caching.cached(cache=Shared(), key_func=caching.cache_key("user"))(Pay)
        assert by_user.run(user=1).result == 1
    assert caching.cached(cache=caching.InMemoryCache())(Pay).run(user=2, secret=None).is_failure()
    plain = caching.cached(cache=Shared())(counting(fa)[0])
    assert plain.run(n=1).result == plain.run(n=1).result == 2
    for n in range(100):  # a cache that says nothing of its own about holds
        plain.run(n=n)
    plain.clear_cache()
    assert not plain._cache.kept

    class Child(plain):  # of other inputs, which are looked at when it is run
        @classmethod
        def inputs_type(cls) -> Any:
            return model

    with pytest.raises(TypeError, match="sensitive inputs"):
        Child.run(user=1, secret="4111111111111111")


def test_inputs_that_are_declared_later_are_looked_at_when_they_are(
    fa: ModuleType, sub: Sub, caching: ModuleType
) -> None:
    class Shared(caching.InMemoryCache.__base__):  # type: ignore[name-defined, misc]
        get = set = delete = clear = lambda self, *given: None

    class Held(BaseModel):
        secret: Later

    class Pay(fa.Command[Held, Any]):  # type: ignore[name-defined, misc]
        def execute(self) -> Any:
            return 1

    command = caching.cached(cache=Shared())(Pay)
    with pytest.raises(PydanticUserError, match="not fully defined"):
        command.run(secret="4111111111111111")
    Held.model_rebuild(_types_namespace={"Later": sub("types").CardNumber})
    with pytest.raises(TypeError, match=r"sensitive inputs \(secret\)"):
        command.run(secret="4111111111111111")


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


def test_numbers_are_inputs_of_a_cache_in_memory_alone(fa: ModuleType, sub: Sub, caching: ModuleType) -> None:
    iban, card = fa.parse_iban("GB82WEST12345698765432"), fa.parse_card("4111111111111111")
    command, ran = counting(fa, lambda n: None)
    kept = caching.cached(cache=caching.InMemoryCache())(command)
    for value in (iban, [card], {"GB82WEST12345698765432": iban}, {iban: 1}):
        for _ in range(2):
            assert kept.run(n=value).is_success()
    assert len(ran) == 4 and kept.cache_stats.hits == 4
    # Many numbers have the same mask, and a number is not its text.
    assert kept.run(n=fa.parse_iban("GB29NWBK60161331926819")).is_success() and len(ran) == 5
    assert kept.run(n="GB82WEST12345698765432").is_success() and len(ran) == 6

    class Shared(caching.CacheBackend):  # type: ignore[name-defined, misc]
        def get(self, key: str) -> Any:
            raise AssertionError

        set = delete = clear = get

    shared = caching.cached(cache=Shared())(counting(fa)[0])
    for value in (iban, {"GB82WEST12345698765432": iban}, {iban: 1}):
        with pytest.raises(TypeError, match=r"hold a IBAN, of which no key can be made") as caught:
            shared.run(n=value)
        assert "5432" not in str(caught.value)
    with pytest.raises(TypeError, match=r"the inputs\['n'\]\['a'\] hold a object"):
        shared.run(n={"a": object()})


def test_a_time_and_a_size_are_numbers(caching: ModuleType) -> None:
    for wrong in ("60", True, [1]):
        with pytest.raises(TypeError, match="ttl is a number of seconds, or None for good, not"):
            caching.cached(ttl=wrong)
        with pytest.raises(TypeError, match="max_entries is an int, or None for no limit, not"):
            caching.InMemoryCache(wrong)
    with pytest.raises(ValueError, match="ttl must be more than 0 seconds"):
        caching.cached(ttl=float("nan"))
