"""The dialects: what the pages of HaloLight's own front ends ask for, and what they read of the replies.

The requests are those that a browser sent while every page of both front ends was opened and used.
"""

import pytest
from waitress.adjustments import Adjustments

from database import engines
from models import (
    ConversationMember,
    Document,
    Event,
    File,
    Folder,
    Message,
    MessageMark,
    Notification,
    Role,
    Session,
    Team,
    User,
)
from tests.conftest import ROOT
from web import dialects, shapes
from web.connections import Parser

#: Page, request, what comes back ({}: an entity, []: an array, page: rows and their number), what is read of it.
#: A field that may be null has a question mark.
NEXT = """
login         | POST /auth/login            | {}   | accessToken refreshToken user.id user.name user.email user.status
login         | POST /auth/login            | {}   | user.roles.0.id user.roles.0.permissions.0.resource
login         | POST /auth/login            | {}   | user.permissions.0.action
every page    | GET /auth/me                | {}   | id name email avatar status createdAt
every page    | GET /auth/me                | {}   | roles.0.label permissions.0.resource
dashboard     | GET /dashboard/stats        | {}   | totalUsers totalRevenue totalOrders conversionRate
dashboard     | GET /dashboard/stats        | {}   | userGrowth revenueGrowth orderGrowth rateGrowth
dashboard     | GET /dashboard/visits       | []   | date visits
dashboard     | GET /dashboard/sales        | []   | month sales profit
dashboard     | GET /dashboard/pie          | []   | name value
dashboard     | GET /dashboard/tasks        | []   | id title status
dashboard     | GET /notifications          | []   | title time
dashboard     | GET /users                  | page | name email
dashboard     | GET /calendar/events        | []   | id title start end
users         | GET /users?@                | page | id name email avatar phone status createdAt lastLoginAt?
users         | GET /users?@                | page | role.id role.label
users         | GET /roles                  | []   | id label
documents     | GET /documents              | page | id name type size views shared folder tags createdAt updatedAt
documents     | GET /documents              | page | author.name author.avatar
files         | GET /files                  | page | id name type size? path createdAt updatedAt
files         | GET /files/storage          | {}   | used total breakdown.images breakdown.videos breakdown.audio
files         | GET /files/storage          | {}   | breakdown.archives breakdown.others
messages      | GET /messages/conversations | []   | id name avatar? lastMessage lastMessageTime unreadCount
messages      | GET /messages/1             | []   | id sender.id sender.name sender.avatar content createdAt
calendar      | GET /calendar/events        | []   | id title start end type location attendees
notifications | GET /notifications          | []   | id type title content read createdAt
teams         | GET /teams                  | page | id name description avatar? memberCount createdAt
roles         | GET /roles                  | []   | id name label description permissions userCount
roles         | GET /permissions            | []   | key label group
""".replace("@", "page=1&limit=10&search=&status=all&role=all")
VUE = """
login         | POST /auth/login            | {}   | accessToken refreshToken user.id user.name user.status
login         | POST /auth/login            | {}   | user.roles.0.label
every page    | GET /auth/me                | {}   | id name email status createdAt roles.0.permissions.0.resource
users         | GET /users                  | page | id name email avatar status role.label createdAt
messages      | GET /messages               | page | id sender.name sender.avatar content read createdAt
files         | GET /files                  | page | id name size owner updatedAt
calendar      | GET /calendar/events        | page | id title date type
analytics     | GET /analytics              | {}   | kpis.0.label kpis.0.value kpis.0.change traffic regions
"""
LOGIN = {"email": "demo@halolight.h7ml.cn", "password": "123456"}
SUPER = "admin@halolight.h7ml.cn"


@pytest.fixture
def http(app):
    return app.test_client()


def visit(client, dialect, request, body=None):
    method, _, path = request.partition(" ")
    if path == "/auth/login":
        return client.http.post(f"/{dialect}/api{path}", json=LOGIN)
    return client._send(method, f"/{dialect}/api{path}", json=body)


def read(data, name):
    """The value of a field such as `roles.0.label`, or None."""
    for part in name.split("."):
        keys = dict(enumerate(data)) if isinstance(data, list) else data or {}
        data = keys.get(int(part) if isinstance(data, list) else part)
    return data


