"""What a rule sees of a lead: plain values, taken once, so that a rule can change nothing by looking."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from crm.found import marked
from crm.happening import Happening, about
from crm.leads import status_of
from crm.workspace import WorkspaceSettings
from models.activity import Activity
from models.call import Call
from models.company import Company
from models.contact import Contact
from models.deal import Deal
from models.lead import Lead
from models.message import Message
from models.rule import Run

Facts = dict[str, Any]
#: The triggers that say in `before` what a field was, and which.
_CHANGED = {
    "lead.status_changed": "status",
    "lead.assigned": "owner",
    "deal.stage_changed": "stage",
    "deal.won": "stage",
    "deal.lost": "stage",
}


def of(happening: Happening, workspace: WorkspaceSettings) -> Facts:
    """The variables of `rules.vocabulary` for this happening; what it is not about is there, and empty."""
    facts = {**of_lead(happening.lead, workspace), "event": dict(happening.data)}
    if happening.call is not None:
        facts["call"] = call_facts(happening.call)
    if happening.activity is not None:
        facts["activity"] = activity_facts(happening.activity)
    if happening.deal is not None:
        facts["deal"] = deal_facts(happening.deal)
    if happening.contact is not None:
        facts["contact"] = contact_facts(happening.contact)
    return facts


def of_lead(lead: Lead | None, workspace: WorkspaceSettings) -> Facts:
    """What there is of a lead without anything that happened."""
    return {
        "lead": lead_facts(lead) if lead is not None else {},
        "deal": {},
        "contact": {},
        "event": {},
        "workspace": {
            "name": workspace.name,
            "country": workspace.country,
            "timezone": workspace.timezone,
            "currency": workspace.currency,
        },
    }


def of_element(element: Lead | Deal | Contact, workspace: WorkspaceSettings) -> Facts:
    """What there is of a lead, a deal or a contact by itself. Where there is no lead, what one says of a
    person is the contact's: most templates are written for leads."""
    facts = of(about(element, ""), workspace)
    person = element.contact if isinstance(element, Deal) else element
    if not facts["lead"] and isinstance(person, Contact):
        of_person = contact_facts(person)
        shared = ("name", "email", "phone", "company", "owner", "tags", "fields", "consent")
        facts["lead"] = {name: of_person[name] for name in shared} | {"role": person.position}
    return facts


def cause(happening: Happening) -> dict[str, Any]:
    """The happening as a run keeps it, for the steps that come later."""
    kept: dict[str, Any] = {"trigger": happening.trigger, "event": dict(happening.data)}
    if happening.call is not None:
        kept["call"] = happening.call.id
    if happening.activity is not None:
        kept["activity"] = happening.activity.id
    if happening.message is not None:
        kept["message"] = happening.message.id
    if happening.deal is not None:
        kept["deal"] = happening.deal.id
    return kept


def restored(session: Session, run: Run) -> Happening:
    """What `cause` kept with a run, with what it is about as that is now."""
    kept = run.cause
    deal = run.deal or (session.get(Deal, kept["deal"]) if "deal" in kept else None)
    return Happening(
        kept.get("trigger", ""),
        run.lead,
        kept.get("event", {}),
        call=session.get(Call, kept["call"]) if "call" in kept else None,
        activity=session.get(Activity, kept["activity"]) if "activity" in kept else None,
        message=session.get(Message, kept["message"]) if "message" in kept else None,
        deal=deal,
        contact=run.contact or (deal.contact if deal is not None and deal is run.deal else None),
    )


def look_up(facts: Mapping[str, Any], path: str) -> Any:
    """The value at a path such as `lead.fields.state`; None where it leads nowhere."""
    found: Any = facts
    for word in path.split("."):
        found = found.get(word) if isinstance(found, Mapping) else None
    return found


def lead_facts(lead: Lead) -> dict[str, Any]:
    """A lead as conditions and templates see it."""
    return {
        "id": lead.id,
        "number": lead.id,
        "title": lead.title,
        "status": status_of(lead),
        "channel": lead.channel.value,
        "source": lead.source.key,
        "owner": lead.owner.email if lead.owner else None,
        "name": lead.name,
        "email": lead.email,
        "phone": lead.phone,
        "company": lead.company,
        "role": marked(lead).get("role"),
        "message": lead.message,
        "score": lead.score,
        "tags": list(lead.tags),
        "fields": _plain(lead.fields),
        "attribution": _plain(lead.attribution),
        "consent": lead.consent,
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
        "transcript": call.transcript,
    }


def activity_facts(activity: Activity) -> dict[str, Any]:
    """An activity as conditions and templates see it."""
    return {
        "id": activity.id,
        "type": activity.type,
        "subject": activity.subject,
        "due_at": activity.due_at,
        "owner": activity.owner.email if activity.owner else None,
        "outcome": activity.outcome,
    }


def deal_facts(deal: Deal) -> dict[str, Any]:
    """A deal as conditions and templates see it; its amount as a number, which is for comparing."""
    return {
        "id": deal.id,
        "number": deal.number,
        "title": deal.title,
        "pipeline": deal.pipeline.key,
        "stage": deal.stage.key,
        "state": deal.state.value,
        "amount": float(deal.amount) if deal.amount is not None else None,
        "currency": deal.currency,
        "probability": deal.stage.probability if deal.probability is None else deal.probability,
        "owner": deal.owner.email if deal.owner else None,
        "closing_reason": deal.closing_reason,
        "tags": list(deal.tags),
        "fields": _plain(deal.fields),
        "created_at": deal.created_at,
    }


def contact_facts(contact: Contact) -> dict[str, Any]:
    """A contact as conditions and templates see it."""
    return {
        "id": contact.id,
        "name": contact.name,
        "email": contact.email,
        "phone": contact.phone,
        "position": contact.position,
        "company": contact.company.name if contact.company else None,
        "owner": contact.owner.email if contact.owner else None,
        "tags": list(contact.tags),
        "fields": _plain(contact.fields),
        "consent": contact.consent,
        "created_at": contact.created_at,
    }


def company_facts(company: Company) -> dict[str, Any]:
    """A company as webhooks tell it."""
    return {
        "id": company.id,
        "name": company.name,
        "domain": company.domain,
        "email": company.email,
        "phone": company.phone,
        "city": company.city,
        "country": company.country,
        "owner": company.owner.email if company.owner else None,
        "tags": list(company.tags),
        "fields": _plain(company.fields),
        "created_at": company.created_at,
    }


def changes_of(happening: Happening) -> Mapping[str, Any]:
    """What the fields were that have just changed, by name."""
    data = happening.data
    if happening.trigger == "lead.updated":
        return data.get("changes") or {}
    if happening.trigger in _CHANGED and "before" in data:
        return {_CHANGED[happening.trigger]: data["before"], **(data.get("changes") or {})}
    return {}


def _plain(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {str(name): value for name, value in fields.items()}
