"""Dialects: HaloLight's own front ends run on this API unmodified.

A dialect is a base URL. Under `/nestjs/api` this server answers as the NestJS backend does, which the Next.js front
end was written for; under `/vue/api` it answers as the Vue front end expects. `Entrance` turns a request in a dialect
into a request to `/api` before Flask routes it, and `Encoder` reshapes the reply (`web/shapes.py`) when it is encoded.
Permissions, errors and headers are therefore those of the API, no resource knows of the dialects, and the OpenAPI
document does not name them.
"""

import json
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

from flask import Flask, request

from web import hooks, limits, shapes
from web.shapes import Row

Environ = dict[str, Any]
#: The beginning of a path in a dialect.
MOUNT = re.compile(r"\A/(nestjs|vue)/api/")
SLASHES = re.compile("//+")
#: The key in the WSGI environment of a request's dialect and of the word that decides how its reply is shaped.
KEY = "halolight.dialect"


# --- The two dialects ------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Dialect:
    #: The requests that the API knows by another path, or with another default: method and path → path and query.
    routes: dict[str, str]
    #: The last word of a path → how the data of its reply, or each row of a page, is shown.
    shapes: dict[str, Callable[[Row], Row]]
    #: Wraps a list; it takes the word, the rows, the page they are from (None for a plain array) and the message.
    wrap: Callable[[str, list[Row], Row | None, str], Any]
    #: The last word of a path → what is done to all rows of a page.
    lists: dict[str, Callable[[list[Row]], list[Row]]] = field(default_factory=dict)
    #: What is changed in a request besides: method and path → a function that changes the WSGI environment.
    edits: dict[str, Callable[[Environ], None]] = field(default_factory=dict)
    #: Whether links to the API are relative, because the pages may load only from their own origin (Next.js: its CSP).
    relative: bool = False

    def enter(self, environ: Environ, path: str) -> None:
        """Turn a request for `path` in this dialect into the request to the API that it stands for."""
        asked = f"{environ['REQUEST_METHOD']} {re.sub('[0-9]+', '<id>', path.rstrip('/'))}"
        environ[KEY] = self, path.rstrip("0123456789/").rpartition("/")[2]
        if asked in self.edits:
            self.edits[asked](environ)
        if asked in self.routes:
            ids = re.findall("[0-9]+", path)
            path, _, query = self.routes[asked].partition("?")
            for row_id in ids:
                path = path.replace("<id>", row_id, 1)
            # The last of two values of a parameter counts, so these are only the defaults.
            environ["QUERY_STRING"] = "&".join(filter(None, (query, environ.get("QUERY_STRING"))))
        environ["PATH_INFO"] = f"/api/{path}"
        if self.relative:
            environ["halolight.base_url"] = ""

    def reply(self, word: str, body: Row) -> Any:
        """The body of a reply as the front end reads it; errors are not changed."""
        if not body.get("success"):
            return body
        data, message, shape = body["data"], body["message"], self.shapes.get(word, dict)
        if isinstance(data, list):
            return self.wrap(word, data, None, message)
        if data and "totalPages" in data:
            rows = [shape(row) for row in data["items"]]
            return self.wrap(word, self.lists.get(word, list)(rows), data, message)
        shown = shape(data) if data else data
        return {**(shown or {}), "code": 200, "message": message, "data": shown}


def by_role_id(environ: Environ) -> None:
    """The page filters users by the id of a role."""
    environ["QUERY_STRING"] = re.sub(r"\brole=", "roleId=", environ.get("QUERY_STRING", ""))


def without_username(environ: Environ) -> None:
    """The page sends the local part of the e-mail as username, which may be taken. Without it the API makes one."""
    size = int(environ.get("CONTENT_LENGTH") or 0)
    if size > limits.BODY_BYTES:
        return
    body = environ["wsgi.input"].read(size)
    with suppress(ValueError, RecursionError):  # the API says what is wrong with it
        sent = json.loads(body)
        if isinstance(sent, dict):
            sent.pop("username", None)
            body = json.dumps(sent).encode()
    environ["wsgi.input"], environ["CONTENT_LENGTH"] = BytesIO(body), str(len(body))


