"""Documents: texts with tags, kept in folders, and shared with others to view or to edit."""

from contextlib import nullcontext
from typing import Any

import peewee
from flask import current_app
from marshmallow import ValidationError

from database import engines
from database.engines import first_line
from models import Document, DocumentReader, DocumentShare, Folder, User
from resources.folders import FOLDER_NAME, name_of_folder, refuse_foreign_folder
from web import fields, limits
from web.allowances import notify, refuse_crowd, refuse_full_storage, refuse_too_many, searching
from web.api import Blueprint, Schema, current_user, get_all_or_404, get_or_404, paginate, references
from web.arguments import DELETED, IdsArgs, LongPageArgs, PageArgs, Sort, Values, search_field
from web.audit import delete, record
from web.errors import DATABASE_ERRORS, is_outage

blp = Blueprint("documents", __name__, url_prefix="/api/documents", description="Documents and their shares")

SCOPES = {"mine": Document.mine, "shared": Document.shared_with, "all": Document.listed}


def at_most_1_mb(content: str) -> str:
    """The content itself; 400 if it has more than 1 MB in UTF-8, as `size` counts."""
    if len(content.encode()) > limits.MB:
        raise ValidationError(f"Longer than {limits.MB} bytes.")
    return content


class DocumentSchema(Schema):
    ALIASES = {"name": "title"}

    id = fields.Integer(dump_only=True)
    title = fields.Text(200, 1, required=True)
    content = fields.Text(limits.MB, strip=False, clean=at_most_1_mb)
    type = fields.Choice(Document.TYPES)
    size = fields.Integer(dump_only=True, metadata={"description": "bytes of the content in UTF-8"})
    tags = fields.Several(fields.Text(200, 1), 20)
    folder_id = fields.Id(allow_none=True)
    folder_name = fields.Function(lambda row: name_of_folder(row.author_id, row.folder_name), metadata=FOLDER_NAME)
    shared = fields.Boolean(dump_only=True)
    views = fields.Integer(dump_only=True, metadata={"description": "how many users have read it"})
    author = fields.Person()
    author_id = fields.Integer(dump_only=True)
    created_at = fields.Instant(dump_only=True)
    updated_at = fields.Instant(dump_only=True)


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


class ShareSchema(Schema):
    user = fields.Person()
    user_id = fields.Integer()
    permission = fields.Choice(DocumentShare.PERMISSIONS)


class SharesArgs(LongPageArgs):
    sort = Sort(DocumentShare)


class UnshareArgs(Schema):
    user_ids = fields.Several(fields.Id(), 1000, metadata={"description": "all users by default"})


DOCUMENT, DOCUMENT_CHANGES = DocumentSchema(), DocumentSchema(partial=True)
DOCUMENTS = DocumentSchema(many=True, exclude=("content",))


def count_reader(document: Any) -> Any:
    """Count the caller once among the readers of a document. If the database cannot write now, it is still shown."""
    if document.read:
        return document
    try:
        with engines.write(current_user.id):
            DocumentReader.create(document=document.id, user=current_user.id)
    except peewee.IntegrityError:
        return document  # a concurrent request counted it, or deleted the document
    except DATABASE_ERRORS as error:
        if not is_outage(error):
            raise
        current_app.logger.warning("a reader of document %s was not counted: %s", document.id, first_line(error))
        return document
    return document._replace(views=document.views + 1)


@blp.route("")
@blp.require("documents:view")
@blp.arguments(DocumentArgs(), location="query")
@blp.response(200, DOCUMENTS)
def list_documents(args):
    """List the documents you wrote or that are shared with you, without their contents"""
    references("folderId", Folder.visible_to, args.get("folder_id"))
    references("authorId", User.contacts, args.get("author_id"), (Document.listed, Document.author))
    with searching() if args.get("search") else nullcontext():
        return paginate(SCOPES[args["scope"]], args)


