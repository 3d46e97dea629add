"""The fixtures themselves: what one test changes, the next one does not see."""

from datetime import UTC, datetime, timedelta

import pytest

import models
import seed
from models import Document, Setting, Task, User
from tests import databases

#: How the first test of this process found a database and an application, by the kind of database.
_first = {}


def state(app):
    """All rows, what the application keeps, and settings of the connection."""
    kept = app.extensions
    assert set(kept) == {
        *("permissions", "cors", "cors_origins", "near_origins", "flask-smorest"),  # set once
        *("metrics", "series", "last_requests", "sleepers"),  # put back by the fixture `app`, as a new one must be
    }
    on_sqlite = isinstance(models.db.obj, models.SQLite)
    question = "PRAGMA query_only" if on_sqlite else "SHOW default_transaction_read_only"
    return {
        "rows": {model.__name__: sorted(map(repr, model.select().tuples())) for model in models.TABLES},
        "columns": {
            table: [column.name for column in models.db.get_columns(table)] for table in models.db.get_tables()
        },
        "config": {**app.config, "DATABASE_URL": None},
        "views": dict(app.view_functions),
        "kept": (len(kept["last_requests"]), kept["sleepers"]._value, kept["series"].cache_info().currsize),
        "metrics": [metric for metric in kept["metrics"].collect() if metric.samples],
        "connection": models.db.execute_sql(question).fetchall(),
        "zone": seed.zone,
    }


def change_everything(app, client):
    with models.write():
        Document.delete().where(Document.id < 5).execute()
        User.update(name="改").execute()
        Setting.keep("left", "x")
        Setting.keep("secret", "x" * 48)
        made = Task.create(title="x", creator=1).id
    with pytest.raises(ZeroDivisionError), models.write():
        Task.create(title="x", creator=1)
        raise ZeroDivisionError  # its id is used up all the same
    client.get("/api/tasks")
    app.config.update(MAX_UPLOAD_MB=3, LEFT=True)
    app.extensions["sleepers"].acquire()
    app.extensions["proxy_told"] = True
    app.view_functions["tasks.list_tasks"] = None
    seed.zone = UTC
    read_only = (
        "PRAGMA query_only = 1"
        if isinstance(models.db.obj, models.SQLite)
        else "SET default_transaction_read_only = on"
    )
    models.db.execute_sql(read_only)
    return made


@pytest.mark.parametrize("turn", range(3))
def test_a_test_finds_everything_as_seeded_whatever_the_one_before_has_done(app, account, turn):
    found = state(app)
    made = change_everything(app, account("admin@example.com"))
    assert (found, made) == _first.setdefault(models.db.obj.__class__, (found, made))


@pytest.mark.parametrize("turn", range(2))
def test_also_a_table_is_as_it_was_and_so_are_the_settings_of_the_database(app, turn):
    found = state(app)
    models.db.execute_sql("ALTER TABLE tasks ADD COLUMN lasting integer")
    if isinstance(models.db.obj, models.Postgres):
        models.db.execute_sql(f"ALTER DATABASE {models.db.obj.database} SET default_transaction_read_only = on")
    assert found == _first.setdefault(models.db.obj.__class__, (found, None))[0]


def test_an_application_that_is_kept_takes_no_other_routes(app):
    with pytest.raises(AssertionError, match="no longer be called"):
        app.add_url_rule("/mine", view_func=lambda: "")


def test_rows_are_seeded_anew_when_the_day_has_changed(app, database_url, request, tmp_path, monkeypatch):
    tomorrow = models.now() + timedelta(days=1)
    monkeypatch.setattr(models, "now", lambda: tomorrow)
    monkeypatch.setattr(databases, "today", lambda: tomorrow.astimezone(seed.zone).date())
    models.db.close_all()
    if database_url.startswith("sqlite"):
        url = request.getfixturevalue("sqlite_files").new(tmp_path / "tomorrow.db")
    else:
        url = request.getfixturevalue("postgres_database").ready()
    models.connect(url)
    assert Setting.read("seeded") == databases.today().isoformat() and seed.age_in_days() == 0


def test_the_day_that_ends_at_once_is_waited_for(monkeypatch):
    zone, slept = databases.ZoneInfo(databases.TIMEZONE), []
    for second, waits in ((50, []), (58, [3])):
        late = datetime(2026, 11, 24, 23, 59, second, tzinfo=zone)
        monkeypatch.setattr(databases, "now", lambda late=late: late)
        monkeypatch.setattr(databases.time, "sleep", slept.append)
        databases.wait_for_midnight(seconds=3)
        assert slept == waits
