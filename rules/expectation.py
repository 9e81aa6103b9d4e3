"""The tests that rules carry, as they are written: given an enquiry, what is expected to become of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, field_validator

from core import clock
from models.call import CallResult

_CHANNELS = Literal["form", "email", "call", "api"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Given(_Part):
    """An enquiry."""

    channel: _CHANNELS = Field("form", description="By which channel it comes")
    source: str | None = Field(None, description="Key of the source; any of the channel if left out")
    at: str | None = Field(None, description="When, where the workspace is: 2026-11-23 09:30; else now")
    name: str = Field("", description="Who writes")
    email: str | None = Field(None, description="Their address")
    phone: str | None = Field(None, description="Their number")
    company: str = Field("", description="Their company")
    title: str = Field("", description="Subject")
    message: str = Field("", description="What they write")
    fields: dict[str, Any] = Field(default_factory=dict, description="Custom fields")
    attribution: dict[str, str] = Field(default_factory=dict, description="utm_source and so on")
    result: CallResult = Field(CallResult.MISSED, description="For a call: how it ended")

    @field_validator("at")
    @classmethod
    def _moment(cls, value: str | None) -> str | None:
        if value is not None:
            datetime.fromisoformat(value)
        return value

    def moment(self, zone: ZoneInfo) -> datetime:
        """When it comes, in UTC."""
        if self.at is None:
            return clock.now()
        said = datetime.fromisoformat(self.at)
        return (said if said.tzinfo else said.replace(tzinfo=zone)).astimezone(UTC)


class ExpectedActivity(_Part):
    """An activity that must be planned; what is left out may be anything."""

    type: str = Field(description="call, meeting, task or email")
    subject: str | None = Field(None, description="What is to be done")
    due: str | None = Field(None, description="When, where the workspace is: 2026-11-23 09:45")


class Expected(_Part):
    """What must have become of it. What is left out may be anything."""

    owner: str | None = Field(None, description="Address of the owner; null for nobody")
    team: str | None = Field(None, description="Key of a team the owner is a member of")
    status: str | None = Field(None, description="The lead's status")
    score: int | None = Field(None, description="The lead's score")
    tags: list[str] | None = Field(None, description="The lead's tags, all of them, in any order")
    fields: dict[str, Any] | None = Field(None, description="Custom fields that must have these values")
    activities: list[ExpectedActivity] | None = Field(None, description="All planned activities")
    steps: list[str] | None = Field(None, description="Steps that must be done or planned, by their kind")
    rules: list[str] | None = Field(None, description="The rules that ran, all of them, in any order")


class RuleTest(_Part):
    """`given` an enquiry, or several after each other; `expect` what becomes of the last one's lead."""

    name: str = Field(min_length=1, max_length=200, description="What people call it")
    given: Given | list[Given] = Field(description="An enquiry, or several")
    expect: Expected = Field(description="What must become of it")
