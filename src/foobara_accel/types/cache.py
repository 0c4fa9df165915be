"""The validator table: one built pydantic-core validator per class, registered name or type expression.

1. A class keeps its own validator (pydantic's attribute on a model, one of ours on any other class): the
   table holds it weakly, and a class of the same name that is defined later has its own.
2. Expressions are recognised by structure and by the identity of the classes in them, never by ``==``:
   ``list[int | str] == list[str | int]`` is true and the two validate differently.
3. A hit is one look-up in the table and, for a class, one in its ``__dict__``; it takes no lock. The
   usual ones are answered by the twins (``guards.Finder``).
"""

from __future__ import annotations

import itertools
import sysconfig
import threading
import types
import typing
import weakref
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from pydantic import BaseModel, TypeAdapter
from pydantic.dataclasses import rebuild_dataclass
from pydantic.fields import FieldInfo
from pydantic_core import SchemaValidator

from .._backend import guards
from .._builds import build_lock
from .._reports import named
from .expressions import (
    Fresh,
    TypeExpressionError,
    is_type,
    names,
    register_type_name,
    registered_type_names,
    resolve,
    unregister_type_name,
)

__all__ = [
    "CacheStatistics",
    "TypeExpressionError",
    "ValidationCache",
    "ValidatorBuildError",
    "compile_validator",
    "force_build",
    "register_type_name",
    "registered_type_names",
    "unregister_type_name",
]

P = ParamSpec("P")
R = TypeVar("R")

DEFAULT_MAX_ENTRIES = 1000
_SLOT = f"__{__name__.partition('.')[0]}_validator__"
_FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))


class ValidatorBuildError(TypeError):
    """No validator can be built for a type; the cause is pydantic's own error."""


# -- building ------------------------------------------------------------------------------------------------


def _is_built(validator: object) -> bool:
    # A mock of a deferred build has no method of its own; a validator wrapped by a pydantic plugin has.
    return type(validator) is SchemaValidator or hasattr(type(validator), "validate_python")


def force_build(cls: type) -> bool:
    """Build the deferred validator of a pydantic model or dataclass; return whether there was one to build.

    Raises ValidatorBuildError when pydantic cannot build it.
    """
    if not isinstance(cls, type):
        raise TypeError(f"force_build takes a class, not {type(cls).__name__}")
    own = vars(cls).get("__pydantic_validator__")
    if own is None or _is_built(own):
        return False
    try:
        with build_lock:
            # An explicit namespace: pydantic would otherwise look names up in the frames that call it,
            # and fail where there are none.
            if issubclass(cls, BaseModel):
                cls.model_rebuild(_types_namespace={})
            else:
                rebuild_dataclass(typing.cast(Any, cls), _types_namespace={})
    except Exception as error:
        raise ValidatorBuildError(f"cannot build the validator of {cls.__qualname__}: {error}") from error
    if not _is_built(vars(cls).get("__pydantic_validator__")):
        raise ValidatorBuildError(
            f"cannot build the validator of {cls.__qualname__}: it is not fully defined"
        )
    return True


def compile_validator(target: Any) -> SchemaValidator:
    """Return a built validator for a class, registered name or type expression, past every table.

    A pydantic model or dataclass carries its validator: that one is returned, built if it was deferred.
    Raises TypeExpressionError for text that is no known type, TypeError for what is no type and
    ValidatorBuildError when pydantic cannot build it.
    """
    return _compile(_target(target)).validator  # type: ignore[no-any-return]


def _target(target: Any) -> Any:
    if isinstance(target, str):
        return resolve(target)
    if isinstance(target, typing.ForwardRef):
        return resolve(target.__forward_arg__)
    if not is_type(target):
        raise TypeError(
            f"a validator is built for a class, a type name or a type expression, not {_shown(target)}"
        )
    try:
        return _without_text(target)
    except RecursionError:
        raise ValidatorBuildError(f"cannot build a validator for {_shown(target)}: nested too deep") from None


def _without_text(target: Any) -> Any:
    """Replace text inside an expression, as in ``list["User"]``: pydantic would evaluate it."""
    origin = typing.get_origin(target)
    if origin is None or origin is typing.Literal:
        return target
    arguments = typing.get_args(target)
    if origin is typing.Annotated:
        inner = _plain(arguments[0])
        return target if inner is arguments[0] else typing.Annotated[(inner, *arguments[1:])]
    plain = tuple(_plain(argument) for argument in arguments)
    if all(new is old for new, old in zip(plain, arguments, strict=True)):
        return target
    if origin is typing.Union or origin is types.UnionType:
        return typing.Union[plain]  # noqa: UP007
    return origin[plain]


