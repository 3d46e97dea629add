"""Databases of older versions, changed models, and several processes that find them at once."""

import itertools
import json
import os
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

import halolight
from database import base, engines, migrate
from database.base import Setting
from database.engines import DatabaseRefused
from models import Document, File, FilePart, Task, User
from resources import auth
from tests.servers import at_once, run
from web import upkeep

#: What databases of the schema versions 1 to 3 were: their tables and few rows, as SQL; and the replies of version 1.
SCHEMAS = Path(__file__).parent / "schemas"
#: The newest file of changes.
NEWEST = max(migrate.FOLDER.glob("0*.py")).stem
REPLIES = json.loads((SCHEMAS / "replies.json").read_text("utf-8"))


def sql_of(version, kind):
    bytes_of_files = "bytes-1.sql" if version == "1" else "parts.sql"
    texts = [(SCHEMAS / name).read_text("utf-8") for name in (f"{version}-{kind}.sql", "rows.sql", bytes_of_files)]
    script = "".join(texts) + f"INSERT INTO settings (key, value) VALUES ('version', '{version}');"
    literal = "X'{}'" if kind == "sqlite" else "'\\x{}'"
    return re.sub(r"bytes\('(\w*)', (\d+)\)", lambda found: literal.format(found[1] * int(found[2])), script)


@pytest.fixture(autouse=True)
def closed_afterwards():
    yield
    if engines.db.obj is not None:
        engines.db.close_all()


@pytest.fixture
def old_database(request, database_url, tmp_path):
    """A function from a schema version to the URL of a new database of that version, of the kind of `database_url`."""
    made, numbers = [], itertools.count()

    def make(version):
        name = f"old{next(numbers) or ''}"
        kind = database_url.partition(":")[0].replace("postgresql", "postgres")
        script = sql_of(version, kind)
        if kind == "sqlite":
            with closing(sqlite3.connect(tmp_path / f"{name}.db")) as connection:
                connection.executescript(f"PRAGMA journal_mode=wal; BEGIN; {script} COMMIT")
            return f"sqlite:///{tmp_path / name}.db"
        postgres = request.getfixturevalue("postgres")
        made.append((postgres("postgres"), f"{name}_{os.getpid()}"))
        command(*made[-1], "CREATE DATABASE {}")
        with psycopg.connect(postgres(made[-1][1])) as connection:
            connection.execute(script)
            serials = "SELECT relname FROM pg_class WHERE relkind = 'S'"
            for (name,) in connection.execute(serials).fetchall():
                highest = f'SELECT max(id) FROM "{name.removesuffix("_id_seq")}"'
                connection.execute(f"SELECT setval('{name}', greatest(({highest}), {99 * ('tasks' in name) or 1}))")
        return postgres(made[-1][1])

    yield make
    if engines.db.obj is not None:
        engines.db.close_all()
    for database in made:
        command(*database, "DROP DATABASE {} WITH (FORCE)")


@pytest.fixture
def fresh_shape(request, old_database, database_url):
    """The shape of a database that this version made."""
    opened(database_url)
    return shape()


def command(server, name, text):
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(text.format(name))


def shape():
    """Tables, columns with their types, indexes and foreign keys of the database that is open."""
    db = engines.db
    return {
        table: (
            sorted(column._replace(default=None) for column in db.get_columns(table)),
            sorted(
                (index.name, index.columns, index.unique, "WHERE" in (index.sql or ""))
                for index in db.get_indexes(table)
            ),
            sorted(db.get_foreign_keys(table)),
        )
        for table in db.get_tables()
    }


def rows():
    """The rows of every table of the models that is there, but for settings."""
    found = {}
    tables = {model._meta.table_name for model in base.tables()} & {*engines.db.get_tables()}
    for table in sorted(tables - {"settings", "file_parts"}):
        cursor = engines.db.execute_sql(f'SELECT * FROM "{table}" ORDER BY id')
        names = [column[0] for column in cursor.description]
        found[table] = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return found


def contains(found, expected):
    """Whether a reply says all that is expected; versions since then say more."""
    if isinstance(expected, dict):
        return expected.keys() <= found.keys() and all(contains(found[key], expected[key]) for key in expected)
    if isinstance(expected, list):
        return len(found) == len(expected) and all(map(contains, found, expected))
    return found == expected


def opened(url):
    if engines.db.obj is not None:
        engines.db.close_all()
    engines.connect(url)


