"""Notifications: always one's own, read once, in the language of the reader."""

import pytest

from models import Notification, Task, User

DAY = {"start": "2026-11-24", "end": "2026-11-25", "allDay": True}
ALL = ("notifications:view", "notifications:update", "notifications:delete")


@pytest.fixture
def owner(client_with):
    return client_with(*ALL)


def tell(client, type="system", title="New message", **values):
    return Notification.create(user=client.id, type=type, title=title, **values).id


def ids(client, query=""):
    return [row["id"] for row in client.get(f"/api/notifications?{query}").json["data"]["items"]]


def test_notifications_are_ones_own_whatever_one_manages(owner, client_with):
    number, manager = tell(owner), client_with("*")
    path = f"/api/notifications/{number}"
    assert ids(owner) == [number] and ids(manager) == []
    assert manager.put(f"{path}/read").status_code == manager.delete(path).status_code == 404


def test_nobody_is_told_what_they_did_themselves(client_with, bell):
    owner = client_with("documents:create", "teams:create", "tasks:create", "calendar:create")
    manager = client_with("*")
    document = owner.post("/api/documents", {"title": "x"}).json["data"]["id"]
    team = owner.post("/api/teams", {"name": "x"}).json["data"]["id"]
    deeds = [
        (owner.post, "/api/tasks", {"title": "x", "assigneeId": owner.id}),
        (owner.post, "/api/calendar/events", {"title": "x", **DAY, "attendeeIds": [owner.id]}),
        (manager.post, f"/api/documents/{document}/share", {"userIds": [manager.id]}),
        (manager.post, f"/api/teams/{team}/members", {"userId": manager.id}),
        (manager.put, f"/api/users/{manager.id}", {"role": "admin"}),
    ]
    assert [send(path, body).status_code for send, path, body in deeds] == [201, 201, 200, 201, 200]
    assert bell(owner) == bell(manager) == []


def test_a_title_is_shown_in_the_language_of_the_request(owner):
    tell(owner, content="你好")
    for language, title in (("zh", "新消息"), ("en", "New message")):
        reply = owner.get("/api/notifications", headers={"Accept-Language": language})
        assert [(row["title"], row["content"]) for row in reply.json["data"]["items"]] == [(title, "你好")]


def test_what_it_is_about_is_a_type_and_an_id_or_null(owner):
    task = Task.create(title="写周报", creator=owner.id)
    tell(owner)
    Notification.tell([owner.id], "task", "You were given a task", content=task.title, target=task, actor=owner.id)
    first, second = owner.get("/api/notifications?sort=id").json["data"]["items"]
    assert first["target"] is None and first["link"] == ""
    assert second["target"] == {"type": "task", "id": task.id} and second["link"] == "/tasks"


def test_it_is_read_once(owner):
    number = tell(owner)
    read = owner.put(f"/api/notifications/{number}/read").json["data"]
    assert read["read"] is True and read["readAt"].endswith("Z")
    Notification.update(read_at=Notification.get_by_id(number).created_at.replace(year=2020)).execute()
    assert owner.put(f"/api/notifications/{number}/read").json["data"]["readAt"].startswith("2020-")


def test_all_are_read_at_once_and_only_ones_own(owner, client_with):
    other = client_with(*ALL)
    tell(owner), tell(owner), tell(other)
    assert owner.put("/api/notifications/read-all").json["data"] == {"updated": 2}
    assert owner.put("/api/notifications/read-all").json["data"] == {"updated": 0}
    assert owner.get("/api/notifications/unread-count").json["data"] == {"count": 0}
    assert other.get("/api/notifications/unread-count").json["data"] == {"count": 1}


def test_they_are_filtered_by_type_and_by_read_or_unread(owner):
    old, new = tell(owner, "task", read=True), tell(owner, "alert")
    assert ids(owner, "read=true") == ids(owner, "unread=false") == ids(owner, "type=task") == [old]
    assert ids(owner, "read=false") == ids(owner, "unread=true") == ids(owner, "type=alert,system") == [new]
    assert ids(owner, "read=all&type=all&unread=") == [new, old]
    assert owner.get("/api/notifications?read=perhaps").json["error"]["details"][0]["code"] == "type"


def test_a_deleted_one_is_gone(owner):
    path = f"/api/notifications/{tell(owner)}"
    assert owner.delete(path).json["data"] is None
    assert owner.delete(path).status_code == 404 and ids(owner) == []


def test_the_seeded_accounts_but_the_guest_have_unread_ones_of_every_type(log_in):
    for user in User.select().where(User.id < 5):
        items = log_in(user).get("/api/notifications?pageSize=100").json["data"]["items"]
        assert {row["type"] for row in items} == set(Notification.TYPES)
        assert {row["read"] for row in items} == {True, False}