def missing(dialect, shape, body, names):
    """The fields that a page would not find where it looks for them."""
    if shape == "{}":
        assert body["code"] == 200 and body["message"], body
        assert {**body, **body["data"]} == body  # some pages read the top level
        places = [body["data"]]
    elif dialect == "vue":
        assert body["code"] == 200 and body["data"]["total"] == len(body["data"]["list"])
        places = body["data"]["list"]
    elif shape == "page":
        assert body["meta"]["total"] > 0 and set(body) == {"data", "meta"}
        places = body["data"]
    else:
        places = body
    assert isinstance(places, list) and places, body
    return {
        name
        for name in names.split()
        for place in places
        if (read(place, name) is None) and not (name.endswith("?") and name[:-1] in place)
    }


@pytest.mark.parametrize("email", [LOGIN["email"], SUPER])
@pytest.mark.parametrize(("dialect", "recorded"), [("nestjs", NEXT), ("vue", VUE)])
def test_every_page_finds_what_it_reads(account, dialect, recorded, email):
    client, lacks = account(email), {}
    for line in recorded.strip().splitlines():
        page, request, shape, names = (part.strip() for part in line.split("|"))
        reply = visit(client, dialect, request)
        if reply.status_code == 403 and email == LOGIN["email"]:
            assert page in ("users", "roles") or request == "GET /users", request
            continue
        if reply.status_code == 404 and request == "GET /messages/1":
            continue  # another's
        assert reply.status_code == 200, (request, reply.json)
        if found := missing(dialect, shape, reply.json, names):
            lacks[request] = found
    assert lacks == {}


def test_the_fields_have_the_values_that_the_next_pages_need(account):
    demo = account(LOGIN["email"])
    rows = visit(demo, "nestjs", "GET /files").json["data"]
    folders, files = ([row for row in rows if (row["type"] == "folder") is folder] for folder in (True, False))
    assert rows[: len(folders)] == folders and all(row["id"].startswith("folder-") for row in folders)
    assert sum(row["items"] for row in folders) > 0
    assert all(row["path"] == f"/{row['folderName'] or ''}" for row in files)
    picture = next(row for row in files if row["type"] == "image")
    assert picture["thumbnail"].startswith("/api/files/raw/") and picture["owner"]["avatar"] == "/api/avatars/4.svg"
    assert demo.http.get(f"/nestjs{picture['thumbnail']}").data
    assert {row["folder"] for row in visit(demo, "nestjs", "GET /documents").json["data"]} > {"项目文档", "会议记录"}
    user = visit(demo, "nestjs", "GET /auth/me").json
    names = [f"{permission['resource']}:{permission['action']}" for permission in user["permissions"]]
    assert {"documents:view", "documents:update", "documents:edit"} <= set(names) and "users:view" not in names


def test_times_have_the_zone_of_the_server(app, account):
    app.config["TIMEZONE"] = shapes.datetime.fromisoformat("2026-01-01T00:00:00+08:00").tzinfo
    client = account(SUPER)
    with engines.write():
        Event.delete().execute()
    for title, start, end, all_day in (("夜", "2026-11-24T20:30:00Z", "2026-11-24T21:00:00Z", False),) + (
        ("假", "2026-11-24", "2026-11-26", True),
    ):
        body = {"title": title, "start": start, "end": end, "allDay": all_day, "type": "holiday"}
        assert client.post("/nestjs/api/calendar/events", body).json["code"] == 200
    times = {row["title"]: (row["start"], row["end"]) for row in visit(client, "nestjs", "GET /calendar/events").json}
    assert times["夜"] == ("2026-11-25T04:30:00+08:00", "2026-11-25T05:00:00+08:00")
    assert times["假"] == ("2026-11-24T00:00:00+08:00", "2026-11-25T23:59:00+08:00")
    rows = visit(client, "vue", "GET /calendar/events").json["data"]["list"]
    assert sorted((row["date"], row["type"]) for row in rows) == [("2026-11-24", "假日"), ("2026-11-25 04:30", "假日")]


