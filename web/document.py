"""The OpenAPI document as clients get it: what smorest derives from the routes, with error codes and examples."""

import http
import json
import tomllib
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import click
from flask import Flask

from web.errors import CODES, TEXTS, code_for, envelope
from web.texts import LANGUAGES, translate

#: Where a server listens unless it is told otherwise; one that gives the document itself says its own address.
SERVER = "http://localhost:8000"
SCHEMAS = "#/components/schemas/"
#: What the example of an error says besides its status: its text, its fields with their texts, and its reason.
SAID: dict[int, tuple[str, list[tuple[str, str]], str]] = {
    400: ("The request is not valid", [("email", "Not a valid email address.")], ""),
    401: ("The token has expired", [], "expired_token"),
    403: ("You may see this, but not change it", [], ""),
    409: ("This value is taken.", [("email", "This value is taken.")], ""),
}
#: The first part of the name of a schema is that of its resource: ListedDocument, TaskInput, LoginArgs.
VARIANTS = ("Input", "Changes", "Args", "Reply")


@cache
def written() -> dict[str, Any]:
    """What `document.toml` says: the description, the meanings of enumerations, and examples."""
    return tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))


def document(app: Flask, server: str = SERVER) -> dict[str, Any]:
    """The OpenAPI document of an application at `server`."""
    made = app.extensions["flask-smorest"]["apis"][""]["ext_obj"].described()
    info = {"description": written()["description"], **made.pop("info")}
    made = {"info": info, **made, "servers": [{"url": server}]}
    describe_errors(made["components"])
    for node in walk(made):
        name = node.get("$ref", "").rpartition("/")[2]
        if name in renamed():
            node["$ref"] = node["$ref"].replace(name, renamed()[name])
        if "enum" in node:
            describe_enumeration(node)
    for name, schema in made["components"]["schemas"].items():
        for key, inner in schema.get("properties", {}).items():
            # From the pattern alone, pages and generators make a sample that fits it and means nothing.
            if "pattern" in inner:
                inner["examples"] = [written_example(inner, name, key)]
            elif "pattern" in inner.get("items", {}):
                inner["items"]["examples"] = written_example(inner, name, key)
    for item in made["paths"].values():
        for operation in (inner for inner in item.values() if isinstance(inner, dict)):
            add_examples(operation, made["components"]["schemas"])
    return made


def document_text(app: Flask) -> str:
    return json.dumps(document(app), ensure_ascii=False, indent=1) + "\n"


def write_document(app: Flask, path: str) -> None:
    """Write the OpenAPI document of an application to a file, or with the path `-` to the console."""
    try:
        with click.open_file(path, "w", encoding="utf-8") as file:
            file.write(document_text(app))
    except OSError as error:
        raise click.FileError(path, error.strerror) from None


def walk(node: Any) -> Iterator[dict[str, Any]]:
    """Every object of a document, from the outside in."""
    if isinstance(node, dict):
        yield node
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from walk(inner)


# --- Errors ----------------------------------------------------------------------------------------------------------


@cache
def renamed() -> dict[str, str]:
    """Names of statuses that differ between versions of Python → our codes."""
    return {http.HTTPStatus(status).name: code for status, code in CODES.items()}


def describe_errors(components: dict[str, Any]) -> None:
    """Give each error reply its own schema, with the codes that it may carry, and examples."""
    schemas, replies = components["schemas"], components["responses"]
    for status in (status for status in http.HTTPStatus if status.name in replies):
        code, text = code_for(status), TEXTS.get(status, "You may not do this")
        codes = {code: text}
        if status == 400:
            codes = {"VALIDATION_ERROR": "`details` names the fields", code: "the body cannot be read"}
        inner = deepcopy(schemas["InnerError"])
        if status != 401:
            del inner["properties"]["reason"]
        inner["properties"]["code"] |= {"enum": list(codes), "description": meanings(codes)}
        schema = deepcopy(schemas["Error"])
        schema["properties"]["error"] = inner
        name = code.title().replace("_", "") + "Error"
        schemas[name] = schema
        content = {"schema": {"$ref": SCHEMAS + name}, "examples": named(error_examples(status, text))}
        replies.pop(status.name)
        replies[code] = {"description": text, "content": {"application/json": content}}
    other = replies["DEFAULT_ERROR"]
    other["description"] = "Any other error"
    other["content"]["application/json"]["examples"] = named(error_examples(500, TEXTS[500]))


