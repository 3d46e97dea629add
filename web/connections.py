"""One connection of a client: how its requests are read and how their replies are sent.

One thread reads the requests (`Parser`) and sends the replies (`Channel`) of all connections, so it must never wait.
The other threads run the application (`Task`), and must not wait for a client.
"""

import logging
import socket
import time
from contextlib import suppress
from functools import cached_property
from io import BytesIO
from typing import Any

from flask import Flask
from waitress.buffers import ReadOnlyFileBasedBuffer
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.task import ErrorTask, WSGITask
from waitress.utilities import Error
from werkzeug.exceptions import HTTPException

from web import limits
from web.dialects import MOUNT, without_empty_parts

log = logging.getLogger("halolight")

#: Replies up to this length are sent by the thread that reads requests, head and body at once.
SEND_BYTES = 65_536


class Parser(HTTPRequestParser):
    """Reads one request. A refused request has an `error`."""

    def __init__(self, adj: Any, app: Flask):
        super().__init__(adj)
        self.app = app
        self.began = time.time()

    def parse_header(self, header_plus: bytes) -> None:
        super().parse_header(header_plus)
        # Request smuggling: a proxy may find the end of such a body elsewhere than waitress (RFC 9112, 6.1).
        if "TRANSFER_ENCODING" in self.headers or (self.chunked and "CONTENT_LENGTH" in self.headers):
            raise ParsingError("Transfer-Encoding with Content-Length, or in HTTP/1.0")

    def received(self, data: bytes) -> int:
        try:
            used = super().received(data)
        except OSError as error:  # the disk is full on which waitress stores bodies of more than 512 KB
            log.error("a body cannot be stored: %s", error)
            self.refuse(503)
            return len(data)
        if not self.error and self.too_large():
            self.refuse(413)
        if self.chunked and len(self.body_rcv.control_line) + len(self.body_rcv.trailer) > limits.HEADER_BYTES:
            self.refuse(400)  # a line between chunks is too long
        if self.completed:
            self.expect_continue = False  # or waitress would ask for the refused body
        return used

    def refuse(self, status: int) -> None:
        self.error, self.completed = Error("refused"), True
        self.error.code = status

    def too_large(self) -> bool:
        """Whether the body is longer than its route accepts, by Content-Length or by the chunks received so far."""
        size = max(self.content_length, self.body_bytes_received)
        if size <= self.app.config["MAX_CONTENT_LENGTH"]:
            return False
        path = MOUNT.sub("/api/", without_empty_parts(self.path))
        try:
            endpoint, _ = self.app.url_map.bind("").match(path, self.command)
        except HTTPException:
            return True
        return size > limits.upload_bytes(self.app.config) or not getattr(
            self.app.view_functions[endpoint], "takes_files", False
        )

    def close(self) -> None:
        with suppress(OSError):  # closing the temporary file tries once more to write to a full disk
            super().close()


class Task(WSGITask):
    """One request and its reply. A refused one is answered by the application, too: in the envelope and with CORS."""

    def start(self) -> None:
        super().start()
        if self.channel.server.ending:  # end the connection, as if the client had asked for that
            self.request.connection_close, self.request.headers["CONNECTION"] = True, "close"
        if self.request.error:
            self.channel.lingers = True
            self.set_close_on_finish()

    def get_environment(self) -> dict[str, Any]:
        environ = super().get_environment()
        environ["wsgi.file_wrapper"] = self.wrap
        if self.request.error:  # its body was not read
            environ.pop("CONTENT_LENGTH", None)
            environ["wsgi.input"] = BytesIO()
            environ["halolight.refused"] = self.request.error.code  # for hooks.begin
        return environ

    def wrap(self, file: Any, block_size: int = 32_768) -> ReadOnlyFileBasedBuffer:
        """What sends a file. One without `seek` is fetched part by part."""
        if hasattr(file, "seek"):
            return ReadOnlyFileBasedBuffer(file, block_size)
        return Fetched(file, block_size, self.channel)

    def set_close_on_finish(self) -> None:
        # waitress would also end the connection after a reply without a body and Content-Length (304).
        if self.has_body or self.request.connection_close or self.version == "1.0":
            super().set_close_on_finish()


