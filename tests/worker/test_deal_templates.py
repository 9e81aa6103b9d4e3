"""Deals that come again: of each time one, whatever the scheduler went through."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select
from sqlalchemy.orm import joinedload, selectinload

from core import clock, db
from core.errors import Conflict, Invalid
from core.ids import new_id
from crm import companies, contacts, deal_lines, deal_templates, deals, deletion, merging, privacy
from models.contact import Contact
from models.deal import Deal
from models.deal_template import DealTemplate
from models.pipeline import Pipeline, Stage
from models.rule import Run
from models.timeline import TimelineEntry
from models.user import User
from rules import engine
from tests.factories import NOON, WORKSPACE, configure
from worker import deal_templates as worker

SET_UP = """
pipelines:
  - key: sales
    stages: [{key: new}, {key: offer}, {key: won, group: won}, {key: lost, group: lost}]
products: [{sku: OVEN, name: Oven, prices: {BRL: 100}}]
rules:
  - {name: born, on: deal.created, do: [add_tag: born]}
"""
NEW_YORK = ZoneInfo("America/New_York")


@pytest.fixture(autouse=True)
def crm(database: db.Database) -> None:
    configure(WORKSPACE + SET_UP)


def template(
    first_at: datetime = NOON + timedelta(days=1), rule: str = "FREQ=DAILY", now: datetime = NOON, **more: Any
) -> int:
    """A template of a deal of Ana's with lines, contacts, a source's tags and fields."""
    with clock.frozen(now), db.unit_of_work() as session:
        ana = session.scalars(select(User).where(User.name == "Ana")).one()
        company = companies.create(session, name="Sol", actor="t")
        rui, eva = (
            contacts.create(session, name=name, emails=[f"{new_id()}@x.test"], actor="t")
            for name in ("Rui", "Eva")
        )
        deal = deals.create(
            session, title="Oven rent", actor="t", contact=rui, company_id=company.id, owner_id=ana.id,
            tags=["rent"], custom={"size": "L"}, stage="offer",
        )  # fmt: skip
        deals.set_contacts(session, deal, [(eva.id, "decides")], actor="t")
        line = {"sku": "OVEN", "quantity": Decimal("2.5"), "discount": Decimal(10), "tax_rate": Decimal(18)}
        deal_lines.set_lines(session, deal, [deal_lines.line(session, "BRL", line, field="")], actor="t")
        made = deal_templates.create(session, deal, rule=rule, first_at=first_at, actor="user:1", **more)
        return made.id


def run(at: datetime, turns: int = 1) -> int:
    with clock.frozen(at):
        return sum(worker.make_due() for _ in range(turns))


def made() -> list[Deal]:
    """The deals that were made by a template, in their order."""
    with db.reading() as session:
        shown = (joinedload(Deal.stage), selectinload(Deal.lines), selectinload(Deal.contacts))
        return list(session.scalars(select(Deal).where(Deal.id > 1).order_by(Deal.id).options(*shown)))


def told() -> DealTemplate:
    with db.reading() as session:
        return session.scalars(select(DealTemplate)).one()


def change(template_id: int, at: datetime = NOON, **values: Any) -> None:
    with clock.frozen(at), db.unit_of_work() as session:
        deal_templates.change(session, session.get_one(DealTemplate, template_id), **values)


def wall(text: str, zone: ZoneInfo = NEW_YORK) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


def test_a_deal_comes_again_as_it_was_and_rules_hear_of_it() -> None:
    template_id = template()
    assert run(NOON + timedelta(days=1, seconds=-1)) == 0
    assert (run(NOON + timedelta(days=1)), run(NOON + timedelta(days=1))) == (1, 0)
    (deal,) = made()
    assert (deal.title, deal.stage.key, deal.amount, deal.currency) == (
        "Oven rent",
        "new",
        Decimal("265.5"),
        "BRL",
    )
    assert (deal.owner_id is not None, deal.tags, deal.fields) == (True, ["rent", "born"], {"size": "L"})
    assert (deal.contact_id, deal.company_id, deal.template_id, deal.lead_id) == (1, 1, template_id, None)
    assert [(c.contact_id, c.role) for c in deal.contacts] == [(2, "decides")]
    (line,) = deal.lines
    assert (line.name, line.quantity, line.price, line.discount) == (
        "Oven",
        Decimal("2.5"),
        Decimal(100),
        Decimal(10),
    )
    assert (line.product_id, line.tax_rate, line.total, deal.from_lines) == (
        1,
        Decimal(18),
        Decimal("265.5"),
        True,
    )
    with db.reading() as session:
        assert [r.rule for r in session.scalars(select(Run))] == ["born"]
        entry = session.scalars(
            select(TimelineEntry).where(TimelineEntry.deal_id == deal.id, TimelineEntry.kind == "comes_again")
        ).one()
        assert entry.summary == "Made by the template “Oven rent” for 24 November 2026"
        assert entry.data["template"] == template_id
    row = told()
    assert (row.made, row.next_at) == (1, NOON + timedelta(days=2))


def test_what_was_missed_is_made_up_for_one_each_in_its_order() -> None:
    template()
    template(first_at=NOON + timedelta(days=3))
    late = NOON + timedelta(days=4, hours=1)
    assert run(late) == 2
    assert run(late, turns=10) == 4
    with db.reading() as session:
        entries = session.scalars(
            select(TimelineEntry)
            .where(TimelineEntry.kind == "comes_again", TimelineEntry.actor == "service")
            .order_by(TimelineEntry.id)
        ).all()
    days = {1: [1, 2, 3, 4], 2: [3, 4]}
    for template_id, missed in days.items():
        times = [e.data["at"] for e in entries if e.data["template"] == template_id]
        assert times == [(NOON + timedelta(days=n)).isoformat() for n in missed]


def test_of_many_schedulers_at_once_each_time_has_one_deal() -> None:
    template()
    with clock.frozen(NOON + timedelta(days=3)), ThreadPoolExecutor(6) as pool:
        for _ in range(4):
            list(pool.map(lambda _: worker.make_due(), range(6)))
    assert len(made()) == 3
    assert (told().made, told().next_at) == (3, NOON + timedelta(days=4))


def test_a_stop_in_the_middle_makes_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    template()
    real = engine.react

    def broken(*args: Any, **more: Any) -> None:
        raise RuntimeError("the process dies")

    monkeypatch.setattr(worker.engine, "react", broken)
    assert (run(NOON + timedelta(days=1)), made(), told().made) == (0, [], 0)
    monkeypatch.setattr(worker.engine, "react", real)
    assert (run(NOON + timedelta(days=1), turns=3), len(made())) == (1, 1)


@pytest.mark.parametrize(
    ("rule", "first", "times"),
    [
        # New York's clocks went forward on 14 March 2027 and go back on 7 November.
        ("FREQ=WEEKLY", "2027-03-12T09:00", ["2027-03-19T09:00", "2027-03-26T09:00"]),
        ("FREQ=MONTHLY", "2027-10-20T09:00", ["2027-11-20T09:00", "2027-12-20T09:00"]),
        ("FREQ=MONTHLY", "2027-01-31T09:00", ["2027-03-31T09:00", "2027-05-31T09:00"]),
        ("FREQ=MONTHLY;BYMONTHDAY=-1", "2027-01-31T09:00", ["2027-02-28T09:00", "2027-03-31T09:00"]),
    ],
)
def test_it_comes_at_its_time_on_the_wall(rule: str, first: str, times: list[str]) -> None:
    template(wall(first), rule, zone=NEW_YORK.key)
    for at in [first, *times]:
        assert told().next_at == wall(at)
        assert run(wall(at)) == 1


@pytest.mark.parametrize("rule", ["FREQ=DAILY;COUNT=2", "FREQ=DAILY;UNTIL=20261125"])
def test_a_rule_that_ends_ends_it(rule: str) -> None:
    template(rule=rule)
    assert run(NOON + timedelta(days=30), turns=5) == 2
    row = told()
    assert (row.next_at, row.ended_at, row.ended_why) == (
        None, NOON + timedelta(days=30), "the rule has come to its end",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"rule": "FREQ=SECONDLY"}, "/rule"),
        ({"rule": "FREQ=HOURLY"}, "/rule"),
        ({"rule": "FREQ=DAILY;COUNT=99999999"}, "/rule"),
        ({"rule": "FREQ=DAILY;INTERVAL=0"}, "/rule"),
        ({"rule": "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30"}, "/rule"),
        ({"rule": "FREQ=DAILY;BYDAY=" + "MO," * 5000 + "MO"}, "/rule"),
        ({"rule": "every month"}, "/rule"),
        ({"rule": ""}, "/rule"),
        ({"rule": "FREQ=DAILY;UNTIL=20200101"}, "/rule"),
        ({"zone": "Mars/Olympus"}, "/zone"),
        ({"zone": "../etc/passwd"}, "/zone"),
        ({"stage": "nowhere"}, "/stage"),
        ({"first_at": NOON}, "/first_at"),
        ({"first_at": NOON + timedelta(days=366 * 21)}, "/first_at"),
    ],
)
def test_what_cannot_be_is_refused_with_its_field(more: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        template(**more)
    assert set(refused.value.fields) == {field}
    with db.reading() as session:
        assert session.scalars(select(DealTemplate)).all() == []


def test_a_deal_has_one_template() -> None:
    template()
    with db.unit_of_work() as session, pytest.raises(Conflict, match="already"):
        deal_templates.create(
            session, session.get_one(Deal, 1), rule="FREQ=DAILY", first_at=clock.now() + timedelta(days=9), actor="t"
        )  # fmt: skip


def test_it_ends_with_a_reason_where_no_deal_can_be_made() -> None:
    for column, words in (
        (Pipeline, "the pipeline 'sales' is not used any more"),
        (Stage, "stage is no stage of 'sales'; there are offer, won, lost"),
    ):
        template_id = template(stage="new")
        with db.unit_of_work() as session:
            row: Pipeline | Stage = session.scalars(
                select(column).where(column.key.in_(("sales", "new")))
            ).one()
            row.active = False
        assert run(NOON + timedelta(days=5), turns=3) == 0
        with db.unit_of_work() as session:
            stopped = session.get_one(DealTemplate, template_id)
            assert (stopped.next_at, stopped.ended_why) == (None, words)
            session.get_one(column, row.id).active = True
        # Once it is mended, another time lets it go on.
        change(template_id, NOON + timedelta(days=5), next_at=NOON + timedelta(days=6))
        assert run(NOON + timedelta(days=6)) == 1
        change(template_id, paused=True)


def test_of_an_owner_who_has_left_it_is_nobodys() -> None:
    template()
    with db.unit_of_work() as session:
        session.scalars(select(User).where(User.name == "Ana")).one().active = False
    assert run(NOON + timedelta(days=1)) == 1
    assert made()[0].owner_id is None


def test_what_passes_while_it_is_paused_is_left_out() -> None:
    template_id = template()
    change(template_id, paused=True)
    assert run(NOON + timedelta(days=5, hours=1)) == 0
    change(template_id, NOON + timedelta(days=5, hours=1), paused=False)
    assert told().next_at == NOON + timedelta(days=6)
    assert run(NOON + timedelta(days=6), turns=3) == 1


def test_another_time_keeps_what_is_left_of_a_count() -> None:
    template_id = template(rule="FREQ=DAILY;COUNT=3")
    assert run(NOON + timedelta(days=1)) == 1
    change(template_id, NOON + timedelta(days=1), next_at=NOON + timedelta(days=10))
    assert told().recurrence == "FREQ=DAILY;COUNT=2"
    assert run(NOON + timedelta(days=40), turns=9) == 2
    with pytest.raises(Invalid) as refused:
        change(template_id, rule="FREQ=WEEKLY")
    assert set(refused.value.fields) == {"/next_at"}


def test_a_deleted_template_makes_nothing_and_its_deals_stay() -> None:
    template_id = template()
    run(NOON + timedelta(days=1))
    with db.unit_of_work() as session:
        deal_templates.delete(session, session.get_one(DealTemplate, template_id), actor="user:1")
    assert run(NOON + timedelta(days=9)) == 0
    assert [d.template_id for d in made()] == [None]
    with db.reading() as session:
        (entry, *_) = session.scalars(select(TimelineEntry).order_by(TimelineEntry.id.desc()))
        assert (entry.summary, entry.deal_id) == ("Does not come again", made()[0].id)


def test_merged_contacts_deleted_deals_and_erased_people() -> None:
    template_id = template()
    with db.unit_of_work() as session:
        for name, part in (("Rui", 1), ("Eva", 2)):
            other = contacts.create(session, name=f"{name} P.", emails=[f"{name}2@x.test"], actor="t")
            one, two = merging.pair(session, Contact, other.id, part)
            merging.merge(session, one, two, by="t")
        deals.create(session, title="Another", actor="t")  # SQLite gives the last number again
        deletion.delete(session, session.get_one(Deal, 1))
        with pytest.raises(Conflict, match="deal templates"):
            deletion.delete(session, session.get_one(Contact, 3))
    assert run(NOON + timedelta(days=1)) == 1
    (_, deal) = made()
    assert (deal.contact_id, [(c.contact_id, c.role) for c in deal.contacts]) == (3, [(4, "decides")])
    with db.unit_of_work() as session:
        contact = session.get_one(Contact, 3)
        privacy.erase(session, privacy.of_contact(session, contact), by="user:1")
    row = told()
    assert (row.id, row.title, row.fields, row.next_at, row.ended_why) == (
        template_id,
        "(erased)",
        {},
        None,
        "erased",
    )
    assert run(NOON + timedelta(days=9)) == 0
