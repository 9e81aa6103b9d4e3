"""What rules do: routing, follow-up, traces, guards."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock, db
from core.ids import new_id
from crm import workspace
from crm.happening import Happening
from models.activity import Activity
from models.lead import Lead
from models.rule import Run, RunState, StepRow, StepState, Trace
from models.timeline import TimelineEntry
from models.user import User
from rules import engine, runs
from rules.explanation import explain
from rules.order import MailOrder, WebhookOrder
from tests.factories import NOON, configure, configure_in, enquire

ROUTE = """
  - name: Big ones
    on: lead.created
    when: lead.channel == "form" && lead.fields.employees >= 200
    do:
      - assign: {user: ana@acme.test}
      - add_tag: enterprise
      - set: {score: 50, segment: "{{ lead.source }}-big"}
  - name: All
    on: lead.created
    do:
      - assign: {team: inbound, by: round_robin}
      - schedule: {type: call, subject: "Call {{ lead.name }}", due: 15 business minutes, calendar: office}
"""


def owner(lead: Lead) -> str | None:
    return lead.owner.email if lead.owner else None


def test_a_lead_is_routed_with_its_next_step_in_one_go(session: Session) -> None:
    configure_in(session, rules=ROUTE)
    with clock.frozen(NOON):
        lead = enquire(session).lead
    assert owner(lead) == "ana@acme.test"
    activity = session.scalars(select(Activity)).one()
    assert activity.subject == "Call Maria Souza"
    assert activity.due_at == NOON + timedelta(minutes=15)
    assert activity.owner_id == lead.owner_id


def test_rules_run_in_their_order_and_the_next_sees_what_the_last_did(session: Session) -> None:
    configure_in(
        session,
        rules="""
  - {name: one, on: lead.created, do: [add_tag: vip, set: {city: Recife}]}
  - {name: two, on: lead.created, when: '"vip" in lead.tags && lead.fields.city == "Recife"', do: [set: {score: 7}]}
""",
    )
    assert enquire(session).lead.score == 7


def test_matching_rules_change_what_they_say(session: Session) -> None:
    configure_in(session, rules=ROUTE)
    lead = enquire(session, fields={"employees": 500}).lead
    assert lead.tags == ["enterprise"]
    assert lead.score == 50
    assert lead.fields["segment"] == "contact-big"


def test_turns_are_taken_in_the_team_s_order_and_leavers_are_skipped(session: Session) -> None:
    configure_in(session, rules=ROUTE)
    first = [owner(enquire(session, emails=(f"c{n}@x.test",)).lead) for n in range(4)]
    assert first == ["ana@acme.test", "bruno@acme.test"] * 2
    session.scalars(select(User).where(User.email == "ana@acme.test")).one().active = False
    session.flush()
    lead = enquire(session, emails=("later@x.test",)).lead
    assert owner(lead) == "bruno@acme.test"
    told = session.scalars(
        select(TimelineEntry.summary).where(
            TimelineEntry.lead_id == lead.id, TimelineEntry.kind == "assigned"
        )
    ).one()
    assert "skipped Ana: not active" in told


def test_shares_are_exact_when_many_come_at_once(database: db.Database) -> None:
    configure(rules=ROUTE)

    def arrive(worker: int) -> None:
        for n in range(10):
            with database.unit_of_work() as session:
                enquire(session, emails=(f"w{worker}-{n}@x.test",))

    threads = [threading.Thread(target=arrive, args=(w,)) for w in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.reading() as session:
        assert Counter(map(owner, session.scalars(select(Lead)))) == {
            "ana@acme.test": 20,
            "bruno@acme.test": 20,
        }


def test_a_step_that_cannot_be_done_is_told_and_the_others_go_on(session: Session) -> None:
    configure_in(
        session,
        rules="""
  - {name: gone, on: lead.created, do: [assign: {user: bruno@acme.test}, add_tag: seen]}
  - {name: other, on: lead.created, do: [assign: {user: ana@acme.test}]}
""",
    )
    session.scalars(select(User).where(User.email == "bruno@acme.test")).one().active = False
    session.flush()
    lead = enquire(session).lead
    assert owner(lead) == "ana@acme.test"
    assert lead.tags == ["seen"]
    failed = session.scalars(select(StepRow).where(StepRow.state == StepState.FAILED)).one()
    assert failed.result == "bruno@acme.test has left"
    assert {r.rule: r.state for r in session.scalars(select(Run))} == {
        "gone": RunState.FAILED,
        "other": RunState.DONE,
    }


def test_the_trace_says_why_and_why_not(session: Session) -> None:
    configure_in(session, rules=ROUTE)
    lead = enquire(session, fields={"employees": 12}).lead
    found = explain(session, lead.id)
    assert found is not None
    big, everything = found[0].rules
    assert (big["rule"], big["matched"]) == ("Big ones", False)
    assert big["parts"][1] == {
        "part": "lead.fields.employees >= 200",
        "result": False,
        "saw": {"lead.fields.employees": 12},
    }
    assert everything["matched"] is True
    assert [(s["kind"], s["state"]) for s in everything["steps"]] == [
        ("assign", "done"),
        ("schedule", "done"),
    ]
    assert "round robin in inbound, 1 of 2" in everything["steps"][0]["result"]


def test_the_same_cause_starts_a_rule_once(session: Session) -> None:
    configure_in(session, rules=ROUTE)
    cause = new_id()
    lead = enquire(session, event_id=cause).lead
    engine.react(
        session,
        [Happening("lead.created", lead, {"channel": "form"})],
        workspace=workspace.load(session),
        event_id=cause,
    )
    assert len(session.scalars(select(Activity)).all()) == 1


def test_rules_that_set_each_other_off_are_stopped(session: Session) -> None:
    configure_in(
        session,
        rules="""
  - {name: start, on: lead.created, do: [set: {n: a}]}
  - {name: ping, on: lead.updated, when: 'lead.fields.n == "a"', do: [set: {n: b}]}
  - {name: pong, on: lead.updated, when: 'lead.fields.n == "b"', do: [set: {n: a}]}
