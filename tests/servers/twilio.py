"""Twilio's callbacks, signed by Twilio's own SDK."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from twilio.request_validator import RequestValidator


def signed(url: str, params: Mapping[str, str], auth_token: str) -> tuple[dict[str, str], bytes]:
    """Headers and body of a callback for this address."""
    signature = RequestValidator(auth_token).compute_signature(url, dict(params))
    headers = {
        "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
        "X-Twilio-Signature": signature,
    }
    return headers, urlencode(params).encode()


def missed_call(call_id: str, caller: str, to: str = "+551140000000") -> list[dict[str, str]]:
    """The three status callbacks of an inbound call that nobody took."""
    common = {"AccountSid": "AC1", "ApiVersion": "2010-04-01", "CallSid": call_id, "Direction": "inbound"}
    common |= {
        "From": caller,
        "To": to,
        "Caller": caller,
        "Called": to,
        "CallbackSource": "call-progress-events",
    }
    times = ("18:29:00", "18:29:01", "18:29:31")
    statuses = ("initiated", "ringing", "no-answer")
    return [
        common | {"CallStatus": s, "Timestamp": f"Mon, 23 Nov 2026 {t} +0000", "SequenceNumber": str(n)}
        for n, (s, t) in enumerate(zip(statuses, times, strict=True))
    ]
