"""What happens before the first request: configuration, the command line, the database, the demo data, the end."""

import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import date, timedelta
from pathlib import Path

import pytest
from peewee import fn
from tzlocal import get_localzone
from werkzeug.security import check_password_hash

import halolight
import seed
from database import engines
from database.base import Setting
from database.engines import DatabaseRefused
from models import ConversationMember, Document, DocumentShare, Notification, RefreshToken, Role, Session, User
from seeds import dates, rules
from seeds.written import written
from tests.conftest import ACCOUNTS
from tests.servers import run
from web import passwords
from web.config import BadConfiguration, read

#: As a server has them; each test gets cheap ones (`conftest._cheap_hashes`).
REAL_HASH, REAL_METHOD = seed.HASHED, passwords.HASH_METHOD

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        *(("JWT_ACCESS_EXPIRES", value) for value in ("15", "0m", "-1m", "15 m", "1w", "9999999d", "15m;")),
        *(("PORT", value) for value in ("x", "-1", "65536", "8e3", "８０００")),
        ("NODE_ENV", "staging"),
        ("CORS_ORIGINS", "localhost:3000"),
        ("CORS_ORIGINS", '["*"]'),
        ("CORS_ORIGINS", "[1]"),
        ("TIMEZONE", "Mars/Olympus"),
        ("TIMEZONE", "../etc/passwd"),
        ("DATABASE_URL", "mysql://x/y"),
        ("DATABASE_URL", "sqlite://halolight.db"),
        ("DATABASE_URL", "sqlite:///:memory:"),
        ("DEFAULT_LANGUAGE", "fr"),
        ("THREADS", "0"),
        ("SEED_DEMO", "perhaps"),
        ("DEMO_CONTROLS", "yes"),
    ],
)
def test_a_bad_value_is_named_with_what_is_allowed(variable, value):
    with pytest.raises(BadConfiguration, match=f"^{variable}="):
        read(**{variable: value})


def test_a_secret_is_never_shown():
    for given in ({"JWT_SECRET": "short"}, {"DATABASE_URL": "mysql://me:hunter2@db/x"}):
        with pytest.raises(BadConfiguration) as refusal:
            read(**given)
        assert "***" in str(refusal.value) and next(iter(given.values())) not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30s", timedelta(seconds=30)),
        ("15m", timedelta(minutes=15)),
        ("12h", timedelta(hours=12)),
        ("7d", timedelta(7)),
    ],
)
def test_durations(text, expected):
    assert read(JWT_ACCESS_EXPIRES=text)["JWT_ACCESS_EXPIRES"] == expected


def test_origins_come_as_json_or_with_commas():
    expected = ("http://a.example", "https://b.example:8443")
    for text in ('["http://a.example", "https://B.example:8443/"]', "http://a.example/, https://b.example:8443"):
        assert read(CORS_ORIGINS=text)["CORS_ORIGINS"] == expected


@pytest.mark.parametrize(
    "scheme", ["postgres", "postgresql", "postgresql+psycopg", "postgresql+psycopg2", "postgresql+asyncpg"]
)
def test_postgres_urls_are_taken_in_all_their_spellings(scheme):
    assert read(DATABASE_URL=f"{scheme}://u:p%40@h/d")["DATABASE_URL"] == "postgresql://u:p%40@h/d"


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("PORT", 0, 0),
        ("SEED_DEMO", False, False),
        ("CORS_ORIGINS", ["http://A.example", "https://b.example"], ("http://a.example", "https://b.example")),
        ("CORS_ORIGINS", [], ()),
        ("ALLOWED_HOSTS", ("a.example",), ("a.example",)),
        ("JWT_ACCESS_EXPIRES", timedelta(minutes=5), timedelta(minutes=5)),
        ("TIMEZONE", None, get_localzone()),
    ],
)
def test_a_value_that_is_no_text_means_what_it_says(variable, value, expected):
    assert read(**{variable: value})[variable] == expected


@pytest.mark.parametrize(("variable", "value"), [("PORT", 70000), ("SEED_DEMO", 3), ("CORS_ORIGINS", [1])])
def test_a_value_that_is_no_text_is_checked_like_one(variable, value):
    with pytest.raises(BadConfiguration, match=f"^{variable}="):
        read(**{variable: value})


