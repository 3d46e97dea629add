"""What one account may own and cause, however many requests it sends."""

import io

import pytest

from models import Document, Message
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
