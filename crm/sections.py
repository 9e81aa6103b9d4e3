"""The sections of the catalogue: a tree, in which a section is named by its path, such as `Ovens > Gas`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core import clock
from core.errors import Conflict, Invalid
from models.product import Product, Section

BETWEEN = " > "
LONGEST_NAME = 100
DEEPEST = 6
MOST = 5000


def path_of(written: str) -> str:
    """A path as it is kept; empty for none. Raises ValueError for what is no path."""
    if not written.strip():
        return ""
    names = [" ".join(name.split()) for name in written.split(BETWEEN.strip())]
    if not all(names):
        raise ValueError("is no path of sections, such as Ovens > Gas")
    if any(len(name) > LONGEST_NAME for name in names):
        raise ValueError(f"a section's name has up to {LONGEST_NAME} characters")
    if len(names) > DEEPEST:
        raise ValueError(f"sections are at most {DEEPEST} deep")
    return BETWEEN.join(names)


def columns(session: Session, written: str | None, *, field: str = "/section") -> dict[str, Any]:
    """What a product has of the section of this path, which is made where it is missing.

    Raises Invalid, naming `field`.
    """
    try:
        path = path_of(written or "")
    except ValueError as error:
        raise Invalid("some values are not acceptable", {field: str(error)}) from None
    section = ensure(session, path)[0] if path else None
    return {"section": section.path if section else "", "section_id": section.id if section else None}


def ensure(session: Session, path: str) -> tuple[Section, list[int]]:
    """The section of this path, and the numbers of those that were made for it: the outermost first."""
    found = session.scalars(select(Section).where(Section.path == path)).one_or_none()
    if found is not None:
        return found, []
    around, _, name = path.rpartition(BETWEEN)
    parent, made = ensure(session, around) if around else (None, [])
    section, new = _create(session, _path(name, parent), parent, 0)
    return section, [*made, section.id] if new else made


def create(session: Session, name: str, *, parent: Section | None = None, position: int = 0) -> Section:
    """Makes a section within another, or at the top.

    Raises Invalid for a name that is none, Conflict for one that is taken.
    """
    path = _path(name, parent)
    section, new = _create(session, path, parent, position)
    if not new:
        raise Conflict(f"there is a section '{path}' already")
    return section


def _create(session: Session, path: str, parent: Section | None, position: int) -> tuple[Section, bool]:
    if (session.scalar(select(func.count(Section.id))) or 0) >= MOST:
        raise Conflict(f"there are {MOST} sections already")
    now = clock.now()
    values = {"parent_id": parent.id if parent else None, "name": path.rpartition(BETWEEN)[2], "path": path}
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    # Of two who make it at once, one does.
    made = session.scalar(
        dialect.insert(Section)
        .values(**values, position=position, created_at=now, updated_at=now)
        .on_conflict_do_nothing(index_elements=["path"])
        .returning(Section.id)
    )
    return session.scalars(select(Section).where(Section.path == path)).one(), made is not None


def change(session: Session, section: Section, values: Mapping[str, Any]) -> None:
    """Sets `name`, `parent_id` or `position`; what is within it, and its products, go with it.

    Raises Invalid for a name that is none and for a place within itself, Conflict where the place is taken.
    """
    # Of two who move sections at once, the second sees what the first has done: no ring can come of it.
    everything = session.scalars(
        select(Section).order_by(Section.id).with_for_update().execution_options(populate_existing=True)
    ).all()
    by_id = {one.id: one for one in everything}
    parent_id = values.get("parent_id", section.parent_id)
    parent = by_id.get(parent_id) if parent_id is not None else None
    if parent_id is not None and parent is None:
        raise Invalid("some values are not acceptable", {"/parent_id": "is no section"})
    within = [one for one in everything if _is_within(one.path, section.path)]
    if parent in within:
        raise Invalid("some values are not acceptable", {"/parent_id": "is the section itself, or within it"})
    before, after = section.path, _path(values.get("name", section.name), parent)
    if after != before:
        moved = {one.id: after + one.path.removeprefix(before) for one in within}
        if any(one.path in moved.values() for one in everything if one not in within):
            raise Conflict(f"there is a section '{after}' already")
        if max(path.count(BETWEEN) for path in moved.values()) >= DEEPEST:
            raise Invalid(
                "some values are not acceptable", {"/parent_id": f"sections are at most {DEEPEST} deep"}
            )
        for one in within:
            one.path = moved[one.id]
            in_it = update(Product).where(Product.section_id == one.id)
            session.execute(in_it.values(section=one.path))
        section.name = after.rpartition(BETWEEN)[2]
        section.parent_id = parent_id
    section.position = values.get("position", section.position)
    section.updated_at = clock.now()
    session.flush()


def delete(session: Session, section: Section) -> None:
    """Deletes an empty section. Raises Conflict where something is in it."""
    if session.scalar(select(Section.id).where(Section.parent_id == section.id).limit(1)) is not None:
        raise Conflict("there are sections in it")
    if session.scalar(select(Product.id).where(Product.section_id == section.id).limit(1)) is not None:
        raise Conflict("there are products in it")
    session.delete(section)
    session.flush()


def tree(session: Session) -> Sequence[tuple[Section, int, int]]:
    """All sections, each behind the one around it, with its depth from 0 and how many products are in it."""
    counted = select(Product.section_id, func.count()).group_by(Product.section_id)
    products = {row[0]: row[1] for row in session.execute(counted)}
    within: dict[int | None, list[Section]] = {}
    for one in session.scalars(select(Section).order_by(Section.position, Section.name, Section.id)):
        within.setdefault(one.parent_id, []).append(one)
    found: list[tuple[Section, int, int]] = []

    def walk(around: int | None, depth: int) -> None:
        for one in within.get(around, ()):
            found.append((one, depth, products.get(one.id, 0)))
            walk(one.id, depth + 1)

    walk(None, 0)
    return found


def _is_within(path: str, around: str) -> bool:
    return path == around or path.startswith(around + BETWEEN)


def _path(name: str, parent: Section | None) -> str:
    if BETWEEN.strip() in name or not name.strip():
        raise Invalid("some values are not acceptable", {"/name": "is no name of a section"})
    try:
        return path_of(f"{parent.path}{BETWEEN}{name}" if parent else name)
    except ValueError as error:
        raise Invalid("some values are not acceptable", {"/name": str(error)}) from None
