"""The decorators of a view: who may call it, in which transaction it runs, and the envelope of its reply."""

from collections.abc import Callable
from copy import copy
from functools import partial, wraps
from typing import Any, cast

from flask import Response, g, jsonify, request

from database import compiled
from database.base import BaseModel
from web import hooks, openapi, security
from web.parser import Parser
from web.security import admit
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
        # smorest adds the reply to the document, and `build` makes it.
        decorate = super().response(status_code, schema, **{"description": message, **options})
        build = partial(reply, status_code, schema, message)

        def decorator(view: Callable[..., Any]) -> Callable[..., Any]:
            @wraps(view)
            def wrapper(*args: Any, **kwargs: Any) -> Any:
                g.build = build
                if write and request.method in WRITING:
                    # Copies, because it may run again.
                    return security.written(lambda: build(view(*map(copy, args), **kwargs)), alone)
                result = view(*args, **kwargs)
                if not write and schema is not None and not isinstance(result, Response):
                    raise TypeError(f"{view.__name__} has write=False: it must return answer(…)")
                return build(result)

            wrapper._apidoc = {**decorate(wrapper)._apidoc, "errors": errors, "alone": alone}  # type: ignore[attr-defined]
            return wrapper

        return decorator

    def add_url_rule(self, rule: str, endpoint: Any = None, view_func: Any = None, *args: Any, **options: Any) -> None:
        if not (hasattr(view_func, "permissions") or hasattr(view_func, "public")):
            raise TypeError(
                f"{self.name}.{view_func.__name__} must say who may call it: @blp.require(…) or @blp.public"
            )
        super().add_url_rule(rule, endpoint, view_func, *args, **options)


def reply(status: int, schema: Any, message: str, result: Any) -> Response:
    """The reply to a view's result, unless the view returns one itself."""
    if isinstance(result, Response):
        return result
    data = schema.dump(shown(result)) if schema else result
    made = jsonify(envelope(data, message, getattr(schema, "lift", ())))
    made.status_code = status
    return made


def shown(result: Any) -> Any:
    """What the reply shows of a result: an instance of a model is selected anew with `visible_to`, as lists do."""
    if isinstance(result, BaseModel):
        return compiled.one(cast(Any, type(result)).visible_to, result.id, current_id(), True)
    return result


def envelope(data: Any, message: str, lift: tuple[str, ...]) -> dict[str, Any]:
    """The body of a success; the rows of a page go in with its numbers."""
    context, _ = hooks.unproxied()
    if "page" in context:
        data = {"items": data, **context.page}
    lifted = {key: data[key] for key in lift}
    return {"success": True, "data": data, "message": translate(message, context.language), **lifted}


def answer(result: Any) -> Response:
    """The reply to a view's result. A view with `write=False` builds it inside its own transaction."""
    return g.build(result)


def current_id() -> int:
    return g.caller.id if "caller" in g else 0
