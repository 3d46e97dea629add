"""The conventions: loops over every route, and one story for each rule that all of them follow."""

import io
import re
from pathlib import Path

import marshmallow as ma
import pytest

from database import base, engines
from models import FailedAttempt, Task, User
from resources.tasks import TaskArgs
from web import config, texts
from web.api import Blueprint
from web.arguments import PageArgs
from web.errors import TEXTS
from web.fields import Count, Id, Text
from web.parser import Parser
from web.schemas import Schema

ROOT = Path(__file__).parent.parent
PUBLIC = {
    *("auth.login", "auth.register", "auth.refresh", "auth.logout", "auth.forgot_password", "auth.reset_password"),
    *("demo.list_accounts", "demo.log_in_as", "demo.reset_demo_data", "demo.expire_tokens", "demo.list_mails"),
    *("demo.list_requests", "demo.get_request", "demo.list_rules", "demo.create_rule", "demo.delete_rule"),
    *(
        "demo.get_set_in_use",
        "demo.delete_rules",
        "demo.get_clock",
        "demo.set_clock",
        "demo.reset_clock",
        "avatars.get_avatar",
        "files.download_raw",
    ),
    *(
        "system.get_health",
        "system.get_metrics",
        "pages.home",
        "documentation.swagger_ui",
        "documentation.redoc",
        "documentation.openapi",
    ),
    *("pages.static", "documentation.swagger_ui_asset", "documentation.redoc_script"),
}


def views(app):
    return [(rule, app.view_functions[rule.endpoint]) for rule in app.url_map.iter_rules()]


def test_every_route_is_public_on_purpose_or_requires_a_login(app):
    open_to_all = {rule.endpoint for rule, view in views(app) if not hasattr(view, "permissions")}
    assert open_to_all == PUBLIC & {rule.endpoint for rule, _ in views(app)}


def test_a_route_that_does_not_say_who_may_is_refused_by_name():
    blp = Blueprint("gadgets", __name__)
    with pytest.raises(TypeError, match=r"gadgets\.list_gadgets"):

        @blp.route("/gadgets")
        @blp.response(200)
        def list_gadgets():
            """All gadgets"""


def test_a_model_that_does_not_say_whose_its_rows_are_stops_the_start(make_app, monkeypatch):
    monkeypatch.setattr(Task, "RESOURCE", "")
    with pytest.raises(TypeError, match="Task"):
        make_app()


def test_rows_of_such_a_model_are_shown_to_nobody_else(root, client_with, monkeypatch):
    monkeypatch.setattr(Task, "RESOURCE", "")
    task = client_with("tasks:create").post("/api/tasks", {"title": "x"}).json["data"]
    assert root.get(f"/api/tasks/{task['id']}").status_code == 404


def test_every_route_without_a_token_is_401_in_the_envelope(app):
    http = app.test_client()
    for rule, view in views(app):
        if hasattr(view, "permissions"):
            path = re.sub(r"<[^>]+>", "1", rule.rule)
            for method in rule.methods - {"OPTIONS", "HEAD"}:
                reply = http.open(path, method=method)
                assert (reply.status_code, reply.json["error"]["reason"]) == (401, "missing_token"), rule


def test_every_route_without_its_permission_is_403_before_the_body_is_read(app, client_with):
    nobody = client_with()
    for rule, view in views(app):
        if getattr(view, "permissions", None):
            path = re.sub(r"<[^>]+>", "1", rule.rule)
            for method in rule.methods - {"OPTIONS", "HEAD"}:
                reply = nobody._send(method, path, data=b"{", content_type="application/json")
                assert (reply.status_code, reply.json["error"]["code"]) == (403, "FORBIDDEN"), rule
                assert all(permission in reply.json["message"] for permission in view.permissions)


def test_the_documentation_and_the_example_name_every_variable():
    names = set(config.VARIABLES)
    described = (ROOT / "docs" / "configuration.md").read_text("utf-8")
    assert set(re.findall(r"^\| `([A-Z_]+)`", described, re.MULTILINE)) == names
    example = (ROOT / ".env.example").read_text("utf-8")
    assert set(re.findall(r"^#? ?([A-Z_]+)=", example, re.MULTILINE)) == names


