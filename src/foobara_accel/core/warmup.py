"""Everything a first run would build, built before it.

``warm_up()`` walks commands one by one: inputs type, validator (pydantic's deferred builds forced), guard,
callback chains, plan, schemas and manifest bytes. A command that cannot be built is reported and does not
stop the rest.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, get_origin

from pydantic import BaseModel

from .._backend import executor
from ..types.cache import ValidationCache, force_build
from .gc_profile import GCPauses, GCProfile, active_profile, restore, tune

__all__ = [
    "GCPauses",
    "GCProfile",
    "WarmUpError",
    "WarmUpItem",
    "WarmUpReport",
    "active_profile",
    "restore",
    "tune",
    "warm_up",
]


@dataclass(frozen=True)
class WarmUpItem:
    """One thing that was built, or not: ``error`` says why, ``skipped`` what it would have needed."""

    what: str
    kind: str
    seconds: float
    error: str | None = None
    skipped: str | None = None

    @property
    def ok(self) -> bool:
        """Whether it was built."""
        return self.error is None and self.skipped is None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain data."""
        return {
            "what": self.what,
            "kind": self.kind,
            "seconds": self.seconds,
            "error": self.error,
            "skipped": self.skipped,
        }


@dataclass(frozen=True)
class WarmUpReport:
    """What ``warm_up`` built, how long each thing took, and what failed and why."""

    items: tuple[WarmUpItem, ...]
    commands: int
    seconds: float
    frozen: int | None = None

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return not self.failed

    @property
    def built(self) -> tuple[WarmUpItem, ...]:
        """The items that were built."""
        return tuple(item for item in self.items if item.ok)

    @property
    def failed(self) -> tuple[WarmUpItem, ...]:
        """The items that could not be built."""
        return tuple(item for item in self.items if item.error is not None)

    @property
    def skipped(self) -> tuple[WarmUpItem, ...]:
        """The items left out because of another that failed, or because a class is only a base."""
        return tuple(item for item in self.items if item.skipped is not None)

    @property
    def totals(self) -> dict[str, dict[str, int | float]]:
        """Count, failures and seconds by kind, in the order in which the kinds are built."""
        totals: dict[str, dict[str, int | float]] = {}
        for item in self.items:
            row = totals.setdefault(item.kind, {"built": 0, "failed": 0, "skipped": 0, "seconds": 0.0})
            row["built" if item.ok else "failed" if item.error is not None else "skipped"] += 1
            row["seconds"] += item.seconds
        return totals

    def to_dict(self) -> dict[str, Any]:
        """Return the whole report as plain data."""
        return {
            "ok": self.ok,
            "commands": self.commands,
            "seconds": self.seconds,
            "frozen": self.frozen,
            "totals": self.totals,
            "items": [item.to_dict() for item in self.items],
        }

    def __str__(self) -> str:
        lines = [f"{'kind':<12} {'built':>7} {'failed':>7} {'skipped':>8} {'ms':>10}"]
        for kind, row in self.totals.items():
            milliseconds = row["seconds"] * 1000
            lines.append(
                f"{kind:<12} {row['built']:>7} {row['failed']:>7} {row['skipped']:>8} {milliseconds:>10.2f}"
            )
        lines += [f"failed: {item.what} ({item.kind}): {item.error}" for item in self.failed]
        frozen = "" if self.frozen is None else f", {self.frozen} objects frozen"
        lines.append(
            f"{self.commands} command{'s' * (self.commands != 1)} in {self.seconds * 1000:.1f} ms, "
            f"{len(self.failed)} failed{frozen}"
        )
        return "\n".join(lines)


class WarmUpError(RuntimeError):
    """Raised by ``warm_up(strict=True)`` after everything was tried; ``report`` holds the whole of it."""

    def __init__(self, report: WarmUpReport) -> None:
        failed = report.failed
        shown = "; ".join(f"{item.what} ({item.kind}): {item.error}" for item in failed[:5])
        more = f"; and {len(failed) - 5} more" if len(failed) > 5 else ""
        super().__init__(f"warm_up: {len(failed)} failed: {shown}{more}")
        self.report = report

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.report,)


