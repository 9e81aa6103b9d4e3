"""The first lead: what to type into a terminal to see one arrive."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from urllib.parse import quote

from core.errors import Unavailable
from core.settings import settings
from intake import sources
from intake.forms.settings import FormField, FormSettings
from models.source import Channel

_OWN: dict[str, object] = {
    "name": "Maria Silva",
    "email": "maria@example.com",
    "phone": "+1 202 555 0143",
    "company": "Silva & Co",
    "title": "A question",
    "message": "Hello, please call me about your offer.",
}
_OTHERS: dict[str, object] = {"number": 10, "date": "2026-01-31", "checkbox": True, "consent": True}


@dataclass(frozen=True, slots=True)
class FirstPost:
    """A form's name and page, and the command that posts to it."""

    name: str
    page: str
    command: str


def first_post() -> FirstPost | None:
    """A command that the workspace's first form accepts; None where there is no form that works."""
    forms = sorted(sources.book().of(Channel.FORM), key=lambda source: source.id)
    for source in forms:
        try:
            form = source.read(FormSettings)
        except Unavailable:
            continue
        page = f"{settings().address}/in/forms/{quote(source.key, safe='')}"
        values = {f.name: _sample(f) for f in form.fields if f.required or f.goes_to in _OWN}
        posted = values or {key: _OWN[key] for key in ("name", "email", "message")}
        command = " \\\n  ".join(
            (
                f"curl {shlex.quote(page)}",
                "-H 'Content-Type: application/json'",
                f"-d {shlex.quote(json.dumps(posted, ensure_ascii=False))}",
            )
        )
        return FirstPost(source.name or source.key, page, command)
    return None


def _sample(field: FormField) -> object:
    if field.type == "select":
        return field.choices[0]
    if field.type in _OTHERS:
        return _OTHERS[field.type]
    return _OWN.get(field.goes_to, "text")
