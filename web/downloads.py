"""Downloads of files: signed links, ranges, and bytes read from the database while they are sent."""

import io
from typing import Any

from flask import Response, current_app, request, send_file
from itsdangerous import BadSignature, Signer
from werkzeug.wsgi import wrap_file

from database import engines
from database.compiled import one, rows
from models import File, FilePart, User
from web.errors import refuse
from web.fields import base_url
from web.mime import INLINE
from web.security import allows, current_user


def signer() -> Signer:
    return Signer(current_app.config["JWT_SECRET"], salt="file link")


def this_hour() -> int:
    return int(engines.now().timestamp()) // 3600


def link(file_id: int) -> str:
    """A URL of a file that needs no token in a header, for `<img>`. It is valid for one to two hours.

    Within an hour it stays the same, so that browsers find the file in their cache.
    """
    token = signer().sign(f"{file_id}-{current_user.id}-{this_hour()}").decode()
    return f"{base_url()}/api/files/raw/{token}"


def linked_file(token: str) -> Any:
    """The row of a link's file; 404 if the link has expired or its user may no longer see the file."""
    try:
        file_id, user_id, hour = map(int, signer().unsign(token).split(b"-"))
    except BadSignature:
        refuse(404)
    user = one(User.visible_to, user_id, user_id, True)
    if hour < this_hour() - 1 or user is None or user.status != "active" or not allows(user.permissions, "files:view"):
        refuse(404)
    return one(File.visible_to, file_id, user_id, allows(user.permissions, "files:view-all")) or refuse(404)


class StoredBytes:
    """The bytes of a file from `start` up to, not including, `stop`, read from the database part by part.

    It has no `seek`, so the server reads a part only after the client has taken the one before (`connections.Fetched`).
    """

    def __init__(self, file_id: int, start: int, stop: int):
        self.file_id, self.position, self.stop = file_id, start, stop
        self.first = self.next_part()

    def read(self, size: int = FilePart.SIZE) -> bytes:
        """The next part of the file, whatever `size` is; b"" at the end, or if the file was deleted meanwhile."""
        first, self.first = self.first, b""
        try:
            return first or self.next_part()
        finally:
            engines.release()  # this thread answers no request, so no hook does it

    def next_part(self) -> bytes:
        if self.position >= self.stop:
            return b""
        number, before = divmod(self.position, FilePart.SIZE)
        found = rows(FilePart.numbered, file=self.file_id, number=number)
        part = bytes(found[0].data[before : before + self.stop - self.position]) if found else b""
        self.position += len(part)
        return part


def bytes_of(file: Any, inline: bool, caching: str) -> Response:
    """The bytes of a file, given its row: all, the requested range (206, 416), or none if the client has them (304)."""
    attached = not (inline and file.mime_type in INLINE)
    # `conditional` comes later, because send_file does not know the length.
    options: Any = {"as_attachment": attached, "download_name": file.name, "conditional": False}
    reply = send_file(io.BytesIO(), file.mime_type, etag=file.checksum, **options)
    reply.content_length = file.size
    # A request for several ranges gets the whole file, which RFC 9110 (14.2) allows.
    ranges = request.range.ranges if request.range else []
    reply.make_conditional(request, accept_ranges=len(ranges) < 2, complete_length=file.size)
    if reply.status_code != 304 and request.method != "HEAD":
        asked = reply.content_range
        start, stop = (asked.start, asked.stop) if reply.status_code == 206 else (0, file.size)
        content = StoredBytes(file.id, start or 0, stop or 0)
        if not content.first and file.size:
            refuse(404)
        reply.response = wrap_file(request.environ, content, FilePart.SIZE)  # type: ignore[arg-type]
    reply.headers["Cache-Control"] = f"private, {caching}"
    reply.headers["Content-Security-Policy"] = "sandbox"  # opened in a tab, it has no origin and runs no script
    return reply
