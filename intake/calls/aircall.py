"""Aircall: its call events.

Fields: developer.aircall.io, 'Webhooks' and 'Call events'. Aircall signs nothing: each body carries the
webhook's token. `hungup` comes at once, `ended` about half a minute later with everything. Numbers come as
they are shown to people, with spaces; `duration` counts the ringing, so the moments tell how long was
talked.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field, SecretStr

from core.errors import Ignored, Unreadable
from core.ids import digest
from crm.submission import CallUpdate
from intake import signatures
from intake.calls import reading
from intake.calls.adapter import CallAdapter, side
from intake.calls.line import LineSettings
from intake.delivery import Delivery
from intake.text import clean
from models.call import CallResult

# Events that tell of the call itself; others tell of tags, comments and the like.
_KNOWN = frozenset(
    "call." + name
    for name in (
        *("created", "ringing_on_agent", "agent_declined", "answered", "transferred", "external_transferred"),
        *("unsuccessful_transfer", "hungup", "ended", "voicemail_left", "comm_assets_generated"),
    )
)
# Who hangs up while a telephone rings ("short_abandoned", "abandoned_in_classic") is missed, as everywhere.
_GAVE_UP = frozenset({"abandoned_in_ivr"})


class AircallLine(LineSettings):
    """An Aircall line."""

    provider: Literal["aircall"]
    token: SecretStr = Field(min_length=1, description="The webhook's token")
    api_id: str | None = Field(None, pattern="^[A-Za-z0-9]{1,100}$", description="A key of the API: its id")
    api_token: SecretStr | None = Field(None, min_length=1, description="A key of the API: its token")


class Aircall(CallAdapter[AircallLine]):
    """One event is one JSON object with the whole call, as it stands."""

    name = "aircall"
    settings = AircallLine
    content_types: ClassVar[tuple[str, ...]] = (reading.JSON,)
    recording_hosts = (".aircall.io",)

    def verify(self, delivery: Delivery, settings: AircallLine) -> None:
        """Raises Refused unless the body carries the webhook's token."""
        try:
            said = reading.document(delivery.body)
        except Unreadable as error:
            raise reading.malformed(error) from None
        signatures.same(str(said.get("token") or ""), settings.token.get_secret_value())

    def dedupe_key(self, delivery: Delivery, settings: AircallLine) -> str:
        """The event and what it says; its time tells two of one kind apart."""
        said = reading.document(delivery.body)
        return digest(str(said.get("event")), str(said.get("timestamp")), repr(said.get("data")))

    def kept(self, delivery: Delivery) -> Delivery:
        """Without the token."""
        return delivery.without(reading.inner(reading.document(delivery.body), "token"))

    def parse(self, delivery: Delivery, settings: AircallLine) -> CallUpdate:
        """What the event says. Raises Unreadable without an id, Ignored for what tells nothing."""
        said = reading.document(delivery.body)
        kind = str(said.get("event") or "")
        if said.get("resource") != "call" or kind not in _KNOWN:
            raise Ignored(f"an event that is not known: '{clean(kind)[:40]}'")
        data = said.get("data")
        if not isinstance(data, dict):
            raise Unreadable("there is no 'data' in it")
        return self.of_call(data, settings, event=kind, at=said.get("timestamp"))

    def of_call(self, data: dict[str, Any], settings: AircallLine, *, event: str, at: object) -> CallUpdate:
        """What a call says, as it stands in an event or in a list of calls."""
        direction = side(data.get("direction"))
        ours, theirs = reading.inner(data, "number", "digits"), data.get("raw_digits")
        inbound = direction != "outbound"
        over = event in ("call.hungup", "call.ended") or data.get("status") == "done"
        answered = reading.moment(data.get("answered_at"))
        ended = reading.moment(data.get("ended_at"))
        message = self.recording_url(data.get("voicemail"), settings)
        user = data.get("user")
        return CallUpdate(
            call_id=reading.call_id(data.get("id")),
            event=event,
            occurred_at=reading.moment(at),
            direction=direction,
            from_number=reading.number(theirs if inbound else ours),
            to_number=reading.number(ours if inbound else theirs),
            result=_result(data, answered is not None, message is not None, over),
            final=over,
            started_at=reading.moment(data.get("started_at")),
            answered_at=answered,
            ended_at=ended if over else None,
            talk_seconds=int((ended - answered).total_seconds())
            if over and answered and ended and ended >= answered
            else None,
            recording_url=message or self.recording_url(data.get("recording"), settings),
            answered_by=(reading.text(user.get("email")) or reading.text(user.get("name")))
            if isinstance(user, dict) and answered
            else None,
            withheld=inbound and "raw_digits" in data and reading.is_withheld(reading.text(theirs)),
        )


def _result(data: dict[str, Any], answered: bool, message: bool, over: bool) -> CallResult | None:
    if message:
        return CallResult.VOICEMAIL
    if answered:
        return CallResult.ANSWERED
    if not over:
        return None
    return CallResult.ABANDONED if data.get("missed_call_reason") in _GAVE_UP else CallResult.MISSED
