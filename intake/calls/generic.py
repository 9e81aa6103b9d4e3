"""Any JSON about calls, as the line's mapping reads it; signed as Standard Webhooks describe, or with a
plain HMAC.

Each of a call's facts is taken from a path (JSONPath, RFC 9535); a line without a mapping gets the names
below, at the top or under `data`. Signature: standardwebhooks.com, the specification and its own library.
"""

from __future__ import annotations

import json
from typing import Any, ClassVar, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, model_validator
from standardwebhooks import Webhook

from core.errors import Ignored, Unreadable
from core.ids import digest
from crm.submission import CallUpdate
from intake import json_path, signatures
from intake.calls import reading
from intake.calls.adapter import CallAdapter, Reply, side
from intake.calls.connect import AskingLine, Connection, Question
from intake.calls.dial_request import DialRequest
from intake.calls.line import TimeZone
from intake.delivery import Delivery
from intake.text import clean
from models.call import CallResult

Fact = Literal[
    "call_id",
    "event",
    "leg",
    "direction",
    "from",
    "to",
    "status",
    "started_at",
    "answered_at",
    "ended_at",
    "talk_seconds",
    "answered_by",
    "recording_url",
    "transcript",
    "caller_name",
    "order",
]
_NAMES: dict[str, tuple[str, ...]] = {
    "call_id": ("call_id", "callId", "id"),
    "event": ("type", "event"),
    "leg": ("leg", "leg_id"),
    "direction": ("direction",),
    "from": ("from", "from_number", "caller"),
    "to": ("to", "to_number", "called"),
    "status": ("status", "result", "disposition"),
    "started_at": ("started_at", "start_time"),
    "answered_at": ("answered_at", "answer_time"),
    "ended_at": ("ended_at", "end_time"),
    "talk_seconds": ("talk_seconds", "talk_s", "duration_s", "duration"),
    "answered_by": ("answered_by", "agent"),
    "recording_url": ("recording_url", "recording"),
    "transcript": ("transcript", "transcription"),
    "caller_name": ("caller_name", "name"),
    "order": ("order", "order_token"),
}
_UNDER_WAY = frozenset(
    {"queued", "initiated", "started", "ringing", "in-progress", "in progress", "in_progress", "talking"}
)
_ENDS = {
    "answered": CallResult.ANSWERED,
    "completed": CallResult.ANSWERED,
    "missed": CallResult.MISSED,
    "no-answer": CallResult.MISSED,
    "no answer": CallResult.MISSED,
    "no_answer": CallResult.MISSED,
    "unanswered": CallResult.MISSED,
    "busy": CallResult.BUSY,
    "failed": CallResult.FAILED,
    "voicemail": CallResult.VOICEMAIL,
    "abandoned": CallResult.ABANDONED,
    "canceled": CallResult.MISSED,
    "cancelled": CallResult.MISSED,
}


class GenericLine(AskingLine):
    """A line whose provider has no adapter of its own."""

    provider: Literal["generic"]
    secret: SecretStr = Field(min_length=1, description="What the sender signs with")
    scheme: Literal["hmac-sha256", "standard-webhooks"] = Field(
        "hmac-sha256", description="How it signs; a secret that begins with `whsec_` says the second"
    )
    header: str | None = Field(
        None, pattern=r"^[A-Za-z0-9-]{1,60}$", description="For hmac-sha256: the one header that counts"
    )
    mapping: dict[Fact, json_path.JsonPath] = Field(
        default_factory=dict, description="Where each fact lies, as a JSONPath"
    )
    statuses: dict[str, Literal["ringing", "in-progress"] | CallResult] = Field(
        default_factory=dict, max_length=100, description="What its own words for a status mean"
    )
    timezone: TimeZone = Field("UTC", description="Of times that name none")
    dial: DialRequest | None = Field(None, description="How the telephone system is told to place a call")

    @model_validator(mode="before")
    @classmethod
    def _scheme_of_the_secret(cls, values: Any) -> Any:
        if isinstance(values, dict) and "scheme" not in values:
            secret = values.get("secret")
            plain = secret.get_secret_value() if isinstance(secret, SecretStr) else secret
            if isinstance(plain, str) and plain.startswith("whsec_"):
                return values | {"scheme": "standard-webhooks"}
        return values

    @model_validator(mode="after")
    def _key_fits(self) -> Self:
        if self.scheme == "standard-webhooks":
            try:
                Webhook(self.secret.get_secret_value())
            except ValueError:
                raise ValueError("a secret of Standard Webhooks is 'whsec_' and base64") from None
        return self


