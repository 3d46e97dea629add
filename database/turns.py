"""How long a thread may wait for its turn to write, and who may take longer."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from peewee import OperationalError

#: Seconds that a writer waits if there is a crowd before it. While writes go on, each takes a hundredth of that.
SOON = 1.5
#: Seconds that a start waits for another process that makes and fills the same database.
START_SECONDS = 60.0

_thread = threading.local()


@contextmanager
def unhurried() -> Iterator[None]:
    """Let the statements of this thread take as long as they need: for making tables and for seeding.

    Enter it before `write()`.
    """
    before, _thread.unhurried = is_unhurried(), True
    try:
        yield
    finally:
        _thread.unhurried = before


def is_unhurried() -> bool:
    return getattr(_thread, "unhurried", False)


class Turns:
    """How long each thread may wait for its turn to write.

    If a transaction never ends, every writer behind it waits, and none of their threads is left for readers.
    So only the first `most` writers wait for all of `seconds`. The others are refused at once, or after SOON
    seconds if writers before them still get their turns.
    """

    def __init__(self, seconds: float, most: int):
        self.seconds, self.most = seconds, most
        self._inside, self._moved, self._lock = 0, 0.0, threading.Lock()

    @contextmanager
    def enter(self) -> Iterator[float]:
        """Count the thread as a writer; gives the time until which it may wait. Raises OperationalError."""
        now = time.monotonic()
        with self._lock:
            if not self._inside:
                self._moved = now
            crowded = self._inside >= self.most
            self._inside += 1
        try:
            seconds = START_SECONDS if is_unhurried() else self.seconds
            if crowded:
                seconds = min(seconds, self._moved + SOON - now)
            if seconds <= 0:
                raise OperationalError(f"{self._inside - 1} writers wait for their turn already")
            yield now + seconds
        finally:
            with self._lock:
                self._inside -= 1

    def move(self) -> None:
        """Say that a writer got its turn."""
        self._moved = time.monotonic()

    def rest(self) -> float:
        """How many seconds ago a thread of this process began to write; 0 while one writes or waits."""
        return 0.0 if self._inside else time.monotonic() - self._moved
