"""Roles and permissions: who holds what, and that nobody reaches further than their own grants."""

import pytest

from database import base
from models import Role, User

EDIT = ("roles:view", "roles:create", "roles:update", "roles:delete")


@pytest.fixture
def editor(client_with):
    """Somebody who may edit roles, and apart from that only works with tasks."""
    return client_with(*EDIT, "tasks:*")


def new_role(client, **fields):
    reply = client.post("/api/roles", {"name": "reviewer", "label": "审阅者", **fields})
    assert reply.status_code == 201, reply.json
    return reply.json["data"]


def role_of(client):
    return User.get_by_id(client.id).role_id


def test_the_seeded_roles_are_listed_by_name_with_the_number_of_who_holds_them(root):
    page = root.get("/api/roles").json["data"]
    assert page["pageSize"] == 100
    assert [role["name"] for role in page["items"]] == ["admin", "auditor", "guest", "super_admin", "user"]
    assert all(role["isSystem"] for role in page["items"])
    assert page["items"][3]["permissions"] == ["*"] and page["items"][3]["userCount"] == 2
    assert [role["name"] for role in root.get("/api/roles?search=访客").json["data"]["items"]] == ["guest"]


def test_a_role_keeps_its_grants_in_our_words_and_each_once(root):
    role = new_role(root, permissions=["users:edit", "messages:send", "users:update", "files:upload", "tasks:read"])
    assert role["permissions"] == ["users:update", "messages:create", "files:create", "tasks:view"]
    assert role["isSystem"] is False and role["userCount"] == 0 and role["description"] == ""


def test_a_grant_may_name_what_no_route_asks_for(root):
    assert new_role(root, permissions=["reports:export", "shop_2:*"])["permissions"] == ["reports:export", "shop_2:*"]


def test_a_role_without_label_or_grants_is_called_by_its_name_and_may_do_nothing(root):
    role = root.post("/api/roles", {"name": "Nobody"}).json["data"]
    assert (role["name"], role["label"], role["permissions"]) == ("nobody", "nobody", [])


def test_a_name_is_unique_whatever_its_case(root):
    new_role(root)
    reply = root.post("/api/roles", {"name": "AUDITOR"})
    assert reply.status_code == 409
    assert [(d["field"], d["code"]) for d in reply.json["error"]["details"]] == [("name", "unique")]


@pytest.mark.parametrize(
    ("field", "value", "at", "code"),
    [
        ("name", "x", "name", "too_short"),
        ("name", "a b", "name", "invalid_characters"),
        ("label", "x" * 201, "label", "too_long"),
        ("permissions", None, "permissions", "null"),
        ("permissions", "users:view", "permissions", "type"),
        ("permissions", [f"a{i}:view" for i in range(201)], "permissions", "too_long"),
        ("permissions", ["users:view", "users"], "permissions.1", "invalid"),
        ("permissions", ["*:view"], "permissions.0", "invalid"),
        ("permissions", ["Users:view"], "permissions.0", "invalid"),
        ("permissions", ["users:view:all"], "permissions.0", "invalid"),
        ("permissions", ["users:view\n*"], "permissions.0", "invalid"),
        ("permissions", [7], "permissions.0", "type"),
        ("permissions", ["a" * 96 + ":view"], "permissions.0", "too_long"),
    ],
)
def test_bad_input_is_refused_by_field(root, field, value, at, code):
    reply = root.post("/api/roles", {"name": "reviewer", field: value})
    assert reply.status_code == 400
    assert [(d["field"], d["code"]) for d in reply.json["error"]["details"]] == [(at, code)]
    assert Role.select().count() == 5


@pytest.mark.parametrize("grant", ["*", "users:view", "roles:*", "reports:export"])
def test_nobody_makes_a_role_that_could_do_more_than_they(editor, grant):
    assert editor.post("/api/roles", {"name": "reviewer", "permissions": ["tasks:view", grant]}).status_code == 403
    role = new_role(editor, permissions=["tasks:view"])
    assert editor.put(f"/api/roles/{role['id']}", {"permissions": [grant]}).status_code == 403


def test_nobody_changes_or_deletes_a_role_that_can_do_more_than_they(editor, root):
    path = f"/api/roles/{new_role(root, permissions=['users:view'])['id']}"
    assert editor.put(path, {"permissions": []}).status_code == 403
    assert editor.put(path, {"label": "改"}).status_code == 403
    assert editor.delete(path).status_code == 403
    assert root.get(path).json["data"]["label"] == "审阅者"


def test_nobody_raises_their_own_role(editor):
    assert editor.put(f"/api/roles/{role_of(editor)}", {"permissions": ["*"]}).status_code == 403


