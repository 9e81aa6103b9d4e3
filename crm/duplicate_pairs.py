"""Pairs that may be one: found, kept, dismissed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, or_, select, update
from sqlalchemy.orm import Session

from core import clock
from core.errors import Conflict
from crm import duplicates
from crm.duplicates import Candidate
from crm.merging import TABLES
from crm.similar_names import Names
from models.company import Company
from models.contact import Contact
from models.duplicate import DuplicatePair, DuplicateSweep, PairState
from models.lead import OPEN, Lead

#: How often what was changed is looked at again.
ROUND = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Swept:
    """How many were looked at, and how many pairs were found that nobody had found before."""

    looked_at: int
    found: int


@dataclass(frozen=True, slots=True)
class _Place:
    """How far a sweep has come, as `DuplicateSweep` keeps it."""

    last_id: int
    round_id: int | None
    since: datetime
    began_at: datetime


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at some elements found, not yet written down."""

    kind: str
    stood: _Place | None
    stands: _Place
    looked_at: int
    pairs: dict[tuple[int, int], Candidate]

    @property
    def changes_nothing(self) -> bool:
        """Whether there was nothing to look at, and nothing has to be written."""
        return self.stood == self.stands


def look(session: Session, kind: str, *, most: int) -> Look:
    """Looks at the next `most` elements: those that are new, else those changed since the last round.

    Only reads: it may take a second, for which nobody else could write on SQLite.
    """
    row = session.get(DuplicateSweep, kind)
    now = clock.now()
    stood = _place(row) if row is not None else None
    stands = stood or _Place(0, None, now, now)
    table = TABLES[kind]
    new = _looked_at(table).where(table.id > stands.last_id).order_by(table.id).limit(most)
    elements: Sequence[Lead | Contact | Company] = session.scalars(new).all()
    if elements:
        stands = replace(stands, last_id=elements[-1].id)
    else:
        if stands.round_id is None and now - stands.began_at >= ROUND:
            stands = replace(stands, round_id=0, since=stands.began_at, began_at=now)
        if stands.round_id is not None:
            changed = _looked_at(table).where(table.id > stands.round_id, table.updated_at >= stands.since)
            elements = session.scalars(changed.order_by(table.id).limit(most)).all()
            stands = replace(stands, round_id=elements[-1].id if elements else None)
    pairs: dict[tuple[int, int], Candidate] = {}
    names = Names(session)
    for element in elements:
        for other in duplicates.of(session, element, names):
            pairs.setdefault((min(element.id, other.id), max(element.id, other.id)), other)
    return Look(kind, stood, stands, len(elements), pairs)


def record(session: Session, seen: Look) -> Swept:
    """Writes down what a look found. One that another sweep has overtaken counts for nothing."""
    row = session.get(DuplicateSweep, seen.kind, with_for_update=True, populate_existing=True)
    if (_place(row) if row is not None else None) != seen.stood:
        return Swept(0, 0)
    if row is None:
        row = DuplicateSweep(kind=seen.kind)
        session.add(row)
    row.last_id, row.round_id = seen.stands.last_id, seen.stands.round_id
    row.since, row.began_at = seen.stands.since, seen.stands.began_at
    pairs = _new_among(session, seen)
    session.add_all(
        DuplicatePair(
            kind=seen.kind, first_id=first, second_id=second, score=c.score, why=c.why, found_at=clock.now()
        )
        for (first, second), c in pairs.items()
    )
    session.flush()
    return Swept(seen.looked_at, len(pairs))


def _new_among(session: Session, seen: Look) -> dict[tuple[int, int], Candidate]:
    """Those of the pairs found that nobody had found before, and of which both are still there."""
    if not seen.pairs:
        return {}
    firsts = {first for first, _ in seen.pairs}
    kept = select(DuplicatePair.first_id, DuplicatePair.second_id)
    known = session.execute(kept.where(DuplicatePair.kind == seen.kind, DuplicatePair.first_id.in_(firsts)))
    table = TABLES[seen.kind]
    ids = firsts | {second for _, second in seen.pairs}
    there = set(session.scalars(_looked_at(table).with_only_columns(table.id).where(table.id.in_(ids))))
    found_before = {(row.first_id, row.second_id) for row in known}
    return {ids: c for ids, c in seen.pairs.items() if ids not in found_before and there.issuperset(ids)}


def begin_anew(session: Session) -> None:
    """Has all elements looked at again, whether or not they were."""
    session.execute(update(DuplicateSweep).values(last_id=0))


def dismiss(session: Session, pair: DuplicatePair, *, by: str) -> None:
    """Notes that they are two. Raises Conflict for a pair that was merged."""
    if pair.state is PairState.MERGED:
        raise Conflict("the two are one now; undo the merge first")
    pair.state, pair.decided_at, pair.decided_by = PairState.DISMISSED, clock.now(), by
    session.flush()


def standing() -> Select[DuplicatePair]:
    """The pairs of which both are there and part of nothing."""
    there: list[ColumnElement[bool]] = []
    for kind, table in TABLES.items():
        both = (
            exists().where(table.id == column, table.merged_into_id.is_(None))
            for column in (DuplicatePair.first_id, DuplicatePair.second_id)
        )
        there.append(and_(DuplicatePair.kind == kind, *both))
    return select(DuplicatePair).where(or_(*there))


def merged() -> Select[DuplicatePair]:
    """All pairs, also those of which one is part of the other."""
    return select(DuplicatePair)


def _place(row: DuplicateSweep) -> _Place:
    return _Place(row.last_id, row.round_id, row.since, row.began_at)


def _looked_at(table: type[Lead | Contact | Company]) -> Select[Any]:
    chosen: Select[Any] = select(table).where(table.merged_into_id.is_(None))
    return chosen.where(Lead.status.in_(OPEN)) if table is Lead else chosen
