"""Writing to the person of a lead, a contact or a deal: by a template or freely, previewed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.datastructures import FileStorage

from console import auth, headers
from core import db
from core.errors import Conflict, Invalid, NotAllowed, NotFound
from core.ids import new_id
from crm import compose, messages, reachability
from crm.compose import Addressee, Draft
from crm.messages import Letter
from crm.workspace import WorkspaceSettings
from crm.workspace import load as load_workspace
from intake import outgoing_files
from intake.outgoing_files import File
from models.contact import Contact
from models.deal import Deal
from models.lead import Lead
from models.message import Message
from models.source import Channel, Source
from models.user import Role
from rules import letter

#: The most a page that sends files may be.
MOST_BYTES = outgoing_files.LARGEST + 1024 * 1024
_TABLES: dict[str, type[Addressee]] = {"lead": Lead, "contact": Contact, "deal": Deal}
_KEY = re.compile(r"[0-9a-f-]{36}")
_FIELDS = ("to", "cc", "subject", "text", "template", "language", "mailbox", "answers", "key")


@dataclass(frozen=True, slots=True)
class _Page:
    element: Addressee
    here: WorkspaceSettings
    values: dict[str, str]
    answered: Message | None


def form(kind: str, row_id: int) -> ResponseReturnValue:
    """An empty mail, or the beginning of an answer."""
    _allowed()
    with db.reading() as session:
        element = _element(session, kind, row_id)
        answered = _answered(session, element, request.args.get("answers", ""))
        values = {
            "to": answered.from_address if answered else compose.address(element) or "",
            "subject": compose.answering(answered.subject) if answered else "",
            "answers": str(answered.id) if answered else "",
            "key": new_id(),
        }
        return _shown(session, _Page(element, load_workspace(session), values, answered))


def post(kind: str, row_id: int) -> ResponseReturnValue:
    """Fills in a template, shows how the mail will read, or sends it."""
    _allowed()
    values = _values(request.form)
    if not _KEY.fullmatch(values["key"]):
        values["key"] = new_id()
    wish = request.form.get("do", "preview")
    with db.reading() as session:
        element = _element(session, kind, row_id)
        answered = _answered(session, element, values["answers"])
        page = _Page(element, load_workspace(session), values, answered)
        if wish == "fill":
            return _filled(session, page)
        if wish != "send":
            return _previewed(session, page)
    try:
        _send(kind, row_id, values, request.files.getlist("files"))
    except Invalid as error:
        with db.reading() as session:
            page = _Page(_element(session, kind, row_id), page.here, values, page.answered)
            mistakes = error.fields or {"": str(error)}
            return _shown(session, page, mistakes=dict(mistakes)), 422
    return redirect(_back(kind, row_id, anchor="timeline"), 303)


def _values(given: Mapping[str, str]) -> dict[str, str]:
    """What was filled in. PostgreSQL takes no NUL, and nobody means one."""
    return {name: given.get(name, "").replace("\r\n", "\n").replace("\0", "").strip() for name in _FIELDS}


def again(message_id: int) -> ResponseReturnValue:
    """Sends a mail again that could not be sent."""
    _allowed()
    with db.unit_of_work() as session:
        row = session.get(Message, message_id, with_for_update=True)
        element = messages.element_of(session, row) if row is not None else None
        if row is None or element is None:
            raise NotFound("There is no such mail.")
        with suppress(Conflict):  # somebody else was quicker
            messages.again(session, row)
        back = _back(element.__tablename__, element.id, anchor="timeline")
    return redirect(back, 303)


def preview(kind: str, row_id: int) -> ResponseReturnValue:
    """How a template's HTML will look, for the frame on the preview."""
    _allowed()
    values = _values(request.args)
    with db.reading() as session:
        try:
            said = _of_template(session, _element(session, kind, row_id), load_workspace(session), values)
        except Invalid as error:
            raise NotFound(str(error)) from None
    html = said.html if said is not None else ""
    return headers.framed(f'<!doctype html><meta charset="utf-8"><body>{html}</body>', pictures=True)


def _filled(session: Session, page: _Page) -> ResponseReturnValue:
    try:
        said = _of_template(session, page.element, page.here, page.values)
    except Invalid as error:
        return _shown(session, page, mistakes={"template": str(error)}), 422
    if said is not None:
        # An answer keeps the subject of what it answers.
        subject = page.values["subject"] if page.answered is not None else said.subject
        page.values.update(subject=subject, text=said.text.strip())
    return _shown(session, page)