def _plain(argument: Any) -> Any:
    if isinstance(argument, str):
        return resolve(argument)
    if isinstance(argument, typing.ForwardRef):
        return resolve(argument.__forward_arg__)
    if isinstance(argument, list):
        return [_plain(item) for item in argument]
    return _without_text(argument)


class _Compiled:
    """A built validator and the models whose own validators went into it."""

    __slots__ = ("validator", "watched")

    def __init__(self, validator: Any, watched: tuple[tuple[type, Any], ...] = ()) -> None:
        self.validator = validator
        self.watched = watched

    def current(self) -> Any:
        """Return the validator, or None when a model in it was rebuilt since."""
        for cls, seen in self.watched:
            if getattr(cls, "__pydantic_validator__", None) is not seen:
                return None
        return self.validator

    def __reduce__(self) -> tuple[Any, ...]:
        # It lives in class dictionaries, which cloudpickle ships by value: there it becomes None, "not
        # compiled".
        return type(None), ()


def _carries(cls: type) -> bool:
    """Return whether *cls* is a pydantic model or dataclass with a validator of its own."""
    return "__pydantic_validator__" in vars(cls)


def _compile(target: Any) -> _Compiled:
    if isinstance(target, type) and _carries(target):
        force_build(target)
        return _Compiled(vars(target)["__pydantic_validator__"])
    try:
        with build_lock:
            adapter: TypeAdapter[Any] = TypeAdapter(target)
            if not _is_built(adapter.validator):
                adapter.rebuild(force=True)
            return _Compiled(adapter.validator, _models_in(adapter.core_schema))
    except Exception as error:
        raise ValidatorBuildError(f"cannot build a validator for {_shown(target)}: {error}") from error


def _models_in(schema: Any) -> tuple[tuple[type, Any], ...]:
    """Return the models and pydantic dataclasses a core schema embeds, each with its present validator."""
    found: dict[int, tuple[type, Any]] = {}
    queue: list[Any] = [schema]
    while queue:
        node = queue.pop()
        if isinstance(node, (list, tuple)):
            queue.extend(node)
        elif isinstance(node, dict):
            cls = node.get("cls")
            if node.get("type") in ("model", "dataclass") and isinstance(cls, type) and _carries(cls):
                found[id(cls)] = (cls, vars(cls)["__pydantic_validator__"])
            queue.extend(value for key, value in node.items() if key not in ("cls", "metadata", "default"))
    return tuple(found.values())


def _shown(target: object) -> str:
    if isinstance(target, type):
        return target.__qualname__
    if not is_type(target):
        return named(target)
    try:
        text = repr(target)
    except Exception as error:
        # A metadata object inside an expression may have a failing __repr__.
        return f"<{type(target).__name__} whose repr raises {type(error).__name__}>"
    return text if len(text) <= 120 else text[:117] + "..."


# -- recognising an expression -------------------------------------------------------------------------------

_CONSTANTS = (int, float, str, bytes, bool, complex, type(None))
_TRUSTED = ("pydantic", "annotated_types")


def _structure(value: Any) -> Any:
    """Return a hashable key of *value*: equal keys mean the same validator.

    Classes and anything unknown count by identity, so the holder of a key must keep the value alive.
    """
    kind = type(value)
    if kind in _CONSTANTS:
        return kind, value
    if kind is Fresh:
        return None
    origin = typing.get_origin(value)
    if origin is typing.Annotated:
        return "annotated", *(_structure(item) for item in (value.__origin__, *value.__metadata__))
    if origin is typing.Union or origin is types.UnionType:
        return "union", *(_structure(item) for item in typing.get_args(value))
    if origin is not None and kind.__module__ in ("types", "typing", "typing_extensions"):
        return (
            id(origin),
            getattr(value, "_name", None),
            *(_structure(item) for item in typing.get_args(value)),
        )
    if kind in (list, tuple):
        return kind, *(_structure(item) for item in value)
    if kind is dict:
        return kind, *((_structure(key), _structure(item)) for key, item in value.items())
    if kind in (set, frozenset) and not value:
        return kind, None
    if not isinstance(value, type) and kind.__module__.partition(".")[0] in _TRUSTED:
        return id(kind), *((name, _structure(item)) for name, item in _state(value))
    return id(value)


def _state(value: Any) -> list[tuple[str, Any]]:
    """Return the attributes of a pydantic or annotated_types metadata object."""
    slots = FieldInfo.__slots__ if isinstance(value, FieldInfo) else ()
    held = [(name, getattr(value, name)) for name in slots if hasattr(value, name)]
    for cls in type(value).__mro__:
        if not isinstance(value, FieldInfo):
            own = cls.__dict__.get("__slots__", ())
            held += [(name, getattr(value, name)) for name in own if hasattr(value, name)]
    return [*held, *getattr(value, "__dict__", {}).items()] or [("", id(value))]


