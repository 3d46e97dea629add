"""Conversations: groups and private ones, as each member sees them."""

import pytest

from database import engines
from models import Conversation, Message, User
from web import limits

ALL = ("messages:view", "messages:create", "messages:update", "messages:delete")


@pytest.fixture
def people(client_with):
    return [client_with(*ALL, name=name) for name in ("爱丽丝", "鲍勃", "卡萝")]


def send(client, content="你好", **to):
    return client.post("/api/messages", {"content": content, **to}).json["data"]


def new_group(client, *members, **fields):
    body = {"memberIds": [member.id for member in members], **fields}
    return client.post("/api/conversations", body).json["data"]


def listed(client):
    return client.get("/api/conversations").json["data"]["items"]


def history(client, conversation_id, query=""):
    reply = client.get(f"/api/conversations/{conversation_id}/messages?{query}")
    return [row["content"] for row in reply.json["data"]["items"]]


def test_a_private_conversation_shows_each_of_the_two_the_other(people):
    alice, bob, _ = people
    message = send(alice, recipientId=bob.id)
    mine, his = listed(alice)[0], listed(bob)[0]
    assert (mine["id"], mine["type"], mine["name"], his["name"]) == (his["id"], "private", "鲍勃", "爱丽丝")
    assert mine["avatar"].endswith(f"/api/avatars/{bob.id}.svg")
    assert [set(member) for member in mine["members"]] == [{"id", "name", "avatar"}] * 2
    assert {member["id"] for member in mine["members"]} == {alice.id, bob.id}
    assert mine["lastMessage"] == {key: message[key] for key in ("id", "content", "type", "senderId", "createdAt")}
    assert (mine["unreadCount"], his["unreadCount"]) == (0, 1)


def test_a_group_has_its_maker_in_it_and_each_member_once(people):
    alice, bob, carol = people
    group = new_group(alice, bob, bob, carol, name="周末爬山")
    assert (group["type"], group["name"], group["avatar"], group["lastMessage"]) == ("group", "周末爬山", None, None)
    assert [member["id"] for member in group["members"]] == [alice.id, bob.id, carol.id]
    assert listed(carol) == [group]


def test_a_group_without_a_name_is_called_after_the_others_also_where_it_is_two(people):
    alice, bob, carol = people
    assert new_group(alice, bob, carol)["name"] == "鲍勃、卡萝"
    pair = new_group(alice, bob)
    assert pair["type"] == "group" and pair["id"] != send(alice, recipientId=bob.id)["conversationId"]


@pytest.mark.parametrize(
    ("fields", "field", "code"),
    [
        ({}, "memberIds", "required"),
        ({"memberIds": []}, "memberIds", "out_of_range"),
        ({"memberIds": [1, 999999]}, "memberIds.1", "unknown_id"),
        ({"memberIds": [1], "name": "x" * 201}, "name", "too_long"),
    ],
)
def test_bad_input_is_refused_by_field(people, fields, field, code):
    reply = people[0].post("/api/conversations", fields)
    assert reply.status_code == 400 and listed(people[0]) == []
    assert [(d["field"], d["code"]) for d in reply.json["error"]["details"]] == [(field, code)]


def test_a_list_shows_the_first_ten_members_and_how_many_there_are(people, client_with):
    alice, _, _ = people
    ids = [13, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12]
    group = alice.post("/api/conversations", {"memberIds": ids}).json["data"]
    assert [member["id"] for member in group["members"]] == [alice.id, *ids] and group["memberCount"] == 13
    assert listed(alice) == [{**group, "members": group["members"][:10]}]
    assert group["name"] == "、".join(member["name"] for member in group["members"][1:10]) + "…"
    (seen,) = [row for row in listed(client_with("messages:*")) if row["id"] == group["id"]]
    assert len(seen["members"]) == 10 and seen["memberCount"] == 13


