"""Calendar: events and their attendees.

A timed event has two instants. An all-day event has two dates, the same in every time zone; its end is exclusive, as
in iCalendar (RFC 5545) and FullCalendar. If one kind becomes the other, days begin and end in TIMEZONE.
"""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from database.base import insert_rows
from models import SHOWN, Event, EventAttendee, User
from web import fields
from web.allowances import notify, refuse_crowd, refuse_too_many
from web.api import Blueprint, Schema, current_user, get_or_404, paginate, references, refuse, refuse_field
from web.arguments import PageArgs, Sort, Values, scope_field, search_field
from web.audit import delete, record
from web.security import refuse_without

blp = Blueprint("calendar", __name__, url_prefix="/api/calendar/events", description="Events and invitations")


class EventTime(fields.String):
    """Shows an instant, or the date for an all-day event. Reads an instant; a date means its midnight."""

    INSTANT = fields.Instant()

    def __init__(self) -> None:
        super().__init__(required=True, metadata={"description": "a time; for an all-day event, a date"})

    def serialize(self, attr: str, obj: Any, accessor: Any = None, **kwargs: Any) -> str | None:
        stored = getattr(obj, attr)
        return stored.date().isoformat() if obj.all_day else self.INSTANT._serialize(stored, attr, obj)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        # Stored in whole seconds, as it is shown, so that a client that sends it back changes nothing.
        return self.INSTANT.deserialize(value).replace(microsecond=0)


class AttendeeSchema(fields.PersonSchema):
    status = fields.Choice(EventAttendee.STATUSES)


class EventSchema(Schema):
    id = fields.Integer(dump_only=True)
    title = fields.Text(200, 1, required=True)
    description = fields.Text(5000)
    start = EventTime()
    end = EventTime()
    all_day = fields.Boolean()
    type = fields.Choice(Event.TYPES)
    location = fields.Text(200)
    color = fields.Text(50)
    organizer = fields.Person()
    organizer_id = fields.Integer(dump_only=True)
    attendees = fields.People(AttendeeSchema)
    attendee_count = fields.Integer(dump_only=True, metadata={"description": f"lists show only the first {SHOWN}"})
    attendee_ids = fields.Several(fields.Id(), 1000, load_only=True)
    created_at = fields.Instant(dump_only=True)
    updated_at = fields.Instant(dump_only=True)


class InviteArgs(Schema):
    attendee_ids = fields.Several(fields.Id(), 1000, 1, required=True, load_only=True)


class RespondArgs(Schema):
    status = fields.Choice(EventAttendee.STATUSES, required=True)


class EventArgs(PageArgs):
    page_size = fields.Count(
        1, 1000, metadata={"description": "by default 10, with `start` or `end` 1000; also called `limit`"}
    )
    start = fields.Instant(metadata={"description": "only events that end later"})
    end = fields.Instant(metadata={"description": "only events that start earlier"})
    tz = fields.Zone()
    type = Values(fields.Choice(Event.TYPES))
    search = search_field()
    scope = scope_field()
    sort = Sort(Event)


EVENT, EVENTS, EVENT_CHANGES = EventSchema(), EventSchema(many=True), EventSchema(partial=True)


def with_times(data: dict[str, Any], event: Event | None = None) -> dict[str, Any]:
    """`data` with start and end as they are stored; missing values are those of `event`. 400 if `end` is too early.

    An event that becomes all-day covers every day it touched. One that stops being all-day starts and ends at midnight.
    """
    all_day = data.get("all_day", event is not None and event.all_day)
    start, end = (data[name] if name in data else instant(event, name) for name in ("start", "end"))
    if all_day:
        days = day_of(start), day_of(end - timedelta(microseconds=1)) + timedelta(days=1)
        start, end = (datetime.combine(day, time.min, UTC) for day in days)
        if end <= start:
            refuse_field("end", "Must be a later day than the start: the end of an all-day event is exclusive.")
    if end < start:
        refuse_field("end", "Must not be before the start.")
    return {**data, "start": start, "end": end}


def instant(event: Any, name: str) -> datetime:
    """The start or end of an event as an instant: for an all-day event, midnight in TIMEZONE."""
    stored = getattr(event, name)
    return fields.midnight(stored.date(), fields.timezone()) if event.all_day else stored


def day_of(instant: datetime) -> date:
    return instant.astimezone(fields.timezone()).date()


