"""Tries a draft of the rules on the leads of the last days. Nothing is written.

Each lead is taken as it was when it came: from its first submission on the timeline. Both sets of rules
go over the same leads, so that what differs is the rules' doing; turns begin anew.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from jinja2 import Environment
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import clock
from crm import workspace
from models.call import Call
from models.lead import OPEN, Lead
from models.source import Channel, Source
from models.timeline import TimelineEntry
from models.user import User
from rules import facts
from rules.ruleset import active
from rules.schema import by_trigger, read
from rules.side import Side
from rules.sight import Sight
from rules.staff import Staff
from rules.surroundings import Reference

_CHUNK = 1000
_ARRIVAL = {"form": ("form.submitted",), "email": ("email.received",)}


@dataclass(frozen=True, slots=True)
class Moved:
    """A lead that would go elsewhere."""

    lead_id: int
    title: str
    came: datetime
    owner: str | None
    now: str | None
    draft: str | None
    rules_now: tuple[str, ...]
    rules_draft: tuple[str, ...]


@dataclass
class Backtest:
    """What both sets of rules would do: `owner` is who has a lead, `now` and `draft` who would have it."""

    since: datetime
    leads: int = 0
    moved: list[Moved] = field(default_factory=list)
    unassigned: list[int] = field(default_factory=lambda: [0, 0])
    #: Leads that nobody could have when they came.
    waited: list[int] = field(default_factory=lambda: [0, 0])
    rules: dict[str, list[int]] = field(default_factory=dict)
    people: dict[str, list[int]] = field(default_factory=dict)
    activities: list[int] = field(default_factory=lambda: [0, 0])

    def as_data(self) -> dict[str, Any]:
        """For programs."""
        return {
            "since": self.since.isoformat(),
            "leads": self.leads,
            "owner_changes": len(self.moved),
            "unassigned": _pair(self.unassigned),
            "waited": _pair(self.waited),
            "activities": _pair(self.activities),
            "rules": {name: _pair(counts) for name, counts in sorted(self.rules.items())},
            "people": {name: _pair(counts) for name, counts in sorted(self.people.items())},
            "moved": [
                {
                    "lead_id": m.lead_id,
                    "title": m.title,
                    "came": m.came.isoformat(),
                    "owner": m.owner,
                    "now": m.now,
                    "draft": m.draft,
                    "rules_now": list(m.rules_now),
                    "rules_draft": list(m.rules_draft),
                }
                for m in self.moved
            ],
        }


def _pair(counts: Sequence[int]) -> dict[str, int]:
    return {"now": counts[0], "draft": counts[1]}


def backtest(session: Session, draft: Sequence[Any], *, days: int) -> Backtest:
    """Compares the draft with the rules in force on the leads of so many days."""
    found = Backtest(clock.now() - timedelta(days=days))
    rules, _ = read(draft)
    present = active(session)
    here = workspace.load(session)
    sides = (
        Side(present.rules if present else {}, Staff(session, here, found.since)),
        Side(by_trigger(rules), Staff(session, here, found.since)),
    )
    reference = Reference(session, here)
    rows = []
    for row, seen, triggers in _leads(session, found.since):
        around = reference.around(person_id=row.person_id, now=row.created_at)
        closed_at = None if row.status in OPEN else row.updated_at
        looks: dict[str, Sight] = {}
        for side in sides:
            side.arrive(
                {**seen, "lead": {**seen["lead"]}},
                around,
                triggers,
                person_id=row.person_id,
                closed_at=closed_at,
                looks=looks,
            )
        rows.append(row)
    for number, side in enumerate(sides):
        side.end(clock.now())
        _count(found, side, number)
    for row, now, draft_ in zip(rows, sides[0].passed, sides[1].passed, strict=True):
        if now.owner != draft_.owner:
            found.moved.append(
                Moved(
                    row.id,
                    row.title,
                    row.created_at,
                    row.owner,
                    now.owner,
                    draft_.owner,
                    tuple(now.matched),
                    tuple(draft_.matched),
                )
            )
    found.leads = len(rows)
    return found


def _count(found: Backtest, side: Side, number: int) -> None:
    for name in {rule.name for group in side.rules.values() for rule in group}:
        found.rules.setdefault(name, [0, 0])
    for view in side.passed:
        for name in set(view.matched):
            found.rules.setdefault(name, [0, 0])[number] += 1
        found.people.setdefault(view.owner or "(nobody)", [0, 0])[number] += 1
        found.activities[number] += view.activities
        found.waited[number] += view.waited
        found.unassigned[number] += view.owner is None and view.is_open


def _leads(session: Session, since: datetime) -> Iterator[tuple[Any, dict[str, Any], list[str]]]:
    """Each lead since then, in order, with the facts it came with and what it set off."""
    here = workspace.load(session)
    about = {"name": here.name, "country": here.country, "timezone": here.timezone, "currency": here.currency}
    sources = {row.id: (row.key, row.settings.get("team")) for row in session.scalars(select(Source))}
    first = (
        select(TimelineEntry.lead_id, func.min(TimelineEntry.id).label("entry_id"))
        .where(TimelineEntry.kind == "submission")
        .group_by(TimelineEntry.lead_id)
        .subquery()
    )
    last = 0
    while True:
        rows = session.execute(
            select(
                Lead.id,
                Lead.title,
                Lead.channel,
                Lead.source_id,
                Lead.email,
                Lead.phone,
                Lead.created_at,
                Lead.updated_at,
                Lead.status,
                Lead.person_id,
                User.email.label("owner"),
                TimelineEntry.data,
            )
            .join(first, first.c.lead_id == Lead.id)
            .join(TimelineEntry, TimelineEntry.id == first.c.entry_id)
            .outerjoin(User, User.id == Lead.owner_id)
            .where(Lead.created_at >= since, Lead.id > last)
            .order_by(Lead.id)
            .limit(_CHUNK)
        ).all()
        if not rows:
            return
        last = rows[-1].id
        calls = _first_calls(session, [row.id for row in rows if row.channel is Channel.CALL])
        for row in rows:
            key, team = sources[row.source_id]
            told = row.data
            found = told.get("found") or {}
            lead = {
                "id": row.id,
                "number": row.id,
                "title": row.title,
                "status": "new",
                "channel": row.channel.value,
                "source": key,
                "owner": None,
                "name": told.get("name", ""),
                "email": row.email,
                "phone": row.phone,
                "company": told.get("company") or found.get("company"),
                "role": found.get("role"),
                "message": told.get("message", ""),
                "score": 0,
                "tags": [],
                "fields": told.get("fields", {}),
                "attribution": told.get("attribution", {}),
                "created_at": row.created_at,
            }
            seen = {
                "lead": lead,
                "workspace": about,
                "event": {"channel": row.channel.value},
                "answers": {},
                "team": team,
                "catch_all": here.catch_all,
            }
            triggers = ["lead.created", *_ARRIVAL.get(row.channel.value, ())]
            if (call := calls.get(row.id)) is not None:
                seen["call"] = facts.call_facts(call)
                answered = call.result is not None and call.result.value == "answered"
                triggers += ["call.answered" if answered else "call.missed", "call.completed"]
            yield row, seen, triggers


def _first_calls(session: Session, lead_ids: Sequence[int]) -> dict[int, Call]:
    if not lead_ids:
        return {}
    chosen = select(Call).where(Call.lead_id.in_(lead_ids), Call.result.is_not(None)).order_by(Call.id.desc())
    return {call.lead_id: call for call in session.scalars(chosen) if call.lead_id is not None}


def as_table(found: Backtest) -> Iterator[str]:
    """For people, line by line."""
    yield f"{found.leads} leads since {found.since:%Y-%m-%d}: {len(found.moved)} would go to somebody else"
    yield f"without an owner: {found.unassigned[0]} now, {found.unassigned[1]} with the draft"
    yield f"waited for somebody: {found.waited[0]} now, {found.waited[1]} with the draft"
    yield f"activities planned: {found.activities[0]} now, {found.activities[1]} with the draft"
    for title, counted in (("rule", found.rules), ("person", found.people)):
        width = max([len(title), *map(len, counted)])
        yield ""
        yield f"{title:<{width}}  {'now':>7}  {'draft':>7}  {'change':>7}"
        for name, (now, draft) in sorted(counted.items(), key=lambda item: (-max(item[1]), item[0])):
            yield f"{name:<{width}}  {now:>7}  {draft:>7}  {draft - now:>+7}"
    changes = Counter((m.now or "(nobody)", m.draft or "(nobody)") for m in found.moved)
    if changes:
        yield ""
        yield "who would have them instead:"
        for (before, after), number in changes.most_common():
            yield f"  {number:>7}  {before} → {after}"


def as_page(found: Backtest) -> str:
    """As a page of its own."""
    page = Path(__file__).with_suffix(".html").read_text()
    return Environment(autoescape=True).from_string(page).render(found=found)
