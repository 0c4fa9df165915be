"""What is replaced in foobara_py, in parts: a part is replaced whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .known import KNOWN
from .shapes import Shapes

__all__ = ["PARTS", "Part", "part_of"]


@dataclass(frozen=True, slots=True)
class Part:
    """Functions that are replaced together, and the parts whose behaviour their replacements build in."""

    name: str
    keys: tuple[str, ...]
    relies_on: tuple[str, ...] = ()

    def objections(self, shapes: Shapes) -> Iterator[str]:
        """Say of each function, own or relied on, why it is not one that is known here."""
        for key in self.keys:
            reason = shapes.objection(key, KNOWN.get(key, ()))
            if reason is not None:
                yield reason
        for name in self.relies_on:
            part = _BY_NAME[name]
            for key in part.keys:
                reason = shapes.objection(key, KNOWN.get(key, ()))
                if reason is not None:
                    yield f"it relies on {name}: {reason}"


def _keys(**names: str) -> tuple[str, ...]:
    return tuple(f"{owner}.{name}" for owner, words in names.items() for name in words.split())


_CORE = ("errors", "collections", "outcomes", "states", "callbacks", "inputs", "command errors")

# The stock processors, by the suffix of their class names.
_PROCESSORS = {
    "Caster": "String Integer Float Boolean Date DateTime UUID List Dict",
    "Validator": "Required MinLength MaxLength MinValue MaxValue Pattern OneOf Email URL Range NotEmpty "
    "UniqueItems Contains",
    "Transformer": "StripWhitespace Lowercase Uppercase TitleCase Round Clamp Default Truncate Slugify "
    "NormalizeWhitespace",
}

PARTS: tuple[Part, ...] = (
    Part(
        "errors",
        _keys(
            FoobaraError="__init__ __eq__ __post_init__ key with_runtime_path_prefix with_path_prefix"
            " with_cause with_suggestion with_help_url get_root_cause get_error_chain to_dict"
            " _create_categorized_error data_error validation_error runtime_error domain_error"
            " system_error auth_error external_error from_exception",
        ),
    ),
    Part(
        "collections",
        _keys(
            ErrorCollection="__init__ _rebuild_key_index add add_all merge has_errors has_fatal is_empty"
            " count __len__ __iter__ __bool__ __contains__ get first all keys at_path with_symbol by_category"
            " in_runtime_path fatal_errors data_errors runtime_errors system_errors domain_errors auth_errors"
            " group_by_path group_by_category messages to_sentence to_dict to_list to_human_readable summary"
            " clear copy",
        ),
        ("errors",),
    ),
    Part(
        "outcomes",
        _keys(
            CommandOutcome="is_success is_failure from_result from_errors unwrap unwrap_or map flat_map"
            " add_error to_dict",
        ),
    ),
    Part(
        "states",
        _keys(
            CommandStateMachine="__init__ state is_terminal can_fail transition_to fail error succeed reset"
        ),
    ),
    Part(
        "callbacks",
        _keys(
            CallbackCondition="__init__ matches",
            RegisteredCallback="__init__ __lt__",
            EnhancedCallbackRegistry="__init__ register get_callbacks compile_chain clear_cache has_callbacks"
            " merge",
            EnhancedCallbackExecutor="__init__ execute_transition execute_simple",
        ),
    ),
    Part(
        "transactions",
        _keys(
            TransactionContext="__init__ __enter__ __exit__ mark_failed is_active",
            TransactionConcern="open_transaction commit_transaction rollback_transaction",
            TransactionRegistry="register detect clear",
        ),
    ),
    Part("inputs", _keys(TypesConcern="inputs_type", InputsConcern="inputs cast_and_validate_inputs")),
    Part(
        "command errors",
        _keys(ErrorsConcern="errors add_error add_input_error add_runtime_error halt"),
        ("errors", "collections"),
    ),
    Part(
        "runs",
        _keys(
            Command="__init__",
            ValidationConcern="load_records validate_records validate",
            ExecutionConcern="before_execute after_execute run",
            StateConcern="state state_name run_instance _execute_phase _fail",
        ),
        (*_CORE, "transactions"),
    ),
    Part(
        "subcommands",
        _keys(
            SubcommandConcern="run_subcommand run_subcommand_bang run_subcommand_"
            " _validate_cross_domain_call",
            NamingConcern="full_name full_command_symbol",
            Domain="can_call_from track_cross_domain_call",
        ),
        (*_CORE, "transactions", "runs"),
    ),
    Part(
        "async runs",
        _keys(
            AsyncCommand="__init__ inputs_type validate_inputs before_execute after_execute run_instance run"
        ),
        _CORE,
    ),
    Part(
        "simple commands",
        _keys(SimpleCommand="run __call__", AsyncSimpleCommand="run __call__"),
        ("errors", "collections", "outcomes"),
    ),
    Part(
        "types",
        _keys(
            FoobaraType="process __call__ validate is_valid",
            TypeProcessor="__call__",
            **{f"{name}{kind}": "process" for kind, names in _PROCESSORS.items() for name in names.split()},
        ),
    ),
    Part(
        "registries",
        _keys(CommandRegistry="get find_command list_commands", DomainRegistry="get_command list_commands"),
    ),
    Part("inheritance", _keys(CommandMeta="__new__"), ("callbacks",)),
    Part("possible errors", _keys(ErrorsConcern="possible_error possible_errors")),
)

_BY_NAME = {part.name: part for part in PARTS}
_PART_OF = {key: part.name for part in PARTS for key in part.keys}


def part_of(key: str) -> str | None:
    """Return the name of the part that *key* belongs to."""
    return _PART_OF.get(key)
