"""What comes of what a program tells: rules hear of it, with whoever it is about."""

from __future__ import annotations

from sqlalchemy import select

from crm import timeline
from crm.contact_points import Point, email_address, email_point, phone_number, phone_point
from crm.happening import about
from crm.standing import standing
from crm.submission import Notice
from intake.passage import Passage
from models.contact import Contact
from models.contact_point import ContactPoint
from models.deal import Deal
from models.lead import Lead


def follow(passage: Passage, notice: Notice) -> Lead | None:
    """Lets the rules react; answers the lead that it is about, where it is about one."""
    element = _about(passage, notice)
    source = passage.source
    data = {"source": source.key, "type": notice.kind, "body": dict(notice.body)}
    if element is not None:
        timeline.record(
            passage.session,
            element,
            kind="webhook",
            summary=f"Told by {source.name}: {notice.kind or 'something happened'}"[:500],
            data={"source": source.key, "type": notice.kind},
            event_id=passage.event.id,
            at=passage.event.received_at,
        )
    passage.tell([about(element, "webhook.received", data)])
    return element if isinstance(element, Lead) else None


def _about(passage: Passage, notice: Notice) -> Lead | Deal | Contact | None:
    """The open lead, else the open deal, else the contact of whoever is named; it is held."""
    points: list[Point] = []
    if notice.email and (address := email_address(notice.email)) is not None:
        points.append(email_point(address))
    if notice.phone and (number := phone_number(notice.phone, passage.country)) is not None:
        points.append(phone_point(number))
    for kind, value in points:
        person_id = passage.session.scalar(
            select(ContactPoint.person_id).where(ContactPoint.kind == kind, ContactPoint.value == value)
        )
        if person_id is not None:
            return standing(passage.session, person_id).element
    return None
