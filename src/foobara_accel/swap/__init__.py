"""The drop-in: foobara_py made fast in place, and its name served where there is none."""

from __future__ import annotations

import copy
import os
import sys
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.machinery import PathFinder
from typing import TYPE_CHECKING, Any

from .aliases import LACKING, SERVED, Aliases
from .later import Later
from .repairs import DEFAULT, REPAIRS, Repair, chosen
from .report import PartReport, SwapError, SwapReport
from .target import ROOT, Target

if TYPE_CHECKING:
    from .added import Added
    from .shapes import Shapes

__all__ = [
    "REPAIRS",
    "SERVED",
    "PartReport",
    "Repair",
    "SwapError",
    "SwapReport",
    "fixes_of_the_environment",
    "install",
    "install_later",
    "is_installed",
    "probe",
    "swap_report",
    "uninstall",
]

# Reentrant: a finalizer that runs while it is held may ask for the report. No import of foobara_py happens
# under it, as a thread that imports foobara_py may want it.
_lock = threading.RLock()


@dataclass(frozen=True)
class _Found:
    """A foobara_py that has been looked at; its target keeps it, so that its identity stays its own."""

    target: Target
    shapes: Shapes
    added: tuple[Added, ...]
    version: str


class _Switch:
    """What is switched on, in the order in which it is switched off again."""

    def __init__(self, fixes: frozenset[str]) -> None:
        self.fixes = fixes
        self.exchanges: tuple[Any, ...] = ()
        self.added: tuple[Any, ...] = ()
        self.aliases: Aliases | None = None
        self.target: Any = None
        self.report = SwapReport()

    def on(self) -> None:
        for each in self.exchanges:
            each.on()
        for each in self.added:
            each.on()
        if self.target is not None:
            from ..core import warmup

            warmup.foreign_roots[:] = [self.target.Command, self.target.AsyncCommand]
            if self.target.get_default_registry is not None:
                warmup.foreign_registries[:] = [self.target.get_default_registry]
        if self.aliases is not None:
            self.aliases.add()

    def off(self) -> tuple[str, ...]:
        """Give everything back; what somebody else has changed meanwhile is left and named."""
        if self.aliases is not None:
            self.aliases.remove()
        for each in self.added:
            each.off()
        if self.target is not None:
            from ..core import warmup

            warmup.foreign_roots.clear()
            warmup.foreign_registries.clear()
        left = [each.key for each in self.exchanges if not each.off()]
        return tuple(f"{key} has been changed by somebody else since and is left so" for key in left)


_active: _Switch | None = None
_later: Later | None = None
_report = SwapReport()
# What was prepared for a target and a set of repairs: made once, so that switching costs no memory.
_prepared: dict[tuple[int, frozenset[str]], dict[str, Any]] = {}
_found: dict[int, _Found] = {}


def install(fixes: Iterable[str] | None = None, strict: bool = False) -> SwapReport:
    """Replace the hot paths of foobara_py in place, or serve its name where there is none; say what was done.

    *fixes* are names of `REPAIRS`; None means the two that prevent loss of data, or what is
    installed already; installing again with other fixes switches to those. With *strict* raises SwapError,
    and changes nothing, where anything would be left out. TypeError, ValueError: *fixes* are no repairs.
    """
    wanted = None if fixes is None else chosen(fixes)
    return _install(wanted, strict, finished=False)


def install_later(fixes: Iterable[str] | None = None) -> SwapReport:
    """Install at the first import of foobara_py, at once if it has been imported; *fixes* as in `install`.

    What `foobara_accel.auto` and ``python -m foobara_accel`` do: the application decides when, and from which
    path, foobara_py is imported, and whether there is one is known only then.
    """
    global _later, _report
    wanted = None if fixes is None else chosen(fixes)
    if is_installed() or ROOT in sys.modules:
        return _install(wanted, strict=False, finished=False)

    def failed(error: Exception) -> None:
        global _report
        _report = SwapReport("broken", error=_bare(error))

    def now(finished: bool) -> SwapReport:
        return _install(wanted, strict=False, finished=finished)

    with _lock:
        _forget_later()
        _later = Later(lambda: now(True), lambda: now(False), failed)
        _later.add()
        _report = SwapReport("waiting")
        return _report


