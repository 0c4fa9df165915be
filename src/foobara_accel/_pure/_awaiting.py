"""How an async command runs, up to the first thing it does not know.

Design (the twin of ext/awaiting.pxi, where ``run`` returns a coroutine object of C)
1. ``AsyncRunner`` is the attribute ``run`` of the library's class: a coroutine function for every class.
2. ``make_run`` writes one for a class on the hot path: no callbacks, no transaction, no timeout, no phase but
   execute. As soon as execute has changed something, a coroutine of core/async_command.py does the rest.

The executor hands itself to what is here, so that it alone imports the other.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from inspect import Parameter, Signature
from types import CoroutineType, FunctionType
from typing import Any

__all__ = [
    "AsyncRunner",
    "close",
    "configure",
    "configure_async",
    "install",
    "install_async_runner",
    "judge",
    "prepare",
]

_RUN_SIGNATURE = Signature(
    [Parameter("cls", Parameter.POSITIONAL_ONLY), Parameter("inputs", Parameter.VAR_KEYWORD)]
)
_NAMES = ("run", "run_async")
_twin: Any = None
_whole: Any = None
_after: Any = None
_settle: Any = None


def configure(twin: Any) -> None:
    """Give what is here the executor, whose plans and phases it uses."""
    global _twin
    _twin = twin


def configure_async(whole: Any, after: Any, settle: Any) -> None:
    """Give the twin the coroutine functions that it hands over to.

    ``whole(cls, inputs, parent, model)`` is a run from its start, ``after(command, error)`` the rest of one
    whose execute returned or raised *error* after changing what is to run, ``settle(value)`` awaits what can
    be awaited.
    """
    global _whole, _after, _settle
    _whole, _after, _settle = whole, after, settle


class AsyncRunner(classmethod):  # type: ignore[type-arg]
    """The attribute ``run`` of an async command class that the library put there: a coroutine function."""

    # From 3.15 on classmethod takes its function in __new__, before that in __init__.
    def __new__(cls, function: Any = None, *given: Any) -> AsyncRunner:
        return super().__new__(cls, function or _run)  # type: ignore[call-arg]

    def __init__(self, function: Any = None) -> None:
        super().__init__(function or _run)


class _Inherited(AsyncRunner):
    """One that a class has only to show its own name: a run that somebody set on a base comes before it."""

    def __init__(self, function: Any, owner: Any, name: str) -> None:
        super().__init__(function)
        self.owner = owner
        self.name = name

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        cls = type(instance) if owner is None else owner
        found = _past(self.owner, cls, self.name)
        return super().__get__(instance, cls) if found is None else _twin._bound(found[0], instance, cls)


async def _run(cls: Any, /, **inputs: Any) -> Any:
    """Run and return the outcome; nothing happens before the await."""
    return await prepare(cls, inputs)


async def prepare(cls: Any, inputs: dict[str, Any], parent: Any = None, model: Any = None) -> Any:
    """Run *cls* as a subcommand of *parent*, or on a valid *model*."""
    plan = _twin.plan_for(cls)
    if not plan.execute_only or cls.timeout is not None:
        return await _whole(cls, inputs, parent, model)
    command = _twin._fresh(cls, inputs if model is None else None)
    command._parent = parent
    try:
        command._inputs = plan.builder.build_dict(inputs) if model is None else model
    except BaseException as error:
        return _twin._unfit(command, plan, error)
    command._accel_state = 6
    try:
        awaited = command.execute()
        command._result = await (awaited if type(awaited) is CoroutineType else _settle(awaited))
    except BaseException as error:
        if _changed(command, plan):
            command._accel_left = 6
            return await _after(command, error)
        return _twin._outcome(command, _twin._executed(command, error))
    if _changed(command, plan):
        command._accel_left = 6
        return await _after(command, None)
    if command._errors:
        return _twin._outcome(command, _twin._fail(command, plan, _twin._NO_CHAINS))
    command._accel_state = 8
    return _twin._outcome(command, True)


def _past(owner: Any, cls: Any, name: str) -> tuple[Any] | None:
    """What *cls* would inherit as *name* if *owner* and its bases had no runner; None for the library's."""
    for base in cls.__mro__[cls.__mro__.index(owner) + 1 :]:
        if name in base.__dict__:
            found = base.__dict__[name]
            if not isinstance(found, AsyncRunner):
                return (found,)
    return None


def _named(function: Any, owner: Any) -> Any:
    function.__signature__ = _RUN_SIGNATURE
    function.__name__ = "run"
    function.__qualname__ = f"{owner.__qualname__}.run"
    function.__module__ = owner.__module__
    return function


def install_async_runner(cls: Any) -> None:
    """Give a new async command class runners of its own where neither it nor a base of it defines them."""
    for name in _NAMES:
        if name not in cls.__dict__ and isinstance(_lookup(cls, name), AsyncRunner):
            _inherit(cls, name)


