"""The short form of differential_checks.py, which runs whole from the command line."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

import foobara_accel


def test_twins_agree_and_every_disagreement_with_a_reference_has_a_rule() -> None:
    if str(foobara_accel.backend()) != "c":
        pytest.skip(f"no compiled backend: {foobara_accel.backend().reason}")
    path = Path(__file__).with_name("differential_checks.py")
    spec = importlib.util.spec_from_file_location("differential_checks", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    done, references = module.run(12_000, seed=7)
    assert done == 12_000
    for each in references:
        assert each.asked == 6_000 and each.unexplained == []
