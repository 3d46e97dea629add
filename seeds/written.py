"""What is written down of each set of rows: the rows of `rows.toml` with their texts in the language of the set."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from seeds import edge

#: The language of the texts, by the name of a set.
LANGUAGES = {"zh": "zh", "en": "en", "empty": "zh", "edge": "zh"}
#: What is written down of a set: lists of rows by their kind, and texts.
Written = dict[str, Any]


@cache
def read(name: str) -> dict[str, Any]:
    return tomllib.loads((Path(__file__).parent / f"{name}.toml").read_text("utf-8"))


@cache
def written(name: str) -> Written:
    """The texts of the set, and in place of those of rows the rows themselves, by their kind."""
    texts, rows = read(LANGUAGES[name]), read("rows")
    found = {kind: [with_texts(row, texts.get(kind, {})) for row in listed] for kind, listed in rows.items()}
    if name == "empty":
        found["people"] = [person for person in found["people"] if "email" in person]
    if name == "edge":
        found["people"] = [*found["people"], *edge.PEOPLE]
        found["roles"] = [*found["roles"], *edge.ROLES]
    return {"language": LANGUAGES[name], **texts, **found}


def with_texts(row: dict[str, Any], texts: dict[str, Any]) -> dict[str, Any]:
    """The row with what is written under its key; a text alone is its name."""
    text = texts.get(row["key"], {})
    return {**row, **(text if isinstance(text, dict) else {"name": text})}


def position(listed: list[dict[str, Any]], key: str) -> int:
    """The id of the row with this key. Raises ValueError."""
    keys = [row["key"] for row in listed]
    if key not in keys:
        raise ValueError(f"the seed names {key!r}, which is none of: {', '.join(keys)}")
    return keys.index(key) + 1
