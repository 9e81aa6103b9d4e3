"""Who of those that write is one of ours."""

from __future__ import annotations

import re
from dataclasses import dataclass

from intake.mailbox import addresses
from intake.mailbox.settings import MailboxSettings
from rules.free_mail import is_free


@dataclass(frozen=True, slots=True)
class Ours:
    """The mailbox's own address, its colleagues' and their domains; all in lower case."""

    addresses: frozenset[str]
    domains: frozenset[str]

    @classmethod
    def of(cls, settings: MailboxSettings) -> Ours:
        """As the mailbox is declared. A domain where anybody gets an address is nobody's."""
        own = {word.lower() for word in (settings.username, settings.sender or "") if "@" in word}
        named = [word.lower().removeprefix("@") for word in settings.colleagues]
        domains = {d for d in map(addresses.domain, own) if not is_free(d)}
        return cls(
            frozenset(own.union(word for word in named if "@" in word)),
            frozenset(domains.union(word for word in named if "@" not in word)),
        )

    def wrote(self, address: str) -> bool:
        """Whether the address is exactly one of ours."""
        return re.sub(r"\+[^@]*@", "@", address.lower()) in self.addresses

    def includes(self, address: str) -> bool:
        """Whether the address is one of ours, or of a domain of ours."""
        domain = addresses.domain(address)
        return self.wrote(address) or any(domain == d or domain.endswith(f".{d}") for d in self.domains)
