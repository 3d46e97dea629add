"""What one account may own and cause, counted in the database, so that several processes agree.

The limits stand with their reasons in `web/limits.py`. A view calls these by name before, or in the transaction in
which, it writes; a refusal takes everything back that was written with it.
"""

from __future__ import annotations

from flask import current_app

from models import BaseModel, File
from resources.api import manages
from resources.errors import refuse, refuse_field
from resources.prepared import rows
from resources.security import current_user
from web import limits


def refuse_more_than(most: int, model: type[BaseModel]) -> None:
    """409 if the caller owns `most` rows of the model, whatever the caller manages."""
    (owned,) = rows(model.number_of, most, owner=current_user.id)
    if owned.number >= most:
        refuse(409, f"You may own at most {most} of these")


def refuse_full_storage(owner: int, size: int) -> None:
    """413 if `size` more bytes are too many for what `owner` may store, files and documents together."""
    used = sum(File.used_by(owner).values())
    if used + size > current_app.config["STORAGE_QUOTA_MB"] * limits.MB:
        refuse(413, "Your storage is full")


def refuse_crowd(field: str, number: int, model: type[BaseModel]) -> None:
    """400 on `field` if so many people are too many for one row of the model; who manages it may name more."""
    most = limits.MANAGED_PEOPLE if manages(model) else limits.PEOPLE
    if number > most:
        refuse_field(field, f"More than {most} people.")
