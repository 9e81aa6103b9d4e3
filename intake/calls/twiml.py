"""The callbacks of TwiML's voice, which Twilio has defined and others speak too: what they say of a call.

Fields: Twilio docs, 'TwiML Voice: Dial', 'TwiML Voice: Record', 'Recording status callbacks',
'Transcriptions', 'Call resource'. A call answered by TwiML ends as `completed` even if nobody picked up:
only the Dial action's DialCallStatus and DialBridged, or the end of the leg that was dialled, tell. Who
waits in a queue and gives up is told by the Enqueue action's QueueResult.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from core.errors import Ignored, Unreadable
from crm.submission import CallUpdate
from intake.calls import reading
from intake.calls.adapter import side
from intake.text import clean
from models.call import CallResult

#: TwiML that does nothing.
NOTHING = b'<?xml version="1.0" encoding="UTF-8"?><Response/>'
# The end of a call, by what the provider says; None while it goes on.
_STATUSES = {
    "queued": None,
    "initiated": None,
    "ringing": None,
    "in-progress": None,
    "answered": None,
    "completed": CallResult.ANSWERED,
    "busy": CallResult.BUSY,
    "failed": CallResult.FAILED,
    "no-answer": CallResult.MISSED,
    "canceled": CallResult.MISSED,
}
_DIALLED = {
    "completed": CallResult.ANSWERED,
    "answered": CallResult.ANSWERED,
    "busy": CallResult.BUSY,
    "no-answer": CallResult.MISSED,
    "failed": CallResult.MISSED,
    "canceled": CallResult.MISSED,
}
# What became of who waited in a queue.
_QUEUED = {
    "bridged": CallResult.ANSWERED,
    "redirected-from-bridged": CallResult.ANSWERED,
    "hangup": CallResult.ABANDONED,
    "leave": CallResult.ABANDONED,
    "queue-full": CallResult.MISSED,
    "error": CallResult.MISSED,
    "system-error": CallResult.MISSED,
}
_SOFTPHONE = "client:"
# Why a call that we placed was not put through: what became of the agent's telephone.
_AGENT = {
    "busy": "the agent's telephone was busy",
    "no-answer": "the agent did not answer",
    "failed": "the agent's telephone could not be reached",
    "canceled": "it was cancelled before the agent answered",
}

Said = Mapping[str, str]


def update(said: Said, recording: Callable[[object], str | None], *, order: str | None = None) -> CallUpdate:
    """A status callback, an action of Dial, Enqueue or Record, or a recording's, as one event of its call.

    `recording` lets an address of a recording pass, or not; `order` is the token of a call that we placed.
    Raises Unreadable without a CallSid, Ignored for a status that asks for nothing. Other values that make
    no sense are left out.
    """
    found = _update(said, recording)
    return found if order is None else _of_order(found, said, order)


def _of_order(found: CallUpdate, said: Said, order: str) -> CallUpdate:
    """An event of a call that we placed: the call itself goes to the agent, what it dials is the client."""
    if found.leg is not None:
        return replace(found, order=order, answered_by=None)
    status = said.get("CallStatus", "")
    result = found.result
    if found.decisive:
        result = CallResult.FAILED if said.get("DialCallStatus") == "failed" else result
    elif found.final:
        # That the agent's telephone has answered is not that the client's has.
        result = CallResult.FAILED if status in _AGENT else CallResult.MISSED
    return replace(
        found,
        order=order,
        direction=None,
        from_number=None,
        to_number=None,
        result=result,
        started_at=None,
        answered_at=None,
        answered_by=None,
        talk_seconds=found.talk_seconds if found.decisive else None,
        reason=_AGENT.get(status) if found.final and not found.decisive else None,
        withheld=False,
    )


def _update(said: Said, recording: Callable[[object], str | None]) -> CallUpdate:
    call_id = said.get("CallSid", "")
    if not call_id:
        raise Unreadable("there is no CallSid in it")
    call_id = reading.call_id(call_id)
    url = recording(said.get("RecordingUrl"))
    # Ends of calls and Dial actions name a recording too; only its own callback has a RecordingStatus.
    if said.get("RecordingSid") and ("RecordingStatus" in said or "CallStatus" not in said):
        return _recording(call_id, said, url)
    return _progress(call_id, said, url)


def key(said: Said) -> tuple[str, ...]:
    """What tells the events of one call apart."""
    names = ("CallStatus", "DialCallStatus", "RecordingSid", "RecordingStatus", "SequenceNumber")
    return tuple(said.get(name, "") for name in names)


def is_softphone(said: Said) -> bool:
    """Whether one of our own softphones calls, to be connected with a client."""
    return (reading.text(said.get("From")) or "").lower().startswith(_SOFTPHONE)


def _progress(call_id: str, said: Said, url: str | None) -> CallUpdate:
    status = said.get("CallStatus", "")
    if status not in _STATUSES:
        raise Ignored(f"a call status that is not known: '{clean(status)[:40]}'")
    at = reading.moment(said.get("Timestamp"))
    ended = _STATUSES[status]
    over = ended is not None
    dialled, queued = _dialled(said), _QUEUED.get(said.get("QueueResult", ""))
    message = _is_message(said)
    parent = said.get("ParentCallSid", "")
    common: dict[str, Any] = {
        "call_id": reading.call_id(parent) if parent else call_id,
        "occurred_at": at,
        "sequence": reading.seconds(said.get("SequenceNumber")),
        "started_at": at if status in ("queued", "initiated", "ringing") else None,
        "ended_at": at if over else None,
        "recording_url": url,
        "transcript": reading.text(said.get("TranscriptionText"), 20_000),
    }
    if parent:
        # The leg to whom we dialled; whose call it is, its parent says.
        return CallUpdate(
            **common,
            leg=call_id,
            event=f"leg:{status}",
            to_number=reading.number(said.get("To")),
            result=CallResult.MISSED if ended is CallResult.FAILED else ended,
            final=over,
            answered_at=at if status in ("in-progress", "answered") else None,
            answered_by=reading.text(said.get("To")),
            talk_seconds=reading.seconds(said.get("CallDuration")) if over else None,
        )
    verdict = dialled or queued
    event = f"{'record' if message else 'status'}:{status}"
    if verdict is not None:
        event = f"dial:{said['DialCallStatus']}" if dialled else f"queue:{said['QueueResult']}"
    caller = reading.text(said.get("From")) or ""
    withheld = reading.is_withheld(caller)
    softphone = is_softphone(said)
    talked = reading.seconds(said.get("DialCallDuration" if dialled else "CallDuration"))
    return CallUpdate(
        **common,
        event=event,
        # A softphone of ours calls in to be connected with a client.
        direction="outbound" if softphone else side(said.get("Direction", "inbound")) or "outbound",
        from_number=None if withheld else caller,
        to_number=reading.text(said.get("To")),
        result=CallResult.VOICEMAIL if message else verdict or ended,
        final=over or verdict is not None,
        decisive=verdict is not None and not message,
        # That the provider has answered is not that a person has; of that, a Dial action has the last word.
        answered_at=at if status in ("in-progress", "answered") and verdict is None else None,
        answered_by=reading.text(said.get("DialCallTo")) if dialled is CallResult.ANSWERED else None,
        talk_seconds=None if queued else talked if over or dialled is not None else None,
        caller_name=reading.text(said.get("CallerName")),
        withheld=withheld,
    )


def _recording(call_id: str, said: Said, url: str | None) -> CallUpdate:
    """Has no numbers and no status. What the Record verb has recorded is a message to us."""
    status = said.get("RecordingStatus", "completed")
    if status != "completed":
        raise Ignored(f"a recording that is {clean(status)[:40]}")
    return CallUpdate(
        call_id=call_id,
        event=f"recording:{clean(said['RecordingSid'])[:60]}",
        occurred_at=reading.moment(said.get("Timestamp")),
        result=CallResult.VOICEMAIL if said.get("RecordingSource") == "RecordVerb" else None,
        recording_url=url,
    )


def _dialled(said: Said) -> CallResult | None:
    """How a Dial ended. Whoever picks up may decline when screened, and then was never put through."""
    status = said.get("DialCallStatus", "")
    if status == "completed" and said.get("DialBridged") == "false":
        return CallResult.MISSED
    return _DIALLED.get(status)


def _is_message(said: Said) -> bool:
    """Whether the Record verb tells of its recording; the end of a recorded call tells its length too."""
    told = {name for name in ("DialCallStatus", "CallDuration", "CallbackSource") if said.get(name)}
    return bool(said.get("RecordingUrl")) and not told
