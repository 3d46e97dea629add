"""The base of every table: keys, fields, and how rows are written."""

from __future__ import annotations

import inspect
import itertools
import json
import re
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, cast

from peewee import (  # type: ignore[attr-defined]
    SQL,
    AutoField,
    CharField,
    DateTimeField,
    Field,
    ForeignKeyField,
    IntegrityError,
    Model,
    NodeList,
    Select,
    SqliteDatabase,
    TextField,
    chunked,
    sort_models,
)

from database import engines
from database.engines import DatabaseRefused, Postgres, db, unhurried, write

#: Raise it by one whenever a table changes: a start refuses a database of another version.
SCHEMA_VERSION = "3"
#: What to do with a database that another HaloLight made, until there are migrations.
ADVICE = "delete it with its rows, or let DATABASE_URL name another"


def create_tables() -> bool:
    """Make the tables in an empty database; say whether they were missing. Raises DatabaseRefused."""
    with unhurried(), write():
        there = set(db.get_tables())
        if not there:
            db.create_tables(tables())
            index_sorts()
            Setting.create(key="version", value=SCHEMA_VERSION)
            Setting.create(key="secret", value=secrets.token_urlsafe(48))
            return True
        version = Setting.read("version") if "settings" in there else None
        lack = missing(there) if version == SCHEMA_VERSION else None
    if version is None:
        raise DatabaseRefused("the database holds another application's tables; it was not touched")
    if version != SCHEMA_VERSION:
        raise DatabaseRefused(
            f"the database has schema version {version}, this HaloLight needs {SCHEMA_VERSION}: {ADVICE}"
        )
    if lack:
        raise DatabaseRefused(f"the database has no {lack}, which this HaloLight needs: {ADVICE}")
    return False


def missing(there: set[str]) -> str | None:
    """The first table or column of the models that the database lacks; `there` are the tables that it has."""
    for model in tables():
        name = model._meta.table_name
        if name not in there:
            return f"table {name}"
        found = db.execute_sql(f'SELECT * FROM "{name}" LIMIT 0').description  # noqa: S608
        columns = {column[0] for column in found}
        for column in model._meta.columns:
            if column not in columns:
                return f"column {name}.{column}"
    return None


def index_sorts() -> None:
    """An index for each order that a list offers: its first page then costs the same at any number of rows."""
    for model in tables():
        for name in getattr(model, "SORTS", ()):
            column = cast(Any, model).sort_column(name)
            if not isinstance(column, Field) or column.unique:
                continue
            db.execute(model.index(column))
            if column.null and isinstance(db.obj, Postgres):  # which reads an index with the NULLs at its end only so
                db.execute(model.index(column.desc(nulls="last"), name=f"{model._meta.table_name}_{column.name}_last"))


def unique_field(error: IntegrityError) -> str | None:
    """The column whose unique constraint `error` reports, None for any other violation.

    Of a constraint over several columns it is the last: the one that a client chose (`name` of owner, parent, name).
    """
    driver: Any = getattr(error, "orig", None)  # the driver's own exception
    if isinstance(db.obj, SqliteDatabase):
        found = re.search(r"UNIQUE constraint failed: (?:.*\.)?(\w+)$", str(error))
        return found[1] if found else None
    if getattr(driver, "sqlstate", None) != "23505":
        return None
    name = driver.diag.constraint_name
    for model in tables():
        for index in model._meta.fields_to_index():
            if index._unique and index._name == name:
                return index._expressions[-1].column_name
    return "id"


class Key(AutoField):
    """A primary key that SQLite does not reuse either."""

    def ddl(self, ctx: Any) -> Any:
        column = super().ddl(ctx)
        if isinstance(self.model._meta.database.obj, SqliteDatabase):
            return NodeList((column, SQL("AUTOINCREMENT")))
        return column


class UTCField(DateTimeField):
    """An instant: stored in UTC without an offset, given back aware (SQLite and Postgres differ otherwise)."""

    def db_value(self, value: Any) -> Any:
        return value.astimezone(UTC).replace(tzinfo=None) if value is not None else None

    def python_value(self, value: Any) -> Any:
        if isinstance(value, str):
            return _instant(value)
        return value.replace(tzinfo=UTC) if value is not None else None


@lru_cache(maxsize=4096)
def _instant(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}Z")


@lru_cache(maxsize=1024)
def _strings(text: str) -> tuple[str, ...]:
    return tuple(json.loads(text))


class StringsField(TextField):
    """A tuple of strings, stored as JSON text. Parsed values are cached by the text itself, so never stale."""

    def db_value(self, value: Any) -> Any:
        return json.dumps(list(value), ensure_ascii=False)

    def python_value(self, value: Any) -> Any:
        return _strings(value)


def table_name(model: type[Model]) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", model.__name__).lower() + "s"


def insert_statement(model: type[Model], fields: list[Field]) -> str:
    """An INSERT of one row, which is written in 3 µs here; Peewee needs 200."""
    columns = ", ".join(f'"{field.column_name}"' for field in fields)
    places = ", ".join([db.param] * len(fields))
    return f'INSERT INTO "{model._meta.table_name}" ({columns}) VALUES ({places})'  # noqa: S608


