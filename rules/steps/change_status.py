"""Moves the lead to another status."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from crm import leads
from models.lead import LeadStatus
from rules.outlook import Outlook
from rules.step import ImmediateStep, Result, StepContext, StepSettings


class ChangeStatusSettings(StepSettings):
    """`change_status: in_progress`."""

    shorthand: ClassVar[str | None] = "to"

    to: Literal["new", "in_progress", "junk"] = Field(description="The status")
    reason: str = Field("", max_length=200, description="Why, for the timeline")


class ChangeStatus(ImmediateStep[ChangeStatusSettings]):
    """A lead is converted by converting it, and merged by merging it."""

    name = "change_status"
    label = "Change the status"
    settings = ChangeStatusSettings

    def summary(self, settings: ChangeStatusSettings) -> str:
        """To which."""
        return f"Change the status to {settings.to}"

    def run(self, context: StepContext, settings: ChangeStatusSettings) -> Result:
        """Changes it."""
        happened = leads.change_status(
            context.session,
            context.lead,
            LeadStatus(settings.to),
            actor=context.actor,
            reason=settings.reason,
        )
        return Result(
            f"The status is {settings.to} now" if happened else f"The status was {settings.to}",
            tuple(happened),
        )

    def foresee(self, settings: ChangeStatusSettings, outlook: Outlook, facts: Mapping[str, Any]) -> None:
        """The same on plain values."""
        outlook.lead["status"] = settings.to
