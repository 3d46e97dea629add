"""Refusals, and the one place where every error becomes a reply in the envelope."""

import errno
import logging
import re
import sqlite3
from collections.abc import Callable
from copy import deepcopy
from datetime import datetime, timedelta
from http.client import responses
from threading import Lock
from typing import Any, NoReturn

import flask_smorest
import peewee
from flask import Flask, Response, g, jsonify, request
from werkzeug.exceptions import HTTPException

from database import base
from database.engines import first_line
from web import limits
from web.openapi import ErrorSchema, camel_case
from web.texts import code_of, translate

log = logging.getLogger("halolight")
#: `error.code` of a status; of any other it is the standard phrase in capitals (404: NOT_FOUND).
CODES = {413: "PAYLOAD_TOO_LARGE", 416: "RANGE_NOT_SATISFIABLE", 500: "INTERNAL_ERROR"}
TEXTS = {
    400: "The request cannot be understood",
    401: "Log in first",
    404: "Not found",
    405: "This method is not allowed here",
    409: "The state does not allow this",
    413: "The body is too large",
    415: "Send JSON, with Content-Type: application/json",
    416: "The file has no such range",
    429: "Too many requests, try again later",
    431: "The headers are too large",
    500: "Something went wrong on the server",
    501: "The only Transfer-Encoding that works here is chunked",
    503: "The database is not available at the moment",
}
#: The text of a 503 if a disk is full.
NO_ROOM = "The server has no room for this at the moment"
#: Every error of a database. Peewee wraps those of a statement, but not those of SQLite while rows are fetched.
DATABASE_ERRORS = (peewee.DatabaseError, peewee.InterfaceError, sqlite3.DatabaseError)
#: Those that a wrong statement causes, and not an outage. So do the two codes that `is_outage` names.
MISTAKES = (peewee.ProgrammingError, peewee.DataError, peewee.NotSupportedError, sqlite3.ProgrammingError)
IN_FAILED_TRANSACTION = "25P02"


class Refusal(HTTPException):
    """An error reply: its status, an English text of the catalogue, and the refused fields, reason and headers."""

    def __init__(
        self, status: int, text: str = "", *, fields: dict[str, str] | None = None, reason: str = "", **headers
    ):
        super().__init__(text or TEXTS[status])
        self.code = status
        self.fields = fields or {}
        self.reason = reason
        self.headers = {name.replace("_", "-").title(): str(value) for name, value in headers.items()}

    def get_headers(self, *args: Any) -> list[tuple[str, str]]:
        return list(self.headers.items())


def refuse(status: int, text: str = "", **more: Any) -> NoReturn:
    """Answer with an error. `text` is English of the catalogue; `reason=` is for a 401; other names are headers."""
    raise Refusal(status, text, **more)


def refuse_field(field: str, text: str, status: int = 400) -> NoReturn:
    """Answer 400 VALIDATION_ERROR (or 409 CONFLICT) that names the field, as the API spells it."""
    raise Refusal(status, "The request is not valid" if status == 400 else text, fields={field: text})


def refuse_until_a_minute_after(counted: datetime, now: datetime) -> NoReturn:
    """Answer 429, because a limit for each minute is full until `counted`, an instant, is a minute ago."""
    refuse(429, retry_after=int((counted + timedelta(minutes=1) - now).total_seconds()) + 1)


def flatten(messages: Any, path: str = "") -> list[tuple[str, str]]:
    """marshmallow's nested messages as (dotted field, text); a message on the whole body has the field ""."""
    if isinstance(messages, dict):
        return [
            found
            for key, inner in messages.items()
            for found in flatten(inner, path if key == "_schema" else f"{path}.{key}".lstrip("."))
        ]
    return [(path, str(text)) for text in (messages if isinstance(messages, list) else [messages])]


