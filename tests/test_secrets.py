"""What a server writes and shows while it is used, well and badly: no secret, no forged line, each event once."""

from __future__ import annotations

import json
import logging
import re
import socket
import sys
from urllib.parse import quote, urlsplit

import pytest

from database import engines
from models import RefreshToken, User
from tests.servers import run
from web.logs import TextLines

JWT_SECRET = "a secret of thirty-two bytes or more"
EMAIL, PASSWORD, WRONG, NEW, LAST = "ann@example.com", "correct-horse", "wrong-guess", "battery-staple", "last-one-7"
UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202e]")


@pytest.fixture(params=["text", "json"])
def server(request, serve, database_url):
    """A server with a log in either format, and secrets that we know."""
    url = database_url.replace("postgres:@", "postgres:database-password@")
    server = serve(LOG_FORMAT=request.param, JWT_SECRET=JWT_SECRET, DATABASE_URL=url, TRUSTED_PROXY="127.0.0.1")
    engines.connect(database_url)
    yield server
    engines.db.close_all()


def raw(server, request):
    """What is answered to bytes, which may be no request that a library would send."""
    url = urlsplit(server.url)
    with socket.create_connection((url.hostname, url.port), timeout=20) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        return connection.makefile("rb").read().decode("utf-8", "replace")


def post(server, path, **body):
    return server.call("POST", f"/api/{path}", body)


def upload(server, token, filename="notes.txt"):
    form = f'--x\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\n\r\nhello\r\n--x--\r\n'
    kind = "multipart/form-data; boundary=x"
    return server.call("POST", "/api/files/upload", form.encode(), token, Content_Type=kind)[1]["data"]


def log_of(server):
    """The lines of the log; of one in JSON the values, so that both formats read alike."""
    lines = server.log.read_text("utf-8").split("\n")
    assert lines.pop() == ""
    return [" ".join(map(str, json.loads(line).values())) if line.startswith("{") else line for line in lines]


# --- Secrets ---------------------------------------------------------------------------------------------------------


def use(server):
    """Everything that a secret is sent to. The tokens that were given out, and the replies that refused something."""
    refusals = []

    def call(path, **body):
        status, reply = post(server, path, **body)
        refusals.extend([json.dumps(reply)] if status >= 400 else [])
        return reply.get("data")

    first = call("auth/register", email=EMAIL, password=PASSWORD)
    again = call("auth/login", email=EMAIL, password=PASSWORD)
    call("auth/login", email=EMAIL, password=WRONG)
    call("auth/login", email=WRONG, password=WRONG)
    call("auth/register", email=EMAIL, password=WRONG)
    renewed = call("auth/refresh", refreshToken=again["refreshToken"])
    with engines.write():
        RefreshToken.update(spent_at=1).where(RefreshToken.spent_at.is_null(False)).execute()
    call("auth/refresh", refreshToken=again["refreshToken"])
    call("auth/forgot-password", email=EMAIL)
    reset = server.call("GET", "/api/demo/mails")[1]["data"]["items"][0]["link"].partition("=")[2]
    for _ in "once", "twice":
        call("auth/reset-password", token=reset, password=NEW)
    last = call("auth/login", email=EMAIL, password=NEW)
    change = {"currentPassword": NEW, "newPassword": LAST}
    access = server.call("POST", "/api/auth/change-password", change, last["accessToken"])[1]["accessToken"]
    link = upload(server, access)["url"].rpartition("/")[2]
    given = [pair[name] for pair in (first, again, renewed, last) for name in ("accessToken", "refreshToken")]
    return [*given, access, reset, link], refusals


def misplace(server, token, access):
    """Send a token wherever it does not belong. The replies that refused something."""

    def to(method, target, body=None, **headers):
        return server.ask(method, target, body, access if "Authorization" not in headers else None, **headers)

    paths = ("", "api/", "api/users/", "api/files/raw/", "api/x/y?", "docs/assets/", "reset-password?token=")
    parameters = ("", "x=", "token=", "page=", "sort=", "status=", "assigneeId=", "_delay=", "_status=")
    headers = ("User-Agent", "Referer", "Accept-Language", "X-Demo-Delay", "X-Demo-Status", "Origin", "If-None-Match")
    replies = [
        *(to("GET", f"/{path}{token}") for path in paths),
        *(to("GET", f"/api/tasks?{name}{token}") for name in parameters),
        *(to("GET", "/api/nothing", **{name: token}) for name in headers),
        *(to("GET", "/api/tasks", Authorization=kind + token[:-1]) for kind in ("", "Basic ", "Bearer ", "x ")),
        *(to("POST", "/api/tasks", body) for body in ({token: 1}, {"title": "x", token: 1}, [token], token.encode())),
        *(to("PUT", "/api/users/me", {name: token}) for name in ("email", "avatar", "name")),
        to("GET", f"/api/auth/login?email={EMAIL}&password={LAST}&pwd={LAST}&pass={LAST}"),
        to("GET", "/api/tasks", X_Request_ID=token.ljust(65, "x")),
        to("GET", f"/api/files/raw/{token}", Range="bytes=99-"),
    ]
    return [text for status, text in replies if status >= 400]


