"""What applying a document has changed, or would change."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: `add`, `change` or `remove`, of what, and in which settings."""

    action: str
    what: str
    settings: tuple[str, ...] = ()

    def __str__(self) -> str:
        mark = {"add": "+", "change": "~", "remove": "-"}[self.action]
        return f"{mark} {self.what}" + (f" ({', '.join(self.settings)})" if self.settings else "")
