"""``python -m foobara_accel app.py [args]`` and ``-m module [args]``: run them with the drop-in on."""

from __future__ import annotations

import builtins
import importlib.util
import io
import os
import sys
import zipfile
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader, SourcelessFileLoader
from types import ModuleType
from typing import Any

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
    from . import fixes_of_the_environment

    try:
        fixes_of_the_environment()
    except ValueError as error:
        print(f"foobara-accel: {error}", file=sys.stderr)
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
    name, spec = _found(words[0])
    if spec is None:
        print(f"foobara-accel: there is no module {name}", file=sys.stderr)
        return 2
    words[0] = str(spec.origin)
    _execute(spec)
    return 0


def _found(name: str) -> tuple[str, ModuleSpec | None]:
    """Return the name of the module that *name* stands for, and its specification if there is one."""
    # Not told by what importing raises: a module that is there may miss another.
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
        spec = None  # no name of a module
    return name, spec


def _file(words: list[str]) -> None:
    path = words[0]
    sys.argv = words
    if os.path.isdir(path) or zipfile.is_zipfile(path):
        place = os.path.abspath(path)
        if _safe_path():
            sys.path.insert(0, place)
        else:
            sys.path[0] = place
        spec = PathFinder.find_spec("__main__", [place])
        if spec is None:
            raise ImportError(f"can't find '__main__' module in {path!r}", name="__main__", path=place)
        _execute(spec)
        return
    if not _safe_path():
        sys.path[0] = os.path.dirname(os.path.realpath(path))
    full = os.path.abspath(path)
    if path.endswith(".pyc"):
        bare = SourcelessFileLoader("__main__", full)
        _run_as_main(bare.get_code("__main__"), full, bare)
        return
    with io.open_code(path) as file:
        source = file.read()
    _run_as_main(compile(source, full, "exec", dont_inherit=True), full, SourceFileLoader("__main__", full))


def _execute(spec: ModuleSpec) -> None:
    loader: Any = spec.loader
    code = loader.get_code(spec.name) if hasattr(loader, "get_code") else None
    if code is None:
        raise ImportError(f"No code object available for {spec.name}", name=spec.name)
    _run_as_main(code, spec.origin, loader, spec)


def _run_as_main(code: Any, file: str | None, loader: Any, spec: ModuleSpec | None = None) -> None:
    # Not by runpy, which takes the module out of sys.modules when the code has ended: threads and exit
    # handlers of the program may pickle what it defines.
    module = ModuleType("__main__")
    names = module.__dict__
    names.update(
        __builtins__=builtins,
        __file__=file,
        __loader__=loader,
        __package__=None if spec is None else spec.parent,
        __spec__=spec,
    )
    if sys.version_info < (3, 14):
        names["__annotations__"] = {}
    if sys.version_info < (3, 15):
        names["__cached__"] = None if spec is None else spec.cached
    sys.modules["__main__"] = module
    exec(code, names)


def _safe_path() -> bool:
    return bool(sys.flags.safe_path)
