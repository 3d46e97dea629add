"""The configuration: every variable that the environment and an optional `.env` may set, and the database it names.

The variables are fields of a schema. marshmallow reads them as it reads the body of a request.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import marshmallow as ma
import peewee
from dotenv import dotenv_values
from marshmallow import ValidationError
from marshmallow.fields import Function
from tzlocal import get_localzone

from database import engines
from database.engines import DatabaseRefused, first_line
from web import clock, fields, limits

#: Where `halolight.py` is.
ROOT = Path(__file__).resolve().parent.parent
ENV_FILE = ROOT / ".env"
VERSION = "0.1.0"
#: The sets of demo rows.
SETS = ("zh", "en", "empty", "edge")
#: What Flask and flask-smorest are told, whatever the environment says.
SETTINGS = {
    "MAX_CONTENT_LENGTH": limits.BODY_BYTES,
    "API_TITLE": "HaloLight",
    "API_VERSION": VERSION,
    "OPENAPI_VERSION": "3.1.0",
}


class BadConfiguration(Exception):
    """A variable with a value that is not allowed; the text is one line that names it."""


def duration(text: str) -> timedelta:
    """`30s`, `15m`, `12h`, `7d`."""
    found = re.fullmatch(r"([0-9]{1,9})([smhd])", text)
    seconds = int(found[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86_400}[found[2]] if found else 0
    if not 0 < seconds <= 3650 * 86_400:
        raise ValidationError("such as 30s, 15m, 12h or 7d, at most 3650d")
    return timedelta(seconds=seconds)


def listed(text: str) -> tuple[str, ...]:
    """The values of a JSON list, or of a text with commas between them, in lower case."""
    try:
        found = json.loads(text) if text.startswith("[") else text.split(",")
    except ValueError:
        raise ValidationError('a JSON list such as ["a.example"], or commas between the values') from None
    return tuple(str(part).strip().lower() for part in found if str(part).strip())


def origin(text: str) -> str:
    url = urlsplit(text.rstrip("/").lower())
    if url.scheme not in ("http", "https") or not url.netloc or url.path or url.query or "@" in url.netloc:
        raise ValidationError("an origin such as http://localhost:3000")
    return f"{url.scheme}://{url.netloc}"


def origins(text: str) -> tuple[str, ...]:
    return tuple(map(origin, listed(text)))


def database_url(text: str) -> str:
    """A URL whose scheme is `sqlite` (its path taken from the folder of `halolight.py`) or `postgresql`."""
    scheme, _, rest = text.partition("://")
    if scheme == "sqlite" and rest.startswith("/") and rest[1:] and ":memory:" not in rest:
        return f"sqlite:///{ROOT / rest[1:]}"
    credentials, _, place = rest.rpartition("@")
    # An unescaped / or @ would make a part of the password look like the host, which error messages show.
    if re.fullmatch(r"postgres(ql)?(\+\w+)?", scheme) and rest.strip("/") and not re.search(r"[@/?#\[\]]", credentials):
        with suppress(ValueError):  # it would quote what it took for the port
            urlsplit(f"//{place}").port  # noqa: B018
            return f"postgresql://{rest}"
    raise ValidationError(
        "sqlite:///./halolight.db or postgresql://user:password@host:5432/name (a / in the password is %2F, an @ %40)"
    )


def secret(text: str) -> str:
    if len(text.encode()) < 32:
        raise ValidationError("at least 32 bytes")
    return text


def clock_time(text: str) -> tuple[datetime, bool]:
    """A time, and whether the clock stands still there: 2026-03-01T09:30, or 2026-03-01T09:30,running."""
    time, _, then = text.partition(",")
    with suppress(ValueError):
        at = datetime.fromisoformat(time)
        if at.year in clock.YEARS and then in ("", "running"):
            return at, not then
    raise ValidationError(f"a time from {clock.YEARS[0]} to {clock.YEARS[-1]} such as {clock.FORMAT}")


class Variables(ma.Schema):
    """Every variable; a default that depends on other variables is in `read`."""

    class Meta:
        unknown = ma.EXCLUDE

    DATABASE_URL = Function(deserialize=database_url, load_default=f"sqlite:///{ROOT / 'halolight.db'}")
    #: Empty: `create_app` takes the secret that the database keeps since its first start.
    JWT_SECRET = Function(deserialize=secret, load_default="")
    JWT_ACCESS_EXPIRES = Function(deserialize=duration, load_default=timedelta(minutes=15))
    JWT_REFRESH_EXPIRES = Function(deserialize=duration, load_default=timedelta(days=7))
    PORT = fields.Count(0, 65535, load_default=8000)
    #: `localhost` is both loopbacks. Plain HOST is not read, because conda and zsh set it.
    HALOLIGHT_HOST = fields.String()
    NODE_ENV = fields.Choice(("development", "test", "production"), load_default="development")
    CORS_ORIGINS = Function(deserialize=origins, load_default=("http://localhost:3000",))
    ALLOWED_HOSTS = Function(deserialize=listed, load_default=())
    TRUSTED_PROXY = fields.String(load_default="")
    FRONTEND_URL = Function(deserialize=origin)
    TIMEZONE = fields.Zone(load_default=get_localzone)
    DEFAULT_LANGUAGE = fields.Choice(("zh", "en"), load_default="zh")
    MAX_UPLOAD_MB = fields.Count(1, 1024, load_default=10)
    STORAGE_QUOTA_MB = fields.Count(1, 1_000_000, load_default=1024)
    THREADS = fields.Count(2, 256, load_default=32)
    LOGIN_RATE_LIMIT = fields.Count(1, 100_000, load_default=20)
    LOG_LEVEL = fields.Choice(("DEBUG", "INFO", "WARNING", "ERROR"), load_default="INFO")
    LOG_FORMAT = fields.Choice(("text", "json"), load_default="text")
    METRICS_TOKEN = fields.String(load_default="")
    SEED_DEMO = fields.Boolean()
    #: Empty: `zh` for a new database, and the one in use at a reset.
    SEED_SET = fields.Choice(SETS, load_default="")
    REGISTRATION = fields.Choice(("open", "closed"))
    DOCS = fields.Choice(("on", "off"))
    DEMO_CONTROLS = fields.Choice(("open",), load_default="")
    DEMO_CLOCK = Function(deserialize=clock_time, load_default=None)


VARIABLES = tuple(Variables().fields)
HIDDEN = ("DATABASE_URL", "JWT_SECRET", "METRICS_TOKEN")


def as_text(value: Any) -> str:
    """A value as its variable would say it, so that what a program passes is checked as what the environment says."""
    if isinstance(value, (list, tuple)):
        return json.dumps(list(map(str, value)))
    if isinstance(value, timedelta):
        return f"{int(value.total_seconds())}s"
    return "" if value is None else str(value).strip()


def read(**overrides: Any) -> dict[str, Any]:
    """Every variable with its value: from `overrides`, else the environment, else `.env`. None and "" are unset.

    PRODUCTION and BEYOND_LOOPBACK follow from the variables. Raises BadConfiguration.
    """
    given = {**dotenv_values(ENV_FILE), **os.environ, **overrides}
    texts = {name: as_text(given.get(name)) for name in VARIABLES}
    try:
        config = Variables().load({name: text for name, text in texts.items() if text})
    except ValidationError as error:
        name, (reason, *_) = next(iter(error.messages_dict.items()))
        shown = "***" if name in HIDDEN else texts[name][:100]
        raise BadConfiguration(f"{name}={shown} is not allowed: {reason}") from None
    production = config["NODE_ENV"] == "production"
    if production and not config["JWT_SECRET"]:
        raise BadConfiguration("JWT_SECRET is required in production: at least 32 bytes")
    if production and config["DEMO_CLOCK"]:
        raise BadConfiguration("DEMO_CLOCK works in development only")
    config.setdefault("FRONTEND_URL", (*config["CORS_ORIGINS"], "http://localhost:3000")[0])
    config.setdefault("HALOLIGHT_HOST", "0.0.0.0" if production else "localhost")  # noqa: S104
    config.setdefault("SEED_DEMO", not production)
    config.setdefault("REGISTRATION", "closed" if production else "open")
    config.setdefault("DOCS", "off" if production else "on")
    beyond = config["HALOLIGHT_HOST"] not in ("localhost", "127.0.0.1", "::1")
    return {**SETTINGS, **config, "PRODUCTION": production, "BEYOND_LOOPBACK": beyond}


@contextmanager
def opened(values: Mapping[str, Any]) -> Iterator[None]:
    """Connect to the database that the variables name. Any error of it inside the block is one line, DatabaseRefused.

    The connection of this thread is given back after the block.
    """
    try:
        connect(values["DATABASE_URL"], values["THREADS"])
        yield
    except DatabaseRefused as error:
        raise DatabaseRefused(f"DATABASE_URL: {error}") from None
    except (peewee.PeeweeException, OSError) as error:
        raise DatabaseRefused(f"DATABASE_URL: the database cannot be opened ({first_line(error)})") from None
    finally:
        engines.release()


def connect(url: str, threads: int) -> engines.SQLite | engines.Postgres:
    """Open the database at `url` for a server with this many threads. Raises DatabaseRefused."""
    return engines.connect(
        url,
        connections=threads + 2,
        statement_seconds=limits.STATEMENT_SECONDS,
        write_seconds=limits.WRITE_SECONDS,
        writers=threads * 3 // 4,  # the other threads can still read
    )
