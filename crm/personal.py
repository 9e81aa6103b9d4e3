"""Where a person's data stands: table by table what says something of them, and what is only counted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: What stands in the place of a name.
ERASED = "(erased)"
#: What is put in the place of what says something of a person.
BLANK: Mapping[str, Mapping[str, Any]] = {
    "lead": {
        "title": ERASED,
        "name": "",
        "email": None,
        "phone": None,
        "company": None,
        "message": "",
        "tags": [],
        "fields": {},
        "found": None,
        "wish": None,
    },
    "contact": {
        "name": ERASED,
        "first_name": "",
        "last_name": "",
        "position": None,
        "email": None,
        "phone": None,
        "tags": [],
        "fields": {},
    },
    "deal": {"title": ERASED, "tags": [], "fields": {}, "closing_note": ""},
    "deal_template": {"name": ERASED, "title": ERASED, "tags": [], "fields": {}},
    "activity": {"subject": ERASED, "place": "", "note": "", "outcome": None, "result": ""},
    "activity_participant": {"name": ERASED, "email": None},
    "attachment": {"name": ERASED, "digest": "", "place": "", "refused": "erased", "left": None},
    "call": {
        "facts": {},
        "from_number": None,
        "to_number": None,
        "recording_url": None,
        "transcript": None,
        "rung_why": None,
    },
    "call_order": {"client_number": "", "handle": None, "request_content": None},
    "call_transfer": {"handle": "", "number": None, "error": ""},
    "consent_given": {"address": "", "page": ""},
    "message": {
        "message_id": "",
        "in_reply_to": "",
        "references": [],
        "from_name": "",
        "from_address": "",
        "to_address": "",
        "cc": [],
        "subject": ERASED,
        "text": "",
        "html": "",
        "calendar": "",
        "error": "",
    },
    "timeline_entry": {"summary": ERASED, "data": {}},
    "run": {"cause": {}},
    "step": {"settings": {}, "data": {}, "result": None},
    "trace": {"rules": [], "passed": [], "seen": []},
    "merge": {"why": "", "changed": {}, "gone": {}, "moved": []},
    "notification": {"text": ERASED},
    "domain_event": {"data": {}},
    "webhook_delivery": {"body": "", "result": ""},
    "import_row": {"reason": "", "cells": None, "before": None},
    "inbound_events": {"envelope": {}, "body": b"", "error": None},
}
#: What says nothing of a person, and what counts and reports need: by whom, in which state, of which kind.
KEPT: Mapping[str, frozenset[str]] = {
    "lead": frozenset({"own_status", "closing_reason", "attribution", "campaign"}),
    "deal": frozenset({"number", "currency", "expected_close", "closing_reason"}),
    "deal_contact": frozenset({"role"}),
    "deal_template": frozenset(
        {"currency", "lines", "contacts", "recurrence", "zone", "ended_why", "created_by"}
    ),
    "activity": frozenset({"type", "effect_key", "recurrence", "zone"}),
    "attachment": frozenset({"event_id", "kind"}),
    "call": frozenset(
        {
            "provider",
            "group_id",
            "provider_call_id",
            "direction",
            "answered_by",
            "rung_number",
            "closed_reason",
        }
    ),
    "call_order": frozenset(
        {"token", "request_key", "agent_number", "line_number", "actor", "outcome", "completed"}
    ),
    "call_transfer": frozenset({"kind"}),
    # What was agreed to, and when, is the evidence that it was.
    "consent_given": frozenset({"event_id", "source", "field", "text", "version"}),
    "message": frozenset({"effect_key", "token", "thread", "mailbox", "actor", "event_id", "files_id"}),
    "timeline_entry": frozenset({"kind", "actor", "event_id"}),
    "run": frozenset({"rule", "effect_key", "ended_why"}),
    "step": frozenset({"path", "kind", "awaits"}),
    "trace": frozenset({"event_id", "trigger"}),
    "merge": frozenset({"kind", "by", "undone_by"}),
    "notification": frozenset({"effect_key", "actor"}),
    "sla_clock": frozenset({"policy", "settings"}),
    "storm": frozenset({"rule", "resumed_by"}),
    "domain_event": frozenset({"event_id", "kind"}),
    "webhook_delivery": frozenset({"endpoint", "event_id", "kind"}),
    "inbound_events": frozenset({"id", "adapter", "dedupe_key", "content_type"}),
}
#: What of where somebody came from names a campaign, and no person.
CAMPAIGN = ("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content", "channel")
