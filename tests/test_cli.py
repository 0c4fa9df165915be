"""The command line: what it answers to what cannot work."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

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
