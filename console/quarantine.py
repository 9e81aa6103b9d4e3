"""What looks like spam: kept apart, with the reasons, until somebody says that it is an enquiry."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from console import auth
from core import db
from core.errors import NotAllowed, NotFound
from intake import held, journal
from models.inbound import EventState, InboundEvent
from models.source import Source
from models.user import Role

_MOST = 50


@dataclass(frozen=True, slots=True)
class Held:
    """One enquiry that is kept apart, as far as it can be told without reading all of it."""

    event: InboundEvent
    source: str
    summary: held.Summary | None


def all_held() -> ResponseReturnValue:
    """The newest of them, or those before one."""
    before = request.args.get("before", "")
    chosen = select(InboundEvent).where(InboundEvent.state == EventState.QUARANTINED)
    if before:
        chosen = chosen.where(InboundEvent.id < _event_id(before))
    with db.reading() as session:
        rows = session.scalars(chosen.order_by(InboundEvent.id.desc()).limit(_MOST + 1)).all()
        names = {source.id: source.name for source in session.scalars(select(Source))}
        found = [Held(row, names[row.source_id], held.of(session, row)) for row in rows[:_MOST]]
    older = rows[_MOST - 1].id if len(rows) > _MOST else None
    return render_template(
        "console/quarantine.html", found=found, older=older, before=before, may=_may_release()
    )


def _event_id(given: str) -> str:
    try:
        return str(UUID(given))
    except ValueError:
        raise NotFound("There is no such page.") from None


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
