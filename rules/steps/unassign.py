"""Takes the lead from its owner."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from crm import leads
from rules.outlook import Outlook
from rules.step import ImmediateStep, Result, StepContext, StepSettings


class UnassignSettings(StepSettings):
    """`unassign`, or `unassign: "not answered in time"`."""

    shorthand: ClassVar[str | None] = "reason"

    reason: str = Field("", max_length=200, description="Why, for the timeline")


class Unassign(ImmediateStep[UnassignSettings]):
    """A lead without an owner is given out again: by a rule, to its source's team, or to the catch-all."""

    name = "unassign"
    label = "Take from the owner"
    settings = UnassignSettings

    def run(self, context: StepContext, settings: UnassignSettings) -> Result:
        """Takes it."""
        owner = context.lead.owner
        happened = leads.unassign(
            context.session, context.lead, actor=context.actor, why=settings.reason or "by the rule"
        )
        return Result(f"Taken from {owner.name}" if owner else "Nobody had it", tuple(happened))

    def foresee(self, settings: UnassignSettings, outlook: Outlook, facts: Mapping[str, Any]) -> None:
        """The same on plain values."""
        outlook.lead["owner"] = None
