"""The command line: what it answers to what cannot work."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from foobara_accel._targets import not_a_path
from foobara_accel.cli import main


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("import no_such_module_at_all", "No module named 'no_such_module_at_all'"),
        ("\nraise ValueError('no settings')", "ValueError: no settings ({file}:2)"),
        ("def broken(:", "invalid syntax"),
    ],
)
def test_warmup_names_the_module_that_cannot_be_imported(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    source: str,
    told: str,
) -> None:
    file = tmp_path / "cli_broken.py"
    file.write_text(source, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert main(["warmup", "cli_broken"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("foobara-accel warmup: cannot import cli_broken: ")
    assert told.format(file=file) in said.err and said.err.count("\n") == 1


def run(directory: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "foobara_accel", *words],
        env={**os.environ, **environment},
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "words", [["doctor"], ["check"], ["bench", "--quick"], ["bench", "compare", "a", "b"]]
)
def test_an_unknown_backend_is_refused_by_every_command(tmp_path: Path, words: list[str]) -> None:
    done = run(tmp_path, *words, FOOBARA_ACCEL_BACKEND="bogus")
    assert (done.returncode, done.stdout) == (1, "")
    assert "does not start: FOOBARA_ACCEL_BACKEND='bogus' is not a backend" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_help_is_there_where_no_backend_is(tmp_path: Path) -> None:
    for words in (
        ["--help"],
        ["doctor", "-h"],
        ["bench", "--help"],
        ["bench", "compare", "-h"],
        ["run", "-h"],
    ):
        done = run(tmp_path, *words, FOOBARA_ACCEL_BACKEND="bogus")
        assert done.returncode == 0 and done.stdout.startswith("usage: foobara-accel"), done.stderr
        assert "``" not in done.stdout


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("./okapp", "okapp"),
        ("./okapp.py", "okapp"),
        ("okapp.py", "okapp"),
        ("shop/commands.py", "shop.commands"),
        ("../elsewhere/okapp.py", "okapp"),
    ],
)
def test_a_path_for_a_module_is_told_what_to_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], path: str, name: str
) -> None:
    (tmp_path / "okapp.py").touch()
    (tmp_path / "calls.jsonl").write_text('{"command": "A", "inputs": {}}', encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    told = f"give a module name such as {name}, not a path\n"
    assert main(["warmup", path]) == 2
    assert capsys.readouterr().err == f"foobara-accel warmup: {path}: {told}"
    assert main(["bench", "--app", f"{path}:registry", "--inputs", "calls.jsonl"]) == 2
    assert capsys.readouterr().err == f"foobara-accel bench: error: --app '{path}:registry': {told}"
    assert not_a_path("okapp") == not_a_path("shop.commands") == not_a_path("absent.py") == ""


UNREGISTERED = """
from pydantic import BaseModel
from foobara_accel import Command

class Inputs(BaseModel):
    a: int

class Unregistered(Command[Inputs, int]):
    _domain = 7

    def execute(self):
        return 1
"""


def test_warmup_warms_what_is_alive_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "cli_parts.py").write_text(UNREGISTERED, encoding="utf-8")
    (tmp_path / "cli_whole.py").write_text("import cli_parts\n", encoding="utf-8")
    done = run(tmp_path, "warmup", "cli_whole")
    assert done.returncode == 1
    assert "Unregistered._domain is a Domain" in done.stdout
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "every command class alive then" in " ".join(capsys.readouterr().out.split())
