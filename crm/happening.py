"""What just happened to an element: the domain events that rules react to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from models.activity import Activity
from models.call import Call
from models.contact import Contact
from models.deal import Deal
from models.lead import Lead
from models.message import Message


@dataclass(frozen=True, slots=True)
class Happening:
    """One domain event: its trigger's name, what it is about, and what the trigger says beside it.

    `data` holds plain values that JSON knows. With a deal, `lead` is where that came from, if from one.
    """

    trigger: str
    lead: Lead | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    call: Call | None = None
    activity: Activity | None = None
    message: Message | None = None
    deal: Deal | None = None
    contact: Contact | None = None

    @property
    def element(self) -> Lead | Deal | Contact | None:
        """What rules run on: the deal, unless it is the lead's own event that names one; the lead; the
        contact; nothing."""
        if self.deal is not None and not (self.lead is not None and self.trigger.startswith("lead.")):
            return self.deal
        return self.lead or self.contact


def about(
    element: Lead | Deal | Contact | None, trigger: str, data: Mapping[str, Any] | None = None, **more: Any
) -> Happening:
    """Something that happened to this element; a deal's lead and contact come along."""
    given = dict(data or {})
    if isinstance(element, Deal):
        return Happening(trigger, element.lead, given, deal=element, contact=element.contact, **more)
    if isinstance(element, Contact):
        return Happening(trigger, None, given, contact=element, **more)
    return Happening(trigger, element, given, **more)
