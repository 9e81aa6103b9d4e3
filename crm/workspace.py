"""Who we are: the workspace's own settings, which give numbers a country and days a time zone."""

from __future__ import annotations

from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator
from sqlalchemy.orm import Session

from crm.rights import Right
from models.workspace import WorkspaceRow


class Retention(BaseModel):
    """How long something is kept."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["raw", "mails", "recordings", "files", "imports", "junk", "audit"]
    days: int = Field(ge=1, le=36_500)
    source: str | None = Field(None, description="Key of a form, mailbox, line; all if left out")


class WorkspaceSettings(BaseModel):
    """The `workspace:` part of the workspace file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field("Portaria", description="The company's name")
    country: str = Field(
        "US", pattern="^[A-Z]{2}$", description="ISO 3166 alpha-2; national numbers are read there"
    )
    timezone: str = Field("UTC", description="IANA name, such as America/Sao_Paulo")
    locale: str = Field("en", description="Language of dates, numbers and messages")
    currency: str = Field("USD", pattern="^[A-Z]{3}$", description="ISO 4217")
    mode: Literal["classic", "simple"] = Field(
        "classic", description="classic: leads first; simple: straight to deals"
    )

    catch_all: str | None = Field(
        None, description="Who gets a lead that nobody else can have: a user's address or a team's key"
    )
    alarm_minutes: int = Field(
        15, ge=1, le=10_000, description="When a lead that nobody has yet sets off lead.unassigned"
    )

    automatic_mails_per_hour: int = Field(
        10, ge=1, le=10_000, description="Most automatic e-mails to one address within an hour"
    )

    rights: dict[str, Right] = Field(
        default_factory=dict, description="What a role sees and changes, by role: {agent: {see: own}}"
    )

    retention: list[Retention] = Field(
        default_factory=list, max_length=100, description="What is forgotten when: {kind: raw, days: 365}"
    )

    @field_validator("rights")
    @classmethod
    def _of_roles(cls, value: dict[str, Right]) -> dict[str, Right]:
        for role in value:
            if role not in ("agent", "manager", "read-only"):
                raise ValueError(f"'{role}' is no role whose rights can be set: agent, manager, read-only")
        return value

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        return known_zone(value)

    @property
    def zone(self) -> ZoneInfo:
        """The time zone itself."""
        return ZoneInfo(self.timezone)


def known_zone(name: str) -> str:
    """The name, if it is one of the IANA time zone database.

    Raises ValueError otherwise.
    """
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"'{name}' is no IANA time zone") from None
    return name


def load(session: Session) -> WorkspaceSettings:
    """The settings in force; the defaults before any were applied."""
    row = session.get(WorkspaceRow, 1)
    return WorkspaceSettings.model_validate(row.settings if row else {})
