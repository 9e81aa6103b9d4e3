"""Reacts to what happened: looks at the rules, keeps why, starts runs, and wakes those that wait for it.

All of it inside the caller's transaction: a lead and its routing become visible together.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import cel
from sqlalchemy import select
from sqlalchemy.orm import Session, contains_eager

from core import clock
from core.errors import Conflict
from core.ids import digest, keyed
from crm.happening import Happening
from crm.workspace import WorkspaceSettings
from models.lead import OPEN, Lead
from models.rule import Run, RunState, StepRow, StepState, Trace
from rules import facts
from rules.condition import unchecked
from rules.ruleset import Ruleset, active, version
from rules.schema import Rule
from rules.walk import Walk, settle

#: A rule that is started by a step, whose rule was started by a step …: how far that goes.
DEEPEST = 5
# A rule that another one starts by its name, in the place of a trigger.
_STARTED = "started"
#: How many runs one happening may start in all.
MOST_RUNS = 50


@dataclass
class _Reaction:
    session: Session
    workspace: WorkspaceSettings
    cause: str
    event_id: str | None
    ruleset: Ruleset | None
    began: datetime
    waiting: deque[tuple[Happening, int]] = field(default_factory=deque)
    runs: int = 0

    def go(self) -> None:
        while self.waiting:
            happening, depth = self.waiting.popleft()
            _attend(self, happening)
            _look(self, happening, depth)


def react(
    session: Session, happenings: Iterable[Happening], *, workspace: WorkspaceSettings, event_id: str
) -> None:
    """Lets the rules in force react to these happenings, and to what their own steps make happen.

    `event_id` names the cause: the same cause never starts the same rule twice.
    """
    reaction = _Reaction(session, workspace, event_id, event_id, active(session), clock.now())
    reaction.waiting.extend((h, 0) for h in happenings)
    reaction.go()


def start(
    session: Session,
    rule_name: str,
    happening: Happening,
    *,
    workspace: WorkspaceSettings,
    cause: str,
    told: bool = True,
) -> str | None:
    """Starts one rule by name on the happening's lead, where its condition is true.

    `cause` makes it once. Answers why it was not started, None where it was. With `told=False` only a
    start leaves a trace.
    """
    reaction = _Reaction(session, workspace, cause, None, active(session), clock.now())
    rule = reaction.ruleset.named.get(rule_name) if reaction.ruleset else None
    if rule is None or not rule.active:
        return f"there is no active rule '{rule_name}'"
    entry = _consider(reaction, happening, rule, 0, facts.of(happening, workspace))
    if told or "run" in entry:
        _trace(reaction, happening, [entry])
    reaction.go()
    return None if "run" in entry else entry.get("stopped", "its condition is not true of this lead")


def go_on(session: Session, row: StepRow, *, workspace: WorkspaceSettings) -> None:
    """Takes the run of a step that is done with further; what that makes happen, rules react to.

    The caller holds the lead's row and the step's.
    """
    run = row.run
    happening = facts.restored(session, run.cause, run.lead)
    cause = digest(run.effect_key, row.path)
    reaction = _Reaction(session, workspace, cause, None, active(session), clock.now())
    _continue(reaction, row, happening)
    reaction.go()


def again(session: Session, row: StepRow, *, workspace: WorkspaceSettings) -> None:
    """Does one immediate step again that failed. The caller holds the lead's row and the step's."""
    run = row.run
    rule = version(session, run.ruleset_version_id).named.get(run.rule)
    if rule is None:
        raise Conflict("the rule is written in a way that this release does not understand")
    rows = session.scalars(select(StepRow).where(StepRow.run_id == run.id)).all()
    happening = facts.restored(session, run.cause, run.lead)
    cause = digest(run.effect_key, row.path, str(row.attempts))
    reaction = _Reaction(session, workspace, cause, None, active(session), clock.now())
    walk = Walk(session, run, rule, happening, workspace, rows)
    walk.again(row.path)
    _follow(reaction, walk, happening, run)
    reaction.go()


def cancel(session: Session, run: Run, why: str) -> None:
    """Ends a run: what it waits for and what is still to be carried out is not done any more."""
    rows = session.scalars(select(StepRow).where(StepRow.run_id == run.id)).all()
    for row in rows:
        if row.state in (StepState.WAITING, StepState.READY):
            row.state, row.ended_at, row.result = StepState.CANCELLED, clock.now(), why
    run.ended_why = why
    settle(run, rows)
    if run.state is RunState.DONE:
        run.state = RunState.CANCELLED


def _continue(reaction: _Reaction, row: StepRow, happening: Happening) -> None:
    run, session = row.run, reaction.session
    rules = version(session, run.ruleset_version_id)
    rule = rules.named.get(run.rule)
    if rule is None:
        cancel(session, run, "the rule is written in a way that this release does not understand")
        run.state = RunState.FAILED
        return
    rows = session.scalars(select(StepRow).where(StepRow.run_id == run.id)).all()
    walk = Walk(session, run, rule, happening, reaction.workspace, rows)
    if rule.stop_when is not None:
        context = cel.Context(facts.of(happening, reaction.workspace))
        if rule.stop_when.evaluate(context)[0]:
            cancel(session, run, f"stop_when is true: {rule.stop_when.text}")
            return
    walk.go_on(row.path)
    _follow(reaction, walk, happening, run)


def _attend(reaction: _Reaction, happening: Happening) -> None:
    """Wakes the lead's runs that wait for this, and ends those that need not wait any longer."""
    session, lead = reaction.session, happening.lead
    if happening.trigger == "lead.created":
        return  # nothing can wait for what was not there
    rows = session.scalars(
        select(StepRow)
        .join(StepRow.run)
        .options(contains_eager(StepRow.run))
        .where(
            Run.lead_id == lead.id,
            Run.state == RunState.ACTIVE,
            StepRow.state == StepState.WAITING,
        )
        .order_by(StepRow.id)
        .with_for_update(of=StepRow)
    ).all()
    if not rows:
        return
    context = cel.Context(facts.of(happening, reaction.workspace))
    closed = happening.trigger == "lead.status_changed" and lead.status not in OPEN
    for row in rows:
        run = row.run
        rule = version(session, run.ruleset_version_id).named.get(run.rule)
        if closed and run.started_at < reaction.began:
            cancel(session, run, f"the lead is {lead.status.value}")
        elif rule is not None and rule.stop_when is not None and rule.stop_when.evaluate(context)[0]:
            cancel(session, run, f"stop_when is true: {rule.stop_when.text}")
        elif row.awaits == happening.trigger and _is_wanted(row, context):
            row.state, row.ended_at = StepState.DONE, clock.now()
            row.data = {**row.data, "came": True}
            row.result = f"{happening.trigger} came"
            _continue(reaction, row, facts.restored(session, run.cause, lead))


