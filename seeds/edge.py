"""The set `edge`: rows of a kind that broke real pages, beside the ordinary ones. docs/edge-rows.md says which pages.

Each text stands in everything that has a name. Whatever else is odd about a row follows below, table by table.
"""

from __future__ import annotations

import io
import re
from datetime import UTC, date, datetime, timedelta
from itertools import cycle
from typing import Any

import models as m
from seeds.dates import made_at
from web.mime import describe, parts

#: The texts, by what is odd about them. None is longer than a name may be (200).
TEXTS = {
    "long": "W" * 200,
    "right-to-left": "تقرير المبيعات (الربع 3) v2.0 — סיכום",
    "override": "invoice\u202efdp.exe",
    "joined-emoji": "👩\u200d👩\u200d👧\u200d👦🏳️\u200d🌈👍🏽🇨🇳",
    "stacked-marks": "".join(letter + "".join(map(chr, range(0x300, 0x30C))) for letter in "overflowing"),
    "invisible": "\u200b",
    "script": "<script>alert('title')</script><img src=x onerror=alert(1)>",
    "template": "{{constructor.constructor('alert(1)')()}} ${7*7} %s",
    "entity": 'Ben &amp; Jerry\'s &lt;3 "quoted"',
    "formula": "=SUM(1+9)*cmd|' /C calc'!A0",
    "prototype": "__proto__",
    "property": "constructor",
    "address": "100% done #1 a?b=c&d=e+f %zz",
    "number": "0012.50",
    "same": "Same name",
    "same-again": "Same name",
}
#: A text with line breaks, for what may hold some.
LINES = "First line\n\n\tindented\r\n" + "\n".join(["…"] * 40) + "\n" + TEXTS["long"]
#: The rows of each model.
Rows = dict[Any, list[dict[str, Any]]]
#: The ids of what is added begin here.
FIRST = 1001
#: How many notifications the account has.
NOTIFICATIONS = 300
#: As many folders lie in each other as the API allows, and a file is as large as the API takes by default.
LEVELS, BYTES = 50, 10 * 1024 * 1024

ROLES = [
    {
        "key": "edge",
        "label": "Everything, everywhere and a little more. " * 4 + "Of five roles at once.",
        "description": LINES,
        "permissions": ["*", *(f"{area}-{number}:export" for area in ("reports", "ledgers") for number in range(60))],
    }
]
PEOPLE: list[dict[str, Any]] = [
    {"key": "edge", "email": "edge@halolight.h7ml.cn", "role": "edge", "name": "Edge", "avatar": "/no-such-picture.png"}
] + [
    {"key": f"edge-{kind}", "name": text, "department": text, "position": text, "status": status}
    for (kind, text), status in zip(TEXTS.items(), cycle(m.User.STATUSES), strict=False)
]


def rows(owner: int, midnight: datetime, now: datetime) -> Rows:
    """The rows of each table, which are the user `owner`'s; `midnight` is that of today."""
    made = made_at(now)
    return {
        **folders(owner, made),
        **documents(owner, made),
        **files(owner, made),
        **talks(owner, made),
        **events(owner, midnight, made),
        **others(owner, now, made),
    }


def numbered(listed: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"id": id, **row} for id, row in enumerate(listed, FIRST)]


def as_file_name(text: str) -> str:
    """The text as the API stores it for the name of a file."""
    return re.sub(r'["/\\\u202e]', "_", text)


def folders(owner: int, made: dict[str, Any]) -> Rows:
    """Fifty in each other, then one for each text."""
    nested = [{"name": f"Level {n + 1}", "parent": FIRST + n - 1 if n else None} for n in range(LEVELS)]
    named = [{"name": text, "parent": None} for text in dict.fromkeys(TEXTS.values())]
    return {m.Folder: numbered([{**folder, "owner": owner, **made} for folder in nested + named])}


def documents(owner: int, made: dict[str, Any]) -> Rows:
    """One for each text, one without content, one of a megabyte, one with twenty long tags; all are shared."""
    texts = [(text, LINES) for text in TEXTS.values()]
    contents = [*texts, ("No content", ""), ("One megabyte", "x" * 1024 * 1024), ("Twenty tags", "x")]
    inside = FIRST + LEVELS - 1
    found = [
        {"title": title, "content": content, "size": len(content.encode()), "folder": inside if n % 2 else None}
        for n, (title, content) in enumerate(contents)
    ]
    tags = [{"document": FIRST + n, "name": text} for n, text in enumerate(TEXTS.values())]
    tags += [{"document": FIRST + len(contents) - 1, "name": f"{n:03}{'T' * 197}"} for n in range(20)]
    shares = [{"document": FIRST + n, "user": 4, "permission": "edit"} for n in range(len(contents))]
    types = cycle(m.Document.TYPES)
    return {
        m.Document: numbered([{**row, "type": next(types), "author": owner, **made} for row in found]),
        m.DocumentTag: numbered(tags),
        m.DocumentShare: numbered(shares),
    }


