"""Calls that we place: one file a provider, and one line for it here."""

from __future__ import annotations

from typing import Any

from intake.calls.dialling.dialler import Dial, Dialler, Placed, Request, Transfer
from intake.calls.dialling.generic import GenericDialler
from intake.calls.dialling.telnyx import TelnyxDialler
from intake.calls.dialling.twilio import TwilioDialler

#: By the provider's name.
DIALLERS: dict[str, Dialler[Any]] = {
    "generic": GenericDialler(),
    "telnyx": TelnyxDialler(),
    "twilio": TwilioDialler(),
}

__all__ = ["DIALLERS", "Dial", "Dialler", "Placed", "Request", "Transfer"]
