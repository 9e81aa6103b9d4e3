"""A caller put through in TwiML, which Twilio has defined and others speak too.

Verbs: Twilio docs, 'TwiML Voice: Dial' and 'TwiML Voice: Number'; Telnyx docs, 'TeXML: Dial'; SignalWire
docs, 'cXML: Dial'. The first telephone is rung by one Dial; where nobody picks up, the provider tells so at
the Dial's `action` and asks what to do next. There the fallback's number is rung, once.
"""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlsplit
from xml.sax.saxutils import escape, quoteattr

from core.errors import Unreadable
from crm.submission import CallUpdate
from intake.calls import reading, twiml
from intake.calls.adapter import Reply, side
from intake.calls.connect import AskingLine, Connection, Question
from intake.delivery import Delivery

#: What marks the address where the provider tells how the first Dial ended.
_NEXT = "then=fallback"
_EVENTS = "initiated ringing answered completed"
# Of a status callback, which only tells; a question has none of them.
_TOLD = ("CallbackSource", "ParentCallSid", "SequenceNumber", "DialCallStatus", "RecordingSid", "QueueResult")
_NOBODY = ("no-answer", "busy", "failed")


def asks(delivery: Delivery, settings: AskingLine) -> Question | None:
    """Whether this is the call as it comes in, or the end of a Dial that nobody answered."""
    if settings.connect is None:
        return None
    try:
        said = reading.told(delivery)
    except Unreadable:
        return None
    call_id, caller = said.get("CallSid", ""), reading.number(said.get("From"))
    if _NEXT in urlsplit(delivery.url).query.split("&"):
        missed = said.get("DialCallStatus") in _NOBODY or said.get("DialBridged") == "false"
        return Question(call_id, caller, missed=True) if missed else None
    if said.get("CallStatus") != "ringing" or any(said.get(name) for name in _TOLD):
        return None
    if side(said.get("Direction", "inbound")) != "inbound" or twiml.is_softphone(said):
        return None
    return Question(call_id, caller)


def connecting(delivery: Delivery, settings: AskingLine, connection: Connection) -> Reply:
    """One Dial. What becomes of it, and of the telephone that it rings, is told at the line's own address."""
    address = delivery.url.partition("?")[0]
    seconds = settings.connect.ring_seconds if settings.connect is not None else 20
    action = f"{address}?{_NEXT}" if connection.user_id is not None else address
    told = f"statusCallback={quoteattr(address)} statusCallbackEvent={quoteattr(_EVENTS)}"
    content = (
        '<?xml version="1.0" encoding="UTF-8"?><Response>'
        f'<Dial answerOnBridge="true" timeout="{seconds}" action={quoteattr(action)} method="POST">'
        f'<Number {told} statusCallbackMethod="POST">{escape(connection.number)}</Number></Dial></Response>'
    )
    return Reply(content.encode(), "text/xml")


def goes_on(update: CallUpdate, delivery: Delivery) -> CallUpdate:
    """The update, of which no end follows where another telephone was rung in answer to it."""
    connection = Connection.of(delivery.facts)
    if connection is None or update.result is None:
        return update
    return replace(update, event=f"next:{update.event}", result=None, final=False, decisive=False)
