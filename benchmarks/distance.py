"""python -m benchmarks.distance SOCKET SECONDS: a proxy before a Postgres that is so far away.

It prints the port on which it listens, and for each line on its standard input how many journeys to the database
there were so far. A journey begins when a client speaks after the server did: whoever waits for a reply before the
next statement pays the distance twice.
"""

from __future__ import annotations

import asyncio
import selectors
import sys
from typing import Any

journeys = 0


class Side(asyncio.Protocol):
    """One side of a connection: what comes in here goes out at the other side, later."""

    def __init__(self, seconds: float, other: Side | None = None):
        self.seconds, self.other, self.early = seconds, other, b""
        self.transport: Any = None
        self.spoke_last = False

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        if self.early:
            transport.write(self.early)

    def data_received(self, data: bytes) -> None:
        assert self.other is not None
        asyncio.get_running_loop().call_later(self.seconds, self.other.send, data)
        self.spoke_last, self.other.spoke_last = True, False

    def send(self, data: bytes) -> None:
        if self.transport is None:
            self.early += data
        else:
            self.transport.write(data)

    def connection_lost(self, error: Exception | None) -> None:
        if self.other and self.other.transport:
            self.other.transport.close()


class Client(Side):
    """The side of HaloLight, which counts its journeys."""

    def __init__(self, socket: str, seconds: float):
        super().__init__(seconds, Side(seconds, self))
        self.socket = socket

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        loop = asyncio.get_running_loop()
        self.opening = loop.create_task(loop.create_unix_connection(lambda: self.other, self.socket))  # type: ignore

    def data_received(self, data: bytes) -> None:
        global journeys
        journeys += not self.spoke_last
        super().data_received(data)


async def run(socket: str, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Client(socket, seconds), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201
    ended = asyncio.Event()

    def asked() -> None:
        if sys.stdin.readline():
            print(journeys, flush=True)  # noqa: T201
        else:
            ended.set()

    loop.add_reader(sys.stdin, asked)
    await ended.wait()


if __name__ == "__main__":
    # Not epoll: it rounds a delay up to whole milliseconds.
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selectors.SelectSelector())) as runner:
        runner.run(run(sys.argv[1], float(sys.argv[2])))
