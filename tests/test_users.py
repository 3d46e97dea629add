"""Users, contacts, avatars; no road to more rights than one has."""

import pytest

from database import engines
from models import Activity, Notification, Role, Session, Task, User

ALL = ("users:view", "users:create", "users:update", "users:delete")
PLAIN = {"email": "new@example.com", "password": "123456"}


@pytest.fixture
def admin(client_with):
    return client_with("users:*", "dashboard:view")


def field_of(reply, status=400):
    assert reply.status_code == status, reply.json
    return reply.json["error"]["details"][0]["field"]


def test_a_user_shows_exactly_the_fields_of_the_contract(admin):
    user = admin.get("/api/users/4").json["data"]
    fields = "id email username name avatar phone department position bio status role roleId roleLabel createdAt"
    assert list(user) == [*fields.split(), "updatedAt", "lastLoginAt"]
    assert user["avatar"] == "http://localhost/api/avatars/4.svg" and user["roleLabel"] == "普通用户"


def test_either_name_of_the_role_may_be_changed_in_what_one_got_and_puts_back(client_with):
    root = client_with("*")
    guest = root.get("/api/users?role=guest").json["data"]["items"][0]["roleId"]
    user = root.get("/api/users/4").json["data"]
    changed = root.put("/api/users/4", {**user, "role": "admin"}).json["data"]
    assert changed["role"] == "admin" and changed["roleId"] != user["roleId"]
    assert root.put("/api/users/4", {**changed, "roleId": guest}).json["data"]["role"] == "guest"


def test_users_are_searched_filtered_and_sorted(admin):
    def names(query):
        return [row["username"] for row in admin.get(f"/api/users?{query}").json["data"]["items"]]

    assert names("search=王小") == ["demo"]
    assert names("keyword=HALO@") == [] and names("q=ADMIN@EX") == ["admin"]
    assert names("role=super_admin&sort=-username") == ["halo", "admin"]
    assert set(names("role=guest,super_admin")) == {"guest", "admin", "halo"}
    role = admin.get("/api/users/1").json["data"]["roleId"]
    assert names(f"roleId={role}&sort=-username") == ["halo", "admin"] and len(names("roleId=all")) == 10
    assert names("search=%25") == names("search=_") == []


def test_users_who_never_logged_in_come_last_either_way(root):
    never = [row["id"] for row in root.get("/api/users?pageSize=100").json["data"]["items"] if not row["lastLoginAt"]]
    for sort in ("lastLoginAt", "-lastLoginAt"):
        rows = root.get(f"/api/users?pageSize=100&sort={sort}").json["data"]["items"]
        assert {row["id"] for row in rows[-len(never) :]} == set(never) and never


def test_a_created_user_without_a_name_is_called_by_the_username(root):
    made = root.post("/api/users", PLAIN).json["data"]
    assert (made["username"], made["name"], made["role"], made["status"]) == ("new", "new", "user", "active")
    changed = root.put(f"/api/users/{made['id']}", {"username": "newer", "name": ""}).json["data"]
    assert (changed["username"], changed["name"]) == ("newer", "newer")


def test_a_front_end_may_create_a_user_by_role_id_and_without_a_password(root):
    made = root.post("/api/users", {"email": "n@e.example", "phone": "", "roleId": "4", "status": "active"}).json[
        "data"
    ]
    assert made["role"] == "guest" and User.get_by_id(made["id"]).password_hash is None


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"role": "emperor"}, "role"),
        ({"roleId": 99}, "roleId"),
        ({"email": "x"}, "email"),
        ({"status": "gone"}, "status"),
        ({"avatar": "javascript:alert(1)"}, "avatar"),
        ({"avatar": "//evil.example/x.png"}, "avatar"),
        ({"bio": "x" * 5001}, "bio"),
    ],
)
def test_bad_input_is_refused_by_field(root, change, field):
    assert field_of(root.post("/api/users", {**PLAIN, **change})) == field
    assert User.get_or_none(User.email == PLAIN["email"]) is None


@pytest.mark.parametrize(
    "avatar",
    ["https://cdn.example/a.png", "/api/avatars/7.svg", "data:image/png;base64,AAAA", "http://localhost:8000/a.png"],
)
def test_an_avatar_is_a_url_of_ours_or_anothers(root, avatar):
    shown = root.put("/api/users/4", {"avatar": avatar}).json["data"]["avatar"]
    assert shown == {"/api/avatars/7.svg": "http://localhost/api/avatars/4.svg"}.get(avatar, avatar)


