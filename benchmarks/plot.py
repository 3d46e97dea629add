"""The picture of a page of benchmarks: its requests a second as an SVG, for light and dark pages."""

from __future__ import annotations

from html import escape
from itertools import groupby
from typing import NamedTuple

WIDTH, LEFT, RIGHT, LINE, HEADING = 760, 210, 110, 22, 34
#: Its own background, because an image follows the system's colours and not those of the page around it.
STYLE = """
  svg { font: 13px system-ui, sans-serif }
  .page { fill: #fff } text { fill: #1f2328 } .case { font-weight: 600 } .note { fill: #59636e }
  .ours { fill: #0969da } .other { fill: #b1bac4 }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117 } text { fill: #f0f6fc } .note { fill: #9198a1 }
    .ours { fill: #4493f8 } .other { fill: #484f58 }
  }"""


class Bar(NamedTuple):
    case: str
    server: str
    requests: int
    ratio: str


def bars(page: str) -> list[Bar]:
    """The rows of the section on throughput, case by case; one without a figure is left out."""
    section = page.partition("\n## Throughput")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:1] == "|"]
    found = [(case, server, requests.replace(",", ""), ratio) for case, server, requests, ratio, *_ in rows]
    cases = list(dict.fromkeys(case for case, *_ in found))
    drawn = [Bar(case, server, int(number), ratio) for case, server, number, ratio in found if number.isdigit()]
    return sorted(drawn, key=lambda bar: cases.index(bar.case))


def plot(page: str) -> str:
    """The requests a second of a page of benchmarks, a bar for each case and server."""
    drawn, y = bars(page), 44
    scale = (WIDTH - LEFT - RIGHT) / max(bar.requests for bar in drawn)
    parts = [text(16, 28, "Requests a second: 8 connections", "case")]
    for case, some in groupby(drawn, key=lambda bar: bar.case):
        parts.append(text(16, y + HEADING - 12, case, "case"))
        y += HEADING
        for bar in some:
            length, kind = bar.requests * scale, "ours" if bar.server.startswith("HaloLight") else "other"
            parts.append(text(LEFT - 8, y + 11, bar.server, "", "end"))
            parts.append(
                f'<rect class="{kind}" x="{LEFT}" y="{y - 2}" width="{length:.0f}" height="{LINE - 6}" rx="2"/>'
            )
            parts.append(text(LEFT + length + 6, y + 11, f"{bar.requests:,} ({bar.ratio})", "note"))
            y += LINE
    parts.append(text(16, y + 22, "In brackets: the ratio to a bare Flask route in the same round.", "note"))
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y + 38}" width="{WIDTH}" role="img">'
    title = "<title>Requests a second of HaloLight, a bare Flask route and json-server</title>"
    page_colour = '<rect class="page" width="100%" height="100%"/>'
    return "\n".join([head, title, f"<style>{STYLE}\n</style>", page_colour, *parts, "</svg>", ""])


def text(x: float, y: float, words: str, kind: str, anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">{escape(words)}</text>'
