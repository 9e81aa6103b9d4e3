"""What every group of routes has: the token, and the ways in which a request is refused."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel

BEARER = "token"
_REFUSALS = {
    400: "The body is not JSON",
    401: "There is no token, or it is unknown or revoked",
    403: "The token's role may not do this",
    404: "There is no such thing",
    409: "The present state does not allow it",
    412: "It was changed since `If-Match` was read",
    413: "The body is too large",
    415: "The body is of another type than application/json",
    422: "Something in the request is not acceptable; `errors` names it",
}


def group(name: str, about: str) -> APIBlueprint:
    """A group of routes, under one heading in the documentation."""
    return APIBlueprint(
        name,
        __name__,
        abp_tags=[Tag(name=name, description=about)],
        abp_security=[{BEARER: []}],
        abp_responses=refused(401, 403, 422),
        operation_id_callback=_operation_id,
    )


def refused(*statuses: int) -> dict[str | int, Any]:
    """These refusals, as the documentation shows them."""
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {str(status): {"description": _REFUSALS[status], "content": problem} for status in statuses}


def answer(body: BaseModel, status: int = 200, *, location: str | None = None) -> Response:
    """A JSON answer; moments in it are in UTC and end in Z."""
    made = Response(body.model_dump_json(by_alias=True), status, mimetype="application/json")
    if location:
        made.headers["Location"] = location
    return made


def gone() -> Response:
    """The answer where there is nothing any more."""
    return Response(status=204)


def _operation_id(*, name: str, path: str, method: str) -> str:
    return name
