"""Exotel: the Passthru applet's requests, and status callbacks of calls placed by its API.

Fields: support.exotel.com, 'Passthru applet', and developer.exotel.com, 'Voice API'. Nothing is signed: the
address carries a secret of the line's, `?key=`. Numbers are national with a leading 0; times are India's; the
`EndTime` of a Passthru is a constant and says nothing.
"""

from __future__ import annotations

from typing import ClassVar, Literal
from urllib.parse import parse_qsl, urlsplit
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr

from core.errors import Ignored
from core.ids import digest
from crm.submission import CallUpdate
from intake import signatures
from intake.calls import reading
from intake.calls.adapter import CallAdapter, side
from intake.calls.line import LineSettings
from intake.delivery import Delivery
from intake.text import clean
from models.call import CallResult

_INDIA = ZoneInfo("Asia/Kolkata")
_SECRETS = ("key", "token", "url_token")
# What a flow has come to, in a Passthru.
_CALL_TYPES = {
    "completed": CallResult.ANSWERED,
    "client-hangup": CallResult.MISSED,
    "incomplete": CallResult.MISSED,
    "call-attempt": CallResult.ABANDONED,
    "voicemail": CallResult.VOICEMAIL,
}
_STATUSES = {
    "queued": None,
    "in-progress": None,
    "completed": CallResult.ANSWERED,
    "busy": CallResult.BUSY,
    "failed": CallResult.FAILED,
    "no-answer": CallResult.MISSED,
    "canceled": CallResult.MISSED,
}


class ExotelLine(LineSettings):
    """An Exotel line."""

    provider: Literal["exotel"]
    url_token: SecretStr = Field(min_length=1, description="The secret in the address, as `?key=`")


class Exotel(CallAdapter[ExotelLine]):
    """A Passthru is a GET with everything in its address; a status callback is a form."""

    name = "exotel"
    settings = ExotelLine
    content_types: ClassVar[tuple[str, ...]] = (reading.FORM,)
    methods = ("POST", "GET")
    recording_hosts = (".exotel.com", ".exotel.in", "s3-ap-southeast-1.amazonaws.com")

    def verify(self, delivery: Delivery, settings: ExotelLine) -> None:
        """Raises Refused unless the address carries the line's secret."""
        signatures.same(_given(delivery), settings.url_token.get_secret_value())

    def kept(self, delivery: Delivery) -> Delivery:
        """Without the secret."""
        return delivery.without(_given(delivery))

    def dedupe_key(self, delivery: Delivery, settings: ExotelLine) -> str:
        """All that is said but the time of the saying."""
        said = {k: v for k, v in reading.told(delivery).items() if k not in ("CurrentTime", *_SECRETS)}
        return digest(repr(sorted(said.items())))

    def parse(self, delivery: Delivery, settings: ExotelLine) -> CallUpdate:
        """What the request says. Raises Unreadable without a CallSid, Ignored for what asks for nothing."""
        said = reading.told(delivery)
        call_id = reading.call_id(said.get("CallSid"))
        started = reading.moment(said.get("StartTime") or said.get("Created"), _INDIA)
        call_type, status = said.get("CallType", ""), said.get("Status", "")
        caller = said.get("CallFrom") or said.get("From")
        url = self.recording_url(said.get("RecordingUrl"), settings)
        if not call_type and status in _STATUSES:
            ended = reading.moment(said.get("EndTime"), _INDIA)
            result = _STATUSES[status]
            over, talked = result is not None, reading.seconds(said.get("Duration"))
        elif call_type in _CALL_TYPES:
            result, over, talked = _CALL_TYPES[call_type], True, reading.seconds(said.get("DialCallDuration"))
            ended = reading.moment(said.get("CurrentTime"), _INDIA)
        else:
            raise Ignored(f"a call type that is not known: '{clean(call_type or status)[:40]}'")
        return CallUpdate(
            call_id=call_id,
            event=f"passthru:{call_type}" if call_type else f"status:{status}",
            # A status callback without a direction is of a call that was placed by the API.
            direction=side(said.get("Direction")) or ("inbound" if call_type else "outbound"),
            from_number=reading.number(caller),
            to_number=reading.number(said.get("CallTo") or said.get("To")),
            result=result,
            final=over,
            started_at=started,
            ended_at=ended if over else None,
            talk_seconds=talked if over and result is CallResult.ANSWERED else None,
            recording_url=url,
            answered_by=reading.text(said.get("DialWhomNumber")) if result is CallResult.ANSWERED else None,
            withheld=caller is not None and reading.is_withheld(caller),
        )


def _given(delivery: Delivery) -> str:
    query = dict(parse_qsl(urlsplit(delivery.url).query))
    return next((query[name] for name in _SECRETS if query.get(name)), "")
