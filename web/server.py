"""The server: waitress, with the sockets it listens on and the settings that HaloLight needs."""

from __future__ import annotations

import errno
import gc
import os
import signal
import socket
import time
from collections.abc import Callable
from typing import Any

import waitress
from flask import Flask
from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.task import WSGITask

import models

PROXY_HEADERS = {"x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"}
#: Replies shorter than this are sent by the thread that waits for requests, head and body at once.
SEND_BYTES = 65_536


def listening_sockets(host: str, port: int) -> list[socket.socket]:
    """Bind `host`; `localhost` is both loopbacks on one port, or one where the machine has no IPv6. Raises OSError."""
    if host != "localhost":
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return [bind(family, host, port)]
    bound = [bind(socket.AF_INET, "127.0.0.1", port)]
    try:
        bound.append(bind(socket.AF_INET6, "::1", bound[0].getsockname()[1]))
    except OSError as error:
        if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
            bound[0].close()
            raise
    return bound


def bind(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name != "nt":  # there it would share a port that is taken
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
        bound.listen(1024)  # before the start says that it is ready, and where the port is taken is seen
    except OSError:
        bound.close()
        raise
    return bound


def connection_limit() -> int:
    """How many connections are taken at once: 2,000, or as many as the limit of open files allows when raised."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return 2000
    wanted = 2200  # some for the database and the log
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return 2000 if soft == resource.RLIM_INFINITY else max(min(2000, soft - 200), 10)


class Task(WSGITask):
    """One request and its reply."""

    def set_close_on_finish(self) -> None:
        # waitress also ends a connection after a reply that has no body, and so no Content-Length (304).
        if self.has_body or self.request.connection_close or self.version == "1.0":
            super().set_close_on_finish()


class Channel(HTTPChannel):
    """One connection of a client. Its replies are sent by the thread that waits for requests (see `serve`)."""

    task_class = Task
    close_when_flushed: bool

    def handle_write(self) -> None:
        """Send what is there. waitress does it without the lock, or not at all, depending on the requests that wait.

        Without the lock it sends bytes twice: a request may begin in another thread meanwhile. And as `writable`
        does not know what it holds back, it asks for it again and again until the running request is done.
        """
        if self.total_outbufs_len:
            self._flush_exception(self._flush_some_if_lockable)  # waitress has no public name for it
        if self.close_when_flushed and not self.total_outbufs_len:
            self.close_when_flushed = False
            self.will_close = True
        if self.will_close:
            self.handle_close()


def serve(app: Flask, sockets: list[socket.socket], ready: Callable[[], None]) -> None:
    """Answer requests until SIGINT or SIGTERM; then let the running ones finish, ten seconds at most.

    `ready` is called as soon as both signals end the server in this way.
    """
    proxy = app.config["TRUSTED_PROXY"]
    server = waitress.create_server(
        app,
        sockets=sockets,
        # A request mostly waits (for a hash, a lock, a delay), and holds a thread: with 4 of them, 8 logins left others
        # 1 % of their requests, with 32 three quarters (docs/performance.md, "The tail").
        threads=app.config["THREADS"],
        connection_limit=connection_limit(),
        asyncore_use_poll=True,  # select() ends at 1,024 descriptors
        ident="",
        # Far above our own limits, so that the 413 comes from the application, as JSON with CORS headers.
        max_request_body_size=1024**3,
        clear_untrusted_proxy_headers=False,
        **({"trusted_proxy": proxy, "trusted_proxy_headers": PROXY_HEADERS} if proxy else {}),
    )
    # By default the other threads send, head and body one by one, and switch to and fro: a sixth fewer requests.
    # (As an option above, waitress would warn that it is to go.)
    server.adj.send_bytes = SEND_BYTES
    channels = server.map if hasattr(server, "map") else server._map
    for listener in channels.values():
        listener.channel_class = Channel
    # Set SIGINT too: a shell that starts a program in the background lets it ignore SIGINT.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    # What is here now stays: to look it through for garbage, every now and then, stopped every request for 50 ms.
    gc.collect()
    gc.freeze()
    try:
        ready()
        while True:
            wasyncore.loop(timeout=30, map=channels, use_poll=True, count=1)
    except KeyboardInterrupt:
        drain(channels, seconds=10)
    finally:
        server.task_dispatcher.shutdown(timeout=1)
        models.db.close_all()


def drain(channels: dict[int, Any], seconds: float) -> None:
    """Take no more connections, and go on until every request that was read is answered."""
    for channel in list(channels.values()):
        if channel.accepting:
            channel.close()
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and any(
        getattr(channel, "requests", None) or getattr(channel, "total_outbufs_len", 0) for channel in channels.values()
    ):
        wasyncore.loop(timeout=0.1, map=channels, use_poll=True, count=1)
