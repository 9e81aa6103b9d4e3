"""Who is it? Finds or makes the person behind a set of contact points.

An e-mail address is a person's own; a telephone may be shared by a family or a firm. So a known
address decides; a known number decides only where the person it belongs to has no other address.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Text, func, literal, select, tuple_, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from crm.contact_points import Point
from models.contact import Contact
from models.contact_point import ContactPoint, Person, PointKind
from models.lead import OPEN, Lead


@dataclass(frozen=True, slots=True)
class Identity:
    """The person, and whoever turned out to be the same one (`absorbed`: ids that are gone now).

    `moved` are the open leads that those had, `shared` the points that stay with somebody else.
    """

    person_id: int
    known: bool
    absorbed: tuple[int, ...] = ()
    moved: tuple[int, ...] = ()
    shared: tuple[str, ...] = ()


def identify(session: Session, points: Sequence[Point]) -> Identity:
    """The person behind these contact points, found or made; without points always somebody new.

    Two transactions with a point in common wait for each other here, so that one person who
    arrives twice at the same moment is found by the second.
    """
    points = sorted(set(points))
    _lock(session, points)
    known = _known(session, points)
    owners = list(dict.fromkeys(known[p] for p in points if p in known))  # e-mail sorts before phone
    addresses = [p for p in points if p[0] is PointKind.EMAIL]
    with_address = _with_address(session, owners)
    by_address = [known[p] for p in addresses if p in known]
    if by_address:
        person_id = by_address[0]
    else:
        fitting = [o for o in owners if not addresses or o not in with_address]
        person_id = fitting[0] if fitting else _new(session)
    absorbed = tuple(o for o in owners if o != person_id and o not in with_address)
    if absorbed:
        absorbed = _without_two_contacts(session, person_id, absorbed)
    moved = _open_leads(session, absorbed)
    for other in absorbed:
        _absorb(session, person_id, other)
    taken = {p for p in points if p in known and known[p] != person_id and known[p] not in absorbed}
    session.add_all(
        ContactPoint(kind=kind, value=value, person_id=person_id)
        for kind, value in points
        if (kind, value) not in known
    )
    session.flush()
    return Identity(
        person_id=person_id,
        known=person_id in owners,
        absorbed=absorbed,
        moved=moved,
        shared=tuple(value for _, value in sorted(taken)),
    )


def lock(session: Session, points: Sequence[Point]) -> None:
    """Makes others who share one of these points wait until the transaction ends."""
    _lock(session, sorted(set(points)))


def find(session: Session, points: Sequence[Point]) -> int | None:
    """The person whom `identify` would find behind these points; None where it would make one."""
    points = sorted(set(points))
    known = _known(session, points)
    owners = list(dict.fromkeys(known[p] for p in points if p in known))
    addresses = [p for p in points if p[0] is PointKind.EMAIL]
    by_address = [known[p] for p in addresses if p in known]
    if by_address or not owners:
        return by_address[0] if by_address else None
    with_address = _with_address(session, owners) if addresses else set()
    return next((o for o in owners if o not in with_address), None)


def known(session: Session, points: Sequence[Point]) -> set[Point]:
    """Those of the points that belong to somebody."""
    return set(_known(session, sorted(set(points))))


def _lock(session: Session, points: Sequence[Point]) -> None:
    # SQLite's writers already take turns. The points are sorted, so that two never wait crosswise.
    if points and session.get_bind().dialect.name == "postgresql":
        names = [f"{kind}:{value}" for kind, value in points]
        given = func.unnest(literal(names, ARRAY(Text))).column_valued("point")
        # In the order of the array: a plain scan of it, row by row.
        session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(given, 0)))).all()


def _known(session: Session, points: Sequence[Point]) -> dict[Point, int]:
    if not points:
        return {}
    rows = session.execute(
        select(ContactPoint.kind, ContactPoint.value, ContactPoint.person_id).where(
            tuple_(ContactPoint.kind, ContactPoint.value).in_(points)
        )
    )
    return {(row.kind, row.value): row.person_id for row in rows}


def _with_address(session: Session, person_ids: Sequence[int]) -> set[int]:
    if not person_ids:
        return set()
    return set(
        session.scalars(
            select(ContactPoint.person_id).where(
                ContactPoint.person_id.in_(person_ids), ContactPoint.kind == PointKind.EMAIL
            )
        )
    )


def _without_two_contacts(session: Session, person_id: int, others: Sequence[int]) -> tuple[int, ...]:
    """Those who can become part of the person: two for whom there are contacts are for people to merge."""
    chosen = select(Contact.person_id).where(Contact.person_id.in_([person_id, *others]))
    with_contact = set(session.scalars(chosen))
    has_one = person_id in with_contact
    kept = []
    for other in others:
        if other in with_contact and has_one:
            continue
        has_one = has_one or other in with_contact
        kept.append(other)
    return tuple(kept)


def _new(session: Session) -> int:
    person = Person()
    session.add(person)
    session.flush()
    return person.id


def _open_leads(session: Session, person_ids: Sequence[int]) -> tuple[int, ...]:
    if not person_ids:
        return ()
    chosen = select(Lead.id).where(Lead.person_id.in_(person_ids), Lead.status.in_(OPEN))
    return tuple(session.scalars(chosen))


def _absorb(session: Session, person_id: int, other: int) -> None:
    for column in (ContactPoint, Lead, Contact):
        session.execute(update(column).where(column.person_id == other).values(person_id=person_id))
    session.delete(session.get_one(Person, other))
    session.flush()
