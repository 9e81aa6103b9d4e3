"""A form as the workspace file declares it."""

from __future__ import annotations

import re
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from intake.adapter import SourceSettings

FieldType = Literal[
    "text", "textarea", "email", "phone", "number", "date", "select", "checkbox", "consent", "hidden"
]
#: Where a field of such a name goes without being told.
OWN = {
    "name": "name",
    "email": "email",
    "phone": "phone",
    "company": "company",
    "message": "message",
    "title": "title",
}


class FormField(BaseModel):
    """One declared field."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=100, description="Name in the posted form")
    type: FieldType = Field("text", description="What may be entered")
    label: str = Field("", description="What the visitor reads")
    required: bool = Field(False, description="Whether it must be filled in")
    max_length: int = Field(10_000, ge=1, le=1_000_000, description="Longest value, in characters")
    choices: list[str] = Field(default_factory=list, description="For select: what may be chosen")
    target: str | None = Field(
        None, description="name, email, phone, company, message, title or a custom field"
    )

    @model_validator(mode="after")
    def _choices_fit(self) -> Self:
        if (self.type == "select") != bool(self.choices):
            raise ValueError("a select needs choices, and nothing else has them")
        return self

    @property
    def goes_to(self) -> str:
        """The lead's own field it fills, or the custom field of its name."""
        if self.target:
            return self.target
        if self.type in ("email", "phone"):
            return self.type
        return OWN.get(self.name.lower(), self.name)

    @property
    def shown(self) -> str:
        """The label, or the name made readable."""
        return self.label or re.sub(r"[_-]+", " ", self.name).capitalize()


class FormSettings(SourceSettings):
    """A form. Without `fields` it accepts any and finds the person by the names people use."""

    fields: list[FormField] = Field(default_factory=list, max_length=200, description="Declared fields")
    redirect: str | None = Field(
        None, description="Where a browser is sent afterwards; default: our thank-you page"
    )
    allowed_origins: list[str] = Field(default_factory=list, description="Sites whose scripts may post")

    @field_validator("redirect")
    @classmethod
    def _web_address(cls, value: str | None) -> str | None:
        if value is not None and (
            urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).hostname
        ):
            raise ValueError(f"'{value}' is no http or https address")
        return value

    @field_validator("allowed_origins")
    @classmethod
    def _origins(cls, value: list[str]) -> list[str]:
        for origin in value:
            parts = urlsplit(origin)
            if parts.scheme not in ("http", "https") or not parts.netloc or parts.path or parts.query:
                raise ValueError(f"'{origin}' is no origin; write, for example, https://www.example.com")
        return value

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [f.name for f in self.fields]
        if len(names) != len(set(names)):
            raise ValueError("two fields have the same name")
        return self
