"""Domain mappers: turn the values of one domain into those of another, also around a subcommand."""

from __future__ import annotations

import inspect
import threading
import types
import typing
import weakref
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Generic, NoReturn, TypeVar, overload

from pydantic import BaseModel, ValidationError

from .._reports import named
from .._vocabulary import Halt
from ..core.inputs import model_of
from ..core.manifest import name_of
from ..core.naming import class_of, full_name
from .domain import GLOBAL, Domain, domain_key

__all__ = ["DomainMapper", "DomainMapperRegistry", "domain_mapper", "run_mapped", "run_mapped_async", "score"]

FromT = TypeVar("FromT")
ToT = TypeVar("ToT")
M = TypeVar("M", bound="type[DomainMapper[Any, Any]]")

EXACT, KIND, VALIDATED, UNTYPED = 20, 10, 5, 1
_CACHE_LIMIT = 1024


class DomainMapper(Generic[FromT, ToT]):
    """Derive from ``DomainMapper[Source, Target]`` and write ``map``.

    ``map(self, value)`` gets the value to convert; ``map(self)`` reads it from ``self.from_value``. A source
    that is a Pydantic model also accepts dicts that validate as it, and ``map`` then sees the model.
    """

    _domain: ClassVar[Any] = None
    _organization: ClassVar[Any] = None
    _from_type: ClassVar[Any] = None
    _to_type: ClassVar[Any] = None
    _takes_value: ClassVar[bool] = True
    _result: Any = None

    def __init__(self, from_value: FromT) -> None:
        self.from_value = from_value

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for base in cls.__dict__.get("__orig_bases__", ()):
            origin, arguments = typing.get_origin(base), typing.get_args(base)
            if isinstance(origin, type) and issubclass(origin, DomainMapper) and len(arguments) == 2:
                cls._from_type, cls._to_type = (_plain(argument) for argument in arguments)
        if "map" in cls.__dict__:
            cls._takes_value = len(inspect.signature(cls.__dict__["map"]).parameters) > 1

    @classmethod
    def from_type(cls) -> Any:
        """Return the type this mapper takes, or None when it names none."""
        return cls._from_type

    @classmethod
    def to_type(cls) -> Any:
        """Return the type this mapper makes, or None when it names none."""
        return cls._to_type

    # Both kinds of arguments: type checkers then take an override of any parameters.
    def map(self, *args: Any, **named: Any) -> Any:
        """Return the converted value; every mapper overrides this."""
        raise NotImplementedError(f"{type(self).__name__} has no map(self, value)")

    def run(self) -> ToT:
        """Return the converted value of ``self.from_value``, made at the first call."""
        if self._result is None:
            self._result = self.map(self.from_value) if self._takes_value else self.map()
        return self._result  # type: ignore[no-any-return]

    @classmethod
    def map_value(cls, from_value: Any) -> ToT:
        """Convert *from_value* and return the result."""
        model = cls.from_type()
        if isinstance(from_value, dict) and isinstance(model, type) and issubclass(model, BaseModel):
            from_value = model.model_validate(from_value)
        return _apply(cls, from_value)  # type: ignore[no-any-return]

    @classmethod
    def applicable(cls, from_value: Any, to_value: Any) -> bool:
        """Say whether this mapper makes *to_value* (a type, or a value of it) of *from_value*."""
        return cls.match_score(from_value, to_value) > 0

    @classmethod
    def match_score(cls, from_value: Any, to_value: Any) -> int:
        """Return how well both fit, as the sum of two ``score``; 0 when one does not. None counts 1.

        A mapper that overrides this is rated by it wherever one is looked for.
        """
        source = UNTYPED if from_value is None else score(cls.from_type(), from_value)
        if to_value is None:
            target = UNTYPED
        else:
            target = _made(to_value if _is_type(to_value) else type(to_value), cls)
        return source + target if source and target else 0

    @classmethod
    def full_name(cls) -> str:
        """Return ``Organization::Domain::Class`` without the parts that the class has not."""
        return full_name(cls)


