"""The conventions of all resources: how a view finds the rows that its caller may see or change, and pages them.

A resource also takes `Blueprint`, `Schema`, `answer`, `current_user`, `refuse` and `refuse_field` from here.
"""

from collections.abc import Callable, Iterable
from typing import Any

from peewee import Expression, Select

from database import compiled
from database.base import BaseModel
from web.blueprint import Blueprint, answer  # noqa: F401
from web.errors import refuse, refuse_field
from web.paging import set_page
from web.schemas import Schema  # noqa: F401
from web.security import current_user


def manages(model: type[BaseModel]) -> bool:
    """Whether the caller may change other people's rows of this model."""
    return current_user.allows(f"{model.RESOURCE}:manage") if model.RESOURCE else model.WHOSE == "nobody"


def sees_all(model: type[BaseModel]) -> bool:
    """Whether the caller may read other people's rows of this model (`manage` of it includes that)."""
    return current_user.allows(f"{model.RESOURCE}:view-all") if model.RESOURCE else model.WHOSE == "nobody"


def get_or_404(selector: Callable[..., Select], row_id: int, change: Callable[[Any], Expression] | bool = False) -> Any:
    """The row `row_id` if `selector` (`Task.visible_to`) lets the caller see it, else 404.

    With `change`, the model instance to be changed, else 403. `change=True`: the owner may change it, and everybody
    whom the row is shared with. A rule (`Task.owned_by`): users whose id fulfils it, and those who manage the resource.
    """
    model = compiled.model_of(selector)
    if change is not False:
        manage = manages(model)
        rule = None if change is True or manage else change
        if changeable := compiled.whole(selector, rule, row_id, current_user.id, manage):
            return changeable
    row = compiled.one(selector, row_id, current_user.id, sees_all(model))
    if row is None:
        refuse(404)
    if change is not False:
        refuse(403, "You may see this, but not change it")
    return row


def paginate(selector: Callable[..., Select], args: dict[str, Any]) -> list[Any]:
    """The requested page of a select, filtered and sorted by `args`.

    Pass the selector itself, uncalled: `paginate(Task.visible_to, args)`. It becomes SQL only once for each
    combination of filters, with a placeholder for each value: `… WHERE (t1.status IN (?)) ORDER BY … LIMIT ?`.
    With `scope=mine`, users who may see everybody's rows get what all others would.
    """
    everything = args.get("scope") != "mine" and sees_all(compiled.model_of(selector))
    rows, total = compiled.page(selector, args, current_user.id, everything)
    set_page(args, total)
    return rows


def get_all_or_404(
    selector: Callable[..., Select], ids: Iterable[int], change: Callable[[Any], Expression] | None = None
) -> list[int]:
    """The ids of a batch without duplicates; 404 or 403 if `get_or_404` would refuse one of them.

    `change` is a rule as for `get_or_404`; None: the owner, and everybody whom the row is shared with.
    """
    wanted, model = set(ids), compiled.model_of(selector)
    if len(_visible(selector, wanted, sees_all(model))) < len(wanted):
        refuse(404)
    if not manages(model):
        if change is None:
            changeable = len(_visible(selector, wanted, False))
        else:
            changeable = model.select().where(model.id.in_(wanted), change(current_user.id)).count()
        if changeable < len(wanted):
            refuse(403, "You may see this, but not change it")
    return sorted(wanted)


def references(
    field: str,
    selector: Callable[..., Select],
    ids: Any,
    shown_in: tuple[Callable[..., Select], Any] | None = None,
    known: Iterable[int] = (),
) -> None:
    """400 on `field` if an id (or one of a list of ids) is not of a row that the caller may see.

    `known` are ids that need no check: an attendee may stay who is inactive by now. `shown_in`, a selector and a
    column, allows ids in that column as well: so a list can be filtered by the author of a visible document, even if
    that user is inactive and no longer selectable.
    """
    if ids is None:
        return
    wanted = ids if isinstance(ids, list) else [ids]
    seen = _visible(selector, set(wanted), sees_all(compiled.model_of(selector))).union(known)
    if shown_in and not seen.issuperset(wanted):
        rule, column = shown_in
        seen |= _visible(rule, set(wanted), sees_all(compiled.model_of(rule)), column)
    for index, row_id in enumerate(wanted):
        if row_id not in seen:
            refuse_field(f"{field}.{index}" if isinstance(ids, list) else field, "There is no such row.")


def _visible(selector: Callable[..., Select], ids: set[int], everything: bool, column: Any = None) -> set[int]:
    """Those of `ids` that are in `column` (by default the id) of a row of `selector(user, everything)`."""
    model = compiled.model_of(selector)
    column = model.id if column is None else column
    found = model.select(column).where(column.in_(ids)).distinct()
    return {row_id for (row_id,) in compiled.only(found, selector(current_user.id, everything)).tuples()}
