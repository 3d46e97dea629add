"""The bytes of files: what they are, the links that lead to them, and how they are given out.

What a browser may do with a file is decided by its bytes alone. A name or a type that a client sends is a
claim: HTML that calls itself a picture would otherwise run here, as a page of ours.
"""

from __future__ import annotations

import codecs
import hashlib
import io
import re
from collections.abc import Iterator
from functools import partial
from itertools import chain
from typing import IO, Any

import sigtype
from flask import Response, current_app, request, send_file
from itsdangerous import BadSignature, Signer
from werkzeug.wsgi import wrap_file

import models
from models import File, FilePart, User
from resources.errors import refuse
from resources.prepared import one, rows
from resources.schemas import base_url
from resources.security import allows, current_user

#: What may be shown in the browser instead of saved: nothing in it that a browser could run.
INLINE = {
    *("image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "video/mp4", "video/webm"),
    *("audio/mpeg", "audio/x-wav", "audio/ogg", "application/pdf", "text/plain"),
}
#: Formats that are written in text. Any other that a text seems to begin like (`BM`, `ID3`) is chance.
TEXTUAL = {"application/pdf", "application/rtf", "application/postscript", "image/svg+xml"}
DOCUMENT = re.compile(
    r"text/|message/|application/(pdf|rtf|postscript|xml|ofd|epub|msword|x-mobi|vnd\.(ms-(excel|powerpoint|outlook)|open|oasis))"
)
ARCHIVE = re.compile(
    r"application/(zip|gzip|zstd|vnd\.ms-cab|x-(tar|rar|7z|bzip2|xz|brotli|compress|lz|rpm|deb|unix-archive))"
)


def parts(file: IO[bytes]) -> Iterator[bytes]:
    """The bytes of `file` from its beginning, in pieces as they are stored."""
    file.seek(0)
    return iter(partial(file.read, FilePart.SIZE), b"")


def describe(file: IO[bytes]) -> dict[str, Any]:
    """What the row of a file says of its bytes."""
    size, digest = 0, hashlib.sha256()
    for part in parts(file):
        size += len(part)
        digest.update(part)
    mime_type = recognise(file)
    return {"size": size, "checksum": digest.hexdigest(), "mime_type": mime_type, "type": kind(mime_type)}


def recognise(file: IO[bytes]) -> str:
    """The MIME type of a file. Text is what is valid UTF-8 without NUL; it is plain unless markup begins it."""
    found = sigtype.guess_mime(file)
    decoder, start = codecs.getincrementaldecoder("utf-8")(), ""
    try:
        for part in chain(parts(file), [b""]):
            text = decoder.decode(part, final=not part)
            if "\0" in text:
                return found or "application/octet-stream"
            start = (start + text).lstrip("\ufeff \t\r\n\f")[:5]
    except UnicodeDecodeError:
        return found or "application/octet-stream"
    if found in TEXTUAL:
        return found
    if start.lower() == "<?xml":
        return "application/xml"
    return "text/html" if start.startswith("<") else "text/plain"


def kind(mime_type: str) -> str:
    """The `type` of a file: one of File.TYPES."""
    family = mime_type.partition("/")[0]
    if family in ("image", "video", "audio"):
        return family
    if DOCUMENT.match(mime_type):
        return "document"
    return "archive" if ARCHIVE.match(mime_type) else "other"


def signer() -> Signer:
    return Signer(current_app.config["JWT_SECRET"], salt="file link")


def this_hour() -> int:
    return int(models.now().timestamp()) // 3600


def link(file_id: int) -> str:
    """A URL of a file that needs no header: the same within the hour, so that caches hold; good for one to two."""
    token = signer().sign(f"{file_id}-{current_user.id}-{this_hour()}").decode()
    return f"{base_url()}/api/files/raw/{token}"


def linked_file(token: str) -> Any:
    """The file (its row) that a link leads to; 404 if it is old, or its user may not see the file any more."""
    try:
        file_id, user_id, hour = map(int, signer().unsign(token).split(b"-"))
    except BadSignature:
        refuse(404)
    user = one(User.visible_to, user_id, user_id, True)
    if hour < this_hour() - 1 or user is None or user.status != "active" or not allows(user.permissions, "files:view"):
        refuse(404)
    return one(File.visible_to, file_id, user_id, allows(user.permissions, "files:manage")) or refuse(404)


class StoredBytes:
    """Bytes of a file from `start` to before `stop`, read from the database when they are asked for.

    It cannot seek: the server then reads on only when a client has taken what was read (`web.connections.Fetched`).
    """

    def __init__(self, file_id: int, start: int, stop: int):
        self.file_id, self.position, self.stop = file_id, start, stop
        self.first = self.next_part()

    def read(self, size: int = FilePart.SIZE) -> bytes:
        """The rest of a part of the file, whatever `size` is; b"" at the end, or if the file is deleted meanwhile."""
        first, self.first = self.first, b""
        try:
            return first or self.next_part()
        finally:
            models.release()  # of a thread that answers no request now

    def next_part(self) -> bytes:
        if self.position >= self.stop:
            return b""
        number, before = divmod(self.position, FilePart.SIZE)
        found = rows(FilePart.numbered, file=self.file_id, number=number)
        part = bytes(found[0].data[before : before + self.stop - self.position]) if found else b""
        self.position += len(part)
        return part


def bytes_of(file: Any, inline: bool, caching: str) -> Response:
    """The bytes of a file (its row): all, the asked-for range (206, 416), or none where the client has them (304)."""
    attached = not (inline and file.mime_type in INLINE)
    # Not conditional yet: it would not know how many bytes there are.
    options: Any = {"as_attachment": attached, "download_name": file.name, "conditional": False}
    reply = send_file(io.BytesIO(), file.mime_type, etag=file.checksum, **options)
    reply.content_length = file.size
    # Of several ranges we make no multipart reply: the whole file is as good an answer (RFC 9110, 14.2).
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
    reply.headers["Content-Security-Policy"] = "sandbox"  # opened by itself it has no origin, and runs nothing
    return reply
