"""Takes a tag off the lead, deal or contact."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from crm import changes, leads
from crm.happening import Happening
from models.lead import Lead
from rules.outlook import Outlook
from rules.step import ImmediateStep, Result, StepContext, StepSettings


class RemoveTagSettings(StepSettings):
    """`remove_tag: cold`."""

    shorthand: ClassVar[str | None] = "tag"

    tag: str = Field(min_length=1, max_length=60, description="The tag")


class RemoveTag(ImmediateStep[RemoveTagSettings]):
    """A tag that is not there is no mistake."""

    name = "remove_tag"
    label = "Remove a tag"
    settings = RemoveTagSettings

    def summary(self, settings: RemoveTagSettings) -> str:
        """Which tag."""
        return f"Remove the tag {settings.tag}"

    def run(self, context: StepContext, settings: RemoveTagSettings) -> Result:
        """Removes it."""
        element = context.subject
        there = settings.tag in element.tags
        happened: list[Happening] = []
        if isinstance(element, Lead):
            happened = leads.remove_tag(context.session, element, settings.tag, actor=context.actor)
        elif there:
            left = [tag for tag in element.tags if tag != settings.tag]
            changes.change(context.session, element, {"tags": left}, actor=context.actor)
        return Result(
            f"Tag removed: {settings.tag}" if there else f"The tag {settings.tag} was not there",
            tuple(happened),
        )

    def foresee(self, settings: RemoveTagSettings, outlook: Outlook, facts: Mapping[str, Any]) -> None:
        """The same on plain values."""
        outlook.lead["tags"] = [tag for tag in outlook.lead["tags"] if tag != settings.tag]
