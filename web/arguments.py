"""The arguments of lists and batches."""

from typing import Any

import marshmallow as ma
from marshmallow import validate

from database.base import BaseModel
from web.fields import Choice, Count, Id, Several, Text
from web.schemas import Schema


class Values(ma.fields.List):
    """A filter that takes several values: `status=a,b`, `status=a&status=b` or `status[]=a`."""

    MOST = 50

    def __init__(self, inner: ma.fields.Field, *, closed: bool = False, **options: Any):
        #: Whether the values are a fixed set. The word `all` then means no filter: an HTML select sends it.
        self.closed = closed or isinstance(inner, Choice)
        super().__init__(inner, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        given = [part.strip() for text in value for part in text.split(",")]
        words = list(dict.fromkeys(word for word in given if word))
        if not words or (self.closed and "all" in words):
            return ma.missing
        validate.Length(max=self.MOST)(words)
        return super()._deserialize(words, attr, data, **kwargs)


class Sort(ma.fields.Field):
    """`-createdAt,name`: the columns to sort by, as the API spells them, with a minus for descending."""

    MOST = 5

    def __init__(self, model: type[BaseModel]):
        self.names = ("id", *model.SORTS)
        description = f"at most {self.MOST}, by {', '.join(self.names)}; `-` descending"
        super().__init__(metadata={"type": "string", "description": description, "example": model.SORT})

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> tuple[str, ...]:
        names = [name.strip() for name in value.split(",") if name.strip()]
        if any(name.removeprefix("-") not in self.names for name in names):
            raise ma.ValidationError(f"Allowed: {', '.join(self.names)}.")
        first = {name.removeprefix("-"): name for name in reversed(names)}
        used = tuple(dict.fromkeys(name for name in names if first[name.removeprefix("-")] == name))
        validate.Length(max=self.MOST)(used)
        return used


class PageArgs(Schema):
    """The arguments of every list. A list adds its own filters, `search` and `sort`."""

    ALIASES = {"limit": "pageSize", "q": "search", "keyword": "search"}

    page = Count(1, 1_000_000, load_default=1)
    page_size = Count(1, 1000, load_default=10, metadata={"description": "also called `limit`"})


class LongPageArgs(PageArgs):
    """For lists that front ends show without pages: a hundred rows by default."""

    page_size = Count(1, 1000, load_default=100, metadata={"description": "also called `limit`"})


def scope_field() -> Choice:
    """A filter for lists that show everybody's rows to users with `view-all`; `paginate` applies it."""
    text = "`mine`: yours and what is shared with you, even if you may see everybody's"
    return Choice(("mine", "all"), load_default="all", metadata={"description": text})


def search_field() -> Text:
    return Text(200, metadata={"description": "part of a text, ignoring case; also called `q` or `keyword`"})


class IdsArgs(Schema):
    """The body of a batch."""

    ids = Several(Id(), 1000, 1, required=True)


class DeletedSchema(Schema):
    deleted = ma.fields.Integer(dump_only=True)


DELETED = DeletedSchema()
