"""The OpenAPI document, derived from the routes and their schemas."""

import copy
import http
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import flask_smorest
import marshmallow as ma

from web.texts import CATALOGUE, INVALID

#: `error.reason` of a 401, by which a client decides what to do next.
REASONS = ("missing_token", "invalid_token", "expired_token", "revoked_session", "bad_credentials", "refresh_reused")
DETAIL_CODES = sorted({code for code, _ in CATALOGUE.values() if code} | {INVALID})


class Open(ma.Schema):
    """The base of every schema of the document: unknown keys are neither promised nor forbidden."""

    class Meta:
        unknown = ma.EXCLUDE


class DetailSchema(Open):
    field = ma.fields.String(required=True, metadata={"description": "dotted; empty for the whole body"})
    code = ma.fields.String(required=True, validate=ma.validate.OneOf(DETAIL_CODES))
    message = ma.fields.String(required=True)


class InnerErrorSchema(Open):
    code = ma.fields.String(required=True)
    message = ma.fields.String(required=True)
    details = ma.fields.List(ma.fields.Nested(DetailSchema), required=True)
    requestId = ma.fields.String(required=True)
    reason = ma.fields.String(validate=ma.validate.OneOf(REASONS), metadata={"description": "of a 401 only"})


class ErrorSchema(Open):
    success = ma.fields.Boolean(required=True, metadata={"example": False})
    error = ma.fields.Nested(InnerErrorSchema, required=True)
    message = ma.fields.String(required=True)


def camel_case(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.title() for word in others)


@cache
def spellings(schema: type[ma.Schema]) -> frozenset[str]:
    """The keys that a body of this schema class may hold: its fields as the API spells them, and their aliases."""
    declared = {field.data_key or camel_case(name) for name, field in schema._declared_fields.items()}
    return frozenset(declared | getattr(schema, "ALIASES", {}).keys())


def base_name(schema: ma.Schema) -> str:
    name = type(schema).__name__.removesuffix("Schema")
    return f"Listed{name}" if schema.many and schema.exclude else name


def reply_schema(schema: ma.Schema) -> type[ma.Schema]:
    """The schema of replies: every field that is dumped, each of them always present."""
    return _narrowed(base_name(schema), schema, tuple(schema.dump_fields), always=True)


def input_schema(schema: ma.Schema) -> type[ma.Schema]:
    """The schema of request bodies: every field that is loaded."""
    suffix = "Changes" if schema.partial else "" if base_name(schema).endswith("Args") else "Input"
    return _narrowed(base_name(schema) + suffix, schema, tuple(schema.load_fields), always=False)


_made: dict[tuple[str, tuple[str, ...]], type[ma.Schema]] = {}


def _narrowed(name: str, schema: ma.Schema, names: tuple[str, ...], always: bool) -> type[ma.Schema]:
    """A class with these fields of `schema`, made once for a name and its fields: apispec would number copies."""
    if (name, names) not in _made:
        fields = {}
        for field_name in names:
            field = copy.copy(schema.fields[field_name])
            if always and isinstance(field, ma.fields.Nested):
                inner = reply_schema(field.schema)
                field = ma.fields.Nested(inner, many=field.many, allow_none=field.allow_none, data_key=field.data_key)
            fields[field_name] = field
            field.required = always or (field.required and not schema.partial)
            field.dump_only = field.load_only = False
            if always or schema.partial:
                field.load_default = ma.missing
        _made[name, names] = type(name, (Open,), fields)
    return _made[name, names]


@cache
def envelope_schema(schema: Any) -> type[ma.Schema]:
    """The success envelope around `schema`: a page of it, a list of it, one of it, or `null`."""
    if schema is None:
        return _envelope("EmptyReply", ma.fields.Raw(required=True, metadata={"type": "null"}))
    inner = reply_schema(schema)
    if schema.many and schema.paged:
        return _envelope(f"{inner.__name__}Page", ma.fields.Nested(page_schema(inner), required=True))
    lifted = {name: copy.copy(field) for name, field in inner._declared_fields.items() if field.data_key in schema.lift}
    name = inner.__name__ + ("List" if schema.many else "Reply")
    return _envelope(name, ma.fields.Nested(inner, many=schema.many, required=True), **lifted)


