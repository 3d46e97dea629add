"""Calendar: events, and whom they invite.

A timed event is two instants. An all-day event is plain dates that move with no zone; its end is exclusive,
as in iCalendar (RFC 5545) and FullCalendar. Where one kind becomes the other, days are those of TIMEZONE.
"""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any, ClassVar

from database.base import insert_rows
from models import SHOWN, Activity, Event, EventAttendee, User
from web import fields, limits
from web.allowances import notify, refuse_crowd, refuse_more_than
from web.api import Blueprint, Schema, current_user, get_or_404, paginate, references, refuse, refuse_field
from web.arguments import PageArgs, Sort, Values, search_field
from web.fields import PersonSchema, midnight, timezone

blp = Blueprint("calendar", __name__, url_prefix="/api/calendar/events", description="Events and invitations")


class EventTime(fields.Instant):
    """An instant; of an all-day event a plain date. What comes in is an instant: a date is its midnight."""

    DOCUMENTED: ClassVar = {"type": "string", "description": "a time; of an all-day event a date"}

    def serialize(self, attr: str, obj: Any, accessor: Any = None, **kwargs: Any) -> str | None:
        stored = getattr(obj, attr)
        return stored.date().isoformat() if obj.all_day else self._serialize(stored, attr, obj)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:
        # Stored as it is shown: what a client puts back is then no change.
        return super()._deserialize(value, attr, data, **kwargs).replace(microsecond=0)


class AttendeeSchema(PersonSchema):
    status = fields.Choice(EventAttendee.STATUSES)


class EventSchema(Schema):
    id = fields.Integer(dump_only=True)
    title = fields.Text(200, 1, required=True)
    description = fields.Text(5000)
    start = EventTime(required=True)
    end = EventTime(required=True)
    all_day = fields.Boolean()
    type = fields.Choice(Event.TYPES)
    location = fields.Text(200)
    color = fields.Text(50)
    organizer = fields.Person()
    organizer_id = fields.Integer(dump_only=True)
    attendees = fields.People(AttendeeSchema)
    attendee_count = fields.Integer(
        dump_only=True, metadata={"description": f"of a list's events `attendees` are the first {SHOWN}"}
    )
    attendee_ids = fields.Several(fields.Id(), 1000, load_only=True)
    created_at = fields.Instant(dump_only=True)
    updated_at = fields.Instant(dump_only=True)


class InviteArgs(Schema):
    attendee_ids = fields.Several(fields.Id(), 1000, 1, required=True, load_only=True)


class AnswerArgs(Schema):
    status = fields.Choice(EventAttendee.STATUSES, required=True)


class EventArgs(PageArgs):
    page_size = fields.Count(1, 1000, metadata={"description": "10, in a window 1000; also called `limit`"})
    start = fields.Instant(metadata={"description": "with `end`: all that overlaps this window"})
    end = fields.Instant(metadata={"description": "exclusive"})
    tz = fields.Zone()
    type = Values(fields.Choice(Event.TYPES))
    search = search_field()
    sort = Sort(Event)


EVENT, EVENTS, EVENT_CHANGES = EventSchema(), EventSchema(many=True), EventSchema(partial=True)


def with_times(data: dict[str, Any], event: Event | None = None) -> dict[str, Any]:
    """`data` with start and end as they will be stored, what is missing from `event`; 400 on `end` if it is too early.

    An event that becomes all-day covers each day that it touched; one that no longer is keeps its midnights.
    """
    if event and not data.keys() & {"start", "end", "all_day"}:
        return data
    all_day = data.get("all_day", event is not None and event.all_day)
    start, end = (data[name] if name in data else instant(event, name) for name in ("start", "end"))
    if all_day:
        start, end = plain(first_day(start)), plain(day_after(end))
        if end <= start:
            refuse_field("end", "Must be a later day than the start: that of an all-day event is not part of it.")
    if end < start:
        refuse_field("end", "Must not be before the start.")
    return {**data, "start": start, "end": end}


def instant(event: Any, name: str) -> datetime:
    """The start or end of an event as a client would send it."""
    stored = getattr(event, name)
    return midnight(stored.date(), timezone()) if event.all_day else stored


def first_day(start: datetime) -> date:
    return start.astimezone(timezone()).date()


def day_after(end: datetime) -> date:
    """The day before which `end` lies: it is exclusive, so at midnight it is the day that would begin."""
    day = first_day(end)
    return day + timedelta(days=1) if midnight(day, timezone()) < end else day


def plain(day: date) -> datetime:
    """A day as it is stored: its midnight, in no zone."""
    return datetime.combine(day, time.min, UTC)


