"""How soon people answered, for reports."""

from __future__ import annotations

from typing import Literal

from flask import Response
from pydantic import BaseModel, Field

from api.parameters import Instant, Query
from api.resource import answer, group
from core import db
from rules import first_answers

resource = group("reports", "What was reached, in numbers")


class FirstAnswerQuery(Query):
    """By what, and of which time."""

    by: Literal["policy", "owner", "team"] = "policy"
    after: Instant | None = Field(None, description="Only of enquiries from then on")
    before: Instant | None = Field(None, description="Only of enquiries before that")


class FirstAnswers(BaseModel):
    """The clocks of one policy, owner or team."""

    name: str = Field(description="The policy's key, the owner's address, the team's key; empty for nobody")
    leads: int
    answered: int
    waiting: int
    breached: int = Field(description="The time was up before anybody answered")
    closed: int = Field(description="Closed in time, without an answer")
    median: int | None = Field(description="Seconds of the policy's time to the first answer")
    p90: int | None = Field(description="Nine in ten had their first answer within so many seconds")
    inside: float | None = Field(description="Share of those decided that had an answer in time, 0 to 1")


class FirstAnswerReport(BaseModel):
    """One line each, by name."""

    items: list[FirstAnswers]


@resource.get("/reports/first-answers", responses={200: FirstAnswerReport})
def report_first_answers(query: FirstAnswerQuery) -> Response:
    """How soon leads with a clock (`sla`) had their first answer by a person: by policy, owner or team."""
    with db.reading() as session:
        lines = first_answers.report(session, by=query.by, since=query.after, until=query.before)
    return answer(FirstAnswerReport(items=[FirstAnswers(**line.as_data()) for line in lines]))
