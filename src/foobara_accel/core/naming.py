"""Names of commands: ``Organization::Domain::Command``."""

from __future__ import annotations

from typing import Any

__all__ = ["class_of", "full_name", "symbol"]


def _name_of(owner: Any) -> str:
    return owner if isinstance(owner, str) else str(owner.name)


def class_of(command: Any) -> Any:
    """Return the command class that a function command has been made into; anything else as it is."""
    if isinstance(command, type):
        return command
    made = getattr(command, "command_class", None)
    return made if isinstance(made, type) else command


def full_name(cls: Any) -> str:
    """Return ``Organization::Domain::Class`` without the parts that *cls* has not."""
    parts: list[str] = []
    domain, organization = cls._domain, cls._organization
    if not organization and domain and not isinstance(domain, str):
        organization = getattr(domain, "organization", None)
    if organization:
        parts.append(_name_of(organization))
    if domain:
        parts.append(_name_of(domain))
    parts.append(cls.__name__)
    return "::".join(parts)


def symbol(cls: Any) -> str:
    """Return the name as runtime paths show it: lower case, parts joined by ``_``."""
    return full_name(cls).replace("::", "_").lower()
