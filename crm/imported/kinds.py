"""The kinds of things beside leads that a file may bring in, and the way in which their rows are taken."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from crm import changes, identity
from crm.entry import Entry
from crm.imported.company import CompanyKind
from crm.imported.contact import ContactKind
from crm.imported.deal import DealKind
from crm.imported.kind import Beside, Kind, New, Thing
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
    brought: list[Brought] = []
    fresh: list[New] = []
    ahead: set[Hashable] = set()
    for entry, owner in entries:
        keys = kind.keys(entry)
        if not kind.together or not ahead.isdisjoint(keys):
            # It may be about what an earlier row makes.
            brought += _new(kind, fresh, wanted)
            fresh, ahead = [], set()
        values = kind.check(entry)
        if entry.problems:
            continue
        there = kind.find(entry)
        given = values | _common(kind, entry, owner, there, wanted)
        if there is not None and wanted.duplicates is not Duplicates.ADD:
            brought.append(_known(kind, entry, there, given, wanted))
        else:
            fresh.append((entry, given))
            ahead.update(keys)
    return [*brought, *_new(kind, fresh, wanted)]


def _common(
    kind: Kind, entry: Entry, owner: User | None, there: Thing | None, wanted: Wanted
) -> dict[str, Any]:
    """Owner and tags, where things of this kind have them."""
    if kind.element is None:
        return {}
    given = owner or wanted.owner
    tags = list(dict.fromkeys([*(there.tags if there else ()), *wanted.tags, *entry.tags]))  # type: ignore[union-attr]
    return ({"owner_id": given.id} if given else {}) | ({"tags": tags} if tags else {})


def _known(kind: Kind, entry: Entry, there: Thing, values: dict[str, Any], wanted: Wanted) -> Brought:
    if wanted.duplicates is Duplicates.SKIP:
        return Brought(
            entry, RowOutcome.SKIPPED, reason=f"it is there already: {there.id}", element_id=there.id
        )
    kind.made_beside, kind.moved = {}, []
    before = kind.change(there, values, actor=wanted.actor)
    if not before:
        return Brought(entry, RowOutcome.SKIPPED, reason="all of it is there already", element_id=there.id)
    told = {name: changes.plain(value) for name, value in before.items()}
    return Brought(
        entry,
        RowOutcome.UPDATED,
        before=_stamped(there, kind.made_beside, told),
        element_id=there.id,
        happenings=kind.moved,
    )


def _new(kind: Kind, fresh: Sequence[New], wanted: Wanted) -> list[Brought]:
    source = {"source_id": wanted.source.id} if kind.element is not None else {}
    made = kind.make_all([(entry, values | source) for entry, values in fresh], actor=wanted.actor)
    return [
        Brought(
            entry,
            RowOutcome.CREATED,
            before=_stamped(one.thing, one.beside, {}) or None,
            element_id=one.thing.id,
            happenings=kind.happenings(one.thing),
        )
        for (entry, _), one in zip(fresh, made, strict=True)
    ]


#: When a product was as the import left it: it has no timeline that could tell of later changes.
STAMP = "as_of"


def _stamped(thing: Thing, beside: Mapping[Beside, list[int]], before: dict[str, Any]) -> dict[str, Any]:
    made = {what.value: numbers for what, numbers in beside.items()}
    stamp = {STAMP: thing.updated_at.isoformat()} if isinstance(thing, Product) else {}
    return {**before, **made, **stamp}
