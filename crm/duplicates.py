"""Who or what may be there already: by address and number, then by name, with a fuzzy measure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from rapidfuzz import fuzz
from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session, joinedload

from crm.contact_points import email_point
from models.company import Company
from models.contact import Contact
from models.contact_point import ContactPoint
from models.lead import Lead

T = TypeVar("T", Contact, Company)
_ACCENTED = {"a": "aáàâãäå", "c": "cç", "e": "eéèêë", "i": "iíìîï", "n": "nñ", "o": "oóòôõöø", "u": "uúùûü"}
#: From so many per cent on two names are taken for one.
NAMES, COMPANIES = 88, 90
_MOST_LOOKED_AT = 2000
_MOST = 10
_LEGAL = re.compile(
    r"\b(ltda|eireli|me|epp|lda|s ?a|gmbh|ag|kg|ug|inc|llc|ltd|limited|corp|co|plc|bv|nv|sarl|sas|srl|spa)\b"
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something that may be the same; `score` in per cent, `why` in words."""

    kind: str
    id: int
    name: str
    score: int
    why: str


def of_lead(session: Session, lead: Lead) -> list[Candidate]:
    """The contacts and companies that a lead may be about, the likeliest first."""
    found = contacts(
        session,
        name=lead.name,
        company=lead.company or "",
        emails=[lead.email] if lead.email else [],
        phones=[lead.phone] if lead.phone else [],
    )
    domain = (lead.email or "").rpartition("@")[2] or None
    return found + companies(session, name=lead.company or "", domain=domain)


def contacts(
    session: Session,
    *,
    name: str,
    company: str = "",
    emails: Sequence[str] = (),
    phones: Sequence[str] = (),
    but: int | None = None,
) -> list[Candidate]:
    """Contacts who may be this person."""
    found: dict[int, Candidate] = {}
    values = [email_point(e)[1] for e in emails] + list(phones)
    if values:
        persons = select(ContactPoint.person_id).where(ContactPoint.value.in_(values))
        sure: ColumnElement[bool] = or_(Contact.person_id.in_(persons), Contact.phone.in_(list(phones)))
        for contact in session.scalars(_there(Contact).where(sure).limit(_MOST)):
            found[contact.id] = Candidate(
                "contact", contact.id, contact.name, 100, "the same address or number"
            )
    wanted = folded(name)
    if wanted:
        rows = session.scalars(
            _there(Contact)
            .options(joinedload(Contact.company))
            .where(_begins(Contact.name, wanted))
            .limit(_MOST_LOOKED_AT)
        )
        for contact in rows:
            score = _alike(wanted, folded(contact.name))
            theirs = contact.company.name if contact.company else ""
            if company and theirs and _alike(firm(company), firm(theirs)) < COMPANIES:
                continue
            if score >= NAMES and contact.id not in found:
                both = " and company" if company and theirs else ""
                found[contact.id] = Candidate(
                    "contact", contact.id, contact.name, score, f"a similar name{both}"
                )
    return _best(c for c in found.values() if c.id != but)


def companies(
    session: Session, *, name: str, domain: str | None = None, but: int | None = None
) -> list[Candidate]:
    """Companies that may be this one."""
    found: dict[int, Candidate] = {}
    if domain:
        chosen = _there(Company).where(Company.domain == domain.lower()).limit(_MOST)
        for company in session.scalars(chosen):
            found[company.id] = Candidate(
                "company", company.id, company.name, 100, f"has the domain {domain}"
            )
    wanted = firm(name)
    if wanted:
        for company in session.scalars(
            _there(Company).where(_begins(Company.name, folded(name))).limit(_MOST_LOOKED_AT)
        ):
            score = _alike(wanted, firm(company.name))
            if score >= COMPANIES and company.id not in found:
                found[company.id] = Candidate("company", company.id, company.name, score, "a similar name")
    return _best(c for c in found.values() if c.id != but)


def folded(text: str) -> str:
    """Small letters without accents, and one space between words."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return " ".join("".join(c for c in apart if not unicodedata.combining(c)).split())


def firm(name: str) -> str:
    """A company's name without what kind of company it is."""
    words = re.sub(r"[^\w ]+", " ", folded(name).replace(".", ""))
    return " ".join(_LEGAL.sub(" ", words).split()) or folded(name)


def _alike(one: str, other: str) -> int:
    return round(max(fuzz.token_sort_ratio(one, other), fuzz.ratio(one, other)))


def _there(table: type[T]) -> Select[T]:
    return select(table).where(table.merged_into_id.is_(None))


def _begins(column: InstrumentedAttribute[str], wanted: str) -> ColumnElement[bool]:
    """Names that begin with the same letter, with whatever accent: a database may know none of those."""
    letters = _ACCENTED.get(wanted[0], wanted[0])
    return func.substr(column, 1, 1).in_([*letters, *letters.upper()])


def _best(found: Iterable[Candidate]) -> list[Candidate]:
    return sorted(found, key=lambda c: (-c.score, c.id))[:_MOST]
