"""Races between two processes on one database: what only one may win is won once, in every round.

A few rounds each; with --thorough forty, or ten on SQLite, which has one writer.
"""

import itertools
import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from typing import NamedTuple

import psycopg
import pytest

import seed
from database import base, engines
from database.base import Setting, insert_rows
from models import (
    DocumentReader,
    Folder,
    Notification,
    Order,
    RefreshToken,
    Role,
    Session,
    Task,
    Team,
    TeamMember,
    User,
    Visit,
)
from tests.conftest import TIMEZONE
from tests.databases import HASH_METHOD
from tests.servers import Several, at_once, run, started, statuses, upload
from web import limits, passwords
from web.config import VARIABLES

pytestmark = pytest.mark.thorough

CROWD = 8
PASSWORD = "secret-123"
#: Failed logins a minute.
GUESSES = 4
#: Run before both processes: hashes that cost nothing.
CHEAP = f"""
from web import passwords
passwords.HASH_METHOD, passwords.NOBODY = {HASH_METHOD!r}, passwords.generate_password_hash("", {HASH_METHOD!r})"""
#: For names that nobody had before.
NUMBERS = itertools.count(1)


class Person(NamedTuple):
    """Somebody who is logged in."""

    id: int
    email: str
    token: str
    refresh_token: str


class Racers(Several):
    """Two processes on one database, and what is done in them."""

    url = ""

    def race(self, *requests):
        """The replies to requests that are all sent at once, each to the next process."""
        return at_once([partial(self.call, *request) for request in requests])

    def made(self, path, body, token):
        """The id of a new row."""
        status, reply = self.call("POST", path, body, token)
        assert status == 201, reply
        return reply["data"]["id"]

    def enter(self, email):
        reply = self.call("POST", "/api/demo/login", {"email": email})[1]
        return Person(reply["user"]["id"], email, reply["accessToken"], reply["refreshToken"])

    def newcomer(self, role="user"):
        email, hashed = f"new{next(NUMBERS)}@example.com", passwords.make_hash(PASSWORD)
        with engines.write():
            User.register(email=email, role=Role.get(Role.name == role), password_hash=hashed)
        return self.enter(email)


def won(replies, first, others):
    """One reply has the status `first`, and all others have `others`; the winner's data."""
    assert statuses(replies) == {first: 1, others: len(replies) - 1}, replies
    return next(body.get("data") for status, body in replies if status == first)


def made_once(url):
    """Whether a database has the rows of one seed, and one secret."""
    engines.connect(url)
    try:
        return (User.select().count(), Setting.select().where(Setting.key == "secret").count()) == (30, 1)
    finally:
        engines.db.close_all()


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def new_database(request, tmp_path_factory):
    """A function to the URL of a new empty database."""
    if request.param == "sqlite":
        folder = tmp_path_factory.mktemp("races")
        yield lambda: f"sqlite:///{folder}/{next(NUMBERS)}.db"
        return
    url, names = request.getfixturevalue("postgres"), []
    with psycopg.connect(url("postgres"), autocommit=True) as connection:

        def create():
            names.append(f"races_{os.getpid()}_{next(NUMBERS)}")
            connection.execute(f"CREATE DATABASE {names[-1]}")
            return url(names[-1])

        yield create
        for name in names:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def racers(new_database, tmp_path_factory):
    folder, url = tmp_path_factory.mktemp("processes"), new_database()
    chosen = {"DATABASE_URL": url, "LOG_LEVEL": "ERROR", "STORAGE_QUOTA_MB": "1", "LOGIN_RATE_LIMIT": str(GUESSES)}
    with pytest.MonkeyPatch.context() as patch:
        for variable in VARIABLES:
            patch.delenv(variable, raising=False)
        with ThreadPoolExecutor() as pool:  # both make and seed the empty database
            start = partial(started, folder, first=CHEAP, TIMEZONE=TIMEZONE, **chosen)
            servers = list(pool.map(start, range(2)))
    assert made_once(url)
    racing = Racers(*servers)
    racing.url = url
    yield racing
    for server in servers:
        server.stop()
    assert [server.log.read_text() for server in servers] == ["", ""]


