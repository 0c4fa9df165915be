"""Commands whose class answers for its attributes: __setattr__, __getattribute__, __getattr__."""

from __future__ import annotations

import asyncio
import functools
from typing import Any

import pytest
from pydantic import BaseModel


class Inputs(BaseModel):
    n: int


@pytest.fixture(scope="session")
def seen(fa):
    """What a class that notes every access is asked for while it runs, and what it answers."""

    def of(body: dict[str, Any], kind: str = "Command", **inputs: Any) -> Any:
        noted: list[str] = []

        def note_get(self: Any, name: str) -> Any:
            noted.append(f"get {name}")
            return object.__getattribute__(self, name)

        def note_set(self: Any, name: str, value: Any) -> None:
            noted.append(f"set {name}")
            object.__setattr__(self, name, value)

        members = {"__getattribute__": note_get, "__setattr__": note_set, **body}
        made = type("Noting", (getattr(fa, kind),), {**members, "_cached_inputs_type": Inputs})
        answer = made.run(**inputs)
        outcome = asyncio.run(answer) if kind == "AsyncCommand" else answer
        return noted, outcome.to_dict()

    return of


HOOKS = [
    "get open_transaction",
    "get cast_and_validate_inputs",
    "get load_records",
    "get validate_records",
    "get validate",
    "get before_execute",
    "get execute",
]


def test_a_run_asks_the_class_for_its_hooks_and_for_nothing_that_it_keeps(seen):
    """A __getattribute__ is asked for hooks, in their order, and by the user's own code."""

    def execute(self):
        self.seen = self.inputs.n
        return self.seen

    noted, outcome = seen({"execute": execute}, n=2)
    assert outcome["result"] == 2
    own = ["get inputs", "set seen", "get seen"]
    assert noted == ["get run_instance", *HOOKS, *own, "get after_execute", "get commit_transaction"]


def test_a_run_that_fails_asks_the_same_of_both(seen):
    """Errors go through the add_error that the instance has, not through one of the class."""

    def execute(self):
        self.add_input_error("n", "odd", "is odd")
        self.add_runtime_error("late", "too late", halt=False)
        raise ValueError("never")

    noted, outcome = seen({"execute": execute}, n=2)
    assert len(outcome["errors"]) == 3
    own = ["get add_input_error", "get add_error", "get add_runtime_error", "get add_error"]
    assert noted == ["get run_instance", *HOOKS, *own, "get add_error", "get rollback_transaction"]


def test_refused_inputs_ask_for_no_more_than_the_first_hooks(seen):
    """What the conversion of the errors needs is no attribute of the instance."""
    noted, outcome = seen({}, n="x")
    assert len(outcome["errors"]) == 1
    assert noted == ["get run_instance", *HOOKS[:2], "get rollback_transaction"]


def test_an_async_run_asks_for_its_hooks(seen):
    """Also where the coroutine of the run is written once for both."""

    async def execute(self):
        self.seen = self.inputs.n
        return self.seen

    noted, outcome = seen({"execute": execute}, "AsyncCommand", n=2)
    assert outcome["result"] == 2
    assert [name for name in noted if name.startswith("set")] == ["set seen"]
    assert noted[:2] == ["get run_instance", "get timeout"]
    assert [name for name in noted if name in HOOKS] == HOOKS


def test_hooks_that_only_the_instance_answers_for(fa):
    """A hook may exist nowhere but in the answer of __getattribute__."""
    called: list[str] = []

    class Made(fa.Command[Inputs, int]):
        def __getattribute__(self, name: str) -> Any:
            if name in ("validate", "before_execute"):
                return functools.partial(called.append, name)
            if name == "execute":
                return lambda: 7
            return super().__getattribute__(name)

    assert Made.run(n=1).result == 7
    assert Made.run_with(Inputs(n=1)).result == 7
    assert Made.run_json(b'{"n": 1}').result == 7
    assert called == ["validate", "before_execute"] * 3


def test_a_class_that_refuses_attributes_runs(fa):
    """What a run keeps is stored without asking; what execute sets is refused."""

    class Frozen(fa.Command[Inputs, int]):
        def __setattr__(self, name: str, value: Any) -> None:
            raise AttributeError(f"{name} is frozen")

        def execute(self) -> int:
            if self.inputs.n > 1:
                self.add_runtime_error("large", "too large")
            if self.inputs.n < 0:
                self.total = 1
            return self.inputs.n

    assert Frozen.run(n=1).result == 1
    assert [error.symbol for error in Frozen.run(n=2).errors] == ["large"]
    assert [error.message for error in Frozen.run(n=-1).errors] == ["total is frozen"]
    assert not Frozen.run(n="x").is_success()
    command = Frozen(n=1)
    assert command.run_instance().result == 1
    assert command.state_name == "succeeded"


