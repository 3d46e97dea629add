"""The tables, and the selects that views compose.

A *rule* is a classmethod such as `Task.visible_to`. It takes the caller's id and whether the caller may see
everybody's rows (`everything`), and returns a select of the columns that a reply shows, not executed yet. Its
conditions use columns of its own table only, so that the rows can be counted without the joins.

`cls.select(cls, …)` selects all columns of the table, as Peewee does for a model among what is selected.

After a change of a table, `python halolight.py --migrate` writes the file that changes existing databases in the same
way (`database/migrate.py`).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from datetime import UTC, datetime, tzinfo
from functools import cached_property
from typing import Any, Self

from peewee import (
    SQL,
    BlobField,
    BooleanField,
    Case,
    CharField,
    CompositeKey,
    DateField,
    DoubleField,
    ForeignKeyField,
    IntegerField,
    Select,
    TextField,
    Value,
    fn,
)

from database import engines
from database.base import BaseModel, Table, Timestamped, insert_rows
from database.fields import StringsField, UTCField, owned
from database.rules import ROWS, among, contains, gathered, one_of, per_span, person

#: How many people of each event and conversation a list shows, beside their number.
SHOWN = 10

#: `*`, `users:*` or `users:view`. Any resource and action will do, because front ends have buttons of their own.
#: A role cannot be stored with a grant that does not match, because it would grant nothing.
GRANT = re.compile(r"^(\*|[a-z0-9_-]+:(\*|[a-z0-9_-]+))$")


class Noticed:
    """A row that notifications may be about. They quote its content, so they are deleted with it."""

    @classmethod
    def delete_rows(cls, ids: list[int]) -> int:
        Notification.forget(cls, ids)
        return super().delete_rows(ids)  # type: ignore[misc]


# --- People ----------------------------------------------------------------------------------------------------------
class Role(Timestamped):
    WHOSE = "nobody"

    name = CharField(unique=True)
    label = CharField()
    description = TextField(default="")
    #: The grants, in the order in which they were saved.
    permissions = StringsField(each=GRANT, must="be *, resource:* or resource:action")
    is_system = BooleanField(default=False)

    FILTERS = {"search": contains(name, label, description)}
    SORTS = ("createdAt", "name")
    SORT = "name"

    @classmethod
    def visible_to(cls, user: Any, everything: bool) -> Select:
        """Roles are not scoped: whoever may view them sees all."""
        holders = User.select(ROWS).where(User.role == cls.id)
        return cls.select(cls, holders.alias("user_count"))


class User(Noticed, Timestamped):
    WHOSE = "nobody"
    STATUSES = ("active", "inactive", "suspended")

    email = CharField(unique=True)
    username = CharField()
    #: The case-folded username: its unique constraint makes usernames unique regardless of case.
    username_key = CharField(unique=True)
    name = CharField()
    avatar = TextField(null=True)
    phone = CharField(default="")
    department = CharField(default="")
    position = CharField(default="")
    bio = TextField(default="")
    status = CharField(default="active")
    role = ForeignKeyField(Role, backref="users", on_delete="RESTRICT", index=False)  # served by (role, status)
    #: None until a password is set by following a reset link.
    password_hash = TextField(null=True)
    last_login_at = UTCField(null=True)

    FILTERS = {
        "search": contains(name, username, email),
        "status": one_of(status),
        "role": lambda names: User.role.in_(Role.select(Role.id).where(one_of(Role.name)(names))),
        "role_id": one_of(role),
    }
    SORTS = ("createdAt", "updatedAt", "name", "username", "email", "lastLoginAt")

    class Meta:
        indexes = ((("status", "name"), False), (("role", "status"), False))

    @classmethod
    def visible_to(cls, user: Any, everything: bool) -> Select:
        """Users are not scoped: whoever may view them sees all."""
        shown = cls.select(*cls.columns_except("username_key", "password_hash")).join(Role)
        return shown.select_extend(Role.name.alias("role"), Role.label.alias("role_label"), Role.permissions)

    @classmethod
    def contacts(cls, user: Any, everything: bool) -> Select:
        """The users whom everybody may write to, invite and share with: all active ones, including the caller."""
        shown = cls.select(cls.id, cls.name, cls.username, cls.avatar, cls.department)
        return shown.where(cls.status == "active")

    @classmethod
    def per_span(cls, **bounds: Any) -> Select:
        """How many users registered in each span of time."""
        return per_span(cls.created_at, bounds, fn.COUNT(cls.id).alias("users"))

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
        """Change the fields that users may edit themselves; an empty name falls back to the username."""
        if "username" in values:
            values["username_key"] = values["username"].casefold()
        if "name" in values and not values["name"]:
            values["name"] = values.get("username", self.username)
        return self.change(**values)

    def set_password(self, password_hash: str) -> None:
        """Store the hash of a new password. Links that were mailed to set one become invalid."""
        self.change(password_hash=password_hash)
        Mail.update(used=True).where(Mail.user == self).execute()

    @classmethod
    def delete_rows(cls, ids: list[int]) -> int:
        """Delete users with all rows that they own; activities and orders stay, without a user.

        A team whose only admin they were gets another one. Private conversations stay readable, under their name.
        """
        for model in (Document, Event, Task, Message):  # the database deletes their rows, but no notifications
            Notification.forget(model, model.select(model.id).where(getattr(model, model.OWNER).in_(ids)))
        led: Any = TeamMember.select(TeamMember.team).where(TeamMember.user.in_(ids), TeamMember.role == "admin")
        teams = {team for (team,) in led.tuples()}
        members = cls.select(cls.name).join(ConversationMember).where(cls.id.in_(ids))
        name = members.where(ConversationMember.conversation == Conversation.id).limit(1)
        theirs = ConversationMember.select(ConversationMember.conversation).where(ConversationMember.user.in_(ids))
        Conversation.update(name=name).where(Conversation.type == "private", Conversation.id.in_(theirs)).execute()
        number = super().delete_rows(ids)
        for team in teams:
            TeamMember.keep_an_admin(team)
        inhabited = ConversationMember.select(ConversationMember.conversation).where(~ConversationMember.away)
        Conversation.delete().where(Conversation.id.not_in(inhabited)).execute()
        return number

    def end_sessions(self, but: int | None = None) -> None:
        """End every session, or all but one. Their access tokens are refused from the next request on."""
        live = (Session.user == self) & Session.ended_at.is_null()
        Session.update(ended_at=engines.now()).where(live & (Session.id != but) if but else live).execute()


class Session(BaseModel):
    """One login. Access and refresh tokens belong to a session and end with it."""

    WHOSE = "owner"

    user = owned(User, "sessions")
    #: Raised by one to invalidate the access tokens signed so far.
    epoch = IntegerField(default=0)
    device = CharField(default="")
    address = CharField(default="")
    created_at = UTCField(default=lambda: engines.now())
    last_used_at = UTCField(default=lambda: engines.now())
    expires_at = UTCField(index=True)
    ended_at = UTCField(null=True)

    FILTERS = {"live_at": lambda instant: Session.expires_at > instant}
    SORTS = ("createdAt",)
    SORT = "-createdAt"

    @classmethod
    def visible_to(cls, user: Any, everything: bool) -> Select:
        """The caller's own live sessions, even for a manager."""
        shown = cls.select(cls.id, cls.device, cls.address, cls.created_at, cls.last_used_at)
        return shown.where((cls.user == user) & cls.ended_at.is_null())

    @classmethod
    def caller(cls, session: Any) -> Select:
        """The session, user and role of the caller, read with one select on every request."""
        own = (cls.id, cls.user, cls.epoch, cls.expires_at, cls.ended_at)
        theirs = (User.status, Role.name.alias("role"), Role.permissions.alias("grants"))
        return cls.select(*own, *theirs).join(User).join(Role).where(cls.id == session)


