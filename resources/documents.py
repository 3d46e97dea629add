"""Documents: what one writes, keeps in folders and shares, to be read only or to be edited too."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import peewee
from marshmallow import ValidationError, pre_load

from database import engines
from models import Activity, Document, DocumentReader, DocumentShare, Folder, User
from resources.folders import refuse_foreign_folder
from web import fields, limits
from web.allowances import notify, refuse_crowd, refuse_full_storage, refuse_more_than
from web.api import Blueprint, Schema, current_user, get_all_or_404, get_or_404, paginate, references, refuse
from web.arguments import DELETED, IdsArgs, PageArgs, Sort, Values, search_field
from web.errors import DATABASE_ERRORS, first_line, is_outage

log = logging.getLogger("halolight")
blp = Blueprint(
    "documents", __name__, url_prefix="/api/documents", description="Documents and whom they are shared with"
)

SCOPES = {"mine": Document.mine, "shared": Document.shared_with, "all": Document.listed}


class Content(fields.Text):
    """The text of a document: at most 1 MB, counted in bytes of UTF-8 as `size` is."""

    MOST = 1024 * 1024

    def __init__(self) -> None:
        super().__init__(self.MOST, strip=False)

    def _deserialize(self, *args: Any, **kwargs: Any) -> str:
        text = super()._deserialize(*args, **kwargs)
        if len(text.encode()) > self.MOST:
            raise ValidationError(f"Longer than {self.MOST} bytes.")
        return text


class DocumentSchema(Schema):
    ACCEPTED = frozenset({"name"})

    id = fields.Integer(dump_only=True)
    title = fields.Text(200, 1, required=True)
    content = Content()
    type = fields.Choice(Document.TYPES)
    size = fields.Integer(dump_only=True, metadata={"description": "bytes of the content"})
    tags = fields.Several(fields.Text(200, 1), 20)
    folder_id = fields.Id(allow_none=True)
    shared = fields.Boolean(dump_only=True)
    views = fields.Integer(dump_only=True, metadata={"description": "how many people have read it"})
    author = fields.Person()
    author_id = fields.Integer(dump_only=True)
    created_at = fields.Instant(dump_only=True)
    updated_at = fields.Instant(dump_only=True)

    @pre_load
    def accept_name(self, data: Any, **kwargs: Any) -> Any:
        """`name`, as front ends call it, stands for an absent `title`."""
        return {"title": data["name"], **data} if isinstance(data, dict) and "name" in data else data


class ListedDocumentSchema(DocumentSchema):
    class Meta(Schema.Meta):
        exclude = ("content",)


class DocumentArgs(PageArgs):
    search = search_field()
    scope = fields.Choice(SCOPES, load_default="all")
    type = Values(fields.Choice(Document.TYPES))
    tags = Values(fields.Text(200))
    folder_id = fields.InFolder()
    author_id = Values(fields.Id())
    sort = Sort(Document)


class ShareArgs(Schema):
    user_ids = fields.Several(fields.Id(), 1000, 1, required=True)
    permission = fields.Choice(DocumentShare.PERMISSIONS, load_default="view")


class UnshareArgs(Schema):
    user_ids = fields.Several(fields.Id(), 1000, metadata={"description": "everybody, where it is absent"})


DOCUMENT, DOCUMENTS, DOCUMENT_CHANGES = DocumentSchema(), ListedDocumentSchema(many=True), DocumentSchema(partial=True)


_searches = threading.BoundedSemaphore(limits.SEARCHES)


@contextmanager
def searching() -> Iterator[None]:
    """Be one of a few searches at a time, because each reads all documents in sight; 503 if there are too many."""
    if not _searches.acquire(timeout=limits.SEARCH_WAIT):
        refuse(503, "Too many requests, try again later", retry_after=1)
    try:
        yield
    finally:
        _searches.release()


def remember_reader(document: Any) -> Any:
    """Count the caller among a document's readers, once; that this cannot be written is no reason not to read it."""
    if document.read:
        return document
    try:
        with engines.write(current_user.id):
            DocumentReader.create(document=document.id, user=current_user.id)
    except peewee.IntegrityError:
        return document  # another tab was faster, or the document is gone since
    except DATABASE_ERRORS as error:
        if not is_outage(error):
            raise
        log.warning("a reader of document %s was not remembered: %s", document.id, first_line(error))
        return document
    return document._replace(views=document.views + 1)


