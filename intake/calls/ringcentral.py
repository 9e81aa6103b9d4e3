"""RingCentral: notifications of telephony sessions.

Fields: developers.ringcentral.com, 'Telephony session events' and 'Creating webhooks'. The address is tried
with a `Validation-Token`; events carry the subscription's `Verification-Token`, and nothing is signed. All
parties of a call share `telephonySessionId`; a later `sequence` may come first. The end says only whether it
was missed. Recordings: 'Call recordings' and 'JWT authentication flow'; they need a bearer token.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, Literal
from urllib.parse import quote

from pydantic import Field, SecretStr

from core.errors import Ignored
from core.ids import digest
from crm.submission import CallUpdate
from intake import signatures
from intake.calls import reading
from intake.calls.adapter import CallAdapter, Reply, side
from intake.calls.line import LineSettings
from intake.delivery import Delivery
from intake.errand import Lookup
from intake.text import clean
from models.call import CallResult

_SIGN_IN = "https://platform.ringcentral.com/restapi/oauth/token"
_MEDIA = "https://media.ringcentral.com"
_BY_JWT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_KNOWN = {"setup", "proceeding", "answered", "disconnected", "voicemail"}


class RingCentralLine(LineSettings):
    """A RingCentral line."""

    provider: Literal["ringcentral"]
    verification_token: SecretStr = Field(min_length=1, description="The subscription's verification token")
    client_id: str | None = Field(
        None, pattern="^[A-Za-z0-9_-]{1,100}$", description="The application that fetches recordings"
    )
    client_secret: SecretStr | None = Field(None, min_length=1, description="The application's secret")
    jwt: SecretStr | None = Field(None, min_length=1, description="The JWT credential it signs in with")


class RingCentral(CallAdapter[RingCentralLine]):
    """One notification is one JSON object; of its parties, the one that has changed."""

    name = "ringcentral"
    settings = RingCentralLine
    content_types: ClassVar[tuple[str, ...]] = (reading.JSON,)
    recording_hosts = (".ringcentral.com",)

    def handshake(self, delivery: Delivery, settings: RingCentralLine) -> Reply | None:
        """The token as it came, in a header."""
        token = delivery.headers.get("validation-token")
        if token is None:
            return None
        given = delivery.headers.get("verification-token")
        if given is not None:
            signatures.same(given, settings.verification_token.get_secret_value())
        safe = "".join(c for c in token if c.isascii() and c.isprintable())
        return Reply(headers={"Validation-Token": safe[:500]})

    def recording(self, said: str, settings: RingCentralLine, at: datetime) -> Lookup | None:
        """Its content, by its id."""
        if self.sign_in(settings) is None:
            return None
        return Lookup(f"{_MEDIA}/restapi/v1.0/account/~/recording/{quote(said, safe='')}/content")

    def sign_in(self, settings: RingCentralLine) -> Lookup | None:
        """An access token for the JWT credential (RFC 7523)."""
        if settings.client_id is None or settings.client_secret is None or settings.jwt is None:
            return None
        asked = {"grant_type": _BY_JWT, "assertion": settings.jwt.get_secret_value()}
        return Lookup(_SIGN_IN, signatures.basic(settings.client_id, settings.client_secret), asked)

    def verify(self, delivery: Delivery, settings: RingCentralLine) -> None:
        """Raises Refused unless the notification carries the subscription's token."""
        given = delivery.headers.get("verification-token", "")
        signatures.same(given, settings.verification_token.get_secret_value())

    def dedupe_key(self, delivery: Delivery, settings: RingCentralLine) -> str:
        """The notification's own id, where it has one."""
        uuid = reading.inner(reading.document(delivery.body), "uuid")
        return digest("uuid", str(uuid)) if uuid else digest(delivery.body)

    def parse(self, delivery: Delivery, settings: RingCentralLine) -> CallUpdate:
        """What the notification says. Raises Unreadable without an id, Ignored for other statuses."""
        body = reading.inner(reading.document(delivery.body), "body")
        parties = reading.inner(body or {}, "parties")
        party: Any = parties[0] if isinstance(parties, list) and parties else None
        if not isinstance(body, dict) or not isinstance(party, dict):
            raise Ignored("a notification without a party")
        status = str(reading.inner(party, "status", "code") or "")
        kind = status.lower()
        if kind not in _KNOWN:
            raise Ignored(f"a status that is not known: '{clean(status)[:40]}'")
        at = reading.moment(body.get("eventTime"))
        direction = side(party.get("direction"))
        caller = reading.inner(party, "from", "phoneNumber")
        answered, over = kind == "answered", kind == "disconnected"
        return CallUpdate(
            call_id=reading.call_id(body.get("telephonySessionId")),
            event=f"party:{kind}:{reading.text(party.get('id')) or ''}",
            occurred_at=at,
            sequence=reading.seconds(body.get("sequence")),
            direction=direction,
            from_number=reading.number(caller),
            to_number=reading.number(reading.inner(party, "to", "phoneNumber")),
            result=_result(kind, direction, party.get("missedCall") is True),
            final=over,
            started_at=reading.moment(body.get("creationTime")),
            answered_at=at if answered else None,
            ended_at=at if over else None,
            recording_id=_recording(party),
            answered_by=reading.text(reading.inner(party, "to", "name"))
            if answered and direction == "inbound"
            else None,
            caller_name=reading.text(reading.inner(party, "from", "name")),
            withheld=direction == "inbound" and reading.is_withheld(reading.text(caller)),
        )


def _result(kind: str, direction: str | None, missed: bool) -> CallResult | None:
    if kind == "voicemail":
        return CallResult.VOICEMAIL
    if kind == "answered":
        return CallResult.ANSWERED
    if kind != "disconnected":
        return None
    # Whether a call of ours was answered, only `Answered` tells.
    return CallResult.ANSWERED if direction == "inbound" and not missed else CallResult.MISSED


def _recording(party: dict[str, Any]) -> str | None:
    found = party.get("recordings")
    first = found[0] if isinstance(found, list) and found else None
    return reading.text(first.get("id")) if isinstance(first, dict) else None
