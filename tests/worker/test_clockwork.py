"""What happens because time has passed, told once whatever the scheduler went through."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from core import clock, db
from core.cron import following, parse
from core.errors import Invalid
from core.settings import settings
from crm import activities, deals
from models.activity import Activity
from models.deal import Deal
from models.lead import Lead
from models.rule import Run, Trace
from tests.factories import NOON, configure, enquire
from worker import clockwork, idleness


def tags(database: db.Database) -> list[str]:
    with database.reading() as session:
        return session.scalars(select(Lead.tags)).one()


def test_an_activity_is_due_once_and_overdue_once(database: db.Database) -> None:
    configure(
        rules="""
  - {name: plan, on: lead.created, do: [schedule: {type: call, subject: Call, due: 1 hours}]}
  - {name: due, on: activity.due, when: activity.type == "call", do: [add_tag: due, comment: "{{ activity.subject }}"]}
  - {name: over, on: activity.overdue, do: [add_tag: overdue]}
"""
    )
    with clock.frozen(NOON), database.unit_of_work() as session:
        enquire(session)
    seen = []
    for minutes in (59, 60, 61, 74, 75, 300):
        with clock.frozen(NOON + timedelta(minutes=minutes)):
            clockwork.activities()
            seen.append(tags(database))
    assert seen == [[], ["due"], ["due"], ["due"], ["due", "overdue"], ["due", "overdue"]]
    with database.reading() as session:
        assert len(session.scalars(select(Run)).all()) == 3


def test_after_a_long_stop_both_are_told_in_their_order(database: db.Database) -> None:
    configure(
        rules="""
  - {name: plan, on: lead.created, do: [schedule: {type: call, subject: Call, due: 1 hours}]}
  - {name: over, on: activity.overdue, do: [add_tag: overdue]}
  - {name: due, on: activity.due, do: [add_tag: due]}
"""
    )
    with clock.frozen(NOON), database.unit_of_work() as session:
        enquire(session)
    with clock.frozen(NOON + timedelta(days=2)):
        clockwork.activities()
    assert tags(database) == ["due", "overdue"]


def test_what_is_done_is_never_overdue(database: db.Database) -> None:
    configure(
        rules="""
  - {name: plan, on: lead.created, do: [schedule: {type: call, subject: Call, due: 1 hours}]}
  - {name: done, on: activity.completed, do: [add_tag: "{{ activity.outcome }}"]}
  - {name: over, on: activity.overdue, do: [add_tag: overdue]}
"""
    )
    with clock.frozen(NOON), database.unit_of_work() as session:
        enquire(session)
    with clock.frozen(NOON + timedelta(minutes=5)), database.unit_of_work() as session:
        from core.ids import new_id
        from crm import workspace
        from rules import engine

        activity = session.scalars(select(Activity)).one()
        happened = activities.complete(session, activity, actor="user:1", outcome="reached")
        engine.react(session, happened, workspace=workspace.load(session), event_id=new_id())
        assert activities.complete(session, activity, actor="user:1") == []
    with clock.frozen(NOON + timedelta(days=1)):
        clockwork.activities()
    assert tags(database) == ["reached"]


def test_an_idle_lead_is_told_of_once_a_day(database: db.Database) -> None:
    configure(
        rules="""
  - {name: idle, on: lead.idle, when: event.days == 2 || event.days == 4, do: [comment: "idle {{ event.days }}"]}
"""
    )
    with clock.frozen(NOON), database.unit_of_work() as session:
        enquire(session, occurred_at=NOON)
    for hours in range(0, 24 * 6, 6):
        with clock.frozen(NOON + timedelta(hours=hours, minutes=1)):
            idleness.leads()
    with database.reading() as session:
        assert len(session.scalars(select(Run)).all()) == 2  # its own comments are nobody's work
    with clock.frozen(NOON + timedelta(days=6)), database.unit_of_work() as session:
        enquire(session, occurred_at=clock.now(), message="again")
    for day in (7, 8, 9):
        with clock.frozen(NOON + timedelta(days=day, minutes=1)):
            idleness.leads()
    with database.reading() as session:
        assert len(session.scalars(select(Run)).all()) == 3


def test_an_idle_deal_and_what_is_due_on_it_are_told_of(database: db.Database) -> None:
    configure(
        rules="""
  - {name: idle, on: deal.idle, when: event.days == 2, do: [add_tag: "idle {{ event.days }}"]}
  - {name: due, on: activity.due, when: deal.stage == "new", do: [add_tag: due]}