def _previewed(session: Session, page: _Page) -> ResponseReturnValue:
    try:
        said = _of_template(session, page.element, page.here, page.values)
    except Invalid as error:
        return _shown(session, page, mistakes={"template": str(error)}), 422
    html = "" if said is None or not said.html else "shown" if _goes_along(said, page.values) else "left out"
    return headers.with_frame(_shown(session, page, preview=True, html=html))


def _goes_along(said: Letter, values: dict[str, str]) -> bool:
    """Whether a template's HTML says the same as the text that is sent."""
    return said.text.strip() == values["text"]


def _send(kind: str, row_id: int, values: dict[str, str], uploads: list[FileStorage]) -> None:
    files = [File(f.filename or "", f.read()) for f in uploads if f.filename]
    files_id = new_id()
    kept = outgoing_files.lay_in(files, files_id) if files else []
    user = auth.current_user()
    with db.unit_of_work() as session:
        table = _TABLES[kind]
        element = cast("Addressee", session.get_one(table, row_id, with_for_update={"of": table}))
        said = _of_template(session, element, load_workspace(session), values)
        # Its HTML goes along only as long as it says the same.
        html = said.html if said is not None and _goes_along(said, values) else ""
        draft = Draft(
            to=values["to"],
            cc=tuple(a.strip() for a in re.split(r"[,;]", values["cc"]) if a.strip()),
            letter=Letter(letter.one_line(values["subject"]), values["text"], html),
            answers=_answered(session, element, values["answers"]),
            mailbox=compose.mailbox(session, values["mailbox"] or None),
            despite_bounce=request.form.get("despite_bounce") == "yes",
        )
        compose.write(
            session,
            element,
            draft,
            key=values["key"],
            actor=f"user:{user.id}",
            user=user,
            files=kept,
            files_id=files_id,
        )


def _of_template(
    session: Session, element: Addressee, here: WorkspaceSettings, values: dict[str, str]
) -> Letter | None:
    if not values["template"]:
        return None
    language = values["language"] or None
    return letter.by_hand(session, values["template"], element, here, language=language).letter


def _shown(
    session: Session,
    page: _Page,
    *,
    preview: bool = False,
    html: str = "",
    mistakes: dict[str, str] | None = None,
) -> str:
    templates = letter.all_standing(session)
    point = reachability.point(session, page.values.get("to", ""))
    return render_template(
        "console/write.html",
        row=page.element,
        called=page.element.title if isinstance(page.element, Deal) else _name(page.element),
        back=_back(page.element.__tablename__, page.element.id),
        frame=_preview_url(page),
        values=page.values,
        answered=page.answered,
        addresses=compose.addresses(session, page.element),
        templates=templates,
        languages=sorted({language for t in templates for language in t.languages}),
        mailboxes=_mailboxes(session),
        bounced=point if point is not None and point.bounced_at is not None else None,
        preview=preview,
        html=html,
        mistakes=mistakes or {},
        most=outgoing_files.LARGEST,
    )


def _mailboxes(session: Session) -> list[Any]:
    chosen = select(Source).where(Source.channel == Channel.EMAIL, Source.active).order_by(Source.id)
    return list(session.scalars(chosen))


def _element(session: Session, kind: str, row_id: int) -> Addressee:
    found = cast("Addressee | None", session.get(_TABLES[kind], row_id))
    if found is None or (not isinstance(found, Deal) and found.merged_into_id is not None):
        raise NotFound(f"There is no such {kind}.")
    return found


def _name(person: Lead | Contact) -> str:
    return person.name or (person.title if isinstance(person, Lead) else "")


def _back(kind: str, row_id: int, *, anchor: str | None = None) -> str:
    """The page of what is written about."""
    if kind == "lead":
        return url_for("console.lead", lead_id=row_id, _anchor=anchor)
    return url_for(f"console.{kind}", row_id=row_id, _anchor=anchor)


def _preview_url(page: _Page) -> str:
    return url_for(
        f"console.write_{page.element.__tablename__}_preview",
        row_id=page.element.id,
        template=page.values.get("template") or None,
        language=page.values.get("language") or None,
    )


def _answered(session: Session, element: Addressee, given: str) -> Message | None:
    number = int(given) if given.isascii() and given.isdecimal() and len(given) < 19 else 0
    return compose.answered(session, element, number) if number else None


def _allowed() -> None:
    if auth.current_user().role is Role.READ_ONLY:
        raise NotAllowed("you may look, but write to nobody")
