"""The kinds of columns that Peewee has not: equal on SQLite and Postgres, from what is stored to what is given back."""

import json
import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from peewee import SQL, AutoField, DateTimeField, ForeignKeyField, Model, NodeList, SqliteDatabase, TextField

ANYTHING = re.compile(".*", re.DOTALL)


class Key(AutoField):
    """A primary key whose numbers are never given again. Postgres never does; SQLite has to be told."""

    def ddl(self, ctx: Any) -> Any:
        column = super().ddl(ctx)
        database = self.model._meta.database
        if isinstance(getattr(database, "obj", database), SqliteDatabase):  # a migration has no proxy
            return NodeList((column, SQL("AUTOINCREMENT")))
        return column


class UTCField(DateTimeField):
    """An instant: stored in UTC without an offset, given back aware (SQLite and Postgres differ otherwise)."""

    def db_value(self, value: Any) -> Any:
        return value.astimezone(UTC).replace(tzinfo=None) if value is not None else None

    def python_value(self, value: Any) -> Any:
        if isinstance(value, str):  # SQLite has no type for times
            return _instant(value)
        return value.replace(tzinfo=UTC) if value is not None else None


@lru_cache(maxsize=4096)
def _instant(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}Z")


class StringsField(TextField):
    """A tuple of strings, stored as JSON text. Raises ValueError for one that does not match `each`."""

    def __init__(self, *, each: re.Pattern[str] = ANYTHING, must: str = "", **options: Any):
        self.each, self.must = each, must
        super().__init__(**options)

    def db_value(self, value: Any) -> Any:
        for string in value:
            if not self.each.fullmatch(string):
                raise ValueError(f"{string!r} in {self.name}: must {self.must}")
        return json.dumps(list(value), ensure_ascii=False)

    def python_value(self, value: Any) -> Any:
        return _strings(value)


@lru_cache(maxsize=1024)
def _strings(text: str) -> tuple[str, ...]:
    return tuple(json.loads(text))


def owned(model: type[Model], related_name: str, **options: Any) -> Any:
    """A reference to the row to which this one belongs: both are deleted together."""
    return ForeignKeyField(model, backref=related_name, on_delete="CASCADE", **options)
