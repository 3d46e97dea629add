"""CONTRIBUTING.md, step by step: its blocks are put into a copy of HaloLight, where its commands run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

import pytest

from tests.conftest import ROOT

TEXT = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
STEPS = re.split(
    r"^### \d+\. ", TEXT.partition("## A resource in ten steps")[2].partition("### See it")[0], flags=re.M
)[1:]
BLOCK = re.compile(r"```(python|diff|bash)\n(.*?)```", re.DOTALL)
PYTEST = ("-m", "pytest", "-n", "0", "-q", "-p", "no:cacheprovider")
NOT_COPIED = (".git", ".venv", "__pycache__", ".*_cache", "*.db*", ".env")


@pytest.fixture
def new_copy(tmp_path, sqlite_files, postgres, monkeypatch):
    """A function that makes a copy of HaloLight with a database, before anything is added to it."""
    monkeypatch.setenv("TEST_POSTGRES_URL", postgres("postgres"))

    def make(name):
        folder = shutil.copytree(ROOT, tmp_path / name, ignore=shutil.ignore_patterns(*NOT_COPIED))
        sqlite_files.new(folder / "halolight.db")
        return folder

    return make


def run(folder, *command):
    variables = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "PYTHONPATH")}
    return subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env={**variables, "LANG": "C.UTF-8"},
        capture_output=True,
        text=True,
        timeout=300,
    )


def follow(folder, step):
    """Do what a step says: write its files, change others, run its commands. Gives the commands that failed."""
    end, failed = 0, []
    for block in BLOCK.finditer(step):
        kind, content = block.groups()
        named = re.findall(r"`([\w/]+\.(?:py|toml|md))`", step[end : block.start()])
        end = block.end()
        if kind == "bash":
            replies = [run(folder, *line.removeprefix("python ").split()) for line in content.splitlines()]
            failed += [reply.stderr for reply in replies if reply.returncode]
        elif kind == "python":
            (folder / named[-1]).write_text(content, "utf-8")
        else:
            change(folder / named[-1], content)
    return failed


def change(path, block):
    """Apply a block of changes. What is there stands once in the file."""
    text = path.read_text("utf-8")
    for hunk in block.split("@@\n"):
        lines = hunk.splitlines()
        old = "".join(f"{line[1:]}\n" for line in lines if not line.startswith("+"))
        new = "".join(f"{line[1:]}\n" for line in lines if not line.startswith("-"))
        assert f"\n{text}".count(f"\n{old}") == 1, f"{path.name} has this {text.count(old)} times:\n{old}"
        text = f"\n{text}".replace(f"\n{old}", f"\n{new}")[1:]
    path.write_text(text, "utf-8")


def absence_of(step):
    """What names the absence of a step: the words of a refused start, or the arguments of a run of pytest."""
    started, words, arguments = re.search(
        r"^Without it, (?:(`python halolight.py`) says `(.*)`\.|this fails: `pytest -n 0 (.*)`)$", step, re.M
    ).groups()
    return words if started else arguments.split()


def passes(folder, arguments):
    """Whether a test passes in the folder, on both databases."""
    reply = run(folder, *PYTEST, *arguments)
    failed = f"FAILED {arguments[0]}" in reply.stdout
    assert failed == bool(reply.returncode), reply.stdout
    return not failed


@pytest.mark.thorough
def test_ten_steps_add_a_resource_to_a_copy(new_copy, amount):
    copy = new_copy("copy")
    assert [follow(copy, step) for step in STEPS] == [[]] * 10
    tests = [absence_of(step) for step in STEPS if isinstance(absence_of(step), list)]
    assert len(tests) == 8 and [test for test in tests[: amount(1, 8)] if not passes(copy, test)] == []
    reply = run(copy, *PYTEST, "tests/test_projects.py")
    assert re.search("12 passed", reply.stdout), reply.stdout
    migrated = run(copy, "halolight.py", "--migrate")
    assert migrated.stdout.startswith("migrated the database to "), migrated


@pytest.mark.thorough
def test_a_step_that_is_left_out_is_named(new_copy, amount):
    for number in amount([3], range(1, 11)):
        copy, left_out = new_copy(f"without{number}"), STEPS[number - 1]
        for step in STEPS:
            if step != left_out:
                follow(copy, step)
        named = absence_of(left_out)
        if isinstance(named, str):
            assert named in run(copy, "halolight.py", "--check").stderr
        else:
            assert not passes(copy, named), named
