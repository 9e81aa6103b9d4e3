"""The workspace file's parts, put together from the rooms that understand them."""

from __future__ import annotations

from datetime import date
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from crm.catalogue import (
    KEY,
    ActivityKind,
    ClosingReason,
    Currency,
    CustomField,
    JunkReason,
    Numbers,
    OwnSource,
    OwnStatus,
    Tag,
    Tax,
    Unit,
)
from crm.contact_points import email_address, phone_number
from crm.workspace import WorkspaceSettings
from intake.calls import LINES
from intake.forms.settings import FormSettings
from intake.hooks import HookSettings
from intake.mailbox.settings import MailboxSettings
from models.user import Role
from rules.calendar import CalendarSettings
from rules.expectation import RuleTest
from rules.letter import TemplateSettings
from rules.sla import PolicySettings
from rules.sms import SmsSettings
from rules.webhooks import WebhookSettings
from workspace.crm_parts import PipelineEntry, ProductEntry


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Absence(_Part):
    """Some days on which somebody gets no leads."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    from_: date = Field(alias="from", description="First day")
    to: date = Field(description="Last day")
    reason: str = Field("", max_length=100, description="Why, such as: on leave")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.to < self.from_:
            raise ValueError("an absence ends after it begins")
        return self


class UserEntry(_Part):
    """A user."""

    email: str = Field(description="Address to sign in with")
    name: str = Field("", description="Name people read")
    role: Role = Field(Role.AGENT, description="admin, manager, agent or read-only")
    skills: list[str] = Field(default_factory=list, description="What they are good at")
    weight: int = Field(1, ge=0, le=1000, description="Share of leads, beside others'")
    capacity: int | None = Field(None, ge=0, description="Most open leads at a time")
    daily: int | None = Field(None, ge=0, description="Most new leads a day")
    calendar: str | None = Field(None, description="When they work; the team's if left out, else always")
    phone: str | None = Field(None, description="Their own telephone, in E.164: never a customer")
    extension: str | None = Field(
        None, pattern="^[0-9A-Za-z_.@-]{1,60}$", description="How the telephone system names them"
    )
    absences: list[Absence] = Field(default_factory=list, max_length=200, description="When they are away")
    active: bool = Field(True, description="Whether they work here")

    @field_validator("email")
    @classmethod
    def _address(cls, value: str) -> str:
        found = email_address(value)
        if found is None:
            raise ValueError(f"'{value}' is no e-mail address")
        return found.lower()

    @field_validator("phone")
    @classmethod
    def _in_e164(cls, value: str | None) -> str | None:
        if value is None or (found := phone_number(value, "ZZ")) is not None:
            return value and found
        raise ValueError(f"'{value}' is no number in E.164, such as +5511987654321")


class TeamEntry(_Part):
    """A team; its members' order is the order of their turns."""

    key: str = Field(pattern=KEY, description="Short name")
    name: str = Field("", description="What people call it")
    members: list[str] = Field(default_factory=list, description="E-mail addresses of users")
    lead: str | None = Field(None, description="Who leads it; the first member where it is left out")
    calendar: str | None = Field(None, description="When its members work; always if left out")


class TerritoryEntry(_Part):
    """Who has which territory."""

    key: str = Field(pattern=KEY, description="Short name")
    by: str = Field(pattern=r"^lead(\.\w+)+$", description="Field that says where the lead belongs")
    table: dict[str, str] = Field(description="Value of the field to a user's address or a team's key")
    default: str | None = Field(None, description="Who has all others")


class ListEntry(_Part):
    """A list of values, for conditions: `in_list(lead.email, "competitors")`."""

    key: str = Field(pattern=KEY, description="Short name")
    name: str = Field("", description="What people call it")
    values: list[str] = Field(max_length=100_000, description="Texts, addresses or domains")

    @field_validator("values", mode="before")
    @classmethod
    def _texts(cls, value: Any) -> Any:
        """A number, such as a postcode, is written down as one and meant as a text."""
        if not isinstance(value, list):
            return value
        return [str(v) if isinstance(v, int | float) and not isinstance(v, bool) else v for v in value]


class WorkspaceFile(_Part):
    """The whole document. A part that is left out is left as it is."""

    workspace: WorkspaceSettings | None = Field(None, description="Who we are")
    users: list[UserEntry] | None = Field(None, description="Who works here")
    teams: list[TeamEntry] | None = Field(None, description="Who shares leads")
    territories: list[TerritoryEntry] | None = Field(None, description="Who has which territory")
    calendars: list[CalendarSettings] | None = Field(None, description="When we work")
    lists: list[ListEntry] | None = Field(None, description="Values that conditions ask for")
    forms: list[FormSettings] | None = Field(None, description="Ways in: forms")
    mailboxes: list[MailboxSettings] | None = Field(None, description="Ways in: mailboxes")
    lines: list[LINES] | None = Field(None, description="Ways in: telephone lines")
    hooks: list[HookSettings] | None = Field(None, description="Ways in: what other programs tell")
    sources: list[OwnSource] | None = Field(None, description="Where leads come from that are no way in")
    templates: list[TemplateSettings] | None = Field(None, description="Texts to send")
    pipelines: list[PipelineEntry] | None = Field(None, description="The stages that deals go through")
    products: list[ProductEntry] | None = Field(None, description="What is sold")
    closing_reasons: list[ClosingReason] | None = Field(None, description="Why deals are won or lost")
    junk_reasons: list[JunkReason] | None = Field(None, description="Why leads are no enquiries")
    currencies: list[Currency] | None = Field(None, description="What deals are paid in")
    units: list[Unit] | None = Field(None, description="What products are counted in")
    taxes: list[Tax] | None = Field(None, description="What is added to prices, or in them")
    activity_types: list[ActivityKind] | None = Field(None, description="Kinds of activity of your own")
    lead_statuses: list[OwnStatus] | None = Field(None, description="Open statuses of your own")
    fields: list[CustomField] | None = Field(None, description="Fields of your own")
    tags: list[Tag] | None = Field(None, description="Tags that are offered")
    numbers: Numbers | None = Field(None, description="How numbers are written")
    sms: SmsSettings | None = Field(None, description="How text messages are sent")
    webhooks: list[WebhookSettings] | None = Field(None, description="Who is told what happens")
    sla: list[PolicySettings] | None = Field(None, description="How soon somebody answers")
    rules: list[Any] | None = Field(None, description="What is to happen when; see rules.schema")
    tests: list[RuleTest] | None = Field(None, description="What the rules are tried with before they count")
