"""Dialects: HaloLight's own front ends run on this API unmodified.

A dialect is a base URL. Under `/nestjs/api` this server answers as the NestJS backend does, which the Next.js front
end was written for; under `/vue/api` it answers as the Vue front end expects. `Entrance` turns a request in a dialect
into a request to `/api` before Flask routes it, and `Encoder` reshapes the reply when it is encoded. Permissions,
errors and headers are therefore those of the API, no resource knows of the dialects, and the OpenAPI document does not
name them.
"""

import json
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from io import BytesIO
from typing import Any

from flask import Flask, request

from database.compiled import page
from models import Folder
from web import hooks, limits, security
from web.fields import timezone
from web.security import current_user

Row = dict[str, Any]
Environ = dict[str, Any]
#: The beginning of a path in a dialect.
MOUNT = re.compile(r"\A/(nestjs|vue)/api/")
SLASHES = re.compile("//+")
#: The key in the WSGI environment of a request's dialect and of the word that decides how its reply is shaped.
KEY = "halolight.dialect"
#: What the analytics page of the Vue front end shows: label, figure of the dashboard, its growth, format.
STATS = (
    ("总用户", "totalUsers", "userGrowth", "{:,}"),
    ("总收入", "totalRevenue", "revenueGrowth", "¥{:,.0f}"),
    ("总订单", "totalOrders", "orderGrowth", "{:,}"),
    ("转化率", "conversionRate", "rateGrowth", "{}%"),
)
EVENT_TYPES = {"meeting": "会议", "task": "任务", "reminder": "提醒", "holiday": "假日"}
BREAKDOWN = {"image": "images", "video": "videos", "document": "documents", "archive": "archives", "other": "others"}


# --- Replies ---------------------------------------------------------------------------------------------------------
def local(text: str) -> datetime:
    """A time of a reply in the server's time zone; a date becomes its midnight."""
    found = datetime.fromisoformat(text)
    return found.astimezone(timezone()) if found.tzinfo else found.replace(tzinfo=timezone())


def minute(text: str) -> str:
    return f"{local(text):%Y-%m-%d %H:%M}"


def with_role(user: Row) -> Row:
    """Show the role as an object. Its id is a string because the options of a select have strings as values."""
    permissions = [permission for grant in user.get("permissions", ()) for permission in spelled(grant)]
    role = {"id": str(user["roleId"]), "name": user["role"], "label": user["roleLabel"], "permissions": permissions}
    return {**user, "role": role, "roles": [role], "permissions": permissions}


def spelled(grant: str) -> Iterable[Row]:
    """A grant as permission objects: `*` is `*:*`; `update` is repeated as `edit`, which front ends call it."""
    resource, _, action = grant.partition(":")
    for name in (action or "*", "edit") if action == "update" else (action or "*",):
        yield {"id": f"{resource}:{name}", "resource": resource, "action": name}


def with_lasting_token(pair: Row) -> Row:
    """Let the access token live as long as the refresh token, because the Next.js front end never renews it.

    A logout or a suspension still ends it at once: every request looks up the session.
    """
    claims = security.verify(pair["accessToken"], "access")
    expires = security.verify(pair["refreshToken"], "refresh")["exp"]
    token = security.sign(claims | {"exp": expires})
    return {**with_user(pair), "accessToken": token, "expiresIn": expires - claims["iat"]}


def with_user(pair: Row) -> Row:
    return {**pair, "user": with_role(pair["user"])}


def nestjs_file(file: Row) -> Row:
    more = {"path": f"/{file['folderName'] or ''}", "updatedAt": minute(file["updatedAt"])}
    return {**file, **more, "thumbnail": file["url"] if file["type"] == "image" else None}


def nestjs_event(event: Row) -> Row:
    """Times in the server's zone, because the page cuts the day off the text. An all-day event ends at 23:59."""
    end = local(event["end"]) - timedelta(minutes=event["allDay"])
    return {**event, "start": local(event["start"]).isoformat(), "end": end.isoformat()}


def nestjs_conversation(row: Row) -> Row:
    last = row["lastMessage"] or {"content": "", "createdAt": row["updatedAt"]}
    return {**row, "lastMessage": last["content"], "lastMessageTime": last["createdAt"]}


def nestjs_message(message: Row) -> Row:
    """The page shows the messages of the sender `current-user` on the right."""
    own = message["senderId"] == current_user.id
    return {**message, "sender": {**message["sender"], "id": "current-user"}} if own else message


def nestjs_storage(storage: Row) -> Row:
    return {**storage, "breakdown": {BREAKDOWN.get(kind, kind): size for kind, size in storage["breakdown"].items()}}


