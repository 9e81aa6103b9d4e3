"""The door for telephony webhooks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flask import Response, current_app, request

from core import clock
from core.errors import NotFound, Refused, Unavailable, Unreadable
from core.ids import digest
from core.logs import logger
from core.settings import settings
from intake import calls, reception, sources
from intake.arrival import delivery
from intake.calls.connect import CONNECTION
from intake.delivery import Delivery
from intake.door import door, journal
from intake.journal import Entry
from models.source import Channel

log = logger(__name__)


@door.route("/calls/<provider>/<key>", methods=["GET", "POST"])
@door.route("/calls/<provider>/<key>/<path:rest>", methods=["GET", "POST"])
def call_event(provider: str, key: str, rest: str = "") -> Response:
    """What a telephony provider tells: verified, journalled, answered as the provider expects it."""
    until = clock.monotonic() + reception.BUDGET
    adapter = calls.BY_NAME.get(provider)
    book = sources.soon(reception.LOOKING / 2)
    source = book.sources.get((Channel.CALL, key))
    if adapter is None or source is None or source.settings.get("provider") != provider:
        raise NotFound("there is no such line")
    if rest and not adapter.has_methods:
        raise NotFound("there is nothing at this address")
    line = source.read(adapter.settings)
    here = settings()
    large = adapter.carries_file(request.path, line)
    sent = delivery(request.environ, here.max_upload_bytes if large else here.max_form_bytes)
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
    key = _key(adapter, sent, line)
    question = adapter.asks(sent, line)
    if question is None:
        journal([_entry(source.id, adapter, key, sent)], "call")
        return _response(adapter.answer(sent, line))
    desk: reception.Desk = current_app.extensions["reception"]
    looked = until - (reception.BUDGET - reception.LOOKING)
    found = desk.connection(source, line, book.workspace, question, key, until=looked)
    sent = replace(sent, facts={**sent.facts, CONNECTION: found.as_data()})
    try:
        patience = max(0.0, until - clock.monotonic())
        journal([_entry(source.id, adapter, key, sent)], "call", patience=patience, keep=True)
    except Unavailable as error:
        log.warning("call.unjournalled", line=source.key, error=str(error))
    return _response(adapter.connecting(sent, line, found))


def _key(adapter: calls.CallAdapter[Any], sent: Delivery, line: calls.LineSettings) -> str:
    """What the event is known by; where it cannot be read, which keeps it to be seen, its content."""
    try:
        return adapter.dedupe_key(sent, line)
    except Unreadable:
        return digest(sent.body)


def _entry(source_id: int, adapter: calls.CallAdapter[Any], key: str, sent: Delivery) -> Entry:
    """Goes before what nobody waits for: somebody is on the telephone just now."""
    return Entry(source_id, adapter.name, key, adapter.kept(sent), urgent=True)


def _response(reply: calls.Reply) -> Response:
    answer = Response(reply.content, reply.status, content_type=reply.content_type)
    answer.headers.update(reply.headers)
    return answer
