"""The server: waitress, its sockets, how many connections it accepts, and how it stops."""

import ctypes
import errno
import gc
import ipaddress
import logging
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from flask import Flask
from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.server import TcpWSGIServer
from waitress.task import ThreadedTaskDispatcher

from database import engines
from web import limits
from web.config import BadConfiguration
from web.connections import SEND_BYTES, Channel
from web.pruning import Pruner

log = logging.getLogger("halolight")

#: Connections that the system keeps for us until we accept them.
BACKLOG = 1024
FULL = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def listening_sockets(host: str, port: int) -> list[socket.socket]:
    """Bind `host`. `localhost` is both loopbacks on one port, or only 127.0.0.1 if the machine has no IPv6.

    Raises BadConfiguration.
    """
    bound: list[socket.socket] = []
    try:
        if host != "localhost":
            return [bind(host, port)]
        bound.append(bind("127.0.0.1", port))
        bound.append(bind("::1", bound[0].getsockname()[1]))
    except OSError as error:
        if not bound or error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
            for each in bound:
                each.close()
            why = (error.strerror or str(error)).partition(" (")[0]  # create_server adds the address in brackets
            of_port = error.errno in (errno.EADDRINUSE, errno.EACCES)
            at_fault, option = (f"PORT={port}", "--port") if of_port else (f"HALOLIGHT_HOST={host}", "--host")
            raise BadConfiguration(f"{at_fault}: cannot listen there ({why}); choose another with {option}") from None
    return bound


def bind(host: str, port: int) -> socket.socket:
    """A socket that listens already, so that a taken port is noticed before the start says that it is ready."""
    if ":" not in host:
        return socket.create_server((host, port), backlog=BACKLOG)
    both = socket.has_dualstack_ipv6()  # `::` is then every address of IPv4 as well
    return socket.create_server((host, port), family=socket.AF_INET6, backlog=BACKLOG, dualstack_ipv6=both)


def connection_limit() -> int:
    """How many connections are accepted at once: 2,000, or fewer if the system's limit of open files is lower."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return 2000
    wanted = 2200  # 200 more, for the database and the log
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return 2000 if soft == resource.RLIM_INFINITY else max(min(2000, soft - 200), 10)


class Listener(TcpWSGIServer):
    """One listening socket. It accepts so many connections from each address (`limits.CONNECTIONS`)."""

    channel_class = Channel

    def __init__(self, app: Flask, channels: dict[int, Any], bound: socket.socket, dispatcher: Any, adj: Any):
        self.app = app
        self.refused = 0
        #: Whether the server is stopping: every reply then ends its connection.
        self.ending = False
        place = (bound.family, bound.type, bound.proto, bound.getsockname())
        super().__init__(app, channels, True, bound, dispatcher, adj, place, bind_socket=False)

    def accept(self) -> Any:
        """The next connection and its address; None, after a short 503, if that address has too many of them."""
        taken = super().accept()
        group = self.group(taken[1][0]) if taken else ""
        if not group or [each.group for each in self.active_channels.values()].count(group) < limits.CONNECTIONS:
            return taken
        self.refused += 1
        with taken[0] as connection, suppress(OSError):
            connection.send(FULL)
        return None

    def fix_addr(self, addr: Any) -> Any:
        """An address as the application knows it: a client that comes by IPv4 to a socket of IPv6 has its IPv4 one."""
        address = ipaddress.ip_address(addr[0])
        return str(getattr(address, "ipv4_mapped", None) or address), *addr[1:]

    def group(self, address: str) -> str:
        """What the address counts as; "" if it is not counted: the trusted proxy, and in development this machine."""
        proxy, production = self.app.config["TRUSTED_PROXY"], self.app.config["PRODUCTION"]
        client = limits.client_of(address)
        if proxy in ("*", address, client) or (ipaddress.ip_address(client).is_loopback and not production):
            return ""
        return client

    def maintenance(self, now: float) -> None:
        """Close what is overdue. waitress calls this every few seconds."""
        for channel in self.active_channels.values():
            if channel.overdue(now):
                channel.will_close = True
        if self.refused:
            log.warning("%s connections refused: their addresses have %s each", self.refused, limits.CONNECTIONS)
            self.refused = 0


def bound_memory() -> None:
    """Let the C library return freed memory to the system, if it is glibc.

    By default it keeps a heap for each thread, with freed blocks of a megabyte: twelve documents of a megabyte left
    94 MB in the process, with this 30.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt:
        mallopt(-8, 4)  # M_ARENA_MAX: at most four heaps
        mallopt(-3, 512 * limits.KB)  # M_MMAP_THRESHOLD: larger blocks go back to the system at once


