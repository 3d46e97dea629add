"""The demo controls: each of them, whom they answer, and that they are in nobody's way."""

import json
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import g

import seed
from database import base, engines
from models import Mail, Task, User
from tests.conftest import ACCOUNTS, ROOT
from web import config
from web.rules import from_options

CONTROLS = (
    *(("GET", "/api/demo/accounts"), ("GET", "/api/demo/mails"), ("GET", "/api/demo/requests")),
    *(("POST", "/api/demo/reset"), ("POST", "/api/demo/expire-tokens"), ("POST", "/api/demo/login")),
    *(("POST", "/api/demo/rules"), ("POST", "/api/demo/clock")),
)


@pytest.fixture
def http(app):
    return app.test_client()


@pytest.mark.parametrize("how", [{"query_string": "_delay=800"}, {"headers": {"X-Demo-Delay": "800"}}])
def test_a_reply_is_delayed_and_says_how_long(http, naps, how):
    reply = http.get("/api/users", **how)
    assert naps == [0.8] and reply.status_code == 401
    assert reply.headers["X-Demo-Delay"].isdigit() and "X-Ignored-Params" not in reply.headers


def test_half_of_the_threads_stay_awake(app, http, naps):
    for _ in range(app.config["THREADS"] // 2):
        assert app.extensions["sleepers"].acquire(blocking=False)
    assert http.get("/api/users?_delay=800").headers["X-Demo-Delay"] == "0" and naps == []


def test_a_delay_comes_before_the_login_and_holds_neither_connection_nor_lock(app, demo, monkeypatch):
    seen = []
    kept = isinstance(engines.db.obj, engines.SQLite)  # one connection per thread, held anyway

    def nap(seconds):
        seen.append(("caller" in g, engines.db.in_transaction(), engines.db.is_closed() or kept))

    monkeypatch.setattr(time, "sleep", nap)
    assert demo.post("/api/tasks?_delay=800", {"title": "x"}).status_code == 201
    assert seen == [(False, False, True)]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 418, 429, 499, 500, 503, 599])
def test_a_forced_status_comes_in_the_envelope_and_the_view_is_not_run(demo, status):
    reply = demo.post(f"/api/tasks?_status={status}", {"title": "x"})
    assert reply.status_code == status and reply.json["success"] is False and reply.json["error"]["code"]
    assert not Task.select().where(Task.title == "x").exists()
    assert ("Retry-After" in reply.headers) is (status in (429, 503))
    assert ("WWW-Authenticate" in reply.headers) is (status == 401)


def test_a_forced_401_says_what_a_real_one_would(http, demo):
    assert http.get("/api/users?_status=401").json["error"]["reason"] == "missing_token"
    reply = demo.get("/api/users?_status=401")
    assert reply.json["error"]["reason"] == "invalid_token" and "invalid_token" in reply.headers["WWW-Authenticate"]


@pytest.mark.parametrize("query", ["_delay=10001", "_delay=-1", "_delay=x", "_status=200", "_status=600", "_status="])
def test_a_delay_or_status_out_of_range_is_refused_by_name(http, query):
    reply = http.get(f"/api/users?{query}")
    assert reply.status_code == 400 and reply.json["error"]["details"][0]["field"] == query.partition("=")[0]


def test_preflights_probes_and_the_controls_themselves_are_left_alone(http, naps):
    for path in ("/health", "/metrics", "/api/demo/accounts"):
        assert http.get(f"{path}?_status=503&_delay=100").status_code == 200
    headers = {"Origin": "http://localhost:3000", "Access-Control-Request-Method": "GET"}
    assert http.options("/api/users?_status=503&_delay=100", headers=headers).status_code == 200
    assert naps == []


def test_the_command_line_delays_and_fails_all(app, http, naps):
    from_options(app, delay="200-800", fail_rate="1")
    assert http.get("/api/users").status_code in (500, 503) and 0.2 <= naps[0] <= 0.8
    assert http.get("/api/demo/accounts").status_code == http.get("/health").status_code == 200


@pytest.mark.parametrize(
    ("delay", "rate"),
    [("x", None), ("800-200", None), ("0-10001", None), ("", None), (None, "2"), (None, "x"), (None, "-1")],
)
def test_a_bad_option_is_refused_in_one_line(app, delay, rate):
    with pytest.raises(config.BadConfiguration, match="^--(delay|fail-rate): "):
        from_options(app, delay=delay, fail_rate=rate)