def test_every_promise_names_its_tests_and_they_are_there():
    promised, _, rest = (ROOT / "docs" / "promises.md").read_text("utf-8").partition("## Not promised")
    rows = [line for line in promised.splitlines() if line.startswith("|")][2:]
    assert rows and rest and all("`test_" in row for row in rows)
    named = re.findall(r"`(test_\w+\.py)(?:::(test_\w+))?`", promised)
    assert len(named) == promised.count("`test_")
    for module, name in named:
        assert f"def {name + '(' if name else 'test_'}" in (ROOT / "tests" / module).read_text("utf-8"), (module, name)


def test_what_a_view_does_with_its_arguments_is_forgotten(app):
    parser, schema = Parser(), TaskArgs()
    for _ in range(2):
        with app.test_request_context("/api/tasks?status=pending"):
            app.preprocess_request()
            args = parser.parse(schema, location="query")
            assert args["status"] == ["pending"]
            args["status"].append("done")
            args["page"] = 7


def test_every_message_is_in_the_catalogue_in_both_languages():
    """Walks the source: every text given to refuse(), message=, error= or raised is a key of the catalogue."""
    calls = (r"refuse\(\d+, ", r'refuse_401\("\w+", ', r"refuse_field\([^,]+, ", r"ValidationError\(")
    pattern = rf'(?:{"|".join(calls)}|message=|validate.*error=|"invalid": )f?"([^"]+)"'
    found = set(TEXTS.values())
    for source in [*(ROOT / "resources").glob("*.py"), *(ROOT / "web").glob("*.py")]:
        if source.name != "config.py":  # what it says stops the start, and is for operators
            found |= set(re.findall(pattern, source.read_text("utf-8")))
    unknown = {text for text in found if texts.lookup(re.sub(r"\{[^}]*\}", "x", text)) is None}
    assert not unknown
    assert all(
        re.search("[\u4e00-\u9fff]", chinese) and english.isascii() for english, (_, chinese) in texts.CATALOGUE.items()
    )


def test_a_translation_has_the_values_of_its_text():
    values = re.compile(r"\{\w+\}").findall
    pairs = [(english, chinese) for english, (_, chinese) in texts.CATALOGUE.items()]
    assert [english for english, chinese in pairs if set(values(english)) != set(values(chinese))] == []


def test_no_text_stands_twice_in_the_catalogue():
    lines = (ROOT / "web" / "texts.toml").read_text("utf-8").splitlines()
    assert len([line for line in lines if line.startswith('"')]) == len(texts.CATALOGUE)


def all_schemas():
    pending, found = [Schema], []
    while pending:
        cls = pending.pop()
        pending += cls.__subclasses__()
        found += [cls] if cls.__module__.startswith(("resources.", "web.")) and cls is not Schema else []
    return found


GARBAGE = (None, True, 5.7, -1, 10**30, "", "x" * 6000, "\x00", [], [None], ["x"], {}, {"a": 1}, "2026-13-45")


QUERY_GARBAGE = tuple(value for value in GARBAGE if isinstance(value, str))


def test_garbage_in_any_field_gives_a_message_of_the_catalogue_with_a_code(app):
    missing = set()
    with app.test_request_context():
        app.preprocess_request()
        for cls in all_schemas():
            schema = cls()
            for name, field in schema.load_fields.items():
                for value in GARBAGE if not issubclass(cls, PageArgs) else QUERY_GARBAGE:
                    errors = schema.validate({field.data_key or name: value})
                    missing |= {text for text in re.findall(r"'([A-Z][^']*\.)'", str(errors)) if not texts.lookup(text)}
    assert not missing


#: The largest number in a column of Postgres, by its type.
LARGEST = {"SMALLINT": 2**15 - 1, "INT": 2**31 - 1, "AUTO": 2**31 - 1, "BIGINT": 2**63 - 1}


def test_no_field_takes_more_than_a_column_of_its_name_holds():
    """SQLite stores a number that is too large and a text that is too long; on Postgres they would be a 500."""
    columns, checked = {}, set()
    for column in (column for model in base.tables() for column in model._meta.sorted_fields):
        columns.setdefault(column.column_name, []).append(column)
    for cls in all_schemas():
        for name, field in cls().load_fields.items():
            inner = getattr(field, "inner", field)
            for column in columns.get(name, []) if isinstance(inner, (Count, Id, Text)) else []:
                texts_only = isinstance(inner, Text)
                most = getattr(column, "max_length", None) if texts_only else LARGEST.get(column.field_type)
                kind = ma.validate.Length if texts_only else ma.validate.Range
                bounds = [check.max for check in inner.validators if isinstance(check, kind) and check.max is not None]
                assert most is None or min(bounds) <= most, (cls, name, column)
                checked.add(name)
    assert {"progress", "folder_id", "title"} <= checked


