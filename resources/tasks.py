"""Tasks: to-dos that users create for themselves or assign to others."""

from models import Notification, Task, User
from web import fields
from web.allowances import notify, refuse_too_many
from web.api import Blueprint, Schema, current_user, get_or_404, paginate, references
from web.arguments import PageArgs, Sort, Values, scope_field, search_field
from web.audit import delete, record

blp = Blueprint("tasks", __name__, url_prefix="/api/tasks", description="To-dos, assigned to yourself or to others")


class TaskSchema(Schema):
    id = fields.Integer(dump_only=True)
    title = fields.Text(200, 1, required=True)
    description = fields.Text(5000)
    status = fields.Choice(Task.STATUSES)
    priority = fields.Choice(Task.PRIORITIES)
    due_date = fields.PlainDate(allow_none=True)
    progress = fields.Count(0, 100)
    assignee = fields.Person(allow_none=True)
    assignee_id = fields.Id(allow_none=True)
    creator = fields.Person()
    creator_id = fields.Integer(dump_only=True)
    created_at = fields.Instant(dump_only=True)
    updated_at = fields.Instant(dump_only=True)


class TaskArgs(PageArgs):
    search = search_field()
    status = Values(fields.Choice(Task.STATUSES))
    priority = Values(fields.Choice(Task.PRIORITIES))
    assignee_id = Values(fields.Id())
    scope = scope_field()
    sort = Sort(Task)


TASK, TASKS, TASK_CHANGES = TaskSchema(), TaskSchema(many=True), TaskSchema(partial=True)


def notify_assignee(task: Task, before: int | None = None) -> None:
    """Notify a new assignee, and delete the notification of the assignee `before`."""
    if before not in (None, task.assignee_id):
        Notification.forget(Task, [task.id])
    if task.assignee_id not in (None, before):
        notify([task.assignee_id], "task", "You were given a task", content=task.title, target=task)


@blp.route("")
@blp.require("tasks:view")
@blp.arguments(TaskArgs(), location="query")
@blp.response(200, TASKS)
def list_tasks(args):
    """List the tasks you created or are assigned to"""
    references("assigneeId", User.contacts, args.get("assignee_id"), (Task.visible_to, Task.assignee))
    return paginate(Task.visible_to, args)


@blp.route("", methods=["POST"])
@blp.require("tasks:create")
@blp.arguments(TASK)
@blp.response(201, TASK, message="Task created", alone=False, errors=(429,))
def create_task(data):
    """Create a task for yourself or for another user"""
    references("assigneeId", User.contacts, data.get("assignee_id"))
    refuse_too_many(Task)
    task = Task.create(creator=current_user.id, **data)
    notify_assignee(task)
    return record("create", task)


@blp.route("/<id:task_id>")
@blp.require("tasks:view")
@blp.response(200, TASK)
def get_task(task_id):
    """Get a task"""
    return get_or_404(Task.visible_to, task_id)


@blp.route("/<id:task_id>", methods=["PUT", "PATCH"])
@blp.require("tasks:update")
@blp.arguments(TASK_CHANGES)
@blp.response(200, TASK, message="Task updated", alone=False, errors=(429,))
def update_task(data, task_id):
    """Update a task you created or are assigned to"""
    task = get_or_404(Task.visible_to, task_id, change=True)
    before = task.assignee_id
    if data.get("assignee_id") != before:
        references("assigneeId", User.contacts, data.get("assignee_id"))
    task.change(**data)
    notify_assignee(task, before)
    return record("update", task)


@blp.route("/<id:task_id>", methods=["DELETE"])
@blp.require("tasks:delete")
@blp.response(200, message="Task deleted", alone=False)
def delete_task(task_id):
    """Delete a task you created"""
    delete(get_or_404(Task.visible_to, task_id, change=Task.owned_by))
