"""What ``foobara-accel doctor`` says of the types' room: registries, kernels, optional packages."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import foobara_accel
from foobara_accel import doctor
from foobara_accel.types import REGISTRY_RELEASE, phone_metadata
from foobara_py_here import needs_foobara_py, python

ROOT = Path(__file__).resolve().parent.parent
HAS_NUMPY = importlib.util.find_spec("numpy") is not None


def rows(report: dict) -> dict[str, str]:
    """The labels and texts that are shown; of a label that is there twice, the last."""
    return {line[2:13].strip(): line[14:] for line in doctor.render(report).splitlines()[1:]}


def test_registry_metadata_and_kernels_are_told() -> None:
    found = doctor.examine()["types"]
    assert REGISTRY_RELEASE in found["iban_registry"]
    assert re.search(r"\b10[0-9] prefixes$", found["iban_registry"])
    assert found["phone_metadata"] == phone_metadata()
    shown = rows(doctor.examine())
    assert shown["ibans"] == found["iban_registry"] and shown["phones"] == found["phone_metadata"]
    if not HAS_NUMPY:
        assert "columns" not in shown
    elif foobara_accel.backend().compiled:
        assert shown["columns"] in ("avx2 kernels", "sse2 kernels", "portable kernels")
    else:
        assert shown["columns"] == "numpy kernels"


def test_a_missing_package_is_told_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    version_of = doctor._version_of
    gone = {"nh3", "numpy"}
    monkeypatch.setattr(doctor, "_version_of", lambda name: None if name in gone else version_of(name))
    report = doctor.examine()
    told = [line.strip() for line in doctor.render(report).splitlines() if line.startswith("  missing")]
    missing = [name for name, _, _ in doctor.EXTRAS if report["types"]["packages"][name] is None]
    assert gone <= set(missing) and len(told) == len(missing)
    assert any(line.endswith("nh3, for sanitizing HTML: pip install 'foobara-accel[html]'") for line in told)
    assert "columns" not in rows(report)
    monkeypatch.setattr(doctor, "_version_of", lambda name: "1.0")
    assert "missing" not in rows(doctor.examine())


def test_what_an_installed_package_raises_is_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> str:
        raise OSError("metadata is damaged")

    monkeypatch.setattr(doctor, "_phone_metadata", broken)
    assert rows(doctor.examine())["phones"] == "OSError: metadata is damaged"


@pytest.mark.parametrize("version", [None, "0.0.1"])
def test_other_phone_metadata_than_the_table_has_is_seen(version: str | None) -> None:
    if version and importlib.util.find_spec("phonenumbers") is None:
        pytest.skip("phonenumbers is not installed")
    change = "sys.modules['phonenumbers'] = None" if version is None else f"table.VERSION = {version!r}"
    code = (
        "import sys\nfrom foobara_accel._pure import _phone_table as table\n"
        f"{change}\nfrom foobara_accel import doctor\nprint(doctor.to_json(doctor.examine()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)["types"]["phone_metadata"]
    assert ("no phonenumbers" in told) if version is None else ("phonenumbers decides about" in told)


def test_the_extras_are_those_of_the_package_and_of_its_import_errors() -> None:
    project = ROOT / "pyproject.toml"
    if not project.exists():
        pytest.skip("no source tree")
    declared = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    for name, extra, _ in doctor.EXTRAS:
        assert [re.split("[<>=;]", each)[0] for each in declared[extra]] == [name]
    package = Path(doctor.__file__).parent / "types"
    texts = "".join(path.read_text(encoding="utf-8") for path in package.rglob("*.py"))
    named = set(re.findall(r"foobara-accel\[(\w+)\]", texts))
    assert named == {extra for _, extra, _ in doctor.EXTRAS}


@needs_foobara_py
def test_the_repairs_are_those_that_the_environment_names() -> None:
    command = ["-m", "foobara_accel", "doctor"]
    told = python(*command, FOOBARA_ACCEL_FIXES="call-hooks").stdout
    assert re.search(r"\(call-hooks: repaired by install\(\)\)", told), told
    assert not re.search(r"\(rollback-on-escape: repaired by install\(\)\)", told), told
    wrong = python(*command, FOOBARA_ACCEL_FIXES="nope").stdout
    assert "FOOBARA_ACCEL_FIXES: no such repair: nope;" in wrong, wrong
