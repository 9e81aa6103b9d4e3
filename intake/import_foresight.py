"""What would become of the rows of a file: looked at without writing anything."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import IO, Any

from sqlalchemy.orm import Session

from crm import identity
from crm.entry import Entry
from crm.imported import kinds
from crm.imported.lead import LeadRows
from crm.importing import points_of
from intake import import_jobs
from intake.import_jobs import Understood
from intake.imports import entry as entries
from models.import_job import Imported

_MOST_FORESEEN = 100
_AT_ONCE = 500


@dataclass(slots=True)
class Foresight:
    """What would become of a file's rows: how many of each, and the first of them."""

    rows: int = 0
    created: int = 0
    known: int = 0
    failed: int = 0
    first: list[tuple[Entry, str]] = field(default_factory=list)
    problems: list[tuple[int, str]] = field(default_factory=list)


def foresee(
    session: Session, file: IO[bytes], understood: Understood, *, most: int | None = None
) -> Iterator[Foresight]:
    """Looks at the rows without writing anything; tells again and again how far it is.

    `known` are rows of people who have a lead, or are in an earlier row.
    """
    place, seen, told = import_jobs.place_of(session), set[int](), Foresight()
    owners = import_jobs.Owners(session)
    kind = kinds.of(session, understood.what) if understood.what is not Imported.LEAD else None
    lead_rows = LeadRows(session)
    wanted = islice(import_jobs.rows(file, understood), most)
    while batch := list(islice(wanted, _AT_ONCE)):
        found = [entries.read(row, understood.columns, place, understood.what.value) for row in batch]
        for entry in found:
            owners.of(entry)
        if kind is None:
            for entry in found:
                lead_rows.check(entry)
            points = {id(e): points_of(e) for e in found}
            known = identity.known(session, [p for own in points.values() for p in own])
            _judge(found, points, known.__contains__, seen, told)
        else:
            keys = {id(e): kind.keys(e) for e in found}
            kind.look_up(found)
            there = {key for e in found if not e.problems and kind.find(e) is not None for key in keys[id(e)]}
            for entry in found:
                kind.check(entry)
                kind.foreseen.update(keys[id(entry)])
            _judge(found, keys, there.__contains__, seen, told)
        yield told
    if not told.rows:
        yield told


def _judge(
    found: Sequence[Entry],
    keys: Mapping[int, Sequence[Hashable]],
    known: Callable[[Any], bool],
    seen: set[int],
    told: Foresight,
) -> None:
    for entry in found:
        told.rows += 1
        own = keys[id(entry)]
        if entry.problems:
            word = "failed"
            told.failed += 1
            if len(told.problems) < _MOST_FORESEEN:
                told.problems.append((entry.number, "; ".join(entry.problems)))
        elif not any(map(known, own)) and seen.isdisjoint(map(hash, own)):
            word = "created"
            told.created += 1
        else:
            word = "known"
            told.known += 1
        seen.update(map(hash, own))
        if len(told.first) < _MOST_FORESEEN:
            told.first.append((entry, word))
