"""foobara-accel: a command framework on Pydantic whose hot paths are compiled."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ._version import __version__

if TYPE_CHECKING:
    from ._backend import (
        backend as backend,
    )
    from .core.async_command import (
        AsyncCommand as AsyncCommand,
    )
    from .core.callbacks import (
        CallbackCondition as CallbackCondition,
        CallbackRegistry as CallbackRegistry,
        RegisteredCallback as RegisteredCallback,
    )
    from .core.command import (
        Command as Command,
    )
    from .core.errors import (
        DataError as DataError,
        ErrorCategory as ErrorCategory,
        ErrorCollection as ErrorCollection,
        ErrorSeverity as ErrorSeverity,
        ErrorSymbols as ErrorSymbols,
        FoobaraError as FoobaraError,
        Symbols as Symbols,
    )
    from .core.logs import (
        current_trace_id as current_trace_id,
        trace_id as trace_id,
    )
    from .core.manifest import (
        CommandManifest as CommandManifest,
    )
    from .core.outcome import (
        CommandOutcome as CommandOutcome,
        Failure as Failure,
        Outcome as Outcome,
        Success as Success,
    )
    from .core.recovery import (
        CircuitBreaker as CircuitBreaker,
        CircuitBreakerConfig as CircuitBreakerConfig,
        CircuitBreakerHook as CircuitBreakerHook,
        CircuitOpenError as CircuitOpenError,
        ErrorRecoveryHook as ErrorRecoveryHook,
        ErrorRecoveryManager as ErrorRecoveryManager,
        FallbackHook as FallbackHook,
        RecoveryStrategy as RecoveryStrategy,
        RetryConfig as RetryConfig,
        RetryHook as RetryHook,
        configure_default_recovery as configure_default_recovery,
        get_global_recovery_manager as get_global_recovery_manager,
        retry as retry,
        retry_async as retry_async,
    )
    from .core.registry import (
        CommandRegistry as CommandRegistry,
        DomainRegistry as DomainRegistry,
        TypeRegistry as TypeRegistry,
        get_default_registry as get_default_registry,
        register as register,
    )
    from .core.simple import (
        AsyncSimpleCommand as AsyncSimpleCommand,
        SimpleCommand as SimpleCommand,
        async_command as async_command,
        async_simple_command as async_simple_command,
        command as command,
        simple_command as simple_command,
    )
    from .core.state import (
        CommandState as CommandState,
        CommandStateMachine as CommandStateMachine,
        Halt as Halt,
    )
    from .core.transactions import (
        NoOpTransactionHandler as NoOpTransactionHandler,
        SQLAlchemyTransactionHandler as SQLAlchemyTransactionHandler,
        Sqlite3TransactionHandler as Sqlite3TransactionHandler,
        TransactionConfig as TransactionConfig,
        TransactionContext as TransactionContext,
        TransactionError as TransactionError,
        TransactionHandler as TransactionHandler,
        TransactionPoisoned as TransactionPoisoned,
        TransactionRegistry as TransactionRegistry,
        get_current_transaction as get_current_transaction,
        set_current_transaction as set_current_transaction,
        transaction as transaction,
    )
    from .core.warmup import (
        GCProfile as GCProfile,
        WarmUpError as WarmUpError,
        WarmUpReport as WarmUpReport,
        tune as tune,
        warm_up as warm_up,
    )
    from .domain import (
        Domain as Domain,
        DomainDependencyError as DomainDependencyError,
        DomainMapper as DomainMapper,
        DomainMapperRegistry as DomainMapperRegistry,
        GlobalDomain as GlobalDomain,
        Organization as Organization,
        all_domains as all_domains,
        all_organizations as all_organizations,
        create_domain as create_domain,
        foobara_domain as foobara_domain,
        foobara_organization as foobara_organization,
        get_domain as get_domain,
        get_organization as get_organization,
    )
    from .types import (
        CardNumber as CardNumber,
        Iban as Iban,
        ValidationCache as ValidationCache,
        is_valid_card as is_valid_card,
        is_valid_iban as is_valid_iban,
        parse_card as parse_card,
        parse_iban as parse_iban,
    )

# Public names, each with the module that defines it; imported at first use (PEP 562).
_EXPORTS: dict[str, str] = {
    "backend": "._backend",
    "Command": ".core.command",
    "AsyncCommand": ".core.async_command",
    "AsyncSimpleCommand": ".core.simple",
    "SimpleCommand": ".core.simple",
    "async_command": ".core.simple",
    "async_simple_command": ".core.simple",
    "command": ".core.simple",
    "simple_command": ".core.simple",
    "CommandOutcome": ".core.outcome",
    "Failure": ".core.outcome",
    "Outcome": ".core.outcome",
    "Success": ".core.outcome",
    "DataError": ".core.errors",
    "ErrorCategory": ".core.errors",
    "ErrorCollection": ".core.errors",
    "ErrorSeverity": ".core.errors",
    "ErrorSymbols": ".core.errors",
    "FoobaraError": ".core.errors",
    "Symbols": ".core.errors",
    "CommandState": ".core.state",
    "CommandStateMachine": ".core.state",
    "Halt": ".core.state",
    "CallbackCondition": ".core.callbacks",
    "CallbackRegistry": ".core.callbacks",
    "RegisteredCallback": ".core.callbacks",
    "NoOpTransactionHandler": ".core.transactions",
    "SQLAlchemyTransactionHandler": ".core.transactions",
    "Sqlite3TransactionHandler": ".core.transactions",
    "TransactionConfig": ".core.transactions",
    "TransactionContext": ".core.transactions",
    "TransactionError": ".core.transactions",
    "TransactionHandler": ".core.transactions",
    "TransactionPoisoned": ".core.transactions",
    "TransactionRegistry": ".core.transactions",
    "get_current_transaction": ".core.transactions",
    "set_current_transaction": ".core.transactions",
    "transaction": ".core.transactions",
    "CircuitBreaker": ".core.recovery",
    "CircuitBreakerConfig": ".core.recovery",
    "CircuitBreakerHook": ".core.recovery",
    "CircuitOpenError": ".core.recovery",
    "ErrorRecoveryHook": ".core.recovery",
    "ErrorRecoveryManager": ".core.recovery",
    "FallbackHook": ".core.recovery",
    "RecoveryStrategy": ".core.recovery",
    "RetryConfig": ".core.recovery",
    "RetryHook": ".core.recovery",
    "configure_default_recovery": ".core.recovery",
    "get_global_recovery_manager": ".core.recovery",
    "retry": ".core.recovery",
    "retry_async": ".core.recovery",
    "CommandRegistry": ".core.registry",
    "DomainRegistry": ".core.registry",
    "TypeRegistry": ".core.registry",
    "get_default_registry": ".core.registry",
    "register": ".core.registry",
    "CommandManifest": ".core.manifest",
    "current_trace_id": ".core.logs",
    "trace_id": ".core.logs",
    "WarmUpError": ".core.warmup",
    "WarmUpReport": ".core.warmup",
    "GCProfile": ".core.warmup",
    "tune": ".core.warmup",
    "warm_up": ".core.warmup",
    "Domain": ".domain",
    "DomainDependencyError": ".domain",
    "DomainMapper": ".domain",
    "DomainMapperRegistry": ".domain",
    "GlobalDomain": ".domain",
    "Organization": ".domain",
    "all_domains": ".domain",
    "all_organizations": ".domain",
    "create_domain": ".domain",
    "foobara_domain": ".domain",
    "foobara_organization": ".domain",
    "get_domain": ".domain",
    "get_organization": ".domain",
    "CardNumber": ".types",
    "Iban": ".types",
    "ValidationCache": ".types",
    "is_valid_card": ".types",
    "is_valid_iban": ".types",
    "parse_card": ".types",
    "parse_iban": ".types",
}

# Written out for type checkers: they do not compute it.
__all__ = [
    "AsyncCommand",
    "AsyncSimpleCommand",
    "CallbackCondition",
    "CallbackRegistry",
    "CardNumber",
    "CircuitBreaker",
    "CircuitBreakerConfig",
    "CircuitBreakerHook",
    "CircuitOpenError",
    "Command",
    "CommandManifest",
    "CommandOutcome",
    "CommandRegistry",
    "CommandState",
    "CommandStateMachine",
    "DataError",
    "Domain",
    "DomainDependencyError",
    "DomainMapper",
    "DomainMapperRegistry",
    "DomainRegistry",
    "ErrorCategory",
    "ErrorCollection",
    "ErrorRecoveryHook",
    "ErrorRecoveryManager",
    "ErrorSeverity",
    "ErrorSymbols",
    "Failure",
    "FallbackHook",
    "FoobaraError",
    "GCProfile",
    "GlobalDomain",
    "Halt",
    "Iban",
    "NoOpTransactionHandler",
    "Organization",
    "Outcome",
    "RecoveryStrategy",
    "RegisteredCallback",
    "RetryConfig",
    "RetryHook",
    "SQLAlchemyTransactionHandler",
    "SimpleCommand",
    "Sqlite3TransactionHandler",
    "Success",
    "Symbols",
    "TransactionConfig",
    "TransactionContext",
    "TransactionError",
    "TransactionHandler",
    "TransactionPoisoned",
    "TransactionRegistry",
    "TypeRegistry",
    "ValidationCache",
    "WarmUpError",
    "WarmUpReport",
    "__version__",
    "all_domains",
    "all_organizations",
    "async_command",
    "async_simple_command",
    "backend",
    "command",
    "configure_default_recovery",
    "create_domain",
    "current_trace_id",
    "foobara_domain",
    "foobara_organization",
    "get_current_transaction",
    "get_default_registry",
    "get_domain",
    "get_global_recovery_manager",
    "get_organization",
    "is_valid_card",
    "is_valid_iban",
    "parse_card",
    "parse_iban",
    "register",
    "retry",
    "retry_async",
    "set_current_transaction",
    "simple_command",
    "trace_id",
    "transaction",
    "tune",
    "warm_up",
]


def __getattr__(name: str) -> Any:
    module = _EXPORTS.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(module, __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
