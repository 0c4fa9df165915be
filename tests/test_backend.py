"""The switch between the twins: what it takes, what it says, and what it does with a broken extension."""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import foobara_accel
from foobara_accel import _backend, _cpu
from foobara_accel.testing import load_twin

PACKAGE = Path(foobara_accel.__file__).parent
COMPILED = str(foobara_accel.backend()) == "c"
compiled_only = pytest.mark.skipif(not COMPILED, reason="no compiled backend here")
SAY = "import foobara_accel as f; b = f.backend(); print(b, b.reason, sep='|')"


def python(*arguments: str, backend: str | None = None, path: Path | None = None, **more: str):
    """Run the interpreter with the backend variable set as given and nothing else inherited of it."""
    environment = {key: value for key, value in os.environ.items() if key != _backend.VARIABLE}
    if backend is not None:
        environment[_backend.VARIABLE] = backend
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    environment.update(more)
    command = [sys.executable, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A directory with a copy of the package, extensions included, that a test may damage."""
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PACKAGE, tmp_path / "foobara_accel", ignore=ignore)
    return tmp_path


def damage(root: Path) -> None:
    """Leave a file that has the name of an extension module and is none."""
    name = f"{_backend.MODULES[0]}{sysconfig.get_config_var('EXT_SUFFIX')}"
    target = root / "foobara_accel" / "_ext" / name
    target.unlink(missing_ok=True)
    target.write_bytes(b"not an ELF file")


def test_py_pins_the_fallback():
    assert python("-c", SAY, backend="py").stdout.strip() == "py|FOOBARA_ACCEL_BACKEND=py"


@compiled_only
@pytest.mark.parametrize("value", ["auto", "c", "", None])
def test_the_extension_is_taken_where_it_loads(value):
    assert python("-c", SAY, backend=value).stdout.strip() == "c|the extension modules load"


@pytest.mark.parametrize("value", ["0", "1", "C", "pure", "python", " c", "true"])
def test_any_other_value_is_an_error_that_names_the_choices(value):
    done = python("-c", SAY, backend=value)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last == f"ImportError: FOOBARA_ACCEL_BACKEND={value!r} is not a backend: use auto, c or py"


def test_a_broken_extension_is_reported_by_auto_and_refused_by_c(copied):
    damage(copied)
    done = python("-c", SAY, backend="auto", path=copied)
    assert done.stdout.startswith("py|the extension does not load: ImportError: "), done.stderr

    done = python("-c", SAY, backend="c", path=copied)
    assert done.returncode == 1
    text = "ImportError: FOOBARA_ACCEL_BACKEND=c, but the extension does not load: ImportError: "
    assert text in done.stderr


def test_without_extensions_auto_says_what_is_missing(copied):
    for file in (copied / "foobara_accel" / "_ext").glob("*"):
        if file.name != "__init__.py" and file.is_file():
            file.unlink()
    done = python("-c", SAY, path=copied)
    assert done.stdout.startswith("py|the extension does not load: ModuleNotFoundError: "), done.stderr


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (
            '{"reason": "CompileError: no gcc\\nmore"}',
            "py|built without extension modules: CompileError: no gcc",
        ),
        ('{"reason": ""}', "py|the extension does not load: ModuleNotFoundError: "),
        ("{", "py|the extension does not load: ModuleNotFoundError: "),
        ("[]", "py|the extension does not load: ModuleNotFoundError: "),
    ],
)
def test_a_build_without_extensions_is_the_reason(copied, record, said):
    for file in (copied / "foobara_accel" / "_ext").glob("*"):
        if file.name != "__init__.py" and file.is_file():
            file.unlink()
    (copied / "foobara_accel" / "_ext" / "BUILD.json").write_text(record, encoding="utf-8")
    assert python("-c", SAY, path=copied).stdout.strip().startswith(said)


def test_doctor_says_once_why_a_build_has_no_extensions(copied):
    for file in (copied / "foobara_accel" / "_ext").glob("*"):
        if file.name != "__init__.py" and file.is_file():
            file.unlink()
    record = '{"mode": "auto", "compiled": [], "reason": "CompileError: no gcc"}'
    (copied / "foobara_accel" / "_ext" / "BUILD.json").write_text(record, encoding="utf-8")
    told = python("-m", "foobara_accel", "doctor", path=copied).stdout
    assert told.count("CompileError: no gcc") == 1 and "FOOBARA_ACCEL_BUILD=auto\n" in told
    told = python("-m", "foobara_accel", "doctor", backend="py", path=copied).stdout
    assert "FOOBARA_ACCEL_BUILD=auto: CompileError: no gcc\n" in told


def test_doctor_shows_the_modules_that_are_loaded_late():
    done = python("-m", "foobara_accel", "doctor", backend="py")
    assert "swap.py, loaded when asked for\n" in done.stdout


def test_one_missing_module_leaves_no_mixture(copied):
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    (copied / "foobara_accel" / "_ext" / f"{_backend.MODULES[-1]}{suffix}").unlink(missing_ok=True)
    show = "import foobara_accel as f; print({m.split('.')[1] for m in f.backend().modules.values()})"
    assert python("-c", show, path=copied).stdout.strip() == "{'_pure'}"


def test_the_answer_is_frozen_and_says_everything():
    active = foobara_accel.backend()
    assert active is foobara_accel.backend()
    assert str(active) in ("c", "py")
    assert active.compiled == (str(active) == "c")
    assert set(active.modules) == set(_backend.MODULES)
    assert all(sys.modules[path].__name__ == path for path in active.modules.values())
    assert isinstance(active.cpu, tuple)
    with pytest.raises(dataclasses.FrozenInstanceError):
        active.name = "py"
    with pytest.raises(TypeError):
        active.modules["errors"] = "elsewhere"
    assert hash(active) == hash(dataclasses.replace(active))


def test_the_twins_have_the_same_modules_and_sources():
    root = PACKAGE.parent.parent
    pure = {path.stem for path in (PACKAGE / "_pure").glob("*.py") if not path.stem.startswith("_")}
    assert pure == {*_backend.MODULES, *_backend.LATE}
    if (root / "ext").is_dir():
        assert {path.stem for path in (root / "ext").glob("*.pyx")} == pure


@compiled_only
@pytest.mark.parametrize("name", (*_backend.MODULES, *_backend.LATE))
def test_the_twins_export_the_same_public_names(name):
    def public(module):
        own = getattr(module, "__all__", None)
        return set(own) if own is not None else {key for key in vars(module) if not key.startswith("_")}

    if name == "columns":
        pytest.importorskip("numpy")
    compiled = importlib.import_module(f"foobara_accel._ext.{name}")
    pure = importlib.import_module(f"{load_twin('py').__name__}._pure.{name}")
    missing = {key for key in getattr(pure, "__all__", ()) if not hasattr(compiled, key)}
    assert not missing
    if hasattr(compiled, "__all__") and hasattr(pure, "__all__"):
        assert public(compiled) == public(pure)


def test_what_is_loaded_late_comes_from_the_active_side():
    side = "_ext" if foobara_accel.backend().compiled else "_pure"
    pytest.importorskip("numpy")
    for name in _backend.LATE:
        assert getattr(_backend, name).__name__ == f"foobara_accel.{side}.{name}"
        assert name not in foobara_accel.backend().modules
    with pytest.raises(AttributeError, match="has no attribute 'other'"):
        _ = _backend.other


def test_the_twin_is_pinned_separate_and_loaded_once():
    twin = load_twin("py")
    assert twin is load_twin()
    assert twin.__name__ == "foobara_accel__py"
    assert str(twin.backend()) == "py"
    assert twin.backend().reason == "pinned by testing.load_twin"
    assert all(path.startswith("foobara_accel__py._pure.") for path in twin.backend().modules.values())
    assert foobara_accel.backend() is not twin.backend()


@pytest.mark.parametrize("value", ["c", "auto", "", None])
def test_only_the_fallback_can_be_loaded_twice(value):
    with pytest.raises(ValueError, match="only 'py' can be loaded a second time"):
        load_twin(value)


def test_a_twin_that_cannot_be_loaded_leaves_nothing_behind(copied):
    lines = (
        "import sys; from foobara_accel.testing import load_twin\n"
        "open(sys.argv[1], 'a').write('raise OSError(1)\\n')\n"
        "try: load_twin()\n"
        "except OSError: print('foobara_accel__py' in sys.modules)\n"
    )
    target = copied / "foobara_accel" / "__init__.py"
    assert python("-c", lines, str(target), path=copied).stdout.strip() == "False"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("flags\t\t: fpu sse2 ssse3 sse4_1 avx2 hypervisor\n", ("sse2", "ssse3", "sse4_1", "avx2")),
        ("processor : 0\nFeatures\t: fp asimd sve\n", ("neon", "sve")),
        ("", ()),
    ],
)
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc is Linux's")
def test_cpu_features_are_read_from_proc(tmp_path, text, expected):
    file = tmp_path / "cpuinfo"
    file.write_text(text)
    assert _cpu.cpu_features(str(file)) == expected
    assert _cpu.cpu_features(str(tmp_path / "missing")) == ()


def test_doctor_says_which_backend_and_why():
    done = python("-m", "foobara_accel", "doctor", backend="py")
    assert done.returncode == 0, done.stderr
    first = done.stdout.splitlines()[0]
    assert first == f"foobara-accel {foobara_accel.__version__}: pure Python (FOOBARA_ACCEL_BACKEND=py)"
    for label in ("asked for", "module", "built", "cpu", "python", "packages", "guard", "gc"):
        assert any(line.strip().startswith(label) for line in done.stdout.splitlines()), label


def test_doctor_as_json_keeps_the_stored_error(copied):
    damage(copied)
    done = python("-m", "foobara_accel", "doctor", "--json", path=copied)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["backend"]["name"] == "py"
    assert report["backend"]["error"]["type"] == "ImportError"
    assert report["backend"]["error"]["path"].endswith(sysconfig.get_config_var("EXT_SUFFIX"))
    assert report["guard"].keys() == {"on", "reason"}
    assert report["gc"]["thresholds"]
    assert report["packages"]["pydantic"]


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (["--version"], 0, f"foobara-accel {foobara_accel.__version__}"),
        (["--help"], 0, "doctor"),
        ([], 2, "the following arguments are required: COMMAND"),
        (["unknown"], 2, "invalid choice"),
        (["warmup"], 2, "MODULE"),
        (["warmup", "no_such_module_here"], 2, "cannot import no_such_module_here"),
    ],
)
def test_the_command_line_answers_use_and_misuse(arguments, status, text):
    done = python("-m", "foobara_accel", *arguments)
    assert done.returncode == status, done.stderr
    assert text in done.stdout + done.stderr


def test_warmup_compiles_what_a_module_registers(tmp_path):
    (tmp_path / "orders.py").write_text(
        "from pydantic import BaseModel\n"
        "from foobara_accel.core.command import Command\n"
        "from foobara_accel.core.registry import register\n"
        "class Inputs(BaseModel):\n    a: int\n"
        "@register\nclass Order(Command[Inputs, int]):\n"
        "    def execute(self) -> int:\n        return self.inputs.a\n"
    )
    source = str(PACKAGE.parent)
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    environment["PYTHONPATH"] = source
    command = [sys.executable, "-m", "foobara_accel", "warmup", "orders"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "1" in done.stdout
