"""Users: the accounts that can log in, each with a role."""

from typing import Any

from flask import current_app
from marshmallow import validate

from models import Role, User
from web import fields
from web.allowances import notify
from web.api import Blueprint, Schema, answer, current_user, get_all_or_404, get_or_404, paginate, refuse, refuse_field
from web.arguments import DELETED, IdsArgs, PageArgs, Sort, Values, search_field
from web.audit import delete, record
from web.passwords import Password, hash_password
from web.security import allows, exceeds, refuse_without, write

blp = Blueprint("users", __name__, url_prefix="/api/users", description="Accounts and their roles")

SUPER_ADMIN = "super_admin"
CAN = {"type": "array", "items": {"type": "string"}, "description": "permissions, without wildcards"}
USERNAME = validate.Regexp(r"^[\w.-]*$", error="Only letters, digits and _ - . are allowed.")


class UserSchema(Schema):
    id = fields.Integer(dump_only=True)
    email = fields.Email(required=True)
    username = fields.Text(50, 3, validate=USERNAME)
    name = fields.Text(200)
    avatar = fields.Avatar()
    phone = fields.Text(50)
    department = fields.Text(200)
    position = fields.Text(200)
    bio = fields.Text(5000)
    status = fields.Choice(User.STATUSES)
    role = fields.Text(200)
    role_id = fields.Id()
    password = Password()
    role_label = fields.String(dump_only=True)
    created_at = fields.Instant(dump_only=True)
    updated_at = fields.Instant(dump_only=True)
    last_login_at = fields.Instant(dump_only=True, allow_none=True)


class ProfileSchema(UserSchema):
    """The fields that users may change of themselves."""

    class Meta(Schema.Meta):
        fields = ("name", "username", "avatar", "phone", "department", "position", "bio")


class UserStatusSchema(UserSchema):
    status = fields.Choice(User.STATUSES, required=True)

    class Meta(Schema.Meta):
        fields = ("status",)


def covered(row: Any) -> list[str]:
    """All permissions of this application that the grants of a user cover."""
    return [known for known in current_app.extensions["permissions"] if allows(row.permissions, known)]


class MeSchema(UserSchema):
    permissions = fields.List(fields.String(), dump_only=True, metadata={"description": "grants, with wildcards"})
    can = fields.Function(covered, metadata=CAN)


class UserArgs(PageArgs):
    search = search_field()
    status = Values(fields.Choice(User.STATUSES))
    role = Values(fields.Text(200), closed=True)
    role_id = Values(fields.Id(), closed=True)
    sort = Sort(User)


USER, USERS, ME = UserSchema(), UserSchema(many=True), MeSchema()
USER_CHANGES, PROFILE, STATUS = UserSchema(partial=True), ProfileSchema(partial=True), UserStatusSchema()


def refuse_above(grants: tuple[str, ...]) -> None:
    """Prevents privilege escalation: 403 if `grants` exceed the caller's own."""
    if exceeds(grants, current_user.grants):
        refuse(403, "This would exceed your own permissions")


def keep_a_super_admin(*users: User) -> None:
    """409 if no active super administrator would be left without `users`."""
    able = (User.status == "active") & User.password_hash.is_null(False)  # without a password they cannot log in
    others = User.select().join(Role).where(Role.name == SUPER_ADMIN, able, User.id.not_in([user.id for user in users]))
    leaving = any(user.status == "active" and user.role.name == SUPER_ADMIN for user in users)
    if leaving and not others.exists():
        refuse(409, "At least one active super administrator must remain")


def refuse_oneself(user: User) -> None:
    if user.id == current_user.id:
        refuse(409, "You cannot do this to yourself")


def refuse_password_of(user_id: int) -> None:
    """403 if the caller may not set this user's password. Their own needs the current one, so it has its own route."""
    refuse_without("users:manage")
    if user_id == current_user.id:
        refuse(403, "Change your own password with POST /api/auth/change-password")


def find_roles(data: dict[str, Any]) -> list[Role]:
    """The roles that a body names by `roleId` and `role`, which are removed from it; 400 if there is no such role.

    A client that sends back what it got sends both, and has changed one of them.
    """
    roles = []
    for name, field, column in (("role_id", "roleId", Role.id), ("role", "role", Role.name)):
        if name in data:
            roles.append(Role.get_or_none(column == data.pop(name)) or refuse_field(field, "There is no such role."))
    return roles


