"""Puts the API on the web application."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from flask import Response, current_app, g, request
from flask_openapi3 import APIBlueprint, Info, OpenAPI
from werkzeug.exceptions import HTTPException

from api import (
    accept,
    activities,
    alerts,
    attachments,
    auth,
    bulk,
    calendar_feeds,
    comments,
    companies,
    contacts,
    convert,
    counters,
    deal_lines,
    deal_templates,
    deals,
    duplicates,
    element_timelines,
    emails,
    events,
    exports,
    feed,
    first_answers,
    forms,
    imports,
    lines,
    mailboxes,
    merges,
    new_call,
    new_lead,
    notifications,
    pipelines,
    privacy,
    product_sections,
    products,
    rates,
    refusals,
    reports,
    rulesets,
    runs,
    saved_reports,
    segments,
    sight,
    source_costs,
    sources,
    sparse,
    spec,
    templates,
    timeline,
    trace,
    users,
    workspace,
)
from api.body import check_body
from api.docs import docs
from api.operations import operations
from api.parameters import RowConverter, check_parameters
from api.resource import BEARER
from core import db
from core.errors import PortariaError, Unavailable
from crm import audit, rights

v1 = APIBlueprint("api", __name__, url_prefix="/api/v1")
# What changes a lead or makes a call is a route of the group that reads them: `new_lead`, `convert` and
# `new_call` add it there, since the document has one place for each path.
_PARTS = (
    new_lead,
    new_call,
    timeline,
    trace,
    runs,
    notifications,
    rulesets,
    accept,
    attachments,
    forms,
    comments,
    emails,
    templates,
    activities,
    calendar_feeds,
    alerts,
    events,
    mailboxes,
    sources,
    lines,
    users,
    workspace,
    imports,
    contacts,
    companies,
    deals,
    deal_lines,
    deal_templates,
    element_timelines,
    convert,
    counters,
    merges,
    duplicates,
    bulk,
    privacy,
    exports,
    segments,
    products,
    product_sections,
    pipelines,
    feed,
    first_answers,
    reports,
    saved_reports,
    source_costs,
)
for resource in dict.fromkeys(part.resource for part in _PARTS):
    v1.register_api(resource)


def mount(app: OpenAPI) -> None:
    """Adds /api/v1, /calendar, /api/docs, /api/openapi.json, /healthz, /readyz and /metrics.

    `app.extensions["ready"]`, a function, answers with the Troubles that keep the process from its work or
    make it slow. It is asked outside of any transaction and may raise PortariaError.
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
    app.register_blueprint(calendar_feeds.public)
    app.register_error_handler(404, refusals.of_unrouted)
    app.register_error_handler(405, refusals.of_unrouted)
    app.generate_spec_json()  # type: ignore[no-untyped-call]
    app.spec_json = {**spec.mended(app.spec_json), "servers": [{"url": "/"}]}
    sparse.document(app.spec_json)


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
    rates.count(caller.key)
    auth.admit(caller, view, request.method, request.path)
    check_parameters(request.args, view)
    check_body(request, view)
    if caller.user is not None:
        with db.reading() as session:
            sight.enter(session, request, caller.user, caller.role)
    return None


@v1.teardown_request
def forget(error: BaseException | None) -> None:
    """The next request of this thread is somebody else's."""
    rights.look(None)


@v1.after_request
def keep_private(answer: Response) -> Response:
    """What the API tells is about people: nothing on the way keeps a copy."""
    answer = sparse.narrowed(answer)
    rates.tell(answer)
    _audited(answer)
    answer.headers.setdefault("Cache-Control", "no-store")
    answer.headers["X-Content-Type-Options"] = "nosniff"
    return answer


def _audited(told: Response) -> None:
    """Notes who saw or changed what, and writes it down together with what others did."""
    caller = g.get("caller")
    if caller is None or told.status_code >= 400:
        return
    row_id = (request.view_args or {}).get("id")
    path = request.path.removeprefix("/api/v1")
    audit.note(caller.actor, request.method, path, row_id if isinstance(row_id, int) else None)
    if audit.due():
        with suppress(Unavailable), db.unit_of_work(durable=False) as session:
            audit.write(session)


v1.register_error_handler(PortariaError, refusals.of_error)
v1.register_error_handler(HTTPException, refusals.of_http)
