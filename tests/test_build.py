"""What the build makes: tags that tell the truth, nothing generated inside, and a loud failure on demand.

Building takes a minute, so these run with FOOBARA_ACCEL_SLOW=1 (in `.ci/run --full`) only, but for the modes.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SWITCHES = ("FOOBARA_ACCEL_BUILD", "FOOBARA_ACCEL_TRACE", "FOOBARA_ACCEL_SANITIZE", "CIBUILDWHEEL", "CC")
slow = [
    pytest.mark.slow,
    pytest.mark.skipif(os.environ.get("FOOBARA_ACCEL_SLOW") != "1", reason="runs with FOOBARA_ACCEL_SLOW=1"),
]
pytestmark = pytest.mark.skipif(not (ROOT / "setup.py").exists(), reason="no source tree here")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of what a clone holds."""
    target = tmp_path / "tree"
    target.mkdir()
    for name in ("pyproject.toml", "setup.py", "MANIFEST.in", "LICENSE", "README.md"):
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, target / name)
    ignore = shutil.ignore_patterns("__pycache__", "*.so", "*.pyd", "*.c", "*.egg-info", "BUILD.json")
    for name in ("ext", "src"):
        shutil.copytree(ROOT / name, target / name, ignore=ignore)
    (target / "README.md").touch()
    return target


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


def test_an_unknown_mode_is_refused(tree):
    pytest.importorskip("setuptools.command.bdist_wheel")
    done = build(tree, "setup.py", "--version", FOOBARA_ACCEL_BUILD="yes")
    assert done.returncode != 0
    assert "FOOBARA_ACCEL_BUILD='yes' is not a build mode: use auto, skip or require" in done.stderr


@pytest.mark.parametrize("packager", ["CIBUILDWHEEL", "CONDA_BUILD", "PIWHEELS_BUILD"])
def test_a_packager_gets_an_error_not_a_fallback(tree, packager):
    pytest.importorskip("setuptools.command.bdist_wheel")
    pytest.importorskip("Cython")
    done = build(tree, "setup.py", "build_ext", CC="/bin/false", **{packager: "1"})
    assert done.returncode != 0


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

    @pytest.mark.parametrize("switches", [{"FOOBARA_ACCEL_BUILD": "skip"}, {"CC": "/bin/false"}])
    def test_a_wheel_without_extensions_is_none_any(self, tree, switches):
        file = wheel(tree, **switches)
        assert file.name.endswith("-py3-none-any.whl")
        assert not [name for name in members(file) if name.endswith((".so", ".pyd", ".c", ".pyx"))]
        record = record_of(file)
        assert record["compiled"] == []
        assert record["reason"]

    def test_require_fails_without_a_compiler(self, tree):
        done = build(tree, "setup.py", "build_ext", FOOBARA_ACCEL_BUILD="require", CC="/bin/false")
        assert done.returncode != 0

    def test_a_broken_extension_is_not_half_built(self, tree):
        (tree / "ext" / "zz_broken.pyx").write_text("def f(:\n")
        file = wheel(tree)
        assert file.name.endswith("-py3-none-any.whl")
        assert not [name for name in members(file) if name.endswith((".so", ".pyd"))]
        assert "zz_broken" in record_of(file)["reason"]

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
