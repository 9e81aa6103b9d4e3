"""Counters are what a slow look at every row counts, whatever happened, also while it happens."""

from __future__ import annotations

import contextlib
import random
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from core import clock
from core.db import Database
from crm import activities, companies, conversion, counters, deals, leads, messages, workspace
from crm.counters import Counters
from models.activity import Activity, ActivityState
from models.company import Company
from models.contact import Contact
from models.deal import Deal
from models.lead import OPEN, Lead, LeadStatus
from models.pipeline import StageGroup
from models.user import User
from tests import factories
from tests.factories import NOON, configure_in

Owner = int | None


class Undo(Exception):
    """Takes an example back."""


def slow(session: Session, mine: Callable[[Any], bool] | None = None) -> dict[Owner, Counters]:
    """The same in plain words, from every row there is."""
    session.expire_all()
    here, now = workspace.load(session), clock.now()
    today = now.astimezone(here.zone).date()
    found: dict[Owner, Counters] = defaultdict(Counters)
    rows = list(session.scalars(select(Activity)))
    planned = [a for a in rows if a.state is ActivityState.PLANNED]
    for a in planned:
        if a.due_at < now:
            found[a.owner_id] += Counters(overdue=1)
        elif a.due_at.astimezone(here.zone).date() == today:
            found[a.owner_id] += Counters(due_today=1)
    for lead in session.scalars(select(Lead)):
        if lead.status in OPEN and not any(a.lead_id == lead.id for a in planned):
            found[lead.owner_id] += Counters(without_next_step=1)
        again = (
            lead.status is LeadStatus.CONVERTED and lead.closed_at and lead.last_inbound_at > lead.closed_at
        )
        if (lead.status in OPEN or again) and lead.unanswered:
            found[lead.owner_id] += Counters(unanswered=1)
    for deal in session.scalars(select(Deal)):
        if deal.state is StageGroup.OPEN and not any(a.deal_id == deal.id for a in planned):
            found[deal.owner_id] += Counters(without_next_step=1)
        found[deal.owner_id] += Counters(unanswered=int(deal.waits_since is not None))
    for contact in session.scalars(select(Contact)):
        found[contact.owner_id] += Counters(unanswered=int(contact.waits_since is not None))
    return {owner: counted for owner, counted in found.items() if counted != Counters()}


def fast(session: Session) -> dict[Owner, Counters]:
    session.flush()
    found = counters.of_users(session, workspace.load(session))
    return {owner: counted for owner, counted in found.items() if counted != Counters()}


def shuffle(session: Session, chance: random.Random, steps: int) -> None:
    """Things happen, in any order."""
    users = [*session.scalars(select(User)), None]
    for number in range(steps):
        rows: list[Any] = [r for t in (Lead, Deal, Contact, Company) for r in session.scalars(select(t))]
        what = chance.randrange(11) if rows else 0
        row = chance.choice(rows) if rows else None
        match what:
            case 0:
                factories.enquire(session, emails=(f"p{number}.{chance.random()}@client.test",))
            case 1:
                made = factories.deal(session)
                made.contact = factories.contact(session)
            case 2 | 3 if row is not None:
                also = [r for r in chance.sample(rows, min(2, len(rows))) if type(r) is not type(row)]
                at = clock.now() + timedelta(hours=chance.randrange(-40, 40))
                activities.plan(
                    session,
                    row,
                    type=chance.choice(["call", "task"]),
                    subject="x",
                    due_at=at,
                    actor="test",
                    also=also[:1],
                )
            case 4 | 5:
                for a in list(
                    session.scalars(select(Activity).where(Activity.state == ActivityState.PLANNED))
                )[:1]:
                    chance.choice([activities.complete, activities.cancel])(
                        session, a, actor=chance.choice(["user:1", "rule:x"])
                    )
            case 6 if row is not None:
                row.owner_id = getattr(chance.choice(users), "id", None)
                session.flush()
                session.expire(row)
            case 7 if isinstance(row, Lead) and row.status in OPEN:
                conversion.convert(
                    session, row, into=conversion.Into(frozenset({"contact", "deal"})), by="test"
                )
            case 8 if isinstance(row, Lead):
                row.last_inbound_at = clock.now() + timedelta(minutes=chance.randrange(-5, 5))
                if chance.random() < 0.5:
                    messages.answered(row, clock.now())
            case 9 if isinstance(row, Deal | Contact):
                row.waits_since = chance.choice([None, clock.now()])
            case 10 if isinstance(row, Deal):
                deals.change_stage(session, row, chance.choice(["new", "won", "lost"]), actor="test")
            case 10 if isinstance(row, Lead) and row.status in OPEN:
                leads.move(session, row, "junk", actor="test")
            case 9:
                companies.create(session, name=f"C{number}", actor="test")
        session.flush()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**32), st.integers(0, 60))
