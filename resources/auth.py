"""Authentication: login, logout, registration, tokens and passwords."""

from datetime import timedelta
from typing import Any

import jwt
from flask import current_app, request
from itsdangerous import BadData, URLSafeSerializer

from database import engines
from database.compiled import one
from models import Mail, RefreshToken, Role, Session, User, Visit
from resources.users import ME, USERNAME, MeSchema
from web import fields, limits, passwords, security
from web.api import Blueprint, Schema, answer, current_user, get_or_404, refuse, refuse_field

blp = Blueprint("auth", __name__, url_prefix="/api/auth", description="Login, tokens and passwords")

#: Seconds in which a spent refresh token still works: two tabs refresh at once, React runs effects twice.
GRACE = 15
SESSION_LIFE = timedelta(days=30)
RESET_LIFE = timedelta(minutes=30)


class LoginArgs(Schema):
    email = fields.Text(200, metadata={"description": "or a username", "example": "admin@example.com"})
    username = fields.Text(200, metadata={"description": "or an e-mail"})
    password = fields.Text(128, strip=False, required=True, load_only=True, metadata={"example": "123456"})


class RegisterArgs(Schema):
    email = fields.Email(required=True)
    password = passwords.Password(required=True)
    username = fields.Text(50, 3, validate=USERNAME)
    name = fields.Text(200)
    phone = fields.Text(50)


class TokensSchema(Schema):
    """The reply to a login or a refresh. Some clients read the tokens at the top level, so they are repeated there."""

    lift = ("accessToken", "refreshToken", "user")

    access_token = fields.String()
    refresh_token = fields.String()
    token_type = fields.String()
    expires_in = fields.Integer(metadata={"description": "seconds until the access token expires"})
    user = fields.Nested(MeSchema)


class RefreshArgs(Schema):
    refresh_token = fields.Text(2000, required=True)


class LogoutArgs(Schema):
    refresh_token = fields.Text(2000, allow_none=True)


class ForgotArgs(Schema):
    email = fields.Email(required=True)


class ResetArgs(Schema):
    token = fields.Text(2000, required=True)
    password = passwords.Password(required=True)


class ChangePasswordArgs(Schema):
    current_password = fields.Text(128, strip=False, required=True, load_only=True)
    new_password = passwords.Password(required=True)


TOKENS = TokensSchema()


def open_session(user: User) -> dict[str, Any]:
    """Log `user` in and return the reply. Counts a visit, and ends the oldest sessions over the limit."""
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


def refresh_claims(token: str) -> dict[str, Any] | None:
    """The claims of a refresh token, None for any other text; 401 if it has expired."""
    try:
        return security.verify(token, "refresh")
    except jwt.ExpiredSignatureError:
        security.refuse_401("expired_token", "The token has expired")
    except jwt.PyJWTError:
        return None


def reset_link(mail: Mail) -> str | None:
    """The reset link in a mail; None after 30 minutes, or after a password was set. It is not stored."""
    if mail.used or mail.created_at + RESET_LIFE <= engines.now():
        return None
    token = reset_signature(mail.user).dumps([mail.user_id, int(mail.created_at.timestamp())])
    return f"{current_app.config['FRONTEND_URL']}/reset-password?token={token}"


def reset_signature(user: User) -> URLSafeSerializer:
    """Salted with the current e-mail and password hash: a link is invalid as soon as either changes."""
    return URLSafeSerializer(current_app.config["JWT_SECRET"], salt=f"reset {user.email} {user.password_hash}")


def user_of(token: str) -> User | None:
    """The user whose password this reset token may set; None if it is forged, older than 30 minutes, or used."""
    _, claimed = URLSafeSerializer("").loads_unsafe(token)
    user_id = claimed[0] if isinstance(claimed, list) and claimed else None
    if type(user_id) is not int or not 0 < user_id <= fields.MAX_ID:
        return None
    user = User.get_or_none(User.id == user_id)
    try:
        _, made = reset_signature(user).loads(token) if user else (0, 0)
    except BadData:
        return None
    return user if made + RESET_LIFE.total_seconds() > engines.now().timestamp() else None


@blp.route("/login", methods=["POST"])
@blp.public
@blp.arguments(LoginArgs())
@blp.response(200, TOKENS, message="Logged in", write=False, errors=(401, 403, 429))
def login(data):
    """Log in with an e-mail address or a username"""
    identity = data.get("email") or data.get("username")
    if not identity:
        refuse_field("email", "Missing data for required field.")
    with passwords.hashing(login=True):
        user = User.by_identity(identity)
        attempts = passwords.count_attempt(passwords.account_limits(user, identity))
        fits = passwords.password_fits(user.password_hash if user else None, data["password"])
    if user is None or not fits:
        current_app.logger.warning(
            "login failed for user %s from %s", user.id if user else "(unknown)", request.remote_addr
        )
        security.refuse_401("bad_credentials", "Wrong account or password")
    with security.write(user.id):
        passwords.forgive(attempts)
        unchanged = User.get_or_none((User.id == user.id) & (User.password_hash == user.password_hash))
        if unchanged and unchanged.status == "active":
            current_app.logger.info("login of user %s from %s", user.id, request.remote_addr)
            return answer(open_session(unchanged))
    current_app.logger.warning("login refused for user %s from %s", user.id, request.remote_addr)
    if unchanged is None:
        security.refuse_401("bad_credentials", "Wrong account or password")
    refuse(403, "This account is not active")


