"""Selects compiled to SQL once.

Peewee renders a select's SQL each time it is run, which takes longer than running it. So views pass the
*rule* (`Task.visible_to`), not its result; here it is called once per shape with placeholders instead of
values, the SQL is kept, and afterwards only values are bound. A shape is everything that changes the SQL:
the rule, whether the caller sees all rows, which filters are used and with how many values, the order.

`GET /api/tasks?status=done` has the shape `(Task.visible_to, False, (("status", 1),), ("-createdAt",), False)`, and
its SQL selects `WHERE (creator_id = ? OR assignee_id = ?) AND status = ? ORDER BY created_at DESC LIMIT ? OFFSET ?`.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, cast

from peewee import Alias, CharField, Field, ForeignKeyField, IntegerField, Select, TextField, Value

from database.base import BaseModel, StringsField, UTCField
from database.engines import db
from database.rules import ROWS

#: More shapes than this are never in use; a client that tries every combination of sorts ends here.
MAX_SHAPES = 2000
_utc = UTCField()


class Slot:
    """The place of a value that is bound when the select is run."""

    def __init__(self, name: str):
        self.name = name


def slot(name: str) -> Value:
    return Value(Slot(name), converter=False, unpack=False)


class Prepared:
    """A select rendered once. Calling it with a value for each placeholder gives rows as named tuples."""

    def __init__(self, query: Any):
        sql, parameters = query.sql()
        self.sql = sql
        self.parameters = [(p.name, None) if isinstance(p, Slot) else (None, p) for p in parameters]
        names, readers = zip(*(_column(node) for node in query._returning), strict=True)
        row: Any = namedtuple("Row", names)  # type: ignore[misc]
        self.make = row._make
        # Only columns that drivers return in another type than the field's (times and booleans on SQLite).
        self.readers = [(index, read) for index, read in enumerate(readers) if read]

    def __call__(self, **values: Any) -> list[Any]:
        bound = [values[name] if name else fixed for name, fixed in self.parameters]
        bound = [_utc.db_value(value) if type(value) is datetime else value for value in bound]
        # All at once: a cursor left half read would pin an old snapshot in a kept connection.
        fetched = db.obj.execute_sql(self.sql, bound).fetchall()
        if not self.readers:
            return [self.make(row) for row in fetched]
        return [self.make(self._read(list(row))) for row in fetched]

    def _read(self, row: list[Any]) -> list[Any]:
        for index, read in self.readers:
            if row[index] is not None:
                row[index] = read(row[index])
        return row


def _column(node: Any) -> tuple[str, Callable[[Any], Any] | None]:
    """The name of a selected column, and the function that converts its value (None: unchanged)."""
    aliased = isinstance(node, Alias)
    # A subquery keeps the name that it was given itself.
    name, field = (node._alias, node.node) if aliased else (getattr(node, "_alias", None), node)
    if isinstance(field, ForeignKeyField):
        return name or field.object_id_name, None
    if isinstance(field, Select):  # it selects one column
        return name or "value", _column(cast(Any, field)._returning[0])[1]
    if not isinstance(field, Field):
        return name or "value", getattr(field, "_python_value", None)
    plain = isinstance(field, (CharField, TextField, IntegerField)) and not isinstance(field, StringsField)
    return name or field.name, None if plain else field.python_value


def prepare(shape: tuple[Any, ...], build: Callable[[], Select]) -> Prepared:
    """The compiled form of `build()`, made at its first use with the database in use."""
    kept = db.obj.prepared
    if shape not in kept:
        if len(kept) >= MAX_SHAPES:
            kept.clear()
        kept[shape] = Prepared(build())
    return kept[shape]


def rows(selector: Callable[..., Select], *fixed: Any, **values: Any) -> list[Any]:
    """The rows of `selector(*fixed, **values)`. Arguments that change the SQL are `fixed`; values are bound."""
    run = prepare((selector, fixed, tuple(values)), lambda: selector(*fixed, **{name: slot(name) for name in values}))
    return run(**values)


def one(selector: Callable[..., Select], id: int, user: int, everything: bool) -> Any | None:
    """The row `id` among those of `selector(user, everything)`, or None."""
    model = model_of(selector)

    def build() -> Select:
        return selector(slot("user"), everything).where(model.id == slot("id"))

    found = prepare((selector, "one", everything), build)(user=user, id=id)
    return found[0] if found else None


def only(query: Any, rule: Any) -> Any:
    """`query` with the conditions of the select `rule`."""
    return query if rule._where is None else query.where(rule._where)


def whole(
    selector: Callable[..., Select], rule: Callable[[Any], Any] | None, id: int, user: int, everything: bool
) -> Any | None:
    """The row `id` among those of `selector(user, everything)` as an instance, to be changed.

    None if it is not there, or `rule(user)` does not hold for it. On Postgres the row is locked until the transaction
    ends: who would change it as well waits, and then gets it as it is by then.
    """
    model: Any = model_of(selector)

    def build() -> Select:
        query = only(model.select(), selector(slot("user"), everything)).where(model.id == slot("id"))
        query = query if rule is None else query.where(rule(slot("user")))
        # Not FOR UPDATE, which new rows that refer to this one would wait for.
        return query.for_update("FOR NO KEY UPDATE") if db.for_update else query

    found = prepare((selector, "whole", rule, everything), build)(id=id, user=user)
    return model(__no_default__=True, **found[0]._asdict()) if found else None


def page(selector: Callable[..., Select], args: dict[str, Any], user: int, everything: bool) -> tuple[list[Any], int]:
    """One page of `selector(user, everything)`, filtered and sorted as `args` say, and the number of rows in all."""
    model = model_of(selector)
    sort = args.get("sort") or (model.SORT,)
    used = {name: args[name] for name in model.FILTERS if name in args}
    # Strings, because `True == 1` would collide with the key of a one-element list.
    shape = tuple((n, len(v) if isinstance(v, list) else "null" if v is None else "one") for n, v in used.items())
    size = args["page_size"]
    # The first page of all rows comes straight from the index of its order.
    straight = everything and not used and args["page"] == 1
    values: dict[str, Any] = {"user": user, "limit": size, "offset": (args["page"] - 1) * size}
    for name, value in used.items():
        values |= {f"{name}.{i}": item for i, item in enumerate(value)} if isinstance(value, list) else {name: value}

    def narrowed() -> Any:
        query = selector(slot("user"), everything)
        for name, value in used.items():
            place: Any = None if value is None else slot(name)
            if isinstance(value, list):
                place = [slot(f"{name}.{i}") for i in range(len(value))]
            query = query.where(model.FILTERS[name](place))
        return query

    def only(column: Any) -> Any:
        query, condition = model.select(column), narrowed()._where
        return query if condition is None else query.where(condition)

    def build() -> Select:
        def cut(query: Any) -> Any:
            return query.order_by(*order(model, sort)).limit(slot("limit")).offset(slot("offset"))

        # With the number of rows beside each: one statement less, so one journey less to Postgres.
        shown = narrowed().select_extend(only(ROWS).alias("total_rows"))
        if straight:
            return cut(shown)
        # The ids first: whole rows are then neither sorted nor skipped, but only put together for the page.
        # The page's ids take the place of the conditions, which the inner select has applied.
        shown._where = model.id.in_(cut(only(model.id)))
        return shown.order_by(*order(model, sort))

    def build_count() -> Select:
        return only(ROWS.alias("total_rows"))

    found = prepare((selector, everything, shape, sort, straight), build)(**values)
    if args["page"] == 1 and len(found) < size:
        return found, len(found)
    counted = found or prepare((selector, "count", everything, shape), build_count)(**values)
    return found, counted[0].total_rows


def order(model: type[BaseModel], sort: Sequence[str]) -> list[Any]:
    """ORDER BY for names such as `-createdAt`: NULLs last, and `id` in the direction of the last name."""
    terms = []
    for name in sort:
        column = model.sort_column(name.removeprefix("-"))
        nulls = "last" if getattr(column, "null", False) else None
        terms.append(column.desc(nulls=nulls) if name.startswith("-") else column.asc(nulls=nulls))
    if sort[-1].removeprefix("-") != "id":
        terms.append(model.id.desc() if sort[-1].startswith("-") else model.id.asc())
    return terms


def model_of(selector: Any) -> type[BaseModel]:
    """The model of a rule. A rule is a classmethod, so its `__self__` is the model."""
    return selector.__self__
