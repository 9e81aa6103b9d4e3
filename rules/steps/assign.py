"""Gives the lead to somebody."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from core.errors import Invalid
from crm import leads
from rules import assignment
from rules.outlook import Outlook
from rules.step import ImmediateStep, Known, Result, StepContext, StepSettings
from rules.vocabulary import nearest


class AssignSettings(StepSettings):
    """`assign: {user: …}` or `assign: {team: …, by: round_robin}`."""

    shorthand: ClassVar[str | None] = "user"

    user: str | None = Field(None, description="E-mail address of a user")
    team: str | None = Field(None, description="Key of a team")
    by: Literal["round_robin"] = Field("round_robin", description="How the team's members take turns")

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.user is None) == (self.team is None):
            raise ValueError("needs a user or a team, and not both")
        return self


class Assign(ImmediateStep[AssignSettings]):
    """The strategies are in `rules.assignment`."""

    name = "assign"
    label = "Assign the lead"
    settings = AssignSettings

    def check(self, settings: AssignSettings, known: Known) -> None:
        """The user or team must be in the workspace."""
        if settings.user is not None and settings.user.lower() not in known.users:
            raise Invalid(f"there is no user '{settings.user}'{nearest(settings.user, known.users)}")
        if settings.team is not None and settings.team not in known.teams:
            raise Invalid(f"there is no team '{settings.team}'{nearest(settings.team, known.teams)}")

    def summary(self, settings: AssignSettings) -> str:
        """To whom."""
        return f"Assign to {settings.user or settings.team}"

    def run(self, context: StepContext, settings: AssignSettings) -> Result:
        """Chooses, gives, and says why."""
        if settings.user is not None:
            choice = assignment.named(context.session, settings.user)
        else:
            choice = assignment.round_robin(context.session, settings.team or "")
        happened = leads.assign(
            context.session, context.lead, choice.user, actor=context.actor, why=choice.why
        )
        return Result(f"Assigned to {choice.user.name}: {choice.why}", tuple(happened))

    def foresee(self, settings: AssignSettings, outlook: Outlook, facts: Mapping[str, Any]) -> None:
        """The same on plain values."""
        if settings.user is not None:
            outlook.give(outlook.people.named(settings.user))
        else:
            outlook.give(outlook.people.next_of(settings.team or ""))