# -- the table -----------------------------------------------------------------------------------------------


class _Ref(weakref.ref[Any]):
    """A weak reference that knows its key, so that its callback can be a plain ``deque.append``."""

    __slots__ = ("key",)
    key: int


class _ClassEntry(guards.ClassEntry):
    """A class and where it keeps its validator."""

    __slots__ = ()

    def current(self, target: Any) -> Any:
        if self.ref() is not target:
            return None
        if self.carries:
            validator = target.__dict__.get("__pydantic_validator__")
            return validator if type(validator) is SchemaValidator or _is_built(validator) else None
        compiled = target.__dict__.get(_SLOT)
        return compiled.current() if type(compiled) is _Compiled else None

    def drop(self) -> None:
        cls = self.ref()
        if cls is None or self.carries:
            return
        try:
            type.__delattr__(cls, _SLOT)
        except AttributeError:
            # Another table, or another thread of one, has dropped it.
            return


class _FixedEntry(guards.FixedEntry):
    """An expression, or a class that takes no attribute, with its validator."""

    __slots__ = ("compiled", "epoch", "ref", "structure")

    def __init__(self, target: Any, compiled: _Compiled, structure: Any, epoch: int) -> None:
        super().__init__(target, None if compiled.watched else compiled.validator)
        self.compiled = compiled
        self.structure = structure
        self.epoch = epoch
        self.ref = lambda: target

    def current(self, target: Any) -> Any:
        return self.compiled.current() if self.target is target else None

    def drop(self) -> None:
        return None


class _TextEntry:
    """A text and the entry of what it names, as long as no name changes its meaning."""

    __slots__ = ("entry", "epoch")

    def __init__(self, entry: _ClassEntry | _FixedEntry, epoch: int) -> None:
        self.entry = entry
        self.epoch = epoch

    # A text and its type age together.
    @property
    def used(self) -> int:
        return self.entry.used

    @used.setter
    def used(self, tick: int) -> None:
        self.entry.used = tick

    def current(self, target: Any) -> Any:
        if self.epoch != names.epoch:
            return None
        return self.entry.current(self.entry.ref())

    def drop(self) -> None:
        return None


_Entry = _ClassEntry | _FixedEntry | _TextEntry


@dataclass(frozen=True)
class CacheStatistics:
    """What a validator table did since it was made or cleared."""

    hits: int
    misses: int
    evictions: int
    size: int
    max_entries: int

    @property
    def hit_rate(self) -> float:
        """Hits per look-up, 0.0 before the first."""
        total = self.hits + self.misses
        return self.hits / total if total else 0.0

    def to_dict(self) -> dict[str, int | float]:
        """Return the fields and the hit rate as a plain dict."""
        return {
            "hits": self.hits,
            "misses": self.misses,
            "evictions": self.evictions,
            "size": self.size,
            "max_entries": self.max_entries,
            "hit_rate": self.hit_rate,
        }


class _Either(Generic[P, R]):
    """A method that, called on the class, works on the table all of the process shares."""

    def __init__(self, function: Callable[Concatenate[Any, P], R]) -> None:
        self._function = function
        self.__doc__ = function.__doc__
        self.__wrapped__ = function

    def __get__(self, instance: ValidationCache | None, owner: type[ValidationCache]) -> Callable[P, R]:
        if instance is None:
            instance = owner.__dict__.get("_shared") or owner.shared()
        return types.MethodType(self._function, instance)


class _Hit(_Either[P, R]):
    """``get_validator``: the function of the table itself, without a method around it."""

    def __get__(self, instance: ValidationCache | None, owner: type[ValidationCache]) -> Callable[P, R]:
        if instance is None:
            instance = owner.__dict__.get("_shared")
            if instance is None:
                instance = owner.shared()
        return instance._answer  # type: ignore[return-value]


class _ByName:
    """``_cache``, as foobara_py's roadmap shows it: what the table holds by type name, a copy."""

    def __get__(self, instance: ValidationCache | None, owner: type[ValidationCache]) -> dict[str, Any]:
        table = instance if instance is not None else owner.shared()
        with table._lock:
            entries = list(table._entries.items())
        found = {key: entry.current(key) for key, entry in entries if type(key) is str}
        return {name: validator for name, validator in found.items() if validator is not None}


