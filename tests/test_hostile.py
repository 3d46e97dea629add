"""Nothing a client sends breaks it: each route with the inputs that are known to break servers, and our own parsers."""

import contextlib
import io
import itertools
import json
import math
import re
import socket
import time
from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import urlsplit

import psutil
import pytest
from flask import g
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from marshmallow import ValidationError

from database import base, compiled, engines
from models import Role, Task, User
from resources import roles
from web import config, security
from web.arguments import Sort
from web.fields import Instant
from web.paging import paginate_list

_numbers = itertools.count(1)
TEXTS = [
    "",
    " ",
    "a\x00b",
    "\ud800",
    "\r\nX: y",
    "x" * 300,
    "x" * 60_000,
    "%_\\'\"",
    "😀",
    "1e9",
    "9999-12-31T23:59:59-14:00",
]
VALUES = [None, True, 5.7, -1, 0, 2**31, 2**63, 10**30, [], [None], [[]], {}, {"id": 1}, [10**19], ["\ud800"], *TEXTS]
VALUES += [[""] * 100_000, [1] * 100_000, [{}] * 2000]  # beyond the limit of every list
BODIES = [
    b"",
    b"{",
    b"null",
    b"[1]",
    b'"x"',
    b"\xff\xfe{}",
    b"\xef\xbb\xbf{}",
    b"[" * 100_000,
    b'{"a":' * 50_000,
    b'{"a": ' + b"9" * 5000 + b"}",
    b'{"a": NaN}',
    b'{"a\\r\\nSet-Cookie: b": 1, "\\ud800": 2, "\\u0000": 3}',
]
FORMS = [
    b"--x",
    b"--x\r\n\r\n\r\n--x--",
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="\xff\x00"\r\n\r\n\x00\r\n--x--',
    b'--x\r\nContent-Disposition: form-data; name="file"\r\nContent-Type: ;;\r\n\r\nx\r\n--x--',
    b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n' * 2000 + b"--x--",
]
QUERIES = [
    *("%00", "%ED%A0%80", "%FF%FE", "%", "%0D%0Aa", "10000000000000000000", "-1", "0", "1.5", "1e3", "NaN", "%D9%A3"),
    *("true", "null", "[]", "a,,b", "%25_%5C", "../../etc/passwd", "9999-12-31T23:59:59-14:00", "x" * 300, "9" * 5000),
]
HEADERS = [
    *(("X-Request-ID", value) for value in ("\xff\xfe", "a b", "x" * 5000, "")),
    *(
        ("Authorization", value)
        for value in ("Bearer " + "x" * 60_000, "Bearer", "Bearer \xff", "Basic Og==", "Bearer a.b.c")
    ),
    *(("Accept-Language", value) for value in ("\xff", "en;q=x", "," * 5000, "*;q=-1", "x" * 5000)),
    *(
        ("Range", value)
        for value in ("bytes=9-1", "bytes=-", "bytes=a-b", f"bytes={10**30}-", "lines=1-2", "bytes=0-0,2-2")
    ),
    *(("If-None-Match", value) for value in ('"', "W/", "\xff", "*", '"' * 5000)),
    *(("If-Modified-Since", value) for value in ("yesterday", "Thu, 99 Foo 99999 99:99:99 GMT")),
    *(("Content-Type", value) for value in ("application/json; charset=x", "\xff", "multipart/form-data", "; ; =")),
    *(("Content-Length", value) for value in ("-1", "x", "1" * 30)),
    *(("Origin", value) for value in ("\xff", "null", "http://[", "x" * 5000)),
    *(("Host", value) for value in ("[", "\xff", "a:b:c", "localhost:99999999")),
    *(("X-Demo-Delay", value) for value in ("\xff", "-1", "9" * 50)),
    *(("User-Agent", value) for value in ("", "\xff" * 500)),
    # All that the server lets through.
    *(
        (name, "x" * 30_000)
        for name in ("Authorization", "Accept-Language", "X-Request-ID", "Range", "Cookie", "X-Any")
    ),
]


