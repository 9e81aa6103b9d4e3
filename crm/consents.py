"""What people agreed to: evidence, and whether marketing may reach them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.submission import Submission
from models.consent import ConsentGiven
from models.lead import Lead

_LONGEST_PAGE = 2000


def record(
    session: Session,
    lead: Lead,
    submission: Submission,
    *,
    source: str,
    event_id: str | None,
    address: str,
    at: datetime,
) -> None:
    """Keeps each question that was asked, with its answer. Who agreed once has agreed until they withdraw."""
    for consent in submission.consents:
        session.add(
            ConsentGiven(
                lead_id=lead.id,
                event_id=event_id,
                source=source,
                field=consent.name[:100],
                text=consent.text,
                version=consent.version,
                given=consent.given,
                at=at,
                address=address,
                page=str(submission.attribution.get("page_url", ""))[:_LONGEST_PAGE],
            )
        )
    if submission.consent is not None:
        lead.consent = bool(lead.consent or submission.consent)


def of_lead(session: Session, lead_id: int) -> Sequence[ConsentGiven]:
    """What was asked of the lead's person, oldest first."""
    chosen = select(ConsentGiven).where(ConsentGiven.lead_id == lead_id).order_by(ConsentGiven.id)
    return session.scalars(chosen.limit(500)).all()
