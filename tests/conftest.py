"""Fixtures: every test of a hot path takes ``fa`` and so runs on both backends."""

from __future__ import annotations

import importlib
import os
from types import ModuleType

import pytest

import foobara_accel
from foobara_accel.testing import load_twin


def _compiled() -> bool:
    return os.environ.get("FOOBARA_ACCEL_BACKEND", "auto") != "py" and str(foobara_accel.backend()) == "c"


@pytest.fixture(scope="session", params=["c", "py"])
def fa(request: pytest.FixtureRequest) -> ModuleType:
    """The package on one backend: ``c`` the real one, ``py`` the twin with the fallback pinned."""
    if request.param == "py":
        return load_twin("py")
    if not _compiled():
        pytest.skip(f"no compiled backend: {foobara_accel.backend().reason}")
    return foobara_accel


@pytest.fixture(scope="session")
def sub(fa: ModuleType):
    """``sub("core.registry")`` imports that submodule of the backend under test."""
    return lambda path: importlib.import_module(f"{fa.__name__}.{path}")
