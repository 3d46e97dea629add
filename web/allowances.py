"""How much one account may own and cause, counted in the database, so that several processes agree.

The limits are in `web/limits.py`, with their reasons. A view calls these functions inside its transaction: a refusal
rolls back everything that the view has written.
"""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from flask import current_app

from database import engines
from database.base import BaseModel
from database.compiled import rows
from models import File, Notification
from web import limits
from web.api import manages
from web.errors import refuse, refuse_field, refuse_until_a_minute_after
from web.security import current_user

_searches = threading.BoundedSemaphore(limits.SEARCHES)


def refuse_too_many(model: type[BaseModel], most: int | None = None) -> None:
    """409 if the caller owns `most` rows of the model (by default `limits.ROWS`), whatever the caller manages."""
    most = most or limits.ROWS
    if rows(model.owned_at, most, owner=current_user.id):
        refuse(409, f"You may own at most {most} of these")


def refuse_full_storage(owner: int, size: int) -> None:
    """413 if `owner` may not store `size` more bytes, in files and documents together."""
    if owner != current_user.id:
        engines.lock_account(owner)  # whose own writes go on beside this one
    used = sum(row.bytes for row in rows(File.stored_by, user=owner))
    if used + size > current_app.config["STORAGE_QUOTA_MB"] * limits.MB:
        refuse(413, "Your storage is full")


def refuse_crowd(field: str, number: int, model: type[BaseModel]) -> None:
    """400 on `field` if `number` people are too many for one row of the model. Its managers may name more."""
    most = limits.MANAGED_PEOPLE if manages(model) else limits.PEOPLE
    if number > most:
        refuse_field(field, f"More than {most} people.")


def notify(users: Iterable[int], type: str, title: str, **about: Any) -> None:
    """Tell `users`, except the caller, what the caller did (`Notification.tell`); 429 if too many in the last minute.

    The first act of a minute always passes, because `refuse_crowd` has limited its number of people.
    """
    others = [user for user in users if user != current_user.id]
    if not others:
        return
    now = engines.now()
    minute_ago = now - timedelta(minutes=1)
    # Not those of later than now: if the clock was set back, they would count until it gets there.
    caused = rows(Notification.caused_by, actor=current_user.id, since=minute_ago, until=now)
    over = len(caused) + len(others) - limits.NOTIFICATIONS
    if caused and over > 0:
        refuse_until_a_minute_after(caused[min(over, len(caused)) - 1].created_at, now)
    Notification.tell(others, type, title, actor=current_user.id, **about)


@contextmanager
def searching() -> Iterator[None]:
    """Hold one of the few places for searches, which read every visible document; 503 if none becomes free."""
    if not _searches.acquire(timeout=limits.SEARCH_WAIT):
        refuse(503, "Too many requests, try again later", retry_after=1)
    try:
        yield
    finally:
        _searches.release()
