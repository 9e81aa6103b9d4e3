"""Goes on by what came of the last wait."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pydantic import Field

from rules.step import CourseStep, StepContext, StepSettings, Turn


class OutcomeSettings(StepSettings):
    """`if_done: [...]` and `unless_done: [...]` after a `wait: {for: …}`."""

    shorthand: ClassVar[str | None] = "do"

    do: list[Any] = Field(min_length=1, max_length=100, description="Steps")


class _AfterWait(CourseStep[OutcomeSettings]):
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


class IfDone(_AfterWait):
    """What was waited for came in time."""

    name = "if_done"
    label = "If it came in time"
    wanted = True


class UnlessDone(_AfterWait):
    """What was waited for did not come in time."""

    name = "unless_done"
    label = "If it did not come in time"
    wanted = False