def after_folders(files: list[Row]) -> list[Row]:
    """The page of files lists the caller's folders first, as rows of the type `folder`."""
    if not current_user.allows("folders:view"):
        return files
    folders, _ = page(Folder.visible_to, {"page": 1, "page_size": 100}, current_user.id, False)
    return [
        {
            "id": f"folder-{folder.id}",
            "name": folder.name,
            "type": "folder",
            "size": None,
            "items": folder.item_count,
            "path": "/",
            "createdAt": minute(folder.created_at.isoformat()),
            "updatedAt": minute(folder.updated_at.isoformat()),
        }
        for folder in folders
    ] + files


def vue_file(file: Row) -> Row:
    size, unit = float(file["size"]), 0
    while size >= 1024 and unit < 3:
        size, unit = size / 1024, unit + 1
    text = f"{size:.1f}".removesuffix(".0") + f" {('B', 'KB', 'MB', 'GB')[unit]}"
    return {**file, "size": text, "owner": file["owner"]["name"], "updatedAt": minute(file["updatedAt"])}


def vue_event(event: Row) -> Row:
    date = event["start"] if event["allDay"] else minute(event["start"])
    return {**event, "date": date, "type": EVENT_TYPES[event["type"]]}


def vue_stats(stats: Row) -> Row:
    """The figures of the dashboard for the analytics page. Nothing is known of where visits come from."""
    kpis = [
        {"label": label, "value": text.format(stats[name]), "change": f"{stats[growth]:+}%"}
        for label, name, growth, text in STATS
    ]
    return {"kpis": kpis, "traffic": [], "regions": []}


# --- The two dialects ------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Dialect:
    #: The requests that the API knows by another path, or with another default: method and path → path and query.
    routes: dict[str, str]
    #: The last word of a path → how the data of its reply, or each row of a page, is shown.
    shapes: dict[str, Callable[[Row], Row]]
    #: Wraps a list; it takes the word, the rows, the page they are from (None for a plain array) and the message.
    wrap: Callable[[str, list[Row], Row | None, str], Any]
    #: The last word of a path → what is done to all rows of a page.
    lists: dict[str, Callable[[list[Row]], list[Row]]] = field(default_factory=dict)
    #: What is changed in a request besides: method and path → a function that changes the WSGI environment.
    edits: dict[str, Callable[[Environ], None]] = field(default_factory=dict)
    #: Whether links to the API are relative, because the pages may load only from their own origin (Next.js: its CSP).
    relative: bool = False

    def enter(self, environ: Environ, path: str) -> None:
        """Turn a request for `path` in this dialect into the request to the API that it stands for."""
        asked = f"{environ['REQUEST_METHOD']} {re.sub('[0-9]+', '<id>', path.rstrip('/'))}"
        environ[KEY] = self, path.rstrip("0123456789/").rpartition("/")[2]
        if asked in self.edits:
            self.edits[asked](environ)
        if asked in self.routes:
            ids = re.findall("[0-9]+", path)
            path, _, query = self.routes[asked].partition("?")
            for row_id in ids:
                path = path.replace("<id>", row_id, 1)
            # The last of two values of a parameter counts, so these are only the defaults.
            environ["QUERY_STRING"] = "&".join(filter(None, (query, environ.get("QUERY_STRING"))))
        environ["PATH_INFO"] = f"/api/{path}"
        if self.relative:
            environ["halolight.base_url"] = ""

    def reply(self, word: str, body: Row) -> Any:
        """The body of a reply as the front end reads it; errors are not changed."""
        if not body.get("success"):
            return body
        data, message, shape = body["data"], body["message"], self.shapes.get(word, dict)
        if isinstance(data, list):
            return self.wrap(word, data, None, message)
        if data and "totalPages" in data:
            rows = [shape(row) for row in data["items"]]
            return self.wrap(word, self.lists.get(word, list)(rows), data, message)
        shown = shape(data) if data else data
        return {**(shown or {}), "code": 200, "message": message, "data": shown}


def nestjs_list(word: str, rows: list[Row], about: Row | None, message: str) -> Any:
    if about is None or word not in ("users", "documents", "files", "teams"):
        return rows
    meta = {"total": about["total"], "page": about["page"], "limit": about["pageSize"]}
    return {"data": rows, "meta": {**meta, "totalPages": about["totalPages"]}}


def vue_list(word: str, rows: list[Row], about: Row | None, message: str) -> Any:
    data = rows if about is None else {"list": rows, **{key: about[key] for key in ("total", "page", "pageSize")}}
    return {"code": 200, "message": message, "data": data}