class Fetched(ReadOnlyFileBasedBuffer):
    """The body of a reply, read from a file without `seek`: a part each time the client has taken the last one.

    So a client that does not read costs the memory of one part. The thread that sends must not wait for a database:
    another thread reads the part, and meanwhile (`waiting`) there is nothing to send.
    """

    def __init__(self, file: Any, block_size: int, channel: HTTPChannel):
        super().__init__(file, block_size)
        self.channel = channel
        self.part, self.sent, self.waiting = b"", 0, False

    def prepare(self, size: int | None = None) -> int:
        """Read the first part. waitress passes the Content-Length, and expects the number of bytes to send."""
        self.remain = size or 0
        self.part = self.file.read(self.block_size) if size else b""
        return self.remain

    def get(self, numbytes: int = -1, skip: bool = False) -> bytes:
        """The next bytes; b"" if they are not read yet. waitress holds the lock of the output, as for `skip`."""
        if self.sent == len(self.part) and self.remain and not self.waiting:
            self.waiting = True
            self.channel.server.add_task(self)
        return self.part[self.sent : self.sent + numbytes]

    def skip(self, numbytes: int, allow_prune: int = 0) -> None:
        self.sent += numbytes
        self.remain -= numbytes

    def service(self) -> None:
        """Read the next part, in a thread of the application. If that fails, the connection is closed."""
        part = b""
        try:
            part = self.file.read(self.block_size)
        except Exception as error:
            log.error("a download broke off: %s", type(error).__name__)
        with self.channel.outbuf_lock:
            self.part, self.sent, self.waiting = part, 0, False
            self.channel.will_close = self.channel.will_close or not part
        self.channel.server.pull_trigger()

    def cancel(self) -> None:
        """waitress calls this at the end of the server."""


class Channel(HTTPChannel):
    """One connection of a client. The thread that reads requests sends its replies, if they are short."""

    task_class = Task
    close_when_flushed: bool
    #: Whether the next request waits, without a thread, until the client has taken the replies before it.
    postponed = False
    #: Whether the reply refuses a request while more of it may arrive.
    lingers = False
    #: When the connection is closed after such a reply was sent.
    lingers_until = 0.0

    @staticmethod
    def error_task_class(channel: HTTPChannel, request: Parser) -> Any:
        """What answers a refused request: the application, unless the head was not HTTP, so that there is no path."""
        return (Task if hasattr(request, "path") else ErrorTask)(channel, request)

    @cached_property
    def group(self) -> str:
        """What its address counts as (`Listener.group`)."""
        return self.server.group(self.addr[0])

    def parser_class(self, adj: Any) -> Parser:
        return Parser(adj, self.server.app)

    def writable(self) -> bool:
        if getattr(self.outbufs[0], "waiting", False):
            return self.will_close
        return bool(self.total_outbufs_len or self.will_close or self.close_when_flushed)

    def handle_write(self) -> None:
        """Send what there is, with the lock.

        waitress sends without it, or not at all, depending on the requests that wait. Without the lock it sends bytes
        twice if another thread begins a request meanwhile. And while it holds bytes back, its `writable` still says
        that there are some to send, so that it calls this again and again until the running request is done.
        """
        if self.total_outbufs_len:
            self._flush_exception(self._flush_some_if_lockable)  # waitress has no public names for these
        if self.postponed and self.total_outbufs_len <= SEND_BYTES:
            self.postponed = False
            self.server.add_task(self)
        if self.close_when_flushed and not self.total_outbufs_len:
            self.close_when_flushed = False
            self.will_close = not self.lingers
            if self.lingers:
                self.linger()
        if self.will_close:
            self.handle_close()

    def linger(self) -> None:
        """Close our direction only. After a full close with unread bytes the reply may be lost (RFC 9112, 9.6)."""
        self.lingers_until = time.time() + limits.LINGER_SECONDS
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:  # the client is gone
            self.will_close = True

    def received(self, data: bytes) -> bool:
        return not self.lingers_until and super().received(data)

    def service(self) -> None:
        """Answer a request. If bytes of earlier replies wait, `handle_write` calls this again after they are sent."""
        with self.outbuf_lock:
            self.postponed = postponed = self.total_outbufs_len > SEND_BYTES
        if postponed:
            self.server.pull_trigger()
        else:
            super().service()

    def overdue(self, now: float) -> bool:
        """Whether the client took too long to send a request, to take a reply, or to send the next request."""
        if self.lingers_until:
            return now > self.lingers_until
        if self.requests and not self.postponed:
            return False
        if self.request is not None and not self.total_outbufs_len:
            seconds = limits.REQUEST_SECONDS + self.request.content_length / limits.UPLOAD_RATE
            if now > self.request.began + seconds:
                return True
        return now > self.last_activity + limits.IDLE_SECONDS
