"""What a rule wants: who is to get the lead, and who else where they cannot."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from core.errors import Invalid
from rules import duration
from rules.step import StepSettings


class Wish(StepSettings):
    """`{user: …}`, `{team: …, by: …}`, `{territory: …}` or `{offer: …}`; `otherwise` where nobody can."""

    shorthand: ClassVar[str | None] = "user"

    user: str | None = Field(None, description="E-mail address of a user")
    team: str | None = Field(None, description="Key of a team")
    by: Literal["round_robin", "weighted", "least_loaded"] = Field(
        "round_robin", description="How the team's members take turns"
    )
    load: Literal["leads", "activities"] = Field(
        "leads", description="With least_loaded: open leads, or planned activities"
    )
    skill: str | None = Field(None, description="Only members who have this skill")
    sticky: bool = Field(False, description="First whoever had an earlier lead of the person")
    territory: str | None = Field(None, description="Key of a table of territories")
    offer: str | None = Field(None, description="Key of a team whose members are asked; the first to accept")
    within: str = Field("15 minutes", description="With offer: how long they may accept")
    otherwise: Wish | None = Field(None, description="Who else, where nobody can take it")

    @field_validator("within")
    @classmethod
    def _length(cls, value: str) -> str:
        try:
            found = duration.parse(value)
        except Invalid as error:
            raise ValueError(str(error)) from None
        if found.business:
            raise ValueError("an offer stands for plain time, such as '15 minutes'")
        return value

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        ways = (self.user, self.team, self.territory, self.offer)
        if sum(way is not None for way in ways) != 1:
            raise ValueError("needs one of user, team, territory and offer, and not more")
        if self.team is None and self.offer is None and self.skill is not None:
            raise ValueError("'skill' belongs to a team")
        return self

    @property
    def words(self) -> str:
        """Whom it wants, in a word."""
        if self.offer is not None:
            return f"offer to {self.offer}"
        return self.user or self.team or f"territory {self.territory}"

    def chain(self) -> Iterator[Wish]:
        """This one and those after it."""
        wish: Wish | None = self
        while wish is not None:
            yield wish
            wish = wish.otherwise
