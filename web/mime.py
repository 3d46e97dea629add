"""The type of a file, detected from its bytes.

The name and the type that a client sends are not trusted: HTML that is called a picture would run in a browser, with
the rights of our pages.
"""

import codecs
import hashlib
import re
from collections.abc import Iterator
from functools import partial
from itertools import chain
from typing import IO, Any

import sigtype

from models import FilePart

#: Types that a browser may show instead of saving the file, because it runs no script in them.
INLINE = {
    *("image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "video/mp4", "video/webm"),
    *("audio/mpeg", "audio/x-wav", "audio/ogg", "application/pdf", "text/plain"),
}
#: Formats whose files are valid UTF-8. A text that begins like any other format (`BM`, `ID3`) does so by chance.
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
    """The columns of a file's row that follow from its bytes."""
    size, digest = 0, hashlib.sha256()
    for part in parts(file):
        size += len(part)
        digest.update(part)
    mime_type = recognise(file)
    return {"size": size, "checksum": digest.hexdigest(), "mime_type": mime_type, "type": kind(mime_type)}


def recognise(file: IO[bytes]) -> str:
    """The MIME type of a file. Valid UTF-8 without NUL is text: plain text, unless it begins like markup."""
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
