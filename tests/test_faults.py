"""A fault in every hook, callback and handler method: one rollback, one answer, and a clean next run."""

from __future__ import annotations

import asyncio
import dis
import gc
import itertools
import os
import random
import signal
import sqlite3
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
from pydantic import BaseModel

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
TRANSITIONS = (
    "open_transaction",
    "cast_and_validate_inputs",
    "load_records",
    "validate_records",
    "validate",
    "execute",
    "commit_transaction",
    "succeed",
)
ENTRANCES = ("run", "instance", "run_with", "run_json", "subcommand")


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


FAULTS: dict[str, Callable[[], BaseException]] = {
    "exception": lambda: ValueError("fault"),
    "unprintable": Unprintable,
    "stop": lambda: StopIteration("fault"),
    "recursion": lambda: RecursionError("fault"),
    "memory": MemoryError,
    "group": lambda: ExceptionGroup("fault", [ValueError("inner")]),
    "keyboard": KeyboardInterrupt,
    "exit": lambda: SystemExit(3),
    "cancelled": asyncio.CancelledError,
    "generator": GeneratorExit,
    "bare": lambda: BaseException("fault"),
}


class Pair(BaseModel):
    a: int


class Case:
    """One command class whose fault can be switched off, with the calls that its handler got."""

    def __init__(self, fa: ModuleType, asynchronous: bool) -> None:
        self.fa = fa
        self.asynchronous = asynchronous
        self.log: list[str] = []
        self.raised: BaseException | None = None
        self.make: Callable[[], BaseException] | None = None
        self.commands: list[Any] = []

    def strike(self) -> None:
        if self.make is not None:
            self.raised = self.make()
            raise self.raised

    def handler(self, at: str = "") -> Any:
        case = self

        class Handler:
            def begin(self) -> None:
                case.log.append("begin")
                if at == "begin":
                    case.strike()

            def commit(self) -> None:
                case.log.append("commit")
                if at == "commit":
                    case.strike()

            def rollback(self) -> None:
                case.log.append("rollback")
                if at == "rollback":
                    case.strike()

            def __eq__(self, other: object) -> bool:
                return type(other).__name__ == "Handler"

            __hash__ = None  # type: ignore[assignment]

        return self.fa.TransactionConfig.with_handler(Handler)

    def command(self, hook: str = "", handler_at: str = "", late: bool = False) -> Any:
        base = self.fa.AsyncCommand if self.asynchronous else self.fa.Command
        case = self
        body: dict[str, Any] = {"_transaction_config": self.handler(handler_at)}

        def execute(command: Any) -> int:
            case.commands.append(command)
            if hook == "execute":
                case.strike()
            return 7

        def other(command: Any, *given: Any) -> Any:
            if not late:
                case.strike()
            stock = getattr(case.fa.Command, hook)
            result = stock(command, *given)
            if late:
                case.strike()
            return result

        if self.asynchronous:

            async def execute_later(command: Any) -> int:
                await asyncio.sleep(0)
                return execute(command)

            body["execute"] = execute_later
        else:
            body["execute"] = execute
        if hook and hook != "execute":
            body[hook] = other
        return types.new_class("Faulty", (base[Pair, int],), {}, lambda space: space.update(body))

    def start(self, cls: Any, entrance: str) -> Any:
        """Run by *entrance* and return the outcome."""
        self.log.clear()
        self.raised = None
        if entrance == "run":
            answer = cls.run(a=1)
        elif entrance == "instance":
            command = cls(a=1)
            self.commands.append(command)
            answer = command.run_instance()
        elif entrance == "run_with":
            answer = cls.run_with(Pair(a=1))
        elif entrance == "run_json":
            answer = cls.run_json(b'{"a": 1}')
        else:
            base = self.fa.AsyncCommand if self.asynchronous else self.fa.Command
            if self.asynchronous:

                async def execute(command: Any) -> Any:
                    return await command.run_subcommand_bang(cls, a=1)
            else:

                def execute(command: Any) -> Any:
                    return command.run_subcommand_bang(cls, a=1)

            body = {"execute": execute, "_transaction_config": self.handler()}
            outer = types.new_class("Outer", (base[Pair, int],), {}, lambda space: space.update(body))
            answer = outer.run(a=1)
        return _drive(answer) if self.asynchronous else answer


def _drive(awaitable: Any) -> Any:
    # By hand: asyncio.run() has plans of its own for KeyboardInterrupt and CancelledError.
    iterator = awaitable.__await__()
    loop = asyncio.new_event_loop()
    try:
        while True:
            next(iterator)
    except StopIteration as stop:
        return stop.value
    finally:
        loop.close()


