"""What steps share that go on by what came of the last wait."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pydantic import Field

from rules.step import CourseStep, StepContext, StepSettings, Turn


class OutcomeSettings(StepSettings):
    """`if_done: [...]` and `unless_done: [...]` after a `wait: {for: …}`."""

    shorthand: ClassVar[str | None] = "do"

    do: list[Any] = Field(min_length=1, max_length=100, description="Steps")


class AfterWait(CourseStep[OutcomeSettings]):
    """Its steps are done where the wait came out as `wanted`."""

    settings = OutcomeSettings
    follows = "wait"
    wanted: ClassVar[bool]

    def inside(self, settings: OutcomeSettings) -> Mapping[str, Sequence[Any]]:
        """What is then done."""
        return {"do": settings.do}

    def turn(self, context: StepContext, settings: OutcomeSettings) -> Turn:
        """Into the steps, or past them."""
        words = "it came in time" if context.waited else "it did not come in time"
        return Turn(words, into="do" if bool(context.waited) is self.wanted else None)
