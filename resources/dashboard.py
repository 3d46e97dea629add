"""The dashboard: figures counted from rows, and what awaits the caller today.

Days and months are spans between two instants, made here for the zone asked for: a select compares instants,
so the indexes serve, and never asks the database for a date.
"""

from collections.abc import Callable
from datetime import date, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from flask import g

import models
from database import engines, rules
from database.compiled import page, rows
from models import Activity, Document, Event, File, Order, Task, User, Visit
from resources.calendar import EventSchema
from resources.tasks import TaskSchema
from web import fields
from web.api import Blueprint, Schema, current_user, paginate
from web.arguments import PageArgs, Sort
from web.fields import midnight, timezone
from web.texts import translate

blp = Blueprint("dashboard", __name__, url_prefix="/api/dashboard", description="Figures, and what is due today")

#: What the chart of stored things shows: documents, or a type of file, its name, its colour.
SLICES = (
    ("documents", "Documents", "#409eff"),
    ("image", "Images", "#67c23a"),
    ("video", "Videos", "#e6a23c"),
    ("audio", "Audio", "#f56c6c"),
    ("document", "Office files", "#9b59b6"),
    ("archive", "Archives", "#13c2c2"),
    ("other", "Other files", "#909399"),
)
GROWTH = "this month against the same days of the last, in percent"


def number(text: str) -> fields.Float:
    return fields.Float(dump_only=True, metadata={"description": text})


class StatsSchema(Schema):
    total_users = fields.Integer()
    active_users = fields.Integer()
    total_documents = fields.Integer()
    total_files = fields.Integer()
    total_revenue = number("what was paid so far, in yuan")
    total_orders = fields.Integer()
    conversion_rate = number("orders by visits of this month, in percent")
    pending_tasks = fields.Integer(metadata={"description": "the caller's, not done yet"})
    unread_messages = fields.Integer(metadata={"description": "the caller's"})
    user_growth = number(GROWTH)
    revenue_growth = number(GROWTH)
    order_growth = number(GROWTH)
    rate_growth = number(f"of `conversionRate`: {GROWTH}")


class VisitsSchema(Schema):
    paged = False

    date = fields.PlainDate()
    visits = fields.Integer()
    unique_visitors = fields.Integer()
    page_views = fields.Integer()


class SalesSchema(Schema):
    paged = False

    month = fields.String(metadata={"example": "2026-11"})
    sales = number("of all orders, whatever became of them, in yuan")
    revenue = number("what was paid")
    profit = number("what was paid, less its cost")
    orders = fields.Integer()


class SliceSchema(Schema):
    paged = False

    name = fields.String()
    value = fields.Integer()
    color = fields.String()


class DueTaskSchema(TaskSchema):
    paged = False


class TodaysEventSchema(EventSchema):
    paged = False


class ActivityTargetSchema(Schema):
    type = fields.String()
    id = fields.Integer(allow_none=True)
    name = fields.String()


class Target(fields.Nested):
    """What was acted on, from the columns `target_type`, `target_id` and `target_name` of a row."""

    def serialize(self, attr: str, obj: Any, accessor: Any = None, **kwargs: Any) -> dict[str, Any]:
        return {"type": obj.target_type, "id": obj.target_id, "name": obj.target_name}


class ActivitySchema(Schema):
    id = fields.Integer()
    user = fields.Person(allow_none=True)
    user_id = fields.Integer(allow_none=True)
    action = fields.String(metadata={"example": "update"})
    target = Target(ActivityTargetSchema)
    created_at = fields.Instant()


class ActivityArgs(PageArgs):
    sort = Sort(Activity)


class ZoneArgs(Schema):
    tz = fields.Zone()


class VisitsArgs(ZoneArgs):
    days = fields.Count(1, 90, load_default=7)


class SalesArgs(Schema):
    months = fields.Count(1, 24, load_default=6)


class DayArgs(ZoneArgs):
    date = fields.PlainDate(metadata={"description": "by default today"})


def today(zone: ZoneInfo) -> date:
    return engines.now().astimezone(zone).date()


def month_before(day: date, number: int) -> date:
    """The first day of the month `number` months before that of `day`."""
    year, month = divmod(day.year * 12 + day.month - 1 - number, 12)
    return date(year, month + 1, 1)


def counted(selector: Callable[..., Any], spans: list[tuple[date, date]], zone: ZoneInfo) -> list[Any]:
    """One row of `selector` for each span from one day to another, which is not part of it."""
    edges = [midnight(day, zone) for span in spans for day in span]
    return rows(selector, **{f"edge{index}": edge for index, edge in enumerate(edges)})


def yuan(fen: int) -> float:
    return round(fen / 100, 2)


