"""What was read out of a text and nobody has stated: it fills what is empty, and stays marked."""

from __future__ import annotations

from collections.abc import Mapping

from crm.submission import Found
from models.lead import Lead

_FILLED = ("phone", "company")


def fill(lead: Lead, found: Found) -> None:
    """Fills what is empty, and notes what of it was found."""
    told = {"phone": next(iter(found.phones), ""), "company": found.company, "role": found.role}
    marks = dict(lead.found or {})
    for name, value in told.items():
        if value and (name not in _FILLED or not getattr(lead, name)):
            marks[name] = value
            if name in _FILLED:
                setattr(lead, name, value)
    if marks != (lead.found or {}):
        lead.found = marks


def give_way(lead: Lead, stated: Mapping[str, str | None]) -> None:
    """Empties what was only found where the same is stated now."""
    for name in _FILLED:
        if stated.get(name) and name in marked(lead):
            setattr(lead, name, None)


def marked(lead: Lead) -> dict[str, str]:
    """What of the lead was found. What somebody has changed since was not."""
    return {
        name: value
        for name, value in (lead.found or {}).items()
        if name not in _FILLED or getattr(lead, name) == value
    }
