"""What every provider has whose webhooks end by themselves: requests, and what their answers mean. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from intake.calls.line import LineSettings

L = TypeVar("L", bound=LineSettings)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request; its headers are those of whoever has signed in."""

    method: str
    url: str
    content: bytes = b""


@dataclass(frozen=True, slots=True)
class Subscription:
    """One subscription as the provider tells of it. `alive`: whether it sends us anything."""

    id: str
    alive: bool
    expires_at: datetime | None
    events: tuple[str, ...] = ()


class Subscriber(Generic[L]):
    """One provider's subscriptions."""

    def trouble(self, settings: L, address: str) -> str | None:
        """Why we cannot look after the line's subscription, in words; None where we can."""
        raise NotImplementedError

    def asks_for(self, settings: L, address: str) -> str:
        """What a subscription of this line's says, as a digest: the provider is told of another one."""
        raise NotImplementedError

    def find(self, settings: L) -> Asked:
        """The question which subscriptions there are."""
        raise NotImplementedError

    def found(self, body: bytes, address: str) -> Subscription | None:
        """The one among them that tells this address; None for none. Raises Unreadable."""
        raise NotImplementedError

    def make(self, settings: L, address: str) -> Asked:
        """The request for a new one."""
        raise NotImplementedError

    def renew(self, known: Subscription, settings: L) -> Asked:
        """The request to let one go on."""
        raise NotImplementedError

    def change(self, known: Subscription, settings: L, address: str) -> Asked:
        """The request to let one go on, and to say what this line's says now."""
        raise NotImplementedError

    def drop(self, known: Subscription, settings: L) -> Asked:
        """The request to end one that is dead, in whose place comes a new one."""
        raise NotImplementedError

    def told(self, body: bytes) -> Subscription:
        """The subscription in the answer to `make`, `renew` or `change`. Raises Unreadable."""
        raise NotImplementedError
