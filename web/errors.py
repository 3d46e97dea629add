"""Refusals, and the one exit by which every error leaves in the envelope."""

from __future__ import annotations

import errno
import http
import logging
import re
import sqlite3
from datetime import datetime, timedelta
from typing import Any, NoReturn

import flask_smorest
import peewee
from flask import Response, g, jsonify, request
from werkzeug.exceptions import HTTPException

from database import base
from web import limits
from web.openapi import Documented, ErrorSchema, camel_case
from web.texts import code_of, translate

log = logging.getLogger("halolight")
#: Codes that are not the status' standard phrase in capitals.
CODES = {
    413: "PAYLOAD_TOO_LARGE",
    416: "RANGE_NOT_SATISFIABLE",
    500: "INTERNAL_ERROR",
}
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
    503: "The database is not available at the moment",
}
#: The text of a 503 where a disk is full.
NO_ROOM = "The server has no room for this at the moment"
#: Whatever a database may raise: SQLite also while rows are fetched, where Peewee does not look.
DATABASE_ERRORS = (peewee.DatabaseError, peewee.InterfaceError, sqlite3.DatabaseError)
#: Errors of the database that are ours, as are SQLite's plain "error" and a statement after one that failed.
MISTAKES = (peewee.ProgrammingError, peewee.DataError, peewee.NotSupportedError, sqlite3.ProgrammingError)
IN_FAILED_TRANSACTION = "25P02"


class Refusal(HTTPException):
    """A refusal with an English text of the catalogue, and what else the reply says."""

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
    """Answer with an error: `text` in English from the catalogue, `reason=` for a 401, other names are headers."""
    raise Refusal(status, text, **more)


def refuse_field(field: str, text: str, status: int = 400) -> NoReturn:
    """Answer 400 VALIDATION_ERROR (or 409 CONFLICT) that names the field, as the API spells it."""
    raise Refusal(status, "The request is not valid" if status == 400 else text, fields={field: text})


def refuse_until_a_minute_after(counted: datetime, now: datetime) -> NoReturn:
    """Answer 429: a limit of the last minute is full, and has room again when `counted` is a minute old."""
    refuse(429, retry_after=int((counted + timedelta(minutes=1) - now).total_seconds()) + 1)


def flatten(messages: Any, path: str = "") -> list[tuple[str, str]]:
    """marshmallow's nested messages as (dotted field, text); what concerns a whole body has the field ""."""
    if isinstance(messages, dict):
        return [
            found
            for key, inner in messages.items()
            for found in flatten(inner, path if key == "_schema" else f"{path}.{key}".lstrip("."))
        ]
    return [(path, str(text)) for text in (messages if isinstance(messages, list) else [messages])]


class Api(Documented, flask_smorest.Api):
    """smorest's Api with our errors and our OpenAPI document."""

    ERROR_SCHEMA = ErrorSchema

    def _register_error_handlers(self) -> None:
        super()._register_error_handlers()
        self._app.register_error_handler(peewee.IntegrityError, self.handle_integrity_error)
        for kind in DATABASE_ERRORS:
            self._app.register_error_handler(kind, self.handle_database_error)
        self._app.register_error_handler(OSError, self.handle_os_error)

    def handle_http_exception(self, error: HTTPException) -> Response:
        """Any HTTPException, whoever raised it, as the error envelope with its own headers."""
        status = error.code or 500
        messages = getattr(error, "data", {}).get("messages")
        fields = [found for inner in messages.values() for found in flatten(inner)] if messages else []
        text = TEXTS.get(status) or phrase(status)
        if isinstance(error, Refusal):
            text, fields = error.description or text, list(error.fields.items())
        elif fields:
            text = "The request is not valid"
        reply = jsonify(envelope(status, text, fields[: limits.DETAILS], getattr(error, "reason", "")))
        reply.status_code = status
        for name, value in error.get_headers(request.environ):
            if name.title() not in ("Content-Type", "Content-Length"):
                reply.headers[name] = value
        return reply

    def handle_integrity_error(self, error: peewee.IntegrityError) -> Response:
        """A taken unique value is the client's conflict; anything else that breaks a constraint is a bug of ours."""
        column = base.unique_field(error)
        if column is None:
            # Postgres goes on with the whole row, the hash of a password too.
            shown = peewee.IntegrityError(first_line(error)).with_traceback(error.__traceback__)
            log.error("a constraint was broken", exc_info=shown)
            return self.handle_http_exception(Refusal(500))
        field = camel_case(column.removesuffix("_key"))
        return self.handle_http_exception(Refusal(409, "This value is taken.", fields={field: "This value is taken."}))

    def handle_database_error(self, error: Exception) -> Response:
        """503 with one line in the log where the database is not available; a statement that is wrong is a bug."""
        if not is_outage(error):
            raise error
        log.error("database not available: %s", first_line(error))
        return self.handle_http_exception(Refusal(503))

    def handle_os_error(self, error: OSError) -> Response:
        """503 where a disk is full (an upload needs room for temporary files); anything else is a bug."""
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise error
        log.error("a disk is full: %s", error.strerror)
        return self.handle_http_exception(Refusal(503, NO_ROOM))


def is_outage(error: Exception) -> bool:
    """Whether one of DATABASE_ERRORS says that the database is not available, and not that our statement is wrong."""
    driver = getattr(error, "orig", error)
    code = getattr(driver, "sqlite_errorcode", getattr(driver, "sqlstate", None))
    return not isinstance(error, MISTAKES) and code not in (sqlite3.SQLITE_ERROR, IN_FAILED_TRANSACTION)


def first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def phrase(status: int) -> str:
    """The standard phrase of a status, also of one that has none."""
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return f"Status {status}"


def envelope(status: int, text: str, fields: list[tuple[str, str]], reason: str = "") -> dict[str, Any]:
    """The error envelope of the product document, in the language of the request."""
    code = CODES.get(status) or re.sub(r"\W+", "_", phrase(status).upper())
    message = translate(text, g.language)
    error: dict[str, Any] = {
        "code": "VALIDATION_ERROR" if status == 400 and fields else code,
        "message": message,
        "details": [
            {"field": field, "code": code_of(text), "message": translate(text, g.language)} for field, text in fields
        ],
        "requestId": g.request_id,
    }
    if reason:
        error["reason"] = reason
    return {"success": False, "error": error, "message": message}
