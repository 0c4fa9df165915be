"""Runs commands: the instance core, the plan of a class and the eight phases.

Design
1. ``analyse(cls)`` (core/plan.py, written once for both twins) turns a class into a ``PlanSpec``.
2. A plan is used while the epoch and the resolved class attributes are those it was built from.
3. ``_codegen`` writes the runs of a class with only the phases that have something to do.
4. ``_phases`` is every other run. It starts at any phase, so a written run hands over to it
   as soon as something shows up that it does not know.
"""

from __future__ import annotations

import sys
from _thread import RLock, allocate_lock
from collections.abc import Callable, Iterator
from functools import partial
from gc import get_referents
from inspect import Parameter, Signature
from itertools import repeat, starmap
from operator import itemgetter
from typing import Any, ClassVar, Self

from pydantic import ValidationError

from .._instances import checked_state, restored, state_of
from .._reports import echoed_model, exception_text
from .._vocabulary import STATE_NAMES, CommandState, Halt
from . import _awaiting, _codegen, errors as _errors
from ._awaiting import AsyncRunner, close, configure_async, install_async_runner, judge, prepare
from .errors import CommandOutcome, ErrorCollection, FoobaraError

__all__ = [
    "AsyncRunner",
    "Core",
    "Plan",
    "Runner",
    "bump_epoch",
    "close",
    "configure",
    "configure_async",
    "epoch",
    "install_async_runner",
    "judge",
    "plan_for",
    "prepare",
]

