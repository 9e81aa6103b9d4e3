"""Templates, and how each would read."""

from __future__ import annotations

from flask import Response
from pydantic import BaseModel, ConfigDict, Field

from api.elements import existing
from api.parameters import RowId
from api.resource import answer, group, refused
from core import db
from core.errors import Invalid, NotFound
from crm import workspace
from models.contact import Contact
from models.deal import Deal
from models.lead import Lead
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
    """For whom: one of the three."""

    model_config = ConfigDict(extra="forbid")

    lead: RowId | None = Field(None, description="Id of the lead it is filled in for")
    contact: RowId | None = Field(None, description="Id of the contact")
    deal: RowId | None = Field(None, description="Id of the deal")
    language: str | None = Field(None, max_length=20, description="Theirs if left out")


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
    """The template filled in for a lead, a contact or a deal; nothing is sent."""
    wanted: list[tuple[type[Lead | Contact | Deal], int]] = [
        (table, row_id)
        for table, row_id in ((Lead, query.lead), (Contact, query.contact), (Deal, query.deal))
        if row_id is not None
    ]
    if len(wanted) != 1:
        raise Invalid("some values are not acceptable", {"/lead": "or one of contact and deal is needed"})
    with db.reading() as session:
        table, row_id = wanted[0]
        element = existing(session, table, row_id)
        if path.key not in {t.key for t in letter.all_standing(session)}:
            raise NotFound("there is no such template")
        here = workspace.load(session)
        made = letter.by_hand(session, path.key, element, here, language=query.language)
    said = made.letter
    return answer(Preview(language=made.language, subject=said.subject, text=said.text, html=said.html))
