"""Sessions: where one is logged in."""

from typing import Any

from flask import g

from database import engines
from models import Session
from web import fields
from web.api import Blueprint, Schema, current_user, get_or_404, paginate
from web.arguments import LongPageArgs, Sort
from web.texts import translate

blp = Blueprint("sessions", __name__, url_prefix="/api/auth/sessions", description="Where one is logged in")

#: Part of a User-Agent → what it means; the first that is found, since most browsers also name their ancestors.
BROWSERS = {"Edg": "Edge", "OPR": "Opera", "Firefox": "Firefox", "Chrome": "Chrome", "Safari": "Safari", "curl": "curl"}
SYSTEMS = {"iPhone": "iPhone", "iPad": "iPad", "Android": "Android", "Windows": "Windows", "Mac OS X": "macOS"} | {
    "Linux": "Linux"
}


def device_name(user_agent: str) -> str:
    """Browser and system in a few words; the first word of what is neither, such as a script."""
    named = [next((name for part, name in parts.items() if part in user_agent), "") for parts in (BROWSERS, SYSTEMS)]
    return ", ".join(filter(None, named)) or user_agent.partition("/")[0][:50]


class Device(fields.String):
    def serialize(self, attr: str, obj: Any, accessor: Any = None, **kwargs: Any) -> str:
        return device_name(obj.device) or translate("Unknown device", g.language)


class Current(fields.Boolean):
    """Whether it is the session of this very request."""

    def serialize(self, attr: str, obj: Any, accessor: Any = None, **kwargs: Any) -> bool:
        return obj.id == current_user.session


class SessionSchema(Schema):
    id = fields.Integer(dump_only=True)
    device = Device(dump_only=True)
    address = fields.String(dump_only=True)
    created_at = fields.Instant(dump_only=True)
    last_used_at = fields.Instant(dump_only=True, metadata={"description": "the login, or the last refresh"})
    current = Current(dump_only=True)


class SessionArgs(LongPageArgs):
    sort = Sort(Session)


SESSIONS = SessionSchema(many=True)


@blp.route("")
@blp.require()
@blp.arguments(SessionArgs(), location="query")
@blp.response(200, SESSIONS)
def list_sessions(args):
    """Your own live sessions"""
    return paginate(Session.visible_to, {**args, "live_at": engines.now()})


@blp.route("/<id:session_id>", methods=["DELETE"])
@blp.require()
@blp.response(200, message="Session ended")
def delete_session(session_id):
    """End one of your sessions; its tokens are refused from the next request on"""
    get_or_404(Session.visible_to, session_id, change=True).change(ended_at=engines.now())