def test_no_secret_is_in_the_log_the_metrics_the_request_list_or_a_refusal(server):
    tokens, refusals = use(server)
    access = post(server, "demo/login", email="admin@example.com")[1]["data"]["accessToken"]
    for token in tokens:
        refusals += misplace(server, token, access)
    for table in ("tasks", "file_parts"):  # from here on there are bugs: an exception while a token is in the request
        engines.db.execute_sql(f"ALTER TABLE {table} RENAME TO gone_{table}")
    failed = [
        server.ask("GET", f"/api/files/raw/{tokens[-1]}"),
        *(server.ask("GET", f"/api/tasks?token={token}", token=access) for token in tokens),
    ]
    assert {status for status, _ in failed} == {500}
    shown = {
        "metrics": server.ask("GET", "/metrics")[1],
        "requests": server.ask("GET", "/api/demo/requests?pageSize=200")[1],
        "refusals": "\n".join([*refusals, *(text for _, text in failed)]),
        # The one place where a secret is meant to be: in development a mail is a line of the log.
        "log": "\n".join(line for line in log_of(server) if f"mail to {EMAIL}: http" not in line),
    }
    assert all(len(text) > 1000 for text in shown.values()) and "Traceback" in shown["log"]
    passwords = (PASSWORD, WRONG, NEW, LAST, "123456", JWT_SECRET, "database-password")
    # Of a token its signature, but for the end: that is never shown, whatever else of it may be.
    for secret in (*(token.rpartition(".")[2][:-1] for token in tokens), *passwords):
        assert [name for name, text in shown.items() if secret in text] == [], secret


def test_a_broken_constraint_is_logged_without_the_row(app, root, caplog, monkeypatch):
    def bug(**_):
        User.update(email=None).where(User.id == root.id).execute()

    monkeypatch.setitem(app.view_functions, "tasks.list_tasks", bug)
    assert root.get("/api/tasks").status_code == 500
    assert "IntegrityError" in caplog.text and "in bug" in caplog.text
    assert "pbkdf2" not in caplog.text and "admin@example.com" not in caplog.text


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("JWT_SECRET", "hunter2"),
        ("METRICS_TOKEN", "hunter2"),
        *(
            ("DATABASE_URL", url)
            for url in (
                "hunter2",
                "mysql://u:hunter2@localhost/x",
                "postgresql://u:hunter2@127.0.0.1:1/x",
                "postgresql://u:hunter2@127.0.0.1:hunter2/x",
                "postgresql://u:hunter2",
                *(
                    f"postgresql://u:{word}@127.0.0.1:1/x"
                    for word in ("hunter2/y", "y/hunter2", "y@hunter2", "hunter2#")
                ),
                *(
                    f"postgresql://u:{word}@127.0.0.1:1/x"
                    for word in ("y@hunter2/z", "[hunter2", "[hunter2]", "hunter2?y")
                ),
            )
        ),
    ],
)
def test_no_secret_is_in_what_a_refused_start_says(tmp_path, variable, value):
    # Last, the port is refused: not every secret is wrong.
    environment = {"PORT": "x", "DATABASE_URL": f"sqlite:///{tmp_path / 'x.db'}", variable: value}
    if variable == "DATABASE_URL":
        del environment["PORT"]
    code, output, errors = run(**environment)
    assert (code, output, errors.count("\n")) == (2, "", 1) and "hunter2" not in errors, errors


# --- Events ----------------------------------------------------------------------------------------------------------


