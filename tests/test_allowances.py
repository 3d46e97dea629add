"""What one account may own and cause, however many requests it sends."""

import io
from datetime import timedelta

import pytest

from database import engines
from models import Document, Message, Notification, User
from web import limits

EVENT = {"title": "x", "start": "2026-11-24T09:00:00Z", "end": "2026-11-24T10:00:00Z"}
#: What an account may own so many of: the resource, and a request that makes one with this name.
OWNED = {
    "/api/documents": ("documents", lambda name: {"json": {"title": name}}),
    "/api/files/upload": ("files", lambda name: {"data": {"file": (io.BytesIO(b"x"), name)}}),
    "/api/folders": ("folders", lambda name: {"json": {"name": name}}),
    "/api/calendar/events": ("calendar", lambda name: {"json": EVENT}),
    "/api/tasks": ("tasks", lambda name: {"json": {"title": name}}),
    "/api/conversations": ("messages", lambda name: {"json": {"memberIds": [1], "name": name}}),
}


@pytest.mark.parametrize("manage", [False, True])
@pytest.mark.parametrize("path", OWNED)
def test_an_account_owns_only_so_many_rows_of_a_kind(client_with, monkeypatch, path, manage):
    resource, make = OWNED[path]
    client = client_with(f"{resource}:*" if manage else f"{resource}:create")
    monkeypatch.setattr(limits, "ROWS", 2)
    assert [client.post(path, **make(name)).status_code for name in "abc"] == [201, 201, 409]
    reply = client.post(path, **make("d"), headers={"Accept-Language": "en"})
    assert (reply.json["error"]["code"], reply.json["message"]) == ("CONFLICT", "You may own at most 2 of these")
    assert client_with(f"{resource}:create").post(path, **make("e")).status_code == 201


def test_what_was_deleted_counts_no_more(client_with, monkeypatch):
    client = client_with("documents:create", "documents:view", "documents:delete")
    monkeypatch.setattr(limits, "ROWS", 1)
    document = client.post("/api/documents", {"title": "x"}).json["data"]["id"]
    assert client.post("/api/documents", {"title": "y"}).status_code == 409
    client.delete(f"/api/documents/{document}")
    assert client.post("/api/documents", {"title": "y"}).status_code == 201
    assert Document.select().where(Document.author == client.id).count() == 1


def test_private_conversations_count_for_who_opened_them(client_with, monkeypatch):
    alice, bob = client_with("messages:create"), client_with("messages:create")
    monkeypatch.setattr(limits, "ROWS", 1)
    to = [alice.post("/api/messages", {"content": "x", "recipientId": id}).status_code for id in (bob.id, bob.id, 1)]
    assert to == [201, 201, 409]
    assert bob.post("/api/messages", {"content": "x", "recipientId": 1}).status_code == 201
    assert Message.select().where(Message.sender == alice.id).count() == 2


def test_an_account_has_only_so_many_messages_that_it_sent(client_with, monkeypatch):
    alice = client_with("messages:create", "messages:view", "messages:delete")
    monkeypatch.setattr(limits, "MESSAGES", 1, raising=False)
    memo = {"content": "x", "recipientId": alice.id}
    first = alice.post("/api/messages", memo).json["data"]["id"]
    assert alice.post("/api/messages", memo).status_code == 409
    alice.delete(f"/api/messages/{first}")
    assert alice.post("/api/messages", memo).status_code == 201


# --- What others are told --------------------------------------------------------------------------------------------


@pytest.fixture
def alice(client_with):
    return client_with("messages:*", "documents:*", "calendar:*", "teams:*", "tasks:*", name="爱丽丝")


def write_to(client, user, **options):
    return client.post("/api/messages", {"content": "x", "recipientId": user}, **options)


def test_an_account_causes_only_so_many_notifications_a_minute(alice, client_with, bell, monkeypatch):
    bob, start = client_with("messages:create"), engines.now()
    monkeypatch.setattr(limits, "NOTIFICATIONS", 2)
    assert [write_to(alice, bob.id).status_code for _ in range(3)] == [201, 201, 429]
    reply = write_to(alice, bob.id)
    assert reply.json["error"]["code"] == "TOO_MANY_REQUESTS" and 50 < int(reply.headers["Retry-After"]) <= 61
    assert len(bell(bob)) == Message.select().where(Message.sender == alice.id).count() == 2
    assert write_to(alice, alice.id).status_code == write_to(bob, alice.id).status_code == 201
    monkeypatch.setattr(engines, "now", lambda: start + timedelta(seconds=70))
    assert write_to(alice, bob.id).status_code == 201


def test_whatever_tells_others_counts(alice, client_with, bell, monkeypatch):
    bob = client_with("messages:create")
    document = alice.post("/api/documents", {"title": "x"}).json["data"]["id"]
    event = alice.post("/api/calendar/events", EVENT).json["data"]["id"]
    team = alice.post("/api/teams", {"name": "x"}).json["data"]["id"]
    task = alice.post("/api/tasks", {"title": "x"}).json["data"]["id"]
    monkeypatch.setattr(limits, "NOTIFICATIONS", 1)
    write_to(alice, bob.id)
    for reply in (
        alice.post(f"/api/documents/{document}/share", {"userIds": [bob.id]}),
        alice.post(f"/api/calendar/events/{event}/attendees", {"attendeeIds": [bob.id]}),
        alice.post(f"/api/teams/{team}/members", {"userId": bob.id}),
        alice.put(f"/api/tasks/{task}", {"assigneeId": bob.id}),
    ):
        assert reply.status_code == 429
    assert bell(bob) == ["x"] and alice.get(f"/api/tasks/{task}").json["data"]["assigneeId"] is None


def test_an_act_that_is_alone_in_its_minute_may_tell_more(alice, monkeypatch):
    monkeypatch.setattr(limits, "NOTIFICATIONS", 2)
    path = f"/api/documents/{alice.post('/api/documents', {'title': 'x'}).json['data']['id']}/share"
    assert alice.post(path, {"userIds": [1, 2, 3, 4]}).status_code == 200
    assert alice.post(path, {"userIds": [5]}).status_code == 429


def test_what_somebody_caused_stays_when_they_go(alice, root, client_with, bell):
    bob = client_with("tasks:view")
    team = alice.post("/api/teams", {"name": "留下"}).json["data"]["id"]
    alice.post(f"/api/teams/{team}/members", {"userId": bob.id})
    assert Notification.get(Notification.user == bob.id).actor_id == alice.id
    root.delete(f"/api/users/{alice.id}")
    assert bell(bob) == ["留下"] and Notification.get(Notification.user == bob.id).actor_id is None
    assert Notification.get(Notification.user == User.get(User.id == 1)).actor_id is None
