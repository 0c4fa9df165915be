"""Transactions: contexts, joining, handlers of real databases, faults in begin, commit and rollback."""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
import sys
import threading
import types
from contextlib import suppress
from contextvars import copy_context
from unittest import mock

import pytest
from pydantic import BaseModel


@pytest.fixture(scope="module")
def tx(sub):
    module = sub("core.transactions")
    yield module
    module.TransactionRegistry.clear()


@pytest.fixture(autouse=True)
def _no_detectors(tx):
    tx.TransactionRegistry.clear()
    tx.set_current_transaction(None)


class Recorder:
    """A handler that writes down its calls and fails where it is told to."""

    def __init__(self, log=None, **faults):
        self.log = [] if log is None else log
        self.faults = faults

    def _call(self, name):
        self.log.append(name)
        fault = self.faults.get(name)
        if fault is not None:
            raise fault

    def begin(self):
        self._call("begin")

    def commit(self):
        self._call("commit")

    def rollback(self):
        self._call("rollback")


class Savepoints(Recorder):
    number = 0

    def savepoint(self):
        self._call("savepoint")
        self.number += 1
        return self.number

    def rollback_to(self, token):
        self._call("rollback_to")

    def release(self, token):
        self._call("release")


# The context alone


def test_commit_or_rollback_exactly_once(tx):
    handler = Recorder()
    context = tx.TransactionContext(handler)
    assert not context.is_active
    context.begin()
    assert context.is_active
    assert not context.joined
    context.commit()
    assert not context.is_active
    context.rollback()
    with pytest.raises(tx.TransactionError, match="nothing to commit"):
        context.commit()
    assert handler.log == ["begin", "commit"]
    context.begin()
    with pytest.raises(tx.TransactionError, match="begun already"):
        context.begin()
    context.rollback()
    context.rollback()
    assert handler.log == ["begin", "commit", "begin", "rollback"]
    assert context.handler is handler


def test_without_a_handler_nothing_happens(tx):
    with tx.TransactionContext() as context:
        assert context.is_active
    assert isinstance(context.handler, tx.NoOpTransactionHandler)
    with pytest.raises(KeyError), context:
        raise KeyError
    assert not context.is_active


@pytest.mark.parametrize("missing", ["begin", "commit", "rollback"])
def test_a_handler_without_a_method_is_refused_by_name(tx, missing):
    handler = type(
        "Half", (), {n: lambda self: None for n in ("begin", "commit", "rollback") if n != missing}
    )
    with pytest.raises(TypeError, match=rf"Half has no {missing}\(\)"):
        tx.TransactionContext(handler())
    assert isinstance(Recorder(), tx.TransactionHandler)
    assert not isinstance(Recorder(), tx.SavepointHandler)
    assert isinstance(Savepoints(), tx.SavepointHandler)


METHODS = ("begin", "commit", "rollback", "savepoint", "rollback_to", "release")


async def coroutine(self, *_):
    raise AssertionError("never runs")


def generator(self, *_):
    yield


async def async_generator(self, *_):
    yield


@pytest.mark.parametrize("function", [coroutine, generator, async_generator])
@pytest.mark.parametrize("name", METHODS)
def test_a_handler_with_a_method_that_a_call_does_not_run_is_refused_at_once(tx, name, function):
    handler = type("Async", (Savepoints,), {name: function})()
    with pytest.raises(TypeError, match=rf"Async.{name}\(\) is a coroutine or a generator.*open_transaction"):
        tx.TransactionContext(handler)
    assert handler.log == []


class Future:
    """What can be awaited, and says whether it was given up."""

    given_up = 0

    def __await__(self):
        raise AssertionError("never awaited")

    def close(self):
        self.given_up += 1


class Task(Future):
    close = None

    def cancel(self):
        self.given_up += 1


@pytest.mark.parametrize("future", [Future, Task])
@pytest.mark.parametrize("name", METHODS)
def test_a_method_that_answers_what_has_to_be_awaited_is_an_error(tx, name, future):
    """What answers it may be no coroutine function: a wrapper, a partial, a mock."""
    answer = future()
    handler = Savepoints()
    setattr(handler, name, lambda *_: handler.log.append(name) or answer)
    outer, parts = opened(tx, handler), []

    def run():
        outer.begin()
        for end in ("commit", "rollback"):
            parts.append(opened(tx, handler, outer))
            parts[-1].begin()
            getattr(parts[-1], end)()
        outer.rollback() if name == "rollback" else outer.commit()

    with pytest.raises(TypeError, match=rf"Savepoints.{name}\(\) is a coroutine"):
        run()
    assert answer.given_up == 1
    assert not any(part.is_active for part in parts)
    outer.rollback()
    assert not outer.is_active
    expected = {"begin": ["begin"], "commit": ["commit", "rollback"]}.get(name, [name])
    assert [call for call in handler.log if call in expected][-len(expected) :] == expected
    if name != "begin":
        assert handler.log[-1] == "rollback"


@pytest.mark.parametrize("name", ["commit", "rollback"])
def test_a_command_whose_handler_is_a_coroutine_does_not_succeed(tx, sub, name):
    handler = type("Async", (Recorder,), {name: coroutine})()
    for module, base in (("core.command", "Command"), ("core.async_command", "AsyncCommand")):

        def execute(self):
            return 1

        async def execute_later(self):
            return 1

        body = {
            "_transaction_config": tx.TransactionConfig.with_handler(lambda: handler),
            "execute": execute if base == "Command" else execute_later,
        }
        made = types.new_class(
            "Made", (getattr(sub(module), base)[Value, int],), {}, lambda space, body=body: space.update(body)
        )
        with pytest.raises(TypeError, match=rf"Async.{name}\(\) is a coroutine"):
            made.run(x=1) if base == "Command" else asyncio.run(made.run(x=1))
    assert handler.log == []


