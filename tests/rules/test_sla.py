"""The clock to the first answer: in working time, with marks, pauses and one end."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from core import clock, db
from core.errors import Invalid
from core.ids import new_id
from crm import activities, leads, workspace
from models.activity import Activity
from models.lead import Lead, LeadStatus
from models.sla import SlaClock, SlaState
from models.user import User
from rules import engine
from rules.first_answers import report
from tests.factories import WORKSPACE, configure, enquire
from worker import clockwork

SLA = """
  - {key: vip, when: lead.fields.employees >= 200, first_response: 15 business minutes, calendar: office, warn_at: [40]}
  - {key: all, first_response: 2 business hours, calendar: office, pause_when: '"holiday" in lead.tags'}
"""
RULES = """
  - {name: plan, on: lead.created, do: [schedule: {type: call, subject: Call, due: 1 hours}]}
  - {name: warn, on: sla.warning, do: [add_tag: "{{ event.policy }} {{ event.percent }}"]}
  - {name: late, on: sla.breached, do: [add_tag: "{{ event.policy }} late", assign: {user: clara@acme.test}]}
"""
ZONE = ZoneInfo("America/Sao_Paulo")


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-{text}").replace(tzinfo=ZONE)


def look(database: db.Database) -> SlaClock:
    with database.reading() as session:
        return session.scalars(select(SlaClock)).one()


def tags(database: db.Database) -> list[str]:
    with database.reading() as session:
        return session.scalars(select(Lead.tags)).one()


def arrive(database: db.Database, when: str, **fields: object) -> None:
    configure(WORKSPACE, sla=SLA, rules=RULES)
    with clock.frozen(at(when)), database.unit_of_work() as session:
        enquire(session, occurred_at=at(when), fields=fields)


def pass_time(database: db.Database, *moments: str) -> list[list[str]]:
    seen = []
    for moment in moments:
        with clock.frozen(at(moment)):
            clockwork.first_answers()
        seen.append(tags(database))
    return seen


def do(database: db.Database, when: str, action: str) -> None:
    with clock.frozen(at(when)), database.unit_of_work() as session:
        lead = session.scalars(select(Lead)).one()
        if action == "tag":
            happened = leads.add_tag(session, lead, "holiday", actor="user:1")
        elif action == "untag":
            leads.remove_tag(session, lead, "holiday", actor="user:1")
            happened = leads.set_field(session, lead, "score", lead.score + 1, actor="user:1")
        elif action == "junk":
            happened = leads.change_status(session, lead, LeadStatus.JUNK, actor="user:1")
        else:
            activity = session.scalars(select(Activity)).one()
            happened = activities.complete(session, activity, actor=action)
        engine.react(session, happened, workspace=workspace.load(session), event_id=new_id())


def test_it_counts_working_time_and_tells_each_mark_once(database: db.Database) -> None:
    arrive(database, "23 17:30")  # half an hour is left of Monday
    row = look(database)
    assert (row.policy, row.due_at) == ("all", at("24 10:30"))
    told = pass_time(
        database, "23 17:59", "23 18:30", "24 09:29", "24 09:30", "24 10:06", "24 10:29", "24 10:30"
    )
    assert told == [
        [],
        [],
        [],
        ["all 50"],
        ["all 50", "all 80"],
        ["all 50", "all 80"],
        ["all 50", "all 80", "all late"],
    ]
    assert pass_time(database, "25 12:00")[-1] == ["all 50", "all 80", "all late"]
    with database.reading() as session:
        owner = session.scalars(select(Lead)).one().owner
        assert owner is not None
        assert owner.email == "clara@acme.test"


def test_the_first_policy_that_fits_counts(database: db.Database) -> None:
    arrive(database, "23 10:00", employees=500)
    row = look(database)
    assert (row.policy, row.due_at, row.next_at) == ("vip", at("23 10:15"), at("23 10:06"))


def test_after_a_long_stop_the_marks_are_told_in_their_order(database: db.Database) -> None:
    arrive(database, "23 10:00")
    assert pass_time(database, "25 10:00") == [["all 50", "all 80", "all late"]]


@pytest.mark.parametrize(
    ("when", "state", "told"), [("23 11:30", SlaState.MET, []), ("23 12:01", SlaState.LATE, [])]
)
def test_a_person_s_answer_ends_it(
    database: db.Database, when: str, state: SlaState, told: list[str]
) -> None:
    arrive(database, "23 10:00")
    do(database, when, "user:1")
    row = look(database)
    assert (row.state, row.next_at, row.ended_at) == (state, None, at(when))
    assert pass_time(database, "24 12:00")[-1] == told
    with database.reading() as session:
        lead = session.scalars(select(Lead)).one()
        assert (lead.first_response_at, lead.in_time) == (at(when), state is SlaState.MET)


def test_a_lead_is_late_as_soon_as_its_time_is_up(database: db.Database) -> None:
    arrive(database, "23 10:00")
    with database.reading() as session:
        assert session.scalars(select(Lead.in_time)).one() is None
    pass_time(database, "24 12:00")
    do(database, "24 13:00", "junk")
    with database.reading() as session:
        assert session.scalars(select(Lead.in_time)).one() is False


def test_what_a_rule_completes_is_no_answer(database: db.Database) -> None:
    arrive(database, "23 10:00")
    do(database, "23 10:30", "rule:x")
    assert look(database).state is SlaState.RUNNING


def test_it_stands_still_while_it_pauses(database: db.Database) -> None:
    arrive(database, "23 10:00")
    do(database, "23 10:30", "tag")  # half an hour has passed
    row = look(database)
    assert (row.state, row.elapsed_seconds, row.next_at) == (SlaState.PAUSED, 1800, None)
    assert pass_time(database, "24 15:00")[-1] == ["holiday"]
    do(database, "25 09:00", "untag")
    row = look(database)
    assert (row.state, row.next_at, row.due_at) == (SlaState.RUNNING, at("25 09:30"), at("25 10:30"))


def test_a_lead_that_is_closed_needs_no_answer(database: db.Database) -> None:
    arrive(database, "23 10:00")
    do(database, "23 10:30", "junk")
    assert look(database).state is SlaState.ENDED
    assert pass_time(database, "24 15:00")[-1] == []


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ("{key: a, first_response: soon}", "'soon' is no duration"),
        ("{key: a, first_response: 1 business day}", "needs a length in minutes or hours"),
        ("{key: a, first_response: 1 hours, warn_at: [80, 50]}", "marks rise"),
        ("{key: a, first_response: 1 hours, when: lead.scor > 1}", "did you mean 'score'?"),
        ("{key: a, first_response: 1 hours, calendar: offices}", "did you mean 'office'?"),
        ("{key: a, first_response: 1 hours}\n  - {key: a, first_response: 1 hours}", "stands twice in sla"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(database: db.Database, policy: str, words: str) -> None:
    with pytest.raises(Invalid) as refused:
        configure(WORKSPACE, sla=f"  - {policy}")
    assert words in str(refused.value)


def test_one_minute_is_kept_over_the_clock_change(database: db.Database) -> None:
    file = WORKSPACE.replace("America/Sao_Paulo", "Europe/Berlin")
    configure(file, sla="  - {key: all, first_response: 2 hours}")
    before = datetime(2026, 3, 29, 1, 30, tzinfo=ZoneInfo("Europe/Berlin"))  # at 2 the clock goes to 3
    with clock.frozen(before), database.unit_of_work() as session:
        enquire(session, occurred_at=before)
    due = look(database).due_at
    assert due is not None
    assert due.astimezone(ZoneInfo("Europe/Berlin")).hour == 4
    assert due - before == timedelta(hours=2)


def test_first_answers_are_counted_by_policy_owner_and_team(database: db.Database) -> None:
    configure(WORKSPACE, sla=SLA, rules="  []\n")
    # (owner, minutes until the answer, employees): four in time, one late, one never, one closed, one waits
    told: list[tuple[str | None, int | None, int]] = [
        ("ana", 5, 0), ("ana", 10, 0), ("ana", 20, 0), ("bruno", 90, 0), ("bruno", 130, 0), ("bruno", None, 0), (None, None, 0), ("ana", 4, 300),
    ]  # fmt: skip
    for place, (owner, minutes, employees) in enumerate(told):
        with clock.frozen(at("23 10:00")), database.unit_of_work() as session:
            lead = enquire(
                session,
                occurred_at=clock.now(),
                emails=(f"c{place}@x.test",),
                fields={"employees": employees},
            ).lead
            lead.owner = session.scalars(select(User).where(User.email == f"{owner}@acme.test")).one_or_none()
            lead_id = lead.id
        if minutes is not None:
            with (
                clock.frozen(at("23 10:00") + timedelta(minutes=minutes)),
                database.unit_of_work() as session,
            ):
                lead = session.get_one(Lead, lead_id)
                lead.first_response_at = clock.now()
                happened = leads.set_field(session, lead, "score", 1, actor="user:1")
                engine.react(session, happened, workspace=workspace.load(session), event_id=new_id())
    with clock.frozen(at("23 17:00")):
        clockwork.first_answers()
    with clock.frozen(at("23 10:30")), database.unit_of_work() as session:
        lead = enquire(session, occurred_at=clock.now(), emails=("j@x.test",)).lead
        happened = leads.change_status(session, lead, LeadStatus.JUNK, actor="user:1")
        engine.react(session, happened, workspace=workspace.load(session), event_id=new_id())
        enquire(session, occurred_at=clock.now(), emails=("w@x.test",))
    with database.reading() as session:
        by = {
            kind: {line.name: line for line in report(session, by=kind)}
            for kind in ("policy", "owner", "team")
        }
        every, vip = by["policy"]["all"], by["policy"]["vip"]
        assert (every.leads, every.answered, every.waiting, every.breached, every.closed) == (9, 5, 3, 3, 1)
        assert (every.median, every.p90, every.inside) == (20 * 60, 130 * 60, round(4 / 7, 4))
        assert (vip.leads, vip.median, vip.p90, vip.inside) == (1, 240, 240, 1.0)
        assert by["owner"][""].leads == 3
        ana, bruno = by["owner"]["ana@acme.test"], by["owner"]["bruno@acme.test"]
        assert (ana.leads, ana.median, ana.p90, ana.inside) == (4, 300, 1200, 1.0)
        assert (bruno.leads, bruno.median, bruno.breached, bruno.inside) == (3, 5400, 2, round(1 / 3, 4))
        assert by["team"]["inbound"].leads == 7
        assert report(session, by="owner", since=at("24 10:00")) == []
        assert len(report(session, by="policy", until=at("23 10:00"))) == 0


def test_an_answer_in_the_morning_took_the_working_time_of_the_evening_before(database: db.Database) -> None:
    arrive(database, "23 17:50")
    with clock.frozen(at("24 09:10")), database.unit_of_work() as session:
        lead = session.scalars(select(Lead)).one()
        lead.first_response_at = clock.now()
        happened = leads.set_field(session, lead, "score", 1, actor="user:1")
        engine.react(session, happened, workspace=workspace.load(session), event_id=new_id())
    assert look(database).taken_seconds == 20 * 60