def operations(app):
    """Each (method, path, its document with the properties of its body) of the API; what deletes comes last."""
    spec = app.test_client().get("/openapi.json").json

    def properties(operation):
        content = operation.get("requestBody", {}).get("content", {})
        names = [each["schema"]["$ref"].rpartition("/")[2] for each in content.values()]
        return spec["components"]["schemas"][names[0]]["properties"] if names else {}

    found = [
        (method.upper(), path, {"properties": properties(operation), **operation})
        for path, item in spec["paths"].items()
        for method, operation in item.items()
        if method != "parameters"
    ]
    return sorted(found, key=lambda each: "delete" in f"{each[0]} {each[1]}".lower())


def example(name, schema):
    """A right value for a property, so that only the nasty one beside it can be wrong."""
    kind = schema.get("type", "string")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "array":
        return [example(name, schema["items"])]
    if "enum" in schema:
        return schema["enum"][0]
    words = {
        "email": f"a{next(_numbers)}@b.cn",
        "start": "2026-01-01T00:00:00Z",
        "end": "2026-01-02T00:00:00Z",
        "role": "user",
    }
    words |= {"avatar": "/api/avatars/3.svg", "permissions": "tasks:view", "dueDate": "2026-01-01"}
    return {"integer": 3, "boolean": True, "number": 1}.get(kind) or words.get(name, f"text-{next(_numbers):04}")


def examples(operation):
    skipped = {"conversationId"} if "recipientId" in operation["properties"] else set()
    return {name: example(name, schema) for name, schema in operation["properties"].items() if name not in skipped}


def address(path):
    return re.sub(r"{\w+}", "3", path)


@pytest.fixture
def survives(app, log_in):
    """A function that sends a request as a super administrator, and fails if it costs more than a request may.

    The reply is no 5xx, a refusal is short, it takes no seconds, and all together leave little in memory.
    """
    client, process = log_in(User.get_by_id(1)), psutil.Process()
    before = process.memory_info().rss

    def send(method, path, **options):
        nonlocal client
        began = time.perf_counter()
        reply = client._send(method, path, **options)
        sent = (method, path[:200], str(options)[:300])
        assert reply.status_code < 500, (*sent, reply.text)
        assert time.perf_counter() - began < 10, sent  # normal: some milliseconds
        assert reply.status_code < 400 or len(reply.data) < 64_000, sent
        assert sum(len(value) for value in reply.headers.values()) < 8000, sent
        if reply.status_code == 401:  # logged out
            client = log_in(User.get_by_id(1))

    yield send
    assert process.memory_info().rss - before < 200 * 2**20


def test_no_body_breaks_a_route(app, survives):
    for method, path, _ in operations(app):
        if method != "GET":
            for raw in BODIES:
                survives(method, address(path), data=raw, content_type="application/json")
            survives(method, address(path), data=b"a=1")


def test_no_form_breaks_an_upload(survives):
    for raw in FORMS:
        survives("POST", "/api/files/upload", data=raw, content_type="multipart/form-data; boundary=x")
    for text in TEXTS:
        text = text.replace("\ud800", "\x80")  # what no client can encode
        form = {"name": text, "folderId": text, "file": (io.BytesIO(b"x"), text)}
        for name in form:
            form["file"] = (io.BytesIO(b"x"), text)
            survives("POST", "/api/files/upload", data={"file": form["file"], name: form[name]})


@pytest.mark.thorough
def test_no_value_of_a_field_breaks_a_route(app, survives, amount):
    step, turn = amount(5, 1), itertools.count()  # by default each field gets another fifth of the values
    for method, path, operation in operations(app):
        for name in operation["properties"]:
            for value in VALUES[next(turn) % step :: step]:
                body = json.dumps({**examples(operation), name: value})
                survives(method, address(path), data=body, content_type="application/json")


@pytest.mark.thorough
def test_no_parameter_breaks_a_route(app, survives, amount):
    step, turn = amount(3, 1), itertools.count()
    for method, path, operation in operations(app):
        for name in [each["name"] for each in operation.get("parameters", ())]:
            values = [*QUERIES, f"&{name}=1" * 1000, ",".join(map(str, range(1, 2000)))]
            for value in values[next(turn) % step :: step]:
                survives(method, f"{address(path)}?{name}={value}")


