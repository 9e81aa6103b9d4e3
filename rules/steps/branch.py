"""Goes one way or the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pydantic import ConfigDict, Field

from rules import surroundings
from rules.condition import Condition, unchecked
from rules.sight import Sight
from rules.step import CourseStep, Known, StepContext, StepSettings, Turn


class BranchSettings(StepSettings):
    """`if: lead.score > 50` with `then: [...]` and, if wanted, `else: [...]` beside it."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
    shorthand: ClassVar[str | None] = "if"

    if_: str = Field(alias="if", description="Condition in CEL")
    then: list[Any] = Field(default_factory=list, max_length=100, description="Steps where it is true")
    else_: list[Any] = Field(
        default_factory=list, alias="else", max_length=100, description="Steps where it is not"
    )


class Branch(CourseStep[BranchSettings]):
    """The condition is looked at when the run comes to it, on the lead as it is then."""

    name = "branch"
    label = "Go one way or the other"
    settings = BranchSettings

    def check(self, settings: BranchSettings, known: Known) -> None:
        """The condition must be right."""
        Condition(settings.if_, known.variables, known.references)

    def summary(self, settings: BranchSettings) -> str:
        """On what."""
        return f"Go one way if {settings.if_}"

    def inside(self, settings: BranchSettings) -> Mapping[str, Sequence[Any]]:
        """Both ways."""
        return {"then": settings.then, "else": settings.else_}

    def is_true(self, settings: BranchSettings, seen: Sight) -> bool:
        """Whether it goes the first way."""
        return unchecked(settings.if_).evaluate(seen)[0]

    def turn(self, context: StepContext, settings: BranchSettings) -> Turn:
        """Looks, and goes."""
        seen = surroundings.sight(context.session, context.element, context.workspace, context.facts)
        matched = self.is_true(settings, seen)
        return Turn(f"{settings.if_}: {'yes' if matched else 'no'}", into="then" if matched else "else")
