"""Several runs on one connection: each row goes the way of the run that wrote it, or a run is refused."""

from __future__ import annotations

import asyncio
import gc
import itertools
import sqlite3
import sys
import threading
import types
from contextvars import copy_context
from typing import Any

import pytest
from pydantic import BaseModel

MODES: dict[str, dict[str, Any]] = {
    "legacy": {},
    "deferred": {"isolation_level": "DEFERRED"},
    "immediate": {"isolation_level": "IMMEDIATE"},
    "exclusive": {"isolation_level": "EXCLUSIVE"},
    "none": {"isolation_level": None},
}
if sys.version_info >= (3, 12):
    MODES["autocommit on"] = {"autocommit": True}
    MODES["autocommit off"] = {"autocommit": False}


class Insert(BaseModel):
    """What the commands here write, and how they end."""

    n: int
    fail: bool = False
    wait: float = 0


class Table:
    """A table with rows of one number, its handler, and commands that insert one."""

    def __init__(self, fa: Any) -> None:
        self.fa = fa
        self.config = fa.TransactionConfig.with_handler(self.handler)

        async def insert_later(command: Any) -> int:
            self.insert(command.inputs.n)
            await asyncio.sleep(command.inputs.wait)
            return insert_end(command)

        def insert_end(command: Any) -> int:
            if command.inputs.fail:
                command.add_runtime_error("no", "no")
            return 1

        def insert(command: Any) -> int:
            self.insert(command.inputs.n)
            return insert_end(command)

        self.later = self.command(insert_later)
        self.now = self.command(insert)

    def command(self, execute: Any) -> Any:
        """A command class in this table's transactions, asynchronous when *execute* is."""
        is_async = asyncio.iscoroutinefunction(execute)
        base = self.fa.AsyncCommand if is_async else self.fa.Command
        body = {"execute": execute, "_transaction_config": self.config}
        return types.new_class("Ins", (base[Insert, int],), {}, lambda space: space.update(body))

    def handler(self) -> Any:
        raise NotImplementedError

    def insert(self, n: int) -> None:
        raise NotImplementedError

    def rows(self) -> list[int]:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


class Sqlite(Table):
    """On a file, so that what is committed can be read by another connection."""

    def __init__(self, fa: Any, path: Any, **options: Any) -> None:
        super().__init__(fa)
        self.path = path
        self.db = sqlite3.connect(path, check_same_thread=False, **options)
        self.db.execute("CREATE TABLE t (n)")
        self.db.commit()

    def handler(self) -> Any:
        return self.fa.Sqlite3TransactionHandler(self.db)

    def raw(self) -> sqlite3.Connection:
        """The connection that the transactions are on."""
        return self.db

    def insert(self, n: int) -> None:
        self.db.execute("INSERT INTO t VALUES (?)", (n,))

    def rows(self) -> list[int]:
        reader = sqlite3.connect(self.path)
        found = [n for (n,) in reader.execute("SELECT n FROM t ORDER BY n")]
        reader.close()
        return found

    def close(self) -> None:
        self.db.close()


class Alchemy(Sqlite):
    """The same by a session of SQLAlchemy."""

    def __init__(self, fa: Any, path: Any) -> None:
        alchemy = pytest.importorskip("sqlalchemy")
        from sqlalchemy import orm

        super().__init__(fa, path)
        self.engine = alchemy.create_engine(f"sqlite:///{path}")
        self.session = orm.Session(self.engine)
        self.text = alchemy.text

    def handler(self) -> Any:
        return self.fa.SQLAlchemyTransactionHandler(self.session)

    def raw(self) -> sqlite3.Connection:
        found: sqlite3.Connection = self.session.connection().connection.dbapi_connection
        return found

    def insert(self, n: int) -> None:
        self.session.execute(self.text("INSERT INTO t VALUES (:n)"), {"n": n})

    def close(self) -> None:
        self.session.close()
        self.engine.dispose()
        super().close()


