"""Many clients at once, over HTTP against the real server: no write is lost, and nobody waits for the idle."""

import socket
from contextlib import ExitStack

import pytest

from tests.servers import Several, at_once, statuses

CROWD = 16


@pytest.fixture
def server(serve):
    """Two processes on one database, in turn."""
    return Several(*(serve(LOG_LEVEL="ERROR") for _ in range(2)))


@pytest.fixture
def token(server):
    return server.log_in()


def test_sixteen_writers_of_two_processes_meet_no_lock_and_lose_no_update(server, token):
    servers = server.servers
    times = {"start": "2026-11-24T10:00:00Z", "end": "2026-11-24T11:00:00Z"}
    event = server.call("POST", "/api/calendar/events", {"title": "会", **times}, token)[1]["data"]
    people = [row["id"] for row in server.call("GET", "/api/contacts?pageSize=16", None, token)[1]["data"]["items"]]

    def writer(person):
        server = servers[person % 2]
        path = f"/api/tasks/{server.call('POST', '/api/tasks', {'title': '事'}, token)[1]['data']['id']}"
        for _ in range(10):
            progress = server.call("GET", path, None, token)[1]["data"]["progress"]
            assert server.call("PUT", path, {"progress": progress + 1}, token)[0] == 200
        invited = f"/api/calendar/events/{event['id']}/attendees"
        assert server.call("POST", invited, {"attendeeIds": [person]}, token)[0] in (200, 201)
        return server.call("GET", path, None, token)[1]["data"]["progress"]

    assert at_once([lambda person=person: writer(person) for person in people]) == [10] * CROWD
    attendees = server.call("GET", f"/api/calendar/events/{event['id']}", None, token)[1]["data"]["attendees"]
    assert {person["id"] for person in attendees} == set(people) - {event["organizerId"]}
    assert [each.log.read_text() for each in servers] == ["", ""]


def test_changes_of_different_fields_of_one_row_all_survive(server, token):
    path = f"/api/users/{server.call('GET', '/api/users/me', None, token)[1]['data']['id']}"
    fields = ("name", "phone", "department", "position", "bio")
    for turn in range(5):
        wanted = {field: f"{turn}{number}0000000" for number, field in enumerate(fields)}
        calls = [lambda pair=pair: server.call("PUT", path, dict([pair]), token) for pair in wanted.items()]
        assert statuses(at_once(calls)) == {200: len(fields)}
        row = server.call("GET", path, None, token)[1]["data"]
        assert {field: row[field] for field in fields} == wanted


def test_a_thousand_idle_connections_leave_the_service_unaffected(serve):
    resource = pytest.importorskip("resource", reason="Windows has no limit of open files")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (1024, {hard}))"  # what most shells give
    server = serve(LOG_LEVEL="ERROR", first=limit)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2048), hard))
    token, address = server.log_in(), ("127.0.0.1", int(server.url.rpartition(":")[2]))
    with ExitStack() as idle:
        for _ in range(1100):
            idle.enter_context(socket.create_connection(address, timeout=10))
        calls = [lambda: server.call("GET", "/api/tasks", None, token)] * CROWD
        assert statuses(at_once(calls)) == {200: CROWD}
    assert server.log.read_text() == ""


def test_a_reply_does_not_wait_for_the_next_request_of_its_connection(serve):
    server = serve(LOG_LEVEL="ERROR")
    with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), timeout=10) as connection:
        paths = (b"/health", b"/api/tasks?_delay=500")
        # Both at once, as HTTP pipelining has it (RFC 9112, 9.3.2).
        connection.sendall(b"".join(b"GET %b HTTP/1.1\r\nHost: localhost\r\n\r\n" % path for path in paths))
        assert connection.recv(65536).count(b"HTTP/1.1 ") == 1
        assert connection.recv(65536).startswith(b"HTTP/1.1 401 ")