def check(case: Case, cls: Any, entrance: str, *, place: str, may_commit: bool = False) -> None:
    """Run *cls* with its fault, look at what is left, then run it again without."""
    note = (place, entrance, case.asynchronous)
    outcome: Any = None
    escaped: BaseException | None = None
    try:
        outcome = case.start(cls, entrance)
    except BaseException as error:
        escaped = error
    fault = case.raised
    assert fault is not None, note
    if escaped is not None:
        if isinstance(fault, StopIteration) and isinstance(escaped, RuntimeError):
            assert escaped.__cause__ is fault, (note, escaped)  # the interpreter's own rule for coroutines
        else:
            assert escaped is fault, (note, escaped)
        assert fault.__context__ is None and not getattr(fault, "__notes__", None), (note, fault.__context__)
    else:
        assert isinstance(fault, Exception), (note, "swallowed", outcome)
        assert outcome.is_failure(), (note, outcome)
        assert outcome.to_json_bytes() and outcome.to_problem(), note
    if entrance == "instance":
        ended = "failed" if escaped is None else "errored"
        assert case.commands[-1].state_name == ended, (note, case.commands[-1].state_name)
    log = list(case.log)
    begun = log.count("begin")
    if place == "handler.begin":
        # Nothing was begun, so there is nothing to end; the parent's own begin is another matter.
        assert log in (["begin"], ["begin", "rollback"]), (note, log)
    elif place == "handler.commit":
        assert log == ["begin", "commit", "rollback"], (note, log)
    elif may_commit:
        assert begun == 1 and log.count("commit") + log.count("rollback") == 1, (note, log)
    elif begun:
        assert log == ["begin", "rollback"], (note, log)
    make, case.make = case.make, None
    clean = case.start(cls, entrance)
    assert clean.is_success() and clean.result == 7 and case.log == ["begin", "commit"], (
        note,
        clean,
        case.log,
    )
    assert case.commands[-1].state_name == "succeeded", note
    case.make = make


def kinds() -> Iterator[tuple[bool, str, Callable[[], BaseException]]]:
    for asynchronous in (False, True):
        for name, make in FAULTS.items():
            if asynchronous and name in ("stop", "generator"):
                continue  # a coroutine cannot let these out
            yield asynchronous, name, make


@pytest.mark.parametrize(
    ("hook", "late"),
    [(hook, late) for hook in HOOKS for late in (False, True) if hook != "execute" or not late],
)
def test_in_a_hook(fa: ModuleType, hook: str, late: bool) -> None:
    for (asynchronous, name, make), entrance in itertools.product(kinds(), ENTRANCES):
        case = Case(fa, asynchronous)
        cls = case.command(hook, late=late)
        case.make = make
        check(case, cls, entrance, place=f"hook {hook} {name}")


@pytest.mark.parametrize("transition", TRANSITIONS)
@pytest.mark.parametrize("kind", ["before", "around", "around-late", "after"])
def test_in_a_callback(fa: ModuleType, transition: str, kind: str) -> None:
    for (asynchronous, name, make), entrance in itertools.product(kinds(), ENTRANCES):
        case = Case(fa, asynchronous)
        cls = case.command()

        def plain(command: Any, case: Case = case) -> None:
            case.strike()

        def around(command: Any, proceed: Callable[[], Any], case: Case = case) -> Any:
            case.strike()
            return proceed()

        def around_late(command: Any, proceed: Callable[[], Any], case: Case = case) -> Any:
            result = proceed()
            case.strike()
            return result

        async def around_late_async(command: Any, proceed: Callable[[], Any], case: Case = case) -> Any:
            result = await proceed()
            case.strike()
            return result

        callback: Any = {
            "around": around,
            "around-late": around_late_async if asynchronous else around_late,
        }.get(kind, plain)
        cls._ensure_callback_registry().register(kind.removesuffix("-late"), callback, transition=transition)
        case.make = make
        late = transition == "commit_transaction" and kind in ("after", "around-late")
        may_commit = late or transition == "succeed"
        check(case, cls, entrance, place=f"{kind} {transition} {name}", may_commit=may_commit)


