"""The demo data: the same rows on every machine, with dates counted back from today.

What is written down of them is in `seeds/zh.toml`; here is how the other columns follow from it.

python seed.py                            fill an empty database, change nothing in any other
python seed.py --reset                    put everything back as it was seeded, in one transaction
python seed.py --users N --documents N    then add made-up ones until there are so many, to see how lists grow
"""

from __future__ import annotations

import io
import random
import tomllib
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import click
from peewee import DatabaseError, SqliteDatabase, fn

import models as m
from database import base, engines, migrate
from database.base import Setting, insert_rows
from database.turns import unhurried
from seeds.samples import packed, picture, printed, sound
from web import passwords
from web.mime import describe
from web.security import allows

#: The zone of the days and hours here: the server's TIMEZONE, set by the application.
zone: tzinfo = UTC

PASSWORD = "123456"  # noqa: S105
#: What is written down of the rows: lists of them, in the order of their ids, and texts.
ROWS = tomllib.loads((Path(__file__).parent / "seeds" / "zh.toml").read_text("utf-8"))
#: The ids of the accounts that most rows are of, in turn.
HOSTS = (1, 2, 3, 4)
COLORS = {"meeting": "#409eff", "task": "#67c23a", "reminder": "#e6a23c", "holiday": "#f56c6c"}

#: How many rows are added in one transaction: between two of them others may write.
CHUNK = 10_000


class NotResettable(Exception):
    """The demo rows cannot be put back; the text says why, and is one of web.texts."""


def seed(demo: bool) -> None:
    """Fill an empty database: the roles, and with `demo` everything else. Runs in the caller's transaction."""
    seed_roles()
    if not demo:
        return
    if Setting.read("demo_password") is None:  # hashed once: a reset has 0.2 s, and a hash takes half of that
        Setting.keep("demo_password", passwords.make_hash(PASSWORD))
    Setting.keep("seeded", today().isoformat())
    seed_users()
    seed_teams()
    seed_folders()
    seed_documents()
    seed_files()
    seed_messages()
    seed_notifications()
    seed_events()
    seed_tasks()
    seed_activities()
    seed_visits()
    seed_orders()


def id_in(kind: str, name: str) -> int:
    """The id of the role of this name (`roles`), or of the person of this username (`people`). Raises ValueError."""
    names = [row.get("username", row["name"]) for row in ROWS[kind]]
    if name not in names:
        raise ValueError(f"the seed names {name!r}, which is none of its {kind}: {', '.join(names)}")
    return names.index(name) + 1


def later_accounts() -> list[int]:
    """The ids of the accounts that come after the hosts, without guests: they get something of everything, too."""
    people = enumerate(ROWS["people"], 1)
    return [id for id, person in people if "email" in person and id not in HOSTS and person["role"] != "guest"]


def seed_roles() -> None:
    insert(m.Role, [{**role, "is_system": True} for role in ROWS["roles"]])


def seed_users() -> None:
    hashed, people, rows = Setting.read("demo_password"), ROWS["people"], []
    for number, person in enumerate(people, 1):
        username, status = person["username"], person.get("status", "active")
        before = len(people) - number
        joined = -1 - 6 * before - before**2 // 6  # ever more of them
        made, last_seen = at(joined, 7, number), max(joined, -(number % 9) - 1)
        rows.append(
            {
                **person,
                "email": person.get("email", f"{username}@halolight.h7ml.cn"),
                "username_key": username,
                "phone": f"1380013{8000 + number}",
                "bio": ROWS["bio"].format(**person) if person["department"] else "",
                "status": status,
                "role": id_in("roles", person.get("role", "user")),
                "password_hash": hashed,
                **made_at(made),
                "last_login_at": at(last_seen, 8 + number % 10, number) if status == "active" else None,
            }
        )
    insert(m.User, rows)


def seed_teams() -> None:
    teams: list[dict[str, Any]] = []
    members: list[dict[str, Any]] = []
    for number, team in enumerate(ROWS["teams"], 1):
        made = made_at(at(-90 + 10 * number, 9))
        teams.append({"name": team["name"], "description": team["description"], **made})
        for turn, username in enumerate(team["members"]):
            role = "member" if turn else "admin"
            members.append({"team": number, "user": id_in("people", username), "role": role})
    insert(m.Team, teams)
    insert(m.TeamMember, members)


