"""The command core; what foobara_py exports from its ``core`` is imported at first use (PEP 562)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._lazy import exported

if TYPE_CHECKING:
    from .async_command import (
        AsyncCommand as AsyncCommand,
    )
    from .command import (
        Command as Command,
    )
    from .errors import (
        ERROR_SUGGESTIONS as ERROR_SUGGESTIONS,
        DataError as DataError,
        ErrorCategory as ErrorCategory,
        ErrorCollection as ErrorCollection,
        ErrorSeverity as ErrorSeverity,
        ErrorSymbols as ErrorSymbols,
        FoobaraError as FoobaraError,
        Symbols as Symbols,
    )
    from .outcome import (
        CommandOutcome as CommandOutcome,
        Failure as Failure,
        Outcome as Outcome,
        Success as Success,
    )
    from .recovery import (
        CircuitBreaker as CircuitBreaker,
        CircuitBreakerConfig as CircuitBreakerConfig,
        CircuitBreakerHook as CircuitBreakerHook,
        CircuitState as CircuitState,
        ErrorRecoveryHook as ErrorRecoveryHook,
        ErrorRecoveryManager as ErrorRecoveryManager,
        FallbackHook as FallbackHook,
        RecoveryStrategy as RecoveryStrategy,
        RetryConfig as RetryConfig,
        RetryHook as RetryHook,
        configure_default_recovery as configure_default_recovery,
        get_global_recovery_manager as get_global_recovery_manager,
    )
    from .registry import (
        CommandRegistry as CommandRegistry,
        get_default_registry as get_default_registry,
        register as register,
    )
    from .simple import (
        AsyncSimpleCommand as AsyncSimpleCommand,
        SimpleCommand as SimpleCommand,
        async_simple_command as async_simple_command,
        simple_command as simple_command,
    )

# ``command`` is missing: here that name is the module.
_EXPORTS = {
    "Command": ".command",
    "AsyncCommand": ".async_command",
    "AsyncSimpleCommand": ".simple",
    "SimpleCommand": ".simple",
    "async_simple_command": ".simple",
    "simple_command": ".simple",
    "CommandOutcome": ".outcome",
    "Failure": ".outcome",
    "Outcome": ".outcome",
    "Success": ".outcome",
    "ERROR_SUGGESTIONS": ".errors",
    "DataError": ".errors",
    "ErrorCategory": ".errors",
    "ErrorCollection": ".errors",
    "ErrorSeverity": ".errors",
    "ErrorSymbols": ".errors",
    "FoobaraError": ".errors",
    "Symbols": ".errors",
    "CircuitBreaker": ".recovery",
    "CircuitBreakerConfig": ".recovery",
    "CircuitBreakerHook": ".recovery",
    "CircuitState": ".recovery",
    "ErrorRecoveryHook": ".recovery",
    "ErrorRecoveryManager": ".recovery",
    "FallbackHook": ".recovery",
    "RecoveryStrategy": ".recovery",
    "RetryConfig": ".recovery",
    "RetryHook": ".recovery",
    "configure_default_recovery": ".recovery",
    "get_global_recovery_manager": ".recovery",
    "CommandRegistry": ".registry",
    "get_default_registry": ".registry",
    "register": ".registry",
}

# Written out for type checkers: they do not compute it.
__all__ = [
    "ERROR_SUGGESTIONS",
    "AsyncCommand",
    "AsyncSimpleCommand",
    "CircuitBreaker",
    "CircuitBreakerConfig",
    "CircuitBreakerHook",
    "CircuitState",
    "Command",
    "CommandOutcome",
    "CommandRegistry",
    "DataError",
    "ErrorCategory",
    "ErrorCollection",
    "ErrorRecoveryHook",
    "ErrorRecoveryManager",
    "ErrorSeverity",
    "ErrorSymbols",
    "Failure",
    "FallbackHook",
    "FoobaraError",
    "Outcome",
    "RecoveryStrategy",
    "RetryConfig",
    "RetryHook",
    "SimpleCommand",
    "Success",
    "Symbols",
    "async_simple_command",
    "configure_default_recovery",
    "get_default_registry",
    "get_global_recovery_manager",
    "register",
    "simple_command",
]


def __getattr__(name: str) -> Any:
    return exported(name, globals(), _EXPORTS)


def __dir__() -> list[str]:
    return sorted(__all__)
