"""Rules that run again and again on one element: held back, told of, and let go on by a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session

from core import clock
from core.ids import digest
from core.logs import logger
from core.metrics import STORMS
from crm import notifications, timeline
from models.contact import Contact
from models.deal import Deal
from models.lead import Lead
from models.rule import Run
from models.storm import Storm
from models.user import Role, User
from rules import subject
from rules.subject import Subject

#: How often one rule may run on one element within a time; more is a storm, such as two programs answering
#: each other over webhooks, which no depth tells.
MOST_OFTEN, STORM_TIME = 30, timedelta(hours=1)
#: The same for rules that run on nothing, such as on what a program tells: all of its occasions are one.
MOST_ON_NOTHING = 3600
log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Held:
    """A storm that holds a rule back just now, and on what."""

    row: Storm
    on: Subject | None


def held_back(session: Session, element: Subject | None, rule: str) -> str | None:
    """Why the rule is held back on this element; None where it is not."""
    most = MOST_OFTEN if element is not None else MOST_ON_NOTHING
    since = clock.now() - STORM_TIME
    recent = (*subject.runs_on(element), Run.rule == rule)
    counted = select(func.count()).select_from(Run).where(*recent)
    runs = session.scalar(counted.where(Run.started_at > since)) or 0
    if runs < most:
        return None
    on = subject.words(element)
    last = session.scalars(
        select(Storm)
        .where(*_on(element), Storm.rule == rule, Storm.began_at > since)
        .order_by(Storm.id.desc())
        .limit(1)
    ).first()
    if last is not None and last.resumed_at is not None:
        # What a person let go on begins anew.
        runs = session.scalar(counted.where(Run.started_at > last.resumed_at)) or 0
        if runs < most:
            return None
        last = None
    if last is None:
        _begin(session, element, rule, runs, on)
    return (
        f"not started: it ran {runs} times on this {on} within an hour; it may again when that is over, or"
        " when somebody lets it"
    )


def open_storms(session: Session) -> list[Held]:
    """What is held back now, the newest first."""
    rows = session.scalars(_open().order_by(Storm.id.desc()).limit(200)).all()
    return [Held(row, _subject(session, row)) for row in rows]


def resume(session: Session, rule: str, *, by: str) -> int:
    """Lets a rule go on wherever it is held back; says on how many elements it was."""
    rows = session.scalars(_open().where(Storm.rule == rule).with_for_update()).all()
    for row in rows:
        row.resumed_at, row.resumed_by = clock.now(), by
        element = _subject(session, row)
        if element is not None:
            words = f"The rule {rule} may run again on this {subject.words(element)}"
            timeline.record(session, element, kind="alarm", summary=words, actor=by)
    session.flush()
    return len(rows)


def _begin(session: Session, element: Subject | None, rule: str, runs: int, on: str) -> None:
    place = subject.columns(element)
    if place.get("deal_id") is not None:
        place = {"deal_id": place["deal_id"]}
    row = Storm(rule=rule, runs=runs, began_at=clock.now(), **place)
    session.add(row)
    session.flush()
    words = f"Held back: the rule {rule} ran {runs} times on this {on} within an hour"
    if element is not None:
        timeline.record(session, element, kind="alarm", summary=words)
    managers = session.scalars(select(User).where(User.active, User.role.in_((Role.ADMIN, Role.MANAGER))))
    key = digest("storm", str(row.id))
    notifications.tell(session, managers, words, effect_key=key, actor=timeline.SERVICE, about=element)
    log.warning("rule.storm", rule=rule, about=on, runs=runs)
    STORMS.labels(rule).inc()


def _open() -> Select[Storm]:
    return select(Storm).where(Storm.began_at > clock.now() - STORM_TIME, Storm.resumed_at.is_(None))


def _on(element: Subject | None) -> Sequence[ColumnElement[bool]]:
    columns: dict[str, int | None] = {"lead_id": None, "deal_id": None, "contact_id": None}
    if element is not None:
        columns |= {f"{element.__tablename__}_id": element.id}
    return [getattr(Storm, c).is_(None) if v is None else getattr(Storm, c) == v for c, v in columns.items()]


def _subject(session: Session, row: Storm) -> Subject | None:
    if row.deal_id is not None:
        return session.get(Deal, row.deal_id)
    if row.lead_id is not None:
        return session.get(Lead, row.lead_id)
    return session.get(Contact, row.contact_id) if row.contact_id is not None else None
