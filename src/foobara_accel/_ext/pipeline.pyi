from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["PROCESSORS", "processing"]

PROCESSORS: tuple[str, ...]

def processing(
    cls: type[Any],
    whole: Callable[[Any, Any], Any],
    stock: Mapping[str, Any],
    locate: Callable[[BaseException, str, int, Any], BaseException] | None = None,
) -> Callable[[Any, Any], Any]: ...
