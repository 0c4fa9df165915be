"""The C kernels of columns alone: compiled with sanitizers, between guard pages, from a kept corpus."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "tests" / "kernels" / "fuzz.c"
CORPUS = sorted(map(str, (ROOT / "tests" / "kernels" / "corpus").iterdir()))
COMPILER = shutil.which(os.environ.get("CC", "gcc")) or shutil.which("cc")
RUNS = os.environ.get("FOOBARA_ACCEL_FUZZ_RUNS", "2000")
SANITIZE = ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]

pytestmark = [
    pytest.mark.skipif(COMPILER is None, reason="no C compiler here"),
    pytest.mark.skipif(sys.platform == "win32", reason="the guard pages are mmap's"),
    pytest.mark.skipif(
        not SOURCE.exists() or not (ROOT / "ext").is_dir(), reason="C stands in a checkout alone"
    ),
]


def compiled(target: Path, *options: str, headers: Path = ROOT / "ext") -> Path:
    """Return the program made of fuzz.c; skips where the compiler knows no sanitizers."""
    command = [str(COMPILER), "-std=gnu99", "-Wall", "-Wextra", "-Werror", *options, "-I", str(headers)]
    done = subprocess.run([*command, str(SOURCE), "-o", str(target)], capture_output=True, text=True)
    if done.returncode and any(word in done.stderr for word in ("asan", "ubsan", "sanitize")):
        pytest.skip(f"no sanitizers: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    return target


def run(program: Path, runs: str = RUNS, seed: str = "1") -> subprocess.CompletedProcess[str]:
    return subprocess.run([program, runs, seed, *CORPUS], capture_output=True, text=True, timeout=600)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("kernels") / "fuzz", *SANITIZE)


@pytest.mark.parametrize("seed", ["1", "20261127"])
def test_no_kernel_differs_or_reads_outside(program: Path, seed: str) -> None:
    done = run(program, seed=seed)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert f"{len(CORPUS)} files, {RUNS} mutations" in done.stdout and "no difference" in done.stdout


def test_the_portable_kernels_are_c99_and_agree(tmp_path: Path) -> None:
    done = run(compiled(tmp_path / "fuzz", *SANITIZE, "-DFA_PORTABLE"))
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "highest level 0" in done.stdout
    only = tmp_path / "only.c"
    only.write_text('#include "kernels/columns.h"\nint main(void) { return fa_columns_setup(2); }\n')
    command = [str(COMPILER), "-std=c99", "-pedantic-errors", "-DFA_PORTABLE", "-I", str(ROOT / "ext")]
    strict = subprocess.run(
        [*command, str(only), "-o", str(tmp_path / "only")], capture_output=True, text=True
    )
    assert strict.returncode == 0, strict.stderr
    assert subprocess.run([tmp_path / "only"]).returncode == 0


def slow(*values: str) -> object:
    missing = os.environ.get("FOOBARA_ACCEL_SLOW") != "1"
    skip = pytest.mark.skipif(missing, reason="compiles once more; FOOBARA_ACCEL_SLOW=1")
    return pytest.param(*values, marks=[pytest.mark.slow, skip])


@pytest.mark.parametrize(
    ("file", "right", "wrong"),
    [
        # Rows at the edge of their memory are not copied in time.
        ("columns.h", "#define FA_IBAN_AFTER 34", "#define FA_IBAN_AFTER 25"),
        slow("columns.h", "#define FA_CARD_BEFORE 32", "#define FA_CARD_BEFORE 20"),
        # A class of characters, a bound of a view, the last offset, the check digits.
        slow("columns.h", "to->span[place] = letter ? 25 : 9", "to->span[place] = letter ? 26 : 9"),
        slow("columns.h", "(int64_t)view[3] + view[0] > rows->sizes[view[2]]", "0"),
        slow("columns.h", "if (count) bad |= (int64_t)next > most;", ""),
        slow("columns_avx2.h", "_mm_set1_epi32(96)", "_mm_set1_epi32(97)"),
        slow("columns_sse2.h", "check <= 96", "check <= 97"),
    ],
)
def test_a_planted_fault_is_found(tmp_path: Path, file: str, right: str, wrong: str) -> None:
    shutil.copytree(ROOT / "ext" / "kernels", tmp_path / "kernels")
    header = tmp_path / "kernels" / file
    text = header.read_text(encoding="utf-8")
    assert right in text
    header.write_text(text.replace(right, wrong), encoding="utf-8")
    done = run(compiled(tmp_path / "fuzz", "-O1", headers=tmp_path), runs="3000")
    assert done.returncode != 0, done.stdout