def test_an_application_is_made_with_values_in_place_of_texts(tmp_path):
    values = {"SEED_DEMO": False, "PORT": 0, "CORS_ORIGINS": ["http://a.example"]}
    app = halolight.create_app(DATABASE_URL=f"sqlite:///{tmp_path / 'x.db'}", **values)
    assert (app.config["PORT"], app.config["CORS_ORIGINS"]) == (0, ("http://a.example",))
    assert (User.select().count(), seed.seeded()) == (0, False)
    engines.db.close_all()


def test_the_database_and_the_file_of_variables_lie_beside_the_program():
    assert read()["DATABASE_URL"] == f"sqlite:///{ROOT / 'halolight.db'}"
    assert read(DATABASE_URL="sqlite:///./x.db")["DATABASE_URL"] == f"sqlite:///{ROOT / 'x.db'}"


def test_production_needs_a_secret():
    with pytest.raises(BadConfiguration, match="JWT_SECRET"):
        read(NODE_ENV="production")


def test_production_seeds_the_roles_and_nobody(tmp_path):
    url = f"sqlite:///{tmp_path / 'production.db'}"
    halolight.create_app(DATABASE_URL=url, NODE_ENV="production", JWT_SECRET="x" * 32)
    assert (Role.select().count(), User.select().count(), seed.seeded()) == (5, 0, False)
    with pytest.raises(seed.NotResettable):
        seed.reset()
    engines.db.close_all()
    production = {
        "DATABASE_URL": url,
        "NODE_ENV": "production",
        "JWT_SECRET": "x" * 32,
        "ADMIN_PASSWORD": "s3cret-pass",
    }
    assert run("--create-admin", "Boss@Example.com", **production)[:2] == (
        0,
        "boss@example.com is a super administrator\n",
    )
    code, _, errors = run("--create-admin", "boss@example.com", **production)
    assert (code, errors) == (2, "halolight: --create-admin: boss@example.com is taken\n")
    assert run("--create-admin", "x@example.com", **{**production, "ADMIN_PASSWORD": "123"})[2].startswith(
        "halolight: ADMIN_PASSWORD: "
    )


def test_a_foreign_database_is_refused_and_not_changed_by_a_byte(tmp_path):
    path = tmp_path / "foreign.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE precious (x)")
    connection.close()
    before = path.read_bytes()
    for options in ((), ("--reset",)):
        code, _, errors = run(*options, DATABASE_URL=f"sqlite:///{path}")
        assert code == 2 and errors.count("\n") == 1 and "another application" in errors
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_a_file_that_is_no_database_is_refused_in_one_line(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("x" * 5000)
    code, _, errors = run(DATABASE_URL=f"sqlite:///{path}")
    assert code == 2 and errors.count("\n") == 1 and "DATABASE_URL" in errors and path.read_text() == "x" * 5000


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ('ALTER TABLE "tasks" DROP COLUMN "progress"', "add column tasks.progress"),
        ('ALTER TABLE "tasks" ADD COLUMN "color" INTEGER', "drop column tasks.color"),
        ('DROP TABLE "document_readers"', "create table document_readers"),
        ('DROP INDEX "folders_root_name"', "add index folders.folders_root_name"),
        ('CREATE UNIQUE INDEX "mine" ON "tasks" ("title")', r"drop index tasks.mine \(title\) unique"),
        ("INSERT INTO migrations (id, name, applied) VALUES (99, '0099_later', '2026-11-24')", "0099_later"),
    ],
)
def test_a_database_that_differs_from_the_models_is_refused_with_what_to_do(make_app, change, named):
    make_app()
    with engines.write():
        engines.db.execute_sql(change)
    with pytest.raises(DatabaseRefused, match=f"{named}.*(run: python halolight.py --migrate|or restore a copy)$"):
        make_app()


def test_an_index_more_than_the_models_have_is_no_difference(make_app):
    make_app()
    with engines.write():
        engines.db.execute_sql('CREATE INDEX "mine" ON "tasks" ("description", "title")')
    make_app()


def test_a_database_that_differs_is_one_line_for_every_command(database_url):
    engines.connect(database_url)
    with engines.write():
        engines.db.execute_sql('ALTER TABLE "tasks" DROP COLUMN "progress"')
    engines.db.close_all()
    for script, *options in (["halolight.py"], ["halolight.py", "--reset"], ["seed.py", "--reset"]):
        code, output, errors = run(*options, script=script, DATABASE_URL=database_url)
        assert (code, output, errors.count("\n")) == (2, "", 1) and "tasks.progress" in errors, errors


