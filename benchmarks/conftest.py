"""The packages the cases run on: the compiled one, its pure twin and, where importable, foobara_py."""

from __future__ import annotations

import importlib.util
import os
import sys

import pytest

import foobara_accel
from foobara_accel.bench import cases
from foobara_accel.bench.worker import FOOBARA_PY_PATH
from foobara_accel.testing import load_twin

if os.environ.get(FOOBARA_PY_PATH):
    sys.path.append(os.environ[FOOBARA_PY_PATH])

_built: dict[str, dict[str, cases.Case]] = {}


@pytest.fixture(params=["c", "py", "foobara_py"])
def built(request: pytest.FixtureRequest) -> dict[str, cases.Case]:
    """The cases of one backend by key; skipped where the backend is absent."""
    name: str = request.param
    if name not in _built:
        if name == "c" and str(foobara_accel.backend()) != "c":
            pytest.skip(f"no compiled backend: {foobara_accel.backend().reason}")
        if name == "foobara_py" and importlib.util.find_spec(name) is None:
            pytest.skip(f"foobara_py is not importable; set {FOOBARA_PY_PATH} to its source tree")
        package = {"c": "foobara_accel", "py": load_twin("py").__name__}.get(name, name)
        _built[name] = cases.build(package)
    return _built[name]
