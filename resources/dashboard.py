"""The dashboard: figures counted from the tables, and the caller's tasks and events.

Days and months are counted as spans between two instants in the requested time zone, because a select that compares
instants can use an index, which one that extracts dates cannot.
"""

from collections.abc import Callable
from datetime import date, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from flask import g

from database import engines, rules
from database.compiled import page, rows
from models import Activity, Document, Event, File, Order, Task, User, Visit, totals
from resources.calendar import EventSchema
from resources.tasks import TaskSchema
from web import fields
from web.api import Blueprint, Schema, current_user, paginate
from web.arguments import PageArgs, Sort
from web.texts import translate

blp = Blueprint("dashboard", __name__, url_prefix="/api/dashboard", description="Figures, tasks and events")

#: The slices of the chart of stored items: its name, its colour, and the types of files in it, or `documents`. They
#: are five, because that is how many colours front ends have for it.
SLICES = (
    ("Documents", "#409eff", ("documents",)),
    ("Images", "#67c23a", ("image",)),
    ("Audio and video", "#e6a23c", ("audio", "video")),
    ("Office files", "#9b59b6", ("document",)),
    ("Archives and other files", "#909399", ("archive", "other")),
)
GROWTH = "this month compared with the same days of last month, in percent"


class Yuan(fields.Float):
    """An amount of money: stored in fen, shown in yuan."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> float:
        return round(value / 100, 2)


def percentage(text: str) -> fields.Float:
    return fields.Float(metadata={"description": text})


class StatsSchema(Schema):
    total_users = fields.Integer()
    active_users = fields.Integer()
    total_documents = fields.Integer()
    total_files = fields.Integer()
    total_revenue = Yuan(metadata={"description": "of all paid orders, in yuan"})
    total_orders = fields.Integer()
    conversion_rate = percentage("orders per visit this month, in percent")
    pending_tasks = fields.Integer(metadata={"description": "yours, not done yet"})
    unread_messages = fields.Integer(metadata={"description": "yours"})
    user_growth = percentage(GROWTH)
    revenue_growth = percentage(GROWTH)
    order_growth = percentage(GROWTH)
    rate_growth = percentage(f"of `conversionRate`: {GROWTH}")


class VisitsSchema(Schema):
    date = fields.PlainDate()
    visits = fields.Integer()
    unique_visitors = fields.Integer()
    page_views = fields.Integer()


class SalesSchema(Schema):
    month = fields.String(metadata={"example": "2026-11"})
    sales = Yuan(metadata={"description": "of all orders, whatever their status, in yuan"})
    revenue = Yuan(metadata={"description": "of paid orders, in yuan"})
    profit = Yuan(metadata={"description": "revenue less the cost of these orders, in yuan"})
    orders = fields.Integer()


class SliceSchema(Schema):
    name = fields.String()
    value = fields.Integer()
    color = fields.String()


class ActivityTargetSchema(Schema):
    type = fields.String()
    id = fields.Integer(allow_none=True)
    name = fields.String()


class ActivitySchema(Schema):
    id = fields.Integer()
    user = fields.Person(allow_none=True)
    user_id = fields.Integer(allow_none=True)
    action = fields.String(metadata={"example": "update"})
    target = fields.Prefixed(ActivityTargetSchema, "target")
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
    date = fields.PlainDate(metadata={"description": "today by default"})


def today(zone: ZoneInfo) -> date:
    return engines.now().astimezone(zone).date()


def month_before(day: date, number: int) -> date:
    """The first day of the month `number` months before that of `day`."""
    year, month = divmod(day.year * 12 + day.month - 1 - number, 12)
    return date(year, month + 1, 1)


def counted(selector: Callable[..., Any], spans: list[tuple[date, date]], zone: ZoneInfo) -> list[Any]:
    """One row of `selector` for each span of days; the second day of a span is exclusive."""
    edges = [fields.midnight(day, zone) for span in spans for day in span]
    return rows(selector, **{f"edge{index}": edge for index, edge in enumerate(edges)})


def percent(part: float, whole: float) -> float:
    return round(100 * part / whole, 1) if whole else 0


def growth(before: float, now: float) -> float:
    return percent(now - before, before)


def own_tasks(*statuses: str) -> list[Any]:
    """The first ten of the caller's tasks with one of these statuses, by due date."""
    args = {"status": list(statuses), "sort": ("dueDate", "-priority"), "page": 1, "page_size": 10}
    return page(Task.visible_to, args, current_user.id, False)[0]


