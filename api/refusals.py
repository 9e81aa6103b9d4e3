"""What is refused, as the answer says it: always problem+json, since only programs ask here."""

from __future__ import annotations

from typing import cast

from flask import Request, Response, request
from pydantic import BaseModel, Field, ValidationError
from werkzeug.exceptions import HTTPException

from core.errors import PortariaError
from intake import problems

#: In place of the client's own request, which may say that it likes pages best.
_PROGRAM = cast(Request, Request.from_values(headers={"Accept": "application/problem+json"}))
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_WORDS = {
    400: "the body is not JSON",
    404: "there is nothing at this address",
    405: "this address does not take that method",
    413: "the body is too large",
    415: "send the body as application/json",
    500: "Something went wrong on our side.",
}


class FieldProblem(BaseModel):
    """One value that is not acceptable."""

    field: str = Field(
        description="A query parameter or header by its name, a part of the body by its JSON Pointer"
    )
    detail: str


class Problem(BaseModel):
    """Why a request was refused (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldProblem] | None = None


def of_error(error: PortariaError) -> Response:
    """The answer to a named failure."""
    return problems.of_error(_PROGRAM, error)


def of_http(error: HTTPException) -> Response:
    """The answer to what Flask refuses, and to a failure of our own that has no name."""
    status = error.code or 500
    headers = {name: value for name, value in error.get_headers() if name == "Allow"}
    return problems.problem(_PROGRAM, status, _WORDS.get(status, error.description or ""), headers=headers)


def of_unrouted(error: HTTPException) -> Response:
    """The answer where no route fits: under /api in the API's way, elsewhere as the client likes it."""
    if request.path.startswith("/api/"):
        return of_http(error)
    headers = {name: value for name, value in error.get_headers() if name == "Allow"}
    return problems.problem(request, error.code or 404, error.description or "", headers=headers)


def of_stranger(detail: str, *, error: str | None = None) -> Response:
    """The answer to whom we do not know, with the challenge of RFC 6750 section 3."""
    challenge = 'Bearer realm="portaria"' + (f', error="{error}"' if error else "")
    return problems.problem(_PROGRAM, 401, detail, headers={"WWW-Authenticate": challenge})


def of_validation(error: ValidationError) -> Response:
    """The answer to values that do not fit their types, each named."""
    fields: dict[str, str] = {}
    for found in error.errors(include_url=False, include_input=False):
        place = [str(part) for part in found["loc"]]
        name = (
            "".join(f"/{_escaped(part)}" for part in place)
            if request.method in _WITH_BODY
            else ".".join(place)
        )
        fields.setdefault(name, _words(found["type"], found["msg"]))
    return problems.problem(_PROGRAM, 422, "some values are not acceptable", fields=fields)


def _words(kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return "is not known here"
    return message.removeprefix("Value error, ")


def _escaped(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1")
