"""What a request did: the header that says how long it took, and its own page with statements and permission."""

import io
import re

import pytest

from database import engines
from web import limits, rules, traces

TIMING = re.compile(r'app;dur=(\d+\.\d), db;dur=(\d+\.\d);desc="(\d+) quer(?:y|ies)"')


def explained(client, reply):
    return client.get(f"/api/demo/requests/{reply.headers['X-Request-ID']}").json["data"]


def test_a_reply_says_how_long_it_took_also_to_a_page_of_another_origin(demo):
    reply = demo.get("/api/tasks", headers={"Origin": "http://localhost:3000"})
    app, database, queries = TIMING.fullmatch(reply.headers["Server-Timing"]).groups()
    assert float(app) >= float(database) >= 0 and int(queries) == 2
    assert "Server-Timing" in reply.headers["Access-Control-Expose-Headers"]


def test_a_request_tells_its_route_its_permission_and_its_statements(demo):
    data = explained(demo, demo.get("/api/tasks/1"))
    assert (data["route"], data["view"], data["permissions"]) == (
        "/api/tasks/<id:task_id>",
        "tasks.get_task",
        ["tasks:view"],
    )
    assert data["userId"] == demo.id and data["queries"] == 2
    session, task = data["statements"]
    assert "sessions" in session["sql"] and session["rows"] == 1
    assert '"tasks"' in task["sql"] and {"1", str(demo.id)} <= set(task["values"])
    assert data["appMs"] >= data["databaseMs"] >= task["ms"] > 0


def test_a_write_shows_its_transaction_with_the_rows_that_it_changed(demo):
    reply = demo.post("/api/documents", {"title": "x", "tags": ["a", "b"]})
    statements = [(each["sql"].split('" (')[0], each["rows"]) for each in explained(demo, reply)["statements"]]
    texts = [text for text, _ in statements]
    assert texts[1] == "BEGIN" and texts[-1] == "COMMIT"
    assert texts.count("COMMIT") == texts.count('INSERT INTO "document_tags') == 1
    # On Postgres it goes with the next statement, and nobody asks how many rows it made.
    tags = 2 if isinstance(engines.db.obj, engines.SQLite) else None
    assert ('INSERT INTO "documents', 1) in statements and ('INSERT INTO "document_tags', tags) in statements


def test_a_request_that_is_refused_shows_why(app, demo):
    client = app.test_client()
    reply = client.get("/api/users")
    assert (explained(client, reply)["statements"], reply.headers["Server-Timing"][-11:]) == ([], '"0 queries"')
    assert explained(client, demo.get("/api/users"))["permissions"] == ["users:view"]
    assert explained(client, demo.get("/api/auth/me"))["permissions"] == []
    reply = client.get("/api/nowhere")
    assert [explained(client, reply)[name] for name in ("route", "view", "permissions")] == [None, None, None]


def test_a_statement_that_the_database_refuses_is_among_them(demo, monkeypatch):
    def broken():
        engines.db.execute_sql("SELECT nothing FROM nowhere")

    demo.http.application.view_functions["tasks.list_tasks"] = broken
    reply = demo.get("/api/tasks")
    found = explained(demo, reply)["statements"]
    assert reply.status_code == 500 and [(each["sql"], each["rows"]) for each in found] == [
        ("SELECT nothing FROM nowhere", None)
    ]


def test_the_newest_of_several_requests_with_an_id_is_shown_and_an_unknown_one_is_404(demo):
    for path in ("/api/tasks", "/api/documents"):
        demo.get(path, headers={"X-Request-ID": "mine"})
    assert demo.get("/api/demo/requests/mine").json["data"]["path"] == "/api/documents"
    assert demo.get("/api/demo/requests/other").status_code == 404


def test_no_statement_shows_a_secret(app, client_with):
    login = {"email": "demo@halolight.h7ml.cn", "password": "123456"}
    client = app.test_client()
    new = client.post("/api/auth/register", json={**login, "email": "new@example.com", "username": "newcomer"})
    user = engines.db.execute_sql("SELECT password_hash FROM users WHERE username = 'newcomer'").fetchone()
    shown = explained(client, new)
    assert any('INSERT INTO "users' in each["sql"] for each in shown["statements"])
    assert user[0] not in str(shown) and user[0].rpartition("$")[2][:38] not in str(shown)


def test_what_is_long_is_not_kept(app, demo, monkeypatch):
    kept = app.extensions["last_requests"]
    demo.post("/api/files/upload", data={"file": (io.BytesIO(b"x" * 60_000), "x.bin")})
    demo.post("/api/documents", {"title": "x", "content": "word " * 50_000})
    values = [value for trace in kept for each in traces.Trace(*trace).statements for value in each.values]
    assert any("bytes" in str(value) for value in values)
    assert all(len(str(value)) <= limits.VALUE_CHARACTERS for value in values)
    monkeypatch.setattr(limits, "STATEMENTS", 1)
    data = explained(demo, demo.get("/api/tasks?colour=red"))
    assert data["ignoredParams"] == ["colour"]
    assert (data["queries"], len(data["statements"])) == (2, 1)


def test_nothing_of_it_is_in_production(make_app):
    app = make_app(NODE_ENV="production", JWT_SECRET="x" * 32)
    reply = app.test_client().get("/api/users")
    assert reply.status_code == 401 and "Server-Timing" not in reply.headers
    hooks = [*app.before_request_funcs[None], *app.after_request_funcs[None]]
    assert not {getattr(each, "func", each).__module__ for each in hooks} & {rules.__name__, traces.__name__}
    assert not {"execute_sql", "defer_sql", "begin", "commit"} & set(vars(engines.db.obj))
    assert not {"last_requests", "rules", "sleepers"} & set(app.extensions)


def test_a_thread_that_answers_nobody_is_not_noted_down(app):
    with engines.write():
        pass
    assert traces._running.statements is None
    assert isinstance(engines.db.execute_sql("SELECT 1").fetchall(), list)


@pytest.mark.parametrize("how", ["one", "all", "each"])
def test_rows_are_counted_however_they_are_fetched(app, demo, how):
    def view():
        cursor = engines.db.execute_sql("SELECT id FROM users ORDER BY id LIMIT 3")
        {"one": cursor.fetchone, "all": cursor.fetchall, "each": lambda: list(cursor)}[how]()
        return {}

    app.view_functions["tasks.list_tasks"] = view
    rows = explained(demo, demo.get("/api/tasks"))["statements"][0]["rows"]
    expected = 1 if how == "one" and isinstance(engines.db.obj, engines.SQLite) else 3
    assert rows == expected
