"""One person is one lead, by whatever channels and in whatever order they come."""

from __future__ import annotations

import itertools
import threading
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import db
from crm.contact_points import email_address, phone_number
from models.activity import Activity, ActivityState
from models.contact_point import ContactPoint
from models.lead import Lead, LeadStatus
from models.timeline import TimelineEntry
from tests.factories import configure, configure_in, enquire

FORM = {"emails": ("Maria@Client.TEST",), "phones": ("(11) 98765-4321",)}
MAIL = {"emails": ("maria@client.test",), "name": ""}
CALL: dict[str, Any] = {"emails": (), "phones": ("+5511987654321",), "name": ""}


@pytest.mark.parametrize("order", list(itertools.permutations(["form", "mail", "call"])), ids="-".join)
def test_three_channels_of_one_person_are_one_lead_in_any_order(
    database: db.Database, order: tuple[str, ...]
) -> None:
    configure()
    ways = {"form": FORM, "mail": MAIL, "call": CALL}
    for way in order:
        with database.unit_of_work() as session:
            enquire(session, **ways[way])
    with database.reading() as session:
        lead = session.scalars(select(Lead).where(Lead.status != LeadStatus.MERGED)).one()
        assert (lead.name, lead.phone) == ("Maria Souza", "+5511987654321")
        assert (lead.email or "").lower() == "maria@client.test"
        submissions = select(func.count()).where(
            TimelineEntry.lead_id == lead.id, TimelineEntry.kind == "submission"
        )
        assert session.scalar(submissions) == 3
        assert session.scalar(select(func.count()).select_from(ContactPoint)) == 2


def test_three_channels_at_the_same_moment_are_one_lead(database: db.Database) -> None:
    configure()
    gate = threading.Barrier(6)
    errors: list[BaseException] = []

    def arrive(way: dict[str, Any]) -> None:
        gate.wait()
        try:
            with database.unit_of_work() as session:
                enquire(session, **way)
        except BaseException as error:  # noqa: BLE001  shown by the test
            errors.append(error)

    threads = [threading.Thread(target=arrive, args=(w,)) for w in (FORM, MAIL, CALL, FORM, MAIL, CALL)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with database.reading() as session:
        assert len(session.scalars(select(Lead).where(Lead.status != LeadStatus.MERGED)).all()) == 1


def test_a_shared_telephone_does_not_make_two_people_one(session: Session) -> None:
    configure_in(session)
    first = enquire(session, emails=("ana@home.test",), phones=("+551130001000",), name="Ana").lead
    second = enquire(session, emails=("rui@home.test",), phones=("+551130001000",), name="Rui").lead
    assert first.id != second.id
    entry = session.scalars(select(TimelineEntry).where(TimelineEntry.lead_id == second.id)).first()
    assert entry is not None
    assert entry.data["also_used_by_others"] == ["+551130001000"]
    # a call from that number is whoever had it first
    assert enquire(session, emails=(), phones=("+551130001000",), name="").lead.id == first.id


def test_who_has_no_address_at_all_is_always_somebody_new(session: Session) -> None:
    configure_in(session)
    leads = {enquire(session, emails=(), phones=(), name="").lead.id for _ in range(3)}
    assert len(leads) == 3


def test_a_repeat_overwrites_nothing_and_fills_what_was_empty(session: Session) -> None:
    configure_in(session)
    lead = enquire(session, message="first", company="").lead
    again = enquire(session, message="second", name="M. S.", company="Client Ltda").lead
    assert again.id == lead.id
    assert (lead.name, lead.message, lead.company) == ("Maria Souza", "first", "Client Ltda")


def test_a_closed_lead_is_left_alone(session: Session) -> None:
    configure_in(session)
    old = enquire(session).lead
    old.status = LeadStatus.JUNK
    session.flush()
    assert enquire(session).lead.id != old.id


def test_merging_keeps_one_planned_call(database: db.Database) -> None:
    configure(
        rules='  - {name: r, on: lead.created, do: [schedule: {type: call, subject: "Call", due: 1 hours}]}'
    )
    for way in (MAIL, CALL, FORM):
        with database.unit_of_work() as session:
            enquire(session, **way)
    with database.reading() as session:
        states = session.scalars(select(Activity.state).order_by(Activity.state)).all()
        assert sorted(states) == [ActivityState.CANCELLED, ActivityState.PLANNED]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (" Maria.Souza@Client.TEST ", "Maria.Souza@client.test"),
        ("joão@exämple.com", "joão@xn--exmple-cua.com"),
        ("a@b", None),
        ("a b@client.test", None),
        ("a@client.test\r\nBcc: x@y.test", None),
        ("@client.test", None),
        ("", None),
        ("a" * 300 + "@client.test", None),
    ],
)
def test_an_address_is_written_in_one_way(raw: str, expected: str | None) -> None:
    assert email_address(raw) == expected


@pytest.mark.parametrize(
    ("raw", "country", "expected"),
    [
        ("(11) 98765-4321", "BR", "+5511987654321"),
        ("011 98765 4321", "BR", "+5511987654321"),
        ("+351 912 345 678", "BR", "+351912345678"),
        ("912 345 678", "PT", "+351912345678"),
        ("190", "BR", None),
        ("anonymous", "BR", None),
        ("+", "BR", None),
        ("1" * 40, "BR", None),
        ("9" * 5000, "BR", None),
    ],
)
def test_a_number_is_written_in_one_way(raw: str, country: str, expected: str | None) -> None:
    assert phone_number(raw, country) == expected
