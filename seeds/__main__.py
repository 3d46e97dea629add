"""`python seed.py`: fill a database with the demo data, put it back, or add rows by number."""

import click

import seed
from database import engines
from halolight import create_app, refusals
from models import Document, User
from web.config import SETS


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--reset", is_flag=True, help="First put the demo data back as it was seeded.")
@click.option("--set", "name", type=click.Choice(SETS), help="Which demo data, with --reset or in a new database.")
@click.option("--users", type=click.IntRange(0), metavar="N", help="Then add users until there are N.")
@click.option("--documents", type=click.IntRange(0), metavar="N", help="Then add documents until there are N.")
def fill(reset: bool, name: str | None, users: int | None, documents: int | None) -> None:
    """Fill an empty database with the demo data; any other stays as it is.

    Users and documents that are added by number have the demo password, and go with the next --reset.
    """
    with refusals("seed"):
        app = create_app(**({"SEED_SET": name} if name else {}))
        if reset:
            seed.reset(app.config["SEED_SET"])
        elif name:
            seed.expect(name)
        if not seed.seeded():
            raise seed.NotResettable("this database was made without demo rows (production, SEED_DEMO=false)")
    state = "is as it was seeded" if reset else f"is there ({seed.age_in_days()} days old)"
    click.echo(f"The demo data ({seed.set_in_use()}) {state}.")
    if users is not None:
        seed.grow(User, users)
    if documents is not None:
        seed.grow(Document, documents)
    engines.db.close_all()


if __name__ == "__main__":
    fill()
