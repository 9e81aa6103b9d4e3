"""Rows that are only added: written in one statement, and in the session like any others."""

from __future__ import annotations

import pytest
from sqlalchemy import inspect, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from core import clock
from core.savepoint import savepoint
from crm import timeline
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
