"""``python -m foobara_accel app.py [args]`` and ``-m module [args]``: run them with the drop-in on."""

from __future__ import annotations

import importlib.util
import io
import os
import runpy
import sys
import zipfile
from types import ModuleType

__all__ = ["run"]

_USAGE = "usage: foobara-accel [run] FILE [ARGUMENTS] | -m MODULE [ARGUMENTS]"


def run(words: list[str]) -> int:
    """Run the module or file that *words* name, as the interpreter would, and return the exit status.

    What the program raises leaves this function.
    """
    if not words or words == ["-m"]:
        print(_USAGE, file=sys.stderr)
        return 2
    if words[0] in ("-h", "--help"):
        print(_USAGE)
        print("Run FILE or MODULE as python would, with foobara_py replaced in place.")
        return 0
    if words[0] != "-m" and not os.path.exists(words[0]):
        print(f"foobara-accel: there is no file {words[0]}", file=sys.stderr)
        return 2
    from .. import auto  # noqa: F401

    if words[0] == "-m":
        return _module(words[1:])
    _file(words)
    return 0


def _module(words: list[str]) -> int:
    sys.argv = words
    if not _safe_path():
        sys.path[0] = os.getcwd()
    if missing := _missing(words[0]):
        print(f"foobara-accel: there is no module {missing}", file=sys.stderr)
        return 2
    runpy.run_module(words[0], run_name="__main__", alter_sys=True)
    return 0


def _missing(name: str) -> str:
    """Return the name of the module that *name* stands for if there is none, else an empty string."""
    # Not told by what run_module raises: a module that is there may miss another.
    try:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.submodule_search_locations is not None:
            name += ".__main__"
            spec = importlib.util.find_spec(name)
    except ModuleNotFoundError as error:
        if not f"{name}.".startswith(f"{error.name}."):
            raise
        spec = None  # a package that it would be in is missing
    except ValueError:
        return ""  # run_module says what is wrong with such a name
    return "" if spec else name


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
