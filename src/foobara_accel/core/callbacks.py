"""Callbacks around the transitions of a command: their registries, the methods that fill them, their chains.

A transition has a name and goes from one state to the next: the seven phases, and ``succeed``, ``fail``
and ``error`` into the terminal states. A callback says which transitions it wants; ``compile_chains``
works out, once per class, what each transition calls.
"""

from __future__ import annotations

import sys
import types
import warnings
from _thread import allocate_lock
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, partial
from inspect import CO_ITERABLE_COROUTINE, isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast, overload

from .._backend import executor
from .._vocabulary import CommandState
from .state import CAN_FAIL_STATES, checked_state

__all__ = [
    "CALLBACK_TYPES",
    "TRANSITIONS",
    "CallbackCondition",
    "CallbackDSL",
    "CallbackExecutor",
    "CallbackRegistry",
    "EnhancedCallbackExecutor",
    "EnhancedCallbackRegistry",
    "RegisteredCallback",
    "compile_chains",
]

State = CommandState

CALLBACK_TYPES = ("before", "after", "around", "error")
TRANSITIONS = (
    "open_transaction",
    "cast_and_validate_inputs",
    "load_records",
    "validate_records",
    "validate",
    "execute",
    "commit_transaction",
    "succeed",
    "fail",
    "error",
)

Before = Callable[[Any], object]
After = Callable[[Any], object]
Around = Callable[[Any, Callable[[], Any]], Any]
OnError = Callable[[Any, Exception], object]
Chain = tuple[
    tuple[Callable[..., Any], ...],
    tuple[Callable[..., Any], ...],
    tuple[Callable[..., Any], ...],
    tuple[Callable[..., Any], ...],
]

# Every transition there is, in the order compile_chains lists them: eight on the way to SUCCEEDED,
# then to FAILED and to ERRORED from each state that can.
_STEPS: tuple[tuple[CommandState, CommandState, str], ...] = (
    *((State(number), State(number + 1), TRANSITIONS[number]) for number in range(8)),
    *((state, State.FAILED, "fail") for state in sorted(CAN_FAIL_STATES)),
    *((state, State.ERRORED, "error") for state in sorted(CAN_FAIL_STATES)),
)
_FAILS, _ERRORS = 8, 16
_by_priority = attrgetter("priority")


@dataclass(frozen=True)
class CallbackCondition:
    """Which transitions a callback wants; None stands for any."""

    from_state: CommandState | None = None
    to_state: CommandState | None = None
    transition: str | None = None

    def matches(self, from_state: int, to_state: int, transition: str | None) -> bool:
        """Return whether a transition so named, between these states, is wanted."""
        return (
            (self.from_state is None or self.from_state == from_state)
            and (self.to_state is None or self.to_state == to_state)
            and (self.transition is None or self.transition == transition)
        )


@dataclass(slots=True)
class RegisteredCallback:
    """A callback with its type, its condition and its priority; sorts by priority."""

    callback: Callable[..., Any]
    callback_type: str
    condition: CallbackCondition
    priority: int = 0

    def __lt__(self, other: RegisteredCallback) -> bool:
        return self.priority < other.priority


@cache
def _steps_of(condition: CallbackCondition) -> frozenset[int]:
    return frozenset(index for index, step in enumerate(_STEPS) if condition.matches(*step))


def refuse_unrun(target: type, callback: Any, what: str) -> None:
    """Raise TypeError when calling *callback* in a run of *target* would run nothing of it.

    A generator function runs when somebody iterates, a coroutine function when somebody awaits, which a sync
    command does not.
    """
    awaits = getattr(target, "_is_async", True)
    functions = (callback, getattr(type(callback), "__call__", None))  # noqa: B004
    if any(_yields(each, awaits) for each in functions):
        raise TypeError(
            f"{what} is a generator function, and a call of one runs nothing: take the yield out of it, or "
            "return what another function yields"
        )
    if not awaits and any(iscoroutinefunction(each) for each in functions):
        raise TypeError(
            f"{what} is a coroutine function, and {target.__name__} is a sync command, which awaits nothing: "
            "derive it from AsyncCommand"
        )


def _yields(function: Any, awaited: bool) -> bool:
    if isasyncgenfunction(function):
        return True
    if not isgeneratorfunction(function):
        return False
    # What types.coroutine() makes of a generator function can be awaited.
    flags: int = getattr(getattr(function, "__code__", None), "co_flags", 0)
    return not (awaited and flags & CO_ITERABLE_COROUTINE)


