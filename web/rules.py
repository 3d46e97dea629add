"""Rules of the demo controls: which requests are delayed or fail, and which replies are cut in the middle.

A rule works on every route under /api without a line in it: it is applied before the view is called. What a request
asks for itself (`_delay`, `X-Demo-Status`) comes before all rules.
"""

import fnmatch
import itertools
import random
import re
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import jwt
import marshmallow as ma
from flask import Flask, Request, Response, after_this_request, current_app, request
from marshmallow import validate

from models import User
from web import fields, limits, security
from web.config import BadConfiguration
from web.errors import refuse, refuse_field
from web.hooks import unproxied

#: What a request asks for itself with a parameter of its query (`_delay`), or with this header.
WISHES = {"delay": "X-Demo-Delay", "status": "X-Demo-Status"}
#: The same as WSGI has them: a part of the query, a key of the environment.
SIGNS = [(f"_{name}", f"HTTP_{header.upper().replace('-', '_')}") for name, header in WISHES.items()]
#: What may happen to a request, each by the newest rule that says it.
EFFECTS = ("delay", "status", "body")
#: What says that a request came through a proxy, from wherever.
FORWARDED = ("X-Forwarded-For", "Forwarded", "X-Real-IP")
#: A part of a path that stands for any one: `:id` as in the README, `{document_id}` as in the OpenAPI document, and
#: `<id:document_id>` as in the code.
_ANY_PART = re.compile(r"(?<=/)(:\w+|\{\w+\}|<[\w:]+>)")


