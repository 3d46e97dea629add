"""How a line of the log is written: one for each event, whatever the text in it."""

from __future__ import annotations

import json
import logging
import re
from typing import Any

from flask import Flask


def configure_logging(app: Flask) -> None:
    handler = logging.StreamHandler()
    text = TextLines("%(asctime)s %(levelname)s %(name)s: %(message)s")
    handler.setFormatter(JSONLines() if app.config["LOG_FORMAT"] == "json" else text)
    handler.addFilter(mask_paths)
    logging.basicConfig(level=app.config["LOG_LEVEL"], handlers=[handler])


#: What ends a line somewhere, steers a terminal (also with one byte, `\x9b`) or turns the direction of text.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
#: The end of a file's link, what a parameter calls a secret, and any word as long as a token.
_SECRET = re.compile(
    r"(/raw/+)[^\s?<]+|([?&][^=&]*(?:token|secret|pass|pwd)[^=&]*=)[^\s&]*|[a-z0-9_.~-]{38,}", re.IGNORECASE
)


def masked(text: str) -> str:
    """A path, or a text with one in it, without the tokens."""
    return _SECRET.sub(lambda found: f"{found[1] or found[2] or ''}***", text)


def mask_paths(record: logging.LogRecord) -> bool:
    """Take the tokens out of waitress' lines: it names the path when a client goes away in the middle of a reply."""
    if record.name.startswith("waitress"):
        record.msg, record.args = masked(record.getMessage()), None
    return True


class TextLines(logging.Formatter):
    r"""Lines to be read by people; what is unsafe in them is written as `\x1b`, and a traceback is indented."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        return escaped(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:
        return "\n".join(f"  {escaped(line)}" for line in super().formatException(ei).split("\n"))


def escaped(text: str) -> str:
    return _UNSAFE.sub(lambda found: ascii(found[0])[1:-1], text)


class JSONLines(logging.Formatter):
    """One JSON object a line (`LOG_FORMAT=json`)."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname,
            "logger": record.name,
        }
        fields = getattr(record, "fields", None)
        if fields:
            entry |= dict(zip(("requestId", "user", "method", "route", "status", "ms"), fields, strict=True))
        else:
            entry["message"] = record.getMessage()
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry)  # in ASCII: nothing in it ends a line or steers a terminal