@blp.route("/stats")
@blp.require("dashboard:view")
@blp.arguments(ZoneArgs(), location="query")
@blp.response(200, StatsSchema())
def get_stats(args):
    """Get totals, and how this month compares with the same days of last month"""
    day = today(args["tz"])
    this, last = day.replace(day=1), month_before(day, 1)
    spans = [(last, min(last + timedelta(days=day.day), this)), (this, day + timedelta(days=1))]
    joined, orders, visits = (counted(model.per_span, spans, args["tz"]) for model in (User, Order, Visit))
    rates = [percent(order.orders, visit.visits) for order, visit in zip(orders, visits, strict=True)]
    return {
        **rows(totals, user=current_user.id)[0]._asdict(),
        "conversion_rate": rates[1],
        "user_growth": growth(*(span.users for span in joined)),
        "revenue_growth": growth(*(span.revenue for span in orders)),
        "order_growth": growth(*(span.orders for span in orders)),
        "rate_growth": growth(*rates),
    }


@blp.route("/visits")
@blp.require("dashboard:view")
@blp.arguments(VisitsArgs(), location="query")
@blp.response(200, VisitsSchema(many=True, paged=False))
def get_visits(args):
    """Get the visits of each of the last days, today included"""
    first = today(args["tz"]) - timedelta(days=args["days"] - 1)
    days = [first + timedelta(days=number) for number in range(args["days"] + 1)]
    spans = counted(Visit.per_span, list(pairwise(days)), args["tz"])
    return [{"date": day, **span._asdict()} for day, span in zip(days, spans, strict=False)]


@blp.route("/sales")
@blp.require("dashboard:view")
@blp.arguments(SalesArgs(), location="query")
@blp.response(200, SalesSchema(many=True, paged=False))
def get_sales(args):
    """Get sales, revenue and profit of each of the last months, this month included"""
    zone = fields.timezone()
    months = [month_before(today(zone), number) for number in range(args["months"] - 1, -2, -1)]
    spans = counted(Order.per_span, list(pairwise(months)), zone)
    return [{"month": f"{month:%Y-%m}", **span._asdict()} for month, span in zip(months, spans, strict=False)]


@blp.route("/pie")
@blp.require("dashboard:view")
@blp.response(200, SliceSchema(many=True, paged=False))
def get_pie():
    """Count the stored documents, and the files by their types"""
    stored = {row.type: row.number for row in rows(File.per_type)}
    stored["documents"] = Document.select(rules.ROWS).scalar()
    return [
        {"name": translate(name, g.language), "value": sum(stored.get(kind, 0) for kind in kinds), "color": color}
        for name, color, kinds in SLICES
    ]


@blp.route("/tasks")
@blp.require("dashboard:view")
@blp.response(200, TaskSchema(many=True, paged=False))
def list_due_tasks():
    """List ten of your tasks: open ones first, by due date"""
    return (own_tasks("pending", "in_progress") + own_tasks("done"))[:10]


@blp.route("/calendar")
@blp.require("dashboard:view")
@blp.arguments(DayArgs(), location="query")
@blp.response(200, EventSchema(many=True, paged=False))
def list_todays_events(args):
    """List your events today or on `date`: all-day events first, then by time"""
    day, zone = args.get("date") or today(args["tz"]), args["tz"]
    start, end = (Event.edge(fields.midnight(each, zone), zone) for each in (day, day + timedelta(days=1)))
    window = {"start": start, "end": end, "page": 1, "page_size": 1000}
    found, _ = page(Event.listed, window, current_user.id, False)
    return sorted(found, key=lambda event: (not event.all_day, event.start))


@blp.route("/activities")
@blp.require("dashboard:view")
@blp.arguments(ActivityArgs(), location="query")
@blp.response(200, ActivitySchema(many=True))
def list_activities(args):
    """List your activities, or with `users:view` everyone's, newest first"""
    return paginate(Activity.everybodys if current_user.allows("users:view") else Activity.mine, args)
