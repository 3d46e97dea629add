"""Notifications: what concerns a user, caused by others. Everyone sees only their own."""

from typing import Any

from flask import g

from database import engines
from models import Notification
from web import fields
from web.api import Blueprint, Schema, current_user, get_or_404, paginate
from web.arguments import PageArgs, Sort, Values
from web.texts import translate

blp = Blueprint("notifications", __name__, url_prefix="/api/notifications", description="Your notifications")


class TargetSchema(Schema):
    type = fields.String()
    id = fields.Integer()


class NotificationSchema(Schema):
    id = fields.Integer()
    type = fields.Choice(Notification.TYPES)
    title = fields.Function(lambda row: translate(row.title, g.language), metadata={"type": "string"})
    content = fields.String()
    link = fields.String()
    target = fields.Prefixed(TargetSchema, "target", allow_none=True)
    read = fields.Boolean()
    read_at = fields.Instant(allow_none=True)
    created_at = fields.Instant()


class UpdatedSchema(Schema):
    updated = fields.Integer()


class CountSchema(Schema):
    count = fields.Integer()


class NotificationArgs(PageArgs):
    read = Values(fields.Boolean(), closed=True)
    unread = Values(fields.Boolean(), closed=True, metadata={"description": "the opposite of `read`"})
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
    """List your notifications, newest first"""
    if "unread" in args:
        args["read"] = [not unread for unread in args["unread"]]
    return paginate(Notification.visible_to, args)


@blp.route("/<id:notification_id>", methods=["DELETE"])
@blp.require("notifications:delete")
@blp.response(200, message="Notification deleted", alone=False)
def delete_notification(notification_id):
    """Delete a notification"""
    get_or_404(Notification.visible_to, notification_id, change=True).delete_instance()


@blp.route("/unread-count")
@blp.require("notifications:view")
@blp.response(200, CountSchema())
def count_unread_notifications():
    """Count your unread notifications"""
    return {"count": Notification.select().where(own_unread()).count()}


@blp.route("/<id:notification_id>/read", methods=["PUT", "PATCH"])
@blp.require("notifications:update")
@blp.response(200, NOTIFICATION, message="Marked as read", alone=False)
def read_notification(notification_id):
    """Mark a notification as read; `readAt` keeps the time it was first read"""
    notification = get_or_404(Notification.visible_to, notification_id, change=True)
    return notification if notification.read else notification.change(read=True, read_at=engines.now())


@blp.route("/read-all", methods=["PUT", "PATCH"])
@blp.require("notifications:update")
@blp.response(200, UpdatedSchema(), message="Marked as read", alone=False)
def read_all_notifications():
    """Mark all your notifications as read"""
    return {"updated": Notification.update(read=True, read_at=engines.now()).where(own_unread()).execute()}
