"""What becomes of a lead: a contact, a company, a deal; and that everything follows."""

from __future__ import annotations

from decimal import Decimal

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.errors import Conflict, Invalid
from crm import activities, companies, contacts, conversion, deal_lines, deals, duplicates, leads, timeline
from crm.conversion import Into, convert, straight
from models.activity import Activity
from models.contact import Contact
from models.contact_point import ContactPoint
from models.deal import Deal, DealLine
from models.lead import Lead, LeadStatus
from models.pipeline import StageGroup
from models.timeline import TimelineEntry
from tests.factories import NOON, configure, enquire

SETTINGS = {
    "pipelines": """
  - key: direct
    stages:
      - {key: talk, probability: 20}
      - {key: offer, probability: 60, requires: [amount, fields.budget]}
      - {key: won, group: won}
      - {key: lost, group: lost, reason_required: true}
  - {key: second, stages: [{key: a}, {key: w, group: won}, {key: l, group: lost}]}
""",
    "closing_reasons": "  - {key: price, group: lost}\n  - {key: fit, group: won}",
    "junk_reasons": "  - {key: supplier}",
    "currencies": "  - {code: USD, rate: 5.1}\n  - {code: JPY, decimals: 0}",
    "lead_statuses": "  - {key: called, name: Called, requires: [phone]}",
    "fields": "  - {key: budget, on: [deal], type: money}\n  - {key: plan, on: [lead], type: choice, choices: [a, b]}",
    "numbers": "  deal: 'D-{year}-{number:04}'",
}
ALL = frozenset({"contact", "company", "deal"})


@pytest.fixture(autouse=True)
def workspace(database: object) -> None:
    configure(**SETTINGS)


def test_a_lead_becomes_all_three_and_what_hangs_on_it_follows(session: Session) -> None:
    lead = enquire(session, phones=("+5511987654321",), company="Padaria Sol").lead
    activities.plan(session, lead, type="call", subject="Call", due_at=NOON, actor="user:1")
    made = convert(session, lead, into=Into(ALL), by="user:1")
    assert made.contact is not None
    assert made.company is not None
    assert made.deal is not None
    assert (made.contact.name, made.contact.first_name, made.contact.last_name) == (
        "Maria Souza",
        "Maria",
        "Souza",
    )
    assert (made.contact.email, made.contact.phone) == ("maria@client.test", "+5511987654321")
    assert {p.value for p in contacts.points(session, made.contact)} == {
        "maria@client.test",
        "+5511987654321",
    }
    assert (made.company.name, made.contact.company_id) == ("Padaria Sol", made.company.id)
    assert (made.deal.contact_id, made.deal.company_id) == (made.contact.id, made.company.id)
    assert (made.deal.lead_id, made.deal.stage.key, made.deal.number) == (
        lead.id,
        "talk",
        f"D-{made.deal.created_at.year}-{made.deal.id:04}",
    )
    assert (lead.status, lead.contact_id, lead.company_id) == (
        LeadStatus.CONVERTED,
        made.contact.id,
        made.company.id,
    )
    assert lead.closed_at is not None
    assert {h.trigger for h in made.happenings} >= {"lead.converted", "lead.status_changed"}
    session.expire_all()
    activity = session.scalars(select(Activity)).one()
    assert (activity.deal_id, activity.contact_id, activity.company_id) == (
        made.deal.id,
        made.contact.id,
        made.company.id,
    )
    for element in (lead, made.contact, made.company, made.deal):
        told = {e.kind for e in session.scalars(timeline.of(session, element))}
        assert {"submission", "activity_planned"} <= told, element
    activities.complete(session, activity, actor="user:1")
    assert "activity_done" in {e.kind for e in session.scalars(timeline.of(session, made.deal))}


def test_a_converted_lead_is_not_converted_again_until_it_is_reopened(session: Session) -> None:
    lead = enquire(session).lead
    first = convert(session, lead, into=Into(), by="user:1")
    with pytest.raises(Conflict, match="converted"):
        convert(session, lead, into=Into(), by="user:1")
    with pytest.raises(Conflict, match="converted"):
        leads.move(session, lead, "junk", actor="user:1", reason="supplier")
    conversion.reopen(session, lead, by="user:1")
    assert (lead.status, lead.closed_at) == (LeadStatus.IN_PROGRESS, None)
    with pytest.raises(Conflict, match="open"):
        conversion.reopen(session, lead, by="user:1")
    again = convert(session, lead, into=Into(), by="user:1")
    assert again.contact is first.contact
    assert [d.id for d in conversion.deals_of(session, lead)] == [first.deal.id, again.deal.id]  # type: ignore[union-attr]


