"""Rules about deals: what they wait for, what their conditions see, and the steps that make and move deals."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock
from core.errors import Invalid
from core.ids import new_id
from crm import activities, deals, leads, workspace
from models.activity import Activity
from models.contact import Contact
from models.deal import Deal
from models.lead import LeadStatus
from models.message import Message
from models.pipeline import StageGroup
from models.rule import Run, RunState, StepRow, StepState
from models.timeline import TimelineEntry
from rules import engine, runs
from rules.explanation import explain
from rules.order import MailOrder
from tests.factories import configure, configure_in, contact, enquire


def made_by_hand(session: Session) -> Deal:
    person = contact(session)
    deal = deals.create(session, title="By hand", actor="user:1", contact=person)
    told = deals.told(deal, "deal.created", {})
    engine.react(session, told, workspace=workspace.load(session), event_id=new_id())
    return deal


MADE = "  - {name: c, on: lead.created, do: [assign: {team: inbound}, %s]}\n"


def moved(session: Session, deal: Deal, to: str) -> None:
    happened = deals.change_stage(session, deal, to, actor="user:1")
    engine.react(session, happened, workspace=workspace.load(session), event_id=new_id())


def test_a_rule_converts_a_lead_and_others_follow_the_deal_to_its_end(session: Session) -> None:
    rules = (
        MADE % 'convert: {into: [contact, deal], title: "For {{ lead.name }}"}'
        + """
  - {name: made, on: deal.created, when: 'deal.pipeline == "sales" && deal.stage == "new"', do: [add_tag: "deal {{ deal.number }}"]}
  - {name: told, on: lead.converted, when: event.deal_id > 0, do: [add_tag: told]}
  - {name: won, on: deal.won, when: 'deal.state == "won" && event.before == "new"', do: [add_tag: won]}
  - {name: lost, on: deal.lost, do: [add_tag: lost]}
  - {name: any, on: deal.stage_changed, do: [comment: "in {{ deal.stage }}"]}
"""
    )
    configure_in(session, rules=rules)
    lead = enquire(session).lead
    deal = session.scalars(select(Deal)).one()
    assert (lead.status, deal.title, deal.owner_id) == (
        LeadStatus.CONVERTED,
        "For Maria Souza",
        lead.owner_id,
    )
    assert lead.tags == ["told"]  # it is the lead's own event
    assert deal.tags == [f"deal {deal.number}"]
    moved(session, deal, "won")
    assert "won" in deal.tags
    assert "lost" not in deal.tags
    names = session.scalars(select(Run.rule).order_by(Run.id)).all()
    assert names.count("any") == 1


def test_steps_make_a_deal_of_an_open_lead_and_move_it(session: Session) -> None:
    rules = """
  - name: c
    on: lead.created
    do: [{create_deal: {amount: 100, stage: qualified}}, {change_stage: proposal}]
  - {name: lost, on: tag.added, when: event.tag == "no", do: [change_stage: lost]}
