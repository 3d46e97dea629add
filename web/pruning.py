"""Pruning: what only grows is deleted when it is old, in small transactions, while nobody else writes.

Rows that somebody made for its own sake (documents, files, messages, tasks, events, orders) are never pruned.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import peewee

from database import engines
from models import Activity, FailedAttempt, Mail, Notification, RefreshToken, Session, Visit
from web import clock

log = logging.getLogger("halolight.pruning")

#: Seconds between two rounds.
EVERY = 600.0
#: Rows of one transaction: other writers wait a few milliseconds for it.
BATCH = 500
#: Seconds without a write that make a quiet moment.
QUIET = 1.0
#: Seconds that a transaction waits for a quiet moment: on a server that always writes, old rows must go too.
PATIENCE = 60.0


class Rule(NamedTuple):
    """Rows of `model` are deleted if `old` holds for the time that was `age` ago."""

    model: Any
    age: timedelta
    old: Callable[[datetime], Any]


#: Where a second time is compared, `created_at` is not later than it, and has the index that finds the rows.
RULES = (
    # Ended or expired. A month, to find out afterwards from where an account was used; the refresh tokens go too.
    Rule(
        Session,
        timedelta(days=30),
        lambda then: (Session.created_at < then) & ((Session.ended_at < then) | (Session.expires_at < then)),
    ),
    # Their signature says that they are expired, so nothing is asked of the row any more.
    Rule(RefreshToken, timedelta(0), lambda then: RefreshToken.expires_at < int(then.timestamp())),
    # They count for a minute.
    Rule(FailedAttempt, timedelta(minutes=10), lambda then: FailedAttempt.at < then),
    # The dashboard compares months and shows 90 days; two years leave every month its predecessor of the year before.
    Rule(Visit, timedelta(days=730), lambda then: Visit.at < then),
    # What happened to a row is asked for within a year, if at all.
    Rule(Activity, timedelta(days=365), lambda then: Activity.created_at < then),
    # Read: a quarter, in which one still finds again what one has seen.
    Rule(
        Notification,
        timedelta(days=90),
        lambda then: (Notification.created_at < then) & Notification.read & (Notification.read_at < then),
    ),
    # Never read: whoever did not come for a year does not miss them.
    Rule(Notification, timedelta(days=365), lambda then: Notification.created_at < then),
    # The link in a mail is dead after 30 minutes.
    Rule(Mail, timedelta(days=30), lambda then: Mail.created_at < then),
)


def prune(may_go_on: Callable[[], bool] = lambda: True) -> int:
    """Delete what is old, and say how many rows; `may_go_on` is asked before each transaction.

    Several processes may do it at once: a row that another one deleted is not found any more.
    """
    deleted = 0
    for model, age, old in RULES:
        while may_go_on():
            condition = old(engines.now() - age)
            # Looked for before the transaction, which is then as short as can be.
            ids = [id for (id,) in model.select(model.id).where(condition).limit(BATCH).tuples()]
            if ids:
                with engines.write():
                    deleted += model.delete().where(model.id.in_(ids), condition).execute()
            engines.release()
            if len(ids) < BATCH:
                break
    return deleted


class Pruner:
    """A thread that prunes every ten minutes, from its `start` to its `stop`."""

    def __init__(self) -> None:
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pruning", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End it after the transaction under way; call this before the database is closed."""
        self._stopped.set()
        self._thread.join(10)

    def _run(self) -> None:
        while not self._stopped.wait(EVERY):
            if clock.is_set():  # nothing is old because somebody looks at another day
                continue
            try:
                deleted = prune(self._wait_for_quiet)
            except (peewee.PeeweeException, sqlite3.Error) as error:  # the next round may find the database again
                log.warning("pruning was given up: %s", str(error).partition("\n")[0])
                continue
            finally:
                engines.release()
            if deleted:
                log.info("pruned %s old rows", deleted)

    def _wait_for_quiet(self) -> bool:
        """Wait for a second without a write, at most a minute; False: the thread is to end."""
        latest = time.monotonic() + PATIENCE
        while (missing := QUIET - engines.db.turns.rest()) > 0 and time.monotonic() < latest:
            if self._stopped.wait(missing):
                return False
        return not self._stopped.is_set()
