"""Rules for what happened to the demo rows, and for the figures of the dashboard; each yields the rows of a kind."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import models as m
from database import engines
from seeds.dates import at
from seeds.rules import HOSTS, Row, later_accounts, row
from seeds.written import Written


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


#: The rules of this module, in the order of their rows.
FIGURES = (notifications, activities, visits, orders)
