"""The database: how it is opened and written, every table, and the selects that views compose.

A select with the name of a rule (`Task.visible_to`) takes the caller's id and whether the caller may
act on everybody's rows (`manage`), and gives an unexecuted select of the columns that a reply shows.
Its `where` speaks of the model's own columns only, so that rows can be counted without the joins.
"""

from __future__ import annotations

import itertools
import json
import re
import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, nullcontext
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Self

from peewee import (
    OP,
    SQL,
    AutoField,
    BlobField,
    BooleanField,
    Case,
    CharField,
    DatabaseProxy,
    DateField,
    DateTimeField,
    Expression,
    FloatField,
    ForeignKeyField,
    IntegerField,
    IntegrityError,
    Model,
    NodeList,
    Select,
    SqliteDatabase,
    TextField,
)
from playhouse.db_url import parse
from playhouse.pool import PooledPostgresqlDatabase

#: Raised by one whenever a table changes; a database of another version is refused at the start.
SCHEMA_VERSION = "1"

#: The key of the advisory lock by which the processes on one Postgres write in turn.
WRITE_LOCK = 0x48414C4F

db: Any = DatabaseProxy()
_turn = threading.RLock()


def now() -> datetime:
    """This instant, aware, in UTC: the one place where the application reads the clock."""
    return datetime.now(UTC)


class DatabaseRefused(Exception):
    """The database cannot be used; the text says why, in one line and without the password."""


class SQLite(SqliteDatabase):
    """One SQLite file: a connection per thread is opened once and kept (opening costs more than a query)."""

    def __init__(self, path: str):
        # IMMEDIATE: a transaction that reads first cannot be upgraded to write while another writes.
        pragmas = {"foreign_keys": 1, "synchronous": "normal", "cache_size": -2000, "journal_mode": "wal"}
        super().__init__(path, pragmas=pragmas, timeout=5, lock_type="IMMEDIATE", check_same_thread=False)
        self.prepared: dict[Any, Any] = {}
        self._opened: list[sqlite3.Connection] = []

    def _connect(self) -> sqlite3.Connection:
        connection = super()._connect()  # type: ignore[misc]
        self._opened.append(connection)
        return connection

    def close_all(self) -> None:
        """Close every thread's connection; the last one folds the write-ahead log into the file."""
        self.close()
        while self._opened:
            self._opened.pop().close()


class Postgres(PooledPostgresqlDatabase):
    """A Postgres database: a request takes a connection from the pool with its first query, and gives it back."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.prepared: dict[Any, Any] = {}


def connect(url: str, connections: int = 34) -> SQLite | Postgres:
    """Open the database at `url` with a pool of at most `connections`, and make it the one that every model uses.

    Any other database already there is left as it is. Raises DatabaseRefused.
    """
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite":
        path = Path(rest.removeprefix("/"))
        _refuse_foreign_file(path)
        database: SQLite | Postgres = SQLite(str(path))
    else:
        # Its name may carry the driver, as SQLAlchemy writes it (postgresql+psycopg://); psycopg is the only one used.
        options = parse(f"postgresql://{rest}", unquote_password=True, unquote_user=True)
        database = Postgres(**options, max_connections=connections, timeout=10, prefer_psycopg3=True)
    db.initialize(database)
    return database


def _refuse_foreign_file(path: Path) -> None:
    """Look into a SQLite file without changing a byte of it (opening it for use would switch it to WAL)."""
    if not path.exists() or path.stat().st_size == 0:
        return
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5)) as connection:
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except sqlite3.DatabaseError as error:
        raise DatabaseRefused(f"{path} is not a database that can be read ({error})") from error
    if tables and "settings" not in tables:
        raise DatabaseRefused(f"{path} holds another application's tables; it was not touched")


def release() -> None:
    """Give the thread's connection back to the pool (a SQLite connection is kept)."""
    if isinstance(db.obj, Postgres) and not db.is_closed():
        db.close()


@contextmanager
def write() -> Iterator[None]:
    """One transaction, and one writer at a time on either database: the only way to write.

    Many refusals depend on other rows (the last super admin, a quota, a cycle of folders). On Postgres a
    transaction alone does not see what a parallel one is about to commit; with turns, both databases give
    the same promise. An exception, so also `abort()`, rolls everything back.
    """
    on_sqlite = isinstance(db.obj, SqliteDatabase)
    with _turn if on_sqlite else nullcontext(), db.atomic():
        if not on_sqlite:
            db.execute_sql("SELECT pg_advisory_xact_lock(%s)", (WRITE_LOCK,))
        yield


