"""HaloLight: an admin-dashboard REST API. `python halolight.py` makes, fills and serves it.

The factory and the command line. `web/` holds what all routes share, `resources/` the routes, `models.py` the tables.
"""

import io
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import click
from flask import Flask

import seed
from database import base, engines, migrate
from database.base import Setting
from database.engines import DatabaseRefused
from database.turns import unhurried
from resources import RESOURCES, demo, permissions, system
from seeds import dates
from web import clock, config, dialects, hooks, rules, throwaway, traces, upkeep
from web.config import SETS, BadConfiguration
from web.document import write_document
from web.errors import Api
from web.logs import configure_logging
from web.server import listening_sockets, serve

# --- The application -------------------------------------------------------------------------------------------------


def create_app(**overrides: Any) -> Flask:
    """The application, with its database open, created and seeded.

    `overrides` are variables of the configuration (`DATABASE_URL="sqlite:////tmp/x.db"`); they take precedence over
    the environment and `.env`. Raises BadConfiguration and DatabaseRefused.
    """
    app = with_routes(config.read(**overrides))
    configure_logging(app)
    dates.zone = app.config["TIMEZONE"]
    clock.start(app.config["DEMO_CLOCK"], dates.zone)
    open_database(app)
    app.config["JWT_SECRET"] = app.config["JWT_SECRET"] or Setting.read("secret")
    return app


def with_routes(values: Mapping[str, Any]) -> Flask:
    """The application with all its routes but without a database, which is enough for the OpenAPI document."""
    app = Flask("halolight", static_folder=None, template_folder=None)
    app.config.from_mapping(values)
    hooks.init_app(app)
    dialects.init_app(app)
    app.register_blueprint(system.pages)
    if app.config["DOCS"] == "on":
        app.register_blueprint(system.documentation)
    base.refuse_unscoped()
    api = Api(app)
    for blp in RESOURCES:
        api.register_blueprint(blp)
    if not app.config["PRODUCTION"]:
        demo.init_app(app)
        api.register_blueprint(demo.blp)
    app.extensions["permissions"] = permissions.known(app)
    return app


def open_database(app: Flask) -> None:
    """Connect; create and seed the tables of an empty database, or bring older ones up to date."""
    with config.opened(app.config):
        # One transaction: of two processes that start at once, one creates the tables and seeds them.
        with unhurried(), engines.write():
            if migrate.create_tables():
                seed.seed(demo=app.config["SEED_DEMO"], name=app.config["SEED_SET"] or "zh")
        migrate.update(by_itself=not app.config["PRODUCTION"])
    if not app.config["PRODUCTION"]:
        traces.watch(engines.db.obj)


# --- The command line ------------------------------------------------------------------------------------------------


@contextmanager
def refusals(program: str) -> Iterator[None]:
    """End the program with one line if the configuration or the database does not allow what it was called for."""
    try:
        yield
    except (BadConfiguration, DatabaseRefused, seed.NotResettable) as error:
        click.echo(f"{program}: {error}", err=True)
        sys.exit(2)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--host", "HALOLIGHT_HOST", help="Listen on this address (default: both loopbacks).")
@click.option("--port", "PORT", help="Listen on this port, 0 for a free one (default: 8000).")
@click.option("--throwaway", "temporary", is_flag=True, help="A free port, and a database that goes with the process.")
@click.option("--reset", is_flag=True, help="Put the demo data back as it was, then start.")
@click.option("--set", "SEED_SET", type=click.Choice(SETS), help="Which demo data, with --reset or in a new database.")
@click.option("--delay", metavar="FROM-TO", help="Delay every reply by so many milliseconds (development only).")
@click.option("--fail-rate", metavar="RATE", help="Let so many replies fail, from 0 to 1 (development only).")
@click.option("--clock", "DEMO_CLOCK", metavar="TIME", help=f"Start at {clock.FORMAT} (development only).")
@click.option("--create-admin", metavar="EMAIL", help="Make a super administrator and stop; password: ADMIN_PASSWORD.")
@click.option("--openapi", metavar="[FILE]", is_flag=False, flag_value="-", help="Write the OpenAPI document and stop.")
@click.option("--backup", metavar="FILE", help="Copy the SQLite database to FILE, also while it is in use, and stop.")
@click.option("--migrate", is_flag=True, help="Bring the database up to date with the models, and stop.")
@click.option("--check", is_flag=True, help="Look for damage in the database, and stop; exit code 1 if there is any.")
def main(temporary, reset, delay, fail_rate, create_admin, openapi, backup, migrate, check, **variables):
    """Start HaloLight on a database that is made and filled at the first start."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a console without Chinese shows ? instead
    # Options that stand for a variable of the configuration carry its name.
    options = {name: value for name, value in variables.items() if value is not None}
    with refusals("halolight"):
        if openapi:
            return write_document(with_routes(config.read(**options)), openapi)
        if backup or migrate or check:
            with config.opened(config.read()):
                sys.exit(upkeep.maintain(backup, migrate, check))
        if temporary:
            options = throwaway.variables() | options
        app = create_app(**options)
        if create_admin:
            return click.echo(f"{upkeep.make_admin(create_admin)} is a super administrator")
        rules.from_options(app, delay=delay, fail_rate=fail_rate)
        if reset:
            seed.reset(app.config["SEED_SET"])
        elif "SEED_SET" in options:
            seed.expect(options["SEED_SET"])
        sockets = listening_sockets(app.config["HALOLIGHT_HOST"], app.config["PORT"])
    serve(app, sockets, ready=lambda: welcome(app, sockets))


def welcome(app: Flask, sockets: list[socket.socket]) -> None:
    """Print the accounts and addresses. The last line says that requests are answered, and is flushed."""
    host, port = sockets[0].getsockname()[:2]
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    if clock.is_set():
        click.echo(clock.told(dates.zone))
    days = seed.age_in_days()
    if days:
        click.echo(f"The demo data is {days} days old; --reset renews it.")
    if seed.seeded():
        click.echo(f"Demo data: {seed.set_in_use()} (others with --reset --set {' | '.join(SETS)})")
        click.echo(f"Accounts (password {seed.PASSWORD}):")
        for account in seed.accounts():
            if account["password"] and account["status"] == "active":
                click.echo(f"  {account['email']:30} {account['role']}")
        if app.config["PRODUCTION"]:
            click.echo("Warning: SEED_DEMO filled this production database with public accounts.")
        elif app.config["BEYOND_LOOPBACK"]:
            click.echo("Warning: listening beyond loopback; everybody who can reach this port can use these accounts.")
    click.echo(f"API docs: {address}/docs   {address}/redoc")
    click.echo(f"HaloLight ready on {address}")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
