"""Why a lead went where it went, or a deal or contact: the stored traces, with what became of each step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from core.errors import Invalid
from models.lead import Lead
from models.rule import Run, StepRow, Trace
from rules.looking import why_not
from rules.ruleset import version
from rules.schema import planned
from rules.subject import Subject

_MARKS = {True: "✓", False: "✗", None: "–"}


@dataclass(frozen=True, slots=True)
class Explained:
    """One happening: which rules were looked at, and for each what it saw, planned and did."""

    trigger: str
    at: datetime
    event_id: str | None
    ruleset_version: int | None
    rules: list[dict[str, Any]]
    passed: list[dict[str, Any]]

    def as_data(self) -> dict[str, Any]:
        """For programs."""
        return {
            "trigger": self.trigger,
            "at": self.at.isoformat(),
            "event_id": self.event_id,
            "ruleset_version": self.ruleset_version,
            "rules": self.rules,
            "passed": self.passed,
        }

    def as_text(self, zone: ZoneInfo) -> Iterator[str]:
        """For people, line by line."""
        at = self.at.astimezone(zone)
        yield f"{self.trigger}  {at:%Y-%m-%d %H:%M:%S %Z}  (rules version {self.ruleset_version})"
        for rule in self.rules:
            yield f"  {_MARKS[rule['matched']]} {rule['rule']}"
            for part in rule["parts"]:
                saw = ", ".join(f"{name} = {value!r}" for name, value in part["saw"].items())
                problem = f"  [{part['problem']}]" if part.get("problem") else ""
                yield f"      {_MARKS[part['result']]} {part['part']}   saw {saw or 'nothing'}{problem}"
            if "stopped" in rule:
                yield f"      {rule['stopped']}"
            for step in rule.get("steps", ()):
                inside = "  " * step["path"].count(".")
                result = f", {step['result']}" if step["result"] else ""
                yield f"      {inside}→ {step['kind']}: {step['state']}{result}"
        for passed in self.passed:
            saw = ", ".join(f"{name} = {value!r}" for name, value in passed["saw"].items())
            yield f"  ✗ {passed['rules']} more rules: {passed['part']}   saw {saw}"


def explain(
    session: Session, element_id: int, *, of: type[Subject] = Lead, rule: str | None = None
) -> list[Explained] | None:
    """All happenings of a lead, deal or contact in order; None where there is no such one. `rule` leaves only
    one rule. A lead's are also those of the deals that came from it."""
    if session.get(of, element_id) is None:
        return None
    column = f"{of.__tablename__}_id"
    chosen = select(Trace).where(getattr(Trace, column) == element_id)
    traces = session.scalars(chosen.order_by(Trace.id)).all()
    of_it = select(Run).where(getattr(Run, column) == element_id)
    runs = session.scalars(of_it.options(selectinload(Run.steps)))
    steps = {run.id: [_step(row) for row in run.steps] for run in runs}
    found = []
    for trace in traces:
        rules = [
            {**entry, "steps": steps.get(entry["run"], [])} if "run" in entry else entry
            for entry in trace.rules
            if rule is None or entry["rule"] == rule
        ]
        if rule is not None and not rules and trace.passed:
            rules = _passed_over(session, trace, rule)
        if rules or (rule is None and trace.passed):
            passed = trace.passed if rule is None else []
            found.append(
                Explained(trace.trigger, trace.at, trace.event_id, trace.ruleset_version_id, rules, passed)
            )
    return found


def _passed_over(session: Session, trace: Trace, name: str) -> list[dict[str, Any]]:
    """The entry of a rule that was only told together with others."""
    if trace.ruleset_version_id is None:
        return []
    rules = version(session, trace.ruleset_version_id)
    rule, matcher = rules.named.get(name), rules.matchers.get(trace.trigger)
    if rule is None or matcher is None or rule.trigger != trace.trigger:
        return []
    part = why_not(matcher, rule, trace.seen)
    return [
        {
            "rule": name,
            "matched": False,
            "condition": rule.condition.text if rule.condition else None,
            "parts": [part.as_data()] if part is not None else [],
        }
    ]


def _words(row: StepRow) -> str:
    try:
        return planned({row.kind: row.settings}).summary
    except Invalid:
        return row.kind  # written in a way that an older release understood


def _step(row: StepRow) -> dict[str, Any]:
    return {
        "path": row.path,
        "kind": row.kind,
        "words": _words(row),
        "state": row.state.value,
        "attempts": row.attempts,
        "due_at": row.due_at.isoformat(),
        "ended_at": row.ended_at.isoformat() if row.ended_at else None,
        "result": row.result,
    }
