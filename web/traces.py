"""What the last requests did, for developers: when, by whom, with which SQL statements, in how much time.

A request notes down what it has at hand; how that is shown is worked out when somebody asks for it.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from flask import Flask, Response, current_app
from peewee import SqliteDatabase

from database import engines
from web import limits
from web.hooks import unproxied
from web.logs import masked
from web.rules import WISHES, counts

_IGNORED_BY_US = {f"_{name}" for name in WISHES}


class Statement:
    """One statement of a request, and the cursor with its result: how long it all took, and how many rows there were.

    Rows are None where nobody knows: the database was not asked, or not yet.
    """

    __slots__ = ("cursor", "rows", "seconds", "sql", "values")

    def __init__(self, sql: str, values: Any):
        self.sql, self.values, self.seconds = sql, values, 0.0
        self.cursor: Any = None
        self.rows: int | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.cursor, name)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.fetchone, None)

    def fetchall(self) -> list[Any]:
        began = time.perf_counter()
        rows: list[Any] = self.cursor.fetchall()
        self.seconds += time.perf_counter() - began
        self.rows = len(rows)
        return rows

    def end(self, long: bool) -> None:
        """Let the cursor go and, if there may be any, long texts and bytes, which would stay in memory."""
        self.cursor = None
        if not long:
            return
        self.sql = self.sql[: limits.STATEMENT_CHARACTERS]
        self.values = [_short(value) for value in (self.values or ())[: limits.VALUES]]

    def fetchone(self) -> Any:
        began = time.perf_counter()
        row = self.cursor.fetchone()
        self.seconds += time.perf_counter() - began
        if row is not None and self.cursor.rowcount < 0:  # psycopg has counted them
            self.rows = (self.rows or 0) + 1
        return row


class Trace(NamedTuple):
    """One request, as it was noted down."""

    time: datetime
    method: str
    path: str
    query: bytes
    status: int
    seconds: float
    user_id: int | None
    ignored_fields: list[str]
    ignored_params: list[str]
    request_id: str
    endpoint: str | None
    rule: Any
    #: The first ones.
    statements: list[Statement]
    queries: int
    database_seconds: float


def _short(value: Any) -> Any:
    """A bound value: of a long text the beginning, of bytes their number."""
    if isinstance(value, str) and len(value) > limits.VALUE_CHARACTERS:
        return f"{value[: limits.VALUE_CHARACTERS - 1]}…"
    return f"{len(value)} bytes" if isinstance(value, (bytes, memoryview)) else value


class _Running(threading.local):
    """The statements of the request that this thread answers."""

    statements: list[Statement] | None = None


_running = _Running()


def init_app(app: Flask) -> None:
    """Note down every request, and say in its reply how long it took."""
    app.extensions["last_requests"] = deque(maxlen=limits.REQUESTS)
    app.before_request(begin)
    app.after_request(partial(remember, app.extensions["last_requests"]))


def watch(database: Any) -> None:
    """Note down what requests ask of a database, and their transactions."""
    on_sqlite = isinstance(database, SqliteDatabase)
    # On SQLite what is deferred goes by `execute_sql`, on Postgres COMMIT does.
    for name in ("execute_sql",) if on_sqlite else ("execute_sql", "defer_sql"):
        setattr(database, name, _noting(getattr(database, name)))
    for name in ("begin", "commit") if on_sqlite else ("begin",):
        noted = _noting(partial(_without_statement, getattr(database, name)))
        setattr(database, name, partial(noted, name.upper()))


def _without_statement(ask: Callable[[], Any], sql: str, values: Any) -> Any:
    return ask()


def _noting(ask: Callable[[str, Any], Any]) -> Callable[..., Any]:
    """`ask`, a method of a database that takes a statement, so that it notes that down."""

    def noted(sql: str, values: Any = None) -> Any:
        statements = _running.statements
        if statements is None:
            return ask(sql, values)
        statement = Statement(sql, values)
        statements.append(statement)
        began = time.perf_counter()
        cursor = ask(sql, values)
        statement.seconds = time.perf_counter() - began
        if cursor is None:
            return None
        statement.cursor = cursor
        if cursor.rowcount >= 0:
            statement.rows = cursor.rowcount
        return statement

    return noted


def begin() -> None:
    _running.statements = []


def remember(kept: deque[tuple[Any, ...]], response: Response) -> Response:
    """Keep what a developer wants to see of the last requests: never a body, never a token."""
    g, request = unproxied()
    statements, _running.statements = _running.statements or [], None
    if "started" not in g or not counts(request):
        return response
    seconds, in_database = time.perf_counter() - g.started, 0.0
    # A long value, or a long list of them, comes from a long request.
    long = len(request.query_string) + (request.content_length or 0) > limits.REMEMBERED
    for each in statements:
        in_database += each.seconds
        each.end(long)
    g.headers["Server-Timing"] = server_timing(seconds, in_database, len(statements))
    if g.ignored_params:
        g.ignored_params = [name for name in g.ignored_params if name not in _IGNORED_BY_US]
    kept.append(
        (
            engines.now(),
            request.method,
            request.path,
            request.query_string,
            response.status_code,
            seconds,
            g.caller.id if "caller" in g else None,
            g.ignored_fields and [str(name)[:200] for name in g.ignored_fields[:20]],
            g.ignored_params,
            g.request_id,
            request.endpoint,
            request.url_rule,
            statements[: limits.STATEMENTS],
            len(statements),
            in_database,
        )
    )
    return response


def server_timing(seconds: float, in_database: float, queries: int) -> str:
    """The header in which the developer tools of a browser look for these times, in milliseconds."""
    noun = "query" if queries == 1 else "queries"
    return f'app;dur={seconds * 1000:.1f}, db;dur={in_database * 1000:.1f};desc="{queries} {noun}"'


def latest() -> list[dict[str, Any]]:
    """The last requests to this process, newest first."""
    return [shown(Trace(*kept)) for kept in reversed(current_app.extensions["last_requests"])]


def find(request_id: str) -> Trace | None:
    """The newest of the last requests that has this id."""
    traces = (Trace(*kept) for kept in reversed(current_app.extensions["last_requests"]))
    return next((trace for trace in traces if trace.request_id == request_id), None)


def shown(trace: Trace) -> dict[str, Any]:
    """A request without its tokens."""
    query = trace.query[:500].decode("utf-8", "replace")
    return {
        **trace._asdict(),
        "path": masked(f"{trace.path[:500]}?{query}" if query else trace.path[:500]),
        "ms": round(trace.seconds * 1000),
        "ignored_fields": [masked(name) for name in trace.ignored_fields],
        "ignored_params": [masked(name[:200]) for name in trace.ignored_params[:20]],
    }


def explained(trace: Trace) -> dict[str, Any]:
    """A request with its statements, and who may send it: None is everybody, an empty list whoever is logged in."""
    for each in trace.statements:
        each.end(long=True)
    permissions = getattr(current_app.view_functions.get(trace.endpoint or ""), "permissions", None)
    return {
        **shown(trace),
        "route": trace.rule.rule if trace.rule else None,
        "permissions": None if permissions is None else list(permissions),
        "app_ms": round(trace.seconds * 1000, 2),
        "database_ms": round(trace.database_seconds * 1000, 2),
        "statements": [
            {
                "sql": each.sql,
                "values": [None if value is None else masked(str(value)) for value in each.values],
                "rows": each.rows,
                "ms": round(each.seconds * 1000, 2),
            }
            for each in trace.statements
        ],
    }