def test_an_async_command_may_do_the_transaction_by_itself(sub, tx):
    """What the error of a coroutine handler advises."""
    calls = []

    class Own(sub("core.async_command").AsyncCommand[Value, int]):
        _transaction_config = tx.TransactionConfig.disabled()

        async def open_transaction(self):
            calls.append("begin")

        async def commit_transaction(self):
            calls.append("commit")

        async def rollback_transaction(self):
            calls.append("rollback")

        async def execute(self):
            if self.inputs.x < 0:
                self.add_runtime_error("negative", "is negative")
            return self.inputs.x

    assert asyncio.run(Own.run(x=1)).is_success()
    assert calls == ["begin", "commit"]
    assert asyncio.run(Own.run(x=-1)).is_failure()
    assert calls[2:] == ["begin", "rollback"]


def test_entering_again_counts_and_the_outermost_exit_ends(tx):
    handler = Recorder()
    with tx.TransactionContext(handler) as context:
        with context:
            assert context._depth == 2
        assert handler.log == ["begin"]
    assert handler.log == ["begin", "commit"]
    assert context._depth == 0


def test_an_inner_failure_poisons_the_outer_even_when_caught(tx):
    handler = Recorder()
    context = tx.TransactionContext(handler)
    with pytest.raises(tx.TransactionPoisoned), context, pytest.raises(KeyError), context:
        raise KeyError
    assert handler.log == ["begin", "rollback"]
    with context:
        pass
    assert handler.log[2:] == ["begin", "commit"]


def test_mark_failed_makes_the_end_a_rollback(tx):
    handler = Recorder()
    with tx.TransactionContext(handler) as context:
        context.mark_failed()
    context.begin()
    context.mark_failed()
    with pytest.raises(tx.TransactionPoisoned):
        context.commit()
    assert handler.log == ["begin", "rollback"] * 2
    assert not context.is_active


FAULTS = (OSError("disk"), KeyboardInterrupt(), SystemExit(3), GeneratorExit())


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
def test_a_failing_begin_leaves_the_context_closed(tx, fault):
    handler = Recorder(begin=fault)
    context = tx.TransactionContext(handler)
    with pytest.raises(type(fault)) as caught:
        context.begin()
    assert caught.value is fault
    assert fault.__context__ is None
    assert (handler.log, context._depth) == (["begin"], 0)
    context.rollback()
    handler.faults.clear()
    with context:
        pass
    assert handler.log == ["begin", "begin", "commit"]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
@pytest.mark.parametrize("second", [None, ValueError("secret")], ids=["rollback works", "rollback fails"])
def test_a_failing_commit_rolls_back_once_and_its_exception_passes(tx, fault, second):
    fault.__notes__ = []
    handler = Recorder(commit=fault, rollback=second)
    context = tx.TransactionContext(handler)
    context.begin()
    with pytest.raises(type(fault)) as caught:
        context.commit()
    context.rollback()
    assert caught.value is fault
    assert fault.__context__ is None
    assert (handler.log, context._depth) == (["begin", "commit", "rollback"], 0)
    expected = [] if second is None else ["the rollback failed too, with ValueError"]
    assert fault.__notes__ == expected


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
def test_a_failing_rollback_passes_its_exception_and_is_not_repeated(tx, fault):
    handler = Recorder(rollback=fault)
    context = tx.TransactionContext(handler)
    context.begin()
    with pytest.raises(type(fault)) as caught:
        context.rollback()
    context.rollback()
    assert caught.value is fault
    assert (handler.log, context._depth) == (["begin", "rollback"], 0)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
def test_any_exception_in_the_block_rolls_back_and_is_raised_on(tx, fault):
    handler = Recorder()
    with pytest.raises(type(fault)) as caught, tx.TransactionContext(handler):
        raise fault
    assert caught.value is fault
    assert handler.log == ["begin", "rollback"]


def test_abort_keeps_the_cause_in_front_of_a_failing_rollback(tx):
    context = tx.TransactionContext(Recorder(rollback=ValueError("secret")))
    cause = KeyError("cause")
    context.begin()
    context.abort(cause)
    context.abort(cause)
    assert cause.__notes__ == ["the rollback failed too, with ValueError"]
    interrupted = tx.TransactionContext(Recorder(rollback=KeyboardInterrupt()))
    interrupted.begin()
    with pytest.raises(KeyboardInterrupt):
        interrupted.abort(cause)
    assert not interrupted.is_active


# Joining


def opened(tx, handler, enclosing=None, **options):
    config = tx.TransactionConfig.with_handler(lambda: handler)
    return tx.open_context(config, enclosing, **options)


def test_equal_handlers_join_and_others_do_not(tx):
    handler = Recorder()
    outer = opened(tx, handler)
    outer.begin()
    assert opened(tx, handler, outer).joined
    assert not opened(tx, Recorder(), outer).joined
    assert not opened(tx, handler, outer, requires_new=True).joined
    outer.commit()
    assert not opened(tx, handler, outer).joined


def test_a_joined_context_begins_and_commits_nothing(tx):
    handler = Recorder()
    outer = opened(tx, handler)
    outer.begin()
    inner = opened(tx, handler, outer)
    inner.begin()
    inner.commit()
    outer.commit()
    assert handler.log == ["begin", "commit"]


@pytest.mark.parametrize("way", ["rollback", "abort", "mark_failed"])
def test_without_savepoints_a_failing_part_undoes_the_whole(tx, way):
    handler = Recorder()
    outer = opened(tx, handler)
    outer.begin()
    inner = opened(tx, handler, outer)
    inner.begin()
    if way == "rollback":
        inner.rollback()
    elif way == "abort":
        inner.abort(KeyError())
    else:
        inner.mark_failed()
        with pytest.raises(tx.TransactionPoisoned):
            inner.commit()
    with pytest.raises(tx.TransactionPoisoned):
        outer.commit()
    assert handler.log == ["begin", "rollback"]