class RefreshToken(BaseModel):
    """The claims of a refresh token. The token itself is never stored: it is signed again from this row."""

    jti = CharField(unique=True)
    session = owned(Session, "refresh_tokens")
    issued_at = IntegerField()
    expires_at = IntegerField(index=True)
    spent_at = DoubleField(null=True)


class FailedAttempt(BaseModel):
    """A wrong password or a request for a reset link, counted against an account or an address."""

    key = CharField()
    at = UTCField(default=lambda: engines.now(), index=True)

    class Meta:
        indexes = ((("key", "at"), False),)


class Mail(BaseModel):
    """A mail that would have been sent. The link in it is made each time it is shown."""

    user = owned(User, "mails")
    #: Whether the password was set since, by this mail's link or otherwise.
    used = BooleanField(default=False)
    created_at = UTCField(default=lambda: engines.now())


# --- Documents and files ---------------------------------------------------------------------------------------------
class Folder(Timestamped):
    RESOURCE = "folders"
    OWNER = "owner"

    name = CharField()
    parent = ForeignKeyField("self", null=True, backref="children", on_delete="CASCADE")
    owner = owned(User, "folders")

    FILTERS = {"search": contains(name), "parent_id": one_of(parent)}
    SORTS = ("createdAt", "updatedAt", "name")
    SORT = "-createdAt"

    @classmethod
    def visible_to(cls, user: Any, everything: bool) -> Select:
        """The caller's own folders."""
        child = cls.alias()
        inside = (child.parent, Document.folder, File.folder)
        numbers = [column.model.select(ROWS).where(column == cls.id) for column in inside]
        item_count: Any = sum(numbers, Value(0))  # a sum of selects alone would be their union
        shown = cls.select(cls, item_count.alias("item_count"), *person(User, "owner")).join(User)
        return shown if everything else shown.where(cls.owner == user)

    def is_empty(self) -> bool:
        return not (self.children.exists() or self.documents.exists() or self.files.exists())


Folder.add_index(Folder.index(Folder.owner, Folder.parent, Folder.name, unique=True, name="folders_owner_parent_name"))
# To a unique index every NULL is different, so folders at the root (no parent) need an index of their own.
Folder.add_index(
    Folder.index(Folder.owner, Folder.name, unique=True, name="folders_root_name").where(Folder.parent.is_null())
)


