"""A database for one test run: in a temporary folder that goes with the process, however the process ends."""

import atexit
import os
import subprocess
import sys
import tempfile

import click

#: Waits until the process that started it has ended, because then its input ends, and removes the folder.
REMOVE = "import shutil, sys; sys.stdin.read(); shutil.rmtree(sys.argv[1])"


def variables() -> dict[str, str]:
    """The variables of a server with a new database and a free port; unless LOG_LEVEL says more, it logs warnings."""
    folder = tempfile.mkdtemp(prefix="halolight-throwaway-")
    # Another process removes the folder, because nothing runs in this one after SIGKILL. It has a session of its own,
    # because test runners and Ctrl-C send their signal to the whole group of processes.
    remover = subprocess.Popen(  # noqa: S603
        [sys.executable, "-I", "-S", "-c", REMOVE, folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    atexit.register(remover.communicate)  # ends its input and waits for it
    click.echo("The database is temporary and goes with this process; DATABASE_URL and PORT are not used.")
    level = os.environ.get("LOG_LEVEL", "WARNING")
    return {"DATABASE_URL": f"sqlite:///{folder}/halolight.db", "PORT": "0", "LOG_LEVEL": level}
