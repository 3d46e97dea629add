"""The fixtures themselves: what one test changes, the next one does not see."""

from datetime import UTC, datetime, timedelta

import pytest

import seed
from database import base, engines
from database.base import Setting
from models import Document, Task, User
from seeds import dates
from tests import databases
from web import clock

#: How the first test of this process found a database and an application, by the kind of database.
_first = {}
#: The id of the first task that it made.
_made = {}


def state(app):
    """All rows, what the application keeps, and settings of the connection."""
    kept = app.extensions
    assert set(kept) == {
        *("permissions", "cors", "cors_origins", "near_origins", "flask-smorest"),  # set once
        # Put back by the fixture `app`, as a new one must be.
        *("metrics", "series", "last_requests", "rules", "sleepers"),
    }
    on_sqlite = isinstance(engines.db.obj, engines.SQLite)
    question = "PRAGMA query_only" if on_sqlite else "SHOW default_transaction_read_only"
    return {
        "rows": {model.__name__: sorted(map(repr, model.select().tuples())) for model in base.tables()},
        "columns": {
            table: [column.name for column in engines.db.get_columns(table)] for table in engines.db.get_tables()
        },
        "config": {**app.config, "DATABASE_URL": None},
        "views": dict(app.view_functions),
        "kept": (len(kept["last_requests"]), kept["sleepers"]._value, kept["series"].cache_info().currsize),
        "demo": (kept["rules"].listed, clock.state()["set"]),
        "metrics": [metric for metric in kept["metrics"].collect() if metric.samples],
        "connection": engines.db.execute_sql(question).fetchall(),
        "zone": dates.zone,
    }


def change_everything(app, client):
    with engines.write():
        Document.delete().where(Document.id < 5).execute()
        User.update(name="改").execute()
        Setting.keep("left", "x")
        Setting.keep("secret", "x" * 48)
        made = Task.create(title="x", creator=1).id
    with pytest.raises(ZeroDivisionError), engines.write():
        Task.create(title="x", creator=1)
        raise ZeroDivisionError  # its id is used up all the same
    client.get("/api/tasks")
    app.config.update(MAX_UPLOAD_MB=3, LEFT=True)
    app.extensions["sleepers"].acquire()
    app.extensions["rules"].add(path="/api/*", status=503)
    clock.put(datetime(2026, 3, 1, tzinfo=UTC), frozen=True)
    app.extensions["proxy_told"] = True
    app.view_functions["tasks.list_tasks"] = None
    dates.zone = UTC
    read_only = (
        "PRAGMA query_only = 1"
        if isinstance(engines.db.obj, engines.SQLite)
        else "SET default_transaction_read_only = on"
    )
    engines.db.execute_sql(read_only)
    return made


@pytest.mark.parametrize("turn", range(3))
def test_a_test_finds_everything_as_seeded_whatever_the_one_before_has_done(app, account, turn):
    found = state(app)
    made = change_everything(app, account("admin@example.com"))
    assert found == _first.setdefault(type(engines.db.obj), found)
    assert made == _made.setdefault(type(engines.db.obj), made)


@pytest.mark.parametrize(
    "change",
    ["ALTER DATABASE {} SET default_transaction_read_only = on", "ALTER TABLE tasks ADD COLUMN lasting integer", ""],
)
def test_also_a_table_is_as_it_was_and_so_are_the_settings_of_the_database(app, change):
    found = state(app)
    assert found == _first.setdefault(type(engines.db.obj), found)
    if change.startswith("ALTER TABLE") or (change and isinstance(engines.db.obj, engines.Postgres)):
        engines.db.execute_sql(change.format(engines.db.obj.database))


def test_an_application_that_is_kept_takes_no_other_routes(app):
    with pytest.raises(AssertionError, match="no longer be called"):
        app.add_url_rule("/mine", view_func=lambda: "")


@pytest.fixture
def seeded_anew(request, database_url, tmp_path):
    """A function to a URL, as `database_url` makes it, of databases that are this test's own."""
    if database_url.startswith("sqlite"):
        files = databases.SQLiteFiles(tmp_path)
        yield lambda: files.new(tmp_path / "own.db")
        return
    database = databases.PostgresDatabase(request.getfixturevalue("postgres"), "own")
    yield database.ready
    database.drop()


def test_rows_are_seeded_anew_when_the_day_has_changed(app, seeded_anew, monkeypatch):
    for days in range(2):
        day = engines.now() + timedelta(days=days)
        monkeypatch.setattr(engines, "now", lambda day=day: day)
        monkeypatch.setattr(databases, "now", lambda day=day: day.astimezone(dates.zone))
        engines.db.close_all()
        engines.connect(seeded_anew())
        assert Setting.read("seeded") == databases.today().isoformat() and seed.age_in_days() == 0


def test_a_token_of_the_application_is_good_for_a_server_on_its_database(root, serve):
    assert serve().call("GET", "/api/auth/me", None, root.tokens["access_token"])[0] == 200


def test_the_day_that_ends_at_once_is_waited_for(monkeypatch):
    zone, slept = databases.ZoneInfo(databases.TIMEZONE), []
    for second, waits in ((50, []), (58, [3])):
        late = datetime(2026, 11, 24, 23, 59, second, tzinfo=zone)
        monkeypatch.setattr(databases, "now", lambda late=late: late)
        monkeypatch.setattr(databases.time, "sleep", slept.append)
        databases.wait_for_midnight(seconds=3)
        assert slept == waits
