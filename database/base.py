"""The base of every table: keys, fields, and how rows are written."""

import inspect
import itertools
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import peewee
from peewee import CharField, Field, IntegrityError, Model, Select, SqliteDatabase, TextField

from database import compiled, engines
from database.compiled import Statement, compile_once, slots
from database.engines import db
from database.fields import Key, UTCField


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


def table_name(model: type[Model]) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", model.__name__).lower() + "s"


def insert_rows(model: Any, rows: list[dict[str, Any]]) -> None:
    """Insert several rows, dicts with the same keys, in few statements; defaults fill the other columns."""
    if not rows:
        return
    defaults = {field.name: value() if callable(value) else value for field, value in model._meta.defaults.items()}
    rows = [compiled.stored(model, defaults | row) for row in rows]
    names = tuple(rows[0])
    # `returning` nothing, because Peewee would ask Postgres for the ids.
    one = compile_once(Statement, (model, "insert rows", names), lambda: model.insert(slots(names)).returning())
    another = f", ({', '.join([db.param] * len(names))})"
    # Every SQLite binds 999 values to one statement. `executemany` would make three journeys to Postgres.
    most = 999 // len(names)
    for start in range(0, len(rows), most):
        some = rows[start : start + most]
        db.defer_sql(one.sql + another * (len(some) - 1), [*itertools.chain(*map(one.bind, some))])


class Table(Model):
    """The base of every table. A table has the name of its model in the plural."""

    class Meta:
        database = db
        legacy_table_names = False
        table_function = table_name


def tables() -> list[Any]:
    """The models of all tables (subclasses of Table that have none themselves), each after those it refers to."""
    found, pending = [], [Table]
    while pending:
        model = pending.pop()
        pending += model.__subclasses__()
        found += [] if model.__subclasses__() else [model]
    return peewee.sort_models(found)  # type: ignore[attr-defined]  # its stubs do not know it


def refuse_unscoped() -> None:
    """Raise TypeError for a model with a rule (it takes `everything`) that does not say whose its rows are."""
    for model in tables():
        if getattr(model, "RESOURCE", "") or getattr(model, "WHOSE", ""):
            continue
        for name, rule in inspect.getmembers(model, inspect.ismethod):
            if "everything" in rule.__code__.co_varnames:
                raise TypeError(
                    f"{model.__name__}.{name}: {model.__name__} must say whose its rows are, RESOURCE or WHOSE"
                )


class BaseModel(Table):
    """A table whose rows have an `id`, which is never given again."""

    #: The resource: its permission `view-all` lets a user see every row, and `manage` change it.
    RESOURCE: ClassVar[str] = ""
    #: Without a RESOURCE: "owner" if only the owner ever sees a row, "nobody" if everybody who may list them sees all.
    WHOSE: ClassVar[Literal["", "owner", "nobody"]] = ""
    #: The filters of a list: name of the argument → function from its value, or a slot for it, to a condition.
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
        """The column to sort by for a name of SORTS, or the expression `by_<name>` if the model has one."""
        snake = re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", name)
        return getattr(cls, f"by_{snake}", None) or getattr(cls, snake)

    @classmethod
    def columns_except(cls, *names: str) -> list[Field]:
        """All columns except those that are too large for a list, or secret."""
        return [field for field in cls._meta.sorted_fields if field.name not in names]

    @classmethod
    def owned_by(cls, user: Any) -> Any:
        """The condition that `user` owns the row."""
        return getattr(cls, cls.OWNER) == user

    @classmethod
    def owned_at(cls, number: int, owner: Any) -> Select:
        """The row with this number among those that `owner` owns. To find none is faster than to count them all."""
        return cls.select(cls.id).where(cls.owned_by(owner)).limit(1).offset(number - 1)

    @classmethod
    def create(cls, **values: Any) -> Self:
        """Like Peewee's `create`, with a compiled INSERT."""
        row = cls(**values)
        row.id = compiled.insert(cls, row.__data__)
        return row

    @classmethod
    def delete_rows(cls, ids: list[int]) -> int:
        """Delete the rows with these ids, and what belongs to them. Returns their number."""
        return cls.delete().where(cls.id.in_(ids)).execute()

    def delete_instance(self, recursive: bool = False, delete_nullable: bool = False) -> int:
        """Delete the row as `delete_rows` does, whatever the arguments: the database deletes what belongs to it."""
        return self.delete_rows([self.id])

    def change(self, **values: Any) -> Self:
        """Update only the columns whose values differ. Returns the row itself."""
        changed = {name: value for name, value in values.items() if getattr(self, name) != value}
        if changed and "updated_at" in self._meta.fields:
            changed["updated_at"] = engines.now()
        if changed:
            self.changed = True
            for name, value in changed.items():
                setattr(self, name, value)
            names = [self._meta.combined[name].name for name in changed]  # `assignee_id` sets `assignee`
            compiled.update(type(self), self.id, {name: self.__data__[name] for name in names})
        return self


class Timestamped(BaseModel):
    # A lambda, because tests replace `engines.now`.
    created_at = UTCField(default=lambda: engines.now())
    updated_at = UTCField(default=lambda: engines.now())


class Setting(Table):
    """Facts about the database: the signing secret, the day it was seeded."""

    key = CharField(primary_key=True)
    value = TextField()

    @classmethod
    def read(cls, key: str) -> str | None:
        return cls.select(cls.value).where(cls.key == key).scalar()

    @classmethod
    def keep(cls, key: str, value: str) -> None:
        cls.insert(key=key, value=value).on_conflict(conflict_target=[cls.key], update={cls.value: value}).execute()