def invite(event: Event, ids: list[int]) -> None:
    """Invite the users who are not invited yet, and notify them."""
    invited = {attendee.user_id for attendee in event.attendees}
    new = [user for user in dict.fromkeys(ids) if user not in invited]
    if new:
        references("attendeeIds", User.contacts, ids, known=invited)
        insert_rows(EventAttendee, [{"event": event, "user": user} for user in new])
        event.changed = True
        refuse_crowd("attendeeIds", event.attendees.count(), Event)
    notify(new, "user", "You were invited to an event", content=event.title, target=event)


@blp.route("")
@blp.require("calendar:view")
@blp.arguments(EventArgs(), location="query")
@blp.response(200, EVENTS)
def list_events(args):
    """List the events you organise or are invited to; `start` and `end` select a time window"""
    edges = {name: Event.edge(args[name], args["tz"]) for name in ("start", "end") if name in args}
    if len(edges) == 2 and args["end"] < args["start"]:
        refuse_field("end", "Must not be before the start.")
    return paginate(Event.listed, {"page_size": 1000 if edges else 10, **args, **edges})


@blp.route("", methods=["POST"])
@blp.require("calendar:create")
@blp.arguments(EVENT)
@blp.response(201, EVENT, message="Event created", alone=False, errors=(429,))
def create_event(data):
    """Create an event, and invite users to it"""
    refuse_too_many(Event)
    ids = data.pop("attendee_ids", [])
    event = Event.create(organizer=current_user.id, **with_times(data))
    invite(event, ids)
    return record("create", event)


@blp.route("/<id:event_id>")
@blp.require("calendar:view")
@blp.response(200, EVENT)
def get_event(event_id):
    """Get an event"""
    return get_or_404(Event.visible_to, event_id)


@blp.route("/<id:event_id>", methods=["PUT", "PATCH"])
@blp.require("calendar:update")
@blp.arguments(EVENT_CHANGES)
@blp.response(200, EVENT, message="Event updated", alone=False, errors=(429,))
def update_event(data, event_id):
    """Update an event you organise; `attendeeIds` replaces the attendees"""
    event = get_or_404(Event.visible_to, event_id, change=Event.owned_by)
    ids = data.pop("attendee_ids", None)
    event.change(**with_times(data, event))
    if ids is not None:
        event.uninvite(EventAttendee.user.not_in(ids))
        invite(event, ids)
    return record("update", event)


@blp.route("/<id:event_id>", methods=["DELETE"])
@blp.require("calendar:delete")
@blp.response(200, message="Event deleted", alone=False)
def delete_event(event_id):
    """Delete an event you organise"""
    delete(get_or_404(Event.visible_to, event_id, change=Event.owned_by))


@blp.route("/<id:event_id>/attendees", methods=["POST"])
@blp.require("calendar:update")
@blp.arguments(InviteArgs())
@blp.response(201, EVENT, message="Attendees invited", alone=False, errors=(429,))
def add_attendees(data, event_id):
    """Invite users to an event you organise"""
    event = get_or_404(Event.visible_to, event_id, change=Event.owned_by)
    invite(event, data["attendee_ids"])
    return record("update", event)


@blp.route("/<id:event_id>/attendees/<id:user_id>", methods=["DELETE"])
@blp.require("calendar:update", "calendar:view")
@blp.response(200, message="Attendee removed")
def remove_attendee(event_id, user_id):
    """Remove an attendee from an event you organise, or leave an event"""
    leaving = user_id == current_user.id
    if not leaving:
        refuse_without("calendar:update")
    event = get_or_404(Event.visible_to, event_id, change=True if leaving else Event.owned_by)
    if not event.uninvite(EventAttendee.user == user_id):
        refuse(404)
    record("update", event)


@blp.route("/<id:event_id>/respond", methods=["PUT", "PATCH"])
@blp.require("calendar:view")
@blp.arguments(RespondArgs())
@blp.response(200, EVENT, message="Response saved", alone=False)
def respond_to_event(data, event_id):
    """Respond to your invitation"""
    event = get_or_404(Event.visible_to, event_id, change=True)
    mine = event.attendees.where(EventAttendee.user == current_user.id)
    invitation = mine.first() or refuse(403, "You are not invited")
    event.changed = invitation.change(**data).changed
    return record("respond", event)