@pytest.fixture(params=[*MODES, "sqlalchemy"])
def table(request: Any, fa: Any, tmp_path: Any) -> Any:
    """One table per kind of connection."""
    path = tmp_path / "db"
    made = Alchemy(fa, path) if request.param == "sqlalchemy" else Sqlite(fa, path, **MODES[request.param])
    yield made
    made.close()


@pytest.fixture
def plain(fa: Any, tmp_path: Any) -> Any:
    """A table on a connection that begins what it is told to."""
    made = Sqlite(fa, tmp_path / "db", isolation_level=None)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _no_mark_is_left(sub: Any) -> Any:
    module = sub("core.transactions")
    yield
    if claimed(module):
        gc.collect()
    assert not claimed(module)
    assert module._inside.get() is None


def claimed(module: Any) -> list[Any]:
    """What has begun and not been forgotten, of all connections."""
    return [each for claims in list(module._claims.values()) for each in claims]


REFUSED = "another run has a transaction open"


def together(*runs: Any) -> list[Any]:
    """Run all at once; of each whether it succeeded, or its exception."""

    async def main() -> list[Any]:
        return await asyncio.gather(*runs, return_exceptions=True)

    return [done if isinstance(done, BaseException) else done.is_success() for done in asyncio.run(main())]


@pytest.mark.parametrize("first_fails", [False, True])
@pytest.mark.parametrize("second_fails", [False, True])
@pytest.mark.parametrize("waits", [(0.02, 0.001), (0.001, 0.02)])
def test_of_concurrent_runs_one_is_refused_and_no_row_goes_astray(
    table: Any, fa: Any, first_fails: bool, second_fails: bool, waits: Any
) -> None:
    first, second = together(
        table.later.run(n=1, wait=waits[0], fail=first_fails),
        table.later.run(n=2, wait=waits[1], fail=second_fails),
    )
    assert first is not first_fails
    assert isinstance(second, fa.TransactionError)
    assert REFUSED in str(second)
    assert table.rows() == ([] if first_fails else [1])
    # The one after the other, both work.
    assert asyncio.run(table.later.run(n=3)).is_success()
    assert table.now.run(n=4).is_success()
    assert table.rows() == ([3, 4] if first_fails else [1, 3, 4])


def test_runs_that_wait_for_each_other_work(table: Any) -> None:
    async def main() -> None:
        lock = asyncio.Lock()

        async def one(n: int) -> None:
            async with lock:
                await table.later.run(n=n, wait=0.001, fail=n % 2 == 1)

        await asyncio.gather(*(one(n) for n in range(6)))

    asyncio.run(main())
    assert table.rows() == [0, 2, 4]


def test_runs_inside_one_block_join_it(table: Any, fa: Any) -> None:
    async def main() -> None:
        with fa.transaction(table.handler()):
            await asyncio.gather(*(table.later.run(n=n, wait=0.01 * n) for n in range(3)))

    asyncio.run(main())
    assert table.rows() == [0, 1, 2]


def test_a_run_in_a_thread_is_refused_while_another_is_open(plain: Any, fa: Any) -> None:
    """From execute of the one: a thread of its own has no context in common with it."""
    refused: list[Any] = []

    def other() -> None:
        try:
            plain.now.run(n=2)
        except fa.TransactionError as error:
            refused.append(str(error))

    def execute(command: Any) -> int:
        plain.insert(1)
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        return 1

    assert plain.command(execute).run(n=0).is_success()
    assert len(refused) == 1
    assert REFUSED in refused[0]
    assert plain.rows() == [1]
    other()
    assert plain.rows() == [1, 2]