class Document(Noticed, Timestamped):
    RESOURCE = "documents"
    OWNER = "author"
    TYPES = ("document", "spreadsheet", "presentation", "pdf", "image", "code", "other")

    title = CharField()
    content = TextField(default="")
    type = CharField(default="document")
    #: Bytes of the content in UTF-8.
    size = IntegerField(default=0)
    folder = ForeignKeyField(Folder, null=True, backref="documents", on_delete="SET NULL")
    author = owned(User, "documents")

    FILTERS = {
        "search": contains(title, content),
        "type": one_of(type),
        "tags": lambda names: Document.id.in_(DocumentTag.named(names)),
        "folder_id": one_of(folder),
        "author_id": one_of(author),
    }
    SORTS = ("createdAt", "updatedAt", "title", "size")
    SORT = "-updatedAt"

    class Meta:
        # The last one serves the sum of the sizes: in the row itself, `size` comes after a content of up to a megabyte.
        indexes = (
            (("author", "updated_at"), False),
            (("type", "updated_at", "author"), False),
            (("author", "size"), False),
        )

    @classmethod
    def visible_to(cls, user: Any, everything: bool) -> Select:
        """The documents that the user wrote or was given a share of, with content and whether the user read them."""
        readings = DocumentReader.select().where(DocumentReader.document == cls.id, DocumentReader.user == user)
        return cls.listed(user, everything).select_extend(cls.content, fn.EXISTS(readings).alias("read"))

    @classmethod
    def listed(cls, user: Any, everything: bool) -> Select:
        """Like `visible_to`, without `content` and `read`, which lists leave out."""
        tags = DocumentTag.select(DocumentTag.name).where(DocumentTag.document == cls.id).order_by(DocumentTag.id)
        # COUNT, because for EXISTS Postgres reads the shares of all documents first.
        shares = DocumentShare.select(ROWS.python_value(bool)).where(DocumentShare.document == cls.id)
        readers = DocumentReader.select(ROWS).where(DocumentReader.document == cls.id)
        folder = Folder.select(Folder.name).where(Folder.id == cls.folder).alias("folder_name")
        shown = cls.select(*cls.columns_except("content"), folder, *person(User, "author")).join(User)
        shown = shown.select_extend(gathered(tags).alias("tags"), shares.alias("shared"), readers.alias("views"))
        return shown if everything else shown.where((cls.author == user) | among(cls.id, DocumentShare.given_to(user)))

    @classmethod
    def mine(cls, user: Any, everything: bool) -> Select:
        """The documents that the user wrote."""
        return cls.listed(user, True).where(cls.author == user)

    @classmethod
    def shared_with(cls, user: Any, everything: bool) -> Select:
        """The documents that the user was given a share of."""
        return cls.listed(user, True).where(cls.id.in_(DocumentShare.given_to(user)))

    @classmethod
    def editable_by(cls, user: Any) -> Any:
        """The condition that `user` may change title, content and tags: the author, and who has an `edit` share."""
        editors = DocumentShare.given_to(user).where(DocumentShare.permission == "edit")
        return (cls.author == user) | cls.id.in_(editors)

    @classmethod
    def create(cls, *, tags: Iterable[str] = (), **values: Any) -> Self:
        """A new document with its tags; the size is that of its content."""
        document = super().create(size=len(values.get("content", "").encode()), **values)
        document.add_tags(tags)
        return document

    def change(self, *, tags: Iterable[str] | None = None, **values: Any) -> Self:
        """Change columns and tags (None: as they are); the size follows the content."""
        if "content" in values:
            values["size"] = len(values["content"].encode())
        if tags is not None and [*dict.fromkeys(tags)] != [tag.name for tag in self.tags.order_by(DocumentTag.id)]:
            DocumentTag.delete().where(DocumentTag.document == self).execute()
            self.add_tags(tags)
            values["updated_at"] = engines.now()
        return super().change(**values)

    def add_tags(self, names: Iterable[str]) -> None:
        """Add tags in this order, each once."""
        insert_rows(DocumentTag, [{"document": self.id, "name": name} for name in dict.fromkeys(names)])

    def share(self, users: Iterable[int], permission: str) -> list[int]:
        """Share the document with `users` (the author is skipped). Returns the users who had no share before."""
        wanted = set(users) - {self.author_id}
        theirs = (DocumentShare.document == self) & DocumentShare.user.in_(wanted)
        other = DocumentShare.permission != permission
        changed = DocumentShare.update(permission=permission).where(theirs, other).execute()
        new = sorted(wanted - {share.user_id for share in self.shares})
        self.changed = self.changed or bool(changed or new)
        insert_rows(DocumentShare, [{"document": self.id, "user": user, "permission": permission} for user in new])
        return new

    def unshare(self, users: list[int] | None) -> None:
        """Take the document back from `users`, or from everybody (None), with the notifications about it."""
        given = DocumentShare.document == self
        some = given if users is None else given & DocumentShare.user.in_(users)
        deleted = DocumentShare.delete().where(some).execute()
        self.changed = self.changed or bool(deleted)
        readers = DocumentShare.select(DocumentShare.user).where(given)
        Notification.forget(Document, [self.id], Notification.user.not_in(readers))


