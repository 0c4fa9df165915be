"""Finds foobara_py for tests: FOOBARA_PY_PATH (the directory that holds the package) or installed."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SOURCE = str(Path(__file__).parents[1] / "src")


def place() -> str | None:
    """Return the directory to put on the path, empty where foobara_py is installed; None if there is none."""
    given = os.environ.get("FOOBARA_PY_PATH")
    if given:
        return given if (Path(given) / "foobara_py").is_dir() else None
    return "" if importlib.util.find_spec("foobara_py") is not None else None


def _why_not() -> str | None:
    where = place()
    if where is None:
        return "no foobara_py: set FOOBARA_PY_PATH to a checkout, or install it"
    done = _python(["-c", "import foobara_py"], foobara_py=True, backend="py")
    last = (done.stderr.strip().splitlines() or ["?"])[-1]
    return f"foobara_py cannot be imported here: {last}" if done.returncode else None


def _python(
    words: list[str], foobara_py: bool, backend: str, cwd: Any = None, timeout: float = 300, **more: str
) -> subprocess.CompletedProcess[str]:
    path = [SOURCE, *([place() or ""] if foobara_py else [])]
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("FOOBARA_", "PYTHONPATH"))
    }
    environment.update(
        PYTHONPATH=os.pathsep.join(each for each in path if each), FOOBARA_ACCEL_BACKEND=backend, **more
    )
    # A foobara_py that is installed has to be hidden where a test wants none.
    return subprocess.run(
        [sys.executable, *words],
        capture_output=True,
        text=True,
        timeout=timeout,
        env=environment,
        cwd=cwd,
        check=False,
    )


def run(
    code: str,
    backend: str = "py",
    foobara_py: bool = True,
    cwd: Any = None,
    timeout: float = 300,
    **more: str,
) -> str:
    """Run *code* in a process of its own, with foobara_py or without; return what it printed."""
    done = _python(["-c", code], foobara_py, backend, cwd, timeout, **more)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def python(
    *words: str, backend: str = "py", foobara_py: bool = True, cwd: Any = None, **more: str
) -> subprocess.CompletedProcess[str]:
    """Run the interpreter on *words*; return the finished process."""
    return _python(list(words), foobara_py, backend, cwd, **more)


_reason = _why_not()
needs_foobara_py = pytest.mark.skipif(_reason is not None, reason=_reason or "")
needs_none = pytest.mark.skipif(
    importlib.util.find_spec("foobara_py") is not None, reason="foobara_py is installed here"
)
