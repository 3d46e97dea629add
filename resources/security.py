"""Who is calling and what they may do: passwords, tokens, grants.

Access and refresh tokens are JWTs (RFC 7519) signed with HS256. A token carries no permissions: the
session, the user's status and the role's grants are read with one select on every request, so a change
takes effect on the next one, in every process.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from typing import Any, NamedTuple, NoReturn, cast

import jwt
from flask import current_app, g, request
from werkzeug.local import LocalProxy
from werkzeug.security import check_password_hash

import models
from models import FailedAttempt, RefreshToken, Session, User
from resources.errors import refuse
from resources.prepared import rows
from web import limits

ALGORITHM = "HS256"
#: What an unknown account's password is compared with, so that the answer takes as long as for a known one.
NOBODY = (
    "scrypt:32768:8:1$HVLDlRJ2zispCpVQ$9180b73db93c51e1b535d337c4f36d4829bd3bb1df1d0fc015c68b4d6da533daa8"
    "d953e01009cf4f5ea598f88428451a1581ba79d789a082a7ea816cbfcde1a6"
)
LOOPBACK = ("127.0.0.1", "::1", None)
log = logging.getLogger("halolight")

# --- Grants ----------------------------------------------------------------------------------------------------------


def allows(grants: Iterable[str], permission: str) -> bool:
    """Whether `grants` cover one permission or grant: `*` covers all, `users:*` every action on users."""
    resource, _, _ = permission.partition(":")
    return "*" in grants or permission in grants or f"{resource}:*" in grants


def exceeds(grants: Iterable[str], own: Iterable[str]) -> bool:
    """Whether somebody with `grants` could do what somebody with `own` could not."""
    return not all(allows(own, grant) for grant in grants)


class Caller(NamedTuple):
    """Who sent the request; `id` is the user's."""

    id: int
    session: int
    epoch: int
    role: str
    grants: tuple[str, ...]

    def allows(self, permission: str) -> bool:
        return allows(self.grants, permission)


current_user = cast(Caller, LocalProxy(lambda: g.caller))


def authenticate() -> Caller:
    """The caller by the bearer token of the request; 401 with the reason otherwise (RFC 6750)."""
    sent = request.headers.get("Authorization", "")
    scheme, _, token = sent.partition(" ")
    if scheme.lower() != "bearer" or not token:
        text = "The header Authorization must be `Bearer` and the token" if sent else "Log in first"
        refuse_401("missing_token", text)
    try:
        claims = verify(token.strip(), "access")
    except jwt.ExpiredSignatureError:
        refuse_401("expired_token", "The token has expired", token_sent=True)
    except jwt.PyJWTError:
        refuse_401("invalid_token", "The token is not valid", token_sent=True)
    found = rows(Session.caller, session=claims["sid"])
    if not found or found[0].ended_at or found[0].expires_at <= models.now() or found[0].status != "active":
        refuse_401("revoked_session", "The session has ended", token_sent=True)
    row = found[0]
    if row.epoch != claims["epoch"]:
        refuse_401("expired_token", "The token has expired", token_sent=True)
    g.caller = Caller(row.user_id, row.id, row.epoch, row.role, row.grants)
    return g.caller


def admit(permissions: tuple[str, ...]) -> None:
    """Let in only who is logged in and, if permissions are named, holds one of them: 401, 403."""
    caller = authenticate()
    g.admitted_by = permissions
    if permissions and not any(map(caller.allows, permissions)):
        refuse(403, f"This needs the permission {permissions[0]}")


@contextmanager
def write() -> Iterator[None]:
    """One transaction of a request (`models.write`), in which its caller is still who may do this: 401, 403.

    A request waits for its turn, and for a hash, and meanwhile its caller may have been demoted, suspended or deleted.
    So the caller is read again as the transaction begins: nobody writes after that was acknowledged.
    """
    with models.write():
        if "caller" in g:
            admit(g.get("admitted_by", ()))
        yield


def refuse_401(reason: str, text: str, token_sent: bool = False) -> NoReturn:
    """Answer 401 with the challenge of RFC 6750, which says what was wrong only where a bearer token was sent."""
    challenge = 'Bearer realm="halolight"'
    if token_sent:
        challenge += f', error="invalid_token", error_description="{text}"'
    refuse(401, text, reason=reason, www_authenticate=challenge)


# --- Tokens ----------------------------------------------------------------------------------------------------------


def new_jti() -> str:
    return secrets.token_urlsafe(12)


def sign(claims: dict[str, Any]) -> str:
    return jwt.encode(claims, current_app.config["JWT_SECRET"], ALGORITHM)


def verify(token: str, kind: str) -> dict[str, Any]:
    """The claims of a token of ours, unexpired and of this kind. Raises jwt.PyJWTError."""
    claims = _claims(token, kind, current_app.config["JWT_SECRET"])
    if claims["exp"] <= models.now().timestamp():
        raise jwt.ExpiredSignatureError
    return claims


@limits.remembered(4096)
def _claims(token: str, kind: str, secret: str) -> dict[str, Any]:
    """A token's signature is checked once (60 µs); its expiry each time, and that of its session too."""
    # A clock that is ahead of ours is no reason to refuse, so `iat` is not checked: we sign it, and decide by `exp`.
    options: Any = {"require": ["exp", "iat", "sub", "jti", "type", "sid"], "verify_iat": False, "verify_exp": False}
    claims = jwt.decode(token, secret, algorithms=[ALGORITHM], options=options)
    # A refresh token must not open ordinary routes, nor an access token renew itself.
    if claims["type"] != kind:
        raise jwt.InvalidTokenError("wrong type")
    return claims


