"""Words both twins share: states, severities, categories and the Halt signal.

A leaf: it imports nothing of this package, so compiled and pure modules may both use it.
"""

from __future__ import annotations

from enum import Enum, IntEnum

__all__ = ["STATE_NAMES", "CommandState", "ErrorCategory", "ErrorSeverity", "Halt"]


class Halt(Exception):
    """Stops a command at once; what its errors hold decides between failure and ``halted``."""


class CommandState(IntEnum):
    """The states of a command, in the order a successful run passes them."""

    INITIALIZED = 0
    OPENING_TRANSACTION = 1
    CASTING_AND_VALIDATING_INPUTS = 2
    LOADING_RECORDS = 3
    VALIDATING_RECORDS = 4
    VALIDATING = 5
    EXECUTING = 6
    COMMITTING_TRANSACTION = 7
    SUCCEEDED = 8
    FAILED = 9
    ERRORED = 10


STATE_NAMES: dict[CommandState, str] = {
    CommandState.INITIALIZED: "initialized",
    CommandState.OPENING_TRANSACTION: "opening_transaction",
    CommandState.CASTING_AND_VALIDATING_INPUTS: "cast_and_validate_inputs",
    CommandState.LOADING_RECORDS: "load_records",
    CommandState.VALIDATING_RECORDS: "validate_records",
    CommandState.VALIDATING: "validate",
    CommandState.EXECUTING: "execute",
    CommandState.COMMITTING_TRANSACTION: "commit_transaction",
    CommandState.SUCCEEDED: "succeeded",
    CommandState.FAILED: "failed",
    CommandState.ERRORED: "errored",
}


class ErrorSeverity(str, Enum):
    """How bad an error is; declared from mild to severe."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"
    FATAL = "fatal"


class ErrorCategory(str, Enum):
    """The usual values of ``FoobaraError.category``; any other string is allowed too."""

    DATA = "data"
    VALIDATION = "validation"
    INPUT = "input"
    RUNTIME = "runtime"
    EXECUTION = "execution"
    DOMAIN = "domain"
    BUSINESS_RULE = "business_rule"
    SYSTEM = "system"
    INFRASTRUCTURE = "infrastructure"
    AUTH = "auth"
    AUTHORIZATION = "authorization"
    AUTHENTICATION = "authentication"
    EXTERNAL = "external"
    NETWORK = "network"
    API = "api"
