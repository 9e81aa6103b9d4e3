"""How a run goes on: waits, both outcomes, branches, loops, stops; and that it goes on after anything."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock, db
from core.ids import new_id
from crm import leads, workspace
from crm.happening import Happening
from models.lead import Lead, LeadStatus
from models.notification import Notification
from models.rule import Run, RunState, StepRow, StepState, Trace
from models.timeline import TimelineEntry
from rules import engine, runs, storms
from tests.factories import NOON, configure, configure_in, enquire

WAIT_FOR_CALL = """
  - name: Chase
    on: lead.created
    do:
      - add_tag: new
      - wait: {for: call.completed, where: 'call.result == "answered"', timeout: 2 business hours}
      - if_done: [add_tag: spoken]
      - unless_done: [{add_tag: waiting}, {notify: {to: clara@acme.test, text: "{{ lead.name }} is still waiting"}}]
      - add_tag: end
"""


def happen(session: Session, lead: Lead, trigger: str, **data: object) -> None:
    engine.react(
        session, [Happening(trigger, lead, data)], workspace=workspace.load(session), event_id=new_id()
    )


def wake(database: db.Database, at: datetime) -> int:
    """Does what the scheduler and a worker do with what is due; says how many steps that was."""
    with clock.frozen(at):
        with database.reading() as session:
            due = session.scalars(
                select(StepRow.id).where(runs.due(at), StepRow.state == StepState.WAITING)
            ).all()
        for step_id in due:
            with database.unit_of_work() as session:
                runs.claim(session, step_id)
    return len(due)


def paths(session: Session) -> dict[str, tuple[str, str]]:
    rows = session.scalars(select(StepRow).order_by(StepRow.run_id, StepRow.path))
    return {row.path: (row.kind, row.state.value) for row in rows}


def test_a_wait_that_runs_out_takes_the_other_way(database: db.Database) -> None:
    configure(rules=WAIT_FOR_CALL)
    with clock.frozen(NOON), database.unit_of_work() as session:
        lead_id = enquire(session).lead.id
        assert session.scalars(select(Run.state)).one() is RunState.ACTIVE
        assert session.get_one(Lead, lead_id).tags == ["new"]
    assert wake(database, NOON + timedelta(hours=2) - timedelta(seconds=1)) == 0
    assert wake(database, NOON + timedelta(hours=2)) == 1
    with database.reading() as session:
        assert session.get_one(Lead, lead_id).tags == ["new", "waiting", "end"]
        assert paths(session) == {
            "000": ("add_tag", "done"),
            "001": ("wait", "done"),
            "002": ("if_done", "done"),
            "003": ("unless_done", "done"),
            "003.do.000": ("add_tag", "done"),
            "003.do.001": ("notify", "ready"),
            "004": ("add_tag", "done"),
        }
        waited = session.scalars(select(StepRow.result).where(StepRow.kind == "wait")).one()
        assert waited == "call.completed did not come in time"


def test_what_is_waited_for_ends_the_wait_at_once(database: db.Database) -> None:
    configure(rules=WAIT_FOR_CALL)
    with clock.frozen(NOON), database.unit_of_work() as session:
        lead_id = enquire(session).lead.id
    with clock.frozen(NOON + timedelta(minutes=5)), database.unit_of_work() as session:
        lead = session.get_one(Lead, lead_id)
        call = a_call(session, lead, "missed")
        engine.react(
            session,
            [Happening("call.completed", lead, call=call)],
            workspace=workspace.load(session),
            event_id=new_id(),
        )
        assert lead.tags == ["new"]  # a missed call is not what it waits for
        call = a_call(session, lead, "answered")
        engine.react(
            session,
            [Happening("call.completed", lead, call=call)],
            workspace=workspace.load(session),
            event_id=new_id(),
        )
        assert lead.tags == ["new", "spoken", "end"]
        assert session.scalars(select(Run.state)).one() is RunState.DONE
    assert wake(database, NOON + timedelta(days=1)) == 0


def a_call(session: Session, lead: Lead, result: str) -> object:
    from models.call import Call, CallResult

    call = Call(
        source_id=lead.source_id,
        source=lead.source,
        provider="twilio",
        group_id=new_id(),
        provider_call_id=new_id(),
        heard_at=clock.now(),
        facts={},
        direction="inbound",
        from_number="+5511987654321",
        result=CallResult(result),
        lead_id=lead.id,
        created_at=clock.now(),
    )
    session.add(call)
    session.flush()
    return call


def test_a_later_step_still_sees_what_started_the_run(database: db.Database) -> None:
    configure(
        rules="""
  - name: Call back
    on: call.missed
    do:
      - wait: 5 minutes
      - set: {seen: "{{ call.from }} {{ event.why }}"}
      - notify: {to: clara@acme.test, text: "{{ call.from }} called"}