def test_no_path_breaks_a_route(app, survives):
    for method, path, _ in operations(app):
        if "{" in path:
            for value in QUERIES:
                survives(method, re.sub(r"{\w+}", value, path))


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(("GET", path) for path in ("/health", "/openapi.json", "/api/tasks", "/api/files/1/download", "/nowhere")),
        *(("POST", path) for path in ("/api/tasks", "/api/auth/login", "/api/files/upload", "/api/demo/login")),
    ],
)
def test_no_header_breaks_a_route(survives, method, path):
    for name, value in HEADERS:
        survives(method, path, headers={name: value})


RAW = [
    b"GET /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
    b"GET /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
    b"POST /api/tasks HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
    b"POST /api/tasks HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n",
    b"POST /api/tasks HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"POST /api/tasks HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n",
    b"GET /api/tasks HTTP/1.1\r\nHost: localhost\r\nX-Request-ID: \xe6\x8a\xa5\r\n\r\n",
    b"GET /api/tasks HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + b"x" * 300_000 + b"\r\n\r\n",
    b"GET /\xe6\x8a\xa5?\xff=\xfe HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET http://[ HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET //api/tasks HTTP/1.1\r\nHost: [\r\n\r\n",
    b"GET /api/tasks\r\n\r\n",
    b"G\x00T / HTTP/9.9\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
]


