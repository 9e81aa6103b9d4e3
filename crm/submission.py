"""What an adapter makes of an inbound event: typed, normalised in shape, not yet in meaning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from crm.mail_facts import MailFacts
from models.call import CallResult
from models.source import Channel


@dataclass(frozen=True, slots=True)
class Consent:
    """What somebody was asked to agree to, and whether they did. `name` is the field's."""

    name: str
    text: str
    given: bool
    version: str = ""
    required: bool = True


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """A file as it came. Name and type are the sender's words, and neither a path nor a promise."""

    field: str
    name: str
    content_type: str
    content: bytes = b""


@dataclass(frozen=True, slots=True)
class LeftFile:
    """A file that stayed on the mail server, because its mail is large. `size` is in bytes as it is encoded.

    `place` says where it lies: `mailbox`, `folder`, `uidvalidity`, `uid`, `part` (RFC 3501 section 6.4.5),
    `encoding`, and the `message_id` and `message_size` by which the mail is known again.
    """

    name: str
    content_type: str
    size: int
    place: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Found:
    """What was read out of a text and nobody has stated. Telephone numbers are in E.164."""

    phones: tuple[str, ...] = ()
    company: str = ""
    role: str = ""


NOTHING = Found()


@dataclass(frozen=True, slots=True)
class Submission:
    """One enquiry. Addresses and numbers are as the sender wrote them; the pipeline normalises them.

    `fields` are the custom fields that the source declares, `extra` whatever else was sent,
    `consent` says whether all that had to be agreed to was, None where the sender was not asked.
    `left` are files that were not taken along. `mail` is what is known of the mail it came by, None for
    other channels. `found` is what its text tells beside: good enough to show and to dial, not to say who
    somebody is.
    """

    channel: Channel
    occurred_at: datetime
    emails: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    name: str = ""
    company: str = ""
    title: str = ""
    message: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    attribution: Mapping[str, Any] = field(default_factory=dict)
    consent: bool | None = None
    consents: tuple[Consent, ...] = ()
    files: tuple[UploadedFile, ...] = ()
    left: tuple[LeftFile, ...] = ()
    mail: MailFacts | None = None
    found: Found = NOTHING


@dataclass(frozen=True, slots=True)
class Notice:
    """What a program tells that is no enquiry: `body` is its document, bounded; `email` and `phone`, as it
    wrote them, say whom it is about, where it says so."""

    kind: str
    body: Mapping[str, Any]
    email: str | None = None
    phone: str | None = None


@dataclass(frozen=True, slots=True)
class CallUpdate:
    """What one event of a provider says about one call. None is 'it does not say'.

    `call_id` is what all events of the call share. `known_as` is the provider's name for the call where that
    is another. `leg` is the connection the event is about: None for the caller's own where the provider has
    one for each call, else its id. `event` names the provider's event and, with `sequence`, makes it one of
    its kind in the call.
    Numbers are as the provider wrote them; seconds are whole seconds. `final` says that the leg is over.
    `result` is what this event alone would conclude; where it is `decisive` it tells whether a person was
    reached, and outranks that a machine has answered. `answered_by` is the person as the provider names them:
    an address, an extension, a number or a name. `recording_id` is for recordings that have no address.
    `message` says that a recording is a message where nobody answered, of providers that do not tell it.

    Of a call that we placed: `order` is the token that we gave the provider, `ordered` says that this is our
    own word of it and outranks what the provider says of its ends, `reason` is why it failed, in words,
    `asks` is what the provider is to be told next, about the connection `handle`.

    `also` is what the same event says of others who take part in the call.
    """

    call_id: str
    event: str
    known_as: str | None = None
    leg: str | None = None
    occurred_at: datetime | None = None
    sequence: int | None = None
    direction: str | None = None
    from_number: str | None = None
    to_number: str | None = None
    result: CallResult | None = None
    final: bool = False
    decisive: bool = False
    started_at: datetime | None = None
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    talk_seconds: int | None = None
    recording_url: str | None = None
    recording_id: str | None = None
    message: bool = False
    transcript: str | None = None
    answered_by: str | None = None
    caller_name: str | None = None
    withheld: bool = False
    closed_reason: str | None = None
    order: str | None = None
    ordered: bool = False
    reason: str | None = None
    asks: str | None = None
    handle: str | None = None
    also: tuple[CallUpdate, ...] = ()