@pytest.mark.parametrize(("size", "text"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KB"), (3 << 20, "3 MB")])
def test_vue_shows_sizes_as_texts(app, size, text):
    with app.test_request_context():
        file = {"size": size, "owner": {"name": "王小明"}, "updatedAt": "2026-11-24T00:00:00Z"}
        assert shapes.vue_file(file)["size"] == text


def test_pages_of_ones_own_show_nobody_elses(account, client_with):
    root, other = account(SUPER), client_with("*")
    with engines.write():
        event = Event.create(organizer=other.id, title="别人的", start=engines.now(), end=engines.now())
        Folder.create(owner=other.id, name="别人的")
    conversation = other.post("/api/conversations", {"name": "别人的", "memberIds": [4]}).json["data"]["id"]
    for client, seen in ((root, False), (other, True)):
        folders = [row["name"] for row in visit(client, "nestjs", "GET /files").json["data"]]
        events = [row["id"] for row in visit(client, "nestjs", "GET /calendar/events").json]
        events_of_vue = [row["id"] for row in visit(client, "vue", "GET /calendar/events").json["data"]["list"]]
        talks = [row["id"] for row in visit(client, "nestjs", "GET /messages/conversations").json]
        found = ("别人的" in folders, event.id in events, event.id in events_of_vue, conversation in talks)
        assert found == (seen,) * 4
    files = visit(root, "nestjs", "GET /files").json["data"]
    assert {row["ownerId"] for row in files if row["type"] != "folder"} == {root.id}


# --- What the pages of Next.js write ---------------------------------------------------------------------------------
def test_users_are_made_changed_filtered_and_deleted(root):
    roles = {role["label"]: role["id"] for role in visit(root, "nestjs", "GET /roles").json}
    new = {"name": "新来者", "email": "new@example.com", "phone": "13800001234", "roleId": roles["管理员"]}
    reply = visit(root, "nestjs", "POST /users", {**new, "status": "active"})
    assert (reply.status_code, reply.json["code"]) == (201, 200)
    first = visit(root, "nestjs", "GET /users?page=1&limit=10&search=&status=all&role=all").json["data"][0]
    assert first["id"] == reply.json["id"] and first["role"]["id"] == roles["管理员"]
    path = f"/users/{first['id']}"
    visit(root, "nestjs", f"PUT {path}", {**new, "name": "改名", "roleId": roles["访客"], "status": "suspended"})
    user = User.get(User.email == "new@example.com")
    assert (user.name, user.phone, user.role.name, user.status) == ("改名", "13800001234", "guest", "suspended")
    guests = visit(root, "nestjs", f"GET /users?page=1&limit=10&search=&status=all&role={roles['访客']}").json["data"]
    assert {row["role"]["label"] for row in guests} == {"访客"} and len(guests) == 2
    assert visit(root, "nestjs", f"DELETE {path}").json["code"] == 200
    assert not User.select().where(User.email == "new@example.com").exists()


def test_folders_files_and_documents_are_deleted(demo):
    made = visit(demo, "nestjs", "POST /files/folder", {"name": "新夹"})
    assert made.json["code"] == 200 and Folder.get(Folder.name == "新夹").owner_id == demo.id
    row = visit(demo, "nestjs", "GET /files").json["data"][0]
    assert (row["name"], row["items"]) == ("新夹", 0)
    file, document = File.get(File.owner == demo.id).id, Document.get(Document.author == demo.id).id
    for path in (f"/files/{row['id']}", f"/files/{file}", f"/documents/{document}"):
        body = visit(demo, "nestjs", f"DELETE {path}").json
        assert (body["code"], body["data"]) == (200, None)
    assert not Folder.select().where(Folder.name == "新夹").exists()
    assert File.get_or_none(id=file) is None and Document.get_or_none(id=document) is None


def test_conversations_are_read_answered_and_left(client_with):
    client, other = (client_with("messages:view", "messages:create", "messages:update") for _ in range(2))
    sent = other.post("/api/messages", {"recipientId": client.id, "content": "一"}).json["data"]
    talk = f"/messages/{sent['conversationId']}"
    assert visit(client, "nestjs", "GET /messages/conversations").json[0]["unreadCount"] == 1
    assert visit(client, "nestjs", f"PUT {talk}/read").json["code"] == 200
    assert MessageMark.get(MessageMark.user == client.id).read
    answer = {"conversationId": sent["conversationId"], "content": "二", "type": "text"}
    assert visit(client, "nestjs", "POST /messages/send", answer).json["code"] == 200
    assert Message.get(Message.content == "二").sender_id == client.id
    rows = visit(client, "nestjs", f"GET {talk}").json
    assert [(row["content"], row["sender"]["id"]) for row in rows] == [("一", other.id), ("二", "current-user")]
    assert visit(client, "nestjs", "GET /messages/conversations").json[0]["lastMessage"] == "二"
    assert visit(client, "nestjs", f"DELETE {talk}").json["code"] == 200
    assert ConversationMember.get(ConversationMember.user == client.id).away
    assert visit(client, "nestjs", "GET /messages/conversations").json == []


def test_notifications_are_read_and_deleted(demo):
    def unread():
        return Notification.select().where(Notification.user == demo.id, ~Notification.read).count()

    rows, before = visit(demo, "nestjs", "GET /notifications").json, unread()
    first = next(row for row in rows if not row["read"])
    assert visit(demo, "nestjs", f"PUT /notifications/{first['id']}/read").json["code"] == 200
    assert unread() == before - 1 == visit(demo, "nestjs", "GET /notifications/unread-count").json["count"]
    assert visit(demo, "nestjs", f"DELETE /notifications/{first['id']}").json["code"] == 200
    assert Notification.get_or_none(id=first["id"]) is None
    assert visit(demo, "nestjs", "PUT /notifications/read-all").json["code"] == 200 and unread() == 0


def test_teams_and_roles_are_made_changed_and_deleted(root):
    team = visit(root, "nestjs", "POST /teams", {"name": "先锋队", "description": ""}).json
    visit(root, "nestjs", f"PATCH /teams/{team['id']}", {"name": "先锋二队", "description": "做新事"})
    assert Team.get_by_id(team["id"]).description == "做新事"
    body = {"name": "editor", "label": "编辑", "description": "", "permissions": ["settings:view"]}
    role = visit(root, "nestjs", "POST /roles", body).json
    assert isinstance(role["id"], str)
    visit(root, "nestjs", f"PATCH /roles/{role['id']}", {**body, "permissions": ["settings:view", "users:edit"]})
    assert Role.get(Role.name == "editor").permissions == ("settings:view", "users:update")
    for path in (f"/teams/{team['id']}", f"/roles/{role['id']}"):
        assert visit(root, "nestjs", f"DELETE {path}").json["code"] == 200
    assert Team.get_or_none(id=team["id"]) is None and Role.get_or_none(name="editor") is None


def test_registering_needs_no_free_local_part(http):
    body = {"email": "admin@next.example", "username": "admin", "name": "注册者", "password": "Geheim123"}
    reply = http.post("/nestjs/api/auth/register", json=body)
    assert reply.status_code == 201 and reply.json["accessToken"] and reply.json["user"]["roles"][0]["name"] == "user"
    assert User.get(User.email == "admin@next.example").username == "admin2"
    for sent in (b"", b"[]", b"{", b"\xff", b'{"email": "x"}'):
        reply = http.post("/nestjs/api/auth/register", data=sent, content_type="application/json")
        assert reply.status_code == 400 and reply.json["success"] is False, sent


# --- Logging in ------------------------------------------------------------------------------------------------------
def test_vue_renews_a_token_that_expired_and_repeats_its_request(http):
    tokens = http.post("/vue/api/auth/login", json=LOGIN).json["data"]
    assert tokens["expiresIn"] == 900
    assert http.post("/api/demo/expire-tokens").status_code == 200
    headers = {"Authorization": f"Bearer {tokens['accessToken']}"}
    assert http.get("/vue/api/files", headers=headers).json["error"]["reason"] == "expired_token"
    renewed = http.post("/vue/api/auth/refresh", json={"refreshToken": tokens["refreshToken"]}).json
    assert renewed["accessToken"] and renewed["refreshToken"] != tokens["refreshToken"]  # read at the top level
    headers = {"Authorization": f"Bearer {renewed['accessToken']}"}
    assert http.get("/vue/api/files", headers=headers).json["data"]["list"]


def test_a_token_of_next_lasts_as_long_as_the_refresh_token_and_ends_with_its_session(http):
    tokens = http.post("/nestjs/api/auth/login", json=LOGIN).json
    assert tokens["expiresIn"] == 7 * 24 * 3600
    headers = {"Authorization": f"Bearer {tokens['accessToken']}"}
    assert http.get("/nestjs/api/auth/me", headers=headers).json["name"] == "王小明"
    assert http.post("/nestjs/api/auth/logout", headers=headers).json["code"] == 200
    assert Session.select().order_by(Session.id.desc()).first().ended_at
    assert http.get("/nestjs/api/auth/me", headers=headers).json["error"]["reason"] == "revoked_session"


# --- What stays as it is ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("dialect", dialects.DIALECTS)
def test_errors_and_rights_are_those_of_the_api(account, dialect):
    guest = account("guest@halolight.h7ml.cn")
    for path, status in (("/users", 403), ("/calendar/events", 403), ("/nothing", 404), ("/users/<id>", 404)):
        replies = [guest.get(f"{before}/api{path}") for before in ("", f"/{dialect}")]
        assert [reply.status_code for reply in replies] == [status, status]
        bodies = [reply.json for reply in replies]
        assert bodies[0]["error"].pop("requestId") != bodies[1]["error"].pop("requestId")
        assert bodies[0] == bodies[1]
    assert guest.http.get(f"/{dialect}/users").status_code == 404


@pytest.mark.parametrize("port", [3000, 4173, 5173])
@pytest.mark.parametrize("dialect", dialects.DIALECTS)
def test_preflights_from_the_ports_of_the_front_ends_are_answered(http, dialect, port):
    origin = f"http://localhost:{port}"
    asked = {"Origin": origin, "Access-Control-Request-Headers": "authorization,content-type"}
    for method, path in (
        ("POST", "/auth/login"),
        ("GET", "/users"),
        ("PUT", "/messages/1/read"),
        ("GET", "/analytics"),
    ):
        headers = {**asked, "Access-Control-Request-Method": method}
        reply = http.options(f"/{dialect}/api{path}", headers=headers)
        assert reply.status_code in (200, 204) and reply.headers["Access-Control-Allow-Origin"] == origin
        assert method in reply.headers["Access-Control-Allow-Methods"]
    assert (
        http.get(f"/{dialect}/api/users", headers={"Origin": origin}).headers["Access-Control-Allow-Origin"] == origin
    )


def test_a_request_without_a_dialect_is_answered_as_ever(demo):
    body = demo.get("/api/files").json
    assert list(body) == ["success", "data", "message"] and body["data"]["items"][0]["url"].startswith(
        "http://localhost/"
    )
    assert demo.get("/nestjs/api/dashboard/visits").json == demo.get("/api/dashboard/visits").json["data"]


def test_an_upload_in_a_dialect_may_be_as_large_as_in_the_api(app):
    def refused(path):
        parser = Parser(Adjustments(), app)
        parser.received(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {3 << 20}\r\n\r\n".encode())
        return parser.error is not None

    paths = [f"{before}/api//files/upload" for before in ("", "/nestjs", "/vue", "/react")]
    assert [*map(refused, paths), refused("/nestjs/api/users")] == [False, False, False, True, True]


def test_the_document_and_the_resources_do_not_know_of_the_dialects(http):
    document = http.get("/openapi.json").text
    sources = [path.read_text("utf-8") for path in [*(ROOT / "resources").rglob("*.py"), ROOT / "models.py"]]
    for word in ("nestjs", "/vue/", "dialect"):
        assert not any(word in text.lower() for text in (document, *sources)), word


def test_the_documentation_names_the_base_url_of_every_dialect():
    text = (ROOT / "docs" / "frontends.md").read_text("utf-8")
    assert all(f"http://localhost:8000/{name}/api" in text for name in dialects.DIALECTS)
