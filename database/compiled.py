"""Statements compiled to SQL once.

Peewee renders a query to SQL each time it is run, which takes longer than running it. So views pass the
*rule* (`Task.visible_to`), not its result. It is called here once for each shape, with slots instead of values;
the SQL is kept, and from then on only values are bound. A shape is everything that changes the SQL:
the rule, whether the caller sees all rows, which filters are used and with how many values, the order.
INSERT and UPDATE are compiled in the same way, once for the model and the columns that they set.

`GET /api/tasks?status=done` has the shape `((Task.visible_to, False, "status", "status.0"), ("-createdAt",), False)`,
with the filter, the slot of its only value, and the order. Its SQL selects
`WHERE (creator_id = ? OR assignee_id = ?) AND status = ? ORDER BY created_at DESC LIMIT ? OFFSET ?`.
"""

from collections import namedtuple
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import Any, TypeVar, cast

from peewee import Alias, CharField, Field, ForeignKeyField, IntegerField, Select, TextField, Value

from database.engines import db
from database.fields import StringsField, UTCField
from database.rules import ROWS

#: More shapes than this are never in use. If a client tries every combination of sorts, all are compiled anew.
MAX_SHAPES = 2000
_utc = UTCField()


class Slot:
    """The place of a value that is bound when the statement is run."""

    def __init__(self, name: str):
        self.name = name


def slot(name: str) -> Value:
    return Value(Slot(name), converter=False, unpack=False)


def slots(names: Iterable[str]) -> dict[str, Value]:
    return {name: slot(name) for name in names}


class Statement:
    """A query rendered once, to be run with a value for each of its slots."""

    def __init__(self, query: Any):
        self.sql, parameters = query.sql()
        self.parameters = [(p.name, None) if isinstance(p, Slot) else (None, p) for p in parameters]

    def bind(self, values: dict[str, Any]) -> list[Any]:
        """What the driver binds to the placeholders of the SQL; `values` are as the driver takes them."""
        return [values[name] if name else fixed for name, fixed in self.parameters]

    def run(self, values: dict[str, Any]) -> Any:
        """Run it. Returns the driver's cursor."""
        return db.obj.execute_sql(self.sql, self.bind(values))

    def defer(self, values: dict[str, Any]) -> None:
        """Run it with the next statement of the transaction, because nobody needs its result."""
        db.obj.defer_sql(self.sql, self.bind(values))


class CompiledSelect(Statement):
    """A select rendered once. Calling it with a value for each slot gives rows as named tuples."""

    def __init__(self, query: Any):
        super().__init__(query)
        names, readers = zip(*(_column(node) for node in query._returning), strict=True)
        row: Any = namedtuple("Row", names)  # type: ignore[misc]
        self.make = row._make
        # Only for columns that the driver returns in another type than the field's (times and booleans on SQLite).
        self.readers = [(index, read) for index, read in enumerate(readers) if read]

    def __call__(self, **values: Any) -> list[Any]:
        stored = {name: _utc.db_value(value) if type(value) is datetime else value for name, value in values.items()}
        # All rows at once: in a connection that is kept, a cursor left half read would hold an old snapshot.
        return [self.make(self._read(list(row))) for row in self.run(stored).fetchall()]

    def _read(self, row: list[Any]) -> list[Any]:
        for index, read in self.readers:
            if row[index] is not None:
                row[index] = read(row[index])
        return row


def _column(node: Any) -> tuple[str, Callable[[Any], Any] | None]:
    """The name of a selected column, and the function that converts its value (None: unchanged)."""
    aliased = isinstance(node, Alias)
    # A subquery with an alias is no Alias: it carries the name itself.
    name, field = (node._alias, node.node) if aliased else (getattr(node, "_alias", None), node)
    if isinstance(field, ForeignKeyField):
        return name or field.object_id_name, None
    if isinstance(field, Select):  # it selects one column
        return name or "value", _column(cast(Any, field)._returning[0])[1]
    if not isinstance(field, Field):
        return name or "value", getattr(field, "_python_value", None)
    plain = isinstance(field, (CharField, TextField, IntegerField)) and not isinstance(field, StringsField)
    return name or field.name, None if plain else field.python_value


S = TypeVar("S", bound=Statement)


def compile_once(kind: Callable[[Any], S], shape: tuple[Any, ...], build: Callable[[], Any]) -> S:
    """The statement of this shape: made from the query `build()` at its first use, and kept with the database."""
    kept = db.obj.compiled
    statement = kept.get(shape)
    if statement is None:
        if len(kept) >= MAX_SHAPES:
            kept.clear()
        statement = kept[shape] = kind(build())
    return statement


def insert(model: Any, data: dict[str, Any]) -> int:
    """Insert a row of these values, by the names of their fields. Returns its id."""
    statement = compile_once(Statement, (model, "insert", *data), lambda: model.insert(slots(data)))
    cursor = statement.run(stored(model, data))
    return cursor.fetchone()[0] if db.returning_clause else cursor.lastrowid


def update(model: Any, id: int, data: dict[str, Any]) -> None:
    """Store these values, by the names of their fields, in the row `id`."""

    def build() -> Any:
        return model.update(slots(data)).where(model.id == slot("id"))

    compile_once(Statement, (model, "update", *data), build).defer({**stored(model, data), "id": id})


def stored(model: Any, data: dict[str, Any]) -> dict[str, Any]:
    """Values as the database takes them."""
    fields = model._meta.fields
    return {name: fields[name].db_value(value) for name, value in data.items()}


