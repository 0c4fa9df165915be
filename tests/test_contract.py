"""Names and signatures of foobara_py 0.3 that users write: same module, same name, same parameters."""

from __future__ import annotations

import importlib
import inspect
import types
from types import ModuleType
from typing import Any

import pydantic
import pytest

MODULES = {
    "core": """
        AsyncCommand AsyncSimpleCommand CircuitBreaker CircuitBreakerConfig CircuitBreakerHook
        CircuitState Command CommandOutcome CommandRegistry DataError ERROR_SUGGESTIONS
        ErrorCategory ErrorCollection ErrorRecoveryHook ErrorRecoveryManager ErrorSeverity
        ErrorSymbols Failure FallbackHook FoobaraError Outcome RecoveryStrategy RetryConfig
        RetryHook SimpleCommand Success Symbols async_simple_command configure_default_recovery
        get_default_registry get_global_recovery_manager register simple_command
    """,
    "core.command": """
        AsyncCommand AsyncSimpleCommand Command SimpleCommand async_command async_simple_command command
        simple_command
    """,
    "core.errors": """
        DataError ERROR_SUGGESTIONS ErrorCategory ErrorCollection ErrorSeverity ErrorSymbols
        FoobaraError Symbols
    """,
    "core.outcome": """
        CommandOutcome Failure Outcome OutcomeBase Success
    """,
    "core.registry": """
        CommandRegistry DomainRegistry TypeRegistry get_default_registry register
    """,
    "core.state_machine": """
        CAN_FAIL_STATES CommandState CommandStateMachine EMPTY_TRANSITION_SET Halt STATE_NAMES
        TERMINAL_STATES VALID_TRANSITIONS
    """,
    "core.callbacks_enhanced": """
        CallbackCondition EnhancedCallbackExecutor EnhancedCallbackRegistry RegisteredCallback
    """,
    "core.error_recovery": """
        CircuitBreaker CircuitBreakerConfig CircuitBreakerHook CircuitState ErrorRecoveryHook
        ErrorRecoveryManager FallbackHook RecoveryStrategy RetryConfig RetryHook
        configure_default_recovery get_global_recovery_manager
    """,
    "core.transactions": """
        NoOpTransactionHandler SQLAlchemyTransactionHandler TransactionConfig TransactionContext
        TransactionHandler TransactionRegistry get_current_transaction set_current_transaction
        transaction
    """,
    "domain": """
        Domain DomainDependencyError DomainMapper DomainMapperRegistry GlobalDomain Organization
    """,
    "domain.domain": """
        Domain DomainDependencyError GlobalDomain Organization all_domains all_organizations
        create_domain foobara_domain foobara_organization get_domain get_organization
    """,
    "domain.domain_mapper": """
        DomainMapper DomainMapperRegistry domain_mapper
    """,
}


@pytest.mark.parametrize("module", MODULES)
def test_every_name_is_where_foobara_py_has_it(sub: Any, module: str) -> None:
    found = sub(module)
    assert [name for name in MODULES[module].split() if not hasattr(found, name)] == []


@pytest.mark.parametrize("module", ["core", "core.command", "domain.domain"])
def test_an_unknown_name_is_an_attribute_error(sub: Any, module: str) -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        _ = sub(module).Nothing


def test_a_name_is_one_object_by_every_path(fa: ModuleType, sub: Any) -> None:
    assert sub("core.state_machine").CommandState is fa.CommandState
    assert sub("core.callbacks_enhanced").EnhancedCallbackRegistry is fa.CallbackRegistry
    assert sub("core.error_recovery").CircuitBreaker is sub("core").CircuitBreaker is fa.CircuitBreaker
    assert sub("domain.domain").Organization is fa.Organization
    assert sub("core").Symbols is sub("core").ErrorSymbols is fa.Symbols
    assert sub("core").DataError is fa.FoobaraError and fa.ErrorSymbols is fa.Symbols


