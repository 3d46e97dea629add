"""Fixtures about what runs beside a test: a server in a process of its own, and a browser."""

from __future__ import annotations

import http.client
import itertools
import json
import multiprocessing
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from tests import forked

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


@dataclass
class Server:
    process: subprocess.Popen[str] | Forked
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

    def log_in(self, email: str = "admin@example.com", password: str = "123456") -> str:
        """An access token of a seeded account."""
        return self.call("POST", "/api/auth/login", {"email": email, "password": password})[1]["accessToken"]

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(15)
        assert self.process.stdout is not None
        self.process.stdout.close()


#: What a client sees of a server that was killed, or is not there yet.
GONE = (OSError, http.client.HTTPException)


def until(holds: Callable[[], Any], seconds: float = 20) -> None:
    """Wait until `holds()` is true; while nobody answers, it is not."""
    deadline = time.monotonic() + seconds
    while True:
        with suppress(*GONE):
            if holds():
                return
        assert time.monotonic() < deadline, holds
        time.sleep(0.02)


class Several:
    """Servers on one database: each request goes to the next."""

    def __init__(self, *servers: Server):
        self.servers, self._next = servers, itertools.cycle(servers)

    def call(self, *request: Any, **options: Any) -> tuple[int, Any]:
        return next(self._next).call(*request, **options)

    def log_in(self, *account: str) -> str:
        return next(self._next).log_in(*account)


def upload(to: Server | Several, token: str, content: bytes) -> tuple[int, Any]:
    """The reply to the upload of a file `x.bin`."""
    form = b'--b\r\nContent-Disposition: form-data; name="file"; filename="x.bin"\r\n\r\n%b\r\n--b--\r\n' % content
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    return to.call("POST", "/api/files/upload", form, token, **kind)


def at_once(calls: list[Callable[[], Any]]) -> list[Any]:
    """The replies to calls that all start at the same moment."""
    gate = threading.Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        gate.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def statuses(replies: Iterable[tuple[int, Any]]) -> Counter[int]:
    return Counter(status for status, _ in replies)


#: Forks off a process that has imported HaloLight, because an import takes three times as long as a start.
FORKS: Any = multiprocessing.get_context("forkserver" if hasattr(os, "fork") else "spawn")
FORKS.set_forkserver_preload(["tests.forked"])


class Forked:
    """A script of HaloLight in a process of its own, as `python script` but forked. It is used like a Popen."""

    def __init__(
        self, script: str, options: tuple[str, ...], folder: Path, environment: dict[str, str], errors: Path, first: str
    ):
        reader, writer = FORKS.Pipe(duplex=False)
        arguments = (ROOT / script, options, folder, environment, writer, errors, first)
        self._process = FORKS.Process(target=forked.run, args=arguments, daemon=True)
        self._process.start()
        writer.close()
        self.stdout = os.fdopen(os.dup(reader.fileno()), encoding="utf-8")
        reader.close()
        self.pid, self.kill, self.terminate = self._process.pid, self._process.kill, self._process.terminate

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired(self._process.name, timeout or 0)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)


def run(
    *options: str, script: str = "halolight.py", folder: Path = ROOT, first: str = "", **variables: str
) -> tuple[int, str, str]:
    """The script run to its end, after the Python code `first`: exit code, output, errors."""
    with tempfile.TemporaryDirectory() as place:
        errors = Path(place, "errors")
        process = Forked(script, options, folder, {**os.environ, **variables}, errors, first)
        with process.stdout:
            output = process.stdout.read()
        return process.wait(60), output, errors.read_text("utf-8")


def started(folder: Path, number: int, *options: str, first: str = "", **variables: str) -> Server:
    """Start `python halolight.py` in a folder, where its log stays, and wait until it is ready.

    `first` is Python that its process runs before, such as another value for one of web.limits.
    """
    log = folder / f"server{number}.log"
    environment = {**os.environ, **variables}
    return ready(Forked("halolight.py", ("--port", "0", *options), folder, environment, log, first), log)


def launched(command: list[str], folder: Path, log: Path, environment: dict[str, str], **options: Any) -> Server:
    """Run a command that starts HaloLight, and wait until it is ready; `options` are those of Popen."""
    with log.open("a") as errors:
        process: subprocess.Popen[str] = subprocess.Popen(
            command, env=environment, cwd=folder, stdout=subprocess.PIPE, stderr=errors, text=True, **options
        )
    return ready(process, log)


def ready(process: subprocess.Popen[str] | Forked, log: Path) -> Server:
    output: list[str] = []
    assert process.stdout is not None
    for line in process.stdout:
        output.append(line.rstrip())
        if line.startswith("HaloLight ready on "):
            return Server(process, line.split()[-1], output, log)
    process.stdout.close()
    process.wait()
    raise AssertionError(f"it did not start: {output} {log.read_text()}")


@contextmanager
def a_server(**variables: str) -> Iterator[Server]:
    """A server on a new database, for a script that is no test."""
    with tempfile.TemporaryDirectory() as folder:
        server = started(Path(folder), 0, **{"DATABASE_URL": f"sqlite:///{folder}/test.db", **variables})
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture
def serve(database_url: str, tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """A function that starts `python halolight.py` on this test's database and waits until it is ready."""
    servers: list[Server] = []

    def start(*options: str, first: str = "", **variables: str) -> Server:
        variables = {"DATABASE_URL": database_url, **variables}
        servers.append(started(tmp_path, len(servers), *options, first=first, **variables))
        return servers[-1]

    yield start
    with ThreadPoolExecutor() as pool:  # all of them end at the same time
        list(pool.map(Server.stop, servers))


def browser_path() -> str:
    """The installed Chromium; the test is skipped where there is none."""
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip(f"no Chromium: none of {', '.join(BROWSERS)} is on the PATH; CHROMIUM names one")
    return path


@pytest.fixture(scope="session")
def chromium() -> Iterator[sync_api.Browser]:
    """A real browser, one for all tests, with every host but localhost out of reach."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = browser_path()
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


def show_only(page: sync_api.Page, url: str, *paths: str) -> None:
    """Let the documentation of a server show these paths only: with all 79 each step of a test takes a second."""
    document = page.request.get(f"{url}/openapi.json").json()
    document["paths"] = {path: document["paths"][path] for path in paths}
    components = document["components"]
    unused = True
    while unused:
        text = json.dumps(document)
        unused = [
            (kind, name)
            for kind in components.keys() - {"securitySchemes"}
            for name in components[kind]
            if f'"#/components/{kind}/{name}"' not in text
        ]
        for kind, name in unused:
            del components[kind][name]
    page.route(f"{url}/openapi.json", lambda route: route.fulfill(json=document))
