"""E-mails: what was written to a lead and what came, and a mail by hand."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from typing import Self

from flask import Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from api import auth
from api.body import IdempotencyHeader, Line, Name, Text
from api.leads import existing
from api.paging import Page, page
from api.parameters import PageQuery, RowPath
from api.resource import answer, group, refused
from core import clock, db, queue
from core.errors import Conflict, Invalid, NotFound
from core.ids import new_id
from crm import attachments, compose, workspace
from crm.compose import Draft
from crm.messages import Letter
from intake import outgoing_files
from intake.outgoing_files import File
from models.lead import Lead
from models.message import Direction, Message, MessageState
from models.user import User
from rules import letter

resource = group("emails", "E-mails to and from a lead's person")

#: Base64 takes a third more than the files.
LARGEST_MAIL = outgoing_files.LARGEST * 4 // 3 + 1024 * 1024
_LONGEST_NAME = 200


class SentFile(BaseModel):
    """A file that came or goes with a mail; to be had at /api/v1/attachments/<id>."""

    id: int
    name: str
    kind: str
    size: int


class Email(BaseModel):
    """One mail, in or out."""

    id: int
    direction: Direction
    state: MessageState
    subject: str
    from_name: str
    from_address: str = Field(description="Of a mail in: who wrote it; empty for mails out")
    to: str
    cc: list[str]
    text: str
    html: str = Field(description="Of a mail out, as it is sent; never shown without being cleaned")
    message_id: str
    in_reply_to: str
    thread: str = Field(description="The same for all mails of one conversation")
    automatic: bool = Field(description="Whether a rule or a machine wrote it")
    mailbox: str | None
    error: str = Field(description="Why it was not sent, is tried again, or came back")
    actor: str
    lead_id: int | None
    contact_id: int | None
    deal_id: int | None
    event_id: str | None
    created_at: datetime
    sent_at: datetime | None

    @classmethod
    def of(cls, row: Message) -> Self:
        """A mail as it is told."""
        return cls(
            id=row.id,
            direction=row.direction,
            state=MessageState.QUEUED if row.state is MessageState.SENDING else row.state,
            subject=row.subject,
            from_name=row.from_name,
            from_address=row.from_address,
            to=row.to_address,
            cc=row.cc,
            text=row.text,
            html=row.html,
            message_id=row.message_id,
            in_reply_to=row.in_reply_to,
            thread=row.thread,
            automatic=row.automatic,
            mailbox=row.mailbox,
            error=row.error,
            actor=row.actor,
            lead_id=row.lead_id,
            contact_id=row.contact_id,
            deal_id=row.deal_id,
            event_id=row.event_id,
            created_at=row.created_at,
            sent_at=row.sent_at,
        )


class WholeEmail(Email):
    """One mail with its files."""

    attachments: list[SentFile] = Field(default_factory=list)


class NewFile(BaseModel):
    """A file to send along."""

    model_config = ConfigDict(extra="forbid")

    name: Line = Field(min_length=1, max_length=_LONGEST_NAME)
    content: str = Field(description="In base64 (RFC 4648 section 4)")


class NewEmail(BaseModel):
    """A mail to a lead's person: with a subject and a text, or by a template, whose parts these replace."""

    model_config = ConfigDict(extra="forbid")

    to: Line | None = Field(None, description="The lead's own address if left out")
    cc: list[Line] = Field(default_factory=list, max_length=compose.MOST_CC)
    template: Name | None = Field(None, description="Key of a template")
    language: Name | None = Field(None, description="Language of the template; the lead's if left out")
    subject: Line | None = None
    text: Text | None = None
    html: Text | None = Field(None, description="The same in HTML")
    answers: int | None = Field(None, ge=1, lt=2**63, description="Id of the e-mail that it answers")
    mailbox: Name | None = Field(None, description="Key of the mailbox it is sent from")
    user: Line | None = Field(None, description="Address of the user who writes it")
    attachments: list[NewFile] = Field(default_factory=list, max_length=outgoing_files.MOST)
    despite_bounce: bool = Field(False, description="Send it though mail to this address has come back")