class DocumentTag(BaseModel):
    document = owned(Document, "tags")
    name = CharField(index=True)

    class Meta:
        indexes = ((("document", "name"), True),)

    @classmethod
    def named(cls, names: Any) -> Select:
        """The ids of the documents with one of these tags."""
        return cls.select(cls.document).where(one_of(cls.name)(names))


class DocumentShare(BaseModel):
    RESOURCE = "documents"
    PERMISSIONS = ("view", "edit")

    document = owned(Document, "shares")
    user = owned(User, "shares")
    permission = CharField(default="view")

    FILTERS = {"document_id": one_of(document)}

    class Meta:
        indexes = ((("document", "user"), True),)

    @classmethod
    def visible_to(cls, user: Any, everything: bool) -> Select:
        """All shares of one's own documents, and of others' those that one was given."""
        shown = cls.select(cls, *person(User, "user")).join(User)
        theirs = Document.select(Document.id).where(Document.author == user)
        return shown if everything else shown.where((cls.user == user) | cls.document.in_(theirs))

    @classmethod
    def given_to(cls, user: Any) -> Select:
        """The ids of the documents that `user` was given a share of."""
        return cls.select(cls.document).where(cls.user == user)


class DocumentReader(BaseModel):
    """One row for each user who has opened a document. Their number is its `views`."""

    document = owned(Document, "readers")
    user = owned(User, "read_documents")

    class Meta:
        indexes = ((("document", "user"), True),)


class File(Timestamped):
    RESOURCE = "files"
    OWNER = "owner"
    TYPES = ("image", "video", "audio", "document", "archive", "other")

    name = CharField()
    size = IntegerField()
    mime_type = CharField()
    type = CharField()
    folder = ForeignKeyField(Folder, null=True, backref="files", on_delete="SET NULL")
    is_favorite = BooleanField(default=False)
    #: SHA-256, in hexadecimal.
    checksum = CharField()
    owner = owned(User, "files")

    FILTERS = {
        "search": contains(name),
        "type": one_of(type),
        "folder_id": one_of(folder),
        "is_favorite": one_of(is_favorite),
    }
    SORTS = ("createdAt", "updatedAt", "name", "size")
    SORT = "-createdAt"

    class Meta:
        indexes = ((("owner", "created_at"), False), (("type", "created_at", "owner"), False))

    @classmethod
    def visible_to(cls, user: Any, everything: bool) -> Select:
        """The caller's own files."""
        folder = Folder.select(Folder.name).where(Folder.id == cls.folder).alias("folder_name")
        shown = cls.select(cls, folder, *person(User, "owner")).join(User)
        return shown if everything else shown.where(cls.owner == user)

    @classmethod
    def per_type(cls) -> Select:
        """How many files of each type everybody stores together."""
        return cls.select(cls.type, ROWS.alias("number")).group_by(cls.type)

    @classmethod
    def stored_by(cls, user: Any) -> Any:
        """The `bytes` that `user` stores of each `type`; another row of the type `document` counts their documents."""
        files = cls.select(cls.type, fn.SUM(cls.size).alias("bytes")).where(cls.owner == user).group_by(cls.type)
        written = Document.select(SQL("'document'"), fn.COALESCE(fn.SUM(Document.size), 0))
        return files.union_all(written.where(Document.author == user))


class FilePart(Table):
    """Some of a file's bytes. They have a table of their own, so that lists never read them.

    A file is stored in parts, because the driver of each connection keeps a copy of what it was last given.
    """

    #: How many parts a file has follows from it, so another one needs a migration that parts them anew.
    SIZE = 256 * 1024

    file = ForeignKeyField(File, backref="parts", on_delete="CASCADE", index=False)
    number = IntegerField()
    data = BlobField()

    class Meta:
        primary_key = CompositeKey("file", "number")

    @classmethod
    def numbered(cls, file: Any, number: Any) -> Select:
        return cls.select(cls.data).where(cls.file == file, cls.number == number)