def set_status(user: User, status: str) -> None:
    """Change the status of a user. A user who is no longer active is logged out at once."""
    if status != "active" and user.status == "active":
        refuse_oneself(user)
        keep_a_super_admin(user)
        user.end_sessions()
    user.change(status=status)


def delete_users(ids: list[int]) -> int:
    users = list(User.select(User, Role).join(Role).where(User.id.in_(ids)))
    for user in users:
        refuse_above(user.role.permissions)
    for user in users:
        refuse_oneself(user)
    keep_a_super_admin(*users)
    return delete(*users)


@blp.route("")
@blp.require("users:view")
@blp.arguments(UserArgs(), location="query")
@blp.response(200, USERS)
def list_users(args):
    """List all users"""
    return paginate(User.visible_to, args)


@blp.route("", methods=["POST"])
@blp.require("users:create")
@blp.arguments(USER)
@blp.response(201, USER, message="User created", write=False, errors=(429,))
def create_user(data):
    """Create a user; without a password, the user sets one by a reset link"""
    hashed = hash_password(data.pop("password")) if "password" in data else None
    with write():
        role = next(iter(find_roles(data)), None) or Role.get(Role.name == "user")
        refuse_above(role.permissions)
        user = User.register(role=role, password_hash=hashed, **data)
        return answer(record("create", user))


@blp.route("/<id:user_id>")
@blp.require("users:view")
@blp.response(200, USER)
def get_user(user_id):
    """Get a user"""
    return get_or_404(User.visible_to, user_id)


@blp.route("/<id:user_id>", methods=["PUT", "PATCH"])
@blp.require("users:update")
@blp.arguments(USER_CHANGES)
@blp.response(200, USER, message="User updated", write=False, errors=(429,))
def update_user(data, user_id):
    """Update a user; role, status, e-mail and password need `users:manage`"""
    if "password" in data:
        refuse_password_of(user_id)
    hashed = hash_password(data.pop("password")) if "password" in data else None
    with write():
        roles, status = find_roles(data), data.pop("status", None)
        user = get_or_404(User.visible_to, user_id, change=True)
        refuse_above(user.role.permissions)
        new_role = next((role for role in roles if role != user.role), None)
        new_status = status is not None and status != user.status
        new_email = data.get("email", user.email) != user.email
        if new_role or new_status or new_email or hashed:  # an e-mail address is where links to set a password go
            refuse_without("users:manage")
        if new_email and user.id == current_user.id:
            refuse(403, "Only another administrator can change your e-mail")
        if new_role:
            refuse_above(new_role.permissions)
            keep_a_super_admin(user)
            user.change(role=new_role)
            notify([user.id], "user", "Your role was changed", content=new_role.label, target=user)
        if new_status:
            set_status(user, status)
        if hashed:
            user.set_password(hashed)
            user.end_sessions()
        user.change_profile(**data)
        return answer(record("update", user))


@blp.route("/<id:user_id>", methods=["DELETE"])
@blp.require("users:delete")
@blp.response(200, message="User deleted")
def delete_user(user_id):
    """Delete a user with everything that belongs to them"""
    delete_users([get_or_404(User.visible_to, user_id, change=True).id])


@blp.route("/batch-delete", methods=["POST"])
@blp.require("users:delete")
@blp.arguments(IdsArgs())
@blp.response(200, DELETED, message="Users deleted")
def batch_delete_users(data):
    """Delete several users, either all or none"""
    return {"deleted": delete_users(get_all_or_404(User.visible_to, data["ids"]))}


@blp.route("/<id:user_id>/status", methods=["PUT", "PATCH"])
@blp.require("users:update")
@blp.arguments(STATUS)
@blp.response(200, USER, message="User updated")
def update_user_status(data, user_id):
    """Activate, deactivate or suspend a user; needs `users:manage`"""
    user = get_or_404(User.visible_to, user_id, change=True)
    refuse_above(user.role.permissions)
    refuse_without("users:manage")
    set_status(user, data["status"])
    return record("update", user)


@blp.route("/me")
@blp.require()
@blp.response(200, ME)
def get_me():
    """Get your own account, with grants and permissions"""
    return get_or_404(User.visible_to, current_user.id)


@blp.route("/me", methods=["PUT", "PATCH"])
@blp.require()
@blp.arguments(PROFILE)
@blp.response(200, ME, message="Profile updated")
def update_me(data):
    """Update your own profile"""
    return record("update", User.get_by_id(current_user.id).change_profile(**data))
