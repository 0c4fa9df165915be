"""Registries: commands, the commands of one domain, and named types."""

from __future__ import annotations

import difflib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MethodType
from typing import TYPE_CHECKING, Any, TypeVar, overload
from weakref import WeakKeyDictionary

from pydantic import BaseModel, TypeAdapter

from .._builds import build_lock
from ..types.expressions import share_type_name
from .manifest import command_manifest, description_of, inputs_schema
from .naming import class_of

if TYPE_CHECKING:
    from .simple import AsyncSimpleCommand, SimpleCommand
    from .warmup import WarmUpReport

__all__ = [
    "CommandRegistry",
    "DomainRegistry",
    "TypeRegistry",
    "get_default_registry",
    "register",
]

C = TypeVar("C", bound="type[Any] | SimpleCommand[..., Any] | AsyncSimpleCommand[..., Any]")
V = TypeVar("V")


class _Watched(dict[str, Any]):
    """A dict that counts its changes, so that what was derived from it is never stale."""

    __slots__ = ("version",)

    def __init__(self) -> None:
        super().__init__()
        self.version = 0

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, value)
        self.version += 1

    def __delitem__(self, key: str) -> None:
        super().__delitem__(key)
        self.version += 1

    def clear(self) -> None:
        super().clear()
        self.version += 1

    def pop(self, *args: Any) -> Any:
        value = super().pop(*args)
        self.version += 1
        return value

    def popitem(self) -> tuple[str, Any]:
        item = super().popitem()
        self.version += 1
        return item

    def setdefault(self, key: str, default: Any = None) -> Any:
        value = super().setdefault(key, default)
        self.version += 1
        return value

    def update(self, *args: Any, **more: Any) -> None:
        super().update(*args, **more)
        self.version += 1

    def __ior__(self, other: Any) -> _Watched:  # type: ignore[override,misc]
        self.update(other)
        return self


class _WarmUp:
    """``warm_up`` of a class is about the default registry, that of an instance about itself."""

    def __get__(
        self, obj: CommandRegistry | None, owner: type[CommandRegistry]
    ) -> Callable[..., WarmUpReport]:
        return MethodType(_warm_up, owner if obj is None else obj)


def _warm_up(
    target: CommandRegistry | type[CommandRegistry],
    commands: Any = None,
    *,
    domain: Any = None,
    all: bool = False,
    types: Iterable[Any] = (),
    strict: bool = False,
    freeze: bool = False,
) -> WarmUpReport:
    """Compile ahead of time what the commands of this registry need, and report what was done.

    On the class the default registry is meant, on an instance that registry. *commands*, *domain* (by name
    they are looked up in that registry), *all* or *types* mean those instead of the whole registry. With
    *strict* the first failure raises; see ``core.warmup.warm_up``.
    """
    from .warmup import warm_up

    registry = target if isinstance(target, CommandRegistry) else get_default_registry()
    whole = commands is None and domain is None and not all and not types
    if isinstance(commands, str):
        commands = (commands,)
    if commands is not None and not isinstance(commands, type) and isinstance(commands, Iterable):
        # A name that is not found stays a name, for warm_up to report.
        commands = [
            (registry.find_command(item) or item) if isinstance(item, str) else item for item in commands
        ]
    if isinstance(domain, str):
        domain = registry.get_domain(domain) or domain
    return warm_up(
        commands,
        registry=registry if whole else None,
        domain=domain,
        all=all,
        types=types,
        strict=strict,
        freeze=freeze,
    )


