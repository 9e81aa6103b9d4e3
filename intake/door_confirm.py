"""The door for who confirms an enquiry: the page behind the link in the mail."""

from __future__ import annotations

import hmac
from uuid import UUID

from flask import Response, render_template, request
from sqlalchemy.orm import Session

from core import clock, db
from core.errors import NotFound, Refused
from intake import confirmation, journal
from intake import form_page as page
from intake.arrival import client_address
from intake.delivery import RELEASED
from intake.door import door
from intake.door_forms import language_of
from intake.form_lane import form_of
from intake.forms import words
from intake.sources import LoadedSource
from models.inbound import EventState, InboundEvent


@door.get("/forms/<key>/confirm/<uuid:event_id>/<token>", provide_automatic_options=False)
def ask(key: str, event_id: UUID, token: str) -> Response:
    """A page with one button: programs that follow every link in a mail confirm nothing."""
    source, form = form_of(key)
    with db.reading() as session:
        _event(session, source, str(event_id), token)
    language = language_of(form)
    content = render_template(
        "confirm.html",
        title=words.say("confirm", language),
        button=words.say("confirm_button", language),
        language=language,
    )
    return Response(content, mimetype="text/html", headers={"Cache-Control": "no-store"})


@door.post("/forms/<key>/confirm/<uuid:event_id>/<token>", provide_automatic_options=False)
def confirm(key: str, event_id: UUID, token: str) -> Response:
    """Confirms it, once; the enquiry then goes on its way."""
    source, form = form_of(key)
    with db.unit_of_work() as session:
        event = _event(session, source, str(event_id), token, lock=True)
        if confirmation.CONFIRMED not in event.envelope["facts"]:
            told = f"{clock.now().isoformat(timespec='seconds')} from {client_address(request.environ)}"
            journal.learn(event, {confirmation.CONFIRMED: told, RELEASED: True})
            if event.state is EventState.QUARANTINED:
                journal.replay(session, event)
    return page.thanks_page(source, form, language_of(form))


def _event(
    session: Session, source: LoadedSource, event_id: str, token: str, *, lock: bool = False
) -> InboundEvent:
    fits = hmac.compare_digest(
        token.encode("utf-8", "replace"), confirmation.token(source.key, event_id).encode()
    )
    event = session.get(InboundEvent, event_id, with_for_update=lock) if fits else None
    if event is None or event.source_id != source.id:
        raise NotFound("there is no such enquiry to confirm")
    if clock.now() - event.received_at > confirmation.LONGEST:
        raise Refused("this link is no longer good; please fill in the form again", status=410, reason="late")
    return event
