"""Moves the lead to another status."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from core.errors import Invalid
from crm import leads
from rules.outlook import Outlook
from rules.step import ImmediateStep, Known, Result, StepContext, StepSettings
from rules.vocabulary import nearest


class ChangeStatusSettings(StepSettings):
    """`change_status: in_progress`."""

    shorthand: ClassVar[str | None] = "to"

    to: str = Field(description="new, in_progress, junk, or one of the workspace's own statuses")
    reason: str = Field("", max_length=200, description="Why, for the timeline")


class ChangeStatus(ImmediateStep[ChangeStatusSettings]):
    """A lead is converted by converting it, and merged by merging it."""

    name = "change_status"
    label = "Change the status"
    settings = ChangeStatusSettings

    def check(self, settings: ChangeStatusSettings, known: Known) -> None:
        """The status must be one that there is."""
        there = ("new", "in_progress", "junk", *known.words.get("lead.status", ()))
        if settings.to not in there:
            raise Invalid(f"there is no status '{settings.to}'{nearest(settings.to, there)}")

    def summary(self, settings: ChangeStatusSettings) -> str:
        """To which."""
        return f"Change the status to {settings.to}"

    def run(self, context: StepContext, settings: ChangeStatusSettings) -> Result:
        """Changes it."""
        happened = leads.move(
            context.session, context.lead, settings.to, actor=context.actor, reason=settings.reason
        )
        return Result(
            f"The status is {settings.to} now" if happened else f"The status was {settings.to}",
            tuple(happened),
        )

    def foresee(self, settings: ChangeStatusSettings, outlook: Outlook, facts: Mapping[str, Any]) -> None:
        """The same on plain values."""
        outlook.lead["status"] = settings.to
