"""The plain web form: posted by a browser, a script or a form builder."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlsplit

from core.errors import Refused, Unreadable
from crm.contact_points import email_address, phone_number
from crm.submission import Submission
from intake.adapter import Adapter
from intake.delivery import Delivery
from intake.forms import names
from intake.forms.body import CONTENT_TYPES, Posted, read
from intake.forms.settings import OWN, FormField, FormSettings
from intake.text import one_line
from models.source import Channel

#: The same content from the same form within this time is one submission: a double click, a retry.
WINDOW_SECONDS = 600
_LONGEST = 200_000
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,59}")
# Names of the lead's own that no stranger sets, not even as a custom field that looks like one.
_OURS = frozenset(
    {
        *("id", "number", "title", "status", "channel", "source", "owner", "owner_id", "score", "tags"),
        *("fields", "attribution", "created_at", "contact_id", "company_id"),
    }
)
_YES = frozenset({"on", "true", "1", "yes", "sim", "si", "ja", "oui"})


class WebForm(Adapter[FormSettings]):
    """Declared fields are checked at the door, before anything is journalled."""

    name = "form"
    channel = Channel.FORM
    settings = FormSettings
    content_types: ClassVar[tuple[str, ...]] = CONTENT_TYPES

    def verify(self, delivery: Delivery, settings: FormSettings) -> None:
        """Raises Refused for a script on a site that may not post here."""
        origin = delivery.headers.get("origin")
        script = not delivery.headers.get("accept", "").startswith("text/html")
        if origin and script and settings.allowed_origins and origin not in settings.allowed_origins:
            own = urlsplit(delivery.url)
            if origin != f"{own.scheme}://{own.netloc}":
                raise Refused("this site may not post to this form", status=403, reason="foreign_origin")

    def keys(self, delivery: Delivery, posted: Posted) -> tuple[str, str | None]:
        """The key of this submission, and the one it may stand under already."""
        told = delivery.headers.get("idempotency-key")
        if told:
            return f"told:{told}"[:200], None
        window = int(delivery.received_at.timestamp()) // WINDOW_SECONDS
        content = posted.fingerprint()
        return f"content:{window}:{content}", f"content:{window - 1}:{content}"

    def parse(self, delivery: Delivery, settings: FormSettings) -> Submission:
        """Declared fields by their declaration, all others by the names people use."""
        try:
            posted = read(delivery.body, delivery.content_type)
        except Refused as error:
            raise Unreadable(str(error)) from None
        found = _Found()
        declared = {f.name: f for f in settings.fields}
        for name, values in posted.values.items():
            if name in declared:
                found.declared(declared[name], values)
            else:
                found.guessed(name, values, open_form=not declared)
        return found.submission(delivery, posted)


@dataclass
class _Found:
    own: dict[str, list[str]] = field(default_factory=dict)
    fields: dict[str, Any] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)
    attribution: dict[str, str] = field(default_factory=dict)
    consent: bool | None = None

    def declared(self, field_: FormField, values: tuple[Any, ...]) -> None:
        value = one_of(values)
        if field_.type == "consent":
            self.consent = str(value).lower() in _YES
        elif field_.goes_to in OWN.values():
            self._add(field_.goes_to, values)
        elif value not in ("", None):
            self.fields[field_.goes_to] = typed(field_, value)

    def guessed(self, name: str, values: tuple[Any, ...], *, open_form: bool) -> None:
        value = one_of(values)
        if name.lower() in names.ATTRIBUTION:
            self.attribution[name.lower()] = str(value)[:2000]
            return
        meaning = names.meaning(name)
        if (
            meaning is None
            and open_form
            and _ADDRESS.fullmatch(str(value).strip())
            and email_address(str(value))
        ):
            meaning = "email"
        if meaning == "consent":
            self.consent = str(value).lower() in _YES
        elif meaning is not None and open_form:
            self._add(meaning, values)
        elif value not in ("", None) and name != "_charset_":
            # What a form without declared fields asks is what its rules are about.
            custom = open_form and _PLAIN.fullmatch(name) and name.lower() not in _OURS
            (self.fields if custom else self.extra)[name] = value

    def _add(self, meaning: str, values: tuple[Any, ...]) -> None:
        self.own.setdefault(meaning, []).extend(str(v) for v in dict.fromkeys(values) if v not in ("", None))

    def submission(self, delivery: Delivery, posted: Posted) -> Submission:
        parts = [*self.own.get("first_name", []), *self.own.get("last_name", [])]
        name = next((n for n in self.own.get("name", []) if n.strip()), " ".join(parts))
        if posted.files:
            self.extra["files"] = [
                {"name": f.name, "type": f.content_type, "size": len(f.content)} for f in posted.files
            ]
        return Submission(
            channel=Channel.FORM,
            occurred_at=delivery.received_at,
            emails=tuple(e for e in self.own.get("email", []) if e.strip()),
            phones=tuple(p for p in self.own.get("phone", []) if p.strip()),
            name=one_line(name)[:300],
            company=one_line(next(iter(self.own.get("company", [])), ""))[:300],
            title=one_line(next(iter(self.own.get("title", [])), ""))[:300],
            message="\n".join(self.own.get("message", []))[:_LONGEST],
            fields=self.fields,
            extra=self.extra,
            attribution=_arrival(delivery) | self.attribution,
            consent=self.consent,
        )


def _arrival(delivery: Delivery) -> dict[str, str]:
    """What the page's own address tells of where the visitor came from."""
    page = delivery.headers.get("referer", "")[:2000]
    if not page:
        return {}
    told = {k: v for k, v in parse_qsl(urlsplit(page).query) if k in names.ATTRIBUTION}
    return {"page_url": page} | told


