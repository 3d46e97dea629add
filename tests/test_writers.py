"""Writers of several accounts at once: who waits for whom, and what they may not spoil."""

import contextlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import peewee
import psycopg
import pytest
from flask import g

from database import base, compiled, engines
from database.turns import unhurried
from models import Task, User, Visit
from tests.servers import GONE, Several, until
from web import blueprint, security

#: The routes that write beside other accounts, and why none of their rules can be spoiled by that.
BESIDE = {
    "documents.create_document": "limits count what the caller owns",
    "documents.update_document": "concerns the locked row; the author's storage has its own lock",
    "documents.delete_document": "concerns the locked row",
    "documents.share_document": "concerns the locked row, and who may be told counts for the caller",
    "documents.unshare_document": "concerns the locked row",
    "tasks.create_task": "limits count what the caller owns",
    "tasks.update_task": "concerns the locked row",
    "tasks.delete_task": "concerns the locked row",
    "messages.send_message": "limits count for the caller; two who begin the same conversation: one begins again",
    "messages.read_message": "concerns the caller's own mark",
    "notifications.read_notification": "concerns the caller's own row",
    "notifications.read_all_notifications": "concerns the caller's own rows",
    "notifications.delete_notification": "concerns the caller's own row",
    "calendar.create_event": "limits count what the caller owns",
    "calendar.update_event": "concerns the locked row",
    "calendar.delete_event": "concerns the locked row",
    "calendar.add_attendees": "concerns the locked row, and who may be told counts for the caller",
    "calendar.respond_to_event": "concerns the caller's invitation to the locked row",
}


def test_who_writes_beside_others_has_a_reason(app):
    """Alone is the default: whoever writes a new route need not think of parallel writers."""
    beside = set()
    for rule in app.url_map.iter_rules():
        said = getattr(app.view_functions[rule.endpoint], "_apidoc", {})
        if rule.methods & set(blueprint.WRITING) and not said.get("alone", True):
            beside.add(rule.endpoint)
    assert beside == set(BESIDE)


@pytest.fixture
def on_postgres(database_url):
    if database_url.startswith("sqlite"):
        pytest.skip("SQLite has one writer")


def begin_and_hold(account, held, end):
    try:
        with engines.write(account):
            User.select().exists()
            held.set()
            end.wait(10)
    finally:
        engines.release()


@pytest.mark.parametrize(
    ("holder", "other", "waits"), [(1, 2, False), (1, 1, True), (None, 2, True), (1, None, True), (None, None, True)]
)
def test_who_waits_for_whom(app, on_postgres, holder, other, waits):
    """Different accounts do not; an account waits for itself, and who is alone for everybody."""
    held, end, done = threading.Event(), threading.Event(), threading.Event()
    first = threading.Thread(target=begin_and_hold, args=(holder, held, end))
    first.start()
    assert held.wait(10)
    second = threading.Thread(target=begin_and_hold, args=(other, done, end))
    second.start()
    try:
        assert done.wait(0.3 if waits else 10) is not waits
    finally:
        end.set()
        first.join()
        second.join()
    assert done.is_set()


@pytest.mark.parametrize("rows", [0, 1, 100])
def test_a_transaction_whose_statements_all_go_later_is_committed_whole_or_not_at_all(app, rows):
    """Statements whose result nobody needs wait for the next one; a commit is one, and a rollback takes all away."""
    names = [{"visitor": f"~{number}"} for number in range(rows)]
    ours = Visit.select().where(Visit.visitor.startswith("~"))
    with contextlib.suppress(ZeroDivisionError), engines.write():
        base.insert_rows(Visit, names)
        raise ZeroDivisionError
    assert ours.count() == 0
    with engines.write():
        base.insert_rows(Visit, names)
    engines.release()
    assert ours.count() == rows


def test_a_row_to_be_changed_is_locked_and_then_read_as_it_is_by_then(app, on_postgres, root, demo):
    task = Task.create(title="一", creator=root.id)
    seen, read = [], threading.Event()

    def second():
        try:
            with engines.write(demo.id):
                read.set()
                seen.append(compiled.whole(Task.visible_to, None, task.id, demo.id, True).title)
        finally:
            engines.release()

    with engines.write(root.id):
        row = compiled.whole(Task.visible_to, None, task.id, root.id, True)
        thread = threading.Thread(target=second)
        thread.start()
        assert read.wait(10)
        time.sleep(0.1)
        assert seen == []
        row.change(title="二")
    thread.join()
    assert seen == ["二"]


