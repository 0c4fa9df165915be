"""Transactions around commands: what opens one, how contexts join, and handlers for common databases.

A handler begins, commits and rolls back; a context makes sure that each happens once. A command opens a
context by its TransactionConfig; a subcommand whose handler equals the enclosing one joins it.
Whoever opened a transaction ends it: a handler that finds one open works in a savepoint of it, unless it
belongs to another run that has not ended, which it could only spoil.
"""

from __future__ import annotations

import itertools
import sys
from _thread import LockType, allocate_lock, get_ident
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from time import sleep
from types import TracebackType
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable
from weakref import ref

from .._backend import executor

__all__ = [
    "NoOpTransactionHandler",
    "SQLAlchemyTransactionHandler",
    "SavepointHandler",
    "Sqlite3TransactionHandler",
    "TransactionConfig",
    "TransactionContext",
    "TransactionError",
    "TransactionHandler",
    "TransactionPoisoned",
    "TransactionRegistry",
    "get_current_transaction",
    "may_open",
    "open_context",
    "set_current_transaction",
    "transaction",
]


class TransactionError(RuntimeError):
    """A transaction was used in a way that cannot keep its promise."""


class TransactionPoisoned(TransactionError):
    """Something inside the transaction failed, so it was rolled back instead of committed."""


@runtime_checkable
class TransactionHandler(Protocol):
    """What a context needs of a database. Two handlers of one connection should compare equal.

    Its methods are synchronous: nothing awaits what they answer.
    """

    def begin(self) -> None:
        """Start a transaction."""

    def commit(self) -> None:
        """Make what was done since ``begin`` permanent."""

    def rollback(self) -> None:
        """Undo what was done since ``begin``."""


@runtime_checkable
class SavepointHandler(TransactionHandler, Protocol):
    """A handler that can undo a part of its transaction: what a joined context does is undone alone."""

    def savepoint(self) -> Any:
        """Mark a point and return what names it."""

    def rollback_to(self, token: Any) -> None:
        """Undo what was done since the point."""

    def release(self, token: Any) -> None:
        """Forget the point and keep what was done since."""


class NoOpTransactionHandler:
    """A handler that does nothing."""

    __slots__ = ()

    def begin(self) -> None:
        """Do nothing."""

    def commit(self) -> None:
        """Do nothing."""

    def rollback(self) -> None:
        """Do nothing."""


class _Owner(ref[Any]):
    """The owner of what has begun, which when dropped leaves no claim behind."""

    __slots__ = ("begun",)

    begun: _Begun | None  # until it is forgotten: a cycle, which no collector is to find at each transaction


