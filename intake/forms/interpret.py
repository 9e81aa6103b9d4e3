"""From a form's answers to a submission: what each field means, the same way for every format. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jsonpath

from crm.contact_points import email_address
from crm.submission import Consent, Submission, UploadedFile
from intake.delivery import Delivery
from intake.forms import names
from intake.forms.answers import Answer, Answers
from intake.forms.settings import EXTRA, OWN, FormField, FormSettings
from intake.text import clean, one_line
from models.source import Channel

_LONGEST = 200_000
_MOST_MAPPED = 50
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_NUMBER = re.compile(r"(?=(?:\D*\d){8,15}\D*$)[+(0][\d\s().\-/]+|\d[\d]*[\s().\-/][\d\s().\-/]+(?<=\d)")
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,59}")
# A name that a form builder made up, and that says nothing.
_MUTE = re.compile(
    r"(?:.*[\[_.-])?(?:field|input|text|question|q)?[_-]?[0-9a-f]*\d[0-9a-f]*\]?", re.IGNORECASE
)
# Names of the lead's own that no stranger sets, not even as a custom field that looks like one.
_OURS = frozenset(
    {
        *("id", "number", "title", "status", "channel", "source", "owner", "owner_id", "score", "tags"),
        *("fields", "attribution", "created_at", "contact_id", "company_id", "consent", "path"),
    }
)
_YES = frozenset({"on", "true", "1", "yes", "sim", "si", "sí", "ja", "oui", "checked", "accepted", "agreed"})
# A box may send its own text as its value.
_AGREES = re.compile(
    r"(yes|sim|sí|ja|oui)\b|i (agree|accept|consent|have read)|(agree|accept|consent) |"
    r"(aceito|concordo|autorizo|li e) |(acepto|autorizo|he leído)|"
    r"ich (stimme|akzeptiere|willige|bin einverstanden|habe)|j['’](accepte|ai lu)",
)
#: What the widget says of the visitor's first arrival, as JSON.
FIRST_TOUCH = "first_touch"


def interpret(answers: Answers, settings: FormSettings, delivery: Delivery) -> Submission:
    """Declared fields by their declaration, mapped ones by the mapping, others by the names people use."""
    found = _Found(settings)
    for answer in [*_by_path(answers, settings), *answers.items]:
        found.take(answer)
    found.consent_withheld()
    return found.submission(answers, delivery)


def _by_path(answers: Answers, settings: FormSettings) -> list[Answer]:
    paths = (
        [path for path in settings.mapping if path.startswith("$")] if answers.document is not None else []
    )
    found = []
    for path in paths:
        values = jsonpath.findall(path, answers.document)[:_MOST_MAPPED]
        plain = tuple(v for v in values if isinstance(v, str | int | float | bool))
        if plain:
            found.append(Answer(path, plain))
    return found


@dataclass
class _Found:
    settings: FormSettings
    own: dict[str, list[str]] = field(default_factory=dict)
    fields: dict[str, Any] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)
    attribution: dict[str, Any] = field(default_factory=dict)
    consents: dict[str, Consent] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._declared = {f.name: f for f in self.settings.fields}
        self._mapped = {name.casefold(): target for name, target in self.settings.mapping.items()}

    def take(self, answer: Answer) -> None:
        """Puts one answer where it belongs."""
        name = answer.name
        if name in self._declared:
            self._declare(self._declared[name], answer.values)
        elif target := self._mapped.get(name.casefold()) or self._mapped.get(answer.label.casefold() or " "):
            self._put(target, answer)
        elif name.lower() in names.ATTRIBUTION:
            self.attribution[name.lower()] = str(one_of(answer.values))[:2000]
        elif name == FIRST_TOUCH:
            self._first_touch(answer.values)
        else:
            self._guess(answer)

    def _declare(self, declared: FormField, values: tuple[Any, ...]) -> None:
        value = one_of(values)
        if declared.type == "consent":
            self._consent(declared.name, yes(value), declared)
        elif declared.goes_to in OWN:
            self._add(declared.goes_to, values)
        elif value not in ("", None):
            where = self.extra if declared.goes_to == EXTRA else self.fields
            where[declared.name if where is self.extra else declared.goes_to] = typed(declared, values)

    def _put(self, target: str, answer: Answer) -> None:
        value = one_of(answer.values)
        if target == "consent":
            self._consent(answer.name, yes(value), None, answer.label)
        elif target in OWN:
            self._add(target, answer.values)
        elif target in names.ATTRIBUTION:
            self.attribution[target] = str(value)[:2000]
        elif value not in ("", None):
            (self.extra if target == EXTRA else self.fields)[answer.name if target == EXTRA else target] = (
                value
            )

    def _guess(self, answer: Answer) -> None:
        meaning = answer.meaning or names.question(answer.label)
        if meaning is None and not (answer.label and _MUTE.fullmatch(answer.name)):
            meaning = names.meaning(answer.name)
        value, open_form = one_of(answer.values), not self._declared
        if meaning is None and open_form:
            meaning = self._by_shape(answer, str(value).strip())
        if meaning == "consent":
            self._consent(answer.name, yes(value), None, answer.label)
        elif meaning is not None and open_form:
            self._add(meaning, answer.values)
        elif value not in ("", None) and answer.name != "_charset_":
            # What a form without declared fields asks is what its rules are about.
            key = names.slug(answer.label) if answer.label else answer.name
            custom = open_form and _PLAIN.fullmatch(key) and key.lower() not in _OURS
            self._keep(
                self.fields if custom else self.extra, key if custom else answer.label or answer.name, value
            )

    def _keep(self, where: dict[str, Any], key: str, value: Any) -> None:
        number, free = 1, key
        while free in where:
            number += 1
            free = f"{key}_{number}"
        where[free] = value

    def _by_shape(self, answer: Answer, text: str) -> str | None:
        if _ADDRESS.fullmatch(text) and email_address(text):
            return "email"
        mute = not answer.label and _MUTE.fullmatch(answer.name)
        return "phone" if mute and _NUMBER.fullmatch(text) else None

    def _add(self, meaning: str, values: tuple[Any, ...]) -> None:
        before = self.own.get(meaning, [])
        given = [str(v) for v in values if v not in ("", None)]
        self.own[meaning] = list(dict.fromkeys([*before, *given]))

    def _consent(self, name: str, given: bool, declared: FormField | None, text: str = "") -> None:
        self.consents[name] = Consent(
            name=name,
            given=given,
            text=clean(declared.shown() if declared else text or name)[:5000],
            version=declared.version if declared else "",
            required=declared.required if declared else True,
        )

    def consent_withheld(self) -> None:
        """A box that is not ticked is not sent: where the form asks, its absence is an answer."""
        for declared in self.settings.fields:
            if declared.type == "consent" and declared.name not in self.consents:
                self._consent(declared.name, given=False, declared=declared)

    def _first_touch(self, values: tuple[Any, ...]) -> None:
        try:
            told = json.loads(str(one_of(values)))
        except (ValueError, RecursionError):
            return
        if isinstance(told, dict):
            kept = {
                k: clean(v)[:500]
                for k, v in told.items()
                if k in names.ATTRIBUTION | {"at"} and isinstance(v, str)
            }
            if kept:
                self.attribution[FIRST_TOUCH] = kept

    def _name(self) -> str:
        """The whole name. Where a form asks for one part by its own name, 'name' is the other part."""
        first, last = self.own.get("first_name", []), self.own.get("last_name", [])
        whole = next((n.strip() for n in self.own.get("name", []) if n.strip()), "")
        if not whole:
            return " ".join([*first, *last])
        if bool(first) != bool(last) and not any(p.strip() in whole for p in [*first, *last]):
            return " ".join([*first, whole, *last])
        return whole

    def submission(self, answers: Answers, delivery: Delivery) -> Submission:
        """What came together."""
        page = answers.page or self.attribution.get("page_url", "") or delivery.headers.get("referer", "")
        extra = {k: v for k, v in answers.extra.items() if v not in ("", None)} | self.extra
        asked = [c for c in self.consents.values() if c.required] or list(self.consents.values())
        return Submission(
            channel=Channel.FORM,
            occurred_at=min(answers.at or delivery.received_at, delivery.received_at),
            emails=tuple(e for e in self.own.get("email", []) if e.strip()),
            phones=tuple(p for p in self.own.get("phone", []) if p.strip()),
            name=one_line(self._name())[:300],
            company=one_line(next(iter(self.own.get("company", [])), ""))[:300],
            title=one_line(next(iter(self.own.get("title", [])), ""))[:300],
            message="\n".join(self.own.get("message", []))[:_LONGEST],
            fields=self.fields,
            extra=extra,
            attribution=_arrival(page) | dict(answers.attribution) | self.attribution,
            consent=all(c.given for c in asked) if asked else None,
            consents=tuple(self.consents.values()),
            files=tuple(UploadedFile(f.field, f.name, f.content_type, f.content) for f in answers.files),
        )


def _arrival(page: str) -> dict[str, str]:
    """What the page's own address tells of where the visitor came from."""
    if not page:
        return {}
    try:
        query = urlsplit(page[:2000]).query
    except ValueError:
        query = ""
    told = {k: clean(v)[:2000] for k, v in parse_qsl(query) if k in names.ATTRIBUTION}
    return {"page_url": clean(page)[:2000]} | told


