"""What happens around every request: its id and language, refused hosts, headers, log line, metrics."""

import ipaddress
import logging
import re
import secrets
import time
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import quote

import orjson
from flask import Flask, Request, Response, current_app, g, request
from flask.json.provider import DefaultJSONProvider
from flask_cors.core import get_cors_options, set_cors_headers
from prometheus_client import CollectorRegistry, Counter, Histogram
from waitress.proxy_headers import proxy_headers_middleware
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header
from werkzeug.routing import IntegerConverter

from database import engines
from web import limits
from web.errors import NO_ROOM, refuse
from web.fields import MAX_ID
from web.texts import LANGUAGES

log = logging.getLogger("halolight.access")
LOOPBACK_ORIGIN = r"https?://(localhost|[a-z0-9-]+\.localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?"
PRIVATE_ORIGIN = r"https?://(10(\.\d{1,3}){3}|192\.168(\.\d{1,3}){2}|172\.(1[6-9]|2\d|3[01])(\.\d{1,3}){2}|\[f[cd][0-9a-f:]+\])(:\d+)?"
ALLOWED_HEADERS = (
    "Authorization, Content-Type, Accept-Language, If-None-Match, Range, X-Requested-With, "
    "X-Request-ID, X-Demo-Delay, X-Demo-Status"
)
CORS = {
    "methods": ["GET", "POST", "PUT", "PATCH", "DELETE"],
    "allow_headers": ALLOWED_HEADERS.split(", "),
    "expose_headers": "Content-Disposition, Content-Range, ETag, Link, Retry-After, Server-Timing, WWW-Authenticate, "
    "X-Demo-Delay, X-Ignored-Fields, X-Ignored-Params, X-Request-ID, X-Total-Count",
    "supports_credentials": True,
    "max_age": 600,
}
#: Methods and statuses that the metrics count one by one. A client could make up any number of others.
METHODS = {"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"}
STATUSES = {200, 201, 206, 304, 400, 401, 403, 404, 405, 409, 413, 415, 416, 429, 431, 500, 503}
FIXED_HEADERS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}


class IdConverter(IntegerConverter):
    """Matches ids in URLs: ASCII digits up to 2³¹−1. Anything else does not match, so the router answers 404."""

    regex = r"[0-9]{1,10}"

    def __init__(self, url_map: Any):
        super().__init__(url_map, min=1, max=MAX_ID)


def init_app(app: Flask) -> None:
    app.url_map.converters["id"] = IdConverter
    app.url_map.strict_slashes = False  # a redirect would break a CORS preflight
    app.json = JSON(app)
    app.log_exception = log_exception  # type: ignore[method-assign]
    trust_proxy(app)
    app.before_request(begin)
    app.after_request(finish)
    app.teardown_request(lambda error: engines.release())
    origins = [anchored(re.escape(origin)) for origin in app.config["CORS_ORIGINS"]]
    if not app.config["PRODUCTION"]:
        origins.append(anchored(LOOPBACK_ORIGIN))
    app.extensions["near_origins"] = list(origins)
    if not app.config["PRODUCTION"] and app.config["BEYOND_LOOPBACK"]:
        origins.append(anchored(PRIVATE_ORIGIN))
    app.extensions["cors_origins"] = origins
    app.extensions["cors"] = get_cors_options(app, {**CORS, "origins": origins})
    registry = CollectorRegistry()
    app.extensions["metrics"] = registry
    labels = ("method", "route", "status")
    count = Counter("halolight_requests", "Requests answered", labels, registry=registry)
    latency = Histogram("halolight_request_seconds", "Time to answer", labels, registry=registry)
    # prometheus_client looks a series up under a lock at each use. The cache has as many entries as there are series.
    app.extensions["series"] = cache(lambda *values: (count.labels(*values), latency.labels(*values)))


def anchored(pattern: str) -> re.Pattern[str]:
    """For flask-cors, which does not anchor a pattern itself, and takes the text `http://[::1]:3000` for one."""
    return re.compile(rf"{pattern}\Z", re.IGNORECASE)


def trust_proxy(app: Flask) -> None:
    """Take the client's address, host and scheme from TRUSTED_PROXY, whichever server runs the application."""
    if app.config["TRUSTED_PROXY"]:
        app.wsgi_app = proxy_headers_middleware(  # type: ignore[method-assign]
            app.wsgi_app,
            trusted_proxy=app.config["TRUSTED_PROXY"],
            trusted_proxy_headers={"x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"},
            clear_untrusted=False,
        )


