"""Reading bodies, forms and queries for `@blp.arguments`."""

import json
from typing import Any, NoReturn
from zoneinfo import ZoneInfo

import marshmallow as ma
from flask import Request, g, request
from webargs.flaskparser import FlaskParser

from web import limits, openapi
from web.arguments import Values
from web.errors import refuse
from web.fields import timezone


class Parser(FlaskParser):
    """Reads bodies and queries for `@blp.arguments`. `g` keeps the names that it ignored, for the reply's headers."""

    DEFAULT_VALIDATION_STATUS = 400
    __location_map__ = {**FlaskParser.__location_map__, "multipart": "load_multipart"}

    def parse(self, argmap: Any, req: Request | None = None, *, location: str | None = None, **options: Any) -> Any:
        if location != "query":
            return super().parse(argmap, req, location=location, **options)
        # The arguments depend on the schema, the query and the time zone only, so they are remembered.
        args, g.ignored_params = _read_query(self, argmap, request.query_string, timezone())
        return {name: value[:] if isinstance(value, list) else value for name, value in args.items()}

    def load_json(self, req: Request, schema: Any) -> Any:
        raw = req.get_data()
        if not raw:
            return {}
        if not req.is_json:
            refuse(415)
        try:
            body = json.loads(raw.decode("utf-8-sig"), parse_constant=_refuse_constant)
        except UnicodeDecodeError:
            refuse(400, "The body is not UTF-8")
        except RecursionError:
            refuse(400, "The body is nested too deep")
        except ValueError:  # also an integer of more than 4,300 digits
            refuse(400, "The body is not JSON")
        if isinstance(body, dict):
            # A field of the resource that this route does not write is not reported: clients PUT back what they got.
            known = openapi.spellings(schema.__class__)
            g.ignored_fields += [key for key in body if key not in known]
            body = {schema.ALIASES[key]: body[key] for key in schema.ALIASES if key in body} | body
        return body

    def load_multipart(self, req: Request, schema: ma.Schema) -> dict[str, Any]:
        """A form with files. An empty text, or a file input without a file, counts as absent."""
        if req.mimetype != "multipart/form-data":
            refuse(415, "Send a form, with Content-Type: multipart/form-data")
        texts = {name: text for name, text in req.form.items() if text}
        files = {name: file for name, file in req.files.items() if file.filename}
        known = openapi.spellings(type(schema))
        g.ignored_fields += [name for name in texts | files if name not in known]
        return texts | files

    def load_querystring(self, req: Request, schema: Any) -> dict[str, Any]:
        fields = {field.data_key: field for field in schema.fields.values()}
        found: dict[str, Any] = {}
        for sent, texts in req.args.lists():
            name = sent.removesuffix("[]")
            name = schema.ALIASES.get(name, name)
            if name not in fields:
                g.ignored_params.append(sent)
            elif isinstance(fields[name], Values):
                found[name] = found.get(name, []) + texts
            elif texts[-1].strip():
                found[name] = texts[-1]
        return found


@limits.remembered(512)
def _read_query(parser: Parser, schema: ma.Schema, query: bytes, zone: ZoneInfo) -> tuple[dict[str, Any], list[str]]:
    return FlaskParser.parse(parser, schema, request, location="query"), g.ignored_params


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)  # NaN and Infinity are not JSON