def test_with_savepoints_a_failing_part_is_undone_alone(tx):
    handler = Savepoints()
    outer = opened(tx, handler)
    outer.begin()
    for end in ("rollback", "commit"):
        inner = opened(tx, handler, outer)
        inner.begin()
        getattr(inner, end)()
    outer.commit()
    assert handler.log == ["begin", "savepoint", "rollback_to", "savepoint", "release", "commit"]


def test_a_failing_release_goes_back_to_the_savepoint_once(tx):
    fault = OSError("x")
    handler = Savepoints(release=fault)
    outer = opened(tx, handler)
    outer.begin()
    inner = opened(tx, handler, outer)
    inner.begin()
    with pytest.raises(OSError, match="x") as caught:
        inner.commit()
    assert caught.value is fault
    inner.rollback()
    outer.commit()
    assert handler.log == ["begin", "savepoint", "release", "rollback_to", "commit"]


def test_a_savepoint_that_cannot_be_gone_back_to_poisons_the_whole(tx):
    handler = Savepoints(rollback_to=OSError("x"))
    outer = opened(tx, handler)
    outer.begin()
    inner = opened(tx, handler, outer)
    inner.begin()
    with pytest.raises(OSError, match="x"):
        inner.rollback()
    with pytest.raises(tx.TransactionPoisoned):
        outer.commit()
    assert handler.log == ["begin", "savepoint", "rollback_to", "rollback"]


def test_a_failing_savepoint_leaves_the_part_closed(tx):
    handler = Savepoints(savepoint=OSError("x"))
    outer = opened(tx, handler)
    outer.begin()
    inner = opened(tx, handler, outer)
    with pytest.raises(OSError, match="x"):
        inner.begin()
    assert not inner.is_active
    outer.commit()
    assert handler.log == ["begin", "savepoint", "commit"]


@pytest.mark.parametrize("failing", [0, 1])
def test_parts_that_overlap_fail_the_whole_rather_than_each_other(tx, failing):
    handler = Savepoints()
    outer = opened(tx, handler)
    outer.begin()
    parts = [opened(tx, handler, outer) for _ in range(2)]
    for part in parts:
        part.begin()
    parts[failing].rollback()
    parts[1 - failing].commit()
    with pytest.raises(tx.TransactionPoisoned):
        outer.commit()
    assert handler.log == ["begin", "savepoint", "rollback"]


def test_overlap_reaches_parts_of_parts(tx):
    handler = Savepoints()
    outer = opened(tx, handler)
    outer.begin()
    first = opened(tx, handler, outer)
    first.begin()
    inside = opened(tx, handler, first)
    inside.begin()
    second = opened(tx, handler, outer)
    second.begin()
    inside.rollback()
    with pytest.raises(tx.TransactionPoisoned):
        first.commit()
    second.commit()
    with pytest.raises(tx.TransactionPoisoned):
        outer.commit()
    assert "rollback_to" not in handler.log
    assert handler.log.count("rollback") == 1


def test_a_part_that_outlives_the_whole_is_told(tx):
    handler = Recorder()
    outer = opened(tx, handler)
    outer.begin()
    late, later, unbegun = (opened(tx, handler, outer) for _ in range(3))
    late.begin()
    later.begin()
    outer.commit()
    with pytest.raises(tx.TransactionError, match="ended before this part"):
        late.commit()
    with pytest.raises(tx.TransactionError, match="cannot be undone"):
        later.rollback()
    with pytest.raises(tx.TransactionError, match="enclosing transaction has ended"):
        unbegun.begin()
    assert handler.log == ["begin", "commit"]
    assert not (late.is_active or later.is_active or unbegun.is_active)


def test_requires_new_on_the_same_connection_is_an_error(tx):
    handler = Savepoints()
    outer = opened(tx, handler)
    outer.begin()
    with pytest.raises(tx.TransactionError, match="requires_new=True needs a connection of its own"):
        opened(tx, handler, outer, requires_new=True)


# Config, registry, what may open


def test_a_field_set_later_makes_plans_void(tx, sub):
    epoch = sub("_backend").executor.epoch
    before = epoch()
    config = tx.TransactionConfig()
    assert epoch() == before
    config.enabled = False
    config.handler_factory = Recorder
    config.auto_detect = False
    assert epoch() == before + 3
    assert config == tx.TransactionConfig(False, Recorder, False)


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("enabled", 1, "enabled must be True or False, not int"),
        ("auto_detect", "no", "auto_detect must be True or False, not str"),
        ("handler_factory", Recorder(), "handler_factory must be callable.*not Recorder"),
    ],
)
def test_a_wrong_field_is_a_type_error_that_names_it(tx, field, value, text):
    with pytest.raises(TypeError, match=text):
        tx.TransactionConfig(**{field: value})
    with pytest.raises(TypeError, match=text):
        setattr(tx.TransactionConfig(), field, value)
    with pytest.raises(AttributeError):
        tx.TransactionConfig().enabld = True
    with pytest.raises(TypeError, match="factory must be callable"):
        tx.TransactionConfig.with_handler(None)


def test_a_connection_is_no_factory_though_it_can_be_called(tx):
    connection = sqlite3.connect(":memory:")
    with pytest.raises(TypeError, match="lambda: Sqlite3TransactionHandler"):
        tx.TransactionConfig.with_handler(connection)
    connection.close()


def test_the_factory_is_asked_before_the_detectors(tx):
    tx.TransactionRegistry.register(lambda: Recorder(["detected"]))
    assert opened(tx, Recorder(["made"])).handler.log == ["made"]
    assert tx.open_context(tx.TransactionConfig()).handler.log == ["detected"]
    assert tx.open_context(tx.TransactionConfig.disabled()) is None
    assert tx.open_context(tx.TransactionConfig(auto_detect=False)) is None
    assert opened(tx, None) is None


