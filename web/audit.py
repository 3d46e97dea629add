"""The audit trail: what a caller did to a row is recorded in the transaction that did it."""

from typing import Any

from models import Activity
from web.security import current_user


def record(action: str, row: Any) -> Any:
    """Record that the caller did `action` to `row` (`Activity.record` says when it does), and return the row."""
    Activity.record(current_user.id, action, row)
    return row


def delete(*rows: Any) -> int:
    """Delete rows of one table, record that the caller did, and return their number."""
    Activity.record(current_user.id, "delete", *rows)
    return type(rows[0]).delete_rows([row.id for row in rows])
