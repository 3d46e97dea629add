"""The demo data: the same rows on every machine, with dates counted back from today.

`seeds/rows.toml` lists the rows, `seeds/zh.toml` and `seeds/en.toml` hold their texts; the rules here compute every
other column. A set is one choice of rows: `zh` and `en` in these languages, `empty` with accounts and roles only,
`edge` with rows that break pages (`seeds/edge.py`).

python seed.py                            fill an empty database, change nothing in any other
python seed.py --reset [--set en]         put everything back as it was seeded, in one transaction
python seed.py --users N --documents N    then add made-up ones until there are so many, to see how lists grow
"""

from __future__ import annotations

import io
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo
from itertools import count
from typing import Any

import click
from peewee import DatabaseError, SqliteDatabase, fn

import models as m
from database import base, engines, migrate
from database.base import Setting, insert_rows
from database.turns import unhurried
from seeds import edge, growth
from seeds.samples import content, sample
from seeds.written import LANGUAGES, Written, position, written
from web.config import BadConfiguration
from web.mime import parts

#: The zone in which rows have their days and hours: the server's TIMEZONE, which the application sets.
zone: tzinfo = UTC

PASSWORD = "123456"  # noqa: S105
#: Its hash, which a first start would need 0.1 s to make. Everybody may know it, as they know the password.
HASHED = (
    "scrypt:32768:8:1$yg1ykay8L9FXtQOT$5a4423c64ffb6b12ef4122d14df8da3c29343070111b104"
    "4e3077ece992c056a7a761f53cc553fcff2dd38282fc0ed2ca25669c8d9e7561854abf7f236817ff2"
)
#: The ids of the accounts that own most rows.
HOSTS = (1, 2, 3, 4)
COLORS = {"meeting": "#409eff", "task": "#67c23a", "reminder": "#e6a23c", "holiday": "#f56c6c"}
#: The hours at which events of a day begin.
HOURS = (9, 10, 11, 13, 14, 15, 16, 17)

#: How many rows are added in one transaction: between two of them others may write.
CHUNK = 10_000

#: A row that is to be inserted: its model and its values.
Row = tuple[Any, dict[str, Any]]


class NotResettable(Exception):
    """The demo rows cannot be put back; the text says why, and is one of web.texts."""


def seed(demo: bool, name: str = "zh") -> None:
    """Fill an empty database: the roles, and with `demo` the set `name`. Runs in the caller's transaction."""
    rows = written(name)
    insert_all(roles(rows))
    if not demo:
        return
    if Setting.read("demo_password") is None:
        Setting.keep("demo_password", HASHED)
    Setting.keep("seeded", today().isoformat())
    Setting.keep("set", name)
    insert_all(users(rows))
    if name == "empty":
        return
    for rule in (*CONTENT, *FIGURES):
        insert_all(rule(rows))
    if name == "edge":
        owner = position(rows["people"], "edge")
        for model, added in edge.rows(owner, at(0), engines.now()).items():
            insert(model, added)


def set_in_use() -> str:
    """The name of the set that the database was filled with."""
    return Setting.read("set") or "zh"


# --- The rules: each yields the rows of a kind, and of what belongs to them ------------------------------------------


def row(model: Any, **values: Any) -> Row:
    """A row of `model`. The rows of a table have the ids 1, 2, 3 in the order in which they are yielded."""
    return model, values


def made_at(instant: datetime) -> dict[str, datetime]:
    return {"created_at": instant, "updated_at": instant}


def roles(rows: Written) -> Iterator[Row]:
    for role in rows["roles"]:
        texts = {"label": role.get("label", role["key"]), "description": role.get("description", "")}
        yield row(m.Role, name=role["key"], permissions=role["permissions"], is_system=True, **texts)