"""
    configure_in(session, rules=rules)
    lead = enquire(session).lead
    deal = session.scalars(select(Deal)).one()
    assert (lead.status, deal.stage.key, deal.lead_id, deal.amount) == (
        LeadStatus.NEW,
        "proposal",
        lead.id,
        100,
    )
    happened = leads.add_tag(session, lead, "no", actor="user:1")
    engine.react(session, happened, workspace=workspace.load(session), event_id=new_id())
    assert deal.state is StageGroup.LOST
    assert {r.state for r in session.scalars(select(Run))} == {RunState.DONE}


def test_a_step_without_a_deal_says_so_and_the_run_goes_on(session: Session) -> None:
    configure_in(
        session, rules="  - {name: c, on: lead.created, do: [{change_stage: won}, {add_tag: after}]}"
    )
    lead = enquire(session).lead
    assert lead.tags == ["after"]
    assert session.scalars(select(Run)).one().state is RunState.FAILED


@pytest.mark.parametrize(
    ("steps", "seen", "expected"),
    [
        ("{assign: {team: inbound}}", lambda d: d.owner.email, "ana@acme.test"),
        ("{assign: {user: ana@acme.test}}, {unassign: away}", lambda d: d.owner, None),
        ("{set: {title: Better, amount: '12.50', probability: 30}}", lambda d: (d.title, d.amount), ("Better", Decimal("12.5"))),
        ("{set: {segment: big, deal.expected_close: '2026-12-01'}}", lambda d: (d.fields, d.expected_close), ({"segment": "big"}, date(2026, 12, 1))),
        ("{add_tag: a}, {add_tag: b}, {remove_tag: a}", lambda d: d.tags, ["b"]),
        ("{change_stage: lost}", lambda d: d.state, StageGroup.LOST),
        ("{set: {contact.position: Owner}}", lambda d: d.contact.position, "Owner"),
        ("{if: contact.name == 'Rui Prado' && lead.name == null, then: [{add_tag: rui}]}", lambda d: d.tags, ["rui"]),
    ],
)  # fmt: skip
def test_what_steps_do_to_a_deal_that_came_from_no_lead(
    session: Session, steps: str, seen: Callable[[Deal], Any], expected: Any
) -> None:
    configure_in(session, rules=f"  - {{name: r, on: deal.created, do: [{steps}]}}\n")
    deal = made_by_hand(session)
    run = session.scalars(select(Run)).one()
    assert (run.state, run.lead_id, run.deal_id) == (RunState.DONE, None, deal.id), [
        s.result for s in run.steps
    ]
    assert seen(deal) == expected


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ("score: 5", "this is about a lead, and the deal"),
        ("change_status: in_progress", "came from none"),
        ("mark_junk: x", "came from none"),
        ("convert: [contact]", "came from none"),
        ("set: {probability: 101}", "'101' is no probability"),
        ("set: {amount: many}", "'many' is no amount"),
        ("set: {lead.score: 1}", "came from none"),
        ("assign: {user: gone@acme.test}", ""),
    ],
)
def test_a_step_that_needs_a_lead_says_so_on_the_deal(session: Session, step: str, words: str) -> None:
    if not words:
        with pytest.raises(Invalid, match="there is no user"):
            configure_in(session, rules=f"  - {{name: r, on: deal.created, do: [{step}]}}\n")
        return
    configure_in(session, rules=f"  - {{name: r, on: deal.created, do: [{{{step}}}, {{add_tag: after}}]}}\n")
    deal = made_by_hand(session)
    first = session.scalars(select(StepRow).order_by(StepRow.path)).first()
    assert first is not None
    assert first.state is StepState.FAILED
    assert words in (first.result or "")
    assert deal.tags == ["after"]
    told = session.scalars(select(TimelineEntry).where(TimelineEntry.kind == "step_failed")).one()
    assert (told.deal_id, told.lead_id) == (deal.id, None)


def test_a_run_on_a_deal_waits_goes_on_and_ends_with_it(session: Session) -> None:
    rules = """
  - {name: waits, on: deal.created, do: [{wait: {for: deal.stage_changed, where: 'was("stage") == "new"', timeout: 5 days}}, {if_done: [add_tag: moved]}, {wait: 5 days}]}
  - {name: after, on: deal.won, do: [{wait: 30 days}, {add_tag: late}]}
  - {name: back, on: deal.stage_changed, when: 'was("state") == "won" && changed("stage")', do: [add_tag: back]}
"""
    configure_in(session, rules=rules)
    deal = made_by_hand(session)
    moved(session, deal, "qualified")
    assert deal.tags == ["moved"]
    moved(session, deal, "won")
    states = {r.rule: (r.state, r.ended_why) for r in session.scalars(select(Run))}
    assert states["waits"] == (RunState.CANCELLED, "the deal is won")
    assert states["after"][0] is RunState.ACTIVE  # it was the winning that it was started by
    step = session.scalars(select(StepRow).where(StepRow.state == StepState.WAITING)).one()
    moved(session, deal, "qualified")
    assert "back" in deal.tags
    session.flush()
    with clock.frozen(clock.now() + timedelta(days=31)):
        assert runs.claim(session, step.id) is None
    assert "late" in deal.tags


def test_a_contact_s_activity_has_rules_and_its_trace(session: Session) -> None:
    rules = """
  - {name: told, on: activity.completed, when: 'activity.type == "call" && contact.owner == null', once: lead, do: [{assign: {team: inbound}}, {schedule: {subject: "Write to {{ contact.name }}", due: 1 hours}}, {send_email: {template: welcome}}, {create_deal: "For {{ contact.name }}"}, {score: 1}]}
  - {name: other, on: activity.completed, when: lead.score > 3, do: [stop]}