@pytest.fixture
def processes(racers):
    """Both processes, and the models of the tests on the same database."""
    engines.connect(racers.url)
    yield racers
    engines.db.close_all()


@pytest.fixture
def root(processes):
    return processes.enter("admin@example.com").token


@pytest.fixture
def second(processes):
    """Another super administrator."""
    return processes.enter("admin@halolight.h7ml.cn").token


@pytest.fixture
def rounds(request, amount):
    """A function to the numbers of a few rounds, or with --thorough of forty (ten on SQLite, which has one writer)."""
    many = 10 if request.node.callspec.params["new_database"] == "sqlite" else 40
    return lambda few=3: itertools.islice(NUMBERS, amount(few, many))


# --- Names that nobody else may have ---------------------------------------------------------------------------------


def test_one_email_is_registered_once(processes, rounds):
    for turn in rounds():
        person = {"email": f"same{turn}@example.com", "password": PASSWORD}
        bodies = [{**person, "username": f"same{turn}-{number}"} for number in range(CROWD)]
        replies = processes.race(*(("POST", "/api/auth/register", body) for body in bodies))
        won(replies, 201, 409)
        named = [body["error"]["details"][0]["field"] for status, body in replies if status == 409]
        assert named == ["email"] * (CROWD - 1)


def test_one_username_is_registered_once_in_any_case(processes, rounds):
    for turn in rounds():
        names = [name + str(turn) for name in ("somebody", "Somebody", "SOMEBODY", "somebodY")]
        bodies = [{"email": f"{n}at{turn}@x.example", "username": name} for n, name in enumerate(names)]
        won(processes.race(*(("POST", "/api/auth/register", {**b, "password": PASSWORD}) for b in bodies)), 201, 409)


def test_usernames_that_are_made_of_equal_emails_differ(processes, rounds):
    for turn in rounds():
        emails = [f"equal{turn}@{domain}.example" for domain in "abcd"]
        bodies = [{"email": email, "password": PASSWORD} for email in emails]
        replies = processes.race(*(("POST", "/api/auth/register", body) for body in bodies))
        assert statuses(replies) == {201: 4}
        assert len({body["user"]["username"] for _, body in replies}) == 4


@pytest.mark.parametrize(
    ("path", "field", "name"),
    [("users", "email", "user{}@y.example"), ("roles", "name", "role{}"), ("folders", "name", "文件夹{}")],
)
def test_one_name_is_given_to_one_row(processes, root, rounds, path, field, name):
    for turn in rounds():
        won(processes.race(*[("POST", f"/api/{path}", {field: name.format(turn)}, root)] * CROWD), 201, 409)


def test_one_email_is_given_to_one_of_two_users(processes, root, second, rounds):
    people = [processes.newcomer().id for _ in range(2)]
    for turn in rounds():
        pairs = zip(people, (root, second), strict=True)
        changes = [("PUT", f"/api/users/{id}", {"email": f"wanted{turn}@example.com"}, by) for id, by in pairs]
        won(processes.race(*changes), 200, 409)


def test_of_two_folders_that_get_one_name_in_one_place_one_gets_it(processes, root, second, rounds):
    for turn in rounds():
        place = processes.made("/api/folders", {"name": f"处{turn}"}, root)
        ids = [
            processes.made("/api/folders", {"name": f"{turn}{letter}", "parentId": place}, root) for letter in "甲乙"
        ]
        pairs = zip(ids, (root, second), strict=True)
        won(processes.race(*(("PUT", f"/api/folders/{id}", {"name": "丙"}, by) for id, by in pairs)), 200, 409)
        assert Folder.select().where(Folder.parent == place, Folder.name == "丙").count() == 1


def test_a_member_is_added_to_a_team_once(processes, root, second, rounds):
    team = processes.made("/api/teams", {"name": "队"}, root)
    for _ in rounds():
        body = {"userId": processes.newcomer().id}
        won(processes.race(*(("POST", f"/api/teams/{team}/members", body, by) for by in (root, second))), 201, 409)