def test_may_open_tells_what_open_context_could_do(tx):
    assert not tx.may_open(tx.TransactionConfig())
    assert tx.may_open(tx.TransactionConfig.with_handler(Recorder))
    assert not tx.may_open(tx.TransactionConfig(False, Recorder))
    tx.TransactionRegistry.register(lambda: None)
    assert tx.may_open(tx.TransactionConfig())
    assert not tx.may_open(tx.TransactionConfig(auto_detect=False))
    tx.TransactionRegistry.clear()
    with mock.patch.object(tx.TransactionRegistry, "detect", return_value=Recorder()):
        assert tx.may_open(tx.TransactionConfig())
    assert not tx.may_open(tx.TransactionConfig())


def test_every_change_of_the_registry_makes_plans_void(tx, sub):
    epoch = sub("_backend").executor.epoch
    before = epoch()
    tx.TransactionRegistry.register(lambda: None)
    tx.TransactionRegistry.clear()
    with mock.patch.object(tx.TransactionRegistry, "detect"):
        assert epoch() == before + 3
    assert epoch() > before + 3


def test_detectors_run_without_a_lock_in_order_until_one_answers(tx):
    asked = []

    def registers_another():
        asked.append(1)
        tx.TransactionRegistry.register(lambda: None)

    handler = Recorder()
    tx.TransactionRegistry.register(registers_another)
    tx.TransactionRegistry.register(lambda: handler)
    tx.TransactionRegistry.register(lambda: asked.append(2))
    assert tx.TransactionRegistry.detect() is handler
    assert asked == [1]
    with pytest.raises(TypeError, match=r"detector must be callable.*not str"):
        tx.TransactionRegistry.register("detect")


def test_threads_lose_no_detector(tx):
    start = threading.Barrier(8)

    def work():
        start.wait()
        for _ in range(100):
            tx.TransactionRegistry.register(lambda: None)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(tx.TransactionRegistry._handlers) == 800


# transaction(...)


def test_the_block_is_the_current_transaction_and_nests_by_equal_handlers(tx):
    handler, other = Recorder(), Recorder()
    assert tx.get_current_transaction() is None
    with tx.transaction(handler) as outer:
        assert tx.get_current_transaction() is outer
        with tx.transaction(handler) as inner:
            assert inner.joined
            assert tx.get_current_transaction() is inner
        with tx.transaction(other) as apart:
            assert not apart.joined
        assert tx.get_current_transaction() is outer
        assert opened(tx, handler).joined
    assert tx.get_current_transaction() is None
    assert (handler.log, other.log) == (["begin", "commit"], ["begin", "commit"])
    assert not opened(tx, handler).joined


def test_the_current_transaction_belongs_to_the_context(tx):
    with tx.transaction(Recorder()) as context:
        seen = []
        thread = threading.Thread(target=lambda: seen.append(tx.get_current_transaction()))
        thread.start()
        thread.join()
        assert seen == [None]
        assert copy_context().run(tx.get_current_transaction) is context
    tx.set_current_transaction(context)
    assert tx.get_current_transaction() is None
    with pytest.raises(TypeError, match="context must be a TransactionContext"):
        tx.set_current_transaction(Recorder())


def test_a_block_left_by_an_exception_rolls_back_and_restores_what_was_current(tx):
    handler = Recorder()
    with pytest.raises(KeyboardInterrupt), tx.transaction(handler):
        raise KeyboardInterrupt
    assert handler.log == ["begin", "rollback"]
    failing = Recorder(begin=OSError("x"))
    with pytest.raises(OSError, match="x"), tx.transaction(failing):
        raise AssertionError("never runs")
    assert tx.get_current_transaction() is None


# sqlite3


MODES = {
    "legacy": {},
    "immediate": {"isolation_level": "IMMEDIATE"},
    "none": {"isolation_level": None},
}
if sys.version_info >= (3, 12):
    MODES["autocommit on"] = {"autocommit": True}
    MODES["autocommit off"] = {"autocommit": False}


@pytest.fixture(params=MODES)
def db(request, tmp_path):
    """A connection in each mode, and a function that reads the table by another connection."""
    path = tmp_path / "db"
    connection = sqlite3.connect(path, timeout=0.1, **MODES[request.param])
    connection.execute("CREATE TABLE t (x UNIQUE)")
    connection.commit()

    def rows():
        reader = sqlite3.connect(path)
        try:
            return [x for (x,) in reader.execute("SELECT x FROM t ORDER BY x")]
        finally:
            reader.close()

    yield connection, rows
    connection.close()


def add(connection, *values):
    for value in values:
        connection.execute("INSERT INTO t VALUES (?)", (value,))


def idle(connection):
    """Whether nothing of ours is open: an autocommit=False connection is always in a transaction."""
    return not connection.in_transaction or getattr(connection, "autocommit", None) is False


def test_sqlite_commits_and_rolls_back(tx, db):
    connection, rows = db
    handler = tx.Sqlite3TransactionHandler(connection)
    with tx.transaction(handler):
        add(connection, 1)
        assert rows() == []
    assert rows() == [1]
    with pytest.raises(KeyboardInterrupt), tx.transaction(handler):
        add(connection, 2)
        raise KeyboardInterrupt
    assert idle(connection)
    with tx.transaction(handler):
        pass
    assert rows() == [1]


def test_sqlite_joins_by_connection_with_savepoints(tx, db):
    connection, rows = db

    def handler():
        return tx.Sqlite3TransactionHandler(connection)

    assert handler() == handler()
    assert hash(handler()) == hash(handler())
    assert handler() != tx.Sqlite3TransactionHandler(sqlite3.connect(":memory:"))
    assert handler() != "x"
    with tx.transaction(handler()):
        add(connection, 1)
        with pytest.raises(KeyError), tx.transaction(handler()) as inner:
            assert inner.joined
            add(connection, 2)
            with tx.transaction(handler()):
                add(connection, 3)
            raise KeyError
        with tx.transaction(handler()):
            add(connection, 4)
        assert rows() == []
    assert rows() == [1, 4]
    with pytest.raises(KeyError), tx.transaction(handler()):
        with tx.transaction(handler()):
            add(connection, 5)
        raise KeyError
    assert rows() == [1, 4]
    assert idle(connection)


