"""Teams: members see them, their admins change them."""

import pytest

from models import Notification, TeamMember, User
from tests.conftest import ACCOUNTS
from web import limits


@pytest.fixture
def owner(client_with):
    return client_with("teams:view", "teams:create", "teams:update", "teams:delete")


@pytest.fixture
def other(client_with):
    return client_with("teams:view")


@pytest.fixture
def team(owner):
    reply = owner.post("/api/teams", {"name": "前端组"})
    assert reply.status_code == 201, reply.json
    return reply.json["data"]


@pytest.fixture
def path(team):
    return f"/api/teams/{team['id']}"


def add(admin, path, user, role="member"):
    return admin.post(f"{path}/members", {"userId": user.id, "role": role})


def roles(client, path):
    return {member["id"]: member["role"] for member in client.get(path).json["data"]["members"]}


def test_who_makes_a_team_is_its_first_admin(owner, team):
    name = User.get_by_id(owner.id).name
    avatar = f"http://localhost/api/avatars/{owner.id}.svg"
    assert team["members"] == [{"id": owner.id, "name": name, "avatar": avatar, "role": "admin"}]
    assert team["memberCount"] == 1 and team["description"] == "" and team["avatar"] is None


def test_lists_count_the_members_but_do_not_name_them(owner, team):
    listed = owner.get("/api/teams").json["data"]["items"]
    assert listed == [{key: value for key, value in team.items() if key != "members"}]


def test_a_team_is_absent_for_others_until_they_are_added(owner, other, path):
    assert other.get(path).status_code == 404
    assert add(owner, path, other).status_code == 201
    assert other.get(path).json["data"]["memberCount"] == 2
    assert other.get("/api/teams").json["data"]["total"] == 1


def test_a_member_may_look_but_not_change(owner, other, path):
    add(owner, path, other)
    assert other.put(path, {"name": "改"}).status_code == 403
    assert add(other, path, other).status_code == 403
    assert other.put(f"{path}/members/{other.id}", {"role": "admin"}).status_code == 403
    assert other.delete(f"{path}/members/{owner.id}").status_code == 403
    assert roles(owner, path) == {owner.id: "admin", other.id: "member"}


def test_an_admin_changes_team_and_members_and_needs_only_to_view_teams(owner, other, client_with, path):
    add(owner, path, other, "admin")
    third = client_with()
    assert other.put(path, {"name": "新名"}).json["data"]["name"] == "新名"
    assert add(other, path, third).json["data"]["memberCount"] == 3
    assert other.put(f"{path}/members/{third.id}", {"role": "admin"}).json["data"]["members"][2]["role"] == "admin"
    assert other.delete(f"{path}/members/{third.id}").json["data"] is None
    assert roles(owner, path) == {owner.id: "admin", other.id: "admin"}
    assert other.delete(path).status_code == 403


def test_who_manages_teams_sees_and_changes_all(client_with, other, path):
    manager = client_with("teams:*")
    assert manager.get(path).status_code == 200
    assert add(manager, path, other).status_code == 201
    assert manager.delete(path).status_code == 200
    assert TeamMember.select().where(TeamMember.user == other.id).count() == 0


def test_nobody_is_added_twice(owner, other, path):
    add(owner, path, other)
    reply = add(owner, path, other, "admin")
    assert reply.status_code == 409
    assert [(d["field"], d["code"]) for d in reply.json["error"]["details"]] == [("userId", "unique")]
    assert roles(owner, path)[other.id] == "member"


def test_a_team_has_only_so_many_members(owner, client_with, path, monkeypatch):
    monkeypatch.setattr(limits, "PEOPLE", 2)
    monkeypatch.setattr(limits, "MANAGED_PEOPLE", 3)
    adding = ((owner, 1), (owner, 3), (client_with("teams:*"), 3), (client_with("teams:*"), 4))
    replies = [client.post(f"{path}/members", {"userId": user}) for client, user in adding]
    assert [reply.status_code for reply in replies] == [201, 400, 201, 400]
    assert [(d["field"], d["code"]) for d in replies[1].json["error"]["details"]] == [("userId", "too_long")]


