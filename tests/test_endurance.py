"""Many runs of every kind start no collection and keep nothing; failing ones neither.

FOOBARA_ACCEL_SLOW=1 takes the numbers that the project promises.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
import types
from collections.abc import Callable, Iterator
from functools import cache
from types import ModuleType
from typing import Any
from unittest import mock

import pytest
from pydantic import BaseModel, Field, create_model
from pydantic._internal import _model_construction

SLOW = bool(os.environ.get("FOOBARA_ACCEL_SLOW"))
RUNS = 100_000 if SLOW else 2_500
FAILING = 1_000_000 if SLOW else 8_000
THREADS, THREAD_RUNS = (32, 10_000) if SLOW else (8, 300)
COMMANDS = 1_000 if SLOW else 100
# Between changes of what other threads run. Without a GIL they would do little but make plans anew, and 3.13
# stops every thread each time that a class gets an attribute.
PAUSE = 0.001 if getattr(sys, "_is_gil_enabled", lambda: True)() else 0.05

pytestmark = [pytest.mark.slow] if SLOW else []


class Pair(BaseModel):
    a: int
    b: int = Field(default=2, ge=0)


class Handler:
    """A transaction that is always the same one, so that subcommands join it."""

    def begin(self) -> None: ...

    def commit(self) -> None: ...

    def rollback(self) -> None: ...


HANDLER = Handler()


@cache
def the_loop() -> asyncio.AbstractEventLoop:
    """One for all: a loop is a cycle, and the collector is off here."""
    loop = asyncio.new_event_loop()
    loop.set_debug(False)
    return loop


@pytest.fixture(scope="module", autouse=True)
def _closed() -> Iterator[None]:
    yield
    the_loop().close()
    the_loop.cache_clear()  # this module is run once per backend, with others between


def make(fa: ModuleType, execute: Callable[[Any], Any], base: Any = None, **body: Any) -> Any:
    body["execute"] = execute
    base = fa.Command if base is None else base
    return types.new_class("Made", (base[Pair, Any],), {}, lambda space: space.update(body))


def kinds(fa: ModuleType) -> dict[str, Callable[[int], None]]:
    """Name -> what makes that many runs of the kind."""
    in_transaction = fa.TransactionConfig.with_handler(lambda: HANDLER)

    def repeat(run: Callable[..., Any], **inputs: Any) -> Callable[[int], None]:
        def work(times: int) -> None:
            for _ in range(times):
                run(**inputs)

        return work

    def repeat_async(run: Callable[..., Any], **inputs: Any) -> Callable[[int], None]:
        async def main(times: int) -> None:
            for _ in range(times):
                await run(**inputs)

        return lambda times: the_loop().run_until_complete(main(times))

    def errors(self: Any) -> None:
        self.add_input_error(("a", "b"), "odd", "o", seen=1)
        self.add_runtime_error("odd", "o", halt=False)

    def raises(self: Any) -> None:
        raise ValueError("no")

    def fails(self: Any) -> Any:
        self.run_subcommand_bang(child_fails, a=1)

    async def add_later(self: Any) -> int:
        return int(self.inputs.a)

    async def parent_later(self: Any) -> Any:
        return await self.run_subcommand(later, a=1)

    @fa.simple_command
    def double(a: int, b: int = 2) -> int:
        return a * b

    @fa.async_simple_command
    async def double_later(a: int, b: int = 2) -> int:
        return a * b

    simple = make(fa, lambda self: self.inputs.a + self.inputs.b)
    child_fails = make(fa, errors)
    later = make(fa, add_later, fa.AsyncCommand)
    called = make(fa, lambda self: 1)
    called.before_execute_transition(lambda command: None)
    called.after_any_transition(lambda command: None)
    called.around_execute_transition(lambda command, proceed: proceed())
    called_later = make(fa, add_later, fa.AsyncCommand, _transaction_config=in_transaction)
    called_later.around_any_transition(lambda command, proceed: proceed())
    hooked = make(fa, lambda self: 1, validate=lambda self: None, before_execute=lambda self: None)
    inside = make(fa, lambda self: 1, _transaction_config=in_transaction)
    joined = make(fa, lambda self: self.run_subcommand(inside, a=1), _transaction_config=in_transaction)
    undone = make(fa, raises, _transaction_config=in_transaction)
    parent = make(fa, lambda self: self.run_subcommand(simple, a=1))
    on_instance = make(fa, lambda self: self.before_commit_transaction(lambda command: None))

    def instances(times: int) -> None:
        for _ in range(times):
            simple(a=1).run_instance()

    def looked_at(times: int) -> None:
        for _ in range(times):
            outcome = simple.run(a="x", b=-1)
            outcome.to_json_bytes()
            outcome.to_dict()
            outcome.to_problem()

    return {
        "simple": repeat(simple.run, a=1),
        "coerced": repeat(simple.run, a="1"),
        "with a model": repeat(simple.run_with, inputs=Pair(a=1)),
        "json": repeat(simple.run_json, data=b'{"a": 1}'),
        "instances": instances,
        "hooks": repeat(hooked.run, a=1),
        "subcommand": repeat(parent.run, a=1),
        "callbacks": repeat(called.run, a=1),
        "callback of an instance": repeat(on_instance.run, a=1),
        "transaction": repeat(inside.run, a=1),
        "joined transaction": repeat(joined.run, a=1),
        "rolled back": repeat(undone.run, a=1),
        "errors": repeat(make(fa, errors).run, a=1),
        "halt": repeat(make(fa, lambda self: self.halt()).run, a=1),
        "exception": repeat(make(fa, raises).run, a=1),
        "failing subcommand": repeat(make(fa, fails).run, a=1),
        "validation errors": repeat(simple.run, a="x", b=-1),
        "validation errors of json": repeat(simple.run_json, data=b'{"a": "x"}'),
        "errors looked at": looked_at,
        "simple command": repeat(double.run, a=1),
        "simple command that fails": repeat(double.run, a="x"),
        "async": repeat_async(later.run, a=1),
        "async validation errors": repeat_async(later.run, a="x"),
        "async subcommand": repeat_async(make(fa, parent_later, fa.AsyncCommand).run, a=1),
        "async callbacks and transaction": repeat_async(called_later.run, a=1),
        "async simple command": repeat_async(double_later.run, a=1),
    }


KINDS = (
    "simple",
    "coerced",
    "with a model",
    "json",
    "instances",
    "hooks",
    "subcommand",
    "callbacks",
    "callback of an instance",
    "transaction",
    "joined transaction",
    "rolled back",
    "errors",
    "halt",
    "exception",
    "failing subcommand",
    "validation errors",
    "validation errors of json",
    "errors looked at",
    "simple command",
    "simple command that fails",
    "async",
    "async validation errors",
    "async subcommand",
    "async callbacks and transaction",
    "async simple command",
)


@pytest.fixture
def collector() -> Iterator[list[int]]:
    """The collections that the collector starts, at the thresholds of a fresh interpreter."""
    was, thresholds = gc.isenabled(), gc.get_threshold()
    started: list[int] = []

    def watch(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            started.append(info["generation"])

    gc.collect()
    gc.freeze()
    gc.set_threshold(700, 10, 10)
    gc.enable()
    gc.callbacks.append(watch)
    yield started
    gc.callbacks.remove(watch)
    gc.unfreeze()
    gc.set_threshold(*thresholds)
    if not was:
        gc.disable()


def retained(work: Callable[[int], None], times: int) -> int:
    """Blocks that *times* runs leave allocated; the least of some tries, as caches settle."""
    least = sys.maxsize
    for _ in range(4):
        before = sys.getallocatedblocks()
        work(times)
        least = min(least, sys.getallocatedblocks() - before)
        if least <= 0:
            break
    return least


@pytest.mark.parametrize("kind", KINDS)
def test_runs_start_no_collection_and_keep_nothing(fa: ModuleType, kind: str, collector: list[int]) -> None:
    work = kinds(fa)[kind]
    work(300)
    collector.clear()
    work(RUNS)
    assert collector == []
    assert retained(work, RUNS) <= 2  # blocks of the loop and of this function


def test_every_kind_is_tried(fa: ModuleType) -> None:
    assert tuple(kinds(fa)) == KINDS


@pytest.mark.parametrize(
    "kind", ["errors", "exception", "validation errors", "rolled back", "failing subcommand"]
)
def test_failing_runs_keep_memory_flat(fa: ModuleType, kind: str) -> None:
    work = kinds(fa)[kind]
    work(1_000)
    assert retained(work, FAILING // 4) <= 2


def test_threads_share_commands_while_they_change_and_are_warmed(fa: ModuleType) -> None:
    """A run that starts after a registration has returned calls what was registered: no plan is stale."""
    mine = threading.local()

    def count(command: Any) -> None:
        mine.seen += 1

    def inner_execute(self: Any) -> int:
        return int(self.inputs.a)

    inner = make(fa, inner_execute)
    outer = make(fa, lambda self: self.run_subcommand(inner, a=self.inputs.a) + 1)
    unchanged = make(fa, lambda self: self.inputs.a)
    registered = 0
    wrong: list[str] = []
    totals: list[int] = []
    over = threading.Event()
    start = threading.Barrier(THREADS + 4)

    def run(first: int) -> None:
        start.wait()
        total = 0
        for number in range(THREAD_RUNS):
            value = first * THREAD_RUNS + number
            mine.seen, known = 0, registered
            outcome = outer.run(a=value)
            if outcome.result != value + 1 or not known <= mine.seen <= 20:
                wrong.append(f"{value}: {outcome!r} with {mine.seen} of {known} callbacks")
            if unchanged.run(a=value).result != value or outer.run(a="x").is_success():
                wrong.append(f"{value}: mixed up")
            total += outcome.result
        totals.append(total)

    def register() -> None:
        nonlocal registered
        start.wait()
        for _ in range(20):
            outer.before_execute_transition(count)
            registered += 1
            over.wait(0.02)

    def elsewhere() -> None:
        start.wait()
        while not over.is_set():
            made = make(fa, lambda self: 1)
            made.after_any_transition(lambda command: None)
            if made.run(a=1).result != 1:
                wrong.append("a new class")
            over.wait(PAUSE)

    def warm() -> None:
        start.wait()
        while not over.is_set():
            if not fa.warm_up([outer, inner, unchanged]).ok:
                wrong.append("a warm-up failed")
            over.wait(PAUSE)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(THREADS)]
    others = [threading.Thread(target=work) for work in (register, elsewhere, warm)]
    for thread in (*threads, *others):
        thread.start()
    start.wait()
    for thread in threads:
        thread.join()
    over.set()
    for thread in others:
        thread.join()
    assert not wrong, wrong[:3]
    runs = THREADS * THREAD_RUNS
    assert sum(totals) == runs * (runs - 1) // 2 + runs
    mine.seen = 0
    assert outer.run(a=1).result == 2 and mine.seen == 20


def test_registrations_from_many_threads_are_all_kept(fa: ModuleType) -> None:
    cls = make(fa, lambda self: 1)
    start = threading.Barrier(8)

    def register() -> None:
        start.wait()
        for priority in range(50):
            cls.before_execute_transition(lambda command: seen.append(1), priority=priority)

    seen: list[int] = []
    threads = [threading.Thread(target=register) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    cls.run(a=1)
    assert len(seen) == 8 * 50


def test_a_warm_registry_has_nothing_left_to_build(fa: ModuleType, sub: Any) -> None:
    """The first calls after a warm-up analyse, compile and validate anew nothing at all."""
    plan, inputs = sub("core.plan"), sub("core.inputs")
    registry = fa.CommandRegistry("endurance")
    commands = []
    for number in range(COMMANDS):
        fields: dict[str, Any] = {"a": (int, ...), f"f{number}": (str, "x")}
        model = create_model(f"Inputs{number}", __config__={"defer_build": number % 2 == 0}, **fields)
        cls = types.new_class(
            f"Command{number}",
            (fa.Command[model, int],),
            {},
            lambda space: space.update(execute=lambda self: self.inputs.a),
        )
        if number % 3 == 0:
            cls.before_execute_transition(lambda command: None)
        registry.register(cls)
        commands.append(cls)
    report = registry.warm_up()
    assert report.ok and report.commands == COMMANDS
    with (
        mock.patch.object(plan.Services, "analyse", wraps=plan.Services.analyse) as analyse,
        mock.patch.object(inputs, "analyze", wraps=inputs.analyze) as analyze,
        mock.patch.object(plan, "compile_chains", wraps=plan.compile_chains) as chains,
        mock.patch.object(BaseModel, "model_json_schema", wraps=BaseModel.model_json_schema) as schemas,
        mock.patch.object(
            _model_construction, "complete_model_class", wraps=_model_construction.complete_model_class
        ) as built,
    ):
        for cls in commands:
            assert cls.run(a=1).result == 1 and cls.run(a="x").is_failure()
            cls.inputs_schema()
        registry.list_tools()
    assert [made.call_count for made in (analyse, analyze, chains, schemas, built)] == [0, 0, 0, 0, 0]
