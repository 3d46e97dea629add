"""Logging in and out, renewing tokens, passwords forgotten and changed."""

import logging
from datetime import timedelta
from typing import Any

import jwt
from flask import current_app, request
from itsdangerous import BadData, URLSafeSerializer

from database import engines
from database.compiled import one
from models import Mail, RefreshToken, Role, Session, User, Visit
from resources.users import ME, USERNAME, MeSchema, password_field
from web import fields, limits, passwords, security
from web.api import Blueprint, Schema, answer, current_user, get_or_404, refuse, refuse_field
from web.fields import MAX_ID

blp = Blueprint("auth", __name__, url_prefix="/api/auth", description="Logging in, tokens, passwords")
log = logging.getLogger("halolight")

#: A spent refresh token is still answered this long (seconds): two tabs renew at once, React runs effects twice.
GRACE = 15
SESSION_LIFE = timedelta(days=30)
RESET_LIFE = timedelta(minutes=30)


class LoginArgs(Schema):
    email = fields.Text(200, metadata={"description": "or a username", "example": "admin@example.com"})
    username = fields.Text(200, metadata={"description": "or an e-mail"})
    password = fields.Text(128, strip=False, required=True, load_only=True, metadata={"example": "123456"})


class RegisterArgs(Schema):
    email = fields.Email(required=True)
    password = password_field(required=True)
    username = fields.Text(50, 3, validate=USERNAME)
    name = fields.Text(200)
    phone = fields.Text(50)


class TokensSchema(Schema):
    """What a login answers, and a refresh; clients read the tokens at the top level too (contract 1.4)."""

    lift = ("accessToken", "refreshToken", "user")

    access_token = fields.String(dump_only=True)
    refresh_token = fields.String(dump_only=True)
    token_type = fields.String(dump_only=True)
    expires_in = fields.Integer(dump_only=True, metadata={"description": "seconds until the access token expires"})
    user = fields.Nested(MeSchema, dump_only=True)


class RefreshArgs(Schema):
    refresh_token = fields.Text(2000, required=True)


class LogoutArgs(Schema):
    refresh_token = fields.Text(2000, allow_none=True)


class ForgotArgs(Schema):
    email = fields.Email(required=True)


class ResetArgs(Schema):
    token = fields.Text(2000, required=True)
    password = password_field(required=True)


class ChangePasswordArgs(Schema):
    current_password = fields.Text(128, strip=False, required=True, load_only=True)
    new_password = password_field(required=True)


TOKENS = TokensSchema()


def open_session(user: User) -> dict[str, Any]:
    """A new session of `user`, who just proved to be it, as the reply to a login. A login is a visit."""
    now = engines.now()
    session = Session.create(
        user=user,
        device=request.headers.get("User-Agent", "")[:200],
        address=request.remote_addr or "",
        expires_at=now + SESSION_LIFE,
    )
    live = (Session.user == user) & Session.ended_at.is_null()
    newest = Session.select(Session.id).where(live).order_by(Session.id.desc()).limit(limits.SESSIONS)
    Session.update(ended_at=now).where(live & Session.id.not_in(newest)).execute()
    Visit.create(visitor=str(user.id))
    User.update(last_login_at=now).where(User.id == user.id).execute()
    return tokens_of(session, security.new_refresh_token(session))


def tokens_of(session: Session, refresh_token: RefreshToken) -> dict[str, Any]:
    user = one(User.visible_to, session.user_id, session.user_id, True)
    return security.token_pair(session, refresh_token) | {"user": user}


