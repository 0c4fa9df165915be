"""Recovery under the module path that foobara_py gives it."""

from __future__ import annotations

from .recovery import (
    CircuitBreaker,
    CircuitBreakerConfig,
    CircuitBreakerHook,
    CircuitState,
    ErrorRecoveryHook,
    ErrorRecoveryManager,
    FallbackHook,
    RecoveryStrategy,
    RetryConfig,
    RetryHook,
    configure_default_recovery,
    get_global_recovery_manager,
)

__all__ = [
    "CircuitBreaker",
    "CircuitBreakerConfig",
    "CircuitBreakerHook",
    "CircuitState",
    "ErrorRecoveryHook",
    "ErrorRecoveryManager",
    "FallbackHook",
    "RecoveryStrategy",
    "RetryConfig",
    "RetryHook",
    "configure_default_recovery",
    "get_global_recovery_manager",
]
