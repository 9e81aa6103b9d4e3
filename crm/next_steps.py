"""What is next on the elements that an activity hung on: planned with its end, or asked for."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from crm import activities
from crm.activity_parts import Details
from crm.element import Element, element_of
from models.activity import Activity, ActivityState
from models.company import Company
from models.contact import Contact
from models.deal import Deal
from models.lead import OPEN, Lead
from models.pipeline import StageGroup


def plan(
    session: Session,
    over: Activity,
    *,
    type: str,  # noqa: A002  the field's name everywhere
    subject: str,
    due_at: datetime,
    actor: str,
    owner_id: int | None = None,
    details: Details = Details(),  # noqa: B008  it is frozen
) -> Activity:
    """Plans the next step on the same elements, for the same owner unless another is named."""
    first, *also = _elements(session, over) or [None]
    return activities.plan(
        session,
        first,
        type=type,
        subject=subject,
        due_at=due_at,
        actor=actor,
        owner_id=owner_id if owner_id is not None else over.owner_id,
        also=[e for e in also if e is not None],
        details=details,
    )


def first(session: Session, over: Activity) -> Activity | None:
    """The planned activity that is due first on what this one is about; None where there is none."""
    on = [
        getattr(Activity, name) == row_id
        for name in ("lead_id", "deal_id")
        if (row_id := getattr(over, name)) is not None
    ] or [
        getattr(Activity, name) == row_id
        for name in ("contact_id", "company_id")
        if (row_id := getattr(over, name)) is not None
    ]
    if not on:
        return None
    chosen = select(Activity).where(or_(*on), Activity.state == ActivityState.PLANNED)
    return session.scalars(chosen.order_by(Activity.due_at, Activity.id).limit(1)).first()


def wanted(session: Session, over: Activity) -> bool:
    """Whether whoever ended it should be asked for a next step: an open lead or deal has none."""
    element = element_of(session, over)
    is_open = (isinstance(element, Lead) and element.status in OPEN) or (
        isinstance(element, Deal) and element.state is StageGroup.OPEN
    )
    return is_open and first(session, over) is None


def _elements(session: Session, activity: Activity) -> list[Element | None]:
    found: list[Element | None] = []
    for table, row_id in (
        (Deal, activity.deal_id),
        (Lead, activity.lead_id),
        (Contact, activity.contact_id),
        (Company, activity.company_id),
    ):
        row = session.get(table, row_id) if row_id is not None else None
        if row is not None:
            found.append(row)  # type: ignore[arg-type]
    return found
