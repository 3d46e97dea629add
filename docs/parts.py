"""The parts of the documentation that follow from the code, each as Markdown.

In a page such a part stands between `<!-- made by python -m docs: routes -->` and `<!-- end -->`; `routes` is the name
of the function here that makes it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from flask import Flask
from peewee import CharField, ForeignKeyField

import halolight
import models
from benchmarks.plot import plot
from database import base
from tests.test_access import markdown
from tests.test_house import FLOORS, MODULES, imported
from web import config
from web.document import document_text
from web.openapi import camel_case

DOCS = Path(__file__).parent
SOURCE = Path(models.__file__)
MADE = re.compile(r"(?<=<!-- made by python -m docs: )(\w+)( -->\n\n).*?(?=\n\n<!-- end -->)", re.DOTALL)


def up_to_date(page: Path) -> str:
    """The page as it should be: made anew as a whole, or a text with each of its parts made anew."""
    if page.suffix == ".svg":
        return plot(page.with_suffix(".md").read_text("utf-8"))
    if page.suffix == ".json":
        return document_text(application())
    return MADE.sub(lambda part: part[1] + part[2] + PARTS[part[1]](), page.read_text("utf-8"))


def application() -> Flask:
    """The application in development, which has all routes."""
    return halolight.with_routes(config.read(NODE_ENV="development"))


# --- Tables ----------------------------------------------------------------------------------------------------------


def routes() -> str:
    """The routes of the API in development, in the order of their blueprints."""
    app = application()
    lines = ["| | route | who | |", "|---|---|---|---|"]
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        if not rule.rule.startswith("/api/") or rule.endpoint.startswith("documentation."):
            continue
        permissions = getattr(view, "permissions", None)
        who = "*public*" if permissions is None else " or ".join(f"`{name}`" for name in permissions) or "login"
        summary = (view.__doc__ or "").splitlines()[0]
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS", "PATCH"}):
            lines.append(f"| {method} | `{address(rule.rule)}` | {who} | {summary} |")
    return "\n".join(lines)


def address(rule: str) -> str:
    """A route as front ends write it: `/api/teams/:id/members/:userId`."""
    path = re.sub(r"<id:\w+>", ":id", rule, count=1)
    return re.sub(r"<(?:\w+:)?(\w+)>", lambda name: f":{camel_case(name[1])}", path)


# --- Pictures (Mermaid) ----------------------------------------------------------------------------------------------


def diagram(*lines: str) -> str:
    return "\n".join(["```mermaid", *lines, "```"])


def rooms() -> str:
    """The rooms from the top down, and an arrow for each import between them."""
    pairs = [(module, other) for module, path in MODULES.items() for other in imported(path)]
    arrows = {(above.partition(".")[0], below.partition(".")[0]) for above, below in pairs}
    drawn = sorted(arrows, key=lambda pair: [-FLOORS.index(name) for name in pair])
    arrows_down = [f"    {above} --> {below}" for above, below in drawn if above != below]
    return diagram("flowchart TD", *map(room, reversed(FLOORS)), *arrows_down)


def room(name: str) -> str:
    """A room with the first sentence of what it says of itself."""
    said = ast.get_docstring(ast.parse(MODULES[name].read_text("utf-8"))) or ""
    title = f"{name}/" if MODULES[name].name == "__init__.py" else f"{name}.py"
    return f'    {name}["<b>{title}</b><br>{re.split("[.;] |[.]?$", said, maxsplit=1, flags=re.MULTILINE)[0]}"]'


def sections() -> Iterator[tuple[str, list[Any]]]:
    """The headings in models.py, each with the models below it."""
    found: dict[str, Any] = {model.__name__: model for model in base.tables()}
    for part in re.split(r"^# --- ", SOURCE.read_text("utf-8"), flags=re.MULTILINE)[1:]:
        names = re.findall(r"^class (\w+)\(", part, re.MULTILINE)
        yield part.partition(" -")[0], [found[name] for name in names if name in found]


def tables() -> str:
    """A diagram of the tables and their keys for each heading in models.py, and the names of the tables left out."""
    drawn = [f"### {heading}\n\n{diagram('erDiagram', *entities(some))}" for heading, some in sections()]
    alone = ", ".join(f"`{model._meta.table_name}`" for model in base.tables() if not refers(model))
    return "\n\n".join([*drawn, f"Without a reference to or from another table: {alone}."])


def refers(model: Any) -> bool:
    return bool(model._meta.refs or model._meta.backrefs)


def entities(some: list[Any]) -> Iterator[str]:
    yield "    direction LR"
    for model in filter(refers, some):
        name = model._meta.table_name
        yield f"    {name} {{"
        yield from (
            f"        {kind(field)} {field.column_name} {said}" for field in ordered(model) if (said := keys(field))
        )
        yield "    }"
        for field in ordered(model):
            if isinstance(field, ForeignKeyField):
                one, ends = "|o" if field.null else "||", field.on_delete.lower()
                yield f'    {field.rel_model._meta.table_name} {one}--o{{ {name} : "{field.name}, {ends}"'


def ordered(model: Any) -> list[Any]:
    return model._meta.sorted_fields


def keys(field: Any) -> str:
    """Which keys a column is: primary, foreign, unique (`UK`, alone or with other columns)."""
    model = field.model
    unique = [column for index in model._meta.fields_to_index() if index._unique for column in index._expressions]
    found = {
        "PK": field.primary_key or field.name in getattr(model._meta.primary_key, "field_names", ()),
        "FK": isinstance(field, ForeignKeyField),
        "UK": any(field is column for column in unique),  # not `in`: to Peewee `==` makes a condition
    }
    return ", ".join(key for key, is_one in found.items() if is_one)


def kind(field: Any) -> str:
    return "text" if isinstance(field, CharField) else "integer"


#: What is made as a whole, or has parts that are made.
PAGES = [DOCS / name for name in ("routes.md", "access.md", "pictures.md", "openapi.json", "benchmarks.svg")]
PARTS: dict[str, Callable[[], str]] = {"routes": routes, "access": markdown, "rooms": rooms, "tables": tables}