def create_tables() -> bool:
    """Make the tables in an empty database; say whether they were missing. Raises DatabaseRefused."""
    with write():
        tables = set(db.get_tables())
        if not tables:
            db.create_tables(TABLES)
            Setting.create(key="version", value=SCHEMA_VERSION)
            Setting.create(key="secret", value=secrets.token_urlsafe(48))
            return True
        version = Setting.read("version") if "settings" in tables else None
    if version is None:
        raise DatabaseRefused("the database holds another application's tables; it was not touched")
    if version != SCHEMA_VERSION:
        raise DatabaseRefused(f"the database has schema version {version}, this HaloLight needs {SCHEMA_VERSION}")
    return False


def unique_field(error: IntegrityError) -> str | None:
    """The column whose unique constraint `error` reports, None for any other violation.

    Of a constraint over several columns it is the last: the one that a client chose (`name` of owner, parent, name).
    """
    driver: Any = error.args[0] if error.args else None
    if isinstance(db.obj, SqliteDatabase):
        found = re.search(r"UNIQUE constraint failed: (?:.*\.)?(\w+)$", str(error))
        return found[1] if found else None
    if getattr(driver, "sqlstate", None) != "23505":
        return None
    name = driver.diag.constraint_name
    for model in TABLES:
        for index in model._meta.fields_to_index():
            if index._unique and index._name == name:
                return index._expressions[-1].column_name
    return "id"


# --- Fields and the base model ---------------------------------------------------------------------------------------


class Key(AutoField):
    """A primary key that SQLite does not reuse either."""

    def ddl(self, ctx: Any) -> Any:
        column = super().ddl(ctx)
        if isinstance(self.model._meta.database.obj, SqliteDatabase):
            return NodeList((column, SQL("AUTOINCREMENT")))
        return column


class UTCField(DateTimeField):
    """An instant: stored in UTC without an offset, given back aware (SQLite and Postgres differ otherwise)."""

    def db_value(self, value: Any) -> Any:
        return value.astimezone(UTC).replace(tzinfo=None) if value is not None else None

    def python_value(self, value: Any) -> Any:
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        return value.replace(tzinfo=UTC) if value is not None else None


@lru_cache(maxsize=1024)
def _strings(text: str) -> tuple[str, ...]:
    return tuple(json.loads(text))


class StringsField(TextField):
    """A tuple of strings kept as JSON text. What a text means is remembered under the text: never stale."""

    def db_value(self, value: Any) -> Any:
        return json.dumps(list(value), ensure_ascii=False)

    def python_value(self, value: Any) -> Any:
        return _strings(value)


def one_of(column: Any) -> Callable[[Any], Any]:
    """A filter by the values of `column`: takes None, a value or a list of values, or placeholders for them."""

    def condition(value: Any) -> Any:
        if isinstance(value, list):
            return column == value[0] if len(value) == 1 else column.in_(value)
        return column.is_null() if value is None else column == value

    return condition


def contains(*columns: Any) -> Callable[[Any], Any]:
    """A search: takes a pattern `%…%` in which backslash, percent and underscore are escaped by a backslash.

    Peewee's own `contains` renders no ESCAPE for a placeholder, and its LIKE is GLOB on SQLite.
    """

    def condition(pattern: Any) -> Any:
        escaped = NodeList((pattern, SQL("ESCAPE '\\'")))
        found = Expression(columns[0], OP.ILIKE, escaped)
        for column in columns[1:]:
            found = found | Expression(column, OP.ILIKE, escaped)
        return found

    return condition


def table_name(model: type[Model]) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", model.__name__).lower() + "s"


class BaseModel(Model):
    #: The resource whose `manage` permission opens every row.
    RESOURCE: ClassVar[str] = ""
    #: What a list can be narrowed by: name of the argument → condition on a value or a placeholder.
    FILTERS: ClassVar[dict[str, Callable[[Any], Any]]] = {}
    #: What a list can be sorted by: name in the API → column.
    SORTS: ClassVar[dict[str, Any]] = {}
    #: The order when none is asked for.
    SORT: ClassVar[str] = "id"

    id: Any = Key()

    class Meta:
        database = db
        legacy_table_names = False
        table_function = table_name

    def change(self, **values: Any) -> Self:
        """Write those of `values` that differ from what is stored, and nothing else; gives the row itself."""
        changed = {name: value for name, value in values.items() if getattr(self, name) != value}
        if changed and "updated_at" in self._meta.fields:
            changed["updated_at"] = now()
        if changed:
            for name, value in changed.items():
                setattr(self, name, value)
            type(self).update(changed).where(type(self).id == self.id).execute()
        return self


