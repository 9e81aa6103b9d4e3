"""What is told outside without being a rule's trigger: what happens to contacts, companies, deals themselves.

It follows from what a transaction writes on timelines, and deletes; whoever does it need not think of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import event, inspect, select
from sqlalchemy.orm import Session, UOWTransaction

from crm.element import Element
from models.company import Company
from models.contact import Contact
from models.deal import Deal
from models.lead import Lead
from models.timeline import TimelineEntry
from rules import facts, outbox
from rules.webhooks import OUTSIDE

_KEPT = "rules.outside"
#: Which kinds of entries tell of what; of leads rules hear of all but the last ones.
_ENTRIES = {
    "contact_created": "created",
    "company_created": "created",
    "changed": "updated",
    "lines_changed": "updated",
    "merged": "merged",
    "split": "split",
    "erased": "erased",
    "comment": "commented",
}
_OF_LEADS = frozenset({"split", "erased", "comment"})


@dataclass(slots=True)
class _Told:
    """What one transaction has done to one element, in one way."""

    element: Element
    data: dict[str, Any] = field(default_factory=dict)


# Before all others: some of what is new is written past the flush.
@event.listens_for(Session, "before_flush", insert=True)
def _collect(session: Session, flush: UOWTransaction, instances: object) -> None:
    entries = [row for row in session.new if isinstance(row, TimelineEntry) and row.kind in _ENTRIES]
    gone = [row for row in session.deleted if isinstance(row, Contact | Company | Deal)]
    if entries or gone:
        kept = session.info.setdefault(_KEPT, ([], []))
        kept[0].extend(entries)
        kept[1].extend((row.__tablename__, row.id) for row in gone)


@event.listens_for(Session, "before_commit")
def _tell(session: Session) -> None:
    if session.in_nested_transaction() or session.info.get("reading"):
        return
    session.flush()
    entries, gone = session.info.pop(_KEPT, ([], []))
    if entries or gone:
        outbox.record_outside(
            session,
            [
                *_of_entries(session, entries),
                *((f"{kind}.deleted", None, {"id": row_id}, {}) for kind, row_id in gone),
            ],
        )


@event.listens_for(Session, "after_rollback")
def _forget(session: Session) -> None:
    if not session.in_nested_transaction():
        session.info.pop(_KEPT, None)


def _of_entries(session: Session, entries: Iterable[TimelineEntry]) -> list[outbox.Outside]:
    found: dict[tuple[str, int], _Told] = {}
    entries = [e for e in entries if inspect(e).persistent]  # the others were rolled back to a savepoint
    # Held as long as this runs, so that none is read by itself.
    _held = _together(session, entries)
    for entry in entries:
        element = _element(session, entry)
        if element is None:
            continue
        kind = f"{element.__tablename__}.{_ENTRIES[entry.kind]}"
        told = found.setdefault((kind, element.id), _Told(element))
        if entry.kind == "changed" and "field" in entry.data:
            change = {"before": entry.data.get("before"), "after": entry.data.get("after")}
            told.data.setdefault("changes", {})[entry.data["field"]] = change
        else:
            told.data |= {k: v for k, v in entry.data.items() if k in ("merge", "merged", "text")}
    return [
        (kind, told.element.id if isinstance(told.element, Lead) else None, told.data, _facts(told.element))
        for (kind, _), told in found.items()
        if kind in OUTSIDE
    ]


def _together(session: Session, entries: Sequence[TimelineEntry]) -> list[Element]:
    """The deals, contacts and companies of many entries, each kind in one question."""
    found: list[Element] = []
    for table in (Deal, Contact, Company):
        ids = {number for entry in entries if (number := getattr(entry, f"{table.__tablename__}_id"))}
        if len(ids) > 1:
            found += session.scalars(select(table).where(table.id.in_(ids)))
    return found


def _element(session: Session, entry: TimelineEntry) -> Element | None:
    if entry.lead_id is not None:
        return session.get(Lead, entry.lead_id) if entry.kind in _OF_LEADS else None
    if entry.deal_id is not None:
        return session.get(Deal, entry.deal_id)
    if entry.contact_id is not None:
        return session.get(Contact, entry.contact_id)
    return session.get(Company, entry.company_id) if entry.company_id is not None else None


def _facts(element: Element) -> dict[str, Any]:
    if isinstance(element, Lead):
        return {"lead": facts.lead_facts(element)}
    if isinstance(element, Deal):
        return {"deal": facts.deal_facts(element)}
    if isinstance(element, Contact):
        return {"contact": facts.contact_facts(element)}
    return {"company": facts.company_facts(element)}
