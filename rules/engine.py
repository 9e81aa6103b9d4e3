"""Reacts to what happened: looks at the rules, keeps why, starts runs, and wakes those that wait for it.

All of it inside the caller's transaction: a lead and its routing become visible together.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from sqlalchemy import select
from sqlalchemy.orm import Session, contains_eager

from core import clock
from core.errors import Conflict
from core.ids import digest
from crm.happening import Happening
from crm.workspace import WorkspaceSettings
from models.lead import OPEN
from models.rule import Run, RunState, StepRow, StepState
from rules import facts, outbox, sla, subject, surroundings
from rules import outside as outside  # it listens to what sessions write
from rules.condition import unchecked
from rules.looking import FEW, Looked
from rules.reaction import STARTED, Reaction, cancel, consider, follow, trace
from rules.ruleset import active, version
from rules.sight import Sight
from rules.walk import Walk

__all__ = ["again", "cancel", "go_on", "react", "start"]


def react(
    session: Session,
    happenings: Iterable[Happening],
    *,
    workspace: WorkspaceSettings,
    event_id: str,
    careful: bool = True,
) -> None:
    """Lets the rules in force react to these happenings, and to what their own steps make happen.

    `event_id` names the cause: the same cause never starts the same rule twice. With `careful=False` a
    step that breaks takes the transaction with it: for whoever tries again with care.
    """
    happenings = list(happenings)
    if not happenings:
        return
    reaction = Reaction(session, workspace, event_id, event_id, active(session), clock.now(), careful=careful)
    reaction.waiting.extend((h, 0) for h in happenings)
    _go(reaction)


def start(
    session: Session,
    rule_name: str,
    happening: Happening,
    *,
    workspace: WorkspaceSettings,
    cause: str,
    told: bool = True,
) -> str | None:
    """Starts one rule by name on what the happening is about, where its condition is true.

    `cause` makes it once. Answers why it was not started, None where it was. With `told=False` only a
    start leaves a trace.
    """
    reaction = Reaction(session, workspace, cause, None, active(session), clock.now())
    rule = reaction.ruleset.named.get(rule_name) if reaction.ruleset else None
    if rule is None or not rule.active:
        return f"there is no active rule '{rule_name}'"
    entry = consider(reaction, happening, rule, 0, _sight(reaction, happening))
    if told or "run" in entry:
        trace(reaction, happening, [entry])
    _go(reaction)
    return (
        None
        if "run" in entry
        else entry.get("stopped", f"its condition is not true of this {subject.words(happening.element)}")
    )


def go_on(session: Session, row: StepRow, *, workspace: WorkspaceSettings) -> None:
    """Takes the run of a step that is done with further; what that makes happen, rules react to.

    The caller holds the row of what it is on, and the step's.
    """
    run = row.run
    happening = facts.restored(session, run)
    cause = digest(run.effect_key, row.path)
    reaction = Reaction(session, workspace, cause, None, active(session), clock.now())
    _continue(reaction, row, happening)
    _go(reaction)


def again(session: Session, row: StepRow, *, workspace: WorkspaceSettings) -> None:
    """Does one immediate step again that failed. The caller holds the rows of what it is on and the step."""
    run = row.run
    rule = version(session, run.ruleset_version_id).named.get(run.rule)
    if rule is None:
        raise Conflict("the rule is written in a way that this release does not understand")
    rows = session.scalars(select(StepRow).where(StepRow.run_id == run.id)).all()
    happening = facts.restored(session, run)
    cause = digest(run.effect_key, row.path, str(row.attempts))
    reaction = Reaction(session, workspace, cause, None, active(session), clock.now())
    walk = Walk(session, run, rule, happening, workspace, rows)
    walk.again(row.path)
    follow(reaction, walk, happening, run)
    _go(reaction)


def _go(reaction: Reaction) -> None:
    told = []
    while reaction.waiting:
        happening, depth = reaction.waiting.popleft()
        if happening.trigger != STARTED:
            told.append(happening)
        if happening.trigger == "lead.created" and happening.lead is not None:
            reaction.newborn.add(happening.lead.id)
            reaction.waits = sla.start(reaction.session, happening, reaction.workspace) or reaction.waits
        elif not reaction.is_new(happening) or reaction.waits:
            sla.attend(reaction.session, happening, reaction.workspace)
        _attend(reaction, happening)
        _look(reaction, happening, depth)
    outbox.record(reaction.session, told)


def _continue(reaction: Reaction, row: StepRow, happening: Happening) -> None:
    run, session = row.run, reaction.session
    rules = version(session, run.ruleset_version_id)
    rule = rules.named.get(run.rule)
    if rule is None:
        cancel(session, run, "the rule is written in a way that this release does not understand")
        run.state = RunState.FAILED
        return
    rows = session.scalars(select(StepRow).where(StepRow.run_id == run.id)).all()
    walk = Walk(session, run, rule, happening, reaction.workspace, rows)
    if rule.stop_when is not None and rule.stop_when.evaluate(_sight(reaction, happening))[0]:
        cancel(session, run, f"stop_when is true: {rule.stop_when.text}")
        return
    walk.go_on(row.path)
    follow(reaction, walk, happening, run)


def _attend(reaction: Reaction, happening: Happening) -> None:
    """Wakes the element's runs that wait for this, and ends those that need not wait any longer."""
    session = reaction.session
    if reaction.is_new(happening) and not reaction.waits:
        return  # nothing can wait for what was not there
    heard = subject.runs_that_hear(happening)
    if heard is None:
        return
    rows = session.scalars(
        select(StepRow)
        .join(StepRow.run)
        .options(contains_eager(StepRow.run))
        .where(
            heard,
            Run.state == RunState.ACTIVE,
            StepRow.state == StepState.WAITING,
        )
        .order_by(StepRow.id)
        .with_for_update(of=StepRow)
    ).all()
    if not rows:
        return
    seen = _sight(reaction, happening)
    for row in rows:
        run = row.run
        rule = version(session, run.ruleset_version_id).named.get(run.rule)
        if run.started_at < reaction.began and (over := _is_over(happening, run)) is not None:
            cancel(session, run, over)
        elif rule is not None and rule.stop_when is not None and rule.stop_when.evaluate(seen)[0]:
            cancel(session, run, f"stop_when is true: {rule.stop_when.text}")
        elif row.awaits == happening.trigger and _is_wanted(row, seen):
            row.state, row.ended_at = StepState.DONE, clock.now()
            row.data = {**row.data, "came": True}
            row.result = f"{happening.trigger} came"
            _continue(reaction, row, facts.restored(session, run))


