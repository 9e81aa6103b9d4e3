"""Rules as data: the same schema in the workspace file, the API and the editor; read and checked here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from core import cron
from core.errors import Invalid
from crm.workspace import known_zone
from rules import duration
from rules.condition import Condition
from rules.duration import Duration
from rules.expectation import RuleTest
from rules.step import CourseStep, Known, Step
from rules.steps import STEPS
from rules.vocabulary import ANYTHING, TRIGGERS, Fields, nearest

ONCE_PER_LEAD = "lead"
_FOR_EVER = timedelta(days=36500)
#: Steps inside steps inside steps …
_DEEPEST = 8


class RuleSpec(BaseModel):
    """A rule: `on` a trigger, `when` a condition, `do` steps."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=120, description="What people call it; unique")
    on: str = Field(description="The trigger")
    at: str | None = Field(None, description="With `on: cron`: minute, hour, day, month and weekday")
    timezone: str | None = Field(None, description="Where `at` is read; the workspace's if left out")
    when: str | None = Field(None, description="Condition in CEL; a rule without one always matches")
    once: str | None = Field(None, description="At most once: per lead (`lead`), or in a time (`7 days`)")
    do: list[Any] = Field(min_length=1, max_length=100, description="Steps, in order")
    tests: list[RuleTest] = Field(default_factory=list, max_length=200, description="What it is tried with")
    stop_when: str | None = Field(None, description="Condition on the lead that ends a run which waits")
    active: bool = Field(True, description="A rule that is not active is checked but never looked at")

    @field_validator("on")
    @classmethod
    def _known_trigger(cls, value: str) -> str:
        if value not in TRIGGERS:
            raise ValueError(f"there is no trigger '{value}'{nearest(value, TRIGGERS)}")
        return value

    @field_validator("timezone")
    @classmethod
    def _zone(cls, value: str | None) -> str | None:
        return value if value is None else known_zone(value)

    @field_validator("once")
    @classmethod
    def _known_period(cls, value: str | None) -> str | None:
        if value not in (None, ONCE_PER_LEAD) and _period(value).business:
            raise ValueError("a period for 'once' is plain time, such as '7 days'")
        return value

    @model_validator(mode="after")
    def _has_its_time(self) -> Self:
        if (self.on == "cron") != (self.at is not None):
            raise ValueError("'at' belongs to 'on: cron', and 'on: cron' needs it")
        if self.at is not None:
            cron.parse(self.at)
        return self


def _period(text: str) -> Duration:
    try:
        return duration.parse(text)
    except Invalid as error:
        raise ValueError(str(error)) from None


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One step of a rule: its kind, its settings as they are stored, and both ready for use.

    `lists` are the lists of steps inside it, by name.
    """

    kind: str
    stored: Mapping[str, Any]
    step: Step[Any]
    settings: Any
    lists: Mapping[str, tuple[PlannedStep, ...]] = field(default_factory=dict)

    @property
    def summary(self) -> str:
        """The step in a few words."""
        return self.step.summary(self.settings)


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule, ready for use. `once`: how long it is not started again on the same lead."""

    name: str
    trigger: str
    condition: Condition | None
    steps: tuple[PlannedStep, ...]
    active: bool
    once: timedelta | None = None
    stop_when: Condition | None = None
    at: str | None = None
    timezone: str | None = None


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
    if known is not None:
        known = replace(known, rules=frozenset(str(r.get("name")) for r in rules if isinstance(r, dict)))
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
    condition = _condition(spec.when, trigger.variables, known, (place, "when"), mistakes)
    stop_when = _condition(
        spec.stop_when, TRIGGERS["manual"].variables, known, (place, "stop_when"), mistakes
    )
    if known is not None:
        known = replace(known, variables=trigger.variables | {"answers": ANYTHING}, about=trigger.about)
    steps = _list(spec.do, known, (place, "do"), mistakes, 0)
    return Rule(
        spec.name, spec.on, condition, steps, spec.active, _once(spec.once), stop_when, spec.at, spec.timezone
    )


def _once(text: str | None) -> timedelta | None:
    if text is None:
        return None
    return _FOR_EVER if text == ONCE_PER_LEAD else _period(text).length


def _condition(
    text: str | None,
    variables: Mapping[str, Fields],
    known: Known | None,
    path: tuple[str | int, ...],
    mistakes: list[Mistake],
) -> Condition | None:
    if text is None:
        return None
    try:
        return Condition(text, variables, known.references) if known else Condition(text, None)
    except Invalid as error:
        mistakes.append(Mistake(path, str(error)))
        return None


def _list(
    entries: Sequence[Any],
    known: Known | None,
    path: tuple[str | int, ...],
    mistakes: list[Mistake],
    depth: int,
) -> tuple[PlannedStep, ...]:
    steps: list[PlannedStep] = []
    if not isinstance(entries, list):
        mistakes.append(Mistake(path, "is no list of steps"))
        return ()
    for number, entry in enumerate(entries):
        at = (*path, number)
        try:
            step = _planned(entry, known, at, mistakes, depth)
        except Invalid as error:
            mistakes.append(Mistake(at, str(error)))
            continue
        needed = step.step.follows
        if needed is not None and needed not in (s.kind for s in steps):
            mistakes.append(Mistake(at, f"'{step.kind}' needs a '{needed}' before it in the same list"))
        steps.append(step)
    return tuple(steps)


def planned(entry: Any, known: Known | None = None) -> PlannedStep:
    """One step of a `do` list: `{assign: {team: inbound}}`, `{add_tag: vip}` or `stop` for short.

    Raises Invalid with what is wrong.
    """
    mistakes: list[Mistake] = []
    step = _planned(entry, known, (), mistakes, 0)
    if mistakes:
        raise Invalid("; ".join(m.words for m in mistakes))
    return step


def _planned(
    entry: Any, known: Known | None, path: tuple[str | int, ...], mistakes: list[Mistake], depth: int
) -> PlannedStep:
    kind, stored = _named_step(entry)
    step = STEPS.get(kind)
    if step is None:
        raise Invalid(f"there is no step '{kind}'{nearest(kind, STEPS)}")
    short = step.settings.shorthand
    if stored is None:
        stored = {}
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
    lists = {}
    if isinstance(step, CourseStep):
        if depth >= _DEEPEST:
            raise Invalid(f"steps inside steps go no deeper than {_DEEPEST}")
        if known is not None:
            known = replace(known, variables={**known.variables, **step.variables(settings)})
        lists = {
            name: _list(entries, known, (*path, name), mistakes, depth + 1)
            for name, entries in step.inside(settings).items()
        }
    return PlannedStep(kind, stored, step, settings, lists)


def _named_step(entry: Any) -> tuple[str, Any]:
    """`if: …` with `then:` and `else:` beside it is the step `branch`."""
    if isinstance(entry, str):
        return entry, None
    if isinstance(entry, dict) and "if" in entry:
        return "branch", entry
    if not isinstance(entry, dict) or len(entry) != 1:
        raise Invalid("a step is one name and its settings, such as 'assign: {team: inbound}'")
    kind, stored = next(iter(entry.items()))
    return str(kind), stored


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
