"""foobara-accel: a command framework on Pydantic whose hot paths are compiled."""

from __future__ import annotations

import importlib
from typing import Any

from ._version import __version__

# Public names, each with the module that defines it; imported at first use (PEP 562).
_EXPORTS: dict[str, str] = {
    "backend": "._backend",
}

__all__ = ["__version__", *_EXPORTS]


def __getattr__(name: str) -> Any:
    module = _EXPORTS.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(module, __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
