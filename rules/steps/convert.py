"""Converts the lead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from crm import conversion
from crm.conversion import Into
from models.lead import LeadStatus
from rules import template
from rules.outlook import Outlook
from rules.step import ImmediateStep, Known, Result, StepContext, StepSettings


class ConvertSettings(StepSettings):
    """`convert: [contact, deal]`."""

    shorthand: ClassVar[str | None] = "into"

    into: list[Literal["contact", "company", "deal"]] = Field(
        ["contact", "deal"], min_length=1, max_length=3, description="contact, company, deal"
    )
    title: str | None = Field(None, description="The deal's; may name fields of the lead")
    pipeline: str | None = Field(None, description="The deal's pipeline; the first if left out")
    stage: str | None = Field(None, description="The deal's stage; the first if left out")


class Convert(ImmediateStep[ConvertSettings]):
    """The contact of the lead's person is used where there is one; what hangs on the lead follows."""

    name = "convert"
    label = "Convert"
    settings = ConvertSettings

    def check(self, settings: ConvertSettings, known: Known) -> None:
        """The title must name fields that exist."""
        if settings.title is not None:
            template.check(settings.title, known.variables)

    def summary(self, settings: ConvertSettings) -> str:
        """Into what."""
        return f"Convert into {', '.join(settings.into)}"

    def run(self, context: StepContext, settings: ConvertSettings) -> Result:
        """Converts it."""
        title = template.render(settings.title, context.facts).strip() if settings.title else None
        values = {"title": title, "pipeline": settings.pipeline, "stage": settings.stage}
        into = Into(frozenset(settings.into), deal_values={k: v for k, v in values.items() if v})
        made = conversion.convert(context.session, context.lead, into=into, by=context.actor)
        return Result(f"Converted into {', '.join(settings.into)}", made.happenings)

    def foresee(self, settings: ConvertSettings, outlook: Outlook, facts: Mapping[str, Any]) -> None:
        """The same on plain values."""
        outlook.lead["status"] = LeadStatus.CONVERTED.value