def different_replies(url):
    """Those of REPLIES to which an application on the database answers something else."""
    engines.db.close_all()
    app = halolight.create_app(DATABASE_URL=url, TIMEZONE="Asia/Shanghai")
    headers = {}
    for name, email in (("admin", "admin@example.com"), ("demo", "demo@halolight.h7ml.cn")):
        with app.test_request_context(), engines.write():
            tokens = auth.open_session(User.get(User.email == email))
        headers[name] = {"Authorization": f"Bearer {tokens['access_token']}"}
    for request, expected in REPLIES.items():
        name, path = request.split()
        reply = app.test_client().get(path, headers=headers[name])
        if not contains(reply.json["data"], expected):
            yield request, reply.json


@pytest.mark.parametrize("version", ["1", "2", "3"])
def test_an_old_database_becomes_what_a_fresh_one_is_and_keeps_its_rows(version, old_database, fresh_shape):
    url = old_database(version)
    opened(url)
    before = rows()
    assert all(before.values()), "a table without rows proves nothing"
    assert [line.partition(";")[0] for line in migrate.migrate()] == [f"migrated the database to {NEWEST}"]
    assert shape() == fresh_shape
    after = rows()
    assert {
        table: [{**new, **old} for new, old in zip(after[table], before[table], strict=True)] for table in before
    } == {table: after[table] for table in before}
    large = FilePart.select(FilePart.number, FilePart.data).join(File).where(File.name == "large.txt")
    assert sorted((number, len(data)) for number, data in large.tuples()) == [(0, 256 * 1024), (1, 38848)]
    assert list(upkeep.find_damage()) == [] and Setting.read("version") is None
    assert Task.create(title="x", creator=1).delete_instance() and Task.create(title="x", creator=1).id == 101
    Task.delete().where(Task.id == 101).execute()
    assert list(different_replies(url)) == []
    assert migrate.migrate() == ["the database is up to date"]


#: Code that a developer would write into models.py: a table, and a column of one that others refer to with CASCADE.
CHANGED = """
from peewee import CharField, TextField
import models
from database import base, fields, migrate

migrate.FOLDER = {folder!r}

class Gadget(base.Timestamped):
    RESOURCE = "gadgets"
    SORTS = ("name",)
    name = CharField(unique=True)
    notes = TextField(default="")
    owner = fields.owned(models.User, "gadgets")

models.User._meta.add_field("color", CharField(default="red"))
"""


def test_the_file_for_a_changed_model_is_written_and_the_next_time_applied(database_url, tmp_path):
    shutil.copytree(migrate.FOLDER, tmp_path / "migrations")
    changed = CHANGED.format(folder=str(tmp_path / "migrations"))
    opened(database_url)
    people, documents = User.select().count(), Document.select().count()
    gone = User.register(email="gone@example.com", role=1)
    gone.delete_instance()
    engines.db.close_all()
    code, output, _ = run("--migrate", first=changed, DATABASE_URL=database_url)
    written = tmp_path / "migrations" / f"{int(NEWEST[:4]) + 1:04}_create_table_gadgets.py"
    assert (code, output) == (0, f"the models are ahead: wrote {written}; read it, then run this again\n")
    assert "add_column('users', 'color', CharField(default='red'))" in written.read_text("utf-8")
    code, output, errors = run("--migrate", first=changed, DATABASE_URL=database_url)
    assert code == 0 and re.match(f"migrated the database to {written.stem}[^\n]*\n$", output), (output, errors)
    opened(database_url)
    assert engines.db.execute_sql("SELECT DISTINCT color FROM users").fetchall() == [("red",)]
    assert (User.select().count(), Document.select().count()) == (people, documents)
    assert not isinstance(engines.db.obj, engines.SQLite) or migrate.given_ids()["users"] == gone.id
    assert {"gadgets_name", "gadgets_owner_id"} <= {index.name for index in engines.db.get_indexes("gadgets")}


def test_a_start_in_development_migrates_a_file_after_a_copy_and_says_so(old_database, tmp_path, caplog):
    url = old_database("1")
    if url.startswith("postgresql"):
        with pytest.raises(DatabaseRefused, match="; run: python halolight.py --migrate$"):
            halolight.create_app(DATABASE_URL=url)
        return
    halolight.create_app(DATABASE_URL=url)
    copy = tmp_path / "old.db.before-0001"
    told = f"migrated the database to {NEWEST}; as it was before: {copy}"
    assert [record.getMessage() for record in caplog.records] == [told]
    assert copy.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(copy)) as before:
        assert before.execute("SELECT value FROM settings WHERE key = 'version'").fetchone() == ("1",)
        assert before.execute("SELECT count(*) FROM file_bytes").fetchone() == (6,)