# --- Messages and notifications --------------------------------------------------------------------------------------
class Conversation(Timestamped):
    RESOURCE = "messages"
    OWNER = "creator"
    TYPES = ("private", "group")

    type = CharField(default="private")
    #: The name of a group. A private conversation has none, until the other user is deleted: then it is theirs.
    name = CharField(default="")
    #: `3:7`, the members of a private conversation. It is unique, so that two people have one conversation.
    pair = CharField(null=True, unique=True)
    #: The user who made the group or wrote the first message; null once that user is deleted.
    creator = ForeignKeyField(User, null=True, backref="created_conversations", on_delete="SET NULL")

    SORTS = ("updatedAt",)
    SORT = "-updatedAt"

    @classmethod
    def visible_to(cls, user: Any, everything: bool, most: int | None = None) -> Select:
        """The user's conversations, with all members (or at most `most`) and the newest message that the user sees."""
        last, newest = Message.alias(), Message.select(fn.MAX(Message.id))
        newest = newest.where(Message.conversation == cls.id, Message.seen_by(user, everything))
        unread = MessageMark.select(ROWS).where(MessageMark.user == user, MessageMark.conversation == cls.id)
        here = ConversationMember.conversation == cls.id
        members = ConversationMember.select(User.id, User.name, User.avatar).join(User).where(here)
        size = ConversationMember.select(ROWS).where(here)
        shown = cls.select(
            cls,
            unread.where(~MessageMark.read).alias("unread_count"),
            gathered(members.order_by(ConversationMember.id).limit(most)).alias("members"),
            size.alias("member_count"),
            last.id.alias("last_id"),
            last.content.alias("last_content"),
            last.type.alias("last_type"),
            last.sender.alias("last_sender_id"),
            last.created_at.alias("last_created_at"),
        ).left_outer_join(last, on=(last.id == newest))
        return shown if everything else shown.where(cls.id.in_(ConversationMember.conversations_of(user)))

    @classmethod
    def listed(cls, user: Any, everything: bool) -> Select:
        """Like `visible_to`, with only the first members."""
        return cls.visible_to(user, everything, SHOWN)

    @classmethod
    def begin(cls, members: Iterable[int], **values: Any) -> Conversation:
        """A new conversation of `members`, created by the first of them."""
        users = list(dict.fromkeys(members))
        conversation = cls.create(creator=users[0], **values)
        insert_rows(ConversationMember, [{"conversation": conversation, "user": user} for user in users])
        return conversation

    @staticmethod
    def pair_of(one: int, other: int) -> str:
        """The `pair` of the private conversation of two people, or of one with themselves."""
        return f"{min(one, other)}:{max(one, other)}"

    def is_deserted(self) -> bool:
        """Whether the other user of a private conversation was deleted, so that nobody would read an answer."""
        return self.type == "private" and bool(self.name)

    def leave(self, user: int) -> bool:
        """Remove `user` and hide the messages from them. The last one to leave deletes it. False for no member."""
        mine = (ConversationMember.conversation == self) & (ConversationMember.user == user) & ~ConversationMember.away
        # A private conversation comes back with the next message, so they stay a member of it, who is away.
        private = self.type == "private"
        left = (ConversationMember.update(away=True) if private else ConversationMember.delete()).where(mine).execute()
        MessageMark.delete().where(MessageMark.conversation == self, MessageMark.user == user).execute()
        messages = Message.select(Message.id).where(Message.conversation == self)
        Notification.forget(Message, messages, Notification.user == user)
        present = ConversationMember.select().where(ConversationMember.conversation == self, ~ConversationMember.away)
        if not present.exists():
            self.delete_instance()
        return bool(left)


class ConversationMember(BaseModel):
    conversation = owned(Conversation, "members", index=False)  # served by (conversation, id)
    user = owned(User, "memberships")
    #: Whether the user left a private conversation. Its next message brings them back.
    away = BooleanField(default=False)

    class Meta:
        # With the second one the database reads the first members only.
        indexes = ((("conversation", "user"), True), (("conversation", "id"), False))

    @classmethod
    def conversations_of(cls, user: Any) -> Select:
        """The ids of the conversations that `user` is in."""
        return cls.select(cls.conversation).where(cls.user == user, ~cls.away)


class Message(Noticed, BaseModel):
    RESOURCE = "messages"
    OWNER = "sender"
    TYPES = ("text", "image", "file")

    conversation = owned(Conversation, "messages")
    sender = owned(User, "messages")
    content = TextField()
    type = CharField(default="text")
    created_at = UTCField(default=lambda: engines.now())

    FILTERS = {
        "conversation_id": one_of(conversation),
        "before": lambda message: Message.id < message,
        # The first value is the reader, whose marks count; those after it are true or false.
        "read": lambda of: one_of(Message.id.in_(MessageMark.read_by(of[0])))(of[1:]),
    }
    SORTS = ("createdAt",)
    SORT = "-createdAt"

    class Meta:
        indexes = ((("conversation", "created_at"), False),)

    @classmethod
    def seen_by(cls, user: Any, everything: bool) -> Any:
        """The condition that the message has a mark of `user` or, with `everything`, that `user` is not a member."""
        marked = cls.id.in_(MessageMark.messages_of(user))
        return marked | cls.conversation.not_in(ConversationMember.conversations_of(user)) if everything else marked

    @classmethod
    def visible_to(cls, user: Any, everything: bool) -> Select:
        """The messages that the user sees, and whether the user has read them."""
        sender, mark = User.alias(), MessageMark.alias()
        read = fn.COALESCE(mark.read, False).python_value(bool).alias("read")
        shown = cls.select(cls, *person(sender, "sender"), read)
        shown = shown.join(sender, on=(cls.sender == sender.id)).switch(cls)
        shown = shown.left_outer_join(mark, on=((mark.message == cls.id) & (mark.user == user)))
        return shown.where(cls.seen_by(user, everything))

    @classmethod
    def inbox(cls, user: Any, everything: bool) -> Select:
        """The messages that others sent to the user, also for a manager."""
        return cls.visible_to(user, False).where(cls.sender != user)

    @classmethod
    def sent(cls, user: Any, everything: bool) -> Select:
        """The messages that the user sent."""
        return cls.visible_to(user, False).where(cls.sender == user)

    @classmethod
    def send(cls, conversation: Conversation, sender: int, **values: Any) -> Message:
        """Send a message to every member; one who had left a private conversation is back in it."""
        message = cls.create(conversation=conversation, sender=sender, **values)
        conversation.change(updated_at=message.created_at)
        ConversationMember.update(away=False).where(ConversationMember.conversation == conversation).execute()
        common = {"message": message, "conversation": conversation}
        marks = [{**common, "user": user, "read": user == sender} for user in (sender, *message.readers)]
        insert_rows(MessageMark, marks)
        return message

    @cached_property
    def readers(self) -> list[int]:
        """The ids of the members of its conversation, without the sender, read once."""
        members: Any = ConversationMember.select(ConversationMember.user).tuples()
        here = ConversationMember.conversation == self.conversation_id
        return [user for (user,) in members.where(here, ConversationMember.user != self.sender_id)]

    def remove(self, user: int) -> None:
        """Delete the message as `user`.

        The sender deletes it for everyone. A member hides it from themselves. A manager who is no member deletes it
        for everyone.
        """
        unmarked = MessageMark.delete().where(MessageMark.message == self, MessageMark.user == user).execute()
        if self.sender_id == user or not unmarked:
            self.delete_instance()
        else:
            Notification.forget(Message, [self.id], Notification.user == user)


