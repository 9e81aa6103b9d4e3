"""Plans an activity for the lead's owner."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from core.errors import Invalid
from crm import activities
from models.workspace import Calendar
from rules import duration, template
from rules.calendar import BusinessCalendar
from rules.step import ImmediateStep, Known, Result, StepContext, StepSettings
from rules.vocabulary import nearest


class ScheduleSettings(StepSettings):
    """`schedule: {type: call, subject: …, due: 15 business minutes, calendar: office}`."""

    type: Literal["call", "meeting", "task", "email"] = Field("task", description="Kind of activity")
    subject: str = Field(description="What is to be done; may name fields of the lead")
    due: str = Field(description="When, counted from now: 15 business minutes, 2 hours, 1 business day")
    calendar: str | None = Field(None, description="Whose business time; needed where due says 'business'")

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
        if settings.calendar is not None and settings.calendar not in known.calendars:
            raise Invalid(
                f"there is no calendar '{settings.calendar}'{nearest(settings.calendar, known.calendars)}"
            )
        if settings.calendar is None and duration.parse(settings.due).business:
            raise Invalid(f"'{settings.due}' needs a calendar")

    def summary(self, settings: ScheduleSettings) -> str:
        """What and when."""
        return f"Plan a {settings.type} in {settings.due}"

    def run(self, context: StepContext, settings: ScheduleSettings) -> Result:
        """Plans it, once for each effect key."""
        wanted = duration.parse(settings.due)
        due_at = context.now + wanted.length
        if settings.calendar is not None:
            calendar = context.session.get(Calendar, settings.calendar)
            if calendar is None:
                raise Invalid(f"there is no calendar '{settings.calendar}' any more")
            due_at = BusinessCalendar.of(calendar.settings, context.workspace.zone).after(context.now, wanted)
        activity = activities.plan(
            context.session,
            context.lead,
            type=settings.type,
            subject=template.render(settings.subject, context.facts)[:500],
            due_at=due_at,
            actor=context.actor,
            effect_key=context.effect_key,
        )
        return Result(
            f"{settings.type.capitalize()} planned for {due_at:%Y-%m-%d %H:%M} UTC: {activity.subject}"
        )
