"""What the server itself promises, over plain sockets: the order of replies, and how much a client may take."""

import json
import socket
import subprocess
import time
from contextlib import ExitStack, closing, contextmanager, suppress
from urllib.parse import urlsplit

import pytest

from web.limits import MB
from web.server import Listener

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


class Wire:
    """One connection, on which requests are sent and replies read by hand."""

    def __init__(self, server, buffer=None):
        self.socket = socket.socket()
        self.socket.settimeout(20)
        if buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.socket.connect(("127.0.0.1", int(server.url.rpartition(":")[2])))
        self.file = self.socket.makefile("rb")

    def close(self):
        self.file.close()
        self.socket.close()

    def send(self, *args, **headers):
        self.socket.sendall(self.request(*args, **headers))

    def request(self, method, path, body=b"", **headers):
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        return "\r\n".join([*lines, "", ""]).encode() + body

    def reply(self, method="GET"):
        """Status, headers (names in lower case) and body of the next reply."""
        status = int(self.file.readline().split()[1])
        headers = dict(line.decode().rstrip().split(": ", 1) for line in iter(self.file.readline, b"\r\n"))
        headers = {name.lower(): value for name, value in headers.items()}
        length = 0 if method == "HEAD" or status == 304 else int(headers["content-length"])
        return status, headers, self.file.read(length)

    def rest(self):
        """How many bytes still come until the server has closed the connection."""
        taken = 0
        with suppress(ConnectionError):
            while part := self.file.read1(MB):
                taken += len(part)
        return taken


@contextmanager
def connected(server, **options):
    with closing(Wire(server, **options)) as wire:
        yield wire


@pytest.fixture
def server(serve):
    return serve(LOG_LEVEL="ERROR")


def upload(server, token, content):
    form = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n\r\n' + content + b"\r\n--x--\r\n"
    sent = {"Content_Type": "multipart/form-data; boundary=x"}
    status, reply = server.call("POST", "/api/files/upload", form, token, **sent)
    assert status == 201, reply
    return reply["data"]


# --- Replies of one connection ---------------------------------------------------------------------------------------


def test_pipelined_replies_come_in_their_order_once_each(server):
    token = server.log_in()
    file = upload(server, token, b"\1" * 300_000)
    bearer, path = {"Authorization": f"Bearer {token}"}, f"/api/files/{file['id']}/download"
    kinds = [
        ("GET", "/health", {}, 200),
        ("GET", "/api/tasks", bearer, 200),
        ("HEAD", "/api/tasks", bearer, 200),
        ("POST", "/api/auth/refresh", {"Content_Type": "application/json"}, 400),
        ("GET", path, bearer | {"Range": "bytes=5-9"}, 206),
        ("GET", path, bearer, 200),
        ("GET", path, bearer | {"If_None_Match": f'"{file["checksum"]}"'}, 304),
    ]
    deadline, turn = time.monotonic() + 3, 0
    while time.monotonic() < deadline:
        turn += 1
        with connected(server) as wire:
            asked = [(kinds[(turn + 3 * n + turn * n) % len(kinds)], f"{turn}-{n}") for n in range(3)]
            wire.socket.sendall(
                b"".join(
                    wire.request(method, path_, b"{}" if method == "POST" else b"", X_Request_ID=name, **headers)
                    for (method, path_, headers, _), name in asked
                )
            )
            for (method, _, _, status), name in asked:
                found, headers, _ = wire.reply(method)
                assert (found, headers["x-request-id"]) == (status, name)
    assert server.log.read_text() == ""


def test_a_304_does_not_end_its_connection(server):
    token = server.log_in()
    file = upload(server, token, b"x")
    with connected(server) as wire:
        headers = {"Authorization": f"Bearer {token}", "If_None_Match": f'"{file["checksum"]}"'}
        wire.send("GET", f"/api/files/{file['id']}/download", **headers)
        status, headers, _ = wire.reply()
        assert status == 304 and "connection" not in headers
        wire.send("GET", "/health")
        assert wire.reply()[0] == 200


def test_nothing_spins_while_the_next_request_of_a_connection_runs(server):
    with connected(server) as wire:
        wire.socket.sendall(wire.request("GET", "/health") + wire.request("GET", "/api/tasks?_delay=1500"))
        before = cpu(server)
        assert (wire.reply()[0], wire.reply()[0]) == (200, 401)
        assert cpu(server) - before < 0.7


def cpu(server):
    """Seconds of a core that the server has used."""
    psutil = pytest.importorskip("psutil")
    return sum(psutil.Process(server.process.pid).cpu_times()[:2])


# --- What a request may take -----------------------------------------------------------------------------------------


ORIGIN = {"Origin": "http://localhost:3000"}


def refused(wire, status, code):
    """Check that the next reply is this error in the envelope, and the last one of its connection."""
    found, headers, body = wire.reply()
    assert (found, json.loads(body)["error"]["code"]) == (status, code)
    assert headers["connection"] == "close"
    return headers


