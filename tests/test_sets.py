"""The sets of demo rows: their texts, how one is chosen, and that the same moment gives the same rows."""

from datetime import UTC, datetime, timedelta
from itertools import groupby

import pytest

import seed
from database import base, engines
from database.base import Setting
from models import Activity, Conversation, Document, File, Folder, Message, Notification, Order, Role, User, Visit
from seeds.written import read, written
from tests.conftest import ACCOUNTS
from tests.servers import run
from web.config import SETS

#: For what is the same whatever the database.
ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def keys(node, path=""):
    """The path to every text of a file."""
    if isinstance(node, dict):
        return [found for key, inner in node.items() for found in keys(inner, f"{path}.{key}")]
    if isinstance(node, list):
        return [f"{path}[{number}]" for number in range(len(node))]
    return [f"{path}: {len(node.splitlines())} lines"]


def test_the_texts_have_the_same_keys_and_as_many_lines_in_every_language():
    assert sorted(keys(read("zh"))) == sorted(keys(read("en")))


def test_every_row_has_a_text_in_every_language():
    private = [talk["key"] for talk in read("rows")["conversations"] if len(talk.get("members", ())) == 2]
    for language in ("zh", "en"):
        for kind, rows in read("rows").items():
            lack = {row["key"] for row in rows} - set(read(language)[kind])
            assert lack == set(private if kind == "conversations" else ()), (language, kind)


def everything():
    """Every row of every table but the settings."""
    return {
        model.__name__: sorted(map(repr, model.select().tuples())) for model in base.tables() if model is not Setting
    }


@pytest.mark.parametrize("name", SETS)
def test_the_same_moment_gives_the_same_rows(app, monkeypatch, name):
    # Just after midnight, on the first of a month: the hour at which most of what was counted back goes wrong.
    moment = datetime(2027, 2, 28, 16, 4, tzinfo=UTC)
    monkeypatch.setattr(engines, "now", lambda: moment)
    seed.reset(name)
    before = everything()
    seed.grow(User, 60)
    seed.reset(name)
    assert everything() == before


def test_every_resource_has_demo_rows(app):
    models = [model for model in base.tables() if getattr(model, "RESOURCE", "")]
    assert len(models) > 8 and [model.__name__ for model in models if not model.select().exists()] == []


@pytest.mark.parametrize("hour", [0, 9, 23])
def test_nothing_has_happened_in_the_future_and_tonight_is_tonight(app, monkeypatch, hour):
    midnight = datetime(2027, 2, 28, 16, 0, tzinfo=UTC)
    moment = midnight + timedelta(hours=hour, minutes=2)
    monkeypatch.setattr(engines, "now", lambda: moment)
    seed.reset()
    happened = (User, Document, File, Folder, Message, Notification, Order, Activity, Conversation)
    for column in (Visit.at, User.last_login_at, Document.updated_at, *(model.created_at for model in happened)):
        assert max(value for (value,) in column.model.select(column).tuples() if value) <= moment, column
    (tonight,) = {row.created_at for row in Notification.select() if row.title == "今晚系统维护"}
    assert midnight <= tonight <= moment
    newest = max(row.created_at for row in Notification.select().where(Notification.user == 1))
    assert moment - newest < timedelta(hours=1)


def test_talks_alternate_say_nothing_twice_and_nobody_has_unread_what_they_answered(account):
    for email in ("admin@example.com", "demo@halolight.h7ml.cn"):
        inbox = account(email).get("/api/messages?box=inbox&pageSize=100").json["data"]["items"]
        assert len({row["content"] for row in inbox}) == len(inbox) > 20
        assert max(len(list(run)) for _, run in groupby(row["senderId"] for row in inbox)) <= 3
    for talk in account("admin@example.com").get("/api/conversations").json["data"]["items"]:
        assert talk["unreadCount"] == 0 or talk["lastMessage"]["senderId"] != 1


