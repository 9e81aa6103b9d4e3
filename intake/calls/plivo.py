"""Plivo: ringing and hangup callbacks, Dial and Record actions, recording callbacks.

Fields: plivo.com/docs, 'Voice callbacks' and 'Plivo XML'. Numbers mostly come without a plus sign; times are
UTC without a zone; `Duration` is what was talked, `BillDuration` is rounded up. A call answered by Plivo XML
ends as `completed` even if nobody picked up: only the Dial action's DialStatus tells. Signature V3: the
official SDK's utils/signature_v3.
"""

from __future__ import annotations

import base64
import hmac
from typing import ClassVar, Literal
from urllib.parse import parse_qs, urlsplit

from pydantic import Field, SecretStr

from core.errors import Ignored, Unreadable
from core.ids import digest
from crm.submission import CallUpdate
from intake import signatures
from intake.calls import reading
from intake.calls.adapter import CallAdapter, Reply, side
from intake.calls.line import LineSettings
from intake.delivery import Delivery
from intake.text import clean
from models.call import CallResult

_NOTHING = b'<?xml version="1.0" encoding="UTF-8"?><Response/>'
_STATUSES = {
    "queued": None,
    "ringing": None,
    "in-progress": None,
    "completed": CallResult.ANSWERED,
    "busy": CallResult.BUSY,
    "failed": CallResult.FAILED,
    "timeout": CallResult.MISSED,
    "no-answer": CallResult.MISSED,
    "cancel": CallResult.MISSED,
    "canceled": CallResult.MISSED,
}
_DIALLED = {**_STATUSES, "failed": CallResult.MISSED}


class PlivoLine(LineSettings):
    """A Plivo line."""

    provider: Literal["plivo"]
    auth_token: SecretStr = Field(min_length=1, description="The account's auth token")


class Plivo(CallAdapter[PlivoLine]):
    """One callback is one form, posted or in the address."""

    name = "plivo"
    settings = PlivoLine
    content_types: ClassVar[tuple[str, ...]] = (reading.FORM,)
    methods = ("POST", "GET")
    recording_hosts = (".plivo.com", "s3.amazonaws.com")

    def verify(self, delivery: Delivery, settings: PlivoLine) -> None:
        """Raises Refused unless one of Plivo's signatures fits these parameters and this very address."""
        headers = delivery.headers
        content = _signed_content(delivery) + "." + headers.get("x-plivo-signature-v3-nonce", "")
        key = settings.auth_token.get_secret_value().encode()
        expected = base64.b64encode(hmac.new(key, content.encode(), "sha256").digest())
        # A token that is being replaced signs beside the new one; the main account's signature stands apart.
        names = ("x-plivo-signature-v3", "x-plivo-signature-ma-v3")
        given = [part.strip() for name in names for part in headers.get(name, "").split(",")][:10]
        fits = [hmac.compare_digest(expected, each.encode("latin-1", "replace")) for each in given]
        if not any(fits):
            raise signatures.bad()

    def dedupe_key(self, delivery: Delivery, settings: PlivoLine) -> str:
        """All that is said: what is sent again, or replayed with its nonce, is the same."""
        return digest(delivery.body, urlsplit(delivery.url).query)

    def parse(self, delivery: Delivery, settings: PlivoLine) -> CallUpdate:
        """What the callback says. Raises Unreadable without a CallUUID, Ignored for what asks for nothing."""
        said = reading.told(delivery)
        own = reading.call_id(said.get("CallUUID") or said.get("DialALegUUID") or said.get("call_uuid"))
        first = said.get("ALegUUID") or own
        leg = own if first != own else None
        recording = self.recording_url(said.get("RecordUrl") or said.get("RecordingURL"), settings)
        status, dialled = said.get("CallStatus", ""), _DIALLED.get(said.get("DialStatus", ""))
        if "DialStatus" not in said and status not in _STATUSES:
            if recording is None:
                raise Ignored(f"a call status that is not known: '{clean(status)[:40]}'")
            return CallUpdate(
                call_id=first, event=f"recording:{said.get('RecordingID', '')[:60]}", recording_url=recording
            )
        ended = _STATUSES.get(status)
        message = "RecordingEndReason" in said and dialled is None
        over = ended is not None and not message
        caller = reading.text(said.get("From"))
        talked = reading.seconds(said.get("DialBLegDuration" if dialled else "Duration"))
        return CallUpdate(
            call_id=reading.call_id(first),
            leg=leg,
            event=f"dial:{said['DialStatus']}"
            if dialled
            else f"{'record' if message else 'status'}:{status}",
            direction=None if leg else side(said.get("Direction")),
            from_number=None if leg else reading.international(caller),
            to_number=reading.international(said.get("To")),
            result=CallResult.VOICEMAIL if message else dialled or ended,
            final=over or dialled is not None,
            decisive=dialled is not None,
            started_at=reading.moment(said.get("StartTime") or said.get("SessionStart")),
            answered_at=reading.moment(said.get("AnswerTime")) if not dialled else None,
            ended_at=reading.moment(said.get("EndTime")) if over else None,
            talk_seconds=talked if over or dialled else None,
            recording_url=recording,
            answered_by=reading.text(said.get("DialBLegTo")) if dialled is CallResult.ANSWERED else None,
            caller_name=reading.text(said.get("CallerName")),
            withheld=not leg and reading.is_withheld(caller),
        )

    def answer(self, delivery: Delivery, settings: PlivoLine) -> Reply:
        """Plivo XML that does nothing."""
        return Reply(_NOTHING, "text/xml")


def _signed_content(delivery: Delivery) -> str:
    """The address, its query sorted, and what was posted glued behind it, sorted too."""
    parts = urlsplit(delivery.url)
    base = f"{parts.scheme}://{parts.netloc}{parts.path}"
    query = parse_qs(parts.query, keep_blank_values=True)
    listed = "&".join(f"{name}={value}" for name in sorted(query) for value in sorted(query[name]))
    if delivery.method == "GET":
        return f"{base}?{listed}" if listed else base
    try:
        posted: dict[str, list[str]] = {}
        for name, value in reading.pairs(delivery.body):
            posted.setdefault(name, []).append(value)
    except Unreadable as error:
        raise reading.malformed(error) from None
    glued = "".join(name + value for name in sorted(posted) for value in sorted(posted[name]))
    if listed:
        return f"{base}?{listed}.{glued}" if glued else f"{base}?{listed}"
    return f"{base}?{glued}" if glued else base
