"""Rules for what people made: how the columns of a demo row follow from what is written down of it.

Each yields the rows of a kind, and of what belongs to them.
"""

import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import models as m
from database import engines
from database.base import Setting
from seeds.dates import at, made_at, today
from seeds.samples import content, sample
from seeds.written import Written, position
from web.mime import parts

#: The ids of the accounts that own most rows.
HOSTS = (1, 2, 3, 4)
COLORS = {"meeting": "#409eff", "task": "#67c23a", "reminder": "#e6a23c", "holiday": "#f56c6c"}
#: The hours at which events of a day begin.
HOURS = (9, 10, 11, 13, 14, 15, 16, 17)

#: A row that is to be inserted: its model and its values.
Row = tuple[Any, dict[str, Any]]


def row(model: Any, **values: Any) -> Row:
    """A row of `model`. The rows of a table have the ids 1, 2, 3 in the order in which they are yielded."""
    return model, values


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


#: The rules of a set that is not empty, in the order of their rows.
CONTENT = (teams, folders, documents, files, conversations, events, tasks)
