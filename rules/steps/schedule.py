"""Plans an activity for the lead's owner."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field, field_validator

from core.errors import Invalid
from crm import activities
from rules import due, duration, template
from rules.outlook import Outlook
from rules.step import ImmediateStep, Known, Result, StepContext, StepSettings
from rules.vocabulary import CHOICES, nearest


class ScheduleSettings(StepSettings):
    """`schedule: {type: call, subject: …, due: 15 business minutes, calendar: office}`."""

    type: str = Field("task", description="call, meeting, task, email, or one of your own")
    subject: str = Field(description="What is to be done; may name fields of the lead")
    due: str = Field(description="When, counted from now: 15 business minutes, 2 hours, 1 business day")
    calendar: str | None = Field(None, description="Whose business time; the workspace's first if left out")

    @field_validator("due")
    @classmethod
    def _readable(cls, value: str) -> str:
        try:
            duration.parse(value)
        except Invalid as error:
            raise ValueError(str(error)) from None
        return value


class Schedule(ImmediateStep[ScheduleSettings]):
    """Business time is counted by `rules.calendar`."""

    name = "schedule"
    label = "Plan an activity"
    settings = ScheduleSettings

    def check(self, settings: ScheduleSettings, known: Known) -> None:
        """The calendar must be there, and be named where it is needed."""
        template.check(settings.subject, known.variables)
        there = (*CHOICES["activity.type"], *known.words.get("activity.type", ()))
        if settings.type not in there:
            raise Invalid(f"there is no kind of activity '{settings.type}'{nearest(settings.type, there)}")
        due.check(settings.due, settings.calendar, known)

    def summary(self, settings: ScheduleSettings) -> str:
        """What and when."""
        return f"Plan a {settings.type} in {settings.due}"

    def run(self, context: StepContext, settings: ScheduleSettings) -> Result:
        """Plans it, once for each effect key."""
        due_at = due.moment(context, settings.due, settings.calendar)
        activity = activities.plan(
            context.session,
            context.lead,
            type=settings.type,
            subject=template.render(settings.subject, context.facts).strip()[:500],
            due_at=due_at,
            actor=context.actor,
            effect_key=context.effect_key,
        )
        return Result(
            f"{settings.type.capitalize()} planned for {due_at:%Y-%m-%d %H:%M} UTC: {activity.subject}"
        )

    def foresee(self, settings: ScheduleSettings, outlook: Outlook, facts: Mapping[str, Any]) -> None:
        """The same on plain values."""
        outlook.activities += 1
