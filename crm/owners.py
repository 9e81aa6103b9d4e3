"""Who has a deal or a contact; leads are given in `crm.leads`."""

from __future__ import annotations

from sqlalchemy import update
from sqlalchemy.orm import Session

from core import clock
from crm import timeline
from models.activity import Activity, ActivityState
from models.contact import Contact
from models.deal import Deal
from models.user import User


def give(session: Session, element: Deal | Contact, owner: User | None, *, actor: str, why: str) -> bool:
    """Gives it, and its planned activities that nobody else holds, to `owner`, or to nobody; says whether
    somebody else had it."""
    before = element.owner
    if (before.id if before else None) == (owner.id if owner else None):
        return False
    element.owner, element.owner_id = owner, owner.id if owner else None
    element.updated_at = clock.now()
    if owner is not None:
        on = Activity.deal_id if isinstance(element, Deal) else Activity.contact_id
        held = Activity.owner_id.is_(None) if before is None else Activity.owner_id == before.id
        session.execute(
            update(Activity)
            .where(on == element.id, Activity.state == ActivityState.PLANNED, held)
            .values(owner_id=owner.id)
        )
    whose = before.name if before else "nobody"
    timeline.record(
        session,
        element,
        kind="assigned" if owner else "unassigned",
        summary=f"Assigned to {owner.name}: {why}" if owner else f"Taken from {whose}: {why}",
        actor=actor,
        data={"owner": owner.email if owner else None, "before": before.email if before else None},
    )
    session.flush()
    return True