def _checked(
    callback_type: object,
    callback: object,
    from_state: object,
    to_state: object,
    transition: object,
    priority: object,
) -> RegisteredCallback:
    if not isinstance(callback_type, str):
        raise TypeError(f"callback_type must be a str, not {type(callback_type).__name__}")
    if callback_type not in CALLBACK_TYPES:
        raise ValueError(f"callback_type={callback_type!r} is unknown: use {_listed(CALLBACK_TYPES)}")
    if not callable(callback):
        raise TypeError(
            f"callback must be callable, not {type(callback).__name__}: "
            f"pass a function that takes {_ARGUMENTS[callback_type]}"
        )
    if transition is not None:
        if not isinstance(transition, str):
            raise TypeError(f"transition must be a str, not {type(transition).__name__}")
        if transition not in TRANSITIONS:
            raise ValueError(f"transition={transition!r} is unknown: use {_listed(TRANSITIONS)}")
    if isinstance(priority, bool) or not isinstance(priority, int):
        raise TypeError(f"priority must be an int, not {type(priority).__name__}")
    condition = CallbackCondition(
        None if from_state is None else checked_state(from_state, "from_state"),
        None if to_state is None else checked_state(to_state, "to_state"),
        transition,
    )
    return RegisteredCallback(callback, callback_type, condition, priority)


_ARGUMENTS = {
    "before": "(command)",
    "after": "(command)",
    "around": "(command, proceed)",
    "error": "(command, exception)",
}


def _listed(names: Iterable[str]) -> str:
    *most, last = [repr(name) for name in names]
    return f"{', '.join(most)} or {last}"


class CallbackRegistry:
    """The callbacks of one command class, or of one instance; safe to fill from several threads.

    A change makes the plans of command classes void, so that it holds from the next transition on.
    """

    __slots__ = (
        "__weakref__",
        "_cache_hits",
        "_cache_misses",
        "_callbacks",
        "_compiled_chains",
        "_lock",
        "_shared",
    )

    def __init__(self) -> None:
        self._lock = allocate_lock()
        # Replaced, never changed in place: a reader needs no lock.
        self._callbacks: list[RegisteredCallback] = []
        self._compiled_chains: dict[tuple[Any, Any, Any], dict[str, list[Callable[..., Any]]]] = {}
        self._cache_hits = 0
        self._cache_misses = 0
        self._shared = True

    def register(
        self,
        callback_type: str,
        callback: Callable[..., Any],
        from_state: CommandState | None = None,
        to_state: CommandState | None = None,
        transition: str | None = None,
        priority: int = 0,
    ) -> None:
        """Add *callback*; those of lower *priority* run first, those of equal priority in order of arrival.

        Raises TypeError or ValueError that names the wrong argument, and warns (UserWarning) when no
        transition can meet all the conditions.
        """
        added = _checked(callback_type, callback, from_state, to_state, transition, priority)
        if not _steps_of(added.condition):
            warnings.warn(
                f"this {callback_type} callback never runs: no command goes "
                f"{_described(added.condition)} in one step",
                stacklevel=_outside(),
            )
        with self._lock:
            self._callbacks = sorted([*self._callbacks, added], key=_by_priority)
            self._compiled_chains = {}
        if self._shared:
            executor.bump_epoch()

    def remove(self, callback: Callable[..., Any]) -> int:
        """Take out every registration of *callback* and return how many there were."""
        with self._lock:
            kept = [entry for entry in self._callbacks if entry.callback != callback]
            removed = len(self._callbacks) - len(kept)
            self._callbacks = kept
            self._compiled_chains = {}
        if self._shared:
            executor.bump_epoch()
        return removed

    def get_callbacks(
        self, callback_type: str, from_state: int, to_state: int, transition: str | None
    ) -> list[Callable[..., Any]]:
        """Return the callbacks of one type for one transition, in the order they run; a new list."""
        compiled = self._compiled_chains.get((from_state, to_state, transition))
        with self._lock:
            if compiled is None:
                self._cache_misses += 1
            else:
                self._cache_hits += 1
        if compiled is not None:
            return list(compiled.get(callback_type, ()))
        return [
            entry.callback
            for entry in self._callbacks
            if entry.callback_type == callback_type
            and entry.condition.matches(from_state, to_state, transition)
        ]

    def compile_chain(
        self, from_state: int, to_state: int, transition: str | None
    ) -> dict[str, list[Callable[..., Any]]]:
        """Return every type's callbacks for one transition; the same dict until something is registered."""
        key = (from_state, to_state, transition)
        compiled = self._compiled_chains
        chain = compiled.get(key)
        if chain is None:
            chain = {kind: [] for kind in CALLBACK_TYPES}
            for entry in self._callbacks:
                if entry.condition.matches(from_state, to_state, transition):
                    chain[entry.callback_type].append(entry.callback)
            # Into the dict read above: one that a registration has replaced meanwhile is not filled again.
            chain = compiled.setdefault(key, chain)
        return chain

    def precompile_common_transitions(self) -> None:
        """Compile the chains of the eight transitions of a successful run."""
        for step in _STEPS[:_FAILS]:
            self.compile_chain(*step)

    def clear_cache(self) -> None:
        """Forget the compiled chains and the counters."""
        with self._lock:
            self._compiled_chains = {}
            self._cache_hits = self._cache_misses = 0

    def has_callbacks(self) -> bool:
        """Return whether anything is registered."""
        return bool(self._callbacks)

    def merge(self, other: CallbackRegistry) -> CallbackRegistry:
        """Return a new registry with this one's callbacks, then *other*'s, sorted by priority."""
        if not isinstance(other, CallbackRegistry):
            raise TypeError(f"other must be a CallbackRegistry, not {type(other).__name__}")
        merged = type(self)()
        merged._callbacks = sorted([*self._callbacks, *other._callbacks], key=_by_priority)
        return merged

    def get_cache_stats(self) -> dict[str, Any]:
        """Return hits, misses, total, hit_rate and compiled_chains."""
        hits, misses = self._cache_hits, self._cache_misses
        total = hits + misses
        return {
            "hits": hits,
            "misses": misses,
            "total": total,
            "hit_rate": hits / total if total else 0.0,
            "compiled_chains": len(self._compiled_chains),
        }

    def __len__(self) -> int:
        return len(self._callbacks)

    def __bool__(self) -> bool:
        return True

    def __getstate__(self) -> tuple[list[RegisteredCallback], bool]:
        return self._callbacks, self._shared

    def __setstate__(self, state: tuple[list[RegisteredCallback], bool]) -> None:
        CallbackRegistry.__init__(self)
        callbacks, self._shared = state
        self._callbacks = list(callbacks)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} with {len(self._callbacks)} callbacks>"


