"""Reacts to what happened: looks at the rules, keeps why, starts runs, and carries out what is immediate.

All of it inside the caller's transaction: a lead and its routing become visible together.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import cel
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock, queue
from core.errors import Invalid
from core.ids import digest
from crm import timeline
from crm.happening import Happening
from crm.workspace import WorkspaceSettings
from models.rule import Run, RunState, StepRow, StepState, Trace
from rules import facts
from rules.ruleset import Ruleset, active
from rules.schema import PlannedStep, Rule
from rules.step import DeferredStep, ImmediateStep, StepContext

#: A rule that is started by a step, whose rule was started by a step …: how far that goes.
DEEPEST = 5
#: How many runs one happening may start in all.
MOST_RUNS = 50


@dataclass
class _Reaction:
    session: Session
    workspace: WorkspaceSettings
    event_id: str
    ruleset: Ruleset
    waiting: deque[tuple[Happening, int]] = field(default_factory=deque)
    runs: int = 0


def react(
    session: Session, happenings: Iterable[Happening], *, workspace: WorkspaceSettings, event_id: str
) -> None:
    """Lets the rules in force react to these happenings, and to what their own steps make happen.

    `event_id` names the cause: the same cause never starts the same rule twice.
    """
    ruleset = active(session)
    if ruleset is None:
        return
    reaction = _Reaction(session, workspace, event_id, ruleset)
    reaction.waiting.extend((h, 0) for h in happenings)
    while reaction.waiting:
        happening, depth = reaction.waiting.popleft()
        _look(reaction, happening, depth)


def _look(reaction: _Reaction, happening: Happening, depth: int) -> None:
    rules = reaction.ruleset.rules.get(happening.trigger, ())
    if not rules:
        return
    seen = facts.of(happening, reaction.workspace)
    context = cel.Context(seen)
    entries: list[dict[str, Any]] = []
    for rule in rules:
        matched, parts = rule.condition.evaluate(context) if rule.condition else (True, [])
        entry: dict[str, Any] = {
            "rule": rule.name,
            "matched": matched,
            "condition": rule.condition.text if rule.condition else None,
            "parts": [part.as_data() for part in parts],
        }
        entries.append(entry)
        if not matched:
            continue
        if depth >= DEEPEST or reaction.runs >= MOST_RUNS:
            entry["stopped"] = f"not started: rules set off rules {depth} deep, {reaction.runs} runs"
            continue
        reaction.runs += 1
        entry["planned"] = [step.summary for step in rule.steps]
        entry["run"] = _start(reaction, happening, rule, depth, seen)
        # The next rule sees what this one did.
        seen = facts.of(happening, reaction.workspace)
        context = cel.Context(seen)
    reaction.session.add(
        Trace(
            lead_id=happening.lead.id,
            event_id=reaction.event_id,
            trigger=happening.trigger,
            at=clock.now(),
            ruleset_version_id=reaction.ruleset.version,
            rules=entries,
        )
    )


def _start(
    reaction: _Reaction, happening: Happening, rule: Rule, depth: int, seen: dict[str, dict[str, Any]]
) -> int:
    session, lead = reaction.session, happening.lead
    effect_key = digest(
        reaction.event_id,
        str(reaction.ruleset.version),
        rule.name,
        happening.trigger,
        str(lead.id),
        str(depth),
    )
    before = session.scalar(select(Run.id).where(Run.effect_key == effect_key))
    if before is not None:
        return before
    run = Run(
        ruleset_version_id=reaction.ruleset.version,
        rule=rule.name,
        lead_id=lead.id,
        state=RunState.ACTIVE,
        effect_key=effect_key,
        depth=depth,
        started_at=clock.now(),
    )
    session.add(run)
    rows = []
    for place, planned in enumerate(rule.steps):
        row = StepRow(
            run=run,
            path=f"{place:03}",
            kind=planned.kind,
            settings=dict(planned.stored),
            state=StepState.READY,
            due_at=clock.now(),
            attempts=0,
        )
        session.add(row)
        rows.append(row)
        if isinstance(planned.step, ImmediateStep):
            for happened in _do(reaction, happening, run, row, planned.step, planned, seen):
                reaction.waiting.append((happened, depth + 1))
            seen = facts.of(happening, reaction.workspace)
    session.flush()
    for row, planned in zip(rows, rule.steps, strict=True):
        if isinstance(planned.step, DeferredStep):
            queue.wake(session, queue.RUN_STEP, row.id)
    settle(run, rows)
    return run.id


def _do(
    reaction: _Reaction,
    happening: Happening,
    run: Run,
    row: StepRow,
    step: ImmediateStep[Any],
    planned: PlannedStep,
    seen: dict[str, dict[str, Any]],
) -> tuple[Happening, ...]:
    context = StepContext(
        session=reaction.session,
        lead=happening.lead,
        facts=seen,
        workspace=reaction.workspace,
        rule=run.rule,
        effect_key=digest(run.effect_key, row.path),
        now=clock.now(),
    )
    row.attempts = 1
    row.ended_at = context.now
    try:
        result = step.run(context, planned.settings)
    except Invalid as error:
        row.state = StepState.FAILED
        row.result = str(error)
        timeline.record(
            reaction.session,
            happening.lead,
            kind="step_failed",
            summary=f"{planned.summary}: {error}",
            actor=context.actor,
        )
        return ()
    row.state = StepState.DONE
    row.result = result.words
    return result.happenings


def settle(run: Run, steps: Iterable[StepRow]) -> None:
    """Ends the run once all its steps have ended."""
    states = {step.state for step in steps}
    if states & {StepState.READY, StepState.RUNNING}:
        return
    failed = states & {StepState.FAILED, StepState.UNKNOWN}
    run.state = RunState.FAILED if failed else RunState.DONE
    run.ended_at = clock.now()