def test_sqlite_leaves_a_transaction_that_was_open_to_its_owner(tx, db):
    connection, rows = db
    if getattr(connection, "autocommit", None) is False:
        pytest.skip("there the standing transaction has no other owner")
    connection.execute("BEGIN")
    add(connection, 1)
    with pytest.raises(KeyError), tx.transaction(tx.Sqlite3TransactionHandler(connection)):
        add(connection, 2)
        raise KeyError
    with tx.transaction(tx.Sqlite3TransactionHandler(connection)):
        add(connection, 3)
    assert rows() == []
    connection.execute("COMMIT")
    assert rows() == [1, 3]


ENDINGS = {
    "commit()": lambda connection: connection.commit(),
    "rollback()": lambda connection: connection.rollback(),
    "COMMIT": lambda connection: connection.execute("COMMIT"),
    "ROLLBACK": lambda connection: connection.execute("ROLLBACK"),
    "executescript()": lambda connection: connection.executescript("SELECT 1"),
    "with connection": lambda connection: connection.__exit__(None, None, None),
}


@pytest.mark.parametrize("goes_on", ["no", "writes", "begins and writes"])
@pytest.mark.parametrize("ending", ENDINGS)
def test_sqlite_tells_of_a_transaction_that_was_ended_inside(tx, db, ending, goes_on):
    """Also when the connection is in a transaction again at the end: that one is not ours."""
    connection, rows = db
    automatic = getattr(connection, "autocommit", None)
    by_statement = ending in ("COMMIT", "ROLLBACK")
    if (automatic is True and not by_statement) or (automatic is False and by_statement):
        pytest.skip("it ends nothing there, or leaves what no commit() works on")
    if automatic is False and ending == "executescript()":
        pytest.skip("it ends nothing there")
    kept = [] if "ROLLBACK" in ending.upper() else [1]

    def work():
        add(connection, 1)
        ENDINGS[ending](connection)
        if goes_on == "begins and writes" and not connection.in_transaction:
            connection.execute("BEGIN")
        if goes_on != "no":
            add(connection, 2)
            if not connection.in_transaction:
                kept.append(2)  # committed by itself

    with (
        pytest.raises(tx.TransactionError, match="ended inside the command"),
        tx.transaction(tx.Sqlite3TransactionHandler(connection)),
    ):
        work()
    assert idle(connection)
    assert rows() == kept
    with pytest.raises(KeyError), tx.transaction(tx.Sqlite3TransactionHandler(connection)):
        ENDINGS[ending](connection)
        raise KeyError
    with tx.transaction(tx.Sqlite3TransactionHandler(connection)):
        add(connection, 9)
    assert rows()[-1] == 9
    assert idle(connection)


def test_sqlite_tells_of_a_savepoint_that_was_ended_inside(tx, db):
    connection, rows = db
    handler = tx.Sqlite3TransactionHandler(connection)
    handler.begin()
    add(connection, 1)
    handler.begin()
    if getattr(connection, "autocommit", None) is True:
        connection.execute("ROLLBACK")
    else:
        connection.rollback()
    for text in ("ended inside the command", r"ended inside the command|could not be undone alone"):
        with pytest.raises(tx.TransactionError, match=text):
            handler.commit()
        with suppress(tx.TransactionError):  # there is another transaction, without the savepoint
            handler.rollback()
    assert rows() == []
    assert idle(connection)


@pytest.mark.parametrize("fails", [False, True])
def test_sqlite_tells_of_a_part_that_ended_the_whole(fa, tx, tmp_path, fails):
    connection = sqlite3.connect(tmp_path / "db")
    connection.execute("CREATE TABLE t (x UNIQUE)")

    class Part(fa.Command[Value, None]):
        _transaction_config = fa.TransactionConfig.with_handler(
            lambda: tx.Sqlite3TransactionHandler(connection)
        )

        def execute(self):
            add(connection, self.inputs.x)
            connection.commit()
            if fails:
                self.add_runtime_error("no", "no")

    class Whole(Part):
        def execute(self):
            self.run_subcommand(Part, x=self.inputs.x)

    error = Whole.run(x=1).errors[0]
    assert error.symbol == "execution_error" and error.context["exception_type"] == "TransactionError"
    assert "the connection's transaction was ended inside the command: leave commit()" in error.message
    assert not connection.in_transaction
    connection.close()


def test_sqlite_commit_on_a_locked_database_may_be_tried_again(tx, db):
    connection, rows = db
    path = connection.execute("PRAGMA database_list").fetchone()[2]
    connection.commit()
    handler = tx.Sqlite3TransactionHandler(connection, "DEFERRED")
    handler.begin()
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM t").fetchall()
    add(connection, 1)
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        handler.commit()
    reader.close()
    handler.commit()
    assert rows() == [1]


def test_sqlite_commit_tells_of_what_keeps_it_from_committing(tx):
    """An unfinished statement is no transaction that was ended."""

    class Busy:
        isolation_level = None
        in_transaction = False
        commit = rollback = None

        def execute(self, sql):
            if sql.startswith("RELEASE"):
                raise sqlite3.OperationalError("cannot release savepoint - SQL statements in progress")

    handler = tx.Sqlite3TransactionHandler(Busy())
    handler.begin()
    with pytest.raises(sqlite3.OperationalError, match="in progress"):
        handler.commit()
    handler.rollback()


def test_sqlite_commit_on_a_locked_database_rolls_back(tx, db):
    connection, rows = db
    path = connection.execute("PRAGMA database_list").fetchone()[2]
    connection.commit()
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM t").fetchall()
    handler = tx.Sqlite3TransactionHandler(connection)
    with pytest.raises(sqlite3.OperationalError, match="locked"), tx.transaction(handler):
        add(connection, 1)
    assert idle(connection)
    reader.close()
    with tx.transaction(handler):
        add(connection, 2)
    assert rows() == [2]


