"""Demo controls: what a front-end developer breaks on purpose (slow and failing replies, expired tokens, lost data).

They need no token, so they are there in development only and answer nobody beyond this machine. Delays and
forced errors work on every route under /api without a line in it: they happen before the view is called.
"""

from __future__ import annotations

import logging
import random
import re
import threading
import time
from collections import deque

from flask import Flask, Request, Response, current_app, g, request

import seed
from database import engines
from models import Mail, Session, User
from resources.auth import TOKENS, open_session, reset_link
from web import fields, security
from web.api import Blueprint, paginate_list
from web.arguments import LongPageArgs
from web.config import BadConfiguration
from web.errors import refuse, refuse_field
from web.fields import base_url
from web.hooks import unproxied
from web.logs import masked
from web.schemas import Schema
from web.texts import translate

blp = Blueprint("demo", __name__, url_prefix="/api/demo", description="Controls for trying out a front end")
log = logging.getLogger("halolight")

#: What a request asks for a delay or an error with: a parameter of its query, or this header.
WISHES = {"_delay": "X-Demo-Delay", "_status": "X-Demo-Status"}
#: What says that a request came through a proxy, from wherever.
FORWARDED = ("X-Forwarded-For", "Forwarded", "X-Real-IP")


class AccountSchema(Schema):
    email = fields.String(dump_only=True)
    name = fields.String(dump_only=True)
    role = fields.String(dump_only=True)
    role_label = fields.String(dump_only=True)
    password = fields.String(dump_only=True, allow_none=True, metadata={"description": "null once it was changed"})


class MailSchema(Schema):
    id = fields.Integer(dump_only=True)
    to = fields.String(dump_only=True)
    subject = fields.String(dump_only=True)
    link = fields.String(dump_only=True, allow_none=True, metadata={"description": "null once it is old or used"})
    created_at = fields.Instant(dump_only=True)


class RequestSchema(Schema):
    time = fields.Instant(dump_only=True)
    method = fields.String(dump_only=True)
    path = fields.String(dump_only=True)
    status = fields.Integer(dump_only=True)
    ms = fields.Integer(dump_only=True)
    user_id = fields.Integer(dump_only=True, allow_none=True)
    ignored_fields = fields.List(fields.String(), dump_only=True)
    ignored_params = fields.List(fields.String(), dump_only=True)
    request_id = fields.String(dump_only=True)


class ExpiredSchema(Schema):
    expired = fields.Integer(dump_only=True, metadata={"description": "sessions whose access tokens are refused now"})


class DemoLoginArgs(Schema):
    email = fields.Email(required=True)


def init_app(app: Flask) -> None:
    """Put the controls before and after every request; the command line sets what happens to all of them."""
    app.config.update(DEMO_DELAY=None, DEMO_FAIL_RATE=0.0)
    # Whoever sleeps holds a thread: half of them stay for everybody else.
    app.extensions["sleepers"] = threading.BoundedSemaphore(app.config["THREADS"] // 2)
    app.extensions["last_requests"] = deque(maxlen=200)
    app.before_request(interfere)
    app.after_request(remember)


def disturb(app: Flask, delay: str | None, fail_rate: str | None) -> None:
    """Set a delay, or a rate of failures, for every request. Raises BadConfiguration."""
    if (delay or fail_rate) and app.config["PRODUCTION"]:
        raise BadConfiguration("--delay and --fail-rate work in development only")
    if delay:
        found = re.fullmatch(r"([0-9]{1,5})-([0-9]{1,5})", delay)
        if not found or not int(found[1]) <= int(found[2]) <= 10_000:
            raise BadConfiguration("--delay: two numbers of milliseconds up to 10000, such as 200-800")
        app.config["DEMO_DELAY"] = (int(found[1]), int(found[2]))
    if fail_rate:
        if not re.fullmatch(r"0|1|[01]?\.[0-9]{1,9}", fail_rate) or float(fail_rate) > 1:
            raise BadConfiguration("--fail-rate: a number from 0 to 1, such as 0.05")
        app.config["DEMO_FAIL_RATE"] = float(fail_rate)


def controls_open() -> bool:
    """Whether the caller is on this machine, or DEMO_CONTROLS lets everybody in."""
    if current_app.config["DEMO_CONTROLS"] == "open":
        return True
    proxied = any(name in request.headers for name in FORWARDED)
    # Only X-Forwarded-For makes waitress put the client's address in the place of the proxy's.
    trusted = current_app.config["TRUSTED_PROXY"] in security.LOOPBACK and "X-Forwarded-For" in request.headers
    return request.remote_addr in security.LOOPBACK and (trusted or not proxied)


@blp.before_request
def guard() -> None:
    """Nobody from elsewhere, and no other site's page: nothing else protects a route that needs no token."""
    if not controls_open():
        refuse(404)
    origin = request.headers.get("Origin")
    # A page of a neighbour in the network may read the API, but not the tokens that are given away here.
    opened = current_app.config["DEMO_CONTROLS"] == "open"
    allowed = current_app.extensions["cors_origins" if opened else "near_origins"]
    known = origin == base_url() or any(p.match(origin or "") for p in allowed)
    foreign = not known if origin else request.headers.get("Sec-Fetch-Site") == "cross-site"
    if foreign and (request.method == "POST" or origin):
        refuse(403, "Requests from this site are refused; allow it with CORS_ORIGINS")


def interfere() -> None:
    """Delay or fail the request as it asks for, or as the command line does for all."""
    (_, asked), config = unproxied(), current_app.config
    query = asked.query_string.decode("latin-1")  # not taken apart before one of them is in it
    wished = any(parameter in query or header in asked.headers for parameter, header in WISHES.items())
    if not (wished or config["DEMO_DELAY"] or config["DEMO_FAIL_RATE"]):
        return
    if not counts(asked) or asked.method == "OPTIONS" or not controls_open():
        return
    delay, status = number(asked, "_delay", 0, 10_000), number(asked, "_status", 400, 599)
    if delay is None and config["DEMO_DELAY"]:
        delay = random.randint(*config["DEMO_DELAY"])
    if delay is not None:
        g.headers["X-Demo-Delay"] = str(sleep(delay))
    if status is None and random.random() < config["DEMO_FAIL_RATE"]:
        status = random.choice((500, 503))
    if status == 401:
        sent = "Authorization" in asked.headers
        reason = "invalid_token" if sent else "missing_token"
        security.refuse_401(reason, "The demo controls made this error", token_sent=sent)
    if status is not None:
        refuse(status, "The demo controls made this error", **({"retry_after": 1} if status in (429, 503) else {}))


def counts(asked: Request) -> bool:
    """Whether it is the API's, and no control itself."""
    return asked.path.startswith("/api/") and not asked.path.startswith("/api/demo")


def number(asked: Request, wish: str, minimum: int, maximum: int) -> int | None:
    """The number that a request wishes, None if it does not; 400 where it is none, or out of range."""
    name = wish if wish in asked.args else WISHES[wish]
    text = asked.args.get(wish, asked.headers.get(name))
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,5}", text) or not minimum <= int(text) <= maximum:
        refuse_field(name, f"Must be greater than or equal to {minimum} and less than or equal to {maximum}.")
    return int(text)