@pytest.mark.parametrize(
    ("path", "body", "action", "field"),
    [
        ("documents", {"title": "文"}, "share", "userIds"),
        ("calendar/events", {"title": "会", "start": "2030-01-01", "end": "2030-01-01"}, "attendees", "attendeeIds"),
    ],
)
def test_who_is_told_by_two_at_once_is_told_once(processes, root, rounds, path, body, action, field):
    """By the owner and by who manages everybody's: they write beside each other."""
    owner, guest = processes.newcomer(), processes.newcomer()
    for _ in rounds():
        id = processes.made(f"/api/{path}", body, owner.token)
        requests = [("POST", f"/api/{path}/{id}/{action}", {field: [guest.id]}, by) for by in (owner.token, root)]
        assert {status for status, _ in processes.race(*requests)} <= {200, 201}
        told = Notification.select().where(Notification.user == guest.id, Notification.target_id == id)
        assert told.count() == 1


def test_two_who_write_to_each_other_have_one_conversation(processes, rounds):
    for _ in rounds():
        one, other = processes.newcomer(), processes.newcomer()
        pairs = [(one, other), (other, one)] * 2
        bodies = [(by.token, {"recipientId": to.id, "content": "喂"}) for by, to in pairs]
        replies = processes.race(*(("POST", "/api/messages", body, token) for token, body in bodies))
        assert statuses(replies) == {201: 4}
        assert len({body["data"]["conversationId"] for _, body in replies}) == 1


def test_a_reader_with_tabs_at_both_processes_counts_once(processes, root, rounds):
    for _ in rounds():
        document = processes.made("/api/documents", {"title": "文"}, root)
        assert statuses(processes.race(*[("GET", f"/api/documents/{document}", None, root)] * CROWD)) == {200: CROWD}
        assert DocumentReader.select().where(DocumentReader.document == document).count() == 1


# --- Deleted once ----------------------------------------------------------------------------------------------------

EVENT = {"title": "会", "start": "2030-01-01T10:00:00Z", "end": "2030-01-01T11:00:00Z"}
#: What its owner and a manager may both delete.
OWNED = {"tasks": {"title": "事"}, "documents": {"title": "文"}, "folders": {"name": "夹"}, "calendar/events": EVENT}


@pytest.mark.parametrize("path", OWNED)
def test_one_row_is_deleted_once(processes, root, rounds, path):
    owner = processes.newcomer().token
    for _ in rounds():
        row = f"/api/{path}/{processes.made(f'/api/{path}', OWNED[path], owner)}"
        won(processes.race(*[("DELETE", row, None, owner), ("DELETE", row, None, root)] * 4), 200, 404)


@pytest.mark.parametrize("path", ["teams", "roles", "users"])
def test_one_row_that_administrators_keep_is_deleted_once(processes, root, second, rounds, path):
    for turn in rounds():
        body = {"email": f"gone{turn}@example.com"} if path == "users" else {"name": f"gone{turn}"}
        row = f"/api/{path}/{processes.made(f'/api/{path}', body, root)}"
        won(processes.race(*(("DELETE", row, None, by) for by in (root, second))), 200, 404)


def test_of_two_batches_with_a_row_in_common_one_is_deleted(processes, root, second, rounds):
    for _ in rounds():
        ids = [processes.made("/api/documents", {"title": "文"}, root) for _ in range(3)]
        batches = [({"ids": ids[:2]}, root), ({"ids": ids[1:]}, second)]
        won(processes.race(*(("POST", "/api/documents/batch-delete", *each) for each in batches)), 200, 404)


def test_a_message_is_deleted_once(processes, root, rounds):
    sender, reader = processes.newcomer().token, processes.newcomer().id
    for _ in rounds():
        path = f"/api/messages/{processes.made('/api/messages', {'recipientId': reader, 'content': '喂'}, sender)}"
        won(processes.race(*(("DELETE", path, None, by) for by in (sender, root))), 200, 404)


