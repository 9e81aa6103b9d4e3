"""Telnyx: webhooks of Call Control, and TeXML's callbacks, which have the shape of TwiML's.

Fields: the official SDK's types call_initiated, call_answered, call_hangup, call_recording_saved. All legs
of a call share `call_session_id`; only `call.initiated` says the direction, and no event a duration.
Signature: the SDK's lib/webhook_verification, Ed25519 over the time and the body.
"""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar, Literal
from urllib.parse import quote

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import Field, SecretStr, field_validator

from core.errors import Ignored, Unreadable
from core.ids import digest
from crm.submission import CallUpdate
from intake import signatures
from intake.calls import dial, reading, twiml
from intake.calls.adapter import CallAdapter, Reply, side, side_by_numbers
from intake.calls.connect import AskingLine, Connection, Question
from intake.delivery import Delivery
from intake.errand import Lookup
from intake.text import clean
from models.call import CallResult

# What the end says where nobody had answered.
_CAUSES = {
    "user_busy": CallResult.BUSY,
    "not_found": CallResult.FAILED,
    "unspecified": CallResult.FAILED,
}
# Why a call that we placed was not put through: what became of the agent's telephone.
_AGENT = {
    "user_busy": "the agent's telephone was busy",
    "call_rejected": "the agent rejected the call",
    "not_found": "the agent's telephone could not be reached",
    "unspecified": "the agent's telephone could not be reached",
}
_KNOWN = ("call.initiated", "call.answered", "call.bridged", "call.hangup")


class TelnyxLine(AskingLine):
    """A Telnyx line."""

    provider: Literal["telnyx"]
    public_key: str = Field(description="The portal's public key, in base64")
    api_key: SecretStr | None = Field(
        None, min_length=1, description="An API key: to place calls, to look for lost ones, for recordings"
    )
    connection_id: str | None = Field(
        None, pattern=r"^[0-9]{1,30}$", description="The Call Control application that places calls"
    )

    @field_validator("public_key")
    @classmethod
    def _is_one(cls, value: str) -> str:
        try:
            Ed25519PublicKey.from_public_bytes(base64.b64decode(value, validate=True))
        except ValueError:
            raise ValueError("a public key of Telnyx is 32 bytes in base64") from None
        return value