def users(rows: Written) -> Iterator[Row]:
    hashed, people = Setting.read("demo_password"), rows["people"]
    for number, person in enumerate(people, 1):
        username, status, department = person["key"], person.get("status", "active"), person.get("department", "")
        before = len(people) - number
        joined = -1 - 6 * before - before**2 // 6  # more users join every month
        last_seen = engines.now() - timedelta(hours=number * number % 150, minutes=5 + number)
        yield row(
            m.User,
            email=person.get("email", f"{username}@halolight.h7ml.cn"),
            username=username,
            username_key=username,
            name=person.get("name", username),
            avatar=person.get("avatar"),
            phone=f"1380013{8000 + number}",
            department=department,
            position=person.get("position", ""),
            bio=rows["bio"].format(**person) if department else "",
            status=status,
            role=position(rows["roles"], person.get("role", "user")),
            password_hash=hashed,
            last_login_at=max(last_seen, at(joined, 8)) if status == "active" else None,
            **made_at(at(joined, 7, number)),
        )


def later_accounts(rows: Written) -> list[int]:
    """The ids of the accounts after the hosts, without guests. They get some rows of every kind, too."""
    people = enumerate(rows["people"], 1)
    return [id for id, person in people if "email" in person and id not in HOSTS and person["role"] != "guest"]


def teams(rows: Written) -> Iterator[Row]:
    for number, team in enumerate(rows["teams"], 1):
        made = made_at(at(-90 + 10 * number, 9))
        yield row(m.Team, name=team["name"], description=team["description"], **made)
        for turn, username in enumerate(team["members"]):
            user, role = position(rows["people"], username), "member" if turn else "admin"
            yield row(m.TeamMember, team=number, user=user, role=role)


def folders(rows: Written) -> Iterator[Row]:
    for number, folder in enumerate(rows["folders"], 1):
        owner, made = position(rows["people"], folder["owner"]), made_at(at(-100 + number, 10))
        yield row(m.Folder, name=folder["name"], parent=folder_of(rows, folder, "parent"), owner=owner, **made)


def folder_of(rows: Written, row: dict[str, Any], field: str = "folder") -> int | None:
    return position(rows["folders"], row[field]) if field in row else None


def documents(rows: Written) -> Iterator[Row]:
    for number, document in enumerate(rows["documents"], 1):
        author = position(rows["people"], document["author"])
        text = content(document, rows["people"][author - 1]["name"], rows, number, today())
        yield row(
            m.Document,
            title=document["name"],
            content=text,
            type=document["type"],
            size=len(text.encode()),
            folder=folder_of(rows, document),
            author=author,
            created_at=at(-92 + 3 * number, 9, number),
            updated_at=min(at(-92 + 3 * number + number % 4, 15, number), engines.now()),
        )
        for name in document["tags"]:
            yield row(m.DocumentTag, document=number, name=rows["tags"][name])
        # Two of three are shared with one of the accounts, and read by up to a dozen people.
        with_whom = (1, 2, 4, 3, 4)[number % 5]
        if number % 3 and with_whom != author:
            yield row(m.DocumentShare, document=number, user=with_whom, permission=("view", "edit")[number % 2])
        for user in range(1, number * 7 % 13 + 1):
            yield row(m.DocumentReader, document=number, user=user)


def files(rows: Written) -> Iterator[Row]:
    for number, file in enumerate(rows["files"], 1):
        drawn = file["format"], file["name"], file["length"], file.get("scene", "")
        data, described = sample(*drawn, number, today(), rows["language"])
        yield row(
            m.File,
            name=f"{file['name']}.{file['format']}",
            owner=position(rows["people"], file["owner"]),
            folder=folder_of(rows, file),
            is_favorite=number % 6 == 0,
            **made_at(at(-82 + 2 * number, 10, number)),
            **described,
        )
        for place, part in enumerate(parts(io.BytesIO(data))):
            yield row(m.FilePart, file=number, number=place, data=part)