@pytest.mark.parametrize(("name", "person", "role"), [("zh", "王小明", "普通用户"), ("en", "Daniel Moore", "User")])
def test_the_rows_of_a_set_speak_its_language(app, account, name, person, role):
    demo, http = account("demo@halolight.h7ml.cn"), app.test_client()
    assert http.post("/api/demo/reset", json={"set": name}).json["data"] == {"set": name}
    assert seed.set_in_use() == name
    me = demo.get("/api/auth/me").json["data"]  # who was logged in still is
    assert (me["name"], me["roleLabel"]) == (person, role)
    texts = [row.title for row in Document.select()] + [row.content for row in Message.select()]
    texts += [row.title + row.content for row in Notification.select()] + [row.name for row in File.select()]
    chinese = [text for text in texts if any("\u4e00" <= letter <= "\u9fff" for letter in text)]
    assert not chinese if name == "en" else len(chinese) > 0.95 * len(texts)
    titles = account("demo@halolight.h7ml.cn").get("/api/notifications").json["data"]["items"]
    assert {row["title"].isascii() for row in titles} == {name == "en"}  # whatever the language of who asks
    seed.grow(User, 40)
    assert [user.name.isascii() for user in User.select().order_by(User.id)][30:] == [name == "en"] * 10


def test_an_empty_set_has_accounts_and_roles_and_nothing_else(app, log_in):
    seed.reset("empty")
    full = {model.__name__ for model in base.tables() if model.select().exists()}
    assert full == {"Setting", "Role", "User"} and Role.select().count() == 5
    assert {account["email"] for account in seed.accounts() if account["password"]} == set(ACCOUNTS)
    assert User.select().count() == len(ACCOUNTS)
    root = log_in(User.get(User.email == "admin@example.com"))
    for path in ("documents", "files", "conversations", "calendar/events", "tasks", "dashboard/activities"):
        assert root.get(f"/api/{path}").json["data"]["total"] == 0
    assert root.get("/api/dashboard/stats").json["data"]["conversionRate"] == 0
    seed.grow(Document, 10)
    assert Document.select().count() == 10


def test_a_reset_without_a_set_stays_with_the_one_in_use(app):
    http = app.test_client()
    http.post("/api/demo/reset", json={"set": "en"})
    assert http.post("/api/demo/reset").json["data"] == {"set": "en"} and User.get_by_id(5).name == "Guest"


def test_an_unknown_set_is_refused_and_the_choices_are_named(app):
    reply = app.test_client().post("/api/demo/reset", json={"set": "fr"}, headers={"Accept-Language": "en"})
    detail = reply.json["error"]["details"][0]
    assert reply.status_code == 400 and detail["field"] == "set" and all(name in detail["message"] for name in SETS)


@ONE_DATABASE
def test_the_command_line_refuses_an_unknown_set_and_changes_one_only_with_reset(database_url):
    code, _, errors = run("--reset", "--set", "fr", script="seed.py", DATABASE_URL=database_url)
    assert code == 2 and "--set" in errors and all(name in errors for name in SETS)
    code, _, errors = run("--set", "en", script="seed.py", DATABASE_URL=database_url)
    assert (code, errors) == (2, "seed: --set en: the database holds the set zh; add --reset to change it\n")
    code, output, _ = run("--reset", "--set", "en", script="seed.py", DATABASE_URL=database_url)
    assert (code, output) == (0, "The demo data (en) is as it was seeded.\n")


@ONE_DATABASE
def test_a_new_database_takes_the_set_of_the_configuration_and_the_start_names_it(serve, tmp_path):
    output = serve(DATABASE_URL=f"sqlite:///{tmp_path / 'new.db'}", SEED_SET="en").output
    assert [line for line in output if line.startswith("Demo data: en (")]


def test_a_session_of_somebody_who_is_not_in_the_new_set_ends(app, log_in, root):
    stranger, colleague = log_in(User.get_by_id(8)), root
    seed.reset("empty")
    assert colleague.get("/api/auth/me").status_code == 200 and stranger.get("/api/auth/me").status_code == 401
    seed.reset("zh")
    assert colleague.get("/api/auth/me").status_code == 200 and stranger.get("/api/auth/me").status_code == 401
    assert written("zh")["people"][7]["key"] == "lina"