@resource.get("/leads/<row:id>/emails", responses={200: Page[Email], **refused(404)})
def list_emails(path: RowPath, query: PageQuery) -> Response:
    """The lead's mails in both directions, newest first."""
    with db.reading() as session:
        existing(session, path.id)
        chosen = select(Message).where(Message.lead_id == path.id)
        rows, following = page(session, chosen, Message.id, query, of=f"emails {path.id}")
    return answer(Page[Email](items=[Email.of(row) for row in rows], next_cursor=following))


@resource.get("/emails/<row:id>", responses={200: WholeEmail, **refused(404)})
def get_email(path: RowPath) -> Response:
    """One mail."""
    with db.reading() as session:
        row = session.get(Message, path.id)
        if row is None:
            raise NotFound("there is no such e-mail")
        made = _whole(session, row)
    return answer(made)


@resource.post("/leads/<row:id>/emails", responses={202: WholeEmail, **refused(400, 404, 409, 413, 415)})
def send_email(path: RowPath, header: IdempotencyHeader, body: NewEmail) -> Response:
    """Writes to the lead's person. It is sent at once; its state says when it is."""
    files = [File(file.name, _decoded(place, file)) for place, file in enumerate(body.attachments)]
    with db.reading() as session:
        existing(session, path.id)
    files_id = new_id()
    kept = outgoing_files.lay_in(files, files_id) if files else []
    try:
        with db.unit_of_work() as session:
            lead = existing(session, path.id, lock=True)
            row = compose.write(
                session,
                lead,
                _draft(session, lead, body),
                key=header.key or files_id,
                actor=auth.caller().actor,
                user=_user(session, body.user),
                files=kept,
                files_id=files_id,
            )
            made = _whole(session, row)
    except Invalid as error:
        raise Invalid(str(error), {f"/{name}": words for name, words in error.fields.items()}) from None
    return answer(made, 202)


send_email.__dict__["largest"] = LARGEST_MAIL


@resource.post("/emails/<row:id>/retry", responses={202: WholeEmail, **refused(404, 409)})
def retry_email(path: RowPath) -> Response:
    """Sends a mail by hand again that could not be sent."""
    with db.unit_of_work() as session:
        row = session.get(Message, path.id, with_for_update=True)
        if row is None:
            raise NotFound("there is no such e-mail")
        if row.state is not MessageState.FAILED or row.step_id is not None:
            raise Conflict("only a mail by hand that could not be sent is sent again; see the steps of runs")
        row.state, row.attempts, row.due_at = MessageState.QUEUED, 0, clock.now()
        queue.wake(session, queue.SEND_MAIL, row.id)
        session.flush()
        made = _whole(session, row)
    return answer(made, 202)


def _draft(session: Session, lead: Lead, body: NewEmail) -> Draft:
    said = Letter("", "")
    if body.template is not None:
        here = workspace.load(session)
        try:
            said = letter.for_lead(session, body.template, lead, here, language=body.language).letter
        except Invalid as error:
            raise Invalid(str(error), {"template": str(error)}) from None
    answered = None
    if body.answers is not None:
        answered = session.get(Message, body.answers)
        if answered is None or answered.lead_id != lead.id:
            raise Invalid("there is no such e-mail", {"answers": "is no e-mail of this lead"})
    subject = body.subject if body.subject is not None else said.subject
    if not subject and answered is not None:
        subject = compose.answering(answered.subject)
    to = body.to or lead.email
    if to is None:
        raise Invalid("nobody to write to", {"to": "is needed: the lead has no address"})
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


def _whole(session: Session, row: Message) -> WholeEmail:
    files = attachments.of_event(session, row.files_id) if row.files_id is not None else ()
    told = [SentFile(id=f.id, name=f.name, kind=f.kind, size=f.size) for f in files]
    return WholeEmail(**Email.of(row).model_dump(), attachments=told)
