"""SQLite: one file, a connection for each thread, one writer, and statements that may be interrupted."""

import math
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from peewee import OperationalError, SqliteDatabase

from database.turns import START_SECONDS, Turns, is_unhurried

#: Seconds between two looks for statements that are beyond their deadline.
LOOK = 0.2


class Connection(sqlite3.Connection):
    """A connection that knows until when its statement may run."""

    deadline = math.inf


class Watch:
    """Interrupts statements of SQLite that run too long. (Postgres does so itself: `statement_timeout`.)

    SQLite's progress handler would do it without a thread of ours. But one step of SQLite may take 4 ms (a document
    of a megabyte), so the handler would have to run every few hundred steps, and each run waits for Python's GIL.
    """

    def __init__(self) -> None:
        self._connections: list[Connection] = []
        self._lock, self._ended = threading.Lock(), threading.Event()
        self._ended.set()

    def add(self, connection: Connection) -> None:
        """Watch one more connection; the first one starts the thread."""
        with self._lock:
            self._connections.append(connection)
            if self._ended.is_set():
                self._ended = threading.Event()
                threading.Thread(target=self._interrupt, args=(self._ended,), daemon=True).start()

    def allow(self, connection: Connection, seconds: float) -> None:
        """Let the next statement of this connection run for so long, the reading of its rows included."""
        with self._lock:  # so that no statement is interrupted in place of the one before it
            connection.deadline = time.monotonic() + seconds

    def _interrupt(self, ended: threading.Event) -> None:
        while not ended.wait(LOOK):
            with self._lock:
                for connection in self._connections:
                    if connection.deadline < time.monotonic():
                        connection.deadline = math.inf
                        with suppress(sqlite3.ProgrammingError):  # its thread has closed it
                            connection.interrupt()  # raises OperationalError in the statement, if one runs

    def end(self) -> list[Connection]:
        """Watch none any more. Returns the connections that were added."""
        with self._lock:
            self._ended.set()
            connections, self._connections = self._connections, []
        return connections


class SQLite(SqliteDatabase):
    """One SQLite file: a connection per thread is opened once and kept (opening costs more than a query)."""

    def __init__(self, path: str, statement_seconds: float, turns: Turns):
        # IMMEDIATE takes the lock to write when a transaction begins. By default SQLite takes it with the first write,
        # and fails at once ("database is locked") if another connection wrote since this one began to read.
        pragmas = {"foreign_keys": 1, "synchronous": "normal", "cache_size": -2000, "journal_mode": "wal"}
        # After 4000 pages (16 MB) SQLite copies its log into the file and waits for the disk. At its default, 4 MB,
        # writes took 15 % longer.
        pragmas["wal_autocheckpoint"] = 4000
        options: Any = {"timeout": turns.seconds, "check_same_thread": False, "factory": Connection}
        super().__init__(path, pragmas=pragmas, lock_type="IMMEDIATE", **options)
        self.compiled: dict[Any, Any] = {}
        self._statement_seconds, self.turns = statement_seconds, turns
        self._turn, self._until = threading.Lock(), math.inf
        self._watch = Watch()
        self._file: tuple[int, int] | None = None

    def _connect(self) -> Connection:
        self.check_file()  # SQLite would make an empty file in place of a deleted one
        connection = super()._connect()  # type: ignore[misc]
        self._watch.add(connection)
        self._file = self._file or self._file_there()
        return connection

    def execute_sql(self, sql: str, params: Any = None) -> Any:
        self.check_file()
        self._allow(math.inf if is_unhurried() else self._statement_seconds)
        return super().execute_sql(sql, params)

    def _allow(self, seconds: float) -> None:
        """Let the next statement of this thread run for so long."""
        self._watch.allow(self.connection(), seconds)

    @contextmanager
    def turn(self, account: int | None) -> Iterator[None]:
        """The turn to write among the threads of this process; who else may write makes no difference.

        SQLite has a lock of its own, but no queue: each connection tries again after a pause, and of 16 writers some
        waited for 4 seconds. Python's lock lets the next thread in as soon as one is done. Raises OperationalError.
        """
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
        self._wait_for_locks(min(self._until - time.monotonic(), START_SECONDS))
        try:
            super().begin(lock_type)
        finally:
            self._wait_for_locks(self.turns.seconds)
        self.turns.move()

    def _wait_for_locks(self, seconds: float) -> None:
        self.connection().execute(f"PRAGMA busy_timeout = {max(int(seconds * 1000), 0)}")

    def defer_sql(self, sql: str, params: Any = None) -> None:
        """Execute a statement whose result nobody needs: at once, because it makes no journey (unlike on Postgres)."""
        self.execute_sql(sql, params)

    def commit(self) -> None:
        self._allow(math.inf)
        super().commit()

    def rollback(self) -> None:
        self._allow(math.inf)
        if self.connection().in_transaction:  # when the disk is full, SQLite has rolled back already
            super().rollback()

    def check_file(self) -> None:
        """Raise OperationalError unless the file that was opened is still in its place.

        A kept connection would go on in a file that was deleted or replaced, and everything written there would be
        lost. Asking takes 2 µs. The same file may come back; only a start examines another one.
        """
        if self._file and self._file != self._file_there():
            raise OperationalError(f"{self.database} was deleted or replaced: put it back, or start HaloLight anew")

    def _file_there(self) -> tuple[int, int] | None:
        """Device and inode of the file; None where there is none."""
        if os.name == "nt":  # Windows lets nobody delete or replace a file in use
            return None
        try:
            found = os.stat(self.database)  # noqa: PTH116 (three times as fast as Path)
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def close_all(self) -> None:
        """Close every thread's connection; the last one folds the write-ahead log into the file."""
        opened = self._watch.end()
        if opened and self._file != self._file_there():
            # Empty the log, or SQLite would apply it to the file that is there now, and ruin it at the next start.
            with suppress(sqlite3.Error):
                opened[-1].execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.close()
        for connection in opened:
            connection.close()
