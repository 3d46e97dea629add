"""Contacts: the users whom one can write to, invite and share with, without their e-mail and role."""

from models import User
from web import fields
from web.api import Blueprint, Schema, paginate
from web.arguments import PageArgs, search_field

blp = Blueprint("contacts", __name__, url_prefix="/api/contacts", description="Users to choose from")


class ContactSchema(Schema):
    id = fields.Integer()
    name = fields.String()
    username = fields.String()
    avatar = fields.Avatar()
    department = fields.String()


class ContactArgs(PageArgs):
    search = search_field()


@blp.route("")
@blp.require("messages:create", "documents:create", "calendar:create", "teams:create", "tasks:create")
@blp.arguments(ContactArgs(), location="query")
@blp.response(200, ContactSchema(many=True))
def list_contacts(args):
    """List all active users, to choose recipients, attendees and members from"""
    return paginate(User.contacts, {**args, "sort": ("name",)})