class Timestamped(BaseModel):
    created_at = UTCField(default=lambda: now())
    updated_at = UTCField(default=lambda: now())


def owned(model: type[Model], related_name: str, **options: Any) -> Any:
    """A reference whose row goes with the one it names."""
    return ForeignKeyField(model, backref=related_name, on_delete="CASCADE", **options)


class Setting(Model):
    """What the database remembers of itself: its schema version, the signing secret, when it was seeded."""

    key = CharField(primary_key=True)
    value = TextField()

    class Meta:
        database = db
        legacy_table_names = False
        table_name = "settings"

    @classmethod
    def read(cls, key: str) -> str | None:
        return cls.select(cls.value).where(cls.key == key).scalar()

    @classmethod
    def keep(cls, key: str, value: str) -> None:
        cls.insert(key=key, value=value).on_conflict(conflict_target=[cls.key], update={cls.value: value}).execute()


# --- People ----------------------------------------------------------------------------------------------------------


class Role(Timestamped):
    name = CharField(unique=True)
    label = CharField()
    description = TextField(default="")
    #: The grants, in the order in which they were saved.
    permissions = StringsField()
    is_system = BooleanField(default=False)


class User(Timestamped):
    STATUSES = ("active", "inactive", "suspended")

    email = CharField(unique=True)
    username = CharField()
    #: The username case-folded: what makes it unique, whatever its case.
    username_key = CharField(unique=True)
    name = CharField(index=True)
    avatar = TextField(null=True)
    phone = CharField(default="")
    department = CharField(default="")
    position = CharField(default="")
    bio = TextField(default="")
    status = CharField(default="active", index=True)
    role = ForeignKeyField(Role, backref="users", on_delete="RESTRICT")
    #: None until a password is set by following a reset link.
    password_hash = TextField(null=True)
    last_login_at = UTCField(null=True, index=True)

    class Meta:
        indexes = ((("created_at",), False), (("updated_at",), False))

    @classmethod
    def visible_to(cls, user: Any, manage: bool) -> Select:
        """Users are not scoped: whoever may view them sees all."""
        return cls.select(
            *(cls.id, cls.email, cls.username, cls.name, cls.avatar, cls.phone, cls.department, cls.position, cls.bio),
            *(cls.status, cls.role, Role.name.alias("role"), Role.label.alias("role_label"), Role.permissions),
            *(cls.created_at, cls.updated_at, cls.last_login_at),
        ).join(Role)

    @classmethod
    def contacts(cls, user: Any, manage: bool) -> Select:
        """Whom one may write to, invite and share with: every active user, oneself included."""
        shown = cls.select(cls.id, cls.name, cls.username, cls.avatar, cls.department)
        return shown.where(cls.status == "active")

    @classmethod
    def by_identity(cls, identity: str) -> User | None:
        """The user with this e-mail or username, either in any case."""
        folded = identity.strip().casefold()
        return cls.get_or_none((cls.email == folded) | (cls.username_key == folded))

    @classmethod
    def register(cls, *, email: str, role: Role, username: str | None = None, **values: Any) -> User:
        """A new user; without a username, one is made from the e-mail."""
        if not username:
            wanted = re.sub(r"[^\w.-]", "_", email.partition("@")[0])[:40].ljust(3, "_")
            taken: Any = cls.select(cls.username_key).where(cls.username_key.startswith(wanted.casefold())).tuples()
            names = {name for (name,) in taken}
            endings = itertools.chain([""], map(str, itertools.count(2)))
            username = next(wanted + ending for ending in endings if (wanted + ending).casefold() not in names)
        values["name"] = values.get("name") or username
        return cls.create(email=email, role=role, username=username, username_key=username.casefold(), **values)

    def change_profile(self, **values: Any) -> User:
        """Change what users may say of themselves; without a name, the username stands for it."""
        if "username" in values:
            values["username_key"] = values["username"].casefold()
        if "name" in values and not values["name"]:
            values["name"] = values.get("username", self.username)
        return self.change(**values)

    def set_password(self, password_hash: str) -> None:
        """Store a new password's hash; links that were sent to set one are dead from now on."""
        self.change(password_hash=password_hash)
        Mail.update(used=True).where(Mail.user == self).execute()

    def remove(self) -> None:
        """Delete the user with rows, messages, memberships and sessions; activities and orders stay without them."""
        self.delete_instance()
        deserted = ConversationMember.select(ConversationMember.conversation)
        Conversation.delete().where(Conversation.id.not_in(deserted)).execute()

    def end_sessions(self, but: int | None = None) -> None:
        """End every session, or all but one, with its access tokens, on the next request."""
        live = (Session.user == self) & Session.ended_at.is_null()
        Session.update(ended_at=now()).where(live & (Session.id != but) if but else live).execute()


