"""Makes the lead part of another open one that says the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pydantic import Field, model_validator
from sqlalchemy import ColumnElement, Text, cast, func, select
from sqlalchemy.orm import InstrumentedAttribute

from core.errors import Invalid
from crm import merging
from models.lead import OPEN, Lead, LeadStatus
from rules import template
from rules.outlook import Outlook
from rules.step import ImmediateStep, Known, Result, StepContext, StepSettings
from rules.vocabulary import nearest

_SAME = ("person", "email", "phone", "company", "name")
#: Whose leads are one person's: the others only share a firm, a name or a number of their own.
_PERSONAL = ("person", "email", "phone")


class MergeIntoSettings(StepSettings):
    """`merge_into: email`, `merge_into: fields.order` or `merge_into: {lead: "{{ answers.crm.lead }}"}`."""

    shorthand: ClassVar[str | None] = "same"

    same: str | None = Field(
        None, description="person, email, phone, company, name or fields.<name>: what both have in common"
    )
    lead: str | None = Field(None, description="Instead: the other's id; may name fields")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.same is None) == (self.lead is None):
            raise ValueError("needs 'same' or 'lead', and not both")
        if self.same is not None and not self.same.startswith("fields.") and self.same not in _SAME:
            raise ValueError(f"there is no '{self.same}' to compare{nearest(self.same, _SAME)}")
        return self


class MergeInto(ImmediateStep[MergeIntoSettings]):
    """The other is the oldest open one. All that hangs on this lead hangs on it then, and the run is over.

    What is empty there is filled; it can be undone. Where there is no other, nothing is done.
    """

    name = "merge_into"
    label = "Merge into another lead"
    settings = MergeIntoSettings

    def check(self, settings: MergeIntoSettings, known: Known) -> None:
        """The id may be a template."""
        if settings.lead is not None:
            template.check(settings.lead, known.variables)

    def summary(self, settings: MergeIntoSettings) -> str:
        """By what."""
        return f"Merge into the lead with the same {settings.same}" if settings.same else self.label

    def run(self, context: StepContext, settings: MergeIntoSettings) -> Result:
        """Finds the other, and merges."""
        lead, session = context.lead, context.session
        if lead.status is LeadStatus.MERGED:
            raise Invalid(f"the lead is part of lead {lead.merged_into_id} now")
        other_id = self._other(context, settings)
        if other_id is None:
            return Result(f"There is no other open lead with the same {settings.same}")
        survivor, merged = merging.pair(session, Lead, other_id, lead.id)
        if survivor.status not in OPEN:
            raise Invalid(f"lead {other_id} is {survivor.status.value}")
        made = merging.merge(
            session,
            survivor,
            merged,
            by=context.actor,
            why=f"the same {settings.same}" if settings.same else "",
            same_person=settings.same in _PERSONAL,
        )
        words = f"Part of lead {survivor.id} now"
        return Result(words, tuple(merging.told(survivor, made)), over=True)

    def foresee(self, settings: MergeIntoSettings, outlook: Outlook, facts: Mapping[str, Any]) -> None:
        """Whether there was another is beyond the outlook."""

    def _other(self, context: StepContext, settings: MergeIntoSettings) -> int | None:
        if settings.lead is not None:
            text = template.render(settings.lead, context.facts).strip()
            if not text.isascii() or not text.isdigit() or len(text) > 18:
                raise Invalid(f"'{text[:100]}' is no lead's id")
            return int(text)
        found = context.session.scalars(
            select(Lead.id)
            .where(
                Lead.id != context.lead.id, Lead.status.in_(OPEN), _same(context.lead, settings.same or "")
            )
            .order_by(Lead.id)
            .limit(1)
        )
        return found.first()


def _same(lead: Lead, what: str) -> ColumnElement[bool]:
    """Raises Invalid where the lead has nothing to compare."""
    if what == "person":
        return Lead.person_id == lead.person_id
    if what.startswith("fields."):
        name = what.removeprefix("fields.")
        value, written = lead.fields.get(name), cast(Lead.fields[name].as_string(), Text)
        if isinstance(value, bool) or not isinstance(value, str | int | float) or value == "":
            raise Invalid(f"the lead has no '{what}' to compare")
        return written == str(value)
    said = str(getattr(lead, what) or "").strip()
    if not said:
        raise Invalid(f"the lead has no {what} to compare")
    column: InstrumentedAttribute[str] = getattr(Lead, what)
    same: ColumnElement[bool] = func.lower(column) == said.lower()
    return same