EnhancedCallbackRegistry = CallbackRegistry


def _described(condition: CallbackCondition) -> str:
    words = []
    if condition.from_state is not None:
        words.append(f"from {condition.from_state.name}")
    if condition.to_state is not None:
        words.append(f"to {condition.to_state.name}")
    if condition.transition is not None:
        words.append(f"by {condition.transition!r}")
    return " ".join(words)


def _outside() -> int:
    # The stacklevel, seen from our caller, of the first frame that is not of this module.
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals is globals():
        frame = frame.f_back
        level += 1
    return level


class CallbackExecutor:
    """Runs single actions between a registry's callbacks for one command."""

    __slots__ = ("_command", "_registry")

    def __init__(self, registry: CallbackRegistry, command: Any) -> None:
        self._registry = registry
        self._command = command

    def execute_transition(
        self, from_state: int, to_state: int, transition: str, action: Callable[[], Any]
    ) -> Any:
        """Call *action* between its callbacks and return its result, or what the outermost around returned.

        An Exception, Halt included, goes to the error callbacks and on to the caller.
        """
        registry, command = self._registry, self._command
        if not registry.has_callbacks():
            return action()
        before, after, around, on_error = (
            registry.get_callbacks(kind, from_state, to_state, transition) for kind in CALLBACK_TYPES
        )
        try:
            for callback in before:
                callback(command)
            step = action
            for callback in reversed(around):
                step = _wrapped(callback, command, step)
            result = step()
            for callback in after:
                callback(command)
        except Exception as error:
            for callback in on_error:
                callback(command, error)
            raise
        return result

    def execute_simple(self, callback_type: str, from_state: int, to_state: int, transition: str) -> None:
        """Call the callbacks of one type that take the command alone."""
        for callback in self._registry.get_callbacks(callback_type, from_state, to_state, transition):
            callback(self._command)


