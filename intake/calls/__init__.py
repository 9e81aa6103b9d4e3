"""Telephone lines: one file a provider, and one line for it here."""

from __future__ import annotations

from typing import Any

from intake.calls.adapter import CallAdapter
from intake.calls.line import LineSettings
from intake.calls.twilio import Twilio, TwilioLine

ADAPTERS: tuple[CallAdapter[Any], ...] = (Twilio(),)
BY_NAME = {adapter.name: adapter for adapter in ADAPTERS}

#: The settings of a line, whichever its provider is; `provider` tells them apart.
LINES = TwilioLine

__all__ = ["ADAPTERS", "BY_NAME", "LINES", "CallAdapter", "LineSettings"]
