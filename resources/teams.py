"""Teams: users who work together. Members see their team; its admins, and users with `teams:manage`, change it."""

from models import Notification, Team, TeamMember, User
from web import fields
from web.allowances import notify, refuse_crowd
from web.api import Blueprint, Schema, current_user, get_or_404, paginate, references, refuse
from web.arguments import PageArgs, Sort, scope_field, search_field
from web.audit import delete, record

blp = Blueprint("teams", __name__, url_prefix="/api/teams", description="Teams and their members")


class MemberSchema(fields.PersonSchema):
    role = fields.Choice(TeamMember.ROLES, required=True)


class TeamSchema(Schema):
    id = fields.Integer(dump_only=True)
    name = fields.Text(200, 1, required=True)
    description = fields.Text(5000)
    avatar = fields.Avatar("")
    member_count = fields.Integer(dump_only=True)
    members = fields.People(MemberSchema)
    created_at = fields.Instant(dump_only=True)
    updated_at = fields.Instant(dump_only=True)


class MemberArgs(Schema):
    user_id = fields.Id(required=True)
    role = fields.Choice(TeamMember.ROLES, load_default="member")


class MemberChanges(Schema):
    role = fields.Choice(TeamMember.ROLES, required=True)


class TeamArgs(PageArgs):
    search = search_field()
    scope = scope_field()
    sort = Sort(Team)


TEAM, TEAMS, TEAM_CHANGES = TeamSchema(), TeamSchema(many=True, exclude=("members",)), TeamSchema(partial=True)


def member_or_404(team: Team, user_id: int) -> TeamMember:
    member = TeamMember.get_or_none((TeamMember.team == team.id) & (TeamMember.user == user_id))
    return member or refuse(404)


def keep_an_admin(team: Team) -> None:
    """409 if the team now has members but no admin. The refusal rolls back the change that led there."""
    members = TeamMember.select().where(TeamMember.team == team.id)
    if members.exists() and not members.where(TeamMember.role == "admin").exists():
        refuse(409, "A team with members needs an admin")


@blp.route("")
@blp.require("teams:view")
@blp.arguments(TeamArgs(), location="query")
@blp.response(200, TEAMS)
def list_teams(args):
    """List the teams you are a member of"""
    return paginate(Team.listed, args)


@blp.route("", methods=["POST"])
@blp.require("teams:create")
@blp.arguments(TEAM)
@blp.response(201, TEAM, message="Team created")
def create_team(data):
    """Create a team, with yourself as its first admin"""
    team = Team.create(**data)
    TeamMember.create(team=team, user=current_user.id, role="admin")
    return record("create", team)


@blp.route("/<id:team_id>")
@blp.require("teams:view")
@blp.response(200, TEAM)
def get_team(team_id):
    """Get a team with its members"""
    return get_or_404(Team.visible_to, team_id)


@blp.route("/<id:team_id>", methods=["PUT", "PATCH"])
@blp.require("teams:update", "teams:view")
@blp.arguments(TEAM_CHANGES)
@blp.response(200, TEAM, message="Team updated")
def update_team(data, team_id):
    """Update a team that you are an admin of"""
    team = get_or_404(Team.visible_to, team_id, change=Team.changeable_by)
    return record("update", team.change(**data))


@blp.route("/<id:team_id>", methods=["DELETE"])
@blp.require("teams:delete")
@blp.response(200, message="Team deleted")
def delete_team(team_id):
    """Delete a team that you are an admin of"""
    delete(get_or_404(Team.visible_to, team_id, change=Team.changeable_by))


@blp.route("/<id:team_id>/members", methods=["POST"])
@blp.require("teams:update", "teams:view")
@blp.arguments(MemberArgs())
@blp.response(201, TEAM, message="Member added", errors=(429,))
def add_member(data, team_id):
    """Add a member to a team that you are an admin of"""
    team = get_or_404(Team.visible_to, team_id, change=Team.changeable_by)
    references("userId", User.contacts, data["user_id"])
    TeamMember.create(team=team, **data)
    refuse_crowd("userId", team.members.count(), Team)
    team.changed = True
    notify([data["user_id"]], "user", "You were added to a team", content=team.name, target=team)
    return record("update", team)


@blp.route("/<id:team_id>/members/<id:user_id>", methods=["PUT", "PATCH"])
@blp.require("teams:update", "teams:view")
@blp.arguments(MemberChanges())
@blp.response(200, TEAM, message="Member updated")
def update_member(data, team_id, user_id):
    """Change the role of a member: `admin` or `member`"""
    team = get_or_404(Team.visible_to, team_id, change=Team.changeable_by)
    team.changed = member_or_404(team, user_id).change(**data).changed
    keep_an_admin(team)
    return record("update", team)


@blp.route("/<id:team_id>/members/<id:user_id>", methods=["DELETE"])
@blp.require("teams:update", "teams:view")
@blp.response(200, message="Member removed")
def remove_member(team_id, user_id):
    """Remove a member from a team that you are an admin of, or leave a team"""
    leaving = user_id == current_user.id
    team = get_or_404(Team.visible_to, team_id, change=True if leaving else Team.changeable_by)
    member_or_404(team, user_id).delete_instance()
    team.changed = True
    Notification.forget(Team, [team.id], Notification.user == user_id)
    keep_an_admin(team)
    record("update", team)
