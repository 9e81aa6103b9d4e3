"""The kinds of things beside leads that a file may bring in, and the way in which their rows are taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from crm import changes, identity
from crm.entry import Entry
from crm.imported.company import CompanyKind
from crm.imported.contact import ContactKind
from crm.imported.deal import DealKind
from crm.imported.kind import Kind, Thing
from crm.imported.product import ProductKind
from crm.importing import Brought, Wanted, points_of
from models.import_job import Duplicates, Imported, RowOutcome
from models.product import Product
from models.user import User

KINDS: Mapping[Imported, type[Kind]] = {
    Imported.CONTACT: ContactKind,
    Imported.COMPANY: CompanyKind,
    Imported.DEAL: DealKind,
    Imported.PRODUCT: ProductKind,
}


def of(session: Session, what: Imported) -> Kind:
    """The kind, in this transaction."""
    return KINDS[what](session)


def bring_in(
    session: Session, what: Imported, entries: Sequence[tuple[Entry, User | None]], wanted: Wanted
) -> list[Brought]:
    """Makes or updates what these entries say, in their order; one with a problem is left out."""
    kind = of(session, what)
    identity.lock(session, [p for entry, _ in entries for p in points_of(entry)])
    kind.look_up([entry for entry, _ in entries])
    return [one for entry, owner in entries if (one := _one(kind, entry, owner, wanted)) is not None]


def _one(kind: Kind, entry: Entry, owner: User | None, wanted: Wanted) -> Brought | None:
    values = kind.check(entry)
    if entry.problems:
        return None
    there = kind.find(entry)
    if there is not None and wanted.duplicates is Duplicates.SKIP:
        return Brought(
            entry, RowOutcome.SKIPPED, reason=f"it is there already: {there.id}", element_id=there.id
        )
    if kind.element is not None:
        given = owner or wanted.owner
        tags = list(dict.fromkeys([*(there.tags if there else ()), *wanted.tags, *entry.tags]))  # type: ignore[union-attr]
        values |= {"owner_id": given.id} if given else {}
        values |= {"tags": tags} if tags else {}
    kind.made_beside, kind.moved = [], []
    if there is not None and wanted.duplicates is Duplicates.UPDATE:
        before = kind.change(there, values, actor=wanted.actor)
        if not before:
            return Brought(
                entry, RowOutcome.SKIPPED, reason="all of it is there already", element_id=there.id
            )
        told = {name: changes.plain(value) for name, value in before.items()}
        return Brought(
            entry,
            RowOutcome.UPDATED,
            before=_stamped(kind, there, told),
            element_id=there.id,
            happenings=kind.moved,
        )
    made = kind.make(entry, values | _source(kind, wanted), actor=wanted.actor)
    return Brought(
        entry,
        RowOutcome.CREATED,
        before=_stamped(kind, made, {}) or None,
        element_id=made.id,
        happenings=kind.happenings(made),
    )


def _source(kind: Kind, wanted: Wanted) -> dict[str, Any]:
    return {"source_id": wanted.source.id} if kind.element is not None else {}


#: When a product was as the import left it: it has no timeline that could tell of later changes.
STAMP = "as_of"
#: Companies that were made for the row.
BESIDE = "companies_made"


def _stamped(kind: Kind, thing: Thing, before: dict[str, Any]) -> dict[str, Any]:
    beside = {BESIDE: kind.made_beside} if kind.made_beside else {}
    stamp = {STAMP: thing.updated_at.isoformat()} if isinstance(thing, Product) else {}
    return {**before, **beside, **stamp}
