"""Adds to the lead's score, or takes from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from crm import leads
from rules.outlook import Outlook
from rules.step import ImmediateStep, Result, StepContext, StepSettings

_LOWEST, _HIGHEST = -1_000_000, 1_000_000


class ScoreSettings(StepSettings):
    """`score: 10` or `score: -5`."""

    shorthand: ClassVar[str | None] = "add"

    add: int = Field(ge=_LOWEST, le=_HIGHEST, description="How much to add; less than 0 takes away")


class Score(ImmediateStep[ScoreSettings]):
    """A score to be set, not changed, is `set: {score: …}`."""

    name = "score"
    label = "Change the score"
    settings = ScoreSettings

    def summary(self, settings: ScoreSettings) -> str:
        """By how much."""
        return f"Change the score by {settings.add:+}"

    def run(self, context: StepContext, settings: ScoreSettings) -> Result:
        """Adds it."""
        score = max(_LOWEST, min(_HIGHEST, context.lead.score + settings.add))
        happened = leads.set_field(context.session, context.lead, "score", score, actor=context.actor)
        return Result(f"The score is {score} ({settings.add:+})", tuple(happened))

    def foresee(self, settings: ScoreSettings, outlook: Outlook, facts: Mapping[str, Any]) -> None:
        """The same on plain values."""
        outlook.change("score", outlook.lead["score"] + settings.add)