_MATCH_SCORE = DomainMapper.match_score.__func__  # type: ignore[attr-defined]


class DomainMapperRegistry:
    """The mappers of each domain; those of the domain ``Global`` serve every domain."""

    _mappers: ClassVar[dict[str, tuple[type[DomainMapper[Any, Any]], ...]]] = {}
    _lock: ClassVar[Any] = threading.RLock()
    _cache: ClassVar[dict[Any, Any]] = {}

    @classmethod
    def register(cls, mapper_class: M, domain: Any = None) -> M:
        """Add a mapper class for *domain* (by default its own ``_domain``, else ``Global``) and return it.

        Registering it again for the same domain changes nothing. Raises TypeError for anything but a mapper
        class.
        """
        if not (isinstance(mapper_class, type) and issubclass(mapper_class, DomainMapper)):
            raise TypeError(
                f"mapper_class must be a class derived from DomainMapper, not {_shown(mapper_class)}; "
                "define class YourMapper(DomainMapper[Source, Target])"
            )
        key = _domain_name(domain) if domain is not None else domain_key(mapper_class) or GLOBAL
        with cls._lock:
            known = cls._mappers.get(key, ())
            if mapper_class not in known:
                # Tuples are replaced, not changed: a look-up reads one without the lock.
                cls._mappers[key] = (*known, mapper_class)
                DomainMapperRegistry._cache = {}
        return mapper_class

    @classmethod
    def unregister(cls, mapper: type[DomainMapper[Any, Any]]) -> bool:
        """Remove a mapper class from every domain; return whether it was in one."""
        found = False
        with cls._lock:
            for key, known in list(cls._mappers.items()):
                if mapper in known:
                    found = True
                    cls._mappers[key] = tuple(other for other in known if other is not mapper)
            DomainMapperRegistry._cache = {}
        return found

    @classmethod
    def mappers(cls, domain: Any = None) -> list[type[DomainMapper[Any, Any]]]:
        """Return the mappers of *domain* in the order of their registration, or those of all domains."""
        if domain is not None:
            return list(cls._mappers.get(_domain_name(domain), ()))
        with cls._lock:
            return [mapper for known in cls._mappers.values() for mapper in known]

    @classmethod
    def get(cls, name: str) -> type[DomainMapper[Any, Any]] | None:
        """Return the mapper of that full name, the one registered last where several have it, or None."""
        named = [mapper for mapper in cls.mappers() if mapper.full_name() == name]
        return named[-1] if named else None

    @classmethod
    def list_for_domain(cls, domain: Any) -> dict[str, type[DomainMapper[Any, Any]]]:
        """Return the mappers of *domain* by full name; a name without organization is that of any."""
        return {mapper.full_name(): mapper for mapper in _mappers_of(domain)}

    @classmethod
    def find_matching_mapper(
        cls, from_value: Any, to_value: Any, domain: Any = None
    ) -> type[DomainMapper[Any, Any]] | None:
        """Return the mapper of the highest ``match_score``, or None; the first registered wins a tie.

        Looks at those of *domain*, and at nothing else, or at all there are. ``find`` is what commands use.
        """
        best, best_score = None, 0
        for mapper in cls.mappers() if domain is None else _mappers_of(domain):
            found = _scored(mapper, mapper.match_score(from_value, to_value))
            if found > best_score:
                best, best_score = mapper, found
        return best

    @classmethod
    def find(cls, value: Any, to: Any, domain: Any = None) -> type[DomainMapper[Any, Any]] | None:
        """Return the mapper of the highest score for *value* and *to*, or None.

        The domain's own mappers come first, those of ``Global`` when none of them fits; the first registered
        wins a tie. *value* may be a type. No lock is held while candidates are scored.
        """
        return _find(value, to, _domain_name(domain) if domain is not None else GLOBAL)[0]

    @classmethod
    def clear(cls) -> None:
        """Forget every mapper."""
        with cls._lock:
            cls._mappers.clear()
            DomainMapperRegistry._cache = {}


