"""Pruning: what is old goes, in small transactions, and not a day earlier."""

import threading
from datetime import UTC, datetime, timedelta

import peewee
import pytest

from database import base, engines
from models import Activity, FailedAttempt, Mail, Notification, RefreshToken, Session, Task, User, Visit
from tests.servers import until
from web import pruning

DAY, SECOND = timedelta(days=1), timedelta(seconds=1)


@pytest.fixture
def person(app):
    with engines.write():
        for model in (Session, Mail, Notification, Visit, Activity, FailedAttempt):
            model.delete().execute()
    return User.get(User.email == "admin@example.com")


@pytest.fixture
def clock(monkeypatch):
    """Sets the clock of the application to so long after the start of the test."""
    start = datetime.now(UTC)
    monkeypatch.setattr(engines, "now", lambda: start)
    return lambda ahead: monkeypatch.setattr(engines, "now", lambda: start + ahead)


def a_session(user, **times):
    session = Session.create(user=user, **{"expires_at": engines.now() + 400 * DAY, **times})
    expires = int((engines.now() + 400 * DAY).timestamp())
    RefreshToken.create(jti=f"jti{session.id}", session=session, issued_at=0, expires_at=expires)
    return session


def an_expired_token(user):
    session = Session.create(user=user, expires_at=engines.now() + 400 * DAY)
    return RefreshToken.create(jti="j", session=session, issued_at=0, expires_at=int(engines.now().timestamp()))


AGES = {
    "expired session": (lambda user: a_session(user, expires_at=engines.now()), 30 * DAY),
    "ended session": (lambda user: a_session(user, ended_at=engines.now()), 30 * DAY),
    "refresh token": (an_expired_token, timedelta(0)),
    "failed attempt": (lambda user: FailedAttempt.create(key="x"), timedelta(minutes=10)),
    "visit": (lambda user: Visit.create(visitor="x"), 730 * DAY),
    "activity": (lambda user: Activity.create(user=user, action="create", target_type="task"), 365 * DAY),
    "read notification": (
        lambda user: Notification.create(user=user, title="x", read=True, read_at=engines.now()),
        90 * DAY,
    ),
    "unread notification": (lambda user: Notification.create(user=user, title="x"), 365 * DAY),
    "mail": (lambda user: Mail.create(user=user), 30 * DAY),
}


@pytest.mark.parametrize("kind", AGES)
def test_a_row_goes_at_its_age_and_not_before(person, clock, kind):
    make, age = AGES[kind]
    with engines.write():
        row = make(person)
    model = type(row)
    clock(age - SECOND)
    pruning.prune()
    assert model.get_or_none(model.id == row.id)
    clock(age + 2 * SECOND)
    assert pruning.prune() == 1
    assert model.get_or_none(model.id == row.id) is None


def test_a_session_takes_its_refresh_tokens_along_and_a_live_one_stays(person, clock):
    with engines.write():
        ended, live = a_session(person, ended_at=engines.now()), a_session(person)
    clock(31 * DAY)
    pruning.prune()
    assert [session.id for session in Session.select()] == [live.id]
    assert [token.session_id for token in RefreshToken.select()] == [live.id] != [ended.id]


def test_a_notification_read_long_after_it_came_stays_for_another_quarter(person, clock):
    with engines.write():
        note = Notification.create(user=person, title="x")
    clock(200 * DAY)
    with engines.write():
        note.change(read=True, read_at=engines.now())
    clock(289 * DAY)
    assert pruning.prune() == 0
    clock(291 * DAY)
    assert pruning.prune() == 1


def test_what_is_not_named_stays_however_old_it_is(person, clock):
    pruned = {rule.model for rule in pruning.RULES}
    kept = [model for model in base.tables() if model not in pruned]
    before = [model.select().count() for model in kept]
    clock(20 * 365 * DAY)
    pruning.prune()
    assert [model.select().count() for model in kept] == before and Task.select().count()


def test_a_transaction_deletes_at_most_five_hundred_rows(person, clock, monkeypatch):
    with engines.write():
        base.insert_rows(Visit, [{"visitor": "x"} for _ in range(1200)])
    clock(731 * DAY)
    left, write = [], engines.write

    def counted():
        left.append(Visit.select().count())
        return write()

    monkeypatch.setattr(engines, "write", counted)
    assert pruning.prune() == 1200
    assert left == [1200, 700, 200]


# --- The thread ------------------------------------------------------------------------------------------------------


@pytest.fixture
def pruner(monkeypatch):
    monkeypatch.setattr(pruning, "EVERY", 0.01)
    pruner = pruning.Pruner()
    yield pruner
    pruner.stop()


def test_the_thread_prunes_again_and_again_and_ends_when_it_is_told(person, pruner, monkeypatch):
    rounds = threading.Semaphore(0)

    def one_round(may_go_on):
        rounds.release()
        if may_go_on():
            raise peewee.OperationalError("the database is away")

    monkeypatch.setattr(pruning, "prune", one_round)
    monkeypatch.setattr(pruning, "QUIET", 0.0)
    pruner.start()
    assert rounds.acquire(timeout=5) and rounds.acquire(timeout=5)
    pruner.stop()
    assert "pruning" not in [thread.name for thread in threading.enumerate()]


@pytest.fixture
def old_visit(person, clock):
    """A function that says whether a row is still there, which pruning deletes."""
    with engines.write():
        visit = Visit.create(visitor="x")
    clock(731 * DAY)
    return Visit.select().where(Visit.id == visit.id).exists


def test_it_deletes_nothing_while_somebody_writes(old_visit, pruner, monkeypatch):
    monkeypatch.setattr(pruning, "QUIET", 0.1)
    with engines.write():
        pruner.start()
        pruner.join(0.5)
        assert old_visit()
    until(lambda: not old_visit())


def test_it_waits_for_a_quiet_moment_after_a_write(old_visit, pruner, monkeypatch):
    monkeypatch.setattr(pruning, "QUIET", 60)
    pruner.start()
    pruner.join(0.3)
    assert old_visit()


def test_an_application_prunes_nothing_by_itself(app):
    assert "pruning" not in [thread.name for thread in threading.enumerate()]
