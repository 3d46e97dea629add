"""The clock of the application: what follows it, and that production has only the machine's."""

import json
from datetime import UTC, datetime, timedelta

import pytest

import seed
from database import engines
from models import Task
from seeds import dates
from web import clock, pruning
from web.config import BadConfiguration

CLOCK = "/api/demo/clock"
MARCH = "2026-03-01T01:30:00Z"


@pytest.fixture
def set_to(app):
    """A function that sets the clock to a time, or so much ahead of the machine's."""

    def put(now, **how):
        at = now if isinstance(now, str) else (engines.machine_clock() + now).isoformat()
        reply = app.test_client().post(CLOCK, json={"now": at, **how})
        assert reply.status_code == 200, reply.json
        return reply.json["data"]

    return put


def test_it_stands_at_a_time_until_it_runs_again(app, demo, set_to):
    client = app.test_client()
    assert set_to("2026-03-01T09:30:00+08:00") == {"now": MARCH, "frozen": True, "set": True}
    made = demo.post("/api/tasks", {"title": "x"}).json["data"]
    assert made["createdAt"] == client.get("/health").json["timestamp"] == MARCH
    assert Task.get_by_id(made["id"]).created_at.isoformat() == "2026-03-01T01:30:00+00:00"
    assert client.delete(CLOCK).status_code == 200
    state = client.get(CLOCK).json["data"]
    assert (state["set"], state["frozen"]) == (False, False)
    assert engines.now() - datetime.now(UTC) < timedelta(seconds=1)


def test_it_runs_on_from_a_time(app, set_to, monkeypatch):
    assert set_to("2026-03-01T09:30:00", frozen=False)["frozen"] is False  # in the server's zone
    later = engines.machine_clock() + timedelta(hours=2)
    monkeypatch.setattr(engines, "machine_clock", lambda: later)
    assert app.test_client().get(CLOCK).json["data"]["now"] in ("2026-03-01T03:30:00Z", "2026-03-01T03:30:01Z")


@pytest.mark.parametrize("now", [None, "soon", "1999-12-31T00:00:00Z", "2037-01-02T00:00:00Z", 5])
def test_a_time_that_cannot_be_is_refused(app, now):
    reply = app.test_client().post(CLOCK, json={"now": now})
    assert reply.status_code == 400 and reply.json["error"]["details"][0]["field"] == "now"


def test_who_logs_in_on_the_last_day_can_renew_the_login(app, account, set_to):
    set_to("2036-12-31T23:59:59Z")
    body = {"refreshToken": account("demo@halolight.h7ml.cn").tokens["refresh_token"]}
    assert app.test_client().post("/api/auth/refresh", json=body).status_code == 200


def test_logins_follow_it_and_are_good_again_when_it_goes_back(app, demo, set_to):
    client = app.test_client()

    def renewed():
        reply = client.post("/api/auth/refresh", json={"refreshToken": demo.tokens["refresh_token"]})
        return reply.json.get("error", {}).get("reason")

    assert set_to(timedelta(hours=1)) and demo.get("/api/tasks").json["error"]["reason"] == "expired_token"
    assert set_to(timedelta(days=31)) and renewed() == "expired_token"
    assert demo.get("/api/tasks").json["error"]["reason"] == "expired_token"
    assert set_to(timedelta(days=-31)) and demo.get("/api/tasks").status_code == 200
    client.delete(CLOCK)
    assert demo.get("/api/tasks").status_code == 200 and renewed() is None


def test_a_frozen_clock_lets_no_login_expire_and_a_reset_leaves_it_as_it_is(app, account, set_to):
    set_to(MARCH)
    client = account("demo@halolight.h7ml.cn")
    assert app.test_client().post("/api/demo/reset").status_code == 200
    assert client.get("/api/tasks").status_code == 200 and engines.now().isoformat() == "2026-03-01T01:30:00+00:00"


def test_a_limit_of_the_last_minute_follows_it(app, set_to):
    def fail():
        body = {"email": "demo@halolight.h7ml.cn", "password": "x"}
        return app.test_client().post("/api/auth/login", json=body).status_code

    set_to(MARCH)
    assert [fail() for _ in range(21)] == [401] * 20 + [429]
    set_to("2026-03-01T01:31:01Z")
    assert fail() == 401


