"""What a server of the tests runs in a process that is forked off one which has imported HaloLight already."""

from __future__ import annotations

import gc
import os
import runpy
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path

import halolight

del sys.modules[halolight.__name__]  # the script is run as `__main__`, and its own import of it is a second one
gc.collect()
gc.freeze()  # a collection in a forked process would copy all pages of what was imported


def run(
    script: Path,
    options: tuple[str, ...],
    folder: Path,
    environment: dict[str, str],
    output: Connection,
    errors: Path,
    first: str,
) -> None:
    """Do what `python script options` does, after the Python code `first`."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    encoding = environment.get("PYTHONIOENCODING", "utf-8")
    sys.stdout = os.fdopen(os.dup(output.fileno()), "w", encoding=encoding)
    sys.stderr = errors.open("a", buffering=1, encoding=encoding)
    os.dup2(sys.stdout.fileno(), 1)
    os.dup2(sys.stderr.fileno(), 2)
    sys.argv = [str(script), *options]
    exec(first, {"__name__": "first"})
    runpy.run_path(str(script), run_name="__main__")
