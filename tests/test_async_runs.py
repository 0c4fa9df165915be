"""What ``run`` of an async command gives: on event loops, in frameworks, driven by hand."""

import asyncio
import contextvars
import copy
import functools
import gc
import inspect
import pickle
import sys
import types
import warnings
import weakref
from collections.abc import Awaitable, Callable, Coroutine
from types import ModuleType
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, create_model

SITUATIONS = ("hot", "transaction", "callback", "timeout")


class Pair(BaseModel):
    a: int
    b: int = 2


class Handler:
    """Logs its calls; equal to itself alone."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def begin(self) -> None:
        self.calls.append("begin")

    def commit(self) -> None:
        self.calls.append("commit")

    def rollback(self) -> None:
        self.calls.append("rollback")


def make(fa: ModuleType, execute: Callable[[Any], Any], name: str = "Made", **body: Any) -> Any:
    body["execute"] = execute
    return types.new_class(name, (fa.AsyncCommand[Pair, Any],), {}, lambda space: space.update(body))


def situated(fa: ModuleType, situation: str, execute: Callable[[Any], Any]) -> Any:
    """A class on the hot path, or one that is not for the reason that *situation* names."""
    body: dict[str, Any] = {}
    if situation == "transaction":
        body["_transaction_config"] = fa.TransactionConfig.with_handler(Handler)
    if situation == "timeout":
        body["timeout"] = 60
    cls = make(fa, execute, **body)
    if situation == "callback":
        cls.before_execute_transition(lambda command: None)
    return cls


async def added(self: Any) -> int:
    return self.inputs.a + self.inputs.b


async def added_later(self: Any) -> int:
    await asyncio.sleep(0)
    return self.inputs.a + self.inputs.b


@types.coroutine
def pause(value: Any = "paused") -> Any:
    return (yield value)


def drive(run: Any) -> Any:
    try:
        run.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("the run waits")


# -- as a coroutine function -----------------------------------------------------------------------


def test_run_is_a_coroutine_function_for_whoever_asks(fa: ModuleType) -> None:
    cls = make(fa, added)
    for run in (cls.run, cls.run_async, cls(a=1).run, functools.partial(cls.run, a=1)):
        assert inspect.iscoroutinefunction(run) and callable(run)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            assert asyncio.iscoroutinefunction(run)
    assert list(inspect.signature(cls.run).parameters) == ["inputs"]
    assert cls.run.__name__ == "run" and cls.run.__qualname__ == "Made.run" and cls.run.__self__ is cls
    assert "outcome" in cls.run.__doc__
    assert cls.run.__module__ == cls.__module__
    assert not inspect.iscoroutinefunction(fa.Command.run)


def test_a_positional_input_is_refused_at_the_call(fa: ModuleType) -> None:
    cls = make(fa, added)
    for _ in range(2):
        with pytest.raises(TypeError, match=r"^Made\.run\(\) takes 1 positional argument but 3 were given$"):
            cls.run(1, 2)
        drive(cls.run(a=1))


def test_a_run_is_a_coroutine_for_asyncio(fa: ModuleType) -> None:
    run = make(fa, added).run(a=1)
    assert isinstance(run, Coroutine) and isinstance(run, Awaitable)
    assert asyncio.iscoroutine(run) and inspect.iscoroutine(run) and inspect.isawaitable(run)
    assert not inspect.isgenerator(run) and not inspect.isasyncgen(run)
    assert run.__name__ == "run" and run.__qualname__ == "Made.run"
    assert repr(run).startswith("<coroutine object Made.run at 0x")
    assert weakref.ref(run)() is run
    for refused in (pickle.dumps, copy.copy):
        with pytest.raises(TypeError, match="cannot pickle 'coroutine' object"):
            refused(run)
    run.close()


class Pickled(BaseModel):
    n: int


def test_run_itself_can_be_pickled(fa: ModuleType) -> None:
    cls = make(fa, added)
    cls.__module__, cls.__qualname__ = __name__, "made_for_pickling"
    globals()["made_for_pickling"] = cls
    try:
        copied = pickle.loads(pickle.dumps(cls.run))
        assert copied == cls.run and asyncio.run(copied(a=1)).result == 3
    finally:
        del globals()["made_for_pickling"]


def test_a_run_belongs_to_the_class_it_is_looked_up_on(fa: ModuleType) -> None:
    class Mixin:
        def __init_subclass__(cls) -> None:
            """Does not call super()."""

    parent = make(fa, added)

    async def negative(self: Any) -> int:
        return -1

    child = types.new_class("Child", (Mixin, parent), {}, lambda space: space.update(execute=negative))

    class Overriding(parent):
        @classmethod
        async def run(cls, /, **inputs: Any) -> Any:
            return "mine", (await super().run(**inputs)).result

        async def execute(self) -> int:
            return 5

    for _ in range(2):
        assert asyncio.run(parent.run(a=1)).result == 3
        assert asyncio.run(child.run(a=1)).result == -1
        assert asyncio.run(child(a=1).run(a=1)).result == -1
        assert asyncio.run(Overriding.run(a=1)) == ("mine", 5)


def test_a_changed_class_changes_its_runs(fa: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    cls = make(fa, added)
    assert drive(cls.run(a=1)).result == 3

    async def other(self: Any) -> str:
        return "other"

    with monkeypatch.context() as patch:
        patch.setattr(cls, "execute", other)
        waiting = cls.run(a=1)
        assert drive(cls.run(a=1)).result == "other"
    # What the class has when a run begins counts, not what it had when the run was made.
    assert drive(waiting).result == 3
    cls.timeout = -1
    with pytest.raises(ValueError, match="timeout"):
        cls.run(a=1).send(None)
    cls.timeout = None
    assert drive(cls.run(a=1)).result == 3
    cls.before_execute_transition(lambda command: command.add_runtime_error("no", "n", halt=False))
    assert [error.symbol for error in drive(cls.run(a=1)).errors] == ["no"]


def test_execute_may_give_any_awaitable_or_a_value(fa: ModuleType) -> None:
    class Ready:
        def __await__(self) -> Any:
            yield from asyncio.sleep(0).__await__()
            return "ready"

    def plain(self: Any) -> int:
        return 7

    def ready(self: Any) -> Any:
        return Ready()

    @types.coroutine
    def generator(self: Any) -> Any:
        yield
        return "generated"

    async def main(situation: str) -> None:
        for execute, result in ((plain, 7), (ready, "ready"), (generator, "generated")):
            assert (await situated(fa, situation, execute).run(a=1)).result == result

    for situation in SITUATIONS:
        asyncio.run(main(situation))


# -- driven by hand --------------------------------------------------------------------------------


@pytest.mark.parametrize("situation", SITUATIONS[:3])
def test_a_run_is_sent_into_thrown_into_and_used_once(fa: ModuleType, situation: str) -> None:
    async def execute(self: Any) -> Any:
        try:
            got = await pause()
        except LookupError as error:
            got = f"caught {error.args[0]}"
        return got, await pause("again")

    cls = situated(fa, situation, execute)
    run = cls.run(a=1)
    with pytest.raises(TypeError, match="can't send non-None value to a just-started coroutine"):
        run.send(1)
    assert run.send(None) == "paused"
    assert run.throw(LookupError("it")) == "again"
    with pytest.raises(StopIteration) as stop:
        run.send("end")
    assert stop.value.value.result == ("caught it", "end") and stop.value.args == (stop.value.value,)
    for again in (lambda: run.send(None), lambda: run.throw(KeyError), lambda: asyncio.run(run)):
        with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
            again()
    run.close()


def test_throw_takes_a_class_an_instance_or_three_arguments(fa: ModuleType) -> None:
    async def execute(self: Any) -> Any:
        await pause()

    cls = make(fa, execute)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        for given in ((KeyboardInterrupt,), (KeyboardInterrupt("x"),), (KeyboardInterrupt, "x", None)):
            run = cls.run(a=1)
            run.send(None)
            with pytest.raises(KeyboardInterrupt):
                run.throw(*given)
        run = cls.run(a=1)
        with pytest.raises(TypeError):
            run.throw("nothing to raise")
        run.close()


def test_a_throw_before_the_start_runs_nothing(fa: ModuleType) -> None:
    ran: list[int] = []

    async def execute(self: Any) -> None:
        ran.append(1)

    run = make(fa, execute).run(a=1)
    with pytest.raises(LookupError, match="it"):
        run.throw(LookupError("it"))
    with pytest.raises(RuntimeError, match="cannot reuse"):
        run.send(None)
    assert ran == []


def test_a_run_cannot_be_driven_from_inside_itself(fa: ModuleType) -> None:
    async def execute(self: Any) -> Any:
        for again in (lambda: runs[0].send(None), lambda: runs[0].throw(KeyError), runs[0].close):
            with pytest.raises(ValueError, match="coroutine already executing"):
                again()
        assert runs[0].cr_running
        return "whole"

    runs = [make(fa, execute).run(a=1)]
    assert drive(runs[0]).result == "whole" and not runs[0].cr_running


def test_what_is_awaited_already_cannot_be_awaited_again(fa: ModuleType) -> None:
    cls = make(fa, added_later)

    async def main() -> None:
        run = cls.run(a=1)
        task = asyncio.ensure_future(run)
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="coroutine is being awaited already"):
            await run
        assert (await task).result == 3

    asyncio.run(main())


def test_a_run_is_awaited_through_its_iterator_and_yield_from(fa: ModuleType) -> None:
    async def execute(self: Any) -> Any:
        return await pause()

    cls = make(fa, execute)
    iterator = cls.run(a=1).__await__()
    assert iter(iterator) is iterator and next(iterator) == "paused"
    with pytest.raises(StopIteration) as stop:
        iterator.send("sent")
    assert stop.value.value.result == "sent"

    class Wrapper:
        def __await__(self) -> Any:
            return (yield from cls.run(a=1).__await__())

    async def main() -> Any:
        return await Wrapper()

    run = main()
    assert run.send(None) == "paused"
    with pytest.raises(StopIteration) as stop:
        run.send("through")
    assert stop.value.value.result == "through"
    iterator = cls.run(a=1).__await__()
    next(iterator)
    with pytest.raises(KeyboardInterrupt):
        iterator.throw(KeyboardInterrupt)
    iterator.close()


@pytest.mark.parametrize("result", [None, (), (1, 2), StopIteration(3), ValueError("kept")])
def test_any_result_passes_through_an_await(fa: ModuleType, result: Any) -> None:
    async def execute(self: Any) -> Any:
        return result

    async def run_instance(self: Any) -> Any:
        return result

    hot, own = make(fa, execute), make(fa, execute, run_instance=run_instance)

    async def main() -> None:
        assert (await hot.run(a=1)).result is result
        assert await own.run(a=1) is result

    asyncio.run(main())
    assert drive(own.run(a=1)) is result


def test_a_stop_iteration_in_execute_is_an_execution_error(fa: ModuleType) -> None:
    async def execute(self: Any) -> Any:
        raise StopIteration(1)

    outcome = asyncio.run(make(fa, execute).run(a=1))
    assert outcome.errors[0].context == {"exception_type": "RuntimeError"}


# -- closed, dropped, never awaited ----------------------------------------------------------------


@pytest.mark.parametrize("how", ["close", "drop", "collect"])
@pytest.mark.parametrize("situation", ["hot", "transaction"])
def test_a_run_left_where_it_waits_ends_once(fa: ModuleType, how: str, situation: str) -> None:
    handler = Handler()
    seen: list[Any] = []
    rolled_back: list[str] = []

    async def execute(self: Any) -> None:
        seen.append(self)
        try:
            await pause()
        finally:
            seen.append("finally")

    def rollback_transaction(self: Any) -> None:
        rolled_back.append(self.state_name)

    body: dict[str, Any] = {}
    if situation == "transaction":
        body["_transaction_config"] = fa.TransactionConfig.with_handler(lambda: handler)
        body["rollback_transaction"] = rollback_transaction
    for _ in range(3):
        run = make(fa, execute, **body).run(a=1)
        assert run.send(None) == "paused"
        if how == "close":
            run.close()
            run.close()
        elif how == "collect":
            seen[-1].cycle = run
        del run
        if how == "collect":
            command = seen.pop()
            held = weakref.ref(command)
            del command
            gc.collect()
            gc.collect()  # on 3.15 the frames that the exception has passed are garbage of their own
            assert held() is None
            seen.append(None)
    assert seen[1::2] == ["finally"] * 3 if how != "collect" else seen.count("finally") == 3
    if how != "collect":
        assert [command.state_name for command in seen[::2]] == ["errored"] * 3
    if situation == "transaction":
        assert handler.calls == ["begin", "rollback"] * 3 and rolled_back == ["execute"] * 3


def test_a_run_that_swallows_its_closing(fa: ModuleType) -> None:
    async def returns(self: Any) -> str:
        try:
            await pause()
        except GeneratorExit:
            kept.append(self)
        return "too late"

    async def goes_on(self: Any) -> None:
        try:
            await pause()
        except GeneratorExit:
            kept.append(self)
            await pause()

    kept: list[Any] = []
    for execute, raised in ((returns, None), (goes_on, RuntimeError)):
        run = make(fa, execute).run(a=1)
        run.send(None)
        if raised is None:
            run.close()
        else:
            with pytest.raises(raised, match="coroutine ignored GeneratorExit"):
                outcome = run.close()
                # The error of the inner coroutine is an Exception out of execute, as any other.
                raise RuntimeError(f"coroutine ignored GeneratorExit: {outcome}")
    assert len(kept) == 2


def test_closing_before_the_start_is_silent_and_runs_nothing(fa: ModuleType) -> None:
    ran: list[int] = []
    cls = make(fa, added, cast_and_validate_inputs=lambda self: ran.append(1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run = cls.run(a=1)
        run.close()
        del run
        gc.collect()
    assert ran == []


@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_run_never_awaited_warns_each_time(fa: ModuleType, situation: str) -> None:
    cls = situated(fa, situation, added)
    for _ in range(3):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            cls.run(a=1)
            gc.collect()
        messages = [str(each.message) for each in caught if each.category is RuntimeWarning]
        assert messages == ["coroutine 'Made.run' was never awaited"]
        asyncio.run(cls.run(a=1))


def test_a_warning_tells_where_a_run_was_made(fa: ModuleType) -> None:
    cls = make(fa, added)
    depth = sys.get_coroutine_origin_tracking_depth()
    sys.set_coroutine_origin_tracking_depth(2)
    try:
        run = cls.run(a=1)
        file, _, function = run.cr_origin[0]
        assert len(run.cr_origin) == 2 and file == __file__
        assert function == "test_a_warning_tells_where_a_run_was_made"
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            del run
        assert "Coroutine created at (most recent call last)" in str(caught[0].message)
    finally:
        sys.set_coroutine_origin_tracking_depth(depth)
    assert drive(cls.run(a=1)).result == 3
    run = cls.run(a=1)
    assert run.cr_origin is None
    run.close()


def test_runs_leave_nothing_behind(fa: ModuleType) -> None:
    cls = make(fa, added)

    class Weighed:
        pass

    async def returns_object(self: Any) -> Any:
        return Weighed()

    gc.collect()
    outcome = drive(make(fa, returns_object).run(a=1))
    held = weakref.ref(outcome.result)
    del outcome
    assert held() is None
    gc.collect()
    gc.disable()
    try:
        for number in range(300):
            drive(cls.run(a=number))
            drive(cls.run(a="x"))
        assert gc.collect() == 0
    finally:
        gc.enable()


# -- what debuggers look at ------------------------------------------------------------------------


def test_an_outcome_is_let_go_where_the_run_is_kept(fa: ModuleType) -> None:
    async def execute(self: Any) -> int:
        return int(self.inputs.a)

    cls = make(fa, execute)

    async def main() -> None:
        await cls.run(a=0)
        for number in range(3):
            run = cls.run(a=number)
            outcome = await run
            seen = weakref.ref(outcome)
            assert outcome.result == number
            del outcome
            assert seen() is None
            assert run is not None

    asyncio.run(main())


def test_what_a_trace_function_keeps_of_a_run_stays_as_it_was(fa: ModuleType) -> None:
    """Where a result passes as a StopIteration, whoever is shown that may keep it."""
    kept: list[Any] = []

    async def execute(self: Any) -> int:
        return int(self.inputs.a)

    cls = make(fa, execute)

    async def awaiting() -> list[int]:
        return [(await cls.run(a=number)).result for number in range(6)]

    def trace(frame: Any, event: str, argument: Any) -> Any:
        if event == "exception" and frame.f_code.co_name == "awaiting" and argument[0] is StopIteration:
            kept.append(argument[1])
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        with pytest.raises(StopIteration) as stop:
            awaiting().send(None)
    finally:
        sys.settrace(before)
    assert stop.value.value == list(range(6))
    found = [each.value for each in kept if isinstance(each, StopIteration)]
    shown = [value.result for value in found if isinstance(value, fa.CommandOutcome)]
    assert shown == sorted(set(shown))
    assert asyncio.run(awaiting()) == list(range(6))


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 40])
def test_a_run_keeps_its_inputs_until_it_begins(fa: ModuleType, count: int) -> None:
    given = {f"field{number}": number for number in range(count)}
    model = create_model("Given", **dict.fromkeys(given, (Any, ...)))

    async def execute(self: Any) -> dict[str, Any]:
        return dict(self.inputs)

    body = {"execute": execute}
    cls = types.new_class("Taker", (fa.AsyncCommand[model, Any],), {}, lambda space: space.update(body))
    assert asyncio.run(cls.run(**given)).result == given

    class Value:
        pass

    for end in ("run", "close", "drop", "cycle"):
        values = {name: Value() for name in given}
        seen = [weakref.ref(value) for value in values.values()]
        run = cls.run(**values)
        for value in values.values():
            value.run = run if end == "cycle" else None
        values = value = None  # type: ignore[assignment]
        assert all(ref() is not None for ref in seen)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if end == "run":
                asyncio.run(run)
            elif end == "close":
                run.close()
            run = None  # type: ignore[assignment]
            if end == "cycle":
                gc.collect()
        if end != "cycle" or str(fa.backend()) == "c":
            assert [ref() for ref in seen] == [None] * count, end


def test_a_timeout_set_on_the_class_or_a_base_holds_from_the_next_run(fa: ModuleType) -> None:
    async def execute(self: Any) -> None:
        await asyncio.sleep(0.05)

    base = make(fa, execute)
    cls = types.new_class("Child", (base,))
    assert all(asyncio.run(cls.run(a=1)).is_success() for _ in range(3))
    for owner in (base, cls):
        owner.timeout = 0.001
        assert [error.symbol for error in asyncio.run(cls.run(a=1)).errors] == ["timeout"]
        del owner.timeout
        assert all(asyncio.run(cls.run(a=1)).is_success() for _ in range(3))


def test_a_waiting_run_shows_the_frame_that_waits(fa: ModuleType) -> None:
    async def execute(self: Any) -> None:
        await asyncio.sleep(60)

    cls = make(fa, execute)

    async def main() -> None:
        task = asyncio.create_task(cls.run(a=1), name="shown")
        run = task.get_coro()
        assert inspect.getcoroutinestate(run) in ("CORO_CREATED", "CORO_CLOSED") and run.cr_await is None
        if fa.backend().compiled:
            assert run.cr_state == "CORO_CREATED"
        await asyncio.sleep(0)
        assert inspect.getcoroutinestate(run) == "CORO_SUSPENDED" and run.cr_suspended
        assert "Made.run" in repr(task) and run.cr_frame is not None and run.cr_await is not None
        assert len(task.get_stack()) == 1
        task.print_stack(file=open_null())
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert inspect.getcoroutinestate(run) == "CORO_CLOSED"
        assert getattr(run, "cr_state", "CORO_CLOSED") == "CORO_CLOSED"
        assert run.cr_frame is None and run.cr_await is None

    asyncio.run(main(), debug=True)


def open_null() -> Any:
    import io

    return io.StringIO()


# -- asyncio ---------------------------------------------------------------------------------------


def test_asyncio_takes_a_run_wherever_it_takes_a_coroutine(fa: ModuleType) -> None:
    cls = make(fa, added_later)

    async def main() -> None:
        assert (await asyncio.create_task(cls.run(a=1))).result == 3
        assert (await asyncio.ensure_future(cls.run(a=1))).result == 3
        assert (await asyncio.wait_for(cls.run(a=1), 60)).result == 3
        assert (await asyncio.shield(cls.run(a=1))).result == 3
        assert [each.result for each in await asyncio.gather(cls.run(a=1), cls.run(a=2))] == [3, 4]
        for first in asyncio.as_completed([cls.run(a=1)]):
            assert (await first).result == 3
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(cls.run(a=number)) for number in range(5)]
        assert [task.result().result for task in tasks] == [2, 3, 4, 5, 6]
        loop = asyncio.get_running_loop()
        future = await asyncio.to_thread(asyncio.run_coroutine_threadsafe, cls.run(a=1), loop)
        assert (await asyncio.wrap_future(future)).result == 3

    asyncio.run(main())
    asyncio.run(main(), debug=True)
    assert asyncio.run(cls.run(a=1)).result == 3
    with asyncio.Runner() as runner:
        assert runner.run(cls.run(a=1)).result == 3
    loop = asyncio.new_event_loop()
    assert loop.run_until_complete(cls.run(a=1)).result == 3
    loop.close()


def test_two_hundred_runs_at_once(fa: ModuleType) -> None:
    async def execute(self: Any) -> int:
        for _ in range(self.inputs.a % 4):
            await asyncio.sleep(0)
        if self.inputs.a % 5 == 0:
            self.add_runtime_error("fifth", str(self.inputs.a))
        return self.inputs.a

    for situation in SITUATIONS:
        cls = situated(fa, situation, execute)

        async def main(cls: Any = cls) -> None:
            outcomes = await asyncio.gather(*(cls.run(a=number) for number in range(200)))
            for number, outcome in enumerate(outcomes):
                if number % 5:
                    assert outcome.result == number
                else:
                    assert [error.message for error in outcome.errors] == [str(number)]

        asyncio.run(main())


def test_context_variables_are_those_of_the_task(fa: ModuleType) -> None:
    place: contextvars.ContextVar[str] = contextvars.ContextVar("place", default="nowhere")

    async def execute(self: Any) -> str:
        await asyncio.sleep(0)
        found = place.get()
        place.set("inside")
        return found

    cls = make(fa, execute)

    async def main() -> None:
        place.set("outside")
        assert (await asyncio.create_task(cls.run(a=1))).result == "outside"
        assert place.get() == "outside"
        assert (await cls.run(a=1)).result == "outside" and place.get() == "inside"

    asyncio.run(main())


@pytest.mark.parametrize(
    "hook",
    ["open_transaction", "load_records", "validate", "before_execute", "execute", "after_execute"]
    + ["commit_transaction", "callback"],
)
@pytest.mark.parametrize("how", ["cancel", "outer timeout", "own timeout", "wait_for"])
def test_a_cancellation_in_any_phase_rolls_back_once(fa: ModuleType, hook: str, how: str) -> None:
    handler = Handler()
    kept: list[Any] = []
    config = fa.TransactionConfig.with_handler(lambda: handler)

    async def waits(self: Any, *_: Any) -> None:
        kept.append(self)
        if hook == "open_transaction":
            fa.AsyncCommand.open_transaction(self)
        await asyncio.sleep(60)

    body: dict[str, Any] = {"_transaction_config": config, "execute": added}
    if hook != "callback":
        body[hook] = waits
    if how == "own timeout":
        body["timeout"] = 0.01
    cls = make(fa, body.pop("execute"), **body)
    if hook == "callback":
        cls.after_validate_transition(waits)

    async def main() -> None:
        if how == "own timeout":
            outcome = await cls.run(a=1)
            assert [error.symbol for error in outcome.errors] == ["timeout"]
        elif how == "cancel":
            task = asyncio.create_task(cls.run(a=1))
            while not kept:
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        elif how == "wait_for":
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(cls.run(a=1), 0.01)
        else:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    async with asyncio.timeout(60):
                        await cls.run(a=1)

    asyncio.run(main())
    assert handler.calls == ["begin", "rollback"]
    assert kept[0].state_name == ("failed" if how == "own timeout" else "errored")


def test_a_cancellation_reaches_subcommands_and_undoes_them(fa: ModuleType) -> None:
    handler = Handler()
    config = fa.TransactionConfig.with_handler(lambda: handler)
    states: list[Any] = []

    async def waits(self: Any) -> None:
        states.append(self)
        await asyncio.sleep(60)

    inner = make(fa, waits, "Inner", _transaction_config=config)
    hot = make(fa, waits, "Hot")

    for child in (inner, hot):

        async def execute(self: Any, child: Any = child) -> None:
            states.append(self)
            await self.run_subcommand(child, a=1)

        outer = make(fa, execute, "Outer", _transaction_config=config)

        async def main(outer: Any = outer) -> None:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await outer.run(a=1)

        asyncio.run(main())
    assert [command.state_name for command in states] == ["errored"] * 4
    assert handler.calls.count("begin") == handler.calls.count("rollback") and "commit" not in handler.calls


def test_a_cancellation_that_execute_swallows_is_over(fa: ModuleType) -> None:
    async def execute(self: Any) -> str:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return "swallowed"
        return "slept"

    async def main() -> None:
        task = asyncio.create_task(make(fa, execute).run(a=1))
        await asyncio.sleep(0)
        task.cancel()
        assert (await task).result == "swallowed"

    asyncio.run(main())


# -- anyio, trio, Starlette, FastAPI ---------------------------------------------------------------


@pytest.mark.parametrize("situation", SITUATIONS)
def test_trio_runs_a_run(fa: ModuleType, situation: str) -> None:
    trio = pytest.importorskip("trio")
    seen: list[Any] = []

    async def execute(self: Any) -> int:
        await trio.sleep(0)
        seen.append(trio.lowlevel.currently_ki_protected())
        return self.inputs.a

    cls = situated(fa, situation, execute)
    assert trio.run(functools.partial(cls.run, a=1)).result == 1

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(functools.partial(cls.run, a=2))
        with trio.move_on_after(0.01) as scope:
            await make(fa, lambda self: trio.sleep(60)).run(a=1)
        assert scope.cancelled_caught

    trio.run(main)
    # Ctrl-C reaches a command in a task of its own.
    assert seen == [False, False]


@pytest.mark.parametrize("library", ["asyncio", "trio"])
def test_anyio_runs_a_run(fa: ModuleType, library: str) -> None:
    anyio = pytest.importorskip("anyio")
    if library == "trio":
        pytest.importorskip("trio")
    handler = Handler()
    done: list[int] = []

    async def execute(self: Any) -> int:
        await anyio.sleep(0)
        done.append(self.inputs.a)
        return self.inputs.a

    async def waits(self: Any) -> None:
        await anyio.sleep(60)

    cls = make(fa, execute)
    slow = make(fa, waits, _transaction_config=fa.TransactionConfig.with_handler(lambda: handler))

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(functools.partial(cls.run, a=1))
            group.start_soon(functools.partial(cls.run, a=2))
        with anyio.move_on_after(0.01) as scope:
            await slow.run(a=1)
        assert scope.cancelled_caught

    anyio.run(main, backend=library)
    assert anyio.run(functools.partial(cls.run, a=3), backend=library).result == 3
    assert sorted(done) == [1, 2, 3] and handler.calls == ["begin", "rollback"]


async def answer_of(app: Any, path: str) -> tuple[int, bytes]:
    """Status and body of a GET, by the ASGI protocol itself."""
    sent: list[Any] = []
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "scheme": "http",
        "query_string": b"",
        "headers": [],
        "server": ("test", 80),
        "client": ("test", 1),
    }

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    body = b"".join(each.get("body", b"") for each in sent)
    return sent[0]["status"], body


def test_starlette_runs_a_run_in_a_background_task_and_awaits_it_in_an_endpoint(fa: ModuleType) -> None:
    pytest.importorskip("starlette")
    from starlette.applications import Starlette
    from starlette.background import BackgroundTask
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    ran: list[int] = []

    async def execute(self: Any) -> int:
        await asyncio.sleep(0)
        ran.append(self.inputs.a)
        return self.inputs.a

    cls = make(fa, execute)

    async def endpoint(request: Any) -> Any:
        outcome = await cls.run(a=1)
        return PlainTextResponse(str(outcome.result), background=BackgroundTask(cls.run, a=2))

    app = Starlette(routes=[Route("/", endpoint)])
    assert asyncio.run(answer_of(app, "/")) == (200, b"1")
    assert ran == [1, 2]


def test_fastapi_takes_run_as_a_dependency_and_awaits_it_in_an_endpoint(fa: ModuleType) -> None:
    pytest.importorskip("fastapi")
    from fastapi import Depends, FastAPI

    cls = make(fa, added_later)
    app = FastAPI()
    bound = functools.partial(cls.run, a=1)
    bound.__signature__ = inspect.Signature()  # type: ignore[attr-defined]

    @app.get("/awaited")
    async def awaited() -> int:
        return (await cls.run(a=1)).result

    @app.get("/depends")
    async def depends(outcome: Annotated[Any, Depends(bound)]) -> int:
        return outcome.result

    assert asyncio.run(answer_of(app, "/awaited")) == (200, b"3")
    assert asyncio.run(answer_of(app, "/depends")) == (200, b"3")


# -- subcommands -----------------------------------------------------------------------------------


def test_a_mapped_subcommand_is_awaited(fa: ModuleType, sub: Any) -> None:
    mappers = sub("domain.mappers")

    class User(BaseModel):
        name: str

    class Receipt(BaseModel):
        text: str

    class ToPair(mappers.DomainMapper[User, Pair]):
        def map(self, user: User) -> Pair:
            return Pair(a=len(user.name))

    class ToReceipt(mappers.DomainMapper[int, Receipt]):
        def map(self, number: int) -> Receipt:
            return Receipt(text=f"receipt {number}")

    class Sync(fa.Command[Pair, int]):
        def execute(self) -> int:
            return self.inputs.a

    class Later(fa.AsyncCommand[Pair, int]):
        async def execute(self) -> int:
            await asyncio.sleep(0)
            return self.inputs.a + self.inputs.b

    for mapper in (ToPair, ToReceipt):
        mappers.DomainMapperRegistry.register(mapper)
    try:
        for child, expected in ((Sync, "receipt 3"), (Later, "receipt 10")):

            async def execute(self: Any, child: Any = child) -> Any:
                extra = {"b": 7} if child is Later else {}
                return await self.run_mapped_subcommand(child, User(name="ann"), Receipt, **extra)

            assert asyncio.run(make(fa, execute).run(a=1)).result.text == expected

        async def unmapped(self: Any) -> Any:
            return await self.run_mapped_subcommand(Later, 3.5)

        outcome = asyncio.run(make(fa, unmapped).run(a=1))
        assert [error.symbol for error in outcome.errors] == ["no_domain_mapper_found"]
    finally:
        for mapper in (ToPair, ToReceipt):
            mappers.DomainMapperRegistry.unregister(mapper)
