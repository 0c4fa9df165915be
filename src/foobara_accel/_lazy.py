"""Names of a package that are imported at first use (PEP 562)."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

__all__ = ["exported"]


def exported(name: str, module: dict[str, Any], exports: Mapping[str, str]) -> Any:
    """Import the *name* that the module with these globals exports, and keep it there.

    *exports* says in which module of the package each is. Raises AttributeError for any other name.
    """
    where = exports.get(name)
    if where is None:
        raise AttributeError(f"module {module['__name__']!r} has no attribute {name!r}")
    value = module[name] = getattr(importlib.import_module(where, module["__package__"]), name)
    return value
