"""Random async command classes, interrupted at random, behave the same on both backends and close once."""

from __future__ import annotations

from types import ModuleType

import pytest

import foobara_accel
from async_lifecycle_machine import broken_promise, difference
from foobara_accel.testing import load_twin
from lifecycle_machine import cases


def test_both_backends_run_random_async_commands_alike() -> None:
    if str(foobara_accel.backend()) != "c":
        pytest.skip(f"no compiled backend: {foobara_accel.backend().reason}")
    twin = load_twin("py")
    found = [text for seed in range(cases()) if (text := difference(foobara_accel, twin, seed)) is not None]
    assert not found, "\n".join(found[:3])


def test_every_async_transaction_ends_once_and_every_run_in_a_terminal_state(fa: ModuleType) -> None:
    found = [text for seed in range(cases()) if (text := broken_promise(fa, seed)) is not None]
    assert not found, "\n".join(found[:3])