# --- Bodies and parameters -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "content_type", "status", "code"),
    [
        (b"{oops", "application/json", 400, "BAD_REQUEST"),
        (b"\xff\xfe{}", "application/json", 400, "BAD_REQUEST"),
        (b"[" * 100_000, "application/json", 400, "BAD_REQUEST"),
        (b'{"title": NaN}', "application/json", 400, "BAD_REQUEST"),
        (b'{"title": ' + b"9" * 5000 + b"}", "application/json", 400, "BAD_REQUEST"),
        (b"title=x", "text/plain", 415, "UNSUPPORTED_MEDIA_TYPE"),
        (b'{"title": "x"}', None, 415, "UNSUPPORTED_MEDIA_TYPE"),
        (b"[1]", "application/json", 400, "VALIDATION_ERROR"),
        (b'"x"', "application/json", 400, "VALIDATION_ERROR"),
        (b"", None, 400, "VALIDATION_ERROR"),
        (b"\xef\xbb\xbf" + b'{"title": "x"}', "application/json; charset=utf-8", 201, None),
    ],
)
def test_a_body_that_is_no_json_object_is_refused_by_what_is_wrong_with_it(root, raw, content_type, status, code):
    reply = root.post("/api/tasks", data=raw, content_type=content_type)
    assert reply.status_code == status and reply.json.get("error", {}).get("code") == code


def test_json_that_is_no_object_is_an_error_of_the_whole_body(root):
    reply = root.post("/api/tasks", [1])
    assert reply.json["error"]["details"] == [{"field": "", "code": "type", "message": "应为 JSON 对象"}]


def test_a_body_of_more_than_two_megabytes_is_413_before_the_login(app):
    reply = app.test_client().post("/api/tasks", data=b" " * (2 * 1024 * 1024 + 1), content_type="application/json")
    assert reply.status_code == 413 and reply.json["error"]["code"] == "PAYLOAD_TOO_LARGE"


def test_unknown_fields_are_ignored_and_named_in_ascii(root):
    body = {"title": "x", "备注\r\n": 1, "id": 7, "creator": {}}
    reply = root.post("/api/tasks", body)
    assert reply.status_code == 201 and reply.headers["X-Ignored-Fields"] == "%E5%A4%87%E6%B3%A8%0D%0A"
    many = root.post("/api/tasks", {"title": "x", **{f"field-{'x' * 90}-{n}": n for n in range(50)}})
    assert len(many.headers["X-Ignored-Fields"]) <= 500


def test_parameters_that_mean_nothing_are_named(root):
    reply = root.get("/api/users?colour=red&sort=&limit=2&_t=1")
    assert reply.headers["X-Ignored-Params"] == "colour,_t" and reply.json["data"]["pageSize"] == 2


@pytest.mark.parametrize(
    "query", ["page=0", "page=1000001", "page=10000000000000000000", "page=x", "page=1.5", "pageSize=1001", "limit=-1"]
)
def test_a_page_out_of_bounds_is_refused_by_name(root, query):
    reply = root.get(f"/api/users?{query}")
    wanted = "page" if query.startswith("page=") else "pageSize"
    assert reply.status_code == 400 and reply.json["error"]["details"][0]["field"] == wanted


def test_an_unknown_sort_is_refused_with_the_allowed_ones(root):
    reply = root.get("/api/users?sort=-password")
    assert reply.json["error"]["details"][0]["code"] == "not_one_of"
    assert "lastLoginAt" in reply.json["error"]["details"][0]["message"]


def test_a_sort_by_more_names_than_are_used_is_refused(root):
    names = ["createdAt", "-updatedAt", "name", "username", "email"]
    assert root.get(f"/api/users?sort={','.join([*names, 'name', '-email'])}").status_code == 200  # each counts once
    details = root.get(f"/api/users?sort={','.join([*names, 'lastLoginAt'])}").json["error"]["details"]
    assert [(d["field"], d["code"], d["message"]) for d in details] == [("sort", "too_long", "长度不能超过 5")]


