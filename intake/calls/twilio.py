"""Twilio: voice status, `<Dial>` action and recording callbacks.

Signature: Twilio docs 'Validating requests', and the official SDK's request_validator. Fields: 'TwiML
Voice request parameters', 'Status callback events'. A call answered by TwiML ends as `completed` even
if nobody picked up: only the Dial action's DialCallStatus tells.
"""

from __future__ import annotations

import base64
import hmac
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import ClassVar, Literal
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from pydantic import Field, SecretStr

from core.errors import Ignored, Refused, Unreadable
from core.ids import digest
from crm.submission import CallUpdate
from intake.calls.adapter import CallAdapter
from intake.calls.line import LineSettings
from intake.delivery import Delivery
from intake.text import clean
from models.call import CallResult

_MOST_FIELDS = 300
_STATUSES = {
    "queued": None,
    "initiated": None,
    "ringing": None,
    "in-progress": None,
    "completed": CallResult.ANSWERED,
    "busy": CallResult.BUSY,
    "failed": CallResult.FAILED,
    "no-answer": CallResult.MISSED,
    "canceled": CallResult.ABANDONED,
}
_DIALLED = {
    "completed": CallResult.ANSWERED,
    "answered": CallResult.ANSWERED,
    "busy": CallResult.BUSY,
    "no-answer": CallResult.MISSED,
    "failed": CallResult.MISSED,
    "canceled": CallResult.ABANDONED,
}
# Withheld callers, also as the digits that spell ANONYMOUS, UNAVAILABLE, UNKNOWN, BLOCKED, RESTRICTED
# on a keypad; the first of them looks like a number in Lesotho.
_WITHHELD = frozenset(
    {"", "anonymous", "restricted", "unknown", "unavailable", "blocked", "private"}
    | {"+266696687", "+86282452253", "+8656696", "+2562533", "+7378742833"}
)


class TwilioLine(LineSettings):
    """A Twilio line. `shared_keys` are the newer signing keys, by their id."""

    provider: Literal["twilio"] = "twilio"
    auth_token: SecretStr = Field(min_length=1, description="The account's auth token")
    shared_keys: dict[str, SecretStr] = Field(default_factory=dict, description="Signing keys, by key id")


class Twilio(CallAdapter[TwilioLine]):
    """One callback of Twilio's is one form-encoded POST."""

    name = "twilio"
    settings = TwilioLine
    content_types: ClassVar[tuple[str, ...]] = ("application/x-www-form-urlencoded",)

    def verify(self, delivery: Delivery, settings: TwilioLine) -> None:
        """Raises Refused unless Twilio signed these parameters for this very address."""
        given = delivery.headers.get("x-twilio-signature", "").encode("latin-1", "replace")
        algorithm, key = _key(delivery.headers.get("x-twilio-webhooks-signature-settings"), settings)
        content = _signed_content(delivery.body)
        # Proxies differ on whether the standard port is part of the address; Twilio's SDK tries both.
        matches = [
            hmac.compare_digest(
                base64.b64encode(hmac.new(key, (url + content).encode(), algorithm).digest()), given
            )
            for url in _spellings(delivery.url)
        ]
        if not any(matches):
            raise _bad_signature()

    def dedupe_key(self, delivery: Delivery, settings: TwilioLine) -> str:
        """Twilio's own idempotency token where it sends one, else what it says: a retry says the same."""
        token = delivery.headers.get("i-twilio-idempotency-token")
        return f"token:{token}"[:200] if token else f"content:{digest(_signed_content(delivery.body))}"

    def parse(self, delivery: Delivery, settings: TwilioLine) -> CallUpdate:
        """Recording callbacks have no numbers; Dial actions say whether a person answered."""
        said = dict(_pairs(delivery.body))
        call_id = said.get("CallSid", "")
        if not call_id or len(call_id) > 100:
            raise Unreadable("there is no CallSid in it")
        at = _moment(said.get("Timestamp"))
        if said.get("RecordingSid"):
            return _recording(call_id, said, at)
        status = said.get("CallStatus", "")
        if status not in _STATUSES:
            raise Ignored(f"a call status that is not known: '{clean(status)[:40]}'")
        caller = said.get("From", "").strip()
        withheld = caller.lower() in _WITHHELD
        dialled = _DIALLED.get(said.get("DialCallStatus", ""))
        event = f"dial:{said['DialCallStatus'][:40]}" if dialled else f"status:{status}"
        final = status in ("completed", "busy", "failed", "no-answer", "canceled")
        talked = _seconds(said.get("DialCallDuration" if dialled else "CallDuration"))
        return CallUpdate(
            call_id=call_id,
            event=event,
            occurred_at=at,
            sequence=_seconds(said.get("SequenceNumber")),
            direction="inbound" if said.get("Direction", "inbound") == "inbound" else "outbound",
            from_number=None if withheld else clean(caller)[:100],
            to_number=clean(said.get("To", ""))[:100] or None,
            result=dialled or _STATUSES[status],
            final=final or dialled is not None,
            started_at=at if status in ("queued", "initiated", "ringing") else None,
            answered_at=at if status == "in-progress" else None,
            ended_at=at if final else None,
            talk_seconds=talked if dialled or final else None,
            caller_name=clean(said.get("CallerName", ""))[:100] or None,
            withheld=withheld,
        )

    def answer(self) -> tuple[bytes, str]:
        """TwiML that does nothing."""
        return b'<?xml version="1.0" encoding="UTF-8"?><Response/>', "text/xml"


