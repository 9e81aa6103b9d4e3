"""Ends another rule's runs on the lead."""

from __future__ import annotations

from rules.other_rule import OtherRule, OtherRuleSettings
from rules.step import Result, StepContext


class StopRule(OtherRule):
    """Ends what the other still waits for on this lead."""

    name = "stop_rule"
    label = "Stop another rule"

    def summary(self, settings: OtherRuleSettings) -> str:
        """Which."""
        return f"Stop the rule {settings.rule}"

    def run(self, context: StepContext, settings: OtherRuleSettings) -> Result:
        """Has its runs ended."""
        return Result(f"The rule {settings.rule} is stopped", ends=(settings.rule,))
