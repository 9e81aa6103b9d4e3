"""The CRM's parts of the workspace file: pipelines, products, and what `crm.catalogue` keeps."""

from __future__ import annotations

from decimal import Decimal
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from crm import sections
from crm.catalogue import KEY
from models.pipeline import StageGroup

#: What a stage may require to be filled, beside custom fields.
REQUIRABLE = ("amount", "contact", "company", "owner", "expected_close", "title")
STATUS_REQUIRABLE = ("name", "email", "phone", "company", "message", "owner")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StageEntry(_Part):
    """One stage of a pipeline."""

    key: str = Field(pattern=KEY, description="Short name")
    name: str = Field("", max_length=200, description="What people call it")
    group: StageGroup = Field(StageGroup.OPEN, description="open, won or lost")
    probability: int | None = Field(
        None, ge=0, le=100, description="How likely a deal here is won, in per cent; 100 for won"
    )
    requires: list[str] = Field(
        default_factory=list, max_length=50, description="What a deal must have filled; fields.<key> too"
    )
    reason_required: bool = Field(False, description="Whether closing here needs one of the closing reasons")

    @field_validator("requires")
    @classmethod
    def _known(cls, value: list[str]) -> list[str]:
        return _requirable(value, REQUIRABLE)

    @model_validator(mode="after")
    def _reasoned(self) -> Self:
        if self.reason_required and self.group is StageGroup.OPEN:
            raise ValueError("'reason_required' belongs to stages that are won or lost")
        return self


class PipelineEntry(_Part):
    """The stages that a deal goes through; the first pipeline is for deals of which nothing is said."""

    key: str = Field(pattern=KEY, description="Short name")
    name: str = Field("", max_length=200, description="What people call it")
    stages: list[StageEntry] = Field(min_length=1, max_length=50, description="In their order")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        keys = [s.key for s in self.stages]
        if twice := next((k for k in keys if keys.count(k) > 1), None):
            raise ValueError(f"there are two stages '{twice}'")
        for group in StageGroup:
            if all(s.group is not group for s in self.stages):
                raise ValueError(f"needs a stage of the group {group.value}")
        return self


class ProductEntry(_Part):
    """What is sold."""

    sku: str = Field(min_length=1, max_length=100, description="Its number in stock; unique")
    name: str = Field(min_length=1, max_length=500, description="What people call it")
    section: str = Field("", max_length=700, description="Path of its section in the catalogue: Ovens > Gas")
    description: str = Field("", max_length=10_000, description="What it is")
    unit: str = Field("", max_length=100, description="Key of a unit")
    prices: dict[str, Decimal] = Field(default_factory=dict, description="By currency: {BRL: 199.90}")
    tax: str | None = Field(None, description="Key of a tax")
    variant_of: str | None = Field(None, description="The number of the product that this is a variant of")
    options: dict[str, str] = Field(default_factory=dict, description="What makes the variant: {size: L}")
    image: str | None = Field(None, max_length=2000, pattern="^https?://", description="Address of a picture")

    @field_validator("section")
    @classmethod
    def _path(cls, value: str) -> str:
        return sections.path_of(value)


def _requirable(names: list[str], own: tuple[str, ...]) -> list[str]:
    for name in names:
        if name not in own and not name.startswith("fields."):
            raise ValueError(f"'{name}' cannot be required: {', '.join(own)} and fields.<key> can")
    return names
