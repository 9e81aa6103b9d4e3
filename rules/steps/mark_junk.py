"""Puts the lead aside as no enquiry at all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from crm import leads
from models.lead import LeadStatus
from rules.outlook import Outlook
from rules.step import ImmediateStep, Result, StepContext, StepSettings


class MarkJunkSettings(StepSettings):
    """`mark_junk: "a supplier's advertisement"`."""

    shorthand: ClassVar[str | None] = "reason"

    reason: str = Field("", max_length=200, description="Why, for the timeline")


class MarkJunk(ImmediateStep[MarkJunkSettings]):
    """The lead stays, closed; runs that wait on it end."""

    name = "mark_junk"
    label = "Mark as junk"
    settings = MarkJunkSettings

    def run(self, context: StepContext, settings: MarkJunkSettings) -> Result:
        """Closes it."""
        happened = leads.change_status(
            context.session, context.lead, LeadStatus.JUNK, actor=context.actor, reason=settings.reason
        )
        return Result("Marked as junk" if happened else "Was junk", tuple(happened))

    def foresee(self, settings: MarkJunkSettings, outlook: Outlook, facts: Mapping[str, Any]) -> None:
        """The same on plain values."""
        outlook.lead["status"] = LeadStatus.JUNK.value