class _Begun:
    """What has begun on a connection and not ended: what other runs must not take for their own.

    It stands while *open* is true and its owner lives, so that one store ends it, which no interrupt cuts in
    half, and so that what was dropped blocks nobody.
    """

    __slots__ = ("before", "claiming", "claims", "joins", "open", "outer", "owner", "spoiled", "what")

    def __init__(self, owner: Any, claims: list[_Begun], joins: bool = False) -> None:
        # A part that is dropped goes with what it is a part of.
        self.owner: ref[Any] = ref(owner)
        if not joins:
            self.owner = held = _Owner(owner, _dropped)
            held.begun = self
        self.claims = claims  # of the connection, in the order of their begin
        self.joins = joins  # a part of a transaction: other parts may overlap it, contexts see to them
        self.claiming = 0  # the thread that is in enter() and does not know yet whether it may begin
        self.open = False
        self.spoiled = False
        self.what: Any = None
        self.outer: _Begun | None = None  # what it works in on the same connection
        self.before: _Begun | None = None  # what was begun before it in this thread or task

    def enter(self, enclosing: _Begun | None = None) -> None:
        """Claim the connection. Raises TransactionError when a run that this one is not inside has it.

        Without a lock: a ``with`` is no place where CPython lets no interrupt in, and one would leave it
        taken. Who is first in the list has the connection.
        """
        before = _inside.get()
        inside = [] if before is None else _inside_of(before)
        if enclosing is not None and enclosing not in inside:
            inside = _inside_of(enclosing)
        try:
            self.claiming = get_ident()
            self.claims.append(self)
            self._claim(inside)
        except BaseException:
            self.forget()
            raise
        self.before = inside[0] if inside else None
        _inside.set(self)

    def _claim(self, inside: list[_Begun]) -> None:
        for other in list(self.claims):
            if other is self:
                break
            other.decide(self.claiming)
            if not other.stands():
                if not other.claiming:
                    other.remove()  # an interrupt came while it was forgotten
                continue
            if other not in inside and not (self.joins and other.joins):
                raise TransactionError(
                    "another run has a transaction open on this connection or session, which has one at "
                    "a time: give each run its own, let one wait for the other, or run both inside "
                    "`with transaction(handler):`, where they succeed or fail together"
                )
            self.outer = other
        self.open = True
        self.claiming = 0

    def decide(self, thread: int) -> None:
        """Wait in *thread* until another knows whether this may begin, which takes it microseconds.

        One of the same thread waits for the signal handler that has come in between. One that an interrupt
        has hit before enter() could catch it stays undecided: it does not stand.
        """
        for _ in range(1000):
            if self.claiming in (0, thread):
                break
            sleep(0)

    def stands(self) -> bool:
        """Whether it has not ended."""
        return self.open and self.owner() is not None

    def check(self) -> None:
        """Raise TransactionError when a commit would not keep all that was done in it, or more than that."""
        if self.claims[-1] is not self and _standing(self.claims)[-1] is not self:
            raise TransactionError(
                "a run in this transaction has not ended: wait for it before the transaction ends"
            )
        if self.outer is not None and not self.outer.stands():
            raise TransactionError("the transaction that this run worked in has ended before it")
        if self.spoiled:
            raise TransactionPoisoned("a part of the transaction failed and could not be undone alone")

    def spoil(self) -> None:
        """Make what it works in fail: something that was done here may be left in there."""
        if self.outer is not None:
            self.outer.spoiled = True

    def forget(self) -> None:
        """Free what was kept for others to find it. An interrupt here leaves what enter() passes over."""
        self.claiming = 0
        if type(self.owner) is _Owner:
            self.owner.begun = None
        self.remove()
        if _inside.get() is self:
            _inside.set(self.before)

    def remove(self) -> None:
        """Take it out of the list, where two may find that it is over."""
        with suppress(ValueError):
            self.claims.remove(self)


def _standing(claims: list[_Begun]) -> list[_Begun]:
    return [each for each in list(claims) if each.stands()]


def _inside_of(begun: _Begun | None) -> list[_Begun]:
    found = []
    while begun is not None:
        if begun.stands():
            found.append(begun)
        begun = begun.before
    return found


# By the id of a connection or session. An empty list stays, for the next one with that id: to take it away
# could lose the claim of a thread that has just found it.
_claims: dict[int, list[_Begun]] = {}


def _claims_on(connection: Any) -> list[_Begun]:
    return _claims.setdefault(id(connection), [])


def _dropped(owner: Any) -> None:
    begun = owner.begun
    if begun is not None:
        begun.open = False
        begun.forget()


_inside: ContextVar[_Begun | None] = ContextVar("foobara_accel_begun", default=None)


class _Claiming:
    """What the handlers of this module share: what each has begun.

    How that is undone each writes out: an interrupt may come at a call in between, before it did anything.
    """

    __slots__ = ("__weakref__", "_began")

    _began: list[_Begun]

    def _last(self) -> _Begun:
        if not self._began:
            raise TransactionError("begin() has not been called")
        return self._began[-1]


