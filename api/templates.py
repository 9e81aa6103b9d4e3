"""Templates, and how each would read for a lead."""

from __future__ import annotations

from flask import Response
from pydantic import BaseModel, ConfigDict, Field

from api.leads import existing
from api.resource import answer, group, refused
from core import db
from core.errors import NotFound
from crm import workspace
from rules import letter

resource = group("templates", "Texts to send")


class TemplatePath(BaseModel):
    """A template's key in an address."""

    key: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")


class Template(BaseModel):
    """A template, as it is written."""

    key: str
    name: str
    subject: str
    text: str
    html: str | None
    languages: list[str] = Field(description="In which languages it is written, beside the first")


class Templates(BaseModel):
    """All templates."""

    items: list[Template]


class PreviewQuery(BaseModel):
    """For whom."""

    model_config = ConfigDict(extra="forbid")

    lead: int = Field(ge=1, lt=2**63, description="Id of the lead it is filled in for")
    language: str | None = Field(None, max_length=20, description="The lead's if left out")


class Preview(BaseModel):
    """A mail as it would be sent."""

    language: str
    subject: str
    text: str
    html: str


@resource.get("/templates", responses={200: Templates})
def list_templates() -> Response:
    """All templates, by key."""
    with db.reading() as session:
        found = letter.all_standing(session)
    items = [
        Template(
            key=t.key, name=t.name, subject=t.subject, text=t.text, html=t.html, languages=sorted(t.languages)
        )
        for t in found
    ]
    return answer(Templates(items=items))


@resource.get("/templates/<key>/preview", responses={200: Preview, **refused(404)})
def preview_template(path: TemplatePath, query: PreviewQuery) -> Response:
    """The template filled in for a lead; nothing is sent."""
    with db.reading() as session:
        lead = existing(session, query.lead)
        if path.key not in {t.key for t in letter.all_standing(session)}:
            raise NotFound("there is no such template")
        here = workspace.load(session)
        made = letter.for_lead(session, path.key, lead, here, language=query.language)
    said = made.letter
    return answer(Preview(language=made.language, subject=said.subject, text=said.text, html=said.html))
