"""What happens to the machine: the process killed, the file gone, the disk full, connections cut. No write is lost."""

import contextlib
import shutil
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import peewee
import psycopg
import pytest
from peewee import fn

from database import engines
from models import File, FilePart, Task
from tests.servers import GONE, upload

WRITERS = 16
RLIMIT_FSIZE = 1
#: Until they are gone, 5 s at most.
CUT = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{}'"
#: A file's bytes.
CONTENT = bytes(range(256)) * 80


def refused(reply):
    """Whether a reply is the error envelope of a database that is not available."""
    status, body = reply
    return (status, body["success"], body["error"]["code"]) == (503, False, "SERVICE_UNAVAILABLE")


def complaints(server):
    return [line for line in server.log.read_text().splitlines() if " ERROR " in line or "Traceback" in line]


@pytest.fixture
def sqlite_file(database_url):
    if not database_url.startswith("sqlite"):
        pytest.skip("this is about the file of SQLite")
    return Path(database_url.removeprefix("sqlite:///"))


@pytest.fixture
def on_postgres(database_url, postgres):
    """A function that runs a statement about this test's database as an administrator."""
    if database_url.startswith("sqlite"):
        pytest.skip("this is about the connections to Postgres")

    def run(statement):
        with psycopg.connect(postgres("postgres"), autocommit=True) as connection:
            connection.execute(statement.format(urlsplit(database_url).path[1:]))

    return run


# --- The process is killed -------------------------------------------------------------------------------------------


def write_until_killed(server, token, tasks, files):
    """Write without a pause, and note what was acknowledged."""
    with contextlib.suppress(*GONE):
        while True:
            status, body = server.call("POST", "/api/tasks", {"title": "事"}, token)
            assert status == 201, body
            tasks.append(body["data"]["id"])
            status, body = upload(server, token, CONTENT)
            assert status == 201, body
            files.append(body["data"]["id"])


@pytest.mark.thorough
def test_a_kill_under_sixteen_writers_loses_nothing_acknowledged(serve, database_url, amount):
    tasks, files = [], []
    for _ in range(amount(3, 20) if database_url.startswith("sqlite") else amount(1, 2)):
        server = serve(LOG_LEVEL="ERROR", STORAGE_QUOTA_MB="1000")
        token, before = server.log_in(), len(files)
        with ThreadPoolExecutor(WRITERS) as pool:
            writers = [pool.submit(write_until_killed, server, token, tasks, files) for _ in range(WRITERS)]
            while len(files) < before + WRITERS and not any(writer.done() for writer in writers):
                time.sleep(0.01)
            server.process.kill()
        assert [writer.exception() for writer in writers] == [None] * WRITERS and complaints(server) == []
        examine(database_url, tasks, files)