def test_a_page_says_where_it_is(root):
    reply = root.get("/api/users?page=2&pageSize=7&status=active&search=")
    data, total = reply.json["data"], User.select().where(User.status == "active").count()
    assert list(data) == ["items", "total", "page", "pageSize", "totalPages"]
    assert (data["total"], data["page"], data["pageSize"], data["totalPages"]) == (total, 2, 7, -(-total // 7))
    assert reply.headers["X-Total-Count"] == str(total)
    links = dict(re.findall(r'<([^>]+)>; rel="(\w+)"', reply.headers["Link"]))
    assert {rel: int(url.rpartition("=")[2]) for url, rel in links.items()}["next"] == 3
    assert all(url.startswith("/api/users?pageSize=7&status=active&search=&page=") for url in links)


def test_pages_hold_every_row_once_whatever_the_sort(root):
    for sort in (sign + name for name in ("id", *User.SORTS) for sign in ("", "-")):
        pages = [root.get(f"/api/users?page={page}&pageSize=9&sort={sort}").json["data"] for page in (1, 2, 3, 4)]
        seen = [row["id"] for page in pages for row in page["items"]]
        assert sorted(seen) == list(range(1, 31)), sort
        assert seen == [row["id"] for row in root.get(f"/api/users?pageSize=30&sort={sort}").json["data"]["items"]]


def test_a_query_that_is_not_percent_encoded_is_so_in_the_links(root):
    reply = root.get("/api/users", environ_overrides={"QUERY_STRING": "search=王".encode().decode("latin-1")})
    assert reply.json["data"]["items"][0]["name"].startswith("王")
    assert "</api/users?search=%E7%8E%8B&page=1>" in reply.headers["Link"]


def test_a_page_past_the_end_is_empty_and_keeps_the_total(root):
    reply = root.get("/api/users?page=99")
    assert reply.json["data"]["items"] == [] and reply.json["data"]["total"] == 30
    assert 'rel="next"' not in reply.headers["Link"]
    nothing = root.get("/api/users?search=zzz").json["data"]
    assert nothing["totalPages"] == 0 and nothing["items"] == []


@pytest.mark.parametrize("bad_id", ["0", "-1", "1e3", "２", "٣", "2147483648", "9" * 30, "1.0", "x"])
def test_what_is_no_id_is_no_such_row(root, bad_id):
    reply = root.get(f"/api/tasks/{bad_id}")
    assert reply.status_code == 404 and reply.json["error"]["code"] == "NOT_FOUND"


# --- Headers, languages, browsers ------------------------------------------------------------------------------------


def test_every_reply_carries_the_headers_of_the_contract(app):
    http = app.test_client()
    for path, status in (("/api/users", 401), ("/api/nothing", 404), ("/health", 200), ("/docs", 200)):
        headers = http.get(path, headers={"X-Request-ID": "abc.1"}).headers
        assert (headers["X-Request-ID"], headers["X-Content-Type-Options"]) == ("abc.1", "nosniff"), (path, status)
        assert headers["Referrer-Policy"] == "no-referrer"
        if path.startswith("/api"):
            assert headers["Cache-Control"] == "no-store"
            assert headers["Vary"] == "Authorization, Accept-Language, Origin"


@pytest.mark.parametrize("sent", ["a b", "x" * 65, "a\u00e9", ""])
def test_a_strange_request_id_is_replaced(app, sent):
    got = app.test_client().get("/health", headers={"X-Request-ID": sent}).headers["X-Request-ID"]
    assert re.fullmatch("[0-9a-f]{16}", got)


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "zh"),
        ("en", "en"),
        ("en-US,en;q=0.9,zh;q=0.8", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("fr", "zh"),
        ("*", "zh"),
    ],
)
def test_the_language_follows_accept_language(root, accepted, language):
    reply = root.get("/api/tasks/999", headers={"Accept-Language": accepted})
    assert reply.headers["Content-Language"] == language
    assert reply.json["message"] == {"zh": "资源不存在", "en": "Not found"}[language]


def test_a_message_tells_a_route_that_is_not_there_from_a_row(root):
    english = {"Accept-Language": "en"}
    messages = [root.get(path, headers=english).json["message"] for path in ("/api/tasks/999", "/api/task/999")]
    assert messages == ["Not found", "No route matches this path"]
    assert root.get("/api/task/999").json["message"] == "没有接口与此路径匹配"


def test_an_error_has_the_shape_of_the_contract(root):
    body = root.post("/api/auth/register", {"email": "no", "password": "123456"}).json
    assert list(body) == ["success", "error", "message"] and body["message"] == body["error"]["message"]
    assert list(body["error"]) == ["code", "message", "details", "requestId"]
    assert body["error"]["details"] == [{"field": "email", "code": "invalid_email", "message": "邮箱格式不正确"}]


