"""The door for telephony webhooks."""

from __future__ import annotations

from flask import Response, request

from core.errors import NotFound, Refused
from core.settings import settings
from intake import calls, sources
from intake.door import delivery, door, journal
from intake.journal import Entry
from models.source import Channel


@door.route("/calls/<provider>/<key>", methods=["GET", "POST"])
def call_event(provider: str, key: str) -> Response:
    """What a telephony provider tells: verified, journalled, answered as the provider expects it."""
    adapter = calls.BY_NAME.get(provider)
    source = sources.book().sources.get((Channel.CALL, key))
    if adapter is None or source is None or source.settings.get("provider") != provider:
        raise NotFound("there is no such line")
    if request.method != "POST":
        raise Refused("this provider posts its events", status=405, reason="wrong_method")
    sent = delivery(settings().max_form_bytes)
    if sent.content_type.split(";")[0].strip().lower() not in adapter.content_types:
        raise Refused(
            f"expected {' or '.join(adapter.content_types)}", status=415, reason="wrong_content_type"
        )
    line = source.read(adapter.settings)
    adapter.verify(sent, line)
    journal([Entry(source.id, adapter.name, adapter.dedupe_key(sent, line), sent)], "call")
    content, content_type = adapter.answer()
    return Response(content, 200, content_type=content_type)