# (class, method, its parameters after self or cls, with their defaults)
SIGNATURES: list[tuple[str, str, str]] = [
    ("Command", "possible_error", "symbol, message=None, context=None"),
    ("Command", "possible_errors", ""),
    ("Command", "add_error", "error"),
    ("Command", "add_input_error", "path, symbol, message, **context"),
    ("Command", "add_runtime_error", "symbol, message, halt=True, **context"),
    ("Command", "halt", ""),
    ("Command", "run_instance", ""),
    ("Command", "run_subcommand", "command_class, **inputs"),
    ("Command", "run_subcommand_bang", "command_class, **inputs"),
    ("Command", "run_subcommand_", "command_class, **inputs"),
    ("Command", "run_mapped_subcommand", "command_class, unmapped_inputs=None, to=None, **extra_inputs"),
    ("Command", "run_with", "inputs"),
    ("Command", "run_json", "data"),
    ("Command", "run_or_raise", "**inputs"),
    ("Command", "run_async", "**inputs"),
    ("Command", "run", "**inputs"),
    ("FoobaraError", "data_error", "symbol, path, message, suggestion=None, **context"),
    ("FoobaraError", "validation_error", "symbol, path, message, suggestion=None, **context"),
    ("FoobaraError", "runtime_error", "symbol, message, is_fatal=False, suggestion=None, **context"),
    ("FoobaraError", "domain_error", "symbol, message, path=(), suggestion=None, **context"),
    ("FoobaraError", "system_error", "symbol, message, is_fatal=True, suggestion=None, **context"),
    ("FoobaraError", "auth_error", "symbol, message, suggestion=None, **context"),
    ("FoobaraError", "external_error", "symbol, message, service=None, suggestion=None, **context"),
    ("FoobaraError", "from_exception", "exception, symbol='exception', category='runtime'"),
    ("ErrorCollection", "add", "error"),
    ("ErrorCollection", "add_all", "*errors"),
    ("ErrorCollection", "with_symbol", "symbol"),
    ("ErrorCollection", "by_category", "category"),
    ("ErrorCollection", "by_severity", "severity"),
    ("ErrorCollection", "sort_by_severity", ""),
    ("ErrorCollection", "most_severe", ""),
    ("ErrorCollection", "critical_errors", ""),
    ("ErrorCollection", "with_suggestions", ""),
    ("CommandOutcome", "from_errors", "*errors, **metadata"),
    ("CommandOutcome", "unwrap_or", "default"),
    ("TransactionConfig", "with_handler", "factory"),
    ("TransactionConfig", "disabled", ""),
    ("TransactionRegistry", "register", "detector"),
    ("CommandRegistry", "get_manifest", ""),
    ("Domain", "depends_on", "*domains"),
    ("Command", "depends_on", "*domains"),
    ("AsyncCommand", "validate_inputs", ""),
    ("DomainMapper", "run", ""),
    ("DomainMapper", "map_value", "from_value"),
    ("DomainMapper", "applicable", "from_value, to_value"),
    ("DomainMapper", "match_score", "from_value, to_value"),
    ("DomainMapper", "full_name", ""),
    ("DomainMapperRegistry", "register", "mapper_class, domain=None"),
    ("DomainMapperRegistry", "get", "name"),
    ("DomainMapperRegistry", "list_for_domain", "domain"),
    ("DomainMapperRegistry", "find_matching_mapper", "from_value, to_value, domain=None"),
    (
        "CallbackRegistry",
        "register",
        "callback_type, callback, from_state=None, to_state=None, transition=None, priority=0",
    ),
    ("CallbackRegistry", "get_callbacks", "callback_type, from_state, to_state, transition"),
    ("CallbackRegistry", "compile_chain", "from_state, to_state, transition"),
]


def parameters(function: Any) -> str:
    written = []
    for each in inspect.signature(function).parameters.values():
        name = {each.VAR_KEYWORD: f"**{each.name}", each.VAR_POSITIONAL: f"*{each.name}"}.get(
            each.kind, each.name
        )
        written.append(name if each.default is each.empty else f"{name}={each.default!r}")
    return ", ".join(name for name in written if name not in ("self", "cls"))