def test_what_a_parallel_deletion_took_away_is_404_and_not_403(app, demo, monkeypatch):
    """The row was seen, and is gone when it is to be locked."""
    task = Task.create(title="一", creator=demo.id)
    whole = compiled.whole

    def gone(*args):
        Task.delete().where(Task.id == task.id).execute()
        return whole(*args)

    monkeypatch.setattr(compiled, "whole", gone)
    assert demo.delete(f"/api/tasks/{task.id}").status_code == 404


@pytest.mark.parametrize("state", ["40001", "40P01", "23505"])
@pytest.mark.parametrize("failures", [1, 2])
def test_a_write_that_lost_a_race_is_repeated_alone(app, demo, monkeypatch, state, failures):
    error = psycopg.errors.lookup(state)("lost")
    kind = peewee.IntegrityError if state == "23505" else peewee.OperationalError
    raised = kind("lost")
    raised.orig = error
    create, write, calls, accounts = Task.create, engines.write, [], []

    def losing(**values):
        calls.append(values)
        made = create(**values)
        if len(calls) <= failures:
            raise raised
        return made

    monkeypatch.setattr(Task, "create", losing)
    monkeypatch.setattr(engines, "write", lambda account=None: accounts.append(account) or write(account))
    reply = demo.post("/api/tasks", {"title": "一", "description": "二"})
    assert accounts == [demo.id, None] and (reply.status_code == 201) is (failures == 1)
    # Nothing of an attempt that failed stays, and each attempt has the whole body.
    assert Task.select().where(Task.title == "一").count() == (failures == 1)
    assert [values["description"] for values in calls] == ["二", "二"]


def test_two_who_wait_for_each_other_both_write(app, on_postgres, monkeypatch):
    """Postgres ends one of two transactions in a deadlock after a second; it is repeated, alone."""
    root, demo = User.get(User.email == "admin@example.com"), User.get(User.email == "demo@halolight.h7ml.cn")
    tasks = [Task.create(title="一", creator=root), Task.create(title="二", creator=root)]
    both, tries = threading.Barrier(2, timeout=10), []

    def run(user, order):
        def work():
            tries.append(user.id)
            for number, task in enumerate(order):
                Task.update(progress=Task.progress + 1).where(Task.id == task.id).execute()
                if number == 0 and len(tries) <= 2:
                    both.wait()

        # Unhurried, because on a busy machine Postgres may find the deadlock too late for a statement's time.
        with app.test_request_context(), unhurried():
            g.caller = security.Caller(user.id, 0, 0, "super_admin", ("*",))
            monkeypatch.setattr(security, "admit", lambda permissions: g.caller)
            security.written(work, alone=False)
            engines.release()

    threads = [threading.Thread(target=run, args=each) for each in ((root, tasks), (demo, tasks[::-1]))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(tries) == 3
    assert [task.progress for task in Task.select().where(Task.id.in_(tasks))] == [2, 2]


def test_a_connection_goes_on_after_any_number_of_conflicts(app, root, caplog):
    """psycopg prepares a statement at its sixth use, also one that was never done because one before it failed."""
    _, other = (root.post("/api/folders", {"name": name}).json["data"]["id"] for name in "甲乙")
    engines.db.close_all()
    for name in "丙丁戊己庚":
        replies = [root.put(f"/api/folders/{other}", {"name": name}).status_code for name in ("甲", "甲", name)]
        assert replies == [409, 409, 200]
    assert [record.getMessage() for record in caplog.records if record.name.startswith("psycopg")] == []


# --- Two processes ---------------------------------------------------------------------------------------------------


@pytest.fixture
def servers(serve):
    return Several(*(serve(LOG_LEVEL="ERROR") for _ in range(2)))


@pytest.mark.thorough
def test_a_process_that_is_killed_loses_nothing_acknowledged_and_the_other_goes_on(servers, database_url, amount):
    token, acknowledged, end = servers.log_in(), ([], []), threading.Event()

    def write(number):
        server, mine = servers.servers[number % 2], acknowledged[number % 2]
        with contextlib.suppress(*GONE):
            while not end.is_set():
                status, body = server.call("POST", "/api/tasks", {"title": "事"}, token)
                assert status == 201, body
                mine.append(body["data"]["id"])

    with ThreadPoolExecutor(16) as pool:
        writers = [pool.submit(write, number) for number in range(16)]
        until(lambda: all(len(each) >= amount(20, 200) for each in acknowledged), 60)
        servers.servers[0].process.kill()
        before = len(acknowledged[1])
        until(lambda: len(acknowledged[1]) >= before + amount(20, 200), 60)
        end.set()
    assert [writer.exception() for writer in writers] == [None] * 16
    engines.connect(database_url)
    try:
        stored = {id for (id,) in Task.select(Task.id).tuples()}
    finally:
        engines.db.close_all()
    assert stored.issuperset(acknowledged[0] + acknowledged[1])
