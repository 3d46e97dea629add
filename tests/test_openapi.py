"""The OpenAPI document: loops over what it says of every route."""

import json
import re

import jsonschema_rs
import pytest

from tests.servers import run
from web.document import walk
from web.texts import LANGUAGES

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


def test_every_error_reply_has_a_schema_of_its_own_with_its_codes(spec):
    codes = {}
    for name, reply in spec["components"]["responses"].items():
        reference = reply["content"]["application/json"]["schema"]["$ref"]
        error = spec["components"]["schemas"][reference.rpartition("/")[2]]["properties"]["error"]
        codes[name] = error.get("properties", {}).get("code", {}).get("enum", [])
    assert codes.pop("DEFAULT_ERROR") == [] and codes.pop("BAD_REQUEST") == ["VALIDATION_ERROR", "BAD_REQUEST"]
    assert len(codes) > 8 and codes == {name: [name] for name in codes}


def test_every_enumeration_says_what_each_value_means(spec):
    silent = [
        value
        for node in walk(spec)
        for value in node.get("enum", ())
        if value is not None and f"`{value}`: " not in node.get("description", "")
    ]
    assert silent == [], "say it in web/document.toml, [enumerations]"


def json_bodies(spec):
    """Every JSON body, sent or replied, with its place in the document."""
    for path, method, operation in operations(spec):
        bodies = {"request": operation.get("requestBody", {}), **operation["responses"]}
        for kind, body in bodies.items():
            if "$ref" not in body and "application/json" in body.get("content", {}):
                yield f"{method} {path} {kind}", body["content"]["application/json"]
    for name, reply in spec["components"]["responses"].items():
        yield name, reply["content"]["application/json"]


def test_every_body_has_examples_that_fit_its_schema_and_show_text_in_both_languages(spec):
    places = 0
    for place, content in json_bodies(spec):
        schema = jsonschema_rs.validator_for({**content["schema"], "components": spec["components"]})
        for named in content["examples"].values():
            schema.validate(named["value"])
        shown = {name: json.dumps(named["value"], ensure_ascii=False) for name, named in content["examples"].items()}
        chinese = {name for name, text in shown.items() if re.search("[一-鿿]", text)}
        assert (list(shown), chinese) in ((list(LANGUAGES), {"zh"}), (["example"], set())), (place, shown)
        places += 1
    assert places > 150


def test_examples_of_new_rows_can_be_sent_as_they_are(root, spec):
    sent = 0
    for path, method, operation in operations(spec):
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if method == "post" and content and not re.search("{|/auth/|/demo/|batch-delete", path):
            reply = root.post(path, next(iter(content["examples"].values()))["value"])
            assert reply.status_code == 201 and "X-Ignored-Fields" not in reply.headers, (path, reply.json)
            sent += 1
    assert sent >= 8


def test_a_pattern_has_an_example_that_means_something(spec):
    patterned = [node for node in walk(spec) if isinstance(node.get("pattern"), str)]
    assert patterned and all(re.search(node["pattern"], node["examples"][0]) for node in patterned)


def test_the_document_is_written_without_a_database(spec, tmp_path, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    for target in ([], ["api.json"]):
        code, output, errors = run("--openapi", *target, folder=tmp_path)
        text = (tmp_path / target[0]).read_text("utf-8") if target else output
        assert json.loads(text) | {"servers": spec["servers"]} == spec and (code, errors) == (0, "") and "…" in text
    code, _, errors = run("--openapi", "nowhere/api.json", folder=tmp_path)
    assert code == 1 and errors.startswith("Error: Could not open file 'nowhere/api.json'")


def test_keys_that_come_later_are_not_forbidden(spec):
    assert [node for node in walk(spec) if node.get("additionalProperties") is False] == []
