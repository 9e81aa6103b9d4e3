"""What a user has to do now: overdue, due today, unanswered, without a next step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import g, render_template, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import Select, select
from sqlalchemy.orm import Session, joinedload

from console import auth
from core import clock, db
from crm import counters
from models.activity import Activity, ActivityState
from models.contact import Contact
from models.deal import Deal
from models.lead import Lead

_MOST = 100


def todo() -> ResponseReturnValue:
    """The user's own day, with as many of each as fit on a page."""
    mine = auth.current_user().id
    now = clock.now()
    with db.reading() as session:
        counted = counters.of_users(session, g.here, [mine]).get(mine, counters.Counters())
        planned = select(Activity).where(Activity.owner_id == mine, Activity.state == ActivityState.PLANNED)
        end = counters.tomorrow(g.here, now)
        overdue = _some(session, planned.where(Activity.due_at < now).order_by(Activity.due_at))
        today = _some(
            session,
            planned.where(Activity.due_at >= now, Activity.due_at < end).order_by(Activity.due_at),
        )
        unanswered = [
            *_some(session, counters.unanswered_leads([mine]).order_by(Lead.last_inbound_at)),
            *_some(session, select(Deal).where(Deal.owner_id == mine, Deal.waits_since.is_not(None))),
            *_some(
                session, select(Contact).where(Contact.owner_id == mine, Contact.waits_since.is_not(None))
            ),
        ]
        idle = [
            *_some(session, counters.leads_without_next_step([mine]).order_by(Lead.id)),
            *_some(session, counters.deals_without_next_step([mine]).order_by(Deal.id)),
        ]
        return render_template(
            "console/todo.html",
            counted=counted,
            overdue=[(a, _page_of(a)) for a in overdue],
            today=[(a, _page_of(a)) for a in today],
            unanswered=[(_called(e), _page(e), _since(e)) for e in unanswered[:_MOST]],
            idle=[(_called(e), _page(e)) for e in idle[:_MOST]],
        )


def _some(session: Session, chosen: Select[Any]) -> Sequence[Any]:
    table = chosen.column_descriptions[0]["entity"]
    if table is Activity:
        chosen = chosen.options(joinedload(Activity.owner))
    return session.scalars(chosen.limit(_MOST)).all()


def _called(element: Lead | Deal | Contact) -> str:
    if isinstance(element, Lead):
        return element.name or element.title
    return element.title if isinstance(element, Deal) else element.name


def _since(element: Lead | Deal | Contact) -> Any:
    return element.last_inbound_at if isinstance(element, Lead) else element.waits_since


def _page(element: Lead | Deal | Contact) -> str:
    if isinstance(element, Lead):
        return url_for("console.lead", lead_id=element.id)
    return url_for(f"console.{element.__tablename__}", row_id=element.id)


def _page_of(activity: Activity) -> str | None:
    if activity.lead_id is not None and activity.deal_id is None:
        return url_for("console.lead", lead_id=activity.lead_id)
    for kind in ("deal", "contact", "company"):
        row_id = getattr(activity, f"{kind}_id")
        if row_id is not None:
            return url_for(f"console.{kind}", row_id=row_id)
    return None