def one_of(values: tuple[Any, ...]) -> Any:
    """Several values of one name as one: numbers and flags stay, texts are put after each other."""
    if len(values) == 1:
        return "" if values[0] is None else values[0]
    filled = [v for v in dict.fromkeys(values) if v not in ("", None)]
    if len(filled) == 1:
        return filled[0]
    return ", ".join(str(v) for v in filled)


def yes(value: Any) -> bool:
    """Whether a box is ticked; what is no clear yes is none."""
    text = str(value).strip().lower()
    return text in _YES or _AGREES.match(text) is not None


def typed(declared: FormField, values: tuple[Any, ...]) -> Any:
    """The value in its field's own type; text where it does not fit, so that nothing is lost."""
    value = one_of(values)
    if declared.type == "multiselect":
        return [str(v) for v in dict.fromkeys(values) if v not in ("", None)]
    if declared.type == "number" and not isinstance(value, int | float):
        try:
            number = float(str(value).replace(",", "."))
        except ValueError:
            return value
        return int(number) if number.is_integer() and abs(number) < 2**53 else number
    if declared.type == "checkbox":
        return yes(value)
    return value


def texts(submission: Submission) -> Mapping[str, str]:
    """All that was written, by where it was written."""
    own = {"name": submission.name, "company": submission.company, "title": submission.title}
    rest = {k: str(v) for k, v in {**submission.fields, **submission.extra}.items()}
    return {**rest, **own, "message": submission.message}
