"""Sets fields of the lead, deal or contact."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from pydantic import ConfigDict, model_validator

from core.errors import Invalid
from crm import contacts, deals, leads
from models.contact import Contact
from models.deal import Deal
from models.lead import Lead
from rules import template
from rules.outlook import Outlook
from rules.step import ImmediateStep, Known, Result, StepContext, StepSettings
from rules.vocabulary import CONTACT, DEAL, LEAD, Fields, nearest

#: What may be set by name of each; any other name that is no field of its own is a custom field.
_SETTABLE: Mapping[str, tuple[str, ...]] = {
    "lead": leads.SETTABLE,
    "deal": ("title", "amount", "currency", "probability", "expected_close"),
    "contact": ("name", "position"),
}
_OWN: Mapping[str, Fields] = {"lead": LEAD, "deal": DEAL, "contact": CONTACT}


class SetSettings(StepSettings):
    """`set: {company: "{{ lead.fields.firm }}", priority: high}`: names and values.

    A name of its own fields means that one, any other a custom field. `lead.` before it means the lead, also
    in a rule about the deal that came of it.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _names(cls, values: Any) -> Any:
        if not isinstance(values, dict) or not values:
            raise ValueError("needs at least one name and its value")
        return {str(name): value for name, value in values.items()}

    @property
    def values(self) -> Iterator[tuple[str | None, str, Any]]:
        """Of what each is set (None: what the rule is about), its name, and its value."""
        for written, value in (self.model_extra or {}).items():
            of, dot, name = written.partition(".")
            known = of if dot and of in _SETTABLE else None
            yield known, (name if known else written).removeprefix("fields."), value

    @property
    def names(self) -> list[str]:
        """The names, without what is before them."""
        return [name for _, name, _ in self.values]


class Set(ImmediateStep[SetSettings]):
    """Status, stage, owner and tags have steps of their own."""

    name = "set"
    label = "Set fields"
    settings = SetSettings

    def check(self, settings: SetSettings, known: Known) -> None:
        """Fields that are not set by name are refused, as are wrong values."""
        for of, name, value in settings.values:
            kinds = (of,) if of else known.about or ("lead",)
            allowed = {n for kind in kinds for n in _SETTABLE[kind]}
            if name not in allowed and all(name in _OWN[kind] for kind in kinds):
                raise Invalid(f"'{name}' cannot be set this way{nearest(name, allowed)}")
            if name == "score" and "lead" in kinds and not isinstance(value, int):
                raise Invalid("'score' is a whole number")
            if isinstance(value, str):
                template.check(value, known.variables)

    def summary(self, settings: SetSettings) -> str:
        """Which fields."""
        return f"Set {', '.join(settings.names)}"

    def run(self, context: StepContext, settings: SetSettings) -> Result:
        """Sets each, in order."""
        happened = []
        for of, name, written in settings.values:
            value = template.render(written, context.facts) if isinstance(written, str) else written
            element = _named(context, of)
            if isinstance(element, Lead):
                happened += leads.set_field(context.session, element, name, value, actor=context.actor)
            elif isinstance(element, Deal):
                deals.change(context.session, element, _values("deal", name, value), actor=context.actor)
            else:
                contacts.change(
                    context.session, element, _values("contact", name, value), actor=context.actor
                )
        return Result(self.summary(settings), tuple(happened))

    def foresee(self, settings: SetSettings, outlook: Outlook, facts: Mapping[str, Any]) -> None:
        """The same on plain values."""
        for of, name, value in settings.values:
            if of in (None, "lead"):
                outlook.change(name, template.render(value, facts) if isinstance(value, str) else value)


def _named(context: StepContext, of: str | None) -> Lead | Deal | Contact:
    if of is None:
        return context.subject
    if of == "lead":
        return context.lead
    found = context.contact if of == "contact" else context.element
    if found is None or (of == "deal" and not isinstance(found, Deal)):
        raise Invalid(f"there is no {of} here")
    return found


def _percent(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 100:
        raise ValueError("is no per cent")
    return number


def _values(kind: str, name: str, value: Any) -> dict[str, Any]:
    """A value as the element's column takes it. Raises Invalid for one that it does not take."""
    if name not in _SETTABLE[kind]:
        if name in _OWN[kind]:
            raise Invalid(f"'{name}' of a {kind} cannot be set this way")
        return {"fields": {name: value}}
    text = str(value).strip()
    try:
        if name == "amount":
            return {name: Decimal(text) if text else None}
        if name == "expected_close":
            return {name: date.fromisoformat(text) if text else None}
        if name == "probability":
            return {name: _percent(text) if text else None}
    except (ValueError, InvalidOperation):
        raise Invalid(f"'{text[:100]}' is no {name.replace('_', ' ')}") from None
    if not text:
        raise Invalid(f"'{name}' would be empty")
    return {name: text[:200]}
