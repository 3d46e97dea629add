"""Demo controls: what a front-end developer breaks on purpose (slow and failing replies, expired tokens, lost data).

They need no token, so they are there in development only and answer nobody beyond this machine. What they set (rules,
the clock) and what they tell of requests belongs to this process.
"""

from typing import Any

from flask import Flask, current_app, g, request

import seed
from models import Mail, Session, User
from resources.auth import TOKENS, open_session, reset_link
from web import clock, fields, rules, security, traces
from web.api import Blueprint, Schema, answer, refuse, refuse_field
from web.arguments import LongPageArgs
from web.config import SETS
from web.fields import base_url
from web.paging import paginate_list
from web.texts import translate

blp = Blueprint("demo", __name__, url_prefix="/api/demo", description="Controls for trying out a front end")


LINK = {"type": ["string", "null"], "description": "null once it is old or used"}
PERMISSIONS = {"description": "one of these is needed; null: no login, empty: any login"}


class AccountSchema(Schema):
    email = fields.String(dump_only=True)
    name = fields.String(dump_only=True)
    role = fields.String(dump_only=True)
    role_label = fields.String(dump_only=True)
    password = fields.String(dump_only=True, allow_none=True, metadata={"description": "null once it was changed"})


class MailSchema(Schema):
    id = fields.Integer(dump_only=True)
    to = fields.String(dump_only=True, attribute="user.email")
    subject = fields.Function(lambda mail: translate("Set a new password", g.language), metadata={"type": "string"})
    link = fields.Function(reset_link, metadata=LINK)
    created_at = fields.Instant(dump_only=True)