@pytest.mark.parametrize(("owner", "method", "expected"), SIGNATURES)
def test_parameters(fa: ModuleType, owner: str, method: str, expected: str) -> None:
    assert parameters(getattr(getattr(fa, owner), method)) == expected


# What each constructor takes first, as foobara_py has it; more may follow here.
CONSTRUCTORS = {
    "core": {
        "Success": "result",
        "Failure": "errors",
        "RetryConfig": "max_attempts=3, initial_delay=0.1, max_delay=10.0, backoff_multiplier=2.0, "
        "exponential_backoff=True, jitter=True, retryable_symbols, retryable_categories",
        "CircuitBreakerConfig": "failure_threshold=5, success_threshold=2, timeout=60.0, "
        "half_open_requests=1",
        "CircuitBreaker": "config=None",
        "RetryHook": "config=None",
        "FallbackHook": "fallback_value=None, fallback_fn=None, applicable_symbols=None",
        "CircuitBreakerHook": "config=None",
        "CommandRegistry": "name='default'",
        "SimpleCommand": "func",
        "AsyncSimpleCommand": "func",
    },
    "core.registry": {"DomainRegistry": "name, organization=None", "TypeRegistry": ""},
    "core.error_recovery": {"ErrorRecoveryManager": ""},
    "core.callbacks_enhanced": {
        "CallbackCondition": "from_state=None, to_state=None, transition=None",
        "RegisteredCallback": "callback, callback_type, condition, priority=0",
        "EnhancedCallbackRegistry": "",
        "EnhancedCallbackExecutor": "registry, command",
    },
    "core.transactions": {
        "TransactionConfig": "enabled=True, handler_factory=None, auto_detect=True",
        "TransactionContext": "handler=None",
        "SQLAlchemyTransactionHandler": "session",
    },
    "domain": {"Domain": "name, organization=None", "Organization": "name"},
}


@pytest.mark.parametrize(
    ("module", "name"), [(module, name) for module, names in CONSTRUCTORS.items() for name in names]
)
def test_what_constructors_take(sub: Any, module: str, name: str) -> None:
    cls, expected = getattr(sub(module), name), CONSTRUCTORS[module][name]
    taken = parameters(cls).replace("=<factory>", "")
    assert taken == expected or (expected and taken.startswith(f"{expected}, ")), taken


def test_errors_and_outcomes_take_their_fields_in_order(fa: ModuleType) -> None:
    cause = fa.FoobaraError(symbol="first")
    fields = {
        "category": "runtime",
        "symbol": "s",
        "path": ("p",),
        "message": "m",
        "context": {"a": 1},
        "runtime_path": ("r",),
        "is_fatal": True,
        "severity": fa.ErrorSeverity.CRITICAL,
        "suggestion": "try",
        "help_url": "u",
        "cause": cause,
        "stack_trace": "t",
    }
    for error in (fa.FoobaraError(*fields.values()), fa.FoobaraError(**fields)):
        assert {name: getattr(error, name) for name in fields} == fields
    default = fa.FoobaraError()
    expected = ["data", "", (), "", {}, (), False, fa.ErrorSeverity.ERROR, None, None, None, None]
    assert [getattr(default, name) for name in fields] == expected
    with pytest.raises(TypeError):
        fa.FoobaraError(unknown=1)
    outcome = fa.CommandOutcome(1, [cause], {"a": 1}, unknown=2)
    assert (outcome.result, outcome.errors, outcome.metadata) == (1, [cause], {"a": 1})
    assert fa.CommandOutcome[int](result="5").result == 5
    assert not fa.ErrorCollection().has_errors()


def test_a_command_takes_its_inputs_and_no_runtime_path(fa: ModuleType) -> None:
    """foobara_py's first parameter is _runtime_path, which any caller may so give: docs/differences.md."""
    model = pydantic.create_model("Model", n=(int, ...))
    for base in (fa.Command, fa.AsyncCommand):
        cls = types.new_class("Taking", (base[model, int],), {}, lambda space: space.update(execute=len))
        with pytest.raises(TypeError):
            cls(("top",), n=1)
        one = cls(_runtime_path=("top",), n=1)
        assert one._raw_inputs == {"_runtime_path": ("top",), "n": 1}
        one.add_runtime_error("s", "m", halt=False)
        assert one.errors.first().runtime_path == ()