def seed_folders() -> None:
    rows = []
    for number, folder in enumerate(ROWS["folders"], 1):
        place = {"parent": folder.get("parent"), "owner": id_in("people", folder["owner"])}
        rows.append({**folder, **place, **made_at(at(-100 + number, 10))})
    insert(m.Folder, rows)


def made_at(instant: datetime) -> dict[str, datetime]:
    return {"created_at": instant, "updated_at": instant}


def folder_of(owner: int, turn: int) -> int | None:
    """One of the folders of a person, each in turn, if they have any."""
    folders = [id for id, folder in enumerate(ROWS["folders"], 1) if id_in("people", folder["owner"]) == owner]
    return folders[turn % len(folders)] if folders else None


def text_of(document: dict[str, Any], author: str) -> str:
    contents = ROWS["contents"]
    return contents.get(document["type"], contents["document"]).format(title=document["title"], author=author)


def seed_documents() -> None:
    documents: list[dict[str, Any]] = []
    tags: list[dict[str, Any]] = []
    shares: list[dict[str, Any]] = []
    readers: list[dict[str, Any]] = []
    for number, document in enumerate(ROWS["documents"], 1):
        author = (4, 1, 2, 4, 3, 8, 2, 4, 1, 9)[number % 10]
        content = text_of(document, ROWS["people"][author - 1]["name"])
        documents.append(
            {
                "title": document["title"],
                "content": content,
                "type": document["type"],
                "size": len(content.encode()),
                "folder": folder_of(author, number // 2) if number % 4 else None,
                "author": author,
                "created_at": at(-95 + 3 * number, 9, number),
                "updated_at": at(-95 + 3 * number + number % 4, 15, number),
            }
        )
        tags += [{"document": number, "name": name} for name in document["tags"]]
        # Two of three are shared with one of the accounts, and read by up to a dozen people.
        with_whom = (1, 2, 4, 3, 4)[number % 5]
        if number % 3 and with_whom != author:
            permission = ("view", "edit")[number % 2]
            shares.append({"document": number, "user": with_whom, "permission": permission})
        readers += [{"document": number, "user": user} for user in range(1, number * 7 % 13 + 1)]
    insert(m.Document, documents)
    insert(m.DocumentTag, tags)
    insert(m.DocumentShare, shares)
    insert(m.DocumentReader, readers)


def seed_messages() -> None:
    conversations: list[dict[str, Any]] = []
    members: list[dict[str, Any]] = []
    messages: list[dict[str, Any]] = []
    marks: list[dict[str, Any]] = []
    everybody = [person["username"] for person in ROWS["people"] if person.get("role") != "guest"]
    for number, conversation in enumerate(ROWS["conversations"], 1):
        users = [id_in("people", username) for username in conversation.get("members", everybody)]
        name, length = conversation.get("name", ""), 8 + 5 * number % 13
        times = [at(-1 - number // 3, 9, 20 * turn + number) for turn in range(length)]
        conversations.append(
            {
                "type": "group" if name else "private",
                "name": name,
                "pair": None if name else m.Conversation.pair_of(*users),
                "creator": users[0],
                "created_at": times[0],
                "updated_at": times[-1],
            }
        )
        members += [{"conversation": number, "user": user} for user in users]
        for turn, made in enumerate(times):
            sender, unread = users[turn * 3 // 2 % len(users)], turn >= length - number % 4
            content = ROWS["lines"][(3 * number + turn) % len(ROWS["lines"])]
            messages.append({"conversation": number, "sender": sender, "content": content, "created_at": made})
            common = {"message": len(messages), "conversation": number}
            marks += [{**common, "user": user, "read": user == sender or not unread} for user in users]
    insert(m.Conversation, conversations)
    insert(m.ConversationMember, members)
    insert(m.Message, messages)
    insert(m.MessageMark, marks)


def seed_notifications() -> None:
    """A welcome for everybody but the hosts; for these their newest unread messages, and one of each other kind."""
    rows: list[dict[str, Any]] = []

    def tell(user: int, notice: dict[str, str], made: datetime, read: bool, target: int | None = None) -> None:
        about = {"target_type": "message" if target else None, "target_id": target}
        when = {"created_at": made, "read": read, "read_at": made if read else None}
        rows.append({"user": user, **notice, **about, **when})

    notices = ROWS["notices"]
    for user, person in enumerate(ROWS["people"], 1):
        if user not in HOSTS and person.get("role") != "guest":
            tell(user, notices[-1], at(-20, 8, user), read=False)
    for turn in range(20):
        tell(HOSTS[turn % 4], notices[turn % len(notices)], at(turn // 4 - 6, 6, turn), read=turn < 12)
    unread: Any = m.MessageMark.select(m.MessageMark.user, m.Message).join(m.Message).where(~m.MessageMark.read)
    newest = unread.where(m.MessageMark.user.in_(HOSTS)).order_by(m.Message.created_at.desc(), m.MessageMark.id)
    for mark in newest.limit(15):
        notice = {"type": "message", "title": "New message", "content": mark.message.content, "link": "/messages"}
        tell(mark.user_id, notice, mark.message.created_at, read=False, target=mark.message.id)
    insert(m.Notification, rows)


def seed_files() -> None:
    files: list[dict[str, Any]] = []
    contents: list[dict[str, Any]] = []
    for subject in ROWS["subjects"]:
        before = len(files)
        note = ROWS["table"].format(subject=subject, first=before + 10, second=before + 20).encode()
        formats = {
            "png": picture(before),
            "csv": note,
            "pdf": printed(f"HaloLight {before}"),
            "wav": sound(before + 8),
            "zip": packed(f"{subject}.csv", note),
        }
        for number, (ending, data) in enumerate(formats.items(), before + 1):
            owner, made = (4, 1, 2, 4, 3, 4, 6, 9)[number % 8], at(-82 + 2 * number, 10, number)
            files.append(
                {
                    "name": f"{subject}.{ending}",
                    "owner": owner,
                    "folder": folder_of(owner, number // 3) if number % 3 else None,
                    "is_favorite": number % 6 == 0,
                    "created_at": made,
                    "updated_at": made,
                    **describe(io.BytesIO(data)),
                }
            )
            contents.append({"file": number, "number": 0, "data": data})
    insert(m.File, files)
    insert_rows(m.FilePart, contents)


def seed_events() -> None:
    """Eight past, eight today (two for each host), fifteen coming."""
    events: list[dict[str, Any]] = []
    attendees: list[dict[str, Any]] = []
    for number, day in enumerate([*range(-8, 0), *[0] * 8, *range(1, 16)], 1):
        occasion = ROWS["occasions"][number % 8]
        start, end = at(day, 9 + number % 8), at(day, 10 + number % 8)
        if occasion["type"] == "holiday":
            start = datetime.combine(today() + timedelta(days=day), datetime.min.time(), UTC)
            end = start + timedelta(days=2 if day > 0 else 1)
        organizer, made = HOSTS[number % 4], at(-20 + number // 3, 10, number)
        events.append(
            {
                **occasion,
                "color": COLORS[occasion["type"]],
                "start": start,
                "end": end,
                "all_day": occasion["type"] == "holiday",
                "organizer": organizer,
                **made_at(made),
            }
        )
        invited = [HOSTS[organizer % 4], *(6 + (3 * number + turn) % 24 for turn in (0, 5, 10))]
        if number == 16:  # the last of today
            invited += [user for user in later_accounts() if user not in invited]
        for turn, user in enumerate(invited):
            status = m.EventAttendee.STATUSES[(number // 4 + turn) % 4]
            attendees.append({"event": number, "user": user, "status": status})
    insert(m.Event, events)
    insert(m.EventAttendee, attendees)


def seed_tasks() -> None:
    """Every fifth is given to nobody, unless it is open and there is a later account to give it to."""
    rows, later = [], iter(later_accounts())
    for number, title in enumerate(ROWS["tasks"], 1):
        status, made = m.Task.STATUSES[number % 3], at(-30 + number, 10, number)
        assignee = HOSTS[number // 4 % 4] if number % 5 else next(later, None) if status != "done" else None
        rows.append(
            {
                "title": title,
                "status": status,
                "priority": m.Task.PRIORITIES[number // 3 % 3],
                "progress": {"pending": 0, "in_progress": 3 * number + 10, "done": 100}[status],
                "due_date": today() + timedelta(days=7 * number % 19 - 4),
                "creator": HOSTS[number % 4],
                "assignee": assignee,
                **made_at(made),
            }
        )
    insert(m.Task, rows)


def seed_activities() -> None:
    done: list[Any] = []
    for model, number in ((m.Document, 15), (m.Event, 15), (m.Task, 20)):
        done.extend(model.select(model.id, model.title).order_by(model.id).limit(number))
    rows = []
    for number, target in enumerate(done, 1):
        ago = len(done) - number
        rows.append(
            {
                "user": HOSTS[number % 4],
                "action": ("create", "update", "update")[number % 3],
                "target_type": target._meta.name,
                "target_id": target.id,
                "target_name": target.title,
                "created_at": at(-1 - ago // 4, 17 - ago % 4 * 2, number),
            }
        )
    insert(m.Activity, rows)


def seed_visits() -> None:
    """About twenty a day, fewer at weekends, of visitors who come again."""
    rows: list[dict[str, Any]] = []
    for day in range(-89, 1):
        visits = 12 if at(day).weekday() > 4 else 22 + day % 5
        for turn in range(visits):
            visitor, made = f"visitor{(7 * day + turn * turn) % 37}", at(day, 8 + turn % 14, 7 * turn % 60)
            rows.append({"visitor": visitor, "pages": 1 + (day + turn) % 6, "at": made})
    insert(m.Visit, rows)


def seed_orders() -> None:
    """Two years of them, ever more often and ever dearer."""
    rows = []
    days = [*range(-731, -365, 2), *range(-365, 1), *(-ago * ago // 2 for ago in range(20))]
    for number, day in enumerate(sorted(days), 1):
        amount = 100 * (300 + number + number * 37 % 400) - 1
        rows.append(
            {
                "user": 6 + number % 25,
                "status": "refunded" if number % 15 == 7 else "pending" if number % 10 == 3 else "paid",
                "amount": amount,
                "cost": amount * (55 + number % 20) // 100,
                "created_at": at(day, 9 + number % 10, number % 60),
            }
        )
    insert(m.Order, rows)


def accounts() -> list[tuple[Any, str | None]]:
    """The seeded accounts that the database has, each with its password as long as that is the seeded one."""
    emails = [person["email"] for person in ROWS["people"] if "email" in person]
    users: Any = m.User.select(m.User, m.Role).join(m.Role).where(m.User.email.in_(emails)).order_by(m.User.id)
    hashed = Setting.read("demo_password")
    return [(user, PASSWORD if user.password_hash == hashed else None) for user in users]


def reset() -> None:
    """Put the demo rows back as they were seeded, in one transaction. Raises NotResettable.

    The secret and the sessions of seeded accounts stay: a page that is logged in as one of them does not notice.
    """
    try:
        with unhurried(), engines.write():
            if not seeded():
                raise NotResettable("This database was not filled with demo data")
            put_back()
    except DatabaseError:
        reason = migrate.behind()
        if reason:
            raise NotResettable(reason.replace("the", "The", 1)) from None
        raise


def put_back() -> None:
    theirs = m.Session.user <= len(ROWS["people"])
    sessions: list[Any] = list(m.Session.select().where(theirs).order_by(m.Session.id).dicts())
    kept = [session["id"] for session in sessions]
    kept_tokens = m.RefreshToken.select().where(m.RefreshToken.session.in_(kept)).order_by(m.RefreshToken.id)
    tokens: list[Any] = list(kept_tokens.dicts())
    for model in reversed(base.tables()):
        if model is not Setting:
            model.delete().execute()
    seed(demo=True)
    insert(m.Session, sessions)
    insert(m.RefreshToken, tokens)


def grow(model: Any, add: Callable[[range, random.Random], None], wanted: int) -> None:
    """Add rows until `model` has `wanted`: the same ones wherever the same was there before."""
    there, noun = model.select().count(), model._meta.table_name
    if there >= wanted:
        click.echo(f"There are {there:,} {noun}: nothing to add for {wanted:,}.")
        return
    # Counted on from the highest id, for names that nobody has: rows may have been deleted.
    first = (model.select(fn.MAX(model.id)).scalar() or 0) + 1
    numbers = range(first, first + wanted - there)
    with click.progressbar(length=len(numbers), label=f"{len(numbers):,} {noun}") as bar:
        for start in range(0, len(numbers), CHUNK):
            chunk = numbers[start : start + CHUNK]
            with unhurried(), engines.write():
                add(chunk, random.Random(there + start))
            bar.update(len(chunk))


def add_users(numbers: range, chance: random.Random) -> None:
    """Colleagues with names and posts of the seeded ones; nine of ten are active, nearly all are plain users."""
    hashed, roles = Setting.read("demo_password"), {role.name: role.id for role in m.Role.select()}
    midnight, colleagues = at(0), [person for person in ROWS["people"] if "email" not in person]
    rows = []
    for number in numbers:
        one, other = chance.choice(colleagues), chance.choice(colleagues)
        username, made = f"user{number:07}", midnight - timedelta(minutes=chance.randrange(2 * 365 * 24 * 60))
        rows.append(
            {
                "email": f"{username}@halolight.h7ml.cn",
                "username": username,
                "username_key": username,
                "name": one["name"][0] + other["name"][1:],
                "phone": f"139{number % 10**8:08}",
                "department": one["department"],
                "position": one["position"],
                "status": chance.choices(m.User.STATUSES, (90, 7, 3))[0],
                "role": roles[chance.choices(("user", "admin", "guest"), (96, 2, 2))[0]],
                "password_hash": hashed,
                **made_at(made),
            }
        )
    insert_rows(m.User, rows)


def add_documents(numbers: range, chance: random.Random) -> None:
    """Documents of the first thousand users who may write any; one of four is shared with up to three of them."""
    people: Any = m.User.select(m.User.id, m.User.name)
    writers = [role for role in m.Role.select() if allows(role.permissions, "documents:create")]
    able = people.where(m.User.status == "active", m.User.role.in_(writers))
    authors = list(able.order_by(m.User.id).limit(1000).tuples())
    midnight, kinds, documents = at(0), [], []
    for number in numbers:
        document = chance.choice(ROWS["documents"])
        author, name = authors[int(len(authors) * chance.random() ** 2)]  # the first ones write most
        content = text_of(document, name)
        made = midnight - timedelta(minutes=chance.randrange(2 * 365 * 24 * 60))
        documents.append(
            {
                "title": f"{document['title']} {number}",
                "content": content,
                "type": document["type"],
                "size": len(content.encode()),
                "author": author,
                **made_at(made),
            }
        )
        readers = chance.sample(authors, chance.randint(1, min(3, len(authors)))) if chance.random() < 0.25 else []
        kinds.append((document["tags"], [user for user, _ in readers if user != author]))
    before = m.Document.select(fn.MAX(m.Document.id)).scalar() or 0
    insert_rows(m.Document, documents)
    # The database gave the ids: one that was deleted is not given again.
    made_now: Any = m.Document.select(m.Document.id).where(m.Document.id > before).order_by(m.Document.id).tuples()
    given = [(id, *kind) for (id,), kind in zip(made_now, kinds, strict=True)]
    insert_rows(m.DocumentTag, [{"document": id, "name": name} for id, names, _ in given for name in names])
    shares = [{"document": id, "user": user} for id, _, users in given for user in users]
    permissions = m.DocumentShare.PERMISSIONS
    insert_rows(m.DocumentShare, [{**share, "permission": permissions[n % 2]} for n, share in enumerate(shares)])


def seeded() -> bool:
    return Setting.read("seeded") is not None


def age_in_days() -> int:
    """How many days ago the demo rows were seeded; 0 if there are none, or if it was in a zone where it is tomorrow."""
    day = Setting.read("seeded")
    return max((today() - date.fromisoformat(day)).days, 0) if day else 0


def today() -> date:
    return engines.now().astimezone(zone).date()


def at(days: int, hour: int = 0, minute: int = 0) -> datetime:
    """The instant `days` from today at this time of `zone`."""
    return datetime.combine(today(), datetime.min.time(), zone) + timedelta(days=days, hours=hour, minutes=minute)


def insert(model: Any, rows: list[dict[str, Any]]) -> None:
    """Insert rows of the same keys, numbered from 1 unless they carry ids; new ids begin after all ever given."""
    numbered = [{"id": number, **row} for number, row in enumerate(rows, 1)]
    insert_rows(model, numbered)
    if numbered and not isinstance(engines.db.obj, SqliteDatabase):
        # A sequence knows nothing of ids that were inserted, and must not go back behind those given since.
        sequence = f"{model._meta.table_name}_id_seq"
        highest = f"SELECT setval('{sequence}', GREATEST(%s, (SELECT last_value FROM {sequence})))"  # noqa: S608
        engines.db.execute_sql(highest, (numbered[-1]["id"],))


if __name__ == "__main__":
    from halolight import fill  # which imports this module, so not at the top

    fill()
