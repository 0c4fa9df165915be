"""AsyncCommand: the phases of Command with awaits in between, on asyncio and trio."""

from __future__ import annotations

import asyncio
import gc
import inspect
import re
import types
import warnings
from collections.abc import Callable
from datetime import date
from functools import partial
from types import ModuleType
from typing import Any
from unittest import mock

import pytest
from pydantic import BaseModel, ConfigDict, Field, SecretStr

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
)


class Pair(BaseModel):
    a: int
    b: int = 2


class Handler:
    """Logs its calls."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def begin(self) -> None:
        self.calls.append("begin")

    def commit(self) -> None:
        self.calls.append("commit")

    def rollback(self) -> None:
        self.calls.append("rollback")

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)


def make(fa: ModuleType, execute: Callable[[Any], Any] | None = None, name: str = "Made", **body: Any) -> Any:
    if execute is not None:
        body["execute"] = execute
    body.setdefault("execute", no_work)
    return types.new_class(name, (fa.AsyncCommand[Pair, Any],), {}, lambda space: space.update(body))


def symbols(outcome: Any) -> list[str]:
    return [error.symbol for error in outcome.errors]


async def no_work(self: Any) -> int:
    return self.inputs.a


@pytest.fixture(params=["asyncio", "trio"])
def start(request: pytest.FixtureRequest) -> Callable[[Any], Any]:
    """Run a coroutine function on an event loop of one library."""
    if request.param == "asyncio":
        return lambda function: asyncio.run(function())
    trio = pytest.importorskip("trio")
    return lambda function: trio.run(function)


async def sleep(seconds: float) -> None:
    import sys

    sniffio = sys.modules.get("sniffio")
    if sniffio is not None:
        try:
            if sniffio.current_async_library() == "trio":
                await sys.modules["trio"].sleep(seconds)
                return
        except sniffio.AsyncLibraryNotFoundError:
            pass
    await asyncio.sleep(seconds)


def test_a_run_returns_the_result(fa: ModuleType, start: Any) -> None:
    class Add(fa.AsyncCommand[Pair, int]):
        async def execute(self) -> int:
            await sleep(0)
            return self.inputs.a + self.inputs.b

    async def main() -> None:
        outcome = await Add.run(a=1)
        assert outcome.is_success() and outcome.result == 3
        assert (await Add.run_async(a=1, b=1)).result == 2
        assert await Add.run_or_raise(a=5) == 7
        assert (await Add.run_with(Pair(a=1))).result == 3
        assert (await Add.run_json(b'{"a": 4}')).result == 6
        assert (await Add(a=1).run_instance()).result == 3

    start(main)


def test_run_is_a_coroutine_function_and_nothing_runs_before_the_await(fa: ModuleType) -> None:
    cls = make(fa, no_work)
    assert inspect.iscoroutinefunction(cls.run) and inspect.iscoroutinefunction(cls.run_async)
    assert inspect.iscoroutinefunction(cls(a=1).run_instance)
    ran: list[int] = []
    lazy = make(fa, no_work, cast_and_validate_inputs=lambda self: ran.append(1))
    waiting = lazy.run(a="x")
    assert ran == []
    waiting.close()
    never = cls.run(a=1)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        del never
        gc.collect()
    assert any("never awaited" in str(each.message) for each in caught)


def test_a_run_can_be_thrown_into_and_closed(fa: ModuleType) -> None:
    @types.coroutine
    def pause() -> Any:
        yield "paused"

    handler = Handler()

    async def execute(self: Any) -> None:
        await pause()

    cls = make(fa, execute, _transaction_config=fa.TransactionConfig.with_handler(lambda: handler))
    run = cls.run(a=1)
    assert run.send(None) == "paused"
    with pytest.raises(KeyboardInterrupt):
        run.throw(KeyboardInterrupt)
    run = cls.run(a=1)
    run.send(None)
    run.close()
    assert handler.calls == ["begin", "rollback"] * 2


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_every_phase_runs_in_order_with_hooks_of_both_kinds(fa: ModuleType, start: Any, kind: str) -> None:
    seen: list[tuple[str, int]] = []

    def hook(name: str) -> Callable[..., Any]:
        def plain(self: Any, *given: Any) -> Any:
            seen.append((name, int(self.state)))
            if name in HOOKS[:2]:
                getattr(super(cls, self), name)()
            return given[0] if given else 1

        async def coroutine(self: Any, *given: Any) -> Any:
            await sleep(0)
            return plain(self, *given)

        return plain if kind == "sync" else coroutine

    cls = make(fa, **{name: hook(name) for name in HOOKS})

    async def main() -> None:
        command = cls(a=1)
        assert (await command.run_instance()).result == 1
        assert command.state is fa.CommandState.SUCCEEDED and len(command.state_machine.history) == 8

    start(main)
    assert seen == list(zip(HOOKS, (1, 2, 3, 4, 5, 5, 6, 6, 7), strict=True))


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("what", ["add", "halt", "raise"])
def test_errors_halts_and_exceptions_in_every_hook(fa: ModuleType, hook: str, what: str) -> None:
    handler = Handler()

    async def wrong(self: Any, *_: Any) -> None:
        if hook in HOOKS[:2]:
            getattr(super(cls, self), hook)()
        if what == "add":
            self.add_runtime_error("added", "a", halt=False)
        elif what == "halt":
            self.halt()
        else:
            raise LookupError("lost")

    cls = make(fa, **{hook: wrong}, _transaction_config=fa.TransactionConfig.with_handler(lambda: handler))
    command = cls(a=1)
    if what == "raise" and "execute" not in hook:
        with pytest.raises(LookupError):
            asyncio.run(command.run_instance())
        assert command.state is fa.CommandState.ERRORED
    else:
        outcome = asyncio.run(command.run_instance())
        expected = {"add": "added", "halt": "halted", "raise": "execution_error"}[what]
        assert symbols(outcome) == [expected] and command.state is fa.CommandState.FAILED
    assert handler.calls == ["begin", "rollback"]


def test_wrong_inputs_are_a_failure(fa: ModuleType, start: Any) -> None:
    cls = make(fa, no_work)

    async def main() -> None:
        assert symbols(await cls.run(a="x")) == ["int_parsing"]
        assert symbols(await cls.run_json(b"{")) == ["json_invalid"]
        with pytest.raises(TypeError, match="takes an instance of Pair"):
            await cls.run_with({"a": 1})
        with pytest.raises(ValueError, match="Field required"):
            await cls.run_or_raise()

    start(main)


def test_an_instance_runs_once(fa: ModuleType) -> None:
    async def main() -> None:
        command = make(fa, no_work)(a=1)
        await command.run_instance()
        with pytest.raises(RuntimeError, match="has already run"):
            await command.run_instance()

    asyncio.run(main())


def test_many_runs_at_once_do_not_mix(fa: ModuleType) -> None:
    async def execute(self: Any) -> int:
        before = self.inputs.a
        await asyncio.sleep(0)
        if before % 3 == 0:
            self.add_runtime_error("third", str(before))
        await asyncio.sleep(0)
        assert self.inputs.a == before
        return before

    async def main() -> None:
        cls = make(fa, execute)
        outcomes = await asyncio.gather(*(cls.run(a=number) for number in range(300)))
        for number, outcome in enumerate(outcomes):
            if number % 3:
                assert outcome.result == number
            else:
                assert outcome.errors[0].message == str(number)

    asyncio.run(main())


def test_a_cancelled_run_rolls_back_and_stays_cancelled(fa: ModuleType) -> None:
    handler = Handler()
    kept: list[Any] = []

    async def execute(self: Any) -> None:
        kept.append(self)
        await asyncio.sleep(60)

    async def main() -> None:
        cls = make(fa, execute, _transaction_config=fa.TransactionConfig.with_handler(lambda: handler))
        for made in (cls, make(fa, execute)):
            task = asyncio.ensure_future(made.run(a=1))
            await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(main())
    assert handler.calls == ["begin", "rollback"]
    assert [command.state_name for command in kept] == ["errored", "errored"]


def test_an_asynchronous_rollback_is_awaited(fa: ModuleType) -> None:
    ran: list[str] = []

    async def rollback_transaction(self: Any) -> None:
        await asyncio.sleep(0)
        ran.append("rolled back")

    async def execute(self: Any) -> None:
        self.halt()

    assert asyncio.run(make(fa, execute, rollback_transaction=rollback_transaction).run(a=1)).is_failure()
    assert ran == ["rolled back"]


# -- timeout ---------------------------------------------------------------------------------------


async def slow(self: Any) -> None:
    await sleep(60)


def test_a_run_past_its_timeout_fails_and_rolls_back(fa: ModuleType, start: Any) -> None:
    handler = Handler()
    seen: list[str] = []
    cls = make(fa, slow, timeout=0.02, _transaction_config=fa.TransactionConfig.with_handler(lambda: handler))
    cls.after_transition_to_failed(lambda command: seen.append(command.state_name))

    async def main() -> None:
        command = cls(a=1)
        outcome = await command.run_instance()
        assert symbols(outcome) == ["timeout"] and "0.02 s" in outcome.errors[0].message
        assert command.state is fa.CommandState.FAILED
        assert [after.name for _, after in command.state_machine.history][-2:] == ["EXECUTING", "FAILED"]

    start(main)
    assert handler.calls == ["begin", "rollback"] and seen == ["failed"]


def test_a_run_within_its_timeout_succeeds(fa: ModuleType, start: Any) -> None:
    cls = make(fa, no_work, timeout=60)

    async def main() -> None:
        assert (await cls.run(a=3)).result == 3

    start(main)


def test_subcommands_inherit_the_deadline(fa: ModuleType, start: Any) -> None:
    inner = make(fa, slow, timeout=60, name="Inner")

    async def execute(self: Any) -> Any:
        return await self.run_subcommand(inner, a=1)

    outer = make(fa, execute, timeout=0.02, name="Outer")

    async def main() -> None:
        outcome = await outer.run(a=1)
        assert symbols(outcome) == ["timeout"] and "Outer" in outcome.errors[0].message

    start(main)


def test_a_subcommand_with_less_time_fails_alone(fa: ModuleType, start: Any) -> None:
    inner = make(fa, slow, timeout=0.02, name="Inner")

    async def execute(self: Any) -> Any:
        await self.run_subcommand(inner, a=1)
        self.errors.clear()
        return "survived"

    outer = make(fa, execute, timeout=60)

    async def main() -> None:
        assert (await outer.run(a=1)).result == "survived"

    start(main)


def test_a_task_that_outlives_its_command_has_its_own_timeout(fa: ModuleType) -> None:
    inner = make(fa, slow, timeout=0.05, name="Inner")
    tasks: list[Any] = []

    async def execute(self: Any) -> None:
        tasks.append(asyncio.ensure_future(inner.run(a=1)))

    outer = make(fa, execute, timeout=0.04)

    async def main() -> None:
        assert (await outer.run(a=1)).is_success()
        assert symbols(await asyncio.wait_for(tasks[0], 20)) == ["timeout"]

    asyncio.run(main())


def test_a_timeout_error_of_execute_is_its_own(fa: ModuleType) -> None:
    async def execute(self: Any) -> None:
        raise TimeoutError("of the database")

    outcome = asyncio.run(make(fa, execute, timeout=60).run(a=1))
    assert symbols(outcome) == ["execution_error"]

    async def validate(self: Any) -> None:
        raise TimeoutError("of the database")

    with pytest.raises(TimeoutError, match="of the database"):
        asyncio.run(make(fa, no_work, validate=validate, timeout=60).run(a=1))


@pytest.mark.parametrize("wrong", [10**400, -(10**5000)], ids=["large", "small"])
@pytest.mark.parametrize("where", ["class", "instance"])
def test_a_timeout_past_every_float_is_refused(fa: ModuleType, where: str, wrong: int) -> None:
    cls = make(fa, no_work, **({"timeout": wrong} if where == "class" else {}))
    command = cls(a=1)
    command.timeout = wrong
    rule = r"^Made\.timeout is a number of seconds above 0, or None, and of at most 308 digits$"
    for start in (cls.run, command.run_instance) if where == "class" else (command.run_instance,):
        with pytest.raises(ValueError, match=rule):
            asyncio.run(start())


@pytest.mark.parametrize("wrong", [0, -1, float("nan"), "1", True, b"", [1]])
@pytest.mark.parametrize("where", ["class", "instance"])
def test_a_timeout_is_a_number_above_zero(fa: ModuleType, where: str, wrong: Any) -> None:
    kind = ValueError if type(wrong) in (int, float) else TypeError
    told = repr(wrong) if kind is ValueError else f"a {type(wrong).__name__}"
    rule = re.escape(f"Made.timeout is a number of seconds above 0, or None, not {told}")
    if where == "class":
        with pytest.raises(kind, match=f"^{rule}$"):
            asyncio.run(make(fa, no_work, timeout=wrong).run(a=1))
    else:
        command = make(fa, no_work)(a=1)
        command.timeout = wrong
        with pytest.raises(kind, match=f"^{rule}$"):
            asyncio.run(command.run_instance())


def test_an_instance_may_have_a_timeout_of_its_own(fa: ModuleType, start: Any) -> None:
    class Own(fa.AsyncCommand[Pair, Any]):
        def __init__(self, **inputs: Any) -> None:
            super().__init__(**inputs)
            self.timeout = 0.02

        async def execute(self) -> None:
            await sleep(60)

    async def main() -> None:
        command = make(fa, slow)(a=1)
        command.timeout = 0.02
        assert symbols(await command.run_instance()) == ["timeout"]
        command = make(fa, no_work, timeout=0.001)(a=1)
        command.timeout = None
        assert (await command.run_instance()).result == 1
        assert symbols(await Own.run(a=1)) == ["timeout"]

    start(main)


# -- callbacks -------------------------------------------------------------------------------------


def test_callbacks_of_every_kind_may_be_coroutines(fa: ModuleType, start: Any) -> None:
    seen: list[str] = []

    async def execute(self: Any) -> int:
        seen.append("execute")
        return 1

    cls = make(fa, execute)

    async def before(command: Any) -> None:
        await sleep(0)
        seen.append("before")

    async def around(command: Any, proceed: Callable[[], Any]) -> Any:
        seen.append("in")
        result = await proceed()
        seen.append("out")
        return result + 1

    cls.before_execute_transition(before)
    cls.before_execute_transition(lambda command: seen.append("plain before"))
    cls.around_execute_transition(around)
    cls.after_execute_transition(lambda command: seen.append(f"after {command._result}"))
    cls.after_transition_to_succeeded(lambda command: seen.append(command.state_name))

    async def main() -> None:
        assert (await cls.run(a=1)).result == 2

    start(main)
    assert seen == ["before", "plain before", "in", "execute", "out", "after 2", "succeeded"]


def test_error_and_end_callbacks(fa: ModuleType) -> None:
    seen: list[str] = []

    async def execute(self: Any) -> None:
        raise LookupError("lost")

    cls = make(fa, execute)

    async def failed(command: Any, error: Exception) -> None:
        seen.append(str(error.args[0]))

    cls.error_execute_transition(failed)
    cls.before_transition_to_failed(lambda command: seen.append("failed"))
    assert symbols(asyncio.run(cls.run(a=1))) == ["execution_error"]
    assert seen == ["lost", "failed"]


def test_a_callback_registered_by_execute_runs(fa: ModuleType) -> None:
    seen: list[str] = []

    async def execute(self: Any) -> None:
        self.before_commit_transaction(lambda command: seen.append("own"))

    assert asyncio.run(make(fa, execute).run(a=1)).is_success()
    assert seen == ["own"]


@pytest.mark.parametrize("how", ["halt", "raise"])
def test_a_coroutine_that_execute_registered_for_its_failure_is_awaited(fa: ModuleType, how: str) -> None:
    seen: list[str] = []

    async def failed(command: Any) -> None:
        await asyncio.sleep(0)
        seen.append(command.state_name)

    async def execute(self: Any) -> None:
        self.after_transition_to_failed(failed)
        if how == "raise":
            raise LookupError("lost")
        self.halt()

    outcome = asyncio.run(make(fa, execute).run(a=1))
    assert symbols(outcome) == [{"halt": "halted", "raise": "execution_error"}[how]]
    assert seen == ["failed"]


@pytest.mark.parametrize("entrance", ["run", "run_instance"])
def test_an_after_execute_that_execute_hung_on_its_instance_runs(fa: ModuleType, entrance: str) -> None:
    async def execute(self: Any) -> int:
        async def after_execute(result: int) -> int:
            return result + 1

        self.after_execute = after_execute
        return 1

    cls = make(fa, execute)
    assert asyncio.run(cls.run(a=1) if entrance == "run" else cls(a=1).run_instance()).result == 2


def test_errors_come_before_what_execute_hung_on_its_instance(fa: ModuleType) -> None:
    seen: list[str] = []

    async def execute(self: Any) -> None:
        self.commit_transaction = lambda: seen.append("committed")
        self.add_runtime_error("wrong", "w", halt=False)

    assert symbols(asyncio.run(make(fa, execute).run(a=1))) == ["wrong"]
    assert seen == []


# -- subcommands -----------------------------------------------------------------------------------


def test_subcommands_of_both_kinds(fa: ModuleType, start: Any) -> None:
    class Sync(fa.Command[Pair, int]):
        def execute(self) -> int:
            return self.inputs.a * 10

    inner = make(fa, no_work)

    async def execute(self: Any) -> Any:
        return await self.run_subcommand(Sync, a=1) + await self.run_subcommand_bang(inner, a=2)

    outer = make(fa, execute)

    async def main() -> None:
        assert (await outer.run(a=1)).result == 12

    start(main)


@pytest.mark.parametrize("kind", ["Command", "AsyncCommand"])
def test_errors_of_subcommands_have_the_path(fa: ModuleType, kind: str) -> None:
    if kind == "Command":
        inner = types.new_class(
            "Inner",
            (fa.Command[Pair, Any],),
            {},
            lambda space: space.update(execute=lambda self: self.halt()),
        )
    else:

        async def halting(self: Any) -> None:
            self.halt()

        inner = make(fa, halting, name="Inner")

    async def execute(self: Any) -> Any:
        await self.run_subcommand(inner, a="x")
        await self.run_subcommand_bang(inner, a=1)
        raise AssertionError("bang halts")

    outcome = asyncio.run(make(fa, execute, name="Outer").run(a=1))
    assert [(e.symbol, e.runtime_path, e.context) for e in outcome.errors] == [
        ("int_parsing", ("outer",), {"subcommand": "Inner"}),
        ("halted", ("outer",), {"subcommand": "Inner"}),
    ]


def test_a_run_instance_of_its_own_fails_its_parent(fa: ModuleType) -> None:
    class Own(fa.AsyncCommand[Pair, Any]):
        async def run_instance(self) -> Any:
            return fa.CommandOutcome.from_errors(fa.FoobaraError.runtime_error("own", "m"))

        execute = no_work

    async def execute(self: Any) -> Any:
        return await self.run_subcommand(Own, a=1)

    assert symbols(asyncio.run(make(fa, execute).run(a=1))) == ["own"]


def test_a_sync_subcommand_joins_the_transaction(fa: ModuleType) -> None:
    handler = Handler()
    config = fa.TransactionConfig.with_handler(lambda: handler)
    inner = types.new_class(
        "Inner", (fa.Command[Pair, Any],), {}, lambda space: space.update(_transaction_config=config)
    )

    async def execute(self: Any) -> None:
        await self.run_subcommand(inner, a=1)
        self.halt()

    assert asyncio.run(make(fa, execute, _transaction_config=config).run(a=1)).is_failure()
    assert handler.calls == ["begin", "rollback"]


@pytest.mark.parametrize("wrong", [None, int, "Name"])
def test_a_subcommand_is_a_command_class(fa: ModuleType, wrong: Any) -> None:
    async def execute(self: Any) -> Any:
        return await self.run_subcommand(wrong, a=1)

    outcome = asyncio.run(make(fa, execute).run(a=1))
    assert symbols(outcome) == ["execution_error"] and "takes a Command class" in outcome.errors[0].message


def test_run_instance_and_constructor_may_be_overridden(fa: ModuleType) -> None:
    class Own(fa.AsyncCommand[Pair, Any]):
        def __init__(self, **inputs: Any) -> None:
            super().__init__(**inputs)
            self.extra = 10

        async def run_instance(self) -> Any:
            return "own", (await super().run_instance()).result

        async def execute(self) -> Any:
            return self.inputs.a + self.extra

    assert asyncio.run(Own.run(a=1)) == ("own", 11)
    assert asyncio.run(Own.run_with(Pair(a=2))) == ("own", 12)


def test_a_class_with_a_constructor_of_its_own_gets_the_values_of_a_model_or_of_json(fa: ModuleType) -> None:
    class Aliased(BaseModel):
        a: int
        b: int = Field(default=2, alias="bee")

    class Positive(fa.AsyncCommand[Aliased, Any]):
        def __init__(self, a: Any, **inputs: Any) -> None:
            super().__init__(a=abs(a) if isinstance(a, int) else a, **inputs)

        async def execute(self) -> Any:
            return self.inputs.a, self.inputs.b, self.inputs.model_fields_set

    async def everything() -> list[Any]:
        return [
            await Positive.run(a=-1, bee=3),
            await Positive.run_with(Aliased(a=-1, bee=3)),
            await Positive.run_json(b'{"a": -1, "bee": 3}'),
        ]

    assert [outcome.result for outcome in asyncio.run(everything())] == [(1, 3, {"a", "b"})] * 3
    assert asyncio.run(Positive.run_with(Aliased(a=-1))).result == (1, 2, {"a"})
    for wrong, symbol in ((b"{", "json_invalid"), ("[1]", "model_type"), (b'{"a": "x"}', "int_parsing")):
        outcome = asyncio.run(Positive.run_json(wrong))
        assert symbols(outcome) == [symbol], wrong
        assert symbols(asyncio.run(make(fa).run_json(wrong))) == [symbol]
    with pytest.raises(TypeError, match="'a'"):
        asyncio.run(Positive.run_json(b"{}"))


def test_a_cast_of_its_own_sees_the_values_of_a_model_or_of_json(fa: ModuleType) -> None:
    class Edits(fa.AsyncCommand[Pair, Any]):
        def cast_and_validate_inputs(self) -> None:
            self._raw_inputs["b"] = self._raw_inputs.get("b", 0) + 10
            super().cast_and_validate_inputs()

        async def execute(self) -> Any:
            return self.inputs.a, self.inputs.b

    async def everything() -> list[Any]:
        return [
            (await Edits.run(a=1, b=2)).result,
            (await Edits.run_with(Pair(a=1, b=2))).result,
            (await Edits.run_json('{"a": 1, "b": 2}')).result,
        ]

    assert asyncio.run(everything()) == [(1, 12)] * 3
    assert symbols(asyncio.run(Edits.run_json("{"))) == ["json_invalid"]


@pytest.mark.parametrize("how", ["constructor", "cast"])
def test_values_that_stay_as_they_were_given_are_not_validated_again(fa: ModuleType, how: str) -> None:
    class Strict(BaseModel):
        model_config = ConfigDict(strict=True)

        day: date

    class Own(fa.AsyncCommand[Strict, Any]):
        async def execute(self) -> Any:
            return self.inputs

    if how == "constructor":
        Own.__init__ = lambda self, **inputs: super(Own, self).__init__(**inputs)
    else:
        Own.cast_and_validate_inputs = lambda self: super(Own, self).cast_and_validate_inputs()
    model = Strict(day=date(2024, 1, 2))
    assert asyncio.run(Own.run_with(model)).result is model
    assert asyncio.run(Own.run_json('{"day": "2024-01-02"}')).result == model
    assert symbols(asyncio.run(Own.run_json('{"day": 1.5}'))) == ["date_type"]
    assert symbols(asyncio.run(Own.run_json("[1]"))) == ["model_type"]


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_a_validate_inputs_of_its_own_decides(fa: ModuleType, start: Any, kind: str) -> None:
    class Checked(fa.AsyncCommand[Pair, int]):
        def validate_inputs(self) -> bool:
            if not super().validate_inputs():
                return False
            if self.inputs.a < 0:
                self.add_input_error("a", "negative", "below zero")
            return self.inputs.a < 9

        async def execute(self) -> int:
            return self.inputs.a

    class Child(Checked):
        if kind == "async def":

            async def validate_inputs(self) -> bool:
                return super().validate_inputs()

    assert Child(a=1).validate_inputs.__func__ is Child.validate_inputs
    for run, *given in (
        (Child.run_with, Pair(a=1), Pair(a=-1), Pair(a=9)),
        (Child.run_json, '{"a": 1}', '{"a": -1}', '{"a": 9}', '{"a": "x"}'),
        (lambda a: Child.run(a=a), 1, -1, 9, "x"),
    ):
        outcomes = [start(partial(run, each)) for each in given]
        assert outcomes[0].result == 1
        symbols = [outcome.errors[0].symbol for outcome in outcomes[1:] if len(outcome.errors) == 1]
        assert symbols == ["negative", "halted", "int_parsing"][: len(given) - 1]


def test_a_validate_inputs_that_is_set_later_decides(fa: ModuleType, start: Any) -> None:
    def refuse(command: Any) -> bool:
        command.add_input_error("a", "refused", "no")
        return False

    async def refuse_later(command: Any) -> bool:
        return refuse(command)

    class Here(fa.AsyncCommand[Pair, int]):
        async def execute(self) -> int:
            return self.inputs.a

    class Child(Here):
        pass

    class Told(Here):
        def validate_inputs(self) -> bool:
            return super().validate_inputs()

    class Hooks(Here):
        def open_transaction(self) -> None:
            if hook is not None:
                self.validate_inputs = partial(hook, self)

    hook: Any = None
    for cls, target in (
        (Here, Here),
        (Child, Here),
        (Child, Child),
        (Told, Told),
        (Told, Here),
        (Hooks, None),
    ):
        runs = (
            lambda cls=cls: cls.run(a=1),
            lambda cls=cls: cls.run_with(Pair(a=1)),
            lambda cls=cls: cls.run_json('{"a": 1}'),
        )
        for run in runs:
            assert start(run).result == 1
            for hook in (refuse, refuse_later):
                if target is None:
                    assert symbols(start(run)) == ["refused"]
                else:
                    with mock.patch.object(target, "validate_inputs", hook):
                        assert symbols(start(run)) == ["refused"]
            hook = None
            assert start(run).result == 1
    given = Here(a=1)
    given.validate_inputs = partial(refuse, given)
    assert symbols(start(given.run_instance)) == ["refused"]
    Here.validate_inputs = 5
    with pytest.raises(TypeError, match=r"Here\.validate_inputs is a method, not int"):
        start(partial(Here.run, a=1))
    del Here.validate_inputs
    assert start(partial(Here.run, a=1)).result == 1


def test_a_validate_inputs_is_called_by_hand_and_by_a_cast_of_its_own(fa: ModuleType) -> None:
    class Checked(fa.AsyncCommand[Pair, int]):
        def validate_inputs(self) -> bool:
            return super().validate_inputs() and self.inputs.a > 0

        async def execute(self) -> int:
            return self.inputs.a

    class Both(Checked):
        def cast_and_validate_inputs(self) -> Any:
            calls.append("cast")
            return super().cast_and_validate_inputs()

    calls: list[str] = []
    assert Checked(a=1).validate_inputs() and not Checked(a=0).validate_inputs()
    assert not make(fa)(a="x").validate_inputs()
    assert asyncio.run(Both.run(a=1)).result == 1 and asyncio.run(Both.run(a=0)).is_failure()
    assert calls == ["cast", "cast"]
    with pytest.raises(TypeError, match=r"Bad\.validate_inputs is a method, not int"):
        type("Bad", (Checked,), {"validate_inputs": 5})


def test_positional_inputs_are_refused(fa: ModuleType) -> None:
    with pytest.raises(TypeError):
        make(fa, no_work).run(1)


def test_a_class_without_execute_has_no_instances(fa: ModuleType) -> None:
    class Later(fa.AsyncCommand[Pair, int]):
        pass

    class Now(Later):
        async def execute(self) -> int:
            return self.inputs.a

    class Mixin:
        async def execute(self) -> str:
            return "mixed in"

    class Mixed(Mixin, fa.AsyncCommand[Pair, str]):
        pass

    assert inspect.isabstract(Later) and inspect.isabstract(fa.AsyncCommand) and not inspect.isabstract(Now)
    for start in (
        Later,
        fa.AsyncCommand,
        lambda: asyncio.run(Later.run(a=1)),
        lambda: asyncio.run(Later.run_with(Pair(a=1))),
        lambda: asyncio.run(Later.run_json(b"{")),
    ):
        with pytest.raises(TypeError, match="Can't instantiate abstract class"):
            start()
    assert asyncio.run(Now.run(a=1)).result == 1
    assert asyncio.run(Mixed.run(a=1)).result == "mixed in"

    async def execute(self: Any) -> Any:
        return await self.run_subcommand(Later, a=1)

    outcome = asyncio.run(make(fa, execute).run(a=1))
    assert symbols(outcome) == ["execution_error"] and "abstract class" in outcome.errors[0].message


def test_json_that_cannot_be_read_is_no_context_of_what_a_callback_raises(fa: ModuleType) -> None:
    class Secret(BaseModel):
        password: SecretStr
        n: int

    class Login(fa.AsyncCommand[Secret, None]):
        async def execute(self) -> None: ...

    def breaks(command: Any) -> None:
        raise KeyError("in the callback")

    Login.after_transition_to_failed(breaks)
    with pytest.raises(KeyError) as caught:
        asyncio.run(Login.run_json(b'{"password": "hunter2", "n": "x4111111111111111"}'))
    assert caught.value.__context__ is None


# -- the commit is the point of no return ----------------------------------------------------------


def with_handler(fa: ModuleType, execute: Any = no_work, **body: Any) -> tuple[Any, Handler]:
    handler = Handler()
    config = fa.TransactionConfig.with_handler(lambda: handler)
    return make(fa, execute, _transaction_config=config, **body), handler


@pytest.mark.parametrize("how", ["error", "halt", "exception", "interrupt"])
@pytest.mark.parametrize("waits", [False, True])
def test_callbacks_before_success_can_still_fail_the_run(fa: ModuleType, how: str, waits: bool) -> None:
    cls, handler = with_handler(fa)
    seen: list[Any] = []

    def act(command: Any) -> None:
        seen.append((command.state_name, list(handler.calls)))
        if how == "error":
            command.add_runtime_error("refused", "no", halt=False)
        elif how == "halt":
            command.halt()
        else:
            raise ValueError("broken") if how == "exception" else KeyboardInterrupt

    async def wait(command: Any) -> None:
        await asyncio.sleep(0)
        act(command)

    async def main() -> Any:
        command = cls(a=1)
        try:
            return command, await command.run_instance()
        except (ValueError, KeyboardInterrupt) as error:
            return command, type(error)

    cls.before_transition_to_succeeded(wait if waits else act)
    cls.after_transition_to_succeeded(lambda command: seen.append("succeeded"))
    task = main()
    if how == "interrupt":
        # Not inside a loop: asyncio lets an interrupt out of its task.
        with pytest.raises(StopIteration) as stopped:
            while True:
                task.send(None)
        command, outcome = stopped.value.value
    else:
        command, outcome = asyncio.run(task)
    assert handler.calls == ["begin", "rollback"]
    assert seen == [("commit_transaction", ["begin"])]
    if how in ("error", "halt"):
        assert symbols(outcome) == ["refused" if how == "error" else "halted"]
        assert command.state is fa.CommandState.FAILED
    else:
        assert outcome is (ValueError if how == "exception" else KeyboardInterrupt)
        assert command.state is fa.CommandState.ERRORED


@pytest.mark.parametrize("where", ["after_commit_transaction", "after_transition_to_succeeded"])
@pytest.mark.parametrize("handled", [True, False])
@pytest.mark.parametrize("how", ["error", "halt", "exception"])
def test_callbacks_after_the_commit_cannot_fail_the_run(
    fa: ModuleType, where: str, handled: bool, how: str
) -> None:
    rolled_back: list[str] = []
    cls, handler = with_handler(fa, rollback_transaction=lambda self: rolled_back.append("hook"))
    if not handled:
        cls._transaction_config = fa.TransactionConfig.disabled()

    async def act(command: Any) -> None:
        await asyncio.sleep(0)
        if how == "error":
            command.add_runtime_error("late", "too late", halt=False)
        elif how == "halt":
            command.halt()
        else:
            raise ValueError("broken")

    getattr(cls, where)(act)
    command = cls(a=1)
    if how == "exception":
        with pytest.raises(ValueError, match="broken"):
            asyncio.run(command.run_instance())
        assert command.state is fa.CommandState.ERRORED
    else:
        outcome = asyncio.run(command.run_instance())
        assert outcome.is_success() and outcome.result == 1 and not outcome.errors
        assert command.state is fa.CommandState.SUCCEEDED
    assert rolled_back == [] and handler.calls == (["begin", "commit"] if handled else [])


def test_a_commit_that_a_callback_around_it_leaves_out_is_no_success(fa: ModuleType) -> None:
    cls, handler = with_handler(fa)
    seen: list[str] = []

    async def stays(command: Any, proceed: Any) -> None:
        seen.append("stays")

    cls.around_transition_to(fa.CommandState.COMMITTING_TRANSACTION, stays)
    cls.before_transition_to_succeeded(lambda command: seen.append("succeeds"))
    assert symbols(asyncio.run(cls.run(a=1))) == ["halted"]
    assert handler.calls == ["begin", "rollback"] and seen == ["stays"]


def test_the_deadline_ends_nothing_after_the_commit(fa: ModuleType, start: Any) -> None:
    cls, handler = with_handler(fa, timeout=0.05)
    seen: list[Any] = []
    # It inherits no deadline that has been lifted, and has its own.
    inner = make(fa, slow, timeout=0.05, name="Inner")

    async def later(command: Any) -> None:
        seen.append(symbols(await inner.run(a=1)))
        await sleep(0.1)
        seen.append("done")

    cls.after_transition_to_succeeded(later)

    async def main() -> None:
        outcome = await cls.run(a=1)
        assert outcome.is_success() and outcome.result == 1

    start(main)
    assert handler.calls == ["begin", "commit"] and seen == [["timeout"], "done"]


@pytest.mark.parametrize("ends", ["failed", "errored"])
def test_the_deadline_ends_no_callback_on_the_end_of_a_run(fa: ModuleType, start: Any, ends: str) -> None:
    seen: list[str] = []

    async def validate(self: Any) -> None:
        if ends == "errored":
            raise KeyError("of its own")
        self.add_runtime_error("of_its_own", "no")

    cls, handler = with_handler(fa, validate=validate, timeout=0.05)

    async def later(command: Any) -> None:
        seen.append(command.state_name)
        await sleep(0.1)
        seen.append("done")

    getattr(cls, f"after_transition_to_{ends}")(later)

    async def main() -> None:
        try:
            assert symbols(await cls.run(a=1)) == ["of_its_own"]
        except KeyError:
            assert ends == "errored"

    start(main)
    assert seen == [ends, "done"] and handler.calls == ["begin", "rollback"]


@pytest.mark.parametrize("how", ["swallowed", "never given way"])
def test_a_run_that_comes_to_its_commit_too_late_fails(fa: ModuleType, start: Any, how: str) -> None:
    import time

    async def execute(self: Any) -> str:
        if how == "swallowed":
            try:
                await sleep(60)
            except BaseException:
                return "too late"
        time.sleep(0.06)
        return "too late"

    cls, handler = with_handler(fa, execute, timeout=0.05)
    seen: list[str] = []
    for end in ("succeeded", "failed", "errored"):
        getattr(cls, f"after_transition_to_{end}")(lambda command: seen.append(command.state_name))

    async def main() -> None:
        assert symbols(await cls.run(a=1)) == ["timeout"]

    start(main)
    assert handler.calls == ["begin", "rollback"] and seen == ["failed"]