def _is_wanted(row: StepRow, context: cel.Context) -> bool:
    where = row.data.get("where")
    return where is None or unchecked(where).evaluate(context)[0]


def _look(reaction: _Reaction, happening: Happening, depth: int) -> None:
    if reaction.ruleset is None:
        return
    if happening.trigger == _STARTED:
        named = reaction.ruleset.named.get(happening.data["rule"])
        rules: Sequence[Rule] = [named] if named is not None and named.active else []
    else:
        rules = reaction.ruleset.rules.get(happening.trigger, ())
    if not rules:
        return
    seen = facts.of(happening, reaction.workspace)
    entries = []
    for rule in rules:
        entry = _consider(reaction, happening, rule, depth, seen)
        entries.append(entry)
        if "run" in entry:
            # The next rule sees what this one did.
            seen = facts.of(happening, reaction.workspace)
    _trace(reaction, happening, entries)


def _trace(reaction: _Reaction, happening: Happening, entries: list[dict[str, Any]]) -> None:
    reaction.session.add(
        Trace(
            lead_id=happening.lead.id,
            event_id=reaction.event_id,
            trigger=happening.trigger,
            at=clock.now(),
            ruleset_version_id=reaction.ruleset.version if reaction.ruleset else None,
            rules=entries,
        )
    )


def _consider(
    reaction: _Reaction, happening: Happening, rule: Rule, depth: int, seen: facts.Facts
) -> dict[str, Any]:
    matched, parts = rule.condition.evaluate(cel.Context(seen)) if rule.condition else (True, [])
    entry: dict[str, Any] = {
        "rule": rule.name,
        "matched": matched,
        "condition": rule.condition.text if rule.condition else None,
        "parts": [part.as_data() for part in parts],
    }
    if not matched:
        return entry
    if depth >= DEEPEST or reaction.runs >= MOST_RUNS:
        entry["stopped"] = f"not started: rules set off rules {depth} deep, {reaction.runs} runs"
    elif (before := _once_before(reaction.session, happening.lead, rule)) is not None:
        entry["stopped"] = f"not started: it ran on this lead on {before:%Y-%m-%d %H:%M} UTC already"
    else:
        reaction.runs += 1
        entry["planned"] = [step.summary for step in rule.steps]
        entry["run"] = _start(reaction, happening, rule, depth)
    return entry


def _once_before(session: Session, lead: Lead, rule: Rule) -> datetime | None:
    """When the rule ran on the lead within the time in which it may run once."""
    if rule.once is None:
        return None
    return session.scalar(
        select(Run.started_at)
        .where(Run.lead_id == lead.id, Run.rule == rule.name, Run.started_at > clock.now() - rule.once)
        .order_by(Run.started_at.desc())
        .limit(1)
    )


def _start(reaction: _Reaction, happening: Happening, rule: Rule, depth: int) -> int:
    assert reaction.ruleset is not None  # noqa: S101  a rule comes out of one
    session, lead = reaction.session, happening.lead
    kept = facts.cause(happening)
    effect_key = digest(
        reaction.cause, str(reaction.ruleset.version), rule.name, keyed(kept), str(lead.id), str(depth)
    )
    before = session.scalar(select(Run.id).where(Run.effect_key == effect_key))
    if before is not None:
        return before
    run = Run(
        ruleset_version_id=reaction.ruleset.version,
        rule=rule.name,
        lead_id=lead.id,
        lead=lead,
        state=RunState.ACTIVE,
        effect_key=effect_key,
        depth=depth,
        cause=kept,
        started_at=clock.now(),
    )
    session.add(run)
    session.flush()
    walk = Walk(session, run, rule, happening, reaction.workspace)
    walk.start()
    _follow(reaction, walk, happening, run)
    return run.id


def _follow(reaction: _Reaction, walk: Walk, happening: Happening, run: Run) -> None:
    """What a run's steps have set going."""
    reaction.waiting.extend((h, run.depth + 1) for h in walk.happenings)
    session, lead = reaction.session, happening.lead
    for name in walk.ends:
        wanted = (Run.lead_id == lead.id, Run.rule == name, Run.state == RunState.ACTIVE, Run.id != run.id)
        for other in session.scalars(select(Run).where(*wanted)):
            cancel(session, other, f"stopped by the rule {run.rule}")
    for name in walk.starts:
        reaction.waiting.append((Happening(_STARTED, lead, {"rule": name}), run.depth + 1))