class Telnyx(CallAdapter[TelnyxLine]):
    """One event is one JSON object, or one form of a TeXML application."""

    name = "telnyx"
    settings = TelnyxLine
    content_types: ClassVar[tuple[str, ...]] = (reading.JSON, reading.FORM)
    recording_hosts = (".telnyx.com", "s3.amazonaws.com")

    def verify(self, delivery: Delivery, settings: TelnyxLine) -> None:
        """Raises Refused unless Telnyx signed this body, and lately."""
        at = delivery.headers.get("telnyx-timestamp", "")
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(settings.public_key))
        try:
            signature = base64.b64decode(delivery.headers.get("telnyx-signature-ed25519", ""), validate=True)
            key.verify(signature, at.encode("latin-1", "replace") + b"|" + delivery.body)
        except (InvalidSignature, ValueError):
            raise signatures.bad() from None
        signatures.fresh(reading.seconds_since_1970(at), delivery.received_at)

    def dedupe_key(self, delivery: Delivery, settings: TelnyxLine) -> str:
        """The event's own id, which is the same at every try."""
        if _is_form(delivery):
            return digest(delivery.body)
        return digest(str(reading.inner(_document(delivery), "data", "id") or delivery.body))

    def parse(self, delivery: Delivery, settings: TelnyxLine) -> CallUpdate:
        """What the event says. Raises Unreadable without an id, Ignored for what tells nothing."""
        if _is_form(delivery):
            update = twiml.update(reading.told(delivery), lambda url: self.recording_url(url, settings))
            return dial.goes_on(update, delivery)
        data = reading.inner(_document(delivery), "data")
        said = reading.inner(data or {}, "payload")
        kind = str(reading.inner(data or {}, "event_type") or "")
        if not isinstance(said, dict):
            raise Ignored(f"an event without a payload: '{clean(kind)[:40]}'")
        at = reading.moment(data.get("occurred_at"))
        group = reading.call_id(said.get("call_session_id"))
        leg = reading.text(said.get("call_leg_id"))
        if kind == "call.recording.transcription.saved":
            own = reading.text(said.get("recording_transcription_id")) or reading.text(
                said.get("recording_id")
            )
            words = reading.text(said.get("transcription_text"), 20_000)
            return CallUpdate(call_id=group, event=f"words:{own or ''}", occurred_at=at, transcript=words)
        if kind == "call.recording.saved":
            urls = said.get("recording_urls") or said.get("public_recording_urls")
            url = reading.inner({"urls": urls}, "urls", "mp3") or reading.inner({"urls": urls}, "urls", "wav")
            own = reading.text(said.get("recording_id")) or reading.text(data.get("id"))
            return CallUpdate(
                call_id=group,
                event=f"recording:{own or ''}",
                occurred_at=at,
                recording_url=self.recording_url(url, settings),
                message=True,
                # The address is good for ten minutes; with a key, a fresh one is asked for by the id.
                recording_id=reading.text(said.get("recording_id")) if settings.api_key else None,
            )
        if kind not in _KNOWN:
            raise Ignored(f"an event that is not known: '{clean(kind)[:40]}'")
        by_numbers = side_by_numbers(said.get("from"), said.get("to"), settings)
        found = _progress(group, leg, kind, at, said, by_numbers)
        order, part = order_of(said.get("client_state"))
        if order is not None:
            return _of_order(found, said, order, part)
        return _put_through(found, said, delivery)

    def asks(self, delivery: Delivery, settings: TelnyxLine) -> Question | None:
        """A call that comes in, or the end of a telephone that was rung for it and that nobody answered."""
        if _is_form(delivery):
            return dial.asks(delivery, settings)
        if settings.connect is None or settings.api_key is None:
            return None
        try:
            data = reading.inner(_document(delivery), "data") or {}
            said = reading.inner(data, "payload")
            group = reading.call_id(reading.inner(said or {}, "call_session_id"))
        except Unreadable:
            return None
        state = said.get("client_state")
        if reading.inner(data, "event_type") == "call.hangup" and put_through_of(state)[1] == "first":
            return Question(group, missed=True) if _unanswered(said) else None
        if reading.inner(data, "event_type") != "call.initiated" or order_of(state)[0] is not None:
            return None
        incoming = side(said.get("direction")) == "inbound" and said.get("call_control_id")
        return Question(group, reading.number(said.get("from"))) if incoming else None

    def connecting(self, delivery: Delivery, settings: TelnyxLine, connection: Connection) -> Reply:
        """A Dial in TeXML; to Call Control nothing, which is told by a command afterwards."""
        return dial.connecting(delivery, settings, connection) if _is_form(delivery) else Reply()

    def answer(self, delivery: Delivery, settings: TelnyxLine) -> Reply:
        """TeXML that does nothing to a TeXML application; nothing to Call Control."""
        return Reply(twiml.NOTHING, "text/xml") if _is_form(delivery) else Reply()

    def recording(self, said: str, settings: TelnyxLine, at: datetime) -> Lookup | None:
        """The question where the recording of this id lies now; an address is taken as it is."""
        if "://" in said or settings.api_key is None:
            return super().recording(said, settings, at)
        key = settings.api_key.get_secret_value()
        url = f"https://api.telnyx.com/v2/recordings/{quote(said, safe='')}"
        return Lookup(url, {"Authorization": f"Bearer {key}"})

    def linked(self, said: str, content: bytes) -> str | None:
        """The address in the answer to that question."""
        if "://" in said or not content.startswith(b"{"):
            return None
        urls = reading.inner(reading.document(content), "data", "download_urls") or {}
        found = reading.inner(urls, "mp3") or reading.inner(urls, "wav")
        return reading.text(found, 2000) or ""