@blp.route("/login", methods=["POST"])
@blp.public
@blp.arguments(LoginArgs())
@blp.response(200, TOKENS, message="Logged in", write=False, errors=(401, 403, 429))
def login(data):
    """Log in with e-mail or username"""
    identity = data.get("email") or data.get("username")
    if not identity:
        refuse_field("email", "Missing data for required field.")
    with passwords.hashing(login=True):
        user = User.by_identity(identity)
        attempts = passwords.count_attempt(passwords.account_limits(user, identity))
        fits = passwords.password_fits(user.password_hash if user else None, data["password"])
    if user is None or not fits:
        log.warning("login failed for user %s from %s", user.id if user else "(unknown)", request.remote_addr)
        security.refuse_401("bad_credentials", "Wrong account or password")
    with security.write(user.id):
        passwords.forgive(attempts)
        unchanged = User.get_or_none((User.id == user.id) & (User.password_hash == user.password_hash))
        if unchanged and unchanged.status == "active":
            log.info("login of user %s from %s", user.id, request.remote_addr)
            return answer(open_session(unchanged))
    log.warning("login refused for user %s from %s", user.id, request.remote_addr)
    if unchanged is None:
        security.refuse_401("bad_credentials", "Wrong account or password")
    refuse(403, "This account is not active")


@blp.route("/register", methods=["POST"])
@blp.public
@blp.arguments(RegisterArgs())
@blp.response(201, TOKENS, message="Registered", write=False, errors=(403, 409, 429))
def register(data):
    """Make an account with the role `user`, and log in"""
    if current_app.config["REGISTRATION"] == "closed":
        refuse(403, "Registration is closed")
    passwords.count_attempt(passwords.address_limit("registrations", limits.REGISTRATIONS))
    # Looked for before the hash, which costs a thousand times as much; the constraints decide.
    if User.select().where(User.email == data["email"]).exists():
        refuse_field("email", "This value is taken.", 409)
    hashed = passwords.hash_password(data.pop("password"))
    with security.write():
        user = User.register(role=Role.get(Role.name == "user"), password_hash=hashed, **data)
        return answer(open_session(user))


@blp.route("/refresh", methods=["POST"])
@blp.public
@blp.arguments(RefreshArgs())
@blp.response(200, TOKENS, message="Token refreshed", write=False, errors=(401,))
def refresh(data):
    """Renew the access token; the refresh token is rotated"""
    claims = refresh_claims(data["refresh_token"])
    if claims is None:
        security.refuse_401("invalid_token", "The token is not valid")
    now = engines.now().timestamp()
    with security.write(int(claims["sub"])):
        token = RefreshToken.jti == claims["jti"]
        session = Session.select().join(RefreshToken).where(token).first()
        if session is None or session.ended_at or session.expires_at <= engines.now():
            security.refuse_401("revoked_session", "The session has ended")
        # One statement decides who of several spends the token (16 tabs renew at once: one heir).
        if RefreshToken.update(spent_at=now).where(token, RefreshToken.spent_at.is_null()).execute():
            security.new_refresh_token(session)
        if abs(now - (RefreshToken.get(token).spent_at or 0)) <= GRACE:  # also if the clock was set back since
            session.change(last_used_at=engines.now())
            heir = (RefreshToken.session == session) & RefreshToken.spent_at.is_null()
            return answer(tokens_of(session, RefreshToken.get(heir)))
        # Theft (RFC 9700, 4.14.2): whoever comes second, neither the thief nor the owner can go on.
        session.change(ended_at=engines.now())
    log.warning("spent refresh token of user %s sent again; session %s was ended", session.user_id, session.id)
    security.refuse_401("refresh_reused", "The refresh token was used before; the session has ended")


def refresh_claims(token: str) -> dict[str, Any] | None:
    try:
        return security.verify(token, "refresh")
    except jwt.ExpiredSignatureError:
        security.refuse_401("expired_token", "The token has expired")
    except jwt.PyJWTError:
        return None


@blp.route("/logout", methods=["POST"])
@blp.public
@blp.arguments(LogoutArgs())
@blp.response(200, message="Logged out", errors=(401,))
def logout(data):
    """End the session of the access token or of the refresh token that is sent"""
    claims = refresh_claims(data["refresh_token"]) if data.get("refresh_token") else None
    # A token that a change of the password took away is genuine still, but no longer one of the session's.
    known = claims and RefreshToken.get_or_none(RefreshToken.jti == claims["jti"])
    session = known.session_id if known else security.authenticate().session
    Session.update(ended_at=engines.now()).where(Session.id == session, Session.ended_at.is_null()).execute()


