"""What every provider that can be told to place a call has: requests, and what their answers mean. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Generic, TypeVar

from core.errors import Unreadable
from intake.calls import reading
from intake.calls.line import LineSettings
from intake.text import clean

L = TypeVar("L", bound=LineSettings)
#: Seconds that the agent's telephone rings: less than it takes until a mailbox answers for them.
AGENT_RINGS = 20
#: Seconds that the client's telephone rings.
CLIENT_RINGS = 40


@dataclass(frozen=True, slots=True)
class Dial:
    """A call to place. Numbers in E.164; `address` is our own for this line's events, `handle` the
    provider's name for the connection to the agent."""

    order: str
    agent_number: str | None
    agent_extension: str | None
    agent_email: str
    client_number: str
    line_number: str | None
    address: str
    handle: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """What is posted to the provider."""

    url: str
    content: bytes
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Placed:
    """What the provider's answer names: the call, and the connection to the agent."""

    call_id: str | None = None
    handle: str | None = None


@dataclass(frozen=True, slots=True)
class Transfer:
    """A caller who waits. `id` is ours, `kind` `first`, `fallback` or `hangup`; `handle` is the provider's
    name for the caller's connection, `number` whose telephone rings for them, for so many seconds."""

    id: int
    kind: str
    handle: str
    number: str | None
    seconds: int


class Dialler(Generic[L]):
    """One provider. Its first command is `dial`; its events may ask for more (`CallUpdate.asks`)."""

    #: Whether a command that is sent again is known by the provider and not carried out twice.
    repeatable: ClassVar[bool] = False
    #: Whether an agent may be called by extension alone.
    by_extension: ClassVar[bool] = False

    def trouble(self, settings: L, address: str) -> str | None:
        """Why this line cannot place calls, in words; None where it can."""
        raise NotImplementedError

    def request(self, kind: str, dial: Dial, settings: L) -> Request:
        """The request of a command: `dial`, `connect` or `hangup`."""
        raise NotImplementedError

    def placed(self, body: bytes, settings: L) -> Placed:
        """What the answer to `dial` names."""
        raise NotImplementedError

    def transfer(self, transfer: Transfer, settings: L) -> Request:
        """The request that puts a caller through, or hangs up; a repeated one does nothing more."""
        raise NotImplementedError

    def refusal(self, body: bytes) -> str:
        """Why the provider refused, in its own words; empty where it gives none."""
        try:
            said = reading.document(body)
        except Unreadable:
            return ""
        errors = said.get("errors")
        first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else said
        found = next((first[n] for n in ("detail", "message", "title", "error") if first.get(n)), "")
        return clean(str(found))[:300] if isinstance(found, str) else ""


def no_number(settings: LineSettings) -> str | None:
    """What is wrong with a line that has no number to call from."""
    return None if settings.numbers else "it has no number of ours to call from: set its `numbers`"


def not_public(address: str) -> str | None:
    """What is wrong with an address that a provider on the internet cannot reach."""
    if address.startswith("https://"):
        return None
    return "PORTARIA_PUBLIC_URL is no https address, so the provider could not tell what becomes of the call"