def test_what_is_ones_own_is_ended_removed_or_left_once(processes, root, rounds):
    """A session, a notification, an invitation, a membership."""
    event = f"/api/calendar/events/{processes.made('/api/calendar/events', EVENT, root)}/attendees"
    team = f"/api/teams/{processes.made('/api/teams', {'name': '队'}, root)}/members"
    for _ in rounds():
        one = processes.newcomer()
        session = Session.get(Session.user == one.id).id
        token = processes.enter(one.email).token
        assert processes.call("POST", event, {"attendeeIds": [one.id]}, root)[0] == 201
        assert processes.call("POST", team, {"userId": one.id}, root)[0] == 201
        bell = Notification.get(Notification.user == one.id).id
        own = [f"/api/auth/sessions/{session}", f"/api/notifications/{bell}"]
        for path, by in [(path, token) for path in own] + [(f"{path}/{one.id}", root) for path in (event, team)]:
            won(processes.race(("DELETE", path, None, token), ("DELETE", path, None, by)), 200, 404)


def test_a_notification_is_read_once(processes, root, rounds):
    for _ in rounds():
        person, _, token, _ = processes.newcomer()
        with engines.write():
            insert_rows(Notification, [{"user": person, "title": "New message"}] * 5)
        bell = Notification.get(Notification.user == person).id
        replies = processes.race(*[("PUT", f"/api/notifications/{bell}/read", None, token)] * 4)
        assert len({body["data"]["readAt"] for _, body in replies}) == 1
        replies = processes.race(*[("PUT", "/api/notifications/read-all", None, token)] * 4)
        assert sorted(body["data"]["updated"] for _, body in replies) == [0, 0, 0, 4]


# --- Passwords and sessions ------------------------------------------------------------------------------------------


def links(processes, email, number):
    """The tokens of new reset links."""
    for _ in range(number):
        assert processes.call("POST", "/api/auth/forgot-password", {"email": email})[0] == 200
    mails = processes.call("GET", f"/api/demo/mails?pageSize={number}")[1]["data"]["items"]
    return [mail["link"].partition("token=")[2] for mail in mails]


def reset(token, password):
    return ("POST", "/api/auth/reset-password", {"token": token, "password": password})


def renewal(token):
    return ("POST", "/api/auth/refresh", {"refreshToken": token})


def change(token):
    body = {"currentPassword": PASSWORD, "newPassword": "changed-1"}
    return ("POST", "/api/auth/change-password", body, token)


@pytest.mark.parametrize("number", [1, 2])
def test_of_the_reset_links_of_an_account_one_sets_one_password(processes, rounds, number):
    for _ in rounds():
        one = processes.newcomer()
        tokens = links(processes, one.email, number) * 4
        replies = processes.race(*(reset(token, f"new-password-{turn}") for turn, token in enumerate(tokens)))
        won(replies, 200, 400)
        turn = [status for status, _ in replies].index(200)
        assert passwords.password_fits(User.get_by_id(one.id).password_hash, f"new-password-{turn}")


def test_a_password_is_changed_once_by_who_knows_the_old_one(processes, rounds):
    for _ in rounds():
        one = processes.newcomer()
        (link,) = links(processes, one.email, 1)
        replies = processes.race(change(one.token), change(one.token), change(one.token), reset(link, "reset-1"))
        assert statuses(replies)[200] == 1 and {status for status, _ in replies} <= {200, 400, 401}, replies
        password = "reset-1" if replies[3][0] == 200 else "changed-1"
        assert passwords.password_fits(User.get_by_id(one.id).password_hash, password)


def test_renewals_with_one_token_have_one_heir(processes, rounds):
    one = processes.newcomer()
    token, alive = one.refresh_token, RefreshToken.select().join(Session).where(Session.user == one.id)
    for _ in rounds():
        replies = processes.race(*[renewal(token)] * CROWD)
        assert statuses(replies) == {200: CROWD}
        heirs = {body["refreshToken"] for _, body in replies}
        assert len(heirs) == 1 and token not in heirs
        assert alive.where(RefreshToken.spent_at.is_null()).count() == 1
        token = heirs.pop()


