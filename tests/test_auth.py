"""Logging in, renewing, logging out; passwords forgotten and changed."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import jwt
import pytest

from database import base, engines
from models import FailedAttempt, Mail, User, Visit
from resources import auth
from web import limits, passwords

EMAIL = "demo@halolight.h7ml.cn"


@pytest.fixture
def http(app):
    return app.test_client()


@pytest.fixture
def clock(monkeypatch):
    """A function that lets the application's clock run ahead by so many seconds."""
    real, ahead = engines.now, [0.0]
    monkeypatch.setattr(engines, "now", lambda: real() + timedelta(seconds=ahead[0]))

    def forward(seconds):
        ahead[0] += seconds

    return forward


def login(http, **body):
    return http.post("/api/auth/login", json={"email": EMAIL, "password": "123456", **body})


def test_a_login_is_a_visit_and_the_latest_of_its_user(http):
    now, visits = engines.now(), Visit.select().where(Visit.visitor == "4")
    before = visits.count()
    assert login(http).status_code == 200 and visits.count() == before + 1
    assert User.get_by_id(4).last_login_at >= now


def test_a_login_that_names_nobody_is_refused_on_the_email(http):
    reply = http.post("/api/auth/login", json={"password": "123456"})
    assert reply.status_code == 400 and reply.json["error"]["details"][0]["field"] == "email"


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def renew(http, token):
    return http.post("/api/auth/refresh", json={"refreshToken": token})


def me(http, token):
    return http.get("/api/auth/me", headers=bearer(token))


def reason(reply):
    assert reply.status_code == 401, reply.json
    return reply.json["error"]["reason"]


@pytest.mark.parametrize(
    "body", [{"email": EMAIL.upper()}, {"email": " demo "}, {"email": None, "username": "DEMO"}, {"username": EMAIL}]
)
def test_an_account_logs_in_by_email_or_username_in_any_case(http, body):
    body = {"password": "123456", **{k: v for k, v in body.items() if v}}
    reply = http.post("/api/auth/login", json=body)
    assert reply.status_code == 200 and reply.json["data"]["user"]["email"] == EMAIL


def test_a_login_answers_tokens_in_data_and_at_the_top(http):
    body = login(http).json
    assert list(body) == ["success", "data", "message", "accessToken", "refreshToken", "user"]
    assert list(body["data"]) == ["accessToken", "refreshToken", "tokenType", "expiresIn", "user"]
    assert body["data"]["expiresIn"] == 900 and body["user"] == body["data"]["user"]
    assert "tasks:view" in body["user"]["can"] and "users:view" not in body["user"]["can"]


def test_two_logins_in_one_second_give_two_working_sessions(http):
    first, second = login(http).json, login(http).json
    assert first["accessToken"] != second["accessToken"]
    assert me(http, first["accessToken"]).status_code == me(http, second["accessToken"]).status_code == 200
    assert http.post("/api/auth/logout", headers=bearer(first["accessToken"])).status_code == 200
    assert reason(me(http, first["accessToken"])) == "revoked_session"
    assert me(http, second["accessToken"]).status_code == 200


@pytest.mark.parametrize("email", [EMAIL, "nobody@example.com", "no-password@example.com"])
def test_unknown_account_wrong_password_and_no_password_are_answered_alike(http, email):
    User.register(email="no-password@example.com", role=3)
    reply = login(http, email=email, password="wrong!!")
    assert reason(reply) == "bad_credentials"
    assert reply.json["message"] == "账号或密码错误" and reply.headers["WWW-Authenticate"] == 'Bearer realm="halolight"'


@pytest.mark.parametrize("status", ["inactive", "suspended"])
def test_a_right_password_of_an_account_that_is_not_active_is_403(http, status):
    User.update(status=status).where(User.email == EMAIL).execute()
    assert login(http).status_code == 403
    assert login(http, password="wrong!!").status_code == 401


def test_after_twenty_failures_even_the_right_password_waits(http, clock):
    for name in ("demo", EMAIL, EMAIL.upper(), " Demo ") * 5:
        assert login(http, email=name, password="wrong!!").status_code == 401
    limited = login(http)
    assert limited.status_code == 429 and 0 < int(limited.headers["Retry-After"]) <= 61
    assert limited.json["error"]["code"] == "TOO_MANY_REQUESTS"
    clock(61)
    assert login(http).status_code == 200


def test_a_hundred_failures_from_one_address_beyond_loopback_close_it(http):
    def attempt(number):
        return http.post(
            "/api/auth/login",
            json={"email": f"x{number}@example.com", "password": "wrong!!"},
            environ_base={"REMOTE_ADDR": "203.0.113.7"},
        ).status_code

    assert [attempt(number) for number in range(101)] == [401] * 100 + [429]


def test_a_success_is_not_counted_as_a_failure(http):
    for _ in range(25):
        assert login(http).status_code == 200
    assert FailedAttempt.select().count() == 0


