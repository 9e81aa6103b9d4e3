"""Elements of one part that have the same name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from workspace.document import Path

#: How each part's elements are told apart.
IDENTITIES = {
    "users": "email",
    "teams": "key",
    "calendars": "key",
    "lists": "key",
    "forms": "key",
    "mailboxes": "key",
    "lines": "key",
    "hooks": "key",
    "sources": "key",
    "tags": "name",
    "templates": "key",
    "sla": "key",
    "webhooks": "key",
    "territories": "key",
    "pipelines": "key",
    "products": "sku",
    "closing_reasons": "key",
    "junk_reasons": "key",
    "currencies": "code",
    "units": "key",
    "taxes": "key",
    "activity_types": "key",
    "lead_statuses": "key",
    "fields": "key",
}


def twins(values: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    """The place of each that stands a second time."""
    for part, identity in IDENTITIES.items():
        seen = set()
        for place, element in enumerate(values.get(part) or ()):
            name = str(element[identity]).lower()
            if name in seen:
                yield (part, place, identity), f"'{name}' stands twice in {part}"
            seen.add(name)