def test_a_session_that_ends_while_it_is_renewed_has_no_heir(processes, rounds):
    for _ in rounds():
        token = processes.newcomer().refresh_token
        renewed, ended = processes.race(renewal(token), ("POST", "/api/auth/logout", {"refreshToken": token}))
        assert ended[0] == 200 and renewed[0] in (200, 401)
        tokens = (token, renewed[1].get("refreshToken", token))
        assert [processes.call(*renewal(each))[0] for each in tokens] == [401, 401]


def test_a_renewal_beside_a_change_of_the_password_leaves_the_tokens_of_the_change(processes, rounds):
    for _ in rounds():
        one = processes.newcomer()
        renewed, changed = processes.race(renewal(one.refresh_token), change(one.token))
        assert changed[0] == 200 and renewed[0] in (200, 401)
        tokens = (renewed[1].get("refreshToken", one.refresh_token), changed[1]["refreshToken"])
        assert [processes.call(*renewal(each))[0] for each in tokens] == [401, 200]


def test_a_used_token_beside_its_heir_ends_the_session_once(processes, rounds):
    for _ in rounds():
        old = processes.newcomer().refresh_token
        heir = processes.call(*renewal(old))[1]["refreshToken"]
        with engines.write():
            used = RefreshToken.spent_at.is_null(False)
            RefreshToken.update(spent_at=RefreshToken.spent_at - 60).where(used).execute()
        replies = processes.race(renewal(old), renewal(heir), renewal(old), renewal(heir))
        reasons = [body["error"]["reason"] for status, body in replies if status == 401]
        assert reasons.count("refresh_reused") == 1
        assert {processes.call(*renewal(body.get("refreshToken", heir)))[0] for _, body in replies} == {401}


def test_guesses_at_both_processes_are_counted_together(processes, rounds):
    for turn in rounds():
        guess = ("POST", "/api/auth/login", {"email": f"guessed{turn}@example.com", "password": "guess"})
        assert statuses(processes.race(*[guess] * CROWD)) == {401: GUESSES, 429: CROWD - GUESSES}


# --- What must remain ------------------------------------------------------------------------------------------------


@pytest.fixture
def afterwards_reset(processes):
    yield
    assert processes.call("POST", "/api/demo/reset")[0] == 200


@pytest.mark.parametrize(
    "step",
    [
        lambda user: ("DELETE", f"/api/users/{user}", None),
        lambda user: ("POST", "/api/users/batch-delete", {"ids": [user]}),
        lambda user: ("PUT", f"/api/users/{user}/status", {"status": "suspended"}),
        lambda user: ("PUT", f"/api/users/{user}", {"role": "user"}),
    ],
    ids=["delete", "batch-delete", "suspend", "demote"],
)
def test_of_two_super_admins_who_remove_each_other_one_remains(processes, root, second, afterwards_reset, rounds, step):
    able = User.select().join(Role).where(Role.name == "super_admin", User.status == "active")
    (one, first), (other, second) = zip([user.id for user in able.order_by(User.id)], (root, second), strict=True)
    for _ in rounds():
        replies = processes.race((*step(other), first), (*step(one), second))
        assert sorted(status for status, _ in replies)[0] == 200 and statuses(replies)[200] == 1, replies
        assert {status for status, _ in replies} <= {200, 401, 403, 409} and able.count() == 1
        one, first = (one, first) if replies[0][0] == 200 else (other, second)
        other, _, second, _ = processes.newcomer("super_admin")


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_a_role_is_either_given_or_deleted(processes, root, second, rounds, method):
    for turn in rounds():
        role = processes.made("/api/roles", {"name": f"either{turn}"}, root)
        path = f"/api/users/{processes.newcomer().id}" if method == "PUT" else "/api/users"
        body = {"roleId": role, "email": f"either{turn}@example.com"}
        replies = processes.race((method, path, body, root), ("DELETE", f"/api/roles/{role}", None, second))
        given = 200 if method == "PUT" else 201
        assert [status for status, _ in replies] in ([given, 409], [400, 200]), replies


