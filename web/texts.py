"""Every text that a client may read, in the language of its request: `web/texts.toml` has them all."""

import re
import tomllib
from pathlib import Path

from web import limits

LANGUAGES = ("zh", "en")
#: `details[].code` of a refusal whose text has no code of its own.
INVALID = "invalid"


def read() -> dict[str, tuple[str, str]]:
    """The English texts, each with its code ("" if it never stands in `details`) and its Chinese."""
    written = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
    return {
        english: (code, chinese)
        for code, texts in {"": written["texts"], **written["details"]}.items()
        for english, chinese in texts.items()
    }


CATALOGUE = read()
_VALUE = re.compile(r"\{(\w+)\}")
#: Templates as patterns, the longest first: a short one may be the beginning of a long one.
_TEMPLATES = [
    (re.compile(_VALUE.sub(r"(?P<\1>.+)", re.sub(r"([.*+?()|^$\[\]\\])", r"\\\1", source)) + r"\Z", re.DOTALL), source)
    for source in sorted(CATALOGUE, key=len, reverse=True)
    if "{" in source
]


@limits.remembered(4096)
def lookup(text: str) -> tuple[str, str] | None:
    """The code and the Chinese of an English text, as it was or formatted from a template; None if it is nowhere."""
    if text in CATALOGUE:
        return CATALOGUE[text]
    for pattern, source in _TEMPLATES:
        if found := pattern.match(text):
            code, chinese = CATALOGUE[source]
            return code, _VALUE.sub(lambda value: found[value[1]], chinese)
    return None


def translate(text: str, language: str) -> str:
    """`text` in `language`; a text that stands in no catalogue (a user's own) stays as it is."""
    found = lookup(text) if language == "zh" else None
    return found[1] if found else text


def code_of(text: str) -> str:
    found = lookup(text)
    return found[0] if found and found[0] else INVALID
