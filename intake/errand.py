"""What has to be done outside before an event can be processed: a question, files, a mail. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rules.order import MailOrder

#: The delivery's fact that holds what a lookup was answered.
LOOKED_UP = "looked_up"
#: The fact that the event's files lie in the storage: under which keys.
STORED = "stored"
#: The fact that the sender was asked to confirm, in words.
ASKED = "asked"
#: The fact of how often the errand has failed.
TRIES = "errand_tries"
#: After so many tries, over about a day, the event is set aside as failed; it can be replayed.
MOST_TRIES = 30


@dataclass(frozen=True, slots=True)
class Lookup:
    """A question to a service that answers with JSON: a GET, or a POST where there is a `form`."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    form: Mapping[str, str] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class MessagePlace:
    """Where a mail lies whose content could not be had."""

    mailbox: str
    folder: str
    uidvalidity: int
    uid: int


@dataclass(frozen=True, slots=True)
class Errand:
    """A question to a service, files by their keys, a mail, or a message to fetch.

    `leaves` is what the journal keeps of the event's body afterwards, where that is less than what came.

    After `patience` tries the event goes on without an answer where it `can_do_without`, else it has failed.
    """

    lookup: Lookup | None = None
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    mail: MailOrder | None = None
    message: MessagePlace | None = None
    leaves: bytes | None = field(default=None, repr=False)
    patience: int = MOST_TRIES
    can_do_without: bool = False


class Needed(Exception):
    """Raised by the pipeline, with nothing written, for an event that needs this done first."""

    def __init__(self, errand: Errand) -> None:
        super().__init__("something has to be done first")
        self.errand = errand
