"""Seeded random commands on both backends: the same outcome, errors, JSON, problem and exception each time.

    python tests/differential_runs.py --cases 1000000 [--seed 1]

A case is one run. A model is random (see fuzz_guards), its command has a script that is random for each run:
errors, halts, exceptions, subcommands. Both backends run the same script on the same values, through one of
the doors of a command. What they answer is compared by value, type and text.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import random
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable
from types import ModuleType
from typing import Any

from pydantic import BaseModel
from pydantic_core import SchemaError

import fuzz_guards

RUNS_PER_MODEL = 250
DOORS = ("run", "run", "run", "run_json", "run_json", "run_with", "run_or_raise", "run_instance", "await")
DOORS += ("noted",)
PATHS = ((), "field", ("orders", 0, "name"), ("größe",), ("a~b/c",), [1, 2])
SYMBOLS = ("too_short", "not_allowed", "not_found", "timeout", "added")
TEXTS = ("plain", "", 'quoted "text" \\ \n\t\x00', "größe 中 😀", "\ud800", "x" * 300)
VALUES: tuple[Any, ...] = (
    0,
    -1,
    2**70,
    1.5,
    float("nan"),
    float("-inf"),
    -0.0,
    True,
    None,
    "s",
    b"\xff",
    [1, [2]],
)
VALUES += ({"k": {"n": None}, 1: 2}, (1, 2), {3}, fuzz_guards.Number.TWO, fuzz_guards.Nested(n=4), object)

Step = tuple[str, Any]


class Refused(Exception):
    """Raised by scripts; its text may be long."""


class Unprintable(Exception):
    """Its text cannot be read."""

    def __str__(self) -> str:
        raise ValueError("no text")


ERRORS = ("plain", "plain", "bare", "own text", "own key", "own dict", "own field", "own path")


def error_classes(base: Any) -> list[Any]:
    """Return the error class of a backend and what a program may derive from it, in the order of ERRORS."""

    class Bare(base):
        __slots__ = ()

    class OwnText(base):
        def __str__(self) -> str:
            return f"{self.symbol}!"

    class OwnKey(base):
        def key(self) -> str:
            return f"own.{super().key()}"

    class OwnDict(base):
        def to_dict(self) -> dict[str, Any]:
            return {**super().to_dict(), "own": self.symbol}

    class OwnField(base):
        def __init__(self, **fields: Any) -> None:
            super().__init__(**fields)
            self.retry_after = 5

    class OwnPath(base):
        @property
        def path(self) -> Any:
            return ("own", *base.path.__get__(self))

    return [base, base, Bare, OwnText, OwnKey, OwnDict, OwnField, OwnPath]


class Rig:
    """The command classes of one model on one backend; *script* is what their next run does."""

    def __init__(self, package: ModuleType, model: type[BaseModel], small: type[BaseModel]) -> None:
        rig = self
        self.script: list[Step] = []

        class Child(package.Command[small, Any]):  # type: ignore[misc, name-defined]
            def execute(self) -> Any:
                step = rig.script.pop(0) if rig.script else ("nothing", None)
                return rig.act(self, step)

        class Top(package.Command[model, Any]):  # type: ignore[misc, name-defined]
            def execute(self) -> Any:
                return rig.play(self, Child)

        class Noted(Top):
            # Answers for its attributes itself, and refuses what a run should keep without asking.
            def __getattribute__(self, name: str) -> Any:
                rig.noted.append(name)
                return super().__getattribute__(name)

            def __setattr__(self, name: str, value: Any) -> None:
                raise AttributeError(name)

        class Later(package.AsyncCommand[model, Any]):  # type: ignore[misc, name-defined]
            async def execute(self) -> Any:
                return rig.play(self, None)

        self.package, self.command, self.later, self.noting = package, Top, Later, Noted
        self.errors = dict(zip(ERRORS, error_classes(package.FoobaraError), strict=True))
        self.noted: list[str] = []

    def play(self, command: Any, child: Any) -> Any:
        """Do what the script says; the result is the last step's, or the inputs as the command sees them."""
        result: Any = command.inputs
        while self.script:
            step = self.script.pop(0)
            if step[0].startswith("sub"):
                if child is not None:
                    call = command.run_subcommand_bang if step[0] == "sub bang" else command.run_subcommand
                    result = call(child, **step[1])
            else:
                result = self.act(command, step)
        return result

    def act(self, command: Any, step: Step) -> Any:
        """Do one step that involves no other command."""
        kind, given = step
        if kind == "input error":
            path, symbol, message, context = given
            command.add_input_error(path, symbol, message, **context)
        elif kind == "runtime error":
            symbol, message, halt, context = given
            command.add_runtime_error(symbol, message, halt=halt, **context)
        elif kind == "error":
            name, fields = given
            cause = None if fields["cause"] is None else self.errors["own dict"](**fields["cause"])
            command.add_error(self.errors[name](**{**fields, "cause": cause}))
        elif kind == "halt":
            command.halt()
        elif kind == "raise":
            raise given
        return given


