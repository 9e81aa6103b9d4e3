"""What every provider with a list of calls has: how a page is asked for, and what it means. Pure.

A call of the list becomes the events that the provider would have sent of it, for the same adapter.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Generic, TypeVar

from intake.calls.line import LineSettings
from intake.errand import Lookup

L = TypeVar("L", bound=LineSettings)


@dataclass(frozen=True, slots=True)
class Listed:
    """One event of a call of the list. `call_id` is what the call's events share."""

    call_id: str
    content: bytes
    content_type: str


@dataclass(frozen=True, slots=True)
class Page:
    """One page: how many calls it has, what is to be told of those that are over, where the next page is."""

    calls: int
    events: tuple[Listed, ...]
    following: str | None


class History(Generic[L]):
    """One provider's list of calls."""

    #: How far back the provider tells, in hours; None for as far as anybody asks.
    hours: ClassVar[int | None] = None

    def trouble(self, settings: L) -> str | None:
        """Why the list cannot be asked for, in words; None where it can."""
        raise NotImplementedError

    def ask(self, since: datetime, until: datetime, following: str | None, settings: L) -> Lookup:
        """How a page is asked for; `following` is what the page before said of it, None for the first."""
        raise NotImplementedError

    def page(self, body: bytes, following: str | None, settings: L) -> Page:
        """What the page that was asked for so says. Raises Unreadable for what is none."""
        raise NotImplementedError


def is_ours(settings: LineSettings, *numbers: object) -> bool:
    """Whether a call of the account is one of this line's: by its numbers, or any where it names none."""
    return not settings.numbers or any(number in settings.numbers for number in numbers)
