"""Postgres: a pool of connections, locks by which writers take turns, and few journeys to the server."""

import logging
import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from peewee import OperationalError, __exception_wrapper__  # type: ignore[attr-defined]
from playhouse.pool import PooledPostgresqlDatabase

from database.turns import Turns, is_unhurried

# If a statement of a pipeline fails, its error is raised. psycopg also warns that those after it were not done.
logging.getLogger("psycopg").setLevel(logging.ERROR)

#: The key of the advisory lock by which the processes on one Postgres write in turn.
WRITE_LOCK = 0x48414C4F
#: With an account's id, the key of the lock by which the writes of one account are done in turn.
ACCOUNT_LOCK = 0x48414C50
#: How many statements without a result may wait for the next one.
MAX_DEFERRED = 20


class _Transaction(threading.local):
    """The transaction of this thread."""

    until = 0.0
    account: int | None = None
    #: Whether it has a statement of its own.
    begun = False

    def __init__(self) -> None:
        #: The statements that are sent with the next one.
        self.deferred: list[tuple[str, Any]] = []


_thread = _Transaction()


class Postgres(PooledPostgresqlDatabase):
    """A Postgres database: a request takes a connection from the pool with its first query, and gives it back."""

    def __init__(self, name: str, statement_seconds: float, turns: Turns, **options: Any):
        #: In milliseconds; 0 is none.
        self._statement_timeout = 0 if statement_seconds == math.inf else int(statement_seconds * 1000)
        # Of two settings Postgres takes the last, so an operator may choose another timeout in the URL.
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
        # An advisory lock is a number of the application's choice: Postgres lets one transaction at a time hold it,
        # and the others wait until that one ends. Several may hold it shared, while nobody holds it alone.
        locks = [f"SELECT pg_advisory_xact_lock({WRITE_LOCK})"]
        if _thread.account is not None:
            locks = [
                f"SELECT pg_advisory_xact_lock_shared({WRITE_LOCK})",
                f"SELECT pg_advisory_xact_lock({ACCOUNT_LOCK}, {_thread.account})",
            ]
        timeout = "SET LOCAL statement_timeout = "
        _thread.deferred = [(sql, None) for sql in ("BEGIN", f"{timeout}{wait}", *locks, f"{timeout}{then}")]
        _thread.begun = False

    def defer_sql(self, sql: str, params: Any = None) -> None:
        """Execute a statement of a transaction whose result nobody needs: together with the next one.

        An error that it causes is raised by that one.
        """
        if not self.in_transaction():
            self.execute_sql(sql, params)
            return
        _thread.deferred.append((sql, params))
        _thread.begun = True
        if len(_thread.deferred) > MAX_DEFERRED:
            self.execute_sql("SELECT 1")

    def execute_sql(self, sql: str, params: Any = None) -> Any:
        if not _thread.deferred:
            return super().execute_sql(sql, params)
        deferred, _thread.deferred, _thread.begun = _thread.deferred, [], True
        # psycopg's pipeline mode sends statements without waiting for the reply to each.
        with __exception_wrapper__, self.connection().pipeline():
            for statement in deferred:
                self.cursor().execute(*statement)
            cursor = self.cursor()
            cursor.execute(sql, params)
        return cursor

    def commit(self) -> None:
        if _thread.begun:
            self.execute_sql("COMMIT")
        _thread.deferred = []
        self.turns.move()

    def rollback(self) -> None:
        sent = not _thread.deferred or _thread.deferred[0][0] != "BEGIN"
        _thread.deferred = []
        if sent:
            # Not by a statement, as Peewee does: psycopg's own method also forgets which statements are prepared.
            # Those of a pipeline that failed are not, and every later use of them would be an error.
            with __exception_wrapper__:
                self.connection().rollback()

    def _is_closed(self, connection: Any) -> bool:
        """Whether a connection of the pool was cut since its last use, found out without asking the server.

        Peewee sends it a query, which is a second journey for each request.
        """
        try:
            with __exception_wrapper__:
                connection.pgconn.consume_input()  # reads what the server said last, if anything
                connection.pgconn.consume_input()  # raises if the server hung up after that
        except OperationalError:
            return True
        return connection.closed
