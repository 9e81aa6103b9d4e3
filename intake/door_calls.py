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
@door.route("/calls/<provider>/<key>/<path:rest>", methods=["GET", "POST"])
def call_event(provider: str, key: str, rest: str = "") -> Response:
    """What a telephony provider tells: verified, journalled, answered as the provider expects it."""
    adapter = calls.BY_NAME.get(provider)
    source = sources.book().sources.get((Channel.CALL, key))
    if adapter is None or source is None or source.settings.get("provider") != provider:
        raise NotFound("there is no such line")
    if rest and not adapter.has_methods:
        raise NotFound("there is nothing at this address")
    sent = delivery(settings().max_form_bytes)
    line = source.read(adapter.settings)
    if (reply := adapter.handshake(sent, line)) is not None:
        return _response(reply)
    if request.method not in adapter.methods:
        raise Refused("this provider posts its events", status=405, reason="wrong_method")
    posted = request.method == "POST"
    if posted and sent.content_type.split(";")[0].strip().lower() not in adapter.content_types:
        raise Refused(
            f"expected {' or '.join(adapter.content_types)}", status=415, reason="wrong_content_type"
        )
    adapter.verify(sent, line)
    key = adapter.dedupe_key(sent, line)
    journal([Entry(source.id, adapter.name, key, adapter.kept(sent))], "call")
    return _response(adapter.answer(sent, line))


def _response(reply: calls.Reply) -> Response:
    answer = Response(reply.content, reply.status, content_type=reply.content_type)
    answer.headers.update(reply.headers)
    return answer
