"""The days and hours of the demo rows, counted from today."""

from datetime import UTC, date, datetime, timedelta, tzinfo

from database import engines

#: The zone in which rows have their days and hours: the server's TIMEZONE, which the application sets.
zone: tzinfo = UTC


def today() -> date:
    return engines.now().astimezone(zone).date()


def at(days: int, hour: int = 0, minute: int = 0) -> datetime:
    """The instant `days` from today at this time of `zone`."""
    return datetime.combine(today(), datetime.min.time(), zone) + timedelta(days=days, hours=hour, minutes=minute)


def made_at(instant: datetime) -> dict[str, datetime]:
    return {"created_at": instant, "updated_at": instant}
