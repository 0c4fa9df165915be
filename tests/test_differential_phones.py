"""The short form of differential_phones.py, which runs whole from the command line."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

import foobara_accel


def test_both_backends_say_what_phonenumbers_says() -> None:
    pytest.importorskip("phonenumbers")
    if str(foobara_accel.backend()) != "c":
        pytest.skip(f"no compiled backend: {foobara_accel.backend().reason}")
    path = Path(__file__).with_name("differential_phones.py")
    spec = importlib.util.spec_from_file_location("differential_phones", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    held, wrong = module.run(12_000, seed=7)
    assert wrong == [] and held["values"] == 12_000
    assert held["valid"] > 2_000 and held["decided by the table"] > 6_000 and held["not ASCII"] > 200