def fixes_of_the_environment() -> tuple[str, ...] | None:
    """Return what ``FOOBARA_ACCEL_FIXES`` names; None when it is not set. ValueError: it names no repair."""
    given = os.environ.get("FOOBARA_ACCEL_FIXES")
    if given is None:
        return None
    names = tuple(name.strip() for name in given.split(",") if name.strip())
    try:
        chosen(names)
    except ValueError as error:
        raise ValueError(f"FOOBARA_ACCEL_FIXES: {error}") from None
    return names


def _forget_later() -> None:
    global _later
    if _later is not None:
        _later.remove()
        _later = None


def uninstall() -> SwapReport:
    """Give foobara_py its own code back, or take its name away; the report notes what could not be."""
    global _active, _report
    with _lock:
        active = _active
        try:
            _forget_later()
            notes = () if active is None else active.off()
            _active, _report = None, SwapReport(notes=notes)
        except BaseException:
            _drop(active)
            raise
        return _report


def _drop(*switches: _Switch | None) -> None:
    """Switch off what an interrupt has left half on, or half off."""
    global _active, _report
    _forget_later()
    for each in switches:
        if each is not None:
            each.off()
    _active, _report = None, SwapReport()


def is_installed() -> bool:
    """Whether foobara_py is replaced, or served, at the moment."""
    return _active is not None


def swap_report() -> SwapReport:
    """Return what the last install() or uninstall() did."""
    return _report


def probe(fixes: Iterable[str] | None = None) -> SwapReport:
    """Return what `install` would do, importing foobara_py for it and changing nothing."""
    wanted = DEFAULT if fixes is None else chosen(fixes)
    with _lock:
        if _active is not None:
            return _report
    return _prepare(wanted, finished=False).report


def _install(fixes: frozenset[str] | None, strict: bool, finished: bool) -> SwapReport:
    global _active, _report
    with _lock:
        if _is_on(_active, fixes):
            return _checked(_report, strict)
        wanted = fixes if fixes is not None else DEFAULT if _active is None else _active.fixes
    # Outside of the lock: foobara_py is imported here.
    loaded = _load(finished)
    with _lock:
        before = _active
        if _is_on(before, fixes):
            return _checked(_report, strict)
        switch = _prepare(wanted, finished, loaded)
        _checked(switch.report, strict)
        try:
            _forget_later()
            if before is not None:
                before.off()
            switch.on()
            something = switch.exchanges or switch.added or switch.aliases
            _active, _report = switch if something else None, switch.report
        except BaseException:
            _drop(switch, before)
            raise
        return _report


def _is_on(switch: _Switch | None, fixes: frozenset[str] | None) -> bool:
    """Whether *switch* makes these repairs, in the foobara_py imported now and not in an earlier one."""
    if switch is None or fixes not in (None, switch.fixes):
        return False
    base = sys.modules.get(f"{ROOT}.core.command.base")
    return switch.target is None or getattr(base, "Command", None) is switch.target.Command


def _checked(report: SwapReport, strict: bool) -> SwapReport:
    if strict and not report.ok:
        raise SwapError(report)
    return report


def _load(finished: bool) -> SwapReport | None:
    """Import foobara_py; return None when it is there, else the report that says why not."""
    from . import target

    if _active is not None and _active.aliases is not None and _active.report.state == "served":
        return _active.report
    if not target.is_there():
        return SwapReport("served")
    try:
        target.load(finished)
    except target.HalfImportedError as error:
        return SwapReport("half-imported", error=_bare(error))
    # Whatever its import raises, it is the installed foobara_py that is to be mended.
    except Exception as error:
        return SwapReport("broken", error=_bare(error))
    return None


_UNKNOWN: Any = object()


def _prepare(fixes: frozenset[str], finished: bool, loaded: Any = _UNKNOWN) -> _Switch:
    """Return all that would be switched on, with its report; nothing is changed."""
    switch = _Switch(fixes)
    if loaded is _UNKNOWN:
        loaded = _load(finished)
    if loaded is None:
        _prepare_swap(switch)
    elif loaded.state == "served":
        switch.aliases = Aliases(SERVED, alone=True)
        switch.report = SwapReport("served", modules=switch.aliases.names)
    else:
        switch.report = loaded
    return switch