def _recording(call_id: str, said: dict[str, str], at: datetime | None) -> CallUpdate:
    if said.get("RecordingStatus", "completed") != "completed":
        raise Ignored(f"a recording that is {clean(said['RecordingStatus'])[:40]}")
    url = urlsplit(said.get("RecordingUrl", ""))
    ours = url.scheme == "https" and (url.hostname or "").endswith(".twilio.com")
    return CallUpdate(
        call_id=call_id,
        event=f"recording:{said['RecordingSid'][:60]}",
        occurred_at=at,
        recording_url=urlunsplit(url)[:500] if ours else None,
    )


def _pairs(body: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except (UnicodeDecodeError, ValueError):
        raise Unreadable("the body is no form") from None


def _signed_content(body: bytes) -> str:
    """Each parameter's name and values glued together, sorted by name; equal values once, sorted."""
    values: dict[str, set[str]] = {}
    try:
        pairs = _pairs(body)
    except Unreadable:
        raise Refused("the body is no form", status=400, reason="malformed") from None
    for name, value in pairs:
        values.setdefault(name, set()).add(value)
    return "".join(name + value for name in sorted(values) for value in sorted(values[name]))


def _key(header: str | None, settings: TwilioLine) -> tuple[str, bytes]:
    if not header:
        return "sha1", settings.auth_token.get_secret_value().encode()
    told = dict(part.strip().split("=", 1) for part in header.split(",") if "=" in part)
    secret = settings.shared_keys.get(told.get("key", ""))
    if told.get("algorithm") != "HMAC_SHA256" or secret is None:
        raise _bad_signature()
    return "sha256", secret.get_secret_value().encode()


def _spellings(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    port = {"https": 443, "http": 80}.get(parts.scheme, 443)
    host = parts.hostname or ""
    bare = urlunsplit(parts._replace(netloc=host))
    with_port = urlunsplit(parts._replace(netloc=f"{host}:{parts.port or port}"))
    return (url if parts.port else bare), (bare if parts.port else with_port)


def _bad_signature() -> Refused:
    return Refused("the signature does not fit", status=403, reason="bad_signature")


def _moment(text: str | None) -> datetime | None:
    try:
        return parsedate_to_datetime(text).astimezone(UTC) if text else None
    except (ValueError, OverflowError):
        return None


def _seconds(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 7 else None
