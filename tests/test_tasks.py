"""Tasks: the plainest resource, and the pattern for the tests of another."""

import pytest

from models import Notification

VIEW, CHANGE = ("tasks:view", "tasks:create"), ("tasks:update", "tasks:delete")


@pytest.fixture
def owner(client_with):
    return client_with(*VIEW, *CHANGE)


@pytest.fixture
def other(client_with):
    return client_with(*VIEW, *CHANGE)


def new_task(client, **fields):
    reply = client.post("/api/tasks", {"title": "写周报", **fields})
    assert reply.status_code == 201, reply.json
    return reply.json["data"]


def test_a_new_task_is_pending_and_ones_own(owner):
    task = new_task(owner)
    assert task["status"] == "pending" and task["priority"] == "medium" and task["progress"] == 0
    assert task["creator"]["id"] == task["creatorId"] == owner.id
    assert task["assignee"] is None and task["assigneeId"] is None


def test_a_task_is_absent_for_others_until_it_is_given_to_them(owner, other):
    task = new_task(owner)
    path = f"/api/tasks/{task['id']}"
    assert other.get(path).status_code == 404
    owner.put(path, {"assigneeId": other.id})
    assert other.get(path).json["data"]["assignee"]["id"] == other.id
    assert [row["id"] for row in other.get("/api/tasks").json["data"]["items"]] == [task["id"]]


def test_an_assignee_may_change_a_task_but_not_delete_it(owner, other):
    task = new_task(owner, assigneeId=other.id)
    path = f"/api/tasks/{task['id']}"
    assert other.put(path, {"status": "done"}).json["data"]["status"] == "done"
    assert other.delete(path).status_code == 403
    assert owner.delete(path).json["data"] is None
    assert owner.get(path).status_code == 404


def test_who_manages_tasks_sees_and_deletes_all(owner, client_with):
    task, manager = new_task(owner), client_with("tasks:*")
    assert manager.get(f"/api/tasks/{task['id']}").status_code == 200
    assert manager.delete(f"/api/tasks/{task['id']}").status_code == 200


def test_only_the_sent_fields_change(owner):
    task = new_task(owner, description="很长", dueDate="2026-12-01")
    changed = owner.put(f"/api/tasks/{task['id']}", {"progress": 50}).json["data"]
    assert {**task, "progress": 50, "updatedAt": changed["updatedAt"]} == changed


def test_a_client_may_put_back_what_it_got(owner):
    task = new_task(owner)
    reply = owner.put(f"/api/tasks/{task['id']}", task)
    assert reply.json["data"] == task
    assert "X-Ignored-Fields" not in reply.headers


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("title", "", "too_short"),
        ("title", "x" * 201, "too_long"),
        ("title", None, "null"),
        ("title", 7, "type"),
        ("title", "a\x00b", "invalid_characters"),
        ("status", "paused", "not_one_of"),
        ("progress", 101, "out_of_range"),
        ("progress", 5.7, "type"),
        ("progress", True, "type"),
        ("dueDate", "tomorrow", "type"),
        ("assigneeId", 999999, "unknown_id"),
        ("assigneeId", 10**30, "out_of_range"),
    ],
)
def test_bad_input_is_refused_by_field(owner, field, value, code):
    reply = owner.post("/api/tasks", {"title": "x", field: value})
    assert reply.status_code == 400 and reply.json["error"]["code"] == "VALIDATION_ERROR"
    assert [(d["field"], d["code"]) for d in reply.json["error"]["details"]] == [(field, code)]
    assert owner.get("/api/tasks").json["data"]["total"] == 0


def test_tasks_are_filtered_searched_and_sorted(owner):
    for title, priority in (("甲 100%", "low"), ("乙", "high"), ("丙", "medium")):
        new_task(owner, title=title, priority=priority)

    def titles(query):
        return [row["title"] for row in owner.get(f"/api/tasks?{query}").json["data"]["items"]]

    assert titles("sort=-priority") == ["乙", "丙", "甲 100%"]
    assert titles("priority=low,high&sort=id") == ["甲 100%", "乙"]
    assert titles("search=100%25") == ["甲 100%"] and titles("search=_") == []
    assert titles("status=all") == ["丙", "乙", "甲 100%"]


def test_a_task_rings_the_bell_of_whom_it_is_given_to_once(owner, other):
    task = new_task(owner, assigneeId=other.id)
    owner.put(f"/api/tasks/{task['id']}", {"assigneeId": other.id, "title": "改"})
    assert Notification.select().where(Notification.user == other.id).count() == 1


def test_a_task_that_was_given_to_somebody_else_or_is_gone_is_read_in_no_bell(owner, other, client_with, bell):
    third = client_with("tasks:view")
    path = f"/api/tasks/{new_task(owner, assigneeId=other.id, title='保密')['id']}"
    owner.put(path, {"assigneeId": third.id})
    assert bell(other) == [] and bell(third) == ["保密"]
    owner.delete(path)
    assert bell(third) == []


def test_a_task_is_given_to_nobody_unknown_or_inactive(owner, other, root):
    path = f"/api/tasks/{new_task(owner)['id']}"
    root.put(f"/api/users/{other.id}/status", {"status": "inactive"})
    for user in (other.id, 999999):
        reply = owner.put(path, {"assigneeId": user})
        assert [(d["field"], d["code"]) for d in reply.json["error"]["details"]] == [("assigneeId", "unknown_id")]
    assert owner.get(path).json["data"]["assigneeId"] is None


def test_tasks_are_filtered_also_by_somebody_inactive_whose_tasks_one_sees(owner, other, root):
    task = new_task(owner, assigneeId=other.id)
    root.put(f"/api/users/{other.id}/status", {"status": "inactive"})
    reply = owner.get(f"/api/tasks?assigneeId={other.id},{owner.id}")
    assert [row["id"] for row in reply.json["data"]["items"]] == [task["id"]]
    owner.delete(f"/api/tasks/{task['id']}")
    assert owner.get(f"/api/tasks?assigneeId={other.id}").status_code == 400