@pytest.mark.parametrize("method", ["begin", "commit"])
def test_in_the_handler(fa: ModuleType, method: str) -> None:
    for (asynchronous, _name, make), entrance in itertools.product(kinds(), ENTRANCES[:-1]):
        case = Case(fa, asynchronous)
        cls = case.command(handler_at=method)
        case.make = make
        check(case, cls, entrance, place=f"handler.{method}")


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_in_the_rollback_of_a_failing_run(fa: ModuleType, asynchronous: bool) -> None:
    """The handler's rollback fails while an error fails the run: its exception is raised, once, as it is."""
    for make, entrance in itertools.product(FAULTS.values(), ENTRANCES[:-1]):
        if asynchronous and isinstance(make(), (StopIteration, GeneratorExit)):
            continue
        case = Case(fa, asynchronous)
        cls = case.command(handler_at="rollback")
        cls.validate = lambda command, case=case: (
            command.add_runtime_error("no", "n", halt=False) if case.make is not None else None
        )
        case.make = make
        with pytest.raises(BaseException) as caught:
            case.start(cls, entrance)
        assert caught.value is case.raised and case.log == ["begin", "rollback"], (entrance, case.log)
        case.make = None
        assert case.start(cls, entrance).result == 7 and case.log == ["begin", "commit"]


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_in_the_rollback_after_an_exception(fa: ModuleType, asynchronous: bool) -> None:
    """The exception that came first is the one that is raised, with a note about the second."""
    case = Case(fa, asynchronous)
    cls = case.command(handler_at="rollback")
    first = KeyError("first")

    def validate(command: Any) -> None:
        raise first

    cls.validate = validate
    case.make = lambda: ValueError("4111 1111 1111 1111")
    with pytest.raises(KeyError) as caught:
        case.start(cls, "run")
    assert caught.value is first and case.log == ["begin", "rollback"]
    assert (
        len(first.__notes__) == 1 and "ValueError" in first.__notes__[0] and "4111" not in first.__notes__[0]
    )


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("kind", ["before", "around", "after"])
@pytest.mark.parametrize("end", ["fail", "error"])
def test_in_a_callback_on_the_way_to_failed_or_errored(
    fa: ModuleType, end: str, kind: str, asynchronous: bool
) -> None:
    for make, entrance in itertools.product(FAULTS.values(), ENTRANCES[:-1]):
        if asynchronous and isinstance(make(), (StopIteration, GeneratorExit)):
            continue
        case = Case(fa, asynchronous)
        cls = case.command()

        def validate(command: Any, case: Case = case) -> None:
            if case.make is None:
                return
            if end == "error":
                raise LookupError("first")
            command.add_runtime_error("no", "n", halt=False)

        def callback(command: Any, *_: Any, case: Case = case) -> None:
            case.strike()

        cls.validate = validate
        cls._ensure_callback_registry().register(kind, callback, transition=end)
        case.make = make
        with pytest.raises(BaseException) as caught:
            case.start(cls, entrance)
        assert caught.value is case.raised, (entrance, caught.value)
        assert case.log == ["begin", "rollback"], (entrance, case.log)
        case.make = None
        assert case.start(cls, entrance).result == 7 and case.log == ["begin", "commit"]


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_in_an_error_callback(fa: ModuleType, asynchronous: bool) -> None:
    """What an error callback raises takes the place of the exception that it was told of."""
    for transition, make in itertools.product(TRANSITIONS[:-1], FAULTS.values()):
        if asynchronous and isinstance(make(), (StopIteration, GeneratorExit)):
            continue
        case = Case(fa, asynchronous)
        cls = case.command()

        def first(command: Any, case: Case = case) -> None:
            if case.make is not None:
                raise LookupError("first")

        def second(command: Any, error: Exception, case: Case = case) -> None:
            case.strike()

        registry = cls._ensure_callback_registry()
        registry.register("before", first, transition=transition)
        registry.register("error", second, transition=transition)
        case.make = make
        if transition == "execute" and isinstance(make(), Exception):
            outcome = case.start(cls, "run")
            assert outcome.errors[0].context == {"exception_type": type(case.raised).__name__}
        else:
            with pytest.raises(BaseException) as caught:
                case.start(cls, "run")
            assert caught.value is case.raised, transition
        assert case.log == ([] if transition == "open_transaction" else ["begin", "rollback"])
        case.make = None
        assert case.start(cls, "run").result == 7 and case.log == ["begin", "commit"]


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("where", ["factory", "detector"])
def test_where_the_handler_comes_from(fa: ModuleType, where: str, asynchronous: bool) -> None:
    case = Case(fa, asynchronous)
    cls = case.command()
    stock = cls._transaction_config.handler_factory

    def find() -> Any:
        case.strike()
        return stock()

    if where == "factory":
        cls._transaction_config = fa.TransactionConfig.with_handler(find)
    else:
        cls._transaction_config = fa.TransactionConfig()
        fa.TransactionRegistry.register(find)
    try:
        for make in FAULTS.values():
            if asynchronous and isinstance(make(), (StopIteration, GeneratorExit)):
                continue
            case.make = make
            with pytest.raises(BaseException) as caught:
                case.start(cls, "run")
            assert caught.value is case.raised and case.log == []
            case.make = None
            assert case.start(cls, "run").result == 7 and case.log == ["begin", "commit"]
    finally:
        fa.TransactionRegistry.clear()


