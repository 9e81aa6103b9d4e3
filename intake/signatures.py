"""Signatures as services make them: an HMAC over exact bytes, compared in constant time. Pure."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import datetime, timedelta
from typing import Literal

from pydantic import SecretStr

from core.errors import Refused

#: How old, or how far ahead, a signed time may be.
WINDOW = timedelta(minutes=5)


def hmac_sha256(secret: SecretStr, content: bytes, *, form: Literal["hex", "base64"]) -> str:
    """The signature, as lower-case hexadecimal digits or in base64."""
    raw = hmac.new(secret.get_secret_value().encode(), content, hashlib.sha256).digest()
    return raw.hex() if form == "hex" else base64.b64encode(raw).decode()


def same(given: str, expected: str) -> None:
    """Raises Refused (403) unless both are the same, in a time that says nothing of where they differ."""
    if not hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode()):
        raise bad()


def fresh(seconds: float, received_at: datetime) -> None:
    """Raises Refused (403) where the signed time, in seconds since 1970, lies outside the window."""
    if not abs(received_at.timestamp() - seconds) <= WINDOW.total_seconds():
        raise Refused("the signed time is too old or too far ahead", status=403, reason="stale")


def bad() -> Refused:
    """What is said to whoever did not sign as the service would."""
    return Refused("the signature does not fit", status=403, reason="bad_signature")
