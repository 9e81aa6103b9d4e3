"""Starts another rule on the lead."""

from __future__ import annotations

from rules.other_rule import OtherRule, OtherRuleSettings
from rules.step import Result, StepContext


class StartRule(OtherRule):
    """Whatever the other waits for; its condition must be true, and it sees no event."""

    name = "start_rule"
    label = "Start another rule"

    def summary(self, settings: OtherRuleSettings) -> str:
        """Which."""
        return f"Start the rule {settings.rule}"

    def run(self, context: StepContext, settings: OtherRuleSettings) -> Result:
        """Has it looked at."""
        return Result(f"The rule {settings.rule} is looked at", starts=(settings.rule,))