def test_a_lead_becomes_part_of_what_is_there_and_nothing_there_is_overwritten(session: Session) -> None:
    company = companies.create(session, name="Sol", actor="user:1")
    rui = contacts.create(session, name="Rui", emails=["rui@sol.test"], company_id=company.id, actor="user:1")
    deal = deals.create(session, title="Ovens", amount=Decimal(9), contact=rui, actor="user:1")
    lead = enquire(session, phones=("+5511987654321",)).lead
    made = convert(session, lead, into=Into(frozenset(), contact=rui, deal=deal), by="user:1")
    assert (made.contact, made.company, made.deal) == (rui, None, deal)
    assert (rui.name, rui.email, rui.phone) == ("Rui", "rui@sol.test", "+5511987654321")
    assert lead.person_id == rui.person_id
    values = session.scalars(select(ContactPoint.value).where(ContactPoint.person_id == rui.person_id)).all()
    assert set(values) == {"rui@sol.test", "maria@client.test", "+5511987654321"}
    assert (lead.company_id, deal.lead_id) == (company.id, lead.id)
    other = contacts.create(session, name="Eva", emails=["eva@sol.test"], actor="user:1")
    theirs = enquire(session, emails=("rui@sol.test",)).lead
    with pytest.raises(Conflict, match=f"contact {rui.id}"):
        convert(session, theirs, into=Into(contact=other), by="user:1")


def test_likely_duplicates_are_found_by_address_then_by_name_and_company(session: Session) -> None:
    sol = companies.create(session, name="Padaria Sol Ltda.", domain="sol.test", actor="user:1")
    contacts.create(session, name="Mária de Souza", emails=["m@sol.test"], company_id=sol.id, actor="user:1")
    contacts.create(session, name="Maria Silva", emails=["x@y.test"], actor="user:1")
    lead = enquire(session, name="Maria Souza", company="Padaria Sol", emails=("maria@sol.test",)).lead
    found = duplicates.of_lead(session, lead)
    assert [(c.kind, c.name) for c in found] == [
        ("contact", "Mária de Souza"),
        ("company", "Padaria Sol Ltda."),
    ]
    by_number = duplicates.contacts(session, name="", phones=["+5511900000000"])
    assert by_number == []
    assert duplicates.contacts(session, name="", emails=["X@Y.test"])[0].score == 100


def test_an_address_belongs_to_one_contact(session: Session) -> None:
    ana = contacts.create(session, name="Ana", emails=["a@x.test"], actor="user:1")
    with pytest.raises(Conflict, match=f"contact {ana.id}"):
        contacts.create(session, name="Anna", emails=["A@x.test"], actor="user:1")
    lead = enquire(session, emails=("b@x.test",)).lead
    taken = contacts.create(session, name="Bea", emails=["b@x.test"], actor="user:1")
    assert taken.person_id == lead.person_id  # whoever has enquired is who they are


def test_junk_needs_a_reason_of_the_workspace_s_and_own_statuses_their_fields(session: Session) -> None:
    lead = enquire(session).lead
    with pytest.raises(Invalid) as refused:
        leads.move(session, lead, "junk", actor="user:1", reason="whatever")
    assert "/reason" in refused.value.fields
    with pytest.raises(Invalid) as refused:
        leads.move(session, lead, "called", actor="user:1")
    assert "/phone" in refused.value.fields
    lead.phone = "+5511987654321"
    leads.move(session, lead, "called", actor="user:1")
    assert (leads.status_of(lead), lead.status) == ("called", LeadStatus.IN_PROGRESS)
    leads.move(session, lead, "junk", actor="user:1", reason="supplier")
    assert (lead.status, lead.closing_reason, lead.own_status) == (LeadStatus.JUNK, "supplier", None)
    with pytest.raises(Invalid, match="acceptable"):
        leads.move(session, lead, "nowhere", actor="user:1")


