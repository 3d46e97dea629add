"""Pictures that look like pictures, drawn here: a number in, and everywhere the same bytes out."""

from __future__ import annotations

import math
import random
import struct
import zlib
from collections.abc import Callable

#: The colours of a scene: the sky from the top to the horizon, what shines, and what stands in front of it.
THEMES = (
    ("#2b6cb0", "#bee3f8", "#fffaf0", "#38a169", "#276749", "#22543d"),
    ("#44337a", "#f6ad55", "#fefcbf", "#553c9a", "#322659", "#1a1433"),
    ("#234e52", "#b2f5ea", "#ffffff", "#319795", "#2c7a7b", "#1d4044"),
    ("#1a365d", "#fbb6ce", "#fff5f7", "#97266d", "#521b41", "#2a0f22"),
)


class Canvas:
    """A picture with a palette of at most 256 colours. It is kept in columns, because scenes stand upright."""

    def __init__(self, width: int, height: int, background: str = "#ffffff"):
        self.width, self.height = width, height
        self.palette: list[bytes] = []
        self.columns = [bytearray([self.colour(background)]) * height for _ in range(width)]

    def colour(self, text: str | bytes) -> int:
        """The number in the palette of `#rrggbb`."""
        rgb = bytes.fromhex(text[1:]) if isinstance(text, str) else text
        if rgb not in self.palette:
            self.palette.append(rgb)
        return self.palette.index(rgb)

    def sky(self, top: str, bottom: str, steps: int = 120) -> None:
        """Fill the picture with the colours between two, from above to below."""
        ends = list(zip(bytes.fromhex(top[1:]), bytes.fromhex(bottom[1:]), strict=True))
        mixed = [bytes(a + (b - a) * step // (steps - 1) for a, b in ends) for step in range(steps)]
        shades = [self.colour(each) for each in mixed]
        column = bytes(shades[y * steps // self.height] for y in range(self.height))
        self.columns = [bytearray(column) for _ in range(self.width)]

    def fill(self, x: float, y: float, width: float, height: float, colour: str) -> None:
        """A rectangle; all lengths are parts of the picture's."""
        top, bottom = int(y * self.height), int((y + height) * self.height)
        run = bytes([self.colour(colour)]) * (bottom - top)
        for column in self.columns[int(x * self.width) : int((x + width) * self.width)]:
            column[top:bottom] = run

    def disc(self, x: float, y: float, radius: float, colour: str) -> None:
        """A disc; the radius is a part of the height."""
        middle, level, length = int(x * self.width), int(y * self.height), int(radius * self.height)
        paint = self.colour(colour)
        for away in range(-length, length + 1):
            half = math.isqrt(length * length - away * away)
            if 0 <= middle + away < self.width:
                top, bottom = max(level - half, 0), min(level + half, self.height)
                self.columns[middle + away][top:bottom] = bytes([paint]) * (bottom - top)

    def hills(self, level: float, waves: float, phase: float, colour: str) -> None:
        """Ground with a wavy edge at about `level` from the top."""
        paint = bytes([self.colour(colour)])
        for x, column in enumerate(self.columns):
            turn = x / self.width * waves * math.tau + phase
            edge = level + 0.06 * math.sin(turn) + 0.03 * math.sin(2.3 * turn + 1)
            top = int(self.height * round(edge, 6))  # the last digits of a sine differ between machines
            column[top:] = paint * (self.height - top)

    def png(self) -> bytes:
        """The picture as a PNG. Nothing is compressed: not every zlib gives the same bytes."""
        upright = b"".join(self.columns)
        lines = b"".join(b"\0" + upright[y :: self.height] for y in range(self.height))
        header = struct.pack(">IIBBBBB", self.width, self.height, 8, 3, 0, 0, 0)
        body = (
            (b"IHDR", header),
            (b"PLTE", b"".join(self.palette)),
            (b"IDAT", zlib.compress(lines, 0)),
            (b"IEND", b""),
        )
        return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in body)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def landscape(canvas: Canvas, number: int, turn: float = 0.5) -> None:
    """Hills under a sun, which rises from `turn` 0 to 1."""
    top, bottom, light, *grounds = THEMES[number % 4]
    canvas.sky(top, bottom)
    canvas.disc(0.25 + number % 3 * 0.2, 0.75 - 0.6 * turn, 0.1, light)
    for distance, ground in enumerate(grounds):
        canvas.hills(0.6 + 0.13 * distance, 1 + distance * 0.7, number + 2 * distance, ground)


def skyline(canvas: Canvas, number: int) -> None:
    """A town at dusk, with lights in its windows."""
    top, bottom, light, _, far, near = THEMES[(number + 1) % 4]
    chance = random.Random(number)
    canvas.sky(top, bottom)
    canvas.disc(0.78, 0.2, 0.07, light)
    for colour, count in ((far, 14), (near, 9)):
        for house in range(count):
            x, width, height = house / count, 0.8 / count, chance.uniform(0.2, 0.65 if count == 14 else 0.5)
            canvas.fill(x, 1 - height, width, height, colour)
            for row in range(int(height * 18) - 1 if count == 9 else 0):
                for window in range(3):
                    if chance.random() < 0.5:
                        canvas.fill(
                            x + width * (0.15 + 0.27 * window), 1.03 - height + row / 18, width / 7, 0.03, light
                        )


def chart(canvas: Canvas, number: int) -> None:
    """Twelve pairs of bars that grow."""
    chance = random.Random(number)
    for line in range(5):
        canvas.fill(0.08, 0.12 + 0.18 * line, 0.86, 0.005, "#e4e7ed")
    for month in range(12):
        for bar, colour in enumerate(("#409eff", "#67c23a")):
            height = 0.2 + 0.035 * month + chance.uniform(0, 0.12) - 0.08 * bar
            canvas.fill(0.1 + 0.07 * month + 0.024 * bar, 0.84 - height, 0.02, height, colour)
    canvas.fill(0.08, 0.84, 0.86, 0.008, "#606266")


def wireframe(canvas: Canvas, number: int) -> None:
    """An admin page: a bar, a menu, cards and a list."""
    accent = ("#409eff", "#722ed1", "#13a8a8", "#d4380d")[number % 4]
    canvas.fill(0, 0, 1, 1, "#f5f7fa")
    canvas.fill(0, 0, 1, 0.1, "#ffffff")
    canvas.fill(0, 0, 0.18, 1, "#1f2d3d")
    canvas.disc(0.95, 0.05, 0.03, accent)
    for entry in range(6):
        canvas.fill(0.03, 0.16 + 0.09 * entry, 0.12, 0.03, accent if entry == number % 6 else "#48576a")
    for card in range(4):
        canvas.fill(0.21 + 0.195 * card, 0.15, 0.175, 0.18, "#ffffff")
        canvas.fill(0.225 + 0.195 * card, 0.18, 0.08, 0.03, "#c0c4cc")
        canvas.fill(0.225 + 0.195 * card, 0.24, 0.05 + 0.02 * card, 0.05, accent)
    canvas.fill(0.21, 0.38, 0.76, 0.57, "#ffffff")
    for line in range(7):
        canvas.fill(0.23, 0.42 + 0.07 * line, 0.72, 0.003, "#ebeef5")
        canvas.fill(0.23, 0.44 + 0.07 * line, 0.12 + 0.03 * (line * number % 5), 0.025, "#909399")


def swatches(canvas: Canvas, number: int) -> None:
    """The colours of a brand, and a halo of them."""
    colours = THEMES[number % 4]
    canvas.fill(0, 0, 1, 1, "#edf0f5")
    for place, colour in enumerate(colours):
        canvas.fill(0.06 + 0.15 * place, 0.68, 0.13, 0.22, colour)
    for ring, colour in enumerate((colours[0], colours[1], "#ffffff")):
        canvas.disc(0.5, 0.35, 0.26 - 0.07 * ring, colour)


SCENES: dict[str, Callable[[Canvas, int], None]] = {
    each.__name__: each for each in (landscape, skyline, chart, wireframe, swatches)
}


def picture(number: int, scene: str = "landscape", width: int = 48) -> bytes:
    """A PNG of a scene, which looks otherwise for each number; it is `width` by 5/8 of that."""
    canvas = Canvas(width, width * 5 // 8)
    SCENES[scene](canvas, number)
    return canvas.png()