def test_what_is_hardly_http_is_refused_and_the_server_goes_on(serve):
    url = urlsplit(serve().url)
    for raw in [*RAW, b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"]:
        with socket.create_connection((url.hostname, url.port), timeout=10) as connection:
            reply = b""
            with contextlib.suppress(ConnectionError):  # closed before all of a huge header was read
                connection.sendall(raw)
                connection.shutdown(socket.SHUT_WR)
                reply = connection.makefile("rb").read()
        status = reply.partition(b"\r\n")[0].split()[1:2]
        # 501 is what RFC 9112 6.1 asks for where a transfer coding is unknown; waitress says it, not the application.
        assert not reply or (status and (status[0] < b"500" or b"gzip" in raw)), (raw[:200], reply)
    assert status == [b"200"]


def test_one_value_of_a_filter_and_a_list_of_one_are_two_selects(root):
    conversation = root.get("/api/conversations").json["data"]["items"][0]["id"]
    listed = root.get(f"/api/messages?conversationId={conversation}&pageSize=1000").json["data"]["items"]
    history = root.get(f"/api/conversations/{conversation}/messages?pageSize=1000")
    assert history.status_code == 200 and history.json["data"]["items"] == listed


# --- Our own parsers -------------------------------------------------------------------------------------------------

# Derandomized: the same inputs on every run. What the fixtures give may be shared by all of them.
SHORT = settings(
    derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
WORDS = st.sampled_from(["", "-", ",", " ", "id", "title", "-dueDate", "priority", "createdAt", "--id", "x", "\x00"])


@SHORT
@given(st.text("0123456789smhd٣ -\n", max_size=9))
def test_a_duration_is_digits_and_a_unit_up_to_ten_years_or_refused(text):
    try:
        found = config.duration(text)
    except ValidationError:
        return
    seconds = {"s": 1, "m": 60, "h": 3600, "d": 86400}[text[-1]]
    assert text[:-1].isascii() and found == timedelta(seconds=int(text[:-1]) * seconds)
    assert timedelta(0) < found <= timedelta(days=3650)


@SHORT
@given(st.one_of(st.text(), st.lists(WORDS).map(",".join)))
def test_a_sort_is_known_names_each_once_or_refused(text):
    try:
        names = Sort(Task).deserialize(text)
    except ValidationError:
        return
    plain = [name.removeprefix("-") for name in names]
    assert len(set(plain)) == len(plain) <= 5 and set(plain) <= {"id", *Task.SORTS}
    assert Sort(Task).deserialize(",".join(names)) == names
    assert compiled.order(Task, names or (Task.SORT,))


@SHORT
@given(st.one_of(st.text(), st.from_regex(r"\s?(\*|[a-z]{1,5}:(\*|edit|read|send|[a-z]{1,5}))\s?", fullmatch=True)))
def test_a_grant_is_well_formed_covers_itself_and_is_saved_once_normalised(text):
    try:
        grant = roles.GRANT_FIELD.deserialize(text)
    except ValidationError:
        return
    assert re.fullmatch(r"\*|[a-z0-9_-]+:(\*|[a-z0-9_-]+)", grant)
    assert roles.GRANT_FIELD.deserialize(grant) == grant and grant.partition(":")[2] not in roles.SYNONYMS
    assert security.allows((grant,), grant)


@ON_SQLITE
@SHORT
@given(st.datetimes(datetime(1901, 1, 1), datetime(2998, 12, 31)), st.integers(-14 * 60, 14 * 60), st.booleans())
def test_an_instant_is_the_same_in_every_offset_also_with_a_lost_plus(app, moment, minutes, lost):
    sent = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    text = sent.isoformat().replace("+", " " if lost else "+")
    with app.app_context():
        assert Instant().deserialize(text) == sent


@ON_SQLITE
@SHORT
@given(st.one_of(st.text(), st.from_regex(r"\d{4}-\d\d-\d\d.?[\d:.+Z -]*", fullmatch=True)))
def test_what_is_no_instant_is_refused_and_the_rest_is_utc(app, text):
    with app.app_context():
        try:
            assert Instant().deserialize(text).tzinfo is UTC
        except ValidationError as refused:
            assert refused.messages


@ON_SQLITE
@SHORT
@given(st.integers(0, 60), st.integers(1, 20))
def test_whoever_follows_next_sees_every_row_once(app, total, size):
    seen, page = [], 1
    while page:
        with app.test_request_context(f"/api/x?pageSize={size}&page={page}"):
            g.headers = {}
            seen += paginate_list(list(range(total)), {"page": page, "page_size": size})
            assert g.page["totalPages"] == math.ceil(total / size)
            following = re.search(r'page=(\d+)>; rel="next"', g.headers["Link"])
            page = int(following[1]) if following else None
    assert seen == list(range(total))


# --- Access: fields that are not for the caller, rows of other people ------------------------------------------------

OURS = ("documents", "folders", "files", "messages", "calendar", "tasks", "teams", "users", "roles")
LONG_AGO = "2001-01-01T00:00:00Z"


@pytest.fixture
def member(client_with):
    """Somebody who may make and change rows of every kind, but manages none."""
    return client_with(*(f"{name}:{action}" for name in OURS for action in ("view", "create", "update")))


def somebody(**fields):
    with engines.write():
        return User.register(role=Role.get(Role.name == "guest"), name="外人", **fields)


@pytest.fixture
def own(member, client_with):
    """The ids of rows of the member's own, by what a path calls them."""
    colleague = client_with()
    made = {"user_id": colleague.id, "role_id": User.get_by_id(colleague.id).role_id}
    for name, path, body in (
        ("document_id", "/api/documents", {"title": "x"}),
        ("folder_id", "/api/folders", {"name": "x"}),
        ("task_id", "/api/tasks", {"title": "x"}),
        ("team_id", "/api/teams", {"name": "x"}),
        ("event_id", "/api/calendar/events", {"title": "x", "start": LONG_AGO, "end": LONG_AGO}),
        ("message_id", "/api/messages", {"content": "x", "recipientId": colleague.id}),
        ("conversation_id", "/api/conversations", {"memberIds": [colleague.id]}),
    ):
        made[name] = member.post(path, body).json["data"]["id"]
    form = {"file": (io.BytesIO(b"x"), "x.txt")}
    made["file_id"] = member._send("POST", "/api/files/upload", data=form).json["data"]["id"]
    return made


def writing(app, member, own):
    """Each route that makes or changes rows of a resource: its method and address, a right body."""
    kinds = "|".join(
        ("documents", "folders", "files", "messages", "conversations", "calendar", "tasks", "teams", "users", "roles")
    )
    people = {"userIds", "memberIds", "attendeeIds"}
    for method, path, operation in operations(app):
        if method in ("POST", "PUT") and re.match(f"/api/({kinds}|auth/register)", path) and operation["properties"]:
            if re.search("batch|upload|status", path):
                continue
            body = examples(operation)
            for name in body:
                if name in people:
                    body[name] = [own["user_id"], member.id]
                elif name in ("userId", "recipientId", "assigneeId"):
                    body[name] = own["user_id"]
                elif name in ("folderId", "parentId"):
                    body[name] = None
                elif name == "conversationId":
                    body[name] = own["conversation_id"]
            body.pop("roleId", None)
            if path.startswith("/api/users"):  # a role within the member's own reach; the rest needs `users:manage`
                body.pop("password", None)
                body |= {"role": Role.get_by_id(own["role_id"]).name} if "role" in body else {}
            if path == "/api/users/{user_id}":
                body.pop("email")
            yield method, path.format_map(own), body, operation["properties"]


#: What some routes write, and others must not: the profile and the registration never.
PRIVILEGES = {"role": "super_admin", "roleId": 1, "role_id": 1, "permissions": ["*"], "status": "suspended"}
#: What no route writes, whatever its document says.
OURS_ALONE = {
    **dict.fromkeys(("createdAt", "created_at", "updatedAt", "lastLoginAt"), LONG_AGO),
    **dict.fromkeys(("id", "epoch", "views", "size", "userCount", "memberCount"), 7777),
    **{"isSystem": True, "is_system": True, "passwordHash": "x", "checksum": "x", "mimeType": "text/html"},
}


def test_nothing_but_the_fields_of_the_contract_is_written(app, member, own):
    stranger = somebody(email="stranger@example.com")
    role, system = User.get_by_id(member.id).role_id, Role.select().where(Role.is_system).count()
    people = ("author", "owner", "creator", "organizer", "sender")
    forged = {**OURS_ALONE, **{who + end: stranger.id for who in people for end in ("", "Id", "_id")}}
    for method, path, body, documented in writing(app, member, own):
        given = set() if re.search("/me$|/register$", path) else documented.keys()
        extra = {**forged, **{name: value for name, value in PRIVILEGES.items() if name not in given}}
        reply = member._send(method, path, json={**body, **extra})
        assert reply.status_code in (200, 201), (method, path, reply.json)
        data = reply.json["data"].get("user", reply.json["data"])
        assert not [name for name in extra if name in data and data[name] == extra[name]], (method, path, data)
    assert User.get_by_id(member.id).role_id == role and Role.select().where(Role.is_system).count() == system
    for model in base.tables():
        for field in model._meta.sorted_fields:
            if getattr(field, "rel_model", None) is User:
                assert not model.select().where(field == stranger.id).exists(), field
            if field.name in ("created_at", "updated_at"):
                assert not model.select().where(field < datetime(2002, 1, 1, tzinfo=UTC)).exists(), field


@pytest.fixture
def foreign(client_with):
    """Ids of rows out of the member's sight, by the fields that take them."""
    other = client_with("folders:create", "messages:create")
    folder = other.post("/api/folders", {"name": "x"}).json["data"]["id"]
    conversation = other.post("/api/conversations", {"memberIds": [other.id]}).json["data"]["id"]
    gone = somebody(email="gone@example.com", status="suspended").id
    rows = {"folderId": folder, "parentId": folder, "conversationId": conversation}
    people = ("recipientId", "assigneeId", "userId", "authorId")
    return rows | dict.fromkeys(people, gone) | dict.fromkeys(("userIds", "memberIds", "attendeeIds"), [gone])


def test_no_body_names_a_row_out_of_sight(app, member, own, foreign):
    tried = set()
    for method, path, body, documented in writing(app, member, own):
        for name in documented.keys() & foreign.keys():
            if name == "conversationId":
                body.pop("recipientId", None)
            for bad in (foreign[name], [999_999] if isinstance(foreign[name], list) else 999_999):
                reply = member._send(method, path, json={**body, name: bad})
                assert reply.status_code == 400, (method, path, name, reply.json)
                details = [(each["field"], each["code"]) for each in reply.json["error"]["details"]]
                assert details in ([(name, "unknown_id")], [(f"{name}.0", "unknown_id")]), (method, path, name)
            tried.add((method, path, name))
    assert {name for _, _, name in tried} == foreign.keys() - {"authorId"}


def test_no_filter_names_a_row_out_of_sight(app, member, foreign):
    tried = set()
    for _, path, operation in operations(app):
        for name in {each["name"] for each in operation.get("parameters", ())} & foreign.keys():
            for bad in (foreign[name], 999_999):
                reply = member.get(f"{path}?{name}={bad}")
                assert [each["code"] for each in reply.json["error"]["details"]] == ["unknown_id"], (path, name)
            tried.add((path, name))
    assert len(tried) == 6
