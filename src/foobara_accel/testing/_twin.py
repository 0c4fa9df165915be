"""A second copy of the package with its backend pinned, beside the first in one process."""

from __future__ import annotations

import importlib.util
import sys
import threading
from pathlib import Path
from types import ModuleType

_lock = threading.Lock()


def load_twin(backend: str = "py") -> ModuleType:
    """Return the package executed a second time with *backend* (``py``) pinned.

    The copy has its own classes: compare results by value. Raises ValueError for any other backend,
    since an extension module exists once in a process.
    """
    if backend != "py":
        raise ValueError(f"load_twin({backend!r}): only 'py' can be loaded a second time")
    root = __name__.split(".")[0]
    if root.endswith("__py"):
        return sys.modules[root]
    name = f"{root}__{backend}"
    with _lock:
        if name in sys.modules:
            return sys.modules[name]
        path = Path(__file__).resolve().parent.parent
        spec = importlib.util.spec_from_file_location(
            name, path / "__init__.py", submodule_search_locations=[str(path)]
        )
        if spec is None or spec.loader is None:
            raise ImportError(f"no loader for {path}", name=name)
        module = importlib.util.module_from_spec(spec)
        module.__dict__["_pinned_backend"] = backend
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
        return module
