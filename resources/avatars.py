"""Avatars: a picture for each user who has set none, drawn by the server so that no page needs another host."""

import unicodedata

from flask import Response
from markupsafe import escape

from models import User
from web.api import Blueprint, refuse

blp = Blueprint("avatars", __name__, url_prefix="/api/avatars", description="Pictures of users who have set none")

COLOURS = ("#1677ff", "#13a8a8", "#389e0d", "#d48806", "#d4380d", "#c41d7f", "#722ed1", "#2f54eb")
SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="96" height="96" viewBox="0 0 96 96">'
    '<rect width="96" height="96" fill="{colour}"/>'
    '<text x="48" y="50" fill="#fff" font-family="sans-serif" font-size="38" text-anchor="middle"'
    ' dominant-baseline="central">{initials}</text></svg>'
)
HEADERS = {
    "Cache-Control": "public, max-age=3600",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
}


def initials(name: str) -> str:
    """Two letters of a name in Latin script (Ada Lovelace: AL), the first character of any other (王伟: 王)."""
    words = name.split()
    if not words or not unicodedata.name(words[0][0], "").startswith("LATIN"):
        return name[:1]
    return "".join(word[0] for word in words[:2]).upper()


@blp.route("/<id:user_id>.svg")
@blp.public
@blp.response(200, {"type": "string"}, content_type="image/svg+xml")
def get_avatar(user_id):
    """Get the initials of a user as a picture"""
    user = User.get_or_none(User.id == user_id) or refuse(404)
    svg = SVG.format(colour=COLOURS[user_id % len(COLOURS)], initials=escape(initials(user.name)))
    return Response(svg, mimetype="image/svg+xml", headers=HEADERS)