def token_pair(session: Session, refresh_token: RefreshToken) -> dict[str, Any]:
    """The reply to a login or a refresh: a fresh access token, and the session's one unspent refresh token."""
    issued = int(models.now().timestamp())
    seconds = int(current_app.config["JWT_ACCESS_EXPIRES"].total_seconds())
    common = {"sub": str(session.user_id), "sid": session.id}
    access = {"type": "access", "epoch": session.epoch, "jti": new_jti(), "iat": issued, "exp": issued + seconds}
    # HS256 is deterministic: the same row signs to the same token, so nothing replayable has to be stored.
    spent = {
        "type": "refresh",
        "jti": refresh_token.jti,
        "iat": refresh_token.issued_at,
        "exp": refresh_token.expires_at,
    }
    return {
        "access_token": sign(common | access),
        "refresh_token": sign(common | spent),
        "token_type": "Bearer",
        "expires_in": seconds,
    }


def new_refresh_token(session: Session) -> RefreshToken:
    issued = models.now()
    expires = min(issued + current_app.config["JWT_REFRESH_EXPIRES"], session.expires_at)
    return RefreshToken.create(
        jti=new_jti(),
        session=session,
        issued_at=int(issued.timestamp()),
        expires_at=int(expires.timestamp()),
    )


# --- Passwords -------------------------------------------------------------------------------------------------------

#: Two hashes at once leave others the rest of two cores; without this, 16 logins left everybody else a fifth of their
#: requests. Of the two, what is no login uses one.
_hashing = threading.BoundedSemaphore(2)
_one_of_others = threading.BoundedSemaphore(1)
_logins_waiting = threading.BoundedSemaphore(limits.LOGINS_WAITING)
_others_waiting = threading.BoundedSemaphore(limits.OTHERS_WAITING)


@contextmanager
def hashing(login: bool = False) -> Iterator[None]:
    """A place in the queue before the hashing of passwords; 429 if it is full, so that other requests flow.

    Logins have a queue of their own: registrations, which need no account, cannot keep anybody out.
    """
    waiting = _logins_waiting if login else _others_waiting
    if not waiting.acquire(blocking=False):
        refuse(429, retry_after=1)
    try:
        with nullcontext() if login else _one_of_others, _hashing:
            yield
    finally:
        waiting.release()


def hash_password(password: str) -> str:
    """The hash of a new password, made in the queue and so outside of any transaction."""
    with hashing():
        return models.make_hash(password)


def password_fits(stored: str | None, password: str) -> bool:
    """Whether `password` is the one whose hash is `stored`; an account without one takes as long and fails."""
    fits = check_password_hash(stored or NOBODY, password)
    return fits and stored is not None


# --- Limits a minute ---


def client_address() -> str | None:
    """The address that limits count (`limits.client_of`); None on the machine itself in development."""
    address, config = request.remote_addr, current_app.config
    if "X-Forwarded-For" in request.headers and not config["TRUSTED_PROXY"]:
        warn_of_proxy(current_app.extensions, address)
    if address is None or (address in LOOPBACK and not config["PRODUCTION"]):
        return None
    try:
        return limits.client_of(address)
    except ValueError:  # a trusted proxy that hands on whatever its clients claim
        return address[:50]


def warn_of_proxy(extensions: dict[str, Any], address: str | None) -> None:
    """Say once in the log that a proxy's clients are counted as one."""
    if not extensions.setdefault("proxy_told", False):
        extensions["proxy_told"] = True
        log.warning("%s forwards requests, but TRUSTED_PROXY is not set: limits count its clients as one", address)


def account_limits(user: User | None, identity: str) -> dict[str, int]:
    """What an attempt on an account counts against: the account from this address, the account, the address.

    The account by itself has a far higher limit, so that a stranger's guesses do not lock its owner out. It is the
    same one whether it was named by e-mail or by username.
    """
    account = f"user:{user.id}" if user else f"name:{identity.strip().casefold()[:200]}"
    from_here = {f"{account} from {client_address() or 'here'}": current_app.config["LOGIN_RATE_LIMIT"]}
    return {**from_here, account: limits.ACCOUNT_ATTEMPTS, **address_limit("attempts", limits.ADDRESS_ATTEMPTS)}


def address_limit(what: str, most: int) -> dict[str, int]:
    """What a request counts against if it concerns no account: its address, but not the machine's own."""
    address = client_address()
    return {f"{what} from {address}": most} if address else {}


def count_attempt(most: dict[str, int]) -> list[FailedAttempt]:
    """Count an attempt against each key of `most`; 429 if one had as many as it says in the last minute.

    It is counted before it is known to fail, in a transaction of its own, so that parallel guesses count
    too; whoever succeeds takes it back with `forgive()`.
    """
    now = models.now()
    minute_ago = now - timedelta(minutes=1)
    with models.write():
        for key, limit in most.items():
            # None of later than now: the clock was set back since, and they would count for as long.
            recent = FailedAttempt.select().where(FailedAttempt.key == key, FailedAttempt.at.between(minute_ago, now))
            if full := recent.order_by(FailedAttempt.at.desc()).offset(limit - 1).first():
                refuse(429, retry_after=int((full.at - minute_ago).total_seconds()) + 1)
        return [FailedAttempt.create(key=key) for key in most]


def forgive(attempts: list[FailedAttempt]) -> None:
    FailedAttempt.delete().where(FailedAttempt.id.in_(attempts)).execute()