def conversations(rows: Written) -> Iterator[Row]:
    """Talks that ended a while ago. Members have not read the last `unread` lines, unless they wrote after them."""
    people = [person for person in rows["people"] if person.get("role") != "guest"]
    everybody = [person["key"] for person in people if person.get("status", "active") == "active"]
    ids = count(1)
    for number, talk in enumerate(rows["conversations"], 1):
        members = [position(rows["people"], username) for username in talk.get("members", everybody)]
        name, lines = talk.get("name", ""), rows["lines"][talk["key"]].strip().splitlines()
        times = [engines.now() - timedelta(minutes=talk["ago"])]
        for turn in range(1, len(lines)):  # backwards
            times.insert(0, times[0] - timedelta(minutes=2 + turn * (7 * number + 3 * turn) % 41))
        yield row(
            m.Conversation,
            type="group" if name else "private",
            name=name,
            pair=None if name else m.Conversation.pair_of(*members),
            creator=members[0],
            created_at=times[0],
            updated_at=times[-1],
        )
        for user in members:
            yield row(m.ConversationMember, conversation=number, user=user)
        senders = [members[turn % len(members)] for turn in range(len(lines))]
        for turn, (line, sender, made) in enumerate(zip(lines, senders, times, strict=True)):
            yield row(m.Message, conversation=number, sender=sender, content=line, created_at=made)
            message, read = next(ids), set(senders[turn:]) if turn >= len(lines) - talk["unread"] else members
            for user in members:
                yield row(m.MessageMark, message=message, conversation=number, user=user, read=user in read)


def workdays(first: int, step: int, number: int) -> list[int]:
    """So many days from Monday to Friday, counted from today, in their order."""
    days = (first + step * each for each in range(2 * number + 2))
    return sorted([day for day in days if at(day).weekday() < 5][:number])