def test_sqlite_begin_that_fails_leaves_nothing_open(tx, tmp_path):
    path = tmp_path / "db"
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN EXCLUSIVE")
    connection = sqlite3.connect(path, timeout=0)
    handler = tx.Sqlite3TransactionHandler(connection, "IMMEDIATE")
    with pytest.raises(sqlite3.OperationalError, match="locked"), tx.transaction(handler):
        raise AssertionError("never runs")
    blocker.execute("ROLLBACK")
    with tx.transaction(handler):
        connection.execute("CREATE TABLE t (x)")
    assert not connection.in_transaction
    blocker.close()
    connection.close()


def test_sqlite_interrupted_just_after_begin_rolls_back(tx):
    class Interrupted:
        """A connection whose BEGIN works and is followed by Ctrl-C."""

        isolation_level = None

        def __init__(self):
            self.real = sqlite3.connect(":memory:", isolation_level=None)

        def __getattr__(self, name):
            return getattr(self.real, name)

        def execute(self, sql):
            self.real.execute(sql)
            if sql == "BEGIN":
                raise KeyboardInterrupt

    connection = Interrupted()
    context = tx.TransactionContext(tx.Sqlite3TransactionHandler(connection))
    with pytest.raises(KeyboardInterrupt):
        context.begin()
    assert not connection.real.in_transaction
    assert not context.is_active
    connection.real.close()


def test_sqlite_nested_begin_of_one_handler_is_a_savepoint(tx, db):
    connection, rows = db
    handler = tx.Sqlite3TransactionHandler(connection)
    handler.begin()
    add(connection, 1)
    handler.begin()
    add(connection, 2)
    handler.rollback()
    handler.begin()
    add(connection, 3)
    handler.commit()
    handler.commit()
    assert rows() == [1, 3]
    for call in (handler.commit, handler.rollback):
        with pytest.raises(tx.TransactionError, match=r"begin\(\) has not been called"):
            call()


def test_sqlite_handler_refuses_what_is_no_connection(tx):
    with pytest.raises(TypeError, match=r"connection must be a sqlite3.Connection, not str"):
        tx.Sqlite3TransactionHandler("db")
    with pytest.raises(ValueError, match="mode='LATER' is unknown"):
        tx.Sqlite3TransactionHandler(sqlite3.connect(":memory:"), "LATER")
    handler = tx.Sqlite3TransactionHandler(sqlite3.connect(":memory:"))
    assert "Connection" in repr(handler)
    assert handler.connection.execute("SELECT 1").fetchone() == (1,)


# SQLAlchemy


@pytest.fixture
def alchemy(tmp_path):
    """A session on a file, the class of its rows, and a function that reads them by another connection."""
    sa = pytest.importorskip("sqlalchemy")
    from sqlalchemy import orm

    class Base(orm.DeclarativeBase):
        pass

    class Row(Base):
        __tablename__ = "t"
        id = orm.mapped_column(sa.Integer, primary_key=True)

    path = tmp_path / "db"
    engine = sa.create_engine(f"sqlite:///{path}")
    Base.metadata.create_all(engine)
    session = orm.Session(engine)

    def rows():
        reader = sqlite3.connect(path)
        try:
            return [x for (x,) in reader.execute("SELECT id FROM t ORDER BY id")]
        finally:
            reader.close()

    yield session, Row, rows
    session.close()
    engine.dispose()


def test_sqlalchemy_commits_and_rolls_back(tx, alchemy):
    session, row, rows = alchemy
    handler = tx.SQLAlchemyTransactionHandler(session)
    with tx.transaction(handler):
        session.add(row(id=1))
    assert rows() == [1]
    with pytest.raises(KeyboardInterrupt), tx.transaction(handler):
        session.add(row(id=2))
        session.flush()
        raise KeyboardInterrupt
    assert not session.in_transaction()
    with tx.transaction(handler):
        session.add(row(id=3))
    assert rows() == [1, 3]
    assert handler.session is session


def test_sqlalchemy_joins_by_session_with_savepoints(tx, alchemy):
    session, row, rows = alchemy

    def handler():
        return tx.SQLAlchemyTransactionHandler(session)

    assert handler() == handler()
    assert hash(handler()) == hash(handler())
    assert handler() != 1
    with tx.transaction(handler()):
        session.add(row(id=1))
        with pytest.raises(KeyError), tx.transaction(handler()) as inner:
            assert inner.joined
            session.add(row(id=2))
            with tx.transaction(handler()):
                session.add(row(id=3))
            raise KeyError
        with tx.transaction(handler()):
            session.add(row(id=4))
    assert rows() == [1, 4]


def test_sqlalchemy_a_parent_that_fails_undoes_a_part_that_succeeded_before_any_write(tx, alchemy):
    # Without an explicit BEGIN, sqlite would commit when the part's savepoint is released.
    session, row, rows = alchemy
    handler = tx.SQLAlchemyTransactionHandler(session)
    with pytest.raises(KeyError), tx.transaction(handler):
        with tx.transaction(handler):
            session.add(row(id=1))
        assert rows() == []
        raise KeyError
    assert rows() == []


def test_sqlalchemy_works_in_a_savepoint_of_a_transaction_that_was_open(tx, alchemy):
    session, row, rows = alchemy
    handler = tx.SQLAlchemyTransactionHandler(session)
    session.get(row, 1)
    assert session.in_transaction()
    with tx.transaction(handler):
        session.add(row(id=1))
    with pytest.raises(KeyError), tx.transaction(handler):
        session.add(row(id=2))
        raise KeyError
    assert rows() == []
    session.commit()
    assert rows() == [1]