def examine(database_url, tasks, files):
    """Every acknowledged row is there, each file with all of its bytes, and the database is sound."""
    engines.connect(database_url)
    try:
        if database_url.startswith("sqlite"):
            assert engines.db.execute_sql("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert engines.db.execute_sql("PRAGMA foreign_key_check").fetchall() == []
        assert set(tasks) <= {id for (id,) in Task.select(Task.id).tuples()}
        sizes = dict(File.select(File.id, File.size).tuples())
        assert set(files) <= set(sizes)
        stored = FilePart.select(FilePart.file, fn.SUM(fn.LENGTH(FilePart.data))).group_by(FilePart.file)
        assert dict(stored.tuples()) == sizes
    finally:
        engines.db.close_all()


# --- The file is gone, or full ---------------------------------------------------------------------------------------


def test_nothing_is_acknowledged_while_the_file_is_away_and_nothing_is_lost(serve, sqlite_file):
    server, tasks = serve(LOG_LEVEL="ERROR"), []
    token, away = server.log_in(), sqlite_file.with_name("away.db")

    def write_until_refused():
        while (reply := server.call("POST", "/api/tasks", {"title": "事"}, token))[0] == 201:
            tasks.append(reply[1]["data"]["id"])
        return reply

    with ThreadPoolExecutor(WRITERS) as pool:
        writers = [pool.submit(write_until_refused) for _ in range(WRITERS)]
        while len(tasks) < 2 * WRITERS:
            time.sleep(0.01)
        sqlite_file.rename(away)
    assert all(refused(writer.result()) for writer in writers)
    assert refused(server.call("GET", "/api/tasks", None, token)) and server.call("GET", "/health")[0] == 503
    assert not sqlite_file.exists() and len(complaints(server)) == WRITERS + 2  # a line each
    away.rename(sqlite_file)
    assert all(server.call("GET", f"/api/tasks/{id}", None, token)[0] == 200 for id in tasks)
    assert server.call("POST", "/api/tasks", {"title": "事"}, token)[0] == 201


def test_a_commit_into_a_file_that_has_gone_is_no_success_and_makes_no_other(app, sqlite_file):
    with pytest.raises(peewee.OperationalError), engines.write():
        Task.create(title="事", creator=1)
        sqlite_file.rename(sqlite_file.with_name("away.db"))
    engines.db.close()
    with pytest.raises(peewee.OperationalError), engines.write():
        pass  # a thread without a connection opens one
    assert not sqlite_file.exists()


def test_another_file_in_its_place_is_neither_read_nor_written_and_the_end_leaves_each_its_own(serve, sqlite_file):
    server, other, away = serve(), sqlite_file.with_name("other.db"), sqlite_file.with_name("away.db")
    shutil.copy(sqlite_file, other)
    token = server.log_in()
    sqlite_file.rename(away)
    other.rename(sqlite_file)
    for method in ("GET", "POST"):
        assert refused(server.call(method, "/api/tasks", {"title": "事"}, token))
    assert "start HaloLight anew" in complaints(server)[0]
    server.process.terminate()
    assert server.process.wait(15) == 0
    assert (sessions(sqlite_file), sessions(away)) == (0, 1)


def sessions(path):
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT COUNT(*) FROM sessions").fetchone()[0]


def test_a_full_disk_refuses_writes_reads_go_on_and_room_is_enough_to_recover(serve, sqlite_file):
    prlimit = pytest.importorskip("resource").__dict__.get("prlimit") or pytest.skip(
        "only Linux limits a running process"
    )
    server = serve()
    token = server.log_in()
    full = sqlite_file.stat().st_size + 200_000
    content = b"x" * (full + 100_000)  # the log beside the file may become as long as the file
    prlimit(server.process.pid, RLIMIT_FSIZE, (full, -1))
    assert refused(upload(server, token, content))
    assert server.call("GET", "/api/files", None, token)[0] == 200
    prlimit(server.process.pid, RLIMIT_FSIZE, (-1, -1))
    status, reply = upload(server, token, content)
    assert status == 201
    server.process.kill()
    server.process.wait()
    examine(f"sqlite:///{sqlite_file}", [], [reply["data"]["id"]])


def test_a_database_that_is_read_only_refuses_writes_and_reads_go_on(root, database_url):
    sqlite = database_url.startswith("sqlite")
    engines.db.execute_sql("PRAGMA query_only = 1" if sqlite else "SET default_transaction_read_only = on")
    reply = root.post("/api/tasks", {"title": "事"})
    assert refused((reply.status_code, reply.json)) and root.get("/api/tasks").status_code == 200


def test_a_document_is_read_for_the_first_time_though_its_reader_cannot_be_remembered(client_with, database_url):
    reader = client_with("documents:*")
    views = reader.get("/api/documents?sort=id").json["data"]["items"][0]["views"]
    sqlite = database_url.startswith("sqlite")
    engines.db.execute_sql("PRAGMA query_only = 1" if sqlite else "SET default_transaction_read_only = on")
    reply = reader.get("/api/documents/1")
    assert reply.status_code == 200 and reply.json["data"]["views"] == views


# --- What is an outage, and what is a bug ----------------------------------------------------------------------------


def failing_on_sqlite(code):
    error = sqlite3.DatabaseError("x") if code in (11, 26) else sqlite3.OperationalError("x")
    error.sqlite_errorcode = code
    return error


OUTAGES = [
    *map(failing_on_sqlite, (5, 6, 8, 10, 11, 13, 14, 26, 522, 1032)),  # busy locked readonly ioerr corrupt full ...
    *(psycopg.OperationalError("the connection is closed"), psycopg.InterfaceError("x")),
    *(psycopg.errors.AdminShutdown(), psycopg.errors.CannotConnectNow(), psycopg.errors.TooManyConnections()),
    *(psycopg.errors.DiskFull(), psycopg.errors.ReadOnlySqlTransaction(), psycopg.errors.DeadlockDetected()),
]
BUGS = [
    *(failing_on_sqlite(1), sqlite3.ProgrammingError("x"), psycopg.errors.UndefinedColumn()),
    *(psycopg.errors.InFailedSqlTransaction(), psycopg.DataError("x"), ZeroDivisionError()),
]


def test_an_outage_is_503_and_a_bug_stays_500(demo):
    def status(error, wrap):
        def view(**_):
            with wrap:
                raise error

        demo.http.application.view_functions["tasks.list_tasks"] = view
        return demo.get("/api/tasks").status_code

    for expected, errors in ((503, OUTAGES), (500, BUGS)):
        for error in errors:
            assert status(error, peewee.__exception_wrapper__) == expected, repr(error)
            if isinstance(error, sqlite3.Error):  # it may come while rows are fetched, where Peewee does not look
                assert status(error, contextlib.nullcontext()) == expected, repr(error)


# --- Connections to Postgres -----------------------------------------------------------------------------------------


@pytest.mark.thorough
def test_cut_connections_fail_what_runs_and_nothing_after_it(serve, on_postgres, amount):
    server, tasks, others, requests = serve(LOG_LEVEL="ERROR"), [], [], amount(200, 600)
    token = server.log_in()

    def write(_):
        status, body = server.call("POST", "/api/tasks", {"title": "事"}, token)
        if status == 201:
            tasks.append(body["data"]["id"])
        else:
            others.append((status, body))

    with ThreadPoolExecutor(WRITERS) as pool:
        running = pool.map(write, range(requests))
        for _ in range(requests // 60):
            on_postgres(CUT)
            time.sleep(0.05)
        list(running)
    assert others and all(map(refused, others)) and len(tasks) + len(others) == requests
    on_postgres(CUT)  # now all of them wait in the pool
    with ThreadPoolExecutor(WRITERS) as pool:
        assert {server.call("GET", f"/api/tasks/{id}", None, token)[0] for id in tasks} == {200}
    assert "Traceback" not in server.log.read_text()


def test_a_postgres_that_goes_away_is_503_until_it_is_back(serve, on_postgres):
    server = serve(THREADS="2")
    token = server.log_in()
    for _ in range(2):
        on_postgres("ALTER DATABASE {} ALLOW_CONNECTIONS false")
        on_postgres(CUT)
        for _ in range(8):  # more than the pool holds: none of them is lost
            assert refused(server.call("GET", "/api/tasks", None, token))
            assert refused(server.call("POST", "/api/tasks", {"title": "事"}, token))
        assert server.call("GET", "/health")[0] == 503
        on_postgres("ALTER DATABASE {} ALLOW_CONNECTIONS true")
        assert server.call("POST", "/api/tasks", {"title": "事"}, token)[0] == 201
    assert "Traceback" not in server.log.read_text()
