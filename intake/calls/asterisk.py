"""Asterisk: what its dialplan, a hangup handler or an ARI bridge posts as JSON.

Fields: those of Asterisk's call detail records ('CDR variables') for the end of a call; `event` is `ring`,
`answer` or `cdr`, and `linkedid` groups the channels of one call. Asterisk signs nothing itself: the poster
sends the line's secret as a bearer token, or signs the time and the body with it. Times are local unless the
line says otherwise.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr

from core.errors import Ignored
from core.ids import digest
from crm.submission import CallUpdate
from intake import signatures
from intake.calls import reading
from intake.calls.adapter import CallAdapter, side
from intake.calls.line import LineSettings, TimeZone
from intake.delivery import Delivery
from intake.text import clean
from models.call import CallResult

_ENDS = {
    "ANSWERED": CallResult.ANSWERED,
    "ANSWER": CallResult.ANSWERED,
    "NO ANSWER": CallResult.MISSED,
    "NOANSWER": CallResult.MISSED,
    "DONTCALL": CallResult.MISSED,
    "TORTURE": CallResult.MISSED,
    "BUSY": CallResult.BUSY,
    "CANCEL": CallResult.MISSED,
    "FAILED": CallResult.FAILED,
    "CONGESTION": CallResult.FAILED,
    "CHANUNAVAIL": CallResult.FAILED,
    "INVALIDARGS": CallResult.FAILED,
}
_UNDER_WAY = {"ring", "start", "answer"}
# The last application, where it was a machine and no person.
_MESSAGES = {"VoiceMail": CallResult.VOICEMAIL}
_MACHINES = {"Queue", "Playback", "Background", "BackGround", "WaitExten", "IVR", "MusicOnHold"}


class AsteriskLine(LineSettings):
    """An Asterisk line."""

    provider: Literal["asterisk"]
    secret: SecretStr = Field(min_length=1, description="Bearer token, or what the poster signs with")
    timezone: TimeZone = Field("UTC", description="Of times that name none, as `cdr.conf` has it")


class Asterisk(CallAdapter[AsteriskLine]):
    """One post is one JSON object."""

    name = "asterisk"
    settings = AsteriskLine
    content_types: ClassVar[tuple[str, ...]] = (reading.JSON,)

    def verify(self, delivery: Delivery, settings: AsteriskLine) -> None:
        """Raises Refused unless the request carries the line's secret, or is signed with it."""
        signatures.bearer_or_hmac(delivery.headers, delivery.body, settings.secret, delivery.received_at)

    def dedupe_key(self, delivery: Delivery, settings: AsteriskLine) -> str:
        """The post's content: sent again, it is the same."""
        return digest(delivery.body)

    def parse(self, delivery: Delivery, settings: AsteriskLine) -> CallUpdate:
        """What the post says. Raises Unreadable without an id, Ignored for other events."""
        said = reading.document(delivery.body)
        zone = ZoneInfo(settings.timezone)
        kind = str(said.get("event") or "cdr").lower()
        own = reading.call_id(said.get("uniqueid"))
        group = reading.call_id(said.get("linkedid") or own)
        ended = str(said.get("disposition") or said.get("dialstatus") or "").upper()
        if kind not in _UNDER_WAY and ended not in _ENDS:
            raise Ignored(f"an event that is not known: '{clean(kind)[:40]}'")
        caller, called = said.get("src"), said.get("did") or said.get("dst")
        over = kind not in _UNDER_WAY
        talked = reading.seconds(said.get("billsec"))
        at = reading.moment(said.get("at"), zone)
        return CallUpdate(
            call_id=group,
            # Channels beside the first are telephones that were rung.
            leg=own if own != group else None,
            event=kind,
            occurred_at=at,
            direction=_direction(said, caller, called) if own == group else None,
            from_number=reading.number(caller),
            to_number=reading.text(called),
            result=_result(said, _ENDS[ended]) if over else CallResult.ANSWERED if kind == "answer" else None,
            final=over,
            started_at=reading.moment(said.get("start"), zone) or (at if kind in ("ring", "start") else None),
            answered_at=reading.moment(said.get("answer"), zone) or (at if kind == "answer" else None),
            ended_at=(reading.moment(said.get("end"), zone) or at) if over else None,
            talk_seconds=talked if over else None,
            recording_url=self.recording_url(said.get("recording_url"), settings),
            answered_by=reading.text(said.get("agent")) or reading.text(said.get("dst_extension")),
            caller_name=reading.text(said.get("caller_name")),
            withheld=reading.is_withheld(reading.text(caller)),
        )


def _result(said: dict[str, Any], ended: CallResult) -> CallResult:
    application = str(said.get("lastapp") or "")
    if application in _MESSAGES:
        return _MESSAGES[application]
    # A queue or a menu answers by itself; whether somebody was put through, the other channel tells.
    alone = "dstchannel" in said and not said["dstchannel"] and not said.get("agent")
    if ended is CallResult.ANSWERED and application in _MACHINES and alone:
        return CallResult.ABANDONED
    return ended


def _direction(said: dict[str, Any], caller: object, called: object) -> str:
    """As the poster says; else by the context; else by who has the short number."""
    told = side(said.get("direction"))
    if told is not None:
        return told
    if any(word in str(said.get("dcontext") or "") for word in ("trunk", "pstn", "inbound", "incoming")):
        return "inbound"
    ours, theirs = (str(value or "").lstrip("+") for value in (caller, called))
    return "outbound" if ours.isdigit() and len(ours) <= 6 < len(theirs) else "inbound"
