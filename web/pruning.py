"""Pruning: old rows of tables that only grow are deleted, in small transactions, while nobody else writes.

Rows that people made on purpose (documents, files, messages, tasks, events, orders) are never pruned.
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import peewee

from database import engines
from database.engines import first_line
from models import Activity, FailedAttempt, Mail, Notification, RefreshToken, Session, Visit
from web import clock

log = logging.getLogger("halolight.pruning")

#: Seconds between two rounds.
EVERY = 600.0
#: Rows that one transaction deletes; other writers wait a few milliseconds for it.
BATCH = 500
#: Seconds without a write after which a transaction may begin.
QUIET = 1.0
#: Seconds after which it begins anyway, so that a server that always writes loses its old rows, too.
PATIENCE = 60.0


class Rule(NamedTuple):
    """Rows of `model` are deleted if `old` holds for the time that was `age` ago."""

    model: Any
    age: timedelta
    old: Callable[[datetime], Any]


#: `created_at < then` looks redundant beside a later time; but it has the index that finds the rows.
RULES = (
    # Ended or expired sessions tell for a month from where an account was used. Their refresh tokens go with them.
    Rule(
        Session,
        timedelta(days=30),
        lambda then: (Session.created_at < then) & ((Session.ended_at < then) | (Session.expires_at < then)),
    ),
    # The signed expiry of a token is checked before its row is read, so nobody reads these rows any more.
    Rule(RefreshToken, timedelta(0), lambda then: RefreshToken.expires_at < int(then.timestamp())),
    # An attempt counts for a minute.
    Rule(FailedAttempt, timedelta(minutes=10), lambda then: FailedAttempt.at < then),
    # The dashboard shows 90 days. Two years allow a month to be compared with the same month of the year before.
    Rule(Visit, timedelta(days=730), lambda then: Visit.at < then),
    # An audit looks back a year at most.
    Rule(Activity, timedelta(days=365), lambda then: Activity.created_at < then),
    # A notification that was read can be found again for a quarter.
    Rule(
        Notification,
        timedelta(days=90),
        lambda then: (Notification.created_at < then) & Notification.read & (Notification.read_at < then),
    ),
    # A user who did not read a notification for a year does not miss it.
    Rule(Notification, timedelta(days=365), lambda then: Notification.created_at < then),
    # The link in a mail is dead after 30 minutes.
    Rule(Mail, timedelta(days=30), lambda then: Mail.created_at < then),
)


def prune(may_go_on: Callable[[], bool] = lambda: True) -> int:
    """Delete the old rows and return their number. `may_go_on` is called before each transaction; False ends it.

    Several processes may prune at once, because deleting a row that is gone does nothing.
    """
    deleted = 0
    for model, age, old in RULES:
        while may_go_on():
            condition = old(engines.now() - age)
            # Selected before the transaction, so that it is short.
            ids = [id for (id,) in model.select(model.id).where(condition).limit(BATCH).tuples()]
            if ids:
                with engines.write():
                    deleted += model.delete().where(model.id.in_(ids), condition).execute()
            engines.release()
            if len(ids) < BATCH:
                break
    return deleted


class Pruner(threading.Thread):
    """A thread that prunes every ten minutes, from its `start` to its `stop`."""

    def __init__(self) -> None:
        super().__init__(name="pruning", daemon=True)
        self.told_to_stop = threading.Event()

    def stop(self) -> None:
        """End the thread after its current transaction. Call this before the database is closed."""
        self.told_to_stop.set()
        self.join(10)

    def run(self) -> None:
        while not self.told_to_stop.wait(EVERY):
            if clock.is_set():  # another day is only looked at, so nothing is old because of it
                continue
            try:
                deleted = prune(self.wait_for_quiet)
            except (peewee.PeeweeException, sqlite3.Error) as error:  # the database may be back in the next round
                log.warning("pruning was given up: %s", first_line(error))
                continue
            finally:
                engines.release()
            if deleted:
                log.info("pruned %s old rows", deleted)

    def wait_for_quiet(self) -> bool:
        """Wait for a second without a write, at most a minute; False if the thread was told to stop."""
        latest = time.monotonic() + PATIENCE
        while (missing := QUIET - engines.db.turns.rest()) > 0 and time.monotonic() < latest:
            if self.told_to_stop.wait(missing):
                return False
        return not self.told_to_stop.is_set()
