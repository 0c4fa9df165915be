"""Every example runs as its reader would run it, on both backends, and prints the same on both."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import foobara_accel

EXAMPLES = Path(__file__).parent.parent / "examples"
BACKENDS = ("c", "py") if str(foobara_accel.backend()) == "c" else ("py",)

# What each example has to show, besides running.
SHOWS = {
    "async_commands.py": ["two warehouses: 10", "['runtime.root.timeout']"],
    "first_command.py": ["21589 cents", "data.item.not_for_sale"],
    "payments_import.py": ["[('P-1', 12050), ('P-2', 999)]", "rejected: 5", "runtime.root.daily_limit"],
    "problem_json.py": ["application/problem+json", '"pointer": "/addresses/0/zip_code"'],
    "transactions.py": ["transfer>runtime.root.no_account", "{'ada': 3500, 'bob': 1500}"],
}


def run(example: str, backend: str, where: Path) -> str:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / example)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        cwd=where,
        env={**os.environ, "FOOBARA_ACCEL_BACKEND": backend, "PYTHONIOENCODING": "utf-8"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_every_example_is_listed_here() -> None:
    assert sorted(path.name for path in EXAMPLES.glob("*.py")) == sorted(SHOWS)


@pytest.mark.parametrize("example", sorted(SHOWS))
def test_example_runs_and_prints_the_same_on_both_backends(example: str, tmp_path: Path) -> None:
    printed = {backend: run(example, backend, tmp_path) for backend in BACKENDS}
    for expected in SHOWS[example]:
        assert expected in printed["py"]
    assert len(set(printed.values())) == 1
    assert not list(tmp_path.iterdir()), "an example leaves no files behind"
