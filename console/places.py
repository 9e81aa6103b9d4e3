"""Where an element is shown."""

from __future__ import annotations

from flask import url_for

from crm.element import Element
from models.lead import Lead


def page_of(element: Element | None) -> str | None:
    """The address of its page."""
    if element is None:
        return None
    if isinstance(element, Lead):
        return url_for("console.lead", lead_id=element.id)
    return url_for(f"console.{type(element).__name__.lower()}", row_id=element.id)