class DomainRegistry:
    """The commands and types of one domain, by short name."""

    def __init__(self, name: str, organization: str | None = None) -> None:
        self.name: str = checked_name("name", name)
        self.organization: str | None = (
            None if organization is None else checked_name("organization", organization)
        )
        self._commands: dict[str, type[Any]] = {}
        self._types: dict[str, Any] = {}
        self._lock = threading.RLock()

    def register(self, command_class: C, *, replace: bool = False) -> C:
        """Add a command class, or that of a function command, under its ``__name__``; return what was given.

        Raises TypeError for anything else, ValueError when another class has that name.
        """
        cls = class_of(command_class)
        checked_command(cls)
        with self._lock:
            _store(self._commands, cls.__name__, cls, f"domain {self.name!r}", replace)
        return command_class

    def register_type(self, name: str, model: Any, *, replace: bool = False) -> Any:
        """Add a type under *name* and return it; raises as ``TypeRegistry.register`` does.

        ``get_validator`` knows it as ``Organization::Domain::name``, and as *name* while no other has it.
        """
        checked_type_entry(name, model)
        with self._lock:
            _store(self._types, name, model, f"domain {self.name!r}", replace)
        owner = f"{self.organization}::{self.name}" if self.organization else self.name
        share_type_name(f"{owner}::{name}", self, name)
        share_type_name(name, self, name)
        return model

    def get_command(self, name: str) -> type[Any] | None:
        """Return the command of that short name, or None."""
        return _named(self._commands, name)

    def get_type(self, name: str) -> Any | None:
        """Return the type of that name, or None."""
        return _named(self._types, name)

    def list_commands(self) -> list[type[Any]]:
        """Return the command classes in the order of their registration."""
        with self._lock:
            return list(self._commands.values())

    def list_types(self) -> list[str]:
        """Return the names of the types in the order of their registration."""
        with self._lock:
            return list(self._types)

    def get_manifest(self) -> dict[str, Any]:
        """Return {name, organization, commands, types}: manifests and schemas by name."""
        with self._lock:
            commands, types = dict(self._commands), dict(self._types)
        return {
            "name": self.name,
            "organization": self.organization,
            "commands": {name: manifest_of(cls) for name, cls in commands.items()},
            "types": {name: type_schema(model) for name, model in types.items()},
        }

    def _discard(self, command_class: type[Any]) -> bool:
        with self._lock:
            for name, cls in list(self._commands.items()):
                if cls is command_class:
                    del self._commands[name]
            return not self._commands and not self._types

    def __len__(self) -> int:
        return len(self._commands)

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return f"DomainRegistry({self.name!r}, organization={self.organization!r}, commands={len(self)})"