class RuleSchema(Schema):
    id = fields.Integer(dump_only=True)
    method = fields.Choice(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"), allow_none=True)
    path = rules.PATH
    email = fields.Email(allow_none=True, metadata={"description": "only requests of this account"})
    times = fields.Count(1, 1_000_000, allow_none=True, metadata={"description": "how often; null: until removed"})
    rate = rules.RATE
    delay = rules.DELAY
    status = rules.STATUS
    body = fields.Choice(("cut",), allow_none=True, metadata={"description": "`cut`: the reply ends in its middle"})
    used = fields.Integer(dump_only=True)


class ClockSchema(Schema):
    now = fields.Instant(required=True)
    frozen = fields.Boolean(load_default=True)
    set = fields.Boolean(dump_only=True, metadata={"description": "false: the clock of the machine"})


class RequestSchema(Schema):
    time = fields.Instant(dump_only=True)
    method = fields.String(dump_only=True)
    path = fields.String(dump_only=True)
    status = fields.Integer(dump_only=True)
    ms = fields.Integer(dump_only=True)
    user_id = fields.Integer(dump_only=True, allow_none=True)
    ignored_fields = fields.List(fields.String(), dump_only=True)
    ignored_params = fields.List(fields.String(), dump_only=True)
    queries = fields.Integer(dump_only=True)
    request_id = fields.String(dump_only=True)


class StatementSchema(Schema):
    sql = fields.String(dump_only=True)
    values: Any = fields.List(fields.String(allow_none=True), dump_only=True)
    rows = fields.Integer(
        dump_only=True, allow_none=True, metadata={"description": "found or changed; null: not known"}
    )
    ms = fields.Float(dump_only=True)


class ExplainedRequestSchema(RequestSchema):
    route = fields.String(dump_only=True, allow_none=True)
    view = fields.String(dump_only=True, allow_none=True, attribute="endpoint")
    permissions = fields.List(fields.String(), dump_only=True, allow_none=True, metadata=PERMISSIONS)
    app_ms = fields.Float(dump_only=True)
    database_ms = fields.Float(dump_only=True)
    statements = fields.List(fields.Nested(StatementSchema), dump_only=True)


class ExpiredSchema(Schema):
    expired = fields.Integer(dump_only=True, metadata={"description": "sessions whose access tokens are refused now"})


class SetSchema(Schema):
    """Which set of rows: by default the one in use."""

    set = fields.Choice(SETS, allow_none=True)


class DemoLoginArgs(Schema):
    email = fields.Email(required=True)


CLOCK, RULE, SET = ClockSchema(), RuleSchema(), SetSchema()


def init_app(app: Flask) -> None:
    """Put what needs every request around every request."""
    rules.init_app(app)
    traces.init_app(app)


@blp.before_request
def guard() -> None:
    """Nobody from elsewhere, and no other site's page: nothing else protects a route that needs no token."""
    if not rules.controls_open():
        refuse(404)
    origin = request.headers.get("Origin")
    # A page of a neighbour in the network may read the API, but not the tokens that are given away here.
    opened = current_app.config["DEMO_CONTROLS"] == "open"
    allowed = current_app.extensions["cors_origins" if opened else "near_origins"]
    known = origin == base_url() or any(p.match(origin or "") for p in allowed)
    foreign = not known if origin else request.headers.get("Sec-Fetch-Site") == "cross-site"
    if foreign and (request.method != "GET" or origin):
        refuse(403, "Requests from this site are refused; allow it with CORS_ORIGINS")
    # The home page asks every two seconds: at INFO, its lines would bury all others in the log. By Sec-Fetch-Site the
    # browser says that a page of ours asks. From elsewhere that may be forged, and mails hold secrets.
    ours = request.headers.get("Sec-Fetch-Site") == "same-origin" and request.remote_addr in security.LOOPBACK
    g.watching = ours and request.method == "GET"


def find_user(email: str) -> User:
    return User.get_or_none(User.email == email) or refuse_field("email", "There is no such row.")


@blp.route("/accounts")
@blp.public
@blp.response(200, AccountSchema(many=True, paged=False), errors=(403, 404))
def list_accounts():
    """The seeded accounts, each with its password as long as that is the seeded one"""
    return seed.accounts()


@blp.route("/login", methods=["POST"])
@blp.public
@blp.arguments(DemoLoginArgs())
@blp.response(200, TOKENS, message="Logged in", errors=(403,))
def log_in_as(data):
    """Log in as anybody without a password"""
    user = find_user(data["email"])
    if user.status != "active":
        refuse(403, "This account is not active")
    current_app.logger.info("demo: login as user %s", user.id)
    return open_session(user)


@blp.route("/reset", methods=["POST"])
@blp.public
@blp.arguments(SET)
@blp.response(200, SET, message="The demo data is as it was seeded", write=False, errors=(403, 409))
def reset_demo_data(data):
    """Put the demo data back, or another set of it; sessions of accounts that are in both stay"""
    try:
        name = seed.reset(data.get("set", ""))
    except seed.NotResettable as error:
        refuse(409, str(error))
    current_app.extensions["last_requests"].clear()
    current_app.extensions["rules"].reset()
    current_app.logger.info("demo: reset to the set %s", name)
    return answer({"set": name})


@blp.route("/set")
@blp.public
@blp.response(200, SET)
def get_set_in_use():
    """Which set of demo rows the database holds; null if it was not filled with one"""
    return {"set": seed.set_in_use() if seed.seeded() else None}


@blp.route("/expire-tokens", methods=["POST"])
@blp.public
@blp.response(200, ExpiredSchema(), message="Access tokens expired", errors=(401, 403))
def expire_tokens():
    """Let all access tokens expire, or only those of the session whose token is sent; refresh tokens still work"""
    sessions = Session.update(epoch=Session.epoch + 1).where(Session.ended_at.is_null())
    if "Authorization" in request.headers:
        sessions = sessions.where(Session.id == security.authenticate().session)
    expired = sessions.execute()
    current_app.logger.info("demo: the access tokens of %s sessions expired", expired)
    return {"expired": expired}


@blp.route("/mails")
@blp.public
@blp.arguments(LongPageArgs(), location="query")
@blp.response(200, MailSchema(many=True))
def list_mails(args):
    """The mails that forgot-password would have sent, newest first"""
    mails = Mail.select(Mail, User).join(User).order_by(Mail.id.desc())
    return paginate_list(list(mails), args)


@blp.route("/requests")
@blp.public
@blp.arguments(LongPageArgs(), location="query")
@blp.response(200, RequestSchema(many=True))
def list_requests(args):
    """The last 200 requests to this process, newest first, with what was ignored in them"""
    return paginate_list(traces.latest(), args)


@blp.route("/requests/<request_id>")
@blp.public
@blp.response(200, ExplainedRequestSchema(), errors=(404,))
def get_request(request_id):
    """One of the last requests, by its `X-Request-ID`: its route, its permission and its SQL statements"""
    trace = traces.find(request_id)
    return traces.explained(trace) if trace else refuse(404)


@blp.route("/rules")
@blp.public
@blp.arguments(LongPageArgs(), location="query")
@blp.response(200, RuleSchema(many=True))
def list_rules(args):
    """The rules of this process, newest first, with how often each was used"""
    return paginate_list(list(current_app.extensions["rules"].listed), args)


@blp.route("/rules", methods=["POST"])
@blp.public
@blp.arguments(RULE)
@blp.response(201, RULE, message="Rule created", write=False, errors=(403, 409))
def create_rule(data):
    """Delay, fail or cut the next requests that match; of several rules the newest comes first"""
    email = data.pop("email", None)
    if all(data.get(name) is None for name in rules.EFFECTS):
        refuse_field("", "Give delay, status or body.")
    return answer(current_app.extensions["rules"].add(user=email and find_user(email), **data))


@blp.route("/rules", methods=["DELETE"])
@blp.public
@blp.response(200, message="Rules deleted", write=False, errors=(403,))
def delete_rules():
    """Remove all rules"""
    current_app.extensions["rules"].remove()


@blp.route("/rules/<id:rule_id>", methods=["DELETE"])
@blp.public
@blp.response(200, message="Rule deleted", write=False, errors=(403, 404))
def delete_rule(rule_id):
    """Remove one rule"""
    if not current_app.extensions["rules"].remove(rule_id):
        refuse(404)


@blp.route("/clock")
@blp.public
@blp.response(200, CLOCK, errors=(403, 404))
def get_clock():
    """What the clock of the application shows"""
    return clock.state()


@blp.route("/clock", methods=["POST"])
@blp.public
@blp.arguments(CLOCK)
@blp.response(200, CLOCK, message="Clock set", write=False, errors=(403,))
def set_clock(data):
    """Let the clock of the application stand at a time, or run on from there"""
    if data["now"].year not in clock.YEARS:
        refuse_field("now", f"Must be from {clock.YEARS[0]} to {clock.YEARS[-1]}.")
    clock.put(data["now"], data["frozen"])
    return answer(clock.state())


@blp.route("/clock", methods=["DELETE"])
@blp.public
@blp.response(200, message="The clock runs again", write=False, errors=(403,))
def reset_clock():
    """Go by the clock of the machine again"""
    clock.let_run()