def test_registering_logs_in_with_the_role_user(http):
    body = {"email": "New@Example.com", "password": "s3cret!", "name": "新人"}
    reply = http.post("/api/auth/register", json=body)
    assert reply.status_code == 201
    user = reply.json["user"]
    assert (user["email"], user["username"], user["name"], user["role"]) == ("new@example.com", "new", "新人", "user")
    assert me(http, reply.json["accessToken"]).json["data"] == user


def test_a_username_is_unique_ignoring_case_and_made_from_the_email_when_absent(http):
    def register(email, **more):
        return http.post("/api/auth/register", json={"email": email, "password": "s3cret!", **more})

    assert register("demo@other.example").json["user"]["username"] == "demo2"
    assert register("a@b.example").json["user"]["username"] == "a__"
    taken = register("c@b.example", username="DeMo")
    assert taken.status_code == 409 and taken.json["error"]["details"][0]["field"] == "username"
    assert User.get_or_none(User.email == "c@b.example") is None


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("email", "no", "invalid_email"),
        ("password", "12345", "too_short"),
        ("password", "x" * 129, "too_long"),
        ("username", "a@b", "invalid_characters"),
        ("name", "\ud800", "invalid_characters"),
    ],
)
def test_a_bad_registration_names_the_field(http, field, value, code):
    body = json.dumps({"email": "a@b.example", "password": "123456", field: value})
    reply = http.post("/api/auth/register", data=body, content_type="application/json")
    assert (reply.status_code, reply.json["error"]["details"][0]["field"]) == (400, field)
    assert code in [detail["code"] for detail in reply.json["error"]["details"]]


def test_a_refresh_token_opens_nothing_and_an_access_token_renews_nothing(http):
    tokens = login(http).json
    assert reason(me(http, tokens["refreshToken"])) == "invalid_token"
    assert reason(renew(http, tokens["accessToken"])) == "invalid_token"


def test_sixteen_renewals_at_once_get_one_and_the_same_usable_heir(app, http):
    token, gate = login(http).json["refreshToken"], threading.Barrier(16)

    def one_tab(_):
        gate.wait()
        try:
            return renew(app.test_client(), token).json["refreshToken"]
        finally:
            engines.release()

    with ThreadPoolExecutor(16) as pool:
        heirs = set(pool.map(one_tab, range(16)))
    assert len(heirs) == 1 and token not in heirs
    assert renew(http, heirs.pop()).status_code == 200


def test_a_spent_token_ends_the_session_once_the_grace_is_over(http, clock):
    old = login(http).json["refreshToken"]
    heir = renew(http, old).json
    clock(14)
    assert renew(http, old).json["refreshToken"] == heir["refreshToken"]
    clock(2)
    assert reason(renew(http, old)) == "refresh_reused"
    assert reason(renew(http, heir["refreshToken"])) == "revoked_session"
    assert reason(me(http, heir["accessToken"])) == "revoked_session"


def test_access_tokens_expire_and_the_client_is_told_to_renew(http, clock):
    tokens = login(http).json
    clock(901)
    reply = me(http, tokens["accessToken"])
    assert reason(reply) == "expired_token"
    assert reply.headers["WWW-Authenticate"].startswith('Bearer realm="halolight", error="invalid_token"')
    assert me(http, renew(http, tokens["refreshToken"]).json["accessToken"]).status_code == 200


def test_a_session_ends_after_thirty_days_however_often_it_was_renewed(http, clock):
    token = login(http).json["refreshToken"]
    for _ in range(4):
        clock(6.5 * 86400)
        token = renew(http, token).json["refreshToken"]
    clock(4.1 * 86400)
    assert reason(renew(http, token)) == "expired_token"


@pytest.mark.parametrize(
    "change",
    [
        {"alg": "none"},
        {"claims": {"type": "refresh"}},
        {"claims": {"exp": None}},
        {"claims": {"sid": None}},
        {"secret": "x" * 40},
        {"garbage": "a.b.c"},
    ],
)
def test_forged_tokens_are_refused(app, http, change):
    claims = jwt.decode(login(http).json["accessToken"], options={"verify_signature": False})
    claims = {k: v for k, v in {**claims, **change.get("claims", {})}.items() if v is not None}
    secret = change.get("secret", app.config["JWT_SECRET"])
    algorithm = change.get("alg", "HS256")
    forged = change.get("garbage") or jwt.encode(claims, None if algorithm == "none" else secret, algorithm)
    assert reason(me(http, forged)) == "invalid_token"


def test_a_token_signed_by_a_clock_that_is_ahead_is_accepted(app, http):
    claims = jwt.decode(login(http).json["accessToken"], options={"verify_signature": False})
    ahead = jwt.encode({**claims, "iat": claims["iat"] + 60}, app.config["JWT_SECRET"], "HS256")
    assert me(http, ahead).status_code == 200


