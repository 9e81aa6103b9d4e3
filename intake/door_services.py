"""The door for form services: verified as each of them signs, split into its submissions, journalled."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flask import Response, jsonify, request

from core.errors import NotFound, Refused
from intake.arrival import delivery, largest
from intake.delivery import Delivery
from intake.door import door, journal
from intake.form_lane import form_of
from intake.forms import services
from intake.forms.service import FormService, Part
from intake.forms.web_form import WINDOW_SECONDS
from intake.journal import Entry
from intake.sources import LoadedSource

#: More submissions in one delivery than any service sends.
_MOST_PARTS = 2000


def _service(key: str, name: str) -> tuple[LoadedSource, FormService[Any], Any]:
    service = services.BY_NAME.get(name.lower().replace("_", "-"))
    if service is None:
        raise NotFound(f"there is no such format; we know {', '.join(s.name for s in services.SERVICES)}")
    source, form = form_of(key)
    settings = services.settings_of(service, form.services)
    if settings is None:
        raise NotFound(f"this form is not set up for {service.label}: `services` names no secret of it")
    return source, service, settings


def _entry(source: LoadedSource, service: FormService[Any], part: Part, sent: Delivery) -> Entry:
    own = replace(sent, facts={**sent.facts, **part.facts})
    if not part.by_content:
        return Entry(source.id, service.name, f"{service.name}:{part.key}"[:200], own)
    window = int(sent.received_at.timestamp()) // WINDOW_SECONDS
    now, before = (f"{service.name}:{at}:{part.key}"[:200] for at in (window, window - 1))
    return Entry(source.id, service.name, now, own, again=before)


@door.get("/forms/<key>/<name>", provide_automatic_options=False)
def try_service(key: str, name: str) -> Response:
    """The GET with which some services try the address before they use it."""
    _, service, settings = _service(key, name)
    reply = service.handshake(request.args, settings)
    if reply is None:
        raise Refused(f"{service.label} posts its submissions", status=405, reason="wrong_method")
    return Response(reply.content, 200, content_type=reply.content_type)


@door.post("/forms/<key>/<name>", provide_automatic_options=False)
def service_form(key: str, name: str) -> Response:
    """Submissions from a form service; each is one event, known again by the service's own id."""
    source, service, settings = _service(key, name)
    sent = delivery(request.environ, largest(request.environ))
    kind = sent.content_type.split(";")[0].strip().lower()
    if kind not in service.content_types:
        expected = " or ".join(service.content_types)
        raise Refused(f"expected {expected}", status=415, reason="wrong_content_type")
    service.verify(sent, settings)
    parts = service.parts(sent, settings)
    if len(parts) > _MOST_PARTS:
        raise Refused(f"more than {_MOST_PARTS} submissions at once", status=413, reason="too_many")
    if not sent.body.strip():
        raise Refused("the form is empty", status=400, reason="empty")
    entries = [_entry(source, service, part, sent) for part in parts]
    receipts = journal(entries, "form") if entries else []
    if (reply := service.reply()) is not None:
        return Response(reply.content, 200, content_type=reply.content_type)
    first = receipts[0] if receipts else None
    answer = jsonify(
        {
            "event_id": first.event_id if first else None,
            "status": "accepted" if first and first.new else "repeated" if first else "ignored",
        }
    )
    answer.status_code = 200
    return answer
