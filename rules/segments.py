"""Saved choices among leads, contacts or deals, in the language of conditions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from core import clock
from core.errors import Conflict, Invalid
from crm.element import Element
from crm.workspace import WorkspaceSettings
from models.contact import Contact
from models.deal import Deal
from models.lead import Lead
from models.segment import Segment, SegmentMember
from rules import surroundings
from rules.condition import Condition
from rules.vocabulary import CONTACT, DEAL, LEAD, WORKSPACE, Fields

TABLES: Mapping[str, type[Lead | Contact | Deal]] = {"lead": Lead, "contact": Contact, "deal": Deal}
_FIELDS: Mapping[str, Fields] = {"lead": LEAD, "contact": CONTACT, "deal": DEAL}
_KEY = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_AT_ONCE = 500
_LONGEST = 10_000


def save(
    session: Session,
    key: str,
    *,
    kind: str,
    condition: str,
    name: str = "",
    living: bool = True,
    by: str,
    here: WorkspaceSettings,
) -> Segment:
    """Makes a segment, or changes the one of this key; a static one's members are looked for at once.

    Raises Invalid for a key or condition that is none, Conflict for another kind than it has.
    """
    if not _KEY.fullmatch(key):
        raise Invalid("some values are not acceptable", {"/key": "has other than a-z, 0-9, - and _"})
    checked(kind, condition)
    now = clock.now()
    row = session.scalars(select(Segment).where(Segment.key == key).with_for_update()).one_or_none()
    if row is None:
        row = Segment(key=key, kind=kind, by=by, created_at=now)
        session.add(row)
    elif row.kind != kind:
        raise Conflict(f"the segment '{key}' is of {row.kind}s")
    row.name, row.condition, row.living, row.updated_at = name or key, condition, living, now
    session.flush()
    session.execute(delete(SegmentMember).where(SegmentMember.segment_id == row.id))
    row.fixed_at = None
    if not living:
        fix(session, row, here)
    return row


def checked(kind: str, condition: str) -> None:
    """Raises Invalid, with its place, for a mistake in the condition."""
    if kind not in TABLES:
        raise Invalid("some values are not acceptable", {"/kind": f"is none of {', '.join(TABLES)}"})
    if len(condition) > _LONGEST:
        raise Invalid(
            "some values are not acceptable", {"/condition": f"is longer than {_LONGEST} characters"}
        )
    try:
        Condition(condition, {kind: _FIELDS[kind], "workspace": WORKSPACE})
    except Invalid as error:
        raise Invalid("some values are not acceptable", {"/condition": str(error)}) from None
    if re.search(r"\bin_segment\s*\(", condition):
        raise Invalid("some values are not acceptable", {"/condition": "cannot ask for another segment"})


def fix(session: Session, segment: Segment, here: WorkspaceSettings) -> int:
    """Looks for the members of a static segment anew; answers how many there are."""
    session.execute(delete(SegmentMember).where(SegmentMember.segment_id == segment.id))
    found = 0
    for element in _true_of(session, segment, here):
        session.add(SegmentMember(segment_id=segment.id, element_id=element.id))
        found += 1
        if found % _AT_ONCE == 0:
            session.flush()
    segment.fixed_at = clock.now()
    session.flush()
    return found


def part(
    session: Session, segment: Segment, here: WorkspaceSettings, *, after: int, most: int
) -> tuple[list[Element], int | None]:
    """The members behind a number, and where to go on; None at the end.

    Of a living one at most so many elements are looked at, so that a page may have fewer.
    """
    table = TABLES[segment.kind]
    chosen = _there(table).where(table.id > after).order_by(table.id)
    if not segment.living:
        members = select(SegmentMember.element_id).where(SegmentMember.segment_id == segment.id)
        chosen = chosen.where(table.id.in_(members))
    rows = list(session.scalars(chosen.limit(most + 1)))
    following = rows[most - 1].id if len(rows) > most else None
    rows = rows[:most]
    if segment.living:
        reference = surroundings.Reference(session, here)
        rows = [row for row in rows if reference.in_segment(segment, row)]
    return rows, following


@dataclass(frozen=True, slots=True)
class Look:
    """The newest members, as many as a page has; how many were found among how many that were looked at, and
    how many there are to look at."""

    rows: Sequence[Element]
    found: int
    looked: int
    there: int


def look(session: Session, segment: Segment, here: WorkspaceSettings, *, most: int, first: int) -> Look:
    """Counts the members among the newest `most` of the segment's kind; of a static one all are counted.

    The segment may be one that was not saved; its condition has to be checked. In a session that reads only
    what is in sight is looked at.
    """
    table = TABLES[segment.kind]
    chosen = _there(table)
    if not segment.living:
        members = select(SegmentMember.element_id).where(SegmentMember.segment_id == segment.id)
        chosen = chosen.where(table.id.in_(members))
    there = session.scalar(chosen.with_only_columns(func.count(table.id))) or 0
    newest = chosen.order_by(table.id.desc())
    if not segment.living:
        return Look(session.scalars(newest.limit(first)).all(), there, there, there)
    reference = surroundings.Reference(session, here)
    rows: list[Element] = []
    found = looked = 0
    for element in session.scalars(newest.limit(most)):
        looked += 1
        if reference.true_of(segment, element):
            found += 1
            if len(rows) < first:
                rows.append(element)
    return Look(rows, found, looked, there)


def _true_of(session: Session, segment: Segment, here: WorkspaceSettings) -> Iterator[Element]:
    reference = surroundings.Reference(session, here)
    table, after = TABLES[segment.kind], 0
    while rows := session.scalars(
        _there(table).where(table.id > after).order_by(table.id).limit(_AT_ONCE)
    ).all():
        after = rows[-1].id
        yield from (row for row in rows if reference.true_of(segment, row))


def _there(table: type[Lead | Contact | Deal]) -> Any:
    chosen = select(table)
    return chosen if table is Deal else chosen.where(table.merged_into_id.is_(None))  # type: ignore[union-attr]
