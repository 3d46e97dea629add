"""Activities: one rule for every resource. Each names the row as the deed left it, and what changed nothing is none."""

import io

import pytest

from models import Activity

EVENT = {"start": "2026-12-01T09:00:00Z", "end": "2026-12-01T10:00:00Z"}
#: Where rows are made, what they need besides a name, and what that is called.
RESOURCES = {
    "/api/users": ("name", {"email": "new@example.com", "username": "new"}),
    "/api/roles": ("name", {"permissions": ["dashboard:view"], "label": "x"}),
    "/api/teams": ("name", {}),
    "/api/documents": ("title", {"tags": ["a", "b"], "content": "x"}),
    "/api/folders": ("name", {}),
    "/api/files": ("name", {}),
    "/api/calendar/events": ("title", {**EVENT, "attendeeIds": [3]}),
    "/api/tasks": ("title", {"assigneeId": 3}),
}


def activities():
    return list(Activity.select(Activity.action, Activity.target_name).order_by(Activity.id).tuples())[50:]


def make(client, path, name):
    key, fields = RESOURCES[path]
    if path == "/api/files":
        return client.post(f"{path}/upload", data={"file": (io.BytesIO(b"x"), name)}).json["data"]
    return client.post(path, {**fields, key: name}).json["data"]


@pytest.mark.parametrize("path", RESOURCES)
def test_an_activity_names_the_row_as_the_deed_left_it(root, path):
    row = make(root, path, "old")
    root.put(f"{path}/{row['id']}", {RESOURCES[path][0]: "new"})
    root.delete(f"{path}/{row['id']}")
    assert activities() == [("create", "old"), ("update", "new"), ("delete", "new")]


@pytest.mark.parametrize("path", RESOURCES)
def test_a_change_of_nothing_is_no_activity(root, path):
    one = f"{path}/{make(root, path, 'row')['id']}"
    for body in ({}, root.get(one).json["data"]):
        assert root.put(one, body).status_code == 200
    assert activities() == [("create", "row")]


def test_what_users_change_of_themselves_is_an_activity_too(demo):
    for _ in range(2):
        assert demo.put("/api/users/me", {"name": "新名字"}).status_code == 200
    assert activities() == [("update", "新名字")]


def test_nor_is_what_was_so_before_in_a_team_an_event_or_a_share(root):
    paths = ("/api/teams", "/api/calendar/events", "/api/documents")
    team, event, document = (f"{path}/{make(root, path, 'x')['id']}" for path in paths)
    before = len(activities())
    deeds = [
        (root.post, f"{team}/members", {"userId": 3}),
        (root.put, f"{team}/members/3", {"role": "admin"}),
        (root.post, f"{event}/attendees", {"attendeeIds": [4, 1]}),
        (root.put, f"{event}/respond", {"status": "accepted"}),
        (root.put, event, {"attendeeIds": [4, 1]}),
        (root.post, f"{document}/share", {"userIds": [3], "permission": "view"}),
        (root.post, f"{document}/share", {"userIds": [3], "permission": "edit"}),
        (root.post, f"{document}/unshare", {}),
        (root.put, "/api/users/20/status", {"status": "suspended"}),
        (root.delete, f"{team}/members/3"),
        (root.delete, f"{event}/attendees/4"),
    ]
    for number, (send, path, *body) in enumerate(deeds, 1):
        for _ in range(2):
            assert send(path, *body).status_code in (200, 201, 404, 409), path
            assert len(activities()) == before + number, path
