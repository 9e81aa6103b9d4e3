"""A form as the workspace file declares it."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from jsonpath import JSONPathEnvironment, JSONPathError
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from intake.adapter import SourceSettings
from intake.forms import names, patterns
from intake.forms.protection import Protection
from intake.forms.services import Services

FieldType = Literal[
    "text",
    "textarea",
    "email",
    "phone",
    "number",
    "date",
    "select",
    "multiselect",
    "checkbox",
    "consent",
    "hidden",
    "file",
]
#: A text, or one for each language.
Words = str | dict[Annotated[str, Field(pattern="^[a-z]{2}(_[A-Z]{2})?$")], str]
#: Where a field of such a name goes without being told.
OWN = ("name", "first_name", "last_name", "email", "phone", "company", "message", "title")
#: Kept with the submission and shown, but no field of the lead's.
EXTRA = "extra"
_CHOOSING = ("select", "multiselect")
_PATHS = JSONPathEnvironment()


def json_path(text: str) -> str:
    """The path, which starts with `$`. Raises ValueError where it cannot be read (RFC 9535)."""
    try:
        _PATHS.compile(text)
    except JSONPathError as error:
        raise ValueError(f"'{text}' is no JSON path: {error}") from None
    return text


class FormField(BaseModel):
    """One declared field."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=100, description="Name in the posted form")
    type: FieldType = Field("text", description="What may be entered")
    label: Words = Field("", description="What the visitor reads; a text, or one for each language")
    help: Words = Field("", description="A hint beneath the field")
    message: Words = Field("", description="What is said where the value does not fit")
    required: bool = Field(False, description="Whether it must be filled in")
    min_length: int = Field(0, ge=0, le=10_000, description="Shortest value, in characters")
    max_length: int = Field(10_000, ge=1, le=1_000_000, description="Longest value, in characters")
    pattern: str | None = Field(
        None, max_length=500, description="Regular expression (RE2) for the whole value"
    )
    choices: list[str] = Field(
        default_factory=list, max_length=1000, description="For select and multiselect"
    )
    version: str = Field("", max_length=50, description="For consent: which version of the text `label` is")
    accept: list[str] = Field(default_factory=list, description="For file: types, such as pdf or image/*")
    max_bytes: int = Field(10_000_000, ge=1, description="For file: the largest that is taken")
    target: str | None = Field(
        None,
        description="A field of the lead's own (name, email, phone, …), `extra`, or a custom field",
    )

    @model_validator(mode="after")
    def _fits_its_type(self) -> Self:
        if (self.type in _CHOOSING) != bool(self.choices):
            raise ValueError("a select or multiselect needs choices, and nothing else has them")
        if self.accept and self.type != "file":
            raise ValueError("'accept' belongs to a file")
        if self.version and self.type != "consent":
            raise ValueError("'version' belongs to a consent")
        if self.type == "file" and self.target is not None:
            raise ValueError("a file has no target: it is kept with the lead")
        return self

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                patterns.fits(value, "")
            except ValueError as error:
                raise ValueError(f"the pattern cannot be read: {error}") from None
        return value

    @property
    def goes_to(self) -> str:
        """The lead's own field it fills, `extra`, or the custom field of its name."""
        if self.target:
            return self.target
        if self.type in ("email", "phone"):
            return self.type
        return self.name.lower() if self.name.lower() in OWN else self.name

    def shown(self, language: str = "") -> str:
        """The label in a language, or the name made readable."""
        return said(self.label, language) or re.sub(r"[_-]+", " ", self.name).capitalize()


def said(words: Words, language: str) -> str:
    """The text in that language, else in English, else in whichever there is."""
    if isinstance(words, str):
        return words
    return words.get(language) or words.get(language[:2]) or words.get("en") or next(iter(words.values()), "")


class FormSettings(SourceSettings):
    """A form. Without `fields` it accepts any and finds the person by the names people use."""

    fields: list[FormField] = Field(default_factory=list, max_length=200, description="Declared fields")
    title: Words = Field("", description="Heading of the form's own page; default: its name")
    intro: Words = Field("", description="Text above the form")
    button: Words = Field("", description="What stands on the button")
    thanks: Words = Field("", description="What is said afterwards")
    language: str = Field(
        "", pattern="^([a-z]{2})?$", description="Language of the page; default: the visitor's"
    )
    redirect: str | None = Field(
        None, description="Where a browser is sent afterwards; default: our thank-you page"
    )
    allowed_redirects: list[str] = Field(
        default_factory=list, description="Hosts to which the form's own `redirect` field may send a browser"
    )
    allowed_origins: list[str] = Field(default_factory=list, description="Sites whose scripts may post")
    mapping: dict[str, str] = Field(
        default_factory=dict,
        max_length=500,
        description="Field's name, question or JSON path, to a target: where guessing is not enough",
    )
    services: Services = Field(
        default_factory=Services, description="Secrets of form services that post here"
    )
    protection: Protection = Field(default_factory=Protection, description="What keeps spam away")

    @field_validator("redirect")
    @classmethod
    def _web_address(cls, value: str | None) -> str | None:
        if value is not None and (
            urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).hostname
        ):
            raise ValueError(f"'{value}' is no http or https address")
        return value

    @field_validator("allowed_redirects")
    @classmethod
    def _hosts(cls, value: list[str]) -> list[str]:
        for host in value:
            if not re.fullmatch(r"[A-Za-z0-9.-]+(:\d+)?", host):
                raise ValueError(f"'{host}' is no host; write, for example, www.example.com")
        return value

    @field_validator("allowed_origins")
    @classmethod
    def _origins(cls, value: list[str]) -> list[str]:
        for origin in value:
            parts = urlsplit(origin)
            if parts.scheme not in ("http", "https") or not parts.netloc or parts.path or parts.query:
                raise ValueError(f"'{origin}' is no origin; write, for example, https://www.example.com")
        return value

    @field_validator("mapping")
    @classmethod
    def _paths(cls, value: dict[str, str]) -> dict[str, str]:
        for name in value:
            if name.startswith("$"):
                json_path(name)
        return value

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        found = [f.name for f in self.fields]
        if len(found) != len(set(found)):
            raise ValueError("two fields have the same name")
        return self

    def said(self, words: Words, language: str) -> str:
        """One of the form's own texts in a language."""
        return said(words, language)

    @property
    def asks_consent(self) -> bool:
        """Whether it has a field for consent."""
        return any(f.type == "consent" for f in self.fields)


#: What a mapping may name beside custom fields.
TARGETS = names.MEANINGS | names.ATTRIBUTION | {EXTRA}
