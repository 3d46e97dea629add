"""Folders: trees in which users keep their documents and files."""

from database import rules
from models import Folder
from web import fields
from web.allowances import refuse_too_many
from web.api import Blueprint, Schema, current_user, get_or_404, paginate, references, refuse, refuse_field, sees_all
from web.arguments import LongPageArgs, Sort, scope_field, search_field
from web.audit import delete, record
from web.openapi import reply_schema

blp = Blueprint("folders", __name__, url_prefix="/api/folders", description="Folders of documents and files")

FOLDER_NAME = {"type": ["string", "null"], "description": "null if you may not see the folder"}
#: JSON libraries refuse a tree that is nested a thousand levels deep.
MAX_LEVELS = 50


def name_of_folder(owner_id: int, name: str | None) -> str | None:
    """The name of the folder that a row lies in; None for users whom the owner has shared only the row with."""
    return name if name and (owner_id == current_user.id or sees_all(Folder)) else None


class FolderSchema(Schema):
    id = fields.Integer(dump_only=True)
    name = fields.Text(200, 1, required=True)
    parent_id = fields.Id(allow_none=True)
    item_count = fields.Integer(dump_only=True, metadata={"description": "folders, documents and files directly in it"})
    owner = fields.Person()
    owner_id = fields.Integer(dump_only=True)
    created_at = fields.Instant(dump_only=True)
    updated_at = fields.Instant(dump_only=True)


class FolderTreeSchema(Schema):
    id = fields.Integer(dump_only=True)
    name = fields.String(dump_only=True)
    children = fields.List(fields.Nested(lambda: reply_schema(FolderTreeSchema())), dump_only=True)


class FolderArgs(LongPageArgs):
    search = search_field()
    parent_id = fields.InFolder()
    scope = scope_field()
    sort = Sort(Folder)


FOLDER, FOLDERS, FOLDER_CHANGES = FolderSchema(), FolderSchema(many=True), FolderSchema(partial=True)


def refuse_foreign_folder(field: str, folder_id: int | None, owner_id: int) -> None:
    """400 on `field` unless the caller sees the folder and the user `owner_id` owns it."""
    references(field, Folder.visible_to, folder_id)
    if folder_id is not None and Folder.get_by_id(folder_id).owner_id != owner_id:
        refuse_field(field, "There is no such row.")


def refuse_place(folder_id: int, parent_id: int | None) -> None:
    """409 if a folder (0: a new one) would become part of itself, or make the tree too deep."""
    path = [] if parent_id is None else rules.path(Folder.parent, parent_id, MAX_LEVELS)
    if folder_id in path:
        refuse(409, "A folder cannot be moved into itself")
    height = rules.height(Folder.parent, folder_id, MAX_LEVELS) if folder_id else 1
    if len(path) + height > MAX_LEVELS:
        refuse(409, f"Folders cannot be nested more than {MAX_LEVELS} levels deep")


@blp.route("")
@blp.require("folders:view")
@blp.arguments(FolderArgs(), location="query")
@blp.response(200, FOLDERS)
def list_folders(args):
    """List your folders"""
    references("parentId", Folder.visible_to, args.get("parent_id"))
    return paginate(Folder.visible_to, args)


@blp.route("", methods=["POST"])
@blp.require("folders:create")
@blp.arguments(FOLDER)
@blp.response(201, FOLDER, message="Folder created")
def create_folder(data):
    """Create a folder, at the root or in another folder"""
    refuse_foreign_folder("parentId", data.get("parent_id"), current_user.id)
    refuse_place(0, data.get("parent_id"))
    refuse_too_many(Folder)
    return record("create", Folder.create(owner=current_user.id, **data))


@blp.route("/<id:folder_id>")
@blp.require("folders:view")
@blp.response(200, FOLDER)
def get_folder(folder_id):
    """Get a folder"""
    return get_or_404(Folder.visible_to, folder_id)


@blp.route("/<id:folder_id>", methods=["PUT", "PATCH"])
@blp.require("folders:update")
@blp.arguments(FOLDER_CHANGES)
@blp.response(200, FOLDER, message="Folder updated")
def update_folder(data, folder_id):
    """Rename a folder, or move it with its contents"""
    folder = get_or_404(Folder.visible_to, folder_id, change=True)
    if data.get("parent_id", folder.parent_id) != folder.parent_id:
        refuse_foreign_folder("parentId", data["parent_id"], folder.owner_id)
        refuse_place(folder.id, data["parent_id"])
    return record("update", folder.change(**data))


@blp.route("/<id:folder_id>", methods=["DELETE"])
@blp.require("folders:delete")
@blp.response(200, message="Folder deleted")
def delete_folder(folder_id):
    """Delete an empty folder"""
    folder = get_or_404(Folder.visible_to, folder_id, change=True)
    if not folder.is_empty():
        refuse(409, "The folder is not empty")
    delete(folder)


@blp.route("/tree")
@blp.require("folders:view")
@blp.response(200, FolderTreeSchema(many=True, paged=False))
def get_tree():
    """Get your folders as a tree"""
    visible = Folder.visible_to(current_user.id, sees_all(Folder)).select(Folder.id, Folder.name, Folder.parent)
    folders = list(visible.order_by(Folder.name, Folder.id).tuples())
    nodes = {id: {"id": id, "name": name, "children": []} for id, name, _ in folders}
    for id, _, parent in folders:
        if parent is not None:
            nodes[parent]["children"].append(nodes[id])
    return [nodes[id] for id, _, parent in folders if parent is None]
