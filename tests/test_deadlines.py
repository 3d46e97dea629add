"""What takes too long is given up: a statement, a search, a writer's wait for its turn."""

import contextlib
import os
import sqlite3
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import peewee
import psycopg
import pytest

from database import engines, migrate
from database.postgres import WRITE_LOCK
from database.turns import unhurried
from models import Task
from web import allowances, limits

MB = 1024 * 1024
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000000000) SELECT COUNT(*) FROM n"
WRITERS = 40
#: Seconds for which a writer waits for its turn.
WAIT = 2


@pytest.fixture
def hurry(monkeypatch):
    monkeypatch.setattr(limits, "STATEMENT_SECONDS", 0.3)


@pytest.fixture
def hurried(hurry, app):
    """The application, with 0.3 s for each statement."""
    return app


def run_endlessly():
    with peewee.__exception_wrapper__:
        return engines.db.execute_sql(ENDLESS).fetchall()


def nap(seconds):
    """A statement that takes so long."""
    if isinstance(engines.db.obj, engines.SQLite):
        engines.db.connection().create_function("pg_sleep", 1, time.sleep)
    engines.db.execute_sql(f"SELECT pg_sleep({seconds})").fetchall()


def refused(reply):
    status, body = reply
    return (status, body["success"], body["error"]["code"]) == (503, False, "SERVICE_UNAVAILABLE")


# --- A statement -----------------------------------------------------------------------------------------------------


def test_a_statement_that_takes_too_long_is_503_and_the_next_request_is_answered(hurried, demo):
    view = hurried.view_functions["tasks.list_tasks"]
    hurried.view_functions["tasks.list_tasks"] = lambda **_: run_endlessly()
    begin = time.monotonic()
    reply = demo.get("/api/tasks")
    assert refused((reply.status_code, reply.json)) and time.monotonic() - begin < 2
    hurried.view_functions["tasks.list_tasks"] = view
    assert demo.get("/api/tasks").status_code == 200


def test_a_deadline_is_of_one_statement_and_not_of_a_request(make_app, monkeypatch):
    monkeypatch.setattr(limits, "STATEMENT_SECONDS", 1.0)
    make_app()
    for _ in range(3):
        nap(0.4)
    with engines.write():
        nap(0.2)
        time.sleep(1.2)
        Task.create(title="事", creator=1)
    assert Task.select().where(Task.title == "事").count() == 1


def test_a_write_whose_statement_took_too_long_leaves_nothing_and_gives_its_turn_back(hurried):
    with pytest.raises(peewee.OperationalError), engines.write():
        Task.create(title="事", creator=1)
        run_endlessly()
    with engines.write():
        Task.create(title="别", creator=1)
    assert [title for (title,) in Task.select(Task.title).where(Task.title.in_(("事", "别"))).tuples()] == ["别"]


def test_statements_of_seeding_take_as_long_as_they_need(hurried):
    with unhurried(), engines.write():
        nap(0.8)
        Task.create(title="事", creator=1)
    with pytest.raises(peewee.OperationalError):
        run_endlessly()


def test_a_connection_that_its_thread_has_closed_does_not_end_the_watch(hurried):
    nap(0)
    engines.db.close()
    time.sleep(0.8)  # the deadline of the closed one passes
    with pytest.raises(peewee.OperationalError):
        run_endlessly()


# --- A search --------------------------------------------------------------------------------------------------------


@pytest.fixture
def writer(client_with):
    return client_with("documents:view", "documents:create")


def found(client, part):
    reply = client.get("/api/documents", query_string={"search": part, "scope": "mine"})
    assert reply.status_code == 200, reply.json
    return reply.json["data"]["total"]


def test_a_search_through_megabytes_of_one_letter_is_quick(writer):
    for _ in range(8):
        assert writer.post("/api/documents", {"title": "x", "content": "a" * MB}).status_code == 201
    begin = time.monotonic()
    assert found(writer, "a" * 199 + "b") == 0 and found(writer, "A" * 200) == 8
    assert time.monotonic() - begin < 1.5


