"""What an attacker tried: each hole that was found, kept closed. What a flood does to others is in test_flood.py."""

import json

import pytest

from resources import schemas
from resources.schemas import Several, Values
from tests.test_contract import all_schemas
from web import limits

# --- What one request costs ------------------------------------------------------------------------------------------


def test_every_list_of_a_body_or_a_query_knows_its_length(app):
    lists = [
        (cls.__name__, name, field)
        for cls in all_schemas()
        for name, field in cls().load_fields.items()
        if isinstance(field, schemas.ma.fields.List)
    ]
    assert len(lists) > 10
    assert [(cls, name) for cls, name, field in lists if not isinstance(field, (Several, Values))] == []


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/api/documents/batch-delete", "ids"),
        ("/api/documents/3/share", "userIds"),
        ("/api/calendar/events/3/attendees", "attendeeIds"),
        ("/api/conversations", "memberIds"),
    ],
)
def test_a_list_that_is_too_long_is_refused_before_its_values_are_read(root, path, field):
    body = json.dumps({field: [""] * 500_000})
    reply = root.post(path, data=body, content_type="application/json")
    assert reply.status_code == 400 and len(reply.data) < 1000
    assert [detail["field"] for detail in reply.json["error"]["details"]] == [field]
    assert reply.json["error"]["details"][0]["code"] in ("too_long", "out_of_range")


def test_an_error_has_at_most_a_hundred_details(root):
    reply = root.post("/api/users/batch-delete", {"ids": [""] * 1000})
    assert reply.status_code == 400 and len(reply.json["error"]["details"]) == limits.DETAILS
