"""Errors as answers: problem+json (RFC 9457) for programs, a plain page for people. The one place."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from http import HTTPStatus

from flask import Request, Response, jsonify, render_template_string

from core import errors

_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{{ title }}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"></head>
<body><main><h1>{{ title }}</h1><p>{{ detail }}</p></main></body></html>"""


def wants_page(request: Request) -> bool:
    """Whether a person with a browser is asking, and not a program."""
    return page_wanted(request.headers.get("Accept", ""), request.content_type or "")


def page_wanted(accept: str, content_type: str) -> bool:
    """The same, by what the request says of itself."""
    return "text/html" in accept.lower() and "json" not in content_type.partition(";")[0].lower()


def problem(
    request: Request,
    status: int,
    detail: str,
    *,
    fields: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    candidates: Sequence[Mapping[str, object]] = (),
) -> Response:
    """An answer that says what is wrong, and among what whoever asks may choose."""
    title = HTTPStatus(status).phrase
    if wants_page(request):
        answer = Response(
            render_template_string(_PAGE, title=title, detail=detail), status, mimetype="text/html"
        )
    else:
        body: dict[str, object] = {"type": "about:blank", "title": title, "status": status, "detail": detail}
        if fields:
            body["errors"] = [{"field": name, "detail": words} for name, words in fields.items()]
        if candidates:
            body["candidates"] = list(candidates)
        answer = jsonify(body)
        answer.status_code = status
        answer.mimetype = "application/problem+json"
    answer.headers.update(headers or {})
    return answer


def of_error(request: Request, error: errors.PortariaError) -> Response:
    """The answer to a named failure."""
    match error:
        case errors.Refused():
            later = {"Retry-After": str(error.retry_after)} if error.retry_after is not None else None
            return problem(request, error.status, str(error), headers=later)
        case errors.Invalid():
            return problem(request, 422, str(error), fields=error.fields)
        case errors.NotFound():
            return problem(request, 404, str(error))
        case errors.NotAllowed():
            return problem(request, 403, str(error))
        case errors.Conflict():
            return problem(request, 409, str(error), candidates=error.candidates)
        case errors.Stale():
            return problem(request, 412, str(error))
        case errors.Unavailable():
            seconds = str(math.ceil(error.retry_after.total_seconds()))
            return problem(request, 503, "Please try again in a moment.", headers={"Retry-After": seconds})
        case _:
            return problem(request, 500, "Something went wrong on our side.")