def _wrapped(callback: Callable[..., Any], command: Any, step: Callable[[], Any]) -> Callable[[], Any]:
    return lambda: callback(command, step)


EnhancedCallbackExecutor = CallbackExecutor


def compile_chains(cls: type, own: CallbackRegistry | None = None) -> tuple[Any, ...] | None:
    """Return what each transition of a run of *cls* calls, or None when no callback applies.

    Ten items: the seven phases in order and COMMITTING_TRANSACTION -> SUCCEEDED, each None or (before,
    around, after, error) of tuples; then, for -> FAILED and -> ERRORED, a dict from the state left to such
    a chain. The registries along the MRO count once each, the most basic class first, and *own*, the
    instance's, last; then priority decides. Raises TypeError for a registry that is not one.
    """
    entries: list[RegisteredCallback] = []
    for base in reversed(cls.__mro__):
        for registry in _registries_in(base):
            entries += _callbacks_of(registry, base.__qualname__)
    if own is not None:
        entries += _callbacks_of(own, f"an instance of {cls.__qualname__}")
        # A run uses it from here on, and has to be told of a change.
        own._shared = True
    if not entries:
        return None
    for entry in entries:
        refuse_unrun(cls, entry.callback, f"the {entry.callback_type} callback {entry.callback!r}")
    entries.sort(key=_by_priority)
    wanted: dict[int, dict[str, list[Callable[..., Any]]]] = {}
    for entry in entries:
        for step in _steps_of(entry.condition):
            wanted.setdefault(step, {}).setdefault(entry.callback_type, []).append(entry.callback)
    if not wanted:
        return None
    chains: dict[int, Chain] = {
        step: (
            tuple(lists.get("before", ())),
            tuple(lists.get("around", ())),
            tuple(lists.get("after", ())),
            tuple(lists.get("error", ())),
        )
        for step, lists in wanted.items()
    }
    return (
        *(chains.get(step) for step in range(_FAILS)),
        {int(_STEPS[step][0]): chains[step] for step in range(_FAILS, _ERRORS) if step in chains},
        {int(_STEPS[step][0]): chains[step] for step in range(_ERRORS, len(_STEPS)) if step in chains},
    )


def _registries_in(cls: type) -> list[Any]:
    """Return the registry of *cls* itself, under our name or foobara_py's; two where it has two."""
    found = [cls.__dict__.get(name) for name in ("_callback_registry", "_enhanced_callback_registry")]
    return [each for each in found[: 1 if found[0] is found[1] else 2] if each is not None]


def _callbacks_of(registry: object, owner: str) -> list[RegisteredCallback]:
    if not isinstance(registry, CallbackRegistry):
        raise TypeError(
            f"the callback registry of {owner} must be a CallbackRegistry, not {type(registry).__name__}"
        )
    return registry._callbacks


_WHEN = {
    "before": "before",
    "after": "after",
    "around": "around",
    "error": "with the exception that leaves",
}
_creating = allocate_lock()


def _registry_of(target: Any) -> CallbackRegistry:
    """The registry of a class, or of an instance alone; made when there is none."""
    registry: CallbackRegistry | None
    if isinstance(target, type):
        with _creating:
            found = _registries_in(target)
            if not found:
                found = [CallbackRegistry()]
                target._callback_registry = found[0]  # type: ignore[attr-defined]
        return found[0]  # type: ignore[no-any-return]
    registry = target._own_callbacks
    if registry is None:
        registry = CallbackRegistry()
        # No plan depends on it before its run has begun.
        registry._shared = False
        target._own_callbacks = registry
    return registry


def _registry_for(target: Any, kind: str, callback: object) -> CallbackRegistry:
    """The same, for a callback that the class can call."""
    cls = target if isinstance(target, type) else type(target)
    refuse_unrun(cls, callback, f"the {kind} callback {callback!r}")
    return _registry_of(target)


C = TypeVar("C")

