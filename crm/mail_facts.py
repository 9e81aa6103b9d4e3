"""What a mail says of itself: the facts that threads, bounces and answers are made of.

All of it is the sender's word but `authentication`, which a host that the mailbox trusts has written, and
`recipients` where our own server has added it. None of it opens anything by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crm.submission import Submission


class Automatic(StrEnum):
    """What kind of machine wrote a mail that no person wrote to us."""

    REPLY = "reply"  # an answer that a machine gives to each mail
    OUT_OF_OFFICE = "out_of_office"
    BOUNCE = "bounce"
    RECEIPT = "receipt"  # it was delivered or read (RFC 8098)
    COMPLAINT = "complaint"  # somebody called ours spam (RFC 5965)
    CALENDAR = "calendar"  # an invitation answered, changed or withdrawn
    LIST = "list"  # a mailing list or a newsletter
    BULK = "bulk"
    NOTICE = "notice"  # a program tells of something
    OWN = "own"  # we sent it ourselves


@dataclass(frozen=True, slots=True)
class MailAddress:
    """A name as shown, which may be empty or a lie, and an address as written."""

    name: str
    address: str


@dataclass(frozen=True, slots=True)
class Authentication:
    """What the trusted host found (RFC 8601): `pass`, `fail`, `none` …; None where it says nothing.

    `host` is its authserv-id. `dkim_domains` are those whose signature passed; `dmarc_domain` is the domain
    of From that DMARC looked at.
    """

    host: str
    spf: str | None = None
    dkim: str | None = None
    dmarc: str | None = None
    dkim_domains: tuple[str, ...] = ()
    dmarc_domain: str = ""

    @property
    def words(self) -> str:
        """In a line for people."""
        said = [f"{name} {word}" for name, word in (("SPF", self.spf), ("DKIM", self.dkim)) if word]
        said += [f"DMARC {self.dmarc}"] if self.dmarc else []
        return f"{', '.join(said) or 'nothing'} by {self.host}"


@dataclass(frozen=True, slots=True)
class MailFacts:
    """One mail. Message-IDs stand with their angle brackets, '' where there is none.

    `sender` is who wrote From, also where somebody else's words were forwarded; `reply_to` is None where it
    names nobody else. `recipients` are all addresses it came to, in To, Cc and in what the servers on the
    way have noted (Delivered-To, X-Original-To, Envelope-To): where a plus-address of ours would be.
    `references` are in the order of the header, the direct predecessor last. `date` is the sender's clock.
    `text` is without quotes and signature, `whole_text` with all of it; `has_html` says that it can also be
    shown as it was set. `authentication` is None where no trusted host has said anything: then nothing is
    known, which is not the same as a failure. `automatic` is None for a person's mail.
    """

    message_id: str
    sender: MailAddress
    subject: str = ""
    in_reply_to: str = ""
    references: tuple[str, ...] = ()
    reply_to: MailAddress | None = None
    to: tuple[MailAddress, ...] = ()
    cc: tuple[MailAddress, ...] = ()
    recipients: tuple[str, ...] = ()
    date: datetime | None = None
    text: str = ""
    whole_text: str = ""
    has_html: bool = False
    authentication: Authentication | None = None
    automatic: Automatic | None = None

    @property
    def thread(self) -> tuple[str, ...]:
        """The Message-IDs that it says to follow, the nearest first."""
        return tuple(dict.fromkeys(i for i in (self.in_reply_to, *reversed(self.references)) if i))


@dataclass(frozen=True, slots=True)
class FailedRecipient:
    """One address that a mail did not reach, or not yet (RFC 3464 section 2.3).

    `action` is `failed`, `delayed`, `delivered`, `relayed` or `expanded`. `status` is the enhanced code
    (RFC 3463) such as `5.1.1`, '' where there is none. `diagnostic` is what the far server said.
    """

    address: str
    action: str
    status: str = ""
    diagnostic: str = ""

    @property
    def permanent(self) -> bool:
        """Whether trying again is pointless: a 5.x.x, or a failure that gives no code."""
        return self.action == "failed" and not self.status.startswith(("2", "4"))


@dataclass(frozen=True, slots=True)
class Bounce:
    """A server tells that a mail did not arrive. Anybody can write one: what it says is to be checked
    against what we sent.

    `original_message_id` is the Message-ID of the mail that did not arrive, '' where it is not told;
    `original_headers` are that mail's, by name in lower case, as far as they came back. `reason` is one line
    for people. `submission` is what it would be as an enquiry.
    """

    mail: MailFacts
    recipients: tuple[FailedRecipient, ...]
    reason: str
    submission: Submission
    original_message_id: str = ""
    original_headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def permanent(self) -> bool:
        """Whether at least one address is not reached for good."""
        return any(r.permanent for r in self.recipients)


@dataclass(frozen=True, slots=True)
class InvitationAnswer:
    """A calendar program answers an invitation (RFC 5546). Anybody can write one: it is to be checked against
    whom we invited.

    `uid` and `sequence` name the event, `answer` is ACCEPTED, DECLINED or TENTATIVE, `attendee` the address
    it is given for. `reason` is one line for people. `submission` is what it would be as an enquiry.
    """

    mail: MailFacts
    uid: str
    sequence: int
    attendee: str
    answer: str
    comment: str
    reason: str
    submission: Submission


@dataclass(frozen=True, slots=True)
class OutOfOffice:
    """A machine answers that somebody is away.

    `until` is the last day away, or the day of return where only that is told; None where no day is found.
    `original_message_id` is the mail it answers, '' where it is not told. `text` is what it says.
    `reason` is one line for people. `submission` is what it would be as an enquiry.
    """

    mail: MailFacts
    sender: MailAddress
    reason: str
    submission: Submission
    until: date | None = None
    original_message_id: str = ""
    text: str = ""


#: What a machine says of something of ours.
Told = Bounce | OutOfOffice | InvitationAnswer
