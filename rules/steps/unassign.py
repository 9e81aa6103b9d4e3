"""Takes the lead, deal or contact from its owner."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from crm import leads, owners
from crm.happening import Happening
from models.lead import Lead
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
        element, why = context.subject, settings.reason or "by the rule"
        owner, happened = element.owner, list[Happening]()
        if isinstance(element, Lead):
            happened = leads.unassign(context.session, element, actor=context.actor, why=why)
        else:
            owners.give(context.session, element, None, actor=context.actor, why=why)
        return Result(f"Taken from {owner.name}" if owner else "Nobody had it", tuple(happened))

    def foresee(self, settings: UnassignSettings, outlook: Outlook, facts: Mapping[str, Any]) -> None:
        """The same on plain values."""
        outlook.lead["owner"] = None
