"""The mark of our own page and widget: when the form was shown, signed, so that nobody makes one up. Pure."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime, timedelta

#: A page that was left open for longer has to be loaded again.
LONGEST = timedelta(days=7)


def mark(key: bytes, form: str, at: datetime) -> str:
    """A mark for this form, shown at this moment."""
    told = f"{at.timestamp():.3f}"
    return f"{told}.{_signature(key, form, told)}"


def seconds_since(key: bytes, form: str, given: str, now: datetime) -> float | None:
    """How long ago the form was shown; None where the mark is forged, of another form, or too old."""
    told, _, signature = given.rpartition(".")
    if not hmac.compare_digest(signature.encode("utf-8", "replace"), _signature(key, form, told).encode()):
        return None
    seconds = now.timestamp() - float(told)
    return seconds if seconds <= LONGEST.total_seconds() else None


def proof_key(key: bytes, form: str) -> str:
    """The key that this form's proofs of work are signed with."""
    return hmac.new(key, f"altcha:{form}".encode(), hashlib.sha256).hexdigest()


def _signature(key: bytes, form: str, told: str) -> str:
    return hmac.new(key, f"form:{form}:{told}".encode("utf-8", "replace"), hashlib.sha256).hexdigest()[:32]