def test_counters_are_what_a_slow_look_counts(database: Database, seed: int, minutes: int) -> None:
    chance = random.Random(seed)
    with contextlib.suppress(Undo), database.unit_of_work() as session:
        configure_in(session)
        # Near the end of the day in São Paulo, where tomorrow begins at three in the morning of UTC.
        with clock.frozen(NOON + timedelta(hours=chance.randrange(24), minutes=minutes)):
            shuffle(session, chance, 30)
            assert fast(session) == slow(session)
            here = workspace.load(session)
            for row in [r for t in (Lead, Deal, Contact, Company) for r in session.scalars(select(t))]:
                assert counters.of_element(session, here, row) == slow_element(session, row), row
        raise Undo


def slow_element(session: Session, element: Any) -> Counters:
    """An element's counters in plain words."""
    here, now = workspace.load(session), clock.now()
    end = counters.tomorrow(here, now)
    whole = isinstance(element, Contact | Company)
    key = f"{element.__tablename__}_id"

    def theirs(row: Any) -> bool:
        if row is element:
            return True
        person = isinstance(element, Contact) and isinstance(row, Lead) and row.person_id == element.person_id
        return whole and (getattr(row, key, None) == element.id or bool(person))

    mine = [r for t in (Lead, Deal, Contact) for r in session.scalars(select(t)) if theirs(r)]
    mine = [r for r in mine if not (isinstance(r, Contact) and isinstance(element, Lead | Deal))]
    ids = {(type(r).__tablename__, r.id) for r in mine if isinstance(r, Lead | Deal)} | {
        (element.__tablename__, element.id)
    }
    planned = [a for a in session.scalars(select(Activity)) if a.state is ActivityState.PLANNED]
    due = [
        a
        for a in planned
        if any((k, getattr(a, f"{k}_id")) in ids for k in ("lead", "deal", "contact", "company"))
    ]
    total = Counters(
        overdue=sum(a.due_at < now for a in due), due_today=sum(now <= a.due_at < end for a in due)
    )
    for r in mine:
        if isinstance(r, Lead):
            again = r.status is LeadStatus.CONVERTED and r.closed_at and r.last_inbound_at > r.closed_at
            total += Counters(unanswered=int(bool((r.status in OPEN or again) and r.unanswered)))
            total += Counters(
                without_next_step=int(r.status in OPEN and not any(a.lead_id == r.id for a in planned))
            )
        else:
            total += Counters(unanswered=int(r.waits_since is not None))
        if isinstance(r, Deal):
            total += Counters(
                without_next_step=int(
                    r.state is StageGroup.OPEN and not any(a.deal_id == r.id for a in planned)
                )
            )
    return total


def test_counters_are_exact_while_many_work_at_once(database: Database) -> None:
    with database.unit_of_work() as session:
        configure_in(session)
        ids = [factories.enquire(session, emails=(f"p{n}@client.test",)).lead.id for n in range(4)]

    def work(number: int) -> None:
        chance = random.Random(number)
        for _ in range(6):
            with database.unit_of_work() as session:
                lead = session.get_one(
                    Lead, chance.choice(ids), with_for_update={"of": Lead}, populate_existing=True
                )
                at = clock.now() + timedelta(hours=chance.randrange(-9, 9))
                planned = activities.plan(session, lead, type="call", subject="x", due_at=at, actor="test")
                for activity in activities.all_planned(session, lead, type=None)[: chance.randrange(3)]:
                    activities.complete(session, activity, actor="user:1")
                if chance.random() < 0.5:
                    leads.assign(
                        session, lead, session.get_one(User, chance.choice([1, 2])), actor="test", why=""
                    )
                assert planned.id
            with database.reading() as session:
                # Each look is of one moment: nothing is counted twice or missed.
                total = counters.of_team(session, workspace.load(session), 1)
                assert min(total.told.values()) >= 0

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))
    with database.reading() as session, clock.frozen(clock.now()):
        assert fast(session) == slow(session) != {}


@pytest.mark.parametrize("what", ["activity", "lead", "deal"])
def test_counters_are_read_from_indexes_alone(database: Database, what: str) -> None:
    """What the plan of each query says: no table is looked through from end to end."""
    seen: list[tuple[str, Any]] = []
    with database.unit_of_work() as session:
        configure_in(session)
        if not database.is_sqlite:
            session.execute(text("SET LOCAL enable_seqscan = off"))
        from sqlalchemy import event

        connection = session.connection()
        event.listen(
            connection,
            "before_cursor_execute",
            lambda c, cur, statement, params, *_: seen.append((statement, params)),
        )
        counters.of_users(session, workspace.load(session), [1])
        words = "EXPLAIN QUERY PLAN " if database.is_sqlite else "EXPLAIN "
        chosen = [(s, p) for s, p in seen if f"FROM {what} " in s.replace("\n", " ") and "count(" in s]
        assert chosen
        for statement, params in chosen:
            plan = str(connection.exec_driver_sql(words + statement, params).all())
            assert "SCAN " + what not in plan.replace(f"SCAN {what} USING", ""), plan
            assert "Seq Scan" not in plan, plan