""".replace(" {{ event.why }}", "")
    )
    with clock.frozen(NOON), database.unit_of_work() as session:
        lead = enquire(session).lead
        engine.react(
            session,
            [Happening("call.missed", lead, call=a_call(session, lead, "missed"))],  # type: ignore[arg-type]
            workspace=workspace.load(session),
            event_id=new_id(),
        )
    wake(database, NOON + timedelta(minutes=5))
    with clock.frozen(NOON + timedelta(minutes=6)), database.unit_of_work() as session:
        assert session.scalars(select(Lead)).one().fields["seen"] == "+5511987654321"
        step_id = session.scalars(select(StepRow.id).where(StepRow.kind == "notify")).one()
        job = runs.claim(session, step_id)
        assert job is not None
        assert job.order.text == "+5511987654321 called"  # type: ignore[union-attr]


def test_a_branch_goes_one_way_and_the_steps_after_it_are_done(session: Session) -> None:
    configure_in(
        session,
        rules="""
  - name: Branch
    on: lead.created
    do:
      - if: lead.fields.employees >= 200
        then: [add_tag: big]
        else:
          - if: lead.fields.employees >= 50
            then: [add_tag: middle]
            else: [add_tag: small]
      - add_tag: end
""",
    )
    found = [
        enquire(session, emails=(f"c{n}@x.test",), fields={"employees": n} if n else {}).lead.tags
        for n in (500, 60, 3, 0)
    ]
    assert found == [["big", "end"], ["middle", "end"], ["small", "end"], ["small", "end"]]


def test_a_loop_does_its_steps_for_each_item_also_across_waits(database: db.Database) -> None:
    configure(
        rules="""
  - name: Each
    on: lead.created
    do:
      - for_each:
          in: lead.fields.products
          as: product
          do:
            - wait: 1 hours
            - add_tag: "wants {{ product }}"
      - add_tag: end
"""
    )
    with clock.frozen(NOON), database.unit_of_work() as session:
        lead_id = enquire(session, fields={"products": ["desk", "chair"]}).lead.id
    for hour in (1, 2):
        assert wake(database, NOON + timedelta(hours=hour)) == 1
    with database.reading() as session:
        assert session.get_one(Lead, lead_id).tags == ["wants desk", "wants chair", "end"]
        assert list(paths(session)) == [
            "000",
            "000.do#0000.000",
            "000.do#0000.001",
            "000.do#0001.000",
            "000.do#0001.001",
            "001",
        ]
        assert session.scalars(select(Run.state)).one() is RunState.DONE


def test_a_wait_inside_a_branch_comes_back_to_the_steps_after_it(database: db.Database) -> None:
    configure(
        rules="""
  - name: Inside
    on: lead.created
    do:
      - if: lead.channel == "form"
        then:
          - wait: 10 minutes
          - add_tag: waited
      - add_tag: end
"""
    )
    with clock.frozen(NOON), database.unit_of_work() as session:
        lead_id = enquire(session).lead.id
    wake(database, NOON + timedelta(minutes=10))
    with database.reading() as session:
        assert session.get_one(Lead, lead_id).tags == ["waited", "end"]


def test_stop_ends_the_run_where_it_stands(session: Session) -> None:
    configure_in(
        session,
        rules="""
  - name: Stops
    on: lead.created
    do:
      - if: lead.channel == "form"
        then: [stop: "forms are enough"]
      - add_tag: never
