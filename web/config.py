"""The configuration: what the environment and an optional `.env` may say."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from flask import Flask
from tzlocal import get_localzone

from web import limits
from web.openapi import ABOUT

#: Where `halolight.py` is.
ROOT = Path(__file__).resolve().parent.parent
ENV_FILE = ROOT / ".env"


VERSION = "0.1.0"


class BadConfiguration(Exception):
    """A variable with a value that is not allowed; the text is one line that names it."""


def duration(text: str) -> timedelta:
    """`30s`, `15m`, `12h`, `7d`."""
    found = re.fullmatch(r"([0-9]{1,6})([smhd])", text)
    if not found or not int(found[1]):
        raise ValueError("such as 30s, 15m, 12h or 7d")
    unit = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}[found[2]]
    seconds = timedelta(**{unit: int(found[1])})
    if seconds > timedelta(days=3650):
        raise ValueError("at most 3650d")
    return seconds


def whole(minimum: int, maximum: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not minimum <= int(text) <= maximum:
            raise ValueError(f"a whole number from {minimum} to {maximum}")
        return int(text)

    return parse


def one_of(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError(f"one of {', '.join(choices)}")
        return text

    return parse


def yes_or_no(text: str) -> bool:
    if text.lower() not in ("true", "false", "1", "0", "yes", "no"):
        raise ValueError("true or false")
    return text.lower() in ("true", "1", "yes")


def names(text: str) -> tuple[str, ...]:
    return tuple(part.strip().lower() for part in text.split(",") if part.strip())


def origin(text: str) -> str:
    url = urlsplit(text.strip().rstrip("/"))
    if url.scheme not in ("http", "https") or not url.netloc or url.path or url.query or "@" in url.netloc:
        raise ValueError("an origin such as http://localhost:3000")
    return f"{url.scheme}://{url.netloc}".lower()


def origins(text: str) -> tuple[str, ...]:
    try:
        listed = (
            json.loads(text) if text.lstrip().startswith("[") else [part for part in text.split(",") if part.strip()]
        )
        return tuple(origin(part) for part in listed)
    except (ValueError, AttributeError) as error:
        raise ValueError('a JSON list or commas between origins: ["http://localhost:3000"]') from error


def timezone(text: str) -> ZoneInfo:
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("an IANA name such as Asia/Shanghai") from error


def database_url(text: str) -> str:
    """A URL whose scheme is `sqlite` (its path taken from the folder of `halolight.py`) or `postgresql`."""
    scheme, _, rest = text.partition("://")
    if scheme == "sqlite" and rest.startswith("/") and rest[1:] and ":memory:" not in rest:
        return f"sqlite:///{ROOT / rest[1:]}"
    credentials, _, place = rest.rpartition("@")
    # Where these are not escaped, a part of the password would be taken for the host, and shown as such.
    if re.fullmatch(r"postgres(ql)?(\+\w+)?", scheme) and rest.strip("/") and not re.search(r"[@/?#\[\]]", credentials):
        with suppress(ValueError):  # which would show what was taken for the port
            urlsplit(f"//{place}").port  # noqa: B018
            return f"postgresql://{rest}"
    raise ValueError(
        "sqlite:///./halolight.db or postgresql://user:password@host:5432/name (a / in the password is %2F, an @ %40)"
    )


def secret(text: str) -> str:
    if len(text.encode()) < 32:
        raise ValueError("at least 32 bytes")
    return text


def as_text(value: Any) -> str:
    """A value as its variable would say it, so that what a program passes is checked as what the environment says."""
    if isinstance(value, (list, tuple)):
        return ",".join(map(str, value))
    if isinstance(value, timedelta):
        return f"{int(value.total_seconds())}s"
    return str(value).strip()


def variable(parse: Callable[[str], Any], default: Any, hidden: bool = False) -> Any:
    return field(default=default, metadata={"parse": parse, "hidden": hidden})


@dataclass(frozen=True)
class Config:
    """What the environment and an optional `.env` say; the name in capitals is the variable."""

    database_url: str = variable(database_url, f"sqlite:///{ROOT / 'halolight.db'}", hidden=True)
    #: Empty: the one that the database keeps since its first start.
    jwt_secret: str = variable(secret, "", hidden=True)
    jwt_access_expires: timedelta = variable(duration, timedelta(minutes=15))
    jwt_refresh_expires: timedelta = variable(duration, timedelta(days=7))
    port: int = variable(whole(0, 65535), 8000)
    #: Empty: both loopbacks, 0.0.0.0 in production. Plain HOST is not read: conda and zsh set it.
    halolight_host: str = variable(str, "")
    node_env: str = variable(one_of("development", "test", "production"), "development")
    cors_origins: tuple[str, ...] = variable(origins, ("http://localhost:3000",))
    allowed_hosts: tuple[str, ...] = variable(names, ())
    trusted_proxy: str = variable(str, "")
    #: Empty: the first of CORS_ORIGINS.
    frontend_url: str = variable(origin, "")
    timezone: ZoneInfo | None = variable(timezone, None)
    default_language: str = variable(one_of("zh", "en"), "zh")
    max_upload_mb: int = variable(whole(1, 1024), 10)
    storage_quota_mb: int = variable(whole(1, 1_000_000), 100)
    threads: int = variable(whole(2, 256), 32)
    login_rate_limit: int = variable(whole(1, 100_000), 20)
    log_level: str = variable(one_of("DEBUG", "INFO", "WARNING", "ERROR"), "INFO")
    log_format: str = variable(one_of("text", "json"), "text")
    metrics_token: str = variable(str, "", hidden=True)
    seed_demo: bool | None = variable(yes_or_no, None)
    registration: str = variable(one_of("open", "closed"), "")
    docs: str = variable(one_of("on", "off"), "")
    demo_controls: str = variable(one_of("open"), "")

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> Config:
        """The configuration in `given` (variable → text or value); None and "" are unset. Raises BadConfiguration."""
        values = {}
        for each in fields(cls):
            name, value = each.name.upper(), given.get(each.name.upper())
            text = "" if value is None else as_text(value)
            if not text and value not in ([], ()):  # which say that there are none
                continue
            try:
                values[each.name] = each.metadata["parse"](text)
            except ValueError as error:
                shown = "***" if each.metadata["hidden"] else text[:100]
                raise BadConfiguration(f"{name}={shown} is not allowed: {error}") from None
        config = cls(**values)
        if config.production and not config.jwt_secret:
            raise BadConfiguration("JWT_SECRET is required in production: at least 32 bytes")
        return config

    @property
    def production(self) -> bool:
        return self.node_env == "production"

    @property
    def host(self) -> str:
        return self.halolight_host or ("0.0.0.0" if self.production else "localhost")  # noqa: S104

    @property
    def beyond_loopback(self) -> bool:
        return self.host not in ("localhost", "127.0.0.1", "::1")

    @property
    def demo(self) -> bool:
        """Whether an empty database is filled with demo rows."""
        return not self.production if self.seed_demo is None else self.seed_demo


def configure(app: Flask, config: Config) -> None:
    """Put the configuration into `app.config`, with the defaults that follow from other variables."""
    app.config.from_mapping({each.name.upper(): getattr(config, each.name) for each in fields(config)})
    app.config.update(
        TIMEZONE=config.timezone or get_localzone(),
        FRONTEND_URL=config.frontend_url or (config.cors_origins or ("http://localhost:3000",))[0],
        PRODUCTION=config.production,
        REGISTRATION=config.registration or ("closed" if config.production else "open"),
        HOST=config.host,
        BEYOND_LOOPBACK=config.beyond_loopback,
        MAX_CONTENT_LENGTH=limits.BODY_BYTES,
        API_TITLE="HaloLight",
        API_VERSION=VERSION,
        API_SPEC_OPTIONS={"info": {"description": ABOUT}},
        OPENAPI_VERSION="3.1.0",
    )
