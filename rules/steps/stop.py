"""Ends the run."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from rules.step import CourseStep, StepContext, StepSettings, Turn


class StopSettings(StepSettings):
    """`stop`, or `stop: "the reason"`."""

    shorthand: ClassVar[str | None] = "reason"

    reason: str = Field("", max_length=200, description="Why, for people")


class Stop(CourseStep[StopSettings]):
    """What stands after it is not done."""

    name = "stop"
    label = "Stop here"
    settings = StopSettings

    def turn(self, context: StepContext, settings: StopSettings) -> Turn:
        """The end."""
        return Turn(settings.reason or "stopped here", stops=True)
