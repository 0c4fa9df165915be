"""``python -m foobara_accel app.py [args]`` and ``-m module [args]``: run them with the drop-in on."""

from __future__ import annotations

import io
import os
import runpy
import sys
import zipfile
from types import ModuleType

__all__ = ["run"]


def run(words: list[str]) -> int:
    """Run the module or file that *words* name, as the interpreter would, and return the exit status.

    What the program raises leaves this function.
    """
    if not words or words == ["-m"]:
        print("usage: foobara-accel [run] FILE [ARGUMENTS] | -m MODULE [ARGUMENTS]", file=sys.stderr)
        return 2
    if words[0] != "-m" and not os.path.exists(words[0]):
        print(f"foobara-accel: there is no file {words[0]}", file=sys.stderr)
        return 2
    from .. import auto  # noqa: F401

    if words[0] == "-m":
        _module(words[1:])
    else:
        _file(words)
    return 0


def _module(words: list[str]) -> None:
    sys.argv = words
    if not _safe_path():
        sys.path[0] = os.getcwd()
    runpy.run_module(words[0], run_name="__main__", alter_sys=True)


def _file(words: list[str]) -> None:
    path = words[0]
    sys.argv = words
    if os.path.isdir(path) or path.endswith(".pyc") or zipfile.is_zipfile(path):
        runpy.run_path(path, run_name="__main__")
        return
    with io.open_code(path) as file:
        source = file.read()
    if not _safe_path():
        sys.path[0] = os.path.dirname(os.path.realpath(path))
    # In sys.modules for good, as threads and exit handlers of the program may pickle what it defines.
    module = ModuleType("__main__")
    module.__dict__.update(__file__=os.path.abspath(path), __builtins__=__builtins__)
    sys.modules["__main__"] = module
    exec(compile(source, os.path.abspath(path), "exec", dont_inherit=True), module.__dict__)


def _safe_path() -> bool:
    return bool(sys.flags.safe_path)
