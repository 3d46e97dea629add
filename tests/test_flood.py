"""What a flood of requests does to everybody else: logins and probes beside strangers who never stop.

`python -m tests.test_flood` prints the figures on a server of its own: how many logins succeed and how long they take.
"""

import itertools
import json
import sys
import threading
import time
from contextlib import contextmanager, suppress
from http.client import HTTPException

import psutil
import pytest

_numbers = itertools.count(1)
LOGIN = {"email": "admin@example.com", "password": "123456"}


def registrations(server, token):
    email = f"stranger{next(_numbers)}@example.com"
    server.ask("POST", "/api/auth/register", {"email": email, "password": "secret"})


def forged_resets(server, token):
    server.ask("POST", "/api/auth/reset-password", {"token": "WzEsMF0.x", "password": "secret"})


def searches(server, token):
    server.ask("GET", f"/api/documents?search={'a' * 199}b", None, token)


def wrong_ids(server, token):
    server.ask("POST", "/api/documents/batch-delete", WRONG_IDS, token)


WRONG_IDS = json.dumps({"ids": [""] * 500_000}).encode()
#: A flood, and how many do it at the same time.
FLOODS = ((registrations, 24), (forged_resets, 24), (searches, 8), (wrong_ids, 8))


@contextmanager
def flooded(server, flood, clients):
    """A server to which `clients` strangers send `flood` without end."""
    token, over, stranger = server.log_in(), threading.Event(), None
    for number in range(12 if flood is searches else 0):
        server.ask("POST", "/api/documents", {"title": f"a{number}", "content": "a" * 1_000_000}, token)

    def go_on():
        while not over.is_set():
            with suppress(OSError, HTTPException):  # a stranger may wait in vain; whether others do is the question
                flood(server, token)

    strangers = [threading.Thread(target=go_on) for _ in range(clients)]
    for stranger in strangers:
        stranger.start()
    try:
        yield
    finally:
        over.set()
        for stranger in strangers:
            stranger.join()


def watch(server, seconds):
    """Logins and probes one after the other for so long: their statuses, and how many seconds each took."""
    found = {"login": [], "health": []}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for name, request in (("login", ("POST", "/api/auth/login", LOGIN)), ("health", ("GET", "/health"))):
            began = time.perf_counter()
            status, _ = server.ask(*request)
            found[name].append((status, time.perf_counter() - began))
    return found


@pytest.mark.thorough
@pytest.mark.parametrize(("flood", "clients"), FLOODS, ids=[flood.__name__ for flood, _ in FLOODS])
def test_a_flood_keeps_nobody_from_logging_in(serve, flood, clients, amount):
    server = serve(LOG_LEVEL="ERROR")
    with flooded(server, flood, clients):
        time.sleep(0.3)
        found = watch(server, seconds=amount(1, 5))
    logins = [status for status, _ in found["login"]]
    assert logins.count(200) >= 0.9 * len(logins), logins
    assert {status for status, _ in found["health"]} == {200}
    assert max(seconds for _, seconds in found["health"]) < 10  # normal: a tenth of a second
    assert psutil.Process(server.process.pid).memory_info().rss < 300 * 2**20


def main(seconds=10):
    from tests.conftest import a_server

    for flood, clients in FLOODS:
        with a_server(LOG_LEVEL="ERROR") as server, flooded(server, flood, clients):
            time.sleep(1)
            found = watch(server, seconds)
            memory = psutil.Process(server.process.pid).memory_info().rss >> 20
        logins = [taken for status, taken in found["login"] if status == 200]
        within = sum(taken < 2 for taken in logins) / len(found["login"])
        slowest = max(taken for _, taken in found["health"])
        print(f"{clients} {flood.__name__}: {within:.0%} of {len(found['login'])} logins within 2 s,", end=" ")
        print(f"slowest {max(logins, default=0):.2f} s; /health at most {slowest:.2f} s; {memory} MB")


if __name__ == "__main__":
    sys.exit(main())
