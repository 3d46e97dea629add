"""What an attacker tried: each hole that was found, kept closed. What a flood does to others is in test_flood.py."""

import json
import re
from contextlib import contextmanager
from datetime import timedelta

import pytest

from database import engines
from models import Mail, Role, User
from resources import auth
from tests.conftest import ROOT
from tests.test_contract import all_schemas
from tests.test_hostile import address, examples, operations
from web import config, hooks, limits, passwords, schemas
from web.arguments import Values
from web.fields import Several

# --- What one request costs ------------------------------------------------------------------------------------------


def test_every_list_of_a_body_or_a_query_knows_its_length(app):
    lists = [
        (cls.__name__, name, field)
        for cls in all_schemas()
        for name, field in cls().load_fields.items()
        if isinstance(field, schemas.ma.fields.List)
    ]
    assert len(lists) > 10
    assert [(cls, name) for cls, name, field in lists if not isinstance(field, (Several, Values))] == []


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/api/documents/batch-delete", "ids"),
        ("/api/documents/3/share", "userIds"),
        ("/api/calendar/events/3/attendees", "attendeeIds"),
        ("/api/conversations", "memberIds"),
    ],
)
def test_a_list_that_is_too_long_is_refused_before_its_values_are_read(root, path, field):
    body = json.dumps({field: [""] * 500_000})
    reply = root.post(path, data=body, content_type="application/json")
    assert reply.status_code == 400 and len(reply.data) < 1000
    assert [detail["field"] for detail in reply.json["error"]["details"]] == [field]
    assert reply.json["error"]["details"][0]["code"] in ("too_long", "out_of_range")


def test_an_error_has_at_most_a_hundred_details(root):
    reply = root.post("/api/users/batch-delete", {"ids": [""] * 1000})
    assert reply.status_code == 400 and len(reply.json["error"]["details"]) == limits.DETAILS


def test_what_is_remembered_is_bounded_in_bytes_whatever_a_client_sends(app, root):
    calls = []
    measured = limits.remembered(10)(lambda text: calls.append(text) or len(text))
    for text in ("short", "short", "x" * 200_000, "x" * 200_000):
        assert measured(text) == len(text)
    assert [len(text) for text in calls] == [5, 200_000, 200_000]
    modules = [path for room in ("web", "resources") for path in (ROOT / room).glob("*.py") if path.name != "limits.py"]
    # Those two are keyed by values of ours: an instant of a row.
    assert {path.name for path in modules if "lru_cache" in path.read_text("utf-8")} == {"fields.py"}


def test_a_long_query_is_answered_without_repeating_it_in_the_links(root):
    reply = root.get(f"/api/users?x={'y' * 20_000}")
    assert reply.status_code == 200 and "Link" not in reply.headers
    assert sum(len(value) for value in reply.headers.values()) < 4000


def test_forced_statuses_make_no_series_of_metrics_of_their_own(app, root):
    for status in range(400, 600):
        root.get(f"/api/tasks?_status={status}")
    text = app.test_client().get("/metrics").text
    assert text.count('halolight_requests_total{method="GET",route="/api/tasks"') <= len(hooks.STATUSES) + 1


def test_the_document_of_the_limits_names_each_and_no_other():
    text = (ROOT / "docs" / "limits.md").read_text("utf-8")
    ours = {name for name in vars(limits) if name.isupper() and len(name) > 2}
    named = set(re.findall(r"`([A-Z]+_?[A-Z]*)`", text))
    assert named - set(config.VARIABLES) == ours


# --- Logins: who is kept out, and who is not -------------------------------------------------------------------------


def login(http, address="127.0.0.1", **body):
    body = {"email": "admin@example.com", "password": "123456", **body}
    return http.post("/api/auth/login", json=body, environ_base={"REMOTE_ADDR": address}).status_code


def forged_reset(http, address="127.0.0.1"):
    body = {"token": "WzEsMF0.x", "password": "secret"}  # base64 of [1,0]: user 1
    return http.post("/api/auth/reset-password", json=body, environ_base={"REMOTE_ADDR": address}).status_code


def test_forged_reset_links_lock_nobody_out_but_their_sender(app):
    http = app.test_client()
    assert {forged_reset(http) for _ in range(30)} == {400} and login(http) == 200
    assert [forged_reset(http, "203.0.113.7") for _ in range(101)] == [400] * 100 + [429]
    assert login(http, "203.0.113.8") == 200


