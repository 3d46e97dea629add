"""python -m benchmarks: HaloLight beside a bare route and json-server, and a Markdown page of what was measured."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import time
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import click
import psutil

from benchmarks.plot import plot
from benchmarks.sections import SECTIONS, Plan, Table
from benchmarks.servers import Bench, bench

PACKAGES = ("flask", "flask-smorest", "marshmallow", "peewee", "waitress")
#: Those that are named if they are installed.
OTHERS = ("gunicorn", "granian")


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.option("--database", type=click.Choice(["sqlite", "postgres", "both"]), default="both")
@click.option("--only", type=click.Choice(list(SECTIONS)), multiple=True, help="Only this section; may be repeated.")
@click.option("--rounds", type=click.IntRange(1), default=5, help="How often each case is measured.")
@click.option("--seconds", type=click.FloatRange(0.1), default=2, help="How long each time.")
@click.option("--full", is_flag=True, help="Let the tables grow to 1,000,000 rows, not 100,000.")
@click.option("--quick", is_flag=True, help="A moment of all but json-server and wrk, to see that it runs.")
@click.option(
    "--write",
    "page",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the page to this file, and its picture (.svg) beside it.",
)
def main(
    database: str, only: tuple[str, ...], rounds: int, seconds: float, full: bool, quick: bool, page: Path | None
) -> None:
    """Measure HaloLight on this machine, beside a bare Flask route and json-server."""
    sizes = (1_000, 10_000, 100_000, *([1_000_000] if full else []))
    plan = Plan(rounds, seconds, sizes, wrk=shutil.which("wrk") is not None, json_servers=True)
    if quick:
        plan = Plan(rounds=1, seconds=0.1, sizes=(100,), wrk=False, json_servers=False)
    with bench(("sqlite", "postgres") if database == "both" else (database,)) as place:
        parts = [machine(place, plan)]
        click.echo(parts[0])
        for section in only or SECTIONS:
            for table in SECTIONS[section](place, plan):
                parts.append(markdown(table))
                click.echo(parts[-1])
    if page:
        page.write_text("\n".join(parts), "utf-8")
        if "throughput" in (only or SECTIONS):
            page.with_suffix(".svg").write_text(plot("\n".join(parts)), "utf-8")
    if quick and any("no result" in part for part in parts):
        raise click.ClickException("a case had no result")


def machine(place: Bench, plan: Plan) -> str:
    """What was measured, where and how."""
    cpuinfo = Path("/proc/cpuinfo")
    cpu = cpuinfo.read_text().partition("model name")[2].partition("\n")[0].strip("\t :") if cpuinfo.exists() else ""
    node = shutil.which("node")
    packages = [f"{name} {version(name)}" for name in (*PACKAGES, *filter(find_spec, OTHERS))]
    if node:
        packages.append(f"Node {subprocess.run([node, '--version'], capture_output=True, text=True).stdout.strip()}")
    client = "wrk with one thread" if plan.wrk else "Python's http.client, which is slower than a fast server"
    cores = "a core for the servers and one for the clients" if place.cores else "no cores of their own"
    lines = [
        f"# Benchmarks of {time.strftime('%Y-%m-%d')}",
        "",
        "The ratios are the result, the numbers belong to the machine: see [performance.md](performance.md).",
        "",
        f"- {cpu or platform.processor()}, {os.cpu_count()} cores, {psutil.virtual_memory().total / 2**30:.0f} GB,"
        f" {platform.platform()}; load average before: {psutil.getloadavg()[0]:.1f}",
        f"- Python {platform.python_version()}, {', '.join(packages)}",
        "- HaloLight as the README starts it, `python halolight.py`: development, 32 threads, an access log",
        f"- {', '.join(place.databases)} with 1,000 users and 1,000 documents unless a table says more{place.missing}",
        f"- {plan.rounds} rounds of {plan.seconds:g} s, medians; {client}; {cores}",
        "- A ratio is to the first row of the table, in the same round; CPU is the server's own, for each request",
    ]
    return "\n".join(lines) + "\n"


def markdown(table: Table) -> str:
    heading, columns, rows = table
    cells = [[str(cell).replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    lines = [f"| {' | '.join(row)} |" for row in (columns, ["---"] * len(columns), *cells)]
    return "\n".join([f"## {heading}", "", *lines, ""])


if __name__ == "__main__":
    main()
