"""What the server itself promises, over plain sockets: the order of replies, and how much a client may take."""

import socket
import time
from contextlib import closing, contextmanager

import pytest

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

    def ended(self):
        """Whether the server has closed the connection."""
        try:
            return self.file.read() == b""
        except ConnectionResetError:
            return True


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
    deadline, turn = time.monotonic() + 4, 0
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
