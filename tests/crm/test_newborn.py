"""What is planned on a lead goes with it, though of one that was just made the database is not asked."""

from __future__ import annotations

from sqlalchemy import select

from core import db
from crm import activities, leads
from models.activity import Activity
from models.lead import Lead
from models.user import User
from tests.factories import NOON, configure, enquire

PLANNED_FIRST = "  - {name: r, on: lead.created, do: [{schedule: {subject: Call, due: 1 hours}}, {assign: {team: inbound}}]}"


def owners(database: db.Database) -> tuple[int | None, list[int | None]]:
    """The lead's owner, and those of its activities."""
    with database.reading() as session:
        lead = session.scalars(select(Lead)).one()
        return lead.owner_id, list(session.scalars(select(Activity.owner_id)))


def test_what_was_planned_before_the_lead_was_given_goes_with_it(database: db.Database) -> None:
    configure(rules=PLANNED_FIRST)
    with database.unit_of_work() as session:
        enquire(session)
    owner, theirs = owners(database)
    assert owner is not None
    assert theirs == [owner]


def test_what_was_planned_in_another_transaction_goes_with_it(database: db.Database) -> None:
    configure()
    with database.unit_of_work() as session:
        lead_id = enquire(session).lead.id
    with database.unit_of_work() as session:
        lead = session.get_one(Lead, lead_id)
        activities.plan(session, lead, type="call", subject="Call", due_at=NOON, actor="t")
    with database.unit_of_work() as session:
        user = session.scalars(select(User).order_by(User.id)).first()
        assert user is not None
        leads.assign(session, session.get_one(Lead, lead_id), user, actor="t", why="asked for")
    assert owners(database) == (1, [1])
