"""The set `edge`: whatever it holds keeps the contract, so what breaks on it is the page."""

import re

import jsonschema_rs
import pytest

import seed
from models import Event, File, Message, Role, User
from seeds import edge
from tests.conftest import ROOT

#: Every list of the API with the rows behind it; "" where a row has no route of its own.
LISTS = {
    **{f"/api/{name}": f"/api/{name}/{{}}" for name in ("users", "roles", "teams", "documents", "files", "folders")},
    **{f"/api/{name}": f"/api/{name}/{{}}" for name in ("messages", "tasks", "calendar/events")},
    "/api/conversations": "/api/conversations/{}/messages",
    **dict.fromkeys(("/api/notifications", "/api/contacts", "/api/permissions", "/api/dashboard/activities"), ""),
    **dict.fromkeys(("/api/folders/tree", "/api/files/storage", "/api/auth/me", "/api/demo/accounts"), ""),
    **dict.fromkeys((f"/api/dashboard/{name}" for name in ("stats", "tasks", "calendar", "pie")), ""),
}


@pytest.fixture
def odd(app, log_in):
    """The account of the set, logged in."""
    seed.reset("edge")
    return log_in(User.get(User.email == "edge@halolight.h7ml.cn"))


@pytest.fixture
def documented(app):
    """A function that raises for a reply of another shape than the document says, and gives its data."""
    spec = app.test_client().get("/openapi.json").json
    validators = {}

    def check(client, url):
        reply = client.get(url)
        assert reply.status_code == 200, (url, reply.json)
        (path,) = [path for path in spec["paths"] if re.fullmatch(re.sub(r"{\w+}", r"\\d+", path), url.split("?")[0])]
        if path not in validators:
            schema = spec["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
            validators[path] = jsonschema_rs.validator_for({**schema, "components": spec["components"]})
        validators[path].validate(reply.json)
        return reply.json["data"]

    return check


@pytest.mark.parametrize("query", ["", "&sort=id"])
def test_every_list_and_every_row_of_it_is_as_the_document_says(odd, documented, query):
    for url, row in LISTS.items():
        data = documented(odd, url + (f"?pageSize=100{query}" if row else ""))
        assert data not in ([], {}, None), url
        for item in data["items"] if row else ():
            documented(odd, row.format(item["id"]))


def test_what_it_holds_may_be_put_back_as_it_was_got(odd):
    for noun in ("documents", "files", "folders", "tasks", "calendar/events", "teams", "users", "roles"):
        for row in odd.get(f"/api/{noun}?pageSize=100").json["data"]["items"]:
            if row.get("isSystem") or row["id"] == odd.id:  # which keep their names, and their e-mail
                continue
            path = f"/api/{noun}/{row['id']}"
            got = odd.get(path).json["data"]
            reply = odd.put(path, got)
            assert (reply.status_code, reply.json["data"]) == (200, got), (path, reply.json)


def test_it_holds_what_it_promises(odd, account):
    for noun in ("users", "teams", "folders", "files", "tasks", "calendar/events", "documents", "conversations"):
        rows = odd.get(f"/api/{noun}?pageSize=100").json["data"]["items"]
        shown = map(edge.as_file_name, edge.TEXTS.values()) if noun == "files" else edge.TEXTS.values()
        assert set(shown) <= {row.get("title", row.get("name")) for row in rows}, noun
    assert max(map(len, edge.TEXTS.values())) == 200
    sizes = {file.size for file in File.select()}
    assert 0 in sizes and 10 * 1024 * 1024 in sizes
    assert odd.get("/api/notifications?pageSize=1").json["data"]["total"] >= 300
    depth, node = 0, [node for node in odd.get("/api/folders/tree").json["data"] if node["name"] == "Level 1"]
    while node:
        depth, node = depth + 1, node[0]["children"]
    assert depth == 50
    assert any(event.start.month != event.end.month for event in Event.select())
    assert {(event.start.month, event.start.day) for event in Event.select()} >= {(2, 29)}
    assert max(len(message.content) for message in Message.select()) == 5000
    assert len(Role.get(Role.name == "edge").label) > 150
    shared = account("demo@halolight.h7ml.cn").get("/api/documents?scope=shared&search=No content")
    assert [row["size"] for row in shared.json["data"]["items"]] == [0]


def test_every_file_of_it_is_there_with_all_its_bytes(odd):
    for file in odd.get("/api/files?pageSize=100&sort=-id").json["data"]["items"]:
        if file["id"] >= edge.FIRST:
            assert len(odd.get(f"/api/files/{file['id']}/download").data) == file["size"]


def test_the_documentation_says_of_each_row_where_it_comes_from():
    text = (ROOT / "docs" / "edge-rows.md").read_text("utf-8")
    rows = re.findall(r"^\| `([a-z-]+)` \|.*https://github.com/", text, re.M)
    assert sorted(rows) == sorted(edge.TEXTS)
    others = text.partition("## Everything else")[2].splitlines()[4:]
    assert len(others) > 15 and all("https://github.com/" in line for line in others)
