"""Domains: named groups of commands and types, and which of them may call which."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, overload

from .._backend import executor
from ..core.manifest import name_of, owners_of
from ..core.naming import class_of
from ..core.plan import set_domain_policy
from ..core.registry import DomainRegistry, checked_command, checked_name, manifest_of, type_schema

if TYPE_CHECKING:
    from ..core.simple import AsyncSimpleCommand, SimpleCommand

__all__ = [
    "GLOBAL",
    "Domain",
    "DomainDependencyError",
    "GlobalDomain",
    "all_domains",
    "create_domain",
    "domain_key",
    "foobara_domain",
    "get_domain",
    "policy",
]

GLOBAL = "Global"

C = TypeVar("C", bound="type[Any] | SimpleCommand[..., Any] | AsyncSimpleCommand[..., Any]")
K = TypeVar("K", bound=type[Any])
T = TypeVar("T")
# Domain has a method named ``type``, so its body cannot write type[Any].
CommandClass = type[Any]


class DomainDependencyError(Exception):
    """A domain depends on itself, closes a cycle, or calls into a domain that it does not depend on.

    ``path`` holds the full names along the cycle, or the calling and the called domain.
    """

    def __init__(self, message: str, path: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.args[0], self.path))


class _Calls:
    """Counts the calls from one domain into another; an instance is what a plan calls per subcommand."""

    __slots__ = ("_lock", "count")

    def __init__(self) -> None:
        self.count = 0
        self._lock = threading.Lock()

    def __call__(self) -> None:
        with self._lock:
            self.count += 1

    def reset(self) -> None:
        with self._lock:
            self.count = 0


class Domain:
    """A group of commands and types, alone or in an organization.

    Making one enters it in the table of domains under its full name; a domain of the same full name is
    replaced there. Its commands may call those of the same domain, of ``Global`` and of the domains it
    depends on.
    """

    __slots__ = ("__weakref__", "_contents", "_dependencies", "_name", "_organization")

    _registry: ClassVar[dict[str, Domain]] = {}
    _lock: ClassVar[Any] = threading.RLock()
    _cross_domain_calls: ClassVar[dict[tuple[str, str], _Calls]] = {}

    def __init__(self, name: str, organization: Any = None) -> None:
        self._name = checked_name("name", name)
        self._organization = _organization_name(organization)
        self._dependencies: tuple[str, ...] = ()
        self._contents = DomainRegistry(self._name, self._organization)
        with Domain._lock:
            Domain._registry[self.full_name] = self
        executor.bump_epoch()

    @property
    def name(self) -> str:
        """The name without the organization."""
        return self._name

    @property
    def organization(self) -> str | None:
        """The name of the organization, or None."""
        return self._organization

    @property
    def full_name(self) -> str:
        """``Organization::Name``, or the name alone."""
        return f"{self._organization}::{self._name}" if self._organization else self._name

    @property
    def dependencies(self) -> tuple[str, ...]:
        """What was passed to ``depends_on``, by name, in that order."""
        return self._dependencies

    def depends_on(self, *domains: Any) -> Domain:
        """Allow calls into *domains* (names or Domain objects) and return this domain.

        A name without ``::`` means the domain of that name in the same organization where there is one, else
        the one without an organization; write ``Organization::Name`` for any other. Domains may be named
        before they exist. Raises DomainDependencyError for this domain itself or for a cycle, and then adds
        none of them.
        """
        names = [_dependency_name(domain) for domain in domains]
        with Domain._lock:
            wanted = tuple(dict.fromkeys((*self._dependencies, *names)))
            for name in names:
                if self._resolve(name) == self.full_name:
                    raise DomainDependencyError(
                        f"domain {self.full_name!r} cannot depend on itself; leave {name!r} out",
                        (self.full_name, self.full_name),
                    )
            path = self._cycle(wanted)
            if path:
                raise DomainDependencyError(
                    f"depends_on({', '.join(map(repr, names))}) would close the cycle "
                    f"{' -> '.join(path)}; nothing was added, remove one of these dependencies",
                    path,
                )
            self._dependencies = wanted
        executor.bump_epoch()
        return self

    def can_call_from(self, domain: Any) -> bool:
        """Say whether commands of this domain may call commands of *domain* (a name or a Domain object)."""
        name = _dependency_name(domain)
        return self._allows(name if isinstance(domain, Domain) or name == GLOBAL else self._resolve(name))

    def validate_subcommand_call(self, command_class: CommandClass, target: Any) -> None:
        """Raise DomainDependencyError when *command_class* of this domain may not call *target*.

        *target* is a command class, a Domain or the name of one.
        """
        command_class, target = class_of(command_class), class_of(target)
        if isinstance(target, type) and not isinstance(getattr(target, "foobara_domain", None), Domain):
            key = domain_key(target)
            if key is not None and not self._allows(key):
                raise _violation(self, command_class, target, key)
        elif not self.can_call_from(target):
            raise _violation(self, command_class, target, _dependency_name(target))

    @classmethod
    def track_cross_domain_call(cls, source: str, target: str) -> None:
        """Count one call from the domain *source* into *target*, both by full name."""
        _calls(source, target)()

    @classmethod
    def get_cross_domain_call_stats(cls) -> dict[tuple[str, str], int]:
        """Return the number of calls by (calling, called) full name; pairs without a call are left out."""
        with Domain._lock:
            calls = dict(Domain._cross_domain_calls)
        return {pair: counter.count for pair, counter in calls.items() if counter.count}

    @classmethod
    def reset_cross_domain_call_stats(cls) -> None:
        """Set every number of calls to nought."""
        with Domain._lock:
            calls = list(Domain._cross_domain_calls.values())
        for counter in calls:
            counter.reset()

    @overload
    def command(self, command_class: C) -> C: ...
    @overload
    def command(self, command_class: None = None, *, description: str | None = None) -> Callable[[C], C]: ...
    def command(self, command_class: Any = None, *, description: str | None = None) -> Any:
        """Decorate a command class to put it into this domain, with or without parentheses.

        A function command can be decorated too.
        """

        def decorate(target: C) -> C:
            self.register_command(target)
            if description is not None:
                class_of(target)._description = description
            return target

        return decorate if command_class is None else decorate(command_class)

    def register_command(self, command_class: C, *, replace: bool = False) -> C:
        """Put a command class, or that of a function command, into this domain and return what was given.

        It sets ``_domain`` and ``_organization``. Raises TypeError for anything but a command, ValueError
        when it declares another domain or a different class of this domain has its name.
        """
        cls = class_of(command_class)
        checked_command(cls)
        declared = domain_key(cls) if cls.__dict__.get("_domain") else None
        if declared is not None and declared not in (self._name, self.full_name):
            raise ValueError(
                f"{cls.__qualname__} is in domain {declared!r} already, so it cannot be put into "
                f"{self.full_name!r}; derive a subclass for the second domain"
            )
        self._contents.register(cls, replace=replace)
        cls._domain = self._name
        cls._organization = self._organization
        executor.bump_epoch()
        return command_class

    def get_command(self, name: str) -> CommandClass | None:
        """Return the command of that short name, or None."""
        return self._contents.get_command(name)

    def list_commands(self) -> list[CommandClass]:
        """Return the command classes in the order of their registration."""
        return self._contents.list_commands()

    def command_names(self) -> list[str]:
        """Return the short names of the commands in the order of their registration."""
        return [command.__name__ for command in self._contents.list_commands()]

    @overload
    def type(self, name: K) -> K: ...
    @overload
    def type(self, name: str | None = None) -> Callable[[T], T]: ...
    def type(self, name: Any = None) -> Any:
        """Decorate a model to register it under *name*, by default its ``__name__``; usable bare, too."""

        def decorate(model: T) -> T:
            self.register_type(getattr(model, "__name__", "") if given is None else given, model)
            return model

        bare = isinstance(name, type)
        given = None if bare or name is None else checked_name("name", name)
        return decorate(name) if bare else decorate

    def register_type(self, name: str, model: Any, *, replace: bool = False) -> Any:
        """Add a type under *name* and return it; ``get_validator`` knows it as ``Domain::name``, too.

        Raises TypeError when Pydantic cannot validate *model*, ValueError when *name* is taken or no name.
        """
        return self._contents.register_type(name, model, replace=replace)

    def get_type(self, name: str) -> Any | None:
        """Return the type of that name, or None."""
        return self._contents.get_type(name)

    def list_types(self) -> list[str]:
        """Return the names of the types in the order of their registration."""
        return self._contents.list_types()

    def manifest(self) -> dict[str, Any]:
        """Return {name, organization, full_name, depends_on, commands, types}, the last two by name."""
        return {
            "name": self._name,
            "organization": self._organization,
            "full_name": self.full_name,
            "depends_on": list(self._dependencies),
            "commands": {command.__name__: manifest_of(command) for command in self.list_commands()},
            "types": {name: type_schema(self.get_type(name)) for name in self.list_types()},
        }

    @classmethod
    def get(cls, name: str, organization: Any = None) -> Domain | None:
        """Return the domain of that full name (or name and organization), or None."""
        if not isinstance(name, str):
            return None
        organization = name_of(organization)
        return Domain._registry.get(f"{organization}::{name}" if organization else name)

    @classmethod
    def all(cls) -> list[Domain]:
        """Return every domain in the order of their creation."""
        with Domain._lock:
            return list(Domain._registry.values())

    @classmethod
    def clear_registry(cls) -> None:
        """Forget every domain but the global one, and every number of calls; meant for tests."""
        with Domain._lock:
            Domain._registry.clear()
        Domain.reset_cross_domain_call_stats()
        executor.bump_epoch()

    @classmethod
    def find_domain_for_command(cls, command: CommandClass | str) -> Domain | None:
        """Return the domain with this command class, or a command of this short or full name, or None."""
        command = class_of(command)
        for domain in Domain.all():
            for known in domain.list_commands():
                if known is command or (
                    isinstance(command, str) and command in (known.__name__, known.full_name())
                ):
                    return domain
        return None

    def __repr__(self) -> str:
        return f"Domain({self.full_name!r})"

    def _resolve(self, name: str) -> str:
        """Return the full name that the dependency *name* of this domain means now."""
        if "::" not in name and self._organization:
            near = f"{self._organization}::{name}"
            if near in Domain._registry or (name == self._name and name not in Domain._registry):
                return near
        return name

    def _allows(self, target: str) -> bool:
        """Say whether calls into the domain of the full name *target* are allowed."""
        if target in (GLOBAL, self.full_name) or self.full_name == GLOBAL:
            return True
        for name in self._dependencies:
            if self._resolve(name) == target:
                return True
            # Where neither domain was ever made, a simple name may mean either place (see depends_on).
            if target == f"{self._organization}::{name}" and name not in Domain._registry:
                return True
        return False

    def _cycle(self, dependencies: tuple[str, ...]) -> tuple[str, ...]:
        """Return the full names along the first cycle that *dependencies* would close, or ()."""
        start = self.full_name
        seen: set[str] = set()
        # One entry per open domain: its full name and the dependencies still to follow; no recursion, so
        # that a long chain of domains cannot exhaust the stack.
        trail: list[tuple[str, list[str]]] = [
            (start, [self._resolve(name) for name in reversed(dependencies)])
        ]
        while trail:
            rest = trail[-1][1]
            if not rest:
                trail.pop()
                continue
            following = rest.pop()
            if following == start:
                return (*(full_name for full_name, _ in trail), start)
            domain = Domain._registry.get(following)
            if following in seen or domain is None:
                continue
            seen.add(following)
            trail.append((following, [domain._resolve(name) for name in reversed(domain._dependencies)]))
        return ()


class _Global(Domain):
    """The domain of commands that belong to none; every domain may call into it, and it may call any."""

    __slots__ = ()

    def __init__(self) -> None:
        self._name = GLOBAL
        self._organization = None
        self._dependencies = ()
        self._contents = DomainRegistry(GLOBAL)


GlobalDomain: Domain = _Global()


def create_domain(name: str, organization: Any = None) -> Domain:
    """Make a domain; the same as ``Domain(name, organization)``."""
    return Domain(name, organization)


def get_domain(name: str, organization: Any = None) -> Domain | None:
    """Return the domain of that full name (or name and organization), or None; ``Global`` always exists."""
    return Domain.get(name, organization) or (GlobalDomain if name == GLOBAL and not organization else None)


def all_domains() -> list[Domain]:
    """Return every domain in the order of their creation."""
    return Domain.all()


@overload
def foobara_domain(name: K) -> K: ...
@overload
def foobara_domain(name: str | None = None, organization: Any = None) -> Callable[[K], K]: ...
def foobara_domain(name: Any = None, organization: Any = None) -> Any:
    """Decorate a class to make it stand for a domain, named after the class unless *name* says otherwise.

    The class gets the domain's methods and names, and the domain itself as ``foobara_domain``; what its body
    defines is left alone. Usable bare, too. Raises TypeError for a command, and for what is no class.
    """

    def decorate(target: K) -> K:
        refuse_standing(target, "a domain", "put it into one with Domain.command")
        attach(target, Domain(target.__name__ if given is None else given, organization), "foobara_domain")
        return target

    bare = isinstance(name, type)
    given = None if bare else name
    return decorate(name) if bare else decorate


def refuse_standing(target: Any, what: str, instead: str) -> None:
    """Raise TypeError for what cannot stand for *what*: the members that a command would get are its own."""
    if not isinstance(target, type):
        raise TypeError(f"only a class can stand for {what}, not {type(target).__name__}")
    if issubclass(target, executor.Core):
        raise TypeError(f"{target.__qualname__} is a command and cannot stand for {what}: {instead}")


def attach(target: type[Any], instance: Any, attribute: str) -> None:
    """Give *target* the public methods of *instance*, bound, and *instance* itself as *attribute*."""
    setattr(target, attribute, instance)
    kind = type(instance)
    for key in dir(kind):
        if (
            key.startswith("_")
            or key in target.__dict__
            or isinstance(inspect.getattr_static(kind, key), classmethod)
        ):
            continue
        value = getattr(instance, key)
        if callable(value):
            setattr(target, key, staticmethod(value))
        elif isinstance(value, str):
            setattr(target, key, value)


def domain_key(command_class: type[Any]) -> str | None:
    """Return the full name of the domain a command class is in, or None."""
    domain, organization = owners_of(command_class)
    return f"{organization}::{domain}" if domain and organization else domain


def policy(source_cls: type[Any], target_cls: type[Any]) -> Callable[[], None] | None:
    """Decide whether commands of *source_cls* may run *target_cls* as a subcommand.

    Returns None when there is nothing to do, else a callable to call once per subcommand call, which counts
    it. The answer holds until the epoch of the executor moves or a class's ``_domain`` changes. Raises
    DomainDependencyError when the calling domain exists and does not depend on the called one.
    """
    source, target = domain_key(source_cls), domain_key(target_cls)
    if source is None or target is None or source == target:
        return None
    domain = get_domain(source)
    if domain is None:
        return None
    if not domain._allows(target):
        raise _violation(domain, source_cls, target_cls, target)
    return _calls(source, target)


def _violation(domain: Domain, source: Any, target: Any, target_name: str) -> DomainDependencyError:
    caller = getattr(source, "__name__", str(source))
    called = f"{target.__name__} of " if isinstance(target, type) else ""
    return DomainDependencyError(
        f"{caller} of domain {domain.full_name!r} may not call {called}domain {target_name!r}: "
        f"{domain.full_name!r} does not depend on it; declare it with depends_on({target_name!r})",
        (domain.full_name, target_name),
    )


def _calls(source: str, target: str) -> _Calls:
    with Domain._lock:
        return Domain._cross_domain_calls.setdefault((source, target), _Calls())


def _organization_name(organization: Any) -> str | None:
    if organization is None:
        return None
    if isinstance(organization, str):
        return checked_name("organization", organization)
    name = name_of(organization)
    if name is None:
        raise TypeError(
            f"organization must be a name or an Organization, not {type(organization).__name__}; "
            "pass a name such as 'Acme'"
        )
    return checked_name("organization", name)


def _dependency_name(domain: Any) -> str:
    if isinstance(domain, Domain):
        return domain.full_name
    if isinstance(domain, type) and isinstance(own := getattr(domain, "foobara_domain", None), Domain):
        return own.full_name
    if not isinstance(domain, str):
        raise TypeError(
            f"a domain must be given by name or as a Domain, not {type(domain).__name__}; "
            "pass a name such as 'Billing'"
        )
    parts = domain.split("::")
    if len(parts) > 2 or not all(part.strip() for part in parts):
        raise ValueError(f"{domain!r} is no name of a domain; write 'Domain' or 'Organization::Domain'")
    return domain


set_domain_policy(policy)


def __getattr__(name: str) -> Any:
    # foobara_py keeps organizations in this module; ours imports it, so the names are looked up late.
    if name in ("Organization", "all_organizations", "foobara_organization", "get_organization"):
        from . import organization

        return getattr(organization, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
