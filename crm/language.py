"""Which language somebody is written to in."""

from __future__ import annotations

from collections.abc import Iterable

from crm.element import Element
from crm.workspace import WorkspaceSettings


def language_of(element: Element | None, workspace: WorkspaceSettings) -> str:
    """The element's field `language` where it says one, else the workspace's locale; as `pt-BR`."""
    said = element.fields.get("language") if element is not None else None
    return (said if isinstance(said, str) and said.strip() else workspace.locale).strip().replace("_", "-")


def nearest(wanted: str, there: Iterable[str]) -> str | None:
    """Of the languages that are there the wanted one: `pt-BR` itself, else `pt`; None without either."""
    wanted = wanted.replace("_", "-").lower()
    known = {name.replace("_", "-").lower(): name for name in there}
    base = wanted.partition("-")[0]
    kin = next((name for key, name in known.items() if key.partition("-")[0] == base), None)
    return known.get(wanted) or known.get(base) or kin