def _is_over(happening: Happening, run: Run) -> str | None:
    """Why nothing is to be waited for any more: what the run is on was closed. None where it was not."""
    lead, deal = happening.lead, happening.deal
    if happening.trigger in ("deal.won", "deal.lost") and deal is not None and run.deal_id == deal.id:
        return f"the deal is {deal.state.value}"
    if happening.trigger == "lead.status_changed" and lead is not None and lead.status not in OPEN:
        return f"the lead is {lead.status.value}" if run.deal_id is None else None
    return None


def _is_wanted(row: StepRow, seen: Sight) -> bool:
    where = row.data.get("where")
    return where is None or unchecked(where).evaluate(seen)[0]


def _sight(reaction: Reaction, happening: Happening) -> Sight:
    element = happening.element
    key = subject.key(element)
    if key not in reaction.around:
        reaction.around[key] = surroundings.around(reaction.session, element, reaction.workspace)
    around, changes = reaction.around[key], facts.changes_of(happening)
    return Sight(
        facts.of(happening, reaction.workspace), replace(around, changes=changes) if changes else around
    )


def _look(reaction: Reaction, happening: Happening, depth: int) -> None:
    ruleset = reaction.ruleset
    if ruleset is None:
        return
    if happening.trigger == STARTED:
        named = ruleset.named.get(happening.data["rule"])
        if named is not None and named.active:
            trace(
                reaction,
                happening,
                [consider(reaction, happening, named, depth, _sight(reaction, happening))],
            )
        return
    matcher = ruleset.matchers.get(happening.trigger)
    if matcher is None:
        return
    looked = Looked(matcher, everything=len(matcher.rules) <= FEW)
    seen = _sight(reaction, happening)
    place = looked.next(seen)
    while place is not None:
        entry = consider(reaction, happening, matcher.rules[place], depth, seen)
        looked.entries.append(entry)
        if "run" in entry:
            # The next rule sees what this one did.
            seen = _sight(reaction, happening)
        place = looked.next(seen, anew="run" in entry)
    trace(reaction, happening, looked.entries, passed=looked.passed(), seen=looked.seen)
