"""What steps share that name another rule of the same set."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from core.errors import Invalid
from rules.step import ImmediateStep, Known, StepSettings
from rules.vocabulary import nearest


class OtherRuleSettings(StepSettings):
    """`start_rule: "Nurture"`, `stop_rule: "Nurture"`."""

    shorthand: ClassVar[str | None] = "rule"

    rule: str = Field(min_length=1, max_length=120, description="Name of the rule")


class OtherRule(ImmediateStep[OtherRuleSettings]):
    """A step that names another rule."""

    settings = OtherRuleSettings

    def check(self, settings: OtherRuleSettings, known: Known) -> None:
        """The rule must be in the same set."""
        if settings.rule not in known.rules:
            raise Invalid(f"there is no rule '{settings.rule}'{nearest(settings.rule, known.rules)}")
