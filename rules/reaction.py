"""One reaction to what happened: which rules matched, what they started, and what that set going."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock
from core.appended import leave
from core.ids import digest, keyed
from crm.happening import Happening, about
from crm.workspace import WorkspaceSettings
from models.contact import Contact
from models.deal import Deal
from models.lead import Lead, LeadStatus
from models.rule import Run, RunState, StepRow, StepState, Trace
from rules import facts, storms, subject
from rules.ruleset import Ruleset
from rules.schema import Rule
from rules.sight import Sight
from rules.walk import Walk, settle
from rules.workings import Surroundings

#: A rule that is started by a step, whose rule was started by a step …: how far that goes.
DEEPEST = 5
# A rule that another one starts by its name, in the place of a trigger.
STARTED = "started"
#: How many runs one happening may start in all.
MOST_RUNS = 50


@dataclass
class Reaction:
    """What is being reacted to, and what still waits to be. `cause` makes each of its effects once."""

    session: Session
    workspace: WorkspaceSettings
    cause: str
    event_id: str | None
    ruleset: Ruleset | None
    began: datetime
    waiting: deque[tuple[Happening, int]] = field(default_factory=deque)
    runs: int = 0
    #: Whether a step that breaks is taken back alone, and a run that stands already is looked for. Whoever
    #: tries again with care after a failure may do without both the first time, which is much quicker.
    careful: bool = True
    #: Leads that were made just now: nothing waits for them, unless a run has begun to in this reaction.
    newborn: set[int] = field(default_factory=set)
    waits: bool = False
    #: By element, so that what one rule has asked for the next one need not ask again.
    around: dict[str, Surroundings] = field(default_factory=dict)

    def is_new(self, happening: Happening) -> bool:
        """Whether it happened to a lead that was made just now, of which nothing is known yet."""
        element = happening.element
        return isinstance(element, Lead) and element.id in self.newborn


def consider(reaction: Reaction, happening: Happening, rule: Rule, depth: int, seen: Sight) -> dict[str, Any]:
    """Looks at one rule and starts it where it matches; answers with what the trace keeps of it."""
    matched, parts = rule.condition.evaluate(seen) if rule.condition else (True, [])
    entry: dict[str, Any] = {
        "rule": rule.name,
        "matched": matched,
        "condition": rule.condition.text if rule.condition else None,
        "parts": [part.as_data() for part in parts],
    }
    if not matched:
        return entry
    if (gone := _part_of_another(happening)) is not None:
        entry["stopped"] = gone
    elif depth >= DEEPEST or reaction.runs >= MOST_RUNS:
        entry["stopped"] = f"not started: rules set off rules {depth} deep, {reaction.runs} runs"
    elif (often := _held_back(reaction, happening, rule)) is not None:
        entry["stopped"] = often
    elif (before := _once_before(reaction.session, happening, rule)) is not None:
        on = subject.words(happening.element)
        entry["stopped"] = f"not started: it ran on this {on} on {before:%Y-%m-%d %H:%M} UTC already"
    else:
        reaction.runs += 1
        entry["planned"] = [step.summary for step in rule.steps]
        entry["run"] = _start(reaction, happening, rule, depth)
    return entry


def _part_of_another(happening: Happening) -> str | None:
    """Why no rule runs on it any more: an earlier one has made the lead part of another."""
    element = happening.element
    if isinstance(element, Lead) and element.status is LeadStatus.MERGED:
        return f"not started: the lead is part of lead {element.merged_into_id} now"
    return None


def _held_back(reaction: Reaction, happening: Happening, rule: Rule) -> str | None:
    """Why the rule is held back: it has run so often that something goes round in circles."""
    if reaction.is_new(happening):
        return None
    return storms.held_back(reaction.session, happening.element, rule.name)


def _once_before(session: Session, happening: Happening, rule: Rule) -> datetime | None:
    """When the rule ran on the element within the time in which it may run once."""
    if rule.once is None or happening.element is None:
        return None
    return session.scalar(
        select(Run.started_at)
        .where(
            *subject.runs_on(happening.element),
            Run.rule == rule.name,
            Run.started_at > clock.now() - rule.once,
        )
        .order_by(Run.started_at.desc())
        .limit(1)
    )


def _start(reaction: Reaction, happening: Happening, rule: Rule, depth: int) -> int:
    assert reaction.ruleset is not None  # noqa: S101  a rule comes out of one
    session, element = reaction.session, happening.element
    kept = facts.cause(happening)
    on = subject.key(element)
    effect_key = digest(reaction.cause, str(reaction.ruleset.version), rule.name, keyed(kept), on, str(depth))
    if reaction.careful:
        before = session.scalar(select(Run.id).where(Run.effect_key == effect_key))
        if before is not None:
            return before
    # Without care it is written once it is known how far it came.
    run = Run(
        ruleset_version_id=reaction.ruleset.version,
        rule=rule.name,
        **subject.columns(element),
        lead=happening.lead,
        deal=element if isinstance(element, Deal) else None,
        contact=element if isinstance(element, Contact) else None,
        state=RunState.ACTIVE,
        effect_key=effect_key,
        depth=depth,
        cause=kept,
        started_at=clock.now(),
    )
    if reaction.careful:
        session.add(run)
        session.flush()
    walk = Walk(session, run, rule, happening, reaction.workspace, careful=reaction.careful)
    walk.start()
    follow(reaction, walk, happening, run)
    return run.id


def follow(reaction: Reaction, walk: Walk, happening: Happening, run: Run) -> None:
    """What a run's steps have set going."""
    reaction.waiting.extend((h, run.depth + 1) for h in walk.happenings)
    reaction.waits = reaction.waits or walk.waits
    session, element = reaction.session, happening.element
    for name in walk.ends:
        wanted = (*subject.runs_on(element), Run.rule == name, Run.state == RunState.ACTIVE, Run.id != run.id)
        for other in session.scalars(select(Run).where(*wanted)):
            cancel(session, other, f"stopped by the rule {run.rule}")
    for name in walk.starts:
        reaction.waiting.append((about(element, STARTED, {"rule": name}), run.depth + 1))


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


def trace(
    reaction: Reaction,
    happening: Happening,
    entries: list[dict[str, Any]],
    *,
    passed: list[dict[str, Any]] | None = None,
    seen: list[dict[str, Any]] | None = None,
) -> None:
    """Keeps why."""
    leave(
        reaction.session,
        Trace,
        **subject.columns(happening.element),
        event_id=reaction.event_id,
        trigger=happening.trigger,
        at=clock.now(),
        ruleset_version_id=reaction.ruleset.version if reaction.ruleset else None,
        rules=entries,
        passed=passed or [],
        seen=seen or [],
    )
