"""The one place that chooses compiled or pure.

``FOOBARA_ACCEL_BACKEND`` is ``auto`` (compiled if it loads; also when empty), ``c`` (fail loudly if it does
not) or ``py``. The twins stand in `_ext` and `_pure` under the same names; all of them come from one side,
never a mixture.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._pure import checks, columns, errors, executor, guards, phone, pipeline, swap

__all__ = [
    "LATE",
    "MODULES",
    "VARIABLE",
    "Backend",
    "backend",
    "checks",
    "columns",
    "errors",
    "executor",
    "guards",
    "phone",
    "pipeline",
    "swap",
]

MODULES = ("errors", "guards", "executor", "checks")
LATE = ("columns", "phone", "pipeline", "swap")  # imported when asked for: most programs use none of it
VARIABLE = "FOOBARA_ACCEL_BACKEND"


@dataclass(frozen=True)
class Backend:
    """Which twin of each hot path is active, and why; ``str()`` is ``c`` or ``py``.

    ``modules`` maps the name of each hot path to the module that serves it; ``error`` is what the extension
    raised when it was tried and did not load.
    """

    name: str
    reason: str
    modules: Mapping[str, str] = field(hash=False)
    error: BaseException | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return self.name

    @property
    def cpu(self) -> tuple[str, ...]:
        """The vector extensions of this processor that kernels could use."""
        from ._cpu import cpu_features

        return cpu_features()

    @property
    def compiled(self) -> bool:
        """True when the extension modules are active."""
        return self.name == "c"


def _load(kind: str) -> dict[str, ModuleType]:
    package = __name__.rpartition(".")[0]
    return {name: importlib.import_module(f"{package}.{kind}.{name}") for name in MODULES}


def _not_built(error: Exception) -> str:
    """Return why the build left out the module that *error* misses; empty when no build recorded a reason."""
    package = __name__.rpartition(".")[0]
    if not (isinstance(error, ModuleNotFoundError) and (error.name or "").startswith(f"{package}._ext.")):
        return ""
    import json

    place = os.path.join(os.path.dirname(__file__), "_ext", "BUILD.json")
    try:
        with open(place, encoding="utf-8") as file:
            reason = json.load(file)["reason"]
    except (OSError, ValueError, LookupError, TypeError):
        return ""
    return str(reason).strip().partition("\n")[0]


def _choose() -> tuple[Backend, dict[str, ModuleType]]:
    pinned: str | None = getattr(sys.modules[__name__.rpartition(".")[0]], "_pinned_backend", None)
    wanted: str = pinned or os.environ.get(VARIABLE) or "auto"
    if wanted not in ("auto", "c", "py"):
        raise ImportError(f"{VARIABLE}={wanted!r} is not a backend: use auto, c or py")
    failure: Exception | None = None
    if wanted == "py":
        loaded, name = _load("_pure"), "py"
        reason = "pinned by testing.load_twin" if pinned else f"{VARIABLE}=py"
    else:
        try:
            loaded, name, reason = _load("_ext"), "c", "the extension modules load"
        # A stale or foreign .so raises more than ImportError: ValueError for a changed type size,
        # AttributeError for a missing name, SystemError from its init function.
        except Exception as error:
            described = f"{type(error).__name__}: {error}"
            if wanted == "c":
                raise ImportError(
                    f"{VARIABLE}=c, but the extension does not load: {described}",
                    name=getattr(error, "name", None),
                    path=getattr(error, "path", None),
                ) from error
            loaded, name, reason = _load("_pure"), "py", f"the extension does not load: {described}"
            failure = error.with_traceback(None)
    names = MappingProxyType({key: module.__name__ for key, module in loaded.items()})
    return Backend(name, reason, names, failure), loaded


_backend, _modules = _choose()
globals().update(_modules)
_explained = _backend.error is None


def backend() -> Backend:
    """Return which backend is active (``str()`` is ``c`` or ``py``) and why."""
    global _backend, _explained
    if not _explained:
        # Now, as reading JSON is no part of importing Command.
        if isinstance(_backend.error, Exception) and (why := _not_built(_backend.error)):
            _backend = replace(_backend, reason=f"built without extension modules: {why}")
        _explained = True
    return _backend


def __getattr__(name: str) -> ModuleType:
    if name not in LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    package = __name__.rpartition(".")[0]
    found = importlib.import_module(f"{package}.{'_ext' if _backend.compiled else '_pure'}.{name}")
    return globals().setdefault(name, found)  # type: ignore[no-any-return]
