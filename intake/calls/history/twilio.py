"""Twilio: its list of calls, as status callbacks. Twilio docs, 'Call resource: fetch multiple calls'."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from core.errors import Unreadable
from intake.calls import reading
from intake.calls.history.history import History, Listed, Page, is_ours
from intake.calls.twilio import TwilioLine
from intake.errand import Lookup

_API = "https://api.twilio.com"
_SIZE = 200
_OVER = frozenset({"completed", "busy", "failed", "no-answer", "canceled"})


class TwilioHistory(History[TwilioLine]):
    """Newest first; the legs that were dialled name their parent."""

    def trouble(self, settings: TwilioLine) -> str | None:
        """It needs the account."""
        return None if settings.signed_in() else "it has no `account_sid`"

    def ask(self, since: datetime, until: datetime, following: str | None, settings: TwilioLine) -> Lookup:
        """By when they started."""
        asked = {"StartTime>": _instant(since), "StartTime<": _instant(until), "PageSize": str(_SIZE)}
        first = f"/2010-04-01/Accounts/{settings.account_sid}/Calls.json?{urlencode(asked)}"
        path = following if following is not None and following.startswith("/2010-04-01/") else first
        return Lookup(_API + path, settings.signed_in() or {})

    def page(self, body: bytes, following: str | None, settings: TwilioLine) -> Page:
        """A call and its legs, each as it began and as it ended."""
        said = reading.document(body)
        calls = said.get("calls")
        if not isinstance(calls, list):
            raise Unreadable("there is no list of calls in it")
        known = [c for c in calls if isinstance(c, dict)]
        events = [event for c in known if _is_ours(c, settings) for event in _events(c)]
        uri = said.get("next_page_uri")
        return Page(len(known), tuple(events), uri if isinstance(uri, str) else None)


def _is_ours(call: Mapping[str, Any], settings: TwilioLine) -> bool:
    # A leg rings a telephone of ours; its call says whose it is, and an unknown leg makes no call by itself.
    return bool(call.get("parent_call_sid")) or is_ours(settings, call.get("to"), call.get("from"))


def _events(call: Mapping[str, Any]) -> Iterator[Listed]:
    if call.get("status") not in _OVER:
        return
    parent = call.get("parent_call_sid")
    common = {
        "CallSid": str(call.get("sid") or ""),
        "ParentCallSid": str(parent or ""),
        "From": str(call.get("from") or ""),
        "To": str(call.get("to") or ""),
        "Direction": str(call.get("direction") or ""),
        "CallerName": str(call.get("caller_name") or ""),
    }
    ended = {"CallStatus": str(call["status"]), "CallDuration": str(call.get("duration") or "")}
    for told in (
        {"CallStatus": "initiated", "Timestamp": str(call.get("start_time") or "")},
        {**ended, "Timestamp": str(call.get("end_time") or "")},
    ):
        content = urlencode({name: value for name, value in {**common, **told}.items() if value})
        yield Listed(str(parent or call.get("sid") or ""), content.encode(), reading.FORM)


def _instant(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
