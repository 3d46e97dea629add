"""How a line of the log is written: one for each event, whatever the text in it."""

from __future__ import annotations

import logging
import re
from typing import Any

#: What ends a line somewhere, steers a terminal (also with one byte, `\x9b`) or turns the direction of text.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


class TextLines(logging.Formatter):
    r"""Lines to be read by people; what is unsafe in them is written as `\x1b`, and a traceback is indented."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        return escaped(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:
        return "\n".join(f"  {escaped(line)}" for line in super().formatException(ei).split("\n"))


def escaped(text: str) -> str:
    return _UNSAFE.sub(lambda found: ascii(found[0])[1:-1], text)
