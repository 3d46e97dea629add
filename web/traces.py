"""What the last requests did, for developers: when, by whom, with which SQL statements, in how much time.

A request notes down what it has at hand; how that is shown is worked out when somebody asks for it.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from flask import Flask, Response, current_app

from database import engines
from web import limits
from web.hooks import unproxied
from web.logs import masked
from web.rules import WISHES, counts

_IGNORED_BY_US = {f"_{name}" for name in WISHES}


class Trace(NamedTuple):
    """One request, as it was noted down."""

    time: datetime
    method: str
    path: str
    query: bytes
    status: int
    seconds: float
    user_id: int | None
    ignored_fields: tuple[Any, ...]
    ignored_params: tuple[str, ...]
    request_id: str
    endpoint: str | None
    route: str | None
    statements: list[list[Any]]
    #: How many statements there were, and their seconds; `statements` has the first ones.
    queries: int
    database_seconds: float


class _Running(threading.local):
    """What the request of this thread has asked the database: text, values, seconds, rows."""

    statements: list[list[Any]] | None = None


_running = _Running()


class Counted:
    """A cursor that adds to its statement how long its rows took, and how many they are."""

    def __init__(self, cursor: Any, statement: list[Any]):
        self.cursor, self.statement = cursor, statement

    def __getattr__(self, name: str) -> Any:
        return getattr(self.cursor, name)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.fetchone, None)

    def fetchall(self) -> list[Any]:
        began = time.perf_counter()
        rows: list[Any] = self.cursor.fetchall()
        self.statement[2] += time.perf_counter() - began
        self.statement[3] = len(rows)
        return rows

    def fetchone(self) -> Any:
        began = time.perf_counter()
        row = self.cursor.fetchone()
        self.statement[2] += time.perf_counter() - began
        if row is not None and self.cursor.rowcount < 0:  # psycopg has counted them
            self.statement[3] += 1
        return row


def init_app(app: Flask) -> None:
    """Note down every request, and say in its reply how long it took."""
    app.extensions["last_requests"] = deque(maxlen=limits.REQUESTS)
    app.before_request(begin)
    app.after_request(remember)
    watch(engines.db.obj)


def watch(database: Any) -> None:
    """Note down the statements of a database, those of requests."""
    execute = database.execute_sql

    def noted(sql: str, params: Any = None) -> Any:
        statements = _running.statements
        if statements is None:
            return execute(sql, params)
        statement = [sql, params, 0.0, 0]
        statements.append(statement)
        began = time.perf_counter()
        cursor = execute(sql, params)
        statement[2] = time.perf_counter() - began
        if cursor.rowcount > 0:
            statement[3] = cursor.rowcount
        return Counted(cursor, statement)

    database.execute_sql = noted


def begin() -> None:
    _running.statements = []


def remember(response: Response) -> Response:
    """Keep what a developer wants to see of the last requests: never a body, never a token."""
    context, asked = unproxied()
    statements, _running.statements = _running.statements or [], None
    if "started" not in context or not counts(asked):
        return response
    seconds = time.perf_counter() - context.started
    in_database = sum([each[2] for each in statements])
    context.headers["Server-Timing"] = server_timing(seconds, in_database, len(statements))
    if context.ignored_params:
        context.ignored_params = [name for name in context.ignored_params if name not in _IGNORED_BY_US]
    current_app.extensions["last_requests"].append(
        Trace(
            engines.now(),
            asked.method,
            asked.path[:500],
            asked.query_string[:500],
            response.status_code,
            seconds,
            context.caller.id if "caller" in context else None,
            tuple(str(name)[:200] for name in context.ignored_fields[:20]),
            tuple(name[:200] for name in context.ignored_params[:20]),
            context.request_id,
            asked.endpoint,
            asked.url_rule.rule if asked.url_rule else None,
            [_short(*each) for each in statements[: limits.STATEMENTS]],
            len(statements),
            in_database,
        )
    )
    return response


def server_timing(seconds: float, in_database: float, queries: int) -> str:
    """The header in which the developer tools of a browser look for these times, in milliseconds."""
    noun = "query" if queries == 1 else "queries"
    return f'app;dur={seconds * 1000:.1f}, db;dur={in_database * 1000:.1f};desc="{queries} {noun}"'


def _short(sql: str, values: Any, seconds: float, rows: int) -> Any:
    """A statement without the long texts and bytes in it, which would stay in memory with it."""
    bound = [_value(value) for value in (values or ())[: limits.VALUES]]
    return sql[: limits.STATEMENT_CHARACTERS], bound, seconds, rows


def _value(value: Any) -> Any:
    """A bound value, of a long text the beginning."""
    if isinstance(value, str):
        return value if len(value) <= limits.VALUE_CHARACTERS else f"{value[: limits.VALUE_CHARACTERS]}…"
    return f"{len(value)} bytes" if isinstance(value, (bytes, memoryview)) else value


def latest() -> list[dict[str, Any]]:
    """The last requests to this process, newest first."""
    return [shown(trace) for trace in reversed(current_app.extensions["last_requests"])]


def find(request_id: str) -> Trace | None:
    """The newest of the last requests that has this id."""
    kept = reversed(current_app.extensions["last_requests"])
    return next((trace for trace in kept if trace.request_id == request_id), None)


def shown(trace: Trace) -> dict[str, Any]:
    """A request without its tokens."""
    query = trace.query.decode("utf-8", "replace")
    return {
        **trace._asdict(),
        "path": masked(f"{trace.path}?{query}" if query else trace.path),
        "ms": round(trace.seconds * 1000),
        "ignored_fields": [masked(name) for name in trace.ignored_fields],
        "ignored_params": [masked(name) for name in trace.ignored_params],
    }


def explained(trace: Trace) -> dict[str, Any]:
    """A request with its statements, and who may send it: None is everybody, an empty list whoever is logged in."""
    permissions = getattr(current_app.view_functions.get(trace.endpoint or ""), "permissions", None)
    return {
        **shown(trace),
        "permissions": None if permissions is None else list(permissions),
        "app_ms": round(trace.seconds * 1000, 2),
        "database_ms": round(trace.database_seconds * 1000, 2),
        "statements": [
            {
                "sql": sql,
                "values": [None if value is None else masked(str(value)) for value in values],
                "rows": rows,
                "ms": round(seconds * 1000, 2),
            }
            for sql, values, seconds, rows in trace.statements
        ],
    }