def replies(app, account):
    """What every list and chart of the dashboard shows, with all its dates."""
    assert app.test_client().post("/api/demo/reset").status_code == 200
    root = account("admin@example.com")
    paths = [rule.rule for rule in app.url_map.iter_rules() if "<" not in rule.rule and "GET" in rule.methods]
    skipped = ("/api/demo", "/api/auth/sessions", "/api/docs")
    return {
        path: json.loads(root.get(path).data)
        for path in paths
        if path.startswith("/api/") and not path.startswith(skipped) and root.get(path).is_json
    }


def test_everything_that_is_shown_is_the_same_on_another_day(app, account, set_to, monkeypatch):
    set_to("2026-03-01T09:30:00+08:00")
    first = replies(app, account)
    assert len(first) > 20 and MARCH[:10] in str(first)
    later = engines.machine_clock() + timedelta(days=37, hours=5)
    monkeypatch.setattr(engines, "machine_clock", lambda: later)
    assert replies(app, account) == first


def test_nothing_is_pruned_while_it_is_set(set_to, monkeypatch):
    pruner, rounds, pruned = pruning.Pruner(), [], []

    def wait(seconds):
        rounds.append(seconds)
        if len(rounds) == 2:
            clock.let_run()
        return len(rounds) == 3

    monkeypatch.setattr(pruner.told_to_stop, "wait", wait)
    monkeypatch.setattr(pruning, "prune", lambda may_go_on: pruned.append(clock.is_set()) or 0)
    set_to(timedelta(days=400))
    pruner.run()
    assert pruned == [False]


@pytest.mark.parametrize(
    ("given", "at", "frozen"),
    [
        ("2026-03-01T09:30:00+08:00", MARCH, True),
        ("2026-03-01T09:30", MARCH, True),
        ("2026-03-01", "2026-02-28T16:00:00Z", True),
        ("2026-03-01T01:30:00Z,running", MARCH, False),
    ],
)
def test_a_start_sets_it(make_app, given, at, frozen):
    app = make_app(DEMO_CLOCK=given)
    state = app.test_client().get(CLOCK).json["data"]
    assert (state["now"], state["frozen"]) == (at, frozen)
    seed.reset()
    assert seed.age_in_days() == 0 and dates.today().isoformat() == "2026-03-01"
    make_app()
    assert not clock.is_set()


@pytest.mark.parametrize("given", ["soon", "2026-03-01T09:30,standing", "1999-01-01", "2037-01-01", ","])
def test_a_time_that_cannot_be_stops_the_start(make_app, given):
    with pytest.raises(BadConfiguration, match=r"^DEMO_CLOCK=.* is not allowed: a time from 2000 to 2036"):
        make_app(DEMO_CLOCK=given)


def test_production_has_only_the_clock_of_the_machine(make_app):
    production = {"NODE_ENV": "production", "JWT_SECRET": "x" * 32}
    with pytest.raises(BadConfiguration, match="DEMO_CLOCK works in development only"):
        make_app(**production, DEMO_CLOCK="2026-03-01")
    app = make_app(**production, DEMO_CONTROLS="open")
    for method in ("GET", "POST", "DELETE"):
        assert app.test_client().open(CLOCK, method=method, json={"now": MARCH}).status_code == 404
    assert engines.clock is engines.machine_clock


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_first_start_makes_the_rows_for_the_time_of_its_command_line(serve, tmp_path):
    server = serve("--clock", "2026-02-28T23:59:00+08:00", DATABASE_URL=f"sqlite:///{tmp_path}/new.db")
    assert server.call("GET", "/health")[1]["timestamp"] == "2026-02-28T15:59:00Z"
    assert any("2026-02-28" in line for line in server.output)
    token = server.log_in()
    newest = server.call("GET", "/api/users?sort=-createdAt&pageSize=1", None, token)[1]["data"]["items"][0]
    assert "2026-01" < newest["createdAt"] < "2026-02-28T16"