def sleep(milliseconds: int) -> int:
    """Sleep, before a connection or a lock is held, unless half of the threads do so; how long it really was."""
    sleepers, began = current_app.extensions["sleepers"], time.perf_counter()
    if sleepers.acquire(blocking=False):
        try:
            time.sleep(milliseconds / 1000)
        finally:
            sleepers.release()
    return round((time.perf_counter() - began) * 1000)


def remember(response: Response) -> Response:
    """Keep what a developer wants to see of the last requests: never a body, never a token."""
    context, asked = unproxied()
    if "started" in context and counts(asked):
        context.ignored_params = [name for name in context.ignored_params if name not in WISHES]
        current_app.extensions["last_requests"].append(
            {
                "time": engines.now(),
                "method": asked.method,
                "path": asked.full_path.rstrip("?")[:500],
                "status": response.status_code,
                "ms": round((time.perf_counter() - context.started) * 1000),
                "user_id": context.caller.id if "caller" in context else None,
                "ignored_fields": [str(name)[:200] for name in context.ignored_fields[:20]],
                "ignored_params": [name[:200] for name in context.ignored_params[:20]],
                "request_id": context.request_id,
            }
        )
    return response


@blp.route("/accounts")
@blp.public
@blp.response(200, AccountSchema(many=True, paged=False))
def list_accounts():
    """The seeded accounts, each with its password as long as that is the seeded one"""
    return [
        {
            "email": user.email,
            "name": user.name,
            "role": user.role.name,
            "role_label": user.role.label,
            "password": password,
        }
        for user, password in seed.accounts()
    ]


@blp.route("/login", methods=["POST"])
@blp.public
@blp.arguments(DemoLoginArgs())
@blp.response(200, TOKENS, message="Logged in", errors=(403,))
def log_in_as(data):
    """Log in as anybody without a password"""
    user = User.get_or_none(User.email == data["email"])
    if user is None:
        refuse_field("email", "There is no such row.")
    if user.status != "active":
        refuse(403, "This account is not active")
    log.info("demo: login as user %s", user.id)
    return open_session(user)


@blp.route("/reset", methods=["POST"])
@blp.public
@blp.response(200, message="The demo data is as it was seeded", write=False, errors=(403, 409))
def reset_demo_data():
    """Put the demo data back; sessions of seeded accounts stay"""
    try:
        seed.reset()
    except seed.NotResettable:
        refuse(409, "This database was not filled with demo data")
    current_app.extensions["last_requests"].clear()
    log.info("demo: reset")


@blp.route("/expire-tokens", methods=["POST"])
@blp.public
@blp.response(200, ExpiredSchema(), message="Access tokens expired", errors=(401, 403))
def expire_tokens():
    """Let all access tokens expire, or only those of the session whose token is sent; refresh tokens still work"""
    sessions = Session.update(epoch=Session.epoch + 1).where(Session.ended_at.is_null())
    if "Authorization" in request.headers:
        sessions = sessions.where(Session.id == security.authenticate().session)
    expired = sessions.execute()
    log.info("demo: the access tokens of %s sessions expired", expired)
    return {"expired": expired}


@blp.route("/mails")
@blp.public
@blp.arguments(LongPageArgs(), location="query")
@blp.response(200, MailSchema(many=True))
def list_mails(args):
    """The mails that forgot-password would have sent, newest first"""
    mails = Mail.select(Mail, User).join(User).order_by(Mail.id.desc())
    subject = translate("Set a new password", g.language)
    return [
        {"id": m.id, "to": m.user.email, "subject": subject, "link": reset_link(m), "created_at": m.created_at}
        for m in paginate_list(list(mails), args)
    ]


@blp.route("/requests")
@blp.public
@blp.arguments(LongPageArgs(), location="query")
@blp.response(200, RequestSchema(many=True))
def list_requests(args):
    """The last 200 requests to this process, newest first, with what was ignored in them"""
    found = paginate_list(list(reversed(current_app.extensions["last_requests"])), args)
    return [
        {
            **each,
            "path": masked(each["path"]),
            "ignored_fields": [masked(name) for name in each["ignored_fields"]],
            "ignored_params": [masked(name) for name in each["ignored_params"]],
        }
        for each in found
    ]
