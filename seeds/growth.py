"""Made-up users and documents, added by number to see how lists grow."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

from peewee import fn

import models as m
from database.base import Setting, insert_rows
from seeds.dates import made_at
from seeds.samples import content
from seeds.written import Written
from web.security import allows


def some_time_before(midnight: datetime, chance: random.Random) -> datetime:
    """A minute of the two years before `midnight`."""
    return midnight - timedelta(minutes=chance.randrange(2 * 365 * 24 * 60))


def add_users(numbers: range, chance: random.Random, rows: Written, midnight: datetime) -> None:
    """Colleagues with names and posts of the seeded ones; nine of ten are active, nearly all are plain users."""
    hashed, roles = Setting.read("demo_password"), {role.name: role.id for role in m.Role.select()}
    colleagues = [person for person in rows["people"] if "email" not in person]
    users = []
    for number in numbers:
        one, other = chance.choice(colleagues), chance.choice(colleagues)
        username, made = f"user{number:07}", some_time_before(midnight, chance)
        users.append(
            {
                "email": f"{username}@halolight.h7ml.cn",
                "username": username,
                "username_key": username,
                "name": mixed(one["name"], other["name"]),
                "phone": f"139{number % 10**8:08}",
                "department": one["department"],
                "position": one["position"],
                "status": chance.choices(m.User.STATUSES, (90, 7, 3))[0],
                "role": roles[chance.choices(("user", "admin", "guest"), (96, 2, 2))[0]],
                "password_hash": hashed,
                **made_at(made),
            }
        )
    insert_rows(m.User, users)


def mixed(one: str, other: str) -> str:
    """A name made of those of two people: Helen Grant and Luke Young are Helen Young, 王芳 and 李娜 are 王娜."""
    return f"{one.split()[0]} {other.split()[-1]}" if " " in one else one[0] + other[1:]


def add_documents(numbers: range, chance: random.Random, rows: Written, midnight: datetime) -> None:
    """Documents of the first thousand users who may write any; one of four is shared with up to three of them."""
    people: Any = m.User.select(m.User.id, m.User.name)
    writers = [role for role in m.Role.select() if allows(role.permissions, "documents:create")]
    able = people.where(m.User.status == "active", m.User.role.in_(writers))
    authors = list(able.order_by(m.User.id).limit(1000).tuples())
    documents, kinds = [], []
    for number in numbers:
        document = {**chance.choice(rows["documents"]), "length": 1}
        author, name = authors[int(len(authors) * chance.random() ** 2)]  # the first ones write most
        text = content(document, name, rows, number, midnight.date())
        made = some_time_before(midnight, chance)
        documents.append(
            {
                "title": f"{document['name']} {number}",
                "content": text,
                "type": document["type"],
                "size": len(text.encode()),
                "author": author,
                **made_at(made),
            }
        )
        readers = chance.sample(authors, chance.randint(1, min(3, len(authors)))) if chance.random() < 0.25 else []
        kinds.append(([rows["tags"][tag] for tag in document["tags"]], [user for user, _ in readers if user != author]))
    before = m.Document.select(fn.MAX(m.Document.id)).scalar() or 0
    insert_rows(m.Document, documents)
    # The database gave the ids: one that was deleted is not given again.
    made_now: Any = m.Document.select(m.Document.id).where(m.Document.id > before).order_by(m.Document.id).tuples()
    given = [(id, *kind) for (id,), kind in zip(made_now, kinds, strict=True)]
    insert_rows(m.DocumentTag, [{"document": id, "name": name} for id, names, _ in given for name in names])
    shares = [{"document": id, "user": user} for id, _, users in given for user in users]
    permissions = m.DocumentShare.PERMISSIONS
    insert_rows(m.DocumentShare, [{**share, "permission": permissions[n % 2]} for n, share in enumerate(shares)])


#: What adds the rows of a model with these numbers.
ADD = {m.User: add_users, m.Document: add_documents}
