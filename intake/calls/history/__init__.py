"""Providers' lists of calls, to find those of which we heard nothing: one file and one line for each."""

from __future__ import annotations

from typing import Any

from intake.calls.history.aircall import AircallHistory
from intake.calls.history.history import History, Listed, Page
from intake.calls.history.telnyx import TelnyxHistory
from intake.calls.history.twilio import TwilioHistory
from intake.calls.history.zadarma import ZadarmaHistory

#: By the provider's name.
HISTORIES: dict[str, History[Any]] = {
    "aircall": AircallHistory(),
    "telnyx": TelnyxHistory(),
    "twilio": TwilioHistory(),
    "zadarma": ZadarmaHistory(),
}

__all__ = ["HISTORIES", "History", "Listed", "Page"]