def test_a_seeded_role_is_neither_deleted_nor_renamed_but_its_grants_may_change(root):
    for role in Role.select():
        path = f"/api/roles/{role.id}"
        assert root.delete(path).status_code == 409
        assert root.put(path, {"name": "other"}).status_code == 409
        assert root.put(path, {"name": role.name, "label": "新名"}).json["data"]["label"] == "新名"
        changed = root.put(path, {"permissions": ["tasks:view"]})
        assert changed.status_code == (409 if role.name == "super_admin" else 200)
    assert Role.get(Role.name == "super_admin").permissions == ("*",)


def test_a_role_is_deleted_only_when_nobody_holds_it(root, client_with):
    somebody = client_with("tasks:view")
    path = f"/api/roles/{role_of(somebody)}"
    assert root.delete(path).status_code == 409
    root.put(f"/api/users/{somebody.id}", {"role": "guest"})
    assert root.delete(path).status_code == 200
    assert root.get(path).status_code == 404


def test_a_client_may_put_back_what_it_got(root):
    role = new_role(root, permissions=["tasks:view"])
    reply = root.put(f"/api/roles/{role['id']}", role)
    assert reply.json["data"] == role and "X-Ignored-Fields" not in reply.headers


def status(server, client):
    return server.call("GET", "/api/tasks", token=client.tokens["access_token"])[0]


def test_a_change_counts_from_the_next_request_on_in_every_process(serve, root, client_with):
    somebody = client_with("dashboard:view")
    servers = serve(), serve()
    assert [status(server, somebody) for server in servers] == [403, 403]
    root.put(f"/api/roles/{role_of(somebody)}", {"permissions": ["tasks:view"]})
    assert [status(server, somebody) for server in servers] == [200, 200]
    root.put(f"/api/roles/{role_of(somebody)}", {"permissions": []})
    assert [status(server, somebody) for server in servers] == [403, 403]


def test_permissions_are_those_of_the_routes_in_the_language_of_the_reader(root, app):
    page = root.get("/api/permissions").json["data"]
    assert [item["key"] for item in page["items"]] == app.extensions["permissions"]
    chinese = next(item for item in page["items"] if item["key"] == "tasks:view")
    assert chinese == {"key": "tasks:view", "resource": "tasks", "action": "view", "label": "查看任务", "group": "任务"}
    english = root.get("/api/permissions", headers={"Accept-Language": "en"}).json["data"]["items"]
    assert ("View tasks", "Tasks") in [(item["label"], item["group"]) for item in english]


def test_every_permission_has_a_chinese_name(root):
    labels = [item["label"] for item in root.get("/api/permissions").json["data"]["items"]]
    assert [label for label in labels if label.lower() != label.upper()] == []


def test_permissions_come_in_pages(root):
    page = root.get("/api/permissions?page=2&pageSize=3").json["data"]
    whole = root.get("/api/permissions").json["data"]
    assert page["items"] == whole["items"][3:6] and page["total"] == whole["total"]


@pytest.mark.parametrize(
    ("held", "given", "status"),
    [
        ("tasks:manage", "tasks:view-all", 201),
        ("tasks:*", "tasks:view-all", 201),
        ("tasks:view-all", "tasks:view-all", 201),
        ("tasks:view-all", "tasks:manage", 403),
        ("tasks:view-all", "tasks:*", 403),
        ("tasks:manage", "teams:view-all", 403),
    ],
)
def test_who_manages_a_resource_may_also_let_others_see_all_of_it(client_with, held, given, status):
    reply = client_with("roles:create", held).post("/api/roles", {"name": "teller", "permissions": [given]})
    assert reply.status_code == status


def test_seeing_all_is_a_permission_of_each_scoped_resource(root):
    def labels(language):
        reply = root.get("/api/permissions?pageSize=1000", headers={"Accept-Language": language})
        return {row["key"]: row["label"] for row in reply.json["data"]["items"] if row["action"] == "view-all"}

    scoped = {"calendar", "documents", "files", "folders", "messages", "tasks", "teams"}
    assert set(labels("zh")) >= {f"{resource}:view-all" for resource in scoped}
    assert set(labels("zh")) == {
        f"{model.RESOURCE}:view-all" for model in base.tables() if getattr(model, "RESOURCE", "")
    }
    assert labels("zh")["documents:view-all"] == "查看所有文档"
    assert labels("en")["documents:view-all"] == "View all documents"


def test_who_manages_a_resource_is_told_that_they_may_see_all_of_it(client_with):
    can = client_with("tasks:manage").get("/api/users/me").json["data"]["can"]
    assert can == ["tasks:manage", "tasks:view-all"]


def test_a_seeded_role_stays_even_without_users(root):
    (role,) = [row for row in root.get("/api/roles").json["data"]["items"] if row["name"] == "auditor"]
    for user in root.get("/api/users?role=auditor").json["data"]["items"]:
        root.delete(f"/api/users/{user['id']}")
    assert root.delete(f"/api/roles/{role['id']}").status_code == 409
