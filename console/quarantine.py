"""What looks like spam: kept apart, with the reasons, until somebody says that it is an enquiry."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from flask import redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.orm import Session, undefer

from console import auth
from core import db
from core.errors import NotAllowed, NotFound
from crm.submission import Submission
from intake import journal, pipeline
from models.inbound import EventState, InboundEvent
from models.source import Source
from models.user import Role

_MOST = 100


@dataclass(frozen=True, slots=True)
class Held:
    """One enquiry that is kept apart, as far as it can be read."""

    event: InboundEvent
    source: str
    submission: Submission | None


def held() -> ResponseReturnValue:
    """The newest of them."""
    with db.reading() as session:
        rows = session.scalars(
            select(InboundEvent)
            .where(InboundEvent.state == EventState.QUARANTINED)
            .order_by(InboundEvent.id.desc())
            .limit(_MOST)
            .options(undefer(InboundEvent.body))
        ).all()
        found = [_read(session, row) for row in rows]
    return render_template("console/quarantine.html", found=found, most=_MOST, may=_may_release())


def release(event_id: UUID) -> ResponseReturnValue:
    """Makes a lead of it."""
    if not _may_release():
        raise NotAllowed("you may look at these, but not release them")
    with db.unit_of_work() as session:
        row = session.get(InboundEvent, str(event_id), with_for_update=True)
        if row is None:
            raise NotFound("There is no such enquiry.")
        if row.state is EventState.QUARANTINED:
            journal.replay(session, row)
    return redirect(url_for("console.quarantine"), 303)


def _may_release() -> bool:
    return auth.current_user().role is not Role.READ_ONLY


def _read(session: Session, row: InboundEvent) -> Held:
    source = session.get_one(Source, row.source_id)
    return Held(row, source.name, pipeline.preview(session, row))