def test_a_wrong_method_is_405_with_allow_and_a_slash_is_no_redirect(root):
    reply = root.delete("/api/auth/login")
    assert reply.status_code == 405 and "POST" in reply.headers["Allow"]
    assert reply.json["error"]["code"] == "METHOD_NOT_ALLOWED"
    assert root.get("/api/users/").status_code == root.get("/api/users/4/").status_code == 200


def test_two_slashes_are_one_without_a_redirect_which_a_preflight_may_not_follow(app, root):
    assert root.get("/api//users/4").json["data"]["id"] == 4
    asked = {"Origin": "http://localhost:3000", "Access-Control-Request-Method": "GET"}
    assert app.test_client().options("/api//users", headers=asked).status_code == 200


@pytest.mark.parametrize("resource", ["documents", "files", "users"])
def test_a_batch_costs_as_many_statements_whatever_its_size(root, resource):
    replies = [root.post(f"/api/{resource}/batch-delete", {"ids": ids}) for ids in ([20, 21], [22, 23, 24, 25, 26])]
    assert [reply.json["data"] for reply in replies] == [{"deleted": 2}, {"deleted": 5}]
    few, more = (int(re.search(r'"(\d+) queries"', reply.headers["Server-Timing"])[1]) for reply in replies)
    assert 0 < few == more


def test_a_bug_is_a_500_that_tells_nothing(app, root, monkeypatch, caplog):
    monkeypatch.setattr("database.compiled.one", lambda *args: 1 / 0)
    reply = root.get("/api/tasks/1")
    assert reply.status_code == 500 and reply.json["error"]["code"] == "INTERNAL_ERROR"
    assert b"ZeroDivision" not in reply.data and "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("post", "/api/tasks", {"title": "x"}),
        ("put", "/api/tasks/1", {"title": "x"}),
        ("post", "/api/users", {"email": "new@example.com", "password": "123456"}),
        ("put", "/api/users/20", {"name": "x", "password": "123456"}),
        ("post", "/api/files/upload", None),
        ("post", "/api/auth/register", {"email": "new@example.com", "password": "123456"}),
        ("post", "/api/auth/login", {"email": "admin@example.com", "password": "123456"}),
        ("post", "/api/auth/change-password", {"currentPassword": "123456", "newPassword": "1234567"}),
        ("post", "/api/demo/login", {"email": "admin@example.com"}),
    ],
)
def test_what_cannot_be_shown_is_not_stored(root, monkeypatch, method, path, body):
    def stored():
        kept = [model for model in base.tables() if model is not FailedAttempt]  # a login that began counts
        return {model: sorted(map(repr, model.select().tuples())) for model in kept}

    before = stored()
    monkeypatch.setattr(Schema, "dump", lambda *args, **kwargs: 1 / 0)
    data = {"data": {"file": (io.BytesIO(b"x"), "x.txt")}} if body is None else {"json": body}
    assert getattr(root, method)(path, **data).status_code == 500
    assert stored() == before


def test_a_view_that_opens_its_own_transaction_answers_within_it(app):
    blp = Blueprint("gadgets", __name__)

    @blp.route("/gadgets", methods=["POST"])
    @blp.public
    @blp.response(201, Schema(), write=False)
    def create_gadget():
        return {}

    with app.test_request_context(method="POST"), pytest.raises(TypeError, match="create_gadget"):
        create_gadget()


ORIGIN = "http://localhost:3000"


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("http://localhost:5173", True),
        ("http://127.0.0.1:8080", True),
        ("http://[::1]:3000", True),
        ("https://app.localhost", True),
        ("http://localhost.evil.com", False),
        ("http://evil.com/http://localhost:3000", False),
        ("http://evil-localhost:3000", False),
        ("http://192.168.0.7:3000", False),
        ("null", False),
    ],
)
def test_only_loopback_origins_are_allowed_in_development(app, origin, allowed):
    headers = app.test_client().get("/health", headers={"Origin": origin}).headers
    assert headers.get("Access-Control-Allow-Origin") == (origin if allowed else None)
    assert headers.get("Access-Control-Allow-Credentials") == ("true" if allowed else None)