def _prepare_swap(switch: _Switch) -> None:
    from . import patches
    from .exchange import Exchange

    found = _look()
    target, shapes = found.target, found.shapes
    place = _place(target.modules.get(""))
    try:
        replacing = _replacing(target, switch.fixes)
    except (AttributeError, LookupError, TypeError) as error:
        # Of another layout than the replacements are written for: not even the text of a function tells that.
        refused = PartReport("everything", reason=f"{type(error).__name__}: {error}")
        switch.report = SwapReport("refused", version=found.version, place=place, parts=(refused,))
        shapes.forget()
        return
    offered: dict[str, list[str]] = {}
    for key in replacing:
        offered.setdefault(patches.part_of(key) or key, []).append(key)
    parts: list[PartReport] = []
    exchanges: dict[Any, Exchange] = {}
    for name, keys in offered.items():
        part = next((part for part in patches.PARTS if part.name == name), None)
        reason = f"{name} is in no part" if part is None else next(part.objections(shapes), None)
        if reason is not None:
            parts.append(PartReport(name, reason=reason))
            continue
        for key in keys:
            function = shapes.function(key)
            # Two names of one function are one replacement.
            exchanges.setdefault(function, Exchange(key, function, _called(replacing[key])))
        parts.append(PartReport(name, tuple(keys)))
    swapped = {key for part in parts for key in part.replaced}
    built_in = _built_in()
    made = [
        name
        for name, repair in REPAIRS.items()
        if name in switch.fixes and repair.where in swapped and (repair.write or name in built_in)
    ]
    report = SwapReport(
        "swapped" if swapped else "refused",
        version=found.version,
        place=place,
        parts=tuple(parts),
        repairs=tuple(made),
        not_repaired=tuple(name for name in REPAIRS if name in switch.fixes and name not in made),
    )
    if swapped:
        aliases = Aliases({name: own for name, own in LACKING.items() if not _has(name)}, alone=False)
        switch.target = target
        switch.exchanges = tuple(exchanges.values())
        switch.added = found.added
        switch.aliases = aliases
        report = _with(report, modules=aliases.names, added=tuple(each.key for each in found.added))
    switch.report = report
    shapes.forget()


def _look() -> _Found:
    """Return the loaded foobara_py and what is known of it, found once."""
    from . import target as targets
    from .added import added
    from .shapes import Shapes

    target = targets.find()
    # Another import of foobara_py, in a test that empties sys.modules, has another Command.
    known = _found.get(id(target.Command))
    if known is None:
        known = _Found(target, Shapes(target), added(target), targets.version(target))
        _found[id(target.Command)] = known
    return known


def _replacing(target: Target, fixes: frozenset[str]) -> dict[str, Any]:
    """Return the replacements by key."""
    from .._backend import swap
    from .repairs import written

    known = _prepared.get((id(target.Command), fixes))
    if known is None:
        known = {**swap.replacements(target, fixes), **written(target, fixes)}
        _prepared[id(target.Command), fixes] = known
    return known


def _built_in() -> frozenset[str]:
    from .._backend import swap

    return swap.REPAIRS


def _called(replacement: Any) -> Any:
    """Return the function of *replacement*, in the form that takes what an exchanged code has at hand."""
    if isinstance(replacement, (classmethod, staticmethod)):
        replacement = replacement.__func__
    elif isinstance(replacement, property):
        replacement = replacement.fget
    return getattr(replacement, "exchanged", replacement)


def _bare(error: Exception) -> Exception:
    """Return a copy of *error* without its traceback, which keeps the application's frames alive."""
    try:
        return copy.copy(error).with_traceback(None)
    except Exception:
        # An exception of somebody else's whose constructor takes other arguments than it shows.
        return ImportError(f"{type(error).__name__}: {error}")


def _has(name: str) -> bool:
    """Whether foobara_py has this module by itself; asked without importing anything, as the lock is held."""
    full = f"{ROOT}.{name}"
    package = sys.modules.get(full.rpartition(".")[0])
    if full in sys.modules:
        return sys.modules[full].__name__ == full
    return PathFinder.find_spec(full, getattr(package, "__path__", ())) is not None


def _place(module: Any) -> str | None:
    return next(iter(getattr(module, "__path__", ())), None)


def _with(report: SwapReport, **changes: Any) -> SwapReport:
    import dataclasses

    return dataclasses.replace(report, **changes)