def test_a_group_has_only_so_many_members(people, client_with, monkeypatch):
    monkeypatch.setattr(limits, "PEOPLE", 2)
    monkeypatch.setattr(limits, "MANAGED_PEOPLE", 3)
    for client, most in ((people[0], 2), (client_with("messages:*"), 3)):
        reply = client.post("/api/conversations", {"memberIds": [client.id, 1, 2, 3][: most + 1]})
        assert [(d["field"], d["code"]) for d in reply.json["error"]["details"]] == [("memberIds", "too_long")]
        assert reply.json["error"]["details"][0]["message"] == f"最多 {most} 人"
        assert client.post("/api/conversations", {"memberIds": [client.id, 1, 2, 3][:most]}).status_code == 201


def test_the_most_recently_used_comes_first(people):
    alice, bob, carol = people
    older, newer = new_group(alice, bob), new_group(alice, carol)
    Conversation.update(updated_at=engines.now().replace(year=2020)).execute()
    send(bob, conversationId=older["id"])
    assert [row["id"] for row in listed(alice)] == [older["id"], newer["id"]]
    assert alice.get("/api/conversations").json["data"]["pageSize"] == 100


def test_a_conversation_is_absent_for_who_is_not_in_it_but_for_managers(people, client_with):
    alice, bob, carol = people
    group, manager = new_group(alice, bob), client_with("messages:*")
    path = f"/api/conversations/{group['id']}"
    assert carol.get(f"{path}/messages").status_code == carol.put(f"{path}/read").status_code == 404
    assert carol.delete(path).status_code == 404 and listed(carol) == []
    send(alice, "秘密", conversationId=group["id"])
    assert history(manager, group["id"]) == ["秘密"]
    assert (listed(manager)[0]["lastMessage"]["content"], listed(manager)[0]["unreadCount"]) == ("秘密", 0)
    assert manager.delete(path).status_code == 409  # there is nothing to leave


def test_the_history_goes_back_from_a_message(people):
    alice, bob, _ = people
    first, *_, last = [send(alice, text, recipientId=bob.id) for text in "甲乙丙丁"]
    assert history(bob, first["conversationId"]) == ["丁", "丙", "乙", "甲"]
    assert history(bob, first["conversationId"], f"before={last['id']}&pageSize=2") == ["丙", "乙"]
    assert history(bob, first["conversationId"], f"before={first['id']}") == []


def test_a_conversation_is_read_as_a_whole_and_for_oneself(people):
    alice, bob, carol = people
    group = new_group(alice, bob, carol)
    for text in "甲乙":
        send(alice, text, conversationId=group["id"])
    assert listed(bob)[0]["unreadCount"] == 2
    assert bob.put(f"/api/conversations/{group['id']}/read").json["data"]["unreadCount"] == 0
    assert (listed(bob)[0]["unreadCount"], listed(carol)[0]["unreadCount"]) == (0, 2)


def test_the_last_message_is_the_newest_in_ones_own_sight(people):
    alice, bob, _ = people
    older, newer = send(alice, "旧", recipientId=bob.id), send(alice, "新", recipientId=bob.id)
    bob.delete(f"/api/messages/{newer['id']}")
    assert listed(bob)[0]["lastMessage"]["content"] == "旧" and listed(alice)[0]["lastMessage"]["content"] == "新"
    bob.delete(f"/api/messages/{older['id']}")
    assert (listed(bob)[0]["lastMessage"], listed(bob)[0]["unreadCount"]) == (None, 0)


def test_who_leaves_a_private_conversation_gets_it_back_with_the_next_message_only(people):
    alice, bob, _ = people
    conversation = send(alice, "旧", recipientId=bob.id)["conversationId"]
    assert bob.delete(f"/api/conversations/{conversation}").json["data"] is None
    assert listed(bob) == [] and bob.get("/api/messages").json["data"]["items"] == []
    assert listed(alice)[0]["name"] == "鲍勃"
    assert send(alice, "新", recipientId=bob.id)["conversationId"] == conversation
    assert history(bob, conversation) == ["新"] and history(alice, conversation) == ["新", "旧"]


