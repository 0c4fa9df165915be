"""A property: whatever the model and the values, a builder answers as pydantic does."""

from __future__ import annotations

import warnings
from collections import Counter
from random import Random

from hypothesis import HealthCheck, given, settings, strategies as st
from tests import fuzz_guards


def test_a_builder_answers_as_pydantic_does(sub):
    inputs = sub("core.inputs")

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.integers(0, 2**64))
    def agrees(seed: int) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fuzz_guards.run(inputs, Random(seed), 25, 25)

    agrees()


def test_the_property_reaches_every_level(sub):
    judges = "pure" not in sub("core.inputs").guards.__name__
    reached: Counter[int | str] = Counter()
    for seed in range(11, 17):  # which models one draws depends on the version of pydantic
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            reached.update(fuzz_guards.run(sub("core.inputs"), Random(seed), 1200, 20))
        if all(reached[level] for level in (1, 2, 3)):
            break
    assert bool(reached["verdicts"]) is judges
    assert bool(reached["taken"]) is judges
    assert all(reached[level] for level in (1, 2, 3)), reached