@pytest.mark.parametrize("how", ["access", "refresh"])
def test_logout_takes_either_token_and_ends_the_session(http, how):
    tokens = login(http).json
    options = (
        {"headers": bearer(tokens["accessToken"])}
        if how == "access"
        else {"json": {"refreshToken": tokens["refreshToken"]}}
    )
    assert http.post("/api/auth/logout", **options).json["data"] is None
    assert reason(me(http, tokens["accessToken"])) == "revoked_session"
    assert reason(renew(http, tokens["refreshToken"])) == "revoked_session"
    assert reason(http.post("/api/auth/logout")) == "missing_token"


def reset(http, link, password="new-secret"):
    return http.post("/api/auth/reset-password", json={"token": link.partition("token=")[2], "password": password})


def mailed_link(app, http):
    http.post("/api/auth/forgot-password", json={"email": EMAIL})
    with app.app_context():
        return auth.reset_link(Mail.select().order_by(Mail.id.desc()).get())


def test_a_forgotten_password_is_set_once_by_the_link_and_ends_every_session(app, http):
    tokens, link = login(http).json, mailed_link(app, http)
    assert link.startswith("http://localhost:3000/reset-password?token=")
    assert reset(http, link).status_code == 200
    assert reason(me(http, tokens["accessToken"])) == "revoked_session"
    assert login(http).status_code == 401 and login(http, password="new-secret").status_code == 200
    again = reset(http, link)
    assert again.status_code == 400 and again.json["error"]["details"][0]["field"] == "token"
    with app.app_context():
        assert auth.reset_link(Mail.get()) is None


def test_a_reset_link_is_dead_after_thirty_minutes_and_after_another_change(app, http, clock):
    first, second = mailed_link(app, http), mailed_link(app, http)
    assert reset(http, first).status_code == 200
    assert reset(http, second).status_code == 400
    late = mailed_link(app, http)
    clock(1801)
    assert reset(http, late).status_code == 400


def test_forgot_password_answers_alike_for_known_and_unknown_and_is_limited(http):
    def forgot(email):
        return http.post("/api/auth/forgot-password", json={"email": email}, headers={"X-Request-ID": "x"})

    assert forgot(EMAIL).data == forgot("nobody@example.com").data
    assert [forgot("nobody@example.com").status_code for _ in range(20)] == [200] * 19 + [429]


def test_production_cannot_send_mail_and_says_so_whatever_the_address(make_app):
    http = make_app(NODE_ENV="production", JWT_SECRET="x" * 32).test_client()
    replies = [http.post("/api/auth/forgot-password", json={"email": email}) for email in (EMAIL, "nobody@example.com")]
    assert [reply.status_code for reply in replies] == [503, 503] and Mail.select().count() == 0


def test_changing_the_password_ends_the_other_sessions_and_keeps_this_one(http):
    here, there = login(http).json, login(http).json
    body = {"currentPassword": "123456", "newPassword": "new-secret"}
    wrong = http.post(
        "/api/auth/change-password", json={**body, "currentPassword": "wrong"}, headers=bearer(here["accessToken"])
    )
    assert wrong.status_code == 400 and wrong.json["error"]["details"][0]["field"] == "currentPassword"
    changed = http.post("/api/auth/change-password", json=body, headers=bearer(here["accessToken"]))
    assert me(http, changed.json["accessToken"]).status_code == 200
    assert renew(http, changed.json["refreshToken"]).status_code == 200
    assert reason(me(http, there["accessToken"])) == "revoked_session"
    assert login(http, password="new-secret").status_code == 200


def test_no_token_is_kept_in_the_database(http):
    tokens = login(http).json
    for model in base.tables():
        text = str(list(model.select().dicts()))
        assert tokens["refreshToken"] not in text and tokens["accessToken"] not in text


def test_a_full_hashing_queue_answers_429_and_is_empty_again(http):
    for _ in range(limits.LOGINS_WAITING):
        passwords._logins_waiting.acquire()
    try:
        assert login(http).headers["Retry-After"] == "1"
    finally:
        for _ in range(limits.LOGINS_WAITING):
            passwords._logins_waiting.release()
    assert login(http).status_code == 200


@pytest.mark.parametrize("sent", ["{token}", "bearer", "Bearer ", "Token {token}", "Basic {token}"])
def test_a_token_without_bearer_is_told_what_is_missing(http, root, sent):
    headers = {"Authorization": sent.format(token=root.tokens["access_token"]), "Accept-Language": "en"}
    reply = http.get("/api/auth/me", headers=headers)
    assert reply.status_code == 401 and reply.json["error"]["reason"] == "missing_token"
    assert reply.json["message"] == "The header Authorization must be `Bearer` and the token"
    assert http.get("/api/auth/me", headers={"Accept-Language": "en"}).json["message"] == "Log in first"
