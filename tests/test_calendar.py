"""Events: their times, who may do what, and invitations. The server's zone in tests is Asia/Shanghai, UTC+8."""

from zoneinfo import ZoneInfo

import pytest

from database import engines
from models import Event, EventAttendee, Notification, User
from web import limits

PATH = "/api/calendar/events"
ALL = ("calendar:view", "calendar:create", "calendar:update", "calendar:delete")
TIMED = {"start": "2026-11-24T09:00:00Z", "end": "2026-11-24T10:00:00Z"}
ALL_DAY = {"start": "2026-11-24", "end": "2026-11-25", "allDay": True}


@pytest.fixture
def owner(client_with):
    return client_with(*ALL)


@pytest.fixture
def other(client_with):
    return client_with(*ALL)


def new_event(client, **fields):
    reply = client.post(PATH, {"title": "评审会", **TIMED, **fields})
    assert reply.status_code == 201, reply.json
    return reply.json["data"]


def refused(reply):
    assert reply.status_code == 400 and reply.json["error"]["code"] == "VALIDATION_ERROR"
    return [(each["field"], each["code"]) for each in reply.json["error"]["details"]]


def titles(client, query):
    return [row["title"] for row in client.get(f"{PATH}?{query}").json["data"]["items"]]


def test_a_new_event_is_a_meeting_of_its_organizer(owner):
    event = new_event(owner)
    assert (event["start"], event["end"]) == (TIMED["start"], TIMED["end"])
    assert event["type"] == "meeting" and event["allDay"] is False and event["attendees"] == []
    assert event["organizer"]["id"] == event["organizerId"] == owner.id


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"end": "2026-11-24T08:59:59Z"}, ("end", "out_of_range")),
        ({**ALL_DAY, "end": "2026-11-24"}, ("end", "out_of_range")),
        ({"start": "today"}, ("start", "type")),
        ({"start": None}, ("start", "null")),
        ({"type": "party"}, ("type", "not_one_of")),
        ({"allDay": "perhaps"}, ("allDay", "type")),
        ({"title": ""}, ("title", "too_short")),
        ({"attendeeIds": [1, 999999]}, ("attendeeIds.1", "unknown_id")),
    ],
)
def test_bad_input_is_refused_by_field(owner, fields, error):
    assert refused(owner.post(PATH, {"title": "x", **TIMED, **fields})) == [error]
    assert owner.get(PATH).json["data"]["total"] == 0


def test_an_event_may_have_no_length(owner):
    assert new_event(owner, end=TIMED["start"])["end"] == TIMED["start"]


@pytest.mark.parametrize("change", [{"end": "2026-11-24T08:00:00Z"}, {"start": "2026-11-24T11:00:00Z"}])
def test_a_change_of_one_edge_is_held_against_the_other(owner, change):
    path = f"{PATH}/{new_event(owner)['id']}"
    assert refused(owner.put(path, change)) == [("end", "out_of_range")]
    assert owner.get(path).json["data"]["start"] == TIMED["start"]


def test_an_all_day_event_keeps_its_dates_whatever_the_zone(app, owner, monkeypatch):
    event = new_event(owner, **ALL_DAY)
    assert (event["start"], event["end"]) == ("2026-11-24", "2026-11-25")
    monkeypatch.setitem(app.config, "TIMEZONE", ZoneInfo("America/New_York"))
    path = f"{PATH}/{event['id']}"
    assert owner.get(path).json["data"] == event
    assert owner.put(path, {"title": "改"}).json["data"]["start"] == "2026-11-24"


@pytest.mark.parametrize(
    ("start", "end", "dates"),
    [
        ("2026-11-24T09:00:00+08:00", "2026-11-24T10:00:00+08:00", ["2026-11-24", "2026-11-25"]),
        ("2026-11-23T20:00:00Z", "2026-11-24T20:00:00Z", ["2026-11-24", "2026-11-26"]),
        ("2026-11-24T00:00:00+08:00", "2026-11-25T00:00:00+08:00", ["2026-11-24", "2026-11-25"]),
    ],
)
def test_an_event_that_becomes_all_day_covers_each_day_it_touched(owner, start, end, dates):
    path = f"{PATH}/{new_event(owner, start=start, end=end)['id']}"
    event = owner.put(path, {"allDay": True}).json["data"]
    assert [event["start"], event["end"]] == dates


