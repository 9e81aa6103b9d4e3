"""What a telephony adapter has beside what every adapter has."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Literal, TypeVar
from urllib.parse import urlsplit

from crm.submission import CallUpdate
from intake.adapter import Adapter
from intake.calls.connect import Connection, Question
from intake.calls.line import LineSettings
from intake.delivery import Delivery
from intake.errand import Lookup
from models.source import Channel

L = TypeVar("L", bound=LineSettings)
# Strict on purpose: two readers of one odd address may see two hosts in it.
_ADDRESS = re.compile(r"https://[A-Za-z0-9.:-]{3,200}/[A-Za-z0-9/._~%?=&+:,;@!$'()*-]{0,1500}")


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that the provider expects in its own words."""

    content: bytes = b""
    content_type: str = "text/plain"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


class CallAdapter(Adapter[L]):
    """One provider's webhooks."""

    channel: ClassVar[Channel] = Channel.CALL
    #: Its name in addresses and in the workspace file, where that is not `name`.
    called: ClassVar[str] = ""
    #: How its events come; a GET carries them in its address.
    methods: ClassVar[tuple[str, ...]] = ("POST",)
    #: Whether it calls methods under its address instead of posting to it.
    has_methods: ClassVar[bool] = False
    #: Where its recordings lie; a name with a dot before it stands for all hosts under it.
    recording_hosts: ClassVar[tuple[str, ...]] = ()

    @property
    def provider(self) -> str:
        """Its name in addresses and in the workspace file."""
        return self.called or self.name

    def handshake(self, delivery: Delivery, settings: L) -> Reply | None:
        """The answer to a request with which the provider tries the address; None for an event.

        Raises Refused where the provider would have to prove itself and does not.
        """
        return None

    def carries_file(self, path: str, settings: L) -> bool:
        """Whether what is posted here may be as large as a file: only to whom the line's secret is known."""
        return False

    def kept(self, delivery: Delivery) -> Delivery:
        """The delivery as the journal keeps it: whole, but for secrets that stand in it."""
        return delivery

    def parse(self, delivery: Delivery, settings: L) -> CallUpdate:
        """What this event says about its call."""
        raise NotImplementedError

    def answer(self, delivery: Delivery, settings: L) -> Reply:
        """What the provider expects in answer to an accepted event."""
        return Reply()

    def asks(self, delivery: Delivery, settings: L) -> Question | None:
        """What a provider wants to know that waits for whom to ring; None where it only tells, or the line
        does not say who answers."""
        return None

    def connecting(self, delivery: Delivery, settings: L, connection: Connection) -> Reply:
        """The answer to such a question."""
        raise NotImplementedError

    def recording(self, said: str, settings: L, at: datetime) -> Lookup | None:
        """How a recording of this address, or id, is fetched at this moment; None where this line may not."""
        return Lookup(said) if self.may_fetch(said, settings) else None

    def sign_in(self, settings: L) -> Lookup | None:
        """The question whose answer has an `access_token` that recordings are fetched with; None for none."""
        return None

    def linked(self, said: str, content: bytes) -> str | None:
        """The address that was answered in place of the recording; None where it is the recording."""
        return None

    def may_fetch(self, url: str, settings: L) -> bool:
        """Whether the address is one of the provider's recordings, or of the hosts that the line names."""
        return fits(url, (*self.recording_hosts, *settings.recording_hosts))

    def recording_url(self, url: object, settings: L) -> str | None:
        """The address where it may be fetched from; None for any other, and for what is no address."""
        return url if isinstance(url, str) and self.may_fetch(url, settings) else None


def fits(url: str, hosts: tuple[str, ...]) -> bool:
    """Whether it is an HTTPS address on one of the hosts, and nothing that two readers may see otherwise."""
    if not _ADDRESS.fullmatch(url):
        return False
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    if parts.scheme != "https" or parts.username is not None or port not in (None, 443):
        return False
    return any(host == h or (h.startswith(".") and host.endswith(h)) for h in hosts)


def side(direction: object) -> Literal["inbound", "outbound"] | None:
    """The direction in our words, where the provider uses one of the usual ones."""
    said = str(direction or "").lower()
    if said in ("inbound", "incoming", "in"):
        return "inbound"
    return "outbound" if said in ("outbound", "outgoing", "out") or said.startswith("outbound-") else None


def side_by_numbers(
    caller: object, called: object, settings: LineSettings
) -> Literal["inbound", "outbound"] | None:
    """The direction by which end is a number of the line; None where neither is."""
    if called in settings.numbers:
        return "inbound"
    return "outbound" if caller in settings.numbers else None
