"""What an operator has done to the database besides serving it: copies, migrations, a first administrator, checks."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import marshmallow as ma
from peewee import IntegrityError, fn

from database import base, engines
from database import migrate as migrations
from database.backup import copy_to
from database.rules import ROWS
from database.turns import unhurried
from models import Document, File, FilePart, Role, User
from web import fields, passwords
from web.config import BadConfiguration


class AdminArgs(ma.Schema):
    email = fields.Email(required=True, data_key="--create-admin")
    password = passwords.Password(required=True, data_key="ADMIN_PASSWORD")


def maintain(backup: str | None, migrate: bool, check: bool) -> int:
    """Do what the options --backup, --migrate and --check say, in this order; the exit code. Raises DatabaseRefused."""
    if not engines.db.get_tables():
        raise engines.DatabaseRefused("the database is empty")
    damage: list[str] = []
    if backup:
        copy_to(Path(backup))
        click.echo(f"copied the database to {backup}")
    for line in migrations.migrate() if migrate else ():
        click.echo(line)
    if check:
        with unhurried():
            damage = list(find_damage())
        click.echo("\n".join(damage) or "no damage found")
    engines.db.close_all()
    return 1 if damage else 0


def make_admin(email: str) -> str:
    """Make the first super administrator (production seeds nobody); the e-mail address. Raises BadConfiguration."""
    password = os.environ.get("ADMIN_PASSWORD") or click.prompt("Password", hide_input=True, confirmation_prompt=True)
    try:
        data = AdminArgs().load({"--create-admin": email, "ADMIN_PASSWORD": password})
        hashed = passwords.make_hash(data["password"])
        with engines.write():
            role = Role.get(Role.name == "super_admin")
            return User.register(email=data["email"], role=role, password_hash=hashed).email
    except ma.ValidationError as error:
        name, (reason, *_) = next(iter(error.messages_dict.items()))
        raise BadConfiguration(f"{name}: {reason}") from None
    except IntegrityError:
        raise BadConfiguration(f"--create-admin: {data['email']} is taken") from None


def find_damage() -> Iterator[str]:
    """A line for each damage that there is. Every byte of the files is read, one part at a time, while others write."""
    on_sqlite = isinstance(engines.db.obj, engines.SQLite)
    if on_sqlite:  # Postgres checks its pages as it reads them
        found = engines.db.execute_sql("PRAGMA integrity_check(20)").fetchall()
        yield from (f"integrity: {line}" for (line,) in found if line != "ok")
    migrations.refuse_foreign()
    reason = migrations.behind()
    if reason:
        yield reason
        return
    for model in base.tables():
        for key in model._meta.refs:
            rows = dangling(key)
            if rows:
                where, other = f"{model._meta.table_name}.{key.column_name}", key.rel_model._meta.table_name
                yield f"{where}: {rows} rows refer to none of {other}"
    content: Any = Document.content
    size = fn.LENGTH(content.cast("BLOB")) if on_sqlite else fn.OCTET_LENGTH(content)
    documents: Any = Document.select(Document.id).where(size != Document.size)
    yield from (f"document {id}: its size is not that of its content" for (id,) in documents.tuples())
    files: Any = File.select(File.id, File.size, File.checksum).order_by(File.id)
    for id, *expected in files.tuples():
        if bytes_of(id) != expected and File.select().where(File.id == id).exists():  # it may be deleted meanwhile
            yield f"file {id}: the bytes that are stored are not the {expected[0]} that were uploaded"


def dangling(field: Any) -> int:
    """How many rows have a foreign key that names no row."""
    named = field.rel_model.alias()
    key = getattr(named, field.rel_field.name)
    joined = field.model.select(ROWS).left_outer_join(named, on=(field == key))
    return joined.where(field.is_null(False), key.is_null()).scalar()


def bytes_of(file: int) -> list[Any]:
    """The number of bytes that are stored of a file, and their SHA-256."""
    size, digest, parts = 0, hashlib.sha256(), FilePart.select(ROWS).where(FilePart.file == file).scalar()
    for number in range(parts):
        part = FilePart.numbered(file, number).scalar() or b""
        size += len(part)
        digest.update(part)
    return [size, digest.hexdigest()]
