"""What is not a resource: health, metrics, the OpenAPI document and its two pages."""

from __future__ import annotations

import hmac
import importlib.util
import logging
from functools import cache
from pathlib import Path

import peewee
from flask import Blueprint, Response, current_app, jsonify, render_template, request, send_from_directory
from flask_swagger_ui import flask_swagger_ui
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

import models
from resources.errors import Api, refuse

blp = Blueprint("system", __name__, template_folder="pages", static_folder="pages", static_url_path="/pages")
log = logging.getLogger("halolight")

VERSION = "0.1.0"
#: Nothing from another host and no inline script; both documentation pages style their elements one by one.
CSP = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "worker-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
SWAGGER_UI = Path(flask_swagger_ui.__file__).parent / "dist"


@blp.get("/health")
def health():
    """Whether the database answers: what a probe reads, so without the envelope"""
    try:
        models.db.execute_sql("SELECT 1").fetchall()
        status, database = "ok", "ok"
    except peewee.PeeweeException as error:
        log.error("health: the database does not answer: %s", type(error).__name__)
        status = database = "error"
    timestamp = models.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    reply = jsonify(status=status, timestamp=timestamp, version=VERSION, database=database)
    return reply, 200 if database == "ok" else 503


@blp.get("/metrics")
def metrics():
    """Requests and latency in Prometheus' text format"""
    token = current_app.config["METRICS_TOKEN"]
    if token:
        sent = request.headers.get("Authorization", "")
        if not hmac.compare_digest(sent.encode(), f"Bearer {token}".encode()):
            refuse(401, reason="invalid_token" if sent else "missing_token", www_authenticate='Bearer realm="metrics"')
    elif current_app.config["NODE_ENV"] == "production":
        refuse(404)
    return Response(generate_latest(current_app.extensions["metrics"]), content_type=CONTENT_TYPE_LATEST)


def page(template: str) -> Response:
    return Response(render_template(template), headers={"Content-Security-Policy": CSP})


@blp.get("/")
def home():
    """Links and demo accounts"""
    return page("home.html")


@blp.get("/docs")
@blp.get("/api/docs")
def swagger_ui():
    """The API, to be read and tried out"""
    return page("docs.html")


@blp.get("/redoc")
def redoc():
    """The API, to be read"""
    return page("redoc.html")


@blp.get("/openapi.json")
def openapi():
    """The API as an OpenAPI document"""
    return Response(
        document(current_app.extensions["flask-smorest"]["apis"][""]["ext_obj"]), mimetype="application/json"
    )


@cache
def document(api: Api) -> str:
    return current_app.json.dumps(api.spec.to_dict())


@blp.get("/docs/assets/<path:name>")
def swagger_ui_asset(name):
    """A file of Swagger UI, out of the installed package"""
    return send_from_directory(SWAGGER_UI, name, max_age=86400)


@blp.get("/redoc/redoc.js")
def redoc_script():
    """ReDoc, out of the installed package; its logo would be asked for from another host"""
    return Response(redoc_source(), mimetype="text/javascript", headers={"Cache-Control": "max-age=86400"})


@cache
def redoc_source() -> str:
    package = importlib.util.find_spec("mkdocs_redoc_tag")
    assert package is not None and package.origin is not None  # pinned in requirements.txt
    script = Path(package.origin).parent / "redoc" / "javascripts" / "redoc.standalone.js"
    return script.read_text("utf-8").replace(
        "https://cdn.redoc.ly/redoc/logo-mini.svg", "data:image/svg+xml,%3Csvg/%3E"
    )
