"""docs/openapi.json, from which generators make clients, and what a change of it takes away from them.

Whatever is added is fine. What is removed or narrowed breaks clients, so it is a line under "Breaking" in CHANGELOG.md.
"""

import json
import re
import subprocess

import pytest

from tests.conftest import ROOT
from web.document import document

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
PATH = "docs/openapi.json"
REMAKE = "remake it: python -m docs"
#: Bounds of a value that is sent, with whether a larger one allows more.
BOUNDS = {
    **dict.fromkeys(("maximum", "maxLength", "maxItems"), True),
    **dict.fromkeys(("minimum", "minLength", "minItems"), False),
}


def types(schema):
    """What a value may be: its types, or where it is described."""
    if "anyOf" in schema:
        return set().union(*map(types, schema["anyOf"]))
    if "$ref" in schema:
        return {schema["$ref"].rpartition("/")[2]}
    found = schema.get("type", [])
    return set([found] if isinstance(found, str) else found)


def referenced(node):
    """The components that a part of the document names."""
    return set(re.findall(r'"#/components/(?:schemas|responses)/(\w+)"', json.dumps(node)))


def sent(document):
    """The components of which clients send values, directly or within others."""
    operations = [operation for item in document["paths"].values() for operation in item.values()]
    found, new = set(), set()
    for operation in operations:
        if isinstance(operation, dict):
            new |= referenced(operation.get("requestBody", {}))
    while new:
        found |= new
        new = set().union(*(referenced(document["components"]["schemas"][name]) for name in new)) - found
    return found


def narrowed(place, old, new, incoming):
    """How a value is less than it was: for one that clients send what they may, for others what they may rely on."""
    if incoming:
        less = sorted(types(old) - types(new)) or gone(old, new)
        if less:
            yield f"{place} allows less: {less}"
        for name, larger in BOUNDS.items():
            before, after = old.get(name), new.get(name)
            if after is not None and (before is None or (after < before if larger else after > before)):
                yield f"{place} has another {name}: {after}"
    elif types(new) - types(old):
        yield f"{place} may be {sorted(types(new) - types(old))}"
    if "items" in old and "items" in new:
        yield from narrowed(f"{place}[]", old["items"], new["items"], incoming)


def gone(old, new):
    """The values of an enumeration that are not there any more, or all but the new ones where there was none."""
    before, after = old.get("enum"), new.get("enum")
    if before is None:
        return ["other values"] if after else []
    return [value for value in before if after and value not in after]


def breaks(old, new):
    """What a client of the document `old` may miss in `new`, in a line each."""
    yield from broken_operations(old, new)
    yield from broken_schemas(old["components"]["schemas"], new["components"]["schemas"], sent(old))


def broken_operations(old, new):
    for path, item in old["paths"].items():
        for method, operation in item.items():
            if not isinstance(operation, dict):
                continue
            place, now = f"{method.upper()} {path}", new["paths"].get(path, {}).get(method)
            if now is None:
                yield f"{place} is gone"
                continue
            if now["operationId"] != operation["operationId"]:
                yield f"{place} is called {now['operationId']}"
            parameters = {each["name"]: each for each in now.get("parameters", ())}
            for each in operation.get("parameters", ()):
                if each["name"] not in parameters:
                    yield f"{place} ?{each['name']} is gone"
                else:
                    inner = parameters[each["name"]]["schema"]
                    yield from narrowed(f"{place} ?{each['name']}", each["schema"], inner, True)
            yield from (
                f"{place} does not answer {status}" for status in operation["responses"].keys() - now["responses"]
            )


def broken_schemas(old, new, incoming):
    for name, schema in old.items():
        if name not in new:
            yield f"{name} is gone"
            continue
        now = new[name]
        for key, inner in schema.get("properties", {}).items():
            if key not in now["properties"]:
                yield f"{name}.{key} is gone"
            else:
                yield from narrowed(f"{name}.{key}", inner, now["properties"][key], name in incoming)
        before, after = set(schema.get("required", ())) & now["properties"].keys(), set(now.get("required", ()))
        for key in after - before if name in incoming else before - after:
            yield f"{name}.{key} is {'required' if name in incoming else 'not always there'}"