def new_team(people, *roles):
    with engines.write():
        team = Team.create(name="队")
        members = [{"team": team, "user": one.id, "role": role} for one, role in zip(people, roles, strict=True)]
        insert_rows(TeamMember, members)
    return f"/api/teams/{team.id}/members", TeamMember.select().where(
        TeamMember.team == team, TeamMember.role == "admin"
    )


@pytest.mark.parametrize("step", [("DELETE", None), ("PUT", {"role": "member"})], ids=["go", "demoted"])
@pytest.mark.parametrize("by", ["themselves", "the other"])
def test_of_two_admins_of_a_team_who_cease_to_be_it_one_stays(processes, rounds, step, by):
    (method, body), people = step, [processes.newcomer() for _ in range(3)]
    for _ in rounds():
        path, admins = new_team(people, "admin", "admin", "member")
        one, other = people[:2] if by == "themselves" else people[1::-1]
        pairs = ((one, people[0]), (other, people[1]))
        replies = processes.race(*((method, f"{path}/{gone.id}", body, caller.token) for gone, caller in pairs))
        assert statuses(replies)[200] == 1 and {status for status, _ in replies} <= {200, 403, 404, 409}, replies
        assert admins.count() == 1


def test_a_team_keeps_an_admin_if_one_is_deleted_while_the_other_leaves(processes, root, rounds):
    for _ in rounds():
        one, other, _ = people = [processes.newcomer() for _ in range(3)]
        path, admins = new_team(people, "admin", "admin", "member")
        leave, delete = (
            ("DELETE", f"{path}/{one.id}", None, one.token),
            ("DELETE", f"/api/users/{other.id}", None, root),
        )
        left, deleted = processes.race(leave, delete)
        assert deleted[0] == 200 and left[0] in (200, 409)
        assert admins.count() == 1


@pytest.mark.parametrize("number", [2, 3])
def test_folders_moved_into_each_other_make_no_cycle(processes, root, second, rounds, number):
    for turn in rounds():
        ids = [processes.made("/api/folders", {"name": f"圈{turn}-{n}"}, root) for n in range(number)]
        moves = [("PUT", f"/api/folders/{id}", {"parentId": ids[n - 1]}) for n, id in enumerate(ids)]
        replies = processes.race(*((*move, by) for move, by in zip(moves, (root, second, root), strict=False)))
        assert statuses(replies) == {200: number - 1, 409: 1}


@pytest.mark.parametrize(
    ("path", "body"),
    [("documents", {"title": "文", "folderId": None}), ("folders", {"name": "内", "parentId": None})],
)
def test_a_folder_is_either_deleted_or_filled(processes, root, second, rounds, path, body):
    for turn in rounds():
        folder = processes.made("/api/folders", {"name": f"满{turn}"}, root)
        filled = {name: value or folder for name, value in body.items()}
        requests = [("POST", f"/api/{path}", filled, root), ("DELETE", f"/api/folders/{folder}", None, second)]
        replies = processes.race(*requests)
        assert [status for status, _ in replies] in ([201, 409], [400, 200]), replies


# --- What is used up -------------------------------------------------------------------------------------------------


def test_the_last_room_of_a_storage_is_used_once(processes, rounds):
    owner = processes.newcomer().token
    document = {"title": "大", "content": "x" * 600_000}
    store = partial(upload, processes, owner, bytes(600_000))
    for _ in rounds():
        write = partial(processes.call, "POST", "/api/documents", document, owner)
        replies = at_once([store, store, write, write])
        row = won(replies, 201, 413)
        kind = "files" if "checksum" in row else "documents"
        assert processes.call("DELETE", f"/api/{kind}/{row['id']}", None, owner)[0] == 200


