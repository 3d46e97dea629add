"""Contacts: the people one may write to, invite and share with, without their e-mail or role."""

from models import User
from web import fields
from web.api import Blueprint, Schema, paginate
from web.arguments import PageArgs, search_field

blp = Blueprint("contacts", __name__, url_prefix="/api/contacts", description="The people to choose from")


class ContactSchema(Schema):
    id = fields.Integer(dump_only=True)
    name = fields.String(dump_only=True)
    username = fields.String(dump_only=True)
    avatar = fields.Avatar(dump_only=True)
    department = fields.String(dump_only=True)


class ContactArgs(PageArgs):
    search = search_field()


CONTACTS = ContactSchema(many=True)


@blp.route("")
@blp.require("messages:create", "documents:create", "calendar:create", "teams:create", "tasks:create")
@blp.arguments(ContactArgs(), location="query")
@blp.response(200, CONTACTS)
def list_contacts(args):
    """Everybody active, to pick recipients, attendees and members from"""
    return paginate(User.contacts, {**args, "sort": ("name",)})
