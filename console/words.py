"""How values read on a page. Every filter answers with plain text, or escapes what it is given."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from flask import g
from markupsafe import Markup

from core import clock
from crm.contact_points import email_address
from crm.workspace import WorkspaceSettings
from models.lead import LeadStatus
from models.source import Channel
from rules.vocabulary import TRIGGERS

STATUSES = MappingProxyType(
    {
        LeadStatus.NEW: "New",
        LeadStatus.IN_PROGRESS: "In progress",
        LeadStatus.CONVERTED: "Converted",
        LeadStatus.JUNK: "Junk",
        LeadStatus.MERGED: "Merged",
    }
)
_CHANNELS = {
    Channel.FORM: "Form",
    Channel.EMAIL: "E-mail",
    Channel.CALL: "Call",
    Channel.IMPORT: "Import",
    Channel.API: "API",
    Channel.WEBHOOK: "Webhook",
    Channel.OWN: "By hand",
}
#: The picture beside a timeline entry; whatever has none gets a dot.
_ICONS = {
    "submission": "inbox",
    "email": "mail",
    "mail_sent": "mail",
    "mail_failed": "warning",
    "mail_bounced": "warning",
    "out_of_office": "clock",
    "unsubscribed": "mail",
    "call": "phone",
    "put_through": "phone",
    "call_ordered": "phone",
    "call_outcome": "phone",
    "comment": "note",
    "assigned": "person",
    "tagged": "tag",
    "activity_planned": "clock",
    "activity_answered": "mail",
    "activity_done": "check",
    "changed": "pen",
    "merged": "join",
    "step_failed": "warning",
}
#: Words that are written in a way of their own.
_WRITTEN = {
    "email": "e-mail",
    "emails": "e-mail",
    "phone": "telephone",
    "phones": "telephone",
    "utm": "UTM",
    "gclid": "GCLID",
    "fbclid": "FBCLID",
    "url": "URL",
    "id": "ID",
}
#: A text longer than this is folded.
_FOLDED = 420
_FOLDED_LINES = 8
_E164 = re.compile(r"\+[1-9]\d{4,14}")


def moment(at: datetime | str | None) -> str:
    """A moment as a person says it today, in the workspace's time zone; exact in its title."""
    if at is None:
        return "–"
    at = datetime.fromisoformat(at) if isinstance(at, str) else at
    zone = _zone()
    there = at.astimezone(zone)
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        at.astimezone(UTC).isoformat(timespec="seconds"),
        f"{there:%A} {there.day} {there:%B %Y, %H:%M:%S %Z}",
        _said(there, clock.now().astimezone(zone)),
    )


def said(at: datetime) -> str:
    """A moment as a person says it today, without more."""
    zone = _zone()
    return _said(at.astimezone(zone), clock.now().astimezone(zone))


def _said(at: datetime, now: datetime) -> str:
    days = (at.date() - now.date()).days
    if near := {-1: "Yesterday", 0: "Today", 1: "Tomorrow"}.get(days):
        return f"{near} {at:%H:%M}"
    year = "" if at.year == now.year else f" {at.year}"
    return f"{at.day} {at:%b}{year}, {at:%H:%M}"


def _zone() -> ZoneInfo:
    here = g.get("here")
    return here.zone if isinstance(here, WorkspaceSettings) else ZoneInfo("UTC")


def is_past(at: datetime) -> bool:
    """Whether the moment is over."""
    return at < clock.now()


def lasted(begun: datetime, ended: datetime) -> str:
    """The time between two moments, in one unit or two."""
    return duration(int((ended - begun) / timedelta(seconds=1)))


def duration(seconds: int) -> str:
    """A number of seconds as a person says it."""
    parts = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, seconds = divmod(max(seconds, 0), size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"


def status(value: LeadStatus) -> str:
    """A lead's status."""
    return STATUSES[value]


def channel(value: Channel) -> str:
    """A kind of source."""
    return _CHANNELS[value]


def trigger(name: str) -> str:
    """What happened, for a trigger's name."""
    known = TRIGGERS.get(name)
    return known.summary if known else name


def label(name: str) -> str:
    """A machine's name, made readable: `utm_source` becomes `UTM source`."""
    words = [_WRITTEN.get(word.lower(), word) for word in re.split(r"[_\s]+", name.strip())]
    first = words[0]
    return " ".join([first[:1].upper() + first[1:], *words[1:]])


def icon(kind: str) -> str:
    """The name of the picture for a kind of timeline entry."""
    return _ICONS.get(kind, "dot")


def value(given: Any) -> str:
    """Any stored value as text."""
    match given:
        case None | "":
            return "–"
        case bool():
            return "Yes" if given else "No"
        case str():
            return given
        case list() if all(isinstance(v, str | int | float) for v in given):
            return ", ".join(map(str, given)) or "–"
        case list() | dict():
            return json.dumps(given, ensure_ascii=False, indent=1)
        case _:
            return str(given)


def saw(given: Any) -> str:
    """A value that a rule looked at: texts in quotes, so that an empty one is seen."""
    return "empty" if given is None else json.dumps(given, ensure_ascii=False)


def is_long(text: str) -> bool:
    """Whether a text is folded."""
    return len(text) > _FOLDED or text.count("\n") >= _FOLDED_LINES


def preview(text: str) -> str:
    """The beginning of a long text."""
    start = " ".join(text[: 2 * _FOLDED].split())[:240]
    return f"{start.rpartition(' ')[0] or start} …"


def mailto(address: str | None) -> str | None:
    """A link to write to an address; None where it is not a normalised one."""
    if not address or email_address(address) != address:
        return None
    return "mailto:" + quote(address, safe="@+.-_")


def tel(number: str | None) -> str | None:
    """A link to call a number; None where it is not in E.164."""
    return f"tel:{number}" if number and _E164.fullmatch(number) else None


def actor(name: str, users: Mapping[int, str]) -> str:
    """Who did it, for the timeline's `user:7`, `rule:Enterprise enquiries`, `token:website`, `service`."""
    kind, _, rest = name.partition(":")
    if kind == "user" and rest.isdecimal():
        return users.get(int(rest), f"User {rest}")
    if kind == "rule":
        return f"Rule “{rest}”"
    if kind == "token":
        return f"{rest} (by the API)"
    return "Portaria" if name == "service" else name


def money(amount: Decimal) -> str:
    """An amount with its thousands apart, and with two places at least."""
    short = amount.normalize()
    places = max(2, -int(short.as_tuple().exponent))
    return f"{amount:,.{places}f}"


def plain(number: Decimal) -> str:
    """A number without places that say nothing."""
    return f"{number.normalize():f}"


def amount(written: str) -> str:
    """An amount that is kept as text."""
    return money(Decimal(written))


FILTERS: dict[str, Callable[..., Any]] = {
    f.__name__: f
    for f in (
        actor,
        amount,
        channel,
        duration,
        icon,
        is_long,
        is_past,
        label,
        lasted,
        mailto,
        moment,
        money,
        plain,
        preview,
        saw,
        status,
        tel,
        trigger,
        value,
    )
}
