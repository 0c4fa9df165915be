"""The C kernels of columns and HTML alone: compiled with sanitizers, between guard pages, from a corpus."""

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
if COMPILER and subprocess.run([COMPILER, "--version"], capture_output=True).returncode:
    COMPILER = None  # CC=/bin/false is how one says that there is none
RUNS = os.environ.get("FOOBARA_ACCEL_FUZZ_RUNS", "2000")
SANITIZE = ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]

pytestmark = [
    pytest.mark.skipif(COMPILER is None, reason="no C compiler here"),
    pytest.mark.skipif(sys.platform == "win32", reason="the guard pages are mmap's"),
    pytest.mark.skipif(
        not SOURCE.exists() or not (ROOT / "ext").is_dir(), reason="C stands in a checkout or sdist alone"
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


HTML = """
#include "kernels/html.h"
#include <stdio.h>
#include <stdlib.h>
static int check(int width, size_t n, size_t at, uint32_t c) {
    /* Memory of exactly that size: a byte more is the sanitizer's. */
    size_t i;
    int plain;
    uint8_t *s = malloc(n * width + !n);
    for (i = 0; i < n; i++) {
        uint32_t here = i == at ? c : 'a' + (uint32_t)(i % 3);
        if (width == 1) s[i] = (uint8_t)here;
        else if (width == 2) ((uint16_t *)s)[i] = (uint16_t)here;
        else ((uint32_t *)s)[i] = here;
    }
    plain = width == 1 ? fa_html_plain_1(s, n)
          : width == 2 ? fa_html_plain_2((uint16_t *)s, n) : fa_html_plain_4((uint32_t *)s, n);
    free(s);
    return plain;
}
int main(void) {
    static const uint32_t bad[] = {0, '\\r', '&', '<', '>', 0xa0, 0xd800, 0xdfff};
    static const uint32_t good[] = {'=', 0x8d, 0xbc, 0xff};
    int most, width;
    size_t n, at, k;
    for (most = 0; most <= 2; most++) {
        fa_html_setup(most);
        for (width = 1; width <= 4; width *= 2)
            for (n = 0; n < 300; n += 1 + n / 60)
                for (at = 0; at <= n; at++) {
                    for (k = 0; k < (width == 1 ? 6u : 8u); k++)
                        if (check(width, n, at, bad[k]) != (at == n)) return 1;
                    for (k = 0; k < 4; k++)
                        if (!check(width, n, at, good[k])) return 1;
                }
    }
    printf("level %d\\n", fa_html_setup(2));
    return 0;
}
"""


@pytest.mark.parametrize("options", [[], ["-DFA_PORTABLE"]], ids=["vectors", "portable"])
def test_the_html_kernel_reads_nothing_outside(tmp_path: Path, options: list[str]) -> None:
    (tmp_path / "html.c").write_text(HTML, encoding="utf-8")
    standard = ["-std=c99", "-pedantic-errors"] if options else ["-std=gnu99"]
    command = [str(COMPILER), *standard, "-Wall", "-Wextra", "-Werror", *SANITIZE, *options]
    command += ["-I", str(ROOT / "ext"), str(tmp_path / "html.c"), "-o", str(tmp_path / "html")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode and any(word in done.stderr for word in ("asan", "ubsan", "sanitize")):
        pytest.skip(f"no sanitizers: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    found = subprocess.run([tmp_path / "html"], capture_output=True, text=True, timeout=600, check=False)
    assert (found.returncode, found.stderr) == (0, ""), found.stdout
    if options:
        assert found.stdout == "level 0\n"


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
        slow(
            "columns_avx2.h",
            "missing = _mm256_setr_epi8(0, 4, 8, 2, 6, 0,",
            "missing = _mm256_setr_epi8(0, 4, 8, 2, 6, 1,",
        ),
        slow(
            "columns_avx2.h",
            "_mm256_subs_epu8(most, _mm256_set1_epi8(9))",
            "_mm256_subs_epu8(most, _mm256_set1_epi8(10))",
        ),
        # Eight views at once: their buffer, their length, what a card's kernel reads before it, what follows.
        slow("columns_avx2.h", "_mm256_set1_epi32(which))", "_mm256_unpacklo_epi64(half[0], half[2]))"),
        slow("columns_avx2.h", "_mm256_set1_epi32(21)), starts)", "_mm256_set1_epi32(2100)), starts)"),
        slow("columns_avx2.h", "which, FA_CARD_BEFORE, &lengths", "which, 0, &lengths"),
        slow("columns_avx2.h", "- FA_IBAN_AFTER - before", "- before"),
        slow("columns_avx2.h", "(fa_first + FA_IBAN_MAX - length)", "fa_last"),
        # What the columns are held against.
        slow("checks.h", "check < 2 || check > 98", "check < 2 || check > 99"),
        slow("checks.h", "FA_EACH(0x7b)", "FA_EACH(0x7c)"),
        slow("checks.h", "+ FA_EACH(0x1f))", "+ FA_EACH(0x20))"),
        slow("html.h", "s += 4 * (one), left -= 4 * (one)", "s += 4 * (one), left -= 5 * (one)"),
        slow("html.h", "found(s + left - (one))", "found(s)"),
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