def test_each_event_leaves_one_line_that_names_it(server):
    ids = {user.email.partition("@")[0]: user.id for user in User.select()}
    demo = {"email": "demo@halolight.h7ml.cn", "password": "123456"}
    guest = post(server, "demo/login", email="guest@halolight.h7ml.cn")[1]["accessToken"]
    spent = post(server, "auth/login", **demo)[1]["refreshToken"]
    post(server, "auth/refresh", refreshToken=spent)
    with engines.write():
        RefreshToken.update(spent_at=1).where(RefreshToken.spent_at.is_null(False)).execute()
        idle = User.get(User.status == "suspended")
        User.update(password_hash=User.get_by_id(ids["demo"]).password_hash).where(User.id == idle.id).execute()
    for method, path, body, token, line in (
        ("POST", "auth/login", demo, "", f"login of user {ids['demo']} from "),
        ("POST", "auth/login", {**demo, "password": "x"}, "", f"login failed for user {ids['demo']} from "),
        ("POST", "auth/login", {**demo, "email": "x"}, "", "login failed for user (unknown) from "),
        ("POST", "auth/login", {**demo, "email": idle.email}, "", f"login refused for user {idle.id} from "),
        ("POST", "auth/refresh", {"refreshToken": spent}, "", f"spent refresh token of user {ids['demo']} sent again"),
        ("GET", "users", None, guest, f"{ids['guest']} GET /api/users 403 "),
        ("POST", "tasks", {}, guest, f"{ids['guest']} POST /api/tasks 403 "),
        ("GET", "demo/accounts", None, "", "- GET /api/demo/accounts 200 "),
        ("POST", "demo/login", {"email": demo["email"]}, "", f"demo: login as user {ids['demo']}"),
        ("POST", "demo/expire-tokens", {}, guest, "demo: the access tokens of 1 sessions expired"),
        ("GET", "demo/mails", None, "", "- GET /api/demo/mails 200 "),
        ("GET", "demo/requests", None, "", "- GET /api/demo/requests 200 "),
        ("POST", "demo/reset", {}, "", "demo: reset"),
    ):
        before = len(log_of(server))
        server.ask(method, f"/api/{path}", body, token)
        written = log_of(server)[before:]
        assert [line in each for each in written].count(True) == 1, (path, written)
        assert [f" {method} /api/{path} " in each for each in written].count(True) == 1 and len(written) <= 2, written


# --- Forged lines ----------------------------------------------------------------------------------------------------

FORGED = "2026-11-24 INFO forged"
HOSTILE = f"x\r\n{FORGED}\n{FORGED}\r{FORGED}\x1b[2J\x85\x9b2J\u2028{FORGED}\u2029\u202e"
REQUESTS = [
    "G\x1b[2JT /api/users HTTP/1.1\r\nHost: localhost\r\n\r\n",
    f"GET /api/{quote(HOSTILE)}?{quote(HOSTILE)}={quote(HOSTILE)} HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "GET /api/\x1b[2J\u2028\x85 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    *(
        f"GET /api/users HTTP/1.1\r\nHost: localhost\r\n{name}: x{hostile}{FORGED}\r\n\r\n"
        for hostile in ("\x1b[2J", "\x85\x9b2J\u2028", "\r\n ")
        for name in ("User-Agent", "X-Request-ID", "X-Forwarded-For", "Referer", "Authorization", "Accept-Language")
    ),
    f"GET /api/users HTTP/1.1\r\nHost: x\x1b[2J\u2028{FORGED}\r\n\r\n",
]


def lines_in(server):
    """How many lines there are for whoever reads the log; none may hold what ends a line elsewhere."""
    text = server.log.read_text("utf-8")
    assert not UNSAFE.search(text), UNSAFE.findall(text)
    return len([line for line in text.split("\n") if line and "waitress.queue" not in line])


def test_a_hostile_request_is_one_line_of_the_log(server):
    for request in REQUESTS:
        before = lines_in(server)
        reply = raw(server, request.encode())
        assert re.match(r"HTTP/1\.[01] 4\d\d ", reply), (request, reply)
        # What waitress itself refuses, because it is hardly HTTP, reaches no log.
        assert lines_in(server) - before == ("x-request-id:" in reply.lower()), (request, server.log.read_text())


def test_hostile_text_in_rows_and_bodies_is_one_line_of_the_log(server):
    email = '"\x1b[2J"@example.com'
    assert post(server, "auth/register", email=email, password=PASSWORD)[0] == 201
    token = post(server, "auth/login", email=email, password=PASSWORD)[1]["accessToken"]
    proxied = {"X_Forwarded_For": "\x9b2J\x85"}
    before = lines_in(server)
    for lines, call in (
        (2, lambda: post(server, "auth/forgot-password", email=email)),
        (2, lambda: post(server, "auth/login", email=HOSTILE, password=HOSTILE)),
        (2, lambda: server.ask("POST", "/api/auth/login", {"email": "x", "password": "x"}, **proxied)),
        (1, lambda: server.ask("PUT", "/api/users/me", {"name": HOSTILE}, token)),
        (1, lambda: server.ask("POST", "/api/tasks", {"title": HOSTILE, HOSTILE: HOSTILE}, token)),
        (1, lambda: upload(server, token, quote(HOSTILE))),
    ):
        call()
        before += lines
        assert lines_in(server) == before, server.log.read_text()


def test_a_traceback_is_indented_whatever_is_in_it():
    try:
        raise ValueError(HOSTILE)
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, "", 1, "failed: %s", (HOSTILE,), sys.exc_info())
    first, *others = TextLines("%(message)s").format(record).split("\n")
    assert first.startswith("failed: x\\r\\n2026") and len(others) > 3
    assert all(line.startswith("  ") and not UNSAFE.search(line) for line in others)
