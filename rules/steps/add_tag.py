"""Puts a tag on the lead."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from crm import leads
from rules.step import ImmediateStep, Result, StepContext, StepSettings


class AddTagSettings(StepSettings):
    """`add_tag: vip` or `add_tag: {tag: vip}`."""

    shorthand: ClassVar[str | None] = "tag"

    tag: str = Field(min_length=1, max_length=60, description="The tag")


class AddTag(ImmediateStep[AddTagSettings]):
    """A tag that is there already stays."""

    name = "add_tag"
    label = "Add a tag"
    settings = AddTagSettings

    def summary(self, settings: AddTagSettings) -> str:
        """Which tag."""
        return f"Add the tag {settings.tag}"

    def run(self, context: StepContext, settings: AddTagSettings) -> Result:
        """Adds it."""
        happened = leads.add_tag(context.session, context.lead, settings.tag, actor=context.actor)
        return Result(
            f"Tag added: {settings.tag}" if happened else f"The tag {settings.tag} was there", tuple(happened)
        )