def test_a_taken_email_or_username_is_409_and_nothing_is_written(root):
    assert field_of(root.post("/api/users", {**PLAIN, "email": "DEMO@halolight.h7ml.cn"}), 409) == "email"
    assert field_of(root.put("/api/users/4", {"phone": "1", "username": "ADMIN"}), 409) == "username"
    assert User.get_by_id(4).phone != "1"


def test_a_client_may_put_back_what_it_got_without_further_rights(client_with):
    client = client_with("users:view", "users:update", "documents:*", "dashboard:*")
    Role.update(permissions=["dashboard:view"]).where(Role.name == "user").execute()
    user = client.get("/api/users/4").json["data"]
    reply = client.put("/api/users/4", {**user, "phone": "1"})
    assert reply.json["data"]["phone"] == "1" and "X-Ignored-Fields" not in reply.headers


def test_role_status_and_password_need_manage(client_with):
    client = client_with(*ALL, "dashboard:view")
    for change in ({"role": "user"}, {"status": "suspended"}, {"password": "secret7"}):
        assert client.put("/api/users/5", change).status_code == 403
    assert client.put("/api/users/5/status", {"status": "suspended"}).status_code == 403


def test_nobody_reaches_up(admin):
    assert admin.post("/api/users", {**PLAIN, "role": "super_admin"}).status_code == 403
    assert admin.put(f"/api/users/{admin.id}", {"role": "super_admin"}).status_code == 403
    for path in ("/api/users/1", "/api/users/3"):  # a super admin; an admin, who holds more than users:*
        assert admin.put(path, {"name": "x"}).status_code == admin.delete(path).status_code == 403
        assert admin.put(f"{path}/status", {"status": "inactive"}).status_code == 403
    assert admin.post("/api/users/batch-delete", {"ids": [5, 1]}).status_code == 403
    assert User.get_or_none(User.id == 5) is not None


def test_nobody_deletes_or_suspends_themselves(root):
    assert root.delete(f"/api/users/{root.id}").status_code == 409
    assert root.put(f"/api/users/{root.id}/status", {"status": "suspended"}).status_code == 409
    assert root.post("/api/users/batch-delete", {"ids": [20, root.id]}).status_code == 409
    assert User.select().count() == 30


def test_the_last_active_super_admin_stays(root):
    assert root.put("/api/users/2", {"status": "suspended"}).status_code == 200
    assert root.put("/api/users/1", {"role": "admin"}).status_code == 409
    assert User.get_by_id(1).role_id == 1


@pytest.mark.parametrize("change", [{"status": "suspended"}, {"password": "another-1"}])
def test_who_is_suspended_or_given_a_password_is_out_at_once(root, demo, change):
    root.put(f"/api/users/{demo.id}", change)
    assert demo.get("/api/auth/me").json["error"]["reason"] == "revoked_session"


def test_the_password_that_an_administrator_sets_is_the_one_to_log_in_with(app, root, demo):
    root.put(f"/api/users/{demo.id}", {"password": "another-1"})
    bodies = ({"email": "demo@halolight.h7ml.cn", "password": password} for password in ("123456", "another-1"))
    assert [app.test_client().post("/api/auth/login", json=body).status_code for body in bodies] == [401, 200]


def test_a_changed_role_counts_on_the_next_request_and_is_told(root, demo):
    assert demo.get("/api/users").status_code == 403
    root.put(f"/api/users/{demo.id}", {"role": "admin"})
    assert demo.get("/api/users").status_code == 200
    assert Notification.select().where(Notification.user == demo.id, Notification.type == "user").exists()


def test_deleting_a_user_takes_their_rows_along_and_leaves_activities(root, demo):
    demo.post("/api/tasks", {"title": "x"})
    assert root.delete(f"/api/users/{demo.id}").json == {"success": True, "data": None, "message": "用户已删除"}
    assert demo.get("/api/auth/me").status_code == 401
    for model, column in ((Task, Task.creator), (Session, Session.user)):
        assert not model.select().where(column == demo.id).exists()
    left = Activity.get(Activity.target_name == "x")
    assert left.user is None and root.get(f"/api/users/{demo.id}").status_code == 404


def test_who_is_active_stays_logged_in_when_activated_again(root, client_with):
    user = client_with("users:view")
    for client in (user, root):
        assert root.put(f"/api/users/{client.id}/status", {"status": "active"}).status_code == 200
        assert client.get("/api/auth/me").status_code == 200


def test_sessions_that_a_suspension_ended_do_not_come_back(root, client_with):
    user = client_with("users:view")
    for status in ("suspended", "active"):
        assert root.put(f"/api/users/{user.id}/status", {"status": status}).status_code == 200
        assert user.get("/api/auth/me").status_code == 401


