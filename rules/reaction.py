"""One reaction to what happened: which rules matched, what they started, and what that set going."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import clock
from core.ids import digest, keyed
from core.logs import logger
from core.metrics import STORMS
from crm import timeline
from crm.happening import Happening
from crm.workspace import WorkspaceSettings
from models.lead import Lead
from models.rule import Run, RunState, StepRow, StepState, Trace
from models.timeline import TimelineEntry
from rules import facts
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
#: How often one rule may run on one lead within a time; more is a storm, such as two programs answering
#: each other over webhooks, which no depth tells.
MOST_OFTEN, STORM_TIME = 30, timedelta(hours=1)
log = logger(__name__)


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
    #: By lead, so that what one rule has asked for the next one need not ask again.
    around: dict[int, Surroundings] = field(default_factory=dict)


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
    if depth >= DEEPEST or reaction.runs >= MOST_RUNS:
        entry["stopped"] = f"not started: rules set off rules {depth} deep, {reaction.runs} runs"
    elif (often := _storms(reaction, happening.lead, rule)) is not None:
        entry["stopped"] = often
    elif (before := _once_before(reaction.session, happening.lead, rule)) is not None:
        entry["stopped"] = f"not started: it ran on this lead on {before:%Y-%m-%d %H:%M} UTC already"
    else:
        reaction.runs += 1
        entry["planned"] = [step.summary for step in rule.steps]
        entry["run"] = _start(reaction, happening, rule, depth)
    return entry


def _storms(reaction: Reaction, lead: Lead, rule: Rule) -> str | None:
    """Why the rule is held back: it has run on the lead so often that something goes round in circles."""
    if lead.id in reaction.newborn:
        return None
    recent = (Run.lead_id == lead.id, Run.rule == rule.name, Run.started_at > clock.now() - STORM_TIME)
    runs = reaction.session.scalar(select(func.count()).select_from(Run).where(*recent)) or 0
    if runs < MOST_OFTEN:
        return None
    if runs == MOST_OFTEN:
        words = f"Held back: the rule {rule.name} ran {runs} times on this lead within an hour"
        told = select(TimelineEntry.id).where(
            TimelineEntry.lead_id == lead.id,
            TimelineEntry.kind == "alarm",
            TimelineEntry.summary == words,
            TimelineEntry.at > clock.now() - STORM_TIME,
        )
        if reaction.session.scalar(told.limit(1)) is None:
            timeline.record(reaction.session, lead, kind="alarm", summary=words)
            log.warning("rule.storm", rule=rule.name, lead_id=lead.id, runs=runs)
            STORMS.labels(rule.name).inc()
    return f"not started: it ran {runs} times on this lead within an hour; it may again when that is over"


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


def _start(reaction: Reaction, happening: Happening, rule: Rule, depth: int) -> int:
    assert reaction.ruleset is not None  # noqa: S101  a rule comes out of one
    session, lead = reaction.session, happening.lead
    kept = facts.cause(happening)
    effect_key = digest(
        reaction.cause, str(reaction.ruleset.version), rule.name, keyed(kept), str(lead.id), str(depth)
    )
    if reaction.careful:
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
    walk = Walk(session, run, rule, happening, reaction.workspace, careful=reaction.careful)
    walk.start()
    follow(reaction, walk, happening, run)
    return run.id


def follow(reaction: Reaction, walk: Walk, happening: Happening, run: Run) -> None:
    """What a run's steps have set going."""
    reaction.waiting.extend((h, run.depth + 1) for h in walk.happenings)
    reaction.waits = reaction.waits or walk.waits
    session, lead = reaction.session, happening.lead
    for name in walk.ends:
        wanted = (Run.lead_id == lead.id, Run.rule == name, Run.state == RunState.ACTIVE, Run.id != run.id)
        for other in session.scalars(select(Run).where(*wanted)):
            cancel(session, other, f"stopped by the rule {run.rule}")
    for name in walk.starts:
        reaction.waiting.append((Happening(STARTED, lead, {"rule": name}), run.depth + 1))


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
    reaction.session.add(
        Trace(
            lead_id=happening.lead.id,
            event_id=reaction.event_id,
            trigger=happening.trigger,
            at=clock.now(),
            ruleset_version_id=reaction.ruleset.version if reaction.ruleset else None,
            rules=entries,
            passed=passed or [],
            seen=seen or [],
        )
    )
