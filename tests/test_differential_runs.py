"""The short form of differential_runs.py, which runs whole from the command line."""

from __future__ import annotations

import warnings

import pytest

import differential_runs
import foobara_accel
from foobara_accel.testing import load_twin


def test_both_backends_answer_random_runs_alike() -> None:
    if str(foobara_accel.backend()) != "c":
        pytest.skip(f"no compiled backend: {foobara_accel.backend().reason}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        counts = differential_runs.run(foobara_accel, load_twin("py"), 4000, seed=1)
    assert sum(counts.values()) == 4000
    ways = {f"{door} {end}" for door in differential_runs.DOORS for end in ("failure", "success")}
    ways -= {"run_or_raise failure", "run_or_raise success"}
    assert ways | {"run_or_raise returned", "run_or_raise raised", "run raised"} <= counts.keys()


def test_a_difference_is_told_with_its_case(monkeypatch: pytest.MonkeyPatch) -> None:
    twin = load_twin("py")
    monkeypatch.setattr(twin.CommandOutcome, "to_json_bytes", lambda self: b"{}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(AssertionError, match=r"seed 3, case \d+: \w+ of "):
            differential_runs.run(foobara_accel, twin, 50, seed=3)