class MessageMark(BaseModel):
    """A member's mark on a message, created with it: read or not. Without a mark the member does not see it."""

    message = owned(Message, "marks")
    conversation = owned(Conversation, "marks")
    user = owned(User, "marks")
    read = BooleanField(default=False)

    class Meta:
        indexes = ((("message", "user"), True), (("user", "read", "conversation"), False))

    @classmethod
    def messages_of(cls, user: Any) -> Select:
        """The ids of the messages with a mark of `user`."""
        return cls.select(cls.message).where(cls.user == user)

    @classmethod
    def read_by(cls, user: Any) -> Select:
        """The ids of the messages that `user` has read."""
        return cls.messages_of(user).where(cls.read)


class Notification(BaseModel):
    WHOSE = "owner"
    TYPES = ("system", "user", "message", "task", "alert")

    user = owned(User, "notifications")
    type = CharField(default="system")
    #: An English text of the catalogue (web/texts.toml), shown in the reader's language.
    title = CharField()
    content = TextField(default="")
    link = CharField(default="")
    target_type = CharField(null=True)
    target_id = IntegerField(null=True)
    read = BooleanField(default=False)
    read_at = UTCField(null=True)
    #: The user who caused it; null for seeded rows and for deleted users.
    actor = ForeignKeyField(User, null=True, backref="caused", on_delete="SET NULL", index=False)
    created_at = UTCField(default=lambda: engines.now())

    FILTERS = {"type": one_of(type), "read": one_of(read)}
    SORTS = ("createdAt", "title")
    SORT = "-createdAt"

    class Meta:
        indexes = (
            (("user", "created_at"), False),
            (("user", "read"), False),
            (("target_type", "target_id"), False),
            (("actor", "created_at"), False),
        )

    @classmethod
    def visible_to(cls, user: Any, everything: bool) -> Select:
        """The user's own notifications, also for a manager."""
        return cls.select().where(cls.user == user)

    @classmethod
    def tell(cls, users: Iterable[int], type: str, title: str, *, actor: int, target: Any, content: str = "") -> None:
        """Notify `users` that `actor` did something to `target`; `title` is an English text of the catalogue."""
        model = target.__class__
        assert issubclass(model, Noticed), f"{model.__name__} must be Noticed, or its notifications outlive it"
        common = {"type": type, "title": title, "content": content[:200], "actor": actor}
        common |= {"target_type": target._meta.name, "target_id": target.id}
        common |= {"link": f"/{target.RESOURCE}" if target.RESOURCE else ""}  # front ends have a page for each resource
        insert_rows(cls, [{"user": user, **common} for user in users])

    @classmethod
    def caused_by(cls, actor: Any, since: Any, until: Any) -> Select:
        """When `actor` caused notifications, between two instants, the oldest first."""
        then = cls.select(cls.created_at).where(cls.actor == actor, cls.created_at.between(since, until))
        return then.order_by(cls.created_at)

    @classmethod
    def forget(cls, model: Any, ids: Any, *whose: Any) -> None:
        """Delete the notifications about these rows of `model`: all, or those for which the conditions `whose` hold."""
        about = (cls.target_type == model._meta.name) & cls.target_id.in_(ids)
        cls.delete().where(about, *whose).execute()


# --- Teams, calendar, tasks ------------------------------------------------------------------------------------------
class Team(Noticed, Timestamped):
    RESOURCE = "teams"

    name = CharField()
    description = TextField(default="")
    avatar = TextField(null=True)

    FILTERS = {"search": contains(name, description)}
    SORTS = ("createdAt", "updatedAt", "name")
    SORT = "name"

    @classmethod
    def visible_to(cls, user: Any, everything: bool) -> Select:
        """The teams that the user is in, with all members, admins first."""
        members = TeamMember.select(User.id, User.name, User.avatar, TeamMember.role).join(User)
        here = members.where(TeamMember.team == cls.id).order_by(TeamMember.role, TeamMember.id)
        return cls.listed(user, everything).select_extend(gathered(here).alias("members"))

    @classmethod
    def listed(cls, user: Any, everything: bool) -> Select:
        """Like `visible_to`, with only the number of members."""
        size = TeamMember.select(ROWS).where(TeamMember.team == cls.id)
        shown = cls.select(cls, size.alias("member_count"))
        return shown if everything else shown.where(cls.id.in_(TeamMember.teams_of(user)))

    @classmethod
    def changeable_by(cls, user: Any) -> Any:
        """The condition that `user` is an admin of the team."""
        return cls.id.in_(TeamMember.teams_of(user).where(TeamMember.role == "admin"))