""",
    )
    enquire(session)
    stopped = [r for t in session.scalars(select(Trace)) for r in t.rules if "stopped" in r]
    assert stopped
    assert "rules set off rules 5 deep" in stopped[0]["stopped"]
    assert len(session.scalars(select(Run)).all()) < 20


SEND = """
  - name: Answer
    on: lead.created
    do:
      - send_email: {template: welcome}
      - notify: {webhook: "https://hooks.example.com/x", text: "New: {{ lead.name }}"}
"""


def test_deferred_steps_are_ordered_claimed_once_and_recorded(database: db.Database) -> None:
    configure(rules=SEND)
    with database.unit_of_work() as session:
        lead_id = enquire(session).lead.id
    with database.unit_of_work() as session:
        mail_id, hook_id = session.scalars(select(StepRow.id).order_by(StepRow.path)).all()
        mail = runs.claim(session, mail_id)
        assert mail is not None
        assert mail.order == MailOrder(
            "maria@client.test",
            "Hello Maria Souza",
            "Dear Maria Souza, thank you.",
            mail.order.message_id,  # type: ignore[union-attr]
            unsubscribe=mail.order.unsubscribe,  # type: ignore[union-attr]
        )
    with database.unit_of_work() as session:
        assert runs.claim(session, mail_id) is None  # somebody has it
        hook = runs.claim(session, hook_id)
        assert hook is not None
        assert isinstance(hook.order, WebhookOrder)
        assert hook.order.payload["text"] == "New: Maria Souza"
    with database.unit_of_work() as session:
        runs.done(session, mail, "sent")
        runs.failed(session, hook, "answered 404", retry=False)
    with database.reading() as session:
        assert session.scalars(select(Run.state)).one() is RunState.FAILED
        kinds = session.scalars(select(TimelineEntry.kind).where(TimelineEntry.lead_id == lead_id)).all()
        assert {"mail_sent", "step_failed"} <= set(kinds)


def test_a_failure_that_may_pass_is_tried_again_later_and_not_for_ever(database: db.Database) -> None:
    configure(rules=SEND)
    with database.unit_of_work() as session:
        enquire(session)
        step_id = session.scalars(select(StepRow.id).order_by(StepRow.path)).first()
    assert step_id is not None
    moment, waits = clock.now() + timedelta(seconds=1), []
    for _ in range(len(runs.WAITS) + 1):
        with clock.frozen(moment), database.unit_of_work() as session:
            job = runs.claim(session, step_id)
            assert job is not None
            runs.failed(session, job, "451 later", retry=True)
            row = session.get_one(StepRow, step_id)
            waits.append(row.due_at - moment)
            moment = max(row.due_at, moment)
    for waited, least in zip(waits[:-1], runs.WAITS, strict=True):
        assert least <= waited <= least * 1.2
    assert len(set(waits[:-1])) == len(runs.WAITS)
    with database.reading() as session:
        assert session.get_one(StepRow, step_id).state is StepState.FAILED


def test_a_notice_is_given_up_sooner_than_a_mail(database: db.Database) -> None:
    configure(rules=SEND)
    with database.unit_of_work() as session:
        enquire(session)
        step_id = session.scalars(select(StepRow.id).where(StepRow.kind == "notify")).one()
    moment, tries = clock.now() + timedelta(seconds=1), 0
    while True:
        with clock.frozen(moment), database.unit_of_work() as session:
            job = runs.claim(session, step_id)
            if job is None:
                break
            tries += 1
            runs.failed(session, job, "503", retry=True)
            moment = max(session.get_one(StepRow, step_id).due_at, moment)
    assert tries == 6


def test_a_step_whose_worker_died_is_taken_over_after_its_lease(database: db.Database) -> None:
    configure(rules=SEND)
    with database.unit_of_work() as session:
        enquire(session)
        step_id = session.scalars(select(StepRow.id).order_by(StepRow.path)).first()
    assert step_id is not None
    with database.unit_of_work() as session:
        first = runs.claim(session, step_id)
    with clock.frozen(clock.now() + runs.LEASE + timedelta(seconds=1)):
        with database.unit_of_work() as session:
            second = runs.claim(session, step_id)
        assert first is not None
        assert second is not None
        assert second.order == first.order  # the same Message-ID: a receiver can drop the copy
        with database.unit_of_work() as session:
            runs.done(session, first, "late")  # the first one's word no longer counts
            assert session.get_one(StepRow, step_id).state is StepState.RUNNING
            runs.done(session, second, "sent")
            assert session.get_one(StepRow, step_id).state is StepState.DONE


@pytest.mark.parametrize("to", ["owner", "team.lead", "boss@acme.test"])
def test_people_are_notified_by_mail(session: Session, to: str) -> None:
    configure_in(
        session,
        rules=f'  - {{name: n, on: lead.created, do: [assign: {{team: inbound}}, notify: {{to: {to}, text: "New {{{{ lead.name }}}}"}}]}}',
    )
    enquire(session)
    step_id = session.scalars(select(StepRow.id).where(StepRow.kind == "notify")).one()
    job = runs.claim(session, step_id)
    assert job is not None
    assert isinstance(job.order, MailOrder)
    expected = {"owner": "ana@acme.test", "team.lead": "clara@acme.test"}.get(to, to)
    assert (job.order.to, job.order.text) == (expected, "New Maria Souza")
