"""Sets fields of the lead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ConfigDict, model_validator

from core.errors import Invalid
from crm import leads
from rules import template
from rules.outlook import Outlook
from rules.step import ImmediateStep, Known, Result, StepContext, StepSettings
from rules.vocabulary import LEAD, nearest


class SetSettings(StepSettings):
    """`set: {company: "{{ lead.fields.firm }}", priority: high}`: names and values.

    A name of the lead's own fields means that one, any other a custom field.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _plain_names(cls, values: Any) -> Any:
        if not isinstance(values, dict) or not values:
            raise ValueError("needs at least one name and its value")
        return {
            str(name).removeprefix("lead.").removeprefix("fields."): value for name, value in values.items()
        }

    @property
    def values(self) -> dict[str, Any]:
        """The names and values."""
        return dict(self.model_extra or {})


class Set(ImmediateStep[SetSettings]):
    """Status, owner and tags have steps of their own."""

    name = "set"
    label = "Set fields"
    settings = SetSettings

    def check(self, settings: SetSettings, known: Known) -> None:
        """Fields that are not set by name are refused, as are wrong values."""
        for name, value in settings.values.items():
            if name in LEAD and name not in leads.SETTABLE:
                raise Invalid(f"'{name}' cannot be set this way{nearest(name, leads.SETTABLE)}")
            if name == "score" and not isinstance(value, int):
                raise Invalid("'score' is a whole number")
            if isinstance(value, str):
                template.check(value, known.variables)

    def summary(self, settings: SetSettings) -> str:
        """Which fields."""
        return f"Set {', '.join(settings.values)}"

    def run(self, context: StepContext, settings: SetSettings) -> Result:
        """Sets each, in order."""
        happened = []
        for name, value in settings.values.items():
            text = template.render(value, context.facts) if isinstance(value, str) else value
            happened += leads.set_field(context.session, context.lead, name, text, actor=context.actor)
        return Result(self.summary(settings), tuple(happened))

    def foresee(self, settings: SetSettings, outlook: Outlook, facts: Mapping[str, Any]) -> None:
        """The same on plain values."""
        for name, value in settings.values.items():
            outlook.change(name, template.render(value, facts) if isinstance(value, str) else value)