class ValidationCache:
    """A table of built validators with a bounded number of entries, the least recently used leaving first.

    Every method works on the class (``ValidationCache.get_validator(int)``: the table the process shares) and
    on an instance (its own table). Safe to use from any number of threads.
    """

    _shared: ValidationCache | None = None
    _cache = _ByName()

    def __init__(self, max_entries: int = DEFAULT_MAX_ENTRIES) -> None:
        self._max_entries = _checked_max(max_entries)
        self._lock = threading.RLock()
        self._entries: dict[Any, _Entry] = {}
        # Keys under which an expression is found a second time, by the identity of the object last passed.
        self._aliases: dict[int, Any] = {}
        self._dead: deque[_Ref] = deque()
        self._oldest: list[tuple[int, Any]] = []
        self._finder = guards.Finder(self._entries, self._look_up)
        # Without a GIL the clock needs a lock.
        self._answer = self._look_up if _FREE_THREADED else self._finder.get_validator
        self._reset_counts()

    @classmethod
    def shared(cls) -> ValidationCache:
        """Return the table the class-level methods use."""
        found = cls.__dict__.get("_shared")
        if found is None:
            with build_lock:
                found = cls.__dict__.get("_shared")
                if found is None:
                    found = cls._shared = cls()
        return found

    def _reset_counts(self) -> None:
        # One clock gives both the order of use and the number of hits: a hit draws a tick, without a lock.
        self._finder.restart()
        self._tick = _locked_counter() if _FREE_THREADED else self._finder.draw
        self._other_ticks = 0
        self._misses = 0
        self._evictions = 0

    @_Hit
    def get_validator(self, type_name: Any) -> SchemaValidator:
        """Return the built validator of a class, a registered name or a type expression.

        Raises TypeExpressionError for text that is no known type, TypeError for what is no type and
        ValidatorBuildError when pydantic cannot build it; a failure is not remembered.
        """
        return self._answer(type_name)  # type: ignore[no-any-return]

    def _look_up(self, type_name: Any) -> Any:
        entry = self._entries.get(type_name if type(type_name) is str else id(type_name))
        if entry is not None:
            validator = entry.current(type_name)
            if validator is not None:
                entry.used = self._tick()
                return validator
        return self._find(type_name)

    @_Either
    def compile_validator(self, target: Any) -> SchemaValidator:
        """Return ``compile_validator(target)``: built past the table, which stays as it is."""
        return compile_validator(target)

    @_Either
    def invalidate(self, target: Any) -> bool:
        """Drop the entry of *target*; return whether there was one."""
        with self._lock:
            key = str.__str__(target) if isinstance(target, str) else id(target)
            entry = self._entries.get(key)
            if isinstance(entry, _ClassEntry) and entry.ref() is not target:
                entry = None
            if entry is None and not isinstance(target, (str, type)):
                key = _structure(target)
                entry = self._entries.get(key)
            if entry is None:
                return False
            self._remove(key, entry)
            return True

    @_Either
    def clear(self) -> None:
        """Drop every entry and set the counters back to zero."""
        with self._lock:
            for entry in tuple(self._entries.values()):
                entry.drop()
            self._entries.clear()
            self._finder.forget()
            self._aliases.clear()
            self._dead.clear()
            self._oldest.clear()
            self._reset_counts()

    @_Either
    def configure(self, *, max_entries: int) -> None:
        """Set how many entries the table may hold; surplus ones leave at once."""
        checked = _checked_max(max_entries)
        with self._lock:
            self._max_entries = checked
            self._reap()
            self._shrink(checked)

    @_Either
    def statistics(self) -> CacheStatistics:
        """Return hits, misses, evictions and size."""
        with self._lock:
            self._reap()
            drawn = self._tick()
            hits = drawn - self._other_ticks
            self._other_ticks += 1
            return CacheStatistics(hits, self._misses, self._evictions, self._size(), self._max_entries)

    def __bool__(self) -> bool:
        return True

    def __len__(self) -> int:
        with self._lock:
            self._reap()
            return self._size()

    def __repr__(self) -> str:
        return f"<ValidationCache {len(self)} of {self._max_entries} entries>"

    # Below: never on the path of a hit by class, by text or by the same expression object.

    def _find(self, target: Any) -> Any:
        if isinstance(target, str):
            return self._find_text(str.__str__(target))
        if isinstance(target, typing.ForwardRef):
            return self._find_text(target.__forward_arg__)
        if not is_type(target):
            raise TypeError(
                f"a validator is built for a class, a type name or a type expression, not {_shown(target)}"
            )
        _, validator = self._find_type(target)
        return validator

    def _find_text(self, text: str) -> Any:
        epoch = names.epoch
        entry, validator = self._find_type(resolve(text), count=False)
        with self._lock:
            self._misses += 1
            self._store(text, _TextEntry(entry, epoch))
        return validator

    def _find_type(self, target: Any, count: bool = True) -> tuple[_ClassEntry | _FixedEntry, Any]:
        if isinstance(target, type):
            return self._find_class(target, count)
        epoch = names.epoch
        try:
            structure = _structure(target)
            plain = _without_text(target)
        except RecursionError:
            raise ValidatorBuildError(
                f"cannot build a validator for {_shown(target)}: nested too deep"
            ) from None
        found = self._entries.get(structure)
        if isinstance(found, _FixedEntry) and found.epoch in (-1, epoch):
            validator = found.compiled.current()
            if validator is not None:
                if count:
                    found.used = self._tick()
                return found, validator
        compiled = _compile(plain)
        # An expression with text in it depends on what the names mean.
        entry = _FixedEntry(target, compiled, structure, -1 if plain is target else epoch)
        with self._lock:
            self._misses += count
            self._store(structure, entry)
            # The structure of a NewType, for one, is its identity.
            if plain is target and structure != id(target) and self._entries.get(structure) is entry:
                self._entries[id(target)] = entry
                self._aliases[id(target)] = structure
        return entry, compiled.validator

    def _find_class(self, cls: type, count: bool) -> tuple[_ClassEntry | _FixedEntry, Any]:
        found = self._entries.get(id(cls))
        if isinstance(found, (_ClassEntry, _FixedEntry)):
            validator = found.current(cls)
            if validator is not None:
                if count:
                    found.used = self._tick()
                return found, validator
        compiled = _compile(cls)
        carries = _carries(cls)
        entry: _ClassEntry | _FixedEntry
        if carries or _keep_on_class(cls, compiled):
            ref = _Ref(cls, self._dead.append)
            ref.key = id(cls)
            entry = _ClassEntry(ref, carries)
        else:
            entry = _FixedEntry(cls, compiled, None, -1)
        with self._lock:
            self._misses += count
            self._store(id(cls), entry)
        return entry, compiled.validator

    def _size(self) -> int:
        return len(self._entries) - len(self._aliases)

    def _store(self, key: Any, entry: _Entry) -> None:
        self._reap()
        old = self._entries.get(key)
        if old is not None:
            self._remove(key, old, replaced=True)
        self._shrink(self._max_entries - 1)
        entry.used = self._tick()
        self._other_ticks += 1
        self._entries[key] = entry

    def _remove(self, key: Any, entry: _Entry, replaced: bool = False) -> None:
        if isinstance(entry, _FixedEntry) and entry.structure is not None:
            alias = id(entry.target)
            if self._aliases.pop(alias, None) is not None:
                self._entries.pop(alias, None)
            key = entry.structure
        self._entries.pop(key, None)
        self._finder.forget()
        if not replaced:
            entry.drop()

    def _reap(self) -> None:
        """Remove the entries of classes that no longer exist."""
        while self._dead:
            ref = self._dead.popleft()
            entry = self._entries.get(ref.key)
            if isinstance(entry, _ClassEntry) and entry.ref is ref:
                del self._entries[ref.key]
                self._finder.forget()

    def _shrink(self, limit: int) -> None:
        """Evict the least recently used entries until at most *limit* are left.

        One sort serves many evictions: a listed entry that has not been used since is older than all unlisted
        ones.
        """
        while self._size() > limit:
            if not self._oldest:
                held = self._entries.copy().items()
                live = [(entry.used, key) for key, entry in held if key not in self._aliases]
                self._oldest = sorted(live, key=lambda pair: pair[0], reverse=True)
            used, key = self._oldest.pop()
            entry = self._entries.get(key)
            if entry is not None and entry.used == used:
                self._remove(key, entry)
                self._evictions += 1


def _keep_on_class(cls: type, compiled: _Compiled) -> bool:
    """Store *compiled* on *cls*, whatever its metaclass; a static type refuses, and never dies either."""
    try:
        type.__setattr__(cls, _SLOT, compiled)
    except TypeError:
        return False
    return True


def _checked_max(max_entries: object) -> int:
    if not isinstance(max_entries, int) or isinstance(max_entries, bool):
        raise TypeError(f"max_entries is an int, not {type(max_entries).__name__}")
    if max_entries < 1:
        raise ValueError(f"max_entries is at least 1, not {max_entries}")
    return max_entries


def _locked_counter() -> Callable[[], int]:
    """Return a function that counts 0, 1, 2 ... without losing a number between threads."""
    draw = itertools.count().__next__
    lock = threading.Lock()

    def locked() -> int:
        with lock:
            return draw()

    return locked