# A hook's number is its bit in the mask of a plan; the first seven are the phases.
_HOOKS = (
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
_HOOK_NAMES = frozenset(_HOOKS)
_EXECUTE, _COMMIT, _BEFORE, _AFTER, _ROLLBACK = 5, 6, 7, 8, 9
# Hooks that a written run knows; it looks each up on the instance when it calls it.
_CALLED = ("load_records", "validate_records", "validate", "execute", "commit_transaction", "after_execute")
_KNOWN_MASK = sum(1 << _HOOKS.index(name) for name in _CALLED)
_STATES = tuple(CommandState)
_SUCCEEDED, _FAILED, _ERRORED = 8, 9, 10
_FEW = _errors.MANY - 1
_COMMITTED = 2  # what _accel_closed is from the commit on: nothing undoes the run any more
_RUN_SIGNATURE = Signature(
    [Parameter("cls", Parameter.POSITIONAL_ONLY), Parameter("inputs", Parameter.VAR_KEYWORD)]
)
_NO_CHAINS: tuple[Any, ...] = (None,) * 8 + ({}, {})
# What a library base may get without another run or hook: callbacks bump the epoch.
_COMING = frozenset(
    ("_callback_registry", "__annotations__", "__annotations_cache__", "__annotate__", "__annotate_func__")
)

_NONE: Any = object()  # in a plan: the library base has no registry of callbacks

_epoch = 0
_epoch_lock = allocate_lock()
_claim_lock = allocate_lock()
_install_lock = RLock()
_services: Any = None
_new = object.__new__
_GIL: bool = getattr(sys, "_is_gil_enabled", lambda: True)()


def configure(services: Any) -> None:
    """Give the twin what stands above it: the analysis of a class and the services of a run."""
    global _services
    _services = services


def bump_epoch() -> None:
    """Make every plan be built anew before it is used again."""
    global _epoch
    with _epoch_lock:
        _epoch += 1


def epoch() -> int:
    """Return the number that ``bump_epoch`` raises."""
    return _epoch


class Plan:
    """What running one command class takes, compiled once; never used after the class has changed."""

    __slots__ = (
        "__weakref__",
        "behind",
        "builder",
        "chains",
        "cls",
        "echo",
        "epoch",
        "execute_only",
        "generic",
        "last",
        "library",
        "links",
        "logs",
        "mask",
        "members",
        "opens",
        "own",
        "registry",
        "resolve",
        "resolved",
        "run_in",
        "run_on",
        "size",
        "subcommands",
    )

    def __init__(self, spec: Any, at: int) -> None:
        self.cls: Any = spec.cls
        self.builder: Any = spec.builder
        self.mask: int = spec.mask
        self.chains: tuple[Any, ...] | None = spec.chains
        self.opens: bool = spec.opens
        self.generic: bool = spec.generic
        self.echo: bool = spec.echo
        self.logs: bool = spec.logs
        self.resolved: tuple[Any, ...] = spec.resolved
        self.resolve: Callable[[Any], tuple[Any, ...]] = spec.resolve
        # What a metaclass answers is asked at every run: such a plan is never current.
        self.epoch: int = at - 1 if spec.volatile else at
        self.execute_only: bool = (
            spec.mask & ~(1 << _EXECUTE) == 0 and spec.chains is None and not spec.opens and not spec.generic
        )
        # The classes that were called as subcommands, with what it takes to call them again.
        self.subcommands: dict[type, Any] = {}
        self.links: dict[type, Any] = {}
        self.run_in: Callable[..., Any] | None = None
        self.run_on: Callable[[Any], CommandOutcome[Any]] | None = None
        # What _current compares: the namespaces of the class and of its library base, and values of its own.
        self.members: Any = _namespace(self.cls)
        self.last = _last_names(self.members)
        self.library: Any
        self.size: int
        self.own: tuple[tuple[str, Any], ...]
        self.library, self.size, self.own = _watch(self.cls)
        # How to look at each base that may have callbacks, and what it had under the two names.
        found = iter(spec.registries)
        self.behind: tuple[tuple[Any, Any, Any], ...] = tuple(
            [(_namespace(base).get, next(found), next(found)) for base in spec.behind]
        )
        # Of the library base alone: that it got one shows in its size, that it got another one does not.
        self.registry: Any = _NONE
        if self.library is not None:
            self.registry = self.library.get("_callback_registry", _NONE)


def plan_for(cls: type) -> Plan:
    """Return the current plan of *cls*, built anew if there is none or the class has changed.

    Raises TypeError when the class has no inputs type.
    """
    plan: Plan | None = cls.__dict__.get("_accel_plan")
    if plan is not None and _current(plan):
        return plan
    at = _epoch
    plan = Plan(_services.analyse(cls), at)
    _install(cls, plan)
    return plan


def _current(plan: Plan) -> bool:
    """Whether the class still has what the plan was made from."""
    if plan.epoch != _epoch:
        return False
    library = plan.library
    if library is None:
        return plan.resolved == plan.resolve(plan.cls) and _same_registries(plan)
    # The last name of the class is the plan's unless something was set since: an exact test that
    # costs one look instead of one for each hook (bench case "simple run").
    if next(plan.last) != "_accel_plan" or len(library) != plan.size:
        return False
    if plan.registry is not _NONE and library.get("_callback_registry") is not plan.registry:
        return False
    return not plan.own or _kept(plan.members, plan.own)


def _same_registries(plan: Plan) -> bool:
    # Both names written out: a loop over them takes three times as long.
    for get, one, other in plan.behind:
        if get("_callback_registry") is not one or get("_enhanced_callback_registry") is not other:
            return False
    return True


def _last_names(members: dict[str, Any]) -> Iterator[str]:
    """Return an endless iterator whose every item is the last name *members* has by then.

    Making the reversed iterator and taking its first item are one call of C: between two, another thread may
    have made the dict smaller, and an iterator of CPython reads on where its table was.
    """
    if _GIL:
        return map(next, starmap(members.__reversed__, repeat(())))
    return map(itemgetter(-1), map(list, repeat(members)))


def _bare(cls: type) -> Iterator[Any]:
    """Return an endless iterator of new instances of *cls* without attributes."""
    return starmap(_new, repeat((cls,)))


_bare_errors, _bare_collections = _bare(FoobaraError), _bare(ErrorCollection)


def _kept(members: Any, own: tuple[tuple[str, Any], ...]) -> bool:
    return all(members.get(name) is value for name, value in own)


def _install(cls: Any, plan: Plan) -> None:
    """Keep *plan* on its class, with runs of its own where _codegen can write them."""
    members = cls.__dict__
    written = _write(cls, plan)
    with _install_lock:
        for name in ("run", "run_json"):
            if isinstance(members.get(name), _FastRun):
                type.__delattr__(cls, name)
            if name in written and name not in members and _is_ours(cls, name):
                type.__setattr__(cls, name, _FastRun(written[name]))
        if plan.execute_only and plan.library is not None:
            _awaiting.install(cls, plan)
        # Always the last name of the class: whatever is set later comes after it.
        if "_accel_plan" in members:
            type.__delattr__(cls, "_accel_plan")
        type.__setattr__(cls, "_accel_plan", plan)
        if plan.resolved != plan.resolve(cls) or not _same_registries(plan):
            # Another thread changed the class since the analysis, so its name stands before the plan's.
            plan.epoch = -1
            plan.run_in = plan.run_on = None
            for name in written:
                if isinstance(members.get(name), _FastRun):
                    type.__delattr__(cls, name)


def _lookup(cls: type, name: str) -> Any:
    return next((base.__dict__[name] for base in cls.__mro__ if name in base.__dict__), None)


def _namespace(cls: type) -> dict[str, Any]:
    # The dict behind the proxy, to look into: through the proxy each look costs twice as much
    # (bench case "simple run").
    found = get_referents(cls.__dict__)
    return found[0] if len(found) == 1 and type(found[0]) is dict else cls.__dict__  # type: ignore[return-value]


def _watch(cls: type) -> tuple[Any, int, tuple[tuple[str, Any], ...]]:
    """What of *cls* a run compares: the namespace of its library base, that one's size, values of its own.

    No namespace for a class with other bases of its own: each of them would have to be compared. None either
    while the library base has something that it was not made with: its size tells that the one went, not what
    came in its place.
    """
    library = _namespace(cls.__mro__[1])
    stock = library.get("_library_base")
    if not stock or not stock.issuperset(name for name in list(library) if name not in _COMING):
        return None, 0, ()
    # execute is looked up at each call anyway.
    names = (name for name in _services.WATCHED if name in cls.__dict__ and name != "execute")
    return library, len(library), tuple((name, cls.__dict__[name]) for name in names)


def _is_ours(cls: Any, name: str) -> bool:
    return _past(None, cls, name) is None


def _past(owner: Any, cls: Any, name: str) -> tuple[Any] | None:
    """What *cls* would inherit as *name* if nothing were written for *owner* and its bases; None for ours."""
    for base in cls.__mro__ if owner is None else cls.__mro__[cls.__mro__.index(owner) + 1 :]:
        if name in base.__dict__:
            found = base.__dict__[name]
            if isinstance(found, _FastRun):
                continue
            return None if "_library_runs" in base.__dict__ else (found,)
    return None


class _FastRun(classmethod):  # type: ignore[type-arg]
    """The classmethod that ``_install`` put on a class, told apart from a ``run`` that a user wrote."""


def _stale_run(owner: Any, cls: Any, name: str) -> Callable[..., Any]:
    """What *cls* runs instead of what was written for *owner* before something changed."""
    found = _past(owner, cls, name)
    if found is None:
        return BoundRunner(cls) if name == "run" else partial(run_json, cls)
    with _install_lock:
        # It hides what somebody has set on a base of its class since.
        if isinstance(owner.__dict__.get(name), _FastRun):
            owner.__dict__["_accel_plan"].epoch = -1
            type.__delattr__(owner, name)
    return _bound(found[0], None, cls)  # type: ignore[no-any-return]


def _bound(value: Any, instance: Any, cls: Any) -> Any:
    bind = getattr(type(value), "__get__", None)
    return value if bind is None else bind(value, instance, cls)


def _write(owner: Any, plan: Plan) -> dict[str, Callable[..., Any]]:
    """Give *plan* the runs that are written for its shape; return those that become attributes of *owner*."""
    chains = _NO_CHAINS if plan.chains is None else plan.chains
    if (
        plan.library is None
        or plan.epoch != _epoch
        or plan.generic
        or plan.opens
        or owner._is_async
        or plan.mask & ~_KNOWN_MASK
        or any(chain is not None and chain[1] for chain in chains[:8])
    ):
        return {}
    own = tuple(item for item in plan.own if item[0] not in _CALLED)
    shape = _codegen.Shape(
        plan.mask & ~(1 << _EXECUTE),
        tuple(chain and (len(chain[0]), len(chain[2]), len(chain[3])) for chain in chains[:8]),
        len(own),
        plan.registry is not _NONE,
        plan.builder.level < 3,
        bool(chains[8] or chains[9]),
    )
    make = _codegen.factory(shape, globals())
    if make is None:
        return {}
    written, plan.run_in, plan.run_on = make(
        owner, plan, plan.builder, own, chains, _bare(owner), _bare(_errors.CommandOutcome)
    )
    for name, function in written.items():
        # As messages about its arguments show it where nothing is written.
        function.__qualname__ = f"{owner.__qualname__ if name == 'run' else 'Command'}.{name}"
        function.__module__ = owner.__module__
    written["run"].__signature__ = _RUN_SIGNATURE
    return written  # type: ignore[no-any-return]


# Where a written run leaves its text. Each returns whether the command has succeeded.


def _invalid(command: Any, plan: Plan, error: BaseException) -> bool:
    """The inputs were wrong, or validating them raised something else."""
    chains = _NO_CHAINS if plan.chains is None else plan.chains
    if not isinstance(error, ValidationError):
        _abort(command, plan, chains, error)
        raise error
    try:
        try:
            _refuse(command, plan, error)
            return _fail(command, plan, chains)
        except Halt:
            return _halted(command, plan, chains)
        except BaseException as last:
            _abort(command, plan, chains, last)
            raise
    except BaseException as escaping:
        # The caller handles *error* meanwhile; for a callback that raises, refused inputs are no context.
        raised: BaseException | None = escaping
        while raised is not None and raised.__context__ is not error:
            raised = raised.__context__
        if raised is not None:
            raised.__context__ = None
        raise


def _stopped(command: Any, plan: Plan, error: BaseException, phase: int) -> bool:
    """*error* left a phase."""
    try:
        if phase != _EXECUTE or isinstance(error, Halt) or not isinstance(error, Exception):
            raise error
        _add_execution_error(command, error)
    except Halt:
        return _halted(command, plan, _chains(command, plan))
    except BaseException as last:
        _abort(command, plan, _chains(command, plan), last)
        raise
    return _resume(command, plan, phase + 1)


def _resume(command: Any, plan: Plan, first: int) -> bool:
    """The phase before *first* left errors, or something that the written run does not know."""
    try:
        if command._errors and command._accel_closed != _COMMITTED:
            return _fail_since(command)
        if plan.epoch != _epoch or command._own_callbacks is not None or type(command) is not plan.cls:
            plan = plan_for(type(command))
    except Halt:
        return _halted(command, plan, _chains(command, plan))
    except BaseException as error:
        _abort(command, plan, _chains(command, plan), error)
        raise
    return _phases(command, plan, first)


def _returned(owner: type, command: Any, succeeded: bool) -> Any:
    """What a subcommand that was not run to the end of its text gives its parent."""
    if succeeded:
        return command._result
    _adopt(command._parent, owner, command.errors)
    return None


def _of_command(command: object, name: str) -> None:
    # Looked up on the class and given a callback, a hook that does nothing would swallow it.
    if not isinstance(command, Core):
        raise TypeError(
            f"{name}() is called on a command, not on {type(command).__name__}: override it in the class, or "
            "register a callback with before_execute_transition or one of its like"
        )


class Runner:
    """The attribute ``run`` of a command class: a callable bound to the class it is looked up on."""

    __slots__ = ()

    def __get__(self, instance: Any, owner: type) -> BoundRunner:
        return BoundRunner(owner)


class BoundRunner:
    """Run on *inputs* and return the outcome."""  # as ``SomeCommand.run`` says of itself

    __slots__ = ("__self__", "__weakref__")
    __signature__ = Signature([Parameter("inputs", Parameter.VAR_KEYWORD)])
    __name__ = "run"

    def __init__(self, owner: type) -> None:
        self.__self__ = owner

    @property
    def __module__(self) -> str:  # type: ignore[override]
        return self.__self__.__module__

    def __getattr__(self, name: str) -> Any:
        # A class takes no descriptor of this name.
        if name == "__qualname__":
            return f"{self.__self__.__qualname__}.run"
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __call__(self, /, *given: Any, **inputs: Any) -> CommandOutcome[Any]:
        if given:
            raise TypeError(
                f"{self.__self__.__name__}.run() takes its inputs as keywords only, not {len(given)} "
                f"positional argument{'s' if len(given) > 1 else ''}"
            )
        return run_class(self.__self__, inputs)

    def __repr__(self) -> str:
        return f"<run of command {self.__self__.__qualname__}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BoundRunner):
            return NotImplemented
        return self.__self__ is other.__self__

    def __hash__(self) -> int:
        return hash(self.__self__) ^ 0x72756E

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (self.__self__, "run")


def run_class(cls: Any, inputs: dict[str, Any]) -> CommandOutcome[Any]:
    """Run *cls* on *inputs* and return its outcome."""
    plan = plan_for(cls)
    if plan.generic:
        outcome: CommandOutcome[Any] = cls(**inputs).run_instance()
        return outcome
    command = _fresh(cls, inputs)
    return _outcome(command, _execute_only(command, plan) if plan.execute_only else _phases(command, plan, 0))


def run_model(cls: Any, model: Any) -> CommandOutcome[Any]:
    """Run *cls* on a valid instance of its inputs type, without validating it again."""
    plan = plan_for(cls)
    if not isinstance(model, plan.builder.model):
        raise TypeError(
            f"{cls.__name__}.run_with() takes an instance of {plan.builder.model.__name__}, "
            f"not {type(model).__name__}"
        )
    return _run_on(cls, plan, model)


def run_json(cls: Any, data: bytes | bytearray | str) -> CommandOutcome[Any]:
    """Run *cls* on the JSON object in *data*; JSON that cannot be read is a failed outcome."""
    plan = plan_for(cls)
    try:
        model = plan.builder.build_json(data)
    except ValidationError as error:
        unread = error
    else:
        return _run_on(cls, plan, model, data)
    # Outside the block, so that what the run raises has no context.
    return _unread(cls, plan, unread, data)


def _unread(cls: Any, plan: Plan, error: ValidationError, data: Any = None) -> CommandOutcome[Any]:
    values = _services.parsed(data) if plan.generic or plan.mask & 2 else None
    if values is not None:
        return _run_given(cls, plan, _Given(values, error), None)
    command = _without_inputs(cls) if plan.generic else _fresh(cls, None)
    command._json_error = error
    return command.run_instance() if plan.generic else _outcome(command, _phases(command, plan, 0))


def _run_on(cls: Any, plan: Plan, model: Any, data: Any = None) -> CommandOutcome[Any]:
    if plan.run_on is not None:
        return plan.run_on(model)
    if plan.generic or plan.mask & 2:
        values = _services.values(model) if data is None else _services.parsed(data)
        return _run_given(cls, plan, _Given(values or {}, None), model)
    command = _fresh(cls, None)
    command._inputs = model
    return _outcome(command, _phases(command, plan, 0))


class _Given(dict[str, Any]):
    """The raw inputs of a run on a model or on JSON whose class may change them before they are validated."""

    __slots__ = ("error", "values_given")

    def __init__(self, values: dict[str, Any], error: ValidationError | None) -> None:
        super().__init__(values)
        self.values_given = values
        self.error = error

    def kept(self, raw: dict[str, Any]) -> bool:
        """Whether *raw* is still what was given."""
        values = self.values_given
        return len(raw) == len(values) and all(name in raw and raw[name] is values[name] for name in values)


def _run_given(cls: Any, plan: Plan, given: _Given, model: Any) -> CommandOutcome[Any]:
    # A constructor of the class's own takes the values as it would those of run().
    command = cls(**given) if plan.generic else _fresh(cls, None)
    if not plan.generic or given.kept(command._raw_inputs):
        # Not validated a second time: Pydantic takes from JSON what it does not take from Python.
        command._accel_raw = given
        command._inputs = model
    return command.run_instance() if plan.generic else _outcome(command, _phases(command, plan, 0))


def _without_inputs(cls: Any) -> Any:
    try:
        return cls()
    except TypeError:  # its constructor asks for some
        return _fresh(cls, None)


def _fresh(cls: type, inputs: dict[str, Any] | None) -> Any:
    command: Any = _new(cls)
    command._accel_raw = inputs
    command._inputs = command._errors = command._result = command._parent = None
    command._own_callbacks = command._transaction = command._accel_closed = None
    command._accel_state = 0
    return command


def _outcome(command: Any, succeeded: bool) -> CommandOutcome[Any]:
    if succeeded:
        return _errors.succeed(command._result)
    return _errors.fail(None, command._errors)


def _execute_only(command: Any, plan: Plan) -> bool:
    # As the text of _codegen, for a class of which one namespace does not tell whether it has changed.
    try:
        command._inputs = plan.builder.build_dict(command._accel_raw)
    except BaseException as error:
        command._accel_state = 2
        return _invalid(command, plan, error)
    command._accel_state = 6
    try:
        command._result = command.execute()
    except BaseException as error:
        return _executed(command, error)
    if plan.epoch != _epoch or command._own_callbacks is not None or _reshaped(command, plan):
        return _executed(command, None)
    if command._errors is not None and command._errors:
        return _fail(command, plan, _NO_CHAINS)
    command._accel_state = _SUCCEEDED
    return True


def _reshaped(command: Any, plan: Plan) -> bool:
    attributes = command.__dict__
    return type(command) is not plan.cls or bool(attributes and not _HOOK_NAMES.isdisjoint(attributes))


def _executed(command: Any, error: BaseException | None) -> bool:
    """What is left of a run on the hot path when execute raised *error*, or returned but changed something.

    It may have registered a callback, changed a setting or hung a hook on its instance.
    """
    plan = plan_for(type(command))
    chains = _chains(command, plan)
    try:
        if isinstance(error, Halt):
            return _halted(command, plan, chains)
        if isinstance(error, Exception):
            _add_execution_error(command, error)
        elif error is not None:
            raise error
        elif _has(command, plan, _AFTER) and not command._errors:
            try:
                command._result = command.after_execute(command._result)
            except Halt:
                raise
            except Exception as second:
                _add_execution_error(command, second)
        if command._errors:
            return _fail(command, plan, chains)
    except Halt:
        return _halted(command, plan, chains)
    except BaseException as last:
        _abort(command, plan, chains, last)
        raise
    return _phases(command, plan, _COMMIT)


def _chains(command: Any, plan: Plan) -> tuple[Any, ...]:
    own = command._own_callbacks
    chains = plan.chains if own is None else _services.chains(type(command), own)
    return _NO_CHAINS if chains is None else chains


def _has(command: Any, plan: Plan, hook: int) -> bool:
    if plan.mask >> hook & 1:
        return True
    attributes = command.__dict__
    return bool(attributes) and _HOOKS[hook] in attributes


def _phases(command: Any, plan: Plan, first: int) -> bool:
    """Run the phases from *first* (0 to 6) to the end; True when the command has succeeded."""
    chains = _chains(command, plan)
    own = command._own_callbacks
    try:
        for phase in range(first, 7):
            if phase == _EXECUTE and _has(command, plan, _BEFORE):
                # before_execute belongs to the state before: a failure there goes VALIDATING -> FAILED.
                try:
                    command.before_execute()
                except Halt:
                    raise
                except Exception as error:
                    _add_execution_error(command, error)
                if command._errors:
                    return _fail(command, plan, chains)
            command._accel_state = phase + 1
            chain = chains[phase]
            if phase == _EXECUTE:
                try:
                    if chain is None:
                        command._result = _execute_action(command, plan)
                    else:
                        _transition(command, plan, chain, phase)
                except Halt:
                    raise
                except Exception as error:
                    _add_execution_error(command, error)
                    if command._errors:
                        return _fail_since(command)
            elif chain is not None:
                _transition(command, plan, chain, phase)
            else:
                _act(command, plan, phase)
            if command._errors and command._accel_closed != _COMMITTED:
                return _fail_since(command)
            if plan.epoch != _epoch or command._own_callbacks is not own or type(command) is not plan.cls:
                # Somebody registered a callback or changed a setting inside a phase: the next one sees it.
                plan = plan_for(type(command))
                chains = _chains(command, plan)
            # Last and unconditional: CPython 3.13 puts a jump back right out of the `if` outside the try,
            # and an interrupt is noticed at that jump.
            own = command._own_callbacks
        transaction = command._transaction
        if transaction is not None and command._accel_closed != _COMMITTED and transaction.is_active:
            raise Halt  # a callback around the commit has not gone on
        if chains[7] is not None:
            # Its first part, the callbacks before it, has run before the commit.
            _transition(command, plan, ((), *chains[7][1:]), 7)
            if command._errors and command._accel_closed != _COMMITTED:
                return _fail(command, plan, chains)
        command._accel_state = _SUCCEEDED
        return True
    except Halt:
        return _halted(command, plan, _chains(command, plan))
    except BaseException as error:
        _abort(command, plan, _chains(command, plan), error)
        raise


def _act(command: Any, plan: Plan, phase: int) -> Any:
    # What a phase does between its callbacks; the result of execute is the only one that counts.
    if phase == 1:
        if command._inputs is None or _has(command, plan, 1):
            command.cast_and_validate_inputs()
        return None
    if phase == _EXECUTE:
        return _execute_action(command, plan)
    if phase == _COMMIT:
        if _has(command, plan, _COMMIT):
            command.commit_transaction()
        _commit(command)
        return None
    if phase == 7:
        command._accel_state = _SUCCEEDED
        return None
    if phase == 0:
        if plan.opens or _has(command, plan, 0):
            command.open_transaction()
        return None
    if _has(command, plan, phase):
        getattr(command, _HOOKS[phase])()
    return None


def _commit(command: Any) -> None:
    """Pass the point of no return, unless a callback before success has an error; nothing fails after it."""
    chain = _chains(command, plan_for(type(command)))[7]
    if chain is not None and not command._errors:
        try:
            for callback in chain[0]:
                callback(command)
        except Exception as error:
            for callback in chain[3]:
                callback(command, error)
            raise
    if command._errors:
        return
    transaction = command._transaction
    if transaction is not None and transaction.is_active:
        transaction.commit()
    command._accel_closed = _COMMITTED


def _execute_action(command: Any, plan: Plan) -> Any:
    result = command.execute()
    if _has(command, plan, _AFTER) and not command._errors:
        result = command.after_execute(result)
    return result


def _transition(command: Any, plan: Plan, chain: Any, phase: int) -> None:
    """One phase with its callbacks: before, around the action, after; on an Exception the error ones."""
    before, around, after, failed = chain
    try:
        for callback in before:
            callback(command)
        if around:
            result = _surround(command, plan, around, 0, phase)
        else:
            result = _act(command, plan, phase)
        if phase == _EXECUTE:
            command._result = result
        for callback in after:
            callback(command)
    except Exception as error:
        for callback in failed:
            callback(command, error)
        raise


def _surround(command: Any, plan: Plan, around: tuple[Any, ...], depth: int, phase: int) -> Any:
    if depth == len(around):
        return _act(command, plan, phase)
    return around[depth](command, lambda: _surround(command, plan, around, depth + 1, phase))


def _fail_since(command: Any) -> bool:
    # The phase that failed may have registered a callback for just that.
    plan = plan_for(type(command))
    return _fail(command, plan, _chains(command, plan))


def _fail(command: Any, plan: Plan, chains: tuple[Any, ...]) -> bool:
    if command._accel_state == _SUCCEEDED:
        command._accel_state = 7
    came_from = command._accel_state
    if came_from < _SUCCEEDED:
        command._accel_left = came_from
    _rollback(command, plan)
    command._accel_state = _FAILED
    if chains is not _NO_CHAINS:
        chain = chains[8].get(came_from)
        if chain is not None:
            _terminal(command, chain)
    if plan.logs or (command.__dict__ and command._log_failures):
        _services.failed(command)
    return False


def _terminal(command: Any, chain: Any) -> None:
    before, around, after, failed = chain
    try:
        for callback in before:
            callback(command)
        _surround_nothing(command, around, 0)
        for callback in after:
            callback(command)
    except Exception as error:
        for callback in failed:
            callback(command, error)
        raise


def _surround_nothing(command: Any, around: tuple[Any, ...], depth: int) -> None:
    if depth < len(around):
        around[depth](command, lambda: _surround_nothing(command, around, depth + 1))


def _halted(command: Any, plan: Plan, chains: tuple[Any, ...]) -> bool:
    if command._accel_closed == _COMMITTED:
        command._accel_state = _SUCCEEDED
        return True
    if not command._errors:
        command.add_error(
            _errors.make_error(
                "runtime",
                "halted",
                (),
                f"{type(command).__name__} halted without an error",
                None,
                (),
                False,
                _services.ERROR,
            )
        )
    try:
        return _fail(command, plan, chains)
    except BaseException as error:
        _abort(command, plan, _NO_CHAINS, error)
        raise


def _rollback(command: Any, plan: Plan) -> None:
    # Exactly once, whichever way a run ends.
    if command._accel_closed:
        return
    command._accel_closed = True
    transaction = command._transaction
    if transaction is None and not _has(command, plan, _ROLLBACK):
        return
    try:
        command.rollback_transaction()
    finally:
        transaction = command._transaction
        if transaction is not None and transaction.is_active:
            transaction.rollback()


def _abort(command: Any, plan: Plan, chains: tuple[Any, ...], error: BaseException) -> None:
    """Close the transaction after an escaping exception, which stays the one that is raised."""
    came_from = command._accel_state
    if came_from <= _SUCCEEDED:
        command._accel_left = min(came_from, 7)
    try:
        _rollback(command, plan)
    except Exception as second:
        if second is not error:
            error.add_note(f"rolling back failed too: {type(second).__name__}")
    finally:
        command._accel_state = _ERRORED
    if isinstance(error, Exception):
        chain = chains[9].get(came_from)
        if chain is not None:
            _terminal(command, chain)


def _refuse(command: Any, plan: Plan, error: ValidationError) -> None:
    # Pydantic's errors are converted when somebody looks.
    # Its traceback would hold this run's frames, and so the command that holds the error: a cycle.
    error.__traceback__ = None
    collection = command._errors
    path = _path(command)
    model = echoed_model(plan.builder.model, command._raw_inputs) if plan.echo else plan.builder.model
    if collection is None:
        command._errors = _errors.deferred_collection(error, path, plan.echo, model)
    else:
        collection.add_all(*_errors.errors_from_validation(error, path, plan.echo, model))


def _refuse_openly(command: Any, plan: Plan, error: ValidationError) -> None:
    # The same, by add_error where that is not the library's own. A __getattribute__ is not asked which it is.
    if type(command).add_error is Core.add_error and "add_error" not in _attributes.__get__(command):
        _refuse(command, plan, error)
        return
    error.__traceback__ = None
    model = echoed_model(plan.builder.model, command._raw_inputs) if plan.echo else plan.builder.model
    for each in _errors.errors_from_validation(error, (), plan.echo, model):
        command.add_error(each)


def _path(command: Any) -> tuple[str, ...]:
    path: list[str] = []
    parent = command._parent
    while parent is not None:
        path.append(type(parent).full_command_symbol())
        parent = parent._parent
    path.reverse()
    return tuple(path)


def _add_execution_error(command: Any, error: Exception) -> None:
    command.add_error(
        _errors.make_error(
            "runtime",
            "execution_error",
            (),
            exception_text(error),
            {"exception_type": type(error).__name__},
            (),
            False,
            _services.ERROR,
        )
    )


def _subcommand(parent: Any, command_class: Any, inputs: dict[str, Any]) -> Any:
    """Run a class inside a run; the result, or None with the child's errors in the parent's."""
    own = plan_for(type(parent))
    # A function command is looked up at each call: what it was made into may be replaced.
    command_class = _services.class_of(command_class)
    try:
        known = own.subcommands.get(command_class)
    except TypeError:
        known = None
    if known is not None and known[0] == _epoch and _current(known[1]):
        at, plan, track = known
    else:
        at = _epoch
        track = _services.verdict(type(parent), command_class)
        plan = plan_for(command_class)
        own.subcommands[command_class] = at, plan, track
    if track is not None:
        track()
    _link(own, plan, track)
    return _untracked(parent, command_class, inputs)


def _untracked(parent: Any, command_class: Any, inputs: dict[str, Any]) -> Any:
    # Where the class may be called and the call has been counted, once, however often the class changes now.
    plan = plan_for(command_class)
    if plan.generic:
        child = command_class(**inputs)
        child._parent = parent
        outcome = child.run_instance()
        if outcome.is_success():
            return outcome.result
        _adopt(parent, command_class, outcome.errors)
        return None
    if plan.run_in is not None:
        return plan.run_in(parent, inputs, _untracked)
    child = _fresh(command_class, inputs)
    child._parent = parent
    succeeded = _execute_only(child, plan) if plan.execute_only else _phases(child, plan, 0)
    return _returned(command_class, child, succeeded)


def _link(own: Plan, plan: Plan, track: Callable[[], None] | None) -> None:
    """Let the class of *own* call the one of *plan* without asking whether it may, while neither changes."""
    run_in = plan.run_in
    if own.library is not plan.library or run_in is None:
        return
    if track is None and (own is plan or not own.own):
        # run_in sees to its own class, the epoch and the library base; what is left is the parent's domain.
        own.links[plan.cls] = own.cls, None if own is plan else own.members, run_in
        return

    def run_tracked(parent: Any, inputs: dict[str, Any]) -> Any:
        if not (_current(plan) and _current(own)):
            return _subcommand(parent, plan.cls, inputs)
        if track is not None:
            track()
        return run_in(parent, inputs, _untracked)

    own.links[plan.cls] = own.cls, None, run_tracked


def _adopt(parent: Any, command_class: Any, errors: Any) -> None:
    name = command_class.__name__
    own = parent._errors
    if own is None:
        own = parent._errors = _errors.new_collection()
    for error in errors:
        error.context["subcommand"] = name
        own.add(error)


class _Unread:
    """In place of the raw inputs: the JSON that was to hold them could not be read."""

    __slots__ = ("error",)

    def __init__(self, error: ValidationError) -> None:
        self.error = error


class _Planless:
    links: ClassVar[dict[type, Any]] = {}


class Core:
    """What every command instance is: inputs, errors, result and state of one run."""

    # What a user may set on an instance must not meet what only this twin keeps there: _accel_.
    __slots__ = (
        "__dict__",
        "__weakref__",
        "_accel_claimed",
        "_accel_closed",
        "_accel_left",
        "_accel_raw",
        "_accel_state",
        "_errors",
        "_inputs",
        "_own_callbacks",
        "_parent",
        "_result",
        "_transaction",
    )

    _accel_claimed: bool  # only of an instance that run_instance has begun to run
    _accel_closed: int | None
    _accel_left: int
    _errors: _errors.ErrorCollection | None
    _inputs: Any
    _own_callbacks: Any
    _parent: Any
    _accel_raw: dict[str, Any] | _Unread | None
    _result: Any
    _accel_state: int
    _transaction: Any

    # What a run of a class without a plan finds: it has called no subcommand yet.
    _accel_plan: Any = _Planless

    # Here and not in __init__: a subclass whose constructor forgets super() has an instance that runs.
    def __new__(cls, /, *args: Any, **inputs: Any) -> Self:
        made: Self = _fresh(cls, None)
        return made

    def __init__(self, /, **inputs: Any) -> None:
        self._accel_raw = inputs

    # For everything but this twin, which knows what it stores.
    @property
    def _state(self) -> int:
        return self._accel_state

    @_state.setter
    def _state(self, value: int) -> None:
        self._accel_state = checked_state(value)

    @property
    def _entered(self) -> int:
        # Only a run that failed or was aborted, or an async one, left it other than its state says.
        left: int = _kept_or(_left, self, -1)
        return min(self._accel_state, 7) if left < 0 else left

    @_entered.setter
    def _entered(self, value: int) -> None:
        self._accel_left = checked_state(value)

    @property
    def _json_error(self) -> ValidationError | None:
        raw = self._accel_raw
        return raw.error if type(raw) is _Unread else None

    @_json_error.setter
    def _json_error(self, error: ValidationError) -> None:
        self._accel_raw = _Unread(error)

    @property
    def _raw_inputs(self) -> dict[str, Any]:
        raw, inputs = self._accel_raw, self._inputs
        if isinstance(raw, dict):
            return raw
        if inputs is None:
            return {}
        # Given as a model or as JSON: what is set of it.
        values, given = inputs.__dict__, inputs.model_fields_set
        return {name: values[name] for name in type(inputs).model_fields if name in given}

    @property
    def inputs(self) -> Any:
        """The validated inputs. Raises ValueError before they are."""
        inputs = self._inputs
        if inputs is None:
            raise ValueError("Inputs not yet validated")
        return inputs

    @property
    def errors(self) -> ErrorCollection:
        """The live ErrorCollection of this run."""
        errors = self._errors
        if errors is None:
            errors = self._errors = _errors.new_collection()
        return errors

    @property
    def state(self) -> CommandState:
        """The state the run is in."""
        return _STATES[self._accel_state]

    @property
    def state_name(self) -> str:
        """The state's name, as in ``execute``."""
        return STATE_NAMES[_STATES[self._accel_state]]

    def run_instance(self) -> Any:
        """Run this instance, once, and return its outcome. Raises RuntimeError the second time."""
        # Taken before the plan, which may be made here: another thread may run the instance meanwhile.
        with _claim_lock:
            if self._accel_state != 0 or _kept_or(_claimed, self, False):
                name = type(self).__name__
                raise RuntimeError(
                    f"this {name} has already run (state {self.state_name}): make a new instance"
                )
            self._accel_claimed = True
        try:
            plan = plan_for(type(self))
        except BaseException:
            self._accel_claimed = False
            raise
        return _outcome(self, _phases(self, plan, 0))

    # Below protocol 2 nothing is known of slots.
    def __reduce_ex__(self, protocol: Any, /) -> Any:
        return super().__reduce_ex__(max(2, protocol))

    def __getstate__(self) -> Any:
        closed, claimed = int(self._accel_closed or 0), _kept_or(_claimed, self, False)
        return state_of(self, self.__dict__, _OWN_SLOTS, closed, claimed)

    def __setstate__(self, state: Any, /) -> None:
        attributes, known, own = restored(state)
        errors = known["_errors"]
        if errors is not None and not isinstance(errors, _errors.ErrorCollection):
            raise TypeError(f"_errors in the state of a command is not {type(errors).__name__}")
        self._accel_raw = known["_raw_inputs"]
        self._inputs, self._errors, self._result = known["_inputs"], errors, known["_result"]
        self._transaction, self._parent = known["_transaction"], known["_parent"]
        self._own_callbacks = known["_own_callbacks"]
        if known["_json_error"] is not None:
            self._json_error = known["_json_error"]
        self._accel_state, self._accel_closed = known["_state"], known["_closed"] or None
        if self._entered != known["_entered"]:
            self._entered = known["_entered"]
        if known["_claimed"]:
            self._accel_claimed = True
        if attributes:
            self.__dict__.update(attributes)
        for name, value in own.items():
            setattr(self, name, value)

    def add_error(self, error: Any) -> None:
        """Add *error*, under the runtime path of this run. Raises TypeError unless it is a FoobaraError."""
        if type(error) is not FoobaraError and not isinstance(error, FoobaraError):
            raise TypeError(f"add_error() takes a FoobaraError, not {type(error).__name__}")
        if self._parent is not None:
            error = error.with_runtime_path_prefix(*_path(self))
        collection = self._errors
        if collection is None:
            # A collection with nothing but this (bench case "two runtime errors").
            made: Any = None
            for made in _bare_collections:  # noqa: B007
                break
            made._items = [error]
            made._ids = made._pending = None
            self._errors = made
            return
        # As the collection's own _append, for few errors (the same case).
        items = collection._items
        if (
            items is None
            or collection._pending is not None
            or collection._ids is not None
            or len(items) >= _FEW
        ):
            collection._append(error)
            return
        for item in items:
            if item is error:
                return
        items.append(error)

    def add_input_error(self, /, path: Any, symbol: str, message: str, **context: Any) -> None:
        """Add a data error at *path* (a name or a sequence of names)."""
        self.add_error(
            _errors.make_error(
                "data", symbol, _services.path(path), message, context, (), False, _services.ERROR
            )
        )

    def add_runtime_error(self, /, symbol: str, message: str, halt: bool = True, **context: Any) -> None:
        """Add a runtime error and, unless *halt* is false, stop the command by raising Halt."""
        # make_error() without the call (bench case "two runtime errors").
        error: Any = None
        for error in _bare_errors:  # noqa: B007
            break
        error.category = "runtime"
        error.symbol = symbol
        error.message = message
        error._context = context or None
        error._path = error._runtime_path = ()
        error._rare = None
        self.add_error(error)
        if halt:
            raise Halt

    def halt(self) -> None:
        """Stop the command now: it fails with the errors it has, or with ``halted``."""
        raise Halt

    # Type checkers: the hooks of a sync command return None, those of an async one may be coroutines.
    def open_transaction(self) -> Any:
        """Phase 1: begin the transaction that the class's configuration names, if any."""
        _services.open_transaction(self)

    def cast_and_validate_inputs(self) -> Any:
        """Phase 2: make ``inputs`` of the raw inputs, or add a data error for each that is wrong."""
        plan = plan_for(type(self))
        if self._json_error is not None:
            _refuse_openly(self, plan, self._json_error)
            return
        raw = self._accel_raw
        if type(raw) is _Given:
            if raw.kept(raw):
                if raw.error is not None:
                    _refuse_openly(self, plan, raw.error)
                return
            self._accel_raw = dict(raw)
        if self._inputs is not None and not raw:
            return  # given as a model
        try:
            self._inputs = plan.builder.build_dict(self._raw_inputs)
        except ValidationError as error:
            _refuse_openly(self, plan, error)

    def load_records(self) -> Any:
        """Phase 3: fetch what the command works on; does nothing unless overridden."""
        _of_command(self, "load_records")

    def validate_records(self) -> Any:
        """Phase 4: check what was loaded; does nothing unless overridden."""
        _of_command(self, "validate_records")

    def validate(self) -> Any:
        """Phase 5: check the inputs against each other; does nothing unless overridden."""
        _of_command(self, "validate")

    def before_execute(self) -> Any:
        """Run right before ``execute``; does nothing unless overridden."""
        _of_command(self, "before_execute")

    def execute(self) -> Any:
        """Phase 6: the work; what it returns is the outcome's result."""
        _of_command(self, "execute")
        return None

    def after_execute(self, result: Any) -> Any:
        """Run right after ``execute``; what it returns is the result."""
        return result

    def commit_transaction(self) -> Any:
        """Phase 7: called before the transaction is committed; does nothing unless overridden."""
        _of_command(self, "commit_transaction")

    def rollback_transaction(self) -> Any:
        """Undo the open transaction; called once by a run that does not succeed."""
        transaction = self._transaction
        if transaction is not None and transaction.is_active:
            transaction.rollback()

    def run_subcommand(self, command_class: Any, /, **inputs: Any) -> Any:
        """Run *command_class* inside this run and return its result; its errors become errors of this run.

        None when the subcommand failed; this run goes on and fails at its next check.
        """
        # Written out in both: one call more is a tenth of an Inputs() (bench case "ten nested").
        cls = type(self)
        try:
            link = cls._accel_plan.links.get(command_class)
        except TypeError:  # no class: it cannot be a key
            link = None
        if link is not None:
            owner, members, run_in = link
            if owner is cls and (
                members is None or ("_domain" not in members and "_organization" not in members)
            ):
                return run_in(self, inputs)
        return _subcommand(self, command_class, inputs)

    def run_subcommand_bang(self, command_class: Any, /, **inputs: Any) -> Any:
        """Run *command_class* inside this run and return its result; halt this run when there is none
        and this run has errors."""
        cls = type(self)
        if cls.run_subcommand is not _run_subcommand or "run_subcommand" in self.__dict__:
            result = self.run_subcommand(command_class, **inputs)
            if result is None and self._errors:
                raise Halt
            return result
        try:
            link = cls._accel_plan.links.get(command_class)
        except TypeError:  # no class: it cannot be a key
            link = None
        if link is not None:
            owner, members, run_in = link
            if owner is cls and (
                members is None or ("_domain" not in members and "_organization" not in members)
            ):
                result = run_in(self, inputs)
                if result is None and self._errors:
                    raise Halt
                return result
        result = _subcommand(self, command_class, inputs)
        if result is None and self._errors:
            raise Halt
        return result

    run_subcommand_ = run_subcommand_bang


_attributes = vars(Core)["__dict__"]
_run_subcommand = Core.run_subcommand
_OWN_SLOTS = frozenset(vars(Core)["__slots__"])
# Not by getattr(): a __getattr__ of the user's would answer for what was never stored.
_left, _claimed = vars(Core)["_accel_left"], vars(Core)["_accel_claimed"]


def _kept_or(slot: Any, command: Core, default: Any) -> Any:
    try:
        return slot.__get__(command)
    except AttributeError:
        return default


def install_runner(cls: type) -> None:
    """Prepare a new command class; the fallback's runner is inherited, so there is nothing to do."""


def _unfit(command: Any, plan: Plan, error: BaseException) -> CommandOutcome[Any]:
    """Return the outcome of an async command for whose inputs *error* was raised."""
    command._accel_state = 2
    return _outcome(command, _invalid(command, plan, error))


def refused(command: Any, plan: Plan) -> CommandOutcome[Any]:
    """Return the outcome of a command whose inputs were wrong."""
    return _outcome(command, _fail(command, plan, _NO_CHAINS))


def finish(command: Any, succeeded: bool) -> CommandOutcome[Any]:
    """Return the outcome of a command that has ended."""
    return _outcome(command, succeeded)


_awaiting.configure(sys.modules[__name__])