@overload
def domain_mapper(domain: M) -> M: ...
@overload
def domain_mapper(domain: Any = None, organization: Any = None) -> Callable[[M], M]: ...
def domain_mapper(domain: Any = None, organization: Any = None) -> Any:
    """Decorate a mapper class to register it, in *domain* and *organization* if given; usable bare, too."""

    def decorate(mapper: M) -> M:
        checked = isinstance(mapper, type) and issubclass(mapper, DomainMapper)
        # Both are looked at before either is set: a class that is refused stays as it was.
        if checked and domain:
            _domain_name(domain)
        if checked and organization and name_of(organization) is None:
            raise TypeError(
                f"organization must be a name or an Organization, not {type(organization).__name__}"
            )
        if checked and domain:
            mapper._domain = domain
        if checked and organization:
            mapper._organization = organization
        return DomainMapperRegistry.register(mapper)

    if isinstance(domain, type) and issubclass(domain, DomainMapper):
        return DomainMapperRegistry.register(domain)
    return decorate


def score(wanted: Any, given: Any) -> int:
    """Return how well *given* (a value or a type) fits the type *wanted*; 0 means not at all.

    The same type 20, an instance or subclass 10, a dict that validates as the model 5, no type at all 1.
    """
    return _score(wanted, given)[0]


def run_mapped(
    command: Any,
    command_class: Any,
    unmapped_inputs: Any = None,
    to: Any = None,
    extra: Mapping[str, Any] | None = None,
) -> Any:
    """Run *command_class* as a subcommand on mapped inputs, and map its result to the type *to*.

    The inputs are mapped as a whole, else field by field; *extra* is passed as it is. When no mapper fits,
    the command fails with ``no_domain_mapper_found``, before the subcommand runs if no mapper could fit its
    declared result either. A subcommand that fails halts the command.
    """
    command_class = class_of(command_class)
    inputs, mapped = _inputs_for(command, command_class, unmapped_inputs, to, extra)
    result = command.run_subcommand_bang(command_class, **inputs)
    return _result_for(command, command_class, result, to, mapped)


async def run_mapped_async(
    command: Any,
    command_class: Any,
    unmapped_inputs: Any = None,
    to: Any = None,
    extra: Mapping[str, Any] | None = None,
) -> Any:
    """Do the same as ``run_mapped`` for a command whose ``run_subcommand_bang`` is awaited."""
    command_class = class_of(command_class)
    inputs, mapped = _inputs_for(command, command_class, unmapped_inputs, to, extra)
    result = command.run_subcommand_bang(command_class, **inputs)
    if inspect.isawaitable(result):
        result = await result
    return _result_for(command, command_class, result, to, mapped)


def _inputs_for(
    command: Any, command_class: Any, unmapped: Any, to: Any, extra: Mapping[str, Any] | None
) -> tuple[dict[str, Any], bool]:
    if not isinstance(command_class, type) or not callable(getattr(command_class, "inputs_type", None)):
        raise TypeError(
            f"command_class must be a command class, not {_shown(command_class)}; "
            "pass the class of the subcommand, then what is to be mapped"
        )
    given = {} if unmapped is None else unmapped
    model = model_of(command_class)
    domain = domain_key(type(command)) or GLOBAL
    whole, value = _find(given, model, domain)
    mapped = whole is not None
    if whole is not None:
        inputs = _as_inputs(_apply(whole, value), whole)
    elif isinstance(given, Mapping):
        inputs = dict(given)
        for name, field in model.model_fields.items():
            key = name if name in inputs else _key(model, name)
            if key not in inputs:
                continue
            mapper, value = _find(inputs[key], field.annotation, domain)
            if mapper is not None:
                inputs[key], mapped = _apply(mapper, value), True
    else:
        _not_found(command, command_class, to)
    if not mapped and (to is None or not _result_possible(command_class, to, domain)):
        _not_found(command, command_class, to)
    return {**inputs, **(extra or {})}, mapped


