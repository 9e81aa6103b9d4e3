"""E-mails: what was written to leads, contacts and about deals, what came, and a mail by hand."""

from __future__ import annotations

import base64
import binascii

from flask import Response
from flask_openapi3 import APIBlueprint
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from api import auth
from api.body import IdempotencyHeader, Line, Name, Text
from api.elements import existing
from api.email_view import Email, WholeEmail
from api.paging import Page, page
from api.parameters import PageQuery, RowPath
from api.resource import answer, group, refused
from core import db
from core.errors import Invalid, NotFound
from core.ids import new_id
from crm import compose, messages, workspace
from crm.compose import Addressee, Draft
from crm.messages import Letter
from intake import outgoing_files
from intake.outgoing_files import File
from models.contact import Contact
from models.deal import Deal
from models.lead import Lead
from models.message import Message
from models.user import User
from rules import letter

resource = group("emails", "E-mails to and from the person that a lead, a contact or a deal is about")

#: Base64 takes a third more than the files.
LARGEST_MAIL = outgoing_files.LARGEST * 4 // 3 + 1024 * 1024
_LONGEST_NAME = 200


class NewFile(BaseModel):
    """A file to send along."""

    model_config = ConfigDict(extra="forbid")

    name: Line = Field(min_length=1, max_length=_LONGEST_NAME)
    content: str = Field(description="In base64 (RFC 4648 section 4)")


class NewEmail(BaseModel):
    """A mail to the person it is about: a subject and a text, or a template, whose parts these replace."""

    model_config = ConfigDict(extra="forbid")

    to: Line | None = Field(None, description="Their own address if left out; a deal's is its contact's")
    cc: list[Line] = Field(default_factory=list, max_length=compose.MOST_CC)
    template: Name | None = Field(None, description="Key of a template")
    language: Name | None = Field(None, description="Language of the template; theirs if left out")
    subject: Line | None = None
    text: Text | None = None
    html: Text | None = Field(None, description="The same in HTML")
    answers: int | None = Field(None, ge=1, lt=2**63, description="Id of the e-mail that it answers")
    mailbox: Name | None = Field(None, description="Key of the mailbox it is sent from")
    user: Line | None = Field(None, description="Address of the user who writes it")
    attachments: list[NewFile] = Field(default_factory=list, max_length=outgoing_files.MOST)
    despite_bounce: bool = Field(False, description="Send it though mail to this address has come back")


def _routes(on: APIBlueprint, plural: str, table: type[Addressee], reading: str, writing: str) -> None:
    one = table.__tablename__

    @on.get(
        f"/{plural}/<row:id>/emails",
        operation_id=reading,
        endpoint=reading,
        responses={200: Page[Email], **refused(404)},
    )
    def list_emails(path: RowPath, query: PageQuery) -> Response:
        """Its mails in both directions, newest first; a contact's are also those about their deals."""
        with db.reading() as session:
            row = existing(session, table, path.id)
            chosen = select(Message).where(messages.about_element(row))
            of = f"emails {path.id}" if table is Lead else f"{one} emails {path.id}"
            rows, following = page(session, chosen, Message.id, query, of=of)
        return answer(Page[Email](items=[Email.of(row) for row in rows], next_cursor=following))

    @on.post(
        f"/{plural}/<row:id>/emails",
        operation_id=writing,
        endpoint=writing,
        responses={202: WholeEmail, **refused(400, 404, 409, 413, 415)},
    )
    def send_email(path: RowPath, header: IdempotencyHeader, body: NewEmail) -> Response:
        """Writes to its person. It is sent at once; its state says when it is."""
        files = [File(file.name, _decoded(place, file)) for place, file in enumerate(body.attachments)]
        with db.reading() as session:
            existing(session, table, path.id)
        files_id = new_id()
        kept = outgoing_files.lay_in(files, files_id) if files else []
        try:
            with db.unit_of_work() as session:
                element = existing(session, table, path.id, lock=True)
                row = compose.write(
                    session,
                    element,
                    _draft(session, element, body),
                    key=header.key or files_id,
                    actor=auth.caller().actor,
                    user=_user(session, body.user),
                    files=kept,
                    files_id=files_id,
                )
                made = WholeEmail.whole(session, row)
        except Invalid as error:
            raise Invalid(str(error), {f"/{name}": words for name, words in error.fields.items()}) from None
        return answer(made, 202)

    send_email.__dict__["largest"] = LARGEST_MAIL


_routes(resource, "leads", Lead, "list_emails", "send_email")
_routes(resource, "contacts", Contact, "list_contact_emails", "send_contact_email")
_routes(resource, "deals", Deal, "list_deal_emails", "send_deal_email")


@resource.get("/emails/<row:id>", responses={200: WholeEmail, **refused(404)})
def get_email(path: RowPath) -> Response:
    """One mail."""
    with db.reading() as session:
        row = session.get(Message, path.id)
        if row is None:
            raise NotFound("there is no such e-mail")
        made = WholeEmail.whole(session, row)
    return answer(made)


@resource.post("/emails/<row:id>/retry", responses={202: WholeEmail, **refused(404, 409)})
def retry_email(path: RowPath) -> Response:
    """Sends a mail by hand again that could not be sent."""
    with db.unit_of_work() as session:
        row = session.get(Message, path.id, with_for_update=True)
        if row is None:
            raise NotFound("there is no such e-mail")
        messages.again(session, row)
        session.flush()
        made = WholeEmail.whole(session, row)
    return answer(made, 202)


def _draft(session: Session, element: Addressee, body: NewEmail) -> Draft:
    said = Letter("", "")
    if body.template is not None:
        here = workspace.load(session)
        try:
            said = letter.by_hand(session, body.template, element, here, language=body.language).letter
        except Invalid as error:
            raise Invalid(str(error), {"template": str(error)}) from None
    answered = compose.answered(session, element, body.answers) if body.answers is not None else None
    if body.answers is not None and answered is None:
        raise Invalid("there is no such e-mail", {"answers": f"is no e-mail of this {element.__tablename__}"})
    subject = body.subject if body.subject is not None else said.subject
    if not subject and answered is not None:
        subject = compose.answering(answered.subject)
    to = body.to or compose.address(element)
    if to is None:
        raise Invalid("nobody to write to", {"to": "is needed: no address is known"})
    html = said.html if body.text is None else ""
    return Draft(
        to=to,
        cc=tuple(body.cc),
        letter=Letter(
            letter.one_line(subject), body.text if body.text is not None else said.text, body.html or html
        ),
        answers=answered,
        mailbox=compose.mailbox(session, body.mailbox),
        despite_bounce=body.despite_bounce,
    )


def _user(session: Session, address: str | None) -> User | None:
    if address is None:
        return None
    user = session.scalars(
        select(User).where(func.lower(User.email) == address.lower(), User.active)
    ).one_or_none()
    if user is None:
        raise Invalid("there is no such user", {"user": f"there is no user '{address}'"})
    return user


def _decoded(place: int, file: NewFile) -> bytes:
    try:
        return base64.b64decode(file.content, validate=True)
    except (binascii.Error, ValueError):
        raise Invalid("this is no base64", {f"/attachments/{place}/content": "is no base64"}) from None
