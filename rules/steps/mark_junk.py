"""Puts the lead aside as no enquiry at all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from core.errors import Invalid
from crm import leads
from models.lead import LeadStatus
from rules.outlook import Outlook
from rules.step import ImmediateStep, Known, Result, StepContext, StepSettings
from rules.vocabulary import nearest


class MarkJunkSettings(StepSettings):
    """`mark_junk: "a supplier's advertisement"`."""

    shorthand: ClassVar[str | None] = "reason"

    reason: str = Field("", max_length=200, description="Why, for the timeline")


class MarkJunk(ImmediateStep[MarkJunkSettings]):
    """The lead stays, closed; runs that wait on it end."""

    name = "mark_junk"
    label = "Mark as junk"
    settings = MarkJunkSettings

    def check(self, settings: MarkJunkSettings, known: Known) -> None:
        """Where the workspace has reasons, it must be one of them."""
        there = known.words.get("junk_reason", ())
        if there and settings.reason not in there:
            raise Invalid(f"there is no reason '{settings.reason}'{nearest(settings.reason, there)}")

    def run(self, context: StepContext, settings: MarkJunkSettings) -> Result:
        """Closes it."""
        happened = leads.move(
            context.session, context.lead, LeadStatus.JUNK, actor=context.actor, reason=settings.reason
        )
        return Result("Marked as junk" if happened else "Was junk", tuple(happened))

    def foresee(self, settings: MarkJunkSettings, outlook: Outlook, facts: Mapping[str, Any]) -> None:
        """The same on plain values."""
        outlook.lead["status"] = LeadStatus.JUNK.value
