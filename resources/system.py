"""What is not a resource: health, metrics, the OpenAPI document, its two pages and the home page."""

from __future__ import annotations

import hmac
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import flask
from flask import Response, current_app, jsonify, make_response, render_template, request, send_from_directory
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from database import engines
from web import rules
from web.api import Blueprint
from web.config import SETS, VERSION
from web.document import document
from web.errors import DATABASE_ERRORS, refuse
from web.fields import base_url
from web.security import refuse_401

blp = Blueprint("system", __name__, description="For probes and monitoring")
pages = flask.Blueprint(
    "pages", __name__, template_folder="pages", static_folder="pages/static", static_url_path="/pages"
)
#: The document of the API and its two pages; production has them with DOCS=on.
documentation = flask.Blueprint("documentation", __name__, template_folder="pages")

#: Nothing from another host, and nothing inline.
CSP = "default-src 'self'; script-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
#: Both documentation pages style their elements one by one; ReDoc searches in a worker.
DOCS_CSP = f"{CSP}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; worker-src 'self' blob:"
HEALTH_KEYS = ["status", "timestamp", "version", "database"]
HEALTH = {"type": "object", "properties": {key: {"type": "string"} for key in HEALTH_KEYS}, "required": HEALTH_KEYS}


@blp.route("/health")
@blp.public
@blp.response(200, HEALTH, errors=(403,))
@blp.alt_response(503, schema=HEALTH)
def get_health():
    """Whether the database answers: what a probe reads, so without the envelope"""
    try:
        engines.db.execute_sql("SELECT 1").fetchall()
        status, database = 200, "ok"
    except DATABASE_ERRORS as error:
        current_app.logger.error("health: the database does not answer: %s", type(error).__name__)
        status, database = 503, "error"
    timestamp = engines.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    return make_response(jsonify(status=database, timestamp=timestamp, version=VERSION, database=database), status)


@blp.route("/metrics")
@blp.public
@blp.response(200, {"type": "string"}, content_type="text/plain", errors=(401, 404))
def get_metrics():
    """Requests and latency in Prometheus' text format; in production only with `METRICS_TOKEN`"""
    token, sent = current_app.config["METRICS_TOKEN"], request.headers.get("Authorization", "")
    if token:
        if not sent:
            refuse_401("missing_token", "Log in first")
        if not hmac.compare_digest(sent.encode(), f"Bearer {token}".encode()):
            refuse_401("invalid_token", "The token is not valid", token_sent=True)
    elif current_app.config["PRODUCTION"]:
        refuse(404)
    return Response(generate_latest(current_app.extensions["metrics"]), content_type=CONTENT_TYPE_LATEST)


def page(template: str, csp: str = DOCS_CSP, **values: Any) -> Response:
    return Response(render_template(template, **values), headers={"Content-Security-Policy": csp})


@pages.get("/")
def home():
    """Links, and what a front-end developer needs of the demo controls where they answer"""
    return page(
        "home.html",
        CSP,
        version=VERSION,
        controls=not current_app.config["PRODUCTION"] and rules.controls_open(),
        documented="documentation" in current_app.blueprints,
        origin=base_url(),
        sets=SETS,
    )


@documentation.get("/docs")
@documentation.get("/api/docs")
def swagger_ui():
    """The API, to be read and tried out"""
    return page("docs.html")


@documentation.get("/redoc")
def redoc():
    """The API, to be read"""
    return page("redoc.html")


@documentation.get("/openapi.json")
def openapi():
    """The API as an OpenAPI document"""
    return jsonify(document(current_app, base_url()))


@documentation.get("/docs/assets/<any('swagger_bundle.js', 'swagger_style.css'):name>")
def swagger_ui_asset(name):
    """A file of Swagger UI, out of the installed package"""
    return send_from_directory(assets(), name)


@documentation.get("/redoc/redoc.js")
def redoc_script():
    """ReDoc, out of the installed package"""
    reply = Response(redoc_source(), mimetype="text/javascript", headers={"Cache-Control": "no-cache"})
    reply.add_etag()
    return reply.make_conditional(request)


@cache
def redoc_source() -> str:
    """ReDoc's script without the logo that it would fetch from another host: it hides one that cannot be shown."""
    return (assets() / "redoc.js").read_text("utf-8").replace("https://cdn.redoc.ly/redoc/logo-mini.svg", "data:,")


@cache
def assets() -> Path:
    """The folder with the scripts of both pages. Importing the package would read all of them into memory."""
    package = find_spec("offapi")
    assert package is not None and package.origin is not None  # pinned in requirements.txt
    return Path(package.origin).parent
