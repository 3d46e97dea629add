"""Sessions: where a user is logged in."""

from typing import Any

from flask import g

from database import engines
from models import Session
from web import fields
from web.api import Blueprint, Schema, current_user, get_or_404, paginate
from web.arguments import LongPageArgs, Sort
from web.texts import translate

blp = Blueprint("sessions", __name__, url_prefix="/api/auth/sessions", description="Where you are logged in")

#: Parts of a User-Agent. The first one found counts, because most browsers also name the ones they descend from.
BROWSERS = ("Edg", "OPR", "Firefox", "Chrome", "Safari", "curl")
SYSTEMS = ("iPhone", "iPad", "Android", "Windows", "Mac OS X", "Linux")
NAMES = {"Edg": "Edge", "OPR": "Opera", "Mac OS X": "macOS"}


def device_name(user_agent: str) -> str:
    """Browser and system, such as "Firefox, Linux"; the first word of a User-Agent that names neither."""
    found = [next((part for part in parts if part in user_agent), "") for parts in (BROWSERS, SYSTEMS)]
    return ", ".join(NAMES.get(part, part) for part in found if part) or user_agent.partition("/")[0][:50]


def shown_device(session: Any) -> str:
    return device_name(session.device) or translate("Unknown device", g.language)


class SessionSchema(Schema):
    id = fields.Integer()
    device = fields.Function(shown_device, metadata={"type": "string"})
    address = fields.String()
    created_at = fields.Instant()
    last_used_at = fields.Instant(metadata={"description": "the time of the login or of the last refresh"})
    current = fields.Function(lambda row: row.id == current_user.session, metadata={"type": "boolean"})


class SessionArgs(LongPageArgs):
    sort = Sort(Session)


@blp.route("")
@blp.require()
@blp.arguments(SessionArgs(), location="query")
@blp.response(200, SessionSchema(many=True))
def list_sessions(args):
    """List your active sessions"""
    return paginate(Session.visible_to, {**args, "live_at": engines.now()})


@blp.route("/<id:session_id>", methods=["DELETE"])
@blp.require()
@blp.response(200, message="Session ended")
def delete_session(session_id):
    """End one of your sessions; its tokens stop working at once"""
    get_or_404(Session.visible_to, session_id, change=True).change(ended_at=engines.now())
