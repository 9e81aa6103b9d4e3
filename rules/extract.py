"""Exports: all of one kind, or a segment's members, read part by part so that memory stays bounded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.errors import Invalid, NotFound
from crm import exporting, rights, workspace
from models.segment import Segment
from rules import segments

_AT_ONCE = 500
Reading = Callable[[], AbstractContextManager[Session]]


def opened(session: Session, kind: str, segment: str | None) -> list[str]:
    """The columns of an export. Raises Invalid for a kind, NotFound for a segment that is none."""
    names = exporting.columns(session, kind)
    if segment is not None:
        found = _segment(session, segment)
        if kind != f"{found.kind}s":
            raise Invalid("some values are not acceptable", {"segment": f"is of {found.kind}s"})
    return names


def rows(
    reading: Reading, kind: str, names: list[str], *, segment: str | None, sight: rights.Sight | None
) -> Iterator[Mapping[str, Any]]:
    """The rows, each part in a reading session of its own, of what is in `sight`."""
    after: int | None = 0
    while after is not None:
        made, after = _part(reading, kind, names, segment, sight, after)
        yield from made


def _part(
    reading: Reading, kind: str, names: list[str], segment: str | None, sight: rights.Sight | None, after: int
) -> tuple[list[dict[str, Any]], int | None]:
    with reading() as session, rights.seeing(sight):
        if segment is None:
            found = exporting.part(session, kind, after=after, most=_AT_ONCE)
            following = found[-1].id if len(found) == _AT_ONCE else None
        else:
            here = workspace.load(session)
            chosen = _segment(session, segment)
            found, following = segments.part(session, chosen, here, after=after, most=_AT_ONCE)
        return [exporting.row(element, names) for element in found], following


def _segment(session: Session, key: str) -> Segment:
    found = session.scalars(select(Segment).where(Segment.key == key)).one_or_none()
    if found is None:
        raise NotFound(f"there is no segment '{key}'")
    return found
