"""RingCentral: notifications of telephony sessions.

Fields: developers.ringcentral.com, 'Telephony session events' and 'Creating webhooks'. The address is tried
with a `Validation-Token`; events carry the subscription's `Verification-Token`, and nothing is signed. All
parties of a call share `telephonySessionId`; a later `sequence` may come first. The end says only whether it
was missed; of several telephones that ring, each is a party, and the call is over with the last of them.
Recordings: 'Call recordings' and 'JWT authentication flow'; they need a bearer token.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal
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
# Whoever is in one of these is in the call, though they tell nothing of it.
_HERE = (_KNOWN - {"disconnected"}) | {"hold", "parked"}
_MOST_PARTIES = 50
#: All calls of the account.
_SESSIONS = "/restapi/v1.0/account/~/telephony/sessions"
EventFilter = Annotated[str, Field(pattern=r"^/restapi/v1\.0/[A-Za-z0-9_~/.?=&-]{1,200}$")]


class RingCentralLine(LineSettings):
    """A RingCentral line."""

    provider: Literal["ringcentral"]
    verification_token: SecretStr = Field(min_length=1, description="The subscription's verification token")
    client_id: str | None = Field(
        None,
        pattern="^[A-Za-z0-9_-]{1,100}$",
        description="The application that fetches recordings and looks after the subscription",
    )
    client_secret: SecretStr | None = Field(None, min_length=1, description="The application's secret")
    jwt: SecretStr | None = Field(None, min_length=1, description="The JWT credential it signs in with")
    event_filters: list[EventFilter] = Field(
        [_SESSIONS],
        min_length=1,
        max_length=20,
        description="What it subscribes to; default: the sessions of the whole account",
    )


class RingCentral(CallAdapter[RingCentralLine]):
    """One notification is one JSON object; it tells of one party, or of several."""

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
        told = reading.inner(body or {}, "parties")
        parties = [p for p in told[:_MOST_PARTIES] if isinstance(p, dict)] if isinstance(told, list) else []
        if not isinstance(body, dict) or not parties:
            raise Ignored("a notification without a party")
        known = [party for party in parties if _kind(party) in _KNOWN]
        if not known:
            status = str(reading.inner(parties[0], "status", "code") or "")
            raise Ignored(f"a status that is not known: '{clean(status)[:40]}'")
        goes_on = any(_kind(party) in _HERE for party in parties)
        first, *others = (_of_party(body, party, goes_on) for party in known)
        return replace(first, also=tuple(others))


def _kind(party: dict[str, Any]) -> str:
    return str(reading.inner(party, "status", "code") or "").lower()


def _of_party(body: dict[str, Any], party: dict[str, Any], goes_on: bool) -> CallUpdate:
    """What is said of one; `goes_on`: whether the notification names another who is still in the call."""
    kind, at = _kind(party), reading.moment(body.get("eventTime"))
    direction = side(party.get("direction"))
    caller = reading.inner(party, "from", "phoneNumber")
    answered, left = kind == "answered", kind == "disconnected"
    # Of a telephone that stopped ringing while others go on, nothing follows for the call.
    over = left and not goes_on
    return CallUpdate(
        call_id=reading.call_id(body.get("telephonySessionId")),
        event=f"party:{kind}:{reading.text(party.get('id')) or ''}",
        occurred_at=at,
        sequence=reading.seconds(body.get("sequence")),
        direction=direction,
        from_number=reading.number(caller),
        to_number=reading.number(reading.inner(party, "to", "phoneNumber")),
        result=None if left and not over else _result(kind, direction, party.get("missedCall") is True),
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
