"""Sessions: where one is logged in, and ending one from afar."""

from datetime import timedelta

import pytest

import models
from database import engines
from models import Session
from resources.sessions import device_name

PATH = "/api/auth/sessions"


def test_one_sees_ones_own_sessions_the_newest_first(account, root):
    first, second = account("demo@halolight.h7ml.cn"), account("demo@halolight.h7ml.cn")
    items = second.get(PATH).json["data"]["items"]
    assert [item["current"] for item in items] == [True, False]
    assert [item["current"] for item in first.get(PATH).json["data"]["items"]] == [False, True]
    assert set(items[0]) == {"id", "device", "address", "createdAt", "lastUsedAt", "current"}


def test_a_session_names_the_device_and_its_last_refresh(client_with, app, monkeypatch):
    somebody = client_with()
    agent = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}
    body = {"email": models.User.get_by_id(somebody.id).email, "password": "123456"}
    tokens = app.test_client().post("/api/auth/login", json=body, headers=agent).json
    later = engines.now().replace(microsecond=0) + timedelta(minutes=5)
    monkeypatch.setattr(engines, "now", lambda: later)
    app.test_client().post("/api/auth/refresh", json={"refreshToken": tokens["refreshToken"]})
    newest = somebody.get(PATH).json["data"]["items"][0]
    assert newest["device"] == "Firefox, Linux" and newest["lastUsedAt"] == later.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_an_ended_session_is_out_on_the_next_request(account):
    lost, mine = account("demo@halolight.h7ml.cn"), account("demo@halolight.h7ml.cn")
    lost_id = next(item["id"] for item in mine.get(PATH).json["data"]["items"] if not item["current"])
    assert mine.delete(f"{PATH}/{lost_id}").json["data"] is None
    assert lost.get(PATH).json["error"]["reason"] == "revoked_session"
    refreshed = lost.post("/api/auth/refresh", {"refreshToken": lost.tokens["refresh_token"]})
    assert refreshed.json["error"]["reason"] == "revoked_session"
    assert mine.get(PATH).json["data"]["total"] == 1
    assert mine.delete(f"{PATH}/{lost_id}").status_code == 404


def test_one_may_end_the_session_one_is_in(demo):
    own = demo.get(PATH).json["data"]["items"][0]["id"]
    assert demo.delete(f"{PATH}/{own}").status_code == 200
    assert demo.get(PATH).status_code == 401


def test_anothers_session_is_absent_whatever_one_may_do(root, demo):
    of_demo = demo.get(PATH).json["data"]["items"][0]["id"]
    assert root.delete(f"{PATH}/{of_demo}").status_code == 404
    assert of_demo not in [item["id"] for item in root.get(PATH).json["data"]["items"]]
    assert demo.get(PATH).status_code == 200


def test_a_session_is_gone_from_the_list_once_it_has_expired(account):
    account("demo@halolight.h7ml.cn")
    mine = account("demo@halolight.h7ml.cn")
    items = mine.get(PATH).json["data"]["items"]
    Session.update(expires_at=engines.now()).where(Session.id == items[1]["id"]).execute()
    assert [item["id"] for item in mine.get(PATH).json["data"]["items"]] == [items[0]["id"]]


@pytest.mark.parametrize(
    ("user_agent", "device"),
    [
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36", "Chrome, Windows"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0", "Edge, Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1", "Safari, iPhone"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/18.0 Safari/605.1.15", "Safari, macOS"),
        ("Mozilla/5.0 (Linux; Android 15) Chrome/140.0 Mobile Safari/537.36", "Chrome, Android"),
        ("python-requests/2.32", "python-requests"),
        ("curl/8.5", "curl"),
        ("", ""),
    ],
)
def test_a_device_is_named_in_a_few_words(user_agent, device):
    assert device_name(user_agent) == device
