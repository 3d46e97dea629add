"""Contents of documents, and small real files of each format, made here: the same arguments, the same bytes."""

from __future__ import annotations

import io
import random
import wave
import zipfile
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from seeds.pictures import picture
from seeds.written import read
from web.mime import describe

#: The notes of a scale, as lengths of their waves at 8000 samples a second.
WAVES = (30, 27, 24, 20, 18, 15, 13)


# --- Documents -------------------------------------------------------------------------------------------------------
def content(document: dict[str, Any], author: str, texts: dict[str, Any], number: int, until: date) -> str:
    """The text of a document of this type, `length` long; tables end the day before `until`."""
    name, by, length = document["name"], texts["by"].format(author=author), document["length"]
    if document["type"] == "spreadsheet":
        return table(texts["columns"], tuple(texts["sources"]), length, number, until)
    if document["type"] == "image":
        return drawing(name, by, length, number)
    if document["type"] == "code":
        return f'"""{name}\n\n{by}\n"""\n' + "".join(map(function, range(1, length + 1)))
    return prose(name, by, texts, length, number, "\n\n---\n\n" if document["type"] == "presentation" else "\n\n")


def prose(name: str, by: str, texts: dict[str, Any], length: int, number: int, between: str) -> str:
    """So many sections in Markdown; three to five sentences each, or if they are slides, points."""
    chance, sections = random.Random(number), [f"# {name}\n\n{by}".rstrip()]
    for section in range(length):
        heading = texts["headings"][section % len(texts["headings"])]
        said = chance.sample(texts["sentences"], chance.randint(3, 5))
        body = " ".join(said) if between == "\n\n" else "\n".join(f"- {each}" for each in said)
        sections.append(f"## {section + 1}. {heading}\n\n{body}")
    return between.join(sections) + "\n"


def drawing(name: str, by: str, length: int, number: int) -> str:
    """An SVG of so many shapes on a grid."""
    chance, colours = random.Random(number), ("#409eff", "#67c23a", "#e6a23c", "#909399")
    shapes = [
        f'  <rect x="{40 + place % 12 * 60}" y="{60 + place // 12 * 44}" width="{chance.randrange(16, 52)}"'
        f' height="32" rx="6" fill="{chance.choice(colours)}"/>\n'
        for place in range(length)
    ]
    size = f'width="800" height="{120 + (length - 1) // 12 * 44}"'
    title = f"  <title>{name}</title>\n  <desc>{by}</desc>\n"
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>\n{title}{"".join(shapes)}</svg>\n'


def function(number: int) -> str:
    """Some lines of Python."""
    return (
        f"\n\ndef step_{number}(rows: list[dict]) -> list[dict]:\n"
        f'    """Keep what step {number} needs."""\n'
        f'    found = [row for row in rows if row["version"] >= {number}]\n'
        f'    return sorted(found, key=lambda row: row["id"])\n'
    )


# --- Files -----------------------------------------------------------------------------------------------------------
@lru_cache(128)
def sample(
    kind: str, name: str, length: int, scene: str, number: int, until: date, language: str
) -> tuple[bytes, dict[str, Any]]:
    """A file of this format with what is said of its bytes. It is kept, because a reset has no time to draw."""
    texts = read(language)
    if kind == "png":
        data = picture(number, scene, length)
    elif kind == "pdf":
        data = printed(f"HaloLight {number}", length)
    elif kind == "wav":
        data = sound(number, length)
    elif kind == "zip":
        data = packed({f"{each}.png": picture(number + each, "wireframe", 240) for each in range(1, length + 1)})
    elif kind == "webm":
        # landscape() of pictures.py at 72 turns of the sun, by `ffmpeg -framerate 12 -c:v libvpx-vp9 -b:v 0 -crf 22`.
        data = (Path(__file__).parent / "sunrise.webm").read_bytes()
    elif kind == "txt":
        data = prose(name, "", texts, length, number, "\n\n").encode()
    else:
        data = table(texts["columns"], tuple(texts["sources"]), length, number, until).encode()
    return data, describe(io.BytesIO(data))


def table(columns: str, sources: tuple[str, ...], length: int, number: int, until: date) -> str:
    """So many lines of figures in CSV, one for each day."""
    chance, lines = random.Random(number), [columns]
    for line in range(length):
        visits, price = 200 + line * 500 // length + chance.randrange(120), chance.randrange(80, 400)
        orders = visits // (12 + line % 9)
        day = until - timedelta(days=length - line)
        lines.append(f"{day},{sources[line % len(sources)]},{visits},{orders},{orders * price}")
    return "\n".join(lines) + "\n"


def printed(text: str, pages: int = 1) -> bytes:
    """A PDF with a heading in ASCII (Chinese would need a font in it) and bars on each page."""
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", "", "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    for page in range(1, pages + 1):
        bars = "".join(f"{72 + 38 * bar} 420 26 {60 + (bar * page * 37 + bar * 11) % 180} re f\n" for bar in range(12))
        lines = "".join(f"72 {380 - 14 * line} {451 - line * page % 90} 4 re f\n" for line in range(22))
        drawn = f"BT /F 24 Tf 72 720 Td ({text}) Tj ET\nBT /F 12 Tf 72 690 Td (Page {page} of {pages}) Tj ET\n"
        drawn += f"0.25 0.62 1 rg\n{bars}0.85 g\n{lines}"
        place = "/MediaBox [0 0 595 842] /Resources << /Font << /F 3 0 R >> >>"
        objects.append(f"<< /Type /Page /Parent 2 0 R {place} /Contents {len(objects) + 2} 0 R >>")
        objects.append(f"<< /Length {len(drawn)} >>\nstream\n{drawn}\nendstream")
    kids = " ".join(f"{number} 0 R" for number in range(4, len(objects) + 1, 2))
    objects[1] = f"<< /Type /Pages /Kids [{kids}] /Count {pages} >>"
    body, places = "%PDF-1.4\n", ""
    for number, each in enumerate(objects, 1):
        places += f"{len(body):010} 00000 n \n"
        body += f"{number} 0 obj\n{each}\nendobj\n"
    count = len(objects) + 1
    rest = f"xref\n0 {count}\n0000000000 65535 f \n{places}trailer\n<< /Size {count} /Root 1 0 R >>"
    return f"{body}{rest}\nstartxref\n{len(body)}\n%%EOF\n".encode()


def sound(number: int, notes: int = 1) -> bytes:
    """A WAV of so many notes, a quarter of a second each, which fade away."""
    chance, waves = random.Random(number), io.BytesIO()
    for _ in range(notes):
        length = chance.choice(WAVES)
        for strength in range(20, 0, -1):
            period = bytes(
                128 + strength * (2 * abs(place - length // 2) - length // 2) * 5 // length for place in range(length)
            )
            waves.write((period * (100 // length + 1))[:100])
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as out:
        out.setparams((1, 1, 8000, 0, "NONE", ""))
        out.writeframes(waves.getvalue())
    return buffer.getvalue()


def packed(files: dict[str, bytes]) -> bytes:
    """A ZIP of files, with the time (1980) and the system that it says made it fixed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as out:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name)
            entry.create_system = 3
            out.writestr(entry, data)
    return buffer.getvalue()