def test_a_stage_asks_for_what_it_requires_and_closing_for_a_reason(session: Session) -> None:
    deal = deals.create(session, title="Ovens", actor="user:1")
    with pytest.raises(Invalid) as refused:
        deals.change_stage(session, deal, "offer", actor="user:1")
    assert set(refused.value.fields) == {"/amount", "/fields/budget"}
    deals.change(session, deal, {"amount": Decimal("1000.555"), "fields": {"budget": "5"}}, actor="user:1")
    deals.change_stage(session, deal, "offer", actor="user:1")
    assert (deal.amount, deal.state) == (Decimal("1000.56"), StageGroup.OPEN)
    for wrong in (None, "fit", "x"):
        with pytest.raises(Invalid) as refused:
            deals.change_stage(session, deal, "lost", actor="user:1", reason=wrong)
        assert "/reason" in refused.value.fields
    deals.change_stage(session, deal, "lost", actor="user:1", reason="price", note="too dear")
    assert (deal.state, deal.closing_reason, deal.closing_note) == (StageGroup.LOST, "price", "too dear")
    assert deal.closed_at is not None
    deals.change_stage(session, deal, "talk", actor="user:1")
    assert (deal.state, deal.closed_at, deal.closing_reason) == (StageGroup.OPEN, None, None)
    assert [s.stage.key for s in deal.stays] == ["talk", "offer", "lost", "talk"]
    assert [s.left_at is None for s in deal.stays] == [False, False, False, True]
    with pytest.raises(Invalid, match="acceptable"):
        deals.change_stage(session, deal, "a", actor="user:1")
    deals.change_stage(session, deal, "a", pipeline="second", actor="user:1")
    assert deal.pipeline.key == "second"


def line(quantity: str, price: str, **more: object) -> DealLine:
    given = {
        "discount": Decimal(0),
        "discount_is_amount": False,
        "tax_rate": Decimal(0),
        "tax_included": False,
    }
    return DealLine(name="x", quantity=Decimal(quantity), price=Decimal(price), **(given | more))


def test_a_deal_s_amount_is_what_its_lines_come_to_rounded_as_its_currency_is(session: Session) -> None:
    deal = deals.create(session, title="Ovens", actor="user:1", amount=Decimal(5))
    lines = [
        line("3", "0.335"),  # 1.005, rounded up
        line("2", "100", discount=Decimal(10), tax_rate=Decimal("17.5")),  # 180 and 31.50
        line("1", "119", tax_rate=Decimal(19), tax_included=True),  # 100 and 19
        line("1", "50", discount=Decimal("0.01"), discount_is_amount=True),
    ]
    deal_lines.set_lines(session, deal, lines, actor="user:1")
    assert [(x.net, x.tax, x.total) for x in deal.lines] == [
        (Decimal("1.01"), Decimal("0.00"), Decimal("1.01")),
        (Decimal("180.00"), Decimal("31.50"), Decimal("211.50")),
        (Decimal("100.00"), Decimal("19.00"), Decimal("119.00")),
        (Decimal("49.99"), Decimal("0.00"), Decimal("49.99")),
    ]
    assert (deal.amount, deal.from_lines) == (Decimal("381.50"), True)
    with pytest.raises(Conflict, match="lines"):
        deals.change(session, deal, {"amount": Decimal(1)}, actor="user:1")
    with pytest.raises(Conflict, match="priced in BRL"):
        deals.change(session, deal, {"currency": "JPY"}, actor="user:1")
    deals.change(session, deal, {"currency": "JPY"}, actor="user:1", new_lines=True)
    deal_lines.set_lines(session, deal, list(deal.lines), actor="user:1")
    assert deal.amount == Decimal(382)  # 1 + 180 + 32 (31.5) + 119 + 50
    deal_lines.set_lines(session, deal, [], actor="user:1")
    deals.change(session, deal, {"amount": Decimal(7)}, actor="user:1")
    assert deal.amount == Decimal(7)
    for amount, currency in (("1e15", "BRL"), ("NaN", "BRL"), ("1.00001", "BRL"), ("1", "XXX")):
        with pytest.raises(Invalid):
            deals.create(session, title="t", actor="a", amount=Decimal(amount), currency=currency)


def test_straight_to_a_deal_makes_one_deal_of_one_person(session: Session) -> None:
    company = companies.create(session, name="Padaria Sol", actor="user:1")
    lead = enquire(session, company="PADARIA SOL LTDA").lead
    told, made = straight(session, lead)
    assert (told.trigger, made.trigger) == ("lead.converted", "deal.created")
    deal = session.get_one(Deal, told.data["deal_id"])
    assert (deal.company_id, deal.title) == (company.id, lead.title)
    assert straight(session, lead) == []
    second = enquire(session).lead  # classic mode makes a second lead of it
    (again,) = straight(session, second)
    assert (second.id == lead.id, again.data["deal_id"]) == (False, deal.id)
    assert session.scalars(select(Contact)).one().id == lead.contact_id
    assert {x.status for x in session.scalars(select(Lead))} == {LeadStatus.CONVERTED}
    assert session.scalars(select(TimelineEntry).where(TimelineEntry.deal_id == deal.id)).first() is not None
