"""What happens around every request: its id and language, who may ask for which host, headers, log line, metrics."""

from __future__ import annotations

import ipaddress
import json
import logging
import re
import secrets
import time
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from flask import Flask, Response, current_app, g, request
from flask_cors import CORS
from prometheus_client import CollectorRegistry, Counter, Histogram
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

import models
from resources.errors import refuse
from resources.texts import LANGUAGES

log = logging.getLogger("halolight.access")

ALLOWED_HEADERS = (
    *("Authorization", "Content-Type", "Accept-Language", "If-None-Match", "Range", "X-Requested-With"),
    *("X-Request-ID", "X-Demo-Delay", "X-Demo-Status"),
)
EXPOSED_HEADERS = (
    *("X-Total-Count", "Link", "ETag", "Retry-After", "Content-Disposition", "Content-Range", "WWW-Authenticate"),
    *("X-Request-ID", "X-Ignored-Fields", "X-Ignored-Params", "X-Demo-Delay"),
)
LOOPBACK_ORIGIN = r"https?://(localhost|[a-z0-9-]+\.localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?\Z"
PRIVATE_ORIGIN = r"https?://(10(\.\d{1,3}){3}|192\.168(\.\d{1,3}){2}|172\.(1[6-9]|2\d|3[01])(\.\d{1,3}){2}|\[f[cd][0-9a-f:]+\])(:\d+)?\Z"
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
_LINK = re.compile(r"(/api/files/raw/)[^\s?<]+")

#: What the body of an upload may hold besides the file.
FORM_AROUND = 64 * 1024


def init_app(app: Flask) -> None:
    app.log_exception = log_exception  # type: ignore[method-assign]
    app.before_request(begin)
    app.after_request(finish)
    app.teardown_request(lambda error: models.release())
    origins = [re.escape(origin) + r"\Z" for origin in app.config["CORS_ORIGINS"]]
    if not app.config["PRODUCTION"]:
        origins.append(LOOPBACK_ORIGIN)
        if app.config["BEYOND_LOOPBACK"]:
            origins.append(PRIVATE_ORIGIN)
    # Compiled by us: flask-cors does not anchor, and takes `http://[::1]:3000` for a pattern.
    app.extensions["cors_origins"] = [re.compile(origin, re.IGNORECASE) for origin in origins]
    CORS(
        app,
        origins=app.extensions["cors_origins"],
        methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=list(ALLOWED_HEADERS),
        expose_headers=list(EXPOSED_HEADERS),
        supports_credentials=True,
        max_age=600,
    )
    registry = CollectorRegistry()
    app.extensions["metrics"] = registry
    labels = ("method", "route", "status")
    app.extensions["requests"] = Counter("halolight_requests", "Requests answered", labels, registry=registry)
    app.extensions["latency"] = Histogram("halolight_request_seconds", "Time to answer", labels, registry=registry)


def begin() -> None:
    g.started = time.perf_counter()
    sent = request.headers.get("X-Request-ID", "")
    g.request_id = sent if re.fullmatch(r"[A-Za-z0-9._-]{1,64}", sent) else secrets.token_hex(8)
    g.language = language(request.headers.get("Accept-Language", ""), current_app.config["DEFAULT_LANGUAGE"])
    g.headers, g.ignored_fields, g.ignored_params, g.lift = {}, [], [], ()
    check_host()
    view = current_app.view_functions.get(request.endpoint or "")
    if getattr(view, "takes_files", False):
        request.max_content_length = current_app.config["MAX_UPLOAD_MB"] * 1024 * 1024 + FORM_AROUND
    limit = request.max_content_length
    if limit is not None and (request.content_length or 0) > limit:
        refuse(413)


@lru_cache(maxsize=256)
def language(accepted: str, default: str) -> str:
    return parse_accept_header(accepted, LanguageAccept).best_match(LANGUAGES, default) or default


def check_host() -> None:
    """Refuse names that only lead here by DNS (rebinding): a page of theirs would be of our own origin."""
    allowed = current_app.config["ALLOWED_HOSTS"]
    if current_app.config["PRODUCTION"] and not allowed:
        return
    if not host_allowed(request.host, tuple(allowed), current_app.config["PRODUCTION"]):
        host = re.sub(r"[^\w.:\[\]-]", "", request.host)[:100]
        refuse(403, f"Requests for the host {host} are refused; allow it with ALLOWED_HOSTS")


@lru_cache(maxsize=256)
def host_allowed(host: str, allowed: tuple[str, ...], only_these: bool) -> bool:
    name = re.sub(r":\d*\Z", "", host).lower().rstrip(".")
    if name in allowed:
        return True
    if only_these:
        return False
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def finish(response: Response) -> Response:
    headers = response.headers
    if "headers" in g:
        for name, value in g.headers.items():
            headers[name] = value
        headers["X-Request-ID"] = g.request_id
        headers["Content-Language"] = g.language
        for header, names in (("X-Ignored-Fields", g.ignored_fields), ("X-Ignored-Params", g.ignored_params)):
            if names:
                headers[header] = ignored(names)
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "no-referrer"
    if request.path.startswith("/api"):
        headers.setdefault("Cache-Control", "no-store")
        headers["Vary"] = "Authorization, Accept-Language, Origin"
    observe(response)
    return response


def ignored(names: list[str]) -> str:
    """The first 20 names, percent-encoded, in at most 500 bytes."""
    text = ",".join(quote(str(name)[:200].encode("utf-8", "replace"), safe="[]") for name in names[:20])
    return text if len(text) <= 500 else text[:500].rpartition(",")[0] or text[:500]


def observe(response: Response) -> None:
    """Count the request, and write its one line: by the route's template, so no token and no id of a row is in it."""
    seconds = time.perf_counter() - g.get("started", time.perf_counter())
    route = request.url_rule.rule if request.url_rule else "(none)"
    # A method that nobody knows would make a new series for every word that a stranger thinks of.
    method = request.method if request.method in METHODS else "other"
    labels = (method, route, response.status_code)
    current_app.extensions["requests"].labels(*labels).inc()
    current_app.extensions["latency"].labels(*labels).observe(seconds)
    user = g.caller.id if "caller" in g else "-"
    log.info(
        "%s user=%s %s %s %s %.1f ms",
        *(g.get("request_id", "-"), user, request.method, route, response.status_code, seconds * 1000),
        extra={"fields": (g.get("request_id", "-"), user, *labels, round(seconds * 1000, 1))},
    )


def log_exception(exc_info: Any) -> None:
    """A bug, with the id that the reply names; Flask's own line has the path, with whatever token is in it."""
    route = request.url_rule.rule if request.url_rule else "(none)"
    logging.getLogger("halolight").error("%s %s %s", g.get("request_id", "-"), request.method, route, exc_info=exc_info)


def mask_links(record: logging.LogRecord) -> bool:
    """Take the tokens out of a log line: waitress names the path when a client goes away in the middle of a reply."""
    text = record.getMessage()
    record.msg, record.args = _LINK.sub(r"\1***", text) if "/raw/" in text else text, None
    return True


class JSONLines(logging.Formatter):
    """One JSON object a line (`LOG_FORMAT=json`)."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname,
            "logger": record.name,
        }
        fields = getattr(record, "fields", None)
        if fields:
            entry |= dict(zip(("requestId", "user", "method", "route", "status", "ms"), fields, strict=True))
        else:
            entry["message"] = record.getMessage()
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry)  # in ASCII: nothing in it ends a line or steers a terminal
