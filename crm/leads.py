"""What may be done to a lead. Every change is on its timeline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, cast

from sqlalchemy import Table, bindparam, select, update
from sqlalchemy.orm import Session

from core import clock
from core.errors import Conflict, Invalid
from core.rows import flush_any
from crm import catalogue, fields, newborn, timeline
from crm.contact_points import email_point, phone_point
from crm.happening import Happening
from models.activity import Activity, ActivityState
from models.contact import Contact
from models.contact_point import ContactPoint
from models.deal import Deal
from models.lead import OPEN, STRAIGHT, Lead, LeadStatus
from models.user import User

_ACTIVITY = cast(Table, Activity.__table__)
_PLANNED = (
    update(_ACTIVITY)
    .where(_ACTIVITY.c.lead_id == bindparam("lead"), _ACTIVITY.c.state == ActivityState.PLANNED)
    .values(owner_id=bindparam("to"))
)
_GIVE_FREE = _PLANNED.where(_ACTIVITY.c.owner_id.is_(None))
_GIVE = _PLANNED.where(_ACTIVITY.c.owner_id == bindparam("before"))
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
    _give_activities(session, lead, before, owner)
    if lead.status is LeadStatus.CONVERTED:
        _give_what_came_of_it(session, lead, owner)
    timeline.record(
        session,
        lead,
        kind="assigned",
        summary=f"Assigned to {owner.name}: {why}",
        actor=actor,
        data={"owner": owner.email, "before": before.email if before else None},
    )
    return [Happening("lead.assigned", lead, {"before": before.email if before else None})]


def _give_activities(session: Session, lead: Lead, before: User | None, owner: User) -> None:
    if newborn.is_bare(session, lead):
        return
    given = {"lead": lead.id, "to": owner.id}
    if before is not None:
        given["before"] = before.id
    flush_any(session, Activity)
    session.connection().execute(_GIVE_FREE if before is None else _GIVE, given)
    for row in session.identity_map.values():
        if isinstance(row, Activity):
            session.expire(row, ["owner_id", "owner"])


def _give_what_came_of_it(session: Session, lead: Lead, owner: User) -> None:
    """A lead that waited for an owner when it was converted: whoever has it now has its contact and deals."""
    for table, theirs in ((Deal, Deal.lead_id == lead.id), (Contact, Contact.id == lead.contact_id)):
        session.execute(update(table).where(theirs, table.owner_id.is_(None)).values(owner_id=owner.id))


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
    session: Session,
    lead: Lead,
    status: LeadStatus,
    *,
    actor: str,
    reason: str = "",
    own: str | None = None,
) -> list[Happening]:
    """Moves the lead to another status; a reason is kept with it. `own` is one of the workspace's own.

    Raises Invalid for a lead that is part of another one.
    """
    before, standing = status_of(lead), lead.status
    if (standing, lead.own_status) == (status, own):
        return []
    if standing is LeadStatus.MERGED:
        raise Invalid(f"the lead is part of lead {lead.merged_into_id} now")
    lead.status, lead.own_status = status, own
    lead.updated_at = clock.now()
    lead.closed_at = None if status in OPEN else clock.now()
    lead.closing_reason = None if status in OPEN else reason or None
    after = status_of(lead)
    timeline.record(
        session,
        lead,
        kind="status_changed",
        summary=f"Status: {before} → {after}" + (f" ({reason})" if reason else ""),
        actor=actor,
        data={"before": before, "after": after, "reason": reason},
    )
    return [
        Happening("lead.status_changed", lead, {"before": before, "reason": reason}),
        Happening("lead.updated", lead, {"changes": {"status": before}}),
    ]


def waits_for_owner(lead: Lead) -> bool:
    """Whether somebody has to have it: it is open, or became a deal at once, which is."""
    return lead.status in OPEN or lead.closing_reason == STRAIGHT


def status_of(lead: Lead) -> str:
    """The lead's status as people call it: one of the workspace's own, or one that there is anyway."""
    return lead.own_status or lead.status.value


def move(session: Session, lead: Lead, to: str, *, actor: str, reason: str = "") -> list[Happening]:
    """Moves the lead to an open status by its name, or puts it aside as `junk` for a reason.

    Raises Conflict for a lead that is closed by converting or merging it, Invalid for a name or a reason
    that is none, and for what the status requires.
    """
    settings = catalogue.load(session)
    own = settings.own_status(to)
    known = ["new", "in_progress", *(s.key for s in settings.lead_statuses), "junk"]
    if to not in known:
        raise Invalid("some values are not acceptable", {"/status": f"is none of {', '.join(known)}"})
    if lead.status is LeadStatus.MERGED:
        raise Conflict(f"the lead is part of lead {lead.merged_into_id} now")
    if lead.status is LeadStatus.CONVERTED:
        raise Conflict("the lead is converted; it has to be reopened first")
    if to == LeadStatus.JUNK:
        reasons = [r.key for r in settings.junk_reasons]
        if reasons and reason not in reasons:
            raise Invalid("some values are not acceptable", {"/reason": f"is none of {', '.join(reasons)}"})
    if own is not None and (wrong := fields.missing(lead, own.requires)):
        raise Invalid(f"the status '{to}' needs more to be known", wrong)
    status = LeadStatus.IN_PROGRESS if own is not None else LeadStatus(to)
    return change_status(session, lead, status, actor=actor, reason=reason, own=own.key if own else None)


def set_field(session: Session, lead: Lead, field: str, value: object, *, actor: str) -> list[Happening]:
    """Sets a lead's own field (see `SETTABLE`) or, for any other name, a custom field."""
    return _set(session, lead, field, value, actor=actor)


def _set(session: Session, lead: Lead, field: str, value: object, *, actor: str) -> list[Happening]:
    if field in (*SETTABLE, "email", "phone"):
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


def set_address(
    session: Session, lead: Lead, kind: Literal["email", "phone"], value: str | None, *, actor: str
) -> list[Happening]:
    """Sets the lead's address, or its number in E.164: a new one is its person's too.

    One that belongs to somebody else stays theirs, and stands on the lead alone.
    """
    if value is not None:
        point = email_point(value) if kind == "email" else phone_point(value)
        taken = select(ContactPoint.id).where(ContactPoint.kind == point[0], ContactPoint.value == point[1])
        if session.scalar(taken) is None:
            session.add(ContactPoint(kind=point[0], value=point[1], person_id=lead.person_id))
    return _set(session, lead, kind, value, actor=actor)


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
