"""The pieces that selects and filters are put together from."""

import functools
import json
import operator
from collections.abc import Callable
from typing import Any, cast

from peewee import CTE, JOIN, SQL, ForeignKeyField, NodeList, Select, SqliteDatabase, Value, ValuesList, fn

from database.engines import db

#: The number of rows. To count the values of a column instead, SQLite would have to read each row.
ROWS: Any = fn.COUNT(SQL("*"))


def one_of(column: Any) -> Callable[[Any], Any]:
    """A filter by the values of `column`: takes None, a value or a list of values, or placeholders for them."""

    def condition(value: Any) -> Any:
        if isinstance(value, list):
            return column == value[0] if len(value) == 1 else column.in_(value)
        return column.is_null() if value is None else column == value

    return condition


def contains(*columns: Any) -> Callable[[Any], Any]:
    """A search: takes a part of a text, ignoring the case of ASCII letters; every other character stands for itself.

    Not LIKE, which compares letter by letter from each place of the text: in a document of a megabyte of `a` that
    took 0.1 s.
    """

    def condition(part: Any) -> Any:
        if isinstance(db.obj, SqliteDatabase):
            found = [fn.INSTR(fn.LOWER(column), fn.LOWER(part)) > 0 for column in columns]
        else:  # with any other collation, LOWER and the comparison follow the rules of a language, which takes longer
            ascii_only = SQL('COLLATE "C"')
            sought = fn.LOWER(NodeList((part, ascii_only)))
            found = [fn.STRPOS(fn.LOWER(NodeList((column, ascii_only))), sought) > 0 for column in columns]
        return functools.reduce(operator.or_, found)

    return condition


def among(column: Any, ids: Select) -> Any:
    """`column IN (subquery)` for use inside an OR. Postgres uses both indexes only if the subquery is an array."""
    if isinstance(db.obj, SqliteDatabase):
        return column.in_(ids)
    return column == fn.ANY(fn.ARRAY(ids))


def gathered(rows: Select) -> Select:
    """Aggregates a correlated subquery into one JSON column: a list of values (one column) or of dicts."""
    each = rows.alias("each")
    names = [getattr(column, "_alias", None) or column.name for column in cast(Any, rows)._returning]
    sqlite = isinstance(db.obj, SqliteDatabase)
    if len(names) == 1:
        row = each.c[names[0]]
    elif sqlite:
        row = fn.json_object(*(part for name in names for part in (SQL(f"'{name}'"), each.c[name])))
    else:
        row = SQL('"each"')
    together = fn.json_group_array(row) if sqlite else fn.COALESCE(fn.json_agg(row), SQL("'[]'"))
    # On Postgres the driver parses the JSON itself.
    return Select((each,), (together.python_value(json.loads if sqlite else None),))


def person(alias: Any, prefix: str) -> tuple[Any, ...]:
    """The columns of a nested `{id, name, avatar}`: `<prefix>_id` comes with the reference, the others from `alias`."""
    return alias.name.alias(f"{prefix}_name"), alias.avatar.alias(f"{prefix}_avatar")


def path(parent: ForeignKeyField, row: int, most: int) -> list[int]:
    """The ids of a row of a tree and of those that it lies in, at most `most`, from the inside out."""
    found = _reached(parent, row, most, inwards=False)
    return [id for (id,) in found.select_from(found.c.id).order_by(found.c.level).tuples()]


def height(parent: ForeignKeyField, row: int, most: int) -> int:
    """The number of levels of a row of a tree and of all inside it, counted up to `most`."""
    found = _reached(parent, row, most, inwards=True)
    return found.select_from(fn.MAX(found.c.level)).scalar()


def _reached(parent: Any, row: int, most: int, inwards: bool) -> CTE:
    """`id` and `level` of `row` (level 1) and of all rows inside it, or of all that it lies in; `most` levels.

    A recursive common table expression: SQL that begins with one row and adds the neighbours of the last ones found.
    """
    model = parent.model
    first = model.select(model.id, parent, Value(1)).where(model.id == row)
    found = first.cte("found", recursive=True, columns=("id", "parent_id", "level"))
    other = model.alias()
    others_parent = getattr(other, parent.name)
    beside = others_parent == found.c.id if inwards else other.id == found.c.parent_id
    further = other.select(other.id, others_parent, found.c.level + 1).join(found, on=beside)
    return found.union_all(further.where(found.c.level < most))


def per_span(column: Any, bounds: dict[str, Any], *counts: Any) -> Select:
    """`counts` over the rows of each span of time: a row for each span, in order, also for an empty one.

    `bounds` are the instants at which spans begin and end, in turn. The spans are joined as a table, so that one
    select counts them all, with the index on `column`.
    """
    instants = list(bounds.values())
    pairs = ValuesList(list(zip(instants[::2], instants[1::2], strict=True)))
    spans = CTE("spans", pairs, columns=("begin_at", "end_at"))
    inside = (column >= spans.c.begin_at) & (column < spans.c.end_at)
    counted = column.model.select(*counts).from_(spans).join(column.model, JOIN.LEFT_OUTER, on=inside)
    return counted.group_by(spans.c.begin_at).order_by(spans.c.begin_at).with_cte(spans)
