"""What may be done to a lead. Every change is on its timeline."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from core import clock
from core.errors import Invalid
from crm import timeline
from crm.happening import Happening
from models.activity import Activity, ActivityState
from models.attachment import Attachment
from models.call import Call
from models.consent import ConsentGiven
from models.deal import Deal
from models.inbound import InboundEvent
from models.lead import OPEN, Lead, LeadStatus
from models.message import Message
from models.rule import Run, Trace
from models.timeline import TimelineEntry
from models.user import User

# What rules and people may set on a lead by name; everything else has a function of its own.
SETTABLE = ("title", "name", "company", "message", "score")


def open_leads(session: Session, person_id: int) -> Sequence[Lead]:
    """The person's open leads, oldest first, locked until the transaction ends."""
    return session.scalars(
        select(Lead)
        .where(Lead.person_id == person_id, Lead.status.in_(OPEN))
        .order_by(Lead.id)
        .with_for_update(of=Lead)
    ).all()


def assign(session: Session, lead: Lead, owner: User, *, actor: str, why: str) -> list[Happening]:
    """Gives the lead, and its planned activities that nobody else holds, to `owner`."""
    before = lead.owner
    if before is not None and before.id == owner.id:
        return []
    lead.owner = owner
    lead.owner_id = owner.id
    lead.wish, lead.waits = None, False
    lead.updated_at = lead.given_at = clock.now()
    session.execute(
        update(Activity)
        .where(
            Activity.lead_id == lead.id,
            Activity.state == ActivityState.PLANNED,
            Activity.owner_id.is_(None) if before is None else Activity.owner_id == before.id,
        )
        .values(owner_id=owner.id)
    )
    timeline.record(
        session,
        lead,
        kind="assigned",
        summary=f"Assigned to {owner.name}: {why}",
        actor=actor,
        data={"owner": owner.email, "before": before.email if before else None},
    )
    return [Happening("lead.assigned", lead, {"before": before.email if before else None})]


def unassign(session: Session, lead: Lead, *, actor: str, why: str) -> list[Happening]:
    """Takes the lead from its owner; it then waits for one."""
    before = lead.owner
    if before is None:
        return []
    lead.owner = None
    lead.owner_id = None
    lead.updated_at = clock.now()
    timeline.record(
        session,
        lead,
        kind="unassigned",
        summary=f"Taken from {before.name}: {why}",
        actor=actor,
        data={"before": before.email},
    )
    return [Happening("lead.assigned", lead, {"before": before.email})]


def change_status(
    session: Session, lead: Lead, status: LeadStatus, *, actor: str, reason: str = ""
) -> list[Happening]:
    """Moves the lead to another status; a reason is kept with the change.

    Raises Invalid for a lead that is part of another one.
    """
    before = lead.status
    if before is status:
        return []
    if before is LeadStatus.MERGED:
        raise Invalid(f"the lead is part of lead {lead.merged_into_id} now")
    lead.status = status
    lead.updated_at = clock.now()
    words = f"Status: {before.value} → {status.value}" + (f" ({reason})" if reason else "")
    timeline.record(
        session,
        lead,
        kind="status_changed",
        summary=words,
        actor=actor,
        data={"before": before.value, "after": status.value, "reason": reason},
    )
    return [
        Happening("lead.status_changed", lead, {"before": before.value, "reason": reason}),
        Happening("lead.updated", lead, {"changes": {"status": before.value}}),
    ]


def set_field(session: Session, lead: Lead, field: str, value: object, *, actor: str) -> list[Happening]:
    """Sets a lead's own field (see `SETTABLE`) or, for any other name, a custom field."""
    if field in SETTABLE:
        before = getattr(lead, field)
        setattr(lead, field, value)
    else:
        before = lead.fields.get(field)
        lead.fields = {**lead.fields, field: value}
    if before == value:
        return []
    lead.updated_at = clock.now()
    timeline.record(
        session,
        lead,
        kind="changed",
        summary=f"{field}: {before if before not in (None, '') else '(empty)'} → {value}",
        actor=actor,
        data={"field": field, "before": before, "after": value},
    )
    return [Happening("lead.updated", lead, {"changes": {field: before}})]


def add_tag(session: Session, lead: Lead, tag: str, *, actor: str) -> list[Happening]:
    """Puts a tag on the lead; does nothing where it is on already."""
    if tag in lead.tags:
        return []
    lead.tags = [*lead.tags, tag]
    lead.updated_at = clock.now()
    timeline.record(session, lead, kind="tagged", summary=f"Tag added: {tag}", actor=actor, data={"tag": tag})
    return [Happening("tag.added", lead, {"tag": tag})]


def remove_tag(session: Session, lead: Lead, tag: str, *, actor: str) -> list[Happening]:
    """Takes a tag off the lead; does nothing where it is not on."""
    if tag not in lead.tags:
        return []
    lead.tags = [t for t in lead.tags if t != tag]
    lead.updated_at = clock.now()
    timeline.record(
        session, lead, kind="untagged", summary=f"Tag removed: {tag}", actor=actor, data={"tag": tag}
    )
    return []


def absorb(session: Session, lead: Lead, other: Lead, *, why: str) -> None:
    """Makes `other` part of `lead`: everything that hangs on it moves over, `other` is marked merged.

    A planned activity moves only where `lead` has none of its type planned; else it is cancelled,
    so that nobody calls twice.
    """
    planned = set(
        session.scalars(
            select(Activity.type).where(Activity.lead_id == lead.id, Activity.state == ActivityState.PLANNED)
        )
    )
    session.execute(
        update(Activity)
        .where(
            Activity.lead_id == other.id, Activity.state == ActivityState.PLANNED, Activity.type.in_(planned)
        )
        .values(state=ActivityState.CANCELLED, outcome=f"merged into lead {lead.id}", done_at=clock.now())
    )
    moved = (Activity, TimelineEntry, Call, Run, Trace, InboundEvent, Attachment, ConsentGiven, Deal, Message)
    for table in moved:
        session.execute(update(table).where(table.lead_id == other.id).values(lead_id=lead.id))
    if lead.owner_id is not None:
        session.execute(
            update(Activity)
            .where(Activity.lead_id == lead.id, Activity.state == ActivityState.PLANNED)
            .values(owner_id=lead.owner_id)
        )
    for field in ("name", "email", "phone", "company", "message", "contact_id", "company_id"):
        if not getattr(lead, field):
            setattr(lead, field, getattr(other, field))
    lead.fields = {**other.fields, **lead.fields}
    lead.tags = [*lead.tags, *(t for t in other.tags if t not in lead.tags)]
    lead.attribution = lead.attribution or other.attribution
    lead.consent = other.consent if lead.consent is None else lead.consent or bool(other.consent)
    lead.last_inbound_at = max(lead.last_inbound_at, other.last_inbound_at)
    if other.last_outbound_at is not None:
        lead.last_outbound_at = max(lead.last_outbound_at or other.last_outbound_at, other.last_outbound_at)
    lead.updated_at = clock.now()
    other.status = LeadStatus.MERGED
    other.merged_into_id = lead.id
    other.updated_at = clock.now()
    timeline.record(
        session,
        lead,
        kind="merged",
        summary=f"Lead {other.id} was the same person and is part of this one now: {why}",
        data={"merged": other.id},
    )
