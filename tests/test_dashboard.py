"""The dashboard: figures that are counted, and what awaits the caller. The server's zone is Asia/Shanghai, UTC+8."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from database import engines
from models import Activity, Event, EventAttendee, File, Order, Task, User, Visit

SHANGHAI = ZoneInfo("Asia/Shanghai")
PATHS = ("stats", "visits", "sales", "pie", "tasks", "calendar", "activities")


@pytest.fixture
def viewer(client_with):
    return client_with("dashboard:view")


@pytest.fixture
def nothing(viewer):
    """No seeded orders, visits and users' dates to reckon with: what a test writes is all that counts."""
    Order.delete().execute()
    Visit.delete().execute()
    User.update(created_at=at(date(2020, 1, 1))).execute()


def get(client, path, **options):
    reply = client.get(f"/api/dashboard/{path}", **options)
    assert reply.status_code == 200, reply.json
    return reply.json["data"]


def today(zone=SHANGHAI):
    return engines.now().astimezone(zone).date()


def at(day, hour=0, zone=SHANGHAI):
    return datetime.combine(day, time(hour), zone)


def order(day, amount=100_00, cost=60_00, status="paid"):
    Order.create(amount=amount, cost=cost, status=status, created_at=at(day))


@pytest.mark.parametrize("path", PATHS)
def test_the_dashboard_is_the_same_on_two_reads_and_needs_its_permission(account, client_with, path):
    guest = account("guest@halolight.h7ml.cn")
    assert get(guest, path) == get(guest, path)
    assert client_with("users:*").get(f"/api/dashboard/{path}").status_code == 403


def test_the_totals_are_those_of_the_lists(root):
    stats = get(root, "stats")
    for path, name in (("users", "totalUsers"), ("documents", "totalDocuments"), ("files", "totalFiles")):
        assert stats[name] == root.get(f"/api/{path}").json["data"]["total"]
    assert stats["activeUsers"] == root.get("/api/users?status=active").json["data"]["total"]
    assert stats["totalOrders"] == Order.select().count()


def test_tasks_and_messages_are_the_callers_own(root, demo, viewer):
    assert get(viewer, "stats")["pendingTasks"] == get(viewer, "stats")["unreadMessages"] == 0
    open_tasks = demo.get("/api/tasks?status=pending,in_progress").json["data"]["total"]
    assert get(demo, "stats")["pendingTasks"] == open_tasks > 0
    conversations = demo.get("/api/conversations").json["data"]["items"]
    assert get(demo, "stats")["unreadMessages"] == sum(each["unreadCount"] for each in conversations)
    assert get(root, "stats")["pendingTasks"] < Task.select().count()


def test_only_what_was_paid_is_revenue(nothing, viewer):
    order(today(), 100_01, 60_00)
    order(today(), 30_00, 10_00, "pending")
    order(today(), 20_50, 10_00, "refunded")
    stats, month = get(viewer, "stats"), get(viewer, "sales")[-1]
    assert (stats["totalRevenue"], stats["totalOrders"]) == (100.01, 3)
    assert month == {"month": f"{today():%Y-%m}", "sales": 150.51, "revenue": 100.01, "profit": 40.01, "orders": 3}


def test_growth_holds_this_month_against_the_same_days_of_the_last(nothing, viewer):
    first = today().replace(day=1)
    last = (first - timedelta(days=1)).replace(day=1)
    later = last + timedelta(days=today().day)  # not reached this month; the last month may not have it
    for day in (last, last - timedelta(days=1), *([later] if later < first else [])):
        order(day, 100_00)
    for _ in range(3):
        order(first, 50_00)
        Visit.create(visitor="a", at=at(first))
        Visit.create(visitor="a", at=at(last))
    stats = get(viewer, "stats")
    assert (stats["orderGrowth"], stats["revenueGrowth"], stats["conversionRate"]) == (200, 50, 100)
    assert stats["rateGrowth"] == pytest.approx(200.3)  # from 33.3 %
    assert stats["userGrowth"] == 0


