"""Who is calling and what they may do: passwords, tokens, grants.

Access and refresh tokens are JWTs (RFC 7519) signed with HS256. A token carries no permissions: the
session, the user's status and the role's grants are read with one select on every request, so a change
takes effect on the next one, in every process.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import lru_cache
from typing import Any, NamedTuple, NoReturn, cast

import jwt
from flask import current_app, g, request
from werkzeug.local import LocalProxy
from werkzeug.security import check_password_hash

import models
from models import FailedAttempt, RefreshToken, Session, User
from resources.errors import refuse
from resources.prepared import rows

ALGORITHM = "HS256"
#: What an unknown account's password is compared with, so that the answer takes as long as for a known one.
NOBODY = (
    "scrypt:32768:8:1$HVLDlRJ2zispCpVQ$9180b73db93c51e1b535d337c4f36d4829bd3bb1df1d0fc015c68b4d6da533daa8"
    "d953e01009cf4f5ea598f88428451a1581ba79d789a082a7ea816cbfcde1a6"
)
#: Failed attempts a minute from one address, whatever the accounts.
ADDRESS_LIMIT = 100
LOOPBACK = ("127.0.0.1", "::1", None)

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
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        refuse_401("missing_token", "Log in first")
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


@lru_cache(maxsize=4096)
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

#: Two hashes at once, fourteen waiting: scrypt takes 0.1 s of a core and 32 MB, and whoever waits holds one of THREADS.
#: Without this, 16 logins left everybody else a fifth of their requests.
_places = threading.BoundedSemaphore(16)
_hashing = threading.BoundedSemaphore(2)


@contextmanager
def hashing() -> Iterator[None]:
    """A place in the queue before the hashing of passwords; 429 where it is full, so that other requests flow."""
    if not _places.acquire(blocking=False):
        refuse(429, retry_after=1)
    try:
        with _hashing:
            yield
    finally:
        _places.release()


def hash_password(password: str) -> str:
    """The hash of a new password, made in the queue and so outside of any transaction."""
    with hashing():
        return models.make_hash(password)


def password_fits(stored: str | None, password: str) -> bool:
    """Whether `password` is the one whose hash is `stored`; an account without one takes as long and fails."""
    fits = check_password_hash(stored or NOBODY, password)
    return fits and stored is not None


def count_attempt(user: User | None, identity: str) -> list[FailedAttempt]:
    """Count an attempt against the account and, beyond loopback, the address; 429 where there were too many.

    It is counted before it is known to fail, in a transaction of its own, so that parallel guesses count
    too; whoever succeeds takes it back with `forgive()`.
    """
    # An account is the same one however it was spelled.
    account = f"user:{user.id}" if user else f"name:{identity.strip().casefold()[:200]}"
    limits = {account: current_app.config["LOGIN_RATE_LIMIT"]}
    if request.remote_addr not in LOOPBACK:
        limits[f"address:{request.remote_addr}"] = ADDRESS_LIMIT
    minute_ago = models.now() - timedelta(minutes=1)
    with models.write():
        FailedAttempt.delete().where(FailedAttempt.at < minute_ago).execute()
        for key, limit in limits.items():
            newest = FailedAttempt.select().where(FailedAttempt.key == key).order_by(FailedAttempt.id.desc())
            if full := newest.offset(limit - 1).first():
                refuse(429, retry_after=int((full.at - minute_ago).total_seconds()) + 1)
        return [FailedAttempt.create(key=key) for key in limits]


def forgive(attempts: list[FailedAttempt]) -> None:
    FailedAttempt.delete().where(FailedAttempt.id.in_(attempts)).execute()