def script(rng: random.Random) -> list[Step]:
    """Return what one run does; empty in half of all runs."""
    steps: list[Step] = []
    if rng.random() < 0.5:
        return steps
    for _ in range(rng.randint(1, 4)):
        kind = rng.choice(
            ("input error", "input error", "runtime error", "error", "error", "value", "sub", "sub bang")
            + (("halt", "raise") if rng.random() < 0.3 else ())
        )
        names = rng.sample(("min_length", "where", "größe", "n"), rng.randint(0, 2))
        context = {name: rng.choice(VALUES) for name in names}
        given: Any = rng.choice(VALUES)
        if kind == "input error":
            given = (rng.choice(PATHS), rng.choice(SYMBOLS), rng.choice(TEXTS), context)
        elif kind == "error":
            given = (rng.choice(ERRORS), error_fields(rng, context))
        elif kind == "runtime error":
            given = (rng.choice(SYMBOLS), rng.choice(TEXTS), rng.random() < 0.3, context)
        elif kind == "raise":
            given = rng.choice(
                (ValueError("v"), KeyError("k"), Refused("größe\n"), Unprintable(), KeyboardInterrupt("i"))
            )
        elif kind.startswith("sub"):
            given = rng.choice(({"n": 1}, {"n": "2"}, {"n": "x"}, {}, {"n": 1, "extra": 2}, {"n": 2**70}))
        steps.append((kind, given))
    return steps


