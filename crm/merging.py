"""Makes two leads, contacts or companies one, and two again.

Everything that hangs on the one that goes is carried over, whatever table it is in; what is needed to bring
it back stands in the merge's row (models/merge.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from core import clock
from core.errors import Conflict, Invalid, NotFound
from crm import carrying, identity, merge_fields, timeline
from crm.happening import Happening
from models.activity import Activity, ActivityState
from models.company import Company
from models.contact import Contact
from models.contact_point import ContactPoint, Person
from models.duplicate import DuplicatePair, PairState
from models.lead import Lead, LeadStatus
from models.merge import Merge
from models.offer import Offer, OfferState

TABLES: Mapping[str, type[Lead | Contact | Company]] = {"lead": Lead, "contact": Contact, "company": Company}
E = TypeVar("E", bound=Lead | Contact | Company)


def pair(session: Session, table: type[E], survivor_id: int, other_id: int) -> tuple[E, E]:
    """Both rows, held until the transaction ends, with the contact points of their people.

    Raises NotFound, and Invalid where both are one.
    """
    kind = table.__tablename__
    if survivor_id == other_id:
        raise Invalid("some values are not acceptable", {"/other": f"is this {kind} itself"})
    rows = {row.id: row for row in _held(session, table, survivor_id, other_id)}
    if survivor_id not in rows:
        raise NotFound(f"there is no such {kind}")
    if other_id not in rows:
        raise Invalid("some values are not acceptable", {"/other": "is not there"})
    return rows[survivor_id], rows[other_id]


def merge(
    session: Session,
    survivor: E,
    other: E,
    *,
    by: str,
    why: str = "",
    choose: Mapping[str, str] | None = None,
    same_person: bool = True,
    persons: Sequence[Mapping[str, Any]] = (),
) -> Merge:
    """Makes `other` part of `survivor`; the caller holds both (see `pair`).

    `choose` says by field whose value stands ('survivor', 'other'; of tags also 'both'); where it says
    nothing, what is empty is filled. Two leads' people become one, unless `same_person` is false; `persons`
    is what of that has been done already (see crm.identity). Raises Conflict where one of them is part of
    another already, or where people are two contacts.
    """
    kind = survivor.__tablename__
    for row in (survivor, other):
        if row.merged_into_id is not None:
            raise Conflict(f"{kind} {row.id} is part of {kind} {row.merged_into_id} now")
    chosen = merge_fields.checked(kind, choose or {})
    session.flush()
    moved: list[dict[str, Any]] = [dict(one) for one in persons]
    gone = {"merged_into_id": [None, survivor.id], "updated_at": [carrying.plain(other.updated_at), None]}
    if isinstance(survivor, Contact) and isinstance(other, Contact):
        gone["person_id"] = [other.person_id, None]
        theirs, other.person_id = other.person_id, None
        session.flush()
        if survivor.person_id is not None and theirs is not None:
            moved += identity.take_over(session, survivor.person_id, theirs)
    values = merge_fields.united(kind, survivor, other, chosen)
    if isinstance(survivor, Contact) and isinstance(other, Contact):
        waits = [at for at in (survivor.waits_since, other.waits_since) if at is not None]
        values |= {"waits_since": min(waits)} if waits else {}
    if isinstance(survivor, Lead) and isinstance(other, Lead):
        if same_person and survivor.person_id != other.person_id:
            moved += _unite_leads(session, survivor, other)
        values |= _heard(survivor, other)
        if values.get("owner_id"):
            values |= {"waits": False, "wish": None}
        gone["status"] = [other.status.value, LeadStatus.MERGED.value]
        gone["own_status"] = [other.own_status, None]
        moved += _altered(session, survivor, other, values.get("owner_id", survivor.owner_id))
    moved += carrying.carry(session, kind, other.id, survivor.id)
    made = Merge(
        kind=kind,
        survivor_id=survivor.id,
        merged_id=other.id,
        by=by,
        why=why,
        at=clock.now(),
        changed={n: [carrying.plain(getattr(survivor, n)), carrying.plain(v)] for n, v in values.items()},
        gone=gone,
        moved=moved,
    )
    session.expire_all()
    for name, value in values.items():
        setattr(survivor, name, value)
    if isinstance(other, Lead):
        other.status, other.own_status = LeadStatus.MERGED, None
    other.merged_into_id = survivor.id
    survivor.updated_at = other.updated_at = made.at
    session.add(made)
    session.flush()
    _decide(session, made, PairState.MERGED, by=by)
    timeline.record(
        session,
        survivor,
        kind="merged",
        summary=f"{kind.capitalize()} {other.id} ({_called(other)}) is part of this one now"
        + (f": {why}" if why else ""),
        actor=by,
        data={"merge": made.id, "merged": other.id},
    )
    return made


def split(
    session: Session, made: Merge, *, by: str
) -> tuple[Lead | Contact | Company, Lead | Contact | Company]:
    """Makes two of a merge again, as they were; what was done since stays with the survivor.

    Answers with the survivor and the other. Raises Conflict for a merge that was undone, or whose survivor
    is itself part of another now.
    """
    if made.undone_at is not None:
        raise Conflict("this merge was undone already")
    table = TABLES[made.kind]
    rows = {row.id: row for row in _held(session, table, made.survivor_id, made.merged_id)}
    survivor, other = rows.get(made.survivor_id), rows.get(made.merged_id)
    if survivor is None or other is None or other.merged_into_id != survivor.id:
        raise Conflict("one of the two is not there any more")
    if survivor.merged_into_id is not None:
        where = f"{made.kind} {survivor.merged_into_id}"
        raise Conflict(f"{made.kind} {survivor.id} is itself part of {where} now; undo that first")
    columns = Merge.metadata.tables[made.kind].columns
    now = {name: carrying.plain(getattr(survivor, name)) for name in made.changed}
    back = merge_fields.undone(made.kind, made.changed, now)
    _teach_later(session, made)
    carried = [told for told in made.moved if "column" in told]
    for told in reversed(carried):
        if told.get("person") is None:
            carrying.bring_back(session, [told], old=other.id, new=survivor.id)
    _part(session, [told for told in carried if told.get("person") is not None], survivor)
    carrying.unalter(session, [told for told in made.moved if "set" in told])
    session.expire_all()
    for name, value in back.items():
        setattr(survivor, name, carrying.restored(columns[name], value))
    for name, (before, _) in made.gone.items():
        setattr(other, name, carrying.restored(columns[name], before))
    survivor.updated_at = other.updated_at = made.undone_at = clock.now()
    made.undone_by = by
    session.flush()
    _decide(session, made, PairState.DISMISSED, by=by)
    for row, words in (
        (survivor, f"{made.kind.capitalize()} {other.id} is apart again"),
        (other, "Apart again"),
    ):
        timeline.record(session, row, kind="split", summary=words, actor=by, data={"merge": made.id})
    return survivor, other


def told(survivor: Lead, made: Merge) -> list[Happening]:
    """What rules and webhooks hear of a merge of leads."""
    return [Happening("lead.merged", survivor, {"merged": made.merged_id})]


def standing(session: Session, row: E) -> E:
    """The element, or the one that it is part of now."""
    while row.merged_into_id is not None:
        row = session.get_one(type(row), row.merged_into_id)
    return row


def _held(session: Session, table: type[Any], *ids: int) -> Sequence[Any]:
    """The rows, held; before them the contact points of their people, as whoever enquires takes them."""
    if table is not Company:
        points = select(ContactPoint.kind, ContactPoint.value).where(
            ContactPoint.person_id.in_(select(table.person_id).where(table.id.in_(ids)))
        )
        identity.lock(session, [(row.kind, row.value) for row in session.execute(points)])
    chosen = select(table).where(table.id.in_(ids)).order_by(table.id)
    return session.scalars(chosen.with_for_update(of=table).execution_options(populate_existing=True)).all()


def _unite_leads(session: Session, survivor: Lead, other: Lead) -> list[dict[str, Any]]:
    chosen = select(Contact).where(Contact.person_id.in_((survivor.person_id, other.person_id)))
    contacts = session.scalars(chosen.order_by(Contact.id)).all()
    if len(contacts) > 1:
        names = " and ".join(f"contact {c.id} ({c.name})" for c in contacts)
        raise Conflict(
            f"their people are {names}: merge those first, or merge the leads without their people"
        )
    return identity.take_over(session, survivor.person_id, other.person_id)


def _heard(survivor: Lead, other: Lead) -> dict[str, Any]:
    found: dict[str, Any] = {"last_inbound_at": max(survivor.last_inbound_at, other.last_inbound_at)}
    spoken = [at for at in (survivor.last_outbound_at, other.last_outbound_at) if at is not None]
    found["last_outbound_at"] = max(spoken, default=None)
    return {name: value for name, value in found.items() if value != getattr(survivor, name)}


def _altered(session: Session, survivor: Lead, other: Lead, owner_id: int | None) -> list[dict[str, Any]]:
    """What is planned twice is cancelled, so that nobody calls twice; an offer of what goes is withdrawn."""
    rows = Activity.__table__.c
    planned = rows.state == ActivityState.PLANNED
    types = select(Activity.type).where(
        Activity.lead_id == survivor.id, Activity.state == ActivityState.PLANNED
    )
    cancelled = {
        "state": ActivityState.CANCELLED,
        "outcome": f"merged into lead {survivor.id}",
        "done_at": clock.now(),
    }
    where = (rows.lead_id == other.id) & planned & rows.type.in_(session.scalars(types).all())
    moved = carrying.alter(session, Activity.metadata.tables["activity"], where, cancelled)
    if owner_id is not None:
        where = rows.lead_id.in_((survivor.id, other.id)) & planned
        moved += carrying.alter(session, Activity.metadata.tables["activity"], where, {"owner_id": owner_id})
    offers = Offer.__table__.c
    where = (offers.lead_id == other.id) & (offers.state == OfferState.OPEN)
    moved += carrying.alter(session, Offer.metadata.tables["offer"], where, {"state": OfferState.WITHDRAWN})
    return moved


def _part(session: Session, carried: Sequence[Mapping[str, Any]], survivor: Lead | Contact | Company) -> None:
    """Gives the other's person back what was theirs."""
    present = None if isinstance(survivor, Company) else survivor.person_id
    if present is None:
        return
    for told in reversed(carried):
        if session.get(Person, told["person"]) is not None:
            carrying.bring_back(session, [told], old=told["person"], new=present)


def _decide(session: Session, made: Merge, state: PairState, *, by: str) -> None:
    """Whether the two are one is decided; nobody has to be asked."""
    first, second = sorted((made.survivor_id, made.merged_id))
    pair = (DuplicatePair.first_id == first, DuplicatePair.second_id == second)
    session.execute(
        update(DuplicatePair)
        .where(DuplicatePair.kind == made.kind, *pair)
        .values(state=state, decided_at=clock.now(), decided_by=by)
    )


def _teach_later(session: Session, made: Merge) -> None:
    """Undoing later merges must not bring back what they took for the survivor's own and was this one's."""
    later = select(Merge).where(
        Merge.kind == made.kind,
        Merge.survivor_id == made.survivor_id,
        Merge.id > made.id,
        Merge.undone_at.is_(None),
    )
    for one in session.scalars(later):
        stood = {name: both[0] for name, both in one.changed.items()}
        mine = {name: both for name, both in made.changed.items() if name in stood}
        stood |= merge_fields.undone(made.kind, mine, stood)
        one.changed = {name: [stood[name], both[1]] for name, both in one.changed.items()}


def _called(row: Lead | Contact | Company) -> str:
    return row.name or (row.title if isinstance(row, Lead) else "") or "without a name"
