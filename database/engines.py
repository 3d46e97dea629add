"""SQLite and Postgres: how each is opened, and how writers take turns."""

from __future__ import annotations

import logging
import math
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from peewee import (  # type: ignore[attr-defined]
    DatabaseProxy,
    OperationalError,
    SqliteDatabase,
    __exception_wrapper__,
)
from playhouse.db_url import parse
from playhouse.pool import PooledPostgresqlDatabase

#: The key of the advisory lock by which the processes on one Postgres write in turn.
WRITE_LOCK = 0x48414C4F
#: With an account's id, the key of the lock by which the writes of one account are done in turn.
ACCOUNT_LOCK = 0x48414C50
#: How many statements without a result may wait for the next one.
MAX_DEFERRED = 20

#: Seconds between two looks for statements that are beyond their deadline.
LOOK = 0.2
#: Seconds that a writer waits behind a crowd of others. While writes go on, each takes a hundredth of that.
SOON = 1.5
#: Seconds that a start waits for another process which makes and fills the same database.
START_SECONDS = 60.0

db: Any = DatabaseProxy()
_thread = threading.local()


def machine_clock() -> datetime:
    return datetime.now(UTC)


#: The clock of the application; development may set another one (web.clock).
clock: Callable[[], datetime] = machine_clock


def now() -> datetime:
    """This instant, aware, in UTC: the one place where the application reads the clock."""
    return clock()


class DatabaseRefused(Exception):
    """The database cannot be used; the text says why, in one line and without the password."""


@contextmanager
def unhurried() -> Iterator[None]:
    """Let the statements of this thread take as long as they need: for making tables and for seeding.

    Enter it before `write()`.
    """
    before, _thread.unhurried = is_unhurried(), True
    try:
        yield
    finally:
        _thread.unhurried = before


def is_unhurried() -> bool:
    return getattr(_thread, "unhurried", False)


class Turns:
    """How long each thread may wait for its turn to write.

    A lock that nobody gives back must not hold every thread: those that read need some. So only the first
    `most` writers wait for all of `seconds`; who comes after them is refused at once, or after a second and a half
    if the others still get their turns.
    """

    def __init__(self, seconds: float, most: int):
        self.seconds, self.most = seconds, most
        self._inside, self._moved, self._lock = 0, 0.0, threading.Lock()

    @contextmanager
    def enter(self) -> Iterator[float]:
        """Count the thread as a writer; gives the time until which it may wait. Raises OperationalError."""
        now = time.monotonic()
        with self._lock:
            if not self._inside:
                self._moved = now
            crowded = self._inside >= self.most
            self._inside += 1
        try:
            seconds = START_SECONDS if is_unhurried() else self.seconds
            if crowded:
                seconds = min(seconds, self._moved + SOON - now)
            if seconds <= 0:
                raise OperationalError(f"{self._inside - 1} writers wait for their turn already")
            yield now + seconds
        finally:
            with self._lock:
                self._inside -= 1

    def move(self) -> None:
        """Say that a writer got its turn."""
        self._moved = time.monotonic()

    def rest(self) -> float:
        """How many seconds ago a thread of this process began to write; 0 while one writes or waits."""
        return 0.0 if self._inside else time.monotonic() - self._moved


class Connection(sqlite3.Connection):
    """A connection that knows until when its statement may run."""

    deadline = math.inf


