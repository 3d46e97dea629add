"""Small real files of each format, drawn here: a number in, and everywhere the same bytes out."""

from __future__ import annotations

import io
import struct
import wave
import zipfile
import zlib


def picture(shade: int) -> bytes:
    """A PNG of 48 by 32 pixels. Nothing is compressed: not every zlib gives the same bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    lines = b"".join(b"\0" + bytes(part for x in range(48) for part in (x * 5, y * 7, shade * 7)) for y in range(32))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 48, 32, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(lines, 0)) + chunk(b"IEND", b"")


def printed(text: str) -> bytes:
    """A PDF of one page with a line of ASCII (Chinese would need a font in it)."""
    drawn = f"BT /F 24 Tf 72 720 Td ({text}) Tj ET"
    objects = (
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F 5 0 R >> >> >>",
        f"<< /Length {len(drawn)} >>\nstream\n{drawn}\nendstream",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    )
    body, places = "%PDF-1.4\n", ""
    for number, each in enumerate(objects, 1):
        places += f"{len(body):010} 00000 n \n"
        body += f"{number} 0 obj\n{each}\nendobj\n"
    table = f"xref\n0 6\n0000000000 65535 f \n{places}trailer\n<< /Size 6 /Root 1 0 R >>"
    return f"{body}{table}\nstartxref\n{len(body)}\n%%EOF\n".encode()


def sound(pitch: int) -> bytes:
    """A WAV of a quarter of a second."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as out:
        out.setparams((1, 1, 8000, 0, "NONE", ""))
        out.writeframes(bytes(abs(n * pitch % 256 - 128) + 64 for n in range(2000)))
    return buffer.getvalue()


def packed(name: str, data: bytes) -> bytes:
    """A ZIP of one file, with the time (1980) and the system that it says made it fixed."""
    buffer, entry = io.BytesIO(), zipfile.ZipInfo(name)
    entry.create_system = 3
    with zipfile.ZipFile(buffer, "w") as out:
        out.writestr(entry, data)
    return buffer.getvalue()