def test_sqlalchemy_a_failing_flush_in_a_part_is_undone_alone(tx, alchemy):
    from sqlalchemy.exc import IntegrityError

    session, row, rows = alchemy
    handler = tx.SQLAlchemyTransactionHandler(session)
    with tx.transaction(handler):
        session.add(row(id=1))
        session.flush()
        session.expunge_all()
        with pytest.raises(IntegrityError), tx.transaction(handler):
            session.add(row(id=1))
        session.add(row(id=2))
    assert rows() == [1, 2]


def test_sqlalchemy_a_failing_commit_rolls_back(tx, alchemy):
    from sqlalchemy.exc import IntegrityError

    session, row, rows = alchemy
    handler = tx.SQLAlchemyTransactionHandler(session)
    with tx.transaction(handler):
        session.add(row(id=1))
    session.expunge_all()
    with pytest.raises(IntegrityError), tx.transaction(handler):
        session.add(row(id=7))
        session.flush()
        session.add(row(id=1))
    assert not session.in_transaction()
    with tx.transaction(handler):
        session.add(row(id=2))
    assert rows() == [1, 2]


@pytest.mark.parametrize("ending", ["commit", "rollback"])
def test_sqlalchemy_tells_of_a_transaction_that_was_ended_inside(tx, alchemy, ending):
    session, row, rows = alchemy
    handler = tx.SQLAlchemyTransactionHandler(session)
    with pytest.raises(tx.TransactionError, match="ended inside the command"), tx.transaction(handler):
        session.add(row(id=1))
        getattr(session, ending)()
    with (
        pytest.raises(tx.TransactionError, match="ended inside the command"),
        tx.transaction(handler),
        tx.transaction(handler),
    ):
        getattr(session, ending)()
    with pytest.raises(KeyError), tx.transaction(handler):
        getattr(session, ending)()
        raise KeyError
    with tx.transaction(handler):
        session.add(row(id=2))
    assert rows() == ([1, 2] if ending == "commit" else [2])


def test_sqlalchemy_scoped_sessions_are_equal_by_their_session(tx, alchemy):
    from sqlalchemy import orm

    session, _, _ = alchemy
    scoped = orm.scoped_session(orm.sessionmaker(session.get_bind()))
    assert tx.SQLAlchemyTransactionHandler(scoped) == tx.SQLAlchemyTransactionHandler(scoped())
    scoped.remove()


def test_sqlalchemy_handler_refuses_what_is_no_session(tx, alchemy):
    class AsyncSession:
        sync_session = None

    session, _, _ = alchemy
    with pytest.raises(TypeError, match=r"session must be a sqlalchemy.orm.Session, not Engine"):
        tx.SQLAlchemyTransactionHandler(session.get_bind())
    with pytest.raises(TypeError, match="not an AsyncSession"):
        tx.SQLAlchemyTransactionHandler(AsyncSession())
    handler = tx.SQLAlchemyTransactionHandler(session)
    for call in (handler.commit, handler.rollback):
        with pytest.raises(tx.TransactionError, match=r"begin\(\) has not been called"):
            call()
    assert "Session" in repr(handler)


# Commands


class Value(BaseModel):
    x: int


@pytest.fixture
def commands(sub, tx):
    base = sub("core.command").Command
    config = tx.TransactionConfig(auto_detect=False)

    class Save(base[Value, int]):
        _transaction_config = config
        connection = None

        def execute(self):
            add(type(self).connection, self.inputs.x)
            if self.inputs.x < 0:
                self.add_runtime_error("negative", "is negative")
            return self.inputs.x

    class SaveTwo(Save):
        def execute(self):
            self.run_subcommand(Save, x=self.inputs.x + 1)
            return super().execute()

    return Save, SaveTwo, config


def test_a_command_commits_on_success_and_rolls_back_on_failure(tx, db, commands):
    connection, rows = db
    save, _, config = commands
    save.connection = connection
    config.handler_factory = lambda: tx.Sqlite3TransactionHandler(connection)
    assert save.run(x=1).is_success()
    assert not save.run(x=-1).is_success()
    assert not save.run(x="x").is_success()
    assert rows() == [1]
    assert idle(connection)


def test_a_handler_that_begins_in_its_own_way_works(fa, tx, tmp_path):
    connection = sqlite3.connect(tmp_path / "db", isolation_level=None)
    connection.execute("CREATE TABLE t (x UNIQUE)")

    class Own(tx.Sqlite3TransactionHandler):
        def begin(self):
            self.connection.execute("BEGIN IMMEDIATE")

        def commit(self):
            self.connection.execute("COMMIT")

        def rollback(self):
            self.connection.execute("ROLLBACK")

    class Part(fa.Command[Value, None]):
        _transaction_config = fa.TransactionConfig.with_handler(lambda: Own(connection))

        def execute(self):
            add(connection, self.inputs.x)
            if self.inputs.x < 0:
                self.add_runtime_error("no", "no")

    class Whole(Part):
        def execute(self):
            self.run_subcommand(Part, x=self.inputs.x + 1)
            super().execute()

    assert not Part.run(x=-1).is_success()
    assert Whole.run(x=1).is_success()
    assert not Whole.run(x=-1).is_success()
    assert [x for (x,) in connection.execute("SELECT x FROM t ORDER BY x")] == [1, 2]
    assert not connection.in_transaction
    connection.close()


def test_sqlalchemy_a_handler_that_begins_in_its_own_way_works(tx, alchemy):
    session, row, rows = alchemy

    class Own(tx.SQLAlchemyTransactionHandler):
        def begin(self):
            self.session.begin()

        def commit(self):
            self.session.commit()

        def rollback(self):
            self.session.rollback()

    with tx.transaction(Own(session)):
        session.add(row(id=1))
    with pytest.raises(KeyError), tx.transaction(Own(session)):
        session.add(row(id=2))
        raise KeyError
    assert rows() == [1]
    assert not session.in_transaction()


def test_a_parent_that_fails_undoes_what_its_subcommands_did(tx, db, commands):
    connection, rows = db
    save, two, config = commands
    save.connection = connection
    config.handler_factory = lambda: tx.Sqlite3TransactionHandler(connection)
    assert two.run(x=1).is_success()
    assert rows() == [1, 2]
    assert not two.run(x=-9).is_success()
    assert rows() == [1, 2]
    assert idle(connection)


