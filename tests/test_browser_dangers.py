"""What other sites, uploaded files and names could do to whoever has HaloLight open in a browser: nothing."""

from __future__ import annotations

import contextlib
import re
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote, urlsplit

import pytest

from seeds.pictures import picture
from tests.servers import show_only

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = sync_api.expect

#: SQLite only: a browser does not see which database answers.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
expect.set_options(timeout=20_000)
EMAIL, PASSWORD = "admin@example.com", "123456"
HTML = b"<!doctype html><script>ran('%s')</script>"


@dataclass
class Site:
    """Another web server. It says of each of its pages what a test wants it to: path → type and content."""

    port: int
    pages: dict[str, tuple[str, bytes]] = field(default_factory=dict)

    def add(self, path: str, content: str | bytes, content_type: str = "text/html; charset=utf-8") -> str:
        self.pages[path] = content_type, content.encode() if isinstance(content, str) else content
        return self.url(path)

    def url(self, path: str, host: str = "localhost") -> str:
        return f"http://{host}:{self.port}{path}"


class Answer(BaseHTTPRequestHandler):
    def __init__(self, pages: dict[str, tuple[str, bytes]], *args: object):
        self.pages = pages
        super().__init__(*args)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        content_type, content = self.pages.get(self.path, ("text/plain", b""))
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.end_headers()
        with contextlib.suppress(ConnectionError):  # a browser takes no more of what it will not show
            self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def site() -> Iterator[Site]:
    pages: dict[str, tuple[str, bytes]] = {}
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Answer, pages)) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}).start()
        yield Site(server.server_port, pages)
        server.shutdown()


@pytest.fixture
def ran(page) -> list[str]:
    """What the scripts that ran called themselves: whatever is hostile here calls `ran()`, in whatever frame."""
    names: list[str] = []
    page.expose_function("ran", lambda name: names.append(name))
    return names


def log_in(page, url):
    """The headers of somebody who is logged in."""
    reply = page.request.post(f"{url}/api/auth/login", data={"email": EMAIL, "password": PASSWORD})
    return {"Authorization": f"Bearer {reply.json()['accessToken']}"}


# --- Pages of other sites --------------------------------------------------------------------------------------------

#: Tries to read what is public, what a preflight comes before, and what a login answers, with and without one.
READER = """<!doctype html><link rel="icon" href="data:,"><p id="read"></p><script>(async () => {
  const read = (path, options) => fetch("%s" + path, options).then((reply) => reply.status, () => "nothing");
  const post = (email, type) => ({ method: "POST", body: JSON.stringify({ email, password: "123456" }), headers: {
    "Content-Type": type } });
  const found = [
    await read("/health"),
    await read("/api/demo/accounts", { credentials: "include" }),
    await read("/api/users", { headers: { Authorization: "Bearer x" } }),
    await read("/api/auth/login", post("admin@example.com", "application/json")),
    await read("/api/demo/login", post("admin@example.com", "text/plain")),
  ];
  document.getElementById("read").textContent = found.join(" ");
})()</script>"""
NOTHING = "nothing nothing nothing nothing nothing"


def test_only_a_page_of_an_allowed_origin_reads_a_reply(page, site, serve, complaints):
    url = serve().url
    site.add("/reader", READER % url)
    site.add("/sandboxed", '<iframe sandbox="allow-scripts" src="/reader"></iframe>')
    site.add("/data", f'<iframe src="data:text/html,{quote(READER % url)}"></iframe>')
    for host, path, found in (
        ("localhost", "/reader", "200 200 401 200 415"),
        ("evil.example", "/reader", NOTHING),
        ("localhost.evil.example", "/reader", NOTHING),
        ("localhost", "/sandboxed", NOTHING),  # these two have the origin `null`
        ("localhost", "/data", NOTHING),
    ):
        page.goto(site.url(path, host))
        expect(page.frames[-1].locator("#read")).to_have_text(found)
    assert sum("blocked by CORS policy" in line for line in complaints) == 4 * 5
    complaints.clear()


#: Fields whose names and values make a body that is JSON where a form is sent as text.
AS_JSON = {'{"email": "admin@example.com", "password": "123456", "refreshToken": "x", "x": "': '"}'}
AS_FORM = {"email": "new@example.com", "password": "123456", "refreshToken": "x", "token": "x"}
SUBMIT = """([url, type, policy, fields]) => new Promise((done) => {
  const form = document.querySelector("form");
  form.replaceChildren();
  form.action = url;
  form.enctype = type;
  for (const [name, value] of Object.entries(fields)) {
    form.append(Object.assign(document.createElement("input"), { name, value }));
  }
  document.querySelector("iframe").onload = done;
  document.querySelector("meta").content = policy;
  form.submit();
})"""


