"""What happened to an element, page by page; remarks on it, and what stands at the top."""

from __future__ import annotations

from typing import Any, cast

from flask import redirect, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from console import auth
from console.activities import TABLES
from core import db
from core.errors import Conflict, Invalid, NotFound
from crm import comments, timeline
from crm.element import Element
from crm.timeline import Filters
from intake.text import clean
from models.lead import Lead
from models.timeline import TimelineEntry

ENTRIES = 100
_LONGEST = 20_000
#: What may be shown alone.
SHOWN = {
    "comments": ("Comments", ("comment",)),
    "mails": ("Mails", ("email", "mail_sent", "mail_failed", "mail_bounced", "out_of_office")),
    "calls": ("Calls", ("call", "call_ordered", "call_outcome", "put_through")),
    "activities": (
        "Activities",
        ("activity_planned", "activity_changed", "activity_done", "activity_cancelled"),
    ),
    "changes": ("Changes", ("changed", "status_changed", "stage_changed", "assigned", "tagged", "untagged")),
}


def view(session: Session, element: Element, *, before: int | None) -> dict[str, Any]:
    """One page of the timeline, newest first; on the first one what is pinned stands above it."""
    show = request.args.get("show", "")
    kinds = SHOWN[show][1] if show in SHOWN else ()
    found = timeline.page(session, element, Filters(kinds), before=before, limit=ENTRIES + 1)
    entries = list(found[:ENTRIES])
    pinned = timeline.page(session, element, Filters(pinned=True), limit=20) if before is None else []
    kind = element.__tablename__
    here = {"lead_id" if kind == "lead" else "row_id": element.id}
    return {
        "entries": sorted(entries, key=lambda e: (e.at, e.id), reverse=True),
        "pinned": pinned,
        "older": entries[-1].id if len(found) > ENTRIES else None,
        "before": before,
        "show": show if show in SHOWN else "",
        "shown": {key: words for key, (words, _) in SHOWN.items()},
        "here_url": url_for(f"console.{kind}", **here),  # type: ignore[arg-type]
        "comment_url": url_for(f"console.{kind}_comment", **here),  # type: ignore[arg-type]
    }


def comment(kind: str, row_id: int) -> ResponseReturnValue:
    """Remarks something on an element; whoever is mentioned with an @ is told."""
    text = clean(request.form.get("text", "")).strip()
    if not text or len(text) > _LONGEST:
        raise Invalid("A remark has from 1 to 20,000 characters.")
    with db.unit_of_work() as session:
        lock = {"of": TABLES[kind]}
        element = cast("Element | None", session.get(TABLES[kind], row_id, with_for_update=lock))
        if element is None:
            raise NotFound(f"There is no such {kind}.")
        if isinstance(element, Lead) and element.merged_into_id is not None:
            raise Conflict("It is part of another lead now.")
        comments.add(session, element, text, actor=f"user:{auth.current_user().id}")
    name = "lead_id" if kind == "lead" else "row_id"
    return redirect(url_for(f"console.{kind}", _anchor="timeline", **{name: row_id}), 303)  # type: ignore[arg-type]


def pin(entry_id: int, what: str) -> ResponseReturnValue:
    """Keeps an entry at the top, or not any more; goes back to the page it was asked for on."""
    with db.unit_of_work() as session:
        entry = session.get(TimelineEntry, entry_id, with_for_update=True)
        if entry is None:
            raise NotFound("There is no such entry.")
        timeline.pin(session, entry, pinned=what == "pin")
        places = {"deal": entry.deal_id, "lead": entry.lead_id, "contact": entry.contact_id}
        places["company"] = entry.company_id
    asked = request.form.get("on", "")
    kind = asked if places.get(asked) is not None else next(k for k, v in places.items() if v is not None)
    name = "lead_id" if kind == "lead" else "row_id"
    return redirect(url_for(f"console.{kind}", _anchor="timeline", **{name: places[kind]}), 303)  # type: ignore[arg-type]
