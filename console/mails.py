"""A mail as it came: its text, its files, and how it was set, in a frame that may do nothing."""

from __future__ import annotations

from uuid import UUID

from flask import Response, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session, undefer

from console import auth, headers
from core import db
from core.errors import NotFound
from crm import attachments
from intake import download
from intake.mailbox.adapter import Mailbox
from intake.mailbox.showing import Shown, shown
from models.inbound import InboundEvent
from models.user import Role

_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:12px;overflow-wrap:anywhere}"
    "img{max-width:100%;height:auto}"
)


def one(event_id: UUID) -> ResponseReturnValue:
    """The mail's page."""
    with db.reading() as session:
        row = _row(session, event_id)
        pictures = request.args.get("pictures") == "1"
        found = shown(row.body, pictures=pictures)
        page = render_template(
            "console/mail.html",
            event=row,
            shown=found,
            pictures=pictures,
            left=[f for f in attachments.of_event(session, row.id) if f.fetch_tries or not f.digest],
            named=row.envelope["facts"].get("left", ()),
            may_write=auth.current_user().role is not Role.READ_ONLY,
        )
    return headers.with_frame(page)


def body(event_id: UUID) -> ResponseReturnValue:
    """What stands in the page's frame."""
    pictures = request.args.get("pictures") == "1"
    found = _shown(event_id, pictures=pictures)
    document = f'<!doctype html><meta charset="utf-8"><style>{_STYLE}</style><body>{found.html}</body>'
    return headers.framed(document, pictures=pictures)


def part(event_id: UUID, number: int) -> ResponseReturnValue:
    """One of its files, to be saved."""
    files = _shown(event_id).mail.attachments
    if number >= len(files):
        raise NotFound("There is no such file.")
    return download.content(files[number].content, files[number].name)


def source(event_id: UUID) -> Response:
    """Every byte of it, to be saved."""
    with db.reading() as session:
        raw = _row(session, event_id).body
    return download.content(raw, f"{event_id}.eml")


def _shown(event_id: UUID, *, pictures: bool = False) -> Shown:
    with db.reading() as session:
        raw = _row(session, event_id).body
    return shown(raw, pictures=pictures)


def _row(session: Session, event_id: UUID) -> InboundEvent:
    row = session.get(InboundEvent, str(event_id), options=[undefer(InboundEvent.body)])
    if row is None or row.adapter != Mailbox.name:
        raise NotFound("There is no such mail, or it is kept no longer.")
    return row
