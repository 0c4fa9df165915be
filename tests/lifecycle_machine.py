"""Seeded random command classes, run on both twins and compared: outcome, errors, states, handler calls.

A case is a plain description (``Recipe``) made from a seed; ``play`` builds the classes it describes on one
backend, runs them and returns everything that can be seen of the run as plain data. As a program:
``python tests/lifecycle_machine.py [cases] [first seed]``.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from pydantic import BaseModel, Field

DEFAULT_CASES = 300
HOOKS = (
    "open_transaction",
    "cast_and_validate_inputs",
    "load_records",
    "validate_records",
    "validate",
    "before_execute",
    "execute",
    "after_execute",
    "commit_transaction",
    "rollback_transaction",
)
# Nothing three times as likely as the others, so that many runs get past several hooks.
ACTIONS = (
    "nothing",
    "nothing",
    "nothing",
    "add",
    "add_and_halt",
    "halt",
    "value",
    "key",
    "interrupt",
    "unprintable",
)
CALLBACKS = (
    "any_transition",
    "execute_transition",
    "validate_transition",
    "cast_and_validate_inputs",
    "load_records",
    "open_transaction",
    "commit_transaction",
    "transition_to_succeeded",
    "transition_to_failed",
    "transition_to_errored",
    "transition_from_initialized",
    "transition_from_executing",
)
CALLBACK_ACTIONS = ("nothing", "nothing", "nothing", "nothing", "add", "halt", "value", "interrupt")
HANDLER_FAILURES = ("", "", "", "", "begin", "commit", "rollback")
RUNS = ("run", "run", "run", "run_instance", "run_with", "run_json", "subcommand_host")


class Pair(BaseModel):
    """Inputs that can be wrong in several ways."""

    a: int
    b: int = Field(default=2, ge=0)
    note: str = ""


class Unprintable(Exception):
    """An exception whose text cannot be read."""

    def __str__(self) -> str:
        raise ValueError("no text")


@dataclass
class Recipe:
    """One command class, its subcommand and the way it is run."""

    hooks: dict[str, str] = field(default_factory=dict)
    callbacks: list[tuple[str, str, str, int]] = field(default_factory=list)
    during: tuple[str, str] | None = None
    shadow: tuple[str, str] | None = None
    handler: str | None = None
    handler_equal: bool = True
    savepoints: bool = False
    child: Recipe | None = None
    bang: bool = False
    requires_new: bool = False
    own_init: bool = False
    super_hooks: bool = True
    how: str = "run"
    inputs: dict[str, Any] = field(default_factory=dict)


def recipe(rng: random.Random, depth: int = 0) -> Recipe:
    """Return a random recipe."""
    made = Recipe()
    for hook in HOOKS:
        if rng.random() < 0.17:
            made.hooks[hook] = rng.choice(ACTIONS)
    if rng.random() < 0.4:
        for _ in range(rng.randint(1, 3)):
            made.callbacks.append(
                (
                    rng.choice(("before", "after", "around", "error")),
                    rng.choice(CALLBACKS),
                    rng.choice(CALLBACK_ACTIONS),
                    rng.randint(-1, 1),
                )
            )
    if rng.random() < 0.1:
        made.during = (rng.choice(CALLBACKS), rng.choice(CALLBACK_ACTIONS))
    if rng.random() < 0.1:
        made.shadow = (rng.choice(HOOKS[7:]), rng.choice(ACTIONS))
    if rng.random() < 0.5:
        made.handler = rng.choice(HANDLER_FAILURES)
        made.handler_equal = rng.random() < 0.7
        made.savepoints = rng.random() < 0.3
        made.requires_new = depth > 0 and rng.random() < 0.2
    if depth < 3 and rng.random() < 0.4:
        made.child = recipe(rng, depth + 1)
        made.bang = rng.random() < 0.5
    made.own_init = rng.random() < 0.1
    made.super_hooks = rng.random() < 0.8
    made.how = rng.choice(RUNS)
    made.inputs = rng.choice(
        (
            {"a": 1},
            {"a": 1, "b": 3},
            {"a": 1, "note": "x"},
            {"a": "7"},
            {"a": "x"},
            {},
            {"a": 1, "b": -1, "z": 0},
        )
    )
    return made


class Log(list[Any]):
    """What happened, in order."""


class Handler:
    """A transaction handler that logs its calls and fails at one of them."""

    def __init__(self, log: Log, name: str, fails: str, equal: bool) -> None:
        self.log, self.name, self.fails, self.equal = log, name, fails, equal

    def _call(self, what: str) -> None:
        self.log.append((self.name, what))
        if self.fails == what:
            raise OSError(f"{self.name} {what}")

    def begin(self) -> None:
        self._call("begin")

    def commit(self) -> None:
        self._call("commit")

    def rollback(self) -> None:
        self._call("rollback")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Handler) and self.equal and other.equal

    def __hash__(self) -> int:
        return 1


class SavepointHandler(Handler):
    """The same with savepoints."""

    def savepoint(self) -> str:
        self._call("savepoint")
        return "point"

    def rollback_to(self, token: str) -> None:
        self._call(f"rollback_to {token}")

    def release(self, token: str) -> None:
        self._call(f"release {token}")


def _act(command: Any, action: str, where: str) -> None:
    if action == "add":
        command.add_runtime_error("added", f"in {where}", halt=False, where=where)
    elif action == "add_and_halt":
        command.add_runtime_error("halting", f"in {where}")
    elif action == "halt":
        command.halt()
    elif action == "value":
        raise ValueError(f"value in {where}")
    elif action == "key":
        raise KeyError(where)
    elif action == "interrupt":
        raise KeyboardInterrupt(where)
    elif action == "unprintable":
        raise Unprintable


def _callback(log: Log, kind: str, action: str, name: str) -> Callable[..., Any]:
    if kind == "around":

        def around(command: Any, proceed: Callable[[], Any]) -> Any:
            log.append((name, "in", command.state_name))
            _act(command, action, name)
            result = proceed()
            log.append((name, "out", command.state_name, result))
            return result

        return around
    if kind == "error":

        def failed(command: Any, error: Exception) -> None:
            log.append((name, type(error).__name__, command.state_name))
            _act(command, action, name)

        return failed

    def plain(command: Any) -> None:
        log.append((name, command.state_name, command._result))
        _act(command, action, name)

    return plain


def build(package: ModuleType, made: Recipe, log: Log, machines: list[Any], name: str = "Top") -> Any:
    """Return the command class that *made* describes, with its subcommands."""
    child = None if made.child is None else build(package, made.child, log, machines, f"{name}Sub")
    body: dict[str, Any] = {}

    def hook(which: str) -> Callable[..., Any]:
        action = made.hooks.get(which, "nothing")

        def run(self: Any, *given: Any) -> Any:
            log.append((name, which, self.state_name))
            if which == "execute":
                machines.append(self)
                if made.during is not None:
                    where, what = made.during
                    getattr(self, f"before_{where}")(_callback(log, "before", what, f"{name} own {where}"))
                if made.shadow is not None:
                    hidden, what = made.shadow

                    def shadow(*given: Any) -> Any:
                        log.append((name, "shadow", hidden, self.state_name))
                        _act(self, what, f"shadow of {hidden}")
                        return given[0] if given else None

                    setattr(self, hidden, shadow)
                result = self.inputs.a if self._inputs is not None else None
                if child is not None:
                    call = self.run_subcommand_bang if made.bang else self.run_subcommand
                    log.append((name, "child gave", call(child, **(made.child or made).inputs)))
                _act(self, action, which)
                return result
            _act(self, action, which)
            if which == "after_execute":
                return ("after", *given)
            if made.super_hooks:
                return getattr(super(made_class, self), which)()
            return None

        return run

    for which in {*made.hooks, "execute"}:
        body[which] = hook(which)
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
    base = package.Command[Pair, Any]
    made_class: Any = _class(name, base, body)
    for number, (kind_of, where, action, priority) in enumerate(made.callbacks):
        register = getattr(made_class, f"{kind_of}_{where}")
        register(_callback(log, kind_of, action, f"{name} {kind_of} {where} {number}"), priority=priority)
    return made_class


def _class(name: str, base: Any, body: dict[str, Any]) -> Any:
    import types

    return types.new_class(name, (base,), {}, lambda space: space.update(body))


def _error(error: Any) -> dict[str, Any]:
    return {**error.to_dict(), "type": type(error).__name__}


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as second:
        return f"<{type(second).__name__}>"


def play(package: ModuleType, made: Recipe) -> dict[str, Any]:
    """Run what *made* describes on one backend and return what can be seen of it."""
    log, machines = Log(), list[Any]()
    cls = build(package, made, log, machines)
    if made.how == "subcommand_host":
        inner = cls

        def execute(self: Any) -> Any:
            machines.append(self)
            return self.run_subcommand(inner, **made.inputs)

        cls = _class("Host", package.Command[Pair, Any], {"execute": execute})
    seen: dict[str, Any] = {"log": log}
    try:
        if made.how == "run_instance":
            machines.append(cls(**made.inputs))
            outcome = machines[-1].run_instance()
        elif made.how == "run_with":
            outcome = cls.run_with(Pair(a=5))
        elif made.how == "run_json":
            outcome = cls.run_json(_json(made.inputs))
        elif made.how == "subcommand_host":
            outcome = cls.run(a=1)
        else:
            outcome = cls.run(**made.inputs)
    except BaseException as error:
        if not isinstance(error, (Exception, KeyboardInterrupt)):
            raise
        seen["raised"] = (type(error).__name__, _text(error), getattr(error, "__notes__", []))
        cause = error.__context__
        seen["context"] = None if cause is None else type(cause).__name__
    else:
        seen["success"] = outcome.is_success()
        seen["result"] = outcome.result
        seen["errors"] = [_error(error) for error in outcome.errors]
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


def _json(inputs: dict[str, Any]) -> bytes:
    import json

    return json.dumps(inputs).encode()


def difference(one: ModuleType, other: ModuleType, seed: int) -> str | None:
    """Return what differs between the two backends for the case of *seed*, or None."""
    made = recipe(random.Random(seed))
    left, right = play(one, made), play(other, made)
    for part in sorted({*left, *right}):
        if left.get(part) != right.get(part):
            return (
                f"seed {seed}: {part} differs\n  {one.__name__}: {left.get(part)!r}\n"
                f"  {other.__name__}: {right.get(part)!r}\n  {made!r}"
            )
    return None


def broken_promise(package: ModuleType, seed: int) -> str | None:
    """Return which promise about transactions the case of *seed* breaks, or None."""
    made = recipe(random.Random(seed))
    seen = play(package, made)
    for owner in {entry[0] for entry in seen["log"] if len(entry) == 2 and entry[1] == "begin"}:
        calls = [entry[1] for entry in seen["log"] if len(entry) == 2 and entry[0] == owner]
        ends = [call for call in calls if call in ("commit", "rollback")]
        began = calls.count("begin")
        if ends.count("commit") > began or ends.count("rollback") > began:
            return f"seed {seed}: {owner} closed more often than begun: {calls}\n  {made!r}"
    left_open = [entry[0] for entry in seen["instances"] if entry[5]]
    if left_open:
        return f"seed {seed}: a transaction was left open by {left_open}\n  {made!r}"
    unfinished = [
        entry[:2] for entry in seen["instances"] if entry[1] not in ("succeeded", "failed", "errored")
    ]
    if unfinished:
        return f"seed {seed}: runs without an end {unfinished}\n  {made!r}"
    return None


def cases() -> int:
    """Return how many cases FOOBARA_ACCEL_CASES asks for."""
    return int(os.environ.get("FOOBARA_ACCEL_CASES", DEFAULT_CASES))


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