@pytest.mark.parametrize(
    "url", ["sqlite:////nowhere/at/all/x.db", "postgresql://u:hunter2@127.0.0.1:1/x", "postgresql://u:hunter2@%%%/x"]
)
def test_a_database_that_cannot_be_opened_stops_the_start_in_one_line(url):
    code, _, errors = run(DATABASE_URL=url)
    assert code == 2 and errors.count("\n") == 1 and "DATABASE_URL" in errors and "hunter2" not in errors


def test_a_taken_port_is_one_line_that_says_how_to_choose_another(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, _, errors = run("--port", port, DATABASE_URL=f"sqlite:///{tmp_path / 'x.db'}")
    assert code == 2 and errors.count("\n") == 1 and f"PORT={port}" in errors and "--port" in errors


@pytest.mark.parametrize("host", ["no.such.host.invalid", "203.0.113.9"])
def test_an_address_that_is_not_this_machines_is_named_instead_of_the_port(tmp_path, host):
    code, _, errors = run("--port", "0", "--host", host, DATABASE_URL=f"sqlite:///{tmp_path / 'x.db'}")
    assert code == 2 and errors.count("\n") == 1
    assert f"HALOLIGHT_HOST={host}" in errors and "--host" in errors and "PORT=" not in errors


def test_help_names_the_options():
    named = {"halolight.py": ("--host", "--port", "--reset", "--create-admin"), "seed.py": ("--users", "--documents")}
    for script, options in named.items():
        told = subprocess.run([sys.executable, ROOT / script, "--help"], capture_output=True, text=True, check=True)
        assert all(option in told.stdout for option in options)


def test_a_start_prints_accounts_and_where_it_listens(serve):
    server = serve()
    assert any("admin@example.com" in line for line in server.output) and "/docs" in server.output[-2]
    hosts = ["127.0.0.1", "[::1]"] if has_ipv6_loopback() else ["127.0.0.1"]
    for host in hosts:
        with urllib.request.urlopen(server.url.replace("127.0.0.1", host) + "/health") as reply:
            assert reply.status == 200 and "Server" not in reply.headers


def has_ipv6_loopback():
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


def test_a_console_that_knows_no_chinese_is_no_reason_to_stop(serve):
    assert serve(PYTHONIOENCODING="ascii", LANG="C").url


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_end_waits_for_running_replies_and_leaves_one_file(serve, database_url, number):
    server = serve()
    address = ("127.0.0.1", int(server.url.rpartition(":")[2]))
    with ExitStack() as stack:
        running = [stack.enter_context(socket.create_connection(address, timeout=20)) for _ in range(6)]
        for connection in running:
            connection.sendall(b"GET /api/users?_delay=2500 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        time.sleep(1)  # by now the server has read them all
        server.process.send_signal(number)
        assert [connection.recv(15) for connection in running] == [b"HTTP/1.1 401 UN"] * 6
        assert server.process.wait(12) == 0
    if database_url.startswith("sqlite"):
        path = Path(database_url.removeprefix("sqlite:///"))
        assert [p.name for p in path.parent.glob("test.db*")] == ["test.db"]


def test_two_first_starts_at_once_make_one_database(tmp_path):
    url = f"sqlite:///{tmp_path / 'new.db'}"
    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(lambda _: run(script="seed.py", DATABASE_URL=url), range(3)))
    assert [code for code, _, _ in results] == [0, 0, 0], results
    engines.connect(url)
    assert User.select().count() == 30 and Setting.select().where(Setting.key == "secret").count() == 1
    engines.db.close_all()


def test_a_server_stops_at_sigint_also_where_its_shell_ignores_it(serve):
    server = serve(first="import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)")  # as from a shell's `&`
    server.process.send_signal(signal.SIGINT)
    assert server.process.wait(12) == 0


# --- Demo data -------------------------------------------------------------------------------------------------------


def test_the_accounts_of_the_contract_are_there(app):
    found = {user.email: (user.role.name, user.status) for user in User.select()}
    assert len(found) == 30
    for email, role in ACCOUNTS.items():
        assert found[email] == (role, "active")
    assert [role for role, _ in found.values()].count("super_admin") == 2
    assert {status for _, status in found.values()} == set(User.STATUSES)


def test_the_demo_password_has_the_hash_that_is_written_down():
    assert REAL_HASH.startswith(REAL_METHOD)
    assert check_password_hash(REAL_HASH, seed.PASSWORD)


def test_every_account_but_the_guest_has_an_unread_notification_and_a_conversation(app):
    unread = {row.user_id for row in Notification.select().where(~Notification.read)}
    talking = {row.user_id for row in ConversationMember.select()}
    accounts = {user.id for user in User.select() if ACCOUNTS.get(user.email, "guest") != "guest"}
    assert len(accounts) == 5 and accounts <= unread & talking


def seeded_people(**changes):
    return [{**person, **changes} if person["key"] == "lina" else person for person in written("zh")["people"]]


def test_a_role_that_the_seed_does_not_have_is_named(app, monkeypatch):
    monkeypatch.setitem(written("zh"), "people", seeded_people(role="reviewer"))
    with pytest.raises(ValueError, match="reviewer"):
        seed.reset()


def test_a_member_whom_the_seed_does_not_have_is_named(app, monkeypatch):
    monkeypatch.setitem(written("zh"), "teams", [{"key": "x", "name": "x", "description": "", "members": ["nobody"]}])
    with pytest.raises(ValueError, match="nobody"):
        seed.reset()


@pytest.mark.parametrize("grant", ["*:view", "documents:", ":view", "documents", "Documents:view", "documents:view\n"])
def test_a_grant_of_another_shape_is_refused_in_the_seed(app, monkeypatch, grant):
    role = {"key": "reviewer", "permissions": ["tasks:view", grant]}
    monkeypatch.setitem(written("zh"), "roles", [*written("zh")["roles"], role])
    with pytest.raises(ValueError, match=re.escape(repr(grant))):
        seed.reset()


def test_a_role_and_an_account_are_added_by_a_line_each(app, monkeypatch):
    role = {"key": "reviewer", "label": "审阅者", "permissions": ["tasks:view", "dashboard:view"]}
    person = {"key": "reviewer", "email": "reviewer@example.com", "role": "reviewer", "name": "孙悦"}
    monkeypatch.setitem(written("zh"), "roles", [*written("zh")["roles"], role])
    monkeypatch.setitem(written("zh"), "people", [*written("zh")["people"], person])
    seed.reset()
    assert User.get(User.email == "reviewer@example.com").role.name == "reviewer"
    assert seed.accounts()[-1]["role_label"] == "审阅者"
    client = app.test_client()
    login = {"email": "reviewer@example.com", "password": "123456"}
    headers = {"Authorization": f"Bearer {client.post('/api/auth/login', json=login).json['accessToken']}"}
    for widget in ("calendar", "tasks"):
        assert client.get(f"/api/dashboard/{widget}", headers=headers).json["data"], widget


def test_the_start_names_the_accounts_that_are_there_with_their_roles(make_app, serve):
    make_app()
    User.update(role=Role.get(Role.name == "guest")).where(User.email == "demo@halolight.h7ml.cn").execute()
    User.update(password_hash="x").where(User.email == "manager@halolight.h7ml.cn").execute()
    User.update(status="suspended").where(User.email == "guest@halolight.h7ml.cn").execute()
    User.delete().where(User.email == "admin@halolight.h7ml.cn").execute()
    told = [line.split() for line in serve().output if "@" in line]
    expected = [["admin@example.com", "super_admin"], ["demo@halolight.h7ml.cn", "guest"]]
    assert told == [*expected, ["auditor@halolight.h7ml.cn", "auditor"]]


def test_a_reset_brings_the_rows_back_and_keeps_seeded_sessions_and_ids(root, demo, client_with):
    stranger, before = client_with("*"), root.get("/api/users?pageSize=100").json["data"]["items"]
    root.delete("/api/users/20")
    root.put("/api/users/4", {"name": "改"})
    seed.reset()
    rows = root.get("/api/users?pageSize=100").json["data"]["items"]
    assert [{**row, "lastLoginAt": 0} for row in rows] == [
        {**row, "lastLoginAt": 0} for row in before if row["id"] <= 30
    ]
    assert demo.get("/api/auth/me").status_code == 200 and stranger.get("/api/auth/me").status_code == 401
    made = root.post("/api/users", {"email": "after@example.com"}).json["data"]
    assert made["id"] > stranger.id


def test_a_reset_that_fails_changes_nothing(root, monkeypatch):
    User.update(name="改").where(User.id == 4).execute()
    monkeypatch.setattr(rules, "users", lambda rows: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        seed.reset()
    assert User.get_by_id(4).name == "改" and root.get("/api/auth/me").status_code == 200


def test_refresh_tokens_of_seeded_sessions_survive_a_reset(app, demo):
    tokens = list(RefreshToken.select().join(Session).where(Session.user == demo.id).dicts())
    seed.reset()
    assert list(RefreshToken.select().dicts()) == tokens
    body = {"refreshToken": demo.tokens["refresh_token"]}
    assert app.test_client().post("/api/auth/refresh", json=body).status_code == 200


def test_plain_seed_changes_nothing_in_a_filled_database(database_url):
    assert run(script="seed.py", DATABASE_URL=database_url)[:2] == (0, "The demo data (zh) is there (0 days old).\n")
    code, output, _ = run("--reset", script="seed.py", DATABASE_URL=database_url)
    assert (code, output) == (0, "The demo data (zh) is as it was seeded.\n")


def test_users_and_documents_are_added_until_there_are_so_many(database_url, make_app, log_in):
    code, output, _ = run(
        "--reset", "--users", "150", "--documents", "250", script="seed.py", DATABASE_URL=database_url
    )
    assert (code, output.splitlines()[1:]) == (0, ["120 users", "220 documents"])
    make_app()
    root = log_in(User.get(User.email == "admin@example.com"))
    totals = {noun: root.get(f"/api/{noun}?pageSize=100").json["data"]["total"] for noun in ("users", "documents")}
    assert totals == {"users": 150, "documents": 250}
    for query in (
        "users?status=suspended",
        "users?role=guest",
        "documents?type=code&tags=技术",
        "users?search=user0000099",
    ):
        assert root.get(f"/api/{query}").json["data"]["total"] > 0, query
    last = root.get(f"/api/documents/{Document.select(fn.MAX(Document.id)).scalar()}").json["data"]
    assert last["size"] == len(last["content"].encode()) and last["author"]["name"] in last["content"]
    assert root.post("/api/users", {"email": "after@example.com"}).status_code == 201
    seed.reset()
    assert (User.select().count(), Document.select().count()) == (30, 30)


def test_added_rows_are_the_same_wherever_the_same_was_there_before(app, monkeypatch):
    def grown():
        seed.grow(User, 90)
        seed.grow(Document, 400)
        shares = DocumentShare.select(Document.content, User.email).join(Document).switch().join(User)
        users = User.select(User.email, User.name, User.status, User.role, User.department)
        documents = Document.select(Document.type, User.email, Document.size, Document.created_at).join(User)
        return [sorted(rows.tuples()) for rows in (users, documents, shares)]

    monkeypatch.setattr(seed, "CHUNK", 50)
    before = grown()
    seed.reset()
    assert grown() == before and len(before[2]) > 100
    assert not DocumentShare.select().join(Document).where(Document.author == DocumentShare.user).exists()


def test_adding_goes_on_where_rows_were_deleted(app):
    seed.grow(User, 40)
    User.delete().where(User.id << (5, 35)).execute()
    seed.grow(User, 41)
    assert User.select().count() == 41


def test_documents_are_added_also_where_all_were_deleted(app):
    Document.delete().execute()
    seed.grow(Document, 20)
    assert Document.select().count() == 20
    assert DocumentShare.select().join(Document).exists()


def test_nothing_is_added_where_there_is_enough(database_url):
    code, output, _ = run("--users", "30", "--documents", "0", script="seed.py", DATABASE_URL=database_url)
    there = ["There are 30 users: nothing to add for 30.", "There are 30 documents: nothing to add for 0."]
    assert (code, output.splitlines()[1:]) == (0, there)
    code, _, errors = run("--users", "-1", script="seed.py", DATABASE_URL=database_url)
    assert code == 2 and "--users" in errors


def test_old_demo_data_is_told_at_the_start(make_app, serve):
    make_app()
    Setting.keep("seeded", (date.fromisoformat(Setting.read("seeded")) - timedelta(days=3)).isoformat())
    assert "The demo data is 3 days old; --reset renews it." in serve().output


def test_demo_data_seeded_where_it_is_tomorrow_is_not_old(app):
    Setting.keep("seeded", (dates.today() + timedelta(days=1)).isoformat())
    assert seed.age_in_days() == 0
