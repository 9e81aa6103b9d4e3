"""Who is it? Finds or makes the person behind a set of contact points.

An e-mail address is a person's own; a telephone may be shared by a family or a firm. So a known
address decides; a known number decides only where the person it belongs to has no other address.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import Table, Text, bindparam, func, insert, literal_column, select, true, tuple_
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from core.rows import flush_any, insert_together
from crm import carrying
from crm.contact_points import Point
from models.contact import Contact
from models.contact_point import ContactPoint, Person, PointKind
from models.lead import OPEN, Lead

_POINTS = cast(Table, ContactPoint.__table__)
# Core, not ORM: these are on every enquiry's way.
_INSERT_PERSON = insert(cast(Table, Person.__table__)).returning(Person.__table__.c.id)
_INSERT_POINTS = insert(_POINTS)
# In the order of the array: a plain scan of it, row by row.
_LOCK = select(
    func.pg_advisory_xact_lock(
        func.hashtextextended(
            func.unnest(bindparam("names", type_=ARRAY(Text))).column_valued("point"), literal_column("0")
        )
    )
)
_MADE = _INSERT_PERSON.cte("made")
_GIVEN = (
    func.unnest(bindparam("kinds", type_=ARRAY(Text)), bindparam("texts", type_=ARRAY(Text)))
    .table_valued("kind", "value")
    .render_derived("given")
)
_INSERT_BOTH = (
    insert(_POINTS)
    .from_select(
        ["kind", "value", "person_id"],
        select(_GIVEN.c.kind, _GIVEN.c.value, _MADE.c.id).join_from(_GIVEN, _MADE, true()),
    )
    .returning(_POINTS.c.person_id)
)
_KNOWN = select(_POINTS.c.kind, _POINTS.c.value, _POINTS.c.person_id).where(
    tuple_(_POINTS.c.kind, _POINTS.c.value).in_(bindparam("points", expanding=True))
)


@dataclass(frozen=True, slots=True)
class Identity:
    """The person, and whoever turned out to be the same one (`absorbed`: ids that have nothing any more).

    `moved` are the open leads that those had, `shared` the points that stay with somebody else, `carried`
    what of theirs is the person's now (see crm.carrying), each with their id as `person`.
    """

    person_id: int
    known: bool
    absorbed: tuple[int, ...] = ()
    moved: tuple[int, ...] = ()
    shared: tuple[str, ...] = ()
    carried: tuple[dict[str, Any], ...] = ()


def identify(session: Session, points: Sequence[Point]) -> Identity:
    """The person behind these contact points, found or made; without points always somebody new.

    Two transactions with a point in common wait for each other here, so that one person who
    arrives twice at the same moment is found by the second.
    """
    points = sorted(set(points))
    _lock(session, points)
    known = _known(session, points)
    owners = list(dict.fromkeys(known[p] for p in points if p in known))  # e-mail sorts before phone
    if not owners:
        return Identity(_new(session, points), known=False)
    addresses = [p for p in points if p[0] is PointKind.EMAIL]
    with_address = _with_address(session, owners)
    by_address = [known[p] for p in addresses if p in known]
    if by_address:
        person_id = by_address[0]
    else:
        fitting = [o for o in owners if not addresses or o not in with_address]
        person_id = fitting[0] if fitting else _new(session, ())
    absorbed = tuple(o for o in owners if o != person_id and o not in with_address)
    if absorbed:
        absorbed = _without_two_contacts(session, person_id, absorbed)
    moved = _open_leads(session, absorbed)
    carried = [one for other in absorbed for one in take_over(session, person_id, other)]
    taken = {p for p in points if p in known and known[p] != person_id and known[p] not in absorbed}
    _add(session, person_id, [p for p in points if p not in known])
    return Identity(
        person_id=person_id,
        known=person_id in owners,
        absorbed=absorbed,
        moved=moved,
        shared=tuple(value for _, value in sorted(taken)),
        carried=tuple(carried),
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


def owners(session: Session, points: Sequence[Point]) -> dict[Point, int]:
    """Whose those of the points are that belong to somebody."""
    return _known(session, sorted(set(points)))


def known(session: Session, points: Sequence[Point]) -> set[Point]:
    """Those of the points that belong to somebody."""
    return set(owners(session, points))


def _lock(session: Session, points: Sequence[Point]) -> None:
    # SQLite's writers already take turns. The points are sorted, so that two never wait crosswise.
    if points and session.get_bind().dialect.name == "postgresql":
        session.connection().execute(_LOCK, {"names": [lock_name(point) for point in points]}).all()


def lock_name(point: Point) -> str:
    """What PostgreSQL is asked for by who wants to hold the point."""
    kind, value = point
    return f"{kind}:{value}"


def _known(session: Session, points: Sequence[Point]) -> dict[Point, int]:
    if not points:
        return {}
    flush_any(session, ContactPoint)
    rows = session.connection().execute(_KNOWN, {"points": points})
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


def new_people(session: Session, points: Sequence[Sequence[Point]]) -> list[int]:
    """Somebody new for each of these, who has these points. The caller holds them (see `lock`), nobody has
    one of them, and no two name the same."""
    people = insert_together(session, [Person() for _ in points])
    rows = [
        {"kind": kind, "value": value, "person_id": person.id}
        for own, person in zip(points, people, strict=True)
        for kind, value in dict.fromkeys(own)
    ]
    if rows:
        session.connection().execute(_INSERT_POINTS, rows)
    return [person.id for person in people]


def _new(session: Session, points: Sequence[Point]) -> int:
    """Somebody who has these points, which nobody has."""
    connection = session.connection()
    if points and connection.dialect.name == "postgresql":
        given = {"kinds": [kind.value for kind, _ in points], "texts": [value for _, value in points]}
        owners: Sequence[int] = connection.execute(_INSERT_BOTH, given).scalars().all()
        return owners[0]
    made: int = connection.execute(_INSERT_PERSON).scalar_one()
    _add(session, made, points)
    return made


def _add(session: Session, person_id: int, points: Sequence[Point]) -> None:
    rows = [{"kind": kind, "value": value, "person_id": person_id} for kind, value in points]
    if rows:
        session.connection().execute(_INSERT_POINTS, rows)


def _open_leads(session: Session, person_ids: Sequence[int]) -> tuple[int, ...]:
    if not person_ids:
        return ()
    chosen = select(Lead.id).where(Lead.person_id.in_(person_ids), Lead.status.in_(OPEN))
    return tuple(session.scalars(chosen))


def take_over(session: Session, person_id: int, other: int) -> list[dict[str, Any]]:
    """What is another person's is this one's now; answers with what it takes to give it back.

    Their row stays, with nothing: its number must not become somebody else's.
    """
    session.flush()
    told = carrying.carry(session, "person", other, person_id)
    session.expire_all()
    return [{**one, "person": other} for one in told]
