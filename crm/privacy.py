"""A person's data as a whole: gathered for them (GDPR Art. 15 and 20, LGPD Art. 18), or erased.

Erasing keeps the rows and what is counted of them: how many leads came when, from where, and what became of
them. Contact points are deleted: who writes again is somebody new.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, Table, delete, or_, select, update
from sqlalchemy.orm import Session

from core import clock
from core.errors import Invalid
from crm import carrying, timeline
from crm.personal import BLANK, CAMPAIGN, ERASED
from models.activity import Activity, ActivityState
from models.attachment import Attachment
from models.base import Base
from models.contact import Contact
from models.contact_point import ContactPoint
from models.deal_template import DealTemplate
from models.duplicate import DuplicatePair
from models.lead import OPEN, Lead, LeadStatus
from models.recording import Recording, RecordingState
from models.rule import Run, RunState, StepRow, StepState
from models.webhook import DeliveryState, WebhookDelivery

_AT_ONCE = 500
#: Binary content is taken apart from the rows.
_APART = frozenset({"body"})
_OPEN_STEPS = (StepState.READY, StepState.RUNNING, StepState.WAITING)


@dataclass(frozen=True, slots=True)
class Traces:
    """The rows that are about one person, by table; and where their files lie in the storage."""

    rows: Mapping[str, tuple[Any, ...]]
    files: tuple[str, ...]


def of_lead(session: Session, lead: Lead) -> Traces:
    """What there is of a lead's person."""
    return _traces(session, (lead.person_id,), (lead.id,), ())


def of_contact(session: Session, contact: Contact) -> Traces:
    """What there is of a contact."""
    persons = (contact.person_id,) if contact.person_id is not None else ()
    return _traces(session, persons, (), (contact.id,))


def told(session: Session, traces: Traces) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """All rows, table by table, as JSON knows them; without binary content."""
    for name, ids in traces.rows.items():
        table = Base.metadata.tables[name]
        key = next(iter(table.primary_key))
        columns = [c for c in table.columns if c.name not in _APART]
        rows: list[dict[str, Any]] = []
        for part in _parts(ids):
            found = session.execute(select(*columns).where(key.in_(part)).order_by(key)).mappings()
            rows += [{column: carrying.plain(value) for column, value in row.items()} for row in found]
        yield name, rows


def erase(session: Session, traces: Traces, *, by: str) -> list[str]:
    """Blanks all that says something of the person; answers which files are to be deleted from the storage.

    Raises Invalid where there is nothing.
    """
    if not traces.rows:
        raise Invalid("there is nothing of this person")
    _end(session, traces)
    for name, ids in traces.rows.items():
        table = Base.metadata.tables[name]
        key = next(iter(table.primary_key))
        for part in _parts(ids):
            if name == "contact_point":
                session.execute(delete(table).where(key.in_(part)))
            elif name == "recording":
                _blank_recordings(session, part)
            elif name == "lead":
                _blank_leads(session, part)
            elif name in BLANK:
                session.execute(update(table).where(key.in_(part)).values(dict(BLANK[name])))
    session.expire_all()
    words = "The person's data was erased"
    for row_id in traces.rows.get("lead", ()):
        timeline.record(session, session.get_one(Lead, row_id), kind="erased", summary=words, actor=by)
    for row_id in traces.rows.get("contact", ()):
        timeline.record(session, session.get_one(Contact, row_id), kind="erased", summary=words, actor=by)
    session.flush()
    return list(traces.files)


def _traces(
    session: Session, persons: Sequence[int], lead_ids: Sequence[int], contact_ids: Sequence[int]
) -> Traces:
    leads = _closed(session, Lead, Lead.person_id.in_(persons), lead_ids)
    contacts = _closed(session, Contact, Contact.person_id.in_(persons), contact_ids)
    rows: dict[str, set[Any]] = {"lead": leads, "contact": contacts}
    points = select(ContactPoint.id).where(ContactPoint.person_id.in_(persons))
    rows["contact_point"] = set(session.scalars(points))
    for kind, ids in (("lead", leads), ("contact", contacts)):
        for column in carrying.references(kind):
            key = next(iter(column.table.primary_key))
            if column.table.name not in ("lead", "contact", "deal_contact") and key is not column:
                _add(session, rows, column.table, select(key).where(column.in_(ids)))
    for child, parent in (
        ("recording", "call"),
        ("call_order", "call"),
        ("step", "run"),
        ("activity_participant", "activity"),
    ):
        table = Base.metadata.tables[child]
        column = table.columns[f"{parent}_id"]
        for part in _parts(tuple(rows.get(parent, ()))):
            _add(session, rows, table, select(table.columns.id).where(column.in_(part)))
    for name in ("domain_event", "webhook_delivery"):
        table = Base.metadata.tables[name]
        _add(session, rows, table, select(table.columns.id).where(table.columns.lead_id.in_(leads)))
    _add_events(session, rows)
    merges = Base.metadata.tables["merge"].columns
    for kind, ids in (("lead", leads), ("contact", contacts)):
        either = or_(merges.survivor_id.in_(ids), merges.merged_id.in_(ids))
        _add(session, rows, merges.id.table, select(merges.id).where(merges.kind == kind, either))
    places = [
        *session.scalars(select(Attachment.place).where(Attachment.id.in_(rows.get("attachment", ())))),
        *session.scalars(select(Recording.place).where(Recording.id.in_(rows.get("recording", ())))),
    ]
    kept = {name: tuple(sorted(ids)) for name, ids in rows.items() if ids}
    return Traces(kept, tuple(sorted({place for place in places if place})))


