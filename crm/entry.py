"""What a row of an imported file says: typed and normalised, not yet a lead."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from models.source import Source

#: The most characters of a lead's own fields.
LONGEST = {"name": 300, "company": 300, "title": 200, "message": 200_000}


@dataclass(slots=True)
class Entry:
    """What a row says. Addresses and numbers are normalised; `problems` are in words, by column."""

    number: int
    emails: list[str] = field(default_factory=list)
    phones: list[str] = field(default_factory=list)
    own: dict[str, str] = field(default_factory=dict)
    fields: dict[str, Any] = field(default_factory=dict)
    attribution: dict[str, Any] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    #: As it was written; what that means anywhere; with one of the workspace's own it is in_progress.
    status_word: str = ""
    status: str | None = None
    own_status: str | None = None
    #: The row's own, where it names one.
    source: Source | None = None
    owner: str | None = None
    score: int | None = None
    created_at: datetime | None = None
    consent: bool | None = None
    problems: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The whole name."""
        parts = (self.own.get("first_name", ""), self.own.get("last_name", ""))
        return (self.own.get("name") or " ".join(p for p in parts if p))[: LONGEST["name"]]