def adjustments(app: Flask) -> Adjustments:
    """The settings of waitress for this application."""
    adj = Adjustments(
        connection_limit=connection_limit(),
        asyncore_use_poll=True,  # select() ends at 1,024 descriptors
        ident="",
        cleanup_interval=limits.SWEEP_SECONDS,
        max_request_header_size=limits.HEADER_BYTES,
        max_request_body_size=limits.upload_bytes(app.config) + 1,  # waitress refuses a body of this very length, too
        # No limit, because a thread would wait until the client has taken the reply. `Channel.service` begins no
        # other reply meanwhile, and `Fetched` reads a file part by part, so there is little in memory anyway.
        outbuf_overflow=sys.maxsize,
        outbuf_high_watermark=sys.maxsize,
        clear_untrusted_proxy_headers=False,  # the application reads them (`hooks.trust_proxy`)
    )
    # By default each worker thread sends its own replies, which costs a sixth of the requests in thread switches.
    # Set here, because waitress warns that the option above is deprecated.
    adj.send_bytes = SEND_BYTES
    return adj


def serve(app: Flask, sockets: list[socket.socket], ready: Callable[[], None]) -> None:
    """Answer requests until SIGINT or SIGTERM; then let the running ones finish, for ten seconds at most.

    `ready` is called when requests are answered and both signals are handled.
    """
    bound_memory()
    dispatcher = ThreadedTaskDispatcher()
    # A request that waits (for a hash, a lock, a delay) holds a thread. With 4 threads, 8 logins left others 1 % of
    # their requests; with 32 threads three quarters (docs/performance.md, "The tail").
    dispatcher.set_thread_count(app.config["THREADS"])
    channels: dict[int, Any] = {}
    listeners = [Listener(app, channels, bound, dispatcher, adjustments(app)) for bound in sockets]
    ended = end_at_a_signal(wake=listeners[0].pull_trigger)
    # Objects made at the start live forever. Exclude them from garbage collection, which otherwise pauses every
    # request for 50 ms.
    gc.freeze()
    gc.enable()  # `halolight.py` has disabled it
    pruner = Pruner()
    pruner.start()
    try:
        ready()
        while not ended:
            wasyncore.loop(timeout=limits.SWEEP_SECONDS, map=channels, use_poll=True, count=1)
        drain(channels, seconds=10, proxied=bool(app.config["TRUSTED_PROXY"]))
    finally:
        dispatcher.shutdown(timeout=1)
        pruner.stop()
        engines.db.close_all()


def end_at_a_signal(wake: Callable[[], None]) -> list[int]:
    """A list to which SIGINT and SIGTERM are added. The second signal raises KeyboardInterrupt.

    The first one must not: an exception while a reply is being sent would make waitress send a part of it twice.
    """
    # No threading.Event, whose lock a second signal would wait for while the first sets it.
    ended: list[int] = []

    def end(number: int, frame: Any) -> None:
        if ended:
            raise KeyboardInterrupt
        ended.append(number)
        wake()

    # SIGINT too, although Python handles it: a program that a shell starts in the background inherits "ignore".
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    return ended


def drain(channels: dict[int, Any], seconds: float, proxied: bool) -> None:
    """Accept no more connections, and go on until every request that was read is answered.

    A proxy keeps its connections, and may send a request on any of them at this moment. So with a proxy, go on until
    it has closed all of them, as each reply tells it to.
    """
    for listener in [channel for channel in channels.values() if channel.accepting]:
        for _ in range(BACKLOG):
            listener.handle_accept()  # those that the system has accepted would be cut off
        listener.ending = True
        # Not `listener.close()`, which would close the pipe as well by which other threads wake this one.
        wasyncore.dispatcher.close(listener)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and any(
        proxied or channel.requests or channel.total_outbufs_len
        for channel in channels.values()
        if isinstance(channel, Channel)
    ):
        wasyncore.loop(timeout=0.1, map=channels, use_poll=True, count=1)