def _progress(
    group: str, leg: str | None, kind: str, at: Any, said: dict[str, Any], by_numbers: str | None
) -> CallUpdate:
    over = kind == "call.hangup"
    caller = said.get("from")
    cause = str(said.get("hangup_cause") or "")
    result = _CAUSES.get(cause, CallResult.MISSED) if over else None
    return CallUpdate(
        call_id=group,
        leg=leg,
        event=kind,
        occurred_at=at,
        direction=side(said.get("direction")) or by_numbers,
        from_number=reading.number(caller),
        to_number=reading.number(said.get("to")),
        # Whether it was answered, its end does not say.
        result=CallResult.ANSWERED if kind == "call.answered" else result,
        final=over,
        started_at=reading.moment(said.get("start_time")),
        answered_at=at if kind == "call.answered" else None,
        ended_at=at if over else None,
        answered_by=reading.text(said.get("to")) if kind == "call.answered" else None,
        caller_name=reading.text(said.get("caller_id_name")),
        withheld="from" in said and reading.is_withheld(reading.text(caller)),
    )


def _of_order(found: CallUpdate, said: dict[str, Any], order: str, part: str) -> CallUpdate:
    """An event of a call that we placed, of the agent's connection or of the client's."""
    over = found.final
    if part == "client":
        # The agent waits on; where the client never answered, there is nothing left to wait for.
        return replace(found, order=order, answered_by=None, asks="hangup" if over else None)
    cause = str(said.get("hangup_cause") or "")
    put_through = cause in ("normal_clearing", "originator_cancel", "time_limit")
    answered = found.event == "call.answered"
    return replace(
        found,
        order=order,
        leg=None,
        direction=None,
        from_number=None,
        to_number=None,
        # That the agent's telephone has answered is not that the client's has.
        result=(CallResult.MISSED if put_through else CallResult.FAILED) if over else None,
        reason=_AGENT.get(cause, "the agent did not answer") if over and not put_through else None,
        started_at=None,
        answered_at=None,
        answered_by=None,
        withheld=False,
        asks="connect" if answered else None,
        handle=reading.text(said.get("call_control_id"), 500) if answered else None,
    )


def _put_through(found: CallUpdate, said: dict[str, Any], delivery: Delivery) -> CallUpdate:
    """An event of a caller who is put through by commands: about whose connection the next one is."""
    caller, part = put_through_of(said.get("client_state"))
    if Connection.of(delivery.facts) is not None:
        return replace(found, handle=caller or reading.text(said.get("call_control_id"), 500))
    if part == "fallback" and found.final and _unanswered(said):
        # The caller's connection stays as it is, and nobody is left to be rung.
        return replace(found, asks="hangup", handle=caller)
    return found


def _unanswered(said: dict[str, Any]) -> bool:
    """Whether a telephone rang and was not answered, while the caller waited on."""
    return str(said.get("hangup_cause") or "") not in ("normal_clearing", "originator_cancel", "time_limit")


def put_through_state(caller: str, part: str) -> str:
    """What Telnyx says back of a telephone that is rung for this caller: `first`, or `fallback`."""
    return base64.b64encode(json.dumps({"caller": caller, "part": part}).encode()).decode()


def put_through_of(state: object) -> tuple[str | None, str]:
    """The caller's connection and which telephone it is; None for what we never wrote."""
    said = _state(state)
    caller = reading.text(said.get("caller"), 500)
    return caller, str(said.get("part")) if caller else ""


def client_state(order: str, part: Literal["agent", "client"]) -> str:
    """What Telnyx says back with each event of a connection of a call that we placed."""
    return base64.b64encode(json.dumps({"order": order, "part": part}).encode()).decode()


def order_of(state: object) -> tuple[str | None, str]:
    """The token of the order and whose connection it is; None for what we never wrote."""
    said = _state(state)
    order = reading.text(said.get("order"))
    return order, str(said.get("part")) if order else ""


def _state(state: object) -> dict[str, Any]:
    try:
        said = json.loads(base64.b64decode(str(state or ""), validate=True))
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _document(delivery: Delivery) -> dict[str, Any]:
    return reading.document(delivery.body)


def _is_form(delivery: Delivery) -> bool:
    return delivery.content_type.split(";")[0].strip().lower() == reading.FORM
