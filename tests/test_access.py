"""Who may do what: one table of every route, and a test of every cell. `python -m docs` writes it to docs/access.md.

A cell has one answer, or one each for a row that is the caller's own, that is shared with the caller, and that is
foreign: `own/shared/foreign`. Shared is what one is a member of, invited to, the assignee or recipient of, or may view
by a share. `ok` is a success, in a list also that the row is in it; `no` that it is not; a number is the status of the
refusal; `-` says that there are no such rows. A lone 403 names the missing permission, before any row is looked for.
"""

from __future__ import annotations

import io
import itertools
import json
import re
from datetime import timedelta

import pytest

from database import engines
from models import (
    Conversation,
    Document,
    Event,
    EventAttendee,
    File,
    FilePart,
    Folder,
    Message,
    MessageMark,
    Notification,
    Role,
    Session,
    Task,
    Team,
    TeamMember,
    User,
)

#: Route                                                  super_admin admin       user        guest       auditor
TABLE = """
POST   /api/auth/change-password                        ok          ok          ok          ok          ok
GET    /api/auth/me                                     ok          ok          ok          ok          ok
GET    /api/auth/sessions                               ok/-/no     ok/-/no     ok/-/no     ok/-/no     ok/-/no
DELETE /api/auth/sessions/<session>                     ok/-/404    ok/-/404    ok/-/404    ok/-/404    ok/-/404
GET    /api/calendar/events                             ok          ok          ok/ok/no    403         ok
POST   /api/calendar/events                             ok          ok          ok          403         403
GET    /api/calendar/events/<event>                     ok          ok          ok/ok/404   403         ok
PUT    /api/calendar/events/<event>                     ok          ok          ok/403/404  403         403
DELETE /api/calendar/events/<event>                     ok          ok          ok/403/404  403         403
POST   /api/calendar/events/<event>/attendees           ok          ok          ok/403/404  403         403
DELETE /api/calendar/events/<event>/attendees/<user>    ok          ok          ok/403/404  403         403
PUT    /api/calendar/events/<event>/respond             403/ok/403  403/ok/403  403/ok/404  403         403/ok/403
GET    /api/contacts                                    ok          ok          ok          403         403
GET    /api/conversations                               ok          ok          ok/ok/no    403         ok
POST   /api/conversations                               ok          ok          ok          403         403
DELETE /api/conversations/<conversation>                ok/ok/409   ok/ok/409   ok/ok/404   403         ok/ok/403
GET    /api/conversations/<conversation>/messages       ok          ok          ok/ok/404   403         ok
PUT    /api/conversations/<conversation>/read           ok          ok          ok/ok/404   403         403
GET    /api/dashboard/activities                        ok          ok          ok          ok          ok
GET    /api/dashboard/calendar                          ok          ok          ok          ok          ok
GET    /api/dashboard/pie                               ok          ok          ok          ok          ok
GET    /api/dashboard/sales                             ok          ok          ok          ok          ok
GET    /api/dashboard/stats                             ok          ok          ok          ok          ok
GET    /api/dashboard/tasks                             ok          ok          ok          ok          ok
GET    /api/dashboard/visits                            ok          ok          ok          ok          ok
GET    /api/documents                                   ok          ok          ok/ok/no    403         ok
POST   /api/documents                                   ok          ok          ok          403         403
GET    /api/documents/<document>                        ok          ok          ok/ok/404   403         ok
PUT    /api/documents/<document>                        ok          ok          ok/403/404  403         403
DELETE /api/documents/<document>                        ok          ok          ok/403/404  403         403
POST   /api/documents/<document>/share                  ok          ok          ok/403/404  403         403
GET    /api/documents/<document>/shares                 ok          ok          ok/ok/404   403         ok
POST   /api/documents/<document>/unshare                ok          ok          ok/403/404  403         403
POST   /api/documents/batch-delete                      ok          ok          ok/403/404  403         403
GET    /api/files                                       ok          ok          ok/-/no     403         ok
GET    /api/files/<file>                                ok          ok          ok/-/404    403         ok
PUT    /api/files/<file>                                ok          ok          ok/-/404    403         403
DELETE /api/files/<file>                                ok          ok          ok/-/404    403         403
GET    /api/files/<file>/download                       ok          ok          ok/-/404    403         ok
POST   /api/files/batch-delete                          ok          ok          ok/-/404    403         403
GET    /api/files/storage                               ok          ok          ok          403         ok
POST   /api/files/upload                                ok          ok          ok          403         403
GET    /api/folders                                     ok          ok          ok/-/no     403         ok
POST   /api/folders                                     ok          ok          ok          403         403
GET    /api/folders/<folder>                            ok          ok          ok/-/404    403         ok
PUT    /api/folders/<folder>                            ok          ok          ok/-/404    403         403
DELETE /api/folders/<folder>                            ok          ok          ok/-/404    403         403
GET    /api/folders/tree                                ok          ok          ok          403         ok
GET    /api/messages                                    ok          ok          ok/ok/no    403         ok
POST   /api/messages                                    ok          ok          ok          403         403
GET    /api/messages/<message>                          ok          ok          ok/ok/404   403         ok
DELETE /api/messages/<message>                          ok          ok          ok/ok/404   403         403
PUT    /api/messages/<message>/read                     ok          ok          ok/ok/404   403         403
GET    /api/notifications                               ok/-/no     ok/-/no     ok/-/no     403         403
DELETE /api/notifications/<notification>                ok/-/404    ok/-/404    ok/-/404    403         403
PUT    /api/notifications/<notification>/read           ok/-/404    ok/-/404    ok/-/404    403         403
PUT    /api/notifications/read-all                      ok          ok          ok          403         403
GET    /api/notifications/unread-count                  ok          ok          ok          403         403
GET    /api/permissions                                 ok          ok          403         403         ok
GET    /api/roles                                       ok          ok          403         403         ok
POST   /api/roles                                       ok          403         403         403         403
GET    /api/roles/<role>                                ok          ok          403         403         ok
PUT    /api/roles/<role>                                ok          403         403         403         403
DELETE /api/roles/<role>                                409/-/ok    403         403         403         403
GET    /api/tasks                                       ok          ok          ok/ok/no    403         ok
POST   /api/tasks                                       ok          ok          ok          403         403
GET    /api/tasks/<task>                                ok          ok          ok/ok/404   403         ok
PUT    /api/tasks/<task>                                ok          ok          ok/ok/404   403         403
DELETE /api/tasks/<task>                                ok          ok          ok/403/404  403         403
GET    /api/teams                                       ok          ok          ok/ok/no    403         ok
POST   /api/teams                                       ok          ok          403         403         403
GET    /api/teams/<team>                                ok          ok          ok/ok/404   403         ok
PUT    /api/teams/<team>                                ok          ok          ok/403/404  403         ok/403/403
DELETE /api/teams/<team>                                ok          ok          403         403         403
POST   /api/teams/<team>/members                        ok          ok          ok/403/404  403         ok/403/403
PUT    /api/teams/<team>/members/<user>                 ok          ok          ok/403/404  403         ok/403/403
DELETE /api/teams/<team>/members/<user>                 ok          ok          ok/403/404  403         ok/403/403
GET    /api/users                                       ok          ok          403         403         ok
POST   /api/users                                       ok          ok          403         403         403
GET    /api/users/<user>                                ok          ok          403         403         ok
PUT    /api/users/<user>                                ok          ok          403         403         403
DELETE /api/users/<user>                                409/-/ok    409/-/ok    403         403         403
PUT    /api/users/<user>/status                         409/-/ok    409/-/ok    403         403         403
POST   /api/users/batch-delete                          409/-/ok    409/-/ok    403         403         403
GET    /api/users/me                                    ok          ok          ok          ok          ok
PUT    /api/users/me                                    ok          ok          ok          ok          ok
"""
ACCOUNTS = {
    "super_admin": "admin@example.com",
    "admin": "manager@halolight.h7ml.cn",
    "user": "demo@halolight.h7ml.cn",
    "guest": "guest@halolight.h7ml.cn",
    "auditor": "auditor@halolight.h7ml.cn",
}
SCOPES = ("own", "shared", "foreign")
#: Two seeded users with the role `user`: who owns what is not the caller's own, and who is in it too.
OTHER, THIRD = 30, 29
BODIES = {
    "PUT /api/calendar/events/<event>/respond": {"status": "accepted"},
    "POST /api/auth/change-password": {"currentPassword": "123456", "newPassword": "123456"},
    "POST /api/calendar/events": {"title": "x", "start": "2026-11-24T09:00:00Z", "end": "2026-11-24T10:00:00Z"},
    "POST /api/calendar/events/<event>/attendees": {"attendeeIds": [27]},
    "POST /api/conversations": {"memberIds": [OTHER]},
    "POST /api/documents": {"title": "x"},
    "POST /api/documents/<document>/share": {"userIds": [27]},
    "POST /api/documents/batch-delete": {"ids": ["<document>"]},
    "POST /api/files/batch-delete": {"ids": ["<file>"]},
    "POST /api/folders": {"name": "<new>"},
    "POST /api/messages": {"recipientId": OTHER, "content": "x"},
    "POST /api/roles": {"name": "<new>", "permissions": ["dashboard:view"]},
    "POST /api/tasks": {"title": "x"},
    "POST /api/teams": {"name": "x"},
    "POST /api/teams/<team>/members": {"userId": 27},
    "PUT /api/teams/<team>/members/<user>": {"role": "member"},
    "POST /api/users": {"email": "<new>@example.com"},
    "POST /api/users/batch-delete": {"ids": ["<user>"]},
    "PUT /api/users/<user>/status": {"status": "suspended"},
}
_new = itertools.count(1)


