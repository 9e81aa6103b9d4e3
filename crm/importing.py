"""Rows of a file as leads: new ones in one go, known people one by one, as the import wants it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock
from core.rows import insert_together
from crm import identity, leads, timeline
from crm.contact_points import Point, email_point, phone_point
from crm.entry import Entry
from crm.happening import Happening
from crm.timeline import Told
from models.contact import Contact
from models.import_job import Duplicates, RowOutcome
from models.lead import OPEN, Lead, LeadStatus
from models.source import Channel, Source
from models.user import User

_TEXTS = ("name", "company", "title", "message")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the import asks for. `what` names it and `actor` who started it, for timelines.

    With `quiet` a lead without an owner sets off no alarm.
    """

    source: Source
    duplicates: Duplicates
    what: str
    actor: str
    job_id: int
    tags: Sequence[str] = ()
    quiet: bool = False
    owner: User | None = None


@dataclass(slots=True)
class Brought:
    """What became of an entry; `before` are the values an updated lead had."""

    entry: Entry
    outcome: RowOutcome
    lead: Lead | None = None
    reason: str = ""
    before: dict[str, Any] | None = None
    happenings: list[Happening] = field(default_factory=list)
    #: Its row, where it is no lead.
    element_id: int | None = None


def points_of(entry: Entry) -> list[Point]:
    """The contact points that the entry names."""
    return [*map(email_point, entry.emails), *map(phone_point, entry.phones)]


def bring_in(session: Session, entries: Sequence[tuple[Entry, User | None]], wanted: Wanted) -> list[Brought]:
    """Makes or updates the leads of these entries, each with its owner, in their order."""
    points = [p for entry, _ in entries for p in points_of(entry)]
    identity.lock(session, points)
    known = identity.known(session, points)
    brought: list[Brought] = []
    fresh: list[tuple[Entry, User | None]] = []
    for entry, owner in entries:
        own = points_of(entry)
        if known.isdisjoint(own):
            fresh.append((entry, owner))
            known.update(own)
            continue
        # Somebody the database knows, or whom an earlier row has just named.
        brought += _new_people(session, fresh, wanted)
        fresh = []
        brought.append(_known_person(session, entry, owner, own, wanted))
    brought += _new_people(session, fresh, wanted)
    session.flush()
    return brought


def _new_people(
    session: Session, entries: Sequence[tuple[Entry, User | None]], wanted: Wanted
) -> list[Brought]:
    people = identity.new_people(session, [points_of(entry) for entry, _ in entries])
    made = insert_together(
        session,
        [_lead(e, owner, person_id, wanted) for (e, owner), person_id in zip(entries, people, strict=True)],
    )
    told = [_told(entry, lead, wanted, "Imported") for (entry, _), lead in zip(entries, made, strict=True)]
    timeline.record_all(session, told, kind="submission", actor=wanted.actor)
    return [_created(entry, lead) for (entry, _), lead in zip(entries, made, strict=True)]


def _known_person(
    session: Session, entry: Entry, owner: User | None, points: list[Point], wanted: Wanted
) -> Brought:
    person_id = identity.find(session, points)
    lead = _lead_of(session, person_id) if person_id is not None else None
    if lead is not None and wanted.duplicates is Duplicates.SKIP:
        return Brought(entry, RowOutcome.SKIPPED, lead, f"the person has lead {lead.id}")
    who = identity.identify(session, points)
    lead = _lead_of(session, who.person_id)
    if lead is not None and wanted.duplicates is Duplicates.UPDATE:
        return _updated(session, entry, owner, lead, wanted)
    made = _lead(entry, owner, who.person_id, wanted)
    contact = session.scalars(select(Contact).where(Contact.person_id == who.person_id)).one_or_none()
    if contact is not None:
        made.contact_id, made.company_id = contact.id, contact.company_id
    session.add(made)
    session.flush()
    _record(session, entry, made, wanted, "Imported")
    return _created(entry, made)


def _lead_of(session: Session, person_id: int) -> Lead | None:
    """The person's open lead, else the latest that they had."""
    return session.scalars(
        select(Lead)
        .where(Lead.person_id == person_id, Lead.status != LeadStatus.MERGED)
        .order_by(Lead.status.in_(OPEN).desc(), Lead.id.desc())
        .limit(1)
        .with_for_update(of=Lead)
    ).first()