@pytest.mark.parametrize("options", [("200-800", None), (None, "0.05")])
def test_production_neither_delays_nor_fails(make_app, options):
    app = make_app(NODE_ENV="production", JWT_SECRET="x" * 32)
    with pytest.raises(config.BadConfiguration, match="development only"):
        from_options(app, delay=options[0], fail_rate=options[1])
    reply = app.test_client().get("/api/users?_delay=5000&_status=503")
    assert reply.status_code == 401 and "X-Demo-Delay" not in reply.headers


def test_a_reset_puts_back_the_rows_and_clears_mails_and_requests(http, demo):
    http.post("/api/auth/forgot-password", json={"email": "demo@halolight.h7ml.cn"})
    User.update(name="改").where(User.id == 5).execute()
    assert http.post("/api/demo/reset").status_code == 200
    assert User.get_by_id(5).name == "访客" and Mail.select().count() == 0
    assert http.get("/api/demo/requests").json["data"]["total"] == 0
    assert demo.get("/api/auth/me").status_code == 200


def test_a_database_without_demo_rows_is_not_reset(http):
    base.Setting.delete().where(base.Setting.key == "seeded").execute()
    assert http.post("/api/demo/reset").status_code == 409 and User.select().count() == 30


def test_expired_access_tokens_can_be_renewed(http, demo, root):
    def reason(client):
        return client.get("/api/auth/me").json.get("error", {}).get("reason")

    assert demo.post("/api/demo/expire-tokens").json["data"] == {"expired": 1}
    assert (reason(demo), reason(root)) == ("expired_token", None)
    assert http.post("/api/demo/expire-tokens").json["data"]["expired"] == 2 and reason(root) == "expired_token"
    renewed = http.post("/api/auth/refresh", json={"refreshToken": demo.tokens["refresh_token"]})
    demo.tokens = {"access_token": renewed.json["accessToken"]}
    assert reason(demo) is None


def test_the_accounts_tell_their_password_until_it_is_changed(http, root):
    def accounts():
        return {row["email"]: row["password"] for row in http.get("/api/demo/accounts").json["data"]}

    assert accounts() == dict.fromkeys(ACCOUNTS, seed.PASSWORD)
    root.put("/api/users/4", {"password": "another-1"})
    assert accounts()["demo@halolight.h7ml.cn"] is None


def test_anybody_is_logged_in_without_a_password(http):
    def enter(email):
        return http.post("/api/demo/login", json={"email": email})

    token = enter("guest@halolight.h7ml.cn").json["accessToken"]
    assert http.get("/api/auth/me", headers={"Authorization": f"Bearer {token}"}).json["data"]["role"] == "guest"
    assert enter("nobody@example.com").json["error"]["details"][0]["field"] == "email"
    User.update(status="suspended").where(User.id == 5).execute()
    assert enter("guest@halolight.h7ml.cn").status_code == 403


def test_the_link_of_a_mail_sets_a_new_password_and_is_gone_then(http):
    http.post("/api/auth/forgot-password", json={"email": "demo@halolight.h7ml.cn"})
    mail = http.get("/api/demo/mails").json["data"]["items"][0]
    assert (mail["to"], mail["subject"]) == ("demo@halolight.h7ml.cn", "设置新密码")
    body = {"token": mail["link"].partition("token=")[2], "password": "another-1"}
    assert http.post("/api/auth/reset-password", json=body).status_code == 200
    assert http.get("/api/demo/mails").json["data"]["items"][0]["link"] is None


def test_the_last_requests_show_what_was_ignored_and_no_secret(http, demo):
    demo.post("/api/tasks?colour=red&token=s3cret", {"title": "x", "remember": True})
    http.get("/api/files/raw/s3cret.token?inline=1")
    rows = http.get("/api/demo/requests").json["data"]["items"]
    assert "s3cret" not in json.dumps(rows) and rows[0]["path"] == "/api/files/raw/***?inline=1"
    first = rows[1]
    assert (first["method"], first["path"], first["status"]) == ("POST", "/api/tasks?colour=red&token=***", 201)
    assert first["ignoredFields"] == ["remember"] and first["userId"] == demo.id
    for path in (
        f"/api/users?jwt={demo.tokens['access_token']}",
        "/api/files//raw/s3cret",
        f"/api/x?{'token' * 40_000}",
    ):
        http.get(path)
    rows = http.get("/api/demo/requests").json["data"]["items"][:3]
    assert [row["path"] for row in rows] == ["/api/x?***", "/api/files/raw/***", "/api/users?jwt=***"]
    for number in range(205):
        http.get(f"/api/{number}")
    assert http.get("/api/demo/requests").json["data"]["total"] == 200