def lines():
    """The table as (route, cell of each role)."""
    for line in TABLE.strip().splitlines():
        method, path, *cells = line.split()
        yield f"{method} {path}", dict(zip(ACCOUNTS, cells, strict=True))


# --- One row of each kind: made for an owner, and shared with a guest where it can be ------------------------------


def new_user(owner, guest):
    if owner != OTHER:
        return owner
    return User.register(email=f"new{next(_new)}@example.com", role=Role.get(Role.name == "user")).id


def new_role(owner, guest):
    if owner != OTHER:
        return User.get_by_id(owner).role_id
    return Role.create(name=f"new{next(_new)}", label="x", permissions=[]).id


def new_session(owner, guest):
    return Session.create(user=owner, expires_at=engines.now() + timedelta(days=1)).id


def new_task(owner, guest):
    return Task.create(title="x", creator=owner, assignee=guest).id


def new_team(owner, guest):
    team = Team.create(name="x")
    for user, role in ((owner, "admin"), (THIRD, "member"), (guest, "member")):
        if user:
            TeamMember.create(team=team, user=user, role=role)
    return team.id


def new_document(owner, guest):
    document = Document.create(title="x", author=owner)
    document.share([guest] if guest else [], "view")
    return document.id


def new_folder(owner, guest):
    return Folder.create(name=f"new{next(_new)}", owner=owner).id


