"""Changes of a few columns: written with what is added, and in the session like any others."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, select, update
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from core import clock, db
from core.ids import new_id
from core.savepoint import savepoint
from crm import timeline
from intake import claims, journal
from intake.delivery import Delivery
from models.inbound import EventState, InboundEvent
from models.lead import Lead, LeadStatus
from models.user import User
from tests.factories import NOON, configure_in, enquire, source


@pytest.fixture
def lead(session: Session) -> Lead:
    configure_in(session)
    with clock.frozen(NOON):
        made = enquire(session).lead
    session.flush()
    return made


def beside(session: Session, lead: Lead) -> None:
    """Something that is added, so that what was changed is written with it."""
    timeline.record(session, lead, kind="comment", summary="beside")
    session.flush()


def heard(session: Session) -> list[str]:
    """What the session's database is asked from now on."""
    said: list[str] = []
    event.listen(session.connection(), "before_cursor_execute", lambda _c, _u, s, *_: said.append(s))
    return said


VALUES: dict[str, Any] = {
    "status": LeadStatus.JUNK,
    "own_status": 'quoted " and \\ and :name %s 😀',
    "closed_at": NOON + timedelta(microseconds=1),
    "score": -7,
    "tags": ["a", "\u2028", ""],
    "fields": {"n": [1, 2.5, None, True], "deep": {"é": {}}},
    "waits": True,
    "consent": False,
    "phone": None,
    "name": "",
}


def test_each_kind_of_value_is_read_back_as_it_was_given(session: Session, lead: Lead) -> None:
    for key, value in VALUES.items():
        setattr(lead, key, value)
    said = heard(session)
    beside(session, lead)
    alone = [s for s in said if s.startswith("UPDATE lead")]
    assert len(alone) == (0 if session.get_bind().dialect.name == "postgresql" else 1)
    assert lead not in session.dirty
    session.expire_all()
    assert {key: getattr(lead, key) for key in VALUES} == VALUES


def test_what_is_without_a_value_then_is_so_in_the_database(session: Session, lead: Lead) -> None:
    lead.wish = {"team": "inbound"}
    beside(session, lead)
    lead.wish = None
    beside(session, lead)
    assert session.scalar(select(Lead.id).where(Lead.wish.is_(None))) == lead.id


def test_a_row_is_written_again_when_it_changes_again_and_not_where_it_did_not(
    session: Session, lead: Lead
) -> None:
    for score in (1, 2):
        lead.score = score
        beside(session, lead)
        session.expire(lead)
        assert lead.score == score
    lead.score = 2
    said = heard(session)
    beside(session, lead)
    assert not [s for s in said if "UPDATE lead" in s]


def test_who_a_row_belongs_to_is_written_also_where_only_the_relation_was_set(
    session: Session, lead: Lead
) -> None:
    before = lead.owner_id
    other = session.scalars(select(User).where(User.id != before)).first()
    lead.owner = other
    beside(session, lead)
    session.expire(lead)
    assert other is not None
    assert lead.owner_id == other.id
    lead.owner, lead.owner_id = None, None
    beside(session, lead)
    session.expire(lead)
    assert lead.owner is None


def test_many_changed_rows_are_all_written(session: Session, lead: Lead) -> None:
    leads = [enquire(session, emails=(f"{n}@client.test",)).lead for n in range(20)]
    session.flush()
    for place, one in enumerate(leads):
        one.score = place
    beside(session, lead)
    session.expire_all()
    assert [one.score for one in leads] == list(range(20))


def test_what_is_changed_in_a_savepoint_goes_with_it(session: Session, lead: Lead) -> None:
    with pytest.raises(RuntimeError), savepoint(session):
        lead.score = 99
        beside(session, lead)
        raise RuntimeError
    assert lead.score == 0
    session.expire(lead)
    assert lead.score == 0


def test_a_row_that_is_gone_fails_the_flush(session: Session, lead: Lead) -> None:
    made = InboundEvent(
        id=new_id(),
        source_id=lead.source_id,
        adapter="form",
        dedupe_key="k",
        received_at=NOON,
        retry_at=NOON,
        content_type="",
        envelope={},
        body=b"",
    )
    session.add(made)
    session.flush()
    session.connection().execute(InboundEvent.__table__.delete())  # type: ignore[attr-defined]
    made.error = "too late"
    with pytest.raises(StaleDataError, match="inbound_events"):
        beside(session, lead)
    session.rollback()


def test_who_lost_an_event_to_another_worker_does_not_end_it(database: db.Database) -> None:
    with database.unit_of_work() as session:
        configure_in(session)
        lead_id = enquire(session).lead.id
        entry = journal.Entry(
            source(session).id, "form", "k", Delivery(body=b"", content_type="", received_at=clock.now())
        )
        event_id = journal.append(session, [entry])[0].event_id
    with database.single() as connection:
        taken = claims.take(connection, event_id)
    assert taken is not None
    with database.unit_of_work() as session:
        session.execute(update(InboundEvent).values(attempts=InboundEvent.attempts + 1))
    with pytest.raises(StaleDataError), database.unit_of_work() as session:
        taken.join(session)
        journal.close(taken.event, EventState.PROCESSED, lead_id=lead_id)
        timeline.record(session, session.get_one(Lead, lead_id), kind="comment", summary="nor this")
    with database.reading() as session:
        assert session.get_one(InboundEvent, event_id).state is EventState.RECEIVED
        said = [e.summary for e in timeline.page(session, session.get_one(Lead, lead_id))]
        assert "nor this" not in said