def everything_in(database_url):
    with contextlib.closing(sqlite3.connect(database_url.removeprefix("sqlite:///"))) as connection:
        return list(connection.iterdump())


def test_a_form_on_another_site_changes_nothing(page, site, serve, complaints, database_url):
    server = serve()
    before = everything_in(database_url)
    # One frame for all of them: each new one would start a process of the browser.
    site.add("/form", '<meta name="referrer"><form method="post" target="sink"></form><iframe name="sink"></iframe>')
    page.goto(site.url("/form", "evil.example"))
    replies: list[tuple[str, int]] = []
    page.on("response", lambda reply: replies.append((urlsplit(reply.url).path, reply.status)))
    described = page.request.get(f"{server.url}/openapi.json").json()["paths"]
    paths = [path for path in described if re.match("/api/(auth|demo)/", path) and "post" in described[path]]
    forms = [("text/plain", AS_JSON), ("application/x-www-form-urlencoded", AS_FORM), ("multipart/form-data", AS_FORM)]
    for path in paths:
        for content_type, fields in forms:
            for policy in ("origin", "no-referrer"):  # the second makes the browser send `Origin: null`
                page.evaluate(SUBMIT, [server.url + path, content_type, policy, fields])
    assert [path for path, _ in replies] == [path for path in paths for _ in range(6)]
    assert {status for _, status in replies} <= {401, 403, 415}, replies
    assert everything_in(database_url) == before
    complaints.clear()


# --- Uploaded files --------------------------------------------------------------------------------------------------

XHTML = b'<html xmlns="http://www.w3.org/1999/xhtml"><script>ran("%s")</script></html>'
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>ran("%s")</script></svg>'
XML = b'<?xml version="1.0"?><x><script xmlns="http://www.w3.org/1999/xhtml">ran("%s")</script></x>'
#: Name, the type that is claimed, the type with which it would run, content.
HOSTILE = [
    ("page.html", "text/html", "text/html", HTML),
    ("drawing.svg", "image/svg+xml", "image/svg+xml", SVG),
    ("page.xhtml", "application/xhtml+xml", "application/xhtml+xml", XHTML),
    ("data.xml", "application/xml", "application/xml", XML),
    ("photo.png", "image/png", "text/html", HTML),
    ("drawing.png", "image/png", "image/svg+xml", SVG),
    ("page.txt", "text/plain", "text/html", HTML),
    ("half.png", "image/png", "text/html", picture(1) + HTML),
    ("late.txt", "text/plain", "text/html", b"Once upon a time " + HTML),
    ("utf-16.html", "text/html", "text/html; charset=utf-16le", (HTML % b"utf-16.html").decode().encode("utf-16le")),
]
SCRIPT = ("script.js", "text/javascript", "text/javascript", b"ran('%s')")


def contents(name, content):
    return content.replace(b"%s", name.encode())


def run_all(page, site, urls):
    """Open each URL, then show them, eight on a page, in every element that could run one, until all is quiet."""
    for url in urls:
        with contextlib.suppress(sync_api.Error):  # what is saved is not shown: "Download is starting"
            page.goto(url)
    tags = (("iframe", "src"), ("object", "data"), ("embed", "src"), ("img", "src"), ("script", "src"))
    for start in range(0, len(urls), 8):
        some = urls[start : start + 8]
        shown = "".join(f'<{tag} {source}="{url}"></{tag}>' for url in some for tag, source in tags)
        shown = f"<!doctype html>{shown}<script>ran('the page')</script>"
        page.goto(site.add(f"/shown/{start}", shown), wait_until="networkidle")


def test_a_script_that_runs_does_not_go_unnoticed(page, site, ran, complaints):
    for number, (name, _, content_type, content) in enumerate((*HOSTILE, SCRIPT)):
        site.add(f"/{number}", contents(name, content), content_type)  # <object> would take `.png` for a picture
    run_all(page, site, [site.url(path) for path in site.pages])
    # Opened, in <iframe>, <object> and <embed>; a script only in <script>.
    assert Counter(ran) == {**{name: 4 for name, *_ in HOSTILE}, "script.js": 1, "the page": 2}
    complaints.clear()


