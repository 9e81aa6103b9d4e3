"""Somebody new and their lead in one go; whoever is at it at the same moment is not passed over."""

from __future__ import annotations

import threading
import time

import pytest
from sqlalchemy import func, select, text

from core import db
from crm import first_sight, identity
from crm.contact_points import email_point, phone_point
from models.contact_point import ContactPoint, Person, PointKind
from models.lead import Lead
from tests.factories import configure, enquire

BOTH = {"emails": ("maria@client.test",), "phones": ("+5511987654321",)}
POINTS = [email_point("maria@client.test"), phone_point("+5511987654321")]


@pytest.fixture(autouse=True)
def on_postgresql(database: db.Database) -> None:
    if database.is_sqlite:
        pytest.skip("SQLite's writers take turns, and are asked step by step")
    configure()


def people(database: db.Database) -> dict[str, int]:
    with database.reading() as session:
        rows = session.execute(select(ContactPoint.value, ContactPoint.person_id))
        return {row.value: row.person_id for row in rows}


def in_the_background(database: db.Database) -> tuple[threading.Thread, list[int]]:
    """Somebody enquires meanwhile; answers with whose the lead is, once it is there."""
    found: list[int] = []

    def arrive() -> None:
        with database.unit_of_work() as session:
            found.append(enquire(session, **BOTH).lead.person_id)

    thread = threading.Thread(target=arrive)
    thread.start()
    return thread, found


def wait_until_it_waits(database: db.Database) -> None:
    waits = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    for _ in range(500):
        with database.reading() as session:
            if session.scalar(waits):
                return
        time.sleep(0.01)
    raise AssertionError("nobody waits")


def test_a_lead_and_its_person_are_there_at_once(database: db.Database) -> None:
    with database.unit_of_work() as session:
        lead = enquire(session, **BOTH).lead
        assert (lead in session, lead in session.new) == (True, False)
    found = people(database)
    assert set(found.values()) == {lead.person_id}
    assert len(found) == 2


def test_who_holds_one_of_the_points_is_waited_for_and_found(database: db.Database) -> None:
    with database.unit_of_work() as session:
        identity.lock(session, POINTS[1:])
        thread, found = in_the_background(database)
        wait_until_it_waits(database)
        theirs = identity.identify(session, POINTS[1:]).person_id
    thread.join(10)
    assert found == [theirs]
    assert set(people(database).values()) == {theirs}


def test_a_point_that_somebody_writes_without_holding_it_is_not_written_twice(database: db.Database) -> None:
    with database.unit_of_work() as session:
        session.add(Person(id=1000))
        session.flush()
        session.add(ContactPoint(kind=PointKind.EMAIL, value=POINTS[0][1], person_id=1000))
        session.flush()
        thread, found = in_the_background(database)
        wait_until_it_waits(database)
    thread.join(10)
    assert found == [1000]
    assert people(database) == {"maria@client.test": 1000, "+5511987654321": 1000}


@pytest.mark.parametrize("number", [0, 7])
def test_nobody_and_too_many_points_are_left_to_identity(database: db.Database, number: int) -> None:
    points = [email_point(f"{n}@client.test") for n in range(number)]
    with database.unit_of_work() as session:
        assert not first_sight.make(session, points, Lead())
        emails = tuple(value for _, value in points)
        enquire(session, emails=emails, phones=(), name="Maria")
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Lead)) == 1
    assert len(set(people(database).values())) == min(number, 1)


def test_who_waits_for_a_point_holds_none_that_comes_after_it(database: db.Database) -> None:
    """So two who come with the same points the other way round never wait for each other crosswise."""
    first, second = email_point("a@client.test"), email_point("b@client.test")
    found: list[int] = []

    def arrive() -> None:
        with database.unit_of_work() as session:
            emails = ("b@client.test", "a@client.test")
            found.append(enquire(session, emails=emails).lead.person_id)

    with database.unit_of_work() as session:
        identity.lock(session, [first])
        thread = threading.Thread(target=arrive)
        thread.start()
        wait_until_it_waits(database)
        with database.unit_of_work(patience=1) as other:
            identity.lock(other, [second])
    thread.join(10)
    assert set(people(database).values()) == set(found)
    assert len(found) == 1
