"""Permissions: what the application knows, to choose a role's grants from."""

from flask import Flask, current_app, g

from database import base
from web import fields
from web.api import Blueprint, Schema, paginate_list
from web.arguments import LongPageArgs
from web.texts import translate

blp = Blueprint("permissions", __name__, url_prefix="/api/permissions", description="What can be granted")


class PermissionSchema(Schema):
    key = fields.String(dump_only=True)
    resource = fields.String(dump_only=True)
    action = fields.String(dump_only=True)
    label = fields.String(dump_only=True)
    group = fields.String(dump_only=True)


PERMISSIONS = PermissionSchema(many=True)


def known(app: Flask) -> list[str]:
    """Every permission that a route or a rule of a model asks for."""
    asked = {p for view in app.view_functions.values() for p in getattr(view, "permissions", None) or ()}
    scoped = {getattr(model, "RESOURCE", "") for model in base.tables()} - {""}
    managed = {f"{resource}:manage" for resource in scoped | {"users"}}
    return sorted(asked | managed | {f"{resource}:view-all" for resource in scoped})


def described(key: str) -> dict[str, str]:
    """A permission with names for it in the language of the request: "View all tasks", "查看所有任务"."""
    resource, _, action = key.partition(":")
    group, verb = (translate(word.replace("-", " ").capitalize(), g.language) for word in (resource, action))
    label = f"{verb}{group}" if g.language == "zh" else f"{verb} {group.lower()}"
    return {"key": key, "resource": resource, "action": action, "label": label, "group": group}


@blp.route("")
@blp.require("permissions:view")
@blp.arguments(LongPageArgs(), location="query")
@blp.response(200, PERMISSIONS)
def list_permissions(args):
    """Every permission that a route or a rule asks for"""
    return paginate_list([described(key) for key in current_app.extensions["permissions"]], args)
