"""foobara_py's classes as `swap.replacements` takes them, and the plainest way to install what it gives."""

from __future__ import annotations

import importlib
import importlib.util
import os
import subprocess
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

from foobara_accel.swap.exchange import Exchange

MODULES = {
    "foobara_py.core.command.base": ("Command", "CommandMeta"),
    "foobara_py.core.command.async_command": ("AsyncCommand",),
    "foobara_py.core.command.concerns.errors_concern": ("ErrorsConcern",),
    "foobara_py.core.command.concerns.execution_concern": ("ExecutionConcern",),
    "foobara_py.core.command.concerns.inputs_concern": ("InputsConcern",),
    "foobara_py.core.command.concerns.naming_concern": ("NamingConcern",),
    "foobara_py.core.command.concerns.state_concern": ("StateConcern",),
    "foobara_py.core.command.concerns.subcommand_concern": ("SubcommandConcern",),
    "foobara_py.core.command.concerns.transaction_concern": ("TransactionConcern",),
    "foobara_py.core.command.concerns.types_concern": ("TypesConcern",),
    "foobara_py.core.command.concerns.validation_concern": ("ValidationConcern",),
    "foobara_py.core.errors": ("ErrorCollection", "FoobaraError", "ErrorSeverity"),
    "foobara_py.core.outcome": ("CommandOutcome",),
    "foobara_py.core.state_machine": ("CommandState", "CommandStateMachine", "Halt"),
    "foobara_py.core.callbacks_enhanced": (
        "CallbackCondition",
        "EnhancedCallbackExecutor",
        "EnhancedCallbackRegistry",
        "RegisteredCallback",
    ),
    "foobara_py.core.transactions": ("TransactionConfig", "TransactionContext", "TransactionRegistry"),
    "foobara_py.domain.domain": ("Domain",),
    "foobara_py.types.type_declarations": ("FoobaraType",),
}


def reachable() -> bool:
    """Whether foobara_py and what it needs can be imported; FOOBARA_PY_PATH is put on the path for that."""
    place = os.environ.get("FOOBARA_PY_PATH")
    if place and place not in sys.path:
        sys.path.insert(0, place)
    if importlib.util.find_spec("foobara_py") is None:
        return False
    # In a process of its own: what is imported by half stays in this one.
    asked = [sys.executable, "-c", "import foobara_py"]
    path = os.pathsep.join(each for each in sys.path if each)
    return not subprocess.run(
        asked, env={**os.environ, "PYTHONPATH": path}, capture_output=True, check=False
    ).returncode


def target() -> Any:
    """Return foobara_py's classes under their names."""
    found: dict[str, Any] = {}
    for module, names in MODULES.items():
        # some of these modules are shadowed by functions of the same name
        importlib.import_module(module)
        found.update((name, getattr(sys.modules[module], name)) for name in names)
    return SimpleNamespace(**found)


def twin(backend: str) -> ModuleType:
    """Return the module of the compiled (c) or the pure (py) replacements."""
    return importlib.import_module(f"foobara_accel.{'_ext' if backend == 'c' else '_pure'}.swap")


class Installed:
    """Puts replacements in place, and takes them back."""

    def __init__(self, classes: Any, table: dict[str, object]) -> None:
        self._places = []
        for key, value in table.items():
            owner, name = key.split(".")
            self._places.append((getattr(classes, owner), name, value))
        self.before = [(owner, name, owner.__dict__[name]) for owner, name, _ in self._places]

    def __enter__(self) -> Installed:
        for owner, name, value in self._places:
            setattr(owner, name, value)
        return self

    def __exit__(self, *_: object) -> None:
        for owner, name, value in self.before:
            setattr(owner, name, value)


class Exchanged:
    """The same by the code of the functions that are there: they stay the objects they are."""

    def __init__(self, classes: Any, table: dict[str, object]) -> None:
        self._exchanges: dict[Any, Exchange] = {}
        for key, value in table.items():
            owner, name = key.split(".")
            before = getattr(classes, owner).__dict__[name]
            function, replacement = getattr(before, "__func__", before), getattr(value, "__func__", value)
            replacement = getattr(replacement, "exchanged", replacement)
            self._exchanges[function] = Exchange(key, function, replacement)

    def __enter__(self) -> Exchanged:
        for each in self._exchanges.values():
            each.on()
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._exchanges.values():
            each.off()
