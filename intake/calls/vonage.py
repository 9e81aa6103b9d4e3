"""Vonage: event webhooks of its Voice API. A call is a conversation; each of its legs has a uuid of its own.

Fields: developer.vonage.com, 'Voice API webhook reference'. Numbers come without a plus sign. Signature: a
JWT (HS256) whose `payload_hash` is the body's digest; 'Signed webhooks' and the official vonage-jwt, which
checks neither that digest nor the age. An inbound call behind an NCCO ends as `completed` even if nobody
picked up: the legs that were connected tell.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal

from pydantic import Field, SecretStr

from core.errors import Ignored
from crm.submission import CallUpdate
from intake import signatures
from intake.calls import reading
from intake.calls.adapter import CallAdapter, Reply, side
from intake.calls.line import LineSettings
from intake.delivery import Delivery
from intake.errand import Lookup
from intake.text import clean
from models.call import CallResult

_STATUSES = {
    "started": None,
    "ringing": None,
    "answered": None,
    "completed": CallResult.ANSWERED,
    "busy": CallResult.BUSY,
    "cancelled": CallResult.MISSED,
    "unanswered": CallResult.MISSED,
    "timeout": CallResult.MISSED,
    "rejected": CallResult.MISSED,
    "failed": CallResult.FAILED,
}


class VonageLine(LineSettings):
    """A Vonage line."""

    provider: Literal["vonage"]
    signature_secret: SecretStr = Field(min_length=1, description="The account's signature secret")
    application_id: str | None = Field(
        None, max_length=100, description="The application, to fetch recordings"
    )
    private_key: SecretStr | None = Field(
        None, min_length=1, description="The application's private key, to fetch recordings"
    )


class Vonage(CallAdapter[VonageLine]):
    """One event is one JSON object."""

    name = "vonage"
    settings = VonageLine
    content_types: ClassVar[tuple[str, ...]] = (reading.JSON,)
    recording_hosts = (".nexmo.com", ".vonage.com")

    def verify(self, delivery: Delivery, settings: VonageLine) -> None:
        """Raises Refused unless Vonage signed this body, and lately."""
        token = delivery.headers.get("authorization", "").removeprefix("Bearer ")
        claims = signatures.jwt_claims(token, settings.signature_secret)
        signatures.same(str(claims.get("payload_hash", "")), signatures.sha256(delivery.body))
        signatures.fresh(reading.seconds_since_1970(claims.get("iat")), delivery.received_at)

    def parse(self, delivery: Delivery, settings: VonageLine) -> CallUpdate:
        """What the event says. Raises Unreadable without an id, Ignored for what tells nothing."""
        said = reading.document(delivery.body)
        uuid = reading.text(said.get("uuid"))
        group = reading.call_id(said.get("conversation_uuid") or uuid)
        at = reading.moment(said.get("timestamp"))
        status = str(said.get("status", ""))
        if said.get("recording_url") and status in ("", "record"):
            return CallUpdate(
                call_id=group,
                event=f"recording:{reading.text(said.get('recording_uuid')) or ''}",
                occurred_at=at,
                recording_url=self.recording_url(said["recording_url"], settings),
                message=True,
            )
        if status not in _STATUSES:
            raise Ignored(f"a status that is not known: '{clean(status)[:40]}'")
        caller, ended = said.get("from"), _STATUSES[status]
        over = ended is not None
        talked = reading.seconds(said.get("duration")) if over else None
        picked = reading.moment(said.get("start_time")) if talked else None
        return CallUpdate(
            call_id=group,
            known_as=uuid,
            leg=uuid,
            event=f"status:{status}",
            occurred_at=at,
            direction=side(said.get("direction")),
            from_number=reading.international(caller),
            to_number=reading.international(said.get("to")),
            result=CallResult.ANSWERED if status == "answered" else ended,
            final=over,
            started_at=at if status in ("started", "ringing") else None,
            answered_at=at if status == "answered" else picked,
            ended_at=(reading.moment(said.get("end_time")) or at) if over else None,
            talk_seconds=talked,
            answered_by=reading.text(said.get("to")) if status in ("answered", "completed") else None,
            withheld="from" in said and reading.is_withheld(reading.text(caller)),
        )

    def answer(self, delivery: Delivery, settings: VonageLine) -> Reply:
        """An NCCO that does nothing."""
        return Reply(b"[]", reading.JSON)

    def recording(self, said: str, settings: VonageLine, at: datetime) -> Lookup | None:
        """As the application, which signs in with a JWT of its own."""
        if (
            not self.may_fetch(said, settings)
            or settings.application_id is None
            or settings.private_key is None
        ):
            return None
        return Lookup(said, signatures.application_jwt(settings.application_id, settings.private_key, at))