def new_file(owner, guest):
    file = File.create(name="x", size=1, mime_type="text/plain", type="document", checksum="", owner=owner)
    FilePart.create(file=file, number=0, data=b"x")
    return file.id


def new_conversation(owner, guest):
    return Conversation.begin([owner, guest or THIRD], type="group").id


def new_message(owner, guest):
    return Message.send(Conversation.get_by_id(new_conversation(owner, guest)), owner, content="x").id


def new_notification(owner, guest):
    return Notification.create(user=owner, title="OK").id


def new_event(owner, guest):
    event = Event.create(title="x", start=engines.now(), end=engines.now(), organizer=owner)
    for user in (THIRD, guest):
        if user:
            EventAttendee.create(event=event, user=user)
    return event.id


MAKERS = {name.removeprefix("new_"): maker for name, maker in globals().items() if name.startswith("new_")}
UNSHARED = ("user", "role", "session", "folder", "file", "notification")


def kind_of(route):
    """The kind of row that a route is about: the first in its path or body, or what it lists; None without one."""
    found = re.search(r"<(?!new)(\w+)>", route + json.dumps(BODIES.get(route)))
    if found:
        return found[1]
    last = route.rpartition("/")[2].removesuffix("s")
    return last if route.startswith("GET") and last in MAKERS and "dashboard" not in route else None


def answer(client, route, scope):
    """What a cell says of one scope: `ok`, `no`, a status, or `-`."""
    kind, owner, guest = (
        kind_of(route),
        client.id if scope == "own" else OTHER,
        client.id if scope == "shared" else None,
    )
    if scope == "shared" and kind in UNSHARED:
        return "-"
    values = {"new": f"new{next(_new)}", "user": THIRD}
    if kind:
        with engines.write():
            values[kind] = MAKERS[kind](owner, guest)
    method, path = fill(route, values).split(" ")
    listing = method == "GET" and kind and "<" not in route
    options = {"data": {"file": (io.BytesIO(b"x"), "x.txt")}} if path.endswith("/upload") else {}
    if route in BODIES:
        options["json"] = json.loads(fill(json.dumps(BODIES[route]), values))
    send = getattr(client, method.lower())
    reply = send(f"{path}?pageSize=1000" if listing else path, **options)
    if reply.status_code >= 300:
        return str(reply.status_code)
    if "change-password" in path:  # which ends every other token
        client.tokens["access_token"] = reply.json["accessToken"]
    return "ok" if not listing or values[kind] in [row["id"] for row in reply.json["data"]["items"]] else "no"


