"""Which page of a list a reply is, in its body and its headers."""

from typing import Any
from urllib.parse import parse_qsl, urlencode

from flask import g, request

from web import limits


def paginate_list(items: list[Any], args: dict[str, Any]) -> list[Any]:
    """The requested page of a list."""
    set_page(args, len(items))
    start = (args["page"] - 1) * args["page_size"]
    return items[start : start + args["page_size"]]


def set_page(args: dict[str, Any], total: int) -> None:
    """Add which page it is to the reply: total and pages in the body, X-Total-Count, and Link (RFC 8288)."""
    page, size = args["page"], args["page_size"]
    pages = -(-total // size)
    g.page = {"total": total, "page": page, "pageSize": size, "totalPages": pages}
    g.headers["X-Total-Count"] = str(total)
    query = request.query_string.decode("utf-8", "replace")
    if len(query) < limits.LINK_BYTES // 4:  # four relations repeat it
        g.headers["Link"] = links(request.path, query, page, pages)


def links(path: str, query: str, page: int, pages: int) -> str:
    """The header `Link` with the pages around this one: `</api/users?pageSize=2&page=1>; rel="first", …`."""
    others = urlencode([(key, value) for key, value in parse_qsl(query, keep_blank_values=True) if key != "page"])
    path = f"{path}?{others}&" if others else f"{path}?"
    numbers = {"first": 1, "prev": page - 1, "next": page + 1, "last": max(pages, 1)}
    return ", ".join(
        f'<{path}page={number}>; rel="{name}"'
        for name, number in numbers.items()
        if (name != "prev" or 1 < page <= pages + 1) and (name != "next" or page < pages)
    )