class TeamMember(BaseModel):
    ROLES = ("admin", "member")

    team = owned(Team, "members")
    user = owned(User, "teams")
    role = CharField(default="member")

    class Meta:
        indexes = ((("team", "user"), True),)

    @classmethod
    def keep_an_admin(cls, team: int) -> None:
        """Make the member who joined first the admin of a team that has none; active users come before others."""
        members = cls.select(cls).join(User).where(cls.team == team)
        if not members.where(cls.role == "admin").exists():
            heir = members.order_by(User.status != "active", cls.id).first()
            if heir:
                heir.change(role="admin")

    @classmethod
    def teams_of(cls, user: Any) -> Select:
        """The ids of the teams that `user` is in."""
        return cls.select(cls.team).where(cls.user == user)


class Event(Noticed, Timestamped):
    """An event. An all-day event stores plain dates, as midnights without a zone; its end is exclusive."""

    RESOURCE = "calendar"
    OWNER = "organizer"
    TYPES = ("meeting", "task", "reminder", "holiday")

    title = CharField()
    description = TextField(default="")
    start = UTCField()
    end = UTCField(index=True)
    all_day = BooleanField(default=False)
    type = CharField(default="meeting")
    location = CharField(default="")
    color = CharField(default="")
    organizer = owned(User, "events")

    FILTERS = {
        "search": contains(title, description, location),
        "type": one_of(type),
        # Events that overlap a window of time. One without a length overlaps if its start lies inside.
        "start": lambda edge: (Event.end > Event.at_edge(edge)) | (Event.start == Event.at_edge(edge)),
        "end": lambda edge: Event.start < Event.at_edge(edge),
    }
    SORTS = ("start", "createdAt", "updatedAt", "title")
    SORT = "start"

    class Meta:
        indexes = ((("organizer", "start"), False),)

    @classmethod
    def visible_to(cls, user: Any, everything: bool, most: int | None = None) -> Select:
        """The events that the user organises or is invited to, with all attendees (or at most `most`)."""
        here = EventAttendee.event == cls.id
        invited = EventAttendee.select(User.id, User.name, User.avatar, EventAttendee.status).join(User).where(here)
        number = EventAttendee.select(ROWS).where(here)
        attendees = gathered(invited.order_by(EventAttendee.id).limit(most)).alias("attendees")
        shown = cls.select(cls, *person(User, "organizer"), attendees, number.alias("attendee_count")).join(User)
        invitations = EventAttendee.select(EventAttendee.event).where(EventAttendee.user == user)
        return shown if everything else shown.where((cls.organizer == user) | among(cls.id, invitations))

    @classmethod
    def listed(cls, user: Any, everything: bool) -> Select:
        """Like `visible_to`, with only the first attendees."""
        return cls.visible_to(user, everything, SHOWN)

    @staticmethod
    def edge(time: datetime, zone: tzinfo) -> list[datetime]:
        """An edge of a window as the filters take it: the instant, and for all-day events the local time in `zone`."""
        return [time, time.astimezone(zone).replace(tzinfo=UTC)]

    @classmethod
    def at_edge(cls, edge: Any) -> Any:
        """The one of the two that the start and end of an event are compared with."""
        return Case(None, [(cls.all_day, edge[1])], edge[0])

    def uninvite(self, users: Any) -> int:
        """Take back the invitations for which the condition `users` holds, and return their number."""
        here = EventAttendee.event == self
        number = EventAttendee.delete().where(here, users).execute()
        self.changed = self.changed or bool(number)
        invited = EventAttendee.select(EventAttendee.user).where(here)
        Notification.forget(Event, [self.id], Notification.user.not_in(invited))
        return number


class EventAttendee(BaseModel):
    STATUSES = ("pending", "accepted", "declined", "tentative")

    event = owned(Event, "attendees", index=False)  # served by (event, id)
    user = owned(User, "invitations")
    status = CharField(default="pending")

    class Meta:
        # With the second one the database reads the first attendees only.
        indexes = ((("event", "user"), True), (("event", "id"), False))


