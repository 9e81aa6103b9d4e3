"""Which language a lead's person is written to in."""

from __future__ import annotations

from collections.abc import Iterable

from crm.workspace import WorkspaceSettings
from models.lead import Lead


def language_of(lead: Lead, workspace: WorkspaceSettings) -> str:
    """The lead's field `language` where it says one, else the workspace's locale; as `pt-BR`."""
    said = lead.fields.get("language")
    return (said if isinstance(said, str) and said.strip() else workspace.locale).strip().replace("_", "-")


def nearest(wanted: str, there: Iterable[str]) -> str | None:
    """Of the languages that are there the wanted one: `pt-BR` itself, else `pt`; None without either."""
    wanted = wanted.replace("_", "-").lower()
    known = {name.replace("_", "-").lower(): name for name in there}
    base = wanted.partition("-")[0]
    kin = next((name for key, name in known.items() if key.partition("-")[0] == base), None)
    return known.get(wanted) or known.get(base) or kin
