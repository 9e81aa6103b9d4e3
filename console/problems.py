"""What went wrong, as a page. The one place of the console."""

from __future__ import annotations

import math
from collections.abc import Callable

from flask import Response, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from console.headers import page_headers
from core import errors
from core.ids import new_id
from core.logs import logger
from intake import problems

log = logger(__name__)
Unrouted = Callable[[HTTPException], ResponseReturnValue]
_TITLES = {
    400: "This page was out of date",
    403: "This is not yours to see",
    404: "There is nothing here",
    405: "This cannot be done here",
    409: "Somebody was faster",
    410: "This link no longer works",
    413: "That is too much at once",
    422: "That does not fit",
    503: "Back in a moment",
}
_DETAILS = {
    400: "Please go back, load the page again and repeat what you did.",
    404: "The address may be mistyped, or what was here has moved.",
    405: "Please use the links and buttons of the pages.",
    503: "A part of the service does not answer. Nothing is lost; please try again.",
}


def by_field(error: errors.PortariaError, *, below: str = "/") -> dict[str, str]:
    """What is wrong, by the field of the form beside which it is said, whose pointer begins with `below`.

    What is wrong with all of it stands under no name.
    """
    told = error.fields if isinstance(error, errors.Invalid) else {}
    found = {name.removeprefix(below).replace("/", "-"): words for name, words in told.items()}
    return found or {"": str(error)}


def of_error(error: errors.PortariaError) -> Response:
    """The page for a failure that has a name."""
    match error:
        case errors.NotFound():
            return _page(404, str(error))
        case errors.NotAllowed():
            return _page(403, str(error))
        case errors.Conflict():
            return _page(409, str(error))
        case errors.Invalid():
            return _page(422, str(error))
        case errors.Unavailable():
            answer = _page(503)
            answer.headers["Retry-After"] = str(math.ceil(error.retry_after.total_seconds()))
            return answer
        case _:
            return broken(error)


def refused(error: HTTPException) -> ResponseReturnValue:
    """The page for what Flask refuses, and for what a view gives up with `abort`."""
    status = error.code or 500
    if status < 400:
        return error.get_response()
    if status >= 500:
        return broken(error)
    detail = error.description if error.description != type(error).description else None
    return _page(status, detail if status != 400 else None)


def broken(error: Exception) -> Response:
    """The page for a mistake of ours; its id is in the log, with everything else."""
    error_id = new_id()
    log.error("console.broken", error_id=error_id, path=request.path[:200], exc_info=error)
    return _page(500, error_id=error_id)


def unrouted(programs: Unrouted, error: HTTPException) -> ResponseReturnValue:
    """The answer where no route fits: a page of ours, or whatever `programs` expect at their doors."""
    if request.path.startswith(("/api/", "/in/")):
        return programs(error)
    answer = _page(error.code or 404)
    answer.headers.update(_allowed(error))
    return page_headers(answer)


def for_programs(error: HTTPException) -> ResponseReturnValue:
    """The answer under /api and /in where nobody has said a better one."""
    return problems.problem(request, error.code or 404, error.description or "", headers=_allowed(error))


def _allowed(error: HTTPException) -> dict[str, str]:
    return {name: value for name, value in error.get_headers() if name == "Allow"}


def _page(status: int, detail: str | None = None, *, error_id: str | None = None) -> Response:
    page = render_template(
        "console/problem.html",
        title=_TITLES.get(status, "Something went wrong"),
        detail=detail or _DETAILS.get(status, "This is our mistake. Nothing that was received is lost."),
        status=status,
        error_id=error_id,
    )
    return Response(page, status, mimetype="text/html")