@blp.route("", methods=["POST"])
@blp.require("documents:create")
@blp.arguments(DOCUMENT)
@blp.response(201, DOCUMENT, message="Document created", alone=False)
def create_document(data):
    """Create a document"""
    refuse_foreign_folder("folderId", data.get("folder_id"), current_user.id)
    refuse_too_many(Document)
    refuse_full_storage(current_user.id, len(data.get("content", "").encode()))
    return record("create", Document.create(author=current_user.id, **data))


@blp.route("/<id:document_id>")
@blp.require("documents:view")
@blp.response(200, DOCUMENT)
def get_document(document_id):
    """Get a document; each reader counts once in its `views`"""
    return count_reader(get_or_404(Document.visible_to, document_id))


@blp.route("/<id:document_id>", methods=["PUT", "PATCH"])
@blp.require("documents:update")
@blp.arguments(DOCUMENT_CHANGES)
@blp.response(200, DOCUMENT, message="Document updated", alone=False)
def update_document(data, document_id):
    """Update a document; an `edit` share allows changing title, content and tags"""
    document = get_or_404(Document.visible_to, document_id, change=Document.editable_by)
    moved = data.get("folder_id", document.folder_id) != document.folder_id
    if moved or data.get("type", document.type) != document.type:
        get_or_404(Document.visible_to, document_id, change=Document.owned_by)
    if moved:
        refuse_foreign_folder("folderId", data["folder_id"], document.author_id)
    longer = len(data.get("content", "").encode()) - document.size
    if longer > 0:
        refuse_full_storage(document.author_id, longer)
    return record("update", document.change(**data))


@blp.route("/<id:document_id>", methods=["DELETE"])
@blp.require("documents:delete")
@blp.response(200, message="Document deleted", alone=False)
def delete_document(document_id):
    """Delete a document you wrote"""
    delete(get_or_404(Document.visible_to, document_id, change=Document.owned_by))


@blp.route("/batch-delete", methods=["POST"])
@blp.require("documents:delete")
@blp.arguments(IdsArgs())
@blp.response(200, DELETED, message="Documents deleted")
def batch_delete_documents(data):
    """Delete several documents, either all or none"""
    ids = get_all_or_404(Document.visible_to, data["ids"], change=Document.owned_by)
    return {"deleted": delete(*Document.select(Document.id, Document.title).where(Document.id.in_(ids)))}


@blp.route("/<id:document_id>/share", methods=["POST"])
@blp.require("documents:update")
@blp.arguments(ShareArgs())
@blp.response(200, DOCUMENT, message="Document shared", alone=False, errors=(429,))
def share_document(data, document_id):
    """Share a document you wrote, to `view` or to `edit`"""
    document = get_or_404(Document.visible_to, document_id, change=Document.owned_by)
    references("userIds", User.contacts, data["user_ids"])
    new = document.share(data["user_ids"], data["permission"])
    if new:
        refuse_crowd("userIds", document.shares.count(), Document)
    notify(new, "user", "A document was shared with you", content=document.title, target=document)
    return record("update", document)


@blp.route("/<id:document_id>/shares")
@blp.require("documents:view")
@blp.arguments(SharesArgs(), location="query")
@blp.response(200, ShareSchema(many=True))
def list_document_shares(args, document_id):
    """List the shares of a document you wrote; of another's, your own share"""
    get_or_404(Document.visible_to, document_id)
    return paginate(DocumentShare.visible_to, {**args, "document_id": document_id})


@blp.route("/<id:document_id>/unshare", methods=["POST"])
@blp.require("documents:update")
@blp.arguments(UnshareArgs())
@blp.response(200, DOCUMENT, message="Document no longer shared", alone=False)
def unshare_document(data, document_id):
    """Stop sharing a document you wrote with some users, or with all"""
    document = get_or_404(Document.visible_to, document_id, change=Document.owned_by)
    references("userIds", User.contacts, data.get("user_ids"), known=[share.user_id for share in document.shares])
    document.unshare(data.get("user_ids"))
    return record("update", document)
