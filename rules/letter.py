"""A mail made of a template: in which language, in text and HTML, filled in for one lead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.errors import Invalid
from crm.language import language_of, nearest
from crm.messages import Letter
from crm.workspace import WorkspaceSettings
from models.contact import Contact
from models.deal import Deal
from models.lead import Lead
from models.workspace import Template
from rules import facts, template
from rules.vocabulary import ACTIVITY, ANYTHING, CALL, CONTACT, DEAL, LEAD, WORKSPACE, Fields

_LONGEST_SUBJECT = 400
#: What a template may name, whatever uses it; what there is nothing of becomes nothing.
VARIABLES: Mapping[str, Fields] = {
    "lead": LEAD,
    "deal": DEAL,
    "contact": CONTACT,
    "workspace": WORKSPACE,
    "event": ANYTHING,
    "call": CALL,
    "activity": ACTIVITY,
    "answers": ANYTHING,
    "item": ANYTHING,
}


class Wording(BaseModel):
    """What a template says in another language; what is left out is said as in the first."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    subject: str | None = Field(None, description="Subject of the e-mail")
    text: str | None = Field(None, description="Text of the e-mail")
    html: str | None = Field(None, description="The same in HTML")


class TemplateSettings(BaseModel):
    """A text to send; may name fields, such as {{ lead.name }}."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$", description="Short name")
    name: str = Field("", description="What people call it")
    subject: str = Field("", description="Subject of the e-mail")
    text: str = Field(description="Text of the e-mail")
    html: str | None = Field(None, description="The same in HTML; values in it are escaped")
    language: str | None = Field(None, description="Language of the above; the workspace's if left out")
    languages: dict[str, Wording] = Field(
        default_factory=dict, max_length=50, description="The same in others: {pt: {subject: …, text: …}}"
    )

    @field_validator("languages")
    @classmethod
    def _tags(cls, value: dict[str, Wording]) -> dict[str, Wording]:
        for tag in value:
            if not tag.replace("-", "").replace("_", "").isalpha() or not 2 <= len(tag) <= 20:
                raise ValueError(f"'{tag}' is no language, such as pt or pt-BR")
        return value

    def wordings(self) -> dict[str, Wording]:
        """All that is said, by language; the first under ''."""
        return {"": Wording(subject=self.subject, text=self.text, html=self.html), **self.languages}


def check(settings: TemplateSettings, variables: Mapping[str, Fields] = VARIABLES) -> None:
    """Raises Invalid for anything but substitutions of fields that exist."""
    for tag, wording in settings.wordings().items():
        for part in ("subject", "text", "html"):
            try:
                (template.check_html if part == "html" else template.check)(
                    getattr(wording, part) or "", variables
                )
            except Invalid as error:
                where = f"{part} ({tag})" if tag else part
                raise Invalid(f"{where}: {error}") from None


@dataclass(frozen=True, slots=True)
class Written:
    """A letter, and the language it is in."""

    letter: Letter
    language: str


def write(
    settings: TemplateSettings, values: Mapping[str, Any], *, language: str, workspace: WorkspaceSettings
) -> Written:
    """The template in the nearest language it has, filled in."""
    first = (settings.language or workspace.locale).replace("_", "-")
    found = nearest(language, {**dict.fromkeys(settings.languages), first: None})
    chosen = Wording() if found is None or found == first else settings.languages[found]
    # What a language leaves out is said as in the first; but never the HTML of one and the text of another.
    html = chosen.html if chosen.text is not None else chosen.html or settings.html
    return Written(
        Letter(
            subject=one_line(template.render(chosen.subject or settings.subject, values)),
            text=template.render(chosen.text or settings.text, values),
            html=template.render_html(html, values) if html else "",
        ),
        first if found is None else found,
    )


def one_line(subject: str) -> str:
    """A subject as a header can hold it: on one line, of bounded length, nothing unprintable in it."""
    kept = "".join(c if c.isprintable() else " " for c in subject)
    return " ".join(kept.split())[:_LONGEST_SUBJECT]


def standing(session: Session, key: str) -> TemplateSettings:
    """The template of this key.

    Raises Invalid where there is none, or none that this release understands.
    """
    row = session.get(Template, key)
    if row is None:
        raise Invalid(f"there is no template '{key}' any more")
    try:
        return TemplateSettings.model_validate(row.settings)
    except ValueError:
        raise Invalid(f"the template '{key}' is written in a way that this release does not know") from None


def all_standing(session: Session) -> list[TemplateSettings]:
    """All templates, by key."""
    keys = session.scalars(select(Template.key).order_by(Template.key)).all()
    return [standing(session, key) for key in keys]


def by_hand(
    session: Session,
    key: str,
    element: Lead | Deal | Contact,
    workspace: WorkspaceSettings,
    *,
    language: str | None = None,
) -> Written:
    """The template filled in for one element by hand, in the language asked for, else in its person's."""
    values = facts.of_element(element, workspace)
    person = element.contact or element.lead if isinstance(element, Deal) else element
    wanted = language or language_of(person, workspace)
    return write(standing(session, key), values, language=wanted, workspace=workspace)
