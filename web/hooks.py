"""What happens around every request: its id and language, who may ask for which host, headers, log line, metrics."""

from __future__ import annotations

import ipaddress
import logging
import re
import secrets
import time
from functools import cache
from typing import Any, cast
from urllib.parse import quote

import orjson
from flask import Flask, Request, Response, current_app, g, request
from flask.json.provider import DefaultJSONProvider
from flask_cors.core import get_cors_options, set_cors_headers
from prometheus_client import CollectorRegistry, Counter, Histogram
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header
from werkzeug.routing import IntegerConverter

from database import engines
from web import limits
from web.errors import NO_ROOM, refuse
from web.fields import MAX_ID
from web.texts import LANGUAGES

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
#: What the metrics count apart; the demo controls can make two hundred others.
STATUSES = {200, 201, 206, 304, 400, 401, 403, 404, 405, 409, 413, 415, 416, 429, 431, 500, 503}
FIXED_HEADERS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Id(IntegerConverter):
    """Matches ids in URLs: ASCII digits up to 2³¹−1. Anything else does not match, so the router answers 404."""

    regex = r"[0-9]{1,10}"

    def __init__(self, url_map: Any):
        super().__init__(url_map, min=1, max=MAX_ID)


def init_app(app: Flask) -> None:
    app.url_map.converters["id"] = Id
    app.url_map.strict_slashes = False  # a redirect would break a CORS preflight
    app.json = JSON(app)
    app.log_exception = log_exception  # type: ignore[method-assign]
    app.before_request(begin)
    app.after_request(finish)
    app.teardown_request(lambda error: engines.release())
    origins = [re.escape(origin) + r"\Z" for origin in app.config["CORS_ORIGINS"]]
    if not app.config["PRODUCTION"]:
        origins.append(LOOPBACK_ORIGIN)
        if app.config["BEYOND_LOOPBACK"]:
            origins.append(PRIVATE_ORIGIN)
    # Compiled by us: flask-cors does not anchor, and takes `http://[::1]:3000` for a pattern.
    compiled = [re.compile(origin, re.IGNORECASE) for origin in origins]
    app.extensions["cors_origins"] = compiled
    app.extensions["near_origins"] = [each for each in compiled if each.pattern != PRIVATE_ORIGIN]
    app.extensions["cors"] = get_cors_options(
        app,
        {
            "origins": app.extensions["cors_origins"],
            "methods": ["GET", "POST", "PUT", "PATCH", "DELETE"],
            "allow_headers": list(ALLOWED_HEADERS),
            "expose_headers": list(EXPOSED_HEADERS),
            "supports_credentials": True,
            "max_age": 600,
        },
    )
    registry = CollectorRegistry()
    app.extensions["metrics"] = registry
    labels = ("method", "route", "status")
    count = Counter("halolight_requests", "Requests answered", labels, registry=registry)
    latency = Histogram("halolight_request_seconds", "Time to answer", labels, registry=registry)
    # The two series of a method, route and status: there are as many of them as the metrics themselves keep.
    app.extensions["series"] = cache(lambda *values: (count.labels(*values), latency.labels(*values)))


def begin() -> None:
    """Note down what every reply needs, and refuse a host or a length before the view is called."""
    (context, asked), config = current(), current_app.config
    context.started = time.perf_counter()
    sent = asked.headers.get("X-Request-ID", "")
    context.request_id = sent if _REQUEST_ID.fullmatch(sent) else secrets.token_hex(8)
    context.language = language(asked.headers.get("Accept-Language", ""), config["DEFAULT_LANGUAGE"])
    context.base_url = f"{asked.scheme}://{asked.host}"
    context.headers = {**FIXED_HEADERS, "X-Request-ID": context.request_id, "Content-Language": context.language}
    context.ignored_fields, context.ignored_params, context.lift = [], [], ()
    refused = asked.environ.get("halolight.refused")  # by the server, before it read the body (web.connections.Refusal)
    if refused:
        refuse(refused, NO_ROOM if refused == 503 else "")
    check_host(asked.host, config)
    view = current_app.view_functions.get(asked.endpoint or "")
    if getattr(view, "takes_files", False):
        asked.max_content_length = limits.upload_bytes(config)
    limit = asked.max_content_length
    if limit is not None and (asked.content_length or 0) > limit:
        refuse(413)


