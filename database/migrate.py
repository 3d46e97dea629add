"""How the tables are made, compared with the models, and brought up to date by the files in `database/migrations/`.

After a change of a model, `python halolight.py --migrate` writes the next of these files from the difference. It is a
plain script for Peewee's `playhouse.migrations`: read it before it is applied, because a renamed column looks like one
that goes and one that comes, and commit it with the model.
"""

import logging
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from peewee import Field
from playhouse.migrations import Runner, template
from playhouse.schema_diff import SchemaDiff, diff_models

from database.backup import copy_to
from database.base import Setting, tables
from database.engines import DatabaseRefused, Postgres, SQLite, db, first_line, write
from database.turns import unhurried

log = logging.getLogger("halolight")
logging.getLogger("peewee.migrations").setLevel(logging.WARNING)  # a line of our own tells of all

FOLDER = Path(__file__).parent / "migrations"
#: What the history of applied files is called in the database.
HISTORY = "migrations"
COMMAND = "python halolight.py --migrate"
#: Seconds that a change of a table on Postgres waits for transactions which use it; requests queue up behind it.
LOCK_SECONDS = 10


def create_tables() -> bool:
    """Make the tables in an empty database; say whether they were missing."""
    with unhurried(), write():
        if db.get_tables():
            return False
        db.create_tables(tables())
        index_sorts()
        runner().fake()
        Setting.create(key="secret", value=secrets.token_urlsafe(48))
        return True


def index_sorts() -> None:
    """An index for each order that a list offers: its first page then costs the same at any number of rows."""
    for model in tables():
        for name in getattr(model, "SORTS", ()):
            column = cast(Any, model).sort_column(name)
            if not isinstance(column, Field) or column.unique:
                continue
            db.execute(model.index(column))
            if column.null and isinstance(db.obj, Postgres):  # read backwards, the first index has its NULLs in front
                db.execute(model.index(column.desc(nulls="last"), name=f"{model._meta.table_name}_{column.name}_last"))


def runner() -> Runner:
    return Runner(db.obj, str(FOLDER), HISTORY)


def pending() -> list[str]:
    """The files that are still to be applied, in their order."""
    return [each.name for each in runner().status() if not each.applied]


class Names:
    """The database as `diff_models` asks it: columns have names only, as Peewee's query for them takes 2 ms a table."""

    def __getattr__(self, name: str) -> Any:
        return getattr(db, name)

    def get_columns(self, table: str, schema: str | None) -> list[Any]:
        found = db.execute_sql(f'SELECT * FROM "{table}" LIMIT 0')  # noqa: S608
        return [SimpleNamespace(name=column[0]) for column in found.description]


def differences() -> SchemaDiff:
    """How the tables differ from the models: by tables, columns and indexes.

    An index that no model has does no harm unless it is unique: those of `index_sorts`, and an operator's own.
    """
    found = diff_models(Names(), tables())
    return found._replace(drop_indexes=[index for index in found.drop_indexes if index.unique])


def behind() -> str | None:
    """Why this HaloLight cannot use the tables as they are, in one line that names what to do; None if it can."""
    found = str(differences()).splitlines() or [f"apply {name}" for name in pending()]
    return f"the database differs from the models ({found[0]}); run: {COMMAND}" if found else None


def refuse_foreign() -> None:
    """Raise DatabaseRefused for the tables of another application, or of a newer HaloLight."""
    columns = {column.name for column in db.get_columns(Setting._meta.table_name)}
    if not {"key", "value"} <= columns or Setting.read("secret") is None:
        raise DatabaseRefused("the database holds another application's tables; it was not touched")
    for each in runner().status():
        if each.path is None:
            raise DatabaseRefused(
                f"a newer HaloLight has migrated the database ({each.name}): use it, or restore a copy"
            )


def update(by_itself: bool) -> None:
    """Refuse tables that differ from the models (DatabaseRefused).

    With `by_itself` the pending files are applied first, if the database is a SQLite file; the log tells of it.
    """
    refuse_foreign()
    done = apply() if by_itself and isinstance(db.obj, SQLite) and pending() else None
    if done:
        log.warning(done)
    reason = behind()
    if reason:
        raise DatabaseRefused(reason)
    if done:
        with unhurried(), write():
            index_sorts()


def migrate() -> list[str]:
    """Apply the pending files, then write the next one if the models are ahead of them; gives a line for each.

    Raises DatabaseRefused, also for a file that fails: it has changed nothing.
    """
    refuse_foreign()
    done = apply()
    lines, found = [done] if done else [], differences()
    if found:
        # Without it, indexes would be named after the class, as Peewee once did.
        body = re.sub(r"( +)database = db\n", r"\g<0>\1legacy_table_names = False\n", template(found))
        path = runner().create(str(found).splitlines()[0], body)
        return [*lines, f"the models are ahead: wrote {path}; read it, then run this again"]
    with unhurried(), write():
        index_sorts()
    return lines or ["the database is up to date"]


def apply() -> str | None:
    """Apply the pending files in one transaction, after a copy of a SQLite file beside it; a line about both.

    None if there is none, maybe because another process has applied them while this one waited.
    """
    with unhurried(), rebuilding():
        names = pending()
        if not names:
            return None
        done = f"migrated the database to {names[-1]}"
        if isinstance(db.obj, SQLite):
            copy = Path(f"{db.database}.before-{names[0].partition('_')[0]}")
            copy_to(copy, replace=True)
            done += f"; as it was before: {copy}"
        try:
            runner().up()
        except Exception as error:
            raise DatabaseRefused(f"a migration failed, and nothing was changed: {first_line(error)}") from error
    return done


@contextmanager
def rebuilding() -> Iterator[None]:
    """A transaction in which tables may be altered, and rebuilt on SQLite, which alters most only so.

    Rebuilding one drops it, which would delete the rows that refer to its own: so the foreign keys are off meanwhile,
    and checked at the end. It would also forget the highest id that was ever given.
    """
    if isinstance(db.obj, Postgres):
        with write():
            db.execute_sql(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")
            yield
        return
    db.pragma("foreign_keys", 0)  # within a transaction it would do nothing
    try:
        with write():
            before = given_ids()
            yield
            for table, highest in before.items():
                if highest > given_ids().get(table, 0) and table in db.get_tables():
                    db.execute_sql("DELETE FROM sqlite_sequence WHERE name = ?", (table,))
                    db.execute_sql("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, highest))
            broken = db.execute_sql("PRAGMA foreign_key_check").fetchone()
            if broken:
                raise DatabaseRefused(f"a migration left rows of {broken[0]} that refer to none of {broken[2]}")
    finally:
        db.pragma("foreign_keys", 1)


def given_ids() -> dict[str, int]:
    """The highest id that SQLite has given in each table."""
    return dict(db.execute_sql("SELECT name, seq FROM sqlite_sequence").fetchall())
