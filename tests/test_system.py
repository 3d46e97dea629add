"""Health, metrics and the pages."""

import re
import threading

import pytest

from database import engines
from web.config import VERSION

PRODUCTION = {"NODE_ENV": "production", "JWT_SECRET": "x" * 32}
PAGES = ("/", "/docs", "/api/docs", "/redoc")


# --- Health and metrics ----------------------------------------------------------------------------------------------


def test_health_has_no_envelope_and_needs_no_token(app):
    reply = app.test_client().get("/health")
    assert reply.status_code == 200
    assert list(reply.json) == ["status", "timestamp", "version", "database"]
    assert (reply.json["status"], reply.json["version"], reply.json["database"]) == ("ok", VERSION, "ok")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", reply.json["timestamp"])


def test_health_is_503_when_the_database_does_not_answer(app, database_url):
    engines.db.close_all()
    engines.connect("postgresql://nobody@127.0.0.1:1/nothing")
    reply = app.test_client().get("/health")
    assert reply.status_code == 503
    assert (reply.json["status"], reply.json["database"]) == ("error", "error")
    engines.connect(database_url)
    assert app.test_client().get("/health").status_code == 200


def test_probes_give_their_connections_back(make_app):
    app, statuses = make_app(THREADS=2), []

    def probe():
        statuses.append(app.test_client().get("/health").status_code)

    for _ in range(6):  # more than the pool holds
        thread = threading.Thread(target=probe)
        thread.start()
        thread.join()
    assert statuses == [200] * 6


def test_metrics_count_requests_by_route_and_never_by_row(app, demo):
    for number in (1, 2):
        demo.get(f"/api/tasks/{number}")
    reply = app.test_client().get("/metrics")
    assert reply.content_type.startswith("text/plain")
    assert 'halolight_requests_total{method="GET",route="/api/tasks/<id:task_id>",status="404"} 2.0' in reply.text
    assert "halolight_request_seconds_bucket" in reply.text and "/api/tasks/1" not in reply.text


def test_metrics_are_absent_in_production_without_a_token(make_app):
    reply = make_app(**PRODUCTION).test_client().get("/metrics")
    assert reply.status_code == 404 and reply.json["error"]["code"] == "NOT_FOUND"


@pytest.mark.parametrize("environment", [{}, PRODUCTION])
def test_metrics_ask_for_their_token_where_one_is_set(make_app, environment):
    http = make_app(METRICS_TOKEN="open sesame", **environment).test_client()
    without = http.get("/metrics")
    wrong = http.get("/metrics", headers={"Authorization": "Bearer öpen"})
    assert (without.status_code, without.json["error"]["reason"]) == (401, "missing_token")
    assert (wrong.status_code, wrong.json["error"]["reason"]) == (401, "invalid_token")
    assert http.get("/metrics", headers={"Authorization": "Bearer open sesame"}).status_code == 200


# --- Pages -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_nothing_from_another_host_and_no_inline_script(app, path):
    reply = app.test_client().get(path)
    assert reply.status_code == 200 and reply.content_type == "text/html; charset=utf-8"
    policy = dict(part.strip().split(" ", 1) for part in reply.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == policy["script-src"] == "'self'" and policy["frame-ancestors"] == "'none'"
    assert not re.search(r"<script(?! src=\"/)|\son\w+=|(src|href)=\"(?!/)", reply.text)


@pytest.mark.parametrize("path", PAGES)
def test_all_that_a_page_asks_for_is_there(app, path):
    http = app.test_client()
    for asset in re.findall(r"(?:src|href|spec-url)=\"(/[^\"]*)\"", http.get(path).text):
        with http.get(asset) as reply:
            assert reply.status_code == 200, asset


@pytest.mark.parametrize("path", ["/redoc/redoc.js", "/docs/assets/swagger_bundle.js"])
def test_a_large_script_is_sent_once(app, path):
    http = app.test_client()
    with http.get(path) as first, http.get(path, headers={"If-None-Match": first.headers["ETag"]}) as again:
        assert first.status_code == 200 and first.mimetype == "text/javascript" and again.status_code == 304


@pytest.mark.parametrize("name", ["../__init__.py", "..%2f__init__.py", "nothing.js", "__init__.py"])
def test_only_the_files_of_swagger_ui_are_served(app, name):
    assert app.test_client().get(f"/docs/assets/{name}").status_code == 404


def test_the_home_page_offers_the_controls_to_whom_they_answer(app):
    http = app.test_client()
    assert 'id="accounts"' in http.get("/").text
    assert 'id="accounts"' not in http.get("/", environ_base={"REMOTE_ADDR": "192.168.0.9"}).text


def test_the_home_page_shows_links_only_in_production(make_app):
    text = make_app(**PRODUCTION, DOCS="on").test_client().get("/").text
    assert "HaloLight" in text and "/docs" in text and 'id="accounts"' not in text