def test_not_all_super_administrators_are_deleted_by_others_who_may_do_everything(client_with):
    other = client_with("*")
    assert other.post("/api/users/batch-delete", {"ids": [1, 2]}).status_code == 409
    assert other.delete("/api/users/2").status_code == 200 and other.delete("/api/users/1").status_code == 409


def test_a_batch_is_all_or_nothing(root):
    assert root.post("/api/users/batch-delete", {"ids": [20, 21, 999]}).status_code == 404
    assert User.select().count() == 30
    assert root.post("/api/users/batch-delete", {"ids": [20, "21", 20]}).json["data"] == {"deleted": 2}


def test_everybody_changes_their_own_profile_and_nothing_else(demo):
    reply = demo.put("/api/users/me", {"bio": "你好", "role": "super_admin", "status": "inactive", "colour": "red"})
    assert reply.json["data"]["bio"] == "你好" and reply.json["data"]["role"] == "user"
    assert reply.headers["X-Ignored-Fields"] == "colour"


def test_contacts_are_active_people_without_email_or_role(demo, account):
    rows = demo.get("/api/contacts?pageSize=100").json["data"]["items"]
    assert set(rows[0]) == {"id", "name", "username", "avatar", "department"}
    assert len(rows) == User.select().where(User.status == "active").count()
    assert account("guest@halolight.h7ml.cn").get("/api/contacts").status_code == 403


@pytest.mark.parametrize(
    ("name", "letters"),
    [("Ada Lovelace", "AL"), ("ada", "A"), ("Ada de Witt", "AD"), ("王伟", "王"), ("Élise B", "ÉB")],
)
def test_a_drawn_avatar_has_the_initials_of_its_user(app, client_with, name, letters):
    user = client_with("users:view", name=name)
    assert f">{letters}</text>" in app.test_client().get(f"/api/avatars/{user.id}.svg").text


def test_an_avatar_is_drawn_escaped_and_public(app, client_with):
    hostile = client_with(name="<script>")
    reply = app.test_client().get(f"/api/avatars/{hostile.id}.svg")
    assert reply.status_code == 200 and reply.mimetype == "image/svg+xml"
    assert b"<script" not in reply.data and b"&lt;" in reply.data
    assert reply.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert app.test_client().get("/api/avatars/999.svg").status_code == 404


def test_the_id_of_a_deleted_user_is_not_given_again(root):
    ids = []
    for _ in range(2):
        ids.append(root.post("/api/users", PLAIN).json["data"]["id"])
        root.delete(f"/api/users/{ids[-1]}")
    assert ids[1] == ids[0] + 1


def test_what_goes_with_a_user_is_read_in_no_bell(root, client_with, bell):
    author, reader = client_with("*"), client_with("notifications:view")
    document = author.post("/api/documents", {"title": "文档"}).json["data"]["id"]
    author.post(f"/api/documents/{document}/share", {"userIds": [reader.id]})
    times = {"start": "2026-11-24", "end": "2026-11-25", "attendeeIds": [reader.id]}
    author.post("/api/calendar/events", {"title": "日程", **times})
    author.post("/api/tasks", {"title": "任务", "assigneeId": reader.id})
    author.post("/api/messages", {"content": "消息", "recipientId": reader.id})
    assert bell(reader) == ["文档", "日程", "任务", "消息"]
    assert root.delete(f"/api/users/{author.id}").status_code == 200 and bell(reader) == []


def test_a_team_whose_admin_is_deleted_is_led_by_its_member_of_longest_standing(root, client_with):
    first, second, lone = client_with("teams:*"), client_with("teams:view"), client_with("teams:*")
    team, empty = (who.post("/api/teams", {"name": "x"}).json["data"]["id"] for who in (first, lone))
    for user in (20, second.id, 4):
        root.post(f"/api/teams/{team}/members", {"userId": user})
    with engines.write():
        User.update(status="suspended").where(User.id == 20).execute()  # who cannot log in cannot lead
    root.post("/api/users/batch-delete", {"ids": [first.id, lone.id]})
    members = {row["id"]: row["role"] for row in second.get(f"/api/teams/{team}").json["data"]["members"]}
    assert members == {second.id: "admin", 20: "member", 4: "member"}
    assert root.get(f"/api/teams/{empty}").json["data"]["members"] == []


def test_whose_role_is_changed_is_told_by_whom(root, demo):
    root.put(f"/api/users/{demo.id}", {"role": "guest"})
    told = Notification.select().where(Notification.user == demo.id).order_by(Notification.id.desc()).get()
    assert (told.title, told.actor_id) == ("Your role was changed", root.id)