def test_growth_without_a_base_is_nothing(nothing, viewer):
    order(today())
    stats = get(viewer, "stats")
    assert [stats[f"{name}Growth"] for name in ("user", "order", "revenue", "rate")] == [0, 0, 0, 0]
    assert stats["conversionRate"] == 0


def test_every_day_has_its_visits_and_a_login_is_one(nothing, viewer, client_with):
    client_with()
    for visitor, pages in (("a", 3), ("a", 2), ("b", 4)):
        Visit.create(visitor=visitor, pages=pages, at=at(today() - timedelta(days=1), 23))
    days = get(viewer, "visits")
    assert [each["date"] for each in days] == [str(today() - timedelta(days=ago)) for ago in range(6, -1, -1)]
    assert [each["visits"] for each in days] == [0, 0, 0, 0, 0, 3, 1]
    assert (days[5]["uniqueVisitors"], days[5]["pageViews"]) == (2, 9)


def test_a_day_begins_where_the_caller_says(nothing, viewer):
    here, there = today(), today(ZoneInfo("America/New_York"))
    Visit.create(visitor="a", at=at(here))  # midnight in Shanghai is the day before in New York
    assert [(day["date"], day["visits"]) for day in get(viewer, "visits?days=1")] == [(str(here), 1)]
    days = get(viewer, "visits?days=2&tz=America/New_York")
    assert [day["date"] for day in days] == [str(there - timedelta(days=1)), str(there)]
    assert {day["date"]: day["visits"] for day in days}[str(here - timedelta(days=1))] == 1


def test_every_month_is_there(nothing, viewer):
    months = get(viewer, "sales?months=24")
    assert len({each["month"] for each in months}) == 24 and months[-1]["month"] == f"{today():%Y-%m}"
    assert [each["month"] for each in months] == sorted(each["month"] for each in months)
    assert {each["sales"] for each in months} == {0}
    assert len(get(viewer, "sales")) == 6


def test_the_chart_of_what_is_stored_speaks_the_language_of_who_asks(root):
    slices = get(root, "pie", headers={"Accept-Language": "en"})
    stats = get(root, "stats")
    values = {each["name"]: each["value"] for each in slices}
    assert values.pop("Documents") == stats["totalDocuments"] and sum(values.values()) == stats["totalFiles"]
    assert values["Images"] == File.select().where(File.type == "image").count()
    assert (
        get(root, "pie")[0]["name"] == "文档"
        and len(slices) <= 5
        and len({each["color"] for each in slices}) == len(slices)
    )


def test_open_tasks_come_first_the_next_due_at_the_top(viewer):
    for number in range(12):
        status, due = ("done", "pending")[number % 2], date(2026, 12, 20 - number)
        Task.create(title=f"{number}", status=status, due_date=due if number > 1 else None, creator=viewer.id)
    tasks = get(viewer, "tasks")
    assert [task["title"] for task in tasks] == ["11", "9", "7", "5", "3", "1", "10", "8", "6", "4"]
    assert set(tasks[0]) >= {"status", "priority", "dueDate", "assignee"}


def test_todays_events_are_in_the_order_of_the_day(viewer, root):
    day = date(2027, 3, 1)
    for title, start, end in (("晚", at(day, 21), at(day, 22)), ("早", at(day, 9), at(day, 10))):
        Event.create(title=title, start=start, end=end, organizer=viewer.id)
    whole = {"start": at(day, zone=UTC), "end": at(day + timedelta(days=1), zone=UTC), "all_day": True}
    invited = Event.create(title="全天", organizer=root.id, **whole)
    EventAttendee.create(event=invited, user=viewer.id)
    assert [event["title"] for event in get(viewer, f"calendar?date={day}")] == ["全天", "早", "晚"]
    assert get(viewer, "calendar") == []


