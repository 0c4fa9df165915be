"""What a run of a command class takes, worked out once per class for both twins."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set
from operator import attrgetter
from time import perf_counter
from typing import Any, NamedTuple

from pydantic_core import from_json

from .._backend import executor
from .._reports import named
from .._vocabulary import CommandState, ErrorSeverity
from .attributes import HOOKED, pass_by
from .callbacks import CallbackRegistry, compile_chains, refuse_unrun
from .naming import class_of, owner_of
from .transactions import TransactionConfig, TransactionContext, TransactionError, may_open, open_context

__all__ = ["HOOKS", "PlanSpec", "plan_for", "set_domain_policy"]

# A hook's index is its bit in PlanSpec.mask; the twins number them the same way.
HOOKS = (
    "open_transaction",
    "cast_and_validate_inputs",
    "load_records",
    "validate_records",
    "validate",
    "execute",
    "commit_transaction",
    "before_execute",
    "after_execute",
    "rollback_transaction",
)
_REGISTRIES = ("_callback_registry", "_enhanced_callback_registry")
# Class attributes that a plan is made from: one that changes makes the plan void.
WATCHED = (
    *HOOKS,
    "add_error",
    "__init__",
    "__new__",
    "run_instance",
    "__setattr__",
    "__getattribute__",
    "inputs_type",
    "_cached_inputs_type",
    "_transaction_config",
    "_domain",
    "_organization",
    "echo_inputs",
    "_log_failures",
    *_REGISTRIES,
    "validate_inputs",
)
_OF_CLASSES = frozenset(("__init__", "__new__", "__setattr__", "__getattribute__"))
_GENERIC = ("__init__", "__new__", "run_instance", *HOOKED)
# Sync commands have no validate_inputs, the last: what is not there cannot be asked for in one call of C.
_resolve_sync, _resolve_async = attrgetter(*WATCHED[:-1]), attrgetter(*WATCHED)
plan_for: Callable[[type], executor.Plan] = executor.plan_for

DomainPolicy = Callable[[type, type], "Callable[[], None] | None"]
_domain_policy: DomainPolicy | None = None


class PlanSpec(NamedTuple):
    """The plain facts about a command class that the twins compile into a plan."""

    cls: type
    builder: Any
    mask: int
    chains: tuple[Any, ...] | None
    opens: bool
    generic: bool
    hooked: bool  # its instances are asked for each hook
    echo: bool
    logs: bool
    volatile: bool  # a metaclass answers for a watched name, at each run anew
    resolved: tuple[Any, ...]
    behind: tuple[type, ...]  # the bases that may have callbacks of their own,
    registries: tuple[Any, ...]  # and for each what it has under the two names of a registry
    resolve: Callable[[Any], tuple[Any, ...]]  # makes ``resolved`` of the class again
    watched: tuple[str, ...] = WATCHED


def set_domain_policy(policy: DomainPolicy | None) -> None:
    """Have *policy* judge every pair of command and subcommand classes; None judges nothing.

    It raises for a call that is not allowed and returns what is to be called at each run, or None.
    """
    global _domain_policy
    _domain_policy = policy
    executor.bump_epoch()


# Of each library base class, the attributes as the library made them.
_STOCK: dict[type, dict[str, Any]] = {}


def remember_stock(cls: type) -> None:
    """Take what *cls*, a library base class, has now as the hooks that do nothing."""
    _STOCK[cls] = {name: getattr(cls, name, None) for name in WATCHED}
    cls._library_base = frozenset(vars(cls))  # type: ignore[attr-defined]


# The key, in a command's own namespace, of when its run began; only of commands that log their failures.
_STARTED = "_foobara_started"


def _stamp(command: Any) -> None:
    command.__dict__[_STARTED] = perf_counter()


def _chains(command_class: Any, own: CallbackRegistry | None = None) -> tuple[Any, ...] | None:
    """Compile the callbacks of *command_class*; a class that logs its failures begins with a time stamp."""
    chains = compile_chains(command_class, own)
    if not command_class._log_failures:
        return chains
    first, *others = chains or (None,) * 8 + ({}, {})
    before, *after = first or ((),) * 4
    return (((_stamp, *before), *after), *others)


def refuse_both_kinds(cls: type) -> None:
    """Raise TypeError when *cls* derives from more than one library base: a run is sync or it is awaited."""
    kinds = [base.__name__ for base in cls.__mro__ if base in _STOCK]
    if len(kinds) > 1:
        raise TypeError(
            f"{cls.__name__} derives from {' and from '.join(kinds)}, and a command is of one kind: "
            "derive it from one, and run commands of the other with run_subcommand()"
        )


def refuse_no_method(cls: Any) -> None:
    """Raise TypeError when the ``inputs_type`` of *cls* cannot be called, as a run does first of all."""
    if not callable(cls.inputs_type):
        given = type(cls.inputs_type).__name__
        raise TypeError(f"{cls.__name__}.inputs_type is {given} where a method belongs")


def _answered_by_metaclass(command_class: type) -> bool:
    kind: Any = type(command_class)
    own = [vars(base) for base in kind.__mro__ if base not in (type, object)]
    # Any metaclass may have these: for the classes it makes, not for their instances.
    return bool(own) and any(name in names for names in own for name in WATCHED if name not in _OF_CLASSES)


def _behind(command_class: type) -> tuple[type, ...]:
    """Return the bases whose callbacks a run calls too; what a library base derives from has none."""
    library = next(base for base in command_class.__mro__ if base in _STOCK)
    return tuple(
        base for base in command_class.__mro__[1:] if base is library or not issubclass(library, base)
    )


def _refuse_no_command(found: Any) -> None:
    if not (isinstance(found, type) and issubclass(found, executor.Core)):
        raise TypeError(f"{found!r} is not a Command class")


def _check_settings(command_class: Any) -> None:
    name, config = command_class.__name__, command_class._transaction_config
    if not isinstance(config, TransactionConfig):
        raise TypeError(
            f"{name}._transaction_config is a TransactionConfig, not {type(config).__name__}: "
            "TransactionConfig.with_handler(...) makes one, TransactionConfig.disabled() one that opens none"
        )
    owner_of(command_class, "_domain")
    owner_of(command_class, "_organization")


def _given_name(name: str, field: Any) -> str:
    alias = field.validation_alias
    if not isinstance(alias, str):
        alias = next((each for each in getattr(alias, "choices", ()) if isinstance(each, str)), name)
    return alias


class Services:
    """What a run needs from above the twins."""

    ERROR = ErrorSeverity.ERROR
    WATCHED = WATCHED

    @staticmethod
    def analyse(command_class: Any) -> PlanSpec:
        """Return what a run of *command_class* takes.

        Raises TypeError when its inputs are no model, or for a setting or a hook that no run of it could use.
        """
        from .inputs import builder_for, model_of  # not before a run: importing Command stays cheap

        # First: a method of Core that is called on something else comes here in the fallback.
        _refuse_no_command(command_class)
        refuse_both_kinds(command_class)
        pass_by(command_class)
        resolve = _resolve_async if command_class._is_async else _resolve_sync
        resolved = resolve(command_class)
        behind = _behind(command_class)
        registries = tuple([vars(base).get(name) for base in behind for name in _REGISTRIES])
        found = dict(zip(WATCHED, resolved, strict=False))
        stock = next(_STOCK[base] for base in command_class.__mro__ if base in _STOCK)
        _check_settings(command_class)
        mask = 0
        for bit, name in enumerate(HOOKS):
            if found[name] is not stock[name]:
                mask |= 1 << bit
                if not callable(found[name]):
                    given = type(found[name]).__name__
                    raise TypeError(f"{command_class.__name__}.{name} is a method, not {given}")
                refuse_unrun(command_class, found[name], f"{command_class.__name__}.{name}")
        if found["add_error"] is not stock["add_error"]:
            # It is called for wrong inputs too, and may drop them: no run takes the short way there.
            mask |= 1 << HOOKS.index("cast_and_validate_inputs")
        if command_class._is_async and found["validate_inputs"] is not stock["validate_inputs"]:
            if not callable(found["validate_inputs"]):
                given = type(found["validate_inputs"]).__name__
                raise TypeError(f"{command_class.__name__}.validate_inputs is a method, not {given}")
            # The library's cast_and_validate_inputs calls it, as no run does that takes the short way.
            mask |= 1 << HOOKS.index("cast_and_validate_inputs")
        hooked = found["__getattribute__"] is not stock["__getattribute__"]
        if hooked:
            mask = (1 << len(HOOKS)) - 1  # who answers for attributes may have a hook that no class has
        return PlanSpec(
            cls=command_class,
            builder=builder_for(model_of(command_class)),
            mask=mask,
            chains=_chains(command_class),
            opens=may_open(command_class._transaction_config),
            generic=any(found[name] is not stock[name] for name in _GENERIC),
            hooked=hooked,
            echo=bool(command_class.echo_inputs),
            logs=bool(command_class._log_failures),
            volatile=_answered_by_metaclass(command_class),
            resolved=resolved,
            behind=behind,
            registries=registries,
            resolve=resolve,
        )

    @staticmethod
    def chains(command_class: type, own: CallbackRegistry) -> tuple[Any, ...] | None:
        """Return the chains of a class together with the callbacks of one instance."""
        return _chains(command_class, own)

    class_of: Callable[[Any], Any] = staticmethod(class_of)

    @staticmethod
    def verdict(source: type, target: Any) -> Callable[[], None] | None:
        """Return what each run of *target* inside *source* calls, or None. Raises when it may not run."""
        if not (isinstance(target, type) and issubclass(target, executor.Core)):
            raise TypeError(f"run_subcommand() takes a Command class, not {named(target)}")
        if target._is_async and not source._is_async:  # type: ignore[attr-defined]
            raise TypeError(
                f"{source.__name__} is a sync command and cannot await {target.__name__}: "
                "derive it from AsyncCommand"
            )
        return None if _domain_policy is None else _domain_policy(source, target)

    @staticmethod
    def open_transaction(command: Any) -> None:
        """Begin the transaction that the class's configuration names, inside one that encloses it.

        Raises TransactionError where nothing would end it: while this run has one open, and after its end.
        """
        own, state, name = command._transaction, command._state, type(command).__name__
        if own is not None and own.is_active:
            raise TransactionError(
                f"the transaction of this {name} is open already: open_transaction() begins it once, "
                "and a callback around that calls proceed() once"
            )
        committed = state == CommandState.COMMITTING_TRANSACTION and getattr(own, "_committed", False)
        if committed or state >= CommandState.SUCCEEDED:
            raise TransactionError(f"this {name} has ended, and so would nothing end what is opened now")
        enclosing: TransactionContext | None = None
        parent = command._parent
        while parent is not None:
            found = parent._transaction
            if found is not None and found.is_active:
                enclosing = found
                break
            parent = parent._parent
        config = type(command)._transaction_config
        context = open_context(config, enclosing, config.requires_new)
        if context is not None:
            command._transaction = context
            context.begin()

    @staticmethod
    def values(model: Any) -> dict[str, Any]:
        """Return what was given for *model*, under the names that its validator takes."""
        given = model.model_fields_set
        found = {
            _given_name(name, field): model.__dict__[name]
            for name, field in type(model).model_fields.items()
            if name in given and name in model.__dict__
        }
        return {**found, **(model.model_extra or {})}

    @staticmethod
    def parsed(data: Any) -> dict[str, Any] | None:
        """Return the JSON object in *data* as a dict, None where there is none."""
        try:
            values = from_json(data)
        except (ValueError, TypeError):
            return None
        return values if isinstance(values, dict) else None

    @staticmethod
    def path(path: Any) -> tuple[str, ...]:
        """Return *path*, a name or a sequence of names, as a tuple. Raises TypeError for anything else."""
        if isinstance(path, str):
            return (path,)
        # Bytes would become numbers, a dict would lose its values and a set has no order.
        if isinstance(path, Iterable) and not isinstance(path, (bytes, bytearray, Mapping, Set)):
            # A generator here would make tuples that the collector counts (test_endurance: errors).
            return tuple([str(part) for part in path])
        raise TypeError(f"path is a name or a sequence of names, not {type(path).__name__}")

    @staticmethod
    def failed(command: Any) -> None:
        """Leave the log record of *command*, which failed and whose class asks for one."""
        from .logs import log_failure

        log_failure(command, command.__dict__.pop(_STARTED, None))


executor.configure(Services)
