"""The symbols errors use by convention; any other string is allowed too."""

from __future__ import annotations

from typing import Final

__all__ = ["ErrorSymbols", "Symbols"]


class Symbols:
    """Constants whose value is their own name in lower case."""

    # Presence and type
    REQUIRED: Final = "required"
    MISSING_REQUIRED_ATTRIBUTE: Final = "missing_required_attribute"
    UNEXPECTED_ATTRIBUTE: Final = "unexpected_attribute"
    CANNOT_CAST: Final = "cannot_cast"
    INVALID_TYPE: Final = "invalid_type"
    INVALID_FORMAT: Final = "invalid_format"
    INVALID_VALUE: Final = "invalid_value"
    NULL_NOT_ALLOWED: Final = "null_not_allowed"

    # Text
    TOO_SHORT: Final = "too_short"
    TOO_LONG: Final = "too_long"
    BLANK: Final = "blank"
    EMPTY: Final = "empty"
    INVALID_LENGTH: Final = "invalid_length"
    PATTERN_MISMATCH: Final = "pattern_mismatch"
    INVALID_ENCODING: Final = "invalid_encoding"

    # Numbers
    TOO_SMALL: Final = "too_small"
    TOO_LARGE: Final = "too_large"
    NOT_INTEGER: Final = "not_integer"
    NOT_POSITIVE: Final = "not_positive"
    NOT_NEGATIVE: Final = "not_negative"
    NOT_IN_RANGE: Final = "not_in_range"
    PRECISION_LOSS: Final = "precision_loss"

    # Collections
    TOO_FEW_ELEMENTS: Final = "too_few_elements"
    TOO_MANY_ELEMENTS: Final = "too_many_elements"
    DUPLICATE_ELEMENT: Final = "duplicate_element"
    INVALID_ELEMENT: Final = "invalid_element"

    # Records
    NOT_FOUND: Final = "not_found"
    ALREADY_EXISTS: Final = "already_exists"
    RECORD_NOT_FOUND: Final = "record_not_found"
    RECORD_NOT_UNIQUE: Final = "record_not_unique"
    STALE_RECORD: Final = "stale_record"
    INVALID_STATE: Final = "invalid_state"
    CANNOT_DELETE: Final = "cannot_delete"
    CANNOT_UPDATE: Final = "cannot_update"

    # Access
    NOT_ALLOWED: Final = "not_allowed"
    NOT_AUTHENTICATED: Final = "not_authenticated"
    FORBIDDEN: Final = "forbidden"
    AUTHENTICATION_FAILED: Final = "authentication_failed"
    TOKEN_EXPIRED: Final = "token_expired"
    INVALID_TOKEN: Final = "invalid_token"
    INSUFFICIENT_PERMISSIONS: Final = "insufficient_permissions"
    SESSION_EXPIRED: Final = "session_expired"

    # Running
    EXECUTION_ERROR: Final = "execution_error"
    SUBCOMMAND_ERROR: Final = "subcommand_error"
    TRANSACTION_ERROR: Final = "transaction_error"
    TIMEOUT: Final = "timeout"
    CANCELLED: Final = "cancelled"
    DEADLOCK: Final = "deadlock"
    RESOURCE_EXHAUSTED: Final = "resource_exhausted"

    # Other services
    EXTERNAL_SERVICE_ERROR: Final = "external_service_error"
    CONNECTION_FAILED: Final = "connection_failed"
    RATE_LIMIT_EXCEEDED: Final = "rate_limit_exceeded"
    SERVICE_UNAVAILABLE: Final = "service_unavailable"
    API_ERROR: Final = "api_error"
    NETWORK_ERROR: Final = "network_error"

    # The system
    INTERNAL_ERROR: Final = "internal_error"
    CONFIGURATION_ERROR: Final = "configuration_error"
    DEPENDENCY_ERROR: Final = "dependency_error"
    OUT_OF_MEMORY: Final = "out_of_memory"
    DISK_FULL: Final = "disk_full"

    # Rules
    BUSINESS_RULE_VIOLATION: Final = "business_rule_violation"
    CONSTRAINT_VIOLATION: Final = "constraint_violation"
    INVARIANT_VIOLATION: Final = "invariant_violation"
    PRECONDITION_FAILED: Final = "precondition_failed"
    POSTCONDITION_FAILED: Final = "postcondition_failed"

    # Files
    FILE_NOT_FOUND: Final = "file_not_found"
    FILE_ALREADY_EXISTS: Final = "file_already_exists"
    PERMISSION_DENIED: Final = "permission_denied"
    READ_ERROR: Final = "read_error"
    WRITE_ERROR: Final = "write_error"


ErrorSymbols = Symbols
