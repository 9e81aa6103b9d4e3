"""The trace of a lead, deal or contact: why it went where it went."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Self

from flask import Response
from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from api.elements import existing
from api.paging import Page, page
from api.parameters import PageQuery, RowPath
from api.resource import answer, group, refused
from core import db
from models.contact import Contact
from models.deal import Deal
from models.lead import Lead
from models.rule import StepRow, StepState
from models.rule import Trace as TraceRow
from rules.subject import Subject

resource = group("trace", "Why a lead went where it went")


class Part(BaseModel):
    """One part of a condition."""

    part: str
    result: bool | None = Field(description="null: it could not be told, see `problem`")
    saw: dict[str, Any] = Field(description="The values it was decided on")
    problem: str | None


class Step(BaseModel):
    """What became of one planned action."""

    id: int
    path: str = Field(description="Where in the rule it stands: 000, 001, inside a branch 001.then.000")
    kind: str
    state: StepState
    attempts: int
    due_at: datetime
    ended_at: datetime | None
    result: str | None

    @classmethod
    def of(cls, row: StepRow) -> Self:
        """A step as it is told."""
        return cls(
            id=row.id,
            path=row.path,
            kind=row.kind,
            state=row.state,
            attempts=row.attempts,
            due_at=row.due_at,
            ended_at=row.ended_at,
            result=row.result,
        )


class LookedAt(BaseModel):
    """One rule that was looked at."""

    rule: str
    matched: bool
    condition: str | None
    parts: list[Part]
    planned: list[str] = Field(description="Its steps in words, where it matched")
    run: int | None
    stopped: str | None = Field(description="Why it was not started although it matched")
    steps: list[Step]

    @classmethod
    def of(cls, entry: Mapping[str, Any], steps: Mapping[int, Sequence[StepRow]]) -> Self:
        """A rule as the engine noted it, with what its run's steps have come to."""
        return cls(
            rule=entry["rule"],
            matched=entry["matched"],
            condition=entry.get("condition"),
            parts=[Part(**({"problem": None} | part)) for part in entry.get("parts", ())],
            planned=entry.get("planned", []),
            run=entry.get("run"),
            stopped=entry.get("stopped"),
            steps=[Step.of(row) for row in steps.get(entry.get("run", 0), ())],
        )


class PassedOver(BaseModel):
    """Rules that could not match, all for the same reason."""

    part: str = Field(description="The part of their conditions that was not true")
    saw: dict[str, Any]
    rules: int = Field(description="How many")


class Trace(BaseModel):
    """One happening, and the rules that were looked at for it."""

    id: int
    trigger: str
    at: datetime
    event_id: str | None
    ruleset_version: int | None
    rules: list[LookedAt]
    passed: list[PassedOver] = Field(description="Among many rules: those that could not match, together")


@resource.get("/leads/<row:id>/trace", responses={200: Page[Trace], **refused(404)})
def get_trace(path: RowPath, query: PageQuery) -> Response:
    """Which rules were looked at, on what values, what they planned and what each step did; newest first."""
    return _trace(Lead, path.id, query)


@resource.get("/deals/<row:id>/trace", responses={200: Page[Trace], **refused(404)})
def get_trace_of_deal(path: RowPath, query: PageQuery) -> Response:
    """The same for what rules were told of a deal."""
    return _trace(Deal, path.id, query)


@resource.get("/contacts/<row:id>/trace", responses={200: Page[Trace], **refused(404)})
def get_trace_of_contact(path: RowPath, query: PageQuery) -> Response:
    """The same for what rules were told of a contact who has neither an open lead nor an open deal."""
    return _trace(Contact, path.id, query)


def _trace(of: type[Subject], element_id: int, query: PageQuery) -> Response:
    kind = of.__tablename__
    with db.reading() as session:
        row = existing(session, of, element_id)
        chosen = select(TraceRow).where(getattr(TraceRow, f"{kind}_id") == row.id)
        rows, following = page(session, chosen, TraceRow.id, query, of=f"trace {kind} {element_id}")
        steps = _steps(session, rows)
    items = [
        Trace(
            id=row.id,
            trigger=row.trigger,
            at=row.at,
            event_id=row.event_id,
            ruleset_version=row.ruleset_version_id,
            rules=[LookedAt.of(entry, steps) for entry in row.rules],
            passed=[PassedOver(**entry) for entry in row.passed],
        )
        for row in rows
    ]
    return answer(Page[Trace](items=items, next_cursor=following))


def _steps(session: Session, rows: Sequence[TraceRow]) -> Mapping[int, Sequence[StepRow]]:
    runs = {entry["run"] for row in rows for entry in row.rules if entry.get("run") is not None}
    found: dict[int, list[StepRow]] = defaultdict(list)
    if runs:
        for step in session.scalars(
            select(StepRow).where(StepRow.run_id.in_(runs)).order_by(StepRow.run_id, StepRow.path)
        ):
            found[step.run_id].append(step)
    return found