def _closed(session: Session, table: Any, first: Any, ids: Sequence[int]) -> set[int]:
    """The rows, and all that became part of one of them."""
    found = set(session.scalars(select(table.id).where(or_(first, table.id.in_(ids)))))
    fresh = found
    while fresh:
        fresh = set(session.scalars(select(table.id).where(table.merged_into_id.in_(fresh)))) - found
        found |= fresh
    return found


def _add(session: Session, rows: dict[str, set[Any]], table: Any, chosen: Select[Any]) -> None:
    rows.setdefault(table.name, set()).update(session.scalars(chosen))


def _add_events(session: Session, rows: dict[str, set[Any]]) -> None:
    events = rows.setdefault("inbound_events", set())
    for name in ("timeline_entry", "message", "attachment", "consent_given"):
        table = Base.metadata.tables[name]
        for part in _parts(tuple(rows.get(name, ()))):
            chosen = select(table.columns.event_id).where(table.columns.id.in_(part))
            events.update(e for e in session.scalars(chosen) if e is not None)


def _end(session: Session, traces: Traces) -> None:
    """Nothing is waited for, sent or done about them any more."""
    now = clock.now()
    runs, leads = traces.rows.get("run", ()), traces.rows.get("lead", ())
    going = (StepRow.run_id.in_(runs), StepRow.state.in_(_OPEN_STEPS))
    session.execute(update(StepRow).where(*going).values(state=StepState.CANCELLED, ended_at=now))
    active = (Run.id.in_(runs), Run.state == RunState.ACTIVE)
    session.execute(
        update(Run).where(*active).values(state=RunState.CANCELLED, ended_at=now, ended_why="erased")
    )
    planned = (Activity.id.in_(traces.rows.get("activity", ())), Activity.state == ActivityState.PLANNED)
    session.execute(update(Activity).where(*planned).values(state=ActivityState.CANCELLED, done_at=now))
    waiting = (
        WebhookDelivery.id.in_(traces.rows.get("webhook_delivery", ())),
        WebhookDelivery.state == DeliveryState.WAITING,
    )
    session.execute(update(WebhookDelivery).where(*waiting).values(state=DeliveryState.DEAD, ended_at=now))
    messages = Base.metadata.tables["message"]
    queued = (messages.c.id.in_(traces.rows.get("message", ())), messages.c.state.in_(("queued", "sending")))
    session.execute(update(messages).where(*queued).values(state="failed", due_at=None))
    open_leads = (Lead.id.in_(leads), Lead.status.in_(OPEN))
    closed = {"status": LeadStatus.JUNK, "own_status": None, "closed_at": now, "closing_reason": "erased"}
    session.execute(update(Lead).where(*open_leads).values(**closed))
    templates = (DealTemplate.id.in_(traces.rows.get("deal_template", ())), DealTemplate.next_at.is_not(None))
    over = {"next_at": None, "ended_at": now, "ended_why": "erased"}
    session.execute(update(DealTemplate).where(*templates).values(**over))
    for kind in ("lead", "contact"):
        ids = traces.rows.get(kind, ())
        pair = or_(DuplicatePair.first_id.in_(ids), DuplicatePair.second_id.in_(ids))
        session.execute(delete(DuplicatePair).where(DuplicatePair.kind == kind, pair))
    rows = Base.metadata.tables["import_row"]
    session.execute(update(rows).where(rows.c.lead_id.in_(leads)).values(dict(BLANK["import_row"])))
    jobs = Base.metadata.tables["import_job"]
    for kind in ("contact", "deal"):
        of_kind = select(jobs.c.id).where(jobs.c.what == kind)
        mine = rows.c.job_id.in_(of_kind), rows.c.element_id.in_(traces.rows.get(kind, ()))
        session.execute(update(rows).where(*mine).values(dict(BLANK["import_row"])))
    done = (Base.metadata.tables["merge"].c.undone_at.is_(None),)
    merges: Table = Base.metadata.tables["merge"]
    session.execute(
        update(merges)
        .where(merges.c.id.in_(traces.rows.get("merge", ())), *done)
        .values(undone_at=now, undone_by=ERASED)
    )


def _blank_leads(session: Session, ids: Sequence[Any]) -> None:
    for lead in session.scalars(select(Lead).where(Lead.id.in_(ids))):
        for name, value in BLANK["lead"].items():
            setattr(lead, name, value)
        lead.attribution = {k: v for k, v in lead.attribution.items() if k in CAMPAIGN}
        lead.consent = None
    session.flush()


def _blank_recordings(session: Session, ids: Sequence[Any]) -> None:
    for row in session.scalars(select(Recording).where(Recording.id.in_(ids))):
        row.state, row.place, row.said, row.error = RecordingState.FORGOTTEN, "", f"erased {row.id}", ""
        row.due_at = None
    session.flush()


def _parts(ids: Sequence[Any]) -> Iterator[Sequence[Any]]:
    ordered = sorted(ids)
    return (ordered[i : i + _AT_ONCE] for i in range(0, len(ordered), _AT_ONCE))