class Delay(ma.fields.Field):
    """Milliseconds: 800, or "200-800" for a number between the two that is drawn each time. Loaded as both ends."""

    MOST = 10_000

    def __init__(self, **options: Any):
        about = {"type": ["integer", "string"], "description": 'milliseconds, such as 800 or "200-800"', "example": 800}
        super().__init__(metadata=about, **options)

    def _serialize(self, value: tuple[int, int] | None, attr: str | None, obj: Any, **kwargs: Any) -> int | str | None:
        if value is None:
            return None
        return value[0] if value[0] == value[1] else f"{value[0]}-{value[1]}"

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> tuple[int, int]:
        found = re.fullmatch(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", str(value)) if type(value) in (int, str) else None
        low, high = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
        if not low <= high <= self.MOST:
            raise ma.ValidationError(f"Must be milliseconds up to {self.MOST}, such as 800 or 200-800.")
        return low, high


PATH = fields.Text(
    200,
    required=True,
    validate=validate.Regexp(r"^/api/[\w/.:{}<>*-]*$", error="Not a path under /api."),
    metadata={"description": "a route, or a path with `*` for anything", "example": "/api/documents/:id"},
)
DELAY, STATUS = Delay(allow_none=True), fields.Count(400, 599, allow_none=True)
RATE = fields.Float(validate=validate.Range(0, 1), load_default=1.0, error_messages={"special": "Not a valid number."})


@dataclass
class Rule:
    """Which requests, and what happens to them."""

    id: int
    #: A route template, or a path with `*` for anything.
    path: str
    method: str | None = None
    user: User | None = None
    #: How often it is applied; None: until it is removed.
    times: int | None = None
    #: To which part of the requests that match it is applied, by chance.
    rate: float = 1.0
    #: Milliseconds, from and to.
    delay: tuple[int, int] | None = None
    status: int | None = None
    #: "cut", or as it is.
    body: str | None = None
    used: int = 0

    @cached_property
    def effects(self) -> dict[str, Any]:
        return {name: value for name in EFFECTS if (value := getattr(self, name)) is not None}

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(fnmatch.translate(_ANY_PART.sub("\0", self.path).rstrip("/")).replace("\0", "[^/]+"))

    @property
    def email(self) -> str | None:
        return self.user.email if self.user else None

    @property
    def spent(self) -> bool:
        return self.times is not None and self.used >= self.times

    def matches(self, asked: Request) -> bool:
        if self.method not in (None, asked.method) or not self.pattern.match(asked.path.rstrip("/")):
            return False
        return (self.user is None or comes_from(self.user, asked)) and random.random() < self.rate


class Rules:
    """The rules of this process, the newest first; several threads may use them at once."""

    def __init__(self) -> None:
        self._lock, self._numbers = threading.Lock(), itertools.count(1)
        self.listed: tuple[Rule, ...] = ()
        #: Those of the command line, which a reset puts back.
        self.first: tuple[Rule, ...] = ()

    def add(self, **values: Any) -> Rule:
        """A new rule, before all others. Spent ones make room for it; 409 if there are too many even so."""
        with self._lock:
            there = self.listed
            if len(there) >= limits.RULES:
                there = tuple(rule for rule in there if not rule.spent)
            if len(there) >= limits.RULES:
                refuse(409, f"There may be at most {limits.RULES} rules")
            rule = Rule(next(self._numbers), **values)
            self.listed = (rule, *there)
        return rule

    def remove(self, rule_id: int | None = None) -> bool:
        """Remove one rule, or all; whether there was one."""
        with self._lock:
            before = self.listed
            self.listed = tuple(rule for rule in before if rule_id is not None and rule.id != rule_id)
            return len(self.listed) < len(before)

    def reset(self) -> None:
        """Put them back as they were when the server started."""
        with self._lock:
            self.listed = tuple(replace(rule, used=0) for rule in self.first)

    def apply(self, asked: Request, effects: dict[str, Any]) -> dict[str, Any]:
        """`effects`, and of each other kind what the newest rule says that matches; it counts as used."""
        for rule in self.listed:
            if rule.effects.keys() - effects.keys() and rule.matches(asked) and self._use(rule):
                effects = {**rule.effects, **effects}
        return effects

    def _use(self, rule: Rule) -> bool:
        with self._lock:
            if rule.spent:
                return False
            rule.used += 1
            return True


def init_app(app: Flask) -> None:
    """Apply rules to every request; the command line and the demo controls make them."""
    app.extensions["rules"] = Rules()
    # Whoever sleeps holds a thread: half of them stay for everybody else.
    app.extensions["sleepers"] = threading.BoundedSemaphore(app.config["THREADS"] // 2)
    app.before_request(interfere)


def from_options(app: Flask, **options: str | None) -> None:
    """Make a rule for all requests of `delay` and of `fail_rate`, if they are given. Raises BadConfiguration."""
    for name, field in (("delay", DELAY), ("fail_rate", RATE)):
        if options[name] is None:
            continue
        option = f"--{name.replace('_', '-')}"
        if app.config["PRODUCTION"]:
            raise BadConfiguration(f"{option} works in development only")
        try:
            value = field.deserialize(options[name])
        except ma.ValidationError as error:
            raise BadConfiguration(f"{option}: {error.messages[0]}") from None
        rules: Rules = app.extensions["rules"]
        rules.add(path="/api/*", **({"delay": value} if name == "delay" else {"status": 503, "rate": value}))
        rules.first = rules.listed


def controls_open() -> bool:
    """Whether the caller is on this machine, or DEMO_CONTROLS lets everybody in."""
    if current_app.config["DEMO_CONTROLS"] == "open":
        return True
    proxied = any(name in request.headers for name in FORWARDED)
    # Only X-Forwarded-For puts the client's address in the place of the proxy's (`hooks.trust_proxy`).
    trusted = current_app.config["TRUSTED_PROXY"] in security.LOOPBACK and "X-Forwarded-For" in request.headers
    return request.remote_addr in security.LOOPBACK and (trusted or not proxied)


def counts(asked: Request) -> bool:
    """Whether a request is the API's, and no control itself."""
    return asked.path.startswith("/api/") and not asked.path.startswith("/api/demo")


def comes_from(user: User, asked: Request) -> bool:
    """Whether a request is the user's: by its token, also an expired one, or by what it logs in or renews with.

    The token's signature is not checked here: who forges one meets the rule, and nothing else.
    """
    sent: dict[str, Any] = {}
    if asked.path.startswith("/api/auth/") and asked.is_json:
        with suppress(RecursionError):
            body = asked.get_json(silent=True)
            sent = body if isinstance(body, dict) else {}
    named = {str(sent[name]).strip().lower() for name in ("email", "username") if sent.get(name)}
    tokens = (asked.headers.get("Authorization", "").rpartition(" ")[2], str(sent.get("refreshToken")))
    return not named.isdisjoint((user.email, user.username.lower())) or str(user.id) in map(subject, tokens)


def subject(token: str) -> str | None:
    """The id of the user whom a token names, as it says."""
    try:
        return jwt.decode(token, options={"verify_signature": False}).get("sub")
    except jwt.PyJWTError:
        return None


def interfere() -> None:
    """Delay or fail the request as it asks for, or as the rules say."""
    (context, asked), rules = unproxied(), current_app.extensions["rules"]
    environ, query = asked.environ, asked.environ.get("QUERY_STRING", "")  # not taken apart before one of them is in it
    if not (rules.listed or any(name in query or header in environ for name, header in SIGNS)):
        return
    if not counts(asked) or asked.method == "OPTIONS" or not controls_open():
        return
    effects = rules.apply(asked, dict(wishes(asked)))
    if "delay" in effects:
        context.headers["X-Demo-Delay"] = str(sleep(random.randint(*effects["delay"])))
    if "body" in effects:
        after_this_request(cut)
    status = effects.get("status")
    if status == 401:
        sent = "Authorization" in asked.headers
        reason = "invalid_token" if sent else "missing_token"
        security.refuse_401(reason, "The demo controls made this error", token_sent=sent)
    if status is not None:
        refuse(status, "The demo controls made this error", **({"retry_after": 1} if status in (429, 503) else {}))


def wishes(asked: Request) -> Iterator[tuple[str, Any]]:
    """What a request asks for; 400 if that is none, or out of range."""
    for name, field in (("delay", DELAY), ("status", STATUS)):
        sent = f"_{name}" if f"_{name}" in asked.args else WISHES[name]
        text = asked.args.get(sent, asked.headers.get(sent))
        if text is not None:
            try:
                yield name, field.deserialize(text)
            except ma.ValidationError as error:
                refuse_field(sent, str(error.messages[0]))


def sleep(milliseconds: int) -> int:
    """Sleep, before a connection or a lock is held, unless half of the threads do so; how long it really was."""
    sleepers, began = current_app.extensions["sleepers"], time.perf_counter()
    if sleepers.acquire(blocking=False):
        try:
            time.sleep(milliseconds / 1000)
        finally:
            sleepers.release()
    return round((time.perf_counter() - began) * 1000)


def cut(response: Response) -> Response:
    """Let a reply end in the middle of its body: it is shorter than its Content-Length says."""
    if response.content_length:
        response.response = _first_half(response.response, response.content_length // 2)
    return response


def _first_half(parts: Any, size: int) -> Iterator[bytes]:
    """The first `size` bytes; the server closes the connection when no more of them come."""
    for part in parts:
        yield part[:size]
        size -= len(part)
        if size <= 0:
            return