def warm_up(
    commands: Any = None,
    *,
    registry: Any = None,
    domain: Any = None,
    all: bool = False,
    types: Iterable[Any] = (),
    strict: bool = False,
    freeze: bool = False,
) -> WarmUpReport:
    """Build ahead of time what the first runs of commands would build, and report it.

    *commands*: a command class, the name of one, a registry, a domain, or any iterable of these; *registry*
    and *domain* (an object or a name) add theirs, ``all=True`` every command class alive; with none of them
    the default registry is meant. *types* are validators to build besides: classes, names, type expressions.
    *freeze* then applies the gc profile ``serve``. Raises TypeError for what is none of these, and with
    *strict* WarmUpError when anything failed.
    """
    started = time.perf_counter()
    _checked_flags(all=all, strict=strict, freeze=freeze)
    run = _Run(registry)
    if types is None:
        types = ()
    elif isinstance(types, (str, type)) or get_origin(types) is not None:
        types = (types,)
    elif not isinstance(types, Iterable):
        raise TypeError(f"types are what Pydantic can validate, in an iterable, not {type(types).__name__}")
    if commands is None and registry is None and domain is None and not all and not types:
        run.add(_default_registry())
        for give in foreign_registries:
            run.add(give())
    run.add(registry)
    run.add(commands)
    if isinstance(domain, str):
        run.add_domain(domain)
    else:
        run.add(domain)
    if all:
        run.add_living()
    for command in run.found:
        run.command(command)
    for type_ in types:
        run.try_("validator", _type_name(type_), ValidationCache.get_validator, type_)
    frozen: int | None = None
    if freeze:
        tune("serve")
        frozen = gc.get_freeze_count() if hasattr(gc, "get_freeze_count") else 0
    report = WarmUpReport(tuple(run.items), len(run.found), time.perf_counter() - started, frozen)
    # Taken out of the run: its traceback leads back to it.
    first_error, run.first_error = run.first_error, None
    if strict and report.failed:
        raise WarmUpError(report) from first_error
    return report


_FAILED: Any = object()

# Command classes that are not of this package, and the registry they belong to; filled by the drop-in.
foreign_roots: list[type[Any]] = []
foreign_registries: list[Callable[[], Any]] = []


class _Run:
    """One call of ``warm_up``: the commands found and the items of the report."""

    def __init__(self, registry: Any) -> None:
        self.registry = registry
        self.found: list[Any] = []
        self.items: list[WarmUpItem] = []
        self.first_error: Exception | None = None
        self._seen: set[int] = set()
        self._bases: set[int] = set()

    # -- what to warm --

    def add(self, given: Any, nested: bool = False) -> None:
        if given is None:
            return
        if isinstance(given, str):
            self.add_name(given)
        elif _is_command(given):
            self.add_command(given)
        elif _is_command(getattr(given, "command_class", None)):
            # A simple command: an object around a function, with a class of its own.
            self.add_command(given.command_class)
        elif isinstance(given, type) and callable(getattr(given, "find_command", None)):
            self.add(_default_registry())
        elif not isinstance(given, type) and callable(getattr(given, "list_commands", None)):
            self.add_registry(given)
        elif not isinstance(given, type) and callable(getattr(given, "list_domains", None)):
            for domain in given.list_domains():
                self.add(domain)
        elif not nested and isinstance(given, Iterable) and not isinstance(given, (type, bytes, bytearray)):
            for each in given.values() if isinstance(given, dict) else given:
                self.add(each, nested=True)
        else:
            kind = given.__qualname__ if isinstance(given, type) else type(given).__name__
            raise TypeError(f"warm_up takes command classes, names, registries and domains, not {kind}")

    def add_command(self, command: Any) -> None:
        if id(command) not in self._seen:
            self._seen.add(id(command))
            self.found.append(command)

    def add_registry(self, registry: Any) -> None:
        for command in registry.list_commands():
            self.add(command)
        # A domain has types of its own; a registry of commands has none.
        if hasattr(registry, "list_types") and hasattr(registry, "get_type"):
            for name in registry.list_types():
                self.try_("validator", str(name), ValidationCache.get_validator, registry.get_type(name))

    def add_name(self, name: str) -> None:
        for registry in (self.registry, _default_registry()):
            find = getattr(registry, "find_command", None) or getattr(registry, "get_command", None)
            found = find(name) if callable(find) and not isinstance(registry, type) else None
            if found is not None:
                self.add_command(found)
                return
        living = _living_commands()
        matching = [cls for cls in living if _full_name(cls) == name] or [
            cls for cls in living if cls.__name__ == name
        ]
        if len(matching) == 1:
            self.add_command(matching[0])
        else:
            reason = f"{len(matching)} commands have that name" if matching else "no command has that name"
            self.fail("command", name, LookupError(reason))

    def add_domain(self, name: str) -> None:
        from ..domain.domain import Domain

        # A registry that was passed decides alone; else the name stands for all that is known by it.
        for source in ((self.registry,), (Domain.get(name), _default_registry())):
            found = [each for each in (_domain_in(place, name) for place in source) if each is not None]
            before = len(self.found)
            for each in found:
                self.add(each)
            # A domain may be there for its dependencies only, its commands unregistered.
            if len(self.found) > before:
                return
        members = [cls for cls in _living_commands() if _full_name(cls).startswith(f"{name}::")]
        if not members:
            self.fail("domain", name, LookupError("no registered or living command belongs to it"))
        for cls in members:
            self.add_command(cls)

    def add_living(self) -> None:
        for cls in _living_commands():
            if cls.__subclasses__():
                self._bases.add(id(cls))
            self.add_command(cls)

    # -- warming --

    def try_(self, kind: str, what: str, build: Callable[..., Any], *arguments: Any) -> Any:
        """Call *build* and write the item; return its value, or _FAILED."""
        started = time.perf_counter()
        try:
            value = build(*arguments)
        except Exception as error:
            # The reason for this function: whatever a command raises while it is built, the rest goes on.
            self.fail(kind, what, error, time.perf_counter() - started)
            return _FAILED
        self.items.append(WarmUpItem(what, kind, time.perf_counter() - started))
        return value

    def fail(self, kind: str, what: str, error: Exception, seconds: float = 0.0) -> None:
        self.items.append(WarmUpItem(what, kind, seconds, error=_reason(error)))
        if self.first_error is None:
            self.first_error = error

    def skip(self, kind: str, what: str, reason: str) -> None:
        self.items.append(WarmUpItem(what, kind, 0.0, skipped=reason))

    def command(self, command: Any) -> None:
        what = _full_name(command)
        if id(command) in self._bases and not _has_inputs(command):
            self.skip("inputs_type", what, "a base of other commands, without inputs of its own")
            return
        model = self.try_("inputs_type", what, command.inputs_type)
        built = model is not _FAILED and self.try_("validator", what, _validator, model) is not _FAILED
        if built:
            self.try_("guard", what, _guard, model)
        self.try_("result", what, _result, command)
        if executor.Core not in command.__mro__:
            # What it builds besides, it builds at each run: there is no place to keep it.
            if built:
                self.try_("schema", what, command.inputs_schema)
            else:
                self.skip("schema", what, "its inputs cannot be built")
            return
        self.try_("callbacks", what, _callbacks, command)
        if not built:
            for kind in ("guard", "plan", "schema", "manifest"):
                self.skip(kind, what, "its inputs cannot be built")
            return
        self.try_("plan", what, _plan, command)
        self.try_("schema", what, command.inputs_schema)
        self.try_("manifest", what, _manifest, command)


