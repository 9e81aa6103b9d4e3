"""From a submission to a lead: the open one of the person, or a new one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock
from core.rows import insert_alone
from crm import first_sight, found, leads, merging, newborn, timeline, workspace
from crm.contact_points import Point, email_address, email_point, phone_number, phone_point
from crm.happening import Happening
from crm.identity import Identity, identify
from crm.standing import standing
from crm.submission import NOTHING, Submission
from models.contact import Contact
from models.deal import Deal
from models.lead import Lead, LeadStatus
from models.source import Channel, Source

_LONGEST_TITLE = 200
# The trigger that tells by which channel somebody came, beside lead.created or lead.repeat.
_ARRIVAL = {Channel.FORM: "form.submitted", Channel.EMAIL: "email.received"}


@dataclass(frozen=True, slots=True)
class Capture:
    """The lead, whether it is new, and what happened to it on the way."""

    lead: Lead
    created: bool
    happenings: tuple[Happening, ...]


def capture(
    session: Session,
    submission: Submission,
    *,
    source: Source,
    event_id: str | None,
    country: str,
    on_known: str = "attach",
) -> Capture:
    """Attaches the submission to the person's open lead (the newest, see `crm.standing`), or makes one of it.

    `on_known` says what is done for somebody who has an open lead: `attach`, `repeat` for a lead of its own
    that goes to the same owner, `new` for one like any stranger's. With `repeat` an open deal counts as well.

    `country` (ISO 3166 alpha-2) is where national telephone numbers are read. Nothing that stands
    on an open lead is overwritten; only what was empty is filled.
    """
    emails = [a for a in map(email_address, submission.emails) if a]
    phones = [n for n in (phone_number(raw, country) for raw in submission.phones) if n]
    points: list[Point] = [*map(email_point, emails), *map(phone_point, phones)]
    email, phone = next(iter(emails), None), next(iter(phones), None)
    fresh = _new(submission, source, email, phone)
    met = not first_sight.make(session, points, fresh)
    who = identify(session, points) if met else Identity(fresh.person_id, known=False)
    present = _united(session, who, why=f"{_named(points)} belong together")
    deal = None if present or not who.known else _open_deal(session, who.person_id)
    if deal is not None and deal.lead is not None:
        present = [deal.lead]
    repeats = on_known == "repeat" and who.known
    open_one = (present[-1] if present else standing(session, who.person_id).deal) if repeats else None
    if present and on_known == "attach":
        lead, created = present[-1], False
        _fill(lead, submission, email, phone)
    else:
        lead, created = fresh, True
        if met:
            lead.person_id = who.person_id
            insert_alone(session, lead)
        newborn.born(session, lead)
        if who.known and (contact := _contact(session, who.person_id)) is not None:
            lead.contact_id, lead.company_id = contact.id, contact.company_id
    entry = timeline.record(
        session,
        lead,
        kind="submission",
        summary=_summary(submission, source, created=created),
        data=_facts(submission, source, shared=who.shared),
        event_id=event_id,
        at=submission.occurred_at,
    )
    entry.deal_id = deal.id if deal is not None and not created else None
    told = ["lead.created"] if created else ["lead.repeat"]
    happenings = []
    if open_one is not None:
        told.append("lead.repeat")
        if (owner := open_one.owner) is not None and owner.active:
            why = f"the open {open_one.__tablename__} {open_one.id} of the same person is theirs"
            happenings += leads.assign(session, lead, owner, actor=timeline.SERVICE, why=why)
    happenings = [Happening(k, lead, {"channel": submission.channel.value}) for k in told] + happenings
    if arrival := _ARRIVAL.get(submission.channel):
        happenings.append(Happening(arrival, lead))
    return Capture(lead, created, tuple(happenings))


def _united(session: Session, who: Identity, *, why: str) -> list[Lead]:
    """The person's open leads, oldest first.

    Where the person was taken for several until now, and what they share has just shown itself, the leads of
    those become one with the person's own.
    """
    # Somebody who has just been made has none.
    present = list(leads.open_leads(session, who.person_id)) if who.known or who.absorbed else []
    moved = [lead for lead in present if lead.id in who.moved]
    if not moved:
        return present
    own = [lead for lead in present if lead.id not in who.moved]
    first, *others = sorted([*moved, *own[-1:]], key=lambda lead: lead.id)
    carried = list(who.carried)
    for other in others:
        # Each hand-over of a person goes with the first merge of one of their leads, which undoes both.
        theirs = {p["person"] for p in carried if _leads_in(p) & {first.id, other.id}}
        persons = [p for p in carried if p["person"] in theirs]
        carried = [p for p in carried if p["person"] not in theirs]
        merging.merge(session, first, other, by=timeline.SERVICE, why=why, persons=persons)
    return sorted([*own[:-1], first], key=lambda lead: lead.id)


def _leads_in(carried: Mapping[str, Any]) -> set[int]:
    return {row[0] for row in carried["rows"]} if carried["table"] == "lead" else set()


def _new(submission: Submission, source: Source, email: str | None, phone: str | None) -> Lead:
    """The lead that the submission would become; written by the caller."""
    now = clock.now()
    name = submission.name.strip()
    lead = Lead(
        title=(submission.title or name or email or phone or "Withheld number").strip()[:_LONGEST_TITLE],
        status=LeadStatus.NEW,
        channel=submission.channel,
        source_id=source.id,
        source=source,
        name=name,
        email=email,
        phone=phone,
        company=submission.company.strip() or None,
        message=submission.message,
        score=0,
        tags=[],
        fields=dict(submission.fields),
        attribution=dict(submission.attribution),
        created_at=now,
        updated_at=now,
        last_inbound_at=submission.occurred_at,
    )
    found.fill(lead, submission.found)
    return lead


def _open_deal(session: Session, person_id: int) -> Deal | None:
    """In a workspace that goes straight to deals: the person's open one, which the enquiry is about."""
    if workspace.load(session).mode != "simple":
        return None
    return standing(session, person_id).deal