def _result_for(command: Any, command_class: Any, result: Any, to: Any, mapped: bool) -> Any:
    if to is not None:
        mapper, value = _find(result, to, domain_key(type(command)) or GLOBAL)
        if mapper is not None:
            return _apply(mapper, value)
    if not mapped:
        _not_found(command, command_class, to)
    return result


def _not_found(command: Any, command_class: Any, to: Any) -> NoReturn:
    full_name = command_class.full_name()
    wanted = None if to is None else named(to)
    command.add_runtime_error(
        "no_domain_mapper_found",
        f"No domain mapper fits the inputs of {full_name}"
        + (f" or its result as {wanted}" if wanted else "")
        + "; register one with DomainMapperRegistry.register()",
        halt=True,
        subcommand=full_name,
        to=wanted,
    )
    raise Halt


def _result_possible(command_class: type[Any], to: Any, domain: str) -> bool:
    """Say whether a mapper could turn a result of the declared type, or of a subclass of it, into *to*."""
    declared = _plain(command_class.result_type()) if hasattr(command_class, "result_type") else None
    for mapper in _candidates(domain):
        if not _made(to, mapper):
            continue
        source = mapper.from_type()
        if (
            declared is None
            or source is None
            or not isinstance(declared, type)
            or not isinstance(source, type)
        ):
            return True
        # A dict result may validate as the source model; a subclass of the declared type may be returned.
        if issubclass(declared, (source, dict)) or issubclass(source, declared):
            return True
    return False


def _mappers_of(domain: Any) -> list[type[DomainMapper[Any, Any]]]:
    name = _domain_name(domain)
    with DomainMapperRegistry._lock:
        groups = list(DomainMapperRegistry._mappers.items())
    return [mapper for key, group in groups if name in (key, key.rpartition("::")[2]) for mapper in group]


def _candidates(domain: str) -> tuple[type[DomainMapper[Any, Any]], ...]:
    return tuple(mapper for group in _groups(domain) for mapper in group)


def _groups(domain: str) -> list[tuple[type[DomainMapper[Any, Any]], ...]]:
    names = dict.fromkeys((domain, domain.rpartition("::")[2], GLOBAL))
    known = DomainMapperRegistry._mappers
    return [known.get(name, ()) for name in names]


def _find(value: Any, to: Any, domain: str) -> tuple[type[DomainMapper[Any, Any]] | None, Any]:
    """Return the mapper and what to hand it: the value, or the model that a dict validated as."""
    cache = DomainMapperRegistry._cache
    key = None
    # Whether a dict fits depends on what is in it; for any other value its type decides.
    if not isinstance(value, dict) and not _is_type(value):
        key = (_ref(type(value)), _ref(to), domain)
        try:
            if key in cache:
                return cache[key], value
        except TypeError:
            key = None
    best, seen, best_score = None, value, 0
    for group in _groups(domain):
        for mapper in group:
            target = _made(to, mapper)
            source, prepared = _score(mapper.from_type(), value) if target else (0, value)
            total = source and target + source
            # A static method or a plain function has no __func__.
            if getattr(mapper.match_score, "__func__", None) is not _MATCH_SCORE:
                # One of its own may look at what is in a value.
                total, key = _scored(mapper, mapper.match_score(value, to)), None
            if total > best_score:
                best, seen, best_score = mapper, prepared, total
        if best is not None:
            break
    if key is not None and cache is DomainMapperRegistry._cache:
        if len(cache) >= _CACHE_LIMIT:
            cache.clear()
        cache[key] = best
    return best, seen


def _scored(mapper: type[DomainMapper[Any, Any]], found: Any) -> Any:
    try:
        _ = found > 0
    except TypeError:
        raise TypeError(
            f"{mapper.__qualname__}.match_score() returns a number, 0 where it does not fit, "
            f"not {type(found).__name__}"
        ) from None
    return found