NESTJS = Dialect(
    routes={
        # The page shows ten users, and a new one should be among them.
        "GET users": "users?sort=-createdAt",
        # These pages do not page. Files and events are those of the caller, as the pages say.
        "GET documents": "documents?pageSize=100",
        "GET files": "files?pageSize=100&scope=mine",
        "GET teams": "teams?pageSize=100",
        "GET notifications": "notifications?pageSize=100",
        "GET calendar/events": "calendar/events?pageSize=1000&scope=mine",
        "POST files/folder": "folders",
        "DELETE files/folder-<id>": "folders/<id>",
        # The id in these paths is that of a conversation.
        "GET messages/conversations": "conversations?scope=mine",
        "GET messages/<id>": "conversations/<id>/messages?pageSize=100",
        "PUT messages/<id>/read": "conversations/<id>/read",
        "DELETE messages/<id>": "conversations/<id>",
        "POST messages/send": "messages",
    },
    edits={"GET users": by_role_id, "POST auth/register": without_username},
    shapes={
        "login": shapes.with_lasting_token,
        "register": shapes.with_lasting_token,
        "refresh": shapes.with_lasting_token,
        "me": shapes.with_role,
        "users": shapes.with_role,
        "roles": lambda role: {**role, "id": str(role["id"])},
        "documents": lambda row: {**row, "name": row["title"], "folder": row["folderName"] or ""},
        "files": shapes.nestjs_file,
        "storage": shapes.nestjs_storage,
        "conversations": shapes.nestjs_conversation,
        "messages": shapes.nestjs_message,
        "events": shapes.nestjs_event,
        "notifications": lambda row: {**row, "time": shapes.minute(row["createdAt"])},
    },
    lists={"files": shapes.after_folders, "messages": lambda rows: rows[::-1]},
    wrap=shapes.nestjs_list,
    relative=True,
)
VUE = Dialect(
    routes={
        "GET users": "users?pageSize=100",
        "GET files": "files?pageSize=100",
        "GET messages": "messages?box=inbox&pageSize=100",
        "GET calendar/events": "calendar/events?pageSize=1000&scope=mine",
        "GET analytics": "dashboard/stats",
    },
    shapes={
        "login": shapes.with_user,
        "register": shapes.with_user,
        "me": shapes.with_role,
        "users": shapes.with_role,
        "files": shapes.vue_file,
        "events": shapes.vue_event,
        "analytics": shapes.vue_stats,
    },
    wrap=shapes.vue_list,
)
DIALECTS = {"nestjs": NESTJS, "vue": VUE}


# --- The way in and the way out --------------------------------------------------------------------------------------
def without_empty_parts(path: str) -> str:
    """`/api//users`, which comes of a base URL that ends in a slash, is `/api/users`.

    Werkzeug would redirect there, and a browser does not follow the redirect of a preflight.
    """
    return SLASHES.sub("/", path)


class Entrance:
    """The WSGI application around Flask's: paths are tidied, requests in a dialect become requests to the API."""

    def __init__(self, application: Callable[..., Any]):
        self.application = application

    def __call__(self, environ: Environ, start_response: Any) -> Any:
        path = environ["PATH_INFO"] = without_empty_parts(environ["PATH_INFO"])
        found = MOUNT.match(path)
        if found:
            DIALECTS[found[1]].enter(environ, path[found.end() :])
        return self.application(environ, start_response)


class Encoder(hooks.JSON):
    """Encodes the bodies of replies, those to requests in a dialect in its shape."""

    def _prepare_response_obj(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        body = super()._prepare_response_obj(args, kwargs)
        found = request.environ.get(KEY)
        return found[0].reply(found[1], body) if found else body


def init_app(app: Flask) -> None:
    app.wsgi_app = Entrance(app.wsgi_app)  # type: ignore[method-assign]
    app.json = Encoder(app)
