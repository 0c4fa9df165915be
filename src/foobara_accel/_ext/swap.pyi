from typing import Any

__all__ = ["replacements"]

def replacements(target: Any, repairs: frozenset[str]) -> dict[str, object]: ...
