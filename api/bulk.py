"""Many changes in one request: each is carried out, or refused, by itself."""

from __future__ import annotations

import json
from typing import Any, Literal

from flask import Response, current_app, request
from pydantic import BaseModel, Field
from werkzeug.test import Client

from api.elements import Body
from api.resource import answer, group, refused

resource = group("bulk", "Many changes at once")

#: So many at a time.
MOST = 100
_PLACES = "leads|contacts|companies|deals|activities|products|product-sections|duplicates"


class Operation(Body):
    """One request, as it would be sent by itself."""

    method: Literal["POST", "PUT", "PATCH", "DELETE"]
    path: str = Field(
        pattern=rf"^/({_PLACES})(/[a-z0-9-]+)*$", max_length=200, description="Such as /contacts/7"
    )
    body: dict[str, Any] | None = None
    if_match: str | None = Field(None, max_length=200, description="The version it is for")
    idempotency_key: str | None = Field(None, pattern=r"^[\x21-\x7e]{1,190}$")


class Operations(Body):
    """What is to be done, in this order."""

    operations: list[Operation] = Field(min_length=1, max_length=MOST)


class Outcome(BaseModel):
    """What came of one."""

    status: int = Field(description="As HTTP has it")
    body: dict[str, Any] | None = Field(description="What was answered: the element, or the problem")
    etag: str | None


class Outcomes(BaseModel):
    """What came of each, in the same order."""

    items: list[Outcome]
    failed: int = Field(description="How many were refused")


@resource.post("/bulk", responses={200: Outcomes, **refused(400, 413, 415)})
def do_many(body: Operations) -> Response:
    """Carries out up to 100 changes; each with its own rights, checks and answer, whatever came of others."""
    client = Client(current_app.wsgi_app)
    items = [_done(client, one) for one in body.operations]
    return answer(Outcomes(items=items, failed=sum(item.status >= 400 for item in items)))


def _done(client: Client, one: Operation) -> Outcome:
    headers = {"Authorization": request.headers["Authorization"]}
    if one.if_match is not None:
        headers["If-Match"] = one.if_match
    if one.idempotency_key is not None:
        headers["Idempotency-Key"] = one.idempotency_key
    sent: dict[str, Any] = {"json": one.body} if one.body is not None else {}
    told = client.open(
        f"/api/v1{one.path}", method=one.method, headers=headers, base_url=request.host_url, **sent
    )
    text = told.get_data(as_text=True)
    return Outcome(
        status=told.status_code,
        body=json.loads(text) if text else None,
        etag=told.headers.get("ETag"),
    )