def rows(selector: Callable[..., Select], *fixed: Any, **values: Any) -> list[Any]:
    """The rows of `selector(*fixed, **values)`. Arguments that change the SQL are `fixed`; values are bound."""
    shape = (selector, fixed, tuple(values))
    return compile_once(CompiledSelect, shape, lambda: selector(*fixed, **slots(values)))(**values)


def one(selector: Callable[..., Select], id: int, user: int, everything: bool) -> Any | None:
    """The row `id` among those of `selector(user, everything)`, or None."""

    def build() -> Select:
        return selector(slot("user"), everything).where(model_of(selector).id == slot("id"))

    found = compile_once(CompiledSelect, (selector, "one", everything), build)(user=user, id=id)
    return found[0] if found else None


def only(query: Any, rule: Any) -> Any:
    """`query` with the conditions of the select `rule`, and none of its joins: they speak of its own columns only."""
    return query if rule._where is None else query.where(rule._where)


def whole(
    selector: Callable[..., Select], rule: Callable[[Any], Any] | None, id: int, user: int, everything: bool
) -> Any | None:
    """The row `id` among those of `selector(user, everything)` as an instance, to be changed.

    None if it is not there, or `rule(user)` does not hold for it. On Postgres the row is locked until the transaction
    ends: who would change it as well waits, and then gets it as it is by then.
    """
    model = model_of(selector)

    def build() -> Select:
        query = only(model.select(), selector(slot("user"), everything)).where(model.id == slot("id"))
        query = query if rule is None else query.where(rule(slot("user")))
        # Not FOR UPDATE, which new rows that refer to this one would wait for.
        return query.for_update("FOR NO KEY UPDATE") if db.for_update else query

    found = compile_once(CompiledSelect, (selector, "whole", rule, everything), build)(id=id, user=user)
    return model(__no_default__=True, **found[0]._asdict()) if found else None


def page(selector: Callable[..., Select], args: dict[str, Any], user: int, everything: bool) -> tuple[list[Any], int]:
    """One page of `selector(user, everything)`, filtered and sorted as `args` say, and the number of rows in all."""
    model, number, size = model_of(selector), args["page"], args["page_size"]
    filters = {name: args[name] for name in model.FILTERS if name in args}
    sort = args.get("sort") or (model.SORT,)
    sought = _values(filters)
    shape, narrowed = (selector, everything, *filters, *sought), partial(_narrowed, selector, everything, filters)
    values = {"user": user, "limit": size, "offset": (number - 1) * size, **sought}
    # The first page of all rows comes straight from the index of its order.
    straight = everything and not filters and number == 1
    found = compile_once(CompiledSelect, (shape, sort, straight), lambda: _page(narrowed(), sort, straight))(**values)
    if number == 1 and len(found) < size:
        return found, len(found)

    def count() -> Select:
        return only(model.select(ROWS.alias("total_rows")), narrowed())

    counted = found or compile_once(CompiledSelect, (shape, "count"), count)(**values)
    return found, counted[0].total_rows


def _values(filters: dict[str, Any]) -> dict[str, Any]:
    """The values of filters by the names of their slots. None has no slot, because it becomes IS NULL."""
    values: dict[str, Any] = {}
    for name, value in filters.items():
        values |= {f"{name}.{i}": item for i, item in enumerate(value)} if isinstance(value, list) else {name: value}
    return {name: value for name, value in values.items() if value is not None}


def _narrowed(selector: Callable[..., Select], everything: bool, filters: dict[str, Any]) -> Any:
    """The rows of `selector` for which the filters hold, with slots for their values."""
    query = selector(slot("user"), everything)
    for name, value in filters.items():
        place: Any = None if value is None else slot(name)
        if isinstance(value, list):
            place = [slot(f"{name}.{i}") for i in range(len(value))]
        query = query.where(model_of(selector).FILTERS[name](place))
    return query


def _page(narrowed: Any, sort: Sequence[str], straight: bool) -> Select:
    """One page of the select `narrowed`, with the number of all its rows beside each: one journey to the database."""
    model = narrowed.model

    def cut(query: Any) -> Any:
        return query.order_by(*order(model, sort)).limit(slot("limit")).offset(slot("offset"))

    shown = narrowed.select_extend(only(model.select(ROWS), narrowed).alias("total_rows"))
    if straight:
        return cut(shown)
    # The ids first: whole rows are then neither sorted nor skipped, but only put together for the page.
    # The page's ids take the place of the conditions, which the inner select has applied.
    shown._where = model.id.in_(cut(only(model.select(model.id), narrowed)))
    return shown.order_by(*order(model, sort))


def order(model: Any, sort: Sequence[str]) -> list[Any]:
    """ORDER BY for names such as `-createdAt`: NULLs last, and `id` in the direction of the last name."""
    terms = []
    for name in sort:
        column = model.sort_column(name.removeprefix("-"))
        nulls = "last" if getattr(column, "null", False) else None
        terms.append(column.desc(nulls=nulls) if name.startswith("-") else column.asc(nulls=nulls))
    if sort[-1].removeprefix("-") != "id":
        terms.append(model.id.desc() if sort[-1].startswith("-") else model.id.asc())
    return terms


def model_of(selector: Any) -> Any:
    """The model of a rule. A rule is a classmethod, so its `__self__` is the model."""
    return selector.__self__
