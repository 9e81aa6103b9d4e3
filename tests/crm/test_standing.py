"""Contacts, companies and deals beside leads: who somebody is to us, and what happened to whom."""

from __future__ import annotations

from decimal import Decimal

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm import activities, timeline
from crm.identity import identify
from crm.standing import standing
from models.contact import Contact
from models.contact_point import PointKind
from models.deal import Deal, DealContact
from models.lead import LeadStatus
from models.timeline import TimelineEntry
from tests.factories import NOON, configure, contact, deal, enquire


@pytest.fixture(autouse=True)
def workspace(database: object) -> None:
    configure()


def test_an_open_lead_comes_before_an_open_deal_and_a_deal_before_the_contact(session: Session) -> None:
    lead = enquire(session).lead
    assert standing(session, lead.person_id).element is lead
    maria = contact(session, lead=lead)
    theirs = deal(session, contact_id=maria.id)
    assert standing(session, lead.person_id).element is lead
    lead.status = LeadStatus.CONVERTED
    assert standing(session, lead.person_id).element is theirs
    closed = deal(session, stage="won", contact_id=maria.id)
    assert standing(session, lead.person_id).deal is theirs
    session.delete(theirs)
    assert standing(session, lead.person_id).element is maria
    other = deal(session)
    session.add(DealContact(deal_id=other.id, contact_id=maria.id, role="decides"))
    assert standing(session, lead.person_id, lock=False).deal is other is not closed
    stranger = standing(session, identify(session, [(PointKind.EMAIL, "x@y.test")]).person_id)
    assert stranger.element is None


def test_a_new_enquiry_of_a_contact_hangs_on_the_contact(session: Session) -> None:
    first = enquire(session).lead
    first.status = LeadStatus.JUNK
    maria = contact(session, lead=first)
    again = enquire(session)
    assert (again.created, again.lead.contact_id) == (True, maria.id)


def test_one_timeline_for_each_element_and_a_contact_s_shows_its_leads_and_deals(session: Session) -> None:
    lead = enquire(session).lead
    maria = contact(session, lead=lead)
    lead.contact_id = maria.id
    theirs = deal(session, contact_id=maria.id)
    shared = deal(session)
    session.add(DealContact(deal_id=shared.id, contact_id=maria.id))
    for element, words in ((lead, "lead"), (maria, "self"), (theirs, "deal"), (shared, "part")):
        timeline.record(session, element, kind="comment", summary=words)
    activities.plan(session, theirs, type="call", subject="s", due_at=NOON, actor="user:1")
    session.flush()

    def told(element: Deal | Contact) -> set[str]:
        return {e.summary for e in session.scalars(timeline.of(session, element))}

    assert told(maria) == {"Form: contact", "lead", "self", "deal", "part", "Call planned: s"}
    assert told(theirs) == {"deal", "Call planned: s"}


def test_an_entry_is_pinned_and_unpinned(session: Session) -> None:
    entry = timeline.record(session, enquire(session).lead, kind="comment", summary="x")
    for pinned in (True, False):
        timeline.pin(session, entry, pinned=pinned)
        assert session.scalar(select(TimelineEntry.pinned).where(TimelineEntry.id == entry.id)) is pinned


def test_a_person_who_turns_out_to_be_a_contact_keeps_it_and_two_contacts_stay_two(session: Session) -> None:
    phone, other, mail = (
        (PointKind.PHONE, "+5511900000001"),
        (PointKind.PHONE, "+5511900000002"),
        (PointKind.EMAIL, "a@b.test"),
    )
    by_phone = identify(session, [phone]).person_id
    made = contact(session)
    made.person_id = by_phone
    session.flush()
    both = identify(session, [mail, phone])
    session.refresh(made)
    assert made.person_id == both.person_id
    second = contact(session)
    second.person_id = identify(session, [other]).person_id
    session.flush()
    again = identify(session, [mail, other])
    assert again.person_id == both.person_id
    assert again.shared == ("+5511900000002",)
    assert again.absorbed == ()


def test_money_is_exact_on_every_database(session: Session) -> None:
    for amount in ("0.1", "0.2", "12345678901234.5678", "-3.5"):
        deal(session, amount=Decimal(amount))
    session.flush()
    session.expire_all()
    assert session.scalar(select(func.sum(Deal.amount))) == Decimal("12345678901231.3678")
    assert session.scalar(
        select(Deal.amount).where(Deal.amount > Decimal("0.15")).order_by(Deal.amount)
    ) == Decimal("0.2")
