"""Gives the lead, deal or contact to somebody."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.errors import Invalid
from models.lead import Lead
from rules.assignment import ladder
from rules.assignment.wish import Wish
from rules.outlook import Outlook
from rules.step import ImmediateStep, Known, Result, StepContext
from rules.vocabulary import nearest


class Assign(ImmediateStep[Wish]):
    """The strategies are in `rules.assignment`; a lead that nobody can have now waits for somebody.

    A deal or a contact that nobody can have now stays with whoever has it, else goes to the catch-all.
    """

    name = "assign"
    label = "Assign"
    settings = Wish

    def check(self, settings: Wish, known: Known) -> None:
        """Users, teams and territories must be in the workspace."""
        for wish in settings.chain():
            if wish.user is not None and wish.user.lower() not in known.users:
                raise Invalid(f"there is no user '{wish.user}'{nearest(wish.user, known.users)}")
            if wish.offer is not None and known.about and "lead" not in known.about:
                raise Invalid("only leads are offered; write the team to give it to one of them")
            team = wish.team or wish.offer
            if team is not None and team not in known.teams:
                raise Invalid(f"there is no team '{team}'{nearest(team, known.teams)}")
            if wish.territory is not None and wish.territory not in known.territories:
                hint = nearest(wish.territory, known.territories)
                raise Invalid(f"there are no territories '{wish.territory}'{hint}")

    def summary(self, settings: Wish) -> str:
        """To whom."""
        return f"Assign to {settings.words}" if settings.offer is None else settings.words.capitalize()

    def run(self, context: StepContext, settings: Wish) -> Result:
        """Chooses, gives, and says why."""
        element, session = context.subject, context.session
        if not isinstance(element, Lead):
            if settings.offer is not None:
                raise Invalid("only leads are offered")
            said = ladder.give_other(session, element, settings, context.workspace, actor=context.actor)
            return Result(said)
        words, happened = ladder.give(session, element, settings, context.workspace, actor=context.actor)
        return Result(words, tuple(happened))

    def foresee(self, settings: Wish, outlook: Outlook, facts: Mapping[str, Any]) -> None:
        """The same on plain values."""
        outlook.assign(settings)
