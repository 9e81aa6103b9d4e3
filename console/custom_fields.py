"""Custom fields in the console's forms: one input each, and what was filled in as it is stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import g
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from core.errors import Invalid
from crm import catalogue, fields
from crm.catalogue import CustomField, ElementKind
from crm.imported import field as written_field
from crm.written import Custom


@dataclass(frozen=True, slots=True)
class Shown:
    """A field, and what stands in its input."""

    field: CustomField
    value: Any


def shown(session: Session, kind: ElementKind, values: Mapping[str, Any]) -> Sequence[Shown]:
    """The declared fields of this kind, with these values."""
    declared = catalogue.load(session).fields_of(kind)
    return [Shown(own, _written(own, values.get(key))) for key, own in declared.items()]


def filled_in(form: MultiDict[str, str], kind: ElementKind, session: Session) -> dict[str, Any]:
    """What stands in the inputs, as text, by key: to be shown again."""
    found: dict[str, Any] = {}
    for key, own in catalogue.load(session).fields_of(kind).items():
        parts = [part.replace("\0", "").strip()[:10_000] for part in form.getlist(f"field-{key}")]
        found[key] = parts if own.type == "choices" else next(iter(parts), "")
    return found


def read(session: Session, kind: ElementKind, given: Mapping[str, Any], *, new: bool) -> dict[str, Any]:
    """The values as they are stored. Raises Invalid with a pointer to each mistake."""
    settings = catalogue.load(session)
    declared = settings.fields_of(kind)
    custom = Custom.of(g.here.zone, locale=g.here.locale, country=g.here.country)
    values: dict[str, Any] = {}
    wrong: dict[str, str] = {}
    for key, text in given.items():
        try:
            values[key] = written_field.read(declared[key], text, custom) if text not in ("", []) else None
        except Invalid as error:
            wrong |= error.fields
    if wrong:
        raise Invalid("some values are not acceptable", wrong)
    return fields.checked(session, kind, values, settings=settings, here=g.here, complete=new)


def _written(own: CustomField, value: Any) -> Any:
    if value is None:
        return [] if own.type == "choices" else ""
    if own.type == "datetime" and isinstance(value, str):
        try:
            there = datetime.fromisoformat(value).astimezone(g.here.zone)
        except ValueError:
            return value
        return there.strftime("%Y-%m-%dT%H:%M")
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, list) else str(value)