class CommandRegistry:
    """Command classes by full name.

    Every method is thread-safe and calls the code of a command without holding the lock. A command whose
    domain is set after its registration is found under its present name.
    """

    warm_up: _WarmUp = _WarmUp()

    def __init__(self, name: str = "default") -> None:
        self._name = checked_name("name", name)
        self._commands = _Watched()
        self._domains: dict[str, DomainRegistry] = {}
        self._lock = threading.RLock()
        # Where each class was registered; weak, so that a class taken out of the table by hand is let go.
        self._places: WeakKeyDictionary[type[Any], str] = WeakKeyDictionary()
        self._same_class: tuple[int, dict[str, list[str]]] | None = None

    @property
    def name(self) -> str:
        """The name the registry was made with."""
        return self._name

    def register(self, command_class: C, *, replace: bool = False) -> C:
        """Add a command class, or that of a function command, under its full name.

        Returns what was given, so that this works as a decorator. The same class again, or a new definition
        of it (same module and qualified name), replaces the entry. Raises TypeError for anything but a
        command, ValueError when a different class has that full name and *replace* is false.
        """
        cls = class_of(command_class)
        full_name = checked_command(cls)
        with self._lock:
            if self._places.get(cls, full_name) != full_name:
                self._move({cls: full_name})
            replaced = self._commands.get(full_name)
            _store(self._commands, full_name, cls, f"registry {self.name!r}", replace)
            if replaced is not None and replaced is not cls:
                self._places.pop(replaced, None)
                self._leave_domain(replaced)
            self._places[cls] = full_name
            self._enter_domain(cls, full_name)
        return command_class

    def unregister(self, command: Any) -> bool:
        """Remove a command class, that of a function command, or the one of that full name.

        Returns whether there was one.
        """
        command = class_of(command)
        with self._lock:
            found = [key for key, cls in self._commands.items() if cls is command or key == command]
            for full_name in found:
                cls = self._commands.pop(full_name)
                self._places.pop(cls, None)
                self._leave_domain(cls)
            return bool(found)

    def get(self, name: str) -> type[Any] | None:
        """Return the command of that full name, or None."""
        if not isinstance(name, str):
            return None
        cls = self._commands.get(name)
        if cls is not None and cls.full_name() == name:
            return cls  # type: ignore[no-any-return]
        self._follow_renames()
        with self._lock:
            return self._commands.get(name)

    def find_command(self, name: str) -> type[Any] | None:
        """Return the command of that full name, or the only one whose name ends in ``::name``, or None."""
        if not isinstance(name, str):
            return None
        exact: type[Any] | None = self._commands.get(name)
        if exact is not None and exact.full_name() == name:
            return exact
        found = self._ending_in(name)
        if not found or any(cls is None or cls.full_name() != full_name for full_name, cls in found.items()):
            self._follow_renames()
            found = self._ending_in(name)
        if name in found:
            exact = found[name]
            return exact
        fitting: list[type[Any]] = [
            cls for full_name, cls in found.items() if full_name.endswith(f"::{name}")
        ]
        return fitting[0] if len(fitting) == 1 else None

    def execute(self, name: str, inputs: Mapping[str, Any] | None = None) -> Any:
        """Run the command *name* with *inputs* and return what its ``run`` returns (async: the awaitable).

        Raises KeyError with the nearest names when there is no such command, TypeError when *inputs* is not a
        mapping of strings.
        """
        command_class = self.find_command(name)
        if command_class is None:
            raise KeyError(self._unknown(name))
        given = {} if inputs is None else inputs
        if not isinstance(given, Mapping) or not all(isinstance(key, str) for key in given):
            raise TypeError(
                f"inputs of {name!r} must be a mapping with string keys, not {type(given).__name__}; "
                f'pass {{"field": value}}'
            )
        return command_class.run(**given)

    def list_commands(self) -> list[type[Any]]:
        """Return the command classes in the order of their registration."""
        with self._lock:
            return list(self._commands.values())

    def list_names(self) -> list[str]:
        """Return the full names in the order of their registration."""
        self._follow_renames()
        with self._lock:
            return list(self._commands)

    def list_tools(self) -> list[dict[str, Any]]:
        """Return {name, description, inputSchema} of every command; the caller may change what it gets.

        Schemas are computed once per inputs model (``core.manifest.inputs_schema``). Raises TypeError naming
        the command when one has no inputs model or no JSON schema.
        """
        return [
            {"name": cls.full_name(), "description": description_of(cls), "inputSchema": _schema(cls)}
            for cls in self.list_commands()
        ]

    def get_manifest(self) -> dict[str, Any]:
        """Return {registry, domains, commands}: domain manifests and command manifests by full name."""
        self._follow_renames()
        with self._lock:
            commands, domains = dict(self._commands), dict(self._domains)
        return {
            "registry": self.name,
            "domains": {name: domain.get_manifest() for name, domain in domains.items()},
            "commands": {name: manifest_of(cls) for name, cls in commands.items()},
        }

    def get_domain(self, name: str) -> DomainRegistry | None:
        """Return the registry of the domain ``Domain`` or ``Organization::Domain``, or None."""
        self._follow_renames()
        return _named(self._domains, name)

    def invalidate_cache(self) -> None:
        """Forget the index of short names; no method needs it, since every change is noticed."""
        with self._lock:
            self._same_class = None

    def clear(self) -> None:
        """Remove every command."""
        with self._lock:
            self._commands.clear()
            self._domains.clear()
            self._places.clear()
            self.invalidate_cache()

    def __contains__(self, command: object) -> bool:
        if isinstance(command, str):
            return self.get(command) is not None
        command = class_of(command)
        with self._lock:
            return any(cls is command for cls in self._commands.values())

    def __iter__(self) -> Iterator[type[Any]]:
        return iter(self.list_commands())

    def __len__(self) -> int:
        return len(self._commands)

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return f"CommandRegistry({self.name!r}, commands={len(self)})"

    def _enter_domain(self, command_class: type[Any], full_name: str) -> None:
        key = full_name.rpartition("::")[0]
        if not key:
            return
        domain = self._domains.get(key)
        if domain is None:
            organization, _, name = key.rpartition("::")
            domain = self._domains[key] = DomainRegistry(name, organization or None)
        domain.register(command_class, replace=True)

    def _leave_domain(self, command_class: type[Any]) -> None:
        for key, domain in list(self._domains.items()):
            if domain._discard(command_class):
                del self._domains[key]

    def _follow_renames(self) -> None:
        with self._lock:
            entries = list(self._commands.items())
        moved = {cls: now for name, cls in entries if (now := cls.full_name()) != name}
        if moved:
            with self._lock:
                self._move(moved)

    def _move(self, names: dict[type[Any], str]) -> None:
        """Give commands their new full names, in place; a name that another command has is not taken."""
        moved = _Watched()
        for name, cls in self._commands.items():
            now = names.get(cls, name)
            if now != name and (now in self._commands or now in moved):
                now = name
            moved[now] = cls
            self._places[cls] = now
            if now != name:
                self._leave_domain(cls)
                self._enter_domain(cls, now)
        moved.version += self._commands.version
        self._commands = moved

    def _ending_in(self, name: str) -> dict[str, Any]:
        """Return the commands of the class name that *name* ends in, by the full name they are under."""
        with self._lock:
            index = self._same_class
            if index is None or index[0] != self._commands.version:
                table: dict[str, list[str]] = {}
                for full_name in self._commands:
                    table.setdefault(full_name.rpartition("::")[2], []).append(full_name)
                index = self._same_class = (self._commands.version, table)
            return {key: self._commands.get(key) for key in index[1].get(name.rpartition("::")[2], ())}

    def _unknown(self, name: object) -> str:
        if not isinstance(name, str):
            return f"a command name must be a string, not {type(name).__name__}"
        names = self.list_names()
        several = [full_name for full_name in names if full_name.endswith(f"::{name}")]
        if len(several) > 1:
            return f"{name!r} is the name of several commands in registry {self.name!r}: use one of {several}"
        return f"no command {name!r} in registry {self.name!r}{near_misses(name, names)}"


