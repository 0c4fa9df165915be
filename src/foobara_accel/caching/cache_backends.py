"""Where results are kept: what a cache has to do, and one in memory."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from typing import Any

__all__ = ["CacheBackend", "InMemoryCache", "get_default_cache", "set_default_cache"]


class CacheBackend(ABC):
    """What `cached` asks of a cache; it may be called from several threads."""

    @abstractmethod
    def get(self, key: str) -> Any | None:
        """Return what is kept under *key*; None where there is nothing, or no longer."""

    @abstractmethod
    def set(self, key: str, value: Any, ttl: float | None = None) -> None:
        """Keep *value* under *key*, for *ttl* seconds; None means for good."""

    @abstractmethod
    def delete(self, key: str) -> None:
        """Drop what is kept under *key*, if anything is."""

    @abstractmethod
    def clear(self) -> None:
        """Drop everything."""

    def holds(self, key: str) -> bool:
        """Return whether there is something under *key*; `cached` asks now and then, to forget its keys.

        As `get` unless it is written anew: a backend that counts uses should answer without counting one.
        """
        return self.get(key) is not None


class InMemoryCache(CacheBackend):
    """A cache in this process, for at most *max_entries*: the least recently used leaves first.

    Values come back as the objects they are. Raises ValueError for a *max_entries* below 1, TypeError for
    one that is no int.
    """

    def __init__(self, max_entries: int | None = None) -> None:
        if max_entries is not None and type(max_entries) is not int:
            raise TypeError(f"max_entries is an int, or None for no limit, not {type(max_entries).__name__}")
        if max_entries is not None and max_entries < 1:
            raise ValueError(f"max_entries must be 1 or more, or None for no limit, and is {max_entries}")
        self._max_entries = max_entries
        self._entries: dict[str, tuple[Any, float | None]] = {}
        self._lock = threading.RLock()

    def get(self, key: str) -> Any | None:
        """Return what is kept under *key*; None where there is nothing, or no longer."""
        with self._lock:
            entry = self._entries.pop(key, None)
            if entry is None or (entry[1] is not None and time.monotonic() >= entry[1]):
                return None
            self._entries[key] = entry
            return entry[0]

    def set(self, key: str, value: Any, ttl: float | None = None) -> None:
        """Keep *value* under *key*, for *ttl* seconds; None means for good."""
        with self._lock:
            self._entries.pop(key, None)
            self._entries[key] = value, None if ttl is None else time.monotonic() + ttl
            if self._max_entries is not None and len(self._entries) > self._max_entries:
                del self._entries[next(iter(self._entries))]

    def delete(self, key: str) -> None:
        """Drop what is kept under *key*, if anything is."""
        with self._lock:
            self._entries.pop(key, None)

    def clear(self) -> None:
        """Drop everything."""
        with self._lock:
            self._entries.clear()

    def holds(self, key: str) -> bool:
        """Return whether there is something under *key*, which is not used by that."""
        with self._lock:
            entry = self._entries.get(key)
            return entry is not None and (entry[1] is None or time.monotonic() < entry[1])

    def size(self) -> int:
        """Return how many entries there are, those that have expired included."""
        return len(self._entries)

    def cleanup_expired(self) -> int:
        """Drop what has expired, and return how many entries that were."""
        with self._lock:
            now = time.monotonic()
            expired = [key for key, (_, end) in self._entries.items() if end is not None and now >= end]
            for key in expired:
                del self._entries[key]
            return len(expired)


_default: CacheBackend | None = None
_lock = threading.Lock()


def get_default_cache() -> CacheBackend:
    """Return the cache of commands that name none: one in memory, until another one is set."""
    global _default
    with _lock:
        if _default is None:
            _default = InMemoryCache()
        return _default


def set_default_cache(cache: CacheBackend) -> None:
    """Make *cache* the one of commands that name none and are declared from now on; TypeError: it is none."""
    global _default
    if not isinstance(cache, CacheBackend):
        raise TypeError(f"cache must be a CacheBackend, not {type(cache).__name__}")
    with _lock:
        _default = cache
