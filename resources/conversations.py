"""Conversations: private ones between two users, created by the first message, and groups."""

from typing import Any

from models import SHOWN, Conversation, Message, MessageMark, User
from resources.messages import MESSAGES
from web import fields
from web.allowances import refuse_crowd, refuse_too_many
from web.api import Blueprint, Schema, current_user, get_or_404, paginate, references, refuse
from web.arguments import LongPageArgs, PageArgs, Sort, scope_field
from web.audit import record

blp = Blueprint("conversations", __name__, url_prefix="/api/conversations", description="Private ones and groups")


def others_in(row: Any) -> list[dict[str, Any]]:
    """The first members without the caller; the caller if there is no other."""
    members = row.members[:SHOWN]
    return [member for member in members if member["id"] != current_user.id] or members


def shown_name(row: Any) -> str:
    """The name of a conversation; without one, the names of the others in it."""
    more = "…" if row.member_count > SHOWN else ""
    return row.name or "、".join(member["name"] for member in others_in(row)) + more


def shown_avatar(row: Any) -> str | None:
    """The other user's picture in a private conversation, unless that user was deleted; None for a group."""
    other = others_in(row)[0]
    return fields.avatar_url(other["avatar"], other["id"]) if row.type == "private" and not row.name else None


class LastMessageSchema(Schema):
    id = fields.Integer()
    content = fields.String()
    type = fields.Choice(Message.TYPES)
    sender_id = fields.Integer()
    created_at = fields.Instant()


class ConversationSchema(Schema):
    id = fields.Integer(dump_only=True)
    type = fields.Choice(Conversation.TYPES, dump_only=True)
    given_name = fields.Text(200, data_key="name", attribute="name", load_only=True)
    name = fields.Function(shown_name, metadata={"type": "string"})
    avatar = fields.Function(shown_avatar, metadata={"type": ["string", "null"]})
    members = fields.People()
    member_count = fields.Integer(dump_only=True, metadata={"description": f"lists show only the first {SHOWN}"})
    member_ids = fields.Several(fields.Id(), 1000, 1, load_only=True, required=True)
    last_message = fields.Prefixed(LastMessageSchema, "last", allow_none=True)
    unread_count = fields.Integer(dump_only=True)
    updated_at = fields.Instant(dump_only=True)


class ConversationArgs(LongPageArgs):
    scope = scope_field()
    sort = Sort(Conversation)


class HistoryArgs(PageArgs):
    before = fields.Id(metadata={"description": "only messages older than this one"})
    sort = Sort(Message)


CONVERSATION, CONVERSATIONS = ConversationSchema(), ConversationSchema(many=True)


@blp.route("")
@blp.require("messages:view")
@blp.arguments(ConversationArgs(), location="query")
@blp.response(200, CONVERSATIONS)
def list_conversations(args):
    """List your conversations, the latest message first"""
    return paginate(Conversation.listed, args)


@blp.route("", methods=["POST"])
@blp.require("messages:create")
@blp.arguments(CONVERSATION)
@blp.response(201, CONVERSATION, message="Conversation created")
def create_conversation(data):
    """Create a group with yourself and others; to start a private conversation, send a message"""
    members = data.pop("member_ids")
    references("memberIds", User.contacts, members)
    refuse_crowd("memberIds", len({current_user.id, *members}), Conversation)
    refuse_too_many(Conversation)
    conversation = Conversation.begin([current_user.id, *members], type="group", **data)
    return record("create", conversation)


@blp.route("/<id:conversation_id>", methods=["DELETE"])
@blp.require("messages:view")
@blp.response(200, message="You left the conversation")
def leave_conversation(conversation_id):
    """Leave a conversation; a private one comes back with its next message"""
    if not get_or_404(Conversation.visible_to, conversation_id, change=True).leave(current_user.id):
        refuse(409)  # the caller manages messages and sees the conversation, but is no member


@blp.route("/<id:conversation_id>/read", methods=["PUT", "PATCH"])
@blp.require("messages:update")
@blp.response(200, CONVERSATION, message="Marked as read")
def read_conversation(conversation_id):
    """Mark all messages of a conversation as read"""
    conversation = get_or_404(Conversation.visible_to, conversation_id, change=True)
    here = (MessageMark.conversation == conversation) & (MessageMark.user == current_user.id)
    MessageMark.update(read=True).where(here).execute()
    return conversation


@blp.route("/<id:conversation_id>/messages")
@blp.require("messages:view")
@blp.arguments(HistoryArgs(), location="query")
@blp.response(200, MESSAGES)
def list_conversation_messages(args, conversation_id):
    """List the messages of a conversation, newest first"""
    get_or_404(Conversation.visible_to, conversation_id)
    return paginate(Message.visible_to, {**args, "conversation_id": conversation_id})