def files(owner: int, made: dict[str, Any]) -> Rows:
    """One for each text, which have no ending, one of no bytes and one of ten megabytes."""
    contents = [(as_file_name(text), text.encode()) for text in TEXTS.values()]
    line = b"2026-01-01T00:00:00Z INFO one line of a log that nobody reads\n"
    contents += [
        ("empty.txt", b""),
        ("ten megabytes.log", (line * (BYTES // len(line) + 1))[:BYTES]),
        (".profile", b"x"),
    ]
    found, bytes_of = [], []
    for n, (name, data) in enumerate(contents):
        stored = io.BytesIO(data)
        folder = FIRST + LEVELS - 1 if n % 2 else None
        found.append({"name": name, "owner": owner, "folder": folder, **made, **describe(stored)})
        bytes_of += [{"file": FIRST + n, "number": number, "data": part} for number, part in enumerate(parts(stored))]
    return {m.File: numbered(found), m.FilePart: bytes_of}


def talks(owner: int, made: dict[str, Any]) -> Rows:
    """A group for each text, with the text as its only message; one that nobody has written in, and long messages."""
    said = [(text, [text]) for text in TEXTS.values()]
    said += [("Nothing said", []), ("Long messages", ["W" * 5000, LINES, "https://example.com/" + "path/" * 200])]
    members: list[dict[str, Any]] = []
    messages: list[dict[str, Any]] = []
    marks: list[dict[str, Any]] = []
    for n, (_, lines) in enumerate(said, FIRST):
        users = [owner, 4] if n % 3 else [owner]
        members += [{"conversation": n, "user": user} for user in users]
        for line in lines:
            common = {"message": FIRST + len(messages), "conversation": n}
            messages.append({"conversation": n, "sender": users[-1], "content": line, "created_at": made["created_at"]})
            marks += [{**common, "user": user, "read": user == users[-1]} for user in users]
    talk = {"type": "group", "pair": None, "creator": None, **made}
    return {
        m.Conversation: numbered([{"name": name, **talk} for name, _ in said]),
        m.ConversationMember: numbered(members),
        m.Message: numbered(messages),
        m.MessageMark: numbered(marks),
    }


def odd_times(midnight: datetime, now: datetime) -> list[tuple[str, datetime, datetime, bool]]:
    """The days and hours at which calendars go wrong: a title, the start, the end, and whether it is all day."""
    month = midnight.replace(day=1)
    next_month = (month + timedelta(days=32)).replace(day=1)
    # Of this year, or of the next that has one (until 2096).
    leap_day = midnight.replace(year=midnight.year + -midnight.year % 4, month=2, day=29)
    hour, whole = timedelta(hours=1), timedelta(days=1)
    times = [
        ("Over midnight", now, midnight + whole + 2 * hour),
        ("Until midnight", midnight + 20 * hour, midnight + whole),
        ("No length", now, now),
        ("Three months", month - 31 * whole, next_month + 31 * whole),
        ("Into the next month", next_month - 5 * hour, next_month + 3 * hour),
        ("On a leap day", leap_day + 9 * hour, leap_day + 10 * hour),
        ("Long ago", datetime(1970, 1, 1, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC)),
        ("Far away", datetime(2099, 12, 31, 23, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)),
    ]
    days = [
        ("The last day of a month", next_month - whole, next_month),
        ("A leap day", leap_day, leap_day + whole),
        ("From one month to another", next_month - 2 * whole, next_month + whole),
    ]
    all_day = [(title, start.replace(tzinfo=UTC), end.replace(tzinfo=UTC), True) for title, start, end in days]
    return [(*each, False) for each in times] + all_day


def events(owner: int, midnight: datetime, made: dict[str, Any]) -> Rows:
    """One for each text, all at the same hour; and those at odd times."""
    ten, eleven = midnight + timedelta(hours=10), midnight + timedelta(hours=11)
    listed = [(text, ten, eleven, False) for text in TEXTS.values()]
    listed += odd_times(midnight, made["created_at"].replace(microsecond=0))
    found = [
        {
            "title": title,
            "description": LINES if title in TEXTS.values() else "",
            "location": title,
            "color": "",
            "type": kind,
            "start": start,
            "end": end,
            "all_day": all_day,
            "organizer": owner,
            **made,
        }
        for (title, start, end, all_day), kind in zip(listed, cycle(m.Event.TYPES), strict=False)
    ]
    everybody = [{"event": FIRST, "user": user, "status": "pending"} for user in range(1, owner + len(TEXTS))]
    own = [{"event": FIRST + n, "user": 4, "status": "tentative"} for n in range(1, len(found), 2)]
    return {m.Event: numbered(found), m.EventAttendee: numbered(everybody + own)}


def others(owner: int, now: datetime, made: dict[str, Any]) -> Rows:
    """Tasks, teams and notifications for each text; tasks that are nobody's and due never; what a deleted user did."""
    tasks: list[dict[str, Any]] = [{"title": text, "due_date": None, "progress": 0} for text in TEXTS.values()]
    tasks += [{"title": "Long overdue", "due_date": date(1970, 1, 1), "progress": 99}]
    task = {"description": LINES, "assignee": None, "creator": owner, **made}
    about = {"user": None, "action": "delete", "target_type": "document", "target_id": None, "created_at": now}
    told = []
    for n, text in zip(range(NOTIFICATIONS), cycle(TEXTS.values()), strict=False):
        shown = {"user": owner, "type": m.Notification.TYPES[n % 5], "title": text, "content": text, "link": ""}
        made_then = now - timedelta(minutes=n + 1)
        told.append({**shown, "read": n % 2 == 1, "read_at": now if n % 4 == 1 else None, "created_at": made_then})
    return {
        m.Task: numbered([{**each, **task} for each in tasks]),
        m.Team: numbered([{"name": text, "description": text, **made} for text in TEXTS.values()]),
        m.Activity: numbered([{**about, "target_name": text} for text in TEXTS.values()]),
        m.Notification: numbered(told),
    }
