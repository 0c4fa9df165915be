"""The cases of lifecycle_machine as async commands, which wait in their hooks and are interrupted there.

The classes are those of ``lifecycle_machine.recipe``; a second recipe from the same seed says which hooks and
callbacks are coroutines, where they wait, which subcommands are async and what happens at which wait. As a
program: ``python tests/async_lifecycle_machine.py [cases] [first seed]``.
"""

from __future__ import annotations

import asyncio
import gc
import random
import sys
import types
from collections.abc import Callable
from types import ModuleType
from typing import Any

from lifecycle_machine import (
    Handler,
    Log,
    Pair,
    Recipe,
    SavepointHandler,
    _act,
    _error,
    _json,
    _text,
    cases,
    recipe,
)

INTERRUPTIONS = ("", "", "", "cancel", "error", "interrupt", "close", "drop")
THROWN = {"cancel": asyncio.CancelledError, "error": LookupError, "interrupt": KeyboardInterrupt}


@types.coroutine
def pause() -> Any:
    """Wait once."""
    yield "pause"


def waiting(function: Callable[..., Any], rng: random.Random) -> Callable[..., Any]:
    """Return *function* as it is, or as a coroutine function that waits up to two times."""
    waits = rng.choice((-1, 0, 1, 1, 2))
    if waits < 0:
        return function

    async def run(*given: Any) -> Any:
        for _ in range(waits):
            await pause()
        result = function(*given)
        return await result if asyncio.iscoroutine(result) else result

    return run


def callback(log: Log, kind: str, action: str, name: str, rng: random.Random) -> Callable[..., Any]:
    """Return a callback of that kind, a coroutine or not."""
    if kind == "around":

        async def around(command: Any, proceed: Callable[[], Any]) -> Any:
            log.append((name, "in", command.state_name))
            _act(command, action, name)
            result = await proceed()
            log.append((name, "out", command.state_name, result))
            return result

        return around
    if kind == "error":

        def failed(command: Any, error: Exception) -> None:
            log.append((name, type(error).__name__, command.state_name))
            _act(command, action, name)

        return waiting(failed, rng)

    def plain(command: Any) -> None:
        log.append((name, command.state_name, command._result))
        _act(command, action, name)

    return waiting(plain, rng)


def build(
    package: ModuleType, made: Recipe, log: Log, machines: list[Any], rng: random.Random, name: str = "Top"
) -> Any:
    """Return the async command class that *made* describes, with its subcommands."""
    child = None if made.child is None else build(package, made.child, log, machines, rng, f"{name}Sub")
    body: dict[str, Any] = {}

    async def execute(self: Any) -> Any:
        log.append((name, "execute", self.state_name))
        machines.append(self)
        for _ in range(waits):
            await pause()
        if made.during is not None:
            where, what = made.during
            own = callback(log, "before", what, f"{name} own {where}", random.Random(waits))
            getattr(self, f"before_{where}")(own)
        if made.shadow is not None:
            hidden, what = made.shadow

            def shadow(*given: Any) -> Any:
                log.append((name, "shadow", hidden, self.state_name))
                _act(self, what, f"shadow of {hidden}")
                return given[0] if given else None

            setattr(self, hidden, waiting(shadow, random.Random(waits)))
        result = self.inputs.a if self._inputs is not None else None
        if child is not None:
            call = self.run_subcommand_bang if made.bang else self.run_subcommand
            log.append((name, "child gave", await call(child, **(made.child or made).inputs)))
        _act(self, made.hooks.get("execute", "nothing"), "execute")
        return result

    waits = rng.choice((0, 0, 1, 2))

    def hook(which: str) -> Callable[..., Any]:
        action = made.hooks[which]

        def run(self: Any, *given: Any) -> Any:
            log.append((name, which, self.state_name))
            _act(self, action, which)
            if which == "after_execute":
                return ("after", *given)
            if made.super_hooks:
                return getattr(super(made_class, self), which)()
            return None

        return waiting(run, rng)

    for which in sorted(made.hooks):
        body[which] = hook(which)
    body["execute"] = execute
    if made.own_init:

        def init(self: Any, **inputs: Any) -> None:
            super(made_class, self).__init__(**inputs)
            self.started = True

        body["__init__"] = init
    if made.handler is not None:
        kind = SavepointHandler if made.savepoints else Handler
        fails, equal = made.handler, made.handler_equal
        body["_transaction_config"] = package.TransactionConfig(
            handler_factory=lambda: kind(log, name, fails, equal), requires_new=made.requires_new
        )
    made_class: Any = types.new_class(
        name, (package.AsyncCommand[Pair, Any],), {}, lambda space: space.update(body)
    )
    for number, (kind_of, where, action, priority) in enumerate(made.callbacks):
        register = getattr(made_class, f"{kind_of}_{where}")
        made_callback = callback(log, kind_of, action, f"{name} {kind_of} {where} {number}", rng)
        register(made_callback, priority=priority)
    return made_class