"""
    )
    with clock.frozen(NOON), database.unit_of_work() as session:
        deal_id = deals.create(session, title="d", actor="user:1").id
        due_at = NOON + timedelta(minutes=30)
        activities.plan(
            session, session.get_one(Deal, deal_id), type="task", subject="s", due_at=due_at, actor="user:1"
        )
    for hours in range(0, 24 * 4, 6):
        with clock.frozen(NOON + timedelta(hours=hours, minutes=1)):
            idleness.deals()
            clockwork.activities()
    with database.reading() as session:
        assert session.get_one(Deal, deal_id).tags == ["due", "idle 2"]


def test_why_is_kept_for_as_long_as_was_said(database: db.Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTARIA_TRACE_DAYS", "30")
    monkeypatch.setattr(clockwork, "_CHUNK", 2)
    settings.cache_clear()
    configure(rules="  - {name: r, on: lead.created, do: [score: 1]}")
    for days in (0, 1, 2, 29, 31):
        with clock.frozen(NOON + timedelta(days=days)), database.unit_of_work() as session:
            enquire(session, emails=(f"{days}@x.test",))
    with clock.frozen(NOON + timedelta(days=32, seconds=1)):
        assert clockwork.forget_traces() == 3
        assert clockwork.forget_traces() == 0
    with database.reading() as session:
        assert [t.lead_id for t in session.scalars(select(Trace))] == [4, 5]


CRON = """
  - name: Monday list
    on: cron
    at: "0 9 * * mon"
    when: lead.status == "new"
    do: [score: 1]
"""


def scores(database: db.Database) -> list[int]:
    with database.reading() as session:
        return list(session.scalars(select(Lead.score).order_by(Lead.id)))


def test_a_rule_that_comes_again_runs_on_every_open_lead_at_its_time(
    database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clockwork, "_MOST", 2)  # three leads need two goes
    configure(rules=CRON)
    with clock.frozen(NOON), database.unit_of_work() as session:
        for n in range(3):
            enquire(session, emails=(f"{n}@x.test",))
    monday = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)  # 09:00 in São Paulo
    counted = []
    for moment in (NOON, monday - timedelta(seconds=1), monday, monday, monday + timedelta(hours=1)):
        with clock.frozen(moment):
            clockwork.cron_rules()
            counted.append(scores(database))
    assert counted == [[0, 0, 0], [0, 0, 0], [1, 1, 0], [1, 1, 1], [1, 1, 1]]


def test_a_time_that_was_missed_is_made_up_for_once(database: db.Database) -> None:
    configure(rules=CRON)
    with clock.frozen(NOON), database.unit_of_work() as session:
        enquire(session)
    with clock.frozen(NOON):
        clockwork.cron_rules()
    late = datetime(2026, 11, 30, 18, 0, tzinfo=UTC)
    for _ in range(3):
        with clock.frozen(late):
            clockwork.cron_rules()
    assert scores(database) == [1]


@pytest.mark.parametrize(
    ("line", "zone", "after", "expected"),
    [
        ("0 9 * * mon-fri", "UTC", "2026-11-20T09:00:00", "2026-11-23T09:00:00"),
        ("0 9 * * 1", "UTC", "2026-11-22T00:00:00", "2026-11-23T09:00:00"),  # 1 is Monday in a crontab
        ("0 9 * * 0", "UTC", "2026-11-22T00:00:00", "2026-11-22T09:00:00"),  # 0 and 7 are Sunday
        ("0 9 * * 7", "UTC", "2026-11-22T00:00:00", "2026-11-22T09:00:00"),
        ("*/15 * * * *", "UTC", "2026-11-22T00:01:00", "2026-11-22T00:15:00"),
        # the clock in Berlin jumps from 02:00 to 03:00 on 29 March 2026: that night there is no 02:30
        ("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00", "2026-03-29T01:30:00"),
        # and goes from 03:00 back to 02:00 on 25 October: the first 02:30 counts
        ("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00", "2026-10-25T00:30:00"),
        ("0 9 * * *", "America/New_York", "2026-11-01T00:00:00", "2026-11-01T14:00:00"),
    ],
)
def test_times_that_come_again(line: str, zone: str, after: str, expected: str) -> None:
    found = following(line, ZoneInfo(zone), datetime.fromisoformat(after).replace(tzinfo=UTC))
    assert found is not None
    assert found.astimezone(UTC) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


@pytest.mark.parametrize("line", ["", "9", "0 25 * * *", "0 9 * * someday", "* * * * * *"])
def test_what_is_no_such_time_is_refused(line: str) -> None:
    with pytest.raises(Invalid):
        parse(line)