def _checked_flags(**flags: Any) -> None:
    for name, value in flags.items():
        if not isinstance(value, bool):
            raise TypeError(f"{name} is True or False, not {type(value).__name__}")


def _is_command(given: Any) -> bool:
    return isinstance(given, type) and callable(getattr(given, "inputs_type", None)) and hasattr(given, "run")


def _default_registry() -> Any:
    from .registry import get_default_registry

    return get_default_registry()


def _domain_in(place: Any, name: str) -> Any:
    if getattr(place, "full_name", None) == name:
        return place
    get_domain = getattr(place, "get_domain", None)
    return get_domain(name) if callable(get_domain) and not isinstance(place, type) else None


def _living_commands() -> list[type[Any]]:
    """Return every command class alive that is not part of this library, base classes first."""
    libraries = (
        __name__.partition(".")[0] + ".",
        *(root.__module__.partition(".")[0] + "." for root in foreign_roots),
    )
    found: dict[int, type[Any]] = {}
    queue: list[type[Any]] = [executor.Core, *foreign_roots]
    for cls in queue:
        for each in type.__subclasses__(cls):
            if id(each) not in found:
                found[id(each)] = each
                queue.append(each)
    return [cls for cls in found.values() if not (cls.__module__ or "").startswith(libraries)]


def _has_inputs(cls: Any) -> bool:
    try:
        return cls.inputs_type() is not None
    except TypeError:
        # What a class without a type argument answers.
        return False


def _full_name(command: Any) -> str:
    try:
        return str(command.full_name())
    except Exception as error:
        # A broken name is reported by the step that needs it; here the class name will do.
        return f"{command.__qualname__} ({type(error).__name__} in its name)"


def _type_name(type_: Any) -> str:
    text = type_ if isinstance(type_, str) else type_.__qualname__ if isinstance(type_, type) else repr(type_)
    return text[:120]


def _reason(error: Exception) -> str:
    try:
        text = str(error)
    except Exception as broken:
        text = f"<its message raises {type(broken).__name__}>"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


# One function per kind, so that a failure is that kind's and no import is paid before it is needed.


def _validator(model: Any) -> Any:
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        raise TypeError(f"inputs are a Pydantic model, not {_type_name(model)}")
    return ValidationCache.get_validator(model)


def _guard(model: Any) -> Any:
    from .inputs import builder_for

    return builder_for(model)


def _result(command: Any) -> Any:
    result = command.result_type()
    if isinstance(result, type) and issubclass(result, BaseModel):
        force_build(result)
    return result


def _callbacks(command: Any) -> Any:
    from .callbacks import compile_chains

    return compile_chains(command)


def _plan(command: Any) -> Any:
    from .plan import plan_for

    return plan_for(command)


def _manifest(command: Any) -> Any:
    from .manifest import manifest_bytes

    return manifest_bytes(command)