def test_the_last_room_of_an_author_is_used_once_by_them_or_by_an_editor(processes, rounds):
    """Two accounts, whose writes do not wait for each other, fill the storage of one."""
    author, (editor, _, token, _), more = processes.newcomer().token, processes.newcomer(), "x" * 300_000
    processes.made("/api/documents", {"title": "满", "content": "x" * 500_000}, author)
    path = f"/api/documents/{processes.made('/api/documents', {'title': '一', 'content': ''}, author)}"
    assert processes.call("POST", f"{path}/share", {"userIds": [editor], "permission": "edit"}, author)[0] == 200
    for _ in rounds():
        new = ("POST", "/api/documents", {"title": "二", "content": more}, author)
        made, longer = processes.race(new, ("PUT", path, {"content": more}, token))
        assert (made[0], longer[0]) in ((201, 413), (413, 200)), (made, longer)
        if longer[0] == 200:
            assert processes.call("PUT", path, {"content": ""}, author)[0] == 200
        else:
            assert processes.call("DELETE", f"/api/documents/{made[1]['data']['id']}", None, author)[0] == 200


def test_the_last_row_that_an_account_may_own_is_made_once(processes, rounds):
    person, _, token, _ = processes.newcomer()
    with engines.write():
        insert_rows(Task, [{"title": "事", "creator": person}] * (limits.ROWS - 1))
    for _ in rounds():
        row = won(processes.race(*[("POST", "/api/tasks", {"title": "末"}, token)] * 4), 201, 409)
        assert processes.call("DELETE", f"/api/tasks/{row['id']}", None, token)[0] == 200


def test_the_last_notification_of_a_minute_is_caused_once(processes, rounds):
    for _ in rounds():
        sender, reader = processes.newcomer(), processes.newcomer().id
        with engines.write():
            caused = {"user": reader, "actor": sender.id, "title": "New message"}
            insert_rows(Notification, [caused] * (limits.NOTIFICATIONS - 1))
        message = {"recipientId": reader, "content": "喂"}
        won(processes.race(*[("POST", "/api/messages", message, sender.token)] * 4), 201, 429)


# --- The database as a whole -----------------------------------------------------------------------------------------


def contents():
    """How many rows each table has, and the names of the roles.

    Without sessions, which a reset lets be, and what is seeded up to the minute.
    """
    kept = (Setting, Session, RefreshToken, Visit, Order)
    numbers = {table.__name__: table.select().count() for table in base.tables() if table not in kept}
    return numbers, [role.label for role in Role.select().order_by(Role.id)]


def test_of_two_resets_the_database_holds_one_set_whole(processes, rounds):
    expected = {}
    for name in ("en", "zh"):
        assert processes.call("POST", "/api/demo/reset", {"set": name})[0] == 200
        expected[name] = contents()
    for _ in rounds():
        replies = processes.race(*(("POST", "/api/demo/reset", {"set": name}) for name in expected))
        assert statuses(replies) == {200: 2}
        assert contents() == expected[seed.set_in_use()]


def twice(url, *options, **variables):
    """A script of HaloLight that runs twice at once, each to its end: exit codes and what both said."""
    ended = at_once([partial(run, *options, DATABASE_URL=url, TIMEZONE=TIMEZONE, **variables)] * 2)
    return sorted(code for code, _, _ in ended), "".join(output + errors for _, output, errors in ended)


def test_of_two_first_starts_one_makes_and_fills_the_database(new_database, rounds):
    for _ in rounds(1):
        url = new_database()
        codes, said = twice(url, script="seed.py")
        assert codes == [0, 0] and made_once(url), said


def test_one_address_becomes_an_administrator_once(processes, rounds):
    for turn in rounds(1):
        email = f"first{turn}@example.com"
        codes, said = twice(processes.url, "--create-admin", email, ADMIN_PASSWORD=PASSWORD)
        assert codes == [0, 2] and f"{email} is taken" in said
        assert User.select().where(User.email == email).count() == 1


def test_a_copy_of_the_database_is_made_once(processes, rounds, tmp_path):
    if processes.url.startswith("postgresql"):
        pytest.skip("pg_dump copies Postgres")
    for turn in rounds(1):
        path = tmp_path / f"{turn}.db"
        codes, said = twice(processes.url, "--backup", str(path))
        assert codes == [0, 2], said
        with closing(sqlite3.connect(path)) as copy:
            assert copy.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
