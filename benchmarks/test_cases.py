"""The cases of `foobara-accel bench` under pytest-benchmark; budgets are judged by the former alone."""

from __future__ import annotations

import time
from itertools import repeat
from typing import Any

import pytest

from foobara_accel.bench import cases
from foobara_accel.bench.budgets import BUDGETS
from foobara_accel.bench.rounds import BLOCK

KEYS = [budget.key for budget in BUDGETS] + ["function", "card", "iban"]


@pytest.mark.benchmark(timer=time.thread_time, min_rounds=20, max_time=0.1, disable_gc=False, warmup=False)
@pytest.mark.parametrize("key", KEYS)
def test_case(benchmark: Any, built: dict[str, cases.Case], key: str) -> None:
    """One iteration is a block of 20 runs."""
    if key not in built:
        pytest.skip("no such case on this backend")
    benchmark.group = key
    loop = built[key].loop
    benchmark(lambda: loop(repeat(None, BLOCK)))


@pytest.mark.benchmark(timer=time.thread_time, min_rounds=20, max_time=0.1, disable_gc=False, warmup=False)
@pytest.mark.parametrize("name", list(cases.floors()))
def test_floor(benchmark: Any, name: str) -> None:
    """The floors the cases are compared through."""
    benchmark.group = "floors"
    loop = cases.floors()[name]
    benchmark(lambda: loop(repeat(None, BLOCK)))
