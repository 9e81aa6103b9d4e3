"""The list of leads, and one lead with all that happened to it and why."""

from __future__ import annotations

from collections.abc import Iterable

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from console import activities, auth, example, merging, placed, queries, timelines
from core import db
from core.errors import NotFound
from crm import attachments, consents, found, messages
from crm.call_outcomes import OUTCOMES
from intake import calling
from models.contact_point import ContactPoint, PointKind
from models.lead import OPEN, Lead, LeadStatus
from models.timeline import TimelineEntry
from models.user import Role
from rules.explanation import explain

#: The largest number the database has for a row.
LARGEST_ID = 2**63 - 1
_CHOICES = {
    "open": ("Open", OPEN),
    "unanswered": ("Unanswered", ()),
    "new": ("New", (LeadStatus.NEW,)),
    "in_progress": ("In progress", (LeadStatus.IN_PROGRESS,)),
    "converted": ("Converted", (LeadStatus.CONVERTED,)),
    "junk": ("Junk", (LeadStatus.JUNK,)),
}


def all_leads() -> ResponseReturnValue:
    """The list: newest first, by status, owner and words."""
    asked = _asked()
    with db.reading() as session:
        page = queries.page_of_leads(session, _filters(asked))
        owners = queries.owners(session)
        empty = not page.leads and not queries.has_leads(session)
    return render_template(
        "console/leads.html",
        page=page,
        owners=owners,
        statuses={key: words for key, (words, _) in _CHOICES.items()},
        asked=asked,
        narrowed=any(asked.values()),
        first_post=example.first_post() if empty else None,
        empty=empty,
    )


def one_lead(lead_id: int) -> ResponseReturnValue:
    """A lead: who it is, what is next, what happened, and why."""
    before = number(request.args.get("before"))
    with db.reading() as session:
        lead = queries.lead(session, lead_id)
        if lead is None:
            raise NotFound("There is no such lead.")
        if lead.merged_into_id is not None:
            return redirect(url_for("console.lead", lead_id=lead.merged_into_id), 303)
        told = timelines.view(session, lead, before=before)
        entries = [*told["pinned"], *told["entries"]]
        points = queries.contact_points(session, lead.person_id)
        may_call = calling.may_place(session, auth.current_user())
        order = queries.call_order(session, lead)
        return render_template(
            "console/lead.html",
            lead=lead,
            points=points,
            may_call=may_call,
            callable=_callable(lead, points) if may_call else [],
            order=order,
            call_to=url_for("console.call_lead", row_id=lead.id),
            progress=placed.progress(order) if order is not None else None,
            outcomes=OUTCOMES,
            may_write=auth.current_user().role is not Role.READ_ONLY,
            planned=queries.planned(session, lead.id),
            over=queries.over(session, lead.id),
            plan_url=url_for("console.lead_plan", lead_id=lead.id),
            **activities.choices(session),
            **told,
            calls=queries.calls(session, entries),
            users=queries.names(session, user_ids(entries)),
            unsent=messages.unsent(session, lead),
            files=attachments.of_lead(session, lead.id),
            consents=consents.of_lead(session, lead.id),
            found=found.marked(lead),
            why=explain(session, lead.id) or [],
            kind="lead",
            row=lead,
            merges=merging.merges_of(session, lead),
        )


def _callable(lead: Lead, points: Iterable[ContactPoint]) -> list[str]:
    """The numbers that can be called, the lead's own first."""
    known = [lead.phone, *(p.value for p in points if p.kind is PointKind.PHONE)]
    return list(dict.fromkeys(number for number in known if number))


def _asked() -> dict[str, str]:
    """The filters as they stand in the address, without those that mean nothing."""
    status = request.args.get("status", "")
    owner = request.args.get("owner", "")
    words = " ".join(request.args.get("q", "").replace("\0", " ").split())[:100]
    return {
        "q": words,
        "status": status if status in _CHOICES else "",
        "owner": owner if owner in ("me", "none") or number(owner) else "",
    }


def _filters(asked: dict[str, str]) -> queries.Filters:
    owner = asked["owner"]
    return queries.Filters(
        statuses=_CHOICES[asked["status"]][1] if asked["status"] else (),
        unanswered=asked["status"] == "unanswered",
        owner=auth.current_user().id if owner == "me" else owner if owner == "none" else number(owner),
        q=asked["q"],
        before=number(request.args.get("before")),
        after=number(request.args.get("after")),
    )


def number(text: str | None) -> int | None:
    if not text or not text.isascii() or not text.isdecimal() or len(text) > 19:
        return None
    number = int(text)
    return number if number <= LARGEST_ID else None


def user_ids(entries: Iterable[TimelineEntry]) -> set[int]:
    found = (number(e.actor.removeprefix("user:")) for e in entries if e.actor.startswith("user:"))
    return {number for number in found if number is not None}