class Task(Noticed, Timestamped):
    RESOURCE = "tasks"
    OWNER = "creator"
    STATUSES = ("pending", "in_progress", "done")
    PRIORITIES = ("low", "medium", "high")

    title = CharField()
    description = TextField(default="")
    status = CharField(default="pending")
    priority = CharField(default="medium")
    due_date = DateField(null=True)
    progress = IntegerField(default=0)
    assignee = ForeignKeyField(User, null=True, backref="tasks", on_delete="SET NULL")
    creator = owned(User, "created_tasks")

    FILTERS = {
        "search": contains(title),
        "status": one_of(status),
        "priority": one_of(priority),
        "assignee_id": one_of(assignee),
    }
    SORTS = ("createdAt", "updatedAt", "title", "dueDate", "priority")
    #: What a sort by `priority` goes by (`sort_column`).
    by_priority = Case(priority, [("low", 1), ("medium", 2), ("high", 3)])
    SORT = "-createdAt"

    class Meta:
        indexes = ((("assignee", "status"), False), (("creator", "created_at"), False))

    @classmethod
    def visible_to(cls, user: Any, everything: bool) -> Select:
        """The tasks that the user made or was given."""
        creator, assignee = User.alias(), User.alias()
        shown = cls.select(cls, *person(creator, "creator"), *person(assignee, "assignee"))
        shown = shown.join(creator, on=(cls.creator == creator.id)).switch(cls)
        shown = shown.left_outer_join(assignee, on=(cls.assignee == assignee.id))
        return shown if everything else shown.where((cls.creator == user) | (cls.assignee == user))


class Order(BaseModel):
    STATUSES = ("paid", "pending", "refunded")

    user = ForeignKeyField(User, null=True, backref="orders", on_delete="SET NULL")
    status = CharField(default="paid")
    #: In fen, a hundredth of a yuan.
    amount = IntegerField()
    cost = IntegerField()
    created_at = UTCField(default=lambda: engines.now(), index=True)

    @classmethod
    def per_span(cls, **bounds: Any) -> Select:
        """Per span: all orders and their `sales`, the `revenue` of paid ones, and `profit` (revenue less cost)."""
        sums = {
            "sales": cls.amount,
            "revenue": Case(cls.status, [("paid", cls.amount)], 0),
            "profit": Case(cls.status, [("paid", cls.amount - cls.cost)], 0),
        }
        totals = [fn.COALESCE(fn.SUM(value), 0).alias(name) for name, value in sums.items()]
        return per_span(cls.created_at, bounds, fn.COUNT(cls.id).alias("orders"), *totals)


class Visit(BaseModel):
    """One visit: a login, or a row of the seeded traffic."""

    #: A user's id, or the name of an anonymous visitor of the seeded traffic.
    visitor = CharField()
    pages = IntegerField(default=1)
    at = UTCField(default=lambda: engines.now(), index=True)

    @classmethod
    def per_span(cls, **bounds: Any) -> Select:
        """Per span: `visits`, `unique_visitors` and `page_views`."""
        visitors = fn.COUNT(cls.visitor.distinct()).alias("unique_visitors")
        pages = fn.COALESCE(fn.SUM(cls.pages), 0).alias("page_views")
        return per_span(cls.at, bounds, fn.COUNT(cls.id).alias("visits"), visitors, pages)


class Activity(BaseModel):
    """The audit trail: who did what to which row. It outlives both the user and the row."""

    WHOSE = "nobody"  # the view chooses between everybody's and the caller's

    user = ForeignKeyField(User, null=True, backref="activities", on_delete="SET NULL")
    action = CharField()
    target_type = CharField()
    target_id = IntegerField(null=True)
    #: The name of the target when it happened.
    target_name = CharField(default="")
    created_at = UTCField(default=lambda: engines.now())

    SORTS = ("createdAt",)
    SORT = "-createdAt"

    class Meta:
        table_name = "activities"
        indexes = ((("user", "created_at"), False),)

    @classmethod
    def record(cls, user: int, action: str, *targets: BaseModel) -> None:
        """Record that `user` did `action` to each of `targets`. Call it in the same transaction.

        An update that changed nothing is not recorded: clients often send back what they got.
        """
        rows = []
        for target in targets:
            if target.changed or action in ("create", "delete"):
                name = str(getattr(target, "name", None) or getattr(target, "title", ""))
                about = {"target_type": target._meta.name, "target_id": target.id, "target_name": name[:200]}
                rows.append({"user": user, "action": action, **about})
        insert_rows(cls, rows)

    @classmethod
    def everybodys(cls, user: Any, everything: bool) -> Select:
        """All activities, whoever asks."""
        return cls.select(cls, *person(User, "user")).left_outer_join(User)

    @classmethod
    def mine(cls, user: Any, everything: bool) -> Select:
        """The user's own activities."""
        return cls.everybodys(user, everything).where(cls.user == user)


def totals(user: Any) -> Select:
    """The totals of the dashboard, and the open tasks and unread messages of `user`, in one row."""
    paid = Order.select(fn.COALESCE(fn.SUM(Order.amount), 0)).where(Order.status == "paid")
    theirs = (Task.creator == user) | (Task.assignee == user)
    unread = (MessageMark.user == user) & ~MessageMark.read
    counts: dict[str, Any] = {
        "active_users": User.select(ROWS).where(User.status == "active"),
        "total_documents": Document.select(ROWS),
        "total_files": File.select(ROWS),
        "total_orders": Order.select(ROWS),
        "total_revenue": paid,
        "pending_tasks": Task.select(ROWS).where(theirs, Task.status != "done"),
        "unread_messages": MessageMark.select(ROWS).where(unread),
    }
    return User.select(ROWS.alias("total_users"), *(query.alias(name) for name, query in counts.items()))