def _contact(session: Session, person_id: int) -> Contact | None:
    return session.scalars(select(Contact).where(Contact.person_id == person_id)).one_or_none()


def _fill(lead: Lead, submission: Submission, email: str | None, phone: str | None) -> None:
    found.give_way(lead, {"phone": phone, "company": submission.company.strip()})
    for field, value in (
        ("name", submission.name.strip()),
        ("email", email),
        ("phone", phone),
        ("company", submission.company.strip() or None),
        ("message", submission.message),
    ):
        if value and not getattr(lead, field):
            setattr(lead, field, value)
    found.fill(lead, submission.found)
    lead.fields = {**submission.fields, **{k: v for k, v in lead.fields.items() if v not in (None, "")}}
    if submission.attribution:
        # The first touch stays; where they came from this time stands beside it.
        last = {k: v for k, v in submission.attribution.items() if k != "first_touch"}
        before = {k: v for k, v in lead.attribution.items() if k != "last_touch"}
        lead.attribution = {**before, "last_touch": last} if before else dict(submission.attribution)
    lead.last_inbound_at = max(lead.last_inbound_at, submission.occurred_at)
    lead.updated_at = clock.now()


def _named(points: list[Point]) -> str:
    return " and ".join(value for _, value in points)


def _summary(submission: Submission, source: Source, *, created: bool) -> str:
    kind = {Channel.FORM: "Form", Channel.EMAIL: "E-mail", Channel.CALL: "Call"}.get(
        submission.channel, "Enquiry"
    )
    again = "" if created else " again"
    return f"{kind}{again}: {submission.title or source.name}"


def _facts(submission: Submission, source: Source, *, shared: tuple[str, ...]) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "source": source.key,
        "channel": submission.channel.value,
        "name": submission.name,
        "emails": list(submission.emails),
        "phones": list(submission.phones),
        "company": submission.company,
        "title": submission.title,
        "message": submission.message,
        "found": {
            "phones": list(submission.found.phones),
            "company": submission.found.company,
            "role": submission.found.role,
        }
        if submission.found != NOTHING
        else {},
        "fields": dict(submission.fields),
        "extra": dict(submission.extra),
        "attribution": dict(submission.attribution),
        "consent": submission.consent,
        "consents": [
            {"text": c.text, "version": c.version, "given": c.given} for c in submission.consents if c.text
        ],
        "files": [f.name for f in submission.files],
    }
    if shared:
        facts["also_used_by_others"] = list(shared)
    return {k: v for k, v in facts.items() if v not in (None, "", [], {})}