def percent(part: float, whole: float) -> float:
    return round(100 * part / whole, 1) if whole else 0


def growth(before: float, now: float) -> float:
    return percent(now - before, before)


@blp.route("/stats")
@blp.require("dashboard:view")
@blp.arguments(ZoneArgs(), location="query")
@blp.response(200, StatsSchema())
def get_stats(args):
    """The figures at the top: what there is, and how this month does against the same days of the last"""
    day = today(args["tz"])
    this, last = day.replace(day=1), month_before(day, 1)
    spans = [(last, min(last + timedelta(days=day.day), this)), (this, day + timedelta(days=1))]
    joined, orders, visits = (counted(model.per_span, spans, args["tz"]) for model in (User, Order, Visit))
    rates = [percent(order.orders, visit.visits) for order, visit in zip(orders, visits, strict=True)]
    figures = rows(models.totals, user=current_user.id)[0]._asdict()
    return {
        **figures,
        "total_revenue": yuan(figures["total_revenue"]),
        "conversion_rate": rates[1],
        "user_growth": growth(*(span.users for span in joined)),
        "revenue_growth": growth(*(span.revenue for span in orders)),
        "order_growth": growth(*(span.orders for span in orders)),
        "rate_growth": growth(*rates),
    }


@blp.route("/visits")
@blp.require("dashboard:view")
@blp.arguments(VisitsArgs(), location="query")
@blp.response(200, VisitsSchema(many=True))
def get_visits(args):
    """Visits of each of the last days, today included"""
    first = today(args["tz"]) - timedelta(days=args["days"] - 1)
    days = [first + timedelta(days=number) for number in range(args["days"] + 1)]
    spans = counted(Visit.per_span, list(pairwise(days)), args["tz"])
    return [{"date": day, **span._asdict()} for day, span in zip(days, spans, strict=False)]


@blp.route("/sales")
@blp.require("dashboard:view")
@blp.arguments(SalesArgs(), location="query")
@blp.response(200, SalesSchema(many=True))
def get_sales(args):
    """Sales, revenue and profit of each of the last months, this one included"""
    months = [month_before(today(timezone()), number) for number in range(args["months"] - 1, -2, -1)]
    spans = counted(Order.per_span, list(pairwise(months)), timezone())
    return [
        {
            "month": f"{month:%Y-%m}",
            "sales": yuan(span.sales),
            "revenue": yuan(span.revenue),
            "profit": yuan(span.profit),
            "orders": span.orders,
        }
        for month, span in zip(months, spans, strict=False)
    ]


@blp.route("/pie")
@blp.require("dashboard:view")
@blp.response(200, SliceSchema(many=True))
def get_pie():
    """How many documents, and files of each type, are stored"""
    stored = {row.type: row.number for row in rows(File.per_type)}
    stored["documents"] = Document.select(rules.ROWS).scalar()
    return [
        {"name": translate(name, g.language), "value": stored.get(kind, 0), "color": color}
        for kind, name, color in SLICES
    ]


@blp.route("/tasks")
@blp.require("dashboard:view")
@blp.response(200, DueTaskSchema(many=True))
def list_due_tasks():
    """Ten of your tasks: open ones first, the next due at the top"""
    return (own_tasks("pending", "in_progress") + own_tasks("done"))[:10]


def own_tasks(*statuses: str) -> list[Any]:
    """The ten of the caller's tasks with one of these statuses that are due next."""
    args = {"status": list(statuses), "sort": ("dueDate", "-priority"), "page": 1, "page_size": 10}
    return page(Task.visible_to, args, current_user.id, False)[0]


@blp.route("/calendar")
@blp.require("dashboard:view")
@blp.arguments(DayArgs(), location="query")
@blp.response(200, TodaysEventSchema(many=True))
def list_todays_events(args):
    """Your events of today, or of `date`: those of all day first, then by the hour"""
    day, zone = args.get("date") or today(args["tz"]), args["tz"]
    window = {
        "start": Event.edge(midnight(day, zone), zone),
        "end": Event.edge(midnight(day + timedelta(days=1), zone), zone),
    }
    found, _ = page(Event.listed, {**window, "page": 1, "page_size": 1000}, current_user.id, False)
    return sorted(found, key=lambda event: (not event.all_day, event.start))


@blp.route("/activities")
@blp.require("dashboard:view")
@blp.arguments(ActivityArgs(), location="query")
@blp.response(200, ActivitySchema(many=True))
def list_activities(args):
    """Who did what to what, newest first: your own deeds, with `users:view` everybody's"""
    return paginate(Activity.everybodys if current_user.allows("users:view") else Activity.mine, args)
