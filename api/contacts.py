"""Contacts: the people we know."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self

from flask import Response
from pydantic import BaseModel, Field
from sqlalchemy import or_, select
from sqlalchemy.orm import Session, joinedload, selectinload

from api import auth, single
from api.body import Line as BodyLine
from api.body import Name
from api.elements import ElementQuery, SourcedBody, existing, given, mentions, narrowed, not_null, referred
from api.paging import Page, page
from api.parameters import Email, Line, RowId, RowPath, e164, email_of
from api.resource import answer, group, refused
from api.users import Owner
from api.versions import unchanged, with_version
from core import db
from core.errors import Invalid
from core.settings import settings
from crm import contacts
from models.company import Company
from models.contact import Contact as ContactRow
from models.contact_point import ContactPoint, Person, PointKind

resource = group("contacts", "The people we know")

_SHOWN = (
    joinedload(ContactRow.owner),
    joinedload(ContactRow.source),
    joinedload(ContactRow.company),
    selectinload(ContactRow.person).selectinload(Person.points),
)


class ContactQuery(ElementQuery):
    """The filters of contacts; a contact must fit them all."""

    email: Email | None = Field(None, description="Any address, in any case")
    phone: Line | None = Field(None, description="Any number, in E.164 or as dialled in the country")
    company: RowId | None = Field(None, description="Id of the company")


class Contact(BaseModel):
    """A person we know."""

    id: int
    name: str
    first_name: str
    last_name: str
    position: str | None
    email: str | None
    phone: str | None = Field(description="In E.164")
    emails: list[str]
    phones: list[str]
    company_id: int | None
    company: str | None = Field(description="The company's name")
    owner: Owner | None
    source: str | None = Field(description="The source's key")
    tags: list[str]
    fields: dict[str, Any]
    consent: bool | None
    created_at: datetime
    updated_at: datetime
    merged_into_id: int | None = Field(description="The contact that this one is part of now")

    @classmethod
    def of(cls, row: ContactRow) -> Self:
        """A contact as it is told."""
        points = row.person.points if row.person else []
        return cls(
            id=row.id,
            name=row.name,
            first_name=row.first_name,
            last_name=row.last_name,
            position=row.position,
            email=row.email,
            phone=row.phone,
            emails=[p.value for p in points if p.kind is PointKind.EMAIL],
            phones=[p.value for p in points if p.kind is PointKind.PHONE],
            company_id=row.company_id,
            company=row.company.name if row.company else None,
            owner=Owner.of(row.owner),
            source=row.source.key if row.source else None,
            tags=row.tags,
            fields=row.fields,
            consent=row.consent,
            created_at=row.created_at,
            updated_at=row.updated_at,
            merged_into_id=row.merged_into_id,
        )


class ContactChange(SourcedBody):
    """What is to be set on a contact."""

    name: BodyLine | None = None
    first_name: BodyLine | None = None
    last_name: BodyLine | None = None
    position: BodyLine | None = None
    email: BodyLine | None = Field(None, description="The first of the addresses")
    phone: BodyLine | None = Field(None, description="The first of the numbers")
    emails: list[Name] | None = Field(None, max_length=50, description="All addresses, in the place of those")
    phones: list[Name] | None = Field(None, max_length=50, description="All numbers, in the place of those")
    company_id: RowId | None = None
    consent: bool | None = None


@resource.get("/contacts", responses={200: Page[Contact]})
def list_contacts(query: ContactQuery) -> Response:
    """The contacts that fit all filters, newest first."""
    chosen = select(ContactRow).where(ContactRow.merged_into_id.is_(None)).options(*_SHOWN)
    if query.company is not None:
        chosen = chosen.where(ContactRow.company_id == query.company)
    if query.q is not None:
        chosen = chosen.where(mentions((ContactRow.name, ContactRow.email, ContactRow.position), query.q))
    with db.reading() as session:
        if query.email is not None:
            points = select(ContactPoint.person_id).where(
                ContactPoint.kind == PointKind.EMAIL, ContactPoint.value == query.email
            )
            chosen = chosen.where(ContactRow.person_id.in_(points))
        if query.phone is not None:
            number = e164(session, query.phone)
            points = select(ContactPoint.person_id).where(
                ContactPoint.kind == PointKind.PHONE, ContactPoint.value == number
            )
            chosen = chosen.where(or_(ContactRow.person_id.in_(points), ContactRow.phone == number))
        chosen = narrowed(session, chosen, ContactRow, query)
        rows, following = page(session, chosen, ContactRow.id, query, of="contacts")
        return answer(Page[Contact](items=[Contact.of(row) for row in rows], next_cursor=following))


@resource.get("/contacts/<row:id>", responses={200: Contact, **refused(404)})
def get_contact(path: RowPath) -> Response:
    """One contact; of one that became part of another, the other."""
    return single.told(ContactRow, path.id, Contact.of)


@resource.post("/contacts", responses={201: Contact, **refused(400, 409, 413, 415)})
def create_contact(body: ContactChange) -> Response:
    """Makes a contact; refused where an address shows that there is one of this person."""
    with db.unit_of_work() as session:
        values = given(session, body, "contact", complete=True)
        emails, phones = _points(session, values)
        name = values.pop("name", None) or " ".join(
            part for part in (values.get("first_name"), values.get("last_name")) if part
        )
        name = name or next(iter([*emails, *phones]), "")
        if not name:
            raise Invalid("some values are not acceptable", {"/name": "is required"})
        referred(session, values, {"company_id": Company})
        row = contacts.create(
            session,
            name=name,
            emails=emails,
            phones=phones,
            actor=auth.caller().actor,
            **{k: v for k, v in values.items() if v is not None},
        )
        session.refresh(row)
        made = Contact.of(row)
    return answer(made, 201, location=f"{settings().address}/api/v1/contacts/{made.id}")


@resource.patch("/contacts/<row:id>", responses={200: Contact, **refused(400, 404, 409, 412, 413, 415)})
def change_contact(path: RowPath, body: ContactChange) -> Response:
    """Sets what is given, and nothing else."""
    actor = auth.caller().actor
    with db.unit_of_work() as session:
        row = existing(session, ContactRow, path.id, lock=True)
        unchanged(row)
        values = given(session, body, "contact")
        not_null(values, "name", "first_name", "last_name", "tags")
        told = {kind for kind in ("email", "phone", "emails", "phones") if kind in values}
        emails, phones = _points(session, values, row)
        referred(session, values, {"company_id": Company})
        contacts.change(session, row, values, actor=actor)
        if told & {"email", "emails"}:
            contacts.set_points(session, row, PointKind.EMAIL, emails, actor=actor)
        if told & {"phone", "phones"}:
            contacts.set_points(session, row, PointKind.PHONE, phones, actor=actor)
        session.refresh(row)
        return with_version(answer(Contact.of(row)), row)


@resource.delete("/contacts/<row:id>", responses={204: None, **refused(404, 409, 412)})
def delete_contact(path: RowPath) -> Response:
    """Deletes a contact that nothing hangs on: no lead, deal, call, mail or file."""
    return single.deleted(ContactRow, path.id)


def _points(
    session: Session, values: dict[str, Any], row: ContactRow | None = None
) -> tuple[list[str], list[str]]:
    """The addresses and numbers that a body gives, those that stand where it gives one."""
    emails, phones = values.pop("emails", None), values.pop("phones", None)
    email, phone = values.pop("email", None), values.pop("phone", None)
    if row is not None:
        there = contacts.points(session, row)
        emails = [p.value for p in there if p.kind is PointKind.EMAIL] if emails is None and email else emails
        phones = [p.value for p in there if p.kind is PointKind.PHONE] if phones is None and phone else phones
    all_emails = ([email] if email else []) + list(emails or ())
    all_phones = ([phone] if phone else []) + list(phones or ())
    field = "/email" if email else "/emails"
    found = email_of(all_emails, field=field)
    numbers = [e164(session, p, field="/phone" if phone else "/phones") for p in all_phones]
    lowered = {a.lower(): a for a in reversed(found)}
    return [a for a in found if lowered.pop(a.lower(), None)], list(dict.fromkeys(numbers))
