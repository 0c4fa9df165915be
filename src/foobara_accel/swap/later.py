"""Installing at the first import of foobara_py: nothing is imported before the application does it."""

from __future__ import annotations

import sys
from _thread import get_ident
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from .target import ROOT

__all__ = ["Later"]


class Later:
    """A finder that waits for foobara_py: it calls *found* once that is executed, or *missing*."""

    waits = True

    def __init__(
        self,
        found: Callable[[], Any],
        missing: Callable[[], Any],
        failed: Callable[[Exception], Any],
    ) -> None:
        self._found = found
        self._missing = missing
        self._failed = failed
        self._asking: set[int] = set()

    def add(self) -> None:
        """Begin to wait."""
        if self not in sys.meta_path:
            sys.meta_path.insert(0, self)

    def remove(self) -> None:
        """Wait no longer."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Answer the import system: for foobara_py with what the other finders find, its loader wrapped."""
        if name != ROOT:
            return None
        if get_ident() in self._asking:
            return None  # by another of this kind, whom this one has asked
        spec = self._of_the_others(name, path, target)
        if spec is None:
            self._missing()
            return self._of_the_others(name, path, target)
        if spec.loader is not None and hasattr(spec.loader, "exec_module"):
            spec.loader = _Loader(spec.loader, self._found, self._failed)  # type: ignore[assignment]
        return spec

    def _of_the_others(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None
    ) -> ModuleSpec | None:
        thread = get_ident()
        self._asking.add(thread)
        try:
            for finder in list(sys.meta_path):
                if finder is self or not hasattr(finder, "find_spec"):
                    continue
                spec = finder.find_spec(name, path, target)
                if spec is not None:
                    return spec
            return None
        finally:
            self._asking.discard(thread)


class _Loader:
    """The loader of foobara_py until it has been executed; then the module has its own again."""

    def __init__(self, loader: Any, found: Callable[[], Any], failed: Callable[[Exception], Any]) -> None:
        self._loader = loader
        self._found = found
        self._failed = failed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        module.__loader__ = self._loader
        try:
            self._loader.exec_module(module)
        except Exception as error:
            self._failed(error)
            raise
        self._found()
