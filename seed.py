"""The demo data: the same rows on every machine, with dates counted back from today.

`seeds/rows.toml` lists the rows, `seeds/zh.toml` and `seeds/en.toml` hold their texts; `seeds/rules.py` and
`seeds/figures.py` compute every other column. A set is one choice of rows: `zh` and `en` in these languages, `empty`
with accounts and roles only, `edge` with rows that break pages (`seeds/edge.py`).

python seed.py                            fill an empty database, change nothing in any other
python seed.py --reset [--set en]         put everything back as it was seeded, in one transaction
python seed.py --users N --documents N    then add made-up ones until there are so many, to see how lists grow
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from typing import Any

import click
from peewee import DatabaseError, SqliteDatabase, fn

import models as m
from database import base, engines, migrate
from database.base import Setting, insert_rows
from database.turns import unhurried
from seeds import edge, figures, growth, rules
from seeds.dates import at, today
from seeds.written import LANGUAGES, position, written
from web.config import BadConfiguration

PASSWORD = "123456"  # noqa: S105
#: Its hash, which a first start would need 0.1 s to make. Everybody may know it, as they know the password.
HASHED = (
    "scrypt:32768:8:1$yg1ykay8L9FXtQOT$5a4423c64ffb6b12ef4122d14df8da3c29343070111b104"
    "4e3077ece992c056a7a761f53cc553fcff2dd38282fc0ed2ca25669c8d9e7561854abf7f236817ff2"
)
#: How many rows are added in one transaction: between two of them others may write.
CHUNK = 10_000


class NotResettable(Exception):
    """The demo rows cannot be put back; the text says why, and is one of web.texts."""


def seed(demo: bool, name: str = "zh") -> None:
    """Fill an empty database: the roles, and with `demo` the set `name`. Runs in the caller's transaction."""
    rows = written(name)
    insert_all(rules.roles(rows))
    if not demo:
        return
    if Setting.read("demo_password") is None:
        Setting.keep("demo_password", HASHED)
    Setting.keep("seeded", today().isoformat())
    Setting.keep("set", name)
    insert_all(rules.users(rows))
    if name == "empty":
        return
    for rule in (*rules.CONTENT, *figures.FIGURES):
        insert_all(rule(rows))
    if name == "edge":
        owner = position(rows["people"], "edge")
        for model, added in edge.rows(owner, at(0), engines.now()).items():
            insert(model, added)


def set_in_use() -> str:
    """The name of the set that the database was filled with."""
    return Setting.read("set") or "zh"


# --- The accounts, and the rows as they were -------------------------------------------------------------------------


def accounts() -> list[dict[str, Any]]:
    """The seeded accounts that the database has, each with its password as long as that is the seeded one."""
    emails = [person["email"] for person in written(set_in_use())["people"] if "email" in person]
    role = m.Role.name.alias("role"), m.Role.label.alias("role_label")
    users = m.User.select(m.User.email, m.User.name, m.User.status, m.User.password_hash, *role).join(m.Role)
    found: Any = users.where(m.User.email.in_(emails)).order_by(m.User.id).dicts()
    hashed = Setting.read("demo_password")
    return [{**user, "password": PASSWORD if user["password_hash"] == hashed else None} for user in found]


def expect(name: str) -> None:
    """Raise BadConfiguration if the database was filled with another set than `name`."""
    if seeded() and set_in_use() != name:
        raise BadConfiguration(f"--set {name}: the database holds the set {set_in_use()}; add --reset to change it")


def reset(name: str = "") -> str:
    """Put the rows of the set `name` (empty: the one in use) in place of all, in one transaction; gives its name.

    The secret and the sessions of people who are in both sets stay: a page that is logged in as one of them does not
    notice. Raises NotResettable.
    """
    try:
        with unhurried(), engines.write():
            if not seeded():
                raise NotResettable("This database was not filled with demo data")
            name = name or set_in_use()
            put_in_place(name)
    except DatabaseError:
        reason = migrate.behind()
        if reason:
            raise NotResettable(reason.replace("the", "The", 1)) from None
        raise
    return name


def put_in_place(name: str) -> None:
    """Replace all rows by those of the set, except the settings, and the sessions of people who are in both sets."""
    # Everybody who is in two sets has the same id in both.
    theirs = m.Session.user <= min(len(written(each)["people"]) for each in (set_in_use(), name))
    sessions: list[Any] = list(m.Session.select().where(theirs).order_by(m.Session.id).dicts())
    their_tokens = m.RefreshToken.select().join(m.Session).where(theirs).order_by(m.RefreshToken.id)
    tokens: list[Any] = list(their_tokens.dicts())
    for model in reversed(base.tables()):
        if model is not Setting:
            model.delete().execute()
    seed(demo=True, name=name)
    insert(m.Session, sessions)
    insert(m.RefreshToken, tokens)


def grow(model: Any, wanted: int) -> None:
    """Add users or documents until `model` has `wanted`. Databases with the same rows get the same new ones."""
    there, noun = model.select().count(), model._meta.table_name
    if there >= wanted:
        click.echo(f"There are {there:,} {noun}: nothing to add for {wanted:,}.")
        return
    # Names are numbered from the highest id, because the number of rows may be in use if some were deleted.
    first = (model.select(fn.MAX(model.id)).scalar() or 0) + 1
    numbers = range(first, first + wanted - there)
    rows, midnight, add = written(LANGUAGES[set_in_use()]), at(0), growth.ADD[model]
    with click.progressbar(length=len(numbers), label=f"{len(numbers):,} {noun}") as bar:
        for start in range(0, len(numbers), CHUNK):
            chunk = numbers[start : start + CHUNK]
            with unhurried(), engines.write():
                add(chunk, random.Random(there + start), rows, midnight)
            bar.update(len(chunk))


def seeded() -> bool:
    return Setting.read("seeded") is not None


def age_in_days() -> int:
    """How many days ago the demo rows were seeded; 0 if there are none, or if it was in a zone where it is tomorrow."""
    day = Setting.read("seeded")
    return max((today() - date.fromisoformat(day)).days, 0) if day else 0


def insert_all(rows: Iterable[rules.Row]) -> None:
    """Insert rows of one or several tables, the first one's first."""
    tables = defaultdict(list)
    for model, values in rows:
        tables[model].append(values)
    for model, listed in tables.items():
        insert(model, listed)


def insert(model: Any, rows: list[dict[str, Any]]) -> None:
    """Insert rows of the same keys, numbered from 1 unless they carry ids; new ids begin after all ever given."""
    if not issubclass(model, base.BaseModel):  # it has no ids
        return insert_rows(model, rows)
    numbered = [{"id": number, **values} for number, values in enumerate(rows, 1)]
    insert_rows(model, numbered)
    if numbered and not isinstance(engines.db.obj, SqliteDatabase):
        # A sequence knows nothing of ids that were inserted, and must not go back behind those given since.
        sequence = f"{model._meta.table_name}_id_seq"
        highest = f"SELECT setval('{sequence}', GREATEST(%s, (SELECT last_value FROM {sequence})))"  # noqa: S608
        engines.db.execute_sql(highest, (numbered[-1]["id"],))


if __name__ == "__main__":
    from seeds.__main__ import fill  # which imports this module, so not at the top

    fill()
