"""python -m docs.lessons: list the lessons; with numbers, check your solutions of these."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import click

from docs.lessons.checks import CHECKS, Missing

PAGES = Path(__file__).parent


def page_of(number: int) -> Path:
    """The page of a lesson in English; beside it lies the one in Chinese, `1-….zh-CN.md`."""
    return next(page for page in PAGES.glob(f"{number}-*.md") if ".zh-CN" not in page.name)


def passes(number: int) -> bool:
    """Run the check of a lesson, and say in one line what it found."""
    try:
        solved = CHECKS[number - 1]()
    except Missing as missing:
        click.echo(f"Lesson {number} is not solved yet: {missing}")
        return False
    click.echo(f"Lesson {number} is solved: {solved}")
    return True


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("numbers", nargs=-1, type=click.IntRange(1, len(CHECKS)), metavar="[NUMBER]...")
def main(numbers: tuple[int, ...]) -> None:
    """Check your solution of a lesson on a new database: exit code 1 until it is solved. Without a number, list all."""
    logging.getLogger("halolight.access").disabled = True
    if not numbers:
        for number in range(1, len(CHECKS) + 1):
            title = page_of(number).read_text("utf-8").partition("\n")[0].lstrip("# ")
            click.echo(f"{title:66} docs/lessons/{page_of(number).name}")
    solved = [passes(number) for number in numbers]
    if not all(solved):
        sys.exit(1)


if __name__ == "__main__":
    main(prog_name="python -m docs.lessons")
