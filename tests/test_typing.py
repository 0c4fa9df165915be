"""Type checkers say of tests/typing/*.py what the comments there say.

``# reveal: TYPE`` is what each reveals, ``# error: both`` (or one of them) a line that it must refuse.
Checkers take seconds: they run with FOOBARA_ACCEL_SLOW=1 or CI=true, each once for all files.
"""

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import foobara_accel
from foobara_accel import typed
from foobara_accel._backend import MODULES

ROOT = Path(__file__).parents[1]
CASES = sorted((ROOT / "tests" / "typing").glob("*.py"))
COMMENT = re.compile(r"  # (reveal|error): (.+)$")

Said = dict[tuple[str, int], str]


def asked_for() -> bool:
    return os.environ.get("FOOBARA_ACCEL_SLOW") == "1" or os.environ.get("CI", "").lower() in ("1", "true")


slow = pytest.mark.slow
if not asked_for():
    slow = pytest.mark.skip(reason="runs with FOOBARA_ACCEL_SLOW=1 or CI=true")


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


def checked_by(
    directory: Path, *command: str, backend: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run ``python -m`` *command* in *directory*, where no configuration of ours is found."""
    return subprocess.run(
        [sys.executable, "-m", *command],
        capture_output=True,
        text=True,
        check=False,
        cwd=directory,
        env=environment() | ({"FOOBARA_ACCEL_BACKEND": backend} if backend else {}),
    )


@pytest.fixture(scope="session")
def said_by_mypy(tmp_path_factory: pytest.TempPathFactory) -> Said:
    needs("mypy")
    cache = tmp_path_factory.mktemp("mypy")
    options = [
        "--strict",
        "--config-file=",
        f"--cache-dir={cache}",
        "--no-error-summary",
        "--hide-error-context",
    ]
    done = checked_by(cache, "mypy", *options, *map(str, CASES))
    assert done.returncode in (0, 1), done.stdout + done.stderr
    said: Said = {}
    for line in done.stdout.splitlines():
        place, kind, words = re.fullmatch(r"(.+?:\d+): (error|note): (.*)", line).groups()  # type: ignore[union-attr]
        file, _, number = place.rpartition(":")
        if kind == "error":
            said[Path(file).name, int(number)] = "error"
        elif match := re.fullmatch(r'Revealed type is "(.*)"', words):
            said[Path(file).name, int(number)] = plain(match[1])
    return said


@pytest.fixture(scope="session")
def said_by_pyright(tmp_path_factory: pytest.TempPathFactory) -> Said:
    needs("pyright")
    options = ["--outputjson", "--pythonpath", sys.executable]
    done = checked_by(tmp_path_factory.mktemp("pyright"), "pyright", *options, *map(str, CASES))
    assert done.returncode in (0, 1), done.stdout + done.stderr
    said: Said = {}
    for found in json.loads(done.stdout)["generalDiagnostics"]:
        place = Path(found["file"]).name, found["range"]["start"]["line"] + 1
        if found["severity"] == "error":
            said[place] = "error"
        elif match := re.fullmatch(r'Type of ".*" is "(.*)"', found["message"], re.DOTALL):
            said[place] = plain(match[1])
    return said


def of_file(said: Said, file: Path) -> Said:
    return {place: words for place, words in said.items() if place[0] == file.name}


@slow
@pytest.mark.parametrize("file", CASES, ids=lambda file: file.stem)
def test_mypy_says_what_the_comments_say(said_by_mypy: Said, file: Path) -> None:
    assert of_file(said_by_mypy, file) == of_file(expected("mypy"), file)


@slow
@pytest.mark.parametrize("file", CASES, ids=lambda file: file.stem)
def test_pyright_says_what_the_comments_say(said_by_pyright: Said, file: Path) -> None:
    assert of_file(said_by_pyright, file) == of_file(expected("pyright"), file)


@slow
def test_the_whole_public_api_has_types(tmp_path: Path) -> None:
    needs("pyright")
    options = ["--pythonpath", sys.executable, "--outputjson", "--ignoreexternal"]
    done = checked_by(tmp_path, "pyright", *options, "--verifytypes", "foobara_accel")
    judged = json.loads(done.stdout)["typeCompleteness"]
    unclear = [each["name"] for each in judged["symbols"] if each["isExported"] and not each["isTypeKnown"]]
    assert (unclear, judged["completenessScore"]) == ([], 1)


@slow
def test_the_stubs_say_what_the_extensions_have(tmp_path: Path) -> None:
    needs("mypy")
    if not foobara_accel.backend().compiled:
        pytest.skip(f"no compiled backend: {foobara_accel.backend().reason}")
    modules = [f"foobara_accel._ext.{name}" for name in (*MODULES, "columns")]
    allowed = ["--allowlist", str(ROOT / "tests" / "typing" / "stubtest.txt"), "--ignore-unused-allowlist"]
    done = checked_by(tmp_path, "mypy.stubtest", *modules, "--concise", *allowed, backend="c")
    assert (done.stdout + done.stderr, done.returncode) == ("", 0)


def test_the_typed_classes_are_the_ordinary_ones() -> None:
    assert typed.Command is foobara_accel.Command
    assert typed.AsyncCommand is foobara_accel.AsyncCommand