class TypeRegistry:
    """Named types (Pydantic models or anything Pydantic can validate) and their JSON schemas."""

    def __init__(self) -> None:
        self._types: dict[str, Any] = {}
        self._lock = threading.RLock()

    def register(self, name: str, model: Any, *, replace: bool = False) -> Any:
        """Add *model* under *name* and return it; ``get_validator`` and type expressions know it by that.

        Raises TypeError when Pydantic cannot validate *model*, ValueError for a name that is empty, contains
        ``::`` or belongs to another type.
        """
        checked_type_entry(name, model)
        with self._lock:
            _store(self._types, name, model, "the type registry", replace)
        share_type_name(name, self, name)
        return model

    def get(self, name: str) -> Any | None:
        """Return the type of that name, or None."""
        return _named(self._types, name)

    def get_schema(self, name: str) -> dict[str, Any] | None:
        """Return the JSON schema of the type of that name, or None; the caller may change it."""
        model = _named(self._types, name)
        return None if model is None else type_schema(model)

    def list_types(self) -> list[str]:
        """Return the names in the order of their registration."""
        with self._lock:
            return list(self._types)

    def get_all_schemas(self) -> dict[str, dict[str, Any]]:
        """Return the JSON schema of every type by name."""
        with self._lock:
            types = dict(self._types)
        return {name: type_schema(model) for name, model in types.items()}

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name in self._types

    def __len__(self) -> int:
        return len(self._types)

    def __bool__(self) -> bool:
        return True


def get_default_registry() -> CommandRegistry:
    """Return the registry that ``register`` and ``CommandRegistry.warm_up()`` use; its name is ``global``."""
    return _default


@overload
def register(command_class: C) -> C: ...
@overload
def register(command_class: None = None, *, registry: CommandRegistry | None = None) -> Callable[[C], C]: ...
def register(command_class: Any = None, *, registry: CommandRegistry | None = None) -> Any:
    """Decorate a command class to add it to *registry*, by default the global one."""
    target = _default if registry is None else registry
    if not callable(getattr(target, "register", None)):
        raise TypeError(f"registry must be a CommandRegistry, not {type(registry).__name__}")
    return target.register if command_class is None else target.register(command_class)


def checked_name(argument: str, value: Any) -> str:
    """Return *value* if it can name a part of a full name, else raise TypeError or ValueError."""
    if not isinstance(value, str):
        raise TypeError(
            f"{argument} must be a string, not {type(value).__name__}; pass a name such as 'Billing'"
        )
    if not value.strip():
        raise ValueError(f"{argument} must not be empty; pass a name such as 'Billing'")
    if "::" in value:
        raise ValueError(
            f"{argument}={value!r} must not contain '::', which separates organization, domain and command; "
            f"pass {value.rpartition('::')[2]!r} and give the organization or domain apart"
        )
    return value


def checked_command(command_class: Any) -> str:
    """Return the full name of a command class.

    Raises TypeError for anything else, ValueError when the full name is not one to three parts joined by
    ``::``.
    """
    if not isinstance(command_class, type):
        kind = type(command_class).__name__
        fix = "derive a class from Command"
        if _is_command(type(command_class)):
            fix = f"pass the class {kind}"
        elif callable(command_class):
            fix = "make a command of it with @command"
        raise TypeError(f"command_class must be a command class, not an instance of {kind}; {fix}")
    if not _is_command(command_class):
        raise TypeError(
            f"command_class={command_class.__qualname__} is not a command: it has no full_name() and run(); "
            "derive it from Command or AsyncCommand"
        )
    if command_class.__dict__.get("_library_base"):
        name = command_class.__name__
        raise TypeError(
            f"{name} itself is no command to register: derive a class from {name}[Inputs, Result]"
        )
    full_name = command_class.full_name()  # type: ignore[attr-defined]
    parts = full_name.split("::") if isinstance(full_name, str) else ()
    if not 1 <= len(parts) <= 3 or not all(parts):
        raise ValueError(
            f"the full name {full_name!r} of {command_class.__qualname__} must be Command, Domain::Command "
            "or Organization::Domain::Command; give _domain and _organization one name each, without '::'"
        )
    return str(full_name)