def test_production_allows_the_configured_origins_only(make_app):
    app = make_app(NODE_ENV="production", JWT_SECRET="x" * 32, CORS_ORIGINS='["https://admin.example.com"]')
    for origin, allowed in (("https://admin.example.com", True), (ORIGIN, False), ("https://adminxexample.com", False)):
        reply = app.test_client().get("/health", headers={"Origin": origin})
        assert (reply.headers.get("Access-Control-Allow-Origin") == origin) is allowed


def test_a_preflight_is_answered_without_a_login(app):
    asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "PATCH"}
    asked["Access-Control-Request-Headers"] = "authorization, content-type, x-demo-delay"
    reply = app.test_client().options("/api/users/1", headers=asked)
    assert reply.status_code == 200 and reply.headers["Access-Control-Max-Age"] == "600"
    assert "PATCH" in reply.headers["Access-Control-Allow-Methods"]
    assert "x-demo-delay" in reply.headers["Access-Control-Allow-Headers"].lower()


def test_a_preflight_of_an_unknown_route_lets_the_browser_see_the_404(app):
    http, asked = app.test_client(), {"Access-Control-Request-Method": "POST"}
    reply = http.options("/api/nothing", headers={"Origin": ORIGIN, **asked})
    assert (reply.status_code, reply.data) == (204, b"") and "Content-Length" not in reply.headers
    assert reply.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert http.options("/api/nothing", headers={"Origin": "https://evil.example", **asked}).status_code == 404


def test_errors_of_every_origin_carry_cors_headers(app):
    http = app.test_client()
    for path, options in (
        ("/api/nothing", {}),
        ("/api/users", {}),
        ("/api/tasks", {"method": "POST", "data": b"x" * 3_000_000}),
    ):
        assert http.open(path, headers={"Origin": ORIGIN}, **options).headers["Access-Control-Allow-Origin"] == ORIGIN


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("a.localhost:8000", 200),
        ("127.0.0.1:8000", 200),
        ("[::1]:8000", 200),
        ("evil.example", 403),
    ],
)
def test_a_host_name_that_only_leads_here_is_refused(app, host, status):
    reply = app.test_client().get("/health", headers={"Host": host})
    assert reply.status_code == status
    if status == 403:
        assert "ALLOWED_HOSTS" in reply.json["message"] and host in reply.json["message"]


def test_a_host_that_is_no_name_is_refused_in_the_language_of_its_caller(app):
    reply = app.test_client().get("/health", headers={"Host": "a b"})
    assert reply.status_code == 403 and reply.json["message"].startswith("拒绝访问主机 ?")


def test_allowed_hosts_are_the_only_ones_in_production(make_app):
    app = make_app(NODE_ENV="production", JWT_SECRET="x" * 32, ALLOWED_HOSTS="api.example.com")
    hosts = {"api.example.com": 200, "API.example.com:443": 200, "localhost": 403}
    for host, status in hosts.items():
        assert app.test_client().get("/health", headers={"Host": host}).status_code == status


# --- Speed that must not change what is answered ---------------------------------------------------------------------


def lists(app):
    """The path of every route that answers a collection or a chart."""
    return [
        rule.rule
        for rule, view in views(app)
        if "GET" in rule.methods and hasattr(view, "permissions") and "<" not in rule.rule
    ]


def test_rows_are_dumped_as_marshmallow_does(app, root, monkeypatch):
    def everything():
        return {path: root.get(f"{path}?pageSize=100").json for path in lists(app)}

    fast = everything()
    monkeypatch.setattr(Schema, "dump", ma.Schema.dump)
    assert fast == everything()


def test_a_list_makes_as_many_queries_for_a_hundred_rows_as_for_one(app, root, monkeypatch):
    run, count = engines.db.obj.execute_sql, [0]

    def counted(*args, **kwargs):
        count[0] += 1
        return run(*args, **kwargs)

    monkeypatch.setattr(engines.db.obj, "execute_sql", counted)
    for path in lists(app):
        needed = []
        for size in (1, 1, 100):  # the first may compile, or remember something
            count[0] = 0
            assert root.get(f"{path}?pageSize={size}").status_code == 200, path
            needed.append(count[0])
        assert 0 < needed[2] <= needed[1] <= 6, (path, needed)


def test_the_changelog_has_unreleased_on_top():
    lines = (ROOT / "CHANGELOG.md").read_text("utf-8").splitlines()
    assert next(line for line in lines if line.startswith("## ")) == "## Unreleased"