def _envelope(name: str, data: ma.fields.Field, **lifted: ma.fields.Field) -> type[ma.Schema]:
    success = ma.fields.Boolean(required=True, metadata={"example": True})
    return type(name, (Open,), {"success": success, "data": data, "message": ma.fields.String(required=True), **lifted})


@cache
def page_schema(inner: type[ma.Schema]) -> type[ma.Schema]:
    numbers = {name: ma.fields.Integer(required=True) for name in ("total", "page", "pageSize", "totalPages")}
    items = ma.fields.List(ma.fields.Nested(inner), required=True)
    return type(inner.__name__ + "Items", (Open,), {"items": items, **numbers})


class DocumentedBlueprint(flask_smorest.Blueprint):
    """Adds the envelope, permissions, error replies and operation ids of its routes to the document."""

    DEFAULT_LOCATION_CONTENT_TYPE_MAPPING = {
        **flask_smorest.Blueprint.DEFAULT_LOCATION_CONTENT_TYPE_MAPPING,
        "multipart": "multipart/form-data",
    }

    def __init__(self, name: str, import_name: str, **options: Any):
        super().__init__(name, import_name, **options)
        self._prepare_doc_cbks.append(with_errors)

    @staticmethod
    def _make_doc_response_schema(schema: Any) -> Any:
        return envelope_schema(schema) if not isinstance(schema, (str, dict)) else schema

    def register_views_in_doc(self, api: Any, *args: Any, **options: Any) -> None:
        """Postpone it until somebody asks for the document (`Api.described`), because it takes half of `create_app`."""
        api.postponed.append(partial(super().register_views_in_doc, api, *args, **options))

    def arguments(self, schema: Any, *, location: str = "json", **options: Any) -> Callable[..., Any]:
        decorate = super().arguments(schema, location=location, **options)

        def decorator(view: Callable[..., Any]) -> Callable[..., Any]:
            decorated = decorate(view)
            decorated.takes_files = location == "multipart"  # `hooks.begin` lets its body be larger
            if location != "query":
                decorated._apidoc["arguments"]["parameters"][-1]["schema"] = input_schema(schema)
            return decorated

        return decorator

    def add_url_rule(self, rule: str, endpoint: Any = None, view_func: Any = None, *args: Any, **options: Any) -> None:
        super().add_url_rule(rule, endpoint, view_func, *args, **options)
        docs = self._docs[self._endpoints[-1]]
        for doc in (doc for method, doc in docs.items() if method != "parameters"):
            doc |= {"rule": rule, "permissions": getattr(view_func, "permissions", None)}
            doc.setdefault("manual_doc", {}).setdefault("operationId", camel_case(view_func.__name__))
        if {"put", "patch"} <= set(docs):
            del docs["patch"]  # the same view as PUT


def with_errors(doc: dict[str, Any], info: dict[str, Any], *, method: str, **kwargs: Any) -> dict[str, Any]:
    """Add to an operation what its route implies: the permissions, and every error that it may answer."""
    words = info["docstring"]  # smorest adds this to the operation later
    words["summary"] = words["summary"].replace("`", "")  # a summary is plain text; a description is Markdown
    statuses = set(info.get("errors", ())) | {503}
    if "requestBody" in doc:
        statuses |= {400, 413, 415}
    if "parameters" in doc:
        statuses.add(400)
    if "<" in info["rule"]:
        statuses.add(404)
    if method != "get" and ("requestBody" in doc or "<" in info["rule"]):
        statuses.add(409)
    permissions = info["permissions"]
    needs = f"`{'` or `'.join(permissions)}`" if permissions else "no login" if permissions is None else "a login"
    words["description"] = f"{words.get('description', '')}\n\nNeeds {needs}.".strip()
    doc["security"] = [] if permissions is None else [{"bearer": []}]
    if permissions is not None:
        statuses.add(401)
    if permissions:
        statuses.add(403)
    for status in sorted(statuses):
        doc["responses"].setdefault(status, http.HTTPStatus(status).name)
    return doc