def drive(run: Any, at: int, how: str, log: Log) -> Any:
    """Drive a coroutine to its end without an event loop; at wait number *at* happens what *how* names."""
    waited = 0
    try:
        run.send(None)
        while True:
            waited += 1
            log.append(("waits", waited))
            if waited != at or not how:
                run.send(None)
            elif how == "close":
                run.close()
                return "closed"
            elif how == "drop":
                return "dropped"
            else:
                run.throw(THROWN[how]("thrown"))
    except StopIteration as stop:
        return stop.value


def play(package: ModuleType, made: Recipe, seed: int) -> dict[str, Any]:
    """Run what *made* describes on one backend and return what can be seen of it."""
    rng = random.Random(f"async {seed}")
    log, machines = Log(), list[Any]()
    cls = build(package, made, log, machines, rng)
    at, how = rng.randint(1, 4), rng.choice(INTERRUPTIONS)
    if made.how == "subcommand_host":
        inner = cls

        async def execute(self: Any) -> Any:
            machines.append(self)
            return await self.run_subcommand(inner, **made.inputs)

        cls = types.new_class(
            "Host", (package.AsyncCommand[Pair, Any],), {}, lambda space: space.update(execute=execute)
        )
    if made.how == "run_instance":
        machines.append(cls(**made.inputs))
        run = machines[-1].run_instance()
    elif made.how == "run_with":
        run = cls.run_with(Pair(a=5))
    elif made.how == "run_json":
        run = cls.run_json(_json(made.inputs))
    elif made.how == "subcommand_host":
        run = cls.run(a=1)
    else:
        run = cls.run(**made.inputs)
    seen: dict[str, Any] = {"log": log}
    try:
        outcome = drive(run, at, how, log)
    except BaseException as error:
        if not isinstance(error, (Exception, KeyboardInterrupt, asyncio.CancelledError)):
            raise
        seen["raised"] = (type(error).__name__, _text(error), getattr(error, "__notes__", []))
    else:
        if isinstance(outcome, str):
            seen["ended"] = outcome
        else:
            seen["success"] = outcome.is_success()
            seen["result"] = outcome.result
            seen["errors"] = [_error(error) for error in outcome.errors]
    del run
    seen["instances"] = [
        (
            type(command).__name__,
            command.state_name,
            [(before.name, after.name) for before, after in command.state_machine.history],
            [_error(error) for error in command.errors],
            repr(command._result),
            None if command._transaction is None else command._transaction.is_active,
        )
        for command in machines
    ]
    return seen


def quietly(package: ModuleType, seed: int, play: Callable[..., Any] = play) -> dict[str, Any]:
    """``play`` the case of *seed*; what a dropped run cannot raise is not printed."""
    hook = sys.unraisablehook
    sys.unraisablehook = lambda unraisable: None
    try:
        seen: dict[str, Any] = play(package, recipe(random.Random(seed)), seed)
        gc.collect(0)
        return seen
    finally:
        sys.unraisablehook = hook


def difference(one: ModuleType, other: ModuleType, seed: int) -> str | None:
    """Return what differs between the two backends for the case of *seed*, or None."""
    left, right = quietly(one, seed), quietly(other, seed)
    for part in sorted({*left, *right}):
        if left.get(part) != right.get(part):
            return (
                f"seed {seed}: {part} differs\n  {one.__name__}: {left.get(part)!r}\n"
                f"  {other.__name__}: {right.get(part)!r}\n  {recipe(random.Random(seed))!r}"
            )
    return None


def broken_promise(package: ModuleType, seed: int) -> str | None:
    """Return which promise about transactions and states the case of *seed* breaks, or None."""
    seen = quietly(package, seed)
    for owner in {entry[0] for entry in seen["log"] if len(entry) == 2 and entry[1] == "begin"}:
        calls = [entry[1] for entry in seen["log"] if len(entry) == 2 and entry[0] == owner]
        began = calls.count("begin")
        if calls.count("commit") > began or calls.count("rollback") > began:
            return f"seed {seed}: {owner} closed more often than begun: {calls}"
    left_open = [entry[0] for entry in seen["instances"] if entry[5]]
    if left_open:
        return f"seed {seed}: a transaction was left open by {left_open}"
    ends = ("succeeded", "failed", "errored")
    unfinished = [entry[:2] for entry in seen["instances"] if entry[1] not in ends]
    # A run_instance() that was made and never got to its first step has not begun.
    if unfinished and unfinished != [("Top", "initialized")]:
        return f"seed {seed}: runs without an end {unfinished}"
    return None


def main(arguments: list[str]) -> int:
    """Run cases from the command line; 1 when one differs."""
    import foobara_accel
    from foobara_accel.testing import load_twin

    count = int(arguments[0]) if arguments else cases()
    first = int(arguments[1]) if len(arguments) > 1 else 0
    twin = load_twin("py")
    found = 0
    for seed in range(first, first + count):
        for text in (
            difference(foobara_accel, twin, seed),
            broken_promise(foobara_accel, seed),
            broken_promise(twin, seed),
        ):
            if text is not None:
                found += 1
                print(text)
    print(f"{count} cases, {found} findings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