@limits.remembered(256)
def language(accepted: str, default: str) -> str:
    return parse_accept_header(accepted, LanguageAccept).best_match(LANGUAGES, default) or default


def check_host(host: str, config: dict[str, Any]) -> None:
    """DNS rebinding: refuse unknown Host names, because a page from such a host would count as same-origin."""
    allowed, production = config["ALLOWED_HOSTS"], config["PRODUCTION"]
    if (allowed or not production) and not host_allowed(host, tuple(allowed), production):
        shown = re.sub(r"[^\w.:\[\]-]", "", host)[:100]
        refuse(403, f"Requests for the host {shown} are refused; allow it with ALLOWED_HOSTS")


@limits.remembered(256)
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
    """The headers of every reply, in one pass; then its line in the log."""
    (context, asked), headers = current(), response.headers
    headers.extend(context.get("headers", FIXED_HEADERS))
    if "started" in context:
        if context.ignored_fields:
            headers.add("X-Ignored-Fields", ignored(context.ignored_fields))
        if context.ignored_params:
            headers.add("X-Ignored-Params", ignored(context.ignored_params))
    if "Origin" in asked.headers:
        set_cors_headers(response, current_app.extensions["cors"])
    if asked.path.startswith("/api"):
        headers.setdefault("Cache-Control", "no-store")
        headers["Vary"] = "Authorization, Accept-Language, Origin"
    observe(response, context, asked)
    return response


def ignored(names: list[str]) -> str:
    """The first 20 names, percent-encoded, in at most 500 bytes."""
    text = ",".join(quote(str(name)[:200].encode("utf-8", "replace"), safe="[]") for name in names[:20])
    return text if len(text) <= 500 else text[:500].rpartition(",")[0] or text[:500]


def observe(response: Response, context: Any, asked: Request) -> None:
    """Count the request, and write its one line: by the route's template, so no token and no id of a row is in it."""
    now = time.perf_counter()
    seconds = now - context.get("started", now)
    route = asked.url_rule.rule if asked.url_rule else "(none)"
    # A method that nobody knows would make a new series for every word that a stranger thinks of.
    method = asked.method if asked.method in METHODS else "other"
    status = response.status_code if response.status_code in STATUSES else "other"
    count, latency = current_app.extensions["series"](method, route, status)
    count.inc()
    latency.observe(seconds)
    request_id, user = context.get("request_id", "-"), context.caller.id if "caller" in context else "-"
    log.info(
        "%s user=%s %s %s %s %.1f ms",
        *(request_id, user, asked.method, route, response.status_code, seconds * 1000),
        extra={"fields": (request_id, user, method, route, response.status_code, round(seconds * 1000, 1))},
    )


def log_exception(exc_info: Any) -> None:
    """A bug, with the id that the reply names; Flask's own line has the path, with whatever token is in it."""
    route = request.url_rule.rule if request.url_rule else "(none)"
    logging.getLogger("halolight").error("%s %s %s", g.get("request_id", "-"), request.method, route, exc_info=exc_info)


def current() -> tuple[Any, Request]:
    """What `g` and `request` stand for: a proxy looks that up at each use, 50 times in a request."""
    return cast(Any, g)._get_current_object(), cast(Any, request)._get_current_object()


class JSON(DefaultJSONProvider):
    """Flask's `jsonify`, by orjson: in a third of the time of the standard library."""

    ensure_ascii = False
    sort_keys = False

    def response(self, *args: Any, **kwargs: Any) -> Any:
        body: Any = orjson.dumps(self._prepare_response_obj(args, kwargs), self.default)
        return self._app.response_class(body, mimetype=self.mimetype)
