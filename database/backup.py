"""Copies of the database while it is in use."""

import os
import shlex
import sqlite3
from contextlib import ExitStack, closing
from pathlib import Path

from database.engines import DatabaseRefused, SQLite, db


def copy_to(path: Path, replace: bool = False) -> None:
    """Copy the SQLite file to `path` as it is at one moment; readers and writers go on. Raises DatabaseRefused.

    Of Postgres it says which command does the same. A copy that was not finished is never found under `path`.
    """
    if not isinstance(db.obj, SQLite):
        raise DatabaseRefused(f"Postgres has a tool of its own for that: {pg_dump(path)}")
    unfinished = path.with_name(f"{path.name}.part")
    claim = os.O_TRUNC if replace else os.O_EXCL  # of several processes, one makes a copy of this name
    try:
        # For its owner only, like the database.
        os.close(os.open(unfinished, os.O_CREAT | os.O_WRONLY | claim, 0o600))
        with ExitStack() as stack:
            stack.callback(unfinished.unlink, missing_ok=True)
            if path.exists() and not replace:
                raise DatabaseRefused(f"{path} is there already; it was not touched")
            with closing(sqlite3.connect(db.database)) as source, closing(sqlite3.connect(unfinished)) as copy:
                source.backup(copy)
            unfinished.replace(path)
    except FileExistsError:
        reason = "another process makes this copy, or one was killed"
        raise DatabaseRefused(f"{unfinished} is there already: {reason}") from None
    except (OSError, sqlite3.Error) as error:
        raise DatabaseRefused(f"{path} cannot be written ({getattr(error, 'strerror', None) or error})") from error


def pg_dump(path: Path) -> str:
    """The command that copies the Postgres database, without the password (pg_dump asks for it, or reads ~/.pgpass)."""
    names = {"host": "--host", "port": "--port", "user": "--username"}
    given = [f"{name}={db.connect_params[key]}" for key, name in names.items() if db.connect_params.get(key)]
    return shlex.join(["pg_dump", "--format=custom", f"--file={path}", *given, db.database])
