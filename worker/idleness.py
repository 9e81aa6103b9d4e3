"""Tells rules of leads and deals about which nobody did anything for a whole day, and for another."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import clock, db
from core.ids import new_id
from crm import workspace
from crm.happening import about
from models.deal import Deal
from models.lead import OPEN, Lead
from models.pipeline import StageGroup
from models.timeline import TimelineEntry
from rules import engine, ruleset, subject

_DAY = timedelta(days=1)


def leads() -> int:
    """Tells rules of each open lead once for every whole day on which nobody did anything about it."""
    return _look(Lead)


def deals() -> int:
    """The same for open deals."""
    return _look(Deal)


def _look(kind: type[Lead | Deal]) -> int:
    trigger = f"{kind.__tablename__}.idle"
    on = TimelineEntry.lead_id if kind is Lead else TimelineEntry.deal_id
    is_open = Lead.status.in_(OPEN) if kind is Lead else Deal.state == StageGroup.OPEN
    with db.reading() as session:
        rules = ruleset.active(session)
        if rules is None or trigger not in rules.rules:
            return 0
        last = (
            select(func.max(TimelineEntry.at))
            .where(on == kind.id, TimelineEntry.actor.not_like("rule:%"))
            .scalar_subquery()
        )
        rows = session.execute(
            select(kind.id, kind.idle_days, last).where(is_open, kind.created_at <= clock.now() - _DAY)
        ).all()
    now, told = clock.now(), 0
    for row_id, before, since in rows:
        days = (now - since).days if since is not None else 0
        if days != before:
            with db.unit_of_work() as session:
                told += _tell(session, kind, row_id, before, days)
    return told


def _tell(session: Session, kind: type[Lead | Deal], row_id: int, before: int, days: int) -> int:
    element = session.get(Lead, row_id) if kind is Lead else session.get(Deal, row_id)
    if element is None:
        return 0
    if isinstance(element, Deal):
        subject.hold_rows(session, element.lead_id, element.id, None)
        is_open = element.state is StageGroup.OPEN
    else:
        subject.hold_rows(session, element.id, None, None)
        is_open = element.status in OPEN
    if element.idle_days != before or not is_open:
        return 0
    element.idle_days = days
    if days < before:
        return 0
    happening = about(element, f"{kind.__tablename__}.idle", {"days": days})
    engine.react(session, [happening], workspace=workspace.load(session), event_id=new_id())
    return 1
