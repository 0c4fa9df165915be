"""`cached`: a command class whose ``run`` gives a kept result for inputs that it has seen."""

from __future__ import annotations

import functools
import hashlib
import inspect
from collections.abc import Callable
from enum import Enum
from typing import Any, TypeVar

from pydantic import BaseModel

from ..core.outcome import CommandOutcome
from .cache_backends import CacheBackend, get_default_cache

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
    types. Raises TypeError, which names its type, for a value that is no plain data, model or enum member.
    """
    place = f"{command_class.__module__}.{command_class.__qualname__}"
    text = f"{command_class.full_name()} {place} {_written(inputs_dict, 'the inputs')}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _written(value: Any, where: str) -> str:
    kind = type(value)
    name = f"{kind.__module__}.{kind.__qualname__}"
    if kind in _PLAIN:
        return f"{kind.__name__}:{value!r}"
    if kind is dict:
        items = sorted(
            f"{_written(key, where)}={_written(each, f'{where}[{key!r}]')}" for key, each in value.items()
        )
        return f"{{{','.join(items)}}}"
    if kind in (list, tuple):
        return f"{kind.__name__}[{','.join(_written(each, where) for each in value)}]"
    if kind in (set, frozenset):
        return f"{kind.__name__}[{','.join(sorted(_written(each, where) for each in value))}]"
    if isinstance(value, BaseModel):
        return f"{name}{_written(dict(value), where)}"
    if isinstance(value, Enum):
        return f"{name}.{value.name}"
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


def cache_key(*fields: str) -> KeyFunction:
    """Return a ``key_func`` that goes by these inputs alone; TypeError where none is named."""
    if not fields or not all(isinstance(field, str) for field in fields):
        raise TypeError("cache_key takes the names of inputs: cache_key('user_id')")

    def key(command_class: type[Any], inputs_dict: dict[str, Any]) -> str:
        return generate_cache_key(
            command_class, {field: inputs_dict[field] for field in fields if field in inputs_dict}
        )

    return key


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
    drops its own results, and ``cache_stats``. Works for sync and async commands. Raises TypeError for
    anything but a command class.
    """
    if isinstance(ttl, type):
        raise TypeError("cached needs parentheses: write @cached()")
    if ttl is not None and ttl <= 0:
        raise ValueError(f"ttl must be more than 0 seconds, or None for good, and is {ttl}")
    backend = get_default_cache() if cache is None else cache
    make_key = generate_cache_key if key_func is None else key_func

    def decorate(command_class: C) -> C:
        if not isinstance(command_class, type) or not callable(getattr(command_class, "run", None)):
            raise TypeError(f"cached decorates a command class, not {command_class!r}")
        stats = CacheStats()
        kept: dict[str, None] = {}
        base: Any = command_class
        own = vars(base).get("run")
        shown = base.run

        def original(cls: type[Any]) -> Any:
            # Of the class that is run: a subclass of a cached command runs itself.
            return super(base, cls).run if own is None else own.__get__(None, cls)

        def found(key: str) -> Any:
            entry = backend.get(key)
            if entry is None:
                stats.record_miss()
                return None
            stats.record_hit()
            return entry if isinstance(entry, CommandOutcome) else CommandOutcome.from_result(entry[0])

        def keep(key: str, outcome: Any) -> Any:
            if outcome.is_success() or cache_failures:
                # In a tuple, so that a result of None is one.
                backend.set(key, (outcome.result,) if outcome.is_success() else outcome, ttl)
                kept[key] = None
                stats.record_set()
            return outcome

        def run(cls: type[Any], /, **inputs: Any) -> Any:
            key = make_key(cls, inputs)
            known = found(key)
            return known if known is not None else keep(key, original(cls)(**inputs))

        async def run_later(cls: type[Any], /, **inputs: Any) -> Any:
            key = make_key(cls, inputs)
            known = found(key)
            return known if known is not None else keep(key, await original(cls)(**inputs))

        def clear_cache(cls: type[Any]) -> None:
            for key in list(kept):
                backend.delete(key)
                kept.pop(key, None)

        clear_cache.__doc__ = "Drop the results kept of this command."
        way: Any = run_later if inspect.iscoroutinefunction(shown) else run
        base.run = classmethod(functools.wraps(shown)(way))
        base.clear_cache = classmethod(clear_cache)
        base.cache_stats = stats
        base._cache = backend
        return command_class

    return decorate