def test_who_leaves_a_group_is_out_and_the_last_one_closes_it(client_with, people):
    alice, guest = people[0], client_with("messages:view")
    group = new_group(alice, guest)
    path = f"/api/conversations/{group['id']}"
    assert guest.delete(path).status_code == 200
    send(alice, conversationId=group["id"])
    assert listed(guest) == [] and [member["id"] for member in listed(alice)[0]["members"]] == [alice.id]
    alice.delete(path)
    assert not Conversation.select().where(Conversation.id == group["id"]).exists()


def test_a_conversation_that_one_leaves_goes_out_of_the_bell(people, bell):
    alice, bob, carol = people
    group = new_group(alice, bob, carol)["id"]
    private = send(alice, "私下", recipientId=bob.id)["conversationId"]
    send(alice, "大家好", conversationId=group)
    bob.delete(f"/api/conversations/{group}")
    assert bell(bob) == ["私下"] and bell(carol) == ["大家好"]
    bob.delete(f"/api/conversations/{private}")
    assert bell(bob) == []


def test_a_private_conversation_that_both_left_is_gone_and_begins_anew(people):
    alice, bob, _ = people
    old = send(alice, recipientId=bob.id)
    for person in (alice, bob):
        person.delete(f"/api/conversations/{old['conversationId']}")
    assert not Message.select().where(Message.id == old["id"]).exists()
    assert send(bob, recipientId=alice.id)["conversationId"] != old["conversationId"]


def test_a_deleted_user_leaves_the_others_their_conversation(people, root):
    alice, bob, _ = people
    conversation = send(alice, "还在", recipientId=bob.id)["conversationId"]
    assert root.delete(f"/api/users/{bob.id}").status_code == 200
    assert history(alice, conversation) == ["还在"]
    assert listed(alice)[0]["unreadCount"] == 0


def test_the_number_of_queries_does_not_grow_with_the_page(people, monkeypatch):
    alice, bob, carol = people
    queries = []
    run = engines.db.execute_sql
    monkeypatch.setattr(engines.db.obj, "execute_sql", lambda *args, **kw: queries.append(args[0]) or run(*args, **kw))

    def cost(path):
        queries.clear()
        assert alice.get(path).status_code == 200
        return len(queries)

    new_group(alice, bob)
    few = cost("/api/conversations"), cost("/api/messages")
    for text in "甲乙丙丁":
        send(alice, text, conversationId=new_group(alice, bob, carol)["id"])
    assert (cost("/api/conversations"), cost("/api/messages")) == few


def test_the_seeded_accounts_have_conversations_with_unread_messages(account):
    for email, *_ in User.select(User.email).where(User.id < 5).tuples():
        client = account(email)
        mine = [row for row in listed(client) if client.id in {member["id"] for member in row["members"]}]
        assert {row["type"] for row in mine} == {"private", "group"} and any(row["unreadCount"] for row in mine)
        assert all(row["name"] and row["lastMessage"] for row in mine)
    assert Conversation.select().count() == 13


def test_a_private_conversation_outlives_the_other_to_be_read_but_not_to_be_written_in(people, root):
    alice, bob, carol = people
    mine = send(alice, recipientId=bob.id)["conversationId"]
    send(bob, "再见", conversationId=mine)
    send(carol, recipientId=carol.id)
    root.delete(f"/api/users/{bob.id}")
    (left,) = listed(alice)
    assert (left["name"], left["avatar"], [member["id"] for member in left["members"]]) == ("鲍勃", None, [alice.id])
    assert history(alice, mine) == ["你好"]
    reply = alice.post("/api/messages", {"content": "在吗", "conversationId": mine})
    assert (reply.status_code, reply.json["message"]) == (409, "对方账号已删除，无法发送消息")
    assert alice.delete(f"/api/conversations/{mine}").status_code == 200 and listed(alice) == []
    assert carol.post("/api/messages", {"content": "x", "recipientId": carol.id}).status_code == 201
