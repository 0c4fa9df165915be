"""What comes before success can still roll a run back; what comes after its commit undoes nothing."""

from __future__ import annotations

import asyncio
import types
from types import ModuleType
from typing import Any

import pytest
from pydantic import BaseModel


class Inputs(BaseModel):
    """The inputs of every command here."""

    a: int


class Handler:
    """A transaction handler that lists its calls."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def begin(self) -> None:
        self.calls.append("begin")

    def commit(self) -> None:
        self.calls.append("commit")

    def rollback(self) -> None:
        self.calls.append("rollback")


def make(fa: ModuleType, handled: bool, **body: Any) -> tuple[Any, Handler]:
    """A command class and the handler of its transactions."""
    handler = Handler()
    body.setdefault("execute", lambda self: self.inputs.a)
    if handled:
        body["_transaction_config"] = fa.TransactionConfig.with_handler(lambda: handler)
    return types.new_class("Made", (fa.Command[Inputs, Any],), {}, lambda space: space.update(body)), handler


def act(command: Any, how: str) -> None:
    """Fail one way."""
    if how == "error":
        command.add_runtime_error("refused", "no", halt=False)
    elif how == "halt":
        command.halt()
    elif how == "exception":
        raise ValueError("broken")
    elif how == "interrupt":
        raise KeyboardInterrupt


def ways(cls: Any) -> list[Any]:
    """Run *cls* every way; of each the command, and the outcome or the exception."""
    found: list[Any] = []
    seen: list[Any] = []
    cls.before_execute_transition(seen.append)

    def instance() -> Any:
        return cls(a=1).run_instance()

    for run in (
        lambda: cls.run(a=1),
        lambda: cls.run(a=1),
        instance,
        lambda: cls.run_with(Inputs(a=1)),
        lambda: cls.run_json(b'{"a": 1}'),
    ):
        try:
            outcome = run()
        except (ValueError, KeyboardInterrupt) as error:
            outcome = error
        found.append((seen.pop(), outcome))
    return found


@pytest.mark.parametrize("how", ["error", "halt", "exception", "interrupt"])
@pytest.mark.parametrize("handled", [True, False])
def test_callbacks_before_success_can_still_fail_the_run(fa: ModuleType, how: str, handled: bool) -> None:
    cls, handler = make(fa, handled)
    seen: list[Any] = []

    def before(command: Any) -> None:
        seen.append((command.state_name, handler.calls[-1:]))
        act(command, how)

    cls.before_transition_to_succeeded(before)
    cls.after_transition_to_succeeded(lambda command: seen.append("succeeded"))
    cls.error_transition_to_succeeded(lambda command, error: seen.append(type(error).__name__))
    for command, outcome in ways(cls):
        assert seen.pop(0) == ("commit_transaction", ["begin"] if handled else [])
        if how in ("error", "halt"):
            assert [error.symbol for error in outcome.errors] == ["refused" if how == "error" else "halted"]
            assert command.state is fa.CommandState.FAILED
            assert how == "error" or seen.pop(0) == "Halt"
        else:
            assert type(outcome) is (ValueError if how == "exception" else KeyboardInterrupt)
            assert command.state is fa.CommandState.ERRORED
            assert how == "interrupt" or seen.pop(0) == "ValueError"
    assert seen == [] and handler.calls == ["begin", "rollback"] * 5 * handled


@pytest.mark.parametrize("where", ["after_commit_transaction", "after_transition_to_succeeded"])
@pytest.mark.parametrize("how", ["error", "halt", "exception", "interrupt"])
@pytest.mark.parametrize("handled", [True, False])
@pytest.mark.parametrize("around", [False, True])
def test_callbacks_after_the_commit_cannot_fail_the_run(
    fa: ModuleType, where: str, how: str, handled: bool, around: bool
) -> None:
    rolled_back: list[str] = []
    cls, handler = make(fa, handled, rollback_transaction=lambda self: rolled_back.append("hook"))
    if around:

        def surround(command: Any, proceed: Any) -> None:
            proceed()
            act(command, how)

        getattr(cls, where.replace("after", "around"))(surround)
    else:
        getattr(cls, where)(lambda command: act(command, how))
    for command, outcome in ways(cls):
        if how in ("error", "halt"):
            assert outcome.is_success() and outcome.result == 1 and outcome.errors == []
            assert command.state is fa.CommandState.SUCCEEDED
        else:
            assert type(outcome) is (ValueError if how == "exception" else KeyboardInterrupt)
            assert command.state is fa.CommandState.ERRORED
    assert rolled_back == [] and handler.calls == ["begin", "commit"] * 5 * handled


@pytest.mark.parametrize("how", ["error", "halt", "exception"])
def test_a_halt_of_a_callback_on_failure_is_no_success(fa: ModuleType, how: str) -> None:
    cls, handler = make(fa, True, commit_transaction=lambda self: act(self, "error"))
    cls._register_transition_callback("after", "fail", lambda command: act(command, how))
    try:
        assert cls.run(a=1).is_failure()
    except ValueError:
        assert how == "exception"
    assert handler.calls == ["begin", "rollback"]


def test_callbacks_that_a_run_registers_before_its_commit_come_before_it(fa: ModuleType) -> None:
    def commit_transaction(self: Any) -> None:
        self.before_transition_to_succeeded(lambda command: act(command, "error"))

    cls, handler = make(fa, True, commit_transaction=commit_transaction)
    assert cls.run(a=1).errors[0].symbol == "refused"
    assert handler.calls == ["begin", "rollback"]


def test_a_subcommand_with_callbacks_on_success(fa: ModuleType) -> None:
    inner, _ = make(fa, False)
    seen: list[str] = []
    inner.before_transition_to_succeeded(lambda command: seen.append(f"before {command.state_name}"))
    inner.after_transition_to_succeeded(lambda command: seen.append(f"after {command.state_name}"))
    outer, _ = make(fa, False, execute=lambda self: self.run_subcommand_bang(inner, a=2))
    assert [outer.run(a=1).result for _ in range(2)] == [2, 2]
    assert seen == ["before commit_transaction", "after succeeded"] * 2


class Opened(Handler):
    """A handler that counts what it has open."""

    @property
    def open(self) -> int:
        return self.calls.count("begin") - self.calls.count("commit") - self.calls.count("rollback")


def opened(fa: ModuleType, asynchronous: bool, **body: Any) -> tuple[Any, Opened, Any]:
    """A command class, the handler of its transactions, and what runs the class once."""
    handler = Opened()
    base = fa.AsyncCommand if asynchronous else fa.Command

    async def later(self: Any) -> int:
        return 1

    body = {
        "execute": later if asynchronous else lambda self: 1,
        "_transaction_config": fa.TransactionConfig.with_handler(lambda: handler),
        **body,
    }
    cls = types.new_class("Made", (base[Inputs, Any],), {}, lambda space: space.update(body))
    return cls, handler, lambda: asyncio.run(cls.run(a=1)) if asynchronous else cls.run(a=1)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_run_opens_one_transaction_at_a_time(fa: ModuleType, asynchronous: bool) -> None:
    def twice(self: Any) -> None:
        super(cls, self).open_transaction()
        super(cls, self).open_transaction()

    cls, handler, run = opened(fa, asynchronous, open_transaction=twice)
    with pytest.raises(
        fa.TransactionError, match=r"of this Made is open already: open_transaction\(\) begins it once"
    ):
        run()
    assert handler.calls == ["begin", "rollback"]

    async def around_async(command: Any, proceed: Any) -> None:
        await proceed()
        await proceed()

    cls, handler, run = opened(fa, asynchronous)
    cls.around_open_transaction(
        around_async if asynchronous else lambda command, proceed: (proceed(), proceed())
    )
    with pytest.raises(fa.TransactionError, match="is open already"):
        run()
    assert handler.calls == ["begin", "rollback"]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_transaction_that_was_rolled_back_or_never_begun_may_be_opened_again(
    fa: ModuleType, asynchronous: bool
) -> None:
    def again(self: Any) -> None:
        self.rollback_transaction()
        self.open_transaction()

    cls, handler, run = opened(fa, asynchronous, load_records=again)
    assert run().is_success()
    assert handler.calls == ["begin", "rollback", "begin", "commit"]

    def patient(self: Any) -> None:
        try:
            super(cls, self).open_transaction()
        except LookupError:
            super(cls, self).open_transaction()

    cls, handler, run = opened(fa, asynchronous, open_transaction=patient)
    faults = [LookupError]
    begin = handler.begin

    def failing() -> None:
        if faults:
            raise faults.pop()
        begin()

    handler.begin = failing  # type: ignore[method-assign]
    assert run().is_success()
    assert handler.calls == ["begin", "commit"]


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("when", ["after_commit_transaction", "after_transition_to_succeeded"])
def test_no_transaction_is_opened_after_the_end_of_a_run(
    fa: ModuleType, asynchronous: bool, when: str
) -> None:
    cls, handler, run = opened(fa, asynchronous)
    getattr(cls, when)(lambda command: command.open_transaction())
    with pytest.raises(fa.TransactionError, match="this Made has ended"):
        run()
    assert handler.calls == ["begin", "commit"]
    cls, handler, run = opened(fa, asynchronous, validate=lambda self: self.add_runtime_error("no", "no"))
    cls.after_transition_to_failed(lambda command: command.open_transaction())
    with pytest.raises(fa.TransactionError, match="this Made has ended"):
        run()
    assert handler.open == 0


@pytest.mark.parametrize("asynchronous", [False, True])
def test_an_error_on_success_of_a_run_that_has_not_committed_leaves_the_state_before(
    fa: ModuleType, asynchronous: bool
) -> None:
    # A callback around the commit that does not go on, and no transaction: success is reached uncommitted.
    async def held(command: Any, proceed: Any) -> None: ...

    base = fa.AsyncCommand if asynchronous else fa.Command
    cls, _, run = opened(fa, asynchronous, _transaction_config=base._transaction_config)
    seen: list[Any] = []
    cls.around_commit_transaction(held if asynchronous else lambda command, proceed: None)
    cls.after_transition_to_succeeded(lambda command: command.add_runtime_error("late", "no", halt=False))
    cls.after_transition_to_failed(lambda command: seen.append(command))
    cls.after_transition_from_committing_transaction(lambda command: seen.append(command.state_name))
    assert [error.symbol for error in run().errors] == ["late"]
    assert seen[0] == "succeeded" and seen[-1] == "failed"
    (command,) = [each for each in seen if not isinstance(each, str)]
    assert [move[1].name for move in command.state_machine.history][-2:] == [
        "COMMITTING_TRANSACTION",
        "FAILED",
    ]
