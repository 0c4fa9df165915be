"""Organizations: named groups of domains."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar, overload

from ..core.registry import checked_name
from .domain import Domain, attach, refuse_standing

__all__ = ["Organization", "all_organizations", "foobara_organization", "get_organization"]

C = TypeVar("C", bound=type[Any])


class Organization:
    """A group of domains.

    Making one enters it in the table of organizations; one of the same name is replaced there. Its domains
    are those of the table of domains that carry its name.
    """

    __slots__ = ("__weakref__", "_name")

    _registry: ClassVar[dict[str, Organization]] = {}
    _lock: ClassVar[Any] = threading.RLock()

    def __init__(self, name: str) -> None:
        self._name = checked_name("name", name)
        with Organization._lock:
            Organization._registry[self._name] = self

    @property
    def name(self) -> str:
        """The name of the organization."""
        return self._name

    def domain(self, name: str) -> Domain:
        """Return the domain *name* of this organization, made now if there is none."""
        checked_name("name", name)
        with Domain._lock:
            return self.get_domain(name) or Domain(name, self._name)

    def get_domain(self, name: str) -> Domain | None:
        """Return the domain *name* of this organization, or None."""
        return Domain.get(name, self._name)

    def list_domains(self) -> list[Domain]:
        """Return the domains of this organization in the order of their creation."""
        return [domain for domain in Domain.all() if domain.organization == self._name]

    def domain_names(self) -> list[str]:
        """Return the names of the domains, without the organization."""
        return [domain.name for domain in self.list_domains()]

    def manifest(self) -> dict[str, Any]:
        """Return {name, domains}: the manifests of the domains by name."""
        return {
            "name": self._name,
            "domains": {domain.name: domain.manifest() for domain in self.list_domains()},
        }

    @classmethod
    def get(cls, name: str) -> Organization | None:
        """Return the organization of that name, or None."""
        return Organization._registry.get(name) if isinstance(name, str) else None

    @classmethod
    def all(cls) -> list[Organization]:
        """Return every organization in the order of their creation."""
        with Organization._lock:
            return list(Organization._registry.values())

    @classmethod
    def clear_registry(cls) -> None:
        """Forget every organization, but not their domains; meant for tests."""
        with Organization._lock:
            Organization._registry.clear()

    def __repr__(self) -> str:
        return f"Organization({self._name!r})"


def get_organization(name: str) -> Organization | None:
    """Return the organization of that name, or None."""
    return Organization.get(name)


def all_organizations() -> list[Organization]:
    """Return every organization in the order of their creation."""
    return Organization.all()


@overload
def foobara_organization(name: C) -> C: ...
@overload
def foobara_organization(name: str | None = None) -> Callable[[C], C]: ...
def foobara_organization(name: Any = None) -> Any:
    """Decorate a class to make it stand for an organization, named after it unless *name* says otherwise.

    The class gets the organization's methods and name, and the organization itself as
    ``foobara_organization``; what its body defines is left alone. Usable bare, too. Raises TypeError for a
    command, and for what is no class.
    """

    def decorate(target: C) -> C:
        refuse_standing(target, "an organization", "put its domain into one with Organization.domain")
        attach(target, Organization(target.__name__ if given is None else given), "foobara_organization")
        return target

    bare = isinstance(name, type)
    given = None if bare else name
    return decorate(name) if bare else decorate
