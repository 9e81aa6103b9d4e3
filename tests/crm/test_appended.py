"""Rows that are only added: written in one statement, and in the session like any others."""

from __future__ import annotations

import pytest
from sqlalchemy import inspect, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from core import clock, db
from core.appended import leave
from core.ids import new_id
from core.savepoint import savepoint
from crm import timeline
from models.domain_event import DomainEvent
from models.lead import Lead
from models.timeline import TimelineEntry
from tests.factories import NOON, configure_in, enquire


@pytest.fixture
def lead(session: Session) -> Lead:
    configure_in(session)
    with clock.frozen(NOON):
        return enquire(session).lead


def test_added_rows_have_their_numbers_in_the_order_in_which_they_were_made(
    session: Session, lead: Lead
) -> None:
    made = [timeline.record(session, lead, kind="comment", summary=f"n {n}") for n in range(12)]
    session.flush()
    assert [e.id for e in made] == sorted(e.id for e in made)
    assert all(inspect(e).persistent for e in made)
    session.expire_all()
    assert [e.summary for e in made] == [f"n {n}" for n in range(12)]
    assert (made[0].data, made[0].pinned, made[0].deal_id) == ({}, False, None)


def test_an_added_row_is_read_back_as_it_was_given(session: Session, lead: Lead) -> None:
    said = 'quotes " and \\ and línea\nnueva 😀 {} %s :rows'
    data = {"n": [1, 2.5, None, True], "said": said}
    entry = timeline.record(session, lead, kind="comment", summary=said, data=data, at=NOON)
    session.flush()
    session.expire(entry)
    assert (entry.summary, entry.data, entry.at, entry.lead_id) == (said, data, NOON, lead.id)


def test_an_added_row_can_be_changed_afterwards(session: Session, lead: Lead) -> None:
    entry = timeline.record(session, lead, kind="comment", summary="one")
    session.flush()
    timeline.pin(session, entry, pinned=True)
    session.expire(entry)
    assert entry.pinned is True


def test_what_is_added_in_a_savepoint_goes_with_it(session: Session, lead: Lead) -> None:
    with pytest.raises(RuntimeError), savepoint(session):
        entry = timeline.record(session, lead, kind="comment", summary="taken back")
        session.flush()
        raise RuntimeError
    assert entry not in session
    assert session.scalar(select(TimelineEntry.id).where(TimelineEntry.summary == "taken back")) is None


def test_a_moment_without_a_zone_is_refused(session: Session, lead: Lead) -> None:
    timeline.record(session, lead, kind="comment", summary="when?", at=NOON.replace(tzinfo=None))
    with pytest.raises((SQLAlchemyError, ValueError), match="without a time zone"):
        session.flush()
    session.rollback()


def left(session: Session, lead: Lead, kind: str = "left") -> None:
    leave(session, DomainEvent, event_id=new_id(), at=NOON, kind=kind, lead_id=lead.id, data={"n": [1, None]})


def kinds(session: Session) -> list[str]:
    chosen = select(DomainEvent.kind).where(DomainEvent.kind.startswith("left"))
    return list(session.scalars(chosen.order_by(DomainEvent.id)))


def test_what_is_left_to_a_session_that_holds_nothing_else_is_read_in_it_and_committed(
    database: db.Database,
) -> None:
    with database.unit_of_work() as session:
        configure_in(session)
        lead = enquire(session).lead
    with database.unit_of_work() as session:
        left(session, lead, "left one")
        left(session, lead, "left two")
        assert kinds(session) == ["left one", "left two"]
    with database.unit_of_work() as session:
        left(session, lead, "left three")
    with database.reading() as session:
        assert kinds(session) == ["left one", "left two", "left three"]
        row = session.scalars(select(DomainEvent).where(DomainEvent.kind == "left one")).one()
        assert (row.data, row.at, row.lead_id, row.position) == ({"n": [1, None]}, NOON, lead.id, None)


def test_what_is_left_goes_with_its_savepoint(session: Session, lead: Lead) -> None:
    left(session, lead, "left before")
    with pytest.raises(RuntimeError), savepoint(session):
        left(session, lead, "left inside")
        raise RuntimeError
    assert kinds(session) == ["left before"]


def test_what_is_left_goes_with_its_transaction(database: db.Database) -> None:
    session = database._writing()  # one that goes on after it was rolled back
    with session:
        configure_in(session)
        lead = enquire(session).lead
        session.commit()
        left(session, lead, "left behind")
        session.rollback()
        left(session, lead, "left after")
        session.commit()
        assert kinds(session) == ["left after"]
