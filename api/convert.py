"""What becomes of a lead: changed, converted, reopened; and what may be there already."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from flask import Response
from pydantic import BaseModel, Field, field_validator
from sqlalchemy.orm import Session

from api import auth
from api.body import Line, Name, Text
from api.companies import Company, CompanyChange
from api.contacts import Contact, ContactChange
from api.deal_view import Deal, DealChange
from api.elements import Body, ElementBody, existing, given, not_null, referred
from api.leads import Lead, resource
from api.parameters import RowId, RowPath, e164, email_of
from api.resource import answer, refused
from api.versions import unchanged, with_version
from core import db
from core.errors import Conflict, Invalid
from core.ids import new_id
from crm import contacts, conversion, duplicates, leads, workspace
from crm.conversion import Into
from crm.happening import Happening
from models.company import Company as CompanyRow
from models.contact import Contact as ContactRow
from models.deal import Deal as DealRow
from models.lead import Lead as LeadRow
from models.user import User
from rules import engine

Kind = Literal["contact", "company", "deal"]


class Candidate(BaseModel):
    """Something that may be the same."""

    kind: str
    id: int
    name: str
    score: int = Field(description="In per cent")
    why: str


class Candidates(BaseModel):
    """What may be there already, the likeliest first."""

    items: list[Candidate]


class Convert(Body):
    """What a lead is to become. Without anything: a contact and a deal, and a company where it names one."""

    into: list[Kind] | None = Field(None, max_length=3, description="What is to be made")
    contact_id: RowId | None = Field(None, description="A contact that it is part of")
    company_id: RowId | None = Field(None, description="A company that it is part of")
    deal_id: RowId | None = Field(None, description="A deal that it is part of")
    contact: ContactChange | None = Field(None, description="Further values of the new contact")
    company: CompanyChange | None = Field(None, description="Further values of the new company")
    deal: DealChange | None = Field(None, description="Further values of the new deal")
    duplicates: Literal["ignore", "refuse"] = Field(
        "ignore", description="refuse: 409 with `candidates` where something like it is there already"
    )

    @field_validator("contact", "company", "deal", mode="before")
    @classmethod
    def _flags(cls, value: Any) -> Any:
        """`true` is one without further values."""
        return {} if value is True else None if value is False else value


class Converted(BaseModel):
    """What became of a lead."""

    lead: Lead
    contact: Contact | None
    company: Company | None
    deal: Deal | None
    contact_id: int | None
    company_id: int | None
    deal_id: int | None
    candidates: list[Candidate] = Field(description="What may be there twice now")


class LeadChange(ElementBody):
    """What is to be set on a lead."""

    title: Line | None = None
    name: Line | None = None
    email: Line | None = None
    phone: Line | None = Field(None, description="In E.164 or as dialled in the workspace's country")
    company: Line | None = None
    message: Text | None = None
    score: int | None = Field(None, ge=-(2**31), lt=2**31)
    status: Name | None = Field(None, description="new, in_progress, junk, or one of the workspace's own")
    reason: Line | None = Field(None, description="With the status junk: why")


@resource.patch("/leads/<row:id>", responses={200: Lead, **refused(400, 404, 409, 412, 413, 415)})
def change_lead(path: RowPath, body: LeadChange) -> Response:
    """Sets what is given, and nothing else; rules are told of it."""
    with db.unit_of_work() as session:
        lead = existing(session, LeadRow, path.id, lock=True)
        unchanged(lead)
        if lead.merged_into_id is not None:
            raise Conflict(f"the lead is part of lead {lead.merged_into_id} now")
        values = given(session, body, "lead")
        not_null(values, "title", "name", "message", "score", "status", "tags")
        happened = _changed(session, lead, values)
        session.flush()
        engine.react(session, happened, workspace=workspace.load(session), event_id=new_id())
        session.refresh(lead)
        return with_version(answer(Lead.of(lead)), lead)


@resource.get("/leads/<row:id>/duplicates", responses={200: Candidates, **refused(404)})
def get_duplicates(path: RowPath) -> Response:
    """The contacts and companies that the lead may be about."""
    with db.reading() as session:
        lead = existing(session, LeadRow, path.id)
        return answer(Candidates(items=_told(duplicates.of_lead(session, lead))))


@resource.post("/leads/<row:id>/convert", responses={200: Converted, **refused(400, 404, 409, 413, 415)})
def convert_lead(path: RowPath, body: Convert) -> Response:
    """Makes of a lead a contact, a company, a deal, or several of them; or a part of what is there.

    Its timeline, activities, mails, calls and files follow. The contact of its person is used where there is
    one.
    """
    actor = auth.caller().actor
    with db.unit_of_work() as session:
        lead = existing(session, LeadRow, path.id, lock=True)
        candidates = duplicates.of_lead(session, lead)
        into = _into(session, lead, body)
        if body.duplicates == "refuse":
            _refuse(session, lead, into, candidates)
        made = conversion.convert(session, lead, into=into, by=actor)
        engine.react(session, made.happenings, workspace=workspace.load(session), event_id=new_id())
        session.flush()
        for row in (lead, made.contact, made.company, made.deal):
            if row is not None:
                session.refresh(row)
        used = {("contact", made.contact and made.contact.id), ("company", made.company and made.company.id)}
        told = Converted(
            lead=Lead.of(lead),
            contact=Contact.of(made.contact) if made.contact else None,
            company=Company.of(made.company) if made.company else None,
            deal=Deal.of(made.deal) if made.deal else None,
            contact_id=made.contact.id if made.contact else None,
            company_id=made.company.id if made.company else None,
            deal_id=made.deal.id if made.deal else None,
            candidates=_told(c for c in candidates if (c.kind, c.id) not in used),
        )
    return answer(told)


@resource.post("/leads/<row:id>/reopen", responses={200: Lead, **refused(404, 409)})
def reopen_lead(path: RowPath) -> Response:
    """Makes a converted lead or junk an open lead again. What became of it stays."""
    with db.unit_of_work() as session:
        lead = existing(session, LeadRow, path.id, lock=True)
        happened = conversion.reopen(session, lead, by=auth.caller().actor)
        engine.react(session, happened, workspace=workspace.load(session), event_id=new_id())
        session.refresh(lead)
        made = Lead.of(lead)
    return answer(made)


def _into(session: Session, lead: LeadRow, body: Convert) -> Into:
    referred(
        session,
        body.model_dump(include={"contact_id", "company_id", "deal_id"}),
        {"contact_id": ContactRow, "company_id": CompanyRow, "deal_id": DealRow},
    )
    wanted: set[str] = set(body.into or ())
    wanted |= {kind for kind in ("contact", "company", "deal") if getattr(body, kind) is not None}
    named = any((body.contact_id, body.company_id, body.deal_id))
    if not wanted and not named and body.into is None:
        wanted = {"contact", "deal"} | ({"company"} if lead.company else set())
    if not wanted and not named:
        raise Invalid("some values are not acceptable", {"/into": "names nothing"})
    deal = given(session, body.deal, "deal", complete=True) if body.deal else {}
    deal["custom"] = deal.pop("fields", None)
    for name in ("contacts", "lines", "contact_id", "company_id"):
        if deal.pop(name, None) is not None:
            raise Invalid("some values are not acceptable", {f"/deal/{name}": "is set on the deal later"})
    return Into(
        frozenset(wanted),
        contact=session.get(ContactRow, body.contact_id) if body.contact_id else None,
        company=session.get(CompanyRow, body.company_id) if body.company_id else None,
        deal=session.get(DealRow, body.deal_id, with_for_update={"of": DealRow}) if body.deal_id else None,
        contact_values=_plain(given(session, body.contact, "contact") if body.contact else {}, "contact"),
        company_values=_plain(given(session, body.company, "company") if body.company else {}, "company"),
        deal_values={k: v for k, v in deal.items() if v is not None},
    )


def _plain(values: dict[str, Any], kind: str) -> dict[str, Any]:
    for name in ("emails", "phones", "email", "phone"):
        if kind == "contact" and values.pop(name, None) is not None:
            raise Invalid(
                "some values are not acceptable", {f"/{kind}/{name}": "is what the lead's person has"}
            )
    return {k: v for k, v in values.items() if v is not None}


def _refuse(session: Session, lead: LeadRow, into: Into, found: list[duplicates.Candidate]) -> None:
    known = contacts.of_person(session, lead.person_id)
    making = {
        "contact": "contact" in into.kinds and into.contact is None and known is None,
        "company": "company" in into.kinds and into.company is None,
    }
    twice = [c for c in found if making[c.kind]]
    if twice:
        words = "; ".join(f"{c.kind} {c.id}: {c.name} ({c.why})" for c in twice)
        raise Conflict(f"there already: {words}", candidates=[t.model_dump() for t in _told(twice)])


def _told(found: Iterable[duplicates.Candidate]) -> list[Candidate]:
    return [Candidate(kind=c.kind, id=c.id, name=c.name, score=c.score, why=c.why) for c in found]


def _changed(session: Session, lead: LeadRow, values: dict[str, Any]) -> list[Happening]:
    actor = auth.caller().actor
    happened: list[Happening] = []
    for name in ("title", "name", "company", "message", "score"):
        if name in values:
            happened += leads.set_field(session, lead, name, values[name], actor=actor)
    if values.get("email") is not None:
        (values["email"],) = email_of([values["email"]], field="/email")
    if values.get("phone") is not None:
        values["phone"] = e164(session, values["phone"], field="/phone")
    if "email" in values:
        happened += leads.set_address(session, lead, "email", values["email"], actor=actor)
    if "phone" in values:
        happened += leads.set_address(session, lead, "phone", values["phone"], actor=actor)
    for name, value in (values.get("fields") or {}).items():
        happened += leads.set_field(session, lead, name, value, actor=actor)
    if "tags" in values:
        for tag in [t for t in lead.tags if t not in values["tags"]]:
            happened += leads.remove_tag(session, lead, tag, actor=actor)
        for tag in values["tags"]:
            happened += leads.add_tag(session, lead, tag, actor=actor)
    if "status" in values:
        reason = values.get("reason") or ""
        happened += leads.move(session, lead, values["status"], actor=actor, reason=reason)
    if "owner_id" in values:
        owner = session.get(User, values["owner_id"]) if values["owner_id"] else None
        happened += (
            leads.assign(session, lead, owner, actor=actor, why="by hand")
            if owner is not None
            else leads.unassign(session, lead, actor=actor, why="by hand")
        )
    return happened