User.FILTERS = {
    "search": contains(User.name, User.username, User.email),
    "status": one_of(User.status),
    "role": lambda names: User.role.in_(Role.select(Role.id).where(one_of(Role.name)(names))),
}
User.SORTS = {
    "id": User.id,
    "createdAt": User.created_at,
    "updatedAt": User.updated_at,
    "name": User.name,
    "username": User.username,
    "email": User.email,
    "lastLoginAt": User.last_login_at,
}


def person(alias: Any, prefix: str) -> tuple[Any, ...]:
    """The columns of a nested `{id, name, avatar}`: `<prefix>_id` comes with the reference, the others from `alias`."""
    return alias.name.alias(f"{prefix}_name"), alias.avatar.alias(f"{prefix}_avatar")


class Session(BaseModel):
    """One login: what its tokens belong to."""

    user_id: int
    user = owned(User, "sessions")
    #: Raised to make the access tokens signed so far expire.
    epoch = IntegerField(default=0)
    device = CharField(default="")
    address = CharField(default="")
    created_at = UTCField(default=lambda: now())
    last_used_at = UTCField(default=lambda: now())
    expires_at = UTCField(index=True)
    ended_at = UTCField(null=True)

    @classmethod
    def caller(cls, session: Any) -> Select:
        """What has to be known of the caller on each request, in one select."""
        return (
            cls.select(
                *(cls.id, cls.epoch, cls.ended_at, cls.expires_at, cls.user, User.status),
                *(Role.name.alias("role"), Role.permissions.alias("grants")),
            )
            .join(User)
            .join(Role)
            .where(cls.id == session)
        )


class RefreshToken(BaseModel):
    """What is kept of a refresh token: never the token, which is signed again from this row (seconds since 1970)."""

    jti = CharField(unique=True)
    session = owned(Session, "refresh_tokens")
    issued_at = IntegerField()
    expires_at = IntegerField(index=True)
    spent_at = FloatField(null=True)


class FailedAttempt(BaseModel):
    """A wrong password, or a reset asked for, counted against an account or an address."""

    key = CharField()
    at = UTCField(default=lambda: now(), index=True)

    class Meta:
        indexes = ((("key", "at"), False),)


class Mail(BaseModel):
    """A mail that would have been sent: the link in it is made when it is shown."""

    user_id: int
    user = owned(User, "mails")
    #: The password was set since, by this mail's link or otherwise.
    used = BooleanField(default=False)
    created_at = UTCField(default=lambda: now())


# --- Documents and files ---------------------------------------------------------------------------------------------


class Folder(Timestamped):
    RESOURCE = "folders"

    name = CharField()
    parent = ForeignKeyField("self", null=True, backref="children", on_delete="CASCADE")
    owner = owned(User, "folders")


Folder.add_index(Folder.index(Folder.owner, Folder.parent, Folder.name, unique=True, name="folders_name"))
# NULLs are all different to a unique index, so the folders at the root need one of their own.
Folder.add_index(
    Folder.index(Folder.owner, Folder.name, unique=True, name="folders_root_name").where(Folder.parent.is_null())
)
Folder.add_index(Folder.index(Folder.created_at, Folder.id))


class Document(Timestamped):
    RESOURCE = "documents"
    TYPES = ("document", "spreadsheet", "presentation", "pdf", "image", "code", "other")

    title = CharField()
    content = TextField(default="")
    type = CharField(default="document", index=True)
    #: Bytes of the content in UTF-8.
    size = IntegerField(default=0)
    folder = ForeignKeyField(Folder, null=True, backref="documents", on_delete="SET NULL")
    author = owned(User, "documents")

    class Meta:
        indexes = ((("author", "updated_at"), False), (("updated_at",), False), (("created_at",), False))


class DocumentTag(BaseModel):
    document = owned(Document, "tags")
    name = CharField(index=True)

    class Meta:
        indexes = ((("document", "name"), True),)