@blp.route("/register", methods=["POST"])
@blp.public
@blp.arguments(RegisterArgs())
@blp.response(201, TOKENS, message="Registered", write=False, errors=(403, 409, 429))
def register(data):
    """Create an account with the role `user`, and log in"""
    if current_app.config["REGISTRATION"] == "closed":
        refuse(403, "Registration is closed")
    passwords.count_attempt(passwords.address_limit("registrations", limits.REGISTRATIONS))
    # Saves the slow hash in most cases. The unique constraint decides.
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
    """Get a new access token and a new refresh token"""
    claims = refresh_claims(data["refresh_token"])
    if claims is None:
        security.refuse_401("invalid_token", "The token is not valid")
    now = engines.now().timestamp()
    with security.write(int(claims["sub"])):
        token = RefreshToken.jti == claims["jti"]
        session = Session.select().join(RefreshToken).where(token).first()
        if session is None or session.ended_at or session.expires_at <= engines.now():
            security.refuse_401("revoked_session", "The session has ended")
        # One statement decides which of several concurrent requests spends the token, so it has one successor.
        if RefreshToken.update(spent_at=now).where(token, RefreshToken.spent_at.is_null()).execute():
            security.new_refresh_token(session)
        if abs(now - (RefreshToken.get(token).spent_at or 0)) <= GRACE:  # abs, because the clock may be set back
            session.change(last_used_at=engines.now())
            successor = (RefreshToken.session == session) & RefreshToken.spent_at.is_null()
            return answer(tokens_of(session, RefreshToken.get(successor)))
        # Theft (RFC 9700, 4.14.2): the server cannot tell the thief from the owner, so it ends the session of both.
        session.change(ended_at=engines.now())
    current_app.logger.warning(
        "spent refresh token of user %s sent again; session %s was ended", session.user_id, session.id
    )
    security.refuse_401("refresh_reused", "The refresh token was used before; the session has ended")


@blp.route("/logout", methods=["POST"])
@blp.public
@blp.arguments(LogoutArgs())
@blp.response(200, message="Logged out", errors=(401,))
def logout(data):
    """End the session of the refresh token, or else of the access token, that is sent"""
    claims = refresh_claims(data["refresh_token"]) if data.get("refresh_token") else None
    # A change of password deletes the session's refresh tokens: they still verify, but are unknown here.
    known = claims and RefreshToken.get_or_none(RefreshToken.jti == claims["jti"])
    session = known.session_id if known else security.authenticate().session
    Session.update(ended_at=engines.now()).where(Session.id == session, Session.ended_at.is_null()).execute()


@blp.route("/forgot-password", methods=["POST"])
@blp.public
@blp.arguments(ForgotArgs())
@blp.response(200, message="If an account has this address, a reset link was sent", write=False, errors=(429, 503))
def forgot_password(data):
    """Request a link to reset the password"""
    if current_app.config["PRODUCTION"]:
        refuse(503, "Mail delivery is not set up")
    user = User.get_or_none(User.email == data["email"])
    passwords.count_attempt(passwords.account_limits(user, data["email"]))
    with security.write():
        user = User.get_or_none(User.email == data["email"])  # again, because it may have been deleted
        mail = Mail.create(user=user) if user else None
    if user and mail:
        current_app.logger.info("mail to %s: %s", user.email, reset_link(mail))


@blp.route("/reset-password", methods=["POST"])
@blp.public
@blp.arguments(ResetArgs())
@blp.response(200, message="Password changed", write=False, errors=(429,))
def reset_password(data):
    """Set a new password with the token of a reset link; ends all sessions"""
    if user_of(data["token"]) is None:
        # It does not prove which account it is for, so it counts against the address only.
        passwords.count_attempt(passwords.address_limit("attempts", limits.ADDRESS_ATTEMPTS))
        refuse_field("token", "This link is not valid or was used before.")
    hashed = passwords.hash_password(data["password"])
    with security.write():
        user = user_of(data["token"])  # again, because another request may have used it
        if user is None:
            refuse_field("token", "This link is not valid or was used before.")
        user.set_password(hashed)
        user.end_sessions()


@blp.route("/change-password", methods=["POST"])
@blp.require()
@blp.arguments(ChangePasswordArgs())
@blp.response(200, TOKENS, message="Password changed", write=False, errors=(429,))
def change_password(data):
    """Change your own password; ends all other sessions and gives this one new tokens"""
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
        session.change(epoch=session.epoch + 1)  # earlier access tokens, which may be stolen, expire
        RefreshToken.delete().where(RefreshToken.session == session).execute()
        return answer(tokens_of(session, security.new_refresh_token(session)))


@blp.route("/me")
@blp.require()
@blp.response(200, ME)
def get_current_user():
    """Get your own account, as /api/users/me"""
    return get_or_404(User.visible_to, current_user.id)
