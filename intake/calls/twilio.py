"""Twilio: voice status, `<Dial>` action, `<Record>` action and recording callbacks.

Signature: Twilio docs 'Webhooks security', and the official SDK's request_validator. Fields: 'TwiML Voice:
Dial', 'TwiML Voice: Record', 'Recording status callbacks', 'Call resource'. A call answered by TwiML ends as
`completed` even if nobody picked up: only the Dial action's DialCallStatus and DialBridged tell.
"""

from __future__ import annotations

import base64
import hmac
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Annotated, ClassVar, Literal
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
# The end of a call, by what Twilio says; None while it goes on.
_STATUSES = {
    "queued": None,
    "initiated": None,
    "ringing": None,
    "in-progress": None,
    "answered": None,
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
    | {"266696687", "86282452253", "8656696", "2562533", "7378742833"}
)
_CALL_ID = re.compile(r"[A-Za-z0-9_.-]{1,100}")
# Strict on purpose: two readers of one odd address may see two hosts in it.
_RECORDING = re.compile(r"https://(?:[a-z0-9-]+\.)+twilio\.com/[A-Za-z0-9/._~%?=&+-]{0,400}")


class TwilioLine(LineSettings):
    """A Twilio line. `shared_keys` are the newer signing keys, by their id."""

    provider: Literal["twilio"]
    auth_token: SecretStr = Field(min_length=1, description="The account's auth token")
    shared_keys: dict[str, Annotated[SecretStr, Field(min_length=1)]] = Field(
        default_factory=dict, description="Signing keys, by key id"
    )


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
        """The call, what is said of it, and Twilio's own token of the event or else all that is said.

        The token is not signed, so it never stands alone: another event of the call has another key.
        """
        said = _said(delivery.body)
        call_id = said.get("CallSid", "")
        kind = (said.get(name, "") for name in ("CallStatus", "DialCallStatus", "RecordingSid"))
        token = delivery.headers.get("i-twilio-idempotency-token") or _signed_content(delivery.body)
        event = digest(call_id, *kind, said.get("RecordingStatus", ""), said.get("SequenceNumber", ""), token)
        return f"{call_id}:{event}" if _CALL_ID.fullmatch(call_id) else event

    def parse(self, delivery: Delivery, settings: TwilioLine) -> CallUpdate:
        """A status callback, a Dial action or a recording callback, as one event of its call.

        Raises Unreadable without a CallSid, Ignored for a status that asks for nothing. Other values
        that make no sense are left out.
        """
        said = _said(delivery.body)
        call_id = said.get("CallSid", "")
        if not _CALL_ID.fullmatch(call_id):
            raise Unreadable("there is no CallSid in it")
        # Ends of calls and Dial actions name a recording too; only its own callback has a RecordingStatus.
        if said.get("RecordingSid") and ("RecordingStatus" in said or "CallStatus" not in said):
            return _recording(call_id, said)
        return _progress(call_id, said)

    def answer(self) -> tuple[bytes, str]:
        """TwiML that does nothing."""
        return b'<?xml version="1.0" encoding="UTF-8"?><Response/>', "text/xml"


def _progress(call_id: str, said: dict[str, str]) -> CallUpdate:
    status = said.get("CallStatus", "")
    if status not in _STATUSES:
        raise Ignored(f"a call status that is not known: '{clean(status)[:40]}'")
    at = _moment(said.get("Timestamp"))
    caller = clean(said.get("From", "")).strip()
    withheld = _is_withheld(caller)
    dialled = _dialled(said)
    message = _is_message(said)
    over = _STATUSES[status] is not None
    talked = _seconds(said.get("DialCallDuration" if dialled else "CallDuration"))
    return CallUpdate(
        call_id=call_id,
        event=f"dial:{said['DialCallStatus']}"
        if dialled
        else f"{'record' if message else 'status'}:{status}",
        occurred_at=at,
        sequence=_seconds(said.get("SequenceNumber")),
        direction="inbound" if said.get("Direction", "inbound") == "inbound" else "outbound",
        from_number=None if withheld else caller[:100],
        to_number=clean(said.get("To", "")).strip()[:100] or None,
        result=CallResult.VOICEMAIL if message else dialled or _STATUSES[status],
        final=over or dialled is not None,
        started_at=at if status in ("queued", "initiated", "ringing") else None,
        # That Twilio has answered is not that a person has; of that, a Dial action has the last word.
        answered_at=at if status in ("in-progress", "answered") and not dialled else None,
        ended_at=at if over else None,
        talk_seconds=talked if over or dialled else None,
        recording_url=_recording_url(said),
        caller_name=clean(said.get("CallerName", "")).strip()[:100] or None,
        withheld=withheld,
    )


def _recording(call_id: str, said: dict[str, str]) -> CallUpdate:
    """Has no numbers and no status. What the Record verb has recorded is a message to us."""
    status = said.get("RecordingStatus", "completed")
    if status != "completed":
        raise Ignored(f"a recording that is {clean(status)[:40]}")
    return CallUpdate(
        call_id=call_id,
        event=f"recording:{clean(said['RecordingSid'])[:60]}",
        occurred_at=_moment(said.get("Timestamp")),
        result=CallResult.VOICEMAIL if said.get("RecordingSource") == "RecordVerb" else None,
        recording_url=_recording_url(said),
    )


def _dialled(said: dict[str, str]) -> CallResult | None:
    """How a Dial ended. Whoever picks up may decline when screened, and then was never put through."""
    status = said.get("DialCallStatus", "")
    if status == "completed" and said.get("DialBridged") == "false":
        return CallResult.MISSED
    return _DIALLED.get(status)


def _is_message(said: dict[str, str]) -> bool:
    """Whether the Record verb tells of its recording; the end of a recorded call tells its length too."""
    told = {name for name in ("DialCallStatus", "CallDuration", "CallbackSource") if said.get(name)}
    return bool(said.get("RecordingUrl")) and not told


def _recording_url(said: dict[str, str]) -> str | None:
    url = said.get("RecordingUrl", "")
    return url if _RECORDING.fullmatch(url) else None


def _is_withheld(caller: str) -> bool:
    name = caller.lower().removeprefix("sips:").removeprefix("sip:").partition("@")[0]
    return name.removeprefix("+") in _WITHHELD


def _said(body: bytes) -> dict[str, str]:
    return dict(_pairs(body))


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
    if parts.port:
        return url, urlunsplit(parts._replace(netloc=parts.netloc.rpartition(":")[0]))
    standard = 443 if parts.scheme == "https" else 80
    return url, urlunsplit(parts._replace(netloc=f"{parts.netloc}:{standard}"))


def _bad_signature() -> Refused:
    return Refused("the signature does not fit", status=403, reason="bad_signature")


def _moment(text: str | None) -> datetime | None:
    """RFC 2822. Twilio writes UTC, and `-0000` is UTC without a place (RFC 5322 section 3.3)."""
    try:
        found = parsedate_to_datetime(text or "")
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _seconds(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 7 else None
