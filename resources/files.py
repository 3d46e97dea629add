"""Files: uploads. Their bytes are stored in the database as well, in the same transaction as their row."""

import re
from typing import Any

from flask import current_app
from marshmallow import ValidationError
from werkzeug.datastructures import FileStorage

from database.base import insert_rows
from database.compiled import rows
from models import File, FilePart, Folder
from resources.folders import FOLDER_NAME, name_of_folder, refuse_foreign_folder
from web import fields, limits
from web.allowances import refuse_full_storage, refuse_too_many
from web.api import Blueprint, Schema, answer, current_user, get_all_or_404, get_or_404, paginate, references, refuse
from web.arguments import DELETED, IdsArgs, PageArgs, Sort, Values, scope_field, search_field
from web.audit import delete, record
from web.downloads import bytes_of, link, linked_file
from web.mime import describe, parts
from web.security import write

blp = Blueprint("files", __name__, url_prefix="/api/files", description="Uploaded files")

BINARY = {"type": "string", "format": "binary"}
URL = {"type": "string", "description": "needs no header; valid for at least an hour"}
#: Quotes, slashes and control characters, also those that change the direction of text (`gnp.exe` read backwards).
UNSAFE = re.compile('[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff"/\\\\]')


def safe_name(name: str) -> str:
    """A file name that is harmless in a header, on a disk and on a screen."""
    return UNSAFE.sub("_", name)


def file_name(**options: Any) -> fields.Text:
    return fields.Text(200, 1, clean=safe_name, **options)


def check_file(value: Any) -> None:
    if not isinstance(value, FileStorage):
        raise ValidationError("Not a file.")


class FileSchema(Schema):
    id = fields.Integer(dump_only=True)
    name = file_name()
    size = fields.Integer(dump_only=True)
    mime_type = fields.String(dump_only=True)
    type = fields.Choice(File.TYPES, dump_only=True)
    folder_id = fields.Id(allow_none=True)
    folder_name = fields.Function(lambda row: name_of_folder(row.owner_id, row.folder_name), metadata=FOLDER_NAME)
    is_favorite = fields.Boolean()
    checksum = fields.String(dump_only=True, metadata={"description": "SHA-256"})
    url = fields.Function(lambda row: link(row.id), metadata=URL)
    owner = fields.Person()
    owner_id = fields.Integer(dump_only=True)
    created_at = fields.Instant(dump_only=True)
    updated_at = fields.Instant(dump_only=True)


class UploadArgs(Schema):
    file = fields.Raw(required=True, validate=check_file, metadata=BINARY)
    name = file_name(metadata={"description": "by default the name of the uploaded file"})
    folder_id = fields.Id()


class FileArgs(PageArgs):
    search = search_field()
    type = Values(fields.Choice(File.TYPES))
    folder_id = fields.InFolder()
    is_favorite = Values(fields.Boolean(), closed=True)
    scope = scope_field()
    sort = Sort(File)


class DownloadArgs(Schema):
    inline = fields.Boolean(load_default=False, metadata={"description": "let a browser show it, if that is safe"})


Breakdown = Schema.from_dict({type: fields.Integer() for type in File.TYPES}, name="StorageBreakdownSchema")


class StorageSchema(Schema):
    used = fields.Integer(metadata={"description": "bytes"})
    total = fields.Integer(metadata={"description": "bytes"})
    percentage = fields.Float()
    breakdown = fields.Nested(Breakdown)


FILE, FILES, FILE_CHANGES = FileSchema(), FileSchema(many=True), FileSchema(partial=True)


@blp.route("")
@blp.require("files:view")
@blp.arguments(FileArgs(), location="query")
@blp.response(200, FILES)
def list_files(args):
    """List your files"""
    references("folderId", Folder.visible_to, args.get("folder_id"))
    return paginate(File.visible_to, args)


@blp.route("/upload", methods=["POST"])
@blp.require("files:create")
@blp.arguments(UploadArgs(), location="multipart")
@blp.response(201, FILE, message="File uploaded", write=False)
def upload_file(data):
    """Upload a file; its type is detected from its content"""
    upload = data.pop("file")
    # The end of a long name, because the extension is there.
    name = data.pop("name", None) or safe_name(upload.filename).strip()[-200:].strip() or "file"
    described = describe(upload.stream)  # before the transaction, so that others can write meanwhile
    with write():
        refuse_foreign_folder("folderId", data.get("folder_id"), current_user.id)
        if described["size"] > current_app.config["MAX_UPLOAD_MB"] * limits.MB:
            refuse(413)
        refuse_full_storage(current_user.id, described["size"])
        refuse_too_many(File)
        file = File.create(owner=current_user.id, name=name, **described, **data)
        for number, part in enumerate(parts(upload.stream)):
            insert_rows(FilePart, [{"file": file.id, "number": number, "data": part}])
        return answer(record("create", file))


@blp.route("/<id:file_id>")
@blp.require("files:view")
@blp.response(200, FILE)
def get_file(file_id):
    """Get a file"""
    return get_or_404(File.visible_to, file_id)


@blp.route("/<id:file_id>", methods=["PUT", "PATCH"])
@blp.require("files:update")
@blp.arguments(FILE_CHANGES)
@blp.response(200, FILE, message="File updated")
def update_file(data, file_id):
    """Rename or move a file, or mark it as a favorite"""
    file = get_or_404(File.visible_to, file_id, change=True)
    if data.get("folder_id", file.folder_id) != file.folder_id:
        refuse_foreign_folder("folderId", data["folder_id"], file.owner_id)
    return record("update", file.change(**data))


@blp.route("/<id:file_id>", methods=["DELETE"])
@blp.require("files:delete")
@blp.response(200, message="File deleted")
def delete_file(file_id):
    """Delete a file"""
    delete(get_or_404(File.visible_to, file_id, change=True))


@blp.route("/batch-delete", methods=["POST"])
@blp.require("files:delete")
@blp.arguments(IdsArgs())
@blp.response(200, DELETED, message="Files deleted")
def batch_delete_files(data):
    """Delete several files, either all or none"""
    ids = get_all_or_404(File.visible_to, data["ids"])
    return {"deleted": delete(*File.select().where(File.id.in_(ids)))}


@blp.route("/<id:file_id>/download")
@blp.require("files:view")
@blp.arguments(DownloadArgs(), location="query")
@blp.response(200, BINARY, content_type="*/*", errors=(416,))
def download_file(args, file_id):
    """Download a file"""
    return bytes_of(get_or_404(File.visible_to, file_id), args["inline"], "no-cache")


@blp.route("/raw/<token>")
@blp.public
@blp.arguments(DownloadArgs(), location="query")
@blp.response(200, BINARY, content_type="*/*", errors=(416,))
def download_raw(args, token):
    """Download a file by the link in its `url`"""
    return bytes_of(linked_file(token), args["inline"], "max-age=3600")


@blp.route("/storage")
@blp.require("files:view")
@blp.response(200, StorageSchema())
def get_storage():
    """Get the storage used and available, for files and documents together"""
    breakdown = dict.fromkeys(File.TYPES, 0)
    for row in rows(File.stored_by, user=current_user.id):
        breakdown[row.type] += row.bytes
    used, total = sum(breakdown.values()), current_app.config["STORAGE_QUOTA_MB"] * limits.MB
    return {"used": used, "total": total, "percentage": round(100 * used / total, 1), "breakdown": breakdown}
