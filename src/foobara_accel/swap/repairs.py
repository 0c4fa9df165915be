"""Defects of foobara_py that can be repaired by name; the first two are repaired unless ``fixes=()``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from .report import SwapReport
from .target import Target

__all__ = ["DEFAULT", "REPAIRS", "Repair", "chosen", "defects", "written"]


@dataclass(frozen=True, slots=True)
class Repair:
    """A repair: its name, the defect it repairs, and the function of foobara_py that has it."""

    name: str
    defect: str
    where: str
    write: Callable[[Target], Any] | None = None

    @property
    def default(self) -> bool:
        """Whether it is made unless somebody asks for something else."""
        return self.name in DEFAULT


DEFAULT = frozenset({"rollback-on-escape", "close-failed-open"})


def _inherit_callbacks_once(target: Target) -> Any:
    original: Any = target.original("CommandMeta.__new__")
    registry = target.EnhancedCallbackRegistry
    attribute = "_enhanced_callback_registry"

    def new(mcs: Any, name: str, bases: tuple[Any, ...], namespace: dict[str, Any], **kwargs: Any) -> Any:
        # With a registry in the class body, foobara_py adds that of each base to it, once.
        if namespace.get(attribute) is None:
            namespace = {**namespace, attribute: registry()}
        return original(mcs, name, bases, namespace, **kwargs)

    return new


def _own_possible_errors(target: Target) -> Any:
    original: Any = target.original("ErrorsConcern.possible_error")

    def possible_error(cls: Any, symbol: Any, message: Any = None, context: Any = None) -> None:
        if "_possible_errors" not in vars(cls):
            cls._possible_errors = dict(cls._possible_errors)
        original(cls, symbol, message, context)

    return possible_error


def _errors_as_dicts(target: Target) -> Any:
    original: Any = target.original("CommandOutcome.to_dict")
    error_class = target.FoobaraError

    def to_dict(self: Any) -> Any:
        answer = original(self)
        if "errors" in answer:
            answer["errors"] = [
                error.to_dict() if isinstance(error, error_class) else written_so
                for error, written_so in zip(self.errors, answer["errors"], strict=True)
            ]
        return answer

    return to_dict


# Those without a writer are built into the replacements of the backend.
REPAIRS: dict[str, Repair] = {
    repair.name: repair
    for repair in (
        Repair(
            "rollback-on-escape",
            "an exception that leaves a run outside of execute, and any KeyboardInterrupt or CancelledError,"
            " commits the transaction",
            "StateConcern.run_instance",
        ),
        Repair(
            "close-failed-open",
            "an error added while the transaction is opened leaves it open, though the command fails",
            "StateConcern.run_instance",
        ),
        Repair(
            "call-hooks",
            "before_execute and after_execute of a sync command are never called",
            "StateConcern.run_instance",
        ),
        Repair(
            "inherit-callbacks-once",
            "a subclass runs the callbacks of its parent twice, a subclass of that four times",
            "CommandMeta.__new__",
            _inherit_callbacks_once,
        ),
        Repair(
            "own-possible-errors",
            "possible_error() declares the error for every command, as all share one dict",
            "ErrorsConcern.possible_error",
            _own_possible_errors,
        ),
        Repair(
            "errors-as-dicts",
            "to_dict() of a failed outcome holds the repr of its errors instead of their dicts",
            "CommandOutcome.to_dict",
            _errors_as_dicts,
        ),
    )
}


def chosen(fixes: Iterable[str]) -> frozenset[str]:
    """Return *fixes* as a set; TypeError for a bare string, ValueError for a name that is no repair."""
    if isinstance(fixes, (str, bytes)):
        raise TypeError(f"fixes is a set of names, not a string: fixes={{{fixes!r}}}")
    names = frozenset(fixes)
    unknown = sorted(str(name) for name in names if name not in REPAIRS)
    if unknown:
        raise ValueError(f"no such repair: {', '.join(unknown)}; there are {', '.join(REPAIRS)}")
    return names


def written(target: Target, names: frozenset[str]) -> dict[str, Any]:
    """Return the replacements that make the repairs among *names* that need no backend, by key."""
    return {
        repair.where: repair.write(target)
        for repair in REPAIRS.values()
        if repair.write is not None and repair.name in names
    }


def defects(report: SwapReport) -> list[dict[str, str]]:
    """Return the defects that the loaded foobara_py is known to have, each with its repair and its status."""
    if report.state not in ("swapped", "refused"):
        return []
    from .known import KNOWN
    from .shapes import Shapes
    from .target import find

    shapes = Shapes(find())
    found = []
    for repair in REPAIRS.values():
        if shapes.objection(repair.where, KNOWN[repair.where]) is not None:
            continue
        if repair.name in report.repairs:
            status = "repaired by install()"
        elif repair.name in report.not_repaired:
            status = "not repaired by this backend"
        else:
            status = "repaired where fixes= names it"
        found.append({"defect": repair.defect, "repair": repair.name, "status": status})
    return found