def test_threads_at_once_lose_no_row(plain: Any, fa: Any) -> None:
    done: list[int] = []
    start = threading.Barrier(4)

    def work(offset: int) -> None:
        start.wait()
        for n in range(offset, offset + 100):
            try:
                outcome = plain.now.run(n=n, fail=n % 3 == 0)
            except fa.TransactionError:
                continue
            if outcome.is_success():
                done.append(n)

    threads = [threading.Thread(target=work, args=(1000 * each,)) for each in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert plain.rows() == sorted(done)
    assert done
    assert not plain.db.in_transaction


def test_a_run_inside_a_run_works_in_a_savepoint(table: Any) -> None:
    async def execute_later(command: Any) -> int:
        table.insert(100)
        await table.later.run(n=1, fail=True)
        await table.later.run(n=2)
        # A task of its own is inside, too.
        await asyncio.create_task(table.later.run(n=3))
        await asyncio.to_thread(lambda: None)
        if command.inputs.fail:
            command.add_runtime_error("no", "no")
        return 1

    def execute(command: Any) -> int:
        table.insert(200)
        assert table.now.run(n=4, fail=True).is_failure()
        assert table.now.run(n=5).is_success()
        if command.inputs.fail:
            command.add_runtime_error("no", "no")
        return 1

    for each in (execute_later, execute):
        outer = table.command(each)
        for fail in (True, False):
            outcome = outer.run(n=0, fail=fail)
            outcome = outcome if each is execute else asyncio.run(outcome)
            assert outcome.is_success() is not fail
    assert table.rows() == [2, 3, 5, 100, 200]


@pytest.mark.parametrize("how", ["sync", "async", "block"])
def test_a_run_inside_a_run_inside_a_block_works_in_a_savepoint(table: Any, fa: Any, how: str) -> None:
    """It is undone alone, and undone with the run that it is inside."""

    def inner(n: int, fail: bool) -> None:
        if how == "block":
            try:
                with fa.transaction(table.handler()):
                    table.insert(n)
                    if fail:
                        raise LookupError
            except LookupError:
                pass
        else:
            assert table.now.run(n=n, fail=fail).is_success() is not fail

    def outer(command: Any) -> None:
        inner(command.inputs.n + 1, fail=True)
        inner(command.inputs.n + 2, fail=False)
        table.insert(command.inputs.n)
        if command.inputs.fail:
            command.add_runtime_error("no", "no")

    async def outer_later(command: Any) -> None:
        assert (await table.later.run(n=command.inputs.n + 1, fail=True)).is_failure()
        assert (await asyncio.create_task(table.later.run(n=command.inputs.n + 2))).is_success()
        table.insert(command.inputs.n)
        if command.inputs.fail:
            command.add_runtime_error("no", "no")

    with fa.transaction(table.handler()):
        for n, fail in ((10, False), (20, True), (30, False)):
            if how == "async":
                done = asyncio.run(table.command(outer_later).run(n=n, fail=fail))
            else:
                done = table.command(outer).run(n=n, fail=fail)
            assert done.is_success() is not fail
        table.insert(1)
    assert table.rows() == [1, 10, 12, 30, 32]


def test_a_run_that_outlives_the_one_it_is_inside_takes_the_block_with_it(plain: Any, fa: Any) -> None:
    async def main() -> None:
        tasks: list[Any] = []

        async def outer(command: Any) -> None:
            tasks.append(asyncio.create_task(plain.later.run(n=2, wait=0.01)))
            await asyncio.sleep(0)

        with fa.transaction(plain.handler()):
            await plain.command(outer).run(n=1)
            with pytest.raises(fa.TransactionError):
                await tasks[0]

    with pytest.raises(fa.TransactionPoisoned):
        asyncio.run(main())
    assert plain.rows() == []


def test_of_concurrent_runs_inside_a_run_one_is_refused(table: Any, fa: Any) -> None:
    found: list[Any] = []

    async def execute(command: Any) -> int:
        table.insert(100)
        runs = (table.later.run(n=1, wait=0.01, fail=True), table.later.run(n=2))
        found.extend(await asyncio.gather(*runs, return_exceptions=True))
        return 1

    assert asyncio.run(table.command(execute).run(n=0)).is_success()
    assert found[0].is_failure()
    assert isinstance(found[1], fa.TransactionError)
    assert table.rows() == [100]


@pytest.mark.parametrize("fail", [False, True])
def test_a_run_that_ends_before_one_inside_it_fails_with_it(table: Any, fa: Any, fail: bool) -> None:
    """What the one inside has written is not its to commit."""
    tasks: list[Any] = []

    async def execute(command: Any) -> int:
        table.insert(100)
        tasks.append(asyncio.create_task(table.later.run(n=1, wait=0.01, fail=fail)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return 1

    async def main() -> None:
        with pytest.raises(fa.TransactionError, match="has not ended"):
            await table.command(execute).run(n=0)
        if fail:
            assert (await tasks[0]).is_failure()
        else:
            with pytest.raises(fa.TransactionError, match=r"ended before it|ended inside the command"):
                await tasks[0]
        assert (await table.later.run(n=2)).is_success()

    asyncio.run(main())
    assert table.rows() == [2]


def test_a_run_beside_a_subcommand_spoils_no_more_than_both(plain: Any, fa: Any) -> None:
    """The savepoints of the two cross: whichever ends first takes the other's along."""
    for waits, fails in itertools.product(((0.01, 0.001), (0.001, 0.01)), itertools.product((0, 1), (0, 1))):
        plain.db.execute("DELETE FROM t")
        found: list[Any] = []

        async def execute(command: Any, waits: Any = waits, fails: Any = fails, found: Any = found) -> int:
            plain.insert(100)
            runs = (
                command.run_subcommand(plain.later, n=1, wait=waits[0], fail=bool(fails[0])),
                plain.later.run(n=2, wait=waits[1], fail=bool(fails[1])),
            )
            found.extend(await asyncio.gather(*runs, return_exceptions=True))
            command.errors.clear()
            return 1

        try:
            succeeded = asyncio.run(plain.command(execute).run(n=0)).is_success()
        except fa.TransactionError:
            succeeded = False
        if not succeeded:
            assert plain.rows() == []
        else:
            expected = [1] * (found[0] == 1) + [2] * (
                not isinstance(found[1], BaseException) and found[1].is_success()
            )
            assert plain.rows() == [*expected, 100], (waits, fails, found)


def test_a_transaction_that_was_opened_by_hand_still_takes_savepoints(plain: Any) -> None:
    plain.db.execute("BEGIN")
    plain.insert(1)
    assert plain.now.run(n=2, fail=True).is_failure()
    assert plain.now.run(n=3).is_success()
    first, second = together(plain.later.run(n=4, wait=0.01), plain.later.run(n=5))
    assert first is True
    assert REFUSED in str(second)
    assert plain.rows() == []
    plain.db.execute("COMMIT")
    assert plain.rows() == [1, 3, 4]


def test_a_connection_that_is_closed_inside_leaves_no_mark(table: Any, sub: Any) -> None:
    module = sub("core.transactions")

    def execute(command: Any) -> int:
        table.insert(1)
        table.raw().close()
        return 1

    with pytest.raises(Exception, match="closed"):
        table.command(execute).run(n=0)
    assert not module._standing(module._claims_on(table.db))
    assert table.rows() == []


def test_a_handler_that_was_dropped_blocks_nobody(plain: Any, fa: Any) -> None:
    handler = fa.Sqlite3TransactionHandler(plain.db)
    copy_context().run(handler.begin)
    with pytest.raises(fa.TransactionError, match=REFUSED):
        plain.now.run(n=1)
    del handler
    gc.collect()
    plain.db.execute("ROLLBACK")
    assert plain.now.run(n=1).is_success()
    assert plain.rows() == [1]


def test_handlers_that_were_dropped_while_open_leave_nothing(sub: Any, fa: Any) -> None:
    module = sub("core.transactions")
    kept = sqlite3.connect(":memory:", isolation_level=None)
    for connection in (sqlite3.connect(":memory:", isolation_level=None), kept):
        for _ in range(3):
            handler = fa.Sqlite3TransactionHandler(connection)
            copy_context().run(handler.begin)
            del handler
            gc.collect()
            assert not claimed(module)
            connection.execute("ROLLBACK")

    def dropped_inside() -> None:
        handler = fa.Sqlite3TransactionHandler(kept)
        handler.begin()
        fa.Sqlite3TransactionHandler(kept).begin()
        gc.collect()
        assert [each.owner() for each in module._claims_on(kept)] == [handler]
        handler.rollback()

    copy_context().run(dropped_inside)
    assert not claimed(module)


def test_begun_in_one_context_and_ended_in_another(plain: Any, fa: Any) -> None:
    handler = fa.Sqlite3TransactionHandler(plain.db)
    for n, end in enumerate((handler.commit, handler.rollback) * 2):
        handler.begin()
        plain.insert(n)
        copy_context().run(end)
        assert plain.now.run(n=10 + n).is_success()
    assert plain.rows() == [0, 2, 10, 11, 12, 13]


def test_requires_new_on_another_connection_is_apart(fa: Any, tmp_path: Any) -> None:
    one = Sqlite(fa, tmp_path / "one", isolation_level=None)
    two = Sqlite(fa, tmp_path / "two", isolation_level=None)
    two.config.requires_new = True

    async def execute(command: Any) -> int:
        one.insert(1)
        await asyncio.gather(command.run_subcommand_bang(two.later, n=2), asyncio.sleep(0))
        # Inside both connections at once, and back on the first.
        with fa.transaction(two.handler()):
            assert (await one.later.run(n=3)).is_success()
        command.add_runtime_error("no", "no")
        return 1

    assert asyncio.run(one.command(execute).run(n=0)).is_failure()
    assert (one.rows(), two.rows()) == ([], [2])
    one.close()
    two.close()


def test_a_cancelled_run_and_one_that_is_dropped_leave_no_mark(table: Any) -> None:
    async def main() -> None:
        task = asyncio.create_task(table.later.run(n=1, wait=60))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await table.later.run(n=2)).is_success()

    asyncio.run(main())
    dropped = table.later.run(n=3).__await__()
    next(dropped)
    del dropped
    gc.collect()
    assert table.now.run(n=4).is_success()
    assert table.rows() == [2, 4]


class Interrupts:
    """KeyboardInterrupt at the n-th place where Python looks for signals in the code of the module."""

    def __init__(self, filename: str, at: int) -> None:
        self.filename = filename
        self.left = at

    def __enter__(self) -> Interrupts:
        self.before = sys.gettrace()
        sys.settrace(self.trace)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self.before)

    def trace(self, frame: Any, event: str, arg: Any) -> Any:
        if frame.f_code.co_filename != self.filename:
            return None
        if event == "call":
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt
        return self.trace


@pytest.mark.parametrize("shared", [False, True], ids=["handler per run", "one handler"])
def test_an_interrupt_at_every_call_leaves_no_mark_standing(plain: Any, sub: Any, shared: bool) -> None:
    module = sub("core.transactions")
    handler = plain.handler()
    if shared:
        plain.config.handler_factory = lambda: handler

    def execute(command: Any) -> int:
        plain.insert(1)
        plain.now.run(n=2)
        command.run_subcommand(plain.now, n=3)
        if command.inputs.fail:
            command.add_runtime_error("no", "no")
        return 1

    outer = plain.command(execute)
    for fail in (False, True):
        for at in itertools.count(1):
            plain.db.execute("DELETE FROM t")
            interrupted = False
            try:
                with Interrupts(module.__file__, at):
                    outer.run(n=0, fail=fail)
            except KeyboardInterrupt:
                interrupted = True
            assert not module._standing(module._claims_on(plain.db)), (fail, at)
            assert not handler._began
            assert not plain.db.in_transaction, (fail, at)
            assert plain.rows() in ([], [1, 2, 3])
            if not interrupted:
                break
        assert at > 20
    assert outer.run(n=0).is_success()
