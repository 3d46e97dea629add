"""`--throwaway`: a server for one test run, of which nothing is left."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.servers import ROOT, launched


@pytest.fixture
def throwaway(tmp_path):
    """A server with `--throwaway` in a group of its own, where the environment names a database and a port."""
    command = [sys.executable, str(ROOT / "halolight.py"), "--throwaway"]
    named = {"DATABASE_URL": f"sqlite:///{tmp_path / 'mine.db'}", "PORT": "1", "TMPDIR": str(tmp_path)}
    server = launched(command, tmp_path, tmp_path / "server.log", {**os.environ, **named}, process_group=0)
    yield server
    server.stop()


def left(folder: Path) -> list[str]:
    """What is left in a folder, as soon as it is nothing but the log, or after ten seconds."""
    for _ in range(200):
        names = [path.name for path in folder.iterdir() if path.name != "server.log"]
        if not names:
            break
        time.sleep(0.05)
    return names


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_however_the_process_and_its_group_end(throwaway, tmp_path, number):
    assert throwaway.call("GET", "/api/users", token=throwaway.log_in())[1]["data"]["total"] == 30
    (folder,) = tmp_path.glob("halolight-*")
    assert (folder / "halolight.db").exists()
    os.killpg(throwaway.process.pid, number)
    throwaway.process.wait(15)
    assert left(tmp_path) == []


def test_it_neither_uses_the_database_of_the_environment_nor_logs_requests(throwaway, tmp_path):
    throwaway.log_in()
    assert not (tmp_path / "mine.db").exists() and "DATABASE_URL" in throwaway.output[0]
    assert throwaway.log.read_text() == ""


def test_two_at_once_share_nothing(throwaway, tmp_path):
    command = [sys.executable, str(ROOT / "halolight.py"), "--throwaway", "--set", "empty"]
    other = launched(command, tmp_path, tmp_path / "server.log", {**os.environ, "TMPDIR": str(tmp_path)})
    try:
        totals = [
            each.call("GET", "/api/tasks", token=each.log_in())[1]["data"]["total"] for each in (throwaway, other)
        ]
    finally:
        other.stop()
    assert totals == [20, 0]
