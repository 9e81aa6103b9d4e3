"""What is to be given to somebody, as far as it matters to whom."""

from __future__ import annotations

from typing import Any

from models.contact import Contact
from models.deal import Deal
from models.lead import Lead
from rules import facts

#: What has an owner whom rules may choose.
Gift = Lead | Deal | Contact


def lead_id_of(gift: Gift) -> int | None:
    """The lead that it is, or came from."""
    return gift.id if isinstance(gift, Lead) else gift.lead_id if isinstance(gift, Deal) else None


def facts_of(gift: Gift) -> dict[str, Any]:
    """What territories are chosen by."""
    if isinstance(gift, Lead):
        return {"lead": facts.lead_facts(gift)}
    if isinstance(gift, Contact):
        return {"lead": {}, "contact": facts.contact_facts(gift)}
    return {
        "lead": facts.lead_facts(gift.lead) if gift.lead is not None else {},
        "deal": facts.deal_facts(gift),
        "contact": facts.contact_facts(gift.contact) if gift.contact is not None else {},
    }
