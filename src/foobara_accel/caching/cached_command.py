"""`cached`: a command class whose ``run`` gives a kept result for inputs that it has seen."""

from __future__ import annotations

import functools
import hashlib
import inspect
from collections.abc import Callable
from enum import Enum
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from pydantic import BaseModel

from .._reports import is_secret
from ..core.inputs import model_of
from ..core.outcome import CommandOutcome
from ..types._elements import is_shown
from ..types._masked import Masked
from .cache_backends import CacheBackend, InMemoryCache, get_default_cache

__all__ = ["CacheStats", "cache_key", "cached", "generate_cache_key"]

C = TypeVar("C", bound=type[Any])
KeyFunction = Callable[[Any, dict[str, Any]], str]

_PLAIN = (str, int, float, bool, bytes, type(None))


class CacheStats:
    """How often a command's result was kept, found and not found."""

    hits: int
    misses: int
    sets: int

    def __init__(self) -> None:
        self.hits = 0
        self.misses = 0
        self.sets = 0

    def record_hit(self) -> None:
        """Count a result that was found."""
        self.hits += 1

    def record_miss(self) -> None:
        """Count a run for want of a result."""
        self.misses += 1

    def record_set(self) -> None:
        """Count a result that was kept."""
        self.sets += 1

    def hit_rate(self) -> float:
        """Return the part of all look-ups that found something; 0.0 where there was none."""
        total = self.hits + self.misses
        return self.hits / total if total else 0.0

    def reset(self) -> None:
        """Count from 0 again."""
        self.hits = self.misses = self.sets = 0

    def __repr__(self) -> str:
        counts = f"hits={self.hits}, misses={self.misses}, sets={self.sets}"
        return f"CacheStats({counts}, hit_rate={self.hit_rate():.2%})"


def generate_cache_key(command_class: type[Any], inputs_dict: dict[str, Any]) -> str:
    """Return the key of a command and its raw inputs: a hash, the same in every process.

    Commands of one name in several domains or modules have different keys, and so have values of different
    types. Raises TypeError, which names its type, for a value that is no plain data, model or enum member,
    and for a parsed number, whose hash is found out by trying.
    """
    return _key(command_class, inputs_dict, False)


def _key(command_class: type[Any], inputs_dict: dict[str, Any], numbers: bool) -> str:
    # With *numbers* in it, of cards for instance, the key is one for this process alone.
    place = f"{command_class.__module__}.{command_class.__qualname__}"
    text = f"{command_class.full_name()} {place} {_written(inputs_dict, 'the inputs', numbers)}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _written(value: Any, where: str, numbers: bool) -> str:
    kind = type(value)
    name = f"{kind.__module__}.{kind.__qualname__}"
    if kind in _PLAIN:
        return f"{kind.__name__}:{value!r}"
    if kind is dict:
        items = sorted(
            f"{_written(key, f'a key of {where}', numbers)}={_written(each, _place(where, key), numbers)}"
            for key, each in value.items()
        )
        return f"{{{','.join(items)}}}"
    if kind in (list, tuple):
        return f"{kind.__name__}[{','.join(_written(each, where, numbers) for each in value)}]"
    if kind in (set, frozenset):
        return f"{kind.__name__}[{','.join(sorted(_written(each, where, numbers) for each in value))}]"
    if isinstance(value, BaseModel):
        return f"{name}{_written(dict(value), where, numbers)}"
    if isinstance(value, Enum):
        return f"{name}.{value.name}"
    if numbers and isinstance(value, Masked):
        return f"{name}:{value.canonical!r}"
    # Since 3.13 those of pathlib are in a module of its own below.
    if kind.__module__.partition(".")[0] in (
        "datetime",
        "decimal",
        "uuid",
        "fractions",
        "ipaddress",
        "pathlib",
    ):
        return f"{name}:{value!r}"
    raise TypeError(
        f"{where} hold a {kind.__qualname__}, of which no key can be made: give cached a key_func,"
        " for instance cache_key(...) with the fields that count"
    )


def _place(where: str, key: object) -> str:
    # A key may be a secret as much as a value.
    return f"{where}[{key!r}]" if is_shown(key) else f"a value of {where}"


def cache_key(*fields: str) -> KeyFunction:
    """Return a ``key_func`` that goes by these inputs alone; TypeError where none is named."""
    if not fields or not all(isinstance(field, str) for field in fields):
        raise TypeError("cache_key takes the names of inputs: cache_key('user_id')")

    def key(command_class: type[Any], inputs_dict: dict[str, Any]) -> str:
        return generate_cache_key(
            command_class, {field: inputs_dict[field] for field in fields if field in inputs_dict}
        )

    return key


class _Keys:
    """The keys kept of one class, for `clear_cache`; without those that the backend has dropped."""

    def __init__(self, backend: CacheBackend) -> None:
        self._backend = backend
        self._holds = getattr(backend, "holds", None) or functools.partial(CacheBackend.holds, backend)
        self._kept: dict[str, None] = {}
        self._most = 64

    def add(self, key: str) -> None:
        self._kept[key] = None
        if len(self._kept) > self._most:
            self._sweep()

    def _sweep(self) -> None:
        for key in list(self._kept):
            if not self._holds(key):
                self._kept.pop(key, None)
                if self._holds(key):  # kept again by another thread in between
                    self._kept[key] = None
        self._most = max(64, 2 * len(self._kept))

    def drop(self) -> None:
        for key in list(self._kept):
            self._kept.pop(key, None)
            self._backend.delete(key)


