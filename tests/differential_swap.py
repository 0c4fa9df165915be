"""Random command programs on foobara_py as it is and with its hot methods replaced: all is the same.

    FOOBARA_PY_PATH=... python tests/differential_swap.py --cases 20000 [--seed 1] [--backend c] [--fixes all]

A program is a few command classes (hooks, callbacks, transactions, overridden methods, subcommands, sync or
async) and one or two runs of the last of them. Two processes write the same programs from the same seed, one
plain and one with the replacements, and tell what was seen: outcomes, errors with identity and order, states,
histories, calls of transaction handlers, escaping exceptions with their chain, inputs, attributes, pickles.
With repairs, the plain process has them too, written another way (`Repaired`). Each process ends after some
thousand programs, as foobara_py keeps what it is given in registries, and says how much memory it took: a
program that takes a great deal is named by it.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import json
import os
import pickle
import random
import subprocess
import sys
import types
import warnings
from collections.abc import Callable, Generator
from typing import Any, ClassVar

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, field_validator, model_validator

import swap_target

REPAIRS = ("rollback-on-escape", "close-failed-open", "call-hooks")
GREEDY = 200  # megabytes: a program that takes more is told of
PHASES = (
    "open_transaction",
    "cast_and_validate_inputs",
    "load_records",
    "validate_records",
    "validate",
    "execute",
    "commit_transaction",
)


# -- the inputs models -----------------------------------------------------------------------------


class Pair(BaseModel):
    a: int
    b: int


class Bounded(BaseModel):
    a: int = Field(ge=0, le=10)
    b: str = Field("x", min_length=1, max_length=3)
    c: float | None = None


class Checked(BaseModel):
    a: Any = 0
    b: int = 1

    @field_validator("a")
    @classmethod
    def look(cls, value: Any) -> Any:
        if value == "value":
            raise ValueError("no value")
        if value == "key":
            raise KeyError("no key")
        if value == "type":
            raise TypeError("no type")
        if value == "assert":
            raise AssertionError("no")
        if value == "interrupt":
            raise KeyboardInterrupt("in a validator")
        return [value]


class Early(BaseModel):
    a: int = 1
    b: Any = None

    @model_validator(mode="before")
    @classmethod
    def change(cls, data: Any) -> Any:
        data["b"] = "changed"
        return data


class Other(BaseModel):
    a: Any = 1
    b: Any = 2

    @model_validator(mode="after")
    def other(self) -> Any:
        return Pair(a=98, b=99) if self.a == 1 else self


class Aliased(BaseModel):
    model_config = ConfigDict(extra="forbid")
    a: int = Field(alias="A", default=3)
    b: list[int] = Field(default_factory=list, validation_alias=AliasChoices("b", "bb"))


class Open(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)
    a: int | str = 1


class Built(BaseModel):
    a: int = 1

    def __init__(self, **data: Any) -> None:
        super().__init__(**{"a": 5, **data})


class Private(BaseModel):
    a: int = 1
    _seen: int = 7


class Tree(BaseModel):
    a: int = 1
    b: Pair | Tree | None = None


class Forgetful(BaseModel):
    model_config = ConfigDict(strict=True)
    a: bool = False
    b: dict[str, int] = {}


MODELS = (
    Pair,
    Pair,
    Pair,
    Bounded,
    Bounded,
    Checked,
    Early,
    Other,
    Aliased,
    Open,
    Built,
    Private,
    Tree,
    Forgetful,
)
VALUES: tuple[Any, ...] = (
    *(1, 2, 5, 0, -1, 11, 2**70, "1", "x", "", "wxyz", None, True, 1.5, 2.0, b"1", [1], {"k": 1}, (1, 2)),
    *("value", "key", "type", "assert", "interrupt", {"a": 1, "b": 2}, "\ud800"),
)


class Word(str):
    __slots__ = ()


# -- what is seen ----------------------------------------------------------------------------------


class Refused(Exception):
    """Raised by scripts."""


class Stop(BaseException):
    """Raised by scripts, past ``except Exception``."""


class Unprintable(Exception):
    def __str__(self) -> str:
        raise Refused("no text")


class View:
    """Shows values of one program without addresses: what has identity is numbered as it is met."""

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}
        self._kept: list[Any] = []
        self._shown: set[int] = set()  # in full, in the value that is shown now

    def number(self, value: Any) -> int:
        if id(value) not in self._numbers:
            self._numbers[id(value)] = len(self._numbers)
            self._kept.append(value)
        return self._numbers[id(value)]

    def __call__(self, value: Any, depth: int = 0) -> Any:
        kind = type(value)
        if depth == 0:
            self._shown.clear()
        if value is None or kind in (int, str, bool, float, bytes):
            return repr(value)
        if depth > 6:
            return "..."
        if kind in (list, tuple, set):
            return [kind.__name__, *[self(item, depth + 1) for item in value]]
        if kind is dict:
            return ["dict", *[[self(key), type(key).__name__, self(value[key], depth + 1)] for key in value]]
        if isinstance(value, BaseModel):
            parts = [kind.__name__, self(dict(value.__dict__), depth + 1), sorted(value.model_fields_set)]
            return [*parts, self(value.__pydantic_extra__), self(value.__pydantic_private__)]
        if isinstance(value, BaseException):
            return self.exception(value, depth)
        if kind.__name__ == "FoobaraError":
            if id(value) in self._shown:
                return ["error", self.number(value)]
            self._shown.add(id(value))
            fields = [self(getattr(value, name), depth + 1) for name in kind.__slots__]
            return ["error", self.number(value), *fields]
        if isinstance(value, int | str):
            return [kind.__name__, str(value)]
        return [kind.__name__, self.number(value)]

    def exception(self, error: BaseException, depth: int = 0) -> Any:
        if depth == 0:
            self._shown.clear()
        if id(error) in self._shown:
            return [type(error).__name__, self.number(error)]
        self._shown.add(id(error))
        try:
            text = str(error)
        except Exception as second:
            text = f"<{type(second).__name__}>"
        chain = [error.__context__, error.__cause__]
        shown = [None if link is None or depth > 6 else self.exception(link, depth + 1) for link in chain]
        return [type(error).__name__, self.number(error), text, error.__suppress_context__, *shown]

    def command(self, command: Any) -> Any:
        names = (
            "_raw_inputs",
            "_inputs",
            "_result",
            "_outcome",
            "_subcommand_runtime_path",
            "_loaded_records",
        )
        seen: dict[str, Any] = {name: self(getattr(command, name, "unset")) for name in names}
        seen["class"] = type(command).__name__
        seen["own"] = sorted([name, self(value)] for name, value in vars(command).items())
        machine = command._state_machine
        seen["state"] = [type(machine._state).__name__, int(machine._state)]
        seen["history"] = [[int(a), int(b), type(a).__name__] for a, b in machine._transition_history]
        transaction = getattr(command, "_transaction", "unset")
        if type(transaction).__name__ == "TransactionContext":
            transaction = [transaction._depth, transaction._failed]
        seen["transaction"] = self(transaction)
        errors = command._errors
        if type(errors).__name__ == "ErrorCollection":
            seen["errors"] = [self(error) for error in errors.all()]
            seen["ids"] = [key == id(error) for key, error in errors._errors_by_id.items()]
            seen["index"] = self(errors._errors_by_key)
            seen["fatal"] = repr(errors._has_fatal)
        return seen


def pickled(value: Any) -> Any:
    """Return what is read back from a pickle of *value*, or why there is none."""
    try:
        return pickle.loads(pickle.dumps(value))
    except Exception as error:
        return type(error).__name__


# -- a program -------------------------------------------------------------------------------------


class Suspend:
    """An awaitable that lets its driver in once."""

    def __await__(self) -> Generator[Any, Any, Any]:
        return (yield "suspended")


class Record:
    """What a class loads by its ``_loads``."""

    def __init__(self, from_input: str, into: str, required: bool, mode: str) -> None:
        self.from_input, self.into, self.required = from_input, into, required
        self.entity_class = types.SimpleNamespace(__name__="Entity", find=lambda key: self.find(mode, key))

    def find(self, mode: str, key: Any) -> Any:
        if mode == "raise":
            raise Refused("no repository")
        return None if mode == "none" else ["record", key]


class Handler:
    """A transaction handler that tells what is called, and may fail."""

    def __init__(self, log: list[Any], failing: str | None, error: type[BaseException]) -> None:
        self.log, self.failing, self.error = log, failing, error

    def _call(self, name: str) -> None:
        self.log.append(["handler", name])
        if self.failing == name:
            raise self.error(name)

    def begin(self) -> None:
        self._call("begin")

    def commit(self) -> None:
        self._call("commit")

    def rollback(self) -> None:
        self._call("rollback")


class Program:
    """Some command classes and what is done with the last of them."""

    def __init__(self, classes: Any, rng: random.Random) -> None:
        self.classes, self.rng = classes, rng
        self.view = View()
        self.log: list[Any] = []
        self.commands: list[Any] = []
        self.made: list[Any] = []
        self.steps_left = 60

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    # scripts: drawn when the class is made, so that both sides draw alike

    def script(self, most: int = 2, calm: float = 0.5) -> list[tuple[str, Any]]:
        """Return what a hook or callback does, nothing in a share *calm* of all cases."""
        if self.chance(calm):
            return []
        return [self.step() for _ in range(self.rng.randint(1, most))]

    def step(self) -> tuple[str, Any]:
        rng = self.rng
        kinds = (
            *(
                "runtime",
                "runtime",
                "input",
                "input",
                "error",
                "halt",
                "raise",
                "raise",
                "stop",
                "touch",
                "look",
            ),
            *(
                "set",
                "sub",
                "sub",
                "sub",
                "bang",
                "bang",
                "mapped",
                "hook",
                "callback",
                "machine",
                "class",
                "again",
            ),
            *(
                "hook",
                "hook",
                "hook",
                "odd",
                "same error",
                "cast",
                "clear",
                "key",
                "raw",
                "flag",
                "config",
                "patch",
                "domain",
            ),
        )
        kind = rng.choice(kinds)
        given: Any = rng.randrange(1000)
        if kind in ("sub", "bang", "mapped"):
            given = (given, self.inputs())
        if kind in ("hook", "callback", "patch"):
            name = rng.choice(
                (
                    *PHASES,
                    "execute",
                    "commit_transaction",
                    "_fail",
                    "_execute_phase",
                    "add_error",
                    "rollback_transaction",
                )
            )
            steps = [self.simple() for _ in range(rng.randint(0, 2))]
            given = (name, steps, rng.choice(("before", "after", "around", "error")), given)
        return kind, given

    def simple(self) -> tuple[str, Any]:
        kind = self.rng.choice(("runtime", "input", "halt", "raise", "touch", "look", "set"))
        return kind, self.rng.randrange(1000)

    def inputs(self) -> dict[str, Any]:
        rng = self.rng
        if self.chance(0.5):
            return {"a": rng.choice((1, 2, 5, "3")), "b": rng.choice((1, 2, "x"))}
        names = rng.sample(("a", "b", "c", "A", "bb", "extra", Word("a")), rng.randint(0, 4))
        given = {name: rng.choice(VALUES) for name in names}
        if self.chance(0.02):
            given["_runtime_path"] = ("given",)
        return given

    def play(self, command: Any, steps: list[tuple[str, Any]], label: str) -> Any:
        """Do *steps* with *command*; the result is what the last of them gives."""
        if len(self.log) > 2000:
            raise Stop("runs within runs within runs")
        result: Any = None
        machine = getattr(command, "_state_machine", None)
        self.log.append([label, int(machine._state), len(machine._transition_history)])
        for kind, given in steps:
            self.steps_left -= 1
            if self.steps_left < 0:
                return result
            result = getattr(self, "do_" + kind.replace(" ", "_"))(command, given)
        return result

    def do_runtime(self, command: Any, given: int) -> Any:
        context = {"n": given} if given % 3 else {}
        if given % 7 == 0:
            context["is_fatal"] = given % 2 == 0
        if given % 11 == 0:
            context["suggestion"] = "try again"
        if given % 13 == 0:
            context["severity"] = "odd"
        if given % 17 == 0:
            context["path"] = ["p", "q"]
        command.add_runtime_error(f"s{given % 5}", f"message {given}", halt=given % 4 == 0, **context)

    def do_input(self, command: Any, given: int) -> Any:
        path: Any = (["a"], ("a", "b"), [], (), "text", ["a", 1])[given % 6]
        context: dict[str, Any] = {"n": given} if given % 3 else {}
        if given % 7 == 0:
            context["suggestion"] = "other"
        if given % 11 == 0:
            context["is_fatal"] = True
        command.add_input_error(path, f"s{given % 5}", f"message {given}", **context)

    def new_error(self, given: int) -> Any:
        error = self.classes.FoobaraError
        makers: tuple[Callable[[], Any], ...] = (
            lambda: error("runtime", "made", (), "by hand", {"n": given}),
            lambda: error.data_error("made", ["p", "q"], "text", n=given),
            lambda: error.validation_error("made", ("p",), "text"),
            lambda: error.runtime_error("made", "text", is_fatal=True, suggestion="so"),
            lambda: error.domain_error("made", "text", ("p",), n=given),
            lambda: error.system_error("made", "text"),
            lambda: error.auth_error("made", "text", n=1),
            lambda: error.external_error("made", "text", service="S", n=1),
            lambda: error.from_exception(Refused("why")),
            lambda: error.runtime_error("made", "text").with_cause(error("system", "deep", (), "cause")),
            lambda: error("data", "made", ["x"], "m", {}, ["r"], True).with_path_prefix("y", "z"),
            lambda: error("data", "made", ["x"], "m").with_suggestion("s").with_help_url("http://h"),
            lambda: error("domain", "made", runtime_path=("r",)).with_runtime_path_prefix("q"),
            lambda: error.data_error("made", "abc", "text", category="twice"),
        )
        return makers[given % len(makers)]()

    def do_error(self, command: Any, given: int) -> Any:
        error = self.new_error(given)
        self.made.append(error)
        if given % 3 == 0:
            error.key()
        command.add_error(error)
        return error

    def do_same_error(self, command: Any, given: int) -> Any:
        if self.made:
            command.add_error(self.made[given % len(self.made)])

    def do_halt(self, command: Any, given: int) -> Any:
        command.halt()

    def do_raise(self, command: Any, given: int) -> Any:
        kinds = (ValueError, KeyError, Refused, Unprintable, self.classes.Halt, RecursionError, StopIteration)
        error = kinds[given % len(kinds)](f"raised {given}")
        if given % 5 == 0:
            try:
                raise Refused("first")
            except Refused:
                raise error from (None if given % 2 else ValueError("cause"))
        raise error

    def do_stop(self, command: Any, given: int) -> Any:
        raise (Stop, KeyboardInterrupt, SystemExit, GeneratorExit)[given % 4](given)

    def do_touch(self, command: Any, given: int) -> Any:
        self.log.append(["inputs", self.view(command.inputs)])
        return command.inputs

    def do_look(self, command: Any, given: int) -> Any:
        self.log.append(["look", self.view.command(command)])
        return given

    def do_set(self, command: Any, given: int) -> Any:
        setattr(command, f"note_{given % 3}", given)
        return [given]

    def do_sub(self, command: Any, given: Any) -> Any:
        which, inputs = given
        result = command.run_subcommand(self.pick(which, command), **inputs)
        self.log.append(["sub", self.view(result)])
        return result

    def do_bang(self, command: Any, given: Any) -> Any:
        which, inputs = given
        call = command.run_subcommand_bang if which % 2 else command.run_subcommand_
        return call(self.pick(which, command), **inputs)

    def do_mapped(self, command: Any, given: Any) -> Any:
        which, inputs = given
        inputs.pop("_runtime_path", None)
        return command.run_mapped_subcommand(self.pick(which, command), unmapped_inputs=dict(inputs))

    def pick(self, which: int, command: Any) -> Any:
        before = [cls for cls in self.subs if cls.__name__ < type(command).__name__]
        if not before or which % 23 == 0:
            return (Pair, object, None, type(command))[which % 4]
        return before[which % len(before)]

    def do_hook(self, command: Any, given: Any) -> Any:
        name, steps, _, _ = given
        bound = getattr(command, name)

        def hook(*args: Any, **kwargs: Any) -> Any:
            self.play(command, steps, f"own {name}")
            return bound(*args, **kwargs)

        setattr(command, name, hook)

    def do_patch(self, command: Any, given: Any) -> Any:
        name, steps, _, _ = given
        cls = type(command)
        before = getattr(cls, name)

        def patched(this: Any, *args: Any, **kwargs: Any) -> Any:
            self.play(this, steps, f"patched {name}")
            return before(this, *args, **kwargs)

        setattr(cls, name, patched)

    def do_callback(self, command: Any, given: Any) -> Any:
        name, steps, kind, number = given
        transition = name if name in PHASES else None
        type(command)._enhanced_callback_registry.register(
            kind, self.callback(kind, steps, number), transition=transition, priority=number % 3 - 1
        )

    def callback(self, kind: str, steps: list[Any], number: int) -> Any:
        """Return a callback of that kind."""
        if kind == "around":

            def around(command: Any, proceed: Any) -> Any:
                self.play(command, steps, f"around {number}")
                results = [proceed() for _ in range((1, 1, 1, 0, 2)[number % 5])]
                self.play(command, [], f"around {number} ends")
                return results[-1] if results else number

            return around
        if kind == "error":

            def failing(command: Any, error: BaseException) -> None:
                self.log.append(["error callback", self.view(error)])
                self.play(command, steps, f"error {number}")

            return failing

        def plain(command: Any) -> Any:
            return self.play(command, steps, f"{kind} {number}")

        return plain

    def do_machine(self, command: Any, given: int) -> Any:
        machine, states = command._state_machine, tuple(self.classes.CommandState)
        actions: tuple[Callable[[], Any], ...] = (
            machine.fail,
            machine.error,
            machine.succeed,
            machine.reset,
            lambda: machine.transition_to(states[given % 11]),
            lambda: machine.transition_to(given % 11),
            lambda: setattr(machine, "_state", given % 11),
            lambda: setattr(command, "_state_machine", self.classes.CommandStateMachine()),
            lambda: setattr(machine, "_transition_history", list(machine._transition_history)),
            lambda: [machine.is_terminal, machine.can_fail, command.state_name],
        )
        result = actions[given % len(actions)]()
        self.log.append(["machine", self.view(result)])
        return result

    def do_class(self, command: Any, given: int) -> Any:
        type(command).counted = getattr(type(command), "counted", 0) + 1
        return type(command).counted

    def do_again(self, command: Any, given: int) -> Any:
        # An executor that such a run takes from the one around it cannot be told from one never made.
        if self.steps_left > 40 and type(command)._enhanced_callback_registry is not None:
            outcome = command.run_instance()
            self.log.append(["again", self.view(getattr(outcome, "errors", None))])

    def do_odd(self, command: Any, given: int) -> Any:
        cls = type(command)
        choice = given % 9
        if choice == 0:
            command._errors = self.classes.ErrorCollection()
        elif choice == 1:
            command._transaction = self.classes.TransactionContext(Handler(self.log, None, Refused))
        elif choice == 2:
            cls._enhanced_callback_registry = None
        elif choice == 3:
            command._loaded_records = {}
        elif choice == 4:
            command._inputs = None
        elif choice == 5:
            cls._loads = [Record("a", "record", True, ("none", "raise", "found")[given % 3])]
        elif choice == 6:
            command.errors.add_all(self.new_error(given), self.new_error(given + 1))
        elif choice == 7:
            cls._enhanced_callback_registry = self.classes.EnhancedCallbackRegistry()
        else:
            registry = cls._enhanced_callback_registry
            if registry is not None:
                states = tuple(self.classes.CommandState)
                registry.compile_chain(states[5], states[6], "execute")

    def do_cast(self, command: Any, given: int) -> Any:
        command.cast_and_validate_inputs() if hasattr(command, "validate") else command.validate_inputs()

    def do_clear(self, command: Any, given: int) -> Any:
        command.errors.clear()

    def do_key(self, command: Any, given: int) -> Any:
        errors = command.errors
        shown = [errors.keys(), errors.to_list(), errors.messages(), errors.has_fatal(), errors.count()]
        self.log.append(["keys", self.view(shown)])
        return errors.first()

    def do_raw(self, command: Any, given: int) -> Any:
        if given % 3 == 0:
            command._raw_inputs = {"a": 2, "b": 3}
        elif given % 3 == 1:
            command._raw_inputs["a"] = 4
        else:
            command._raw_inputs = {1: 2} if given % 2 else types.MappingProxyType({"a": 1, "b": 1})

    def do_flag(self, command: Any, given: int) -> Any:
        setattr(type(command), ("_has_before_execute", "_has_after_execute")[given % 2], given % 3 > 0)

    def do_config(self, command: Any, given: int) -> Any:
        config = self.config(given)
        if given % 3 == 0 and config is not None:
            command._transaction_config = config
        elif config is not None:
            type(command)._transaction_config = config

    def do_domain(self, command: Any, given: int) -> Any:
        type(command)._domain = (None, "A", "B", "C")[given % 4]

    def config(self, number: int) -> Any:
        """Return a transaction config, or None for the default."""
        kind = self.classes.TransactionConfig
        failing = (None, None, None, None, "begin", "commit", "rollback")[number % 7]
        error = (Refused, Refused, Stop, self.classes.Halt)[number % 4]
        choice = number % 5
        if choice == 0:
            return kind.disabled()
        if choice == 1:
            return kind.with_handler(lambda: None)
        if choice == 2:
            return None
        return kind.with_handler(lambda: Handler(self.log, failing, error))

    # the classes

    def write(self) -> None:
        """Make the classes."""
        self.subs: list[Any] = []
        for number in range(self.rng.choice((1, 1, 2, 2, 3))):
            self.subs.append(self.command_class(f"C{number}", self.classes.Command))
        self.last = self.subs[-1]
        if self.chance(0.2):
            self.last = self.command_class("C9", self.classes.AsyncCommand)

    def command_class(self, name: str, base: Any) -> Any:
        rng = self.rng
        is_async = base is self.classes.AsyncCommand
        model = rng.choice(MODELS)
        bases: tuple[Any, ...] = (base[model, Any],)
        if not is_async and self.subs and self.chance(0.2):
            bases = (rng.choice(self.subs),)
        if self.chance(0.05):
            bases = (base,)
        body: dict[str, Any] = {"__module__": __name__}
        if self.chance(0.1):
            bases = (*bases, types.new_class("Mixin", (), {}, lambda space: space.update(self.mixin())))
        steps = self.script(3, 0.35)
        final = ("touch" if self.chance(0.6) else "set", rng.randrange(9))
        if is_async:
            self.async_body(body, steps, final)
        else:
            self.sync_body(body, steps, final)
        if self.chance(0.15):
            body["_domain"] = rng.choice(("A", "B", "C"))
        made = types.new_class(name, bases, {}, lambda space: space.update(body))
        self.register(made)
        return made

    def mixin(self) -> dict[str, Any]:
        steps = self.script()
        name = self.rng.choice(("validate", "shared", "_has_after_execute", "execute"))
        if name.startswith("_"):
            return {name: True}

        def method(command: Any) -> Any:
            return self.play(command, steps, f"mixin {name}")

        return {name: method}

    def sync_body(self, body: dict[str, Any], steps: list[Any], final: Any) -> None:
        rng, program = self.rng, self

        def execute(command: Any) -> Any:
            program.commands.append(command)
            return program.play(command, [*steps, final], "execute")

        if not self.chance(0.03):
            body["execute"] = execute
        for name in PHASES:
            if name != "execute" and self.chance(0.08):
                body[name] = self.hook(name, self.script())
        for flag, name in (
            ("_has_before_execute", "before_execute"),
            ("_has_after_execute", "after_execute"),
        ):
            if self.chance(0.1):
                body[name] = self.hook(name, self.script())
                if self.chance(0.7):
                    body[flag] = self.chance(0.9)
        if self.chance(0.1):
            body["_loads"] = [Record("a", "record", self.chance(0.5), rng.choice(("none", "found", "raise")))]
        if self.chance(0.3):
            config = self.config(rng.randrange(1000))
            if config is not None:
                body["_transaction_config"] = config
        if self.chance(0.15):
            self.override(body)

    def hook(self, name: str, steps: list[Any], up: bool | None = None) -> Any:
        program, calls_up = self, self.chance(0.6) if up is None else up

        def method(command: Any, *args: Any, **kwargs: Any) -> Any:
            program.play(command, steps, name)
            if calls_up:
                return getattr(super(program.owner(command, method), command), name)(*args, **kwargs)
            return args[0] if args else None

        return method

    def owner(self, command: Any, method: Any) -> Any:
        for cls in type(command).__mro__:
            for value in vars(cls).values():
                if value is method or getattr(value, "__func__", None) is method:
                    return cls
        raise Refused("nobody's method")

    def override(self, body: dict[str, Any]) -> None:
        program = self
        names = (
            *(
                "_execute_phase",
                "_fail",
                "add_error",
                "rollback_transaction",
                "run_instance",
                "run_subcommand",
            ),
            *(
                "__init__",
                "__setattr__",
                "inputs_type",
                "inputs",
                "full_command_symbol",
                "run",
                "__getattribute__",
            ),
            *("_validate_cross_domain_call", "errors", "__new__", "add_input_error", "run_subcommand_bang"),
        )
        name = self.rng.choice(names)
        steps = self.script(1, 0.7)
        calls = [0]

        def method(command: Any, *args: Any, **kwargs: Any) -> Any:
            program.log.append(["overridden", name])
            if name not in ("__init__", "__setattr__", "__getattribute__", "__new__"):
                calls[0] += 1
                if calls[0] < 20:
                    program.play(command, steps, f"overridden {name}")
            return getattr(super(program.owner(command, method), command), name)(*args, **kwargs)

        def of_class(cls: Any, *args: Any, **kwargs: Any) -> Any:
            program.log.append(["overridden", name])
            if name == "inputs_type":
                return Pair
            owner = next(
                base for base in cls.__mro__ if getattr(vars(base).get(name), "__func__", None) is of_class
            )
            return getattr(super(owner, cls), name)(*args, **kwargs)

        if name in ("inputs_type", "full_command_symbol", "run"):
            body[name] = classmethod(of_class)
        elif name in ("inputs", "errors"):
            body[name] = property(lambda command: getattr(command, f"_{name}"))
        elif name == "__new__":
            body[name] = lambda cls, *args, **kwargs: object.__new__(cls)
        elif name == "__getattribute__":
            body[name] = lambda command, attribute: object.__getattribute__(command, attribute)
        else:
            body[name] = method

    def async_body(self, body: dict[str, Any], steps: list[Any], final: Any) -> None:
        program = self
        suspends = self.chance(0.3)

        async def execute(command: Any) -> Any:
            program.commands.append(command)
            if suspends:
                program.log.append(["sent", program.view(await Suspend())])
            return program.play(command, [*steps, final], "execute")

        body["execute"] = execute
        for name in ("before_execute", "after_execute"):
            if self.chance(0.2):
                body[name] = self.async_hook(name, self.script(), self.chance(0.1))
        if self.chance(0.1):
            body["validate_inputs"] = self.hook("validate_inputs", self.script())

    def async_hook(self, name: str, steps: list[Any], plain: bool) -> Any:
        program = self

        async def method(command: Any, *args: Any) -> Any:
            program.play(command, steps, name)
            return [name, *args]

        return (lambda command, *args: args) if plain else method

    def register(self, cls: Any) -> None:
        if not self.chance(0.35):
            return
        rng, states = self.rng, tuple(self.classes.CommandState)
        for _ in range(rng.randint(1, 4)):
            kind = rng.choice(("before", "before", "after", "after", "around", "error", "odd"))
            conditions: dict[str, Any] = {}
            if self.chance(0.4):
                conditions["transition"] = rng.choice(PHASES)
            if self.chance(0.25):
                conditions["from_state"] = rng.choice((*states[:7], 5, 1))
            if self.chance(0.25):
                conditions["to_state"] = rng.choice((*states[1:8], 6))
            steps = self.script(2, 0.6)
            callback = self.callback(kind, steps, rng.randrange(1000))
            cls._enhanced_callback_registry.register(
                kind, callback, priority=rng.randrange(-1, 2), **conditions
            )

    # the runs

    def run(self) -> Any:
        """Return everything that was seen."""
        domain = self.classes.Domain
        domain._registry.clear()
        domain._cross_domain_calls.clear()
        self.classes.TransactionRegistry.clear()
        domain("A").depends_on("B")
        domain("C")
        self.write()
        if self.chance(0.1):
            found = Handler(self.log, self.rng.choice((None, "commit")), Refused)
            self.classes.TransactionRegistry.register(lambda: self.log.append("detected") or found)
        seen = []
        for _ in range(self.rng.choice((1, 1, 2))):
            self.steps_left = 60
            seen.append(self.once(self.rng.choice(("run", "run", "run", "instance", "twice", "cast first"))))
        calls = sorted(domain._cross_domain_calls.items())
        callbacks = [
            len(cls._enhanced_callback_registry._callbacks)
            for cls in self.subs
            if cls._enhanced_callback_registry
        ]
        commands = [self.view.command(command) for command in self.commands]
        return {"seen": seen, "log": self.log, "commands": commands, "calls": calls, "callbacks": callbacks}

    def once(self, door: str) -> Any:
        given = self.inputs()
        kept = copy.copy(given)
        try:
            outcome = self.enter(door, given)
        except BaseException as error:
            return ["raised", self.view.exception(error)]
        shown = [self.view(outcome), [self.view.number(error) for error in getattr(outcome, "errors", ())]]
        if isinstance(outcome, BaseModel):
            shown += [outcome.is_success(), self.view(pickled(outcome)), sorted(outcome.__dict__)]
            shown.append([self.view(self.told(error)) for error in outcome.errors])
        return [*shown, kept == given]

    def told(self, error: Any) -> Any:
        try:
            return [error.to_dict(), error.key()]
        except Exception as second:
            return second

    def enter(self, door: str, given: dict[str, Any]) -> Any:
        cls = self.last
        if issubclass(cls, self.classes.AsyncCommand):
            return self.drive(cls.run(**given) if door == "run" else cls(**given).run_instance())
        if door == "run":
            return cls.run(**given)
        command = cls(**given)
        self.commands.append(command)
        if door == "cast first":
            command.cast_and_validate_inputs()
        if door == "twice":
            command.run_instance()
        return command.run_instance()

    def drive(self, coroutine: Any) -> Any:
        send: Any = None
        try:
            for _ in range(5):
                self.log.append(["driven", self.view(coroutine.send(send))])
                send = self.rng.choice((None, 1, "text"))
                if self.chance(0.2):
                    coroutine.throw(self.rng.choice((Refused("thrown"), Stop("thrown"), self.classes.Halt())))
        except StopIteration as end:
            return end.value
        coroutine.close()
        return "closed"


# -- the two processes -----------------------------------------------------------------------------


class Overridden:
    """The flag of a hook where no class has one, those after *command* either: is it another than *hook*?"""

    def __init__(self, command: Any, hook: Any) -> None:
        self.command, self.hook = command, hook

    def __get__(self, instance: Any, owner: Any) -> Any:
        name = self.hook.__name__
        later = owner.__mro__[owner.__mro__.index(self.command) + 1 :]
        for base in later:
            if f"_has_{name}" in vars(base):
                return vars(base)[f"_has_{name}"]
        return getattr(owner, name, None) is not self.hook


class Repaired:
    """The repairs on an unchanged foobara_py: what leaves run_instance is seen from around it."""

    stack: ClassVar[list[tuple[Any, BaseException | None]]] = []

    @classmethod
    def install(cls, classes: Any, repairs: frozenset[str]) -> None:
        """Put them in place."""
        if "call-hooks" in repairs:
            for name in ("before_execute", "after_execute"):
                hook = vars(classes.ExecutionConcern)[name]
                setattr(classes.Command, f"_has_{name}", Overridden(classes.Command, hook))
        context = classes.TransactionContext
        leave, run = context.__exit__, classes.StateConcern.run_instance
        undo, close, stack = "rollback-on-escape" in repairs, "close-failed-open" in repairs, cls.stack

        def __exit__(self: Any, kind: Any, error: Any, trace: Any) -> Any:
            if undo and kind is None and stack and stack[-1][0]._transaction is self:
                escaping = sys.exc_info()[1]
                if escaping is not None and escaping is not stack[-1][1]:
                    self._failed = True
            return leave(self, kind, error, trace)

        def run_instance(self: Any) -> Any:
            stack.append((self, sys.exc_info()[1]))
            try:
                try:
                    outcome = run(self)
                except Exception:
                    raise
                except BaseException as error:
                    if undo and self._transaction and self._transaction.is_active:
                        self._transaction.__exit__(type(error), error, error.__traceback__)
                    raise
                if close and self._transaction and self._transaction.is_active:
                    try:
                        self._transaction.__exit__(None, None, None)
                    except Exception as error:
                        self._state_machine.error()
                        self.rollback_transaction()
                        self._transaction.__exit__(type(error), error, error.__traceback__)
                        raise
                return outcome
            finally:
                stack.pop()

        context.__exit__ = __exit__
        classes.StateConcern.run_instance = run_instance


def worker(side: str, seed: int, first: int, last: int, fixes: frozenset[str], full: bool, form: str) -> None:
    """Run programs and print one line of each: a digest, or everything; at last, the memory that it took."""
    warnings.simplefilter("ignore")
    sys.setrecursionlimit(4000)
    swap_target.reachable()
    classes = swap_target.target()
    if side == "plain":
        if fixes:
            Repaired.install(classes, fixes)
    elif form == "install":
        import foobara_accel

        assert str(foobara_accel.backend()) == side
        foobara_accel.install(fixes=fixes, strict=True)
    else:
        table = swap_target.twin(side).replacements(classes, fixes)
        put = swap_target.Exchanged if form == "exchange" else swap_target.Installed
        put(classes, table).__enter__()
    peak = memory()
    for number in range(first, last):
        program = Program(classes, random.Random(f"{seed}/{number}"))
        try:
            seen: Any = program.run()
        except Exception as error:
            seen = ["broken", type(error).__name__, str(error)]
        text = json.dumps(seen, default=str)
        print(text if full else f"{hashlib.sha1(text.encode()).hexdigest()} {len(text)}", flush=False)
        before, peak = peak, memory()
        if peak - before > GREEDY:
            print(f"program {number} of seed {seed} took {peak - before} MB on {side}", file=sys.stderr)
    if not full:
        print(f"memory {peak}")


def memory() -> int:
    """Return the most megabytes that this process has held so far, 0 where nobody counts them."""
    if sys.platform == "win32":
        return 0
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (2**20 if sys.platform == "darwin" else 1024)


def main() -> int:
    """Compare, and print what differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--backend", choices=("c", "py"), default="c")
    parser.add_argument("--fixes", default="none", help="all, none, or names with commas between")
    parser.add_argument(
        "--form", choices=("set", "exchange", "install"), default="set", help="attributes, code, or install()"
    )
    parser.add_argument("--show", type=int, default=3, help="how many differences are shown in full")
    parser.add_argument("--each", type=int, default=5000, help="how many programs a process runs")
    parser.add_argument("--worker", nargs=3)
    options = parser.parse_args()
    fixes = {"all": REPAIRS, "none": ()}.get(options.fixes, options.fixes.split(","))
    if options.worker:
        side, last, full = options.worker
        worker(side, options.seed, options.first, int(last), frozenset(fixes), full == "1", options.form)
        return 0
    if not swap_target.reachable():
        print("foobara_py is not installed and FOOBARA_PY_PATH does not lead to it: nothing compared")
        return 0
    common = [sys.executable, __file__, "--seed", str(options.seed), "--fixes", options.fixes]
    common += ["--form", options.form]
    environment = {**os.environ, "PYTHONHASHSEED": "0", "FOOBARA_ACCEL_BACKEND": options.backend}
    both = "plain", options.backend

    def ask(side: str, first: int, last: int, full: str) -> Any:
        command = [*common, "--first", str(first), "--worker", side, str(last), full]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)

    different, size, broken = [], 0, False
    most = dict.fromkeys(both, 0)
    end, count = options.first + options.cases, options.first
    while count < end and not broken:
        last = min(count + options.each, end)
        sides = [ask(side, count, last, "0") for side in both]
        for lines in zip(*[side.stdout for side in sides], strict=False):
            words = [line.split() for line in lines]
            if words[0][0] == "memory":
                for side, (_, megabytes) in zip(both, words, strict=True):
                    most[side] = max(most[side], int(megabytes))
                break
            size += int(words[0][1])
            if lines[0] != lines[1]:
                different.append(count)
            count += 1
        for side in sides if count != last else ():
            side.kill()  # one has ended early, and the other may wait for somebody who reads
        statuses = [side.wait() for side in sides]
        broken = count != last or any(statuses)
    for number in different[: options.show]:
        shown = [json.loads(ask(side, number, number + 1, "1").communicate()[0]) for side in both]
        print(f"program {number}:")
        for place, plain, ours in differences(*shown, ""):
            print(f"  {place or '(all)'}\n    plain {plain!r:.300}\n    ours  {ours!r:.300}")
    print(
        f"{count - options.first} programs, {size} characters seen, "
        f"{len(different)} differences {different[:20]}, memory in MB {most}"
    )
    return 1 if different or broken else 0


def differences(plain: Any, ours: Any, place: str) -> list[tuple[str, Any, Any]]:
    """Return the first places that differ."""
    if type(plain) is type(ours) is list and len(plain) == len(ours):
        pairs = [(f"{place}[{index}]", a, b) for index, (a, b) in enumerate(zip(plain, ours, strict=True))]
    elif type(plain) is type(ours) is dict and plain.keys() == ours.keys():
        pairs = [(f"{place}.{key}", plain[key], ours[key]) for key in plain]
    else:
        return [] if plain == ours else [(place, plain, ours)]
    return [found for where, a, b in pairs for found in differences(a, b, where)][:4]


if __name__ == "__main__":
    sys.exit(main())
