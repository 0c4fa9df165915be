"""Type checkers say of tests/typing/*.py what the comments there say.

``# reveal: TYPE`` is what each reveals, ``# error: both`` (or one of them) a line that it must refuse.
"""

import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import foobara_accel
from foobara_accel import typed
from foobara_accel._backend import MODULES

ROOT = Path(__file__).parents[1]
CASES = sorted((ROOT / "tests" / "typing").glob("*.py"))
COMMENT = re.compile(r"  # (reveal|error): (.+)$")

Said = dict[tuple[str, int], str]


def needs(module: str) -> None:
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed")


def environment() -> dict[str, str]:
    source = str(ROOT / "src")
    path = os.pathsep.join([source, *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "MYPYPATH": source, "PYTHONPATH": path, "NO_COLOR": "1"}


def expected(checker: str) -> Said:
    found: Said = {}
    for file in CASES:
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            if match := COMMENT.search(line):
                kind, words = match.groups()
                if kind == "reveal":
                    found[file.name, number] = words
                elif words in ("both", checker):
                    found[file.name, number] = "error"
    return found


def plain(type_: str) -> str:
    """Return a type without modules and marks, so that both checkers write it alike."""
    bare = re.sub(r"\b(?:\w+\.)+(?=\w)", "", type_).removesuffix("?")
    optional = re.fullmatch(r"Union\[(\w+), None\]", bare)
    return f"{optional[1]} | None" if optional else bare


def said_by_mypy(cache: Path) -> Iterator[tuple[tuple[str, int], str]]:
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", f"--cache-dir={cache}"]
    done = subprocess.run(
        [*command, "--no-error-summary", "--hide-error-context", *map(str, CASES)],
        capture_output=True,
        text=True,
        check=False,
        cwd=cache,
        env=environment(),
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    for line in done.stdout.splitlines():
        place, kind, words = re.fullmatch(r"(.+?:\d+): (error|note): (.*)", line).groups()  # type: ignore[union-attr]
        file, _, number = place.rpartition(":")
        if kind == "error":
            yield (Path(file).name, int(number)), "error"
        elif match := re.fullmatch(r'Revealed type is "(.*)"', words):
            yield (Path(file).name, int(number)), plain(match[1])


def said_by_pyright(directory: Path) -> Iterator[tuple[tuple[str, int], str]]:
    done = subprocess.run(
        [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable, *map(str, CASES)],
        capture_output=True,
        text=True,
        check=False,
        cwd=directory,
        env=environment(),
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    for found in json.loads(done.stdout)["generalDiagnostics"]:
        place = Path(found["file"]).name, found["range"]["start"]["line"] + 1
        if found["severity"] == "error":
            yield place, "error"
        elif match := re.fullmatch(r'Type of ".*" is "(.*)"', found["message"], re.DOTALL):
            yield place, plain(match[1])


def test_mypy_says_what_the_comments_say(tmp_path: Path) -> None:
    needs("mypy")
    assert dict(said_by_mypy(tmp_path)) == expected("mypy")


def test_pyright_says_what_the_comments_say(tmp_path: Path) -> None:
    needs("pyright")
    assert dict(said_by_pyright(tmp_path)) == expected("pyright")


def test_the_whole_public_api_has_types(tmp_path: Path) -> None:
    needs("pyright")
    done = subprocess.run(
        [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "--outputjson"]
        + ["--verifytypes", "foobara_accel", "--ignoreexternal"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=environment(),
    )
    report = json.loads(done.stdout)
    judged = report["typeCompleteness"]
    unclear = [each["name"] for each in judged["symbols"] if each["isExported"] and not each["isTypeKnown"]]
    assert (unclear, judged["completenessScore"]) == ([], 1)


def test_the_stubs_say_what_the_extensions_have(tmp_path: Path) -> None:
    needs("mypy")
    if not foobara_accel.backend().compiled:
        pytest.skip(f"no compiled backend: {foobara_accel.backend().reason}")
    modules = [f"foobara_accel._ext.{name}" for name in MODULES]
    allowed = ["--allowlist", str(ROOT / "tests" / "typing" / "stubtest.txt"), "--ignore-unused-allowlist"]
    done = subprocess.run(
        [sys.executable, "-m", "mypy.stubtest", *modules, "--concise", *allowed],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**environment(), "FOOBARA_ACCEL_BACKEND": "c"},
    )
    assert (done.stdout + done.stderr, done.returncode) == ("", 0)


def test_the_typed_classes_are_the_ordinary_ones() -> None:
    assert typed.Command is foobara_accel.Command
    assert typed.AsyncCommand is foobara_accel.AsyncCommand