class SQLite(SqliteDatabase):
    """One SQLite file: a connection per thread is opened once and kept (opening costs more than a query)."""

    def __init__(self, path: str, statement_seconds: float, turns: Turns):
        # IMMEDIATE: a transaction that reads first cannot be upgraded to write while another writes.
        pragmas = {"foreign_keys": 1, "synchronous": "normal", "cache_size": -2000, "journal_mode": "wal"}
        # Pages are copied out of the log, and the disk waited for, after 16 MB: at 4 MB writes took 15 % longer.
        pragmas["wal_autocheckpoint"] = 4000
        options: Any = {"timeout": turns.seconds, "check_same_thread": False, "factory": Connection}
        super().__init__(path, pragmas=pragmas, lock_type="IMMEDIATE", **options)
        self.compiled: dict[Any, Any] = {}
        self._statement_seconds, self.turns = statement_seconds, turns
        self._turn, self._until = threading.Lock(), math.inf
        self._opened: list[Connection] = []
        self._watch, self._watching, self._closed = threading.Lock(), False, threading.Event()
        self._file: tuple[int, int] | None = None

    def _connect(self) -> Connection:
        self.check_file()  # or SQLite would make an empty one
        connection = super()._connect()  # type: ignore[misc]
        with self._watch:
            self._opened.append(connection)
            if not self._watching:
                self._watching, self._closed = True, threading.Event()
                threading.Thread(target=self._interrupt, args=(self._closed,), daemon=True).start()
        self._file = self._file or self._file_there()
        return connection

    def execute_sql(self, sql: str, params: Any = None) -> Any:
        self.check_file()
        self._allow(math.inf if is_unhurried() else self._statement_seconds)
        return super().execute_sql(sql, params)

    def _allow(self, seconds: float) -> None:
        """Let the next statement of this thread run for so long, the reading of its rows included."""
        connection = self.connection()
        with self._watch:  # so that no statement is interrupted in place of the one before it
            connection.deadline = time.monotonic() + seconds

    def _interrupt(self, closed: threading.Event) -> None:
        """End the statements that are beyond their deadline (OperationalError), until the database is closed.

        SQLite's progress handler would do it without a thread of ours. But one step may take 4 ms (a document of
        a megabyte), so it would have to be called every few hundred steps, and each call waits for the GIL.
        """
        while not closed.wait(LOOK):
            with self._watch:
                for connection in self._opened:
                    if connection.deadline < time.monotonic():
                        connection.deadline = math.inf
                        with suppress(sqlite3.ProgrammingError):  # its thread has closed it
                            connection.interrupt()  # of one that rests, it does nothing

    @contextmanager
    def turn(self, account: int | None) -> Iterator[None]:
        """The turn to write among the threads of this process. Raises OperationalError."""
        with self.turns.enter() as until:
            if not self._turn.acquire(timeout=max(until - time.monotonic(), 0)):
                raise OperationalError("no turn to write: another transaction did not end")
            try:
                self._until = until
                yield
            finally:
                self._until = math.inf
                self._turn.release()

    def begin(self, lock_type: Any = None) -> None:
        """Begin a transaction, and wait for the file's lock no longer than is left of the wait for the turn."""
        self._allow(math.inf)
        left = min(self._until - time.monotonic(), START_SECONDS)
        other = abs(left - self.turns.seconds) > 0.05  # seldom: nearly every turn comes at once
        if other:
            self._wait_for_locks(left)
        try:
            super().begin(lock_type)
        finally:
            if other:
                self._wait_for_locks(self.turns.seconds)
        self.turns.move()

    def _wait_for_locks(self, seconds: float) -> None:
        self.connection().execute(f"PRAGMA busy_timeout = {max(int(seconds * 1000), 0)}")

    def defer_sql(self, sql: str, params: Any = None) -> None:
        self.execute_sql(sql, params)

    def commit(self) -> None:
        self._allow(math.inf)
        super().commit()

    def rollback(self) -> None:
        self._allow(math.inf)
        if self.connection().in_transaction:  # SQLite ends it itself when the disk is full
            super().rollback()

    def check_file(self) -> None:
        """Refuse to go on (OperationalError) unless the file that was opened is still in its place.

        A kept connection would read and write on in a file that was deleted or replaced, until all is lost with
        it. Asking takes 2 µs. The file may come back; another one is not used before it was looked into at a start.
        """
        if self._file and self._file != self._file_there():
            raise OperationalError(f"{self.database} was deleted or replaced: put it back, or start HaloLight anew")

    def _file_there(self) -> tuple[int, int] | None:
        """Device and inode of the file; None where there is none."""
        if os.name == "nt":  # there a file in use can be neither deleted nor replaced
            return None
        try:
            found = os.stat(self.database)  # noqa: PTH116 (three times as fast as Path)
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def close_all(self) -> None:
        """Close every thread's connection; the last one folds the write-ahead log into the file."""
        if self._opened and self._file != self._file_there():
            # SQLite would leave the log to the file that is there now, and ruin it at the next start.
            with suppress(sqlite3.Error):
                self._opened[-1].execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.close()
        with self._watch:
            self._closed.set()
            self._watching = False
            while self._opened:
                self._opened.pop().close()


