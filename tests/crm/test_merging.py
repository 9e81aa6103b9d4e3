"""Two become one, with all that hangs on them, and two again."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import inspect, select
from sqlalchemy.orm import Session

from core import db
from core.errors import Conflict, Invalid
from core.ids import new_id
from crm import activities, capture, companies, contacts, leads, merging, timeline
from models import Base
from models.activity import Activity, ActivityState
from models.attachment import Attachment
from models.call import Call
from models.consent import ConsentGiven
from models.contact import Contact
from models.contact_point import ContactPoint
from models.deal import Deal, DealContact
from models.lead import Lead, LeadStatus
from models.merge import Merge
from models.message import Direction, Message, MessageState
from models.offer import Offer, OfferState
from models.rule import RulesetVersion, Run, Trace
from models.sla import SlaClock
from models.user import User
from tests import factories
from tests.factories import NOON, configure, enquire

KINDS = ("lead", "contact", "company")
WORDS = st.one_of(st.none(), st.sampled_from(["a", "b", "Sol", "O'Hara — ção"]))
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 5),
    st.text(st.characters(codec="utf-8", categories=("L", "N")), max_size=5),
)
SIDE = st.fixed_dictionaries(
    {
        "tags": st.lists(st.sampled_from(["x", "y", "z", "w"]), max_size=3, unique=True),
        "fields": st.dictionaries(st.sampled_from(["a", "b", "c.d", "e"]), VALUES, max_size=3),
        "consent": st.sampled_from([None, True, False]),
        "name": st.sampled_from(["", "Ana", "Bea"]),
        "words": WORDS,
        "owned": st.booleans(),
        "hanging": st.lists(st.integers(0, 9), max_size=6),
    }
)
CHOICES = st.dictionaries(
    st.sampled_from(
        ["name", "phone", "owner", "source", "tags", "fields.a", "fields.c.d", "email", "consent"]
    ),
    st.sampled_from(["survivor", "other"]),
    max_size=5,
)


def everything(session: Session) -> dict[str, Any]:
    """All rows of all tables, but for what merging itself writes down and when they were changed."""
    session.flush()
    session.expire_all()
    found: dict[str, Any] = {}
    for table in Base.metadata.sorted_tables:
        if table.name == "merge":
            continue
        rows = [dict(row) for row in session.execute(select(table)).mappings()]
        if table.name == "timeline_entry":
            rows = [row for row in rows if row["kind"] not in ("merged", "split")]
        for row in rows:
            row.pop("updated_at", None)
        found[table.name] = sorted(rows, key=repr)
    return found


def version(session: Session) -> RulesetVersion:
    there = session.scalars(select(RulesetVersion)).first()
    made = there or RulesetVersion(rules=[], content_hash="0" * 64, published_at=NOON, published_by="test")
    session.add(made)
    session.flush()
    return made


def hang(session: Session, kind: str, row: Any, what: int, deal: Deal) -> None:
    """Something that hangs on a row: of each of the tables that may."""
    at = {f"{kind}_id": row.id}
    key = new_id()
    if what == 0:
        activities.plan(session, row, type="call", subject="Call", due_at=NOON, actor="user:1")
    elif what == 1:
        timeline.record(session, row, kind="comment", summary="Hello")
    elif what == 2:
        line = factories.source(session)
        session.add(
            Call(
                source_id=line.id,
                provider="x",
                group_id=key,
                provider_call_id=key,
                heard_at=NOON,
                created_at=NOON,
                **at,
            )
        )
    elif what == 3:
        session.add(
            Attachment(
                event_id=key,
                position=0,
                name="a.pdf",
                kind="x",
                size=1,
                digest="0",
                place="p",
                created_at=NOON,
                **at,
            )
        )
    elif what == 4 and kind != "company":
        session.add(
            Message(
                direction=Direction.IN,
                state=MessageState.RECEIVED,
                effect_key=key,
                message_id=key,
                thread=key[:30],
                created_at=NOON,
                **at,
            )
        )
    elif what == 5:
        factories.deal(session, **at)
    elif what == 6 and kind == "contact":
        if session.get(DealContact, (deal.id, row.id)) is None:
            session.add(DealContact(deal_id=deal.id, contact_id=row.id, role=f"role of {row.id}"))
    elif what == 6 and kind == "company":
        factories.contact(session, company_id=row.id)
    elif what == 7 and kind != "lead":
        other = enquire(session, emails=(f"{key}@x.test",)).lead
        setattr(other, f"{kind}_id", row.id)
    elif what == 8 and kind == "lead":
        rules = version(session)
        session.add(
            Run(
                ruleset_version_id=rules.id,
                rule="r",
                lead_id=row.id,
                effect_key=key,
                depth=0,
                started_at=NOON,
            )
        )
        session.add(Trace(lead_id=row.id, trigger="manual", at=NOON, rules=[]))
        session.add(
            ConsentGiven(
                lead_id=row.id,
                event_id=key,
                source="contact",
                field="c",
                text="t",
                version="1",
                given=True,
                at=NOON,
                address="",
                page="",
            )
        )
    elif what == 9 and kind == "lead":
        user = session.scalars(select(User)).first()
        assert user is not None
        session.add(
            Offer(lead_id=row.id, user_id=user.id, state=OfferState.OPEN, offered_at=NOON, expires_at=NOON)
        )
        if session.get(SlaClock, row.id) is None:
            session.add(
                SlaClock(lead_id=row.id, policy="p", settings={}, started_at=NOON, running_since=NOON)
            )
    session.flush()


def made(session: Session, kind: str, said: dict[str, Any], number: int, deal: Deal) -> Any:
    user = session.scalars(select(User).order_by(User.id)).all()[number % 3]
    if kind == "company":
        row: Any = companies.create(session, name=said["name"] or "Co", actor="user:1", domain=said["words"])
    elif kind == "contact":
        row = contacts.create(
            session, name=said["name"] or "Rui", emails=[f"c{number}{new_id()[-8:]}@x.test"], actor="user:1"
        )
        row.position, row.consent = said["words"], said["consent"]
    else:
        row = enquire(
            session, emails=(f"l{number}{new_id()[-8:]}@x.test",), phones=(), name=said["name"]
        ).lead
        row.company, row.consent = said["words"], said["consent"]
        row.status = [LeadStatus.NEW, LeadStatus.IN_PROGRESS, LeadStatus.JUNK][number % 3]
        row.last_outbound_at = NOON + timedelta(hours=number) if said["owned"] else None
    row.tags, row.fields = said["tags"], said["fields"]
    row.owner_id = user.id if said["owned"] else None
    for what in said["hanging"]:
        hang(session, kind, row, what, deal)
    return row


@pytest.mark.parametrize("kind", KINDS)
def test_split_after_merge_restores_both(database: db.Database, kind: str) -> None:
    configure()

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(one=SIDE, two=SIDE, choose=CHOICES)
    def check(one: dict[str, Any], two: dict[str, Any], choose: dict[str, str]) -> None:
        if kind == "company":
            choose.pop("consent", None)
        with database.unit_of_work() as session:
            deal = factories.deal(session)
            survivor, other = made(session, kind, one, 0, deal), made(session, kind, two, 1, deal)
            survivor_id, other_id = survivor.id, other.id
            before = everything(session)
            survivor, other = merging.pair(session, type(survivor), survivor_id, other_id)
            done = merging.merge(session, survivor, other, by="user:1", choose=choose)
            assert other.merged_into_id == survivor_id
            for column in merging.carrying.references(kind):
                assert session.execute(select(column).where(column == other_id)).first() is None, column
            merging.split(session, done, by="user:1")
            after = everything(session)
            assert {k: v for k, v in after.items() if v != before[k]} == {}

    check()


def test_every_table_that_refers_to_an_element_is_carried(database: db.Database) -> None:
    for kind in KINDS:
        named = {
            f"{table}.{column['constrained_columns'][0]}"
            for table in inspect(database.engine).get_table_names()
            for column in inspect(database.engine).get_foreign_keys(table)
            if column["referred_table"] == kind
        }
        known = {f"{c.table.name}.{c.name}" for c in merging.carrying.references(kind)}
        assert named - known == {f"{kind}.merged_into_id"}
    assert "inbound_events.lead_id" in {
        f"{c.table.name}.{c.name}" for c in merging.carrying.references("lead")
    }


def two_contacts(session: Session) -> tuple[Contact, Contact]:
    one = contacts.create(session, name="Maria Souza", emails=["m@a.test"], actor="user:1", position="Buyer")
    two = contacts.create(
        session, name="M. Souza", emails=["m@b.test"], phones=["+5511987654321"], actor="user:1"
    )
    return one, two


def test_whoever_was_two_contacts_is_found_by_every_address(session: Session) -> None:
    configure_and = configure
    assert configure_and is configure
    one, two = two_contacts(session)
    done = merging.merge(session, one, two, by="user:1", choose={"name": "other"})
    assert (one.name, one.first_name, one.position) == ("M. Souza", "M.", "Buyer")
    assert {p.value for p in contacts.points(session, one)} == {"m@a.test", "m@b.test", "+5511987654321"}
    assert (two.person_id, merging.standing(session, two)) == (None, one)
    merging.split(session, done, by="user:1")
    assert (one.name, two.name) == ("Maria Souza", "M. Souza")
    assert {p.value for p in contacts.points(session, two)} == {"m@b.test", "+5511987654321"}


def test_what_was_done_since_stays_with_the_survivor(session: Session) -> None:
    one, two = two_contacts(session)
    two.tags, two.fields = ["vip"], {"size": "L", "colour": "red"}
    done = merging.merge(session, one, two, by="user:1", choose={"name": "other"})
    contacts.change(session, one, {"name": "Maria S.", "fields": {"colour": "blue"}}, actor="user:1")
    one.tags = [*one.tags, "new"]
    timeline.record(session, one, kind="comment", summary="since")
    merging.split(session, done, by="user:1")
    assert (one.name, one.first_name, one.tags, one.fields) == (
        "Maria S.",
        "Maria",
        ["new"],
        {"colour": "blue"},
    )
    assert (two.tags, two.fields) == (["vip"], {"size": "L", "colour": "red"})
    kinds = session.scalars(
        select(timeline.TimelineEntry.kind).where(timeline.TimelineEntry.contact_id == one.id)
    )
    assert "comment" in set(kinds)


def test_merges_can_be_undone_in_any_order(session: Session) -> None:
    one, two = two_contacts(session)
    three = contacts.create(session, name="Third", emails=["t@c.test"], actor="user:1", position="Boss")
    one.position, two.position = None, "Seller"
    one.tags, two.tags, three.tags = ["a"], ["b"], ["c"]
    first = merging.merge(session, one, two, by="user:1")
    second = merging.merge(session, one, three, by="user:1", choose={"position": "other"})
    assert (one.position, one.tags) == ("Boss", ["a", "b", "c"])
    merging.split(session, first, by="user:1")
    assert (one.position, one.tags) == ("Boss", ["a", "c"])
    merging.split(session, second, by="user:1")
    assert (one.position, one.tags, two.position, three.position) == (None, ["a"], "Seller", "Boss")
    assert [len(contacts.points(session, c)) for c in (one, two, three)] == [1, 2, 1]


def test_a_cycle_and_what_is_no_choice_are_refused(session: Session) -> None:
    one, two = two_contacts(session)
    three = contacts.create(session, name="Third", emails=["t@c.test"], actor="user:1")
    with pytest.raises(Invalid):
        merging.pair(session, Contact, one.id, one.id)
    with pytest.raises(Invalid) as refused:
        merging.merge(
            session,
            one,
            two,
            by="user:1",
            choose={"nam": "other", "tags": "x", "name.x": "other", "fields.": "other"},
        )
    assert set(refused.value.fields) == {"/choose/nam", "/choose/tags", "/choose/name.x", "/choose/fields."}
    first = merging.merge(session, one, two, by="user:1")
    for survivor, other in ((two, one), (two, three), (three, two)):
        with pytest.raises(Conflict, match=f"contact {two.id} is part of contact {one.id}"):
            merging.merge(session, survivor, other, by="user:1")
    merging.merge(session, three, one, by="user:1")
    assert merging.standing(session, two) is three
    with pytest.raises(Conflict, match="undo that first"):
        merging.split(session, first, by="user:1")
    (latest,) = session.scalars(select(Merge).where(Merge.survivor_id == three.id))
    merging.split(session, latest, by="user:1")
    merging.split(session, first, by="user:1")
    with pytest.raises(Conflict, match="undone"):
        merging.split(session, first, by="user:1")


def test_two_leads_of_two_contacts_are_not_one_person_unasked(database: db.Database) -> None:
    configure()
    with database.unit_of_work() as session:
        one, two = (enquire(session, emails=(f"{n}@x.test",)).lead for n in "ab")
        for lead in (one, two):
            factories.contact(session, lead=lead)
        with pytest.raises(Conflict, match="merge those first"):
            merging.merge(session, one, two, by="user:1")
        merging.merge(session, one, two, by="user:1", same_person=False)
        assert one.person_id != two.person_id
        assert two.status is LeadStatus.MERGED


def test_nobody_calls_twice_and_the_owner_has_all(database: db.Database) -> None:
    configure()
    with database.unit_of_work() as session:
        one, two = (enquire(session, emails=(f"{n}@x.test",)).lead for n in "ab")
        ana, bruno = session.scalars(select(User).order_by(User.id)).all()[:2]
        leads.assign(session, one, ana, actor="t", why="t")
        leads.assign(session, two, bruno, actor="t", why="t")
        for lead, types in ((one, ("call",)), (two, ("call", "task"))):
            for kind in types:
                activities.plan(session, lead, type=kind, subject=kind, due_at=NOON, actor="user:1")
        done = merging.merge(session, one, two, by="user:1")
        rows = session.scalars(select(Activity).order_by(Activity.id)).all()
        assert [(a.type, a.state.value, a.owner_id) for a in rows] == [
            ("call", "planned", ana.id), ("call", "cancelled", bruno.id), ("task", "planned", ana.id),
        ]  # fmt: skip
        merging.split(session, done, by="user:1")
        assert [(a.lead_id, a.state, a.owner_id) for a in session.scalars(select(Activity).order_by(Activity.id))] == [
            (one.id, ActivityState.PLANNED, ana.id), (two.id, ActivityState.PLANNED, bruno.id), (two.id, ActivityState.PLANNED, bruno.id),
        ]  # fmt: skip


def test_what_the_service_made_one_can_be_undone_with_its_people(database: db.Database) -> None:
    configure()
    with database.unit_of_work() as session:
        by_phone = enquire(session, emails=(), phones=("+5511987654321",), name="Rui").lead
        by_mail = enquire(session, emails=("maria@x.test",)).lead
        before = everything(session)
        again = enquire(session, emails=("maria@x.test",), phones=("+5511987654321",)).lead
        (done,) = session.scalars(select(Merge))
        assert (again.id, by_mail.merged_into_id, done.by) == (by_phone.id, by_phone.id, timeline.SERVICE)
        merging.split(session, done, by="user:1")
        after = everything(session)
        assert after["contact_point"] == before["contact_point"]
        assert {(r["id"], r["person_id"], r["status"]) for r in after["lead"]} == {
            (r["id"], r["person_id"], r["status"]) for r in before["lead"]
        }
    assert capture
    assert Decimal
    assert ContactPoint
    assert Lead