@blp.route("/forgot-password", methods=["POST"])
@blp.public
@blp.arguments(ForgotArgs())
@blp.response(200, message="If the address is known, a mail with a link is on its way", write=False, errors=(429, 503))
def forgot_password(data):
    """Ask for a link to set a new password"""
    if current_app.config["PRODUCTION"]:
        refuse(503, "Mail delivery is not set up")
    user = User.get_or_none(User.email == data["email"])
    passwords.count_attempt(passwords.account_limits(user, data["email"]))
    with security.write():
        user = User.get_or_none(User.email == data["email"])  # once more: it may be deleted meanwhile
        mail = Mail.create(user=user) if user else None
    if user and mail:
        log.info("mail to %s: %s", user.email, reset_link(mail))


def reset_link(mail: Mail) -> str | None:
    """The link of a mail, made anew each time it is shown; None once it is old, or the password was set."""
    if mail.used or mail.created_at + RESET_LIFE <= engines.now():
        return None
    token = reset_signature(mail.user).dumps([mail.user_id, int(mail.created_at.timestamp())])
    return f"{current_app.config['FRONTEND_URL']}/reset-password?token={token}"


def reset_signature(user: User) -> URLSafeSerializer:
    """Salted with e-mail and password hash of now: a link is dead as soon as either is another."""
    return URLSafeSerializer(current_app.config["JWT_SECRET"], salt=f"reset {user.email} {user.password_hash}")


def user_of(token: str) -> User | None:
    """Who may set a password by this reset token; None unless it is genuine, 30 minutes old at most, and not used."""
    _, claimed = URLSafeSerializer("").loads_unsafe(token)
    user_id = claimed[0] if isinstance(claimed, list) and claimed else None
    if type(user_id) is not int or not 0 < user_id <= MAX_ID:
        return None
    user = User.get_or_none(User.id == user_id)
    try:
        _, made = reset_signature(user).loads(token) if user else (0, 0)
    except BadData:
        return None
    return user if made + RESET_LIFE.total_seconds() > engines.now().timestamp() else None


@blp.route("/reset-password", methods=["POST"])
@blp.public
@blp.arguments(ResetArgs())
@blp.response(200, message="Password changed", write=False, errors=(429,))
def reset_password(data):
    """Set a new password by the link of a mail; every session ends"""
    if user_of(data["token"]) is None:
        # It proves nothing about any account, so it counts against none.
        passwords.count_attempt(passwords.address_limit("attempts", limits.ADDRESS_ATTEMPTS))
        refuse_field("token", "This link is not valid or was used before.")
    hashed = passwords.hash_password(data["password"])
    with security.write():
        user = user_of(data["token"])  # once more: another request may have used it meanwhile
        if user is None:
            refuse_field("token", "This link is not valid or was used before.")
        user.set_password(hashed)
        user.end_sessions()


@blp.route("/me")
@blp.require()
@blp.response(200, ME)
def get_current_user():
    """Who is logged in, as /api/users/me"""
    return get_or_404(User.visible_to, current_user.id)


@blp.route("/change-password", methods=["POST"])
@blp.require()
@blp.arguments(ChangePasswordArgs())
@blp.response(200, TOKENS, message="Password changed", write=False, errors=(429,))
def change_password(data):
    """Change one's own password; every other session ends, this one gets a new pair"""
    user = User.get_by_id(current_user.id)
    attempts = passwords.count_attempt(passwords.account_limits(user, user.email))
    with passwords.hashing():
        fits = passwords.password_fits(user.password_hash, data["current_password"])
        hashed = passwords.make_hash(data["new_password"])
    if not fits:
        refuse_field("currentPassword", "Wrong password.")
    with security.write():
        passwords.forgive(attempts)
        if User.get_by_id(user.id).password_hash != user.password_hash:
            refuse_field("currentPassword", "Wrong password.")
        user.set_password(hashed)
        user.end_sessions(but=current_user.session)
        session = Session.get_by_id(current_user.session)
        session.change(epoch=session.epoch + 1)  # the access tokens so far, which somebody else may have, expire
        RefreshToken.delete().where(RefreshToken.session == session).execute()
        return answer(tokens_of(session, security.new_refresh_token(session)))
