"""HaloLight: an admin-dashboard REST API. `python halolight.py` makes, fills and serves it.

Configuration, the application and the command line; the server is in `web/server.py`, everything else in
`resources/`, `models.py` and `seed.py`.
"""

from __future__ import annotations

import io
import json
import logging
import os
import re
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click
import peewee
from dotenv import dotenv_values
from flask import Flask
from marshmallow import ValidationError
from tzlocal import get_localzone
from werkzeug.routing import IntegerConverter

import models
import seed
from models import DatabaseRefused, Role, Setting, User
from resources import RESOURCES, demo, hooks, prepared, system
from resources.auth import RegisterArgs
from resources.errors import Api
from resources.logs import JSONLines, TextLines, mask_paths
from resources.schemas import MAX_ID
from web import limits
from web.server import listening_sockets, serve

ROOT = Path(__file__).resolve().parent
ENV_FILE = ROOT / ".env"


class BadConfiguration(Exception):
    """A variable with a value that is not allowed; the text is one line that names it."""


# --- Configuration ---------------------------------------------------------------------------------------------------


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
    """A URL whose scheme is `sqlite` (its path taken from the folder of this file) or `postgresql`."""
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
        """The configuration in `given` (variable → text); empty is unset. Raises BadConfiguration."""
        values = {}
        for each in fields(cls):
            name, text = each.name.upper(), str(given.get(each.name.upper()) or "").strip()
            if not text:
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


# --- The application -------------------------------------------------------------------------------------------------


class Id(IntegerConverter):
    """A row's id in a path: ASCII digits, no more than a Postgres integer holds; anything else is no such row."""

    regex = r"[0-9]{1,10}"

    def __init__(self, url_map: Any):
        super().__init__(url_map, min=1, max=MAX_ID)


def create_app(**overrides: Any) -> Flask:
    """The application, with its database open, made and seeded.

    `overrides` are variables of the configuration (`DATABASE_URL="sqlite:////tmp/x.db"`) that come before
    the environment and `.env`. Raises BadConfiguration and DatabaseRefused.
    """
    config = Config.read({**dotenv_values(ENV_FILE), **os.environ, **overrides})
    app = Flask("halolight", static_folder=None, template_folder=None)
    configure(app, config)
    open_database(config)
    app.config["JWT_SECRET"] = config.jwt_secret or Setting.read("secret")
    app.url_map.converters["id"] = Id
    app.url_map.strict_slashes = False  # a redirect would break a CORS preflight
    app.json = prepared.JSON(app)
    hooks.init_app(app)
    app.register_blueprint(system.pages)
    if (config.docs or ("off" if config.production else "on")) == "on":
        app.register_blueprint(system.documentation)
    api = Api(app)
    for blp in RESOURCES:
        api.register_blueprint(blp)
    if not config.production:
        demo.init_app(app)
        api.register_blueprint(demo.blp)
    app.extensions["permissions"] = known_permissions(app)
    return app


def configure(app: Flask, config: Config) -> None:
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
        API_VERSION=system.VERSION,
        API_SPEC_OPTIONS={"info": {"description": system.ABOUT}},
        OPENAPI_VERSION="3.1.0",
    )
    seed.zone = app.config["TIMEZONE"]


def connect(url: str, threads: int) -> models.SQLite | models.Postgres:
    """Open the database at `url` for so many threads that serve requests. Raises DatabaseRefused."""
    return models.connect(
        url,
        connections=threads + 2,
        statement_seconds=limits.STATEMENT_SECONDS,
        write_seconds=limits.WRITE_SECONDS,
        writers=threads * 3 // 4,  # the others still read
    )