def test_a_frozen_class_is_a_parent_and_a_child(fa):
    """Subcommands, their errors and their parents are kept without asking too."""

    class Frozen:
        def __setattr__(self, name: str, value: Any) -> None:
            raise AttributeError(f"{name} is frozen")

    class Child(Frozen, fa.Command[Inputs, int]):
        def execute(self) -> int:
            if self.inputs.n > 1:
                self.add_runtime_error("large", "too large")
            return self.inputs.n

    class Parent(Frozen, fa.Command[Inputs, int]):
        def execute(self) -> int:
            return self.run_subcommand_bang(Child, n=self.inputs.n)

    class Later(Frozen, fa.AsyncCommand[Inputs, int]):
        async def execute(self) -> int:
            return await self.run_subcommand_bang(Child, n=self.inputs.n)

    for runs in (Parent.run, lambda **inputs: asyncio.run(Later.run(**inputs))):
        assert runs(n=1).result == 1
        (error,) = runs(n=2).errors
        assert error.symbol == "large"
        assert error.context == {"subcommand": "Child"}


def test_transactions_and_callbacks_of_a_frozen_class(fa):
    """A transaction that is opened and a callback on the instance are kept as well."""
    log: list[str] = []

    class Handler:
        def begin(self):
            log.append("begin")

        def commit(self):
            log.append("commit")

        def rollback(self):
            log.append("rollback")

    class Frozen(fa.Command[Inputs, int]):
        _transaction_config = fa.TransactionConfig.with_handler(Handler)

        def __setattr__(self, name: str, value: Any) -> None:
            raise AttributeError(f"{name} is frozen")

        def execute(self) -> int:
            assert self.inputs.n
            return 1

    assert Frozen.run(n=1).result == 1
    assert not Frozen.run(n=0).is_success()
    assert log == ["begin", "commit", "begin", "rollback"]


def test_what_a_class_gets_later_is_seen_and_what_it_loses(fa):
    """As any other change of a class."""

    class Late(fa.Command[Inputs, int]):
        def execute(self) -> int:
            return self.inputs.n

    def answer(self: Any, name: str) -> Any:
        return (lambda: -1) if name == "execute" else object.__getattribute__(self, name)

    def refuse(self: Any, name: str, value: Any) -> None:
        raise AttributeError(name)

    assert [Late.run(n=1).result for _ in range(3)] == [1, 1, 1]
    Late.__getattribute__ = answer
    assert [Late.run(n=1).result for _ in range(3)] == [-1, -1, -1]
    del Late.__getattribute__
    assert [Late.run(n=1).result for _ in range(3)] == [1, 1, 1]
    Late.__setattr__ = refuse
    assert [Late.run(n=1).result for _ in range(3)] == [1, 1, 1]
    assert Late(n=1).run_instance().result == 1
    with pytest.raises(AttributeError):
        Late(n=1).total = 1


def test_what_a_base_gets_later_is_seen(fa):
    """A mixin's functions are looked up when they are called."""

    class Mixin:
        def __getattribute__(self, name: str) -> Any:
            return super().__getattribute__(name)

    class Made(Mixin, fa.Command[Inputs, int]):
        def execute(self) -> int:
            return self.inputs.n

    assert Made.run(n=1).result == 1

    def answer(self: Any, name: str) -> Any:
        return (lambda: -1) if name == "execute" else object.__getattribute__(self, name)

    Mixin.__getattribute__ = answer
    assert Made.run(n=1).result == -1
    del Mixin.__getattribute__
    assert Made.run(n=1).result == 1


def test_the_function_in_front_looks_like_the_users(fa):
    """Names, text and the way to the function itself."""

    class Made(fa.Command[Inputs, int]):
        def __setattr__(self, name: str, value: Any) -> None:
            """Store it."""
            super().__setattr__(name, value)

    assert Made.__setattr__.__doc__ == "Store it."
    assert Made.__setattr__.__qualname__.endswith("Made.__setattr__")
    assert Made.__setattr__.__wrapped__.__name__ == "__setattr__"

    class Below(Made):
        @functools.wraps(Made.__setattr__)
        def __setattr__(self, name: str, value: Any) -> None:
            raise AttributeError(name)

        def execute(self) -> int:
            return 1

    assert Below.run(n=1).result == 1
    with pytest.raises(AttributeError):
        Below(n=1).total = 1


def test_a_getattr_that_asks_the_inputs_is_never_asked_by_a_run(fa):
    """It would meet inputs that are not validated yet."""

    class Short(fa.Command[Inputs, int]):
        def __getattr__(self, name: str) -> Any:
            return getattr(self.inputs, name)

        def execute(self) -> int:
            return self.n

    assert Short.run(n=2).result == 2
    assert Short(n=3).run_instance().result == 3
    assert not Short.run(n="x").is_success()
    command = Short(n="x")
    command.run_instance()
    assert [step.name for _, step in command.state_machine.history]