def test_guesses_from_one_address_do_not_stop_the_owner_at_another(app):
    http = app.test_client()
    assert [login(http, "203.0.113.7", password="wrong!!") for _ in range(21)] == [401] * 20 + [429]
    assert login(http, "203.0.113.8") == 200


def test_guesses_from_everywhere_stop_at_a_far_higher_limit(app, monkeypatch):
    monkeypatch.setattr(limits, "ACCOUNT_ATTEMPTS", 30)
    http = app.test_client()
    replies = [login(http, f"203.0.113.{number}", password="wrong!!") for number in range(31)]
    assert replies == [401] * 30 + [429]


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("203.0.113.7", "::ffff:203.0.113.7", True),
    ],
)
def test_limits_count_a_network_that_one_client_owns(app, monkeypatch, first, second, same):
    monkeypatch.setattr(limits, "ADDRESS_ATTEMPTS", 1)
    http = app.test_client()
    assert (forged_reset(http, first), forged_reset(http, second)) == (400, 429 if same else 400)


def test_in_production_loopback_is_an_address_as_any_other(make_app, monkeypatch, caplog):
    monkeypatch.setattr(limits, "ADDRESS_ATTEMPTS", 1)
    http = make_app(NODE_ENV="production", JWT_SECRET="x" * 32).test_client()
    assert [forged_reset(http), forged_reset(http)] == [400, 429]
    for _ in range(2):
        http.post(
            "/api/auth/reset-password",
            json={"token": "x", "password": "secret"},
            headers={"X-Forwarded-For": "1.2.3.4"},
        )
    assert caplog.text.count("TRUSTED_PROXY is not set") == 1


def test_a_clock_that_was_set_back_limits_nobody_for_longer(app, monkeypatch):
    http, real = app.test_client(), engines.now
    monkeypatch.setattr(engines, "now", lambda: real() + timedelta(hours=1))
    for _ in range(20):
        login(http, password="wrong!!")
    monkeypatch.undo()
    assert login(http) == 200


# --- Registering -----------------------------------------------------------------------------------------------------


def register(http, email="new@example.com", address="127.0.0.1"):
    body = {"email": email, "password": "secret"}
    return http.post("/api/auth/register", json=body, environ_base={"REMOTE_ADDR": address}).status_code


def test_registering_a_taken_email_costs_no_hash(app, monkeypatch):
    monkeypatch.setattr(passwords, "make_hash", lambda password: 1 / 0)
    assert register(app.test_client(), "admin@example.com") == 409


def test_registrations_have_places_of_their_own_before_the_hash(app):
    http = app.test_client()
    for _ in range(limits.OTHERS_WAITING):
        passwords._others_waiting.acquire()
    try:
        assert (register(http), login(http)) == (429, 200)
    finally:
        for _ in range(limits.OTHERS_WAITING):
            passwords._others_waiting.release()


def test_one_address_registers_twenty_accounts_a_minute(app):
    http = app.test_client()
    replies = [register(http, f"new{number}@example.com", "203.0.113.7") for number in range(21)]
    assert replies == [201] * 20 + [429] and register(http, "other@example.com", "203.0.113.8") == 201


def test_registration_is_closed_in_production_unless_it_is_opened(make_app):
    production = {"NODE_ENV": "production", "JWT_SECRET": "x" * 32}
    assert register(make_app(**production).test_client()) == 403
    assert register(make_app(**production, REGISTRATION="open").test_client()) == 201
    assert register(make_app(REGISTRATION="closed").test_client()) == 403


def test_an_account_has_so_many_live_sessions_and_the_newest_stay(app, log_in, monkeypatch):
    monkeypatch.setattr(limits, "SESSIONS", 3)
    clients = [log_in(User.get_by_id(4)) for _ in range(5)]
    assert [client.get("/api/auth/me").status_code for client in clients] == [401, 401, 200, 200, 200]


# --- Who was let in, and may not be any more -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("meanwhile", "expected"),
    [
        (lambda user: user.change(role=Role.get(Role.name == "user")), 403),
        (lambda user: user.change(status="suspended"), 401),
        (lambda user: user.end_sessions(), 401),
        (lambda user: user.delete_instance(), 401),
    ],
)
def test_who_loses_rights_while_hashing_makes_no_administrator(client_with, monkeypatch, meanwhile, expected):
    manager = client_with("*")
    monkeypatch.setattr(passwords, "make_hash", lambda password: str(meanwhile(User.get_by_id(manager.id))))
    body = {"email": "accomplice@example.com", "password": "secret", "role": "super_admin"}
    assert manager.post("/api/users", body).status_code == expected
    assert not User.select().where(User.email == "accomplice@example.com").exists()