def begin() -> None:
    """Set in `g` what every reply needs. Refuse the host, or the length of the body, before the view is called."""
    (g, request), config = unproxied(), current_app.config
    g.started = time.perf_counter()
    sent = request.headers.get("X-Request-ID", "")
    g.request_id = sent if re.fullmatch(r"[A-Za-z0-9._-]{1,64}", sent) else secrets.token_hex(8)
    g.language = language(request.headers.get("Accept-Language", ""), config["DEFAULT_LANGUAGE"])
    g.base_url = request.environ.get("halolight.base_url", f"{request.scheme}://{request.host}")
    g.headers = {**FIXED_HEADERS, "X-Request-ID": g.request_id, "Content-Language": g.language}
    g.ignored_fields, g.ignored_params = [], []
    # The server refused it before it read the body (`web.connections.Task`).
    if refused := request.environ.get("halolight.refused"):
        refuse(refused, NO_ROOM if refused == 503 else "")
    check_host(request.host, config)
    view = current_app.view_functions.get(request.endpoint or "")
    limit = limits.upload_bytes(config) if getattr(view, "takes_files", False) else config["MAX_CONTENT_LENGTH"]
    request.max_content_length = limit
    if (request.content_length or 0) > limit:
        refuse(413)


@limits.remembered(256)
def language(accepted: str, default: str) -> str:
    return parse_accept_header(accepted, LanguageAccept).best_match(LANGUAGES, default) or default


def check_host(host: str, config: Mapping[str, Any]) -> None:
    """DNS rebinding: refuse unknown Host names, because a page from such a host would count as same-origin."""
    allowed, production = config["ALLOWED_HOSTS"], config["PRODUCTION"]
    if (allowed or not production) and not host_allowed(host, allowed, production):
        shown = re.sub(r"[^\w.:\[\]-]", "", host)[:100] or "?"  # Werkzeug gives "" for what is no name
        refuse(403, f"Requests for the host {shown} are refused; allow it with ALLOWED_HOSTS")


@limits.remembered(256)
def host_allowed(host: str, allowed: tuple[str, ...], only_these: bool) -> bool:
    """Whether `host` is one of `allowed` or, unless only these are, a loopback name or an IP address."""
    name = re.sub(r":\d*\Z", "", host).lower().rstrip(".")
    if name in allowed or only_these:
        return name in allowed
    if f".{name}".endswith(".localhost"):
        return True
    try:
        return bool(ipaddress.ip_address(name.strip("[]")))
    except ValueError:
        return False


def finish(response: Response) -> Response:
    """Add the headers of every reply, then log and count the request."""
    (g, request), headers = unproxied(), response.headers
    headers.extend(g.get("headers", FIXED_HEADERS))
    for header, names in (("X-Ignored-Fields", "ignored_fields"), ("X-Ignored-Params", "ignored_params")):
        if g.get(names):
            headers[header] = ignored(g.get(names))
    if "Origin" in request.headers:
        set_cors_headers(response, current_app.extensions["cors"])
        if response.status_code == 404 and "Access-Control-Allow-Methods" in headers:
            # The preflight of an unknown route: refused, it would look like a CORS error, and hide the 404.
            response.status_code, response.data = 204, b""
            del headers["Content-Type"], headers["Content-Length"]
    if request.path.startswith("/api"):
        headers.setdefault("Cache-Control", "no-store")
        headers["Vary"] = "Authorization, Accept-Language, Origin"
    observe(response, g, request)
    return response


def ignored(names: list[str]) -> str:
    """The first 20 names, percent-encoded, in at most 500 bytes."""
    text = ",".join(quote(str(name)[:200].encode("utf-8", "replace"), safe="[]") for name in names[:20])
    return text if len(text) <= 500 else text[:500].rpartition(",")[0] or text[:500]


def observe(response: Response, g: Any, request: Request) -> None:
    """Count the request and log it in one line, with its route (`/api/users/<id:user_id>`): a path may hold a token."""
    now = time.perf_counter()
    seconds = now - g.get("started", now)
    route = request.url_rule.rule if request.url_rule else "(none)"
    method = request.method if request.method in METHODS else "other"
    status = response.status_code if response.status_code in STATUSES else "other"
    count, latency = current_app.extensions["series"](method, route, status)
    count.inc()
    latency.observe(seconds)
    user = g.caller.id if "caller" in g else "-"
    # `logs.JSONLines` makes a key of each of these values.
    fields = (g.get("request_id", "-"), user, request.method, route, response.status_code, round(seconds * 1000, 1))
    log.log(logging.DEBUG if g.get("watching") else logging.INFO, "%s user=%s %s %s %s %s ms", *fields)


def log_exception(exc_info: Any) -> None:
    """A bug, with the id that the reply names. Flask's own line has the path, and a path may hold a token."""
    route = request.url_rule.rule if request.url_rule else "(none)"
    logging.getLogger("halolight").error("%s %s %s", g.get("request_id", "-"), request.method, route, exc_info=exc_info)


def unproxied() -> tuple[Any, Request]:
    """`g` and `request` themselves. Flask's names are proxies, which look the object up at each use."""
    return g._get_current_object(), request._get_current_object()  # type: ignore[attr-defined]


class JSON(DefaultJSONProvider):
    """Flask's `jsonify`, by orjson: three times as fast as the standard library."""

    ensure_ascii = False
    sort_keys = False

    def response(self, *args: Any, **kwargs: Any) -> Any:
        body: Any = orjson.dumps(self._prepare_response_obj(args, kwargs), self.default)
        return self._app.response_class(body, mimetype=self.mimetype)
