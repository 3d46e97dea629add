"""Every field that a schema may use: our own, and those of marshmallow (`from web import fields`).

A field reads what a client sends and shows what a row holds.
"""

import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, date, datetime, time
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import marshmallow as ma
from flask import current_app, g
from marshmallow import validate
from marshmallow.fields import Boolean, Float, Function, Integer, List, Nested, Raw, String  # noqa: F401

from web.schemas import Schema

#: The highest id: that of a Postgres integer.
MAX_ID = 2**31 - 1
_NOT_STORABLE = re.compile("[\x00\ud800-\udfff]")
_OWN_AVATAR = re.compile(r"/api/avatars/\d+\.svg")


class Text(ma.fields.String):
    """A text of at most `maximum` characters that any database can store, without spaces around it.

    `clean` returns the text to validate and store for the text that was sent.
    """

    def __init__(
        self, maximum: int, minimum: int = 0, *, strip: bool = True, clean: Callable[[str], str] = str, **options: Any
    ):
        self.strip, self.clean = strip, clean
        # Two validators, because the message of one with both bounds does not say which of them was broken.
        checks: list[Any] = [validate.Length(max=maximum)]
        if minimum:
            checks.append(validate.Length(min=minimum))
        if also := options.pop("validate", None):
            checks.append(also)
        super().__init__(validate=checks, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        if _NOT_STORABLE.search(text):
            raise ma.ValidationError("Control characters cannot be stored.")
        return self.clean(text.strip() if self.strip else text)


class Choice(ma.fields.String):
    """One of a fixed set of words."""

    def __init__(self, choices: Iterable[str], **options: Any):
        super().__init__(validate=validate.OneOf(list(choices)), **options)


class Email(Text):
    """An e-mail address, in lower case."""

    def __init__(self, **options: Any):
        super().__init__(200, clean=str.lower, validate=validate.Email(), **options)


class Count(ma.fields.Integer):
    """An integer from `minimum` to `maximum`: 3 and "3", but not 3.0, true or " 3", which marshmallow would take."""

    DIGITS = r"-?[0-9]{1,18}"

    def __init__(self, minimum: int, maximum: int, **options: Any):
        super().__init__(validate=validate.Range(minimum, maximum), **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if type(value) is int or (isinstance(value, str) and re.fullmatch(self.DIGITS, value)):
            return int(value)
        raise self.make_error("invalid")


class Id(Count):
    """The id of a row, in a body or a query."""

    DIGITS = r"[0-9]{1,10}"
    default_error_messages = {"invalid": "Not a valid id."}

    def __init__(self, **options: Any):
        super().__init__(1, MAX_ID, **options)


class InFolder(ma.fields.Field):
    """A filter by folder: its id, or the word `root` (None) for files and documents in no folder."""

    def __init__(self) -> None:
        super().__init__(metadata={"type": "string", "description": "an id, or `root`", "example": "root"})

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int | None:
        return None if value == "root" else Id().deserialize(value)


class Several(ma.fields.List):
    """A list of at most `maximum` values. The length is checked first, because a body has room for a million values."""

    def __init__(self, inner: Any, maximum: int, minimum: int = 0, **options: Any):
        self.length = validate.Length(minimum or None, maximum)
        # Also as `validate`, because apispec documents only that.
        super().__init__(inner, validate=self.length, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if isinstance(value, list):
            self.length(value)
        return super()._deserialize(value, attr, data, **kwargs)


class Instant(ma.fields.DateTime):
    """A point in time. Shown in UTC, in whole seconds; read with any offset, without one in the zone TIMEZONE."""

    default_error_messages = {"invalid": "Not a valid time."}

    def _serialize(self, value: datetime | None, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return _instant(value) if value is not None else None

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:
        # A plus sign that was not escaped in a query arrives as a space.
        text = re.sub(r" (?=\d\d:?\d\d\Z)", "+", value) if isinstance(value, str) else ""
        try:
            if not re.match(r"\d{4}-\d\d-\d\d", text) or not "1900" <= text[:4] < "3000":
                raise ValueError(text)
            found = datetime.fromisoformat(text)
        except ValueError as error:
            raise self.make_error("invalid") from error
        return (found if found.tzinfo else found.replace(tzinfo=timezone())).astimezone(UTC)


@lru_cache(maxsize=4096)
def _instant(value: datetime) -> str:
    return f"{value.isoformat()[:19]}Z"


class PlainDate(ma.fields.Date):
    """A date without a time, such as `2026-11-24`; no time zone applies to it."""

    default_error_messages = {"invalid": "Not a valid date."}

    def _serialize(self, value: date | None, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return value.isoformat() if value is not None else None

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> date:
        with suppress(ValueError):  # 2026-02-30
            if isinstance(value, str) and re.fullmatch(r"(19|2\d)\d\d-\d\d-\d\d", value, re.ASCII):
                return date.fromisoformat(value)
        raise self.make_error("invalid")


class Avatar(ma.fields.String):
    """The URL of a picture, absolute in replies. A user without one has the picture that `/api/avatars` draws."""

    default_error_messages = {"invalid": "Not a valid URL."}

    def __init__(self, owner: str = "id", **options: Any):
        #: The attribute with the id of the user whose picture it is; "" if it is not a user's.
        self.owner = owner
        super().__init__(allow_none=True, **options)

    def serialize(self, attr: str, obj: Any, accessor: Any = None, **kwargs: Any) -> str | None:
        stored = getattr(obj, self.attribute or attr)
        owner = getattr(obj, self.owner) if self.owner else 0
        return avatar_url(stored, owner) if stored or owner else None

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, str) or len(value) > 2000 or not re.fullmatch(r"[\x21-\x7e]*", value):
            raise self.make_error("invalid")
        own = value.startswith(f"{base_url()}/")  # with the slash: http://localhost begins as http://localhost:8000
        path = value.removeprefix(base_url()) if own else value
        if not path or _OWN_AVATAR.fullmatch(path):
            return None
        if re.match(r"https?://[^/]|/(?!/)|data:image/", path):
            return path
        raise self.make_error("invalid")


def avatar_url(stored: str | None, user_id: int) -> str:
    if stored and not stored.startswith("/"):
        return stored
    return base_url() + (stored or f"/api/avatars/{user_id}.svg")


def base_url() -> str:
    """The scheme and host by which the client called, for absolute links: `http://localhost:8000`."""
    return g.base_url


class PersonSchema(Schema):
    id = ma.fields.Integer(required=True)
    name = ma.fields.String(required=True)
    avatar = ma.fields.String(required=True)


class Person(ma.fields.Nested):
    """A nested `{id, name, avatar}`, from the columns `<name>_id`, `<name>_name`, `<name>_avatar` of a row."""

    def __init__(self, **options: Any):
        super().__init__(PersonSchema, dump_only=True, **options)

    def serialize(self, attr: str, obj: Any, accessor: Any = None, **kwargs: Any) -> dict[str, Any] | None:
        user_id = getattr(obj, f"{attr}_id")
        if user_id is None:
            return None
        return {
            "id": user_id,
            "name": getattr(obj, f"{attr}_name"),
            "avatar": avatar_url(getattr(obj, f"{attr}_avatar"), user_id),
        }


class People(ma.fields.Nested):
    """A list of `{id, name, avatar}`, or of the larger `schema`, from a column made with `rules.gathered`."""

    def __init__(self, schema: type[Schema] = PersonSchema, **options: Any):
        super().__init__(schema, many=True, dump_only=True, **options)

    def serialize(self, attr: str, obj: Any, accessor: Any = None, **kwargs: Any) -> list[dict[str, Any]]:
        return [{**each, "avatar": avatar_url(each["avatar"], each["id"])} for each in getattr(obj, attr)]


class Prefixed(ma.fields.Nested):
    """A nested object from the columns `<prefix>_…` of a row; null if all of them are empty."""

    def __init__(self, schema: type[Schema], prefix: str, **options: Any):
        self.prefix = prefix
        super().__init__(schema, dump_only=True, **options)

    def serialize(self, attr: str, obj: Any, accessor: Any = None, **kwargs: Any) -> dict[str, Any] | None:
        columns = {name: getattr(obj, f"{self.prefix}_{name}") for name in self.schema.fields}
        if not any(columns.values()):
            return None
        return {str(f.data_key): f._serialize(columns[name], name, obj) for name, f in self.schema.fields.items()}


def timezone() -> ZoneInfo:
    """The server's time zone (TIMEZONE), in which its days begin."""
    return current_app.config["TIMEZONE"]


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """The instant at which a day begins in `zone`."""
    return datetime.combine(day, time.min, zone).astimezone(UTC)


class Zone(ma.fields.Field):
    """A time zone by its IANA name; by default the server's own."""

    default_error_messages = {"invalid": "Not a time zone."}

    def __init__(self, load_default: Callable[[], Any] = timezone) -> None:
        about = {"type": "string", "description": "whose days (IANA)", "example": "Asia/Shanghai"}
        super().__init__(load_default=load_default, metadata=about)

    def _deserialize(self, value: str, attr: str | None, data: Any, **kwargs: Any) -> ZoneInfo:
        try:
            return ZoneInfo(value)
        except (ZoneInfoNotFoundError, TypeError, ValueError, OSError) as error:
            raise self.make_error("invalid") from error