class Postgres(PooledPostgresqlDatabase):
    """A Postgres database: a request takes a connection from the pool with its first query, and gives it back."""

    def __init__(self, name: str, statement_seconds: float, turns: Turns, **options: Any):
        #: In milliseconds; 0 is none.
        self._statement_timeout = 0 if statement_seconds == math.inf else int(statement_seconds * 1000)
        # The last one counts: an operator may name another in the URL.
        options["options"] = f"-c statement_timeout={self._statement_timeout} {options.get('options', '')}".rstrip()
        super().__init__(name, **options)
        self.compiled: dict[Any, Any] = {}
        self.turns = turns

    @contextmanager
    def turn(self, account: int | None) -> Iterator[None]:
        """Set until when the next transaction may wait, and beside whom it may write. Raises OperationalError."""
        with self.turns.enter() as until:
            _thread.until, _thread.account = until, account
            yield

    def begin(self, isolation_level: Any = None) -> None:
        """Begin a transaction and wait for its turn: together with its first statement, so in one journey."""
        self.connection()  # Peewee opens it at the first statement, and forgets its transactions
        wait = max(int((_thread.until - time.monotonic()) * 1000), 1)
        then = 0 if is_unhurried() else self._statement_timeout
        # An advisory lock is a number that Postgres lets one transaction hold at a time, until it ends. Held
        # shared, it keeps out only those who want it for themselves.
        locks = [f"SELECT pg_advisory_xact_lock({WRITE_LOCK})"]
        if _thread.account is not None:
            locks = [
                f"SELECT pg_advisory_xact_lock_shared({WRITE_LOCK})",
                f"SELECT pg_advisory_xact_lock({ACCOUNT_LOCK}, {_thread.account})",
            ]
        timeout = "SET LOCAL statement_timeout = "
        self._deferred.extend((sql, None) for sql in ("BEGIN", f"{timeout}{wait}", *locks, f"{timeout}{then}"))

    @property
    def _deferred(self) -> list[tuple[str, Any]]:
        """The statements of this thread that go with its next one."""
        if not hasattr(_thread, "deferred"):
            _thread.deferred = []
        return _thread.deferred

    def defer_sql(self, sql: str, params: Any = None) -> None:
        """Execute a statement of a transaction whose result nobody needs: together with the next one.

        An error that it causes is raised by that one.
        """
        self._deferred.append((sql, params))
        if len(self._deferred) > MAX_DEFERRED:
            self.execute_sql("SELECT 1")

    def execute_sql(self, sql: str, params: Any = None) -> Any:
        deferred = self._deferred[:]
        if not deferred:
            return super().execute_sql(sql, params)
        self._deferred.clear()
        # psycopg's pipeline mode sends statements without waiting for the reply to each.
        with __exception_wrapper__, self.connection().pipeline():
            for statement in deferred:
                self.cursor().execute(*statement)
            cursor = self.cursor()
            cursor.execute(sql, params)
        return cursor

    def commit(self) -> None:
        if not self._deferred or self._deferred[0][0] != "BEGIN":
            self.execute_sql("COMMIT")
        self._deferred.clear()
        self.turns.move()

    def rollback(self) -> None:
        begun = not self._deferred or self._deferred[0][0] != "BEGIN"
        self._deferred.clear()
        if begun:
            super().rollback()

    def _is_closed(self, connection: Any) -> bool:
        """Whether a connection of the pool was cut meanwhile. Peewee sends a query to find out: a second journey."""
        try:
            with __exception_wrapper__:
                connection.pgconn.consume_input()  # what the server said last
                connection.pgconn.consume_input()  # that it hung up
        except OperationalError:
            return True
        return connection.closed


