"""What importing Command loads: a budget in modules, as times are not asserted here."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = str(Path(__file__).parents[1] / "src")
COLD = (
    "asyncio",
    "json.decoder",
    "logging",
    "pydantic.main",
    "pydantic.types",
    "sqlite3",
    "subprocess",
    "threading",
    "foobara_accel._cpu",
    "foobara_accel.core.async_command",
    "foobara_accel.core.inputs",
    "foobara_accel.core.logs",
    "foobara_accel.core.manifest",
    "foobara_accel.core.outcome",
    "foobara_accel.core.recovery",
    "foobara_accel.core.registry",
    "foobara_accel.core.simple",
    "foobara_accel.core.warmup",
    "foobara_accel._ext.pipeline",
    "foobara_accel._pure.pipeline",
    "foobara_accel.domain",
    "foobara_accel.types",
)


def loaded_after(statement: str, backend: str) -> set[str]:
    code = f"import sys\nbefore = set(sys.modules)\n{statement}\nprint(*sorted(set(sys.modules) - before))"
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([SOURCE, os.environ.get("PYTHONPATH", "")]),
        "FOOBARA_ACCEL_BACKEND": backend,
    }
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("backend", ["auto", "py"])
def test_importing_command_loads_nothing_that_a_run_may_not_need(backend: str) -> None:
    loaded = loaded_after("from foobara_accel import Command", backend)
    assert "foobara_accel.core.command" in loaded
    assert sorted(loaded.intersection(COLD)) == []


def test_importing_the_package_loads_only_its_version_and_its_list_of_names() -> None:
    loaded = loaded_after("import foobara_accel", "auto")
    assert {name for name in loaded if name.startswith("foobara_accel")} == {
        "foobara_accel",
        "foobara_accel._lazy",
        "foobara_accel._version",
    }
