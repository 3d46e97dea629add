"""Conversations: private ones of two people, opened by a first message, and groups."""

from typing import Any

from models import SHOWN, Activity, Conversation, Message, MessageMark, User
from resources.messages import MESSAGES
from web import fields, limits
from web.allowances import refuse_crowd, refuse_more_than
from web.api import Blueprint, Schema, current_user, get_or_404, paginate, references, refuse
from web.arguments import LongPageArgs, PageArgs, Sort
from web.fields import avatar_url

blp = Blueprint("conversations", __name__, url_prefix="/api/conversations", description="Private ones and groups")


def others_in(row: Any) -> list[dict[str, Any]]:
    """The first members but for the caller; of a conversation with oneself, oneself."""
    members = row.members[:SHOWN]
    return [member for member in members if member["id"] != current_user.id] or members


class Name(fields.Text):
    """The name that a conversation was given, else those of the others in it, if there are many of the first."""

    def serialize(self, attr: str, obj: Any, accessor: Any = None, **kwargs: Any) -> str:
        more = "…" if obj.member_count > SHOWN else ""
        return obj.name or "、".join(member["name"] for member in others_in(obj)) + more


class Picture(fields.String):
    """Of a private conversation, the other's picture; a group has none, nor has somebody who was deleted."""

    def serialize(self, attr: str, obj: Any, accessor: Any = None, **kwargs: Any) -> str | None:
        other = others_in(obj)[0]
        return avatar_url(other["avatar"], other["id"]) if obj.type == "private" and not obj.name else None


class LastMessageSchema(Schema):
    id = fields.Integer(attribute="last_id")
    content = fields.String(attribute="last_content")
    type = fields.Choice(Message.TYPES, attribute="last_type")
    sender_id = fields.Integer(attribute="last_sender_id")
    created_at = fields.Instant(attribute="last_created_at")


class LastMessage(fields.Nested):
    """The newest message in the caller's sight, from the columns `last_…` of a row."""

    def serialize(self, attr: str, obj: Any, accessor: Any = None, **kwargs: Any) -> dict[str, Any] | None:
        return self.schema.dump(obj) if obj.last_id is not None else None


class ConversationSchema(Schema):
    id = fields.Integer(dump_only=True)
    type = fields.Choice(Conversation.TYPES, dump_only=True)
    name = Name(200)
    avatar = Picture(dump_only=True, allow_none=True)
    members = fields.People()
    member_count = fields.Integer(
        dump_only=True, metadata={"description": f"of a list's conversations `members` are the first {SHOWN}"}
    )
    member_ids = fields.Several(fields.Id(), 1000, 1, load_only=True, required=True)
    last_message = LastMessage(LastMessageSchema, dump_only=True, allow_none=True)
    unread_count = fields.Integer(dump_only=True)
    updated_at = fields.Instant(dump_only=True)


class ConversationArgs(LongPageArgs):
    sort = Sort(Conversation)


class HistoryArgs(PageArgs):
    before = fields.Id(metadata={"description": "only older messages than this one: pages shift when messages arrive"})
    sort = Sort(Message)


CONVERSATION, CONVERSATIONS = ConversationSchema(), ConversationSchema(many=True)


@blp.route("")
@blp.require("messages:view")
@blp.arguments(ConversationArgs(), location="query")
@blp.response(200, CONVERSATIONS)
def list_conversations(args):
    """The conversations you are in, the most recently used first"""
    return paginate(Conversation.listed, args)


@blp.route("", methods=["POST"])
@blp.require("messages:create")
@blp.arguments(CONVERSATION)
@blp.response(201, CONVERSATION, message="Conversation created")
def create_conversation(data):
    """Make a group of yourself and others, also of one other; a private conversation is opened by a message"""
    members = data.pop("member_ids")
    references("memberIds", User.contacts, members)
    refuse_crowd("memberIds", len({current_user.id, *members}), Conversation)
    refuse_more_than(limits.ROWS, Conversation)
    conversation = Conversation.begin([current_user.id, *members], type="group", **data)
    Activity.record(current_user.id, "create", conversation)
    return conversation


@blp.route("/<id:conversation_id>/messages")
@blp.require("messages:view")
@blp.arguments(HistoryArgs(), location="query")
@blp.response(200, MESSAGES)
def list_conversation_messages(args, conversation_id):
    """The messages of one conversation, newest first"""
    get_or_404(Conversation.visible_to, conversation_id)
    return paginate(Message.visible_to, {**args, "conversation_id": conversation_id})


@blp.route("/<id:conversation_id>/read", methods=["PUT", "PATCH"])
@blp.require("messages:update")
@blp.response(200, CONVERSATION, message="Marked as read")
def read_conversation(conversation_id):
    """Mark all messages of a conversation as read by you"""
    conversation = get_or_404(Conversation.visible_to, conversation_id, change=True)
    here = (MessageMark.conversation == conversation) & (MessageMark.user == current_user.id)
    MessageMark.update(read=True).where(here).execute()
    return conversation


@blp.route("/<id:conversation_id>", methods=["DELETE"])
@blp.require("messages:view")
@blp.response(200, message="You left the conversation")
def leave_conversation(conversation_id):
    """Leave a conversation; a private one comes back with the next message, and only with that"""
    if not get_or_404(Conversation.visible_to, conversation_id, change=True).leave(current_user.id):
        refuse(409)  # who manages messages sees it without being in it