FAMILIES = {
    "before after around": "any_transition transition transition_from transition_to validate_transition "
    "execute_transition cast_and_validate_inputs",
    "before after": "transition_from_initialized transition_from_executing transition_to_succeeded "
    "transition_to_failed load_records validate_records open_transaction commit_transaction "
    "transition_from_initialized_to_executing",
    "error": "any_transition transition transition_from transition_to execute_transition",
}


def test_the_callback_methods(fa: ModuleType) -> None:
    for kinds, names in FAMILIES.items():
        for kind in kinds.split():
            for name in names.split():
                for cls in (fa.Command, fa.AsyncCommand):
                    method = getattr(cls, f"{kind}_{name}")
                    assert parameters(method).endswith("priority=0"), (kind, name)
                    assert inspect.getdoc(method)


STATIC = """
    REQUIRED MISSING_REQUIRED_ATTRIBUTE UNEXPECTED_ATTRIBUTE CANNOT_CAST INVALID_TYPE INVALID_FORMAT
    INVALID_VALUE NULL_NOT_ALLOWED TOO_SHORT TOO_LONG BLANK EMPTY INVALID_LENGTH PATTERN_MISMATCH
    INVALID_ENCODING TOO_SMALL TOO_LARGE NOT_INTEGER NOT_POSITIVE NOT_NEGATIVE NOT_IN_RANGE
    PRECISION_LOSS TOO_FEW_ELEMENTS TOO_MANY_ELEMENTS DUPLICATE_ELEMENT INVALID_ELEMENT NOT_FOUND
    ALREADY_EXISTS RECORD_NOT_FOUND RECORD_NOT_UNIQUE STALE_RECORD INVALID_STATE CANNOT_DELETE
    CANNOT_UPDATE NOT_ALLOWED NOT_AUTHENTICATED FORBIDDEN AUTHENTICATION_FAILED TOKEN_EXPIRED
    INVALID_TOKEN INSUFFICIENT_PERMISSIONS SESSION_EXPIRED EXECUTION_ERROR SUBCOMMAND_ERROR
    TRANSACTION_ERROR TIMEOUT CANCELLED DEADLOCK RESOURCE_EXHAUSTED EXTERNAL_SERVICE_ERROR
    CONNECTION_FAILED RATE_LIMIT_EXCEEDED SERVICE_UNAVAILABLE API_ERROR NETWORK_ERROR INTERNAL_ERROR
    CONFIGURATION_ERROR DEPENDENCY_ERROR OUT_OF_MEMORY DISK_FULL BUSINESS_RULE_VIOLATION
    CONSTRAINT_VIOLATION INVARIANT_VIOLATION PRECONDITION_FAILED POSTCONDITION_FAILED FILE_NOT_FOUND
    FILE_ALREADY_EXISTS PERMISSION_DENIED READ_ERROR WRITE_ERROR
"""


def test_the_symbols(fa: ModuleType) -> None:
    assert len(STATIC.split()) == 70
    assert [name for name in STATIC.split() if getattr(fa.Symbols, name, None) != name.lower()] == []


def test_class_attributes_that_a_user_may_set(fa: ModuleType) -> None:
    names = {"_domain", "_organization", "_description", "_depends_on", "_possible_errors"}
    names |= {"_transaction_config", "_tags"}
    for cls in (fa.Command, fa.AsyncCommand):
        assert [name for name in names if not hasattr(cls, name)] == []


def test_instances_have_what_users_peek_at(fa: ModuleType) -> None:
    names = {"_raw_inputs", "_inputs", "_errors", "_result", "_transaction"}
    names |= {"inputs", "errors", "state", "state_name"}
    for cls in (fa.Command, fa.AsyncCommand):
        assert [name for name in names if name not in dir(cls)] == []
    assert importlib.import_module(fa.__name__).__version__