def one_of(values: tuple[Any, ...]) -> Any:
    """Several values of one name as one: numbers and flags stay, texts are put after each other."""
    filled = [v for v in dict.fromkeys(values) if v not in ("", None)]
    if len(filled) == 1:
        return filled[0]
    return ", ".join(str(v) for v in filled)


def typed(field_: FormField, value: Any) -> Any:
    """The value in its field's own type; text where it does not fit, so that nothing is lost."""
    if field_.type == "number" and not isinstance(value, int | float):
        try:
            number = float(str(value).replace(",", "."))
        except ValueError:
            return value
        return int(number) if number.is_integer() and abs(number) < 2**53 else number
    if field_.type == "checkbox":
        return str(value).lower() in _YES
    return value


def mistakes(posted: Posted, settings: FormSettings, country: str) -> dict[str, str]:
    """What a visitor has to mend, by field."""
    found = {}
    for field_ in settings.fields:
        words = _mistake(field_, one_of(posted.values.get(field_.name, ())), country)
        if words:
            found[field_.name] = words
    return found


def _mistake(field_: FormField, value: Any, country: str) -> str | None:
    text = str(value).strip()
    if not text:
        return "Please fill in this field." if field_.required else None
    if len(text) > field_.max_length:
        return f"Please enter at most {field_.max_length} characters."
    check = _CHECKS.get(field_.type)
    return check(text, field_, country) if check else None


def _email(text: str, _: FormField, __: str) -> str | None:
    return None if email_address(text) else "Please enter an e-mail address, such as name@example.com."


def _phone(text: str, field_: FormField, country: str) -> str | None:
    # A number we cannot read is kept as it is; only where the number is all we have it must be right.
    readable = phone_number(text, country) if field_.required else re.search(r"\d{3}", text)
    return None if readable else "Please enter a telephone number."


def _number(text: str, _: FormField, __: str) -> str | None:
    return None if re.fullmatch(r"[-+]?\d{1,15}([.,]\d{1,10})?", text) else "Please enter a number."


def _date(text: str, _: FormField, __: str) -> str | None:
    try:
        date.fromisoformat(text)
    except ValueError:
        return "Please enter a date, such as 2026-12-31."
    return None


def _choice(text: str, field_: FormField, _: str) -> str | None:
    return None if text in field_.choices else "Please choose one of the given answers."


_CHECKS: Mapping[str, Any] = {
    "email": _email,
    "phone": _phone,
    "number": _number,
    "date": _date,
    "select": _choice,
}
