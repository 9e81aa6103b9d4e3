"""Rules as data: the same schema in the workspace file, the API and the editor; read and checked here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from core.errors import Invalid
from rules.condition import Condition
from rules.step import Known, Step
from rules.steps import STEPS
from rules.vocabulary import TRIGGERS, nearest


class RuleSpec(BaseModel):
    """A rule: `on` a trigger, `when` a condition, `do` steps."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=120, description="What people call it; unique")
    on: str = Field(description="The trigger")
    when: str | None = Field(None, description="Condition in CEL; a rule without one always matches")
    do: list[Any] = Field(min_length=1, max_length=100, description="Steps, in order")
    active: bool = Field(True, description="A rule that is not active is checked but never looked at")

    @field_validator("on")
    @classmethod
    def _known_trigger(cls, value: str) -> str:
        if value not in TRIGGERS:
            raise ValueError(f"there is no trigger '{value}'{nearest(value, TRIGGERS)}")
        return value


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One step of a rule: its kind, its settings as they are stored, and both ready for use."""

    kind: str
    stored: Mapping[str, Any]
    step: Step[Any]
    settings: Any

    @property
    def summary(self) -> str:
        """The step in a few words."""
        return self.step.summary(self.settings)


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule, ready for use."""

    name: str
    trigger: str
    condition: Condition | None
    steps: tuple[PlannedStep, ...]
    active: bool


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong, and where: the keys and places that lead there from the list of rules."""

    path: tuple[str | int, ...]
    words: str


def read(rules: Sequence[Any], known: Known | None = None) -> tuple[list[Rule], list[Mistake]]:
    """The rules that are right, and the mistakes in the others.

    `known` is what they may refer to; without it references are not checked, as with a set that
    was checked when it was published.
    """
    right: list[Rule] = []
    mistakes: list[Mistake] = []
    names: set[str] = set()
    for place, raw in enumerate(rules):
        found = len(mistakes)
        rule = _rule(place, raw, known, mistakes)
        if rule is not None and rule.name in names:
            mistakes.append(Mistake((place, "name"), f"there are two rules named '{rule.name}'"))
        if rule is not None and len(mistakes) == found:
            names.add(rule.name)
            right.append(rule)
    return right, mistakes


def _rule(place: int, raw: Any, known: Known | None, mistakes: list[Mistake]) -> Rule | None:
    try:
        spec = RuleSpec.model_validate(raw)
    except ValidationError as error:
        mistakes += [Mistake((place, *e["loc"]), said(e["msg"])) for e in error.errors()]
        return None
    trigger = TRIGGERS[spec.on]
    condition = None
    if spec.when is not None:
        try:
            condition = Condition(spec.when, trigger.variables)
        except Invalid as error:
            mistakes.append(Mistake((place, "when"), str(error)))
    if known is not None:
        known = replace(known, variables=trigger.variables)
    steps = []
    for number, entry in enumerate(spec.do):
        try:
            steps.append(planned(entry, known))
        except Invalid as error:
            mistakes.append(Mistake((place, "do", number), str(error)))
    return Rule(spec.name, spec.on, condition, tuple(steps), spec.active)


def planned(entry: Any, known: Known | None = None) -> PlannedStep:
    """One step of a `do` list: `{assign: {team: inbound}}`, or `{add_tag: vip}` for short.

    Raises Invalid with what is wrong.
    """
    if not isinstance(entry, dict) or len(entry) != 1:
        raise Invalid("a step is one name and its settings, such as 'assign: {team: inbound}'")
    kind, stored = next(iter(entry.items()))
    step = STEPS.get(kind)
    if step is None:
        raise Invalid(f"there is no step '{kind}'{nearest(str(kind), STEPS)}")
    short = step.settings.shorthand
    if not isinstance(stored, dict):
        if short is None:
            raise Invalid(f"'{kind}' needs its settings by name")
        stored = {short: stored}
    try:
        settings = step.settings.model_validate(stored)
    except ValidationError as error:
        raise Invalid("; ".join(_named(kind, e["loc"], e["msg"]) for e in error.errors())) from None
    if known is not None:
        step.check(settings, known)
    return PlannedStep(kind, stored, step, settings)


def _named(kind: str, path: tuple[str | int, ...], message: str) -> str:
    where = ".".join([kind, *(str(p) for p in path)])
    return f"{where}: {said(message)}"


def said(message: str) -> str:
    """Pydantic's message without its own preface."""
    return message.removeprefix("Value error, ")


def by_trigger(rules: Sequence[Rule]) -> dict[str, tuple[Rule, ...]]:
    """The active rules, grouped by what they wait for, in their order."""
    groups: dict[str, list[Rule]] = {}
    for rule in rules:
        if rule.active:
            groups.setdefault(rule.trigger, []).append(rule)
    return {trigger: tuple(group) for trigger, group in groups.items()}
