"""What just happened to an element: the domain events that rules react to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from models.lead import Lead


@dataclass(frozen=True, slots=True)
class Happening:
    """One domain event: its trigger's name, the lead it is about, and what the trigger says beside it."""

    trigger: str
    lead: Lead
    data: Mapping[str, Any] = field(default_factory=dict)
