"""An invitation to a meeting, or an answer to one, as lines for people (RFC 5545, RFC 5546)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from intake.mailbox.addresses import first_in
from intake.text import clean, one_line

_LONGEST = 100_000
_LINE = re.compile(r"([A-Z][A-Z0-9-]{0,40})((?:;[^:;\"]*(?:\"[^\"]*\"[^:;\"]*)*)*):")
_ESCAPED = {"n": "\n", "N": "\n", ",": ",", ";": ";", "\\": "\\"}


@dataclass(frozen=True, slots=True)
class Invitation:
    """The first event. `method` is what the mail wants: REQUEST, REPLY, CANCEL, COUNTER …, '' if it says not.

    Times are written as they are for people, with their zone's name. Of a reply (RFC 5546 section 3.2.3) are
    `answer` (ACCEPTED, DECLINED, TENTATIVE …), the `attendee`'s address who gives it, and their `comment`.
    `uid` is by what calendars know the event, `sequence` which of its versions is meant.
    """

    method: str
    subject: str
    begins: str
    ends: str
    place: str
    organizer: str
    description: str
    answer: str = ""
    attendee: str = ""
    comment: str = ""
    uid: str = ""
    sequence: int = 0

    @property
    def is_answer(self) -> bool:
        """Whether a program sent it because somebody clicked, and no one has written to us."""
        return self.method in ("REPLY", "CANCEL", "REFRESH", "DECLINECOUNTER", "COUNTER")

    def summary(self) -> str:
        """What it says, line by line."""
        when = " – ".join(w for w in (self.begins, self.ends) if w)
        lines = (
            ("Invitation", self.subject),
            ("When", when),
            ("Where", self.place),
            ("Organizer", self.organizer),
        )
        told = "\n".join(f"{name}: {value}" for name, value in lines if value)
        return f"{told}\n\n{self.description}".strip()


def read(text: str) -> Invitation | None:
    """The first event of a calendar; None where there is none."""
    values: dict[str, tuple[str, str]] = {}
    method = ""
    inside = ""
    for line in _unfolded(text[:_LONGEST]):
        found = _LINE.match(line[:2000].lstrip("\ufeff"))
        if found is None:
            continue
        name, parameters, value = found[1], found[2], line[found.end() :]
        if name == "METHOD":
            method = method or one_line(value).upper()[:20]
        elif name == "BEGIN":
            inside = value.strip().upper()
        elif name == "END" and value.strip().upper() in ("VEVENT", "VTODO"):
            break
        elif inside in ("VEVENT", "VTODO"):
            values.setdefault(name, (parameters, value))
    if not values and not method:
        return None
    return Invitation(
        method=method,
        subject=one_line(_said(values, "SUMMARY"))[:300],
        begins=_moment(*values.get("DTSTART", ("", ""))),
        ends=_moment(*values.get("DTEND", ("", ""))),
        place=one_line(_said(values, "LOCATION"))[:300],
        organizer=_person(*values.get("ORGANIZER", ("", ""))),
        description=_said(values, "DESCRIPTION").strip()[:20_000],
        answer=_parameter(values.get("ATTENDEE", ("", ""))[0], "PARTSTAT").upper(),
        attendee=first_in(values.get("ATTENDEE", ("", ""))[1]),
        comment=_said(values, "COMMENT").strip()[:2000],
        uid=one_line(_said(values, "UID"))[:300],
        sequence=_number(_said(values, "SEQUENCE")),
    )


def _unfolded(text: str) -> list[str]:
    return re.sub(r"\r?\n[ \t]", "", text).splitlines()


def _said(values: dict[str, tuple[str, str]], name: str) -> str:
    value = values.get(name, ("", ""))[1]
    return clean(re.sub(r"\\([nN,;\\])", lambda found: _ESCAPED[found[1]], value))


def _number(text: str) -> int:
    told = text.strip()
    return int(told) if told.isascii() and told.isdigit() and len(told) < 10 else 0


def _parameter(parameters: str, name: str) -> str:
    found = re.search(rf";{name}=(?:\"([^\"]*)\"|([^;:\"]*))", parameters, re.IGNORECASE)
    return one_line(found[1] or found[2] or "") if found else ""


def _person(parameters: str, value: str) -> str:
    name, address = _parameter(parameters, "CN")[:200], first_in(value)
    return f"{name} <{address}>" if name and address and name != address else name or address


def _moment(parameters: str, value: str) -> str:
    zone = _parameter(parameters, "TZID") or ("UTC" if value.strip().endswith("Z") else "")
    try:
        if "T" in value:
            # Its zone stands beside it.
            at = datetime.strptime(value.strip()[:15], "%Y%m%dT%H%M%S")  # noqa: DTZ007
            return f"{at:%Y-%m-%d %H:%M}" + (f" ({zone})" if zone else "")
        return f"{datetime.strptime(value.strip()[:8], '%Y%m%d'):%Y-%m-%d}"  # noqa: DTZ007  a day
    except ValueError:
        return one_line(value)[:50]