def insert_rows(model: Any, rows: list[dict[str, Any]]) -> None:
    """Insert several rows, dicts with the same keys, in few statements; defaults fill the other columns."""
    if not rows:
        return
    defaults = {field.name: value() if callable(value) else value for field, value in model._meta.defaults.items()}
    rows = [defaults | row for row in rows]
    fields = [model._meta.fields[name] for name in rows[0]]
    values = [[field.db_value(row[field.name]) for field in fields] for row in rows]
    places = f", ({', '.join([db.param] * len(fields))})"
    # A statement for as many as every SQLite binds; of executemany, Postgres' driver makes three journeys.
    for some in chunked(values, 999 // len(fields)):
        db.defer_sql(insert_statement(model, fields) + places * (len(some) - 1), [*itertools.chain(*some)])


class Table(Model):
    """The base of every table; its name is that of the model in the plural."""

    class Meta:
        database = db
        legacy_table_names = False
        table_function = table_name


def tables() -> list[Any]:
    """Every table, each after those that it refers to: the subclasses of Table that have none themselves."""
    found, pending = [], [Table]
    while pending:
        model = pending.pop()
        pending += model.__subclasses__()
        found += [] if model.__subclasses__() else [model]
    return sort_models(found)


def refuse_unscoped() -> None:
    """Raise TypeError for a model that has rules (they take `everything`) and does not say whose its rows are."""
    for model in tables():
        if getattr(model, "RESOURCE", "") or getattr(model, "WHOSE", ""):
            continue
        for name, rule in inspect.getmembers(model, inspect.ismethod):
            if "everything" in inspect.signature(rule).parameters:
                raise TypeError(
                    f"{model.__name__}.{name}: {model.__name__} must say whose its rows are, RESOURCE or WHOSE"
                )


class BaseModel(Table):
    """A table whose rows have an `id`, which is never given again."""

    #: The resource whose permission `view-all` shows every row, and `manage` opens it to changes.
    RESOURCE: ClassVar[str] = ""
    #: Whose rows are that no permission opens: "owner", who alone sees them, or "nobody": who may list them sees all.
    WHOSE: ClassVar[Literal["", "owner", "nobody"]] = ""
    #: The filters of a list: name of the argument → function from a value (or placeholder) to a condition.
    FILTERS: ClassVar[dict[str, Callable[[Any], Any]]] = {}
    #: The columns that a list can be sorted by besides `id`, as the API spells them.
    SORTS: ClassVar[tuple[str, ...]] = ()
    #: The order when none is asked for.
    SORT: ClassVar[str] = "id"
    #: The reference to the owner, for tables with a limit of rows per owner (web.limits.ROWS).
    OWNER: ClassVar[str] = ""

    id: Any = Key()
    #: Whether the row, or what belongs to it, was changed since it was read.
    changed = False

    if TYPE_CHECKING:  # for the attributes that Peewee makes itself: `task.creator_id`, `folder.documents`

        def __getattr__(self, name: str) -> Any: ...

    @classmethod
    def sort_column(cls, name: str) -> Any:
        """The column that the name of a sort means, or the expression `by_<name>` if the model has one."""
        snake = re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", name)
        return getattr(cls, f"by_{snake}", None) or getattr(cls, snake)

    @classmethod
    def columns_except(cls, *names: str) -> list[Field]:
        """All columns of the model but these: where one is too large for a list, or too secret."""
        return [field for field in cls._meta.sorted_fields if field.name not in names]

    @classmethod
    def owned_by(cls, user: Any) -> Any:
        """The condition that a row is the user's own: only its owner may do what asks for it."""
        return getattr(cls, cls.OWNER) == user

    @classmethod
    def owned_at(cls, number: int, owner: Any) -> Select:
        """The row at this number of those that are the user `owner`'s; to find none is faster than to count them."""
        return cls.select(cls.id).where(cls.owned_by(owner)).limit(1).offset(number - 1)

    @classmethod
    def create(cls, **values: Any) -> Self:
        """Like Peewee's `create`, which renders its INSERT anew at each call."""
        row: Any = cls(**values)
        fields = [cls._meta.fields[name] for name in row.__data__]
        bound = [field.db_value(row.__data__[field.name]) for field in fields]
        if isinstance(db.obj, SqliteDatabase):
            row.id = db.execute_sql(insert_statement(cls, fields), bound).lastrowid
        else:
            (row.id,) = db.execute_sql(f'{insert_statement(cls, fields)} RETURNING "id"', bound).fetchone()
        return row

    def change(self, **values: Any) -> Self:
        """Update only the columns whose values differ. Returns the row itself."""
        changed = {name: value for name, value in values.items() if getattr(self, name) != value}
        if changed and "updated_at" in self._meta.fields:
            changed["updated_at"] = engines.now()
        if changed:
            self.changed = True
            for name, value in changed.items():
                setattr(self, name, value)
            fields = [self._meta.combined[name] for name in changed]
            places = ", ".join(f'"{field.column_name}" = {db.param}' for field in fields)
            bound = [field.db_value(self.__data__[field.name]) for field in fields]
            statement = f'UPDATE "{self._meta.table_name}" SET {places} WHERE "id" = {db.param}'  # noqa: S608
            db.execute_sql(statement, [*bound, self.id])
        return self


class Timestamped(BaseModel):
    # A lambda, because tests replace `engines.now`.
    created_at = UTCField(default=lambda: engines.now())
    updated_at = UTCField(default=lambda: engines.now())


def owned(model: type[Model], related_name: str, **options: Any) -> Any:
    """A reference whose row goes with the one it names."""
    return ForeignKeyField(model, backref=related_name, on_delete="CASCADE", **options)


class Setting(Table):
    """Facts about the database: the schema version, the signing secret, the day it was seeded."""

    key = CharField(primary_key=True)
    value = TextField()

    @classmethod
    def read(cls, key: str) -> str | None:
        return cls.select(cls.value).where(cls.key == key).scalar()

    @classmethod
    def keep(cls, key: str, value: str) -> None:
        cls.insert(key=key, value=value).on_conflict(conflict_target=[cls.key], update={cls.value: value}).execute()
