"""How a line of the log is written: one for each event, whatever the text in it."""

import json
import logging
import re
from typing import Any

from flask import Flask

#: Characters that end a line in some program, steer a terminal (`\x9b` does alone) or turn the direction of text.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
#: The end of a file's link, the value of a parameter that is named like a secret, and any word as long as a token.
_SECRET = re.compile(
    r"(/raw/+)[^\s?<]+|([?&][^=&]*(?:token|secret|pass|pwd)[^=&]*=)[^\s&]*|[a-z0-9_.~-]{38,}", re.IGNORECASE
)


def configure_logging(app: Flask) -> None:
    handler = logging.StreamHandler()
    text = TextLines("%(asctime)s %(levelname)s %(name)s: %(message)s")
    handler.setFormatter(JSONLines() if app.config["LOG_FORMAT"] == "json" else text)
    handler.addFilter(mask_paths)
    logging.basicConfig(level=app.config["LOG_LEVEL"], handlers=[handler])


def masked(text: str) -> str:
    """A path, or a text with one in it, without the tokens."""
    return _SECRET.sub(lambda found: f"{found[1] or found[2] or ''}***", text)


def mask_paths(record: logging.LogRecord) -> bool:
    """Take the tokens out of waitress' lines, which name the path when a client goes away during a reply."""
    if record.name.startswith("waitress"):
        record.msg, record.args = masked(record.getMessage()), None
    return True


def escaped(text: str) -> str:
    return _UNSAFE.sub(lambda found: ascii(found[0])[1:-1], text)


class TextLines(logging.Formatter):
    r"""Lines for people. Unsafe characters are written as `\x1b`, and a traceback is indented."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        return escaped(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:
        return "\n".join(f"  {escaped(line)}" for line in super().formatException(ei).split("\n"))


class JSONLines(logging.Formatter):
    """One JSON object a line (`LOG_FORMAT=json`); a request has a key for each value of `hooks.observe`."""

    def format(self, record: logging.LogRecord) -> str:
        time = self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z")
        entry: dict[str, Any] = {"time": time, "level": record.levelname, "logger": record.name}
        if record.name == "halolight.access" and isinstance(record.args, tuple):
            entry |= zip(("requestId", "user", "method", "route", "status", "ms"), record.args, strict=True)
        else:
            entry["message"] = record.getMessage()
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry)  # ASCII only, so no character in it is unsafe