def invite(event: Event, ids: list[int]) -> None:
    """Invite people who are not invited yet, and tell them."""
    invited = {attendee.user_id for attendee in event.attendees}
    new = [user for user in dict.fromkeys(ids) if user not in invited]
    if new:
        references("attendeeIds", User.contacts, ids)
        insert_rows(EventAttendee, [{"event": event, "user": user} for user in new])
        event.changed = True
        refuse_crowd("attendeeIds", event.attendees.count(), Event)
    told = [user for user in new if user != current_user.id]
    notify(told, "user", "You were invited to an event", content=event.title, target=event)


@blp.route("")
@blp.require("calendar:view")
@blp.arguments(EventArgs(), location="query")
@blp.response(200, EVENTS)
def list_events(args):
    """The events you organise or are invited to; with `start` and `end`, those that overlap the time between"""
    edges = {name: Event.edge(args[name], args["tz"]) for name in ("start", "end") if name in args}
    if len(edges) == 2 and args["end"] < args["start"]:
        refuse_field("end", "Must not be before the start.")
    return paginate(Event.listed, {"page_size": 1000 if edges else 10, **args, **edges})


@blp.route("", methods=["POST"])
@blp.require("calendar:create")
@blp.arguments(EVENT)
@blp.response(201, EVENT, message="Event created", alone=False, errors=(429,))
def create_event(data):
    """Make an event, and invite people to it"""
    refuse_more_than(limits.ROWS, Event)
    ids = data.pop("attendee_ids", [])
    event = Event.create(organizer=current_user.id, **with_times(data))
    invite(event, ids)
    Activity.record(current_user.id, "create", event)
    return event


@blp.route("/<id:event_id>")
@blp.require("calendar:view")
@blp.response(200, EVENT)
def get_event(event_id):
    """One event"""
    return get_or_404(Event.visible_to, event_id)


@blp.route("/<id:event_id>", methods=["PUT", "PATCH"])
@blp.require("calendar:update")
@blp.arguments(EVENT_CHANGES)
@blp.response(200, EVENT, message="Event updated", alone=False, errors=(429,))
def update_event(data, event_id):
    """Change an event you organise; `attendeeIds` says who is invited from now on"""
    event = get_or_404(Event.visible_to, event_id, change=Event.owned_by)
    ids = data.pop("attendee_ids", None)
    event.change(**with_times(data, event))
    if ids is not None:
        event.uninvite(EventAttendee.user.not_in(ids))
        invite(event, ids)
    Activity.record(current_user.id, "update", event)
    return event


@blp.route("/<id:event_id>", methods=["DELETE"])
@blp.require("calendar:delete")
@blp.response(200, message="Event deleted", alone=False)
def delete_event(event_id):
    """Delete an event you organise"""
    event = get_or_404(Event.visible_to, event_id, change=Event.owned_by)
    Activity.record(current_user.id, "delete", event)
    event.delete_instance()


@blp.route("/<id:event_id>/attendees", methods=["POST"])
@blp.require("calendar:update")
@blp.arguments(InviteArgs())
@blp.response(201, EVENT, message="Attendees invited", alone=False, errors=(429,))
def add_attendees(data, event_id):
    """Invite people to an event you organise"""
    event = get_or_404(Event.visible_to, event_id, change=Event.owned_by)
    invite(event, data["attendee_ids"])
    Activity.record(current_user.id, "update", event)
    return event


@blp.route("/<id:event_id>/attendees/<id:user_id>", methods=["DELETE"])
@blp.require("calendar:update", "calendar:view")
@blp.response(200, message="Attendee removed")
def remove_attendee(event_id, user_id):
    """Take back an invitation to an event you organise, or leave an event yourself"""
    leaving = user_id == current_user.id
    if not leaving and not current_user.allows("calendar:update"):
        refuse(403, "This needs the permission calendar:update")
    event = get_or_404(Event.visible_to, event_id, change=True if leaving else Event.owned_by)
    if not event.uninvite(EventAttendee.user == user_id):
        refuse(404)
    Activity.record(current_user.id, "update", event)


@blp.route("/<id:event_id>/respond", methods=["PUT", "PATCH"])
@blp.require("calendar:view")
@blp.arguments(AnswerArgs())
@blp.response(200, EVENT, message="Answer saved", alone=False)
def respond_to_event(data, event_id):
    """Answer your own invitation"""
    event = get_or_404(Event.visible_to, event_id, change=True)
    invitation = event.attendees.where(EventAttendee.user == current_user.id).first()
    if invitation is None:
        refuse(403, "You are not invited")
    event.changed = invitation.change(**data).changed
    Activity.record(current_user.id, "respond", event)
    return event
