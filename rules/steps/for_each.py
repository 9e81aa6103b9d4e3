"""Does steps for each item of a list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ConfigDict, Field

from core.errors import Invalid
from rules.facts import look_up
from rules.step import CourseStep, Known, StepContext, StepSettings, Turn
from rules.vocabulary import ANYTHING, Fields, nearest

MOST_ITEMS = 100


class ForEachSettings(StepSettings):
    """`for_each: {in: lead.tags, as: tag, do: [...]}`; the steps may say `{{ tag }}`."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    in_: str = Field(alias="in", pattern=r"^[a-z_]+(\.\w+)+$", description="Field that holds the list")
    as_: str = Field("item", alias="as", pattern=r"^[a-z_]{1,40}$", description="What the steps call an item")
    do: list[Any] = Field(min_length=1, max_length=100, description="Steps for each item")


class ForEach(CourseStep[ForEachSettings]):
    """The list is taken once, when the run comes to it. A text counts as a list with commas."""

    name = "for_each"
    label = "Repeat for each item of a list"
    settings = ForEachSettings

    def check(self, settings: ForEachSettings, known: Known) -> None:
        """The field must be one that can hold a list, the name one that is free."""
        first, second, *_ = settings.in_.split(".")
        fields = known.variables.get(first)
        if fields is None:
            raise Invalid(f"there is no '{first}'{nearest(first, known.variables)}")
        kind = fields.get(second) or fields.get("*")
        if kind is None:
            raise Invalid(f"'{first}' has no '{second}'{nearest(second, fields)}")
        if kind not in ("texts", "any"):
            raise Invalid(f"'{settings.in_}' is no list")
        if settings.as_ in known.variables:
            raise Invalid(f"'{settings.as_}' has a meaning already; choose another name after 'as'")

    def summary(self, settings: ForEachSettings) -> str:
        """For which list."""
        return f"Repeat for each {settings.as_} in {settings.in_}"

    def inside(self, settings: ForEachSettings) -> Mapping[str, Sequence[Any]]:
        """What is repeated."""
        return {"do": settings.do}

    def variables(self, settings: ForEachSettings) -> Mapping[str, Fields]:
        """The item."""
        return {settings.as_: ANYTHING}

    def turn(self, context: StepContext, settings: ForEachSettings) -> Turn:
        """Takes the list."""
        found = self.items(settings, context.facts)
        return Turn(f"{len(found)} in {settings.in_}", into="do", items=tuple(found), each=settings.as_)

    def items(self, settings: ForEachSettings, facts: Mapping[str, Any]) -> list[Any]:
        """What the list holds now."""
        found = look_up(facts, settings.in_)
        if isinstance(found, str):
            return [part.strip() for part in found.split(",") if part.strip()]
        if not isinstance(found, list):
            found = [] if found is None else [found]
        items = list(found)
        if len(items) > MOST_ITEMS:
            raise Invalid(f"{settings.in_} has {len(items)} items, more than {MOST_ITEMS}")
        return items
