"""Whom a caller is put through to, where the provider asks: what the line says of it, question and answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from crm.contact_points import phone_number
from intake.calls.line import LineSettings

#: Under this name the journal keeps what was answered, beside the question.
CONNECTION = "connection"


class Connect(BaseModel):
    """Who answers: the client's owner, else whom the rules would give the lead, else a team by turn."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fallback: str = Field(
        description="Number in E.164 that is rung where nobody is there, or anything is wrong"
    )
    team: str | None = Field(
        None, description="Whose members are rung by turn, where neither an owner nor a rule says; "
        "default: the line's `team`"
    )  # fmt: skip
    ring_seconds: int = Field(20, ge=5, le=120, description="How long a telephone is rung")

    @field_validator("fallback")
    @classmethod
    def _in_e164(cls, value: str) -> str:
        number = phone_number(value, "ZZ")
        if number is None:
            raise ValueError(f"'{value}' is no number in E.164, such as +551140000000")
        return number


class AskingLine(LineSettings):
    """A line whose provider asks."""

    connect: Connect | None = Field(
        None, description="Whom callers are put through to, where the provider asks"
    )

    @model_validator(mode="after")
    def _no_circle(self) -> Self:
        if self.connect is not None and self.connect.fallback in (*self.numbers, *self.forwarding):
            raise ValueError("the fallback is a number of this line: calls would go round in circles")
        return self


@dataclass(frozen=True, slots=True)
class Question:
    """Somebody calls, and the provider waits for whom to ring.

    Numbers are as the provider wrote them. `extensions`: whether it can ring one of those too. `missed`:
    somebody was rung and did not answer.
    """

    call_id: str
    from_number: str | None = None
    extensions: bool = False
    missed: bool = False


@dataclass(frozen=True, slots=True)
class Connection:
    """Whom it is to ring: a number in E.164 (an extension where that is all there is), and why.

    `user_id`, `email`, `name` and `extension` are the user's; without one it is the fallback's number.
    """

    number: str
    why: str
    user_id: int | None = None
    email: str | None = None
    name: str | None = None
    extension: str | None = None

    def as_data(self) -> dict[str, Any]:
        """For the journal and for programs."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Self | None:
        """What was answered to an event of these facts; None where nothing was asked."""
        said = facts.get(CONNECTION)
        return cls(**said) if isinstance(said, dict) else None
