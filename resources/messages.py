"""Messages: stored once in their conversation, with a mark (read or unread) for each member who sees it."""

from models import Conversation, Message, MessageMark, User
from web import fields, limits
from web.allowances import notify, refuse_too_many
from web.api import Blueprint, Schema, current_user, get_or_404, paginate, references, refuse, refuse_field
from web.arguments import PageArgs, Sort, Values
from web.audit import record

blp = Blueprint("messages", __name__, url_prefix="/api/messages", description="Messages sent and received")

BOXES = {"inbox": Message.inbox, "sent": Message.sent, "all": Message.visible_to}


class MessageSchema(Schema):
    id = fields.Integer(dump_only=True)
    conversation_id = fields.Id()
    recipient_id = fields.Id(load_only=True, metadata={"description": "instead of `conversationId`"})
    sender = fields.Person()
    sender_id = fields.Integer(dump_only=True)
    content = fields.Text(5000, 1, required=True)
    type = fields.Choice(Message.TYPES)
    read = fields.Boolean(dump_only=True, metadata={"description": "whether you have read it"})
    created_at = fields.Instant(dump_only=True)


class MessageArgs(PageArgs):
    box = fields.Choice(BOXES, load_default="all")
    conversation_id = Values(fields.Id())
    read = Values(fields.Boolean(), closed=True)
    sort = Sort(Message)


MESSAGE, MESSAGES = MessageSchema(), MessageSchema(many=True)


def find_conversation(data: dict) -> Conversation:
    """The conversation a message goes to: the one it names, or the private one with its recipient."""
    recipient, conversation = data.pop("recipient_id", None), data.pop("conversation_id", None)
    if (recipient is None) == (conversation is None):
        refuse_field("recipientId", "Give either recipientId or conversationId.")
    references("recipientId", User.contacts, recipient)
    references("conversationId", Conversation.visible_to, conversation)
    if conversation:
        named = get_or_404(Conversation.visible_to, conversation, change=True)
        if named.is_deserted():
            refuse(409, "The other member was deleted, so nobody would read this")
        return named
    pair = Conversation.pair_of(current_user.id, recipient)
    if found := Conversation.get_or_none(Conversation.pair == pair):
        return found
    refuse_too_many(Conversation)
    return Conversation.begin([current_user.id, recipient], pair=pair)


@blp.route("")
@blp.require("messages:view")
@blp.arguments(MessageArgs(), location="query")
@blp.response(200, MESSAGES)
def list_messages(args):
    """List your messages: received (`box=inbox`), sent (`box=sent`) or all"""
    references("conversationId", Conversation.visible_to, args.get("conversation_id"))
    if "read" in args:
        args["read"] = [current_user.id, *args["read"]]
    return paginate(BOXES[args["box"]], args)


@blp.route("", methods=["POST"])
@blp.require("messages:create")
@blp.arguments(MESSAGE)
@blp.response(201, MESSAGE, message="Message sent", alone=False, errors=(429,))
def send_message(data):
    """Send a message to a conversation or a user; the first to a user creates the conversation"""
    refuse_too_many(Message, limits.MESSAGES)
    message = Message.send(find_conversation(data), current_user.id, **data)
    notify(message.readers, "message", "New message", content=message.content, target=message)
    return record("create", message)


@blp.route("/<id:message_id>")
@blp.require("messages:view")
@blp.response(200, MESSAGE)
def get_message(message_id):
    """Get a message"""
    return get_or_404(Message.visible_to, message_id)


@blp.route("/<id:message_id>", methods=["DELETE"])
@blp.require("messages:delete")
@blp.response(200, message="Message deleted")
def delete_message(message_id):
    """Delete a message: your own for everyone, another's only for yourself"""
    record("delete", get_or_404(Message.visible_to, message_id, change=True)).remove(current_user.id)


@blp.route("/<id:message_id>/read", methods=["PUT", "PATCH"])
@blp.require("messages:update")
@blp.response(200, MESSAGE, message="Marked as read", alone=False)
def read_message(message_id):
    """Mark a message as read"""
    message = get_or_404(Message.visible_to, message_id, change=True)
    MessageMark.update(read=True).where(MessageMark.message == message, MessageMark.user == current_user.id).execute()
    return message
