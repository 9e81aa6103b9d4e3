"""Somebody new with their lead, made in one go: most who write to us have never done so before.

Elsewhere (see crm.identity) their contact points are held, looked for, and written one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, cast

from sqlalchemy import Executable, Table, text
from sqlalchemy.orm import Session

from core import recordset
from core.rows import flush_any, plan_of
from crm.contact_points import Point
from crm.identity import lock_name
from models.contact_point import ContactPoint
from models.lead import Lead

#: Whoever comes with more is left to crm.identity: each makes the statement longer.
_MOST_POINTS = 6


def make(session: Session, points: Sequence[Point], lead: Lead) -> bool:
    """Makes the person who has these points, and the lead, which is new, as theirs. On PostgreSQL, which is
    asked once.

    False where nothing was made: somebody has one of the points, or another transaction holds it just now.
    """
    points = sorted(set(points))
    if not 0 < len(points) <= _MOST_POINTS or session.in_nested_transaction():
        return False
    connection = session.connection()
    if connection.dialect.name != "postgresql":
        return False
    flush_any(session, ContactPoint)
    plan = plan_of(Lead)
    values = plan.all_values(lead)
    del values["person_id"]
    given: dict[str, Any] = {f"name_{n}": lock_name(point) for n, point in enumerate(points)}
    given |= {"kinds": [kind.value for kind, _ in points], "texts": [value for _, value in points]}
    statement = _statement(len(points), tuple(values))
    made = connection.execute(statement, {**given, "lead": recordset.told(values)}).all()
    if not made:
        return False
    person_id, number = made[0]
    if number is None:  # somebody else has come by one of the points since the statement began to look
        connection.execute(_DELETE_POINTS, {"person": person_id})
        return False
    lead.person_id = person_id
    plan.written(session, lead, number)
    return True


_DELETE_POINTS = text("DELETE FROM contact_point WHERE person_id = :person")


@cache
def _statement(number: int, columns: tuple[str, ...]) -> Executable:
    # In their order, and none after one that somebody else holds: whoever then waits does so as all others.
    held = "true"
    for n in reversed(range(number)):
        lock = f"pg_try_advisory_xact_lock(hashtextextended(CAST(:name_{n} AS text), 0))"
        held = f"CASE WHEN {lock} THEN {held} ELSE false END"
    table = cast(Table, Lead.__table__)
    names = ", ".join(columns)
    row = recordset.read_one("lead", table)
    # What is committed between the look and the locks is not seen, but stands in the way of its like.
    return text(f"""
        WITH point AS (
          SELECT kind, value
          FROM unnest(CAST(:kinds AS text[]), CAST(:texts AS text[])) AS listed (kind, value)
        ), held AS (
          SELECT {held} AS every_one
        ), person_made AS (
          INSERT INTO person (id) SELECT nextval(pg_get_serial_sequence('person', 'id'))
          FROM held WHERE every_one AND NOT EXISTS (SELECT FROM contact_point JOIN point USING (kind, value))
          RETURNING id
        ), points_made AS (
          INSERT INTO contact_point (kind, value, person_id)
          SELECT point.kind, point.value, person_made.id FROM point CROSS JOIN person_made
          ON CONFLICT DO NOTHING RETURNING person_id
        ), lead_made AS (
          INSERT INTO lead (person_id, {names}) SELECT person_made.id, {names}
          FROM person_made CROSS JOIN {row}
          WHERE (SELECT count(*) FROM points_made) = {number} RETURNING id
        )
        SELECT person_made.id, lead_made.id FROM person_made LEFT JOIN lead_made ON true
    """)  # noqa: S608  nothing in it comes from outside