def open_database(config: Config) -> None:
    """Connect, make the tables of an empty database and seed it. Raises DatabaseRefused."""
    try:
        connect(config.database_url, config.threads)
        # The making and the filling together: two first starts at once make one database.
        with models.unhurried(), models.write():
            if models.create_tables():
                seed.seed(demo=config.demo)
    except DatabaseRefused as error:
        raise DatabaseRefused(f"DATABASE_URL: {error}") from None
    except (peewee.PeeweeException, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DatabaseRefused(f"DATABASE_URL: the database cannot be opened ({reason})") from None
    finally:
        models.release()


def known_permissions(app: Flask) -> list[str]:
    """Every permission that a route or a rule of a model asks for."""
    asked = {p for view in app.view_functions.values() for p in getattr(view, "permissions", None) or ()}
    scoped = {getattr(model, "RESOURCE", "") for model in models.tables()} - {""} | {"users"}
    return sorted(asked | {f"{resource}:manage" for resource in scoped})


# --- The command line ------------------------------------------------------------------------------------------------


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--host", help="Listen on this address (default: both loopbacks).")
@click.option("--port", help="Listen on this port, 0 for a free one (default: 8000).")
@click.option("--reset", is_flag=True, help="Put the demo data back as it was, then start.")
@click.option("--delay", metavar="FROM-TO", help="Delay every reply by so many milliseconds (development only).")
@click.option("--fail-rate", metavar="RATE", help="Let so many replies fail, from 0 to 1 (development only).")
@click.option("--create-admin", metavar="EMAIL", help="Make a super administrator and stop; password: ADMIN_PASSWORD.")
def main(
    host: str | None, port: str | None, reset: bool, delay: str | None, fail_rate: str | None, create_admin: str | None
) -> None:
    """Start HaloLight on a database that is made and filled at the first start."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a console that cannot show Chinese is no reason to stop
    options = {"HALOLIGHT_HOST": host, "PORT": port}
    try:
        app = create_app(**{name: value for name, value in options.items() if value is not None})
        configure_logging(app)
        if create_admin:
            click.echo(f"{make_admin(create_admin)} is a super administrator")
            return
        interfere(app, delay, fail_rate)
        if reset:
            seed.reset()
        try:
            sockets = listening_sockets(app.config["HOST"], app.config["PORT"])
        except OSError as error:
            reason = error.strerror or str(error)
            raise BadConfiguration(
                f"PORT={app.config['PORT']}: cannot listen there ({reason}); choose another with --port"
            ) from None
    except (BadConfiguration, DatabaseRefused, seed.NotResettable) as error:
        click.echo(f"halolight: {error}", err=True)
        sys.exit(2)
    serve(app, sockets, ready=lambda: welcome(app, sockets))


def interfere(app: Flask, delay: str | None, fail_rate: str | None) -> None:
    """Set what the demo controls do to every request. Raises BadConfiguration."""
    if (delay or fail_rate) and app.config["PRODUCTION"]:
        raise BadConfiguration("--delay and --fail-rate work in development only")
    if delay:
        found = re.fullmatch(r"([0-9]{1,5})-([0-9]{1,5})", delay)
        if not found or not int(found[1]) <= int(found[2]) <= 10_000:
            raise BadConfiguration("--delay: two numbers of milliseconds up to 10000, such as 200-800")
        app.config["DEMO_DELAY"] = (int(found[1]), int(found[2]))
    if fail_rate:
        if not re.fullmatch(r"0|1|[01]?\.[0-9]{1,9}", fail_rate) or float(fail_rate) > 1:
            raise BadConfiguration("--fail-rate: a number from 0 to 1, such as 0.05")
        app.config["DEMO_FAIL_RATE"] = float(fail_rate)


def make_admin(email: str) -> str:
    """Make the first super administrator (production seeds nobody). Raises BadConfiguration."""
    password = os.environ.get("ADMIN_PASSWORD") or click.prompt("Password", hide_input=True, confirmation_prompt=True)
    try:
        data = RegisterArgs().load({"email": email, "password": password})
    except ValidationError as error:
        name = "ADMIN_PASSWORD" if "password" in error.messages_dict else "--create-admin"
        reason = next(iter(error.messages_dict.values()))[0]
        raise BadConfiguration(f"{name}: {reason}") from None
    try:
        with models.write():
            role = Role.get(Role.name == "super_admin")
            return User.register(email=data["email"], role=role, password_hash=models.make_hash(data["password"])).email
    except peewee.IntegrityError:
        raise BadConfiguration(f"--create-admin: {data['email']} is taken") from None


def configure_logging(app: Flask) -> None:
    # What no format of ours shows need not be found out for every line (logging HOWTO, "Optimization").
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    handler = logging.StreamHandler()
    text = TextLines("%(asctime)s %(levelname)s %(name)s: %(message)s")
    handler.setFormatter(JSONLines() if app.config["LOG_FORMAT"] == "json" else text)
    handler.addFilter(mask_paths)
    logging.basicConfig(level=app.config["LOG_LEVEL"], handlers=[handler])


def welcome(app: Flask, sockets: list[socket.socket]) -> None:
    """Say where to go; the last line comes when requests are taken, and is flushed."""
    host, port = sockets[0].getsockname()[:2]
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    days = seed.age_in_days()
    if days:
        click.echo(f"The demo data is {days} days old; --reset renews it.")
    if seed.seeded():
        click.echo(f"Accounts (password {seed.PASSWORD}):")
        for email, role in seed.ACCOUNTS:
            click.echo(f"  {email:30} {role}")
        if app.config["PRODUCTION"]:
            click.echo("Warning: SEED_DEMO filled this production database with public accounts.")
        elif app.config["BEYOND_LOOPBACK"]:
            click.echo("Warning: listening beyond loopback; everybody who can reach this port can use these accounts.")
    click.echo(f"API docs: {address}/docs   {address}/redoc")
    click.echo(f"HaloLight ready on {address}")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
