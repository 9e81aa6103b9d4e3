"""Aircall: its list of calls, as `call.ended` events. developer.aircall.io, 'List all Calls'."""

from __future__ import annotations

import json
from datetime import datetime
from urllib.parse import urlencode

from core.errors import Unreadable
from intake import signatures
from intake.calls import reading
from intake.calls.aircall import AircallLine
from intake.calls.history.history import History, Listed, Page, is_ours
from intake.errand import Lookup

_URL = "https://api.aircall.io/v1/calls"
_SIZE = 50


class AircallHistory(History[AircallLine]):
    """Oldest first; 60 requests a minute."""

    def trouble(self, settings: AircallLine) -> str | None:
        """It needs a key of the API."""
        return None if settings.api_id and settings.api_token else "it has no `api_id` and `api_token`"

    def ask(self, since: datetime, until: datetime, following: str | None, settings: AircallLine) -> Lookup:
        """By when they were made, in seconds since 1970."""
        asked = {
            "from": str(int(since.timestamp())),
            "to": str(int(until.timestamp())),
            "order": "asc",
            "per_page": str(_SIZE),
            "page": following or "1",
        }
        headers = signatures.basic(settings.api_id or "", settings.api_token) if settings.api_token else {}
        return Lookup(f"{_URL}?{urlencode(asked)}", headers)

    def page(self, body: bytes, following: str | None, settings: AircallLine) -> Page:
        """Each call that is over, as its last event."""
        said = reading.document(body)
        calls = said.get("calls")
        if not isinstance(calls, list):
            raise Unreadable("there is no list of calls in it")
        known = [c for c in calls if isinstance(c, dict)]
        events = tuple(
            Listed(
                str(c.get("id")),
                json.dumps(
                    {"resource": "call", "event": "call.ended", "timestamp": c.get("ended_at"), "data": c}
                ).encode(),
                reading.JSON,
            )
            for c in known
            if c.get("status") == "done" and is_ours(settings, _number(c))
        )
        page, more = (
            reading.inner(said, "meta", "current_page"),
            reading.inner(said, "meta", "next_page_link"),
        )
        return Page(len(known), events, str(page + 1) if more and isinstance(page, int) else None)


def _number(call: dict[str, object]) -> str | None:
    """Ours, without the spaces that it is shown with."""
    shown = reading.text(
        reading.inner(call, "number", "e164_digits") or reading.inner(call, "number", "digits")
    )
    return "".join(c for c in shown if c == "+" or c.isdigit()) if shown else None