def test_an_instant_at_midnight_covers_no_day(owner):
    midnight = "2026-11-24T00:00:00+08:00"
    path = f"{PATH}/{new_event(owner, start=midnight, end=midnight)['id']}"
    assert refused(owner.put(path, {"allDay": True})) == [("end", "out_of_range")]
    assert owner.get(path).json["data"]["allDay"] is False


def test_an_event_that_is_no_longer_all_day_lasts_from_midnight_to_midnight(owner):
    path = f"{PATH}/{new_event(owner, **ALL_DAY)['id']}"
    event = owner.put(path, {"allDay": False}).json["data"]
    assert (event["start"], event["end"]) == ("2026-11-23T16:00:00Z", "2026-11-24T16:00:00Z")


@pytest.mark.parametrize("times", [{}, ALL_DAY, {"start": "2026-11-24T09:00:00.9Z"}])
def test_a_client_may_put_back_what_it_got(owner, times):
    event = new_event(owner, **times)
    reply = owner.put(f"{PATH}/{event['id']}", event)
    assert reply.json["data"] == event and "X-Ignored-Fields" not in reply.headers


@pytest.mark.parametrize(
    ("window", "found"),
    [
        ("start=2026-11-24T09:30:00Z&end=2026-11-24T09:40:00Z", True),
        ("start=2026-11-24T10:00:00Z&end=2026-11-24T11:00:00Z", False),
        ("start=2026-11-24T08:00:00Z&end=2026-11-24T09:00:00Z", False),
        ("start=2026-11-24&end=2026-11-25", True),
        ("start=2026-11-24T17:59:00 08:00", True),  # a plus sign that was not escaped
        ("end=2026-11-24T09:00:01Z", True),
        ("start=2026-11-25", False),
    ],
)
def test_a_window_shows_what_overlaps_it(owner, window, found):
    new_event(owner)
    assert titles(owner, window) == (["评审会"] if found else [])


def test_an_event_without_a_length_lies_where_it_begins(owner):
    new_event(owner, end=TIMED["start"])
    assert titles(owner, "start=2026-11-24T09:00:00Z&end=2026-11-24T09:01:00Z") == ["评审会"]
    assert titles(owner, "start=2026-11-24T08:00:00Z&end=2026-11-24T09:00:00Z") == []


@pytest.mark.parametrize(
    ("window", "found"),
    [
        ("start=2026-11-24T15:00:00Z&end=2026-11-24T15:30:00Z", True),  # 23:00 in Shanghai
        ("start=2026-11-24T16:00:00Z&end=2026-11-24T17:00:00Z", False),  # the 25th there
        ("start=2026-11-24T16:00:00Z&end=2026-11-24T17:00:00Z&tz=America/New_York", True),
        ("start=2026-11-24T02:00:00Z&end=2026-11-24T03:00:00Z&tz=America/New_York", False),  # still the 23rd there
    ],
)
def test_an_all_day_event_is_on_its_dates_in_the_zone_of_who_asks(owner, window, found):
    new_event(owner, **ALL_DAY)
    assert bool(titles(owner, window)) is found


def test_a_window_is_one_page_of_a_thousand(owner):
    assert owner.get(PATH).json["data"]["pageSize"] == 10
    assert owner.get(f"{PATH}?start=2026-11-24").json["data"]["pageSize"] == 1000
    assert owner.get(f"{PATH}?start=2026-11-24&limit=5").json["data"]["pageSize"] == 5


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("start=2026-11-25&end=2026-11-24", ("end", "out_of_range")),
        ("start=soon", ("start", "type")),
        ("tz=Mars/Olympus", ("tz", "invalid_zone")),
        ("tz=../../etc/passwd", ("tz", "invalid_zone")),
    ],
)
def test_a_bad_window_is_refused_by_field(owner, query, error):
    assert refused(owner.get(f"{PATH}?{query}")) == [error]


def test_events_are_filtered_searched_and_in_the_order_of_their_start(owner):
    new_event(owner, title="乙", start="2026-11-24T09:30:00Z", type="task", location="一号会议室")
    new_event(owner, title="甲")
    assert titles(owner, "") == ["甲", "乙"] and titles(owner, "sort=-start") == ["乙", "甲"]
    assert titles(owner, "type=task,holiday") == ["乙"] and titles(owner, "type=all&search=甲") == ["甲"]
    assert titles(owner, "search=会议") == ["乙"]


