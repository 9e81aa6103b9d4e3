"""Telnyx: the webhooks that it sent, or tried to, of the last day. Official SDK, call_event_list_params.

What `metadata` holds of the event is not documented; it is looked for where it may lie.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import urlencode

from core.errors import Unreadable
from intake.calls import reading
from intake.calls.history.history import History, Listed, Page, is_ours
from intake.calls.telnyx import TelnyxLine
from intake.errand import Lookup

_URL = "https://api.telnyx.com/v2/call_events"
_SIZE = 250
_TOLD = frozenset({"call.initiated", "call.answered", "call.bridged", "call.hangup"})


class TelnyxHistory(History[TelnyxLine]):
    """Events of calls; those of one call share its session."""

    hours: ClassVar[int | None] = 24

    def trouble(self, settings: TelnyxLine) -> str | None:
        """It needs a key."""
        return None if settings.api_key else "it has no `api_key`"

    def ask(self, since: datetime, until: datetime, following: str | None, settings: TelnyxLine) -> Lookup:
        """Only one bound of time may be given."""
        asked = {
            "filter[type]": "webhook",
            "filter[occurred_at][gte]": since.isoformat().replace("+00:00", "Z"),
            "page[size]": str(_SIZE),
            "page[number]": following or "1",
        }
        key = settings.api_key.get_secret_value() if settings.api_key else ""
        return Lookup(f"{_URL}?{urlencode(asked)}", {"Authorization": f"Bearer {key}"})

    def page(self, body: bytes, following: str | None, settings: TelnyxLine) -> Page:
        """The events as they would have come."""
        said = reading.document(body)
        data = said.get("data")
        if not isinstance(data, list):
            raise Unreadable("there is no list of events in it")
        known = [e for e in data if isinstance(e, dict) and e.get("name") in _TOLD]
        events = [_event(e) for e in known]
        told = tuple(
            Listed(str(e["payload"]["call_session_id"]), json.dumps({"data": e}).encode(), reading.JSON)
            for e in events
            if is_ours(settings, *_numbers(e["payload"]))
        )
        number, last = reading.inner(said, "meta", "page_number"), reading.inner(said, "meta", "total_pages")
        more = isinstance(number, int) and isinstance(last, int) and number < last
        sessions = {e["payload"]["call_session_id"] for e in events}
        return Page(len(sessions), told, str(number + 1) if more else None)


def _event(listed: Mapping[str, Any]) -> dict[str, Any]:
    metadata = listed.get("metadata")
    places = [metadata, *(reading.inner({"m": metadata}, "m", n) for n in ("event", "raw_event", "webhook"))]
    places += [reading.inner({"p": p}, "p", "data") for p in places]
    found = next((p for p in places if isinstance(p, dict) and isinstance(p.get("payload"), dict)), {})
    payload = {
        **found.get("payload", {}),
        "call_session_id": listed.get("call_session_id"),
        "call_leg_id": listed.get("call_leg_id"),
    }
    return {
        "record_type": "event",
        "event_type": listed.get("name"),
        "occurred_at": found.get("occurred_at") or listed.get("event_timestamp"),
        "payload": payload,
    } | ({"id": found["id"]} if isinstance(found.get("id"), str) else {})


def _numbers(payload: Mapping[str, Any]) -> tuple[object, ...]:
    """Where neither end is told, nothing speaks against the line."""
    ends = (payload.get("from"), payload.get("to"))
    return ends if any(ends) else ()
