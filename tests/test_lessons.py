"""The lessons: their checks are red on this code and on wrong solutions, green on right ones; the pages are true."""

import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from docs.lessons.checks import CHECKS
from tests.conftest import ROOT

PAGES = sorted((ROOT / "docs" / "lessons").glob("*.md"))
NUMBERS = [str(number) for number in range(1, len(CHECKS) + 1)]
#: What is done to a copy of the code before the checks run: patches in tests/lessons/.
STATES = {
    "unsolved": (),
    "wrong": ("1-in-python", "2-everybody", "3-lost", "4-rolled-back"),
    "almost": ("3-alone",),
    "solved": tuple(NUMBERS),
}
CODE = ("halolight.py", "models.py", "seed.py", "seeds", "resources", "web", "database", "docs")
TEXT = {"capture_output": True, "text": True, "encoding": "utf-8"}


def checked(folder, patches):
    """What the checks of the patched lessons (without a patch, of all) say on a copy of the code, and the exit code."""
    for name in CODE:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(ROOT / name, folder / name)
    for patch in patches:
        path = ROOT / "tests" / "lessons" / f"{patch}.patch"
        applied = subprocess.run(["git", "apply", path], cwd=folder, **TEXT)
        assert applied.returncode == 0, f"bring {path.name} up to date with the code: {applied.stderr}"
    numbers = [patch[0] for patch in patches] or NUMBERS
    variables = {**os.environ, "PYTHONPATH": str(folder), "PYTHONIOENCODING": "utf-8"}
    ended = subprocess.run([sys.executable, "-m", "docs.lessons", *numbers], cwd=folder, env=variables, **TEXT)
    assert ended.stderr == ""
    return numbers, ended.stdout.splitlines(), ended.returncode


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folders = [tmp_path_factory.mktemp(state) for state in STATES]
    with ThreadPoolExecutor() as pool:
        return dict(zip(STATES, pool.map(checked, folders, STATES.values()), strict=True))


@pytest.mark.parametrize("state", STATES)
def test_checks_tell_right_from_wrong_in_a_line_each(found, state):
    numbers, lines, code = found[state]
    verdict = "is solved: " if state == "solved" else "is not solved yet: "
    assert [line[: line.index(": ") + 2] for line in lines] == [f"Lesson {number} {verdict}" for number in numbers]
    assert code == (state != "solved")


def test_what_the_pages_say_of_the_checks_is_what_they_say(found):
    said = {line for _, lines, _ in found.values() for line in lines}
    for page in PAGES:
        quoted = re.findall(r"^Lesson [0-9] is .*", page.read_text("utf-8"), re.MULTILINE)
        assert set(quoted) <= said, page.name
        assert len(quoted) >= 2 or "README" in page.name, page.name


def test_the_pages_in_both_languages_have_the_same_headings_and_commands():
    pages = {page.name: page.read_text("utf-8") for page in PAGES}
    assert len(pages) == 2 * (1 + len(CHECKS))
    for name in pages:
        if ".zh-CN" not in name:
            english, chinese = pages[name], pages[name.replace(".md", ".zh-CN.md")]
            for part in (r"^(#+) ", r"^```.*?^```"):
                found = [re.findall(part, page, re.MULTILINE | re.DOTALL) for page in (english, chinese)]
                assert found[0] == found[1], name


def test_the_lessons_are_listed():
    ended = subprocess.run([sys.executable, "-m", "docs.lessons"], cwd=ROOT, **TEXT)
    assert [line[:3] for line in ended.stdout.splitlines()] == [f"{number}. " for number in NUMBERS]
