"""Messages: who sees them, how they are read, and for whom they go."""

import pytest

from models import Conversation, Message

ALL = ("messages:view", "messages:create", "messages:update", "messages:delete")


@pytest.fixture
def alice(client_with):
    return client_with(*ALL, name="爱丽丝")


@pytest.fixture
def bob(client_with):
    return client_with(*ALL, name="鲍勃")


@pytest.fixture
def carol(client_with):
    return client_with(*ALL, name="卡萝")


@pytest.fixture
def manager(client_with):
    return client_with("messages:*")


def send(client, content="你好", **to):
    reply = client.post("/api/messages", {"content": content, **to})
    assert reply.status_code == 201, reply.json
    return reply.json["data"]


def contents(client, query=""):
    return [row["content"] for row in client.get(f"/api/messages?{query}").json["data"]["items"]]


def test_a_first_message_opens_the_private_conversation_of_the_two(alice, bob):
    message = send(alice, recipientId=bob.id)
    assert message["sender"]["id"] == message["senderId"] == alice.id
    assert message["type"] == "text" and message["read"] is True
    assert send(bob, recipientId=alice.id)["conversationId"] == message["conversationId"]
    assert Conversation.get_by_id(message["conversationId"]).type == "private"


def test_a_message_is_unread_until_its_reader_marks_it(alice, bob):
    path = f"/api/messages/{send(alice, recipientId=bob.id)['id']}"
    assert bob.get(path).json["data"]["read"] is False
    assert bob.put(f"{path}/read").json["data"]["read"] is True
    assert bob.get(path).json["data"]["read"] is True


def test_a_message_is_absent_for_who_is_not_in_the_conversation(alice, bob, carol):
    path = f"/api/messages/{send(alice, recipientId=bob.id)['id']}"
    assert carol.get(path).status_code == carol.put(f"{path}/read").status_code == carol.delete(path).status_code == 404
    assert contents(carol) == []


def test_messages_lie_in_boxes(alice, bob):
    send(alice, "去", recipientId=bob.id)
    send(bob, "来", recipientId=alice.id)
    assert contents(alice, "box=inbox") == ["来"]
    assert contents(alice, "box=sent") == ["去"]
    assert contents(alice) == contents(alice, "box=all") == ["来", "去"]
    assert alice.get("/api/messages?box=spam").json["error"]["details"][0]["field"] == "box"


def test_messages_are_filtered_by_conversation_and_by_ones_own_mark(alice, bob, carol):
    first = send(alice, "一", recipientId=bob.id)
    send(carol, "二", recipientId=bob.id)
    bob.put(f"/api/messages/{first['id']}/read")
    assert contents(bob, "read=true") == ["一"] and contents(bob, "read=false") == ["二"]
    assert contents(bob, "read=all") == contents(bob, "read=true,false") == ["二", "一"]
    assert contents(bob, f"conversationId={first['conversationId']}") == ["一"]
    refused = carol.get(f"/api/messages?conversationId={first['conversationId']}")
    assert refused.json["error"]["details"][0]["code"] == "unknown_id"


def test_ones_own_message_is_deleted_for_everybody(alice, bob):
    path = f"/api/messages/{send(alice, recipientId=bob.id)['id']}"
    assert alice.delete(path).json["data"] is None
    assert alice.get(path).status_code == bob.get(path).status_code == 404


def test_anothers_message_goes_from_ones_own_view_only(alice, bob):
    path = f"/api/messages/{send(alice, recipientId=bob.id)['id']}"
    assert bob.delete(path).status_code == 200
    assert bob.get(path).status_code == 404 and contents(bob) == []
    assert alice.get(path).status_code == 200


def test_who_manages_messages_reads_all_and_deletes_them_for_everybody(alice, bob, manager):
    path = f"/api/messages/{send(alice, '秘密', recipientId=bob.id)['id']}"
    assert manager.put(f"{path}/read").json["data"]["read"] is False
    assert contents(manager)[0] == "秘密" and "秘密" in contents(manager, "read=false&pageSize=1000")
    assert contents(manager, "box=inbox") == contents(manager, "box=sent") == []
    assert bob.get(path).json["data"]["read"] is False
    assert manager.delete(path).status_code == 200
    assert alice.get(path).status_code == bob.get(path).status_code == 404


def test_where_a_manager_is_a_member_they_have_a_view_of_their_own_as_well(alice, manager):
    path = f"/api/messages/{send(alice, recipientId=manager.id)['id']}"
    assert manager.delete(path).status_code == 200
    assert manager.get(path).status_code == 404 and alice.get(path).status_code == 200


def test_a_manager_may_write_into_a_conversation_they_are_not_in(alice, bob, manager):
    conversation = send(alice, recipientId=bob.id)["conversationId"]
    send(manager, "请注意", conversationId=conversation)
    assert (
        contents(alice, "read=false") == contents(bob, "box=inbox")[:1] == contents(manager, "box=sent") == ["请注意"]
    )


def test_one_may_write_to_oneself(alice):
    assert send(alice, "备忘", recipientId=alice.id)["read"] is True
    assert contents(alice) == ["备忘"]
    assert alice.get("/api/conversations").json["data"]["items"][0]["name"] == "爱丽丝"


def test_a_message_rings_the_bell_of_the_others(client_with, alice):
    bob = client_with("notifications:view", *ALL)
    message = send(alice, "字" * 300, recipientId=bob.id)
    bell = bob.get("/api/notifications").json["data"]["items"]
    assert [(row["type"], row["target"]) for row in bell] == [("message", {"type": "message", "id": message["id"]})]
    assert bell[0]["content"] == "字" * 200 and bell[0]["link"] == "/messages"
    bob.put(f"/api/messages/{message['id']}/read")
    assert bob.get("/api/notifications/unread-count").json["data"] == {"count": 1}


def test_a_message_that_was_deleted_is_read_in_nobodys_bell(alice, bob, bell):
    kept, gone = send(alice, "公开", recipientId=bob.id), send(alice, "秘密", recipientId=bob.id)
    assert bell(bob) == ["公开", "秘密"]
    alice.delete(f"/api/messages/{gone['id']}")
    assert bell(bob) == ["公开"] and bob.get(f"/api/messages/{kept['id']}").status_code == 200


def test_who_deletes_a_message_from_their_own_view_leaves_it_in_the_bells_of_the_others(alice, bob, carol, bell):
    group = alice.post("/api/conversations", {"memberIds": [bob.id, carol.id]}).json["data"]["id"]
    path = f"/api/messages/{send(alice, conversationId=group)['id']}"
    assert bob.delete(path).status_code == 200
    assert bell(bob) == [] and bell(carol) == ["你好"]


@pytest.mark.parametrize(
    ("fields", "field", "code"),
    [
        ({}, "recipientId", "required"),
        ({"recipientId": 1, "conversationId": 1}, "recipientId", "required"),
        ({"recipientId": 999999}, "recipientId", "unknown_id"),
        ({"conversationId": 1}, "conversationId", "unknown_id"),
        ({"recipientId": 1, "content": "  "}, "content", "too_short"),
        ({"recipientId": 1, "content": "x" * 5001}, "content", "too_long"),
        ({"recipientId": 1, "type": "video"}, "type", "not_one_of"),
    ],
)
def test_bad_input_is_refused_by_field(alice, fields, field, code):
    before = Message.select().count(), Conversation.select().count()
    reply = alice.post("/api/messages", {"content": "x", **fields})
    assert reply.status_code == 400
    assert [(d["field"], d["code"]) for d in reply.json["error"]["details"]] == [(field, code)]
    assert (Message.select().count(), Conversation.select().count()) == before
