"""A real Chromium with every host but localhost out of reach: the pages, and a front end on another port."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.servers import show_only

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

EMAIL, PASSWORD = "admin@example.com", "123456"
sync_api.expect.set_options(timeout=20_000)
#: SQLite only: a browser does not see which database answers.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def front_end() -> Iterator[str]:
    """The URL of a front end that another server serves."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(Path(__file__).parent))) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}).start()
        yield f"http://localhost:{server.server_port}/frontend.html"
        server.shutdown()


def log_in_on_docs(page, url):
    page.goto(f"{url}/docs")
    operation = page.locator("#operations-auth-login")
    operation.locator("button.opblock-summary-control").click()
    operation.locator("textarea").fill(json.dumps({"email": EMAIL, "password": PASSWORD}))
    operation.get_by_role("button", name="Execute").click()
    sync_api.expect(operation.locator(".live-responses-table tr.response")).to_contain_text("200")


def log_in(page, front_end, server):
    page.goto(front_end)
    reply = page.evaluate("args => logIn(...args)", [server.url, EMAIL, PASSWORD])
    assert reply["user"]["email"] == EMAIL
    return reply


@pytest.mark.parametrize(
    ("html", "complaint"),
    [
        ("<script>console.error('so')</script>", "console: so"),
        ("<script>throw new Error('so')</script>", "uncaught so"),
        ("<img src='http://elsewhere.example/x.png'>", "request to http://elsewhere.example"),
        ("<meta http-equiv='Content-Security-Policy' content='img-src data:'><img src='/x.png'>", "violates"),
    ],
)
def test_nothing_wrong_on_a_page_goes_unnoticed(page, complaints, serve, html, complaint):
    page.goto(f"{serve().url}/health")
    page.set_content(html, wait_until="networkidle")
    assert any(complaint in line for line in complaints)
    complaints.clear()


def test_both_pages_of_the_documentation_list_every_operation(page, serve):
    url = serve().url
    operations = page.request.get(f"{url}/openapi.json").text().count('"operationId"')
    page.goto(f"{url}/docs")
    sync_api.expect(page.locator(".opblock")).to_have_count(operations)
    page.goto(f"{url}/redoc")
    sync_api.expect(page.locator("div[id*='/operation/']")).to_have_count(operations)


def test_a_login_on_the_documentation_page_authorizes_what_follows_also_after_a_reload(page, serve):
    url = serve().url
    show_only(page, url, "/api/auth/login", "/api/auth/me")
    log_in_on_docs(page, url)
    page.reload()
    operation = page.locator("#operations-auth-getCurrentUser")
    operation.locator("button.opblock-summary-control").click()
    operation.get_by_role("button", name="Execute").click()
    sync_api.expect(operation.locator(".live-responses-table")).to_contain_text(EMAIL)


def test_a_token_entered_by_hand_survives_a_reload(page, serve):
    url = serve().url
    show_only(page, url, "/api/auth/me")
    page.goto(f"{url}/docs")
    page.locator(".auth-wrapper > button.authorize").click()
    dialog = page.locator(".dialog-ux")
    dialog.locator("input").fill("a.token.of.mine")
    dialog.get_by_role("button", name="Apply credentials").click()
    page.reload()
    page.locator(".auth-wrapper > button.authorize.locked").click()
    sync_api.expect(page.locator(".dialog-ux").get_by_role("button", name="Remove authorization")).to_be_visible()


def test_a_front_end_on_another_port_reads_replies_and_their_headers(page, serve, front_end):
    server = serve()
    log_in(page, front_end, server)
    reply = page.evaluate("call('/api/users?pageSize=2&colour=red')")
    assert [row["id"] for row in reply["body"]["data"]["items"]] == [1, 2]
    assert reply["headers"]["x-total-count"] == "30" and 'rel="next"' in reply["headers"]["link"]
    assert reply["headers"]["x-request-id"] and reply["headers"]["x-ignored-params"] == "colour"
    assert 'method="OPTIONS",route="/api/users",status="200"' in page.request.get(f"{server.url}/metrics").text()


def test_three_requests_that_find_the_token_expired_renew_it_once_and_succeed(page, serve, front_end, complaints):
    server = serve()
    log_in(page, front_end, server)
    assert server.ask("POST", "/api/demo/expire-tokens")[0] == 200  # not by a short life: the renewed one would expire
    seen, paths = [], ["/api/users", "/api/tasks", "/api/contacts"]
    page.on("response", lambda reply: seen.append((urlsplit(reply.url).path, reply.status)))
    replies = page.evaluate("paths => Promise.all(paths.map((path) => call(path)))", paths)
    assert [reply["status"] for reply in replies] == [200, 200, 200]
    twice = [(path, status) for path in paths for status in (401, 200)]
    assert sorted(seen) == sorted([*twice, ("/api/auth/refresh", 200)])
    assert len(complaints) == 3 and all("401" in line for line in complaints)
    complaints.clear()


def test_a_page_of_an_origin_that_is_not_allowed_reads_nothing(page, serve, front_end, complaints):
    server = serve()
    page.goto(front_end.replace("localhost", "evil.example"))
    for what in (f"url => logIn(url, '{EMAIL}', '{PASSWORD}')", "url => fetch(url + '/health')"):
        with pytest.raises(sync_api.Error, match="Failed to fetch"):
            page.evaluate(what, server.url)
    assert sum("blocked by CORS policy" in line for line in complaints) == 2
    complaints.clear()


def test_a_name_that_leads_here_by_dns_is_refused_and_told_how_to_be_allowed(page, serve, complaints):
    url = serve().url.replace("127.0.0.1", "evil.example")
    for path in ("/", "/docs", "/api/users", "/health"):
        reply = page.goto(url + path)
        assert reply.status == 403 and "ALLOWED_HOSTS" in reply.json()["error"]["message"]
    page.goto("about:blank")
    complaints.clear()


def test_an_avatar_is_a_picture_of_ours(page, serve, front_end):
    server = serve()
    avatar = log_in(page, front_end, server)["user"]["avatar"]
    assert avatar.startswith(server.url)
    drawn = "async src => { const image = new Image(); image.src = src; await image.decode(); return image.width; }"
    assert page.evaluate(drawn, avatar) == 96


def test_a_page_sees_one_request_fail_and_one_reply_break_off(page, serve, front_end, complaints):
    server = serve()
    log_in(page, front_end, server)
    for rule in ({"path": "/api/users", "status": 503}, {"path": "/api/tasks", "body": "cut", "email": EMAIL}):
        assert server.ask("POST", "/api/demo/rules", {**rule, "times": 1})[0] == 201
    fetched = """async (path) => {
        const reply = await fetch(base + path, { headers: { Authorization: `Bearer ${tokens.accessToken}` } });
        const timed = reply.headers.get("Server-Timing").startsWith("app;dur=");
        return [reply.status, timed, await reply.json().then((body) => body.success, (error) => error.name)];
    }"""
    seen = [page.evaluate(fetched, path) for path in ("/api/users", "/api/users", "/api/tasks", "/api/tasks")]
    assert seen == [[503, True, False], [200, True, True], [200, True, "TypeError"], [200, True, True]]
    assert len(complaints) == 2 and "503" in complaints[0] and "ERR_CONTENT_LENGTH_MISMATCH" in complaints[1]
    complaints.clear()
