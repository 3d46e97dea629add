"""Permissions: what this application asks for, to choose a role's grants from."""

from flask import Flask, current_app, g

from database import base
from web import fields
from web.api import Blueprint, Schema
from web.arguments import LongPageArgs
from web.paging import paginate_list
from web.texts import translate

blp = Blueprint("permissions", __name__, url_prefix="/api/permissions", description="What roles can be granted")


#: Permissions for pages that front ends have and no route serves.
PAGES = {"analytics:view", "settings:view"}


class PermissionSchema(Schema):
    key = fields.String()
    resource = fields.String()
    action = fields.String()
    label = fields.String()
    group = fields.String()


def known(app: Flask) -> list[str]:
    """All permissions that routes or pages ask for, with `manage` and `view-all` of each resource with owners."""
    asked = {p for view in app.view_functions.values() for p in getattr(view, "permissions", None) or ()}
    owned = {getattr(model, "RESOURCE", "") for model in base.tables()} - {""}
    managed = {f"{resource}:manage" for resource in owned | {"users"}}
    return sorted(asked | managed | PAGES | {f"{resource}:view-all" for resource in owned})


def described(key: str) -> dict[str, str]:
    """A permission with its label in the language of the request: "View all tasks", "查看所有任务"."""
    resource, _, action = key.partition(":")
    group, verb = (translate(word.replace("-", " ").capitalize(), g.language) for word in (resource, action))
    label = f"{verb}{group}" if g.language == "zh" else f"{verb} {group.lower()}"
    return {"key": key, "resource": resource, "action": action, "label": label, "group": group}


@blp.route("")
@blp.require("permissions:view")
@blp.arguments(LongPageArgs(), location="query")
@blp.response(200, PermissionSchema(many=True))
def list_permissions(args):
    """List all permissions of this application"""
    return paginate_list([described(key) for key in current_app.extensions["permissions"]], args)