@pytest.mark.parametrize("wrong", [1, "handler", object(), type("Half", (), {"begin": lambda self: None})()])
def test_what_is_no_handler(fa: ModuleType, wrong: Any) -> None:
    case = Case(fa, False)
    cls = case.command()
    cls._transaction_config = fa.TransactionConfig.with_handler(lambda: wrong)
    with pytest.raises(TypeError, match="handler"):
        cls.run(a=1)


def _interrupted(work: Callable[[], Any], seconds: float) -> bool:
    """Do *work* with a KeyboardInterrupt after *seconds*, if it takes that long; whether it came."""
    armed = True

    def interrupt(*_: Any) -> None:
        if armed:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        work()
        armed = False
        return False
    except KeyboardInterrupt:
        return True
    finally:
        armed = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no interval timers here")
def test_an_interrupt_at_any_moment_leaves_no_transaction_open(fa: ModuleType) -> None:
    """Python looks for signals in places that no raise in a hook or a handler reaches."""
    assert threading.current_thread() is threading.main_thread()
    rng = random.Random(7)
    db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    db.execute("CREATE TABLE log (n INTEGER)")
    config = fa.TransactionConfig.with_handler(lambda: fa.Sqlite3TransactionHandler(db))

    def make(execute: Callable[[Any], Any]) -> Any:
        body = {"execute": execute, "_transaction_config": config, "validate": lambda self: None}
        return types.new_class("Interrupted", (fa.Command[Pair, Any],), {}, lambda space: space.update(body))

    def write() -> None:
        db.execute("INSERT INTO log VALUES (1)")

    inner = make(lambda self: write())
    outer = make(lambda self: (write(), self.run_subcommand(inner, a=1), write()))
    outer.before_validate_transition(lambda command: None)
    start = time.perf_counter()
    for _ in range(50):
        outer.run(a=1)
    usual = (time.perf_counter() - start) / 50
    # What earlier tests left, event loops too, is finalized now: what a finalizer raises is only reported.
    gc.collect()
    written = 150
    interrupted = 0
    for _ in range(20_000 if os.environ.get("FOOBARA_ACCEL_SLOW") else 700):
        interrupted += _interrupted(lambda: outer.run(a=1), rng.uniform(1e-6, usual * 1.3))
        assert not db.in_transaction
        (rows,) = db.execute("SELECT count(*) FROM log").fetchone()
        assert rows - written in (0, 3)
        written = rows
    assert interrupted
    assert outer.run(a=1).is_success()
    # Another thread finds no lock that an interrupt has left taken.
    beside = threading.Thread(target=lambda: outer.run(a=1), daemon=True)
    beside.start()
    beside.join(20)
    assert not beside.is_alive()


def test_every_jump_back_of_the_phases_is_inside_its_try(fa: ModuleType, sub: Any) -> None:
    """CPython notices signals at jumps back; 3.13 places some of them outside the try that they end in."""
    places = [(sub("core.async_command")._phases, "async")]
    if str(fa.backend()) == "py" or fa.__name__ != "foobara_accel":
        places.append((sub("_pure.executor")._phases, "sync"))
    for function, name in places:
        table = dis._parse_exception_table(function.__code__)  # type: ignore[attr-defined]
        before = ""
        for step in dis.get_instructions(function):
            if step.opname == "EXTENDED_ARG":
                continue
            # 3.12 gives no handler to the jump it adds where an await goes on after something was thrown into
            # it. No source avoids that, and 3.13 makes of it a jump at which no signal is noticed.
            added = before == "CLEANUP_THROW" and sys.version_info[:2] == (3, 12)
            if step.opname == "JUMP_BACKWARD" and not added:
                covered = any(entry.start <= step.offset < entry.end for entry in table)
                assert covered, (name, step.positions)
            before = step.opname


def test_a_model_that_was_given_is_kept_by_an_override_that_calls_super(fa: ModuleType) -> None:
    for asynchronous, entrance in itertools.product((False, True), ("run_with", "run_json")):
        case = Case(fa, asynchronous)
        case.make = None
        cls = case.command("cast_and_validate_inputs")
        assert case.start(cls, entrance).result == 7

        def construct(self: Any, cls: Any = cls, **inputs: Any) -> None:
            super(cls, self).__init__(**inputs)

        cls.__init__ = construct
        assert case.start(cls, entrance).result == 7
