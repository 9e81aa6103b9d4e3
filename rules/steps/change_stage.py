"""Moves the deal to another stage."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from core.errors import Invalid
from crm import conversion, deals
from models.deal import Deal
from models.pipeline import StageGroup
from rules.step import ImmediateStep, Known, Result, StepContext, StepSettings
from rules.vocabulary import nearest


class ChangeStageSettings(StepSettings):
    """`change_stage: offer`, or `change_stage: {to: lost, reason: price}`."""

    shorthand: ClassVar[str | None] = "to"

    to: str = Field(description="The stage's key; also won and lost")
    pipeline: str | None = Field(None, description="Another pipeline's key")
    reason: str | None = Field(None, description="Key of a closing reason")


class ChangeStage(ImmediateStep[ChangeStageSettings]):
    """Of the deal that the rule is about, else of the last open one that came from the lead."""

    name = "change_stage"
    label = "Change the stage"
    settings = ChangeStageSettings

    def check(self, settings: ChangeStageSettings, known: Known) -> None:
        """Stage, pipeline and reason must be there."""
        for said, kind, more in (
            (settings.to, "deal.stage", ("won", "lost")),
            (settings.pipeline, "deal.pipeline", ()),
            (settings.reason, "closing_reason", ()),
        ):
            there = (*known.words.get(kind, ()), *more)
            if said is not None and there and said not in there:
                words = kind.removeprefix("deal.").replace("_", " ")
                raise Invalid(f"there is no {words} '{said}'{nearest(said, there)}")

    def summary(self, settings: ChangeStageSettings) -> str:
        """To which."""
        return f"Change the stage to {settings.to}"

    def run(self, context: StepContext, settings: ChangeStageSettings) -> Result:
        """Changes it."""
        deal = _deal(context)
        happened = deals.change_stage(
            context.session,
            deal,
            settings.to,
            actor=context.actor,
            pipeline=settings.pipeline,
            reason=settings.reason,
        )
        return Result(f"Deal {deal.number} is in {deal.stage.name}", tuple(happened))


def _deal(context: StepContext) -> Deal:
    named = context.element.id if isinstance(context.element, Deal) else context.facts["deal"].get("id")
    if named is not None:
        return context.session.get_one(Deal, named, with_for_update={"of": Deal})
    there = [d for d in conversion.deals_of(context.session, context.lead) if d.state is StageGroup.OPEN]
    if not there:
        raise Invalid("no open deal came from this lead")
    return there[-1]