def error_examples(status: int, text: str) -> dict[str, Any]:
    said = SAID.get(status, (text, [], ""))
    return {language: envelope(status, *said, language, "9f2c41d07b3a58e6") for language in LANGUAGES}


# --- Enumerations ----------------------------------------------------------------------------------------------------


def describe_enumeration(schema: dict[str, Any]) -> None:
    """Say of a schema with an enumeration what each of its values means, if it is written."""
    values = [value for value in schema["enum"] if value is not None]
    for table in written()["enumerations"].values():
        if set(values) <= table.keys():
            said = [schema["description"]] if "description" in schema else []
            schema["description"] = "\n\n".join([*said, meanings({value: table[value] for value in values})])
            return


def meanings(values: dict[str, str]) -> str:
    return "; ".join(f"`{value}`: {meaning}" for value, meaning in values.items())


# --- Examples --------------------------------------------------------------------------------------------------------


def add_examples(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Give every JSON body of an operation, sent or replied, an example in each language."""
    replies = [reply for reply in operation.get("responses", {}).values() if "content" in reply]
    for body in (*replies, operation.get("requestBody", {})):
        content = body.get("content", {}).get("application/json")
        if content is None:
            continue
        values = {}
        for language in LANGUAGES:
            values[language] = example(content["schema"], "", "", schemas, language)
            if "description" in body and "message" in values[language]:
                values[language]["message"] = translate(body["description"], language)
        content["examples"] = named(values)


def named(values: dict[str, Any]) -> dict[str, Any]:
    """Examples by their languages; one alone where they are equal, because it shows no text."""
    if values["zh"] == values["en"]:
        return {"example": {"value": values["en"]}}
    return {language: {"value": value} for language, value in values.items()}


def example(schema: dict[str, Any], owner: str, name: str, schemas: dict[str, Any], language: str) -> Any:
    """An example of a schema, which is the property `name` of the component `owner`."""
    if "$ref" in schema:
        owner = schema["$ref"].removeprefix(SCHEMAS)
        return example(schemas[owner], owner, "", schemas, language)
    if "anyOf" in schema:
        return example(schema["anyOf"][0], owner, name, schemas, language)
    if "properties" in schema:
        shown = {
            key: inner for key, inner in schema["properties"].items() if f"{owner}.{key}" not in written()["omitted"]
        }
        return {key: example(inner, owner, key, schemas, language) for key, inner in shown.items()}
    said = written_example(schema, owner, name)
    if said is not None:
        return said[language] if isinstance(said, dict) else said
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema["type"] if isinstance(schema["type"], str) else schema["type"][0]
    if kind == "array":
        # A folder holds folders: the innermost of the example is empty.
        again = schema["items"].get("$ref") == SCHEMAS + owner
        return [] if again else [example(schema["items"], owner, name, schemas, language)]
    return {"integer": 1, "number": 1.5, "boolean": True, "null": None, "string": "text"}[kind]


def written_example(schema: dict[str, Any], owner: str, name: str) -> Any:
    """The example in `document.toml` for a property of a schema, or else for its format; None if there is none."""
    if "example" in schema:
        return schema["example"]
    table, resource = written()["examples"], owner.removeprefix("Listed")
    for variant in VARIANTS:
        resource = resource.removesuffix(variant)
    own = {**table.get(resource, {}), **table.get(owner, {})}
    if "enum" not in schema and name in own:
        return own[name]
    if "enum" in schema or "$ref" in schema.get("items", {}):
        return None
    return table.get(name, table.get(f"format_{schema.get('format')}"))
