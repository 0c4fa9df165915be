"""Names of commands: ``Organization::Domain::Command``."""

from __future__ import annotations

from typing import Any

__all__ = ["class_of", "full_name", "owner_of", "symbol"]


def class_of(command: Any) -> Any:
    """Return the command class that a function command has been made into; anything else as it is."""
    if isinstance(command, type):
        return command
    made = getattr(command, "command_class", None)
    return made if isinstance(made, type) else command


def owner_of(cls: Any, attribute: str) -> Any:
    """Return ``_domain`` or ``_organization`` of *cls*. Raises TypeError for what has no name and is none."""
    owner = getattr(cls, attribute)
    if owner is None or isinstance(owner, str) or hasattr(owner, "name"):
        return owner
    kind = "an Organization" if attribute == "_organization" else "a Domain"
    raise TypeError(
        f"{cls.__name__}.{attribute} is {kind}, the name of one or None, not {type(owner).__name__}"
    )


def full_name(cls: Any) -> str:
    """Return ``Organization::Domain::Class`` without the parts that *cls* has not."""
    parts: list[str] = []
    domain, organization = owner_of(cls, "_domain"), owner_of(cls, "_organization")
    if not organization and domain and not isinstance(domain, str):
        organization = getattr(domain, "organization", None)
    if organization:
        parts.append(organization if isinstance(organization, str) else str(organization.name))
    if domain:
        parts.append(domain if isinstance(domain, str) else str(domain.name))
    parts.append(cls.__name__)
    return "::".join(parts)


def symbol(cls: Any) -> str:
    """Return the full name of *cls* as runtime paths show it: lower case, parts joined by ``_``."""
    return str(cls.full_name()).replace("::", "_").lower()
