"""Lists at a hundred thousand rows: what the databases say of their plans, so that it shows with thirty rows too."""

from __future__ import annotations

import re

import pytest

from database import engines
from database.engines import db

#: By rank, not by the alphabet: no index gives this order.
UNINDEXED = {"priority"}
#: Lists of what belongs to nobody: whoever may see them sees all.
EVERYBODYS = {"/api/users", "/api/contacts", "/api/roles"}


def orders(app):
    """Every list without an id in its path, in every order that it offers."""
    paths = app.test_client().get("/openapi.json").json["paths"]
    for path, operations in paths.items():
        for parameter in operations.get("get", {}).get("parameters", []):
            if parameter.get("name") == "sort" and "{" not in path:
                names = re.fullmatch(r".*by (.*); `-` descending", parameter["description"])[1].split(", ")
                yield from ((path, sign + name) for name in names if name not in UNINDEXED for sign in ("", "-"))


def plans(client, path, monkeypatch):
    """How the database finds the rows of a page: the table, and the steps of the plan."""
    run, asked = db.obj.execute_sql, []
    with monkeypatch.context() as patch:
        patch.setattr(db.obj, "execute_sql", lambda sql, bound=None: asked.append((sql, bound)) or run(sql, bound))
        assert client.get(path).status_code == 200
    compiled = [(shape[0], select.sql) for shape, select in db.obj.compiled.items() if hasattr(shape[0], "__self__")]
    tables = {sql: selector.__self__._meta.table_name for selector, sql in compiled}
    for sql, bound in asked:
        if " LIMIT " not in sql or sql not in tables:
            continue
        if isinstance(db.obj, engines.SQLite):
            found = run(f"EXPLAIN QUERY PLAN {sql}", bound).fetchall()
            yield tables[sql], [text for *_, text in found]
        else:
            (plan,) = run(f"EXPLAIN (FORMAT JSON) {sql}", bound).fetchone()
            yield tables[sql], list(nodes(plan[0]["Plan"]))


def nodes(plan):
    """The steps of a Postgres plan, but for those that are taken for each row of the page."""
    yield plan
    for inner in plan.get("Plans", []):
        if inner.get("Parent Relationship") != "SubPlan":
            yield from nodes(inner)


def sorts(plan):
    if isinstance(db.obj, engines.SQLite):
        return any("TEMP B-TREE FOR ORDER BY" in text for text in plan)
    return any(node["Node Type"] == "Sort" for node in plan)


def scans(table, plan):
    """Whether every row of the table is looked at, be it in the order of an index."""
    if isinstance(db.obj, engines.SQLite):
        return any(re.match(r"SCAN t\d+\b", text) for text in plan)
    found = (node for node in plan if node.get("Relation Name") == table and node["Node Type"] != "Bitmap Heap Scan")
    return any("Index Cond" not in node for node in found)


@pytest.fixture
def avoid(app):
    """A function that keeps Postgres from steps of a kind, as many rows would."""

    def off(*kinds):
        if isinstance(db.obj, engines.Postgres):
            for kind in kinds:
                db.execute_sql(f"ALTER DATABASE {db.obj.database} SET enable_{kind} = off")
            db.close_all()

    return off


def test_no_list_sorts_rows_that_no_index_found(app, root, avoid, monkeypatch):
    avoid("seqscan", "sort", "bitmapscan")
    lists = list(orders(app))
    assert len(lists) > 90
    for path, sort in lists:
        for table, plan in plans(root, f"{path}?sort={sort}", monkeypatch):
            assert not (sorts(plan) and scans(table, plan)), (path, sort, plan)


def test_a_list_of_ones_own_does_not_look_at_what_others_have(app, client_with, avoid, monkeypatch):
    avoid("seqscan", "indexscan", "indexonlyscan")
    grants = {
        permission for permission in app.extensions["permissions"] if not permission.endswith((":manage", ":view-all"))
    }
    client = client_with(*grants - {"users:view"})
    own = [(path, sort) for path, sort in orders(app) if path not in EVERYBODYS]
    assert len(own) > 60
    for path, sort in own:
        for table, plan in plans(client, f"{path}?sort={sort}", monkeypatch):
            assert not scans(table, plan), (path, sort, plan)