""",
    )
    assert enquire(session).lead.tags == []
    run = session.scalars(select(Run)).one()
    assert (run.state, run.ended_why) == (RunState.DONE, "forms are enough")


@pytest.mark.parametrize(
    ("clock_shows", "zone", "phone", "woken"),
    [
        # NOON is 12:00 in São Paulo (UTC-3), 15:00 UTC
        ("18:00", "lead", "+5511987654321", datetime(2026, 11, 23, 21, 0, tzinfo=UTC)),
        ("09:00", "lead", "+5511987654321", datetime(2026, 11, 24, 12, 0, tzinfo=UTC)),
        ("18:00", "lead", "+4915112345678", datetime(2026, 11, 23, 17, 0, tzinfo=UTC)),
        ("18:00", "workspace", "+4915112345678", datetime(2026, 11, 23, 21, 0, tzinfo=UTC)),
        ("18:00", "lead", None, datetime(2026, 11, 23, 21, 0, tzinfo=UTC)),
    ],
)
def test_until_a_time_of_day_where_the_lead_is(
    session: Session, clock_shows: str, zone: str, phone: str | None, woken: datetime
) -> None:
    configure_in(
        session,
        rules=f'  - {{name: w, on: lead.created, do: [wait: {{until: "{clock_shows}", zone: {zone}}}, add_tag: x]}}',
    )
    with clock.frozen(NOON):
        enquire(session, phones=(phone,) if phone else ())
    assert session.scalars(select(StepRow.due_at)).one() == woken


def test_a_lead_that_is_closed_waits_for_nothing_more(database: db.Database) -> None:
    configure(rules=WAIT_FOR_CALL)
    with clock.frozen(NOON), database.unit_of_work() as session:
        lead = enquire(session).lead
        happened = leads.change_status(session, lead, LeadStatus.JUNK, actor="user:1", reason="spam")
        engine.react(session, happened, workspace=workspace.load(session), event_id=new_id())
        run = session.scalars(select(Run)).one()
        assert (run.state, run.ended_why) == (RunState.ACTIVE, None)  # began with it
    with clock.frozen(NOON + timedelta(minutes=1)), database.unit_of_work() as session:
        lead = session.scalars(select(Lead)).one()
        leads.change_status(session, lead, LeadStatus.NEW, actor="user:1")
        happened = leads.change_status(session, lead, LeadStatus.JUNK, actor="user:1", reason="spam")
        engine.react(session, happened, workspace=workspace.load(session), event_id=new_id())
        run = session.scalars(select(Run)).one()
        assert (run.state, run.ended_why) == (RunState.CANCELLED, "the lead is junk")
    assert wake(database, NOON + timedelta(days=2)) == 0


def test_stop_when_ends_a_run_that_waits(database: db.Database) -> None:
    configure(
        rules="""
  - name: Nurture
    on: lead.created
    stop_when: '"bought" in lead.tags'
    do:
      - wait: 3 days
      - add_tag: nurtured
"""
    )
    with clock.frozen(NOON), database.unit_of_work() as session:
        one, two = (enquire(session, emails=(f"{n}@x.test",)).lead for n in ("a", "b"))
        session.flush()
        ids = one.id, two.id
    with clock.frozen(NOON + timedelta(days=1)), database.unit_of_work() as session:
        one = session.get_one(Lead, ids[0])
        happened = leads.add_tag(session, one, "bought", actor="user:1")
        engine.react(session, happened, workspace=workspace.load(session), event_id=new_id())
        # Of the other it is found when its time comes: nobody told the rules.
        session.get_one(Lead, ids[1]).tags = ["bought"]
    wake(database, NOON + timedelta(days=3))
    with database.reading() as session:
        assert {r.state for r in session.scalars(select(Run))} == {RunState.CANCELLED}
        assert all("nurtured" not in lead.tags for lead in session.scalars(select(Lead)))


@pytest.mark.parametrize(
    ("once", "runs_after"),
    [("lead", [1, 1, 1]), ("1 hours", [1, 1, 2]), (None, [1, 2, 3])],
)
def test_a_rule_runs_as_often_as_it_says(session: Session, once: str | None, runs_after: list[int]) -> None:
    said = f"once: {once}," if once else ""
    configure_in(session, rules=f"  - {{name: r, on: tag.added, {said} do: [set: {{x: a}}]}}")
    with clock.frozen(NOON - timedelta(days=1)):
        lead = enquire(session).lead
    counted = []
    for minutes in (0, 30, 90):
        with clock.frozen(NOON + timedelta(minutes=minutes)):
            happen(session, lead, "tag.added", tag=f"t{minutes}")
        counted.append(len(session.scalars(select(Run)).all()))
    assert counted == runs_after


def test_two_tags_in_one_event_start_a_rule_twice(session: Session) -> None:
    configure_in(session, rules='  - {name: r, on: tag.added, do: [set: {"last": "{{ event.tag }}"}]}')
    lead = enquire(session).lead
    happened = [Happening("tag.added", lead, {"tag": tag}) for tag in ("a", "b")]
    engine.react(session, happened, workspace=workspace.load(session), event_id=new_id())
    assert len(session.scalars(select(Run)).all()) == 2
    assert lead.fields["last"] == "b"


@pytest.mark.parametrize(
    "broken",
    [
        'set: {"x": "{{ lead.company | truncate(20) }}"}',
        "set: {score: 99999999999999999999999}",
        "assign: {user: bruno@acme.test}",
    ],
)
def test_a_step_that_breaks_costs_neither_the_lead_nor_the_other_rules(
    database: db.Database, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(
        rules=f"""
  - {{name: broken, on: lead.created, do: [{broken}, add_tag: after]}}
  - {{name: other, on: lead.created, do: [add_tag: other]}}