def error_fields(rng: random.Random, context: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of an error, most of them given."""
    fields = {
        "category": rng.choice(("data", "runtime", "domain", "system", "auth", "external", "ours")),
        "symbol": rng.choice(SYMBOLS),
        "path": rng.choice(PATHS),
        "message": rng.choice(TEXTS),
        "context": context,
        "runtime_path": rng.choice(((), ("outer",), ("outer", "inner"))),
        "is_fatal": rng.random() < 0.2,
        "severity": rng.choice(("debug", "info", "warning", "error", "critical", "fatal")),
        "suggestion": rng.choice((None, *TEXTS)),
        "help_url": rng.choice((None, "https://example.com/a?b=c")),
        "cause": {"category": "system", "symbol": "first", "path": (), "message": rng.choice(TEXTS)},
    }
    if rng.random() < 0.7:
        fields["cause"] = None
    return fields


def body(rng: random.Random, given: dict[str, Any]) -> bytes | str:
    """Return *given* as JSON as far as it has any, sometimes damaged."""
    text = json.dumps(given, default=repr, ensure_ascii=rng.random() < 0.7)
    roll = rng.random()
    if roll < 0.05 and text:
        at = rng.randrange(len(text))
        text = text[:at] + rng.choice('{}[]",:x\\') + text[at + 1 :]
    elif roll < 0.08:
        return rng.choice((b"", b"null", b"[1]", b"\xff\xfe", b'{"a":', b"1e999", b"NaN", b'{"a":1}{}'))
    return text if roll > 0.8 else text.encode("utf-8", "surrogatepass")


def text_of(error: BaseException) -> str:
    """Return the text of an exception, or the type of what reading it raised."""
    try:
        return str(error)
    except Exception as second:
        return f"<{type(second).__name__}>"


def seen_collection(errors: Any) -> Any:
    """Return what a collection answers to its queries."""

    def keys(found: Any) -> list[str]:
        return [error.key() for error in found]

    return (
        repr(errors),
        errors.to_dict(),
        errors.to_json_bytes(),
        errors.to_human_readable(),
        errors.to_sentence(),
        errors.summary(),
        errors.keys(),
        keys(errors.sort_by_severity()),
        keys(errors.with_suggestions()),
        keys(errors.critical_errors()),
        keys(errors.in_runtime_path("outer")),
        keys(errors.at_path("field")),
        [(path, keys(found)) for path, found in errors.group_by_path().items()],
        [(category, keys(found)) for category, found in errors.group_by_category().items()],
    )


def attempt(call: Callable[[], Any]) -> Any:
    """Return what *call* answers, or the type and text of what it raises."""
    try:
        return call()
    except Exception as error:
        return type(error).__name__, text_of(error)


def describe(value: Any) -> Any:
    """Return what tells two results apart."""
    return type(value).__qualname__, repr(value)


def seen_error(error: Any) -> Any:
    """Return everything an error says about itself."""
    return (
        type(error).__name__,
        error.key(),
        error.to_dict(),
        error.path,
        error.runtime_path,
        error.is_fatal,
        error.context,
        str(error),
        repr(error),
    )


def seen_outcome(outcome: Any, closely: bool) -> Any:
    """Return everything an outcome says: result, errors, JSON, problem; *closely*: its pickle too."""
    found = (
        type(outcome).__name__,
        outcome.is_success(),
        outcome.is_failure(),
        describe(outcome.result),
        [seen_error(error) for error in outcome.errors],
        attempt(outcome.to_dict),
        attempt(outcome.to_json_bytes),
        attempt(outcome.to_problem),
    )
    if not closely:
        return found
    loaded = attempt(lambda: pickle.loads(pickle.dumps(outcome)))
    kept = loaded if isinstance(loaded, tuple) else (loaded.is_success(), attempt(loaded.to_dict))
    return (*found, kept, repr(outcome), attempt(outcome.unwrap), bool(outcome))


def awaited(coroutine: Any) -> Any:
    """Return what a coroutine that never suspends returns."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    coroutine.close()
    raise RuntimeError("the command suspended")


def play(rig: Rig, door: str, steps: list[Step], given: dict[str, Any], data: Any, closely: bool) -> Any:
    """Run a case on one backend and return what can be seen of it."""
    rig.script[:] = steps
    state: Any = None
    try:
        if door == "run":
            outcome = rig.command.run(**given)
        elif door == "run_json":
            outcome = rig.command.run_json(data)
        elif door == "run_with":
            outcome = rig.command.run_with(data)
        elif door == "run_or_raise":
            return "returned", describe(rig.command.run_or_raise(**given))
        elif door == "noted":
            rig.noted.clear()
            outcome = rig.noting.run(**given)
            state = list(rig.noted)
        elif door == "await":
            outcome = awaited(rig.later.run(**given))
        else:
            instance = rig.command(**given)
            outcome = instance.run_instance()
            history = [(before.name, after.name) for before, after in instance.state_machine.history]
            state = (instance.state_name, history, seen_collection(instance.errors))
    except (Exception, KeyboardInterrupt) as error:
        errors = [seen_error(each) for each in getattr(error, "errors", ())] if door == "run_or_raise" else []
        return "raised", type(error).__name__, text_of(error), getattr(error, "__notes__", []), errors
    return "ended", state, seen_outcome(outcome, closely)


def made_model(rng: random.Random) -> type[BaseModel]:
    """Return a random model that pydantic takes."""
    while True:
        try:
            return fuzz_guards.model(rng)
        except SchemaError:  # bounds that exclude each other
            continue


def run(one: ModuleType, other: ModuleType, cases: int, seed: int) -> Counter[str]:
    """Hold *cases* runs on *one* against *other*; return how many ended how, by door.

    Raises AssertionError that tells the first difference and how to see it again.
    """
    rng = random.Random(seed)
    counts: Counter[str] = Counter()
    done = 0
    while done < cases:
        model = made_model(rng)
        rigs = Rig(one, model, fuzz_guards.Nested), Rig(other, model, fuzz_guards.Nested)
        values = fuzz_guards.pools(rng, model)
        for _ in range(min(RUNS_PER_MODEL, cases - done)):
            done += 1
            door = rng.choice(DOORS)
            given, steps, data = fuzz_guards.arguments(rng, values), script(rng), None
            if door == "run_json":
                data = body(rng, given)
            elif door == "run_with":
                data = attempt(lambda: model.__pydantic_validator__.validate_python(dict(given)))  # noqa: B023
                if not isinstance(data, model) and rng.random() < 0.8:
                    door = "run"
            closely = rng.random() < 0.05
            left, right = (play(rig, door, steps, given, data, closely) for rig in rigs)
            # By repr: nan is unequal to itself, 1 equal to True and -0.0 to 0.0.
            if repr(left) != repr(right):
                raise AssertionError(
                    f"seed {seed}, case {done}: {door} of {model.model_fields} {model.model_config}\n"
                    f"  inputs {given!r}\n  data {data!r}\n  script {steps!r}\n"
                    f"  {one.__name__}: {left!r}\n  {other.__name__}: {right!r}"
                )
            end = left[0] if left[0] != "ended" else ("failure", "success")[left[2][1]]
            counts[f"{door} {end}"] += 1
    return counts


def main() -> int:
    """Hold the backends against each other from the command line; 1 when they differ."""
    import foobara_accel
    from foobara_accel.testing import load_twin

    parser = argparse.ArgumentParser(description="Random commands on both backends, answers compared.")
    parser.add_argument("--cases", type=int, default=int(os.environ.get("FOOBARA_ACCEL_CASES", 1_000_000)))
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if str(foobara_accel.backend()) != "c":
        print(f"no compiled backend: {foobara_accel.backend().reason}")
        return 1
    warnings.simplefilter("ignore")
    started = time.monotonic()
    try:
        counts = run(foobara_accel, load_twin("py"), options.cases, options.seed)
    except AssertionError as error:
        print(error)
        return 1
    for name, count in sorted(counts.items()):
        print(f"{count:10} {name}")
    took = time.monotonic() - started
    print(f"{sum(counts.values())} runs, compiled and pure equal on each, {took:.0f} s, seed {options.seed}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
