"""Companies by their domain and by their name: read once for each letter, for all rows of a transaction."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.similar_names import begins, firm, folded
from models.company import Company


class Firms:
    """The companies that stand; of several alike the oldest."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._named: dict[str, dict[str, int]] = {}
        self._at: dict[str, int | None] = {}

    def find(self, name: str, domain: str | None = None) -> Company | None:
        """The company of this domain, else the one of this name, whatever kind of company it is called."""
        found = self._of_domain(domain) if domain else None
        found = found or self._letter(name).get(firm(name))
        return self._session.get(Company, found) if found else None

    def look_up(self, domains: Iterable[str]) -> None:
        """Reads who has these domains in one go."""
        wanted = dict.fromkeys(domains)
        chosen = select(Company.domain, Company.id).where(
            Company.domain.in_(list(wanted)), Company.merged_into_id.is_(None)
        )
        self._at |= wanted
        for domain, number in self._session.execute(chosen.order_by(Company.id.desc())):
            self._at[domain or ""] = number

    def made(self, company: Company) -> None:
        """Takes note of a new one, which is the youngest."""
        self._letter(company.name).setdefault(firm(company.name), company.id)
        if company.domain and self._of_domain(company.domain) is None:
            self._at[company.domain] = company.id

    def forget(self) -> None:
        """Reads all again when it is next asked: one was changed."""
        self._named.clear()
        self._at.clear()

    def _of_domain(self, domain: str) -> int | None:
        if domain not in self._at:
            self.look_up([domain])
        return self._at[domain]

    def _letter(self, name: str) -> dict[str, int]:
        letter = folded(name)[:1]
        if not letter:
            return {}
        if letter not in self._named:
            chosen = select(Company.id, Company.name).where(
                begins(Company.name, letter), Company.merged_into_id.is_(None)
            )
            rows = self._session.execute(chosen.order_by(Company.id.desc()))
            self._named[letter] = {firm(called): number for number, called in rows}
        return self._named[letter]