def test_no_script_in_an_uploaded_file_runs_whatever_it_is_called(page, site, serve, ran, complaints):
    server = serve()
    headers, urls = log_in(page, server.url), []
    for name, mime, _, content in (*HOSTILE, SCRIPT):
        file = {"name": name, "mimeType": mime, "buffer": contents(name, content)}
        reply = page.request.post(f"{server.url}/api/files/upload", multipart={"file": file}, headers=headers)
        data = reply.json()["data"]
        urls += [data["url"], f"{server.url}/api/files/{data['id']}/download"]
    page.set_extra_http_headers(headers)  # for the downloads, which ask for a login
    statuses = []
    page.on("response", lambda reply: statuses.append(reply.status) if "/api/files/" in reply.url else None)
    run_all(page, site, [*urls, *(f"{url}?inline=1" for url in urls)])
    assert len(statuses) >= 4 * 4 * len(HOSTILE) and set(statuses) == {200}
    assert set(ran) == {"the page"}
    complaints.clear()


def test_the_avatar_of_a_hostile_name_is_a_picture_and_no_more(page, site, serve, ran, complaints):
    server = serve()
    headers = log_in(page, server.url)
    for name in ("<script>ran('avatar')</script>", "</text><script>ran('avatar')</script>", "<b onload=ran('avatar')"):
        reply = page.request.put(f"{server.url}/api/users/me", data={"name": name}, headers=headers)
        ran.clear()
        run_all(page, site, [reply.json()["data"]["avatar"]])
        assert ran == ["the page"]
        page.goto(reply.json()["data"]["avatar"])
        assert page.locator("text").text_content().startswith("<")
    complaints.clear()


# --- Names and titles on our own pages -------------------------------------------------------------------------------

NAMES = ["<img src=x onerror=\"ran('img')\">", "\"'><script>ran('script')</script>", "[x](javascript:ran('link'))"]


@pytest.fixture
def hostile(page, serve):
    """The URL of a server in which every name that a page could show is hostile."""
    url = serve().url
    headers = log_in(page, url)
    for name in NAMES:
        page.request.put(f"{url}/api/users/me", data={"name": name, "department": name}, headers=headers)
        for path, key in (("teams", "name"), ("documents", "title"), ("tasks", "title"), ("folders", "name")):
            reply = page.request.post(f"{url}/api/{path}", data={key: name, "description": name}, headers=headers)
            assert reply.status == 201, reply.text()
        page.request.get(f"{url}/api/tasks?{quote(name)}={quote(name)}", headers=headers)
    return url


def test_no_name_runs_on_the_home_page(page, hostile, ran):
    for name in NAMES:
        page.request.put(f"{hostile}/api/users/me", data={"name": name}, headers=log_in(page, hostile))
        page.goto(hostile)
        expect(page.locator("#accounts")).to_contain_text(name)
        expect(page.locator("#requests")).to_contain_text(name)
    assert ran == []


def test_no_name_runs_in_a_reply_on_the_documentation_page(page, hostile, ran):
    show_only(page, hostile, *(f"/api/{name}" for name in ("users", "teams", "documents", "tasks")))
    page.goto(f"{hostile}/docs")
    page.locator(".auth-wrapper > button.authorize").click()
    page.locator(".dialog-ux input").fill(log_in(page, hostile)["Authorization"].removeprefix("Bearer "))
    page.locator(".dialog-ux").get_by_role("button", name="Apply credentials").click()
    page.locator(".dialog-ux").get_by_role("button", name="Close").click()
    for name in ("users-listUsers", "teams-listTeams", "documents-listDocuments", "tasks-listTasks"):
        operation = page.locator(f"#operations-{name}")
        operation.locator("button.opblock-summary-control").click()
        operation.get_by_role("button", name="Execute").click()
        expect(operation.locator(".live-responses-table")).to_contain_text("javascript:ran")
    assert ran == []


def test_no_address_of_a_page_runs_a_script_or_shows_the_document_of_another_site(page, site, serve, ran):
    elsewhere, url = site.add("/openapi.json", '{"openapi": "3.1.0", "info": {"title": "Elsewhere"}}'), serve().url
    query = "&".join(f"{name}={quote(elsewhere)}" for name in ("url", "urls", "configUrl", "spec-url"))
    show_only(page, url, "/api/users/me")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    names = quote("".join(NAMES))
    for path in ("/", "/docs", "/redoc"):
        for end in (f"?{query}", f"?x={names}#/{names}/{names}"):
            page.goto("about:blank")
            page.goto(f"{url}{path}{end}", wait_until="networkidle")
            assert "Elsewhere" not in page.content()
    assert ran == [] and not [each for each in asked if each.startswith(elsewhere)]