def events(rows: Written) -> Iterator[Row]:
    """Eight past, eight today (two for each host), fifteen coming."""
    for number, day in enumerate([*workdays(-1, -1, 8), *[0] * 8, *workdays(1, 1, 15)], 1):
        occasion = rows["occasions"][number % len(rows["occasions"])]
        start = at(day, HOURS[number % 8])
        end, whole = start + timedelta(minutes=30 + 30 * (number % 3)), occasion["type"] == "holiday"
        if whole:
            start = datetime.combine(today() + timedelta(days=day), datetime.min.time(), UTC)
            end = start + timedelta(days=1)
        organizer = HOSTS[number % 4]
        yield row(
            m.Event,
            title=occasion["title"],
            type=occasion["type"],
            location=occasion["location"],
            color=COLORS[occasion["type"]],
            start=start,
            end=end,
            all_day=whole,
            organizer=organizer,
            **made_at(at(-20 + number // 3, 10, number)),
        )
        invited = [HOSTS[organizer % 4], *(6 + (3 * number + turn) % 24 for turn in (0, 5, 10))]
        if number == 16:  # the last of today
            invited += [user for user in later_accounts(rows) if user not in invited]
        for turn, user in enumerate(invited):
            status = m.EventAttendee.STATUSES[(number // 4 + turn) % 4]
            yield row(m.EventAttendee, event=number, user=user, status=status)


def tasks(rows: Written) -> Iterator[Row]:
    """Every fifth is given to nobody, unless it is open and there is a later account to give it to."""
    later = iter(later_accounts(rows))
    for number, task in enumerate(rows["tasks"], 1):
        status = m.Task.STATUSES[number % 3]
        yield row(
            m.Task,
            title=task["name"],
            status=status,
            priority=m.Task.PRIORITIES[number // 3 % 3],
            progress={"pending": 0, "in_progress": 20 + 15 * number % 75, "done": 100}[status],
            due_date=today() + timedelta(days=7 * number % 19 - 4),
            creator=HOSTS[number % 4],
            assignee=HOSTS[number // 4 % 4] if number % 5 else next(later, None) if status != "done" else None,
            **made_at(at(-21 + number, 10, number)),
        )


def notifications(rows: Written) -> list[Row]:
    """The notices to every account, and one for each of its open tasks and unread messages, the oldest first."""
    return sorted(notices(rows), key=lambda found: found[1]["created_at"])


def notices(rows: Written) -> Iterator[Row]:
    accounts = [*HOSTS, *later_accounts(rows)]
    for notice in rows["notices"]:
        made = engines.now() - timedelta(minutes=notice["ago"])
        if notice.get("today"):
            made = max(made, at(0))
        for user in accounts:
            if user in HOSTS or not notice["read"]:
                yield notification(user, notice, made)
    given: Any = m.Task.select().where(m.Task.status != "done", m.Task.assignee.in_(accounts))
    for task in given.where(m.Task.assignee != m.Task.creator).order_by(m.Task.id):
        old = task.created_at < at(-8)
        notice = {"type": "task", "title": rows["given"], "content": task.title, "link": "/tasks", "read": old}
        yield notification(task.assignee_id, notice, task.created_at, task)
    unread: Any = m.MessageMark.select(m.MessageMark.user, m.Message).join(m.Message).where(~m.MessageMark.read)
    for mark in unread.where(m.MessageMark.user.in_(accounts)).order_by(m.MessageMark.id):
        notice = {"type": "message", "title": rows["message"], "content": mark.message.content, "link": "/messages"}
        yield notification(mark.user_id, notice, mark.message.created_at, mark.message)


def notification(user: int, notice: dict[str, Any], made: datetime, target: Any = None) -> Row:
    about = {"target_type": target and target._meta.name, "target_id": target and target.id}
    read = notice.get("read", False)
    when = {"created_at": made, "read": read, "read_at": made + timedelta(minutes=3) if read else None}
    shown = {name: notice.get(name, "") for name in ("type", "title", "content", "link")}
    return row(m.Notification, user=user, **shown, **about, **when)


def activities(rows: Written) -> Iterator[Row]:
    """What the owners of rows did last, the newest some minutes ago."""
    done: list[Any] = []
    for model, number in ((m.Document, 15), (m.Event, 15), (m.Task, 20)):
        done.extend(model.select().order_by(model.id.desc()).limit(number))
    random.Random(1).shuffle(done)
    for number, target in enumerate(done, 1):
        ago = len(done) - number
        yield row(
            m.Activity,
            user=getattr(target, f"{target.OWNER}_id"),
            action=("create", "update", "update")[number % 3],
            target_type=target._meta.name,
            target_id=target.id,
            target_name=target.title,
            created_at=engines.now() - timedelta(minutes=18 + 53 * ago + 17 * (ago % 3)),
        )


def visits(rows: Written) -> Iterator[Row]:
    """The visits of ninety days: more every month, fewer at weekends, by visitors who come back."""
    chance, now = random.Random(1), engines.now()
    for day in range(-89, 1):
        midnight = at(day)
        many = 19 + (89 + day) // 18 + chance.randint(-2, 2) if midnight.weekday() < 5 else 10 + (89 + day) // 20
        for _ in range(many):
            made = midnight + timedelta(minutes=int(60 * chance.triangular(7, 22, 14)))
            visitor, pages = f"visitor{int((40 + (89 + day) / 3) * chance.random())}", 1 + int(6 * chance.random())
            if made < now:
                yield row(m.Visit, visitor=visitor, pages=pages, at=made)


def orders(rows: Written) -> Iterator[Row]:
    """The orders of two years: more and dearer every month, few at weekends, some of the newest not paid yet."""
    chance, now, due, number = random.Random(1), engines.now(), 0.0, 0
    for day in range(-730, 1):
        midnight = at(day)
        due += (1 + (730 + day) / 300) * (1 if midnight.weekday() < 5 else 0.3)
        while due >= 1:
            due -= 1
            amount = 100 * int(600 + day // 2 + 250 * chance.random()) - 1
            made, cost = midnight + timedelta(minutes=540 + int(600 * chance.random())), 0.55 + 0.2 * chance.random()
            status = "pending" if day > -4 and number % 3 == 0 else "refunded" if number % 25 == 7 else "paid"
            user = 6 + int(25 * chance.random())
            if made < now:
                number += 1
                yield row(m.Order, user=user, status=status, amount=amount, cost=int(cost * amount), created_at=made)


#: The rules of a set that is not empty, in the order of their rows.
CONTENT = (teams, folders, documents, files, conversations, events, tasks)
#: The rules that read other tables, or nothing.
FIGURES = (notifications, activities, visits, orders)


# --- The accounts, and the rows as they were -------------------------------------------------------------------------


def accounts() -> list[dict[str, Any]]:
    """The seeded accounts that the database has, each with its password as long as that is the seeded one."""
    emails = [person["email"] for person in written(set_in_use())["people"] if "email" in person]
    role = m.Role.name.alias("role"), m.Role.label.alias("role_label")
    users = m.User.select(m.User.email, m.User.name, m.User.status, m.User.password_hash, *role).join(m.Role)
    found: Any = users.where(m.User.email.in_(emails)).order_by(m.User.id).dicts()
    hashed = Setting.read("demo_password")
    return [{**user, "password": PASSWORD if user["password_hash"] == hashed else None} for user in found]


def expect(name: str) -> None:
    """Raise BadConfiguration if the database was filled with another set than `name`."""
    if seeded() and set_in_use() != name:
        raise BadConfiguration(f"--set {name}: the database holds the set {set_in_use()}; add --reset to change it")


def reset(name: str = "") -> str:
    """Put the rows of the set `name` (empty: the one in use) in place of all, in one transaction; gives its name.

    The secret and the sessions of people who are in both sets stay: a page that is logged in as one of them does not
    notice. Raises NotResettable.
    """
    try:
        with unhurried(), engines.write():
            if not seeded():
                raise NotResettable("This database was not filled with demo data")
            name = name or set_in_use()
            put_in_place(name)
    except DatabaseError:
        reason = migrate.behind()
        if reason:
            raise NotResettable(reason.replace("the", "The", 1)) from None
        raise
    return name


def put_in_place(name: str) -> None:
    """Replace all rows by those of the set, except the settings, and the sessions of people who are in both sets."""
    # Everybody who is in two sets has the same id in both.
    theirs = m.Session.user <= min(len(written(each)["people"]) for each in (set_in_use(), name))
    sessions: list[Any] = list(m.Session.select().where(theirs).order_by(m.Session.id).dicts())
    their_tokens = m.RefreshToken.select().join(m.Session).where(theirs).order_by(m.RefreshToken.id)
    tokens: list[Any] = list(their_tokens.dicts())
    for model in reversed(base.tables()):
        if model is not Setting:
            model.delete().execute()
    seed(demo=True, name=name)
    insert(m.Session, sessions)
    insert(m.RefreshToken, tokens)


def grow(model: Any, wanted: int) -> None:
    """Add users or documents until `model` has `wanted`. Databases with the same rows get the same new ones."""
    there, noun = model.select().count(), model._meta.table_name
    if there >= wanted:
        click.echo(f"There are {there:,} {noun}: nothing to add for {wanted:,}.")
        return
    # Names are numbered from the highest id, because the number of rows may be in use if some were deleted.
    first = (model.select(fn.MAX(model.id)).scalar() or 0) + 1
    numbers = range(first, first + wanted - there)
    rows, midnight, add = written(LANGUAGES[set_in_use()]), at(0), growth.ADD[model]
    with click.progressbar(length=len(numbers), label=f"{len(numbers):,} {noun}") as bar:
        for start in range(0, len(numbers), CHUNK):
            chunk = numbers[start : start + CHUNK]
            with unhurried(), engines.write():
                add(chunk, random.Random(there + start), rows, midnight)
            bar.update(len(chunk))


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


def insert_all(rows: Iterable[Row]) -> None:
    """Insert rows of one or several tables, the first one's first."""
    tables = defaultdict(list)
    for model, values in rows:
        tables[model].append(values)
    for model, listed in tables.items():
        insert(model, listed)


def insert(model: Any, rows: list[dict[str, Any]]) -> None:
    """Insert rows of the same keys, numbered from 1 unless they carry ids; new ids begin after all ever given."""
    if not issubclass(model, base.BaseModel):  # it has no ids
        return insert_rows(model, rows)
    numbered = [{"id": number, **values} for number, values in enumerate(rows, 1)]
    insert_rows(model, numbered)
    if numbered and not isinstance(engines.db.obj, SqliteDatabase):
        # A sequence knows nothing of ids that were inserted, and must not go back behind those given since.
        sequence = f"{model._meta.table_name}_id_seq"
        highest = f"SELECT setval('{sequence}', GREATEST(%s, (SELECT last_value FROM {sequence})))"  # noqa: S608
        engines.db.execute_sql(highest, (numbered[-1]["id"],))


if __name__ == "__main__":
    from seeds.__main__ import fill  # which imports this module, so not at the top

    fill()
