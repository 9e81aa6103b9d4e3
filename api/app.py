"""Puts the API on the web application."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Response, current_app, request
from flask_openapi3 import APIBlueprint, Info, OpenAPI
from werkzeug.exceptions import HTTPException

from api import (
    accept,
    activities,
    alerts,
    attachments,
    auth,
    comments,
    companies,
    contacts,
    convert,
    deal_lines,
    deals,
    element_timelines,
    emails,
    events,
    feed,
    forms,
    imports,
    lines,
    mailboxes,
    new_call,
    new_lead,
    pipelines,
    products,
    refusals,
    rulesets,
    runs,
    sources,
    templates,
    timeline,
    trace,
    users,
)
from api.body import check_body
from api.docs import docs
from api.operations import Troubles, operations
from api.parameters import RowConverter, check_parameters
from api.resource import BEARER
from core import db
from core.errors import PortariaError

v1 = APIBlueprint("api", __name__, url_prefix="/api/v1")
# What changes a lead or makes a call is a route of the group that reads them: `new_lead`, `convert` and
# `new_call` add it there, since the document has one place for each path.
_PARTS = (
    new_lead,
    new_call,
    timeline,
    trace,
    runs,
    rulesets,
    accept,
    attachments,
    forms,
    comments,
    emails,
    templates,
    activities,
    alerts,
    events,
    mailboxes,
    sources,
    lines,
    users,
    imports,
    contacts,
    companies,
    deals,
    deal_lines,
    element_timelines,
    convert,
    products,
    pipelines,
    feed,
)
for resource in dict.fromkeys(part.resource for part in _PARTS):
    v1.register_api(resource)


def mount(app: OpenAPI, *, ready: Callable[[], Troubles]) -> None:
    """Adds /api/v1, /api/docs, /api/openapi.json, /healthz, /readyz and /metrics.

    `ready` answers what keeps the process from its work or makes it slow: each part and why.
    It is asked outside of any transaction and may raise PortariaError.
    """
    app.url_map.converters["row"] = RowConverter
    app.info = Info(
        title="Portaria", version="1", description="Every enquiry becomes exactly one routed lead."
    )
    app.security_schemes = {
        BEARER: {"type": "http", "scheme": "bearer", "description": "Made by `portaria token create`"}
    }
    app.validation_error_callback = refusals.of_validation
    app.validation_error_model = refusals.Problem
    app.register_api(v1)
    app.register_blueprint(docs)
    app.register_blueprint(operations)
    app.register_error_handler(404, refusals.of_unrouted)
    app.register_error_handler(405, refusals.of_unrouted)
    app.extensions["ready"] = ready
    app.generate_spec_json()  # type: ignore[no-untyped-call]


def openapi_document(app: OpenAPI) -> dict[str, Any]:
    """The OpenAPI 3.1 document of an application that the API is mounted on."""
    document: dict[str, Any] = app.api_doc
    return document


@v1.before_request
def enter() -> Response | None:
    """Who asks, may they, and is what they sent in order: in this order, before anything is understood."""
    token = request.authorization.token if request.authorization else None
    if token is None or request.authorization is None or request.authorization.type != "bearer":
        return refusals.of_stranger("send a token: 'Authorization: Bearer …'")
    with db.reading() as session:
        caller = auth.find(session, token)
    if caller is None:
        return refusals.of_stranger("this token is unknown or revoked", error="invalid_token")
    view = current_app.view_functions[request.endpoint or ""]
    auth.admit(caller, view, request.method)
    check_parameters(request.args, view)
    check_body(request, view)
    return None


@v1.after_request
def keep_private(answer: Response) -> Response:
    """What the API tells is about people: nothing on the way keeps a copy."""
    answer.headers.setdefault("Cache-Control", "no-store")
    answer.headers["X-Content-Type-Options"] = "nosniff"
    return answer


v1.register_error_handler(PortariaError, refusals.of_error)
v1.register_error_handler(HTTPException, refusals.of_http)
