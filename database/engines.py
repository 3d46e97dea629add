"""The database in use: how it is opened, and how it is written."""

import logging
import math
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from peewee import DatabaseProxy
from playhouse.db_url import parse

from database.postgres import ACCOUNT_LOCK, Postgres
from database.sqlite import SQLite
from database.turns import Turns

db: Any = DatabaseProxy()


def machine_clock() -> datetime:
    return datetime.now(UTC)


#: The clock of the application; development may set another one (web.clock).
clock: Callable[[], datetime] = machine_clock


def now() -> datetime:
    """This instant, aware, in UTC: the one place where the application reads the clock."""
    return clock()


class DatabaseRefused(Exception):
    """The database cannot be used; the text says why, in one line and without the password."""


def connect(
    url: str, connections: int = 34, statement_seconds: float = math.inf, write_seconds: float = 5, writers: int = 24
) -> SQLite | Postgres:
    """Open the database at `url` with a pool of at most `connections`, and make it the one that every model uses.

    A statement that takes longer than `statement_seconds`, and a write whose turn does not come within
    `write_seconds`, raise OperationalError; `writers` is how many threads may wait for so long (see `Turns`).
    Any other database already there is left as it is. Raises DatabaseRefused.
    """
    # At DEBUG, Peewee logs every statement with its values, hashes of passwords among them.
    logging.getLogger("peewee").setLevel(logging.INFO)
    turns = Turns(write_seconds, writers)
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite":
        path = Path(rest.removeprefix("/"))
        _refuse_foreign_file(path)
        with suppress(OSError):  # SQLite says what is wrong with the path when it opens it
            # Readable by its owner only. SQLite gives the log beside it the same mode.
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        database: SQLite | Postgres = SQLite(str(path), statement_seconds, turns)
    else:
        # The scheme may name a driver, as SQLAlchemy's do (postgresql+psycopg://); psycopg is the only one used.
        options = parse(f"postgresql://{rest}", unquote_password=True, unquote_user=True)
        options |= {"max_connections": connections, "timeout": 10, "prefer_psycopg3": True}
        database = Postgres(options.pop("database"), statement_seconds, turns, **options)
    db.initialize(database)
    return database


def _refuse_foreign_file(path: Path) -> None:
    """Raise DatabaseRefused for a file of another application, without changing a byte of it.

    It is opened read-only, because opening it for use would switch it to SQLite's write-ahead log (WAL).
    """
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
    """Give the thread's connection back to the pool of Postgres. A SQLite connection is kept."""
    if isinstance(db.obj, Postgres) and not db.is_closed():
        db.close()


def first_line(error: Exception) -> str:
    """What an error says, without the rows and values that a database shows below it."""
    return str(error).splitlines()[0] if str(error) else type(error).__name__


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
    if db.in_transaction():  # this thread has its turn already
        with db.atomic():
            yield
        return
    with db.turn(account), db.atomic():
        yield
    if isinstance(db.obj, SQLite):
        db.check_file()  # a reply must not say that it was written if the file was deleted meanwhile