def fill(text, values):
    return re.sub(r"<(\w+)>", lambda name: str(values[name[1]]), text)


def cell(client, route):
    answers = [answer(client, route, scope) for scope in SCOPES] if kind_of(route) else [answer(client, route, "own")]
    return answers[0] if len(set(answers) - {"-"}) == 1 else "/".join(answers)


# --- The tests -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("resource", sorted({route.split("/")[2] for route, _ in lines()}))
def test_every_cell_of_the_table_is_true(resource, account):
    clients = {role: account(email) for role, email in ACCOUNTS.items()}
    said = {route: cells for route, cells in lines() if route.split("/")[2] == resource}
    assert {route: {role: cell(clients[role], route) for role in ACCOUNTS} for route in said} == said


SCOPED = ("calendar", "conversations", "documents", "files", "folders", "messages", "tasks", "teams")


@pytest.mark.parametrize("resource", SCOPED)
def test_who_sees_all_rows_reads_them_and_changes_none_of_others(resource, client_with):
    granted = "messages" if resource == "conversations" else resource
    grants = [f"{granted}:{action}" for action in ("view", "view-all", "create", "update", "delete")]
    client = client_with(*grants)
    routes = [route for route, _ in lines() if route.split("/")[2] == resource and kind_of(route)]
    answers = {route: answer(client, route, "foreign") for route in routes}
    assert answers == {route: "ok" if route.startswith("GET") else "403" for route in routes}


@pytest.mark.parametrize("resource", sorted(set(SCOPED) - {"messages"}))
def test_who_may_see_everybodys_rows_need_not(resource, client_with):
    client = client_with(f"{'messages' if resource == 'conversations' else resource}:*")
    path = f"/api/{'calendar/events' if resource == 'calendar' else resource}"
    everything, mine = (client.get(f"{path}?scope={scope}").json["data"]["total"] for scope in ("all", "mine"))
    assert everything > 1 and mine == 0 and client.get(path).json["data"]["total"] == everything


def test_a_foreign_conversation_that_one_reads_takes_no_message_from_one(client_with):
    client = client_with("messages:view", "messages:view-all", "messages:create")
    body = {"conversationId": new_conversation(OTHER, None), "content": "x"}
    assert client.post("/api/messages", body).status_code == 403
    body["conversationId"] = new_conversation(client.id, None)
    assert client.post("/api/messages", body).status_code == 201


def test_the_tree_of_folders_and_the_link_of_a_file_show_everybodys_to_who_sees_all(client_with):
    client = client_with("folders:view", "folders:view-all", "files:view", "files:view-all")
    folder, file = new_folder(OTHER, None), new_file(OTHER, None)
    assert folder in [node["id"] for node in client.get("/api/folders/tree").json["data"]]
    url = client.get(f"/api/files/{file}").json["data"]["url"]
    assert client.http.get(url).data == b"x"


def test_an_unread_message_of_others_stays_unread_for_who_sees_all(client_with):
    client = client_with("messages:view", "messages:view-all", "messages:update")
    message = new_message(OTHER, None)
    client.get(f"/api/messages/{message}")
    assert client.put(f"/api/messages/{message}/read").status_code == 403
    assert MessageMark.select().where(MessageMark.user == client.id).count() == 0


def test_every_route_that_is_not_public_stands_in_the_table(app):
    routes = {
        f"{method} " + re.sub(r"<\w+:(\w+)_id>", r"<\1>", rule.rule)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS", "PATCH"}
        if hasattr(app.view_functions[rule.endpoint], "permissions")
    }
    assert routes == {route for route, _ in lines()}


def markdown():
    """The table as docs/access.md shows it."""
    rows = [f"| `{route}` | {' | '.join(cells.values())} |" for route, cells in lines()]
    head = f"| route | {' | '.join(ACCOUNTS)} |\n|---|{'---|' * len(ACCOUNTS)}"
    return "\n".join([(__doc__ or "").partition("\n\n")[2], head, *rows])