def _lead(entry: Entry, owner: User | None, person_id: int, wanted: Wanted) -> Lead:
    now = clock.now()
    at = min(entry.created_at or now, now)
    owner = owner or wanted.owner
    email, phone = next(iter(entry.emails), None), next(iter(entry.phones), None)
    source, status = entry.source or wanted.source, LeadStatus(entry.status or LeadStatus.NEW)
    junk = status is LeadStatus.JUNK
    return Lead(
        title=entry.own.get("title") or (entry.name or email or phone or "")[:200],
        status=status,
        own_status=entry.own_status,
        closed_at=now if junk else None,
        closing_reason=entry.own.get("reason") if junk else None,
        channel=Channel.IMPORT,
        source_id=source.id,
        source=source,
        owner_id=owner.id if owner else None,
        owner=owner,
        given_at=now if owner else None,
        alarmed_at=now if wanted.quiet and owner is None else None,
        person_id=person_id,
        name=entry.name,
        email=email,
        phone=phone,
        company=entry.own.get("company"),
        message=entry.own.get("message", ""),
        score=entry.score or 0,
        tags=list(dict.fromkeys([*wanted.tags, *entry.tags])),
        fields=entry.fields,
        attribution=entry.attribution,
        consent=entry.consent,
        created_at=at,
        updated_at=now,
        last_inbound_at=at,
    )


def _created(entry: Entry, lead: Lead) -> Brought:
    happening = Happening("lead.created", lead, {"channel": Channel.IMPORT.value})
    return Brought(entry, RowOutcome.CREATED, lead, happenings=[happening])


def _updated(session: Session, entry: Entry, owner: User | None, lead: Lead, wanted: Wanted) -> Brought:
    actor, before, happened = wanted.actor, {}, []
    texts = {"name": entry.name, **{k: v for k, v in entry.own.items() if k in _TEXTS}}
    for name, value in [*texts.items(), *entry.fields.items()]:
        had = getattr(lead, name) if name in _TEXTS else lead.fields.get(name)
        if value not in (None, "") and value != had:
            before[name if name in _TEXTS else f"fields.{name}"] = had
            happened += leads.set_field(session, lead, name, value, actor=actor)
    if entry.score is not None and entry.score != lead.score:
        before["score"] = lead.score
        happened += leads.set_field(session, lead, "score", entry.score, actor=actor)
    for name, values in (("email", entry.emails), ("phone", entry.phones)):
        if values and not getattr(lead, name):
            before[name] = None
            setattr(lead, name, values[0])
    if new := [t for t in [*wanted.tags, *entry.tags] if t not in lead.tags]:
        before["tags"] = list(lead.tags)
        for tag in new:
            happened += leads.add_tag(session, lead, tag, actor=actor)
    stands = (lead.status.value, lead.own_status)
    # One that is converted stays so: its deal goes on.
    if (
        entry.status
        and stands != (entry.status, entry.own_status)
        and lead.status is not LeadStatus.CONVERTED
    ):
        before["status"], before["own_status"] = stands
        reason = entry.own.get("reason", "")
        status, own = LeadStatus(entry.status), entry.own_status
        happened += leads.change_status(session, lead, status, actor=actor, reason=reason, own=own)
    if (owner := owner or wanted.owner) is not None and owner.id != lead.owner_id:
        before["owner"] = lead.owner_id
        happened += leads.assign(session, lead, owner, actor=actor, why=wanted.what)
    if not before:
        return Brought(entry, RowOutcome.SKIPPED, lead, f"lead {lead.id} has all of it already")
    _record(session, entry, lead, wanted, "Updated by import")
    return Brought(entry, RowOutcome.UPDATED, lead, before=before, happenings=happened)


def _record(session: Session, entry: Entry, lead: Lead, wanted: Wanted, word: str) -> None:
    told = _told(entry, lead, wanted, word)
    timeline.record_all(session, [told], kind="submission", actor=wanted.actor)


def _told(entry: Entry, lead: Lead, wanted: Wanted, word: str) -> Told:
    facts = {
        "import": wanted.job_id,
        "row": entry.number,
        "source": wanted.source.key,
        "channel": Channel.IMPORT.value,
        "name": entry.name,
        "emails": entry.emails,
        "phones": entry.phones,
        **{k: v for k, v in entry.own.items() if k in _TEXTS and k != "name"},
        "fields": entry.fields,
        "attribution": entry.attribution,
    }
    summary = f"{word}: {wanted.what}, row {entry.number}"
    data = {k: v for k, v in facts.items() if v not in (None, "", [], {})}
    now = clock.now()
    return Told(lead, summary, data, min(entry.created_at or now, now))