def test_nobody_writes_who_is_suspended_while_the_request_waits_for_its_turn(app, root, client_with, monkeypatch):
    victim, write = client_with("*"), engines.write

    @contextmanager
    def late(*account):
        with write(*account):
            User.update(status="suspended").where(User.id == victim.id).execute()
            yield

    sent = []
    for method, path, operation in operations(app):
        if method == "GET" or operation["security"] == []:
            continue
        User.update(status="active").where(User.id == victim.id).execute()
        monkeypatch.setattr(engines, "write", late)
        reply = victim._send(method, address(path), json=examples(operation))
        monkeypatch.setattr(engines, "write", write)
        sent.append((reply.status_code, method, path))
    assert len(sent) > 40 and [each for each in sent if each[0] not in (400, 401, 415)] == []
    assert sum(status == 401 for status, _, _ in sent) > 40


# --- A stolen access token, a lesser administrator -------------------------------------------------------------------


def test_a_stolen_token_does_not_become_the_account(client_with):
    thief = client_with("*")
    own = f"/api/users/{thief.id}"
    assert thief.put(own, {"password": "another"}).status_code == 403
    assert thief.put(own, {"email": "thief@example.com"}).status_code == 403
    assert thief.put(own, thief.get(own).json["data"]).status_code == 200  # what one got may be put back


def test_whoever_may_only_update_users_does_not_choose_where_their_links_go(app, client_with):
    clerk = client_with("users:view", "users:update", "users:delete")
    victim = client_with()
    assert clerk.put(f"/api/users/{victim.id}", {"email": "clerk@example.com"}).status_code == 403
    assert clerk.put(f"/api/users/{victim.id}", {"name": "新名"}).status_code == 200


def test_a_link_sent_to_an_address_is_dead_once_the_address_is_another(app):
    user = User.get_by_id(4)
    with app.app_context():
        token = auth.reset_link(Mail.create(user=user)).partition("token=")[2]
    user.change(email="moved@example.com")
    body = {"token": token, "password": "secret"}
    assert app.test_client().post("/api/auth/reset-password", json=body).status_code == 400


def test_a_changed_password_makes_every_older_token_worthless(app, client_with):
    me = client_with("documents:view")
    old, refresh = me.tokens["access_token"], me.tokens["refresh_token"]
    reply = me.post("/api/auth/change-password", {"currentPassword": "123456", "newPassword": "another"})
    me.tokens["access_token"] = reply.json["accessToken"]
    assert me.get("/api/auth/me", headers={"Authorization": f"Bearer {old}"}).status_code == 401
    assert app.test_client().post("/api/auth/logout", json={"refreshToken": refresh}).status_code == 401
    assert me.get("/api/auth/me").status_code == 200


def test_a_super_admin_without_a_password_does_not_count_as_the_one_who_remains(client_with):
    User.update(password_hash=None).where(User.id == 2).execute()
    assert client_with("*").put("/api/users/1", {"status": "inactive"}).status_code == 409
    assert User.get_by_id(1).status == "active"


# --- Doors that are open in development ------------------------------------------------------------------------------


def test_a_neighbours_page_reads_no_tokens_of_the_demo_controls(make_app):
    http = make_app(HALOLIGHT_HOST="0.0.0.0").test_client()
    for origin, status in (("http://192.168.1.66:3000", 403), ("http://localhost:3000", 200)):
        headers = {"Origin": origin}
        assert http.get("/api/demo/accounts", headers=headers).status_code == status
        body = {"email": "admin@example.com"}
        assert http.post("/api/demo/login", json=body, headers=headers).status_code == status
    assert http.get("/health", headers={"Origin": "http://192.168.1.66:3000"}).status_code == 200


def test_production_shows_its_documentation_only_if_it_is_told_to(make_app):
    production = {"NODE_ENV": "production", "JWT_SECRET": "x" * 32}
    for variables, status in (({}, 404), ({"DOCS": "on"}, 200)):
        http = make_app(**production, **variables).test_client()
        assert {http.get(path).status_code for path in ("/docs", "/redoc", "/openapi.json", "/api/docs")} == {status}
        assert ("/openapi.json" in http.get("/").text) == (status == 200)