@pytest.mark.parametrize(("method", "path"), CONTROLS)
def test_the_controls_are_absent_in_production_and_from_elsewhere(make_app, method, path):
    http = make_app().test_client()
    assert http.open(path, method=method, environ_base={"REMOTE_ADDR": "192.168.0.9"}).status_code == 404
    for header in ("X-Forwarded-For", "Forwarded", "X-Real-IP"):
        assert http.open(path, method=method, headers={header: "127.0.0.1"}).status_code == 404
    opened = make_app(DEMO_CONTROLS="open").test_client()
    assert opened.open(path, method=method, environ_base={"REMOTE_ADDR": "192.168.0.9"}).status_code != 404
    production = make_app(NODE_ENV="production", JWT_SECRET="x" * 32, DEMO_CONTROLS="open").test_client()
    assert production.open(path, method=method).status_code == 404


@pytest.mark.parametrize(
    ("headers", "status"),
    [({"X-Forwarded-For": "127.0.0.1"}, 200), ({"X-Real-IP": "8.8.8.8"}, 404), ({"Forwarded": "for=8.8.8.8"}, 404)],
)
def test_a_trusted_proxy_is_believed_by_x_forwarded_for_only(make_app, headers, status):
    http = make_app(TRUSTED_PROXY="127.0.0.1").test_client()
    assert http.get("/api/demo/accounts", headers=headers).status_code == status
    assert http.get("/api/demo/accounts", headers=headers, environ_base={"REMOTE_ADDR": "8.8.8.8"}).status_code == 404


def test_delays_and_errors_are_for_this_machine_only(http, naps):
    reply = http.get("/api/users?_status=503&_delay=100", environ_base={"REMOTE_ADDR": "192.168.0.9"})
    assert reply.status_code == 401 and naps == []


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({}, True),
        ({"Origin": "http://localhost"}, True),
        ({"Origin": "http://localhost:5173"}, True),
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Origin": "http://evil.example"}, False),
        ({"Origin": "http://localhost.evil.example"}, False),
        ({"Origin": "null"}, False),
    ],
)
def test_another_sites_page_cannot_press_the_buttons(http, headers, allowed):
    for method, path in (("POST", "reset"), ("POST", "expire-tokens"), ("DELETE", "rules"), ("DELETE", "clock")):
        reply = http.open(f"/api/demo/{path}", method=method, headers=headers)
        assert reply.status_code == (200 if allowed else 403)
        assert allowed or "CORS_ORIGINS" in reply.json["message"]


def test_an_ordinary_request_passes_sixteen_that_are_delayed(serve):
    server, finished = serve(), []
    with ThreadPoolExecutor(16) as pool:
        slow = [pool.submit(server.call, "GET", "/api/users?_delay=1500") for _ in range(16)]
        time.sleep(0.5)
        assert server.call("GET", "/health")[0] == 200
        finished = [reply.done() for reply in slow]
    assert not any(finished) and [reply.result()[0] for reply in slow] == [401] * 16


@pytest.mark.thorough
def test_resets_under_readers_and_writers_leave_the_seeded_rows(serve, amount):
    server, over, seen = serve(), threading.Event(), set()
    token = server.call("POST", "/api/demo/login", {"email": "admin@example.com"})[1]["accessToken"]
    before = server.call("GET", "/api/dashboard/stats", token=token)[1]["data"]

    def read(path):
        while not over.is_set():
            seen.add(server.call("GET", path, token=token)[0])

    def write():
        while not over.is_set():
            seen.add(server.call("POST", "/api/tasks", {"title": "x"}, token)[0])

    with ThreadPoolExecutor(20) as pool:
        paths = ("/api/users?pageSize=50", "/api/documents", "/api/dashboard/stats", "/api/conversations") * 4
        running = [pool.submit(read, path) for path in paths] + [pool.submit(write) for _ in range(4)]
        resets = [server.call("POST", "/api/demo/reset")[0] for _ in range(amount(3, 20))]
        over.set()
        for each in running:
            each.result()
    assert resets == [200] * amount(3, 20) and seen <= {200, 201}
    assert server.call("POST", "/api/demo/reset")[0] == 200
    after = server.call("GET", "/api/dashboard/stats", token=token)[1]["data"]
    assert {key: after[key] for key in ("totalUsers", "totalDocuments", "totalFiles", "totalOrders")} == {
        key: before[key] for key in ("totalUsers", "totalDocuments", "totalFiles", "totalOrders")
    }


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("document", ["README.md", "docs/states.md"])
def test_what_the_documentation_says_to_send_works(http, document):
    text = (ROOT / document).read_text("utf-8")
    found = re.findall(r"`POST (/api/demo/[\w-]+)(?: (\{.*?\}))?`", text)
    assert len(found) > 5
    for path, body in found:
        reply = http.post(path, json=json.loads(body or "{}"))
        assert reply.status_code in (200, 201), (path, body, reply.json)