def checked_type_entry(name: Any, model: Any) -> None:
    """Raise TypeError or ValueError unless *name* can name a type and Pydantic can validate *model*."""
    checked_name("name", name)
    if isinstance(model, type) and issubclass(model, BaseModel):
        return
    # Pydantic 2.10 takes an instance of a model for its class.
    no_type = (str, bytes, int, float, list, dict, tuple, set, BaseModel)
    if model is not None and not isinstance(model, no_type):
        try:
            TypeAdapter(model)
        except Exception as error:
            # The cause shows the model's repr, which for an instance may hold a secret.
            raise _no_type(name, model) from (error if isinstance(model, type) else None)
        return
    raise _no_type(name, model)


def near_misses(name: str, names: Iterable[str]) -> str:
    """Return the end of a message: the names nearest to *name*, or how many there are."""
    known = list(names)
    if not known:
        return ": it has no commands; register them first"
    wanted = name.rpartition("::")[2].lower()
    same = [item for item in known if item.rpartition("::")[2].lower() == wanted]
    by_lower = {item.lower(): item for item in known}
    by_short: dict[str, str] = {}
    for item in known:
        by_short.setdefault(item.rpartition("::")[2].lower(), item)
    close = [by_lower[item] for item in difflib.get_close_matches(name.lower(), by_lower, 3, 0.6)]
    close += [by_short[item] for item in difflib.get_close_matches(wanted, by_short, 3, 0.6)]
    best = list(dict.fromkeys(same + close))[:3]
    if not best:
        return f"; list_names() shows the {len(known)} there are"
    return "; did you mean " + " or ".join(repr(item) for item in best) + "?"


def manifest_of(cls: type[Any]) -> dict[str, Any]:
    """Return the manifest of a command by its own ``manifest()``, which a class may override."""
    own: Any = getattr(cls, "manifest", None)
    manifest: dict[str, Any] = command_manifest(cls) if own is None else own()
    return manifest


def type_schema(model: Any) -> dict[str, Any]:
    """Return the JSON schema of a model or type expression."""
    from .schemas import WithoutMarkedDefaults

    with build_lock:
        if isinstance(model, type) and issubclass(model, BaseModel):
            return model.model_json_schema(schema_generator=WithoutMarkedDefaults)
        return TypeAdapter(model).json_schema(schema_generator=WithoutMarkedDefaults)


def _no_type(name: str, model: Any) -> TypeError:
    given = model.__qualname__ if isinstance(model, type) else f"an instance of {type(model).__name__}"
    return TypeError(
        f"the model of {name!r} is {given}, not a type that Pydantic can validate; "
        "pass a Pydantic model or a type expression"
    )


def _is_command(cls: type[Any]) -> bool:
    # A domain mapper has a full name and a run, too.
    named = callable(getattr(cls, "full_name", None)) and callable(getattr(cls, "run", None))
    return named and not callable(getattr(cls, "map_value", None))


def _named(table: Mapping[str, V], name: object) -> V | None:
    """Return what *table* has under *name*, None for what is no name (and perhaps not hashable)."""
    return table.get(name) if isinstance(name, str) else None


def _store(table: dict[str, Any], name: str, value: Any, where: str, replace: bool) -> None:
    kept = table.get(name)
    if kept is not None and kept is not value and not replace and not _same_definition(kept, value):
        raise ValueError(
            f"{name!r} is already the name of {_place(kept)} in {where}; "
            f"rename {_place(value)} or pass replace=True"
        )
    table[name] = value


def _same_definition(old: Any, new: Any) -> bool:
    if not isinstance(old, type) or not isinstance(new, type):
        return bool(old == new)
    return (old.__module__, old.__qualname__) == (new.__module__, new.__qualname__)


def _place(value: Any) -> str:
    return f"{value.__module__}.{value.__qualname__}" if isinstance(value, type) else repr(value)


def _schema(cls: type[Any]) -> dict[str, Any]:
    own: Any = getattr(cls, "inputs_schema", None)
    try:
        schema: dict[str, Any] = inputs_schema(cls) if own is None else own()
    except Exception as error:
        raise TypeError(f"{cls.full_name()} has no JSON schema for its inputs: {error}") from error
    return schema


_default = CommandRegistry("global")
