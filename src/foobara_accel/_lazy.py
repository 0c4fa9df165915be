"""Names of a package that are imported at first use (PEP 562)."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["lazily"]


def lazily(
    module: dict[str, Any], exports: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` for the module that has these globals.

    *exports* names the module that defines each name, relative to the package.
    """

    def __getattr__(name: str) -> Any:
        where = exports.get(name)
        if where is None:
            raise AttributeError(f"module {module['__name__']!r} has no attribute {name!r}")
        value = module[name] = getattr(importlib.import_module(where, module["__package__"]), name)
        return value

    def __dir__() -> list[str]:
        return sorted(module["__all__"])

    return __getattr__, __dir__
