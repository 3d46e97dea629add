"""Notifications: what happened to oneself. They are written by what others do, and always one's own."""

from typing import Any

from flask import g

from database import engines
from models import Notification
from web import fields
from web.api import Blueprint, Schema, current_user, get_or_404, paginate
from web.arguments import PageArgs, Sort, Values
from web.texts import translate

blp = Blueprint("notifications", __name__, url_prefix="/api/notifications", description="What happened to oneself")


class Translated(fields.String):
    """An English text of the catalogue, shown in the language of the request."""

    def serialize(self, attr: str, obj: Any, accessor: Any = None, **kwargs: Any) -> str:
        return translate(getattr(obj, attr), g.language)


class TargetSchema(Schema):
    type = fields.String()
    id = fields.Integer()


class Target(fields.Nested):
    """What it is about, from the columns `target_type` and `target_id` of a row."""

    def serialize(self, attr: str, obj: Any, accessor: Any = None, **kwargs: Any) -> dict[str, Any] | None:
        return {"type": obj.target_type, "id": obj.target_id} if obj.target_type else None


class NotificationSchema(Schema):
    id = fields.Integer(dump_only=True)
    type = fields.Choice(Notification.TYPES, dump_only=True)
    title = Translated(dump_only=True)
    content = fields.String(dump_only=True)
    link = fields.String(dump_only=True)
    target = Target(TargetSchema, dump_only=True, allow_none=True)
    read = fields.Boolean(dump_only=True)
    read_at = fields.Instant(dump_only=True, allow_none=True)
    created_at = fields.Instant(dump_only=True)


class UpdatedSchema(Schema):
    updated = fields.Integer(dump_only=True)


class CountSchema(Schema):
    count = fields.Integer(dump_only=True)


class NotificationArgs(PageArgs):
    read = Values(fields.Boolean(), closed=True)
    unread = Values(fields.Boolean(), closed=True, metadata={"description": "the contrary of `read`"})
    type = Values(fields.Choice(Notification.TYPES))
    sort = Sort(Notification)


NOTIFICATION, NOTIFICATIONS = NotificationSchema(), NotificationSchema(many=True)


def own_unread() -> Any:
    return (Notification.user == current_user.id) & ~Notification.read


@blp.route("")
@blp.require("notifications:view")
@blp.arguments(NotificationArgs(), location="query")
@blp.response(200, NOTIFICATIONS)
def list_notifications(args):
    """Your notifications, newest first"""
    if "unread" in args:
        args["read"] = [not unread for unread in args["unread"]]
    return paginate(Notification.visible_to, args)


@blp.route("/unread-count")
@blp.require("notifications:view")
@blp.response(200, CountSchema())
def count_unread_notifications():
    """The number on the bell"""
    return {"count": Notification.select().where(own_unread()).count()}


@blp.route("/<id:notification_id>/read", methods=["PUT", "PATCH"])
@blp.require("notifications:update")
@blp.response(200, NOTIFICATION, message="Marked as read", alone=False)
def read_notification(notification_id):
    """Mark a notification as read; `readAt` stays that of the first time"""
    notification = get_or_404(Notification.visible_to, notification_id, change=True)
    return notification if notification.read else notification.change(read=True, read_at=engines.now())


@blp.route("/read-all", methods=["PUT", "PATCH"])
@blp.require("notifications:update")
@blp.response(200, UpdatedSchema(), message="Marked as read", alone=False)
def read_all_notifications():
    """Mark all your notifications as read"""
    return {"updated": Notification.update(read=True, read_at=engines.now()).where(own_unread()).execute()}


@blp.route("/<id:notification_id>", methods=["DELETE"])
@blp.require("notifications:delete")
@blp.response(200, message="Notification deleted", alone=False)
def delete_notification(notification_id):
    """Delete a notification"""
    get_or_404(Notification.visible_to, notification_id, change=True).delete_instance()