def _refuse_secrets(command_class: type[Any], backend: CacheBackend) -> bool:
    """Return whether it is known what the inputs are; TypeError where some are sensitive."""
    if isinstance(backend, InMemoryCache):  # of this process, as the inputs themselves are
        return True
    try:
        model = model_of(command_class)
    except (AttributeError, TypeError):  # no model of inputs, no marks
        return True
    model.model_rebuild(raise_errors=False, _parent_namespace_depth=0)  # a name may be known by now
    if names := [name for name, field in model.model_fields.items() if is_secret(field)]:
        raise TypeError(
            f"{command_class.__qualname__} has sensitive inputs ({', '.join(names)}): their hash, the key in"
            f" a {type(backend).__name__}, is found out by trying. Give cached a key_func, for instance"
            " cache_key(...) with other fields, or an InMemoryCache"
        )
    return model.__pydantic_complete__


def cached(
    ttl: float | None = None,
    cache: CacheBackend | None = None,
    key_func: KeyFunction | None = None,
    cache_failures: bool = False,
) -> Callable[[C], C]:
    """Return a decorator of command classes: ``run`` with inputs seen before gives the result kept for them.

    A result is kept for *ttl* seconds (None: for good) in *cache* (None: the default one), under what
    *key_func* makes of the class and the raw inputs. Failures run again, unless *cache_failures*.
    ``run_instance``, ``run_json`` and subcommands go past the cache. The class gets ``clear_cache()``, which
    drops the results of the class that it is called on, and ``cache_stats``. Works for sync and async
    commands. Raises TypeError for anything but a command class, and for one with sensitive inputs, where the
    cache is no InMemoryCache and there is no *key_func*: a hash of such inputs can be guessed.
    """
    if isinstance(ttl, type):
        raise TypeError("cached needs parentheses: write @cached()")
    if ttl is not None and (not isinstance(ttl, (int, float)) or isinstance(ttl, bool)):
        raise TypeError(f"ttl is a number of seconds, or None for good, not {type(ttl).__name__}")
    if ttl is not None and not ttl > 0:  # nan is not either
        raise ValueError(f"ttl must be more than 0 seconds, or None for good, and is {ttl}")
    backend = get_default_cache() if cache is None else cache
    make_key = key_func or functools.partial(_key, numbers=isinstance(backend, InMemoryCache))

    def decorate(command_class: C) -> C:
        if not isinstance(command_class, type) or not callable(getattr(command_class, "run", None)):
            raise TypeError(f"cached decorates a command class, not {command_class!r}")
        stats = CacheStats()
        kept: WeakKeyDictionary[type[Any], _Keys] = WeakKeyDictionary()
        base: Any = command_class
        own = vars(base).get("run")
        shown = base.run

        def original(cls: type[Any]) -> Any:
            # Of the class that is run: a subclass of a cached command runs itself.
            return super(base, cls).run if own is None else own.__get__(None, cls)

        def keys_of(cls: type[Any]) -> _Keys:
            keys = kept.get(cls)
            if keys is not None:
                return keys
            known = key_func is not None or _refuse_secrets(cls, backend)
            return kept.setdefault(cls, _Keys(backend)) if known else _Keys(backend)

        def found(key: str) -> Any:
            entry = backend.get(key)
            if entry is None:
                stats.record_miss()
                return None
            stats.record_hit()
            return entry if isinstance(entry, CommandOutcome) else CommandOutcome.from_result(entry[0])

        def keep(keys: _Keys, key: str, outcome: Any) -> Any:
            if outcome.is_success() or cache_failures:
                # In a tuple, so that a result of None is one.
                backend.set(key, (outcome.result,) if outcome.is_success() else outcome, ttl)
                keys.add(key)
                stats.record_set()
            return outcome

        def run(cls: type[Any], /, **inputs: Any) -> Any:
            keys, key = keys_of(cls), make_key(cls, inputs)
            known = found(key)
            return known if known is not None else keep(keys, key, original(cls)(**inputs))

        async def run_later(cls: type[Any], /, **inputs: Any) -> Any:
            keys, key = keys_of(cls), make_key(cls, inputs)
            known = found(key)
            return known if known is not None else keep(keys, key, await original(cls)(**inputs))

        def clear_cache(cls: type[Any]) -> None:
            keys_of(cls).drop()

        clear_cache.__doc__ = "Drop the results kept of this class, and of no other."
        if key_func is None:
            _refuse_secrets(base, backend)
        way: Any = run_later if inspect.iscoroutinefunction(shown) else run
        base.run = classmethod(functools.wraps(shown)(way))
        base.clear_cache = classmethod(clear_cache)
        base.cache_stats = stats
        base._cache = backend
        return command_class

    return decorate
