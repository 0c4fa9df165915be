"""The command core; what foobara_py exports from its ``core`` is imported at first use (PEP 562)."""

from __future__ import annotations

import importlib
from typing import Any

# ``command`` is missing: here that name is the module.
_EXPORTS = {
    "Command": "command",
    "AsyncCommand": "async_command",
    "AsyncSimpleCommand": "simple",
    "SimpleCommand": "simple",
    "async_simple_command": "simple",
    "simple_command": "simple",
    "CommandOutcome": "outcome",
    "Failure": "outcome",
    "Outcome": "outcome",
    "Success": "outcome",
    "ERROR_SUGGESTIONS": "errors",
    "DataError": "errors",
    "ErrorCategory": "errors",
    "ErrorCollection": "errors",
    "ErrorSeverity": "errors",
    "ErrorSymbols": "errors",
    "FoobaraError": "errors",
    "Symbols": "errors",
    "CircuitBreaker": "recovery",
    "CircuitBreakerConfig": "recovery",
    "CircuitBreakerHook": "recovery",
    "CircuitState": "recovery",
    "ErrorRecoveryHook": "recovery",
    "ErrorRecoveryManager": "recovery",
    "FallbackHook": "recovery",
    "RecoveryStrategy": "recovery",
    "RetryConfig": "recovery",
    "RetryHook": "recovery",
    "configure_default_recovery": "recovery",
    "get_global_recovery_manager": "recovery",
    "CommandRegistry": "registry",
    "get_default_registry": "registry",
    "register": "registry",
}

__all__ = [*_EXPORTS]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    module = _EXPORTS.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{module}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
