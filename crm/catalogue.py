"""What the CRM is set up with: reasons, currencies, units, taxes, kinds of activity, statuses, fields."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from sqlalchemy.orm import Session

from crm.workspace import WorkspaceSettings
from models.lead import LeadStatus
from models.workspace import WorkspaceRow

KEY = r"^[a-z0-9][a-z0-9_-]{0,62}$"
ACTIVITY_KINDS = ("call", "meeting", "task", "email")
ElementKind = Literal["lead", "contact", "company", "deal"]
FieldType = Literal[
    "text",
    "number",
    "money",
    "date",
    "datetime",
    "choice",
    "choices",
    "flag",
    "link",
    "file",
    "user",
    "reference",
]
_NUMBER = re.compile(r"\{(year|month|number)(?::0(\d))?\}")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Named(_Part):
    key: str = Field(pattern=KEY, description="Short name")
    name: str = Field("", max_length=200, description="What people call it")


class ClosingReason(_Named):
    """Why deals are won or lost."""

    group: Literal["won", "lost"] | None = Field(None, description="won or lost; both if left out")


class JunkReason(_Named):
    """Why leads are no enquiries."""


class Currency(_Part):
    """A currency that deals are made in."""

    code: str = Field(pattern="^[A-Z]{3}$", description="ISO 4217")
    rate: Decimal = Field(
        Decimal(1), gt=0, lt=10**9, description="How much of the workspace's currency one of it is"
    )
    decimals: int = Field(2, ge=0, le=4, description="Decimal places that amounts are rounded to")


class Unit(_Named):
    """What is counted: hours, pieces."""


class Tax(_Named):
    """A tax that products and deals' lines may have."""

    rate: Decimal = Field(ge=0, le=1000, description="In per cent")
    included: bool = Field(False, description="Whether prices have it in them")


class ActivityKind(_Named):
    """A kind of activity beside call, meeting, task and email, or the outcomes of one of these."""

    outcomes: list[str] = Field(default_factory=list, max_length=50, description="What may come of one")


class OwnStatus(_Named):
    """An open status of leads beside `new` and `in_progress`."""

    requires: list[str] = Field(
        default_factory=list, max_length=50, description="What a lead must have filled; fields.<key> too"
    )

    @field_validator("key")
    @classmethod
    def _is_own(cls, value: str) -> str:
        if value in {s.value for s in LeadStatus} | {"open"}:
            raise ValueError(f"'{value}' is a status that there is anyway")
        return value


class CustomField(_Named):
    """A field of your own."""

    on: list[ElementKind] = Field(min_length=1, description="lead, contact, company, deal")
    type: FieldType = Field("text", description=", ".join(get_args(FieldType)))
    choices: list[str] = Field(default_factory=list, max_length=500, description="For choice and choices")
    to: ElementKind | None = Field(None, description="For a reference: what it refers to")
    required: bool = Field(False, description="Whether whoever makes one by hand must fill it")

    @model_validator(mode="after")
    def _fits(self) -> CustomField:
        if (self.type in ("choice", "choices")) != bool(self.choices):
            raise ValueError("'choices' belongs to the types choice and choices, which need it")
        if (self.type == "reference") != (self.to is not None):
            raise ValueError("'to' belongs to the type reference, which needs it")
        return self


class OwnSource(_Named):
    """Where leads and deals come from that are no way in: a fair, a recommendation."""


class Tag(_Part):
    """A tag that is offered where tags are given; others may be given too."""

    name: str = Field(min_length=1, max_length=100, description="The tag")
    about: str = Field("", max_length=500, description="What it is for")

    @field_validator("name")
    @classmethod
    def _one_line(cls, value: str) -> str:
        if not value.isprintable() or "," in value or value != value.strip():
            raise ValueError("a tag is on one line, without commas")
        return value


class Numbers(_Part):
    """How numbers are written: {year}, {month} and {number}, such as D-{year}-{number:05}."""

    deal: str = Field("{number}", max_length=60, description="Numbers of deals")

    @field_validator("deal")
    @classmethod
    def _readable(cls, value: str) -> str:
        left = _NUMBER.sub("", value)
        if "{" in left or "}" in left or "{number" not in value:
            raise ValueError("may name {year}, {month} and {number:05}, and must name the number")
        return value


class CrmSettings(_Part):
    """The parts of the workspace file that `WorkspaceRow.crm` keeps."""

    closing_reasons: list[ClosingReason] = Field(default_factory=list, max_length=500)
    junk_reasons: list[JunkReason] = Field(default_factory=list, max_length=500)
    currencies: list[Currency] = Field(default_factory=list, max_length=200)
    units: list[Unit] = Field(default_factory=list, max_length=500)
    taxes: list[Tax] = Field(default_factory=list, max_length=200)
    activity_types: list[ActivityKind] = Field(default_factory=list, max_length=100)
    lead_statuses: list[OwnStatus] = Field(default_factory=list, max_length=50)
    fields: list[CustomField] = Field(default_factory=list, max_length=500)
    tags: list[Tag] = Field(default_factory=list, max_length=1000)
    numbers: Numbers = Numbers()

    def currency(self, code: str, here: WorkspaceSettings) -> Currency | None:
        """A currency that deals may be made in: those of the list, and always the workspace's own."""
        found = next((c for c in self.currencies if c.code == code), None)
        return found or (Currency(code=code) if code == here.currency else None)

    def fields_of(self, kind: ElementKind) -> Mapping[str, CustomField]:
        """The custom fields of one kind of element, by key."""
        return {field.key: field for field in self.fields if kind in field.on}

    def own_status(self, key: str) -> OwnStatus | None:
        """One of the workspace's own open statuses."""
        return next((s for s in self.lead_statuses if s.key == key), None)

    @property
    def activity_kinds(self) -> Sequence[str]:
        """The kinds of activity there are."""
        own = [kind.key for kind in self.activity_types]
        return [*own, *(k for k in ACTIVITY_KINDS if k not in own)]


PARTS = tuple(CrmSettings.model_fields)


def load(session: Session) -> CrmSettings:
    """The settings in force."""
    row = session.get(WorkspaceRow, 1)
    return CrmSettings.model_validate(row.crm if row else {})


def number(template: str, counted: int, at: datetime) -> str:
    """A number as its template writes it."""
    values = {"year": at.year, "month": at.month, "number": counted}
    widths = {"month": "2"}
    return _NUMBER.sub(lambda m: f"{values[m[1]]:0{m[2] or widths.get(m[1], '1')}}", template)