def test_production_changes_no_table_by_itself(old_database):
    url = old_database("3")
    with pytest.raises(DatabaseRefused, match="; run: python halolight.py --migrate$"):
        halolight.create_app(DATABASE_URL=url, NODE_ENV="production", JWT_SECRET="x" * 32)
    assert Setting.read("version") == "3"


@pytest.mark.thorough
def test_of_two_processes_one_migrates_and_the_other_waits(old_database, amount):
    for _ in range(amount(1, 40)):
        url = old_database("1")
        results = at_once([lambda url=url: run("--migrate", DATABASE_URL=url)] * 2)
        assert [code for code, _, _ in results] == [0, 0], results
        told = sorted(output for _, output, _ in results)
        assert told[0].startswith(f"migrated the database to {NEWEST}") and told[1] == "the database is up to date\n"


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("def up(migrator, db):\n    db.execute_sql('DELETE FROM tasks')\n    1 / 0", "division by zero"),
        ("def up(migrator, db):\n    db.execute_sql('DELETE FROM tasks')\n    db.execute_sql('nonsense')", "nonsense"),
        ("import nothing_of_this_name", "nothing_of_this_name"),
    ],
)
def test_a_migration_that_fails_is_one_line_and_changes_nothing(database_url, tmp_path, monkeypatch, script, reason):
    shutil.copytree(migrate.FOLDER, tmp_path / "migrations")
    monkeypatch.setattr(migrate, "FOLDER", tmp_path / "migrations")
    (tmp_path / "migrations" / "9999_bad.py").write_text(script)
    opened(database_url)
    number = Task.select().count()
    with pytest.raises(DatabaseRefused, match=f"^a migration failed, and nothing was changed: .*{reason}"):
        migrate.migrate()
    assert (Task.select().count(), migrate.pending()) == (number, ["9999_bad"])


def test_a_migration_that_leaves_rows_without_what_they_refer_to_is_refused(database_url, tmp_path, monkeypatch):
    shutil.copytree(migrate.FOLDER, tmp_path / "migrations")
    monkeypatch.setattr(migrate, "FOLDER", tmp_path / "migrations")
    script = "def up(migrator, db):\n    db.execute_sql('UPDATE tasks SET creator_id = 999')"
    (tmp_path / "migrations" / "9999_bad.py").write_text(script)
    opened(database_url)
    with pytest.raises(DatabaseRefused, match="tasks"):
        migrate.migrate()
    assert not Task.select().where(Task.creator == 999).exists()
    assert not isinstance(engines.db.obj, engines.SQLite) or engines.db.pragma("foreign_keys") == 1


def test_another_applications_settings_are_not_touched(database_url):
    opened(database_url)
    with engines.write():
        Setting.delete().where(Setting.key == "secret").execute()
    for act in (migrate.migrate, lambda: migrate.update(by_itself=True)):
        with pytest.raises(DatabaseRefused, match="another application"):
            act()


def test_the_database_of_a_newer_halolight_is_refused_and_no_file_takes_back_what_that_has_added(database_url):
    opened(database_url)
    files = sorted(migrate.FOLDER.iterdir())
    with engines.write():
        engines.db.execute_sql('ALTER TABLE "tasks" ADD COLUMN "color" INTEGER')
        engines.db.execute_sql("INSERT INTO migrations (id, name, applied) VALUES (99, '0099_color', '2030-01-01')")
    for act in (migrate.migrate, lambda: migrate.update(by_itself=True), lambda: list(upkeep.find_damage())):
        with pytest.raises(DatabaseRefused, match=r"^a newer HaloLight has migrated the database \(0099_color\)"):
            act()
    assert sorted(migrate.FOLDER.iterdir()) == files


def test_a_reset_of_tables_that_differ_is_one_line_and_no_traceback(app):
    with engines.write():
        engines.db.execute_sql('ALTER TABLE "tasks" DROP COLUMN "progress"')
    reply = app.test_client().post("/api/demo/reset", headers={"Accept-Language": "en"})
    told = "The database differs from the models (add column tasks.progress); run: python halolight.py --migrate"
    assert (reply.status_code, reply.json["message"]) == (409, told)
    assert "add column tasks.progress" in app.test_client().post("/api/demo/reset").json["message"]
    assert User.select().count() == 30
