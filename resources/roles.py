"""Roles: named sets of grants. Nobody can give a role more grants than they have themselves."""

from typing import Any

from marshmallow import validate
from peewee import IntegrityError

from models import GRANT, Role
from resources.users import SUPER_ADMIN, USERNAME, refuse_above
from web import fields
from web.api import Blueprint, Schema, get_or_404, paginate, refuse
from web.arguments import LongPageArgs, Sort, search_field
from web.audit import delete, record

blp = Blueprint("roles", __name__, url_prefix="/api/roles", description="Roles and their grants")

#: The name of an action in front ends → its name in this API.
SYNONYMS = {"edit": "update", "read": "view", "send": "create", "upload": "create"}


def canonical(grant: str) -> str:
    resource, colon, action = grant.partition(":")
    return resource + colon + SYNONYMS.get(action, action)


VALID_GRANT = validate.Regexp(GRANT, error="Must be *, resource:* or resource:action.")
GRANT_FIELD = fields.Text(100, clean=canonical, validate=VALID_GRANT)


class Grants(fields.Several):
    """At most 200 grants without duplicates."""

    def __init__(self, **options: Any):
        super().__init__(GRANT_FIELD, 200, **options)

    def _deserialize(self, *args: Any, **kwargs: Any) -> Any:
        return tuple(dict.fromkeys(super()._deserialize(*args, **kwargs)))


class RoleSchema(Schema):
    id = fields.Integer(dump_only=True)
    name = fields.Text(50, 2, clean=str.casefold, validate=USERNAME, required=True)
    label = fields.Text(200, 1)
    description = fields.Text(5000)
    permissions = Grants(load_default=())
    user_count = fields.Integer(dump_only=True)
    is_system = fields.Boolean(dump_only=True)
    created_at = fields.Instant(dump_only=True)


class RoleArgs(LongPageArgs):
    search = search_field()
    sort = Sort(Role)


ROLE, ROLES, ROLE_CHANGES = RoleSchema(), RoleSchema(many=True), RoleSchema(partial=True)


def keep_seeded(role: Role, data: dict[str, Any]) -> None:
    """409 if `data` would rename a seeded role, which the code finds by its name, or take grants from super_admin."""
    if role.is_system and data.get("name", role.name) != role.name:
        refuse(409, "A seeded role cannot be renamed")
    if role.name == SUPER_ADMIN and data.get("permissions", role.permissions) != role.permissions:
        refuse(409, "The super administrator must keep all permissions")


@blp.route("")
@blp.require("roles:view")
@blp.arguments(RoleArgs(), location="query")
@blp.response(200, ROLES)
def list_roles(args):
    """List all roles"""
    return paginate(Role.visible_to, args)


@blp.route("", methods=["POST"])
@blp.require("roles:create")
@blp.arguments(ROLE)
@blp.response(201, ROLE, message="Role created")
def create_role(data):
    """Create a role; its grants must not exceed your own"""
    refuse_above(data["permissions"])
    data.setdefault("label", data["name"])
    return record("create", Role.create(**data))


@blp.route("/<id:role_id>")
@blp.require("roles:view")
@blp.response(200, ROLE)
def get_role(role_id):
    """Get a role"""
    return get_or_404(Role.visible_to, role_id)


@blp.route("/<id:role_id>", methods=["PUT", "PATCH"])
@blp.require("roles:update")
@blp.arguments(ROLE_CHANGES)
@blp.response(200, ROLE, message="Role updated")
def update_role(data, role_id):
    """Update a role; its users have the new grants from their next request on"""
    role = get_or_404(Role.visible_to, role_id, change=True)
    refuse_above((*role.permissions, *data.get("permissions", ())))
    keep_seeded(role, data)
    return record("update", role.change(**data))


@blp.route("/<id:role_id>", methods=["DELETE"])
@blp.require("roles:delete")
@blp.response(200, message="Role deleted")
def delete_role(role_id):
    """Delete a role that no user has"""
    role = get_or_404(Role.visible_to, role_id, change=True)
    refuse_above(role.permissions)
    if role.is_system:
        refuse(409, "A seeded role cannot be deleted")
    try:
        delete(role)
    except IntegrityError:  # users.role is ON DELETE RESTRICT, which no concurrent write can pass
        refuse(409, "Users still have this role")
