"""Waits: for a time, or for something to happen to the lead."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import ClassVar, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import ConfigDict, Field, field_validator, model_validator

from core.errors import Invalid
from crm.time_zone import zone_of
from rules import due, duration
from rules.condition import Condition
from rules.recipient import phone_of
from rules.step import CourseStep, Known, StepContext, StepSettings, Turn
from rules.vocabulary import TRIGGERS, nearest


class WaitSettings(StepSettings):
    """`wait: 2 hours`, `wait: {until: "09:00"}`, `wait: {for: call.completed, timeout: 2 hours}`."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
    shorthand: ClassVar[str | None] = "duration"

    duration: str | None = Field(None, description="How long: 2 hours, 15 business minutes, 3 days")
    until: time | None = Field(None, description='Time of day, such as "09:00": the next time it comes')
    zone: Literal["lead", "workspace"] = Field(
        "lead", description="Whose time of day: of the lead's telephone number, or the workspace's"
    )
    for_: str | None = Field(None, alias="for", description="What has to happen to the lead: a trigger")
    where: str | None = Field(
        None, description="Condition on what happens; else anything of its kind will do"
    )
    timeout: str | None = Field(None, description="How long to wait for it at most")
    calendar: str | None = Field(None, description="Whose business time; the first one's if left out")

    @field_validator("duration", "timeout")
    @classmethod
    def _readable(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                duration.parse(value)
            except Invalid as error:
                raise ValueError(str(error)) from None
        return value

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if sum(way is not None for way in (self.duration, self.until, self.for_)) != 1:
            raise ValueError("needs one of: a duration, 'until', or 'for'")
        if (self.for_ is None) != (self.timeout is None):
            raise ValueError("'for' and 'timeout' belong together: nothing is waited for without an end")
        if self.where is not None and self.for_ is None:
            raise ValueError("'where' belongs to 'for'")
        return self

    @property
    def length(self) -> str | None:
        """How long it waits at most, as it is written."""
        return self.duration or self.timeout


class Wait(CourseStep[WaitSettings]):
    """A row with a due time; no thread sleeps and no broker delays."""

    name = "wait"
    label = "Wait"
    settings = WaitSettings

    def check(self, settings: WaitSettings, known: Known) -> None:
        """What is waited for must be something that happens, and its condition right."""
        if settings.for_ is not None:
            trigger = TRIGGERS.get(settings.for_)
            if trigger is None or trigger.name in ("manual", "cron"):
                raise Invalid(f"there is no '{settings.for_}' to wait for{nearest(settings.for_, TRIGGERS)}")
            if settings.where is not None:
                Condition(settings.where, trigger.variables, known.references)
        if settings.length is not None:
            due.check(settings.length, settings.calendar, known)

    def summary(self, settings: WaitSettings) -> str:
        """For what, and how long."""
        if settings.until is not None:
            return f"Wait until {settings.until:%H:%M}"
        return (
            f"Wait for {settings.for_}, at most {settings.timeout}"
            if settings.for_
            else f"Wait {settings.duration}"
        )

    def turn(self, context: StepContext, settings: WaitSettings) -> Turn:
        """Names the moment."""
        if settings.until is not None:
            zone = (
                zone_of(phone_of(context), context.workspace)
                if settings.zone == "lead"
                else context.workspace.zone
            )
            until = _next(settings.until, zone, context.now)
            return Turn(
                f"until {until:%Y-%m-%d %H:%M} UTC ({settings.until:%H:%M} in {zone.key})", until=until
            )
        until = due.moment(context, settings.length or "", settings.calendar)
        words = f"for {settings.for_}, until" if settings.for_ else "until"
        return Turn(
            f"{words} {until:%Y-%m-%d %H:%M:%S} UTC", until=until, awaits=settings.for_, where=settings.where
        )


def _next(at: time, zone: ZoneInfo, now: datetime) -> datetime:
    """The next moment at which the clock there shows it; a time that a clock change skips comes after it."""
    today = now.astimezone(zone).date()
    for day in range(3):
        moment = datetime.combine(today + timedelta(days=day), at, zone).astimezone(now.tzinfo)
        if moment > now:
            return moment
    raise AssertionError("a day has passed and the time has not come")
