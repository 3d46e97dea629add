"""The base of every schema, and its fast dump.

A schema describes a resource once: clients may send its fields, except those that are `dump_only`.
Names are snake_case in Python and camelCase in the API. Schemas are made once, at import.
"""

from collections.abc import Callable
from operator import attrgetter
from typing import Any, ClassVar

import marshmallow as ma

from web.openapi import camel_case


class Schema(ma.Schema):
    """The base of every schema: camelCase in the API; unknown fields are ignored."""

    class Meta:
        unknown = ma.EXCLUDE

    #: Keys of `data` that the top level of the reply repeats.
    lift: tuple[str, ...] = ()
    #: What other front ends call a field → its name here, in a body or a query.
    ALIASES: ClassVar[dict[str, str]] = {}

    def __init__(self, *, paged: bool = True, **options: Any):
        #: Whether `many=True` is answered as a page (every collection) or as a plain array (the points of a chart).
        self.paged = paged
        super().__init__(**options)

    def on_bind_field(self, field_name: str, field_obj: ma.fields.Field) -> None:
        if field_obj.data_key is None:
            field_obj.data_key = camel_case(field_name)

    def dump(self, obj: Any, *, many: bool | None = None) -> Any:
        many = self.many if many is None else many
        if not hasattr(self, "_dumper"):
            self._dumper = dumper(self)
        # Rows are named tuples. marshmallow itself dumps anything else, such as a dict that a view has built.
        if self._dumper is None or not isinstance((obj[0] if obj else None) if many else obj, tuple):
            return super().dump(obj, many=many)
        return [self._dumper(row) for row in obj] if many else self._dumper(obj)


def dumper(schema: ma.Schema) -> Callable[[Any], dict[str, Any]] | None:
    """A function from a row to its reply, equal to `schema.dump` and several times faster.

    None if the schema has a hook on dumping, which only marshmallow itself calls.
    """
    if any(schema._hooks[kind] for kind in ("pre_dump", "post_dump")):
        return None
    blank: dict[str, Any] = {}
    plain, values, wholes = [], [], []
    for name, field in schema.dump_fields.items():
        key, attribute = field.data_key or name, field.attribute or name
        blank[key] = None
        if type(field).serialize is not ma.fields.Field.serialize or not field._CHECK_ATTRIBUTE:
            wholes.append((key, attribute, field.serialize))  # it reads the whole row, as `Function` does
        elif type(field)._serialize in UNCHANGED or (type(field) is ma.fields.Integer and not field.as_string):
            plain.append((key, attribute))
        else:
            values.append((key, attribute, field._serialize))
    keys = [key for key, _ in plain]
    # `__class__` twice, because attrgetter returns a tuple only for two or more names.
    get = attrgetter(*(attribute for _, attribute in plain), "__class__", "__class__")

    def dump(row: Any) -> dict[str, Any]:
        reply = blank.copy()  # the order of the schema
        reply.update(zip(keys, get(row), strict=False))
        for key, attribute, convert in values:
            reply[key] = convert(getattr(row, attribute), attribute, row)
        for key, attribute, serialize in wholes:
            reply[key] = serialize(attribute, row)
        return reply

    return dump


#: The `_serialize` of fields that show a value as the database returns it.
UNCHANGED = (ma.fields.Field._serialize, ma.fields.String._serialize, ma.fields.Boolean._serialize)
