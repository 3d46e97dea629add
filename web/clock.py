"""The clock of the application, which development may set: frozen, or running on from another instant.

Everything that the application dates or lets expire follows it: rows, demo data, tokens, limits, the dashboard. What
takes time (a delay, a wait for a turn) follows the machine's clock, as do the log and the server's header `Date`.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from database import engines

#: How a time is given on the command line.
FORMAT = "2026-03-01T09:30:00+08:00, where it stands still; with `,running` after it, it goes on"
#: The years to which it may be set: refresh tokens keep seconds in four bytes, which end in January 2038.
YEARS = range(2000, 2037)


@dataclass(frozen=True)
class SetClock:
    """A clock that stands still at `at`, or is as far `ahead` of the machine's as it was when it was set."""

    at: datetime
    frozen: bool
    ahead: timedelta

    def __call__(self) -> datetime:
        return self.at if self.frozen else engines.machine_clock() + self.ahead


def start(wanted: tuple[datetime, bool] | None, zone: tzinfo) -> None:
    """Begin with the clock of the command line (`zone` is that of a time without one), or the machine's."""
    let_run()
    if wanted:
        at, frozen = wanted
        put(at if at.tzinfo else at.replace(tzinfo=zone), frozen)


def put(at: datetime, frozen: bool) -> None:
    """Set the clock of this process."""
    at = at.astimezone(UTC)
    engines.clock = SetClock(at, frozen, at - engines.machine_clock())


def let_run() -> None:
    """Go by the machine's clock again."""
    engines.clock = engines.machine_clock


def is_set() -> bool:
    return engines.clock is not engines.machine_clock


def state() -> dict[str, Any]:
    """What the clock shows, and whether it was set and stands still."""
    return {
        "now": engines.now(),
        "set": is_set(),
        "frozen": isinstance(engines.clock, SetClock) and engines.clock.frozen,
    }


def told(zone: tzinfo) -> str:
    """The line of the start that says that the clock is set."""
    verb = "stands at" if state()["frozen"] else "goes on from"
    return f"The clock {verb} {engines.now().astimezone(zone).isoformat(timespec='seconds')}."