@blp.route("")
@blp.require("documents:view")
@blp.arguments(DocumentArgs(), location="query")
@blp.response(200, DOCUMENTS)
def list_documents(args):
    """The documents you wrote or were given a share of, without their contents"""
    references("folderId", Folder.visible_to, args.get("folder_id"))
    references("authorId", User.contacts, args.get("author_id"), (Document.listed, Document.author))
    with searching() if args.get("search") else nullcontext():
        return paginate(SCOPES[args["scope"]], args)


@blp.route("", methods=["POST"])
@blp.require("documents:create")
@blp.arguments(DOCUMENT)
@blp.response(201, DOCUMENT, message="Document created", alone=False)
def create_document(data):
    """Write a document"""
    refuse_foreign_folder("folderId", data.get("folder_id"), current_user.id)
    refuse_more_than(limits.ROWS, Document)
    refuse_full_storage(current_user.id, len(data.get("content", "").encode()))
    document = Document.create(author=current_user.id, **data)
    Activity.record(current_user.id, "create", document)
    return document


@blp.route("/<id:document_id>")
@blp.require("documents:view")
@blp.response(200, DOCUMENT)
def get_document(document_id):
    """One document; whoever reads it counts once among its `views`"""
    return remember_reader(get_or_404(Document.visible_to, document_id))


@blp.route("/<id:document_id>", methods=["PUT", "PATCH"])
@blp.require("documents:update")
@blp.arguments(DOCUMENT_CHANGES)
@blp.response(200, DOCUMENT, message="Document updated", alone=False)
def update_document(data, document_id):
    """Change a document; an `edit` share opens title, content and tags"""
    document = get_or_404(Document.visible_to, document_id, change=Document.editable_by)
    moved = data.get("folder_id", document.folder_id) != document.folder_id
    if moved or data.get("type", document.type) != document.type:
        get_or_404(Document.visible_to, document_id, change=Document.owned_by)
    if moved:
        refuse_foreign_folder("folderId", data["folder_id"], document.author_id)
    longer = len(data.get("content", "").encode()) - document.size
    if longer > 0:
        refuse_full_storage(document.author_id, longer)
    document.change(**data)
    Activity.record(current_user.id, "update", document)
    return document


@blp.route("/<id:document_id>", methods=["DELETE"])
@blp.require("documents:delete")
@blp.response(200, message="Document deleted", alone=False)
def delete_document(document_id):
    """Delete a document you wrote"""
    document = get_or_404(Document.visible_to, document_id, change=Document.owned_by)
    Activity.record(current_user.id, "delete", document)
    document.delete_instance()


@blp.route("/batch-delete", methods=["POST"])
@blp.require("documents:delete")
@blp.arguments(IdsArgs())
@blp.response(200, DELETED, message="Documents deleted")
def batch_delete_documents(data):
    """Delete several documents: all of them or none"""
    ids = get_all_or_404(Document.visible_to, data["ids"], change=Document.owned_by)
    for document in Document.select(Document.id, Document.title).where(Document.id.in_(ids)):
        Activity.record(current_user.id, "delete", document)
        document.delete_instance()
    return {"deleted": len(ids)}


@blp.route("/<id:document_id>/share", methods=["POST"])
@blp.require("documents:update")
@blp.arguments(ShareArgs())
@blp.response(200, DOCUMENT, message="Document shared", alone=False, errors=(429,))
def share_document(data, document_id):
    """Let others read a document you wrote, or edit it too"""
    document = get_or_404(Document.visible_to, document_id, change=Document.owned_by)
    references("userIds", User.contacts, data["user_ids"])
    told = document.share(data["user_ids"], data["permission"])
    if told:
        refuse_crowd("userIds", document.shares.count(), Document)
    notify(told, "user", "A document was shared with you", content=document.title, target=document)
    Activity.record(current_user.id, "update", document)
    return document


@blp.route("/<id:document_id>/unshare", methods=["POST"])
@blp.require("documents:update")
@blp.arguments(UnshareArgs())
@blp.response(200, DOCUMENT, message="Document no longer shared", alone=False)
def unshare_document(data, document_id):
    """Take a document back from some of those it is shared with, or from all"""
    document = get_or_404(Document.visible_to, document_id, change=Document.owned_by)
    ids = data.get("user_ids", [])
    if set(ids) - {share.user_id for share in document.shares}:
        references("userIds", User.contacts, ids)
    document.unshare(data.get("user_ids"))
    Activity.record(current_user.id, "update", document)
    return document
