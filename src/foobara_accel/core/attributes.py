"""What a run keeps on its instance passes by a ``__setattr__`` or ``__getattribute__`` of the user's.

The compiled twin stores it in fields of C and asks nobody. So that the fallback does the same, and what is
written once above the twins too, a class that overrides one of the two gets a function in front of it, which
hands on every name but those of the run.
"""

from __future__ import annotations

from functools import wraps
from typing import Any

from .._backend import executor

__all__ = ["HOOKED", "pass_by"]

HOOKED = ("__setattr__", "__getattribute__")
# Of both twins, so that they differ for no name: what only the fallback keeps begins with _accel_.
_KEPT = frozenset(
    (
        "__dict__",
        "_entered",
        "_errors",
        "_inputs",
        "_json_error",
        "_own_callbacks",
        "_parent",
        "_raw_inputs",
        "_result",
        "_state",
        "_transaction",
        *(name for name in getattr(executor.Core, "__slots__", ()) if name.startswith("_accel_")),
    )
)


def pass_by(cls: type) -> None:
    """Put a function of this module in front of each that *cls* has of the user's."""
    for name in HOOKED:
        owner = next(base for base in cls.__mro__ if name in base.__dict__)
        found = owner.__dict__[name]
        # Itself: what functools.wraps() makes of such a function has the mark, too.
        if owner is not object and getattr(found, "_passes_by", None) is not found:
            made = _in_front(cls, name, found, owner is cls)
            made._passes_by = made
            type.__setattr__(cls, name, made)


def _in_front(cls: Any, name: str, found: Any, own: bool) -> Any:
    def theirs(command: Any) -> Any:
        # What a base has is looked up each time: it may change.
        if not own:
            return getattr(super(cls, command), name)
        bind = getattr(type(found), "__get__", None)
        return found if bind is None else bind(found, command, type(command))

    @wraps(found)
    def store(command: Any, name: str, value: Any, /) -> None:
        if name in _KEPT:
            object.__setattr__(command, name, value)
        else:
            theirs(command)(name, value)

    @wraps(found)
    def look_up(command: Any, name: str, /) -> Any:
        return object.__getattribute__(command, name) if name in _KEPT else theirs(command)(name)

    return store if name == "__setattr__" else look_up
