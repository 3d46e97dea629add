"""How HaloLight's own front ends read replies: rows and lists of the API in the shapes of the two dialects."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from database.compiled import page
from models import Folder
from web import security
from web.fields import timezone
from web.security import current_user

Row = dict[str, Any]
#: What the analytics page of the Vue front end shows: label, figure of the dashboard, its growth, format.
STATS = (
    ("总用户", "totalUsers", "userGrowth", "{:,}"),
    ("总收入", "totalRevenue", "revenueGrowth", "¥{:,.0f}"),
    ("总订单", "totalOrders", "orderGrowth", "{:,}"),
    ("转化率", "conversionRate", "rateGrowth", "{}%"),
)
EVENT_TYPES = {"meeting": "会议", "task": "任务", "reminder": "提醒", "holiday": "假日"}
BREAKDOWN = {"image": "images", "video": "videos", "document": "documents", "archive": "archives", "other": "others"}


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


def nestjs_list(word: str, rows: list[Row], about: Row | None, message: str) -> Any:
    if about is None or word not in ("users", "documents", "files", "teams"):
        return rows
    meta = {"total": about["total"], "page": about["page"], "limit": about["pageSize"]}
    return {"data": rows, "meta": {**meta, "totalPages": about["totalPages"]}}


def vue_list(word: str, rows: list[Row], about: Row | None, message: str) -> Any:
    data = rows if about is None else {"list": rows, **{key: about[key] for key in ("total", "page", "pageSize")}}
    return {"code": 200, "message": message, "data": data}
