"""Declares the extension modules, one per ext/*.pyx; everything else stands in pyproject.toml.

Environment:
    FOOBARA_ACCEL_BUILD     auto (default): compiled, or a py3-none-any build that says why not;
                            skip: pure; require: fail when anything does not compile.
                            Unset under a packager (see PACKAGERS) means require.
    FOOBARA_ACCEL_TRACE     1: line tracing for coverage of the .pyx files.
    FOOBARA_ACCEL_SANITIZE  a -fsanitize= value, for instance address,undefined.
"""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import ClassVar

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build import build
from setuptools.command.build_ext import build_ext

PACKAGERS = ("CIBUILDWHEEL", "CONDA_BUILD", "PIWHEELS_BUILD", "PYODIDE", "RPM_PACKAGE_NAME", "NIX_BUILD_TOP")
ROOT = Path(__file__).resolve().parent
RECORD = Path("foobara_accel", "_ext", "BUILD.json")
INCLUDE = ["ext", "ext/include"]


def build_mode() -> str:
    """Return auto, skip or require; SystemExit for anything else."""
    mode = os.environ.get("FOOBARA_ACCEL_BUILD") or ""
    if mode not in ("", "auto", "skip", "require"):
        raise SystemExit(f"FOOBARA_ACCEL_BUILD={mode!r} is not a build mode: use auto, skip or require")
    return mode or ("require" if any(os.environ.get(name) for name in PACKAGERS) else "auto")


MODE = build_mode()
TRACE = os.environ.get("FOOBARA_ACCEL_TRACE") == "1"
SANITIZE = os.environ.get("FOOBARA_ACCEL_SANITIZE") or ""
SWITCHES = {"trace": TRACE, "sanitize": SANITIZE}
CYTHON = [sys.executable, "-m", "cython"]
# Methods as CPython's own. A bound one (binding=True) does not look at what it is called on: a call on
# anything but an instance of its class reads memory that is not there. The signature stands in the docstring.
DIRECTIVES = ["-3", "-X", "binding=False,embedsignature=True,embedsignature.format=clinic"]
# Cython's own __setstate__ believes the state it is given: the wrong one is a crash. What pickles says how.
DIRECTIVES += ["-X", "auto_pickle=False"]
# On a free-threaded interpreter the import leaves the GIL off: what threads share is locked or per thread.
DIRECTIVES += ["-X", "freethreading_compatible=True"]
DIRECTIVES += ["-X", f"linetrace={TRACE}"]
# coverage's C tracer is the one that sees .pyx lines; through sys.monitoring they are lost (Cython 3.3).
MACROS = [("CYTHON_TRACE_NOGIL", "1"), ("CYTHON_USE_SYS_MONITORING", "0")] if TRACE else []


def flags(compiler: str) -> tuple[list[str], list[str]]:
    """Return compile and link arguments for *compiler*, a distutils compiler type."""
    if compiler == "msvc":
        return ["/O2"], []
    if SANITIZE:
        option = f"-fsanitize={SANITIZE}"
        return ["-O1", "-g", "-fno-omit-frame-pointer", option], [option]
    strip = {"darwin": ["-Wl,-S,-x"], "emscripten": []}.get(sys.platform, ["-s"])
    return ["-O3", "-g0"], strip


