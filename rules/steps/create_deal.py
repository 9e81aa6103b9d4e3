"""Makes a deal: of the lead, which stays open, or for the contact."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from pydantic import Field

from crm import contacts, deals
from models.contact import Contact
from rules import template
from rules.step import ImmediateStep, Known, Result, StepContext, StepSettings


class CreateDealSettings(StepSettings):
    """`create_deal: "Ovens for {{ lead.company }}"`."""

    shorthand: ClassVar[str | None] = "title"

    title: str = Field("{{ lead.title }}", min_length=1, description="What it is called; may name fields")
    pipeline: str | None = Field(None, description="The pipeline's key; the first if left out")
    stage: str | None = Field(None, description="The stage's key; the first if left out")
    amount: Decimal | None = Field(None, description="In its currency")
    currency: str | None = Field(None, pattern="^[A-Z]{3}$", description="The workspace's if left out")


class CreateDeal(ImmediateStep[CreateDealSettings]):
    """With the owner of what it is made of, and the contact of its person where there is one."""

    name = "create_deal"
    label = "Create a deal"
    settings = CreateDealSettings

    def check(self, settings: CreateDealSettings, known: Known) -> None:
        """The title must name fields that exist."""
        template.check(settings.title, known.variables)

    def run(self, context: StepContext, settings: CreateDealSettings) -> Result:
        """Makes it."""
        lead, element = context.came_from, context.subject
        contact = context.contact or (contacts.of_person(context.session, lead.person_id) if lead else None)
        name = element.name if isinstance(element, Contact) else element.title
        deal = deals.create(
            context.session,
            title=template.render(settings.title, context.facts).strip() or name,
            actor=context.actor,
            pipeline=settings.pipeline,
            stage=settings.stage,
            amount=settings.amount,
            currency=settings.currency,
            lead=lead,
            contact=contact,
            owner_id=element.owner_id,
            source_id=element.source_id,
        )
        return Result(f"Deal {deal.number} made: {deal.title}", tuple(deals.told(deal, "deal.created", {})))