def _made(wanted: Any, mapper: type[DomainMapper[Any, Any]]) -> int:
    """Return how well what *mapper* makes fits *wanted*; a target without a type asks for no mapping."""
    if wanted is None or wanted is Any or wanted is object:
        return 0
    made = mapper.to_type()
    return UNTYPED if made is None else _score(wanted, made)[0]


def _score(wanted: Any, given: Any) -> tuple[int, Any]:
    if wanted is None or wanted is Any or (given is None and not _accepts_none(wanted)):
        return (UNTYPED if wanted is None or wanted is Any else 0), given
    alternatives = _union(wanted)
    if alternatives:
        return max((_score(item, given) for item in alternatives), key=lambda found: found[0])
    given_union = () if not _is_type(given) else _union(given)
    if given_union:
        return max(((_score(wanted, item)[0], given) for item in given_union), key=lambda found: found[0])
    if _is_type(given) and wanted == given:
        return EXACT, given
    kind = typing.get_origin(wanted) or wanted
    if not isinstance(kind, type):
        return 0, given
    if _is_type(given):
        own = typing.get_origin(given) or given
        return (KIND if isinstance(own, type) and issubclass(own, kind) and kind is wanted else 0), given
    if type(given) is kind:
        return EXACT, given
    if isinstance(given, kind):
        return KIND, given
    if isinstance(given, dict) and issubclass(kind, BaseModel):
        try:
            return VALIDATED, kind.model_validate(given)
        except ValidationError:
            return 0, given
    return 0, given


def _accepts_none(wanted: Any) -> bool:
    return wanted is type(None) or type(None) in typing.get_args(wanted)


def _is_type(value: Any) -> bool:
    return isinstance(value, type) or typing.get_origin(value) is not None


def _union(annotation: Any) -> tuple[Any, ...]:
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return (typing.get_args(annotation)[0],)
    if origin is typing.Union or origin is types.UnionType:
        return typing.get_args(annotation)
    return ()


def _plain(annotation: Any) -> Any:
    return None if isinstance(annotation, TypeVar) or annotation is Any else annotation


def _ref(kind: Any) -> Any:
    return weakref.ref(kind) if isinstance(kind, type) else kind


def _apply(mapper: type[DomainMapper[Any, Any]], value: Any) -> Any:
    made = mapper(value)
    if mapper.run is not DomainMapper.run:
        return made.run()
    return made.map(value) if mapper._takes_value else made.map()


def _as_inputs(value: Any, mapper: type[DomainMapper[Any, Any]]) -> dict[str, Any]:
    if isinstance(value, BaseModel):
        fields = type(value).model_fields
        found = {_key(type(value), name): getattr(value, name) for name in fields if hasattr(value, name)}
        return {**found, **(value.model_extra or {})}
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(
        f"{mapper.__name__} made {type(value).__name__} for the inputs of a subcommand; "
        "map() must return the inputs model or a dict of its fields"
    )


def _key(model: type[BaseModel], name: str) -> str:
    """Return the keyword that sets the field *name* of *model*."""
    field = model.model_fields[name]
    if model.model_config.get("validate_by_alias") is False:
        return name
    alias = field.validation_alias if isinstance(field.validation_alias, str) else field.alias
    return alias or name


def _shown(value: Any) -> str:
    # Never the repr of a value: it may hold a secret.
    return value.__qualname__ if isinstance(value, type) else f"an instance of {type(value).__name__}"


def _domain_name(domain: Any) -> str:
    if isinstance(domain, str) and domain:
        return domain
    if isinstance(domain, Domain):
        return domain.full_name
    full_name = getattr(domain, "full_name", None)
    if isinstance(full_name, str):
        return full_name
    raise TypeError(
        f"domain must be a name or a Domain, not {type(domain).__name__}; pass a name such as 'Billing'"
    )
