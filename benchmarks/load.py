"""Sending requests: one, or as many as go in some seconds, by wrk or by a client of our own."""

from __future__ import annotations

import http.client
import json
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import Any, NamedTuple

from benchmarks.servers import Server

#: What wrk runs: it sends the request, and says at the end what it counted (times in µs).
SCRIPT = """
wrk.method = "{method}"
wrk.body = [==[{body}]==]
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer {token}"
function done(s, latency)
  local lost = s.errors.connect + s.errors.read + s.errors.write + s.errors.timeout
  print(string.format("\\n[%d, %d, %d, %d, %d, %d, %d]", s.requests, s.duration, s.errors.status, lost,
    latency:percentile(50), latency:percentile(99), latency.max))
end
"""


class NoResult(Exception):
    """A reply was no success: errors can be very fast, so there is no figure."""


class Request(NamedTuple):
    path: str
    method: str = "GET"
    body: Any = None
    token: str = ""


@dataclass
class Load:
    """What came of some seconds of one request; times in ms, CPU in µs of the server for each request."""

    rate: float
    p50: float
    p99: float
    slowest: float
    cpu: float = 0.0


def connect(server: Server) -> closing[http.client.HTTPConnection]:
    return closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=60))


def send(connection: http.client.HTTPConnection, request: Request, form: str = "application/json") -> Any:
    """The decoded reply. Raises NoResult where it is no success."""
    headers = {"Content-Type": form, "Authorization": f"Bearer {request.token}"}
    body = request.body if isinstance(request.body, bytes) else request.body and json.dumps(request.body)
    connection.request(request.method, request.path, body, headers)
    reply = connection.getresponse()
    text = reply.read()
    if not 200 <= reply.status < 300:
        raise NoResult(f"{request.method} {request.path}: {reply.status} {text[:200].decode('utf-8', 'replace')}")
    return json.loads(text)


def call(server: Server, *request: Any) -> Any:
    with connect(server) as connection:
        return send(connection, Request(*request))


def log_in(server: Server, email: str = "admin@example.com") -> str:
    return call(server, "/api/auth/login", "POST", {"email": email, "password": "123456"})["accessToken"]


def measure(server: Server, request: Request, seconds: float, wrk: bool, connections: int = 8) -> Load:
    """Send `request` over and over. Raises NoResult if any reply was no success."""
    call(server, *request)  # it prepares the select, and says what is wrong if anything is
    cpu = server.cpu()
    count, load = (by_wrk if wrk else by_python)(server, request, seconds, connections)
    load.cpu = 1e6 * (server.cpu() - cpu) / count
    return load


def by_wrk(server: Server, request: Request, seconds: float, connections: int) -> tuple[int, Load]:
    body = json.dumps(request.body) if request.body else ""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(SCRIPT.format(method=request.method, body=body, token=request.token))
        file.flush()
        options = ("-t1", f"-c{connections}", f"-d{max(round(seconds), 1)}s", "--timeout=30s", f"--script={file.name}")
        command = ["wrk", *options, f"http://127.0.0.1:{server.port}{request.path}"]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    count, duration, refused, lost, *times = json.loads(output.strip().rpartition("\n")[2])
    if refused or lost or not count:
        raise NoResult(f"{refused} errors and {lost} lost among {count} requests")
    return count, Load(1e6 * count / duration, *(time / 1000 for time in times))


def by_python(server: Server, request: Request, seconds: float, connections: int) -> tuple[int, Load]:
    began = time.perf_counter()

    def run(_: int) -> list[float]:
        times = []
        with connect(server) as connection:
            while (sent := time.perf_counter()) < began + seconds:
                send(connection, request)
                times.append(1000 * (time.perf_counter() - sent))
        return times

    with ThreadPoolExecutor(connections) as pool:
        times = sorted(each for times in pool.map(run, range(connections)) for each in times)
    rate = len(times) / (time.perf_counter() - began)
    return len(times), Load(rate, times[len(times) // 2], times[len(times) * 99 // 100], times[-1])
