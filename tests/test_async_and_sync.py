"""A command and its async counterpart, made of one random description, behave alike in all that is seen."""

from __future__ import annotations

import random
import types
from types import ModuleType
from typing import Any

import async_lifecycle_machine as later
import lifecycle_machine as now
from lifecycle_machine import Log, Pair, Recipe, cases, recipe


def chain(error: BaseException) -> list[tuple[str, str, list[str]]]:
    """Type, text and notes of an exception and of each in its context."""
    found, each = [], error
    while each is not None:
        found.append((type(each).__name__, now._text(each), getattr(each, "__notes__", [])))
        each = each.__context__
    return found


def start(cls: Any, made: Recipe, machines: list[Any]) -> Any:
    if made.how == "run_instance":
        machines.append(cls(**made.inputs))
        return machines[-1].run_instance()
    if made.how == "run_with":
        return cls.run_with(Pair(a=5))
    if made.how == "run_json":
        return cls.run_json(now._json(made.inputs))
    return cls.run(a=1) if made.how == "subcommand_host" else cls.run(**made.inputs)


def play(package: ModuleType, made: Recipe, seed: int | None) -> dict[str, Any]:
    """Run what *made* describes as sync commands, or with a *seed* of where it waits as async ones."""
    log, machines = Log(), list[Any]()
    if seed is None:
        cls = now.build(package, made, log, machines)
        inner = cls

        def execute(self: Any) -> Any:
            machines.append(self)
            return self.run_subcommand(inner, **made.inputs)

        base: Any = package.Command[Pair, Any]
    else:
        cls = later.build(package, made, log, machines, random.Random(f"async {seed}"))
        inner = cls

        async def execute(self: Any) -> Any:
            machines.append(self)
            return await self.run_subcommand(inner, **made.inputs)

        base = package.AsyncCommand[Pair, Any]
    if made.how == "subcommand_host":
        cls = types.new_class("Host", (base,), {}, lambda space: space.update(execute=execute))
    seen: dict[str, Any] = {}
    try:
        outcome = start(cls, made, machines)
        if seed is not None:
            outcome = later.drive(outcome, -1, "", log)
    except (Exception, KeyboardInterrupt) as error:
        seen["raised"] = chain(error)
    else:
        seen["success"] = outcome.is_success()
        seen["result"] = outcome.result
        seen["errors"] = [now._error(error) for error in outcome.errors]
    seen["log"] = [entry for entry in log if entry[0] != "waits"]
    seen["instances"] = [
        (
            type(command).__name__,
            command.state_name,
            [(before.name, after.name) for before, after in command.state_machine.history],
            [now._error(error) for error in command.errors],
            repr(command._result),
            None if command._transaction is None else command._transaction.is_active,
        )
        for command in machines
    ]
    return seen


def scenario(seed: int) -> Recipe:
    """Return the recipe of *seed*, every other one with more callbacks."""
    rng = random.Random(seed)
    made = recipe(rng)
    if seed % 2:
        for _ in range(rng.randint(1, 5)):
            made.callbacks.append(
                (
                    rng.choice(("before", "after", "around", "error")),
                    rng.choice(now.CALLBACKS),
                    rng.choice(now.CALLBACK_ACTIONS),
                    rng.randint(-1, 1),
                )
            )
    return made


def difference(package: ModuleType, seed: int) -> str | None:
    """Return what differs between the two kinds for the case of *seed*, or None."""
    made = scenario(seed)
    sync, other = play(package, made, None), play(package, made, seed)
    for part in ("raised", "success", "errors", "result", "log", "instances"):
        if sync.get(part) != other.get(part):
            return (
                f"seed {seed}: {part} differs\n  sync:  {sync.get(part)!r}\n"
                f"  async: {other.get(part)!r}\n  {made!r}"
            )
    return None


def test_both_kinds_of_command_behave_alike(fa: ModuleType) -> None:
    found = [text for seed in range(cases()) if (text := difference(fa, seed)) is not None]
    assert not found, "\n".join(found[:3])