"""
    )
    from rules.steps.assign import Assign

    def fails(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Assign, "run", fails)
    with database.unit_of_work() as session:
        lead = enquire(session).lead
        assert lead.tags == ["after", "other"]
    with database.reading() as session:
        assert session.scalars(select(Lead)).one().tags == ["after", "other"]


def test_rules_ask_what_has_just_changed_and_what_it_was(session: Session) -> None:
    configure_in(
        session,
        rules="""
  - {name: status, on: lead.updated, when: 'changed("status") && was("status") == "new"', do: [add_tag: begun]}
  - {name: score, on: lead.updated, when: 'changed("score") && was("score") < 5 && lead.score >= 5', do: [add_tag: warm]}
  - {name: never, on: tag.added, when: 'changed("status")', do: [add_tag: never]}
""",
    )
    lead = enquire(session).lead
    for happened in (
        leads.change_status(session, lead, LeadStatus.IN_PROGRESS, actor="user:1"),
        leads.set_field(session, lead, "score", 3, actor="user:1"),
        leads.set_field(session, lead, "score", 7, actor="user:1"),
        leads.set_field(session, lead, "score", 9, actor="user:1"),
    ):
        engine.react(session, happened, workspace=workspace.load(session), event_id=new_id())
    assert lead.tags == ["begun", "warm"]


def test_a_storm_is_cut_told_once_and_over_with_the_hour(session: Session) -> None:
    configure_in(session, rules="  - {name: echo, on: tag.added, do: [score: 1]}")
    with clock.frozen(NOON):
        lead = enquire(session).lead
        for n in range(40):
            happen(session, lead, "tag.added", tag=str(n))
        assert lead.score == storms.MOST_OFTEN
        alarms = select(TimelineEntry.summary).where(TimelineEntry.kind == "alarm")
        assert session.scalars(alarms).all() == [
            "Held back: the rule echo ran 30 times on this lead within an hour"
        ]
        last = session.scalars(select(Trace).order_by(Trace.id.desc()).limit(1)).one()
        assert "not started: it ran 30 times" in last.rules[0]["stopped"]
    told = session.scalars(select(Notification)).one()  # by whoever manages
    assert (told.user.email, told.lead_id) == ("clara@acme.test", lead.id)
    with clock.frozen(NOON + timedelta(minutes=61)):
        happen(session, lead, "tag.added", tag="later")
        assert lead.score == storms.MOST_OFTEN + 1


def test_a_person_lets_a_storm_go_on_and_it_is_cut_again(session: Session) -> None:
    configure_in(session, rules="  - {name: echo, on: tag.added, do: [score: 1]}")
    with clock.frozen(NOON):
        lead = enquire(session).lead
        for n in range(40):
            happen(session, lead, "tag.added", tag=str(n))
        assert [(h.row.rule, h.on) for h in storms.open_storms(session)] == [("echo", lead)]
        assert storms.resume(session, "other", by="user:1") == 0
    with clock.frozen(NOON + timedelta(minutes=1)):
        assert storms.resume(session, "echo", by="user:1") == 1
        assert storms.open_storms(session) == []
    with clock.frozen(NOON + timedelta(minutes=2)):
        for n in range(40):
            happen(session, lead, "tag.added", tag=f"again {n}")
        assert lead.score == 2 * storms.MOST_OFTEN
        assert len(storms.open_storms(session)) == 1
    alarms = session.scalars(select(TimelineEntry.summary).where(TimelineEntry.kind == "alarm")).all()
    assert len(alarms) == 3  # held back, let go on, held back