class BuildExt(build_ext):
    """Cython into the build directory, then C; the modules side by side, all of them or none."""

    def finalize_options(self) -> None:
        super().finalize_options()
        if self.parallel is None:
            self.parallel = os.cpu_count() or 1

    def run(self) -> None:
        state = self.distribution.__dict__
        state.setdefault("accel_reason", "FOOBARA_ACCEL_BUILD=skip")
        inplace = self.inplace
        if self.distribution.ext_modules:
            try:
                self.force = self.force or self._built_otherwise()
                super().run()
                state["accel_reason"] = ""
            # Whatever a compiler, a linker or Cython raises: auto promises a working pure package.
            except (Exception, SystemExit) as error:
                if MODE == "require":
                    raise
                state["accel_reason"] = told(error)
            finally:
                self.inplace = inplace  # setuptools clears it, and a failure leaves it so
        if state["accel_reason"]:
            self._discard()
        self._record(state["accel_reason"])

    def build_extension(self, ext: Extension) -> None:
        target = Path(self.get_ext_fullpath(ext.name))
        newest = max(Path(name).stat().st_mtime for name in (*ext.sources, *ext.depends))
        if not self.force and target.exists() and target.stat().st_mtime > newest:
            return
        source = Path(ext.sources[0])
        # Cython.Coverage looks for the C file beside the .pyx; any other build keeps it out of the tree.
        c_file = source.with_suffix(".c") if TRACE else Path(self.build_temp, "cython", source.stem + ".c")
        c_file.parent.mkdir(parents=True, exist_ok=True)
        include = [argument for name in INCLUDE for argument in ("-I", name)]
        command = [*CYTHON, *DIRECTIVES, *include, "--module-name", ext.name, str(source), "-o", str(c_file)]
        done = subprocess.run(command, capture_output=True, text=True)
        sys.stderr.write(done.stdout + done.stderr)
        if done.returncode:
            last = ((done.stderr or done.stdout).strip().splitlines() or ["no message"])[-1]
            raise RuntimeError(f"cython does not translate {source}: {last}")
        compiled = copy.copy(ext)
        compiled.sources = [str(c_file)]
        compiled.extra_compile_args, compiled.extra_link_args = flags(self.compiler.compiler_type)
        compiled.define_macros = MACROS
        super().build_extension(compiled)

    def get_source_files(self) -> list[str]:
        return []  # MANIFEST.in names the sources; setuptools would list .c files that never exist

    def _built_otherwise(self) -> bool:
        """True when build_lib holds modules built with other switches, which mtimes do not show."""
        try:
            record = json.loads(Path(self.build_lib, RECORD).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        return bool(record.get("switches") != SWITCHES)

    def _discard(self) -> None:
        for place in self._places():
            for stale in (place / RECORD.parent).glob("*" + sysconfig.get_config_var("EXT_SUFFIX")):
                stale.unlink()
        self.distribution.ext_modules = []
        self.extensions = []

    def _places(self) -> list[Path]:
        return [Path(self.build_lib), *([ROOT / "src"] if self.inplace else [])]

    def _record(self, reason: str) -> None:
        names = [ext.name for ext in self.distribution.ext_modules or []]
        record: dict[str, object] = {"mode": MODE, "compiled": names, "reason": reason, "switches": SWITCHES}
        if names:
            kind = self.compiler.compiler_type
            record["cython"] = first_line([*CYTHON, "--version"])
            command = self.compiler.compiler_so[:1] if kind != "msvc" else []
            record["compiler"] = first_line([*command, "--version"]) if command else kind
            record["flags"] = " ".join(argument for part in flags(kind) for argument in part)
        for place in self._places():
            (place / RECORD).parent.mkdir(parents=True, exist_ok=True)
            (place / RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        how = "accelerated (" + ", ".join(names) + ")" if names else f"pure Python ({reason})"
        sys.stderr.write(f"foobara-accel: this build is {how}\n")


class Build(build):
    """Always passes build_ext, which writes the build record of a pure build too."""

    sub_commands: ClassVar = [
        (name, None if name == "build_ext" else when) for name, when in build.sub_commands
    ]


def told(error: BaseException) -> str:
    """Return a failure in one line: of a compiler that ran its name and status, as its words stand above."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, subprocess.CalledProcessError):
        cause = cause.__cause__ or cause.__context__
    if cause is not None:
        program = cause.cmd if isinstance(cause.cmd, str) else cause.cmd[0]
        return f"{type(error).__name__}: {os.path.basename(program)} ended with status {cause.returncode}"
    return f"{type(error).__name__}: {error}".strip().partition("\n")[0]


def first_line(command: list[str]) -> str:
    """Return the first line a tool prints about itself, or why there is none."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.SubprocessError) as error:
        return f"unknown ({error})"
    return ((done.stdout or done.stderr).strip().splitlines() or ["unknown"])[0]


class BdistWheel(bdist_wheel):
    """A wheel whose tag says what is inside: without extension modules it is py3-none-any."""

    def run(self) -> None:
        if not self.skip_build:
            self.run_command("build_ext")  # may find that nothing compiles, which alters the tag
        self.root_is_pure = not self.distribution.ext_modules
        super().run()

    def get_tag(self) -> tuple[str, str, str]:
        self.root_is_pure = not self.distribution.ext_modules
        self.plat_name_supplied = self.plat_name_supplied and not self.root_is_pure
        return super().get_tag()


def extensions() -> list[Extension]:
    if MODE == "skip":
        return []
    sources = sorted((ROOT / "ext").glob("*.pyx"))
    headers = (path for path in (ROOT / "ext").rglob("*") if path.suffix in (".pxd", ".pxi", ".h"))
    shared = sorted(str(path.relative_to(ROOT)) for path in headers)
    return [
        Extension(
            f"foobara_accel._ext.{path.stem}",
            [str(path.relative_to(ROOT))],
            include_dirs=list(INCLUDE),
            depends=[*shared, "setup.py"],
        )
        for path in sources
    ]


setup(ext_modules=extensions(), cmdclass={"build": Build, "build_ext": BuildExt, "bdist_wheel": BdistWheel})
