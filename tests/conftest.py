"""Fixtures: every test of a hot path takes ``fa`` and so runs on both backends."""

from __future__ import annotations

import importlib
import os
import sys
import sysconfig
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


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs a class to be freed where the interpreter frees none."""
    if item.get_closest_marker("mortal_classes") is None:
        return
    if sysconfig.get_config_var("Py_GIL_DISABLED") and sys.version_info < (3, 14):
        pytest.skip("free-threaded 3.13 keeps every class for good once a second thread has started")
