"""The OpenAPI document: loops over what it says of every route."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

# It is the same whatever the database.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture
def spec(app):
    return app.test_client().get("/openapi.json").json


def operations(spec):
    for path, item in spec["paths"].items():
        for method in METHODS & set(item):
            yield path, method, item[method]


def walk(node):
    """Every object of a document, from the outside in."""
    if isinstance(node, dict):
        yield node
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from walk(inner)


def test_every_route_of_the_api_is_documented(app, spec):
    paths = {re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule) for rule in app.url_map.iter_rules()}
    ours = {path for path in paths if path.startswith("/api/")} | {"/health", "/metrics"}
    assert set(spec["paths"]) == ours - {"/api/docs"}


def test_every_reference_leads_somewhere_and_every_component_is_used(spec):
    asked = {node["$ref"] for node in walk(spec) if "$ref" in node}
    there = {f"#/components/{kind}/{name}" for kind, inner in spec["components"].items() for name in inner}
    assert asked == {name for name in there if "/securitySchemes/" not in name}


def test_no_component_is_numbered(spec):
    assert [name for name in spec["components"]["schemas"] if name[-1].isdigit()] == []


def test_every_operation_says_what_it_does_and_has_a_name_of_its_own(spec):
    tags = {tag["name"] for tag in spec["tags"] if tag["description"]}
    names = [operation["operationId"] for _, _, operation in operations(spec)]
    assert len(names) == len(set(names))
    for path, method, operation in operations(spec):
        assert operation["summary"] and "`" not in operation["summary"], (method, path)
        assert len(operation["tags"]) == 1 and operation["tags"][0] in tags, (method, path)


def test_every_placeholder_of_a_path_is_a_parameter(spec):
    for path, item in spec["paths"].items():
        declared = [each["name"] for each in item.get("parameters", ()) if each["in"] == "path" and each["required"]]
        assert declared == re.findall(r"{(\w+)}", path), path


def test_every_operation_lists_its_error_replies(spec):
    for path, method, operation in operations(spec):
        replies = operation["responses"]
        wanted = {"401"} if operation["security"] else set()
        wanted |= {"400", "413", "415"} if "requestBody" in operation else set()
        wanted |= {"404"} if "{" in path else set()
        assert wanted | {"default"} <= set(replies), (method, path)
        assert all("$ref" in reply or reply["description"] for reply in replies.values()), (method, path)


def test_every_value_has_a_type_that_a_generator_of_clients_understands(spec):
    known = {"string", "integer", "number", "boolean", "array", "object", "null"}
    for name, schema in spec["components"]["schemas"].items():
        for key, value in schema["properties"].items():
            types = value.get("type", [])
            typed = types and set([types] if isinstance(types, str) else types) <= known
            assert typed or "$ref" in value or "anyOf" in value, (name, key, value)
            assert value.get("type") != "array" or value["items"], (name, key)
            assert r"\Z" not in value.get("pattern", ""), (name, key)  # Python's own; elsewhere it is the letter


def test_the_document_is_written_without_a_database(spec, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = [sys.executable, str(ROOT / "halolight.py"), "--openapi"]
    nowhere = {**os.environ, "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}
    for target in ([], ["api.json"]):
        done = subprocess.run([*command, *target], env=nowhere, capture_output=True, encoding="utf-8", check=True)
        text = Path(target[0]).read_text("utf-8") if target else done.stdout
        assert json.loads(text) == spec and done.stderr == "" and "…" in text
    refused = subprocess.run([*command, "nowhere/api.json"], capture_output=True, text=True)
    assert refused.returncode == 1 and refused.stderr.startswith("Error: Could not open file 'nowhere/api.json'")


def test_keys_that_come_later_are_not_forbidden(spec):
    assert [node for node in walk(spec) if node.get("additionalProperties") is False] == []
