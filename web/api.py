"""The conventions of all resources: how a view says who may call it, finds rows, pages them and answers.

A resource also takes `Schema`, `current_user`, `refuse` and `refuse_field` from here.
"""

from collections.abc import Callable, Iterable
from copy import copy
from functools import wraps
from typing import Any, cast

from flask import Response, g, request
from peewee import Expression, Select

from database import compiled
from database.base import BaseModel
from web import hooks, openapi, security
from web.errors import refuse, refuse_field
from web.paging import set_page
from web.parser import Parser
from web.schemas import Schema  # noqa: F401
from web.security import admit, current_user
from web.texts import translate

WRITING = ("POST", "PUT", "PATCH", "DELETE")


class Blueprint(openapi.DocumentedBlueprint):
    """The routes of a resource. Decorate a view in this order: route, require, arguments, response."""

    ARGUMENTS_PARSER = Parser()

    def require(self, *permissions: str) -> Callable[..., Any]:
        """Require a login and, if permissions are named, one of them. Answers 401 or 403 otherwise."""

        def decorator(view: Callable[..., Any]) -> Callable[..., Any]:
            @wraps(view)
            def wrapper(*args: Any, **kwargs: Any) -> Any:
                admit(permissions)
                return view(*args, **kwargs)

            wrapper.permissions = permissions  # type: ignore[attr-defined]
            return wrapper

        return decorator

    @staticmethod
    def public(view: Callable[..., Any]) -> Callable[..., Any]:
        """Let everybody call the view. Each view has this or `require`, so that neither is forgotten."""
        view.public = True  # type: ignore[attr-defined]
        return view

    def response(
        self,
        status_code: int,
        schema: Any = None,
        *,
        message: str = "OK",
        write: bool = True,  # False: it hashes, then returns `answer(…)` from its own `security.write()`
        alone: bool = True,  # False: accounts write beside each other; its rules concern rows of the caller only
        errors: tuple[int, ...] = (),
        **options: Any,
    ) -> Callable[..., Any]:
        """Answer with `schema` in the envelope. A POST, PUT, PATCH or DELETE runs in one transaction.

        The reply is built inside the transaction, so that nothing is stored that cannot be shown.
        """
        decorate = super().response(status_code, schema, **{"description": message, **options})
        build = decorate(shown)  # dumps what `shown` returns and puts it into the envelope

        def decorator(view: Callable[..., Any]) -> Callable[..., Any]:
            @wraps(view)
            def wrapper(*args: Any, **kwargs: Any) -> Any:
                g.message, g.lift, g.build = message, getattr(schema, "lift", ()), build
                if write and request.method in WRITING:
                    run = security.write_alone if alone else security.write_beside
                    return run(lambda: build(view(*map(copy, args), **kwargs)))  # copies, as it may run again
                result = view(*args, **kwargs)
                if not write and schema is not None and not isinstance(result, Response):
                    raise TypeError(f"{view.__name__} has write=False: it must return answer(…)")
                return build(result)

            # smorest's decorator adds the reply to the document; the reply itself is made by `build`.
            wrapper._apidoc = {**decorate(wrapper)._apidoc, "errors": errors, "alone": alone}  # type: ignore[attr-defined]
            return wrapper

        return decorator

    @staticmethod
    def _prepare_response_content(data: Any) -> dict[str, Any]:
        g, _ = hooks.unproxied()
        if "page" in g:
            data = {"items": data, **g.page}
        lifted = {key: data[key] for key in g.lift}
        return {"success": True, "data": data, "message": translate(g.message, g.language), **lifted}

    def add_url_rule(self, rule: str, endpoint: Any = None, view_func: Any = None, *args: Any, **options: Any) -> None:
        if not (hasattr(view_func, "permissions") or hasattr(view_func, "public")):
            raise TypeError(
                f"{self.name}.{view_func.__name__} must say who may call it: @blp.require(…) or @blp.public"
            )
        super().add_url_rule(rule, endpoint, view_func, *args, **options)


def shown(result: Any) -> Any:
    """What the reply shows of a result: an instance of a model is selected anew with `visible_to`, as lists do."""
    if isinstance(result, BaseModel):
        return compiled.one(cast(Any, type(result)).visible_to, result.id, current_id(), True)
    return result


def answer(result: Any) -> Response:
    """The reply to a view's result. A view with `write=False` builds it inside its own transaction."""
    return g.build(result)


def manages(model: type[BaseModel]) -> bool:
    """Whether the caller may change other people's rows of this model."""
    return current_user.allows(f"{model.RESOURCE}:manage") if model.RESOURCE else model.WHOSE == "nobody"


def sees_all(model: type[BaseModel]) -> bool:
    """Whether the caller may read other people's rows of this model (`manage` of it includes that)."""
    return current_user.allows(f"{model.RESOURCE}:view-all") if model.RESOURCE else model.WHOSE == "nobody"


def current_id() -> int:
    return g.caller.id if "caller" in g else 0


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
    field: str, selector: Callable[..., Select], ids: Any, shown_in: tuple[Callable[..., Select], Any] | None = None
) -> None:
    """400 on `field` if an id (or one of a list of ids) is not of a row that the caller may see.

    `shown_in`, a selector and a column, allows ids in that column as well: so a list can be filtered by the author of
    a visible document, even if that user is inactive and no longer selectable.
    """
    if ids is None:
        return
    wanted = ids if isinstance(ids, list) else [ids]
    seen = _visible(selector, set(wanted), sees_all(compiled.model_of(selector)))
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
    # Only the condition of the select: its columns and joins are not needed. None: it has no condition.
    condition = cast(Any, selector(current_user.id, everything))._where
    return {row_id for (row_id,) in (found if condition is None else found.where(condition)).tuples()}
