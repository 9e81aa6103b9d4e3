"""Writing to a lead's person: by a template or freely, looked at before it is sent."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.datastructures import FileStorage

from console import auth
from core import db
from core.errors import Invalid, NotAllowed, NotFound
from core.ids import new_id
from crm import compose, reachability
from crm.compose import Draft
from crm.messages import Letter
from crm.workspace import WorkspaceSettings
from crm.workspace import load as load_workspace
from intake import outgoing_files
from intake.outgoing_files import File
from models.lead import Lead
from models.message import Message
from models.source import Channel, Source
from models.user import Role
from rules import letter

#: The most a page that sends files may be.
MOST_BYTES = outgoing_files.LARGEST + 1024 * 1024
_KEY = re.compile(r"[0-9a-f-]{36}")
_FIELDS = ("to", "cc", "subject", "text", "template", "language", "mailbox", "answers", "key")


@dataclass(frozen=True, slots=True)
class _Page:
    lead: Lead
    here: WorkspaceSettings
    values: dict[str, str]
    answered: Message | None


def form(lead_id: int) -> ResponseReturnValue:
    """An empty mail, or the beginning of an answer."""
    _allowed()
    with db.reading() as session:
        lead = _lead(session, lead_id)
        answered = _answered(session, lead, request.args.get("answers", ""))
        values = {
            "to": answered.from_address if answered else lead.email or "",
            "subject": compose.answering(answered.subject) if answered else "",
            "answers": str(answered.id) if answered else "",
            "key": new_id(),
        }
        return _shown(session, _Page(lead, load_workspace(session), values, answered))


def post(lead_id: int) -> ResponseReturnValue:
    """Fills in a template, shows how the mail will read, or sends it."""
    _allowed()
    values = {name: request.form.get(name, "").replace("\r\n", "\n").strip() for name in _FIELDS}
    if not _KEY.fullmatch(values["key"]):
        values["key"] = new_id()
    wish = request.form.get("do", "preview")
    with db.reading() as session:
        lead = _lead(session, lead_id)
        page = _Page(lead, load_workspace(session), values, _answered(session, lead, values["answers"]))
        if wish == "fill":
            return _filled(session, page)
        if wish != "send":
            return _shown(session, page, preview=True)
    try:
        _send(lead_id, values, request.files.getlist("files"))
    except Invalid as error:
        with db.reading() as session:
            page = _Page(_lead(session, lead_id), page.here, values, page.answered)
            mistakes = error.fields or {"": str(error)}
            return _shown(session, page, mistakes=dict(mistakes)), 422
    return redirect(url_for("console.lead", lead_id=lead_id, _anchor="timeline"), 303)


def _filled(session: Session, page: _Page) -> ResponseReturnValue:
    try:
        said = _of_template(session, page.lead, page.here, page.values)
    except Invalid as error:
        return _shown(session, page, mistakes={"template": str(error)}), 422
    if said is not None:
        # An answer keeps the subject of what it answers.
        subject = page.values["subject"] if page.answered is not None else said.subject
        page.values.update(subject=subject, text=said.text.strip())
    return _shown(session, page)


def _send(lead_id: int, values: dict[str, str], uploads: list[FileStorage]) -> None:
    files = [File(f.filename or "", f.read()) for f in uploads if f.filename]
    files_id = new_id()
    kept = outgoing_files.lay_in(files, files_id) if files else []
    user = auth.current_user()
    with db.unit_of_work() as session:
        lead = session.get_one(Lead, lead_id, with_for_update=True)
        said = _of_template(session, lead, load_workspace(session), values)
        # Its HTML goes along only as long as it says the same.
        html = said.html if said is not None and said.text.strip() == values["text"] else ""
        draft = Draft(
            to=values["to"],
            cc=tuple(a.strip() for a in re.split(r"[,;]", values["cc"]) if a.strip()),
            letter=Letter(letter.one_line(values["subject"]), values["text"], html),
            answers=_answered(session, lead, values["answers"]),
            mailbox=compose.mailbox(session, values["mailbox"] or None),
            despite_bounce=request.form.get("despite_bounce") == "yes",
        )
        compose.write(
            session,
            lead,
            draft,
            key=values["key"],
            actor=f"user:{user.id}",
            user=user,
            files=kept,
            files_id=files_id,
        )


def _of_template(
    session: Session, lead: Lead, here: WorkspaceSettings, values: dict[str, str]
) -> Letter | None:
    if not values["template"]:
        return None
    language = values["language"] or None
    return letter.for_lead(session, values["template"], lead, here, language=language).letter


def _shown(
    session: Session, page: _Page, *, preview: bool = False, mistakes: dict[str, str] | None = None
) -> str:
    templates = letter.all_standing(session)
    point = reachability.point(session, page.values.get("to", ""))
    return render_template(
        "console/write.html",
        lead=page.lead,
        values=page.values,
        answered=page.answered,
        addresses=compose.addresses(session, page.lead),
        templates=templates,
        languages=sorted({language for t in templates for language in t.languages}),
        mailboxes=_mailboxes(session),
        bounced=point if point is not None and point.bounced_at is not None else None,
        preview=preview,
        mistakes=mistakes or {},
        most=outgoing_files.LARGEST,
    )


def _mailboxes(session: Session) -> list[Any]:
    chosen = select(Source).where(Source.channel == Channel.EMAIL, Source.active).order_by(Source.id)
    return list(session.scalars(chosen))


def _lead(session: Session, lead_id: int) -> Lead:
    lead = session.get(Lead, lead_id)
    if lead is None or lead.merged_into_id is not None:
        raise NotFound("There is no such lead.")
    return lead


def _answered(session: Session, lead: Lead, given: str) -> Message | None:
    number = int(given) if given.isascii() and given.isdecimal() and len(given) < 19 else 0
    found = session.get(Message, number) if number else None
    return found if found is not None and found.lead_id == lead.id else None


def _allowed() -> None:
    if auth.current_user().role is Role.READ_ONLY:
        raise NotAllowed("you may look at leads, but not write to them")
