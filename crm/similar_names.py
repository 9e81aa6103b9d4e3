"""Which names are like one, by a fuzzy measure: among those that begin with the same letter."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from rapidfuzz import fuzz, process
from sqlalchemy import ColumnElement, Row, Select, func, null, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from models.company import Company
from models.contact import Contact
from models.lead import OPEN, Lead

_ACCENTED = {"a": "aáàâãäå", "c": "cç", "e": "eéèêë", "i": "iíìîï", "n": "nñ", "o": "oóòôõöø", "u": "uúùûü"}
#: From so many per cent on two names are taken for one.
NAMES, COMPANIES = 88, 90
_MOST_LOOKED_AT = 2000
_LEGAL = re.compile(
    r"\b(ltda|eireli|me|epp|lda|s ?a|gmbh|ag|kg|ug|inc|llc|ltd|limited|corp|co|plc|bv|nv|sarl|sas|srl|spa)\b"
)


class Similar(NamedTuple):
    """One of a similar name; `company` is the name of theirs, `score` in per cent."""

    id: int
    name: str
    company: str | None
    score: int


@dataclass(frozen=True, slots=True)
class _Read:
    rows: Sequence[Row[int, str, str | None]]
    compared: list[str]


class Names:
    """The names in the database, read once for each letter: whoever asks for many elements keeps one."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._read: dict[tuple[type, str], _Read] = {}

    def leads(self, name: str) -> Iterator[Similar]:
        """Open leads of a similar name, of the newest."""
        chosen = select(Lead.id, Lead.name, Lead.company).where(Lead.status.in_(OPEN))
        return self._similar(Lead, chosen.order_by(Lead.id.desc()), Lead.name, name)

    def contacts(self, name: str) -> Iterator[Similar]:
        """Contacts of a similar name."""
        chosen = (
            select(Contact.id, Contact.name, Company.name)
            .outerjoin(Company, Company.id == Contact.company_id)
            .where(Contact.merged_into_id.is_(None))
        )
        return self._similar(Contact, chosen, Contact.name, name)

    def companies(self, name: str) -> Iterator[Similar]:
        """Companies of a similar name, whatever kind of company they are."""
        chosen = select(Company.id, Company.name, null()).where(Company.merged_into_id.is_(None))
        return self._similar(Company, chosen, Company.name, name)

    def _similar(
        self, table: type, chosen: Select[int, str, str | None], column: InstrumentedAttribute[str], name: str
    ) -> Iterator[Similar]:
        begin = folded(name)[:1]
        if not begin:
            return
        if (read := self._read.get((table, begin))) is None:
            rows = self._session.execute(chosen.where(begins(column, begin)).limit(_MOST_LOOKED_AT)).all()
            fold = firm if table is Company else folded
            compared = [fold(name) for _, name, _ in rows]
            read = self._read[table, begin] = _Read(rows, compared)
        wanted, least = (firm(name), COMPANIES) if table is Company else (folded(name), NAMES)
        for at, score in _alike(wanted, read.compared, least):
            yield Similar(*read.rows[at], score)


def same_firm(one: str, other: str) -> bool:
    """Whether two companies' names may be one's."""
    return bool(list(_alike(firm(one), [firm(other)], COMPANIES)))


def folded(text: str) -> str:
    """Small letters without accents, and one space between words."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return " ".join("".join(c for c in apart if not unicodedata.combining(c)).split())


@lru_cache(maxsize=20_000)
def firm(name: str) -> str:
    """A company's name without what kind of company it is."""
    words = re.sub(r"[^\w ]+", " ", folded(name).replace(".", ""))
    return " ".join(_LEGAL.sub(" ", words).split()) or folded(name)


def _alike(wanted: str, names: list[str], least: int) -> Iterator[tuple[int, int]]:
    """The positions of those that are as alike, with how much: all measured in one cheap call."""
    best: dict[int, float] = {}
    for scorer in (fuzz.token_sort_ratio, fuzz.ratio):
        # Half a per cent below, since they are rounded.
        for _, score, at in process.extract(
            wanted, names, scorer=scorer, limit=None, score_cutoff=least - 0.5
        ):
            best[at] = max(score, best.get(at, 0.0))
    for at in sorted(best):
        if (score := round(best[at])) >= least:
            yield at, score


def begins(column: InstrumentedAttribute[str], letter: str) -> ColumnElement[bool]:
    """Names that begin with the letter, with whatever accent: a database may know none of those."""
    letters = _ACCENTED.get(letter, letter)
    return func.substr(column, 1, 1).in_([*letters, *letters.upper()])