def test_an_event_is_absent_for_others_until_they_are_invited(owner, other):
    event = new_event(owner)
    path = f"{PATH}/{event['id']}"
    assert [other.get(path).status_code, other.put(f"{path}/respond", {"status": "accepted"}).status_code] == [404, 404]
    reply = owner.post(f"{path}/attendees", {"attendeeIds": [other.id]})
    assert reply.status_code == 201
    (attendee,) = reply.json["data"]["attendees"]
    assert set(attendee) == {"id", "name", "avatar", "status"} and attendee["status"] == "pending"
    assert [row["id"] for row in other.get(PATH).json["data"]["items"]] == [event["id"]]


def test_an_attendee_sees_an_event_but_changes_nothing(owner, other):
    path = f"{PATH}/{new_event(owner, attendeeIds=[other.id])['id']}"
    assert other.get(path).status_code == 200
    assert other.put(path, {"title": "改"}).status_code == 403
    assert other.post(f"{path}/attendees", {"attendeeIds": [other.id]}).status_code == 403
    assert other.delete(f"{path}/attendees/{owner.id}").status_code == 403
    assert other.delete(path).status_code == 403


def test_who_manages_the_calendar_changes_and_deletes_any_event(owner, client_with):
    path, manager = f"{PATH}/{new_event(owner)['id']}", client_with("calendar:*")
    assert manager.put(path, {"title": "改"}).json["data"]["organizerId"] == owner.id
    assert manager.delete(path).json["data"] is None
    assert owner.get(path).status_code == 404


def test_an_invitation_rings_the_bell_once(owner, other):
    path = f"{PATH}/{new_event(owner, attendeeIds=[other.id, owner.id, other.id])['id']}"
    owner.post(f"{path}/attendees", {"attendeeIds": [other.id]})
    owner.put(path, {"attendeeIds": [other.id]})
    rung = [row.user_id for row in Notification.select().where(Notification.target_type == "event")]
    assert rung == [other.id]


def test_whoever_may_view_the_calendar_answers_an_invitation(owner, client_with):
    guest = client_with("calendar:view")
    path = f"{PATH}/{new_event(owner, attendeeIds=[guest.id])['id']}"
    event = guest.put(f"{path}/respond", {"status": "tentative"}).json["data"]
    assert [(each["id"], each["status"]) for each in event["attendees"]] == [(guest.id, "tentative")]
    assert refused(guest.put(f"{path}/respond", {"status": "maybe"})) == [("status", "not_one_of")]
    assert owner.put(f"{path}/respond", {"status": "accepted"}).status_code == 403


def test_an_update_may_say_who_is_invited_from_now_on(owner, other, client_with):
    third = client_with("calendar:view")
    path = f"{PATH}/{new_event(owner, attendeeIds=[other.id])['id']}"
    other.put(f"{path}/respond", {"status": "accepted"})
    event = owner.put(path, {"attendeeIds": [other.id, third.id]}).json["data"]
    assert [each["status"] for each in event["attendees"]] == ["accepted", "pending"]
    assert owner.put(path, {"attendeeIds": []}).json["data"]["attendees"] == []
    assert other.get(path).status_code == 404


def test_who_was_invited_may_stay_when_no_longer_active(owner, other):
    path = f"{PATH}/{new_event(owner, attendeeIds=[other.id])['id']}"
    User.update(status="inactive").where(User.id == other.id).execute()
    assert owner.put(path, {"title": "改", "attendeeIds": [other.id]}).status_code == 200
    assert len(owner.put(path, {"attendeeIds": [other.id, 3]}).json["data"]["attendees"]) == 2
    assert refused(owner.put(path, {"attendeeIds": [other.id, 999999]})) == [("attendeeIds.1", "unknown_id")]


def test_an_invitation_is_taken_back(owner, other):
    path = f"{PATH}/{new_event(owner, attendeeIds=[other.id])['id']}"
    assert owner.delete(f"{path}/attendees/{other.id}").json["data"] is None
    assert owner.delete(f"{path}/attendees/{other.id}").status_code == 404
    assert other.get(path).status_code == 404