def told():
    """The lines under "Breaking" of what is not released yet."""
    unreleased = (ROOT / "CHANGELOG.md").read_text("utf-8").partition("## Unreleased")[2].partition("\n## ")[0]
    return unreleased.partition("### Breaking")[2].partition("\n### ")[0]


def untold(old, new):
    """What breaks clients and is not told: a line names in `…` the operation or property that it is about."""
    places = re.compile(r" (is|has|allows|may|does) ")
    return [line for line in breaks(old, new) if f"`{places.split(line)[0]}`" not in told()]


def test_the_committed_document_is_that_of_the_application(app):
    committed, made = json.loads((ROOT / PATH).read_text("utf-8")), document(app)
    lost = "\n".join(breaks(committed, made))
    assert committed == json.loads(json.dumps(made)), (
        f"{PATH} is old; {REMAKE}\nThis breaks clients:\n{lost or 'nothing'}"
    )


def git(*arguments):
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    return done.stdout if done.returncode == 0 else ""


def test_what_the_last_change_took_away_stands_under_breaking(database_url):
    now = (ROOT / PATH).read_text("utf-8")
    commits = git("log", "-2", "--format=%H", "--", PATH).split()  # the newer may be what lies here
    versions = [text for text in (git("show", f"{commit}:{PATH}") for commit in commits) if text and text != now]
    if not versions:
        pytest.skip("no git, or no earlier version of the document in it")
    lines = untold(json.loads(versions[0]), json.loads(now))
    assert lines == [], f'say it under "### Breaking" in CHANGELOG.md, each in `…`: {lines}'


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda d: d["paths"].pop("/api/tasks"), "GET /api/tasks is gone"),
        (lambda d: d["paths"]["/api/tasks"]["get"]["parameters"].pop(0), "GET /api/tasks ?page is gone"),
        (lambda d: d["paths"]["/api/tasks"]["post"]["responses"].pop("409"), "POST /api/tasks does not answer 409"),
        (lambda d: schema(d, "Task")["properties"].pop("progress"), "Task.progress is gone"),
        (lambda d: schema(d, "Task")["required"].remove("title"), "Task.title is not always there"),
        (lambda d: schema(d, "Task", "title").update(type=["string", "null"]), "Task.title may be ['null']"),
        (lambda d: schema(d, "TaskInput", "title").update(maxLength=100), "TaskInput.title has another maxLength: 100"),
        (lambda d: schema(d, "TaskInput", "status")["enum"].remove("done"), "TaskInput.status allows less: ['done']"),
        (lambda d: schema(d, "TaskInput")["required"].append("status"), "TaskInput.status is required"),
    ],
)
def test_what_is_removed_or_narrowed_is_found(database_url, change, line):
    old = json.loads((ROOT / PATH).read_text("utf-8"))
    new = json.loads(json.dumps(old))
    change(new)
    assert line in list(breaks(old, new))


def test_what_is_added_breaks_nothing(database_url):
    old = json.loads((ROOT / PATH).read_text("utf-8"))
    new = json.loads(json.dumps(old))
    new["paths"]["/api/notes"] = new["paths"]["/api/tasks"]
    schema(new, "Task")["properties"]["color"] = {"type": "string"}
    schema(new, "Task")["required"].append("color")
    schema(new, "TaskInput")["properties"]["color"] = {"type": "string"}
    schema(new, "TaskInput", "title")["maxLength"] = 1000
    schema(new, "TaskInput", "status")["enum"].append("later")
    assert list(breaks(old, new)) == []


def schema(document, name, key=""):
    found = document["components"]["schemas"][name]
    return found["properties"][key] if key else found