class SQLAlchemyTransactionHandler(_Claiming):
    """A handler of a SQLAlchemy Session: a transaction, or a savepoint when the session is in one already.

    A ``scoped_session`` is resolved at once, so make the handler where it is used (``with_handler``).
    Raises TypeError for anything but a Session.
    """

    __slots__ = ("_session",)

    def __init__(self, session: Any) -> None:
        if hasattr(session, "registry") and callable(session):
            session = session()
        if hasattr(session, "sync_session"):
            raise TypeError(
                "session must be a Session, not an AsyncSession: pass its sync_session inside run_sync()"
            )
        for name in ("begin", "begin_nested", "commit", "rollback", "in_transaction", "get_bind"):
            if not callable(getattr(session, name, None)):
                raise TypeError(f"session must be a sqlalchemy.orm.Session, not {type(session).__name__}")
        self._session = session
        self._began = []

    @property
    def session(self) -> Any:
        """The session."""
        return self._session

    def begin(self) -> None:
        """Begin a transaction, or a savepoint when the session is in one.

        Raises TransactionError when that one is of another run.
        """
        begun = _Begun(self, _claims_on(self._session))
        depth = len(self._began)
        opening = False
        try:
            begun.enter()
            if self._session.in_transaction():
                begun.what = self._nested()
            else:
                opening = True
                begun.what = self._session.begin()
            self._began.append(begun)
        except BaseException:
            # An interrupt may arrive once the call has worked.
            del self._began[depth:]
            try:
                if opening and self._session.in_transaction():
                    self._session.rollback()
            finally:
                begun.open = False
                begun.forget()
            raise

    def commit(self) -> None:
        """Flush and commit. Raises TransactionError when other code has ended the transaction meanwhile."""
        begun = self._last()
        if not self._open(begun.what):
            raise TransactionError(
                "the session's transaction was ended inside the command: leave commit() and rollback() to it"
            )
        begun.check()
        if begun.what.nested:
            begun.what.commit()
        else:
            self._session.commit()
        # Closed first and dropped last: rollback() after an interrupt in between finds nothing left to undo.
        begun.open = False
        begun.forget()
        del self._began[-1]

    def rollback(self) -> None:
        """Roll back; nothing is left to do when other code has ended the transaction."""
        begun = self._last()
        try:
            if not begun.open:
                pass
            elif not begun.what.nested:
                self._session.rollback()
            elif self._open(begun.what):
                begun.what.rollback()
        except BaseException:
            begun.spoil()
            raise
        finally:
            begun.open = False
            del self._began[-1]
            begun.forget()

    def savepoint(self) -> Any:
        """Flush, set a savepoint and return it."""
        return self._nested()

    def rollback_to(self, token: Any) -> None:
        """Undo what the session did since the savepoint. Raises TransactionError when it is gone."""
        if not self._open(token):
            raise TransactionError("the savepoint was ended inside the command")
        token.rollback()

    def release(self, token: Any) -> None:
        """Flush and release the savepoint. Raises TransactionError when it is gone."""
        if not self._open(token):
            raise TransactionError("the savepoint was ended inside the command")
        token.commit()

    def _open(self, wanted: Any) -> bool:
        current = self._session.get_nested_transaction() or self._session.get_transaction()
        while current is not None and current is not wanted:
            current = current.parent
        return current is not None

    def _nested(self) -> Any:
        # Python's sqlite3 delays BEGIN to the first INSERT, UPDATE or DELETE. A savepoint set before that
        # would be the transaction, and releasing it would commit.
        session = self._session
        if self._dialect() == "sqlite":
            connection = session.connection()
            raw = connection.connection.dbapi_connection
            if getattr(raw, "in_transaction", True) is False:
                connection.exec_driver_sql("BEGIN")
        return session.begin_nested()

    def _dialect(self) -> str:
        from sqlalchemy.exc import UnboundExecutionError

        try:
            return str(self._session.get_bind().dialect.name)
        except UnboundExecutionError:
            return ""  # the session chooses an engine per class

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._session is other._session

    def __hash__(self) -> int:
        return hash((type(self), id(self._session)))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {type(self._session).__name__} at {id(self._session):#x}>"


_savepoint_numbers = itertools.count(1)
# Set right after BEGIN: it goes with the transaction, and what begins the next one does not bring it back.
_GUARD = "foobara_begun"


def _tell_of_end(error: Exception) -> None:
    if "no such savepoint" in str(error):
        raise TransactionError(
            "the connection's transaction was ended inside the command: "
            "leave commit(), rollback() and executescript() out of it"
        ) from None


class Sqlite3TransactionHandler(_Claiming):
    """A handler of a ``sqlite3.Connection``: a transaction, or a savepoint when one is open already.

    *mode* is what follows BEGIN; by default the connection's ``isolation_level``. A connection with
    ``autocommit=False`` (Python 3.12+) is always in a transaction: there the outermost begin opens none, and
    its commit and rollback take uncommitted work from before with them, as ``with connection:`` does.
    Raises TypeError for anything but a connection, ValueError for an unknown mode.
    """

    __slots__ = ("_connection", "_mode")

    def __init__(
        self, connection: Any, mode: Literal["DEFERRED", "IMMEDIATE", "EXCLUSIVE"] | None = None
    ) -> None:
        for name in ("execute", "commit", "rollback", "in_transaction"):
            if not hasattr(connection, name):
                raise TypeError(f"connection must be a sqlite3.Connection, not {type(connection).__name__}")
        if mode not in (None, "DEFERRED", "IMMEDIATE", "EXCLUSIVE"):
            raise ValueError(f"mode={mode!r} is unknown: use 'DEFERRED', 'IMMEDIATE' or 'EXCLUSIVE'")
        self._connection = connection
        self._mode = mode
        # What each began: the savepoint's name, "" for a transaction, None for the standing one.
        self._began = []

    @property
    def connection(self) -> Any:
        """The connection."""
        return self._connection

    def begin(self) -> None:
        """Begin a transaction, or a savepoint when one is open.

        Raises TransactionError when that one is of another run.
        """
        connection = self._connection
        begun = _Begun(self, _claims_on(connection))
        depth = len(self._began)
        opening = False
        try:
            begun.enter()
            if begun.outer is None and getattr(connection, "autocommit", None) is False:
                connection.execute(f"SAVEPOINT {_GUARD}")
            elif connection.in_transaction:
                begun.what = self.savepoint()
            else:
                opening = True
                connection.execute(f"BEGIN {self._mode or connection.isolation_level or ''}".rstrip())
                connection.execute(f"SAVEPOINT {_GUARD}")
                begun.what = ""
            self._began.append(begun)
        except BaseException:
            # An interrupt may arrive once the call has worked: it would leave the transaction open, or a
            # level that the next rollback takes for its own.
            del self._began[depth:]
            try:
                if opening and connection.in_transaction:
                    connection.execute("ROLLBACK")
            finally:
                begun.open = False
                begun.forget()
            raise

    def commit(self) -> None:
        """Commit. Raises TransactionError when other code, or SQLite, has ended the transaction meanwhile."""
        begun = self._last()
        begun.check()
        connection = self._connection
        try:
            self.release(begun.what or _GUARD)
        except Exception as error:
            # COMMIT would end what other code has begun since, and connection.commit() would be silent.
            _tell_of_end(error)
            raise
        if not begun.what:
            try:
                if begun.what is None:
                    connection.commit()
                else:
                    connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute(f"SAVEPOINT {_GUARD}")  # a locked database may be tried again
                raise
        # Closed first and dropped last: rollback() after an interrupt in between finds nothing left to undo.
        begun.open = False
        begun.forget()
        del self._began[-1]

    def rollback(self) -> None:
        """Roll back; nothing is left to do when SQLite has rolled the transaction back by itself."""
        begun = self._last()
        try:
            if not begun.open:
                pass
            elif begun.what is None:
                self._connection.rollback()
            elif self._connection.in_transaction and (begun.outer is None or begun.outer.stands()):
                if begun.what:
                    self.rollback_to(begun.what)
                else:
                    self._connection.execute("ROLLBACK")
        except BaseException:
            begun.spoil()
            raise
        finally:
            # Without a call in between, where an interrupt would come.
            begun.open = False
            del self._began[-1]
            begun.forget()

    def savepoint(self) -> str:
        """Set a savepoint and return its name."""
        name = f"foobara_{next(_savepoint_numbers)}"
        self._connection.execute(f"SAVEPOINT {name}")
        return name

    def rollback_to(self, token: str) -> None:
        """Undo what was done since the savepoint. Raises TransactionError when it is gone."""
        try:
            self._connection.execute(f"ROLLBACK TO {token}")
            self._connection.execute(f"RELEASE {token}")
        except Exception as error:
            _tell_of_end(error)
            raise

    def release(self, token: str) -> None:
        """Release the savepoint. Raises TransactionError when it is gone."""
        try:
            self._connection.execute(f"RELEASE {token}")
        except Exception as error:
            _tell_of_end(error)
            raise

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._connection is other._connection

    def __hash__(self) -> int:
        return hash((type(self), id(self._connection)))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {type(self._connection).__name__} at {id(self._connection):#x}>"


_METHODS = ("begin", "commit", "rollback", "savepoint", "rollback_to", "release")
_NOT_RUN_BY_A_CALL = 0x20 | 0x80 | 0x200  # inspect's CO_GENERATOR, CO_COROUTINE, CO_ASYNC_GENERATOR
_AWAITED_BY_NOBODY = (
    "is a coroutine or a generator, and a call of one does nothing: handlers are synchronous. For an async "
    "database let an AsyncCommand override open_transaction, commit_transaction and rollback_transaction by "
    "async methods, and disable its _transaction_config"
)


# Nothing of them is to be looked at for each transaction.
_OURS = (Sqlite3TransactionHandler, SQLAlchemyTransactionHandler, NoOpTransactionHandler)


def _check_handler(handler: Any) -> None:
    kind = type(handler).__name__
    for name in ("begin", "commit", "rollback"):
        if not callable(getattr(handler, name, None)):
            raise TypeError(f"handler must have begin(), commit() and rollback(): {kind} has no {name}()")
    for name in _METHODS:
        code = getattr(getattr(handler, name, None), "__code__", None)
        if code is not None and getattr(code, "co_flags", 0) & _NOT_RUN_BY_A_CALL:
            raise TypeError(f"{kind}.{name}() {_AWAITED_BY_NOBODY}")


class TransactionContext:
    """One transaction, or a part of an enclosing one: begins once, and commits or rolls back once.

    As a context manager it may be entered again while open; the outermost exit commits, or rolls back when
    an exception passed any level. Raises TypeError for a handler without begin, commit and rollback, and for
    one of which any method is a coroutine or generator function.
    """

    __slots__ = (
        "__weakref__",
        "_begun",
        "_children",
        "_committed",
        "_depth",
        "_enclosing",
        "_failed",
        "_handler",
        "_overlaps",
        "_poisoned",
        "_savepoint",
        "_token",
    )

    def __init__(
        self, handler: TransactionHandler | None = None, enclosing: TransactionContext | None = None
    ) -> None:
        if handler is None:
            handler = NoOpTransactionHandler()
        if type(handler) not in _OURS:
            _check_handler(handler)
        self._handler = handler
        self._enclosing = enclosing
        self._depth = 0
        self._failed = False
        self._poisoned = False
        self._committed = False
        self._savepoint = False
        self._overlaps = False
        self._token: Any = None
        self._begun: _Begun | None = None
        self._children: list[TransactionContext] | None = None

    @property
    def handler(self) -> TransactionHandler:
        """The handler; a joined context has one that equals the enclosing context's."""
        return self._handler

    @property
    def is_active(self) -> bool:
        """Whether it has begun and neither committed nor rolled back."""
        return self._depth > 0

    @property
    def joined(self) -> bool:
        """Whether it is a part of an enclosing transaction."""
        return self._enclosing is not None

    def mark_failed(self) -> None:
        """Make the end of this context a rollback."""
        self._failed = True

    def begin(self) -> None:
        """Begin. An exception of the handler leaves the context as it was and goes to the caller."""
        if self._depth:
            raise TransactionError("this transaction has begun already")
        self._failed = self._poisoned = self._committed = self._overlaps = False
        self._children = self._begun = None
        enclosing = self._enclosing
        # Counted first, so that an interrupt during begin() finds a context that is open rather than lost.
        self._depth = 1
        begun = False
        try:
            if enclosing is None:
                began: Any = ()
                if isinstance(self._handler, _Claiming):
                    began = getattr(self._handler, "_began", ())
                known = len(began)
                answer: Any = self._handler.begin()  # type: ignore[func-returns-value]
                begun = answer is None or not hasattr(answer, "__await__")
                self._refuse_awaitable(answer, "begin")
                if len(began) > known:  # a subclass may begin in its own way, and claims nothing then
                    self._begun = began[-1]
            else:
                self._join(enclosing)
        except BaseException as error:
            self._depth = 0
            # An interrupt may come once begin() has worked, and what that opened has to be closed.
            if begun:
                self._undo_after(error)
            elif enclosing is not None:
                self._leave()
            raise

    def commit(self) -> None:
        """Commit. Raises TransactionPoisoned, after rolling back, when something inside has failed.

        When the handler's commit fails it is rolled back once and its exception goes to the caller.
        """
        if not self._depth:
            raise TransactionError("nothing to commit: the transaction has not begun or has ended")
        spoiled = self._begun is not None and self._begun.spoiled
        if self._failed or self._poisoned or spoiled:
            self.rollback()
            raise TransactionPoisoned("a part of the transaction failed, so all of it was rolled back")
        enclosing = self._enclosing
        self._depth = 0
        try:
            if enclosing is None:
                answer: Any = self._handler.commit()  # type: ignore[func-returns-value]
                self._refuse_awaitable(answer, "commit")
            elif not enclosing._depth:
                raise TransactionError("the enclosing transaction has ended before this part of it")
            elif self._savepoint and not self._overlapped():
                answer = self._handler.release(self._token)  # type: ignore[attr-defined]
                self._refuse_awaitable(answer, "release")
        except BaseException as error:
            try:
                self._undo_after(error)
            finally:
                self._make_sure()
            raise
        self._committed = True
        if self._begun is not None:
            self._begun.open = False  # here, as an interrupt may come where _leave() is called
        self._leave()

    def rollback(self) -> None:
        """Roll back, or do nothing when the transaction has not begun or has ended.

        An exception of the handler goes to the caller; the context has ended all the same.
        """
        if not self._depth:
            return
        self._depth = 0
        try:
            self._undo()
        finally:
            self._make_sure()

    def abort(self, error: BaseException) -> None:
        """Roll back because of *error*, which the caller raises on: a failing rollback becomes its note."""
        if not self._depth:
            return
        self._depth = 0
        try:
            self._undo_after(error)
        finally:
            self._make_sure()

    def _join(self, enclosing: TransactionContext) -> None:
        if not enclosing._depth:
            raise TransactionError("the enclosing transaction has ended")
        outer = enclosing._begun
        if outer is not None:
            self._begun = _Begun(self, outer.claims, joins=True)
            self._begun.enter(outer)
        siblings = enclosing._children
        if siblings is None:
            siblings = enclosing._children = []
        # Savepoints are a stack, parts that run concurrently are not: undoing one would undo the others.
        self._overlaps = bool(siblings)
        for sibling in siblings:
            sibling._overlaps = True
        handler = self._handler
        self._savepoint = not self._overlapped() and all(
            callable(getattr(handler, name, None)) for name in ("savepoint", "rollback_to", "release")
        )
        if self._savepoint:
            self._token = handler.savepoint()  # type: ignore[attr-defined]
            self._refuse_awaitable(self._token, "savepoint")
        siblings.append(self)

    def _refuse_awaitable(self, answer: Any, name: str) -> None:
        if answer is None or not hasattr(answer, "__await__"):
            return
        # So that nothing warns of a coroutine that was never awaited, and no task goes on.
        end = getattr(answer, "close", None) or getattr(answer, "cancel", None)
        if callable(end):
            end()
        raise TypeError(f"{type(self._handler).__name__}.{name}() {_AWAITED_BY_NOBODY}")

    def _overlapped(self) -> bool:
        context: TransactionContext | None = self
        while context is not None:
            if context._overlaps:
                return True
            context = context._enclosing
        return False

    def _leave(self) -> None:
        self._token = None
        enclosing, begun = self._enclosing, self._begun
        if enclosing is not None and begun is not None:
            begun.open = False
            begun.forget()
        if enclosing is not None and enclosing._children:
            enclosing._children = [child for child in enclosing._children if child is not self]

    def _undo(self) -> None:
        enclosing = self._enclosing
        try:
            if enclosing is None:
                answer: Any = self._handler.rollback()  # type: ignore[func-returns-value]
                self._refuse_awaitable(answer, "rollback")
            elif not enclosing._depth:
                if enclosing._committed:
                    # Into what may be open still: there it can be undone, with all the rest.
                    above = enclosing._enclosing
                    while above is not None and not above._depth:
                        above = above._enclosing
                    if above is not None:
                        above._poisoned = True
                    raise TransactionError("cannot be undone: the enclosing transaction was committed first")
            elif self._savepoint and not self._overlapped():
                try:
                    answer = self._handler.rollback_to(self._token)  # type: ignore[attr-defined]
                    self._refuse_awaitable(answer, "rollback_to")
                except BaseException:
                    enclosing._poisoned = True
                    raise
            else:
                enclosing._poisoned = True
        finally:
            if self._begun is not None and enclosing is not None:
                self._begun.open = False
            self._leave()

    def _make_sure(self) -> None:
        # An interrupt may have come on the way to the handler's rollback(), before it did anything.
        begun, enclosing = self._begun, self._enclosing
        if begun is None or not begun.open:
            return
        if enclosing is None:
            self._handler.rollback()
        else:
            enclosing._poisoned = True
            self._leave()

    def _undo_after(self, error: BaseException) -> None:
        try:
            self._undo()
        except Exception as second:
            # Its text may hold data; the class says what to look for.
            error.add_note(f"the rollback failed too, with {type(second).__name__}")

    def __enter__(self) -> TransactionContext:
        if self._depth:
            self._depth += 1
        else:
            self.begin()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._depth > 1:
            self._depth -= 1
            if exc_type is not None:
                self._poisoned = True
        elif exc is not None:
            self.abort(exc)
        elif self._depth and self._failed and not self._poisoned:
            # Asked for by mark_failed(): no surprise to report.
            self.rollback()
        elif self._depth:
            self.commit()

    def __repr__(self) -> str:
        state = "active" if self._depth else "closed"
        return f"<TransactionContext {state}{' joined' if self.joined else ''} of {self._handler!r}>"


_current: ContextVar[TransactionContext | None] = ContextVar("foobara_accel_transaction", default=None)


def get_current_transaction() -> TransactionContext | None:
    """Return the innermost open ``transaction(...)`` of this thread or task, or None."""
    context = _current.get()
    return context if context is not None and context._depth else None


def set_current_transaction(context: TransactionContext | None) -> None:
    """Make *context* the current transaction of this thread or task; None for none."""
    if context is not None and not isinstance(context, TransactionContext):
        raise TypeError(f"context must be a TransactionContext or None, not {type(context).__name__}")
    _current.set(context)


@contextmanager
def transaction(handler: TransactionHandler | None = None) -> Iterator[TransactionContext]:
    """Commit what happens in the block, or roll it back on an exception; commands with an equal handler join.

    Inside another ``transaction`` with an equal handler it joins that one. Raises TransactionPoisoned at
    the end of the block when a part of it failed and could not be undone alone.
    """
    context = _context_for(TransactionContext(handler).handler, None)
    before = _current.get()
    _current.set(context)
    try:
        with context:
            yield context
    finally:
        _current.set(before)


def _context_for(handler: TransactionHandler, enclosing: TransactionContext | None) -> TransactionContext:
    if enclosing is None or not enclosing._depth:
        enclosing = get_current_transaction()
        if enclosing is not None and enclosing._begun is not None:
            enclosing = _innermost(enclosing)
    if enclosing is not None and handler == enclosing._handler:
        return TransactionContext(handler, enclosing)
    return TransactionContext(handler)


def _innermost(context: TransactionContext) -> TransactionContext:
    """Return the innermost part of *context* that this thread or task is inside, else *context*.

    A run started in ``execute`` of another is inside that one; beside it, the two would count as overlapping.
    """
    begun = _inside.get()
    while begun is not None and begun is not context._begun:
        part: Any = begun.owner() if begun.joins and begun.open else None
        above = part if part is not None and part._depth else None
        while above is not None:
            if above is context:
                return part  # type: ignore[no-any-return]
            above = above._enclosing
        begun = begun.before
    return context


@dataclass(slots=True)
class TransactionConfig:
    """Whether and how a command class opens a transaction; a field set later holds from the next run on.

    ``requires_new=True`` keeps a subcommand out of its parent's transaction.
    Raises TypeError for a flag that is no bool and a factory that is not callable.
    """

    enabled: bool = True
    handler_factory: Callable[[], TransactionHandler | None] | None = None
    auto_detect: bool = True
    requires_new: bool = False

    @classmethod
    def disabled(cls) -> TransactionConfig:
        """Return a config that opens none."""
        return cls(enabled=False)

    @classmethod
    def with_handler(cls, factory: Callable[[], TransactionHandler | None]) -> TransactionConfig:
        """Return a config whose transactions use what *factory* returns, anew for each run."""
        if factory is None:
            raise TypeError("factory must be callable and return a handler, not None")
        return cls(handler_factory=factory)

    def __setattr__(self, name: str, value: object) -> None:
        if name == "handler_factory":
            if value is not None and not callable(value):
                raise TypeError(
                    f"handler_factory must be callable and return a handler, not {type(value).__name__}"
                )
            # A connection can be called, too.
            sqlite3 = sys.modules.get("sqlite3")
            if sqlite3 is not None and isinstance(value, sqlite3.Connection):
                raise TypeError(
                    "handler_factory must return a handler, and a connection is none: "
                    "lambda: Sqlite3TransactionHandler(connection)"
                )
        elif name in ("enabled", "auto_detect", "requires_new") and not isinstance(value, bool):
            raise TypeError(f"{name} must be True or False, not {type(value).__name__}")
        known = hasattr(self, name)
        object.__setattr__(self, name, value)
        if known:
            executor.bump_epoch()


Detector = Callable[[], "TransactionHandler | None"]


class _Watched(type):
    # Replacing detect(), as a test double does, must be seen by plans that found nothing to detect.
    def __setattr__(cls, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        executor.bump_epoch()

    def __delattr__(cls, name: str) -> None:
        super().__delattr__(name)
        executor.bump_epoch()


class TransactionRegistry(metaclass=_Watched):
    """Detectors that find the handler for a run when the config names none; shared by the process."""

    _handlers: ClassVar[tuple[Detector, ...]] = ()
    _lock: ClassVar[LockType] = allocate_lock()

    @classmethod
    def register(cls, detector: Detector) -> None:
        """Add *detector*: called once per run that needs a handler, it returns one or None.

        Raises TypeError when it is not callable.
        """
        if not callable(detector):
            raise TypeError(
                f"detector must be callable and return a handler or None, not {type(detector).__name__}"
            )
        with cls._lock:
            TransactionRegistry._handlers = (*TransactionRegistry._handlers, detector)

    @classmethod
    def detect(cls) -> TransactionHandler | None:
        """Return the first handler that a detector finds, in order of registration, or None."""
        for detector in TransactionRegistry._handlers:
            handler = detector()
            if handler is not None:
                return handler
        return None

    @classmethod
    def clear(cls) -> None:
        """Forget all detectors."""
        with cls._lock:
            TransactionRegistry._handlers = ()


_detect = TransactionRegistry.__dict__["detect"]


def may_open(config: TransactionConfig) -> bool:
    """Return whether a run with *config* could open a transaction as things are."""
    if not config.enabled:
        return False
    if config.handler_factory is not None:
        return True
    if not config.auto_detect:
        return False
    registry = TransactionRegistry.__dict__
    return bool(registry["_handlers"]) or registry["detect"] is not _detect


def open_context(
    config: TransactionConfig, enclosing: TransactionContext | None = None, requires_new: bool = False
) -> TransactionContext | None:
    """Return the context of a run, not begun yet, or None when it has no handler.

    It joins *enclosing*, else the current ``transaction(...)``, when the handlers are equal and
    *requires_new* is false. Raises TransactionError when *requires_new* is asked of a handler that could
    only set a savepoint in the transaction it wants to be apart from.
    """
    if not config.enabled:
        return None
    handler: TransactionHandler | None = None
    if config.handler_factory is not None:
        handler = config.handler_factory()
    elif config.auto_detect:
        handler = TransactionRegistry.detect()
    if not handler:
        return None
    context = _context_for(handler, enclosing)
    if not requires_new or context._enclosing is None:
        return context
    if isinstance(handler, SavepointHandler):
        raise TransactionError(
            "requires_new=True needs a connection of its own: "
            "the handler works on the one that the enclosing transaction uses"
        )
    return TransactionContext(handler)
