"""Rules about deals: what they wait for, what their conditions see, and the steps that make and move deals."""

from __future__ import annotations

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.errors import Invalid
from core.ids import new_id
from crm import deals, leads, workspace
from models.deal import Deal
from models.lead import LeadStatus
from models.pipeline import StageGroup
from models.rule import Run, RunState
from rules import engine
from tests.factories import configure, configure_in, enquire

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
    assert set(lead.tags) == {f"deal {deal.number}", "told"}
    moved(session, deal, "won")
    assert "won" in lead.tags
    assert "lost" not in lead.tags
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
    ],
)
def test_what_a_rule_about_deals_cannot_mean_is_refused(database: object, rule: str, words: str) -> None:
    with pytest.raises(Invalid, match=words):
        configure(rules=f"  - {rule}")
