"""Changes of an element's fields, told on its timeline with what stood before."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy.orm import Session

from core import clock
from crm import fields, timeline
from crm.element import Element


def change(session: Session, element: Element, values: Mapping[str, Any], *, actor: str) -> dict[str, Any]:
    """Sets columns by name, `fields` field by field; answers with what stood before of what has changed.

    Each change is one entry on the timeline; one that changes nothing leaves none.
    """
    before: dict[str, Any] = {}
    for name, value in values.items():
        if name == "fields":
            for key, inner in value.items():
                if element.fields.get(key) != inner:
                    before[f"fields.{key}"] = element.fields.get(key)
                    _tell(session, element, key, element.fields.get(key), inner, actor)
            element.fields = fields.merged(element.fields, value)
        elif (stood := getattr(element, name)) != value:
            before[name] = stood
            setattr(element, name, value)
            _tell(session, element, name, stood, value, actor)
    if before:
        element.updated_at = clock.now()
        session.flush()
    return before


def plain(value: Any) -> Any:
    """A value as JSON knows it."""
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    return value.isoformat() if isinstance(value, date | datetime) else value


def _tell(session: Session, element: Element, name: str, before: Any, after: Any, actor: str) -> None:
    words = name.removesuffix("_id").replace("_", " ")
    shown = [plain(v) if v not in (None, "", []) else "(empty)" for v in (before, after)]
    timeline.record(
        session,
        element,
        kind="changed",
        summary=f"{words}: {shown[0]} → {shown[1]}"[:2000],
        actor=actor,
        data={"field": name, "before": plain(before), "after": plain(after)},
    )
