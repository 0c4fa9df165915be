from collections.abc import Callable
from typing import Any, Self, final

from typing_extensions import disjoint_base

__all__ = ["FIELD_LIMIT", "ClassEntry", "Finder", "FixedEntry", "InputsBuilder"]

FIELD_LIMIT: int

@final
class InputsBuilder:
    spec: Any
    model: Any
    validator: Any
    level: int
    reason: str
    guarded: bool
    names: tuple[str, ...]
    def __new__(cls, spec: Any, renew: Callable[[Any], InputsBuilder] | None = None) -> Self: ...
    def __reduce__(self) -> Any: ...
    def build(self, /, **raw: Any) -> Any: ...
    def build_dict(self, raw: dict[str, Any]) -> Any: ...
    def build_args(self, names: tuple[str, ...], values: tuple[Any, ...]) -> Any: ...
    def judge_args(self, names: tuple[str, ...], values: tuple[Any, ...]) -> tuple[Any, Any]: ...
    def build_json(self, data: str | bytes | bytearray) -> Any: ...
    def current(self) -> InputsBuilder: ...

@disjoint_base
class ClassEntry:
    ref: Any
    carries: Any
    used: int
    def __init__(self, ref: Any, carries: bool) -> None: ...

@disjoint_base
class FixedEntry:
    target: Any
    validator: Any
    used: int
    def __init__(self, target: Any, validator: Any) -> None: ...

@final
class Finder:
    draw: Callable[[], int]
    def __new__(cls, entries: dict[Any, Any], miss: Callable[[Any], Any]) -> Self: ...
    def restart(self) -> None: ...
    def forget(self) -> None: ...
    def get_validator(self, type_name: Any) -> Any: ...
