"""``foobara-accel check``: the recorded answers hold on both backends, and a difference is shown."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from types import ModuleType

import pytest

import foobara_accel
from foobara_accel import _corpus, check, cli
from foobara_accel._corpus import CASES

COMPILED = str(foobara_accel.backend()) == "c"


@pytest.fixture(scope="session")
def recorded() -> dict:
    if os.environ.get("FOOBARA_ACCEL_RECORD") == "1":
        from foobara_accel.testing import load_twin

        assert not [name for name in CASES if check.lacking(name)], "record with all that the cases take"
        made = check.answers(load_twin("py"))
        check.RECORD.write_text(json.dumps(made, separators=(",", ":")) + "\n", encoding="utf-8")
    return check.recorded()


@pytest.mark.parametrize("name", CASES)
def test_each_case_answers_as_recorded(fa: ModuleType, recorded: dict, name: str) -> None:
    if needed := check.lacking(name):
        pytest.skip(f"{needed} is not installed")
    assert check.answers_of(fa, name) == recorded[name]


def test_no_case_is_an_accident(recorded: dict) -> None:
    assert recorded.keys() == CASES.keys()
    broken = [name for name, answer in recorded.items() if isinstance(answer, dict) and "raises" in answer]
    assert broken == []


def test_check_agrees_here() -> None:
    report = check.run()
    assert report.agrees, check.render(report)
    assert report.cases + len(report.left_out) == len(CASES)
    assert report.values > 1000
    assert (report.note == "") == COMPILED
    assert check.render(report).splitlines()[-1].startswith(f"ok: {report.left} = {report.right} (")
    assert json.loads(check.to_json(report))["agrees"] is True


def test_a_difference_is_shown_and_is_the_exit_status(monkeypatch, capsys) -> None:
    seen = []

    def differs(sub: _corpus.Sub) -> object:
        seen.append(sub)
        return {"value": [1, len(seen)]}

    monkeypatch.setattr(check, "CASES", {"differs": differs})
    monkeypatch.setattr(check, "recorded", lambda: {"differs": {"value": [1, 3]}})
    report = check.run()
    assert not report.agrees
    assert (report.mismatches[0].case, report.mismatches[0].place) == ("differs", "answer['value'][1]")
    seen.clear()
    assert cli.main(["check"]) == 1
    assert "DIFFERENT" in capsys.readouterr().out
    seen.clear()
    assert cli.main(["check", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["agrees"] is False


def test_what_a_missing_package_leaves_out_is_named(monkeypatch) -> None:
    whole = check.run()
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "numpy" else found(name))
    report = check.run()
    assert report.agrees and report.cases == whole.cases - ("columns (needs numpy)" not in whole.left_out)
    assert "columns (needs numpy)" in report.left_out
    assert "columns (needs numpy)" in check.render(report).splitlines()[0 if COMPILED else 1]
    assert "columns" not in check.answers(foobara_accel)


@pytest.mark.parametrize("version", ["", "0.0.1"])
def test_the_answers_hold_whatever_phonenumbers_is_installed(version: str) -> None:
    """Without it the table answers, and with other metadata than the table's phonenumbers does."""
    gone = "sys.modules['phonenumbers'] = None" if not version else f"table.VERSION = {version!r}"
    code = (
        "import sys\nfrom foobara_accel import check\nfrom foobara_accel._pure import _phone_table as table\n"
        f"{gone}\nfrom foobara_accel.types import phone_metadata\n"
        "import foobara_accel\n"
        "assert check.answers_of(foobara_accel, 'phones') == check.recorded()['phones']\n"
        "print(phone_metadata())"
    )
    if version and check.lacking("dialled_phones"):
        pytest.skip("phonenumbers is not installed")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("left", "right", "place"),
    [
        ({"a": 1}, {"a": True}, "answer['a']"),
        ({"a": 1}, {"a": 1, "b": 2}, "answer"),
        ([1, 2], [1], "answer"),
        ([[1], [2]], [[1], ["2"]], "answer[1][0]"),
        (None, {}, "answer"),
    ],
)
def test_the_first_difference_is_located(left, right, place) -> None:
    found = check._difference(left, right, "answer")
    assert found is not None
    assert found[0] == place
    assert check._difference(left, left, "answer") is None


def test_plain_keeps_apart_what_equality_confuses() -> None:
    values = [1, True, 1.0, "1", b"1", float("nan"), -0.0, 0.0, 2**70, None, (1,), ["1"]]
    shown = [json.dumps(_corpus.plain(value)) for value in values]
    assert len(set(shown)) == len(values)


@pytest.mark.skipif(os.name != "posix", reason="a shell and its pipes")
def test_a_reader_that_goes_early_is_no_traceback() -> None:
    # The read end is closed before anything is written.
    reading, writing = os.pipe()
    os.close(reading)
    try:
        command = [sys.executable, "-m", "foobara_accel", "doctor"]
        done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")
