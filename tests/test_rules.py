"""Rules: which requests they are applied to, how often, and what then happens, on the wire too."""

import http.client
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from web import limits
from web.rules import from_options

RULES = "/api/demo/rules"


@pytest.fixture
def client(app):
    return app.test_client()


@pytest.fixture
def rule(app):
    """A function that makes a rule for requests to `path`."""

    def make(path="/api/*", **what):
        reply = app.test_client().post(RULES, json={"path": path, **what})
        assert reply.status_code == 201, reply.json
        return reply.json["data"]["id"]

    return make


def used(client):
    return {row["id"]: row["used"] for row in client.get(RULES).json["data"]["items"]}


def test_the_next_requests_that_match_fail_and_then_no_more(client, demo, rule):
    made = rule("/api/documents", method="GET", status=503, times=2)
    assert demo.post("/api/documents", {"title": "x"}).status_code == 201
    assert [demo.get("/api/documents").status_code for _ in range(3)] == [503, 503, 200]
    assert used(client) == {made: 2}


@pytest.mark.parametrize(
    ("path", "matches"),
    [
        ("/api/documents/:id", {"/api/documents/1", "/api/documents/1/", "/api/documents/2"}),
        ("/api/documents/{document_id}/share", {"/api/documents/1/share"}),
        ("/api/documents/<id:document_id>", {"/api/documents/1", "/api/documents/1/", "/api/documents/2"}),
        ("/api/documents/2", {"/api/documents/2"}),
        ("/api/documents/", {"/api/documents"}),
        ("/api/documents*", {"/api/documents", "/api/documents/1", "/api/documents/1/", "/api/documents/2",
                             "/api/documents/1/share"}),
        ("/api/*/share", {"/api/documents/1/share"}),
        ("/api/d.cuments", set()),
    ],
)  # fmt: skip
def test_a_path_is_a_route_or_has_stars(client, rule, path, matches):
    rule(path, status=418)
    paths = ("/api/documents", "/api/documents/1", "/api/documents/1/", "/api/documents/2", "/api/documents/1/share")
    assert {asked for asked in paths if client.get(f"{asked}?page=1").status_code == 418} == matches


def test_a_rule_with_an_email_touches_only_that_account(client, demo, root, rule):
    rule(email="DEMO@halolight.h7ml.cn", status=503)
    assert demo.get("/api/tasks").status_code == 503
    assert root.get("/api/tasks").status_code == 200 and client.get("/api/tasks").status_code == 401
    root.post("/api/demo/expire-tokens")  # its token is its own all the same
    client.post("/api/demo/expire-tokens")
    assert demo.get("/api/tasks").status_code == 503

    def enter(**body):
        return client.post("/api/auth/login", json={"password": "x", **body}).status_code

    assert [enter(email="demo@halolight.h7ml.cn"), enter(username="Demo"), enter(email="x@y.cn")] == [503, 503, 401]
    for client, status in ((demo, 503), (root, 200)):
        body = {"refreshToken": client.tokens["refresh_token"]}
        assert client.post("/api/auth/refresh", json=body).status_code == status


@pytest.mark.parametrize("body", [b"[" * 100_000, b"\xff", b'"x"', b"{", b'{"email": 5, "refreshToken": {}}'])
def test_a_rule_with_an_email_leaves_a_body_that_is_none_to_the_view(client, rule, body):
    def reply():
        return client.post("/api/auth/login", data=body, content_type="application/json").status_code

    before = reply()
    rule(email="demo@halolight.h7ml.cn", status=503)
    assert reply() == before == 400


def test_each_effect_comes_from_the_newest_rule_that_has_it_and_what_is_asked_for_comes_first(client, naps, rule):
    old, new = rule(delay=300, status=500), rule(status=418, times=2)
    spent = rule(status=499, times=1)
    assert [client.get("/api/users").status_code for _ in range(4)] == [499, 418, 418, 500]
    assert naps == [0.3] * 4 and used(client) == {old: 4, new: 2, spent: 1}
    assert client.get("/api/users?_status=404&_delay=7").status_code == 404
    assert naps[4:] == [0.007] and used(client)[old] == 4