"""
    configure_in(session, rules=rules)
    person = contact(session, email="rui@x.test")
    activity = activities.plan(session, person, type="call", subject="c", due_at=clock.now(), actor="user:1")
    happened = activities.complete(session, activity, actor="user:1")
    engine.react(session, happened, workspace=workspace.load(session), event_id=new_id())
    run = session.scalars(select(Run)).one()
    assert (run.contact_id, run.lead_id, run.deal_id) == (person.id, None, None)
    states = [s.state for s in run.steps]
    assert states == [StepState.DONE, StepState.DONE, StepState.READY, StepState.DONE, StepState.FAILED]
    assert person.owner is not None
    assert session.scalars(select(Deal)).one().contact_id == person.id
    planned = session.scalars(select(Activity).where(Activity.contact_id == person.id)).all()
    assert {a.subject for a in planned} == {"c", "Write to Rui Prado"}
    mail = next(s for s in run.steps if s.kind == "send_email")
    job = runs.claim(session, mail.id)
    assert job is not None
    assert isinstance(job.order, MailOrder)
    assert job.order.to == "rui@x.test"
    runs.done(session, job, "sent")
    assert session.scalars(select(Message)).one().contact_id == person.id
    found = explain(session, person.id, of=Contact)
    assert found is not None
    told, other = next(e for e in found if e.trigger == "activity.completed").rules
    assert [p["result"] for p in told["parts"]] == [True, True]
    assert other["parts"][0]["problem"] == "score is empty"


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (
            '{name: r, on: deal.won, when: deal.stge == "x", do: [stop]}',
            "'deal' has no 'stge'; did you mean 'stage'",
        ),
        ('{name: r, on: deal.won, when: deal.stage == "wno", do: [stop]}', "'deal.stage' is never 'wno'"),
        ('{name: r, on: deal.won, when: deal.state == "gone", do: [stop]}', "'deal.state' is never 'gone'"),
        ("{name: r, on: lead.created, when: deal.amount > 1, do: [stop]}", "there is no 'deal'"),
        ("{name: r, on: deal.won, do: [change_stage: nowhere]}", "there is no stage 'nowhere'"),
        ("{name: r, on: deal.won, do: [convert: [lead]]}", "convert"),
        ("{name: r, on: deal.won, do: [assign: {offer: inbound}]}", "only leads are offered"),
        ("{name: r, on: deal.won, do: [set: {stage: won}]}", "'stage' cannot be set this way"),
    ],
)
def test_what_a_rule_about_deals_cannot_mean_is_refused(database: object, rule: str, words: str) -> None:
    with pytest.raises(Invalid, match=words):
        configure(rules=f"  - {rule}")


@pytest.mark.parametrize(
    ("trigger", "to", "condition"),
    [
        ("deal.stage_changed", "qualified", 'changed("stage") && was("stage") == "new"'),
        (
            "deal.stage_changed",
            "won",
            'was("stage") == "new" && was("state") == "open" && deal.state == "won"',
        ),
        ("deal.won", "won", 'changed("stage") && was("stage") == "new" && was("state") == "open"'),
        ("deal.lost", "lost", 'was("stage") == "new" && was("stage") != deal.stage'),
    ],
)
def test_a_rule_about_a_deal_asks_what_its_stage_and_state_were(
    session: Session, trigger: str, to: str, condition: str
) -> None:
    rules = f"""
  - {{name: asks, on: {trigger}, when: '{condition}', do: [add_tag: asked]}}
  - {{name: other, on: {trigger}, when: 'was("stage") == "proposal" || changed("pipeline")', do: [add_tag: other]}}
"""
    configure_in(session, rules=rules)
    deal = made_by_hand(session)
    moved(session, deal, to)
    assert deal.tags == ["asked"]


def test_where_nothing_was_changed_what_it_was_is_empty_and_the_rule_does_not_match(session: Session) -> None:
    rules = """
  - {name: made, on: deal.created, when: 'was("stage") == "new" || changed("stage")', do: [add_tag: matched]}
  - {name: all, on: deal.created, do: [add_tag: all]}
"""
    configure_in(session, rules=rules)
    assert made_by_hand(session).tags == ["all"]


def test_a_step_that_moves_a_deal_tells_other_rules_what_its_stage_was(session: Session) -> None:
    rules = (
        MADE % "create_deal: {stage: qualified}, change_stage: proposal"
        + """
  - {name: asks, on: deal.stage_changed, when: 'was("stage") == "qualified"', do: [add_tag: asked]}
"""
    )
    configure_in(session, rules=rules)
    enquire(session)
    assert session.scalars(select(Deal)).one().tags == ["asked"]