if TYPE_CHECKING:
    from typing import Protocol

    class _Register(Protocol[C]):
        @overload
        def __call__(self, callback: C, priority: int = 0) -> C: ...
        @overload
        def __call__(self, *, priority: int = 0) -> Callable[[C], C]: ...

    class _RegisterState(Protocol[C]):
        @overload
        def __call__(self, state: CommandState, callback: C, priority: int = 0) -> C: ...
        @overload
        def __call__(self, state: CommandState, *, priority: int = 0) -> Callable[[C], C]: ...

    class _RegisterTransition(Protocol[C]):
        @overload
        def __call__(
            self,
            callback: C,
            from_state: CommandState | None = None,
            to_state: CommandState | None = None,
            transition: str | None = None,
            priority: int = 0,
        ) -> C: ...
        @overload
        def __call__(
            self,
            *,
            from_state: CommandState | None = None,
            to_state: CommandState | None = None,
            transition: str | None = None,
            priority: int = 0,
        ) -> Callable[[C], C]: ...


class _Entry(Generic[C]):
    """A method of the DSL. Looked up on a class it registers for the class, on an instance for that alone.

    A decorator too, with arguments or without: it returns the callback.
    """

    __slots__ = ("_function", "_name", "_owner")
    _function: Any

    def __set_name__(self, owner: type, name: str) -> None:
        self._name, self._owner, self._function = name, owner.__qualname__, None

    def _made(self) -> Any:
        # At the first look-up: a program that imports Command uses few of these, most often none.
        kind, _, which = self._name.partition("_")
        function, words = self._build(kind, which)
        function.__name__ = self._name
        function.__qualname__ = f"{self._owner}.{self._name}"
        function.__doc__ = f"Have *callback* called {_WHEN[kind]} {words}."
        self._function = function
        return function

    def _build(self, kind: str, which: str) -> tuple[Any, str]:
        raise NotImplementedError

    def _bound(self, instance: Any, owner: type) -> Any:
        return types.MethodType(self._function or self._made(), owner if instance is None else instance)


class _At(_Entry[C]):
    """Registers at the transitions that the method's own name names."""

    __slots__ = ()

    def _build(self, kind: str, which: str) -> tuple[Any, str]:
        condition = _condition_named(which)

        def register(target: Any, callback: Any = ..., priority: int = 0) -> Any:
            if callback is ...:
                return partial(register, target, priority=priority)
            _registry_for(target, kind, callback).register(
                kind, callback, condition.from_state, condition.to_state, condition.transition, priority
            )
            return callback

        where = _described(condition)
        return register, f"the transition {where}" if where else "every transition"

    def __get__(self, instance: Any, owner: type) -> _Register[C]:
        return cast("_Register[C]", self._bound(instance, owner))


class _AtState(_Entry[C]):
    """Registers at the transitions from or to a state given in the call."""

    __slots__ = ()

    def _build(self, kind: str, which: str) -> tuple[Any, str]:
        side = which.removeprefix("transition_")

        def register(target: Any, state: CommandState, callback: Any = ..., priority: int = 0) -> Any:
            wanted: dict[str, Any] = {f"{side}_state": checked_state(state, "state")}
            if callback is ...:
                return partial(register, target, state, priority=priority)
            _registry_for(target, kind, callback).register(kind, callback, priority=priority, **wanted)
            return callback

        return register, f"the transitions {side} *state*"

    def __get__(self, instance: Any, owner: type) -> _RegisterState[C]:
        return cast("_RegisterState[C]", self._bound(instance, owner))


class _Anywhere(_Entry[C]):
    """Registers at the transitions that meet the conditions given in the call."""

    __slots__ = ()

    def _build(self, kind: str, which: str) -> tuple[Any, str]:
        def register(
            target: Any,
            callback: Any = ...,
            from_state: CommandState | None = None,
            to_state: CommandState | None = None,
            transition: str | None = None,
            priority: int = 0,
        ) -> Any:
            where: dict[str, Any] = {"from_state": from_state, "to_state": to_state, "transition": transition}
            if callback is ...:
                return partial(register, target, priority=priority, **where)
            _registry_for(target, kind, callback).register(kind, callback, priority=priority, **where)
            return callback

        return register, "the transitions that meet all the conditions given"

    def __get__(self, instance: Any, owner: type) -> _RegisterTransition[C]:
        return cast("_RegisterTransition[C]", self._bound(instance, owner))


def _condition_named(which: str) -> CallbackCondition:
    # any_transition, transition_from_X, transition_to_Y, transition_from_X_to_Y, or a phase's name
    if which == "any_transition":
        return CallbackCondition()
    if which.startswith("transition_to_"):
        return CallbackCondition(to_state=getattr(State, which.removeprefix("transition_to_").upper()))
    if which.startswith("transition_from_"):
        left, _, reached = which.removeprefix("transition_from_").partition("_to_")
        to_state = getattr(State, reached.upper()) if reached else None
        return CallbackCondition(getattr(State, left.upper()), to_state)
    return CallbackCondition(transition=which.removesuffix("_transition"))