class DocumentShare(BaseModel):
    PERMISSIONS = ("view", "edit")

    document = owned(Document, "shares")
    user = owned(User, "shares")
    permission = CharField(default="view")

    class Meta:
        indexes = ((("document", "user"), True),)


class DocumentReader(BaseModel):
    """Who has opened a document, once each: its `views`."""

    document = owned(Document, "readers")
    user = owned(User, "read_documents")

    class Meta:
        indexes = ((("document", "user"), True),)


class File(Timestamped):
    RESOURCE = "files"
    TYPES = ("image", "video", "audio", "document", "archive", "other")

    name = CharField()
    size = IntegerField()
    mime_type = CharField()
    type = CharField(index=True)
    folder = ForeignKeyField(Folder, null=True, backref="files", on_delete="SET NULL")
    is_favorite = BooleanField(default=False)
    #: SHA-256, in hexadecimal.
    checksum = CharField()
    owner = owned(User, "files")

    class Meta:
        indexes = ((("owner", "created_at"), False), (("created_at",), False), (("updated_at",), False))


class FileBytes(Model):
    """The bytes of a file, in a table of their own, so that lists never touch them."""

    file = ForeignKeyField(File, primary_key=True, backref="bytes", on_delete="CASCADE")
    data = BlobField()

    class Meta:
        database = db
        legacy_table_names = False
        table_name = "file_bytes"


# --- Messages and notifications --------------------------------------------------------------------------------------


class Conversation(Timestamped):
    RESOURCE = "messages"
    TYPES = ("private", "group")

    type = CharField(default="private")
    name = CharField(default="")
    avatar = TextField(null=True)
    #: "3:7", the members of a private conversation: there is one for each pair.
    pair = CharField(null=True, unique=True)

    class Meta:
        indexes = ((("updated_at",), False),)


class ConversationMember(BaseModel):
    conversation = owned(Conversation, "members")
    user = owned(User, "memberships")

    class Meta:
        indexes = ((("conversation", "user"), True),)


class Message(BaseModel):
    RESOURCE = "messages"
    TYPES = ("text", "image", "file")

    conversation = owned(Conversation, "messages")
    sender = owned(User, "messages")
    content = TextField()
    type = CharField(default="text")
    created_at = UTCField(default=lambda: now(), index=True)

    class Meta:
        indexes = ((("conversation", "created_at"), False),)


class MessageMark(BaseModel):
    """One member's view of a message, written with it: read or not; without a mark it is out of that member's sight."""

    message = owned(Message, "marks")
    conversation = owned(Conversation, "marks")
    user = owned(User, "marks")
    read = BooleanField(default=False)

    class Meta:
        indexes = ((("message", "user"), True), (("user", "read", "conversation"), False))


class Notification(BaseModel):
    TYPES = ("system", "user", "message", "task", "alert")

    user = owned(User, "notifications")
    type = CharField(default="system")
    #: An English text of the catalogue: shown in the reader's language.
    title = CharField()
    content = TextField(default="")
    link = CharField(default="")
    target_type = CharField(null=True)
    target_id = IntegerField(null=True)
    read = BooleanField(default=False)
    read_at = UTCField(null=True)
    created_at = UTCField(default=lambda: now())

    class Meta:
        indexes = ((("user", "created_at"), False), (("user", "read"), False))

    @classmethod
    def tell(cls, users: Iterable[int], type: str, title: str, *, content: str = "", target: BaseModel) -> None:
        """Notify `users` of something done to `target`; `title` is an English text of the catalogue."""
        common = {"type": type, "title": title, "content": content[:200]}
        common |= {"target_type": target._meta.name, "target_id": target.id}
        for user in users:
            cls.create(user=user, **common)


# --- Teams, calendar, tasks ------------------------------------------------------------------------------------------


class Team(Timestamped):
    RESOURCE = "teams"

    name = CharField(index=True)
    description = TextField(default="")
    avatar = TextField(null=True)


class TeamMember(BaseModel):
    ROLES = ("admin", "member")

    team = owned(Team, "members")
    user = owned(User, "teams")
    role = CharField(default="member")

    class Meta:
        indexes = ((("team", "user"), True),)


class Event(Timestamped):
    """An event. An all-day event keeps plain dates, as midnights without a zone; its end is exclusive."""

    RESOURCE = "calendar"
    TYPES = ("meeting", "task", "reminder", "holiday")

    title = CharField()
    description = TextField(default="")
    start = UTCField(index=True)
    end = UTCField(index=True)
    all_day = BooleanField(default=False)
    type = CharField(default="meeting")
    location = CharField(default="")
    color = CharField(default="")
    organizer = owned(User, "events")

    class Meta:
        indexes = ((("organizer", "start"), False),)


