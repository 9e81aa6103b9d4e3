"""What a rule sees of a lead: plain values, taken once, so that a rule can change nothing by looking."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crm.happening import Happening
from crm.workspace import WorkspaceSettings
from models.call import Call
from models.lead import Lead


def of(happening: Happening, workspace: WorkspaceSettings) -> dict[str, dict[str, Any]]:
    """The variables of `rules.vocabulary` for this happening."""
    data = dict(happening.data)
    call = data.pop("call", None)
    facts = {
        "lead": lead_facts(happening.lead),
        "event": data,
        "workspace": {
            "name": workspace.name,
            "country": workspace.country,
            "timezone": workspace.timezone,
            "currency": workspace.currency,
        },
    }
    return facts | {"call": call_facts(call)} if isinstance(call, Call) else facts


def lead_facts(lead: Lead) -> dict[str, Any]:
    """A lead as conditions and templates see it."""
    return {
        "id": lead.id,
        "number": lead.id,
        "title": lead.title,
        "status": lead.status.value,
        "channel": lead.channel.value,
        "source": lead.source.key,
        "owner": lead.owner.email if lead.owner else None,
        "name": lead.name,
        "email": lead.email,
        "phone": lead.phone,
        "company": lead.company,
        "message": lead.message,
        "score": lead.score,
        "tags": list(lead.tags),
        "fields": _plain(lead.fields),
        "attribution": _plain(lead.attribution),
        "created_at": lead.created_at,
    }


def call_facts(call: Call) -> dict[str, Any]:
    """A call as conditions and templates see it."""
    return {
        "id": call.id,
        "line": call.source.key,
        "direction": call.direction,
        "from": call.from_number,
        "to": call.to_number,
        "result": call.result.value if call.result else None,
        "ring_seconds": call.ring_seconds,
        "talk_seconds": call.talk_seconds,
        "withheld": call.from_number is None,
    }


def _plain(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {str(name): value for name, value in fields.items()}
