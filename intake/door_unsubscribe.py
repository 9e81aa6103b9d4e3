"""The door for who wants no more automatic mail: its link, and the button of mail programs (RFC 8058)."""

from __future__ import annotations

from flask import Response, render_template, request
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock, db
from core.errors import NotFound
from crm import reachability, timeline
from intake import sources
from intake.arrival import client_address
from intake.door import door
from intake.form_page import language_of
from intake.forms import words
from models.contact_point import ContactPoint
from models.lead import Lead

_MOST_BYTES = 16 * 1024


@door.get("/unsubscribe/<token>", provide_automatic_options=False)
def ask_unsubscribe(token: str) -> Response:
    """A page with one button: programs that follow every link in a mail unsubscribe nobody."""
    with db.reading() as session:
        address = _known(session, token).value
    return _page(address, done=False)


@door.post("/unsubscribe/<token>", provide_automatic_options=False)
def unsubscribe(token: str) -> Response:
    """Unsubscribes, whatever is in the body; a second time changes nothing."""
    request.max_content_length = _MOST_BYTES
    with db.unit_of_work() as session:
        point = _known(session, token)
        address = point.value
        if point.unsubscribed_at is None:
            point.unsubscribed_at = clock.now()
            _tell(session, point)
    return _page(address, done=True)


def _known(session: Session, token: str) -> ContactPoint:
    point = reachability.unsubscribing(session, token)
    if point is None:
        raise NotFound("there is nothing to unsubscribe from behind this link")
    return point


def _tell(session: Session, point: ContactPoint) -> None:
    leads = session.scalars(
        select(Lead).where(Lead.person_id == point.person_id).order_by(Lead.id.desc()).limit(20)
    )
    for lead in leads:
        timeline.record(
            session,
            lead,
            kind="unsubscribed",
            summary=f"{point.value} wants no more automatic mail",
            data={"address": point.value, "from": client_address(request.environ)},
        )


def _page(address: str, *, done: bool) -> Response:
    language = language_of(request.accept_languages.values(), sources.book().workspace.locale)
    content = render_template(
        "unsubscribe.html",
        title=words.say("unsubscribed" if done else "unsubscribe", language),
        text=words.say("unsubscribe_ask", language, address),
        button=None if done else words.say("unsubscribe", language),
        language=language,
    )
    return Response(content, mimetype="text/html", headers={"Cache-Control": "no-store"})
