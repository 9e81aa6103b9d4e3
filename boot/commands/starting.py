"""Starting a rule by hand: on some leads, on those that a condition is true of, or on a segment."""

from __future__ import annotations

import sys
from collections import Counter
from typing import Any

import click
from sqlalchemy import select

from boot.commands.configuration import begin
from core import db
from core.errors import Invalid, NotFound
from core.ids import new_id
from crm.happening import Happening, about
from crm.workspace import load
from models.lead import OPEN, Lead
from models.segment import Segment
from rules import engine, facts, segments, surroundings
from rules.condition import Condition
from rules.vocabulary import OF_LEAD

_CHUNK = 500


@click.command("run")
@click.argument("name")
@click.option(
    "--lead", "lead_ids", type=int, multiple=True, help="Number of a lead; may be said several times."
)
@click.option("--where", help="Condition in CEL: all open leads of which it is true.")
@click.option("--segment", help="Key of a segment: all leads, contacts or deals that are in it.")
@click.option("--dry-run", is_flag=True, help="Only show how many.")
def run_rule(
    name: str, lead_ids: tuple[int, ...], where: str | None, segment: str | None, dry_run: bool
) -> None:
    """Start a rule on some leads, or on what is in a segment, whatever it waits for; where its own condition
    is true of them.

    \b
    Example: portaria rules run Nurture --where 'lead.owner == null' --dry-run
             portaria rules run Greetings --segment large-firms
    """
    begin()
    if sum((bool(lead_ids), where is not None, segment is not None)) != 1:
        raise Invalid("say which leads: --lead NUMBER, --where CONDITION, or --segment KEY")
    kind = "lead"
    if segment is not None:
        kind, chosen = _members(segment)
    else:
        chosen = list(lead_ids) if where is None else _matching(where)
    started, reasons = 0, Counter[str]()
    cause = new_id()
    with click.progressbar(chosen, label=f"{kind.capitalize()}s", file=sys.stderr) as numbers:
        for number in numbers:
            why = "it is a dry run" if dry_run else _start(name, kind, number, cause)
            started += why is None
            reasons[why or ""] += 1
    click.echo(f"{started} of {len(chosen)} {kind}s: the rule was started.")
    for why, number in reasons.most_common():
        if why:
            click.echo(f"{number}: {why}")


def _matching(where: str) -> list[int]:
    condition = Condition(where, OF_LEAD)
    found, last = [], 0
    while True:
        with db.reading() as session:
            here = load(session)
            wanted = (Lead.id > last, Lead.status.in_(OPEN))
            rows = session.scalars(select(Lead).where(*wanted).order_by(Lead.id).limit(_CHUNK)).all()
            for row in rows:
                seen = surroundings.sight(session, row, here, facts.of(Happening("manual", row), here))
                if condition.evaluate(seen)[0]:
                    found.append(row.id)
        if len(rows) < _CHUNK:
            return found
        last = rows[-1].id


def _members(key: str) -> tuple[str, list[int]]:
    """What a segment is of, and the numbers of what is in it."""
    with db.reading() as session:
        row = session.scalars(select(Segment).where(Segment.key == key)).one_or_none()
    if row is None:
        raise NotFound(f"there is no segment '{key}'")
    found: list[int] = []
    after: int | None = 0
    while after is not None:
        with db.reading() as session:
            rows, after = segments.part(session, row, load(session), after=after, most=_CHUNK)
        found += [element.id for element in rows]
    return row.kind, found


def _start(name: str, kind: str, number: int, cause: str) -> str | None:
    table = segments.TABLES[kind]
    with db.unit_of_work() as session:
        row: Any = session.get(table, number, with_for_update={"of": table})
        if row is None or getattr(row, "merged_into_id", None) is not None:
            return f"there is no {kind} {number}, or it is part of another one"
        here = load(session)
        return engine.start(session, name, about(row, "manual"), workspace=here, cause=f"{cause} {number}")