def connect(
    url: str, connections: int = 34, statement_seconds: float = math.inf, write_seconds: float = 5, writers: int = 24
) -> SQLite | Postgres:
    """Open the database at `url` with a pool of at most `connections`, and make it the one that every model uses.

    A statement that takes longer than `statement_seconds`, and a write whose turn does not come within
    `write_seconds`, raise OperationalError; `writers` is how many threads may wait for so long (see `Turns`).
    Any other database already there is left as it is. Raises DatabaseRefused.
    """
    # At DEBUG it logs every statement with its values, the hashes of passwords too.
    logging.getLogger("peewee").setLevel(logging.INFO)
    turns = Turns(write_seconds, writers)
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite":
        path = Path(rest.removeprefix("/"))
        _refuse_foreign_file(path)
        with suppress(OSError):  # what is wrong with the path, SQLite says when it opens it
            # For its owner only; SQLite gives the log beside it the same mode.
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        database: SQLite | Postgres = SQLite(str(path), statement_seconds, turns)
    else:
        # Its name may carry the driver, as SQLAlchemy writes it (postgresql+psycopg://); psycopg is the only one used.
        options = parse(f"postgresql://{rest}", unquote_password=True, unquote_user=True)
        options |= {"max_connections": connections, "timeout": 10, "prefer_psycopg3": True}
        database = Postgres(options.pop("database"), statement_seconds, turns, **options)
    db.initialize(database)
    return database


def _refuse_foreign_file(path: Path) -> None:
    """Look into a SQLite file without changing a byte of it (opening it for use would switch it to WAL)."""
    if not path.exists() or path.stat().st_size == 0:
        return
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5)) as connection:
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except sqlite3.DatabaseError as error:
        raise DatabaseRefused(f"{path} is not a database that can be read ({error})") from error
    if tables and "settings" not in tables:
        raise DatabaseRefused(f"{path} holds another application's tables; it was not touched")


def release() -> None:
    """Give the thread's connection back to the pool (a SQLite connection is kept)."""
    if isinstance(db.obj, Postgres) and not db.is_closed():
        db.close()


def lost_a_race(error: Exception) -> bool:
    """Whether Postgres refused a statement because of a parallel transaction, so that it may succeed if it is repeated.

    These are SQLSTATEs: a serialization failure, a deadlock, a unique value that another one wrote first.
    """
    return getattr(getattr(error, "orig", None), "sqlstate", None) in ("40001", "40P01", "23505")


def lock_account(account: int) -> None:
    """Keep the writes of another account waiting until this transaction ends (on SQLite there is one writer anyway)."""
    if isinstance(db.obj, Postgres):
        db.defer_sql(f"SELECT pg_advisory_xact_lock({ACCOUNT_LOCK}, {account})")


@contextmanager
def write(account: int | None = None) -> Iterator[None]:
    """One transaction, alone: the only way to write.

    Many refusals depend on other rows (the last super admin, a quota, a cycle of folders). On Postgres a
    transaction does not see what a parallel one is about to commit; if it is alone, both databases give the
    same promise. With an `account`, the writes of other accounts may go on beside it on Postgres: for rules that
    concern only what the account owns, and rows that are locked (`compiled.whole`). On SQLite there is one writer.

    An exception, so also `abort()`, rolls everything back. Raises OperationalError if the turn does not come in time.
    """
    if db.in_transaction():  # it has its turn
        with db.atomic():
            yield
        return
    with db.turn(account), db.atomic():
        yield
    if isinstance(db.obj, SQLite):
        db.check_file()  # before anybody is told that it was written
