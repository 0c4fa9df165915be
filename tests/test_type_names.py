"""Types that a registry or a domain holds are known to validators by name, for as long as they are held."""

import gc
from types import ModuleType
from typing import Any

import pytest
from pydantic import BaseModel


class Money(BaseModel):
    cents: int


class Coin(BaseModel):
    cents: int


@pytest.fixture
def cache(fa: ModuleType) -> Any:
    return fa.ValidationCache()


def test_a_type_of_a_registry_is_found_by_its_name(fa: ModuleType, cache: Any) -> None:
    registry = fa.TypeRegistry()
    registry.register("Price", Money)
    assert cache.get_validator("Price").validate_python({"cents": 1}) == Money(cents=1)
    assert cache.get_validator("list[Price]").validate_python([{"cents": 1}]) == [Money(cents=1)]
    registry.register("a price", Money)
    assert cache.get_validator("a price").validate_python({"cents": 1}) == Money(cents=1)


def test_a_replaced_type_is_served_at_once(fa: ModuleType, cache: Any) -> None:
    registry = fa.TypeRegistry()
    registry.register("Price", Money)
    cache.get_validator("Price")
    registry.register("Price", Coin, replace=True)
    assert cache.get_validator("Price").validate_python({"cents": 1}) == Coin(cents=1)


def test_a_name_ends_with_its_registry(fa: ModuleType, cache: Any) -> None:
    registry = fa.TypeRegistry()
    registry.register("Price", Money)
    cache.get_validator("Price")
    del registry
    gc.collect()
    with pytest.raises(ValueError, match="unknown name 'Price'"):
        cache.get_validator("Price")


def test_a_registry_cannot_change_what_a_built_in_or_registered_name_means(
    fa: ModuleType, cache: Any, sub: Any
) -> None:
    types = sub("types.cache")
    registry = fa.TypeRegistry()
    registry.register("int", Money)
    registry.register("Price", Money)
    types.register_type_name("Price", Coin)
    try:
        assert cache.get_validator("int").validate_python("1") == 1
        assert cache.get_validator("Price").validate_python({"cents": 1}) == Coin(cents=1)
    finally:
        types.unregister_type_name("Price")
    assert cache.get_validator("Price").validate_python({"cents": 1}) == Money(cents=1)


def test_a_type_of_a_domain_has_a_full_name(fa: ModuleType, cache: Any) -> None:
    billing, mint = fa.Domain("Billing", organization="Acme"), fa.Domain("Mint")
    billing.register_type("Price", Money)
    assert cache.get_validator("Price").validate_python({"cents": 1}) == Money(cents=1)
    mint.register_type("Price", Coin)
    assert cache.get_validator("Acme::Billing::Price").validate_python({"cents": 1}) == Money(cents=1)
    assert cache.get_validator("Mint::Price").validate_python({"cents": 1}) == Coin(cents=1)
    with pytest.raises(ValueError, match="'Price' names 2 registered types; use a full name"):
        cache.get_validator("Price")
    with pytest.raises(ValueError, match="'Mint::Other' is not a registered name"):
        cache.get_validator("Mint::Other")


def test_the_same_type_under_one_name_in_two_places_is_no_conflict(fa: ModuleType, cache: Any) -> None:
    first, second = fa.TypeRegistry(), fa.TypeRegistry()
    first.register("Toll", Money)
    second.register("Toll", Money)
    assert cache.get_validator("Toll").validate_python({"cents": 1}) == Money(cents=1)
