"""What is measured; each section gives tables: a heading, the columns, the rows."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any
from urllib.parse import quote

import click

from benchmarks.load import Load, NoResult, Request, call, connect, log_in, measure, send
from benchmarks.servers import JSON_SERVERS, Bench, NotHere, Server

ADMIN, DEMO = "admin@example.com", "demo@halolight.h7ml.cn"
USERS = "/api/users?page=1&pageSize=10"
NEW_DOCUMENT = {"title": "A document", "content": "What stands in it. " * 10, "tags": ["one", "two"]}
FIGURES = ("requests/s", "ratio", "p50, ms", "p99, ms", "slowest, ms", "CPU, µs", "ratio")
#: The WSGI servers that are compared, and how Python is told to start each.
WSGI = {
    "python halolight.py": "halolight.py --port {port}",
    "gunicorn": "-m gunicorn --bind 127.0.0.1:{port} --threads 32 halolight:create_app()",
    "granian": "-m granian --interface wsgi --host 127.0.0.1 --port {port} --blocking-threads 32"
    " --factory halolight:create_app",
}
Table = tuple[str, tuple[str, ...], list[Any]]


@dataclass
class Plan:
    """How much is done."""

    rounds: int
    seconds: float
    sizes: tuple[int, ...]
    wrk: bool
    json_servers: bool


def say(text: str) -> None:
    click.echo(f"{time.strftime('%H:%M:%S')} {text}", err=True)


def compare(what: str, plan: Plan, cases: list[tuple[tuple[str, ...], Callable[[], Load]]]) -> list[tuple[str, ...]]:
    """Each case in turn, round by round, since whatever else the machine does slows all of them.

    The rows have medians; a ratio is the median of those to the first case in the same round.
    """
    found: list[list[Load]] = [[] for _ in cases]
    refused: dict[int, str] = {}
    for turn in range(plan.rounds):
        say(f"{what}, round {turn + 1} of {plan.rounds}")
        for number, (_, run) in enumerate(cases):
            try:
                found[number] += [] if number in refused else [run()]
            except (NoResult, OSError) as reason:
                refused[number] = f"no result: {reason}"
    rows = []
    for number, (names, _) in enumerate(cases):
        pairs = list(zip(found[number], found[0], strict=False))
        if number in refused or not pairs:
            rows.append((*names, refused.get(number, "nothing to compare with"), *["–"] * (len(FIGURES) - 1)))
            continue
        rate, cpu = (median(getattr(load, part) for load, _ in pairs) for part in ("rate", "cpu"))
        times = [f"{median(getattr(load, part) for load, _ in pairs):.1f}" for part in ("p50", "p99", "slowest")]
        kept = f"{median(load.rate / first.rate for load, first in pairs):.0%}"
        spent = f"{median(load.cpu / (first.cpu or 1) for load, first in pairs):.1f} ×"
        rows.append((*names, f"{rate:,.0f}", kept, *times, f"{cpu:,.0f}", spent))
    return rows


def not_here(reason: NotHere, *names: str) -> tuple[str, ...]:
    return (*names, f"not here: {reason}", *["–"] * (len(FIGURES) - 1))


def throughput(bench: Bench, plan: Plan) -> list[Table]:
    """The same requests to HaloLight and to json-server, against a bare route; and what memory each then has."""
    servers: list[Server] = []
    cases: list[Any] = []
    missing: list[Any] = []

    def add(case: str, server: Server, path: str, method: str = "GET", body: Any = None, who: str = "") -> None:
        def run() -> Load:  # logged in anew each time, for an access token lives 15 minutes
            request = Request(path, method, body, log_in(server, who) if who else "")
            return measure(server, request, plan.seconds, plan.wrk)

        cases.append(((case, server.name), run))

    for kind in ("naked", "tuned", "layers"):
        command = [sys.executable, "-m", "benchmarks.bare", kind, "{port}"]
        url = f"sqlite:///{bench.folder}/bare.db"
        servers.append(bench.start(f"Flask, {kind}", command, "/api/bare", bench.copy(), DATABASE_URL=url))
        add("bare route", servers[-1], "/api/bare")
    for server in bench.halolights().values():
        servers.append(server)
        add("list of users", server, USERS, who=ADMIN)
        add("an ordinary user's documents", server, "/api/documents?page=1&pageSize=10", who=DEMO)
        add("one user", server, "/api/users/500", who=ADMIN)
        add("create a document", server, "/api/documents", "POST", NEW_DOCUMENT, who=ADMIN)
        add("/health", server, "/health")
    for version in JSON_SERVERS if plan.json_servers else ():
        token = log_in(server)
        pages = [call(server, f"/api/users?pageSize=100&page={n}", "GET", None, token) for n in range(1, 11)]
        users = [{**user, "id": str(user["id"])} for page in pages for user in page["data"]["items"]]
        try:
            other = bench.json_server(version, {"users": users, "documents": []})
        except NotHere as reason:
            missing.append(not_here(reason, "–", f"json-server {version}"))
            continue
        servers.append(other)
        add("list of users", other, f"/users?_page=1&{'_limit' if version < '1' else '_per_page'}=10")
        add("one user", other, "/users/500")
        add("create a document", other, "/documents", "POST", NEW_DOCUMENT)
    rows = compare("throughput", plan, cases) + missing
    sizes = [(each.name, f"{each.idle:.0f}", f"{each.memory():.0f}") for each in servers]
    return [
        ("Throughput: 8 connections", ("case", "server", *FIGURES), rows),
        ("Memory", ("server", "when ready, MB", "after the load, MB"), sizes),
    ]


def wsgi(bench: Bench, plan: Plan) -> list[Table]:
    """The application under our server and under others that are installed: one process of each, 32 threads."""
    tables: list[Table] = []
    for database, new in bench.databases.items():
        url = new("wsgi")
        bench.seed(url, 1000)
        servers: list[Server] = []
        missing = []
        for name, arguments in WSGI.items():
            try:
                command = [sys.executable, *arguments.split()]
                servers.append(bench.start(name, command, "/health", bench.copy(), DATABASE_URL=url))
            except NotHere as reason:
                missing.append(not_here(reason, name))

        def run(server: Server, path: str) -> Load:
            return measure(server, Request(path, token=log_in(server)), plan.seconds, plan.wrk)

        for case, path in (("List of users", USERS), ("One user", "/api/users/500")):
            heading = f"{case} on {database} under each WSGI server"
            cases: Any = [((server.name,), partial(run, server, path)) for server in servers]
            tables.append((heading, ("server", *FIGURES), compare(heading, plan, cases) + missing))
        for server in servers:
            server.stop()
    return tables


def start(bench: Bench, plan: Plan) -> list[Table]:
    """From the command to the first reply of 200: of a fresh copy without a database, and again."""
    rows = []
    for database, new in bench.databases.items():
        say(f"starts on {database}")
        times: dict[str, list[float]] = {"first": [], "warm": []}
        for turn in range(plan.rounds):
            url, folder = new(f"start{turn}"), bench.copy(f"{database}{turn}")
            for kind in times:
                server = bench.halolight(database, url, folder)
                server.stop()
                times[kind].append(server.seconds)
        rows.append((database, *(f"{median(each):.2f}" for each in times.values())))
    return [("Start", ("database", "first: nothing compiled, no database, s", "warm, s"), rows)]


def growth(bench: Bench, plan: Plan) -> list[Table]:
    """One request after the other while the tables grow: medians."""
    tables: list[Table] = []
    for database, new in bench.databases.items():
        url = new("growth")
        server = bench.halolight(database, url)
        rows: dict[str, list[str]] = {"`seed.py` took, s": []}
        for size in plan.sizes:
            say(f"{size:,} users and {size:,} documents on {database}")
            rows["`seed.py` took, s"].append(bench.seed(url, size))
            tokens = {who: log_in(server, who) for who in (ADMIN, DEMO)}
            for case, who, path in growing(size):
                request = Request(f"{path}&pageSize=10", token=tokens[who])
                try:
                    found = f"{measure(server, request, plan.seconds, wrk=False, connections=1).p50:.1f}"
                except NoResult as reason:
                    found = f"no result: {reason}"
                rows.setdefault(case, []).append(found)
        server.stop()
        columns = ("one connection, ms", *(f"{size:,}" for size in plan.sizes))
        tables.append((f"Users and documents on {database}", columns, [(case, *each) for case, each in rows.items()]))
    return tables


def growing(size: int) -> Iterator[tuple[str, str, str]]:
    """What is asked, by whom, of which path, with so many rows there."""
    for noun, kind, part in (("users", "status=suspended&role=admin", "张敏"), ("documents", "type=code", "目标")):
        yield f"{noun}, page 1", ADMIN, f"/api/{noun}?page=1"
        yield f"{noun}, filtered", ADMIN, f"/api/{noun}?{kind}"
        yield f"{noun}, substring", ADMIN, f"/api/{noun}?search={quote(part)}"
        yield f"{noun}, last page", ADMIN, f"/api/{noun}?page={size // 10}"
    yield "an ordinary user's documents, page 1", DEMO, "/api/documents?page=1"
    yield "an ordinary user's documents, substring", DEMO, f"/api/documents?search={quote('目标')}"
    yield "figures of the dashboard", ADMIN, "/api/dashboard/stats?"


def tail(bench: Bench, plan: Plan) -> list[Table]:
    """How a list fares while others are a burden."""
    tables: list[Table] = []
    for database, server in bench.halolights().items():
        file = upload(server, log_in(server))

        def run(threads: int, burden: Callable[..., Any], server: Server = server) -> Load:
            token = log_in(server)
            with going_on(threads, partial(burden, server, token)):
                return measure(server, Request(USERS, token=token), plan.seconds, plan.wrk)

        cases: list[Any] = [
            (("nothing",), partial(run, 0, call)),
            (("8 logins always under way",), partial(run, 8, lambda server, token: log_in(server, DEMO))),
            (("4 downloads of 9 MB, read slowly",), partial(run, 4, partial(download, file=file))),
            (("8 requests that ask for a delay",), partial(run, 8, delayed)),
            (("an upload of 9 MB always under way",), partial(run, 1, partial(upload, keep=False))),
        ]
        rows = compare(f"burdens on {database}", plan, cases)
        tables.append((f"List of users on {database}: 8 connections, and meanwhile", ("meanwhile", *FIGURES), rows))
    return tables


@contextmanager
def going_on(threads: int, burden: Callable[[], Any]) -> Iterator[None]:
    """So many threads bear the burden meanwhile, over and over. Raises what one of them met."""
    over = threading.Event()

    def bear() -> None:
        while not over.is_set():
            burden()

    with ThreadPoolExecutor(threads + 1) as pool:
        running = [pool.submit(bear) for _ in range(threads)]
        time.sleep(0.2)
        try:
            yield
        finally:
            over.set()
    for each in running:
        each.result()


def delayed(server: Server, token: str) -> None:
    call(server, "/api/tasks?_delay=200", "GET", None, token)


def download(server: Server, token: str, file: int) -> None:
    """Begin to read 9 MB at 1.6 MB/s or less, and go away after a second."""
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
        connection.connect(("127.0.0.1", server.port))
        head = f"GET /api/files/{file}/download HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n"
        connection.sendall(head.encode())
        if not connection.recv(16_384).startswith(b"HTTP/1.1 200"):
            raise NoResult("the download was refused")
        for _ in range(100):
            connection.recv(16_384)
            time.sleep(0.01)


def upload(server: Server, token: str, keep: bool = True) -> int:
    """The id of a new file of 9 MB, which is deleted again if it is not to be kept."""
    part = b'--cut\r\nContent-Disposition: form-data; name="file"; filename="big.bin"\r\n\r\n'
    body = part + b"x" * 9_000_000 + b"\r\n--cut--\r\n"
    with connect(server) as connection:
        request = Request("/api/files/upload", "POST", body, token)
        file = send(connection, request, "multipart/form-data; boundary=cut")["data"]["id"]
        if not keep:
            send(connection, Request(f"/api/files/{file}", "DELETE", token=token))
        return file


def writers(bench: Bench, plan: Plan) -> list[Table]:
    """Sixteen clients, each of which reads a task of its own, adds one to it and writes it back."""
    rows = []
    for database, server in bench.halolights().items():
        say(f"writers on {database}")
        seconds = 5 * plan.seconds
        with ThreadPoolExecutor(16) as pool:
            found = list(pool.map(partial(write, server, log_in(server), time.perf_counter() + seconds), range(16)))
        times = sorted(each for times, _, _ in found for each in times)
        errors = [error for _, errors, _ in found for error in errors]
        lost = sum(len(times) - there for times, _, there in found)
        said = f"{len(errors)}: {errors[0]}" if errors else "0"
        rows.append((database, f"{len(times) / seconds:,.0f}", said, lost, f"{median(times):.1f}", f"{times[-1]:.0f}"))
    columns = ("database", "commits/s", "errors", "lost", "median, ms", "slowest, ms")
    return [("16 writers, each reading before it writes", columns, rows)]


def write(server: Server, token: str, deadline: float, _: int) -> tuple[list[float], list[str], int]:
    """What each write took in ms, what failed, and how often one was added in the end."""
    times, errors = [], []
    with connect(server) as connection:
        made = send(connection, Request("/api/tasks", "POST", {"title": "0"}, token))["data"]
        path = f"/api/tasks/{made['id']}"
        while time.perf_counter() < deadline:
            try:
                count = int(send(connection, Request(path, token=token))["data"]["title"])
                began = time.perf_counter()
                send(connection, Request(path, "PUT", {"title": str(count + 1)}, token))
                times.append(1000 * (time.perf_counter() - began))
            except NoResult as reason:
                errors.append(str(reason))
        return times, errors, int(send(connection, Request(path, token=token))["data"]["title"])


def distance(bench: Bench, plan: Plan) -> list[Table]:
    """What a Postgres costs that is a millisecond away, and what several processes on it do."""
    if "Postgres" not in bench.databases:
        return []
    url, far = far_away(bench, bench.databases["Postgres"]("far"), 0.001)
    bench.seed(url, 200)
    servers = [bench.halolight("Postgres, 1 ms away", url)]
    demo_login = ("/api/demo/login", "POST")
    tokens = [call(servers[0], *demo_login, {"email": email})["accessToken"] for email in accounts(servers[0])]
    admin = log_in(servers[0])
    rows = [(name, journeys(servers[0], request, far)) for name, request in commonest(servers[0], admin)]
    tables = [("Journeys to a Postgres, each way and back once", ("request", "journeys"), rows)]
    load: Any = []
    for number in (1, 2, 4) if plan.rounds > 1 else (1, 2):
        while len(servers) < number:
            servers.append(bench.halolight(f"Postgres, 1 ms away, {len(servers) + 1}", url))
        say(f"{number} processes on a Postgres that is a millisecond away")
        rates = [
            crowd(servers, plan.seconds, [request._replace(token=token) for token in some])
            for request, some in (
                (Request("/api/documents?pageSize=10"), tokens),
                (Request("/api/documents", "POST", NEW_DOCUMENT), tokens),
                (Request("/api/documents", "POST", NEW_DOCUMENT), tokens[:1]),
                (Request("/api/teams", "POST", {"name": "A team"}), [admin]),
            )
        ]
        load.append((number, *(f"{rate:,.0f}" for rate in rates)))
    columns = ("processes", "lists/s", "documents/s, all accounts", "documents/s, one account", "teams/s (alone)")
    return [*tables, ("16 clients, Postgres 1 ms away", columns, load)]


def far_away(bench: Bench, url: str, seconds: float) -> tuple[str, Callable[[], int]]:
    """The URL of the same database behind a proxy (`benchmarks.distance`), and what tells its journeys so far."""
    address, _, socket = url.partition("?host=")
    command = [sys.executable, "-m", "benchmarks.distance", f"{socket}/.s.PGSQL.5432", str(seconds)]
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": bench.copy()}
    proxy: Any = bench.stack.enter_context(subprocess.Popen(command, **pipes))
    bench.stack.callback(proxy.stdin.close)
    port = int(proxy.stdout.readline())

    def count() -> int:
        proxy.stdin.write("\n")
        proxy.stdin.flush()
        return int(proxy.stdout.readline())

    return address.replace("@/", f"@127.0.0.1:{port}/"), count


def accounts(server: Server) -> list[str]:
    """The e-mails of those who may create documents."""
    token = log_in(server)
    users = call(server, "/api/users?pageSize=100&status=active", "GET", None, token)["data"]["items"]
    return [user["email"] for user in users if user["role"] == "user"][:16]


def commonest(server: Server, token: str) -> Iterator[tuple[str, Request]]:
    """Ten requests that every front end sends."""
    document = call(server, "/api/documents", "POST", NEW_DOCUMENT, token)["data"]["id"]
    task = call(server, "/api/tasks", "POST", {"title": "A task"}, token)["data"]["id"]
    conversation = call(server, "/api/conversations", "GET", None, token)["data"]["items"][0]["id"]
    yield "log in", Request("/api/auth/login", "POST", {"email": "demo@halolight.h7ml.cn", "password": "123456"})
    yield "who am I", Request("/api/auth/me", token=token)
    yield "list of users", Request(USERS, token=token)
    yield "list of documents", Request("/api/documents", token=token)
    yield "figures of the dashboard", Request("/api/dashboard/stats", token=token)
    yield "create a document", Request("/api/documents", "POST", NEW_DOCUMENT, token)
    yield "change a document", Request(f"/api/documents/{document}", "PUT", {"title": "%d"}, token)
    yield "create a task", Request("/api/tasks", "POST", {"title": "A task"}, token)
    yield "change a task", Request(f"/api/tasks/{task}", "PUT", {"title": "%d"}, token)
    message = {"conversationId": conversation, "content": "A message"}
    yield "send a message", Request("/api/messages", "POST", message, token)


def journeys(server: Server, request: Request, count: Callable[[], int]) -> int:
    """How many a request takes, once its selects are prepared."""
    for turn in range(3):
        before = count()
        # Another title each time: a change to the same one writes nothing.
        call(server, *request._replace(body=json.loads(json.dumps(request.body).replace("%d", str(turn)))))
    return count() - before


def crowd(servers: list[Server], seconds: float, requests: list[Request]) -> float:
    """Replies a second to sixteen clients, spread over the servers and the accounts."""
    began = time.perf_counter()

    def run(number: int) -> int:
        replies = 0
        with connect(servers[number % len(servers)]) as connection:
            while time.perf_counter() < began + seconds:
                send(connection, requests[number % len(requests)])
                replies += 1
        return replies

    with ThreadPoolExecutor(16) as pool:
        return sum(pool.map(run, range(16))) / (time.perf_counter() - began)


SECTIONS = {
    "throughput": throughput,
    "wsgi": wsgi,
    "start": start,
    "growth": growth,
    "tail": tail,
    "writers": writers,
    "distance": distance,
}