def test_a_refused_invitation_leaves_no_event_and_no_change(owner, other):
    path = f"{PATH}/{new_event(owner)['id']}"
    assert refused(owner.put(path, {"title": "改", "attendeeIds": [other.id, 999999]})) == [
        ("attendeeIds.1", "unknown_id")
    ]
    event = owner.get(path).json["data"]
    assert event["title"] == "评审会" and event["attendees"] == []


def test_an_invitation_that_is_taken_back_goes_out_of_the_bell(owner, other, client_with, bell):
    third, fourth = client_with("calendar:view"), client_with("calendar:view")
    path = f"{PATH}/{new_event(owner, attendeeIds=[other.id, third.id, fourth.id])['id']}"
    owner.delete(f"{path}/attendees/{other.id}")
    owner.put(path, {"attendeeIds": [fourth.id]})
    assert bell(other) == bell(third) == [] and bell(fourth) == ["评审会"]
    owner.delete(path)
    assert bell(fourth) == []


def test_an_invitee_may_leave_and_take_nobody_else_along(owner, other, client_with, bell):
    guest = client_with("calendar:view")
    path = f"{PATH}/{new_event(owner, attendeeIds=[guest.id, other.id])['id']}"
    assert guest.delete(f"{path}/attendees/{other.id}").status_code == 403
    assert guest.delete(f"{path}/attendees/{guest.id}").json["data"] is None
    assert guest.get(path).status_code == 404 and bell(guest) == []
    assert [each["id"] for each in owner.get(path).json["data"]["attendees"]] == [other.id]
    assert owner.delete(f"{path}/attendees/{owner.id}").status_code == 404


def test_an_organizer_who_may_only_view_takes_no_invitation_back(client_with, other):
    viewer = client_with("calendar:view")
    with engines.write():
        event = Event.create(title="x", start=engines.now(), end=engines.now(), organizer=viewer.id)
        EventAttendee.create(event=event, user=other.id)
    reply = viewer.delete(f"{PATH}/{event.id}/attendees/{other.id}")
    assert reply.status_code == 403 and "calendar:update" in reply.json["message"]


def test_an_event_invites_only_so_many_people(owner, client_with, monkeypatch):
    manager = client_with("calendar:*")
    monkeypatch.setattr(limits, "PEOPLE", 2)
    monkeypatch.setattr(limits, "MANAGED_PEOPLE", 3)
    crowd = [("attendeeIds", "too_long")]
    assert refused(owner.post(PATH, {"title": "x", **TIMED, "attendeeIds": [1, 2, 3]})) == crowd
    path = f"{PATH}/{new_event(owner, attendeeIds=[1, 1, 2])['id']}"
    assert refused(owner.post(f"{path}/attendees", {"attendeeIds": [3]})) == crowd
    assert refused(owner.put(path, {"attendeeIds": [2, 3, 4]})) == crowd
    assert owner.put(path, {"attendeeIds": [2, 3]}).status_code == 200
    assert manager.post(f"{path}/attendees", {"attendeeIds": [4]}).status_code == 201
    assert owner.put(path, {"attendeeIds": [2, 3, 4]}).json["data"]["attendeeCount"] == 3
    assert refused(manager.post(f"{path}/attendees", {"attendeeIds": [5]})) == crowd


def test_a_list_shows_the_first_ten_who_are_invited_and_how_many_there_are(owner, client_with):
    ids = [13, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12]
    event = new_event(owner, attendeeIds=ids)
    assert [each["id"] for each in event["attendees"]] == ids and event["attendeeCount"] == 12
    assert owner.get(PATH).json["data"]["items"] == [{**event, "attendees": event["attendees"][:10]}]
    viewer = client_with("calendar:*", "dashboard:view")
    (found,) = [row for row in viewer.get(PATH + "?pageSize=100").json["data"]["items"] if row["id"] == event["id"]]
    assert len(found["attendees"]) == 10


def test_an_event_takes_its_invitations_along(owner, other):
    event = new_event(owner, attendeeIds=[other.id])
    owner.delete(f"{PATH}/{event['id']}")
    assert not EventAttendee.select().where(EventAttendee.event == event["id"]).exists()


def test_the_seeded_events_lie_before_today_today_and_after(root):
    assert Event.select().count() == 31
    assert {each.status for each in EventAttendee.select()} == set(EventAttendee.STATUSES)
    assert {each.type for each in Event.select()} == set(Event.TYPES)
