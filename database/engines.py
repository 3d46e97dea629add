"""SQLite and Postgres: how each is opened, and how writers take turns."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext, suppress
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

db: Any = DatabaseProxy()
_turn = threading.RLock()


def now() -> datetime:
    """This instant, aware, in UTC: the one place where the application reads the clock."""
    return datetime.now(UTC)


class DatabaseRefused(Exception):
    """The database cannot be used; the text says why, in one line and without the password."""


class SQLite(SqliteDatabase):
    """One SQLite file: a connection per thread is opened once and kept (opening costs more than a query)."""

    def __init__(self, path: str):
        # IMMEDIATE: a transaction that reads first cannot be upgraded to write while another writes.
        pragmas = {"foreign_keys": 1, "synchronous": "normal", "cache_size": -2000, "journal_mode": "wal"}
        # Pages are copied out of the log, and the disk waited for, after 16 MB: at 4 MB writes took 15 % longer.
        pragmas["wal_autocheckpoint"] = 4000
        super().__init__(path, pragmas=pragmas, timeout=5, lock_type="IMMEDIATE", check_same_thread=False)
        self.prepared: dict[Any, Any] = {}
        self._opened: list[sqlite3.Connection] = []
        self._file: tuple[int, int] | None = None

    def _connect(self) -> sqlite3.Connection:
        self.check_file()  # or SQLite would make an empty one
        connection = super()._connect()  # type: ignore[misc]
        self._opened.append(connection)
        self._file = self._file or self._file_there()
        return connection

    def execute_sql(self, sql: str, params: Any = None) -> Any:
        self.check_file()
        return super().execute_sql(sql, params)

    def rollback(self) -> None:
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
        while self._opened:
            self._opened.pop().close()


class Postgres(PooledPostgresqlDatabase):
    """A Postgres database: a request takes a connection from the pool with its first query, and gives it back."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.prepared: dict[Any, Any] = {}

    def begin(self, isolation_level: Any = None) -> None:
        """Begin a transaction and wait for its turn, in one journey."""
        with __exception_wrapper__:
            self.cursor().execute(f"BEGIN; SELECT pg_advisory_xact_lock({WRITE_LOCK})")

    def _is_closed(self, connection: Any) -> bool:
        """Whether a connection of the pool was cut meanwhile. Peewee sends a query to find out: a second journey."""
        try:
            with __exception_wrapper__:
                connection.pgconn.consume_input()  # what the server said last
                connection.pgconn.consume_input()  # that it hung up
        except OperationalError:
            return True
        return connection.closed


def connect(url: str, connections: int = 34) -> SQLite | Postgres:
    """Open the database at `url` with a pool of at most `connections`, and make it the one that every model uses.

    Any other database already there is left as it is. Raises DatabaseRefused.
    """
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite":
        path = Path(rest.removeprefix("/"))
        _refuse_foreign_file(path)
        database: SQLite | Postgres = SQLite(str(path))
    else:
        # Its name may carry the driver, as SQLAlchemy writes it (postgresql+psycopg://); psycopg is the only one used.
        options = parse(f"postgresql://{rest}", unquote_password=True, unquote_user=True)
        database = Postgres(**options, max_connections=connections, timeout=10, prefer_psycopg3=True)
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


@contextmanager
def write() -> Iterator[None]:
    """One transaction, and one writer at a time on either database: the only way to write.

    Many refusals depend on other rows (the last super admin, a quota, a cycle of folders). On Postgres a
    transaction alone does not see what a parallel one is about to commit; with turns, both databases give
    the same promise. An exception, so also `abort()`, rolls everything back.
    """
    on_sqlite = isinstance(db.obj, SqliteDatabase)
    with _turn if on_sqlite else nullcontext(), db.atomic():  # on Postgres it waits for its turn as it begins
        yield
    if on_sqlite:
        db.check_file()  # before anybody is told that it was written
