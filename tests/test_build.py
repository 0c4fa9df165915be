"""What the build makes: tags that tell the truth, nothing generated inside, and a loud failure on demand.

The modes are held on a tree with one small module. Building the real ones takes minutes and runs with
FOOBARA_ACCEL_SLOW=1 (in `.ci/run --part wheels`).
"""

from __future__ import annotations

import json
import os
import runpy
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGERS = ("CIBUILDWHEEL", "CONDA_BUILD", "PIWHEELS_BUILD", "PYODIDE", "RPM_PACKAGE_NAME", "NIX_BUILD_TOP")
SWITCHES = ("FOOBARA_ACCEL_BUILD", "FOOBARA_ACCEL_TRACE", "FOOBARA_ACCEL_SANITIZE", "CC", *PACKAGERS)
NO_COMPILER = {"CC": "/bin/false"}
slow = [
    pytest.mark.slow,
    pytest.mark.skipif(os.environ.get("FOOBARA_ACCEL_SLOW") != "1", reason="runs with FOOBARA_ACCEL_SLOW=1"),
]
pytestmark = pytest.mark.skipif(not (ROOT / "setup.py").exists(), reason="no source tree here")


def copied(target: Path) -> Path:
    target.mkdir()
    for name in ("pyproject.toml", "setup.py", "MANIFEST.in", "LICENSE", "README.md"):
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, target / name)
    ignore = shutil.ignore_patterns("__pycache__", "*.so", "*.pyd", "*.c", "*.egg-info", "BUILD.json")
    for name in ("ext", "src"):
        shutil.copytree(ROOT / name, target / name, ignore=ignore)
    (target / "README.md").touch()
    return target


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of what a clone holds."""
    return copied(tmp_path / "tree")


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """The same with one module that takes no time to compile."""
    for module in ("setuptools", "Cython", "build"):
        pytest.importorskip(module)
    made = copied(tmp_path / "small")
    shutil.rmtree(made / "ext")
    (made / "ext").mkdir()
    (made / "ext" / "tiny.pyx").write_text("def one():\n    return 1\n")
    return made


def build(tree: Path, *arguments: str, **switches: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key not in SWITCHES}
    environment |= switches
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, cwd=tree, env=environment, capture_output=True, text=True, timeout=900, check=False
    )


def wheel(tree: Path, **switches: str) -> Path:
    pytest.importorskip("build")
    done = build(tree, "-m", "build", "--no-isolation", "--wheel", **switches)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    (found,) = (tree / "dist").glob("*.whl")
    return found


def record_of(file: Path) -> dict:
    with zipfile.ZipFile(file) as archive:
        return json.loads(archive.read("foobara_accel/_ext/BUILD.json"))


def members(file: Path) -> list[str]:
    if file.suffix == ".whl":
        with zipfile.ZipFile(file) as archive:
            return archive.namelist()
    with tarfile.open(file) as archive:
        return archive.getnames()


def symbols(file: Path) -> set[str]:
    """The names of the sections of each ELF module in a wheel that stripping removes."""
    found = set()
    with zipfile.ZipFile(file) as archive:
        for name in archive.namelist():
            if name.endswith(".so"):
                data = archive.read(name)
                found |= {section for section in (".symtab", ".debug_info") if section.encode() in data}
    return found


def mode_of(monkeypatch: pytest.MonkeyPatch, **switches: str) -> str:
    """Return what setup.py makes of an environment."""
    setuptools = pytest.importorskip("setuptools")
    for name in SWITCHES:
        monkeypatch.delenv(name, raising=False)
    for name, value in switches.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(setuptools, "setup", lambda **given: None)
    return runpy.run_path(str(ROOT / "setup.py"))["MODE"]


class TestModes:
    """FOOBARA_ACCEL_BUILD: what it means, and who gets no fallback without having asked for it."""

    def test_auto_is_the_default(self, monkeypatch):
        assert mode_of(monkeypatch) == "auto"
        assert mode_of(monkeypatch, FOOBARA_ACCEL_BUILD="") == "auto"

    @pytest.mark.parametrize("packager", PACKAGERS)
    def test_a_packager_gets_an_error_not_a_fallback(self, monkeypatch, packager):
        assert mode_of(monkeypatch, **{packager: "1"}) == "require"
        assert mode_of(monkeypatch, FOOBARA_ACCEL_BUILD="auto", **{packager: "1"}) == "auto"
        assert mode_of(monkeypatch, FOOBARA_ACCEL_BUILD="skip", **{packager: "1"}) == "skip"

    @pytest.mark.parametrize("value", ["yes", "0", "AUTO", " skip"])
    def test_an_unknown_mode_is_refused(self, monkeypatch, value):
        with pytest.raises(SystemExit) as stop:
            mode_of(monkeypatch, FOOBARA_ACCEL_BUILD=value)
        text = f"FOOBARA_ACCEL_BUILD={value!r} is not a build mode: use auto, skip or require"
        assert str(stop.value) == text

    def test_a_skipped_build_says_so(self, small):
        done = build(small, "setup.py", "build_ext", FOOBARA_ACCEL_BUILD="skip")
        assert done.returncode == 0
        assert "foobara-accel: this build is pure Python (FOOBARA_ACCEL_BUILD=skip)" in done.stderr


class TestFallback:
    """What a build does that cannot compile, on a tree with one small module."""

    pytestmark = slow

    @pytest.mark.parametrize("switches", [NO_COMPILER, {"FOOBARA_ACCEL_BUILD": "skip"}], ids=["auto", "skip"])
    def test_without_extensions_the_wheel_is_none_any_and_the_build_says_so(self, small, switches):
        done = build(small, "-m", "build", "--no-isolation", "--wheel", **switches)
        assert done.returncode == 0, done.stderr[-2000:]
        assert "foobara-accel: this build is pure Python (" in done.stdout + done.stderr
        (file,) = (small / "dist").glob("*.whl")
        assert file.name.endswith("-py3-none-any.whl")
        assert not [name for name in members(file) if name.endswith((".so", ".pyd", ".c", ".pyx"))]
        record = record_of(file)
        assert record["compiled"] == []
        assert record["reason"] and "\n" not in record["reason"] and len(record["reason"]) < 100

    @pytest.mark.parametrize("switch", [{"FOOBARA_ACCEL_BUILD": "require"}, {"CIBUILDWHEEL": "1"}], ids=str)
    def test_require_fails_without_a_compiler(self, small, switch):
        done = build(small, "setup.py", "build_ext", **switch, **NO_COMPILER)
        assert done.returncode != 0
        assert "this build is" not in done.stderr

    def test_a_broken_module_leaves_none(self, small):
        (small / "ext" / "zz_broken.pyx").write_text("def f(:\n")
        file = wheel(small)
        assert file.name.endswith("-py3-none-any.whl")
        assert not [name for name in members(file) if name.endswith((".so", ".pyd"))]
        assert "zz_broken" in record_of(file)["reason"]

    def test_a_failure_in_place_leaves_no_module_of_an_earlier_build(self, small):
        first = build(small, "setup.py", "build_ext", "--inplace")
        assert "foobara-accel: this build is accelerated (foobara_accel._ext.tiny)" in first.stderr
        built = small / "src" / "foobara_accel" / "_ext"
        assert list(built.glob("tiny.*.so")) or list(built.glob("tiny.*.pyd"))
        os.utime(small / "ext" / "tiny.pyx", (2e9, 2e9))
        assert build(small, "setup.py", "build_ext", "--inplace", **NO_COMPILER).returncode == 0
        assert not list(built.glob("tiny.*.so")) and not list(built.glob("tiny.*.pyd"))
        assert json.loads((built / "BUILD.json").read_text())["compiled"] == []


def test_no_generated_c_is_tracked():
    done = subprocess.run(["git", "-C", str(ROOT), "ls-files"], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("no git checkout")
    names = done.stdout.splitlines()
    assert not [name for name in names if name.endswith((".so", ".pyd", "BUILD.json"))]
    # A C file with a .pyx beside it is what Cython made of it.
    assert not [name for name in names if name.endswith(".c") and f"{name[:-2]}.pyx" in names]


class TestWheels:
    pytestmark = slow

    def test_a_compiled_wheel_holds_every_module_and_nothing_generated(self, tree):
        file = wheel(tree, FOOBARA_ACCEL_BUILD="require")
        names = members(file)
        suffix = sysconfig.get_config_var("EXT_SUFFIX")
        assert not file.name.endswith("none-any.whl")
        wanted = {f"foobara_accel/_ext/{path.stem}{suffix}" for path in (ROOT / "ext").glob("*.pyx")}
        assert wanted
        assert wanted <= set(names)
        assert not [name for name in names if name.endswith((".c", ".pyx", ".pxd", ".h"))]
        assert not list((tree / "ext").glob("*.c"))
        record = record_of(file)
        assert record["mode"] == "require"
        assert record["reason"] == ""
        assert record["cython"].startswith("Cython version")
        assert "-g0" in record["flags"] or record["compiler"] == "msvc"
        assert sys.platform != "linux" or symbols(file) == set()

    def test_the_sdist_builds_the_wheel(self, tree, tmp_path):
        pytest.importorskip("build")
        done = build(tree, "-m", "build", "--no-isolation", "--sdist")
        assert done.returncode == 0, done.stderr[-2000:]
        (archive,) = (tree / "dist").glob("*.tar.gz")
        names = members(archive)
        assert any(name.endswith("ext/errors.pyx") for name in names)
        assert any(name.endswith("/LICENSE") for name in names)
        assert not [name for name in names if name.endswith((".so", ".pyd", "BUILD.json", ".pyc"))]
        with tarfile.open(archive) as opened:
            opened.extractall(tmp_path / "unpacked", filter="data")
        (unpacked,) = (tmp_path / "unpacked").iterdir()
        assert not wheel(unpacked, FOOBARA_ACCEL_BUILD="require").name.endswith("none-any.whl")
