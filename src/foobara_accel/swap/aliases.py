"""The name foobara_py: all of it where there is none, and the modules that an installed one lacks."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from .target import ROOT

__all__ = ["LACKING", "SERVED", "Aliases"]

_PACKAGE = __name__.partition(".")[0]

# Where there is no foobara_py: its modules, each with the module of this package that answers to it.
SERVED: dict[str, str] = {
    "": "",
    "core": "core",
    "core.command": "core.command",
    "core.command.base": "core.command",
    "core.command.async_command": "core.async_command",
    "core.command.simple": "core.simple",
    "core.command.decorators": "core.simple",
    "core.errors": "core.errors",
    "core.error_recovery": "core.error_recovery",
    "core.outcome": "core.outcome",
    "core.registry": "core.registry",
    "core.state_machine": "core.state_machine",
    "core.callbacks_enhanced": "core.callbacks_enhanced",
    "core.transactions": "core.transactions",
    "core.warmup": "core.warmup",
    "domain": "domain",
    "domain.domain": "domain",
    "domain.domain_mapper": "domain.domain_mapper",
    "caching": "caching",
    "caching.cache_backends": "caching.cache_backends",
    "caching.cached_command": "caching.cached_command",
    "manifest": "core.manifest",
    "manifest.command_manifest": "core.manifest",
    "types": "types",
    "types.base": "types.base",
    "types.cache": "types.cache",
    "types.transformers": "types.transformers",
    "types.transformers.additional": "types.transformers.additional",
    "types.validators": "types.validators",
    "types.validators.additional": "types.validators.additional",
    "types.sensitive": "types.sensitive",
    "types.type_declarations": "types.type_declarations",
}
# The modules of its roadmap that this package has.
LACKING: dict[str, str] = {
    name: SERVED[name]
    for name in (
        "core.warmup",
        "types.cache",
        "types.transformers",
        "types.transformers.additional",
        "types.validators",
        "types.validators.additional",
    )
}


class Aliases(Loader):
    """A finder that answers to names of foobara_py with modules of this package.

    With *alone* it answers to every name of foobara_py and refuses those it has no module for; otherwise it
    comes last and answers where nothing else does.
    """

    def __init__(self, modules: Mapping[str, str], alone: bool) -> None:
        self._modules = {f"{ROOT}.{name}" if name else ROOT: module for name, module in modules.items()}
        self._alone = alone
        self._loaded: dict[str, ModuleType] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The names it answers to."""
        return tuple(self._modules)

    def add(self) -> None:
        """Begin to answer."""
        if self in sys.meta_path:
            return
        if self._alone:
            sys.meta_path.insert(0, self)
        else:
            sys.meta_path.append(self)

    def remove(self) -> None:
        """Stop answering, and take out of sys.modules what was given."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)
        for name in sorted(self._loaded, reverse=True):
            module = self._loaded[name]
            if sys.modules.get(name) is module:
                del sys.modules[name]
            parent, _, child = name.rpartition(".")
            package = sys.modules.get(parent)
            if package is not None and vars(package).get(child) is module:
                delattr(package, child)
        self._loaded.clear()

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Answer the import system: a specification for the names served, for others None or ImportError."""
        if name in self._modules:
            return ModuleSpec(name, self, is_package=self._is_package(name))
        if self._alone and name.startswith(f"{ROOT}."):
            # No ModuleNotFoundError: `from foobara_py import x` would swallow it, and with it the list.
            raise ImportError(
                f"there is no {name}: foobara_py is not installed, and foobara_accel serves only these"
                f" modules of it: {', '.join(self._modules)}; and these names of {name.rpartition('.')[0]}:"
                f" {', '.join(self._names_of(name.rpartition('.')[0]))}",
                name=name,
            )
        return None

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Leave it to the import system."""
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Put what answers to the name of *module* in its place."""
        name = module.__name__
        wanted = self._modules[name]
        found = importlib.import_module(f"{_PACKAGE}.{wanted}" if wanted else _PACKAGE)
        # A package is a module of its own: with the real one, another finder could load its files again under
        # this name, and the import system would write its children into it.
        if self._is_package(name):
            _delegate(module, found)
            self._loaded[name] = module
        else:
            sys.modules[name] = self._loaded[name] = found

    def _is_package(self, name: str) -> bool:
        return any(other.startswith(f"{name}.") for other in self._modules)

    def _names_of(self, name: str) -> list[str]:
        module = sys.modules.get(name)
        return sorted(str(each) for each in getattr(module, "__all__", ()))


def _delegate(module: ModuleType, found: ModuleType) -> None:
    """Let *module* answer with the names of *found*."""

    def __getattr__(name: str) -> Any:
        try:
            return getattr(found, name)
        except AttributeError:
            raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}") from None

    module.__doc__ = found.__doc__
    names = vars(module)
    names["__getattr__"] = __getattr__
    names["__dir__"] = lambda: sorted(found.__all__)
    names["__all__"] = list(found.__all__)
    if hasattr(found, "__version__"):
        names["__version__"] = found.__version__