class Generic(CallAdapter[GenericLine]):
    """One event is one JSON object."""

    name = "generic-call"  # what the journal knows it by; a form's format has the other name
    called = "generic"
    settings = GenericLine
    content_types: ClassVar[tuple[str, ...]] = (reading.JSON,)

    def verify(self, delivery: Delivery, settings: GenericLine) -> None:
        """Raises Refused unless the secret signed this body; with Standard Webhooks, lately."""
        if settings.scheme == "hmac-sha256":
            signatures.plain_hmac(delivery.headers, delivery.body, settings.secret, header=settings.header)
            return
        signatures.standard_webhooks(delivery.headers, delivery.body, settings.secret, delivery.received_at)

    def dedupe_key(self, delivery: Delivery, settings: GenericLine) -> str:
        """By `webhook-id`, which is signed and the same at every try, else by its content."""
        key = delivery.headers.get("webhook-id", "") if settings.scheme == "standard-webhooks" else ""
        return digest("webhook-id", key) if key else digest(delivery.body)

    def parse(self, delivery: Delivery, settings: GenericLine) -> CallUpdate:
        """What the event says. Raises Unreadable without an id, Ignored for a status that is not known."""
        document = reading.document(delivery.body)
        said = {fact: _fact(document, fact, settings) for fact in _NAMES}
        zone = ZoneInfo(settings.timezone)
        call_id = reading.call_id(said["call_id"])
        word = str(said["status"] or "").strip()
        status = str(settings.statuses.get(word, word)).lower()
        message = said["recording_url"] is not None or said["transcript"] is not None
        if status not in _UNDER_WAY and status not in _ENDS and not (message and not word):
            raise Ignored(f"a status that is not known: '{clean(word)[:40]}'")
        direction = side(said["direction"])
        caller, answered_at = said["from"], reading.moment(said["answered_at"], zone)
        ended_at = reading.moment(said["ended_at"], zone)
        result = _ENDS.get(status)
        # "Answered" is how a call stands as well as how it ended: an end has a length, a time or says so.
        kind = str(said["event"] or "").lower()
        over = result is not None and (
            status != "answered"
            or ended_at is not None
            or said["talk_seconds"] is not None
            or kind.endswith(("ended", "completed", "hangup", "finished"))
        )
        return CallUpdate(
            call_id=call_id,
            leg=reading.text(said["leg"]),
            event=f"{clean(kind)[:40]}:{status}",
            direction=direction,
            from_number=reading.number(caller),
            to_number=reading.number(said["to"]),
            result=result,
            final=over,
            started_at=reading.moment(said["started_at"], zone),
            answered_at=answered_at,
            ended_at=ended_at,
            talk_seconds=reading.seconds(said["talk_seconds"]) if over else None,
            recording_url=self.recording_url(said["recording_url"], settings),
            transcript=reading.text(said["transcript"], 20_000),
            answered_by=reading.text(said["answered_by"]) if result is CallResult.ANSWERED else None,
            caller_name=reading.text(said["caller_name"]),
            order=reading.text(said["order"]),
            withheld=direction == "inbound" and reading.is_withheld(reading.text(caller)),
        )

    def asks(self, delivery: Delivery, settings: GenericLine) -> Question | None:
        """A call from outside that rings, as a whole: the telephones rung for it are legs and ask nothing."""
        if settings.connect is None:
            return None
        try:
            update = self.parse(delivery, settings)
        except (Ignored, Unreadable):
            return None
        rings = update.result is None and update.answered_at is None and update.leg is None
        if not rings or update.direction == "outbound":
            return None
        return Question(update.call_id, update.from_number, extensions=True)

    def connecting(self, delivery: Delivery, settings: GenericLine, connection: Connection) -> Reply:
        """As JSON: whom to ring, for how long, why, and whom after them."""
        assert settings.connect is not None  # noqa: S101  else nothing was asked
        ring = {name: v for name, v in connection.as_data().items() if name != "user_id"}
        ring |= {"seconds": settings.connect.ring_seconds}
        said = {"connect": ring, "fallback": settings.connect.fallback}
        return Reply(json.dumps(said, ensure_ascii=False).encode(), reading.JSON)

    def answer(self, delivery: Delivery, settings: GenericLine) -> Reply:
        """An empty JSON object."""
        return Reply(b"{}", reading.JSON)


def _fact(document: dict[str, Any], fact: str, settings: GenericLine) -> Any:
    path = next((path for name, path in settings.mapping.items() if name == fact), None)
    if path is not None:
        found = json_path.compiled(path).match(document)
        return found.obj if found is not None else None
    data = document.get("data")
    # An event's own id and status are not the call's, where it has an inner part.
    if isinstance(data, dict) and fact != "event":
        return next((data[name] for name in _NAMES[fact] if data.get(name) is not None), None)
    return next((document[name] for name in _NAMES[fact] if document.get(name) is not None), None)