LARGE = {"/nowhere": 10**9, "/api/auth/login": 2 * MB + 1, "/api/files/upload": 10 * MB + 65_537}


def test_a_body_too_large_for_its_route_is_refused_by_its_head(server):
    for path, length in LARGE.items():
        for expect in ({}, {"Expect": "100-continue"}):
            with connected(server) as wire:
                wire.send("POST", path, Content_Length=length, **ORIGIN, **expect)
                headers = refused(wire, 413, "PAYLOAD_TOO_LARGE")
                assert headers["access-control-allow-origin"] == "http://localhost:3000"


def test_chunks_are_refused_when_they_become_too_large(server):
    with connected(server) as wire:
        wire.send("POST", "/nowhere", Transfer_Encoding="chunked")
        wire.socket.sendall((b"80000\r\n" + b"x" * 0x80000 + b"\r\n") * 5)
        refused(wire, 413, "PAYLOAD_TOO_LARGE")


def test_a_line_between_chunks_cannot_grow_without_end(server):
    with connected(server) as wire:
        wire.send("POST", "/api/files/upload", Transfer_Encoding="chunked")
        wire.socket.sendall(b"1;" + b"x" * 100_000)
        refused(wire, 400, "BAD_REQUEST")


def test_who_sends_on_still_reads_that_it_was_too_large(server):
    with connected(server) as wire:
        wire.send("POST", "/api/files/upload", b"x" * 50 * MB)
        refused(wire, 413, "PAYLOAD_TOO_LARGE")
        assert wire.rest() == 0


