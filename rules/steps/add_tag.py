"""Puts a tag on the lead, deal or contact."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from core.errors import Invalid
from crm import changes, leads
from crm.happening import Happening
from models.lead import Lead
from rules import template
from rules.outlook import Outlook
from rules.step import ImmediateStep, Known, Result, StepContext, StepSettings


class AddTagSettings(StepSettings):
    """`add_tag: vip` or `add_tag: {tag: vip}`."""

    shorthand: ClassVar[str | None] = "tag"

    tag: str = Field(min_length=1, max_length=60, description="The tag; may name fields of the lead")


class AddTag(ImmediateStep[AddTagSettings]):
    """A tag that is there already stays."""

    name = "add_tag"
    label = "Add a tag"
    settings = AddTagSettings

    def check(self, settings: AddTagSettings, known: Known) -> None:
        """The tag may be a template."""
        template.check(settings.tag, known.variables)

    def summary(self, settings: AddTagSettings) -> str:
        """Which tag."""
        return f"Add the tag {settings.tag}"

    def run(self, context: StepContext, settings: AddTagSettings) -> Result:
        """Adds it."""
        tag = template.render(settings.tag, context.facts).strip()[:60]
        if not tag:
            raise Invalid(f"the tag '{settings.tag}' is empty")
        element = context.subject
        was_there = tag in element.tags
        happened: list[Happening] = []
        if isinstance(element, Lead):
            happened = leads.add_tag(context.session, element, tag, actor=context.actor)
        elif not was_there:
            changes.change(context.session, element, {"tags": [*element.tags, tag]}, actor=context.actor)
        return Result(f"The tag {tag} was there" if was_there else f"Tag added: {tag}", tuple(happened))

    def foresee(self, settings: AddTagSettings, outlook: Outlook, facts: Mapping[str, Any]) -> None:
        """The same on plain values."""
        if tag := template.render(settings.tag, facts).strip()[:60]:
            outlook.tag(tag)
