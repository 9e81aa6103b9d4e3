"""The door for what other programs tell."""

from __future__ import annotations

from flask import Response, jsonify, request

from core.errors import NotFound, Refused
from core.settings import settings
from intake import sources
from intake.arrival import delivery
from intake.door import door, journal
from intake.hooks import Hook, HookSettings
from intake.journal import Entry
from models.source import Channel

_HOOK = Hook()


@door.post("/webhooks/<key>")
def told(key: str) -> Response:
    """One JSON object: verified, journalled, answered 202."""
    source = sources.book().sources.get((Channel.WEBHOOK, key))
    if source is None:
        raise NotFound("there is no such webhook")
    hook = source.read(HookSettings)
    sent = delivery(request.environ, settings().max_form_bytes)
    if sent.content_type.split(";")[0].strip().lower() not in _HOOK.content_types:
        raise Refused(f"expected {_HOOK.content_types[0]}", status=415, reason="wrong_content_type")
    _HOOK.verify(sent, hook)
    if not sent.body.strip():
        raise Refused("the body is empty", status=400, reason="empty")
    [receipt] = journal([Entry(source.id, _HOOK.name, _HOOK.dedupe_key(sent, hook), sent)], "webhook")
    answer = jsonify({"event_id": receipt.event_id, "status": "accepted" if receipt.new else "repeated"})
    answer.status_code = 202
    return answer
