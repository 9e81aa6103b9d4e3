"""Ends the planned activities of the lead, deal or contact."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from crm import activities
from rules.step import ImmediateStep, Result, StepContext, StepSettings


class CompleteActivitySettings(StepSettings):
    """`complete_activity: call`, or `{type: call, outcome: "they called us", cancel: true}`."""

    shorthand: ClassVar[str | None] = "type"

    type: Literal["call", "meeting", "task", "email", "any"] = Field("any", description="Which of them")
    outcome: str = Field("", max_length=200, description="What came of it")
    cancel: bool = Field(False, description="Cancelled instead of done")


class CompleteActivity(ImmediateStep[CompleteActivitySettings]):
    """All that are planned of the type; one that is not there is no mistake."""

    name = "complete_activity"
    label = "Complete activities"
    settings = CompleteActivitySettings

    def summary(self, settings: CompleteActivitySettings) -> str:
        """Which."""
        what = "all activities" if settings.type == "any" else f"every planned {settings.type}"
        return f"{'Cancel' if settings.cancel else 'Complete'} {what}"

    def run(self, context: StepContext, settings: CompleteActivitySettings) -> Result:
        """Ends them."""
        planned = activities.all_planned(
            context.session, context.subject, type=None if settings.type == "any" else settings.type
        )
        end = activities.cancel if settings.cancel else activities.complete
        happened = [
            h
            for activity in planned
            for h in end(context.session, activity, actor=context.actor, outcome=settings.outcome)
        ]
        word = "cancelled" if settings.cancel else "completed"
        return Result(f"{len(planned)} {word}" if planned else "None was planned", tuple(happened))
