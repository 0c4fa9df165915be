from typing import Any

__all__ = ["REPAIRS", "STANDS_FOR", "replacements"]

REPAIRS: frozenset[str]
STANDS_FOR: tuple[str, ...]

def replacements(target: Any, repairs: frozenset[str]) -> dict[str, object]: ...