def test_a_search_ignores_the_case_of_ascii_only_and_knows_no_wildcards(writer):
    writer.post("/api/documents", {"title": r"Über 50%_\d 王小明"})
    assert [found(writer, part) for part in ("BER", "50%", r"%_\D", "王小", "Über")] == [1] * 5
    assert [found(writer, part) for part in ("über", "5%%", "5_%", "王明", "\\\\")] == [0] * 5


def test_only_a_few_search_contents_at_a_time_and_lists_go_on(writer):
    with contextlib.ExitStack() as others:
        for _ in range(limits.SEARCHES):
            others.enter_context(allowances.searching())
        reply = writer.get("/api/documents?search=a")
        assert refused((reply.status_code, reply.json)) and reply.headers["Retry-After"] == "1"
        assert writer.get("/api/documents").status_code == 200
    assert found(writer, "a") == 0


# --- A turn to write -------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def a_transaction_that_does_not_end(url):
    """As of somebody who looks at the database with another program."""
    if url.startswith("sqlite"):
        with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield
    else:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"SELECT pg_advisory_lock({WRITE_LOCK})")
            yield


def test_writers_who_wait_in_vain_fail_together_while_others_read(serve, database_url):
    server = serve(LOG_LEVEL="ERROR", THREADS="16", first=f"from web import limits; limits.WRITE_SECONDS = {WAIT}")
    token = server.log_in()

    def write(_):
        begin = time.monotonic()
        return server.call("POST", "/api/tasks", {"title": "事"}, token), time.monotonic() - begin

    def read():
        begin = time.monotonic()
        assert server.call("GET", "/health")[0] == server.call("GET", "/api/tasks", None, token)[0] == 200
        return time.monotonic() - begin

    with ThreadPoolExecutor(WRITERS) as pool, a_transaction_that_does_not_end(database_url):
        writers = [pool.submit(write, number) for number in range(WRITERS)]
        time.sleep(0.3)
        reads = [read() for _ in range(5)]
        replies = [writer.result() for writer in writers]
    assert all(refused(reply) for reply, _ in replies)
    assert max(seconds for _, seconds in replies) < WAIT + 2
    assert max(reads) < 2
    assert server.call("POST", "/api/tasks", {"title": "事"}, token)[0] == 201


def test_a_wait_for_a_turn_and_for_the_lock_has_one_deadline(make_app, database_url, monkeypatch):
    monkeypatch.setattr(limits, "WRITE_SECONDS", 1.0)
    make_app()

    def write(_):
        begin = time.monotonic()
        with pytest.raises(peewee.OperationalError), engines.write():
            Task.select().exists()
        engines.release()
        return time.monotonic() - begin

    with a_transaction_that_does_not_end(database_url), ThreadPoolExecutor(4) as pool:
        assert all(0.8 < seconds < 1.8 for seconds in pool.map(write, range(4)))
    with engines.write():  # the wait for locks is as it was
        Task.create(title="事", creator=1)
    if database_url.startswith("sqlite"):
        assert engines.db.execute_sql("PRAGMA busy_timeout").fetchone() == (1000,)


def test_many_writers_at_once_are_not_refused_while_each_gets_its_turn(make_app):
    make_app(THREADS="4")  # three may wait for long

    def write(_):
        with engines.write():
            Task.create(title="事", creator=1)
        engines.release()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write, range(120)))
    assert Task.select().where(Task.title == "事").count() == 120


# --- What is in the database stays in it ------------------------------------------------------------------------------


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_the_file_of_a_database_is_for_its_owner_only(tmp_path, monkeypatch):
    before = os.umask(0)
    try:
        engines.connect(f"sqlite:///{tmp_path / 'new.db'}")
        migrate.create_tables()
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in Path(tmp_path).iterdir()}
    finally:
        os.umask(before)
        engines.db.close_all()
    assert modes == dict.fromkeys(("new.db", "new.db-wal", "new.db-shm"), 0o600)


def test_the_log_holds_no_hash_of_a_password_at_any_level(serve):
    server = serve(LOG_LEVEL="DEBUG")
    person = {"email": "new@example.com", "password": "secret-123"}
    assert server.call("POST", "/api/auth/register", person)[0] == 201
    log = server.log.read_text()
    assert "register" in log and "scrypt:" not in log and "INSERT" not in log