class Api(flask_smorest.Api):
    """smorest's Api with our errors, and with bearer tokens in its document."""

    ERROR_SCHEMA = ErrorSchema

    def _register_pagination_header(self) -> None:
        """Registers nothing: smorest's own pagination is not used, and its schema would stand in the document."""

    def _register_responses(self) -> None:
        self.postponed.append(super()._register_responses)

    def init_app(self, app: Flask, **options: Any) -> None:
        self.postponed: list[Callable[[], None]] = []
        self._lock = Lock()
        super().init_app(app, **options)
        self.spec.components.security_scheme("bearer", {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"})
        app.register_error_handler(peewee.IntegrityError, self.handle_integrity_error)
        for kind in DATABASE_ERRORS:
            app.register_error_handler(kind, self.handle_database_error)
        app.register_error_handler(OSError, self.handle_os_error)

    def described(self) -> dict[str, Any]:
        """The document as smorest derives it from the routes, which it does when somebody asks for the first time."""
        with self._lock:
            for describe in self.postponed:
                describe()
            self.postponed.clear()
        return deepcopy(self.spec.to_dict())

    def handle_http_exception(self, error: HTTPException) -> Response:
        """Any HTTPException (ours, Flask's, webargs') as the error envelope, with its own headers."""
        status = error.code or 500
        messages = getattr(error, "data", {}).get("messages")
        fields = [found for inner in messages.values() for found in flatten(inner)] if messages else []
        text = TEXTS.get(status) or phrase(status)
        if isinstance(error, Refusal):
            text, fields = error.description or text, list(error.fields.items())
        elif fields:
            text = "The request is not valid"
        elif status == 404:  # of the router: a row that is absent is a Refusal
            text = "No route matches this path"
        fields, reason = fields[: limits.DETAILS], getattr(error, "reason", "")
        reply = jsonify(envelope(status, text, fields, reason, g.language, g.request_id))
        reply.status_code = status
        for name, value in error.get_headers(request.environ):
            if name.title() not in ("Content-Type", "Content-Length"):
                reply.headers[name] = value
        return reply

    def handle_integrity_error(self, error: peewee.IntegrityError) -> Response:
        """409 if a unique value is taken; any other broken constraint is a bug in HaloLight, so 500."""
        column = base.unique_field(error)
        if column is None:
            # The first line only: after it Postgres shows the whole row, with the hash of a password.
            shown = peewee.IntegrityError(first_line(error)).with_traceback(error.__traceback__)
            log.error("a constraint was broken", exc_info=shown)
            return self.handle_http_exception(Refusal(500))
        field = camel_case(column.removesuffix("_key"))
        return self.handle_http_exception(Refusal(409, "This value is taken.", fields={field: "This value is taken."}))

    def handle_database_error(self, error: Exception) -> Response:
        """503 with one line in the log if the database is not available; a wrong statement is a bug, so 500."""
        if not is_outage(error):
            raise error
        log.error("database not available: %s", first_line(error))
        return self.handle_http_exception(Refusal(503))

    def handle_os_error(self, error: OSError) -> Response:
        """503 if a disk is full (an upload needs room for temporary files); anything else is a bug, so 500."""
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise error
        log.error("a disk is full: %s", error.strerror)
        return self.handle_http_exception(Refusal(503, NO_ROOM))


def is_outage(error: Exception) -> bool:
    """Whether an error of DATABASE_ERRORS means that the database is not available, not that a statement is wrong."""
    driver = getattr(error, "orig", error)
    code = getattr(driver, "sqlite_errorcode", getattr(driver, "sqlstate", None))
    return not isinstance(error, MISTAKES) and code not in (sqlite3.SQLITE_ERROR, IN_FAILED_TRANSACTION)


def phrase(status: int) -> str:
    """The standard phrase of a status, or `Status 499` if it has none."""
    return responses.get(status, f"Status {status}")


def code_for(status: int) -> str:
    """The code of a status, as `error.code` carries it."""
    return CODES.get(status) or re.sub(r"\W+", "_", phrase(status).upper())


def envelope(
    status: int, text: str, fields: list[tuple[str, str]], reason: str, language: str, request_id: str
) -> dict[str, Any]:
    """The body of an error reply, in a language."""
    message = translate(text, language)
    error: dict[str, Any] = {
        "code": "VALIDATION_ERROR" if status == 400 and fields else code_for(status),
        "message": message,
        "details": [
            {"field": field, "code": code_of(text), "message": translate(text, language)} for field, text in fields
        ],
        "requestId": request_id,
    }
    if reason:
        error["reason"] = reason
    return {"success": False, "error": error, "message": message}
