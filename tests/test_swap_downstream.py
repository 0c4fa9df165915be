"""A few of foobara_py's own test files say the same with the drop-in: `tests/downstream/run.py` in short.

FOOBARA_ACCEL_SLOW=1 runs all of its tests.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from foobara_accel import backend
from foobara_py_here import needs_foobara_py

SCRIPT = Path(__file__).parent / "downstream" / "run.py"
SLOW = bool(os.environ.get("FOOBARA_ACCEL_SLOW"))
CHECKOUT = Path(os.environ.get("FOOBARA_PY_PATH") or "no checkout")
# What is replaced is in these, and they need few packages.
FILES = (
    "test_async_command.py",
    "test_callbacks_enhanced.py",
    "test_command.py",
    "test_command_lifecycle.py",
    "test_domain_dependencies.py",
    "test_domain_mapper.py",
    "test_error_enhancements.py",
    "test_errors.py",
    "test_outcome.py",
    "test_registry.py",
    "test_type_declarations.py",
)
BACKENDS = ["py", "c"] if str(backend()) == "c" else ["py"]
REPAIRS = ["none", "default"]

pytestmark = [
    needs_foobara_py,
    pytest.mark.skipif(
        not (CHECKOUT / "tests").is_dir(), reason="FOOBARA_PY_PATH leads to no checkout with tests"
    ),
    *([pytest.mark.slow] if SLOW else []),
]


def test_every_test_of_foobara_py_has_the_verdict_that_it_has_without() -> None:
    files = [] if SLOW else [f"tests/{name}" for name in FILES if (CHECKOUT / "tests" / name).is_file()]
    command = [sys.executable, str(SCRIPT), str(CHECKOUT)]
    command += [word for on in BACKENDS for word in ("--backend", on)]
    command += [word for fixes in REPAIRS for word in ("--fixes", fixes)]
    done = subprocess.run(
        [*command, "--", *files], capture_output=True, text=True, timeout=3600 if SLOW else 900, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    plain = re.search(r"^plain: .* (\d+) passed", done.stdout, re.MULTILINE)
    assert plain is not None and int(plain[1]) > 150, done.stdout
    swapped = re.findall(r"^drop-in: +swapped, [1-9]\d* functions", done.stdout, re.MULTILINE)
    assert len(swapped) == len(BACKENDS) * len(REPAIRS), done.stdout


def test_a_verdict_that_differs_is_told(tmp_path: Path) -> None:
    """The script compares what it says it compares: here a test that fails with the drop-in only."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "foobara_py").symlink_to(CHECKOUT / "foobara_py", target_is_directory=True)
    (tmp_path / "tests" / "test_one.py").write_text(
        "from foobara_py.core.errors import FoobaraError\n"
        "def test_same(): assert FoobaraError(symbol='s').key() == 'data.root.s'\n"
        "def test_code(): assert 'foobara_accel' not in FoobaraError.key.__code__.co_filename\n",
        encoding="utf-8",
    )
    command = [sys.executable, str(SCRIPT), str(tmp_path), "--backend", "py"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "differs: tests/test_one.py::test_code: passed -> failed" in done.stdout
    assert "1 verdicts differ" in done.stdout and "test_same" not in done.stdout


def test_what_the_stress_suite_prints_becomes_a_table(tmp_path: Path) -> None:
    """Twice as fast with the drop-in is what this one says, and twice the throughput."""
    (tmp_path / "tests" / "stress").mkdir(parents=True)
    (tmp_path / "foobara_py").symlink_to(CHECKOUT / "foobara_py", target_is_directory=True)
    (tmp_path / "tests" / "stress" / "stress_tests.py").write_text(
        "import sys\n"
        "def run_all_tests():\n"
        "    on = 'foobara_accel' in sys.modules\n"
        "    print('1.1 One Command (1000 iterations)')\n"
        "    print('\\n<lambda>:\\n  Median:', '1,500.00' if on else '3,000.00', 'ns (3.00 us)')\n"
        "    print('6.1 Many Commands (100 threads, 10 ops each)')\n"
        "    print('  Throughput:', '8,000' if on else '4,000', 'ops/sec')\n",
        encoding="utf-8",
    )
    command = [sys.executable, str(SCRIPT.with_name("stress.py")), str(tmp_path), "--rounds", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "| 1.1 One Command | 3.0 us | 1.5 us | 2.0 |" in done.stdout
    assert "| 6.1 Many Commands | 4,000/s | 8,000/s | 2.0 |" in done.stdout
    assert "drop-in: swapped" in done.stdout