def test_an_event_of_the_evening_is_on_another_day_elsewhere(viewer):
    Event.create(title="早", start=at(date(2026, 11, 24), 9), end=at(date(2026, 11, 24), 10), organizer=viewer.id)
    assert len(get(viewer, "calendar?date=2026-11-24")) == 1
    assert get(viewer, "calendar?date=2026-11-24&tz=America/New_York") == []
    assert len(get(viewer, "calendar?date=2026-11-23&tz=America/New_York")) == 1


@pytest.mark.parametrize(
    "email",
    [
        "admin@example.com",
        "admin@halolight.h7ml.cn",
        "manager@halolight.h7ml.cn",
        "demo@halolight.h7ml.cn",
        "auditor@halolight.h7ml.cn",
    ],
)
def test_every_account_but_the_guest_has_something_to_do_today(account, email):
    client = account(email)
    assert get(client, "calendar") and get(client, "tasks")[0]["status"] != "done"


def test_the_seeded_rows_show_a_lively_month(root):
    assert Task.select().count() == 20 and Activity.select().count() == 50
    assert {(task.status, task.priority) for task in Task.select()} == {
        (status, priority) for status in Task.STATUSES for priority in Task.PRIORITIES
    }
    visits = get(root, "visits?days=90")
    assert all(10 <= day["visits"] <= 30 and day["uniqueVisitors"] <= day["visits"] for day in visits[:-1])
    assert sum(day["uniqueVisitors"] for day in visits) < sum(day["visits"] for day in visits)
    assert all(month["profit"] > 0 for month in get(root, "sales?months=24"))


def test_ones_own_deeds_are_shown_and_everybodys_to_who_may_view_users(client_with):
    one, other = client_with("dashboard:view", "tasks:*"), client_with("dashboard:view", "users:view")
    task = one.post("/api/tasks", {"title": "写周报"}).json["data"]
    mine = get(one, "activities")
    assert mine["total"] == 1 and mine["items"][0]["user"]["id"] == mine["items"][0]["userId"] == one.id
    assert mine["items"][0]["action"] == "create"
    assert mine["items"][0]["target"] == {"type": "task", "id": task["id"], "name": "写周报"}
    assert get(other, "activities")["total"] == 51 and get(other, "activities")["items"][0] == mine["items"][0]


def test_a_deed_outlives_its_doer(root, client_with):
    gone = client_with("tasks:*")
    gone.post("/api/tasks", {"title": "写周报"})
    User.get_by_id(gone.id).delete_instance()
    deed = get(root, "activities")["items"][0]
    assert deed["user"] is None and deed["userId"] is None and deed["target"]["name"] == "写周报"


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("stats?tz=Mars", ("tz", "invalid_zone")),
        ("visits?tz=a%00b", ("tz", "invalid_zone")),
        ("visits?days=0", ("days", "out_of_range")),
        ("visits?days=91", ("days", "out_of_range")),
        ("sales?months=25", ("months", "out_of_range")),
        ("sales?months=x", ("months", "type")),
        ("calendar?date=yesterday", ("date", "type")),
        ("calendar?tz=Asia", ("tz", "invalid_zone")),
    ],
)
def test_bad_arguments_are_refused_by_field(viewer, query, error):
    reply = viewer.get(f"/api/dashboard/{query}")
    assert reply.status_code == 400
    assert [(each["field"], each["code"]) for each in reply.json["error"]["details"]] == [error]


@pytest.mark.parametrize("path", ["visits?days=1", "visits?days=90", "sales?months=24"])
def test_a_chart_is_one_select_whatever_its_length(viewer, monkeypatch, path):
    statements, run = [], engines.db.obj.execute_sql
    monkeypatch.setattr(engines.db.obj, "execute_sql", lambda sql, *rest: statements.append(sql) or run(sql, *rest))
    get(viewer, path)
    assert sum("spans" in sql for sql in statements) == 1 and len(statements) <= 2