def by_role_id(environ: Environ) -> None:
    """The page filters users by the id of a role."""
    environ["QUERY_STRING"] = re.sub(r"\brole=", "roleId=", environ.get("QUERY_STRING", ""))


def without_username(environ: Environ) -> None:
    """The page sends the local part of the e-mail as username, which may be taken. Without it the API makes one."""
    size = int(environ.get("CONTENT_LENGTH") or 0)
    if size > limits.BODY_BYTES:
        return
    body = environ["wsgi.input"].read(size)
    with suppress(ValueError, RecursionError):  # the API says what is wrong with it
        sent = json.loads(body)
        if isinstance(sent, dict):
            sent.pop("username", None)
            body = json.dumps(sent).encode()
    environ["wsgi.input"], environ["CONTENT_LENGTH"] = BytesIO(body), str(len(body))


NESTJS = Dialect(
    routes={
        # The page shows ten users, and a new one should be among them.
        "GET users": "users?sort=-createdAt",
        # These pages do not page. Files and events are those of the caller, as the pages say.
        "GET documents": "documents?pageSize=100",
        "GET files": "files?pageSize=100&scope=mine",
        "GET teams": "teams?pageSize=100",
        "GET notifications": "notifications?pageSize=100",
        "GET calendar/events": "calendar/events?pageSize=1000&scope=mine",
        "POST files/folder": "folders",
        "DELETE files/folder-<id>": "folders/<id>",
        # The id in these paths is that of a conversation.
        "GET messages/conversations": "conversations?scope=mine",
        "GET messages/<id>": "conversations/<id>/messages?pageSize=100",
        "PUT messages/<id>/read": "conversations/<id>/read",
        "DELETE messages/<id>": "conversations/<id>",
        "POST messages/send": "messages",
    },
    edits={"GET users": by_role_id, "POST auth/register": without_username},
    shapes={
        "login": with_lasting_token,
        "register": with_lasting_token,
        "refresh": with_lasting_token,
        "me": with_role,
        "users": with_role,
        "roles": lambda role: {**role, "id": str(role["id"])},
        "documents": lambda row: {**row, "name": row["title"], "folder": row["folderName"] or ""},
        "files": nestjs_file,
        "storage": nestjs_storage,
        "conversations": nestjs_conversation,
        "messages": nestjs_message,
        "events": nestjs_event,
        "notifications": lambda row: {**row, "time": minute(row["createdAt"])},
    },
    lists={"files": after_folders, "messages": lambda rows: rows[::-1]},
    wrap=nestjs_list,
    relative=True,
)
VUE = Dialect(
    routes={
        "GET users": "users?pageSize=100",
        "GET files": "files?pageSize=100",
        "GET messages": "messages?box=inbox&pageSize=100",
        "GET calendar/events": "calendar/events?pageSize=1000&scope=mine",
        "GET analytics": "dashboard/stats",
    },
    shapes={
        "login": with_user,
        "register": with_user,
        "me": with_role,
        "users": with_role,
        "files": vue_file,
        "events": vue_event,
        "analytics": vue_stats,
    },
    wrap=vue_list,
)
DIALECTS = {"nestjs": NESTJS, "vue": VUE}


# --- The way in and the way out --------------------------------------------------------------------------------------
def without_empty_parts(path: str) -> str:
    """`/api//users`, which comes of a base URL that ends in a slash, is `/api/users`.

    Werkzeug would redirect there, and a browser does not follow the redirect of a preflight.
    """
    return SLASHES.sub("/", path)


class Entrance:
    """The WSGI application around Flask's: paths are tidied, requests in a dialect become requests to the API."""

    def __init__(self, application: Callable[..., Any]):
        self.application = application

    def __call__(self, environ: Environ, start_response: Any) -> Any:
        path = environ["PATH_INFO"] = without_empty_parts(environ["PATH_INFO"])
        found = MOUNT.match(path)
        if found:
            DIALECTS[found[1]].enter(environ, path[found.end() :])
        return self.application(environ, start_response)


class Encoder(hooks.JSON):
    """Encodes the bodies of replies, those to requests in a dialect in its shape."""

    def _prepare_response_obj(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        body = super()._prepare_response_obj(args, kwargs)
        found = request.environ.get(KEY)
        return found[0].reply(found[1], body) if found else body


def init_app(app: Flask) -> None:
    app.wsgi_app = Entrance(app.wsgi_app)  # type: ignore[method-assign]
    app.json = Encoder(app)
