"""Starts another rule on the lead."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from core.errors import Invalid
from rules.step import ImmediateStep, Known, Result, StepContext, StepSettings
from rules.vocabulary import nearest


class OtherRuleSettings(StepSettings):
    """`start_rule: "Nurture"`, `stop_rule: "Nurture"`."""

    shorthand: ClassVar[str | None] = "rule"

    rule: str = Field(min_length=1, max_length=120, description="Name of the rule")


class _OtherRule(ImmediateStep[OtherRuleSettings]):
    settings = OtherRuleSettings

    def check(self, settings: OtherRuleSettings, known: Known) -> None:
        """The rule must be in the same set."""
        if settings.rule not in known.rules:
            raise Invalid(f"there is no rule '{settings.rule}'{nearest(settings.rule, known.rules)}")


class StartRule(_OtherRule):
    """Whatever the other waits for; its condition must be true, and it sees no event."""

    name = "start_rule"
    label = "Start another rule"

    def summary(self, settings: OtherRuleSettings) -> str:
        """Which."""
        return f"Start the rule {settings.rule}"

    def run(self, context: StepContext, settings: OtherRuleSettings) -> Result:
        """Has it looked at."""
        return Result(f"The rule {settings.rule} is looked at", starts=(settings.rule,))


class StopRule(_OtherRule):
    """Ends what the other still waits for on this lead."""

    name = "stop_rule"
    label = "Stop another rule"

    def summary(self, settings: OtherRuleSettings) -> str:
        """Which."""
        return f"Stop the rule {settings.rule}"

    def run(self, context: StepContext, settings: OtherRuleSettings) -> Result:
        """Has its runs ended."""
        return Result(f"The rule {settings.rule} is stopped", ends=(settings.rule,))
