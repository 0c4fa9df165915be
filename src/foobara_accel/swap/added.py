"""What foobara_py's own classes gain while it is switched on: the attributes that its roadmap shows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from types import MethodType
from typing import TYPE_CHECKING, Any

from .target import Target

if TYPE_CHECKING:
    from ..core.warmup import WarmUpReport

__all__ = ["Added", "added"]

# CPython 3.13 gives a class a thousand version tags, and each change can cost it and its subclasses one.
# After so many switches what is added stays where it is, and answers as if it were not there.
_SWITCHES = 50


class Added:
    """One attribute added to one class, and whether it answers."""

    __slots__ = ("_attribute", "_name", "_owner", "_switches", "key")

    key: str

    def __init__(self, owner: type, name: str, give: Callable[[Any, Any], Any]) -> None:
        self.key = f"{owner.__name__}.{name}"
        self._owner = owner
        self._name = name
        self._attribute = _Switched(owner, name, give)
        self._switches = 0

    def on(self) -> None:
        """Add it; what a class has by itself stays."""
        self._attribute.answers = True
        if vars(self._owner).get(self._name) is not self._attribute:
            setattr(self._owner, self._name, self._attribute)

    def off(self) -> None:
        """Take it away."""
        self._attribute.answers = False
        self._switches += 1
        if self._switches <= _SWITCHES and vars(self._owner).get(self._name) is self._attribute:
            delattr(self._owner, self._name)


class _Switched:
    """A non-data descriptor, so that an instance may have an attribute of its own under the name.

    It gives way to what would answer without it: a base that comes later, and the ``__getattr__`` of a class.
    """

    __slots__ = ("_give", "_name", "_owner", "answers")

    answers: bool

    def __init__(self, owner: type, name: str, give: Callable[[Any, Any], Any]) -> None:
        self._owner = owner
        self._name = name
        self._give = give
        self.answers = False

    def __get__(self, instance: Any, owner: Any) -> Any:
        mro = owner.__mro__
        if any(self._name in vars(base) for base in mro[mro.index(self._owner) + 1 :]):
            return getattr(super(self._owner, owner if instance is None else instance), self._name)
        if not self.answers:
            kind = f"{owner.__name__!r} object" if instance is not None else f"type object {owner.__name__!r}"
            raise AttributeError(f"{kind} has no attribute {self._name!r}")
        if instance is not None and hasattr(owner, "__getattr__"):
            with suppress(AttributeError):
                return owner.__getattr__(instance, self._name)
        return self._give(instance, owner)


def added(target: Target) -> tuple[Added, ...]:
    """Return what can be added to *target*: nothing that it has by itself."""
    found = []
    naming, registry = target.NamingConcern, target.CommandRegistry
    if isinstance(naming, type) and not hasattr(naming, "name"):
        found.append(Added(naming, "name", lambda instance, owner: owner.full_name()))
    if isinstance(registry, type) and not hasattr(registry, "warm_up"):

        def bound(instance: Any, owner: Any) -> Any:
            return MethodType(warm_up, target.get_default_registry() if instance is None else instance)

        found.append(Added(registry, "warm_up", bound))

    def warm_up(
        registry: Any,
        commands: Any = None,
        *,
        domain: Any = None,
        all: bool = False,
        types: Iterable[Any] = (),
        strict: bool = False,
        freeze: bool = False,
    ) -> WarmUpReport:
        """Build the validators and schemas of the commands of *registry*, on the class of the default one.

        As ``foobara_accel.core.warmup.warm_up``: *commands*, *domain*, *all* or *types* mean those instead.
        """
        from ..core.warmup import warm_up as warm

        if commands is None and domain is None and not all and not types:
            return warm(registry.list_commands(), strict=strict, freeze=freeze)
        wanted: list[Any] = []
        if isinstance(commands, (str, type)):
            commands = (commands,)
        for each in () if commands is None else commands:
            wanted.append((registry.get(each) or each) if isinstance(each, str) else each)
        if domain is not None:
            name = domain if isinstance(domain, str) else domain.full_name()
            wanted += [cls for cls in registry.list_commands() if _is_in(cls, name)]
        if all:
            return warm(wanted, all=True, types=types, strict=strict, freeze=freeze)
        return warm(wanted, types=types, strict=strict, freeze=freeze)

    return tuple(found)


def _is_in(command: Any, domain: str) -> bool:
    return bool(command._domain == domain or command.full_name().startswith(f"{domain}::"))