def test_a_delay_between_two_numbers_is_drawn_each_time_and_a_rate_is_a_chance(client, naps, rule, monkeypatch):
    rule(delay="200-800")
    rule(status=500, rate=0.3)
    chances = iter((0.29, 0.9, 0.31, 0.9))
    monkeypatch.setattr("random.random", lambda: next(chances))
    assert [client.get("/api/users").status_code for _ in range(2)] == [500, 401]
    assert all(0.2 <= nap <= 0.8 for nap in naps) and len(naps) == 2


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"status": 500}, "path"),
        ({"path": "/health", "status": 500}, "path"),
        ({"path": "/api/users?page=1", "status": 500}, "path"),
        ({"path": f"/api/{'*' * 300}", "status": 500}, "path"),
        ({"path": "/api/*"}, ""),
        ({"path": "/api/*", "status": 200}, "status"),
        ({"path": "/api/*", "delay": 10_001}, "delay"),
        ({"path": "/api/*", "delay": "800-200"}, "delay"),
        ({"path": "/api/*", "delay": True}, "delay"),
        ({"path": "/api/*", "body": "torn"}, "body"),
        ({"path": "/api/*", "status": 500, "times": 0}, "times"),
        ({"path": "/api/*", "status": 500, "rate": 2}, "rate"),
        ({"path": "/api/*", "status": 500, "rate": "nan"}, "rate"),
        ({"path": "/api/*", "status": 500, "method": "OPTIONS"}, "method"),
        ({"path": "/api/*", "status": 500, "email": "nobody@example.com"}, "email"),
    ],
)
def test_a_rule_that_could_not_work_is_refused_by_name(client, body, field):
    reply = client.post(RULES, json=body)
    assert reply.status_code == 400 and [each["field"] for each in reply.json["error"]["details"]] == [field]


def test_there_are_so_many_rules_and_spent_ones_make_room(client, rule, monkeypatch):
    monkeypatch.setattr(limits, "RULES", 2)
    first, _ = rule(status=500, times=1), rule("/api/tasks", status=500)
    assert client.post(RULES, json={"path": "/api/*", "status": 500}).status_code == 409
    client.get("/api/users")
    assert rule(status=404) and first not in used(client) and len(used(client)) == 2


def test_rules_are_removed_one_by_one_all_at_once_and_by_a_reset(client, rule):
    first, second = rule(status=500), rule(status=500)
    assert client.delete(f"{RULES}/{first}").status_code == 200 and set(used(client)) == {second}
    assert client.delete(f"{RULES}/{first}").status_code == 404
    assert client.delete(RULES).status_code == 200 and used(client) == {}
    rule(status=500)
    client.post("/api/demo/reset")
    assert used(client) == {} and client.get("/api/users").status_code == 401


def test_a_reset_puts_the_rules_of_the_command_line_back(app, client, naps, rule):
    from_options(app, delay="200-800", fail_rate="0")
    client.get("/api/users")
    client.delete(RULES)
    rule(status=500)
    client.post("/api/demo/reset")
    rows = client.get(RULES).json["data"]["items"]
    assert [(row["delay"], row["status"], row["rate"], row["used"]) for row in rows] == [
        (None, 503, 0.0, 0),
        ("200-800", None, 1.0, 0),
    ]


def test_a_limited_rule_is_used_exactly_so_often_however_many_ask_at_once(serve):
    server = serve()
    server.call("POST", RULES, {"path": "/api/users", "status": 503, "times": 20})
    with ThreadPoolExecutor(16) as pool:
        asked = list(pool.map(lambda _: server.ask("GET", "/api/users")[0], range(80)))
    assert sorted(asked) == [401] * 60 + [503] * 20
    assert server.call("GET", RULES)[1]["data"]["items"][0]["used"] == 20


def test_a_cut_reply_ends_in_its_middle_as_a_broken_network_does(serve):
    server = serve()
    token = server.log_in()
    form = b'--x\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n%b\r\n--x--\r\n' % (b"y" * 600_000)
    multipart = {"Content_Type": "multipart/form-data; boundary=x"}
    file = server.call("POST", "/api/files/upload", form, token, **multipart)[1]["data"]["id"]
    server.call("POST", RULES, {"path": "/api/*", "body": "cut", "times": 2})
    for path in ("/api/users?pageSize=50", f"/api/files/{file}/download"):
        with closing(http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=10)) as connection:
            connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
            reply = connection.getresponse()
            with pytest.raises(http.client.IncompleteRead) as broken:
                reply.read()
            assert reply.status == 200 and len(broken.value.partial) == int(reply.headers["Content-Length"]) // 2 > 1000
    assert server.call("GET", "/api/users", None, token)[0] == 200


def test_what_has_no_body_is_not_cut(root, rule):
    path = f"/api/files/{root.get('/api/files').json['data']['items'][0]['id']}/download"
    etag, length = (root.get(path).headers[name] for name in ("ETag", "Content-Length"))
    rule(body="cut")
    assert root.get(path, headers={"If-None-Match": etag}).status_code == 304
    head = root._send("HEAD", path)
    assert (head.status_code, head.headers["Content-Length"]) == (200, length)