class CallbackDSL:
    """The methods that register callbacks on a command class, or on one instance.

    ``Pay.before_execute_transition(f)`` holds for Pay and its subclasses, those that exist included;
    ``pay.before_execute_transition(f)`` for that instance alone. Before and after callbacks take
    ``(command)``; around callbacks ``(command, proceed)``, and what the outermost returns is the result of
    the phase; error callbacks ``(command, exception)``. Lower *priority* runs first, or outermost.

    Each returns the callback, or a decorator where none is given: ``@Pay.before_any_transition(priority=1)``.
    """

    __slots__ = ()

    _callback_registry: CallbackRegistry | None = None
    _enhanced_callback_registry: CallbackRegistry | None = None  # as foobara_py calls it
    _own_callbacks: CallbackRegistry | None

    before_transition: _Anywhere[Before] = _Anywhere()
    before_transition_from: _AtState[Before] = _AtState()
    before_transition_to: _AtState[Before] = _AtState()
    before_any_transition: _At[Before] = _At()
    before_transition_from_initialized: _At[Before] = _At()
    before_transition_from_opening_transaction: _At[Before] = _At()
    before_transition_from_casting_and_validating_inputs: _At[Before] = _At()
    before_transition_from_loading_records: _At[Before] = _At()
    before_transition_from_validating_records: _At[Before] = _At()
    before_transition_from_validating: _At[Before] = _At()
    before_transition_from_executing: _At[Before] = _At()
    before_transition_from_committing_transaction: _At[Before] = _At()
    before_transition_to_opening_transaction: _At[Before] = _At()
    before_transition_to_casting_and_validating_inputs: _At[Before] = _At()
    before_transition_to_loading_records: _At[Before] = _At()
    before_transition_to_validating_records: _At[Before] = _At()
    before_transition_to_validating: _At[Before] = _At()
    before_transition_to_executing: _At[Before] = _At()
    before_transition_to_committing_transaction: _At[Before] = _At()
    before_transition_to_succeeded: _At[Before] = _At()
    before_transition_to_failed: _At[Before] = _At()
    before_transition_to_errored: _At[Before] = _At()
    before_transition_from_initialized_to_executing: _At[Before] = _At()
    before_open_transaction: _At[Before] = _At()
    before_cast_and_validate_inputs: _At[Before] = _At()
    before_load_records: _At[Before] = _At()
    before_validate_records: _At[Before] = _At()
    before_validate_transition: _At[Before] = _At()
    before_execute_transition: _At[Before] = _At()
    before_commit_transaction: _At[Before] = _At()

    after_transition: _Anywhere[After] = _Anywhere()
    after_transition_from: _AtState[After] = _AtState()
    after_transition_to: _AtState[After] = _AtState()
    after_any_transition: _At[After] = _At()
    after_transition_from_initialized: _At[After] = _At()
    after_transition_from_opening_transaction: _At[After] = _At()
    after_transition_from_casting_and_validating_inputs: _At[After] = _At()
    after_transition_from_loading_records: _At[After] = _At()
    after_transition_from_validating_records: _At[After] = _At()
    after_transition_from_validating: _At[After] = _At()
    after_transition_from_executing: _At[After] = _At()
    after_transition_from_committing_transaction: _At[After] = _At()
    after_transition_to_opening_transaction: _At[After] = _At()
    after_transition_to_casting_and_validating_inputs: _At[After] = _At()
    after_transition_to_loading_records: _At[After] = _At()
    after_transition_to_validating_records: _At[After] = _At()
    after_transition_to_validating: _At[After] = _At()
    after_transition_to_executing: _At[After] = _At()
    after_transition_to_committing_transaction: _At[After] = _At()
    after_transition_to_succeeded: _At[After] = _At()
    after_transition_to_failed: _At[After] = _At()
    after_transition_to_errored: _At[After] = _At()
    after_transition_from_initialized_to_executing: _At[After] = _At()
    after_open_transaction: _At[After] = _At()
    after_cast_and_validate_inputs: _At[After] = _At()
    after_load_records: _At[After] = _At()
    after_validate_records: _At[After] = _At()
    after_validate_transition: _At[After] = _At()
    after_execute_transition: _At[After] = _At()
    after_commit_transaction: _At[After] = _At()

    around_transition: _Anywhere[Around] = _Anywhere()
    around_transition_from: _AtState[Around] = _AtState()
    around_transition_to: _AtState[Around] = _AtState()
    around_any_transition: _At[Around] = _At()
    around_transition_from_initialized: _At[Around] = _At()
    around_transition_from_opening_transaction: _At[Around] = _At()
    around_transition_from_casting_and_validating_inputs: _At[Around] = _At()
    around_transition_from_loading_records: _At[Around] = _At()
    around_transition_from_validating_records: _At[Around] = _At()
    around_transition_from_validating: _At[Around] = _At()
    around_transition_from_executing: _At[Around] = _At()
    around_transition_from_committing_transaction: _At[Around] = _At()
    around_transition_to_opening_transaction: _At[Around] = _At()
    around_transition_to_casting_and_validating_inputs: _At[Around] = _At()
    around_transition_to_loading_records: _At[Around] = _At()
    around_transition_to_validating_records: _At[Around] = _At()
    around_transition_to_validating: _At[Around] = _At()
    around_transition_to_executing: _At[Around] = _At()
    around_transition_to_committing_transaction: _At[Around] = _At()
    around_transition_to_succeeded: _At[Around] = _At()
    around_transition_to_failed: _At[Around] = _At()
    around_transition_to_errored: _At[Around] = _At()
    around_transition_from_initialized_to_executing: _At[Around] = _At()
    around_open_transaction: _At[Around] = _At()
    around_cast_and_validate_inputs: _At[Around] = _At()
    around_load_records: _At[Around] = _At()
    around_validate_records: _At[Around] = _At()
    around_validate_transition: _At[Around] = _At()
    around_execute_transition: _At[Around] = _At()
    around_commit_transaction: _At[Around] = _At()

    error_transition: _Anywhere[OnError] = _Anywhere()
    error_transition_from: _AtState[OnError] = _AtState()
    error_transition_to: _AtState[OnError] = _AtState()
    error_any_transition: _At[OnError] = _At()
    error_transition_from_initialized: _At[OnError] = _At()
    error_transition_from_opening_transaction: _At[OnError] = _At()
    error_transition_from_casting_and_validating_inputs: _At[OnError] = _At()
    error_transition_from_loading_records: _At[OnError] = _At()
    error_transition_from_validating_records: _At[OnError] = _At()
    error_transition_from_validating: _At[OnError] = _At()
    error_transition_from_executing: _At[OnError] = _At()
    error_transition_from_committing_transaction: _At[OnError] = _At()
    error_transition_to_opening_transaction: _At[OnError] = _At()
    error_transition_to_casting_and_validating_inputs: _At[OnError] = _At()
    error_transition_to_loading_records: _At[OnError] = _At()
    error_transition_to_validating_records: _At[OnError] = _At()
    error_transition_to_validating: _At[OnError] = _At()
    error_transition_to_executing: _At[OnError] = _At()
    error_transition_to_committing_transaction: _At[OnError] = _At()
    error_transition_to_succeeded: _At[OnError] = _At()
    error_transition_to_failed: _At[OnError] = _At()
    error_transition_to_errored: _At[OnError] = _At()
    error_transition_from_initialized_to_executing: _At[OnError] = _At()
    error_open_transaction: _At[OnError] = _At()
    error_cast_and_validate_inputs: _At[OnError] = _At()
    error_load_records: _At[OnError] = _At()
    error_validate_records: _At[OnError] = _At()
    error_validate_transition: _At[OnError] = _At()
    error_execute_transition: _At[OnError] = _At()
    error_commit_transaction: _At[OnError] = _At()

    def callbacks(self) -> CallbackRegistry:
        """Return the registry of this instance alone, made at the first call."""
        return _registry_of(self)

    @classmethod
    def _ensure_callback_registry(cls) -> CallbackRegistry:
        return _registry_of(cls)

    @classmethod
    def _register_transition_callback(
        cls, callback_type: str, transition: str, callback: Callable[..., Any], priority: int = 0
    ) -> None:
        registry = _registry_for(cls, callback_type, callback)
        registry.register(callback_type, callback, transition=transition, priority=priority)
