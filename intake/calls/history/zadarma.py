"""Zadarma: the statistics of its PBX, as notifications of ends.

Fields: the official user-api-v1 library, lib/Response/PbxStatistics and Api::getPbxStatistics. Moments are
those of the account's time zone. `pbx_call_id` begins with the direction.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from core.errors import Unreadable
from intake.calls import reading
from intake.calls.history.history import History, Listed, Page
from intake.calls.zadarma import ZadarmaLine, request
from intake.errand import Lookup

_SIZE = 1000


class ZadarmaHistory(History[ZadarmaLine]):
    """A thousand at most a page; few requests a minute."""

    def trouble(self, settings: ZadarmaLine) -> str | None:
        """It needs the key, and to know the time zone."""
        if settings.api_key is None:
            return "it has no `api_key`"
        return None if settings.timezone else "it has no `timezone`"

    def ask(self, since: datetime, until: datetime, following: str | None, settings: ZadarmaLine) -> Lookup:
        """By when they started."""
        zone = ZoneInfo(settings.timezone or "UTC")
        asked = {
            "start": since.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S"),
            "end": until.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S"),
            "version": "2",
            "skip": following or "0",
            "limit": str(_SIZE),
        }
        return request(settings, "/v1/statistics/pbx/", asked)

    def page(self, body: bytes, following: str | None, settings: ZadarmaLine) -> Page:
        """Each call as its end. A full page has another behind it."""
        said = reading.document(body)
        stats = said.get("stats")
        if said.get("status") == "error" or not isinstance(stats, list):
            raise Unreadable(str(said.get("message") or "there are no statistics in it")[:200])
        known = [c for c in stats if isinstance(c, dict)]
        skipped = reading.seconds(following or "0") or 0
        return Page(
            len(known),
            tuple(_end(c) for c in known if c.get("pbx_call_id")),
            str(skipped + len(stats)) if len(stats) >= _SIZE else None,
        )


def _end(call: Mapping[str, Any]) -> Listed:
    call_id = str(call["pbx_call_id"])
    out = call_id.startswith("out")
    recorded = str(call.get("is_recorded")).lower() in ("true", "1")
    told = {
        "event": "NOTIFY_OUT_END" if out else "NOTIFY_END",
        "pbx_call_id": call_id,
        "call_start": str(call.get("callstart") or ""),
        "duration": str(call.get("seconds") or "0"),
        "disposition": str(call.get("disposition") or ""),
        "internal": str(call.get("sip") or ""),
        "is_recorded": "1" if recorded else "0",
    }
    told |= {"destination": str(call.get("destination") or "")} if out else {"caller_id": _caller(call)}
    if recorded and call.get("call_id"):
        told["call_id_with_rec"] = str(call["call_id"])
    return Listed(call_id, urlencode(told).encode(), reading.FORM)


def _caller(call: Mapping[str, Any]) -> str:
    """The number; `clid` may have a name before it, as in mail: `"Ana" <5511…>`."""
    written = str(call.get("clid") or "")
    return written.rpartition("<")[2].rstrip(">").strip() if "<" in written else written