def _inherit(cls: Any, name: str) -> None:
    # The same code under the name that tasks and messages show.
    function = _named(FunctionType(_run.__code__, globals()), cls)
    type.__setattr__(cls, name, _Inherited(function, cls, name))


def _lookup(cls: type, name: str) -> Any:
    return next((base.__dict__[name] for base in cls.__mro__ if name in base.__dict__), None)


def install(cls: Any, plan: Any) -> None:
    """Give *cls*, which is on the hot path by *plan*, a run of its own where the library's is."""
    members = cls.__dict__
    for name in _NAMES:
        if isinstance(members.get(name), AsyncRunner) and _past(cls, cls, name) is None:
            type.__setattr__(cls, name, AsyncRunner(_named(_hot(_twin, plan, name), cls)))


def _stale_run(owner: Any, cls: Any, name: str) -> Callable[..., Any]:
    """What *cls* runs instead of what was written for *owner* before something changed."""
    found = _past(owner, cls, name)
    if found is None:
        return partial(_run, cls)
    with _twin._install_lock:
        if type(owner.__dict__.get(name)) is AsyncRunner:
            owner.__dict__["_accel_plan"].epoch = -1
            _inherit(owner, name)
    foreign = _twin._bound(found[0], None, cls)
    return lambda **inputs: _settle(foreign(**inputs))


def _hot(twin: Any, plan: Any, name: str) -> Callable[..., Any]:
    owner, builder, at = plan.cls, plan.builder, plan.epoch
    library, size, own, last = plan.library, plan.size, plan.own, plan.last
    get, registry = plan.members.get, plan.registry
    # The model's own validator while it is the one the plan has seen; the builder knows every other case.
    validator = builder.validator
    fields = twin._namespace(builder.model)
    validate = validator.validate_python if builder.level < 3 else None
    commands, outcomes = twin._bare(owner), twin._bare(twin._errors.CommandOutcome)

    async def run(cls: Any, /, **inputs: Any) -> Any:
        """Run and return the outcome; nothing happens before the await."""
        if (
            cls is not owner
            or at != twin._epoch
            or next(last) != "_accel_plan"
            or len(library) != size
            or owner.timeout is not None
            or (own and any(get(name) is not value for name, value in own))
            or (registry is not twin._NONE and library.get("_callback_registry") is not registry)
        ):
            return await _stale_run(owner, cls, name)(**inputs)
        # As in the text of _codegen: the first item costs less than a call.
        command: Any = None
        outcome: Any = None
        for command in commands:  # noqa: B007
            break
        command._accel_raw = inputs
        command._errors = command._result = command._transaction = command._parent = None
        command._own_callbacks = command._accel_closed = None
        try:
            if validate is not None and fields["__pydantic_validator__"] is validator:
                command._inputs = validate(inputs)
            else:
                command._inputs = builder.build_dict(inputs)
        except BaseException as error:
            command._inputs = None
            return twin._unfit(command, plan, error)
        command._accel_state = 6
        try:
            awaited = command.execute()
            if type(awaited) is not CoroutineType:
                awaited = _settle(awaited)
            result = command._result = await awaited
        except BaseException as error:
            if _changed(command, plan):
                command._accel_left = 6
                return await _after(command, error)
            return twin._outcome(command, twin._executed(command, error))
        if (
            at != twin._epoch
            or command._own_callbacks is not None
            or type(command) is not owner
            or (command.__dict__ and twin._reshaped(command, plan))
        ):
            command._accel_left = 6
            return await _after(command, None)
        if command._errors is not None and command._errors:
            return twin._outcome(command, twin._fail(command, plan, twin._NO_CHAINS))
        command._accel_state = 8
        for outcome in outcomes:  # noqa: B007
            break
        outcome._result = result
        outcome._collection = outcome._errors = outcome._metadata = None
        return outcome

    # A copy of the code for each class, as _codegen makes them.
    made = FunctionType(twin._codegen.copied(run.__code__), globals(), "run", None, run.__closure__)
    made.__annotations__ = run.__annotations__
    return made


def _changed(command: Any, plan: Any) -> bool:
    """Whether execute changed what the rest of the run has to do."""
    return bool(
        plan.epoch != _twin._epoch or command._own_callbacks is not None or _twin._reshaped(command, plan)
    )


def judge(parent: type, command_class: Any) -> None:
    """Have the domains judge a call of *command_class* from the class *parent*; raises what they raise."""
    known = _twin.plan_for(parent).subcommands
    found = known.get(command_class)
    if found is None or found[0] != _twin._epoch or not _twin._current(found[1]):
        at = _twin._epoch
        tracker = _twin._services.verdict(parent, command_class)
        found = known[command_class] = at, _twin.plan_for(command_class), tracker
    if found[2] is not None:
        found[2]()


def close(command: Any) -> bool:
    """Mark the transaction of *command* as closed; false when it was already."""
    closed = command._accel_closed
    command._accel_closed = True
    return not closed