def test_an_upload_of_the_largest_size_is_taken_whichever_way_it_comes(server):
    token = server.log_in()
    assert upload(server, token, b"\1" * 10 * MB)["size"] == 10 * MB
    form = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n\r\n%b\r\n--x--\r\n'
    with connected(server) as wire:
        sent = {"Transfer_Encoding": "chunked", "Content_Type": "multipart/form-data; boundary=x"}
        wire.send("POST", "/api/files/upload", Expect="100-continue", Authorization=f"Bearer {token}", **sent)
        assert wire.file.readline().split()[1] == b"100" and wire.file.readline() == b"\r\n"
        body = form % (b"\1" * 10 * MB)
        wire.socket.sendall(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
        assert wire.reply()[0] == 201


def test_headers_that_are_too_large_are_refused(server):
    with connected(server) as wire:
        wire.send("GET", "/health", X_Long="x" * 40_000)
        refused(wire, 431, "REQUEST_HEADER_FIELDS_TOO_LARGE")


def test_a_coding_that_the_server_does_not_know_is_refused(server):
    with connected(server) as wire:
        wire.send("POST", "/api/auth/login", Transfer_Encoding="gzip", **ORIGIN)
        refused(wire, 501, "NOT_IMPLEMENTED")
    assert server.log.read_text() == ""


def test_two_lengths_of_one_body_are_refused(server):
    for version in (b"HTTP/1.1", b"HTTP/1.0"):
        with connected(server) as wire:
            request = wire.request("POST", "/api/auth/login", b"0\r\n\r\n", Transfer_Encoding="chunked")
            wire.socket.sendall(request.replace(b"HTTP/1.1", version))
            refused(wire, 400, "BAD_REQUEST")


FULL_DISK = """
import errno, tempfile
def full(*args, **options): raise OSError(errno.ENOSPC, "No space left on device")
tempfile.TemporaryFile = full
"""


def test_on_a_full_temporary_disk_uploads_are_503_and_downloads_go_on(serve):
    server = serve()
    file = upload(server, server.log_in(), b"\1" * 2 * MB)
    full = serve(first=f"exec({FULL_DISK!r})")
    with connected(full) as wire:
        wire.send("POST", "/api/files/upload", b"x" * MB)
        refused(wire, 503, "SERVICE_UNAVAILABLE")
    with connected(full) as wire:
        wire.send("GET", urlsplit(file["url"]).path)
        assert wire.reply()[2] == b"\1" * 2 * MB
    assert "Traceback" not in full.log.read_text()


# --- What a client may take ------------------------------------------------------------------------------------------


SHORT = "from web import limits; limits.SWEEP_SECONDS = 1; limits.{} = 1"


def test_a_request_must_have_arrived_in_its_time_however_slowly_it_comes(serve):
    server = serve(first=SHORT.format("REQUEST_SECONDS"))
    with connected(server) as head, connected(server) as body:
        body.send("POST", "/api/auth/login", Content_Length=300)
        for wire in (head, body):
            with pytest.raises(ConnectionError):
                for _ in range(200):
                    wire.socket.sendall(b"x")
                    time.sleep(0.05)


def test_a_connection_that_does_nothing_is_closed(serve):
    """Also one that asks for files, one after the other, and reads none of them."""
    server = serve(first=SHORT.format("IDLE_SECONDS"))
    path = urlsplit(upload(server, server.log_in(), b"\1" * 9 * MB)["url"]).path
    with ExitStack() as stack:
        idle = [stack.enter_context(connected(server, buffer=16_384)) for _ in range(3)]
        for wire, asked in zip(idle, (0, 1, 9), strict=True):
            wire.socket.sendall(wire.request("GET", path) * asked)
        time.sleep(3.5)
        for wire in idle:
            assert wire.rest() < 9 * MB


def test_who_does_not_read_holds_no_thread(serve):
    server = serve(THREADS="2")
    path = urlsplit(upload(server, server.log_in(), b"\1" * 9 * MB)["url"]).path
    with ExitStack() as stack:
        readers = [stack.enter_context(connected(server, buffer=16_384)) for _ in range(10)]
        for wire in readers:
            wire.socket.sendall(wire.request("GET", path) * 5)
        assert server.ask("GET", "/health")[0] == 200
        assert [len(readers[0].reply()[2]) for _ in range(5)] == [9 * MB] * 5


def test_a_download_ends_early_if_its_file_is_deleted(server):
    token = server.log_in()
    file = upload(server, token, b"\1" * 9 * MB)
    with connected(server, buffer=16_384) as wire:
        wire.send("GET", urlsplit(file["url"]).path)
        assert wire.file.readline().split()[1] == b"200"
        assert server.ask("DELETE", f"/api/files/{file['id']}", None, token)[0] == 200
        assert wire.rest() < 9 * MB
    assert server.ask("GET", "/health")[0] == 200


PRODUCTION = {"NODE_ENV": "production", "JWT_SECRET": "x" * 32, "HALOLIGHT_HOST": "127.0.0.1"}
FIVE = "from web import limits; limits.CONNECTIONS = 5"


def test_one_address_has_so_many_connections(serve):
    server = serve(first=FIVE, **PRODUCTION)
    with ExitStack() as stack:
        five = [stack.enter_context(connected(server)) for _ in range(5)]
        with connected(server) as sixth:
            assert sixth.reply()[0] == 503 and sixth.rest() == 0
        for wire in five:
            wire.send("GET", "/health", Connection="close")
            assert wire.reply()[0] == 200 and wire.rest() == 0
        assert server.ask("GET", "/health")[0] == 200


def test_a_trusted_proxy_has_as_many_as_it_likes(serve):
    server = serve(first=FIVE, TRUSTED_PROXY="127.0.0.1", **PRODUCTION)
    with ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(connected(server))
        assert server.ask("GET", "/health")[0] == 200


def test_addresses_of_one_network_of_ipv6_count_as_one(app):
    app.config["PRODUCTION"] = True
    listener = Listener.__new__(Listener)
    listener.app = app
    assert listener.group("2001:db8::1") == listener.group("2001:db8::ffff:1:2:3") != listener.group("2001:db8:0:1::1")
    assert listener.group("::ffff:192.0.2.1") == listener.group("192.0.2.1") != listener.group("192.0.2.2")
    assert listener.group("::1") and listener.group("fe80::1%eth0")


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="needs IPv6")
def test_who_comes_by_ipv4_to_an_ipv6_socket_is_this_machine_as_well(serve):
    server = serve(HALOLIGHT_HOST="::")
    with connected(server) as wire:
        wire.send("GET", "/api/demo/clock")
        assert wire.reply()[0] == 200


def test_the_end_of_a_server_behind_a_proxy_leaves_no_kept_connection_unanswered(serve):
    server = serve(TRUSTED_PROXY="127.0.0.1")
    with connected(server) as used, connected(server) as unused:
        used.send("GET", "/health")
        assert used.reply()[1].get("connection") is None
        server.process.terminate()
        with pytest.raises(subprocess.TimeoutExpired):  # a proxy may be sending on it
            server.process.wait(1)
        for wire in (used, unused):
            wire.send("GET", "/health")
            assert wire.reply()[1]["connection"] == "close" and wire.rest() == 0
        assert server.process.wait(3) == 0


#: The signal comes in the moment in which bytes of a reply were sent, and not yet counted as sent.
SIGNAL = """
import os, signal
from waitress import wasyncore
once, send = iter([signal.SIGTERM]), wasyncore.dispatcher.send
wasyncore.dispatcher.send = lambda *a, **o: (send(*a, **o), [os.kill(os.getpid(), each) for each in once])[0]
"""


def test_a_signal_while_a_reply_is_sent_does_not_send_it_twice(serve):
    server = serve(first=SIGNAL, TRUSTED_PROXY="127.0.0.1")
    with connected(server) as wire:
        for number in ("first", "second"):
            wire.send("GET", "/health", X_Request_ID=number)
            assert wire.reply()[1]["x-request-id"] == number
    assert server.process.wait(3) == 0
