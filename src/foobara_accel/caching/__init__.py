"""Results of commands kept for the same inputs: `cached`, and where they are kept."""

from __future__ import annotations

from .cache_backends import CacheBackend, InMemoryCache, get_default_cache, set_default_cache
from .cached_command import CacheStats, cache_key, cached, generate_cache_key

__all__ = [
    "CacheBackend",
    "CacheStats",
    "InMemoryCache",
    "cache_key",
    "cached",
    "generate_cache_key",
    "get_default_cache",
    "set_default_cache",
]
