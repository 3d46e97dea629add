"""Who is calling and what they may do: tokens, grants, transactions of a caller.

Access and refresh tokens are JWTs (RFC 7519) signed with HS256. A token carries no permissions. One select on every
request reads the session, the user's status and the role's grants, so a change takes effect on the next request, in
every process.
"""

import logging
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, NoReturn, cast

import jwt
from flask import current_app, g, request
from peewee import IntegrityError, OperationalError
from werkzeug.local import LocalProxy

from database import engines
from database.compiled import rows
from models import RefreshToken, Session
from web import limits
from web.errors import refuse

ALGORITHM = "HS256"
LOOPBACK = ("127.0.0.1", "::1", None)
log = logging.getLogger("halolight")


# --- Grants ----------------------------------------------------------------------------------------------------------
def allows(grants: Iterable[str], permission: str) -> bool:
    """Whether `grants` cover one permission or grant.

    `*` covers all, `users:*` every action on users, and `tasks:manage` covers `tasks:view-all`.
    """
    resource, _, action = permission.partition(":")
    if "*" in grants or permission in grants or f"{resource}:*" in grants:
        return True
    return action == "view-all" and f"{resource}:manage" in grants


def exceeds(grants: Iterable[str], own: Iterable[str]) -> bool:
    """Whether `grants` allow something that the grants `own` do not."""
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
    """The user and session of the request's bearer token (RFC 6750); 401 with a reason if it is not valid."""
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
    if not found or found[0].ended_at or found[0].expires_at <= engines.now() or found[0].status != "active":
        refuse_401("revoked_session", "The session has ended", token_sent=True)
    row = found[0]
    if row.epoch != claims["epoch"]:
        refuse_401("expired_token", "The token has expired", token_sent=True)
    caller = g.caller = Caller(row.user_id, row.id, row.epoch, row.role, row.grants)
    return caller


def admit(permissions: tuple[str, ...]) -> None:
    """401 unless the caller is logged in; 403 unless they hold one of the permissions, if any are named."""
    authenticate()
    g.admitted_by = permissions
    if permissions:
        refuse_without(*permissions)


def refuse_without(*permissions: str) -> None:
    """403 unless the caller holds one of the permissions."""
    caller = g.caller
    if any(map(caller.allows, permissions)):
        return
    named = ", ".join(permissions)
    if len(permissions) > 1:
        refuse(403, f"This needs one of the permissions {named}")
    refuse(403, f"This needs the permission {named}")


@contextmanager
def write(account: int | None = None) -> Iterator[None]:
    """One transaction of a request (`engines.write`). Its caller is checked again as it begins: 401, 403.

    A request waits for its turn and for the hashing of a password. Its caller may be demoted, suspended or deleted
    meanwhile, and must not write after that was acknowledged.
    """
    with engines.write(account):
        if "caller" in g:
            admit(g.get("admitted_by", ()))
        yield


def written(work: Callable[[], Any], alone: bool) -> Any:
    """The result of `work`, done in one transaction (`write`): `alone`, or beside those of other accounts.

    If two transactions wait for each other's rows, or create the same row, the database refuses one of them. It is
    done again, alone, so that it cannot lose another race.
    """
    if not alone:
        try:
            with write(current_user.id):
                return work()
        except (OperationalError, IntegrityError) as error:
            if not engines.lost_a_race(error):
                raise
    with write():
        return work()


def refuse_401(reason: str, text: str, token_sent: bool = False) -> NoReturn:
    """Answer 401 with the challenge of RFC 6750, which names the error only if a bearer token was sent."""
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
    """The claims of a token that we signed, of this kind and not expired. Raises jwt.PyJWTError."""
    claims = _claims(token, kind, current_app.config["JWT_SECRET"])
    if claims["exp"] <= engines.now().timestamp():
        raise jwt.ExpiredSignatureError
    return claims


@limits.remembered(4096)
def _claims(token: str, kind: str, secret: str) -> dict[str, Any]:
    """The claims of a token whose signature is valid. They are remembered, so they do not depend on the clock."""
    # `iat` is not compared with the clock: another process, whose clock is ahead, may have signed the token.
    options: Any = {"require": ["exp", "iat", "sub", "jti", "type", "sid"], "verify_iat": False, "verify_exp": False}
    claims = jwt.decode(token, secret, algorithms=[ALGORITHM], options=options)
    # A refresh token must not open ordinary routes, nor an access token renew itself.
    if claims["type"] != kind:
        raise jwt.InvalidTokenError("wrong type")
    return claims


def token_pair(session: Session, refresh_token: RefreshToken) -> dict[str, Any]:
    """The reply to a login or a refresh: a new access token, and the session's one valid refresh token."""
    issued = int(engines.now().timestamp())
    seconds = int(current_app.config["JWT_ACCESS_EXPIRES"].total_seconds())
    common = {"sub": str(session.user_id), "sid": session.id}
    access = {"type": "access", "epoch": session.epoch, "jti": new_jti(), "iat": issued, "exp": issued + seconds}
    # HS256 is deterministic: the same row always gives the same token, so the token itself need not be stored.
    refresh = {
        "type": "refresh",
        "jti": refresh_token.jti,
        "iat": refresh_token.issued_at,
        "exp": refresh_token.expires_at,
    }
    return {
        "access_token": sign(common | access),
        "refresh_token": sign(common | refresh),
        "token_type": "Bearer",
        "expires_in": seconds,
    }


def new_refresh_token(session: Session) -> RefreshToken:
    issued = engines.now()
    expires = min(issued + current_app.config["JWT_REFRESH_EXPIRES"], session.expires_at)
    return RefreshToken.create(
        jti=new_jti(),
        session=session,
        issued_at=int(issued.timestamp()),
        expires_at=int(expires.timestamp()),
    )