class EventAttendee(BaseModel):
    STATUSES = ("pending", "accepted", "declined", "tentative")

    event = owned(Event, "attendees")
    user = owned(User, "invitations")
    status = CharField(default="pending")

    class Meta:
        indexes = ((("event", "user"), True),)


class Task(Timestamped):
    RESOURCE = "tasks"
    STATUSES = ("pending", "in_progress", "done")
    PRIORITIES = ("low", "medium", "high")

    title = CharField()
    description = TextField(default="")
    status = CharField(default="pending")
    priority = CharField(default="medium")
    due_date = DateField(null=True)
    progress = IntegerField(default=0)
    assignee_id: int | None
    assignee = ForeignKeyField(User, null=True, backref="tasks", on_delete="SET NULL")
    creator = owned(User, "created_tasks")

    class Meta:
        indexes = ((("assignee", "status"), False), (("creator", "created_at"), False), (("created_at",), False))

    @classmethod
    def visible_to(cls, user: Any, manage: bool) -> Select:
        """The tasks one made or was given."""
        creator, assignee = User.alias(), User.alias()
        shown = (
            cls.select(
                *(cls.id, cls.title, cls.description, cls.status, cls.priority, cls.due_date, cls.progress),
                *(cls.assignee, *person(assignee, "assignee"), cls.creator, *person(creator, "creator")),
                *(cls.created_at, cls.updated_at),
            )
            .join(creator, on=(cls.creator == creator.id))
            .switch(cls)
            .left_outer_join(assignee, on=(cls.assignee == assignee.id))
        )
        return shown if manage else shown.where((cls.creator == user) | (cls.assignee == user))

    @classmethod
    def deletable_by(cls, user: Any) -> Any:
        """Only who made a task removes it."""
        return cls.creator == user


Task.FILTERS = {
    "search": contains(Task.title),
    "status": one_of(Task.status),
    "priority": one_of(Task.priority),
    "assignee_id": one_of(Task.assignee),
}
Task.SORT = "-createdAt"
Task.SORTS = {
    "id": Task.id,
    "createdAt": Task.created_at,
    "updatedAt": Task.updated_at,
    "title": Task.title,
    "dueDate": Task.due_date,
    "priority": Case(Task.priority, [("low", 1), ("medium", 2), ("high", 3)]),
}


# --- What the dashboard counts ---------------------------------------------------------------------------------------


class Order(BaseModel):
    STATUSES = ("paid", "pending", "refunded")

    user = ForeignKeyField(User, null=True, backref="orders", on_delete="SET NULL")
    status = CharField(default="paid")
    #: In fen, a hundredth of a yuan.
    amount = IntegerField()
    cost = IntegerField()
    created_at = UTCField(default=lambda: now(), index=True)


class Visit(BaseModel):
    """Somebody who came: a login, or a seeded day's traffic."""

    #: Who it was: a user's id, or one of the unknown visitors of the seeded days.
    visitor = CharField()
    pages = IntegerField(default=1)
    at = UTCField(default=lambda: now(), index=True)


class Activity(BaseModel):
    """Who did what to what; it stays when they go."""

    user = ForeignKeyField(User, null=True, backref="activities", on_delete="SET NULL")
    action = CharField()
    target_type = CharField()
    target_id = IntegerField(null=True)
    #: The name of the target when it happened.
    target_name = CharField(default="")
    created_at = UTCField(default=lambda: now(), index=True)

    class Meta:
        table_name = "activities"
        indexes = ((("user", "created_at"), False),)

    @classmethod
    def record(cls, user: int, action: str, target: BaseModel) -> None:
        """Remember what `user` did to `target`, in the transaction of the deed."""
        name = str(getattr(target, "name", None) or getattr(target, "title", ""))
        cls.create(user=user, action=action, target_type=target._meta.name, target_id=target.id, target_name=name[:200])


#: Every table, each after those that it refers to.
TABLES: tuple[type[Model], ...] = (
    *(Setting, Role, User, Session, RefreshToken, FailedAttempt, Mail, Folder, Document, DocumentTag, DocumentShare),
    *(DocumentReader, File, FileBytes, Conversation, ConversationMember, Message, MessageMark, Notification, Team),
    *(TeamMember, Event, EventAttendee, Task, Order, Visit, Activity),
)