def test_being_added_rings_the_bell_once(owner, other, path):
    add(owner, path, other)
    owner.put(f"{path}/members/{other.id}", {"role": "admin"})
    told = Notification.get(Notification.user == other.id)
    assert (told.title, told.content, told.target_type) == ("You were added to a team", "前端组", "team")
    assert Notification.select().where(Notification.user == owner.id).count() == 0


def test_a_member_may_leave(owner, other, path):
    add(owner, path, other)
    assert other.delete(f"{path}/members/{other.id}").status_code == 200
    assert other.get(path).status_code == 404


def test_a_team_that_one_is_out_of_or_that_is_gone_is_read_in_no_bell(owner, other, client_with, path, bell):
    third = client_with("teams:view")
    add(owner, path, other), add(owner, path, third)
    other.delete(f"{path}/members/{other.id}")
    assert bell(other) == [] and bell(third) == ["前端组"]
    owner.delete(path)
    assert bell(third) == []


def test_a_team_keeps_an_admin_as_long_as_it_has_members(owner, other, path):
    add(owner, path, other)
    mine = f"{path}/members/{owner.id}"
    assert owner.put(mine, {"role": "member"}).status_code == 409
    assert owner.delete(mine).status_code == 409
    assert roles(owner, path) == {owner.id: "admin", other.id: "member"}
    owner.put(f"{path}/members/{other.id}", {"role": "admin"})
    assert owner.delete(mine).status_code == 200


def test_the_very_last_member_may_leave(owner, root, path):
    assert owner.put(f"{path}/members/{owner.id}", {"role": "member"}).status_code == 409
    assert owner.delete(f"{path}/members/{owner.id}").status_code == 200
    assert root.get(path).json["data"]["members"] == []


def test_who_is_no_member_is_404(owner, other, path):
    assert owner.put(f"{path}/members/{other.id}", {"role": "admin"}).status_code == 404
    assert owner.delete(f"{path}/members/{other.id}").status_code == 404


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({}, "userId", "required"),
        ({"userId": 999999}, "userId", "unknown_id"),
        ({"userId": "x"}, "userId", "type"),
        ({"userId": 1, "role": "owner"}, "role", "not_one_of"),
    ],
)
def test_bad_members_are_refused_by_field(owner, path, body, field, code):
    reply = owner.post(f"{path}/members", body)
    assert reply.status_code == 400
    assert [(d["field"], d["code"]) for d in reply.json["error"]["details"]] == [(field, code)]


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [("name", "", "too_short"), ("name", "x" * 201, "too_long"), ("avatar", "javascript:x", "invalid_url")],
)
def test_bad_teams_are_refused_by_field(owner, field, value, code):
    reply = owner.post("/api/teams", {"name": "x", field: value})
    assert reply.status_code == 400
    assert [(d["field"], d["code"]) for d in reply.json["error"]["details"]] == [(field, code)]
    assert owner.get("/api/teams").json["data"]["total"] == 0


def test_a_client_may_put_back_what_it_got(owner, team, path):
    reply = owner.put(path, team)
    assert reply.json["data"] == team and "X-Ignored-Fields" not in reply.headers


def test_teams_are_searched_and_sorted(owner):
    for name in ("乙组", "alpha", "beta"):
        owner.post("/api/teams", {"name": name, "description": f"{name} 的说明"})

    def names(query):
        return [row["name"] for row in owner.get(f"/api/teams?{query}").json["data"]["items"]]

    assert names("") == ["alpha", "beta", "乙组"] and names("sort=-createdAt,name") == ["beta", "alpha", "乙组"]
    assert names("search=乙组 的") == ["乙组"]


def test_every_account_but_guest_is_in_a_seeded_team(account):
    teams = {role: account(email).get("/api/teams/4").status_code for email, role in ACCOUNTS.items()}
    assert teams == {"super_admin": 200, "admin": 200, "user": 200, "guest": 403, "auditor": 200}
    assert account("demo@halolight.h7ml.cn").get("/api/teams").json["data"]["total"] == 2