def test_commands_join_a_transaction_block(tx, db, commands):
    connection, rows = db
    save, _, config = commands
    save.connection = connection
    config.handler_factory = lambda: tx.Sqlite3TransactionHandler(connection)
    with pytest.raises(KeyError), tx.transaction(tx.Sqlite3TransactionHandler(connection)):
        assert save.run(x=1).is_success()
        assert not save.run(x=-1).is_success()
        raise KeyError
    with tx.transaction(tx.Sqlite3TransactionHandler(connection)):
        save.run(x=2)
        save.run(x=-2)
    assert rows() == [2]


PHASES = (
    "cast_and_validate_inputs",
    "load_records",
    "validate_records",
    "validate",
    "execute",
    "commit_transaction",
)


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("fault", [OSError("x"), KeyboardInterrupt(), SystemExit()], ids=repr)
def test_any_exception_in_any_phase_rolls_back_exactly_once(tx, commands, phase, fault):
    save, _, config = commands
    handler = Recorder()
    config.handler_factory = lambda: handler

    def fail(self):
        raise fault

    broken = type("Broken", (save,), {"execute": lambda self: 1, phase: fail})
    if phase == "execute" and isinstance(fault, Exception):
        assert not broken.run(x=1).is_success()
    else:
        with pytest.raises(type(fault)) as caught:
            broken.run(x=1)
        assert caught.value is fault
    assert handler.log == ["begin", "rollback"]
    assert tx.get_current_transaction() is None


@pytest.mark.parametrize(
    ("where", "fault"),
    list(itertools.product(("begin", "commit", "rollback"), (OSError("x"), KeyboardInterrupt()))),
    ids=repr,
)
def test_a_fault_in_the_handler_reaches_the_caller_and_the_next_run_is_clean(tx, commands, where, fault):
    save, _, config = commands
    handler = Recorder(**{where: fault})
    config.handler_factory = lambda: handler
    save.execute = lambda self: self.add_runtime_error("no", "no") if where == "rollback" else 1
    with pytest.raises(type(fault)) as caught:
        save.run(x=1)
    assert caught.value is fault
    expected = {
        "begin": ["begin"],
        "commit": ["begin", "commit", "rollback"],
        "rollback": ["begin", "rollback"],
    }
    assert handler.log == expected[where]
    handler.faults.clear()
    handler.log.clear()
    save.execute = lambda self: 1
    assert save.run(x=1).is_success()
    assert handler.log == ["begin", "commit"]


def test_a_detector_registered_after_the_first_run_is_seen(tx, sub):
    command = sub("core.command").Command

    class Detected(command[Value, int]):
        def execute(self):
            return 1

    Detected.run(x=1)
    handler = Recorder()
    tx.TransactionRegistry.register(lambda: handler)
    Detected.run(x=1)
    Detected._transaction_config = tx.TransactionConfig.disabled()
    Detected.run(x=1)
    assert handler.log == ["begin", "commit"]


@pytest.mark.parametrize("failing", [0, 1])
def test_concurrent_async_parts_on_one_connection_succeed_or_fail_together(tx, sub, db, failing):
    connection, rows = db
    module = sub("core.async_command")
    config = tx.TransactionConfig.with_handler(lambda: tx.Sqlite3TransactionHandler(connection))

    class Part(module.AsyncCommand[Value, int]):
        _transaction_config = config

        async def execute(self):
            add(connection, self.inputs.x)
            await asyncio.sleep(0)
            if self.inputs.x == 10 + failing:
                self.add_runtime_error("no", "no")
            await asyncio.sleep(0)
            add(connection, self.inputs.x * 10)
            return self.inputs.x

    async def both():
        with tx.transaction(tx.Sqlite3TransactionHandler(connection)):
            await asyncio.gather(*(Part.run(x=x) for x in (10, 11)))

    with pytest.raises(tx.TransactionPoisoned):
        asyncio.run(both())
    assert rows() == []
    assert idle(connection)

    async def neither():
        with tx.transaction(tx.Sqlite3TransactionHandler(connection)):
            await asyncio.gather(*(Part.run(x=x) for x in (20, 21)))

    asyncio.run(neither())
    assert rows() == [20, 21, 200, 210]


def test_sqlalchemy_a_session_that_chooses_an_engine_per_class(tx, alchemy):
    from sqlalchemy import orm

    session, row, rows = alchemy
    several = orm.Session(binds={row: session.get_bind()})
    handler = tx.SQLAlchemyTransactionHandler(several)
    with tx.transaction(handler):
        several.add(row(id=1))
        several.flush()
        with pytest.raises(KeyError), tx.transaction(handler):
            several.add(row(id=2))
            raise KeyError
    assert rows() == [1]
    several.close()


def test_sqlalchemy_a_savepoint_that_is_gone_poisons_the_whole(tx, alchemy):
    session, row, rows = alchemy
    handler = tx.SQLAlchemyTransactionHandler(session)
    for end in ("commit", "rollback"):
        outer = opened(tx, handler)
        outer.begin()
        session.add(row(id=1))
        part = opened(tx, handler, outer)
        part.begin()
        session.get_nested_transaction().rollback()
        with pytest.raises(tx.TransactionError, match="the savepoint was ended inside the command"):
            getattr(part, end)()
        with pytest.raises(tx.TransactionPoisoned):
            outer.commit()
    assert rows() == []


def test_contexts_and_attributes_of_the_registry_tell_what_they_are(tx):
    context = tx.TransactionContext(Recorder())
    assert "closed" in repr(context)
    context.begin()
    part = tx.TransactionContext(context.handler, context)
    assert "active" in repr(context)
    assert "joined" in repr(part)
    tx.TransactionRegistry.extra = 1
    del tx.TransactionRegistry.extra
