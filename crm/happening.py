"""What just happened to an element: the domain events that rules react to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from models.activity import Activity
from models.call import Call
from models.deal import Deal
from models.lead import Lead
from models.message import Message


@dataclass(frozen=True, slots=True)
class Happening:
    """One domain event: its trigger's name, the lead it is about, and what the trigger says beside it.

    `data` holds plain values that JSON knows.
    """

    trigger: str
    lead: Lead
    data: Mapping[str, Any] = field(default_factory=dict)
    call: Call | None = None
    activity: Activity | None = None
    message: Message | None = None
    deal: Deal | None = None
